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
    key: String,
}

impl Im {
    /// Starts one with that manager token.
    pub fn start(key: &str) -> Self {
        Self::with(WukongSettings { manager_token: Some(key.to_owned()), ..WukongSettings::default() })
    }

    /// Starts one of these settings.
    pub fn with(settings: WukongSettings) -> Self {
        let key = settings.manager_token.clone().unwrap_or_default();
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
        Self { sandbox: rx.recv_timeout(deadline()).unwrap(), key }
    }

    pub fn server(&self) -> &Wukong {
        self.sandbox.wukong("im").unwrap()
    }

    /// A home whose configuration names the server, with `more` lines, and whose vault holds its manager token.
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
            let name = secret_name(&GatewayId::new("im"), "manager_token");
            store.secret_put(&name, &Secret::new(self.key.clone())).await.unwrap();
            store.flush().await;
            store.close();
        });
        home.canary(&self.key);
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
