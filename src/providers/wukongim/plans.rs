//! Wipe, regenerate, issue, kick and the send ban as plans; which step is whose. Nothing here is sent by itself: the engine
//! journals a step before it runs it, and asks its check before it is repeated.
//!
//! Regenerate is quit, then set the new token at the *old* level (a quit sets level 1), then read back. The server takes
//! every quit with success, heard or not, so nothing is believed that was not read back.

use super::{
    api::{Api, Conn},
    business, leave, stands,
    stands::{Pinned, Seen, Stands},
    token,
    valid::{BUILT_IN, Problem, flag_name, flag_number, level_name, valid},
    wipe,
};
use crate::{
    domain::{Action, Finding, Inputs, Op, Plan, Reason, ReasonCode, RemoteId, Replay, Secrets, Step, StepEnd, Target, plan::PLAN_VERSION},
    i18n::{Message, Words, wukongim_act as w},
    providers::Cx,
};
use serde_json::{Value, json};

/// Key in a plan's clear data of sentences to tell when it is done.
pub(super) const TOLD: &str = "told";

pub(super) fn step(id: impl Into<Box<str>>, words: impl Into<Message>, replay: Replay) -> Step {
    Step { id: id.into(), words: words.into(), replay, clock: false }
}

pub(super) fn message(words: &'static Words) -> Message {
    Message::new(words)
}

pub(super) fn unsent(why: Reason) -> StepEnd {
    StepEnd::Failed { why, sent: false }
}

pub(super) fn done_with(clear: Value) -> StepEnd {
    StepEnd::Done { clear, sealed: Secrets::new() }
}

pub(super) fn foreign() -> Reason {
    Reason::new(ReasonCode::Foreign)
}

pub(super) fn empty(target: Target, action: &Action) -> Plan {
    Plan { v: PLAN_VERSION, action: action.clone(), target, steps: Vec::new(), pivot: 0, loses: Vec::new(), clear: json!({}), sealed: Secrets::new() }
}

/// All that the server tells of a uid's devices.
pub(super) async fn read(api: &Api<'_>, uid: &str) -> Result<Seen, Reason> {
    match api.devices(uid).await {
        Ok(devices) => Ok(Seen { devices, blind: false }),
        // v1 lists none at all.
        Err(r) if r.code == ReasonCode::NotInVersion => Ok(Seen { devices: Vec::new(), blind: true }),
        Err(r) => Err(r),
    }
}

impl Seen {
    /// The same for one flag: a v3 lists the flags only that it has a name for.
    pub(super) fn for_flag(mut self, api: &Api<'_>, flag: u8) -> Self {
        self.blind |= api.is_v3() && !BUILT_IN.iter().any(|(_, f)| *f == flag);
        self
    }
}

/// The flag of a target: a number, or a name that was not resolved yet.
fn flag_of(cx: &Cx, at: &Target) -> Result<Option<u8>, Reason> {
    let Some(device) = &at.device else { return Ok(None) };
    let number = flag_number(&cx.settings.wukongim, device.as_str());
    number.map(Some).ok_or_else(|| Problem::Flag(device.as_str().to_owned()).reason())
}

/// Refuses what cannot work, before anything is sent. What the server holds for its own is asked for; a server that does
/// not tell keeps nothing else from being checked.
async fn refuse_bad(api: &Api<'_>, uid: &str, flag: Option<u8>, level: Option<u8>) -> Result<(), Reason> {
    let system = api.system_uids().await.unwrap_or_default();
    let problems = valid(uid, flag.map(i64::from), level.map(i64::from), None, &system);
    problems.iter().find(|p| p.forbids()).map_or(Ok(()), |p| Err(p.reason()))
}

