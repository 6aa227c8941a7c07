//! Tokens that a platform issues and that die: what a provider tells of them, and what it gets from whoever owns them.
//!
//! A provider describes how its platform issues a token ([`Issuer`]); the engine alone decides when one is asked for, so that a
//! thousand callers cause one request. A provider never keeps a token and never asks for one on its own account: it goes
//! through [`Tokens`].

use super::{Cx, Fut};
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, Stamp, Target, row::TokenSemantics},
    store::tokens::{Hold, Sign, Signs},
};
use std::time::Duration;

/// How a platform treats the tokens that it issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// What another request gives.
    pub semantics: TokenSemantics,
    /// How long before its end another request gives a new one while the old one lives on. Zero for platforms that give the same
    /// one until it is dead.
    pub overlap: Duration,
    /// The longest time that one request may take, after which it counts as lost. A lease must outlive it.
    pub deadline: Duration,
    /// Whether a living token can be replaced.
    pub rotate: Rotate,
}

/// Whether a living token can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// Only by a person, in the platform's own console.
    ByHand,
    /// By a request that says so.
    Api {
        /// At most so often a day.
        per_day: Option<u32>,
        /// Not sooner after the last one.
        min_gap: Duration,
    },
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renew {
    /// Whatever the platform gives.
    Plain,
    /// A new one, the old one dead; only where [`Rotate::Api`].
    Forced,
}

/// What a platform issued.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// How long it lives, by the platform's word, counted from `sent`.
    pub life: Duration,
    /// When the request was sent: latency never lengthens a life.
    pub sent: Stamp,
}

/// What a platform said of a token that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It takes it.
    Good,
    /// It refuses it.
    Refused,
    /// It says something else, or nothing: an address that it does not trust, a limit, a network that is down.
    Unclear(ReasonCode),
    /// There is no call without an effect to try it by.
    Untriable,
}

/// Asks a platform for tokens.
pub trait Issuer: Send + Sync {
    /// How the platform treats them.
    fn rules(&self) -> TokenRules;
    /// Asks once. Never retried here, except what the platform itself calls busy.
    fn fetch<'a>(&'a self, cx: &'a Cx, at: &'a Target, how: Renew) -> Fut<'a, Result<Issued, Reason>>;
    /// Tries a token by one call that costs little and has no effect: whether what a client reported of it is so.
    fn tries<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _token: &'a Secret) -> Fut<'a, Tried> {
        Box::pin(async { Tried::Untriable })
    }
    /// Tries a fresh token by every call that tells whom it belongs to; yields the name of the app where one tells it.
    ///
    /// # Errors
    /// What the platform has against it: another app's token, an address that is not trusted, ….
    fn belongs<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _token: &'a Secret) -> Fut<'a, Result<Option<Clean>, Reason>> {
        Box::pin(async { Ok(None) })
    }
    /// How a token travels in a client's request: `query`, `bearer`, …, as JSON shows it.
    fn token_type(&self) -> &'static str;
    /// The copies for client libraries that the account's configuration asks for, below `prefix` where the account names none of its
    /// own. Their keys may hold parts of its secret.
    fn mirrors(&self, _cx: &Cx, _at: &Target, _prefix: &str) -> Vec<crate::shared::Mirror> {
        Vec::new()
    }
}

/// What is known of a token without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its keyed hash.
    pub fingerprint: Fingerprint,
    /// Its length in characters.
    pub length: usize,
    /// Rises with each new token, over all processes and hosts that share it.
    pub generation: u64,
    /// When it was issued.
    pub issued: Stamp,
    /// When it dies.
    pub expires: Stamp,
    /// Who fetched it: `program[pid]@host`.
    pub by: Clean,
    /// A client reported this very token as refused.
    pub rejected: bool,
    /// The last attempt to get one, if it failed after this one was issued.
    pub trouble: Option<Reason>,
    /// Requests for a token within the last ten minutes, as far as pairdeck made them.
    pub fetches: u32,
    /// Somebody else uses this secret too, or clients loop: how that was seen.
    pub storm: Option<Reason>,
    /// All that was seen of other holders in that time.
    pub signs: Signs,
}

/// Where a token that was handed out came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was here.
    Cache,
    /// It was fetched for this question.
    Fetched,
    /// Another process or host had fetched it.
    Shared,
}

impl Origin {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Fetched => "fetched",
            Self::Shared => "shared",
        }
    }
}

/// What became of the token that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// Another token is there now.
    New,
    /// The platform gave the same one again.
    Unchanged,
}

/// What is asked of the owner of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The token of this fingerprint was refused by the platform: fetch unless another is there already.
    pub rejected: Option<Fingerprint>,
    /// Who reports `rejected` has tried it just now and is the platform's own word: nobody else need try it.
    pub proven: bool,
    /// It should live at least so long (best effort where the platform gives the same one until it is dead).
    pub min_life: Duration,
    /// Fail rather than give a shorter life.
    pub strict: bool,
    /// Never fetch.
    pub cached_only: bool,
    /// Also a token that was reported as refused: to show it, or to try it.
    pub refused_too: bool,
    /// Fetch whatever is there (the operator asked), as the platform allows.
    pub renew: Option<RenewWish>,
    /// Fetch although a clock is blocked.
    pub any_clock: bool,
    /// With `renew`: one request although the platform said to wait. What it answers counts as always, so that a refusal holds the next
    /// one back again, and longer.
    pub past_pause: bool,
}

/// What an operator who asks for a new token wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewWish {
    /// Ask the platform again.
    Again,
    /// A new token, the old one dead.
    Rotate,
}

