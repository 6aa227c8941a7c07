//! What a Telegram of the sandbox knows: keys, accounts, their sessions, tokens, codes, connections, and the log.

use super::{
    crypto::key_id,
    settings::{TelegramAccount, TelegramSession, TelegramSettings},
    srp::Challenge,
};
use crate::sandbox::Clock;
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A key's name on the wire.
pub(super) type KeyId = [u8; 8];

/// Calls kept in the log.
const CALLS: usize = 50_000;
/// Message ids kept of one session, to tell a repeated one.
const IDS: usize = 512;

/// One RPC as the servers saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelegramCall {
    /// When, by the servers' clock, milliseconds since 1970.
    pub at_ms: i64,
    /// At which data centre.
    pub dc: i32,
    /// On which connection.
    pub conn: u64,
    /// With which key.
    pub key: KeyId,
    /// The method, such as `auth.exportLoginToken`.
    pub method: &'static str,
    /// `ok`, or the error's name.
    pub outcome: String,
}

/// A connection that is open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelegramConn {
    /// Its number.
    pub id: u64,
    /// The data centre.
    pub dc: i32,
    /// The key that it used last; `None` while it has only talked in the clear.
    pub key: Option<KeyId>,
    /// The account that the key belongs to.
    pub account: Option<i64>,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelegramCounts {
    /// TCP connections.
    pub connections: u64,
    /// `req_pq` questions.
    pub exchanges: u64,
    /// Keys made.
    pub keys: u64,
    /// Encrypted packets.
    pub packets: u64,
    /// Messages refused: `bad_msg_notification` 16 or 17.
    pub bad_time: u64,
    /// Messages refused for their salt.
    pub bad_salt: u64,
    /// Messages refused for another reason.
    pub bad_other: u64,
    /// Requests for salts.
    pub salt_requests: u64,
}

/// What is told of a device by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    pub(super) api_id: i32,
    pub(super) model: String,
    pub(super) system: String,
    pub(super) app_version: String,
}

/// One session of a client (MTProto's word: a session id chosen by the client).
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) content: i32,
    pub(super) inited: bool,
    pub(super) seen: VecDeque<i64>,
}

/// A key as its data centre knows it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) bytes: Box<[u8; 256]>,
    pub(super) dc: i32,
    pub(super) first_salt: i64,
    pub(super) made_s: i64,
    pub(super) device: Device,
    pub(super) ip: String,
    pub(super) sessions: HashMap<i64, Session>,
    /// Logged in as, with the row's hash.
    pub(super) account: Option<(i64, i64)>,
    /// Scanned or signed in, the password is missing.
    pub(super) pending: Option<(i64, i64)>,
    /// Why it is dead, or what it answers instead of being logged in.
    pub(super) dead: Option<(i32, &'static str)>,
    pub(super) srp: Option<Challenge>,
    pub(super) wrong_passwords: u32,
    pub(super) exports: VecDeque<i64>,
}

/// A row of `account.getAuthorizations`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) hash: i64,
    /// `None` between scanning and importing at another data centre.
    pub(super) key: Option<KeyId>,
    pub(super) device: Device,
    pub(super) app: String,
    pub(super) platform: String,
    pub(super) ip: String,
    pub(super) country: String,
    pub(super) created_s: i64,
    pub(super) active_s: i64,
    pub(super) pending: bool,
    pub(super) unconfirmed: bool,
    pub(super) official: bool,
}

/// An account and its rows.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) spec: TelegramAccount,
    pub(super) rows: Vec<Row>,
    pub(super) ttl_days: i32,
    /// What every key of it answers: `USER_DEACTIVATED`.
    pub(super) gone: Option<&'static str>,
    pub(super) verifier: Option<super::srp::Verifier>,
}

/// A login token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) key: KeyId,
    pub(super) conn: u64,
    pub(super) expires_s: i64,
    pub(super) except: Vec<i64>,
    /// Who scanned it, and the row that came of it.
    pub(super) accepted: Option<(i64, i64)>,
    /// Taken over at another data centre.
    pub(super) imported: bool,
    pub(super) number: u64,
}

