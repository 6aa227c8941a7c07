//! The gateway's data: rows (the database) and lives (the process's memory), which are allowed to disagree.

use crate::sandbox::{
    chance::Chance,
    json::{Json, map},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

/// Memory state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Logged in.
    Open,
    /// A socket is being opened, or a code is on offer.
    Connecting,
    /// No socket.
    Close,
}

impl Link {
    /// As the wire says it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Connecting => "connecting",
            Self::Close => "close",
        }
    }
}

/// The database row of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: Link,
    pub(crate) owner: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) token: String,
    pub(crate) reason: Option<u16>,
    pub(crate) reason_object: Option<String>,
    pub(crate) reason_at: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) settings: Setting,
    /// websocket, webhook, proxy, rabbitmq, nats, sqs, kafka, pusher: the rows that were set.
    pub(crate) extras: BTreeMap<&'static str, Json>,
    /// The key of this row's life in memory.
    pub(crate) life: u64,
}

/// The settings row. `settings/find` shows its eight values, `fetchInstances` the whole.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) id: String,
    pub(crate) values: Vec<(&'static str, Json)>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

/// Names of the settings in the server's order.
pub(crate) const SETTINGS: [&str; 8] =
    ["rejectCall", "msgCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory", "wavoipToken"];

impl Setting {
    pub(crate) fn new(id: String, now: i64) -> Self {
        let empty = |n: &str| if matches!(n, "msgCall" | "wavoipToken") { Json::from("") } else { Json::Bool(false) };
        Self { id, values: SETTINGS.iter().map(|n| (*n, empty(n))).collect(), created: now, updated: now }
    }

    /// The flat object of `settings/find`.
    pub(crate) fn flat(&self) -> Json {
        Json::Map(self.values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
    }
}

/// The key fields of a session: they stay through all its refs and are new after a wipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) noise: String,
    pub(crate) identity: String,
    pub(crate) adv: String,
    /// `creds.me`: set by a link *and* by a request for a pairing code. With it the next socket logs in instead of registering.
    pub(crate) me: Option<String>,
    /// True once a phone has really linked it.
    pub(crate) registered: bool,
}

impl Session {
    pub(crate) fn new(c: &mut Chance) -> Self {
        Self { noise: c.base64(32), identity: c.base64(32), adv: c.base64(32), me: None, registered: false }
    }
}

/// `instance.qrcode` of the source: never cleared but by the QR limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct QrCode {
    /// Outer `None`: undefined, the key is dropped. Inner `None`: `null`.
    pub(crate) pairing_code: Option<Option<String>>,
    pub(crate) code: Option<String>,
    pub(crate) base64: Option<String>,
    pub(crate) count: u32,
}

impl QrCode {
    /// The answer of `connect`: undefined keys are dropped, so "not yet" is `{"count":0}` (recording 49).
    pub(crate) fn json(&self) -> Json {
        let mut pairs = Vec::new();
        if let Some(p) = &self.pairing_code {
            pairs.push(("pairingCode".to_owned(), Json::from(p.clone())));
        }
        if let Some(c) = &self.code {
            pairs.push(("code".to_owned(), Json::from(c)));
        }
        if let Some(b) = &self.base64 {
            pairs.push(("base64".to_owned(), Json::from(b)));
        }
        pairs.push(("count".to_owned(), Json::from(self.count)));
        Json::Map(pairs)
    }
}

/// What the far side would accept from a phone right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) code: String,
    pub(crate) pairing_code: Option<String>,
}

