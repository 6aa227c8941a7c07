//! Logging in, being kicked, hanging up: `event_connect.go` and `event_close.go` of v2.2.5, with the differences of v1 and v3.

use super::{
    Inner, Version,
    serverlog::flag_name,
    state::{Conn, MOST_USERS, Stored},
    wire::{Delivery, Manner, Out, Peer},
};
use crate::sandbox::json::{Json, map};
use std::{sync::Arc, time::Duration};

/// What a client says when it connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hello {
    pub(crate) uid: String,
    pub(crate) token: String,
    pub(crate) flag: u8,
    pub(crate) device_id: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) version: u8,
}

/// Why a login fails. On v2 the client is told none of it: its socket ends six seconds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    /// The uid is empty or holds `@ # &`: the socket is closed at once.
    #[error("bad uid")]
    BadUid,
    /// The manager's uid with a token that is not the manager token: a v2 server dies of it.
    #[error("manager token verify fail")]
    ManagerToken,
    /// No token.
    #[error("token is empty")]
    EmptyToken,
    /// No row of that uid and flag.
    #[error("get device token err: not found")]
    NoDevice,
    /// Another token than the row's.
    #[error("token verify fail")]
    WrongToken,
    /// The user is banned.
    #[error("device is ban")]
    Banned,
    /// The sandbox's own bound.
    #[error("too many connections")]
    Full,
}

/// What a message is answered with; `None` is silence.
pub(crate) type SendAnswer = Option<(u64, u32, u8)>;

