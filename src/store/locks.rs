//! Lock files: who lives, who watches, who acts. The lock is the kernel's, so a killed process lets go by itself.

use super::{Paths, StoreError, paths};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// This process is alive while it is held. Its name is the owner that ops carry.
#[derive(Debug)]
pub struct ProcessLock {
    name: Box<str>,
    path: PathBuf,
    _file: File,
}

impl ProcessLock {
    /// Takes a new lock file `locks/proc-PID-RANDOM.lock` and clears away those of dead processes.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn take(paths: &Paths) -> Result<Self, StoreError> {
        paths::private_dir(&paths.locks())?;
        sweep(&paths.locks());
        loop {
            let mut salt = [0u8; 6];
            let _ = getrandom::fill(&mut salt);
            let hex: String = salt.iter().map(|b| format!("{b:02x}")).collect();
            let name = format!("proc-{}-{hex}", std::process::id());
            let path = paths.locks().join(format!("{name}.lock"));
            let file = paths::private_file(&path).map_err(|e| paths::unwritable(&path, &e))?;
            // Another process's sweep may have removed the file between its making and its locking.
            if file.try_lock().is_ok() && path.exists() {
                return Ok(Self { name: name.into(), path, _file: file });
            }
        }
    }

    /// The owner's name, as ops carry it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// True while the process that calls itself `owner` holds its lock.
pub fn owner_lives(locks: &Path, owner: &str) -> bool {
    // A name from an edited store must not lead out of the folder.
    if owner.is_empty() || owner.contains(['/', '\\']) {
        return false;
    }
    held(&locks.join(format!("{owner}.lock")))
}

/// True when somebody holds the lock exclusively; false when nobody does or the file is missing. Anything odd counts as
/// held, because taking an op from a living owner is worse than waiting.
fn held(path: &Path) -> bool {
    match File::open(path) {
        // Shared, so that two who look at once do not take each other for the owner.
        Ok(f) => !matches!(f.try_lock_shared(), Ok(())),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    }
}

/// True while any process with a lock of its own uses the store.
pub(super) fn anybody(locks: &Path) -> bool {
    let Ok(entries) = fs::read_dir(locks) else { return false };
    let lives =
        |path: PathBuf| path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("proc-") && n.ends_with(".lock")) && held(&path);
    entries.flatten().any(|e| lives(e.path()))
}

fn sweep(locks: &Path) {
    let Ok(entries) = fs::read_dir(locks) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        let ours = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("proc-") && n.ends_with(".lock"));
        if ours
            && let Ok(f) = File::open(&path)
            && f.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// An exclusive right that is let go when this is dropped.
#[derive(Debug)]
pub struct NamedLock {
    _file: File,
}

impl NamedLock {
    /// Takes `locks/NAME.lock`, or `None` when somebody else has it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn try_take(paths: &Paths, name: &str) -> Result<Option<Self>, StoreError> {
        let (path, file) = Self::open(paths, name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(paths::unwritable(&path, &e)),
        }
    }

    /// Waits for it on the calling thread: for a standby thread only.
    ///
    /// # Errors
    /// When the lock file cannot be opened or locked.
    pub fn take_blocking(paths: &Paths, name: &str) -> Result<Self, StoreError> {
        let (path, file) = Self::open(paths, name)?;
        file.lock().map_err(|e| paths::unwritable(&path, &e))?;
        Ok(Self { _file: file })
    }

    /// Writes into the lock file who holds it, for those who wait.
    pub fn sign(&self, who: &str) {
        use std::io::{Seek, Write};
        let mut file = &self._file;
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(who.as_bytes()));
    }

    /// Notes that its holder was well just now.
    pub fn note_well(paths: &Paths, name: &str) {
        Self::note(paths, name, SystemTime::now());
    }

    /// Nobody has said yet that this holder is well.
    pub fn note_new(paths: &Paths, name: &str) {
        Self::note(paths, name, SystemTime::UNIX_EPOCH);
    }

    /// The time stands on the file; a file system that keeps none tells nothing.
    fn note(paths: &Paths, name: &str, at: SystemTime) {
        let _ = fs::OpenOptions::new().write(true).open(Self::path(paths, name)).and_then(|f| f.set_modified(at));
    }

    /// How long ago its holder was well.
    pub fn well(paths: &Paths, name: &str) -> Option<Duration> {
        let at = fs::metadata(Self::path(paths, name)).and_then(|m| m.modified()).ok()?;
        at.elapsed().ok()
    }

    /// True while somebody has it.
    pub fn is_held(paths: &Paths, name: &str) -> bool {
        held(&Self::path(paths, name))
    }

    /// Who signed it last.
    pub fn signed(paths: &Paths, name: &str) -> Option<String> {
        let text = fs::read_to_string(Self::path(paths, name)).ok()?;
        Some(text.chars().take(120).collect()).filter(|t: &String| !t.is_empty())
    }

    fn path(paths: &Paths, name: &str) -> PathBuf {
        let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        paths.locks().join(format!("{safe}.lock"))
    }

    fn open(paths: &Paths, name: &str) -> Result<(PathBuf, File), StoreError> {
        paths::private_dir(&paths.locks())?;
        let path = Self::path(paths, name);
        let file = paths::private_file(&path).map_err(|e| paths::unwritable(&path, &e))?;
        Ok((path, file))
    }
}

/// The right to watch the gateways of this store: one process has it.
#[derive(Debug)]
pub struct WatchLock {
    _lock: NamedLock,
}

impl WatchLock {
    /// Takes it, or `None` when another process watches.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn try_take(paths: &Paths) -> Result<Option<Self>, StoreError> {
        Ok(NamedLock::try_take(paths, "watch")?.map(|lock| Self { _lock: lock }))
    }

    /// Waits until the watcher ends, on the calling thread: for the standby thread only.
    ///
    /// # Errors
    /// When the lock file cannot be opened or locked.
    pub fn take_blocking(paths: &Paths) -> Result<Self, StoreError> {
        Ok(Self { _lock: NamedLock::take_blocking(paths, "watch")? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_exactly_while_its_lock_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        let a = ProcessLock::take(&paths).unwrap();
        let b = ProcessLock::take(&paths).unwrap();
        assert!(owner_lives(&paths.locks(), a.name()) && owner_lives(&paths.locks(), b.name()));
        let name = a.name().to_owned();
        drop(a);
        assert!(!owner_lives(&paths.locks(), &name));
        assert!(!owner_lives(&paths.locks(), "../vault"));
    }

    #[test]
    fn a_lock_file_left_by_a_killed_process_is_dead_and_swept() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        paths.prepare().unwrap();
        let left = paths.locks().join("proc-1-dead.lock");
        fs::write(&left, "").unwrap();
        assert!(!owner_lives(&paths.locks(), "proc-1-dead"));
        let _me = ProcessLock::take(&paths).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn one_watches_and_the_next_takes_over() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        let first = WatchLock::try_take(&paths).unwrap().unwrap();
        assert!(WatchLock::try_take(&paths).unwrap().is_none());
        let standby = std::thread::spawn({
            let paths = paths.clone();
            move || WatchLock::take_blocking(&paths).is_ok()
        });
        drop(first);
        assert!(standby.join().unwrap());
        assert!(WatchLock::try_take(&paths).unwrap().is_some());
    }
}
