//! The pairing screen.

use super::{ViewCx, paint};
use crate::{domain::Secret, engine::mailbox::PairView, tui::theme::Role};
use ratatui::{Frame, layout::Rect};
use tui_input::Input;

/// What the pairing screen remembers between frames.
#[derive(Default)]
pub struct PairScreen {
    /// The first key of the override was pressed; any key but the second takes it back.
    pub override_armed: bool,
    /// The number is shown in full.
    pub number_shown: bool,
    /// The answer to a question.
    pub field: Input,
}

impl PairScreen {
    /// Takes the answer out of the field, which is empty afterwards.
    pub fn take_answer(&mut self) -> Secret {
        Secret::new(self.field.value_and_reset())
    }
    /// The next block style.
    pub fn next_style(&mut self) {}
    /// A larger (`1`) or smaller (`-1`) QR.
    pub fn resize(&mut self, _step: i8) {}
    /// The attempt changed.
    pub fn changed(&mut self, _view: &PairView) {}
}

/// Draws the pairing screen in a part of the frame.
pub fn draw_in(frame: &mut Frame, area: Rect, view: &PairView, _screen: &mut PairScreen, cx: &ViewCx) {
    let style = cx.theme.style(Role::Title);
    paint::put(frame.buffer_mut(), area, 0, &format!("PAIR  {} · {}", view.label, view.platform), style);
}
