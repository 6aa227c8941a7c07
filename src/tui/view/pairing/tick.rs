//! When the next second on this screen changes: the run loop sleeps until then and not a moment less.

use crate::{
    domain::{Boot, Stamp},
    engine::mailbox::{PairStage, PairView},
};
use std::time::Duration;

/// Time until a number of seconds on screen changes, or an Offer dies. `None`: nothing counts, so nothing wakes.
pub fn next_tick(view: &PairView, now: &Stamp) -> Option<Duration> {
    match &view.stage {
        PairStage::Showing(shown) => {
            let (_, Boot(at)) = now.boot?;
            let left = shown.offer.dies.0.checked_sub(at).filter(|left| *left > 0)?;
            // `dies in 3 s` stands from 3000 ms down to 2001 ms: it changes when a whole second is left.
            Some(Duration::from_millis((left - 1) % 1000 + 1))
        }
        PairStage::AskingClock => Some(until_next_second(view.began.age(now))),
        PairStage::Waiting { since, .. } | PairStage::Discarded { since, .. } | PairStage::Scanned { since, .. } => {
            Some(until_next_second(since.age(now)))
        }
        _ => None,
    }
}

fn until_next_second(age: Duration) -> Duration {
    Duration::from_millis(1000 - u64::from(age.subsec_millis()))
}
