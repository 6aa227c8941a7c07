//! The business server's login by QR, quirk by quirk, as its source has it; in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use axum::{
    body::{Body, to_bytes},
    http::Request as Asked,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PHONE: &str = "PHONE-SESSION";

fn server() -> Wukong {
    let settings = WukongSettings { business_server: true, ..WukongSettings::default() };
    let w = Wukong::new("im", settings, Clock::virtual_from(1_795_262_400_000), Some(1), CancellationToken::new());
    w.business_listens(([127, 0, 0, 1], 8090).into());
    w.seed(&[UidSpec {
        uid: "u1".into(),
        devices: vec![DeviceSpec { level: 1, token: PHONE.into(), ..DeviceSpec::default() }],
        ..UidSpec::default()
    }]);
    w
}

async fn ask(w: &Wukong, method: &str, path: &str, token: &str) -> (u16, Value) {
    let request = Asked::builder().method(method).uri(path).header("token", token).body(Body::empty()).unwrap();
    let answer = w.handle(Port::Business, request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn uuid(w: &Wukong) -> String {
    let (status, v) = ask(w, "GET", "/v1/user/loginuuid", "").await;
    let uuid = v["uuid"].as_str().unwrap().to_owned();
    assert_eq!((status, v["qrcode"].as_str().unwrap()), (200, format!("http://127.0.0.1:8090/v1/qrcode/{uuid}").as_str()));
    assert_eq!(uuid.len(), 32);
    uuid
}

async fn status(w: &Wukong, uuid: &str) -> Value {
    ask(w, "GET", &format!("/v1/user/loginstatus?uuid={uuid}"), "").await.1
}

async fn scan(w: &Wukong, uuid: &str) -> (u16, Value) {
    ask(w, "GET", &format!("/v1/qrcode/{uuid}"), PHONE).await
}

async fn grant(w: &Wukong, auth: &str) -> (u16, Value) {
    ask(w, "GET", &format!("/v1/user/grant_login?auth_code={auth}"), PHONE).await
}

/// Scans and grants; the authorisation.
async fn granted(w: &Wukong) -> String {
    let code = uuid(w).await;
    let auth = scan(w, &code).await.1["data"]["auth_code"].as_str().unwrap().to_owned();
    assert_eq!(grant(w, &auth).await.0, 200);
    auth
}

#[tokio::test(start_paused = true)]
async fn a_code_lives_sixty_seconds_and_is_refused_after_that() {
    let w = server();
    let code = uuid(&w).await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(ask(&w, "GET", &format!("/v1/qrcode/{code}"), "nobody").await.0, 401);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&w, &code).await, json!({ "status": "expired" }));
    assert_eq!(scan(&w, &code).await, (400, json!({ "msg": "二维码或已过期！", "status": 400 })));
    assert_eq!(w.web_scan("u1", Some(&format!("http://127.0.0.1:8090/v1/qrcode/{code}")), true), Err("二维码或已过期！".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_ten_seconds_and_then_says_what_was_so_when_it_began() {
    let w = server();
    let code = uuid(&w).await;
    let began = Instant::now();
    assert_eq!(status(&w, &code).await["status"], "waitScan");
    assert_eq!(began.elapsed().as_secs(), 10);
    // A change is told at once to the poll that waits.
    let began = Instant::now();
    let (told, _) = tokio::join!(status(&w, &code), async {
        sleep(Duration::from_secs(3)).await;
        scan(&w, &code).await
    });
    assert_eq!((told["status"].as_str(), told["uid"].as_str(), began.elapsed().as_secs()), (Some("scanned"), Some("u1"), 3));
    // One that comes after it waits all the same.
    let began = Instant::now();
    assert_eq!(status(&w, &code).await["status"], "scanned");
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn of_two_polls_the_later_one_hears_and_the_first_to_end_makes_it_deaf() {
    let w = server();
    let code = uuid(&w).await;
    let second = async {
        sleep(Duration::from_secs(2)).await;
        status(&w, &code).await
    };
    let phone = async {
        // The first poll has ended by then.
        sleep(Duration::from_secs(11)).await;
        scan(&w, &code).await
    };
    let (first, second, _) = tokio::join!(status(&w, &code), second, phone);
    assert_eq!((first["status"].as_str(), second["status"].as_str()), (Some("waitScan"), Some("waitScan")), "scanned a second before it ended");
}

#[tokio::test(start_paused = true)]
async fn an_authorisation_is_redeemed_once_for_a_browser_at_level_0_and_its_token_is_given_out_again() {
    let w = server();
    let auth = granted(&w).await;
    let (status, v) = ask(&w, "POST", &format!("/v1/user/login_authcode/{auth}"), "").await;
    assert_eq!((status, v["uid"].as_str()), (200, Some("u1")));
    let token = v["token"].as_str().unwrap().to_owned();
    let web = w.devices("u1").into_iter().find(|d| d.flag == 1).unwrap();
    assert_eq!((web.level, &web.token), (0, &token));
    let again = ask(&w, "POST", &format!("/v1/user/login_authcode/{auth}"), "").await;
    assert_eq!(again, (400, json!({ "msg": "授权码失效或不存在！", "status": 400 })));
    // A rotation on the IM server alone is undone by the next login.
    w.quit("u1", 1);
    let auth = granted(&w).await;
    assert_eq!(ask(&w, "POST", &format!("/v1/user/login_authcode/{auth}"), "").await.1["token"], json!(token));
    assert_eq!(w.token("u1", 1).unwrap().expose(), token);
}

#[tokio::test(start_paused = true)]
async fn a_pc_logs_in_on_the_phones_flag() {
    let w = server();
    let auth = granted(&w).await;
    assert_eq!(ask(&w, "POST", &format!("/v1/user/login_authcode/{auth}?flag=2"), "").await.0, 200);
    assert!(w.devices("u1").iter().all(|d| d.flag == 0), "flag 2 was read and lost");
    assert_eq!(w.devices("u1")[0].level, 0, "and the phone is a slave now");
}

#[tokio::test(start_paused = true)]
async fn only_who_scanned_may_confirm_and_only_within_ten_minutes() {
    let w = server();
    w.seed(&[UidSpec { uid: "u2".into(), devices: vec![DeviceSpec { token: "OTHER".into(), ..DeviceSpec::default() }], ..UidSpec::default() }]);
    let code = uuid(&w).await;
    let auth = scan(&w, &code).await.1["data"]["auth_code"].as_str().unwrap().to_owned();
    let other = ask(&w, "GET", &format!("/v1/user/grant_login?auth_code={auth}"), "OTHER").await;
    assert_eq!(other, (400, json!({ "msg": "扫描者与授权者不是同一个用户！", "status": 400 })));
    sleep(Duration::from_secs(601)).await;
    assert_eq!(grant(&w, &auth).await.1["msg"], "授权码失效或不存在！");
    assert_eq!(status(&w, &code).await["status"], "expired");
}
