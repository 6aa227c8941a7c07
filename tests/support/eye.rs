//! What a phone would see: the cells of a screen painted as 8×16 pixels and read by a QR decoder.

use vt100::{Cell, Color, Screen};

/// What the terminal's own default colours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Light text on black.
    Dark,
    /// Dark text on white.
    Light,
}

/// Pixels of a cell's width; a cell is twice as high.
const W: usize = 8;

/// Brightness of a colour as a grey, 0 is black.
fn grey(color: Color, default: u8) -> u8 {
    let luma = |r: u8, g: u8, b: u8| ((u32::from(r) * 30 + u32::from(g) * 59 + u32::from(b) * 11) / 100) as u8;
    match color {
        Color::Default => default,
        Color::Rgb(r, g, b) => luma(r, g, b),
        Color::Idx(n @ 0..16) => [0, 60, 110, 140, 40, 90, 130, 229, 127, 76, 150, 226, 92, 140, 180, 255][usize::from(n)],
        Color::Idx(n @ 16..232) => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            luma(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        Color::Idx(n) => 8 + 10 * (n - 232),
    }
}

/// Whether this pixel of a glyph has the foreground colour. Text is a blot in the middle of its cell.
fn inked(glyph: &str, x: usize, y: usize, w: usize) -> bool {
    match glyph {
        "" | " " => false,
        "█" => true,
        "▄" => y >= w,
        "▀" => y < w,
        "░" | "▒" | "▓" => (x + y).is_multiple_of(2),
        _ => (w / 4..w * 3 / 4).contains(&x) && (w / 2..w * 3 / 2).contains(&y),
    }
}

/// Pixels row by row, their width and height, of the screen's first `cols` and `rows`.
fn paint(screen: &Screen, background: Background, cols: usize, rows: usize, w: usize) -> (usize, usize, Vec<u8>) {
    let h = 2 * w;
    let (default_fg, default_bg) = if background == Background::Dark { (229, 0) } else { (0, 255) };
    let mut pixels = vec![default_bg; rows * h * cols * w];
    for row in 0..rows {
        for col in 0..cols {
            let Some(cell) = screen.cell(row as u16, col as u16) else { continue };
            let (mut fg, mut bg) = (grey(cell.fgcolor(), default_fg), grey(cell.bgcolor(), default_bg));
            if cell.inverse() {
                std::mem::swap(&mut fg, &mut bg);
            }
            if bg == default_bg && matches!(cell.contents(), "" | " ") {
                continue;
            }
            for y in 0..h {
                for x in 0..w {
                    let at = (row * h + y) * cols * w + col * w + x;
                    pixels[at] = if inked(cell.contents(), x, y, w) { fg } else { bg };
                }
            }
        }
    }
    (cols * w, rows * h, pixels)
}

fn read((w, h, pixels): (usize, usize, Vec<u8>)) -> Option<String> {
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(w, h, |x, y| pixels[y * w + x]);
    image.detect_grids().iter().find_map(|g| g.decode().ok()).map(|(_, text)| text)
}

/// The text of the first QR that can be read from the screen.
pub fn decode_qr(screen: &Screen, background: Background) -> Option<String> {
    let (rows, cols) = screen.size();
    read(paint(screen, background, usize::from(cols.get()), usize::from(rows.get()), W))
}

/// The same, looking only a little beyond its cells and with half as many pixels a side: for tests that read very many.
pub fn decode_qr_close(screen: &Screen, background: Background) -> Option<String> {
    let cells = qr_cells(screen);
    let (rows, cols) = screen.size();
    let right = cells.iter().map(|c| c.1).max()?.saturating_add(5).min(cols.get());
    let bottom = cells.iter().map(|c| c.0).max()?.saturating_add(3).min(rows.get());
    read(paint(screen, background, usize::from(right), usize::from(bottom), W / 2))
}

/// Cells that belong to a QR: those with an explicit black or white background.
pub fn qr_cells(screen: &Screen) -> Vec<(u16, u16, &Cell)> {
    let (rows, cols) = screen.size();
    let own = |c: Color| matches!(c, Color::Rgb(0, 0, 0) | Color::Rgb(255, 255, 255) | Color::Idx(16 | 231));
    let all = (0..rows.get()).flat_map(|r| (0..cols.get()).map(move |c| (r, c)));
    all.filter_map(|(r, c)| screen.cell(r, c).map(|cell| (r, c, cell))).filter(|(_, _, cell)| own(cell.bgcolor())).collect()
}

/// Fails unless the QR on screen is of the style that scans: spaces and `▄` only, both colours explicit, no attribute.
pub fn assert_style_that_scans(screen: &Screen) {
    let cells = qr_cells(screen);
    assert!(!cells.is_empty(), "no QR cell on screen");
    for (row, col, cell) in cells {
        assert!(matches!(cell.contents(), "" | " " | "▄"), "row {row} column {col} holds {:?}", cell.contents());
        assert_ne!(cell.fgcolor(), Color::Default, "row {row} column {col} has no foreground of its own");
        assert!(!cell.bold() && !cell.dim() && !cell.inverse() && !cell.underline(), "row {row} column {col} has an attribute");
    }
}
