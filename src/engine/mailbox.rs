//! What the terminal learns: a coalescing mailbox. Writers never wait; the reader takes everything at once.

pub use super::tokens::TokenTale;
use crate::{
    clock::gate::{GateView, Shown},
    domain::{Action, Fact, GatewayId, Method, OpPhase, Prompt, Reason, Row, Secret, Stamp, Target, Tier},
    i18n::Message,
    providers::{Feed, GatewayFacts, KindSpec},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Most toasts kept for the reader.
pub const TOASTS: usize = 32;

/// Everything that changed since the reader last looked: latest values only.
#[derive(Default)]
pub struct Mail {
    /// Gateways that changed.
    pub gateways: HashMap<GatewayId, GatewayView>,
    /// Rows that changed or are new.
    pub rows: HashMap<(GatewayId, crate::domain::RemoteId, Option<crate::domain::RemoteId>), Row>,
    /// Rows that are gone.
    pub gone: Vec<Target>,
    /// Ops that changed, by number.
    pub ops: HashMap<i64, OpView>,
    /// Ops that were left open and are so no more, for a person wanted to drop them. True: that dropped it, and it is committed.
    pub dropped: Vec<(i64, bool)>,
    /// The pairing attempt, whole; `Some(None)`: it ended and its screen may close.
    pub pairing: Option<Option<PairView>>,
    /// The gate of gateways whose verdict or figures changed.
    pub gates: HashMap<GatewayId, GateView>,
    /// Bad news that is over: it was told in these words, and goes before what is told now.
    pub over: Vec<&'static crate::i18n::Words>,
    /// Short news.
    pub toasts: Vec<Toast>,
    /// Something needs a person: the bell rings, where it may.
    pub bell: bool,
    /// What is known of this host besides its clock.
    pub host: Option<crate::clock::notes::HostFacts>,
    /// Offset histories that were asked for.
    pub tracks: HashMap<GatewayId, crate::store::ClockTrack>,
    /// Header facts.
    pub status: Option<Status>,
    /// Whom the store speaks of besides, rows that were gone before this start among them: so that they can be hidden.
    pub told: Vec<Target>,
    /// Whether another user may change the configuration, or a folder on the way to it or to the store.
    pub exposed: Option<bool>,
    /// A timeline that was asked for.
    pub history: Option<(Target, Vec<HistoryLine>)>,
    /// A token that the operator asked to see. Taken, shown for some seconds, dropped.
    pub revealed: Option<(Target, Result<Secret, Reason>)>,
    /// What is told of a token that a person looks at.
    pub tale: Option<(Target, Box<TokenTale>)>,
    /// What was found out about a client that cannot log in; `Ok(None)`: its kind has nothing to compare.
    pub why: Option<(Target, Result<Option<crate::providers::Diagnosis>, Reason>)>,
    /// Result of the add form's check, or of adding.
    pub add_check: Option<AddCheck>,
    /// The engine has ended; the terminal may.
    pub ended: bool,
    /// Why the engine could not start, for a line on stderr after the terminal was restored.
    pub fatal: Option<Message>,
}

/// A gateway as the deck shows it.
#[derive(Clone, Debug)]
pub struct GatewayView {
    /// Its name.
    pub id: GatewayId,
    /// Its kind.
    pub spec: &'static KindSpec,
    /// Its own state: `online` when it answers, else why not.
    pub link: crate::domain::Link,
    /// What it told about itself.
    pub facts: GatewayFacts,
    /// True when it is reached over plain http.
    pub plaintext: bool,
    /// True while its rows come from the cache only.
    pub stale: bool,
    /// Order of the configuration.
    pub rank: usize,
}

impl GatewayView {
    /// How states arrive.
    pub fn feed(&self) -> Feed {
        self.facts.feed
    }
}

/// One op as the deck shows it.
#[derive(Clone, Debug)]
pub struct OpView {
    /// Journal number.
    pub id: i64,
    /// What.
    pub action: Action,
    /// On what.
    pub target: Target,
    /// The target's label.
    pub label: crate::domain::Clean,
    /// The platform's name, for the armed row.
    pub platform: &'static str,
    /// How it lets go.
    pub tier: Tier,
    /// One clause: what it does.
    pub says: Message,
    /// What is lost.
    pub loses: Vec<Message>,
    /// Where it stands.
    pub phase: OpPhase,
    /// When it was armed.
    pub armed_at: Stamp,
    /// The step under way: words, its number from 1, and how many there are.
    pub step: Option<(Message, usize, usize)>,
    /// A question that it waits at.
    pub prompt: Option<Prompt>,
    /// Why it ended as it did.
    pub reason: Option<Reason>,
    /// What it brought about, for the toast (`new token fp …`).
    pub outcome: Option<Message>,
}

impl OpView {
    /// True when nobody can go on with it: what was sealed of it does not open.
    pub fn spoilt(&self) -> bool {
        self.phase == OpPhase::Ambiguous
            && self.reason.as_ref().is_some_and(|r| r.code == crate::domain::ReasonCode::StoreBroken && r.arg("op").is_some())
    }
}

/// The attempt as the pairing screen shows it.
#[derive(Clone, Debug)]
pub struct PairView {
    /// On what.
    pub target: Target,
    /// The target's label.
    pub label: crate::domain::Clean,
    /// The platform's name.
    pub platform: &'static str,
    /// What to do on the phone for this method.
    pub phone: &'static [&'static crate::i18n::Words],
    /// Counts attempts of this screen.
    pub attempt: u32,
    /// QR or code.
    pub method: Method,
    /// All methods of its kind: what is not among them is offered nowhere.
    pub methods: &'static [crate::providers::MethodSpec],
    /// The number asked with, for a code.
    pub number: Option<crate::domain::Clean>,
    /// What the screen shows now.
    pub stage: PairStage,
    /// The gate, as last asked.
    pub gate: Option<GateView>,
    /// True when the operator overrode a blocked gate for this attempt.
    pub overridden: bool,
    /// Old codes discarded in this attempt.
    pub discarded: u32,
    /// How the states of this attempt arrive.
    pub feed: Feed,
    /// When the attempt began.
    pub began: Stamp,
    /// What happened so far, oldest first, at most 50.
    pub log: Vec<(Stamp, Message)>,
}

