//! The control API's half of a Telegram: what `POST /scan`, `/unlink`, `/expire`, `/fault` and `GET /log`, `/who` do here.

use super::Telegram;
use serde_json::{Value, json};

/// Status and body of an answer.
type Reply = (u16, Value);

fn error(status: u16, text: &str) -> Reply {
    (status, json!({ "v": 1, "error": text }))
}

fn done() -> Reply {
    (200, json!({ "v": 1, "ok": true }))
}

/// A session's number: as text, because JSON's numbers lose digits in JavaScript.
fn hash(given: &Value) -> Option<i64> {
    let h = given.get("hash")?;
    h.as_i64().or_else(|| h.as_str()?.parse().ok())
}

impl Telegram {
    /// `{"account": …, "payload": "tg://login?token=…"}`; without a payload the newest code.
    pub(crate) fn control_scan(&self, account: i64, given: &Value) -> Reply {
        match self.scan(account, given.get("payload").and_then(Value::as_str)) {
            Ok(hash) => (200, json!({ "v": 1, "ok": true, "hash": hash.to_string() })),
            Err(why) => (409, json!({ "v": 1, "ok": false, "error": why })),
        }
    }

    /// `{"account": …, "hash": …}` ends one session, without a hash all; `"reason": "deactivated" | "banned"` ends the account.
    pub(crate) fn control_unlink(&self, account: i64, given: &Value) -> Reply {
        match given.get("reason").and_then(Value::as_str) {
            Some(why @ ("deactivated" | "banned")) => {
                self.deactivate(account, why == "banned");
                done()
            }
            _ => match hash(given) {
                Some(h) if self.revoke(account, h) => (200, json!({ "v": 1, "ok": true, "ended": 1 })),
                Some(_) => error(404, "no such session"),
                None => (200, json!({ "v": 1, "ok": true, "ended": self.revoke_all(account) })),
            },
        }
    }

    /// `{"account": …, "hash": …}`.
    pub(crate) fn control_expire(&self, account: i64, given: &Value) -> Reply {
        match hash(given) {
            Some(h) if self.expire(account, h) => done(),
            Some(_) => error(404, "no such session"),
            None => error(400, "hash is missing"),
        }
    }

    /// Every session of the account is so many `hours` older: what the rule of the first day forbids is allowed then.
    pub(crate) fn control_age(&self, account: i64, given: &Value) -> Reply {
        match given.get("hours").and_then(Value::as_u64).filter(|h| (1..=24 * 366).contains(h)) {
            Some(hours) => {
                self.age(account, std::time::Duration::from_secs(hours * 3600));
                done()
            }
            None => error(400, "hours is missing: 1 to 8784"),
        }
    }

    /// `drop`, `mute`, `too_many` (`count`), `flood` (`path` a method, `value` seconds, `count`), `down` and `up` (`value` a data
    /// centre), `heal`.
    pub(crate) fn control_fault(&self, kind: &str, value: Option<u64>, count: u32, path: Option<&str>) -> Reply {
        let dc = value.and_then(|v| i32::try_from(v).ok());
        match (kind, dc, path) {
            ("drop", ..) => {
                self.cut(None);
            }
            ("mute" | "hang", ..) => self.mute(true),
            ("too_many" | "429", ..) => self.too_many(count),
            ("flood", _, Some(method)) => self.flood(method, value.and_then(|v| u32::try_from(v).ok()).unwrap_or(10), count),
            ("down", Some(dc), _) => self.down(dc, true),
            ("up", Some(dc), _) => self.down(dc, false),
            ("heal", ..) => self.heal(),
            _ => return (400, json!({ "v": 1, "error": "unknown kind", "kinds": ["drop", "mute", "too_many", "flood", "down", "up", "heal"] })),
        }
        done()
    }

    /// A line for each RPC.
    pub(crate) fn control_log(&self) -> Vec<Value> {
        let hex = |k: &[u8]| k.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let one = |c: super::TelegramCall| json!({ "gateway": self.name(), "line": format!("dc{} conn {} key {} {} {}", c.dc, c.conn, hex(&c.key), c.method, c.outcome) });
        self.calls().into_iter().map(one).collect()
    }

    /// Who is connected, and every account's sessions.
    pub(crate) fn control_who(&self) -> Value {
        let hex = |k: &[u8; 8]| k.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let conn = |c: super::TelegramConn| json!({ "id": c.id, "dc": c.dc, "key": c.key.as_ref().map(hex), "account": c.account });
        let accounts: Vec<i64> = self.inner.world().accounts.keys().copied().collect();
        let row = |d: super::TelegramDevice| json!({ "hash": d.hash.to_string(), "key": d.key.as_ref().map(hex), "device": d.device, "pending": d.pending });
        let one = |id: i64| json!({ "account": id, "code": self.code(id), "sessions": self.devices(id).into_iter().map(row).collect::<Vec<_>>() });
        json!({
            "gateway": self.name(),
            "token": self.token(),
            "connected": self.connected().into_iter().map(conn).collect::<Vec<_>>(),
            "accounts": accounts.into_iter().map(one).collect::<Vec<_>>(),
        })
    }
}
