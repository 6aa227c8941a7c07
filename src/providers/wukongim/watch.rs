//! The watch of one gateway: one batch question per thousand accounts and interval, device rows seldom, the newest
//! connections for fights, the connections of the account under the cursor. Rows are made only of what changed.

mod read;

pub(super) use read::one;

use super::{
    SPEC,
    api::{Api, BATCH, Version},
    auth,
    collide::Contests,
    connz,
    devices::Walk,
    rows::{self, Account, Maker},
    uids::{self, Edition},
};
use crate::{
    domain::{Reason, ReasonCode, RemoteId, Row, Stamp, Target},
    i18n::{Message, wukongim as w},
    providers::{Cx, GatewayFacts, Report, Tx},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Device rows are read anew so often.
const SLOWLY: Duration = Duration::from_secs(300);
/// Newest connections that are looked at.
const NEWEST: u32 = 100;
/// After so many polls the device rows of the account under the cursor are read: another process may have changed them.
const OFTEN: u32 = 6;
/// After so many polls the whole list is said again: a single look at a row may have been taken in between.
const AGAIN: u32 = 24;
/// The cursor must rest so long before its account is asked about.
const REST: Duration = Duration::from_millis(300);
/// A flag that is online without a token for so long was let in without one: kicks take up to 10 s to show (§0.6).
const UNINVITED: Duration = Duration::from_secs(15);

/// The rows of one account as they were last reported.
type Sent = Vec<(Option<RemoteId>, u64)>;

struct Watch<'a> {
    cx: &'a Cx,
    api: Api<'a>,
    out: Tx<Report>,
    accounts: Vec<Account>,
    index: HashMap<Box<str>, usize>,
    edition: Edition,
    /// Hash of the last answer of each batch.
    answers: Vec<Option<u64>>,
    contests: Contests,
    /// What was last reported of each account's rows, as [`rows::story`].
    sent: Vec<Sent>,
    /// Accounts were added or left out: the whole list is due.
    relist: bool,
    /// Accounts about which something may have changed.
    dirty: BTreeSet<usize>,
    facts: GatewayFacts,
    facts_sent: bool,
    checks_off: bool,
    /// Flags that are online without a token, and since when.
    uninvited: HashMap<(usize, u8), Stamp>,
    /// Accounts whose device rows are to be read.
    due: VecDeque<usize>,
    walk: Option<Walk>,
    walk_at: Instant,
    /// The server lists no devices, or not to us.
    no_devices: bool,
    /// No connections are listed, or not to us.
    no_conns: bool,
    selected: Option<usize>,
    polls: u32,
}

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return r,
    };
    let mut w = Watch {
        cx,
        api,
        out,
        accounts: Vec::new(),
        index: HashMap::new(),
        edition: Edition::of(cx),
        answers: Vec::new(),
        contests: Contests::default(),
        sent: Vec::new(),
        relist: false,
        dirty: BTreeSet::new(),
        facts: GatewayFacts::default(),
        facts_sent: false,
        checks_off: false,
        uninvited: HashMap::new(),
        due: VecDeque::new(),
        walk: None,
        walk_at: Instant::now(),
        no_devices: false,
        no_conns: false,
        selected: None,
        polls: 0,
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        r = w.run() => r,
    }
}