impl PairView {
    /// True when its kind pairs by that method.
    pub fn has(&self, method: Method) -> bool {
        self.methods.iter().any(|m| m.method == method)
    }
}

/// What the pairing screen shows in place of QR or code.
#[derive(Clone, Debug)]
pub enum PairStage {
    /// Asking the gate before anything is sent.
    AskingClock,
    /// Waiting for a fresh code since then.
    Waiting {
        /// Since when.
        since: Stamp,
        /// For what.
        why: Reason,
    },
    /// An old code was discarded; waiting for the new one.
    Discarded {
        /// Since when.
        since: Stamp,
        /// What was discarded.
        why: Reason,
    },
    /// The gate blocks. `started`: false = nothing was sent.
    Blocked {
        /// False: nothing was sent yet.
        started: bool,
    },
    /// A code is ready, but nothing told the time: Enter shows it.
    ClockUnknown,
    /// A code is ready, but nothing proves that it is new: Enter shows it.
    Unproven,
    /// An Offer on screen.
    Showing(Box<Shown>),
    /// Hidden because a clock was moved; a new one follows.
    Moved {
        /// How far, in milliseconds, if known.
        by_ms: Option<i64>,
    },
    /// The Offer in hand died; the next follows by itself.
    Expired {
        /// Its number.
        n: u32,
    },
    /// The phone has it.
    Scanned {
        /// Since when.
        since: Stamp,
        /// Number of the Offer.
        n: u32,
    },
    /// A question.
    Ask(Prompt),
    /// A destructive plan is needed first; Enter agrees.
    Needs {
        /// Why.
        why: Reason,
        /// What is lost.
        loses: Vec<Message>,
    },
    /// Linked.
    Linked {
        /// Something is connected; false where only a token was got, with which a client can connect.
        online: bool,
        /// A token was got, for a client to connect with; without, and not online, it is pairdeck that is logged in.
        token: bool,
        /// What its kind has to say of it, head and where what was got lies, in place of what the two before tell.
        told: Option<[&'static crate::i18n::Words; 2]>,
        /// What the platform told about the new link.
        facts: Vec<Fact>,
        /// Seconds from the start to the link.
        took_s: u64,
        /// Number of the Offer that did it.
        n: u32,
    },
    /// Over. `wipe_first`: Enter wipes and starts again.
    Failed {
        /// Why.
        why: Reason,
        /// True when the session must be wiped first.
        wipe_first: bool,
    },
}

/// Short news in the toast row.
#[derive(Clone, Debug)]
pub struct Toast {
    /// Good news fades; bad news stays until a key.
    pub good: bool,
    /// What.
    pub text: Message,
    /// About what, if a row.
    pub target: Option<Target>,
    /// When.
    pub at: Stamp,
}

/// Header facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where the vault key lives, or why it is locked.
    pub vault: VaultView,
    /// True when another process watches this store and this one learns from it.
    pub follower: bool,
    /// The store cannot be written.
    pub store_trouble: Option<Reason>,
    /// The store that hosts share does not answer.
    pub shared_trouble: Option<Reason>,
}

