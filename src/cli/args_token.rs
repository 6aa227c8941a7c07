//! What may be typed of commands that hand out tokens or keep them alive.

use super::token::Format;
use clap::Args;

/// The token that is wanted.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// `[GATEWAY:]ACCOUNT`; `:`, `/` and `%` inside a name are percent-encoded.
    pub target: String,
    /// How long it should live: 60, 60s, 5m. Best effort where the platform gives the same one until it is dead.
    #[arg(long, value_name = "TIME")]
    pub min_ttl: Option<Seconds>,
    /// Fail (exit 10) rather than give a shorter life.
    #[arg(long, requires = "min_ttl")]
    pub strict: bool,
    /// Fetch although a clock is too far off.
    #[arg(long)]
    pub allow_clock_skew: bool,
}

/// `token`.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Whose.
    #[command(flatten)]
    pub wanted: Target,
    /// How it is printed.
    #[arg(long, default_value = "plain")]
    pub format: Format,
    /// The token of this fingerprint was refused by the platform; `-` reads the token itself from stdin.
    #[arg(long, value_name = "FP|-", allow_hyphen_values = true, value_parser = fingerprint)]
    pub rejected: Option<String>,
    /// Never ask the platform.
    #[arg(long, conflicts_with = "rejected")]
    pub no_fetch: bool,
}

/// `exec`.
#[derive(Args, Clone, Debug)]
pub struct ExecArgs {
    /// Whose.
    #[command(flatten)]
    pub wanted: Target,
    /// Hand it over in a file that only its owner may read (path in PAIRDECK_TOKEN_FILE). While the command runs the file is
    /// replaced whenever another token is there, so that who reads it again finds a living one; gone when the command ends.
    #[arg(long, conflicts_with = "env")]
    pub file: bool,
    /// Hand it over in this environment variable, which other processes of this user can read.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The command and its arguments. The token's descriptor is in PAIRDECK_TOKEN_FD.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

/// `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Wait while another process watches, and take its place when it ends.
    #[arg(long)]
    pub standby: bool,
    /// Serve figures for Prometheus at http://ADDR/metrics: HOST:PORT, or a port alone for 127.0.0.1. They hold names,
    /// fingerprints and counts, never a secret; anybody who reaches the address can read them.
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<String>,
}

/// A span of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u64);

impl std::str::FromStr for Seconds {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = match text.chars().last() {
            Some('m') => 60,
            Some('h') => 3600,
            _ => 1,
        };
        let n = text.strip_suffix(['s', 'm', 'h']).unwrap_or(text).parse::<u64>();
        n.ok().and_then(|n| n.checked_mul(unit)).filter(|s| *s <= 31_536_000).map(Self).ok_or_else(|| "expected 60, 60s, 5m or 1h".to_owned())
    }
}

fn fingerprint(text: &str) -> Result<String, String> {
    match text {
        "-" => Ok(text.to_owned()),
        _ if crate::domain::Fingerprint::parse(text).is_some() => Ok(text.to_owned()),
        // Most likely the token itself: it is not repeated. The command refuses it, in words of its own.
        _ => Ok(String::new()),
    }
}
