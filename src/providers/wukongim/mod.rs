//! WuKongIM: users with one token per device flag, behind a management API.
//!
//! Never connects as a user: a login would kick or zombify the real device. State is read from the management API alone.

mod api;
mod auth;
mod collide;
mod connz;
mod devices;
mod look;
mod rows;
mod uids;
mod version;
mod watch;
mod wire;

use super::{AskSpec, Becomes, Cx, Fut, GatewayFacts, KindSpec, Look, On, Pairing, Provider, Report, SecretSpec, Tx, VerbSpec};
use crate::{
    clock::Limits,
    domain::{Action, Answer, Effect, Finding, Inputs, Not, Op, Plan, Reason, ReasonCode, Row, Secret, StepEnd, Target, Want},
    i18n::{Message, wukongim as w},
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
    methods: &[],
    poll_seen: Duration::from_millis(2500),
    poll_unseen: Duration::from_secs(30),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

/// The provider. It keeps nothing: what must last goes through the context.
#[derive(Debug, Default)]
pub struct WuKongIm;

fn not_yet() -> Reason {
    Reason::new(ReasonCode::NotYet)
}

impl Provider for WuKongIm {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn can(&self, _row: &Row, _action: &Action, _facts: &GatewayFacts) -> Result<Effect, Not> {
        Err(Not::Unsupported(Message::new(&w::NOT_BUILT)))
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch::watch(cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(look::look(cx, at, how))
    }
    fn plan<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _action: &'a Action, _given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async { Err(not_yet()) })
    }
    fn check<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async { Finding::CannotTell(not_yet()) })
    }
    fn run<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str, _answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::Failed { why: not_yet(), sent: false } })
    }
    fn back<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(async { StepEnd::done() })
    }
    fn pair<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(async { Err(not_yet()) })
    }
    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(look::reveal(cx, at))
    }
}

#[cfg(test)]
mod tests;
