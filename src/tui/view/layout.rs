//! Where things stand at each size, and what is dropped first as room shrinks.

use crate::tui::app::App;
use ratatui::layout::Rect;

/// The parts of the deck. A part without room has height 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// Header.
    pub header: Rect,
    /// Clock line; height 0: its word stands in the header.
    pub clock: Rect,
    /// Column heads.
    pub heads: Rect,
    /// Rows.
    pub tree: Rect,
    /// Heads and rows, with the detail pane.
    pub body: Rect,
    /// Detail pane, from 100 columns on.
    pub detail: Option<Rect>,
    /// `1-16 of 54`.
    pub scroll: Rect,
    /// One line about the row under the cursor.
    pub peek: Rect,
    /// Armed action.
    pub armed: Rect,
    /// Toast; equal to `armed` when they share a row.
    pub toast: Rect,
    /// The guide.
    pub guide: Rect,
    /// Keys.
    pub footer: Rect,
    /// Which columns there are.
    pub columns: Columns,
}

/// Columns of the tree at a width. Each is the column where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Names of accounts begin here.
    pub name: u16,
    /// Number and kind, from 90 columns on.
    pub identity: Option<u16>,
    /// Glyph and word of the state.
    pub state: u16,
    /// First column after the age, which ends there.
    pub age_end: u16,
    /// Note, from 60 columns on.
    pub note: Option<u16>,
}

impl Columns {
    fn of(width: u16) -> Self {
        if width >= 90 {
            Self { name: 4, identity: Some(18), state: 33, age_end: 53, note: Some(55) }
        } else if width >= 60 {
            Self { name: 4, identity: None, state: 17, age_end: 37, note: Some(39) }
        } else if width >= 34 {
            Self { name: 2, identity: None, state: 15, age_end: 31.min(width), note: None }
        } else {
            Self { name: 2, identity: None, state: width.saturating_sub(14).max(5), age_end: width, note: None }
        }
    }
}

impl Areas {
    /// The parts at the app's size.
    pub fn of(app: &App) -> Self {
        Self::at(app.size.0, app.size.1, app.guide.is_on(), !app.armed.is_empty())
    }

    /// The parts at a size.
    pub fn at(w: u16, h: u16, guide: bool, armed: bool) -> Self {
        let line = |y: u16, on: bool| Rect { x: 0, y: y.min(h), width: w, height: u16::from(on && y < h) };
        let tiny = w < 40 || h < 10;
        let columns = Columns::of(if w >= 100 { 120 } else { w });
        let none = line(h, false);
        if tiny {
            // The row under the cursor and what is armed; more rows if there is room.
            let keep = u16::from(armed || h > 2);
            let tree = Rect { x: 0, y: 0, width: w, height: h.saturating_sub(keep) };
            let last = line(h.saturating_sub(1), keep > 0);
            return Self {
                header: none,
                clock: none,
                heads: none,
                tree,
                body: tree,
                detail: None,
                scroll: none,
                peek: none,
                armed: last,
                toast: last,
                guide: none,
                footer: none,
                columns,
            };
        }
        let mut top = 0;
        let header = line(0, true);
        top += 1;
        let clock = line(top, w >= 60 && h >= 12);
        top += clock.height;
        let heads = line(top, w >= 60);
        let body_top = top;
        top += heads.height;
        let mut bottom = h;
        let mut take = |on: bool| {
            bottom -= u16::from(on);
            line(bottom, on)
        };
        let footer = take(true);
        let guide = take(guide && h >= 12);
        let (armed_row, toast) = if h >= 16 {
            let toast = take(true);
            (take(true), toast)
        } else {
            let one = take(true);
            (one, one)
        };
        let wide = w >= 100;
        let peek = take(h >= 20 && !wide);
        let scroll = take(h >= 20 && !wide);
        let body = Rect { x: 0, y: body_top, width: w, height: bottom.saturating_sub(body_top) };
        let detail_w = if w >= 120 { 52 + (w - 120) / 2 } else { w.saturating_sub(68) };
        let left = if wide { w - detail_w - 2 } else { w };
        let detail = wide.then(|| Rect { x: left, y: body_top, width: detail_w + 2, height: body.height });
        let tree = Rect { x: 0, y: top, width: left, height: bottom.saturating_sub(top) };
        Self {
            header,
            clock,
            heads: Rect { width: left, ..heads },
            tree,
            body,
            detail,
            scroll,
            peek,
            armed: armed_row,
            toast,
            guide,
            footer,
            columns,
        }
    }
}
