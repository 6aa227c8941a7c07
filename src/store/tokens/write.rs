//! Writing how attempts ended.

use super::{
    super::{
        StoreError, mark, secrets,
        thread::{Db, Tools},
    },
    Cause, DAY_MS, End, Ended, Hold, LOGGED, Sign, TokenKey, WINDOW_MS,
};
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, Stamp},
    vault::Place,
};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

/// Fingerprint and end stay: the platform may give the same one again, and that lives no longer for having been forgotten.
const FORGET: &str = "UPDATE token SET key_id = NULL, len = 0, blob = NULL, issued = NULL, by = NULL, rejected = 0,
    renewed = 0, trouble = NULL, hold = ?2 WHERE target = ?1";

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Makes the row if there is none, and tells its generation.
fn generation(tx: &Transaction<'_>, key: &TokenKey) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO token (target, gateway, account, kind, form) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET kind = ?4, form = ?5";
    tx.execute(sql, params![key.id, key.gateway, key.account, key.kind, key.form])?;
    tx.query_row("SELECT gen FROM token WHERE target = ?1", [&key.id], |r| r.get(0))
}

/// With the key that stands here at this moment: another process may have agreed on another one.
fn fingerprint(tx: &Transaction<'_>, token: &Secret) -> rusqlite::Result<Fingerprint> {
    let key = secrets::token_key(tx)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Fingerprint::of(&key, token))
}

/// From now on with that key; what lives here is called by it at once. Nothing is changed while the vault is locked.
pub(super) fn adopt_key(db: &mut Db, key: &[u8; 32]) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let explain = |err| t.explain(err);
        if secrets::token_key(tx).map_err(explain)?.as_ref() == Some(key) {
            return Ok(());
        }
        let kept = || -> rusqlite::Result<Vec<(String, i64, Vec<u8>)>> {
            let mut all = tx.prepare("SELECT target, gen, blob FROM token WHERE blob IS NOT NULL")?;
            let rows = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            rows.collect()
        };
        for (id, generation, blob) in kept().map_err(explain)? {
            let plain = match secrets::unseal(tx, t, &Place { table: "token", id: &id, column: "blob", generation }, &blob) {
                Ok(plain) => plain,
                // It keeps nobody else from the key: nobody is given it, and its own history tells of it.
                Err(why) if why.seal_broken() => {
                    unopened(tx, t, &id)?;
                    continue;
                }
                Err(why) => return Err(why),
            };
            let Ok(text) = String::from_utf8(plain.to_vec()) else {
                unopened(tx, t, &id)?;
                continue;
            };
            let fp = Fingerprint::of(key, &Secret::new(text));
            tx.execute("UPDATE token SET fp = ?2 WHERE target = ?1", params![id, fp.as_str()]).map_err(explain)?;
        }
        tx.execute("INSERT OR REPLACE INTO meta VALUES ('token_key', ?1)", [key.as_slice()]).map(|_| ()).map_err(explain)
    })
}

/// A line for a token that does not open, where nothing is fetched for it.
fn unopened(tx: &Transaction<'_>, t: &Tools<'_>, id: &str) -> Result<(), StoreError> {
    let by = Clean::new(&format!("pairdeck[{}]", std::process::id()));
    log(tx, t, id, &t.time.now(), &by, Cause::Broken.name(), "stopped", 0)
}

