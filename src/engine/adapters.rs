//! What a provider's context is made of: its memo in the store, its clock samples on the way to the gate.

use super::{alarm::Alarm, mailbox::Mailbox, who, world::secret_name};
use crate::{
    clock::{gate::Gate, sample::Sample},
    domain::{Clean, GatewayId, Reason, ReasonCode, RemoteId, Row, Secret, Target, Time},
    i18n::Lang,
    providers::{Fut, Holder, Memo, Right, Samples},
    store::{Store, config},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A gateway's memo, kept by the store.
pub(super) struct StoreMemo {
    pub(super) store: Store,
    pub(super) gateway: GatewayId,
    pub(super) time: Arc<dyn Time>,
    /// Nothing may be changed.
    pub(super) read_only: bool,
    /// Gateways of which the operator's file was changed from here: they are read anew.
    pub(super) reconfigured: Arc<Mutex<HashSet<GatewayId>>>,
}

impl StoreMemo {
    /// Goes with the gateway when that is removed.
    fn own(&self, key: &str) -> String {
        secret_name(&self.gateway, key)
    }
}

impl Memo for StoreMemo {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.store.memo_get(&self.gateway, key).await.ok().flatten() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move { self.store.memo_put(&self.gateway, key, value).await.map_err(|e| e.reason()) })
    }
    fn exclusive<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Right>, Reason>> {
        let taken = self.store.right(name, who::process());
        Box::pin(async move { taken.map(|l| l.map(|l| Box::new(l) as Right)).map_err(|e| e.reason()) })
    }
    fn borrow<'a>(&'a self, name: &'a str, within: Duration) -> Fut<'a, Result<Result<Right, Clean>, Reason>> {
        Box::pin(async move {
            let got = self.store.borrow(name, who::process(), within).await.map_err(|e| e.reason())?;
            let who = || Clean::new(&self.store.right_of(name).unwrap_or_default());
            Ok(got.map(|l| Box::new(l) as Right).ok_or_else(who))
        })
    }
    fn holder(&self, name: &str) -> Option<Holder> {
        self.store.right_of(name).map(|of| Holder { here: of == who::process(), who: Clean::new(&of), well: self.store.right_was_well(name) })
    }
    fn wanted(&self, name: &str) -> Fut<'static, ()> {
        Box::pin(self.store.wanted(name))
    }
    fn given_back(&self, name: &str) -> Fut<'static, ()> {
        Box::pin(self.store.given_back(name))
    }
    fn is_well(&self, name: &str) {
        self.store.right_well(name);
    }
    fn kept_rows(&self) -> Fut<'_, Vec<Row>> {
        Box::pin(async move { self.store.rows(Some(self.gateway.clone())).await.unwrap_or_default() })
    }
    fn sealed<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Option<Secret>, Reason>> {
        Box::pin(async move {
            if self.read_only {
                return Ok(None);
            }
            self.store.secret_get(&self.own(key)).await.map_err(|e| self.store.why(&e))
        })
    }
    fn seal<'a>(&'a self, key: &'a str, value: Option<&'a Secret>) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            let name = self.own(key);
            let done = match value {
                Some(value) => self.store.secret_put(&name, value).await,
                None => self.store.secret_forget(&name).await,
            };
            done.map_err(|e| self.store.why(&e))
        })
    }
    fn forget<'a>(&'a self, key: &'a str, was: &'a Secret) -> Fut<'a, Result<bool, Reason>> {
        Box::pin(async move {
            if self.read_only {
                return Ok(false);
            }
            self.store.secret_forget_same(&self.own(key), was).await.map_err(|e| self.store.why(&e))
        })
    }
    fn audit<'a>(&'a self, account: &'a str, action: &'a str, outcome: &'a str) -> Fut<'a, ()> {
        let line = super::ops::line(&*self.time, Target::account(&self.gateway, &RemoteId::new(account)).id(), action, None, outcome);
        Box::pin(async move {
            // What was done is done without it.
            let _ = self.store.audit(line).await;
        })
    }
    fn configured(&self) -> Option<config::Config> {
        config::Config::load(&self.store.paths().config).ok()
    }
    fn would_enlist(&self, slot: &config::NewSlot) -> Result<(), Reason> {
        let would = config::check_slot(&self.store.paths().config, slot).map(drop);
        would.map_err(|e| Reason::new(ReasonCode::BadTarget).with("what", &slot.name).with("why", e.text(Lang::En).trim()))
    }
    fn enlist<'a>(&'a self, slot: &'a config::NewSlot, there: bool) -> Fut<'a, Result<(), Reason>> {
        let path = self.store.paths().config.clone();
        let done = if there { config::add_slot(&path, slot).map(drop) } else { config::remove_slot(&path, slot).map(drop) };
        super::world::lock(&self.reconfigured).insert(GatewayId::new(&slot.gateway));
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
