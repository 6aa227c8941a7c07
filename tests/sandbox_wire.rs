//! The sandbox over real sockets: frames of the event stream as recorded, faults, the control API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures_util::{SinkExt, StreamExt};
use pairdeck::sandbox::{self, DateMode, Events, Fault, InstanceSpec, Options, Past, Sandbox, SandboxError, Settings};
use std::{path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

const KEY: &str = "GLOBAL-KEY-FOR-TESTS";

fn recording(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/evolution").join(name)).unwrap()
}

async fn start(settings: Settings, specs: &[(&str, Past, bool)]) -> Sandbox {
    let instances = specs
        .iter()
        .map(|(n, p, subscribed)| InstanceSpec { name: (*n).to_owned(), past: *p, subscribed: *subscribed, ..InstanceSpec::default() })
        .collect();
    Sandbox::of(vec![("wa".to_owned(), Settings { link_delay: Duration::from_millis(5), ..settings }, instances)], &Options::default()).await.unwrap()
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

/// One request on a connection of its own: everything that came back until the server closed, and whether it closed cleanly.
async fn raw(url: &str, method: &str, path: &str, headers: &str, body: &str) -> (String, bool) {
    let at = address(url);
    let mut stream = TcpStream::connect(&at).await.unwrap();
    let host = if headers.to_lowercase().contains("host:") { String::new() } else { format!("Host: {at}\r\n") };
    let text = format!("{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    let clean = stream.read_to_end(&mut out).await.is_ok();
    (String::from_utf8_lossy(&out).into_owned(), clean)
}

async fn get(s: &Sandbox, path: &str) -> String {
    raw(&s.gateways()[0].url, "GET", path, &format!("apikey: {KEY}\r\n"), "").await.0
}

async fn post(url: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let (text, _) = raw(url, "POST", path, "Content-Type: application/json\r\n", body).await;
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap())
}

async fn stream(s: &Sandbox, query: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let at = address(&s.gateways()[0].url);
    let tcp = TcpStream::connect(&at).await.unwrap();
    client_async(format!("ws://{at}/socket.io/?EIO=4&transport=websocket{query}"), tcp).await.map(|(ws, _)| ws)
}

async fn next(ws: &mut WebSocketStream<TcpStream>) -> String {
    let frame = tokio::time::timeout(Duration::from_secs(20), ws.next()).await.expect("no frame came").unwrap().unwrap();
    frame.to_text().unwrap().to_owned()
}

/// The frame with everything that a server makes up replaced.
fn form(frame: &str) -> String {
    let Some((before, rest)) = frame.split_once("\"sid\":\"") else { return frame.to_owned() };
    format!("{before}\"sid\":\"…{}", &rest[rest.find('"').unwrap()..])
}

/// The client's lines of a recording are sent; the server's lines are compared, pings and closes aside.
async fn play(s: &Sandbox, query: &str, name: &str) {
    let mut ws = stream(s, query).await.unwrap();
    for line in recording(name).lines().filter(|l| !l.starts_with('#') && !l.ends_with("< 2") && *l != "> 3") {
        match line.split_once("> ") {
            Some(("", frame)) => ws.send(Message::text(frame)).await.unwrap(),
            _ => {
                let frame = line.split_once("< ").unwrap().1;
                assert_eq!(form(&next(&mut ws).await), form(frame), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_without_a_key_or_with_a_wrong_one_is_refused_with_the_recorded_words() {
    let s = start(Settings { socket_needs_key: true, ..Settings::default() }, &[]).await;
    for (query, name) in [("", "ws-auth-none.txt"), ("&apikey=WRONG", "ws-auth-bad.txt")] {
        let text = recording(name);
        let words = text.lines().last().unwrap().strip_prefix("< HTTP 400 ").unwrap();
        let Err(Error::Http(r)) = stream(&s, query).await else { panic!("{name}: the upgrade was taken") };
        assert_eq!((r.status().as_u16(), r.body().as_deref()), (400, Some(words.as_bytes())), "{name}");
    }
    assert!(stream(&s, &format!("&apikey={KEY}")).await.is_ok());
}

#[tokio::test]
async fn the_root_is_silent_and_a_namespace_invalid_as_recorded() {
    let s = start(Settings { events: Events::PerInstance, ..Settings::default() }, &[("shop-w", Past::Online, true)]).await;
    play(&s, "", "ws-root-nonglobal.txt").await;
    play(&s, "", "ws-ns-shop-w.txt").await;
    play(&s, "", "ws-ns-never-emitted.txt").await;
}

#[tokio::test]
async fn a_namespace_carries_the_end_of_an_instance_as_recorded() {
    for name in ["ws-ns-shop-w-after-first-event.txt", "ws-ns-shop-a.txt"] {
        let instance = name.strip_prefix("ws-ns-").unwrap()[..6].to_owned();
        let s = start(Settings { events: Events::PerInstance, ..Settings::default() }, &[(&instance, Past::Online, true)]).await;
        let wa = s.gateway("wa").unwrap();
        wa.unlink(&instance, 428).unwrap();
        let mut ws = stream(&s, "").await.unwrap();
        next(&mut ws).await;
        ws.send(Message::text(format!("40/{instance},"))).await.unwrap();
        assert!(next(&mut ws).await.starts_with(&format!("40/{instance},{{\"sid\":")));
        raw(&s.gateways()[0].url, "DELETE", &format!("/instance/delete/{instance}"), &format!("apikey: {KEY}\r\n"), "").await;
        // The recorded events of a logout, with the keys of their envelopes.
        let keys = |frame: &str| {
            let json = pairdeck::sandbox::json::Json::parse(frame.split_once(",[").map(|(_, j)| format!("[{j}")).unwrap().as_str()).unwrap();
            let pairdeck::sandbox::json::Json::Map(pairs) = &json.list().unwrap()[1] else { panic!("{frame}") };
            (json.list().unwrap()[0].text().unwrap().to_owned(), pairs.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>())
        };
        let text = recording(name);
        let recorded: Vec<_> = text.lines().filter_map(|l| l.split_once("< ")).map(|(_, f)| f).filter(|f| f.starts_with("42/")).collect();
        let from = recorded.iter().position(|f| f.contains("\"status.instance\"")).unwrap();
        for want in &recorded[from..from + 3] {
            let mut got = next(&mut ws).await;
            while got.contains("\"state\":\"connecting\"") || got.contains("\"state\":\"open\"") {
                got = next(&mut ws).await;
            }
            assert_eq!(keys(&got), keys(want), "{name}");
        }
    }
}

#[tokio::test]
async fn a_date_can_be_ahead_frozen_or_missing_on_the_wire() {
    let s = start(Settings::default(), &[]).await;
    let wa = s.gateway("wa").unwrap();
    assert_eq!(get(&s, "/metrics").await.to_lowercase().matches("\r\ndate:").count(), 1);
    wa.date(DateMode::Frozen(1_795_262_400_000));
    assert!(get(&s, "/metrics").await.contains("Date: Sat, 21 Nov 2026 12:00:00 GMT"));
    wa.date(DateMode::Missing);
    assert!(!get(&s, "/metrics").await.to_lowercase().contains("\r\ndate:"));
}

#[tokio::test]
async fn every_fault_shows_on_the_wire_for_as_many_requests_as_asked() {
    let s = start(Settings::default(), &[("a", Past::Online, false)]).await;
    let wa = s.gateway("wa").unwrap();
    let path = "/instance/connectionState/a";
    let good = |t: &str| t.contains("\"state\":\"open\"");
    assert!(good(&get(&s, path).await));
    wa.fault(Fault::Status(503), 2, None);
    assert!(get(&s, path).await.starts_with("HTTP/1.1 503"));
    assert!(get(&s, path).await.starts_with("HTTP/1.1 503"));
    assert!(good(&get(&s, path).await), "a fault ends after its count");
    wa.fault(Fault::Drop, 1, None);
    assert_eq!(get(&s, path).await, "");
    wa.fault(Fault::Half, 1, None);
    assert!(get(&s, path).await.ends_with("a87d\r\n"), "the body ends in the middle, without its last chunk");
    wa.fault(Fault::Html, 1, Some("/metrics"));
    assert!(good(&get(&s, path).await), "a fault for another path does not concern this one");
    assert!(get(&s, "/metrics").await.contains("<!DOCTYPE html>"));
    wa.fault(Fault::TooMany(7), 1, None);
    assert!(get(&s, path).await.contains("Retry-After: 7"));
    wa.fault(Fault::Redirect, 1, None);
    assert!(get(&s, path).await.contains("Location: http://127.0.0.1:"));
    assert_eq!(s.caught(), 0);
    wa.fault(Fault::Huge, 1, None);
    let at = address(&s.gateways()[0].url);
    let mut tcp = TcpStream::connect(&at).await.unwrap();
    tcp.write_all(format!("GET /x HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let (mut total, mut piece) = (0, vec![0; 1 << 16]);
    loop {
        match tcp.read(&mut piece).await.unwrap() {
            0 => break,
            n => total += n,
        }
    }
    assert!(total > 100_000_000, "{total} bytes");
    let (log, forgotten) = wa.asked();
    assert_eq!((log.len(), forgotten), (11, 0));
    assert_eq!(log.iter().filter(|r| r.status == 503).count(), 2);
}

#[tokio::test]
async fn a_wrong_base_path_is_the_proxys_page() {
    let s = start(Settings { base_path: "/wa".to_owned(), ..Settings::default() }, &[]).await;
    assert!(s.gateways()[0].url.ends_with("/wa"));
    assert!(get(&s, "/instance/fetchInstances").await.contains("nginx"));
    assert!(get(&s, "/wa/instance/fetchInstances").await.ends_with("[]"));
}

#[tokio::test]
async fn a_server_that_was_not_activated_answers_503_with_its_code() {
    let s = start(Settings { licence_required: true, ..Settings::default() }, &[]).await;
    let text = get(&s, "/instance/fetchInstances").await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("\"code\":\"LICENSE_REQUIRED\""), "{text}");
    assert!(get(&s, "/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_control_api_does_what_the_handle_does() {
    let s = start(Settings::default(), &[("a", Past::Online, false), ("b", Past::New, false)]).await;
    let c = s.control().to_owned();
    let (status, body) = post(&c, "/unlink", r#"{"account":"wa:a","reason":401}"#).await;
    assert_eq!((status, &body["ok"]), (200, &true.into()));
    assert!(get(&s, "/instance/connectionState/a").await.contains("\"state\":\"close\""));
    let (status, body) = post(&c, "/scan", r#"{"account":"b","kind":"code","payload":"AAAA-BBBB"}"#).await;
    assert_eq!((status, body["error"].as_str()), (409, Some("Couldn't link device")));
    assert_eq!(post(&c, "/scan", r#"{"account":"nobody","kind":"qr"}"#).await.0, 404);
    assert_eq!(post(&c, "/fault", r#"{"gateway":"wa","kind":"5xx","count":1}"#).await.0, 200);
    assert!(get(&s, "/metrics").await.starts_with("HTTP/1.1 500"));
    assert_eq!(post(&c, "/skew", r#"{"seconds":10800}"#).await.0, 200);
    assert_eq!(post(&c, "/login", r#"{"account":"x","flag":1}"#).await, (501, serde_json::json!({ "v": 1, "error": "no such gateway here" })));
    assert_eq!(post(&c, "/skew", "[]").await.0, 400);
    let (text, _) = raw(&c, "GET", "/requests", "", "").await;
    let counts: serde_json::Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let want = serde_json::json!({ "gateway": "wa", "method": "GET", "path": "/metrics", "count": 1 });
    assert!(counts.as_array().unwrap().contains(&want), "{counts}");
}

#[tokio::test]
async fn the_control_api_is_closed_to_web_pages() {
    let s = start(Settings::default(), &[("a", Past::Online, false)]).await;
    for headers in ["Host: evil.example\r\n".to_owned(), format!("Host: {}\r\nOrigin: http://evil.example\r\n", address(s.control()))] {
        let (text, _) = raw(s.control(), "POST", "/unlink", &headers, r#"{"account":"a","reason":401}"#).await;
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
    }
    assert!(get(&s, "/instance/connectionState/a").await.contains("\"state\":\"open\""));
}

#[tokio::test]
async fn events_of_all_gateways_come_as_lines_from_the_control_api() {
    let s = start(Settings::default(), &[("a", Past::Online, false)]).await;
    let at = address(s.control());
    let mut tcp = TcpStream::connect(&at).await.unwrap();
    tcp.write_all(format!("GET /events HTTP/1.1\r\nHost: {at}\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut piece = [0; 4096];
    let mut sent = false;
    while !seen.contains("\"logout.instance\"") {
        let n = tokio::time::timeout(Duration::from_secs(20), tcp.read(&mut piece)).await.expect("no line came").unwrap();
        assert!(n > 0, "the stream ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..n]));
        if !sent {
            sent = true;
            s.gateway("wa").unwrap().unlink("a", 401).unwrap();
        }
    }
    assert!(seen.contains("{\"v\":1,\"gateway\":\"wa\",\"event\":{\"event\":\"status.instance\""), "{seen}");
}

#[tokio::test]
async fn every_scenario_starts_and_announces_its_gateways() {
    for scenario in sandbox::Scenario::all().unwrap() {
        let options = Options { scenario: scenario.name.clone(), accounts: Some(20), ..Options::default() };
        let s = sandbox::start(options).await.unwrap();
        let line = s.announce(None);
        assert_eq!(line["v"], 1);
        for g in s.gateways() {
            if g.kind == "wukongim" {
                let token = g.credentials.get("manager_token").map(|t| t.expose().to_owned()).unwrap_or_default();
                let (text, _) = raw(&g.url, "POST", "/user/onlinestatus", &format!("token: {token}\r\n"), "[\"nobody\"]").await;
                assert!(text.starts_with("HTTP/1.1 200"), "{}: {text:.80}", scenario.name);
                continue;
            }
            if g.kind != "evolution" {
                let at = g.url.split("://").nth(1).unwrap().split('/').next().unwrap();
                assert!(TcpStream::connect(at).await.is_ok(), "{}: nobody listens at {}", scenario.name, g.url);
                assert!(line["gateways"].as_array().unwrap().iter().any(|l| l["kind"] == g.kind), "{}", scenario.name);
                continue;
            }
            let key = g.credentials["api_key"].expose().to_owned();
            assert!(line["gateways"].as_array().unwrap().iter().any(|l| l["credentials"]["api_key"] == key.as_str()), "{}", scenario.name);
            let (text, _) = raw(&g.url, "GET", "/instance/fetchInstances", &format!("apikey: {key}\r\n"), "").await;
            let want = if scenario.name == "licence" { "HTTP/1.1 503" } else { "HTTP/1.1 200" };
            assert!(text.starts_with(want), "{}: {text:.80}", scenario.name);
        }
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_ends_when_dropped() {
    let options = Options { listen: "0.0.0.0:0".parse().unwrap(), scenario: "calm".to_owned(), ..Options::default() };
    assert!(matches!(sandbox::start(options).await, Err(SandboxError::Listen(..))));
    assert!(matches!(sandbox::start(Options { scenario: "no-such".to_owned(), ..Options::default() }).await, Err(SandboxError::NoScenario(_))));
    let s = start(Settings::default(), &[]).await;
    let mut ws = stream(&s, "").await.unwrap();
    next(&mut ws).await;
    drop(s);
    let end = tokio::time::timeout(Duration::from_secs(20), ws.next()).await.expect("the stream goes on");
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}
