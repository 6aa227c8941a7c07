//! The store thread: it alone touches the databases. Jobs come over a bounded queue and are answered one by one; cache and
//! history writes gather in a pending box and are committed together at most 250 ms later, after the jobs.

use super::{Change, ClockEvent, ClockPoint, KnownGateway, StoreError, cache, clock, history, kill, mark, schema};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, Row, Target, Time},
    i18n::store as words,
    vault::Vault,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// How long cheap writes gather.
pub(super) const GATHER: Duration = Duration::from_millis(250);
/// How often a `vault.db` that could not be written is tried again, though nobody asks for it: what waits is kept, and the badge goes.
const TRY_AGAIN: Duration = Duration::from_secs(3);
/// History lines that wait at most while the disk does not take them; older ones are dropped.
const WAITING: usize = 50_000;

/// Work for the store thread.
pub(super) enum Job {
    /// Something with an answer.
    Run(Box<dyn FnOnce(&mut Db) + Send>),
    /// Something is pending.
    Wake,
}

/// A row's key: gateway, account, device.
pub(super) type RowKey = (String, String, Option<String>);

/// What waits to be committed together. The latest value of a row wins.
#[derive(Default)]
pub(super) struct Pending {
    /// Rows to keep (`Some`) or to forget (`None`).
    pub(super) rows: HashMap<RowKey, Option<Row>>,
    /// Gateways to keep (`Some`) or to forget with their rows (`None`).
    pub(super) gateways: HashMap<GatewayId, Option<KnownGateway>>,
    /// State changes.
    pub(super) changes: Vec<Change>,
    /// Points of offset histories.
    pub(super) points: Vec<ClockPoint>,
    /// What the alarm said.
    pub(super) events: Vec<ClockEvent>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gateways.is_empty() && !self.has_history()
    }

    /// True when something waits for `vault.db`.
    fn has_history(&self) -> bool {
        !(self.changes.is_empty() && self.points.is_empty() && self.events.is_empty())
    }

    /// Bounds what a full disk lets pile up.
    pub(super) fn trim(&mut self) {
        fn newest<T>(all: &mut Vec<T>) {
            let over = all.len().saturating_sub(WAITING);
            all.drain(..over);
        }
        newest(&mut self.changes);
        newest(&mut self.points);
        newest(&mut self.events);
    }
}

/// The key of a target's row.
pub(super) fn key_of(t: &Target) -> RowKey {
    (t.gateway.as_str().to_owned(), t.account.as_str().to_owned(), t.device.as_ref().map(|d| d.as_str().to_owned()))
}

/// Both connections and what their work needs. Lives on the store thread.
pub(super) struct Db {
    /// `vault.db`, or why there is none.
    pub(super) vault_db: Result<Connection, crate::i18n::Message>,
    /// Why nothing may be written to what could be opened only for reading: it is damaged.
    pub(super) refuses: Option<crate::i18n::Message>,
    /// Where it lies, when it could only be read as it was opened: it is opened anew once it can be written.
    pub(super) reopen: Option<super::Paths>,
    /// `cache.db`, or one in memory.
    pub(super) cache_db: Connection,
    /// What was last written of each row, so that a poll that brought nothing new writes nothing.
    pub(super) written: cache::Written,
    /// Path of `vault.db`, for sentences.
    pub(super) path: PathBuf,
    /// Which file that was when it was opened.
    pub(super) file: Option<(u64, u64)>,
    /// Folder of lock files.
    pub(super) locks: PathBuf,
    /// Sealing.
    pub(super) vault: Vault,
    /// Clocks.
    pub(super) time: Arc<dyn Time>,
    /// What waits.
    pub(super) pending: Arc<Mutex<Pending>>,
    /// Why the last write of `vault.db` failed.
    pub(super) live: tokio::sync::watch::Sender<Option<crate::domain::Reason>>,
}

impl Db {
    /// `vault.db`, or the sentence why it cannot be used.
    pub(super) fn vault_db(&mut self) -> Result<&mut Connection, StoreError> {
        self.vault_db.as_mut().map_err(|m| StoreError::said(m.clone()))
    }

