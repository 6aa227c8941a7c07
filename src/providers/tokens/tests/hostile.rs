//! Replies of the platforms with damage done to them: a token that can travel, or a reason that can be drawn.

use super::*;
use crate::{
    hostile::{config, fine, reply},
    providers::http::Answer,
    providers::tokens::{
        answer::{self, TOKEN},
        memory::Memory,
        platform::{Platform, Site},
        wechat_oa, wecom,
    },
};
use proptest::prelude::*;

/// As the platforms write them (wecom-langbot §1, §2; the sandbox's are recorded against them).
const REPLIES: [&[u8]; 10] = [
    br#"{"errcode":0,"errmsg":"ok","access_token":"accesstoken000001","expires_in":7200}"#,
    br#"{"access_token":"ACCESS_TOKEN","expires_in":7200}"#,
    br#"{"errcode":40001,"errmsg":"invalid credential, hint: [1754461450424274146823225], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=40001"}"#,
    br#"{"errcode":60020,"errmsg":"not allow to access from your ip, hint: [1], from ip: 2001:db8::7, more info at x"}"#,
    br#"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 5f1a2b3c-12345678-9abcdef0"}"#,
    br#"{"errcode":"45009","errmsg":"reach max api daily quota limit rid: 1"}"#,
    br#"{"errcode":-1,"errmsg":"system error"}"#,
    br#"{"errcode":0,"errmsg":"ok","agentid":1000002,"name":"ops","square_logo_url":"x","allow_userinfos":{"user":[{"userid":"a"}]}}"#,
    br#"{"errcode":0,"errmsg":"ok","ip_list":["182.254.11.176","182.254.78.66"]}"#,
    b"<html><head><title>502 Bad Gateway</title></head></html>",
];

fn platforms() -> [&'static Platform; 2] {
    [&wecom::PLATFORM, &wechat_oa::PLATFORM]
}

fn stage() -> (tokio::runtime::Runtime, Stage) {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let stage = rt.block_on(Stage::wecom());
    (rt, stage)
}

thread_local! {
    static STAGE: (tokio::runtime::Runtime, Stage) = stage();
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_damaged_reply_gives_a_body_or_a_reason_that_can_be_drawn(
        body in reply(&REPLIES),
        status in prop::sample::select(vec![200u16, 200, 200, 400, 404, 429, 500, 502, 302]),
        at_use: bool,
        n in 0usize..2,
    ) {
        STAGE.with(|(_, stage)| {
            let (platform, site) = (platforms()[n], if at_use { Site::Use } else { Site::Obtain });
            match answer::read(platform, site, &Answer::of_test(status, body.clone()), &stage.cx, "ops") {
                Ok(found) => {
                    prop_assert_eq!(status, 200);
                    let code = found.get(platform.says.0);
                    prop_assert!(code.is_none_or(|c| c == 0 || c.as_str().is_some_and(|t| t.trim() == "0")), "{code:?} was taken for success");
                }
                Err(why) => {
                    prop_assert!(fine(&why), "{why:?}");
                    prop_assert!(why.arg(TOKEN).is_none() || site == Site::Obtain);
                    if let Some(ip) = answer::ip_of(&why) {
                        prop_assert!(ip.as_str().parse::<std::net::IpAddr>().is_ok(), "{ip}");
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_remembered_is_read_whatever_somebody_wrote_there(v in crate::hostile::document(&[serde_json::json!({
        "trouble": {"code": "rate_limited", "raw": "45009", "args": [["ip", "203.0.113.7"]], "at": null}, "at": {"wall": 1, "boot": [1, 2]},
        "ip": "203.0.113.7", "name": "ops",
    })])) {
        let read: Memory = serde_json::from_value(v).unwrap_or_default();
        prop_assert!(read.trouble.iter().all(fine));
        prop_assert!(read.name.iter().chain(&read.ip).all(|c| crate::hostile::harmless(c.as_str())));
    }
}

#[test]
fn a_token_that_could_not_travel_is_none_and_a_life_without_end_is_not_believed() {
    use super::super::fetch::{fits, life};
    for bad in ["", "a b", "a\r\nHost: evil", "t\u{1b}[2J", "客", &"x".repeat(4097)] {
        assert!(!fits(bad), "{bad:.20}");
    }
    for bad in [
        serde_json::json!(0),
        serde_json::json!(-7200),
        serde_json::json!(7200.5),
        serde_json::json!(u64::MAX),
        serde_json::json!("soon"),
        serde_json::json!(null),
    ] {
        assert_eq!(life(&bad), None, "{bad}");
    }
    assert_eq!((life(&serde_json::json!(7200)), life(&serde_json::json!("7200"))), (Some(7200), Some(7200)));
}
