//! What can be done to a bot: load it anew, switch it on and off, write a credential that a QR flow gave.

use super::{
    api::{self, Api},
    logs, qr, restarts,
    rows::{ADAPTER, REFUSED},
    watch::{MAY_MANAGE, MAY_PAIR},
};
use crate::{
    domain::{
        Action, Effect, FactValue, Finding, Inputs, Not, Op, Plan, Reason, ReasonCode, Replay, Row, Secret, Secrets, State, Step, StepEnd, Target,
        Tier, plan::PLAN_VERSION,
    },
    i18n::{Message, Words, langbot as w},
    providers::{Cx, GatewayFacts},
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Name of the new settings among a plan's sealed data.
const SETTINGS: &str = "settings";
/// How long a bot is given to say in its log what is wrong.
const LISTEN: (u32, Duration) = (3, Duration::from_secs(1));

/// What an action comes to here: a bot forgets its token when it is loaded anew and fetches another with its next send, so that a wipe
/// is a restart, and so is the regeneration of a token that its log calls refused.
fn verb(action: &Action) -> &str {
    match action {
        Action::Wipe | Action::Regenerate => "restart",
        Action::Do(verb) => verb,
        other => other.name(),
    }
}

/// See [`crate::providers::Provider::can`].
pub(super) fn can(row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
    let allowed = possible(row, action)?;
    let lacks = |key: &str| facts.figures.iter().any(|f| f.key == key && f.value == FactValue::Flag(false));
    let narrow = || Reason::new(ReasonCode::CredentialNarrow).with("gateway", row.gateway.as_str());
    if lacks(MAY_MANAGE) {
        return Err(Not::Trouble(narrow().with("needs", "scope").with("scope", api::MANAGE)));
    }
    if *action == Action::Pair && lacks(MAY_PAIR) {
        return Err(Not::Trouble(narrow().with("needs", "login")));
    }
    Ok(allowed)
}

/// What the row as such allows.
fn possible(row: &Row, action: &Action) -> Result<Effect, Not> {
    let not_now = |words: &'static Words| Err(Not::NotNow(Message::new(words)));
    let never = |words: &'static Words| Err(Not::Unsupported(Message::new(words)));
    let effect = |tier, says: &'static Words, loses: &[&'static Words]| {
        Ok(Effect { tier, loses: loses.iter().map(|l| Message::new(l)).collect(), says: Message::new(says), restorable: false })
    };
    let disabled = row.link.state == State::Disabled;
    let adapter = row.facts.iter().find_map(|f| match &f.value {
        FactValue::Text(t) if f.key == ADAPTER => Some(t.as_str()),
        _ => None,
    });
    match action {
        Action::Pair if adapter.is_some_and(|a| qr::flow(a).is_none()) => never(&w::NOT_PAIR),
        Action::Pair => effect(Tier::Now, &w::SAYS_PAIR, &[&w::LOSES_CREDENTIAL]),
        Action::Regenerate if disabled => not_now(&w::NOT_DISABLED),
        Action::Regenerate if !row.facts.iter().any(|f| f.key == REFUSED) => not_now(&w::NOT_REGENERATE),
        Action::Regenerate => effect(Tier::Swift, &w::SAYS_REGENERATE, &[&w::LOSES_LOG]),
        Action::Wipe | Action::Do(_) => match verb(action) {
            "restart" if disabled => not_now(&w::NOT_DISABLED),
            "restart" => effect(Tier::Swift, &w::SAYS_WIPE, &[&w::LOSES_LOG]),
            "enable" if disabled => effect(Tier::Swift, &w::SAYS_ENABLE, &[]),
            "enable" => not_now(&w::NOT_ENABLED),
            "disable" if disabled => not_now(&w::NOT_DISABLED),
            "disable" => effect(Tier::Swift, &w::SAYS_DISABLE, &[&w::LOSES_LOG]),
            _ => never(&w::NOT_VERB),
        },
    }
}

fn step(id: &str, words: &'static Words, replay: Replay) -> Step {
    Step { id: id.into(), words: Message::new(words), replay, clock: false }
}

