//! What LangBot 4.11.2 sends, as recorded. Secrets inside a bot's configuration are never kept.

use crate::providers::http;
use serde_json::{Map, Value};

/// The envelope around every answer: `{code, data, msg}`; the code is a number or a text.
pub(super) struct Envelope {
    /// Zero, or why not: as it was written.
    pub(super) code: Box<str>,
    /// What was asked for.
    pub(super) data: Value,
    /// The server's text.
    pub(super) msg: Box<str>,
}

impl Envelope {
    /// True for success: HTTP's status is 200 for a refused login too (recording 04).
    pub(super) fn is_ok(&self) -> bool {
        &*self.code == "0"
    }
}

/// Reads an envelope.
pub(super) fn envelope(body: &[u8]) -> Option<Envelope> {
    let Some(Value::Object(mut v)) = http::json::value(body) else { return None };
    let code = match v.get("code")? {
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        _ => return None,
    };
    let msg = v.get("msg").and_then(Value::as_str).unwrap_or_default().into();
    let data = v.remove("data").unwrap_or(Value::Null);
    Some(Envelope { code: code.into(), data, msg })
}

/// One bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bot {
    pub(super) uuid: Box<str>,
    pub(super) name: Box<str>,
    pub(super) adapter: Box<str>,
    pub(super) enable: bool,
    pub(super) created: Box<str>,
    pub(super) updated: Box<str>,
    /// The corporation of a WeCom bot: not a secret, and told only to who may manage.
    pub(super) corp: Option<Box<str>>,
    /// The bot's own account: told of one bot, while it is loaded (recordings 13 and 15). `None`: not told.
    pub(super) account: Option<Box<str>>,
    /// True when the configuration was told too, secrets and all: the credential may manage.
    pub(super) open: bool,
}

fn text(v: &Value, key: &str) -> Box<str> {
    v.get(key).and_then(Value::as_str).unwrap_or_default().into()
}

/// Reads one bot.
pub(super) fn bot(v: &Value) -> Option<Bot> {
    let uuid = text(v, "uuid");
    if uuid.is_empty() {
        return None;
    }
    let config = v.get("adapter_config").filter(|c| c.is_object());
    let corp = config.map(|c| text(c, "corpid")).filter(|c| !c.is_empty());
    let account = v.get("adapter_runtime_values").and_then(|r| r.get("bot_account_id")).and_then(Value::as_str).map(Into::into);
    Some(Bot {
        uuid,
        name: text(v, "name"),
        adapter: text(v, "adapter"),
        // A row without it was never switched off.
        enable: v.get("enable").and_then(Value::as_bool).unwrap_or(true),
        created: text(v, "created_at"),
        updated: text(v, "updated_at"),
        corp,
        account,
        open: config.is_some(),
    })
}

/// Reads the list.
pub(super) fn bots(data: &Value) -> Option<Vec<Bot>> {
    Some(data.get("bots")?.as_array()?.iter().filter_map(bot).collect())
}

/// The configuration of a bot, to be written back with a part of it changed. Holds secrets.
pub(super) fn config(data: &Value) -> Option<Map<String, Value>> {
    data.get("bot")?.get("adapter_config")?.as_object().cloned()
}

/// One line of a bot's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: Box<str>,
    pub(super) text: String,
    /// Seconds since 1970 by the server's clock.
    pub(super) at_s: i64,
    /// Its number within the bot's log, which begins anew when the bot is loaded.
    pub(super) seq: i64,
    /// It tells of a message that came: it names a conversation (`message_session_id`). What was said there is not kept.
    pub(super) heard: bool,
    /// It only follows a message through the server: six of them a message (recording 48).
    pub(super) trace: bool,
}

