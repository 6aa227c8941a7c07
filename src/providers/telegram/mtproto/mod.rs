//! MTProto 2.0 as a client: key exchange, clock probe and one connection per key.
//!
//! Wire types, ciphers and framing are grammers' (0.11). The exchange is our own, because grammers' knows only two RSA keys and
//! does not check the group; the connection is our own, because grammers' sender resends without end when a message id is too
//! high, loses updates while it waits for an answer, and panics on an unknown message id.
//!
//! Nothing here knows an account, a file or a screen. Addresses and RSA keys are parameters; [`Network`] holds the published ones.

mod clock;
mod connection;
mod error;
mod exchange;
mod factor;
mod group;
mod guard;
mod key;
mod network;
mod password;
mod probe;
mod rsa;
mod running;
mod wire;

#[cfg(test)]
mod exchange_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

pub use connection::{App, Connection, Options, Update};
pub use error::{Error, Moved, Verdict};
pub use key::{AuthKey, KeyId};
pub use network::{Address, Network};
pub use password::{PasswordAnswer, answer_password};
pub use probe::{Fresh, Half, Probe, begin_key, create_key, probe};
pub use rsa::{BadKey, RsaKey};
pub use wire::{Framing, WireError};

/// The wire types, so that callers name one crate.
pub use grammers_tl_types as tl;

/// The layer whose types these are.
pub const LAYER: i32 = tl::LAYER;
