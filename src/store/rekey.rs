//! Everything sealed anew under another key, in one commit.

use super::{StoreError, history, mark, secrets, thread::Db};
use crate::{
    i18n::{Message, store as words},
    vault::{Place, Rekey, Rekeyed},
};
use rusqlite::{Transaction, params};

/// A sealed value: its table's row id as text, its generation, what is sealed.
type Sealed = (String, i64, Vec<u8>);

/// Writes a row's new seal: id, generation, what is sealed.
type Put<'a> = dyn Fn(&str, i64, &[u8]) -> rusqlite::Result<usize> + 'a;

/// Seals every secret, every token and every op's sealed part anew, and writes the vault's new line. What did not open before either is
/// left as it stands and named.
pub(super) fn rekey(db: &mut Db, change: &Rekey) -> Result<Rekeyed, StoreError> {
    let line = serde_json::to_vec(&change.line).map_err(|e| StoreError::Trouble(e.to_string()))?;
    let done = db.journal_tx(|tx, t| {
        if secrets::key_meta(tx).map_err(|e| t.explain(e))?.is_none_or(|l| l.key_id != change.old_id()) {
            return Err(StoreError::said(Message::new(&words::KEY_CHANGED)));
        }
        let mut done = Rekeyed::default();
        let mut reseal = |(table, column, up): (&'static str, &'static str, i64), rows: Vec<Sealed>, put: &Put<'_>| {
            for (id, generation, blob) in rows {
                let from = Place { table, id: &id, column, generation };
                let to = Place { generation: generation + up, ..from };
                match change.reseal(&from, &to, &blob).ok_or(StoreError::Locked)? {
                    Some(new) => {
                        put(&id, to.generation, &new).map_err(|e| t.explain(e))?;
                        done.sealed += 1;
                    }
                    None => done.broken.push(format!("{table} {id}")),
                }
            }
            Ok::<_, StoreError>(())
        };
        let key_id = &change.line.key_id;
        let found = all(tx, "SELECT name, gen, blob FROM secret").map_err(|e| t.explain(e))?;
        reseal(("secret", "blob", 1), found, &|id, generation, new| {
            tx.execute("UPDATE secret SET gen = ?2, key_id = ?3, blob = ?4 WHERE name = ?1", params![id, generation, key_id, new])
        })?;
        let found = all(tx, "SELECT CAST(id AS TEXT), gen, sealed FROM op WHERE sealed IS NOT NULL").map_err(|e| t.explain(e))?;
        reseal(("op", "sealed", 1), found, &|id, generation, new| {
            tx.execute("UPDATE op SET gen = ?2, sealed = ?3 WHERE id = CAST(?1 AS INTEGER)", params![id, generation, new])
        })?;
        // A token's generation is told to clients: the same token keeps it.
        let found = all(tx, "SELECT target, gen, blob FROM token WHERE blob IS NOT NULL").map_err(|e| t.explain(e))?;
        reseal(("token", "blob", 0), found, &|id, _, new| {
            tx.execute("UPDATE token SET key_id = ?2, blob = ?3 WHERE target = ?1", params![id, key_id, new])
        })?;
        tx.execute("UPDATE meta SET v = ?1 WHERE k = 'vault'", [&line]).map_err(|e| t.explain(e))?;
        mark::step(tx).map_err(|e| t.explain(e))?;
        change.note.as_ref().map_or(Ok(()), |note| history::append_audit(tx, note)).map_err(|e| t.explain(e))?;
        Ok(done)
    })?;
    // What the old key opens should not stay behind in the log.
    let _ = db.vault_db()?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    mark::raise(db);
    Ok(done)
}

fn all(tx: &Transaction<'_>, sql: &str) -> rusqlite::Result<Vec<Sealed>> {
    tx.prepare(sql)?.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
}