    /// Runs `work` in an immediate transaction on `vault.db`: other processes wait, nothing is read that they then change.
    pub(super) fn vault_tx<T>(&mut self, work: impl FnOnce(&Transaction<'_>, &Tools<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let tools = Tools { vault: &self.vault, locks: &self.locks, time: &*self.time, path: &self.path };
        let db = self.vault_db.as_mut().map_err(|m| StoreError::said(m.clone()))?;
        let explain = |e| schema::explain(&self.path, &e);
        let (refuses, only_read) = (self.refuses.clone(), self.refuses.is_some());
        let go = || {
            in_place(self.file, &self.path)?;
            // What can only be read is read without a claim to write; SQLite refuses the first write of it.
            let how = if only_read { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
            let tx = db.transaction_with_behavior(how).map_err(explain)?;
            let before = tx.total_changes();
            let out = work(&tx, &tools)?;
            let wrote = tx.total_changes() != before;
            tx.commit().map_err(explain)?;
            Ok((out, wrote))
        };
        let done = go().map_err(|e| match (&e, refuses) {
            (StoreError::Said(m), Some(why)) if m.words == &words::READ_ONLY_FILE => StoreError::said(why),
            _ => e,
        });
        // What was only read says nothing of whether anything can be kept.
        if !matches!(done, Ok((_, false))) {
            self.tell(done.as_ref().err());
        }
        done.map(|(out, _)| out)
    }

    /// Something could not be written, and it is worth trying again: the file was opened for writing, or can be opened anew.
    fn in_trouble(&self) -> bool {
        let opened = || self.vault_db.as_ref().is_ok_and(|db| !db.is_readonly(rusqlite::MAIN_DB).unwrap_or(true));
        self.reopen.is_some() || (self.live.borrow().is_some() && self.refuses.is_none() && opened())
    }

    /// Tries what waits once more, or else a write that changes nothing. Waits for nobody: jobs do that.
    fn try_again(&mut self) {
        if self.reopen.is_some() && !self.open_anew() {
            return;
        }
        self.patience(Duration::ZERO);
        if lock(&self.pending).has_history() {
            self.commit_pending();
        } else {
            let _ = self.probe();
        }
        self.patience(schema::PATIENCE);
    }

    /// Opens for writing what could only be read at the start, if that is possible by now and it is the same store still. What was seen
    /// meanwhile goes into its cache.
    fn open_anew(&mut self) -> bool {
        let Some(paths) = self.reopen.clone() else { return false };
        let may = std::fs::OpenOptions::new().append(true).open(&self.path).is_ok() && super::paths::keeps_off(&self.path).is_none();
        let Some(db) = may.then(|| paths.prepare().and_then(|()| schema::open_vault(&paths)).ok()).flatten() else { return false };
        let name = |db: &Connection| super::secrets::meta(db, "store").ok().flatten();
        if self.vault_db.as_ref().ok().and_then(name) != name(&db) {
            return false;
        }
        let _ = mark::look(&db, &self.path);
        if let Ok(kept) = schema::open_cache(&paths) {
            let seen = (cache::rows(&self.cache_db, None).unwrap_or_default(), cache::gateways(&self.cache_db).unwrap_or_default());
            self.cache_db = kept;
            self.written.clear();
            let rows = seen.0.into_iter().map(|row| (key_of(&row.target()), Some(row))).collect();
            let gateways = seen.1.into_iter().map(|g| (g.id.clone(), Some(g))).collect();
            let _ = cache::write(&mut self.cache_db, &mut self.written, &rows, &gateways);
        }
        (self.vault_db, self.file, self.reopen) = (Ok(db), file_at(&self.path), None);
        true
    }

    fn patience(&self, how_long: Duration) {
        if let Ok(db) = &self.vault_db {
            let _ = db.busy_timeout(how_long);
        }
    }

    /// Writes something that changes nothing, to find out whether anything can be kept.
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        self.vault_tx(|tx, t| tx.execute("UPDATE meta SET v = v WHERE k = 'store'", []).map(|_| ()).map_err(|e| t.explain(e)))
    }

    /// Tells how the last write of `vault.db` went.
    fn tell(&self, failed: Option<&StoreError>) {
        // Whatever keeps it from being written, damage included, comes to the same for who watches: nothing is kept now.
        let unwritable = |e: &StoreError| Reason { code: ReasonCode::StoreUnwritable, ..e.reason() };
        let trouble = failed.filter(|e| e.unwritten()).map(unwritable);
        // What failed for a reason of its own says nothing of the disk.
        if failed.is_none() || trouble.is_some() {
            self.live.send_if_modified(|t| {
                *t != trouble && {
                    *t = trouble;
                    true
                }
            });
        }
    }

    /// Looks, without a write, whether `vault.db` still is the file that was opened, and tells if not.
    pub(super) fn look_in_place(&self) {
        if self.refuses.is_some() {
            return;
        }
        if let Err(e) = in_place(self.file, &self.path) {
            self.tell(Some(&e));
        }
    }

    /// As [`Db::vault_tx`], for writes of the journal, of secrets and of tokens: the points where tests kill the process.
    pub(super) fn journal_tx<T>(&mut self, work: impl FnOnce(&Transaction<'_>, &Tools<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let out = self.vault_tx(|tx, t| {
            let out = work(tx, t)?;
            kill::point(kill::Side::Before);
            Ok(out)
        })?;
        kill::point(kill::Side::After);
        Ok(out)
    }