impl Inner {
    /// Lets a client in. `id` is the number of its socket.
    ///
    /// # Errors
    /// [`NoLogin`]; the server's log says why as the real one does.
    pub(crate) fn admit(self: &Arc<Self>, id: u64, hello: &Hello, peer: Peer) -> Result<(), NoLogin> {
        let s = &self.settings;
        if hello.uid.trim().is_empty() || special(&hello.uid) {
            return Err(NoLogin::BadUid);
        }
        let mut state = self.lock();
        let mut level = 0;
        if s.version == Version::V3 {
            // internal/app/wiring.go passes neither TokenAuthOn nor VerifyToken.
        } else if hello.uid == "____manager" {
            if s.manager_token.as_ref().is_some_and(|t| *t != hello.token) {
                drop(state);
                self.complain("manager token verify fail", map! { "uid" => &hello.uid, "token" => &hello.token });
                if s.version == Version::V2 {
                    // It writes a CONNACK that is not there, and the whole process dies of it (seen twice on a running 2.2.5:
                    // `ConnackPacket.GetFrameSize`, nil pointer). Whoever keeps it running starts it again.
                    self.restart();
                }
                return Err(NoLogin::ManagerToken);
            }
        } else if s.token_auth_on && !(hello.uid.ends_with(&s.visitor_suffix) && s.version == Version::V2) {
            let row = state.device(&hello.uid, hello.flag).map(|d| (d.token.clone(), d.level));
            let node = s.node_id as i64;
            let v1 = s.version == Version::V1;
            if hello.token.is_empty() {
                drop(state);
                self.complain(
                    "token is empty",
                    if v1 {
                        map! {}
                    } else {
                        map! { "uid" => &hello.uid, "sourceNodeId" => node }
                    },
                );
                self.echo("token is empty");
                return Err(NoLogin::EmptyToken);
            }
            // v1 reads an absent row as an empty token (`expectToken:""`).
            let row = if v1 { Some(row.unwrap_or_default()) } else { row };
            let Some((expect, stored)) = row else {
                drop(state);
                self.complain(
                    "get device token err",
                    map! { "error" => "not found", "uid" => &hello.uid, "deviceFlag" => flag_name(hello.flag), "sourceNodeId" => node },
                );
                self.echo("not found");
                return Err(NoLogin::NoDevice);
            };
            if expect != hello.token {
                drop(state);
                self.complain_token(id, hello, &expect);
                return Err(NoLogin::WrongToken);
            }
            level = stored;
        }
        if s.version != Version::V3 && state.channel(&hello.uid).ban {
            drop(state);
            self.complain("device is ban", map! { "uid" => &hello.uid });
            self.echo("device is ban");
            return Err(NoLogin::Banned);
        }
        let most = if matches!(peer, Peer::Inside(_)) { MOST_USERS } else { s.most_connections };
        if state.conns.len() + state.zombies.len() >= most {
            return Err(NoLogin::Full);
        }
        // Same flag only: different flags never touch each other (trace O).
        let olds: Vec<(u64, bool)> = state
            .conns_on(&hello.uid, hello.flag)
            .into_iter()
            .filter_map(|old| Some((old, state.conns.get(&old)?.device_id == hello.device_id)))
            .collect();
        let now = self.now_ms();
        state.add_conn(
            id,
            Conn {
                uid: hello.uid.clone(),
                token: hello.token.clone(),
                flag: hello.flag,
                level,
                device_id: hello.device_id.clone(),
                ip: hello.ip.clone(),
                port: hello.port,
                version: hello.version,
                up_ms: now,
                active_ms: now,
                in_msgs: 0,
                out_msgs: 0,
                in_bytes: 0,
                out_bytes: 0,
                in_packets: 0,
                out_packets: 1,
                peer,
            },
        );
        drop(state);
        self.tell_online(&hello.uid, hello.flag, true, id);
        if s.version != Version::V3 {
            for (old, same) in olds {
                match (level, same) {
                    (1, false) => self.kick(old, "login in other device", s.timing.login_grace),
                    // No notice: the real device turns into a zombie without knowing (trace G, X).
                    (0 | 1, true) => self.close_after(old, s.timing.login_grace),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// DISCONNECT(12), and the session leaves the state after `grace`.
    pub(crate) fn kick(self: &Arc<Self>, id: u64, reason: &str, grace: Duration) {
        if self.settings.version == Version::V3 {
            // The socket is closed, and no DISCONNECT was seen.
            return self.close(id);
        }
        self.write(id, Out::Disconnect(reason.to_owned()));
        let told = self.lock().conns.get(&id).and_then(|c| match c.peer {
            Peer::Inside(Manner::HangsUp) => Some(None),
            Peer::Inside(Manner::ComesBack(after)) => Some(Some((c.hello(), after))),
            Peer::Inside(Manner::Deaf) | Peer::Socket(_) => None,
        });
        if let Some(back) = told {
            let (inner, wait) = (Arc::clone(self), self.settings.timing.hangs_up.min(grace));
            self.spawn(async move {
                tokio::time::sleep(wait).await;
                inner.hung_up(id);
                if let Some((hello, after)) = back {
                    inner.come_back(hello, after).await;
                }
            });
        }
        self.close_after(id, grace);
    }

    /// A client that does not give up: it logs in `after` every end, and again after every refusal, which it hears as silence.
    async fn come_back(self: &Arc<Self>, hello: Hello, after: Duration) {
        tokio::time::sleep(after).await;
        loop {
            let id = self.lock().conn_id();
            if self.admit(id, &hello, Peer::Inside(Manner::ComesBack(after))).is_ok() {
                return;
            }
            tokio::time::sleep(self.settings.timing.refused + after).await;
        }
    }

    /// Takes a session out of the state after `wait`.
    pub(crate) fn close_after(self: &Arc<Self>, id: u64, wait: Duration) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(wait).await;
            inner.close(id);
        });
    }

    /// `CloseConn`: v2 forgets the connection before it looks it up to close it, so its socket stays open.
    pub(crate) fn close(&self, id: u64) {
        let mut state = self.lock();
        let Some(conn) = state.drop_conn(id) else { return };
        if self.settings.version == Version::V2 {
            state.zombies.insert(id);
            return;
        }
        drop(state);
        if let Peer::Socket(tx) = &conn.peer {
            let _ = tx.try_send(Out::Close);
        }
        self.tell_online(&conn.uid, conn.flag, false, id);
    }

    /// The client's side of the socket has ended.
    pub(crate) fn hung_up(&self, id: u64) {
        let mut state = self.lock();
        state.zombies.remove(&id);
        let Some(conn) = state.drop_conn(id) else { return };
        drop(state);
        self.tell_online(&conn.uid, conn.flag, false, id);
    }

    /// Writes a frame to a session.
    pub(crate) fn write(&self, id: u64, out: Out) {
        let mut state = self.lock();
        let Some(conn) = state.conns.get_mut(&id) else { return };
        conn.out_packets += 1;
        if let Peer::Socket(tx) = &conn.peer {
            // A client that does not read loses frames: what is kept for it has an end.
            let _ = tx.try_send(out);
        }
    }

    /// A message of the uid that socket `id` belongs to. Zombies' messages are stored and delivered, and never answered (trace R, Z).
    pub(crate) fn message(self: &Arc<Self>, id: u64, from: &str, to: &str, client_msg_no: &str, payload: &str) -> SendAnswer {
        let now = self.now_ms();
        let mut state = self.lock();
        let alive = state.conns.contains_key(&id);
        if let Some(c) = state.conns.get_mut(&id) {
            c.in_msgs += 1;
            c.in_bytes += payload.len() as u32;
            c.in_packets += 1;
            c.active_ms = now;
        }
        let message_id = state.snowflake(now, self.settings.node_id);
        let reason = match (state.channel(from).send_ban, state.channel(to).ban) {
            (true, _) => 25,
            (_, true) => 19,
            _ => 1,
        };
        let mut seq = 0;
        if reason == 1 {
            seq = 1 + state.messages.iter().filter(|m| (m.from == from && m.to == to) || (m.from == to && m.to == from)).count() as u32;
            state.store(Stored {
                id: message_id,
                seq,
                from: from.to_owned(),
                to: to.to_owned(),
                client_msg_no: client_msg_no.to_owned(),
                payload: payload.to_owned(),
            });
            // The receiver, and the sender's other devices.
            let mut ids: Vec<(u64, &str)> = state.conns_of(to).into_iter().map(|c| (c, from)).collect();
            if from != to {
                ids.extend(state.conns_of(from).into_iter().map(|c| (c, to)));
            }
            ids.retain(|(c, _)| *c != id);
            for (c, _) in &ids {
                if let Some(c) = state.conns.get_mut(c) {
                    c.out_msgs += 1;
                    c.out_bytes += payload.len() as u32;
                }
            }
            drop(state);
            for (c, channel) in ids {
                let delivery = Delivery {
                    id: message_id,
                    seq,
                    client_msg_no: client_msg_no.to_owned(),
                    timestamp: now / 1000,
                    channel: channel.to_owned(),
                    from: from.to_owned(),
                    payload: payload.to_owned(),
                };
                self.write(c, Out::Recv(delivery));
            }
        }
        alive.then_some((message_id, seq, reason))
    }

    /// `uid-flag-online-connId-deviceOnlineCount-totalOnlineCount`, as the webhook carries it; here it goes to `/events`.
    fn tell_online(&self, uid: &str, flag: u8, online: bool, id: u64) {
        let state = self.lock();
        let (on_flag, total) = (state.conns_on(uid, flag).len(), state.conns_of(uid).len());
        drop(state);
        let line = format!("{uid}-{flag}-{}-{id}-{on_flag}-{total}", u8::from(online));
        let event = map! { "event" => "user.onlinestatus", "data" => Json::List(vec![line.into()]) };
        // Nobody may be listening.
        let _ = self.bus.send(event.to_string().into());
    }
}

/// `IsSpecialChar`.
pub(crate) fn special(uid: &str) -> bool {
    uid.contains(['@', '#', '&'])
}
