//! What the server writes, read leniently: unknown fields, nulls and missing fields are normal, one broken row never takes
//! others down. Bodies are told apart by content: JSON comes as `text/plain` too (wukongim 2.2.5, recording
//! user_onlinestatus_badbody). Ids exceed 2^53 and are read as whole numbers.

use crate::{
    domain::Secret,
    providers::http::json::{self, table},
};
use serde_json::Value;

/// One live connection of a uid, as the batch call lists it: one entry each, so that two on one flag come twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Online {
    /// The account.
    pub(super) uid: String,
    /// Its device flag.
    pub(super) flag: u8,
}

/// One device row: a (uid, flag) that was issued a token at some time. Rows are never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The row; 0 where the server tells none (v3).
    pub(super) id: u64,
    /// The account.
    pub(super) uid: String,
    /// Its token; `None`: empty (wiped), or not told, see `hidden`.
    pub(super) token: Option<Secret>,
    /// True when a token is set and the server does not tell which (v3).
    pub(super) hidden: bool,
    /// Device flag.
    pub(super) flag: u8,
    /// 0 slave, 1 master; others are stored as they came.
    pub(super) level: u8,
    /// When the row was made, ns since 1970; 0 where not told.
    pub(super) created_ns: i64,
    /// When it was last written, ns since 1970; 0 where not told.
    pub(super) updated_ns: i64,
}

/// One connection as the node lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conn {
    /// Its number on its node, ascending.
    pub(super) id: u64,
    /// The account.
    pub(super) uid: String,
    /// Where it comes from; may be forged by a PROXY header.
    pub(super) ip: String,
    /// Its port.
    pub(super) port: u16,
    /// The device id that the client gave.
    pub(super) device_id: String,
    /// Since when nothing came, as the server writes it (`1h2m3s`).
    pub(super) idle: String,
    /// For how long it is there, as the server writes it.
    pub(super) uptime: String,
    /// Flag and level as the server words them: `App(主)`, and `未知(从)` for every flag that it has no word for.
    pub(super) label: String,
    /// The node that holds the socket.
    pub(super) node_id: u64,
    /// The node that leads the uid's slot, and knows all its connections; 0 where not told.
    pub(super) leader_id: u64,
    /// Protocol version of the client.
    pub(super) version: u8,
}

impl Conn {
    /// The device flag, where the label has a word for it.
    pub(super) fn flag(&self) -> Option<u8> {
        match self.label.split('(').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "app" => Some(0),
            "web" => Some(1),
            "pc" => Some(2),
            "system" => Some(99),
            _ => None,
        }
    }

    /// The level of the session: false for slave. `None` where the label does not say.
    pub(super) fn master(&self) -> Option<bool> {
        let level = self.label.split_once('(')?.1;
        match level.trim_end_matches(')') {
            "主" | "master" => Some(true),
            "从" | "slave" => Some(false),
            _ => None,
        }
    }
}

/// One page of a list, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    /// Its rows, newest first.
    pub(super) rows: Vec<T>,
    /// True when more follow.
    pub(super) more: bool,
    /// How many the server sent, those that could not be read included.
    pub(super) sent: usize,
    /// The `created_at` of the last row, from which the next page begins (v2).
    pub(super) last: Option<i64>,
    /// The cursor of the next page (v3).
    pub(super) cursor: Option<String>,
}

/// A manager login.
#[derive(Debug)]
pub(super) struct Login {
    /// The JWT.
    pub(super) token: Secret,
    /// Its life in seconds, where told (v3).
    pub(super) seconds: Option<u64>,
    /// When it dies, seconds since 1970 by the server's clock (v2).
    pub(super) exp: Option<i64>,
}

/// Any JSON.
pub(super) fn json(body: &[u8]) -> Option<Value> {
    json::value(body)
}

/// The text of an error body: `msg` (v1, v2), `message` or `error` (v3 and the manager port).
pub(super) fn told(v: &Value) -> Option<&str> {
    ["msg", "message", "error"].iter().find_map(|k| v.get(k)?.as_str()).filter(|t| !t.is_empty())
}

/// The `status` inside a body, which is what counts: a banned uid gets HTTP 200 and 19 (recording user_token_banned_user).
pub(super) fn status(v: &Value) -> Option<i64> {
    v.get("status")?.as_i64()
}

