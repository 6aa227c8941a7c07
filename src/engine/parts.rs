//! What a world is built from.

use super::mailbox::Mailbox;
use crate::{
    domain::{Target, Time},
    providers::{Provider, registry},
    store::{Paths, Store, config, locks::ProcessLock},
    vault::Vault,
};
use std::sync::Arc;

/// Finds a provider by kind. Tests hand in their own.
pub type Providers = Arc<dyn Fn(&str) -> Option<Arc<dyn Provider>> + Send + Sync>;

/// What the engine is built from.
pub struct Parts {
    /// Gateways, in the order of the configuration.
    pub gateways: Vec<config::Gateway>,
    /// What the configuration says of clocks.
    pub clock: config::Clock,
    /// The store that hosts share, if there is one.
    pub shared: Option<config::SharedStore>,
    /// The store.
    pub store: Store,
    /// The vault.
    pub vault: Vault,
    /// Clocks.
    pub time: Arc<dyn Time>,
    /// Where news goes.
    pub mailbox: Mailbox,
    /// Rows that stand on a screen already, from the reading for its first frame: what has vanished since is told to it.
    pub drawn: Vec<Target>,
    /// Nothing may be changed.
    pub read_only: bool,
    /// Kinds.
    pub providers: Providers,
    /// Folders and files.
    pub paths: Paths,
    /// Name of this process's lock file, which it holds while it lives.
    pub owner: Box<str>,
    /// That lock, where the world is to hold it.
    pub lock: Option<ProcessLock>,
}

impl Parts {
    /// Those of a process that knows no gateway yet and holds no lock: what was built for it, and the kinds of the registry.
    pub fn of(paths: Paths, store: Store, vault: Vault, time: Arc<dyn Time>) -> Self {
        Self {
            gateways: Vec::new(),
            clock: config::Clock::default(),
            shared: None,
            store,
            vault,
            time,
            mailbox: Mailbox::new(),
            drawn: Vec::new(),
            read_only: false,
            providers: Arc::new(registry::provider),
            paths,
            owner: Box::default(),
            lock: None,
        }
    }

    /// Those of a test: a home in that folder without gateways, its store on the thread that asks.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(in crate::engine) fn of_home(home: &std::path::Path, vault: Vault, time: Arc<dyn Time>) -> Self {
        let paths = Paths::in_home(home);
        let store = Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap();
        Self { owner: "test".into(), ..Self::of(paths, store, vault, time) }
    }
}
