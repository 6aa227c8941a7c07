//! How far the store has come: a number that rises with every sealed write, and a mark of it in a file beside the database. A
//! database that is behind its mark was put back from a copy. The file finds a restored backup, not an attacker, who would put
//! back both; where the vault key lives in the keyring, the vault keeps a mark there too.

use super::thread::Db;
use rusqlite::Connection;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

const KEY: &str = "progress";
const RESTORED: &str = "restored";

/// How far the database has come.
pub(super) fn now(db: &Connection) -> rusqlite::Result<i64> {
    Ok(super::secrets::meta(db, KEY)?.and_then(|v| std::str::from_utf8(&v).ok()?.parse().ok()).unwrap_or(0))
}

/// One further, in the caller's transaction.
pub(super) fn step(tx: &Connection) -> rusqlite::Result<()> {
    let next = now(tx)?.saturating_add(1).to_string();
    tx.execute("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET v = ?2", rusqlite::params![KEY, next.as_bytes()]).map(|_| ())
}

fn file(vault_db: &Path) -> PathBuf {
    vault_db.with_file_name("vault.mark")
}

/// How far it had come by the file.
pub(super) fn kept(vault_db: &Path) -> i64 {
    fs::read_to_string(file(vault_db)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}

/// Writes the file whole.
pub(super) fn keep(vault_db: &Path, n: i64) -> io::Result<()> {
    let dir = vault_db.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(new, "{n}")?;
    new.as_file().sync_all()?;
    new.persist(file(vault_db)).map_err(|e| e.error)?;
    fs::File::open(dir)?.sync_all()
}

/// Where it stood and where its mark, when it was first seen behind its mark. Stays until somebody accepts it: writes that follow raise
/// the number past the mark, and change nothing about where the rest came from.
pub(super) fn restored(db: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let text = super::secrets::meta(db, RESTORED)?.and_then(|v| String::from_utf8(v).ok());
    Ok(text.and_then(|t| t.split_once(' ').and_then(|(now, mark)| Some((now.parse().ok()?, mark.parse().ok()?)))))
}

/// Writes that down, the first time.
pub(super) fn found_restored(db: &Connection, (now, mark): (i64, i64)) -> rusqlite::Result<()> {
    db.execute("INSERT OR IGNORE INTO meta VALUES (?1, ?2)", rusqlite::params![RESTORED, format!("{now} {mark}").as_bytes()]).map(|_| ())
}

/// Somebody has accepted it.
pub(super) fn accept_restored(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE k = ?1", [RESTORED]).map(|_| ())
}

/// Writes it down when the database is behind the file: before anything is written, as that would hide it. Returns where the
/// database stands unless it was put back.
pub(super) fn look(db: &Connection, vault_db: &Path) -> rusqlite::Result<Option<i64>> {
    // The mark first: another process may raise both in between.
    let mark = kept(vault_db);
    let now = now(db)?;
    if restored(db)?.is_some() {
        return Ok(None);
    }
    if now < mark {
        found_restored(db, (now, mark))?;
        return Ok(None);
    }
    Ok(Some(now).filter(|n| *n > mark))
}

/// Raises the mark to where the database stands; never lowers it, and leaves it while a copy that was put back is not accepted. What
/// fails is made up by the next write.
pub(super) fn raise(db: &mut Db) {
    let path = db.path.clone();
    let Ok(found) = db.vault_db().map(|db| look(db, &path)) else { return };
    if let Ok(Some(n)) = found {
        let _ = keep(&path, n);
    }
}
