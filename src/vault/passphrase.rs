//! A key from a passphrase: Argon2id, 64 MiB, 3 passes, 4 lanes (0.4 s on a small machine).

use super::seal::Key;
use crate::{
    domain::Secret,
    i18n::{Message, store as words},
};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// Memory in KiB, passes, lanes of a new vault. An old vault keeps the cost that it was made with.
pub(super) const COST: (u32, u32, u32) = (64 * 1024, 3, 4);
/// Fewer characters are refused when a vault is made.
pub(super) const SHORTEST: usize = 8;

/// A key from a passphrase for a new vault, with its salt.
pub(super) fn fresh(passphrase: Option<&Secret>) -> Result<(Key, Vec<u8>), Message> {
    let none = || Message::new(&words::KEYRING_FAILED).with("why", "no random bytes");
    let text = passphrase.ok_or_else(|| Message::new(&words::PASSPHRASE_NEEDED))?;
    if text.expose().chars().count() < SHORTEST {
        return Err(Message::new(&words::PASSPHRASE_SHORT));
    }
    let mut salt = vec![0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| none())?;
    let key = stretch(text, &salt, COST).ok_or_else(none)?;
    Ok((key, salt))
}

/// Stretches `passphrase`. `None` when the parameters of an edited store make no sense.
pub(super) fn stretch(passphrase: &Secret, salt: &[u8], cost: (u32, u32, u32)) -> Option<Key> {
    // A bound on what an edited store can make us allocate: 1 GiB, 64 passes.
    if cost.0 > 1024 * 1024 || cost.1 > 64 {
        return None;
    }
    let params = Params::new(cost.0, cost.1, cost.2, Some(32)).ok()?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(passphrase.expose().as_bytes(), salt, key.as_mut()).ok()?;
    Some(key)
}