/// A phone code on its way.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) account: i64,
    pub(super) code: String,
    pub(super) expires_s: i64,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) dc: i32,
    pub(super) key: Option<KeyId>,
    pub(super) session: i64,
    /// It sent an RPC while its key was logged in.
    pub(super) used: bool,
    pub(super) push: mpsc::UnboundedSender<Vec<u8>>,
    pub(super) kill: CancellationToken,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: TelegramSettings,
    pub(super) clock: Clock,
    pub(super) at: BTreeMap<i32, SocketAddr>,
    pub(super) keys: HashMap<KeyId, Key>,
    pub(super) accounts: BTreeMap<i64, Account>,
    pub(super) tokens: HashMap<Vec<u8>, Token>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) log: VecDeque<TelegramCall>,
    pub(super) counts: TelegramCounts,
    pub(super) last_id: i64,
    pub(super) made: u64,
    /// Next calls of a method that answer `FLOOD_WAIT`: method, seconds, how often.
    pub(super) floods: Vec<(String, u32, u32)>,
    /// Data centres that hang up at once.
    pub(super) down: HashSet<i32>,
    /// The clock moves an hour back or forth with each packet.
    pub(super) run_away: bool,
    /// RPCs are taken, carried out, and not answered.
    pub(super) mute: bool,
    /// Connections that are still answered with the transport's 429.
    pub(super) too_many: u32,
    /// How this one is hostile.
    pub(super) hostile: Option<super::Hostile>,
    /// Questions and calls that came, by name.
    pub(super) questions: Vec<&'static str>,
    /// The question that is never answered: which one, and whether it is carried out first.
    pub(super) held: Option<(usize, bool)>,
}

impl World {
    pub(super) fn new(settings: TelegramSettings, clock: Clock) -> Self {
        Self {
            settings,
            clock,
            at: BTreeMap::new(),
            keys: HashMap::new(),
            accounts: BTreeMap::new(),
            tokens: HashMap::new(),
            codes: HashMap::new(),
            conns: BTreeMap::new(),
            log: VecDeque::new(),
            counts: TelegramCounts::default(),
            last_id: 0,
            made: 0,
            floods: Vec::new(),
            down: HashSet::new(),
            run_away: false,
            mute: false,
            too_many: 0,
            hostile: None,
            questions: Vec::new(),
            held: None,
        }
    }

