//! Ops: the one way in which anything destructive happens. Armed, journaled, run step by step, checked before repeated,
//! resumed or shown after a crash. The same for every provider.

mod gate;
mod owed;
mod resume;
mod run;

pub use gate::allow_clock;
pub(super) use owed::{keep as keep_owed, told as owed_told};
pub(super) use resume::outlook;
pub use resume::{again, resume_all};
pub use run::{Ended, Host, Progress, run, told};

use super::world::World;
use crate::{
    domain::{Action, Effect, GatewayId, Inputs, Not, Op, OpPhase, Reason, ReasonCode, Row, Target, Time},
    i18n::{Message, engine as words},
    store::{Audit, NewOp, StoreError},
    vault::VaultState,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A claimed op: it exists in the journal and nothing was sent.
#[derive(Clone, Debug)]
pub struct Armed {
    /// Journal number.
    pub id: i64,
    /// What.
    pub action: Action,
    /// On what, pinned to its incarnation.
    pub target: Target,
    /// Values that a person gave.
    pub inputs: Inputs,
}

/// Why an action could not be armed.
#[derive(Debug)]
pub enum NotArmed {
    /// It cannot be done here and now.
    Not(Not),
    /// Another op holds the account.
    Busy(Box<Op>),
    /// The journal does not take it.
    Trouble(Reason),
}

/// Claims `row` for `action`.
pub async fn arm(world: &Arc<World>, row: &Row, action: Action, inputs: Inputs) -> Result<(Armed, Effect), NotArmed> {
    let facts = world.gateway(&row.gateway).map(|g| g.facts()).unwrap_or_default();
    let effect = world.can(row, &action, &facts).map_err(NotArmed::Not)?;
    let id = claim(world, row.target(), action.clone()).await?;
    Ok((Armed { id, action, target: row.target(), inputs }, effect))
}

/// Claims a target in the journal.
pub(super) async fn claim(world: &Arc<World>, target: Target, action: Action) -> Result<i64, NotArmed> {
    let Some(owner) = world.owner() else {
        let why = world.store.trouble().unwrap_or(Reason::new(ReasonCode::StoreUnwritable));
        return Err(NotArmed::Trouble(why));
    };
    let op = NewOp { action, target, owner, at: world.time.now() };
    world.store.arm(op).await.map_err(|e| match e {
        StoreError::Busy(op) => NotArmed::Busy(op),
        other => NotArmed::Trouble(world.store.why(&other)),
    })
}

/// Takes an armed op back. Nothing was sent.
pub async fn disarm(world: &Arc<World>, armed: &Armed) {
    let note = Note { target: &armed.target, action: &armed.action, words: Words::default() };
    let line = note.line(world, OpPhase::Cancelled);
    let _ = world.store.op_end(armed.id, OpPhase::Cancelled, Some(Reason::new(ReasonCode::Cancelled)), Some(line)).await;
}

/// Why an op that was left open was not dropped.
#[derive(Debug)]
pub enum NotDropped {
    /// It is open no more, or never was.
    Over,
    /// A living process has it.
    Held,
    /// The journal does not take it.
    Trouble(Reason),
}

impl NotDropped {
    /// In words.
    pub fn message(&self) -> Message {
        match self {
            Self::Over => Message::new(&words::DROP_OVER),
            Self::Held => Message::new(&words::DROP_HELD),
            Self::Trouble(why) => Message::new(&words::DROP_FAILED).nest("why", super::live::why(Some(why))),
        }
    }
}

/// A person has looked at what an op left and wants no more of it: what it still knew is erased, opened or not. An owed one is only
/// taken off the screen: its step is still to be done.
///
/// # Errors
/// Why it stays as it is. Without one it is committed.
pub async fn dismiss(world: &Arc<World>, id: i64) -> Result<(), NotDropped> {
    let trouble = |e: &StoreError| NotDropped::Trouble(world.store.why(e));
    let op = world.store.op_bare(id).await.map_err(|e| trouble(&e))?.ok_or(NotDropped::Over)?;
    let note = Note { target: &op.target, action: &op.action, words: Words { before: "dismissed: ", done: None } };
    let line = note.line(world, OpPhase::Ambiguous);
    world.store.op_dismiss(id, line).await.map_err(|e| match &e {
        StoreError::Busy(_) => NotDropped::Held,
        StoreError::Said(m) if m.words == &crate::i18n::store::OP_GONE => NotDropped::Over,
        e => trouble(e),
    })
}

/// Makes the plan of an armed op, journals it and runs it to its end.
pub async fn fire(world: &Arc<World>, armed: &Armed, host: &mut dyn Host, cancel: &CancellationToken) -> Ended {
    plan_and_run(world, armed, host, cancel).await
}

/// How the end of an op is told in the audit: in the commit that closes it, so that nothing is done that nobody can read of.
pub struct Note<'a> {
    /// On what.
    pub target: &'a Target,
    /// What.
    pub action: &'a Action,
    /// How the outcome is worded.
    pub words: Words<'a>,
}

/// How an outcome is worded in the audit, where the phase's name alone says too little.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words<'a> {
    /// Before the outcome: what made it go on, `resumed: `.
    pub before: &'a str,
    /// In place of `done`.
    pub done: Option<&'a str>,
}

impl<'a> Words<'a> {
    /// The phase's name after `before`.
    pub fn after(before: &'a str) -> Self {
        Self { before, done: None }
    }
}

impl Note<'_> {
    pub(super) fn line(&self, world: &World, phase: OpPhase) -> Audit {
        let verdict = Some(world.gate.view(&self.target.gateway).verdict);
        let outcome = self.words.done.filter(|_| phase == OpPhase::Done).unwrap_or(phase.name());
        line(&*world.time, self.target.id(), self.action.name(), verdict, &format!("{}{outcome}", self.words.before))
    }
}

