//! Reads `[clock]`, and the `clock = { … }` of a gateway, which has the two limits only.

use super::{
    Config, NtpServer,
    read::{Key, Reader, in_order},
    values,
};
use crate::{
    clock::sntp::servers::MOST,
    i18n::{Message, store as words},
};
use std::ops::RangeInclusive;
use toml::{Spanned, de::DeValue};

const BOTH: &str = "clock = { ok_seconds = 5, blocked_seconds = 30 }";
const NTP: &str = "ntp = [\"time.example.com\", \"192.0.2.1:123\", \"[::1]:11123\"]";
const OK: RangeInclusive<u32> = 1..=3600;
const BLOCKED: RangeInclusive<u32> = 1..=86_400;

/// The two limits as they are found.
#[derive(Default)]
struct Found {
    ok: Option<u32>,
    blocked: Option<u32>,
    seen: usize,
}

impl Found {
    /// Takes the key if it is one of the two.
    fn take(&mut self, r: &mut Reader<'_>, name: &str, key: &str, v: &Spanned<DeValue<'_>>) -> bool {
        match name {
            "ok_seconds" => self.ok = r.number_of(v, key, OK, "ok_seconds = 5"),
            "blocked_seconds" => self.blocked = r.number_of(v, key, BLOCKED, "blocked_seconds = 30"),
            _ => return false,
        }
        self.seen += 1;
        true
    }

    /// Both or none, in that order.
    fn limits(&self, r: &mut Reader<'_>, at: usize, path: &str) -> Option<(u32, u32)> {
        match (self.ok, self.blocked) {
            (Some(a), Some(b)) if a < b => Some((a, b)),
            (Some(_), Some(_)) => {
                r.wrong(at, path, Message::new(&words::CONFIG_ORDER)).example = Some(BOTH.to_owned());
                None
            }
            _ if self.seen == 1 => {
                let e = r.wrong(at, path, Message::new(&words::CONFIG_MISSING));
                (e.expected, e.example) = (Some(Message::new(&words::CONFIG_BOTH)), Some(BOTH.to_owned()));
                None
            }
            _ => None,
        }
    }
}

/// `clock = { … }` of a gateway.
pub(super) fn limits<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, path: &str) -> Option<(u32, u32)> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, path, Message::new(&words::CONFIG_TABLE), BOTH);
        return None;
    };
    let mut found = Found::default();
    for (name, at, v) in in_order(table) {
        if !found.take(r, name, &format!("{path}.{name}"), v) {
            r.unknown(at.start, path, name, &["ok_seconds", "blocked_seconds"], &words::CONFIG_UNKNOWN_KEY, None);
        }
    }
    found.limits(r, v.span().start, path)
}

/// `[clock]`.
pub(super) fn clock<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    const KNOWN: &[&str] = &["ok_seconds", "blocked_seconds", "ntp", "expect_timezone"];
    let DeValue::Table(table) = key.2.get_ref() else {
        return r.mistyped(key.2, key.0, Message::new(&words::CONFIG_TABLE), BOTH);
    };
    let mut found = Found::default();
    for (name, at, v) in in_order(table) {
        let full = format!("clock.{name}");
        match name {
            "ntp" => config.clock.ntp = servers(r, v, &full),
            "expect_timezone" => {
                let text = r.text_of(v, &full, "expect_timezone = \"UTC\"");
                config.clock.expect_timezone = text.and_then(|(t, at)| values::zone(r, t, at, &full));
            }
            _ if found.take(r, name, &full, v) => {}
            other => r.unknown(at.start, "clock", other, KNOWN, &words::CONFIG_UNKNOWN_KEY, None),
        }
    }
    config.clock.limits = found.limits(r, key.2.span().start, "clock");
}

/// `ntp = ["HOST", "HOST:PORT", "[::1]:11123"]`.
fn servers<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, key: &str) -> Vec<NtpServer> {
    let DeValue::Array(list) = v.get_ref() else {
        r.mistyped(v, key, Message::new(&words::CONFIG_LIST), NTP);
        return Vec::new();
    };
    if list.len() > MOST {
        let e = r.wrong(v.span().start, key, Message::new(&words::CONFIG_BAD_VALUE));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_AT_MOST).with("n", MOST.to_string())), Some(NTP.to_owned()));
        return Vec::new();
    }
    let mut kept: Vec<NtpServer> = Vec::new();
    for item in list {
        let Some((text, at)) = r.text_of(item, key, NTP) else { continue };
        match text.parse::<NtpServer>() {
            // Asked twice it would outvote another one.
            Ok(server) if kept.contains(&server) => {
                r.wrong(at, key, Message::new(&words::CONFIG_TWICE)).example = Some(NTP.to_owned());
            }
            Ok(server) => kept.push(server),
            Err(_) => {
                let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
                (e.expected, e.example) = (Some(Message::new(&words::CONFIG_NTP)), Some(NTP.to_owned()));
            }
        }
    }
    kept
}
