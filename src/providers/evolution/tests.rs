//! The provider against the sandbox's server, on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acting;
mod hostile;
mod recorded;
mod watching;

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, Fresh, GatewayId, RemoteId, Secrets, Stamp, State, Time, Wall},
    providers::{Attention, Feed, Memo, PairEvent, Samples, http::Client},
    sandbox::{Clock, Events, Fault, InstanceSpec, Options, Past, Sandbox, Settings, Timing},
    store::config,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{mpsc, watch as seen},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_795_000_000_000;
const NUMBER: &str = "5511999990001";

struct Follow(Instant);
impl Time for Follow {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Stamp { wall: Wall(START + i64::try_from(ms).unwrap()), boot: Some((1, Boot(1_000_000 + ms))) }
    }
}
#[derive(Default)]
struct Kept(Mutex<HashMap<String, serde_json::Value>>, Mutex<Vec<Sample>>);
impl Memo for Kept {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.0.lock().unwrap().get(key).cloned() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        self.0.lock().unwrap().insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
}
impl Samples for Kept {
    fn push(&self, sample: Sample) {
        self.1.lock().unwrap().push(sample);
    }
}

struct Stage {
    sandbox: Sandbox,
    cx: Cx,
    kept: Arc<Kept>,

    seen: seen::Sender<Attention>,
}

impl Stage {
    async fn of(settings: Settings, rows: Vec<InstanceSpec>) -> Self {
        let options = Options { seed: Some(7), clock: Clock::virtual_from(START), ..Options::default() };
        let sandbox = Sandbox::of(vec![("wa".into(), settings, rows)], &options).await.unwrap();
        let info = sandbox.gateways().remove(0);
        let settings = config::Gateway::new("wa", "evolution", &info.url);
        let kept = Arc::new(Kept::default());
        let (tx, rx) = seen::channel(Attention::default());
        let cx = Cx {
            gateway: GatewayId::new("wa"),
            http: Arc::new(Client::new(&settings).unwrap()),
            settings: Arc::new(settings),
            secrets: info.credentials.clone(),
            broken: Arc::default(),
            time: Arc::new(Follow(Instant::now())),
            fingerprint_key: [3; 32],
            cancel: CancellationToken::new(),
            memo: Arc::clone(&kept) as Arc<dyn Memo>,
            samples: Arc::clone(&kept) as Arc<dyn Samples>,
            tokens: Arc::new(crate::providers::token::NoTokens),
            seen: rx,
        };
        Self { sandbox, cx, kept, seen: tx }
    }
    fn wa(&self) -> &crate::sandbox::Gateway {
        self.sandbox.gateway("wa").unwrap()
    }
    fn target(&self, name: &str) -> Target {
        Target::account(&self.cx.gateway, &RemoteId::new(name))
    }
    async fn pair(&self, method: Method) -> Result<Box<dyn Pairing>, Reason> {
        let number = (method == Method::Code).then(|| NUMBER.into());
        Evolution.pair(&self.cx, &self.target("shop"), Want { method, number, wipe_spoilt: false }).await
    }
    async fn row(&self, name: &str) -> Row {
        let Ok(Report::Part(mut rows)) = Evolution.look(&self.cx, Some(&self.target(name)), Look::Row).await else { panic!("no row") };
        rows.remove(0)
    }
    fn say(&self, path: &str) -> usize {
        self.wa().asked().0.iter().filter(|r| r.path.contains(path)).count()
    }
}

fn spec(past: Past) -> InstanceSpec {
    InstanceSpec { name: "shop".into(), past, number: NUMBER.into(), ..InstanceSpec::default() }
}

/// What one attempt yielded up to its first Offer (or its end).
async fn until_offer(p: &mut Box<dyn Pairing>, cx: &Cx) -> (usize, Result<(String, Fresh), String>) {
    let mut stale = 0;
    loop {
        match p.next(cx, None).await {
            PairEvent::Offer(o) => {
                let fresh = o.fresh();
                return (stale, Ok((o.into_inner().payload.expose().to_owned(), fresh)));
            }
            PairEvent::Discarded(r) => {
                assert_eq!(r.code, ReasonCode::StaleCode);
                stale += 1;
            }
            PairEvent::Waiting(_) | PairEvent::Expired | PairEvent::Scanned => {}
            other => return (stale, Err(format!("{other:?}"))),
        }
    }
}

