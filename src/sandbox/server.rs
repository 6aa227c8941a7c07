//! One server of a sandbox, of whichever kind: what it is to be, and what a client needs to know of it.

use super::{
    AiBot, AiBotSettings, AiBotSpec, AppSpec, BotSpec, Count, Gateway, InstanceSpec, LangBot, LangBotSettings, Settings, Telegram, TelegramAccount,
    TelegramSettings, TokenServer, TokenSettings, UidSpec, Wukong, WukongSettings,
};
use crate::domain::{Secret, Secrets};
use std::sync::Arc;

/// One server of a sandbox, of whichever kind.
#[derive(Clone, Debug)]
pub enum Server {
    /// Kind `evolution`.
    Evolution(Gateway),
    /// Kind `wukongim`.
    Wukong(Wukong),
    /// Kind `langbot`.
    LangBot(LangBot),
    /// Kind `wecom-aibot`.
    AiBot(AiBot),
    /// Kinds `wecom` and `wechat-oa`.
    Tokens(TokenServer),
    /// Kind `telegram`.
    Telegram(Telegram),
}

/// What a server is to be.
#[derive(Clone, Debug)]
pub enum Part {
    /// Kind `evolution`: settings and instances.
    Evolution(Box<Settings>, Vec<InstanceSpec>),
    /// Kind `wukongim`: settings and users.
    Wukong(Box<WukongSettings>, Vec<UidSpec>),
    /// Kind `langbot`: settings and bots.
    LangBot(Box<LangBotSettings>, Vec<BotSpec>),
    /// Kind `wecom-aibot`: settings and bots.
    AiBot(AiBotSettings, Vec<AiBotSpec>),
    /// Kinds `wecom` and `wechat-oa`: settings and apps.
    Tokens(Box<TokenSettings>, Vec<AppSpec>),
    /// Kind `telegram`: settings and accounts.
    Telegram(Box<TelegramSettings>, Vec<TelegramAccount>),
}

/// All servers of a sandbox.
pub(crate) type Servers = Arc<[Server]>;

impl Server {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Evolution(g) => g.name(),
            Self::Wukong(w) => w.name(),
            Self::LangBot(l) => l.name(),
            Self::AiBot(a) => a.name(),
            Self::Tokens(t) => t.name(),
            Self::Telegram(t) => t.name(),
        }
    }

    /// Counts by method and path.
    pub fn requests(&self) -> Vec<Count> {
        match self {
            Self::Evolution(g) => g.requests(),
            Self::Wukong(w) => w.requests(),
            Self::LangBot(l) => l.requests(),
            Self::AiBot(a) => a.requests(),
            Self::Tokens(t) => t.requests(),
            Self::Telegram(t) => t.requests(),
        }
    }

    pub(super) fn info(&self) -> GatewayInfo {
        let one = |name: &str, secret: &str| Secrets::from([(name.to_owned(), Secret::new(secret.to_owned()))]);
        match self {
            Self::Evolution(g) => GatewayInfo {
                name: g.name().to_owned(),
                kind: "evolution",
                url: format!("{}{}", g.inner.url(), g.settings().base_path),
                credentials: one("api_key", &g.settings().key),
                more: Vec::new(),
            },
            Self::Wukong(w) => w.info(),
            Self::LangBot(l) => l.info(),
            Self::AiBot(a) => a.info(),
            Self::Tokens(t) => t.info(),
            Self::Telegram(t) => t.info(),
        }
    }
}

/// What a client needs to know of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayInfo {
    /// Its name.
    pub name: String,
    /// The word in the configuration.
    pub kind: &'static str,
    /// Where it listens, base path included.
    pub url: String,
    /// Its credentials, by the names of the provider.
    pub credentials: Secrets,
    /// What the configuration says besides: key, and value as TOML writes it.
    pub more: Vec<(&'static str, String)>,
}
