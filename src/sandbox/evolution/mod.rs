//! An Evolution API 2.3.7 server as seen from outside: HTTP, Socket.IO and a model of the far side.
//!
//! What the server does was recorded on the real one (`tests/recordings/evolution`); what the far side says is our model of it.
//! Nothing here may be kinder than the real server: an error that comes back as 200 does so here too.

mod events;
mod far_side;
mod guard;
mod instances;
mod lifecycle;
pub(crate) mod qr;
mod reply;
mod routes;
mod rows;
mod seed;
mod socketio;
mod state;

#[cfg(test)]
mod tests;

pub use events::Event;
pub use far_side::Refused;
pub(crate) use routes::decode;
pub use state::Link;

use super::{
    clock::Clock,
    fault::{Fault, Faults},
    settings::{InstanceSpec, Settings},
    shell::{self, Shell},
};
use state::State;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 4096;

/// What can be changed while the gateway runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) faults: Faults,
    /// Of instances that are made from now on.
    pub(crate) link_delay: std::time::Duration,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shell: Shell,
    pub(crate) settings: Settings,
    pub(crate) bus: broadcast::Sender<Arc<Event>>,
    pub(crate) knobs: Mutex<Knobs>,
    /// Open event streams.
    pub(crate) streams: AtomicUsize,
    /// Raised to close every event stream.
    pub(crate) cut: tokio::sync::watch::Sender<u64>,
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `SERVER_URL`: where it listens, without the base path.
    pub(crate) fn url(&self) -> &str {
        self.url.get().map_or("http://127.0.0.1:8080", String::as_str)
    }
}

/// A running gateway. Clones are the same gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

shell::handle!(Gateway, Inner);

impl Gateway {
    /// A gateway that does not listen yet: [`Gateway::handle`] answers requests in process. Make it inside of a tokio runtime:
    /// the far side plays there.
    pub fn new(name: &str, settings: Settings, clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let knobs = Knobs { faults: Faults::default(), link_delay: settings.link_delay };
        Self {
            inner: Arc::new(Inner {
                shell: Shell::new(name, settings.date, settings.reply_delay, clock, cancel),
                settings,
                bus: broadcast::channel(BACKLOG).0,
                knobs: Mutex::new(knobs),
                streams: AtomicUsize::new(0),
                cut: tokio::sync::watch::channel(0).0,
                state: Mutex::new(State::new(seed)),
            }),
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Puts instances there as if they had lived through their past.
    pub fn seed(&self, specs: &[InstanceSpec]) {
        for s in specs {
            self.inner.seed(s);
        }
    }

    /// The next `count` requests fail like this; with `path` only those whose path begins so.
    pub fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        self.inner.knobs().faults.push(fault, count, path.map(str::to_owned));
    }

    /// No more faults.
    pub fn heal(&self) {
        self.inner.knobs().faults.clear();
    }

    /// A phone scans the QR `payload` of `account`, or the one on offer when there is none.
    ///
    /// # Errors
    /// [`Refused`] in the phone's words: a stale payload is refused as a real phone does it.
    pub fn scan(&self, account: &str, payload: Option<&str>) -> Result<(), Refused> {
        self.inner.scan(account, false, payload)
    }

    /// A phone types the pairing code `payload` for `account`, or the one on offer when there is none. A dash does not matter.
    ///
    /// # Errors
    /// [`Refused`] in the phone's words.
    pub fn type_code(&self, account: &str, payload: Option<&str>) -> Result<(), Refused> {
        self.inner.scan(account, true, payload)
    }

    /// The far side ends the link of `account` with that status code.
    ///
    /// # Errors
    /// [`Refused::NoAccount`], or [`Refused::NoOffer`] when it has no link.
    pub fn unlink(&self, account: &str, code: u16) -> Result<(), Refused> {
        self.inner.unlink(account, code)
    }

    /// The server process dies and starts again: memory is lost, rows that were open or connecting connect.
    pub fn restart_server(&self) {
        self.inner.restart_server();
        self.cut_events();
    }

    /// Closes every event stream, as a proxy that recycles its connections.
    pub fn cut_events(&self) {
        self.inner.cut.send_modify(|n| *n += 1);
    }

    /// How many event streams are open.
    pub fn event_streams(&self) -> usize {
        self.inner.streams.load(Ordering::Relaxed)
    }

    /// Events from now on, whoever subscribed to them.
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.inner.bus.subscribe()
    }

    /// Names of its instances, oldest first.
    pub fn accounts(&self) -> Vec<String> {
        self.inner.lock().rows.values().map(|r| r.name.clone()).collect()
    }

    /// Memory and database state of an instance.
    pub fn state(&self, account: &str) -> Option<(Link, Link)> {
        let mut state = self.inner.lock();
        let database = state.row(account)?.status;
        Some((state.life_of(account)?.link, database))
    }

    /// What a phone would accept for `account` right now: the text of the QR and, when a number was given, the pairing code.
    pub fn on_offer(&self, account: &str) -> Option<(String, Option<String>)> {
        let mut state = self.inner.lock();
        state.life_of(account)?.offered.clone().map(|o| (o.code, o.pairing_code))
    }

    /// The token of an instance, as only its row tells it.
    pub fn token(&self, account: &str) -> Option<crate::domain::Secret> {
        self.inner.lock().row(account).map(|r| crate::domain::Secret::new(r.token.clone()))
    }

    /// The link to the far side takes so long: of one account, or of all that are made from now on.
    pub fn link_delay(&self, account: Option<&str>, delay: std::time::Duration) {
        match account {
            None => self.inner.knobs().link_delay = delay,
            Some(name) => self.with_life(name, |l| l.link_delay = delay),
        }
    }

    /// The number of the phone at the other end of `account`, digits only.
    pub fn phone(&self, account: &str, number: &str) {
        self.with_life(account, |l| number.clone_into(&mut l.phone));
    }

    /// How many refs the far side sends `account` per socket.
    pub fn refs(&self, account: &str, refs: u32) {
        self.with_life(account, |l| l.refs = refs);
    }

    /// When the phone of `account` scans by itself; `None` for never. Holds from the next attempt on.
    pub fn scans_after(&self, account: &str, after: Option<std::time::Duration>) {
        self.with_life(account, |l| l.scans_after = after);
    }

    /// Gives `account` another token, as somebody with access to the database could. The server has no call for it.
    pub fn retoken(&self, account: &str, token: &str) {
        self.with_life(account, |l| token.clone_into(&mut l.token));
        if let Some(row) = self.inner.lock().row_mut(account) {
            token.clone_into(&mut row.token);
        }
    }

    fn with_life(&self, account: &str, change: impl FnOnce(&mut state::Life)) {
        if let Some(l) = self.inner.lock().life_of(account) {
            change(l);
        }
    }
}
