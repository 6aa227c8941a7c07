//! The sandbox's token platforms over real sockets: bytes of an answer, scenarios, the control API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pairdeck::sandbox::{self, AppSpec, Options, Part, Sandbox, TokenSettings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

const SECRET: &str = "OPS-SECRET-b41c07";

/// One request on a connection of its own: head and body of the answer. `from` is the last number of our address, 127.0.0.N.
async fn raw(from: u8, url: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let at = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut stream: TcpStream = {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(std::net::SocketAddr::from(([127, 0, 0, from], 0))).unwrap();
        socket.connect(at.parse().unwrap()).await.unwrap()
    };
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    stream.read_to_end(&mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    let (head, body) = out.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn get(url: &str, path: &str) -> Value {
    serde_json::from_str(&raw(1, url, "GET", path, "").await.1).unwrap()
}

async fn order(s: &Sandbox, path: &str, body: Value) -> (String, Value) {
    let (head, out) = raw(1, s.control(), "POST", path, &body.to_string()).await;
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_str(&out).unwrap())
}

async fn corp() -> Sandbox {
    let app = |id: &str, name: &str, secret: &str| AppSpec { id: id.into(), name: name.into(), secret: secret.into(), ..AppSpec::default() };
    let apps = vec![app("1000002", "ops-bot", SECRET), app("1000003", "hr-bot", "HR")];
    Sandbox::with(vec![("corp".to_owned(), Part::Tokens(Box::default(), apps))], &Options::default()).await.unwrap()
}

fn fetch_path() -> String {
    format!("/cgi-bin/gettoken?corpid={}&corpsecret={SECRET}", TokenSettings::default().corpid)
}

#[tokio::test]
async fn an_answer_is_http_200_with_length_type_and_date_error_or_not() {
    let s = corp().await;
    let url = s.tokens("corp").unwrap().url();
    for path in [fetch_path(), "/cgi-bin/gettoken?corpid=x&corpsecret=y".to_owned()] {
        let (head, body) = raw(1, &url, "GET", &path, "").await;
        let low = head.to_lowercase();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(low.contains("content-type: application/json; charset=utf-8") && low.contains("\r\ndate: "), "{head}");
        assert!(low.contains(&format!("content-length: {}", body.len())), "{head}");
    }
    assert_eq!(s.requests().iter().map(|c| c.count).sum::<u64>(), 2);
}

#[tokio::test]
async fn two_hosts_are_seen_by_their_addresses_and_one_of_them_may_call() {
    let s = corp().await;
    let t = s.tokens("corp").unwrap();
    t.trust("ops-bot", Some(vec!["203.0.113.2".to_owned()]));
    let token = get(&t.url(), &fetch_path()).await["access_token"].as_str().unwrap().to_owned();
    let path = format!("/cgi-bin/get_api_domain_ip?access_token={token}");
    assert_eq!(get(&t.url(), &path).await["errcode"], 60020);
    let other: Value = serde_json::from_str(&raw(2, &t.url(), "GET", &path, "").await.1).unwrap();
    assert_eq!(other["errcode"], 0, "{other}");
}

#[tokio::test]
async fn the_control_api_expires_revokes_resets_and_breaks() {
    let s = corp().await;
    let t = s.tokens("corp").unwrap();
    let token = async || get(&t.url(), &fetch_path()).await["access_token"].as_str().unwrap_or_default().to_owned();
    let first = token().await;
    for (path, account) in [("/expire", "ops-bot"), ("/revoke", "corp:1000002")] {
        let before = token().await;
        assert_eq!(order(&s, path, json!({ "account": account })).await.0, "200");
        assert_eq!(t.verdict(&before), None, "{path}");
        assert_ne!(token().await, before, "{path}");
    }
    assert_eq!(t.verdict(&first), None);
    assert_eq!(order(&s, "/expire", json!({ "account": "nobody" })).await.0, "404");
    assert_eq!(order(&s, "/unlink", json!({ "account": "ops-bot", "reason": 401 })).await.0, "409");

    let (status, out) = order(&s, "/secret", json!({ "account": "ops-bot", "kills": false })).await;
    let new = out["secret"].as_str().unwrap().to_owned();
    assert_eq!((status.as_str(), get(&t.url(), &fetch_path()).await["errcode"].clone()), ("200", json!(40001)));
    assert_eq!(order(&s, "/secret", json!({ "account": "ops-bot", "secret": SECRET })).await.1["secret"], SECRET);
    assert_ne!(new, SECRET);

    assert_eq!(order(&s, "/fault", json!({ "kind": "busy", "gateway": "corp" })).await.0, "200");
    assert_eq!(get(&t.url(), &fetch_path()).await["errcode"], -1);
    assert_eq!(order(&s, "/fault", json!({ "kind": "long_token" })).await.0, "200");
    t.expire("ops-bot");
    assert_eq!(token().await.len(), 512);
    let (status, out) = order(&s, "/fault", json!({ "kind": "nonsense" })).await;
    assert!(status == "400" && out["kinds"].as_array().unwrap().contains(&json!("string_code")), "{out}");
    assert_eq!(order(&s, "/fetch", json!({ "account": "hr-bot" })).await.1["errcode"], 0);
    assert_eq!(order(&s, "/trust", json!({ "account": "ops-bot", "ips": [] })).await.0, "200");

    let (_, all) = raw(1, s.control(), "GET", "/fetches", "").await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!((&all[1]["account"], &all[1]["fetches"]["foreign"]), (&json!("1000003"), &json!(1)), "{all}");
    assert_eq!(order(&s, "/skew", json!({ "seconds": 7300 })).await.0, "200");
    assert_eq!(t.live("hr-bot"), None, "two hours later by its clock");
}

#[tokio::test]
async fn every_scenario_announces_what_its_clients_need() {
    for name in ["wecom", "wecom-storm", "wecom-short", "wecom-crowd", "wechat-oa"] {
        let s = sandbox::start(Options { scenario: name.to_owned(), accounts: Some(3), ..Options::default() }).await.unwrap();
        let told = s.announce(None);
        for g in told["gateways"].as_array().unwrap() {
            let t = s.tokens(g["name"].as_str().unwrap()).unwrap();
            assert_eq!((g["kind"].as_str(), g["url"].as_str()), (Some(t.kind()), Some(t.url().as_str())));
            assert_eq!(g["credentials"].as_object().unwrap().len(), t.accounts().len(), "{name}: one secret an account");
        }
    }
}

#[tokio::test]
async fn the_corporation_of_the_demo_has_one_app_of_each_story() {
    let s = sandbox::start(Options { scenario: "wecom".to_owned(), ..Options::default() }).await.unwrap();
    let t = s.tokens("corp").unwrap();
    let told = s.announce(None)["gateways"][0]["credentials"].clone();
    let fetch = async |name: &str| {
        let secret = told[format!("account/{name}/secret")].as_str().unwrap().to_owned();
        get(&t.url(), &format!("/cgi-bin/gettoken?corpid={}&corpsecret={secret}", t.settings().corpid)).await
    };
    let (ops, hr, crm) = (fetch("ops-bot").await, fetch("hr-bot").await, fetch("crm-bot").await);
    assert_eq!((&ops["errcode"], &hr["errcode"], &crm["errcode"]), (&json!(0), &json!(0), &json!(40001)));
    let probe = async |v: &Value| get(&t.url(), &format!("/cgi-bin/getcallbackip?access_token={}", v["access_token"].as_str().unwrap())).await;
    assert_eq!((&probe(&ops).await["errcode"], &probe(&hr).await["errcode"]), (&json!(0), &json!(60020)));
    let left = t.live("ops-bot").unwrap().1.as_secs();
    assert!((5300..=5400).contains(&left), "its token is half an hour old: {left}");
    let counted = t.fetches("ops-bot");
    assert_eq!((counted.wire, counted.minted), (1, 0), "and we got that one");
}
