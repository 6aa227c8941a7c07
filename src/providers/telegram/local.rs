//! What is known of accounts without asking Telegram: their slots on this machine. Nothing can be done to them from here.

use super::slots::rows;
use crate::{
    clock::Limits,
    domain::{
        Action, Answer, Clean, Effect, Finding, GatewayId, Inputs, Link, Not, Op, Plan, Reason, ReasonCode, RemoteId, Row, Secret, Source, Stamp,
        State, StepEnd, Target, Want,
    },
    i18n::{Message, sessions as w},
    providers::{Cx, Fut, GatewayFacts, KindSpec, Look, Pairing, Provider, Report, Tx},
    store::config,
};
use std::{sync::Arc, time::Duration};

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "telegram",
    name: "Telegram",
    platform: "Telegram",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[],
    verbs: &[],
    methods: &[],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(60),
    phone_qr: &[],
    phone_code: &[],
};

/// The provider.
#[derive(Debug, Default)]
pub struct Telegram;

/// Accounts and slots. Blocks.
fn all_rows(gateway: &config::Gateway, now: &Stamp) -> Vec<Row> {
    let id = GatewayId::new(&gateway.name);
    let account = |a: &config::Account| Row {
        gateway: id.clone(),
        account: RemoteId::new(&a.name),
        device: None,
        incarnation: None,
        label: Clean::new(&a.name),
        identity: a.telegram.phone.as_deref().map(Clean::new),
        link: Link { state: State::Unknown, since: None, observed_at: Some(*now), source: Source::Own, reason: None, witnesses: Vec::new() },
        tokens: Vec::new(),
        facts: Vec::new(),
    };
    gateway.accounts.iter().map(account).chain(rows::rows(gateway, now)).collect()
}

async fn rows_of(cx: &Cx) -> Result<Vec<Row>, Reason> {
    let (settings, now) = (Arc::clone(&cx.settings), cx.time.now());
    tokio::task::spawn_blocking(move || all_rows(&settings, &now)).await.map_err(|_| Reason::new(ReasonCode::Internal))
}

async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let over = || Reason::new(ReasonCode::Cancelled);
    let mut seen = cx.seen.clone();
    loop {
        let rows = match rows_of(cx).await {
            Ok(rows) => rows,
            Err(why) => return why,
        };
        if out.send(Report::All { rows, complete: true }).await.is_err() {
            return over();
        }
        let pause = if seen.borrow_and_update().on_screen { SPEC.poll_seen } else { SPEC.poll_unseen };
        tokio::select! {
            () = cx.cancel.cancelled() => return over(),
            r = seen.changed() => if r.is_err() { return over() },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Provider for Telegram {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn can(&self, _row: &Row, _action: &Action, _facts: &GatewayFacts) -> Result<Effect, Not> {
        Err(Not::Unsupported(Message::new(&w::NOT_HERE)))
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch(cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async move {
            if how == Look::Probe {
                return Ok(Report::Alive(cx.time.now()));
            }
            let rows = rows_of(cx).await?;
            match at.filter(|_| how == Look::Row) {
                None => Ok(Report::All { rows, complete: true }),
                Some(at) => {
                    let found: Vec<_> = rows.into_iter().filter(|r| r.target().same(at)).collect();
                    Ok(if found.is_empty() { Report::Gone(vec![at.clone()]) } else { Report::Part(found) })
                }
            }
        })
    }
    fn plan<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _action: &'a Action, _given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn check<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async { Finding::CannotTell(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn run<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str, _answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::Failed { why: Reason::new(ReasonCode::NotInVersion), sent: false } })
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
