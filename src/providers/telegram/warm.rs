//! A key in hand: making one takes three questions and answers, which a person who pressed a key would wait for. So one is made while an
//! account that nobody is logged in to is on screen. It belongs to nobody, touches no account, and the servers forget it by themselves.

use super::mtproto::{AuthKey, Error, Network, create_key};
use crate::{clock::sample::Interval, domain::Stamp, providers::Cx};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A key is good for longer; its salt is not (an hour on the real servers).
const GOOD: Duration = Duration::from_secs(1500);
/// A host clock that went another way than the boot clock by more has been moved: what was measured is void.
const MOVED_MS: i64 = 1000;

/// A key that is not logged in.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) dc: i32,
    pub(super) key: AuthKey,
    pub(super) salt: i64,
    pub(super) clock: Interval,
    made: Stamp,
}

impl Key {
    fn is_good(&self, now: &Stamp) -> bool {
        let wall = now.wall.0.saturating_sub(self.made.wall.0);
        let boot = i64::try_from(now.boot_now().since(self.made.boot_now()).as_millis()).unwrap_or(i64::MAX);
        self.made.age(now) < GOOD && (wall - boot).abs() < MOVED_MS
    }
}

/// Where it is kept: in memory only.
#[derive(Debug, Default)]
pub(super) struct Warm(Mutex<Option<Key>>);

impl Warm {
    fn held(&self) -> MutexGuard<'_, Option<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when there is none that is good.
    pub(super) fn is_cold(&self, cx: &Cx) -> bool {
        let now = cx.time.now();
        !self.held().as_ref().is_some_and(|k| k.is_good(&now))
    }

    /// Makes one where logins begin. The servers' clock is measured on the way.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn fill(&self, cx: &Cx, net: &Network) -> Result<(), Error> {
        let to = net.start().ok_or(Error::Exchange("no data centre is configured"))?;
        let made = create_key(net, to).await?;
        super::operator::measured(cx, made.clock.offset, "server_time");
        *self.held() = Some(Key { dc: to.dc, key: made.key, salt: made.salt, clock: made.clock.offset, made: cx.time.now() });
        Ok(())
    }

    /// Takes it, once, where it is one of `dc` and still good.
    pub(super) fn take(&self, cx: &Cx, dc: Option<i32>) -> Option<Key> {
        let now = cx.time.now();
        self.held().take_if(|k| dc.is_none_or(|dc| dc == k.dc)).filter(|k| k.is_good(&now))
    }
}
