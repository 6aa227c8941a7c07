//! Wiping a slot's file is moving it into a folder that only its owner may enter, from where it can come back. Each function can
//! be repeated after a kill: what is done is found done.

use crate::{
    domain::{Reason, ReasonCode},
    providers::telegram::{KeyId, session::write},
    store::paths,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A file in the trash, as a plan keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
}

/// How far a move into the trash has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is in the trash.
    Done,
    /// It is where it was.
    NotDone,
    /// It is in both places: a move was cut short, or somebody wrote the file again.
    Both,
    /// It is in neither.
    Gone,
}

/// Where a wiped file will lie: decided before anything is moved, so that a plan can say it. `salt` tells wipes of one key apart.
pub fn plan(file: &Path, trash: &Path, key: Option<KeyId>, salt: u64) -> io::Result<Trashed> {
    let from = write::real(file)?;
    let name = from.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let key = key.map_or_else(|| "unreadable".to_owned(), |k| k.to_string());
    Ok(Trashed { to: trash.join(format!("{key}-{salt:x}-{name}")), from })
}

/// Moves it there, mode 0600, synced.
///
/// # Errors
/// Nothing was lost: it lies where it was, or in both places.
pub fn wipe(t: &Trashed) -> Result<(), Reason> {
    let go = || -> io::Result<()> {
        if let Some(dir) = t.to.parent() {
            paths::private_dir(dir).map_err(|e| io::Error::other(e.to_string()))?;
        }
        match found(t) {
            Moved::Done => return Ok(()),
            Moved::Gone => return Err(io::ErrorKind::NotFound.into()),
            Moved::Both if fs::read(&t.from)? == fs::read(&t.to)? => {}
            Moved::Both => return Err(io::ErrorKind::AlreadyExists.into()),
            Moved::NotDone => copy(&t.from, &t.to)?,
        }
        fs::remove_file(&t.from)?;
        write::sync_dir(&t.from)
    };
    go().map_err(|e| write::unwritable(&t.from, &e))
}

/// Puts it back where it was.
///
/// # Errors
/// Something else lies there by now ([`ReasonCode::Foreign`]), or the system refuses; it stays in the trash.
pub fn undo(t: &Trashed) -> Result<(), Reason> {
    match found(t) {
        Moved::NotDone => return Ok(()),
        Moved::Gone => return Err(Reason::new(ReasonCode::Gone)),
        Moved::Both if fs::read(&t.from).ok() != fs::read(&t.to).ok() => return Err(Reason::new(ReasonCode::Foreign)),
        Moved::Both | Moved::Done => {}
    }
    let go = || -> io::Result<()> {
        if !t.from.exists() {
            copy(&t.to, &t.from)?;
        }
        fs::remove_file(&t.to)?;
        write::sync_dir(&t.to)
    };
    go().map_err(|e| write::unwritable(&t.from, &e))
}

/// How far it has come.
pub fn found(t: &Trashed) -> Moved {
    match (t.from.exists(), t.to.exists()) {
        (true, true) => Moved::Both,
        (true, false) => Moved::NotDone,
        (false, true) => Moved::Done,
        (false, false) => Moved::Gone,
    }
}

/// A whole copy or none: by a file beside it, never over something. The trash may lie on another file system.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let half = write::beside(to);
    let _ = fs::remove_file(&half);
    let meta = fs::metadata(from)?;
    let bytes = zeroize::Zeroizing::new(fs::read(from)?);
    let done = (|| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&half)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Only root can give a file away; it matters when it comes back to a worker of another user.
            let _ = std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()));
        }
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        // A link fails where a rename would silently win over somebody who was faster.
        fs::hard_link(&half, to)?;
        write::sync_dir(to)
    })();
    let _ = fs::remove_file(&half);
    #[cfg(not(unix))]
    let _ = meta;
    done
}
