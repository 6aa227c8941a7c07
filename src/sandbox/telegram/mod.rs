//! A Telegram of one's own: several data centres that speak MTProto 2.0 on ports of their own, with key exchange, salts, the message
//! id window, login by QR, phone code and bot token, the second factor, devices with the rule of the first day, and the end of a key
//! that two connections use.
//!
//! Its judge is gotd's real client (`tests/interop_gotd.rs`). Where the real server's behaviour is documented it is followed to the
//! letter; where it is lax and late (duplicates), this one is prompt.
//!
//! Not served: keys that expire (PFS), media and CDN data centres, messages.

mod account;
mod conn;
mod control;
mod crypto;
mod exchange;
mod file;
mod framing;
mod handle;
mod hostile;
mod login;
mod message;
mod qr;
mod rpc;
mod salts;
mod settings;
mod srp;
mod views;
mod world;

#[cfg(test)]
mod tests;

pub(crate) use file::TelegramFile;
pub use handle::{Telegram, TelegramDevice};
pub use hostile::Hostile;
pub use settings::{APP, TelegramAccount, TelegramSession, TelegramSettings};
pub use world::{TelegramCall, TelegramConn, TelegramCounts};

use super::Clock;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, broadcast},
};
use tokio_util::sync::CancellationToken;
use world::World;

/// Connections at a time.
const CONNECTIONS: usize = 512;

/// One network of data centres.
pub(crate) struct Inner {
    pub(crate) name: String,
    world: Mutex<World>,
    pub(crate) cancel: CancellationToken,
    conns: AtomicU64,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    /// Itself, for what it starts by itself.
    me: Weak<Self>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Telegram({})", self.name)
    }
}

impl Inner {
    fn new(name: &str, settings: TelegramSettings, clock: Clock, cancel: CancellationToken) -> Arc<Self> {
        let world = Mutex::new(World::new(settings, clock));
        let bus = broadcast::channel(256).0;
        Arc::new_cyclic(|me| Self { name: name.to_owned(), world, cancel, conns: AtomicU64::new(1), bus, me: me.clone() })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who listen to events.
    fn said(&self, what: &serde_json::Value) {
        // Nobody has to listen.
        let _ = self.bus.send(what.to_string().into());
    }

    fn say(&self, call: &TelegramCall) {
        self.said(&serde_json::json!({ "what": "call", "dc": call.dc, "method": call.method, "outcome": call.outcome }));
    }

    /// A token was made: perhaps a phone scans it by itself.
    fn token_made(&self, w: &World, token: &[u8]) {
        self.said(&serde_json::json!({ "what": "token" }));
        let Some((after, account)) = w.settings.scans else { return };
        let (inner, token) = (self.me.clone(), token.to_vec());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(inner) = inner.upgrade() {
                // It may have run out or been replaced meanwhile.
                let _ = qr::accept(&mut inner.world(), &inner, account, &token);
            }
        });
    }
}

/// Serves one data centre until the network ends.
fn listen(inner: &Arc<Inner>, dc: i32, listener: TcpListener) {
    let (inner, free) = (Arc::clone(inner), Arc::new(Semaphore::new(CONNECTIONS)));
    tokio::spawn(async move {
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
            let (stream, from): (_, SocketAddr) = tokio::select! {
                () = inner.cancel.cancelled() => return,
                s = listener.accept() => match s {
                    Ok(s) => s,
                    // Out of descriptors or the like: later is better than never.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let (inner, id) = (Arc::clone(&inner), inner.conns.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(async move {
                conn::serve(inner, id, dc, stream, from).await;
                drop(permit);
            });
        }
    });
}
