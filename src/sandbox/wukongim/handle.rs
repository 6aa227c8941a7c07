//! What a test or the control API may do with a running server.

use super::{
    DeviceRow, NoLogin, Session, Stored, Wukong,
    session::Hello,
    wire::{Manner, Peer},
};
use crate::{domain::Secret, sandbox::fault::Fault};
use std::sync::Arc;
use tokio::sync::broadcast;

impl Wukong {
    /// A client goes online and hangs up when it is kicked, as the official SDKs do. Returns its connection's number.
    ///
    /// # Errors
    /// [`NoLogin`]: the reason that a real v2 server writes to its log only.
    pub fn login(&self, uid: &str, flag: u8, device_id: &str, token: &str) -> Result<u64, NoLogin> {
        self.client(uid, flag, device_id, token, Manner::HangsUp)
    }

    /// A client goes online that takes a kick as `manner` says.
    ///
    /// # Errors
    /// As [`Wukong::login`].
    pub fn client(&self, uid: &str, flag: u8, device_id: &str, token: &str, manner: Manner) -> Result<u64, NoLogin> {
        let id = self.inner.lock().conn_id();
        let hello = Hello {
            uid: uid.to_owned(),
            token: token.to_owned(),
            flag,
            device_id: device_id.to_owned(),
            ip: "127.0.0.1".to_owned(),
            port: 49_152 + u16::try_from(id % 16_000).unwrap_or(0),
            version: 5,
        };
        self.inner.admit(id, &hello, Peer::Inside(manner)).map(|()| id)
    }

    /// What a business server does when somebody logs in: `/user/token`, with the body's rules and effects.
    ///
    /// # Errors
    /// The server's message.
    pub fn issue(&self, uid: &str, flag: u8, level: u8, token: &str) -> Result<(), String> {
        self.inner.issue(uid, token, flag, level).map_err(|r| r.body)?;
        self.inner.business().keep(uid, flag, token);
        Ok(())
    }

    /// The client of a connection hangs up.
    pub fn hang_up(&self, id: u64) {
        self.inner.hung_up(id);
    }

    /// Every client of `uid` (on `flag`, if one is given) hangs up. Returns how many did.
    pub fn unlink(&self, uid: &str, flag: Option<u8>) -> usize {
        let ids = self.inner.lock().conns_of(uid);
        let ids: Vec<u64> = ids.into_iter().filter(|id| flag.is_none_or(|f| self.inner.lock().conns.get(id).is_some_and(|c| c.flag == f))).collect();
        ids.iter().for_each(|id| self.inner.hung_up(*id));
        ids.len()
    }

    /// Somebody calls `/user/device_quit`; -1 is flags 0, 1 and 2.
    pub fn quit(&self, uid: &str, flag: i64) {
        self.inner.quit(uid, flag);
    }

    /// The client of a connection, kicked or not, sends a message. `None` is silence; else `reasonCode` (1 is success).
    pub fn send(&self, id: u64, from: &str, to: &str, client_msg_no: &str) -> Option<u8> {
        self.inner.message(id, from, to, client_msg_no, "eyJ0eXBlIjoxfQ==").map(|a| a.2)
    }

    /// Messages that the server stored, oldest first.
    pub fn messages(&self) -> Vec<Stored> {
        self.inner.lock().messages.iter().cloned().collect()
    }

    /// Device rows of `uid`, lowest flag first.
    pub fn devices(&self, uid: &str) -> Vec<DeviceRow> {
        let state = self.inner.lock();
        let rows = state.devices.get(uid).into_iter().flatten();
        rows.map(|(flag, d)| DeviceRow { flag: *flag, level: d.level, token: d.token.clone() }).collect()
    }

    /// The token of one row.
    pub fn token(&self, uid: &str, flag: u8) -> Option<Secret> {
        self.inner.lock().device(uid, flag).map(|d| Secret::new(d.token.clone()))
    }

    /// Sessions of `uid` that the server knows of, oldest first.
    pub fn online(&self, uid: &str) -> Vec<Session> {
        let state = self.inner.lock();
        let of = |id: u64| state.conns.get(&id).map(|c| Session { id, flag: c.flag, level: c.level, device_id: c.device_id.clone() });
        state.conns_of(uid).into_iter().filter_map(of).collect()
    }

    /// Kicked sockets that are still open.
    pub fn zombies(&self) -> usize {
        self.inner.lock().zombies.len()
    }

    /// `ban` and `send_ban` of a uid's personal channel.
    pub fn bans(&self, uid: &str) -> (bool, bool) {
        let c = self.inner.lock().channel(uid);
        (c.ban, c.send_ban)
    }

    /// True when the uid is in its user table or online.
    pub fn knows(&self, uid: &str) -> bool {
        let state = self.inner.lock();
        state.users.contains_key(uid) || state.by_uid.contains_key(uid)
    }

    /// A token as a business server would make one up.
    pub fn made_up(&self) -> String {
        self.inner.lock().chance.base64(24).replace(['+', '/'], "x")
    }

    /// Every uid that the server has in its user table.
    pub fn accounts(&self) -> Vec<String> {
        let mut all: Vec<_> = self.inner.lock().users.keys().cloned().collect();
        all.sort();
        all
    }

    /// The lines of the server's own log, tokens in plain text as the real one writes them.
    pub fn log(&self) -> Vec<String> {
        self.inner.server_log().lines()
    }

    /// The next `count` requests fail like this; with `path` only those whose path begins so.
    pub fn fault(&self, fault: Fault, count: u32, path: Option<&str>) {
        self.inner.knobs().faults.push(fault, count, path.map(str::to_owned));
    }

    /// The next `count` calls of `/user/onlinestatus` fail: another node of the cluster does not answer.
    pub fn peer_down(&self, count: u32) {
        self.inner.knobs().peer_down = count;
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut knobs = self.inner.knobs();
        knobs.faults.clear();
        knobs.peer_down = 0;
    }

    /// The process dies and starts again: rows stay, sessions, caches and zombies do not, and nobody is told.
    pub fn restart_server(&self) {
        self.inner.restart();
    }

    /// `user.onlinestatus` events from now on, as JSON documents.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}
