//! Providers describe, the engine acts. A provider yields reports, says what can be done, turns an action into a plan and a
//! pairing into a stream of events. It never journals, never retries on its own account, never touches the terminal.
//!
//! Adding one = one folder, one line in [`registry`], one sandbox server, one row in the contract tests.

mod add;
pub mod duty;
pub mod evolution;
pub mod form;
pub mod http;
pub mod langbot;
pub mod registry;
pub mod telegram;
pub mod token;
pub mod tokens;
pub mod wecom_aibot;
pub mod wukongim;

pub use add::{AddAsk, Described};

use crate::{
    clock::{Limits, sample::Sample},
    domain::{
        Action, Answer, Effect, Finding, GatewayId, Inputs, Not, Op, Plan, Prompt, Reason, RemoteId, Row, Secret, Secrets, Stamp, StepEnd, Target,
        Time, Ungated, Want,
    },
    i18n::{Message, Words},
    store::config,
};
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A boxed future that may run on any thread.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Verb of kinds whose accounts have slots for workers: makes a new one. `p` opens it on an account that is paired already.
pub const NEW_SLOT: &str = "new-slot";

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
    /// Secrets that each account of such a gateway needs, kept under [`token::account_secret`].
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
    /// Its name in [`Inputs`] and in `--set NAME=VALUE`.
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
}

/// What a watch or a look yields. An incomplete list never deletes.
#[derive(Debug)]
pub enum Report {
    /// The list of the gateway's rows.
    All {
        /// Every row seen.
        rows: Vec<Row>,
        /// True when rows that are missing here are gone.
        complete: bool,
    },
    /// Some rows, each whole.
    Part(Vec<Row>),
    /// Rows that are gone.
    Gone(Vec<Target>),
    /// Nothing changed; the source was heard at that instant.
    Alive(Stamp),
    /// What is known of the gateway itself.
    Gateway(GatewayFacts),
    /// Trouble that does not end the watch.
    Trouble(Reason),
}

/// What is known of a gateway itself.
#[derive(Clone, Debug)]
pub struct GatewayFacts {
    /// Server version, if told.
    pub version: Option<crate::domain::Clean>,
    /// How states arrive.
    pub feed: Feed,
    /// True when the credential sees everything; false for one row only.
    pub whole: bool,
    /// Warnings worth a badge or a line.
    pub warnings: Vec<Message>,
    /// What a person should mend although it answers: stands as the reason of a gateway that is online.
    pub note: Option<Reason>,
}

impl Default for GatewayFacts {
    /// Before anything was told: nothing is denied yet. A plan proves its rights before it destroys anything.
    fn default() -> Self {
        Self { version: None, feed: Feed::Polling, whole: true, warnings: Vec::new(), note: None }
    }
}

/// How states arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// By asking.
    #[default]
    Polling,
    /// One stream for all rows.
    Events,
    /// A stream for some rows, asking for the others.
    SomeEvents,
}

/// How a look is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// This row, fresh from the server.
    Row,
    /// The cheapest call that proves the credential and shows the server's clock.
    Probe,
    /// The whole list.
    All,
}

/// Sender of reports; the engine bounds it.
pub type Tx<T> = tokio::sync::mpsc::Sender<T>;

/// What a provider gets for every call: its gateway's settings, secrets, HTTP, time, and a memo.
pub struct Cx {
    /// The gateway's name.
    pub gateway: GatewayId,
    /// Its settings.
    pub settings: Arc<crate::store::config::Gateway>,
    /// The shared client, bound to this gateway's rules.
    pub http: Arc<http::Client>,
    /// The secrets that the spec names, as far as they are stored and the vault is open.
    pub secrets: Secrets,
    /// Those that are stored and do not open, by name, and why: broken is not missing.
    pub broken: Arc<BTreeMap<String, Reason>>,
    /// Clocks.
    pub time: Arc<dyn Time>,
    /// Key for fingerprints.
    pub fingerprint_key: [u8; 32],
    /// Ends the call: stop at the next safe point.
    pub cancel: CancellationToken,
    /// Small persisted provider-private JSON, without secrets.
    pub memo: Arc<dyn Memo>,
    /// Where clock samples of this gateway go.
    pub samples: Arc<dyn Samples>,
    /// The one owner of this gateway's tokens.
    pub tokens: Arc<dyn token::Tokens>,
    /// True while rows of this gateway are on screen.
    pub seen: tokio::sync::watch::Receiver<Attention>,
}

impl Cx {
    /// Why the secret of that name cannot be used although it is needed: it is broken, else `missing`.
    pub fn without(&self, name: &str, missing: Reason) -> Reason {
        self.broken.get(name).cloned().unwrap_or(missing)
    }
}

/// What the operator looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// Rows of this gateway are on screen.
    pub on_screen: bool,
    /// The row under the cursor, if it is of this gateway.
    pub selected: Option<RemoteId>,
    /// Raised when the operator asks for a refresh.
    pub refresh: u64,
}

/// Small persisted provider-private JSON, keyed by account.
pub trait Memo: Send + Sync {
    /// What was kept under `key`.
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>>;
    /// Keeps `value` under `key`; resolves when it is committed.
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>>;
    /// An exclusive right among all processes that share the store, held while the value lives. `None`: somebody else has it.
    fn exclusive<'a>(&'a self, _name: &'a str) -> Fut<'a, Result<Option<Right>, Reason>> {
        Box::pin(async { Ok(Some(Box::new(()) as Right)) })
    }
    /// What the operator's file says at this moment; `None` where there is none that can be read.
    fn configured(&self) -> Option<config::Config> {
        None
    }
    /// Why the operator's file would not take this slot, if it would not. Nothing is written.
    fn would_enlist(&self, _slot: &config::NewSlot) -> Result<(), Reason> {
        Err(Reason::new(crate::domain::ReasonCode::StoreUnwritable))
    }
    /// Puts a slot into the operator's file (`true`), or takes out the one that was put there. One that somebody changed meanwhile
    /// stays as it is.
    fn enlist<'a>(&'a self, _slot: &'a config::NewSlot, _there: bool) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Err(Reason::new(crate::domain::ReasonCode::StoreUnwritable)) })
    }
}

