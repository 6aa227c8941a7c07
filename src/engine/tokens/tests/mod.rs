//! The owner of tokens against a made-up platform, under virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
mod broken;
mod forced;
mod hosts;
mod paused;
pub(in crate::engine) mod platform;
mod primary;
mod renamed;
mod reports;
mod storms;
mod timing;
mod unwatched;
mod wiped;
