//! Faults that a gateway can be told to have, each for a number of requests.

use std::{collections::VecDeque, time::Duration};

/// What goes wrong instead of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The right answer, so much later.
    Slow(Duration),
    /// This status (500 to 599) with Express's error body.
    Status(u16),
    /// 200 with bytes that are no JSON.
    Garbage,
    /// 200 with JSON of a wrong shape.
    WrongShape,
    /// A proxy's HTML page with 200.
    Html,
    /// A JSON string of 100 MB, streamed in small pieces.
    Huge,
    /// 302 to the sink: a loopback address that counts who follows.
    Redirect,
    /// The connection closes without an answer.
    Drop,
    /// The connection closes in the middle of the body.
    Half,
    /// No answer at all, and nothing is done.
    Hang,
    /// Carried out in full, and no answer ever comes.
    Mute,
    /// 401, whatever the key.
    Unauthorized,
    /// 404 of a proxy: HTML.
    NotFound,
    /// 429 with `Retry-After` in seconds.
    TooMany(u32),
}

impl Fault {
    /// The fault of that name, as `POST /fault` takes it; `n` is milliseconds, a status or seconds, by kind.
    pub fn parse(kind: &str, n: Option<u64>) -> Option<Self> {
        let status = |d: u16| u16::try_from(n.unwrap_or(u64::from(d))).ok().filter(|s| (500..600).contains(s));
        Some(match kind {
            "slow" => Self::Slow(Duration::from_millis(n.unwrap_or(3000).min(600_000))),
            "5xx" | "status" => Self::Status(status(500)?),
            "garbage" => Self::Garbage,
            "wrong_shape" => Self::WrongShape,
            "html" => Self::Html,
            "huge" => Self::Huge,
            "redirect" => Self::Redirect,
            "drop" => Self::Drop,
            "half" => Self::Half,
            "hang" => Self::Hang,
            "mute" => Self::Mute,
            "unauthorized" | "401" => Self::Unauthorized,
            "not_found" | "404" => Self::NotFound,
            "too_many" | "429" => Self::TooMany(u32::try_from(n.unwrap_or(2)).ok()?),
            _ => return None,
        })
    }

    /// The names that `parse` knows.
    pub const KINDS: &'static [&'static str] = &[
        "slow",
        "5xx",
        "garbage",
        "wrong_shape",
        "html",
        "huge",
        "redirect",
        "drop",
        "half",
        "hang",
        "mute",
        "unauthorized",
        "not_found",
        "too_many",
    ];
}

/// Faults still to come, in order. At most a thousand.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(Fault, u32, Option<String>)>);

impl Faults {
    /// Adds a fault for the next `count` requests whose path begins with `path`, if one is given.
    pub(crate) fn push(&mut self, fault: Fault, count: u32, path: Option<String>) {
        if self.0.len() < 1000 && count > 0 {
            self.0.push_back((fault, count, path));
        }
    }

    /// The fault for a request to `path`, used up by one.
    pub(crate) fn take(&mut self, path: &str) -> Option<Fault> {
        let at = self.0.iter().position(|(_, _, p)| p.as_deref().is_none_or(|p| path.starts_with(p)))?;
        let entry = self.0.get_mut(at)?;
        entry.1 -= 1;
        let fault = entry.0.clone();
        if entry.1 == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
