//! What can be done to a row, what it would cost, and why it cannot be done.

use super::{Prompt, Reason};
use crate::i18n::Message;
use serde::{Deserialize, Serialize};

/// Something an operator can do to a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make a new lasting session with a phone.
    Pair,
    /// End the lasting session; it must be paired again.
    Wipe,
    /// Replace the token.
    Regenerate,
    /// One of the provider's rarer verbs (`restart`, `create`, `delete`, …), named in its `KindSpec`.
    Do(Box<str>),
}

impl Action {
    /// The word of the command line and of JSON.
    pub fn name(&self) -> &str {
        match self {
            Self::Pair => "pair",
            Self::Wipe => "wipe",
            Self::Regenerate => "regenerate",
            Self::Do(v) => v,
        }
    }
    /// Reads a name back.
    pub fn from_name(name: &str) -> Self {
        match name {
            "pair" => Self::Pair,
            "wipe" => Self::Wipe,
            "regenerate" => Self::Regenerate,
            v => Self::Do(v.into()),
        }
    }
}

/// How an armed action lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Changes nothing lasting: starts at once.
    Now,
    /// Can be redone: starts after a short visible countdown.
    Swift,
    /// Loses something for good: waits for Enter, then lapses.
    Hold,
}

/// What an available action would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// How it lets go.
    pub tier: Tier,
    /// What will be lost, each a short clause.
    pub loses: Vec<Message>,
    /// One clause for the detail pane and the armed row.
    pub says: Message,
    /// True when it can be taken back after it ran.
    pub restorable: bool,
}

/// Why an action cannot be done here and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Not {
    /// This system has no way to do it.
    Unsupported(Message),
    /// pairdeck was told to change nothing.
    ReadOnly,
    /// The vault is locked.
    Locked,
    /// Possible in another state of the row.
    NotNow(Message),
    /// The gateway is in trouble.
    Trouble(Reason),
    /// A person must first give something.
    Person(Prompt),
}

/// The form of Offer that a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A QR to scan.
    Qr,
    /// A code to type.
    Code,
}

/// What pairing should bring about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The form of Offer.
    pub method: Method,
    /// The phone number, digits with country code, where the method needs one.
    pub number: Option<Box<str>>,
    /// True when the operator agreed to wipe a spoilt session first.
    pub wipe_spoilt: bool,
}
