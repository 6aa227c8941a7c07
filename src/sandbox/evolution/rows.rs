//! `find` and `set` of settings, websocket, webhook, proxy and the other event channels.

use super::{Inner, events::NAMES, reply::Reply};
use crate::sandbox::{
    json::{Json, map},
    settings::Events,
};

/// Settings that must be booleans; all but the texts. `set` requires them (recording 26).
pub(crate) const BOOLEAN_SETTINGS: [&str; 6] = ["rejectCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory"];

/// Channels with a `find` and a `set`, by the first part of their path.
pub(crate) const CHANNELS: [&str; 8] = ["websocket", "webhook", "proxy", "rabbitmq", "nats", "sqs", "kafka", "pusher"];

impl Inner {
    /// `GET /settings/find/{name}`.
    pub(crate) fn find_settings(&self, name: &str) -> Reply {
        let state = self.lock();
        Reply::json(200, &state.row(name).map_or(Json::Null, |r| r.settings.flat()))
    }

    /// `POST /settings/set/{name}`.
    pub(crate) fn set_settings(&self, name: &str, body: &Json) -> Reply {
        let mut wrong: Vec<String> = BOOLEAN_SETTINGS
            .iter()
            .filter(|k| body.get(k).is_some_and(|v| v.bool().is_none()))
            .map(|k| format!("{k} is not of a type(s) boolean"))
            .collect();
        for k in ["msgCall", "wavoipToken"] {
            if body.get(k).is_some_and(|v| v.text().is_none()) {
                wrong.push(format!("{k} is not of a type(s) string"));
            }
        }
        wrong.extend(BOOLEAN_SETTINGS.iter().filter(|k| body.get(k).is_none()).map(|k| format!("instance requires property \"{k}\"")));
        if !wrong.is_empty() {
            return Reply::schema(wrong);
        }
        let now = self.now_ms();
        let mut state = self.lock();
        if let Some(row) = state.row_mut(name) {
            for (k, v) in &mut row.settings.values {
                if let Some(given) = body.get(k) {
                    *v = given.clone();
                }
            }
            row.settings.updated = now;
        }
        // The answer repeats what was sent, no more (recording 25).
        Reply::json(201, &map! { "settings" => map! { "instanceName" => name, "settings" => body.clone() } })
    }

    /// `GET /{channel}/find/{name}`.
    pub(crate) fn find_extra(&self, name: &str, kind: &'static str) -> Reply {
        if kind == "websocket" && self.settings.events == Events::None {
            return Reply::empty(200);
        }
        let state = self.lock();
        Reply::json(200, &state.row(name).and_then(|r| r.extras.get(kind).cloned()).unwrap_or(Json::Null))
    }

    /// `POST /{channel}/set/{name}`.
    pub(crate) fn set_channel(&self, name: &str, kind: &'static str, body: &Json) -> Reply {
        if kind == "proxy" {
            return self.set_proxy(name, body);
        }
        let Some(given) = body.get(kind) else {
            return Reply::schema(vec![format!("instance requires property \"{kind}\"")]);
        };
        let mut wrong = Vec::new();
        if given.get("enabled").and_then(Json::bool).is_none() {
            wrong.push(match given.get("enabled") {
                Some(_) => format!("{kind}.enabled is not of a type(s) boolean"),
                None => format!("{kind} requires property \"enabled\""),
            });
        }
        if kind == "webhook" && given.get("url").and_then(Json::text).is_none() {
            wrong.push("webhook requires property \"url\"".to_owned());
        }
        for e in given.get("events").and_then(Json::list).unwrap_or_default() {
            if !e.text().is_some_and(|t| NAMES.contains(&t)) {
                wrong.push(format!("{kind}.events is not one of enum values: {}", NAMES.join(",")));
                break;
            }
        }
        if !wrong.is_empty() {
            return Reply::schema(wrong);
        }
        if kind == "websocket" && self.settings.events == Events::None {
            return Reply::empty(201);
        }
        self.set_extra(name, kind, given);
        self.find_extra(name, kind).with_status(201)
    }

    fn set_proxy(&self, name: &str, body: &Json) -> Reply {
        let missing: Vec<String> = ["enabled", "host", "port", "protocol"]
            .iter()
            .filter(|k| body.get(k).is_none())
            .map(|k| format!("instance requires property \"{k}\""))
            .collect();
        if !missing.is_empty() {
            return Reply::schema(missing);
        }
        if body.get("host").and_then(Json::text).is_none_or(str::is_empty) && body.get("enabled").and_then(Json::bool) == Some(true) {
            return Reply::refuse(400, "Invalid proxy");
        }
        self.set_extra(name, "proxy", body);
        Reply::json(201, &map! { "proxy" => map! { "instanceName" => name, "proxy" => body.clone() } })
    }

    /// Writes the row of a channel, as the event controllers do: no events means all of them, disabled means none.
    pub(crate) fn set_extra(&self, name: &str, kind: &'static str, given: &Json) {
        let now = self.stamp();
        let mut guard = self.lock();
        let state = &mut *guard;
        let fresh = state.chance.cuid();
        let Some(row) = state.row_mut(name) else { return };
        let old = row.extras.get(kind).cloned().unwrap_or(Json::Null);
        let kept = |k: &str, else_: Json| given.get(k).or_else(|| old.get(k)).cloned().unwrap_or(else_);
        let enabled = given.get("enabled").and_then(Json::bool).unwrap_or(true);
        let events = match given.get("events").and_then(Json::list) {
            _ if !enabled => Json::List(Vec::new()),
            None | Some([]) => Json::List(NAMES.iter().map(|n| Json::from(*n)).collect()),
            Some(some) => Json::List(some.to_vec()),
        };
        let id = old.get("id").cloned().unwrap_or_else(|| fresh.into());
        let created = old.get("createdAt").cloned().unwrap_or_else(|| now.clone().into());
        let mut pairs: Vec<(&str, Json)> = vec![("id", id)];
        match kind {
            "webhook" => pairs.extend([
                ("url", kept("url", Json::Null)),
                ("headers", kept("headers", Json::Null)),
                ("enabled", enabled.into()),
                ("events", events),
                // Absent means "leave it", as the database client reads it (recording 38).
                ("webhookByEvents", given.get("byEvents").or_else(|| old.get("webhookByEvents")).cloned().unwrap_or(false.into())),
                ("webhookBase64", given.get("base64").or_else(|| old.get("webhookBase64")).cloned().unwrap_or(false.into())),
            ]),
            "proxy" => {
                pairs.push(("enabled", enabled.into()));
                pairs.extend(["host", "port", "protocol", "username", "password"].map(|k| (k, kept(k, Json::Null))));
            }
            "pusher" => {
                pairs.push(("enabled", enabled.into()));
                pairs.extend(["appId", "key", "secret", "cluster", "useTLS"].map(|k| (k, kept(k, Json::Null))));
                pairs.push(("events", events));
            }
            _ => pairs.extend([("enabled", enabled.into()), ("events", events)]),
        }
        pairs.extend([("createdAt", created), ("updatedAt", now.into()), ("instanceId", Json::from(&row.id))]);
        row.extras.insert(kind, Json::Map(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()));
    }
}

impl Reply {
    /// The same with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}
