//! What was asked, in order and counted. Bounded: the oldest entries go first, and their number is kept.

use std::collections::{BTreeMap, VecDeque};

/// Entries kept in full.
const ENTRIES: usize = 20_000;
/// Different (method, path) pairs that are counted one by one; further ones count under `…`.
const COUNTED: usize = 20_000;

/// One request as the gateway saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it came, milliseconds since 1970 by the sandbox's clock.
    pub at_ms: i64,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The body, cut at 16 KiB.
    pub body: String,
    /// The status of the answer; 0 while it is under way or when the connection was dropped, 101 for an event stream.
    pub status: u16,
}

/// How often one path was asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// The gateway's name.
    pub gateway: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// How often.
    pub count: u64,
}

/// The log of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Request>,
    counts: BTreeMap<(String, String), u64>,
    forgotten: u64,
    /// The number of the first request since the last `clear`.
    first: u64,
}

impl Log {
    /// Takes one request; the number it gets is for [`Log::answered`].
    pub(crate) fn push(&mut self, mut r: Request) -> u64 {
        let path = r.path.split('?').next().unwrap_or_default().to_owned();
        let key = (r.method.clone(), path);
        if self.counts.len() >= COUNTED && !self.counts.contains_key(&key) {
            *self.counts.entry((key.0, "…".to_owned())).or_default() += 1;
        } else {
            *self.counts.entry(key).or_default() += 1;
        }
        if r.body.len() > 16 * 1024 {
            let cut = (0..=16 * 1024).rev().find(|i| r.body.is_char_boundary(*i)).unwrap_or(0);
            r.body.truncate(cut);
        }
        if self.entries.len() == ENTRIES {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.entries.push_back(r);
        self.first + self.forgotten + self.entries.len() as u64 - 1
    }

    /// Notes the status of an answer.
    pub(crate) fn answered(&mut self, number: u64, status: u16) {
        let at = number.checked_sub(self.first + self.forgotten).and_then(|n| usize::try_from(n).ok());
        if let Some(r) = at.and_then(|n| self.entries.get_mut(n)) {
            r.status = status;
        }
    }

    /// Counts by method and path.
    pub(crate) fn counts(&self, gateway: &str) -> Vec<Count> {
        self.counts
            .iter()
            .map(|((method, path), count)| Count { gateway: gateway.to_owned(), method: method.clone(), path: path.clone(), count: *count })
            .collect()
    }

    /// Every entry kept, oldest first.
    pub(crate) fn entries(&self) -> Vec<Request> {
        self.entries.iter().cloned().collect()
    }

    /// How many entries fell out.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Empties everything.
    pub(crate) fn clear(&mut self) {
        let first = self.first + self.forgotten + self.entries.len() as u64;
        *self = Self { first, ..Self::default() };
    }
}
