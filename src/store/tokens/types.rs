//! What the store keeps of a token and of the attempts to get one.

use crate::domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, Stamp, Wall};
use serde::{Deserialize, Serialize};

/// Whose token, by the target's id without its incarnation, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// The target's id.
    pub id: String,
    /// The gateway's name.
    pub gateway: String,
    /// The account, exactly.
    pub account: String,
    /// The gateway's kind, as JSON shows it.
    pub kind: String,
    /// How a client sends the token: `query`, `bearer`, ….
    pub form: String,
    /// Which identity at the platform (kind, address, corp, app) the token was issued to. Empty: an older version kept it and did not
    /// say; it counts for the identity that is configured, so that an upgrade ends nobody's token.
    pub whose: String,
}

/// A token with its text.
#[derive(Debug)]
pub struct KeptToken {
    /// Its keyed hash.
    pub fingerprint: Fingerprint,
    /// Its length in characters.
    pub length: usize,
    /// When it was issued.
    pub issued: Stamp,
    /// When it dies.
    pub expires: Stamp,
    /// Who fetched it.
    pub by: Clean,
    /// A client reported it as refused.
    pub rejected: bool,
    /// It was fetched because the one before was reported as refused.
    pub renewed: bool,
    /// Its text; `None` while the vault is locked.
    pub text: Option<Secret>,
}

/// What is known of one target's token.
#[derive(Debug)]
pub struct TokenRow {
    /// Whose.
    pub key: TokenKey,
    /// Rises with each new token and never falls, also when it was forgotten.
    pub generation: u64,
    /// The token, if there is one.
    pub token: Option<KeptToken>,
    /// What is left of one that was forgotten: its fingerprint and when it dies. A platform may give the same one again, and its
    /// life goes on where it was.
    pub forgotten: Option<(Fingerprint, Stamp)>,
    /// How many attempts to get one have ended.
    pub attempts: u64,
    /// When the last one ended.
    pub ended: Option<Stamp>,
    /// The last one demanded a new token.
    pub forced: bool,
    /// Why the last one failed, if it did.
    pub trouble: Option<Reason>,
    /// What stands against the next attempt.
    pub hold: Option<Hold>,
    /// Attempts of the last ten minutes that sent something.
    pub fetches: u32,
    /// How many of these an operator asked for: no client did, and no timer.
    pub ordered: u32,
    /// What was seen of other holders in that time.
    pub signs: Signs,
    /// How the token was last found when a client had reported it as refused, and when; `None`: not since it was issued.
    pub tried: Option<(Wall, bool)>,
    /// What was found then is that the platform does not trust the address that requests leave from.
    pub untrusted: bool,
    /// A sealed text lies there and does not open: its row was swapped or edited. `token` is `None` then, nobody is given it.
    pub unopened: bool,
}

/// The reason's evidence that it is about a token that does not open.
pub const UNOPENED: &str = "token_seal";

impl TokenRow {
    /// That its sealed text does not open, if so: for people, with the name of the target.
    pub fn broken(&self) -> Option<Reason> {
        self.unopened.then(|| Reason::new(ReasonCode::StoreBroken).with("evidence", UNOPENED).with("target", &self.key.id))
    }
    /// The same without the token, where that was issued to another identity: for `whose` it is as good as none.
    #[must_use]
    pub fn of(mut self, whose: &str) -> Self {
        if !self.key.whose.is_empty() && self.key.whose != whose {
            (self.token, self.forgotten, self.tried, self.ended, self.unopened) = (None, None, None, None, false);
        }
        self
    }
    /// When the token was wiped, if nobody has asked for one since.
    pub fn wiped(&self) -> Option<Stamp> {
        let hold = self.hold.as_ref().filter(|h| h.reason.code == ReasonCode::TokenForgotten)?;
        self.token.is_none().then_some(hold.reason.at).flatten()
    }
}

/// Why the next attempt is put off: the platform would only say the same again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What the platform said.
    pub reason: Reason,
    /// Until then; `None`: until `against` changes.
    pub until: Option<Stamp>,
    /// Fingerprint of the credentials that were refused.
    pub against: Option<Fingerprint>,
    /// How many times in a row.
    pub times: u32,
}

impl Hold {
    /// True while the platform is not asked because of it: for `until` to come, or for other credentials. A wipe holds nothing back that
    /// somebody asks for.
    pub fn stands(&self, now: &Stamp) -> bool {
        self.reason.code != ReasonCode::TokenForgotten && self.until.is_none_or(|until| !until.left(now).is_zero())
    }
}

/// Why a token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There was none, or none that lived.
    Cold,
    /// Its time had come: the timer's, or a life that was demanded.
    Due,
    /// A client reported it as refused.
    Rejected,
    /// An operator asked.
    Operator,
    /// The one that was kept does not open.
    Broken,
}

