//! Pyrogram's string session: base64 without padding, three layouts told apart by their length (Pyrogram 2 `storage.py`).

use super::{Format, Session, Trouble, dc_of, key_of, telethon::LENIENT};
use base64::Engine as _;
use zeroize::Zeroizing;

/// `>B?256sI?`: data centre, test, key, user as 32 bits, bot.
const OLD_32: usize = 1 + 1 + 256 + 4 + 1;
/// `>B?256sQ?`: the same with a user of 64 bits.
const OLD_64: usize = 1 + 1 + 256 + 8 + 1;
/// `>BI?256sQ?`: with the application behind the data centre.
const NEW: usize = 1 + 4 + 1 + 256 + 8 + 1;

/// Reads a string.
pub(super) fn parse(text: &str) -> Result<Session, Trouble> {
    let bytes = Zeroizing::new(LENIENT.decode(text.trim_ascii()).map_err(|_| Trouble::Corrupt("no base64"))?);
    let (api_id, rest) = match bytes.len() {
        NEW => (Some(number(&bytes[1..5])), &bytes[5..]),
        OLD_32 | OLD_64 => (None, &bytes[1..]),
        n if n < OLD_32 => return Err(Trouble::Truncated),
        _ => return Err(Trouble::Corrupt("unusual length")),
    };
    let [test, .., bot] = *rest else { return Err(Trouble::Truncated) };
    if test > 1 || bot > 1 {
        return Err(Trouble::Corrupt("unusual flags"));
    }
    let key = key_of(&rest[1..257])?;
    let user = number(&rest[257..rest.len() - 1]);
    let mut session = Session::new(Format::PyrogramString, dc_of(i64::from(bytes[0]))?, key);
    session.test = test == 1;
    session.bot = Some(bot == 1);
    session.user = i64::try_from(user).ok().filter(|u| *u > 0);
    session.api_id = api_id.and_then(|a| i32::try_from(a).ok());
    Ok(session)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}
