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

/// A page in the middle that says nothing any more.
fn torn(whole: &[u8]) -> Vec<u8> {
    let mut torn = whole.to_vec();
    torn[4096..8192].fill(0xA5);
    torn
}

/// The first page of a table.
fn page_of(home: &Home, table: &str) -> usize {
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    let page: u32 = db.query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [table], |r| r.get(0)).unwrap();
    db.close().unwrap();
    usize::try_from(page).unwrap()
}

/// A store with one secret and one row, closed.
async fn filled() -> (Home, Vec<u8>) {
    let home = home();
    let store = home.open();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    store.put_rows(vec![super::data::row(1)]);
    store.flush().await;
    store.close();
    let whole = fs::read(home.paths.vault_db()).unwrap();
    (home, whole)
}

#[tokio::test]
async fn a_damaged_vault_is_named_and_nothing_is_deleted_and_rows_are_shown_all_the_same() {
    let (home, whole) = filled().await;
    let wrecks = [
        b"this is not a database at all, but long enough to be read as one, is it not? yes it is".repeat(50),
        torn(&whole),
        vec![0; whole.len()],
        whole[..whole.len() / 2 + 100].to_vec(),
        whole[..50].to_vec(),
        [vec![0xAA; 100], whole[100..].to_vec()].concat(),
        Vec::new(),
    ];
    for (at, wreck) in wrecks.iter().enumerate() {
        fs::write(home.paths.vault_db(), wreck).unwrap();
        let store = Store::open(&home.paths, home.vault.clone(), clock()).unwrap();
        let trouble = store.trouble().unwrap();
        assert_eq!(trouble.code, ReasonCode::StoreUnwritable, "wreck {at}");
        assert!(trouble.raw.unwrap().as_str().contains("vault.db is damaged"), "wreck {at}");
        assert_eq!(store.rows(None).await.unwrap().len(), 1, "what was seen last is gone: wreck {at}");
        store.put_rows(vec![super::data::row(1)]);
        let refused = store.arm(new_op("a", "me")).await.unwrap_err().to_string();
        assert!(refused.contains("damaged"), "wreck {at}: {refused}");
        store.flush().await;
        store.close();
        assert!(fs::read(home.paths.vault_db()).unwrap() == *wreck, "wreck {at} was written to");
    }
}

#[tokio::test]
async fn what_stands_in_whole_pages_of_a_damaged_vault_is_read() {
    let (home, whole) = filled().await;
    // A page that nothing live needs.
    let (page, mut wreck) = (page_of(&home, "attempt"), whole);
    wreck[(page - 1) * 4096..page * 4096].fill(0xA5);
    fs::write(home.paths.vault_db(), &wreck).unwrap();
    let store = Store::open(&home.paths, home.vault.clone(), clock()).unwrap();
    assert!(store.is_damaged());
    assert_eq!(store.secret_get("a").await.unwrap().unwrap().expose(), "x");
    assert_eq!(store.secret_list().await.unwrap().len(), 1);
    let refused = store.secret_put("a", &Secret::new("y".into())).await.unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
    store.close();
    assert!(fs::read(home.paths.vault_db()).unwrap() == wreck, "it was written to");
}

#[tokio::test]
async fn the_log_beside_a_damaged_vault_is_kept_and_not_folded_into_it() {
    let (home, whole) = filled().await;
    let page = page_of(&home, "attempt");
    // As a process that was killed leaves it.
    let store = home.open();
    store.secret_put("b", &Secret::new("y".into())).await.unwrap();
    let log = home.paths.data.join("vault.db-wal");
    let kept = fs::read(&log).unwrap();
    assert!(kept.len() > 4096);
    store.close();
    let _ = fs::remove_file(home.paths.data.join("vault.db-shm"));
    // A page that the log does not hold anew: with one that it does, the database would be whole.
    let mut wreck = whole.clone();
    wreck[(page - 1) * 4096..page * 4096].fill(0xA5);
    for wreck in [wreck, Vec::new()] {
        fs::write(home.paths.vault_db(), &wreck).unwrap();
        fs::write(&log, &kept).unwrap();
        let store = Store::open(&home.paths, home.vault.clone(), clock()).unwrap();
        assert!(store.is_damaged());
        if !wreck.is_empty() {
            // The last row stands in the log alone.
            assert_eq!(store.secret_get("b").await.unwrap().unwrap().expose(), "y");
            assert_eq!(store.secret_get("a").await.unwrap().unwrap().expose(), "x");
        }
        store.close();
        assert!(fs::read(home.paths.vault_db()).unwrap() == wreck, "the log was folded into it");
        assert!(fs::read(&log).unwrap() == kept, "the log is gone");
    }
}

#[test]
fn a_folder_or_a_pipe_in_place_of_a_database_is_named_and_nobody_waits_for_it() {
    for pipe in [false, true] {
        let home = home();
        fs::create_dir_all(&home.paths.data).unwrap();
        for path in [home.paths.vault_db(), home.paths.cache_db()] {
            if pipe {
                assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            } else {
                fs::create_dir(&path).unwrap();
            }
        }
        let store = Store::open(&home.paths, Vault::new(), clock()).unwrap();
        let raw = store.trouble().unwrap().raw.unwrap();
        assert!(raw.as_str().contains(if pipe { "a pipe or a device stands there" } else { "a folder stands there" }), "{raw}");
        store.close();
        assert!(!home.paths.cache_db().is_file() && !home.paths.vault_db().is_file());
    }
}

