//! Telethon's string session: `1`, then base64 of data centre, address, port and key (Telethon 1.x `sessions/string.py`).

use super::{Format, Session, Trouble, dc_of, key_of};
use base64::{Engine as _, alphabet::URL_SAFE, engine::GeneralPurpose, engine::general_purpose as b64};
use zeroize::Zeroizing;

/// Padding may have been lost in somebody's copy.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    b64::GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Bytes of the layout with an IPv4 address, and with an IPv6 one: `>B4sH256s`, `>B16sH256s`.
const LENGTHS: [usize; 2] = [1 + 4 + 2 + 256, 1 + 16 + 2 + 256];

/// Reads a string.
pub(super) fn parse(text: &str) -> Result<Session, Trouble> {
    let text = text.trim_ascii();
    let Some(rest) = text.strip_prefix('1') else {
        let version = text.chars().next().and_then(|c| c.to_digit(10));
        return Err(version.map_or(Trouble::Foreign("no Telethon string"), |v| Trouble::Version(i64::from(v))));
    };
    let bytes = Zeroizing::new(LENIENT.decode(rest).map_err(|_| Trouble::Corrupt("no base64"))?);
    if !LENGTHS.contains(&bytes.len()) {
        let short = bytes.len() < LENGTHS[0];
        return Err(if short { Trouble::Truncated } else { Trouble::Corrupt("unusual length") });
    }
    let key = key_of(&bytes[bytes.len() - 256..])?;
    Ok(Session::new(Format::TelethonString, dc_of(i64::from(bytes[0]))?, key))
}
