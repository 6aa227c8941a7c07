//! Boxes over the deck: a title, lines of styled pieces, a place for the cursor. Clipped to what there is.

use super::paint;
use crate::tui::{app::App, text, theme::Role};
use ratatui::{
    Frame,
    layout::{Position, Rect},
};

/// A line of pieces.
#[derive(Clone, Debug, Default)]
pub struct Row(pub Vec<(String, Role)>);

impl Row {
    /// One piece.
    pub fn one(text: impl Into<String>, role: Role) -> Self {
        Self(vec![(text.into(), role)])
    }
    /// Plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::one(text, Role::Plain)
    }
    /// An empty line.
    pub fn gap() -> Self {
        Self::default()
    }
    /// Adds a piece.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>, role: Role) -> Self {
        self.0.push((text.into(), role));
        self
    }
    /// Its text without styles.
    pub fn text(&self) -> String {
        self.0.iter().map(|(t, _)| t.as_str()).collect()
    }
}

/// A box.
#[derive(Default)]
pub struct Panel {
    /// In the frame.
    pub title: String,
    /// Its lines.
    pub rows: Vec<Row>,
    /// Keys, on the last line.
    pub keys: String,
    /// Cursor: line and column within the lines.
    pub cursor: Option<(usize, usize)>,
    /// First line shown.
    pub scroll: usize,
    /// Line that is highlighted.
    pub pick: Option<usize>,
    /// Lines below it that belong to it, and are in view with it where there is room.
    pub more: usize,
    /// Take all the room.
    pub full: bool,
}

/// Appends `words` wrapped to `width`, the first line behind `head`, the others below it.
pub fn wrapped(rows: &mut Vec<Row>, head: &str, words: &str, width: usize, role: Role) {
    let mut indent = text::width(head);
    let mut head = head;
    if indent > 4 && width < indent + 20 {
        // Too narrow for a column of its own: the words go below.
        if !head.trim().is_empty() {
            rows.push(Row::one(head, Role::Dim));
        }
        head = "    ";
        indent = 4;
    }
    for (i, line) in text::wrap(words, width.saturating_sub(indent).max(8)).into_iter().enumerate() {
        let lead = if i == 0 { head.to_owned() } else { " ".repeat(indent) };
        rows.push(Row::one(lead, Role::Dim).and(line, role));
    }
}

/// Takes the last piece of a line that has no room for it and puts it below, whole. How many lines that made.
pub fn unfolded(rows: &mut Vec<Row>, at: usize, width: usize) -> usize {
    let Some(row) = rows.get_mut(at).filter(|r| r.0.len() > 1 && text::width(&r.text()) > width) else { return 0 };
    let Some((words, role)) = row.0.pop() else { return 0 };
    let mut below = Vec::new();
    wrapped(&mut below, "    ", &words, width, role);
    let n = below.len();
    rows.splice(at + 1..=at, below);
    n
}

/// Width of a panel's lines at this screen size.
pub fn inner_width(app: &App, full: bool) -> usize {
    usize::from(if full { app.size.0 } else { app.size.0.min(80) }).saturating_sub(4).max(8)
}

/// Lines that a panel can show at this screen size.
pub fn inner_height(app: &App) -> usize {
    usize::from(app.size.1).saturating_sub(5).max(1)
}

/// Lines that a panel with a line of keys shows at most as the screen is now, exactly.
pub fn page(app: &App) -> usize {
    let room = room(app);
    let border = if room.width >= 16 && room.height >= 4 { 2 } else { 0 };
    usize::from(room.height.saturating_sub(border + 1)).max(1)
}

/// Room for overlays: the header above and the armed row below stay visible.
fn room(app: &App) -> Rect {
    let (w, h) = app.size;
    let all = Rect { x: 0, y: 0, width: w, height: h };
    if h < 8 {
        let keep = u16::from(!app.armed.is_empty() && h > 2);
        return Rect { height: h - keep, ..all };
    }
    let areas = super::layout::Areas::of(app);
    let bottom = if areas.armed.height > 0 { areas.armed.y } else { h };
    Rect { y: 1, height: bottom.saturating_sub(1).max(1), ..all }
}

