//! One task a gateway: runs the provider's watch, merges its reports, waits after it broke.

use super::{
    backoff::Backoff,
    world::{Gateway, World, lock},
};
use crate::{
    domain::{Reason, ReasonCode},
    providers::Report,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::mpsc;

/// Reports that may wait for the merge.
const QUEUE: usize = 64;

/// Watches a gateway until the engine stops or the gateway is removed.
pub(super) async fn run(world: Arc<World>, gateway: Arc<Gateway>) {
    loop {
        // Whoever was faster watches it.
        if gateway.watched.swap(true, Ordering::AcqRel) {
            return;
        }
        watch(&world, &gateway).await;
        gateway.watched.store(false, Ordering::Release);
        // A key that came while this one gave up for want of it found the place still taken.
        if gateway.stop.is_cancelled() || !gateway.has_secrets() {
            return;
        }
    }
}

/// Takes over what another process did to the stored secrets. A gateway whose secrets are others now is watched anew with them.
pub(super) async fn reload_secrets(world: &Arc<World>) {
    if world.locked() {
        return;
    }
    for gateway in world.gateways() {
        let of = |g: &Gateway| lock(&g.state).secrets.clone();
        let had = of(&gateway);
        // What cannot be read now leaves what is there; the store's own trouble is told elsewhere.
        if world.load_gateway_secrets(&gateway).await.is_err() || of(&gateway) == had {
            continue;
        }
        gateway.anew.send_replace(());
        if !world.following.load(Ordering::Relaxed) {
            tokio::spawn(run(world.clone(), gateway));
        }
    }
}

/// Watches a gateway whose settings an op changed under the new ones, where this process is the one that watches.
pub(super) fn renew(world: &Arc<World>, of: &crate::domain::GatewayId) {
    if let Some(gateway) = world.reconfigure(of)
        && !world.following.load(Ordering::Relaxed)
    {
        tokio::spawn(run(world.clone(), gateway));
    }
}

async fn watch(world: &Arc<World>, gateway: &Arc<Gateway>) {
    let mut backoff = Backoff::new();
    loop {
        if !gateway.has_secrets() {
            world.broken(gateway, Reason::new(ReasonCode::CredentialMissing).with("gateway", gateway.id.as_str()));
            // A key that comes starts this task anew.
            return;
        }
        let mut anew = gateway.anew.subscribe();
        let ended = tokio::select! {
            reason = once(world, gateway, &mut backoff) => Some(reason),
            Ok(()) = anew.changed() => None,
        };
        if gateway.stop.is_cancelled() {
            return;
        }
        let Some(reason) = ended else {
            backoff.well();
            continue;
        };
        let wait = backoff.next(retry_after(&reason));
        world.broken(gateway, reason.with("gateway", gateway.id.as_str()));
        let mut attention = gateway.attention.subscribe();
        let before = attention.borrow_and_update().refresh;
        let asked = async {
            // A person who asks does not wait for the backoff.
            while attention.changed().await.is_ok() {
                if attention.borrow_and_update().refresh != before {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = gateway.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = asked => {}
            Ok(()) = anew.changed() => {}
        }
    }
}

async fn once(world: &Arc<World>, gateway: &Arc<Gateway>, backoff: &mut Backoff) -> Reason {
    let cx = match world.cx(gateway, gateway.stop.child_token()) {
        Ok(cx) => cx,
        Err(why) => return why,
    };
    let (tx, mut rx) = mpsc::channel(QUEUE);
    let watch = gateway.provider.watch(&cx, tx);
    tokio::pin!(watch);
    loop {
        tokio::select! {
            biased;
            Some(report) = rx.recv() => take(world, gateway, backoff, report),
            reason = &mut watch => {
                while let Ok(report) = rx.try_recv() {
                    take(world, gateway, backoff, report);
                }
                return reason;
            }
        }
    }
}

fn take(world: &Arc<World>, gateway: &Arc<Gateway>, backoff: &mut Backoff, report: Report) {
    if matches!(report, Report::All { .. } | Report::AllBut { .. } | Report::Alive(_)) {
        backoff.well();
    }
    world.merge(gateway, report);
}

/// What a server asked for, as the shared HTTP client writes it into the reason.
fn retry_after(reason: &Reason) -> Option<Duration> {
    reason.arg("retry_after")?.parse::<u64>().ok().map(|s| Duration::from_secs(s.min(3600)))
}
