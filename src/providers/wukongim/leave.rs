//! Connections that should go: seen to leave, kicked when they stay.
//!
//! The server keeps a connection in its lists for 2 s after it asked the peer to leave, and never closes the socket (wukongim
//! 2.2.5, session_trace R, Z): what is seen here is that the server's state lets go of it.

use super::{
    api::{Api, Conn, Device, Version},
    plans::{TOLD, conn_ids, done_with, failed, message, step, unsent},
    stands::{may_be, must_be},
    valid::flag_name,
};
use crate::{
    domain::{Plan, Reason, ReasonCode, Replay, StepEnd},
    i18n::{Message, wukongim_act as w},
    providers::Cx,
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// Between two looks.
const EACH: Duration = Duration::from_millis(500);
/// Looks before what stays is kicked: more than the 2 s of grace.
const PATIENT: u32 = 7;
/// Looks in all.
const LOOKS: u32 = 14;

/// True when `life` names this row: by its number or by the instant at which it was made.
pub(super) fn is_life(device: &Device, life: &str) -> bool {
    life.split(['-', ':', '@']).any(|part| part == device.id.to_string() || part == device.created_ns.to_string())
}

/// Connections of an account, or those that may be of one flag. None where the server does not list them.
pub(super) async fn of(api: &Api<'_>, uid: &str, flag: Option<u8>) -> Vec<Conn> {
    let mut conns = api.conns(uid).await.unwrap_or_default();
    conns.retain(|c| flag.is_none_or(|f| may_be(c, f)));
    conns
}

/// Their ids, with those that the plan knows already.
pub(super) fn ids(conns: &[Conn], plan: &Plan) -> BTreeSet<u64> {
    before(plan).into_iter().chain(conn_ids(conns)).collect()
}

/// The connections that a plan knows from before.
pub(super) fn before(plan: &Plan) -> BTreeSet<u64> {
    plan.clear["conns"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).collect()
}

/// Waits until none of the connections from before is listed any more, and kicks what stays.
///
/// # Errors
/// `ConnUnclear` when it is not told which of several is meant, `ServerRefused` when they stay, or what kept it from being seen.
pub(super) async fn wait(api: &Api<'_>, uid: &str, flag: Option<u8>, before: &BTreeSet<u64>) -> Result<(), Reason> {
    let mut unclear = false;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(EACH).await;
        }
        let online = api.online(&[uid]).await?;
        let mine = |f: u8| flag.is_none_or(|flag| flag == f);
        if !online.iter().any(|o| o.uid == uid && mine(o.flag)) {
            return Ok(());
        }
        let conns = match api.conns(uid).await {
            Ok(conns) => conns,
            // Only the list of who is online is there: it goes on until the flag is not.
            Err(r) if matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing) => continue,
            Err(r) => return Err(r),
        };
        let (left, new): (Vec<&Conn>, Vec<&Conn>) = conns.iter().filter(|c| flag.is_none_or(|f| may_be(c, f))).partition(|c| before.contains(&c.id));
        // Online by a connection of its own that was not there before. Without any, another node of a cluster has it.
        if left.is_empty() && !new.is_empty() {
            return Ok(());
        }
        if look < PATIENT || !(look - PATIENT).is_multiple_of(4) {
            continue;
        }
        for conn in left {
            if flag.is_none_or(|f| must_be(conn, f, &online)) {
                api.kick(conn).await?;
            } else {
                unclear = true;
            }
        }
    }
    Err(if unclear {
        unclear_reason(flag.map_or_else(String::new, |f| f.to_string()))
    } else {
        Reason::new(ReasonCode::ServerRefused).raw("a connection stays listed")
    })
}

fn unclear_reason(device: String) -> Reason {
    Reason::new(ReasonCode::ConnUnclear).with("device", device)
}

/// The plan of a kick: the token stays.
pub(super) async fn kick(cx: &Cx, api: &Api<'_>, flag: Option<u8>, plan: &mut Plan) -> Result<(), Reason> {
    let uid = plan.target.account.as_str().to_owned();
    let version = api.version().await?;
    if !matches!(version, Version::V2 { kick: true, .. }) {
        return Err(Reason::new(ReasonCode::NotInVersion).with("gateway", cx.gateway.as_str()).raw(version.shown().as_str()));
    }
    let online = api.online(&[&uid]).await?;
    let mut conns = api.conns(&uid).await?;
    conns.retain(|c| flag.is_none_or(|f| may_be(c, f)));
    if let Some(flag) = flag {
        if !online.iter().any(|o| o.uid == uid && o.flag == flag) {
            conns.clear();
        }
        if conns.iter().any(|c| !must_be(c, flag, &online)) {
            return Err(unclear_reason(flag_name(&cx.settings.wukongim, flag)));
        }
    }
    if conns.is_empty() {
        return Err(Reason::new(ReasonCode::NotOnline));
    }
    plan.clear = json!({ "conns": conn_ids(&conns) });
    plan.steps = vec![step("kick", message(&w::STEP_KICK), Replay::Free), step("leave", message(&w::STEP_LEAVE), Replay::Free)];
    Ok(())
}

/// Kicks the plan's connections now (`kick`), or sees them go.
pub(super) async fn leave(api: &Api<'_>, plan: &Plan, flag: Option<u8>, now: bool) -> StepEnd {
    let uid = plan.target.account.as_str();
    let mut known = before(plan);
    if now {
        let conns = match api.conns(uid).await {
            Ok(conns) => conns,
            Err(r) => return unsent(r),
        };
        for conn in conns.iter().filter(|c| known.contains(&c.id)) {
            if let Err(why) = api.kick(conn).await {
                return failed(why);
            }
        }
        return StepEnd::done();
    }
    // After a kick clients may come back at once, with new connections. A wipe means whoever came in between its quits too.
    if plan.steps.iter().any(|s| s.id.starts_with("quit:")) {
        known.extend(conn_ids(&of(api, uid, flag).await));
    }
    match wait(api, uid, flag, &known).await {
        Ok(()) => {
            let mut told: Vec<Message> = serde_json::from_value(plan.clear[TOLD].clone()).unwrap_or_default();
            // A kick revokes nothing: the same token is good for the next login.
            if !plan.steps.iter().any(|s| &*s.id == "kick") {
                told.insert(0, message(&w::TOLD_REVOKED));
            }
            done_with(json!({ TOLD: told }))
        }
        Err(why) => unsent(why),
    }
}
