//! One task an engine that hears of every move of this host's clock: the kernel says so at once, and while a code depends on
//! the clocks they are looked at besides. On an idle deck it sleeps until the kernel speaks.

use super::world::{Gateway, World};
use crate::{
    clock::{kernel, moved::Alarm, notes::HostFacts},
    domain::{GatewayId, Reason, State, Target, Wall},
    providers::Look,
    store::ClockTrack,
};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often the clocks are looked at while a code depends on them: a step is to be off the screen within a second.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Gateways that are asked side by side after a move.
const AT_ONCE: usize = 8;

/// Between two questions of a process that only follows: the header believes an answer for ten minutes.
const FOLLOWER: Duration = Duration::from_secs(300);
/// How often it sees whether one is due.
const LOOK_AROUND: Duration = Duration::from_secs(60);

/// Runs until the world ends. Whoever shows codes learns of a move by [`crate::clock::gate::Gate::moves`].
pub async fn watch(world: Arc<World>) {
    let mut alarm = Alarm::arm();
    let mut moves = world.gate.moves();
    let mut epoch = moves.borrow().epoch;
    loop {
        let depends = moves.borrow_and_update().depend > 0;
        tokio::select! {
            () = world.stop.cancelled() => return,
            set = heard(alarm.as_ref()) => {
                if set {
                    world.gate.was_set();
                } else {
                    // Looking, and every use of a sample, goes on without it.
                    alarm = None;
                }
            }
            _ = moves.changed() => {}
            () = tokio::time::sleep(LOOK), if depends => {
                if alarm.as_ref().is_some_and(Alarm::was_set) {
                    world.gate.was_set();
                } else {
                    world.gate.sense();
                }
            }
        }
        let now = moves.borrow_and_update().epoch;
        if now != epoch {
            epoch = now;
            world.tell_gates();
            // Beside the watch: the next step must be heard while a gateway is slow.
            tokio::spawn(ask_all(world.clone()));
        }
    }
}

async fn heard(alarm: Option<&Alarm>) -> bool {
    match alarm {
        Some(alarm) => alarm.set().await,
        None => std::future::pending().await,
    }
}

/// Asks every gateway that answered so far for its time; its answers reach gate and header by themselves.
async fn ask_all(world: Arc<World>) {
    world.gate.push(kernel::sample(world.time.now()));
    let reference = world.clone();
    tokio::spawn(async move { reference.ask_ntp().await });
    if world.locked() {
        return;
    }
    ask_those(&world, |g| g.link().state == State::Online).await;
}

/// Asks these gateways for their time, side by side.
async fn ask_those(world: &Arc<World>, which: impl Fn(&Gateway) -> bool) {
    let asks = world.gateways().into_iter().filter(|g| which(g)).map(|g| ask(world.clone(), g, None));
    let all = futures_util::stream::iter(asks).for_each_concurrent(AT_ONCE, async |one| drop(one.await));
    tokio::select! {
        () = world.stop.cancelled() => {}
        () = all => {}
    }
}

/// Who follows another process hears no answers that would show the gateways' clocks, and a code may be asked for here any moment: it
/// asks for the time itself, seldom, whoever is well and asked at all. Until it is dropped.
pub(super) async fn follow(world: Arc<World>) {
    loop {
        let now = world.time.now();
        let due = |g: &Gateway| world.gate.asked(&g.id).is_none_or(|at| at.age(&now) >= FOLLOWER);
        ask_those(&world, |g| g.provider.is_asked() && g.link().state == State::Online && due(g)).await;
        tokio::time::sleep(LOOK_AROUND).await;
    }
}

/// Asks a gateway for the time by its cheapest call. The `Date` of its answer reaches the gate by itself.
pub(super) async fn ask(world: Arc<World>, gateway: Arc<Gateway>, target: Option<Target>) -> Result<(), Reason> {
    let cx = world.cx(&gateway, CancellationToken::new())?;
    let asked = gateway.provider.look(&cx, target.as_ref(), Look::Probe).await;
    asked.map(drop).map_err(|why| why.with("gateway", gateway.id.as_str()))
}

/// Asks once more where one answer alone says that a clock is off. A proxy whose `Date` stands still looks like a gateway that
/// is behind until a second answer, more than a second later, names the same second. Costs nothing where clocks are well, and
/// about a second and `limit` where they are not.
pub async fn settle(world: &Arc<World>, only: Option<&GatewayId>, limit: Duration) {
    let gateways = world.gateways().into_iter().filter(|g| only.is_none_or(|o| &g.id == o));
    let doubtful: Vec<_> = gateways.filter_map(|g| Some((world.gate.doubt(&g.id)?, g))).collect();
    let Some(wait) = doubtful.iter().map(|(wait, _)| *wait).max() else { return };
    tokio::select! {
        () = world.stop.cancelled() => return,
        () = tokio::time::sleep(wait) => {}
    }
    let asks = doubtful.into_iter().map(|(_, g)| tokio::time::timeout(limit, ask(world.clone(), g, None)));
    futures_util::stream::iter(asks).for_each_concurrent(AT_ONCE, async |one| drop(one.await)).await;
}

/// Length of a stretch of an offset history (ms), and how many make the last day.
const STEP_MS: i64 = 30 * 60_000;
const STEPS: usize = 48;

impl World {
    /// The offsets of the last day of a gateway, in half hours that begin at whole ones, so that a picture of them moves only
    /// when one is over. `None` when the store cannot be read.
    pub async fn clock_track(&self, gateway: &GatewayId) -> Option<ClockTrack> {
        let day = STEP_MS * i64::try_from(STEPS).unwrap_or(48);
        let since = Wall((self.time.now().wall.0.div_euclid(STEP_MS) + 1) * STEP_MS - day);
        self.store.clock_track(gateway.clone(), since, STEP_MS, STEPS).await.ok()
    }

    /// What is known of this host besides its clock. Blocks on a few small local files.
    pub fn host_facts(&self) -> HostFacts {
        HostFacts::read(self.clock.expect_timezone.as_deref(), self.time.now().wall)
    }

    /// Tells the header what the gate knows of every gateway now.
    pub(super) fn tell_gates(&self) {
        for gateway in self.gateways() {
            self.alarm.told(self.gate.view(&gateway.id), &self.store, &self.mailbox);
        }
    }
}
