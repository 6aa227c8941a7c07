//! A WuKongIM server of the sandbox on a thread of its own, and a home that knows its manager token.

use super::{deadline, house::Home};
use pairdeck::{
    clock::SystemTime,
    domain::{GatewayId, Secret},
    engine::world::secret_name,
    sandbox::{Options, Part, Sandbox, Wukong, WukongSettings},
    store::{Paths, Store},
    vault::{Source, Vault},
};
use std::{
    sync::{Arc, mpsc},
    thread,
};

/// A running server named `im`; dropping it ends it.
pub struct Im {
    sandbox: Arc<Sandbox>,
    secrets: Vec<(&'static str, String)>,
}

impl Im {
    /// Starts one with that manager token.
    pub fn start(key: &str) -> Self {
        Self::with(WukongSettings { manager_token: Some(key.to_owned()), ..WukongSettings::default() })
    }

    /// Starts one of these settings.
    pub fn with(settings: WukongSettings) -> Self {
        let login = settings.managers.first().map(|m| [("manager_user", m.name.clone()), ("manager_password", m.password.clone())]);
        let secrets = settings.manager_token.iter().map(|t| ("manager_token", t.clone())).chain(login.into_iter().flatten()).collect();
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let parts = vec![("im".to_owned(), Part::Wukong(Box::new(settings), Vec::new()))];
                let sandbox = Arc::new(Sandbox::with(parts, &Options { seed: Some(7), ..Options::default() }).await.unwrap());
                tx.send(sandbox.clone()).unwrap();
                sandbox.ended().await;
            });
        });
        Self { sandbox: rx.recv_timeout(deadline()).unwrap(), secrets }
    }

    pub fn server(&self) -> &Wukong {
        self.sandbox.wukong("im").unwrap()
    }

    /// Where its control API listens.
    pub fn control(&self) -> &str {
        self.sandbox.control()
    }

    /// A home whose configuration names the server, with `more` lines, and whose vault holds its credentials.
    pub fn home_with(&self, more: &str) -> Home {
        let mut home = Home::empty();
        home.write_config(&format!(
            "[gateway.im]\nkind = \"wukongim\"\nurl = \"{}\"\nmanager_url = \"{}\"\n{more}\n",
            self.server().api_url(),
            self.server().manager_url()
        ));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let vault = Vault::new();
            let store = Store::open(&Paths::in_home(&home.path()), vault.clone(), Arc::new(SystemTime::new())).unwrap();
            vault.create(Source::KeyFile, None).await.unwrap();
            for (name, secret) in &self.secrets {
                store.secret_put(&secret_name(&GatewayId::new("im"), name), &Secret::new(secret.clone())).await.unwrap();
            }
            store.flush().await;
            store.close();
        });
        for (_, secret) in self.secrets.iter().filter(|(name, _)| *name != "manager_user") {
            home.canary(secret);
        }
        home
    }

    /// A home that watches every account.
    pub fn home(&self) -> Home {
        self.home_with("uids = \"all\"")
    }
}

impl Drop for Im {
    fn drop(&mut self) {
        self.sandbox.shutdown();
    }
}
