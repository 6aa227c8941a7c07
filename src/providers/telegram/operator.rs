//! The operator's own session of an account: its sealed form, and the one connection that this process has with it.
//!
//! Two connections with one key are a duplicate and the end of the session, so everybody here shares one, and a lock of the store
//! keeps other processes away for as long as it is open. They may ask for it: see [`super::lend`].

use super::{
    fail,
    lend::{Engaged, Places},
    mtproto::{Address, AuthKey, Connection, Error, KeyId, Network, Options, Probe, probe},
    session::Patience,
    setup,
    slots::{self, holder::Viewer},
};
use crate::{
    clock::sample::{By, Interval, Sample, Subject},
    domain::{Clean, Reason, ReasonCode, Secret},
    providers::{Cx, Right, token::account_secret},
    store::config::Account,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

/// How long a connection that is closing is waited for: less than the shortest patience with an account.
const CLOSING: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// A logged-in key, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    /// The data centre where it lives.
    pub(super) dc: i32,
    /// The key.
    pub(super) key: AuthKey,
    /// A salt that may still be good.
    pub(super) salt: i64,
    /// The account's number.
    pub(super) user: i64,
    /// It is a bot, which cannot list or end sessions.
    pub(super) bot: bool,
}

/// As it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    dc: i32,
    key: String,
    salt: i64,
    user: i64,
    bot: bool,
}

impl Operator {
    /// For sealing.
    pub(super) fn to_secret(&self) -> Secret {
        let s = Sealed { dc: self.dc, key: self.key.to_secret().expose().to_owned(), salt: self.salt, user: self.user, bot: self.bot };
        Secret::new(serde_json::to_string(&s).unwrap_or_default())
    }

    /// Reads it back; `None` for anything else.
    pub(super) fn from_secret(text: &Secret) -> Option<Self> {
        let s: Sealed = serde_json::from_str(text.expose()).ok()?;
        let key = AuthKey::from_secret(&Secret::new(s.key))?;
        Some(Self { dc: s.dc, key, salt: s.salt, user: s.user, bot: s.bot })
    }
}

/// The connection. Its lock is let go when the socket is closed.
#[derive(Debug)]
pub(super) struct Line {
    /// The connection itself.
    pub(super) conn: Connection,
    /// Whose it is.
    pub(super) operator: Operator,
}

/// All operator connections of one gateway.
#[derive(Default)]
pub(super) struct Hub {
    pub(super) places: Arc<Places>,
    opening: Mutex<HashMap<Box<str>, Arc<tokio::sync::Mutex<()>>>>,
    /// A key for the next login.
    pub(super) warm: super::warm::Warm,
    /// Passwords that a person gave ahead, by op.
    given: Mutex<HashMap<i64, Secret>>,
}

/// How much a connection is wanted where another process has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Not enough to disturb it.
    IfFree,
    /// It is asked to lend it, and waited for so long.
    Within(Duration),
}

/// For what a person asked for: longer than a call of the holder's may take.
pub(super) const ASKED: Wish = Wish::Within(Duration::from_secs(30));

pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(cx: &Cx, account: &str) -> Box<str> {
    format!("{}:{account}", cx.gateway.as_str()).into()
}

/// The lock of a key.
pub(super) fn right_of(id: KeyId) -> String {
    format!("tg-{id}")
}

impl Hub {
    /// The operator's session of an account, if there is one.
    pub(super) fn operator(&self, cx: &Cx, account: &str) -> Option<Operator> {
        if let Some(fresh) = self.places.with(&name(cx, account), |p| p.fresh.clone()) {
            return Some(fresh);
        }
        Operator::from_secret(setup::secret(cx, account, setup::OPERATOR)?)
    }

    /// Where the operator's session of an account lives, if there is one.
    pub(super) fn home(&self, cx: &Cx, account: &str) -> Option<Address> {
        let dc = self.operator(cx, account)?.dc;
        setup::network(cx).ok()?.address(dc)
    }

    /// A new session was committed: contexts that were made before do not know it.
    pub(super) fn committed(&self, cx: &Cx, account: &str, operator: Operator) {
        let old = self.places.with(&name(cx, account), |p| {
            (p.fresh, p.dead, p.line) = (Some(operator), None, Weak::new());
            p.kept.take()
        });
        drop(old);
        self.places.news.ring(account);
    }

