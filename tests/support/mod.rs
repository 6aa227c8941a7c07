//! Shared by whole-program tests: a pseudo-terminal with a screen ([`pty`]) and a phone's eye ([`eye`]).
//!
//! `mod support;` in a test file; nothing here knows what the program under test does.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]

pub mod canary;
pub mod clocks;
pub mod eye;
pub mod gotd;
pub mod house;
pub mod im;
pub mod judge;
pub mod kill;
pub mod pty;
pub mod redis;
pub mod replay;
pub mod stage;
pub mod svg;
pub mod tg;

use std::time::Duration;

/// How long a test waits for something that comes by itself. Generous, because a loaded machine is not a fault; a test
/// that passes never waits for it. `PAIRDECK_TEST_DEADLINE` (seconds) overrides it.
pub fn deadline() -> Duration {
    let seconds = std::env::var("PAIRDECK_TEST_DEADLINE").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    Duration::from_secs(seconds)
}

/// True where a skipped test is a failed one.
pub fn is_ci() -> bool {
    std::env::var("PAIRDECK_CI").is_ok_and(|v| v == "1")
}

/// Says loudly that a test was skipped; on CI (`PAIRDECK_CI=1`) that fails it.
pub fn skip(what: &str, missing: &str) {
    assert!(!is_ci(), "{what} must not be skipped on CI, but is missing: {missing}");
    eprintln!("\n*** SKIPPED: {what} ***\n*** missing: {missing} ***\n");
}
