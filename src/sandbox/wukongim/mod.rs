//! A WuKongIM server as seen from outside: API port, manager port, and connections on the WebSocket port (JSON-RPC; of the
//! SDKs' binary protocol what logging in and being thrown out need).
//!
//! What it does was recorded on the real one (`tests/recordings/wukongim`: v2.2.5 and the v3 beta; v1 is from its source).
//! Nothing here may be kinder than the real server: a kicked socket stays open, a failed login is silent, `device_quit` of
//! nothing is 200.
//!
//! For tests in process, [`Wukong`] has: [`Wukong::login`] (a client of the sandbox's own goes online, or [`NoLogin`] says
//! what the real server would only write to its log), [`Wukong::client`] for one that ignores a kick, [`Wukong::hang_up`],
//! [`Wukong::online`], [`Wukong::devices`], [`Wukong::issue`] (what a business server does at a login), [`Wukong::log`] (the
//! server's own log), [`Wukong::requests`], [`Wukong::asked`], [`Wukong::fault`], [`Wukong::peer_down`], [`Wukong::skew`].

mod auth;
mod binary;
mod bind;
mod business;
mod cluster;
mod conns;
mod gojson;
mod handle;
mod misc;
mod reply;
mod routes;
mod rpc;
mod seed;
mod serverlog;
mod session;
mod settings;
mod state;
mod users;
mod v3;
mod wire;
mod ws;

#[cfg(test)]
mod business_tests;
#[cfg(test)]
mod tests;

pub use session::NoLogin;
pub use settings::{DeviceSpec, FightSpec, Manager, UidSpec, Version, WukongSettings, WukongTiming};
pub use state::Stored;
pub use wire::Manner;

pub use routes::Port;

use super::{
    GatewayInfo,
    clock::Clock,
    fault::Faults,
    shell::{self, Shell},
};
use crate::domain::Secret;
use serverlog::ServerLog;
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 4096;

/// What can be changed while the server runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) faults: Faults,
    /// So many `/user/onlinestatus` calls fail because a peer of the cluster is down.
    pub(crate) peer_down: u32,
    /// How far the business server's clock is ahead of ours, where it has one of its own.
    pub(crate) business_skew_ms: Option<i64>,
}

/// Where the three ports are.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) api: String,
    pub(crate) manager: String,
    pub(crate) ws: String,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shell: Shell,
    pub(crate) settings: WukongSettings,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    pub(crate) knobs: Mutex<Knobs>,
    pub(crate) ports: OnceLock<Ports>,
    /// `host:port` of the business server, if there is one.
    pub(crate) business_at: OnceLock<String>,
    /// Raised when the process dies: every socket ends.
    pub(crate) cut: tokio::sync::watch::Sender<u64>,
    started_ms: i64,
    server_log: Mutex<ServerLog>,
    state: Mutex<State>,
    business: Mutex<business::Business>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn server_log(&self) -> MutexGuard<'_, ServerLog> {
        self.server_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `host:port` of the three ports.
    pub(crate) fn ports(&self) -> [&str; 3] {
        self.ports.get().map_or(["127.0.0.1:5001", "127.0.0.1:5300", "127.0.0.1:5200"], |p| [&p.api, &p.manager, &p.ws])
    }
}

/// A device row, as `/cluster/devices` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// The flag.
    pub flag: u8,
    /// The level; 0 slave, 1 master, others are stored as they came.
    pub level: u8,
    /// The token; empty after `device_quit`.
    pub token: String,
}

/// A session, as `/connz` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: u64,
    /// The flag that it logged in with.
    pub flag: u8,
    /// The level of the row at the time.
    pub level: u8,
    /// The client's device id.
    pub device_id: String,
}

/// A running server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct Wukong {
    pub(crate) inner: Arc<Inner>,
}

shell::handle!(Wukong, Inner);

impl Wukong {
    /// A server that does not listen yet: [`Wukong::handle`] answers requests in process. Make it inside of a tokio runtime:
    /// its timers run there.
    pub fn new(name: &str, settings: WukongSettings, clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let knobs = Knobs { faults: Faults::default(), peer_down: 0, business_skew_ms: None };
        Self {
            inner: Arc::new(Inner {
                shell: Shell::new(name, settings.date, settings.reply_delay, clock, cancel),
                settings,
                bus: broadcast::channel(BACKLOG).0,
                knobs: Mutex::new(knobs),
                ports: OnceLock::new(),
                business_at: OnceLock::new(),
                cut: tokio::sync::watch::channel(0).0,
                started_ms: clock.now_ms(),
                server_log: Mutex::new(ServerLog::default()),
                state: Mutex::new(State::new(seed)),
                business: Mutex::default(),
            }),
        }
    }

    /// Notes where it listens: API, manager and WebSocket port, and where redirects lead.
    pub(crate) fn listens(&self, at: [std::net::SocketAddr; 3], sink: &str) {
        let [api, manager, ws] = at.map(|a| a.to_string());
        // Nobody else can have set them: the server is a line old.
        let _ = self.inner.ports.set(Ports { api, manager, ws });
        self.inner.redirects_to(sink);
    }

    /// Notes where its business server listens.
    pub(crate) fn business_listens(&self, at: std::net::SocketAddr) {
        let _ = self.inner.business_at.set(at.to_string());
    }

    /// What clients need to know: manager token and the first manager of its list, as far as it has them.
    pub(crate) fn info(&self) -> GatewayInfo {
        let s = self.settings();
        let token = s.manager_token.iter().map(|t| ("manager_token", t));
        let login = s.managers.first().into_iter().flat_map(|m| [("manager_user", &m.name), ("manager_password", &m.password)]);
        let credentials = token.chain(login).map(|(k, v)| (k.to_owned(), Secret::new(v.clone()))).collect();
        let mut more = vec![("uids", "\"all\"".to_owned()), ("manager_url", format!("\"{}\"", self.manager_url()))];
        more.extend(self.business_url().map(|url| ("business_url", format!("\"{url}\""))));
        more.extend(s.config.iter().map(|(k, v)| (*k, v.clone())));
        GatewayInfo { name: self.name().to_owned(), kind: "wukongim", url: self.api_url(), credentials, more }
    }

    /// Its settings.
    pub fn settings(&self) -> &WukongSettings {
        &self.inner.settings
    }

    /// The API port's address, such as `http://127.0.0.1:5001`.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.inner.ports()[0])
    }

    /// The manager port's address.
    pub fn manager_url(&self) -> String {
        format!("http://{}", self.inner.ports()[1])
    }

    /// The WebSocket port's address, such as `ws://127.0.0.1:5200`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.inner.ports()[2])
    }

    /// Puts users, rows and clients there as if they had been there before.
    pub fn seed(&self, specs: &[UidSpec]) {
        for s in specs {
            self.inner.seed(s);
        }
    }
}
