//! What can happen to the deck.

use crate::engine::Mail;
use crossterm::event::{KeyEvent, MouseEvent};

/// One thing that happened.
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// Pasted text: goes into a field, never acts.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// The terminal's window has the focus, or not.
    Focus(bool),
    /// News from the engine.
    Mail(Box<Mail>),
    /// Time went on.
    Tick,
    /// The process is told to end or to stop.
    Signal(Signal),
    /// The input is gone: the terminal was closed.
    InputLost,
    /// A file was written, or not: the outcome of [`super::effect::Do::Png`].
    Png(Result<String, String>),
}

/// Signals that the deck answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// INT, TERM or HUP, by number.
    End(i32),
    /// TSTP.
    Stop,
}
