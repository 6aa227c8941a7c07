//! What can lie over the deck, and the state that each needs. Drawn by [`super::view`], changed by [`super::update`].

use super::{
    devices::{SlotView, TokenView, VerbForm, WhyForm},
    edit::Field,
};
use crate::{
    domain::{Action, Clean, Method, Target, Tier},
    engine::mailbox::{AddCheck, HistoryLine},
    providers::AddAsk,
};

/// One overlay.
pub enum Overlay {
    /// Keys.
    Help(Search),
    /// Commands by name.
    Palette(Search),
    /// Clock evidence.
    Clock {
        /// Lines scrolled.
        scroll: usize,
    },
    /// History of a row.
    Timeline(Box<Timeline>),
    /// Rarer verbs.
    Menu {
        /// The line under the cursor.
        pick: usize,
    },
    /// Add a gateway.
    Add(Box<AddForm>),
    /// Log of toasts.
    Log {
        /// Lines scrolled back from the newest.
        scroll: usize,
    },
    /// The detail pane, full screen.
    Detail {
        /// Lines scrolled.
        scroll: usize,
    },
    /// One question for marked rows.
    Question(Box<Question>),
    /// Method and number, before any request.
    Pair(Box<PairForm>),
    /// What a verb asks for.
    Verb(Box<VerbForm>),
    /// The token of a row.
    Token(Box<TokenView>),
    /// The slot plan of an account.
    Slots(Box<SlotView>),
    /// Why a client cannot log in.
    Why(Box<WhyForm>),
    /// The vault's passphrase.
    Unlock(Field),
    /// What a running action asks of a person.
    Answer(Box<AnswerForm>),
    /// The filter line, with the filter as it was before.
    Filter {
        /// The line.
        field: Field,
        /// What Esc brings back.
        before: String,
    },
    /// Pick a state to filter by.
    States,
}

/// A list that typing narrows.
#[derive(Default)]
pub struct Search {
    /// What was typed.
    pub field: Field,
    /// The line under the cursor.
    pub pick: usize,
}

/// A timeline.
pub struct Timeline {
    /// Of which row.
    pub target: Target,
    /// Its label.
    pub label: Clean,
    /// Its lines, newest first; `None` until they came.
    pub lines: Option<Vec<HistoryLine>>,
    /// Lines scrolled.
    pub scroll: usize,
}

/// The add form.
pub struct AddForm {
    /// Index into the kinds.
    pub kind: usize,
    /// Name.
    pub name: Field,
    /// Base URL.
    pub url: Field,
    /// The first secret.
    pub key: Field,
    /// What the kind asks for instead of url and secret, where it asks for something.
    pub asks: Vec<(&'static AddAsk, Field)>,
    /// A passphrase for a new vault; asked for only where no keyring answers.
    pub passphrase: Option<Field>,
    /// Which line has the focus: 0 kind, 1 name, then url and key or what the kind asks for, last the passphrase.
    pub at: usize,
    /// The answer to the last check.
    pub check: Option<AddCheck>,
    /// True while a check is on its way.
    pub asking: bool,
    /// Add as soon as the check is fine.
    pub then_add: bool,
}

impl AddForm {
    /// Its lines: the kind and the fields.
    pub fn lines(&self) -> usize {
        self.passphrase_at() + usize::from(self.passphrase.is_some())
    }

    /// Where the passphrase stands.
    pub fn passphrase_at(&self) -> usize {
        if self.asks.is_empty() { 4 } else { 2 + self.asks.len() }
    }

    /// The field that has the focus, if it is one.
    pub fn field(&mut self) -> Option<&mut Field> {
        let last = self.passphrase_at();
        match self.at {
            0 => None,
            1 => Some(&mut self.name),
            n if n == last => self.passphrase.as_mut(),
            n if !self.asks.is_empty() => self.asks.get_mut(n - 2).map(|(_, f)| f),
            2 => Some(&mut self.url),
            3 => Some(&mut self.key),
            _ => None,
        }
    }
}

/// The question of a running action.
pub struct AnswerForm {
    /// Which op.
    pub op: i64,
    /// What it is called, with the row.
    pub title: String,
    /// The question.
    pub prompt: crate::domain::Prompt,
    /// The answer; masked unless it may be seen.
    pub field: Field,
    /// It was read out, where it is not drawn.
    pub said: bool,
}

/// The question for several rows.
pub struct Question {
    /// What.
    pub action: Action,
    /// On what, with labels.
    pub targets: Vec<(Target, Clean)>,
    /// What is lost, each with how many rows lose it.
    pub loses: Vec<(String, usize)>,
    /// Marked rows that are left out, with the reason.
    pub left_out: Vec<(Clean, String)>,
    /// Marked rows that no line shows.
    pub hidden: usize,
    /// How many may be online now.
    pub online: usize,
    /// The strictest tier among them.
    pub tier: Tier,
    /// True: the count has to be typed.
    pub count_typed: bool,
    /// What was typed.
    pub field: Field,
}

/// Method and number.
pub struct PairForm {
    /// On what.
    pub target: Target,
    /// Its label.
    pub label: Clean,
    /// Methods with whether they need a number.
    pub methods: Vec<(Method, bool)>,
    /// Index into the methods.
    pub pick: usize,
    /// The number.
    pub number: Field,
    /// What is wrong with what was given.
    pub trouble: Option<String>,
    /// True when it changes the method of the running attempt.
    pub switch: bool,
}

impl PairForm {
    /// The method under the cursor and whether it needs a number.
    pub fn method(&self) -> Option<(Method, bool)> {
        self.methods.get(self.pick).copied()
    }
}
