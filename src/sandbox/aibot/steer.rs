//! What the control API can do with servers of this kind: `/subscribers`, `/kick`, `/aibot`.

use super::AiBot;
use crate::domain::Secret;
use serde_json::{Value, json};

/// Answers a call that is about AI bots; `None` for one that is not. `servers` are the ones that `gateway` chose, or all.
pub(crate) fn act(servers: &[AiBot], method: &str, path: &str, given: &Value) -> Option<(u16, Value)> {
    if servers.is_empty() {
        return None;
    }
    let text = |k: &str| given.get(k).and_then(Value::as_str);
    let error = |status: u16, why: &str| Some((status, json!({ "v": 1, "ok": false, "error": why })));
    let done = Some((200, json!({ "v": 1, "ok": true })));
    match (method, path) {
        ("GET", "/subscribers") => {
            let one = |s: &AiBot| -> Vec<Value> {
                let held = s.subscribers();
                let row = |(id, t): (String, super::Tally)| {
                    let by = held.iter().find(|h| h.bot == id);
                    let by = by.map(|h| json!({ "connection": h.connection, "from": h.from, "since_ms": h.since_ms, "pings": h.pings }));
                    json!({
                        "gateway": s.name(), "bot": id, "subscribed": t.subscribed, "refused": t.refused, "kicked": t.kicked, "by": by,
                    })
                };
                s.bots().into_iter().map(row).collect()
            };
            Some((200, servers.iter().flat_map(one).collect::<Vec<_>>().into()))
        }
        ("POST", "/kick") => {
            let Some(bot) = text("bot") else { return error(400, "bot is missing") };
            let thrown = match text("how").unwrap_or("replaced") {
                "replaced" => servers.iter().filter(|s| s.kick(bot)).count(),
                "line" => servers.iter().filter(|s| s.hang_up(bot)).count(),
                _ => return error(400, "how is replaced or line"),
            };
            if thrown == 0 { error(404, "nobody is subscribed to that bot") } else { done }
        }
        // The far side's own life: deaf to pings, a new secret.
        ("POST", "/aibot") => {
            if let Some(deaf) = given.get("deaf").and_then(Value::as_bool) {
                servers.iter().for_each(|s| s.deaf(deaf));
            }
            match (text("bot"), text("secret")) {
                (Some(bot), Some(secret)) => servers.iter().for_each(|s| s.reset_secret(bot, &Secret::new(secret.to_owned()))),
                (None, None) => {}
                _ => return error(400, "bot and secret go together"),
            }
            done
        }
        _ => None,
    }
}