async fn until_end(p: &mut Box<dyn Pairing>, cx: &Cx) -> PairEvent {
    loop {
        if let e @ (PairEvent::Linked(..) | PairEvent::Failed(_) | PairEvent::Needs(..)) = p.next(cx, None).await {
            return e;
        }
    }
}

const ALL_FEEDS: [Events; 3] = [Events::Global, Events::PerInstance, Events::None];

#[tokio::test(start_paused = true)]
async fn a_new_instance_is_paired_by_qr_and_by_code_on_every_kind_of_feed() {
    for events in ALL_FEEDS {
        for method in [Method::Qr, Method::Code] {
            let s = Stage::of(Settings { events, ..Settings::default() }, vec![InstanceSpec { subscribed: true, ..spec(Past::New) }]).await;
            let mut p = s.pair(method).await.unwrap();
            let (_, offer) = until_offer(&mut p, &s.cx).await;
            let (payload, fresh) = offer.unwrap();
            assert!(fresh.proven(), "{events:?} {method:?}");
            let taken = if method == Method::Qr { s.wa().scan("shop", Some(&payload)) } else { s.wa().type_code("shop", Some(&payload)) };
            taken.unwrap_or_else(|e| panic!("{events:?} {method:?}: the phone refused: {e:?}"));
            let end = until_end(&mut p, &s.cx).await;
            let PairEvent::Linked(row) = end else { panic!("{events:?} {method:?}: {end:?}") };
            assert_eq!(row.link.state, State::Online);
            p.end(&s.cx).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_first_code_after_a_logout_on_a_slow_link_is_never_offered() {
    for events in ALL_FEEDS {
        for method in [Method::Qr, Method::Code] {
            let slow = Duration::from_millis(1500);
            let rows = vec![InstanceSpec { link_delay: Some(slow), subscribed: true, ..spec(Past::LoggedOut) }];
            let s = Stage::of(Settings { events, ..Settings::default() }, rows).await;
            let mut p = s.pair(method).await.unwrap();
            let (_, offer) = until_offer(&mut p, &s.cx).await;
            let (payload, fresh) = offer.unwrap();
            assert!(fresh.proven(), "{events:?} {method:?}");
            let taken = if method == Method::Qr { s.wa().scan("shop", Some(&payload)) } else { s.wa().type_code("shop", Some(&payload)) };
            taken.unwrap_or_else(|e| panic!("{events:?} {method:?}: the phone refused: {e:?}"));
            p.end(&s.cx).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_stale_code_of_our_own_last_session_is_counted_and_named() {
    let s = Stage::of(Settings { events: Events::None, ..Settings::default() }, vec![spec(Past::New)]).await;
    let mut p = s.pair(Method::Code).await.unwrap();
    let (_, first) = until_offer(&mut p, &s.cx).await;
    s.wa().type_code("shop", Some(&first.unwrap().0)).unwrap();
    assert!(matches!(until_end(&mut p, &s.cx).await, PairEvent::Linked(..)));
    p.end(&s.cx).await;
    s.wa().unlink("shop", 401).unwrap();
    s.wa().link_delay(Some("shop"), Duration::from_millis(1500));
    let mut p = s.pair(Method::Code).await.unwrap();
    let (stale, offer) = until_offer(&mut p, &s.cx).await;
    assert_eq!(stale, 1);
    s.wa().type_code("shop", Some(&offer.unwrap().0)).unwrap();
    p.end(&s.cx).await;
}

#[tokio::test(start_paused = true)]
async fn going_from_qr_to_code_ends_the_qr_session_first_without_a_question() {
    for events in ALL_FEEDS {
        let s = Stage::of(Settings { events, ..Settings::default() }, vec![InstanceSpec { subscribed: true, ..spec(Past::New) }]).await;
        let mut p = s.pair(Method::Qr).await.unwrap();
        until_offer(&mut p, &s.cx).await.1.unwrap();
        p.end(&s.cx).await;
        let mut p = s.pair(Method::Code).await.unwrap();
        let (_, offer) = until_offer(&mut p, &s.cx).await;
        let (code, fresh) = offer.unwrap_or_else(|e| panic!("{events:?}: {e}"));
        assert!(fresh.proven() && code.len() == 8, "{events:?}");
        assert_eq!(s.say("/instance/logout/"), 1, "{events:?}");
        s.wa().type_code("shop", Some(&code)).unwrap();
        assert!(matches!(until_end(&mut p, &s.cx).await, PairEvent::Linked(..)), "{events:?}");
        p.end(&s.cx).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_may_be_linked_is_not_ended_for_a_code_without_a_question() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Futile)]).await;
    let mut p = s.pair(Method::Code).await.unwrap();
    let end = until_end(&mut p, &s.cx).await;
    let PairEvent::Needs(plan, why) = end else { panic!("{end:?}") };
    assert_eq!((why.code, plan.action), (ReasonCode::MayBeLinked, Action::Wipe));
    assert_eq!(s.say("/instance/logout/"), 0);
    p.end(&s.cx).await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_a_new_offer_and_the_old_one_is_dead() {
    let s = Stage::of(Settings::default(), vec![spec(Past::New)]).await;
    let mut p = s.pair(Method::Qr).await.unwrap();
    let (_, a) = until_offer(&mut p, &s.cx).await;
    let before = Instant::now();
    let (_, b) = until_offer(&mut p, &s.cx).await;
    assert_ne!(a.unwrap().0, b.unwrap().0);
    assert!((44..=47).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    p.end(&s.cx).await;
}

#[tokio::test(start_paused = true)]
async fn a_code_attempt_that_runs_out_is_spoilt_and_says_so() {
    for events in [Events::Global, Events::None] {
        let s = Stage::of(Settings { events, refs: 2, ..Settings::default() }, vec![spec(Past::New)]).await;
        let mut p = s.pair(Method::Code).await.unwrap();
        let end = until_end(&mut p, &s.cx).await;
        let PairEvent::Failed(why) = end else { panic!("{events:?}: {end:?}") };
        assert_eq!(why.code, ReasonCode::AttemptSpoilt, "{events:?}: {why:?}");
        p.end(&s.cx).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_qr_limit_is_named_and_the_next_attempt_works() {
    for events in [Events::Global, Events::None] {
        let s = Stage::of(Settings { events, qr_limit: 2, ..Settings::default() }, vec![spec(Past::New)]).await;
        let mut p = s.pair(Method::Qr).await.unwrap();
        let end = until_end(&mut p, &s.cx).await;
        let PairEvent::Failed(why) = end else { panic!("{events:?}: {end:?}") };
        assert_eq!(why.code, ReasonCode::QrLimit, "{events:?}: {why:?}");
        p.end(&s.cx).await;
        let row = s.row("shop").await;
        assert!(row.link.differs(), "{:?}", row.link);
        let mut p = s.pair(Method::Qr).await.unwrap();
        let (_, offer) = until_offer(&mut p, &s.cx).await;
        let (payload, _) = offer.unwrap_or_else(|e| panic!("{events:?}: {e}"));
        s.wa().scan("shop", Some(&payload)).unwrap_or_else(|e| panic!("{events:?}: {e:?}"));
        p.end(&s.cx).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_restart_during_a_code_attempt_is_named() {
    let s = Stage::of(Settings::default(), vec![spec(Past::New)]).await;
    let mut p = s.pair(Method::Code).await.unwrap();
    until_offer(&mut p, &s.cx).await.1.unwrap();
    s.wa().restart_server();
    let end = until_end(&mut p, &s.cx).await;
    let PairEvent::Failed(why) = end else { panic!("{end:?}") };
    assert_eq!(why.code, ReasonCode::ServerRestarted, "{why:?}");
    p.end(&s.cx).await;
}

#[tokio::test(start_paused = true)]
async fn numbers_and_live_rows_are_refused_before_any_request_starts_a_session() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let want = |n: Option<&str>| Want { method: Method::Code, number: n.map(Into::into), wipe_spoilt: false };
    for (n, code) in [
        (None, ReasonCode::NumberNeeded),
        (Some("05511999990001"), ReasonCode::NumberInvalid),
        (Some("+5511999"), ReasonCode::NumberInvalid),
        (Some("123456"), ReasonCode::NumberInvalid),
    ] {
        assert_eq!(Evolution.pair(&s.cx, &s.target("shop"), want(n)).await.err().unwrap().code, code);
    }
    assert_eq!(s.pair(Method::Qr).await.err().unwrap().code, ReasonCode::AlreadyOnline);
    assert_eq!(s.say("/instance/connect/"), 0);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_server_has_its_reason() {
    use ReasonCode as C;
    for (fault, want) in [
        (Fault::Status(500), C::ServerError),
        (Fault::Status(503), C::ServerError),
        (Fault::Garbage, C::Unintelligible),
        (Fault::WrongShape, C::Unintelligible),
        (Fault::Html, C::WebPage),
        (Fault::Huge, C::TooLarge),
        (Fault::Redirect, C::Redirected),
        (Fault::Drop, C::Unreachable),
        (Fault::Half, C::Unreachable),
        (Fault::Hang, C::Slow),
        (Fault::Unauthorized, C::CredentialRefused),
        (Fault::NotFound, C::WrongAddress),
        (Fault::TooMany(9), C::RateLimited),
    ] {
        let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
        s.wa().fault(fault.clone(), 1, Some("/instance/fetchInstances"));
        let why = Evolution.look(&s.cx, None, Look::All).await.err().unwrap_or_else(|| panic!("{fault:?} passed"));
        assert_eq!(why.code, want, "{fault:?}: {why:?}");
        if let Fault::TooMany(_) = fault {
            assert_eq!(why.arg(crate::providers::http::RETRY_AFTER), Some("9"), "{why:?}");
        }
        assert_eq!(s.sandbox.caught(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_base_path_and_a_missing_licence_are_named() {
    let s = Stage::of(Settings { licence_required: true, ..Settings::default() }, vec![]).await;
    let why = Evolution.look(&s.cx, None, Look::All).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::LicenseRequired);
    assert!(why.arg("url").is_some());
    let s = Stage::of(Settings { base_path: "/evo".into(), ..Settings::default() }, vec![spec(Past::New)]).await;
    assert!(Evolution.look(&s.cx, None, Look::All).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn odd_names_are_reached_exactly() {
    for name in ["a/b c", "客服", "x%2Fy", "a..b"] {
        let s = Stage::of(Settings::default(), vec![InstanceSpec { name: name.into(), ..spec(Past::Online) }]).await;
        let row = s.row(name).await;
        assert_eq!((row.account.as_str(), row.link.witnesses.len(), row.link.state), (name, 2, State::Online), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_would_climb_to_another_route_is_never_sent() {
    let s = Stage::of(Settings::default(), vec![InstanceSpec { name: "..".into(), ..spec(Past::Online) }]).await;
    let api = Api::new(&s.cx).unwrap();
    assert!(api.delete("..").await.is_err() && api.logout(".").await.is_err());
    assert_eq!(s.wa().asked().0.len(), 0);
}

#[test]
fn the_kind_is_registered_once_with_unique_keys() {
    let keys: std::collections::BTreeSet<char> = SPEC.verbs.iter().map(|v| v.key).collect();
    assert_eq!(keys.len(), SPEC.verbs.len());
    assert!(crate::providers::registry::provider("evolution").is_some());
    assert_eq!(crate::providers::registry::kinds().iter().filter(|k| k.kind == "evolution").count(), 1);
    assert_eq!((GatewayFacts::default().feed, Timing::default().rotation), (Feed::Polling, fresh::LIFE));
}
