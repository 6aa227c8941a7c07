//! What a world of tests is made of, unless a test says otherwise.

use super::{Mailbox, world::Parts};
use crate::{
    domain::Time,
    store::{Paths, Store, config},
    vault::Vault,
};
use std::{path::Path, sync::Arc};

impl Parts {
    /// A home in that folder without gateways, its store on the thread that asks, kinds as they are.
    #[allow(clippy::unwrap_used)]
    pub(in crate::engine) fn of_home(home: &Path, vault: Vault, time: Arc<dyn Time>) -> Self {
        let paths = Paths::in_home(home);
        Self {
            gateways: Vec::new(),
            clock: config::Clock::default(),
            shared: None,
            store: Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap(),
            vault,
            time,
            mailbox: Mailbox::new(),
            read_only: false,
            providers: Arc::new(crate::providers::registry::provider),
            paths,
            owner: "test".into(),
            lock: None,
        }
    }
}
