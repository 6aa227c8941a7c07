//! pairdeck keeps messaging connections alive from a terminal. This is the map of the house.
//!
//! * [`domain`]: plain data in the operator's words. No I/O, no provider names.
//! * [`clock`]: samples, the verdict algebra and the gate that every code must pass.
//! * [`providers`]: one folder a system; each describes, none acts on its own. The one shared HTTP client lives here.
//! * [`engine`]: the only actor. One watch per gateway, the op runner, pairing; commands in, mailbox out.
//! * [`shared`]: what several hosts share: tokens, leases, news, in one Redis.
//! * [`store`]: SQLite files, strict configuration, paths, locks.
//! * [`vault`]: where the key that seals secrets lives, and the sealing itself.
//! * [`tui`]: the deck. `Event → update → Command`; views only read.
//! * [`cli`]: one file a subcommand; text, JSON and exit codes.
//! * [`i18n`]: every word that a person reads, in every language, checked at compile time.
//! * [`sandbox`]: in-process servers that speak the real wire protocols, quirks included.
//!
//! A walk that must stay short: wire → provider (decode, clean) → engine (merge, store) → mailbox → update → view.
//! And back: key → keymap → command → engine → op (journal) → provider step → check → mailbox.

pub mod cli;
pub mod clock;
pub mod domain;
pub mod engine;
mod fault;
#[cfg(test)]
#[allow(clippy::panic)]
mod hostile;
// Words double as their own docs, and a word may hold brackets such as `[clock]`.
#[allow(rustdoc::broken_intra_doc_links)]
pub mod i18n;
pub mod providers;
pub mod sandbox;
pub mod shared;
pub mod store;
pub mod tui;
pub mod vault;
