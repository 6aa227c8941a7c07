//! Recorded answers of LangBot with damage done to them, pictures that are none, logs that somebody else wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{logs, picture, wire};
use crate::{
    domain::{Payload, Reason, ReasonCode},
    hostile::{config, fine, harmless, recorded, reply, slow, text},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

const FILES: [&str; 15] = [
    "00-healthz",
    "01-system-info",
    "04-user-auth-bad",
    "05-user-auth",
    "06-bots-noauth",
    "08-bots-empty",
    "12-bots-list",
    "13-bot-get",
    "18-bot-logs",
    "22-bot-logs-after-error",
    "39-wecombot-logs-reconnecting",
    "47-healthz-with-bot",
    "walk/48-logs-after-callback",
    "walk/49-logs-upload-42001-healed",
    "walk/51-user-auth-unclaimed",
];

fn bodies() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = FILES.iter().map(|f| recorded(&format!("langbot/{f}.http"))).collect();
    // As `QrCodeLoginDialog.tsx` of 4.11.2 reads them; not recorded.
    all.push(
        br#"{"code":0,"data":{"session_id":"s1","qr_url":"https://work.weixin.qq.com/ai/qc/gen?x=1","expire_at":1795246706.5},"msg":"ok"}"#.to_vec(),
    );
    all.push(format!(r#"{{"code":0,"data":{{"session_id":"s1","qr_data_url":"{}","expire_at":1}},"msg":"ok"}}"#, code()).into_bytes());
    all
}

/// A picture that holds a code.
fn code() -> String {
    crate::sandbox::evolution::qr::data_url("https://liteapp.weixin.qq.com/q/7a1f?bot_type=3")
}

#[test]
fn the_recordings_that_are_damaged_here_are_read_when_they_are_whole() {
    for body in bodies() {
        assert!(wire::envelope(&body).is_some() || wire::health(&body).is_some(), "{}", String::from_utf8_lossy(&body));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_answers_are_read_or_refused_and_show_nothing_as_it_came(
        body in { let all = bodies(); reply(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()) },
    ) {
        let _ = wire::health(&body);
        let Some(e) = wire::envelope(&body) else { return Ok(()) };
        let raw = format!("{} {}", e.code, e.msg);
        prop_assert!(fine(&Reason::new(ReasonCode::ServerRefused).raw(raw)));
        for bot in wire::bots(&e.data).unwrap_or_default().into_iter().chain(e.data.get("bot").and_then(wire::bot)) {
            prop_assert!(!bot.uuid.is_empty());
        }
        let _ = wire::config(&e.data);
        if let Some(lines) = wire::lines(&e.data) {
            let told = logs::judge(&lines, crate::domain::Wall(0));
            prop_assert!(told.recent.iter().all(|l| harmless(l.as_str())));
            prop_assert!(told.reason.iter().all(fine));
        }
        if let Some(begun) = wire::begun(&e.data) {
            prop_assert!(Payload::qr(&begun.payload).is_none_or(|p| p.expose().bytes().all(|b| b.is_ascii_graphic())));
        }
    }

    #[test]
    fn a_line_of_a_log_is_judged_whatever_its_words(
        level in prop::sample::select(vec!["error", "critical", "info", "", "\u{1b}[2J"]),
        text in text(&[
            "获取accesstoken失败:{'errcode': 40001, 'errmsg': 'invalid credential'}",
            "发送消息失败:{'errcode': 60020, 'errmsg': 'not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at'}",
            "Traceback (most recent call last):\n  File x\naiohttp.ClientConnectorDNSError: Cannot connect to host",
            "Auth response: errcode=99999999999999999999, errmsg=x",
            "Authenticated successfully",
        ]),
        at_s in any::<i64>(),
        seq in any::<i64>(),
    ) {
        let told = logs::judge(&[wire::Line { level: level.into(), text, at_s, seq, ..wire::Line::default() }], crate::domain::Wall(0));
        prop_assert!(told.recent.iter().all(|l| harmless(l.as_str()) && l.as_str().len() < 2_000));
        prop_assert!(told.reason.iter().all(fine));
    }
}

proptest! {
    #![proptest_config(slow())]

    #[test]
    fn a_damaged_picture_gives_a_text_or_none(
        bytes in { let whole = STANDARD.decode(code().split_once(',').unwrap().1).unwrap(); reply(&[whole.as_slice()]) },
    ) {
        let _ = picture::text(&format!("data:image/png;base64,{}", STANDARD.encode(bytes)));
    }

    #[test]
    fn a_picture_of_any_pixels_gives_a_text_or_none(w in 1u32..90, h in 1u32..90, seed in proptest::collection::vec(any::<u8>(), 1..200), deep: bool) {
        let mut png = Vec::new();
        let mut e = png::Encoder::new(&mut png, w, h);
        e.set_color(png::ColorType::GrayscaleAlpha);
        e.set_depth(if deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
        let size = (w * h) as usize * if deep { 4 } else { 2 };
        let pixels: Vec<u8> = seed.iter().copied().cycle().take(size).collect();
        e.write_header().unwrap().write_image_data(&pixels).unwrap();
        let _ = picture::text(&format!("data:image/png;base64,{}", STANDARD.encode(png)));
    }
}

#[test]
fn a_picture_that_says_it_is_large_is_not_unpacked() {
    for (w, h) in [(u32::MAX, u32::MAX), (60_000, 60_000), (2_001, 1)] {
        let mut png = Vec::new();
        let mut e = png::Encoder::new(&mut png, w.min(1 << 20), h.min(1 << 20));
        e.set_color(png::ColorType::Rgba);
        let _ = e.write_header();
        assert_eq!(picture::text(&format!("data:image/png;base64,{}", STANDARD.encode(png))), None, "{w} x {h}");
    }
}
