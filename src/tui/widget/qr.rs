//! A QR in the one style that scans on dark, light and solarized terminals at every font size tried: a space with its
//! background where both halves of a cell are equal, else `▄` with both colours explicit.
//!
//! Other half-block styles leave hairlines between glyphs, depend on the theme, or both. The quiet zone may shrink to one
//! module, never to none, and nothing is ever clipped: [`Sizes::fit`] gives no layout rather than a part of a QR.

use qrcode::{EcLevel, QrCode, bits};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
    widgets::Widget,
};

/// Quiet zones in modules, best first.
pub const QUIETS: [u16; 3] = [4, 2, 1];

/// Error correction, lowest first: how much of the picture may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ec {
    /// 7 %.
    L,
    /// 15 %.
    M,
    /// 25 %.
    Q,
    /// 30 %.
    H,
}

impl Ec {
    /// Highest first: the order in which a level is tried.
    pub const ALL: [Self; 4] = [Self::H, Self::Q, Self::M, Self::L];

    /// Its letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::L => "L",
            Self::M => "M",
            Self::Q => "Q",
            Self::H => "H",
        }
    }

    const fn level(self) -> EcLevel {
        match self {
            Self::L => EcLevel::L,
            Self::M => EcLevel::M,
            Self::Q => EcLevel::Q,
            Self::H => EcLevel::H,
        }
    }
}

/// How modules become cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// Two modules a cell, one above the other: the default.
    #[default]
    Half,
    /// Two cells a module and no glyph at all, for fonts without `▄` and for ASCII.
    Blocks,
}

/// How black and white are said to the terminal. Never by its own default colours: their polarity is the theme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Palette {
    /// `#000000` and `#ffffff`.
    #[default]
    Rgb,
    /// 16 and 231 of the 256 colours, which themes leave alone.
    Indexed,
}

impl Palette {
    const fn color(self, dark: bool) -> Color {
        match (self, dark) {
            (Self::Rgb, true) => Color::Rgb(0, 0, 0),
            (Self::Rgb, false) => Color::Rgb(255, 255, 255),
            (Self::Indexed, true) => Color::Indexed(16),
            (Self::Indexed, false) => Color::Indexed(231),
        }
    }

    const fn sgr(self, dark: bool) -> &'static str {
        match (self, dark) {
            (Self::Rgb, true) => "2;0;0;0",
            (Self::Rgb, false) => "2;255;255;255",
            (Self::Indexed, true) => "5;16",
            (Self::Indexed, false) => "5;231",
        }
    }
}

/// Lets colours through although `NO_COLOR` is set: crossterm drops every colour then, and a QR without them cannot be
/// read by any phone. It is process-wide; dropping the other colours is the theme's job. Called once before the first frame.
pub fn keep_colours() {
    crossterm::style::force_color_output(true);
}

/// The picture as modules, without its quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    width: u16,
    dark: Vec<bool>,
    ec: Ec,
}

impl Matrix {
    /// Makes the picture: about a millisecond for 237 bytes, so it is cached once a payload. `None` when the level cannot
    /// hold the text.
    pub fn make(payload: &str, ec: Ec) -> Option<Self> {
        let code = QrCode::with_error_correction_level(payload, ec.level()).ok()?;
        let width = u16::try_from(code.width()).ok()?;
        let dark = code.to_colors().into_iter().map(|c| c == qrcode::Color::Dark).collect();
        Some(Self { width, dark, ec })
    }

    /// Modules on a side.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Its error correction.
    pub const fn ec(&self) -> Ec {
        self.ec
    }

