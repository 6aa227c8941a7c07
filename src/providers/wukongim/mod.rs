//! WuKongIM: users with one token per device flag, behind a management API.
//!
//! Never connects as a user: a login would kick or zombify the real device. State is read from the management API alone.

mod api;
mod auth;
mod business;
mod can;
mod collide;
mod connz;
mod devices;
mod flags;
mod leave;
mod lint;
mod logline;
mod look;
mod pair;
mod plans;
mod rows;
mod slots;
mod stands;
mod token;
mod uids;
mod valid;
mod version;
mod watch;
mod why;
mod wipe;
mod wire;

use super::{
    AskSpec, Becomes, Claim, Cx, DiagLine, Diagnosis, Fut, GatewayFacts, KindSpec, Look, MethodSpec, On, Pairing, Provider, Report, SecretSpec,
    SlotTable, Tx, VerbSpec,
};
use crate::{
    clock::Limits,
    domain::{Action, Answer, Effect, Finding, Inputs, Method, Not, Op, Plan, Reason, Row, Secret, StepEnd, Target, Want},
    i18n::wukongim as w,
    store::config,
};
use std::time::Duration;

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "wukongim",
    name: "WuKongIM",
    platform: "WuKongIM",
    limits: Limits::DEFAULT,
    secrets: &[
        SecretSpec { name: "manager_token", words: &w::KEY, optional: true },
        SecretSpec { name: "manager_user", words: &w::USER, optional: true },
        SecretSpec { name: "manager_password", words: &w::PASSWORD, optional: true },
    ],
    account_secrets: &[],
    verbs: &[
        VerbSpec {
            id: "issue",
            key: 'i',
            words: &w::VERB_ISSUE,
            on: On::Account,
            asks: &[
                AskSpec { name: "flag", words: &w::ASK_FLAG, becomes: Becomes::Device, default: None },
                AskSpec { name: "level", words: &w::ASK_LEVEL, becomes: Becomes::Input, default: Some("slave") },
            ],
        },
        VerbSpec { id: "kick", key: 'k', words: &w::VERB_KICK, on: On::Row, asks: &[] },
        VerbSpec { id: "hard-wipe", key: 'w', words: &w::VERB_HARD, on: On::Account, asks: &[] },
        VerbSpec { id: "allow-sending", key: 'b', words: &w::VERB_ALLOW, on: On::Account, asks: &[] },
    ],
    // Only for accounts of a business server; the others have nothing to pair, and `can` says so.
    methods: &[MethodSpec { method: Method::Qr, needs_number: false, typed_here: false }],
    poll_seen: Duration::from_millis(2500),
    poll_unseen: Duration::from_secs(30),
    poll_events: Duration::from_secs(30),
    phone_qr: &[&w::PHONE_OPEN, &w::PHONE_SCAN],
    phone_code: &[],
};

/// The provider. It keeps nothing: what must last goes through the context.
#[derive(Debug, Default)]
pub struct WuKongIm;

impl Provider for WuKongIm {
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
        Box::pin(look::look(cx, at, how))
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
        // Nothing before any pivot here changes the server: its first step is the pivot.
        Box::pin(async { StepEnd::done() })
    }
    fn slot(&self, settings: &crate::store::config::Gateway, typed: &str) -> Option<String> {
        valid::flag_number(&settings.wukongim, typed).map(|f| f.to_string())
    }
    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(async move { pair::begin(cx, at, &want).await })
    }
    fn pairs_elsewhere(&self, settings: &config::Gateway, at: &Target) -> bool {
        business::login_url(&settings.wukongim, at.account.as_str()).is_some()
    }
    fn why<'a>(&'a self, cx: &'a Cx, at: &'a Target, claim: &'a Claim) -> Fut<'a, Result<Option<Diagnosis>, Reason>> {
        Box::pin(async move { why::why(cx, at, claim).await.map(Some) })
    }
    fn lint(&self, settings: &config::Gateway, at: &Target, claim: &Claim) -> Option<Vec<DiagLine>> {
        Some(lint::lint(&settings.wukongim, at, claim))
    }
    fn slots(&self, settings: &config::Gateway, _account: &Row, devices: &[Row]) -> Option<SlotTable> {
        Some(slots::slots(&settings.wukongim, devices))
    }
    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(look::reveal(cx, at))
    }
}

#[cfg(test)]
mod tests;
