//! What a person who looks at a token is told of it: who fetched, when, what came of it, what was seen of others, what stands against
//! the next request, and where copies lie. Read only; no platform is asked.

use super::{Broker, Subject, ident::name, learn::soon, storm};
use crate::{
    domain::{Reason, Target},
    store::tokens::{FetchLine, Hold, Recent},
};

/// What is told of one token besides what its row shows. Kept and counted, nothing guessed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenTale {
    /// The last ten minutes, instant by instant.
    pub recent: Recent,
    /// The attempts of this host, newest first.
    pub lines: Vec<FetchLine>,
    /// What stands against the next request.
    pub hold: Option<Hold>,
    /// That somebody else holds the secret, or clients loop, as far as that was seen.
    pub storm: Option<Reason>,
    /// A copy lies in the store of this host.
    pub here: bool,
    /// Whether one lies in the store that hosts share, or why that could not be learnt. `None`: nothing is shared.
    pub shared: Option<Result<bool, Reason>>,
    /// Names of the layouts of client libraries that the shared store is to hold copies in.
    pub mirrors: Vec<&'static str>,
}

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
    async fn copy(&self, subject: &Subject) -> Option<Result<bool, Reason>> {
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