    /// Whether a module is dark. Coordinates count from the top left of the quiet zone; everything outside is light.
    pub fn dark(&self, x: u16, y: u16, quiet: u16) -> bool {
        match (x.checked_sub(quiet), y.checked_sub(quiet)) {
            (Some(x), Some(y)) if x < self.width && y < self.width => {
                self.dark.get(usize::from(y) * usize::from(self.width) + usize::from(x)).copied().unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// One way to draw a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Error correction.
    pub ec: Ec,
    /// Quiet zone in modules, on each side.
    pub quiet: u16,
    /// Half cells (or blocks) a module.
    pub scale: u16,
    /// How modules become cells.
    pub style: Style,
    /// Columns, quiet zone included.
    pub cols: u16,
    /// Rows, quiet zone included.
    pub rows: u16,
}

impl Layout {
    fn new(width: u16, ec: Ec, quiet: u16, scale: u16, style: Style) -> Self {
        let n = (width + 2 * quiet) * scale;
        let (cols, rows) = match style {
            Style::Half => (n, n.div_ceil(2)),
            Style::Blocks => (2 * n, n),
        };
        Self { ec, quiet, scale, style, cols, rows }
    }

    const fn fits(&self, (cols, rows): (u16, u16)) -> bool {
        self.cols <= cols && self.rows <= rows
    }
}

/// How large the picture of one payload is at each level, without making it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Vec<(Ec, u16)>);

impl Sizes {
    /// Measures a payload. Empty when no QR holds it.
    pub fn of(payload: &str) -> Self {
        let width = |ec: Ec| bits::encode_auto(payload.as_bytes(), ec.level()).ok().and_then(|b| u16::try_from(b.version().width()).ok());
        Self(Ec::ALL.into_iter().filter_map(|ec| width(ec).map(|w| (ec, w))).collect())
    }

    fn layouts(&self, quiet: u16, scale: u16, style: Style) -> impl Iterator<Item = Layout> + '_ {
        self.0.iter().map(move |&(ec, width)| Layout::new(width, ec, quiet, scale, style))
    }

    /// The best layout for the first of `regions` (columns, rows) that holds one: a wide quiet zone goes before the region,
    /// the region before error correction. `bigger` steps from there to the next larger (or, below zero, smaller) layout
    /// that fits somewhere; steps beyond the last are ignored.
    pub fn fit(&self, regions: &[(u16, u16)], style: Style, bigger: i8) -> Option<Layout> {
        let best = QUIETS.iter().find_map(|&quiet| regions.iter().find_map(|&room| self.layouts(quiet, 1, style).find(|l| l.fits(room))))?;
        if bigger == 0 {
            return Some(best);
        }
        let mut all: Vec<Layout> = (1..=4)
            .flat_map(|scale| QUIETS.into_iter().map(move |quiet| (scale, quiet)))
            .flat_map(|(scale, quiet)| self.layouts(quiet, scale, style))
            .filter(|l| *l == best || (l.cols, l.rows) != (best.cols, best.rows) && regions.iter().any(|&room| l.fits(room)))
            .collect();
        // Among equals the wider quiet zone was listed first, and the sort is stable.
        all.sort_by_key(|l| (l.cols, l.rows));
        all.dedup_by_key(|l| (l.cols, l.rows));
        let at = all.iter().position(|l| *l == best)?;
        let last = all.len() - 1;
        all.get(at.saturating_add_signed(isize::from(bigger)).min(last)).copied()
    }

    /// The smallest layout with this quiet zone, for the words of the "too small" panel.
    pub fn least(&self, quiet: u16, style: Style) -> Option<Layout> {
        self.layouts(quiet, 1, style).min_by_key(|l| (l.cols, l.rows))
    }
}

/// Columns and rows that each level and quiet zone needs, best first.
pub fn size_needed(payload: &str) -> Vec<(u16, u16, Ec, u16)> {
    let sizes = Sizes::of(payload);
    let all = QUIETS.into_iter().flat_map(|quiet| sizes.layouts(quiet, 1, Style::Half));
    all.map(|l| (l.cols, l.rows, l.ec, l.quiet)).collect()
}

/// The best layout for a payload in `area`: the largest level that fits with quiet zone 4, then 2, then 1, or `None`.
pub fn fit(payload: &str, area: Rect) -> Option<Layout> {
    Sizes::of(payload).fit(&[(area.width, area.height)], Style::Half, 0)
}

/// Draws a matrix at the top left of its area. Draws nothing when the area is too small: a clipped QR never scans.
#[derive(Clone, Copy, Debug)]
pub struct Qr<'a> {
    /// The picture.
    pub matrix: &'a Matrix,
    /// How it is laid out.
    pub layout: Layout,
    /// How black and white are said.
    pub palette: Palette,
}

impl Qr<'_> {
    /// Upper and lower half of the cell at this column and row: true is dark. In blocks both halves are one module.
    fn halves(&self, x: u16, y: u16) -> (bool, bool) {
        let Layout { quiet, scale, .. } = self.layout;
        let dark = |x: u16, y: u16| self.matrix.dark(x / scale, y / scale, quiet);
        match self.layout.style {
            Style::Half => (dark(x, 2 * y), dark(x, 2 * y + 1)),
            Style::Blocks => (dark(x / 2, y), dark(x / 2, y)),
        }
    }
}

impl Widget for Qr<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if !self.layout.fits((area.width, area.height)) || self.layout.ec != self.matrix.ec {
            return;
        }
        for y in 0..self.layout.rows {
            for x in 0..self.layout.cols {
                let (upper, lower) = self.halves(x, y);
                let Some(cell) = buf.cell_mut((area.x + x, area.y + y)) else { continue };
                cell.reset();
                cell.set_symbol(if upper == lower { " " } else { "▄" });
                cell.set_fg(self.palette.color(lower)).set_bg(self.palette.color(upper));
                cell.modifier = Modifier::empty();
            }
        }
    }
}

