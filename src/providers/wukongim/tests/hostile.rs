//! Recorded answers with damage done to them, a business server that says anything, a file of uids that is none.

use super::*;
use crate::{
    hostile::{document, fine, harmless, recorded, reply, text},
    providers::{
        http::Answer,
        wukongim::{business, uids, version, wire},
    },
};
use proptest::prelude::*;
use serde_json::json;

const FILES: [&str; 10] = [
    "cluster_devices_uid.http",
    "connz_two.http",
    "user_onlinestatus_two.http",
    "varz.http",
    "v3beta/mgr_user.http",
    "v3beta/mgr_users.http",
    "v3beta/mgr_connections.http",
    "v3beta/mgr_user_after_kick.http",
    "v3beta/mgr_login.http",
    "manager_port_login_ok.http",
];

fn bodies() -> Vec<Vec<u8>> {
    FILES.iter().map(|f| recorded(&format!("wukongim/{f}"))).collect()
}

/// As the source of TangSengDaoDaoServer writes them (e977db8, `modules/user/api.go`); not recorded.
fn business_replies() -> Vec<serde_json::Value> {
    vec![
        json!({"uuid": "0123456789abcdef", "qrcode": "https://api.example/v1/qrcode/0123456789abcdef"}),
        json!({"status": "waitScan"}),
        json!({"status": "scanned", "uid": "u1"}),
        json!({"status": "authed", "uid": "u1", "auth_code": "a-code"}),
        json!({"status": "expired"}),
        json!({"uid": "u1", "token": "a-token", "name": "x"}),
        json!({"msg": "账号已被封禁", "status": 400}),
    ]
}

fn server() -> business::Business {
    let mut settings = config::Gateway::new("im", "wukongim", "http://127.0.0.1:1");
    settings.wukongim.business_url = Some("http://127.0.0.1:1".into());
    business::Business::of_test(&settings)
}

proptest! {
    #![proptest_config(crate::hostile::config())]

    #[test]
    fn damaged_answers_are_read_or_refused(body in { let all = bodies(); reply(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()) }) {
        let told = wire::json(&body);
        if let Some(text) = told.as_ref().and_then(wire::told) {
            prop_assert!(fine(&Reason::new(ReasonCode::ServerRefused).raw(text)));
        }
        let _ = told.as_ref().map(wire::status);
        let _ = (wire::online(&body), wire::devices(&body), wire::users(&body), wire::user_v3(&body), wire::system_uids(&body), wire::login(&body).is_some());
        let all = [wire::conns(&body), wire::conns_v3(&body)];
        for conn in all.iter().flatten().flat_map(|(conns, _)| conns) {
            let _ = (conn.flag(), conn.master());
        }
        if let Some(v) = version::of_varz(&body) {
            prop_assert!(harmless(v.shown().as_str()));
        }
    }

    #[test]
    fn a_business_server_that_says_anything_gives_a_code_a_state_or_a_reason(
        v in document(&business_replies()), status in prop::sample::select(vec![200u16, 200, 400, 404, 429, 500]), raw in reply(&[br#"{"uuid":"x"}"#]),
    ) {
        let server = server();
        let _ = server.read(&Answer::of_test(status, raw), None).map_err(|why| assert!(fine(&why), "{why:?}"));
        match server.read(&Answer::of_test(status, v.to_string().into_bytes()), Some(&crate::domain::Secret::new("a-code".into()))) {
            Err(why) => prop_assert!(fine(&why) && !format!("{why:?}").contains("a-code"), "{why:?}"),
            Ok(v) => {
                match server.made(&v, Stamp::wall_only(Wall(0))) {
                    Ok(code) => prop_assert!(code.payload.expose().contains(&*code.uuid) && code.payload.expose().bytes().all(|b| b.is_ascii_graphic())),
                    Err(why) => prop_assert!(fine(&why)),
                }
                if let Err(why) = server.became(&v) {
                    prop_assert!(fine(&why));
                }
            }
        }
    }

    #[test]
    fn a_file_of_uids_gives_each_line_once_and_nothing_else(file in text(&["\u{feff}# ours\r\nu1\r\n\r\n  u2   # the shop\nu3"])) {
        for uid in uids::parse(&file) {
            prop_assert!(!uid.is_empty() && !uid.contains(['\n', '#']) && file.contains(&*uid));
        }
    }
}
