//! What may be typed of the configuration and of secrets.

use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Read it strictly and say what is wrong.
    Check,
    /// Write an example with every key to stdout.
    Example,
    /// Say where it is.
    Path,
}

/// `secret`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Make the vault key.
    Init {
        /// Keep it in a file that its owner can read, for machines without a keyring.
        #[arg(long, conflicts_with = "credential")]
        insecure_key_file: bool,
        /// Take it from the systemd credential pairdeck-key, for services.
        #[arg(long)]
        credential: bool,
    },
    /// Replace the vault key: everything is sealed anew, the old key is erased. Other processes may run.
    RotateKey,
    /// Keep the vault key elsewhere: a new key is made there, everything sealed anew, the old key erased.
    Move {
        /// Where to.
        #[arg(long, value_name = "SOURCE", required_unless_present = "insecure_key_file")]
        to: Option<KeySource>,
        /// To a file that its owner can read, for machines without a keyring.
        #[arg(long, conflicts_with = "to")]
        insecure_key_file: bool,
    },
    /// Accept a store that was put back from an older copy.
    AcceptRestore,
    /// Move a damaged vault out of the way, so that a new one can be made: nothing is deleted.
    SetAside {
        /// Move the one that was set aside last back; one that was made meanwhile is set aside in its turn.
        #[arg(long)]
        back: bool,
    },
    /// Say where the key is kept and which secrets are sealed, by name only.
    Status,
    /// Seal the key of a gateway, or of one of its accounts; read from a prompt, a file or stdin.
    Set {
        /// The gateway, or GATEWAY:ACCOUNT where each account has its own.
        gateway: String,
        /// Read it from this file, `-` for stdin.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Which of its secrets, where a kind has several: `password` beside `api_key`.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Erase the sealed key of a gateway, or of one of its accounts.
    Forget {
        /// The gateway, or GATEWAY:ACCOUNT.
        gateway: String,
    },
}

/// Where a vault key may be moved without a flag that says how weak the place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeySource {
    /// The system's keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// The systemd credential pairdeck-key-next.
    Credential,
}
