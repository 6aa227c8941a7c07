//! Slots: sessions of workers on this machine. What key lies in each, which file that really is, who holds it, and what two of
//! them share. Reads only; blocking, so that callers put it on a thread of its own.

pub mod clash;
pub mod holder;
pub mod identity;
pub mod process;
pub mod rows;
pub mod run;
pub mod trash;
pub mod vigil;

#[cfg(test)]
mod tests;

use super::{
    KeyId,
    session::{self, Found, Patience, Trouble},
};
use crate::{
    domain::{GatewayId, RemoteId, Target},
    store::config,
};
use holder::{Held, Viewer};
use identity::Identity;
use process::Table;
use std::collections::{BTreeMap, HashSet};

/// One slot of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRef {
    /// Its gateway.
    pub gateway: GatewayId,
    /// Its account.
    pub account: RemoteId,
    /// What the configuration says of it.
    pub slot: config::Slot,
}

impl SlotRef {
    /// The device that it is.
    pub fn target(&self) -> Target {
        Target { gateway: self.gateway.clone(), account: self.account.clone(), device: Some(RemoteId::new(&self.slot.name)), incarnation: None }
    }

    /// `GATEWAY:ACCOUNT/SLOT`.
    pub fn id(&self) -> String {
        self.target().id()
    }
}

/// Every slot of these gateways, in the order of the configuration.
pub fn all(gateways: &[config::Gateway]) -> Vec<SlotRef> {
    gateways.iter().flat_map(of).collect()
}

/// Every slot of one gateway.
pub fn of(gateway: &config::Gateway) -> Vec<SlotRef> {
    let id = GatewayId::new(&gateway.name);
    let each = |a: &config::Account| {
        let account = RemoteId::new(&a.name);
        let slots = a.telegram.slots.clone().into_iter();
        slots.map(|slot| SlotRef { gateway: id.clone(), account: account.clone(), slot }).collect::<Vec<_>>()
    };
    gateway.accounts.iter().flat_map(each).collect()
}

/// What is known of a slot without asking anybody.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The slot.
    pub slot: SlotRef,
    /// Which file it really is; `None` when its folder is not there.
    pub identity: Option<Identity>,
    /// What lies in it.
    pub session: Result<Found, Trouble>,
    /// Who holds it.
    pub held: Held,
}

impl Seen {
    /// The id of its key, if it has one.
    pub fn key(&self) -> Option<KeyId> {
        self.session.as_ref().ok().map(|f| f.session.key.id())
    }
}

/// Looks at slots: their files, then once at all processes of this machine.
pub fn inspect(slots: &[SlotRef], patience: Patience, viewer: Viewer) -> Vec<Seen> {
    let identities: Vec<_> = slots.iter().map(|s| Identity::of(&s.slot.file).ok()).collect();
    // The session, and the lock of `pairdeck run` beside it.
    let wanted: HashSet<_> = identities.iter().flatten().flat_map(|i| [i.inode, i.lock()]).flatten().collect();
    let table = Table::scan(&wanted);
    let look = |(slot, identity): (&SlotRef, Option<Identity>)| Seen {
        session: session::read(&slot.slot.file, slot.slot.format, patience),
        held: holder::of(&slot.slot, identity.as_ref(), &table, viewer),
        identity,
        slot: slot.clone(),
    };
    slots.iter().zip(identities).map(look).collect()
}

/// Which slot has which key: no connection of pairdeck's own may use one of these.
pub fn worker_keys(seen: &[Seen]) -> BTreeMap<KeyId, Vec<String>> {
    let mut keys: BTreeMap<KeyId, Vec<String>> = BTreeMap::new();
    for s in seen {
        if let Some(key) = s.key() {
            keys.entry(key).or_default().push(s.slot.id());
        }
    }
    keys
}
