//! After a crash: what an ended process left in the journal is finished, taken back, or shown. Nothing is guessed.

use super::{
    super::world::World,
    Note, Words,
    run::{Ended, Host, run},
};
use crate::domain::{Op, OpPhase, Reason, ReasonCode};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Ops older than this are not resumed by themselves.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Adopts every op whose owner is gone and brings it to an end. Needs the vault open. Returns what became of each;
/// ambiguous ones of earlier runs are among them, untouched unless only an unreachable server kept them from going on.
///
/// An op whose gateway this process does not know, or whose sealed part it cannot open, is left as it stands.
pub async fn resume_all(world: &Arc<World>, mut host: impl FnMut(&Op) -> Box<dyn Host>, cancel: &CancellationToken) -> Vec<(Op, Ended)> {
    let mut all = Vec::new();
    // A journal that was put back from a copy tells of steps that were done long ago: a person decides.
    if world.vault.restored().is_some() {
        return all;
    }
    let Ok(ops) = world.store.ops_unfinished().await else { return all };
    let Some(owner) = world.owner() else { return all };
    for op in ops {
        if op.owner == owner && op.phase != OpPhase::Owed {
            continue;
        }
        if op.phase == OpPhase::Owed {
            let ended = super::owed::go_on(world, &op, host(&op).as_mut(), cancel).await;
            let ended = ended.unwrap_or_else(|| Ended::bare(op.phase, op.reason.clone()));
            all.push((op, ended));
            continue;
        }
        if op.plan.is_none()
            && op.phase == OpPhase::Running
            && let Some(why) = &op.reason
        {
            // It may have been given what is given once: there is nothing to go on with, and it is told.
            if matches!(world.store.op_adopt(op.id, owner.clone()).await, Ok(true)) {
                let before = before(&op);
                let note = Note { target: &op.target, action: &op.action, words: Words::after(&before) };
                let ended = super::end(world, &note, op.id, OpPhase::Ambiguous, Some(why.clone())).await;
                all.push((op, ended));
            }
            continue;
        }
        if op.phase == OpPhase::Ambiguous {
            let went_on = if passes(world, &op) { again(world, &op, host(&op).as_mut(), cancel).await } else { None };
            let ended = went_on.unwrap_or_else(|| Ended::bare(op.phase, op.reason.clone()));
            all.push((op, ended));
            continue;
        }
        let known = op.plan.is_some() && world.gateway(&op.target.gateway).is_some();
        if !known || !matches!(world.store.op_adopt(op.id, owner.clone()).await, Ok(true)) {
            continue;
        }
        let ended = resume(world, &op, host(&op).as_mut(), cancel).await;
        all.push((op, ended));
    }
    all
}

/// What [`resume_all`] is about to go on with, and what was left open that waits for a person: both are told before it begins, as a
/// server that hangs holds it for minutes.
pub(in super::super) async fn outlook(world: &Arc<World>) -> (Vec<Op>, Vec<Op>) {
    if world.vault.restored().is_some() {
        return (Vec::new(), Vec::new());
    }
    let ops = world.store.ops_unfinished().await.unwrap_or_default();
    let known = |op: &Op| op.plan.is_some() && world.gateway(&op.target.gateway).is_some();
    let (goes_on, other): (Vec<_>, Vec<_>) = ops.into_iter().partition(|op| known(op) && (passes(world, op) || (left(world, op) && !old(world, op))));
    (goes_on, other.into_iter().filter(|op| op.phase == OpPhase::Ambiguous).collect())
}

/// True when it runs by the journal, and whoever began it is gone.
fn left(world: &World, op: &Op) -> bool {
    op.phase.open() && !crate::store::locks::owner_lives(&world.paths.locks(), &op.owner)
}

/// Only an unreachable server keeps it from going on, and it may go on by itself.
pub(super) fn passes(world: &Arc<World>, op: &Op) -> bool {
    op.phase == OpPhase::Ambiguous && op.plan.is_some() && op.reason.as_ref().is_some_and(|r| r.code.passes()) && !old(world, op)
}

/// Goes on with an op whose outcome is not known; its checks find out first. `None`: it cannot go on here, because another process
/// has it, something was done there since, its gateway or its plan is gone, or the store was put back from a copy.
pub async fn again(world: &Arc<World>, op: &Op, host: &mut dyn Host, cancel: &CancellationToken) -> Option<Ended> {
    let fits = op.phase == OpPhase::Ambiguous && op.plan.is_some() && world.gateway(&op.target.gateway).is_some() && world.vault.restored().is_none();
    let owner = world.owner().filter(|_| fits)?;
    if !matches!(world.store.op_reopen(op.id, owner).await, Ok(true)) {
        return None;
    }
    Some(go_on(world, op, host, cancel).await)
}

fn old(world: &Arc<World>, op: &Op) -> bool {
    op.at.age(&world.time.now()) > OLDEST
}

/// Who goes on with it is named by the line; who began it, by this.
fn before(op: &Op) -> String {
    // A process's name is proc-PID-RANDOM.
    op.owner.split('-').nth(1).map_or_else(|| "resumed: ".to_owned(), |pid| format!("resumed, begun by {pid}: "))
}

async fn resume(world: &Arc<World>, op: &Op, host: &mut dyn Host, cancel: &CancellationToken) -> Ended {
    if old(world, op) {
        let before = before(op);
        let note = Note { target: &op.target, action: &op.action, words: Words::after(&before) };
        return super::end(world, &note, op.id, OpPhase::Ambiguous, Some(Reason::new(ReasonCode::KilledInFlight))).await;
    }
    go_on(world, op, host, cancel).await
}

async fn go_on(world: &Arc<World>, op: &Op, host: &mut dyn Host, cancel: &CancellationToken) -> Ended {
    let before = before(op);
    let pivot = op.plan.as_ref().map_or(0, |p| p.pivot);
    if op.step < pivot || (op.step == pivot && !op.begun) {
        // Before the pivot: recovery takes back, which the runner does when it starts cancelled.
        let back = CancellationToken::new();
        back.cancel();
        return run(world, op.id, host, &back, Words::after(&before)).await;
    }
    run(world, op.id, host, cancel, Words::after(&before)).await
}
