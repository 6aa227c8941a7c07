//! What a LangBot server of the sandbox is told to be. Defaults are those of LangBot 4.11.2.

use crate::sandbox::settings::DateMode;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// A permission of a key or an account, as `pkg/api/http/authz.py` names them.
pub const SCOPES: &[&str] = &[
    "workspace.view",
    "workspace.update",
    "workspace.delete",
    "member.view",
    "member.invite",
    "member.update_role",
    "member.remove",
    "resource.view",
    "resource.manage",
    "runtime.operate",
    "provider_secret.manage",
    "api_key.manage",
    "audit.view",
    "data.export",
    "billing_link.manage",
];

/// The fixed waits of the server.
#[derive(Clone, Copy, Debug)]
pub struct LangBotTiming {
    /// How long a QR flow waits for its far side before it answers 504 (10 s in the source).
    pub qr_wait: Duration,
    /// When the far side of a QR flow has a code (the server looks each 0.5 s).
    pub qr_ready: Duration,
    /// Life of a code, where it is not to be the flow's own (180 to 600 s).
    pub code: Option<Duration>,
    /// Life of a JWT (`system.jwt.expire`, 7 days).
    pub jwt: Duration,
    /// How long a client of a far side is patient (httpx: 5 s).
    pub fetch: Duration,
}

impl Default for LangBotTiming {
    fn default() -> Self {
        Self {
            qr_wait: Duration::from_secs(10),
            qr_ready: Duration::from_millis(500),
            code: None,
            jwt: Duration::from_secs(7 * 86_400),
            fetch: Duration::from_secs(5),
        }
    }
}

/// An account that logs in with a password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Its mail address.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A key that was made before the sandbox started.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Its name in the list.
    pub name: String,
    /// The whole key, `lbk_…`.
    pub secret: String,
    /// What it may do, out of [`SCOPES`].
    pub scopes: Vec<String>,
}

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct LangBotSettings {
    /// `data.version` of `system/info`.
    pub version: String,
    /// The account that claimed the instance; `None` when nobody has, and anybody can.
    pub owner: Option<Owner>,
    /// The code that the second factor wants, if the account has one.
    pub totp: Option<String>,
    /// `api.global_api_key`: every permission.
    pub global_key: Option<String>,
    /// Keys of `/api/v1/apikeys`.
    pub keys: Vec<KeySpec>,
    /// `api.webhook_prefix`: says port 5300 wherever the server listens (recording 13).
    pub webhook_prefix: String,
    /// The far sides of the QR flows cannot be reached (recordings 24, 25).
    pub offline: bool,
    /// Somebody scans every new code by himself, so long after it appears.
    pub scans_after: Option<Duration>,
    /// The server's clock and its `Date` header: `expire_at` of a QR comes from the same clock.
    pub date: DateMode,
    /// Added to every answer.
    pub reply_delay: Duration,
    /// Waits.
    pub timing: LangBotTiming,
    /// What the configuration says besides: key, and value as TOML writes it.
    pub config: Vec<(&'static str, String)>,
}

impl Default for LangBotSettings {
    fn default() -> Self {
        Self {
            version: "v4.11.2".to_owned(),
            owner: Some(Owner { user: "ops@example.test".to_owned(), password: "sandbox-pass-1".to_owned() }),
            totp: None,
            global_key: Some("lbk_sandbox_global_key".to_owned()),
            keys: Vec::new(),
            webhook_prefix: "http://127.0.0.1:5300".to_owned(),
            offline: false,
            scans_after: None,
            date: DateMode::Skewed(0),
            reply_delay: Duration::ZERO,
            timing: LangBotTiming::default(),
            config: Vec::new(),
        }
    }
}

/// What is on the other side of a bot: for a `wecom` bot only while its `api_base_url` names no loopback address, else the
/// server really talks to whatever listens there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FarSide {
    /// Takes everything.
    #[default]
    Good,
    /// `gettoken` says 40001; an AI bot's subscription is refused with it.
    BadSecret,
    /// Tokens are given out, and every send is 42001: three fetches a send, then an exception (`_bounded_token_retry`).
    Expired,
    /// Tokens are given out, and every send is 60020.
    IpNotTrusted,
    /// No way there.
    Unreachable,
}

/// A line that is in a bot's log from the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastLine {
    /// `debug`, `info`, `warning` or `error`.
    pub level: String,
    /// Its text.
    pub text: String,
    /// Its age in seconds.
    #[serde(default)]
    pub age_s: u32,
}

/// One bot of a server.
#[derive(Clone, Debug, Default)]
pub struct BotSpec {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `wecom`, `wecombot`, `telegram`, …
    pub adapter: String,
    /// `adapter_config` as the file or a client writes it.
    pub config: Map<String, Value>,
    /// False for a bot that is switched off.
    pub enable: bool,
    /// What is on its other side.
    pub far: FarSide,
    /// Lines of its log.
    pub log: Vec<PastLine>,
}
