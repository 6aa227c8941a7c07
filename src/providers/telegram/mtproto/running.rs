//! The task of one connection. It alone touches the socket and the message layer.
//!
//! grammers' message layer hides its time offset and never lowers the last message id, so a clock that was ahead once is refused for
//! ever (`bad_msg_notification` 17, thousands a second in its own sender). Here each refusal of that kind makes a new session with
//! the offset that the refusal's own message id tells, each call is tried four times at the most, and a connection that is refused
//! again and again ends.

use super::{
    AuthKey, Error,
    clock::{Sent, of_message},
    connection::{App, Options, Update},
    guard::{Guard, Word},
    wire::{Wire, WireError},
};
use crate::{clock::sample::Interval, domain::Clean};
use grammers_crypto::DequeBuffer;
use grammers_mtproto::{
    MsgId,
    mtp::{Deserialization, DeserializeError, Encrypted, Mtp},
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable, Serializable};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

/// How often we say that we are there.
const PING: Duration = Duration::from_secs(60);
/// After so long without a ping the server hangs up.
const HANG_UP_S: i32 = 75;
/// After so long without a word from the server we do.
const SILENCE: Duration = Duration::from_secs(150);
/// For writing one packet.
const WRITE: Duration = Duration::from_secs(15);
/// How often one call is sent.
const TRIES: u32 = 4;
/// How often a connection may begin a new session, or ask for salts in vain.
const PATIENCE: u32 = 5;

/// What the handle asks for.
pub(super) enum Asked {
    /// A call, as bytes.
    Call { body: Vec<u8>, reply: oneshot::Sender<Result<Vec<u8>, Error>> },
    /// The end.
    Close,
}

/// A call on its way.
struct Call {
    body: Vec<u8>,
    /// `None` for our own pings.
    reply: Option<oneshot::Sender<Result<Vec<u8>, Error>>>,
    tries: u32,
    /// Its message id, and that of the container it went in.
    ids: Option<(MsgId, MsgId)>,
    sent: Sent,
}

impl Call {
    fn answer(self, with: Result<Vec<u8>, Error>) {
        if let Some(reply) = self.reply {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(with);
        }
    }

    fn wanted(&self) -> bool {
        self.reply.as_ref().is_none_or(|r| !r.is_closed())
    }
}

pub(super) struct Running {
    wire: Wire,
    mtp: Encrypted,
    guard: Guard,
    key: AuthKey,
    app: App,
    queue: VecDeque<Call>,
    under_way: Vec<Call>,
    updates: broadcast::Sender<Update>,
    offset: watch::Sender<Interval>,
    /// The server knows our layer and application.
    introduced: bool,
    salt: i64,
    /// New sessions, and salts asked for in vain.
    patience: u32,
    unreadable: u32,
    heard: Instant,
    pings: i64,
}

fn session(key: &AuthKey, salt: i64, offset_ms: i64) -> Encrypted {
    let seconds = i32::try_from(offset_ms.div_euclid(1000)).unwrap_or_default();
    Encrypted::build().time_offset(seconds).first_salt(salt).compression_threshold(None).finish(*key.expose())
}

impl Running {
    pub(super) fn new(wire: Wire, key: AuthKey, options: Options, updates: broadcast::Sender<Update>, offset: watch::Sender<Interval>) -> Self {
        let mtp = session(&key, options.salt, options.clock.mid());
        Self {
            wire,
            mtp,
            guard: Guard::new(&key),
            key,
            app: options.app,
            queue: VecDeque::new(),
            under_way: Vec::new(),
            updates,
            offset,
            introduced: false,
            salt: options.salt,
            patience: PATIENCE,
            unreadable: 0,
            heard: Instant::now(),
            pings: 0,
        }
    }

