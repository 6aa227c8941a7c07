//! An authorization key: 256 secret bytes and the name that goes over the wire in the clear.

use crate::domain::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use std::fmt;
use zeroize::Zeroizing;

/// A key's public name: bytes 12 to 20 of the key's SHA-1, as they stand. Equal ids mean equal keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// Reads what its `Display` wrote: sixteen hex digits. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let byte = |i: usize| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok();
        let bytes = (0..8).map(byte).collect::<Option<Vec<_>>>()?;
        Some(Self(bytes.try_into().ok()?)).filter(|_| text.len() == 16)
    }

    /// As a number, the way MTProto reads it.
    pub const fn number(self) -> i64 {
        i64::from_le_bytes(self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key itself. It is wiped from memory when dropped, and never prints itself.
#[derive(Clone)]
pub struct AuthKey {
    bytes: Box<Zeroizing<[u8; 256]>>,
    id: KeyId,
}

impl AuthKey {
    /// Takes the bytes as they are.
    pub fn new(bytes: [u8; 256]) -> Self {
        let sha: [u8; 20] = Sha1::digest(bytes).into();
        let mut id = [0; 8];
        id.copy_from_slice(&sha[12..20]);
        Self { bytes: Box::new(Zeroizing::new(bytes)), id: KeyId(id) }
    }

    /// Reads what [`AuthKey::to_secret`] wrote: 256 bytes in base64. `None` for anything else.
    pub fn from_secret(text: &Secret) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.expose()).ok()?);
        Some(Self::new(<[u8; 256]>::try_from(bytes.as_slice()).ok()?))
    }

    /// For sealing: base64 of the 256 bytes.
    pub fn to_secret(&self) -> Secret {
        Secret::new(STANDARD.encode(self.expose()))
    }

    /// The bytes themselves. Every call is a place to look at in a review: wire, sealing, a worker's own file.
    pub fn expose(&self) -> &[u8; 256] {
        &self.bytes
    }

    /// The name.
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthKey({})", self.id)
    }
}

impl PartialEq for AuthKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for AuthKey {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_only_its_id_and_survives_sealing() {
        let key = AuthKey::new(std::array::from_fn(|i| i as u8));
        // grammers-crypto's own test key and its id.
        assert_eq!(format!("{key:?}"), "AuthKey(32d1586ea457dfc8)");
        let again = AuthKey::from_secret(&key.to_secret()).unwrap();
        assert_eq!((again.id(), again.expose()), (key.id(), key.expose()));
        assert!(AuthKey::from_secret(&Secret::new("AAAA".into())).is_none());
    }
}