pub(super) fn ended(db: &mut Db, e: &Ended) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        let id = e.key.id.as_str();
        let explain = |err| t.explain(err);
        let before = generation(tx, &e.key).map_err(explain)?;
        let result = match &e.end {
            End::New { token, issued, expires, generation } => {
                let next = i64::try_from(*generation).unwrap_or(i64::MAX).max(before.saturating_add(1));
                let place = Place { table: "token", id, column: "blob", generation: next };
                let (blob, key_id) = secrets::seal(tx, t, &place, token.expose().as_bytes())?;
                let fp = fingerprint(tx, token).map_err(explain)?;
                let sql = "UPDATE token SET gen = ?2, key_id = ?3, fp = ?4, len = ?5, blob = ?6, issued = ?7, expires = ?8, by = ?9,
                    renewed = ?10, whose = ?11, rejected = 0, trouble = NULL, hold = NULL WHERE target = ?1";
                let length = i64::try_from(token.expose().chars().count()).unwrap_or(i64::MAX);
                let values = params![id, next, key_id, fp.as_str(), length, blob, json(issued), json(expires), e.by.as_str(), e.renewed, e.key.whose];
                tx.execute(sql, values).map_err(explain)?;
                "new"
            }
            End::Same { expires } => {
                // That it was rejected stays: the platform gave it again, and may go on refusing it.
                let sql = "UPDATE token SET expires = ?2, renewed = renewed OR ?3, trouble = NULL, hold = NULL WHERE target = ?1";
                tx.execute(sql, params![id, json(expires), e.renewed]).map_err(explain)?;
                "unchanged"
            }
            End::Failed { reason, hold } => {
                let sql = "UPDATE token SET trouble = ?2, hold = ?3 WHERE target = ?1";
                tx.execute(sql, params![id, json(reason), hold.as_ref().map(json)]).map_err(explain)?;
                reason.code.name()
            }
        };
        let sql = "UPDATE token SET attempts = attempts + 1, ended = ?2, forced = ?3 WHERE target = ?1";
        tx.execute(sql, params![id, json(&e.at), e.forced]).map_err(explain)?;
        if let Some(cause) = e.cause {
            let cause = if e.forced { "forced" } else { cause.name() };
            log(tx, t, id, &e.at, &e.by, cause, result, e.took_ms)?;
        }
        Ok(())
    })
}

#[allow(clippy::too_many_arguments)]
fn log(tx: &Transaction<'_>, t: &Tools<'_>, id: &str, at: &Stamp, by: &Clean, cause: &str, result: &str, took_ms: u64) -> Result<(), StoreError> {
    let go = || -> rusqlite::Result<()> {
        let sql = "INSERT INTO token_fetch (target, wall, by, cause, result, took_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        tx.execute(sql, params![id, at.wall.0, by.as_str(), cause, result, i64::try_from(took_ms).unwrap_or(i64::MAX)])?;
        // Signs apart from attempts: neither may push the other out; and forced ones are counted for a day.
        let sql = "DELETE FROM token_fetch WHERE target = ?1 AND (result = 'seen') = ?3 AND NOT (cause = 'forced' AND wall > ?4) AND id <= (SELECT id FROM token_fetch
            WHERE target = ?1 AND (result = 'seen') = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        tx.execute(sql, params![id, LOGGED, result == "seen", at.wall.0.saturating_sub(DAY_MS)])?;
        Ok(())
    };
    go().map_err(|e| t.explain(e))
}

pub(super) fn rejected(db: &mut Db, id: &str, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "UPDATE token SET rejected = 1 WHERE target = ?1 AND blob IS NOT NULL AND fp IS ?2";
        tx.execute(sql, params![id, fingerprint.as_str()]).map(|n| n == 1).map_err(|e| t.explain(e))
    })
}

pub(super) fn stopped(db: &mut Db, id: &str, at: &Stamp, by: &str, cause: Cause) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "SELECT 1 FROM token_fetch WHERE target = ?1 AND result = 'stopped' AND wall > ?2 AND wall <= ?3";
        let recent: Option<i64> =
            tx.query_row(sql, params![id, at.wall.0.saturating_sub(1000), at.wall.0], |r| r.get(0)).optional().map_err(|e| t.explain(e))?;
        if recent.is_some() {
            return Ok(());
        }
        log(tx, t, id, at, &Clean::long(by), cause.name(), "stopped", 0)
    })
}

