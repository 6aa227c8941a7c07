//! Waiting before the next try: exponential, jittered, bounded, and obedient to `Retry-After`.

use std::time::Duration;

/// First wait.
pub(super) const FIRST: Duration = Duration::from_secs(1);
/// Longest wait.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// One series of waits. It starts anew after something went well.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A fresh series.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Something went well: the next wait is the first one again.
    pub(super) fn well(&mut self) {
        self.failures = 0;
    }

    /// The next wait. `asked` is what the server asked for, which is a lower bound. The jitter takes up to half away, so
    /// that many consoles do not come back in one instant.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        let jitter = half.mul_f64(f64::from(random_u16()) / f64::from(u16::MAX));
        (half + jitter).max(asked.unwrap_or_default())
    }
}

fn random_u16() -> u16 {
    getrandom::u32().map_or(0, |r| u16::try_from(r & 0xffff).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_obey_the_server() {
        let mut b = Backoff::new();
        let waits: Vec<_> = (0..12).map(|_| b.next(None)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits.iter().all(|w| *w <= LONGEST));
        assert!(waits[11] >= LONGEST / 2);
        assert!(b.next(Some(Duration::from_secs(300))) >= Duration::from_secs(300));
        b.well();
        assert!(b.next(None) <= FIRST);
    }
}
