//! The owner of tokens against a made-up platform, under virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asking;
mod hosts;
pub(in crate::engine) mod platform;
mod reports;
mod timing;
mod wiped;
