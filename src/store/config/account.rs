//! What the configuration says of accounts that no server lists, of LangBot servers, and of the store that hosts share.

/// One `[gateway.NAME.account.ACCOUNT]` table.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Account {
    /// The key of the table: the account's name, and its id in targets.
    pub name: String,
    /// The platform's own id of it: an agent id, an app id, a bot id. Not a secret.
    pub id: String,
    /// `mirror`: copies of its token for client libraries that read Redis themselves.
    pub mirror: Vec<Mirror>,
    /// `mirror_prefix`: what these copies' keys begin with, in place of the one of `[shared]`.
    pub mirror_prefix: Option<String>,
    /// What only an account of a `telegram` gateway has.
    pub telegram: super::TelegramAccount,
}

/// A client library whose layout in Redis is written as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// wechatpy 1.8.
    Wechatpy,
    /// wechatpy 2.0, which reads an instant of death too.
    Wechatpy2,
    /// silenceper/wechat with an agent id in its key.
    Silenceper,
}

impl Mirror {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wechatpy => "wechatpy",
            Self::Wechatpy2 => "wechatpy2",
            Self::Silenceper => "silenceper",
        }
    }
}

/// What only a `langbot` gateway has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LangBot {
    /// `user`: the account that logs in with a password; without it an API key is used.
    pub user: Option<String>,
    /// `[gateway.NAME.link]`: a bot's id or name, and the target of the app whose token it uses.
    pub links: Vec<(String, String)>,
}

/// `[shared]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SharedStore {
    /// `redis`: `redis://HOST[:PORT][/DB]` or `rediss://…`, without a password.
    pub redis: String,
    /// `user`: the ACL user, if there is one. Its password is a secret of the vault.
    pub user: Option<String>,
    /// `prefix` of every key.
    pub prefix: String,
    /// `seal`: tokens are sealed before they are sent there, with a key that the hosts share.
    pub seal: bool,
    /// `ca_file`: a PEM file whose certificates are trusted besides the system's.
    pub ca_file: Option<std::path::PathBuf>,
    /// `allow_plaintext`: `redis://` to a host other than loopback is accepted.
    pub allow_plaintext: bool,
    /// `mirror_prefix` of the keys that client libraries read.
    pub mirror_prefix: String,
}
