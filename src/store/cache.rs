//! `cache.db`: rows as last observed, so that the first frame needs no network and no key. Everything here can be observed
//! again.

use super::{
    KnownGateway, Paths, StoreError,
    thread::{RowKey, lock},
};
use crate::{
    domain::{Clean, Fact, FactValue, GatewayId, Link, RemoteId, Row, Stamp, TokenInfo},
    i18n,
};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Mutex,
};

/// A row that says the same as before is written again only when its instant is this much older (ms): the first frame may
/// call a row older than it is, never younger.
const REFRESH_MS: i64 = 300_000;

/// Hash of each row's story and the wall time that was written with it.
pub(super) type Written = HashMap<RowKey, (u64, i64)>;

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    incarnation: Option<Box<str>>,
    #[serde(rename = "n")]
    label: Clean,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    identity: Option<Clean>,
    #[serde(rename = "l")]
    link: Link,
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<TokenInfo>,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<StoredFact>,
}

/// A fact by names: its label is looked up in the catalogues, its key among those seen.
#[derive(Serialize, Deserialize)]
struct StoredFact(String, String, Value);

#[derive(Serialize, Deserialize)]
enum Value {
    T(Clean),
    N(Clean),
    C(u64),
    A(Stamp),
    F(bool),
}

/// A static key equal to `key`. Keys are few and chosen by providers, so each is kept once a process; an edited cache
/// cannot make more than 256 of them.
fn static_key(key: &str) -> Option<&'static str> {
    static SEEN: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut seen = lock(&SEEN);
    let seen = seen.get_or_insert_with(HashSet::new);
    if let Some(known) = seen.get(key) {
        return Some(known);
    }
    if seen.len() >= 256 || key.len() > 64 {
        return None;
    }
    let kept: &'static str = Box::leak(key.to_owned().into_boxed_str());
    seen.insert(kept);
    Some(kept)
}

fn to_body(row: &Row) -> Body {
    let fact = |f: &Fact| {
        let value = match &f.value {
            FactValue::Text(c) => Value::T(c.clone()),
            FactValue::Number(c) => Value::N(c.clone()),
            FactValue::Count(n) => Value::C(*n),
            FactValue::At(s) => Value::A(*s),
            FactValue::Flag(b) => Value::F(*b),
        };
        StoredFact(f.key.to_owned(), f.label.name.to_owned(), value)
    };
    Body {
        incarnation: row.incarnation.clone(),
        label: row.label.clone(),
        identity: row.identity.clone(),
        link: row.link.clone(),
        tokens: row.tokens.clone(),
        facts: row.facts.iter().map(fact).collect(),
    }
}

/// A fact whose label this build does not know is left out: the next observation brings it anew.
fn to_fact(StoredFact(key, label, value): StoredFact) -> Option<Fact> {
    let value = match value {
        Value::T(c) => FactValue::Text(c),
        Value::N(c) => FactValue::Number(c),
        Value::C(n) => FactValue::Count(n),
        Value::A(s) => FactValue::At(s),
        Value::F(b) => FactValue::Flag(b),
    };
    Some(Fact { key: static_key(&key)?, label: i18n::find(&label)?, value })
}

fn to_row(gateway: &GatewayId, account: &str, device: &str, body: &str) -> Option<Row> {
    let body: Body = serde_json::from_str(body).ok()?;
    Some(Row {
        gateway: gateway.clone(),
        account: RemoteId::new(account),
        device: device.strip_prefix('/').map(RemoteId::new),
        incarnation: body.incarnation,
        label: body.label,
        identity: body.identity,
        link: body.link,
        tokens: body.tokens,
        facts: body.facts.into_iter().filter_map(to_fact).collect(),
    })
}

/// `''` for the account itself, `/ID` for a device, whose name may be empty.
fn device_text(device: Option<&str>) -> String {
    device.map_or_else(String::new, |d| format!("/{d}"))
}

/// Hash of what a row says, without when it was confirmed.
fn story(row: &Row) -> u64 {
    let mut still = row.clone();
    still.link.observed_at = None;
    for w in &mut still.link.witnesses {
        w.observed_at = Stamp::wall_only(crate::domain::Wall(0));
    }
    let mut h = DefaultHasher::new();
    serde_json::to_string(&to_body(&still)).unwrap_or_default().hash(&mut h);
    h.finish()
}