/// Reads a log, oldest line first.
pub(super) fn lines(data: &Value) -> Option<Vec<Line>> {
    let mut all: Vec<Line> = Vec::new();
    for v in data.get("logs")?.as_array()? {
        // Recorded as a whole number; the class holds a float in other versions.
        let at_s = v.get("timestamp").and_then(Value::as_f64).unwrap_or_default() as i64;
        let seq = v.get("seq_id").and_then(Value::as_i64).unwrap_or_default();
        let said = v.get("text").and_then(Value::as_str).unwrap_or_default();
        let (level, talk) = (text(v, "level"), !text(v, "message_session_id").is_empty());
        let about = |key: &str| v.pointer(&format!("/metadata/{key}")).and_then(Value::as_str).unwrap_or_default();
        let kind = about("kind");
        let bad = matches!(&*level, "error" | "critical");
        let came = kind == "adapter_event_received" && about("event_type") == "message.received";
        let trace = matches!(kind, "adapter_event_received" | "event_route_trace") || said.starts_with("Failed to persist monitoring ingress");
        // A line of a conversation holds what a customer wrote: nobody's business here.
        let said = match (talk, bad) {
            (false, _) => said.to_owned(),
            (true, true) => super::logs::bare(said),
            (true, false) => String::new(),
        };
        all.push(Line { level, text: said, at_s, seq, heard: !bad && (talk || came), trace: !bad && trace });
    }
    all.sort_by_key(|l| l.seq);
    Some(all)
}

/// What `healthz` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Health {
    /// Running tasks of the application.
    pub(super) tasks: u64,
    /// Queries in hand.
    pub(super) queued: u64,
    /// Bots that are loaded.
    pub(super) bots: u64,
    /// Work that waits for a worker.
    pub(super) pending: u64,
    /// Largest lag of its event loop lately, in ms.
    pub(super) lag_ms: f64,
    /// The lag that all but one in twenty of the latest samples stay below, in ms: one peak does not move it.
    pub(super) usual_lag_ms: f64,
    /// Work that it refused.
    pub(super) rejected: u64,
}

/// Reads `healthz`, which has its figures beside the envelope.
pub(super) fn health(body: &[u8]) -> Option<Health> {
    let v = http::json::value(body)?;
    let r = v.get("resources")?;
    let at = |path: &str| r.pointer(path);
    Some(Health {
        tasks: at("/application_tasks/running").and_then(Value::as_u64).unwrap_or_default(),
        queued: at("/query_pool/queued").and_then(Value::as_u64).unwrap_or_default(),
        bots: at("/runtimes/bots").and_then(Value::as_u64).unwrap_or_default(),
        pending: at("/blocking_executor/pending").and_then(Value::as_u64).unwrap_or_default(),
        lag_ms: at("/event_loop/recent_max_lag_ms").and_then(Value::as_f64).unwrap_or_default(),
        usual_lag_ms: at("/event_loop/recent_p95_lag_ms").and_then(Value::as_f64).unwrap_or_default(),
        rejected: at("/blocking_executor/rejected_total").and_then(Value::as_u64).unwrap_or_default(),
    })
}

/// A QR session that was begun.
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) payload: String,
    /// Its end by the server's wall clock, seconds since 1970.
    pub(super) expire_at: f64,
}

/// Reads the answer that begins a QR session; the text of the code is read out of a picture where there is only one.
pub(super) fn begun(data: &Value) -> Option<Begun> {
    let id = text(data, "session_id").into_string();
    let url = text(data, "qr_url");
    let payload = if url.is_empty() { super::picture::text(&text(data, "qr_data_url"))? } else { url.into_string() };
    Some(Begun { id, payload, expire_at: data.get("expire_at").and_then(Value::as_f64)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_numbers_or_texts() {
        assert!(envelope(br#"{"code":0,"data":{"token":"t"},"msg":"ok"}"#).unwrap().is_ok());
        assert!(!envelope(br#"{"code":1,"msg":"Invalid username or password"}"#).unwrap().is_ok());
        assert_eq!(&*envelope(br#"{"code":"resource_not_found","msg":"Resource not found"}"#).unwrap().code, "resource_not_found");
        assert!(envelope(b"").is_none() && envelope(b"[]").is_none() && envelope(b"<html>").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _ = health(&body);
            if let Some(e) = envelope(&body) {
                let _ = (bots(&e.data), lines(&e.data), begun(&e.data));
            }
        }
    }
}
