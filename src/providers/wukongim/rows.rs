//! From what the server says of an account to the rows that the deck lists: the account, and one row a device flag.

use super::{
    api::{Conn, Device},
    business,
    can::QR_LOGIN,
    collide::{Contest, Contests},
    connz::{self, Live},
    flags::Flags,
};
use crate::{
    domain::{
        Clean, Fact, FactValue, Fingerprint, GatewayId, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, TokenInfo, Wall,
        row::TokenSemantics,
    },
    i18n::{Words, wukongim as w},
    store::config::WuKongIm,
};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// What is known of one account.
#[derive(Debug)]
pub(super) struct Account {
    /// Its uid.
    pub(super) uid: Box<str>,
    /// Its device rows; `None`: not read, or not told by this server.
    pub(super) devices: Option<Vec<Device>>,
    /// When they were read.
    pub(super) read_at: Option<Stamp>,
    /// Live connections by flag.
    pub(super) live: Live,
    /// Its connections, while it is under the cursor.
    pub(super) conns: Option<Vec<Conn>>,
}

impl Account {
    /// One of which nothing is known yet.
    pub(super) fn new(uid: &str) -> Self {
        Self { uid: uid.into(), devices: None, read_at: None, live: Live::new(), conns: None }
    }

    /// Its device rows as far as they are known.
    pub(super) fn rows(&self) -> &[Device] {
        self.devices.as_deref().unwrap_or_default()
    }

    /// Flags that are online though no token could let them in: there is no row, or its token is empty.
    pub(super) fn uninvited(&self) -> impl Iterator<Item = u8> {
        let known = self.devices.is_some() && !self.uid.ends_with(VISITOR);
        let let_in = |f: &u8| self.rows().iter().any(|d| d.flag == *f && (d.token.is_some() || d.hidden));
        self.live.keys().copied().filter(move |f| known && !let_in(f))
    }
}

/// Uids that end so skip the token check (issue 536 there).
const VISITOR: &str = "___vstr";

/// What all rows of a gateway share.
pub(super) struct Maker<'a> {
    /// The gateway's name.
    pub(super) gateway: &'a GatewayId,
    /// Key for fingerprints.
    pub(super) key: &'a [u8; 32],
    /// Names, plan, owners.
    pub(super) settings: &'a WuKongIm,
    /// Fights and replacements.
    pub(super) contests: &'a Contests,
    /// True where it was seen that tokens are not checked.
    pub(super) checks_off: bool,
    /// When this was observed.
    pub(super) at: Stamp,
}

/// `APP 0`, `iOS 5`, `flag 7`.
pub(super) fn flag_label(settings: &WuKongIm, flag: u8) -> String {
    flag_name(settings, flag).map_or_else(|| format!("flag {flag}"), |name| format!("{name} {flag}"))
}

fn flag_name(settings: &WuKongIm, flag: u8) -> Option<&str> {
    Flags::new(settings).name(flag)
}

fn level_word(level: u8) -> String {
    match level {
        0 => "slave".to_owned(),
        1 => "master".to_owned(),
        n => n.to_string(),
    }
}

fn wall(ns: i64) -> Option<Wall> {
    (ns > 0).then_some(Wall(ns / 1_000_000))
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, key: &'static str, label: &'static Words, value: FactValue) {
        self.0.push(Fact { key, label, value });
    }
    fn text(&mut self, key: &'static str, label: &'static Words, text: &str) {
        if !text.is_empty() {
            self.add(key, label, FactValue::Text(Clean::new(text)));
        }
    }
    fn count(&mut self, key: &'static str, label: &'static Words, n: usize) {
        self.add(key, label, FactValue::Count(n as u64));
    }
    fn done(mut self) -> Vec<Fact> {
        // Thousands of rows are kept: no room to spare in each.
        self.0.shrink_to_fit();
        self.0
    }
}

