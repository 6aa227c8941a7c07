//! The vault as the store meets it, with every source that needs no bus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    domain::{Stamp, Time, Wall},
    i18n::Lang,
    store::{Paths, Store, StoreError},
};
use std::os::unix::fs::PermissionsExt;

struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        Stamp::wall_only(Wall(1))
    }
}

fn open(dir: &tempfile::TempDir) -> (Store, Vault) {
    let vault = Vault::new();
    let store = Store::open(&Paths::in_home(dir.path()), vault.clone(), Arc::new(Still)).unwrap();
    (store, vault)
}

#[tokio::test]
async fn a_key_file_of_another_user_is_refused_with_its_remedy() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.close();
    std::os::unix::fs::chown(dir.path().join("vault.key"), Some(65534), None).unwrap();
    let said = why(&next(&dir).await.2);
    assert!(said.contains("belongs to another user (uid 65534)") && said.contains("chown 0"), "{said}");
    assert!(!said.contains("eyring"), "{said}");
}

/// What the next process finds: its store, its vault, and how that stands once its source was asked.
async fn next(dir: &tempfile::TempDir) -> (Store, Vault, VaultState) {
    let (store, vault) = open(dir);
    vault.open_in_background();
    let state = settled(&vault).await;
    (store, vault, state)
}

async fn settled(vault: &Vault) -> VaultState {
    let mut state = vault.watch();
    state.wait_for(|s| !matches!(s, VaultState::Opening)).await.unwrap().clone()
}

fn why(state: &VaultState) -> String {
    match state {
        VaultState::Locked(r) => r.raw.as_ref().unwrap().as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_passphrase_opens_its_vault_and_no_other_does() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    assert_eq!(vault.state(), VaultState::Absent);
    let short = vault.create(Source::Passphrase, Some(Secret::new("1234567".into()))).await.unwrap_err();
    assert!(short.raw.unwrap().as_str().contains("8 characters"));
    vault.create(Source::Passphrase, Some(Secret::new("correct horse".into()))).await.unwrap();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    assert!(vault.create(Source::KeyFile, None).await.is_err(), "a vault is made once");
    store.close();
    let (store, vault, state) = next(&dir).await;
    assert!(why(&state).contains("wants its passphrase"));
    assert!(why(&vault.unlock(Some(Secret::new("wrong horse".into()))).await).contains("does not open"));
    let error = store.secret_get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Locked));
    // Nobody is sent to a keyring that holds nothing here.
    assert!(store.why(&error).args.iter().any(|(_, v)| v.as_str() == "passphrase_wrong"), "{:?}", store.why(&error));
    assert_eq!(vault.unlock(Some(Secret::new("correct horse".into()))).await, VaultState::Open(Source::Passphrase));
    assert_eq!(store.secret_get("a").await.unwrap().unwrap().expose(), "x");
    assert_eq!(vault.unlock(None).await, VaultState::Open(Source::Passphrase), "an open vault stays open");
}

#[tokio::test]
async fn a_key_file_is_for_its_owner_and_its_loss_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    store.close();
    let file = dir.path().join("vault.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(next(&dir).await.2, VaultState::Open(Source::KeyFile));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(why(&next(&dir).await.2).contains("chmod 600"));
    std::fs::remove_file(&file).unwrap();
    assert!(why(&next(&dir).await.2).contains("gone from the key file"));
    assert!(!file.exists(), "no new key is made in its place");
    std::fs::write(&file, keyfile::encode(&seal::new_key().unwrap()).as_str()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(why(&next(&dir).await.2).contains("does not fit"));
}

#[tokio::test]
async fn of_two_who_make_a_vault_at_once_one_does_and_its_key_holds() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, a), (two, b)) = (open(&dir), open(&dir));
    let (x, y) = tokio::join!(a.create(Source::KeyFile, None), b.create(Source::KeyFile, None));
    assert!(x.is_ok() ^ y.is_ok(), "{x:?} {y:?}");
    let winner = if x.is_ok() { &one } else { &two };
    winner.secret_put("a", &Secret::new("x".into())).await.unwrap();
    let (store, _, state) = next(&dir).await;
    assert_eq!(state, VaultState::Open(Source::KeyFile));
    assert_eq!(store.secret_get("a").await.unwrap().unwrap().expose(), "x");
}

