//! Providers describe, the engine acts. A provider yields reports, says what can be done, turns an action into a plan and a
//! pairing into a stream of events. It never journals, never retries on its own account, never touches the terminal.
//!
//! Adding one = one folder, one line in [`registry`], one sandbox server, one row in the contract tests.

mod add;
mod diagnosis;
pub mod duty;
pub mod evolution;
pub mod form;
pub mod http;
pub mod langbot;
pub mod registry;
mod spec;
pub mod telegram;
pub mod token;
pub mod tokens;
pub mod wecom_aibot;
pub mod wukongim;

pub use add::{AddAsk, Described};
pub use diagnosis::{Claim, DiagLine, Diagnosis, Mark, SlotLine, SlotTable, Suggestion};
pub use spec::{AskSpec, Becomes, KindSpec, MethodSpec, On, SecretSpec, VerbSpec};

use crate::{
    clock::sample::Sample,
    domain::{
        Action, Answer, Effect, Finding, GatewayId, Inputs, Not, Op, Plan, Prompt, Reason, RemoteId, Row, Secret, Secrets, Stamp, StepEnd, Target,
        Time, Ungated, Want,
    },
    i18n::Message,
    store::config,
};
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A boxed future that may run on any thread.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Verb of kinds whose accounts have slots for workers: makes a new one. `p` opens it on an account that is paired already.
pub const NEW_SLOT: &str = "new-slot";

/// Verb of kinds whose platforms issue tokens: one request although the platform said to wait. `b` of the token view arms it.
pub const RETRY: &str = "retry";

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
    /// The same, where not every account could be asked: of those that could, what is missing here is gone.
    AllBut {
        /// Every row seen.
        rows: Vec<Row>,
        /// Accounts that could not be asked: what was known of their devices stays.
        unasked: Vec<RemoteId>,
    },
    /// The gateway itself does not answer. Does not end the watch.
    Lost {
        /// What there is to say of its rows all the same, each whole.
        rows: Vec<Row>,
        /// Why.
        why: Reason,
    },
    /// One account with everything under it: of its rows, what is missing here is gone.
    Whole {
        /// Which.
        account: RemoteId,
        /// Every row of it.
        rows: Vec<Row>,
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
    /// Figures of its server, and what the credential may do there, by stable keys.
    pub figures: Vec<crate::domain::Fact>,
    /// What the credential may and may not do, as sentences: told when the gateway is added, and on its pane.
    pub rights: Vec<Message>,
}

