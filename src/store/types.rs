//! What goes into the store and what comes out of it, in the operator's words.

use crate::{
    clock::Verdict,
    domain::{Action, Clean, GatewayId, Link, Op, Reason, ReasonCode, Stamp, State, Target, Wall},
    i18n::{Lang, Message},
};

/// What went wrong in the store, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another open op claims the account.
    #[error("another action holds this account")]
    Busy(Box<Op>),
    /// The vault is locked, so nothing sealed can be written or read.
    #[error("the vault is locked")]
    Locked,
    /// The database cannot be written, is broken, or is newer; as SQLite says it.
    #[error("{0}")]
    Trouble(String),
    /// The same, known well enough for a sentence with a remedy.
    #[error("{}", .0.text(Lang::En))]
    Said(Box<Message>),
}

impl StoreError {
    /// Wraps a sentence.
    pub fn said(message: Message) -> Self {
        Self::Said(Box::new(message))
    }

    /// True when another process replaced the vault key since this one opened the vault.
    pub(super) fn key_changed(&self) -> bool {
        matches!(self, Self::Said(m) if m.words == &crate::i18n::store::KEY_CHANGED)
    }

    /// True when the database itself could not be written: full, read-only, held for too long.
    pub(crate) fn unwritten(&self) -> bool {
        use crate::i18n::store as w;
        match self {
            Self::Said(m) => {
                [&w::DISK_FULL, &w::QUOTA_FULL, &w::READ_ONLY_FILE, &w::HELD, &w::FOLDER_UNWRITABLE, &w::BROKEN, &w::VAULT_REPLACED, &w::OWNER_OTHER]
                    .contains(&m.words)
            }
            Self::Trouble(_) => true,
            Self::Busy(_) | Self::Locked => false,
        }
    }

    /// The sentence in `lang`, for the command line.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::Said(m) => m.text(lang),
            other => other.to_string(),
        }
    }

    /// The same as a reason, for header, toast and JSON. The sentence travels as its raw text.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Busy(op) => Reason::new(ReasonCode::Busy).raw(op.action.name()),
            Self::Locked => Reason::new(ReasonCode::VaultLocked),
            Self::Trouble(t) => Reason::new(ReasonCode::StoreUnwritable).raw(t),
            Self::Said(m) => {
                if m.words == &crate::i18n::store::KEY_CHANGED {
                    return Reason::new(ReasonCode::VaultLocked).raw(m.text(Lang::En));
                }
                if let Some(op) = m.arg("what").filter(|_| m.words == &crate::i18n::store::SEAL_BROKEN).and_then(|what| what.strip_prefix("op ")) {
                    return Reason::new(ReasonCode::StoreBroken).with("op", op).raw(m.text(Lang::En));
                }
                if let Some(why) = sealed_secret(m) {
                    return why;
                }
                let broken = [&crate::i18n::store::BROKEN, &crate::i18n::store::NEWER, &crate::i18n::store::SEAL_BROKEN];
                let code = if broken.contains(&m.words) { ReasonCode::StoreBroken } else { ReasonCode::StoreUnwritable };
                let why = Reason::new(code).raw(m.text(Lang::En));
                let path = m.arg("path").unwrap_or_default();
                match evidence(m) {
                    Some("damaged") => why.with("evidence", "damaged"),
                    Some(evidence) => why.with("evidence", evidence).with("path", path),
                    None => why,
                }
            }
        }
    }
}

impl StoreError {
    /// True where a sealed value was read and does not open: its row was changed from outside.
    pub(super) fn seal_broken(&self) -> bool {
        matches!(self, Self::Said(m) if m.words == &crate::i18n::store::SEAL_BROKEN)
    }
}

/// What keeps the store from being written, for words of its own.
fn evidence(m: &Message) -> Option<&'static str> {
    use crate::i18n::store as w;
    Some(match m.words {
        words if words == &w::BROKEN => "damaged",
        words if words == &w::DISK_FULL => "disk_full",
        words if words == &w::QUOTA_FULL => "quota",
        words if words == &w::READ_ONLY_FILE => "read_only",
        words if words == &w::HELD => "held",
        _ => return None,
    })
}