#[tokio::test]
async fn a_vault_that_is_opened_before_its_store_opens_once_the_store_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.close();
    let vault = Vault::new();
    vault.open_in_background();
    let _store = Store::open(&Paths::in_home(dir.path()), vault.clone(), Arc::new(Still)).unwrap();
    assert_eq!(settled(&vault).await, VaultState::Open(Source::KeyFile));
}

fn sealed_with(dir: &tempfile::TempDir) -> Vec<(String, Vec<u8>)> {
    let db = rusqlite::Connection::open(Paths::in_home(dir.path()).vault_db()).unwrap();
    let mut all = db.prepare("SELECT key_id, blob FROM secret ORDER BY name").unwrap();
    let found = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    found.map(Result::unwrap).collect()
}

fn key_files(dir: &tempfile::TempDir) -> usize {
    std::fs::read_dir(dir.path()).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "key")).count()
}

#[tokio::test]
async fn a_new_key_seals_everything_anew_and_the_old_one_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    for name in ["a", "b", "c"] {
        store.secret_put(name, &Secret::new(format!("secret of {name}"))).await.unwrap();
    }
    let old_key = std::fs::read(dir.path().join("vault.key")).unwrap();
    let before = sealed_with(&dir);
    let done = vault.change(Source::KeyFile, None).await.unwrap();
    assert_eq!((done.sealed, done.broken.len()), (3, 0));
    let after = sealed_with(&dir);
    assert!(before.iter().zip(&after).all(|(b, a)| b.0 != a.0 && b.1 != a.1), "every row has another key and another text");
    assert_eq!(key_files(&dir), 1);
    for file in std::fs::read_dir(dir.path()).unwrap().flatten().filter(|e| e.path().is_file()) {
        assert_ne!(std::fs::read(file.path()).unwrap(), old_key, "{:?} is the old key", file.path());
    }
    for (name, way) in [("a", "this process"), ("b", "the next")] {
        let store = if way == "the next" {
            let (store, _, state) = next(&dir).await;
            assert_eq!(state, VaultState::Open(Source::KeyFile));
            store
        } else {
            store.clone()
        };
        assert_eq!(store.secret_get(name).await.unwrap().unwrap().expose(), format!("secret of {name}"), "{way}");
    }
}

#[tokio::test]
async fn another_process_that_runs_meanwhile_reads_and_writes_with_the_new_key() {
    let dir = tempfile::tempdir().unwrap();
    let (one, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    one.secret_put("a", &Secret::new("x".into())).await.unwrap();
    let (two, ..) = next(&dir).await;
    for round in 0..5 {
        vault.change(Source::KeyFile, None).await.unwrap();
        assert_eq!(two.secret_get("a").await.unwrap().unwrap().expose(), if round == 0 { "x".to_owned() } else { format!("y{}", round - 1) });
        two.secret_put("a", &Secret::new(format!("y{round}"))).await.unwrap();
        assert_eq!(one.secret_get("a").await.unwrap().unwrap().expose(), format!("y{round}"));
    }
}

#[tokio::test]
async fn the_key_moves_between_its_places_and_the_old_place_is_empty_then() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    let short = vault.change(Source::Passphrase, Some(Secret::new("1234567".into()))).await.unwrap_err();
    assert!(short.raw.unwrap().as_str().contains("8 characters"));
    assert_eq!((vault.state(), key_files(&dir)), (VaultState::Open(Source::KeyFile), 1), "nothing was changed");
    vault.change(Source::Passphrase, Some(Secret::new("correct horse".into()))).await.unwrap();
    assert_eq!((vault.state(), key_files(&dir)), (VaultState::Open(Source::Passphrase), 0));
    let (other, second, state) = next(&dir).await;
    assert!(why(&state).contains("wants its passphrase"));
    assert_eq!(second.unlock(Some(Secret::new("correct horse".into()))).await, VaultState::Open(Source::Passphrase));
    // A new passphrase: whoever runs with the old key is locked out until the new one is typed, and no value is harmed.
    vault.change(Source::Passphrase, Some(Secret::new("another horse".into()))).await.unwrap();
    let error = other.secret_get("a").await.unwrap_err();
    assert_eq!(error.reason().code, ReasonCode::VaultLocked, "{error}");
    assert!(why(&second.state()).contains("wants its passphrase"));
    assert!(other.secret_put("a", &Secret::new("lost".into())).await.is_err());
    assert_eq!(second.unlock(Some(Secret::new("another horse".into()))).await, VaultState::Open(Source::Passphrase));
    assert_eq!(other.secret_get("a").await.unwrap().unwrap().expose(), "x");
    // And back to a file, by explicit choice only.
    vault.change(Source::KeyFile, None).await.unwrap();
    assert_eq!(key_files(&dir), 1);
    assert_eq!(other.secret_get("a").await.unwrap().unwrap().expose(), "x", "the other process asks the new place by itself");
}

