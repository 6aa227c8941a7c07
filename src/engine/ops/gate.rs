//! The clock gate before a step that says it depends on clocks: a key that is made under a wrong clock is a login that fails.

use super::super::world::{Gateway, World};
use crate::domain::{Inputs, Plan, Reason, ReasonCode};
use serde_json::Value;
use std::sync::Arc;

/// Input by which a person goes on in spite of the clocks, and the same in a plan's clear data.
const CONSENT: &str = "~clock";
const GIVEN: &str = "allowed";

/// Adds a person's consent to what an action is given: it covers that one op and is written to the audit.
pub fn allow_clock(inputs: &mut Inputs) {
    inputs.insert(CONSENT.into(), GIVEN.into());
}

/// Takes the consent out of what a provider is given. True when it was there.
pub(super) fn take_consent(inputs: &mut Inputs) -> bool {
    inputs.remove(CONSENT).is_some_and(|v| &*v == GIVEN)
}

/// Journals the consent with the plan: a resumed op has it too.
pub(super) fn consent(plan: &mut Plan) {
    plan.clear[CONSENT] = Value::from(GIVEN);
}

/// Asks the gate; the gateway is asked for its time where what is known is old. `Some`: nothing may be sent.
pub(super) async fn blocked(world: &Arc<World>, gateway: &Arc<Gateway>, plan: Option<&Plan>) -> Option<Reason> {
    if plan.is_some_and(|p| p.clear.get(CONSENT).and_then(Value::as_str) == Some(GIVEN)) {
        return None;
    }
    let ask = || super::super::clock::ask(world.clone(), gateway.clone(), None);
    if world.gate.is_old(&gateway.id) {
        // One that does not answer is told by the step itself.
        let _ = ask().await;
    }
    if let Some(wait) = world.gate.doubt(&gateway.id) {
        tokio::time::sleep(wait).await;
        let _ = ask().await;
    }
    let refused = world.gate.may_start(&gateway.id, &crate::clock::gate::Consent::default()).is_err();
    refused.then(|| Reason::new(ReasonCode::ClockBlocked).with("gateway", gateway.id.as_str()))
}
