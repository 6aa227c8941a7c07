//! A LangBot server (4.11.2) as seen from outside: its HTTP API, the runtimes of its bots, its five QR flows.
//!
//! What it does was recorded on the real one (`tests/recordings/langbot`) and read in its source. Nothing here may be kinder:
//! a failed send says nothing but `internal_error`, a restarted bot has lost its log, a QR's credential can be read once.
//!
//! For tests in process, [`LangBot`] has: [`LangBot::scan`] (somebody scans a code, or [`NoScan`] says why not),
//! [`LangBot::bots`], [`LangBot::log`] and [`LangBot::write_log`] (a bot's event log), [`LangBot::far_side`],
//! [`LangBot::sessions`], [`LangBot::requests`], [`LangBot::asked`], [`LangBot::fault`], [`LangBot::skew`],
//! [`LangBot::restart_server`].

mod adapter;
mod auth;
mod bots;
mod file;
mod handle;
mod keys;
mod link;
mod qr;
mod reply;
mod routes;
mod send;
mod settings;
mod state;
mod steer;
mod system;
mod users;

#[cfg(test)]
mod tests;

pub(crate) use file::{BotFile, File};
pub use handle::BotRow;
pub use qr::{Flow, NoScan, Scan, SessionRow};
pub use settings::{BotSpec, FarSide, KeySpec, LangBotSettings, LangBotTiming, Owner, PastLine, SCOPES};
pub use state::LogLine;
pub(crate) use steer::act;

use super::{
    GatewayInfo,
    clock::Clock,
    fault::Faults,
    shell::{self, Shell},
};
use crate::domain::{Secret, Secrets};
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 1024;

/// What can be changed while the server runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) faults: Faults,
    pub(crate) owner: Option<Owner>,
    pub(crate) offline: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shell: Shell,
    pub(crate) settings: LangBotSettings,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    pub(crate) http: Option<reqwest::Client>,
    knobs: Mutex<Knobs>,
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the listeners of `GET /events`.
    pub(crate) fn tell(&self, event: &serde_json::Value) {
        // Nobody may be listening.
        let _ = self.bus.send(event.to_string().into());
    }

    /// Runs `task` until it ends, the sandbox does, or `stop`.
    pub(crate) fn spawn_until(&self, stop: CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }
}

/// A running server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct LangBot {
    pub(crate) inner: Arc<Inner>,
}

shell::handle!(LangBot, Inner);

impl LangBot {
    /// A server that does not listen yet: [`LangBot::handle`] answers requests in process. Make it inside of a tokio runtime:
    /// its timers run there.
    pub fn new(name: &str, settings: LangBotSettings, clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let knobs = Knobs { faults: Faults::default(), owner: settings.owner.clone(), offline: settings.offline };
        let now = clock.now_ms().saturating_add(settings.date.skew_ms());
        let state = State::new(seed, &settings.keys, now);
        // The far side of a `wecom` bot is plain HTTP on loopback; without a client such bots just find nobody.
        let http = crate::providers::http::tls::none()
            .ok()
            .and_then(|tls| reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).no_proxy().build().ok());
        Self {
            inner: Arc::new(Inner {
                shell: Shell::new(name, settings.date, settings.reply_delay, clock, cancel),
                settings,
                bus: broadcast::channel(BACKLOG).0,
                http,
                knobs: Mutex::new(knobs),
                state: Mutex::new(state),
            }),
        }
    }

    /// What clients need to know: the global key (or the first one of the list), and the login.
    pub(crate) fn info(&self) -> GatewayInfo {
        let s = self.settings();
        let mut credentials = Secrets::new();
        if let Some(key) = s.global_key.as_ref().or_else(|| s.keys.first().map(|k| &k.secret)) {
            credentials.insert("api_key".to_owned(), Secret::new(key.clone()));
        }
        if let Some(owner) = &s.owner {
            credentials.insert("password".to_owned(), Secret::new(owner.password.clone()));
        }
        let user = s.owner.iter().map(|o| ("user", format!("{:?}", o.user)));
        let more = user.chain(s.config.iter().cloned()).collect();
        GatewayInfo { name: self.name().to_owned(), kind: "langbot", url: self.url(), credentials, more }
    }

    /// Its settings.
    pub fn settings(&self) -> &LangBotSettings {
        &self.inner.settings
    }

    /// Where it listens, such as `http://127.0.0.1:5300`.
    pub fn url(&self) -> String {
        self.inner.url.get().cloned().unwrap_or_else(|| "http://127.0.0.1:5300".to_owned())
    }
}
