//! Text in parts that give way in order when rows run out: gaps first, then the least needed part, line by line.

use super::text::{ends, plain, wrap};
use crate::tui::{theme::Role, view::ViewCx};
use ratatui::text::{Line, Span};

/// One drawn line, and where the cursor stands if it holds the field.
pub(super) struct Row {
    pub(super) line: Line<'static>,
    pub(super) cursor: Option<u16>,
    /// It goes on the line before it.
    goes_on: bool,
}

impl Row {
    fn new(line: Line<'static>) -> Self {
        Self { line, cursor: None, goes_on: false }
    }
}

/// Lines that belong together.
pub(super) struct Part {
    /// 0 stays longest.
    rank: u8,
    /// Lines are taken from the top (below the head), not from the end.
    keeps_end: bool,
    /// No free row before it.
    glued: bool,
    rows: Vec<Row>,
}

impl Part {
    /// An empty part.
    pub(super) fn new(rank: u8) -> Self {
        Self { rank, keeps_end: false, glued: false, rows: Vec::new() }
    }

    /// A log: its head and its newest lines stay.
    pub(super) fn log(rank: u8) -> Self {
        Self { rank, keeps_end: true, glued: false, rows: Vec::new() }
    }

    /// Follows the part before it without a free row.
    pub(super) fn glued(mut self) -> Self {
        self.glued = true;
        self
    }

    /// Adds one ready line.
    pub(super) fn line(mut self, line: impl Into<Line<'static>>) -> Self {
        self.rows.push(Row::new(line.into()));
        self
    }

    /// Adds the line that holds the field.
    pub(super) fn field(mut self, line: impl Into<Line<'static>>, cursor: u16) -> Self {
        self.rows.push(Row { cursor: Some(cursor), ..Row::new(line.into()) });
        self
    }

    /// Adds a text, wrapped; lines after the first begin below the text, not below its label.
    pub(super) fn labelled(mut self, cx: &ViewCx, role: Role, label: &str, text: String, width: usize) -> Self {
        let indent = unicode_width::UnicodeWidthStr::width(label);
        let text = plain(text.replace('`', ""), cx);
        let (indent, label) = if indent + 12 > width { (0, "") } else { (indent, label) };
        for (i, l) in wrap(&text, width - indent).into_iter().enumerate() {
            let lead = if i == 0 { label.to_owned() } else { " ".repeat(indent) };
            self = self.line(Line::from(vec![Span::styled(lead, cx.theme.style(Role::Dim)), Span::styled(l, cx.theme.style(role))]));
            if let Some(row) = self.rows.last_mut() {
                row.goes_on = i > 0;
            }
        }
        self
    }

    /// Adds a text, wrapped.
    pub(super) fn text(self, cx: &ViewCx, role: Role, text: String, width: usize) -> Self {
        self.labelled(cx, role, "", text, width)
    }

    /// Adds a line with a text at either end.
    pub(super) fn ends(self, cx: &ViewCx, role: Role, left: &str, right: (&str, Role), width: usize) -> Self {
        let whole = ends(left, right.0, width, cx.ascii);
        let at = whole.len().saturating_sub(right.0.len());
        match whole.get(at..).filter(|tail| !tail.is_empty() && *tail == right.0) {
            Some(tail) => {
                let head = whole.get(..at).unwrap_or_default().to_owned();
                self.line(Line::from(vec![Span::styled(head, cx.theme.style(role)), Span::styled(tail.to_owned(), cx.theme.style(right.1))]))
            }
            None => self.line(Span::styled(whole, cx.theme.style(role))),
        }
    }

    fn shorten(&mut self) {
        if self.keeps_end && self.rows.len() > 2 {
            self.rows.remove(1);
            while self.rows.get(1).is_some_and(|r| r.goes_on) {
                self.rows.remove(1);
            }
            if self.rows.len() == 1 {
                self.rows.clear();
            }
        } else if self.keeps_end {
            self.rows.clear();
        } else {
            self.rows.pop();
        }
    }
}

/// The parts one below the other in at most `height` rows, a free row between them while there is room.
pub(super) fn stack(mut parts: Vec<Part>, height: usize) -> Vec<Row> {
    parts.retain(|p| !p.rows.is_empty());
    while parts.iter().map(|p| p.rows.len()).sum::<usize>() > height {
        let Some(worst) = parts.iter_mut().max_by_key(|p| p.rank) else { break };
        worst.shorten();
        parts.retain(|p| !p.rows.is_empty());
    }
    let mut free = height.saturating_sub(parts.iter().map(|p| p.rows.len()).sum());
    let mut out = Vec::with_capacity(height);
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 && free > 0 && !part.glued {
            out.push(Row::new(Line::default()));
            free -= 1;
        }
        out.extend(part.rows);
    }
    out
}
