//! One connection with one key: calls with a limit of time, updates, and an end that says why.

use super::{
    Address, AuthKey, Error, KeyId, Network,
    running::{Asked, Running},
    wire::Wire,
};
use crate::{
    clock::sample::Interval,
    domain::{Clean, Secret},
};
use grammers_tl_types::{Deserializable, RemoteCall};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::timeout,
};

/// For the TCP connection.
const CONNECT: Duration = Duration::from_secs(10);
/// For a call, unless it names another limit.
const CALL: Duration = Duration::from_secs(20);
/// The longest call: grammers would panic at a mebibyte.
const LONGEST: usize = 512 * 1024;
/// Updates that a slow listener may be behind.
const UPDATES: usize = 64;

/// The application that we say we are. Telegram wants everybody's own.
#[derive(Clone, Debug)]
pub struct App {
    /// `api_id`.
    pub id: i32,
    /// `api_hash`.
    pub hash: Secret,
    /// What the device list shows.
    pub device: String,
    /// The system's version in the device list.
    pub system: String,
    /// Our version in the device list.
    pub version: String,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// The application.
    pub app: App,
    /// A salt that may still be good; 0 for none. A wrong one costs a round trip.
    pub salt: i64,
    /// Server minus host, from a probe. Without it a host whose clock is wrong is refused by the servers.
    pub clock: Interval,
}

/// What the server says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Somebody scanned the token: export it again.
    LoginToken,
    /// A new session of the account.
    NewDevice {
        /// Its hash.
        hash: i64,
        /// It waits for the owner's word.
        unconfirmed: bool,
        /// What it calls itself, where the server says so.
        device: Option<Clean>,
    },
    /// Anything else.
    Other,
}

/// Keys that this process is connected with.
static HELD: Mutex<BTreeSet<KeyId>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<KeyId>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds a key until its connection has closed.
struct Hold(KeyId);

impl Hold {
    fn take(key: KeyId) -> Result<Self, Error> {
        if held().insert(key) { Ok(Self(key)) } else { Err(Error::KeyInUse) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        held().remove(&self.0);
    }
}

/// Counts a call as long as somebody waits for it.
struct UnderWay<'a>(&'a watch::Sender<u32>);

impl<'a> UnderWay<'a> {
    fn new(busy: &'a watch::Sender<u32>) -> Self {
        busy.send_modify(|n| *n += 1);
        Self(busy)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

/// A connection. Dropping it closes it; [`Connection::close`] waits until it is closed.
#[derive(Debug)]
pub struct Connection {
    dc: i32,
    key: KeyId,
    asks: mpsc::Sender<Asked>,
    updates: broadcast::Sender<Update>,
    offset: watch::Receiver<Interval>,
    ended: watch::Receiver<Option<Error>>,
    /// Calls under way.
    busy: watch::Sender<u32>,
}

impl Connection {
    /// Connects with a key. One connection a key at a time: two are a duplicate, and the end of the session.
    ///
    /// # Errors
    /// [`Error::KeyInUse`], [`Error::Wire`].
    pub async fn open(network: &Network, to: Address, key: AuthKey, options: Options) -> Result<Self, Error> {
        let hold = Hold::take(key.id())?;
        let wire = Wire::connect(to, network.framing, CONNECT).await?;
        let (asks, asked) = mpsc::channel(32);
        let updates = broadcast::channel(UPDATES).0;
        let (found, offset) = watch::channel(options.clock);
        let (end, ended) = watch::channel(None);
        let id = key.id();
        let running = Running::new(wire, key, options, updates.clone(), found);
        let task = tokio::spawn(running.run(asked));
        tokio::spawn(async move {
            // A panic inside (there are some in what we build on) ends this connection and nothing else.
            let why = task.await.unwrap_or(Error::Broken);
            drop(hold);
            end.send_replace(Some(why));
        });
        Ok(Self { dc: to.dc, key: id, asks, updates, offset, ended, busy: watch::Sender::new(0) })
    }

    /// The data centre.
    pub const fn dc(&self) -> i32 {
        self.dc
    }

    /// The key's name.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// Calls a method, with the usual limit of time.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn invoke<R: RemoteCall>(&self, call: &R) -> Result<R::Return, Error> {
        self.invoke_within(call, CALL).await
    }

    /// Calls a method; after `limit` the answer is no longer waited for.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn invoke_within<R: RemoteCall>(&self, call: &R, limit: Duration) -> Result<R::Return, Error> {
        let body = call.to_bytes();
        if body.len() > LONGEST || !body.len().is_multiple_of(4) {
            return Err(Error::Unreadable);
        }
        let (reply, answer) = oneshot::channel();
        let _under_way = UnderWay::new(&self.busy);
        let talk = async {
            self.asks.send(Asked::Call { body, reply }).await.map_err(|_| self.why())?;
            answer.await.map_err(|_| self.why())?
        };
        let body = timeout(limit, talk).await.map_err(|_| Error::Timeout(limit))??;
        R::Return::from_bytes(&body).map_err(|_| Error::Unreadable)
    }

    fn why(&self) -> Error {
        self.ended.borrow().clone().unwrap_or(Error::Closed)
    }

    /// What the server says unasked, from now on.
    pub fn updates(&self) -> broadcast::Receiver<Update> {
        self.updates.subscribe()
    }

    /// Server minus host in milliseconds, as narrow as answers have told so far.
    pub fn offset(&self) -> Interval {
        *self.offset.borrow()
    }

    /// The server's clock now, in milliseconds since 1970, as this host's clock and the offset tell it.
    pub fn server_now(&self) -> Interval {
        let (now, offset) = (super::clock::host_ms(), self.offset());
        Interval::new(now.saturating_add(offset.lo_ms), now.saturating_add(offset.hi_ms))
    }

    /// Resolves when the socket is closed and the key is free; holds nothing of the connection.
    pub fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            // An error: its sender is gone, which comes after the end.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    /// Closes it once no call is under way, or after `patience`, and resolves when the socket is closed and the key is free. Holds
    /// nothing of the connection.
    pub fn farewell(&self, patience: Duration) -> impl Future<Output = ()> + Send + 'static {
        let (mut busy, asks, over) = (self.busy.subscribe(), self.asks.downgrade(), self.over());
        async move {
            // An error: nobody has it any more, and it closes by itself.
            let _ = timeout(patience, busy.wait_for(|n| *n == 0)).await;
            if let Some(asks) = asks.upgrade() {
                let _ = asks.send(Asked::Close).await;
            }
            over.await;
        }
    }

    /// Why it ended, if it has.
    pub fn ended(&self) -> Option<Error> {
        self.ended.borrow().clone()
    }

    /// Waits until it ends, and says why.
    pub async fn wait(&self) -> Error {
        let mut ended = self.ended.clone();
        let why = ended.wait_for(Option::is_some).await;
        why.ok().and_then(|w| w.clone()).unwrap_or(Error::Broken)
    }

    /// Closes it. When this returns the server has been told and the key is free: it may be handed over.
    pub async fn close(self) {
        // If it has ended by itself there is nobody to tell.
        let _ = self.asks.send(Asked::Close).await;
        self.wait().await;
    }
}
