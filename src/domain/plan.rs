//! Destructive or lasting operations as data: plans, their steps, and one run of them.

use super::{Action, Clean, Reason, Secrets, Stamp, Target, Wall};
use crate::i18n::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the plan format in the journal.
pub const PLAN_VERSION: u16 = 1;

/// How a step may be repeated after a crash or a lost reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Repeating it changes nothing more.
    Free,
    /// Only after its check said "not done".
    AfterCheck,
    /// Never: in flight at a crash it is ambiguous.
    Never,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Stable identifier within its provider and action.
    pub id: Box<str>,
    /// What it does, for people.
    pub words: Message,
    /// How it may be repeated.
    pub replay: Replay,
    /// True when the clock gate must be asked first.
    pub clock: bool,
}

/// A lasting operation as versioned data; never closures.
#[derive(Clone, Debug)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub v: u16,
    /// What it carries out.
    pub action: Action,
    /// On what, pinned to its incarnation.
    pub target: Target,
    /// In this order.
    pub steps: Vec<Step>,
    /// Index of the first step that cannot be taken back: killed before it, recovery runs `back`; from it on, forwards.
    pub pivot: usize,
    /// What is lost, each a short clause.
    pub loses: Vec<Message>,
    /// What the steps need, without secrets. Journaled in clear.
    pub clear: serde_json::Value,
    /// What the steps need, with secrets. Journaled sealed, before the first step.
    pub sealed: Secrets,
}

impl Prompt {
    /// What stands beside the question: a password's hint is its owner's, any other hint says why the last answer was refused.
    pub fn beside(&self) -> Option<Message> {
        use crate::i18n::deck as w;
        let words = if self.kind == PromptKind::Password { &w::ANSWER_HINT } else { &w::ANSWER_REFUSED };
        self.hint.as_ref().map(|h| Message::new(words).with("why", h.as_str()))
    }

    /// That the last answer was wrong, where it was and nothing else says so.
    pub fn again(&self) -> Option<Message> {
        let silent = self.kind == PromptKind::Password || self.hint.is_none();
        (self.wrong > 0 && silent).then(|| Message::new(&crate::i18n::deck::ANSWER_WRONG).with("n", self.wrong.to_string()))
    }
}

/// What a check of a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The step's effect is there.
    Done,
    /// It is not there.
    NotDone,
    /// Somebody else changed it: stop and show.
    Foreign(Reason),
    /// It cannot be told.
    CannotTell(Reason),
}

/// How a step ended.
#[derive(Clone, Debug)]
pub enum StepEnd {
    /// Done; `clear` and `sealed` are merged into the op and committed before the next step.
    Done {
        /// Merged into the op's clear data (object keys).
        clear: serde_json::Value,
        /// Merged into the op's sealed data.
        sealed: Secrets,
    },
    /// A person must give something.
    Ask(Prompt),
    /// The server allows it only later.
    Later {
        /// Not before this instant of the server's clock.
        not_before: Wall,
        /// Why.
        why: Reason,
    },
    /// It failed. `sent` tells whether the remote may have acted: then the check runs before anything is repeated.
    Failed {
        /// Why.
        why: Reason,
        /// True when the request may have reached the remote.
        sent: bool,
    },
}

impl StepEnd {
    /// Done, with nothing to remember.
    pub fn done() -> Self {
        Self::Done { clear: serde_json::Value::Null, sealed: Secrets::new() }
    }
}

/// What a person is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What kind of value.
    pub kind: PromptKind,
    /// The question.
    pub words: Message,
    /// A hint that the server gave.
    pub hint: Option<Clean>,
    /// How often a wrong answer was given.
    pub wrong: u32,
}

/// What kind of value a prompt wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// A phone number: digits with country code.
    Number,
    /// A password: masked.
    Password,
    /// A code that the platform sent.
    Code,
    /// A new credential: masked.
    Secret,
    /// Plain text.
    Text,
}

/// What a person gave. Never journaled.
pub type Answer = super::Secret;

/// A named value that a person gave before a plan is made (a number, a name, …).
pub type Input = Box<str>;
/// All of them by name.
pub type Inputs = BTreeMap<Box<str>, Input>;

/// Where an op stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpPhase {
    /// Waiting for its countdown or for Enter. A dead owner means that it never happened.
    Armed,
    /// Its plan is being made; nothing was changed yet.
    Planning,
    /// Steps are being run.
    Running,
    /// Paused at a question.
    Asking,
    /// Being taken back.
    Back,
    /// Done and verified.
    Done,
    /// It failed, and nothing was changed or all was taken back.
    Failed,
    /// What the remote did is not known. Shown until a person decides.
    Ambiguous,
    /// Taken back by the operator or its owner's end before anything was sent.
    Cancelled,
    /// A follow-up that may run only later.
    Owed,
}

impl OpPhase {
    /// True for ops that claim their account.
    pub const fn open(self) -> bool {
        matches!(self, Self::Armed | Self::Planning | Self::Running | Self::Asking | Self::Back)
    }
    /// Name in the journal and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Asking => "asking",
            Self::Back => "back",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Ambiguous => "ambiguous",
            Self::Cancelled => "cancelled",
            Self::Owed => "owed",
        }
    }
    /// Reads a name back.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Armed, Self::Planning, Self::Running, Self::Asking, Self::Back, Self::Done, Self::Failed, Self::Ambiguous, Self::Cancelled, Self::Owed]
            .into_iter()
            .find(|p| p.name() == name)
    }
}

/// One run of a plan, as the journal holds it.
#[derive(Clone, Debug)]
pub struct Op {
    /// Journal number.
    pub id: i64,
    /// What it carries out.
    pub action: Action,
    /// On what.
    pub target: Target,
    /// Where it stands.
    pub phase: OpPhase,
    /// Index of the step that is next or in flight.
    pub step: usize,
    /// True when that step was begun: its request may have been sent.
    pub begun: bool,
    /// Process that owns it: the name of a lock file that is held while it lives.
    pub owner: Box<str>,
    /// When it was armed.
    pub at: Stamp,
    /// The plan; `None` while only armed.
    pub plan: Option<Plan>,
    /// Why it ended as it did.
    pub reason: Option<Reason>,
}

#[cfg(test)]
impl Op {
    /// A journaled op that is about to carry out `plan`, as a provider gets it from the engine.
    pub(crate) fn running(plan: Plan, at: Stamp) -> Self {
        let (action, target, phase) = (plan.action.clone(), plan.target.clone(), OpPhase::Running);
        Self { id: 1, action, target, phase, step: 0, begun: true, owner: "test".into(), at, plan: Some(plan), reason: None }
    }
}
