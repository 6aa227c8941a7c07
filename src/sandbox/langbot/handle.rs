//! What a test or the control API may do with a running server.

use super::{
    BotSpec, FarSide, LangBot, LogLine, NoScan, Scan, SessionRow,
    state::{Bot, MOST_BOTS},
};
use crate::{domain::Secret, sandbox::fault::Fault};
use std::sync::Arc;
use tokio::sync::broadcast;

/// A bot, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotRow {
    /// Its id.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// What the database says.
    pub enable: bool,
    /// True while a runtime of it is in memory.
    pub loaded: bool,
    /// How often it was loaded: a restart adds one.
    pub loads: u64,
    /// How many tokens it fetched since the sandbox started.
    pub fetches: u64,
}

impl LangBot {
    /// Puts bots there as if they had been there when the process started; ids in the order given.
    pub fn seed(&self, specs: &[BotSpec]) -> Vec<String> {
        let now = self.inner.now_ms();
        let mut ids = Vec::new();
        for s in specs {
            let mut state = self.inner.lock();
            if state.bots.len() >= MOST_BOTS {
                break;
            }
            let (uuid, bindings) = (state.chance.uuid(), state.bindings());
            let created_ms = now - 86_400_000;
            state.bots.push(Bot {
                uuid: uuid.clone(),
                name: s.name.clone(),
                description: s.description.clone(),
                adapter: s.adapter.clone(),
                config: s.config.clone(),
                enable: s.enable,
                bindings,
                created_ms,
                updated_ms: created_ms,
                far: s.far,
                runtime: None,
                loads: 0,
                fetches: 0,
            });
            drop(state);
            // A bot that does not load says so in the server's own log only.
            if s.enable && self.inner.load(&uuid).is_ok() {
                for l in &s.log {
                    self.inner.lock().write(&uuid, None, &l.level, &l.text, now - i64::from(l.age_s) * 1000);
                }
                self.inner.run(&uuid);
            }
            ids.push(uuid);
        }
        ids
    }

    /// Bots whose `api_base_url` is `@NAME` get the address of the sandbox's server of that name, below `/cgi-bin`.
    pub(crate) fn tie(&self, urls: &[(String, String)]) {
        for b in &mut self.inner.lock().bots {
            let Some(base) = b.config.get_mut("api_base_url") else { continue };
            let to = base.as_str().and_then(|t| t.strip_prefix('@')).and_then(|name| urls.iter().find(|(n, _)| n == name));
            if let Some((_, url)) = to {
                // The address of a token platform names that path already.
                let url = url.trim_end_matches('/').trim_end_matches("/cgi-bin");
                *base = format!("{url}/cgi-bin").into();
            }
        }
    }

    /// Every bot, in the order of the list.
    pub fn bots(&self) -> Vec<BotRow> {
        let row = |b: &Bot| BotRow {
            uuid: b.uuid.clone(),
            name: b.name.clone(),
            enable: b.enable,
            loaded: b.runtime.is_some(),
            loads: b.loads,
            fetches: b.fetches,
        };
        self.inner.lock().bots.iter().map(row).collect()
    }

    /// The bot of that id, or of that name.
    pub fn bot(&self, name: &str) -> Option<BotRow> {
        let all = self.bots();
        all.iter().find(|b| b.uuid == name).or_else(|| all.iter().find(|b| b.name == name)).cloned()
    }

