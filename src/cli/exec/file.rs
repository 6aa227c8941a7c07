//! The token in a file that follows it: replaced whole whenever another one is there, gone when the command ends.
//!
//! A command that outlives its first token finds a living one where it found that. It has to read the file again, as it has to
//! with every file that somebody renews; the name stays.

use super::{Globals, Output, token};
use crate::{
    cli::args::ExecArgs,
    clock::SystemTime,
    domain::{Secret, Time},
    engine::agent::Document,
    store::{Paths, paths},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// How often is looked, without a request, whether another token is there before the first one's time.
const LOOK: Duration = Duration::from_secs(5);
/// A token is over when its life is, and a moment more: clocks round.
const SPARE: Duration = Duration::from_millis(200);
/// First and longest wait after no new token could be had.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// Where another token is there before the end of the first, it is asked for so long after that began at most: a fleet is kept apart,
/// and a deck or watch that looks after the same token comes first.
const JITTER_MS: u64 = 1_500;

/// How its name begins.
const PREFIX: &str = "pairdeck-token-";

/// The file and the open one in its place, whose lock tells that somebody looks after it: it ends with the process.
type Kept = (tempfile::TempPath, File);

/// The file while it may be written; `None`: the command has ended and it is gone.
pub(super) struct TokenFile {
    path: PathBuf,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// Files with tokens that nobody looks after any more: their `exec` was killed before it could take them away. Each with its lock.
pub(in crate::cli) fn left(folder: &Path) -> Vec<(PathBuf, File)> {
    let mut all = Vec::new();
    let mut folders: Vec<PathBuf> = [runtime(), session(), Some(folder.to_owned())].into_iter().flatten().collect();
    folders.dedup();
    for path in folders.into_iter().filter_map(|d| fs::read_dir(d).ok()).flatten().flatten().map(|e| e.path()) {
        let ours = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(PREFIX));
        if ours
            && let Ok(file) = paths::plain_file(fs::OpenOptions::new().read(true), &path)
            && file.try_lock().is_ok()
            // One that is just being made holds nothing yet.
            && file.metadata().is_ok_and(|m| m.len() > 0)
        {
            all.push((path, file));
        }
    }
    all
}

/// Takes away what killed ones left.
pub(in crate::cli) fn sweep(folder: &Path) {
    for (path, _lock) in left(folder) {
        let _ = fs::remove_file(path);
    }
}

fn runtime() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|d| d.is_dir())
}

/// Where a login session of this user has its files, told or not: a timer's process is not told, and sweeps what others left there.
fn session() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    return Some(PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw())));
    #[cfg(not(target_os = "linux"))]
    return None;
}

impl TokenFile {
    /// A file with this token, 0600 from birth, under a name that cannot be guessed.
    pub(super) fn new(token: &Secret, folder: &Path) -> io::Result<Self> {
        let at = runtime().unwrap_or_else(|| folder.to_owned());
        let (file, path) = written(token, &at)?.into_parts();
        Ok(Self { path: path.to_path_buf(), kept: Arc::new(Mutex::new(Some((path, file)))) })
    }

    /// Its name, which stays.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes it away; nothing writes it again.
    pub(super) fn end(self) {
        drop(self.kept.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Follows the token until the file has ended, on a thread that ends with the process.
    pub(super) fn follow(&self, args: ExecArgs, globals: Globals, paths: Paths, first: &Document, lang: crate::i18n::Lang) {
        let (path, kept) = (self.path.clone(), self.kept.clone());
        let time = SystemTime::new();
        let mut current = first.token.clone();
        let mut dies = time.now().plus(Duration::from_secs(first.left));
        let mut early = token::early(&args, &paths, first);
        // Lives come in whole seconds: the platform's overlap has begun for certain.
        let spare = SPARE + Duration::from_secs(1) + Duration::from_millis(u64::from(getrandom::u32().unwrap_or(0)) % JITTER_MS);
        let _ = thread::Builder::new().name("token-file".into()).spawn(move || {
            let mut out = Output::std(lang, globals.quiet);
            let mut wait = AGAIN.0;
            loop {
                // By the boot clock, which goes on while a machine sleeps.
                thread::sleep(LOOK.min(dies.left(&time.now()).saturating_sub(early) + if early.is_zero() { SPARE } else { spare }));
                let over = dies.left(&time.now()) <= early;
                let found = if over {
                    token::renewed(&args, early, &globals, paths.clone(), &mut out)
                } else {
                    match token::peek(&args, &globals, &paths, &mut out) {
                        Some(found) => Some(found),
                        None => continue,
                    }
                };
                let Some(found) = found else {
                    // One that still lives is not slept past.
                    let left = dies.left(&time.now());
                    thread::sleep(if left.is_zero() { wait } else { wait.min(left + SPARE) });
                    wait = (wait * 2).min(AGAIN.1);
                    continue;
                };
                wait = AGAIN.0;
                dies = time.now().plus(Duration::from_secs(found.left));
                if found.token == current && dies.left(&time.now()) <= early {
                    // The platform has no other one yet: it is asked again halfway to the end, and at the end.
                    early = if early < Duration::from_secs(4) { Duration::ZERO } else { early / 2 };
                }
                if found.token != current {
                    early = token::early(&args, &paths, &found);
                    if replace(&kept, &path, &found.token).is_none() {
                        return;
                    }
                    current = found.token;
                }
            }
        });
    }
}

fn written(token: &Secret, at: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(at)?;
    // Before there is anything in it; a folder without locks has no sweep either. Whoever looks holds it for a moment only.
    let _ = file.as_file().lock();
    file.write_all(token.expose().as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// Puts another token in its place: whoever reads sees the old one or the new one. `None`: the command has ended.
fn replace(kept: &Mutex<Option<Kept>>, path: &Path, token: &Secret) -> Option<()> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, current) = kept.as_mut()?;
    // A disk that is full keeps the old one there; the next look tries again.
    if let Some(folder) = path.parent()
        && let Ok(file) = written(token, folder)
        && let Ok(file) = file.persist(path)
    {
        *current = file;
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn another_token_takes_the_place_of_the_first_whole_and_nothing_is_written_after_the_end() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (file, at) = written(&Secret::new("one".into()), dir.path()).unwrap().into_parts();
        let path = at.to_path_buf();
        let kept = Mutex::new(Some((at, file)));
        sweep(dir.path());
        assert!(replace(&kept, &path, &Secret::new("another".into())).is_some());
        sweep(dir.path());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another", "what is in use is swept");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(kept.lock().unwrap().take());
        assert!(replace(&kept, &path, &Secret::new("late".into())).is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a token is left behind");
    }

    #[test]
    fn what_a_killed_one_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["pairdeck-token-abc", "other", "pairdeck-token-new"] {
            fs::write(dir.path().join(name), if name.ends_with("new") { "" } else { "token" }).unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("other"), dir.path().join("pairdeck-token-link")).unwrap();
        sweep(dir.path());
        assert!(!dir.path().join("pairdeck-token-abc").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