/// Draws a panel. Returns where the cursor stands.
pub fn draw(app: &App, frame: &mut Frame, panel: &Panel) -> Option<Position> {
    let room = room(app).intersection(frame.area());
    if room.width == 0 || room.height == 0 {
        return None;
    }
    let framed = room.width >= 16 && room.height >= 4;
    let border = if framed { 2 } else { 0 };
    let width = if panel.full { room.width } else { room.width.min(80) };
    let extra = u16::from(!panel.keys.is_empty());
    let want = u16::try_from(panel.rows.len()).unwrap_or(u16::MAX).saturating_add(border + extra);
    let height = if panel.full { room.height } else { want.min(room.height) };
    let area = Rect { x: room.x + (room.width - width) / 2, y: room.y + (room.height - height) / 2, width, height };
    let buf = frame.buffer_mut();
    paint::clear(buf, area);
    let inner = if framed {
        frame_of(app, buf, area, &panel.title);
        Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
    } else {
        area
    };
    let body = Rect { height: inner.height.saturating_sub(extra), ..inner };
    let last = panel.rows.len().saturating_sub(usize::from(body.height));
    // The picked line and the cursor are always in view.
    let must = panel.pick.or(panel.cursor.map(|(l, _)| l));
    let mut from = panel.scroll.min(last);
    if let Some(m) = must {
        let page = usize::from(body.height).max(1);
        let end = m + panel.more.min(page - 1);
        from = if m < from {
            m
        } else if end >= from + page {
            end + 1 - page
        } else {
            from
        };
    }
    for (n, row) in panel.rows.iter().enumerate().skip(from).take(usize::from(body.height)) {
        let line = paint::line(body, u16::try_from(n - from).unwrap_or(u16::MAX));
        let mut x = 0;
        for (piece, role) in &row.0 {
            x = paint::put(buf, line, x, piece, app.theme.style(*role));
        }
        if panel.pick == Some(n) {
            buf.set_style(line.intersection(buf.area), app.theme.style(Role::Cursor));
        }
    }
    if extra > 0 && inner.height > 0 {
        let keys = fitting(&panel.keys, usize::from(inner.width));
        paint::put(buf, paint::line(inner, inner.height - 1), 0, &keys, app.theme.style(Role::Dim));
    }
    let (line, column) = panel.cursor.or(panel.pick.map(|p| (p, 0))).unwrap_or((from, 0));
    let y = u16::try_from(line.saturating_sub(from)).unwrap_or(u16::MAX).min(body.height.saturating_sub(1));
    Some(Position::new(inner.x + u16::try_from(column).unwrap_or(u16::MAX).min(inner.width.saturating_sub(1)), inner.y + y))
}

/// As many of the keys as there is room for. The last one, which leads out, stays: those before it go, whole.
fn fitting(keys: &str, width: usize) -> String {
    const GAP: &str = "   ";
    let mut parts: Vec<&str> = keys.split(GAP).collect();
    while parts.len() > 1 && text::width(&parts.join(GAP)) > width {
        parts.remove(parts.len() - 2);
    }
    parts.join(GAP)
}

fn frame_of(app: &App, buf: &mut ratatui::buffer::Buffer, area: Rect, title: &str) {
    let style = app.theme.style(Role::Dim);
    let across = "─".repeat(usize::from(area.width.saturating_sub(2)));
    paint::put(buf, paint::line(area, 0), 0, &format!("┌{across}┐"), style);
    paint::put(buf, paint::line(area, area.height - 1), 0, &format!("└{across}┘"), style);
    for n in 1..area.height - 1 {
        paint::put(buf, paint::line(area, n), 0, "│", style);
        paint::put(buf, paint::line(area, n), area.width - 1, "│", style);
    }
    paint::put_in(buf, paint::line(area, 0), 2, area.width.saturating_sub(2), &format!(" {title} "), app.theme.style(Role::Title));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_of_a_panel_is_shown_where_there_is_no_room_for_all_its_keys() {
        let keys = "v show 10 s   y copy what is shown   r regenerate   Esc";
        assert_eq!(fitting(keys, 60), keys);
        assert_eq!(fitting(keys, 40), "v show 10 s   y copy what is shown   Esc");
        assert_eq!(fitting(keys, 36), "v show 10 s   Esc");
        assert_eq!(fitting(keys, 2), "Esc");
        assert_eq!(fitting("Tab 补全   Esc", 8), "Esc");
    }
}
