//! The v3 beta (main, b249d3a): no authentication on the API port, no token check, other calls on the manager port.

use super::{
    Inner,
    misc::{int, rfc3339_s},
    reply::Reply,
    state::{Conn, slot},
};
use crate::sandbox::{
    evolution::decode,
    json::{Json, map},
};
use axum::http::request::Parts;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::sync::Arc;

impl Inner {
    /// The API port.
    pub(crate) fn v3_api(self: &Arc<Self>, method: &str, path: &str, body: &[u8]) -> Reply {
        match (method, path) {
            ("OPTIONS", _) => Reply::empty(204),
            ("GET", "/healthz") => Reply::json(200, &map! { "status" => "ok" }),
            ("GET", "/readyz") => Reply::json(200, &map! { "ready" => true }),
            ("POST", "/user/token") => self.user_token(body),
            ("POST", "/user/device_quit") => self.device_quit(body),
            ("POST", "/user/onlinestatus") => self.online_status(body),
            ("GET", "/user/systemuids") => self.system_list(),
            _ => Reply::not_found(),
        }
    }

    /// The manager port.
    pub(crate) fn v3_manager(
        self: &Arc<Self>,
        method: &str,
        path: &str,
        parts: &Parts,
        body: &[u8],
        query: &dyn Fn(&str) -> Option<String>,
    ) -> Reply {
        match (method, path) {
            ("OPTIONS", _) => return Reply::empty(204),
            ("POST", "/manager/login") => return self.login_manager(body),
            _ => {}
        }
        if !path.starts_with("/manager/") {
            return Reply::not_found();
        }
        if let Err(no) = self.manager_guard(&parts.headers, None) {
            return no;
        }
        let names: Vec<&str> = path.trim_start_matches("/manager/").split('/').collect();
        match (method, names.as_slice()) {
            ("GET", ["connections"]) => {
                let limit = usize::try_from(int(query("limit"))).ok().filter(|n| *n > 0).unwrap_or(100).min(100);
                let state = self.lock();
                let rows: Vec<_> = state.conns.iter().take(limit).map(|(id, c)| connection(*id, c, true)).collect();
                Reply::json(200, &map! { "total" => state.conns.len() as i64, "items" => Json::List(rows) })
            }
            ("GET", ["connections", id]) => {
                let state = self.lock();
                let found = id.parse().ok().and_then(|id: u64| Some((id, state.conns.get(&id)?)));
                found.map_or_else(|| Reply::v3_error(404, "not_found", "connection not found"), |(id, c)| Reply::json(200, &connection(id, c, true)))
            }
            ("GET", ["users"]) => self.v3_users(query),
            ("GET", ["users", uid]) => self.v3_user(&decode(uid).unwrap_or_default()),
            ("POST", ["users", uid, "kick"]) => self.v3_kick(&decode(uid).unwrap_or_default(), body),
            ("POST", ["users", uid, "token", "reset"]) => self.v3_reset(&decode(uid).unwrap_or_default(), body),
            _ => Reply::not_found(),
        }
    }

    fn v3_users(&self, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        let limit = usize::try_from(int(query("limit"))).ok().filter(|n| *n > 0).unwrap_or(50).min(200);
        let (after, keyword) = (query("cursor").unwrap_or_default(), query("keyword").unwrap_or_default());
        let state = self.lock();
        let mut uids: Vec<&String> = state.users.keys().filter(|u| **u > after && u.contains(&keyword)).collect();
        uids.sort();
        let more = uids.len() > limit;
        uids.truncate(limit);
        let next = uids.last().map(|u| (*u).clone());
        let rows: Vec<Json> = uids
            .into_iter()
            .map(|uid| {
                let flags: Vec<Json> = [0u8, 1, 2, 99].iter().filter(|f| !state.conns_on(uid, **f).is_empty()).map(|f| name(*f).into()).collect();
                let rows = state.devices.get(uid);
                let known =
                    |token: bool| rows.map_or(0, |r| r.iter().filter(|(f, d)| name(**f) != "unknown" && (!token || !d.token.is_empty())).count());
                map! {
                    "uid" => uid, "slot_id" => 1 + slot(uid) % 10, "hash_slot" => slot(uid), "online" => !state.conns_of(uid).is_empty(),
                    "online_device_count" => flags.len() as i64, "online_device_flags" => Json::List(flags),
                    "device_count" => known(false) as i64, "token_set_count" => known(true) as i64,
                }
            })
            .collect();
        let mut body = vec![("items".to_owned(), Json::List(rows)), ("has_more".to_owned(), more.into())];
        if let (true, Some(next)) = (more, next) {
            body.push(("next_cursor".to_owned(), next.into()));
        }
        Reply::json(200, &Json::Map(body))
    }

