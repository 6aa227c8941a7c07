//! The vault's own line in `vault.db`.

use super::{
    Audit, Back, Inner, StoreError, history, mark, rekey, schema, secrets,
    thread::{Db, Job, lock},
};
use crate::{
    i18n::{Message, store as words},
    vault::{KeyMeta, Rekey, Rekeyed},
};
use std::sync::{Weak, mpsc};

/// How the vault reads and writes its own line: on the store thread, waited for by the vault's thread. Holds the store
/// weakly, so that a vault does not keep it open.
pub(super) struct Keeper(pub(super) Weak<Inner>);

impl Keeper {
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Db) -> Result<T, StoreError> + Send + 'static) -> Result<T, Message> {
        let closed = || Message::new(&words::CLOSED);
        let inner = self.0.upgrade().ok_or_else(closed)?;
        let answer = match &inner.back {
            Back::Here(db) => work(&mut lock(db)),
            Back::Thread(jobs) => {
                let (tx, rx) = mpsc::sync_channel(1);
                let job = Job::Run(Box::new(move |db| {
                    let _ = tx.send(work(db));
                }));
                jobs.send(job).map_err(|_| closed())?;
                drop(inner);
                rx.recv().map_err(|_| closed())?
            }
        };
        answer.map_err(|e| match e {
            StoreError::Said(m) => *m,
            other => Message::new(&words::READ_ONLY_FILE).with("path", other.to_string()),
        })
    }
}

impl crate::vault::Keeper for Keeper {
    fn load(&self) -> Result<(String, Option<KeyMeta>), Message> {
        self.ask(|db| {
            let path = db.path.clone();
            let explain = |e| schema::explain(&path, &e);
            let name = secrets::meta(db.vault_db()?, "store").map_err(explain)?;
            let line = secrets::key_meta(db.vault_db()?).map_err(explain)?;
            // Of a damaged store nobody can say that it never had one.
            if let (None, Some(why)) = (&line, &db.refuses) {
                return Err(StoreError::said(why.clone()));
            }
            Ok((name.and_then(|n| String::from_utf8(n).ok()).unwrap_or_default(), line))
        })
    }

    fn keep(&self, meta: &KeyMeta, note: Option<&Audit>) -> Result<(), Message> {
        let line = serde_json::to_vec(meta).map_err(|_| Message::new(&words::CLOSED))?;
        let note = note.cloned();
        self.ask(move |db| {
            db.vault_tx(|tx, t| {
                let n = tx.execute("INSERT OR IGNORE INTO meta VALUES ('vault', ?1)", [&line]).map_err(|e| t.explain(e))?;
                if n != 1 {
                    return Err(StoreError::said(Message::new(&words::VAULT_EXISTS)));
                }
                note.as_ref().map_or(Ok(()), |note| history::append_audit(tx, note)).map_err(|e| t.explain(e))
            })
        })
    }

    fn rekey(&self, change: Rekey) -> Result<Rekeyed, Message> {
        self.ask(move |db| rekey::rekey(db, &change))
    }

    fn progress(&self) -> Result<(i64, i64), Message> {
        self.ask(|db| {
            let path = db.path.clone();
            // The mark first: another process may raise both in between.
            let kept = mark::kept(&path);
            let now = mark::now(db.vault_db()?).map_err(|e| schema::explain(&path, &e))?;
            Ok((now, kept))
        })
    }

    fn mark_here(&self) -> Result<(), Message> {
        self.ask(mark::accept)
    }

    fn restored(&self, seen: Option<(i64, i64)>) -> Result<Option<(i64, i64)>, Message> {
        self.ask(move |db| {
            let path = db.path.clone();
            let db = db.vault_db()?;
            if let Some(seen) = seen {
                // A store that cannot be written is told by the caller all the same.
                let _ = mark::found_restored(db, seen);
            }
            mark::restored(db).map_err(|e| schema::explain(&path, &e))
        })
    }
}