impl Watch<'_> {
    async fn run(&mut self) -> Reason {
        match self.begin().await {
            Ok(()) => {}
            Err(r) => return r,
        }
        // Beside, never before the first list: the manager port may not answer.
        let mut exposed = Box::pin(exposure(self.cx));
        let mut asked = false;
        let mut seen = self.cx.seen.clone();
        let mut refresh = seen.borrow_and_update().refresh;
        let mut last = Instant::now();
        let mut rest: Option<Instant> = Some(last);
        loop {
            let next = last + if self.cx.seen.borrow().on_screen { SPEC.poll_seen } else { SPEC.poll_unseen };
            let turn = tokio::select! {
                warnings = &mut exposed, if !asked => {
                    asked = true;
                    warnings.into_iter().for_each(|m| self.warn(m));
                    Ok(())
                }
                changed = seen.changed() => {
                    if changed.is_err() {
                        return Reason::new(ReasonCode::Cancelled);
                    }
                    let now = seen.borrow_and_update().clone();
                    if self.select(now.selected.as_ref()) {
                        rest = Some(Instant::now() + REST);
                    }
                    if now.refresh == refresh { Ok(()) } else {
                        refresh = now.refresh;
                        last = Instant::now();
                        self.fresh().await
                    }
                }
                () = sleep_until(rest.unwrap_or(last)), if rest.is_some() => {
                    rest = None;
                    self.look_at_selected().await;
                    self.tell().await;
                    Ok(())
                }
                () = sleep_until(next) => {
                    last = Instant::now();
                    self.poll().await
                }
            };
            if let Err(r) = turn {
                return r;
            }
            if !self.facts_sent {
                self.facts_sent = true;
                let facts = self.facts.clone();
                if !self.send(Report::Gateway(facts)).await {
                    return Reason::new(ReasonCode::Cancelled);
                }
            }
        }
    }

    /// The first reading: version, accounts, devices, who is online.
    async fn begin(&mut self) -> Result<(), Reason> {
        let version = self.api.version().await?;
        self.facts.version = Some(version.shown());
        if version == Version::V3 {
            // It was never given a way to check them (v3 beta, main b249d3a).
            self.not_enforced();
        }
        let selected = self.cx.seen.borrow().selected.clone();
        self.contests = Contests::kept(self.cx).await;
        self.load().await?;
        self.select(selected.as_ref());
        self.all_devices().await?;
        self.live().await?;
        self.look_at_newest().await;
        self.tell_all().await;
        Ok(())
    }

    /// Everything at once, because the operator asks or something was done.
    async fn fresh(&mut self) -> Result<(), Reason> {
        self.load().await?;
        self.answers.iter_mut().for_each(|a| *a = None);
        self.all_devices().await?;
        self.live().await?;
        self.look_at_newest().await;
        self.look_at_selected().await;
        self.tell_all().await;
        Ok(())
    }

    async fn poll(&mut self) -> Result<(), Reason> {
        self.polls = self.polls.wrapping_add(1);
        if Edition::of(self.cx) != self.edition {
            self.load().await?;
        }
        if self.polls.is_multiple_of(AGAIN) {
            self.relist = true;
        }
        if let Some(n) = self.selected.filter(|n| self.polls.is_multiple_of(OFTEN) && !self.due.contains(n)) {
            self.due.push_front(n);
        }
        self.live().await?;
        self.some_devices().await;
        // A look costs the server as much as a batch: seldom, unless somebody is at it.
        let lively = self.contests.lively().next().is_some();
        if lively || !self.cx.seen.borrow().on_screen || self.polls.is_multiple_of(2) {
            self.look_at_newest().await;
        }
        self.look_at_selected().await;
        self.tell().await;
        Ok(())
    }

    fn warn(&mut self, m: Message) {
        if !self.facts.warnings.contains(&m) {
            self.facts.warnings.retain(|x| x.words != m.words);
            self.facts.warnings.push(m);
            self.facts_sent = false;
        }
    }

    fn not_enforced(&mut self) {
        if !self.checks_off {
            self.checks_off = true;
            self.warn(Message::new(&w::WARN_NOT_ENFORCED));
            self.dirty.extend(0..self.accounts.len());
        }
    }

    async fn send(&self, r: Report) -> bool {
        self.out.send(r).await.is_ok()
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            gateway: &self.cx.gateway,
            key: &self.cx.fingerprint_key,
            settings: &self.cx.settings.wukongim,
            contests: &self.contests,
            checks_off: self.checks_off,
            at: self.cx.time.now(),
        }
    }

    /// Reports every row.
    async fn tell_all(&mut self) {
        let maker = self.maker();
        let mut all = Vec::new();
        let mut sent = Vec::with_capacity(self.accounts.len());
        for a in &self.accounts {
            let made = maker.rows(a);
            sent.push(stories(&made));
            all.extend(made);
        }
        self.sent = sent;
        self.dirty.clear();
        self.relist = false;
        self.send(Report::All { rows: all, complete: true }).await;
    }

    /// Reports what changed, and that the rest is still so.
    async fn tell(&mut self) {
        if self.relist {
            return self.tell_all().await;
        }
        // What is known of a fight changes with time alone, and a single look, which may have been taken meanwhile, knows of
        // none.
        let lively: Vec<usize> = self.contests.lively().filter_map(|u| self.index.get(u).copied()).collect();
        let dirty: BTreeSet<usize> = std::mem::take(&mut self.dirty).into_iter().chain(lively.iter().copied()).collect();
        let (mut changed, mut gone, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        let maker = self.maker();
        for n in dirty {
            let (Some(a), Some(before)) = (self.accounts.get(n), self.sent.get(n)) else { continue };
            let made = maker.rows(a);
            for (device, _) in before.iter().filter(|(d, _)| !made.iter().any(|r| r.device == *d)) {
                gone.push(Target { gateway: self.cx.gateway.clone(), account: RemoteId::new(&a.uid), device: device.clone(), incarnation: None });
            }
            let now = stories(&made);
            changed.extend(made.into_iter().zip(&now).filter(|(_, story)| lively.contains(&n) || !before.contains(story)).map(|(row, _)| row));
            sent.push((n, now));
        }
        for (n, now) in sent {
            if let Some(slot) = self.sent.get_mut(n) {
                *slot = now;
            }
        }
        if !gone.is_empty() {
            self.send(Report::Gone(gone)).await;
        }
        if !changed.is_empty() {
            self.send(Report::Part(changed)).await;
        }
        self.send(Report::Alive(self.cx.time.now())).await;
    }

    /// Takes the cursor; true when it is on another account than before.
    fn select(&mut self, selected: Option<&RemoteId>) -> bool {
        let now = selected.and_then(|s| self.index.get(s.as_str()).copied());
        if now == self.selected {
            return false;
        }
        if let Some(before) = self.selected.take() {
            if let Some(a) = self.accounts.get_mut(before) {
                a.conns = None;
            }
            self.dirty.insert(before);
        }
        self.selected = now;
        now.is_some()
    }
}

fn stories(rows: &[Row]) -> Sent {
    rows.iter().map(|r| (r.device.clone(), rows::story(r))).collect()
}

/// What anybody could read: asked once a watch, and nowhere but on ports that the operator configured.
async fn exposure(cx: &Cx) -> Vec<Message> {
    let mut found = Vec::new();
    if auth::is_open(cx).await {
        found.push(Message::new(&w::WARN_OPEN));
    }
    if let Ok(api) = Api::new(cx)
        && let Some(http) = api.auth().manager()
        && auth::guest_reads(cx, http).await
    {
        found.push(Message::new(&w::WARN_GUEST));
    }
    found
}
