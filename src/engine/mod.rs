//! The engine: the only actor. It owns the network, the ops, the pairing attempts and the gate.
//!
//! The terminal sends [`Command`]s and reads [`mailbox::Mail`]; the command line calls the same rooms directly.
//! Nothing here draws. Nothing here knows a provider's name: it asks for a capability.

pub mod command;
pub mod mailbox;

pub use command::Command;
pub use mailbox::{Mail, Mailbox};
