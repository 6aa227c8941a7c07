//! The operator's `config.toml`, read strictly: what is not understood is an error with its place, never a guess. The file
//! is the operator's; it is written only by `add` and `remove`, which keep comments and order.

mod account;
mod account_read;
mod clock;
mod edit;
mod error;
#[cfg(test)]
mod hostile_tests;
mod langbot;
mod mirrors;
mod ntp;
mod read;
mod shared;
mod slot_edit;
mod telegram;
mod telegram_read;
mod values;
mod wukongim;
mod wukongim_read;

pub use account::{Account, LangBot, Mirror, SharedStore};
pub use account_read::{default_url, example as account_example};
pub use edit::{NewGateway, add_gateway, add_gateway_with, check_gateway, check_gateway_with, remove_gateway};
pub use error::{ConfigError, ConfigErrors};

pub use ntp::NtpServer;
pub use slot_edit::{NewSlot, add_slot, check_slot, remove_slot, slot_of};
pub use telegram::{SessionFormat, Slot, Telegram, TelegramAccount};
pub use wukongim::{PlanLine, Reserved, WuKongIm};

use crate::i18n::Lang;
use std::path::{Path, PathBuf};

/// Kinds of gateways that a configuration may name.
pub const KINDS: &[&str] = &["evolution", "wukongim", "langbot", "wecom", "wechat-oa", "wecom-aibot", "telegram"];

/// A commented configuration that passes this check.
pub const EXAMPLE: &str = include_str!("../../../assets/config.example.toml");

/// Everything that `config.toml` says, defaults filled in.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Config {
    /// The file, for messages; empty for defaults.
    pub path: PathBuf,
    /// `[ui]`.
    pub ui: Ui,
    /// `[arming]`.
    pub arming: Arming,
    /// `[clock]`.
    pub clock: Clock,
    /// `[keys]`: bindings as written; the deck checks actions and keys and reports by their place.
    pub keys: Vec<KeyLine>,
    /// `[shared]`: the store that several hosts share, if there is one.
    pub shared: Option<SharedStore>,
    /// `[gateway.NAME]`, in the order of the file.
    pub gateways: Vec<Gateway>,
}

/// `[clock]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Clock {
    /// Thresholds in seconds (ok, blocked) for every gateway that names none; `None` takes the kind's.
    pub limits: Option<(u32, u32)>,
    /// `ntp`: servers that may be asked for the time, as `HOST[:PORT]`; none are asked unless they stand here.
    pub ntp: Vec<NtpServer>,
    /// `expect_timezone`: the timezone that this host should have, if declared.
    pub expect_timezone: Option<String>,
}

/// One line of `[keys]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLine {
    /// The action, as written.
    pub action: String,
    /// The key, as written.
    pub key: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// Column of the value, from 1.
    pub column: usize,
}

/// How wide ambiguous characters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ambiguous {
    /// Asked of the terminal.
    #[default]
    Auto,
    /// One cell.
    Narrow,
    /// Two cells.
    Wide,
}

/// `[ui]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ui {
    /// Language; `None`: from the locale.
    pub lang: Option<Lang>,
    /// Name of a built-in theme or of a file beside the configuration; `None`: the terminal's colours.
    pub theme: Option<String>,
    /// Only ASCII is drawn.
    pub ascii: bool,
    /// The mouse works.
    pub mouse: bool,
    /// The bell rings when something needs a person.
    pub bell: bool,
    /// Width of ambiguous characters.
    pub ambiguous: Ambiguous,
    /// Seconds that good news stays.
    pub toast_seconds: u32,
    /// Seconds that a revealed secret stays.
    pub reveal_seconds: u32,
}

impl Default for Ui {
    fn default() -> Self {
        Self { lang: None, theme: None, ascii: false, mouse: true, bell: false, ambiguous: Ambiguous::Auto, toast_seconds: 6, reveal_seconds: 10 }
    }
}

/// `[arming]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arming {
    /// Seconds of the countdown of what can be redone; 0 waits for Enter.
    pub swift_seconds: u32,
    /// Seconds after which what waits for Enter lapses.
    pub hold_seconds: u32,
}

impl Default for Arming {
    fn default() -> Self {
        Self { swift_seconds: 3, hold_seconds: 15 }
    }
}

/// One `[gateway.NAME]` table.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Gateway {
    /// The key of the table.
    pub name: String,
    /// The kind, as the registry names it.
    pub kind: String,
    /// Base URL, without a trailing slash.
    pub url: String,
    /// Plain http to a host other than loopback is accepted.
    pub allow_plaintext: bool,
    /// A PEM file whose certificates are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Event stream: used if the server has one (`auto`) or not at all (`off`).
    pub events: bool,
    /// The timezone that host and gateway should have, if declared.
    pub expect_timezone: Option<String>,
    /// Clock thresholds in seconds (ok, blocked), if they differ from the kind's.
    pub clock_limits: Option<(u32, u32)>,
    /// What only a `wukongim` gateway has; defaults for other kinds.
    pub wukongim: WuKongIm,
    /// `corp_id`: the corporation that a `wecom` gateway speaks for.
    pub corp_id: Option<String>,
    /// `[gateway.NAME.account.ACCOUNT]`, in the order of the file: accounts of kinds whose servers do not list them.
    pub accounts: Vec<Account>,
    /// What only a `langbot` gateway has.
    pub langbot: LangBot,
    /// What only a `telegram` gateway has besides its accounts.
    pub telegram: Telegram,
}

impl Gateway {
    /// One of which nothing is said but what must be. `url` is taken without its trailing slash.
    pub fn new(name: &str, kind: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            allow_plaintext: false,
            ca_file: None,
            events: true,
            expect_timezone: None,
            clock_limits: None,
            ..Self::default()
        }
    }
}

impl Config {
    /// Reads `path`. A file that is not there is an empty configuration.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the file.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Ok(Self::there(path)?.unwrap_or_else(|| Self { path: path.to_owned(), ..Self::default() }))
    }

    /// Reads `path`; `None`: there is no file. For who has read it before, and to whom its absence says nothing of what was in it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn there(path: &Path) -> Result<Option<Self>, ConfigErrors> {
        match super::paths::settings(path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|e| ConfigErrors::not_text(path, e.as_bytes(), e.utf8_error().valid_up_to()))?;
                Self::parse(&text, path).map(Some)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(ConfigErrors::unreadable(path, &e)),
        }
    }

    /// Reads the text of a file that lies at `path`.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the file.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        read::read(text, path)
    }

    /// The gateway of that name.
    pub fn gateway(&self, name: &str) -> Option<&Gateway> {
        self.gateways.iter().find(|g| g.name == name)
    }
}
