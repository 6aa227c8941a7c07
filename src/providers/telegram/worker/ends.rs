//! The last step of a slot's plans: its former sessions are ended by the operator.

use super::{
    super::{
        act,
        mtproto::{Error, tl::functions as f},
        operator::Hub,
        slots::SlotRef,
    },
    registry::Kept,
    steps::{clear, failed, keep},
};
use crate::{
    domain::{Op, StepEnd},
    providers::Cx,
    store::config::Account,
};
use serde_json::Value;

/// Name in a plan's clear data of the sessions that it ends.
pub(super) const ENDS: &str = "ends";

/// The sessions that the plan ends: that of the file's key, and that of a key which the file had and nobody has any more.
pub(super) fn to_end(op: &Op) -> Vec<i64> {
    match clear(op, ENDS) {
        Some(all) => serde_json::from_value(all.clone()).unwrap_or_default(),
        // A plan of an older pairdeck knew one.
        None if super::left::is_left(op) => Vec::new(),
        None => clear(op, "old_hash").and_then(Value::as_i64).into_iter().collect(),
    }
}

/// The worker's former sessions, by the hashes that were remembered when their keys were made. What cannot be done yet is remembered
/// too, so that the slot's row tells it.
pub(super) async fn end_old(hub: &Hub, cx: &Cx, op: &Op, account: &Account, me: &SlotRef) -> StepEnd {
    let spared = Kept::of(cx, &account.name, &me.slot.name).await.spared;
    let mut end = StepEnd::done();
    for hash in to_end(op).into_iter().filter(|h| !spared.contains(h)) {
        match end_one(hub, cx, account, me, hash).await {
            StepEnd::Done { .. } => {}
            // Each is tried, and each that waits is remembered.
            later @ StepEnd::Later { .. } => end = later,
            other => return other,
        }
    }
    end
}

async fn end_one(hub: &Hub, cx: &Cx, account: &Account, me: &SlotRef, hash: i64) -> StepEnd {
    let line = match hub.line(cx, account).await {
        Ok(line) => line,
        Err(why) => return failed(why, false),
    };
    let end = match line.conn.invoke(&f::account::ResetAuthorization { hash }).await {
        Ok(_) => StepEnd::done(),
        Err(e) if e.name() == Some("HASH_INVALID") => StepEnd::done(),
        Err(e) if e.name() == Some(act::FRESH) => act::later(hub, cx, account, &e).await,
        Err(e) => failed(hub.refused(cx, &account.name, line.conn.key(), &e), !matches!(e, Error::Rpc { .. })),
    };
    let from = if let StepEnd::Later { not_before, .. } = &end { Some(not_before.0 / 1000) } else { None };
    if from.is_some() || matches!(end, StepEnd::Done { .. }) {
        // A fact of the row: the journal has it as well.
        let _ = keep(cx, account, me, |k| k.owe(hash, from)).await;
    }
    end
}
