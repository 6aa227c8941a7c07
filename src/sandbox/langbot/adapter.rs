//! The runtime of a bot: loaded, run, ended (`pkg/platform/botmgr.py`). A runtime's end takes its log and its token along.

use super::{
    Inner,
    state::{Runtime, TaskState},
};
use serde_json::{Map, Value, json};
use std::{collections::VecDeque, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Adapters that are there once more as `-omni` (recording 50; of `onebot-v11` there is only the other one).
const OMNI: [&str; 10] = ["officialaccount", "discord", "lark", "telegram", "dingtalk", "wecom", "wecomcs", "slack", "qqofficial", "wecombot"];

/// An adapter's name without `-omni`: what runs is the same.
pub(crate) fn plain(adapter: &str) -> &str {
    adapter.strip_suffix("-omni").filter(|a| OMNI.contains(a)).unwrap_or(adapter)
}

/// The class of an adapter, which its tasks are named after, and whether its manifest has a webhook address; `None` for an
/// adapter that the server does not have. The `-omni` ones are of the same classes (recording 50).
pub(crate) fn known(adapter: &str) -> Option<(&'static str, bool)> {
    Some(match plain(adapter) {
        "wecom" => ("WecomAdapter", true),
        "wecombot" => ("WecomBotAdapter", true),
        "wecomcs" => ("WecomCSAdapter", true),
        "officialaccount" => ("OfficialAccountAdapter", true),
        "qqofficial" => ("QQOfficialAdapter", true),
        "lark" => ("LarkAdapter", true),
        "slack" => ("SlackAdapter", true),
        "line" => ("LINEAdapter", true),
        "http_bot" => ("HttpBotAdapter", true),
        "weixin" | "openclaw_weixin" => ("OpenClawWeixinAdapter", false),
        "dingtalk" => ("DingTalkAdapter", false),
        "telegram" => ("TelegramAdapter", false),
        "discord" => ("DiscordAdapter", false),
        "aiocqhttp" => ("AiocqhttpAdapter", false),
        "kook" => ("KookAdapter", false),
        _ => return None,
    })
}

/// The account of an adapter with that configuration, or why it does not load.
fn account(adapter: &str, config: &Map<String, Value>) -> Result<String, String> {
    let text = |k: &str| config.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |missing: Vec<&str>| format!("[{}]", missing.iter().map(|k| format!("'{k}'")).collect::<Vec<_>>().join(", "));
    match plain(adapter) {
        "wecom" => {
            let missing: Vec<_> = ["corpid", "secret", "token", "EncodingAESKey"].into_iter().filter(|k| !config.contains_key(*k)).collect();
            // The account is learnt from the first message that comes in.
            if missing.is_empty() { Ok(String::new()) } else { Err(format!("Wecom 缺少配置项: {}", list(missing))) }
        }
        "wecombot" if config.get("enable-webhook").and_then(Value::as_bool) == Some(true) => {
            let missing: Vec<_> = ["Token", "EncodingAESKey", "Corpid"].into_iter().filter(|k| text(k).is_empty()).collect();
            if missing.is_empty() { Ok(text("BotId")) } else { Err(format!("WecomBot webhook mode missing config: {}", list(missing))) }
        }
        // A `KeyError`, whose text is the key's repr.
        "wecombot" => match ["BotId", "Secret"].into_iter().find(|k| !config.contains_key(*k)) {
            Some(k) => Err(format!("'{k}'")),
            None => Ok(text("BotId")),
        },
        _ => Ok(String::new()),
    }
}

impl Inner {
    /// Loads a bot: a runtime with an empty log and no token, not running yet.
    ///
    /// # Errors
    /// The text of the exception.
    pub(crate) fn load(&self, uuid: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.lives += 1;
        let life = state.lives;
        let Some(bot) = state.bot_mut(uuid) else { return Ok(()) };
        if known(&bot.adapter).is_none() {
            return Err(format!("Adapter {} not found", bot.adapter));
        }
        let account = account(&bot.adapter, &bot.config)?;
        bot.loads += 1;
        bot.runtime = Some(Runtime {
            life,
            lines: VecDeque::new(),
            next: 0,
            token: String::new(),
            account,
            task: None,
            linked: false,
            stop: CancellationToken::new(),
        });
        Ok(())
    }

    /// Runs a bot that is loaded: its task begins.
    pub(crate) fn run(self: &Arc<Self>, uuid: &str) {
        let now = self.now_ms();
        let mut state = self.lock();
        let Some(class) = state.bot(uuid).filter(|b| b.runtime.is_some()).and_then(|b| known(&b.adapter)).map(|k| k.0) else { return };
        let id = state.start_task(false, "platform-adapter", format!("platform-adapter-{class}"), String::new(), now);
        let Some(bot) = state.bot_mut(uuid) else { return };
        let socket = plain(&bot.adapter) == "wecombot" && bot.config.get("enable-webhook").and_then(Value::as_bool) != Some(true);
        let Some(rt) = bot.runtime.as_mut() else { return };
        rt.task = Some(id);
        let (life, stop) = (rt.life, rt.stop.clone());
        drop(state);
        if socket {
            let (inner, uuid) = (Arc::clone(self), uuid.to_owned());
            self.spawn_until(stop, async move { inner.link(&uuid, life).await });
        }
    }

    /// Ends what runs of a bot. Its task counts as cancelled, for ever.
    pub(crate) fn remove(&self, uuid: &str) {
        let mut state = self.lock();
        let Some(rt) = state.bot_mut(uuid).and_then(|b| b.runtime.take()) else { return };
        rt.stop.cancel();
        if let Some(id) = rt.task {
            state.end_task(id, TaskState::Cancelled);
        }
    }

    /// Loads and runs all bots that are switched on, as at the start of the process.
    pub(crate) fn run_all(self: &Arc<Self>) {
        let on: Vec<String> = self.lock().bots.iter().filter(|b| b.enable).map(|b| b.uuid.clone()).collect();
        for uuid in on {
            // A bot that does not load is in the server's own log only.
            if self.load(&uuid).is_ok() {
                self.run(&uuid);
            }
        }
    }

    /// Applies what was saved: remove, load, run.
    ///
    /// # Errors
    /// The text of the exception; what was saved stays.
    pub(crate) fn apply(self: &Arc<Self>, uuid: &str) -> Result<(), String> {
        self.remove(uuid);
        let on = self.lock().bot(uuid).is_some_and(|b| b.enable);
        if on {
            self.load(uuid)?;
            self.run(uuid);
        }
        self.tell(&json!({ "event": "bot.applied", "bot": uuid, "enable": on }));
        Ok(())
    }
}
