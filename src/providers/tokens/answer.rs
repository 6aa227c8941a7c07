//! Reads a platform's answer: always by its code, never by the HTTP status alone (errors come with 200, and Feishu's with 400).
//! The words beside the code are shown, never matched, except for two figures that a person needs: the trace id and the
//! address that the platform saw.

use super::platform::{Class, Platform, Site};
use crate::{
    domain::{Clean, Reason, ReasonCode, ids},
    providers::{
        Cx,
        http::{self, Answer},
    },
};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Largest answer that is read: a token of 512 bytes or a list of addresses is far below.
pub(super) const CAP: usize = 256 << 10;

/// Name of the reason's argument with the account that it is about.
pub(super) const ACCOUNT: &str = "account";
/// Name of the reason's argument that says why no token is called good: `none` was given, or it was `refused`.
pub(super) const TOKEN: &str = "token";

/// The answer's object, when its code says success.
///
/// # Errors
/// What the code means, or that no such answer came at all.
pub(super) fn read(platform: &Platform, site: Site, answer: &Answer, cx: &Cx, account: &str) -> Result<Map<String, Value>, Reason> {
    let parsed = http::json::value(&answer.body);
    let Some(Value::Object(body)) = parsed else {
        let unclear = || Reason::new(ReasonCode::Unintelligible).with("gateway", cx.gateway.as_str());
        return Err(answer.trouble(&cx.gateway).unwrap_or_else(unclear));
    };
    let (code, text) = (body.get(platform.says.0).map(code_text), body.get(platform.says.1).and_then(Value::as_str).unwrap_or_default());
    match code.as_deref() {
        None | Some("0") => match answer.trouble(&cx.gateway) {
            // A proxy's own error, in JSON.
            Some(why) => Err(why),
            None if !answer.is_ok() => Err(Reason::new(ReasonCode::WrongAddress).with("gateway", cx.gateway.as_str()).raw(answer.status.to_string())),
            None => Ok(body),
        },
        Some(code) => {
            let why = reason(platform.class(site, code), code, &answer.told(text), cx, account);
            // Nothing is known then of any token.
            Err(if site == Site::Obtain && why.code == ReasonCode::AddressNotTrusted { why.with(TOKEN, "none") } else { why })
        }
    }
}

/// A code as text: a number, or the same in quotes.
fn code_text(v: &Value) -> String {
    match v {
        Value::String(s) => s.trim().chars().take(64).collect(),
        other => other.to_string().chars().take(64).collect(),
    }
}

/// A number, or the same in quotes. `None` for anything else.
pub(super) fn number(v: &Value) -> Option<u64> {
    match v {
        Value::Number(n) => n.as_u64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// The shared reason of a code, with what a person needs from the text beside it.
fn reason(class: Option<Class>, code: &str, text: &str, cx: &Cx, account: &str) -> Reason {
    let shared = class.map_or(ReasonCode::ServerRefused, Class::code);
    let target = format!("{}:{}", ids::escape(cx.gateway.as_str()), ids::escape(account));
    // A code with words of ours needs none of theirs.
    let raw = if class.is_some() { code.to_owned() } else { format!("{code} {}", short(text)) };
    let mut why = Reason::new(shared).raw(raw.trim_end()).with(ACCOUNT, target).with("errcode", code);
    let ip = address(text);
    if ip.is_some() || class == Some(Class::Address) {
        why = why.with("ip", ip.map_or_else(|| "?".to_owned(), |ip| ip.to_string()));
    }
    if let Some(hint) = hint(text) {
        why = why.with("hint", hint);
    }
    why.with("gateway", cx.gateway.as_str())
}

/// The words before what is shown apart.
fn short(text: &str) -> &str {
    let end = [", hint", " hint:", ", from ip", ", more info", " rid:", " rid "].iter().filter_map(|m| text.find(m)).min();
    text[..end.unwrap_or(text.len())].trim_end_matches([',', ' '])
}

/// The trace id: `hint: [175…]`, or `rid: 5f…` of official accounts.
fn hint(text: &str) -> Option<&str> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_start_matches([' ', '[']));
    let rest = after("hint:").or_else(|| after("rid:"))?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).unwrap_or(rest.len());
    (1..=64).contains(&end).then(|| &rest[..end])
}

/// The address that the platform saw: `from ip: 203.0.113.7`, or `invalid ip 203.0.113.7` of official accounts.
fn address(text: &str) -> Option<IpAddr> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_start());
    let rest = after("from ip:").or_else(|| after("invalid ip"))?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).unwrap_or(rest.len());
    rest[..end].trim_end_matches(['.', ':']).parse().ok()
}

/// The address that a reason names, if it names one.
pub(super) fn ip_of(why: &Reason) -> Option<&Clean> {
    why.args.iter().find(|(n, v)| &**n == "ip" && v.as_str() != "?").map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const REFUSED: &str = "invalid credential, hint: [1754461450424274146823225], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=40001";
    const NOT_LISTED: &str = "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 5f1a2b3c-12345678-9abcdef0";

    #[test]
    fn the_trace_and_the_address_are_pulled_out_and_the_rest_stays_short() {
        assert_eq!((hint(REFUSED), address(REFUSED).unwrap().to_string()), (Some("1754461450424274146823225"), "203.0.113.7".to_owned()));
        assert_eq!(short(REFUSED), "invalid credential");
        assert_eq!((hint(NOT_LISTED), address(NOT_LISTED).unwrap().to_string()), (Some("5f1a2b3c-12345678-9abcdef0"), "203.0.113.9".to_owned()));
        assert_eq!(short(NOT_LISTED), "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist");
        assert_eq!(address("from ip: 2001:db8::7, more").unwrap().to_string(), "2001:db8::7");
    }

    #[test]
    fn hostile_words_give_no_address_and_no_trace() {
        for text in ["from ip: \u{1b}]52;c;x", "from ip: 999.1.1.1", "from ip:", "hint: [", "客服 from ip：1.2.3.4", "", &"hint: x".repeat(90_000)]
        {
            assert_eq!(address(text), None, "{text:.40}");
        }
        assert_eq!(hint("hint: [\u{202e}]"), None);
        assert_eq!(hint(&format!("hint: [{}]", "9".repeat(65))), None);
    }

    #[test]
    fn codes_and_lives_are_read_from_numbers_and_from_text() {
        assert_eq!(code_text(&serde_json::json!("40014")), code_text(&serde_json::json!(40014)));
        assert_eq!(number(&serde_json::json!("7200")), Some(7200));
        for odd in [serde_json::json!(-1), serde_json::json!(1.5), serde_json::json!(null), serde_json::json!("soon")] {
            assert_eq!(number(&odd), None);
        }
    }
}
