//! What must outlive the process: `vault.db` (never lost), `cache.db` (can be observed again), the operator's
//! configuration, paths and locks. One thread owns both connections; every other room holds a [`Store`] handle.

pub mod aside;
mod cache;
mod clock;
pub mod config;
mod floor;
pub(crate) mod follow;
pub mod guard;
mod history;
mod host_lock;
mod keeper;
mod kill;
mod loan;
pub mod locks;
mod mark;
mod names;
mod open;
mod ops;
pub(crate) mod paths;
pub mod proc;
mod rekey;
pub mod run_lock;
mod schema;
mod secrets;
mod thread;
pub mod tokens;
mod types;

#[cfg(test)]
mod tests;

pub use cache::{FirstFrame, first_frame};
pub use clock::{APART_MS, ClockBucket, ClockEvent, ClockPoint, ClockTrack};
pub use paths::Paths;
pub use types::{Attempt, Audit, Change, Cursor, HistoryQuery, KnownGateway, NewOp, OfferLine, OfferOutcome, PairingCount, StoreError};

use crate::{
    domain::{Clean, GatewayId, Link, Op, OpPhase, Plan, Reason, Row, Secret, Secrets, Target, Time, Wall},
    engine::mailbox::HistoryLine,
    i18n::{Message, store as words},
    vault::Vault,
};
use std::sync::{Arc, Mutex, mpsc};
use thread::{Db, Job, Pending, key_of, lock};
use tokio::sync::{Semaphore, oneshot, watch};

/// Jobs that may wait for the store thread at once.
const QUEUE: usize = 256;
/// How often a key that other processes keep replacing is fetched for one piece of work.
const KEY_TRIES: usize = 40;

/// A handle to the store thread. Cheap to clone; usable from any thread and runtime. The thread ends, everything committed,
/// when the last handle is gone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    back: Back,
    room: Arc<Semaphore>,
    pending: Arc<Mutex<Pending>>,
    fingerprint_key: [u8; 32],
    trouble: Option<Reason>,
    damaged: bool,
    live: watch::Sender<Option<Reason>>,
    floor: Mutex<Option<crate::domain::Wall>>,
    vault: Vault,
    paths: Paths,
    seen: Mutex<Option<(i64, i64)>>,
    knocks: loan::Knocks,
    life: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Who does the work.
enum Back {
    /// The store thread.
    Thread(mpsc::Sender<Job>),
    /// The caller itself, at once: for tests under virtual time, which runs ahead while another thread works.
    Here(Box<Mutex<Db>>),
}

impl Store {
    /// Opens the store in `paths` and starts its thread. A folder that cannot be written, or a damaged `vault.db`, gives a store all the same: its
    /// cache is in memory, everything of `vault.db` refuses, and [`Store::trouble`] says why.
    ///
    /// # Errors
    /// `vault.db` was written by a newer pairdeck: nothing was changed.
    pub fn open(paths: &Paths, vault: Vault, time: Arc<dyn Time>) -> Result<Self, StoreError> {
        Self::open_with(paths, vault, time, true)
    }

