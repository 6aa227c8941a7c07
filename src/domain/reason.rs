//! One vocabulary of reasons for all systems. Words and remedies live in the catalogues, once a language.

mod code;

use super::{Clean, Stamp};
pub use code::ReasonCode;
use serde::{Deserialize, Serialize};

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The shared code.
    pub code: ReasonCode,
    /// Values for the sentence's placeholders.
    pub args: Vec<(Box<str>, Clean)>,
    /// The system's own code or text, shown in brackets.
    pub raw: Option<Clean>,
    /// When it happened, if known.
    pub at: Option<Stamp>,
}

impl Reason {
    /// A bare reason.
    pub const fn new(code: ReasonCode) -> Self {
        Self { code, args: Vec::new(), raw: None, at: None }
    }
    /// Adds the system's own code or text.
    #[must_use]
    pub fn raw(mut self, text: impl AsRef<str>) -> Self {
        self.raw = Some(Clean::long(text.as_ref()));
        self
    }
    /// Adds the value of a placeholder.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.args.push((name.into(), Clean::long(value.as_ref())));
        self
    }
    /// The value of a placeholder, where it has one.
    pub fn arg(&self, name: &str) -> Option<&str> {
        arg(&self.args, name)
    }
    /// Adds the value of a placeholder, unless it has one.
    #[must_use]
    pub fn or_with(self, name: &str, value: impl AsRef<str>) -> Self {
        if self.arg(name).is_some() { self } else { self.with(name, value) }
    }
    /// Takes the value of a placeholder away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.args.retain(|(n, _)| &**n != name);
        self
    }
    /// Adds when it happened.
    #[must_use]
    pub const fn at(mut self, at: Stamp) -> Self {
        self.at = Some(at);
        self
    }
}

/// The value that goes by `name` among the values of a sentence's placeholders: the first of that name.
pub(crate) fn arg<'a>(args: &'a [(Box<str>, Clean)], name: &str) -> Option<&'a str> {
    args.iter().find(|(n, _)| &**n == name).map(|(_, v)| v.as_str())
}
