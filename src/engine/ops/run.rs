//! Running a journaled plan, step by step.
//!
//! Every step is journaled as begun before its request leaves. After a lost reply, a failure or a crash its check decides
//! what happened before anything is repeated. Before the pivot everything can be taken back; from it on, only forwards.

use super::super::{
    backoff::Backoff,
    world::{Gateway, World},
};
use crate::{
    domain::{Answer, Finding, Fingerprint, Op, OpPhase, Prompt, Reason, ReasonCode, Replay, StepEnd},
    i18n::Message,
    providers::{Cx, Provider},
    store::StoreError,
};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Tries of one step, checks in between, before the runner gives up on it.
const TRIES: u32 = 6;

/// Who must wait so many seconds is told so at once: the tries of a step are over sooner.
const LONG_S: u64 = 30;

/// Name in a plan's sealed part of the token that replaces the old one.
pub(super) const NEW_TOKEN: &str = "token";
/// Name in a plan's sealed part of the token that is replaced.
pub(super) const OLD_TOKEN: &str = "old_token";

/// Key in a plan's clear data of the fingerprint of the token that was there.
const OLD_PRINT: &str = "old_fp";
/// Key in a plan's clear data of the fingerprint of the token that came.
const NEW_PRINT: &str = "new_fp";

/// Where an op stands, for whoever watches it.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A step is begun: its words, its number from 1, and how many there are.
    Step(Message, usize, usize),
    /// A step is tried again for this reason.
    Again(Reason),
    /// It is taken back.
    Back,
}

/// Who watches an op and answers its questions.
pub trait Host: Send {
    /// Takes news.
    fn progress(&mut self, news: Progress);
    /// Answers a question; `None` leaves the op where it stands (headless: a person is needed).
    fn ask<'a>(&'a mut self, prompt: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;
}

/// How an op ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Done, failed, ambiguous, cancelled, owed or asking.
    pub phase: OpPhase,
    /// Why, where it is not done.
    pub reason: Option<Reason>,
    /// Fingerprint of the replaced token.
    pub old: Option<Fingerprint>,
    /// Fingerprint of the new token.
    pub new: Option<Fingerprint>,
    /// Steps with whether each is done.
    pub steps: Vec<(Message, bool)>,
    /// What was lost, if it went past the pivot.
    pub loses: Vec<Message>,
    /// What its provider has to say of it, once it is done.
    pub told: Vec<Message>,
    /// The new token itself, once it is done: for an operator who asked to see it, never kept.
    pub token: Option<crate::domain::Secret>,
}

impl Ended {
    /// An op that ended without having run.
    pub fn bare(phase: OpPhase, reason: Option<Reason>) -> Self {
        Self { phase, reason, old: None, new: None, steps: Vec::new(), loses: Vec::new(), told: Vec::new(), token: None }
    }
}

/// Key in a plan's clear data of the sentences that its provider has to say once it is done.
const TOLD: &str = "told";

/// The sentences that a plan has to say once it is done.
pub fn told(plan: &crate::domain::Plan) -> Vec<Message> {
    plan.clear.get(TOLD).and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}

struct Runner<'a> {
    world: &'a Arc<World>,
    gateway: Arc<Gateway>,
    provider: Arc<dyn Provider>,
    cx: Cx,
    host: &'a mut dyn Host,
    cancel: &'a CancellationToken,
    op: Op,
    /// Something left this process for the op, now or before it was resumed.
    sent: bool,
}

/// What the trying of one step came to.
enum Tried {
    Done,
    Stop(OpPhase, Reason),
    GaveUp(Reason),
    Cancelled,
}

