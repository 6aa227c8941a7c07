//! How a gateway of the sandbox behaves. The defaults are the real server's defaults and the times that recordings show.

use super::clock::http_date;
use serde::Deserialize;
use std::time::Duration;

/// What an answer's `Date` header shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateMode {
    /// The gateway's clock: ours moved by so many milliseconds; positive when the gateway is ahead.
    Skewed(i64),
    /// Always the same instant, milliseconds since 1970: a proxy that answers from its cache.
    Frozen(i64),
    /// No header at all.
    Missing,
    /// Right, but so many seconds old: a cache that says so (`Age`).
    Cached(u32),
    /// Something that is no date.
    Garbage,
    /// A balancer over two hosts, the other one's clock so many milliseconds ahead: answers come from them in turn.
    InTurn(i64),
}

impl DateMode {
    /// How far the gateway's own clock is from ours, in milliseconds. What a proxy does to the header leaves it alone.
    pub(crate) const fn skew_ms(self) -> i64 {
        match self {
            Self::Skewed(ms) => ms,
            Self::Frozen(_) | Self::Missing | Self::Cached(_) | Self::Garbage | Self::InTurn(_) => 0,
        }
    }
    /// The header of the answer number `n` of a gateway whose clock shows `now_ms`.
    pub(crate) fn header(self, now_ms: i64, n: u64) -> Option<String> {
        match self {
            Self::Skewed(_) => Some(http_date(now_ms)),
            Self::Frozen(ms) => Some(http_date(ms)),
            Self::Missing => None,
            Self::Cached(s) => Some(http_date(now_ms.saturating_sub(i64::from(s) * 1000))),
            Self::Garbage => Some("yesterday, or so".to_owned()),
            Self::InTurn(ms) => Some(http_date(now_ms.saturating_add(if n.is_multiple_of(2) { 0 } else { ms }))),
        }
    }
    /// The header `Age`, in seconds.
    pub(crate) const fn age(self) -> Option<u32> {
        match self {
            Self::Cached(s) => Some(s),
            _ => None,
        }
    }
}

/// How events leave the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// `WEBSOCKET_GLOBAL_EVENTS=true`: all events of all instances on the root namespace.
    #[default]
    Global,
    /// Each instance has a namespace, which exists from its first event on; the root is silent.
    PerInstance,
    /// `WEBSOCKET_ENABLED=false`: no socket, and `websocket/find` and `set` answer an empty body.
    None,
}

/// The fixed waits of the server and of the far side. Every one can be shortened for a test or a demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// What `connect` waits after it opened a socket before it answers with whatever is there (2 s in the source).
    pub connect_wait: Duration,
    /// What `create` with `qrcode:true` waits (5 s in the source).
    pub create_wait: Duration,
    /// From a QR's arrival to the request for a pairing code (1 s in the source).
    pub code_wait: Duration,
    /// Life of one QR and one code (`qrTimeout: 45_000`).
    pub rotation: Duration,
    /// From closing a socket to the reconnect (recording ws-global: 50 to 90 ms).
    pub reconnect: Duration,
    /// How long a server without a way out stays in one futile attempt.
    pub futile: Duration,
    /// Between Engine.IO pings (25 s).
    pub ping: Duration,
    /// How long a pong may take (20 s).
    pub pong: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_wait: Duration::from_secs(2),
            create_wait: Duration::from_secs(5),
            code_wait: Duration::from_secs(1),
            rotation: Duration::from_secs(45),
            reconnect: Duration::from_millis(60),
            futile: Duration::from_secs(8),
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(20),
        }
    }
}

