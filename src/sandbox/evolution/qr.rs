//! The picture that the server sends beside the text of a QR.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qrcode::{Color, EcLevel, QrCode};

/// Cells of light around the symbol, and pixels a cell (the server's `margin` and `scale`).
const MARGIN: usize = 3;
const SCALE: usize = 4;
/// Default of `QRCODE_COLOR`.
const DARK: [u8; 4] = [0x17, 0x51, 0x97, 0xff];

/// `data:image/png;base64,…` of `text` at level H, as the server makes it; empty when it does not fit a symbol.
pub(crate) fn data_url(text: &str) -> String {
    png(text).map(|p| format!("data:image/png;base64,{}", STANDARD.encode(p))).unwrap_or_default()
}

fn png(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::H).ok()?;
    let cells = code.width();
    let side = (cells + 2 * MARGIN) * SCALE;
    let mut pixels = vec![0xff; side * side * 4];
    for y in 0..cells * SCALE {
        for x in 0..cells * SCALE {
            if code[(x / SCALE, y / SCALE)] == Color::Dark {
                let at = ((y + MARGIN * SCALE) * side + x + MARGIN * SCALE) * 4;
                pixels[at..at + 4].copy_from_slice(&DARK);
            }
        }
    }
    let mut out = Vec::new();
    let side = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(out)
}
