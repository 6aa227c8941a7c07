//! What the pairing screen remembers between frames. Rebuilt when an attempt starts; nothing in it outlives the screen.

use crate::{
    domain::{OfferKind, Payload, Secret},
    engine::mailbox::{PairStage, PairView},
    tui::widget::qr::{Ec, Matrix, Palette, Sizes, Style},
};
use jiff::tz::TimeZone;
use tui_input::Input;

/// State of the pairing screen that is not the engine's. No `Debug`: the field may hold a password.
pub struct PairScreen {
    /// How QR modules become cells; `i` changes it.
    pub style: Style,
    /// How black and white are said to this terminal.
    pub palette: Palette,
    /// Steps to a larger (or smaller) QR: `+` and `-`.
    pub bigger: i8,
    /// The first key of the override was pressed; any key but the second takes it back.
    pub override_armed: bool,
    /// The number is shown in full (`v`).
    pub number_shown: bool,
    /// The answer to a question.
    pub field: Input,
    /// Lines that the log is scrolled back from its end.
    pub log_back: u16,
    /// The zone of the log's times.
    pub zone: TimeZone,
    pub(super) cache: Option<Cached>,
}

pub(super) struct Cached {
    payload: Payload,
    sizes: Sizes,
    matrix: Option<Matrix>,
}

impl Default for PairScreen {
    fn default() -> Self {
        Self::new(TimeZone::UTC, Palette::Rgb)
    }
}

impl PairScreen {
    /// A new screen, with times in `zone` and colours in `palette`.
    pub fn new(zone: TimeZone, palette: Palette) -> Self {
        Self {
            style: Style::Half,
            palette,
            bigger: 0,
            override_armed: false,
            number_shown: false,
            field: Input::default(),
            log_back: 0,
            zone,
            cache: None,
        }
    }

    /// Takes the answer out of the field, which is empty afterwards.
    pub fn take_answer(&mut self) -> Secret {
        Secret::new(self.field.value_and_reset())
    }

    /// Changes the block style; the size starts anew with it.
    pub fn next_style(&mut self) {
        self.style = if self.style == Style::Half { Style::Blocks } else { Style::Half };
        self.bigger = 0;
    }

    /// Steps to a larger (`1`) or smaller (`-1`) QR.
    pub fn resize(&mut self, step: i8) {
        self.bigger = (self.bigger + step.signum()).clamp(-20, 20);
    }

    /// Called when the attempt changed: drops the picture of a QR that is no longer shown, and what belonged to a question
    /// or an override that is gone.
    pub fn changed(&mut self, view: &PairView) {
        let kept = match &view.stage {
            PairStage::Showing(shown) if shown.offer.kind == OfferKind::Qr => Some(&shown.offer.payload),
            _ => None,
        };
        if self.cache.as_ref().map(|c| &c.payload) != kept {
            self.cache = None;
        }
        if !matches!(view.stage, PairStage::Blocked { .. }) {
            self.override_armed = false;
        }
        if !matches!(view.stage, PairStage::Ask(_)) {
            self.field.reset();
        }
    }

    /// The sizes of a payload, measured once.
    pub(super) fn sizes(&mut self, payload: &Payload) -> &Sizes {
        if self.cache.as_ref().is_none_or(|c| c.payload != *payload) {
            self.cache = None;
        }
        &self.cache.get_or_insert_with(|| Cached { payload: payload.clone(), sizes: Sizes::of(payload.expose()), matrix: None }).sizes
    }

    /// The picture of the measured payload at a level, made once for as long as neither changes.
    pub(super) fn matrix(&mut self, ec: Ec) -> Option<&Matrix> {
        let cached = self.cache.as_mut()?;
        if cached.matrix.as_ref().is_none_or(|m| m.ec() != ec) {
            cached.matrix = Matrix::make(cached.payload.expose(), ec);
        }
        cached.matrix.as_ref()
    }
}
