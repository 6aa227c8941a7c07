//! What a `[gateway.NAME]` of kind `telegram` may say: its servers, and accounts with the slots of their workers.

use std::{net::SocketAddr, path::PathBuf};

/// Servers of a Telegram gateway; nothing said means the platform's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telegram {
    /// `dcs = { 2 = "127.0.0.1:443" }`: data centres of one's own.
    pub dcs: Vec<(i32, SocketAddr)>,
    /// `server_keys`: a PEM file with the public keys of those, or the PEM itself.
    pub server_keys: Option<PathBuf>,
    /// `test_servers`: the platform's test network.
    pub test: bool,
}

/// What only an account of a Telegram gateway has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelegramAccount {
    /// `api_id`: the application, the operator's own. Its hash is a secret.
    pub api_id: Option<i32>,
    /// `phone`: the number to log in with, digits only.
    pub phone: Option<String>,
    /// `bot`: a bot, which has a token instead of a number.
    pub bot: bool,
    /// `[gateway.NAME.account.ACCOUNT.slot.SLOT]`, in the order of the file.
    pub slots: Vec<Slot>,
}

/// One worker's session on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The key of the table: a device of the account.
    pub name: String,
    /// `file`: the session file.
    pub file: PathBuf,
    /// `format`: its layout.
    pub format: SessionFormat,
    /// `pidfile`: where the worker writes its process id.
    pub pidfile: Option<PathBuf>,
    /// `unit`: the systemd unit that runs the worker.
    pub unit: Option<String>,
    /// `api_id`: the worker's own application, where it is another than the account's.
    pub api_id: Option<i32>,
    /// `dead_exit_codes`: exit codes by which the worker says that its session is dead.
    pub dead_exit_codes: Vec<u8>,
}

/// How a session is laid out in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionFormat {
    /// gotd's `session.FileStorage`: JSON, version 1. The only one that is written.
    #[default]
    Gotd,
    /// Telethon's SQLite file.
    TelethonSqlite,
    /// Telethon's string, alone in a file.
    TelethonString,
    /// Pyrogram's string, alone in a file; three layouts.
    PyrogramString,
}

impl SessionFormat {
    /// Every one, for tables and tests.
    pub const ALL: [Self; 4] = [Self::Gotd, Self::TelethonSqlite, Self::TelethonString, Self::PyrogramString];

    /// The name that the configuration uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gotd => "gotd",
            Self::TelethonSqlite => "telethon",
            Self::TelethonString => "telethon-string",
            Self::PyrogramString => "pyrogram-string",
        }
    }

    /// True where pairdeck can write a file that the library loads.
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Gotd)
    }
}
