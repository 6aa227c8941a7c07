//! What the control API can do with servers of this kind: `/scan`, `/bot`, `/sessions`, `/log`, `/restart`.

use super::{FarSide, Flow, LangBot, NoScan, Scan, SessionRow};
use serde_json::{Value, json};

/// Answers a call that is about LangBot; `None` for one that is not. `servers` are the ones that `gateway` chose, or all.
pub(crate) fn act(servers: &[LangBot], method: &str, path: &str, given: &Value) -> Option<(u16, Value)> {
    if servers.is_empty() {
        return None;
    }
    let text = |k: &str| given.get(k).and_then(Value::as_str);
    let error = |status: u16, why: &str| Some((status, json!({ "v": 1, "ok": false, "error": why })));
    let done = || Some((200, json!({ "v": 1, "ok": true })));
    match (method, path) {
        // `account` belongs to the kinds that pair accounts.
        ("POST", "/scan") if text("account").is_none() => {
            let (session, payload) = (text("session"), text("payload"));
            let flow = match text("flow") {
                None => None,
                Some(name) => match Flow::named(name) {
                    Some(f) => Some(f),
                    None => return error(400, "flow is weixin, lark, dingtalk, wecombot or qqofficial"),
                },
            };
            let how = match text("how").unwrap_or("agrees") {
                "agrees" => Scan::Agrees,
                "declines" => Scan::Declines,
                _ => return error(400, "how is agrees or declines"),
            };
            let fits =
                |r: &SessionRow| session.is_none_or(|s| r.id == s) && payload.is_none_or(|p| r.payload == p) && flow.is_none_or(|f| r.flow == f);
            let mut why = NoScan::Nothing;
            for s in servers {
                match s.scan(fits, how) {
                    Ok(id) => return Some((200, json!({ "v": 1, "ok": true, "session": id }))),
                    Err(NoScan::Nothing) => {}
                    Err(e) => why = e,
                }
            }
            error(if why == NoScan::Nothing { 404 } else { 409 }, &why.to_string())
        }
        ("GET", "/sessions") => {
            let row = |s: &LangBot, r: SessionRow| {
                json!({
                    "gateway": s.name(), "session": r.id, "flow": r.flow.path().0, "status": r.status, "payload": r.payload,
                    "expire_at": r.expire_at,
                })
            };
            let all: Vec<Value> = servers.iter().flat_map(|s| s.sessions().into_iter().map(move |r| row(s, r))).collect();
            Some((200, all.into()))
        }
        // What is on the other side of a bot, or a line of its log.
        ("POST", "/bot") => {
            let Some(name) = text("bot") else { return error(400, "bot is missing") };
            let Some(server) = servers.iter().find(|s| s.bot(name).is_some()) else { return error(404, "no such bot here") };
            if let Some(far) = given.get("far") {
                let Ok(far) = serde_json::from_value::<FarSide>(far.clone()) else {
                    return error(400, "far is good, bad_secret, expired, ip_not_trusted or unreachable");
                };
                server.far_side(name, far);
            }
            if let Some(line) = text("log")
                && !server.write_log(name, text("level").unwrap_or("error"), line)
            {
                return error(409, "this bot is not loaded");
            }
            done()
        }
        ("GET", "/bots") => {
            let row = |s: &LangBot, b: super::BotRow| {
                json!({
                    "gateway": s.name(), "bot": b.uuid, "name": b.name, "enable": b.enable, "loaded": b.loaded, "loads": b.loads,
                    "fetches": b.fetches,
                })
            };
            let all: Vec<Value> = servers.iter().flat_map(|s| s.bots().into_iter().map(move |b| row(s, b))).collect();
            Some((200, all.into()))
        }
        ("POST", "/restart") => {
            servers.iter().for_each(LangBot::restart_server);
            done()
        }
        _ => None,
    }
}
