//! The server's quirks, one by one, in process and in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::sandbox::{Fault, settings::DateMode};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "lbk_sandbox_global_key";

fn wecom(far: FarSide) -> BotSpec {
    let config = json!({ "corpid": "ww1", "secret": "bot-secret-1", "token": "cb", "EncodingAESKey": "aes" });
    let config = config.as_object().unwrap().clone();
    BotSpec { name: "support".to_owned(), adapter: "wecom".to_owned(), config, enable: true, far, ..BotSpec::default() }
}

fn server(settings: LangBotSettings, bots: &[BotSpec]) -> (LangBot, Vec<String>) {
    let s = LangBot::new("lb", settings, Clock::virtual_from(1_795_246_693_000), Some(7), CancellationToken::new());
    let ids = s.seed(bots);
    (s, ids)
}

async fn call(s: &LangBot, auth: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (name, value) =
        if let Some(jwt) = auth.strip_prefix("jwt ") { ("authorization", format!("Bearer {jwt}")) } else { ("x-api-key", auth.to_owned()) };
    let mut request = Request::builder().method(method).uri(path);
    if !auth.is_empty() {
        request = request.header(name, value);
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let answer = s.handle(request.body(Body::from(text)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn get(s: &LangBot, auth: &str, path: &str) -> (u16, Value) {
    call(s, auth, "GET", path, Value::Null).await
}

fn jwt(s: &LangBot) -> String {
    format!("jwt {}", s.made_jwt().expose())
}

async fn send(s: &LangBot, bot: &str) -> u16 {
    let body = json!({ "target_type": "person", "target_id": "zhang|1000002", "message_chain": [{ "type": "Plain", "text": "x" }] });
    call(s, KEY, "POST", &format!("/api/v1/platform/bots/{bot}/send_message"), body).await.0
}

async fn put(s: &LangBot, bot: &str, body: Value) -> u16 {
    call(s, KEY, "PUT", &format!("/api/v1/platform/bots/{bot}"), body).await.0
}

#[tokio::test(start_paused = true)]
async fn a_key_without_resource_manage_sees_no_adapter_config_and_writes_nothing() {
    let scopes = vec!["resource.view".to_owned(), "runtime.operate".to_owned()];
    let keys = vec![KeySpec { name: "watch".to_owned(), secret: "lbk_watch".to_owned(), scopes }];
    let (s, ids) = server(LangBotSettings { keys, ..LangBotSettings::default() }, &[wecom(FarSide::Good)]);
    let (_, list) = get(&s, "lbk_watch", "/api/v1/platform/bots").await;
    assert!(list["data"]["bots"][0].get("adapter_config").is_none(), "the column is missing, not masked: {list}");
    let (_, list) = get(&s, KEY, "/api/v1/platform/bots").await;
    assert_eq!(list["data"]["bots"][0]["adapter_config"]["secret"], "bot-secret-1", "with resource.manage it is all in clear");
    let path = format!("/api/v1/platform/bots/{}", ids[0]);
    let (status, body) = call(&s, "lbk_watch", "PUT", &path, json!({ "enable": true })).await;
    assert_eq!((status, body["code"].as_str()), (403, Some("permission_denied")));
    assert_eq!(body["msg"], "Missing Workspace permission: resource.manage");
    // A Bearer key does as well, a JWT does not where a key is asked for.
    assert_eq!(get(&s, "jwt lbk_watch", "/api/v1/platform/bots").await.0, 200);
    let (status, body) = call(&s, &jwt(&s), "POST", &format!("{path}/send_message"), json!({})).await;
    assert_eq!((status, body["code"].as_str()), (401, Some("invalid_authentication")));
}

#[tokio::test(start_paused = true)]
async fn a_restart_forgets_the_token_and_the_log_and_an_empty_update_does_not() {
    let (s, ids) = server(LangBotSettings::default(), &[wecom(FarSide::Good)]);
    s.write_log("support", "error", "before");
    assert_eq!(send(&s, &ids[0]).await, 200);
    assert_eq!(send(&s, &ids[0]).await, 200);
    assert_eq!(s.bots()[0].fetches, 1, "one token for both");
    assert_eq!(put(&s, &ids[0], json!({})).await, 200);
    assert_eq!(put(&s, &ids[0], json!({ "name": "renamed", "nope": 1 })).await, 200);
    assert_eq!((s.bots()[0].loads, s.log("renamed").len()), (1, 1));
    assert_eq!(put(&s, &ids[0], json!({ "enable": true })).await, 200);
    assert_eq!((s.bots()[0].loads, s.log("renamed").len()), (2, 0));
    assert_eq!(send(&s, &ids[0]).await, 200);
    assert_eq!(s.bots()[0].fetches, 2);
    assert_eq!(put(&s, &ids[0], json!({ "enable": false })).await, 200);
    assert_eq!(send(&s, &ids[0]).await, 500, "a bot that is off fails like any other");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_always_42001_costs_three_fetches_a_send_and_leaves_no_word_in_the_log() {
    let (s, ids) = server(LangBotSettings::default(), &[wecom(FarSide::Expired)]);
    assert_eq!(send(&s, &ids[0]).await, 500);
    assert_eq!((s.bots()[0].fetches, s.log("support").len()), (3, 0));
    s.far_side("support", FarSide::IpNotTrusted);
    assert_eq!(send(&s, &ids[0]).await, 500);
    let log = s.log("support");
    assert!(log[0].text.starts_with("发送消息失败:{'errcode': 60020, 'errmsg': 'not allow to access from your ip, hint: ["), "{log:?}");
    s.far_side("support", FarSide::Good);
    assert_eq!(send(&s, &ids[0]).await, 200);
    assert_eq!(s.bots()[0].fetches, 3, "the token of the loop is still there");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_load_is_saved_all_the_same_and_what_is_not_there_fails_in_two_ways() {
    let (s, ids) = server(LangBotSettings::default(), &[wecom(FarSide::Good)]);
    let path = format!("/api/v1/platform/bots/{}", ids[0]);
    let (status, body) = call(&s, KEY, "PUT", &path, json!({ "adapter_config": { "corpid": "ww1" } })).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("bot_apply_failed")));
    assert_eq!(body["msg"], "Wecom 缺少配置项: ['secret', 'token', 'EncodingAESKey']");
    let row = s.bot("support").unwrap();
    assert_eq!((row.enable, row.loaded), (true, false));
    let (_, one) = get(&s, KEY, &path).await;
    assert!(one["data"]["bot"]["adapter_runtime_values"].get("bot_account_id").is_none());
    assert_eq!(one["data"]["bot"]["adapter_config"], json!({ "corpid": "ww1" }));
    assert_eq!(put(&s, "nobody", json!({ "name": "x" })).await, 404);
    assert_eq!(put(&s, "nobody", json!({ "enable": true })).await, 500, "the source reads the row before it looks for it");
    assert_eq!(call(&s, KEY, "PUT", &path, json!([1])).await.1["code"], "invalid_bot_config");
}

#[tokio::test(start_paused = true)]
async fn a_qr_is_for_people_ends_by_the_servers_clock_and_gives_its_credential_once() {
    let (s, _) = server(LangBotSettings { date: DateMode::Skewed(240_000), ..LangBotSettings::default() }, &[]);
    let person = jwt(&s);
    let all = [
        (Flow::Weixin, 180.0, vec!["token", "base_url", "account_id"]),
        (Flow::Lark, 600.0, vec!["app_id", "app_secret"]),
        (Flow::DingTalk, 600.0, vec!["client_id", "client_secret"]),
        (Flow::WecomBot, 300.0, vec!["botid", "secret"]),
        (Flow::QqOfficial, 300.0, vec!["appid", "secret", "user_openid"]),
    ];
    for (flow, life, fields) in all {
        let (adapter, verb) = flow.path();
        let base = format!("/api/v1/platform/adapters/{adapter}/{verb}");
        assert_eq!(call(&s, KEY, "POST", &base, json!({})).await.1["msg"], "No valid user token provided", "{flow:?}");
        let (status, begun) = call(&s, &person, "POST", &base, json!({})).await;
        assert_eq!(status, 200, "{begun}");
        let now = s.inner.clock.now_ms() as f64 / 1000.0;
        assert_eq!(begun["data"]["expire_at"].as_f64().unwrap() - now, life + 240.0, "{flow:?}");
        assert_eq!(begun["data"].get("qr_data_url").is_some(), flow == Flow::Weixin);
        assert_eq!(begun["data"].get("qr_url").is_some(), flow != Flow::Weixin);
        let id = begun["data"]["session_id"].as_str().unwrap();
        let path = format!("{base}/status/{id}");
        assert_eq!(get(&s, &person, &path).await.1["data"]["status"], "waiting");
        let payload = s.sessions()[0].payload.clone();
        assert_eq!(s.scan(|r| r.payload == payload, Scan::Agrees).unwrap(), id);
        assert_eq!(s.scan(|r| r.id == id, Scan::Agrees), Err(NoScan::Again));
        tokio::time::sleep(Duration::from_secs(6)).await;
        let (_, end) = get(&s, &person, &path).await;
        assert_eq!(end["data"]["status"], "success", "{flow:?}");
        for f in fields {
            assert!(end["data"][f].as_str().is_some_and(|t| t.len() > 5), "{flow:?} {f}: {end}");
        }
        let (status, again) = get(&s, &person, &path).await;
        assert_eq!((status, again), (404, json!({ "code": -1, "msg": "Session not found" })), "{flow:?}: read once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_has_lost_the_credential() {
    let (s, _) = server(LangBotSettings::default(), &[]);
    let person = jwt(&s);
    let (_, begun) = call(&s, &person, "POST", "/api/v1/platform/adapters/wecombot/create-bot", json!({})).await;
    let path = format!("/api/v1/platform/adapters/wecombot/create-bot/status/{}", begun["data"]["session_id"].as_str().unwrap());
    s.scan(|_| true, Scan::Agrees).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    s.fault(Fault::Mute, 1, None);
    let lost = get(&s, &person, &path);
    assert!(tokio::time::timeout(Duration::from_secs(60), lost).await.is_err());
    assert_eq!(get(&s, &person, &path).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn codes_end_in_five_ways() {
    let (s, _) = server(LangBotSettings::default(), &[]);
    let person = jwt(&s);
    let mut paths = Vec::new();
    for flow in Flow::ALL {
        let (adapter, verb) = flow.path();
        let base = format!("/api/v1/platform/adapters/{adapter}/{verb}");
        let (_, begun) = call(&s, &person, "POST", &base, json!({})).await;
        paths.push(format!("{base}/status/{}", begun["data"]["session_id"].as_str().unwrap()));
    }
    tokio::time::sleep(Duration::from_secs(302)).await;
    assert_eq!(get(&s, &person, &paths[0]).await.1["data"]["status"], "expired", "weixin, after 180 s");
    assert_eq!(get(&s, &person, &paths[3]).await.0, 404, "wecombot: its session lives no longer than its code");
    assert_eq!(get(&s, &person, &paths[1]).await.1["data"]["status"], "waiting");
    tokio::time::sleep(Duration::from_secs(305)).await;
    assert_eq!(get(&s, &person, &paths[1]).await.1["data"], json!({ "status": "error", "error": "QR code expired" }), "lark");
    assert_eq!(get(&s, &person, &paths[2]).await.0, 404, "dingtalk");
}

#[tokio::test(start_paused = true)]
async fn a_ninth_exchange_is_refused_and_a_cancelled_one_breaks_the_task_list_of_people() {
    let (s, _) = server(LangBotSettings::default(), &[]);
    let person = jwt(&s);
    let begin = async |flow: &str| call(&s, &person, "POST", &format!("/api/v1/platform/adapters/{flow}"), json!({})).await;
    let first = begin("wecombot/create-bot").await.1["data"]["session_id"].as_str().unwrap().to_owned();
    for _ in 0..7 {
        assert_eq!(begin("weixin/login").await.0, 200);
    }
    assert_eq!(begin("lark/create-app").await, (429, json!({ "code": -1, "msg": "Too many active credential exchanges" })));
    assert_eq!(get(&s, &person, "/api/v1/system/tasks").await.0, 200);
    let (status, _) = call(&s, &person, "DELETE", &format!("/api/v1/platform/adapters/wecombot/create-bot/{first}"), Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(get(&s, &person, "/api/v1/system/tasks").await.0, 200, "this flow catches its cancellation");
    let weixin = s.sessions()[0].id.clone();
    call(&s, &person, "DELETE", &format!("/api/v1/platform/adapters/weixin/login/{weixin}"), Value::Null).await;
    assert_eq!(get(&s, &person, "/api/v1/system/tasks").await, (500, Value::Null), "this one does not");
    assert_eq!(get(&s, KEY, "/api/v1/system/tasks").await.0, 200, "keys see another form");
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_claimed_by_whoever_comes_first() {
    let (s, _) = server(LangBotSettings { owner: None, ..LangBotSettings::default() }, &[]);
    assert_eq!(get(&s, "", "/api/v1/user/init").await.1["data"]["initialized"], false);
    let login = json!({ "user": "a@b.test", "password": "pw-1" });
    assert_eq!(call(&s, "", "POST", "/api/v1/user/auth", login.clone()).await, (200, json!({ "code": 1, "msg": "Resource not found" })));
    assert_eq!(call(&s, "", "POST", "/api/v1/user/init", login.clone()).await.0, 200);
    assert_eq!(call(&s, "", "POST", "/api/v1/user/init", login.clone()).await.1["code"], 1);
    let (_, body) = call(&s, "", "POST", "/api/v1/user/auth", login).await;
    let person = format!("jwt {}", body["data"]["token"].as_str().unwrap());
    assert_eq!(get(&s, &person, "/api/v1/user/check-token").await.0, 200);
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    assert_eq!(get(&s, &person, "/api/v1/user/check-token").await.1["code"], "invalid_authentication");
    let (requests, _) = s.asked();
    assert!(requests.iter().all(|r| !r.body.contains("pw-1")), "no password in the log of requests: {requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_is_read_by_its_end_and_keeps_at_most_200_lines() {
    let (s, ids) = server(LangBotSettings::default(), &[wecom(FarSide::Good)]);
    for n in 0..=200 {
        s.write_log("support", "info", &format!("line {n}"));
    }
    let path = format!("/api/v1/platform/bots/{}/logs", ids[0]);
    let read = async |from: i64, most: i64| {
        let (_, body) = call(&s, KEY, "POST", &path, json!({ "from_index": from, "max_count": most })).await;
        let seqs: Vec<u64> = body["data"]["logs"].as_array().unwrap().iter().map(|l| l["seq_id"].as_u64().unwrap()).collect();
        (seqs, body["data"]["total_count"].as_u64().unwrap())
    };
    assert_eq!(read(-1, 2).await, (vec![199, 200], 151), "the 201st line threw 50 out");
    assert_eq!(read(60, 3).await, (vec![58, 59, 60], 151));
    assert_eq!(read(10, 3).await, (vec![], 151));
    assert_eq!(read(-1, 0).await, (vec![], 151));
}

#[tokio::test(start_paused = true)]
async fn an_ai_bots_log_tells_of_its_connection() {
    let config = json!({ "BotId": "aib1", "Secret": "s", "enable-webhook": false }).as_object().unwrap().clone();
    let spec = BotSpec { name: "ai".to_owned(), adapter: "wecombot".to_owned(), config, enable: true, ..BotSpec::default() };
    let (s, ids) = server(LangBotSettings::default(), &[spec]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(s.log("ai").last().unwrap().text, "Authenticated successfully");
    assert_eq!(send(&s, &ids[0]).await, 200);
    s.far_side("ai", FarSide::BadSecret);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(send(&s, &ids[0]).await, 500);
    let texts: Vec<_> = s.log("ai").into_iter().map(|l| l.text).collect();
    assert!(texts.iter().any(|t| t == "Auth response: errcode=40001, errmsg=invalid credential"), "{texts:?}");
    assert_eq!(texts.last().unwrap(), "Reconnecting in 1.0s (attempt 1)...");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_says_so_in_its_own_words() {
    let (s, _) = server(LangBotSettings::default(), &[wecom(FarSide::Good)]);
    s.fault(Fault::TooMany(0), 1, None);
    let (status, body) = get(&s, KEY, "/api/v1/platform/bots").await;
    assert_eq!((status, &body["code"]), (429, &json!("blocking_work_capacity_exceeded")));
}
