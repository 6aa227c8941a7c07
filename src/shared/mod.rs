//! What several hosts share: the tokens that one of them fetched, the right to fetch or to act (leases, fenced), and news of
//! both. One Redis primary behind one trait, so that everything above is tested without one.
//!
//! Nothing here decides who fetches or what is shown: the engine does. Nothing here sees a token that must be sealed in clear.
//! Times are relative: a lease is judged by the boot clock, a life travels as what remains of it.

mod gone;
pub mod mirror;
pub mod redis;
mod scripts;

pub use gone::{Gone, mark};

use crate::{
    domain::{Clean, Fingerprint, Reason, Secret},
    providers::Fut,
};
use std::time::Duration;

/// Name in the vault of the password of the shared store.
pub const PASSWORD: &str = "shared/redis";
/// Name in the vault of the secret that hosts seal shared tokens with.
pub const SEAL: &str = "shared/seal";

/// The right to fetch or to act, while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: Box<str>,
    /// Rises with each holder: a write with an older one is refused.
    pub fence: u64,
    /// Who holds it: only its owner lets it go.
    pub owner: Box<str>,
}

/// A token as hosts share it.
#[derive(Debug)]
pub struct SharedToken {
    /// The token.
    pub token: Secret,
    /// Its fingerprint under the shared key.
    pub fingerprint: Fingerprint,
    /// The fence under which it was written: its generation.
    pub generation: u64,
    /// Life left at the moment of the answer.
    pub left: Duration,
    /// Age at the moment of the answer.
    pub age: Duration,
    /// Who fetched it: `program[pid]@host`.
    pub by: Clean,
    /// It was fetched because the one before was reported as refused.
    pub renewed: bool,
    /// How long ago a host tried it and the platform took it, after somebody had called it refused.
    pub good: Option<Duration>,
}

/// What became of a fenced write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Stored; everybody was told.
    Stored,
    /// A newer holder has written: nothing was changed.
    Fenced,
}

/// Something that changed at another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The token of that name was replaced or forgotten.
    Token(Box<str>),
    /// The connection was lost: what was shared before is not known to hold.
    Lost,
    /// The connection is there, for the first time or again: what changed before is to be looked up.
    Back,
}

/// A store that several hosts share. Every call answers within 500 ms or is an error; an error is remembered by the caller.
pub trait Shared: Send + Sync {
    /// Takes the lease of `name` for `ttl`, or `None` when somebody else has it.
    fn acquire<'a>(&'a self, name: &'a str, ttl: Duration) -> Fut<'a, Result<Option<Lease>, Reason>>;
    /// Prolongs a lease that is still ours; false when it is not.
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Fut<'a, Result<bool, Reason>>;
    /// Lets a lease go, if it is still ours.
    fn release<'a>(&'a self, lease: &'a Lease) -> Fut<'a, Result<(), Reason>>;
    /// Who holds the lease of `name`, if anybody does.
    fn holder<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Clean>, Reason>>;
    /// Stores a token under a lease, and its mirrors with it; refused when a newer holder has written.
    fn put<'a>(&'a self, lease: &'a Lease, token: &'a SharedToken, mirrors: &'a [Mirror]) -> Fut<'a, Result<Put, Reason>>;
    /// The token of `name`, if there is one.
    fn get<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<SharedToken>, Reason>>;
    /// Forgets the token of `name` and its mirrors, and remembers what is left of it: of the token that stood there, else of `gone`.
    fn forget<'a>(&'a self, name: &'a str, mirrors: &'a [Mirror], gone: &'a Gone) -> Fut<'a, Result<(), Reason>>;
    /// What is left of the token of `name` that was forgotten last.
    fn gone<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Gone>, Reason>>;
    /// Tells all hosts that the platform takes the token of that mark, if it is the one that stands there.
    fn good<'a>(&'a self, name: &'a str, mark: &'a str) -> Fut<'a, Result<(), Reason>>;
    /// The key of fingerprints that all hosts use: the one that stands there, else `mine`, which stands there from then on.
    fn print_key<'a>(&'a self, mine: &'a [u8; 32]) -> Fut<'a, Result<[u8; 32], Reason>>;
    /// Fingerprints of [`Shared::get`] are made with this key from now on.
    fn prints_with(&self, key: [u8; 32]);
    /// News from other hosts, from now on.
    fn news(&self) -> tokio::sync::broadcast::Receiver<News>;
    /// Why it does not answer at present, if it does not.
    fn down(&self) -> Option<Reason>;
}

/// A copy of a token in the layout of a client library, for clients that read it natively. Never sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Key that holds the token.
    pub key: String,
    /// How the token is written there.
    pub form: MirrorForm,
    /// A key that holds the instant of death as Unix seconds, where the library reads one.
    pub expires_key: Option<String>,
    /// Taken off the life that the key gets, in seconds.
    pub early_s: u64,
}

/// How a library writes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorForm {
    /// As it is.
    Raw,
    /// As a JSON string, with quotes.
    Json,
}