#[tokio::test]
async fn a_place_that_does_not_work_leaves_the_key_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::Passphrase, Some(Secret::new("correct horse".into()))).await.unwrap();
    store.secret_put("a", &Secret::new("x".into())).await.unwrap();
    let before = sealed_with(&dir);
    assert!(vault.change(Source::Credential, None).await.is_err(), "no credential was handed in");
    assert_eq!(sealed_with(&dir), before);
    assert_eq!(vault.state(), VaultState::Open(Source::Passphrase));
}

#[tokio::test]
async fn a_value_that_does_not_open_is_named_and_does_not_hold_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    for name in ["a", "b"] {
        store.secret_put(name, &Secret::new(format!("secret of {name}"))).await.unwrap();
    }
    let db = rusqlite::Connection::open(Paths::in_home(dir.path()).vault_db()).unwrap();
    db.execute("UPDATE secret SET blob = (SELECT blob FROM secret WHERE name = 'b') WHERE name = 'a'", []).unwrap();
    assert!(store.secret_get("a").await.is_err());
    let done = vault.change(Source::KeyFile, None).await.unwrap();
    assert_eq!((done.sealed, done.broken), (1, vec!["secret a".to_owned()]));
    assert_eq!(store.secret_get("b").await.unwrap().unwrap().expose(), "secret of b");
}

#[tokio::test]
async fn a_store_that_was_put_back_from_a_copy_is_noticed_until_somebody_accepts_it() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::in_home(dir.path());
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("a", &Secret::new("old".into())).await.unwrap();
    store.close();
    let copy = std::fs::read(paths.vault_db()).unwrap();
    let (store, vault, _) = next(&dir).await;
    assert_eq!(vault.restored(), None);
    store.secret_put("a", &Secret::new("new".into())).await.unwrap();
    store.close();
    std::fs::write(paths.vault_db(), &copy).unwrap();
    for _ in 0..2 {
        let (store, vault, state) = next(&dir).await;
        assert_eq!(state, VaultState::Open(Source::KeyFile));
        assert!(vault.restored().unwrap().text(Lang::En).contains("1 of 2"), "{:?}", vault.restored());
        store.close();
    }
    let (store, vault, _) = next(&dir).await;
    vault.accept_restored().await.unwrap();
    assert_eq!(vault.restored(), None);
    store.secret_put("a", &Secret::new("newer".into())).await.unwrap();
    store.close();
    let (_store, vault, _) = next(&dir).await;
    assert_eq!(vault.restored(), None);
}

#[tokio::test]
async fn an_older_copy_is_not_accepted_by_what_is_written_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::in_home(dir.path());
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("a", &Secret::new("old".into())).await.unwrap();
    store.close();
    let copy = std::fs::read(paths.vault_db()).unwrap();
    let (store, ..) = next(&dir).await;
    store.secret_put("a", &Secret::new("new".into())).await.unwrap();
    store.close();
    std::fs::write(paths.vault_db(), &copy).unwrap();
    // The first writer has not even opened the vault; the next ones write far past the mark.
    let (store, _) = open(&dir);
    store.secret_forget("b").await.unwrap();
    store.close();
    for _ in 0..2 {
        let (store, vault, _) = next(&dir).await;
        assert!(vault.restored().unwrap().text(Lang::En).contains("1 of 2"), "{:?}", vault.restored());
        for n in 0..5 {
            store.secret_put("c", &Secret::new(format!("secret {n}"))).await.unwrap();
        }
        store.forget_gateway(&crate::domain::GatewayId::new("g")).await.unwrap();
        store.flush().await;
        assert_eq!(std::fs::read_to_string(dir.path().join("vault.mark")).unwrap().trim(), "2", "the mark follows the copy");
        store.close();
    }
    let (store, vault, _) = next(&dir).await;
    vault.accept_restored().await.unwrap();
    store.close();
    let (store, vault, _) = next(&dir).await;
    assert_eq!(vault.restored(), None);
    store.secret_put("a", &Secret::new("newest".into())).await.unwrap();
    store.close();
    let (_store, vault, _) = next(&dir).await;
    assert_eq!(vault.restored(), None, "the mark does not rise again");
}

