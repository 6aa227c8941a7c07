//! How far the store has come: a number that rises with every sealed write, and a mark of it in a file beside the database. A
//! database that is behind its mark was put back from a copy. The file finds a restored backup, not an attacker, who would put
//! back both; where the vault key lives in the keyring, the vault keeps a mark there too.

use super::{StoreError, schema, thread::Db};
use rusqlite::{Connection, TransactionBehavior};
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

fn file_of(vault_db: &Path) -> PathBuf {
    vault_db.with_file_name("vault.mark")
}

/// How far it had come by the file.
pub(super) fn kept(vault_db: &Path) -> i64 {
    fs::read_to_string(file_of(vault_db)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}

/// Where the next mark is written before it takes the place of the old one. One name: what somebody killed left there is swept by the
/// next writer.
fn next(vault_db: &Path) -> PathBuf {
    vault_db.with_file_name("vault.mark.new")
}

/// Writes the file whole. The caller holds the database for writing, so that it is one at a time: two who write a mark each would let the
/// slower one lower it.
pub(super) fn keep(vault_db: &Path, n: i64) -> io::Result<()> {
    let dir = vault_db.parent().unwrap_or(Path::new("."));
    let new = next(vault_db);
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let write = || {
        let mut how = fs::OpenOptions::new();
        how.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
        let mut file = how.open(&new)?;
        writeln!(file, "{n}")?;
        file.sync_all()?;
        fs::rename(&new, file_of(vault_db))
    };
    write().inspect_err(|_| drop(fs::remove_file(&new)))?;
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
fn accept_restored(db: &Connection) -> rusqlite::Result<()> {
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
    let Ok(db) = db.vault_db() else { return };
    if !matches!(look(db, &path), Ok(Some(_))) {
        return;
    }
    // Looked at once more under the lock of the database: whoever was faster has raised it further.
    let Ok(tx) = db.transaction_with_behavior(TransactionBehavior::Immediate) else { return };
    if let Ok(Some(n)) = look(&tx, &path) {
        let _ = keep(&path, n);
    }
    let _ = tx.commit();
}

/// Sets the mark to where the database stands, though that is lower: somebody accepts a copy that was put back.
pub(super) fn accept(db: &mut Db) -> Result<(), StoreError> {
    let path = db.path.clone();
    let explain = |e| schema::explain(&path, &e);
    let tx = db.vault_db()?.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    keep(&path, now(&tx).map_err(explain)?).map_err(|e| super::paths::unwritable(&path, &e))?;
    accept_restored(&tx).and_then(|()| tx.commit()).map_err(explain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemTime,
        domain::Secret,
        store::{Paths, Store},
        vault::Vault,
    };
    use std::sync::Arc;

    #[tokio::test]
    async fn many_who_write_at_once_leave_one_mark_that_is_the_highest_and_no_file_besides() {
        let dir = tempfile::tempdir().unwrap();
        let (paths, vault) = (Paths::in_home(dir.path()), Vault::memory());
        // Somebody who was killed while it wrote the mark.
        let open = || Store::open(&paths, vault.clone(), Arc::new(SystemTime::new())).unwrap();
        let first = open();
        first.flush().await;
        fs::write(next(&paths.vault_db()), "7").unwrap();
        let stores: Vec<Store> = (0..6).map(|_| open()).collect();
        let writes = stores.iter().enumerate().map(|(i, s)| async move {
            for n in 0..8 {
                s.secret_put(&format!("gateway/wa/{i}"), &Secret::new(format!("k{n}"))).await.unwrap();
                s.flush().await;
            }
        });
        futures_util::future::join_all(writes).await;
        drop(first);
        stores.into_iter().for_each(Store::close);
        let db = Connection::open(paths.vault_db()).unwrap();
        assert_eq!((kept(&paths.vault_db()), restored(&db).unwrap()), (now(&db).unwrap(), None));
        assert!(now(&db).unwrap() >= 48);
        let odd = |name: &String| name.starts_with(".tmp") || name.ends_with(".new");
        let names = fs::read_dir(&paths.data).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
        assert_eq!(names.filter(odd).collect::<Vec<_>>(), [""; 0]);
    }
}