/// See [`crate::providers::Provider::plan`].
pub(super) async fn plan(cx: &Cx, at: &Target, action: &Action, given: Inputs) -> Result<Plan, Reason> {
    let api = Api::new(cx)?;
    let uid = at.account.as_str();
    let flag = flag_of(cx, at)?;
    let verb = match action {
        Action::Do(verb) => &**verb,
        other => other.name(),
    };
    // Wiping and kicking a strange uid harms nobody; giving it a token does.
    match verb {
        "issue" => {
            let level = token::level_asked(&given)?;
            refuse_bad(&api, uid, flag, Some(level)).await?;
        }
        "regenerate" | "hard-wipe" => refuse_bad(&api, uid, flag, None).await?,
        _ if uid.is_empty() => return Err(Problem::UidEmpty.reason()),
        _ => {}
    }
    let at = Target { device: flag.map(|f| RemoteId::new(&f.to_string())), ..at.clone() };
    let mut plan = empty(at, action);
    match (verb, flag) {
        ("regenerate", Some(flag)) => token::regenerate(cx, &api, flag, &mut plan).await?,
        ("issue", Some(flag)) => token::issue(cx, &api, flag, token::level_asked(&given)?, &mut plan).await?,
        ("issue" | "regenerate", None) => return Err(Problem::Flag(String::new()).reason()),
        ("wipe", flag) => wipe::wipe(cx, &api, flag, &mut plan).await?,
        ("hard-wipe", None) => {
            plan.steps.push(step("ban", message(&w::STEP_BAN), Replay::Free));
            wipe::wipe(cx, &api, None, &mut plan).await?;
            plan.loses.push(message(&w::LOSES_SENDING));
        }
        ("allow-sending", None) => plan.steps.push(step("allow", message(&w::STEP_ALLOW), Replay::Free)),
        ("kick", flag) => leave::kick(cx, &api, flag, &mut plan).await?,
        _ => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    }
    if !plan.loses.is_empty() && business::owns(&cx.settings.wukongim, uid) {
        plan.loses.push(message(&w::LOSES_BUSINESS));
    }
    Ok(plan)
}

/// The step that empties a flag's token.
pub(super) fn quit_step(cx: &Cx, flag: u8) -> Step {
    let name = flag_name(&cx.settings.wukongim, flag);
    step(format!("quit:{flag}"), message(&w::STEP_QUIT).with("flag", name), Replay::Free)
}

/// The step that writes the new token.
pub(super) fn token_step(level: u8) -> Step {
    step("token", message(&w::STEP_TOKEN).with("level", level_name(level)), Replay::AfterCheck)
}

/// The flag of a step `quit:N`.
fn quit_of(step: &str) -> Option<u8> {
    step.strip_prefix("quit:")?.parse().ok()
}

/// The flag of a plan that is about one device.
pub(super) fn only_flag(plan: &Plan) -> Option<u8> {
    plan.target.device.as_ref()?.as_str().parse().ok()
}

fn makes_token(plan: &Plan) -> bool {
    plan.sealed.contains_key(stands::NEW_TOKEN)
}

/// See [`crate::providers::Provider::check`].
pub(super) async fn check(cx: &Cx, op: &Op, step: &str) -> Finding {
    let Some(plan) = &op.plan else { return Finding::NotDone };
    match find_out(cx, plan, step).await {
        Ok(f) => f,
        Err(r) => Finding::CannotTell(r),
    }
}

async fn find_out(cx: &Cx, plan: &Plan, step: &str) -> Result<Finding, Reason> {
    let api = Api::new(cx)?;
    let uid = plan.target.account.as_str();
    if let Some(flag) = quit_of(step).filter(|_| !makes_token(plan)) {
        return Ok(wipe::finding(&read(&api, uid).await?.for_flag(&api, flag), plan, flag));
    }
    match (step, only_flag(plan)) {
        ("token" | "verify", Some(flag)) if makes_token(plan) => {
            let seen = read(&api, uid).await?.for_flag(&api, flag);
            Ok(stands::finding(step, stands::stands(&seen, flag, &Pinned::token(plan)), token::had_token(plan)))
        }
        (quit, Some(flag)) if quit_of(quit).is_some() => {
            let seen = read(&api, uid).await?.for_flag(&api, flag);
            Ok(stands::finding("quit", stands::stands(&seen, flag, &Pinned::token(plan)), token::had_token(plan)))
        }
        // Looking again, kicking again and saying the same of sending again change nothing more.
        _ => Ok(Finding::NotDone),
    }
}

