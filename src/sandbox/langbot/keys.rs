//! `/api/v1/apikeys`: for people alone; a secret is shown once.

use super::{Inner, reply::Reply, settings::SCOPES, state::Key};
use serde_json::{Value, json};

/// `2026-11-21T07:38:37`: SQLite's UTC without a zone.
pub(crate) fn naive(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "1970-01-01T00:00:00".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

impl Inner {
    fn key_row(&self, k: &Key, secret: bool) -> Value {
        let state = self.lock();
        let mut row = json!({
            "id": k.id, "uuid": k.uuid, "workspace_uuid": state.workspace, "created_by_account_uuid": state.account, "name": k.name,
            "description": k.description, "scopes": k.scopes, "status": "active", "created_at": naive(k.created_ms),
            "updated_at": naive(k.created_ms), "last_used_at": k.used_ms.map(naive),
            "expires_at": k.expires.map(|e| naive(e.as_millisecond())), "secret_available": secret,
        });
        if secret {
            row["key"] = k.secret.clone().into();
        }
        row
    }

    pub(crate) fn keys(&self) -> Reply {
        let all = self.lock().keys.clone();
        let rows: Vec<_> = all.iter().map(|k| self.key_row(k, false)).collect();
        Reply::ok(json!({ "keys": rows }))
    }

    pub(crate) fn new_key(&self, body: &Value) -> Reply {
        let bad = |msg: String| Reply::fail(400, "invalid_api_key", msg);
        let now = self.now_ms();
        let expires = match body["expires_at"].as_str().filter(|e| !e.is_empty()) {
            None => None,
            Some(text) => match text.parse::<jiff::Timestamp>().ok().or_else(|| format!("{text}Z").parse().ok()) {
                None => return Reply::fail(400, "invalid_expiry", "Invalid API key expiry"),
                Some(t) if t.as_millisecond() <= now => return bad("API key expiry must be in the future".to_owned()),
                t => t,
            },
        };
        let name = body["name"].as_str().unwrap_or_default().trim();
        if name.is_empty() {
            return bad("Name is required".to_owned());
        }
        let mut scopes: Vec<String> = Vec::new();
        match &body["scopes"] {
            Value::Null => scopes.extend(SCOPES.iter().map(|s| (*s).to_owned())),
            Value::Array(list) => {
                for s in list {
                    let Some(s) = s.as_str().map(str::trim) else { return bad("API key scopes must be strings".to_owned()) };
                    if !SCOPES.contains(&s) {
                        return bad(format!("Unknown API key scope: {s}"));
                    }
                    if !scopes.iter().any(|have| have == s) {
                        scopes.push(s.to_owned());
                    }
                }
            }
            _ => return Reply::internal(self),
        }
        let description = body["description"].as_str().unwrap_or_default().trim().to_owned();
        let key = self.lock().add_key(name, &description, scopes, expires, None, now);
        Reply::ok(json!({ "key": self.key_row(&key, true) }))
    }

    /// Deleting what is not there is no error.
    pub(crate) fn drop_key(&self, id: &str) -> Option<Reply> {
        let id: i64 = id.parse().ok()?;
        self.lock().keys.retain(|k| k.id != id);
        Some(Reply::ok(Value::Null))
    }
}
