//! What the terminal may ask of the engine. Each variant says when it may be sent.

use crate::{
    domain::{Action, Answer, Method, Secret, Target},
    store::config,
};
use std::collections::BTreeMap;

/// A request to the engine. Bounded queue; full means a toast, never a wait.
#[derive(Debug)]
pub enum Command {
    /// Claim the target for `action` and show it as armed. Changes nothing on any server.
    Arm {
        /// The row as last drawn.
        target: Target,
        /// Wipe, regenerate or a verb.
        action: Action,
        /// A name that a creating verb needs.
        input: BTreeMap<Box<str>, Box<str>>,
    },
    /// Start an armed op: only when its countdown ended while it was drawn, or on Enter with the armed row in focus.
    Fire(i64),
    /// Take back an armed op, or ask a running one to stop before its pivot.
    Undo(i64),
    /// Answer the question of a paused op.
    AnswerOp(i64, Answer),
    /// Go on with an op whose outcome is not known: what stands there is looked at first.
    Again(i64),
    /// A person looked at an ambiguous or failed op and dismisses it.
    Dismiss(i64),
    /// Begin pairing. Asked for method and number before; asks the gate before any request.
    Pair {
        /// The row as last drawn.
        target: Target,
        /// QR or code.
        method: Method,
        /// Digits with country code.
        number: Option<Box<str>>,
    },
    /// In the running attempt: what the person pressed.
    Pairing(PairKey),
    /// Tell the offsets of the last day of every gateway.
    ClockTracks,
    /// Ask this gateway's clock again (`None`: all of them).
    AskClock(Option<crate::domain::GatewayId>),
    /// What is on screen: gateways with a visible row, and the row under the cursor.
    Look {
        /// Gateways with a visible row.
        on_screen: Vec<crate::domain::GatewayId>,
        /// The row under the cursor.
        selected: Option<Target>,
    },
    /// Poll now (`ctrl-l` does not; `m` menu and tests do).
    Refresh(Option<crate::domain::GatewayId>),
    /// Load the history of a target for the timeline.
    History(Target),
    /// Tell of the token of a target what its row does not: `Mail::tale`. Nobody but the store that hosts share is asked.
    TokenTale(Target),
    /// Read a token for an operator who asked to see it.
    Reveal(Target),
    /// A token that is on screen was put into the clipboard: a line of the audit.
    Copied(Target),
    /// Why a client of this target cannot log in; nothing is changed. The answer is `Mail::why`.
    Why {
        /// The row, which need not be there.
        target: Target,
        /// What the client uses.
        claim: crate::providers::Claim,
    },
    /// Check a gateway that the add form describes; the answer is `Mail::add_check`.
    CheckGateway(NewGateway),
    /// Add it to the configuration, seal its key, start watching.
    AddGateway(NewGateway),
    /// Try to open the vault again; with a passphrase if the key source wants one.
    Unlock(Option<Secret>),
    /// End: disarm what is armed, wait for running ops.
    Quit,
    /// End now: the journal resumes later.
    QuitNow,
}

/// Keys of the pairing screen that the engine must know of.
#[derive(Debug)]
pub enum PairKey {
    /// Ask the gate again, then for a new Offer.
    Again,
    /// Show what is held back because the clock is unknown or freshness is not proven.
    Show,
    /// Go on although the clock blocks: the second key of the override.
    Override,
    /// Agree to the destructive plan that the attempt needs.
    Agree,
    /// Change to a QR, or to a code with this number: ends the attempt and begins anew.
    Switch(Method, Option<Box<str>>),
    /// Answer the question on screen.
    Answer(Answer),
    /// Leave: the attempt ends.
    Leave,
}

/// A gateway described by the add form or by `pairdeck add`.
#[derive(Clone, Debug)]
pub struct NewGateway {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its base URL.
    pub url: String,
    /// Its secret: its first one, or the account's where accounts have one.
    pub secret: Secret,
    /// Its first account and that one's id, for kinds whose servers list none.
    pub account: Option<(String, String)>,
    /// Keys of its table that only its kind has, as text.
    pub own: Vec<(Box<str>, String)>,
    /// Plain http to a host other than loopback is accepted.
    pub allow_plaintext: bool,
    /// Which question this is: its answer has the same number.
    pub n: u32,
    /// What its kind asks for besides, by name; kinds that ask for something here have neither url nor secret of their own.
    pub given: BTreeMap<&'static str, Secret>,
    /// For a new vault where no keyring answers: chosen by the operator after being told so.
    pub passphrase: Option<Secret>,
}

impl NewGateway {
    /// One of which nothing but name and kind was given so far.
    pub fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            url: String::new(),
            secret: Secret::new(String::new()),
            account: None,
            own: Vec::new(),
            allow_plaintext: false,
            n: 0,
            given: BTreeMap::new(),
            passphrase: None,
        }
    }

    /// What every kind has in the configuration.
    pub fn listed(&self) -> config::NewGateway {
        config::NewGateway { allow_plaintext: self.allow_plaintext, ..config::NewGateway::new(&self.name, &self.kind, &self.url) }
    }
}
