//! How a Telegram of the sandbox behaves, and who lives on it.

use std::time::Duration;

/// Settings of one network of data centres.
#[derive(Clone, Debug)]
pub struct TelegramSettings {
    /// The data centres, each on a port of its own. The first one has the sandbox's first port.
    pub dcs: Vec<i32>,
    /// Applications that may connect: `api_id` and `api_hash`.
    pub apps: Vec<(i32, String)>,
    /// The servers' clock minus ours, in milliseconds.
    pub skew_ms: i64,
    /// Life of a login token (30 s).
    pub token_life: Duration,
    /// How old a session must be before it may end others (24 h).
    pub fresh_for: Duration,
    /// Life of a salt; the next one is valid from half of it on (1 h).
    pub salt_life: Duration,
    /// `tmp_sessions` of the configuration: how many parallel connections one authorized key may have; `None` is one.
    pub tmp_sessions: Option<i32>,
    /// How long a connection that was just closed may still look open before a second one counts as a duplicate.
    pub grace: Duration,
    /// Added to every answer.
    pub reply_delay: Duration,
    /// New sessions are shown as unconfirmed.
    pub unconfirmed: bool,
    /// A phone scans every new token by itself, so long after it was made: whose phone.
    pub scans: Option<(Duration, i64)>,
    /// The most tokens that one key may ask for in a minute; then `FLOOD_WAIT`.
    pub exports_a_minute: usize,
}

/// The application that every sandbox knows.
pub const APP: (i32, &str) = (12345, "0123456789abcdef0123456789abcdef");

impl Default for TelegramSettings {
    fn default() -> Self {
        Self {
            dcs: vec![2, 4],
            apps: vec![(APP.0, APP.1.to_owned())],
            skew_ms: 0,
            token_life: Duration::from_secs(30),
            fresh_for: Duration::from_secs(24 * 3600),
            salt_life: Duration::from_secs(3600),
            tmp_sessions: None,
            grace: Duration::from_millis(200),
            reply_delay: Duration::ZERO,
            unconfirmed: false,
            scans: None,
            exports_a_minute: 20,
        }
    }
}

/// One account.
#[derive(Clone, Debug, Default)]
pub struct TelegramAccount {
    /// Its number.
    pub id: i64,
    /// First name.
    pub name: String,
    /// User name without the at sign; may be empty.
    pub username: String,
    /// Digits only; empty for a bot.
    pub phone: String,
    /// The data centre where it lives.
    pub dc: i32,
    /// The second factor.
    pub password: Option<String>,
    /// The token of a bot.
    pub bot_token: Option<String>,
    /// Sessions that it has from the start.
    pub sessions: Vec<TelegramSession>,
}

/// A session that an account has from the start.
#[derive(Clone, Debug, Default)]
pub struct TelegramSession {
    /// Its key, for somebody who holds it in a file; made up when absent.
    pub key: Option<Box<[u8; 256]>>,
    /// Device model.
    pub device: String,
    /// Application name.
    pub app: String,
    /// Platform.
    pub platform: String,
    /// Address.
    pub ip: String,
    /// Country.
    pub country: String,
    /// How long ago it was made.
    pub age: Duration,
    /// How long ago it was last active.
    pub idle: Duration,
    /// Not yet confirmed by its owner.
    pub unconfirmed: bool,
    /// One of Telegram's own applications.
    pub official: bool,
}
