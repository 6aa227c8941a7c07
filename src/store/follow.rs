//! How a process that does not watch learns what the others wrote: `data_version`, looked at when the files move.

use super::{Store, StoreError, thread::lock};
use std::time::Duration;

/// How often the version is looked at where the kernel tells nothing.
const POLL: Duration = Duration::from_secs(1);
/// Changes that come close together are told once.
const SETTLE: Duration = Duration::from_millis(100);

impl Store {
    /// A number pair that changes when another process (or another handle) commits; commits of this handle leave it.
    ///
    /// # Errors
    /// When the store was closed.
    pub async fn data_version(&self) -> Result<(i64, i64), StoreError> {
        self.ask(|db| {
            db.look_in_place();
            let version = |c: &rusqlite::Connection| c.query_row("PRAGMA data_version", [], |r| r.get::<_, i64>(0));
            let cache = version(&db.cache_db).map_err(|e| StoreError::Trouble(e.to_string()))?;
            let vault = db.vault_db.as_ref().ok().and_then(|c| version(c).ok()).unwrap_or(0);
            Ok((vault, cache))
        })
        .await
    }

    /// From here on [`Store::changed`] tells what others commit: for a reader who looks at the store before it waits.
    pub async fn watch_from_here(&self) {
        if let Ok(now) = self.data_version().await {
            *lock(&self.0.seen) = Some(now);
        }
    }

    /// Resolves when somebody else has committed since the last time it resolved (the first call: since it was called).
    /// Never resolves after the store was closed.
    pub async fn changed(&self) {
        let files = Files::watch(&self.0.paths.data);
        let first = self.data_version().await.ok();
        if let Some(now) = first {
            lock(&self.0.seen).get_or_insert(now);
        }
        loop {
            match self.data_version().await {
                Ok(now) => {
                    let mut seen = lock(&self.0.seen);
                    if *seen != Some(now) {
                        *seen = Some(now);
                        return;
                    }
                }
                Err(_) => std::future::pending().await,
            }
            files.moved().await;
            tokio::time::sleep(SETTLE).await;
        }
    }
}

/// The kernel's word that a file of a folder was written, made, moved or removed.
pub(crate) struct Files {
    #[cfg(target_os = "linux")]
    fd: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

#[cfg(target_os = "linux")]
impl Files {
    /// Listens from here on. Where the kernel tells nothing, [`Files::moved`] resolves from time to time.
    pub(crate) fn watch(dir: &std::path::Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let fd = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok().and_then(|fd| {
            let moves = WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM;
            add_watch(&fd, dir, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE | moves).ok()?;
            // Deprecated for foreign descriptors that may be closed elsewhere; an `OwnedFd` of ours stays open.
            #[allow(deprecated)]
            tokio::io::unix::AsyncFd::new(fd).ok()
        });
        Self { fd }
    }

    /// Listens from here on to whoever changes modes and owners of these files and folders, or puts another in the place of one. `None`
    /// where the kernel does not tell that of each of them.
    pub(crate) fn modes<'a>(of: impl Iterator<Item = &'a std::path::Path>) -> Option<Self> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let fd = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let flags = WatchFlags::ATTRIB | WatchFlags::MOVED_TO | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        for path in of {
            match add_watch(&fd, path, flags) {
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(_) => return None,
            }
        }
        // As above.
        #[allow(deprecated)]
        let fd = tokio::io::unix::AsyncFd::new(fd).ok()?;
        Some(Self { fd: Some(fd) })
    }

    /// Resolves when something has happened since it last did.
    pub(crate) async fn moved(&self) {
        let Some(fd) = &self.fd else { return tokio::time::sleep(POLL).await };
        let Ok(mut ready) = fd.readable().await else { return tokio::time::sleep(POLL).await };
        // What happened does not matter: the version tells. Read until nothing is left, so that it wakes anew.
        let mut buffer = [0u8; 4096];
        while rustix::io::read(fd.get_ref(), &mut buffer).is_ok_and(|n| n > 0) {}
        ready.clear_ready();
    }
}

#[cfg(not(target_os = "linux"))]
impl Files {
    pub(crate) fn watch(_: &std::path::Path) -> Self {
        Self {}
    }
    pub(crate) fn modes<'a>(_: impl Iterator<Item = &'a std::path::Path>) -> Option<Self> {
        None
    }
    pub(crate) async fn moved(&self) {
        tokio::time::sleep(POLL).await;
    }
}