    /// The same without a thread: every call does its work on the caller's thread before it returns its future's value.
    /// For tests under virtual time.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_in_place(paths: &Paths, vault: Vault, time: Arc<dyn Time>) -> Result<Self, StoreError> {
        Self::open_with(paths, vault, time, false)
    }

    /// Why nothing can be kept, if so: since the start, or just now. Live state works all the same.
    pub fn trouble(&self) -> Option<Reason> {
        self.0.trouble.clone().or_else(|| self.0.live.borrow().clone())
    }

    /// True when `vault.db` is damaged: what its whole pages hold is read, nothing is written.
    pub fn is_damaged(&self) -> bool {
        self.0.damaged
    }

    /// Tells when writing begins to fail (a full disk, a database held for long) and when it works again.
    pub fn troubles(&self) -> watch::Receiver<Option<Reason>> {
        self.0.live.subscribe()
    }

    /// What went wrong as a reason: of a locked vault, why that does not open.
    pub fn why(&self, e: &StoreError) -> Reason {
        if matches!(e, StoreError::Locked) { self.0.vault.shut() } else { e.reason() }
    }

    /// The vault that seals for this store.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Where it lies.
    pub fn paths(&self) -> &Paths {
        &self.0.paths
    }

    /// The random key of fingerprints, kept in clear beside the store.
    pub fn fingerprint_key(&self) -> [u8; 32] {
        self.0.fingerprint_key
    }

    async fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Db) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let closed = || StoreError::said(Message::new(&words::CLOSED));
        match &self.0.back {
            Back::Here(db) => work(&mut lock(db)),
            Back::Thread(jobs) => {
                let permit = self.0.room.clone().acquire_owned().await.map_err(|_| closed())?;
                let (tx, rx) = oneshot::channel();
                let job = Job::Run(Box::new(move |db| {
                    let _ = tx.send(work(db));
                    drop(permit);
                }));
                jobs.send(job).map_err(|_| closed())?;
                rx.await.map_err(|_| closed())?
            }
        }
    }

    /// As `ask`, for work on sealed values: a key that another process replaced is fetched from its source and the
    /// work tried again.
    async fn ask_sealed<T: Send + 'static>(&self, work: impl Fn(&mut Db) -> Result<T, StoreError> + Clone + Send + 'static) -> Result<T, StoreError> {
        // It may be replaced again while it is fetched.
        for _ in 0..KEY_TRIES {
            match self.ask(work.clone()).await {
                Err(e) if e.key_changed() => drop(self.0.vault.reopen().await),
                done => return done,
            }
        }
        self.ask(work).await
    }

    fn later(&self, add: impl FnOnce(&mut Pending)) {
        let mut pending = lock(&self.0.pending);
        add(&mut pending);
        pending.trim();
        drop(pending);
        if let Back::Thread(jobs) = &self.0.back {
            let _ = jobs.send(Job::Wake);
        }
    }

    // --- cache.db: fire and forget, batched ---
    /// Keeps rows as last observed. A row that says nothing new is written again only when its instant is 5 min older.
    pub fn put_rows(&self, rows: Vec<Row>) {
        self.later(|p| {
            for row in rows {
                p.rows.insert(key_of(&row.target()), Some(row));
            }
        });
    }
    /// Forgets rows that are gone.
    pub fn drop_rows(&self, gone: Vec<Target>) {
        self.later(|p| {
            for t in gone {
                p.rows.insert(key_of(&t), None);
            }
        });
    }
    /// Keeps what is known of a gateway itself.
    pub fn put_gateway(&self, id: GatewayId, link: Link, version: Option<Clean>) {
        self.later(|p| {
            p.gateways.insert(id.clone(), Some(KnownGateway { id, link, version }));
        });
    }
    /// Forgets a gateway that was removed from the configuration: its rows, secrets and memos. Its history stays.
    ///
    /// # Errors
    /// When `vault.db` cannot be written.
    pub async fn forget_gateway(&self, id: &GatewayId) -> Result<(), StoreError> {
        let gateway = id.clone();
        self.later(|p| {
            p.rows.retain(|k, _| k.0 != gateway.as_str());
            p.gateways.insert(gateway, None);
        });
        let id = id.clone();
        self.ask(move |db| {
            db.commit_pending();
            secrets::forget_gateway(db, &id)
        })
        .await
    }
    /// All rows of the cache, for a gateway or for all.
    pub async fn rows(&self, gateway: Option<GatewayId>) -> Result<Vec<Row>, StoreError> {
        self.ask(move |db| {
            db.commit_pending();
            cache::rows(&db.cache_db, gateway.as_ref()).map_err(|e| StoreError::Trouble(e.to_string()))
        })
        .await
    }
    /// What the cache knows of the gateways themselves.
    pub async fn gateways(&self) -> Result<Vec<KnownGateway>, StoreError> {
        self.ask(move |db| {
            db.commit_pending();
            cache::gateways(&db.cache_db).map_err(|e| StoreError::Trouble(e.to_string()))
        })
        .await
    }

    // --- vault.db: ops ---
    /// Claims the account in an immediate transaction. `Busy` names the op that holds it (its owner alive, or dead with
    /// something already sent: then it is to be adopted). A dead owner's op that sent nothing is cancelled.
    pub async fn arm(&self, op: NewOp) -> Result<i64, StoreError> {
        self.ask(move |db| ops::arm(db, &op)).await
    }
    /// Commits the plan (its sealed part sealed) and sets the phase to running, step 0, not begun.
    pub async fn op_plan(&self, id: i64, plan: Plan) -> Result<(), StoreError> {
        self.ask_sealed(move |db| ops::plan(db, id, &plan, 0)).await
    }
    /// The same for a plan whose first `done` steps are carried out by this very commit, such as keeping what a server gave once.
    pub async fn op_plan_after(&self, id: i64, plan: Plan, done: usize) -> Result<(), StoreError> {
        self.ask_sealed(move |db| ops::plan(db, id, &plan, done)).await
    }
    /// Commits that a process which dies from now on, before it has a plan, leaves something behind that must be told: `why`.
    pub async fn op_stake(&self, id: i64, why: Reason) -> Result<(), StoreError> {
        self.ask(move |db| ops::stake(db, id, &why)).await
    }
    /// Commits that `step` is next (`begun` false) or in flight (`begun` true).
    pub async fn op_step(&self, id: i64, step: usize, begun: bool) -> Result<(), StoreError> {
        self.ask(move |db| ops::step(db, id, step, begun)).await
    }
    /// Merges what a finished step wants remembered, in one commit.
    pub async fn op_merge(&self, id: i64, clear: serde_json::Value, sealed: Secrets) -> Result<(), StoreError> {
        self.ask_sealed(move |db| ops::merge(db, id, clear.clone(), sealed.clone())).await
    }
    /// Sets the phase (planning, running, asking, back) of an open op.
    pub async fn op_phase(&self, id: i64, phase: OpPhase) -> Result<(), StoreError> {
        self.ask(move |db| ops::phase(db, id, phase)).await
    }
    /// Closes an op, and says so in the audit, in one commit. Its sealed part is erased unless the phase is ambiguous or owed.
    pub async fn op_end(&self, id: i64, phase: OpPhase, reason: Option<Reason>, line: Option<Audit>) -> Result<(), StoreError> {
        self.ask(move |db| ops::end(db, id, phase, reason.as_ref(), line.as_ref())).await
    }
    /// Closes an op that was left open, as a person wants no more of it, with its line in the audit, in one commit. Its sealed part is not
    /// opened, only erased.
    ///
    /// # Errors
    /// `Busy` when a living owner has it; a sentence when it is open no more, or nothing can be written.
    pub async fn op_dismiss(&self, id: i64, line: Audit) -> Result<(), StoreError> {
        self.ask(move |db| ops::dismiss(db, id, &line)).await
    }
    /// One op without its plan, whether what is sealed of it opens or not.
    pub async fn op_bare(&self, id: i64) -> Result<Option<Op>, StoreError> {
        self.ask(move |db| ops::bare(db, id)).await
    }
    /// One op, sealed part opened. While the vault is locked, an op with a sealed part comes without its plan.
    pub async fn op(&self, id: i64) -> Result<Option<Op>, StoreError> {
        self.ask_sealed(move |db| ops::get(db, id)).await
    }
    /// Ops that are open or ambiguous or owed, oldest first, sealed parts opened where the vault is open. Armed and
    /// planning ops of dead owners never happened: they are cancelled and left out.
    pub async fn ops_unfinished(&self) -> Result<Vec<Op>, StoreError> {
        self.ask_sealed(ops::unfinished).await
    }
    /// How many ops the journal holds in each phase.
    pub async fn op_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.ask(ops::counts).await
    }
    /// Takes an op over from a dead owner. False when its owner lives or somebody else was faster.
    pub async fn op_adopt(&self, id: i64, owner: Box<str>) -> Result<bool, StoreError> {
        self.ask(move |db| ops::adopt(db, id, &owner)).await
    }

    /// Opens an ambiguous op of a dead owner, or an owed one, again. False when another op stands on its account or somebody else was faster.
    pub async fn op_reopen(&self, id: i64, owner: Box<str>) -> Result<bool, StoreError> {
        self.ask(move |db| ops::reopen(db, id, &owner)).await
    }

    // --- vault.db: secrets and memos ---
    /// Seals and commits a secret under `name` (`gateway/NAME/api_key`, `account/ID/token`).
    pub async fn secret_put(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        let (name, secret, key) = (name.to_owned(), secret.clone(), self.0.fingerprint_key);
        self.ask_sealed(move |db| secrets::put(db, &name, &secret, &key, None)).await
    }
    /// The same with the line of the audit that tells of it, in one commit: what a person did is never there without its line.
    pub async fn secret_put_noted(&self, name: &str, secret: &Secret, line: Audit) -> Result<(), StoreError> {
        let (name, secret, key) = (name.to_owned(), secret.clone(), self.0.fingerprint_key);
        self.ask_sealed(move |db| secrets::put(db, &name, &secret, &key, Some(&line))).await
    }
    /// Erases these, with their line of the audit, in one commit.
    pub async fn secrets_forget_noted(&self, names: Vec<String>, line: Audit) -> Result<(), StoreError> {
        self.ask(move |db| secrets::forget_noted(db, &names, &line)).await
    }
    /// Opens a secret.
    pub async fn secret_get(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let name = name.to_owned();
        self.ask_sealed(move |db| secrets::get(db, &name)).await
    }
    /// Erases a secret.
    pub async fn secret_forget(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.ask(move |db| secrets::forget(db, &name)).await
    }
    /// Forgets a secret unless somebody has put another one there since. True: it was there and is gone.
    pub async fn secret_forget_same(&self, name: &str, was: &Secret) -> Result<bool, StoreError> {
        let (name, was) = (name.to_owned(), was.clone());
        self.ask(move |db| secrets::forget_same(db, &name, &was)).await
    }
    /// Names of all secrets with their fingerprints (`None`: too short for one). Works while the vault is locked.
    pub async fn secret_list(&self) -> Result<Vec<(String, Option<String>)>, StoreError> {
        self.ask(secrets::list).await
    }
    /// Reads provider-private JSON.
    pub async fn memo_get(&self, gateway: &GatewayId, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let (gateway, key) = (gateway.clone(), key.to_owned());
        self.ask(move |db| secrets::memo_get(db, &gateway, &key)).await
    }
    /// Commits provider-private JSON.
    pub async fn memo_put(&self, gateway: &GatewayId, key: &str, value: serde_json::Value) -> Result<(), StoreError> {
        let (gateway, key) = (gateway.clone(), key.to_owned());
        self.ask(move |db| secrets::memo_put(db, &gateway, &key, &value)).await
    }

    // --- vault.db: history ---
    /// Appends state changes (batched).
    pub fn changes(&self, changes: Vec<Change>) {
        self.later(|p| p.changes.extend(changes));
    }
    /// Appends points to offset histories (batched, thinned: see [`APART_MS`]).
    pub fn clock_points(&self, points: Vec<ClockPoint>) {
        self.later(|p| p.points.extend(points));
    }
    /// Appends what the alarm said of clocks (batched). What says the same as the last event of its gateway is left out.
    pub fn clock_events(&self, events: Vec<ClockEvent>) {
        self.later(|p| p.events.extend(events));
    }
    /// The offsets of a gateway from `since` on, in `count` stretches of `step_ms`.
    pub async fn clock_track(&self, gateway: GatewayId, since: Wall, step_ms: i64, count: usize) -> Result<ClockTrack, StoreError> {
        self.ask(move |db| {
            db.commit_pending();
            clock::track(db, &gateway, since, step_ms, count)
        })
        .await
    }
    /// Appends a finished attempt.
    pub async fn attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.ask(move |db| history::attempt(db, &attempt)).await
    }
    /// Writes something that changes nothing, to find out whether anything can be kept.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.ask(Db::probe).await
    }
    /// Appends to the audit.
    pub async fn audit(&self, line: Audit) -> Result<(), StoreError> {
        self.ask(move |db| history::audit(db, &line)).await
    }
    /// Lines for people, newest first, each with its target's id. A limit of 0 means 1,000.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<(String, HistoryLine)>, StoreError> {
        self.history_after(query, Cursor::default()).await.map(|(lines, _)| lines)
    }
    /// The same of what was written after `cursor`, and where to go on from.
    pub async fn history_after(&self, query: HistoryQuery, cursor: Cursor) -> Result<(Vec<(String, HistoryLine)>, Cursor), StoreError> {
        self.ask(move |db| {
            db.commit_pending();
            history::query(db, &query, cursor)
        })
        .await
    }
    /// Every target that history, audit, journal and token ledger speak of, as they write it, whether it is still there or not.
    pub async fn targets_told(&self) -> Result<Vec<String>, StoreError> {
        self.ask(names::targets).await
    }
    /// How many attempts ended how, by the clock that they began with.
    pub async fn pairing_counts(&self, query: HistoryQuery) -> Result<Vec<PairingCount>, StoreError> {
        self.ask(move |db| history::counts(db, &query)).await
    }
    /// Gives this handle back and, if it was the last, waits on the calling thread until the databases are closed, the log
    /// folded in. Needed by nobody but tests and tools: after [`Store::flush`] a process may simply end.
    pub fn close(self) {
        let life = lock(&self.0.life).take();
        let last = Arc::strong_count(&self.0) == 1;
        drop(self);
        if let (true, Some(life)) = (last, life) {
            let _ = life.join();
        }
    }
    /// Waits until everything handed in so far is committed.
    pub async fn flush(&self) {
        let _ = self
            .ask(|db| {
                db.commit_pending();
                Ok(())
            })
            .await;
    }
}
