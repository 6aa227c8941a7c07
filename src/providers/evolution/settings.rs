//! What an instance is set up with: how each kind is read, put back and compared.

use serde_json::{Map, Value, json};

/// Kinds of settings that the API gives back, in the order in which they are put back. Proxy comes late: the server tests it
/// before it saves it, and a proxy that is down must not keep the others from coming back.
pub(super) const KINDS: &[&str] = &["settings", "webhook", "websocket", "rabbitmq", "nats", "sqs", "kafka", "pusher", "chatwoot", "proxy"];

/// Fields that belong to the stored row, not to the setting.
const OWN: &[&str] = &["id", "createdAt", "updatedAt", "instanceId", "instanceName"];

/// What `find` gave, without what changes by itself; `None` when nothing is set.
pub(super) fn essence(kind: &str, found: &Value) -> Option<Map<String, Value>> {
    // Some routes wrap their answer once more.
    let inner = found.get(kind).filter(|v| v.is_object()).unwrap_or(found);
    let mut out: Map<String, Value> =
        inner.as_object()?.iter().filter(|(k, v)| !OWN.contains(&k.as_str()) && !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    // `set` and `find` name these differently (recordings 32 and 33).
    for (theirs, ours) in [("webhookByEvents", "byEvents"), ("webhookBase64", "base64")] {
        if let Some(v) = out.remove(theirs) {
            out.insert(ours.to_owned(), v);
        }
    }
    // `set` writes a `Bearer` for these itself; `find` of a bridge that was never set answers all empty.
    if kind == "chatwoot" {
        out.remove("webhook_url");
        if out.get("enabled") != Some(&Value::Bool(true)) && out.get("url").and_then(Value::as_str).unwrap_or_default().is_empty() {
            return None;
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The body of `set` for what [`essence`] kept.
pub(super) fn body(kind: &str, essence: Map<String, Value>) -> Value {
    match kind {
        "settings" | "proxy" | "chatwoot" => Value::Object(essence),
        wrapped => json!({ wrapped: essence }),
    }
}

/// True when `now` holds all that `before` held. Empty texts and empty lists count as absent.
pub(super) fn holds(kind: &str, before: &Map<String, Value>, now: &Value) -> bool {
    let now = essence(kind, now).unwrap_or_default();
    let empty = |v: &Value| v.as_str() == Some("") || v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(Map::is_empty);
    let plain = |v: &Value| match v {
        Value::Number(n) => Value::String(n.to_string()),
        Value::Array(a) => {
            let mut a: Vec<String> = a.iter().map(Value::to_string).collect();
            a.sort();
            json!(a)
        }
        other => other.clone(),
    };
    before.iter().filter(|(_, v)| !empty(v)).all(|(k, v)| now.get(k).is_some_and(|n| plain(n) == plain(v)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_recorded_webhook_goes_back_in_the_form_that_set_takes() {
        let found = json!({"id":"x","url":"http://h","headers":null,"enabled":true,"events":["A"],"webhookByEvents":false,"webhookBase64":true,"createdAt":"t","updatedAt":"t","instanceId":"i"});
        let e = essence("webhook", &found).unwrap();
        assert_eq!(body("webhook", e.clone()), json!({"webhook":{"url":"http://h","enabled":true,"events":["A"],"byEvents":false,"base64":true}}));
        assert!(holds("webhook", &e, &found));
        assert!(!holds("webhook", &e, &json!({"url":"http://h","enabled":true,"events":["B"],"webhookByEvents":false,"webhookBase64":true})));
        assert!(!holds("webhook", &e, &Value::Null));
    }

    #[test]
    fn a_proxy_keeps_its_password_and_nothing_set_is_nothing() {
        let found = json!({"enabled":true,"host":"h","port":"80","protocol":"http","username":"u","password":"p","instanceId":"i"});
        assert_eq!(body("proxy", essence("proxy", &found).unwrap())["password"], "p");
        assert_eq!(essence("proxy", &Value::Null), None);
        assert_eq!(essence("websocket", &json!({})), None);
    }
}
