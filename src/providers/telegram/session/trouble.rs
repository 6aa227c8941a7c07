//! Why a session file cannot be used, each with what to do.

use super::super::KeyId;
use crate::domain::{Reason, ReasonCode};
use std::path::Path;

/// What is wrong with a session file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such file.
    Absent,
    /// The system refuses to read it; its words.
    Unreadable(String),
    /// It is a folder, a device or the like.
    NotAFile,
    /// It is longer than any session; its length in bytes.
    TooLarge(u64),
    /// It ends in the middle: perhaps it is being written.
    Truncated,
    /// It cannot be understood; what is wrong, never its content.
    Corrupt(&'static str),
    /// It is something else; what it looks like.
    Foreign(&'static str),
    /// Its version is not known; the number.
    Version(i64),
    /// It carries no key: its login was never finished.
    NoKey,
    /// Its key has another length than 256 bytes.
    KeyLength(usize),
    /// The key id that it tells is not that of its key.
    WrongKeyId {
        /// What it tells, if that is an id at all.
        said: Option<KeyId>,
        /// What its key has.
        real: KeyId,
    },
    /// Its data centre is none.
    Dc(i64),
}

impl Trouble {
    /// True when it may be gone a moment later: a library truncates and writes, it does not rename
    /// (gotd 0.161 `session.FileStorage`, Telethon's journal).
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Truncated | Self::Corrupt(_) | Self::WrongKeyId { .. })
    }

    /// In the words of the deck.
    pub fn reason(&self, file: &Path) -> Reason {
        let code = match self {
            Self::Absent => ReasonCode::SessionAbsent,
            Self::Unreadable(_) => ReasonCode::SessionUnreadable,
            Self::Truncated => ReasonCode::SessionTruncated,
            Self::TooLarge(_) | Self::Corrupt(_) | Self::KeyLength(_) | Self::Dc(_) => ReasonCode::SessionCorrupt,
            // A folder or a device: another path is meant, not another right.
            Self::Foreign(_) | Self::NotAFile => ReasonCode::SessionForeign,
            Self::Version(_) => ReasonCode::SessionVersion,
            Self::NoKey => ReasonCode::SessionEmpty,
            Self::WrongKeyId { .. } => ReasonCode::SessionKeyId,
        };
        Reason::new(code).with("file", file.to_string_lossy()).with("what", self.detail())
    }

    /// The value of `{what}`: words of a library or figures, the same in every language.
    fn detail(&self) -> String {
        match self {
            Self::Unreadable(why) => why.clone(),
            Self::NotAFile => "not a regular file".to_owned(),
            Self::TooLarge(n) => format!("{n} bytes"),
            Self::Corrupt(what) | Self::Foreign(what) => (*what).to_owned(),
            Self::Version(v) => v.to_string(),
            Self::KeyLength(n) => format!("auth_key: {n} bytes"),
            Self::WrongKeyId { said, real } => match said {
                Some(said) => format!("{said} / {real}"),
                None => format!("- / {real}"),
            },
            Self::Dc(dc) => format!("DC {dc}"),
            Self::Absent | Self::Truncated | Self::NoKey => String::new(),
        }
    }
}
