//! A pairing code to be read from across a desk: block letters five rows high where there is room, else spaced letters.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};
use unicode_width::UnicodeWidthStr;

/// Rows of a block letter.
pub const ROWS: u16 = 5;
const LETTER: u16 = 5;
const GAP: u16 = 2;

/// The code in groups of four with a dash, as phones show it: `M6BRKJ45` → `M6BR-KJ45`. Other lengths stay whole.
pub fn dashed(code: &str) -> String {
    match (code.len(), code.get(..4), code.get(4..)) {
        (8, Some(a), Some(b)) => format!("{a}-{b}"),
        _ => code.to_owned(),
    }
}

/// The dashed code with a space between all letters, for one bold line or for plain output.
pub fn spaced(code: &str) -> String {
    let mut out = String::new();
    for c in dashed(code).chars() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The code in the widest form that `width` columns hold: spaced, dashed, bare; `None` when even that is cut.
pub fn line(code: &str, width: u16) -> Option<String> {
    [spaced(code), dashed(code), code.to_owned()].into_iter().find(|s| s.width() <= usize::from(width))
}

/// Columns that the block letters of a code need, with one free column at either side (63 for eight letters).
pub fn columns(code: &str) -> u16 {
    let glyphs = u16::try_from(dashed(code).chars().count()).unwrap_or(u16::MAX);
    glyphs.saturating_mul(LETTER + GAP)
}

/// The block letters as [`ROWS`] lines of [`columns`] cells.
pub fn rows(code: &str, ascii: bool) -> [String; 5] {
    let stroke = if ascii { '#' } else { '█' };
    let code = dashed(code);
    std::array::from_fn(|row| {
        let mut line = String::from(" ");
        for c in code.chars() {
            let bits = glyph(c).get(row).copied().unwrap_or(0);
            line.extend((0..LETTER).map(|dx| if bits >> (LETTER - 1 - dx) & 1 == 1 { stroke } else { ' ' }));
            line.push_str("  ");
        }
        line.pop();
        line
    })
}

/// Block letters. Draws nothing when the area is too small: half a code is a wrong code.
#[derive(Clone, Copy, Debug)]
pub struct BigCode<'a> {
    /// The code, without its dash.
    pub code: &'a str,
    /// The look of the strokes.
    pub style: Style,
    /// True: strokes of `#`.
    pub ascii: bool,
}

impl Widget for BigCode<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.width < columns(self.code) || area.height < ROWS {
            return;
        }
        for (y, row) in (area.y..).zip(rows(self.code, self.ascii)) {
            buf.set_stringn(area.x, y, row, usize::from(area.width), self.style);
        }
    }
}

/// Five rows of five columns, highest bit left. Letters that people mix up differ in more than one stroke.
const fn glyph(c: char) -> [u8; 5] {
    match c {
        'A' => [0b01110, 0b10001, 0b11111, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b11110, 0b10001, 0b11110],
        'C' => [0b01111, 0b10000, 0b10000, 0b10000, 0b01111],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b11110, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b11110, 0b10000, 0b10000],
        'G' => [0b01111, 0b10000, 0b10011, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'I' => [0b11111, 0b00100, 0b00100, 0b00100, 0b11111],
        'J' => [0b00111, 0b00001, 0b00001, 0b10001, 0b01110],
        'K' => [0b10001, 0b10010, 0b11100, 0b10010, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10001, 0b10001],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b11110, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b11110, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b01110, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'V' => [0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10101, 0b11011, 0b10001],
        'X' => [0b10001, 0b01010, 0b00100, 0b01010, 0b10001],
        'Y' => [0b10001, 0b01010, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00010, 0b00100, 0b01000, 0b11111],
        '0' => [0b01110, 0b10011, 0b10101, 0b11001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b01110],
        '2' => [0b11110, 0b00001, 0b01110, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b01110, 0b00001, 0b11110],
        '4' => [0b10010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b11110],
        '6' => [0b01110, 0b10000, 0b11110, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b00100],
        '8' => [0b01110, 0b10001, 0b01110, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b01111, 0b00001, 0b01110],
        '-' => [0b00000, 0b00000, 0b01110, 0b00000, 0b00000],
        _ => [0; 5],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_letter_of_a_code_has_strokes_of_its_own() {
        let mut seen = HashSet::new();
        for c in ('A'..='Z').chain('0'..='9').chain(['-']) {
            assert!(glyph(c).iter().any(|r| *r != 0), "{c} is empty");
            assert!(glyph(c).iter().all(|r| *r < 32), "{c} is too wide");
            assert!(seen.insert(glyph(c)), "{c} looks like another letter");
        }
    }

    #[test]
    fn eight_letters_take_sixty_three_columns_and_are_not_drawn_in_less() {
        assert_eq!(columns("M6BRKJ45"), 63);
        let area = Rect::new(0, 0, 62, 5);
        let mut buf = Buffer::empty(area);
        BigCode { code: "M6BRKJ45", style: Style::new(), ascii: false }.render(area, &mut buf);
        assert_eq!(buf, Buffer::empty(area));
        let area = Rect::new(0, 0, 63, 5);
        let mut buf = Buffer::empty(area);
        BigCode { code: "M6BRKJ45", style: Style::new(), ascii: true }.render(area, &mut buf);
        let row: String = (0..63).map(|x| buf[(x, 2)].symbol()).collect();
        assert_eq!(row, " # # #  ####   ####   ####    ###   ###        #  #####  ####  ");
    }

    #[test]
    fn a_code_that_does_not_fit_its_line_is_not_cut() {
        assert_eq!(line("M6BRKJ45", 20).as_deref(), Some("M 6 B R - K J 4 5"));
        assert_eq!(line("M6BRKJ45", 12).as_deref(), Some("M6BR-KJ45"));
        assert_eq!(line("M6BRKJ45", 8).as_deref(), Some("M6BRKJ45"));
        assert_eq!(line("M6BRKJ45", 7), None);
    }
}
