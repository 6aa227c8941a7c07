//! How a token platform of the sandbox behaves. The defaults are what its documentation says (wecom-langbot §1).

use crate::sandbox::settings::DateMode;
use serde::Deserialize;
use std::time::Duration;

/// Which platform a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// Kind `wecom`: one token per app, the same string until it expires, no way to ask for another.
    #[default]
    Wecom,
    /// Kind `wechat-oa`: the stable token (same until its last minutes, can be forced) and the classic one (each call kills the
    /// one before), isolated from each other.
    WechatOa,
}

/// What `expires_in` says when the same token is given out again. Nobody has documented which it is (wecom-langbot §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// The full life again, whatever is left of it: a client that believes it holds a dead token for up to two hours.
    #[default]
    Full,
    /// What is left.
    Remaining,
}

/// How an API call is told that a token of this app is no longer good (NotFound403/wecom-sdk#22: both are seen).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Stale {
    /// 42001.
    #[default]
    #[serde(rename = "42001")]
    Expired,
    /// 40014.
    #[serde(rename = "40014")]
    Invalid,
    /// One after the other.
    #[serde(rename = "in_turn")]
    InTurn,
}

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So many times…
    pub most: u32,
    /// … within so long.
    pub within: Duration,
}

/// When the platform says 45009, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Fetches of a token from one address: 300 an hour in the older text, the only figure that was ever given for fetches.
    pub fetches_per_ip: Limit,
    /// Calls of one API by one corporation: 1000 a minute in the older text. Fetches are an API too, and whoever else holds a
    /// secret of the corporation uses them up.
    pub calls_per_corp: Limit,
    /// How long 45009 lasts. Not documented; a minute is our guess.
    pub penalty: Duration,
}

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Which platform.
    pub platform: Platform,
    /// The corporation's id. Official accounts have none: their apps are known by `appid`.
    pub corpid: String,
    /// The address that the platform sees us come from. A client that comes from `127.0.0.N` with N other than 1 is seen as
    /// `203.0.113.N`, so that two hosts can be played on one machine.
    pub egress_ip: String,
    /// A path in front of `/cgi-bin`, as a private deployment or a reverse proxy has it.
    pub base_path: String,
    /// Life of a token.
    pub life: Duration,
    /// What a repeated answer says of it.
    pub repeated: Repeated,
    /// How a dead token is answered.
    pub stale: Stale,
    /// Length of a token, at most 512 bytes.
    pub token_bytes: usize,
    /// Frequency limits.
    pub limits: Limits,
    /// A reset of the secret kills the tokens that live. Not known of the real one: both can be had.
    pub reset_kills: bool,
    /// Official accounts: how many forced refreshes a day.
    pub forced: Limit,
    /// Official accounts: a forced refresh sooner than this after the last does nothing and says nothing.
    pub forced_gap: Duration,
    /// Official accounts: how long the token before the newest stays good.
    pub overlap: Duration,
    /// Official accounts: how many fetches of the classic token a day.
    pub classic: Limit,
    /// Official accounts: the code of a wrong secret, 40001 (ambiguous, as it also means a dead token) or 40125.
    pub secret_code: i64,
    /// Added to every answer.
    pub reply_delay: Duration,
    /// The server's clock and its `Date` header.
    pub date: DateMode,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            platform: Platform::Wecom,
            corpid: "ww5a6d7e0f1b2c3d4e".to_owned(),
            egress_ip: "203.0.113.7".to_owned(),
            base_path: String::new(),
            life: Duration::from_secs(7200),
            repeated: Repeated::Full,
            stale: Stale::Expired,
            token_bytes: 214,
            limits: Limits {
                fetches_per_ip: Limit { most: 300, within: Duration::from_secs(3600) },
                calls_per_corp: Limit { most: 1000, within: Duration::from_secs(60) },
                penalty: Duration::from_secs(60),
            },
            reset_kills: true,
            forced: Limit { most: 20, within: DAY },
            forced_gap: Duration::from_secs(30),
            overlap: Duration::from_secs(300),
            classic: Limit { most: 2000, within: DAY },
            secret_code: 40001,
            reply_delay: Duration::ZERO,
            date: DateMode::Skewed(0),
        }
    }
}

impl TokenSettings {
    /// The defaults of kind `wechat-oa`.
    pub fn wechat_oa() -> Self {
        Self { platform: Platform::WechatOa, corpid: String::new(), token_bytes: 136, ..Self::default() }
    }
}

/// One app of a corporation, or one official account.
#[derive(Clone, Debug, Default)]
pub struct AppSpec {
    /// `agentid` as digits, or the `appid` of an official account.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The secret; made up when empty.
    pub secret: String,
    /// What the operator's configuration has for a secret, when that is not the right one (it was reset since).
    pub announced: Option<String>,
    /// The addresses that may call the API with its tokens; `None` is everybody. Fetching a token is free (60020).
    pub trusted: Option<Vec<String>>,
    /// A token was given out so long ago.
    pub fetched: Option<Duration>,
    /// Somebody else who has the secret, too.
    pub foreign: Option<ForeignSpec>,
}

/// A client that is not ours: it knows the secret, fetches at every beat, and takes each 42001 for a reason to fetch again.
#[derive(Clone, Debug)]
pub struct ForeignSpec {
    /// From one beat to the next.
    pub every: Duration,
    /// Fetches a beat.
    pub fetches: u32,
    /// After its fetch the platform drops the token early, as it may: everybody's next call is 42001.
    pub burns: bool,
}
