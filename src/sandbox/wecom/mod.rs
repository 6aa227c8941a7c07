//! A platform that gives out access tokens, as seen from outside: WeCom's `qyapi` and the API of WeChat official accounts.
//!
//! What it does is written down in the protocol page wecom-langbot (§1), with the threads that its texts come from. Nothing here
//! may be kinder than the real one: errors are HTTP 200, the same token comes back until it expires whatever `expires_in` says,
//! a token may die early, an untrusted address may fetch but not call, a forced refresh too soon does nothing and says nothing.
//!
//! For tests in process, [`TokenServer`] has: [`TokenServer::fetches`] and [`TokenServer::fetched`] (how often a token was asked
//! for), [`TokenServer::expire`], [`TokenServer::revoke`], [`TokenServer::reset_secret`], [`TokenServer::trust`],
//! [`TokenServer::fault`], [`TokenServer::foreign_fetch`], [`TokenServer::live`], [`TokenServer::verdict`],
//! [`TokenServer::messages`], [`TokenServer::requests`], [`TokenServer::asked`], [`TokenServer::skew`].

mod calls;
mod fetch;
pub(crate) mod file;
mod foreign;
mod handle;
mod limit;
mod oa;
mod orders;
mod redact;
mod reply;
mod routes;
mod settings;
mod state;
mod trouble;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_oa;

pub use settings::{AppSpec, ForeignSpec, Limit, Limits, Platform, Repeated, Stale, TokenSettings};
pub use state::{Fetches, Sent};
pub use trouble::{Only, TokenFault};

use super::{
    GatewayInfo,
    clock::Clock,
    shell::{self, Shell},
};
use crate::domain::Secret;
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use trouble::Troubles;

/// Events kept for a slow listener before it loses some.
const BACKLOG: usize = 4096;

/// What can be changed while the server runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) troubles: Troubles,
    pub(crate) repeated: Repeated,
    pub(crate) stale: Stale,
    pub(crate) token_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shell: Shell,
    pub(crate) settings: TokenSettings,
    pub(crate) bus: broadcast::Sender<Arc<str>>,
    knobs: Mutex<Knobs>,
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever listens. Nothing secret goes in.
    pub(crate) fn tell(&self, what: &str, app: &str, more: &serde_json::Value) {
        // Nobody listens: nobody is told.
        let _ = self.bus.send(serde_json::json!({ "what": what, "account": app, "more": more }).to_string().into());
    }
}

/// A running platform. Clones are the same one.
#[derive(Clone, Debug)]
pub struct TokenServer {
    pub(crate) inner: Arc<Inner>,
}

shell::handle!(TokenServer, Inner);

impl TokenServer {
    /// A platform that does not listen yet: [`TokenServer::handle`] answers requests in process. Make it inside of a tokio
    /// runtime: foreign clients run there.
    pub fn new(name: &str, settings: TokenSettings, clock: Clock, seed: Option<u64>, cancel: CancellationToken) -> Self {
        let knobs = Knobs { troubles: Troubles::default(), repeated: settings.repeated, stale: settings.stale, token_bytes: settings.token_bytes };
        Self {
            inner: Arc::new(Inner {
                shell: Shell::new(name, settings.date, settings.reply_delay, clock, cancel),
                settings,
                bus: broadcast::channel(BACKLOG).0,
                knobs: Mutex::new(knobs),
                state: Mutex::new(State::new(seed)),
            }),
        }
    }

    /// Puts apps there, with the past that each one has.
    pub fn seed(&self, apps: &[AppSpec]) {
        let now = self.inner.now_ms();
        for spec in apps {
            self.inner.lock().add(spec, &self.inner.settings, now);
            if let Some(foreign) = &spec.foreign {
                self.inner.start_foreign(spec.id.clone(), foreign.clone());
            }
        }
    }

    /// The word in the configuration.
    pub fn kind(&self) -> &'static str {
        match self.inner.settings.platform {
            Platform::Wecom => "wecom",
            Platform::WechatOa => "wechat-oa",
        }
    }

    /// What clients need to know: the secret of each app, under the name that a vault keeps it by.
    pub(crate) fn info(&self) -> GatewayInfo {
        let state = self.inner.lock();
        let told = |a: &state::App| a.announced.clone().unwrap_or_else(|| a.secret.clone());
        let credentials =
            state.apps.iter().map(|a| (format!("account/{}/secret", crate::domain::ids::escape(&a.name)), Secret::new(told(a)))).collect();
        GatewayInfo {
            name: self.name().to_owned(),
            kind: self.kind(),
            url: self.url(),
            credentials,
            more: file::config(&self.inner.settings, &state.apps),
        }
    }
}
