//! Secrets are taken out of what a server said: as they are, and in the spellings in which a server or a proxy echoes them.
//!
//! A secret is looked for as it stands, in hex, and in base64 in each of the three ways in which it can lie in a longer text;
//! each letter of those may itself be escaped (`%2F`, `\/`, `\u002f`, `&#47;`), one next to the other that is not, and all of
//! it once or twice more. Work is bounded: a text that takes too much of it is not shown at all.

use crate::domain::Secret;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use std::collections::BTreeSet;

/// Most letters of a text that are looked through; what is behind them is never shown.
const LOOKED_AT: usize = 16 << 10;
/// A shorter one is part of too many words.
const SHORTEST: usize = 4;
/// So often a text is unescaped as a whole, on top of the letters that are escaped one by one.
const LAYERS: usize = 2;
/// Steps that looking may take, in all.
const STEPS: usize = 1_000_000;
/// What stands in a secret's place.
const MARK: &str = "[secret]";

/// `text` without these secrets, bounded.
pub fn redacted<'a>(secrets: impl IntoIterator<Item = &'a Secret>, text: &str) -> String {
    let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(at, _)| at);
    let bounded = &text[..end];
    let patterns: Vec<Pattern> = secrets.into_iter().flat_map(patterns).collect();
    if patterns.is_empty() {
        return bounded.to_owned();
    }
    let mut search = Search { steps: STEPS, cut: end < text.len(), found: Vec::new() };
    let mut units: Vec<Unit> = bounded.bytes().enumerate().map(|(at, byte)| Unit { byte, from: at, to: at + 1 }).collect();
    for layer in 0..=LAYERS {
        patterns.iter().for_each(|p| search.all(&units, p));
        match (layer < LAYERS).then(|| unescaped(&units)).flatten() {
            Some(next) => units = next,
            None => break,
        }
    }
    if search.steps == 0 {
        return MARK.to_owned();
    }
    replaced(bounded, search.found)
}

/// `text` without that secret.
pub fn without(secret: &Secret, text: &str) -> String {
    redacted([secret], text)
}

