//! Telethon's SQLite session, read only. The bot that owns it holds locks and leaves them open; `immutable` looks past them
//! and touches nothing, so that what is read may be half of a change: the caller reads again before it calls that corrupt.

use super::{Format, LARGEST_SQLITE, Session, Trouble, dc_of, key_of};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use zeroize::Zeroizing;

/// How every SQLite file begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// The newest layout that was seen (Telethon 1.42).
const NEWEST: i64 = 8;

/// Reads the file at `path`.
///
/// # Errors
/// What is wrong with it.
pub fn read(path: &Path, length: u64) -> Result<Session, Trouble> {
    if length > LARGEST_SQLITE {
        return Err(Trouble::TooLarge(length));
    }
    let uri = uri(path).ok_or(Trouble::Corrupt("a path that SQLite cannot open"))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags).map_err(|e| broken(&e))?;
    // A schema that somebody else wrote must not run functions of ours.
    db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -512;").map_err(|e| broken(&e))?;
    let columns = columns(&db)?;
    if !["dc_id", "server_address", "auth_key"].iter().all(|c| columns.iter().any(|have| have == c)) {
        let pyrogram = columns.iter().any(|c| c == "user_id") && columns.iter().any(|c| c == "auth_key");
        return match version(&db) {
            Some(v) if v > NEWEST => Err(Trouble::Version(v)),
            _ if pyrogram => Err(Trouble::Foreign("a Pyrogram database")),
            _ => Err(Trouble::Foreign("another SQLite database")),
        };
    }
    // The length is asked for first: a value of any size is never loaded.
    let sql =
        "SELECT dc_id, typeof(auth_key), length(auth_key), CASE WHEN length(auth_key) = 256 THEN CAST(auth_key AS BLOB) END FROM sessions LIMIT 1";
    let row = db.query_row(sql, [], |r| {
        Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, String>(1)?, r.get::<_, Option<i64>>(2)?, r.get::<_, Option<Vec<u8>>>(3)?.map(Zeroizing::new)))
    });
    match row {
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(Trouble::NoKey),
        Err(e) => Err(broken(&e)),
        Ok((_, _, None | Some(0), _)) => Err(Trouble::NoKey),
        Ok((dc, kind, Some(_), Some(key))) if kind == "blob" => Ok(Session::new(Format::TelethonSqlite, dc_of(dc.unwrap_or(0))?, key_of(&key)?)),
        Ok((_, kind, Some(n), _)) if kind == "blob" => Err(Trouble::KeyLength(usize::try_from(n).unwrap_or(usize::MAX))),
        Ok(_) => Err(Trouble::Corrupt("auth_key is no blob")),
    }
}

fn uri(path: &Path) -> Option<String> {
    // SQLite takes `?` and `#` as the path's end and `%` as an escape.
    let text = path.to_str()?;
    let mut out = String::from(if path.is_absolute() { "file:" } else { "file:./" });
    for c in text.chars() {
        match c {
            '?' => out.push_str("%3f"),
            '#' => out.push_str("%23"),
            '%' => out.push_str("%25"),
            c => out.push(c),
        }
    }
    out.push_str("?immutable=1");
    Some(out)
}

/// Columns of the table `sessions`; none if that is no plain table. A view or a virtual table could run for ever.
fn columns(db: &Connection) -> Result<Vec<String>, Trouble> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'sessions' AND type = 'table' AND length(sql) < 4096
        AND lower(substr(ltrim(sql), 1, 13)) = 'create table ' AND lower(sql) NOT LIKE '%generated%' AND lower(sql) NOT LIKE '% as (%'";
    if db.query_row(sql, [], |r| r.get::<_, i64>(0)).map_err(|e| broken(&e))? != 1 {
        return Ok(Vec::new());
    }
    let mut rows = db.prepare("SELECT name FROM pragma_table_info('sessions') LIMIT 32").map_err(|e| broken(&e))?;
    let names = rows.query_map([], |r| r.get(0)).and_then(Iterator::collect);
    names.map_err(|e| broken(&e))
}

fn version(db: &Connection) -> Option<i64> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'version' AND type = 'table' AND lower(sql) NOT LIKE '%virtual%'";
    if db.query_row(table, [], |r| r.get::<_, i64>(0)).ok()? != 1 {
        return None;
    }
    db.query_row("SELECT version FROM version LIMIT 1", [], |r| r.get(0)).ok()
}

fn broken(e: &rusqlite::Error) -> Trouble {
    use rusqlite::ErrorCode as C;
    match e.sqlite_error_code() {
        Some(C::NotADatabase) => Trouble::Foreign("no SQLite database"),
        Some(C::DatabaseCorrupt) => Trouble::Corrupt("SQLite: malformed"),
        Some(C::CannotOpen | C::PermissionDenied) => Trouble::Unreadable("SQLite cannot open it".to_owned()),
        _ => Trouble::Corrupt("SQLite: cannot be read"),
    }
}