/// An exclusive right, let go when it is dropped.
pub type Right = Box<dyn std::any::Any + Send + Sync>;

/// Sink for clock samples that ride on calls already made.
pub trait Samples: Send + Sync {
    /// Takes one sample.
    fn push(&self, sample: Sample);
    /// A request got no answer: what comes after an outage is not judged by what was measured before it.
    fn lost(&self) {}
}

/// One kind of gateway.
pub trait Provider: Send + Sync {
    /// Its constants.
    fn spec(&self) -> &'static KindSpec;
    /// Whether `action` can be done to `row` as it stands. Pure: reads the cached row only.
    fn can(&self, row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not>;
    /// Reports until cancelled or broken. Reads only. Returns why it ended.
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason>;
    /// Reads once.
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>>;
    /// What is known of the gateway itself, where [`Look::All`] tells only its rows. `None`: nothing more.
    fn facts<'a>(&'a self, _cx: &'a Cx) -> Fut<'a, Option<GatewayFacts>> {
        Box::pin(async { None })
    }
    /// False for a kind whose servers are never asked from here: then nobody knows whether they answer.
    fn is_asked(&self) -> bool {
        true
    }
    /// Makes a plan. Reads only; proves the right to do every step before the first one destroys anything.
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, given: Inputs) -> Fut<'a, Result<Plan, Reason>>;
    /// Whether the effect of `step` is there.
    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding>;
    /// Runs `step` once.
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, answer: Option<Answer>) -> Fut<'a, StepEnd>;
    /// Takes `step` back: only before the pivot.
    fn back<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, StepEnd>;
    /// Begins a pairing attempt. Nothing was sent before this call; the gate was asked.
    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>>;
    /// True when a pairing of this row is with another server than the one that the watch hears. Its clock counts too, so the
    /// gate asks for it, by a probe of this row, before the attempt begins.
    fn pairs_elsewhere(&self, _settings: &crate::store::config::Gateway, _at: &Target) -> bool {
        false
    }
    /// The current token, for an operator who asked to see it.
    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>>;
    /// How this kind issues tokens that die. `None`: it has no such tokens.
    fn issuer(&self) -> Option<&dyn token::Issuer> {
        None
    }
    /// Why a client of this account cannot log in, worked out from management calls only: never by connecting as the client.
    /// `None`: this kind has nothing to compare; the row's own reason is all there is.
    fn why<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _claim: &'a Claim) -> Fut<'a, Result<Option<Diagnosis>, Reason>> {
        Box::pin(async { Ok(None) })
    }
    /// What is wrong with what a client is about to use, without asking anybody. `None`: this kind has no such rules.
    fn lint(&self, _settings: &crate::store::config::Gateway, _at: &Target, _claim: &Claim) -> Option<Vec<DiagLine>> {
        None
    }
    /// The exact id of the device that an operator typed in one of its other forms, such as a slot's name. `None`: no such form.
    fn slot(&self, _settings: &crate::store::config::Gateway, _typed: &str) -> Option<String> {
        None
    }
    /// Which slots an account's devices occupy and should occupy. `None`: this kind has no slots.
    fn slots(&self, _settings: &crate::store::config::Gateway, _account: &Row, _devices: &[Row]) -> Option<SlotTable> {
        None
    }
}

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
    /// Answers by the name of their [`AskSpec`].
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

/// A running attempt. Asking for the next event acknowledges that the last one is committed.
pub trait Pairing: Send {
    /// The next event. `again` asks for a new Offer in place of the one in hand.
    fn next<'a>(&'a mut self, cx: &'a Cx, answer: Option<Answer>) -> Fut<'a, PairEvent>;
    /// Ends the attempt politely; bounded in time.
    fn end<'a>(self: Box<Self>, cx: &'a Cx) -> Fut<'a, ()>;
}

/// What a pairing attempt yields.
#[derive(Debug)]
pub enum PairEvent {
    /// Waiting, and for what.
    Waiting(Reason),
    /// A code or QR that must still pass the gate.
    Offer(Ungated),
    /// An Offer that was not ours and is never shown; the time is when its session was last seen, if known.
    Discarded(Reason),
    /// The Offer in hand is dead; the next may follow by itself.
    Expired,
    /// The phone has scanned or typed it.
    Scanned,
    /// A person must give something.
    Ask(Prompt),
    /// A destructive plan must run before it can go on; the operator is asked.
    Needs(Plan, Reason),
    /// Secrets to commit before the next event is asked for.
    Got(Secrets),
    /// From here on the server may give something that it gives once. If this process dies before [`PairEvent::Owes`], the next one
    /// tells this reason. Committed before the next event is asked for.
    Staked(Reason),
    /// Secrets that the server gave once, and the plan that puts them to use. Both are committed before the next event is asked for,
    /// which carries out the plan's first step; the rest runs after the attempt, whatever ends it, or in the next process.
    Owes(Secrets, Plan),
    /// Linked: facts for the success panel.
    Linked(Box<Row>),
    /// Over.
    Failed(Reason),
}