    /// Runs until it is told to end or cannot go on, and says why. The socket is closed then.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Asked>) -> Error {
        let why = self.turn(&mut asked).await.err().unwrap_or(Error::Closed);
        for call in self.queue.drain(..).chain(self.under_way.drain(..)) {
            call.answer(Err(why.clone()));
        }
        // A peer that does not read cannot hold us.
        let _ = timeout(WRITE, self.wire.close()).await;
        why
    }

    async fn turn(&mut self, asked: &mut mpsc::Receiver<Asked>) -> Result<(), Error> {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once.
        ping.tick().await;
        loop {
            tokio::select! {
                ask = asked.recv() => match ask {
                    None | Some(Asked::Close) => return Ok(()),
                    Some(Asked::Call { body, reply }) => self.take(body, Some(reply)),
                },
                packet = self.wire.receive() => self.hear(packet?)?,
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENCE {
                        return Err(WireError::Closed.into());
                    }
                    self.pings += 1;
                    let ping = tl::functions::PingDelayDisconnect { ping_id: self.pings, disconnect_delay: HANG_UP_S };
                    self.take(ping.to_bytes(), None);
                }
            }
            self.flush().await?;
        }
    }

    fn take(&mut self, body: Vec<u8>, reply: Option<oneshot::Sender<Result<Vec<u8>, Error>>>) {
        self.under_way.retain(Call::wanted);
        self.queue.push_back(Call { body, reply, tries: 0, ids: None, sent: Sent::now() });
    }

    /// Sends what waits, as far as the message layer takes it.
    async fn flush(&mut self) -> Result<(), Error> {
        self.queue.retain(Call::wanted);
        if self.queue.is_empty() {
            return Ok(());
        }
        let mut buffer = DequeBuffer::with_capacity(1024, 256);
        let mut pushed = Vec::new();
        while let Some(mut call) = self.queue.pop_front() {
            // Pings are not calls of the API and bear no introduction.
            let body = if self.introduced || call.reply.is_none() { call.body.clone() } else { introduced(&self.app, &call.body) };
            match self.mtp.push(&mut buffer, &body) {
                Some(id) => {
                    call.tries += 1;
                    call.sent = Sent::now();
                    pushed.push((id, call));
                }
                None => {
                    self.queue.push_front(call);
                    break;
                }
            }
        }
        let Some(carrier) = self.mtp.finalize(&mut buffer) else { return Ok(()) };
        if pushed.is_empty() {
            // It asks for salts first. A server that gives one at a time would be asked for ever.
            self.lose_patience(48)?;
        }
        for (id, mut call) in pushed {
            call.ids = Some((id, carrier));
            self.under_way.push(call);
        }
        self.guard.sent(buffer.as_ref());
        let written = timeout(WRITE, self.wire.send(buffer.as_ref())).await;
        written.map_err(|_| Error::Wire(WireError::Closed))??;
        Ok(())
    }

    fn lose_patience(&mut self, code: i32) -> Result<(), Error> {
        self.patience = self.patience.checked_sub(1).ok_or(Error::Refused(code))?;
        Ok(())
    }

    /// Reads one packet.
    fn hear(&mut self, mut packet: Vec<u8>) -> Result<(), Error> {
        self.heard = Instant::now();
        if self.guard.hear(&packet)? == Word::Skip {
            return Ok(());
        }
        let all = match self.mtp.deserialize(&mut packet) {
            Ok(all) => all,
            // Another key, or garbage: no way on. A session that we left may still get an answer or two.
            Err(DeserializeError::DecryptionError(_) | DeserializeError::BadAuthKey { .. }) => return Err(Error::Corrupt),
            Err(_) => {
                self.unreadable += 1;
                return if self.unreadable > 16 { Err(Error::Corrupt) } else { Ok(()) };
            }
        };
        self.unreadable = 0;
        // Decrypted in place: key id, message key, salt, session, message id.
        let number = |at: usize| packet.get(at..at + 8).and_then(|b| <[u8; 8]>::try_from(b).ok()).map_or(0, i64::from_le_bytes);
        let (salt, time) = (number(24), of_message(number(40)));
        self.salt = salt;
        if let Some(code) = refusal(&packet).filter(|_| all.is_empty()) {
            // About the message layer's own request for salts, of which it does not speak.
            self.renew(code, time)?;
        }
        for one in all {
            match one {
                Deserialization::RpcResult(r) => {
                    if let Some(call) = self.done(r.msg_id) {
                        self.measured(&call, time);
                        self.introduced |= call.reply.is_some();
                        self.patience = PATIENCE;
                        call.answer(Ok(r.body));
                    }
                }
                Deserialization::RpcError(r) => self.refused(r.msg_id, &r.error, time),
                Deserialization::BadMessage(bad) => self.bad(bad.msg_id, bad.code, time)?,
                Deserialization::Failure(f) => {
                    if let Some(call) = self.done(f.msg_id) {
                        call.answer(Err(Error::Unreadable));
                    }
                }
                Deserialization::Update(body) | Deserialization::OwnUpdate { update: body, .. } => {
                    for update in read(&body) {
                        // Nobody has to listen.
                        let _ = self.updates.send(update);
                    }
                }
            }
        }
        Ok(())
    }

    fn done(&mut self, id: MsgId) -> Option<Call> {
        let at = self.under_way.iter().position(|c| c.ids.is_some_and(|i| i.0 == id))?;
        Some(self.under_way.swap_remove(at))
    }

    /// An answer tells the server's time: it was written after the question left.
    fn measured(&self, call: &Call, time: i64) {
        let found = call.sent.offset(time, time + 1);
        self.offset.send_if_modified(|known| {
            let both = Interval { lo_ms: known.lo_ms.max(found.lo_ms), hi_ms: known.hi_ms.min(found.hi_ms) };
            // Disjoint: one of the clocks was set.
            let new = if both.lo_ms <= both.hi_ms { both } else { found };
            std::mem::replace(known, new) != new
        });
    }

    fn refused(&mut self, id: MsgId, error: &tl::types::RpcError, time: i64) {
        let Some(mut call) = self.done(id) else { return };
        let not_introduced = ["CONNECTION_NOT_INITED", "CONNECTION_LAYER_INVALID"].contains(&error.error_message.as_str());
        if not_introduced && call.tries < TRIES {
            self.introduced = false;
            call.ids = None;
            self.queue.push_back(call);
            return;
        }
        self.measured(&call, time);
        self.patience = PATIENCE;
        call.answer(Err(Error::Rpc { code: error.error_code, name: Clean::new(&error.error_message) }));
    }

    /// A new session with the offset that the server's clock tells, and no memory of ids that were too high.
    fn renew(&mut self, code: i32, time: i64) -> Result<(), Error> {
        self.lose_patience(code)?;
        let offset = time - super::clock::host_ms();
        self.mtp = session(&self.key, self.salt, offset);
        self.guard.renewed();
        self.offset.send_replace(Interval::new(offset - 1000, offset + 1000));
        self.introduced = false;
        // Their answers would come to a session that is no more.
        for call in self.under_way.drain(..) {
            call.answer(Err(Error::Closed));
        }
        Ok(())
    }

    /// The server did not take a message.
    fn bad(&mut self, id: MsgId, code: i32, time: i64) -> Result<(), Error> {
        let (again, rest): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|c| c.ids.is_some_and(|i| i.0 == id || i.1 == id));
        self.under_way = rest;
        if code != 48 {
            self.renew(code, time)?;
        }
        for mut call in again {
            if call.tries >= TRIES {
                call.answer(Err(Error::Refused(code)));
            } else {
                call.ids = None;
                self.queue.push_back(call);
            }
        }
        Ok(())
    }
}

