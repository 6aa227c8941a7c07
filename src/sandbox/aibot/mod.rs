//! WeCom's long connections for AI bots as seen from outside (`wss://openws.work.weixin.qq.com`, here plain `ws://` on loopback).
//!
//! A bot has one subscriber: a second one takes its place, and the first is told so and hung up. The protocol is from Tencent's
//! own SDK (`@wecom/aibot-node-sdk` 1.0.7; `tests/recordings/wecom-aibot`); of the real server's refusals only their form is
//! known, so the numbers of [`Refusal`] may differ there.
//!
//! For tests in process, [`AiBot`] has: [`AiBot::subscribers`], [`AiBot::bots`] (how often a bot was subscribed and refused),
//! [`AiBot::kick`], [`AiBot::hang_up`], [`AiBot::message`], [`AiBot::deaf`], [`AiBot::reset_secret`], [`AiBot::asked`].

mod frames;
mod socket;
mod steer;

#[cfg(test)]
mod tests;

pub(crate) use steer::act;

use super::{
    GatewayInfo,
    chance::Chance,
    clock::Clock,
    log::{Count, Log, Request},
};
use crate::domain::{Secret, Secrets};
use frames::Out;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 1024;

/// A bot and its secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AiBotSpec {
    /// Its id, `aib…`.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct AiBotSettings {
    /// The interval at which clients ping; after two of them and a half without any frame the server hangs up.
    pub ping: Duration,
    /// How long a connection may be open without a subscription.
    pub patience: Duration,
    /// Most connections at a time.
    pub most_connections: usize,
}

impl Default for AiBotSettings {
    fn default() -> Self {
        Self { ping: Duration::from_secs(30), patience: Duration::from_secs(30), most_connections: 256 }
    }
}

/// Why a subscription was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 93019: there is no such bot (the number that Tencent's `wecom-cli` shows for it).
    NoBot,
    /// 40001: another secret belongs to it.
    BadSecret,
}

impl Refusal {
    /// Number and text.
    pub(crate) const fn words(self) -> (i64, &'static str) {
        match self {
            Self::NoBot => (93019, "invalid bot_id"),
            Self::BadSecret => (40001, "invalid credential"),
        }
    }
}

/// Who holds a bot's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The bot.
    pub bot: String,
    /// Its connection's number.
    pub connection: u64,
    /// Address and port of the client.
    pub from: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Pings since then.
    pub pings: u64,
}

/// What happened to a bot since the sandbox started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Subscriptions that were taken.
    pub subscribed: u64,
    /// Subscriptions that were refused.
    pub refused: u64,
    /// Times that a subscriber was thrown out by another one or by [`AiBot::kick`].
    pub kicked: u64,
}

#[derive(Debug)]
struct Held {
    who: Subscriber,
    out: mpsc::Sender<Out>,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    secrets: BTreeMap<String, String>,
    tallies: BTreeMap<String, Tally>,
    held: BTreeMap<String, Held>,
    connections: usize,
    last: u64,
    /// Pings stay without an answer.
    deaf: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) settings: AiBotSettings,
    pub(crate) clock: Clock,
    pub(crate) cancel: CancellationToken,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    first: Option<(String, String)>,
    url: OnceLock<String>,
    log: Mutex<Log>,
    state: Mutex<State>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &serde_json::Value) {
        // Nobody may be listening.
        let _ = self.bus.send(event.to_string().into());
    }

    /// One line of the log: a frame's command as its path. Never a body, which may hold a secret.
    fn note(&self, method: &str, what: &str, status: u16) {
        let at_ms = self.clock.now_ms();
        self.log().push(Request { at_ms, method: method.to_owned(), path: what.to_owned(), body: String::new(), status });
    }
}

/// A running server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct AiBot {
    pub(crate) inner: Arc<Inner>,
}

