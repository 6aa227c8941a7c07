//! A device's new token: regenerate and issue.

use super::{
    api::{Api, Device},
    leave,
    plans::{TOLD, done_with, failed, foreign, message, quit_step, read, step, token_step, unsent},
    stands::{self, NEW_TOKEN, OLD_TOKEN, Pinned, Seen, Stands},
    valid::{Problem, SLAVE, flag_name, level_name, level_number},
};
use crate::{
    domain::{Inputs, Plan, Reason, ReasonCode, Replay, Secret, StepEnd, Wall},
    i18n::{Message, wukongim_act as w},
    providers::Cx,
    store::config::WuKongIm,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

/// 256 random bits, base64url without padding.
fn new_token() -> Result<Secret, Reason> {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *bytes).map_err(|e| Reason::new(ReasonCode::Internal).raw(e.to_string()))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// Where the level of a device is kept while its row, once quit, no longer tells it.
pub(super) fn level_key(uid: &str, flag: u8) -> String {
    format!("level:{uid}/{flag}")
}

/// The level that was asked for.
pub(super) fn level_asked(given: &Inputs) -> Result<u8, Reason> {
    given.get("level").map_or(Ok(SLAVE), |typed| level_number(typed).ok_or_else(|| Problem::Level(typed.trim().to_owned()).reason()))
}

/// True when the device had a token before.
pub(super) fn had_token(plan: &Plan) -> bool {
    plan.clear["had_token"].as_bool().unwrap_or(false)
}

fn has_token(d: &Device) -> bool {
    d.token.is_some() || d.hidden
}

/// Quit, new token at the old level, read back.
pub(super) async fn regenerate(cx: &Cx, api: &Api<'_>, flag: u8, plan: &mut Plan) -> Result<(), Reason> {
    let uid = plan.target.account.as_str().to_owned();
    let settings = &cx.settings.wukongim;
    let seen = read(api, &uid).await?;
    let Some(device) = seen.of(flag) else {
        return Err(match seen.for_flag(api, flag).blind {
            // Without its level it cannot be given back.
            true => Reason::new(ReasonCode::NotInVersion).raw("level"),
            false => Reason::new(ReasonCode::NeverIssued).with("device", flag_name(settings, flag)),
        });
    };
    if plan.target.incarnation.as_deref().is_some_and(|life| !leave::is_life(device, life)) {
        return Err(foreign());
    }
    let mut told = Vec::new();
    let level = if has_token(device) { device.level } else { level_of_wiped(cx, device, &mut told).await };
    if level > 1 {
        return Err(Problem::Level(level.to_string()).reason());
    }
    if let Some(old) = &device.token {
        plan.sealed.insert(OLD_TOKEN.to_owned(), old.clone());
    }
    plan.sealed.insert(NEW_TOKEN.to_owned(), new_token()?);
    plan.clear = json!({
        "flag": flag, "level": level, "old_level": device.level, "row": row_of(device), "had_token": has_token(device),
        "conns": leave::ids(&leave::of(api, &uid, Some(flag)).await, plan), TOLD: told,
    });
    plan.steps = vec![quit_step(cx, flag), token_step(level), step("verify", message(&w::STEP_VERIFY), Replay::Free)];
    plan.loses = vec![message(&w::LOSES_TOKEN), message(&w::LOSES_SESSION)];
    Ok(())
}

/// The number of a row, where the server numbers them.
pub(super) fn row_of(device: &Device) -> Option<u64> {
    Some(device.id).filter(|id| *id != 0)
}

/// A quit sets level 1, whatever it was (wukongim 2.2.5, session_trace N): the row of a wiped device does not tell its level.
async fn level_of_wiped(cx: &Cx, device: &Device, told: &mut Vec<Message>) -> u8 {
    let say = |level: u8, from| message(&w::TOLD_LEVEL).with("level", level_name(level)).nest("from", message(from));
    let kept = cx.memo.get(&level_key(&device.uid, device.flag)).await.and_then(|v| u8::try_from(v.as_u64()?).ok());
    if let Some(level) = kept.filter(|l| *l <= 1) {
        told.push(say(level, &w::FROM_MEMORY));
        return level;
    }
    if let Some(line) = cx.settings.wukongim.plan.iter().find(|p| p.flag == device.flag) {
        told.push(say(u8::from(line.master), &w::FROM_PLAN));
        return u8::from(line.master);
    }
    device.level
}

/// A first token for a flag that has none.
pub(super) async fn issue(cx: &Cx, api: &Api<'_>, flag: u8, level: u8, plan: &mut Plan) -> Result<(), Reason> {
    let uid = plan.target.account.as_str().to_owned();
    let settings = &cx.settings.wukongim;
    let seen = read(api, &uid).await?;
    let online = api.online(&[&uid]).await?;
    let device = seen.of(flag);
    let here = online.iter().any(|o| o.uid == uid && o.flag == flag);
    if device.is_some_and(has_token) || (device.is_none() && seen.clone().for_flag(api, flag).blind && here) {
        let since = device.map_or(0, |d| d.updated_ns);
        return Err(Reason::new(ReasonCode::FlagTaken)
            .with("device", flag_name(settings, flag))
            .with("since", if since > 0 { Wall(since / 1_000_000).rfc3339() } else { "?".to_owned() })
            .with("free", free(settings, &seen).map_or_else(|| "-".to_owned(), |f| flag_name(settings, f))));
    }
    plan.sealed.insert(NEW_TOKEN.to_owned(), new_token()?);
    plan.target.incarnation = None;
    plan.clear = json!({
        "flag": flag, "level": level, "old_level": device.map(|d| d.level), "row": device.and_then(row_of), "had_token": false,
    });
    plan.steps = vec![token_step(level), step("verify", message(&w::STEP_READ_BACK), Replay::Free)];
    Ok(())
}

/// A flag without a token: of the plan first, else the lowest own one that is neither named for the server nor reserved.
fn free(settings: &WuKongIm, seen: &Seen) -> Option<u8> {
    let unused = |flag: u8| !seen.of(flag).is_some_and(has_token);
    let reserved = |flag: u8| flag == 99 || settings.reserved.iter().any(|r| (r.from..=r.to).contains(&flag));
    let planned = settings.plan.iter().map(|p| p.flag).find(|f| unused(*f));
    planned.or_else(|| (3..=u8::MAX).find(|f| unused(*f) && !reserved(*f)))
}

/// Writes the plan's token, unless somebody else wrote meanwhile.
pub(super) async fn set(api: &Api<'_>, plan: &Plan, flag: u8) -> StepEnd {
    let uid = plan.target.account.as_str();
    let pinned = Pinned::token(plan);
    let (Some(token), Some(level)) = (pinned.new, pinned.level) else { return unsent(Reason::new(ReasonCode::Internal)) };
    let now = match read(api, uid).await {
        Ok(seen) => stands::stands(&seen.for_flag(api, flag), flag, &pinned),
        Err(r) => return unsent(r),
    };
    match now {
        Stands::Ours => return StepEnd::done(),
        Stands::Old | Stands::Other => return unsent(foreign()),
        Stands::Nobody if had_token(plan) => return unsent(Reason::new(ReasonCode::Gone)),
        Stands::Nobody | Stands::Emptied | Stands::Unread => {}
    }
    match api.set_token(uid, token, flag, level).await {
        Ok(()) => StepEnd::done(),
        Err(why) => failed(why),
    }
}

/// Reads back token and level, and sees the connections go that were there before.
pub(super) async fn verify(cx: &Cx, api: &Api<'_>, plan: &Plan, flag: u8) -> StepEnd {
    let uid = plan.target.account.as_str();
    let mut told: Vec<Message> = serde_json::from_value(plan.clear[TOLD].clone()).unwrap_or_default();
    let before = leave::before(plan);
    if !before.is_empty() || plan.steps.len() > 2 {
        if let Err(why) = leave::wait(api, uid, Some(flag), &before).await {
            return unsent(why);
        }
        told.insert(0, message(&w::TOLD_REVOKED));
    }
    let seen = match read(api, uid).await {
        Ok(seen) => seen.for_flag(api, flag),
        Err(r) => return unsent(r),
    };
    match stands::stands(&seen, flag, &Pinned::token(plan)) {
        Stands::Ours => {}
        Stands::Unread => told.push(message(&w::TOLD_UNREAD)),
        Stands::Nobody | Stands::Old | Stands::Emptied | Stands::Other => return unsent(foreign()),
    }
    if api.is_v3() {
        told.push(message(&w::TOLD_UNCHECKED));
    }
    let written = seen.of(flag).map(|d| d.updated_ns).filter(|ns| *ns > 0);
    if let Some(ns) = written {
        told.push(message(&w::TOLD_SINCE).with("time", precise(ns)));
    }
    let _ = cx.memo.put(&level_key(uid, flag), json!(plan.clear["level"])).await;
    done_with(json!({ TOLD: told, "written_ns": written }))
}

/// An instant in milliseconds: a client that tries within the same second is told apart.
fn precise(ns: i64) -> String {
    let whole = Wall(ns / 1_000_000).rfc3339();
    let ms = (ns / 1_000_000).rem_euclid(1000);
    whole.strip_suffix('Z').map_or_else(|| whole.clone(), |t| format!("{t}.{ms:03}Z"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::store::config::{PlanLine, Reserved};

    #[test]
    fn a_token_has_256_bits_and_can_stand_in_a_url() {
        let (a, b) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 43);
        assert!(a.expose().bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)));
    }

    #[test]
    fn a_free_flag_is_one_of_the_plan_or_one_that_nobody_reserved() {
        let device = |flag, token: &str| Device {
            id: 1,
            uid: "u".into(),
            token: (!token.is_empty()).then(|| Secret::new(token.into())),
            hidden: false,
            flag,
            level: 0,
            created_ns: 0,
            updated_ns: 0,
        };
        let seen = |devices| Seen { devices, blind: false };
        let mut s = WuKongIm { reserved: vec![Reserved { from: 3, to: 9, what: "bots".into() }], ..WuKongIm::default() };
        assert_eq!(free(&s, &seen(vec![device(10, "t")])), Some(11));
        s.plan = vec![PlanLine { platform: "a".into(), flag: 4, master: false }, PlanLine { platform: "b".into(), flag: 5, master: true }];
        assert_eq!(free(&s, &seen(vec![device(4, "t"), device(5, "")])), Some(5), "a wiped one is free");
    }

    #[test]
    fn the_instant_of_the_write_keeps_its_milliseconds() {
        assert_eq!(precise(1_795_246_642_767_910_812), "2026-11-21T07:37:22.767Z");
    }

    #[test]
    fn only_slave_and_master_are_levels() {
        let given = |l: &str| Inputs::from([("level".into(), l.into())]);
        assert_eq!(level_asked(&Inputs::new()).unwrap(), 0);
        assert_eq!(level_asked(&given("master")).unwrap(), 1);
        assert_eq!(level_asked(&given("9")).unwrap_err().code, ReasonCode::BadTarget);
    }
}
