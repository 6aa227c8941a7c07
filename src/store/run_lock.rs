//! The right to run something that only one process may run, such as the worker of a session. The lock is the kernel's and its
//! file is shared by every pairdeck that sees the folder: other homes, other users, containers on one volume.
//!
//! The child inherits the open file: while any process of it lives the lock is held, also when its `pairdeck run` was killed.

use super::paths;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Who holds the lock, as it wrote itself down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// The target that it runs.
    pub target: String,
    /// Process id, in its own namespace.
    pub pid: u32,
    /// `user@host`.
    pub who: String,
    /// Name of the command, without its arguments: they may hold secrets.
    pub command: String,
    /// Mount namespace, where there are any.
    pub mounts: u64,
    /// Process id namespace, where there are any.
    pub pids: u64,
}

impl Owner {
    /// `command[pid]@…` for people.
    pub fn name(&self) -> String {
        let who = if self.who.is_empty() { "?" } else { &self.who };
        format!("{}[{}] {who}", if self.command.is_empty() { "?" } else { &self.command }, self.pid)
    }
}

/// The lock, held. Closing lets go; unlocking would let go for a child that lives on, so that is never done.
#[derive(Debug)]
pub struct RunLock {
    /// `None` only while it is dropped.
    file: Option<File>,
    path: PathBuf,
}

/// Longest record that is read.
const LONGEST: u64 = 4096;
/// Whoever only looks holds the lock for a moment: that is no refusal.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
/// How often a lock must be found held, and what lies between.
const LOOKS: u32 = 3;
const BLINK: Duration = Duration::from_millis(1);

impl RunLock {
    /// Takes the lock at `path` and writes `owner` into it. The inner error is who has it.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub fn take(path: &Path, owner: &Owner) -> io::Result<Result<Self, Owner>> {
        let mut left = TRIES;
        loop {
            let mut file = paths::private_file(path)?;
            match file.try_lock() {
                // Somebody may have removed the file between its opening and its locking.
                Ok(()) if same(&file, path) => {
                    file.set_len(0)?;
                    file.rewind()?;
                    file.write_all(&serde_json::to_vec(owner).unwrap_or_default())?;
                    return Ok(Ok(Self { file: Some(file), path: path.to_owned() }));
                }
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if left > 0 => {
                    left -= 1;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(record(&mut file))),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
    }

    /// The open file, for the child to inherit.
    pub const fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }
}

impl Drop for RunLock {
    /// Who ends well leaves no record. What still holds the lock keeps it, and the record with it.
    fn drop(&mut self) {
        drop(self.file.take());
        clean(&self.path);
    }
}

/// Who holds the lock at `path`; `None` when nobody does. What a dead process left is nobody.
pub fn owner(path: &Path) -> Option<Owner> {
    let mut file = paths::plain_file(fs::OpenOptions::new().read(true), path).ok()?;
    for _ in 0..LOOKS {
        // Shared, so that two who look at once do not take each other for the owner.
        if file.try_lock_shared().is_ok() {
            return None;
        }
        // Whoever only cleans has it for an instant.
        std::thread::sleep(BLINK);
    }
    Some(record(&mut file))
}

/// What a holder that is no more wrote down, and when; nothing while somebody holds the lock.
pub fn left(path: &Path) -> Option<(Owner, SystemTime)> {
    let mut file = paths::plain_file(fs::OpenOptions::new().read(true), path).ok()?;
    file.try_lock_shared().ok()?;
    let owner = Some(record(&mut file)).filter(|o| o.pid > 0)?;
    Some((owner, file.metadata().ok()?.modified().ok()?))
}

/// Removes the file of a lock that nobody holds. True when it is gone.
pub fn clean(path: &Path) -> bool {
    let Ok(file) = paths::plain_file(fs::OpenOptions::new().read(true), path) else { return false };
    // Under the lock: whoever opened it meanwhile finds out that it is another file now.
    file.try_lock().is_ok() && same(&file, path) && fs::remove_file(path).is_ok()
}

fn record(file: &mut File) -> Owner {
    let mut text = Vec::new();
    let _ = file.rewind();
    let _ = file.take(LONGEST).read_to_end(&mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(unix)]
fn same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    matches!((file.metadata().map(id), fs::symlink_metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(not(unix))]
fn same(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_the_third_follows_him() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".s.json.pairdeck-run");
        let me = Owner { target: "tg:shop/orders".into(), pid: 7, who: "ops@a".into(), command: "bot".into(), ..Owner::default() };
        let first = RunLock::take(&path, &me).unwrap().unwrap();
        assert_eq!(RunLock::take(&path, &Owner::default()).unwrap().unwrap_err(), me);
        assert_eq!(owner(&path), Some(me.clone()));
        drop(first);
        assert_eq!(owner(&path), None);
        assert!(!path.exists(), "who ends well leaves no record");
        assert!(RunLock::take(&path, &me).unwrap().is_ok());
    }

    #[test]
    fn a_file_that_a_dead_process_left_is_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        fs::write(&path, r#"{"pid":1,"who":"ops@a","command":"bot"}"#).unwrap();
        assert_eq!(owner(&path), None);
        assert_eq!(left(&path).unwrap().0.who, "ops@a");
        let held = RunLock::take(&path, &Owner { pid: 2, ..Owner::default() }).unwrap().unwrap();
        assert!(left(&path).is_none() && !clean(&path) && path.exists(), "somebody has it");
        // A child that lives on has it too.
        let inherited = held.file().unwrap().try_clone().unwrap();
        drop(held);
        assert_eq!(owner(&path).map(|o| o.pid), Some(2));
        drop(inherited);
        assert!(clean(&path) && !path.exists());
    }

    #[test]
    fn a_link_or_a_pipe_under_its_name_is_refused_and_what_it_points_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join(".s.json.pairdeck-run"), dir.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        let why = RunLock::take(&path, &Owner::default()).unwrap_err();
        assert!(why.to_string().contains("a link, a pipe"), "{why}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(owner(&path), None);
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let why = RunLock::take(&path, &Owner::default()).unwrap_err();
        assert!(why.to_string().contains("a link, a pipe"), "{why}");
        assert_eq!(owner(&path), None, "who looks waits for the pipe");
    }
}
