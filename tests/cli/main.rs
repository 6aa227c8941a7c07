//! The real program without a screen, against servers of the sandbox: what scripts rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod acting;
mod adding;
mod clocks;
mod diagnosis;
mod fleet;
mod misc;
mod pairing;
mod passphrase;
mod reading;
mod revealing;
mod tokens;
