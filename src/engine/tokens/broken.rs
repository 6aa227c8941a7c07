//! Tokens whose sealed text does not open: their rows were swapped or edited. Nobody is given one, another is fetched, and that it
//! was so is told: on the row, by `doctor`, to who asked, in the audit.

use super::{Broker, Subject};
use crate::{
    domain::{Reason, RemoteId, Target},
    engine::world::{World, lock},
    store::tokens::TokenRow,
};

impl Broker {
    /// That the token which is kept does not open, if so. The timer has another fetched, where one runs.
    pub(super) async fn found_broken(&self, subject: &Subject) -> Option<Reason> {
        let why = subject.row().await.ok()??.broken()?;
        if !subject.world.read_only && lock(&self.0.dirty).insert(subject.target.clone()) {
            self.0.changed.notify_one();
        }
        Some(why)
    }

    /// A line in the audit: the one that was kept did not open, and another one stands there now.
    pub(super) async fn mended(&self, subject: &Subject) {
        crate::engine::ops::audit(&subject.world, &subject.target, "open token", None, "did not open; fetched anew").await;
    }
}

impl World {
    /// The kept tokens of configured accounts that do not open, with what is to be done.
    pub async fn broken_tokens(&self) -> Vec<Reason> {
        let mut found = Vec::new();
        for gateway in self.gateways().iter().filter(|g| g.provider().issuer().is_some()) {
            for account in &gateway.settings.accounts {
                let id = Target::account(&gateway.id, &RemoteId::new(&account.name)).id();
                found.extend(self.store.token(&id).await.ok().flatten().as_ref().and_then(TokenRow::broken));
            }
        }
        found
    }
}
