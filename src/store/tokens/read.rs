//! Reading tokens and their log.

use super::{
    super::{
        StoreError, secrets,
        thread::{Db, Tools},
    },
    FetchLine, KeptToken, Recent, SignKind, Signs, TokenBrief, TokenKey, TokenRow, WINDOW_MS,
};
use crate::{
    domain::{Clean, Fingerprint, Reason, Secret, Stamp, Wall},
    vault::Place,
};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;

/// A column that holds JSON, absent when it is empty or does not read back.
fn json<T: DeserializeOwned>(r: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    Ok(r.get::<_, Option<String>>(at)?.and_then(|t| serde_json::from_str(&t).ok()))
}

fn count(r: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(r.get::<_, i64>(at)?).unwrap_or(0))
}

/// The row as it lies there, and its sealed text.
fn raw(db: &Connection, id: &str, since: i64) -> rusqlite::Result<Option<(TokenRow, Option<Vec<u8>>)>> {
    let sql =
        "SELECT gateway, account, kind, form, gen, fp, len, blob, issued, expires, by, rejected, renewed, attempts, ended, forced, trouble, hold,
        (SELECT COUNT(*) FROM token_fetch f WHERE f.target = token.target AND f.wall > ?2 AND f.result NOT IN ('stopped', 'seen', 'good', 'unclear', 'untrusted')
          AND f.id > COALESCE((SELECT MAX(id) FROM token_fetch r WHERE r.target = token.target AND r.result = 'seen' AND r.cause = 'replaced'), 0))
        , whose,
        (SELECT COUNT(*) FROM token_fetch f WHERE f.target = token.target AND f.wall > ?2 AND f.result NOT IN ('stopped', 'seen', 'good', 'unclear', 'untrusted')
          AND f.cause IN ('operator', 'forced')
          AND f.id > COALESCE((SELECT MAX(id) FROM token_fetch r WHERE r.target = token.target AND r.result = 'seen' AND r.cause = 'replaced'), 0))
        FROM token WHERE target = ?1";
    db.prepare_cached(sql)?
        .query_row(rusqlite::params![id, since], |r| {
            let key = TokenKey {
                id: id.to_owned(),
                gateway: r.get(0)?,
                account: r.get(1)?,
                kind: r.get(2)?,
                form: r.get(3)?,
                whose: r.get::<_, Option<String>>(19)?.unwrap_or_default(),
            };
            let blob: Option<Vec<u8>> = r.get(7)?;
            let (issued, expires) = (json::<Stamp>(r, 8)?, json::<Stamp>(r, 9)?);
            let fingerprint = r.get::<_, Option<String>>(5)?.as_deref().and_then(Fingerprint::parse).or_else(|| Fingerprint::parse("-"));
            let forgotten = if blob.is_none() { fingerprint.clone().filter(|f| f.as_str().is_some()).zip(expires) } else { None };
            let token = match (&blob, issued, expires, fingerprint) {
                (Some(_), Some(issued), Some(expires), Some(fingerprint)) => Some(KeptToken {
                    fingerprint,
                    length: usize::try_from(r.get::<_, i64>(6)?).unwrap_or(0),
                    issued,
                    expires,
                    by: Clean::long(&r.get::<_, Option<String>>(10)?.unwrap_or_default()),
                    rejected: r.get(11)?,
                    renewed: r.get(12)?,
                    text: None,
                }),
                _ => None,
            };
            let row = TokenRow {
                key,
                generation: count(r, 4)?,
                token,
                forgotten,
                attempts: count(r, 13)?,
                ended: json(r, 14)?,
                forced: r.get(15)?,
                trouble: json(r, 16)?,
                hold: json(r, 17)?,
                fetches: u32::try_from(count(r, 18)?).unwrap_or(u32::MAX),
                ordered: u32::try_from(count(r, 20)?).unwrap_or(u32::MAX),
                signs: Signs::default(),
                tried: None,
                untrusted: false,
                unopened: false,
            };
            Ok((row, blob))
        })
        .optional()
}

