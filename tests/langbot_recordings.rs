//! The sandbox's LangBot server against recordings of the real one (4.11.2): each recorded request is put to it in the recorded
//! order; status, headers and the text of the body must be the same, values too unless `DIFFERS` says why. The WeCom side is a
//! mock as it was for the recordings, reached through `api_base_url`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use axum::{
    Json as Body2, Router,
    body::{Body, to_bytes},
    extract::{Query, State},
    http::Request,
    routing::{get, post},
};
use pairdeck::sandbox::{Clock, LangBot, LangBotSettings, LangBotTiming, Options, Sandbox, json::Json, start};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use support::replay::{self, Recording, folder};
use tokio_util::sync::CancellationToken;

/// Values that may differ: key, or recording and place, and why. Their kinds must agree.
const DIFFERS: &[(&str, &str)] = &[
    ("uuid", "made up by the server"),
    ("workspace_uuid", "made up by the server"),
    ("created_by_account_uuid", "made up by the server"),
    ("id", "made up by the server (bindings), or compared by `numbers`"),
    ("target_uuid", "made up by the server"),
    ("request_id", "made up by the server"),
    ("key", "redacted in the recording"),
    ("token", "a JWT, or redacted"),
    ("created_at", "an instant"),
    ("updated_at", "an instant"),
    ("timestamp", "an instant"),
    ("api_base_url", "the mock's address"),
    ("webhook_full_url", "holds the bot's id"),
    ("webhook_url", "holds the bot's id"),
    ("asyncio_tasks", "a gauge of the process"),
    ("completed_total", "a gauge of the process"),
    ("submitted_total", "a gauge of the process"),
    ("last_lag_ms", "a gauge of the process"),
    ("max_lag_ms", "a gauge of the process"),
    ("recent_max_lag_ms", "a gauge of the process"),
    ("recent_p95_lag_ms", "a gauge of the process"),
    ("samples_total", "a gauge of the process"),
];

fn read(name: &str) -> Recording {
    let text = std::fs::read_to_string(folder("langbot").join(format!("{name}.http"))).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut lines = text.lines().peekable();
    let first: Vec<&str> = lines.next().unwrap().strip_prefix("# ").unwrap().split(' ').collect();
    let (method, path) = (first[0].to_owned(), first[1].to_owned());
    let mut args = Vec::new();
    while let Some(arg) = lines.peek().and_then(|l| l.strip_prefix("# arg: ")) {
        args.push(arg.to_owned());
        lines.next();
    }
    let mut headers = Vec::new();
    let mut body = String::new();
    for pair in args.chunks(2) {
        match pair[0].as_str() {
            "-H" => headers.push(pair[1].split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()),
            "-d" => body = pair[1].clone(),
            other => panic!("{name}: {other}"),
        }
    }
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let answer_headers =
        lines.by_ref().take_while(|l| !l.is_empty()).filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    let answer = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    Recording { method, path, headers, body, status, answer_headers, answer }
}

/// True where a value may differ from the recorded one. The adapter's own token is a fixed text; the login's is a JWT.
fn free(at: &str, key: &str, want: &Json, _: &Json) -> bool {
    let fixed = key == "token" && matches!(want, Json::Text(w) if w != "<jwt>");
    !fixed && DIFFERS.iter().any(|(k, _)| *k == key || *k == at)
}

fn compare(at: &str, key: &str, want: &Json, got: &Json, wrong: &mut Vec<String>) {
    replay::compare(at, key, want, got, &free, wrong);
}

/// The mock of qyapi: one good secret, tokens that can be made to die.
#[derive(Default)]
struct Qyapi {
    given: u32,
    good: Option<String>,
    sent: Vec<(String, i64)>,
}

