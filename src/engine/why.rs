//! Questions about a client that answer without touching anything: why it cannot log in, what is wrong with what it uses.

use super::world::{Gateway, World};
use crate::{
    domain::{Reason, ReasonCode, Row, Target},
    providers::{Claim, DiagLine, Diagnosis, SlotTable},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Longest that the questions of one diagnosis may take together.
const LIMIT: Duration = Duration::from_secs(20);

/// Why a client of that target cannot log in. `None`: its kind has nothing to compare.
///
/// # Errors
/// What kept the gateway from being asked.
pub async fn why(world: &Arc<World>, target: &Target, claim: &Claim) -> Result<Option<Diagnosis>, Reason> {
    let told = |why: Reason| why.with("gateway", target.gateway.as_str());
    let gateway = world.gateway(&target.gateway).ok_or_else(|| told(Reason::new(ReasonCode::Gone)))?;
    if world.locked() && !gateway.spec.secrets.is_empty() {
        return Err(told(world.why_shut()));
    }
    if !gateway.has_secrets() {
        return Err(told(Reason::new(ReasonCode::CredentialMissing)));
    }
    let cx = world.cx(&gateway, CancellationToken::new())?;
    tokio::time::timeout(LIMIT, gateway.provider.why(&cx, target, claim)).await.unwrap_or_else(|_| Err(told(Reason::new(ReasonCode::Slow))))
}

/// Which slots an account's devices occupy and should occupy, from rows as last observed. `None`: its kind has no slots.
pub fn slots(world: &World, account: &Row, devices: &[Row]) -> Option<SlotTable> {
    let gateway = world.gateway(&account.gateway)?;
    gateway.provider.slots(&gateway.settings, account, devices)
}

/// What is wrong with what a client is about to use; nobody is asked. `None`: its kind has no such rules.
pub fn lint(gateway: &Gateway, target: &Target, claim: &Claim) -> Option<Vec<DiagLine>> {
    gateway.provider.lint(&gateway.settings, target, claim)
}
