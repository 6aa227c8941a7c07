//! Telegram: accounts over MTProto, their devices and the workers' sessions.

pub mod key;
pub mod session;
pub mod slots;
