//! After a crash: what an ended process left in the journal is finished, taken back, or shown. Nothing is guessed.

use super::{
    super::world::World,
    run::{Ended, Host, run},
};
use crate::domain::{Op, OpPhase, Reason, ReasonCode};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Ops older than this are not resumed by themselves.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Adopts every op whose owner is gone and brings it to an end. Needs the vault open. Returns what became of each;
/// ambiguous ones of earlier runs are among them, untouched.
pub async fn resume_all(world: &Arc<World>, mut host: impl FnMut(&Op) -> Box<dyn Host>, cancel: &CancellationToken) -> Vec<(Op, Ended)> {
    let mut all = Vec::new();
    let Ok(ops) = world.store.ops_unfinished().await else { return all };
    for op in ops {
        if op.owner == world.owner {
            continue;
        }
        if matches!(op.phase, OpPhase::Ambiguous | OpPhase::Owed) {
            let ended = Ended { phase: op.phase, reason: op.reason.clone(), old: None, new: None, steps: Vec::new(), loses: Vec::new() };
            all.push((op, ended));
            continue;
        }
        if !matches!(world.store.op_adopt(op.id, world.owner.clone()).await, Ok(true)) {
            continue;
        }
        let ended = resume(world, &op, host(&op).as_mut(), cancel).await;
        super::audit(world, &op.target, op.action.name(), None, &format!("resumed: {}", ended.phase.name())).await;
        all.push((op, ended));
    }
    all
}

async fn resume(world: &Arc<World>, op: &Op, host: &mut dyn Host, cancel: &CancellationToken) -> Ended {
    let Some(plan) = &op.plan else {
        // Armed or planning only (a pairing attempt has no plan either): it never touched anything lasting.
        return super::end(world, op.id, OpPhase::Cancelled, Some(Reason::new(ReasonCode::Cancelled))).await;
    };
    if op.at.age(&world.time.now()) > OLDEST {
        return super::end(world, op.id, OpPhase::Ambiguous, Some(Reason::new(ReasonCode::KilledInFlight))).await;
    }
    if op.step < plan.pivot || (op.step == plan.pivot && !op.begun) {
        // Before the pivot: recovery takes back, which the runner does when it starts cancelled.
        let back = CancellationToken::new();
        back.cancel();
        return run(world, op.id, host, &back).await;
    }
    run(world, op.id, host, cancel).await
}