async fn qyapi() -> (String, Arc<Mutex<Qyapi>>) {
    let state = Arc::new(Mutex::new(Qyapi::default()));
    let token = async |State(s): State<Arc<Mutex<Qyapi>>>, Query(q): Query<HashMap<String, String>>| {
        let mut s = s.lock().unwrap();
        if q["corpsecret"] != "secretA0123456789" {
            let e = "invalid credential, hint: [1795246706], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40001";
            return (axum::http::HeaderMap::new(), format!("{{\"errcode\": 40001, \"errmsg\": {:?}}}", e));
        }
        s.given += 1;
        let t = format!("tok{}", s.given);
        s.good = Some(t.clone());
        (axum::http::HeaderMap::new(), json!({ "errcode": 0, "errmsg": "ok", "access_token": t, "expires_in": 7200 }).to_string())
    };
    let send = async |State(s): State<Arc<Mutex<Qyapi>>>, Query(q): Query<HashMap<String, String>>, Body2(b): Body2<Value>| {
        let mut s = s.lock().unwrap();
        let code = if s.good.as_deref() == Some(q["access_token"].as_str()) { 0 } else { 42001 };
        s.sent.push((b["text"]["content"].as_str().unwrap().to_owned(), code));
        Body2(json!({ "errcode": code, "errmsg": if code == 0 { "ok" } else { "access_token expired" } }))
    };
    let app = Router::new().route("/cgi-bin/gettoken", get(token)).route("/cgi-bin/message/send", post(send)).with_state(Arc::clone(&state));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{at}/cgi-bin"), state)
}

struct Stage {
    server: LangBot,
    base: String,
    jwt: String,
    /// Recorded ids and ours.
    ids: Vec<(&'static str, String)>,
    wrong: Vec<String>,
    played: Vec<String>,
}

impl Stage {
    fn new(settings: LangBotSettings, base: &str) -> Self {
        let server = LangBot::new("lb", settings, Clock::virtual_from(1_795_246_693_000), Some(1), CancellationToken::new());
        Self { server, base: base.to_owned(), jwt: String::new(), ids: Vec::new(), wrong: Vec::new(), played: Vec::new() }
    }

