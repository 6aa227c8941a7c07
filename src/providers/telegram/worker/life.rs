//! Whether a worker's session lives: by the account's own list, never by using the worker's key.

use super::{
    super::{ask, operator::Hub, slots::SlotRef, slots::clash},
    registry::Kept,
};
use crate::{
    providers::{Cx, duty::Life},
    store::config::Account,
};

/// See [`crate::providers::Provider::life`]. Only of a key that was put there from here the session is known. A key that lies in several
/// places is not called alive: the platform may end it any moment.
pub(in super::super) async fn life(hub: &Hub, cx: &Cx, account: &Account, me: &SlotRef) -> Life {
    let (seen, n) = match super::look(cx, me).await {
        Ok(found) => found,
        Err(why) => return Life::Unknown(Some(why)),
    };
    let Some(key) = seen[n].key() else { return Life::Unknown(None) };
    let kept = Kept::of(cx, &account.name, &me.slot.name).await;
    let told = match ask::one(hub, cx, account).await.1 {
        Ok((_, Some(told))) => told,
        Ok((_, None)) => return Life::Unknown(None),
        Err(why) => return Life::Unknown(Some(why)),
    };
    let Some(hash) = kept.hash.filter(|_| kept.key.as_deref() == Some(key.to_string().as_str())) else { return Life::Unknown(None) };
    let doubled = clash::twins(&seen).iter().any(|t| t.members.contains(&n));
    match told.sessions.iter().any(|s| s.hash == hash) {
        false => Life::Dead,
        true if doubled => Life::Unknown(None),
        true => Life::Lives,
    }
}
