//! Text from outside, made harmless once, at the boundary where it entered.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use unicode_segmentation::UnicodeSegmentation;

/// Graphemes kept of one piece of foreign text.
pub const CAP: usize = 64;
/// Graphemes kept of a longer message such as an error body.
pub const CAP_LONG: usize = 200;

/// Foreign text without controls, bidi marks, invisible or private characters, at most two marks a letter, and of
/// bounded length. `⚠` at its end says that something was taken out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clean(Arc<str>);

impl Clean {
    /// Cleans foreign text and keeps at most [`CAP`] graphemes.
    pub fn new(text: &str) -> Self {
        Self::capped(text, CAP)
    }

    /// Cleans a longer message: at most [`CAP_LONG`] graphemes.
    pub fn long(text: &str) -> Self {
        Self::capped(text, CAP_LONG)
    }

    /// The harmless text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when nothing is left to draw.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn capped(text: &str, cap: usize) -> Self {
        let fine = |c: char| c == ' ' || c.is_ascii_graphic();
        if text.len() <= cap && text.chars().all(fine) {
            return Self(Arc::from(text));
        }
        let mut out = String::with_capacity(text.len().min(cap * 4));
        let (mut removed, mut marks) = (false, 0usize);
        // Bounded before segmentation: a megabyte of combining marks is one grapheme.
        for c in text.chars().take(cap * 8) {
            if matches!(c, '\n' | '\r' | '\t') {
                marks = 0;
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            } else if is_mark(c) {
                marks += 1;
                if marks > 2 || out.is_empty() {
                    removed = true;
                } else {
                    out.push(c);
                }
            } else if is_hidden(c) {
                removed = true;
            } else {
                marks = 0;
                out.push(c);
            }
        }
        let cut = out.graphemes(true).count() > cap || text.chars().nth(cap * 8).is_some();
        let mut kept: String = if cut { out.graphemes(true).take(cap - 1).collect() } else { out };
        if cut {
            kept.push('…');
        }
        if removed {
            kept.push('⚠');
        }
        Self(Arc::from(kept))
    }
}

fn is_mark(c: char) -> bool {
    unicode_width::UnicodeWidthChar::width(c) == Some(0) && !is_hidden(c)
}

/// True for what is never drawn: controls, marks of direction, fillers, private characters.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E000}'..='\u{F8FF}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..='\u{10FFFF}')
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
impl From<&str> for Clean {
    fn from(s: &str) -> Self {
        Self::new(s)
    }
}
impl From<String> for Clean {
    fn from(s: String) -> Self {
        Self::new(&s)
    }
}
impl Serialize for Clean {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Clean {
    /// Cleans again: a store that somebody edited is foreign text too.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self::long(&String::deserialize(d)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_bidi_and_invisible_marks_are_taken_out_and_shown_as_removed() {
        for bad in ["a\u{1b}]52;c;ZXZpbA==\u{7}b", "a\u{202E}b", "a\u{2066}b", "a\u{200B}b", "a\u{E0041}b", "a\u{9b}2Jb", "a\u{FEFF}b"] {
            let c = Clean::new(bad);
            assert!(c.as_str().ends_with('⚠'), "{bad:?} gave {c:?}");
            assert!(!c.as_str().chars().any(is_hidden), "{bad:?} gave {c:?}");
        }
    }

    #[test]
    fn five_thousand_marks_on_one_letter_stay_small() {
        let c = Clean::new(&format!("e{}", "\u{301}".repeat(5000)));
        assert!(c.as_str().len() < 40, "{}", c.as_str().len());
    }

    #[test]
    fn chinese_and_plain_text_pass_unchanged() {
        assert_eq!(Clean::new("客服一号").as_str(), "客服一号");
        assert_eq!(Clean::new("a/b c").as_str(), "a/b c");
    }

    #[test]
    fn cleaning_twice_changes_nothing_more() {
        let once = Clean::new(&"名\u{202E}".repeat(100));
        assert_eq!(Clean::long(once.as_str()), once);
    }
}
