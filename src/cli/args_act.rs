//! What may be typed of commands that act: pairing, wiping, running a worker.

use super::args::named;
use crate::domain::Method;
use clap::Args;
use std::path::PathBuf;

/// `pair`.
#[derive(Args, Debug)]
pub struct Pair {
    /// `[GATEWAY:]ACCOUNT`.
    pub target: String,
    /// Pair by QR (the default).
    #[arg(long, conflicts_with_all = ["code", "number"])]
    pub qr: bool,
    /// Pair by a code to type; needs --number, or a terminal to ask for it.
    #[arg(long)]
    pub code: bool,
    /// The phone's number with its country code.
    #[arg(long, value_name = "N")]
    pub number: Option<String>,
    /// Make a new slot of that name: a worker's own key, accepted by the account's session here.
    #[arg(long, value_name = "NAME", requires = "file", conflicts_with_all = ["qr", "code", "number", "png", "wipe_spoilt", "retries"])]
    pub slot: Option<String>,
    /// The file for the new slot's session; it must not be there yet.
    #[arg(long, value_name = "F", requires = "slot")]
    pub file: Option<PathBuf>,
    /// The worker's own application, where it is not the account's.
    #[arg(long, value_name = "N", requires = "slot", value_parser = clap::value_parser!(i32).range(1..))]
    pub api_id: Option<i32>,
    /// Write each QR to this file, readable by the owner only.
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub png: Option<PathBuf>,
    /// Begin anew so many times after an attempt failed.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
    /// Seconds to wait before each.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub retry_delay: u64,
    /// Go on although a clock is too far off; written to the history.
    #[arg(long)]
    pub allow_clock_skew: bool,
    /// Wipe a spoilt session first.
    #[arg(long)]
    pub wipe_spoilt: bool,
    /// One JSON line an event on stdout.
    #[arg(long)]
    pub json: bool,
}

impl Pair {
    /// The form of Offer: a number asks for a code.
    pub const fn method(&self) -> Method {
        if self.code || self.number.is_some() { Method::Code } else { Method::Qr }
    }
}

/// Commands that act on one target.
#[derive(Args, Debug)]
pub struct Act {
    /// `[GATEWAY:]ACCOUNT[/DEVICE]`.
    pub target: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `regenerate`.
#[derive(Args, Debug)]
pub struct Renew {
    /// What to do it to.
    #[command(flatten)]
    pub act: Act,
    /// Print the new token on stdout, and nothing else there (with --json: as `token`).
    #[arg(long)]
    pub reveal: bool,
}

/// `do`.
#[derive(Args, Debug)]
pub struct DoVerb {
    /// The verb: create, restart, delete, issue, kick and others of the target's kind.
    pub verb: String,
    /// What the verb asks for, such as level=master; once each.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = named)]
    pub set: Vec<(String, String)>,
    /// Print the new token on stdout, and nothing else there (with --json: as `token`).
    #[arg(long)]
    pub reveal: bool,
    /// What to do it to.
    #[command(flatten)]
    pub act: Act,
}

/// `run`.
#[derive(Args, Debug)]
pub struct Run {
    /// `GATEWAY:ACCOUNT[/SLOT]`.
    pub target: String,
    /// Read the command's output; when its session is dead, rebuild it once, wait, and start again, three times at most.
    #[arg(long)]
    pub heal: bool,
    /// The command, after `--`.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}
