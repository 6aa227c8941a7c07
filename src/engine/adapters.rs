//! What a provider's context is made of: its memo in the store, its clock samples on the way to the gate.

use super::{alarm::Alarm, mailbox::Mailbox};
use crate::{
    clock::{gate::Gate, sample::Sample},
    domain::{GatewayId, Reason, ReasonCode},
    i18n::Lang,
    providers::{Fut, Memo, Right, Samples},
    store::{Store, config, locks::NamedLock},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A gateway's memo, kept by the store.
pub(super) struct StoreMemo {
    pub(super) store: Store,
    pub(super) gateway: GatewayId,
    /// Raised when the operator's file was changed from here: gateways are read anew then.
    pub(super) reconfigured: Arc<AtomicBool>,
}

impl Memo for StoreMemo {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.store.memo_get(&self.gateway, key).await.ok().flatten() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move { self.store.memo_put(&self.gateway, key, value).await.map_err(|e| e.reason()) })
    }
    fn exclusive<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Right>, Reason>> {
        let taken = NamedLock::try_take(self.store.paths(), name);
        Box::pin(async move { taken.map(|l| l.map(|l| Box::new(l) as Right)).map_err(|e| e.reason()) })
    }
    fn configured(&self) -> Option<config::Config> {
        config::Config::load(&self.store.paths().config).ok()
    }
    fn would_enlist(&self, slot: &config::NewSlot) -> Result<(), Reason> {
        let would = config::check_slot(&self.store.paths().config, slot).map(drop);
        would.map_err(|e| Reason::new(ReasonCode::BadTarget).raw(e.text(Lang::En)))
    }
    fn enlist<'a>(&'a self, slot: &'a config::NewSlot, there: bool) -> Fut<'a, Result<(), Reason>> {
        let path = self.store.paths().config.clone();
        let done = if there { config::add_slot(&path, slot).map(drop) } else { config::remove_slot(&path, slot).map(drop) };
        self.reconfigured.store(true, Ordering::Release);
        Box::pin(std::future::ready(done.map_err(|e| Reason::new(ReasonCode::StoreUnwritable).raw(e.text(Lang::En)))))
    }
}

/// Hands samples to gate, store, alarm and header.
pub(super) struct GateSamples {
    pub(super) gateway: GatewayId,
    /// It runs on another machine than this.
    pub(super) elsewhere: bool,
    pub(super) gate: Arc<Gate>,
    pub(super) store: Store,
    pub(super) mailbox: Mailbox,
    /// Shared by the whole process, so that it neither keeps nor tells twice what several tasks hear.
    pub(super) alarm: Arc<Alarm>,
}

impl Samples for GateSamples {
    fn push(&self, sample: Sample) {
        let Some(gateway) = sample.gateway.clone() else {
            // A platform's own time speaks of this host.
            return self.gate.push(sample);
        };
        self.gate.push(sample);
        let view = self.gate.view(&gateway);
        super::ntp::save_agreed(&self.store, &view, self.elsewhere);
        self.alarm.told(view, &self.store, &self.mailbox);
    }

    fn lost(&self) {
        self.gate.lost(&self.gateway);
    }
}
