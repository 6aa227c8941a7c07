//! What must outlive the process: `vault.db` (never lost), `cache.db` (can be observed again), the operator's
//! configuration, paths and locks. One thread owns both connections; every other room holds a [`Store`] handle.

#![allow(clippy::todo)]
pub mod config;

use crate::{
    clock::{Verdict, sample::Sample},
    domain::{Action, Clean, GatewayId, Op, OpPhase, Plan, Reason, Row, Secret, Secrets, Stamp, State, Target},
    engine::mailbox::HistoryLine,
};

/// A handle to the store thread. Cheap to clone; usable from any thread and runtime.
#[derive(Clone)]
pub struct Store {}

/// What went wrong in the store, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another open op claims the account.
    #[error("another action holds this account")]
    Busy(Box<Op>),
    /// The vault is locked, so nothing sealed can be written or read.
    #[error("the vault is locked")]
    Locked,
    /// The database cannot be written, is broken, or is newer.
    #[error("{0}")]
    Trouble(String),
}

/// An op to be armed.
#[derive(Clone, Debug)]
pub struct NewOp {
    /// What.
    pub action: Action,
    /// On what.
    pub target: Target,
    /// Owner: the name of a lock file that this process holds.
    pub owner: Box<str>,
    /// When.
    pub at: Stamp,
}

/// A line of the audit.
#[derive(Clone, Debug)]
pub struct Audit {
    /// When.
    pub at: Stamp,
    /// `user@host`.
    pub who: Clean,
    /// Process id.
    pub pid: u32,
    /// On what (target id).
    pub target: String,
    /// What.
    pub action: String,
    /// The clock verdict, where one was asked.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub outcome: String,
}

/// A finished pairing attempt, for the history.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it began.
    pub began: Stamp,
    /// On what.
    pub target: Target,
    /// Its outcome (`linked`, `expired`, `blocked`, `left`, a reason code).
    pub outcome: String,
    /// The gate's verdict at its start.
    pub verdict: Verdict,
    /// True when a blocked gate was overridden.
    pub overridden: bool,
    /// Largest absolute skew in milliseconds, if known.
    pub skew_ms: Option<i64>,
    /// Offers shown.
    pub offers: u32,
    /// Old codes discarded.
    pub discarded: u32,
    /// Seconds it took.
    pub took_s: u64,
}

/// A change of state, for the history.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: Stamp,
    /// On what.
    pub target: Target,
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// Why.
    pub reason: Option<Reason>,
}

/// Which part of the history is wanted.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// Only this target.
    pub target: Option<Target>,
    /// Only attempts.
    pub pairing: bool,
    /// Only the audit.
    pub audit: bool,
    /// Not before this wall time (ms).
    pub since: Option<i64>,
    /// At most so many lines, newest kept.
    pub limit: usize,
}

#[allow(clippy::unused_async)]
impl Store {
    /// The random key of fingerprints, kept in clear beside the store.
    pub fn fingerprint_key(&self) -> [u8; 32] {
        todo!()
    }
    // --- cache.db: fire and forget, batched ---
    /// Keeps rows as last observed.
    pub fn put_rows(&self, _rows: Vec<Row>) {
        todo!()
    }
    /// Forgets rows that are gone.
    pub fn drop_rows(&self, _gone: Vec<Target>) {
        todo!()
    }
    /// All rows of the cache, for a gateway or for all.
    pub async fn rows(&self, _gateway: Option<GatewayId>) -> Result<Vec<Row>, StoreError> {
        todo!()
    }
    // --- vault.db: ops ---
    /// Claims the account in an immediate transaction. `Busy` names the op that holds it (its owner alive).
    pub async fn arm(&self, _op: NewOp) -> Result<i64, StoreError> {
        todo!()
    }
    /// Commits the plan (its sealed part sealed) and sets the phase to running, step 0, not begun.
    pub async fn op_plan(&self, _id: i64, _plan: Plan) -> Result<(), StoreError> {
        todo!()
    }
    /// Commits that `step` is next (`begun` false) or in flight (`begun` true).
    pub async fn op_step(&self, _id: i64, _step: usize, _begun: bool) -> Result<(), StoreError> {
        todo!()
    }
    /// Merges what a finished step wants remembered, in one commit.
    pub async fn op_merge(&self, _id: i64, _clear: serde_json::Value, _sealed: Secrets) -> Result<(), StoreError> {
        todo!()
    }
    /// Sets the phase (running, asking, back) of an open op.
    pub async fn op_phase(&self, _id: i64, _phase: OpPhase) -> Result<(), StoreError> {
        todo!()
    }
    /// Closes an op. Its sealed part is erased unless the phase is ambiguous.
    pub async fn op_end(&self, _id: i64, _phase: OpPhase, _reason: Option<Reason>) -> Result<(), StoreError> {
        todo!()
    }
    /// One op, sealed part opened.
    pub async fn op(&self, _id: i64) -> Result<Option<Op>, StoreError> {
        todo!()
    }
    /// Ops that are open or ambiguous or owed, oldest first, sealed parts opened where the vault is open.
    pub async fn ops_unfinished(&self) -> Result<Vec<Op>, StoreError> {
        todo!()
    }
    /// Takes an op over from a dead owner. False when its owner lives or somebody else was faster.
    pub async fn op_adopt(&self, _id: i64, _owner: Box<str>) -> Result<bool, StoreError> {
        todo!()
    }
    // --- vault.db: secrets and memos ---
    /// Seals and commits a secret under `name` (`gateway/NAME/api_key`, `account/ID/token`).
    pub async fn secret_put(&self, _name: &str, _secret: &Secret) -> Result<(), StoreError> {
        todo!()
    }
    /// Opens a secret.
    pub async fn secret_get(&self, _name: &str) -> Result<Option<Secret>, StoreError> {
        todo!()
    }
    /// Erases a secret.
    pub async fn secret_forget(&self, _name: &str) -> Result<(), StoreError> {
        todo!()
    }
    /// Reads provider-private JSON.
    pub async fn memo_get(&self, _gateway: &GatewayId, _key: &str) -> Result<Option<serde_json::Value>, StoreError> {
        todo!()
    }
    /// Commits provider-private JSON.
    pub async fn memo_put(&self, _gateway: &GatewayId, _key: &str, _value: serde_json::Value) -> Result<(), StoreError> {
        todo!()
    }
    // --- vault.db: history ---
    /// Appends state changes (batched).
    pub fn changes(&self, _changes: Vec<Change>) {
        todo!()
    }
    /// Appends clock samples (batched).
    pub fn samples(&self, _samples: Vec<Sample>) {
        todo!()
    }
    /// Appends a finished attempt.
    pub async fn attempt(&self, _attempt: Attempt) -> Result<(), StoreError> {
        todo!()
    }
    /// Appends to the audit.
    pub async fn audit(&self, _line: Audit) -> Result<(), StoreError> {
        todo!()
    }
    /// Lines for people, newest first.
    pub async fn history(&self, _query: HistoryQuery) -> Result<Vec<(String, HistoryLine)>, StoreError> {
        todo!()
    }
    /// Waits until everything handed in so far is committed.
    pub async fn flush(&self) {
        todo!()
    }
}
