//! What a test or the control API may do with a running platform.

use super::{
    Fetches, Inner, Repeated, Sent, Stale, TokenFault, TokenServer, TokenSettings,
    state::{Death, Line, Worth},
};
use crate::domain::Secret;
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;

impl Inner {
    /// Ends the tokens of an account that are good. `None` when there is no such account, else how many there were.
    pub(crate) fn kill(&self, account: &str, why: Death) -> Option<usize> {
        let now = self.now_ms();
        let mut state = self.lock();
        let n = state.find(account)?;
        state.apps.get_mut(n).map(|a| a.kill(why, now))
    }
}

impl TokenServer {
    /// Its settings, as it started with.
    pub fn settings(&self) -> &TokenSettings {
        &self.inner.settings
    }

    /// The base of every call, `…/cgi-bin` included.
    pub fn url(&self) -> String {
        let host = self.inner.url.get().map_or("http://127.0.0.1:80", String::as_str);
        format!("{host}{}/cgi-bin", self.inner.settings.base_path)
    }

    /// Ids of all accounts, in the order of the scenario.
    pub fn accounts(&self) -> Vec<String> {
        self.inner.lock().apps.iter().map(|a| a.id.clone()).collect()
    }

    /// True when `account` is the id or the name of one.
    pub fn knows(&self, account: &str) -> bool {
        self.inner.lock().find(account).is_some()
    }

    /// The secret that the platform accepts.
    pub fn secret(&self, account: &str) -> Option<Secret> {
        let state = self.inner.lock();
        state.apps.get(state.find(account)?).map(|a| Secret::new(a.secret.clone()))
    }

    /// The (stable) token that is good now, if there is one, and what is left of its life. Asks nobody and counts nothing.
    pub fn live(&self, account: &str) -> Option<(Secret, Duration)> {
        let now = self.inner.now_ms();
        let state = self.inner.lock();
        let g = state.apps.get(state.find(account)?)?.live(Line::Stable, now)?;
        Some((Secret::new(g.text.clone()), Duration::from_millis(u64::try_from(g.expires_ms - now).unwrap_or(0))))
    }

    /// The id of the account that a token is good for, or `None` when it is good for nothing.
    pub fn verdict(&self, token: &str) -> Option<String> {
        let now = self.inner.now_ms();
        let state = self.inner.lock();
        match state.worth(token, now) {
            Worth::Good(n) => state.apps.get(n).map(|a| a.id.clone()),
            _ => None,
        }
    }

    /// The time of its tokens is over. False when there is no such account.
    pub fn expire(&self, account: &str) -> bool {
        self.inner.kill(account, Death::Expired).is_some()
    }

    /// The platform drops its tokens before their time. False when there is no such account.
    pub fn revoke(&self, account: &str) -> bool {
        self.inner.kill(account, Death::Revoked).is_some()
    }

    /// An operator resets the secret in the console; returns the new one. `kills` says whether tokens that live end with it;
    /// `None` is as the settings say.
    pub fn reset_secret(&self, account: &str, new: Option<&str>, kills: Option<bool>) -> Option<Secret> {
        let now = self.inner.now_ms();
        let kills = kills.unwrap_or(self.inner.settings.reset_kills);
        let mut state = self.inner.lock();
        let n = state.find(account)?;
        let secret = new.map_or_else(|| state.text(43), str::to_owned);
        let app = state.apps.get_mut(n)?;
        app.secret.clone_from(&secret);
        app.announced = None;
        if kills {
            app.kill(Death::Reset, now);
        }
        Some(Secret::new(secret))
    }

    /// The addresses that may use an account's tokens; `None` is everybody. False when there is no such account.
    pub fn trust(&self, account: &str, ips: Option<Vec<String>>) -> bool {
        let mut state = self.inner.lock();
        let Some(n) = state.find(account) else { return false };
        if let Some(a) = state.apps.get_mut(n) {
            a.trusted = ips;
        }
        true
    }

    /// How often tokens of an account were given out.
    pub fn fetches(&self, account: &str) -> Fetches {
        let state = self.inner.lock();
        state.find(account).and_then(|n| state.apps.get(n)).map(|a| a.fetches).unwrap_or_default()
    }

    /// Every request for a token over the wire, answered with one or not.
    pub fn fetched(&self) -> u64 {
        let ends = ["/gettoken", "/token", "/stable_token"];
        self.requests().iter().filter(|c| ends.iter().any(|e| c.path.ends_with(e))).map(|c| c.count).sum()
    }

    /// How many requests for a token were refused, the foreign client's included.
    pub fn refused(&self) -> u64 {
        self.inner.lock().refused
    }

    /// The foreign client fetches once, now, with the right secret. The `errcode`, `None` when there is no such account.
    pub fn foreign_fetch(&self, account: &str) -> Option<i64> {
        let (id, secret) = {
            let state = self.inner.lock();
            let app = state.apps.get(state.find(account)?)?;
            (app.id.clone(), app.secret.clone())
        };
        Some(self.inner.foreign_fetch(&id, &secret))
    }

    /// The next `count` requests that it is for fail like this (`u32::MAX`: until [`TokenServer::heal`]); with `path` only those
    /// whose path, base path included, begins with it.
    pub fn fault(&self, fault: TokenFault, count: u32, path: Option<&str>) {
        self.inner.knobs().troubles.push(fault, count, path.map(str::to_owned));
    }

    /// Tokens made from now on are so many bytes long, at most 512.
    pub fn token_bytes(&self, bytes: usize) {
        self.inner.knobs().token_bytes = bytes;
    }

    /// What `expires_in` says from now on when a token is repeated.
    pub fn repeated(&self, repeated: Repeated) {
        self.inner.knobs().repeated = repeated;
    }

    /// How dead tokens are answered from now on.
    pub fn stale(&self, stale: Stale) {
        self.inner.knobs().stale = stale;
    }

    /// No more faults, tokens of the usual length, and limits that forget.
    pub fn heal(&self) {
        let mut knobs = self.inner.knobs();
        knobs.troubles.clear();
        knobs.token_bytes = self.inner.settings.token_bytes;
        drop(knobs);
        self.inner.lock().windows.clear();
    }

    /// Messages that were sent, oldest first.
    pub fn messages(&self) -> Vec<Sent> {
        self.inner.lock().sent.iter().cloned().collect()
    }

    /// `fetch`, `refused` and `stale` from now on, as JSON documents without anything secret.
    pub fn events(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bus.subscribe()
    }
}