impl AiBot {
    /// A server that does not listen yet.
    pub fn new(name: &str, settings: AiBotSettings, bots: &[AiBotSpec], clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let state = State {
            chance: Chance::new(seed),
            secrets: bots.iter().map(|b| (b.id.clone(), b.secret.clone())).collect(),
            tallies: BTreeMap::new(),
            held: BTreeMap::new(),
            connections: 0,
            last: 0,
            deaf: false,
        };
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                settings,
                clock,
                cancel,
                bus: broadcast::channel(BACKLOG).0,
                first: bots.first().map(|b| (b.id.clone(), b.secret.clone())),
                url: OnceLock::new(),
                log: Mutex::new(Log::default()),
                state: Mutex::new(state),
            }),
        }
    }

    /// Notes where it listens.
    pub(crate) fn listens(&self, at: std::net::SocketAddr) {
        // Nobody else can have set it: the server is a line old.
        let _ = self.inner.url.set(format!("ws://{at}"));
    }

    /// What clients need to know: the first bot, its secret under the name that a vault keeps it by.
    pub(crate) fn info(&self) -> GatewayInfo {
        let mut credentials = Secrets::new();
        let mut more = Vec::new();
        if let Some((id, secret)) = &self.inner.first {
            credentials.insert(format!("account/{}/secret", crate::domain::ids::escape(id)), Secret::new(secret.clone()));
            more.push(("account", format!("{{ {id:?} = {{ id = {id:?} }} }}")));
        }
        GatewayInfo { name: self.name().to_owned(), kind: "wecom-aibot", url: self.url(), credentials, more }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Where it listens, such as `ws://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        self.inner.url.get().cloned().unwrap_or_else(|| "ws://127.0.0.1".to_owned())
    }

    /// Who holds which bot, by the bots' ids.
    pub fn subscribers(&self) -> Vec<Subscriber> {
        self.inner.lock().held.values().map(|h| h.who.clone()).collect()
    }

    /// What happened to every bot that exists or was asked for.
    pub fn bots(&self) -> Vec<(String, Tally)> {
        let state = self.inner.lock();
        let mut all: BTreeMap<String, Tally> = state.secrets.keys().map(|id| (id.clone(), Tally::default())).collect();
        all.extend(state.tallies.iter().map(|(id, t)| (id.clone(), t.clone())));
        all.into_iter().collect()
    }

    /// What happened to one bot.
    pub fn tally(&self, bot: &str) -> Tally {
        self.inner.lock().tallies.get(bot).cloned().unwrap_or_default()
    }

    /// Throws a bot's subscriber out as if another one had come; false when there is none.
    pub fn kick(&self, bot: &str) -> bool {
        self.inner.kick(bot, None)
    }

    /// The line to a bot's subscriber breaks, without a word; false when there is none.
    pub fn hang_up(&self, bot: &str) -> bool {
        self.inner.lock().held.get(bot).is_some_and(|h| h.out.try_send(Out::Close).is_ok())
    }

    /// Somebody writes to a bot; false when nobody is subscribed to hear it.
    pub fn message(&self, bot: &str, from: &str, text: &str) -> bool {
        self.inner.message(bot, from, text)
    }

    /// Pings stay without an answer, or get one again.
    pub fn deaf(&self, deaf: bool) {
        self.inner.lock().deaf = deaf;
    }

    /// Somebody resets a bot's secret in the console, or makes a new bot. A connection that is up stays up.
    pub fn reset_secret(&self, bot: &str, secret: &Secret) {
        let mut state = self.inner.lock();
        if state.secrets.len() < 10_000 || state.secrets.contains_key(bot) {
            state.secrets.insert(bot.to_owned(), secret.expose().to_owned());
        }
    }

    /// Counts of frames by command.
    pub fn requests(&self) -> Vec<Count> {
        self.inner.log().counts(&self.inner.name)
    }

    /// Every connection and frame, oldest first and without bodies, and how many older ones were forgotten.
    pub fn asked(&self) -> (Vec<Request>, u64) {
        let log = self.inner.log();
        (log.entries(), log.forgotten())
    }

    /// Empties the list and the counts.
    pub fn clear_requests(&self) {
        self.inner.log().clear();
    }

    /// `subscribed`, `refused`, `kicked`, `ended` from now on, as JSON documents.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}
