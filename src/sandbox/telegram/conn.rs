//! One TCP connection: packets in, packets out, and what a server checks before it looks at a request.

use super::{
    Hostile, Inner,
    crypto::{From, open, seal},
    exchange::{Answer, Exchange},
    framing::Framing,
    message::{Message, Packet, RPC_RESULT, constructor, flatten},
    rpc::{self, Caller},
    world::{Conn, KeyId, Session, TelegramCall},
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable, Serializable};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// A message may be so old (core.telegram.org/mtproto/service_messages_about_messages).
const PAST_S: i64 = 300;
/// A message may be so far ahead.
const FUTURE_S: i64 = 30;
/// A connection without a ping timer ends after so long without a packet.
const IDLE: Duration = Duration::from_secs(600);

/// One message to the client, before it is sealed.
struct Out {
    body: Vec<u8>,
    /// To be acknowledged by the client.
    content: bool,
    /// An answer, not a message of our own accord.
    answer: bool,
}

struct Line {
    inner: Arc<Inner>,
    id: u64,
    dc: i32,
    from: SocketAddr,
    exchange: Exchange,
    key: Option<(KeyId, Box<[u8; 256]>, i64)>,
    ends: Instant,
}

/// Serves one connection until either side ends it.
pub(super) async fn serve(inner: Arc<Inner>, id: u64, dc: i32, mut stream: TcpStream, from: SocketAddr) {
    let (push, mut pushed) = mpsc::unbounded_channel();
    let kill = CancellationToken::new();
    {
        let mut w = inner.world();
        w.counts.connections += 1;
        if w.down.contains(&dc) {
            return;
        }
        w.conns.insert(id, Conn { dc, key: None, session: 0, used: false, push, kill: kill.clone() });
    }
    let _gone = Gone(Arc::clone(&inner), id);
    let mut line = Line { inner: Arc::clone(&inner), id, dc, from, exchange: Exchange::default(), key: None, ends: Instant::now() + IDLE };
    let (mut framing, mut buffer, mut sent) = (Framing::new(), vec![0; 16 * 1024], 0);
    loop {
        let out = tokio::select! {
            () = inner.cancel.cancelled() => return,
            () = kill.cancelled() => return,
            () = sleep_until(line.ends) => return,
            update = pushed.recv() => match update {
                Some(body) => line.seal(Out { body, content: true, answer: false }).into_iter().collect::<Vec<_>>(),
                None => return,
            },
            n = stream.read(&mut buffer) => {
                let Ok(n @ 1..) = n else { return };
                if framing.feed(&buffer[..n]).is_err() {
                    return;
                }
                let mut out = Vec::new();
                loop {
                    match framing.take() {
                        Ok(Some(packet)) => out.extend(line.packet(packet).await),
                        Ok(None) => break,
                        Err(_) => return,
                    }
                }
                out
            }
        };
        for packet in out {
            let framed = framing.pack(&packet);
            let how = inner.world().hostile;
            let (bytes, over) = how.map_or((framed.clone(), false), |h| h.dress(framed.clone(), &packet, &mut sent));
            if how == Some(Hostile::SlowBytes) {
                // A length that could be, and hours until it is there.
                let head = (1u32 << 20).to_le_bytes();
                let all = head.iter().chain(&framed);
                for byte in all {
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            } else if stream.write_all(&bytes).await.is_err() {
                return;
            }
            if over {
                return;
            }
        }
    }
}

/// Takes the connection off the list when it ends, however it ends.
struct Gone(Arc<Inner>, u64);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.world().conns.remove(&self.1);
    }
}

fn error(number: i32) -> Vec<Vec<u8>> {
    vec![number.to_le_bytes().to_vec()]
}

impl Line {
    async fn packet(&mut self, packet: Vec<u8>) -> Vec<Vec<u8>> {
        {
            let mut w = self.inner.world();
            if w.too_many > 0 {
                w.too_many -= 1;
                return error(-429);
            }
        }
        let Some((id, rest)) = packet.split_first_chunk::<8>() else { return error(-404) };
        if *id == [0; 8] { self.clear(rest) } else { self.sealed(*id, rest).await }
    }

