//! A lock that counts on this whole host and not only in one home folder: two homes may hold copies of one key, and the lock files of a
//! home say nothing to the other. It lies in a folder of this user's, outside of every home, under a hash of its name.

use super::paths;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{Seek, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Held until it is dropped, or its process ends.
#[derive(Debug)]
pub(super) struct HostLock {
    file: File,
}

/// What became of the wish for one.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is ours.
    Ours(HostLock),
    /// Somebody else's, of this home or of another one.
    Others,
    /// This host has no folder for it: the home's own lock is all there is.
    Nowhere,
}

impl HostLock {
    /// Takes the lock of that name, if nobody has it.
    pub(super) fn try_take(name: &str) -> Taken {
        let Some(path) = folder().map(|f| file_of(&f, name)) else { return Taken::Nowhere };
        loop {
            let Ok(file) = paths::private_file(&path) else { return Taken::Nowhere };
            match file.try_lock() {
                // Something that tidies up may have removed it between its making and its locking: then it keeps nobody away.
                Ok(()) if is_at(&file, &path) => return Taken::Ours(Self { file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Taken::Others,
                Err(TryLockError::Error(_)) => return Taken::Nowhere,
            }
        }
    }

    /// Writes down who holds it, for those who are refused.
    pub(super) fn sign(&self, who: &str) {
        let mut file = &self.file;
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(who.as_bytes()));
    }

    /// Keeps the file young, so that nothing that tidies up takes it for a forgotten one.
    pub(super) fn touch(name: &str) {
        if let Some(path) = folder().map(|f| file_of(&f, name)) {
            let _ = fs::OpenOptions::new().write(true).open(path).and_then(|f| f.set_modified(SystemTime::now()));
        }
    }

    /// Who has it, as written down; `None`: nobody.
    pub(super) fn holder(name: &str) -> Option<String> {
        let path = file_of(&folder()?, name);
        let file = File::open(&path).ok()?;
        // Shared, so that two who look at once do not take each other for the holder.
        if matches!(file.try_lock_shared(), Ok(())) {
            return None;
        }
        Some(fs::read_to_string(&path).unwrap_or_default().chars().take(120).collect())
    }
}

/// Never the name itself: who may list the folder learns nothing of keys.
fn file_of(folder: &Path, name: &str) -> PathBuf {
    let hash: String = Sha256::digest(name.as_bytes()).iter().take(16).map(|b| format!("{b:02x}")).collect();
    folder.join(format!("{hash}.lock"))
}

/// This user's folder: the same for every process of this user, whatever its environment says.
#[cfg(unix)]
fn folder() -> Option<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let of_session = PathBuf::from(format!("/run/user/{uid}"));
    let candidates = [of_session.is_dir().then(|| of_session.join("pairdeck")), Some(PathBuf::from(format!("/tmp/pairdeck-{uid}")))];
    candidates.into_iter().flatten().find(|f| is_private(f, uid))
}

#[cfg(not(unix))]
fn folder() -> Option<PathBuf> {
    None
}

/// Made if it is missing. One that somebody else made first, or that leads elsewhere, is not used.
#[cfg(unix)]
fn is_private(folder: &Path, uid: u32) -> bool {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let _ = DirBuilder::new().mode(0o700).create(folder);
    fs::symlink_metadata(folder).is_ok_and(|m| m.is_dir() && m.uid() == uid && m.mode() & 0o077 == 0)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
