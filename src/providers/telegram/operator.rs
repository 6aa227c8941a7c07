//! The operator's own session of an account: its sealed form, and the one connection that this process has with it.
//!
//! Two connections with one key are a duplicate and the end of the session, so everybody here shares one, and a lock of the store
//! keeps other processes away for as long as it is open.

use super::{
    fail,
    mtproto::{Address, AuthKey, Connection, Error, KeyId, Network, Options, Probe, Update, probe},
    session::Patience,
    setup,
    slots::{self, holder::Viewer},
};
use crate::{
    clock::sample::{By, Interval, Sample, Subject},
    domain::{Clean, Reason, ReasonCode, Secret},
    providers::Cx,
    store::config::Account,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::{Notify, broadcast::error::RecvError};

/// How long a connection that is closing is waited for.
const CLOSING: Duration = Duration::from_secs(3);
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

#[derive(Default)]
struct Place {
    /// Made here and committed: newer than what this context read.
    fresh: Option<Operator>,
    /// Why a key is dead; it is never used again.
    dead: Option<(KeyId, Reason)>,
    line: Weak<Line>,
}

/// All operator connections of one gateway.
#[derive(Default)]
pub(super) struct Hub {
    places: Mutex<HashMap<Box<str>, Place>>,
    opening: Mutex<HashMap<Box<str>, Arc<tokio::sync::Mutex<()>>>>,
    news: Arc<News>,
    /// A key for the next login.
    pub(super) warm: super::warm::Warm,
}

/// Accounts of which something was heard that is worth a look.
#[derive(Default)]
struct News {
    of: Mutex<HashSet<Box<str>>>,
    rung: Notify,
}

impl News {
    fn ring(&self, account: &str) {
        lock(&self.of).insert(account.into());
        self.rung.notify_one();
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(cx: &Cx, account: &str) -> Box<str> {
    format!("{}:{account}", cx.gateway.as_str()).into()
}

impl Hub {
    /// The operator's session of an account, if there is one.
    pub(super) fn operator(&self, cx: &Cx, account: &str) -> Option<Operator> {
        if let Some(fresh) = lock(&self.places).get(&name(cx, account)).and_then(|p| p.fresh.clone()) {
            return Some(fresh);
        }
        Operator::from_secret(setup::secret(cx, account, setup::OPERATOR)?)
    }

    /// A new session was committed: contexts that were made before do not know it.
    pub(super) fn committed(&self, cx: &Cx, account: &str, operator: Operator) {
        *lock(&self.places).entry(name(cx, account)).or_default() = Place { fresh: Some(operator), ..Place::default() };
        self.news.ring(account);
    }

    /// Waits until something was heard of an account, and says of which. For one listener.
    pub(super) async fn heard(&self) -> HashSet<Box<str>> {
        loop {
            let of = std::mem::take(&mut *lock(&self.news.of));
            if !of.is_empty() {
                return of;
            }
            self.news.rung.notified().await;
        }
    }

    /// The one connection of an account: the open one, or a new one.
    ///
    /// # Errors
    /// [`ReasonCode::NeverPaired`], [`ReasonCode::OtherHolder`] (another process has it), what makes the key dead, or the wire's.
    pub(super) async fn line(&self, cx: &Cx, account: &Account) -> Result<Arc<Line>, Reason> {
        let place = name(cx, &account.name);
        let opening = lock(&self.opening).entry(place.clone()).or_default().clone();
        let _one_at_a_time = opening.lock().await;
        let operator = self.operator(cx, &account.name).ok_or_else(|| Reason::new(ReasonCode::NeverPaired))?;
        let id = operator.key.id();
        let old = {
            let places = lock(&self.places);
            let known = places.get(&place);
            if let Some((_, why)) = known.and_then(|p| p.dead.as_ref()).filter(|d| d.0 == id) {
                return Err(why.clone());
            }
            known.and_then(|p| p.line.upgrade())
        };
        if let Some(line) = old.filter(|l| l.conn.ended().is_none() && l.conn.key() == id) {
            return Ok(line);
        }
        not_a_workers(cx, id).await?;
        let busy = || Reason::new(ReasonCode::OtherHolder).with("gateway", cx.gateway.as_str());
        let right = self.right(cx, id).await?.ok_or_else(busy)?;
        let net = setup::network(cx)?;
        let app = setup::app(cx, account)?;
        let to = net.address(operator.dc).ok_or_else(|| Reason::new(ReasonCode::WrongAddress).raw(format!("dc {}", operator.dc)))?;
        // Without the server's time a host whose clock is wrong would be refused.
        let clock = ask_time_of(cx, &net, to).await.map_err(|e| fail::from(fail::at(cx, &e), to))?;
        let options = Options { app, salt: operator.salt, clock: clock.offset };
        let conn = Connection::open(&net, to, operator.key.clone(), options).await.map_err(|e| fail::from(fail::at(cx, &e), to))?;
        let (over, mut updates) = (conn.over(), conn.updates());
        let (news, of) = (self.news.clone(), account.name.clone());
        tokio::spawn(async move {
            tokio::pin!(over);
            loop {
                tokio::select! {
                    () = &mut over => break,
                    heard = updates.recv() => match heard {
                        Ok(Update::NewDevice { .. }) | Err(RecvError::Lagged(_)) => news.ring(&of),
                        Ok(_) => {}
                        Err(RecvError::Closed) => {
                            over.await;
                            break;
                        }
                    },
                }
            }
            drop(right);
        });
        let line = Arc::new(Line { conn, operator });
        lock(&self.places).entry(place).or_default().line = Arc::downgrade(&line);
        Ok(line)
    }

    /// The lock of a key. One that is just being let go is waited for.
    async fn right(&self, cx: &Cx, id: KeyId) -> Result<Option<crate::providers::Right>, Reason> {
        let until = tokio::time::Instant::now() + CLOSING;
        loop {
            let right = cx.memo.exclusive(&format!("tg-{id}")).await?;
            if right.is_some() || tokio::time::Instant::now() >= until {
                return Ok(right);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The session was logged out from here: its key is dead, and its connection is closed when nobody waits on it any more.
    pub(super) fn ended(&self, cx: &Cx, account: &str, line: &Line) {
        let why = Reason::new(ReasonCode::LoggedOut).with("gateway", cx.gateway.as_str());
        lock(&self.places).entry(name(cx, account)).or_default().dead = Some((line.conn.key(), why));
        self.news.ring(account);
    }

    /// What an error of a call means. One that makes the key dead is remembered, so that the key is never used again.
    pub(super) fn refused(&self, cx: &Cx, account: &str, key: KeyId, error: &Error) -> Reason {
        let home = self.operator(cx, account).and_then(|o| setup::network(cx).ok()?.address(o.dc));
        let why = fail::of(cx, account, error);
        let why = home.map_or(why.clone(), |to| fail::from(why, to));
        if error.verdict().is_some() {
            lock(&self.places).entry(name(cx, account)).or_default().dead = Some((key, why.clone()));
        }
        why
    }
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
