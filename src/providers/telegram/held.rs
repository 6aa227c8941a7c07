//! Accounts whose key another process works with: their rows are the ones that the watching process keeps.

use super::{
    SPEC, listed,
    operator::{Hub, right_of},
    rows::is_session,
    worker::{end, may_be_over},
};
use crate::{
    domain::{Fact, FactValue, ReasonCode, Row, State},
    i18n::telegram as w,
    providers::Cx,
    store::config::Account,
};
use std::time::Duration;

/// Between two readings of a watch that is well.
const LATE: Duration = Duration::from_secs(30);

/// The account's row and those of its sessions as they are kept. `fresh`: only if who has the key read them lately. `None`: there are
/// none that tell anything. Of the `slots`, which are read from their files here, those are marked whose session the account did not
/// list any more when it was read: a file cannot tell that.
pub(super) async fn rows(hub: &Hub, cx: &Cx, account: &Account, fresh: bool, slots: &mut [Row]) -> Option<Vec<Row>> {
    let mut by = None;
    if fresh {
        let name = right_of(hub.operator(cx, &account.name)?.key.id());
        let holder = cx.memo.holder(&name)?;
        holder.well.filter(|ago| *ago <= SPEC.poll_unseen + LATE)?;
        by = Some(holder.who);
    }
    let kept = cx.memo.kept_rows().await;
    for slot in slots.iter_mut().filter(|s| s.incarnation.is_some() && may_be_over(s)) {
        let same = |r: &&Row| r.target() == slot.target() && r.incarnation == slot.incarnation;
        let revoked = |r: &&Row| r.link.reason.as_ref().is_some_and(|why| why.code == ReasonCode::SessionRevoked);
        if let Some(ended) = kept.iter().filter(same).find(revoked) {
            end(slot, ended.link.clone());
        }
    }
    for slot in slots.iter_mut().filter(|s| s.incarnation.is_some()) {
        if let Some(same) = kept.iter().find(|r| r.target() == slot.target() && r.incarnation == slot.incarnation) {
            listed::copy(same, slot);
        }
    }
    let mut own: Vec<Row> = kept.into_iter().filter(|r| r.account.as_str() == account.name).filter(|r| r.device.is_none() || is_session(r)).collect();
    // The account before its sessions.
    own.sort_by_key(|r| r.device.is_some());
    if let Some(row) = own.first_mut() {
        // Whose reading it is, and of when: the one who reads may hang.
        row.facts.retain(|f| !matches!(f.key, "read_by" | "read_at"));
        if let (Some(who), Some(at)) = (by, row.link.observed_at) {
            row.facts.push(Fact { key: "read_by", label: &w::FACT_READ_BY, value: FactValue::Text(who) });
            row.facts.push(Fact { key: "read_at", label: &w::FACT_READ_AT, value: FactValue::At(at) });
        }
    }
    own.first().filter(|r| tells(r)).is_some().then_some(own)
}

fn tells(row: &Row) -> bool {
    let elsewhere = row.link.reason.as_ref().is_some_and(|r| r.code == ReasonCode::OtherHolder);
    row.device.is_none() && row.link.state != State::Unknown && row.link.observed_at.is_some() && !elsewhere
}
