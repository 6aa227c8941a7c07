//! What a command's output says of its session: signs, counted so that one failure with many lines is one, and a storm of them is
//! a loop.

use crate::providers::duty::{Dead, Sign};
use std::time::{Duration, Instant};

/// Lines about one failure come together.
const TOGETHER: Duration = Duration::from_millis(200);
/// So many failures alike in one life are a loop.
pub const LOOP: u32 = 3;
/// What failed alike longer ago than this is another story: a reconnect that is put off grows to minutes, not to hours.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// Longest line that is kept while its end has not come; a longer one is looked at in pieces.
const LONGEST: usize = 8 * 1024;
/// Longer than any sign: what is kept of a piece, so that a word that the cut goes through is still found.
const KEPT: usize = 64;

/// What was seen in the output so far.
#[derive(Debug, Default)]
pub struct Signs {
    last: Option<(Dead, Instant)>,
    counted: u32,
}

impl Signs {
    /// Counts a sign at an instant. True when that makes a loop.
    pub fn saw(&mut self, what: Dead, now: Instant) -> bool {
        match self.last {
            Some((same, at)) if same == what && now.saturating_duration_since(at) < TOGETHER => return false,
            Some((same, at)) if same == what && now.saturating_duration_since(at) < FORGOTTEN => self.counted += 1,
            _ => self.counted = 1,
        }
        self.last = Some((what, now));
        self.counted >= LOOP
    }

    /// What was seen until now turned out to be nothing.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// What the session died of, if anything was seen.
    pub fn dead(&self) -> Option<Dead> {
        self.last.map(|l| l.0)
    }
}

/// Splits a stream into lines without ever holding more than one of bounded length.
#[derive(Debug, Default)]
pub struct Lines {
    kept: Vec<u8>,
}

impl Lines {
    /// Every line's sign in what the stream brought, together with what was left of its last line.
    pub fn feed(&mut self, signs: &'static [Sign], bytes: &[u8]) -> Vec<Sign> {
        let mut found = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.kept.extend_from_slice(piece);
            let whole = piece.ends_with(b"\n");
            if whole || self.kept.len() > LONGEST {
                found.extend(Sign::find(signs, &self.kept));
                let keep = if whole { 0 } else { KEPT };
                self.kept.drain(..self.kept.len() - keep);
            }
        }
        found
    }

    /// The sign of the last line, which had no end.
    pub fn end(&mut self, signs: &'static [Sign]) -> Option<Sign> {
        let found = Sign::find(signs, &self.kept);
        self.kept.clear();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SIGNS: &[Sign] = &[Sign { text: "KEY_TWICE", means: Dead::Duplicated }, Sign { text: "GONE", means: Dead::Revoked }];

    #[test]
    fn a_storm_of_one_error_is_a_loop_and_one_failure_with_many_lines_is_not() {
        let (mut signs, start) = (Signs::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!((0..100).all(|n| !signs.saw(Dead::Duplicated, at(n))), "one traceback");
        let loops: Vec<bool> = (1..LOOP).map(|n| signs.saw(Dead::Duplicated, at(u64::from(n) * 250))).collect();
        assert_eq!(loops, [false, true]);
        assert!(!signs.saw(Dead::Revoked, at(6000)), "another error begins anew");
        assert_eq!(signs.dead(), Some(Dead::Revoked));
    }

    #[test]
    fn the_same_word_once_a_week_is_no_loop() {
        let (mut signs, start) = (Signs::default(), Instant::now());
        let week = Duration::from_secs(7 * 24 * 3600);
        assert!((0..10).all(|n| !signs.saw(Dead::Duplicated, start + week * n)));
    }

    #[test]
    fn signs_are_found_across_pieces_and_in_lines_without_end() {
        let mut lines = Lines::default();
        assert!(lines.feed(SIGNS, b"rpc error: KEY_").is_empty());
        assert_eq!(lines.feed(SIGNS, b"twice (406)\nnext").len(), 1);
        let mut found = lines.feed(SIGNS, &[b"x".repeat(LONGEST), b"KEY_".to_vec()].concat());
        found.extend(lines.feed(SIGNS, b"TWICE and"));
        found.extend(lines.end(SIGNS));
        assert!(!found.is_empty(), "the cut hid it");
        lines.feed(SIGNS, &b"x".repeat(10 * LONGEST));
        assert!(lines.kept.len() <= LONGEST + KEPT);
    }
}
