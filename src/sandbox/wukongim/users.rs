//! `/user/*` and `/channel/info`: `internal/api/user.go` of v2.2.5.

use super::{
    Inner, Version,
    bind::{CHANNEL, QUIT, TOKEN, UIDS, bind, texts},
    reply::Reply,
    session::special,
    state::{Channel, Device, MOST_USERS, User},
};
use crate::sandbox::json::{Json, map};
use std::sync::Arc;
use tokio::time::Instant;

impl Inner {
    /// `POST /user/token`.
    pub(crate) fn user_token(self: &Arc<Self>, body: &[u8]) -> Reply {
        let given = match bind(body, &TOKEN) {
            Ok(b) => b,
            Err(e) => return Reply::error(e),
        };
        let number = |name: &str| u8::try_from(given.int(name)).unwrap_or(0);
        match self.issue(given.text("uid"), given.text("token"), number("device_flag"), number("device_level")) {
            Ok(()) => Reply::ok(),
            Err(r) => r,
        }
    }

    /// Creates user and row, or overwrites token and level. Level 1 in the request kicks whoever is on the flag, even with
    /// the same token; level 0 kicks nobody (trace K, L, M).
    ///
    /// # Errors
    /// The refusing answer; a banned user is refused with 200 and status 19.
    pub(crate) fn issue(self: &Arc<Self>, uid: &str, token: &str, flag: u8, level: u8) -> Result<(), Reply> {
        if uid.is_empty() {
            return Err(Reply::error("uid不能为空！"));
        }
        if token.is_empty() {
            return Err(Reply::error("token不能为空！"));
        }
        if special(uid) {
            return Err(Reply::error("uid不能包含特殊字符！"));
        }
        if uid == "____system" {
            return Err(Reply::error("系统账号不允许更新token！"));
        }
        if self.lock().channel(uid).ban {
            return Err(Reply::json(200, &map! { "status" => 19u32 }));
        }
        self.put_device(uid, flag, token, level)?;
        if level == 1 {
            let olds = self.lock().conns_on(uid, flag);
            for old in olds {
                self.kick(old, "账号在其他设备上登录", self.settings.timing.token_grace);
            }
        }
        Ok(())
    }

    fn put_device(&self, uid: &str, flag: u8, token: &str, level: u8) -> Result<(), Reply> {
        let now = self.now_ms();
        let mut state = self.lock();
        if state.users.len() >= MOST_USERS && !state.users.contains_key(uid) {
            return Err(Reply::error("the sandbox is full"));
        }
        let ns = state.instant_ns(now);
        state.users.entry(uid.to_owned()).or_insert(User { created_ns: ns, updated_ns: ns + 80 });
        let stale = Some(Instant::now() + self.settings.timing.cache);
        if let Some(d) = state.device_mut(uid, flag) {
            token.clone_into(&mut d.token);
            d.level = level;
            d.updated_ns = ns;
            d.stale_until = stale;
            return Ok(());
        }
        let id = state.snowflake(now, self.settings.node_id);
        let row = Device { id, token: token.to_owned(), level, created_ns: ns, updated_ns: ns, stale_until: None };
        state.devices.entry(uid.to_owned()).or_default().insert(flag, row);
        Ok(())
    }

    /// `POST /user/device_quit`: 200 whatever happened.
    pub(crate) fn device_quit(self: &Arc<Self>, body: &[u8]) -> Reply {
        let given = match bind(body, &QUIT) {
            Ok(b) => b,
            Err(e) => return Reply::error(e),
        };
        let uid = given.text("uid").to_owned();
        if uid.is_empty() {
            return Reply::panic();
        }
        let missing = self.quit(&uid, given.int("device_flag"));
        // v3 reports what v2 swallows.
        if missing && self.settings.version == Version::V3 { Reply::error("设备信息不存在！") } else { Reply::ok() }
    }

