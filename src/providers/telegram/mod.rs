//! Telegram: accounts over MTProto, their devices and the workers' sessions.

pub mod key;
mod local;
pub mod session;
pub mod slots;

pub use local::{SPEC, Telegram};