impl Default for GatewayFacts {
    /// Before anything was told: nothing is denied yet. A plan proves its rights before it destroys anything.
    fn default() -> Self {
        Self { version: None, feed: Feed::Polling, whole: true, warnings: Vec::new(), note: None, figures: Vec::new(), rights: Vec::new() }
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

/// The name in [`Cx::broken`] that stands for every secret: the store is damaged, so that none can be called missing.
pub const ANY_SECRET: &str = "";

impl Cx {
    /// Why the secret of that name cannot be used although it is needed: it is broken, or the whole store is, else `missing`.
    pub fn without(&self, name: &str, missing: Reason) -> Reason {
        self.broken.get(name).or_else(|| self.broken.get(ANY_SECRET)).cloned().unwrap_or(missing)
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
    /// The same right, asked for: who has it is asked to lend it, and waited for so long. The inner error: who has it and did not let go.
    fn borrow<'a>(&'a self, name: &'a str, _within: std::time::Duration) -> Fut<'a, Result<Result<Right, crate::domain::Clean>, Reason>> {
        Box::pin(async move { Ok(self.exclusive(name).await?.ok_or_else(|| crate::domain::Clean::new(""))) })
    }
    /// Who has that right. `None`: nobody, or nobody knows.
    fn holder(&self, _name: &str) -> Option<Holder> {
        None
    }
    /// Resolves when another process asks for that right.
    fn wanted(&self, _name: &str) -> Fut<'static, ()> {
        Box::pin(std::future::pending())
    }
    /// Resolves when nobody has that right and nobody asks for it.
    fn given_back(&self, _name: &str) -> Fut<'static, ()> {
        Box::pin(std::future::pending())
    }
    /// Notes that this process, which has that right, has just done what it has it for.
    fn is_well(&self, _name: &str) {}
    /// The gateway's rows as the process that watches it keeps them.
    fn kept_rows(&self) -> Fut<'_, Vec<Row>> {
        Box::pin(async { Vec::new() })
    }
    /// A sealed value of the gateway's, such as what a provider must not lose while it is at work. Nothing, where nothing may be changed.
    fn sealed<'a>(&'a self, _key: &'a str) -> Fut<'a, Result<Option<Secret>, Reason>> {
        Box::pin(async { Ok(None) })
    }
    /// Keeps it, or with `None` forgets it; resolves when that is committed.
    fn seal<'a>(&'a self, _key: &'a str, _value: Option<&'a Secret>) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Err(Reason::new(crate::domain::ReasonCode::StoreUnwritable)) })
    }
    /// Forgets a sealed value, unless another one was put there since. True: it was there and is gone.
    fn forget<'a>(&'a self, key: &'a str, was: &'a Secret) -> Fut<'a, Result<bool, Reason>> {
        Box::pin(async move {
            let same = self.sealed(key).await?.is_some_and(|is| is == *was);
            if same {
                self.seal(key, None).await?;
            }
            Ok(same)
        })
    }
    /// Appends to the audit what was done to an account of the gateway that no op tells of.
    fn audit<'a>(&'a self, _account: &'a str, _action: &'a str, _outcome: &'a str) -> Fut<'a, ()> {
        Box::pin(std::future::ready(()))
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

/// Who has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, by its command and number.
    pub who: crate::domain::Clean,
    /// It is this one.
    pub here: bool,
    /// How long ago it had last done what it has the right for.
    pub well: Option<Duration>,
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
    /// Held for as long as an op on `at` is planned and run: what its steps share stays here meanwhile and is lent to nobody.
    fn engage(&self, _cx: &Cx, _at: &Target) -> Right {
        Box::new(())
    }
    /// Makes a plan. Reads only; proves the right to do every step before the first one destroys anything.
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, given: Inputs) -> Fut<'a, Result<Plan, Reason>>;
    /// Whether the effect of `step` is there.
    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding>;
    /// Runs `step` once.
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, answer: Option<Answer>) -> Fut<'a, StepEnd>;
    /// Takes `step` back: only before the pivot.
    fn back<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, StepEnd>;
    /// True when a pairing by that method asks for something that must be typed here, whoever pairs.
    fn is_typed_here(&self, _method: crate::domain::Method) -> bool {
        false
    }
    /// What would have answered a question that nobody answers, as a reason with its remedy.
    fn unanswered(&self, _at: &Target, _prompt: &Prompt) -> Option<Reason> {
        None
    }
    /// What is remembered that speaks against starting the worker of `at` as it stands, beside what its files tell. Nobody is asked.
    fn uneasy<'a>(&'a self, _cx: &'a Cx, _at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async { None })
    }
    /// Begins a pairing attempt. Nothing was sent before this call; the gate was asked.
    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>>;
    /// What to say of a row that was paired, head (with `{label}`) and where what was got lies, where it is neither with the phone nor
    /// here. `None`: what the row's state tells.
    fn paired(&self) -> Option<[&'static crate::i18n::Words; 2]> {
        None
    }
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
    /// Whether the session of a target that `pairdeck run` runs is alive. The session itself is not used for it.
    fn life<'a>(&'a self, _cx: &'a Cx, _at: &'a Target) -> Fut<'a, duty::Life> {
        Box::pin(std::future::ready(duty::Life::Unknown(None)))
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
