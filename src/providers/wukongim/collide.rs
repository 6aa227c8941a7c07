//! Two clients that take turns on one device flag, found from successive looks at the newest connections. Pure: instants and
//! connections come in as values.
//!
//! The server kicks the older session when a master logs in again with another device id (wukongim 2.2.5, §4.2), so the two
//! are never both online for long. What counts is a *swap*: a session that goes away right after another device id came. One
//! swap is a replacement, which is normal; a device that comes back and displaces the one that displaced it is a fight.
//!
//! The official JS SDK makes up a new device id at every login (wukongimjssdk 1.0.4, `connect_manager.js`: `Guid` and `W`), so
//! that nothing ever comes back by its id. Then the addresses tell; and where those are one, as behind a common router, only
//! that swap follows on swap and the flag is never found empty, as it is when one browser is reloaded. That is no proof: the
//! sockets of displaced logins stay open until the server's idle time, and at the end of each, minutes later, that SDK logs in
//! anew; a client that is alone by then displaces itself a dozen times (seen on a running 2.2.5). It is told as what it is.

mod kept;

use crate::domain::Stamp;
use std::collections::{HashMap, VecDeque};

/// A swap counts for so long.
pub(super) const WINDOW_MS: u64 = 600_000;
/// A fight is over so long after its last swap.
pub(super) const QUIET_MS: u64 = 300_000;
/// The server lets the older session linger for at most 10 s (§0.6).
const GRACE_MS: u64 = 15_000;
/// So many swaps in so long, with nobody ever away, are worth a word whatever the ids are. With the SDK's usual ping a network
/// that breaks makes one a minute at most.
const MANY: usize = 5;
const MANY_MS: u64 = 150_000;
/// Most swaps kept of one flag.
const MOST: usize = 64;

/// A flag of an account; `None` when the server has no word for it and nothing else tells which it is.
pub(super) type Key = (Box<str>, Option<u8>);

/// One connection as a look shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Account and flag.
    pub(super) key: Key,
    /// Its node and its number there.
    pub(super) conn: (u64, u64),
    /// The device id that the client gave.
    pub(super) device: Box<str>,
    /// Where it comes from.
    pub(super) ip: Box<str>,
    /// The level of the session; `None` where not told.
    pub(super) master: Option<bool>,
}

#[derive(Clone, Debug)]
struct Holder {
    conn: (u64, u64),
    device: Box<str>,
    ip: Box<str>,
    master: Option<bool>,
    since: u64,
}

/// One session that another took the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Swap {
    /// When it was noticed.
    pub(super) at: Stamp,
    /// Device id and address of the one that had to leave.
    pub(super) from: (Box<str>, Box<str>),
    /// Device id and address of the one that came.
    pub(super) to: (Box<str>, Box<str>),
}

#[derive(Debug, Default)]
struct Track {
    holders: Vec<Holder>,
    swaps: VecDeque<Swap>,
    /// The last look at which nobody was there.
    empty: u64,
}

/// What is known of one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contest {
    /// The last swap.
    pub(super) last: Swap,
    /// How many swaps are within the window.
    pub(super) swaps: usize,
    /// True when two take turns; false for a replacement.
    pub(super) fight: bool,
    /// True when ids or addresses prove that they are two; false where one that cannot hold its connection looks the same.
    pub(super) sure: bool,
}

/// All flags that were seen lately.
#[derive(Debug, Default)]
pub(super) struct Contests {
    tracks: HashMap<Key, Track>,
    /// Highest connection number of each node: what is above it is a new login.
    newest: HashMap<u64, u64>,
    looked: Option<u64>,
}

impl Contests {
    /// Takes a look at the newest connections, taken at `at`. `lowest`: connections below that number may be there unlisted.
    /// Returns the accounts about which something changed.
    pub(super) fn look(&mut self, at: Stamp, seen: Vec<Seen>, lowest: u64) -> Vec<Box<str>> {
        let now = ms(&at);
        let first = self.looked.is_none();
        let before = self.looked.replace(now).unwrap_or(now);
        let mut top: HashMap<u64, u64> = HashMap::new();
        for s in &seen {
            let t = top.entry(s.conn.0).or_default();
            *t = (*t).max(s.conn.1);
        }
        // A node that restarted counts from 1 again: what stood there is no evidence of anything.
        let restarted = top.iter().any(|(node, n)| self.newest.get(node).is_some_and(|old| n < old && self.all_gone(*node, &seen)));
        if restarted {
            self.newest.clear();
            self.tracks.values_mut().for_each(|t| t.holders.clear());
        }
        let baseline = first || restarted;
        let mut by_key: HashMap<Key, Vec<Seen>> = HashMap::new();
        for s in seen {
            by_key.entry(s.key.clone()).or_default().push(s);
        }
        let mut changed = Vec::new();
        for key in self.tracks.keys() {
            by_key.entry(key.clone()).or_default();
        }
        for (key, mut here) in by_key {
            here.sort_by_key(|s| s.conn);
            let track = self.tracks.entry(key.clone()).or_default();
            let newest = &self.newest;
            let is_new = |s: &Seen| !baseline && newest.get(&s.conn.0).is_none_or(|n| s.conn.1 > *n);
            if track.step(at, before, &here, lowest, is_new) {
                changed.push(key.0);
            }
        }
        for (node, n) in top {
            let t = self.newest.entry(node).or_default();
            *t = (*t).max(n);
        }
        self.tracks.retain(|_, t| !t.holders.is_empty() || !t.swaps.is_empty());
        changed
    }

