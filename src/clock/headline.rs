//! The header line fitted to its room: the last clauses go first, the worst gateway stays.

use super::words::Headline;
use crate::i18n::{Lang, Message, clock as w};
use unicode_width::UnicodeWidthStr;

/// The clauses of `head` as one sentence of at most `room` cells: worst gateway, the others, what it looks like. What does not
/// fit is left out from the end; the first clause always stays.
pub fn fit(head: &Headline, lang: Lang, room: usize) -> String {
    for kept in (1..=head.parts.len()).rev() {
        let text = sentence(&head.parts[..kept], lang);
        if text.width() <= room || kept == 1 {
            return text;
        }
    }
    String::new()
}

/// All of it.
pub fn whole(head: &Headline, lang: Lang) -> String {
    fit(head, lang, usize::MAX)
}

fn sentence(parts: &[Message], lang: Lang) -> String {
    let guess = |m: &&Message| m.words == &w::HEAD_LOOKS_UTC;
    let (joint, stop) = if lang == Lang::Zh { ("；", "。") } else { ("; ", ". ") };
    let mut text = parts.iter().filter(|m| !guess(m)).map(|m| m.text(lang)).collect::<Vec<_>>().join(joint);
    // What it looks like is a guess: it stands behind what was measured, as a sentence of its own.
    if let Some(m) = parts.iter().find(guess) {
        text.push_str(stop);
        let words = m.text(lang);
        let mut letters = words.chars();
        text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        text.push_str(letters.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Verdict;

    #[test]
    fn the_line_of_the_mock_up_and_what_narrow_screens_keep_of_it() {
        let ahead = Message::new(&w::HEAD_AHEAD).with("gateway", "wa-sp").with("skew", "3:00:00").with("err", "0.6");
        let others = Message::new(&w::HEAD_OTHERS).with("within", "1 s");
        let head = Headline { verdict: Verdict::Blocked, parts: vec![ahead, Message::new(&w::HEAD_LOOKS_UTC), others] };
        let whole = "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s; other gateways within 1 s. Looks like local time as UTC";
        assert_eq!(fit(&head, Lang::En, 120), whole);
        assert_eq!(fit(&head, Lang::En, 90), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s. Looks like local time as UTC");
        assert_eq!(fit(&head, Lang::En, 60), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s");
        assert_eq!(fit(&head, Lang::En, 3), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s");
        assert_eq!(fit(&head, Lang::Zh, 120), "时钟  wa-sp 比本机快 3:00:00 ±0.6 s；其他网关相差 1 s 以内。像是把本地时间当作 UTC");
    }
}