/// A QR as lines for the scrollback, every cell with both colours, each line reset at its end. Rows are not limited there,
/// but a picture higher than the window cannot be scanned, so only the two smaller levels are used. `None` when `width`
/// columns are too few.
pub fn ansi_lines(payload: &str, width: u16, palette: Palette, style: Style) -> Option<Vec<String>> {
    let mut sizes = Sizes::of(payload);
    sizes.0.retain(|(ec, _)| *ec <= Ec::M);
    let layout = sizes.fit(&[(width, u16::MAX)], style, 0)?;
    let matrix = Matrix::make(payload, layout.ec)?;
    let qr = Qr { matrix: &matrix, layout, palette };
    let line = |y: u16| {
        let (mut out, mut last) = (String::new(), None);
        for x in 0..layout.cols {
            let (upper, lower) = qr.halves(x, y);
            if last != Some((upper, lower)) {
                out.push_str(&format!("\u{1b}[38;{};48;{}m", palette.sgr(lower), palette.sgr(upper)));
                last = Some((upper, lower));
            }
            out.push(if upper == lower { ' ' } else { '▄' });
        }
        out.push_str("\u{1b}[0m");
        out
    };
    Some((0..layout.rows).map(line).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(len: usize) -> String {
        "aB3/x+".chars().cycle().take(len).collect()
    }

    #[test]
    fn sizes_are_those_that_were_measured() {
        let at = |len, ec, quiet| size_needed(&text(len)).into_iter().find(|s| (s.2, s.3) == (ec, quiet)).map(|s| (s.0, s.1)).unwrap();
        for (len, ec, expected) in [
            (237, Ec::L, [(65, 33), (61, 31), (59, 30)]),
            (237, Ec::M, [(69, 35), (65, 33), (63, 32)]),
            (192, Ec::L, [(57, 29), (53, 27), (51, 26)]),
            (48, Ec::L, [(37, 19), (33, 17), (31, 16)]),
            (48, Ec::M, [(41, 21), (37, 19), (35, 18)]),
        ] {
            assert_eq!(QUIETS.map(|quiet| at(len, ec, quiet)), expected, "{len} {ec:?}");
        }
    }

    #[test]
    fn the_largest_level_goes_first_then_the_quiet_zone_shrinks_but_never_to_none() {
        let best = |cols, rows| fit(&text(237), Rect::new(0, 0, cols, rows)).map(|l| (l.ec, l.quiet));
        assert_eq!(best(160, 50), Some((Ec::H, 4)));
        assert_eq!(best(69, 35), Some((Ec::M, 4)));
        assert_eq!(best(68, 35), Some((Ec::L, 4)));
        assert_eq!(best(64, 33), Some((Ec::L, 2)));
        assert_eq!(best(60, 30), Some((Ec::L, 1)));
        assert_eq!(best(58, 30), None);
        assert_eq!(best(59, 29), None);
        assert_eq!(best(80, 24), None);
    }

    #[test]
    fn a_measured_size_is_the_size_of_the_picture() {
        for len in [1, 17, 48, 100, 237, 305, 1000] {
            for (ec, width) in Sizes::of(&text(len)).0 {
                assert_eq!(Matrix::make(&text(len), ec).unwrap().width(), width, "{len} {ec:?}");
            }
        }
        assert!(Sizes::of(&text(2953)).least(4, Style::Half).is_some());
        assert_eq!(Sizes::of(&text(2954)).least(4, Style::Half), None);
    }

    #[test]
    fn in_a_smaller_area_nothing_is_drawn_at_all() {
        let matrix = Matrix::make(&text(48), Ec::L).unwrap();
        let layout = Sizes::of(&text(48)).least(4, Style::Half).unwrap();
        for (cols, rows) in [(36, 19), (37, 18), (1, 1), (0, 0)] {
            let area = Rect::new(0, 0, cols, rows);
            let mut buf = Buffer::empty(area);
            Qr { matrix: &matrix, layout, palette: Palette::Rgb }.render(area, &mut buf);
            assert_eq!(buf, Buffer::empty(area));
        }
        let (area, mut buf) = (Rect::new(10, 0, 50, 50), Buffer::empty(Rect::new(0, 0, 40, 40)));
        Qr { matrix: &matrix, layout, palette: Palette::Rgb }.render(area, &mut buf);
        assert_eq!(buf, Buffer::empty(buf.area), "an area beyond the buffer clips it");
    }

    #[test]
    fn a_narrow_scrollback_gives_no_lines_and_each_line_ends_plain() {
        assert_eq!(ansi_lines(&text(48), 30, Palette::Rgb, Style::Half), None);
        let lines = ansi_lines(&text(48), 31, Palette::Rgb, Style::Half).unwrap();
        assert_eq!(lines.len(), 16);
        assert!(lines.iter().all(|l| l.ends_with("\u{1b}[0m") && l.starts_with("\u{1b}[38;2;")));
        assert!(ansi_lines(&text(48), 60, Palette::Indexed, Style::Blocks).is_none());
        assert!(ansi_lines(&text(48), 62, Palette::Indexed, Style::Blocks).unwrap()[0].contains("48;5;231"));
    }
}
