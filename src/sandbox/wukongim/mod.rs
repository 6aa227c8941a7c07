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
mod cluster;
mod conns;
mod gojson;
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
mod tests;

pub use session::NoLogin;
pub use settings::{DeviceSpec, FightSpec, Manager, UidSpec, Version, WukongSettings, WukongTiming};
pub use state::Stored;
pub use wire::Manner;

pub use routes::Port;

use super::{
    clock::Clock,
    fault::{Fault, Faults},
    log::{Count, Log, Request},
    settings::DateMode,
};
use crate::domain::Secret;
use serverlog::ServerLog;
use session::Hello;
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use wire::Peer;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 4096;

/// What can be changed while the server runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) date: DateMode,
    /// Answers sent, for a balancer that takes turns.
    pub(crate) answers: u64,
    pub(crate) faults: Faults,
    pub(crate) reply_delay: std::time::Duration,
    /// So many `/user/onlinestatus` calls fail because a peer of the cluster is down.
    pub(crate) peer_down: u32,
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
    pub(crate) name: String,
    pub(crate) settings: WukongSettings,
    pub(crate) clock: Clock,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) knobs: Mutex<Knobs>,
    pub(crate) ports: OnceLock<Ports>,
    pub(crate) sink: OnceLock<String>,
    /// Raised when the process dies: every socket ends.
    pub(crate) cut: tokio::sync::watch::Sender<u64>,
    started_ms: i64,
    runtime: Option<tokio::runtime::Handle>,
    log: Mutex<Log>,
    server_log: Mutex<ServerLog>,
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn server_log(&self) -> MutexGuard<'_, ServerLog> {
        self.server_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's clock: ours, moved by its skew.
    pub(crate) fn now_ms(&self) -> i64 {
        let skew = self.knobs().date.skew_ms();
        self.clock.now_ms().saturating_add(skew)
    }

    /// Runs `task` until it ends or the sandbox does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        let until = async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = task => {}
            }
        };
        if let Some(runtime) = &self.runtime {
            runtime.spawn(until);
        }
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