#[tokio::test]
async fn a_damaged_vault_is_set_aside_only_when_told_and_comes_back_with_its_key() {
    let (home, whole) = filled().await;
    let (key, mark) = (home.paths.key_file(), home.paths.data.join("vault.mark"));
    fs::write(&key, "old key").unwrap();
    let refused = super::super::aside::set_aside(&home.paths).unwrap_err().to_string();
    assert!(refused.contains("nothing to set aside"), "{refused}");
    assert!(super::super::aside::put_back(&home.paths).is_err());
    let wreck = torn(&whole);
    fs::write(home.paths.vault_db(), &wreck).unwrap();
    let alive = locks::ProcessLock::take(&home.paths).unwrap();
    assert!(super::super::aside::set_aside(&home.paths).unwrap_err().to_string().contains("end it first"));
    drop(alive);
    let folder = super::super::aside::set_aside(&home.paths).unwrap();
    assert!(fs::read(folder.join("vault.db")).unwrap() == wreck && folder.join("vault.key").exists() && folder.join("vault.mark").exists());
    assert!(!home.paths.vault_db().exists() && !key.exists() && !mark.exists());
    // A new one is made meanwhile, with a key of its own.
    let store = Store::open(&home.paths, Vault::memory(), clock()).unwrap();
    assert_eq!(store.trouble(), None);
    store.secret_put("new", &Secret::new("z".into())).await.unwrap();
    store.close();
    let made = super::super::aside::put_back(&home.paths).unwrap().unwrap();
    assert!(fs::read(home.paths.vault_db()).unwrap() == wreck && fs::read(&key).unwrap() == b"old key");
    assert!(made.join("vault.db").exists() && !folder.exists());
    // And once more: the newer one again.
    let again = super::super::aside::put_back(&home.paths).unwrap().unwrap();
    assert!(fs::read(again.join("vault.db")).unwrap() == wreck);
    assert_eq!(Store::open(&home.paths, Vault::new(), clock()).unwrap().trouble(), None);
}

#[tokio::test]
async fn what_belongs_to_another_user_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else may give files away.
        return;
    }
    let (home, _) = filled().await;
    let give = |path: &std::path::Path, uid| std::os::unix::fs::chown(path, Some(uid), None).unwrap();
    for path in [home.paths.data.clone(), home.paths.locks(), home.paths.vault_db()] {
        give(&path, 65534);
        let store = Store::open(&home.paths, home.vault.clone(), clock()).unwrap();
        let raw = store.trouble().unwrap().raw.unwrap();
        assert!(raw.as_str().contains("belongs to another user (uid 65534)") && raw.as_str().contains("chown"), "{path:?}: {raw}");
        assert!(store.secret_get("a").await.is_err(), "{path:?}");
        store.close();
        give(&path, 0);
    }
    assert_eq!(Store::open(&home.paths, home.vault.clone(), clock()).unwrap().trouble(), None);
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

#[tokio::test]
async fn what_could_not_be_written_is_tried_again_by_itself_and_a_read_does_not_say_that_it_can_be() {
    let home = home();
    let store = home.open();
    let pages = |limit: bool| {
        store.ask(move |db| {
            let most: i64 = db.vault_db()?.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
            db.vault_db()?.pragma_update(None, "max_page_count", if limit { most } else { 1 << 20 }).unwrap();
            Ok(())
        })
    };
    pages(true).await.unwrap();
    // What SQLite says of it is what it says of a full disk. The change waits for room.
    let reason = crate::domain::Reason::new(ReasonCode::Gone).raw("x".repeat(200));
    let (from, to) = (crate::domain::State::Online, crate::domain::State::LoggedOut);
    store.changes(vec![Change { at: at(9), target: target("a"), from, to, reason: Some(reason) }; 2_000]);
    let mut troubles = store.troubles();
    troubles.wait_for(Option::is_some).await.unwrap();
    assert!(store.ops_unfinished().await.unwrap().is_empty());
    assert!(store.trouble().is_some_and(|t| t.arg("evidence") == Some("disk_full")), "a read said that it can be written: {:?}", store.trouble());
    pages(false).await.unwrap();
    troubles.wait_for(Option::is_none).await.unwrap();
    let kept = store.ask(|db| Ok(db.vault_db()?.query_row("SELECT COUNT(*) FROM change", [], |r| r.get::<_, i64>(0)).unwrap())).await;
    assert_eq!(kept.unwrap(), 2_000, "what waited was not kept");
}

#[test]
fn what_sqlite_says_of_a_file_that_it_cannot_write_is_told_with_its_place_and_its_remedy() {
    use crate::i18n::{Lang, reason};
    use rusqlite::ffi;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    for (code, evidence, said) in [
        (ffi::SQLITE_FULL, Some("disk_full"), "the disk is full"),
        (ffi::SQLITE_READONLY, Some("read_only"), "is read-only"),
        (ffi::SQLITE_BUSY, Some("held"), "holds the store"),
        (ffi::SQLITE_CORRUPT, Some("damaged"), "damaged"),
        (ffi::SQLITE_NOTADB, Some("damaged"), "damaged"),
        (ffi::SQLITE_IOERR, None, ""),
    ] {
        let e = super::super::schema::explain(&path, &rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let (text, why) = (e.text(Lang::En), e.reason());
        assert!(text.contains(said), "{code}: {text}");
        assert!(evidence.is_none() || text.contains("vault.db"), "{code}: it is not said where: {text}");
        assert_eq!(why.arg("evidence"), evidence, "{code}: {text}");
        assert!(!reason::sentence(&why, Lang::En).is_empty() && reason::remedy_sentence(&why, Lang::En).is_some(), "{code}");
    }
}
