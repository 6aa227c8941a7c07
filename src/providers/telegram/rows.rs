//! From what Telegram says of an account to the rows that the deck lists: the account, and one row a session.
//!
//! Nobody is "online": `date_active` is the server's coarse last activity, and a copied key does not show as a second row.

use super::{memo::Known, mtproto::tl::types};
use crate::{
    clock::sample::Interval,
    domain::{Clean, Fact, FactValue, Link, Reason, ReasonCode, RemoteId, Row, Source, Stamp, State, Wall},
    i18n::{Words, telegram as w},
    providers::Cx,
    store::config::Account,
};

/// A session may not end others before it is so old, in seconds (core.telegram.org/api/errors).
const FRESH_S: i64 = 24 * 3600;
/// Key of the fact that marks the operator's own session.
pub(super) const OWN: &str = "own";
/// Key of the fact that says from when on sessions can be ended from here.
pub(super) const FROM: &str = "ends_others_from";
/// Key of the fact that marks a bot.
pub(super) const BOT: &str = "bot";

/// The sessions of an account as the server listed them.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    /// As listed, the own one among them.
    pub(super) sessions: Vec<types::Authorization>,
    /// Days after which idle sessions end by themselves.
    pub(super) ttl_days: i32,
    /// Server minus host, in milliseconds.
    pub(super) offset: Interval,
    /// When it was read.
    pub(super) at: Stamp,
}

impl Remote {
    /// Second of the server's clock from which on sessions can be ended from here, if that is still to come.
    pub(super) fn ends_others_from(&self) -> Option<i64> {
        let own = self.sessions.iter().find(|s| s.current)?;
        let from = i64::from(own.date_created) + FRESH_S;
        (from.saturating_mul(1000) > self.at.wall.0.saturating_add(self.offset.lo_ms)).then_some(from)
    }

    /// The session that a device id of ours names.
    pub(super) fn session(&self, device: &str) -> Option<&types::Authorization> {
        self.sessions.iter().find(|s| id(s) == device)
    }

    /// True when a session has that hash.
    pub(super) fn lists(&self, hash: i64) -> bool {
        self.sessions.iter().any(|s| s.hash == hash)
    }

    /// A second of the server's clock, on this host's.
    fn here(&self, second: i64) -> Stamp {
        Stamp::wall_only(Wall(second.saturating_mul(1000).saturating_sub(self.offset.mid())))
    }
}

/// How an account stands.
#[derive(Clone, Debug)]
pub(super) enum Standing<'a> {
    /// The operator is logged in; its sessions, where they can be had.
    In(Option<&'a Remote>),
    /// It is not, or nothing can be asked.
    Out(Reason),
}

/// The device id of a session.
pub(super) fn id(session: &types::Authorization) -> String {
    if session.current { "~own".to_owned() } else { hash_id(session.hash) }
}

/// True for the row of a session, as against that of a slot.
pub(super) fn is_session(row: &Row) -> bool {
    row.device.as_ref().is_some_and(|d| d.as_str().starts_with('~'))
}

/// The device id of a session's hash. No slot can be called so.
pub(super) fn hash_id(hash: i64) -> String {
    format!("~{hash:016x}")
}

struct Facts(Vec<Fact>);

impl Facts {
    fn text(&mut self, key: &'static str, label: &'static Words, text: &str) {
        if !text.is_empty() {
            self.0.push(Fact { key, label, value: FactValue::Text(Clean::new(text)) });
        }
    }
    fn add(&mut self, key: &'static str, label: &'static Words, value: FactValue) {
        self.0.push(Fact { key, label, value });
    }
    fn flag(&mut self, key: &'static str, label: &'static Words, on: bool) {
        if on {
            self.0.push(Fact { key, label, value: FactValue::Flag(true) });
        }
    }
}

/// The state of an account whose operator cannot ask.
fn state_of(why: ReasonCode) -> State {
    match why {
        ReasonCode::NeverPaired | ReasonCode::LoggedOut | ReasonCode::Wiped => State::LoggedOut,
        ReasonCode::SessionDuplicated => State::Conflict,
        ReasonCode::StoreBroken | ReasonCode::AccountClosed | ReasonCode::CredentialMissing | ReasonCode::CredentialRefused => State::Refused,
        ReasonCode::OtherHolder => State::Unknown,
        _ => State::Unreachable,
    }
}

