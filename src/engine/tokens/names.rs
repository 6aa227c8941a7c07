//! Which account somebody means who asks for a token.

use super::super::{names::Unresolved, world::World};
use crate::domain::{GatewayId, RemoteId, Target, ids::TargetName};

impl World {
    /// The account that an operator means whose gateway issues tokens: configured, listed, or once asked for. Nobody is asked.
    ///
    /// # Errors
    /// Nothing, or several things, of that name.
    pub async fn token_target(&self, typed: &str) -> Result<Target, Unresolved> {
        let wanted = TargetName::parse(typed).ok_or(Unresolved::Malformed)?;
        let mut known: Vec<Target> = Vec::new();
        let issuing: Vec<_> = self.gateways().into_iter().filter(|g| g.provider.issuer().is_some()).collect();
        for gateway in &issuing {
            known.extend(gateway.settings.accounts.iter().map(|a| Target::account(&gateway.id, &RemoteId::new(&a.name))));
        }
        known.extend(self.rows().iter().map(|r| Target::account(&r.gateway, &r.account)));
        let kept = self.store.tokens().await.unwrap_or_default();
        known.extend(kept.iter().map(|t| Target::account(&GatewayId::new(&t.gateway), &RemoteId::new(&t.account))));
        known.retain(|t| issuing.iter().any(|g| g.id == t.gateway));
        let fits = |gateway: Option<&str>, account: &str| -> Vec<Target> {
            let mut found: Vec<Target> =
                known.iter().filter(|t| gateway.is_none_or(|g| t.gateway.as_str() == g) && t.account.as_str() == account).cloned().collect();
            found.sort_by_key(Target::id);
            found.dedup();
            found
        };
        let mut found = if wanted.device.is_none() { fits(wanted.gateway.as_deref(), &wanted.account) } else { Vec::new() };
        if found.is_empty() {
            found = fits(None, typed);
        }
        match found.len() {
            0 => Err(Unresolved::Unknown),
            1 => found.pop().ok_or(Unresolved::Unknown),
            _ => Err(Unresolved::Ambiguous(found.iter().map(Target::id).collect())),
        }
    }
}
