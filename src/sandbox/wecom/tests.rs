//! WeCom quirk by quirk, in paused time; section numbers are of the protocol page wecom-langbot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use axum::{
    body::{Body, to_bytes},
    http::Request as Asked,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::advance;

pub(super) const NOON: i64 = 1_795_262_400_000;
pub(super) const SECRET: &str = "OPS-SECRET-b41c07";

pub(super) fn server(settings: TokenSettings, apps: &[AppSpec]) -> TokenServer {
    let t = TokenServer::new("corp", settings, Clock::virtual_from(NOON), Some(1), CancellationToken::new());
    t.seed(apps);
    t
}

pub(super) fn app(id: &str, secret: &str) -> AppSpec {
    AppSpec { id: id.to_owned(), name: format!("bot-{id}"), secret: secret.to_owned(), ..AppSpec::default() }
}

fn corp() -> TokenServer {
    server(TokenSettings::default(), &[app("1000002", SECRET), app("1000003", "HR-SECRET")])
}

pub(super) async fn text(t: &TokenServer, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = Asked::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    let answer = t.handle(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8(to_bytes(answer.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap())
}

pub(super) async fn ask(t: &TokenServer, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, text) = text(t, method, path, &body).await;
    assert_eq!(status, 200, "errors are HTTP 200: {text}");
    serde_json::from_str(&text).unwrap()
}

pub(super) async fn get(t: &TokenServer, path: &str) -> Value {
    ask(t, "GET", path, &Value::Null).await
}

async fn fetch(t: &TokenServer) -> Value {
    get(t, &format!("/cgi-bin/gettoken?corpid={}&corpsecret={SECRET}", t.settings().corpid)).await
}

async fn token(t: &TokenServer) -> String {
    let v = fetch(t).await;
    assert_eq!(v["errcode"], 0, "{v}");
    v["access_token"].as_str().unwrap().to_owned()
}

async fn probe(t: &TokenServer, token: &str) -> i64 {
    get(t, &format!("/cgi-bin/get_api_domain_ip?access_token={token}")).await["errcode"].as_i64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_same_string_comes_back_until_it_expires_and_says_the_full_life_each_time() {
    // §0.1, §1 "reports say always 7200".
    let t = corp();
    let (status, first) = text(&t, "GET", &format!("/cgi-bin/gettoken?corpid={}&corpsecret={SECRET}", t.settings().corpid), "").await;
    assert!(
        status == 200 && first.starts_with(r#"{"errcode":0,"errmsg":"ok","access_token":""#) && first.ends_with(r#"","expires_in":7200}"#),
        "{first}"
    );
    let first = token(&t).await;
    advance(Duration::from_secs(7000)).await;
    let again = fetch(&t).await;
    assert_eq!((again["access_token"].as_str(), again["expires_in"].as_i64()), (Some(first.as_str()), Some(7200)), "a life of 7200 that ends in 200");
    assert_eq!(probe(&t, &first).await, 0);
    advance(Duration::from_secs(200)).await;
    assert_eq!(probe(&t, &first).await, 42001);
    assert_ne!(token(&t).await, first);
    assert_eq!(t.fetches("1000002"), Fetches { wire: 4, foreign: 0, minted: 2 });
}

#[tokio::test(start_paused = true)]
async fn the_other_reading_says_what_is_left_and_asking_prolongs_nothing() {
    let t = corp();
    t.repeated(Repeated::Remaining);
    let first = token(&t).await;
    advance(Duration::from_secs(7000)).await;
    assert_eq!(fetch(&t).await["expires_in"], 200);
    advance(Duration::from_secs(201)).await;
    assert_eq!(probe(&t, &first).await, 42001);
    assert_eq!(fetch(&t).await["expires_in"], 7200, "a new string has a life of its own");
}

#[tokio::test(start_paused = true)]
async fn a_token_may_die_early_and_the_next_fetch_brings_another() {
    // §0.1 "may be invalidated early".
    let t = corp();
    let first = token(&t).await;
    assert!(t.revoke("bot-1000002"), "by name as well as by id");
    assert_eq!(probe(&t, &first).await, 42001);
    assert_eq!(t.live("1000002"), None);
    let second = token(&t).await;
    assert_ne!(second, first);
    assert_eq!((probe(&t, &second).await, t.verdict(&second).as_deref()), (0, Some("1000002")));
    assert!(!t.revoke("nobody"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_42001_or_40014_and_a_made_up_one_40014() {
    // §0.3.
    let t = corp();
    let first = token(&t).await;
    t.expire("1000002");
    assert_eq!((probe(&t, &first).await, probe(&t, "made-up").await), (42001, 40014));
    t.stale(Stale::Invalid);
    assert_eq!(probe(&t, &first).await, 40014);
    t.stale(Stale::InTurn);
    let turns = [probe(&t, &first).await, probe(&t, &first).await, probe(&t, &first).await];
    assert!(turns == [42001, 40014, 42001] || turns == [40014, 42001, 40014], "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_and_a_wrong_corpid_are_told_with_hint_address_and_link() {
    // §1, langbot-app/LangBot#1599.
    let t = corp();
    let v = get(&t, &format!("/cgi-bin/gettoken?corpid={}&corpsecret=wrong", t.settings().corpid)).await;
    let said = v["errmsg"].as_str().unwrap();
    assert_eq!(v["errcode"], 40001);
    let hint = said.strip_prefix("invalid credential, hint: [").unwrap().split_once(']').unwrap().0;
    assert!(hint.len() == 25 && hint.starts_with("1795262400") && hint.bytes().all(|b| b.is_ascii_digit()), "{hint}");
    assert!(said.ends_with("], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=40001"), "{said}");
    let code = async |path: &str| get(&t, path).await["errcode"].as_i64().unwrap();
    assert_eq!(code(&format!("/cgi-bin/gettoken?corpid=wwother&corpsecret={SECRET}")).await, 40013);
    assert_eq!(code("/cgi-bin/gettoken").await, 41002);
    assert_eq!(code("/cgi-bin/gettoken?corpid=ww5a6d7e0f1b2c3d4e").await, 41004);
    assert_eq!(code("/cgi-bin/getcallbackip").await, 41001);
    assert_eq!(t.refused(), 4);
    assert_eq!(t.fetched(), 4, "refused ones are fetches too");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_reset_is_refused_and_tokens_that_live_end_or_not() {
    // §8: which of the two the real one does is not known.
    for kills in [true, false] {
        let t = corp();
        let first = token(&t).await;
        let new = t.reset_secret("1000002", None, Some(kills)).unwrap();
        assert_eq!(fetch(&t).await["errcode"], 40001);
        assert_eq!(probe(&t, &first).await, if kills { 42001 } else { 0 });
        let path = format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", t.settings().corpid, new.expose());
        let second = get(&t, &path).await["access_token"].as_str().unwrap().to_owned();
        assert_eq!(second == first, !kills);
    }
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_address_may_fetch_but_not_call() {
    // §1: 60020 hits API calls while gettoken still works.
    let t = corp();
    t.trust("1000002", Some(vec!["198.51.100.20".to_owned()]));
    let tok = token(&t).await;
    let v = get(&t, &format!("/cgi-bin/get_api_domain_ip?access_token={tok}")).await;
    assert_eq!(v["errcode"], 60020);
    let said = v["errmsg"].as_str().unwrap();
    assert!(said.starts_with("not allow to access from your ip, hint: [") && said.contains("], from ip: 203.0.113.7, more info at "), "{said}");
    t.trust("1000002", Some(vec!["203.0.113.7".to_owned()]));
    assert_eq!(probe(&t, &tok).await, 0);
    // Another host: another address.
    let mut from = Asked::builder().uri(format!("/cgi-bin/getcallbackip?access_token={tok}")).body(Body::empty()).unwrap();
    from.extensions_mut().insert(std::net::SocketAddr::from(([127, 0, 0, 9], 4000)));
    let body = to_bytes(t.handle(from).await.unwrap().into_body(), 1 << 16).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("from ip: 203.0.113.9,"));
}

#[tokio::test(start_paused = true)]
async fn a_token_acts_for_its_own_app_only() {
    // §1: 301002 (binarywang/WxJava#713), 40056.
    let t = corp();
    let tok = token(&t).await;
    let agent = async |id: &str| get(&t, &format!("/cgi-bin/agent/get?access_token={tok}&agentid={id}")).await;
    let own = agent("1000002").await;
    assert_eq!((&own["errcode"], &own["agentid"], &own["name"]), (&json!(0), &json!(1_000_002), &json!("bot-1000002")));
    let other = agent("1000003").await;
    assert_eq!(other["errcode"], 301_002);
    assert!(other["errmsg"].as_str().unwrap().starts_with("not allow operate another agent with this accesstoken., hint: ["), "{other}");
    assert_eq!(agent("7").await["errcode"], 40056);
    let sent = |agentid: Value| json!({ "touser": "lin", "msgtype": "text", "agentid": agentid, "text": { "content": "hi" } });
    let path = format!("/cgi-bin/message/send?access_token={tok}");
    assert_eq!(ask(&t, "POST", &path, &sent(json!(1_000_003))).await["errcode"], 301_002);
    assert_eq!(ask(&t, "POST", &path, &sent(json!(1_000_002))).await["errmsg"], "ok");
    assert_eq!(t.messages(), [Sent { app: "1000002".into(), to: "lin".into(), kind: "text".into(), text: "hi".into() }]);
    assert_eq!(ask(&t, "POST", &path, &json!({ "msgtype": "text", "agentid": 1_000_002, "text": { "content": "hi" } })).await["errcode"], 81013);
    assert_eq!(get(&t, &format!("/cgi-bin/no/such?access_token={tok}")).await["errcode"], 40066);
}

#[tokio::test(start_paused = true)]
async fn the_301st_fetch_of_an_hour_from_one_address_is_45009_and_stays_so_for_the_penalty() {
    // §1 "frequency interception"; 300 an hour and address is the older text's figure.
    let t = corp();
    for n in 0..300 {
        assert_eq!(fetch(&t).await["errcode"], 0, "fetch {n}");
        advance(Duration::from_millis(200)).await;
    }
    let v = fetch(&t).await;
    assert_eq!(v["errcode"], 45009);
    assert!(v["errmsg"].as_str().unwrap().starts_with("api freq out of limit, hint: ["), "{v}");
    assert_eq!(probe(&t, t.live("1000002").unwrap().0.expose()).await, 0, "the token that there is still works");
    advance(Duration::from_secs(59)).await;
    assert_eq!(fetch(&t).await["errcode"], 45009);
    advance(Duration::from_secs(2)).await;
    assert_eq!(fetch(&t).await["errcode"], 0);
    assert_eq!((t.fetched(), t.fetches("1000002").wire, t.fetches("1000002").minted), (303, 301, 1));
}

#[tokio::test(start_paused = true)]
async fn what_others_fetch_with_secrets_of_the_corporation_uses_up_its_limit() {
    let mut settings = TokenSettings::default();
    settings.limits.calls_per_corp = Limit { most: 3, within: Duration::from_secs(60) };
    let t = server(settings, &[app("1000002", SECRET), app("1000003", "HR-SECRET")]);
    assert_eq!([t.foreign_fetch("1000003"), t.foreign_fetch("1000003"), t.foreign_fetch("1000003")], [Some(0); 3]);
    assert_eq!(fetch(&t).await["errcode"], 45009);
    assert_eq!((t.fetched(), t.fetches("1000003").foreign), (1, 3), "they are not in our list of requests");
    t.heal();
    assert_eq!(fetch(&t).await["errcode"], 0);
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_api_have_a_limit_of_their_own() {
    // §1: 1000 a minute, corporation and API.
    let mut settings = TokenSettings::default();
    settings.limits.calls_per_corp = Limit { most: 2, within: Duration::from_secs(60) };
    let t = server(settings, &[app("1000002", SECRET)]);
    let tok = token(&t).await;
    assert_eq!([probe(&t, &tok).await, probe(&t, &tok).await, probe(&t, &tok).await], [0, 0, 45009]);
    assert_eq!(get(&t, &format!("/cgi-bin/getcallbackip?access_token={tok}")).await["errcode"], 0);
}

#[tokio::test(start_paused = true)]
async fn faults_hit_what_they_are_for_and_no_more() {
    let t = corp();
    let tok = token(&t).await;
    let parse = |kind: &str| TokenFault::parse(kind, None, false).unwrap();
    t.fault(parse("busy"), 1, Some("/cgi-bin/gettoken"));
    assert_eq!(probe(&t, &tok).await, 0);
    assert_eq!((fetch(&t).await["errcode"].clone(), fetch(&t).await["errcode"].clone()), (json!(-1), json!(0)));
    t.fault(parse("ip"), u32::MAX, None);
    assert_eq!((fetch(&t).await["errcode"].clone(), probe(&t, &tok).await, probe(&t, &tok).await), (json!(0), 60020, 60020));
    t.heal();
    // §0.4: a request that is 42001 for ever, whatever the token.
    t.fault(parse("loop"), u32::MAX, None);
    t.revoke("1000002");
    let second = token(&t).await;
    assert_eq!((probe(&t, &second).await, probe(&t, &second).await), (42001, 42001));
    t.heal();
    assert_eq!(probe(&t, &second).await, 0);
    t.fault(parse("rate"), 1, None);
    t.fault(parse("string_code"), 2, None);
    assert_eq!(fetch(&t).await["errcode"], 45009);
    assert_eq!(fetch(&t).await["errcode"], "0");
    assert_eq!(get(&t, "/cgi-bin/getcallbackip?access_token=x").await["errcode"], "40014");
    t.fault(parse("html"), 1, None);
    let (status, page) = text(&t, "GET", "/cgi-bin/gettoken", "").await;
    assert!(status == 200 && page.starts_with("<!DOCTYPE html>"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_token_may_be_512_bytes_long() {
    let t = corp();
    t.token_bytes(512);
    let long = token(&t).await;
    assert_eq!(long.len(), 512);
    assert_eq!(probe(&t, &long).await, 0);
    t.heal();
    t.expire("1000002");
    assert_eq!(token(&t).await.len(), 214);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_late_and_those_who_asked_meanwhile_get_the_same_token() {
    let t = corp();
    t.fault(TokenFault::parse("slow", Some(2000), false).unwrap(), 2, None);
    let began = tokio::time::Instant::now();
    let (a, b) = tokio::join!(token(&t), token(&t));
    assert_eq!((a, began.elapsed()), (b, Duration::from_secs(2)));
    assert_eq!(t.fetches("1000002"), Fetches { wire: 2, foreign: 0, minted: 1 });
}

#[tokio::test(start_paused = true)]
async fn lives_go_by_the_platforms_clock() {
    let t = corp();
    let tok = token(&t).await;
    t.skew(Some(7201.0));
    assert_eq!(probe(&t, &tok).await, 42001);
    t.skew(None);
    assert_eq!(probe(&t, &tok).await, 0, "a clock that is put right again");
    assert_eq!(t.live("1000002").unwrap().1, Duration::from_secs(7200));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_requests_holds_neither_secret_nor_token() {
    let t = corp();
    let tok = token(&t).await;
    probe(&t, &tok).await;
    for odd in [
        format!("/cgi-bin/gettoken?corpid={SECRET}{SECRET}&corp%73ecret={SECRET}&{tok}"),
        format!("/cgi-bin/{tok}/agent?agentid={tok}"),
        format!("/elsewhere/{tok}"),
    ] {
        let _ = text(&t, "POST", &odd, &format!("secret={SECRET}")).await;
    }
    let (asked, _) = t.asked();
    let all = format!("{asked:?}{:?}", t.requests());
    assert!(!all.contains(SECRET) && !all.contains(&tok), "{all}");
    assert_eq!(asked[0].path, "/cgi-bin/gettoken?corpid=ww5a6d7e0f1b2c3d4e&corpsecret=***");
    assert_eq!(asked[1].path, "/cgi-bin/get_api_domain_ip?access_token=***");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_client_burns_the_token_until_the_secret_is_reset() {
    // §0.4: a storm, which only a reset of the Secret ends.
    let foreign = ForeignSpec { every: Duration::from_secs(4), fetches: 4, burns: true };
    let t = server(TokenSettings::default(), &[AppSpec { foreign: Some(foreign), ..app("1000002", SECRET) }]);
    let mut events = t.events();
    let first = token(&t).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(probe(&t, &first).await, 42001);
    let second = token(&t).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(probe(&t, &second).await, 42001);
    assert_eq!((t.fetches("1000002").foreign, t.fetched()), (8, 2));
    let new = t.reset_secret("1000002", Some("FRESH"), None).unwrap();
    let path = format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", t.settings().corpid, new.expose());
    let third = get(&t, &path).await["access_token"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((probe(&t, &third).await, t.fetches("1000002").foreign), (0, 8));
    assert!(t.refused() >= 60, "it goes on asking with the old one");
    let mut said = String::new();
    while let Ok(e) = events.try_recv() {
        said.push_str(&e);
    }
    assert!(said.contains(r#""by":"foreign""#) && !said.contains(&third) && !said.contains(SECRET) && !said.contains("FRESH"));
}

#[tokio::test(start_paused = true)]
async fn a_private_deployment_has_a_path_in_front_and_nothing_without_it() {
    let t = server(TokenSettings { base_path: "/wx".to_owned(), ..TokenSettings::default() }, &[app("1000002", SECRET)]);
    assert_eq!(get(&t, &format!("/wx/cgi-bin/gettoken?corpid={}&corpsecret={SECRET}", t.settings().corpid)).await["errcode"], 0);
    let (status, page) = text(&t, "GET", "/cgi-bin/gettoken", "").await;
    assert!(status == 404 && page.starts_with("<html>"));
    assert!(t.url().ends_with("/wx/cgi-bin"));
}

#[tokio::test(start_paused = true)]
async fn members_and_files_are_told_as_a_bot_asks_for_them() {
    let t = corp();
    let token = token(&t).await;
    let user = get(&t, &format!("/cgi-bin/user/get?access_token={token}&userid=zhangsan")).await;
    assert_eq!((&user["errcode"], &user["name"]), (&json!(0), &json!("zhangsan")));
    assert_eq!(get(&t, &format!("/cgi-bin/user/get?access_token={token}")).await["errcode"], 41009);
    assert_eq!(get(&t, &format!("/cgi-bin/user/get?access_token={token}&userid=a/b")).await["errcode"], 40003);
    let part = "--x\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\r\nx\r\n--x--\r\n";
    let upload = async |token: &str, kind: &str, body: &str| {
        let (_, said) = text(&t, "POST", &format!("/cgi-bin/media/upload?access_token={token}&type={kind}"), body).await;
        serde_json::from_str::<Value>(&said).unwrap()
    };
    assert_eq!(upload(&token, "picture", part).await["errcode"], 40004);
    assert_eq!(upload(&token, "file", "").await["errcode"], 41005);
    let media = upload(&token, "file", part).await["media_id"].as_str().unwrap().to_owned();
    let send = async |media: &str| {
        let body = json!({ "touser": "lin", "msgtype": "image", "agentid": 1000002, "image": { "media_id": media } });
        ask(&t, "POST", &format!("/cgi-bin/message/send?access_token={token}"), &body).await["errcode"].clone()
    };
    assert_eq!((send(&media).await, send("made-up").await), (json!(0), json!(40007)));
    t.expire("1000002");
    assert_eq!(upload(&token, "file", part).await["errcode"], 42001);
}