    /// A question in the clear: the key exchange.
    fn clear(&mut self, rest: &[u8]) -> Vec<Vec<u8>> {
        let mut c = Cursor::from_slice(rest);
        let (Ok(_), Ok(len)) = (i64::deserialize(&mut c), i32::deserialize(&mut c)) else { return error(-404) };
        let Some(body) = usize::try_from(len).ok().and_then(|len| rest.get(12..12 + len)) else { return error(-404) };
        let held = self.inner.world().asked(exchange_step(body));
        if held == Some(false) {
            return Vec::new();
        }
        let now = {
            let mut w = self.inner.world();
            let asks = [tl::functions::ReqPqMulti::CONSTRUCTOR_ID, tl::functions::ReqPq::CONSTRUCTOR_ID];
            w.counts.exchanges += u64::from(asks.contains(&constructor(body)));
            w.now_s() as i32
        };
        self.exchange.hostile = self.inner.world().hostile;
        let body = match self.exchange.answer(self.dc, now, body) {
            Answer::Error(n) => return error(n),
            Answer::Body(body) => body,
            Answer::Key { body, key, salt } => {
                let mut w = self.inner.world();
                w.counts.keys += 1;
                w.learn(key, self.dc, salt, self.from.ip().to_string());
                body
            }
        };
        let mut out = vec![0; 8];
        out.extend(self.inner.world().message_id(true).to_le_bytes());
        out.extend((body.len() as i32).to_le_bytes());
        out.extend(body);
        if held.is_some() { Vec::new() } else { vec![out] }
    }

    async fn sealed(&mut self, id: KeyId, rest: &[u8]) -> Vec<Vec<u8>> {
        let (bytes, delay) = {
            let mut w = self.inner.world();
            w.counts.packets += 1;
            if w.run_away {
                w.settings.skew_ms = if w.settings.skew_ms > 0 { -3_600_000 } else { 3_600_000 };
            }
            let Some(key) = w.keys.get(&id).filter(|k| k.dc == self.dc) else { return error(-404) };
            (key.bytes.clone(), w.settings.reply_delay)
        };
        let Some(packet) = open(&bytes, rest, From::Client).as_deref().and_then(Packet::read) else { return error(-404) };
        let Packet { salt, session, message } = packet;
        self.key = Some((id, bytes, session));
        let mut out = Vec::new();
        if let Some(bad) = self.refuse(id, session, salt, &message) {
            out.extend(self.seal(bad));
            return out;
        }
        out.extend(self.greet(id, session, message.id).and_then(|o| self.seal(o)));
        let Some(messages) = flatten(message) else { return error(-404) };
        for m in messages {
            if !self.inner.world().fresh_message(id, session, m.id) {
                continue;
            }
            if let Some(answer) = self.message(id, session, &m).await {
                if !delay.is_zero() {
                    sleep(delay).await;
                }
                out.extend(self.seal(answer));
            }
        }
        out
    }

    /// The checks that a message must pass.
    fn refuse(&self, id: KeyId, session: i64, salt: i64, m: &Message) -> Option<Out> {
        let mut w = self.inner.world();
        let (now, time) = (w.now_s(), m.id >> 32);
        let code = if m.id & 3 != 0 {
            18
        } else if time < now - PAST_S {
            16
        } else if time > now + FUTURE_S {
            17
        } else if w.keys.get(&id)?.sessions.get(&session).is_some_and(|s| s.seen.contains(&m.id)) {
            // The very same packet again.
            19
        } else if w.hostile == Some(Hostile::RefusedForever) {
            64
        } else if w.hostile == Some(Hostile::BadSaltForever) || !w.salt_fits(w.keys.get(&id)?, salt) {
            48
        } else {
            return None;
        };
        match code {
            16 | 17 => w.counts.bad_time += 1,
            48 => w.counts.bad_salt += 1,
            _ => w.counts.bad_other += 1,
        }
        use tl::enums::BadMsgNotification as Bad;
        let new_server_salt = w.salts(w.keys.get(&id)?, 1).first().map_or(0, |s| s.2);
        let body = match code {
            48 => Bad::BadServerSalt(tl::types::BadServerSalt { bad_msg_id: m.id, bad_msg_seqno: m.seqno, error_code: code, new_server_salt }),
            _ => Bad::Notification(tl::types::BadMsgNotification { bad_msg_id: m.id, bad_msg_seqno: m.seqno, error_code: code }),
        };
        Some(Out { body: body.to_bytes(), content: false, answer: true })
    }

