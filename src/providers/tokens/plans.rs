//! What an operator can do to an account, as plans of one step each: ask again, forget, take a new secret.
//!
//! A token is fetched and forgotten by its owner alone; the platform is asked here only to try a secret before it replaces
//! another.

use super::{
    fetch, look,
    platform::{Platform, SECRET},
};
use crate::{
    domain::{
        Action, Answer, Finding, Fingerprint, Op, Plan, Prompt, PromptKind, Reason, ReasonCode, Replay, Secrets, Step, StepEnd, Target,
        plan::PLAN_VERSION, row::TokenSemantics,
    },
    i18n::{Message, wecom as w},
    providers::{
        Cx, RETRY,
        token::{Ask, Became, Given, Renew, RenewWish, Rotate},
    },
};
use serde_json::json;

/// Key in a plan's clear data of the sentences that are said once it is done.
const TOLD: &str = "told";
/// Key in a plan's clear data of the fingerprint of the secret that was there.
const SECRET_PRINT: &str = "secret_fp";
/// Name in a plan's sealed part of the token that was fetched.
const NEW_TOKEN: &str = "token";

/// See [`crate::providers::Provider::plan`].
///
/// # Errors
/// No such account, or no secret to ask with.
pub(super) async fn plan(platform: &Platform, cx: &Cx, at: &Target, action: &Action) -> Result<Plan, Reason> {
    let account = fetch::account(cx, at)?;
    let held = cx.tokens.held(at).await;
    let old = held.as_ref().map(|h| h.fingerprint.clone());
    let secret = fetch::secret(cx, account).map(|s| Fingerprint::of(&cx.fingerprint_key, s));
    let until = held.as_ref().map(|h| h.expires.wall.rfc3339());
    let (id, words, loses) = match action {
        Action::Regenerate => {
            fetch::secret(cx, account).ok_or_else(|| fetch::missing(cx, account))?;
            match platform.rules.rotate {
                Rotate::ByHand => ("fetch", &w::STEP_FETCH, None),
                // Demands are counted: where nothing is held, there is nothing to replace.
                Rotate::Api { .. } if old.is_none() => ("fetch", &w::STEP_FETCH, None),
                Rotate::Api { .. } => ("rotate", &w::STEP_ROTATE, Some(&w::LOSES_OLD)),
            }
        }
        Action::Wipe => ("forget", &w::STEP_FORGET, Some(&w::LOSES_CACHED)),
        Action::Do(verb) if &**verb == "secret" => ("secret", &w::STEP_SECRET, None),
        Action::Do(verb) if &**verb == RETRY => {
            fetch::secret(cx, account).ok_or_else(|| fetch::missing(cx, account))?;
            (RETRY, &w::STEP_RETRY, None)
        }
        _ => return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action")),
    };
    let replay = if matches!(id, "rotate" | RETRY) { Replay::AfterCheck } else { Replay::Free };
    Ok(Plan {
        v: PLAN_VERSION,
        action: action.clone(),
        target: at.clone(),
        steps: vec![Step { id: id.into(), words: Message::new(words), replay, clock: false }],
        pivot: 0,
        loses: loses.map(Message::new).into_iter().collect(),
        clear: json!({ "old_fp": old, "until": until, SECRET_PRINT: secret }),
        sealed: Secrets::new(),
    })
}

/// See [`crate::providers::Provider::check`].
pub(super) async fn check(cx: &Cx, op: &Op, step: &str) -> Finding {
    match step {
        // Another token than before is there since: it came from here, or somebody else renewed it, which is the same to all. What is
        // kept here does not tell of a demand whose answer was lost.
        "rotate" => match cx.tokens.held(&op.target).await {
            Some(held) if Some(&held.fingerprint) != old(op).as_ref() && !held.rejected => Finding::Done,
            _ => match stands(cx, op).await {
                Ok(Some(_)) => Finding::Done,
                Ok(None) => Finding::NotDone,
                Err(why) => Finding::CannotTell(why),
            },
        },
        // Another secret than before is kept: only one that the platform took ever is.
        "secret" => match fetch::account(cx, &op.target).ok().and_then(|a| fetch::secret(cx, a)) {
            Some(now) if Some(Fingerprint::of(&cx.fingerprint_key, now)) != print(op, SECRET_PRINT) => Finding::Done,
            _ => Finding::NotDone,
        },
        // Never sent a second time by itself: while a pause stands, a person says whether it is worth another one.
        RETRY => match cx.tokens.paused(&op.target).await {
            Some(hold) => Finding::Foreign(hold.reason),
            None => Finding::Done,
        },
        _ => Finding::NotDone,
    }
}

/// See [`crate::providers::Provider::run`].
pub(super) async fn run(platform: &'static Platform, cx: &Cx, op: &Op, step: &str, answer: Option<Answer>) -> StepEnd {
    match step {
        "fetch" => renew(platform, cx, op, RenewWish::Again, false).await,
        "rotate" => renew(platform, cx, op, RenewWish::Rotate, false).await,
        RETRY => renew(platform, cx, op, RenewWish::Again, true).await,
        "forget" => match cx.tokens.forget(&op.target).await {
            Ok(()) => done(json!({ TOLD: still_valid(op) }), Secrets::new()),
            Err(why) => StepEnd::Failed { why, sent: false },
        },
        "secret" => secret(platform, cx, &op.target, answer).await,
        _ => StepEnd::Failed { why: Reason::new(ReasonCode::Internal).raw("unknown step"), sent: false },
    }
}

