//! The store as its users meet it: through handles, several on one home, over damaged and foreign files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clocks;
mod data;
mod edited;
mod files;
mod journal;

use super::*;
use crate::domain::{Action, Boot, RemoteId, Stamp, Step, Wall};
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that a test moves.
pub(super) struct Clock(pub(super) AtomicI64);

impl Time for Clock {
    fn now(&self) -> Stamp {
        let ms = self.0.load(Ordering::Relaxed);
        Stamp { wall: Wall(1_790_000_000_000 + ms), boot: Some((7, Boot(u64::try_from(ms).unwrap()))) }
    }
}

pub(super) fn clock() -> Arc<dyn Time> {
    Arc::new(Clock(AtomicI64::new(1_000)))
}

pub(super) fn at(ms: i64) -> Stamp {
    Stamp { wall: Wall(1_790_000_000_000 + ms), boot: Some((7, Boot(u64::try_from(ms).unwrap()))) }
}

pub(super) struct Home {
    pub(super) _dir: tempfile::TempDir,
    pub(super) paths: Paths,
    pub(super) vault: Vault,
}

pub(super) fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::in_home(dir.path());
    Home { _dir: dir, paths, vault: Vault::memory() }
}

impl Home {
    /// A store on this home, with a clone of its vault, as another process that knows the key would open it.
    pub(super) fn open(&self) -> Store {
        Store::open(&self.paths, self.vault.clone(), clock()).unwrap()
    }
}

pub(super) fn target(account: &str) -> Target {
    Target { incarnation: Some("id-1".into()), ..Target::account(&GatewayId::new("wa"), &RemoteId::new(account)) }
}

pub(super) fn new_op(account: &str, owner: &str) -> NewOp {
    NewOp { action: Action::Regenerate, target: target(account), owner: owner.into(), at: at(5) }
}

pub(super) fn a_plan(account: &str) -> Plan {
    let step = |id: &str| Step {
        id: id.into(),
        words: Message::new(&crate::i18n::common::YES),
        replay: crate::domain::plan::Replay::AfterCheck,
        clock: false,
    };
    Plan {
        v: 1,
        action: Action::Regenerate,
        target: target(account),
        steps: vec![step("delete"), step("create")],
        pivot: 1,
        loses: vec![Message::new(&crate::i18n::common::NO)],
        clear: serde_json::json!({"name": account}),
        sealed: Secrets::from([("new".to_owned(), Secret::new("CANARY-NEW-TOKEN-0123456789".into()))]),
    }
}
