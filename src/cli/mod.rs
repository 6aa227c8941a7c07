//! The command line: arguments, one file a subcommand, output as text or JSON, exit codes.
//!
//! Files here say things; they do not act. What needs a gateway is done by the engine's rooms, and the answer is handed to a
//! `render` or `json` function here. Results go to stdout, all else to stderr, and no secret to either of them unasked.

pub mod add;
pub mod add_account;
mod add_asked;
pub mod aim;
pub mod args;
mod args_act;
mod args_keep;
mod args_token;
mod attempt;
pub mod check;
pub mod clock;
mod clock_host;
pub mod completions;
pub mod deck;
pub mod demo;
mod desk;
pub mod dispatch;
pub mod doctor;
mod exec;
pub mod exit;
pub mod history;
#[cfg(test)]
mod hostile_tests;
pub mod json;
pub mod list;
pub mod man;
mod new_slot;
pub mod op;
pub mod outcome;
pub mod output;
pub mod pair;
pub mod private;
pub mod prompt;
pub mod remove;
pub mod run;
pub mod run_cmd;
mod run_heal;
mod run_signal;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod since;
pub mod status;
pub mod tally;
pub mod token;
mod unfinished;
mod vault;
mod watch;
pub mod why;

pub use args::{Cli, Command, Globals};
pub use exit::Exit;
pub use output::{Gone, Output};