/// What was seen of other holders since then.
fn signs(db: &Connection, id: &str, since: i64) -> rusqlite::Result<Signs> {
    let sql = "SELECT cause, COUNT(*), MAX(wall), MAX(by) FROM token_fetch WHERE target = ?1 AND wall > ?2 AND result = 'seen' GROUP BY cause";
    // What was seen before the secret was replaced tells nothing of the new one.
    let replaced = "SELECT MAX(wall) FROM token_fetch WHERE target = ?1 AND result = 'seen' AND cause = 'replaced'";
    let replaced: Option<i64> = db.prepare_cached(replaced)?.query_row([id], |r| r.get(0))?;
    let mut all = db.prepare_cached(sql)?;
    let mut found = all.query(rusqlite::params![id, since.max(replaced.unwrap_or(since))])?;
    let mut out = Signs::default();
    while let Some(r) = found.next()? {
        let (kind, n) = (r.get::<_, String>(0)?, u32::try_from(count(r, 1)?).unwrap_or(u32::MAX));
        let (kind, at) = (SignKind::ALL.into_iter().find(|k| k.name() == kind), Some(Wall(r.get(2)?)));
        if matches!(kind, Some(SignKind::Bot | SignKind::Doubt)) {
            out.doubt = out.doubt.max(at);
        }
        if kind != Some(SignKind::Doubt) {
            out.last = out.last.max(at);
        }
        match kind {
            Some(SignKind::Died) => out.died = n,
            Some(SignKind::Changed) => out.changed = n,
            Some(SignKind::Limited) => out.limited = n,
            Some(SignKind::Bot) => (out.bots, out.bot) = (n, Some(Clean::long(&r.get::<_, String>(3)?))),
            Some(SignKind::Doubt) | None => {}
        }
    }
    Ok(out)
}

/// How the token that is there was last found when it was tried for a report.
fn tried(db: &Connection, id: &str, since: i64) -> rusqlite::Result<Option<(Wall, String)>> {
    // What is older than the newest token is about another one.
    let sql = "SELECT wall, result FROM token_fetch WHERE target = ?1 AND wall > ?2 AND result IN ('good', 'unclear', 'untrusted', 'new') ORDER BY id DESC LIMIT 1";
    let found = |r: &Row<'_>| Ok((Wall(r.get(0)?), r.get::<_, String>(1)?));
    let last = db.prepare_cached(sql)?.query_row(rusqlite::params![id, since], found).optional()?;
    Ok(last.filter(|(_, how)| how != "new"))
}

/// Reads a row on any connection and opens its text where the vault is open.
pub(super) fn open(db: &Connection, id: &str, t: &Tools<'_>) -> Result<Option<TokenRow>, StoreError> {
    let since = t.time.now().wall.0.saturating_sub(WINDOW_MS);
    let Some((mut row, blob)) = raw(db, id, since).map_err(|e| t.explain(e))? else { return Ok(None) };
    row.signs = signs(db, id, since).map_err(|e| t.explain(e))?;
    let tried = tried(db, id, since).map_err(|e| t.explain(e))?;
    row.untrusted = tried.as_ref().is_some_and(|(_, how)| how == "untrusted");
    row.tried = tried.map(|(at, how)| (at, how == "good"));
    if let (Some(token), Some(blob)) = (&mut row.token, blob) {
        let generation = i64::try_from(row.generation).unwrap_or(i64::MAX);
        match secrets::unseal(db, t, &Place { table: "token", id, column: "blob", generation }, &blob) {
            Ok(plain) => match String::from_utf8(plain.to_vec()) {
                Ok(text) => token.text = Some(Secret::new(text)),
                Err(_) => row.unopened = true,
            },
            Err(StoreError::Locked) => {}
            // Swapped or edited. Nobody is given it and it can be had again; that it is so is told.
            Err(why) if why.seal_broken() => row.unopened = true,
            // It is well: this process has the key no more.
            Err(why) => return Err(why),
        }
        if row.unopened {
            row.token = None;
        }
    }
    Ok(Some(row))
}

pub(super) fn row(db: &mut Db, id: &str) -> Result<Option<TokenRow>, StoreError> {
    let (path, vault, locks, time) = (db.path.clone(), db.vault.clone(), db.locks.clone(), db.time.clone());
    let t = Tools { vault: &vault, locks: &locks, time: &*time, path: &path };
    open(db.vault_db()?, id, &t)
}

pub(super) fn key(db: &mut Db) -> Result<[u8; 32], StoreError> {
    let path = db.path.clone();
    let found = secrets::token_key(db.vault_db()?).and_then(|k| k.ok_or(rusqlite::Error::QueryReturnedNoRows));
    found.map_err(|e| super::super::schema::explain(&path, &e))
}

pub(super) fn all(db: &mut Db) -> Result<Vec<TokenBrief>, StoreError> {
    let path = db.path.clone();
    let go = |db: &Connection| -> rusqlite::Result<Vec<TokenBrief>> {
        let mut all =
            db.prepare_cached("SELECT gateway, account, issued, CASE WHEN blob IS NULL THEN NULL ELSE expires END FROM token ORDER BY target")?;
        let brief = |r: &Row<'_>| Ok(TokenBrief { gateway: r.get(0)?, account: r.get(1)?, issued: json(r, 2)?, expires: json(r, 3)? });
        let found = all.query_map([], brief)?;
        found.collect()
    };
    go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))
}

