//! Room for large answers. Many gateways may answer at once and each answer may be large: what all of them hold together is bounded,
//! one gateway never holds more than one large answer, and one is decoded at a time.

use super::{Answer, CAP, CAP_LIST, Client};
use crate::domain::{Reason, ReasonCode};
use std::sync::Arc;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// Answers up to this size need no permission and are decoded where they are.
pub(super) const SMALL: usize = 1 << 20;
/// All large answers together, in MiB. One of the largest size fits.
static ROOM: Semaphore = Semaphore::const_new(CAP_LIST >> 20);
/// Trees take more than the text that they come from: one at a time.
pub(super) static DECODING: Semaphore = Semaphore::const_new(1);

/// What holds a place until the answer was decoded or dropped.
pub(super) struct Place {
    _gateway: OwnedSemaphorePermit,
    _room: SemaphorePermit<'static>,
}

/// A gateway's one seat for a large answer.
pub(super) fn seat() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

/// Largest body that is taken of an answer that begins so: what begins like no JSON is no list.
const fn most(asked: usize, first: u8) -> usize {
    let limit = match first {
        b'[' | b'{' | b' ' | b'\n' | b'\r' | b'\t' => CAP_LIST,
        _ => CAP,
    };
    if asked < limit { asked } else { limit }
}

/// The first bytes of a body decide whether the rest is worth its room: brackets deeper than any decoder goes are not.
fn is_hopeless(start: &[u8]) -> bool {
    start.iter().filter(|b| !b.is_ascii_whitespace()).take_while(|b| matches!(b, b'[' | b'{')).count() > 128
}

impl Client {
    /// Waits for a place for `bytes`, until `end` at most.
    pub(super) async fn place(&self, bytes: usize, end: Instant) -> Result<Place, Reason> {
        let permits = u32::try_from(bytes.min(CAP_LIST).div_ceil(1 << 20)).unwrap_or(1);
        let both = async {
            let gateway = Arc::clone(&self.seat).acquire_owned().await.ok()?;
            Some(Place { _gateway: gateway, _room: ROOM.acquire_many(permits).await.ok()? })
        };
        timeout_at(end, both).await.ok().flatten().ok_or_else(|| self.reason(ReasonCode::Slow))
    }

    /// Reads the body within `cap` bytes, waiting for room when it turns out to be large.
    pub(super) async fn read(&self, response: &mut reqwest::Response, answer: &mut Answer, cap: usize, end: Instant) -> Result<(), Reason> {
        let length = response.content_length().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let mut cap = if answer.is_ok() { cap } else { cap.min(SMALL) };
        if length.is_some_and(|n| n > cap) {
            return Err(self.reason(ReasonCode::TooLarge));
        }
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(e))? {
            if let Some(first) = chunk.first().filter(|_| answer.body.is_empty()) {
                cap = most(cap, *first);
                if is_hopeless(&chunk) {
                    return Err(self.reason(ReasonCode::Unintelligible));
                }
            }
            let now = answer.body.len() + chunk.len();
            if now > cap || length.is_some_and(|n| n > cap) {
                return Err(self.reason(ReasonCode::TooLarge));
            }
            if answer.place.is_none() && now > SMALL {
                answer.place = Some(self.place(length.unwrap_or(cap), end).await?);
                answer.body.reserve_exact(length.unwrap_or(now) - answer.body.len());
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(())
    }
}
