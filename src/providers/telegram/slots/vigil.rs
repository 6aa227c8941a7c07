//! After a file was replaced: is the old key back? A live worker writes its key from memory at its next connection
//! (gotd 0.161 `saveSession`), over whatever lies there. So a replaced file is looked at for a while.

use crate::{
    domain::{Reason, ReasonCode, Stamp},
    providers::telegram::{
        KeyId,
        session::{self, Format, Patience, Trouble},
    },
};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// How long a replaced file is looked at: a worker that is asleep reconnects within minutes.
pub const FOR: Duration = Duration::from_secs(15 * 60);

/// What is watched for; kept in the provider's memory across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vigil {
    /// The file.
    pub file: PathBuf,
    /// Keys that must not come back, in hex; the newest last.
    pub old: Vec<String>,
    /// The key that was put there; `None` after a wipe.
    pub new: Option<String>,
    /// When it was put there.
    pub since: Stamp,
}

/// What lies there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was put there.
    Fine,
    /// An old key: a live process wrote it back.
    Resurrected(KeyId),
    /// A key that is neither: the worker logged in by itself, or a person did.
    Other(KeyId),
    /// Nothing, or nothing readable.
    Unreadable(Trouble),
}

impl Vigil {
    /// Begins one.
    pub fn new(file: PathBuf, old: &[KeyId], new: Option<KeyId>, since: Stamp) -> Self {
        Self { file, old: old.iter().map(ToString::to_string).collect(), new: new.map(|k| k.to_string()), since }
    }

    /// True when it has been long enough.
    pub fn is_over(&self, now: &Stamp) -> bool {
        self.since.age(now) >= FOR
    }

    /// Looks at the file, whatever its layout; blocks.
    pub fn look(&self, patience: Patience) -> Outcome {
        match session::look(&self.file, patience) {
            Ok(found) => self.judge(found.session.key.id()),
            Err(Trouble::Absent) if self.new.is_none() => Outcome::Fine,
            Err(t) => Outcome::Unreadable(t),
        }
    }

    fn judge(&self, key: KeyId) -> Outcome {
        let text = key.to_string();
        if self.new.as_ref() == Some(&text) {
            Outcome::Fine
        } else if self.old.contains(&text) {
            Outcome::Resurrected(key)
        } else {
            Outcome::Other(key)
        }
    }

    /// The reason to show, if there is one.
    pub fn reason(&self, outcome: &Outcome) -> Option<Reason> {
        let Outcome::Resurrected(key) = outcome else { return None };
        Some(Reason::new(ReasonCode::SlotResurrected).with("file", self.file.to_string_lossy()).with("key", key.to_string()))
    }

    /// The layout that a slot must have for a new key to be written.
    pub const fn can_write(format: Format) -> bool {
        format.is_written()
    }
}