    /// Commits what is pending. What fails stays pending and is tried again with the next batch.
    pub(super) fn commit_pending(&mut self) {
        self.look_in_place();
        if self.refuses.is_none() {
            mark::raise(self);
        }
        let taken = std::mem::take(&mut *lock(&self.pending));
        if taken.is_empty() {
            return;
        }
        if (!taken.rows.is_empty() || !taken.gateways.is_empty())
            && cache::write(&mut self.cache_db, &mut self.written, &taken.rows, &taken.gateways).is_err()
        {
            // The cache can be observed again: a write that fails now is made up by the next observation.
            self.written.clear();
        }
        let write = |tx: &Transaction<'_>, t: &Tools<'_>| {
            history::write(tx, t, &taken.changes)?;
            clock::write(tx, t, &taken.points, &taken.events)
        };
        if taken.has_history() && self.vault_tx(write).is_err() {
            let mut pending = lock(&self.pending);
            let newer = std::mem::take(&mut *pending);
            pending.changes = taken.changes.into_iter().chain(newer.changes).collect();
            pending.points = taken.points.into_iter().chain(newer.points).collect();
            pending.events = taken.events.into_iter().chain(newer.events).collect();
            pending.rows = newer.rows;
            pending.gateways = newer.gateways;
            pending.trim();
        }
    }
}

/// Which file stands at `path`: device and number. `None`: none, or a system that does not tell.
pub(super) fn file_at(path: &std::path::Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    return std::fs::metadata(path).ok().map(|m| (std::os::unix::fs::MetadataExt::dev(&m), std::os::unix::fs::MetadataExt::ino(&m)));
    #[cfg(not(unix))]
    return {
        _ = path;
        None
    };
}

/// Refuses when another file, or none, stands where `vault.db` was opened: what were written would go with the open file.
fn in_place(opened: Option<(u64, u64)>, path: &std::path::Path) -> Result<(), StoreError> {
    if opened.is_none() || file_at(path) == opened {
        return Ok(());
    }
    let m = crate::i18n::Message::new(&crate::i18n::store::VAULT_REPLACED).with("path", path.to_string_lossy());
    Err(StoreError::said(m))
}

/// What a transaction needs besides the connection.
pub(super) struct Tools<'a> {
    /// Sealing.
    pub(super) vault: &'a Vault,
    /// Folder of lock files.
    pub(super) locks: &'a std::path::Path,
    /// Clocks.
    pub(super) time: &'a dyn Time,
    /// Path of `vault.db`, for sentences.
    pub(super) path: &'a std::path::Path,
}

impl Tools<'_> {
    /// SQLite's error in words.
    pub(super) fn explain(&self, e: rusqlite::Error) -> StoreError {
        schema::explain(self.path, &e)
    }
}

/// The thread's life: until the last handle is gone, then what is pending is committed.
pub(super) fn run(mut db: Db, jobs: &Receiver<Job>) {
    let (mut due, mut again): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        again = again.filter(|_| db.in_trouble()).or_else(|| db.in_trouble().then(|| Instant::now() + TRY_AGAIN));
        let job = match [due, again].into_iter().flatten().min() {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match job {
            Ok(Job::Run(work)) => work(&mut db),
            Ok(Job::Wake) => due = due.or_else(|| Some(Instant::now() + GATHER)),
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                if due.take_if(|at| *at <= now).is_some() {
                    db.commit_pending();
                }
                if again.take_if(|at| *at <= now).is_some() && db.in_trouble() {
                    db.try_again();
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    db.commit_pending();
}

pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}
