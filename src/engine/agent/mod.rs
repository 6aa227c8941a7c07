//! The agent: hands tokens to other programs of the same user, over a socket, as long as this process watches.
//!
//! One line of JSON in, one line out, several times over one connection. The answer is the document that
//! `pairdeck token --format json` prints, or `{"v":1,"error":{…}}`.

#[cfg(test)]
mod hostile_tests;
mod paper;
#[cfg(unix)]
mod socket;
#[cfg(all(test, unix))]
mod tests;

pub use paper::{Document, Refusal, Request};
#[cfg(unix)]
pub(super) use socket::serve;

use super::{names::Unresolved, world::World};
use crate::{
    domain::{Fingerprint, ReasonCode},
    providers::token::{Ask, Tokens},
};
use std::{sync::Arc, time::Duration};

/// Answers one request in this process.
///
/// # Errors
/// Why there is no token.
pub async fn answer(world: &Arc<World>, request: &Request) -> Result<Document, Refusal> {
    let target = world.token_target(&request.target).await.map_err(|why| match why {
        Unresolved::Unknown => Refusal::Unknown,
        Unresolved::Malformed => Refusal::Malformed,
        Unresolved::Ambiguous(ids) => Refusal::Ambiguous(ids),
    })?;
    let other = |w: &String| world.gateway(&target.gateway).is_none_or(|g| *w != super::tokens::whose(&g.settings, target.account.as_str()));
    if request.whose.as_ref().is_some_and(other) {
        return Err(Refusal::Unknown);
    }
    let key = world.tokens().print_key(world).await;
    let ask = request.ask(&key);
    let given = world.tokens().obtain(&target, ask).await.map_err(|why| match why.code {
        ReasonCode::NothingCached if request.read_only => Refusal::Reason(crate::domain::Reason::new(ReasonCode::ReadOnly)),
        _ => Refusal::Reason(why),
    })?;
    let (kind, form) = world.gateway(&target.gateway).map_or(("", ""), |g| (g.spec.kind, g.provider.issuer().map_or("", |i| i.token_type())));
    Ok(Document::new(&target, kind, form, given, &world.time().now()))
}

impl Request {
    /// What it asks of the owner of tokens.
    pub fn ask(&self, fingerprint_key: &[u8; 32]) -> Ask {
        let of_text = self.rejected_token.as_ref().map(|t| Fingerprint::of(fingerprint_key, t));
        Ask {
            rejected: of_text.or_else(|| self.rejected.clone()),
            min_life: Duration::from_secs(self.min_ttl),
            strict: self.strict,
            cached_only: self.no_fetch || self.read_only,
            renew: None,
            any_clock: self.allow_clock_skew,
            refused_too: false,
            proven: false,
            past_pause: false,
        }
    }
}
