//! Keys of the operator's that the servers called dead: ended by the phone, or by a second connection. They are of no use to anybody,
//! so they do not stay sealed until the next login, as after a log-out from here.

use super::{
    memo::{self, Ended},
    operator::{Hub, Operator},
    setup,
};
use crate::{
    domain::{Reason, ReasonCode},
    providers::{Cx, token::account_secret},
    store::config::Account,
};

/// What the audit calls it.
const FORGET: &str = "forget key";

/// True for an end that the servers told in answer to a call with that very key. A server that does not know the key at all says so
/// without one: it may be the wrong server.
fn is_final(why: &Reason) -> bool {
    let ended = matches!(why.code, ReasonCode::LoggedOut | ReasonCode::SessionDuplicated);
    let by_call = |raw: &str| raw.starts_with("401 ") || raw.starts_with("406 ");
    ended && why.raw.as_ref().is_some_and(|raw| by_call(raw.as_str()))
}

/// Forgets the account's sealed key where the servers have ended its session. Why it ended is remembered first, so that a process that
/// is killed in between leaves a key that nobody uses, and the next one forgets it. A key of a later login stays.
pub(super) async fn dead(hub: &Hub, cx: &Cx, account: &Account) {
    let name = account_secret(&account.name, setup::OPERATOR);
    let Ok(Some(lies)) = cx.memo.sealed(&name).await else { return };
    let Some(key) = Operator::from_secret(&lies).map(|o| o.key.id()) else { return };
    let told = match memo::end_of(cx, &account.name, key).await {
        // The log-out's own last step takes it away.
        Some(Ended::Here(_)) => return,
        Some(Ended::There { why, .. }) => why,
        None => {
            let Some(why) = hub.why_dead(cx, &account.name, key).filter(is_final) else { return };
            let ended = Ended::There { key: key.to_string(), why: why.clone() };
            if memo::end(cx, &account.name, &ended).await.is_err() {
                return;
            }
            why
        }
    };
    if matches!(cx.memo.forget(&name, &lies).await, Ok(true)) {
        hub.forgotten(cx, &account.name, key);
        let outcome = told.raw.as_ref().map_or_else(|| told.code.name(), |raw| raw.as_str());
        cx.memo.audit(&account.name, FORGET, outcome).await;
    }
}
