//! Telegram: accounts over MTProto, their sessions, and the files of workers.
//!
//! The operator's own session lists an account's sessions and ends them; it is the only key that ever connects from here. A worker's
//! key is read from its file to compare it, and never used.

mod act;
pub mod add;
mod ask;
mod bury;
mod can;
mod door;
mod elsewhere;
mod fail;
mod held;
mod lend;
mod listed;
mod login;
mod memo;
pub mod mtproto;
mod operator;
mod pending;
mod rounds;
mod rows;
pub mod session;
mod setup;
pub mod slots;
mod warm;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

/// Keys and their names, as the protocol has them.
pub use mtproto::{AuthKey, KeyId};

use super::{
    AskSpec, Becomes, Cx, Fut, GatewayFacts, KindSpec, Look, MethodSpec, On, Pairing, Provider, Report, Right, SecretSpec, Tx, VerbSpec, duty::Life,
};
use crate::{
    clock::Limits,
    domain::{
        Action, Answer, Effect, Finding, Inputs, Method, Not, Op, Plan, Prompt, PromptKind, Reason, ReasonCode, Row, Secret, StepEnd, Target, Want,
    },
    i18n::telegram as w,
};
use std::{sync::Arc, time::Duration};

/// Its constants.
pub static SPEC: KindSpec = KindSpec {
    kind: "telegram",
    name: "Telegram",
    platform: "Telegram",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[
        SecretSpec { name: setup::API_HASH, words: &w::API_HASH, optional: false },
        SecretSpec { name: setup::BOT_TOKEN, words: &w::BOT_TOKEN, optional: true },
        SecretSpec { name: setup::PASSWORD, words: &w::PASSWORD, optional: true },
        SecretSpec { name: setup::OPERATOR, words: &w::OPERATOR, optional: true },
    ],
    verbs: &[
        VerbSpec { id: "end-others", key: 'o', words: &w::VERB_OTHERS, on: On::Account, asks: &[] },
        VerbSpec {
            id: "ttl",
            key: 't',
            words: &w::VERB_TTL,
            on: On::Account,
            asks: &[AskSpec { name: act::DAYS, words: &w::ASK_DAYS, becomes: Becomes::Input, default: Some("180") }],
        },
        VerbSpec {
            id: worker::new_slot::VERB,
            key: 's',
            words: &w::VERB_NEW_SLOT,
            on: On::Account,
            asks: &[
                AskSpec { name: worker::new_slot::SLOT, words: &w::ASK_SLOT, becomes: Becomes::Device, default: None },
                AskSpec { name: worker::new_slot::FILE, words: &w::ASK_FILE, becomes: Becomes::Input, default: None },
                AskSpec { name: worker::new_slot::API_ID, words: &w::ASK_APP, becomes: Becomes::Input, default: Some(worker::new_slot::SAME_APP) },
            ],
        },
        VerbSpec { id: "restore", key: 'u', words: &w::VERB_RESTORE, on: On::Device, asks: &[] },
        VerbSpec { id: "confirm", key: 'c', words: &w::VERB_CONFIRM, on: On::Device, asks: &[] },
    ],
    methods: &[
        MethodSpec { method: Method::Qr, needs_number: false, typed_here: false },
        MethodSpec { method: Method::Code, needs_number: true, typed_here: true },
    ],
    poll_seen: Duration::from_secs(30),
    poll_unseen: Duration::from_secs(300),
    poll_events: Duration::from_secs(300),
    phone_qr: &[&w::PHONE_QR_1, &w::PHONE_QR_2],
    phone_code: &[&w::PHONE_CODE_1, &w::PHONE_CODE_2],
};

/// The provider. It keeps the open connections of its gateways' operators and nothing else.
#[derive(Default)]
pub struct Telegram {
    hub: Arc<operator::Hub>,
}

impl std::fmt::Debug for Telegram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telegram")
    }
}

impl Provider for Telegram {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }
    fn can(&self, row: &Row, action: &Action, _facts: &GatewayFacts) -> Result<Effect, Not> {
        can::can(row, action)
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch::watch(&self.hub, cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(watch::look(&self.hub, cx, at, how))
    }
    fn engage(&self, cx: &Cx, at: &Target) -> Right {
        Box::new(self.hub.engage(cx, at.account.as_str()))
    }
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async move {
            if action.name() == worker::new_slot::VERB {
                return worker::plan_new(&self.hub, cx, at, action, &given).await;
            }
            match worker::slot_of(cx, at) {
                Some((account, slot)) => worker::plan(&self.hub, cx, at, action, account, &slot).await,
                None => act::plan(&self.hub, cx, at, action, given).await,
            }
        })
    }
    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async move {
            match worker::slot_of_op(cx, op) {
                Some((account, slot)) => worker::check(&self.hub, cx, op, step, account, &slot).await,
                None => act::check(&self.hub, cx, op, step).await,
            }
        })
    }
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async move {
            match worker::slot_of_op(cx, op) {
                Some((account, slot)) => worker::run(&self.hub, cx, op, step, answer, account, &slot).await,
                None => act::run(&self.hub, cx, op, step).await,
            }
        })
    }
    fn back<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(async move {
            match worker::slot_of_op(cx, op) {
                Some((account, slot)) => worker::back(&self.hub, cx, op, step, account, &slot).await,
                // Nothing stands before a pivot: the first step is it.
                None => StepEnd::done(),
            }
        })
    }
    fn is_typed_here(&self, method: Method) -> bool {
        method == Method::Code
    }
    fn unanswered(&self, at: &Target, prompt: &Prompt) -> Option<Reason> {
        let account = Target { device: None, incarnation: None, ..at.clone() }.id();
        let why = || Reason::new(ReasonCode::PersonNeeded).with("account", account).with("secret", setup::PASSWORD);
        match prompt.kind {
            PromptKind::Password if prompt.words.words.name == crate::i18n::telegram::ASK_PASSWORD_STORED.name => {
                Some(why().with("evidence", "stored"))
            }
            PromptKind::Password => Some(why()),
            PromptKind::Text if prompt.wrong == 0 => Some(Reason::new(ReasonCode::PersonNeeded).with("evidence", "stopped")),
            _ => None,
        }
    }
    fn pair<'a>(&'a self, cx: &'a Cx, at: &'a Target, want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(login::begin(self.hub.clone(), cx, at, want))
    }
    fn uneasy<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Option<Reason>> {
        Box::pin(async move { worker::resurrected(cx, at).await })
    }
    fn life<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Life> {
        Box::pin(async move {
            match worker::slot_of(cx, at) {
                Some((account, slot)) => worker::life(&self.hub, cx, account, &slot).await,
                None => Life::Unknown(None),
            }
        })
    }
    fn reveal<'a>(&'a self, _cx: &'a Cx, _at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        // A key that is shown is a key that is copied.
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
}
