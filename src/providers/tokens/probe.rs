//! Tries a token by calls that have no effect. Never fetches one.

use super::{
    answer,
    platform::{Carry, Platform, Probe, Site},
};
use crate::{
    domain::{Clean, Reason, Secret},
    providers::{Cx, http::Call},
    store::config::Account,
};
use std::time::Duration;

/// Longest time of one call.
const LIMIT: Duration = Duration::from_secs(8);

/// How thoroughly a token is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// By the one call that costs least: whether it is a living token at all.
    Living,
    /// By the one call that tells most.
    Quick,
    /// By all.
    Whole,
}

/// Tries `token`; yields the app's name where a call tells it.
///
/// # Errors
/// What the platform has against it, or why it did not answer.
pub(super) async fn probe(platform: &Platform, cx: &Cx, account: &Account, token: &Secret, depth: Depth) -> Result<Option<Clean>, Reason> {
    let fit: Vec<&Probe> = platform.probes.iter().filter(|p| p.id.is_none() || !account.id.is_empty()).collect();
    let (skip, most) = match depth {
        Depth::Living => (0, 1),
        Depth::Quick => (fit.len().saturating_sub(1), 1),
        Depth::Whole => (0, fit.len()),
    };
    let mut name = None;
    for p in fit.into_iter().skip(skip).take(most) {
        let mut call = Call::get(p.path).within(LIMIT).cap(answer::CAP);
        if let Some(id) = p.id {
            call = call.query(id, account.id.as_str());
        }
        call = match p.carry {
            Carry::Query(under) => call.hidden(under, token.clone()),
            Carry::Bearer => call.secret("authorization", Secret::new(format!("Bearer {}", token.expose()))),
        };
        let got = cx.http.send(call, &*cx.time, &*cx.samples).await?;
        let body = answer::read(platform, Site::Use, &got, cx, &account.name)?;
        let told = p.name.and_then(|n| body.get(n)).and_then(serde_json::Value::as_str);
        name = told.map(Clean::new).or(name);
    }
    Ok(name)
}