impl Cause {
    /// The name that store, JSON and metrics show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Due => "due",
            Self::Rejected => "rejected",
            Self::Operator => "operator",
            Self::Broken => "broken",
        }
    }
}

/// What tells that a secret has another holder, or that a client goes round in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignKind {
    /// A token was refused before its time.
    Died,
    /// The platform gave another token while the one before should have lived, and nobody here had it replaced.
    Changed,
    /// The platform said that too much was asked, and little was asked from here.
    Limited,
    /// The log of a bot that has the same secret shows that the platform refused its token.
    Bot,
    /// Something else in such a log asks for a look at the token: no sign of another holder.
    Doubt,
}

impl SignKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Died, Self::Changed, Self::Limited, Self::Bot, Self::Doubt];
    /// The name that the store shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Changed => "changed",
            Self::Limited => "limited",
            Self::Bot => "bot",
            Self::Doubt => "doubt",
        }
    }
}

/// One such sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What was seen.
    pub kind: SignKind,
    /// Who saw it, or whose log tells it.
    pub by: Clean,
    /// What it is told apart by: the same kind, teller and number is the same sign, and counts once.
    pub nr: u64,
    /// When it was.
    pub at: Wall,
}

impl Sign {
    /// A sign about the token of this fingerprint: whoever meets it, it is one.
    pub fn of_token(kind: SignKind, fingerprint: &Fingerprint, at: Wall) -> Self {
        let nr = fingerprint.as_str().and_then(|f| u64::from_str_radix(f, 16).ok()).unwrap_or(0);
        Self { kind, by: Clean::new(kind.name()), nr, at }
    }
}

/// The signs of the last ten minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Tokens that were refused before their time.
    pub died: u32,
    /// Tokens that were replaced before their time by nobody here.
    pub changed: u32,
    /// Answers that too much was asked.
    pub limited: u32,
    /// Refusals in the logs of bots with the same secret.
    pub bots: u32,
    /// One of those bots.
    pub bot: Option<Clean>,
    /// When the newest line of a bot's log was that makes a token doubtful: a refusal, or an address that is not trusted.
    pub doubt: Option<Wall>,
    /// When the newest of all was.
    pub last: Option<Wall>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum End {
    /// Another token than before.
    New {
        /// The token.
        token: Secret,
        /// When it was issued.
        issued: Stamp,
        /// When it dies.
        expires: Stamp,
        /// Its generation is at least this.
        generation: u64,
    },
    /// The one that was there, with the end that holds now.
    Same {
        /// When it dies.
        expires: Stamp,
    },
    /// None.
    Failed {
        /// Why.
        reason: Reason,
        /// What it means for the next attempt.
        hold: Option<Hold>,
    },
}

/// An attempt that ended, for the row and for the log.
#[derive(Debug)]
pub struct Ended {
    /// Whose token.
    pub key: TokenKey,
    /// When it ended.
    pub at: Stamp,
    /// By whom: `program[pid]@host`.
    pub by: Clean,
    /// Why it was made. `None`: nothing was sent, somebody else's token was taken over.
    pub cause: Option<Cause>,
    /// It demanded a new token, and may have been carried out.
    pub forced: bool,
    /// What it brought was fetched, here or elsewhere, because the one before was refused.
    pub renewed: bool,
    /// How long it took.
    pub took_ms: u64,
    /// How it ended.
    pub end: End,
}

/// One line of the log of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchLine {
    /// When it ended.
    pub at: Wall,
    /// By whom.
    pub by: Clean,
    /// Why: `cold`, `due`, `rejected`, `operator`.
    pub cause: Clean,
    /// `new`, `unchanged`, `stopped` (nothing was sent), `good`, `unclear` or `untrusted` (a report was checked by trying the token) or a reason
    /// code.
    pub result: Clean,
    /// How long it took.
    pub took_ms: u64,
}

/// What the last ten minutes were like, instant by instant: what is kept, and nothing that is guessed from it. From before the secret was
/// replaced there is nothing in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// When an attempt from this store ended that sent something, oldest first.
    pub sent: Vec<Wall>,
    /// When something was seen of other holders, and what, oldest first.
    pub seen: Vec<(Wall, SignKind)>,
}

/// What a timer needs of one target.
#[derive(Clone, Debug)]
pub struct TokenBrief {
    /// The gateway's name.
    pub gateway: String,
    /// The account, exactly.
    pub account: String,
    /// When its token was issued, if there is one.
    pub issued: Option<Stamp>,
    /// When it dies.
    pub expires: Option<Stamp>,
}
