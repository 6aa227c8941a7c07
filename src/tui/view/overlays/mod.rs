//! Overlays: one panel each, made from the state.

mod clock;
mod devices;
mod forms;
mod help;
mod history;
mod lists;
mod spark;
mod token;
mod token_tale;

use super::{
    detail, paint,
    panel::{self, Panel},
};
use crate::{
    i18n::{Message, deck as w},
    tui::{app::App, overlay::Overlay, update::hide_key},
};
use ratatui::{
    Frame,
    layout::{Position, Rect},
};

pub use forms::welcome;

/// The clock evidence as text, in lines of at most `width` cells.
pub(crate) fn clock_lines(app: &App, width: usize) -> Vec<String> {
    clock::rows(app, width).iter().map(panel::Row::text).collect()
}

/// Lines of the token view.
pub(crate) fn token_height(app: &App, t: &crate::tui::devices::TokenView) -> usize {
    token::panel(app, t).rows.len()
}

pub(crate) use history::lines as timeline_lines;
pub(crate) use lists::{DROP, GO_ON, MenuItem, MenuWhat, menu_items, palette_items, states};

/// Draws the topmost overlay. Returns where the cursor stands.
pub fn draw(app: &App, frame: &mut Frame) -> Option<Position> {
    let panel = match app.overlays.last()? {
        Overlay::Help(s) => help::panel(app, s),
        Overlay::Palette(s) => lists::palette(app, s),
        Overlay::Clock { scroll } => clock::panel(app, *scroll),
        Overlay::Timeline(t) => history::timeline(app, t),
        Overlay::Menu { pick } => lists::menu(app, *pick),
        Overlay::Add(f) => forms::add(app, f),
        Overlay::Log { scroll } => history::log(app, *scroll),
        Overlay::Detail { scroll } => Panel {
            title: detail::title(app),
            rows: detail::rows(app, panel::inner_width(app, true)),
            keys: w::DETAIL_KEYS.get(app.lang()).to_owned(),
            scroll: *scroll,
            full: true,
            ..Panel::default()
        },
        Overlay::Question(q) => forms::question(app, q),
        Overlay::Pair(f) => forms::pair(app, f),
        Overlay::Verb(f) => devices::verb(app, f),
        Overlay::Token(t) => token::panel(app, t),
        Overlay::Slots(v) => devices::slots(app, v),
        Overlay::Why(f) => devices::why(app, f),
        Overlay::Unlock(f) => forms::unlock(app, f),
        Overlay::Answer(f) => forms::answer(app, f),
        Overlay::Filter { field, .. } => return filter(app, frame, field),
        Overlay::States => lists::state_list(app),
    };
    panel::draw(app, frame, &Panel { keys: with_hide(app, panel.keys), ..panel })
}

/// The keys of a panel, and the one that hides names before the way out, in the spelling that works there.
fn with_hide(app: &App, keys: String) -> String {
    const GAP: &str = "   ";
    if keys.is_empty() {
        return keys;
    }
    let words = if app.hide_names { &w::SHOW_KEY } else { &w::HIDE_KEY };
    let hide = Message::new(words).with("key", hide_key(app)).text(app.lang());
    match keys.rsplit_once(GAP) {
        Some((before, out)) => [before, &hide, out].join(GAP),
        None => [&hide, keys.as_str()].join(GAP),
    }
}

/// The filter stands in the footer's row, so that the rows that it narrows stay in view.
fn filter(app: &App, frame: &mut Frame, field: &crate::tui::edit::Field) -> Option<Position> {
    use crate::tui::{filter::Filter, text, theme::Role, veil};
    let area = frame.area();
    let row = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    let buf = frame.buffer_mut();
    paint::clear(buf, row);
    let x = paint::put(buf, row, 0, "/ ", app.theme.style(Role::Title));
    let end = paint::put(buf, row, x, &veil::filter(field.text()), app.theme.style(Role::Plain));
    let m = Message::new(&w::FILTER_COUNT).with("n", app.rows.matched.to_string()).with("of", app.fleet.accounts().to_string());
    let count = match Filter::parse(field.text()).unknown {
        Some(term) => Message::new(&w::FILTER_UNKNOWN).with("term", veil::filter(&term)).text(app.lang()),
        None => m.text(app.lang()),
    };
    if end + 2 + u16::try_from(text::width(&count)).unwrap_or(u16::MAX) < row.width {
        paint::put_right(buf, row, row.width, &count, app.theme.style(Role::Dim));
    }
    Some(Position::new(row.x + (x + u16::try_from(field.cursor()).unwrap_or(0)).min(row.width.saturating_sub(1)), row.y))
}
