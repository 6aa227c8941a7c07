//! Tencent's own SDK for AI bots (npm `@wecom/aibot-node-sdk`) connects to the sandbox, is thrown out by a second one, and is
//! refused with a wrong secret. Needs node and npm; without them it is skipped, loudly, and with `PAIRDECK_CI=1` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::{
    domain::Secret,
    sandbox::{AiBot, AiBotSettings, AiBotSpec, Options, Part, Sandbox},
};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::OnceLock, time::Duration};
use support::judge::{self, Judge};

static SDK: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The client's script beside its package, outside of the source tree, or why there is none.
fn sdk() -> Result<PathBuf, String> {
    SDK.get_or_init(|| Ok(judge::npm("aibot", "interop-aibot", &["sdk.mjs"])?.join("sdk.mjs"))).clone()
}

async fn sandbox(settings: AiBotSettings) -> Sandbox {
    let bots = vec![AiBotSpec { id: "aib-1".to_owned(), secret: "good-secret".to_owned() }];
    Sandbox::with(vec![("ai".to_owned(), Part::AiBot(settings, bots))], &Options::default()).await.unwrap()
}

fn login(ai: &AiBot, secret: &str) -> Value {
    json!({ "url": ai.url(), "bot": "aib-1", "secret": secret, "heartbeat": 200 })
}

/// The control API.
async fn control(house: &Sandbox, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.request(method, format!("{}{path}", house.control())).body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn tencents_sdk_subscribes_pings_hears_a_message_is_replaced_by_a_second_one_and_stops() {
    let Some(mut first) = Judge::node("Tencent's SDK", sdk()).await else { return };
    let Some(mut second) = Judge::node("Tencent's SDK", sdk()).await else { return };
    let house = sandbox(AiBotSettings::default()).await;
    let ai = house.aibot("ai").unwrap();
    first.tell(&login(ai, "good-secret"));
    assert_eq!(first.next().await, json!({ "what": "connected" }));
    assert_eq!(first.next().await, json!({ "what": "authenticated" }));
    let one = ai.subscribers()[0].connection;
    assert!(ai.message("aib-1", "zhangsan", "hello"));
    assert_eq!(first.next().await, json!({ "what": "text", "from": "zhangsan", "text": "hello" }));
    second.tell(&login(ai, "good-secret"));
    assert_eq!(second.next().await, json!({ "what": "connected" }));
    assert_eq!(second.next().await, json!({ "what": "authenticated" }));
    assert_eq!(first.next().await, json!({ "what": "replaced", "bot": "aib-1" }));
    let end = first.next().await;
    assert_eq!(end["what"], "disconnected");
    assert!(end["reason"].as_str().unwrap().contains("New connection established"), "{end}");
    let (_, all) = control(&house, reqwest::Method::GET, "/subscribers", json!({})).await;
    assert_eq!((&all[0]["subscribed"], &all[0]["kicked"]), (&json!(2), &json!(1)), "the first one did not come back: {all}");
    assert_ne!(all[0]["by"]["connection"], json!(one));
    // The holder's pings are answered: three of them are more than it would bear in silence.
    while ai.subscribers()[0].pings < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ai.tally("aib-1").subscribed, 2);
    assert_eq!(control(&house, reqwest::Method::POST, "/kick", json!({ "bot": "aib-1" })).await.0, 200);
    assert_eq!(second.until("what", json!("replaced")).await["bot"], "aib-1");
    assert_eq!(control(&house, reqwest::Method::POST, "/kick", json!({ "bot": "aib-1" })).await.0, 404, "nobody is there any more");
    let (requests, _) = ai.asked();
    assert!(!format!("{requests:?}").contains("good-secret"), "no secret in the log");
}

#[tokio::test]
async fn tencents_sdk_with_a_wrong_secret_tries_as_often_as_it_may_and_gives_up() {
    let Some(mut client) = Judge::node("Tencent's SDK", sdk()).await else { return };
    let house = sandbox(AiBotSettings::default()).await;
    let ai = house.aibot("ai").unwrap();
    let mut bad = login(ai, "bad-secret");
    bad["attempts"] = json!(2);
    client.tell(&bad);
    let refused = client.until("what", json!("error")).await;
    assert!(refused["message"].as_str().unwrap().contains("invalid credential (code: 40001)"), "{refused}");
    client.until("code", json!("WS_AUTH_FAILURE_EXHAUSTED")).await;
    assert_eq!(ai.tally("aib-1").refused, 3, "the first one and two more");
    assert!(ai.subscribers().is_empty());
}

#[tokio::test]
async fn tencents_sdk_comes_back_after_a_broken_line_and_leaves_a_deaf_server() {
    let Some(mut client) = Judge::node("Tencent's SDK", sdk()).await else { return };
    let house = sandbox(AiBotSettings::default()).await;
    let ai = house.aibot("ai").unwrap();
    client.tell(&login(ai, "good-secret"));
    client.until("what", json!("authenticated")).await;
    assert!(ai.hang_up("aib-1"));
    assert_eq!(client.next().await, json!({ "what": "disconnected", "reason": "code: 1006" }));
    client.until("what", json!("authenticated")).await;
    ai.deaf(true);
    // Two pings without an answer, and the third one ends it.
    assert_eq!(client.next().await["what"], "disconnected");
    ai.deaf(false);
    client.until("what", json!("authenticated")).await;
    // A reset secret ends nothing by itself; the next subscription is refused.
    ai.reset_secret("aib-1", &Secret::new("another".to_owned()));
    assert_eq!(ai.subscribers().len(), 1);
    ai.hang_up("aib-1");
    assert!(client.until("what", json!("error")).await["message"].as_str().unwrap().contains("40001"));
}