/// Runs (or goes on with) op `id` until it ends. The plan must be journaled. `words`: how the audit tells
/// of its end.
pub async fn run(world: &Arc<World>, id: i64, host: &mut dyn Host, cancel: &CancellationToken, words: super::Words<'_>) -> Ended {
    let op = match world.store.op(id).await {
        Ok(Some(op)) => op,
        Ok(None) => return Ended::bare(OpPhase::Failed, Some(Reason::new(ReasonCode::Gone))),
        Err(e) => return Ended::bare(OpPhase::Failed, Some(world.store.why(&e))),
    };
    let (target, action) = (op.target.clone(), op.action.clone());
    let note = super::Note { target: &target, action: &action, words };
    if op.plan.is_none() {
        return super::end(world, &note, id, OpPhase::Failed, Some(Reason::new(ReasonCode::Gone))).await;
    }
    let Some(gateway) = world.gateway(&op.target.gateway) else {
        return super::end(world, &note, id, OpPhase::Ambiguous, Some(Reason::new(ReasonCode::Gone))).await;
    };
    // A running step is never dropped: it has its own token, raised only when the op may stop.
    let cx = match world.cx(&gateway, CancellationToken::new()) {
        Ok(cx) => cx,
        Err(why) => return super::end(world, &note, id, OpPhase::Ambiguous, Some(why)).await,
    };
    let _engaged = gateway.provider.engage(&cx, &op.target);
    let mut runner = Runner { world, provider: gateway.provider.clone(), gateway, cx, host, cancel, sent: op.step > 0 || op.begun, op };
    let (phase, reason) = match runner.forwards().await {
        Ok(end) => end,
        // The journal does not take it: nothing more is sent, and the next process finds the op as it stands.
        Err(e) => (OpPhase::Ambiguous, Some(world.store.why(&e))),
    };
    runner.close(phase, reason, &note).await
}