/// Writes rows and gateways in one transaction, leaving out rows that say nothing new.
pub(super) fn write(
    db: &mut Connection,
    written: &mut Written,
    rows: &HashMap<RowKey, Option<Row>>,
    gateways: &HashMap<GatewayId, Option<KnownGateway>>,
) -> rusqlite::Result<()> {
    let mut new = Vec::new();
    for (key, row) in rows {
        let mark = row.as_ref().map(|r| (story(r), r.link.observed_at.map_or(0, |s| s.wall.0)));
        let same = match (written.get(key), mark) {
            (Some((old, then)), Some((now, at))) => *old == now && at.saturating_sub(*then).unsigned_abs() < REFRESH_MS.unsigned_abs(),
            _ => false,
        };
        if !same {
            new.push((key, row, mark));
        }
    }
    if new.is_empty() && gateways.is_empty() {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = tx.prepare_cached("INSERT INTO row VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET body = ?4")?;
        let mut drop = tx.prepare_cached("DELETE FROM row WHERE gateway = ?1 AND account = ?2 AND device = ?3")?;
        for (key, row, _) in &new {
            let device = device_text(key.2.as_deref());
            match row.as_ref().and_then(|r| serde_json::to_string(&to_body(r)).ok()) {
                Some(body) => put.execute(params![key.0, key.1, device, body])?,
                None => drop.execute(params![key.0, key.1, device])?,
            };
        }
        for (id, gateway) in gateways {
            match gateway {
                Some(g) => {
                    let link = serde_json::to_string(&g.link).unwrap_or_default();
                    let version = g.version.as_ref().map(Clean::as_str);
                    tx.execute(
                        "INSERT INTO gateway VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET version = ?2, link = ?3",
                        params![id.as_str(), version, link],
                    )?
                }
                None => {
                    tx.execute("DELETE FROM row WHERE gateway = ?1", [id.as_str()])?;
                    tx.execute("DELETE FROM gateway WHERE id = ?1", [id.as_str()])?
                }
            };
        }
    }
    tx.commit()?;
    for (key, _, mark) in new {
        match mark {
            Some(mark) => written.insert(key.clone(), mark),
            None => written.remove(key),
        };
    }
    for (id, gateway) in gateways {
        if gateway.is_none() {
            written.retain(|k, _| k.0 != id.as_str());
        }
    }
    Ok(())
}

/// All rows, or those of one gateway, in the order of their names. A body that this build cannot read is left out.
pub(super) fn rows(db: &Connection, gateway: Option<&GatewayId>) -> rusqlite::Result<Vec<Row>> {
    let mut all =
        db.prepare_cached("SELECT gateway, account, device, body FROM row WHERE ?1 IS NULL OR gateway = ?1 ORDER BY gateway, account, device")?;
    let mut found = all.query([gateway.map(GatewayId::as_str)])?;
    let mut out = Vec::new();
    let mut last: Option<GatewayId> = None;
    while let Some(r) = found.next()? {
        let name = r.get_ref(0)?.as_str()?;
        let id = match &last {
            Some(id) if id.as_str() == name => id.clone(),
            _ => last.insert(GatewayId::new(name)).clone(),
        };
        out.extend(to_row(&id, r.get_ref(1)?.as_str()?, r.get_ref(2)?.as_str()?, r.get_ref(3)?.as_str()?));
    }
    Ok(out)
}

/// What is known of the gateways.
pub(super) fn gateways(db: &Connection) -> rusqlite::Result<Vec<KnownGateway>> {
    let mut all = db.prepare_cached("SELECT id, version, link FROM gateway ORDER BY id")?;
    let mut found = all.query([])?;
    let mut out = Vec::new();
    while let Some(r) = found.next()? {
        let Ok(link) = serde_json::from_str(r.get_ref(2)?.as_str()?) else { continue };
        let version: Option<String> = r.get(1)?;
        out.push(KnownGateway { id: GatewayId::new(r.get_ref(0)?.as_str()?), link, version: version.map(|v| Clean::new(&v)) });
    }
    Ok(out)
}

/// What the cache holds, for the first frame. Everything in it is stale until a watch confirms it.
#[derive(Clone, Debug, Default)]
pub struct FirstFrame {
    /// Every row, in the order of names.
    pub rows: Vec<Row>,
    /// Every gateway that was heard of.
    pub gateways: Vec<KnownGateway>,
}

/// Reads the cache on a connection of its own, read-only, making no file. Empty when there is no cache or it cannot be
/// read. Blocks for some milliseconds: called once, before anything else.
pub fn first_frame(paths: &Paths) -> FirstFrame {
    let path = paths.cache_db();
    if !path.is_file() {
        return FirstFrame::default();
    }
    let mut wal = path.clone().into_os_string();
    wal.push("-wal");
    let wal = std::path::PathBuf::from(wal);
    // Nobody has it open: read it as a plain file, because a read-only WAL connection would make -wal and -shm.
    if !wal.exists() {
        let frame = read(&uri(&path, "immutable=1"));
        // Unless somebody opened it meanwhile: then what was read may be torn.
        if !wal.exists() {
            return frame.unwrap_or_default();
        }
    }
    read(&uri(&path, "mode=ro")).unwrap_or_default()
}

fn read(uri: &str) -> Result<FirstFrame, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let go = || -> rusqlite::Result<FirstFrame> {
        let db = Connection::open_with_flags(uri, flags)?;
        db.busy_timeout(std::time::Duration::from_millis(50))?;
        Ok(FirstFrame { rows: rows(&db, None)?, gateways: gateways(&db)? })
    };
    go().map_err(|e| StoreError::Trouble(e.to_string()))
}

fn uri(path: &std::path::Path, how: &str) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut out = "file:".to_owned();
    for b in path.as_os_str().as_bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => out.push(char::from(*b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    format!("{out}?{how}")
}
