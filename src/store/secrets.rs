//! Sealed secrets and provider-private memos in `vault.db`.

use super::{
    Audit, StoreError, history, mark,
    thread::{Db, Tools},
};
use crate::{
    domain::{Fingerprint, GatewayId, Secret, Secrets},
    i18n::{Message, store as words},
    vault::{KeyMeta, Place},
};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Reads a value of `meta`.
pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.query_row("SELECT v FROM meta WHERE k = ?1", [key], |r| r.get(0)).optional()
}

/// The key that fingerprints of platforms' tokens are made with: one for all hosts that share tokens, else this store's own.
pub(super) fn token_key(db: &Connection) -> rusqlite::Result<Option<[u8; 32]>> {
    let kept = match meta(db, "token_key")? {
        Some(shared) => Some(shared),
        None => meta(db, "fingerprint_key")?,
    };
    Ok(kept.and_then(|k| k.try_into().ok()))
}

/// The vault's line.
pub(super) fn key_meta(db: &Connection) -> rusqlite::Result<Option<KeyMeta>> {
    Ok(meta(db, "vault")?.and_then(|v| serde_json::from_slice(&v).ok()))
}

/// Seals for `place` and proves, in this transaction, that the store's key is still the one in hand.
pub(super) fn seal(tx: &Transaction<'_>, t: &Tools<'_>, place: &Place<'_>, plain: &[u8]) -> Result<(Vec<u8>, String), StoreError> {
    let id = t.vault.key_id().ok_or(StoreError::Locked)?;
    let line = key_meta(tx).map_err(|e| t.explain(e))?;
    if line.is_none_or(|l| l.key_id != id) {
        return Err(StoreError::said(Message::new(&words::KEY_CHANGED)));
    }
    let sealed = t.vault.seal(place, plain).ok_or(StoreError::Locked)?;
    mark::step(tx).map_err(|e| t.explain(e))?;
    Ok((sealed, id))
}

/// Opens what was sealed for `place`.
pub(super) fn unseal(db: &Connection, t: &Tools<'_>, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    match t.vault.unseal(place, sealed) {
        None => Err(StoreError::Locked),
        Some(Some(plain)) => Ok(plain),
        // Another process replaced the key since this one opened the vault: the value is well.
        Some(None) if key_meta(db).map_err(|e| t.explain(e))?.is_none_or(|l| Some(l.key_id) != t.vault.key_id()) => {
            Err(StoreError::said(Message::new(&words::KEY_CHANGED)))
        }
        Some(None) => Err(StoreError::said(Message::new(&words::SEAL_BROKEN).with("what", format!("{} {}", place.table, place.id)))),
    }
}

/// Secrets as one JSON object in a buffer that is wiped.
pub(super) fn pack(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let plain: BTreeMap<&str, &str> = secrets.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
    // Room for the worst escaping (\u0000), so that no half-written copy is left behind by a growing buffer.
    let room = secrets.iter().map(|(k, v)| (k.len() + v.len()) * 6 + 8).sum::<usize>() + 2;
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    let _ = serde_json::to_writer(&mut *out, &plain);
    out
}

/// The reverse of [`pack`].
pub(super) fn unpack(plain: &[u8]) -> Secrets {
    let map: BTreeMap<String, String> = serde_json::from_slice(plain).unwrap_or_default();
    map.into_iter().map(|(k, v)| (k, Secret::new(v))).collect()
}

/// Seals it; `note`: the line of the audit that tells of it, in the same commit.
pub(super) fn put(db: &mut Db, name: &str, secret: &Secret, fingerprint_key: &[u8; 32], note: Option<&Audit>) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        let old: Option<i64> = tx.query_row("SELECT gen FROM secret WHERE name = ?1", [name], |r| r.get(0)).optional().map_err(|e| t.explain(e))?;
        let generation = old.unwrap_or(0).wrapping_add(1);
        let place = Place { table: "secret", id: name, column: "blob", generation };
        let (blob, key_id) = seal(tx, t, &place, secret.expose().as_bytes())?;
        let fp = Fingerprint::of(fingerprint_key, secret);
        let sql = "INSERT INTO secret VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET gen = ?2, key_id = ?3, fp = ?4, blob = ?5";
        tx.execute(sql, params![name, generation, key_id, fp.as_str(), blob]).map_err(|e| t.explain(e))?;
        note.map_or(Ok(()), |line| history::append_audit(tx, line)).map_err(|e| t.explain(e))
    })
}