    /// `new_session_created` for a session that the server did not know.
    fn greet(&self, id: KeyId, session: i64, first_msg_id: i64) -> Option<Out> {
        let mut w = self.inner.world();
        let unique_id = w.number();
        let server_salt = w.salts(w.keys.get(&id)?, 1).first().map_or(0, |s| s.2);
        if let Some(c) = w.conns.get_mut(&self.id) {
            if c.key != Some(id) {
                c.used = false;
            }
            (c.key, c.session) = (Some(id), session);
        }
        let sessions = &mut w.keys.get_mut(&id)?.sessions;
        if sessions.contains_key(&session) {
            return None;
        }
        sessions.insert(session, Session::default());
        let created = tl::types::NewSessionCreated { first_msg_id, unique_id, server_salt };
        Some(Out { body: tl::enums::NewSession::Created(created).to_bytes(), content: true, answer: false })
    }

    /// What answers one message.
    async fn message(&mut self, id: KeyId, session: i64, m: &Message) -> Option<Out> {
        use tl::{functions as f, types as t};
        let rest = m.body.get(4..)?;
        let service = |body: Vec<u8>| Some(Out { body, content: false, answer: true });
        match constructor(&m.body) {
            t::MsgsAck::CONSTRUCTOR_ID | t::HttpWait::CONSTRUCTOR_ID => None,
            c @ (f::Ping::CONSTRUCTOR_ID | f::PingDelayDisconnect::CONSTRUCTOR_ID) => {
                let mut cursor = Cursor::from_slice(rest);
                let ping_id = i64::deserialize(&mut cursor).ok()?;
                if c == f::PingDelayDisconnect::CONSTRUCTOR_ID {
                    let delay = i32::deserialize(&mut cursor).ok()?;
                    self.ends = Instant::now() + Duration::from_secs(delay.clamp(1, 600) as u64);
                }
                service(tl::enums::Pong::Pong(t::Pong { msg_id: m.id, ping_id }).to_bytes())
            }
            f::GetFutureSalts::CONSTRUCTOR_ID => {
                let count = i32::from_bytes(rest).ok()?;
                let mut w = self.inner.world();
                w.counts.salt_requests += 1;
                let salts = w.salts(w.keys.get(&id)?, usize::try_from(count).ok()?);
                let one = |(valid_since, valid_until, salt)| t::FutureSalt { valid_since, valid_until, salt };
                let salts = tl::RawVec(salts.into_iter().map(one).collect());
                service(tl::enums::FutureSalts::Salts(t::FutureSalts { req_msg_id: m.id, now: w.now_s() as i32, salts }).to_bytes())
            }
            f::DestroySession::CONSTRUCTOR_ID => {
                let session_id = i64::from_bytes(rest).ok()?;
                let known = session_id != session && self.inner.world().keys.get_mut(&id)?.sessions.remove(&session_id).is_some();
                use tl::enums::DestroySessionRes as Res;
                let ok = Res::DestroySessionOk(t::DestroySessionOk { session_id });
                service(if known { ok } else { Res::DestroySessionNone(t::DestroySessionNone { session_id }) }.to_bytes())
            }
            f::RpcDropAnswer::CONSTRUCTOR_ID => {
                let body = tl::enums::RpcDropAnswer::RpcAnswerUnknown.to_bytes();
                Some(Out { body: result(m.id, body), content: true, answer: true })
            }
            _ => self.call(id, session, m).await,
        }
    }