/// The vault as the header shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultView {
    /// Still asking the key source.
    Opening,
    /// Open; the name of the key source (`keyring`, `passphrase`, `key file`, `memory`).
    Open(&'static str),
    /// Locked: needs a passphrase, or the keyring is locked.
    Locked(Reason),
    /// No vault yet: the first secret makes one.
    Absent,
}

/// A line of the timeline.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// When.
    pub at: Stamp,
    /// What: a state change, a pairing event, an action.
    pub what: HistoryWhat,
}

/// What a timeline line tells.
#[derive(Clone, Debug)]
pub enum HistoryWhat {
    /// The state changed.
    Change {
        /// Before.
        from: crate::domain::State,
        /// After.
        to: crate::domain::State,
        /// Why.
        reason: Option<Reason>,
    },
    /// A pairing attempt ended.
    Pairing {
        /// How (`linked`, `expired`, `blocked`, …).
        outcome: crate::domain::Clean,
        /// The clock verdict at its start.
        verdict: crate::clock::Verdict,
        /// Old codes discarded.
        discarded: u32,
        /// True when a blocked clock was overridden.
        overridden: bool,
        /// Seconds it took.
        took_s: u64,
        /// Largest absolute skew in milliseconds, where one was known.
        skew_ms: Option<i64>,
        /// Offers shown.
        offers: u32,
        /// Every Offer that came.
        issued: Vec<crate::store::OfferLine>,
    },
    /// A verdict about a gateway's clock turned bad, or back.
    Clock {
        /// What was said before.
        from: crate::clock::Verdict,
        /// What is so now.
        to: crate::clock::Verdict,
        /// Gateway minus host, where known.
        skew: Option<crate::clock::sample::Interval>,
        /// Why, where it is not well.
        cause: Option<crate::clock::verdict::Cause>,
    },
    /// An action by somebody.
    Audit {
        /// `user@host`.
        who: crate::domain::Clean,
        /// Its process.
        pid: u32,
        /// The clock's verdict at that moment, where one was asked.
        verdict: Option<crate::clock::Verdict>,
        /// The action.
        action: crate::domain::Clean,
        /// Its outcome.
        outcome: crate::domain::Clean,
    },
}

/// Result of checking or adding a gateway.
#[derive(Clone, Debug)]
pub struct AddCheck {
    /// Which question it answers.
    pub n: u32,
    /// The name that was checked.
    pub name: String,
    /// Lines with a mark: fine or not.
    pub lines: Vec<(bool, Message)>,
    /// True when it was added.
    pub added: bool,
    /// Why it cannot be added, if so.
    pub trouble: Option<Reason>,
}

/// The shared box. Cheap to clone.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Inner>);

#[derive(Default)]
struct Inner {
    mail: Mutex<Mail>,
    notify: Notify,
}

impl Mailbox {
    /// An empty box.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the mail under its lock and wakes the reader. Never waits.
    pub fn put(&self, change: impl FnOnce(&mut Mail)) {
        {
            let mut mail = self.0.mail.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut mail);
            let over = mail.toasts.len().saturating_sub(TOASTS);
            mail.toasts.drain(..over);
        }
        self.0.notify.notify_one();
    }

    /// Takes everything that came since the last call.
    pub fn take(&self) -> Mail {
        std::mem::take(&mut *self.0.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when something was put since the last call.
    pub async fn changed(&self) {
        self.0.notify.notified().await;
    }
}
