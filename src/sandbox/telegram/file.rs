//! A Telegram as a scenario's file writes it.

use super::settings::{TelegramAccount, TelegramSession, TelegramSettings};
use serde::Deserialize;
use std::time::Duration;

/// What only kind `telegram` has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelegramFile {
    /// Numbers of data centres.
    dcs: Vec<i32>,
    token_life_s: Option<u64>,
    fresh_for_s: Option<u64>,
    unconfirmed: bool,
    /// The account whose phone scans by itself.
    scanned_by: Option<i64>,
    account: Vec<AccountFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AccountFile {
    id: i64,
    name: String,
    username: String,
    phone: String,
    dc: i32,
    password: Option<String>,
    bot_token: Option<String>,
    session: Vec<SessionFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SessionFile {
    /// Every byte of the key is this one plus its place: for a file that somebody made to fit.
    key_seed: Option<u8>,
    device: String,
    app: String,
    platform: String,
    ip: String,
    country: String,
    age_s: u64,
    idle_s: u64,
    unconfirmed: bool,
    official: bool,
}

impl TelegramFile {
    /// Settings and accounts; `scans_after` and `reply_delay` stand with the gateway.
    pub(crate) fn read(
        &self,
        skew_ms: i64,
        scans_after: Option<Duration>,
        reply_delay: Option<Duration>,
    ) -> (TelegramSettings, Vec<TelegramAccount>) {
        let mut s = TelegramSettings { skew_ms, unconfirmed: self.unconfirmed, ..TelegramSettings::default() };
        if !self.dcs.is_empty() {
            s.dcs.clone_from(&self.dcs);
        }
        s.token_life = self.token_life_s.map_or(s.token_life, Duration::from_secs);
        s.fresh_for = self.fresh_for_s.map_or(s.fresh_for, Duration::from_secs);
        s.reply_delay = reply_delay.unwrap_or(s.reply_delay);
        s.scans = scans_after.zip(self.scanned_by);
        (s, self.account.iter().map(AccountFile::read).collect())
    }
}

impl AccountFile {
    fn read(&self) -> TelegramAccount {
        let session = |s: &SessionFile| TelegramSession {
            key: s.key_seed.map(|seed| Box::new(std::array::from_fn(|i| seed.wrapping_add(i as u8)))),
            device: s.device.clone(),
            app: s.app.clone(),
            platform: s.platform.clone(),
            ip: s.ip.clone(),
            country: s.country.clone(),
            age: Duration::from_secs(s.age_s),
            idle: Duration::from_secs(s.idle_s),
            unconfirmed: s.unconfirmed,
            official: s.official,
        };
        TelegramAccount {
            id: self.id,
            name: self.name.clone(),
            username: self.username.clone(),
            phone: self.phone.clone(),
            dc: self.dc,
            password: self.password.clone(),
            bot_token: self.bot_token.clone(),
            sessions: self.session.iter().map(session).collect(),
        }
    }
}
