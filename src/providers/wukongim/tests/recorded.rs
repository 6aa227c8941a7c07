//! Decoders against what real servers answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::{
    api::Version,
    version::of_varz,
    wire::{self, Online},
};
use proptest::prelude::*;

/// The body of a recorded answer.
fn body(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/wukongim").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).replace("\r\n", "\n");
    let answer = text.split_once("# response\n").expect("an answer").1;
    answer.split_once("\n\n").map_or("", |(_, b)| b).trim_end_matches('\n').as_bytes().to_vec()
}

#[test]
fn online_entries_are_one_a_connection_and_no_question_is_answered_by_an_object() {
    let on = |uid: &str, flag| Online { uid: uid.into(), flag };
    assert_eq!(wire::online(&body("user_onlinestatus_two.http")).unwrap(), [on("h1", 0), on("u1", 4)]);
    assert_eq!(wire::online(&body("user_onlinestatus_offline.http")).unwrap(), []);
    assert_eq!(wire::online(&body("user_onlinestatus_empty.http")).unwrap(), []);
    assert_eq!(wire::online(&body("v3beta/onlinestatus_offline.http")).unwrap(), []);
    assert_eq!(wire::online(b"null").unwrap(), []);
    assert_eq!(wire::online(&body("user_onlinestatus_badbody.http")), None);
}

#[test]
fn device_rows_keep_ids_beyond_what_a_float_holds() {
    let page = wire::devices(&body("cluster_devices_uid.http")).unwrap();
    assert_eq!(
        page.rows.iter().map(|d| (d.id, d.flag, d.level)).collect::<Vec<_>>(),
        [(2_124_044_485_204_545_536, 255, 0), (2_124_044_484_848_029_696, 4, 0), (2_124_044_481_115_099_136, 0, 1)]
    );
    assert_eq!(page.rows[2].token.as_ref().unwrap().expose(), "t1");
    assert_eq!((page.rows[2].created_ns, page.rows[2].updated_ns), (1_795_246_641_792_945_720, 1_795_246_641_837_865_792));
    assert_eq!((page.more, page.last), (false, Some(1_795_246_641_792_945_720)));
    assert!(!format!("{page:?}").contains("t255"), "a token never prints itself");
}

#[test]
fn the_row_of_a_device_outlives_its_token() {
    let (before, after) =
        (wire::devices(&body("cluster_devices_uid.http")).unwrap(), wire::devices(&body("cluster_devices_uid_after_update.http")).unwrap());
    let of = |p: &wire::Page<wire::Device>| p.rows.iter().find(|d| d.flag == 4).map(|d| (d.id, d.created_ns)).unwrap();
    assert_eq!(of(&before), of(&after));
    assert_ne!(before, after);
}

#[test]
fn the_default_limit_hides_devices_that_a_thousand_shows() {
    let rows = |f| wire::devices(&body(f)).unwrap().rows.len();
    assert_eq!(rows("cluster_devices_limit20_truncated.http"), 3);
    assert_eq!(rows("cluster_devices_limit1000_complete.http"), 6);
    assert_eq!(rows("cluster_devices_unknown_uid.http"), 0);
}

