//! Somebody else who holds the secret: a process that nobody remembers, or a bot on another host.

use super::{Inner, Platform, fetch::By, settings::ForeignSpec, state::Death};
use std::sync::Arc;

/// Where the foreign client comes from.
const FOREIGN_IP: &str = "198.51.100.23";

impl Inner {
    /// One fetch of the foreign client with `secret`, as over the wire: it is counted by the limits too. The `errcode`.
    pub(crate) fn foreign_fetch(&self, id: &str, secret: &str) -> i64 {
        let reply = match self.settings.platform {
            Platform::Wecom => {
                let query = |name: &str| match name {
                    "corpid" => Some(self.settings.corpid.clone()),
                    "corpsecret" => Some(secret.to_owned()),
                    _ => None,
                };
                self.get_token(&query, FOREIGN_IP, By::Foreign)
            }
            Platform::WechatOa => {
                let query = |name: &str| match name {
                    "grant_type" => Some("client_credential".to_owned()),
                    "appid" => Some(id.to_owned()),
                    "secret" => Some(secret.to_owned()),
                    _ => None,
                };
                self.classic(&query, FOREIGN_IP, By::Foreign)
            }
        };
        reply.code()
    }

    /// Fetches at every beat with the secret of today, until the sandbox ends. A secret that is reset shuts it out, as it should:
    /// from then on it collects 40001.
    pub(crate) fn start_foreign(self: &Arc<Self>, id: String, spec: ForeignSpec) {
        let inner = Arc::clone(self);
        let found = {
            let state = inner.lock();
            state.find(&id).and_then(|n| state.apps.get(n)).map(|a| a.secret.clone())
        };
        let Some(secret) = found else { return };
        self.spawn(async move {
            loop {
                tokio::time::sleep(spec.every.max(std::time::Duration::from_millis(10))).await;
                let mut code = -1;
                for _ in 0..spec.fetches {
                    code = inner.foreign_fetch(&id, &secret);
                }
                if spec.burns && code == 0 {
                    inner.kill(&id, Death::Revoked);
                }
            }
        });
    }
}
