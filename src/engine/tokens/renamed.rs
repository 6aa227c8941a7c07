//! Tokens that lie here under a name that the configuration has no more: a gateway or an account was renamed, or taken out by hand.

use super::{Broker, Subject, hosts::Found};
use crate::{
    domain::{GatewayId, Reason, RemoteId, Target},
    engine::world::World,
    store::tokens::{KeptToken, TokenBrief},
};

/// Whose it is, where the configuration does not name it.
fn nameless(world: &World, kept: &TokenBrief) -> Option<Target> {
    let (gateway, account) = (GatewayId::new(&kept.gateway), RemoteId::new(&kept.account));
    let named = world.gateway(&gateway).is_some_and(|g| g.settings.accounts.iter().any(|a| a.name == kept.account));
    (!named).then(|| Target::account(&gateway, &account))
}

impl Broker {
    /// Takes over what was kept for the same identity under an older name: its token with the end that is known, or that it was
    /// wiped. The sealed text under the old name is gone then. True when there was something.
    pub(super) async fn inherit(&self, subject: &Subject) -> Result<bool, Reason> {
        let (world, store) = (&subject.world, &subject.world.store);
        if world.read_only {
            return Ok(false);
        }
        for old in store.token_kin(&subject.key).await.map_err(|e| e.reason())?.iter().filter_map(|kept| nameless(world, kept)) {
            let Some(mut row) = store.token(&old.id()).await.map_err(|e| e.reason())? else { continue };
            let (wiped, generation) = (row.wiped(), row.generation);
            match (row.token.take(), wiped) {
                (_, Some(at)) => store.token_wipe(&subject.key, at).await.map_err(|e| e.reason())?,
                (Some(KeptToken { text: Some(token), issued, expires, by, renewed, rejected, fingerprint, .. }), None) => {
                    self.take_over(subject, Found { token, issued, expires, generation, renewed }, by).await?;
                    if rejected {
                        store.token_rejected(&subject.key.id, &fingerprint).await.map_err(|e| e.reason())?;
                    }
                }
                _ => continue,
            }
            store.token_forget(&old.id()).await.map_err(|e| e.reason())?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Erases what is dead and that nobody can ask for by its name any more. What lives may be of another configuration of this home.
    pub(super) async fn tidy(&self, world: &World) {
        let now = world.time.now();
        for kept in world.store.tokens().await.unwrap_or_default() {
            if kept.expires.is_some_and(|at| at.left(&now).is_zero())
                && let Some(old) = nameless(world, &kept)
            {
                // What cannot be erased now is at the next start.
                let _ = world.store.token_forget(&old.id()).await;
            }
        }
    }
}
