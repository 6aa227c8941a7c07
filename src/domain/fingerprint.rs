//! The short keyed hash that stands for a secret wherever a person or a log looks.

use super::Secret;
use blake2::{
    Blake2sMac,
    digest::{KeyInit, Mac, consts::U16},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Secrets shorter than this many bytes get no fingerprint: a short one could be guessed from it.
pub const SHORTEST: usize = 16;

/// Eight hex digits of a keyed hash, or none (`-`) for a secret that is too short.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(Option<Box<str>>);

impl Fingerprint {
    /// Hashes `secret` under the store's fingerprint key, so that equal secrets compare equal and nothing else is told.
    pub fn of(key: &[u8; 32], secret: &Secret) -> Self {
        if secret.len() < SHORTEST {
            return Self(None);
        }
        let Ok(mut mac) = Blake2sMac::<U16>::new_from_slice(key) else { return Self(None) };
        mac.update(secret.expose().as_bytes());
        let sum = mac.finalize().into_bytes();
        Self(Some(sum.iter().take(4).map(|b| format!("{b:02x}")).collect::<String>().into()))
    }

    /// Reads one back that was shown: eight hex digits, or `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match text {
            "-" => Some(Self(None)),
            _ => digits.then(|| Self(Some(text.to_ascii_lowercase().into()))),
        }
    }

    /// The digits, if there are any.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_compare_and_short_ones_get_none() {
        let key = [7; 32];
        let a = Fingerprint::of(&key, &Secret::new("F00EB28B-80C2-47C7".into()));
        assert_eq!(a, Fingerprint::of(&key, &Secret::new("F00EB28B-80C2-47C7".into())));
        assert_ne!(a, Fingerprint::of(&[8; 32], &Secret::new("F00EB28B-80C2-47C7".into())));
        assert_eq!(a.to_string().len(), 8);
        assert_eq!(Fingerprint::of(&key, &Secret::new("short".into())).to_string(), "-");
    }
}