    /// The lines in the log of a bot, by id or name; none for a bot that is not loaded.
    pub fn log(&self, bot: &str) -> Vec<LogLine> {
        let Some(b) = self.bot(bot) else { return Vec::new() };
        let state = self.inner.lock();
        state.bot(&b.uuid).and_then(|b| b.runtime.as_ref()).map(|r| r.lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// The logs of all bots for the control API.
    pub(crate) fn log_lines(&self) -> Vec<serde_json::Value> {
        let row = |b: &BotRow, l: LogLine| {
            let (name, bot) = (self.name(), &b.name);
            serde_json::json!({ "gateway": name, "bot": bot, "seq": l.seq, "level": l.level, "line": l.text, "at_s": l.at_s })
        };
        self.bots().iter().flat_map(|b| self.log(&b.uuid).into_iter().map(move |l| row(b, l)).collect::<Vec<_>>()).collect()
    }

    /// Writes a line to the log of a loaded bot; false when there is none.
    pub fn write_log(&self, bot: &str, level: &str, text: &str) -> bool {
        let Some(b) = self.bot(bot).filter(|b| b.loaded) else { return false };
        let now = self.inner.now_ms();
        self.inner.lock().write(&b.uuid, None, level, text, now);
        true
    }

    /// A message from `user` comes to a loaded bot and goes to its pipeline: the six lines that it leaves (recording 48). False when the
    /// bot is not loaded.
    pub fn hears(&self, bot: &str, user: &str, text: &str) -> bool {
        let Some(b) = self.bot(bot).filter(|b| b.loaded) else { return false };
        let now = self.inner.now_ms();
        let mut state = self.inner.lock();
        let (route, pipeline) = (state.chance.uuid(), state.pipeline.clone());
        let none = || (String::new(), serde_json::Value::Null);
        let unkept = "Failed to persist monitoring ingress: TenantUnitOfWork does not allow an unknown ON CONFLICT update shape";
        let event = serde_json::json!({
            "adapter": "wecom", "bot_uuid": b.uuid, "event_type": "message.received", "kind": "adapter_event_received",
            "event_data": { "chat_id": user, "chat_type": "private", "message_chain": [{ "text": text, "type": "Plain" }], "type": "message.received" },
        });
        let routed = |status: &str, reason: &str| {
            serde_json::json!({
                "binding_id": route, "event_pattern": "message.received", "event_type": "message.received", "failure_code": null,
                "kind": "event_route_trace", "reason": reason, "run_id": null, "status": status, "target_type": "pipeline", "target_uuid": pipeline,
            })
        };
        let matched = format!("Event message.received matched route {route}");
        let delivered = format!("Event message.received delivered to Pipeline {pipeline}");
        let lines = [
            ("info", "Platform adapter received message.received", (String::new(), event)),
            ("warning", unkept, none()),
            ("info", matched.as_str(), (String::new(), routed("matched", &matched))),
            ("info", text, (format!("person_{user}"), serde_json::Value::Null)),
            ("info", delivered.as_str(), (String::new(), routed("delivered", &delivered))),
            ("warning", unkept, none()),
        ];
        for (level, text, more) in lines {
            state.write_more(&b.uuid, None, level, text, now, more);
        }
        true
    }

    /// Changes what is on the other side of a bot; false when there is no such bot.
    pub fn far_side(&self, bot: &str, far: FarSide) -> bool {
        let Some(b) = self.bot(bot) else { return false };
        if let Some(b) = self.inner.lock().bot_mut(&b.uuid) {
            b.far = far;
        }
        true
    }

    /// QR sessions that were neither read nor ended.
    pub fn sessions(&self) -> Vec<SessionRow> {
        self.inner.qr_rows()
    }

    /// Somebody scans the newest code that `fits`. Returns the session's id.
    ///
    /// # Errors
    /// [`NoScan`].
    pub fn scan(&self, fits: impl Fn(&SessionRow) -> bool, how: Scan) -> Result<String, NoScan> {
        self.inner.qr_scan(fits, how)
    }

    /// A JWT as a login would give it.
    pub fn made_jwt(&self) -> Secret {
        Secret::new(self.inner.new_jwt())
    }

    /// Whether the instance has an owner.
    pub fn claimed(&self) -> bool {
        self.inner.knobs().owner.is_some()
    }

    /// The far sides of the QR flows can be reached, or not.
    pub fn offline(&self, off: bool) {
        self.inner.knobs().offline = off;
    }

    /// The next `count` requests fail like this; with `path` only those whose path begins so.
    pub fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        self.inner.knobs().faults.push(fault, count, path.map(str::to_owned));
    }

    /// No more faults.
    pub fn heal(&self) {
        self.inner.knobs().faults.clear();
    }

    /// The process dies and starts again: bots, keys and JWTs stay; logs, tokens, tasks and QR sessions do not.
    pub fn restart_server(&self) {
        let ids: Vec<String> = self.inner.lock().bots.iter().map(|b| b.uuid.clone()).collect();
        for id in ids {
            self.inner.remove(&id);
        }
        let now = self.inner.now_ms();
        {
            let mut state = self.inner.lock();
            state.qrs.clear();
            state.tasks.clear();
            state.next_task = 10;
            state.start_task(false, "platform-adapter", "platform-adapter-WebSocketAdapter".to_owned(), String::new(), now);
            state.next_task = 12;
        }
        self.inner.run_all();
    }

    /// What happens inside from now on, as JSON documents.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}
