//! The store that several hosts share, as the configuration names it: made once, at the first question, with its secrets from the
//! vault. Nothing is shared, and nothing is asked of anybody, unless a configuration says so.

use super::{
    who,
    world::{World, lock},
};
use crate::{
    domain::{Clean, Reason},
    shared::{
        PASSWORD, SEAL, Shared,
        redis::{Means, Redis},
    },
    store::config::SharedStore,
};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// What the configuration says of it, and the handle once there is one.
#[derive(Default)]
pub(super) struct Common {
    settings: Option<SharedStore>,
    made: OnceCell<Arc<dyn Shared>>,
    trouble: Mutex<Option<Reason>>,
    /// What another process of this store found, where this one does not ask.
    told: Mutex<Option<Reason>>,
}

impl Common {
    pub(super) fn new(settings: Option<SharedStore>) -> Self {
        Self { settings, ..Self::default() }
    }
}

impl World {
    /// The store that hosts share. `None`: nothing is shared. An error is a setting or a secret that does not fit; whether the
    /// store answers is another question. Call after the vault was opened.
    pub async fn shared(&self) -> Option<Result<Arc<dyn Shared>, Reason>> {
        let settings = self.common.settings.as_ref()?;
        let made = self.common.made.get_or_try_init(|| self.connect(settings)).await.cloned();
        *lock(&self.common.trouble) = made.as_ref().err().cloned();
        Some(made)
    }

    /// What stands in the way of it, if it is configured: for header and checks.
    pub fn shared_trouble(&self) -> Option<Reason> {
        let own = self.common.made.get().map_or_else(|| lock(&self.common.trouble).clone(), |shared| shared.down());
        own.or_else(|| lock(&self.common.told).clone())
    }

    /// Reads what the watching process left in the store about it; for a process that follows and asks nobody.
    pub(super) async fn hear_shared(&self) {
        if self.is_sharing() {
            let told = self.store.shared_down().await.ok().flatten().map(|(_, why)| why);
            *lock(&self.common.told) = told;
        }
    }

    /// From here on this process asks itself.
    pub(super) fn unhear_shared(&self) {
        *lock(&self.common.told) = None;
    }

    /// Leaves it in the store whether the shared store answers, for the other processes of this host.
    pub(super) async fn tell_shared(&self) {
        let down = self.shared_trouble().map(|why| (self.time.now(), why));
        let known = self.store.shared_down().await.ok().flatten();
        if down.is_some() != known.is_some() {
            let _ = self.store.set_shared_down(down).await;
        }
    }

    /// It has just answered: what was left in the store of its being away is over.
    pub(super) async fn shared_answers(&self) {
        if self.store.shared_down().await.ok().flatten().is_some() {
            let _ = self.store.set_shared_down(None).await;
        }
    }

    /// What keys of client libraries begin with in it.
    pub(super) fn mirror_prefix(&self) -> &str {
        self.common.settings.as_ref().map_or("", |s| s.mirror_prefix.as_str())
    }

    /// True when the configuration names one.
    pub fn is_sharing(&self) -> bool {
        self.common.settings.is_some()
    }

    async fn connect(&self, settings: &SharedStore) -> Result<Arc<dyn Shared>, Reason> {
        let secret = async |name: &str| self.store().secret_get(name).await.map_err(|e| e.reason());
        let means = Means {
            password: secret(PASSWORD).await?,
            seal: secret(SEAL).await?,
            who: self_at_host(),
            time: self.time().clone(),
            fingerprint_key: self.store().token_key().await.map_err(|e| e.reason())?,
        };
        Ok(Arc::new(Redis::new(settings, means)?))
    }
}

/// This process as others see it: `user@host[pid]`.
pub fn self_at_host() -> Clean {
    Clean::new(&format!("{}[{}]", who::user_at_host(), std::process::id()))
}
