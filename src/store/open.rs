//! Opening a store: what can be kept, what can only be read, and who does the work.

use super::{Back, Inner, QUEUE, Store, StoreError, cache, floor, keeper, mark, paths::Paths, schema, secrets, thread};
use crate::{
    domain::{Reason, ReasonCode, Time},
    i18n::{Message, store as words},
    vault::Vault,
};
use std::sync::{Arc, Mutex, mpsc};
use thread::{Db, Pending};
use tokio::sync::{Semaphore, watch};

impl Store {
    pub(super) fn open_with(paths: &Paths, vault: Vault, time: Arc<dyn Time>, thread: bool) -> Result<Self, StoreError> {
        let prepared = paths.prepare();
        let mut vault_db = prepared.and_then(|()| schema::open_vault(paths));
        if let Err(StoreError::Said(m)) = &vault_db
            && m.words == &words::NEWER
        {
            return Err(StoreError::Said(m.clone()));
        }
        if let Ok(db) = &vault_db {
            // Before this process writes anything. What fails here is seen when the vault is opened.
            let _ = mark::look(db, &paths.vault_db());
        }
        let said = |words| matches!(&vault_db, Err(StoreError::Said(m)) if m.words == words);
        let (broken, foreign) = (said(&words::BROKEN), said(&words::OWNER_OTHER));
        // To who watches, damage comes to the same as a full disk: nothing is kept.
        let unwritable = vault_db.as_ref().err().map(|e| Reason { code: ReasonCode::StoreUnwritable, ..e.reason() });
        let mut refuses = None;
        if unwritable.is_some() && !foreign {
            // What is sealed can be read all the same, so that live state is shown; every write says why it is refused. Of a damaged one
            // that is what its whole pages hold.
            if let (Some(db), Err(StoreError::Said(why))) = (schema::read_vault(paths), &vault_db) {
                refuses = broken.then(|| (**why).clone());
                vault_db = Ok(db);
            }
        }
        // As long as nobody wrote, nothing is known that a later look would not find: it is opened anew once it can be written.
        let reopen = (unwritable.is_some() && !broken && vault_db.is_ok()).then(|| paths.clone());
        let fingerprint_key = vault_db.as_mut().ok().and_then(|db| identity(db, unwritable.is_some()).ok()).or_else(random_key).unwrap_or_default();
        let floor = Mutex::new(vault_db.as_ref().ok().and_then(floor::read));
        let cache = if unwritable.is_none() || broken { schema::open_cache(paths) } else { schema::memory_cache() };
        let (cache_db, cache_trouble) = match cache {
            Ok(db) => (db, None),
            Err(e) => (schema::memory_cache()?, Some(e.reason())),
        };
        let (trouble, passing) = if reopen.is_some() { (cache_trouble, unwritable) } else { (unwritable.or(cache_trouble), None) };
        let pending = Arc::new(Mutex::new(Pending::default()));
        let live = watch::Sender::new(passing);
        let db = Db {
            vault_db: vault_db.map_err(|e| match e {
                StoreError::Said(m) => *m,
                other => Message::new(&words::READ_ONLY_FILE).with("path", other.to_string()),
            }),
            refuses,
            reopen,
            cache_db,
            written: cache::Written::new(),
            path: paths.vault_db(),
            file: thread::file_at(&paths.vault_db()),
            locks: paths.locks(),
            vault: vault.clone(),
            time,
            pending: pending.clone(),
            live: live.clone(),
        };
        let (back, life) = if thread {
            let (tx, rx) = mpsc::channel();
            let work = move || thread::run(db, &rx);
            let life = std::thread::Builder::new().name("store".into()).spawn(work).map_err(|e| StoreError::Trouble(e.to_string()))?;
            (Back::Thread(tx), Some(life))
        } else {
            (Back::Here(Box::new(Mutex::new(db))), None)
        };
        let room = Arc::new(Semaphore::new(QUEUE));
        let (paths_kept, seen, life) = (paths.clone(), Mutex::new(None), Mutex::new(life));
        let inner = Inner {
            back,
            room,
            pending,
            fingerprint_key,
            trouble,
            damaged: broken,
            live,
            floor,
            vault: vault.clone(),
            paths: paths_kept,
            seen,
            knocks: super::loan::Knocks::default(),
            life,
        };
        let store = Self(Arc::new(inner));
        vault.attach(Arc::new(keeper::Keeper(Arc::downgrade(&store.0))), paths.key_file());
        Ok(store)
    }
}

/// The fingerprint key and the store's name, made once.
fn identity(db: &mut rusqlite::Connection, only_read: bool) -> rusqlite::Result<[u8; 32]> {
    if only_read {
        let kept = secrets::meta(db, "fingerprint_key")?;
        return kept.and_then(|k| k.try_into().ok()).ok_or(rusqlite::Error::QueryReturnedNoRows);
    }
    let key = random_key().unwrap_or_default();
    let name = crate::vault::meta::random_hex(8).unwrap_or_default();
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute("INSERT OR IGNORE INTO meta VALUES ('fingerprint_key', ?1)", [key.as_slice()])?;
    tx.execute("INSERT OR IGNORE INTO meta VALUES ('store', ?1)", [name.as_bytes()])?;
    let kept = secrets::meta(&tx, "fingerprint_key")?;
    tx.commit()?;
    Ok(kept.and_then(|k| k.try_into().ok()).unwrap_or(key))
}

fn random_key() -> Option<[u8; 32]> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).ok()?;
    Some(key)
}
