use super::*;
use crate::domain::ReasonCode;
use std::{fs, os::unix::fs::PermissionsExt};

#[tokio::test]
async fn files_are_for_the_owner_only() {
    let home = home();
    let store = home.open();
    store.put_rows(vec![super::data::row(1)]);
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    store.flush().await;
    for entry in fs::read_dir(&home.paths.data).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{:?}", entry.path());
    }
}

#[test]
fn a_vault_from_a_newer_pairdeck_is_named_and_left_alone() {
    let home = home();
    home.open().close();
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.close().unwrap();
    let before = fs::read(home.paths.vault_db()).unwrap();
    let error = Store::open(&home.paths, home.vault.clone(), clock()).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("newer pairdeck (schema 99") && text.contains("vault.db"), "{text}");
    assert_eq!(error.reason().code, ReasonCode::StoreBroken);
    assert_eq!(fs::read(home.paths.vault_db()).unwrap(), before);
}

#[test]
fn a_damaged_vault_is_named_and_nothing_is_deleted() {
    let home = home();
    home.open().close();
    let whole = fs::read(home.paths.vault_db()).unwrap();
    let mut wrecks = vec![b"this is not a database at all, but long enough to be read as one, is it not? yes it is".repeat(50)];
    let mut torn = whole.clone();
    for b in &mut torn[4096..8192] {
        *b = 0xA5;
    }
    wrecks.push(torn);
    for wreck in wrecks {
        fs::write(home.paths.vault_db(), &wreck).unwrap();
        let text = Store::open(&home.paths, home.vault.clone(), clock()).err().expect("refused").to_string();
        assert!(text.contains("vault.db is damaged"), "{text}");
        assert_eq!(fs::read(home.paths.vault_db()).unwrap(), wreck);
    }
}

#[tokio::test]
async fn a_damaged_or_newer_cache_is_set_aside_and_rebuilt() {
    let home = home();
    home.open().close();
    fs::write(home.paths.cache_db(), "garbage ".repeat(2000)).unwrap();
    let store = home.open();
    store.put_rows(vec![super::data::row(1)]);
    assert_eq!(store.rows(None).await.unwrap().len(), 1);
    assert!(home.paths.data.join("cache.db.broken").exists());
    assert_eq!(store.trouble(), None);
    store.close();
    let db = rusqlite::Connection::open(home.paths.cache_db()).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert_eq!(home.open().rows(None).await.unwrap(), []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_gives_a_store_that_says_so_and_still_holds_rows() {
    // Root ignores modes, so the folder is made impossible instead: it would lie under a file.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let paths = Paths::in_home(&dir.path().join("file/home"));
    let store = Store::open(&paths, Vault::new(), clock()).unwrap();
    let trouble = store.trouble().unwrap();
    assert_eq!(trouble.code, ReasonCode::StoreUnwritable);
    assert!(trouble.raw.unwrap().as_str().contains("cannot be written"));
    store.put_rows(vec![super::data::row(1)]);
    assert_eq!(store.rows(None).await.unwrap().len(), 1);
    let error = store.arm(new_op("a", "me")).await.unwrap_err();
    assert!(matches!(error, StoreError::Said(_)), "{error:?}");
    assert!(store.history(HistoryQuery::default()).await.is_err());
}

#[tokio::test]
async fn a_vault_without_its_key_is_locked_and_nothing_is_made_anew() {
    let home = home();
    let store = home.open();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    store.close();
    let other = Vault::memory();
    let store = Store::open(&home.paths, other.clone(), clock()).unwrap();
    assert!(matches!(other.state(), crate::vault::VaultState::Locked(_)), "{:?}", other.state());
    assert!(matches!(store.secret_get("a").await, Err(StoreError::Locked)));
    assert!(other.create(crate::vault::Source::KeyFile, None).await.is_err());
}

#[tokio::test]
async fn a_vault_that_is_deleted_or_replaced_under_a_running_process_is_said_and_refuses_until_it_is_back() {
    let home = home();
    let store = home.open();
    store.secret_put("a", &crate::domain::Secret::new("x".into())).await.unwrap();
    let (db, aside) = (home.paths.vault_db(), home.paths.data.join("aside"));
    std::fs::rename(&db, &aside).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::copy(&aside, &db).unwrap();
        }
        let error = store.secret_put("b", &crate::domain::Secret::new("y".into())).await.unwrap_err();
        assert_eq!(error.reason().code, ReasonCode::StoreUnwritable);
        assert!(error.to_string().contains("deleted or replaced"), "{error}");
        assert_eq!(store.trouble().unwrap().code, ReasonCode::StoreUnwritable);
    }
    std::fs::rename(&aside, &db).unwrap();
    store.secret_put("b", &crate::domain::Secret::new("y".into())).await.unwrap();
    assert_eq!(store.trouble(), None);
    // One that writes nothing of its own learns it too.
    std::fs::remove_file(&db).unwrap();
    store.flush().await;
    assert!(store.trouble().is_some());
}
