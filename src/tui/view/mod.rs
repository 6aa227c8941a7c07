//! Drawing. Reads the state, writes cells; clips everything; never fails, whatever the size.

pub mod armed;
pub mod detail;
pub mod footer;
pub mod header;
pub mod layout;
pub mod overlays;
pub mod paint;
pub mod pairing;
pub mod panel;
pub mod tree;

use super::{
    app::{App, PairingState},
    keymap::Keymap,
    theme::Theme,
    veil,
};
use crate::{domain::Stamp, i18n::Lang};
use ratatui::{
    Frame,
    layout::{Position, Rect},
};

/// What a screen of its own gets besides its data.
pub struct ViewCx<'a> {
    /// This instant.
    pub now: Stamp,
    /// Language.
    pub lang: Lang,
    /// Looks.
    pub theme: &'a Theme,
    /// Keys.
    pub keymap: &'a Keymap,
    /// Only ASCII.
    pub ascii: bool,
    /// Colours may be used. A QR brings its own either way.
    pub color: bool,
}

/// What a frame showed that the state has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// The armed row, or the `+N` that counts the others, was on it.
    pub armed: bool,
}

/// Draws everything, under the veil while names are hidden.
pub fn draw(app: &App, frame: &mut Frame) -> Drawn {
    veil::drawn_under(app.veil(), || draw_all(app, frame))
}

fn draw_all(app: &App, frame: &mut Frame) -> Drawn {
    let area = frame.area();
    let mut drawn = Drawn::default();
    if area.width < 12 || area.height < 2 {
        return drawn;
    }
    let mut cursor = None;
    if let Some(p) = &app.pairing {
        pairing_screen(app, p, frame, &mut drawn);
    } else {
        let areas = layout::Areas::of(app);
        cursor = deck(app, frame, &areas, &mut drawn);
    }
    if let Some(at) = overlays::draw(app, frame) {
        cursor = Some(at);
    }
    if app.opts.ascii && app.pairing.is_none() {
        paint::to_ascii(frame.buffer_mut(), area);
    }
    if let Some(p) = cursor.filter(|p| area.contains(*p)) {
        frame.set_cursor_position(p);
    }
    drawn
}

/// The pairing screen draws itself; a row for what is armed is kept back from it, and news covers its status line.
fn pairing_screen(app: &App, p: &PairingState, frame: &mut Frame, drawn: &mut Drawn) {
    let area = frame.area();
    let armed = u16::from(!app.armed.is_empty());
    let cx = ViewCx { now: app.now, lang: app.opts.lang, theme: &app.theme, keymap: &app.keymap, ascii: app.opts.ascii, color: app.opts.color };
    if let Ok(mut screen) = p.screen.try_borrow_mut() {
        pairing::draw_in(frame, Rect { height: area.height - armed, ..area }, &p.view, &mut screen, &cx);
    }
    let last = Rect { y: area.bottom() - 1, height: 1, ..area };
    if armed > 0 {
        drawn.armed = armed::draw(app, frame, last);
    }
    if app.toasts.current().is_some() && area.height > armed + 3 {
        let row = Rect { y: area.bottom() - 2 - armed, ..last };
        paint::clear(frame.buffer_mut(), row);
        armed::toast(app, frame, row);
    }
}

fn deck(app: &App, frame: &mut Frame, areas: &layout::Areas, drawn: &mut Drawn) -> Option<Position> {
    header::draw(app, frame, areas);
    let empty = app.fleet.gateways().is_empty();
    let cursor = if empty {
        // Nothing to tell about: the welcome has the whole width.
        overlays::welcome(app, frame, areas.detail.map_or(areas.body, |d| areas.body.union(d)));
        None
    } else {
        tree::draw(app, frame, areas)
    };
    if let Some(d) = areas.detail.filter(|_| !empty) {
        detail::pane(app, frame, d);
    }
    if areas.peek.height > 0 && !empty {
        detail::peek(app, frame, areas.peek);
    }
    armed::losses(app, frame, areas.body);
    drawn.armed = armed::row(app, frame, areas);
    footer::draw(app, frame, areas);
    cursor
}