    async fn call(&mut self, id: KeyId, session: i64, m: &Message) -> Option<Out> {
        self.twin(id).await;
        let mut w = self.inner.world();
        let held = w.asked(rpc::method(&m.body));
        if held == Some(false) {
            return None;
        }
        let caller = Caller { conn: self.id, key: id, session, dc: self.dc, ip: self.from.ip().to_string() };
        let (method, answer) = rpc::answer(&mut w, &self.inner, &caller, &m.body);
        let outcome = answer.as_ref().err().map_or_else(|| "ok".to_owned(), |e| e.1.clone());
        let call = TelegramCall { at_ms: w.now_ms(), dc: self.dc, conn: self.id, key: id, method, outcome };
        self.inner.say(&call);
        w.note(call);
        if w.mute || held.is_some() {
            return None;
        }
        let body = answer
            .unwrap_or_else(|(error_code, error_message)| tl::enums::RpcError::Error(tl::types::RpcError { error_code, error_message }).to_bytes());
        let body = result(m.id, body);
        let body = w.hostile.map_or(body.clone(), |h| h.answer(m.id, body));
        Some(Out { body, content: true, answer: true })
    }

    /// Finds out whether another connection uses the same logged-in key; then the session is invalidated (core.telegram.org/api/errors, 406).
    async fn twin(&self, id: KeyId) {
        let (account, grace) = {
            let mut w = self.inner.world();
            let Some(account) = w.keys.get(&id).and_then(|k| k.account) else { return };
            if let Some(c) = w.conns.get_mut(&self.id) {
                c.used = true;
            }
            (account, w.settings.grace)
        };
        let many = || {
            let w = self.inner.world();
            w.others(id, self.id) >= w.settings.tmp_sessions.unwrap_or(1).max(1) as usize
        };
        if !many() {
            return;
        }
        // A connection that was closed before this one was opened may still be on the list: its end has not been read yet.
        sleep(grace).await;
        if many() {
            self.inner.world().end(account.0, account.1, (406, "AUTH_KEY_DUPLICATED"));
        }
    }

    /// Encrypts a message with the key that this connection uses.
    fn seal(&self, out: Out) -> Option<Vec<u8>> {
        let (id, bytes, session) = self.key.as_ref()?;
        let mut w = self.inner.world();
        let message = w.message_id(out.answer);
        let salt = w.salts(w.keys.get(id)?, 1).first().map_or(0, |s| s.2);
        let state = w.keys.get_mut(id)?.sessions.get_mut(session);
        let seqno = state.map_or(0, |s| {
            let n = s.content * 2 + i32::from(out.content);
            s.content += i32::from(out.content);
            n
        });
        let how = w.hostile;
        drop(w);
        let mut text = salt.to_le_bytes().to_vec();
        text.extend(session.to_le_bytes());
        text.extend(message.to_le_bytes());
        text.extend(seqno.to_le_bytes());
        text.extend((out.body.len() as i32).to_le_bytes());
        text.extend(out.body);
        if let Some(how) = how {
            how.address(&mut text);
        }
        let packet = seal(bytes, text);
        Some(how.map_or(packet.clone(), |h| h.touch(packet)))
    }
}

/// What a question in the clear is called.
fn exchange_step(body: &[u8]) -> &'static str {
    match constructor(body) {
        tl::functions::ReqPqMulti::CONSTRUCTOR_ID | tl::functions::ReqPq::CONSTRUCTOR_ID => "req_pq",
        tl::functions::ReqDhParams::CONSTRUCTOR_ID => "req_DH_params",
        tl::functions::SetClientDhParams::CONSTRUCTOR_ID => "set_client_DH_params",
        _ => "unknown",
    }
}

/// `rpc_result`.
fn result(to: i64, body: Vec<u8>) -> Vec<u8> {
    let mut out = RPC_RESULT.to_le_bytes().to_vec();
    out.extend(to.to_le_bytes());
    out.extend(body);
    out
}