fn text(v: &Value, key: &str) -> String {
    v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn small(v: &Value, key: &str) -> Option<u8> {
    u8::try_from(v.get(key)?.as_u64()?).ok()
}

/// A whole number, or one in a string: gateways in between write big ones as text.
fn big(v: &Value, key: &str) -> Option<u64> {
    let v = v.get(key)?;
    v.as_u64().or_else(|| v.as_str()?.parse().ok())
}

fn nanos(v: &Value, key: &str) -> i64 {
    big(v, key).and_then(|n| i64::try_from(n).ok()).unwrap_or(0)
}

/// A list: `null` is the empty one, and so is the object that an empty question gets (recording user_onlinestatus_empty).
fn list(v: &Value) -> Option<&[Value]> {
    match v {
        Value::Array(a) => Some(a),
        Value::Null => Some(&[]),
        _ => None,
    }
}

/// Answer of `/user/onlinestatus`. Entries that say anything but `online: 1` are left out.
pub(super) fn online(body: &[u8]) -> Option<Vec<Online>> {
    let v = json(body)?;
    if status(&v) == Some(200) {
        return Some(Vec::new());
    }
    let read = |v: &Value| {
        let here = v.get("online").is_none_or(|o| o.as_u64() == Some(1) || o.as_bool() == Some(true));
        here.then(|| Some(Online { uid: v.get("uid")?.as_str()?.to_owned(), flag: small(v, "device_flag")? }))?
    };
    Some(list(&v)?.iter().filter_map(read).collect())
}

impl Device {
    fn read(v: &Value) -> Option<Self> {
        let token = v.get("token").and_then(Value::as_str).filter(|t| !t.is_empty());
        Some(Self {
            id: big(v, "id")?,
            uid: v.get("uid")?.as_str()?.to_owned(),
            token: token.map(|t| Secret::new(t.to_owned())),
            hidden: false,
            flag: small(v, "device_flag")?,
            level: small(v, "device_level").unwrap_or(0),
            created_ns: nanos(v, "created_at"),
            updated_ns: nanos(v, "updated_at"),
        })
    }
}

fn page<T>(body: &[u8], read: fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let t = table(body, &["data", "items"], read)?;
    let said = |key: &str| t.rest.get(key);
    Some(Page {
        more: said("more").and_then(Value::as_u64) == Some(1) || said("has_more").and_then(Value::as_bool) == Some(true),
        cursor: ["next_cursor", "cursor"].iter().find_map(|k| said(k)?.as_str()).map(str::to_owned),
        last: t.last.map(|r| nanos(&r, "created_at")).filter(|n| *n > 0),
        sent: t.sent,
        rows: t.rows,
    })
}

/// Answer of `/cluster/devices`.
pub(super) fn devices(body: &[u8]) -> Option<Page<Device>> {
    page(body, Device::read)
}

/// Answer of `/cluster/users` or, in v3, `/manager/users`: the uids.
pub(super) fn users(body: &[u8]) -> Option<Page<String>> {
    page(body, |v| Some(v.get("uid")?.as_str()?.to_owned()))
}

impl Conn {
    fn read(v: &Value) -> Option<Self> {
        Some(Self {
            id: big(v, "id")?,
            uid: v.get("uid")?.as_str()?.to_owned(),
            ip: text(v, "ip"),
            port: v.get("port").and_then(Value::as_u64).and_then(|p| u16::try_from(p).ok()).unwrap_or(0),
            device_id: text(v, "device_id"),
            idle: text(v, "idle"),
            uptime: text(v, "uptime"),
            label: text(v, "device"),
            node_id: big(v, "node_id").unwrap_or(0),
            leader_id: big(v, "leader_id").unwrap_or(0),
            version: small(v, "version").unwrap_or(0),
        })
    }

    /// A v3 session, which has neither idle time nor protocol version.
    fn read_v3(v: &Value) -> Option<Self> {
        let (ip, port) = v.get("remote_addr").and_then(Value::as_str).and_then(|a| a.rsplit_once(':')).unwrap_or_default();
        Some(Self {
            id: big(v, "session_id")?,
            uid: v.get("uid")?.as_str()?.to_owned(),
            ip: ip.trim_matches(['[', ']']).to_owned(),
            port: port.parse().unwrap_or(0),
            device_id: text(v, "device_id"),
            idle: String::new(),
            uptime: String::new(),
            label: format!("{}({})", text(v, "device_flag"), text(v, "device_level")),
            node_id: big(v, "node_id").unwrap_or(0),
            leader_id: 0,
            version: 0,
        })
    }
}

/// Answer of `/connz`: rows, and how many there were. Its `total` ignores the filter and counts bare sockets.
pub(super) fn conns(body: &[u8]) -> Option<(Vec<Conn>, usize)> {
    table(body, &["connections"], Conn::read).map(|t| (t.rows, t.sent))
}

/// Answer of v3's `/manager/connections`.
pub(super) fn conns_v3(body: &[u8]) -> Option<(Vec<Conn>, usize)> {
    table(body, &["items"], Conn::read_v3).map(|t| (t.rows, t.sent))
}

/// Answer of v3's `/manager/users/:uid`: devices of the four named flags, without tokens, and sessions.
pub(super) fn user_v3(body: &[u8]) -> Option<(Vec<Device>, Vec<Conn>)> {
    let v = json(body)?;
    let uid = v.get("uid")?.as_str()?;
    let device = |d: &Value| {
        let flag = match d.get("device_flag")?.as_str()? {
            "app" => 0,
            "web" => 1,
            "pc" => 2,
            "system" => 99,
            _ => return None,
        };
        let hidden = d.get("token_set").and_then(Value::as_bool).unwrap_or(false);
        let level = u8::from(d.get("device_level").and_then(Value::as_str) == Some("master"));
        Some(Device { id: 0, uid: uid.to_owned(), token: None, hidden, flag, level, created_ns: 0, updated_ns: 0 })
    };
    let devices = list(v.get("devices").unwrap_or(&Value::Null))?.iter().filter_map(device).collect();
    let conns = list(v.get("connections").unwrap_or(&Value::Null))?.iter().filter_map(Conn::read_v3).collect();
    Some((devices, conns))
}

/// Answer of `/user/systemuids`: `null` when there are none.
pub(super) fn system_uids(body: &[u8]) -> Option<Vec<String>> {
    Some(list(&json(body)?)?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

/// Answer of `/manager/login` in v2 (`token`, `exp`) and v3 (`access_token`, `expires_in`).
pub(super) fn login(body: &[u8]) -> Option<Login> {
    let v = json(body)?;
    let token = ["token", "access_token"].iter().find_map(|k| v.get(k)?.as_str()).filter(|t| !t.is_empty())?;
    Some(Login {
        token: Secret::new(token.to_owned()),
        seconds: v.get("expires_in").and_then(Value::as_u64),
        exp: v.get("exp").and_then(Value::as_i64),
    })
}
