//! Errands of the engine that touch no row: history, a revealed token, a gateway to be added.

use super::{actor::Actor, add, command::NewGateway, mailbox::HistoryLine, ops, watch};
use crate::{
    domain::{GatewayId, Target},
    store::HistoryQuery,
};
use tokio_util::sync::CancellationToken;

impl Actor {
    /// A person looks at the clocks: the gateway, or all of them, and what tells of this host.
    pub(super) fn ask_clock(&mut self, only: Option<GatewayId>) {
        let world = self.world.clone();
        tokio::spawn(async move { world.ask_host_anew().await });
        self.each(only, |world, gateway| {
            Box::pin(async move {
                let since = world.time.now();
                let _ = super::clock::ask(world.clone(), gateway.clone(), None).await;
                // A person says that a clock was put right: what was measured before does not count against it.
                world.gate.renew(&gateway.id, &since);
                let view = world.gate.view(&gateway.id);
                world.mailbox.put(|m| {
                    m.gates.insert(gateway.id.clone(), view);
                });
            })
        });
    }

    pub(super) fn history(&self, target: Target) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let query = HistoryQuery { target: Some(target.clone()), limit: 500, clock: true, ..HistoryQuery::default() };
            let lines: Vec<HistoryLine> = match world.store.history(query).await {
                Ok(lines) => lines.into_iter().map(|(_, line)| line).collect(),
                Err(_) => Vec::new(),
            };
            world.mailbox.put(|m| m.history = Some((target, lines)));
        });
    }

    /// The offsets of the last day, of every gateway.
    pub(super) fn clock_tracks(&self) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            for gateway in world.gateways() {
                if let Some(track) = world.clock_track(&gateway.id).await {
                    world.mailbox.put(|m| {
                        m.tracks.insert(gateway.id.clone(), track);
                    });
                }
            }
        });
    }

    /// What is told of a token; nothing where a platform issues none.
    pub(super) fn token_tale(&self, target: Target) {
        let world = self.world.clone();
        self.tasks.spawn(async move {
            if let Some(tale) = world.tokens().tale(&target).await {
                world.mailbox.put(|m| m.tale = Some((target, Box::new(tale))));
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
            let result = match result {
                // Before it is on a screen: a secret that nobody can be told to have seen is not shown.
                Ok(token) => ops::audit_reveal(&world, &target).await.map(|()| token),
                Err(why) => {
                    ops::audit(&world, &target, "reveal", None, "failed").await;
                    Err(why)
                }
            };
            world.mailbox.put(|m| m.revealed = Some((target, result)));
        });
    }

    pub(super) fn copied(&self, target: Target) {
        let world = self.world.clone();
        self.tasks.spawn(async move { ops::audit(&world, &target, "copy token", None, "done").await });
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
