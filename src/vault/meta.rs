//! What is known of a vault without opening it: where its key lives and how to tell the right key.

use super::seal::{self, Key, Place};
use serde::{Deserialize, Serialize};

/// Where the vault key lives. Written when the vault is made; no other place is ever tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The system's keyring: one item.
    Keyring,
    /// A passphrase, stretched by Argon2id.
    Passphrase,
    /// `$CREDENTIALS_DIRECTORY/pairdeck-key`, handed in by systemd.
    Credential,
    /// A file in the store's folder, readable by the owner: only by explicit choice, with a badge.
    KeyFile,
    /// This process only (demo and tests).
    Memory,
}

impl Source {
    /// The word for header and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Passphrase => "passphrase",
            Self::Credential => "credential",
            Self::KeyFile => "key file",
            Self::Memory => "memory",
        }
    }

    /// How the making of a vault with its key there ended, for the audit.
    pub fn made(self, well: bool) -> String {
        format!("{}: {}", if well { "done" } else { "failed" }, self.name())
    }
}

/// The vault's own line in the store, in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMeta {
    /// Names the store, so that two stores have two items in one keyring.
    pub store: String,
    /// Names the key; part of what every sealed value authenticates.
    pub key_id: String,
    /// Where the key lives.
    pub source: Source,
    /// Salt and cost of the passphrase (empty for other sources).
    pub salt: Vec<u8>,
    /// Memory cost in KiB, passes, lanes.
    pub cost: (u32, u32, u32),
    /// A known text sealed with the key: tells the right key from a wrong one.
    pub verifier: Vec<u8>,
    /// Tells the places of two keys of one store apart while one replaces the other. Empty for the first key.
    #[serde(default)]
    pub item: String,
}

const VERIFIER: Place<'static> = Place { table: "meta", id: "vault", column: "verifier", generation: 0 };
const KNOWN: &[u8] = b"pairdeck vault";

impl KeyMeta {
    /// Describes a new vault whose key is `key`.
    pub(super) fn new(store: &str, source: Source, key: &Key, salt: Vec<u8>, cost: (u32, u32, u32)) -> Option<Self> {
        let key_id = random_hex(8)?;
        let verifier = seal::seal(key, &key_id, &VERIFIER, KNOWN)?;
        Some(Self { store: store.to_owned(), key_id, source, salt, cost, verifier, item: String::new() })
    }

    /// True when `key` is the key of this vault.
    pub(super) fn fits(&self, key: &Key) -> bool {
        seal::open(key, &self.key_id, &VERIFIER, &self.verifier).is_some_and(|v| v.as_slice() == KNOWN)
    }
}

/// `n` random bytes as hex.
pub(crate) fn random_hex(n: usize) -> Option<String> {
    let mut bytes = vec![0u8; n];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
