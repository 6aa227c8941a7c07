//! What a person is asked when a gateway is added together with its first account, and what follows from the answers.

use crate::{domain::Secret, i18n::Words};

/// One thing asked for when a gateway is added together with its first account.
#[derive(Debug)]
pub struct AddAsk {
    /// Its name in `--set NAME=VALUE`, and its label in the form.
    pub name: &'static str,
    /// The question.
    pub words: &'static Words,
    /// Typed unseen, and sealed instead of written down.
    pub secret: bool,
    /// True when nothing is an answer.
    pub optional: bool,
}

/// What was given for the [`AddAsk`]s, in the forms in which it is kept.
#[derive(Debug)]
pub struct Described {
    /// The account.
    pub account: String,
    /// Keys of the gateway's table with their values as TOML.
    pub more: Vec<(&'static str, String)>,
    /// Secrets of the account by name.
    pub secrets: Vec<(&'static str, Secret)>,
}
