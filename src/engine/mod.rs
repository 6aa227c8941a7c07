//! The engine: the only actor. It owns the network, the ops, the pairing attempts and the gate.
//!
//! The terminal sends [`Command`]s and reads [`mailbox::Mail`]; the command line calls the same rooms directly.
//! Nothing here draws. Nothing here knows a provider's name: it asks for a capability.
//!
//! * [`clock`]: hears of a moved clock. * [`world`]: what all rooms share. * `rows`: the merge. * `watch`: one task a gateway. * [`ops`]: the journaled runner.
//! * [`pairing`]: attempts, and the one place where an Offer meets the gate. * [`actor`]: commands in, mailbox out.

pub mod actor;
mod adapters;
pub mod add;
pub mod agent;
mod alarm;
mod backoff;
pub mod clock;
pub mod command;
mod deeds;
mod errands;
mod exposed;
pub mod follow;
mod gateway;
pub mod hold;
pub mod hosts;
mod live;
pub mod mailbox;
pub mod metrics;
pub mod names;
mod ntp;
pub mod ops;
mod outcome;
pub mod pairing;
mod parts;
mod rows;
mod secrets;
mod settings;
pub mod shared;
pub mod tokens;
mod watch;
pub mod who;
pub mod why;
pub mod world;

pub use command::Command;
pub use mailbox::{Mail, Mailbox};
pub use outcome::blank_row;
pub use world::{Parts, World};

use crate::{
    domain::{Reason, Target},
    providers::{Look, Report},
    store::KnownGateway,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use world::Gateway;

/// Reads one row fresh and merges it. Trouble is left to the watch, which meets it too.
pub async fn look(world: &Arc<World>, gateway: &Arc<Gateway>, target: &Target) {
    let Ok(cx) = world.cx(gateway, CancellationToken::new()) else { return };
    if let Ok(report) = gateway.provider.look(&cx, Some(target), Look::Row).await {
        world.merge(gateway, report);
    }
}

/// Reads what a gateway tells about itself, for headless commands; nothing changes where it tells nothing.
pub async fn look_at_server(world: &Arc<World>, gateway: &Arc<Gateway>) {
    let Ok(cx) = world.cx(gateway, CancellationToken::new()) else { return };
    if let Ok(Some(facts)) = tokio::time::timeout(SERVER_WITHIN, gateway.provider.facts(&cx)).await {
        world.merge(gateway, Report::Gateway(facts));
    }
}

/// How long a command that is about a row waits for what its gateway tells about itself.
const SERVER_WITHIN: Duration = Duration::from_secs(5);

/// Reads every gateway's list once, side by side, each within `limit`, for headless commands. Returns what failed.
pub async fn look_all(world: &Arc<World>, only: Option<&crate::domain::GatewayId>, limit: Duration) -> Vec<(crate::domain::GatewayId, Reason)> {
    let mut tasks = tokio::task::JoinSet::new();
    for gateway in world.gateways().into_iter().filter(|g| only.is_none_or(|o| &g.id == o)) {
        let world = world.clone();
        tasks.spawn(async move {
            let why = look_list(&world, &gateway, limit).await.err();
            why.map(|why| (gateway.id.clone(), why))
        });
    }
    let mut failed = Vec::new();
    while let Some(done) = tasks.join_next().await {
        failed.extend(done.ok().flatten());
    }
    failed.sort_by(|a, b| a.0.cmp(&b.0));
    failed
}

async fn look_list(world: &Arc<World>, gateway: &Arc<Gateway>, limit: Duration) -> Result<(), Reason> {
    use crate::domain::ReasonCode;
    let id = gateway.id.as_str();
    let result = if world.locked() && !gateway.spec.secrets.is_empty() {
        Err(world.why_shut())
    } else if gateway.has_secrets() {
        match world.cx(gateway, CancellationToken::new()) {
            Ok(cx) => {
                let list = gateway.provider.look(&cx, None, Look::All);
                let list = tokio::time::timeout(limit, list).await.unwrap_or(Err(Reason::new(ReasonCode::Slow)));
                // After the list: where that is refused, nothing more is sent with a key that does not fit.
                let facts = match &list {
                    Ok(_) => tokio::time::timeout(limit, gateway.provider.facts(&cx)).await.ok().flatten(),
                    Err(_) => None,
                };
                if let Some(facts) = facts {
                    world.merge(gateway, Report::Gateway(facts));
                }
                list
            }
            Err(why) => Err(why),
        }
    } else {
        Err(Reason::new(ReasonCode::CredentialMissing))
    };
    match result {
        Ok(report) => {
            let lost = if let Report::Lost { why, .. } = &report { Some(why.clone().or_with("gateway", id)) } else { None };
            world.merge(gateway, report);
            lost.map_or(Ok(()), Err)
        }
        Err(why) => {
            let why = why.or_with("gateway", id);
            world.broken(gateway, why.clone());
            Err(why)
        }
    }
}

impl World {
    /// Fills the books from the cache, so that a name can be resolved before any server was asked. What a screen was drawn from is an
    /// older reading: it is told what has vanished in between, which nobody else would tell.
    pub async fn seed_all(&self) -> Vec<KnownGateway> {
        let mut drawn = std::mem::take(&mut *world::lock(&self.drawn));
        let known = self.store.gateways().await.unwrap_or_default();
        for gateway in self.gateways() {
            if let Some(known) = known.iter().find(|k| k.id == gateway.id) {
                gateway.was(known.version.clone());
            }
            if let Ok(rows) = self.store.rows(Some(gateway.id.clone())).await {
                self.seed(&gateway, rows);
                let gone: Vec<_> = drawn.extract_if(.., |t| t.gateway == gateway.id && self.row(t).is_none()).collect();
                if !gone.is_empty() {
                    self.mailbox.put(|m| m.gone.extend(gone));
                }
            }
        }
        known
    }

    /// Ends every task of this world.
    pub fn shut(&self) {
        self.stop.cancel();
    }

    /// Reports that are merged by hand (headless).
    pub fn take(&self, gateway: &Arc<Gateway>, report: Report) {
        self.merge(gateway, report);
    }
}