    fn all_gone(&self, node: u64, seen: &[Seen]) -> bool {
        let old = self.tracks.values().flat_map(|t| &t.holders).filter(|h| h.conn.0 == node);
        !old.into_iter().any(|h| seen.iter().any(|s| s.conn == h.conn && s.device == h.device))
    }

    /// What is known of a flag at `now`; `None` when nothing happened on it lately.
    pub(super) fn of(&self, uid: &str, flag: Option<u8>, now: &Stamp) -> Option<Contest> {
        self.tracks.get(&(uid.into(), flag))?.contest(now)
    }

    /// Accounts with a swap in the window: those whose rows may change with time alone.
    pub(super) fn lively(&self) -> impl Iterator<Item = &str> {
        self.tracks.iter().filter(|(_, t)| !t.swaps.is_empty()).map(|(k, _)| &*k.0)
    }
}

fn ms(at: &Stamp) -> u64 {
    at.boot_now().0
}

impl Track {
    /// Returns true when something happened.
    fn step(&mut self, at: Stamp, before: u64, here: &[Seen], lowest: u64, is_new: impl Fn(&Seen) -> bool) -> bool {
        let now = ms(&at);
        let expired = self.swaps.len();
        self.swaps.retain(|s| now.saturating_sub(ms(&s.at)) < WINDOW_MS);
        let mut changed = self.swaps.len() != expired;
        let (stay, gone): (Vec<Holder>, Vec<Holder>) =
            self.holders.drain(..).partition(|h| here.iter().any(|s| s.conn == h.conn) || h.conn.1 < lowest);
        self.holders = stay;
        for s in here {
            if !self.holders.iter().any(|h| h.conn == s.conn) {
                // An older one that came into view again has no known beginning: it displaces nobody.
                let since = if is_new(s) { now } else { 0 };
                self.holders.push(Holder { conn: s.conn, device: s.device.clone(), ip: s.ip.clone(), master: s.master, since });
            }
        }
        // Oldest first, so that the log is in the order of what happened.
        let mut gone = gone;
        gone.sort_by_key(|h| h.conn);
        for h in &gone {
            // Slaves with different device ids stay side by side: whoever left did so by itself.
            if h.master == Some(false) {
                continue;
            }
            let later = |n: &&Holder| n.conn != h.conn && n.since > h.since && n.since + GRACE_MS >= before && n.device != h.device;
            let newer = |n: &&Holder| later(n) || (n.since == h.since && n.since != 0 && n.conn > h.conn && n.device != h.device);
            let by = self.holders.iter().chain(&gone).filter(newer).min_by_key(|n| n.conn);
            if let Some(by) = by {
                self.swaps.push_back(Swap { at, from: (h.device.clone(), h.ip.clone()), to: (by.device.clone(), by.ip.clone()) });
                changed = true;
            }
        }
        if self.holders.is_empty() {
            self.empty = now;
        }
        while self.swaps.len() > MOST {
            self.swaps.pop_front();
        }
        // Both there, and longer than any grace: they have stopped.
        if self.is_fight() && self.side_by_side(now) {
            self.swaps.clear();
            changed = true;
        }
        changed
    }

    /// True when somebody who was displaced came back and displaced in turn.
    fn is_fight(&self) -> bool {
        let back = |j: usize| self.swaps.iter().take(j).any(|s| self.swaps.get(j).is_some_and(|t| t.to.0 == s.from.0));
        (1..self.swaps.len()).any(back) || self.addresses_alternate()
    }

    /// Two addresses take turns more than once: a client that moves to another network and back is none.
    fn addresses_alternate(&self) -> bool {
        let moves: Vec<&Swap> = self.swaps.iter().filter(|s| s.from.1 != s.to.1).collect();
        moves.windows(3).any(|w| matches!(w, [a, b, c] if a.from.1 == b.to.1 && b.from.1 == c.to.1 && a.to.1 == b.from.1))
    }

    fn many(&self) -> bool {
        let lasting: Vec<u64> = self.swaps.iter().map(|s| ms(&s.at)).filter(|at| *at > self.empty).collect();
        lasting.windows(MANY).any(|w| matches!((w.first(), w.last()), (Some(a), Some(b)) if b - a <= MANY_MS))
    }

    fn side_by_side(&self, now: u64) -> bool {
        let Some(last) = self.swaps.back() else { return false };
        let settled = |device: &str| self.holders.iter().any(|h| &*h.device == device && now.saturating_sub(h.since) > GRACE_MS);
        settled(&last.from.0) && settled(&last.to.0)
    }

    fn contest(&self, now: &Stamp) -> Option<Contest> {
        let age = |s: &Swap| ms(now).saturating_sub(ms(&s.at));
        let within = |s: &&Swap| age(s) < WINDOW_MS;
        let last = self.swaps.back().filter(within)?.clone();
        let swaps = self.swaps.iter().filter(within).count();
        let sure = self.is_fight();
        let fight = (sure && age(&last) < QUIET_MS) || (self.many() && age(&last) < MANY_MS);
        Some(Contest { last, swaps, fight, sure })
    }
}

#[cfg(test)]
mod tests;
