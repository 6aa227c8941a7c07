//! What the server remembers: bots with what runs of them, keys, JWTs, tasks, QR sessions. All bounded.

use super::{
    qr::Qr,
    settings::{FarSide, KeySpec},
};
use crate::sandbox::chance::Chance;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use tokio_util::sync::CancellationToken;

/// Most bots; further ones are refused as by `limitation.max_bots`.
pub(crate) const MOST_BOTS: usize = 10_000;
/// JWTs that are remembered; the oldest go.
const JWTS: usize = 1000;
/// Tasks that have ended and are kept (`task_retention.completed_limit`).
const ENDED: usize = 200;
/// Lines of a bot's log, and how many go at a time (`pkg/platform/logger.py`).
const LINES: usize = 200;
const LINES_GO: usize = 50;
/// Characters of a line.
const LINE: usize = 20_000;

/// One line of a bot's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number since the last restart of the bot.
    pub seq: u64,
    /// `debug`, `info`, `warning`, `error`.
    pub level: String,
    /// Its text.
    pub text: String,
    /// Seconds since 1970 by the server's clock.
    pub at_s: i64,
    /// `message_session_id`: the conversation that it is of, or empty.
    pub session: String,
    /// `metadata`.
    pub about: Value,
}

/// What is in memory of a bot that is loaded.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Tells this life of the bot from others.
    pub(crate) life: u64,
    pub(crate) lines: VecDeque<LogLine>,
    pub(crate) next: u64,
    /// The adapter's access token; no expiry, no lock, forgotten with the runtime.
    pub(crate) token: String,
    pub(crate) account: String,
    /// Its task, once `run` was called.
    pub(crate) task: Option<u64>,
    /// True while an AI bot is subscribed.
    pub(crate) linked: bool,
    pub(crate) stop: CancellationToken,
}

#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) adapter: String,
    pub(crate) config: Map<String, Value>,
    pub(crate) enable: bool,
    pub(crate) bindings: Value,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) far: FarSide,
    pub(crate) runtime: Option<Runtime>,
    /// Times that it was loaded.
    pub(crate) loads: u64,
    /// Tokens that it fetched, from whomever.
    pub(crate) fetches: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Running,
    Finished,
    Cancelled,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) user: bool,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) created_s: f64,
    pub(crate) state: TaskState,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: i64,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) secret: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_ms: i64,
    pub(crate) used_ms: Option<i64>,
    pub(crate) expires: Option<jiff::Timestamp>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chance: Chance,
    pub(crate) workspace: String,
    pub(crate) account: String,
    pub(crate) pipeline: String,
    pub(crate) bots: Vec<Bot>,
    pub(crate) keys: Vec<Key>,
    pub(crate) last_key: i64,
    pub(crate) jwts: VecDeque<(String, i64)>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) next_task: u64,
    pub(crate) qrs: Vec<Qr>,
    pub(crate) lives: u64,
    pub(crate) pipelines: u32,
}

impl State {
    pub(crate) fn new(seed: Option<u64>, keys: &[KeySpec], now_ms: i64) -> Self {
        let mut chance = Chance::new(seed);
        let (workspace, account, pipeline) = (chance.uuid(), chance.uuid(), chance.uuid());
        let mut s = Self {
            chance,
            workspace,
            account,
            pipeline,
            bots: Vec::new(),
            keys: Vec::new(),
            last_key: 0,
            jwts: VecDeque::new(),
            tasks: Vec::new(),
            // Ten tasks of the application and the proxy of the web chat come first (recordings 00, 31).
            next_task: 10,
            qrs: Vec::new(),
            lives: 0,
            pipelines: 0,
        };
        s.start_task(false, "platform-adapter", "platform-adapter-WebSocketAdapter".to_owned(), String::new(), now_ms);
        s.next_task = 12;
        for k in keys {
            s.add_key(&k.name, "", k.scopes.clone(), None, Some(k.secret.clone()), now_ms);
        }
        s
    }

    pub(crate) fn bot(&self, uuid: &str) -> Option<&Bot> {
        self.bots.iter().find(|b| b.uuid == uuid)
    }

    pub(crate) fn bot_mut(&mut self, uuid: &str) -> Option<&mut Bot> {
        self.bots.iter_mut().find(|b| b.uuid == uuid)
    }

