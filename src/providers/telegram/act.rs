//! Acts on an account's sessions: end one, end all others, log out, confirm, and how long idle ones live.

use super::{
    KeyId,
    ask::remote,
    fail,
    memo::{self, Ended},
    mtproto::{Error, tl::functions as f},
    operator::{Hub, Operator},
    rows::Remote,
    setup,
};
use crate::{
    domain::{Action, Finding, Inputs, Op, Plan, Reason, ReasonCode, Replay, Secrets, Step, StepEnd, Target, Wall, plan::PLAN_VERSION},
    i18n::{Message, Words, telegram as w},
    providers::{Cx, token::account_secret},
};
use serde_json::{Value, json};

/// Name of the input of verb `ttl`.
pub(super) const DAYS: &str = "days";
/// The step that ends the operator's own session.
const LOG_OUT: &str = "log-out";
const HASH: &str = "hash";
/// Name in a plan's clear data of the key that is logged out: whoever logs in anew before a killed log-out is finished keeps the new one.
const KEY: &str = "key";
/// The step after a log-out that takes the key's sealed form out of the store.
const FORGET: &str = "forget";

fn step(id: &str, words: &'static Words) -> Step {
    Step { id: id.into(), words: Message::new(words), replay: Replay::AfterCheck, clock: false }
}

/// See [`crate::providers::Provider::plan`].
pub(super) async fn plan(hub: &Hub, cx: &Cx, at: &Target, action: &Action, given: Inputs) -> Result<Plan, Reason> {
    let account = setup::account(cx, at.account.as_str())?;
    let verb = match action {
        Action::Do(verb) => &**verb,
        other => other.name(),
    };
    let mut plan = Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target: at.clone(),
        steps: Vec::new(),
        pivot: 0,
        loses: Vec::new(),
        clear: json!({}),
        sealed: Secrets::new(),
    };
    let (line, told) = remote(hub, cx, account).await?;
    if let (None, "wipe") = (&at.device, verb) {
        plan.clear = json!({ KEY: line.conn.key().to_string() });
        plan.steps.push(step(LOG_OUT, &w::STEP_LOGOUT));
        plan.steps.push(Step { replay: Replay::Free, ..step(FORGET, &w::STEP_FORGET_KEY) });
        plan.loses.push(Message::new(&w::LOSES_OWN));
        return Ok(plan);
    }
    let told = told.ok_or_else(|| Reason::new(ReasonCode::NotInVersion).raw("a bot"))?;
    if verb != "confirm"
        && let Some(from) = told.ends_others_from()
    {
        return Err(not_yet(from));
    }
    match (verb, &at.device) {
        ("wipe" | "confirm", Some(device)) => {
            let found = told.session(device.as_str()).ok_or_else(|| Reason::new(ReasonCode::Gone))?;
            let same = at.incarnation.as_deref().is_none_or(|i| i == found.date_created.to_string());
            if found.current || !same {
                return Err(Reason::new(ReasonCode::Foreign));
            }
            plan.clear = json!({ HASH: found.hash });
            if verb == "wipe" {
                plan.steps.push(step("end", &w::STEP_END));
                plan.loses.push(Message::new(&w::LOSES_SESSION));
            } else {
                plan.steps.push(step("confirm", &w::STEP_CONFIRM));
            }
        }
        ("end-others", None) => {
            plan.steps.push(step("others", &w::STEP_OTHERS));
            plan.loses.push(Message::new(&w::LOSES_OTHERS));
        }
        ("ttl", None) => {
            let days = given.get(DAYS).and_then(|d| d.trim().parse::<i32>().ok()).filter(|d| (1..=366).contains(d));
            let typed = given.get(DAYS).map_or("?", |d| d.trim());
            let days = days.ok_or_else(|| Reason::new(ReasonCode::BadTarget).with("what", typed).with("why", "1 … 366"))?;
            plan.clear = json!({ DAYS: days });
            plan.steps.push(step("ttl", &w::STEP_TTL));
        }
        _ => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    }
    Ok(plan)
}

fn not_yet(from_s: i64) -> Reason {
    Reason::new(ReasonCode::NotYet).with("time", Wall(from_s.saturating_mul(1000)).rfc3339())
}

fn clear<'a>(op: &'a Op, name: &str) -> Option<&'a Value> {
    op.plan.as_ref()?.clear.get(name)
}

/// True when this is not the key that is to be logged out: somebody has logged in since.
fn is_other(op: &Op, key: KeyId) -> bool {
    clear(op, KEY).and_then(Value::as_str).is_some_and(|planned| planned != key.to_string())
}

/// The key that lies sealed in the store now, which need not be the one that this process was started with.
async fn sealed(cx: &Cx, account: &str) -> Result<Option<Operator>, Reason> {
    Ok(cx.memo.sealed(&account_secret(account, setup::OPERATOR)).await?.as_ref().and_then(Operator::from_secret))
}

/// Takes the sealed key of a session that is logged out from the store; that it was logged out from here is remembered first.
async fn forget(cx: &Cx, op: &Op) -> Result<(), Reason> {
    let account = op.target.account.as_str();
    let Some(key) = clear(op, KEY).and_then(Value::as_str) else { return Ok(()) };
    let name = account_secret(account, setup::OPERATOR);
    let Some(lies) = cx.memo.sealed(&name).await? else { return memo::end(cx, account, &Ended::Here(key.to_owned())).await };
    if Operator::from_secret(&lies).is_some_and(|o| is_other(op, o.key.id())) {
        return Ok(());
    }
    memo::end(cx, account, &Ended::Here(key.to_owned())).await?;
    cx.memo.forget(&name, &lies).await.map(drop)
}

