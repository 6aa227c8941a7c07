//! Every word that a person reads, once per language, checked at compile time.
//!
//! A [`Words`] constant cannot be written without both languages, so a missing translation does not build. Placeholders
//! are `{name}`; a test compares them between the languages. One file a room; no room formats sentences of its own.

use crate::domain::Clean;
use serde::{Deserialize, Serialize};

#[macro_use]
mod catalogue;
pub mod add;
pub mod clock;
pub mod command;
pub mod common;
pub mod deck;
pub mod engine;
pub mod evolution;
pub mod langbot;
pub mod pairing;
pub mod plain;
pub mod reason;
pub mod sessions;
pub mod shell;
pub mod slots;
pub mod sntp;
pub mod state;
pub mod store;
pub mod telegram;
pub mod token;
pub mod wecom;
pub mod wukongim;
pub mod wukongim_act;
pub mod wukongim_why;

pub use catalogue::Words;

/// The languages that pairdeck speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// The language of a locale name such as `zh_CN.UTF-8`; English for everything else.
    pub fn from_locale(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Zh } else { Self::En }
    }
}

/// A sentence with its arguments, still without a language. What rooms hand to each other instead of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sentence.
    pub words: &'static Words,
    /// Values for its placeholders, already cleaned.
    pub args: Vec<(Box<str>, Clean)>,
    /// Sentences for its placeholders: put into the language of the whole.
    pub nested: Vec<(Box<str>, Message)>,
}

impl Message {
    /// A sentence without arguments.
    pub fn new(words: &'static Words) -> Self {
        Self { words, args: Vec::new(), nested: Vec::new() }
    }

    /// Adds the value of `{name}`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.args.push((name.into(), Clean::long(value.as_ref())));
        self
    }

    /// The value of `{name}`, where it is a plain one.
    pub fn arg(&self, name: &str) -> Option<&str> {
        crate::domain::reason::arg(&self.args, name)
    }

    /// Puts the sentence `inner` in the place of `{name}`.
    #[must_use]
    pub fn nest(mut self, name: &str, inner: Self) -> Self {
        self.nested.push((name.into(), inner));
        self
    }

    /// The sentence in `lang`, placeholders filled.
    pub fn text(&self, lang: Lang) -> String {
        if self.nested.is_empty() {
            return self.words.fill(lang, &self.args);
        }
        let mut args = self.args.clone();
        args.extend(self.nested.iter().map(|(name, inner)| (name.clone(), Clean::long(&inner.text(lang)))));
        self.words.fill(lang, &args)
    }
}

impl From<&crate::domain::Reason> for Message {
    /// The sentence of a reason, without its raw code.
    fn from(reason: &crate::domain::Reason) -> Self {
        Self { words: reason::words(reason), args: reason.args.clone(), nested: Vec::new() }
    }
}

impl From<&'static Words> for Message {
    fn from(words: &'static Words) -> Self {
        Self::new(words)
    }
}

impl Serialize for Message {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.words.name, &self.args, &self.nested).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (name, args, nested) = <(String, Vec<(Box<str>, Clean)>, Vec<(Box<str>, Message)>)>::deserialize(d)?;
        let words = find(&name).ok_or_else(|| serde::de::Error::custom("unknown words"))?;
        Ok(Self { words, args, nested })
    }
}

/// All catalogues, for lookup by name and for the checks.
pub fn all() -> impl Iterator<Item = &'static Words> {
    [
        add::ALL,
        clock::ALL,
        sntp::ALL,
        command::ALL,
        common::ALL,
        deck::ALL,
        engine::ALL,
        evolution::ALL,
        langbot::ALL,
        pairing::ALL,
        plain::ALL,
        reason::ALL,
        sessions::ALL,
        slots::ALL,
        state::ALL,
        store::ALL,
        token::ALL,
        telegram::ALL,
        wecom::ALL,
        wukongim::ALL,
        wukongim_why::ALL,
        wukongim_act::ALL,
    ]
    .into_iter()
    .flat_map(|c| c.iter().copied())
}

/// The words of that name, as a store or a journal wrote it.
pub fn find(name: &str) -> Option<&'static Words> {
    all().find(|w| w.name == name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashSet};

    fn placeholders(s: &str) -> BTreeSet<String> {
        s.split('{').skip(1).filter_map(|p| p.split_once('}').map(|(name, _)| name.to_owned())).collect()
    }

    #[test]
    fn both_languages_have_words_and_the_same_placeholders() {
        for w in all() {
            assert!(!w.en.trim().is_empty() && !w.zh.trim().is_empty(), "{} is empty in a language", w.name);
            assert_eq!(placeholders(w.en), placeholders(w.zh), "{} differs between the languages", w.name);
        }
    }

    #[test]
    fn every_catalogue_is_found_because_journals_name_their_words() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/i18n");
        for file in std::fs::read_dir(dir).unwrap().flatten() {
            let (path, name) = (file.path(), file.file_name().into_string().unwrap());
            let Some(stem) = name.strip_suffix(".rs") else { continue };
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().any(|l| l.starts_with("catalogue!")) {
                assert!(all().any(|w| w.name.starts_with(&format!("{stem}."))), "{name} is not in the list of catalogues");
            }
        }
    }

    #[test]
    fn names_are_unique_because_journals_store_them() {
        let mut seen = HashSet::new();
        for w in all() {
            assert!(seen.insert(w.name), "{} stands twice", w.name);
        }
    }
}
