//! Wipe, regenerate, restart, create and delete as plans, and their steps.
//!
//! A token cannot be changed: regenerate is delete and create. Everything that `find` gives back is read first and held
//! sealed in the plan, so that a kill between both loses nothing that could be read.

use super::{
    api::{Api, said},
    settings,
    wire::Instance,
};
use crate::{
    domain::{Action, Finding, Inputs, Op, Plan, Reason, ReasonCode, RemoteId, Replay, Secret, Secrets, Step, StepEnd, Target, plan::PLAN_VERSION},
    i18n::{Message, Words, evolution as w},
    providers::Cx,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Name of the new token among the plan's sealed data.
pub(super) const NEW_TOKEN: &str = "token";
/// How long a logout is given until memory says `close`.
const CLOSING: u32 = 30;
const CLOSING_EACH: Duration = Duration::from_millis(500);

fn step(id: &str, words: impl Into<Message>, replay: Replay) -> Step {
    Step { id: id.into(), words: words.into(), replay, clock: false }
}

fn message(words: &'static Words) -> Message {
    Message::new(words)
}

/// 256 random bits as text.
fn new_token() -> Result<Secret, Reason> {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *bytes).map_err(|e| Reason::new(ReasonCode::Internal).raw(e.to_string()))?;
    Ok(Secret::new(bytes.iter().map(|b| format!("{b:02X}")).collect()))
}

/// See [`crate::providers::Provider::plan`].
pub(super) async fn plan(cx: &Cx, at: &Target, action: &Action, given: Inputs) -> Result<Plan, Reason> {
    let api = Api::new(cx)?;
    if matches!(action, Action::Do(v) if &**v == "create") {
        return create(&api, at, action, &given).await;
    }
    let row = api.find(at.account.as_str()).await?.ok_or_else(|| Reason::new(ReasonCode::Gone))?;
    if at.incarnation.is_some() && row.id != at.incarnation {
        return Err(Reason::new(ReasonCode::Foreign));
    }
    let target = Target { incarnation: row.id.clone(), ..at.clone() };
    let mut plan = Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target,
        steps: Vec::new(),
        pivot: 0,
        loses: Vec::new(),
        clear: json!({}),
        sealed: Secrets::new(),
    };
    match action {
        Action::Wipe => wipe(&mut plan),
        Action::Regenerate => regenerate(&api, &row, &mut plan).await?,
        Action::Do(verb) if &**verb == "restart" => plan.steps = vec![step("restart", message(&w::STEP_RESTART), Replay::Free)],
        Action::Do(verb) if &**verb == "delete" => {
            plan.steps = vec![step("delete", message(&w::STEP_DELETE), Replay::AfterCheck)];
            plan.loses = vec![message(&w::LOSES_SESSION), message(&w::LOSES_MESSAGES), message(&w::LOSES_SETTINGS)];
        }
        Action::Pair | Action::Do(_) => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    }
    Ok(plan)
}

fn wipe(plan: &mut Plan) {
    plan.steps = vec![step("logout", message(&w::STEP_LOGOUT), Replay::AfterCheck), step("closed", message(&w::STEP_CLOSED), Replay::Free)];
    plan.loses = vec![message(&w::LOSES_SESSION)];
}

/// The plan that a pairing needs before it can go on.
pub(super) fn wipe_plan(target: Target) -> Plan {
    let mut plan = Plan {
        v: PLAN_VERSION,
        action: Action::Wipe,
        target,
        steps: Vec::new(),
        pivot: 0,
        loses: Vec::new(),
        clear: json!({}),
        sealed: Secrets::new(),
    };
    wipe(&mut plan);
    plan
}

/// Refuses a key that may not create: proven before anything is deleted.
async fn may_create(api: &Api, row: Option<&Instance>) -> Result<(), Reason> {
    let narrow = || Reason::new(ReasonCode::CredentialNarrow).with("gateway", api.http().gateway().as_str());
    if row.is_some_and(|r| r.token.as_ref() == Some(api.key())) {
        return Err(narrow());
    }
    match api.is_global().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(narrow()),
        // A server without that route: a list that holds a row whose token is another proves a global key.
        Err(r) if r.code == ReasonCode::NotFound && row.is_some_and(|r| r.token.is_some()) => Ok(()),
        Err(r) => Err(r),
    }
}

