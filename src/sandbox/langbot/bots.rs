//! `/api/v1/platform/bots`: list, one, create, update, delete, log.

use super::{
    Inner,
    adapter::known,
    auth::Who,
    keys::naive,
    reply::Reply,
    state::{Bot, LogLine, MOST_BOTS},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What of a bot's configuration restarts it when it is written (4.11.2).
const RUNTIME: &[&str] = &["adapter", "adapter_config", "enable", "event_bindings", "plugin_processors"];

impl Inner {
    /// A row. Without `resource.manage` the column `adapter_config` is not masked but missing (`serialize_model`).
    fn row(&self, b: &Bot, workspace: &str, secrets: bool) -> Value {
        let mut row = json!({
            "uuid": b.uuid, "workspace_uuid": workspace, "name": b.name, "description": b.description, "adapter": b.adapter,
            "enable": b.enable, "event_bindings": b.bindings, "plugin_processors": [], "created_at": naive(b.created_ms),
            "updated_at": naive(b.updated_ms),
        });
        if secrets {
            row["adapter_config"] = Value::Object(b.config.clone());
        }
        row
    }

    pub(crate) fn bots(&self, who: &Who) -> Reply {
        let state = self.lock();
        let rows: Vec<_> = state.bots.iter().map(|b| self.row(b, &state.workspace, who.may("resource.manage"))).collect();
        Reply::ok(json!({ "bots": rows }))
    }

    pub(crate) fn bot(&self, uuid: &str, who: &Who) -> Reply {
        let state = self.lock();
        let Some(b) = state.bot(uuid) else { return Reply::not_found() };
        let mut row = self.row(b, &state.workspace, who.may("resource.manage"));
        let mut values = match known(&b.adapter) {
            Some((_, true)) => {
                let path = format!("/bots/{uuid}");
                let full = format!("{}{path}", self.settings.webhook_prefix);
                json!({ "webhook_url": path, "webhook_full_url": full, "extra_webhook_full_url": "" })
            }
            _ => json!({ "webhook_url": null, "webhook_full_url": null, "extra_webhook_full_url": null }),
        };
        // There only while the bot is loaded: the nearest thing to a state that this API has (recordings 13, 15).
        if let Some(rt) = &b.runtime {
            values["bot_account_id"] = rt.account.clone().into();
        }
        row["adapter_runtime_values"] = values;
        Reply::ok(json!({ "bot": row }))
    }

    /// The body of a write, or the answer to one that is no object.
    fn written(body: &Value) -> Result<&Map<String, Value>, Reply> {
        body.as_object().ok_or_else(|| Reply::fail(400, "invalid_bot_config", "Bot configuration must be an object"))
    }

    fn apply_failed(&self, uuid: &str, why: &str) -> Reply {
        let id = self.lock().chance.uuid();
        Reply::json(400, &json!({ "code": "bot_apply_failed", "msg": why, "data": { "uuid": uuid }, "request_id": id }))
    }

    /// Creates a bot. With `enable` it is loaded, but its task does not run before a later update (recordings 43, 44).
    pub(crate) fn create(self: &Arc<Self>, body: &Value) -> Reply {
        let given = match Self::written(body) {
            Ok(g) => g,
            Err(no) => return no,
        };
        // `bot_data['adapter']` is read without looking, and `name` has no default in the table.
        let (Some(adapter), Some(name)) = (given.get("adapter").and_then(Value::as_str), given.get("name").and_then(Value::as_str)) else {
            return Reply::internal(self);
        };
        let now = self.now_ms();
        let mut state = self.lock();
        if state.bots.len() >= MOST_BOTS {
            return Reply::fail(400, "invalid_bot_config", format!("Maximum number of bots ({MOST_BOTS}) reached"));
        }
        let uuid = state.chance.uuid();
        let bindings = match given.get("event_bindings") {
            Some(Value::Array(list)) if !list.is_empty() => Value::Array(list.clone()),
            _ => state.bindings(),
        };
        let enable = given.get("enable").is_some_and(truthy);
        state.bots.push(Bot {
            uuid: uuid.clone(),
            name: name.to_owned(),
            description: given.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            adapter: adapter.to_owned(),
            config: given.get("adapter_config").and_then(Value::as_object).cloned().unwrap_or_default(),
            enable,
            bindings,
            created_ms: now,
            updated_ms: now,
            far: super::FarSide::default(),
            runtime: None,
            loads: 0,
            fetches: 0,
        });
        drop(state);
        match if enable { self.load(&uuid) } else { Ok(()) } {
            Ok(()) => Reply::ok(json!({ "uuid": uuid })),
            Err(why) => self.apply_failed(&uuid, &why),
        }
    }

    /// Writes what is given, ignores what is unknown (recording 36), and restarts the bot when a field of [`RUNTIME`] is
    /// among it, changed or not.
    pub(crate) fn update(self: &Arc<Self>, uuid: &str, body: &Value) -> Reply {
        let given = match Self::written(body) {
            Ok(g) => g,
            Err(no) => return no,
        };
        let now = self.now_ms();
        let mut state = self.lock();
        let Some(bot) = state.bot_mut(uuid) else {
            drop(state);
            // The source reads the missing row before it looks for it.
            let reads = given.contains_key("adapter") || given.get("enable").is_some_and(truthy);
            return if reads { Reply::internal(self) } else { Reply::not_found() };
        };
        let text = |k: &str| given.get(k).and_then(Value::as_str).map(str::to_owned);
        bot.name = text("name").unwrap_or_else(|| bot.name.clone());
        bot.description = text("description").unwrap_or_else(|| bot.description.clone());
        bot.adapter = text("adapter").unwrap_or_else(|| bot.adapter.clone());
        if let Some(config) = given.get("adapter_config").and_then(Value::as_object) {
            bot.config = config.clone();
        }
        if let Some(enable) = given.get("enable") {
            bot.enable = truthy(enable);
        }
        if let Some(bindings) = given.get("event_bindings").filter(|b| b.is_array()) {
            bot.bindings = bindings.clone();
        }
        bot.updated_ms = now;
        drop(state);
        if !RUNTIME.iter().any(|f| given.contains_key(*f)) {
            return Reply::ok(Value::Null);
        }
        match self.apply(uuid) {
            Ok(()) => Reply::ok(Value::Null),
            Err(why) => self.apply_failed(uuid, &why),
        }
    }

    pub(crate) fn delete(&self, uuid: &str) -> Reply {
        if self.lock().bot(uuid).is_none() {
            return Reply::not_found();
        }
        self.remove(uuid);
        self.lock().bots.retain(|b| b.uuid != uuid);
        Reply::ok(Value::Null)
    }

    /// The log of a loaded bot (`EventLogger.get_logs`); a bot that is not loaded has none.
    pub(crate) fn logs(&self, uuid: &str, body: &Value) -> Reply {
        let Some(given) = body.as_object() else { return Reply::internal(self) };
        let whole = |k: &str, d: i64| given.get(k).map_or(Some(d), Value::as_i64);
        let state = self.lock();
        let Some(bot) = state.bot(uuid) else { return Reply::not_found() };
        let (lines, total) = match (&bot.runtime, whole("from_index", -1), whole("max_count", 10)) {
            (None, ..) => (Vec::new(), 0),
            (Some(rt), Some(from), Some(most)) => {
                let all: Vec<&LogLine> = rt.lines.iter().collect();
                (window(&all, from, most).iter().map(|l| line(l)).collect::<Vec<_>>(), all.len())
            }
            // A text where a number belongs: a `TypeError`.
            _ => {
                drop(state);
                return Reply::internal(self);
            }
        };
        Reply::ok(json!({ "logs": lines, "total_count": total }))
    }
}

/// The lines that end at number `from` (-1: the last), at most `most`.
fn window<'a>(all: &'a [&'a LogLine], from: i64, most: i64) -> &'a [&'a LogLine] {
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return &[] };
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let from = if from <= -1 { number(last.seq) } else { from };
    if from < number(first.seq) || (from > number(last.seq) && from.saturating_sub(most) > number(last.seq)) || most <= 0 {
        return &[];
    }
    // Beyond the last one the source stays at its start value, 1.
    let end = all.iter().position(|l| number(l.seq) >= from).map_or(1, |i| i + 1);
    let start = end.saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    all.get(start..end).unwrap_or_default()
}

fn line(l: &LogLine) -> Value {
    json!({
        "seq_id": l.seq, "timestamp": l.at_s, "level": l.level, "text": l.text, "images": [], "message_session_id": l.session, "metadata": l.about,
    })
}

/// Python's idea of true.
pub(crate) fn truthy(v: &Value) -> bool {
    match v {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(a) => !a.is_empty(),
        Value::Object(o) => !o.is_empty(),
    }
}