    /// Clears tokens, sets level 1 and kicks. -1 is flags 0, 1 and 2; other numbers are cut to eight bits (trace O, P). True
    /// when a row was missing.
    pub(crate) fn quit(self: &Arc<Self>, uid: &str, flag: i64) -> bool {
        let flags: Vec<u8> = if flag == -1 { vec![0, 1, 2] } else { vec![(flag & 0xff) as u8] };
        let mut missing = false;
        for flag in flags {
            let now = self.now_ms();
            let mut state = self.lock();
            if state.device(uid, flag).is_none() {
                if self.settings.version == Version::V1 {
                    // v1 writes an empty row.
                    drop(state);
                    let _ = self.put_device(uid, flag, "", 1);
                } else {
                    // Sessions without a row are not kicked either (trace AG).
                    missing = true;
                    continue;
                }
                state = self.lock();
            }
            let ns = state.instant_ns(now);
            let stale = Some(Instant::now() + self.settings.timing.cache);
            if let Some(d) = state.device_mut(uid, flag) {
                d.token.clear();
                d.level = 1;
                d.updated_ns = ns;
                d.stale_until = stale;
            }
            let olds = state.conns_on(uid, flag);
            drop(state);
            for old in olds {
                self.kick(old, "", self.settings.timing.quit_grace);
            }
        }
        missing
    }

    /// `POST /user/onlinestatus`: one entry per connection, kicked ones included until their grace is over.
    pub(crate) fn online_status(&self, body: &[u8]) -> Reply {
        let uids = match texts(body) {
            Ok(l) => l,
            // gin's own BindJSON reads from a stream, where nothing at all is EOF.
            Err(_) if body.iter().all(u8::is_ascii_whitespace) => return Reply::plain_error("EOF"),
            Err(e) => return Reply::plain_error(e),
        };
        if uids.is_empty() {
            return Reply::ok();
        }
        {
            let mut knobs = self.knobs();
            if knobs.peer_down > 0 {
                knobs.peer_down -= 1;
                return Reply::error("Post \"http://10.0.0.2:5001/user/onlinestatus\": dial tcp 10.0.0.2:5001: connect: connection refused");
            }
        }
        let state = self.lock();
        let mut out = Vec::new();
        for uid in &uids {
            for id in state.conns_of(uid) {
                if let Some(c) = state.conns.get(&id) {
                    out.push(map! { "uid" => uid, "device_flag" => u32::from(c.flag), "online" => 1u32 });
                }
            }
        }
        drop(state);
        Reply::json(200, &Json::List(out))
    }

    /// `POST /user/systemuids_add` and `_remove`.
    pub(crate) fn system_uids(&self, body: &[u8], add: bool, to_cache: bool) -> Reply {
        let given = match bind(body, &UIDS) {
            Ok(b) => b,
            Err(e) if to_cache => return Reply::plain_error(e),
            Err(e) => return Reply::error(e),
        };
        let mut state = self.lock();
        for uid in given.texts("uids") {
            state.system.retain(|u| *u != uid);
            if add && state.system.len() < MOST_USERS {
                state.system.push(uid);
            }
        }
        Reply::ok()
    }

    /// `GET /user/systemuids`: `null` when there are none.
    pub(crate) fn system_list(&self) -> Reply {
        let all = self.lock().system.clone();
        Reply::json(200, &if all.is_empty() { Json::Null } else { Json::List(all.into_iter().map(Json::Text).collect()) })
    }

    /// `POST /channel/info`: both bans are overwritten, whichever was named.
    pub(crate) fn channel_info(&self, body: &[u8]) -> Reply {
        let Ok(given) = bind(body, &CHANNEL) else { return Reply::error("数据格式有误！") };
        if given.int("channel_type") == 1 && !given.text("channel_id").is_empty() {
            let mut state = self.lock();
            if state.channels.len() < MOST_USERS {
                let channel = Channel { ban: given.int("ban") == 1, send_ban: given.int("send_ban") == 1 };
                state.channels.insert(given.text("channel_id").to_owned(), channel);
            }
        }
        Reply::ok()
    }
}
