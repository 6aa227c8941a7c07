//! Frames: what a client asks, what the server says.

use super::{Held, Inner, Refusal, State, Subscriber};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Bots whose tallies are kept although nobody made them.
const STRANGERS: usize = 1000;

/// What a connection is to send.
#[derive(Debug)]
pub(crate) enum Out {
    /// A frame.
    Frame(String),
    /// A frame, and then the end.
    Last(String),
    /// The end, without a close frame (1006).
    Close,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) number: u64,
    pub(crate) from: String,
    pub(crate) out: mpsc::Sender<Out>,
    /// The bot that it holds or held.
    pub(crate) bot: Option<String>,
}

fn ack(req_id: &Value, code: i64, text: &str) -> String {
    json!({ "headers": { "req_id": req_id }, "errcode": code, "errmsg": text }).to_string()
}

impl Inner {
    /// Answers one frame; `None` for silence.
    pub(crate) fn answer(&self, peer: &mut Peer, text: &str) -> Option<String> {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            self.note("FRAME", "/unreadable", 0);
            return None;
        };
        let (cmd, id) = (frame["cmd"].as_str().unwrap_or_default(), &frame["headers"]["req_id"]);
        let (code, text) = match cmd {
            "aibot_subscribe" => {
                let body = &frame["body"];
                let (bot, secret) = (body["bot_id"].as_str().unwrap_or_default(), body["secret"].as_str().unwrap_or_default());
                match self.subscribe(peer, bot, secret) {
                    Ok(()) => (0, "ok"),
                    Err(why) => why.words(),
                }
            }
            "ping" => {
                let mut state = self.lock();
                if let Some(h) = peer.bot.as_ref().and_then(|b| state.held.get_mut(b)).filter(|h| h.who.connection == peer.number) {
                    h.who.pings += 1;
                }
                if state.deaf {
                    drop(state);
                    self.note("FRAME", "/ping", 0);
                    return None;
                }
                (0, "ok")
            }
            // Whoever holds no bot may not speak for one. The number is the sandbox's own.
            "aibot_respond_msg" | "aibot_respond_welcome_msg" | "aibot_respond_update_msg" | "aibot_send_msg" => {
                if self.holds(peer) {
                    (0, "ok")
                } else {
                    (40001, "not subscribed")
                }
            }
            _ => (40058, "unknown cmd"),
        };
        let known = matches!(cmd, "aibot_subscribe" | "ping") || cmd.starts_with("aibot_respond") || cmd == "aibot_send_msg";
        self.note("FRAME", &if known { format!("/{cmd}") } else { "/unknown".to_owned() }, if code == 0 { 200 } else { 400 });
        Some(ack(id, code, text))
    }

    fn holds(&self, peer: &Peer) -> bool {
        let state = self.lock();
        peer.bot.as_ref().and_then(|b| state.held.get(b)).is_some_and(|h| h.who.connection == peer.number)
    }

    fn subscribe(&self, peer: &mut Peer, bot: &str, secret: &str) -> Result<(), Refusal> {
        let judged = match self.lock().secrets.get(bot) {
            None => Err(Refusal::NoBot),
            Some(s) if s != secret => Err(Refusal::BadSecret),
            Some(_) => Ok(()),
        };
        if let Err(why) = judged {
            tally(&mut self.lock(), bot, |t| t.refused += 1);
            self.tell(&json!({ "event": "refused", "bot": bot, "errcode": why.words().0, "connection": peer.number }));
            return Err(why);
        }
        self.kick(bot, Some(peer.number));
        let since_ms = self.clock.now_ms();
        let who = Subscriber { bot: bot.to_owned(), connection: peer.number, from: peer.from.clone(), since_ms, pings: 0 };
        let mut state = self.lock();
        // A connection that changes its bot lets the former one go.
        if let Some(former) = peer.bot.replace(bot.to_owned()).filter(|f| f != bot)
            && state.held.get(&former).is_some_and(|h| h.who.connection == peer.number)
        {
            state.held.remove(&former);
        }
        state.held.insert(bot.to_owned(), Held { who, out: peer.out.clone() });
        tally(&mut state, bot, |t| t.subscribed += 1);
        drop(state);
        self.tell(&json!({ "event": "subscribed", "bot": bot, "connection": peer.number }));
        Ok(())
    }

    /// Throws the subscriber of a bot out, unless it is connection `except`. It hears `disconnected_event`, then the line ends.
    pub(crate) fn kick(&self, bot: &str, except: Option<u64>) -> bool {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        if state.held.get(bot).is_none_or(|h| Some(h.who.connection) == except) {
            return false;
        }
        let (msgid, req_id) = (state.chance.uuid(), state.chance.uuid());
        let Some(h) = state.held.remove(bot) else { return false };
        tally(&mut state, bot, |t| t.kicked += 1);
        drop(state);
        let frame = json!({
            "cmd": "aibot_event_callback", "headers": { "req_id": req_id },
            "body": {
                "msgid": msgid, "create_time": now.div_euclid(1000), "aibotid": bot, "msgtype": "event",
                "event": { "eventtype": "disconnected_event" },
            },
        });
        // A client that does not read has no room left: its line just ends.
        if h.out.try_send(Out::Last(frame.to_string())).is_err() {
            let _ = h.out.try_send(Out::Close);
        }
        self.tell(&json!({ "event": "kicked", "bot": bot, "connection": h.who.connection }));
        true
    }

    /// A person's message, pushed to whoever holds the bot.
    pub(crate) fn message(&self, bot: &str, from: &str, text: &str) -> bool {
        let mut state = self.lock();
        let (msgid, req_id) = (state.chance.uuid(), state.chance.uuid());
        let frame = json!({
            "cmd": "aibot_msg_callback", "headers": { "req_id": req_id },
            "body": {
                "msgid": msgid, "aibotid": bot, "chattype": "single", "from": { "userid": from }, "msgtype": "text",
                "text": { "content": text },
            },
        });
        state.held.get(bot).is_some_and(|h| h.out.try_send(Out::Frame(frame.to_string())).is_ok())
    }

    /// A connection has ended.
    pub(crate) fn ended(&self, peer: &Peer) {
        let mut state = self.lock();
        state.connections = state.connections.saturating_sub(1);
        let Some(bot) = &peer.bot else { return };
        if state.held.get(bot).is_some_and(|h| h.who.connection == peer.number) {
            state.held.remove(bot);
            drop(state);
            self.tell(&json!({ "event": "ended", "bot": bot, "connection": peer.number }));
        }
    }
}

fn tally(state: &mut State, bot: &str, change: impl FnOnce(&mut super::Tally)) {
    if state.tallies.len() < STRANGERS || state.tallies.contains_key(bot) || state.secrets.contains_key(bot) {
        change(state.tallies.entry(bot.to_owned()).or_default());
    }
}