impl Runner<'_> {
    fn count(&self) -> usize {
        self.op.plan.as_ref().map_or(0, |p| p.steps.len())
    }

    async fn forwards(&mut self) -> Result<(OpPhase, Option<Reason>), StoreError> {
        let pivot = self.op.plan.as_ref().map_or(0, |p| p.pivot);
        while self.op.step < self.count() {
            match self.attempt().await? {
                Tried::Done => {
                    self.op.step += 1;
                    self.op.begun = false;
                    self.world.store.op_step(self.op.id, self.op.step, false).await?;
                }
                Tried::Stop(phase, why) => return Ok((phase, Some(why))),
                Tried::Cancelled => {
                    let code = if self.sent { ReasonCode::StoppedHalfway } else { ReasonCode::Cancelled };
                    return self.take_back(Reason::new(code), OpPhase::Cancelled).await;
                }
                Tried::GaveUp(why) if self.op.step < pivot || (self.op.step == pivot && !self.op.begun) => {
                    return self.take_back(why, OpPhase::Failed).await;
                }
                Tried::GaveUp(why) => return Ok((OpPhase::Ambiguous, Some(why))),
            }
        }
        Ok((OpPhase::Done, None))
    }

    /// Tries the current step until it is done, stops, or is given up.
    async fn attempt(&mut self) -> Result<Tried, StoreError> {
        let Some(step) = self.op.plan.as_ref().and_then(|p| p.steps.get(self.op.step)).cloned() else { return Ok(Tried::Done) };
        let pivot = self.op.plan.as_ref().map_or(0, |p| p.pivot);
        let may_stop = self.op.step <= pivot;
        self.host.progress(Progress::Step(step.words.clone(), self.op.step + 1, self.count()));
        let mut backoff = Backoff::new();
        let mut answer = None;
        let mut last = Reason::new(ReasonCode::KilledInFlight);
        for turn in 0..TRIES {
            // Who was asked and answered is not told of another try, and does not wait for it.
            if turn > 0 && answer.is_none() {
                self.host.progress(Progress::Again(last.clone()));
                tokio::select! {
                    () = tokio::time::sleep(backoff.next(None)) => {}
                    () = self.cancel.cancelled(), if may_stop => {}
                }
            }
            if self.op.begun {
                // In flight before: what became of it decides.
                match self.provider.check(&self.cx, &self.op, &step.id).await {
                    Finding::Done => return Ok(Tried::Done),
                    Finding::Foreign(why) => return Ok(Tried::Stop(OpPhase::Ambiguous, why)),
                    Finding::CannotTell(why) if step.replay != Replay::Free => {
                        last = why;
                        continue;
                    }
                    Finding::NotDone if step.replay == Replay::Never => {
                        return Ok(Tried::Stop(OpPhase::Ambiguous, Reason::new(ReasonCode::KilledInFlight)));
                    }
                    Finding::NotDone => {
                        self.op.begun = false;
                        self.world.store.op_step(self.op.id, self.op.step, false).await?;
                    }
                    // It may be repeated, and still stands as in flight: what became of the last try is not known.
                    Finding::CannotTell(why) => last = why,
                }
            }
            if may_stop && self.cancel.is_cancelled() {
                // Nobody can say yet that it was taken back before it was done: it is asked again, not sent again.
                if self.op.begun && self.op.step == pivot {
                    continue;
                }
                return Ok(Tried::Cancelled);
            }
            if step.clock
                && let Some(why) = super::gate::blocked(self.world, &self.gateway, self.op.plan.as_ref()).await
            {
                return Ok(Tried::GaveUp(why));
            }
            // A try whose outcome is not known stays so, whatever becomes of the next one.
            let doubt = self.op.begun;
            self.world.store.op_step(self.op.id, self.op.step, true).await?;
            self.op.begun = true;
            let end = self.provider.run(&self.cx, &self.op, &step.id, answer.take()).await;
            self.sent |= !matches!(end, StepEnd::Failed { sent: false, .. });
            match end {
                StepEnd::Done { clear, sealed } => {
                    self.remember(clear, sealed).await?;
                    return Ok(Tried::Done);
                }
                StepEnd::Ask(prompt) => {
                    self.world.store.op_phase(self.op.id, OpPhase::Asking).await?;
                    let cancel = self.cancel;
                    let given = tokio::select! {
                        biased;
                        () = cancel.cancelled(), if may_stop => {
                            // Nothing was sent for the question that stands open.
                            self.op.begun = doubt;
                            return Ok(if doubt && self.op.step == pivot { Tried::GaveUp(last) } else { Tried::Cancelled });
                        }
                        given = self.host.ask(&prompt) => given,
                    };
                    let Some(given) = given else {
                        if may_stop {
                            // Nobody answers, and nothing was done that must be finished: it is over, not left standing open.
                            self.op.begun = doubt;
                            self.world.store.op_phase(self.op.id, OpPhase::Running).await?;
                            self.world.store.op_step(self.op.id, self.op.step, doubt).await?;
                            let refused = prompt.hint.as_ref().map(|h| Reason::new(ReasonCode::CredentialRefused).raw(h.as_str()));
                            let why = refused.filter(|_| prompt.wrong > 0).or_else(|| self.provider.unanswered(&self.op.target, &prompt));
                            return Ok(Tried::GaveUp(why.unwrap_or(Reason::new(ReasonCode::PersonNeeded))));
                        }
                        return Ok(Tried::Stop(OpPhase::Asking, Reason::new(ReasonCode::PersonNeeded)));
                    };
                    self.world.store.op_phase(self.op.id, OpPhase::Running).await?;
                    self.op.begun = doubt;
                    answer = Some(given);
                    backoff.well();
                }
                StepEnd::Later { not_before, why } => {
                    return Ok(Tried::Stop(OpPhase::Owed, why.with("time", not_before.rfc3339())));
                }
                StepEnd::Failed { why, sent } => {
                    self.op.begun = sent || doubt;
                    let waits = why.arg("retry_after").and_then(|s| s.parse::<u64>().ok()).is_some_and(|s| s >= LONG_S);
                    let hopeless = !sent && (!why.code.passes() || waits);
                    last = why;
                    if hopeless {
                        break;
                    }
                }
            }
        }
        if self.op.begun && step.replay != Replay::Never {
            // The last try may have been carried out, or refused in full: what stands there now says which.
            match self.provider.check(&self.cx, &self.op, &step.id).await {
                Finding::Done => return Ok(Tried::Done),
                Finding::Foreign(why) => return Ok(Tried::Stop(OpPhase::Ambiguous, why)),
                Finding::NotDone => {
                    self.op.begun = false;
                    self.world.store.op_step(self.op.id, self.op.step, false).await?;
                }
                Finding::CannotTell(_) => {}
            }
        }
        Ok(Tried::GaveUp(last))
    }

    async fn remember(&mut self, clear: serde_json::Value, sealed: crate::domain::Secrets) -> Result<(), StoreError> {
        if clear.is_null() && sealed.is_empty() {
            return Ok(());
        }
        self.world.store.op_merge(self.op.id, clear.clone(), sealed.clone()).await?;
        if let Some(plan) = &mut self.op.plan {
            if let (Some(old), serde_json::Value::Object(new)) = (plan.clear.as_object_mut(), clear) {
                old.extend(new);
            }
            plan.sealed.extend(sealed);
        }
        Ok(())
    }

    async fn take_back(&mut self, why: Reason, phase: OpPhase) -> Result<(OpPhase, Option<Reason>), StoreError> {
        let pivot = self.op.plan.as_ref().map_or(0, |p| p.pivot);
        let first = if self.op.step >= pivot { pivot } else { self.op.step + usize::from(self.op.begun) };
        if first > 0 {
            self.host.progress(Progress::Back);
            // A step of which nothing was sent is not in flight: who finishes the taking back must not take it for begun, and go on.
            self.world.store.op_step(self.op.id, self.op.step, self.op.begun).await?;
            self.world.store.op_phase(self.op.id, OpPhase::Back).await?;
        }
        for i in (0..first).rev() {
            let Some(id) = self.op.plan.as_ref().and_then(|p| p.steps.get(i)).map(|s| s.id.clone()) else { continue };
            let mut backoff = Backoff::new();
            let mut left = TRIES;
            loop {
                match self.provider.back(&self.cx, &self.op, &id).await {
                    StepEnd::Failed { why, .. } if left > 1 && why.code.passes() => {
                        left -= 1;
                        tokio::time::sleep(backoff.next(None)).await;
                    }
                    StepEnd::Failed { why, .. } => return Ok((OpPhase::Ambiguous, Some(why))),
                    _ => break,
                }
            }
            self.world.store.op_step(self.op.id, i, false).await?;
        }
        Ok((phase, Some(why)))
    }

    async fn close(self, phase: OpPhase, reason: Option<Reason>, note: &super::Note<'_>) -> Ended {
        let key = self.world.store.fingerprint_key();
        let plan = self.op.plan.as_ref();
        let print = |name: &str| plan.and_then(|p| p.sealed.get(name)).map(|s| Fingerprint::of(&key, s));
        let done = phase == OpPhase::Done;
        // A provider whose tokens have another owner tells their fingerprints itself.
        let told_print = |name: &str| {
            plan.and_then(|p| p.clear.get(name)).filter(|v| !v.is_null()).and_then(|v| serde_json::from_value::<Fingerprint>(v.clone()).ok())
        };
        let ended = Ended {
            old: told_print(OLD_PRINT).or_else(|| print(OLD_TOKEN)),
            new: told_print(NEW_PRINT).or_else(|| print(NEW_TOKEN)).filter(|_| done),
            told: plan.filter(|_| done).map(told).unwrap_or_default(),
            token: plan.filter(|_| done).and_then(|p| p.sealed.get(NEW_TOKEN)).cloned(),
            steps: plan.map_or_else(Vec::new, |p| p.steps.iter().enumerate().map(|(i, s)| (s.words.clone(), i < self.op.step)).collect()),
            loses: plan.filter(|p| self.op.step > p.pivot || phase == OpPhase::Done).map_or_else(Vec::new, |p| p.loses.clone()),
            phase,
            reason: reason.clone(),
        };
        let line = note.line(self.world, phase);
        if phase == OpPhase::Asking {
            let _ = self.world.store.audit(line).await;
        } else {
            let _ = self.world.store.op_end(self.op.id, phase, reason, Some(line)).await;
        }
        if matches!(phase, OpPhase::Owed | OpPhase::Ambiguous) {
            self.world.owed.notify_one();
        }
        ended
    }
}
