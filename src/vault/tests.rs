//! The vault as the store meets it, with every source that needs no bus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    domain::{Stamp, Time, Wall},
    store::Store,
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
    let (store, vault) = open(&dir);
    vault.open_in_background();
    assert!(why(&settled(&vault).await).contains("wants its passphrase"));
    assert!(why(&vault.unlock(Some(Secret::new("wrong horse".into()))).await).contains("does not open"));
    assert!(matches!(store.secret_get("a").await, Err(StoreError::Locked)));
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
    let reopened = || async {
        let (store, vault) = open(&dir);
        vault.open_in_background();
        (settled(&vault).await, store)
    };
    assert_eq!(reopened().await.0, VaultState::Open(Source::KeyFile));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(why(&reopened().await.0).contains("chmod 600"));
    std::fs::remove_file(&file).unwrap();
    assert!(why(&reopened().await.0).contains("gone from the key file"));
    assert!(!file.exists(), "no new key is made in its place");
    std::fs::write(&file, keyfile::encode(&seal::new_key().unwrap()).as_str()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(why(&reopened().await.0).contains("does not fit"));
}

#[tokio::test]
async fn of_two_who_make_a_vault_at_once_one_does_and_its_key_holds() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, a), (two, b)) = (open(&dir), open(&dir));
    let (x, y) = tokio::join!(a.create(Source::KeyFile, None), b.create(Source::KeyFile, None));
    assert!(x.is_ok() ^ y.is_ok(), "{x:?} {y:?}");
    let winner = if x.is_ok() { &one } else { &two };
    winner.secret_put("a", &Secret::new("x".into())).await.unwrap();
    let (store, vault) = open(&dir);
    vault.open_in_background();
    assert_eq!(settled(&vault).await, VaultState::Open(Source::KeyFile));
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