/// See [`crate::providers::Provider::run`].
pub(super) async fn run(cx: &Cx, op: &Op, step: &str) -> StepEnd {
    let Some(plan) = &op.plan else { return unsent(Reason::new(ReasonCode::Internal)) };
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return unsent(r),
    };
    let uid = plan.target.account.as_str();
    if let Some(flag) = quit_of(step) {
        return quit(cx, &api, plan, flag).await;
    }
    match (step, only_flag(plan)) {
        ("token", Some(flag)) => token::set(&api, plan, flag).await,
        ("verify", Some(flag)) if makes_token(plan) => token::verify(cx, &api, plan, flag).await,
        ("verify", _) => wipe::verify(&api, plan).await,
        ("kick" | "leave", flag) => leave::leave(&api, plan, flag, step == "kick").await,
        ("ban" | "allow", _) => match api.send_ban(uid, step == "ban").await {
            // Both bans stand in one record that is written whole (wukongim 2.2.5, recording channel_info_send_ban).
            Ok(()) => done_with(json!({ TOLD: [message(&w::TOLD_ONE_RECORD)] })),
            Err(why) => failed(why),
        },
        _ => unsent(Reason::new(ReasonCode::Internal).raw("unknown step")),
    }
}

/// Empties one flag's token, and believes it only when it is read back.
async fn quit(cx: &Cx, api: &Api<'_>, plan: &Plan, flag: u8) -> StepEnd {
    let uid = plan.target.account.as_str();
    let ours = makes_token(plan);
    let pinned = if ours { Pinned::token(plan) } else { Pinned::wipe(plan, flag) };
    let now = match read(api, uid).await {
        Ok(seen) => stands::stands(&seen.for_flag(api, flag), flag, &pinned),
        Err(r) => return unsent(r),
    };
    match now {
        Stands::Ours => return StepEnd::done(),
        Stands::Other => return unsent(foreign()),
        Stands::Nobody if ours => return unsent(Reason::new(ReasonCode::Gone)),
        Stands::Nobody | Stands::Old | Stands::Emptied | Stands::Unread => {}
    }
    if let (Stands::Old, Some(level)) = (now, pinned.old_level) {
        // The quit overwrites the level: what it was is needed when the device is given a token again.
        let _ = cx.memo.put(&token::level_key(uid, flag), json!(level)).await;
    }
    match api.quit(uid, flag).await {
        // v3 reports that there is nothing to quit; v2 swallows it.
        Err(r) if now == Stands::Nobody && !r.code.passes() => return StepEnd::done(),
        Err(why) => return failed(why),
        Ok(()) => {}
    }
    let after = match read(api, uid).await {
        Ok(seen) => stands::stands(&seen.for_flag(api, flag), flag, &pinned),
        Err(why) => return StepEnd::Failed { why, sent: true },
    };
    match after {
        Stands::Old => StepEnd::Failed { why: Reason::new(ReasonCode::ServerRefused).raw("the token is still there"), sent: true },
        Stands::Other => StepEnd::Failed { why: foreign(), sent: true },
        // Nobody can log in with an empty token: whoever is listed now was there before.
        _ if ours => done_with(json!({ "conns": leave::ids(&leave::of(api, uid, Some(flag)).await, plan) })),
        _ => StepEnd::done(),
    }
}

/// A change that failed: whether it may have reached the server.
pub(super) fn failed(why: Reason) -> StepEnd {
    let refused = matches!(
        why.code,
        ReasonCode::CredentialRefused
            | ReasonCode::CredentialMissing
            | ReasonCode::NameUnknown
            | ReasonCode::PlaintextRefused
            | ReasonCode::TlsExpired
            | ReasonCode::TlsNotYetValid
            | ReasonCode::TlsWrongName
            | ReasonCode::TlsUnknownIssuer
            | ReasonCode::RateLimited
            | ReasonCode::Banned
            | ReasonCode::BadTarget
            | ReasonCode::NotFound
            | ReasonCode::NotInVersion
    );
    StepEnd::Failed { sent: !refused, why }
}

/// Ids of connections as they stand in a plan.
pub(super) fn conn_ids(conns: &[Conn]) -> Vec<u64> {
    conns.iter().map(|c| c.id).collect()
}
