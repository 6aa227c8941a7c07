//! What only one system has, as labelled values that the detail pane lists.

use super::{Clean, Stamp};
use crate::i18n::Words;
use serde::Serialize;

/// One labelled value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Stable key for JSON (`facts`): snake_case.
    pub key: &'static str,
    /// Label for people.
    pub label: &'static Words,
    /// The value.
    pub value: FactValue,
}

/// A fact's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FactValue {
    /// Foreign text, cleaned.
    Text(Clean),
    /// A phone number: shortened on screen until it is asked for.
    Number(Clean),
    /// A count.
    Count(u64),
    /// An instant, drawn as an age.
    At(Stamp),
    /// Yes or no.
    Flag(bool),
}
