//! The text of a QR that comes as a picture. It is read, not shown again: only text passes the gate, and a terminal draws its own.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Largest picture that is looked at.
const LARGEST: usize = 256 << 10;
/// Widest picture that is looked at, in pixels.
const WIDEST: u32 = 2_000;

/// The text in a `data:image/png;base64,…` address. `None` for anything else, and for a picture that holds no code.
pub(super) fn text(address: &str) -> Option<String> {
    let coded = address.strip_prefix("data:image/png;base64,").filter(|c| c.len() <= LARGEST)?;
    let bytes = STANDARD.decode(coded.trim()).ok()?;
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), png::Limits { bytes: 32 << 20 });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width > WIDEST || height > WIDEST {
        return None;
    }
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut pixels).ok()?;
    let samples = frame.color_type.samples();
    let line = usize::try_from(width).ok()? * samples;
    // Dark where the first sample is: a code is black and white.
    let dark = |x: usize, y: usize| pixels.get(y * line + x * samples).copied().unwrap_or(255);
    let (w, h) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(w, h, dark);
    image.detect_grids().first()?.decode().ok().map(|(_, text)| text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_and_what_is_none_is_refused() {
        let said = "https://liteapp.weixin.qq.com/q/7a1f?bot_type=3";
        assert_eq!(text(&crate::sandbox::evolution::qr::data_url(said)).as_deref(), Some(said));
        assert_eq!(text("data:image/png;base64,AAAA"), None);
        assert_eq!(text("https://elsewhere.example/qr.png"), None);
    }
}
