//! Frequency limits: sliding windows, and the time during which everything is refused once one was overrun.

use super::settings::Limit;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Different keys that are watched; further ones share one window.
const KEYS: usize = 4096;

/// Windows by key.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    hits: BTreeMap<String, VecDeque<i64>>,
    until: BTreeMap<String, i64>,
}

impl Windows {
    /// Counts one call at `now` (milliseconds). False when the limit is overrun: from then on for `penalty`, after which counting
    /// starts anew; without a penalty until the oldest call has left the window.
    pub(crate) fn allows(&mut self, key: &str, limit: Limit, penalty: Duration, now: i64) -> bool {
        let key = if self.hits.len() >= KEYS && !self.hits.contains_key(key) { "…" } else { key };
        match self.until.get(key) {
            Some(until) if now < *until => return false,
            Some(_) => {
                self.until.remove(key);
                self.hits.remove(key);
            }
            None => {}
        }
        let window = ms(limit.within);
        let hits = self.hits.entry(key.to_owned()).or_default();
        // A clock that was put back leaves hits in the future: they count as now.
        while hits.front().is_some_and(|t| now.saturating_sub(*t) >= window) {
            hits.pop_front();
        }
        if hits.len() >= limit.most as usize {
            if !penalty.is_zero() {
                self.until.insert(key.to_owned(), now.saturating_add(ms(penalty)));
            }
            return false;
        }
        hits.push_back(now);
        true
    }

    /// When the last call was.
    pub(crate) fn last(&self, key: &str) -> Option<i64> {
        self.hits.get(key)?.back().copied()
    }

    /// Forgets what was refused and counted.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Milliseconds as the sandbox counts them.
pub(crate) fn ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
