//! Telegram: accounts over MTProto, their devices and the workers' sessions.

mod local;
pub mod mtproto;
pub mod session;
pub mod slots;

pub use local::{SPEC, Telegram};

/// Keys and their names, as the protocol has them.
pub use mtproto::{AuthKey, KeyId};
