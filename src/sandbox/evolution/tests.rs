//! The model of sessions and of the far side, in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::sandbox::DateMode;
use crate::sandbox::{
    json::Json,
    settings::{Events, Past},
};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const NOON: i64 = 1_795_262_400_000;

fn gateway(settings: Settings, specs: &[(&str, Past)]) -> Gateway {
    let g = Gateway::new("wa", settings, Clock::virtual_from(NOON), Some(1), CancellationToken::new());
    g.seed(&specs.iter().map(|(n, p)| InstanceSpec { name: (*n).to_owned(), past: *p, ..InstanceSpec::default() }).collect::<Vec<_>>());
    g
}

async fn ask(g: &Gateway, method: &str, path: &str) -> (u16, Json) {
    let request = Request::builder().method(method).uri(path).header("apikey", "GLOBAL-KEY-FOR-TESTS").body(Body::empty()).unwrap();
    let answer = g.handle(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    (status, Json::parse(std::str::from_utf8(&body).unwrap()).unwrap_or(Json::Null))
}

async fn connect(g: &Gateway, name: &str, number: &str) -> Json {
    let query = if number.is_empty() { String::new() } else { format!("?number={number}") };
    ask(g, "GET", &format!("/instance/connect/{name}{query}")).await.1
}

fn text(j: &Json, k: &str) -> String {
    j.get(k).and_then(Json::text).unwrap_or_default().to_owned()
}

/// Fields 2 to 4 of a QR.
fn keys(j: &Json) -> Vec<String> {
    text(j, "code").split(',').skip(1).map(str::to_owned).collect()
}

fn heard(bus: &mut broadcast::Receiver<Arc<Event>>) -> Vec<String> {
    std::iter::from_fn(|| bus.try_recv().ok())
        .map(|e| {
            let j = Json::parse(&e.envelope).unwrap();
            let state = j.get("data").and_then(|d| d.get("state")).and_then(Json::text).map(|s| format!(" {s}")).unwrap_or_default();
            format!("{}{state}", e.event)
        })
        .collect()
}

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_on_a_slow_link_is_the_old_sessions_code_and_a_phone_refuses_it() {
    let g = gateway(Settings { link_delay: secs(1.5), ..Settings::default() }, &[("a", Past::LoggedOut)]);
    let began = Instant::now();
    let first = connect(&g, "a", "5511999990001").await;
    assert_eq!(began.elapsed(), secs(2.0), "connect waits two seconds, whatever the link");
    assert_eq!(first.get("count"), Some(&Json::Int(2)), "the count is new although the code is old");
    assert_eq!(g.type_code("a", Some(&text(&first, "pairingCode"))), Err(Refused::WrongCode));
    assert_eq!(g.scan("a", Some(&text(&first, "code"))), Err(Refused::StaleQr));
    sleep(secs(1.0)).await;
    let second = connect(&g, "a", "").await;
    assert_ne!(keys(&first), keys(&second));
    let code = text(&second, "pairingCode");
    g.type_code("a", Some(&format!("{}-{}", &code[..4], &code[4..]))).unwrap();
    sleep(secs(2.0)).await;
    assert_eq!(g.state("a"), Some((Link::Open, Link::Open)));
}

#[tokio::test(start_paused = true)]
async fn a_qr_lives_45_seconds_and_only_its_ref_changes() {
    let g = gateway(Settings::default(), &[("a", Past::New)]);
    let first = connect(&g, "a", "").await;
    sleep(secs(42.0)).await;
    assert_eq!(connect(&g, "a", "").await, first, "polling while connecting is safe");
    sleep(secs(2.0)).await;
    let second = connect(&g, "a", "").await;
    assert_eq!(keys(&first), keys(&second));
    assert_ne!(text(&first, "code"), text(&second, "code"));
    assert_eq!(g.scan("a", Some(&text(&first, "code"))), Err(Refused::StaleQr));
    assert_eq!(g.scan("a", Some(&text(&second, "code"))), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_number_is_ignored_unless_the_instance_is_closed() {
    let g = gateway(Settings::default(), &[("a", Past::New)]);
    let first = connect(&g, "a", "").await;
    let second = connect(&g, "a", "5511999990001").await;
    assert_eq!(first, second);
    assert_eq!(second.get("pairingCode"), Some(&Json::Null));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_by_number_that_runs_out_spoils_the_session_and_ends_logged_out() {
    let g = gateway(Settings::default(), &[("a", Past::New)]);
    let first = connect(&g, "a", "5511999990001").await;
    let mut bus = g.events();
    sleep(secs(45.0 * 6.0 - 3.0)).await;
    assert_eq!(heard(&mut bus).len(), 5, "six refs a socket, a code for each");
    sleep(secs(4.0)).await;
    assert_eq!(heard(&mut bus), ["connection.update connecting", "status.instance", "logout.instance", "connection.update close"]);
    assert_eq!(g.state("a"), Some((Link::Close, Link::Close)));
    sleep(secs(1.0)).await;
    let again = connect(&g, "a", "").await;
    assert_ne!(keys(&first), keys(&again), "the wipe made new keys");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_by_qr_that_runs_out_gets_new_refs_of_the_same_session() {
    let g = gateway(Settings::default(), &[("a", Past::New)]);
    let first = connect(&g, "a", "").await;
    sleep(secs(45.0 * 6.0)).await;
    assert_eq!(keys(&first), keys(&connect(&g, "a", "").await));
    assert_eq!(g.state("a"), Some((Link::Connecting, Link::Connecting)));
}

#[tokio::test(start_paused = true)]
async fn a_spoilt_session_is_refused_whether_a_number_is_given_or_not() {
    let g = gateway(Settings::default(), &[("a", Past::Spoilt), ("b", Past::Spoilt)]);
    assert_eq!(connect(&g, "a", "").await.to_string(), r#"{"count":0}"#);
    assert_eq!(connect(&g, "b", "5511999990001").await.to_string(), r#"{"count":0}"#);
    let row = ask(&g, "GET", "/instance/fetchInstances?instanceName=b").await.1;
    assert_eq!(row.list().unwrap()[0].get("disconnectionReasonCode"), Some(&Json::Int(401)));
    // The refusal wiped it: the next attempt gets a code.
    assert!(!text(&connect(&g, "b", "5511999990001").await, "pairingCode").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_qr_limit_counts_the_life_of_the_process_not_of_the_session() {
    let g = gateway(Settings { qr_limit: 2, ..Settings::default() }, &[("a", Past::New)]);
    connect(&g, "a", "").await;
    ask(&g, "DELETE", "/instance/logout/a").await;
    connect(&g, "a", "").await;
    let mut bus = g.events();
    sleep(secs(50.0)).await;
    assert_eq!(heard(&mut bus), ["qrcode.updated", "connection.update refused"], "the second session had one QR only");
    assert_eq!(g.state("a"), Some((Link::Close, Link::Connecting)), "the row was not told");
    assert_eq!(connect(&g, "a", "").await.get("count"), Some(&Json::Int(1)), "the limit resets the count");
}

#[tokio::test(start_paused = true)]
async fn a_restart_and_a_delete_leave_a_zombie_that_speaks_for_a_name_that_is_gone() {
    let g = gateway(Settings::default(), &[("a", Past::New)]);
    connect(&g, "a", "").await;
    ask(&g, "POST", "/instance/restart/a").await;
    ask(&g, "DELETE", "/instance/delete/a").await;
    let mut bus = g.events();
    sleep(secs(46.0)).await;
    assert_eq!(heard(&mut bus), ["connection.update connecting", "qrcode.updated", "qrcode.updated"]);
    assert_eq!(ask(&g, "GET", "/instance/connectionState/a").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_begins_with_the_first_event_and_ends_with_the_process() {
    let settings = Settings { events: Events::PerInstance, ..Settings::default() };
    let g = Gateway::new("wa", settings, Clock::virtual_from(NOON), Some(1), CancellationToken::new());
    g.seed(&[
        InstanceSpec { name: "a".to_owned(), subscribed: true, ..InstanceSpec::default() },
        InstanceSpec { name: "b".to_owned(), ..InstanceSpec::default() },
    ]);
    let there = |n: &str| g.inner.lock().namespaces.contains(n);
    assert!(!there("a"));
    connect(&g, "a", "").await;
    connect(&g, "b", "").await;
    assert!(there("a") && !there("b"), "only a subscribed event makes a namespace");
    ask(&g, "DELETE", "/instance/logout/a").await;
    g.restart_server();
    assert!(!there("a"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_server_during_pairing_loses_attempts_by_number_and_keeps_those_by_qr() {
    let g = gateway(Settings::default(), &[("by-number", Past::New), ("by-qr", Past::New), ("linked", Past::Online)]);
    connect(&g, "by-number", "5511999990001").await;
    let before = connect(&g, "by-qr", "").await;
    g.restart_server();
    sleep(secs(1.0)).await;
    assert_eq!(g.state("by-number"), Some((Link::Close, Link::Close)));
    assert_eq!(keys(&before), keys(&connect(&g, "by-qr", "").await));
    assert_eq!(g.state("linked"), Some((Link::Open, Link::Open)));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_scans_by_itself_links_through_515() {
    let g = gateway(Settings { scans_after: Some(secs(6.0)), ..Settings::default() }, &[("a", Past::New)]);
    let mut bus = g.events();
    connect(&g, "a", "").await;
    sleep(secs(5.0)).await;
    assert_eq!(heard(&mut bus), ["connection.update connecting", "qrcode.updated", "connection.update connecting", "connection.update open"]);
}

#[tokio::test(start_paused = true)]
async fn only_four_codes_end_a_link_for_good() {
    let g = gateway(Settings::default(), &[("a", Past::Online)]);
    for code in [408, 428, 440, 500, 515] {
        g.unlink("a", code).unwrap();
        assert_eq!(g.state("a").unwrap().0, Link::Connecting);
        sleep(secs(1.0)).await;
        assert_eq!(g.state("a").unwrap().0, Link::Open, "after {code} the server reconnects");
    }
    g.unlink("a", 403).unwrap();
    sleep(secs(1.0)).await;
    assert_eq!(g.state("a"), Some((Link::Close, Link::Close)));
    assert_eq!(g.unlink("a", 401), Err(Refused::NoOffer));
}

#[tokio::test(start_paused = true)]
async fn date_time_is_local_with_a_false_z_and_the_date_header_shows_the_skew() {
    let g = gateway(Settings { tz_offset_s: -10_800, ..Settings::default() }, &[("a", Past::Online)]);
    g.skew(Some(7200.0));
    let mut bus = g.events();
    g.unlink("a", 401).unwrap();
    let e = Json::parse(&bus.try_recv().unwrap().envelope).unwrap();
    assert_eq!(text(&e, "date_time"), "2026-11-21T11:00:00.000Z");
    let date = |g: Gateway| async move {
        let r = g.handle(Request::get("/instance/fetchInstances").body(Body::empty()).unwrap()).await.unwrap();
        r.headers().get("date").map(|d| d.to_str().unwrap().to_owned())
    };
    assert_eq!(date(g.clone()).await.as_deref(), Some("Sat, 21 Nov 2026 14:00:00 GMT"));
    g.date(DateMode::Frozen(NOON - 60_000));
    sleep(secs(30.0)).await;
    assert_eq!(date(g.clone()).await.as_deref(), Some("Sat, 21 Nov 2026 11:59:00 GMT"));
    g.date(DateMode::Missing);
    assert_eq!(date(g.clone()).await, None);
    g.date(DateMode::InTurn(60_000));
    let (a, b, c) = (date(g.clone()).await, date(g.clone()).await, date(g.clone()).await);
    assert!(a == c && a != b, "{a:?} {b:?} {c:?}");
    g.date(DateMode::Cached(90));
    let r = g.handle(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(r.headers().get("age").map(axum::http::HeaderValue::as_bytes), Some(&b"90"[..]));
}

#[tokio::test(start_paused = true)]
async fn odd_names_are_reached_percent_encoded_and_the_empty_one_is_not() {
    let g = gateway(Settings::default(), &[("a/b c", Past::Online), ("", Past::New)]);
    assert_eq!(ask(&g, "GET", "/instance/connectionState/a%2Fb%20c").await.0, 200);
    assert_eq!(ask(&g, "GET", "/instance/connectionState/").await.0, 404);
    assert_eq!(ask(&g, "GET", "/instance/connectionState/%ZZ").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_accounts_are_made_and_listed_cheaply() {
    let specs: Vec<_> = (0..10_000).map(|n| InstanceSpec { name: format!("acc-{n}"), past: Past::Online, ..InstanceSpec::default() }).collect();
    let g = gateway(Settings::default(), &[]);
    g.seed(&specs);
    assert_eq!(ask(&g, "GET", "/instance/fetchInstances").await.1.list().unwrap().len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_dead_socket_that_says_open_cannot_be_logged_out_or_deleted_until_a_restart() {
    let g = gateway(Settings::default(), &[("a", Past::DeadOpen)]);
    assert_eq!(g.state("a"), Some((Link::Open, Link::Open)));
    assert_eq!(ask(&g, "DELETE", "/instance/logout/a").await.0, 500);
    assert_eq!(ask(&g, "DELETE", "/instance/delete/a").await.0, 400);
    ask(&g, "POST", "/instance/restart/a").await;
    sleep(secs(1.0)).await;
    assert_eq!(ask(&g, "DELETE", "/instance/delete/a").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn without_a_websocket_there_is_no_stream_and_find_and_set_answer_nothing() {
    let g = gateway(Settings { events: Events::None, ..Settings::default() }, &[("a", Past::Online)]);
    assert_eq!(ask(&g, "GET", "/socket.io/?EIO=4&transport=websocket").await.0, 404);
    let request = Request::get("/websocket/find/a").header("apikey", "GLOBAL-KEY-FOR-TESTS").body(Body::empty()).unwrap();
    let answer = g.handle(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-length"].as_bytes()), (200, &b"0"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_polls_the_stream_is_told_that_the_transport_is_unknown() {
    let g = gateway(Settings::default(), &[]);
    let (status, body) = ask(&g, "GET", "/socket.io/?EIO=4&transport=polling").await;
    assert_eq!((status, body.to_string().as_str()), (400, r#"{"code":0,"message":"Transport unknown"}"#));
}

#[tokio::test(start_paused = true)]
async fn an_instance_can_be_deleted_by_somebody_else() {
    let g = gateway(Settings::default(), &[]);
    g.seed(&[InstanceSpec { name: "a".to_owned(), past: Past::Online, deleted_after: Some(secs(600.0)), ..InstanceSpec::default() }]);
    let mut bus = g.events();
    sleep(secs(601.0)).await;
    assert_eq!(heard(&mut bus), ["status.instance", "logout.instance", "connection.update close", "instance.delete", "remove.instance"]);
    assert!(g.accounts().is_empty());
}

#[test]
fn the_handle_may_be_used_from_a_thread_without_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let g = runtime.block_on(async { gateway(Settings::default(), &[("a", Past::Online)]) });
    g.unlink("a", 428).unwrap();
    assert_eq!(g.state("a").unwrap().0, Link::Connecting);
    runtime.block_on(async { sleep(secs(1.0)).await });
    assert_eq!(g.state("a").unwrap().0, Link::Open);
}
