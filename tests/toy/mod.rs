//! A made-up messaging system that is nothing like WhatsApp: devices instead of one link, no account list, a password
//! asked for in the middle of pairing, a secret that the server shows once. If the engine's model fits this and the real
//! providers, it is not one system's model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code, unused_imports, unreachable_pub)]

pub mod careful;
mod pairing;
mod process;
mod server;

use pairdeck::{
    clock::{
        Limits,
        sample::{By, Interval, Sample, Subject},
    },
    domain::*,
    i18n::{Message, common, engine as words},
    providers::*,
};
use pairing::ToyPairing;
pub use process::{Process, process, process_with};
use server::set;
pub use server::{Fate, Kill, Server, Shared, Stop, Stranger};
use std::time::Duration;

pub static SPEC: KindSpec = KindSpec {
    kind: "toy",
    name: "Toy",
    platform: "Toy",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[],
    verbs: &[],
    methods: &[MethodSpec { method: Method::Code, needs_number: false, typed_here: false }],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

pub struct Toy(pub Shared);

impl Toy {
    fn read(&self, cx: &Cx) -> Vec<Row> {
        let now = cx.time.now();
        let mut rows = Vec::new();
        let s = self.0.lock().unwrap();
        for (uid, flags) in &s.devices {
            let row = |device: Option<RemoteId>, label: &str, state| Row {
                gateway: cx.gateway.clone(),
                account: RemoteId::new(uid),
                device,
                incarnation: s.careful.map(|_| careful::life(&s, uid)),
                label: Clean::new(label),
                identity: None,
                link: Link { state, since: None, observed_at: Some(now), source: Source::Probe, reason: None, witnesses: vec![] },
                tokens: vec![],
                facts: vec![],
            };
            rows.push(row(None, uid, State::Online));
            for (flag, token) in flags {
                let state = if token.is_empty() { State::LoggedOut } else { State::Online };
                rows.push(row(Some(RemoteId::new(&flag.to_string())), &format!("flag {flag}"), state));
            }
        }
        rows
    }

    fn careful(&self) -> Option<careful::Careful> {
        self.0.lock().unwrap().careful
    }

    fn flags(&self, at: &Target) -> Vec<u8> {
        let s = self.0.lock().unwrap();
        let all = s.devices.get(at.account.as_str()).cloned().unwrap_or_default();
        match &at.device {
            Some(d) => vec![d.as_str().parse().unwrap()],
            None => all.into_keys().collect(),
        }
    }
}

fn step(id: String, replay: Replay) -> Step {
    Step { id: id.into(), words: Message::new(&common::UNKNOWN), replay, clock: false }
}

fn parts(op: &Op, step: &str) -> (String, u8, String) {
    let (verb, flag) = step.split_once(':').unwrap();
    (verb.to_owned(), flag.parse().unwrap(), op.target.account.as_str().to_owned())
}

fn made_up() -> Secret {
    let mut raw = [0u8; 16];
    getrandom::fill(&mut raw).unwrap();
    Secret::new(raw.iter().map(|b| format!("{b:02x}")).collect())
}

fn new_token(op: &Op) -> String {
    op.plan.as_ref().unwrap().sealed["token"].expose().to_owned()
}

impl Provider for Toy {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn can(&self, row: &Row, action: &Action, _: &GatewayFacts) -> Result<Effect, Not> {
        let effect = |tier| Effect { tier, loses: vec![], says: Message::new(&words::OP_DONE), restorable: false };
        match action {
            Action::Wipe | Action::Pair => Ok(effect(Tier::Swift)),
            Action::Regenerate if row.device.is_some() => Ok(effect(Tier::Swift)),
            _ => Err(Not::Unsupported(Message::new(&common::NO))),
        }
    }

    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(async move {
            // No list: what is watched comes from the configuration, and is never complete.
            let _ = out.send(Report::All { rows: self.read(cx), complete: false }).await;
            let mut seen = cx.seen.clone();
            loop {
                tokio::select! {
                    () = cx.cancel.cancelled() => return Reason::new(ReasonCode::Cancelled),
                    _ = seen.changed() => {}
                }
                let _ = out.send(Report::Part(self.read(cx))).await;
            }
        })
    }

    fn look<'a>(&'a self, cx: &'a Cx, _: Option<&'a Target>, _: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async move {
            cx.samples.push(Sample {
                gateway: Some(cx.gateway.clone()),
                subject: Subject::Gateway,
                by: By::Date,
                interval: Some(Interval { lo_ms: -600, hi_ms: 400 }),
                at: cx.time.now(),
                probes: 1,
                detail: Clean::new(""),
                server: None,
            });
            Ok(Report::All { rows: self.read(cx), complete: false })
        })
    }

    fn plan<'a>(&'a self, _: &'a Cx, at: &'a Target, action: &'a Action, _: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async move {
            if let Some(how) = self.careful() {
                return self.careful_plan(how, at, action, &self.flags(at)).await;
            }
            let mut sealed = Secrets::new();
            let steps = match action {
                Action::Wipe => self.flags(at).iter().map(|f| step(format!("quit:{f}"), Replay::Free)).collect(),
                _ => {
                    let f = self.flags(at)[0];
                    sealed.insert("token".into(), made_up());
                    vec![
                        step(format!("quit:{f}"), Replay::AfterCheck),
                        step(format!("token:{f}"), Replay::AfterCheck),
                        step(format!("verify:{f}"), Replay::Free),
                    ]
                }
            };
            Ok(Plan { v: 1, action: action.clone(), target: at.clone(), steps, pivot: 0, loses: vec![], clear: serde_json::json!({}), sealed })
        })
    }

    fn check<'a>(&'a self, _: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async move {
            if self.careful().is_some() {
                return self.careful_check(op, step).await;
            }
            let (verb, flag, uid) = parts(op, step);
            let Ok(now) = self.call(format!("read {uid}"), |s| s.devices.get(&uid).and_then(|d| d.get(&flag)).cloned()).await else {
                return Finding::CannotTell(Reason::new(ReasonCode::Slow));
            };
            match (verb.as_str(), now) {
                ("quit", Some(t)) if t.is_empty() => Finding::Done,
                ("quit", Some(_)) => Finding::NotDone,
                ("token" | "verify", Some(t)) if t == new_token(op) => Finding::Done,
                ("token" | "verify", Some(t)) if t.is_empty() => Finding::NotDone,
                ("token" | "verify", Some(_)) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
                _ => Finding::CannotTell(Reason::new(ReasonCode::Gone)),
            }
        })
    }

    fn run<'a>(&'a self, _: &'a Cx, op: &'a Op, step: &'a str, _: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async move {
            if let Some(how) = self.careful() {
                return self.careful_run(how, op, step).await;
            }
            let (verb, flag, uid) = parts(op, step);
            let done = match verb.as_str() {
                "quit" => self.call(format!("quit {uid}/{flag}"), |s| set(s, &uid, flag, String::new())).await,
                "token" => {
                    let token = new_token(op);
                    self.call(format!("token {uid}/{flag}"), |s| set(s, &uid, flag, token)).await
                }
                _ => {
                    let token = new_token(op);
                    let same = self.call(format!("read {uid}"), |s| s.devices[&uid][&flag] == token).await;
                    match same {
                        Ok(true) => Ok(()),
                        Ok(false) => return StepEnd::Failed { why: Reason::new(ReasonCode::Foreign), sent: false },
                        Err(why) => Err(why),
                    }
                }
            };
            match done {
                Ok(()) => StepEnd::done(),
                Err(why) => StepEnd::Failed { why, sent: true },
            }
        })
    }

    fn back<'a>(&'a self, _: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(async move { if self.careful().is_some() { self.careful_back(op, step).await } else { StepEnd::done() } })
    }

    fn pair<'a>(&'a self, _: &'a Cx, at: &'a Target, _: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        let pairing = ToyPairing { server: self.0.clone(), uid: at.account.as_str().to_owned(), at: 0 };
        Box::pin(std::future::ready(Ok(Box::new(pairing) as Box<dyn Pairing>)))
    }

    fn reveal<'a>(&'a self, _: &'a Cx, _: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(std::future::ready(Err(Reason::new(ReasonCode::NotFound))))
    }
}
