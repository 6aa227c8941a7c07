//! Wipe: every flag's token emptied, every connection gone. `-1` would cover three flags only, so each is quit by its number.

use super::{
    api::Api,
    leave,
    plans::{TOLD, done_with, foreign, message, quit_step, read, step, unsent},
    stands::{self, Pinned, Seen, Stands},
    token::row_of,
};
use crate::{
    domain::{Finding, Plan, Reason, ReasonCode, Replay, StepEnd},
    i18n::{Message, wukongim_act as w},
    providers::Cx,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Flags that a server may hold sessions on without a row: those that its own quit of all would take.
const USUAL: [u8; 3] = [0, 1, 2];

/// The plan for one flag or for all.
pub(super) async fn wipe(cx: &Cx, api: &Api<'_>, only: Option<u8>, plan: &mut Plan) -> Result<(), Reason> {
    let uid = plan.target.account.as_str().to_owned();
    let seen = read(api, &uid).await?;
    let online = api.online(&[&uid]).await?;
    let all = || seen.devices.iter().map(|d| d.flag).chain(online.iter().filter(|o| o.uid == uid).map(|o| o.flag)).chain(USUAL);
    let flags: BTreeSet<u8> = only.map_or_else(|| all().collect(), |f| BTreeSet::from([f]));
    if let (Some(flag), Some(life)) = (only, plan.target.incarnation.as_deref())
        && seen.of(flag).is_some_and(|d| !leave::is_life(d, life))
    {
        return Err(foreign());
    }
    let mut before = Map::new();
    for device in seen.devices.iter().filter(|d| flags.contains(&d.flag)) {
        before.insert(device.flag.to_string(), json!({ "row": row_of(device), "level": device.level }));
        if let Some(token) = &device.token {
            plan.sealed.insert(format!("old:{}", device.flag), token.clone());
        }
    }
    let conns = leave::ids(&leave::of(api, &uid, only).await, plan);
    plan.clear = json!({ "flags": flags, "before": Value::Object(before), "conns": conns });
    plan.steps.extend(flags.iter().map(|f| quit_step(cx, *f)));
    plan.steps.push(step("leave", message(&w::STEP_LEAVE), Replay::Free));
    plan.steps.push(step("verify", message(&w::STEP_EMPTY), Replay::Free));
    plan.loses = if only.is_some() {
        vec![message(&w::LOSES_TOKEN), message(&w::LOSES_SESSION)]
    } else {
        vec![message(&w::LOSES_TOKENS), message(&w::LOSES_SESSIONS)]
    };
    Ok(())
}

/// Whether the quit of a flag is done.
pub(super) fn finding(seen: &Seen, plan: &Plan, flag: u8) -> Finding {
    match stands::stands(seen, flag, &Pinned::wipe(plan, flag)) {
        Stands::Other => Finding::Foreign(foreign()),
        // Quitting again changes nothing more, and its sessions may not have heard it.
        Stands::Nobody | Stands::Old | Stands::Unread | Stands::Emptied | Stands::Ours => Finding::NotDone,
    }
}

/// Reads back that no token is left.
pub(super) async fn verify(api: &Api<'_>, plan: &Plan) -> StepEnd {
    let seen = match read(api, plan.target.account.as_str()).await {
        Ok(seen) => seen,
        Err(r) => return unsent(r),
    };
    let mut told: Vec<Message> = serde_json::from_value(plan.clear[TOLD].clone()).unwrap_or_default();
    let flags: BTreeSet<u8> = serde_json::from_value(plan.clear["flags"].clone()).unwrap_or_default();
    let whole = plan.target.device.is_none();
    for device in seen.devices.iter().filter(|d| whole || flags.contains(&d.flag)) {
        match stands::stands(&seen, device.flag, &Pinned::wipe(plan, device.flag)) {
            Stands::Emptied | Stands::Nobody => {}
            Stands::Old => return unsent(Reason::new(ReasonCode::ServerRefused).raw(format!("flag {} still has its token", device.flag))),
            Stands::Unread => return unsent(Reason::new(ReasonCode::ServerRefused).raw(format!("flag {} still has a token", device.flag))),
            // Issued while we wiped: somebody else's doing, shown rather than overwritten.
            Stands::Ours | Stands::Other => return unsent(foreign().raw(format!("flag {}", device.flag))),
        }
    }
    if seen.blind {
        told.push(message(&w::TOLD_UNREAD));
    }
    if plan.steps.iter().any(|s| &*s.id == "ban") {
        told.push(message(&w::TOLD_HARD));
    }
    done_with(json!({ TOLD: told }))
}
