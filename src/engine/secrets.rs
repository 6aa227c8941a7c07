//! Secrets of gateways and accounts, from the store into memory. One that does not open is its owner's trouble alone: the others load.

use super::world::{Gateway, World, lock, secret_name};
use crate::{
    domain::{Reason, ReasonCode, Secrets},
    providers::token::account_secret,
    store::StoreError,
    vault::VaultState,
};
use std::{collections::BTreeMap, sync::atomic::Ordering};

impl World {
    /// Loads every gateway's secrets. Call after the vault was opened. One that does not open marks its own gateway, if it is the
    /// gateway's; [`World::broken_secrets`] names all of them.
    ///
    /// # Errors
    /// The vault is locked, the store cannot be read.
    pub async fn load_secrets(&self) -> Result<(), StoreError> {
        for gateway in self.gateways() {
            self.load_gateway_secrets(&gateway).await?;
            if let Some(why) = gateway.sealed_shut() {
                self.broken(&gateway, why);
            }
        }
        self.locked.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The secrets of configured gateways and their accounts that did not open when they were loaded, with their remedies.
    pub fn broken_secrets(&self) -> Vec<Reason> {
        self.gateways().iter().flat_map(|g| lock(&g.state).broken.values().cloned().collect::<Vec<_>>()).collect()
    }

    /// The store's damage, where there is any: what is not found in it may have been there.
    pub(super) fn damage(&self) -> Option<Reason> {
        let why = self.store.is_damaged().then(|| self.store.trouble()).flatten()?;
        Some(Reason { code: ReasonCode::StoreBroken, ..why })
    }

    /// Why secrets cannot be used: why the vault does not open, or where it does, that the store is damaged.
    pub(super) fn why_shut(&self) -> Reason {
        let locked = matches!(self.vault.state(), VaultState::Locked(_));
        self.damage().filter(|_| !locked).unwrap_or_else(|| self.vault.shut())
    }

    pub(super) async fn load_gateway_secrets(&self, gateway: &Gateway) -> Result<(), StoreError> {
        let mut names: Vec<String> = gateway.spec.secrets.iter().map(|s| s.name.to_owned()).collect();
        if !gateway.spec.account_secrets.is_empty() {
            let prefix = secret_name(&gateway.id, "");
            let listed = self.store.secret_list().await?;
            let own = listed.iter().filter_map(|(name, _)| name.strip_prefix(&prefix).filter(|n| n.starts_with("account/")));
            names.extend(own.map(str::to_owned));
        }
        let (mut secrets, mut broken) = (Secrets::new(), BTreeMap::new());
        for name in names {
            match self.store.secret_get(&secret_name(&gateway.id, &name)).await {
                Ok(None) => {}
                Ok(Some(secret)) => {
                    secrets.insert(name, secret);
                }
                Err(e) => {
                    let why = e.reason();
                    if why.code != ReasonCode::StoreBroken {
                        return Err(e);
                    }
                    broken.insert(name, why);
                }
            }
        }
        let mut state = lock(&gateway.state);
        (state.secrets, state.broken) = (secrets, broken);
        Ok(())
    }

    /// Reads the secrets of one account anew: another process may have put one in.
    pub(super) async fn load_account_secrets(&self, gateway: &Gateway, account: &str) -> Result<(), StoreError> {
        for spec in gateway.spec.account_secrets {
            let name = account_secret(account, spec.name);
            let found = self.store.secret_get(&secret_name(&gateway.id, &name)).await?;
            let mut state = lock(&gateway.state);
            state.broken.remove(&name);
            match found {
                Some(secret) => state.secrets.insert(name, secret),
                None => state.secrets.remove(&name),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemTime,
        domain::{GatewayId, Secret, State},
        engine::Parts,
        i18n::{Lang, reason},
        store::{Paths, config},
        vault::Vault,
    };
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    fn world(home: &std::path::Path) -> Arc<World> {
        world_of(home, Vault::memory(), config::KINDS[0])
    }

    fn world_of(home: &std::path::Path, vault: Vault, kind: &'static str) -> Arc<World> {
        let gateway = |name| config::Gateway::new(name, kind, "http://127.0.0.1:9");
        World::new(Parts { gateways: vec![gateway("a"), gateway("b")], ..Parts::of_home(home, vault, Arc::new(SystemTime::new())) })
    }

    #[tokio::test]
    async fn one_broken_secret_is_its_gateways_alone_and_is_named_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let world = world(dir.path());
        let name = world.gateways()[0].spec.secrets[0].name;
        for g in ["a", "b"] {
            world.store.secret_put(&secret_name(&GatewayId::new(g), name), &Secret::new(format!("secret of {g}"))).await.unwrap();
        }
        let broken = format!("gateway/a/{name}");
        let db = rusqlite::Connection::open(world.paths.vault_db()).unwrap();
        let mut blob: Vec<u8> = db.query_row("SELECT blob FROM secret WHERE name = ?1", [&broken], |r| r.get(0)).unwrap();
        *blob.last_mut().unwrap() ^= 1;
        db.execute("UPDATE secret SET blob = ?1 WHERE name = ?2", rusqlite::params![blob, broken]).unwrap();
        world.load_secrets().await.unwrap();
        assert!(!world.locked(), "one broken secret locks the others");
        let gateways = world.gateways();
        let why = world.cx(&gateways[0], CancellationToken::new()).err().expect("called without its secret");
        assert_eq!(why.code, ReasonCode::StoreBroken);
        assert!(why.raw.as_ref().unwrap().as_str().contains(&broken), "{why:?}");
        let remedy = reason::remedy_sentence(&why, Lang::En).unwrap();
        assert!(remedy.contains("pairdeck secret set a") && remedy.contains("forget a"), "{remedy}");
        assert_eq!(gateways[0].link().reason.unwrap().code, ReasonCode::StoreBroken, "its gateway does not say it");
        assert_ne!(gateways[0].link().state, State::Online);
        let cx = world.cx(&gateways[1], CancellationToken::new()).unwrap();
        assert_eq!(cx.secrets.get(name).unwrap().expose(), "secret of b");
        assert_eq!(world.broken_secrets().len(), 1);
        world.store.secret_put(&broken, &Secret::new("again".into())).await.unwrap();
        world.load_secrets().await.unwrap();
        assert!(world.cx(&gateways[0], CancellationToken::new()).is_ok(), "the remedy does not help");
    }

    /// That the secret of an account is called what it is in a damaged store, and why nothing can be done.
    fn tells_the_damage(world: &Arc<World>) {
        let cx = world.cx(&world.gateways()[0], CancellationToken::new()).unwrap();
        for why in [cx.without("account/x/secret", Reason::new(ReasonCode::CredentialMissing)), world.why_shut()] {
            assert_eq!(why.code, ReasonCode::StoreBroken, "{why:?}");
            let said = reason::full(&why, Lang::En);
            assert!(said.contains("damaged") && !said.contains("eyring"), "{said}");
            assert!(reason::remedy_sentence(&why, Lang::En).unwrap().contains("secret set-aside"));
        }
    }

    #[tokio::test]
    async fn of_a_damaged_store_no_secret_is_called_missing_and_no_keyring_locked() {
        let dir = tempfile::tempdir().unwrap();
        let (path, vault) = (Paths::in_home(dir.path()).vault_db(), Vault::memory());
        let first = world_of(dir.path(), vault.clone(), "wecom");
        first.store.secret_put("gateway/a/account/x/secret", &Secret::new("kept".into())).await.unwrap();
        let cx = first.cx(&first.gateways()[0], CancellationToken::new()).unwrap();
        let whole = cx.without("account/x/other", Reason::new(ReasonCode::CredentialMissing));
        assert_eq!(whole.code, ReasonCode::CredentialMissing, "nothing is damaged yet");
        drop((cx, first));
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let page: usize =
            db.query_row("SELECT rootpage FROM sqlite_master WHERE name = 'secret'", [], |r| r.get::<_, i64>(0)).unwrap().try_into().unwrap();
        drop(db);
        // Zero bytes in the middle: the key opens, what it sealed is gone.
        let mut torn = std::fs::read(&path).unwrap();
        torn[(page - 1) * 4096..page * 4096].fill(0);
        std::fs::write(&path, &torn).unwrap();
        let world = world_of(dir.path(), vault, "wecom");
        assert!(world.vault.is_open() && world.load_secrets().await.is_err());
        tells_the_damage(&world);
        drop(world);
        // A folder in its place.
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(Paths::in_home(other.path()).vault_db()).unwrap();
        let world = world_of(other.path(), Vault::new(), "wecom");
        assert!(world.load_secrets().await.is_err());
        tells_the_damage(&world);
    }

    #[test]
    fn the_remedy_names_the_account_whose_secret_it_is() {
        for (name, target) in [("gateway/a/password", "a --name password"), ("gateway/a/account/bot%2Fx/token", "a:bot%2Fx --name token")] {
            let message = crate::i18n::Message::new(&crate::i18n::store::SEAL_BROKEN).with("what", format!("secret {name}"));
            let remedy = reason::remedy_sentence(&StoreError::said(message).reason(), Lang::En).unwrap();
            assert!(remedy.contains(target), "{remedy}");
        }
    }
}
