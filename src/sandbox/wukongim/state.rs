//! What the server keeps: users, device rows, sessions, channels.

use super::{session::Hello, wire::Peer};
use crate::sandbox::chance::Chance;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use tokio::time::Instant;

/// Messages kept; older ones go.
const MESSAGES: usize = 10_000;
/// Users and device rows kept at most: a sandbox is bounded.
pub(crate) const MOST_USERS: usize = 50_000;

/// A row of the user table.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) created_ns: i64,
    pub(crate) updated_ns: i64,
}

/// A row of the device table.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: u64,
    pub(crate) token: String,
    pub(crate) level: u8,
    pub(crate) created_ns: i64,
    pub(crate) updated_ns: i64,
    /// Until then the cache holds this row without `created_at`, and a look-up by flag panics.
    pub(crate) stale_until: Option<Instant>,
}

/// A session that the server knows of.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) uid: String,
    /// What it logged in with.
    pub(crate) token: String,
    pub(crate) flag: u8,
    pub(crate) level: u8,
    pub(crate) device_id: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) version: u8,
    pub(crate) up_ms: i64,
    pub(crate) active_ms: i64,
    pub(crate) in_msgs: u32,
    pub(crate) out_msgs: u32,
    pub(crate) in_bytes: u32,
    pub(crate) out_bytes: u32,
    pub(crate) in_packets: u32,
    pub(crate) out_packets: u32,
    pub(crate) peer: Peer,
}

impl Conn {
    /// What its client says when it connects again.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            uid: self.uid.clone(),
            token: self.token.clone(),
            flag: self.flag,
            device_id: self.device_id.clone(),
            ip: self.ip.clone(),
            port: self.port,
            version: self.version,
        }
    }
}

/// What a personal channel forbids.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Channel {
    pub(crate) ban: bool,
    pub(crate) send_ban: bool,
}

/// A message as the server stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// `message_id`, beyond 2^53.
    pub id: u64,
    /// Number within the conversation.
    pub seq: u32,
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// The sender's own number.
    pub client_msg_no: String,
    /// The payload in base64, as it came.
    pub payload: String,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chance: Chance,
    pub(crate) users: HashMap<String, User>,
    pub(crate) devices: HashMap<String, BTreeMap<u8, Device>>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) by_uid: HashMap<String, BTreeSet<u64>>,
    pub(crate) channels: HashMap<String, Channel>,
    pub(crate) system: Vec<String>,
    pub(crate) messages: VecDeque<Stored>,
    /// Sockets that have not (yet) got in.
    pub(crate) strangers: BTreeSet<u64>,
    /// Kicked sockets that nobody closed.
    pub(crate) zombies: BTreeSet<u64>,
    /// JWTs given out: text, name, end in milliseconds since 1970.
    pub(crate) jwts: VecDeque<(String, String, i64)>,
    /// Users that had anything to do with a session since the start (`user_handler_count`).
    pub(crate) handlers: BTreeSet<String>,
    next_conn: u64,
    last_ns: i64,
    last_id: u64,
}

impl State {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            chance: Chance::new(seed),
            users: HashMap::new(),
            devices: HashMap::new(),
            conns: BTreeMap::new(),
            by_uid: HashMap::new(),
            channels: HashMap::new(),
            system: Vec::new(),
            messages: VecDeque::new(),
            strangers: BTreeSet::new(),
            zombies: BTreeSet::new(),
            jwts: VecDeque::new(),
            handlers: BTreeSet::new(),
            next_conn: 0,
            last_ns: 0,
            last_id: 0,
        }
    }

    /// The number of the next socket.
    pub(crate) fn conn_id(&mut self) -> u64 {
        self.next_conn += 1;
        self.next_conn
    }

    /// An instant in nanoseconds since 1970 that no other row has: the real server's clock is that fine, ours is not.
    pub(crate) fn instant_ns(&mut self, now_ms: i64) -> i64 {
        let ns = now_ms.saturating_mul(1_000_000);
        self.last_ns = if ns > self.last_ns { ns } else { self.last_ns + 1 };
        self.last_ns
    }

    /// A snowflake: milliseconds since 2010-11-04, node, counter. Beyond 2^53.
    pub(crate) fn snowflake(&mut self, now_ms: i64, node: u64) -> u64 {
        let ms = u64::try_from(now_ms - 1_288_834_974_657).unwrap_or(0);
        let id = (ms << 22) | ((node & 0x3ff) << 12);
        self.last_id = if id > self.last_id { id } else { self.last_id + 1 };
        self.last_id
    }

    pub(crate) fn device(&self, uid: &str, flag: u8) -> Option<&Device> {
        self.devices.get(uid)?.get(&flag)
    }

    pub(crate) fn device_mut(&mut self, uid: &str, flag: u8) -> Option<&mut Device> {
        self.devices.get_mut(uid)?.get_mut(&flag)
    }

    pub(crate) fn channel(&self, uid: &str) -> Channel {
        self.channels.get(uid).copied().unwrap_or_default()
    }

    /// Sessions of a user, oldest first.
    pub(crate) fn conns_of(&self, uid: &str) -> Vec<u64> {
        self.by_uid.get(uid).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// Sessions of a user on one flag, oldest first.
    pub(crate) fn conns_on(&self, uid: &str, flag: u8) -> Vec<u64> {
        self.conns_of(uid).into_iter().filter(|id| self.conns.get(id).is_some_and(|c| c.flag == flag)).collect()
    }

    pub(crate) fn add_conn(&mut self, id: u64, conn: Conn) {
        self.by_uid.entry(conn.uid.clone()).or_default().insert(id);
        self.handlers.insert(conn.uid.clone());
        self.conns.insert(id, conn);
    }

    pub(crate) fn drop_conn(&mut self, id: u64) -> Option<Conn> {
        let conn = self.conns.remove(&id)?;
        if let Some(ids) = self.by_uid.get_mut(&conn.uid) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_uid.remove(&conn.uid);
            }
        }
        Some(conn)
    }

    pub(crate) fn store(&mut self, m: Stored) {
        if self.messages.len() == MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(m);
    }
}

/// CRC-32 (IEEE): the server finds a uid's slot by it.
pub(crate) fn slot(uid: &str) -> u32 {
    let mut crc = !0u32;
    for b in uid.bytes() {
        crc ^= u32::from(b);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc % 64
}
