//! Session files of workers: what key lies in them, and how one is written. Four layouts are read, one is written.
//!
//! Nothing here connects anywhere, and nothing here takes a lock: a worker's key is never used by pairdeck. Files are foreign
//! input of any size and any content; each refusal says what is wrong and what to do.

pub mod gotd;
mod pyrogram;
mod read;
pub mod sqlite;
mod telethon;
mod trouble;
pub mod write;

#[cfg(test)]
mod tests;

pub use read::{Found, Patience, look, read, read_bytes};
pub use trouble::Trouble;

/// How a session is laid out in its file.
pub use crate::store::config::SessionFormat as Format;

use super::AuthKey;

/// The longest session file that is read whole, in bytes. Real ones have some kilobytes.
pub const LARGEST: u64 = 1 << 20;
/// The longest SQLite file that is opened: it is read page by page, and a busy bot's has some megabytes of names.
pub const LARGEST_SQLITE: u64 = 1 << 30;

/// What a session file tells. Everything but key and data centre is told by some layouts only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its layout.
    pub format: Format,
    /// Its data centre.
    pub dc: i32,
    /// The worker's key: for comparing, for a file of the same worker, never for a connection.
    pub key: AuthKey,
    /// Server salt, if told.
    pub salt: Option<i64>,
    /// The user that it belongs to, if told: gotd and Telethon do not.
    pub user: Option<i64>,
    /// Whether that is a bot, if told.
    pub bot: Option<bool>,
    /// The application that made it, if told.
    pub api_id: Option<i32>,
    /// True for the platform's test servers.
    pub test: bool,
    /// Server time of the last connection in Unix seconds, if told: evidence without a network.
    pub connected: Option<i64>,
    /// How many main connections the platform allows in parallel, if more than one.
    pub parallel: Option<i32>,
}

impl Session {
    fn new(format: Format, dc: i32, key: AuthKey) -> Self {
        Self { format, dc, key, salt: None, user: None, bot: None, api_id: None, test: false, connected: None, parallel: None }
    }
}

/// The 256 bytes of a key. All zeros or the wrong length is none: files are laid out before their login is through.
fn key_of(bytes: &[u8]) -> Result<AuthKey, Trouble> {
    match <[u8; 256]>::try_from(bytes) {
        Ok(bytes) if bytes.iter().all(|b| *b == 0) => Err(Trouble::NoKey),
        Ok(bytes) => Ok(AuthKey::new(bytes)),
        Err(_) if bytes.is_empty() => Err(Trouble::NoKey),
        Err(_) => Err(Trouble::KeyLength(bytes.len())),
    }
}

/// Data centres have small numbers; media connections show them negative or above ten thousand.
fn dc_of(dc: i64) -> Result<i32, Trouble> {
    i32::try_from(dc).ok().filter(|dc| (1..=1000).contains(dc)).ok_or(Trouble::Dc(dc))
}
