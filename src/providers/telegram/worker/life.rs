//! Whether a worker's session lives: by the account's own list, never by using the worker's key.

use super::{
    super::{
        ask,
        operator::Hub,
        slots::clash,
        slots::{Seen, SlotRef},
    },
    registry::Kept,
};
use crate::{
    providers::{Cx, duty::Life},
    store::config::Account,
};

/// See [`crate::providers::Provider::life`]. Another process that has the operator's key is asked to lend it for the look. Only of a
/// key that was put there from here the session is known; of any other, no more than that the account has no session left that
/// could be its. A key that lies in several places is not called alive: the platform may end it any moment.
pub(in super::super) async fn life(hub: &Hub, cx: &Cx, account: &Account, me: &SlotRef) -> Life {
    let (seen, n) = match super::look(cx, me).await {
        Ok(found) => found,
        Err(why) => return Life::Unknown(Some(why)),
    };
    let told = match ask::surely(hub, cx, account).await {
        Ok(Some(told)) => told,
        Ok(None) => return Life::Unknown(None),
        Err(why) => return Life::Unknown(Some(why)),
    };
    let Some(key) = seen[n].key().map(|k| k.to_string()) else { return Life::Unknown(None) };
    let doubled = clash::twins(&seen).iter().any(|t| t.members.contains(&n));
    let known = known(cx, account, &seen).await;
    let listed = match known.iter().find(|(of, _)| *of == key) {
        Some((_, hash)) => told.sessions.iter().any(|s| s.hash == *hash),
        // A session that is nobody else's may be its.
        None if told.sessions.iter().any(|s| !s.current && !known.iter().any(|(_, hash)| *hash == s.hash)) => {
            return if doubled { Life::Copied } else { Life::Unknown(None) };
        }
        None => false,
    };
    match listed {
        false => Life::Dead,
        true if doubled => Life::Copied,
        true => Life::Lives,
    }
}

/// Keys that lie in slots of the account, each with its session as it was made here.
async fn known(cx: &Cx, account: &Account, seen: &[Seen]) -> Vec<(String, i64)> {
    let mut all = Vec::new();
    for slot in seen.iter().filter(|s| s.slot.gateway == cx.gateway && s.slot.account.as_str() == account.name) {
        let kept = Kept::of(cx, &account.name, &slot.slot.slot.name).await;
        if let (Some(key), Some(hash)) = (slot.key().map(|k| k.to_string()), kept.hash)
            && kept.key.as_deref() == Some(key.as_str())
        {
            all.push((key, hash));
        }
    }
    all
}
