//! Acts on a slot: a new key of its own, wiping, restoring.
//!
//! The old key is read from the file to be compared, and never used. The new one is sealed in the journal before the operator accepts
//! it: whatever kills this process, the next one finds the key and can log it out again.

mod ends;
mod fresh;
mod left;
mod life;
pub(super) mod new_slot;
mod plan;
mod registry;
mod steps;

pub(super) use fresh::{Who, who};
pub(super) use life::life;
pub(super) use plan::{plan, plan_new};
#[cfg(test)]
pub(super) use registry::Kept;
pub(super) use registry::{Over, Remembered, end, may_be_over, over, remembered, resurrected, revoked};
pub(super) use steps::{back, check, run};

use super::{
    mtproto::AuthKey,
    setup,
    slots::{self, Seen, SlotRef, holder::Viewer},
};
use crate::{
    domain::{Op, Reason, ReasonCode, Secret, Target},
    providers::Cx,
    store::config::Account,
};
use serde::{Deserialize, Serialize};

/// Name of the new key among a plan's sealed data.
pub(super) const NEW_KEY: &str = "new_key";

/// A key that was made for a slot, as it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    /// Its data centre.
    pub(super) dc: i32,
    /// The key.
    key: String,
    /// Its first salt.
    pub(super) salt: i64,
}

impl Made {
    fn seal(dc: i32, key: &AuthKey, salt: i64) -> Secret {
        let made = Self { dc, key: key.to_secret().expose().to_owned(), salt };
        Secret::new(serde_json::to_string(&made).unwrap_or_default())
    }

    /// The key that an op made.
    pub(super) fn of(op: &Op) -> Option<(Self, AuthKey)> {
        let made: Self = serde_json::from_str(op.plan.as_ref()?.sealed.get(NEW_KEY)?.expose()).ok()?;
        let key = AuthKey::from_secret(&Secret::new(made.key.clone()))?;
        Some((made, key))
    }
}

/// What the device list shows of a new key until its worker runs: by this its row is found.
fn device_name(slot: &str, key: &AuthKey) -> String {
    let id = key.id().to_string();
    format!("{slot} by pairdeck {}", id.get(..8).unwrap_or(&id))
}

/// The slot of a target, if it names one.
pub(super) fn slot_of<'a>(cx: &'a Cx, at: &Target) -> Option<(&'a Account, SlotRef)> {
    let device = at.device.as_ref()?.as_str();
    let account = setup::account(cx, at.account.as_str()).ok()?;
    let slot = account.telegram.slots.iter().find(|s| s.name == device)?.clone();
    Some((account, SlotRef { gateway: cx.gateway.clone(), account: at.account.clone(), slot }))
}

/// The slot of an op, also where it is one that the op itself makes.
pub(super) fn slot_of_op<'a>(cx: &'a Cx, op: &Op) -> Option<(&'a Account, SlotRef)> {
    slot_of(cx, &op.target).or_else(|| {
        let new = new_slot::of(op)?;
        let account = setup::account(cx, &new.account).ok()?;
        Some((account, SlotRef { gateway: cx.gateway.clone(), account: op.target.account.clone(), slot: new_slot::slot(&new) }))
    })
}

/// Every slot of this machine's configuration, as its file stands now: those of other gateways share files and keys too.
fn everyone(cx: &Cx) -> Vec<SlotRef> {
    let mut all = slots::of(&cx.settings);
    if let Some(config) = cx.memo.configured() {
        let known: Vec<_> = all.iter().map(SlotRef::target).collect();
        all.extend(slots::all(&config.gateways).into_iter().filter(|s| !known.iter().any(|t| t.same(&s.target()))));
    }
    all
}

/// Every slot of the gateway, and the place of this one.
///
/// # Errors
/// [`ReasonCode::Gone`]: it is not configured any more.
async fn look(cx: &Cx, me: &SlotRef) -> Result<(Vec<Seen>, usize), Reason> {
    let mut all = everyone(cx);
    if !all.iter().any(|s| s.target().same(&me.target())) {
        all.push(me.clone());
    }
    let seen = tokio::task::spawn_blocking(move || slots::inspect(&all, super::session::Patience::default(), Viewer::Looker)).await;
    let seen = seen.map_err(|_| Reason::new(ReasonCode::Internal))?;
    let at = seen.iter().position(|s| s.slot.target().same(&me.target())).ok_or_else(|| Reason::new(ReasonCode::Gone))?;
    Ok((seen, at))
}