fn replaced(text: &str, mut found: Vec<(usize, usize)>) -> String {
    found.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let (mut at, mut i) = (0, 0);
    while let Some(&(from, mut to)) = found.get(i) {
        i += 1;
        // Overlapping ones are one.
        while let Some(&(_, further)) = found.get(i).filter(|(next, _)| *next < to) {
            to = to.max(further);
            i += 1;
        }
        let from = (0..=from).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        let to = (to..=text.len()).find(|n| text.is_char_boundary(*n)).unwrap_or(text.len());
        out.push_str(text.get(at..from).unwrap_or_default());
        out.push_str(MARK);
        at = to.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// One byte, and from where to where it stands in the text that came.
#[derive(Clone, Copy)]
struct Unit {
    byte: u8,
    from: usize,
    to: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Plain,
    Hex,
    /// Whether letters before and behind it hold a part of its bits.
    Base64 {
        before: bool,
        behind: bool,
    },
}

/// A spelling of a secret. No `Debug`.
struct Pattern {
    text: zeroize::Zeroizing<Vec<u8>>,
    how: How,
}

impl Pattern {
    fn is(&self, at: usize, byte: u8) -> bool {
        let Some(wanted) = self.text.get(at) else { return false };
        match self.how {
            // A form writes a blank so.
            How::Plain => *wanted == byte || (*wanted == b' ' && byte == b'+'),
            How::Hex => wanted.eq_ignore_ascii_case(&byte),
            How::Base64 { .. } => *wanted == sextet(byte),
        }
    }

    /// What may stand between two of its letters.
    fn skips(&self, byte: u8) -> bool {
        match self.how {
            How::Plain => false,
            How::Hex => byte.is_ascii_whitespace() || matches!(byte, b':' | b'-'),
            How::Base64 { .. } => byte.is_ascii_whitespace(),
        }
    }
}

/// The letter of the one alphabet for that of the other.
const fn sextet(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

fn patterns(secret: &Secret) -> Vec<Pattern> {
    let whole = secret.expose();
    // A server that echoes a header may leave out its scheme.
    let bare = ["Bearer ", "Basic "].iter().find_map(|scheme| whole.strip_prefix(scheme));
    [Some(whole), bare].into_iter().flatten().filter(|t| t.len() >= SHORTEST).flat_map(spellings).collect()
}

fn spellings(text: &str) -> Vec<Pattern> {
    let mut out = vec![
        Pattern { text: text.as_bytes().to_vec().into(), how: How::Plain },
        Pattern { text: text.bytes().flat_map(|b| format!("{b:02x}").into_bytes()).collect::<Vec<u8>>().into(), how: How::Hex },
    ];
    for before in 0..3 {
        let mut bytes = zeroize::Zeroizing::new(vec![0; before]);
        bytes.extend_from_slice(text.as_bytes());
        let encoded = zeroize::Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&*bytes));
        // Only letters all of whose bits are the secret's.
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let core = encoded.as_bytes().get(from..to).unwrap_or_default();
        let how = How::Base64 { before: before > 0, behind: bytes.len() * 8 % 6 > 0 };
        out.push(Pattern { text: core.to_vec().into(), how });
    }
    out
}

struct Search {
    /// Steps left.
    steps: usize,
    /// The text went on: what its end is the beginning of may be a secret.
    cut: bool,
    /// From where to where secrets stand in the text that came.
    found: Vec<(usize, usize)>,
}

impl Search {
    fn all(&mut self, units: &[Unit], pattern: &Pattern) {
        let mut at = 0;
        while at < units.len() {
            match self.one(units, at, pattern) {
                Some(end) => {
                    let (first, last) = reach(units, at, end, pattern.how);
                    self.found.push((units[first].from, units[last - 1].to));
                    at = end;
                }
                None => at += 1,
            }
        }
    }

    /// Where the pattern ends that begins at `at`.
    fn one(&mut self, units: &[Unit], at: usize, pattern: &Pattern) -> Option<usize> {
        // Nearly every letter is none that a secret begins with.
        let escaped = || escape(units, at).is_some_and(|e| pattern.is(0, e.bytes[0]));
        if self.steps == 0 || !(pattern.is(0, units[at].byte) || escaped()) {
            return None;
        }
        // Letters of the pattern that were found, and where the next one is looked for; several ways lead on where a letter
        // of the secret is one that escapes.
        let mut open = BTreeSet::from([(0, at)]);
        while let Some((n, at)) = open.pop_first() {
            self.steps = self.steps.saturating_sub(1);
            if n == pattern.text.len() {
                return Some(at);
            }
            let Some(unit) = units.get(at) else {
                if self.cut && n >= SHORTEST {
                    return Some(at);
                }
                continue;
            };
            if self.steps == 0 {
                return None;
            }
            if pattern.is(n, unit.byte) {
                open.insert((n + 1, at + 1));
            } else if n > 0 && pattern.skips(unit.byte) {
                open.insert((n, at + 1));
            }
            if let Some(e) = escape(units, at) {
                let said = e.said();
                if said.iter().enumerate().all(|(i, b)| pattern.is(n + i, *b)) {
                    open.insert((n + said.len(), at + e.units));
                } else if n > 0 && said.iter().all(|b| pattern.skips(*b)) {
                    open.insert((n, at + e.units));
                }
            }
        }
        None
    }
}

/// The units of a hit, with the letters beside it that hold a part of it.
fn reach(units: &[Unit], from: usize, to: usize, how: How) -> (usize, usize) {
    let How::Base64 { before, behind } = how else { return (from, to) };
    let letter = |n: usize| units.get(n).is_some_and(|u| u.byte.is_ascii_alphanumeric() || matches!(u.byte, b'+' | b'/' | b'-' | b'_'));
    let first = from.checked_sub(1).filter(|n| before && letter(*n)).unwrap_or(from);
    let mut last = to + usize::from(behind && letter(to));
    while units.get(last).is_some_and(|u| u.byte == b'=') {
        last += 1;
    }
    (first, last)
}

/// What an escape says.
struct Escape {
    bytes: [u8; 4],
    len: usize,
    /// How many units it takes.
    units: usize,
}

impl Escape {
    fn of(c: char, units: usize) -> Self {
        let mut bytes = [0; 4];
        let len = c.encode_utf8(&mut bytes).len();
        Self { bytes, len, units }
    }
    const fn byte(byte: u8, units: usize) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1, units }
    }
    fn said(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn digits(units: &[Unit], at: usize, n: usize) -> Option<u32> {
    let all = units.get(at..at + n)?;
    all.iter().try_fold(0, |sum, u| Some(sum * 16 + char::from(u.byte).to_digit(16)?))
}

/// The escape that begins there.
fn escape(units: &[Unit], at: usize) -> Option<Escape> {
    let next = |n: usize| units.get(at + n).map(|u| u.byte);
    let byte = |n: usize, units: usize, from: &[Unit]| digits(from, n, 2).and_then(|d| u8::try_from(d).ok()).map(|b| Escape::byte(b, units));
    match next(0)? {
        b'%' => byte(at + 1, 3, units),
        b'\\' => match next(1)? {
            b'x' => byte(at + 2, 4, units),
            b'u' => {
                let high = digits(units, at + 2, 4)?;
                if let Some(c) = char::from_u32(high) {
                    return Some(Escape::of(c, 6));
                }
                let low = (next(6)? == b'\\' && next(7)? == b'u').then(|| digits(units, at + 8, 4)).flatten()?;
                let both = 0x10000 + (high.checked_sub(0xd800)? << 10) + low.checked_sub(0xdc00)?;
                char::from_u32(both).map(|c| Escape::of(c, 12))
            }
            b'n' => Some(Escape::byte(b'\n', 2)),
            b'r' => Some(Escape::byte(b'\r', 2)),
            b't' => Some(Escape::byte(b'\t', 2)),
            b @ (b'/' | b'"' | b'\'' | b'\\') => Some(Escape::byte(b, 2)),
            _ => None,
        },
        b'&' => {
            let len = units.get(at + 1..)?.iter().take(10).position(|u| u.byte == b';')?;
            let name: String = units[at + 1..at + 1 + len].iter().map(|u| char::from(u.byte)).collect();
            let c = match name.as_str() {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => {
                    let number = name.strip_prefix('#')?;
                    let hex = number.strip_prefix(['x', 'X']).map(|n| u32::from_str_radix(n, 16));
                    char::from_u32(hex.unwrap_or_else(|| number.parse()).ok()?)
                }
            }?;
            Some(Escape::of(c, len + 2))
        }
        _ => None,
    }
}

/// The text with every escape undone once; `None` where there is none.
fn unescaped(units: &[Unit]) -> Option<Vec<Unit>> {
    let (mut out, mut at, mut any) = (Vec::with_capacity(units.len()), 0, false);
    while let Some(unit) = units.get(at) {
        match escape(units, at) {
            Some(e) => {
                let to = units.get(at + e.units - 1).map_or(unit.to, |u| u.to);
                out.extend(e.said().iter().map(|b| Unit { byte: *b, from: unit.from, to }));
                at += e.units;
                any = true;
            }
            None => {
                out.push(*unit);
                at += 1;
            }
        }
    }
    any.then_some(out)
}

#[cfg(test)]
mod tests;
