//! WeChat official accounts quirk by quirk, in paused time; section numbers are of the protocol page wecom-langbot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    tests::{app, ask, get, server},
    *,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::advance;

const APPID: &str = "wx4f1a2b3c4d5e6f70";
const SECRET: &str = "OA-SECRET-88e2b6";

fn oa() -> TokenServer {
    server(TokenSettings::wechat_oa(), &[app(APPID, SECRET)])
}

async fn stable(t: &TokenServer, force: bool) -> Value {
    let body = json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET, "force_refresh": force });
    ask(t, "POST", "/cgi-bin/stable_token", &body).await
}

fn string(v: &Value) -> String {
    v["access_token"].as_str().unwrap_or_else(|| panic!("{v}")).to_owned()
}

async fn classic(t: &TokenServer) -> Value {
    get(t, &format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}")).await
}

/// The code of a probe; a success has none.
async fn probe(t: &TokenServer, token: &str) -> i64 {
    let v = get(t, &format!("/cgi-bin/getcallbackip?access_token={token}")).await;
    v.get("errcode").map_or_else(|| if v["ip_list"].is_array() { 0 } else { panic!("{v}") }, |c| c.as_i64().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_stable_token_stays_until_its_last_five_minutes_and_then_two_are_good() {
    let t = oa();
    let first = stable(&t, false).await;
    assert_eq!((first["expires_in"].as_i64(), first.get("errcode")), (Some(7200), None), "no errcode where all is well");
    advance(Duration::from_secs(6900)).await;
    let again = stable(&t, false).await;
    assert_eq!((string(&again), again["expires_in"].as_i64()), (string(&first), Some(300)), "what is left, never below five minutes");
    advance(Duration::from_secs(1)).await;
    let second = stable(&t, false).await;
    assert_ne!(string(&second), string(&first));
    assert_eq!((probe(&t, &string(&first)).await, probe(&t, &string(&second)).await), (0, 0));
    advance(Duration::from_secs(300)).await;
    assert_eq!((probe(&t, &string(&first)).await, probe(&t, &string(&second)).await), (42001, 0));
}

#[tokio::test(start_paused = true)]
async fn a_forced_refresh_is_new_and_one_within_30_s_says_ok_and_changes_nothing() {
    // "Otherwise it does not refresh": no error, the same string.
    let t = oa();
    let first = string(&stable(&t, false).await);
    let second = string(&stable(&t, true).await);
    assert_ne!(second, first);
    advance(Duration::from_secs(29)).await;
    let soon = stable(&t, true).await;
    assert_eq!((string(&soon), soon["expires_in"].as_i64()), (second.clone(), Some(7171)));
    assert_eq!(probe(&t, &first).await, 0, "one forced refresh does not kill a leaked token at once");
    advance(Duration::from_secs(1)).await;
    let third = string(&stable(&t, true).await);
    assert_ne!(third, second);
    assert_eq!(probe(&t, &first).await, 40001, "two, 30 s apart, do");
    assert_eq!((probe(&t, &second).await, probe(&t, &third).await), (0, 0));
    advance(Duration::from_secs(300)).await;
    assert_eq!((probe(&t, &second).await, probe(&t, &third).await), (40001, 0));
}

#[tokio::test(start_paused = true)]
async fn the_21st_forced_refresh_of_a_day_is_45009_and_the_ordinary_fetch_goes_on() {
    let t = oa();
    for n in 0..20 {
        assert!(stable(&t, true).await.get("errcode").is_none(), "refresh {n}");
        advance(Duration::from_secs(31)).await;
    }
    let v = stable(&t, true).await;
    assert_eq!(v["errcode"], 45009);
    let said = v["errmsg"].as_str().unwrap();
    let rid = said.strip_prefix("reach max api daily quota limit rid: ").unwrap();
    assert_eq!(rid.split('-').map(str::len).collect::<Vec<_>>(), [8, 8, 8], "{rid}");
    assert!(stable(&t, false).await.get("errcode").is_none());
    advance(Duration::from_secs(3600)).await;
    assert_eq!(stable(&t, true).await["errcode"], 45009, "still");
    advance(Duration::from_secs(86_400)).await;
    assert!(stable(&t, true).await.get("errcode").is_none());
}

#[tokio::test(start_paused = true)]
async fn each_classic_fetch_makes_a_new_token_and_the_one_before_has_five_minutes() {
    let t = oa();
    let first = string(&classic(&t).await);
    let second = string(&classic(&t).await);
    assert_ne!(first, second);
    assert_eq!(probe(&t, &first).await, 0);
    advance(Duration::from_secs(301)).await;
    assert_eq!((probe(&t, &first).await, probe(&t, &second).await), (40001, 0), "not the newest: the code of a bad secret (§0.3)");
}

#[tokio::test(start_paused = true)]
async fn stable_and_classic_tokens_do_not_know_of_each_other() {
    let t = oa();
    let kept = string(&stable(&t, false).await);
    classic(&t).await;
    classic(&t).await;
    advance(Duration::from_secs(600)).await;
    assert_eq!(probe(&t, &kept).await, 0);
    assert_eq!(t.foreign_fetch(APPID), Some(0));
    assert_eq!(t.fetches(APPID), Fetches { wire: 3, foreign: 1, minted: 4 });
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_fetch_is_told_by_code() {
    let t = oa();
    let with = async |body: Value| ask(&t, "POST", "/cgi-bin/stable_token", &body).await["errcode"].as_i64().unwrap();
    assert_eq!(with(json!({ "appid": APPID, "secret": SECRET })).await, 40002);
    assert_eq!(with(json!({ "grant_type": "client_credential", "secret": SECRET })).await, 41002);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": APPID })).await, 41004);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": "wxother", "secret": SECRET })).await, 40013);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": APPID, "secret": "no" })).await, 40001);
    assert_eq!(get(&t, "/cgi-bin/stable_token").await["errcode"], 43002);
    t.trust(APPID, Some(Vec::new()));
    let v = stable(&t, false).await;
    assert_eq!(v["errcode"], 40164, "official accounts ask for the address at the fetch");
    assert!(v["errmsg"].as_str().unwrap().starts_with("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: "), "{v}");
    assert_eq!(probe(&t, "made-up").await, 40001);
    assert_eq!(probe(&t, "").await, 41001);
    let (asked, _) = t.asked();
    assert!(!format!("{asked:?}").contains(SECRET));
    assert!(asked[0].body.contains(APPID), "the rest of a body can be read: {:?}", asked[0]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_42001_and_a_string_code_is_a_string_where_there_was_none() {
    let t = oa();
    let first = string(&stable(&t, false).await);
    t.expire(APPID);
    assert_eq!(probe(&t, &first).await, 42001);
    t.fault(TokenFault::StringCode, 1, None);
    assert_eq!(stable(&t, false).await["errcode"], "0");
    t.reset_secret(APPID, Some("other"), Some(true)).unwrap();
    assert_eq!(stable(&t, false).await["errcode"], 40001);
}
