//! Opening the databases: pragmas, schema, migrations, and what to do with a broken or a newer one.

use super::{Paths, StoreError, mark, paths};
use crate::i18n::{Message, store as words};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, config::DbConfig};
use std::{fs, path::Path, time::Duration};

/// How long a writer waits for another process before it says so.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Steps that bring `vault.db` from version N to N + 1. Only ever appended to.
const VAULT: &[&str] = &["
    CREATE TABLE meta (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE secret (name TEXT PRIMARY KEY, gen INTEGER NOT NULL, key_id TEXT NOT NULL, fp TEXT, blob BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE memo (gateway TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (gateway, key)) WITHOUT ROWID;
    CREATE TABLE op (
        id INTEGER PRIMARY KEY AUTOINCREMENT, gateway TEXT NOT NULL, account TEXT NOT NULL, target TEXT NOT NULL, action TEXT NOT NULL,
        phase TEXT NOT NULL, step INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL, at TEXT NOT NULL,
        ended INTEGER, plan TEXT, gen INTEGER NOT NULL DEFAULT 0, sealed BLOB, reason TEXT);
    CREATE UNIQUE INDEX op_claim ON op (gateway, account) WHERE phase IN ('armed', 'planning', 'running', 'asking', 'back');
    CREATE INDEX op_phase ON op (phase) WHERE phase NOT IN ('done', 'failed', 'cancelled');
    CREATE TABLE change (id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, at TEXT NOT NULL, target TEXT NOT NULL,
        was TEXT NOT NULL, now TEXT NOT NULL, reason TEXT);
    CREATE INDEX change_target ON change (target, wall);
    CREATE INDEX change_wall ON change (wall);
    CREATE TABLE attempt (id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, at TEXT NOT NULL, target TEXT NOT NULL, outcome TEXT NOT NULL,
        verdict TEXT NOT NULL, overridden INTEGER NOT NULL, skew_ms INTEGER, offers INTEGER NOT NULL, discarded INTEGER NOT NULL, took_s INTEGER NOT NULL);
    CREATE INDEX attempt_wall ON attempt (wall);
    CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, wall INTEGER NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, pid INTEGER NOT NULL,
        target TEXT NOT NULL, action TEXT NOT NULL, verdict TEXT, outcome TEXT NOT NULL);
    CREATE INDEX audit_wall ON audit (wall);
    CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
    CREATE TABLE clock_sample (id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, gateway TEXT, body TEXT NOT NULL);
    CREATE INDEX clock_sample_wall ON clock_sample (wall);
", "
    DROP TABLE clock_sample;
    CREATE TABLE clock_point (gateway TEXT NOT NULL, wall INTEGER NOT NULL, lo INTEGER, hi INTEGER, verdict TEXT NOT NULL,
        PRIMARY KEY (gateway, wall)) WITHOUT ROWID;
    CREATE TABLE clock_event (id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, at TEXT NOT NULL, gateway TEXT NOT NULL,
        was TEXT NOT NULL, now TEXT NOT NULL, lo INTEGER, hi INTEGER, cause TEXT);
    CREATE INDEX clock_event_gateway ON clock_event (gateway);
    CREATE TABLE offer (attempt INTEGER NOT NULL, n INTEGER NOT NULL, issued INTEGER NOT NULL, verdict TEXT NOT NULL, outcome TEXT NOT NULL);
    CREATE INDEX offer_attempt ON offer (attempt);
", "
    CREATE TABLE token (target TEXT PRIMARY KEY, gateway TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, form TEXT NOT NULL,
        gen INTEGER NOT NULL DEFAULT 0, key_id TEXT, fp TEXT, len INTEGER NOT NULL DEFAULT 0, blob BLOB, issued TEXT, expires TEXT, by TEXT,
        rejected INTEGER NOT NULL DEFAULT 0, renewed INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, ended TEXT, forced INTEGER NOT NULL DEFAULT 0, trouble TEXT, hold TEXT) WITHOUT ROWID;
    CREATE TABLE token_fetch (id INTEGER PRIMARY KEY, target TEXT NOT NULL, wall INTEGER NOT NULL, by TEXT NOT NULL, cause TEXT NOT NULL,
        result TEXT NOT NULL, took_ms INTEGER NOT NULL);
    CREATE INDEX token_fetch_target ON token_fetch (target, wall);
    CREATE TABLE shared_state (k TEXT PRIMARY KEY, at TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
", "
    CREATE TRIGGER audit_adds BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
", "
    ALTER TABLE token ADD COLUMN whose TEXT;
"];

/// The same for `cache.db`. A cache of another version is simply rebuilt.
const CACHE: &[&str] = &["
    CREATE TABLE gateway (id TEXT PRIMARY KEY, version TEXT, link TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE row (gateway TEXT NOT NULL, account TEXT NOT NULL, device TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (gateway, account, device)) WITHOUT ROWID;
"];

/// Opens `vault.db`, making or migrating it.
///
/// # Errors
/// Unwritable, damaged or newer: nothing is changed then.
pub(super) fn open_vault(paths: &Paths) -> Result<Connection, StoreError> {
    let path = paths.vault_db();
    stands(&path)?;
    let db = open(&path, "FULL").map_err(|e| explain(&path, &e))?;
    // Until it is known to be whole: closing would fold the log into a damaged file.
    let fold = |db: &Connection, on: bool| db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on).map(|_| ());
    fold(&db, false).map_err(|e| explain(&path, &e))?;
    db.pragma_update(None, "secure_delete", "ON").map_err(|e| explain(&path, &e))?;
    let known = version_of(VAULT);
    let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(|e| explain(&path, &e))?;
    if found > known {
        let m = Message::new(&words::NEWER).with("path", path.to_string_lossy());
        return Err(StoreError::said(m.with("found", found.to_string()).with("known", known.to_string())));
    }
    // Small by nature; a damaged page is better found now than in the middle of an op.
    if fs::metadata(&path).is_ok_and(|m| m.len() < 16 << 20) {
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(|e| explain(&path, &e))?;
        if verdict != "ok" {
            return Err(broken(&path, &verdict));
        }
    }
    // SQLite opens what it may not write for reading, and says so only to the first who writes.
    if db.is_readonly(rusqlite::MAIN_DB).map_err(|e| explain(&path, &e))? {
        return Err(StoreError::said(Message::new(&words::READ_ONLY_FILE).with("path", path.to_string_lossy())));
    }
    let db = migrate(db, VAULT).map_err(|e| explain(&path, &e))?;
    fold(&db, true).map_err(|e| explain(&path, &e))?;
    Ok(db)
}

/// Refuses what SQLite would wait for, fail at without a cause, or take for a new database and write over: a folder, a pipe, a device, a
/// file that was emptied.
fn stands(path: &Path) -> Result<(), StoreError> {
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if found.is_dir() {
        return Err(broken(path, "a folder stands there"));
    }
    if !found.is_file() {
        return Err(broken(path, "a pipe or a device stands there"));
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let logged = fs::metadata(log).is_ok_and(|m| m.len() > 0);
    // One that is being made is empty too, but nothing was ever sealed in it.
    if found.len() == 0 && (logged || mark::kept(path) > 0) {
        return Err(broken(path, "it is empty"));
    }
    Ok(())
}

/// Opens a `vault.db` that cannot be written, or that is damaged, for reading only, with what stands in a log that was not folded in:
/// nothing is made, locked or changed.
pub(super) fn read_vault(paths: &Paths) -> Option<Connection> {
    let file = paths.vault_db();
    // SQLite would wait at a pipe for somebody to write into it, and takes the log of an empty file for rubbish.
    if !fs::metadata(&file).is_ok_and(|m| m.is_file() && m.len() > 0) {
        return None;
    }
    // No locks: the index of the log is in memory then, where a folder that cannot be written has no room for one.
    read(&file, "mode=ro&vfs=unix-none").or_else(|| read(&file, "immutable=1"))
}

fn read(file: &Path, how: &str) -> Option<Connection> {
    use rusqlite::OpenFlags;
    let plain = |b: u8| if b.is_ascii_alphanumeric() || b"/-_.".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    let path: String = file.to_str()?.bytes().map(plain).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(format!("file:{path}?{how}"), flags).ok()?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok()?;
    db.query_row("PRAGMA locking_mode=EXCLUSIVE", [], |r| r.get::<_, String>(0)).ok()?;
    let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).ok()?;
    (found == version_of(VAULT)).then_some(db)
}

/// Opens `cache.db`, making it; one that is broken or of another version is set aside (`cache.db.broken`) and rebuilt.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open_cache(paths: &Paths) -> Result<Connection, StoreError> {
    let path = paths.cache_db();
    // A folder or a pipe is somebody's: it is not moved.
    if fs::metadata(&path).is_ok_and(|m| !m.is_file()) {
        return Err(StoreError::said(Message::new(&words::CACHE_ODD).with("path", path.to_string_lossy())));
    }
    let attempt = || -> rusqlite::Result<Option<Connection>> {
        let db = open(&path, "NORMAL")?;
        let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        if found > version_of(CACHE) {
            return Ok(None);
        }
        let db = migrate(db, CACHE)?;
        db.query_row("SELECT 1 FROM row LIMIT 1", [], |_| Ok(())).optional()?;
        Ok(Some(db))
    };
    match attempt() {
        Ok(Some(db)) => return Ok(db),
        Ok(None) => {}
        Err(e) if is_broken(&e) => {}
        Err(e) => return Err(explain(&path, &e)),
    }
    for suffix in ["", "-wal", "-shm"] {
        let (mut from, mut to) = (path.clone().into_os_string(), path.clone().into_os_string());
        from.push(suffix);
        to.push(format!(".broken{suffix}"));
        let _ = fs::rename(from, to);
    }
    open(&path, "NORMAL").and_then(|db| migrate(db, CACHE)).map_err(|e| explain(&path, &e))
}

/// A cache that lives in memory, for a store whose folder cannot be written.
pub(super) fn memory_cache() -> Result<Connection, StoreError> {
    Connection::open_in_memory().and_then(|db| migrate(db, CACHE)).map_err(|e| StoreError::Trouble(e.to_string()))
}

/// The version that this build writes.
fn version_of(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// The version of `vault.db` that this build reads and writes.
pub(super) fn vault_version() -> i64 {
    version_of(VAULT)
}

fn open(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    // Made first by ourselves, owner only: SQLite's -wal and -shm inherit the mode.
    if !path.exists() {
        let _ = paths::private_file(path);
    }
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    let mode = if on_network(path) { "DELETE" } else { "WAL" };
    // Changing the mode takes an exclusive lock that does not honour the busy handler while another process opens.
    let mut tries = 0;
    loop {
        match db.query_row(&format!("PRAGMA journal_mode={mode}"), [], |r| r.get::<_, String>(0)) {
            Ok(_) => break,
            Err(e) if is_busy(&e) && tries < 100 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(e) => return Err(e),
        }
    }
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    Ok(db)
}

fn migrate(mut db: Connection, steps: &[&str]) -> rusqlite::Result<Connection> {
    let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0));
    if version(&db)? >= version_of(steps) {
        return Ok(db);
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have migrated meanwhile.
    let from = usize::try_from(version(&tx)?).unwrap_or(0);
    for step in steps.iter().skip(from) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", version_of(steps))?;
    tx.commit()?;
    Ok(db)
}

/// True on file systems whose shared memory does not reach other hosts: WAL would corrupt there.
#[cfg(target_os = "linux")]
fn on_network(path: &Path) -> bool {
    const NETWORK: [i64; 9] = [0x6969, 0x517B, 0xFE53_4D42, 0xFF53_4D42, 0x6573_5546, 0x0102_1997, 0x00C3_6400, 0x5346_414F, 0x0BD0_0BD0];
    let dir = path.parent().unwrap_or(Path::new("."));
    // The field's type differs between platforms.
    #[allow(clippy::unnecessary_cast)]
    rustix::fs::statfs(dir).is_ok_and(|s| NETWORK.contains(&(s.f_type as i64 & 0xFFFF_FFFF)))
}
#[cfg(not(target_os = "linux"))]
fn on_network(_: &Path) -> bool {
    false
}

fn code(e: &rusqlite::Error) -> Option<ErrorCode> {
    e.sqlite_error_code()
}
fn is_busy(e: &rusqlite::Error) -> bool {
    matches!(code(e), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
fn is_broken(e: &rusqlite::Error) -> bool {
    // A missing table or column (`Unknown` = SQLITE_ERROR) is a cache that is not ours.
    matches!(code(e), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown | ErrorCode::SchemaChanged))
}
fn broken(path: &Path, why: &str) -> StoreError {
    StoreError::said(Message::new(&words::BROKEN).with("path", path.to_string_lossy()).with("why", why))
}

/// SQLite's error in words with a remedy, as far as it is known.
pub(super) fn explain(path: &Path, e: &rusqlite::Error) -> StoreError {
    let of = |words| StoreError::said(Message::new(words).with("path", path.to_string_lossy()));
    match code(e) {
        Some(ErrorCode::DiskFull) => of(&words::DISK_FULL),
        // A full disk left it open for reading only.
        Some(ErrorCode::ReadOnly) => paths::keeps_off(path).unwrap_or_else(|| of(&words::READ_ONLY_FILE)),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => paths::keeps_off(path).unwrap_or_else(|| {
            let m = Message::new(&words::FOLDER_UNWRITABLE).with("path", path.to_string_lossy());
            StoreError::said(m.with("why", "cannot be opened"))
        }),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => of(&words::HELD),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => broken(path, &e.to_string()),
        // What a full disk says of a shared-memory file or a temporary one, and what a quota says of any.
        Some(ErrorCode::SystemIoFailure) => paths::keeps_off(path).unwrap_or_else(|| StoreError::Trouble(e.to_string())),
        _ => StoreError::Trouble(e.to_string()),
    }
}