impl Maker<'_> {
    /// The account's row, then its devices by flag.
    pub(super) fn rows(&self, a: &Account) -> Vec<Row> {
        let flags: BTreeSet<u8> = a.rows().iter().map(|d| d.flag).chain(a.live.keys().copied()).collect();
        let devices: Vec<Row> = flags.iter().map(|f| self.device(a, *f)).collect();
        let mut all = Vec::with_capacity(devices.len() + 1);
        all.push(self.account(a, &flags, &devices));
        all.extend(devices);
        all
    }

    fn owned(&self, a: &Account) -> bool {
        business::owns(self.settings, &a.uid)
    }

    /// Its business server has a login by QR.
    fn logs_in_by_qr(&self, a: &Account) -> bool {
        business::login_url(self.settings, &a.uid).is_some()
    }

    fn link(&self, state: State, source: Source, reason: Option<Reason>) -> Link {
        Link { state, since: None, observed_at: Some(self.at), source, reason, witnesses: Vec::new() }
    }

    fn account(&self, a: &Account, flags: &BTreeSet<u8>, devices: &[Row]) -> Row {
        let fight = devices.iter().find(|d| d.link.state == State::Conflict).and_then(|d| d.link.reason.clone());
        // On a flag for which the server has no word, and which nothing else tells.
        let unplaced = || self.contests.of(&a.uid, None, &self.at).filter(|c| c.fight).map(|c| collision("?", &c));
        let fight = fight.or_else(unplaced);
        let wiped = !a.rows().is_empty() && a.rows().iter().all(|d| d.token.is_none() && !d.hidden);
        let link = if let Some(reason) = fight {
            self.link(State::Conflict, Source::Probe, Some(reason))
        } else if !a.live.is_empty() {
            let off = devices.iter().find_map(|d| d.link.reason.as_ref().filter(|r| r.code == ReasonCode::ChecksOff));
            self.link(State::Online, Source::Metrics, off.cloned())
        } else {
            let reason = match &a.devices {
                Some(rows) if rows.is_empty() => Some(Reason::new(ReasonCode::NeverIssued).with("device", &*a.uid)),
                Some(_) if wiped => Some(Reason::new(ReasonCode::TokenWiped)),
                _ => None,
            };
            self.link(State::Offline, Source::Metrics, reason)
        };
        let mut facts = Facts::default();
        facts.count("devices", &w::FACT_DEVICES, flags.len());
        facts.count("connections", &w::FACT_CONNECTIONS, a.live.values().map(|n| *n as usize).sum());
        let unplaced = a.conns.iter().flatten().filter(|c| connz::flag(c, &a.live, a.rows()).is_none()).count();
        if unplaced > 0 {
            facts.count("connections_unplaced", &w::FACT_UNPLACED, unplaced);
        }
        if self.owned(a) {
            facts.add("business", &w::FACT_BUSINESS, FactValue::Flag(true));
        }
        if self.logs_in_by_qr(a) {
            facts.add(QR_LOGIN, &w::FACT_QR_LOGIN, FactValue::Flag(true));
        }
        let names: Vec<String> = flags.iter().map(|f| flag_name(self.settings, *f).map_or_else(|| f.to_string(), str::to_owned)).collect();
        Row {
            gateway: self.gateway.clone(),
            account: RemoteId::new(&a.uid),
            device: None,
            incarnation: None,
            label: Clean::new(&a.uid),
            identity: a.devices.is_some().then(|| match &names[..] {
                [] => Clean::new("0"),
                names => Clean::new(&format!("{} · {}", names.len(), names.join(" "))),
            }),
            link,
            tokens: Vec::new(),
            facts: facts.done(),
        }
    }

    fn device(&self, a: &Account, flag: u8) -> Row {
        let label = flag_label(self.settings, flag);
        let device = a.rows().iter().find(|d| d.flag == flag);
        let online = a.live.get(&flag).copied().unwrap_or(0);
        let contest = self.contests.of(&a.uid, Some(flag), &self.at);
        let has_token = device.is_some_and(|d| d.token.is_some() || d.hidden);
        let link = match &contest {
            Some(c) if c.fight => self.link(State::Conflict, Source::Probe, Some(collision(&label, c))),
            _ if online > 0 => {
                let off = self.checks_off && a.uninvited().any(|f| f == flag);
                self.link(State::Online, Source::Metrics, off.then(|| Reason::new(ReasonCode::ChecksOff)))
            }
            // The list is where the empty token stands.
            _ if !has_token => self.link(State::LoggedOut, Source::List, Some(Reason::new(ReasonCode::TokenWiped))),
            _ => self.link(State::Offline, Source::Metrics, None),
        };
        let tokens = device.and_then(|d| Some((d, d.token.as_ref()?))).map(|(d, t)| TokenInfo {
            fingerprint: Fingerprint::of(self.key, t),
            length: t.len(),
            issued_at: wall(d.updated_ns),
            expires_at: None,
            generation: 0,
            semantics: TokenSemantics::Lasting,
            rejected: false,
        });
        Row {
            gateway: self.gateway.clone(),
            account: RemoteId::new(&a.uid),
            device: Some(RemoteId::new(&flag.to_string())),
            // The row's id outlives token and level; a regenerate of ours must not look like somebody else.
            incarnation: device.filter(|d| d.id != 0).map(|d| d.id.to_string().into()),
            label: Clean::new(&label),
            identity: device.map(|d| Clean::new(&level_word(d.level))),
            link,
            tokens: tokens.into_iter().collect(),
            facts: self.facts(a, flag, device, online, contest.as_ref()),
        }
    }

    fn facts(&self, a: &Account, flag: u8, device: Option<&Device>, online: u32, contest: Option<&Contest>) -> Vec<Fact> {
        let mut facts = Facts::default();
        facts.count("flag", &w::FACT_FLAG, usize::from(flag));
        if let Some(d) = device {
            facts.text("level", &w::FACT_LEVEL, &level_word(d.level));
        }
        facts.count("connections", &w::FACT_CONNECTIONS, online as usize);
        if let Some(c) = contest {
            let client = |(device, ip): &(Box<str>, Box<str>)| format!("{device} {ip}");
            facts.text("displaced", &w::FACT_DISPLACED, &client(&c.last.from));
            facts.text("displaced_by", &w::FACT_DISPLACED_BY, &client(&c.last.to));
            facts.add("displaced_at", &w::FACT_DISPLACED_AT, FactValue::At(c.last.at));
            facts.count("swaps", &w::FACT_SWAPS, c.swaps);
        }
        let conns: Vec<&Conn> = a.conns.iter().flatten().filter(|c| connz::flag(c, &a.live, a.rows()) == Some(flag)).collect();
        let each = |of: fn(&Conn) -> String| conns.iter().map(|c| of(c)).collect::<Vec<_>>().join(", ");
        facts.text("ip", &w::FACT_IP, &each(|c| c.ip.clone()));
        facts.text("device_id", &w::FACT_DEVICE_ID, &each(|c| c.device_id.clone()));
        facts.text("idle", &w::FACT_IDLE, &each(|c| c.idle.clone()));
        facts.text("uptime", &w::FACT_UPTIME, &each(|c| c.uptime.clone()));
        facts.text("connection_id", &w::FACT_CONNECTION_ID, &each(|c| c.id.to_string()));
        if let Some(d) = device {
            for (key, label, ns) in [("created_at", &w::FACT_CREATED, d.created_ns), ("updated_at", &w::FACT_UPDATED, d.updated_ns)] {
                if let Some(at) = wall(ns) {
                    facts.add(key, label, FactValue::At(Stamp::wall_only(at)));
                }
            }
        }
        if self.checks_off {
            facts.add("tokens_enforced", &w::FACT_ENFORCED, FactValue::Flag(false));
        }
        if self.owned(a) {
            facts.add("business", &w::FACT_BUSINESS, FactValue::Flag(true));
        }
        if self.logs_in_by_qr(a) {
            facts.add(QR_LOGIN, &w::FACT_QR_LOGIN, FactValue::Flag(flag == business::WEB));
        }
        if let Some(p) = self.settings.plan.iter().find(|p| p.flag == flag) {
            facts.text("plan", &w::FACT_PLAN, &p.platform);
        }
        facts.done()
    }
}

