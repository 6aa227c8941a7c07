//! The server's clock as seen from here: intervals, because both sides count whole units and the way takes time.

use crate::clock::sample::Interval;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// This host's wall clock in milliseconds since 1970.
pub(super) fn host_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or_else(|before| -(before.duration().as_millis() as i64), |d| d.as_millis() as i64)
}

/// A moment at which something was sent, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    wall_ms: i64,
    at: Instant,
}

impl Sent {
    pub(super) fn now() -> Self {
        Self { wall_ms: host_ms(), at: Instant::now() }
    }

    /// How long ago.
    pub(super) fn ago(&self) -> Duration {
        self.at.elapsed()
    }

    /// Server minus host, when an answer that came just now bears a server time of `lo..=hi` milliseconds. The time was written
    /// between the sending and now.
    pub(super) fn offset(&self, lo: i64, hi: i64) -> Interval {
        let way = i64::try_from(self.ago().as_millis()).unwrap_or(i64::MAX).saturating_add(1);
        Interval::new(lo.saturating_sub(self.wall_ms.saturating_add(way)), hi.saturating_sub(self.wall_ms))
    }
}

/// Server time in a message id, in milliseconds: whole seconds above, a fraction below.
pub(super) const fn of_message(id: i64) -> i64 {
    let fraction = (id as u32 as u64 * 1000) >> 32;
    (id >> 32) * 1000 + fraction as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_a_time() {
        assert_eq!(of_message(1_693_436_740 << 32), 1_693_436_740_000);
        assert_eq!(of_message((1_693_436_740 << 32) | (1 << 31) | 1), 1_693_436_740_500);
    }

    #[test]
    fn the_truth_lies_within_the_interval_of_a_whole_second() {
        let sent = Sent::now();
        let server = host_ms() + 5_250;
        let second = server / 1000 * 1000;
        assert!(sent.offset(second, second + 999).contains(5_250));
    }
}
