//! What may be typed. Secrets never come as arguments: everybody on the machine could read them.

pub use super::{
    args_act::{Act, DoVerb, Pair, Renew, Run},
    args_keep::{ConfigCommand, KeySource, SecretCommand},
    args_token::{ExecArgs, Seconds, Target, TokenArgs, WatchArgs},
};

use super::since::Since;
use crate::{i18n::Lang, store::config::NtpServer};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// A terminal console that keeps messaging connections alive. Without a command it opens the deck.
#[derive(Debug, Parser)]
#[command(name = "pairdeck", version, about, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do; nothing opens the deck.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct Globals {
    /// Keep config, store, locks and sockets in this folder (default: PAIRDECK_HOME, else the usual places).
    // Not read by clap: a variable that is set and empty would be a mistake of every command.
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Read this configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change nothing on any server.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Draw with ASCII only.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Plain lines for screen readers: no frames, no colour.
    #[arg(long, global = true)]
    pub plain: bool,
    /// Language of words (default: from LC_ALL, LC_MESSAGES, LANG).
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<LangArg>,
    /// Say more on stderr; twice says still more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Say only what failed.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Globals {
    /// The language asked for, else that of the locale.
    pub fn language(&self) -> Lang {
        self.lang.map_or_else(|| locale(|name| std::env::var(name).ok()), Lang::from)
    }
}

/// The language of the first of LC_ALL, LC_MESSAGES and LANG that is set and not empty.
pub fn locale(var: impl Fn(&str) -> Option<String>) -> Lang {
    ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(var).find(|v| !v.is_empty()).map_or(Lang::En, |v| Lang::from_locale(&v))
}