/// The row of an account.
pub(super) fn account(cx: &Cx, account: &Account, known: Option<&Known>, standing: Standing<'_>) -> Row {
    let mut facts = Facts(Vec::new());
    let remote = match &standing {
        Standing::In(remote) => *remote,
        Standing::Out(_) => None,
    };
    facts.flag(BOT, &w::FACT_BOT, account.telegram.bot);
    if let Some(known) = known {
        facts.text("user", &w::FACT_USER, &known.user.to_string());
        facts.text("name", &w::FACT_NAME, &known.label);
        facts.text("username", &w::FACT_USERNAME, known.username.as_deref().unwrap_or_default());
        if let Some(phone) = known.phone.as_deref().filter(|p| !p.is_empty()) {
            facts.add("phone", &w::FACT_PHONE, FactValue::Number(Clean::new(phone)));
        }
        facts.text("dc", &w::FACT_DC, &known.dc.to_string());
    }
    if let Some(remote) = remote {
        facts.add("sessions", &w::FACT_SESSIONS, FactValue::Count(remote.sessions.len() as u64));
        facts.add("ttl_days", &w::FACT_TTL, FactValue::Count(u64::try_from(remote.ttl_days).unwrap_or(0)));
        if let Some(from) = remote.ends_others_from() {
            facts.add(FROM, &w::FACT_FROM, FactValue::At(remote.here(from)));
        }
    }
    let (state, reason) = match standing {
        Standing::In(_) => (State::Ready, None),
        Standing::Out(why) => (state_of(why.code), Some(why)),
    };
    let phone = known.and_then(|k| k.phone.clone()).or_else(|| account.telegram.phone.clone());
    let identity = known.and_then(|k| k.username.as_ref().map(|u| format!("@{u}"))).or(phone.map(|p| format!("+{p}")));
    Row {
        gateway: cx.gateway.clone(),
        account: RemoteId::new(&account.name),
        device: None,
        incarnation: None,
        label: Clean::new(&account.name),
        identity: identity.map(|i| Clean::new(&i)),
        link: Link {
            state,
            since: None,
            observed_at: Some(remote.map_or_else(|| cx.time.now(), |r| r.at)),
            source: Source::Probe,
            reason,
            witnesses: Vec::new(),
        },
        tokens: Vec::new(),
        facts: facts.0,
    }
}

/// One row a session.
pub(super) fn sessions(cx: &Cx, account: &Account, remote: &Remote) -> Vec<Row> {
    remote.sessions.iter().map(|s| session(cx, account, remote, s)).collect()
}

fn session(cx: &Cx, account: &Account, remote: &Remote, s: &types::Authorization) -> Row {
    let mut facts = Facts(Vec::new());
    facts.flag(OWN, &w::FACT_OWN, s.current);
    facts.flag("unconfirmed", &w::FACT_UNCONFIRMED, s.unconfirmed);
    facts.flag("password_pending", &w::FACT_PENDING, s.password_pending);
    facts.text("app", &w::FACT_APP, &format!("{} {}", s.app_name, s.app_version));
    facts.text("platform", &w::FACT_PLATFORM, format!("{} {}", s.platform, s.system_version).trim());
    facts.flag("official", &w::FACT_OFFICIAL, s.official_app);
    facts.text("ip", &w::FACT_IP, &s.ip);
    facts.text("country", &w::FACT_COUNTRY, [s.country.as_str(), &s.region].join(" ").trim());
    facts.add("last_active", &w::FACT_ACTIVE, FactValue::At(remote.here(i64::from(s.date_active))));
    facts.add("created", &w::FACT_CREATED, FactValue::At(remote.here(i64::from(s.date_created))));
    if let Some(from) = remote.ends_others_from().filter(|_| !s.current) {
        facts.add(FROM, &w::FACT_FROM, FactValue::At(remote.here(from)));
    }
    // Ours was just used; of the others nobody knows.
    let state = if s.current { State::Ready } else { State::Seen };
    let reason = match (s.current, s.unconfirmed) {
        (true, _) => Some(Reason::new(ReasonCode::OwnSession)),
        // Its end is the phone's while the operator is too young.
        (false, true) if remote.ends_others_from().is_some() => Some(Reason::new(ReasonCode::Unconfirmed).with("evidence", "fresh")),
        (false, true) => Some(Reason::new(ReasonCode::Unconfirmed)),
        (false, false) => None,
    };
    let label = if s.device_model.is_empty() { &s.app_name } else { &s.device_model };
    Row {
        gateway: cx.gateway.clone(),
        account: RemoteId::new(&account.name),
        device: Some(RemoteId::new(&id(s))),
        incarnation: Some(s.date_created.to_string().into()),
        label: Clean::new(label),
        identity: Some(Clean::new(&s.app_name)).filter(|i| !i.is_empty()),
        link: Link { state, since: None, observed_at: Some(remote.at), source: Source::Probe, reason, witnesses: Vec::new() },
        tokens: Vec::new(),
        facts: facts.0,
    }
}
