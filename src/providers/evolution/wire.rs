//! What the server writes, read leniently: unknown fields, nulls and missing fields are normal; one broken row never takes
//! others down. Key material (`apikey` of events) has no field here and so is never kept.

use crate::{
    domain::{Secret, Wall},
    providers::http::{
        MOST_ITEMS,
        json::{self, Bounded, KEPT, ROW},
    },
};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use std::cell::Cell;

/// One row of `fetchInstances`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// Which life of that name.
    pub(super) id: Option<Box<str>>,
    /// Its exact name; may be empty (recording 67).
    pub(super) name: Box<str>,
    /// `open`, `connecting`, `close` as the database has it.
    pub(super) status: Box<str>,
    /// The linked number's address; survives a logout.
    pub(super) owner: Option<Box<str>>,
    /// Name of the profile; survives a logout.
    pub(super) profile: Option<Box<str>>,
    /// Integration, `WHATSAPP-BAILEYS` and others.
    pub(super) integration: Option<Box<str>>,
    /// The number it was made with, if any.
    pub(super) number: Option<Box<str>>,
    /// Its token, whatever the server's flags say (recording 70).
    pub(super) token: Option<Secret>,
    /// Code of the last disconnect.
    pub(super) code: Option<i64>,
    /// What the library said at the last disconnect.
    pub(super) told: Option<Box<str>>,
    /// When the last disconnect was, by the server's clock.
    pub(super) disconnected: Option<Wall>,
    /// When the row was made.
    pub(super) created: Option<Wall>,
    /// Messages, contacts, chats.
    pub(super) counts: Option<(u64, u64, u64)>,
    /// True when its events go to a namespace of its own.
    pub(super) websocket: bool,
}

fn text(v: &Value, key: &str) -> Option<Box<str>> {
    v.get(key)?.as_str().map(Into::into)
}

/// A number, or a string of digits.
fn number(v: &Value) -> Option<i64> {
    v.as_i64().or_else(|| v.as_str()?.trim().parse().ok())
}