    async fn call(&self, method: &str, path: &str, headers: &[(String, String)], body: &str) -> (u16, BTreeMap<String, String>, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (k, v) in headers {
            request = request.header(k, v.replace("<jwt>", &self.jwt));
        }
        let answer = self.server.handle(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let headers = answer.headers().iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
        let body = String::from_utf8(to_bytes(answer.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap();
        (status, headers, body)
    }

    fn ours(&self, text: &str) -> String {
        let text = text.replace("http://127.0.0.1:17480/cgi-bin", &self.base);
        self.ids.iter().fold(text, |t, (recorded, ours)| t.replace(recorded, ours))
    }

    async fn play(&mut self, name: &str) -> String {
        let r = read(name);
        let (status, headers, body) = self.call(&r.method, &self.ours(&r.path), &r.headers, &self.ours(&r.body)).await;
        let mut say = |what: String| self.wrong.push(format!("{name}: {what}"));
        if status != r.status {
            say(format!("status {status}, recorded {}: {body}", r.status));
        }
        let plain = |h: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            h.iter().filter(|(k, _)| !["content-length", "date", "x-request-id"].contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        if plain(&headers) != plain(&r.answer_headers) {
            say(format!("headers {:?}, recorded {:?}", plain(&headers), plain(&r.answer_headers)));
        }
        for k in ["date", "x-request-id", "content-length"] {
            if headers.contains_key(k) != r.answer_headers.contains_key(k) {
                say(format!("the header {k} is missing or too many"));
            }
        }
        if headers.get("content-length") != Some(&body.len().to_string()) {
            say("the length is wrong".to_owned());
        }
        match Json::parse(&r.answer) {
            Ok(want) => match Json::parse(&body) {
                Ok(got) => {
                    compare(name, "", &want, &got, &mut self.wrong);
                    // Keys sorted, nothing outside ASCII, no blanks: a text as Quart writes it survives a round trip.
                    let one = |text: &str| text.is_ascii() && !text.contains("\": ");
                    if !one(&body) {
                        self.wrong.push(format!("{name}: not the bytes that Quart would write"));
                    }
                }
                Err(e) => self.wrong.push(format!("{name}: {body:?} is no JSON: {e}")),
            },
            Err(_) if r.answer != body => self.wrong.push(format!("{name}: {body:?}, recorded {:?}", r.answer)),
            Err(_) => {}
        }
        self.played.push(name.to_owned());
        body
    }

    async fn play_all(&mut self, names: &[&str]) {
        for name in names {
            self.play(name).await;
        }
    }

    /// A call that the recorder made and did not keep.
    async fn unrecorded(&self, method: &str, path: &str, body: Value) -> Value {
        let headers = [("X-API-Key".to_owned(), "lbk_sandbox_global_key".to_owned())];
        serde_json::from_str(&self.call(method, path, &headers, &body.to_string()).await.2).unwrap_or(Value::Null)
    }

    fn done(self) -> Vec<String> {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        self.played
    }
}

fn uuid(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["data"]["uuid"].as_str().unwrap().to_owned()
}

fn token(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["data"]["token"].as_str().unwrap().to_owned()
}

fn unclaimed() -> LangBotSettings {
    let timing = LangBotTiming { qr_wait: Duration::from_millis(50), ..LangBotTiming::default() };
    LangBotSettings { owner: None, offline: true, timing, ..LangBotSettings::default() }
}

/// The first life of the recorded server.
async fn first() -> Vec<String> {
    let (base, wecom) = qyapi().await;
    let mut s = Stage::new(unclaimed(), &base);
    s.play_all(&["00-healthz", "01-system-info", "02-user-init-status", "03-user-init", "04-user-auth-bad"]).await;
    s.jwt = token(&s.play("05-user-auth").await);
    s.play_all(&["06-bots-noauth", "07-bots-badkey", "08-bots-empty", "09-adapters-apikey", "10-adapter-wecom"]).await;
    let id = uuid(&s.play("11-bot-create").await);
    s.ids.push(("7d6c11e0-51f8-4055-8dc0-707312850040", id));
    s.play_all(&["12-bots-list", "13-bot-get", "14-bot-disable", "15-bot-get-disabled", "16-bot-enable", "17-bot-send", "18-bot-logs"]).await;
    wecom.lock().unwrap().good = None;
    s.play_all(&["19-bot-send-after-expiry", "20-bot-secret-wrong", "21-bot-send-bad-secret"]).await;
    s.play("22-bot-logs-after-error").await;
    {
        let w = wecom.lock().unwrap();
        assert_eq!(w.given, 2, "one token at the first send, one after 42001");
        assert_eq!(w.sent, [("hello from pairdeck".to_owned(), 0), ("after expiry".to_owned(), 42001), ("after expiry".to_owned(), 0)]);
    }
    s.play_all(&["23-weixin-login-apikey", "24-weixin-login-jwt-offline", "25-wecombot-create-jwt-offline", "26-qr-status-unknown"]).await;
    s.play_all(&["27-apikey-create", "28-apikeys-list", "29-stats", "30-webhook-verify-bad", "31-tasks", "32-bot-get-missing"]).await;
    s.play_all(&["33-bot-delete", "34-system-info-authed"]).await;
    s.done()
}

/// The rest of the first life, as far as no socket is in play: time may stand still.
async fn rest() -> Vec<String> {
    let mut s = Stage::new(LangBotSettings::default(), "http://127.0.0.1:9/cgi-bin");
    s.jwt = s.server.made_jwt().expose().to_owned();
    // A second `wecom` bot, whose creation was not kept.
    let made = s.unrecorded("POST", "/api/v1/platform/bots", serde_json::from_str(&s.ours(&read("11-bot-create").body)).unwrap()).await;
    s.ids.push(("4b4a99e0-00e9-40c8-bcf4-7d924d213828", made["data"]["uuid"].as_str().unwrap().to_owned()));
    s.play_all(&["35-bot-put-empty", "36-bot-put-unknown-field"]).await;
    let id = uuid(&s.play("37-wecombot-create").await);
    // The recorded bot was running already, which takes an update after its creation (recordings 43, 44).
    s.unrecorded("PUT", &format!("/api/v1/platform/bots/{id}"), json!({ "enable": true })).await;
    s.server.far_side("aibot", pairdeck::sandbox::FarSide::Unreachable);
    s.ids.push(("16ea1bc7-91fd-495b-8d02-57753e385f28", id));
    tokio::time::sleep(Duration::from_secs(5)).await;
    s.play_all(&["38-wecombot-get-while-disconnected", "39-wecombot-logs-reconnecting", "40-monitoring-overview", "41-webhooks-apikey"]).await;
    let gone = s.ours("/api/v1/platform/bots/4b4a99e0-00e9-40c8-bcf4-7d924d213828");
    s.unrecorded("PUT", &gone, json!({ "enable": false })).await;
    s.play("42-send-while-disabled").await;
    s.done()
}

/// The second life: tasks.
async fn second() -> Vec<String> {
    let mut s = Stage::new(LangBotSettings::default(), "http://127.0.0.1:9/cgi-bin");
    s.jwt = s.server.made_jwt().expose().to_owned();
    let made = s.unrecorded("POST", "/api/v1/platform/bots", serde_json::from_str(&read("11-bot-create").body).unwrap()).await;
    let bot = format!("/api/v1/platform/bots/{}", made["data"]["uuid"].as_str().unwrap());
    s.play_all(&["31-tasks-jwt-right-after-create", "43-tasks-adapter-apikey"]).await;
    s.unrecorded("PUT", &bot, json!({ "enable": true })).await;
    let after = s.play("44-tasks-adapter-apikey-after-restart").await;
    numbers(&after, &[10, 12]);
    let people = s.play("45-tasks-adapter-jwt").await;
    numbers(&people, &[10, 12]);
    s.unrecorded("PUT", &bot, json!({ "enable": false })).await;
    s.play_all(&["46-tasks-adapter-apikey-disabled", "47-healthz-with-bot"]).await;
    s.done()
}

/// The numbers of the tasks in an answer.
fn numbers(body: &str, want: &[u64]) {
    let body: Value = serde_json::from_str(body).unwrap();
    let got: Vec<u64> = body["data"]["tasks"].as_array().unwrap().iter().map(|t| t["id"].as_u64().unwrap()).collect();
    assert_eq!(got, want);
}

#[test]
fn every_recorded_answer_of_langbot_comes_back_the_same() {
    let sockets = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut played = sockets.block_on(first());
    let still = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    played.extend(still.block_on(rest()));
    played.extend(still.block_on(second()));
    played.sort();
    let mut all: Vec<String> = std::fs::read_dir(folder("langbot"))
        .unwrap()
        .filter_map(|f| f.unwrap().file_name().to_str().unwrap().strip_suffix(".http").map(str::to_owned))
        .collect();
    all.sort();
    assert_eq!(played, all, "every recording is played");
}

async fn http(at: &str, method: &str, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = at.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let body = body.to_string();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut out = String::new();
    stream.read_to_string(&mut out).await.unwrap();
    let (head, body) = out.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn outsiders_scan_a_code_and_break_a_bot_by_the_control_api() {
    let house: Sandbox = start(Options { scenario: "langbot-new".to_owned(), ..Options::default() }).await.unwrap();
    let lb = house.langbot("lb-open").unwrap();
    let announced = house.announce(None);
    assert_eq!(announced["gateways"][0]["kind"], "langbot");
    assert_eq!(announced["gateways"][0]["credentials"], json!({ "api_key": "lbk_sandbox_open_key_5e21" }), "nobody has claimed it");
    let person = format!("Authorization: Bearer {}\r\n", lb.made_jwt().expose());
    let (status, begun) = http(&lb.url(), "POST", "/api/v1/platform/adapters/wecombot/create-bot", &person, &json!({})).await;
    assert_eq!(status, 200, "{begun}");
    let id = begun["data"]["session_id"].as_str().unwrap();
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
    let ahead = begun["data"]["expire_at"].as_f64().unwrap() - now - 300.0;
    assert!((235.0..245.0).contains(&ahead), "its clock is four minutes ahead: {ahead}");
    let (_, sessions) = http(house.control(), "GET", "/sessions", "", &json!({})).await;
    assert_eq!((sessions[0]["session"].as_str(), sessions[0]["status"].as_str()), (Some(id), Some("waiting")));
    assert_eq!(http(house.control(), "POST", "/scan", "", &json!({ "flow": "lark" })).await.0, 404);
    let scan = json!({ "gateway": "lb-open", "payload": begun["data"]["qr_url"] });
    assert_eq!(http(house.control(), "POST", "/scan", "", &scan).await.1["session"], id);
    assert_eq!(http(house.control(), "POST", "/scan", "", &scan).await.0, 409, "once");
    // A bot of the other server says why it fails, in its log alone.
    let far = json!({ "bot": "quiet", "far": "bad_secret" });
    assert_eq!(http(house.control(), "POST", "/bot", "", &far).await.0, 200);
    let inside = house.langbot("lb-inside").unwrap();
    let key = "X-API-Key: lbk_sandbox_inside_key_e0a7\r\n";
    let send = json!({ "target_type": "person", "target_id": "a|1", "message_chain": [{ "type": "Plain", "text": "x" }] });
    let path = format!("/api/v1/platform/bots/{}/send_message", inside.bot("quiet").unwrap().uuid);
    assert_eq!(http(&inside.url(), "POST", &path, key, &send).await.1["code"], "internal_error");
    assert!(inside.log("quiet")[0].text.starts_with("获取accesstoken失败:{'errcode': 40001,"));
    let (_, counts) = http(house.control(), "GET", "/requests", "", &json!({})).await;
    assert!(counts.as_array().unwrap().iter().any(|c| c["gateway"] == "lb-inside" && c["path"] == path.as_str() && c["count"] == 1), "{counts}");
}
