//! Why a client cannot log in: read from the management API alone, then judged in [`judge`]. Nothing here connects as the
//! client, which would kick it or leave it silent, and nothing is written: a write to find out about a ban would be one.

mod judge;

use super::{
    api::{Api, Conn, Device, Version},
    flags::{self, Flags},
    logline,
};
use crate::{
    domain::{Reason, ReasonCode, Target, Wall},
    providers::{Claim, Cx, Diagnosis},
};
use judge::{Asked, Seen, Told};

/// Asks the server about the account, compares, and says what was found.
///
/// # Errors
/// What kept the server from being asked.
pub(super) async fn why(cx: &Cx, at: &Target, claim: &Claim) -> Result<Diagnosis, Reason> {
    let flags = Flags::new(&cx.settings.wukongim);
    let asked = asked(at, claim, &flags)?;
    let api = Api::new(cx)?;
    let uid = at.account.as_str();
    let version = api.version().await?;
    let devices = match api.devices(uid).await {
        Ok(rows) => Some(rows),
        // v1 has no list of devices. On the v3 beta it needs a login of its own, and changes nothing about the verdict.
        Err(why) if why.code == ReasonCode::NotInVersion || version == Version::V3 => None,
        Err(why) => return Err(why),
    };
    let seen = Seen {
        version,
        devices,
        // What follows only adds to the picture: without it the verdict stands.
        online: api.online(&[uid]).await.unwrap_or_default().into_iter().filter(|o| o.uid == uid).map(|o| o.flag).collect(),
        conns: api.conns(uid).await.unwrap_or_default(),
        system: api.system_uids().await.unwrap_or_default().iter().any(|s| s == uid),
    };
    Ok(judge::judge(&asked, &seen, &flags, &cx.fingerprint_key))
}

/// What was typed, read. `Err` says what cannot be.
fn asked<'a>(at: &'a Target, claim: &'a Claim, flags: &Flags<'_>) -> Result<Asked<'a>, Reason> {
    let bad = |what: String, why: &str| Reason::new(ReasonCode::BadTarget).with("what", what).with("why", why);
    let read = |slot: &str| flags.read(slot).ok_or_else(|| bad(format!("flag {slot}"), "0…255"));
    let meant = at.device.as_ref().map(|d| read(d.as_str())).transpose()?;
    let client = match (&claim.slot, &claim.sdk) {
        (Some(slot), _) => Some((read(slot)?, Told::Typed)),
        (None, Some(sdk)) => {
            let flag = flags::of_sdk(sdk).ok_or_else(|| bad(format!("sdk {sdk}"), "native, js"))?;
            Some((flag, Told::Sdk))
        }
        (None, None) => None,
    };
    let lines = claim.log.as_ref().map(logline::read);
    Ok(Asked { uid: at.account.as_str(), meant, client, token: claim.token.as_ref(), lines })
}

/// An instant of a row in ns.
fn wall(ns: i64) -> Wall {
    Wall(ns / 1_000_000)
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
