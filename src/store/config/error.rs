//! A mistake in the configuration: where, what, what was expected, an example, and what to do.

use crate::{
    i18n::{Lang, Message, store as words},
    store::paths::plain,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, from 1; 0 when it is about the whole file.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Dotted key (`gateway.wa.url`); empty when it is about the whole file.
    pub key: String,
    /// What is wrong.
    pub what: Message,
    /// What was expected.
    pub expected: Option<Message>,
    /// A line that would be right.
    pub example: Option<String>,
    /// What to do.
    pub remedy: Option<Message>,
}

impl ConfigError {
    /// The mistake in `lang`, as lines for people.
    pub fn text(&self, lang: Lang, file: &Path) -> String {
        let mut out = tame(&file.display().to_string());
        if self.line > 0 {
            out.push_str(&format!(":{}:{}", self.line, self.column));
        }
        out.push_str(": ");
        if !self.key.is_empty() {
            out.push_str(&format!("{}: ", tame(&self.key)));
        }
        out.push_str(&tame(&self.what.text(lang)));
        let mut more = |words, name: &str, value: &str| {
            out.push_str("\n  ");
            // Not through `Clean`: an example holds what the operator should type, letter by letter.
            let template = crate::i18n::Words::get(words, lang);
            out.push_str(&template.replace(&format!("{{{name}}}"), &tame(value)));
        };
        if let Some(m) = &self.expected {
            more(&words::CONFIG_EXPECTED, "what", &m.text(lang));
        }
        if let Some(t) = &self.example {
            more(&words::CONFIG_EXAMPLE, "text", t);
        }
        if let Some(m) = &self.remedy {
            more(&words::CONFIG_DO, "what", &m.text(lang));
        }
        out
    }
}

/// A file may hold anything; what steers a terminal is shown and does nothing.
fn tame(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\n' { c.escape_unicode().collect::<String>() } else { c.to_string() }.chars().collect::<Vec<_>>())
        .collect()
}

/// All mistakes of one file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file.
    pub path: PathBuf,
    /// At least one.
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// All of them in `lang`.
    pub fn text(&self, lang: Lang) -> String {
        self.errors.iter().map(|e| e.text(lang, &self.path)).collect::<Vec<_>>().join("\n")
    }

    /// One that is about the whole file.
    pub(super) fn whole(path: &Path, what: Message) -> Self {
        let error = ConfigError { line: 0, column: 0, key: String::new(), what, expected: None, example: None, remedy: None };
        Self { path: path.to_owned(), errors: vec![error] }
    }

    pub(super) fn unreadable(path: &Path, e: &std::io::Error) -> Self {
        Self::whole(path, Message::new(&words::CONFIG_UNREADABLE).with("why", plain(e)))
    }

    pub(super) fn unwritable(path: &Path, e: &std::io::Error) -> Self {
        Self::whole(path, Message::new(&words::CONFIG_UNWRITABLE).with("why", plain(e)))
    }

    pub(super) fn not_text(path: &Path, bytes: &[u8], upto: usize) -> Self {
        let good = String::from_utf8_lossy(&bytes[..upto]);
        let mut one = Self::whole(path, Message::new(&words::CONFIG_SYNTAX).with("why", "not UTF-8"));
        for e in &mut one.errors {
            (e.line, e.column) = place(&good, good.len());
        }
        one
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}
impl std::error::Error for ConfigErrors {}

/// Line and column, from 1, of the byte at `at`.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_does_nothing() {
        for text in [
            "\u{1b}[31m = 1\n",
            "[gateway.\"\\u001b[2J\"]\nkind = \"wecom\"\n",
            "[gateway.a]\nkind = \"\\u001b]0;x\\u0007\"\n",
            "x = \"\u{9b}31m\"\n",
        ] {
            let told = crate::store::config::Config::parse(text, Path::new("config.toml")).map(|_| ()).map_err(|e| e.text(Lang::En));
            assert!(matches!(&told, Err(t) if !t.chars().any(|c| c.is_control() && c != '\n')), "{text:?}: {told:?}");
        }
    }
}