/// Settings of one gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `AUTHENTICATION_API_KEY`.
    pub key: String,
    /// `DATABASE_CONNECTION_CLIENT_NAME`, shown in every row.
    pub client_name: String,
    /// How events leave.
    pub events: Events,
    /// False when this host is in `WEBSOCKET_ALLOWED_HOSTS` (the default for loopback): then no key is asked.
    pub socket_needs_key: bool,
    /// `AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES`: events carry the instance's token, else `null`.
    pub expose_keys: bool,
    /// `QRCODE_LIMIT`: QR events of one life of the process.
    pub qr_limit: u32,
    /// Refs that the far side sends per socket; after the last one the socket ends with 408.
    pub refs: u32,
    /// One way of the link between server and far side.
    pub link_delay: Duration,
    /// Added to every answer.
    pub reply_delay: Duration,
    /// Offset of the server's `TZ`, in seconds: `date_time` of events is local time with a false `Z` (recording ws-limit2).
    pub tz_offset_s: i32,
    /// The gateway's clock and its `Date` header.
    pub date: DateMode,
    /// `PROMETHEUS_METRICS`.
    pub metrics: bool,
    /// True for a server that has not been activated: 503 `LICENSE_REQUIRED` (2.4).
    pub licence_required: bool,
    /// A path in front of every route, as behind a reverse proxy; everything else is the proxy's HTML 404.
    pub base_path: String,
    /// The QR form of 2026, `https://wa.me/settings/linked_devices#…,platform`.
    pub new_qr_form: bool,
    /// Waits.
    pub timing: Timing,
    /// The phone scans or types the current Offer by itself, so long after the first fresh one of an attempt.
    pub scans_after: Option<Duration>,
    /// Versions as `GET /` tells them.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: "GLOBAL-KEY-FOR-TESTS".to_owned(),
            client_name: "evolution_exchange".to_owned(),
            events: Events::Global,
            socket_needs_key: false,
            expose_keys: true,
            qr_limit: 30,
            refs: 6,
            link_delay: Duration::from_millis(100),
            reply_delay: Duration::ZERO,
            tz_offset_s: 0,
            date: DateMode::Skewed(0),
            metrics: true,
            licence_required: false,
            base_path: String::new(),
            new_qr_form: false,
            timing: Timing::default(),
            scans_after: None,
            version: "2.3.7".to_owned(),
        }
    }
}

/// What an instance has been through before the sandbox starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// Created, never paired.
    #[default]
    New,
    /// Linked and open.
    Online,
    /// Logged out on the phone (401); the last code is still in the server's memory, as it always is.
    LoggedOut,
    /// The row says that another login took the session (440).
    Replaced,
    /// A server that cannot reach the far side: `connecting` for ever, no QR.
    Futile,
    /// After the QR limit: memory `close`, database `connecting` (recordings 73, 74).
    LimitReached,
    /// The database says `open`, memory `close`: the link died unseen.
    DeadRow,
    /// Memory and database say `open`, the socket is dead: logout is 500 "Connection Closed", delete 400; a restart helps.
    DeadOpen,
    /// A pairing by number ran out: the stored session logs in and is refused (recording 53).
    Spoilt,
    /// Blocked by the far side (403).
    Forbidden,
    /// Open and closing again all the time (428), as on a bad line.
    Flapping,
    /// Connecting with a QR on the server's screen right now.
    Pairing,
}

/// One instance of a scenario.
#[derive(Clone, Debug, Default)]
pub struct InstanceSpec {
    /// Its name; hostile ones are accepted, as on the real server.
    pub name: String,
    /// Its past.
    pub past: Past,
    /// The number of the phone at the other end, digits only; made up from the name when empty.
    pub number: String,
    /// The profile name that the far side shows once linked.
    pub profile: String,
    /// A link of its own speed.
    pub link_delay: Option<Duration>,
    /// When its phone scans; `Some(None)` for a phone that never does.
    pub scans_after: Option<Option<Duration>>,
    /// Subscribes to all events per instance, as `websocket/set` does.
    pub subscribed: bool,
    /// The time since its last change of state.
    pub idle: Duration,
    /// Somebody else deletes it after so long.
    pub deleted_after: Option<Duration>,
}