async fn regenerate(api: &Api, row: &Instance, plan: &mut Plan) -> Result<(), Reason> {
    if row.integration.as_deref().is_some_and(|i| i != "WHATSAPP-BAILEYS") {
        return Err(Reason::new(ReasonCode::ServerRefused).raw("the token of this integration is given by Meta"));
    }
    may_create(api, Some(row)).await?;
    plan.steps = vec![step("delete", message(&w::STEP_DELETE), Replay::AfterCheck), step("create", message(&w::STEP_CREATE), Replay::AfterCheck)];
    let mut kept = Vec::new();
    for kind in settings::KINDS {
        // A read that fails stops here, where nothing is lost yet.
        let Some(essence) = settings::essence(kind, &api.find_setting(kind, &row.name).await?) else { continue };
        plan.sealed.insert((*kind).to_owned(), Secret::new(Value::Object(essence).to_string()));
        plan.steps.push(step(kind, message(&w::STEP_PUT_BACK).with("what", kind), Replay::Free));
        kept.push(*kind);
    }
    plan.steps.push(step("verify", message(&w::STEP_VERIFY), Replay::Free));
    plan.sealed.insert(NEW_TOKEN.to_owned(), new_token()?);
    if let Some(old) = &row.token {
        plan.sealed.insert("old_token".to_owned(), old.clone());
    }
    plan.clear = json!({ "integration": row.integration.as_deref().unwrap_or("WHATSAPP-BAILEYS"), "number": row.number, "kept": kept });
    plan.loses = vec![message(&w::LOSES_TOKEN), message(&w::LOSES_SESSION), message(&w::LOSES_MESSAGES)];
    Ok(())
}

async fn create(api: &Api, at: &Target, action: &Action, given: &Inputs) -> Result<Plan, Reason> {
    let name = given.get("name").map_or(at.account.as_str(), |n| n.trim());
    // The server takes anything (recordings 66 and 67); names that no route or namespace can carry help nobody.
    if name.is_empty() || name.len() > 100 || name.chars().any(|c| c.is_control() || "/\\,?#%:".contains(c)) {
        return Err(Reason::new(ReasonCode::PersonNeeded).raw("name: 1 to 100 characters, none of / \\ , ? # % :"));
    }
    may_create(api, None).await?;
    if api.find(name).await?.is_some() {
        return Err(Reason::new(ReasonCode::Foreign).raw("an instance of this name is there already"));
    }
    let target = Target { account: RemoteId::new(name), device: None, incarnation: None, ..at.clone() };
    Ok(Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target,
        steps: vec![step("create", message(&w::STEP_CREATE_NEW), Replay::AfterCheck)],
        pivot: 0,
        loses: Vec::new(),
        clear: json!({ "integration": "WHATSAPP-BAILEYS" }),
        sealed: Secrets::from([(NEW_TOKEN.to_owned(), new_token()?)]),
    })
}

/// Whose row stands under the name.
enum Stands {
    Nobody,
    /// The one that was pinned when the op was armed.
    Old,
    /// The one with our new token.
    Ours,
    Other,
}

async fn stands(api: &Api, op: &Op, plan: &Plan) -> Result<Stands, Reason> {
    let Some(row) = api.find(op_name(op, plan)).await? else { return Ok(Stands::Nobody) };
    let new = plan.sealed.get(NEW_TOKEN);
    if new.is_some() && row.token.as_ref() == new {
        return Ok(Stands::Ours);
    }
    let pinned = plan.target.incarnation.as_ref().or(op.target.incarnation.as_ref());
    Ok(match pinned {
        Some(id) if row.id.as_ref() == Some(id) => Stands::Old,
        None if plan.sealed.get("old_token").is_some_and(|t| row.token.as_ref() == Some(t)) => Stands::Old,
        _ => Stands::Other,
    })
}

fn op_name<'a>(_op: &'a Op, plan: &'a Plan) -> &'a str {
    plan.target.account.as_str()
}

fn kept(plan: &Plan, kind: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(plan.sealed.get(kind)?.expose()) {
        Ok(Value::Object(m)) => Some(m),
        _ => None,
    }
}

fn foreign() -> Reason {
    Reason::new(ReasonCode::Foreign)
}

/// See [`crate::providers::Provider::check`].
pub(super) async fn check(cx: &Cx, op: &Op, step: &str) -> Finding {
    let Some(plan) = &op.plan else { return Finding::NotDone };
    match find_out(cx, op, plan, step).await {
        Ok(f) => f,
        Err(r) => Finding::CannotTell(r),
    }
}

async fn find_out(cx: &Cx, op: &Op, plan: &Plan, step: &str) -> Result<Finding, Reason> {
    let api = Api::new(cx)?;
    let name = op_name(op, plan);
    let stands = stands(&api, op, plan).await?;
    let done = |b| if b { Finding::Done } else { Finding::NotDone };
    Ok(match (step, stands) {
        ("logout" | "closed" | "restart", Stands::Nobody) => Finding::Foreign(Reason::new(ReasonCode::Gone)),
        ("delete", Stands::Nobody | Stands::Ours) => Finding::Done,
        ("create", Stands::Ours) => Finding::Done,
        ("create", Stands::Nobody) | ("delete", Stands::Old) => Finding::NotDone,
        // Deleted, and yet there: a server that answered success without doing it.
        ("create", Stands::Old) => Finding::CannotTell(Reason::new(ReasonCode::ServerRefused)),
        (_, Stands::Other) => Finding::Foreign(foreign()),
        ("logout" | "closed", _) => done(api.state(name).await?.is_none_or(|s| &*s == "close")),
        ("restart", _) => done(api.state(name).await?.is_some_and(|s| &*s != "close")),
        ("verify", Stands::Ours) => done(missing(&api, name, plan).await?.is_none()),
        (kind, Stands::Ours) => match kept(plan, kind) {
            Some(before) => done(settings::holds(kind, &before, &api.find_setting(kind, name).await?)),
            None => Finding::NotDone,
        },
        // Settings are put back on our row only.
        (_, Stands::Nobody | Stands::Old) => Finding::Foreign(foreign()),
    })
}

