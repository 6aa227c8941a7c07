//! What one rotation of a QR costs: measured, made once, then drawn from the cache a frame at a time.
#![allow(missing_docs, clippy::unwrap_used)]

use divan::{Bencher, black_box};
use pairdeck::tui::widget::qr::{Ec, Matrix, Palette, Qr, Sizes, Style, ansi_lines};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};

fn main() {
    divan::main();
}

fn payload(len: usize) -> String {
    "2@aB3/x+,=".chars().cycle().take(len).collect()
}

#[divan::bench(args = [48, 65, 237, 305])]
fn measure(bencher: Bencher, len: usize) {
    let text = payload(len);
    bencher.bench(|| Sizes::of(black_box(&text)));
}

#[divan::bench(args = [48, 65, 237, 305])]
fn make(bencher: Bencher, len: usize) {
    let text = payload(len);
    bencher.bench(|| Matrix::make(black_box(&text), Ec::L));
}

#[divan::bench(args = [48, 65, 237, 305])]
fn draw(bencher: Bencher, len: usize) {
    let text = payload(len);
    let area = Rect::new(0, 0, 160, 50);
    let layout = Sizes::of(&text).fit(&[(160, 50)], Style::Half, 0).unwrap();
    let matrix = Matrix::make(&text, layout.ec).unwrap();
    let mut buf = Buffer::empty(area);
    bencher.bench_local(|| Qr { matrix: &matrix, layout, palette: Palette::Rgb }.render(area, black_box(&mut buf)));
}

#[divan::bench]
fn scrollback(bencher: Bencher) {
    let text = payload(237);
    bencher.bench(|| ansi_lines(black_box(&text), 120, Palette::Rgb, Style::Half));
}
