//! What a typed line means. One scheme: a row's number, then a letter; without a number, the deck itself.

/// What is wanted of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowWish<'a> {
    /// Everything about it.
    Tell,
    /// Pair by code, with this number if one was typed.
    Code(Option<&'a str>),
    /// Pair by QR.
    Qr,
    /// Wipe.
    Wipe,
    /// Regenerate.
    Regenerate,
    /// List the rarer verbs, or arm the one with that letter.
    More(Option<char>),
    /// Its history.
    Timeline,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// Nothing: say where things stand.
    Where,
    /// Something about the row with that number.
    Row(usize, RowWish<'a>),
    /// The first rows, all of them (`Some("all")`), or those that hold a word.
    List(Option<&'a str>),
    /// Take back the newest.
    Undo,
    /// Take back all.
    UndoAll,
    /// Enter: start what is armed, or go on with the attempt.
    Go,
    /// Leave the attempt.
    Leave,
    /// Ask again for an Offer.
    Again,
    /// A code instead, with this number.
    Code(Option<&'a str>),
    /// A QR instead.
    Qr,
    /// Write the picture again.
    Png,
    /// First key of the override.
    Override,
    /// Its second key.
    Confirm,
    /// Clock evidence.
    Clock,
    /// Commands.
    Help,
    /// End.
    Quit,
    /// Not understood.
    Unknown(&'a str),
}

/// Reads a line.
pub(super) fn read(line: &str) -> Typed<'_> {
    let line = line.trim();
    let (first, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(a, b)| (a, b.trim()));
    let arg = (!rest.is_empty()).then_some(rest);
    if let Ok(n) = first.parse::<usize>() {
        return row(rest).map_or(Typed::Unknown(line), |wish| Typed::Row(n, wish));
    }
    match (first, arg) {
        ("", _) => Typed::Where,
        ("l", arg) => Typed::List(arg),
        ("k", arg) => Typed::Code(arg),
        ("u", None) => Typed::Undo,
        ("U", None) => Typed::UndoAll,
        ("go", None) => Typed::Go,
        ("x", None) => Typed::Leave,
        ("r", None) => Typed::Again,
        ("qr", None) => Typed::Qr,
        ("o", None) => Typed::Png,
        ("!", None) => Typed::Override,
        ("s", None) => Typed::Confirm,
        ("c", None) => Typed::Clock,
        ("?", _) | ("help", None) => Typed::Help,
        ("q", None) => Typed::Quit,
        _ => Typed::Unknown(line),
    }
}

fn row(rest: &str) -> Option<RowWish<'_>> {
    let (verb, arg) = rest.split_once(char::is_whitespace).map_or((rest, ""), |(a, b)| (a, b.trim()));
    let mut letters = arg.chars();
    Some(match (verb, letters.next(), letters.next()) {
        ("", ..) => RowWish::Tell,
        ("p", None, _) => RowWish::Code(None),
        ("p", ..) => RowWish::Code(Some(arg)),
        ("qr", None, _) => RowWish::Qr,
        ("w", None, _) => RowWish::Wipe,
        ("r", None, _) => RowWish::Regenerate,
        ("m", letter, None) => RowWish::More(letter),
        ("t", None, _) => RowWish::Timeline,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_letter_name_row_and_wish() {
        assert_eq!(read("3"), Typed::Row(3, RowWish::Tell));
        assert_eq!(read(" 3  p "), Typed::Row(3, RowWish::Code(None)));
        assert_eq!(read("3 p +55 11 99999"), Typed::Row(3, RowWish::Code(Some("+55 11 99999"))));
        assert_eq!(read("12 m r"), Typed::Row(12, RowWish::More(Some('r'))));
        assert_eq!(read("12 m"), Typed::Row(12, RowWish::More(None)));
        assert_eq!(read("l logged out"), Typed::List(Some("logged out")));
        assert_eq!(read(""), Typed::Where);
    }

    #[test]
    fn nothing_is_guessed() {
        for line in ["3 wipe", "3 w now", "w", "p", "3w", "wipe 3", "3 m restart", "quit please", "-1", "3 3"] {
            assert_eq!(read(line), Typed::Unknown(line), "{line}");
        }
    }
}