/// The first kind of setting that is not as it was.
async fn missing(api: &Api, name: &str, plan: &Plan) -> Result<Option<&'static str>, Reason> {
    for kind in settings::KINDS {
        let Some(before) = kept(plan, kind) else { continue };
        if !settings::holds(kind, &before, &api.find_setting(kind, name).await?) {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// See [`crate::providers::Provider::run`].
pub(super) async fn run(cx: &Cx, op: &Op, step: &str) -> StepEnd {
    let unsent = |why| StepEnd::Failed { why, sent: false };
    let Some(plan) = &op.plan else { return unsent(Reason::new(ReasonCode::Internal)) };
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return unsent(r),
    };
    let name = op_name(op, plan);
    // Never act on a namesake: a row made anew since the op was armed is somebody else's.
    let stands = match stands(&api, op, plan).await {
        Ok(s) => s,
        Err(r) => return unsent(r),
    };
    let fit = match (step, &stands) {
        ("create", Stands::Nobody) => true,
        ("create" | "delete", Stands::Ours) => return StepEnd::done(),
        ("delete", Stands::Nobody) => return StepEnd::done(),
        ("logout" | "closed" | "restart" | "delete", Stands::Old) => true,
        (_, Stands::Ours) => true,
        _ => false,
    };
    if !fit {
        return unsent(if matches!(stands, Stands::Nobody) { Reason::new(ReasonCode::Gone) } else { foreign() });
    }
    let ended = match step {
        "logout" => api.logout(name).await,
        // It sends nothing. One that stands open after that time will not close by being waited for.
        "closed" => match closed(&api, name).await {
            Ok(false) => return unsent(Reason::new(ReasonCode::Foreign).raw("logged out, and open again")),
            other => other.map(|_| ()),
        },
        "restart" => api.restart(name).await,
        "delete" => delete(&api, name).await,
        "create" => return create_step(&api, name, plan).await,
        "verify" => match missing(&api, name, plan).await {
            Ok(None) => Ok(()),
            Ok(Some(kind)) => return unsent(Reason::new(ReasonCode::ServerRefused).raw(kind)),
            Err(r) => return unsent(r),
        },
        kind => match kept(plan, kind) {
            Some(before) => api.set(kind, name, settings::body(kind, before)).await,
            None => return unsent(Reason::new(ReasonCode::Internal).raw("unknown step")),
        },
    };
    match ended {
        Ok(()) => StepEnd::done(),
        // A row that is dead or still connecting: 200 and `error: true` says that nothing was done (recording 12).
        Err(why) if step == "restart" && why.code == ReasonCode::ServerRefused => unsent(why),
        Err(why) => StepEnd::Failed { sent: may_have_acted(why.code), why },
    }
}

async fn create_step(api: &Api, name: &str, plan: &Plan) -> StepEnd {
    let Some(token) = plan.sealed.get(NEW_TOKEN) else { return StepEnd::Failed { why: Reason::new(ReasonCode::Internal), sent: false } };
    let mut body = json!({ "instanceName": name, "integration": plan.clear["integration"], "token": token.expose(), "qrcode": false });
    if let Some(n) = plan.clear["number"].as_str() {
        body["number"] = json!(n);
    }
    match api.create(body).await {
        Ok(v) => StepEnd::Done { clear: json!({ "new_id": v.pointer("/instance/instanceId") }), sealed: Secrets::new() },
        Err(why) => StepEnd::Failed { sent: may_have_acted(why.code), why },
    }
}

/// In 2.3.x a dead `open` socket makes the logout inside delete throw, with a 400: then log out apart and try once more.
async fn delete(api: &Api, name: &str) -> Result<(), Reason> {
    match api.delete(name).await {
        Err(r) if r.code == ReasonCode::Gone => Ok(()),
        Err(r) if r.code == ReasonCode::ServerRefused && !said(&r, "not connected") => {
            let _ = api.logout(name).await;
            api.delete(name).await
        }
        other => other,
    }
}

/// Waits for the end of a session that was logged out. False: somebody linked it anew at once, or the server did nothing.
async fn closed(api: &Api, name: &str) -> Result<bool, Reason> {
    for _ in 0..CLOSING {
        if api.state(name).await?.is_none_or(|s| &*s == "close") {
            return Ok(true);
        }
        tokio::time::sleep(CLOSING_EACH).await;
    }
    Ok(false)
}

/// True when a request that failed so may still have reached the server.
fn may_have_acted(code: ReasonCode) -> bool {
    !matches!(
        code,
        ReasonCode::CredentialRefused
            | ReasonCode::CredentialMissing
            | ReasonCode::NameUnknown
            | ReasonCode::PlaintextRefused
            | ReasonCode::TlsExpired
            | ReasonCode::TlsNotYetValid
            | ReasonCode::TlsWrongName
            | ReasonCode::TlsUnknownIssuer
            | ReasonCode::RateLimited
            | ReasonCode::LicenseRequired
    )
}
