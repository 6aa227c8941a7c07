//! Every recording of the real server is replayed against the sandbox, in the recorded order and state: status, header names,
//! content type, and the shape of the body (keys in order, types, and values where they are not made up).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "evolution/recording.rs"]
mod recording;
#[allow(dead_code, unreachable_pub)]
#[path = "support/replay.rs"]
mod replay;

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response},
};
use pairdeck::sandbox::{Clock, DateMode, Gateway, Link, Settings, json::Json};
use recording::{compare, folder, read};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Recordings that are no replayed request, each with its reason.
const NOT_REPLAYED: &[(&str, &str)] = &[
    ("README.md", "the index, no recording"),
    ("webhook.txt", "webhooks go out to a host of their own; the sandbox calls nobody. Their payloads are those of the events"),
    ("ws-auth-bad.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-auth-none.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-ns-never-emitted.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-ns-shop-a.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-ns-shop-w-after-first-event.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-ns-shop-w.txt", "judged over a real socket in sandbox_wire.rs"),
    ("ws-root-nonglobal.txt", "judged over a real socket in sandbox_wire.rs"),
];

struct Replay {
    gateway: Gateway,
    replayed: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Replay {
    fn new(settings: Settings) -> Self {
        // 2026-11-21T07:37:55Z, when the recordings begin.
        let gateway = Gateway::new("wa", settings, Clock::virtual_from(1_795_246_675_000), Some(7), CancellationToken::new());
        Self { gateway, replayed: BTreeSet::new(), wrong: Vec::new() }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: &str) -> (Response<()>, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (k, v) in headers {
            request = request.header(k, v);
        }
        let answer = self.gateway.handle(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap();
        (Response::from_parts(parts, ()), text)
    }

    /// Sends the recorded request and compares everything.
    async fn replay(&mut self, name: &str) -> Json {
        let (file, r) = read(name);
        let (head, text) = self.send(&r.method, &r.path, &r.headers, &r.body).await;
        let mut wrong = Vec::new();
        if head.status() != r.status {
            wrong.push(format!("status {}, recorded {}", head.status(), r.status));
        }
        let names: BTreeSet<String> = head.headers().keys().map(|k| k.as_str().to_owned()).collect();
        let recorded: BTreeSet<String> = r.answer_headers.keys().cloned().collect();
        if names != recorded {
            wrong.push(format!("headers {names:?}, recorded {recorded:?}"));
        }
        let value = |k: &str| head.headers().get(k).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        for k in ["x-powered-by", "vary", "content-type", "cache-control", "connection", "keep-alive"] {
            if value(k) != r.answer_headers.get(k).cloned().unwrap_or_default() {
                wrong.push(format!("{k}: {:?}, recorded {:?}", value(k), r.answer_headers.get(k)));
            }
        }
        let (want, got) = (Json::parse(&r.answer), Json::parse(&text));
        match (want, &got) {
            (Ok(want), Ok(got)) => compare("", "", &want, got, &mut wrong),
            _ if r.answer == text => {}
            _ => {
                // Text, not JSON: only the address of the server may differ.
                let plain = |t: &str| t.replace("18080", "PORT").replace("8080", "PORT");
                if plain(&r.answer).trim_end() != plain(&text).trim_end() {
                    wrong.push(format!("body {text:?}, recorded {:?}", r.answer));
                }
            }
        }
        if r.answer == text && r.method != "HEAD" {
            // The same bytes have the same ETag and length.
            for k in ["etag", "content-length"] {
                if value(k) != r.answer_headers[k] {
                    wrong.push(format!("{k}: {}, recorded {}", value(k), r.answer_headers[k]));
                }
            }
        }
        self.wrong.extend(wrong.into_iter().map(|w| format!("{file}: {w}")));
        self.replayed.insert(file);
        got.unwrap_or(Json::Null)
    }

    /// The events of each instance in the recording came here too: same order, same envelope. Rotations in a row count once.
    fn order(&mut self, heard: &[Json], recording: &str) {
        let text = std::fs::read_to_string(folder().join(recording)).unwrap();
        let mut recorded: BTreeMap<String, Vec<(String, Option<Json>)>> = BTreeMap::new();
        for line in text.lines() {
            let Some((_, frame)) = line.split_once("< 42[") else { continue };
            let whole = Json::parse(&format!("[{frame}")).ok().and_then(|j| j.list().and_then(|l| l.get(1).cloned()));
            let part = |k: &str| {
                frame.split_once(&format!("\"{k}\":\"")).and_then(|(_, r)| r.split_once('"')).map(|(v, _)| v.to_owned()).unwrap_or_default()
            };
            let (event, instance) = (part("event"), part("instance"));
            let of = recorded.entry(instance).or_default();
            let is_qr = |e: &Option<Json>| e.as_ref().is_none_or(|j| j.get("data").and_then(|d| d.get("qrcode")).is_some());
            if !(event == "qrcode.updated" && is_qr(&whole) && of.last().is_some_and(|(e, j)| *e == event && is_qr(j))) {
                of.push((event, whole));
            }
        }
        for (instance, want) in recorded.into_iter().filter(|(n, _)| Self::known(n, recording)) {
            let mut got: Vec<(String, &Json)> = Vec::new();
            for j in heard.iter().filter(|j| j.get("instance").and_then(Json::text) == Some(&instance)) {
                let event = j.get("event").and_then(Json::text).unwrap().to_owned();
                let is_qr = |j: &Json| j.get("data").and_then(|d| d.get("qrcode")).is_some();
                if !(event == "qrcode.updated" && is_qr(j) && got.last().is_some_and(|(e, l)| *e == event && is_qr(l))) {
                    got.push((event, j));
                }
            }
            let names = |v: Vec<&String>| v.into_iter().cloned().collect::<Vec<_>>();
            let (w, g) = (names(want.iter().map(|p| &p.0).collect()), names(got.iter().map(|p| &p.0).collect()));
            if w != g {
                self.wrong.push(format!("{recording}, {instance}: {g:?}\n  recorded {w:?}"));
                continue;
            }
            for ((event, w), (_, g)) in want.iter().zip(&got) {
                if let Some(w) = w {
                    let mut wrong = Vec::new();
                    compare(event, event, w, g, &mut wrong);
                    self.wrong.extend(wrong.into_iter().map(|x| format!("{recording}, {instance}: {x}")));
                }
            }
        }
        self.replayed.insert(recording.to_owned());
    }

    /// Instances whose whole recorded life is replayed: of the limit's recording only `limit` (shop-a and shop-d came from a
    /// server that was restarted with that setting).
    fn known(instance: &str, recording: &str) -> bool {
        recording == "ws-global.txt" || instance == "limit"
    }

    /// A request that was made between recordings.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Json {
        let headers = [("apikey".to_owned(), "GLOBAL-KEY-FOR-TESTS".to_owned()), ("content-type".to_owned(), "application/json".to_owned())];
        let (_, text) = self.send(method, path, &headers, body).await;
        Json::parse(&text).unwrap_or(Json::Null)
    }
}

fn code_of(j: &Json) -> (String, Vec<String>) {
    let code = j.get("code").and_then(Json::text).unwrap_or_default().to_owned();
    let keys = code.split(',').skip(1).map(str::to_owned).collect();
    (code, keys)
}

fn drain(heard: &mut tokio::sync::broadcast::Receiver<std::sync::Arc<pairdeck::sandbox::Event>>) -> Vec<Json> {
    std::iter::from_fn(|| heard.try_recv().ok()).map(|e| Json::parse(&e.envelope).unwrap()).collect()
}

fn settle() -> impl Future<Output = ()> {
    sleep(Duration::from_millis(700))
}

#[tokio::test(start_paused = true)]
async fn every_recording_is_answered_as_the_real_server_answered_it() {
    let slow = |ms: u64| Duration::from_millis(ms);
    let mut t = Replay::new(Settings { refs: 2, ..Settings::default() });
    let mut heard = t.gateway.events();
    for n in ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13"] {
        t.replay(n).await;
    }
    let first = t.replay("14").await;
    assert_eq!(first, t.replay("15").await, "a number is ignored while connecting");
    t.replay("16").await;
    sleep(slow(5000)).await;
    t.gateway.phone("shop-a", "5511999990001");
    t.gateway.scan("shop-a", None).unwrap();
    settle().await;
    for n in ["17", "18", "19", "20", "21", "22", "23"] {
        if matches!(n, "22" | "23") {
            // The recorded token was made up by the server; ours has to stand in for it.
            t.gateway.retoken("shop-a", "F00EB28B-80C2-47C7-9632-2F0B5AEDA604");
        }
        t.replay(n).await;
    }
    for n in ["24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35", "36"] {
        t.replay(n).await;
    }
    settle().await;
    for n in ["37", "38", "40", "41", "42"] {
        t.replay(n).await;
    }
    let fast = t.replay("43").await;
    assert_eq!(fast, t.replay("44").await);
    t.gateway.type_code("shop-a", Some(fast.get("pairingCode").and_then(Json::text).unwrap())).unwrap();
    settle().await;
    t.ask("DELETE", "/instance/logout/shop-a", "").await;
    t.gateway.link_delay(Some("shop-a"), slow(1500));
    // The reported bug: the old session's code with the new count, the right one a second later.
    let stale = t.replay("45").await;
    assert_eq!(code_of(&stale).0, code_of(&fast).0, "the first answer is the old code");
    assert_eq!(stale.get("pairingCode"), fast.get("pairingCode"));
    sleep(slow(1000)).await;
    let fresh = t.replay("46").await;
    assert_ne!(code_of(&fresh).1, code_of(&stale).1, "after a wipe all key fields change");
    // shop-b, shop-c, on their own links.
    t.gateway.link_delay(None, slow(1500));
    t.replay("47").await;
    t.gateway.link_delay(None, slow(3000));
    t.ask("POST", "/instance/create", r#"{"instanceName":"shop-c","integration":"WHATSAPP-BAILEYS"}"#).await;
    t.replay("49").await;
    sleep(slow(3000)).await;
    t.replay("50").await;
    t.gateway.link_delay(None, slow(100));
    sleep(slow(25_000)).await;
    // shop-d by number, shop-e by QR; both run out of refs.
    t.ask("POST", "/instance/create", r#"{"instanceName":"shop-d","integration":"WHATSAPP-BAILEYS"}"#).await;
    t.gateway.refs("shop-a", 99);
    t.gateway.refs("shop-b", 99);
    t.gateway.refs("shop-c", 99);
    t.ask("GET", "/instance/connect/shop-d?number=5511999990004", "").await;
    t.ask("POST", "/instance/create", r#"{"instanceName":"shop-e","integration":"WHATSAPP-BAILEYS"}"#).await;
    let e_first = t.ask("GET", "/instance/connect/shop-e", "").await;
    sleep(slow(115_000)).await;
    let list = t.replay("53").await;
    assert_eq!(list.list().unwrap().len(), 5);
    t.replay("54").await;
    let e_dead = t.replay("55").await;
    assert_eq!(code_of(&e_first).1, code_of(&e_dead).1, "a session by QR keeps its key fields when refs run out");
    t.replay("56").await;
    t.ask("POST", "/instance/create", r#"{"instanceName":"shop-f","integration":"WHATSAPP-BAILEYS"}"#).await;
    for n in ["57", "58", "59", "60", "61", "62", "63", "64", "65", "66", "67", "68", "69"] {
        t.replay(n).await;
    }
    settle().await;
    t.order(&drain(&mut heard), "ws-global.txt");
    t.gateway.restart_server();
    sleep(slow(4000)).await;
    t.replay("70").await;
    limited(&mut t).await;
    ahead(&mut t).await;
    assert!(t.wrong.is_empty(), "{} differences:\n{}", t.wrong.len(), t.wrong.join("\n"));

    let all: BTreeSet<String> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let excepted: BTreeSet<String> = NOT_REPLAYED.iter().map(|(n, _)| (*n).to_owned()).collect();
    let missed: Vec<_> = all.iter().filter(|f| !t.replayed.contains(*f) && !excepted.contains(*f)).collect();
    assert!(missed.is_empty(), "neither replayed nor excepted: {missed:?}");
    assert!(excepted.is_subset(&all), "an exception for a file that is not there");
    assert!(excepted.is_disjoint(&t.replayed));
}

/// Recordings 71 to 75 were made on a server with `QRCODE_LIMIT=2`.
async fn limited(t: &mut Replay) {
    let other = Replay::new(Settings { qr_limit: 2, tz_offset_s: -10_800, expose_keys: false, ..Settings::default() });
    let main = std::mem::replace(&mut t.gateway, other.gateway);
    let mut heard = t.gateway.events();
    t.replay("71").await;
    let before = t.replay("72").await;
    sleep(Duration::from_secs(124)).await;
    t.replay("73").await;
    t.replay("74").await;
    assert_eq!(t.gateway.state("limit"), Some((Link::Close, Link::Connecting)), "memory and database disagree");
    let after = t.replay("75").await;
    t.order(&drain(&mut heard), "ws-limit2-tz-saopaulo-noexpose.txt");
    assert_eq!(code_of(&before).1, code_of(&after).1, "the limit does not wipe");
    t.gateway = main;
}

/// Recordings 80 to 83 were made with the host's clock three hours ahead.
async fn ahead(t: &mut Replay) {
    t.gateway.date(DateMode::Skewed(3 * 3_600_000));
    t.replay("80").await;
    t.replay("81").await;
    t.replay("82").await;
    t.ask("GET", "/instance/connect/shop-w", "").await;
    t.gateway.scan("shop-w", None).unwrap();
    settle().await;
    t.replay("83").await;
}
