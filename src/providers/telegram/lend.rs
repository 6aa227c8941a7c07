//! One connection an operator's key, and several processes that need it: a deck is open all day, and a command must work meanwhile.
//!
//! Who has the connection lends it when it is asked: no op of its own is under way, the calls that are get their answers, then the
//! connection is closed and the lock let go. When the lock is free again the watch is rung and takes it back.

use super::{
    mtproto::{KeyId, Update},
    operator::{Line, Operator, lock, right_of},
};
use crate::{
    domain::Reason,
    providers::{Cx, Right, token::HeldLease},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::sync::{Notify, broadcast::error::RecvError, watch};

/// How long calls that are under way are waited for before a connection is lent.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known here of an account's operator.
#[derive(Default)]
pub(super) struct Place {
    /// Made here and committed: newer than what a context read.
    pub(super) fresh: Option<Operator>,
    /// Why a key is dead; it is never used again.
    pub(super) dead: Option<(KeyId, Reason)>,
    pub(super) line: Weak<Line>,
    /// Held open by the ops that run.
    pub(super) kept: Option<Arc<Line>>,
    /// Ops that run.
    engaged: watch::Sender<u32>,
    /// It is being closed for somebody else.
    pub(super) lending: bool,
    /// The lock is another's, and somebody waits for it here.
    waiting: bool,
}

/// Accounts of which something was heard that is worth a look.
#[derive(Default)]
pub(super) struct News {
    of: Mutex<HashSet<Box<str>>>,
    rung: Notify,
}

impl News {
    pub(super) fn ring(&self, account: &str) {
        lock(&self.of).insert(account.into());
        self.rung.notify_one();
    }

    /// Waits until something was heard of an account, and says of which. For one listener.
    pub(super) async fn heard(&self) -> HashSet<Box<str>> {
        loop {
            let of = std::mem::take(&mut *lock(&self.of));
            if !of.is_empty() {
                return of;
            }
            self.rung.notified().await;
        }
    }
}

/// All places of one gateway.
#[derive(Default)]
pub(super) struct Places {
    all: Mutex<HashMap<Box<str>, Place>>,
    pub(super) news: News,
}

/// An op is under way.
pub(super) struct Engaged {
    places: Arc<Places>,
    place: Box<str>,
}

impl Drop for Engaged {
    fn drop(&mut self) {
        let kept = self.places.with(&self.place, |p| {
            p.engaged.send_modify(|n| *n = n.saturating_sub(1));
            if *p.engaged.borrow() == 0 { p.kept.take() } else { None }
        });
        // Its end takes other locks.
        drop(kept);
    }
}

impl Places {
    pub(super) fn with<T>(&self, place: &str, change: impl FnOnce(&mut Place) -> T) -> T {
        change(lock(&self.all).entry(place.into()).or_default())
    }

    pub(super) fn engage(self: &Arc<Self>, place: Box<str>) -> Engaged {
        self.with(&place, |p| p.engaged.send_modify(|n| *n += 1));
        Engaged { places: self.clone(), place }
    }

    /// The open connection with that key, if there is one that is not being lent.
    ///
    /// # Errors
    /// The key is dead.
    pub(super) fn open_line(&self, place: &str, key: KeyId) -> Result<Option<Arc<Line>>, Reason> {
        self.with(place, |p| {
            if let Some((_, why)) = p.dead.as_ref().filter(|d| d.0 == key) {
                return Err(why.clone());
            }
            let line = p.line.upgrade().filter(|l| !p.lending && l.conn.ended().is_none() && l.conn.key() == key);
            if *p.engaged.borrow() > 0 {
                p.kept.clone_from(&line);
            }
            Ok(line)
        })
    }

    /// A connection was opened. From here on it is heard, and lent to who asks for it.
    pub(super) fn opened(self: &Arc<Self>, cx: &Cx, place: Box<str>, account: &str, line: &Arc<Line>, right: Right, lease: Option<HeldLease>) {
        self.with(&place, |p| {
            (p.line, p.lending) = (Arc::downgrade(line), false);
            if *p.engaged.borrow() > 0 {
                p.kept = Some(line.clone());
            }
        });
        let name = right_of(line.conn.key());
        let (over, farewell, mut updates) = (line.conn.over(), line.conn.farewell(PATIENCE), line.conn.updates());
        let (wanted, given_back) = (cx.memo.wanted(&name), cx.memo.given_back(&name));
        let (places, account): (_, Box<str>) = (self.clone(), account.into());
        tokio::spawn(async move {
            tokio::pin!(over, wanted);
            let lost = lease.as_ref().map(|l| l.lost.clone());
            let asked = loop {
                tokio::select! {
                    () = &mut over => break false,
                    () = &mut wanted => break true,
                    () = async { match &lost { Some(lost) => lost.cancelled().await, None => std::future::pending().await } } => break true,
                    heard = updates.recv() => match heard {
                        Ok(Update::NewDevice { .. }) | Err(RecvError::Lagged(_)) => places.news.ring(&account),
                        Ok(_) => {}
                        Err(RecvError::Closed) => {
                            (&mut over).await;
                            break false;
                        }
                    },
                }
            };
            // What another host has taken over is closed whatever is under way: two would end the session.
            let taken = lost.is_some_and(|l| l.is_cancelled());
            if taken {
                places.with(&place, |p| p.lending = true);
            } else if !asked || !places.may_lend(&place, over.as_mut()).await {
                return drop((lease, right));
            }
            farewell.await;
            drop((lease, right));
            places.with(&place, |p| (p.lending, p.waiting) = (false, true));
            places.back(&place, &account, given_back).await;
        });
    }

    /// Waits until no op is under way and marks the connection as one that nobody gets any more. False: it is over anyway.
    async fn may_lend(&self, place: &str, mut over: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>) -> bool {
        let mut engaged = self.with(place, |p| p.engaged.subscribe());
        loop {
            let free = self.with(place, |p| {
                let free = *p.engaged.borrow() == 0;
                p.lending |= free;
                free
            });
            if free {
                return true;
            }
            tokio::select! {
                () = over.as_mut() => return false,
                // Its sender lives as long as the place.
                _ = engaged.wait_for(|n| *n == 0) => {}
            }
        }
    }

    /// Somebody else has the lock: the watch is rung when it is free.
    pub(super) fn wait_for_right(self: &Arc<Self>, cx: &Cx, place: &str, account: &str, key: KeyId) {
        if self.with(place, |p| std::mem::replace(&mut p.waiting, true)) {
            return;
        }
        let given_back = cx.memo.given_back(&right_of(key));
        let (places, place, account): (_, Box<str>, Box<str>) = (self.clone(), place.into(), account.into());
        tokio::spawn(async move { places.back(&place, &account, given_back).await });
    }

    async fn back(&self, place: &str, account: &str, given_back: impl Future<Output = ()> + Send) {
        given_back.await;
        self.with(place, |p| p.waiting = false);
        self.news.ring(account);
    }
}
