//! The provider against the sandbox's server, on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, Fresh, GatewayId, OpPhase, RemoteId, Secrets, Stamp, State, Time, Wall},
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
        let settings = config::Gateway {
            name: "wa".into(),
            kind: "evolution".into(),
            url: info.url.clone(),
            allow_plaintext: false,
            ca_file: None,
            events: true,
            expect_timezone: None,
            clock_limits: None,
        };
        let kept = Arc::new(Kept::default());
        let (tx, rx) = seen::channel(Attention::default());
        let cx = Cx {
            gateway: GatewayId::new("wa"),
            http: Arc::new(Client::new(&settings).unwrap()),
            settings: Arc::new(settings),
            secrets: info.credentials.clone(),
            time: Arc::new(Follow(Instant::now())),
            fingerprint_key: [3; 32],
            cancel: CancellationToken::new(),
            memo: Arc::clone(&kept) as Arc<dyn Memo>,
            samples: Arc::clone(&kept) as Arc<dyn Samples>,
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
        self.wa().log().0.iter().filter(|r| r.path.contains(path)).count()
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
            let PairEvent::Linked(row, None) = end else { panic!("{events:?} {method:?}: {end:?}") };
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

/// Runs a plan as the engine would, checks included.
async fn carry_out(s: &Stage, action: Action, stop_after: Option<&str>) -> Op {
    let row = s.row("shop").await;
    let plan = Evolution.plan(&s.cx, &row.target(), &action, Inputs::new()).await.unwrap();
    let op = Op {
        id: 1,
        action,
        target: plan.target.clone(),
        phase: OpPhase::Running,
        step: 0,
        begun: false,
        owner: "t".into(),
        at: s.cx.time.now(),
        plan: Some(plan),
        reason: None,
    };
    finish(s, &op, stop_after).await;
    op
}

async fn finish(s: &Stage, op: &Op, stop_after: Option<&str>) {
    for step in op.plan.as_ref().unwrap().steps.clone() {
        if Evolution.check(&s.cx, op, &step.id).await == Finding::Done {
            continue;
        }
        let end = Evolution.run(&s.cx, op, &step.id, None).await;
        assert!(matches!(end, StepEnd::Done { .. }), "{}: {end:?}", step.id);
        assert_eq!(Evolution.check(&s.cx, op, &step.id).await, Finding::Done, "{}", step.id);
        if stop_after == Some(&step.id) {
            return;
        }
    }
}

async fn set_up(s: &Stage) -> Vec<(&'static str, serde_json::Value)> {
    let api = Api::new(&s.cx).unwrap();
    for (kind, body) in [
        (
            "settings",
            serde_json::json!({"rejectCall":true,"msgCall":"no calls","groupsIgnore":true,"alwaysOnline":false,"readMessages":true,"readStatus":false,"syncFullHistory":false}),
        ),
        (
            "webhook",
            serde_json::json!({"webhook":{"enabled":true,"url":"http://127.0.0.1:9/h","byEvents":true,"base64":true,"headers":{"X-Key":"CANARY"},"events":["QRCODE_UPDATED"]}}),
        ),
        ("websocket", serde_json::json!({"websocket":{"enabled":true,"events":["CONNECTION_UPDATE"]}})),
    ] {
        api.set(kind, "shop", body).await.unwrap();
    }
    found(s).await
}

async fn found(s: &Stage) -> Vec<(&'static str, serde_json::Value)> {
    let api = Api::new(&s.cx).unwrap();
    let mut out = Vec::new();
    for kind in settings::KINDS {
        let v = api.find_setting(kind, "shop").await.unwrap();
        out.push((*kind, settings::essence(kind, &v).map_or(serde_json::Value::Null, serde_json::Value::Object)));
    }
    out
}

#[tokio::test(start_paused = true)]
async fn a_regenerate_puts_every_setting_back_also_when_it_is_cut_off_after_any_step() {
    let steps = ["delete", "create", "settings", "webhook", "websocket", "verify"];
    for cut in steps {
        let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
        let before = set_up(&s).await;
        let old = s.wa().token("shop").unwrap();
        let op = carry_out(&s, Action::Regenerate, Some(cut)).await;
        // Another process takes the journal up.
        finish(&s, &op, None).await;
        assert_eq!(found(&s).await, before, "after {cut}");
        let new = s.wa().token("shop").unwrap();
        assert!(new != old && new.len() == 64);
        assert_eq!(Evolution.reveal(&s.cx, &s.target("shop")).await.unwrap(), new);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_row_under_the_name_stops_a_regenerate() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let op = carry_out(&s, Action::Regenerate, Some("delete")).await;
    let api = Api::new(&s.cx).unwrap();
    api.create(serde_json::json!({"instanceName":"shop","integration":"WHATSAPP-BAILEYS","token":"SOMEBODY-ELSE"})).await.unwrap();
    assert!(matches!(Evolution.check(&s.cx, &op, "create").await, Finding::Foreign(_)));
    let end = Evolution.run(&s.cx, &op, "create", None).await;
    assert!(matches!(&end, StepEnd::Failed { why, sent: false } if why.code == ReasonCode::Foreign), "{end:?}");
    let end = Evolution.run(&s.cx, &op, "delete", None).await;
    assert!(matches!(&end, StepEnd::Failed { sent: false, .. }), "{end:?}");
    assert!(s.wa().token("shop").unwrap().expose() == "SOMEBODY-ELSE");
}

#[tokio::test(start_paused = true)]
async fn an_instance_token_makes_no_plan_that_deletes() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), s.wa().token("shop").unwrap())]);
    let row = s.row("shop").await;
    let end = Evolution.plan(&s.cx, &row.target(), &Action::Regenerate, Inputs::new()).await;
    assert_eq!(end.err().unwrap().code, ReasonCode::CredentialNarrow);
    assert_eq!(s.say("/instance/delete/"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wipe_ends_the_session_and_a_restart_of_a_closed_row_is_no_success() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    carry_out(&s, Action::Do("restart".into()), None).await;
    carry_out(&s, Action::Wipe, None).await;
    let row = s.row("shop").await;
    assert_eq!(row.link.state, State::LoggedOut);
    assert_eq!(row.link.reason.unwrap().code, ReasonCode::LoggedOut);
    let api = Api::new(&s.cx).unwrap();
    assert_eq!(api.restart("shop").await.unwrap_err().code, ReasonCode::ServerRefused);
    api.logout("shop").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_row_is_created_with_a_token_of_ours_and_deleted() {
    let s = Stage::of(Settings::default(), vec![spec(Past::New)]).await;
    let create = Action::Do("create".into());
    let nobody = s.target("");
    let make = |n: &str| Evolution.plan(&s.cx, &nobody, &create, Inputs::from([("name".into(), n.into())]));
    for bad in ["", "a/b", "x\u{1b}y", "a,b"] {
        assert!(make(bad).await.is_err(), "{bad:?}");
    }
    assert_eq!(make("shop").await.err().unwrap().code, ReasonCode::Foreign);
    assert!(make("客服一号").await.is_ok());
    carry_out(&s, Action::Do("delete".into()), None).await;
    assert!(s.wa().token("shop").is_none());
}

async fn next(rx: &mut mpsc::Receiver<Report>) -> Report {
    tokio::time::timeout(Duration::from_secs(120), rx.recv()).await.expect("a report comes").expect("the watch lives")
}

#[tokio::test(start_paused = true)]
async fn the_watch_lists_first_and_then_follows_events_or_asks() {
    for events in ALL_FEEDS {
        let s = Stage::of(Settings { events, ..Settings::default() }, vec![InstanceSpec { subscribed: true, ..spec(Past::Online) }]).await;
        s.seen.send_modify(|a| a.on_screen = true);
        let (tx, mut rx) = mpsc::channel(64);
        let script = async {
            let Report::All { rows, complete: true } = next(&mut rx).await else { panic!("{events:?}: no list first") };
            assert_eq!(rows[0].link.state, State::Online);
            tokio::time::sleep(Duration::from_secs(8)).await;
            s.wa().unlink("shop", 401).unwrap();
            let mut version = false;
            loop {
                let rows = match next(&mut rx).await {
                    Report::All { rows, .. } | Report::Part(rows) => rows,
                    Report::Gateway(f) => {
                        version |= f.version.is_some();
                        assert!(f.whole, "{events:?}");
                        continue;
                    }
                    _ => continue,
                };
                if rows[0].link.state == State::LoggedOut {
                    break;
                }
            }
            assert!(version, "{events:?}");
            s.cx.cancel.cancel();
        };
        let (why, ()) = tokio::join!(Evolution.watch(&s.cx, tx), script);
        assert_eq!(why.code, ReasonCode::Cancelled, "{events:?}");
        assert!(!s.kept.1.lock().unwrap().is_empty());
        assert_eq!(s.wa().log().0.iter().filter(|r| r.path == "/").count(), 1, "the root page is read once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_watch_falls_back_to_asking_when_the_stream_is_cut() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let (tx, mut rx) = mpsc::channel(64);
    let script = async {
        assert!(matches!(next(&mut rx).await, Report::All { .. }));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(s.wa().event_streams(), 1);
        s.wa().cut_events();
        loop {
            if let Report::Trouble(r) = next(&mut rx).await {
                assert_eq!(r.code, ReasonCode::EventsLost);
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(s.wa().event_streams(), 1, "it comes back");
        s.cx.cancel.cancel();
    };
    tokio::join!(Evolution.watch(&s.cx, tx), script);
}

/// Watches for so long and hands back the last state of every row and the last facts.
async fn observe(s: &Stage, seconds: u64, act: impl AsyncFnOnce()) -> (HashMap<String, Row>, GatewayFacts) {
    let (tx, mut rx) = mpsc::channel(64);
    let mut rows = HashMap::new();
    let mut facts = GatewayFacts::default();
    let script = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        act().await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        s.cx.cancel.cancel();
    };
    let collect = async {
        while let Some(r) = rx.recv().await {
            match r {
                Report::All { rows: all, complete } => {
                    assert!(complete);
                    rows = all.into_iter().map(|r| (r.account.as_str().to_owned(), r)).collect();
                }
                Report::Part(some) => rows.extend(some.into_iter().map(|r| (r.account.as_str().to_owned(), r))),
                Report::Gateway(f) => facts = f,
                _ => {}
            }
        }
    };
    let (why, (), ()) = tokio::join!(Evolution.watch(&s.cx, tx), script, collect);
    assert_eq!(why.code, ReasonCode::Cancelled, "{why:?}");
    (rows, facts)
}

#[tokio::test(start_paused = true)]
async fn without_events_and_metrics_only_the_row_under_the_cursor_is_asked_for() {
    let rows = ["a", "b", "c"].map(|n| InstanceSpec { name: n.into(), ..spec(Past::LimitReached) });
    let s = Stage::of(Settings { events: Events::None, metrics: false, ..Settings::default() }, rows.into()).await;
    s.seen.send_modify(|a| {
        a.on_screen = true;
        a.selected = Some(RemoteId::new("b"));
    });
    let (rows, facts) = observe(&s, 12, async || {}).await;
    assert_eq!(s.say("/instance/connectionState/b"), s.say("/instance/connectionState/"));
    assert!(s.say("/instance/connectionState/b") >= 2);
    assert!(rows["b"].link.differs() && !rows["a"].link.differs());
    assert_eq!(rows["b"].link.state, State::Offline);
    assert_eq!(facts.feed, Feed::Polling);
    assert!(facts.warnings.iter().any(|m| m.words == &w::WARN_EVENTS_OFF));
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_all_memory_states_in_one_call() {
    let rows = ["a", "b"].map(|n| InstanceSpec { name: n.into(), ..spec(Past::LimitReached) });
    let s = Stage::of(Settings { events: Events::None, ..Settings::default() }, rows.into()).await;
    let (rows, _) = observe(&s, 5, async || {}).await;
    assert!(rows.values().all(|r| r.link.differs()), "{rows:?}");
    assert_eq!(s.say("/instance/connectionState/"), 0);
}

#[tokio::test(start_paused = true)]
async fn polling_keeps_its_pace_on_and_off_screen_and_a_refresh_asks_now() {
    let s = Stage::of(Settings { events: Events::None, ..Settings::default() }, vec![spec(Past::Online)]).await;
    observe(&s, 58, async || {
        assert_eq!(s.say("fetchInstances"), 1);
        s.seen.send_modify(|a| a.refresh += 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(s.say("fetchInstances"), 2);
    })
    .await;
    assert_eq!(s.say("fetchInstances"), 2, "off screen: once a minute");
}

#[tokio::test(start_paused = true)]
async fn with_events_the_list_is_a_check_every_30_s() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.seen.send_modify(|a| a.on_screen = true);
    let mut lists = 0;
    let (_, facts) = observe(&s, 65, async || {
        s.wa().unlink("shop", 401).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        lists = s.say("fetchInstances");
    })
    .await;
    assert_eq!(facts.feed, Feed::Events);
    let more = s.say("fetchInstances") - lists;
    assert!((1..=3).contains(&more), "{more} lists in 65 s");
}

#[tokio::test(start_paused = true)]
async fn events_of_a_deleted_instance_bring_no_row_back() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online), InstanceSpec { name: "other".into(), ..spec(Past::New) }]).await;
    let api = Api::new(&s.cx).unwrap();
    let (rows, _) = observe(&s, 120, async || {
        // Restart and delete within 0.1 s leave a socket that goes on emitting (ws-global, shop-e).
        api.restart("shop").await.unwrap();
        api.delete("shop").await.unwrap();
    })
    .await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_token_sees_its_own_row_and_the_deck_is_told() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online), InstanceSpec { name: "other".into(), ..spec(Past::New) }]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), s.wa().token("shop").unwrap())]);
    let (rows, facts) = observe(&s, 5, async || {}).await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["shop"]);
    assert!(!facts.whole && facts.warnings.iter().any(|m| m.words == &w::WARN_NARROW));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_ends_the_watch_and_names_the_credential() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), Secret::new("WRONG-KEY-CANARY".into()))]);
    let (tx, _rx) = mpsc::channel(64);
    let why = Evolution.watch(&s.cx, tx).await;
    assert_eq!(why.code, ReasonCode::CredentialRefused);
    assert!(!format!("{why:?}").contains("CANARY"));
    s.cx.secrets.clear();
    let (tx, _rx) = mpsc::channel(64);
    assert_eq!(Evolution.watch(&s.cx, tx).await.code, ReasonCode::CredentialMissing);
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
            assert!(why.args.iter().any(|(k, v)| &**k == crate::providers::http::RETRY_AFTER && v.as_str() == "9"), "{why:?}");
        }
        assert_eq!(s.sandbox.caught(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_base_path_and_a_missing_licence_are_named() {
    let s = Stage::of(Settings { licence_required: true, ..Settings::default() }, vec![]).await;
    let why = Evolution.look(&s.cx, None, Look::All).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::LicenseRequired);
    assert!(why.args.iter().any(|(k, _)| &**k == "url"));
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
    assert_eq!(s.wa().log().0.len(), 0);
}

#[test]
fn the_kind_is_registered_once_with_unique_keys() {
    let keys: std::collections::BTreeSet<char> = SPEC.verbs.iter().map(|v| v.key).collect();
    assert_eq!(keys.len(), SPEC.verbs.len());
    assert!(crate::providers::registry::provider("evolution").is_some());
    assert_eq!(crate::providers::registry::kinds().iter().filter(|k| k.kind == "evolution").count(), 1);
    assert_eq!((GatewayFacts::default().feed, Timing::default().rotation), (Feed::Polling, fresh::LIFE));
}
