//! The brushes: text at a column, clipped and cut; glyphs of states; ASCII in place of all that.

use crate::{
    domain::State,
    tui::{text, theme::Role, veil},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// Writes `s` into the first line of `area` from column `x` (counted from its left edge), cut with `…`. Returns the column
/// behind it.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, s: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if area.height == 0 || x >= area.width {
        return x;
    }
    let room = area.width - x;
    let s = veil::over(s);
    let cut = text::cut(&s, usize::from(room));
    let (end, _) = buf.set_stringn(area.x + x, area.y, cut, usize::from(room), style);
    end - area.x
}

/// The same within columns `x..end`.
pub fn put_in(buf: &mut Buffer, area: Rect, x: u16, end: u16, s: &str, style: Style) -> u16 {
    put(buf, Rect { width: area.width.min(end), ..area }, x, s, style)
}

/// Writes `s` so that it ends before column `end`.
pub fn put_right(buf: &mut Buffer, area: Rect, end: u16, s: &str, style: Style) {
    let s = &*veil::over(s);
    let w = u16::try_from(text::width(s)).unwrap_or(u16::MAX);
    put(buf, area, end.min(area.width).saturating_sub(w), s, style);
}

/// One line of an area; empty when it lies outside.
pub fn line(area: Rect, n: u16) -> Rect {
    if n < area.height { Rect { y: area.y + n, height: 1, ..area } } else { Rect { height: 0, ..area } }
}

/// Blanks an area.
pub fn clear(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
}

/// The glyph of a state. Shape carries the meaning; colour only repeats it.
pub const fn glyph(state: State) -> &'static str {
    match state {
        State::Online | State::Ready => "●",
        State::Seen => "·",
        State::Connecting => "◌",
        State::Pairing => "◇",
        State::Offline | State::Disabled => "○",
        State::LoggedOut => "✗",
        State::Expired => "▼",
        State::Conflict => "⇄",
        State::Refused => "⊘",
        State::Unreachable => "↯",
        State::Unknown | State::Loaded => "?",
    }
}

/// The role of a state.
pub const fn role(state: State) -> Role {
    match state {
        State::Online | State::Ready | State::Seen => Role::Plain,
        State::Connecting | State::Pairing => Role::Info,
        State::Offline | State::Disabled | State::Unknown | State::Loaded => Role::Dim,
        State::LoggedOut | State::Expired | State::Conflict | State::Refused => Role::Bad,
        State::Unreachable => Role::Warn,
    }
}

/// Replaces every glyph of ours by an ASCII one. Foreign letters stay: they are names.
pub fn to_ascii(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            let to = match cell.symbol() {
                "●" => "*",
                "·" | "…" => ".",
                "◌" => "o",
                "◇" => ":",
                "○" => "-",
                "✗" => "x",
                "▼" => "v",
                "⇄" => "#",
                "⊘" => "/",
                "↯" => "^",
                "◐" => "%",
                "▲" | "⚠" => "!",
                "▸" | "▌" => ">",
                "▾" => "v",
                "│" => "|",
                "─" => "-",
                "┌" | "┐" | "└" | "┘" | "├" | "┤" => "+",
                "✓" => "+",
                "↕" => "~",
                "▰" => "=",
                "▱" => ".",
                "▁" => "_",
                "▂" => "-",
                "▃" => "~",
                "▄" => "=",
                "▅" => "+",
                "▆" => "*",
                "▇" => "%",
                "█" => "#",
                "±" => "~",
                "≠" => "#",
                "≈" => "~",
                "×" => "x",
                "‹" => "<",
                "›" => ">",
                "▏" => "|",
                _ => continue,
            };
            cell.set_symbol(to);
        }
    }
}