/// Other targets that were kept for the same identity.
pub(super) fn kin(db: &mut Db, key: &TokenKey) -> Result<Vec<TokenBrief>, StoreError> {
    let path = db.path.clone();
    let go = |db: &Connection| -> rusqlite::Result<Vec<TokenBrief>> {
        let mut all = db.prepare_cached("SELECT gateway, account FROM token WHERE whose = ?1 AND target <> ?2 ORDER BY target")?;
        let brief = |r: &Row<'_>| Ok(TokenBrief { gateway: r.get(0)?, account: r.get(1)?, issued: None, expires: None });
        let found = all.query_map([&key.whose, &key.id], brief)?;
        found.collect()
    };
    go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))
}

pub(super) fn log(db: &mut Db, id: &str, limit: usize) -> Result<Vec<FetchLine>, StoreError> {
    let path = db.path.clone();
    let go = |db: &Connection| -> rusqlite::Result<Vec<FetchLine>> {
        let sql = "SELECT wall, by, cause, result, took_ms FROM token_fetch WHERE target = ?1 AND result <> 'seen' ORDER BY id DESC LIMIT ?2";
        let mut all = db.prepare_cached(sql)?;
        let clean = |r: &Row<'_>, at| Ok::<_, rusqlite::Error>(Clean::long(&r.get::<_, String>(at)?));
        let line =
            |r: &Row<'_>| Ok(FetchLine { at: Wall(r.get(0)?), by: clean(r, 1)?, cause: clean(r, 2)?, result: clean(r, 3)?, took_ms: count(r, 4)? });
        let found = all.query_map(rusqlite::params![id, i64::try_from(limit).unwrap_or(i64::MAX)], line)?;
        found.collect()
    };
    go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))
}

/// The window of [`TokenRow::fetches`] and [`TokenRow::signs`], line by line: by the same rules, so that what is drawn adds up to what is
/// counted.
pub(super) fn recent(db: &mut Db, id: &str, now: &Stamp) -> Result<Recent, StoreError> {
    let path = db.path.clone();
    let since = now.wall.0.saturating_sub(WINDOW_MS);
    let sql = "SELECT wall, cause, result = 'seen' FROM token_fetch WHERE target = ?1 AND wall > ?2
        AND result NOT IN ('stopped', 'good', 'unclear', 'untrusted')
        AND id > COALESCE((SELECT MAX(id) FROM token_fetch WHERE target = ?1 AND result = 'seen' AND cause = 'replaced'), 0)
        ORDER BY wall, id";
    let go = |db: &Connection| -> rusqlite::Result<Recent> {
        let mut out = Recent::default();
        let mut all = db.prepare_cached(sql)?;
        let mut found = all.query(rusqlite::params![id, since])?;
        while let Some(r) = found.next()? {
            let (at, cause, seen) = (Wall(r.get(0)?), r.get::<_, String>(1)?, r.get::<_, bool>(2)?);
            match SignKind::ALL.into_iter().find(|k| seen && k.name() == cause) {
                Some(SignKind::Doubt) => {}
                Some(kind) => out.seen.push((at, kind)),
                None if seen => {}
                None => out.sent.push(at),
            }
        }
        Ok(out)
    };
    go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))
}

pub(super) fn forced(db: &mut Db, id: &str, since: i64) -> Result<(u32, Option<i64>, Option<i64>), StoreError> {
    let path = db.path.clone();
    let sql = "SELECT COUNT(*), MIN(wall), MAX(wall) FROM token_fetch WHERE target = ?1 AND wall > ?2 AND cause = 'forced'";
    let go = |db: &Connection| db.query_row(sql, rusqlite::params![id, since], |r| Ok((r.get::<_, i64>(0)?, r.get(1)?, r.get(2)?)));
    let (n, first, last) = go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))?;
    Ok((u32::try_from(n).unwrap_or(u32::MAX), first, last))
}

pub(super) fn shared_down(db: &mut Db) -> Result<Option<(Stamp, Reason)>, StoreError> {
    let path = db.path.clone();
    let go = |db: &Connection| {
        let read = |r: &Row<'_>| Ok((json::<Stamp>(r, 0)?, json::<Reason>(r, 1)?));
        db.query_row("SELECT at, reason FROM shared_state WHERE k = 'down'", [], read).optional()
    };
    let found = go(db.vault_db()?).map_err(|e| super::super::schema::explain(&path, &e))?;
    Ok(found.and_then(|(at, reason)| Some((at?, reason?))))
}
