//! What a provider's context is made of: its memo in the store, its clock samples on the way to the gate.

use super::mailbox::Mailbox;
use crate::{
    clock::{Verdict, gate::Gate, sample::Sample},
    domain::{GatewayId, Reason, Stamp},
    providers::{Fut, Memo, Samples},
    store::Store,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A gateway's memo, kept by the store.
pub(super) struct StoreMemo {
    pub(super) store: Store,
    pub(super) gateway: GatewayId,
}

impl Memo for StoreMemo {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.store.memo_get(&self.gateway, key).await.ok().flatten() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move { self.store.memo_put(&self.gateway, key, value).await.map_err(|e| e.reason()) })
    }
}

/// Hands samples to gate, store and header.
pub(super) struct GateSamples {
    pub(super) gateway: GatewayId,
    pub(super) gate: Arc<Gate>,
    pub(super) store: Store,
    pub(super) mailbox: Mailbox,
    /// Verdict and epoch that the last kept sample stood for, and when it was taken.
    pub(super) kept: Mutex<Option<(Verdict, u64, Stamp)>>,
}

/// Samples that say nothing new are kept this often: every answer of a server is one, and a disk need not hear of each.
const KEEP: Duration = Duration::from_secs(60);

impl Samples for GateSamples {
    fn push(&self, sample: Sample) {
        let Some(gateway) = sample.gateway.clone() else { return };
        let at = sample.at;
        self.gate.push(sample.clone());
        let view = self.gate.view(&gateway);
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.is_none_or(|(verdict, epoch, then)| verdict != view.verdict || epoch != view.epoch || then.age(&at) >= KEEP) {
                *kept = Some((view.verdict, view.epoch, at));
                self.store.samples(vec![sample]);
            }
        }
        self.mailbox.put(|m| {
            m.gates.insert(gateway, view);
        });
    }

    fn lost(&self) {
        self.gate.lost(&self.gateway);
    }
}
