//! Create, connect, restart, logout, delete: the controllers of the source, over the far side.

use super::{
    Inner,
    events::disconnection,
    state::{Life, Link, Row, Setting, State},
};
use crate::sandbox::json::{Json, map};
use std::{sync::Arc, time::Duration};

/// What a create call asked for, already checked.
#[derive(Debug, Default)]
pub(crate) struct New {
    pub(crate) name: String,
    pub(crate) number: Option<String>,
    pub(crate) token: Option<String>,
}

/// How a logout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logout {
    /// The session is wiped.
    Done,
    /// There was nothing to log out (recording 11).
    NotConnected,
    /// "Connection Closed": memory says open or connecting, the socket is dead.
    ConnectionClosed,
}

impl Inner {
    /// Adds a row and its life; no events.
    pub(crate) fn add(&self, state: &mut State, new: New) -> u64 {
        let now = self.now_ms();
        let link_delay = self.knobs().link_delay;
        let (row_key, life) = (state.fresh(), state.fresh());
        let id = state.chance.uuid();
        let token = new.token.filter(|t| !t.is_empty()).unwrap_or_else(|| state.chance.uuid().to_uppercase());
        let settings = Setting::new(state.chance.cuid(), now);
        let phone = format!("55119{:08}", state.chance.next() % 100_000_000);
        state.lives.insert(
            life,
            Life {
                name: new.name.clone(),
                instance_id: id.clone(),
                token: token.clone(),
                link: Link::Close,
                status_reason: 200,
                wuid: None,
                profile: "Example Shop".to_owned(),
                qr: super::state::QrCode::default(),
                number: None,
                session: None,
                socket: 0,
                offered: None,
                link_delay,
                refs: self.settings.refs,
                scans_after: self.settings.scans_after,
                phone,
                futile: false,
                flapping: false,
            },
        );
        state.by_name.insert(new.name.clone(), row_key);
        state.rows.insert(
            row_key,
            Row {
                id,
                name: new.name,
                status: Link::Close,
                owner: None,
                profile: None,
                number: new.number,
                token,
                reason: None,
                reason_object: None,
                reason_at: None,
                created: now,
                updated: now,
                settings,
                extras: std::collections::BTreeMap::new(),
                life,
            },
        );
        life
    }

    /// Opens a socket with `number` (or none), as `connect` on a closed instance does.
    pub(crate) fn begin(self: &Arc<Self>, state: &mut State, life: u64, number: Option<String>) {
        if let Some(l) = state.lives.get_mut(&life) {
            l.number = number;
        }
        self.open_socket(state, life);
    }

    /// `GET /instance/connect/{name}`.
    pub(crate) async fn connect(self: &Arc<Self>, name: &str, number: Option<String>) -> Json {
        let life = {
            let mut state = self.lock();
            let Some(key) = state.row(name).map(|r| r.life) else { return error_200() };
            match state.lives.get(&key).map(|l| (l.link, l.qr.json())) {
                None => return error_200(),
                Some((Link::Open, _)) => return state_json(name, Link::Open),
                // The number is ignored here (recording 15).
                Some((Link::Connecting, qr)) => return qr,
                Some((Link::Close, _)) => self.begin(&mut state, key, number),
            }
            key
        };
        // A fixed wait, then whatever is there: on a slow link the code of the session before (recording 45).
        tokio::time::sleep(self.settings.timing.connect_wait).await;
        self.lock().lives.get(&life).map_or_else(error_200, |l| l.qr.json())
    }

    /// `POST /instance/restart/{name}`: the dead socket's answer, before the new one exists (recordings 36, 55).
    pub(crate) fn restart(self: &Arc<Self>, name: &str) -> Json {
        let mut state = self.lock();
        let Some(key) = state.row(name).map(|r| r.life) else { return error_200() };
        let Some((link, qr)) = state.lives.get(&key).map(|l| (l.link, l.qr.json())) else { return error_200() };
        match link {
            Link::Close => error_200(),
            Link::Open => {
                self.reopen_later(&mut state, key, self.settings.timing.reconnect);
                state_json(name, Link::Open)
            }
            Link::Connecting => {
                self.reopen_later(&mut state, key, self.settings.timing.reconnect);
                qr
            }
        }
    }

