//! Errands of the engine that touch no row: history, a revealed token, a gateway to be added.

use super::{actor::Actor, add, command::NewGateway, mailbox::HistoryLine, ops, watch};
use crate::{
    domain::{GatewayId, Target, Wall},
    store::HistoryQuery,
};
use tokio_util::sync::CancellationToken;

impl Actor {
    pub(super) fn history(&self, target: Target) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let query = HistoryQuery { target: Some(target.clone()), limit: 500, ..HistoryQuery::default() };
            let lines: Vec<HistoryLine> = match world.store.history(query).await {
                Ok(lines) => lines.into_iter().map(|(_, line)| line).collect(),
                Err(_) => Vec::new(),
            };
            world.mailbox.put(|m| m.history = Some((target, lines)));
        });
    }

    /// The offsets of the last day, of every gateway, in half hours that begin at whole ones, so that a picture of them moves
    /// only when one is over.
    pub(super) fn clock_tracks(&self) {
        const STEP_MS: i64 = 30 * 60_000;
        const COUNT: usize = 48;
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let day = STEP_MS * i64::try_from(COUNT).unwrap_or(48);
            let since = Wall((world.time.now().wall.0.div_euclid(STEP_MS) + 1) * STEP_MS - day);
            for gateway in world.gateways() {
                if let Ok(track) = world.store.clock_track(gateway.id.clone(), since, STEP_MS, COUNT).await {
                    world.mailbox.put(|m| {
                        m.tracks.insert(gateway.id.clone(), track);
                    });
                }
            }
        });
    }

    pub(super) fn reveal(&self, target: Target) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let Some(gateway) = world.gateway(&target.gateway) else { return };
            let result = match world.cx(&gateway, CancellationToken::new()) {
                Ok(cx) => gateway.provider.reveal(&cx, &target).await,
                Err(why) => Err(why),
            };
            ops::audit(&world, &target, "reveal", None, if result.is_ok() { "shown" } else { "failed" }).await;
            world.mailbox.put(|m| m.revealed = Some((target, result)));
        });
    }

    pub(super) fn why(&self, target: Target, claim: crate::providers::Claim) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let found = super::why::why(&world, &target, &claim).await;
            world.mailbox.put(|m| m.why = Some((target, found)));
        });
    }

    pub(super) fn add(&self, new: NewGateway, save: bool) {
        let world = self.world.clone();
        let watching = self.started;
        let ready = self.ready.clone();
        self.tasks.spawn(async move {
            let check = if save { add::add(&world, new).await } else { add::check(&world, &new).await };
            let (added, name) = (check.added, GatewayId::new(&check.name));
            world.mailbox.put(|m| m.add_check = Some(check));
            world.tell_status();
            if !added {
                return;
            }
            if watching {
                if let Some(gateway) = world.gateway(&name) {
                    tokio::spawn(watch::run(world.clone(), gateway));
                }
            } else {
                let _ = ready.send(()).await;
            }
        });
    }
}
