//! A key that several hosts have in common, for what they keep in a place that others read.

use super::{
    Place,
    seal::{self, Key},
};
use crate::domain::Secret;
use blake2::{Blake2s256, Digest};
use zeroize::Zeroizing;

/// Fewer characters could be guessed by whoever reads what was sealed.
pub const SHORTEST: usize = 32;

/// The key, made from a long random secret that every host was given.
pub struct CommonKey(Key);

impl CommonKey {
    /// `None` for a secret shorter than [`SHORTEST`]: it is hashed, not stretched.
    pub fn new(secret: &Secret) -> Option<Self> {
        if secret.len() < SHORTEST {
            return None;
        }
        let mut hash = Blake2s256::new();
        hash.update(b"pairdeck common key 1\0");
        hash.update(secret.expose().as_bytes());
        Some(Self(Zeroizing::new(hash.finalize().into())))
    }

    /// Seals `plain` for `place`. `None` only when the system gives no random bytes.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Option<Vec<u8>> {
        seal::seal(&self.0, "common", place, plain)
    }

    /// Opens what was sealed for the same place with the same key; `None` for anything else.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        seal::open(&self.0, "common", place, sealed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_same_secret_opens_it_at_another_host_and_nothing_else_does() {
        let key = |s: &str| CommonKey::new(&Secret::new(s.repeat(8)));
        let place = |generation| Place { table: "shared", id: "wecom/ww1/2", column: "tok", generation };
        let sealed = key("abcd").unwrap().seal(&place(3), b"token").unwrap();
        assert_eq!(key("abcd").unwrap().open(&place(3), &sealed).unwrap().as_slice(), b"token");
        assert!(key("abcd").unwrap().open(&place(4), &sealed).is_none());
        assert!(key("abce").unwrap().open(&place(3), &sealed).is_none());
        assert!(CommonKey::new(&Secret::new("short".to_owned())).is_none());
    }
}
