//! What an ask is about: whose token, of which platform, and what lies here of it.

use super::storm;
use crate::{
    domain::{Reason, ReasonCode, Target},
    engine::world::{Gateway, World},
    providers::token::{Became, Given, Held, Origin},
    store::tokens::{KeptToken, TokenKey, TokenRow},
};
use std::sync::Arc;

/// What an ask is about, looked up once.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) world: Arc<World>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) target: Target,
    pub(super) key: TokenKey,
}

impl Subject {
    /// Accounts of such gateways are those that the configuration names.
    pub(super) fn is_configured(&self) -> bool {
        self.gateway.settings.accounts.iter().any(|a| a.name == self.target.account.as_str())
    }

    /// What fingerprints of tokens are made with here.
    pub(super) async fn token_key(&self) -> Result<[u8; 32], Reason> {
        self.world.store.token_key().await.map_err(|e| e.reason())
    }

    /// What is kept, as far as it is of the identity that is configured now.
    pub(super) async fn row(&self) -> Result<Option<TokenRow>, Reason> {
        let row = self.world.store.token(&self.key.id).await.map_err(|e| e.reason())?;
        if row.as_ref().is_some_and(|r| r.token.is_some() && r.key.whose.is_empty()) && !self.world.read_only {
            // What cannot be noted counts on as before.
            let _ = self.world.store.token_whose(&self.key).await;
        }
        Ok(row.map(|r| r.of(&self.key.whose)))
    }

    /// Hands a row's token out.
    pub(super) fn give(&self, row: Option<TokenRow>, origin: Origin, became: Option<Became>) -> Result<Given, Reason> {
        let mut row = row.ok_or(Reason::new(ReasonCode::NothingCached))?;
        let text = row.token.as_mut().and_then(|t| t.text.take());
        let held = self.held(&row).ok_or(Reason::new(ReasonCode::NothingCached))?;
        let token = text.ok_or_else(|| self.world.why_shut())?;
        Ok(Given { token, held, origin, became })
    }

    /// What is shown of a row's token.
    pub(super) fn held(&self, row: &TokenRow) -> Option<Held> {
        let KeptToken { fingerprint, length, issued, expires, by, rejected, .. } = row.token.as_ref()?;
        let storm = storm::of(row);
        Some(Held {
            fingerprint: fingerprint.clone(),
            length: *length,
            generation: row.generation,
            issued: *issued,
            expires: *expires,
            by: by.clone(),
            rejected: *rejected,
            trouble: row.trouble.clone().or_else(|| self.world.tokens.shared().and_then(|s| s.down())),
            fetches: row.fetches,
            storm,
            signs: row.signs.clone(),
        })
    }
}