#[tokio::test]
async fn a_gateway_that_was_forgotten_does_not_come_back_with_a_copy_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::in_home(dir.path());
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("gateway/g/key", &Secret::new("old".into())).await.unwrap();
    store.close();
    let copy = std::fs::read(paths.vault_db()).unwrap();
    let (store, _) = open(&dir);
    store.forget_gateway(&crate::domain::GatewayId::new("g")).await.unwrap();
    store.close();
    std::fs::write(paths.vault_db(), &copy).unwrap();
    let (_store, vault, _) = next(&dir).await;
    assert!(vault.restored().is_some());
}

#[tokio::test]
async fn a_key_file_that_is_a_link_is_not_replaced_as_the_key_behind_it_would_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    let (key, behind) = (dir.path().join("vault.key"), dir.path().join("elsewhere"));
    std::fs::rename(&key, &behind).unwrap();
    std::os::unix::fs::symlink(&behind, &key).unwrap();
    let refused = vault.change(Source::KeyFile, None).await.unwrap_err();
    assert!(refused.raw.as_ref().unwrap().as_str().contains("is a link"), "{refused:?}");
    assert!(key.is_symlink() && behind.is_file() && vault.state() == VaultState::Open(Source::KeyFile));
    std::fs::remove_file(&key).unwrap();
    std::fs::rename(&behind, &key).unwrap();
    assert_eq!(vault.change(Source::KeyFile, None).await.unwrap().left, None);
    assert!(!key.exists());
}

#[tokio::test]
async fn a_key_file_that_is_there_and_is_no_key_is_not_called_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    let key = dir.path().join("vault.key");
    std::fs::write(&key, [0xff, 0xfe, 0x80, 1, 2, 3]).unwrap();
    let said = keyfile::read(&key).unwrap_err().text(Lang::En);
    assert!(said.contains("does not fit"), "{said}");
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    let said = keyfile::read(&key).unwrap_err();
    assert!(said.text(Lang::En).contains("it is no file"), "{}", said.text(Lang::En));
    assert!(shut::reason(&said).args.iter().any(|(_, v)| v.as_str() == "key_file_refused"));
}

/// A store that commits a change of keys and then cannot say so.
struct Mute(Arc<dyn Keeper>);
impl Keeper for Mute {
    fn load(&self) -> Result<(String, Option<KeyMeta>), Message> {
        self.0.load()
    }
    fn keep(&self, meta: &KeyMeta, note: Option<&Audit>) -> Result<(), Message> {
        self.0.keep(meta, note)
    }
    fn rekey(&self, change: Rekey) -> Result<Rekeyed, Message> {
        self.0.rekey(change)?;
        Err(Message::new(&words::CLOSED))
    }
    fn progress(&self) -> Result<(i64, i64), Message> {
        self.0.progress()
    }
    fn mark_here(&self) -> Result<(), Message> {
        self.0.mark_here()
    }
    fn restored(&self, seen: Option<(i64, i64)>) -> Result<Option<(i64, i64)>, Message> {
        self.0.restored(seen)
    }
}

#[tokio::test]
async fn a_change_of_keys_that_was_committed_and_called_failed_does_not_erase_the_key_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(&dir);
    vault.create(Source::KeyFile, None).await.unwrap();
    store.secret_put("gateway/wa/api_key", &Secret::new("kept".into())).await.unwrap();
    {
        let mut home = lock(&vault.0.home);
        let home = home.as_mut().unwrap();
        home.keeper = Arc::new(Mute(home.keeper.clone()));
    }
    let _ = vault.change(Source::KeyFile, None).await;
    store.close();
    assert_eq!(key_files(&dir), 1, "the key that everything is sealed with, and no other");
    let (store, _vault, state) = next(&dir).await;
    assert_eq!(state, VaultState::Open(Source::KeyFile));
    assert_eq!(store.secret_get("gateway/wa/api_key").await.unwrap().unwrap().expose(), "kept");
}
