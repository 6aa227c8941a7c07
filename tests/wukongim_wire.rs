//! The sandbox's WuKongIM server over real sockets: JSON-RPC as recorded (trace Q, R), silence on a wrong token, zombies, two
//! clients that exchange a message, faults, and the control API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures_util::{SinkExt, StreamExt};
use pairdeck::sandbox::{Fault, Manner, Options, Part, Sandbox, Version, Wukong, WukongSettings, WukongTiming, start};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

type Ws = WebSocketStream<TcpStream>;

async fn house(settings: WukongSettings) -> Sandbox {
    Sandbox::with(vec![("im".to_owned(), Part::Wukong(Box::new(settings), Vec::new()))], &Options::default()).await.unwrap()
}

fn quick() -> WukongSettings {
    let timing = WukongTiming { refused: Duration::from_millis(300), quit_grace: Duration::from_millis(200), ..WukongTiming::default() };
    WukongSettings { timing, ..WukongSettings::default() }
}

async fn open(im: &Wukong) -> Ws {
    let url = im.ws_url();
    let tcp = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    client_async(url, tcp).await.unwrap().0
}

async fn say(ws: &mut Ws, v: Value) {
    ws.send(Message::text(v.to_string())).await.unwrap();
}

/// The next frame, or `None` when the socket ends.
async fn hear(ws: &mut Ws) -> Option<Value> {
    match timeout(Duration::from_secs(10), ws.next()).await.expect("nothing comes")? {
        Ok(Message::Text(t)) => Some(serde_json::from_str(&t).unwrap()),
        // 1006: the end without a close frame is an error to this client.
        Err(_) => None,
        Ok(other) => panic!("{other:?}"),
    }
}

fn connect(uid: &str, token: &str, flag: u8) -> Value {
    json!({ "jsonrpc": "2.0", "method": "connect", "id": "c1", "params": { "uid": uid, "token": token, "deviceFlag": flag, "deviceId": "wd1", "clientTimestamp": 1 } })
}

async fn raw(url: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let at = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {at}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    let _ = stream.read_to_end(&mut out).await;
    String::from_utf8_lossy(&out).into_owned()
}

/// One call of the control API.
async fn control(s: &Sandbox, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let text = raw(s.control(), method, path, "Content-Type: application/json\r\n", &body).await;
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap())
}

