//! Evolution API: WhatsApp accounts behind a gateway that speaks HTTP and Socket.IO.
//!
//! `wire` decodes, `api` calls, `events` listens; `state` concludes, `fresh` proves; `watch`, `plans` and
//! `pair` are the three things that the engine runs. Nothing here journals, draws or retries a destructive call.

mod api;
mod attempt;
mod can;
mod events;
mod fresh;
mod pair;
mod plans;
mod settings;
mod state;
mod watch;
mod wire;
mod zone;

use super::{AskSpec, Becomes, Cx, Fut, GatewayFacts, KindSpec, Look, MethodSpec, On, Pairing, Provider, Report, SecretSpec, Tx, VerbSpec};
use crate::{
    clock::Limits,
    domain::{Action, Answer, Effect, Finding, Inputs, Method, Not, Op, Plan, Reason, ReasonCode, Row, Secret, Source, StepEnd, Target, Want},
    i18n::evolution as w,
};
use api::Api;
use std::{collections::HashMap, time::Duration};

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "evolution",
    name: "Evolution",
    platform: "WhatsApp",
    limits: Limits::DEFAULT,
    secrets: &[SecretSpec { name: api::KEY, words: &w::KEY, optional: false }],
    account_secrets: &[],
    verbs: &[
        VerbSpec { id: "restart", key: 'r', words: &w::VERB_RESTART, on: On::Account, asks: &[] },
        VerbSpec {
            id: "create",
            key: 'c',
            words: &w::VERB_CREATE,
            on: On::Gateway,
            asks: &[AskSpec { name: "name", words: &w::ASK_NAME, becomes: Becomes::Account, default: None }],
        },
        VerbSpec { id: "delete", key: 'd', words: &w::VERB_DELETE, on: On::Account, asks: &[] },
    ],
    methods: &[
        MethodSpec { method: Method::Code, needs_number: true, typed_here: false },
        MethodSpec { method: Method::Qr, needs_number: false, typed_here: false },
    ],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[&w::PHONE_OPEN, &w::PHONE_SCAN],
    phone_code: &[&w::PHONE_OPEN, &w::PHONE_BY_NUMBER, &w::PHONE_TYPE],
};

/// The provider. It keeps nothing: what must last goes through the context.
#[derive(Debug, Default)]
pub struct Evolution;

impl Provider for Evolution {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn can(&self, row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
        can::can(row, action, facts)
    }

    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch::watch(cx, out))
    }

    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async move {
            let api = Api::new(cx)?;
            match (how, at) {
                (Look::Row, Some(at)) => match one(cx, &api, at.account.as_str()).await? {
                    Some(row) => Ok(Report::Part(vec![row])),
                    None => Ok(Report::Gone(vec![at.clone()])),
                },
                // A question about an unknown name would be answered 404 whatever the key (recording 21).
                (Look::Probe, _) => {
                    if !matches!(api.is_global().await, Ok(true)) {
                        api.list().await?;
                    }
                    Ok(Report::Alive(cx.time.now()))
                }
                (Look::All | Look::Row, _) => {
                    let list = api.list().await?;
                    // The server's memory, where it tells of all rows in one call: the database calls a dead row open.
                    let told: HashMap<String, String> = api.metrics().await.unwrap_or_default().into_iter().collect();
                    let at = cx.time.now();
                    let memory = |name: &str| told.get(name).map(|word| state::Memory::told(Source::Metrics, word, at));
                    let rows = list.rows.iter().map(|i| state::row(&cx.gateway, &cx.fingerprint_key, i, memory(&i.name).as_ref(), at)).collect();
                    Ok(Report::All { rows, complete: list.broken == 0 && list.beyond == 0 })
                }
            }
        })
    }

    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(plans::plan(cx, at, action, given))
    }

    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(plans::check(cx, op, step))
    }

    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, _answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(plans::run(cx, op, step))
    }

    fn back<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, StepEnd> {
        // Nothing before any pivot here changes the server.
        Box::pin(async { StepEnd::done() })
    }

    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(pair::begin(cx, at, want))
    }

    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(async move {
            let row = Api::new(cx)?.find(at.account.as_str()).await?.ok_or_else(|| Reason::new(ReasonCode::Gone))?;
            if at.incarnation.is_some() && row.id != at.incarnation {
                return Err(Reason::new(ReasonCode::Foreign));
            }
            row.token.ok_or_else(|| Reason::new(ReasonCode::NotFound))
        })
    }
}

/// One row with both witnesses; `None` when it is gone.
async fn one(cx: &Cx, api: &Api, name: &str) -> Result<Option<Row>, Reason> {
    let Some(found) = api.find(name).await? else { return Ok(None) };
    let word = api.state(name).await.ok().flatten();
    let at = cx.time.now();
    let memory = word.map(|word| state::Memory { source: Source::Probe, word, code: None, since: at, at, exact: false });
    Ok(Some(state::row(&cx.gateway, &cx.fingerprint_key, &found, memory.as_ref(), at)))
}

#[cfg(test)]
mod tests;
