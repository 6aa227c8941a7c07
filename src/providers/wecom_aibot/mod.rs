//! WeCom's AI bots: one WebSocket a bot, held by the bot's own process, and no token.
//!
//! Never subscribes: a second subscriber ends the first one's connection, after which Tencent's client stays away for good
//! (wecom-langbot §1). So a row tells what is known without asking: that the bot is configured, and who holds the right to run it.

use super::{Cx, Fut, GatewayFacts, KindSpec, Look, On, Pairing, Provider, Report, SecretSpec, Tx, VerbSpec};
use crate::{
    clock::Limits,
    domain::{
        Action, Answer, Clean, Effect, Fact, FactValue, Finding, Inputs, Link, Not, Op, Plan, Prompt, PromptKind, Reason, ReasonCode, RemoteId,
        Replay, Row, Secret, Secrets, Source, State, Step, StepEnd, Target, Tier, Want, ids, plan::PLAN_VERSION,
    },
    i18n::{Message, wecom as w},
    providers::token::account_secret,
    store::config::Account,
};
use serde_json::json;
use std::time::Duration;

const SECRET: &str = "secret";

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "wecom-aibot",
    name: "WeCom AI bot",
    platform: "WeCom",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[SecretSpec { name: SECRET, words: &w::SECRET_AIBOT, optional: false }],
    verbs: &[VerbSpec { id: "secret", key: 's', words: &w::VERB_SECRET, on: On::Account, asks: &[] }],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(60),
    phone_qr: &[],
    phone_code: &[],
};

/// The provider.
#[derive(Debug, Default)]
pub struct AiBots;

fn target(cx: &Cx, account: &Account) -> Target {
    Target::account(&cx.gateway, &RemoteId::new(&account.name))
}

async fn row(cx: &Cx, account: &Account) -> Row {
    let at = target(cx, account);
    let kept = account_secret(&account.name, SECRET);
    let stored = cx.secrets.contains_key(&kept);
    let name = format!("{}:{}", ids::escape(cx.gateway.as_str()), ids::escape(&account.name));
    let owner = cx.tokens.holder(&at).await;
    let (state, reason) = if stored {
        let why = Reason::new(ReasonCode::StateNotReported).with("target", name);
        // Whoever holds the bot has used the Secret; of the others nobody has.
        let why = match &owner {
            Some(owner) => why.with("evidence", "owned").with("owner", owner.as_str()),
            None => why.with("evidence", "untried"),
        };
        (State::Loaded, why)
    } else {
        (State::Refused, cx.without(&kept, Reason::new(ReasonCode::CredentialMissing).with("account", name).with("gateway", cx.gateway.as_str())))
    };
    let mut facts = vec![Fact { key: "bot_id", label: &w::ID_BOT, value: FactValue::Text(Clean::new(&account.id)) }];
    if let Some(owner) = owner {
        facts.push(Fact { key: "owner", label: &w::FACT_OWNER, value: FactValue::Text(owner) });
    }
    Row {
        gateway: cx.gateway.clone(),
        account: at.account,
        device: None,
        incarnation: None,
        label: Clean::new(&account.name),
        identity: Some(Clean::new(&account.id)),
        link: Link { state, since: None, observed_at: Some(cx.time.now()), source: Source::Own, reason: Some(reason), witnesses: Vec::new() },
        tokens: Vec::new(),
        facts,
    }
}

async fn all(cx: &Cx) -> Report {
    let mut rows = Vec::with_capacity(cx.settings.accounts.len());
    for account in &cx.settings.accounts {
        rows.push(row(cx, account).await);
    }
    Report::All { rows, complete: true }
}

async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let over = || Reason::new(ReasonCode::Cancelled);
    let mut news = cx.tokens.changes();
    let mut seen = cx.seen.clone();
    loop {
        if out.send(all(cx).await).await.is_err() {
            return over();
        }
        let changed = async {
            match &mut news {
                Some(n) => n.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = cx.cancel.cancelled() => return over(),
            r = seen.changed() => if r.is_err() { return over() },
            alive = changed => if !alive { news = None },
            () = tokio::time::sleep(SPEC.poll_unseen) => {}
        }
    }
}

async fn run(cx: &Cx, op: &Op, answer: Option<Answer>) -> StepEnd {
    let ask = || StepEnd::Ask(Prompt { kind: PromptKind::Secret, words: Message::new(&w::CONSOLE_AIBOT), hint: None, wrong: 0 });
    let Some(given) = answer else { return ask() };
    let new = Secret::new(given.expose().trim().to_owned());
    if new.is_empty() {
        return ask();
    }
    match cx.tokens.put_secret(&op.target, SECRET, new).await {
        Ok(()) => StepEnd::Done { clear: json!({ "told": [Message::new(&w::TOLD_SECRET_UNTRIED)] }), sealed: Secrets::new() },
        Err(why) => StepEnd::Failed { why, sent: false },
    }
}

impl Provider for AiBots {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn can(&self, _row: &Row, action: &Action, _facts: &GatewayFacts) -> Result<Effect, Not> {
        match action {
            Action::Pair => Err(Not::Unsupported(Message::new(&w::NOT_PAIR_BOT))),
            Action::Regenerate | Action::Wipe => Err(Not::Unsupported(Message::new(&w::NOT_TOKEN))),
            Action::Do(verb) if &**verb == "secret" => {
                Ok(Effect { tier: Tier::Now, loses: Vec::new(), says: Message::new(&w::SAYS_SECRET_UNTRIED), restorable: false })
            }
            Action::Do(_) => Err(Not::Unsupported(Message::new(&w::NOT_VERB))),
        }
    }
    fn is_asked(&self) -> bool {
        false
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch(cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async move {
            match (how, at) {
                // Nothing is asked: there is nothing that could be asked without harm.
                (Look::Probe, _) => Ok(Report::Alive(cx.time.now())),
                (Look::Row, Some(at)) => match cx.settings.accounts.iter().find(|a| a.name == at.account.as_str()) {
                    Some(account) => Ok(Report::Part(vec![row(cx, account).await])),
                    None => Ok(Report::Gone(vec![at.clone()])),
                },
                (Look::All | Look::Row, _) => Ok(all(cx).await),
            }
        })
    }
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, _given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async move {
            if !cx.settings.accounts.iter().any(|a| a.name == at.account.as_str()) {
                return Err(Reason::new(ReasonCode::Gone).with("gateway", cx.gateway.as_str()));
            }
            if !matches!(action, Action::Do(verb) if &**verb == SECRET) {
                return Err(Reason::new(ReasonCode::Internal).raw("no plan for this action"));
            }
            Ok(Plan {
                v: PLAN_VERSION,
                action: action.clone(),
                target: at.clone(),
                steps: vec![Step { id: SECRET.into(), words: Message::new(&w::STEP_SECRET_UNTRIED), replay: Replay::Free, clock: false }],
                pivot: 0,
                loses: Vec::new(),
                clear: json!({}),
                sealed: Secrets::new(),
            })
        })
    }
    fn check<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async { Finding::NotDone })
    }
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, _step: &'a str, answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(run(cx, op, answer))
    }
    fn back<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::done() })
    }
    fn pair<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn reveal<'a>(&'a self, _cx: &'a Cx, _at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
}

#[cfg(test)]
mod tests;
