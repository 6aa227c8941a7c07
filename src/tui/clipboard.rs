//! The clipboard by OSC 52: the terminal itself copies, also over ssh; no helper program on the wrong machine.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::{self, Write};

/// Longest text that terminals are known to take.
pub const LONGEST: usize = 74_000;

/// Writes the sequence that makes the terminal copy `text`.
pub fn copy(out: &mut impl Write, text: &str) -> io::Result<()> {
    if text.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too long for a terminal's clipboard"));
    }
    write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn copied_text_travels_encoded_so_that_it_cannot_end_the_sequence() {
        let mut out = Vec::new();
        copy(&mut out, "a\u{7}b").unwrap();
        assert_eq!(out, b"\x1b]52;c;YQdi\x07");
        assert!(copy(&mut out, &"x".repeat(LONGEST + 1)).is_err());
    }
}