/// The fingerprint of the token that was there when the plan was made.
fn old(op: &Op) -> Option<Fingerprint> {
    print(op, "old_fp")
}

/// A fingerprint in the plan's clear data.
fn print(op: &Op, name: &str) -> Option<Fingerprint> {
    let told = op.plan.as_ref().and_then(|p| p.clear.get(name)).filter(|v| !v.is_null());
    told.and_then(|v| serde_json::from_value(v.clone()).ok())
}

fn done(clear: serde_json::Value, sealed: Secrets) -> StepEnd {
    StepEnd::Done { clear, sealed }
}

/// That the platform goes by its own word until the token's time is over.
fn still_valid(op: &Op) -> Vec<Message> {
    let until = op.plan.as_ref().and_then(|p| p.clear.get("until")).and_then(|v| v.as_str()).map(str::to_owned);
    until.map(|t| Message::new(&w::TOLD_STILL_VALID).with("time", t)).into_iter().collect()
}

/// The token that the platform gives now, if it is another one than before the op: a plain request ends nobody's token.
async fn stands(cx: &Cx, op: &Op) -> Result<Option<Given>, Reason> {
    let given = cx.tokens.obtain(&op.target, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await?;
    Ok(Some(given).filter(|g| Some(&g.held.fingerprint) != old(op).as_ref()))
}

/// What is said of a token that came in place of `old`.
fn replaced(platform: &Platform, old: Option<&Fingerprint>) -> Vec<Message> {
    let lives = platform.rules.semantics == TokenSemantics::SameThenOverlap && old.is_some();
    lives.then(|| Message::new(&w::TOLD_OLD_LIVES)).into_iter().collect()
}

async fn renew(platform: &Platform, cx: &Cx, op: &Op, wish: RenewWish, past_pause: bool) -> StepEnd {
    use ReasonCode as C;
    match cx.tokens.obtain(&op.target, Ask { renew: Some(wish), past_pause, ..Ask::default() }).await {
        Ok(given) => {
            let old = old(op);
            let same = given.became == Some(Became::Unchanged) || old.as_ref() == Some(&given.held.fingerprint);
            let told = if same {
                vec![Message::new(&w::TOLD_SAME).with("time", given.held.expires.wall.rfc3339())]
            } else {
                replaced(platform, old.as_ref())
            };
            got(given, told)
        }
        // What was not sent, or was refused in full, is not tried again in a moment.
        Err(why) if wish == RenewWish::Again || matches!(why.code, C::QuotaUsed | C::RotateByHand | C::RateLimited) => {
            StepEnd::Failed { why, sent: false }
        }
        // It may have been carried out: what the platform gives now tells, before anything is demanded again.
        Err(why) => match stands(cx, op).await {
            Ok(Some(given)) => got(given, replaced(platform, old(op).as_ref())),
            Ok(None) => StepEnd::Failed { why, sent: false },
            Err(_) => StepEnd::Failed { why, sent: true },
        },
    }
}

/// A token that came: sealed until the op is over, for an operator who asked to see it.
fn got(given: Given, told: Vec<Message>) -> StepEnd {
    done(json!({ TOLD: told, "new_fp": given.held.fingerprint }), Secrets::from([(NEW_TOKEN.to_owned(), given.token)]))
}

/// The question for a new secret; `wrong` tells that one was refused just now.
pub(super) fn question(console: &'static crate::i18n::Words, wrong: Option<&Reason>) -> StepEnd {
    let hint = wrong.and_then(|r| r.raw.clone());
    StepEnd::Ask(Prompt { kind: PromptKind::Secret, words: Message::new(console), hint, wrong: u32::from(wrong.is_some()) })
}

/// A new secret replaces the old one only after the platform took it.
async fn secret(platform: &'static Platform, cx: &Cx, at: &Target, answer: Option<Answer>) -> StepEnd {
    let failed = |why| StepEnd::Failed { why, sent: false };
    let account = match fetch::account(cx, at) {
        Ok(a) => a,
        Err(why) => return failed(why),
    };
    let Some(given) = answer else { return question(platform.console, None) };
    let new = crate::domain::Secret::new(given.expose().trim().to_owned());
    if new.is_empty() {
        return question(platform.console, None);
    }
    match fetch::with(platform, cx, account, &new, Renew::Plain).await {
        Ok(_) => {}
        Err(why) if why.code == ReasonCode::CredentialRefused => return question(platform.console, Some(&why)),
        Err(why) => return failed(why),
    }
    if let Err(why) = cx.tokens.put_secret(at, SECRET, new.clone()).await {
        return failed(why);
    }
    super::memory::Memory::fetched(cx, account, None).await;
    let mut told = vec![Message::new(&w::TOLD_SECRET)];
    // What was fetched with the old one is forgotten by now: a bot should find a token at once.
    match cx.tokens.obtain(&look::target(cx, account), Ask::default()).await {
        Ok(given) => got(given, told),
        Err(why) => {
            told.push(Message::new(&w::TOLD_NO_TOKEN).nest("why", Message::from(&why)));
            done(json!({ TOLD: told }), Secrets::new())
        }
    }
}