    /// A new key; returns it.
    pub(crate) fn add_key(
        &mut self,
        name: &str,
        description: &str,
        scopes: Vec<String>,
        expires: Option<jiff::Timestamp>,
        secret: Option<String>,
        now_ms: i64,
    ) -> Key {
        let secret = secret.unwrap_or_else(|| format!("lbk_{}", self.chance.base64(32).replace('+', "-").replace('/', "_").replace('=', "")));
        self.last_key += 1;
        let (id, uuid) = (self.last_key, self.chance.uuid());
        let (name, description) = (name.to_owned(), description.to_owned());
        let key = Key { id, uuid, name, description, secret, scopes, created_ms: now_ms, used_ms: None, expires };
        if self.keys.len() < 1000 {
            self.keys.push(key.clone());
        }
        key
    }

    /// Remembers a JWT until `end_ms`.
    pub(crate) fn remember(&mut self, jwt: String, end_ms: i64) {
        if self.jwts.len() == JWTS {
            self.jwts.pop_front();
        }
        self.jwts.push_back((jwt, end_ms));
    }

    pub(crate) fn start_task(&mut self, user: bool, kind: &'static str, name: String, label: String, now_ms: i64) -> u64 {
        let id = self.next_task;
        self.next_task += 1;
        let label = if label.is_empty() { name.clone() } else { label };
        self.tasks.push(Task { id, user, kind, name, label, created_s: now_ms as f64 / 1000.0, state: TaskState::Running });
        id
    }

    /// A task ends; what has ended already stays as it was.
    pub(crate) fn end_task(&mut self, id: u64, state: TaskState) {
        if let Some(t) = self.tasks.iter_mut().find(|t| t.id == id && t.state == TaskState::Running) {
            t.state = state;
        }
        let ended = self.tasks.iter().filter(|t| t.state != TaskState::Running).count();
        for _ in ENDED..ended {
            if let Some(at) = self.tasks.iter().position(|t| t.state != TaskState::Running) {
                self.tasks.remove(at);
            }
        }
    }

    /// Writes to the log of a bot, if it is loaded (and in its life `life`, if one is given).
    pub(crate) fn write(&mut self, uuid: &str, life: Option<u64>, level: &str, text: &str, at_ms: i64) {
        self.write_more(uuid, life, level, text, at_ms, (String::new(), Value::Null));
    }

    /// The same, with the conversation that the line is of and what its metadata say.
    pub(crate) fn write_more(&mut self, uuid: &str, life: Option<u64>, level: &str, text: &str, at_ms: i64, (session, about): (String, Value)) {
        let Some(rt) = self.bot_mut(uuid).and_then(|b| b.runtime.as_mut()) else { return };
        if life.is_some_and(|l| l != rt.life) {
            return;
        }
        const MARK: &str = "\n[log truncated]";
        let text = if text.chars().count() > LINE { text.chars().take(LINE - MARK.len()).chain(MARK.chars()).collect() } else { text.to_owned() };
        rt.lines.push_back(LogLine { seq: rt.next, level: level.to_owned(), text, at_s: at_ms.div_euclid(1000), session, about });
        rt.next += 1;
        if rt.lines.len() > LINES {
            rt.lines.drain(..LINES_GO);
        }
    }

    /// The two bindings of a new bot (`_build_default_event_bindings`).
    pub(crate) fn bindings(&mut self) -> Value {
        self.pipelines = 1;
        let (private, group) = (self.chance.uuid(), self.chance.uuid());
        let one = |id: String, order: u32, description: &str, filters: Value| {
            json!({
                "id": id, "event_pattern": "message.received", "target_type": "pipeline", "target_uuid": self.pipeline, "filters": filters,
                "priority": 0, "enabled": true, "description": description, "order": order,
            })
        };
        let is = |field: &str, value: Value| json!({ "field": field, "operator": "eq", "value": value });
        json!([
            one(private, 0, "Private chat: respond directly", json!([is("chat_type", "person".into())])),
            one(
                group,
                1,
                "Group chat: respond only when the bot is @mentioned",
                json!([is("chat_type", "group".into()), is("is_at_bot", true.into())])
            ),
        ])
    }
}
