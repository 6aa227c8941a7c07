//! What a person who looks at a token is told of it: who fetched, when, what came of it, what was seen of others, what stands against
//! the next request, and where copies lie. Read only; no platform is asked.

use super::{Broker, Subject, ident::name, learn::soon, storm};
use crate::{domain::Target, engine::mailbox::TokenTale};

/// Lines of the history that are told.
const LINES: usize = 50;

impl Broker {
    /// What is told of the token of `at`. `None`: its kind issues none, or the store cannot be read.
    pub(in crate::engine) async fn tale(&self, at: &Target) -> Option<TokenTale> {
        let subject = self.subject(at).ok()?;
        let (store, id, now) = (&subject.world.store, &subject.key.id, subject.world.time.now());
        let row = subject.row().await.ok()?;
        let account = subject.gateway.settings.accounts.iter().find(|a| a.name == subject.target.account.as_str());
        Some(TokenTale {
            recent: store.token_recent(id, now).await.ok()?,
            lines: store.token_log(id, LINES).await.ok()?,
            storm: row.as_ref().and_then(storm::of),
            here: row.as_ref().is_some_and(|r| r.token.is_some()),
            hold: row.and_then(|r| r.hold).filter(|h| h.stands(&now)),
            shared: self.copy(&subject).await,
            mirrors: account.map(|a| a.mirror.iter().map(|m| m.name()).collect()).unwrap_or_default(),
        })
    }

    /// Whether a copy lies in the store that hosts share.
    async fn copy(&self, subject: &Subject) -> Option<Result<bool, crate::domain::Reason>> {
        let shared = match self.connect(&subject.world).await? {
            Ok(shared) => shared,
            Err(why) => return Some(Err(why)),
        };
        if let Some(why) = self.known_down(&subject.world).await {
            return Some(Err(why));
        }
        Some(soon(shared.get(&name(subject))).await.map(|found| found.is_some()))
    }
}
