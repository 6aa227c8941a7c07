//! The sandbox's WuKongIM server against recordings of the real one (v2.2.5 and the v3 beta): each recorded request is put to
//! it in the recorded order; status, headers and the shape of the body must be the same, values too unless `DIFFERS` says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use pairdeck::sandbox::{Clock, Manager, Manner, Port, Version, Wukong, WukongSettings, json::Json};
use std::{collections::BTreeMap, time::Duration};
use support::replay::{self, Recording, folder};
use tokio_util::sync::CancellationToken;

/// Recordings that are not replayed, and why.
const LEFT_OUT: &[(&str, &str)] =
    &[("webhook_user_onlinestatus", "the server's own request; the sandbox has no webhook, its events go to GET /events")];

/// Values that may differ: key or whole place, and why. Their kinds must agree.
const DIFFERS: &[(&str, &str)] = &[
    ("id", "made up by the server"),
    ("created_at", "an instant"),
    ("updated_at", "an instant"),
    ("created_at_format", "an instant"),
    ("updated_at_format", "an instant"),
    ("createdAt", "an instant"),
    ("now", "an instant"),
    ("last_activity", "an instant"),
    ("connected_at", "an instant, or the empty one"),
    ("expires_at", "an instant"),
    ("exp", "an instant"),
    ("uptime", "a time"),
    ("idle", "a time"),
    ("port", "the client's"),
    ("remote_addr", "the client's address"),
    ("local_addr", "the server's address"),
    ("tcp_addr", "the server's address"),
    ("ws_addr", "the server's address"),
    ("api_url", "the server's address"),
    ("manager_addr", "the server's address"),
    ("cluster_addr", "the server's address"),
    ("clusterAddr", "the server's address"),
    ("api_server_addr", "the server's address"),
    ("apiServerAddr", "the server's address"),
    ("access_token", "a JWT"),
    ("v3beta/mgr_token_reset.token", "made up by the server"),
    ("mem", "a gauge"),
    ("goroutine", "a gauge"),
    ("cpu", "a gauge"),
    ("user_handler_count", "handlers of all users since the start, of which the recorded server had seen more"),
    ("in_msgs", "counts of earlier traffic"),
    ("out_msgs", "counts of earlier traffic"),
    ("in_bytes", "counts of earlier traffic"),
    ("out_bytes", "counts of earlier traffic"),
    ("version", "the recorded clients spoke version 4 of the binary protocol"),
    ("session_id", "made up by the server"),
    ("slot_id", "v3 spreads users over its slots in a way of its own"),
    ("hash_slot", "v3 spreads users over its slots in a way of its own"),
];

fn read(name: &str) -> Recording {
    let text = std::fs::read_to_string(folder("wukongim").join(format!("{name}.http"))).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (request, answer) = text.split_once("# response\n").unwrap_or_else(|| panic!("{name} has no response"));
    let headers = |lines: &mut std::str::Lines<'_>| -> Vec<(String, String)> {
        lines.by_ref().take_while(|l| !l.is_empty()).filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect()
    };
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("# request"), "{name}");
    let first: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let (method, path) = (first[0].to_owned(), first[1].to_owned());
    let request_headers = headers(&mut lines);
    let body = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    let mut lines = answer.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let answer_headers = headers(&mut lines).into_iter().collect();
    let answer = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    Recording { method, path, headers: request_headers, body, status, answer_headers, answer }
}

/// True where a value may differ from the recorded one.
fn free(at: &str, key: &str, want: &Json, _: &Json) -> bool {
    matches!(want, Json::Text(w) if w == "<jwt>") || DIFFERS.iter().any(|(k, _)| *k == key || *k == at)
}

fn compare(at: &str, key: &str, want: &Json, got: &Json, wrong: &mut Vec<String>) {
    replay::compare(at, key, want, got, &free, wrong);
}

