//! One line of input with the readline keys. Its text is wiped from memory when it is dropped: it may be a password.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroize;

/// Longest text that a field takes, in bytes.
const LONGEST: usize = 4096;

/// A text field.
#[derive(Default)]
pub struct Field {
    text: String,
    at: usize,
    /// Drawn as dots.
    pub masked: bool,
}

impl Drop for Field {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl Field {
    /// A field that holds `text`, cursor at its end.
    pub fn with(text: &str) -> Self {
        // The capacity is taken at once, so that growing leaves no copies behind.
        let mut own = String::with_capacity(LONGEST.max(text.len()));
        own.push_str(text);
        Self { at: text.len(), text: own, masked: false }
    }

    /// A masked field.
    pub fn secret() -> Self {
        let mut field = Self::with("");
        field.masked = true;
        field
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True without text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What may be drawn: the text, or a dot a character.
    pub fn shown(&self) -> String {
        if self.masked { "·".repeat(self.text.graphemes(true).count()) } else { self.text.clone() }
    }

    /// Cells left of the cursor in [`Field::shown`].
    pub fn cursor(&self) -> usize {
        let head = &self.text[..self.at];
        if self.masked { head.graphemes(true).count() } else { super::text::width(head) }
    }

    /// Puts pasted text in, controls dropped.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        if self.text.len() + c.len_utf8() <= LONGEST {
            self.text.insert(self.at, c);
            self.at += c.len_utf8();
        }
    }

    fn left(&self) -> usize {
        self.text[..self.at].grapheme_indices(true).next_back().map_or(0, |(i, _)| i)
    }

    fn right(&self) -> usize {
        self.text[self.at..].graphemes(true).next().map_or(self.at, |g| self.at + g.len())
    }

    /// Takes a key. False when the field has no use for it.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::ALT) {
            return false;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('a') => self.at = 0,
                KeyCode::Char('e') => self.at = self.text.len(),
                KeyCode::Char('u') => {
                    self.text.drain(..self.at);
                    self.at = 0;
                }
                KeyCode::Char('k') => self.text.truncate(self.at),
                KeyCode::Char('w') => {
                    let head = self.text[..self.at].trim_end();
                    let from = head.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(i, c)| i + c.len_utf8());
                    self.text.drain(from..self.at);
                    self.at = from;
                }
                KeyCode::Char('d') => {}
                _ => return false,
            }
            return true;
        }
        match key.code {
            KeyCode::Char(c) if !c.is_control() => self.insert(c),
            KeyCode::Backspace => {
                let from = self.left();
                self.text.drain(from..self.at);
                self.at = from;
            }
            KeyCode::Delete => {
                let to = self.right();
                self.text.drain(self.at..to);
            }
            KeyCode::Left => self.at = self.left(),
            KeyCode::Right => self.at = self.right(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(f: &mut Field, code: KeyCode, m: KeyModifiers) {
        f.key(&KeyEvent::new(code, m));
    }

    #[test]
    fn readline_keys_edit_at_grapheme_bounds() {
        let mut f = Field::with("客服 e\u{301}x");
        press(&mut f, KeyCode::Left, KeyModifiers::NONE);
        press(&mut f, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(f.text(), "客服 x");
        assert_eq!(f.cursor(), 5);
        press(&mut f, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(f.text(), "x");
        f.paste("a\nb\u{1b}");
        assert_eq!(f.text(), "abx");
        press(&mut f, KeyCode::Char('e'), KeyModifiers::CONTROL);
        press(&mut f, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(f.text(), "");
    }

    #[test]
    fn a_masked_field_shows_only_its_length() {
        let mut f = Field::secret();
        f.paste("hunter2");
        assert_eq!(f.shown(), "·······");
    }
}
