//! A screen as an SVG picture: every run of equal cells is a text of that many cells, so that any monospaced font will do.

use std::fmt::Write;
use vt100::{Cell, Color, Screen};

/// Pixels of a cell.
const W: usize = 8;
const H: usize = 17;
/// Around the screen.
const PAD: usize = 10;
const FOREGROUND: &str = "#d8dee4";
const BACKGROUND: &str = "#14181d";
const NAMED: [&str; 16] = [
    "#14181d", "#d9626c", "#7fb069", "#d8b25c", "#6a9fd8", "#b48ac6", "#5fb3b3", "#c8ced4", "#7d8791", "#ff6b74", "#9ad07f", "#f0cc73", "#8abcf5",
    "#cfa5e0", "#7fd4d4", "#ffffff",
];

fn hex(color: Color, default: &str) -> String {
    match color {
        Color::Default => default.to_owned(),
        Color::Idx(n @ 0..16) => NAMED[usize::from(n)].to_owned(),
        Color::Idx(n @ 16..232) => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        Color::Idx(n) => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (n - 232)),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// Colours and the rest of a cell's style.
fn style(cell: &Cell) -> (String, String, bool, bool, bool) {
    let (mut fg, mut bg) = (hex(cell.fgcolor(), FOREGROUND), hex(cell.bgcolor(), BACKGROUND));
    if cell.inverse() {
        std::mem::swap(&mut fg, &mut bg);
    }
    (fg, bg, cell.bold(), cell.dim(), cell.underline())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture. `title` is read out to those who cannot see it.
pub fn svg(screen: &Screen, title: &str) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (usize::from(cols) * W + 2 * PAD, usize::from(rows) * H + 2 * PAD);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"13\" xml:space=\"preserve\">\n",
        escaped(title)
    );
    for row in 0..rows {
        let mut col = 0;
        while col < cols {
            let Some(first) = screen.cell(row, col) else { break };
            let look = style(first);
            let (from, mut text) = (col, String::new());
            while let Some(cell) = screen.cell(row, col).filter(|c| col < cols && style(c) == look) {
                if !cell.is_wide_continuation() {
                    text.push_str(if cell.contents().is_empty() { " " } else { cell.contents() });
                }
                col += 1;
            }
            run(&mut out, usize::from(row), usize::from(from), usize::from(col - from), &text, &look);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn run(out: &mut String, row: usize, col: usize, cells: usize, text: &str, (fg, bg, bold, dim, underline): &(String, String, bool, bool, bool)) {
    let (x, y) = (PAD + col * W, PAD + row * H);
    if bg != BACKGROUND {
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{H}\" fill=\"{bg}\"/>", cells * W);
    }
    // Words are placed one by one: a gap stretched by `textLength` would shift what stands around it.
    let mut at = 0;
    for word in text.split_inclusive(' ') {
        let width = unicode_width::UnicodeWidthStr::width(word);
        let shown = word.trim_end();
        if !shown.is_empty() {
            let length = unicode_width::UnicodeWidthStr::width(shown) * W;
            let mut extra = String::new();
            if *bold {
                extra.push_str(" font-weight=\"bold\"");
            }
            if *dim {
                extra.push_str(" opacity=\"0.6\"");
            }
            if *underline {
                extra.push_str(" text-decoration=\"underline\"");
            }
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fg}\"{extra}>{}</text>",
                x + at * W,
                y + H - 4,
                escaped(shown)
            );
        }
        at += width;
    }
}