impl Wukong {
    /// A server that does not listen yet: [`Wukong::handle`] answers requests in process. Make it inside of a tokio runtime:
    /// its timers run there.
    pub fn new(name: &str, settings: WukongSettings, clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let knobs = Knobs { date: settings.date, answers: 0, faults: Faults::default(), reply_delay: settings.reply_delay, peer_down: 0 };
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                settings,
                clock,
                bus: broadcast::channel(BACKLOG).0,
                cancel,
                knobs: Mutex::new(knobs),
                ports: OnceLock::new(),
                sink: OnceLock::new(),
                cut: tokio::sync::watch::channel(0).0,
                started_ms: clock.now_ms(),
                runtime: tokio::runtime::Handle::try_current().ok(),
                log: Mutex::new(Log::default()),
                server_log: Mutex::new(ServerLog::default()),
                state: Mutex::new(State::new(seed)),
            }),
        }
    }

    /// Notes where it listens: API, manager and WebSocket port, and where redirects lead.
    pub(crate) fn listens(&self, at: [std::net::SocketAddr; 3], sink: &str) {
        let [api, manager, ws] = at.map(|a| a.to_string());
        // Nobody else can have set them: the server is a line old.
        let _ = self.inner.ports.set(Ports { api, manager, ws });
        let _ = self.inner.sink.set(sink.to_owned());
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
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

    /// A client goes online and hangs up when it is kicked, as the official SDKs do. Returns its connection's number.
    ///
    /// # Errors
    /// [`NoLogin`]: the reason that a real v2 server writes to its log only.
    pub fn login(&self, uid: &str, flag: u8, device_id: &str, token: &str) -> Result<u64, NoLogin> {
        self.client(uid, flag, device_id, token, Manner::HangsUp)
    }

    /// A client goes online that takes a kick as `manner` says.
    ///
    /// # Errors
    /// As [`Wukong::login`].
    pub fn client(&self, uid: &str, flag: u8, device_id: &str, token: &str, manner: Manner) -> Result<u64, NoLogin> {
        let id = self.inner.lock().conn_id();
        let hello = Hello {
            uid: uid.to_owned(),
            token: token.to_owned(),
            flag,
            device_id: device_id.to_owned(),
            ip: "127.0.0.1".to_owned(),
            port: 49_152 + u16::try_from(id % 16_000).unwrap_or(0),
            version: 5,
        };
        self.inner.admit(id, &hello, Peer::Inside(manner)).map(|()| id)
    }

    /// What a business server does when somebody logs in: `/user/token`, with the body's rules and effects.
    ///
    /// # Errors
    /// The server's message.
    pub fn issue(&self, uid: &str, flag: u8, level: u8, token: &str) -> Result<(), String> {
        self.inner.issue(uid, token, flag, level).map_err(|r| r.body)
    }

    /// The client of a connection hangs up.
    pub fn hang_up(&self, id: u64) {
        self.inner.hung_up(id);
    }

    /// Every client of `uid` (on `flag`, if one is given) hangs up. Returns how many did.
    pub fn unlink(&self, uid: &str, flag: Option<u8>) -> usize {
        let ids = self.inner.lock().conns_of(uid);
        let ids: Vec<u64> = ids.into_iter().filter(|id| flag.is_none_or(|f| self.inner.lock().conns.get(id).is_some_and(|c| c.flag == f))).collect();
        ids.iter().for_each(|id| self.inner.hung_up(*id));
        ids.len()
    }

    /// Somebody calls `/user/device_quit`; -1 is flags 0, 1 and 2.
    pub fn quit(&self, uid: &str, flag: i64) {
        self.inner.quit(uid, flag);
    }

    /// The client of a connection, kicked or not, sends a message. `None` is silence; else `reasonCode` (1 is success).
    pub fn send(&self, id: u64, from: &str, to: &str, client_msg_no: &str) -> Option<u8> {
        self.inner.message(id, from, to, client_msg_no, "eyJ0eXBlIjoxfQ==").map(|a| a.2)
    }

    /// Messages that the server stored, oldest first.
    pub fn messages(&self) -> Vec<Stored> {
        self.inner.lock().messages.iter().cloned().collect()
    }

    /// Device rows of `uid`, lowest flag first.
    pub fn devices(&self, uid: &str) -> Vec<DeviceRow> {
        let state = self.inner.lock();
        let rows = state.devices.get(uid).into_iter().flatten();
        rows.map(|(flag, d)| DeviceRow { flag: *flag, level: d.level, token: d.token.clone() }).collect()
    }

    /// The token of one row.
    pub fn token(&self, uid: &str, flag: u8) -> Option<Secret> {
        self.inner.lock().device(uid, flag).map(|d| Secret::new(d.token.clone()))
    }

    /// Sessions of `uid` that the server knows of, oldest first.
    pub fn online(&self, uid: &str) -> Vec<Session> {
        let state = self.inner.lock();
        let of = |id: u64| state.conns.get(&id).map(|c| Session { id, flag: c.flag, level: c.level, device_id: c.device_id.clone() });
        state.conns_of(uid).into_iter().filter_map(of).collect()
    }

    /// Kicked sockets that are still open.
    pub fn zombies(&self) -> usize {
        self.inner.lock().zombies.len()
    }

    /// `ban` and `send_ban` of a uid's personal channel.
    pub fn bans(&self, uid: &str) -> (bool, bool) {
        let c = self.inner.lock().channel(uid);
        (c.ban, c.send_ban)
    }

    /// True when the uid is in its user table or online.
    pub fn knows(&self, uid: &str) -> bool {
        let state = self.inner.lock();
        state.users.contains_key(uid) || state.by_uid.contains_key(uid)
    }

    /// A token as a business server would make one up.
    pub fn made_up(&self) -> String {
        self.inner.lock().chance.base64(24).replace(['+', '/'], "x")
    }

    /// Every uid that the server has in its user table.
    pub fn accounts(&self) -> Vec<String> {
        let mut all: Vec<_> = self.inner.lock().users.keys().cloned().collect();
        all.sort();
        all
    }

    /// The lines of the server's own log, tokens in plain text as the real one writes them.
    pub fn log(&self) -> Vec<String> {
        self.inner.server_log().lines()
    }

    /// Moves its clock by `seconds`, positive when the server is ahead; `None` puts it right.
    pub fn skew(&self, seconds: Option<f64>) {
        self.inner.knobs().date = DateMode::Skewed((seconds.unwrap_or(0.0) * 1000.0) as i64);
    }

    /// What `Date` shows from now on.
    pub fn date(&self, mode: DateMode) {
        self.inner.knobs().date = mode;
    }

    /// Every answer takes so much longer.
    pub fn reply_delay(&self, delay: std::time::Duration) {
        self.inner.knobs().reply_delay = delay;
    }

    /// The next `count` requests fail like this; with `path` only those whose path begins so.
    pub fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        self.inner.knobs().faults.push(fault, count, path.map(str::to_owned));
    }

    /// The next `count` calls of `/user/onlinestatus` fail: another node of the cluster does not answer.
    pub fn peer_down(&self, count: u32) {
        self.inner.knobs().peer_down = count;
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut knobs = self.inner.knobs();
        knobs.faults.clear();
        knobs.peer_down = 0;
    }

    /// The process dies and starts again: rows stay, sessions, caches and zombies do not, and nobody is told.
    pub fn restart_server(&self) {
        self.inner.restart();
    }

    /// Counts by method and path, of API and manager port.
    pub fn requests(&self) -> Vec<Count> {
        self.inner.log().counts(&self.inner.name)
    }

    /// Every request, oldest first, and how many older ones were forgotten.
    pub fn asked(&self) -> (Vec<Request>, u64) {
        let log = self.inner.log();
        (log.entries(), log.forgotten())
    }

    /// Empties the list and the counts of requests.
    pub fn clear_requests(&self) {
        self.inner.log().clear();
    }

    /// `user.onlinestatus` events from now on, as JSON documents.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}
