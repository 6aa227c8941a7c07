//! What can go wrong between us and a data centre.

use super::wire::WireError;
use crate::domain::Clean;
use std::time::Duration;

/// No server wants us to wait longer than that: what says so would be added to a clock.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Why a call did not give its result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data centre cannot be reached or closed the connection.
    #[error("connection: {0}")]
    Wire(#[from] WireError),
    /// The key exchange failed; the words say at which check.
    #[error("key exchange: {0}")]
    Exchange(&'static str),
    /// The server knows none of our RSA keys: another network, or a middleman.
    #[error("the server has no RSA key that we know")]
    UnknownServerKey,
    /// No answer within the time allowed. The call may have been carried out.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// An error of the API itself.
    #[error("{code} {name}")]
    Rpc {
        /// 303, 400, 401, 403, 406, 420, 500 …
        code: i32,
        /// Such as `AUTH_KEY_DUPLICATED`; numbers at its end included.
        name: Clean,
    },
    /// The server refused the message itself so often that trying again is futile (`bad_msg_notification`).
    #[error("the server refuses our messages ({0})")]
    Refused(i32),
    /// The answer cannot be read: a layer that we do not speak.
    #[error("the answer cannot be read")]
    Unreadable,
    /// Bytes that do not decrypt or are not for us.
    #[error("the server's message cannot be decrypted")]
    Corrupt,
    /// The connection is closed; a call that was under way may have been carried out.
    #[error("the connection is closed")]
    Closed,
    /// The connection's task died of a bug.
    #[error("the connection broke inside")]
    Broken,
    /// This process already holds a connection with this key. Two would be a duplicate of our own.
    #[error("this key is already connected")]
    KeyInUse,
    /// No randomness to be had from the system.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// The password's parameters are not sound, or of a kind that we do not know.
    #[error("the password's parameters are not sound")]
    BadPasswordParameters,
}

/// Where the server says that this belongs (303).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// `PHONE_MIGRATE_X`.
    Phone(i32),
    /// `USER_MIGRATE_X`.
    User(i32),
    /// `NETWORK_MIGRATE_X`.
    Network(i32),
}

impl Moved {
    /// The data centre to go to.
    pub const fn dc(self) -> i32 {
        match self {
            Self::Phone(dc) | Self::User(dc) | Self::Network(dc) => dc,
        }
    }
}

/// What an error says of the key that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 406 `AUTH_KEY_DUPLICATED`, `AUTH_KEY_DROP_DUPLICATE`: dead, another holder exists.
    Duplicated,
    /// 401 `AUTH_KEY_UNREGISTERED`, `AUTH_KEY_INVALID`, or the transport's 404: terminated or never logged in.
    Unregistered,
    /// 401 `SESSION_REVOKED`: somebody terminated all other sessions.
    Revoked,
    /// 401 `SESSION_EXPIRED`: the time to live ran out.
    Expired,
    /// 401 `USER_DEACTIVATED`, `USER_DEACTIVATED_BAN`: the account itself is gone. Never rebuild.
    Deactivated,
    /// 401 `SESSION_PASSWORD_NEEDED`: not dead, the second factor is missing.
    PasswordNeeded,
}

impl Error {
    /// The API's name of the error, without a number at its end.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Rpc { name, .. } => Some(name.as_str()),
            _ => None,
        }
    }

    /// The number behind `prefix` in the API's name.
    fn number(&self, prefix: &str) -> Option<i32> {
        self.name()?.strip_prefix(prefix)?.parse().ok()
    }

    /// How long the server wants us to wait (420, and the transport's 429).
    pub fn flood(&self) -> Option<Duration> {
        let seconds: u64 = match self {
            Self::Rpc { code: 420, name } => name.as_str().rsplit('_').next()?.parse().ok()?,
            // The transport names no time.
            Self::Wire(WireError::TooMany) => 60,
            _ => return None,
        };
        Some(Duration::from_secs(seconds).min(LONGEST))
    }

    /// Where to go instead.
    pub fn moved(&self) -> Option<Moved> {
        self.number("PHONE_MIGRATE_")
            .map(Moved::Phone)
            .or_else(|| self.number("USER_MIGRATE_").map(Moved::User))
            .or_else(|| self.number("NETWORK_MIGRATE_").map(Moved::Network))
    }

    /// What it says of the key, if anything.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Wire(WireError::UnknownKey) => Some(Verdict::Unregistered),
            Self::Rpc { name, .. } => match name.as_str() {
                "AUTH_KEY_DUPLICATED" | "AUTH_KEY_DROP_DUPLICATE" => Some(Verdict::Duplicated),
                "AUTH_KEY_UNREGISTERED" | "AUTH_KEY_INVALID" | "AUTH_KEY_PERM_EMPTY" => Some(Verdict::Unregistered),
                "SESSION_REVOKED" => Some(Verdict::Revoked),
                "SESSION_EXPIRED" => Some(Verdict::Expired),
                "USER_DEACTIVATED" | "USER_DEACTIVATED_BAN" => Some(Verdict::Deactivated),
                "SESSION_PASSWORD_NEEDED" => Some(Verdict::PasswordNeeded),
                _ => None,
            },
            _ => None,
        }
    }

    /// True when the connection cannot go on: a new one is needed, or the key is dead.
    pub fn ends_connection(&self) -> bool {
        matches!(self, Self::Wire(_) | Self::Closed | Self::Broken | Self::Corrupt | Self::Refused(_))
            || self.verdict().is_some_and(|v| v != Verdict::PasswordNeeded)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn rpc(code: i32, name: &str) -> Error {
        Error::Rpc { code, name: Clean::new(name) }
    }

    #[test]
    fn names_of_errors_say_what_to_do() {
        assert_eq!(rpc(420, "FLOOD_WAIT_17").flood(), Some(Duration::from_secs(17)));
        assert_eq!(rpc(420, "FLOOD_PREMIUM_WAIT_3").flood(), Some(Duration::from_secs(3)));
        assert_eq!(rpc(420, "FLOOD_WAIT_18446744073709551615").flood(), Some(LONGEST));
        assert_eq!(rpc(303, "PHONE_MIGRATE_4").moved(), Some(Moved::Phone(4)));
        assert_eq!(rpc(303, "USER_MIGRATE_1").moved().map(Moved::dc), Some(1));
        assert_eq!(rpc(406, "AUTH_KEY_DUPLICATED").verdict(), Some(Verdict::Duplicated));
        assert_eq!(Error::Wire(WireError::UnknownKey).verdict(), Some(Verdict::Unregistered));
        assert!(rpc(401, "USER_DEACTIVATED_BAN").ends_connection());
        assert!(!rpc(401, "SESSION_PASSWORD_NEEDED").ends_connection());
        assert_eq!(rpc(400, "PHONE_CODE_INVALID").verdict(), None);
    }
}
