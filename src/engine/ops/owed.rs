//! What is left to be done of ops: steps that a server takes only later, run by themselves when their time has come, by whoever watches,
//! or by the next command; and ops that only an unreachable server kept from their end, gone on with once it answers.

use super::{
    super::{hosts::Quiet, world::World},
    Words,
    run::{Ended, Host, run},
};
use crate::{
    domain::{Op, OpPhase, State, Wall},
    i18n::{Message, engine as words},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After the instant that the server named: its clock and ours are not one, and a second too early is a refusal.
const LATE_MS: i64 = 60_000;
/// Between two tries of one follow-up, whatever the server says of its time.
const AGAIN: Duration = Duration::from_secs(600);
/// The same where the server was away and answers again.
const SOON: Duration = Duration::from_secs(30);
/// Looked at so often without news: another process may have left one, and this host may have slept.
const LOOK: Duration = Duration::from_secs(3600);

/// When an owed op may go on, by the wall.
fn due(op: &Op) -> Option<Wall> {
    let (_, time) = op.reason.as_ref()?.args.iter().rev().find(|(name, _)| &**name == "time")?;
    let at: jiff::Timestamp = time.as_str().parse().ok()?;
    Some(Wall(at.as_millisecond().saturating_add(LATE_MS)))
}

fn is_due(world: &Arc<World>, op: &Op) -> bool {
    op.phase == OpPhase::Owed && op.plan.is_some() && due(op).is_none_or(|at| at <= world.time.now().wall)
}

/// Goes on with `op` if its time has come and nobody else does so. `None`: it stays as it is.
pub(super) async fn go_on(world: &Arc<World>, op: &Op, host: &mut dyn Host, cancel: &CancellationToken) -> Option<Ended> {
    let fits = is_due(world, op) && world.gateway(&op.target.gateway).is_some() && world.vault.restored().is_none();
    let owner = world.owner().filter(|_| fits)?;
    if !matches!(world.store.op_reopen(op.id, owner).await, Ok(true)) {
        return None;
    }
    Some(run(world, op.id, host, cancel, Words::after("owed: ")).await)
}

/// What became of it, for people.
pub(in super::super) fn told(op: &Op, ended: &Ended) -> Option<Message> {
    let say = |words| Message::new(words).with("action", op.action.name()).with("target", op.target.id());
    match ended.phase {
        OpPhase::Done => Some(say(&words::OWED_DONE)),
        // Its new time stands on its row.
        OpPhase::Owed => None,
        _ => Some(say(&words::OWED_FAILED).nest("why", super::super::live::why(ended.reason.as_ref()))),
    }
}

/// Until the world ends: sleeps to the nearest follow-up and runs it.
pub(in super::super) async fn keep(world: Arc<World>) {
    let mut tried: HashMap<i64, Instant> = HashMap::new();
    loop {
        let wait = round(&world, &mut tried).await;
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = world.owed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Runs what is due; how long until the next look.
async fn round(world: &Arc<World>, tried: &mut HashMap<i64, Instant>) -> Duration {
    let mut wait = LOOK;
    let usable = !world.read_only && !world.locked();
    let ops = if usable { world.store.ops_unfinished().await.unwrap_or_default() } else { Vec::new() };
    for op in ops.iter().filter(|op| super::resume::passes(world, op)) {
        let now = Instant::now();
        let rested = tried.get(&op.id).map_or(Duration::ZERO, |at| (*at + SOON).saturating_duration_since(now));
        let answers = world.gateway(&op.target.gateway).is_some_and(|g| g.link().state == State::Online);
        if !answers {
            // Whoever finds it well again wakes us.
            continue;
        }
        if !rested.is_zero() {
            wait = wait.min(rested);
            continue;
        }
        tried.insert(op.id, now);
        wait = wait.min(SOON);
        super::super::outcome::go_on(world, op).await;
    }
    for op in ops.iter().filter(|op| op.phase == OpPhase::Owed) {
        let now = Instant::now();
        let rested = tried.get(&op.id).map_or(Duration::ZERO, |at| (*at + AGAIN).saturating_duration_since(now));
        if !rested.is_zero() || !is_due(world, op) {
            let left = due(op).map_or(0, |at| at.0 - world.time.now().wall.0);
            wait = wait.min(rested.max(Duration::from_millis(u64::try_from(left).unwrap_or(0))).max(Duration::from_secs(1)));
            continue;
        }
        tried.insert(op.id, now);
        wait = wait.min(AGAIN);
        world.set_acting(&op.target, true);
        let ended = go_on(world, op, &mut Quiet, &CancellationToken::new()).await;
        world.set_acting(&op.target, false);
        if let Some(ended) = ended {
            if let Some(text) = told(op, &ended) {
                world.toast(ended.phase == OpPhase::Done, text, Some(op.target.clone()));
            }
            if let Some(gateway) = world.gateway(&op.target.gateway) {
                super::super::look(world, &gateway, &op.target).await;
            }
        }
    }
    tried.retain(|id, _| ops.iter().any(|op| op.id == *id));
    wait
}