impl Instance {
    /// Reads one row; `None` when it has not even a name.
    pub(super) fn read(v: &Value) -> Option<Self> {
        let name = text(v, "name").or_else(|| text(v, "instanceName"))?;
        let wall = |k| text(v, k).and_then(|t| Wall::parse(&t));
        let count = |k| v.get("_count").and_then(|c| c.get(k)).and_then(Value::as_u64);
        Some(Self {
            id: text(v, "id"),
            name,
            status: text(v, "connectionStatus").unwrap_or_default(),
            owner: text(v, "ownerJid"),
            profile: text(v, "profileName"),
            integration: text(v, "integration"),
            number: text(v, "number"),
            token: v.get("token").and_then(Value::as_str).filter(|t| !t.is_empty()).map(|t| Secret::new(t.to_owned())),
            code: v.get("disconnectionReasonCode").and_then(number),
            told: v.get("disconnectionObject").and_then(disconnect_text),
            disconnected: wall("disconnectionAt"),
            created: wall("createdAt"),
            counts: count("Message").map(|m| (m, count("Contact").unwrap_or(0), count("Chat").unwrap_or(0))),
            websocket: v.get("Websocket").and_then(|w| w.get("enabled")).and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

/// The library's own words in a `disconnectionObject`, which is a string of JSON (recording 53), at times an object.
pub(super) fn disconnect_text(v: &Value) -> Option<Box<str>> {
    let parsed;
    let v = match v {
        Value::String(s) => {
            parsed = json::value(s.as_bytes())?;
            &parsed
        }
        other => other,
    };
    text(v.pointer("/error/output/payload")?, "message")
}

/// The whole list.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Rows that could be read.
    pub(super) rows: Vec<Instance>,
    /// Rows that could not.
    pub(super) broken: usize,
    /// Rows beyond what is kept.
    pub(super) beyond: usize,
}

/// Decodes a list; `None` when it is no list at all.
pub(super) fn list(body: &[u8]) -> Option<List> {
    struct Rows;
    impl<'de> Visitor<'de> for Rows {
        type Value = List;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
            let mut out = List::default();
            let mut kept = 0;
            while out.rows.len() + out.broken < MOST_ITEMS && kept < KEPT {
                let left = Cell::new(ROW);
                let Some(v) = seq.next_element_seed(Bounded::new(&left))? else { return Ok(out) };
                kept += ROW - left.get();
                match Instance::read(&v) {
                    Some(row) => out.rows.push(row),
                    None => out.broken += 1,
                }
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {
                out.beyond += 1;
            }
            Ok(out)
        }
    }
    let mut d = serde_json::Deserializer::from_slice(body);
    let out = d.deserialize_seq(Rows).ok()?;
    d.end().ok()?;
    Some(out)
}

/// Any JSON.
pub(super) fn json(body: &[u8]) -> Option<Value> {
    json::value(body)
}

/// The text of an error body: `message` is a string, an array of strings, or an array of an array (recordings 01, 04, 09).
pub(super) fn told(v: &Value) -> Option<String> {
    fn first(v: &Value) -> Option<String> {
        match v {
            Value::String(s) => Some(s.clone()),
            Value::Array(a) => a.iter().find_map(first),
            _ => None,
        }
    }
    v.pointer("/response/message").and_then(first).or_else(|| v.get("message").and_then(first)).or_else(|| v.get("error").and_then(first))
}

/// What `connect` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connect {
    /// The session has that state; nothing to show.
    State(Box<str>),
    /// A session without a code yet: `{"count":0}` (recording 49).
    NotYet,
    /// A code.
    Code {
        /// Text of the QR.
        code: Box<str>,
        /// Pairing code, in a session that was begun with a number.
        pairing: Option<Box<str>>,
        /// How many QR events this process has counted for the instance.
        count: Option<u64>,
    },
    /// A failure inside a 200 (recording 12).
    Refused(String),
}

/// Reads the answer of `connect` or `restart` by its shape.
pub(super) fn connect(v: &Value) -> Option<Connect> {
    if v.get("error").and_then(Value::as_bool) == Some(true) {
        return Some(Connect::Refused(told(v).unwrap_or_default()));
    }
    if let Some(state) = state(v) {
        return Some(Connect::State(state));
    }
    if let Some(code) = text(v, "code").filter(|c| !c.is_empty()) {
        return Some(Connect::Code {
            code,
            pairing: text(v, "pairingCode").filter(|p| !p.is_empty()),
            count: v.get("count").and_then(Value::as_u64),
        });
    }
    let object = v.as_object()?;
    (object.is_empty() || object.contains_key("count") || object.contains_key("code")).then_some(Connect::NotYet)
}

/// `instance.state` of `connectionState` and friends.
pub(super) fn state(v: &Value) -> Option<Box<str>> {
    v.pointer("/instance/state")?.as_str().map(Into::into)
}

/// Memory states out of `/metrics` (recording 35): pairs of instance and state.
pub(super) fn metrics(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut seen = false;
    let mut out = Vec::new();
    for line in text.lines() {
        seen |= line.contains("evolution_instance");
        let Some(rest) = line.strip_prefix("evolution_instance_state{") else { continue };
        let (labels, value) = labels(rest)?;
        if value.trim().parse::<f64>().is_ok_and(|v| v > 0.0) {
            let get = |k: &str| labels.iter().find(|(n, _)| n == k).map(|(_, v)| v.clone());
            if let (Some(name), Some(state)) = (get("instance"), get("state")) {
                out.push((name, state));
            }
        }
    }
    seen.then_some(out)
}

/// `a="x",b="y"} 1` with Prometheus' escapes.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((out, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (i, '"') => break i,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                (_, c) => value.push(c),
            }
        };
        out.push((name.to_owned(), value));
        rest = &after[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_broken_row_does_not_take_others_down() {
        let l = list(br#"[{"name":"a","connectionStatus":"open","later":{"x":[1]}}, 7, null, {"id":"x"}, {"name":"b","connectionStatus":null,"disconnectionReasonCode":"401"}]"#).unwrap();
        assert_eq!(l.rows.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((l.broken, l.rows[1].code), (3, Some(401)));
    }

    #[test]
    fn a_list_longer_than_the_bound_is_cut_and_says_so() {
        let body = format!("[{}]", vec![r#"{"name":"n"}"#; MOST_ITEMS + 5].join(","));
        let l = list(body.as_bytes()).unwrap();
        assert_eq!((l.rows.len(), l.beyond), (MOST_ITEMS, 5));
    }

    #[test]
    fn deep_nesting_and_cut_bodies_are_refused_without_a_crash() {
        assert!(list("[".repeat(200_000).as_bytes()).is_none());
        assert!(list(br#"[{"name":"a"}"#).is_none());
        assert!(list(br#"{"status":200}"#).is_none());
    }

    #[test]
    fn the_text_of_a_disconnect_is_found_in_a_string_of_json() {
        let v = Value::String(r#"{"error":{"output":{"payload":{"message":"Connection Failure"}}},"date":"x"}"#.into());
        assert_eq!(disconnect_text(&v).as_deref(), Some("Connection Failure"));
        assert_eq!(disconnect_text(&Value::String("nonsense".into())), None);
    }

    #[test]
    fn answers_of_connect_are_told_apart_by_shape() {
        let read = |s: &str| connect(&serde_json::from_str(s).unwrap());
        assert_eq!(read(r#"{"count":0}"#), Some(Connect::NotYet));
        assert_eq!(read(r#"{"instance":{"instanceName":"a","state":"open"}}"#), Some(Connect::State("open".into())));
        assert!(matches!(read(r#"{"error":true,"message":"[object Object]"}"#), Some(Connect::Refused(_))));
        assert!(matches!(read(r#"{"pairingCode":null,"code":"2@a,b,c,d","count":1}"#), Some(Connect::Code { pairing: None, count: Some(1), .. })));
        assert_eq!(read(r#"[1]"#), None);
    }

    #[test]
    fn error_texts_come_in_three_shapes() {
        let read = |s: &str| told(&serde_json::from_str(s).unwrap());
        assert_eq!(read(r#"{"response":{"message":"Unauthorized"}}"#).as_deref(), Some("Unauthorized"));
        assert_eq!(read(r#"{"response":{"message":["x"]}}"#).as_deref(), Some("x"));
        assert_eq!(read(r#"{"response":{"message":[["y"]]}}"#).as_deref(), Some("y"));
    }

    #[test]
    fn metrics_give_all_memory_states() {
        let body = b"# HELP x\nevolution_instance_up{instance=\"a\"} 1\nevolution_instance_state{instance=\"sh\\\"op\",integration=\"W\",state=\"open\"} 1\nevolution_instance_state{instance=\"b\",state=\"close\"} 0\n";
        assert_eq!(metrics(body).unwrap(), [("sh\"op".to_owned(), "open".to_owned())]);
        assert!(metrics(b"<html>").is_none());
    }

    #[test]
    fn json_inside_of_a_text_is_no_way_around_the_bound_of_a_tree() {
        let inside = format!("[{}]", vec!["{\"a\":0}"; (7 << 20) / 8].join(","));
        assert_eq!(disconnect_text(&Value::String(inside)), None);
    }

    proptest! {
        #![proptest_config(crate::hostile::config())]

        #[test]
        fn arbitrary_bytes_never_panic(b in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (list(&b), metrics(&b), json(&b).map(|v| (connect(&v), told(&v), state(&v))));
        }
        #[test]
        fn arbitrary_metric_lines_never_panic(s in "evolution_instance_state\\{[a-z=\",\\\\}]{0,40}") {
            let _ = metrics(s.as_bytes());
        }
        #[test]
        fn arbitrary_json_never_panics(s in "[\\[\\]{}\":,a-z0-9]{0,60}") {
            let _ = (list(s.as_bytes()), json(s.as_bytes()).map(|v| (connect(&v), Instance::read(&v), disconnect_text(&v))));
        }
    }
}
