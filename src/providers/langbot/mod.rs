//! LangBot: a server of bots on many platforms, each with a token that it keeps to itself.
//!
//! It says of no bot whether it is connected, so no bot is ever online here. Its tokens cannot be given to it, only forgotten, by
//! loading a bot anew. Its logs are the one place with the real error of the platform.

mod act;
mod api;
mod logs;
mod picture;
mod qr;
mod restarts;
mod rows;
mod watch;
mod wire;

use super::{Cx, Fut, GatewayFacts, KindSpec, Look, MethodSpec, On, Pairing, Provider, Report, SecretSpec, Tx, VerbSpec};
use crate::{
    clock::Limits,
    domain::{Action, Answer, Effect, Finding, Inputs, Method, Not, Op, Plan, Reason, ReasonCode, Row, Secret, StepEnd, Target, Want},
    i18n::langbot as w,
};
use std::time::Duration;

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "langbot",
    name: "LangBot",
    platform: "LangBot",
    limits: Limits::DEFAULT,
    secrets: &[
        SecretSpec { name: api::KEY, words: &w::KEY, optional: true },
        SecretSpec { name: api::PASSWORD, words: &w::PASSWORD, optional: true },
    ],
    account_secrets: &[],
    verbs: &[
        VerbSpec { id: "restart", key: 'r', words: &w::VERB_RESTART, on: On::Account, asks: &[] },
        VerbSpec { id: "enable", key: 'e', words: &w::VERB_ENABLE, on: On::Account, asks: &[] },
        VerbSpec { id: "disable", key: 'd', words: &w::VERB_DISABLE, on: On::Account, asks: &[] },
    ],
    methods: &[MethodSpec { method: Method::Qr, needs_number: false, typed_here: false }],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(60),
    phone_qr: &[&w::PHONE_1, &w::PHONE_2],
    phone_code: &[],
};

/// The provider. It keeps nothing: what must last goes through the context.
#[derive(Debug, Default)]
pub struct LangBot;

impl Provider for LangBot {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn can(&self, row: &Row, action: &Action, facts: &GatewayFacts) -> Result<Effect, Not> {
        act::can(row, action, facts)
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch::watch(cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(watch::look(cx, at, how))
    }
    fn facts<'a>(&'a self, cx: &'a Cx) -> Fut<'a, Option<GatewayFacts>> {
        Box::pin(watch::known(cx))
    }
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(act::plan(cx, at, action, given))
    }
    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(act::check(cx, op, step))
    }
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, _answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(act::run(cx, op, step))
    }
    fn back<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, StepEnd> {
        // Nothing stands before a pivot: the first step is it.
        Box::pin(async { StepEnd::done() })
    }
    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(qr::begin(cx, at, want))
    }
    fn paired(&self) -> Option<[&'static crate::i18n::Words; 2]> {
        // Each of the five flows writes what it got into the bot's settings; the copy in the journal is erased with the end of the plan.
        Some([&w::PAIRED, &w::PAIRED_THEN])
    }
    fn reveal<'a>(&'a self, _cx: &'a Cx, _at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        // It hands its tokens to nobody.
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
