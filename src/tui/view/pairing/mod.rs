//! The pairing screen.

use super::{ViewCx, paint};
use crate::{engine::mailbox::PairView, tui::theme::Role};
use ratatui::Frame;

/// What the pairing screen remembers between frames.
#[derive(Default)]
pub struct PairScreen {}

impl PairScreen {
    /// The next block style.
    pub fn next_style(&mut self) {}
    /// A larger QR, if there is room.
    pub fn larger(&mut self) {}
    /// A smaller QR.
    pub fn smaller(&mut self) {}
}

/// Draws the pairing screen over the whole frame.
pub fn draw(frame: &mut Frame, view: &PairView, _screen: &mut PairScreen, cx: &ViewCx) {
    let area = frame.area();
    let style = cx.theme.style(Role::Title);
    paint::put(frame.buffer_mut(), area, 0, &format!("PAIR  {} · {}", view.label, view.platform), style);
}