    /// Waits until something was heard of an account, and says of which. For one listener.
    pub(super) async fn heard(&self) -> HashSet<Box<str>> {
        self.places.news.heard().await
    }

    /// Held while an op on the account runs: its connection stays open, and is lent to nobody.
    pub(super) fn engage(&self, cx: &Cx, account: &str) -> Engaged {
        self.places.engage(name(cx, account))
    }

    /// The one connection of an account: the open one, or a new one. Another process that has it is asked to lend it.
    ///
    /// # Errors
    /// [`ReasonCode::NeverPaired`], [`ReasonCode::OtherHolder`] (another process has it), what makes the key dead, or the wire's.
    pub(super) async fn line(&self, cx: &Cx, account: &Account) -> Result<Arc<Line>, Reason> {
        self.line_for(cx, account, ASKED).await
    }

    /// The same, wanted so much.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn line_for(&self, cx: &Cx, account: &Account, wish: Wish) -> Result<Arc<Line>, Reason> {
        let place = name(cx, &account.name);
        let opening = lock(&self.opening).entry(place.clone()).or_default().clone();
        let _one_at_a_time = opening.lock().await;
        let open = |o: Operator| Ok((self.places.open_line(&place, o.key.id())?, o));
        let mut found = self.operator(cx, &account.name).map(open).transpose();
        if let Ok(Some((Some(line), _))) = found {
            return Ok(line);
        }
        // A login that a killed process began may have succeeded since.
        if super::pending::recover(self, cx, account).await {
            found = self.operator(cx, &account.name).map(open).transpose();
        }
        let Some((_, operator)) = found? else {
            // Its key went with its session: how that ended is remembered all the same.
            let was = super::memo::ended(cx, &account.name).await.map_or_else(|| Reason::new(ReasonCode::NeverPaired), super::memo::Ended::why);
            // Damaged is not absent: whoever logs in anew for want of it leaves a session behind.
            return Err(cx.without(&account_secret(&account.name, setup::OPERATOR), was));
        };
        let id = operator.key.id();
        if let Some(ended) = super::memo::end_of(cx, &account.name, id).await {
            return Err(ended.why());
        }
        not_a_workers(cx, id).await?;
        let right = match self.right(cx, id, wish).await? {
            Ok(right) => right,
            Err(who) => {
                self.places.wait_for_right(cx, &place, &account.name, id);
                return Err(held(cx, &who));
            }
        };
        // Of a copy of the store on another host the locks here say nothing.
        let lease = cx.tokens.hold_lease(&slots::run::key_lease(id)).await.map_err(|who| held(cx, &who))?;
        let net = setup::network(cx)?;
        let app = setup::app(cx, account)?;
        let to = net.address(operator.dc).ok_or_else(|| Reason::new(ReasonCode::WrongAddress).raw(format!("dc {}", operator.dc)))?;
        // Without the server's time a host whose clock is wrong would be refused.
        let clock = ask_time_of(cx, &net, to).await.map_err(|e| fail::from(fail::at(cx, &e), to))?;
        let options = Options { app, salt: operator.salt, clock: clock.offset };
        let conn = Connection::open(&net, to, operator.key.clone(), options).await.map_err(|e| fail::from(fail::at(cx, &e), to))?;
        let line = Arc::new(Line { conn, operator });
        self.places.opened(cx, place, &account.name, &line, right, lease);
        Ok(line)
    }

    /// The lock of a key. One that is just being let go here is waited for. The inner error: who has it.
    async fn right(&self, cx: &Cx, id: KeyId, wish: Wish) -> Result<Result<Right, Clean>, Reason> {
        let name = right_of(id);
        let until = tokio::time::Instant::now() + CLOSING;
        loop {
            if let Some(right) = cx.memo.exclusive(&name).await? {
                return Ok(Ok(right));
            }
            let holder = cx.memo.holder(&name);
            let ours = holder.as_ref().is_none_or(|h| h.here);
            if !ours || tokio::time::Instant::now() >= until {
                return match wish {
                    Wish::IfFree => Ok(Err(holder.map_or_else(|| Clean::new(""), |h| h.who))),
                    Wish::Within(patience) => cx.memo.borrow(&name, patience).await,
                };
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Keeps a password for a later step of an op, or takes it.
    pub(super) fn given(&self, op: i64, password: Option<Secret>) -> Option<Secret> {
        match password {
            Some(password) => lock(&self.given).insert(op, password),
            None => lock(&self.given).remove(&op),
        }
    }

    /// The session was logged out from here: its key is dead, and its connection is closed when nobody waits on it any more.
    pub(super) fn ended(&self, cx: &Cx, account: &str, line: &Line) {
        let why = Reason::new(ReasonCode::Wiped).with("gateway", cx.gateway.as_str());
        let old = self.places.with(&name(cx, account), |p| {
            p.dead = Some((line.conn.key(), why));
            p.kept.take()
        });
        drop(old);
        self.places.news.ring(account);
    }

    /// Why that key of the account is dead, if it is.
    pub(super) fn why_dead(&self, cx: &Cx, account: &str, key: KeyId) -> Option<Reason> {
        self.places.with(&name(cx, account), |p| p.dead.as_ref().filter(|d| d.0 == key).map(|d| d.1.clone()))
    }

    /// That key is not in the store any more.
    pub(super) fn forgotten(&self, cx: &Cx, account: &str, key: KeyId) {
        self.places.with(&name(cx, account), |p| {
            p.fresh.take_if(|o| o.key.id() == key);
        });
    }

    /// What an error of a call means. One that makes the key dead is remembered, so that the key is never used again.
    pub(super) fn refused(&self, cx: &Cx, account: &str, key: KeyId, error: &Error) -> Reason {
        let why = fail::from(fail::of(cx, account, error), self.home(cx, account));
        if error.verdict().is_some() {
            self.places.with(&name(cx, account), |p| p.dead = Some((key, why.clone())));
        } else if error.ends_connection() && self.places.with(&name(cx, account), |p| p.lending) {
            return held(cx, &Clean::new(""));
        }
        why
    }
}

/// Another process has the key.
fn held(cx: &Cx, who: &Clean) -> Reason {
    let who = if who.is_empty() { "pairdeck" } else { who.as_str() };
    Reason::new(ReasonCode::OtherHolder).with("gateway", cx.gateway.as_str()).with("holder", who)
}

/// A key that lies in a worker's file is never connected with: two connections would end its session.
async fn not_a_workers(cx: &Cx, key: KeyId) -> Result<(), Reason> {
    let settings = Arc::clone(&cx.settings);
    let look = move || slots::worker_keys(&slots::inspect(&slots::of(&settings), Patience::default(), Viewer::Looker)).remove(&key);
    match tokio::task::spawn_blocking(look).await {
        Ok(None) => Ok(()),
        Ok(Some(of)) => Err(Reason::new(ReasonCode::KeyTwin).with("where", of.join(", "))),
        Err(_) => Err(Reason::new(ReasonCode::Internal)),
    }
}

/// Asks a data centre for its time and tells the gate.
///
/// # Errors
/// [`Error`]: the gate is told that no answer came.
pub(super) async fn ask_time(cx: &Cx, net: &Network) -> Result<Probe, Error> {
    let to = net.start().ok_or(Error::Exchange("no data centre is configured"))?;
    ask_time_of(cx, net, to).await
}

/// The same of one data centre: another one that is down does not matter then.
async fn ask_time_of(cx: &Cx, net: &Network, to: Address) -> Result<Probe, Error> {
    let found = probe(net, to).await;
    match &found {
        Ok(p) => measured(cx, p.offset, "server_time"),
        Err(_) => cx.samples.lost(),
    }
    found
}

/// Tells the gate what the server's clock was measured to be.
pub(super) fn measured(cx: &Cx, offset: Interval, detail: &str) {
    cx.samples.push(Sample {
        gateway: Some(cx.gateway.clone()),
        subject: Subject::Gateway,
        by: By::ServerTime,
        interval: Some(offset),
        at: cx.time.now(),
        probes: 1,
        detail: Clean::new(detail),
        server: None,
    });
}
