//! What a kind of gateway is and asks for, as constants: words, limits, secrets, verbs, methods.

use crate::{clock::Limits, i18n::Words};
use std::time::Duration;

/// What a kind of gateway is, as constants: words, limits, verbs.
#[derive(Debug)]
pub struct KindSpec {
    /// The word in the configuration and on the command line.
    pub kind: &'static str,
    /// Its name for people (a proper name: the same in every language).
    pub name: &'static str,
    /// The platform that its accounts live on.
    pub platform: &'static str,
    /// Clock thresholds.
    pub limits: Limits,
    /// Secrets that a gateway of this kind needs, by name; the first is asked for by `add`.
    pub secrets: &'static [SecretSpec],
    /// Secrets that each account of such a gateway needs, kept under [`super::token::account_secret`].
    pub account_secrets: &'static [SecretSpec],
    /// Rarer verbs of the `m` menu.
    pub verbs: &'static [VerbSpec],
    /// Methods of pairing, the preferred one for a small terminal first. Empty: nothing to pair.
    pub methods: &'static [MethodSpec],
    /// Poll interval while its rows are on screen and no events come.
    pub poll_seen: Duration,
    /// Poll interval while off screen.
    pub poll_unseen: Duration,
    /// Interval of the check while events come.
    pub poll_events: Duration,
    /// What to do on the phone, step by step, for a QR.
    pub phone_qr: &'static [&'static Words],
    /// What to do on the phone, step by step, for a code.
    pub phone_code: &'static [&'static Words],
}

/// One secret of a gateway.
#[derive(Debug)]
pub struct SecretSpec {
    /// Its name in the vault.
    pub name: &'static str,
    /// The question that asks for it.
    pub words: &'static Words,
    /// True when a gateway may work without it.
    pub optional: bool,
}

/// One verb of the `m` menu.
#[derive(Debug)]
pub struct VerbSpec {
    /// The verb of `pairdeck do VERB`.
    pub id: &'static str,
    /// Its letter in the menu, unique within the kind.
    pub key: char,
    /// What it does.
    pub words: &'static Words,
    /// The rows whose menu shows it.
    pub on: On,
    /// What a person is asked before it is armed, in this order. Headless: `--set NAME=VALUE`.
    pub asks: &'static [AskSpec],
}

impl VerbSpec {
    /// True when it makes a new row: then its target is completed by what was asked and need not be there yet.
    pub fn creates(&self) -> bool {
        self.asks.iter().any(|a| a.becomes != Becomes::Input)
    }
}

/// The rows that a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The gateway (and any row of it): makes a new account.
    Gateway,
    /// An account (and its devices, meaning their account).
    Account,
    /// One device.
    Device,
    /// An account or one of its devices, whichever the cursor is on.
    Row,
}

/// One thing asked for a verb.
#[derive(Debug)]
pub struct AskSpec {
    /// Its name in [`crate::domain::Inputs`] and in `--set NAME=VALUE`.
    pub name: &'static str,
    /// The question.
    pub words: &'static Words,
    /// What the answer is for.
    pub becomes: Becomes,
    /// Taken when nothing is typed; `None`: something must be.
    pub default: Option<&'static str>,
}

/// What an answer to an [`AskSpec`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The account of the target.
    Account,
    /// The device of the target.
    Device,
    /// An input of the plan.
    Input,
}

/// One method of pairing.
#[derive(Debug)]
pub struct MethodSpec {
    /// The form of Offer.
    pub method: crate::domain::Method,
    /// True when a phone number is asked for before any request.
    pub needs_number: bool,
    /// True when its code comes to the phone and is typed here, and not the other way round.
    pub typed_here: bool,
}
