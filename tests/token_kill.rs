//! SIGKILL of the real program while it renews, forgets and replaces what bots live by: WeCom apps and official accounts with
//! their copies in a real Redis, and bots of a LangBot server, whose QR flows give a credential once. The points are enumerated
//! from a run of the same plan; the table says what the next process made of each.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;
mod token_kill {
    mod langbot;
    mod platforms;
}