#[tokio::test]
async fn q_json_rpc_is_answered_frame_by_frame_as_recorded() {
    let s = house(quick()).await;
    let im = s.wukong("im").unwrap();
    im.issue("r1", 1, 1, "tR").unwrap();
    let mut ws = open(im).await;
    say(&mut ws, connect("r1", "tR", 1)).await;
    let ack = hear(&mut ws).await.unwrap();
    assert_eq!(
        (&ack["id"], &ack["result"]["reasonCode"], &ack["result"]["nodeId"], &ack["result"]["serverVersion"]),
        (&json!("c1"), &json!(1), &json!(1001), &json!(5))
    );
    assert!(ack["result"]["timeDiff"].as_i64().unwrap() > 0);
    say(&mut ws, json!({ "jsonrpc": "2.0", "method": "ping", "id": "p1" })).await;
    assert_eq!(hear(&mut ws).await.unwrap(), json!({ "jsonrpc": "2.0", "id": "p1" }));
    say(&mut ws, json!({ "method": "send", "id": "s1", "params": { "channelId": "r2", "channelType": 1, "payload": { "type": 1 } } })).await;
    let refused = hear(&mut ws).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().ends_with("SendParams.payload of type []uint8"), "{refused}");
    drop(ws);
    while !im.online("r1").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wrong_token_is_met_with_silence_and_the_socket_counts_until_it_ends() {
    let s = house(quick()).await;
    let im = s.wukong("im").unwrap();
    im.issue("r1", 1, 1, "tR").unwrap();
    let mut ws = open(im).await;
    let began = Instant::now();
    say(&mut ws, connect("r1", "BAD", 1)).await;
    while im.log().is_empty() {
        tokio::task::yield_now().await;
    }
    let connz = raw(&im.api_url(), "GET", "/connz", "token: MANAGER-TOKEN-FOR-TESTS\r\n", "").await;
    assert!(connz.contains(r#""connections":[]"#) && connz.contains(r#""total":1"#), "{connz}");
    assert_eq!(hear(&mut ws).await, None);
    assert!(began.elapsed() >= Duration::from_millis(300));
    // What is no CONNECT ends at once.
    let mut ws = open(im).await;
    say(&mut ws, json!({ "method": "ping", "id": "p" })).await;
    assert_eq!(hear(&mut ws).await, None);
}

#[tokio::test]
async fn v1_says_reason_2_and_v3_lets_anybody_in_and_closes_on_a_kick() {
    let s = house(WukongSettings { version: Version::V1, ..quick() }).await;
    let mut ws = open(s.wukong("im").unwrap()).await;
    say(&mut ws, connect("r1", "BAD", 1)).await;
    assert_eq!(hear(&mut ws).await.unwrap()["result"]["reasonCode"], 2);
    assert_eq!(hear(&mut ws).await, None);

    let s = house(WukongSettings { version: Version::V3, manager_token: None, ..quick() }).await;
    let im = s.wukong("im").unwrap();
    im.issue("a1", 0, 1, "tA").unwrap();
    let mut ws = open(im).await;
    say(&mut ws, connect("a1", "", 0)).await;
    assert_eq!(hear(&mut ws).await.unwrap()["result"]["reasonCode"], 1);
    im.quit("a1", 0);
    assert_eq!(hear(&mut ws).await, None, "no DISCONNECT, the socket ends");
}

#[tokio::test]
async fn r_a_kicked_client_that_stays_is_a_zombie_whose_messages_still_arrive() {
    let s = house(quick()).await;
    let im = s.wukong("im").unwrap();
    for uid in ["z1", "z2"] {
        im.issue(uid, 1, 1, "t").unwrap();
    }
    let (mut one, mut two) = (open(im).await, open(im).await);
    say(&mut one, connect("z1", "t", 1)).await;
    hear(&mut one).await.unwrap();
    say(&mut two, connect("z2", "t", 1)).await;
    hear(&mut two).await.unwrap();
    let send = |n: &str| json!({ "jsonrpc": "2.0", "method": "send", "id": n, "params": { "channelId": "z2", "channelType": 1, "clientMsgNo": n, "payload": "eyJ0eXBlIjoxfQ==" } });
    say(&mut one, send("m1")).await;
    let ack = hear(&mut one).await.unwrap();
    assert_eq!((&ack["id"], &ack["result"]["reasonCode"], &ack["result"]["messageSeq"]), (&json!("m1"), &json!(1), &json!(1)));
    let got = hear(&mut two).await.unwrap();
    assert_eq!(got["method"], "recv");
    let p = &got["params"];
    assert_eq!((&p["fromUid"], &p["channelId"], &p["clientMsgNo"]), (&json!("z1"), &json!("z1"), &json!("m1")));
    assert!(p["messageId"].as_str().unwrap().parse::<u64>().unwrap() > 1 << 53);

    im.quit("z1", 1);
    assert_eq!(hear(&mut one).await.unwrap(), json!({ "jsonrpc": "2.0", "method": "disconnect", "params": { "reasonCode": 12 } }));
    while im.zombies() == 0 {
        tokio::task::yield_now().await;
    }
    say(&mut one, json!({ "jsonrpc": "2.0", "method": "ping", "id": "p2" })).await;
    say(&mut one, send("m2")).await;
    assert_eq!(hear(&mut two).await.unwrap()["params"]["clientMsgNo"], "m2");
    assert!(timeout(Duration::from_millis(200), one.next()).await.is_err(), "neither PING nor SEND is answered, and the socket stays");
    drop(one);
    while im.zombies() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_socket_that_says_nothing_for_the_idle_time_is_closed() {
    let timing = WukongTiming { idle: Duration::from_millis(200), ..WukongTiming::default() };
    let s = house(WukongSettings { timing, ..WukongSettings::default() }).await;
    let im = s.wukong("im").unwrap();
    im.issue("i1", 1, 0, "t").unwrap();
    let mut ws = open(im).await;
    say(&mut ws, connect("i1", "t", 1)).await;
    hear(&mut ws).await.unwrap();
    assert_eq!(hear(&mut ws).await, None);
    while !im.online("i1").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn faults_and_a_skewed_date_look_like_this_server() {
    let s = house(quick()).await;
    let im = s.wukong("im").unwrap();
    let ask = async || raw(&im.api_url(), "GET", "/health", "token: MANAGER-TOKEN-FOR-TESTS\r\n", "").await;
    im.fault(Fault::Status(503), 1, Some("/health"));
    let broken = ask().await;
    assert!(broken.starts_with("HTTP/1.1 503") && broken.ends_with("\r\n\r\n") && !broken.contains("Content-Type"), "{broken}");
    im.fault(Fault::Unauthorized, 1, None);
    assert!(ask().await.starts_with("HTTP/1.1 401"));
    im.fault(Fault::Drop, 1, None);
    assert_eq!(ask().await, "");
    let date = |text: &str| httpdate::parse_http_date(text.split("Date: ").nth(1).unwrap().split("\r\n").next().unwrap()).unwrap();
    let right = date(&ask().await);
    assert_eq!(control(&s, "POST", "/skew", json!({ "gateway": "im", "seconds": 7200 })).await.0, 200);
    let ahead = date(&ask().await).duration_since(right).unwrap();
    assert!((7190..7260).contains(&ahead.as_secs()), "{ahead:?}");
    assert_eq!(im.requests().iter().map(|c| c.count).sum::<u64>(), 5);
}

#[tokio::test]
async fn the_control_api_logs_clients_in_ends_them_and_shows_the_servers_log() {
    let s = start(Options { scenario: "wukongim".into(), ..Options::default() }).await.unwrap();
    let im = s.wukong("im-core").unwrap();
    let info = s.announce(None);
    assert_eq!(info["gateways"][0]["kind"], "wukongim");
    assert_eq!(info["gateways"][0]["manager_url"], json!(im.manager_url()));
    // A business server issues at level 1 on lin's phone: whoever is there is thrown out.
    let before = im.token("lin", 0).unwrap();
    let (status, v) = control(&s, "POST", "/login", json!({ "account": "im-core:lin", "flag": 0, "level": 1, "device_id": "thief" })).await;
    assert_eq!((status, &v["ok"]), (200, &json!(true)), "{v}");
    assert_ne!(im.token("lin", 0).unwrap().expose(), before.expose());
    // Back with the token that is there.
    assert_eq!(control(&s, "POST", "/login", json!({ "account": "lin", "flag": 1, "device_id": "other" })).await.0, 200);
    let (status, v) = control(&s, "POST", "/login", json!({ "account": "chen", "flag": 1 })).await;
    assert_eq!((status, &v["error"]), (409, &json!("token is empty")), "a wiped device");
    let (status, v) = control(&s, "POST", "/login", json!({ "account": "lin", "flag": 1, "token": "BAD" })).await;
    assert_eq!((status, &v["error"]), (409, &json!("token verify fail")));
    let (_, log) = control(&s, "GET", "/log", Value::Null).await;
    // Each refusal is two lines.
    let last: Vec<&str> = log.as_array().unwrap().iter().rev().take(2).map(|l| l["line"].as_str().unwrap()).collect();
    assert!(last[0].contains("handle connect err") && last[0].contains(r#""error":"token verify fail""#), "{last:?}");
    assert!(last[1].contains("token verify fail") && last[1].contains(r#""actToken":"BAD""#), "{last:?}");
    assert_eq!(control(&s, "POST", "/unlink", json!({ "account": "lin", "flag": 2 })).await, (200, json!({ "v": 1, "ok": true, "ended": 1 })));
    assert!(im.online("lin").iter().all(|c| c.flag != 2));
    assert_eq!(control(&s, "POST", "/expire", json!({ "account": "shop-1001" })).await.0, 200);
    assert!(im.devices("shop-1001").iter().all(|d| d.token.is_empty() && d.level == 1));
    assert_eq!(control(&s, "POST", "/scan", json!({ "account": "lin", "kind": "qr" })).await.0, 409);
    assert_eq!(control(&s, "POST", "/login", json!({ "account": "nobody", "flag": 0 })).await.0, 404);
    assert_eq!(control(&s, "POST", "/fault", json!({ "kind": "peer_down", "count": 1 })).await.0, 200);
    let answer = raw(&im.api_url(), "POST", "/user/onlinestatus", "token: SANDBOX-IM-TOKEN-4c19e0\r\n", "[\"lin\"]").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn events_carry_the_webhooks_strings() {
    let s = house(quick()).await;
    let im = s.wukong("im").unwrap();
    let at = s.control().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&at).await.unwrap();
    stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {at}\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("\r\n\r\n") {
        let n = stream.read(&mut buffer).await.unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    im.issue("a-1", 4, 0, "t").unwrap();
    let id = im.client("a-1", 4, "d1", "t", Manner::Deaf).unwrap();
    im.hang_up(id);
    let (on, off) = (format!("a-1-4-1-{id}-1-1"), format!("a-1-4-0-{id}-0-0"));
    while !(seen.contains(&on) && seen.contains(&off)) {
        let n = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.expect("no event").unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(seen.contains(r#"{"v":1,"gateway":"im","event":{"event":"user.onlinestatus","data":["#), "{seen}");
}
