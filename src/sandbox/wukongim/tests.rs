//! The scenarios of `session_trace.txt`, in paused time: who may log in, who is thrown out, and when the server forgets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use axum::{
    body::{Body, to_bytes},
    http::Request as Asked,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

const NOON: i64 = 1_795_262_400_000;

fn server(settings: WukongSettings) -> Wukong {
    Wukong::new("im", settings, Clock::virtual_from(NOON), Some(1), CancellationToken::new())
}

fn v2() -> Wukong {
    server(WukongSettings::default())
}

async fn ask_at(w: &Wukong, port: Port, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = Asked::builder().method(method).uri(path).header("token", "MANAGER-TOKEN-FOR-TESTS").body(Body::from(body.to_owned())).unwrap();
    let answer = w.handle(port, request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn post(w: &Wukong, path: &str, body: Value) -> (u16, Value) {
    ask_at(w, Port::Api, "POST", path, &body.to_string()).await
}

async fn get(w: &Wukong, path: &str) -> (u16, Value) {
    ask_at(w, Port::Api, "GET", path, "").await
}

/// Flags of the sessions that `/user/onlinestatus` tells of.
async fn listed(w: &Wukong, uid: &str) -> Vec<u64> {
    let (_, v) = post(w, "/user/onlinestatus", json!([uid])).await;
    v.as_array().unwrap().iter().map(|e| e["device_flag"].as_u64().unwrap()).collect()
}

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[tokio::test(start_paused = true)]
async fn a_to_e_only_the_right_token_on_its_own_flag_gets_in_and_the_log_says_why_not() {
    let w = v2();
    w.issue("a1", 0, 1, "tA").unwrap();
    assert!(w.login("a1", 0, "d1", "tA").is_ok());
    assert_eq!(w.login("a1", 0, "d1", "BAD"), Err(NoLogin::WrongToken));
    assert_eq!(w.login("a1", 0, "d1", ""), Err(NoLogin::EmptyToken));
    assert_eq!(w.login("a1", 1, "d1", "tA"), Err(NoLogin::NoDevice));
    assert_eq!(w.login("nobody", 0, "d1", "t"), Err(NoLogin::NoDevice));
    let log = w.log();
    assert_eq!(
        log[0],
        r#"{"level":"error","time":"2026-11-21T12:00:00+00:00","msg":"【handler】token verify fail","uid":"a1","sourceNodeId":1001,"expectToken":"tA","actToken":"BAD"}"#
    );
    assert!(log[1].ends_with(r#""msg":"【handler】handle connect err","error":"token verify fail"}"#), "{}", log[1]);
    assert!(log[2].contains("【handler】token is empty"), "{}", log[2]);
    assert!(log[4].contains(r#""msg":"【handler】get device token err","error":"not found","uid":"a1","deviceFlag":"WEB""#), "{}", log[4]);
    assert!(log[5].ends_with(r#""msg":"【handler】handle connect err","error":"not found"}"#), "{}", log[5]);
    assert_eq!(log.len(), 8, "each refusal is two lines");
}

#[tokio::test(start_paused = true)]
async fn f_a_master_on_another_device_throws_the_first_out_after_two_seconds() {
    let w = v2();
    w.issue("f1", 0, 1, "tF").unwrap();
    w.client("f1", 0, "d1", "tF", Manner::Deaf).unwrap();
    w.client("f1", 0, "d2", "tF", Manner::Deaf).unwrap();
    assert_eq!(listed(&w, "f1").await, [0, 0], "one entry per connection, the kicked one included");
    assert_eq!(get(&w, "/connz").await.1["total"], 2);
    sleep(secs(2.1)).await;
    assert_eq!(w.online("f1").iter().map(|s| s.device_id.as_str()).collect::<Vec<_>>(), ["d2"]);
    assert_eq!((get(&w, "/connz").await.1["total"].clone(), w.zombies()), (json!(1), 1), "its socket is open and in no list");
}

#[tokio::test(start_paused = true)]
async fn g_to_j_the_same_device_id_loses_its_place_without_notice_and_a_slave_elsewhere_keeps_it() {
    for (level, second, stay) in [(1, "d1", 1), (0, "d2", 2), (0, "d1", 1), (0, "", 1)] {
        let w = v2();
        let first = if second.is_empty() { "" } else { "d1" };
        w.issue("x1", 0, level, "t").unwrap();
        // It would hang up if it were told.
        w.login("x1", 0, first, "t").unwrap();
        w.login("x1", 0, second, "t").unwrap();
        assert_eq!(listed(&w, "x1").await.len(), 2);
        sleep(secs(2.1)).await;
        assert_eq!((listed(&w, "x1").await.len(), w.zombies()), (stay, 2 - stay), "level {level}, {first:?} then {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn k_to_m_a_token_at_level_1_kicks_after_ten_seconds_even_if_it_is_the_same_and_level_0_kicks_nobody() {
    for (level, token, kicked) in [(1, "new", true), (1, "old", true), (0, "new", false)] {
        let w = v2();
        w.issue("k1", 0, level, "old").unwrap();
        w.client("k1", 0, "d1", "old", Manner::Deaf).unwrap();
        assert_eq!(
            post(&w, "/user/token", json!({"uid":"k1","token":token,"device_flag":0,"device_level":level})).await,
            (200, json!({"status":200}))
        );
        sleep(secs(9.9)).await;
        assert_eq!(listed(&w, "k1").await, [0], "its grace is ten seconds");
        sleep(secs(0.2)).await;
        assert_eq!(listed(&w, "k1").await.is_empty(), kicked, "level {level} token {token}");
    }
    let w = v2();
    w.issue("k1", 0, 1, "old").unwrap();
    w.login("k1", 0, "d1", "old").unwrap();
    w.issue("k1", 0, 1, "new").unwrap();
    sleep(secs(0.1)).await;
    assert!(w.online("k1").is_empty(), "an SDK hangs up when it is told");
    assert_eq!(w.login("k1", 0, "d1", "old"), Err(NoLogin::WrongToken));
    assert!(w.login("k1", 0, "d1", "new").is_ok());
}

#[tokio::test(start_paused = true)]
async fn n_to_p_quit_empties_the_token_sets_level_1_and_minus_one_means_three_flags() {
    let w = v2();
    for flag in [0, 1, 2, 4, 5, 99] {
        w.issue("o1", flag, 0, &format!("tO{flag}")).unwrap();
        w.client("o1", flag, &format!("dv{flag}"), &format!("tO{flag}"), Manner::Deaf).unwrap();
    }
    assert_eq!(post(&w, "/user/device_quit", json!({"uid":"o1","device_flag":-1})).await.0, 200);
    sleep(secs(2.1)).await;
    assert_eq!(listed(&w, "o1").await, [4, 5, 99]);
    assert_eq!(w.login("o1", 0, "dv0", "tO0"), Err(NoLogin::WrongToken), "an empty token fits no one");
    for (flag, means) in [(260, 4u8), (-251, 5)] {
        post(&w, "/user/device_quit", json!({"uid":"o1","device_flag":flag})).await;
        assert_eq!(w.token("o1", means).unwrap().expose(), "", "{flag} is {means}");
    }
    sleep(secs(2.1)).await;
    assert_eq!(listed(&w, "o1").await, [99]);
    let rows: Vec<_> = w.devices("o1").into_iter().map(|d| (d.flag, d.level, d.token)).collect();
    let wiped = |f| (f, 1, String::new());
    assert_eq!(rows, [wiped(0), wiped(1), wiped(2), wiped(4), wiped(5), (99, 0, "tO99".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn r_and_z_a_zombie_gets_no_answer_and_its_messages_are_stored_until_send_ban() {
    let w = v2();
    w.issue("z1", 1, 1, "t").unwrap();
    w.issue("z2", 1, 1, "t").unwrap();
    let zombie = w.client("z1", 1, "wd1", "t", Manner::Deaf).unwrap();
    w.login("z2", 1, "wd2", "t").unwrap();
    assert_eq!(w.send(zombie, "z1", "z2", "m1"), Some(1));
    w.quit("z1", 1);
    sleep(secs(258.0)).await;
    assert_eq!(w.send(zombie, "z1", "z2", "m2"), None);
    post(&w, "/channel/info", json!({"channel_id":"z1","channel_type":1,"ban":1})).await;
    assert_eq!(w.send(zombie, "z1", "z2", "m3"), None);
    post(&w, "/channel/info", json!({"channel_id":"z1","channel_type":1,"send_ban":1})).await;
    assert_eq!(w.send(zombie, "z1", "z2", "m4"), None);
    assert_eq!(w.messages().iter().map(|m| m.client_msg_no.as_str()).collect::<Vec<_>>(), ["m1", "m2", "m3"]);
    assert_eq!(w.bans("z1"), (false, true), "each call overwrites both bans");
}

#[tokio::test(start_paused = true)]
async fn w_remove_forgets_at_once_and_kick_after_two_seconds() {
    let w = v2();
    w.issue("h1", 0, 0, "t").unwrap();
    let first = w.client("h1", 0, "d1", "t", Manner::HangsUp).unwrap();
    assert_eq!(post(&w, "/conn/remove", json!({"uid":"h1","conn_id":first})).await.0, 200);
    assert_eq!((listed(&w, "h1").await.len(), w.zombies()), (0, 1), "nobody told the client");
    let second = w.client("h1", 0, "d2", "t", Manner::Deaf).unwrap();
    assert_eq!(post(&w, "/conn/kick", json!({"uid":"other","conn_id":second})).await.0, 200);
    assert_eq!(post(&w, "/conn/kick", json!({"uid":"h1","conn_id":second})).await.0, 200);
    sleep(secs(1.9)).await;
    assert_eq!(listed(&w, "h1").await, [0]);
    sleep(secs(0.2)).await;
    assert!(listed(&w, "h1").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ac_to_ag_visitors_managers_system_users_and_a_server_that_checks_nothing() {
    let w = v2();
    assert!(w.login("foo___vstr", 0, "d1", "").is_ok(), "visitors skip the check");
    w.seed(&[UidSpec { uid: "sysbot".into(), system: true, ..UidSpec::default() }]);
    assert_eq!(w.login("sysbot", 0, "d1", "t"), Err(NoLogin::NoDevice), "a system user needs its token");
    assert!(w.login("____manager", 0, "d1", "MANAGER-TOKEN-FOR-TESTS").is_ok());
    assert_eq!(w.login("____manager", 0, "d1", "no"), Err(NoLogin::ManagerToken));
    w.issue("ban1", 0, 1, "t").unwrap();
    post(&w, "/channel/info", json!({"channel_id":"ban1","channel_type":1,"ban":1})).await;
    assert_eq!(w.login("ban1", 0, "d1", "t"), Err(NoLogin::Banned));
    let banned = post(&w, "/user/token", json!({"uid":"ban1","token":"t2","device_level":1})).await;
    assert_eq!(banned, (200, json!({"status":19})));

    let w = server(WukongSettings { token_auth_on: false, ..WukongSettings::default() });
    w.issue("q", 0, 1, "t").unwrap();
    w.client("q", 0, "a", "anything", Manner::Deaf).unwrap();
    w.client("q", 0, "b", "", Manner::Deaf).unwrap();
    w.client("never", 0, "c", "", Manner::Deaf).unwrap();
    sleep(secs(3.0)).await;
    assert_eq!(w.online("q").iter().map(|s| s.level).collect::<Vec<_>>(), [0, 0], "registered as master, shown as slaves");
    w.quit("never", 0);
    sleep(secs(3.0)).await;
    assert_eq!(w.online("never").len(), 1, "a session without a row is not kicked");
    w.quit("q", 0);
    sleep(secs(2.1)).await;
    assert!(w.online("q").is_empty());
}

#[tokio::test(start_paused = true)]
async fn ai_the_recommended_rotation_lets_the_device_come_back_at_once_and_stay() {
    let w = v2();
    w.issue("e1", 4, 0, "old").unwrap();
    w.login("e1", 4, "A", "old").unwrap();
    w.quit("e1", 4);
    w.issue("e1", 4, 0, "new").unwrap();
    sleep(secs(0.3)).await;
    assert_eq!(w.login("e1", 4, "A", "old"), Err(NoLogin::WrongToken));
    w.login("e1", 4, "A", "new").unwrap();
    sleep(secs(13.0)).await;
    assert_eq!(listed(&w, "e1").await, [4]);
}

#[tokio::test(start_paused = true)]
async fn aj_a_restart_keeps_rows_and_loses_sessions_and_the_cache_that_panics() {
    let w = v2();
    w.issue("e2", 1, 1, "keep").unwrap();
    w.issue("e2", 1, 1, "keep").unwrap();
    w.login("e2", 1, "d1", "keep").unwrap();
    assert_eq!(get(&w, "/cluster/devices?uid=e2&device_flag=1").await.0, 500);
    assert_eq!(get(&w, "/cluster/devices?uid=e2&device_flag=0").await.0, 200, "0 is no filter");
    w.restart_server();
    assert!(w.online("e2").is_empty());
    assert_eq!(get(&w, "/cluster/devices?uid=e2&device_flag=1").await.0, 200);
    w.issue("e2", 1, 1, "again").unwrap();
    sleep(secs(601.0)).await;
    assert_eq!(get(&w, "/cluster/devices?uid=e2&device_flag=1").await.0, 200, "the cache forgets after ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_search_by_uid_shows_three_devices_of_many_and_pages_without_a_uid_show_all() {
    let w = v2();
    for flag in 0..9 {
        w.issue("m", flag, 0, "t").unwrap();
        w.issue(&format!("o{flag}"), 0, 0, "t").unwrap();
    }
    let many = |limit: usize| format!("/cluster/devices?uid=m&limit={limit}");
    assert_eq!(get(&w, "/cluster/devices?uid=m").await.1["data"].as_array().unwrap().len(), 3);
    assert_eq!(get(&w, "/cluster/devices?uid=m").await.1["more"], 0, "and says that there are no more");
    assert_eq!(get(&w, &many(72)).await.1["data"].as_array().unwrap().len(), 9, "8 times the number is enough");
    let (mut seen, mut offset) = (0, String::new());
    loop {
        let (_, v) = get(&w, &format!("/cluster/devices?limit=4{offset}")).await;
        let rows = v["data"].as_array().unwrap();
        seen += rows.len();
        offset = format!("&offset_created_at={}", rows.last().unwrap()["created_at"]);
        if v["more"] == 0 {
            break;
        }
    }
    assert_eq!(seen, 18);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_peer_that_is_down_fails_the_whole_batch() {
    let w = v2();
    w.peer_down(1);
    let (status, v) = post(&w, "/user/onlinestatus", json!(["a", "b"])).await;
    assert_eq!(status, 400);
    assert!(v["msg"].as_str().unwrap().contains("connection refused"));
    assert_eq!(post(&w, "/user/onlinestatus", json!(["a"])).await, (200, json!([])));
}

#[tokio::test(start_paused = true)]
async fn v1_says_a_wrong_token_in_its_own_form_and_closes_kicked_sockets() {
    let w = server(WukongSettings { version: Version::V1, ..WukongSettings::default() });
    assert_eq!(w.login("nobody", 0, "d1", "t"), Err(NoLogin::WrongToken), "an absent row reads as an empty token");
    assert!(w.log()[0].contains(r#""msg":"【Processor】token verify fail","expectToken":"","actToken":"t","conn":"Conn[1] uid= fd={21} deviceFlag=APP deviceLevel=Slave deviceID=""#), "{}", w.log()[0]);
    assert_eq!(get(&w, "/health").await.0, 404);
    assert_eq!(get(&w, "/cluster/devices").await.0, 404);
    assert!(get(&w, "/varz").await.1.get("user_handler_count").is_none());
    w.quit("ghost", 3);
    assert_eq!(w.devices("ghost").len(), 1, "quit of nothing writes an empty row");
    w.issue("u1", 0, 1, "t").unwrap();
    w.issue("u2", 0, 1, "t").unwrap();
    w.client("u1", 0, "d1", "t", Manner::Deaf).unwrap();
    w.client("u2", 0, "d1", "t", Manner::Deaf).unwrap();
    let (_, all) = get(&w, "/connz?uid=u1&limit=1").await;
    assert_eq!(all["connections"].as_array().unwrap().len(), 2, "a uid filters nothing");
    w.quit("u1", 0);
    sleep(secs(2.1)).await;
    assert_eq!((w.online("u1").len(), w.zombies()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn v3_lets_anybody_in_and_kicks_by_closing() {
    let w = server(WukongSettings { version: Version::V3, manager_token: None, ..WukongSettings::default() });
    w.issue("a1", 0, 1, "tA").unwrap();
    w.client("a1", 0, "d1", "WRONG", Manner::Deaf).unwrap();
    w.quit("a1", 0);
    assert_eq!((w.online("a1").len(), w.zombies()), (0, 0));
    assert_eq!(post(&w, "/user/device_quit", json!({"uid":"ghost","device_flag":7})).await.0, 400, "v3 says that there was nothing");
}

#[tokio::test(start_paused = true)]
async fn two_clients_that_fight_take_turns_and_are_never_both_online_for_long() {
    let w = v2();
    let fight = FightSpec { flag: 0, level: 1, devices: ["iphone".into(), "android".into()], every: secs(20.0) };
    w.seed(&[UidSpec { uid: "wang".into(), fight: Some(fight), ..UidSpec::default() }]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        sleep(secs(10.0)).await;
        seen.extend(w.online("wang").into_iter().map(|s| (s.device_id, w.token("wang", 0).unwrap().expose().to_owned())));
        sleep(secs(10.0)).await;
    }
    assert_eq!(seen.iter().map(|s| s.0.as_str()).collect::<Vec<_>>(), ["iphone", "android", "iphone", "android"]);
    assert_eq!(seen.iter().map(|s| &s.1).collect::<std::collections::BTreeSet<_>>().len(), 4, "each login has a token of its own");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_users_are_seeded_and_polled_in_batches() {
    let scenario = crate::sandbox::Scenario::named("wukongim-crowd").unwrap().unwrap();
    let crate::sandbox::Part::Wukong(settings, users) = scenario.gateway[0].part(Some(10_000)) else { panic!("another kind") };
    let w = server(*settings);
    let began = std::time::Instant::now();
    w.seed(&users);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(w.accounts().len(), 10_000);
    let uids: Vec<_> = users.iter().take(1000).map(|u| u.uid.clone()).collect();
    let body = Body::from(json!(uids).to_string());
    let request = Asked::post("/user/onlinestatus").header("token", "SANDBOX-CROWD-TOKEN-77a1").body(body).unwrap();
    let answer = w.handle(Port::Api, request).await.unwrap();
    let bytes = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    let v: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(v.as_array().unwrap().len(), 333 + 100, "every third phone and every tenth browser");
}