/// A secret of a gateway or account that does not open: the remedy names whose it is, as the command line takes it.
fn sealed_secret(m: &Message) -> Option<Reason> {
    let what = m.arg("what").filter(|_| m.words == &crate::i18n::store::SEAL_BROKEN)?;
    let name = what.strip_prefix("secret ")?;
    let (gateway, own) = name.strip_prefix("gateway/")?.split_once('/')?;
    let (own, secret) = own.rsplit_once('/').unwrap_or(("", own));
    let target = match own.strip_prefix("account/").map(|a| a.split_once("/slot/").map_or((a, None), |(a, s)| (a, Some(s)))) {
        Some((account, Some(slot))) => format!("{gateway}:{account}/{slot}"),
        Some((account, None)) => format!("{gateway}:{account}"),
        None => gateway.to_owned(),
    };
    Some(Reason::new(ReasonCode::StoreBroken).with("sealed", target).with("name", secret).raw(name))
}

/// An op to be armed.
#[derive(Clone, Debug)]
pub struct NewOp {
    /// What.
    pub action: Action,
    /// On what.
    pub target: Target,
    /// Owner: the name of a lock file that this process holds.
    pub owner: Box<str>,
    /// When.
    pub at: Stamp,
}

/// A line of the audit.
#[derive(Clone, Debug)]
pub struct Audit {
    /// When.
    pub at: Stamp,
    /// `user@host`.
    pub who: Clean,
    /// Process id.
    pub pid: u32,
    /// On what (target id).
    pub target: String,
    /// What.
    pub action: String,
    /// The clock verdict, where one was asked.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub outcome: String,
}

/// A finished pairing attempt, for the history.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it began.
    pub began: Stamp,
    /// On what.
    pub target: Target,
    /// Its outcome (`linked`, `expired`, `blocked`, `left`, a reason code).
    pub outcome: String,
    /// The gate's verdict at its start.
    pub verdict: Verdict,
    /// True when a blocked gate was overridden.
    pub overridden: bool,
    /// Largest absolute skew in milliseconds, if known.
    pub skew_ms: Option<i64>,
    /// Offers shown.
    pub offers: u32,
    /// Old codes discarded.
    pub discarded: u32,
    /// Seconds it took.
    pub took_s: u64,
    /// Every Offer that came, old ones that were discarded included. Never what it said.
    pub issued: Vec<OfferLine>,
}

/// One Offer of an attempt, as the history keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferLine {
    /// Its number as shown; 0 for an old one, which never gets a number.
    pub n: u32,
    /// When it came here.
    pub issued: Wall,
    /// The gate's verdict at that moment.
    pub verdict: Verdict,
    /// What became of it.
    pub outcome: OfferOutcome,
}

/// What became of an Offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferOutcome {
    /// It was on screen until the next one came, or the attempt ended.
    Shown,
    /// An old one: never shown.
    Discarded,
    /// It died on screen.
    Expired,
    /// It was held back, or hidden, because of a clock or because nothing proved it new.
    Hidden,
    /// The phone took it.
    Used,
}

impl OfferOutcome {
    const ALL: [Self; 5] = [Self::Shown, Self::Discarded, Self::Expired, Self::Hidden, Self::Used];

    /// The name that store and JSON show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Hidden => "hidden",
            Self::Used => "used",
        }
    }
    /// The outcome of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }
}

/// Attempts that began with the same clock and ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingCount {
    /// The gate's verdict at their start.
    pub verdict: Verdict,
    /// True when a blocked gate was overridden.
    pub overridden: bool,
    /// How they ended.
    pub outcome: Clean,
    /// How many.
    pub n: u64,
}

/// Where a reader of the history stands: the last line of each kind that it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) change: i64,
    pub(super) attempt: i64,
    pub(super) audit: i64,
    pub(super) clock: i64,
}

/// A change of state, for the history.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: Stamp,
    /// On what.
    pub target: Target,
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// Why.
    pub reason: Option<Reason>,
}

/// Which part of the history is wanted.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// Only this target.
    pub target: Option<Target>,
    /// Only attempts.
    pub pairing: bool,
    /// Only the audit.
    pub audit: bool,
    /// What the alarm said of clocks as well; of a target's gateway where a target is given.
    pub clock: bool,
    /// Not before this wall time (ms).
    pub since: Option<i64>,
    /// At most so many lines, newest kept.
    pub limit: usize,
}

/// What the cache knows of a gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownGateway {
    /// Its name.
    pub id: GatewayId,
    /// Its own link, as last observed.
    pub link: Link,
    /// Server version, if it told one.
    pub version: Option<Clean>,
}
