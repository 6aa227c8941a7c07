//! Why a client cannot log in, and what stands on the slots of an account: what a provider compared, in words.

use crate::{
    domain::{Reason, Secret},
    i18n::{Message, Words},
};

/// What a client is about to use, or was seen to use when it was refused.
#[derive(Debug, Default)]
pub struct Claim {
    /// The slot that it logs in on, as typed: a number or a configured name.
    pub slot: Option<Box<str>>,
    /// The level that it should have, as typed.
    pub level: Option<Box<str>>,
    /// The family of its library, where that implies a slot.
    pub sdk: Option<Box<str>>,
    /// The token that it holds.
    pub token: Option<Secret>,
    /// A line of the server's log, exactly as pasted: hostile text that holds tokens. Never kept, never shown as it is.
    pub log: Option<Secret>,
}

/// What was found out about a client that cannot log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was compared, in the order in which a person reads it.
    pub lines: Vec<DiagLine>,
    /// The verdict; `None` when nothing speaks against the client.
    pub reason: Option<Reason>,
    /// True when the client's own token was compared with that of its own flag. Without, `None` above says only that nothing
    /// was seen.
    pub compared: bool,
}

impl Diagnosis {
    /// The verdict in words: where no cause was found, how much that is worth.
    pub fn verdict(&self) -> Reason {
        use crate::domain::ReasonCode;
        let none = if self.compared { ReasonCode::NothingAgainst } else { ReasonCode::NotCompared };
        self.reason.clone().unwrap_or_else(|| Reason::new(none))
    }
}

/// One compared thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagLine {
    /// How it stands.
    pub mark: Mark,
    /// What was found, secrets as fingerprints only.
    pub text: Message,
}

/// How a compared thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// The cause, or one of them.
    Bad,
    /// Worth knowing.
    Note,
}

/// The slots of one account: what is in use, what is planned, what would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTable {
    /// Column heads, as many as each line has cells.
    pub head: Vec<&'static Words>,
    /// One line a slot.
    pub lines: Vec<SlotLine>,
    /// What is wrong with the plan or its use: collisions, drift, limits.
    pub warnings: Vec<Message>,
    /// What to do, one act each.
    pub advice: Vec<Message>,
    /// The first advice as a verb that can be armed, if it is one.
    pub suggest: Option<Suggestion>,
}

/// A verb with its answers filled in, for a person to look over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The verb's id.
    pub verb: &'static str,
    /// Answers by the name of their [`super::AskSpec`].
    pub given: Vec<(&'static str, Box<str>)>,
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLine {
    /// The device's id, as in targets.
    pub slot: Box<str>,
    /// One text a column.
    pub cells: Vec<Message>,
    /// The device's state; [`crate::domain::State::Unknown`] for a planned slot that nobody uses.
    pub state: crate::domain::State,
    /// What a login on this slot would do now, said before it happens.
    pub would: Option<Message>,
}
