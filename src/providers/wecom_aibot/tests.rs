//! Rows of AI bots, and that nobody is ever connected to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{GatewayId, Stamp, Time, Wall},
    i18n::Lang,
    providers::{Attention, Memo, Samples, http::Client, token::Tokens},
    store::config::{self, Config},
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

struct Fixed;
impl Time for Fixed {
    fn now(&self) -> Stamp {
        Stamp::wall_only(Wall(1_795_000_000_000))
    }
}
struct Nowhere;
impl Memo for Nowhere {
    fn get<'a>(&'a self, _: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async { None })
    }
    fn put<'a>(&'a self, _: &'a str, _: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Ok(()) })
    }
}
impl Samples for Nowhere {
    fn push(&self, _: Sample) {}
}

#[derive(Default)]
struct Owner(Mutex<Vec<(String, Secret)>>);
impl Tokens for Owner {
    fn held<'a>(&'a self, _: &'a Target) -> Fut<'a, Option<crate::providers::token::Held>> {
        Box::pin(async { None })
    }
    fn obtain<'a>(&'a self, _: &'a Target, _: crate::providers::token::Ask) -> Fut<'a, Result<crate::providers::token::Given, Reason>> {
        Box::pin(async { panic!("there is no token to ask for") })
    }
    fn forget<'a>(&'a self, _: &'a Target) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Ok(()) })
    }
    fn put_secret<'a>(&'a self, at: &'a Target, name: &'a str, secret: Secret) -> Fut<'a, Result<(), Reason>> {
        self.0.lock().unwrap().push((account_secret(at.account.as_str(), name), secret));
        Box::pin(async { Ok(()) })
    }
    fn holder<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<Clean>> {
        Box::pin(async move { (at.account.as_str() == "desk").then(|| Clean::new("bot[7]@edge-2")) })
    }
}

/// A gateway whose address takes connections that a test would notice.
async fn stage(secrets: Secrets) -> (Cx, Arc<Owner>, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let text =
        format!("[gateway.bots]\nkind = \"wecom-aibot\"\nurl = {url:?}\naccount = {{ desk = {{ id = \"aib-1\" }}, hr = {{ id = \"aib-2\" }} }}\n");
    let settings: config::Gateway = Config::parse(&text, Path::new("config.toml")).unwrap().gateways.remove(0);
    let owner = Arc::new(Owner::default());
    let cx = Cx {
        gateway: GatewayId::new("bots"),
        http: Arc::new(Client::new(&settings).unwrap()),
        settings: Arc::new(settings),
        secrets,
        broken: Arc::default(),
        time: Arc::new(Fixed),
        fingerprint_key: [3; 32],
        cancel: tokio_util::sync::CancellationToken::new(),
        memo: Arc::new(Nowhere),
        samples: Arc::new(Nowhere),
        tokens: owner.clone(),
        seen: tokio::sync::watch::channel(Attention::default()).1,
    };
    (cx, owner, listener)
}

#[tokio::test]
async fn a_bot_is_loaded_never_online_tells_its_owner_and_is_never_connected_to() {
    let secrets = Secrets::from([(account_secret("desk", SECRET), Secret::new("aibot-secret-0123456789".into()))]);
    let (cx, _, listener) = stage(secrets).await;
    let Report::All { rows, complete: true } = AiBots.look(&cx, None, Look::All).await.unwrap() else { panic!() };
    let seen: Vec<_> = rows.iter().map(|r| (r.label.as_str(), r.link.state, r.link.reason.as_ref().map(|r| r.code))).collect();
    assert_eq!(seen, [("desk", State::Loaded, Some(ReasonCode::StateNotReported)), ("hr", State::Refused, Some(ReasonCode::CredentialMissing))]);
    assert!(rows[0].facts.iter().any(|f| f.key == "owner" && f.value == FactValue::Text("bot[7]@edge-2".into())));
    assert!(matches!(AiBots.look(&cx, None, Look::Probe).await, Ok(Report::Alive(_))));
    for action in [Action::Pair, Action::Wipe, Action::Regenerate] {
        assert!(matches!(AiBots.can(&rows[0], &action, &GatewayFacts::default()), Err(Not::Unsupported(_))));
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_secret_that_nobody_tried_is_called_untried_with_how_it_gets_known_and_a_held_bot_names_its_holder() {
    let secret = |name| (account_secret(name, SECRET), Secret::new("aibot-secret-0123456789".into()));
    let (cx, _, _listener) = stage(Secrets::from([secret("desk"), secret("hr")])).await;
    let Report::All { rows, .. } = AiBots.look(&cx, None, Look::All).await.unwrap() else { panic!() };
    let says = |n: usize| {
        let why = rows[n].link.reason.as_ref().unwrap();
        (crate::i18n::reason::sentence(why, Lang::En), crate::i18n::reason::remedy_sentence(why, Lang::En).unwrap())
    };
    let (held, free) = (says(0), says(1));
    assert!(held.0.contains("bot[7]@edge-2") && held.1.contains("log of bot[7]@edge-2"), "{held:?}");
    assert!(free.0.contains("untried") && free.1.contains("pairdeck run bots:hr -- CMD"), "{free:?}");
    assert!(rows.iter().all(|r| !r.link.reason.as_ref().unwrap().code.is_problem()));
}

#[tokio::test]
async fn a_new_secret_is_kept_untried_and_says_so() {
    let (cx, owner, _listener) = stage(Secrets::new()).await;
    let at = Target::account(&cx.gateway, &RemoteId::new("hr"));
    let action = Action::Do("secret".into());
    let plan = AiBots.plan(&cx, &at, &action, Inputs::new()).await.unwrap();
    let op = Op::running(plan, cx.time.now());
    assert!(matches!(AiBots.run(&cx, &op, SECRET, None).await, StepEnd::Ask(p) if p.kind == PromptKind::Secret));
    let StepEnd::Done { clear, .. } = AiBots.run(&cx, &op, SECRET, Some(Secret::new(" new-secret-0123456789\n".into()))).await else { panic!() };
    let said: Vec<Message> = serde_json::from_value(clear["told"].clone()).unwrap();
    assert!(said[0].text(Lang::En).contains("not tried"));
    assert_eq!(*owner.0.lock().unwrap(), [("account/hr/secret".to_owned(), Secret::new("new-secret-0123456789".into()))]);
}