struct Stage {
    server: Wukong,
    /// JWTs that take the place of `<jwt>`, by the start of the recording's name.
    jwts: Vec<(&'static str, String)>,
    /// Page offsets are instants of the server: the recorded one is replaced by ours.
    offset: Option<String>,
    wrong: Vec<String>,
    played: Vec<String>,
}

impl Stage {
    fn new(settings: WukongSettings) -> Self {
        let server = Wukong::new("im", settings, Clock::virtual_from(1_795_246_641_000), Some(1), CancellationToken::new());
        Self { server, jwts: Vec::new(), offset: None, wrong: Vec::new(), played: Vec::new() }
    }

    async fn play(&mut self, name: &str) -> String {
        let r = read(name);
        let port = if name.starts_with("manager_port") || name.contains("/mgr_") { Port::Manager } else { Port::Api };
        let mut path = r.path.clone();
        if let Some((start, _)) = path.split_once("offset_created_at=") {
            path = format!("{start}offset_created_at={}", self.offset.as_ref().unwrap());
        }
        let mut request = Request::builder().method(r.method.as_str()).uri(&path);
        for (k, v) in &r.headers {
            let jwt = || self.jwts.iter().find(|(n, _)| name.starts_with(n)).unwrap_or_else(|| panic!("{name} needs a JWT")).1.clone();
            request = request.header(k, if v.contains("<jwt>") { format!("Bearer {}", jwt()) } else { v.clone() });
        }
        let answer = self.server.handle(port, request.body(Body::from(r.body.clone())).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let headers: BTreeMap<String, String> = answer.headers().iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
        let body = String::from_utf8(to_bytes(answer.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap();
        let mut say = |what: String| self.wrong.push(format!("{name}: {what}"));
        if status != r.status {
            say(format!("status {status}, recorded {}: {body}", r.status));
        }
        // Length and chunks are compared as one: hyper writes the latter by itself.
        let plain = |h: &BTreeMap<String, String>| -> Vec<(String, String)> {
            let left_out = ["content-length", "transfer-encoding", "date", "accept-ranges", "last-modified"];
            h.iter().filter(|(k, _)| !left_out.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        if plain(&headers) != plain(&r.answer_headers) {
            say(format!("headers {:?}, recorded {:?}", plain(&headers), plain(&r.answer_headers)));
        }
        if headers.contains_key("date") != r.answer_headers.contains_key("date") {
            say("the Date header is missing or too many".to_owned());
        }
        let chunked = r.answer_headers.contains_key("transfer-encoding");
        if chunked == headers.contains_key("content-length") && r.status != 204 && !name.contains("web") && !name.contains("metrics") {
            say(format!("a length is announced: {}", !chunked));
        }
        self.played.push(name.to_owned());
        if name.contains("manager_port_web") {
            return body;
        }
        match Json::parse(&r.answer) {
            Ok(want) => match Json::parse(&body) {
                Ok(got) => compare(name, "", &want, &got, &mut self.wrong),
                Err(e) => self.wrong.push(format!("{name}: {body:?} is no JSON: {e}")),
            },
            Err(_) if name.contains("metrics") => {
                for line in r.answer.lines().filter(|l| l.starts_with("# TYPE")) {
                    if !body.contains(line) {
                        self.wrong.push(format!("{name}: {line:?} is missing"));
                    }
                }
            }
            Err(_) if r.answer != body => self.wrong.push(format!("{name}: {body:?}, recorded {:?}", r.answer)),
            Err(_) => {}
        }
        body
    }

    async fn play_all(&mut self, names: &[&str]) {
        for name in names {
            self.play(name).await;
        }
    }

    fn done(self) -> Vec<String> {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        self.played
    }
}

fn manager(name: &str, password: &str, permissions: &str) -> Manager {
    Manager { name: name.to_owned(), password: password.to_owned(), permissions: permissions.to_owned() }
}

/// Everything recorded on v2.2.5, in the recorded order.
async fn v2() -> Vec<String> {
    let managers = vec![manager("admin", "adminpwd", "*:*"), manager("viewer", "viewerpwd", "*:r")];
    let mut s = Stage::new(WukongSettings { manager_token: Some("mgr-secret-1".to_owned()), managers, ..WukongSettings::default() });
    s.play_all(&[
        "health",
        "health_no_token",
        "user_token_ok",
        "user_token_same_again",
        "user_token_bad_manager_token",
        "user_token_empty_token",
        "user_token_empty_uid",
        "user_token_special_uid",
        "user_token_system_uid",
        "user_token_flag_300",
        "user_token_flag_negative",
        "user_token_flag_string",
        "user_token_malformed",
        "user_token_level_9",
        "user_token_flag_4",
        "user_token_flag_255",
        "user_onlinestatus_offline",
        "user_onlinestatus_empty",
        "user_onlinestatus_badbody",
        "unknown_path",
        "wrong_method",
        "cluster_devices_uid",
        "connz_empty",
        "device_quit_empty_uid",
        "device_quit_unknown_device",
        "device_quit_unknown_user",
        "migrate_result",
        "migrate_root",
        "route",
        "route_batch",
        "route_intranet",
        "systemuids_add",
        "systemuids_get",
        "systemuids_remove",
        "systemuids_get_after",
        "varz",
        "varz_setting",
        "cluster_info",
        "cluster_simpleNodes",
        "cluster_users",
        "cluster_users_uid",
        "docs_openapi",
        "manager_login_on_api_port",
    ])
    .await;
    let first = s.play("cluster_devices_all").await;
    let rows = Json::parse(&first).unwrap();
    let last = rows.get("data").and_then(Json::list).and_then(|l| l.last()).and_then(|d| d.get("created_at")).unwrap().to_string();
    s.offset = Some(last);
    s.play_all(&["cluster_devices_page2", "cluster_devices_unknown_uid", "cluster_devices_uid_flag_missing_device"]).await;
    s.play_all(&["cluster_devices_uid_flag4_before_update", "user_token_flag_4_update", "cluster_devices_uid_flag4_after_update_500"]).await;
    s.play("cluster_devices_uid_after_update").await;
    s.play_all(&["manager_port_no_auth", "manager_port_bad_token", "manager_port_manager_token", "manager_port_login_bad"]).await;
    s.play_all(&["manager_port_login_empty", "manager_port_health", "manager_port_metrics", "manager_port_web"]).await;
    let login = s.play("manager_port_login_ok").await;
    let admin = Json::parse(&login).unwrap().get("token").and_then(Json::text).unwrap().to_owned();
    let viewer = Request::post("/manager/login").body(Body::from(r#"{"username":"viewer","password":"viewerpwd"}"#)).unwrap();
    let viewer = to_bytes(s.server.handle(Port::Manager, viewer).await.unwrap().into_body(), 1 << 20).await.unwrap();
    let viewer = Json::parse(std::str::from_utf8(&viewer).unwrap()).unwrap().get("token").and_then(Json::text).unwrap().to_owned();
    s.jwts = vec![
        ("api_port_jwt_only", admin.clone()),
        ("manager_port_jwt_devices_readonly", viewer.clone()),
        ("manager_port_jwt_readonly_kick", viewer),
        ("manager_port_bad_jwt", "@ad.jwt.here".to_owned()),
        ("manager_port_jwt", admin),
    ];
    s.play_all(&["api_port_jwt_only", "manager_port_bad_jwt", "manager_port_jwt_connz", "manager_port_jwt_devices_readonly"]).await;
    s.play_all(&["manager_port_jwt_readonly_kick", "manager_port_jwt_user_token"]).await;

    // Two clients: u1 on flag 4, h1 on flag 0, numbered as recorded.
    s.server.issue("h1", 0, 0, "tH").unwrap();
    for n in 1.. {
        let id = s.server.client("filler___vstr", 9, "x", "", Manner::HangsUp).unwrap();
        s.server.hang_up(id);
        if n == 45 {
            break;
        }
    }
    assert_eq!(s.server.client("u1", 4, "android-7", "t4b", Manner::Deaf).unwrap(), 46);
    assert_eq!(s.server.client("h1", 0, "d1", "tH", Manner::Deaf).unwrap(), 47);
    tokio::time::sleep(Duration::from_secs(2)).await;
    s.play_all(&["connz_two", "connz_uid_substring", "connz_limit1_offset1_idDesc", "connz_sort_unknown", "connz_node_unknown"]).await;
    s.play_all(&["connz_offset_negative", "varz_show_conn", "user_onlinestatus_two", "conn_kick_missing_id", "conn_kick_unknown"]).await;
    s.play_all(&["conn_kick_unknown_node", "conn_kick_ok", "conn_remove_ok"]).await;

    // A banned user, and one with six flags of which -1 wiped three.
    let ban = Request::post("/channel/info").header("token", "mgr-secret-1");
    let ban = ban.body(Body::from(r#"{"channel_id":"ban1","channel_type":1,"ban":1}"#)).unwrap();
    s.server.handle(Port::Api, ban).await.unwrap();
    for flag in [0, 1, 2, 4, 5, 99] {
        s.server.issue("o1", flag, 0, &format!("tO{flag}")).unwrap();
    }
    s.server.quit("o1", -1);
    for n in 1..10 {
        s.server.issue(&format!("load{n}"), 0, 1, "t").unwrap();
    }
    s.play_all(&["user_token_banned_user", "channel_info_send_ban", "cluster_devices_limit1000_complete", "cluster_devices_limit20_truncated"]).await;
    s.play_all(&["device_quit_ok", "device_quit_all", "device_quit_missing_flag_means_app", "device_quit_string_flag", "options_cors"]).await;
    s.play("systemuids_add_badbody").await;
    s.done()
}

/// Everything recorded on the v3 beta.
async fn v3() -> Vec<String> {
    let managers = vec![manager("admin", "a1234567", "*:*")];
    let mut s = Stage::new(WukongSettings { version: Version::V3, manager_token: None, managers, ..WukongSettings::default() });
    s.play_all(&["v3beta/healthz", "v3beta/readyz", "v3beta/health_404", "v3beta/varz_404", "v3beta/connz_404", "v3beta/user_token"]).await;
    s.play_all(&["v3beta/user_token_flag4", "v3beta/user_token_bad", "v3beta/onlinestatus_offline", "v3beta/mgr_login_bad"]).await;
    s.play("v3beta/mgr_users_noauth").await;
    let login = Json::parse(&s.play("v3beta/mgr_login").await).unwrap();
    s.jwts = vec![("v3beta/", login.get("access_token").and_then(Json::text).unwrap().to_owned())];
    s.server.client("a1", 0, "d1", "WRONG", Manner::Deaf).unwrap();
    s.server.client("a1", 4, "d4", "", Manner::Deaf).unwrap();
    s.play_all(&["v3beta/mgr_connections", "v3beta/mgr_user", "v3beta/mgr_users", "v3beta/mgr_kick_flag4", "v3beta/mgr_kick_all"]).await;
    s.play_all(&["v3beta/mgr_user_after_kick"]).await;
    s.play("v3beta/mgr_token_reset").await;
    s.done()
}

#[tokio::test(start_paused = true)]
async fn every_recording_is_answered_as_the_real_server_did() {
    let mut played = v2().await;
    played.extend(v3().await);
    played.sort();
    let mut there: Vec<String> = Vec::new();
    for (folder, prefix) in [(folder("wukongim"), ""), (folder("wukongim").join("v3beta"), "v3beta/")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            there.extend(name.strip_suffix(".http").map(|n| format!("{prefix}{n}")));
        }
    }
    there.retain(|n| !LEFT_OUT.iter().any(|(left, _)| left == n));
    there.sort();
    assert_eq!(played, there, "each recording is replayed once or left out for a reason");
}
