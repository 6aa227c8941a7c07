//! What can lie over the deck, and the state that each needs. Drawn by [`super::view`], changed by [`super::update`].

use super::{
    devices::{SlotView, TokenView, VerbForm, WhyForm},
    edit::Field,
};
use crate::{
    domain::{Action, Clean, Method, Target, Tier},
    engine::mailbox::{AddCheck, HistoryLine},
    providers::form::{self, AddField, For},
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
    Unlock(UnlockForm),
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
    /// What else its kind is asked for, in the order of [`form::lines`].
    pub fields: Vec<(AddField, Field)>,
    /// A passphrase for a new vault; asked for only where no keyring answers.
    pub passphrase: Option<Field>,
    /// The same once more: one that was mistyped would open nothing ever again.
    pub again: Field,
    /// Which line has the focus: 0 kind, 1 name, then the fields, then the passphrase and the same again.
    pub at: usize,
    /// The answer to the last check.
    pub check: Option<AddCheck>,
    /// True while a check is on its way.
    pub asking: bool,
    /// How many were asked for: an answer to an earlier one says nothing of what stands there now.
    pub asked: u32,
    /// Add as soon as the check is fine.
    pub then_add: bool,
}

impl AddForm {
    /// The field that has the focus, if it is one.
    pub fn field(&mut self) -> Option<&mut Field> {
        match self.at {
            0 => None,
            1 => Some(&mut self.name),
            n if n == self.seal() => self.passphrase.as_mut(),
            n if n == self.seal() + 1 => self.passphrase.is_some().then_some(&mut self.again),
            n => self.fields.get_mut(n - 2).map(|(_, f)| f),
        }
    }

    /// The line of the passphrase, whether or not it is there.
    pub fn seal(&self) -> usize {
        2 + self.fields.len()
    }

    /// What was typed for a purpose; empty where the kind is not asked for it.
    pub fn text(&self, of: For) -> &str {
        self.fields.iter().find(|(f, _)| f.of == of).map_or("", |(_, f)| f.text())
    }

    /// Asks for what this kind needs; what was typed for the same purpose stays.
    pub fn ask_for(&mut self, kind: &str) {
        let mut old = std::mem::take(&mut self.fields);
        for field in form::lines(kind) {
            let kept = old.iter().position(|(f, _)| f.of == field.of).map(|n| old.swap_remove(n).1);
            let empty = || if field.masked() { Field::secret() } else { Field::with("") };
            self.fields.push((field, kept.unwrap_or_else(empty)));
        }
    }
}

/// The vault's passphrase.
pub struct UnlockForm {
    /// What was typed; never drawn.
    pub field: Field,
    /// True while it is tried.
    pub asking: bool,
    /// Why the last one did not open it.
    pub trouble: Option<crate::domain::Reason>,
}

impl Default for UnlockForm {
    fn default() -> Self {
        Self { field: Field::secret(), asking: false, trouble: None }
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