/// A language on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl From<LangArg> for Lang {
    fn from(l: LangArg) -> Self {
        match l {
            LangArg::En => Self::En,
            LangArg::Zh => Self::Zh,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything on made-up accounts; nothing outside a temporary folder is touched.
    Demo(Demo),
    /// Serve made-up gateways that speak the real wire protocols.
    Sandbox(Sandbox),
    /// Check a gateway and keep it, its key sealed.
    Add(Add),
    /// Forget a gateway here; nothing changes on its server.
    Remove(Remove),
    /// List gateways, accounts and devices.
    List(JsonOnly),
    /// Ask about one target now.
    Status(Status),
    /// Say what is wrong with what a client is about to use, without asking anybody.
    Check(Check),
    /// What happened: changes, pairings, actions.
    History(History),
    /// What was begun and whose outcome is not known; go on with it, or drop it.
    Unfinished(Unfinished),
    /// Pair a phone by QR or by code.
    Pair(Pair),
    /// End the lasting session of a target; it must be paired again.
    Wipe(Act),
    /// Replace the token of a target.
    Regenerate(Renew),
    /// Run one of the rarer verbs: create, restart, delete, issue, kick and others of the target's kind.
    Do(DoVerb),
    /// Run a command that alone may use a target: its lock here, its lease among hosts, its signals and exit code.
    Run(Run),
    /// Print a living token, fetched only if need be.
    Token(TokenArgs),
    /// Run a command that gets a living token handed over.
    Exec(ExecArgs),
    /// Watch without a screen: keep tokens alive, serve the socket.
    Watch(WatchArgs),
    /// Check the clocks of this host and of the gateways.
    Clock(ClockArgs),
    /// Check this installation; usable before a deployment.
    Doctor(JsonOnly),
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The vault key and sealed secrets.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Write a completion script to stdout.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man page to stdout.
    Man,
}

/// `demo`.
#[derive(Args, Debug, Default)]
pub struct Demo {
    /// Which story; `help` lists them.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// How many accounts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub accounts: Option<u32>,
}

/// `sandbox`.
#[derive(Args, Debug)]
pub struct Sandbox {
    /// Address to listen on; loopback only, port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Which story; `help` lists them.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// How many accounts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub accounts: Option<u32>,
    /// Seconds that the gateways' clocks are ahead of this host (negative: behind).
    #[arg(long, value_name = "S", allow_hyphen_values = true, default_value_t = 0.0, value_parser = skew)]
    pub skew: f64,
    /// Write a home that is ready to use, then serve.
    #[arg(long, value_name = "DIR")]
    pub write_home: Option<PathBuf>,
    /// Say addresses and credentials as JSON on the first line.
    #[arg(long)]
    pub json: bool,
}

/// `add`.
#[derive(Args, Debug)]
pub struct Add {
    /// Kind of gateway, such as `evolution`.
    pub kind: String,
    /// Name of the gateway here.
    pub name: String,
    /// Its base URL; asked for on a terminal if left out.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// File that holds its key, `-` for stdin; asked for on a terminal if left out.
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Its first account as NAME=ID, for kinds whose servers list none; the key is that account's secret then.
    #[arg(long, value_name = "NAME=ID")]
    pub account: Option<String>,
    /// What the kind asks for besides, such as api_id=123456; once each. Without: asked for on a terminal.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = named)]
    pub set: Vec<(String, String)>,
    /// File that holds a secret that the kind asks for, `-` for stdin, such as bot_token=FILE; once each.
    #[arg(long = "secret-file", value_name = "NAME=FILE", value_parser = named)]
    pub secret_file: Vec<(String, String)>,
    /// The corporation's id, for kinds that have one.
    #[arg(long, value_name = "ID")]
    pub corp_id: Option<String>,
    /// Accept plain http to a host that is not this machine.
    #[arg(long)]
    pub allow_plaintext: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `remove`.
#[derive(Args, Debug)]
pub struct Remove {
    /// The gateway to forget.
    pub target: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `unfinished`.
#[derive(Args, Debug)]
pub struct Unfinished {
    /// Look what stands there, and go on with that one.
    #[arg(long, value_name = "OP", conflicts_with = "drop")]
    pub go_on: Option<i64>,
    /// Drop that one: you have looked what stands there. What was kept for it is erased.
    #[arg(long, value_name = "OP")]
    pub drop: Option<i64>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Commands whose only option is the form of output.
#[derive(Args, Debug)]
pub struct JsonOnly {
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// A question about one target.
#[derive(Debug)]
pub struct One {
    /// `[GATEWAY:]ACCOUNT[/DEVICE]`.
    pub target: String,
    /// True for one JSON document on stdout.
    pub json: bool,
}

/// `status`.
#[derive(Args, Debug)]
pub struct Status {
    /// `[GATEWAY:]ACCOUNT[/DEVICE]`; `:`, `/` and `%` inside a name are percent-encoded.
    pub target: String,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
    /// Say why a client of it cannot log in; the row need not be there. Exit 1 when a cause is found.
    #[arg(long)]
    pub why: bool,
    /// The device flag that the client logs in with: a number or a configured name.
    #[arg(long, value_name = "N", requires = "why", allow_hyphen_values = true)]
    pub flag: Option<String>,
    /// The client's library, which implies a flag: native 0, js 1.
    #[arg(long, requires = "why", conflicts_with = "flag")]
    pub sdk: Option<Sdk>,
    /// Read the token that the client holds from stdin, to compare it.
    #[arg(long, requires = "why", conflicts_with = "log_stdin")]
    pub token_stdin: bool,
    /// Read lines of the server's log from stdin; tokens in them are never shown.
    #[arg(long, requires = "why")]
    pub log_stdin: bool,
}

/// A family of client libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sdk {
    /// Android, iOS and other app libraries.
    Native,
    /// Browser libraries.
    Js,
}

impl Sdk {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Js => "js",
        }
    }
}

/// `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// `[GATEWAY:]ACCOUNT[/DEVICE]`; it need not be there yet.
    pub target: String,
    /// The device flag: a number or a configured name.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub flag: Option<String>,
    /// The level: slave (0) or master (1).
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub level: Option<String>,
    /// Read the token from stdin.
    #[arg(long)]
    pub token_stdin: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `history`.
#[derive(Args, Debug)]
pub struct History {
    /// Only this target.
    pub target: Option<String>,
    /// Only pairing attempts.
    #[arg(long, conflicts_with = "audit")]
    pub pairing: bool,
    /// Only actions by somebody.
    #[arg(long)]
    pub audit: bool,
    /// From then on: 24h, 7d, 2026-11-21, 2026-11-21T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// JSON on stdout; with --follow one line each.
    #[arg(long)]
    pub json: bool,
    /// Go on as things happen.
    #[arg(long)]
    pub follow: bool,
}

/// `clock`.
#[derive(Args, Debug)]
pub struct ClockArgs {
    /// Only this gateway.
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Ask this time server too; may stand several times.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub ntp: Vec<NtpServer>,
    /// Exit 7 unless every clock is known to be fine.
    #[arg(long)]
    pub strict: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let addr: SocketAddr = text.parse().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:0".to_owned())?;
    if addr.ip().is_loopback() { Ok(addr) } else { Err("the sandbox listens on loopback only, such as 127.0.0.1:0".to_owned()) }
}

pub(super) fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as level=master".to_owned()),
    }
}

fn skew(text: &str) -> Result<f64, String> {
    let s: f64 = text.parse().map_err(|_| "expected seconds, such as -37 or 10800".to_owned())?;
    if s.is_finite() && s.abs() <= 1e9 { Ok(s) } else { Err("expected at most 1000000000 seconds".to_owned()) }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