#[test]
fn users_connections_and_system_uids_are_read() {
    assert_eq!(wire::users(&body("cluster_users.http")).unwrap().rows, ["u9", "u1"]);
    let (conns, sent) = wire::conns(&body("connz_two.http")).unwrap();
    assert_eq!(sent, 2);
    assert_eq!((conns[0].id, &*conns[0].uid, &*conns[0].ip, conns[0].port, &*conns[0].device_id), (46, "u1", "127.0.0.1", 56942, "android-7"));
    assert_eq!((&*conns[0].idle, &*conns[0].uptime, conns[0].node_id, conns[0].leader_id, conns[0].version), ("2s", "2s", 1001, 1001, 4));
    assert_eq!((conns[0].flag(), conns[0].master()), (None, Some(false)));
    assert_eq!((conns[1].flag(), conns[1].master()), (Some(0), Some(false)));
    assert_eq!(wire::conns(&body("connz_empty.http")).unwrap().0, []);
    assert_eq!(wire::conns(br#"{"connections":null}"#).unwrap().0, []);
    // It names others too: the filter is a substring.
    assert!(wire::conns(&body("connz_uid_substring.http")).unwrap().0.len() > 1);
    assert_eq!(wire::system_uids(&body("systemuids_get.http")).unwrap(), ["sysbot"]);
    assert_eq!(wire::system_uids(&body("systemuids_get_after.http")).unwrap(), Vec::<String>::new());
}

#[test]
fn a_status_inside_a_200_is_what_counts() {
    let status = |f| wire::status(&wire::json(&body(f)).unwrap());
    assert_eq!(
        (status("user_token_ok.http"), status("user_token_banned_user.http"), status("device_quit_unknown_user.http")),
        (Some(200), Some(19), Some(200))
    );
    assert_eq!(wire::told(&wire::json(&body("user_token_empty_token.http")).unwrap()), Some("token不能为空！"));
    assert_eq!(wire::told(&wire::json(&body("manager_port_no_auth.http")).unwrap()), Some("Authorization header is required"));
    assert_eq!(wire::told(&wire::json(&body("v3beta/mgr_kick_flag4.http")).unwrap()), Some("invalid device_flag"));
    assert!(body("device_quit_empty_uid.http").is_empty() && body("health_no_token.http").is_empty());
}

#[test]
fn generations_and_logins_are_told_apart() {
    assert_eq!(of_varz(&body("varz.http")), Some(Version::V2 { text: None, kick: true }));
    assert_eq!(of_varz(&body("v3beta/varz_404.http")), None);
    let v2 = wire::login(&body("manager_port_login_ok.http")).unwrap();
    assert_eq!((v2.token.expose(), v2.exp, v2.seconds), ("<jwt>", Some(1_797_838_666), None));
    let v3 = wire::login(&body("v3beta/mgr_login.http")).unwrap();
    assert_eq!((v3.token.expose(), v3.exp, v3.seconds), ("<jwt>", None, Some(86_400)));
    assert!(wire::login(&body("manager_port_login_bad.http")).is_none());
}

#[test]
fn v3_tells_devices_without_tokens() {
    let (devices, conns) = wire::user_v3(&body("v3beta/mgr_user.http")).unwrap();
    assert_eq!(devices.iter().map(|d| (d.flag, d.level, d.hidden, d.token.is_some())).collect::<Vec<_>>(), [(0, 1, true, false)]);
    assert_eq!(conns.iter().map(|c| (c.id, c.flag(), c.master())).collect::<Vec<_>>(), [(3, Some(0), Some(false)), (4, None, Some(false))]);
    let (conns, _) = wire::conns_v3(&body("v3beta/mgr_connections.http")).unwrap();
    assert_eq!((&*conns[0].ip, conns[0].port, &*conns[0].device_id), ("127.0.0.1", 43472, "d1"));
    assert_eq!(wire::users(&body("v3beta/mgr_users.http")).unwrap().rows, ["a1"]);
    let (devices, _) = wire::user_v3(&body("v3beta/mgr_user_after_kick.http")).unwrap();
    assert!(!devices[0].hidden, "a kick of v3 takes the token too");
}

fn every(b: &[u8]) {
    let v = wire::json(b);
    let told = v.as_ref().map(|v| (wire::told(v).map(str::len), wire::status(v)));
    let _ = (wire::online(b), wire::devices(b), wire::users(b), wire::conns(b), wire::conns_v3(b), told);
    let _ = (wire::user_v3(b), wire::system_uids(b), wire::login(b).is_some(), of_varz(b));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(b in proptest::collection::vec(any::<u8>(), 0..400)) {
        every(&b);
    }
    #[test]
    fn arbitrary_json_never_panics(s in "[\\[\\]{}\":,a-z0-9]{0,80}") {
        every(s.as_bytes());
    }
    #[test]
    fn recorded_bodies_with_one_byte_changed_never_panic(at in 0usize..900, to in any::<u8>(), n in 0usize..5) {
        let files = ["cluster_devices_uid.http", "connz_two.http", "user_onlinestatus_two.http", "v3beta/mgr_user.http", "varz.http"];
        let mut b = body(files[n]);
        let len = b.len();
        b[at % len] = to;
        every(&b);
    }
    #[test]
    fn labels_of_any_kind_have_a_flag_or_none(label in "\\PC{0,20}") {
        let b = serde_json::json!({"connections": [{"id": u64::MAX, "uid": "u", "device": label}]}).to_string();
        let (conns, _) = wire::conns(b.as_bytes()).unwrap();
        let _ = (conns[0].flag(), conns[0].master());
        prop_assert_eq!(conns[0].id, u64::MAX);
    }
}
