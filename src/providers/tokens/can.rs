//! What can be done to a row as it stands. Pure: reads the cached row only.

use super::platform::Platform;
use crate::{
    domain::{Action, Effect, Not, ReasonCode, Row, Tier},
    i18n::{Message, Words, wecom as w},
    providers::{RETRY, token::Rotate},
};

/// See [`crate::providers::Provider::can`].
///
/// # Errors
/// Why it cannot be done here and now.
pub(super) fn can(platform: &Platform, row: &Row, action: &Action) -> Result<Effect, Not> {
    let effect = |tier, says: &'static Words, loses: &[&'static Words]| {
        Ok(Effect { tier, loses: loses.iter().map(|l| Message::new(l)).collect(), says: Message::new(says), restorable: false })
    };
    let missing = row.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::CredentialMissing);
    match action {
        Action::Pair => Err(Not::Unsupported(Message::new(&w::NOT_PAIR))),
        Action::Regenerate if missing => Err(Not::NotNow(Message::new(&w::NOT_SECRET))),
        Action::Regenerate => match platform.rules.rotate {
            Rotate::ByHand => effect(Tier::Swift, &w::SAYS_SAME, &[]),
            Rotate::Api { .. } => effect(Tier::Swift, &w::SAYS_ROTATE, &[&w::LOSES_OLD]),
        },
        // Where hosts share tokens, the copy there may be the only one: nobody is asked for it here, so it can always be cleared.
        Action::Wipe if row.tokens.is_empty() && !row.facts.iter().any(|f| f.key == super::rows::SHARED) => {
            Err(Not::NotNow(Message::new(&w::NOT_CACHED)))
        }
        Action::Wipe => effect(Tier::Swift, &w::SAYS_WIPE, &[&w::LOSES_CACHED]),
        Action::Do(verb) if &**verb == "secret" => effect(Tier::Now, &w::SAYS_SECRET, &[]),
        Action::Do(verb) if &**verb == RETRY && missing => Err(Not::NotNow(Message::new(&w::NOT_SECRET))),
        Action::Do(verb) if &**verb == RETRY => {
            if row.facts.iter().any(|f| matches!(f.key, super::rows::PAUSED | super::rows::PAUSED_UNTIL)) {
                effect(Tier::Hold, &w::SAYS_RETRY, &[&w::LOSES_PAUSE])
            } else {
                Err(Not::NotNow(Message::new(&w::NOT_PAUSED)))
            }
        }
        Action::Do(_) => Err(Not::Unsupported(Message::new(&w::NOT_VERB))),
    }
}
