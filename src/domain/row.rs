//! One account or device as a provider reports it and the deck lists it.

use super::{Clean, Fact, Fingerprint, GatewayId, Link, RemoteId, Target, Wall};
use serde::{Deserialize, Serialize};

/// An account (`device` is `None`) or one of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The gateway that knows it.
    pub gateway: GatewayId,
    /// The account, exactly.
    pub account: RemoteId,
    /// The device, exactly; `None` for the account itself.
    pub device: Option<RemoteId>,
    /// Which life of that name this is.
    pub incarnation: Option<Box<str>>,
    /// The name as drawn. Never sent.
    pub label: Clean,
    /// A second identity worth a column: a phone number, an agent id, a flag's level.
    pub identity: Option<Clean>,
    /// The live state.
    pub link: Link,
    /// Tokens that belong to it, by fingerprint only.
    pub tokens: Vec<TokenInfo>,
    /// What only this system has.
    pub facts: Vec<Fact>,
}

impl Row {
    /// This row as the target of an action, pinned to its incarnation.
    pub fn target(&self) -> Target {
        Target { gateway: self.gateway.clone(), account: self.account.clone(), device: self.device.clone(), incarnation: self.incarnation.clone() }
    }
}

/// What may be shown of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its keyed hash.
    pub fingerprint: Fingerprint,
    /// Its length in characters.
    pub length: usize,
    /// When it was issued, if known.
    pub issued_at: Option<Wall>,
    /// When it dies, if it does.
    pub expires_at: Option<Wall>,
    /// How often it was replaced, as far as pairdeck knows.
    pub generation: u64,
    /// How the platform renews it.
    pub semantics: TokenSemantics,
    /// It was reported as refused before its time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejected: bool,
}

/// How a platform renews a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSemantics {
    /// Lives until it is replaced.
    Lasting,
    /// The same one comes back until it expires.
    SameUntilExpiry,
    /// The same one comes back until shortly before its end; then a new one, and both live.
    SameThenOverlap,
    /// The same one comes back, and each request lengthens its life.
    AutoRenewed,
    /// Each request makes a new one and ends the one before.
    Rotating,
}
