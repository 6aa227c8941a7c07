//! Key strings of the configuration (`w`, `ctrl-r`, `space`, `pgup`) and key events, as one comparable value.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// One key press as a terminal sends it. Shift is part of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// Held with ctrl.
    pub ctrl: bool,
}

impl Chord {
    /// A plain letter.
    pub const fn letter(c: char) -> Self {
        Self { code: KeyCode::Char(c), ctrl: false }
    }

    /// The chord of an event; `None` for alt chords, which are left alone (an ssh split turns them into Esc).
    pub fn of(key: &KeyEvent) -> Option<Self> {
        if key.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let code = match key.code {
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::SHIFT) && c.is_ascii_lowercase() => KeyCode::Char(c.to_ascii_uppercase()),
            c => c,
        };
        Some(Self { code, ctrl })
    }

    /// Reads a key of the configuration. `Err` says why in a few words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (ctrl, name) = match text.strip_prefix("ctrl-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if text.starts_with("alt-") || text.starts_with("meta-") {
            return Err("alt chords cannot be told from Esc over a slow line");
        }
        let mut chars = name.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if ctrl => match c.to_ascii_lowercase() {
                'i' => return Err("a terminal sends ctrl-i as Tab"),
                'm' | 'j' => return Err("a terminal sends it as Enter"),
                '[' => return Err("a terminal sends ctrl-[ as Esc"),
                'h' => return Err("a terminal may send ctrl-h as Backspace"),
                's' | 'q' => return Err("ctrl-s and ctrl-q stop and start the terminal"),
                c if c.is_ascii_lowercase() => KeyCode::Char(c),
                _ => return Err("only ctrl with a letter reaches a terminal program"),
            },
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ if ctrl => return Err("only ctrl with a letter reaches a terminal program"),
            _ => match name {
                "space" => KeyCode::Char(' '),
                "enter" => KeyCode::Enter,
                "tab" => KeyCode::Tab,
                "esc" => KeyCode::Esc,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "pgup" => KeyCode::PageUp,
                "pgdn" => KeyCode::PageDown,
                "del" => KeyCode::Delete,
                "backspace" => KeyCode::Backspace,
                _ => match name.strip_prefix('f').and_then(|n| n.parse().ok()) {
                    Some(n @ 1..=12) => KeyCode::F(n),
                    _ => return Err("write a letter, ctrl- and a letter, or a name such as space, enter, pgup"),
                },
            },
        };
        Ok(Self { code, ctrl })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Enter => f.write_str("Enter"),
            KeyCode::Tab => f.write_str("Tab"),
            KeyCode::Esc => f.write_str("Esc"),
            KeyCode::Up => f.write_str("up"),
            KeyCode::Down => f.write_str("down"),
            KeyCode::Left => f.write_str("left"),
            KeyCode::Right => f.write_str("right"),
            KeyCode::Home => f.write_str("Home"),
            KeyCode::End => f.write_str("End"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::Delete => f.write_str("Del"),
            KeyCode::Backspace => f.write_str("Backspace"),
            KeyCode::F(n) => write!(f, "F{n}"),
            _ => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_of_the_configuration_read_back_as_written() {
        for k in ["w", "W", "ctrl-r", "space", "/", ":"] {
            assert_eq!(Chord::parse(k).unwrap().to_string(), k);
        }
        for k in ["Enter", "PgUp", "F5", "Tab"] {
            assert_eq!(Chord::parse(&k.to_lowercase()).unwrap().to_string(), k);
        }
    }

    #[test]
    fn chords_that_a_terminal_cannot_send_are_refused_with_the_reason() {
        for k in ["ctrl-i", "ctrl-m", "ctrl-[", "alt-x", "ctrl-1", "ctrl-enter", "hyper", "", "ctrl-s"] {
            assert!(Chord::parse(k).is_err(), "{k}");
        }
    }
}