    /// `DELETE /instance/logout/{name}`.
    pub(crate) fn logout(&self, name: &str) -> Logout {
        let mut state = self.lock();
        let Some(key) = state.row(name).map(|r| r.life) else { return Logout::NotConnected };
        self.log_out(&mut state, key, name)
    }

    fn log_out(&self, state: &mut State, key: u64, name: &str) -> Logout {
        let Some(l) = state.lives.get_mut(&key) else { return Logout::NotConnected };
        match (l.link, l.socket) {
            (Link::Close, _) => Logout::NotConnected,
            // The socket is gone. With `creds.me` the library wants to tell the far side and cannot (#1398, #2403); without, `end`
            // does nothing a second time, so there are no events (recording ws-global, shop-e).
            (_, 0) if l.session.as_ref().is_some_and(|s| s.me.is_some()) => Logout::ConnectionClosed,
            (_, 0) => Logout::Done,
            _ => {
                let object = disconnection(401, Json::Null, &format!("Log out instance: {name}"), self.now_ms());
                self.emit_closed(state, key, 401, &object);
                Logout::Done
            }
        }
    }

    /// `DELETE /instance/delete/{name}`; false when the logout before it threw (2.3: a dead socket that says `open`).
    pub(crate) fn delete(&self, name: &str) -> bool {
        let mut state = self.lock();
        let Some(key) = state.row(name).map(|r| r.life) else { return false };
        if self.log_out(&mut state, key, name) == Logout::ConnectionClosed {
            return false;
        }
        let Some(l) = state.lives.get(&key) else { return false };
        let data = map! { "instanceName" => name, "instanceId" => &l.instance_id };
        self.emit(&mut state, key, "instance.delete", data);
        self.emit(&mut state, key, "remove.instance", Json::Null);
        if let Some(row_key) = state.by_name.remove(name) {
            state.rows.remove(&row_key);
        }
        // A life whose reconnect is under way goes on as a zombie; all others are gone.
        if state.lives.get(&key).is_some_and(|l| l.link == Link::Close) {
            state.lives.remove(&key);
        }
        true
    }

    /// The process starts again: rows that said open or connecting connect (recording 70), all others are closed.
    pub(crate) fn restart_server(self: &Arc<Self>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.run += 1;
        state.namespaces.clear();
        let kept: Vec<(u64, Link)> = state.rows.values().map(|r| (r.life, r.status)).collect();
        state.lives.retain(|k, _| kept.iter().any(|(life, _)| life == k));
        for l in state.lives.values_mut() {
            l.qr = super::state::QrCode::default();
            l.wuid = None;
            l.number = None;
            l.socket = 0;
            l.offered = None;
            l.link = Link::Close;
        }
        for (life, _) in kept.into_iter().filter(|(_, s)| *s != Link::Close) {
            self.open_socket(state, life);
        }
    }

    /// `qrcode:true` of a create call: connects and waits.
    pub(crate) async fn first_qr(self: &Arc<Self>, life: u64, number: Option<String>) -> (Link, Json) {
        {
            let mut state = self.lock();
            self.begin(&mut state, life, number);
        }
        tokio::time::sleep(self.settings.timing.create_wait).await;
        self.lock().lives.get(&life).map_or((Link::Close, map! { "count" => 0u32 }), |l| (l.link, l.qr.json()))
    }

    /// The wait of a wipe on the far side, so that an answer does not come before its events.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `{"instance":{"instanceName","state"}}`.
pub(crate) fn state_json(name: &str, link: Link) -> Json {
    map! { "instance" => map! { "instanceName" => name, "state" => link.text() } }
}

/// An exception inside connect or restart: HTTP 200, and the text of an object (recording 12).
pub(crate) fn error_200() -> Json {
    map! { "error" => true, "message" => "[object Object]" }
}
