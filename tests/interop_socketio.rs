//! The official npm `socket.io-client` listens to the sandbox. Needs node and npm; without them it is skipped, loudly, and with
//! `PAIRDECK_CI=1` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::sandbox::{Events, InstanceSpec, Options, Past, Sandbox, Settings, Timing};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::OnceLock, time::Duration};
use support::judge::{self, Judge};

static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The client's script beside its package, outside of the source tree, or why there is none.
fn installed() -> Result<PathBuf, String> {
    INSTALLED.get_or_init(|| Ok(judge::npm("", "interop", &["socketio.mjs"])?.join("socketio.mjs"))).clone()
}

/// The next event of that name; others may come before.
async fn event(client: &mut Judge, name: &str) -> Value {
    loop {
        let v = client.next().await;
        assert_eq!(v["what"], "event", "{v}");
        if v["event"] == name {
            return v["body"].clone();
        }
    }
}

async fn sandbox(events: Events) -> Sandbox {
    let timing = Timing { connect_wait: Duration::from_millis(300), ..Timing::default() };
    let settings = Settings { events, socket_needs_key: true, link_delay: Duration::from_millis(10), timing, ..Settings::default() };
    let spec = |name: &str, past| InstanceSpec { name: name.to_owned(), past, subscribed: events == Events::PerInstance, ..InstanceSpec::default() };
    let instances = vec![spec("shop-a", Past::New), spec("shop-b", Past::Online)];
    Sandbox::of(vec![("wa".to_owned(), settings, instances)], &Options::default()).await.unwrap()
}

#[tokio::test]
async fn the_official_client_hears_every_event_on_the_root_in_global_mode() {
    let Some(mut client) = Judge::node("global mode", installed()).await else { return };
    let sandbox = sandbox(Events::Global).await;
    let (url, wa) = (sandbox.gateways()[0].url.clone(), sandbox.gateway("wa").unwrap());
    client.tell(&json!({ "url": url, "key": "GLOBAL-KEY-FOR-TESTS" }));
    assert_eq!(client.next().await, json!({ "what": "connected", "id": "string" }));
    wa.unlink("shop-b", 401).unwrap();
    let closed = event(&mut client, "status.instance").await;
    assert_eq!((&closed["instance"], &closed["data"]["disconnectionReasonCode"]), (&json!("shop-b"), &json!(401)));
    event(&mut client, "logout.instance").await;
    assert_eq!(event(&mut client, "connection.update").await["data"], json!({ "instance": "shop-b", "state": "close", "statusReason": 401 }));
    wa.cut_events();
    assert_eq!(client.next().await["what"], "disconnected");
    client.end();
}

#[tokio::test]
async fn the_official_client_joins_a_namespace_only_after_its_first_event() {
    let Some(mut client) = Judge::node("per-instance mode", installed()).await else { return };
    let sandbox = sandbox(Events::PerInstance).await;
    let (url, wa) = (sandbox.gateways()[0].url.clone(), sandbox.gateway("wa").unwrap());
    let there = json!({ "url": url, "namespace": "/shop-b", "key": "GLOBAL-KEY-FOR-TESTS" });
    client.tell(&there);
    assert_eq!(client.next().await, json!({ "what": "refused", "message": "Invalid namespace" }));
    // The first event makes the namespace; whoever joins then hears the next.
    wa.unlink("shop-b", 428).unwrap();
    client.tell(&there);
    assert_eq!(client.next().await["what"], "connected");
    wa.unlink("shop-b", 401).unwrap();
    assert_eq!(event(&mut client, "logout.instance").await["instance"], "shop-b");
    client.end();
}

#[tokio::test]
async fn the_official_client_is_refused_with_a_wrong_key() {
    let Some(mut client) = Judge::node("refused key", installed()).await else { return };
    let sandbox = sandbox(Events::Global).await;
    client.tell(&json!({ "url": sandbox.gateways()[0].url, "key": "WRONG" }));
    assert_eq!(client.next().await, json!({ "what": "refused", "message": "websocket error" }));
    client.end();
}
