//! What an update wants done outside of the state.

use super::run::Exit;
use crate::engine::Command;

/// One effect, carried out by [`mod@super::run`].
#[derive(Debug)]
pub enum Do {
    /// For the engine.
    Send(Command),
    /// Into the clipboard, by OSC 52. Never logged.
    Copy(String),
    /// Paint everything anew.
    Redraw,
    /// Leave the terminal and stop until continued.
    Suspend,
    /// Catch the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Ring.
    Bell,
    /// Write this QR text to a file of its own.
    Png(String),
    /// End.
    Leave(Exit),
}