    fn v3_user(&self, uid: &str) -> Reply {
        let state = self.lock();
        if !state.users.contains_key(uid) && state.conns_of(uid).is_empty() {
            return Reply::v3_error(404, "not_found", "user not found");
        }
        let device = |f: u8| {
            let d = state.device(uid, f)?;
            let on = state.conns_on(uid, f).len();
            let level = if d.level == 1 { "master" } else { "slave" };
            Some(
                map! { "device_flag" => name(f), "device_level" => level, "token_set" => !d.token.is_empty(), "online" => on > 0, "online_session_count" => on as i64 },
            )
        };
        let devices = [0u8, 1, 2, 99].into_iter().filter_map(device).collect();
        let conns = state.conns_of(uid).into_iter().filter_map(|id| Some(connection(id, state.conns.get(&id)?, false))).collect();
        let body = map! {
            "uid" => uid, "slot_id" => 1 + slot(uid) % 10, "hash_slot" => slot(uid), "online" => !state.conns_of(uid).is_empty(),
            "devices" => Json::List(devices), "connections" => Json::List(conns),
        };
        Reply::json(200, &body)
    }

    /// Clears tokens and closes sockets; a custom flag cannot be named (recording mgr_kick_flag4).
    fn v3_kick(self: &Arc<Self>, uid: &str, body: &[u8]) -> Reply {
        let given: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let word = given.get("device_flag").and_then(Value::as_str).unwrap_or("app");
        let flags: &[i64] = match word {
            "all" => &[0, 1, 2],
            "app" => &[0],
            "web" => &[1],
            "pc" => &[2],
            _ => return Reply::v3_error(400, "bad_request", "invalid device_flag"),
        };
        for flag in flags {
            let kept = self.lock().device(uid, *flag as u8).map(|d| d.level);
            self.quit(uid, *flag);
            // The level stays (recording mgr_user_after_kick).
            if let (Some(level), Some(d)) = (kept, self.lock().device_mut(uid, *flag as u8)) {
                d.level = level;
            }
        }
        Reply::json(200, &map! { "uid" => uid, "device_flag" => word, "changed" => true })
    }

    /// A new token, made by the server; what is missing means app and master.
    fn v3_reset(self: &Arc<Self>, uid: &str, body: &[u8]) -> Reply {
        let given: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text = |k: &str, other: &'static str| given.get(k).and_then(Value::as_str).unwrap_or(other).to_owned();
        let (flag, level) = (text("device_flag", "app"), text("device_level", "master"));
        let number = match flag.as_str() {
            "app" => 0,
            "web" => 1,
            "pc" => 2,
            _ => return Reply::v3_error(400, "bad_request", "invalid device_flag"),
        };
        let master = match level.as_str() {
            "master" => 1,
            "slave" => 0,
            _ => return Reply::v3_error(400, "bad_request", "invalid device_level"),
        };
        let made: Vec<u8> = (0..4).flat_map(|_| self.lock().chance.next().to_le_bytes()).collect();
        let token = given.get("token").and_then(Value::as_str).filter(|t| !t.is_empty()).map_or_else(|| URL_SAFE_NO_PAD.encode(made), str::to_owned);
        if let Err(no) = self.issue(uid, &token, number, master) {
            return no;
        }
        Reply::json(200, &map! { "uid" => uid, "device_flag" => flag, "device_level" => level, "token" => token })
    }
}

fn name(flag: u8) -> &'static str {
    match flag {
        0 => "app",
        1 => "web",
        2 => "pc",
        99 => "system",
        _ => "unknown",
    }
}

/// A connection; within a user most of it is left empty (recording mgr_user).
fn connection(id: u64, c: &Conn, whole: bool) -> Json {
    let text = |t: String| if whole { t } else { String::new() };
    map! {
        "node_id" => 1u32, "session_id" => id as i64, "uid" => &c.uid, "device_id" => &c.device_id, "device_flag" => name(c.flag),
        "device_level" => if c.level == 1 { "master" } else { "slave" }, "slot_id" => if whole { 1 + slot(&c.uid) % 10 } else { 0 },
        "state" => if whole { "active" } else { "" }, "listener" => "tcp-wkproto",
        "connected_at" => if whole { rfc3339_s(c.up_ms) } else { "0001-01-01T00:00:00Z".to_owned() },
        "remote_addr" => text(format!("{}:{}", c.ip, c.port)), "local_addr" => text("127.0.0.1:5100".to_owned()),
    }
}