fn collision(device: &str, c: &Contest) -> Reason {
    let name = |id: &str| if id.is_empty() { "?".to_owned() } else { id.to_owned() };
    let raw = format!("{} → {}, {}×", name(&c.last.from.0), name(&c.last.to.0), c.swaps);
    let code = if c.sure { ReasonCode::FlagCollision } else { ReasonCode::FlagUnsteady };
    Reason::new(code).with("device", device).raw(raw).at(c.last.at)
}

/// A number that changes when a row tells something else than when it was observed.
pub(super) fn story(row: &Row) -> u64 {
    let mut h = DefaultHasher::new();
    let stamp = |s: &Stamp| (s.wall, s.boot);
    (row.link.state, &row.incarnation, &row.identity).hash(&mut h);
    row.link.reason.as_ref().map(|r| (r.code, &r.raw)).hash(&mut h);
    for t in &row.tokens {
        (&t.fingerprint, t.length, t.issued_at).hash(&mut h);
    }
    for f in &row.facts {
        f.key.hash(&mut h);
        match &f.value {
            FactValue::Text(t) | FactValue::Number(t) => (0, t).hash(&mut h),
            FactValue::Count(n) => (1, n).hash(&mut h),
            FactValue::At(at) => (2, stamp(at)).hash(&mut h),
            FactValue::Flag(on) => (3, on).hash(&mut h),
        }
    }
    h.finish()
}
