//! A key in hand: making one takes three questions and answers, which a person who pressed a key would wait for. So one is made while an
//! account that nobody is logged in to is on screen. It belongs to nobody, touches no account, and the servers forget it by themselves.
//!
//! A command has nobody to look ahead for. Before a pairing the gate asks for the servers' time, and the two questions that tell it are
//! the first two of the three: the connection is kept, and the third follows once the gate has opened.

use super::mtproto::{AuthKey, Error, Fresh, Half, Network, begin_key, create_key};
use crate::{clock::sample::Interval, domain::Stamp, providers::Cx};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// A key is good for longer; its salt is not (an hour on the real servers).
const GOOD: Duration = Duration::from_secs(1500);
/// For so long a server waits for the third question without doubt.
const HALF: Duration = Duration::from_secs(20);
/// A host clock that went another way than the boot clock by more has been moved: what was measured is void.
const MOVED_MS: i64 = 1000;

/// A key that is not logged in.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) dc: i32,
    pub(super) key: AuthKey,
    pub(super) salt: i64,
    pub(super) clock: Interval,
}

impl Key {
    fn of(dc: i32, made: Fresh) -> Self {
        Self { dc, key: made.key, salt: made.salt, clock: made.clock.offset }
    }
}

enum What {
    Key(Key),
    Half(i32, Box<Half>),
}

struct Kept {
    what: What,
    made: Stamp,
}

impl Kept {
    fn is_good(&self, now: &Stamp) -> bool {
        let wall = now.wall.0.saturating_sub(self.made.wall.0);
        let boot = i64::try_from(now.boot_now().since(self.made.boot_now()).as_millis()).unwrap_or(i64::MAX);
        let good = if matches!(self.what, What::Key(_)) { GOOD } else { HALF };
        self.made.age(now) < good && (wall - boot).abs() < MOVED_MS
    }

    const fn dc(&self) -> i32 {
        match &self.what {
            What::Key(key) => key.dc,
            What::Half(dc, _) => *dc,
        }
    }
}

/// Where it is kept: in memory only.
#[derive(Default)]
pub(super) struct Warm {
    kept: Mutex<Option<Kept>>,
    /// Logins under way: they need no further key.
    logins: AtomicU32,
}

impl Warm {
    fn held(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a login begins, or with `false` that it is over.
    pub(super) fn login(&self, begins: bool) {
        if begins {
            self.logins.fetch_add(1, Ordering::Relaxed);
        } else {
            self.logins.fetch_sub(1, Ordering::Relaxed);
        }
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
        *self.held() = Some(Kept { what: What::Key(Key::of(to.dc, made)), made: cx.time.now() });
        Ok(())
    }

    /// Asks for the servers' time because a login is about to begin at `dc`, and keeps what that is of use for. False: nothing was asked,
    /// because nothing would be kept.
    ///
    /// # Errors
    /// [`Error`]: the gate is told that no answer came.
    pub(super) async fn begin(&self, cx: &Cx, net: &Network, dc: Option<i32>) -> Result<bool, Error> {
        if self.logins.load(Ordering::Relaxed) > 0 || !self.is_cold(cx) {
            return Ok(false);
        }
        let to = dc.and_then(|dc| net.address(dc)).or_else(|| net.start()).ok_or(Error::Exchange("no data centre is configured"))?;
        let half = begin_key(net, to).await.inspect_err(|_| cx.samples.lost())?;
        super::operator::measured(cx, half.clock.offset, "server_time");
        *self.held() = Some(Kept { what: What::Half(to.dc, Box::new(half)), made: cx.time.now() });
        Ok(true)
    }

    /// True while the first half of an exchange with `dc` waits for its login: what it measured is moments old.
    pub(super) fn is_begun(&self, cx: &Cx, dc: Option<i32>) -> bool {
        let now = cx.time.now();
        let begun = |k: &Kept| matches!(k.what, What::Half(..)) && dc.is_none_or(|dc| dc == k.dc()) && k.is_good(&now);
        self.held().as_ref().is_some_and(begun)
    }

    /// Takes it, once, where it is one of `dc` and still good. What a server does not finish any more is none.
    pub(super) async fn take(&self, cx: &Cx, dc: Option<i32>) -> Option<Key> {
        let now = cx.time.now();
        let kept = self.held().take_if(|k| dc.is_none_or(|dc| dc == k.dc())).filter(|k| k.is_good(&now))?;
        match kept.what {
            What::Key(key) => Some(key),
            What::Half(dc, half) => Some(Key::of(dc, half.finish().await.ok().flatten()?)),
        }
    }
}