/// The code of a decrypted packet that is nothing but a `bad_msg_notification`.
fn refusal(packet: &[u8]) -> Option<i32> {
    let mut c = Cursor::from_slice(packet.get(56..)?);
    match tl::enums::BadMsgNotification::deserialize(&mut c).ok()? {
        tl::enums::BadMsgNotification::Notification(n) => Some(n.error_code),
        // The layer takes the new salt by itself.
        tl::enums::BadMsgNotification::BadServerSalt(_) => None,
    }
}

/// A call inside of `invokeWithLayer(initConnection(…))`.
fn introduced(app: &App, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 160);
    tl::functions::InvokeWithLayer::<tl::functions::help::GetConfig>::CONSTRUCTOR_ID.serialize(&mut out);
    tl::LAYER.serialize(&mut out);
    tl::functions::InitConnection::<tl::functions::help::GetConfig>::CONSTRUCTOR_ID.serialize(&mut out);
    0u32.serialize(&mut out);
    app.id.serialize(&mut out);
    for text in [app.device.as_str(), &app.system, &app.version, "en", "", "en"] {
        text.to_owned().serialize(&mut out);
    }
    out.extend(body);
    out
}

/// What of an update concerns us. Only that is read: an update may hold pages of text in text, whose depth nobody limits, and reading
/// them takes as much stack as the server likes.
pub(super) fn read(body: &[u8]) -> Vec<Update> {
    use tl::types::{UpdateShort, Updates, UpdatesCombined};
    /// `Vector t`.
    const VECTOR: u32 = 0x1cb5_c415;
    let mut c = Cursor::from_slice(body);
    let mut number = || u32::deserialize(&mut c).unwrap_or_default();
    let count = match number() {
        UpdateShort::CONSTRUCTOR_ID => 1,
        Updates::CONSTRUCTOR_ID | UpdatesCombined::CONSTRUCTOR_ID if number() == VECTOR => number().min(64),
        _ => 0,
    };
    let known: Vec<_> = (0..count).map_while(|_| one(&mut c)).collect();
    if known.len() == count as usize && count > 0 {
        return known;
    }
    // Behind something else: that it is there is enough, whoever hears of it asks the server.
    let scanned = body.chunks_exact(4).any(|w| w == tl::types::UpdateLoginToken::CONSTRUCTOR_ID.to_le_bytes().as_slice());
    let mut known = known;
    known.push(if scanned { Update::LoginToken } else { Update::Other });
    known
}

/// One update, if it is one that concerns us.
fn one(c: &mut Cursor<'_>) -> Option<Update> {
    match u32::deserialize(c).ok()? {
        tl::types::UpdateLoginToken::CONSTRUCTOR_ID => Some(Update::LoginToken),
        tl::types::UpdateNewAuthorization::CONSTRUCTOR_ID => {
            let u = tl::types::UpdateNewAuthorization::deserialize(c).ok()?;
            Some(Update::NewDevice { hash: u.hash, unconfirmed: u.unconfirmed, device: u.device.as_deref().map(Clean::new) })
        }
        _ => None,
    }
}