/// One instance in the server's memory. A deleted one may live on as a zombie.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) name: String,
    pub(crate) instance_id: String,
    pub(crate) token: String,
    pub(crate) link: Link,
    pub(crate) status_reason: u16,
    /// Set by the first `open`, kept until the process restarts.
    pub(crate) wuid: Option<String>,
    pub(crate) profile: String,
    pub(crate) qr: QrCode,
    /// The number of the last `connect`; a reconnect uses it again.
    pub(crate) number: Option<String>,
    pub(crate) session: Option<Session>,
    /// The generation of the living socket; 0 when there is none. A task whose generation is not this one has been closed.
    pub(crate) socket: u64,
    pub(crate) offered: Option<Offered>,
    pub(crate) link_delay: Duration,
    /// Refs per socket.
    pub(crate) refs: u32,
    pub(crate) scans_after: Option<Duration>,
    /// The phone at the other end.
    pub(crate) phone: String,
    /// True for a server that cannot reach the far side from this instance.
    pub(crate) futile: bool,
    /// The link falls and comes back all the time.
    pub(crate) flapping: bool,
}

/// Everything a gateway holds, behind one lock that is never held across a wait.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<u64, Row>,
    pub(crate) by_name: HashMap<String, u64>,
    pub(crate) lives: HashMap<u64, Life>,
    /// Namespaces that exist: they begin with an instance's first event since the start.
    pub(crate) namespaces: HashSet<String>,
    pub(crate) chance: Chance,
    next: u64,
    /// Raised by a restart of the server; tasks of an older run end.
    pub(crate) run: u64,
}

impl State {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            rows: BTreeMap::new(),
            by_name: HashMap::new(),
            lives: HashMap::new(),
            namespaces: HashSet::new(),
            chance: Chance::new(seed),
            next: 0,
            run: 1,
        }
    }

    /// A number not used before.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.get(self.by_name.get(name)?)
    }

    pub(crate) fn row_mut(&mut self, name: &str) -> Option<&mut Row> {
        self.rows.get_mut(self.by_name.get(name)?)
    }

    pub(crate) fn life_of(&mut self, name: &str) -> Option<&mut Life> {
        let key = self.row(name)?.life;
        self.lives.get_mut(&key)
    }

    /// The row of a life, unless it is a zombie.
    pub(crate) fn row_of(&mut self, life: u64) -> Option<&mut Row> {
        let name = &self.lives.get(&life)?.name;
        let row = self.rows.get_mut(self.by_name.get(name)?)?;
        (row.life == life).then_some(row)
    }
}

/// One element of `fetchInstances`.
pub(crate) fn listed(row: &Row, client_name: &str) -> Json {
    use crate::sandbox::clock::iso;
    let extra = |k: &str| row.extras.get(k).cloned().unwrap_or(Json::Null);
    let mut setting = vec![("id".to_owned(), Json::from(&row.settings.id))];
    setting.extend(row.settings.values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    setting.push(("createdAt".to_owned(), iso(row.settings.created).into()));
    setting.push(("updatedAt".to_owned(), iso(row.settings.updated).into()));
    setting.push(("instanceId".to_owned(), Json::from(&row.id)));
    map! {
        "id" => &row.id,
        "name" => &row.name,
        "connectionStatus" => row.status.text(),
        "ownerJid" => row.owner.clone(),
        "profileName" => row.profile.clone(),
        "profilePicUrl" => Json::Null,
        "integration" => "WHATSAPP-BAILEYS",
        "number" => row.number.clone(),
        "businessId" => Json::Null,
        "token" => &row.token,
        "clientName" => client_name,
        "disconnectionReasonCode" => row.reason,
        "disconnectionObject" => row.reason_object.clone(),
        "disconnectionAt" => row.reason_at.map(iso),
        "createdAt" => iso(row.created),
        "updatedAt" => iso(row.updated),
        "Chatwoot" => Json::Null,
        "Proxy" => extra("proxy"),
        "Rabbitmq" => extra("rabbitmq"),
        "Nats" => extra("nats"),
        "Sqs" => extra("sqs"),
        "Websocket" => extra("websocket"),
        "Setting" => Json::Map(setting),
        "_count" => map! { "Message" => 0u32, "Contact" => 0u32, "Chat" => 0u32 },
    }
}