async fn plan_and_run(world: &Arc<World>, armed: &Armed, host: &mut dyn Host, cancel: &CancellationToken) -> Ended {
    let note = Note { target: &armed.target, action: &armed.action, words: Words::default() };
    let Some(gateway) = world.gateway(&armed.target.gateway) else {
        return end(world, &note, armed.id, OpPhase::Failed, Some(Reason::new(ReasonCode::Gone))).await;
    };
    if let Err(e) = world.store.op_phase(armed.id, OpPhase::Planning).await {
        return end(world, &note, armed.id, OpPhase::Failed, Some(world.store.why(&e))).await;
    }
    let cx = match world.cx(&gateway, cancel.child_token()) {
        Ok(cx) => cx,
        Err(why) => return end(world, &note, armed.id, OpPhase::Failed, Some(why)).await,
    };
    // From the plan to the last step.
    let _engaged = gateway.provider.engage(&cx, &armed.target);
    let mut inputs = armed.inputs.clone();
    let allowed = gate::take_consent(&mut inputs);
    // Nothing is changed by a plan: whoever asks to stop does not wait for a server that is slow to answer.
    let plan = tokio::select! {
        biased;
        plan = gateway.provider.plan(&cx, &armed.target, &armed.action, inputs) => plan,
        () = cancel.cancelled() => Err(Reason::new(ReasonCode::Cancelled)),
    };
    let plan = match plan {
        Ok(mut plan) => {
            if allowed {
                gate::consent(&mut plan);
                audit(world, &armed.target, armed.action.name(), Some(world.gate.view(&gateway.id).verdict), "clock_override").await;
            }
            plan
        }
        Err(why) if why.code == ReasonCode::Cancelled => return end(world, &note, armed.id, OpPhase::Cancelled, Some(why)).await,
        Err(why) => return end(world, &note, armed.id, OpPhase::Failed, Some(why)).await,
    };
    if cancel.is_cancelled() {
        return end(world, &note, armed.id, OpPhase::Cancelled, Some(Reason::new(ReasonCode::Cancelled))).await;
    }
    // Everything that a step needs, new secrets included, is committed before the first request.
    if let Err(e) = world.store.op_plan(armed.id, plan).await {
        return end(world, &note, armed.id, OpPhase::Failed, Some(world.store.why(&e))).await;
    }
    run(world, armed.id, host, cancel, Words::default()).await
}

/// Closes an op in the journal and the audit.
pub(super) async fn end(world: &Arc<World>, note: &Note<'_>, id: i64, phase: OpPhase, reason: Option<Reason>) -> Ended {
    let _ = world.store.op_end(id, phase, reason.clone(), Some(note.line(world, phase))).await;
    Ended::bare(phase, reason)
}

/// Appends to the audit what was done to the vault itself.
pub async fn audit_vault(world: &Arc<World>, action: &str, outcome: &str) {
    append(world, "vault".to_owned(), action, None, outcome).await;
}

/// Appends to the audit what was done to a secret: of a gateway, of an account, of the store that hosts share.
pub async fn audit_secret(world: &Arc<World>, whose: &str, action: &str, done: bool) {
    append(world, whose.to_owned(), action, None, if done { "done" } else { "failed" }).await;
}

/// Opens the vault because a person asked for it. Who fails is in the audit: a passphrase that is tried leaves a trace.
pub async fn unlock(world: &Arc<World>, passphrase: Option<crate::domain::Secret>) -> VaultState {
    let state = world.vault.unlock(passphrase).await;
    if let VaultState::Locked(why) = &state {
        audit_vault(world, "unlock", &format!("failed: {}", why.arg("evidence").unwrap_or(why.code.name()))).await;
    }
    state
}

/// Appends to the audit what was done to a whole gateway: that it came with a sealed key, that it went and its keys were erased.
pub async fn audit_gateway(world: &Arc<World>, gateway: &GatewayId, action: &str, outcome: &str) {
    append(world, crate::domain::ids::escape(gateway.as_str()), action, None, outcome).await;
}

/// Appends to the audit that a secret is about to be shown. What cannot be written there is not shown.
///
/// # Errors
/// Why it could not be written.
pub async fn audit_reveal(world: &Arc<World>, target: &Target) -> Result<(), Reason> {
    let line = line(&*world.time, target.id(), "reveal", None, "shown");
    world.store.audit(line).await.map_err(|e| world.store.why(&e))
}

/// Appends to the audit: who did what to whom, and how it ended.
pub async fn audit(world: &Arc<World>, target: &Target, action: &str, verdict: Option<crate::clock::Verdict>, outcome: &str) {
    append(world, target.id(), action, verdict, outcome).await;
}

/// The same of the vault itself, as a line for whoever has no store open.
pub fn vault_line(time: &dyn Time, action: &str, outcome: &str) -> Audit {
    line(time, "vault".to_owned(), action, None, outcome)
}

/// A line of the audit by this process.
pub(super) fn line(time: &dyn Time, target: String, action: &str, verdict: Option<crate::clock::Verdict>, outcome: &str) -> Audit {
    Audit {
        at: time.now(),
        who: super::who::user_at_host(),
        pid: std::process::id(),
        target,
        action: action.to_owned(),
        verdict,
        outcome: outcome.to_owned(),
    }
}

async fn append(world: &Arc<World>, target: String, action: &str, verdict: Option<crate::clock::Verdict>, outcome: &str) {
    let _ = world.store.audit(line(&*world.time, target, action, verdict, outcome)).await;
}
