//! The whole deck, a real process in a real pseudo-terminal, against a sandbox that the test drives: what an operator does
//! and sees, key by key. Nothing here knows the deck's inside.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod deck {
    mod acting;
    mod alarm;
    mod cache;
    mod clock;
    mod devices;
    pub mod hands;
    mod hostile;
    pub mod house;
    mod leaving;
    mod left_open;
    pub mod looks;
    mod pairing;
    mod qr_bots;
    pub mod secure;
    mod store;
    mod telegram;
    mod tokens;
    mod web_login;
}
mod support;
