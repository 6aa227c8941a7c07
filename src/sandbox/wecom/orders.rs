//! What the control API may order from a platform.

use super::{Repeated, Stale, TokenFault, TokenServer, settings::Platform};
use serde_json::{Value, json};

impl TokenServer {
    /// `POST /fault`: a fault of this kind, or a setting that goes by the same road. False when the kind is not known.
    pub(crate) fn order_fault(&self, kind: &str, given: &Value, count: u32) -> bool {
        let n = given.get("value").and_then(Value::as_i64);
        match kind {
            "long_token" => self.token_bytes(n.and_then(|n| usize::try_from(n).ok()).unwrap_or(512)),
            "repeated_full" => self.repeated(Repeated::Full),
            "repeated_remaining" => self.repeated(Repeated::Remaining),
            "stale_42001" => self.stale(Stale::Expired),
            "stale_40014" => self.stale(Stale::Invalid),
            "stale_in_turn" => self.stale(Stale::InTurn),
            "heal" => self.heal(),
            _ => {
                let oa = self.settings().platform == Platform::WechatOa;
                let Some(fault) = TokenFault::parse(kind, n, oa) else { return false };
                self.fault(fault, count, given.get("path").and_then(Value::as_str));
            }
        }
        true
    }

    /// A call about one account: `/expire`, `/revoke`, `/secret`, `/trust`, `/fetch`. `None` when the path is none of these.
    pub(crate) fn order(&self, path: &str, account: &str, given: &Value) -> Option<(u16, Value)> {
        let done = (200, json!({ "v": 1, "ok": true }));
        Some(match path {
            "/expire" => {
                self.expire(account);
                done
            }
            "/revoke" => {
                self.revoke(account);
                done
            }
            "/secret" => {
                let new = given.get("secret").and_then(Value::as_str);
                let kills = given.get("kills").and_then(Value::as_bool);
                match self.reset_secret(account, new, kills) {
                    // The sandbox guards nothing: whoever orders a new secret has to learn it.
                    Some(secret) => (200, json!({ "v": 1, "ok": true, "secret": secret.expose() })),
                    None => (404, json!({ "v": 1, "error": "no such account here" })),
                }
            }
            "/trust" => {
                let ips = match given.get("ips") {
                    Some(Value::Array(ips)) => Some(ips.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect()),
                    _ => None,
                };
                self.trust(account, ips);
                done
            }
            "/fetch" => (200, json!({ "v": 1, "ok": true, "errcode": self.foreign_fetch(account) })),
            _ => return None,
        })
    }

    /// Names of what [`TokenServer::order_fault`] takes besides the faults.
    pub(crate) const ORDERS: &'static [&'static str] =
        &["long_token", "repeated_full", "repeated_remaining", "stale_42001", "stale_40014", "stale_in_turn", "heal"];
}
