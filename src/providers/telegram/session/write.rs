//! Writes a slot's file so that whoever reads it finds the old key or the new one, never half: a file beside it that only its
//! owner may read, synced, renamed over it, the folder synced.
//!
//! The file beside it has a name that follows from the slot's, so that a killed process leaves nothing that is not found again.

use crate::domain::{Reason, ReasonCode};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where the new content waits for its rename. A key in it is a stray one until then: [`clear_left`] removes it.
pub fn beside(path: &Path) -> PathBuf {
    named(path, "new")
}

/// `.NAME.pairdeck-WHAT` in the folder of `path`.
pub fn named(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.pairdeck-{what}"))
}

/// The file itself, where `path` is a symbolic link: a rename over the link would leave the old key behind it.
///
/// # Errors
/// When a folder on the way is missing.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(fs::canonicalize(dir)?.join(path.file_name().unwrap_or_default()))
        }
        Err(e) => Err(e),
    }
}

/// Puts `content` in the place of `path`; the file is made if it is missing. Blocks. The caller holds the slot's lock.
///
/// # Errors
/// Nothing was changed: another name of the file would keep the old key, the file is itself a mount, or the system refuses.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Reason> {
    let refused = |e: &io::Error| unwritable(path, e);
    let real = real(path).map_err(|e| refused(&e))?;
    let old = fs::metadata(&real).ok();
    if let Some(old) = &old {
        one_name(&real, old)?;
    }
    let new = beside(&real);
    clear_left(&real);
    let done = fill(&new, content, old.as_ref()).and_then(|()| fs::rename(&new, &real)).and_then(|()| sync_dir(&real));
    done.map_err(|e| {
        clear_left(&real);
        // A single file that is mounted into a container cannot be renamed over.
        if e.raw_os_error() == Some(libc::EBUSY) { Reason::new(ReasonCode::SlotMounted).with("file", path.to_string_lossy()) } else { refused(&e) }
    })
}

/// Removes what a killed process left beside `path`. True when there was something.
pub fn clear_left(path: &Path) -> bool {
    let real = real(path).unwrap_or_else(|_| path.to_owned());
    let gone = fs::remove_file(beside(&real)).is_ok();
    if gone {
        let _ = sync_dir(&real);
    }
    gone
}

fn fill(new: &Path, content: &[u8], old: Option<&fs::Metadata>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(new)?;
    #[cfg(unix)]
    if let Some(old) = old {
        use std::os::unix::fs::MetadataExt;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            // A worker that runs as somebody else must still be able to read its session.
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
    }
    file.write_all(content)?;
    file.sync_all()
}

/// Commits the folder's entry.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if cfg!(unix) => File::open(if dir.as_os_str().is_empty() { Path::new(".") } else { dir })?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn one_name(path: &Path, meta: &fs::Metadata) -> Result<(), Reason> {
    use std::os::unix::fs::MetadataExt;
    if meta.nlink() > 1 {
        return Err(Reason::new(ReasonCode::SlotHardLinked).with("file", path.to_string_lossy()).with("n", meta.nlink().to_string()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn one_name(_: &Path, _: &fs::Metadata) -> Result<(), Reason> {
    Ok(())
}

/// The system's refusal, in the words of the deck.
pub(crate) fn unwritable(path: &Path, e: &io::Error) -> Reason {
    let why = Reason::new(ReasonCode::SlotUnwritable).with("file", path.to_string_lossy()).with("why", crate::store::paths::plain(e));
    match path.parent() {
        Some(folder) if e.kind() == io::ErrorKind::NotFound => why.with("evidence", "absent").with("folder", folder.to_string_lossy()),
        _ => why,
    }
}
