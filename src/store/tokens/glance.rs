//! A look at one token without a store: for a process that must answer within milliseconds.

use super::{
    super::{Paths, mark, paths, schema, secrets, thread::Tools},
    TokenRow, read,
};
use crate::{domain::Time, vault::Vault};
use rusqlite::{Connection, OpenFlags};

/// The row with its text opened, and the key of fingerprints. `None` whenever anything is not as usual: another version, a
/// vault whose key is not in a file, a database that cannot be read right now. Changes nothing.
pub fn glance(paths: &Paths, id: &str, whose: &str, time: &dyn Time) -> Option<(TokenRow, [u8; 32])> {
    let path = paths.vault_db();
    // The store says whose they are, and uses nothing of them.
    paths::owned(&paths.data).and_then(|()| paths::owned(&path)).ok()?;
    // Before the database: another process may raise both in between.
    let mark = mark::kept(&path);
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).ok()?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).ok()?;
    if version != schema::vault_version() {
        return None;
    }
    // One that was put back from a copy is not used without a word.
    if mark::now(&db).ok()? < mark || mark::restored(&db).ok()?.is_some() {
        return None;
    }
    let line = secrets::key_meta(&db).ok()??;
    let key = secrets::token_key(&db).ok()??;
    let vault = Vault::from_file(line, &paths.key_file())?;
    let locks = paths.locks();
    let row = read::open(&db, id, &Tools { vault: &vault, locks: &locks, time, path: &path }).ok()??;
    Some((row.of(whose), key))
}