async fn is_forgotten(cx: &Cx, op: &Op) -> Result<bool, Reason> {
    let account = op.target.account.as_str();
    let ended = memo::ended(cx, account).await;
    Ok(match sealed(cx, account).await? {
        Some(operator) => is_other(op, operator.key.id()),
        None => ended.as_ref().map(Ended::key) == clear(op, KEY).and_then(Value::as_str),
    })
}

/// See [`crate::providers::Provider::check`].
pub(super) async fn check(hub: &Hub, cx: &Cx, op: &Op, step: &str) -> Finding {
    if step == FORGET {
        return match is_forgotten(cx, op).await {
            Ok(true) => Finding::Done,
            Ok(false) => Finding::NotDone,
            Err(why) => Finding::CannotTell(why),
        };
    }
    if step == LOG_OUT && hub.operator(cx, op.target.account.as_str()).is_some_and(|o| is_other(op, o.key.id())) {
        return Finding::Done;
    }
    let told = match setup::account(cx, op.target.account.as_str()) {
        Ok(account) => remote(hub, cx, account).await.map(|(_, remote)| remote),
        Err(why) => return Finding::CannotTell(why),
    };
    let told = match told {
        // Our own session is gone: that is what was wanted.
        Err(why) if step == LOG_OUT && matches!(why.code, ReasonCode::LoggedOut | ReasonCode::Wiped) => {
            if let Some(key) = clear(op, KEY).and_then(Value::as_str) {
                // By us, and not by the phone. Without it only the words are wrong.
                let _ = memo::end(cx, op.target.account.as_str(), &Ended::Here(key.to_owned())).await;
            }
            return Finding::Done;
        }
        Err(why) => return Finding::CannotTell(why),
        Ok(None) => return Finding::NotDone,
        Ok(Some(told)) => told,
    };
    if is_done(op, step, &told) { Finding::Done } else { Finding::NotDone }
}

fn is_done(op: &Op, step: &str, told: &Remote) -> bool {
    let hash = clear(op, HASH).and_then(Value::as_i64);
    let session = told.sessions.iter().find(|s| !s.current && Some(s.hash) == hash);
    match step {
        "end" => session.is_none(),
        "confirm" => session.is_none_or(|s| !s.unconfirmed),
        "others" => told.sessions.iter().all(|s| s.current),
        "ttl" => clear(op, DAYS).and_then(Value::as_i64) == Some(i64::from(told.ttl_days)),
        _ => false,
    }
}

/// See [`crate::providers::Provider::run`].
pub(super) async fn run(hub: &Hub, cx: &Cx, op: &Op, step: &str) -> StepEnd {
    let failed = |why: Reason, sent| StepEnd::Failed { why, sent };
    let internal = || failed(Reason::new(ReasonCode::Internal), false);
    if step == FORGET {
        return forget(cx, op).await.map_or_else(|why| failed(why, false), |()| StepEnd::done());
    }
    let account = match setup::account(cx, op.target.account.as_str()) {
        Ok(account) => account,
        Err(why) => return failed(why, false),
    };
    let line = match hub.line(cx, account).await {
        Ok(line) => line,
        Err(why) => return failed(why, false),
    };
    let hash = clear(op, HASH).and_then(Value::as_i64);
    let told = match (step, hash) {
        (LOG_OUT, _) if is_other(op, line.conn.key()) => return StepEnd::done(),
        (LOG_OUT, _) => line.conn.invoke(&f::auth::LogOut {}).await.map(|_| true),
        ("end", Some(hash)) => line.conn.invoke(&f::account::ResetAuthorization { hash }).await,
        ("others", _) => line.conn.invoke(&f::auth::ResetAuthorizations {}).await,
        ("confirm", Some(hash)) => {
            let call =
                f::account::ChangeAuthorizationSettings { confirmed: true, hash, encrypted_requests_disabled: None, call_requests_disabled: None };
            line.conn.invoke(&call).await
        }
        ("ttl", _) => match clear(op, DAYS).and_then(Value::as_i64).and_then(|d| i32::try_from(d).ok()) {
            Some(authorization_ttl_days) => line.conn.invoke(&f::account::SetAuthorizationTtl { authorization_ttl_days }).await,
            None => return internal(),
        },
        _ => return internal(),
    };
    match told {
        Ok(true) => {
            if step == LOG_OUT {
                hub.ended(cx, &account.name, &line);
                // Without it the next process hears from the server that the key is dead.
                let _ = memo::end(cx, &account.name, &Ended::Here(line.conn.key().to_string())).await;
            }
            StepEnd::done()
        }
        Ok(false) => failed(Reason::new(ReasonCode::ServerRefused), true),
        // Gone already: somebody ended it in between.
        Err(e) if step == "end" && e.name() == Some("HASH_INVALID") => StepEnd::done(),
        Err(e) if e.name() == Some(FRESH) => later(hub, cx, account, &e).await,
        Err(e) => failed(hub.refused(cx, &account.name, line.conn.key(), &e), !matches!(e, Error::Rpc { .. })),
    }
}

/// What the server answers on a session's first day.
pub(super) const FRESH: &str = "FRESH_RESET_AUTHORISATION_FORBIDDEN";

/// When it will be allowed, by the list's own word.
pub(super) async fn later(hub: &Hub, cx: &Cx, account: &crate::store::config::Account, error: &Error) -> StepEnd {
    let from = match remote(hub, cx, account).await {
        Ok((line, Some(told))) => told.ends_others_from().unwrap_or_else(|| line.conn.server_now().hi_ms / 1000 + 3600),
        _ => return StepEnd::Failed { why: fail::at(cx, error), sent: false },
    };
    StepEnd::Later { not_before: Wall(from.saturating_mul(1000)), why: not_yet(from) }
}
