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

/// How far the database has come.
pub(super) fn now(db: &Connection) -> rusqlite::Result<i64> {
    Ok(super::secrets::meta(db, KEY)?.and_then(|v| std::str::from_utf8(&v).ok()?.parse().ok()).unwrap_or(0))
}

/// One further, in the caller's transaction.
pub(super) fn step(tx: &Connection) -> rusqlite::Result<()> {
    let next = (now(tx)? + 1).to_string();
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

/// Raises the mark to where the database stands; never lowers it. What fails is made up by the next write.
pub(super) fn raise(db: &mut Db) {
    let path = db.path.clone();
    let Ok(found) = db.vault_db().map(|db| now(db)) else { return };
    if let Ok(n) = found
        && n > kept(&path)
    {
        let _ = keep(&path, n);
    }
}