/// A token handed out.
#[derive(Debug)]
pub struct Given {
    /// The token.
    pub token: Secret,
    /// What is known of it.
    pub held: Held,
    /// Where it came from.
    pub origin: Origin,
    /// What became of the one before, where something was fetched.
    pub became: Option<Became>,
}

/// The one owner of a gateway's tokens.
pub trait Tokens: Send + Sync {
    /// What is known of the token of `at`, without asking anybody and readable while the vault is locked.
    fn held<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Held>>;
    /// A token, by one request at most however many ask: in this process, on this host and, with a shared store, on all hosts.
    fn obtain<'a>(&'a self, at: &'a Target, ask: Ask) -> Fut<'a, Result<Given, Reason>>;
    /// True when hosts share tokens: a copy may be there although none is held here.
    fn shares(&self) -> bool {
        false
    }
    /// Wipes the token of `at`: forgotten everywhere (store, shared store, mirrors), and fetched again only when somebody asks for
    /// it. Says nothing to the platform.
    fn forget<'a>(&'a self, at: &'a Target) -> Fut<'a, Result<(), Reason>>;
    /// Forgets it as well, because this host will not use it any more: others may go on.
    fn let_go<'a>(&'a self, at: &'a Target) -> Fut<'a, Result<(), Reason>> {
        self.forget(at)
    }
    /// When the token of `at` was wiped, if nobody has asked for it since.
    fn wiped<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Stamp>> {
        Box::pin(async { None })
    }
    /// The platform takes the token of that fingerprint: who reported it as refused was wrong, or it is good again.
    fn good<'a>(&'a self, _at: &'a Target, _token: &'a Fingerprint) -> Fut<'a, ()> {
        Box::pin(async {})
    }
    /// The platform refused the token of that fingerprint just now: it is withheld from everybody, in every process of this store.
    fn refused<'a>(&'a self, _at: &'a Target, _token: &'a Fingerprint) -> Fut<'a, ()> {
        Box::pin(async {})
    }
    /// That the token which is kept of `at` does not open, if so: its row in the store was swapped or edited.
    fn broken<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async { None })
    }
    /// Keeps a secret of the account `at` under `name`, in place of the one before; resolves when it is committed. What was fetched
    /// with the old one is forgotten.
    fn put_secret<'a>(&'a self, at: &'a Target, name: &'a str, secret: Secret) -> Fut<'a, Result<(), Reason>>;
    /// Somebody else uses the secret of `at`, or clients loop: how that was seen, whether or not there is a token.
    fn storm<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async { None })
    }
    /// What stands against the next request for the token of `at`, whether or not there is a token. `None`: nothing.
    fn paused<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Hold>> {
        Box::pin(async { None })
    }
    /// Takes note of what was seen of other holders of the secret of `at`, such as a bot's own log tells.
    fn saw<'a>(&'a self, _at: &'a Target, _signs: Vec<Sign>) -> Fut<'a, ()> {
        Box::pin(async {})
    }
    /// Rises whenever a token of this gateway was fetched, refused or forgotten, here or elsewhere. `None`: not told, so that
    /// whoever shows them must look from time to time.
    fn changes(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }
    /// Each target whose token was fetched, refused or forgotten from now on, here or elsewhere, so that whoever shows it looks at
    /// that one. `None`: not told.
    fn news(&self) -> Option<tokio::sync::broadcast::Receiver<Target>> {
        None
    }
    /// Who holds the exclusive right to act for `at`: `program[pid]@host`. `None`: nobody, or not known here.
    fn holder<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Clean>> {
        Box::pin(async { None })
    }
    /// Takes that lease among the hosts, for a key that this process connects with. `None`: nothing is shared.
    ///
    /// # Errors
    /// Who holds it on another host, as it names itself.
    fn hold_lease<'a>(&'a self, _lease: &'a str) -> Fut<'a, Result<Option<HeldLease>, Clean>> {
        Box::pin(async { Ok(None) })
    }
    /// Who holds that lease among the hosts, as it names itself. `None`: nobody, nothing is shared, or the store does not answer.
    fn lease_holder<'a>(&'a self, _lease: &'a str) -> Fut<'a, Option<Clean>> {
        Box::pin(async { None })
    }
}

/// A lease among hosts that is renewed until this is dropped.
pub struct HeldLease {
    /// Cancelled when somebody on another host has it: nothing may be done for which it was taken.
    pub lost: tokio_util::sync::CancellationToken,
    /// Lets it go when it is dropped.
    pub right: super::Right,
}

/// An owner that owns nothing: for kinds of gateways whose accounts have no such tokens.
pub struct NoTokens;

impl Tokens for NoTokens {
    fn held<'a>(&'a self, _at: &'a Target) -> Fut<'a, Option<Held>> {
        Box::pin(async { None })
    }
    fn obtain<'a>(&'a self, _at: &'a Target, _ask: Ask) -> Fut<'a, Result<Given, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn forget<'a>(&'a self, _at: &'a Target) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Ok(()) })
    }
    fn put_secret<'a>(&'a self, _at: &'a Target, _name: &'a str, _secret: Secret) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
}

/// Name of an account's secret in [`Cx::secrets`] and, after `gateway/NAME/`, in the store.
pub fn account_secret(account: &str, name: &str) -> String {
    format!("account/{}/{name}", crate::domain::ids::escape(account))
}

/// Name of a secret that one slot of an account has of its own, for [`account_secret`].
pub fn slot_secret(slot: &str, name: &str) -> String {
    format!("slot/{}/{name}", crate::domain::ids::escape(slot))
}