fn plan_of(action: Action, target: Target, steps: Vec<Step>, loses: &[&'static Words]) -> Plan {
    let loses = loses.iter().map(|l| Message::new(l)).collect();
    Plan { v: PLAN_VERSION, action, target, steps, pivot: 0, loses, clear: json!({}), sealed: Secrets::new() }
}

/// Keeps a credential, which committing the plan does, and writes it into the bot's settings. The server gives it once, so that the
/// first step is the pivot: from there on only forwards.
pub(super) fn write_plan(at: &Target, found: Map<String, Value>) -> Plan {
    let keep = step("keep", &w::STEP_KEEP, Replay::Free);
    let steps = vec![keep, step("write", &w::STEP_WRITE, Replay::AfterCheck), step("loaded", &w::STEP_VERIFY, Replay::Free)];
    let mut plan = plan_of(Action::Pair, at.clone(), steps, &[&w::LOSES_CREDENTIAL]);
    plan.sealed.insert(SETTINGS.to_owned(), Secret::new(Value::Object(found).to_string()));
    plan
}

/// See [`crate::providers::Provider::plan`].
pub(super) async fn plan(cx: &Cx, at: &Target, action: &Action, _given: Inputs) -> Result<Plan, Reason> {
    let api = Api::new(cx)?;
    let bot = api.bot(at.account.as_str()).await?;
    let target = Target { incarnation: Some(bot.uuid.clone()), ..at.clone() };
    let (steps, loses): (_, &[&'static Words]) = match verb(action) {
        "restart" => (vec![step("restart", &w::STEP_RESTART, Replay::Free), step("loaded", &w::STEP_VERIFY, Replay::Free)], &[&w::LOSES_LOG]),
        "enable" => (vec![step("enable", &w::STEP_ENABLE, Replay::Free), step("loaded", &w::STEP_VERIFY, Replay::Free)], &[]),
        "disable" => (vec![step("disable", &w::STEP_DISABLE, Replay::Free)], &[&w::LOSES_LOG]),
        _ => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    };
    Ok(plan_of(action.clone(), target, steps, loses))
}

fn settings(op: &Op) -> Option<Map<String, Value>> {
    serde_json::from_str(op.plan.as_ref()?.sealed.get(SETTINGS)?.expose()).ok()
}

/// See [`crate::providers::Provider::check`].
pub(super) async fn check(cx: &Cx, op: &Op, step: &str) -> Finding {
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return Finding::CannotTell(r),
    };
    let uuid = op.target.account.as_str();
    let enabled = async || api.bot(uuid).await.map(|b| b.enable);
    let found = match step {
        "write" => match settings(op) {
            Some(new) => api.config(uuid).await.map(|now| new.iter().all(|(k, v)| now.get(k) == Some(v))),
            None => Ok(false),
        },
        "enable" => enabled().await,
        "disable" => enabled().await.map(|on| !on),
        "keep" => Ok(settings(op).is_some()),
        // Whether a bot was loaded anew cannot be seen; doing it twice costs another empty log.
        _ => Ok(false),
    };
    match found {
        Ok(true) => Finding::Done,
        Ok(false) => Finding::NotDone,
        Err(r) => Finding::CannotTell(r),
    }
}

/// See [`crate::providers::Provider::run`].
pub(super) async fn run(cx: &Cx, op: &Op, step: &str) -> StepEnd {
    let failed = |why: Reason, sent| StepEnd::Failed { why, sent };
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return failed(r, false),
    };
    let uuid = op.target.account.as_str();
    let part = match step {
        // Only what touches the runtime loads it anew; `{}` or a name does not (recordings 35, 36).
        "restart" | "enable" => json!({ "enable": true }),
        "disable" => json!({ "enable": false }),
        "write" => {
            let Some(new) = settings(op) else { return failed(Reason::new(ReasonCode::Internal), false) };
            let mut config = match api.config(uuid).await {
                Ok(config) => config,
                Err(r) => return failed(r, false),
            };
            config.extend(new);
            json!({ "adapter_config": config, "enable": true })
        }
        "loaded" => return loaded(cx, &api, uuid).await,
        "keep" => return StepEnd::done(),
        _ => return failed(Reason::new(ReasonCode::Internal), false),
    };
    match api.change(uuid, &part).await {
        // Nothing is loaded then, so nothing is to be said of it.
        Ok(_) if step == "disable" => StepEnd::done(),
        Ok(at) => {
            restarts::note(cx, uuid, at).await;
            StepEnd::done()
        }
        // Refused before anything was touched: a second try would be refused as well.
        Err(r) => {
            let sent = !matches!(r.code, ReasonCode::CredentialRefused | ReasonCode::CredentialNarrow | ReasonCode::Gone | ReasonCode::WrongAddress);
            failed(r, sent)
        }
    }
}

/// Reads what the bot says of itself after it was loaded: its log is new, so that every line in it is news. A silent log proves that it
/// was loaded and nothing more: how its next send goes is told by its row, when that leaves a line.
async fn loaded(cx: &Cx, api: &Api<'_>, uuid: &str) -> StepEnd {
    let since = restarts::last(cx, uuid).await;
    let mut away = false;
    for n in 0..LISTEN.0 {
        tokio::time::sleep(LISTEN.1).await;
        let why = match api.log(uuid, logs::LINES).await {
            // Its log begins anew with it (recording 18 after 16): an older line says that it was not loaded.
            Ok((lines, _)) if since.is_some_and(|at| lines.iter().any(|l| logs::at(l).0 + logs::CLOCK_MS < at.0)) => {
                Some(Reason::new(ReasonCode::ServerRefused).raw("its log is the old one"))
            }
            Ok((lines, now)) => logs::judge(&lines, now).reason,
            Err(r) => Some(r),
        };
        away = why.as_ref().is_some_and(|why| why.code == ReasonCode::PlatformUnavailable);
        match why {
            // The platform may be away for other reasons; that is no fault of the restart.
            Some(why) if why.code != ReasonCode::PlatformUnavailable => return StepEnd::Failed { why, sent: false },
            _ if n + 1 == LISTEN.0 => break,
            _ => {}
        }
    }
    let told = vec![Message::new(if away { &w::TOLD_AWAY } else { &w::TOLD_LOADED })];
    StepEnd::Done { clear: json!({ "told": told }), sealed: Secrets::new() }
}