pub(super) fn get(db: &mut Db, name: &str) -> Result<Option<Secret>, StoreError> {
    let path = db.path.clone();
    let vault = db.vault.clone();
    let (locks, time) = (db.locks.clone(), db.time.clone());
    let t = Tools { vault: &vault, locks: &locks, time: &*time, path: &path };
    let db = db.vault_db()?;
    let found: Option<(i64, Vec<u8>)> =
        db.query_row("SELECT gen, blob FROM secret WHERE name = ?1", [name], |r| Ok((r.get(0)?, r.get(1)?))).optional().map_err(|e| t.explain(e))?;
    let Some((generation, blob)) = found else { return Ok(None) };
    let plain = unseal(db, &t, &Place { table: "secret", id: name, column: "blob", generation }, &blob)?;
    let broken = || StoreError::said(Message::new(&words::SEAL_BROKEN).with("what", format!("secret {name}")));
    let text = String::from_utf8(plain.to_vec()).map_err(|_| broken())?;
    Ok(Some(Secret::new(text)))
}

pub(super) fn forget(db: &mut Db, name: &str) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        // A copy of before would bring it back.
        mark::step(tx).map_err(|e| t.explain(e))?;
        tx.execute("DELETE FROM secret WHERE name = ?1", [name]).map(|_| ()).map_err(|e| t.explain(e))
    })
}

/// Forgets all of these in one commit with its line of the audit.
pub(super) fn forget_noted(db: &mut Db, names: &[String], line: &Audit) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        mark::step(tx).map_err(|e| t.explain(e))?;
        for name in names {
            tx.execute("DELETE FROM secret WHERE name = ?1", [name]).map_err(|e| t.explain(e))?;
        }
        history::append_audit(tx, line).map_err(|e| t.explain(e))
    })
}

/// Forgets a secret unless it is another one by now, or none. True: it was there and is gone.
pub(super) fn forget_same(db: &mut Db, name: &str, was: &Secret) -> Result<bool, StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "SELECT gen, blob FROM secret WHERE name = ?1";
        let found: Option<(i64, Vec<u8>)> = tx.query_row(sql, [name], |r| Ok((r.get(0)?, r.get(1)?))).optional().map_err(|e| t.explain(e))?;
        let Some((generation, blob)) = found else { return Ok(false) };
        let plain = unseal(tx, t, &Place { table: "secret", id: name, column: "blob", generation }, &blob)?;
        if plain.as_slice() != was.expose().as_bytes() {
            return Ok(false);
        }
        // A copy of before would bring it back.
        mark::step(tx).map_err(|e| t.explain(e))?;
        tx.execute("DELETE FROM secret WHERE name = ?1", [name]).map(|n| n > 0).map_err(|e| t.explain(e))
    })
}

/// Names of all secrets with their fingerprints, readable while locked.
pub(super) fn list(db: &mut Db) -> Result<Vec<(String, Option<String>)>, StoreError> {
    // Without a transaction: a store that can only be read is asked too.
    let path = db.path.clone();
    let explain = |e| super::schema::explain(&path, &e);
    let mut all = db.vault_db()?.prepare("SELECT name, fp FROM secret ORDER BY name").map_err(explain)?;
    let found = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(explain)?;
    found.collect::<rusqlite::Result<_>>().map_err(explain)
}

pub(super) fn memo_get(db: &mut Db, gateway: &GatewayId, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
    let path = db.path.clone();
    let sql = "SELECT value FROM memo WHERE gateway = ?1 AND key = ?2";
    let text: Option<String> =
        db.vault_db()?.query_row(sql, [gateway.as_str(), key], |r| r.get(0)).optional().map_err(|e| super::schema::explain(&path, &e))?;
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}

pub(super) fn memo_put(db: &mut Db, gateway: &GatewayId, key: &str, value: &serde_json::Value) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "INSERT INTO memo VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3";
        tx.execute(sql, params![gateway.as_str(), key, value.to_string()]).map(|_| ()).map_err(|e| t.explain(e))
    })
}

/// Forgets a gateway that was removed: its secrets (`gateway/NAME/…`) and memos.
pub(super) fn forget_gateway(db: &mut Db, gateway: &GatewayId) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        // A copy of before would bring them back.
        mark::step(tx).map_err(|e| t.explain(e))?;
        let prefix = format!("gateway/{gateway}/");
        tx.execute("DELETE FROM secret WHERE substr(name, 1, length(?1)) = ?1", [&prefix]).map_err(|e| t.explain(e))?;
        tx.execute("DELETE FROM memo WHERE gateway = ?1", [gateway.as_str()]).map_err(|e| t.explain(e))?;
        tx.execute("DELETE FROM token WHERE gateway = ?1", [gateway.as_str()]).map_err(|e| t.explain(e))?;
        Ok(())
    })
}