pub(super) fn signs(db: &mut Db, id: &str, now: &Stamp, signs: &[Sign]) -> Result<bool, StoreError> {
    db.vault_tx(|tx, t| {
        let mut new = false;
        for sign in signs.iter().filter(|s| s.at.0 > now.wall.0.saturating_sub(WINDOW_MS)) {
            let (kind, by, nr) = (sign.kind.name(), sign.by.as_str(), i64::try_from(sign.nr).unwrap_or(i64::MAX));
            let sql = "SELECT 1 FROM token_fetch WHERE target = ?1 AND result = 'seen' AND cause = ?2 AND by = ?3 AND took_ms = ?4";
            let known: Option<i64> = tx.query_row(sql, params![id, kind, by, nr], |r| r.get(0)).optional().map_err(|e| t.explain(e))?;
            if known.is_none() {
                // Another clock may be ahead of this one.
                let at = Stamp::wall_only(sign.at.min(now.wall));
                log(tx, t, id, &at, &sign.by, kind, "seen", nr.unsigned_abs())?;
                new = true;
            }
        }
        Ok(new)
    })
}

pub(super) fn replaced(db: &mut Db, id: &str, now: &Stamp) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| log(tx, t, id, now, &Clean::new("secret"), "replaced", "seen", 0))
}

pub(super) fn shorter(db: &mut Db, id: &str, fingerprint: &Fingerprint, expires: &Stamp) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "UPDATE token SET expires = ?3 WHERE target = ?1 AND blob IS NOT NULL AND fp IS ?2 AND json_extract(expires, '$.wall') > ?4";
        tx.execute(sql, params![id, fingerprint.as_str(), json(expires), expires.wall.0]).map(|_| ()).map_err(|e| t.explain(e))
    })
}

/// Says whose token it is that an older version kept.
pub(super) fn whose(db: &mut Db, key: &TokenKey) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "UPDATE token SET whose = ?2 WHERE target = ?1 AND whose IS NULL";
        tx.execute(sql, params![key.id, key.whose]).map(|_| ()).map_err(|e| t.explain(e))
    })
}

pub(super) fn forget(db: &mut Db, id: &str) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        // A copy from before it gives the token back: it must be found to be older.
        let go = || tx.execute(FORGET, params![id, None::<String>]).and_then(|_| mark::step(tx));
        go().map_err(|e| t.explain(e))
    })
}

pub(super) fn wipe(db: &mut Db, key: &TokenKey, at: &Stamp) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        let hold = Hold { reason: Reason::new(ReasonCode::TokenForgotten).at(*at), until: None, against: None, times: 0 };
        let go = || -> rusqlite::Result<()> {
            generation(tx, key)?;
            tx.execute(FORGET, params![key.id, json(&hold)])?;
            mark::step(tx)
        };
        go().map_err(|e| t.explain(e))
    })
}

pub(super) fn tried(db: &mut Db, id: &str, fingerprint: &Fingerprint, at: &Stamp, by: &Clean, how: &str) -> Result<bool, StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "UPDATE token SET rejected = rejected AND NOT ?3 WHERE target = ?1 AND blob IS NOT NULL AND fp IS ?2";
        let this = tx.execute(sql, params![id, fingerprint.as_str(), how == "good"]).map_err(|e| t.explain(e))? == 1;
        if this {
            log(tx, t, id, at, by, Cause::Rejected.name(), how, 0)?;
        }
        Ok(this)
    })
}

pub(super) fn shared_down(db: &mut Db, down: Option<&(Stamp, Reason)>) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let done = match down {
            Some((at, reason)) => tx.execute("INSERT OR REPLACE INTO shared_state VALUES ('down', ?1, ?2)", params![json(at), json(reason)]),
            None => tx.execute("DELETE FROM shared_state WHERE k = 'down'", []),
        };
        done.map(|_| ()).map_err(|e| t.explain(e))
    })
}