    /// The servers' clock in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms().saturating_add(self.settings.skew_ms)
    }

    /// The servers' clock in seconds.
    pub(super) fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// A message id of ours: server time, odd; 1 for an answer, 3 for what nobody asked for.
    pub(super) fn message_id(&mut self, answer: bool) -> i64 {
        let ms = self.now_ms();
        let time = (ms.div_euclid(1000) << 32) | (((ms.rem_euclid(1000) << 32) / 1000) & !3);
        // Never twice, never backwards, as long as the clock is not moved back.
        let id = if time > self.last_id || self.last_id - time > 60 << 32 { time } else { self.last_id + 4 } & !3;
        self.last_id = id;
        id | if answer { 1 } else { 3 }
    }

    /// A made-up number that has not been given out before.
    pub(super) fn number(&mut self) -> i64 {
        self.made += 1;
        let mut b = [0; 8];
        let _ = getrandom::fill(&mut b);
        (i64::from_le_bytes(b) & 0x7fff_ffff_ffff_0000) | (self.made as i64 & 0xffff) | 1
    }

    /// Learns a key.
    pub(super) fn learn(&mut self, bytes: Box<[u8; 256]>, dc: i32, first_salt: i64, ip: String) -> KeyId {
        let id = key_id(&bytes);
        let made_s = self.now_s();
        let key = Key {
            bytes,
            dc,
            first_salt,
            made_s,
            device: Device::default(),
            ip,
            sessions: HashMap::new(),
            account: None,
            pending: None,
            dead: None,
            srp: None,
            wrong_passwords: 0,
            exports: VecDeque::new(),
        };
        self.keys.insert(id, key);
        id
    }

    /// Adds an account with its sessions.
    pub(super) fn settle(&mut self, spec: TelegramAccount) {
        let verifier = spec.password.as_deref().map(super::srp::Verifier::new);
        let (id, dc, sessions) = (spec.id, spec.dc, spec.sessions.clone());
        self.accounts.insert(id, Account { spec, rows: Vec::new(), ttl_days: 183, gone: None, verifier });
        for s in sessions {
            self.seat(id, dc, &s);
        }
    }

    pub(super) fn seat(&mut self, account: i64, dc: i32, s: &TelegramSession) {
        let bytes = s.key.clone().unwrap_or_else(|| {
            let mut b = Box::new([0; 256]);
            let _ = getrandom::fill(&mut *b);
            b
        });
        let (salt, hash, now) = (self.number(), self.number(), self.now_s());
        let key = self.learn(bytes, dc, salt, s.ip.clone());
        let seconds = |d: Duration| d.as_secs() as i64;
        let row = Row {
            hash,
            key: Some(key),
            device: Device { api_id: self.settings.apps.first().map_or(0, |a| a.0), model: s.device.clone(), ..Device::default() },
            app: s.app.clone(),
            platform: s.platform.clone(),
            ip: s.ip.clone(),
            country: s.country.clone(),
            created_s: now - seconds(s.age),
            active_s: now - seconds(s.idle),
            pending: false,
            unconfirmed: s.unconfirmed,
            official: s.official,
        };
        if let Some(a) = self.accounts.get_mut(&account) {
            a.rows.push(row);
        }
        if let Some(k) = self.keys.get_mut(&key) {
            k.account = Some((account, hash));
            k.made_s = now - seconds(s.age);
        }
    }

    /// Takes a message id of a session; false for one that came before.
    pub(super) fn fresh_message(&mut self, key: KeyId, session: i64, id: i64) -> bool {
        let Some(s) = self.keys.get_mut(&key).and_then(|k| k.sessions.get_mut(&session)) else { return true };
        if s.seen.contains(&id) {
            return false;
        }
        s.seen.push_back(id);
        if s.seen.len() > IDS {
            s.seen.pop_front();
        }
        true
    }

    /// Ends a session: its row goes, its key answers this from now on.
    pub(super) fn end(&mut self, account: i64, hash: i64, why: (i32, &'static str)) -> bool {
        let Some(a) = self.accounts.get_mut(&account) else { return false };
        let Some(at) = a.rows.iter().position(|r| r.hash == hash) else { return false };
        let row = a.rows.remove(at);
        if let Some(k) = row.key.and_then(|k| self.keys.get_mut(&k)) {
            k.account = None;
            k.pending = None;
            k.dead = Some(why);
        }
        true
    }

    /// The row that a key is logged in with.
    pub(super) fn row(&mut self, key: KeyId) -> Option<&mut Row> {
        let (account, hash) = self.keys.get(&key)?.account?;
        self.accounts.get_mut(&account)?.rows.iter_mut().find(|r| r.hash == hash)
    }

    /// Other open connections that have sent RPCs with this key while it was logged in.
    pub(super) fn others(&self, key: KeyId, me: u64) -> usize {
        self.conns.iter().filter(|(id, c)| **id != me && c.key == Some(key) && c.used).count()
    }

    /// Sends `update` to every connection of an account but those with `except`.
    pub(super) fn tell(&self, account: i64, except: KeyId, update: &[u8]) {
        for c in self.conns.values() {
            let Some(key) = c.key.filter(|k| *k != except) else { continue };
            if self.keys.get(&key).and_then(|k| k.account).is_some_and(|(a, _)| a == account) {
                // A connection that ends now misses it, as it would there.
                let _ = c.push.send(update.to_vec());
            }
        }
    }

    /// A question or a call came. `Some`: it is not answered; true when it is carried out all the same.
    pub(super) fn asked(&mut self, name: &'static str) -> Option<bool> {
        if self.questions.len() < CALLS {
            self.questions.push(name);
        }
        self.held.filter(|(n, _)| *n == self.questions.len()).map(|(_, done)| done)
    }

    pub(super) fn note(&mut self, call: TelegramCall) {
        if self.log.len() == CALLS {
            self.log.pop_front();
        }
        self.log.push_back(call);
    }
}
