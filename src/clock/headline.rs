//! The header line fitted to its room: the last clauses go first, the worst gateway stays.

use super::words::Headline;
use crate::i18n::{Lang, Message, clock as w};
use unicode_width::UnicodeWidthStr;

/// The clauses of `head` as one sentence of at most `room` cells: worst gateway, the others, what it looks like. What does not
/// fit is said shorter, then left out; the first clause always stays, and what was measured stays before a guess.
pub fn fit(head: &Headline, lang: Lang, room: usize) -> String {
    let Some((first, rest)) = head.parts.split_first() else { return String::new() };
    let (guess, told): (Vec<&Message>, Vec<&Message>) = rest.iter().partition(|m| is_guess(m));
    let brief = |all: &[&Message]| all.iter().map(|m| short(m)).collect::<Vec<_>>();
    let long = |all: &[&Message]| all.iter().map(|m| (*m).clone()).collect::<Vec<_>>();
    let ways = [
        [long(&told), long(&guess)],
        [brief(&told), long(&guess)],
        [brief(&told), brief(&guess)],
        [brief(&told), Vec::new()],
        [Vec::new(), brief(&guess)],
        [Vec::new(), Vec::new()],
    ];
    let mut texts = ways.into_iter().map(|[told, guess]| sentence(first, &told, guess.first(), lang)).peekable();
    while let Some(text) = texts.next() {
        if text.width() <= room || texts.peek().is_none() {
            return text;
        }
    }
    String::new()
}

/// All of it.
pub fn whole(head: &Headline, lang: Lang) -> String {
    fit(head, lang, usize::MAX)
}

fn is_guess(m: &Message) -> bool {
    m.words == &w::HEAD_LOOKS_UTC
}

/// The same clause in fewer letters, where there is one.
fn short(m: &Message) -> Message {
    let words = [(&w::HEAD_OTHERS, &w::HEAD_OTHERS_SHORT), (&w::HEAD_LOOKS_UTC, &w::HEAD_LOOKS_SHORT)];
    let words = words.into_iter().find(|(long, _)| m.words == *long).map_or(m.words, |(_, short)| short);
    Message { words, ..m.clone() }
}

fn sentence(first: &Message, told: &[Message], guess: Option<&Message>, lang: Lang) -> String {
    let (joint, stop) = if lang == Lang::Zh { ("；", "。") } else { ("; ", ". ") };
    let mut text = std::iter::once(first).chain(told).map(|m| m.text(lang)).collect::<Vec<_>>().join(joint);
    // What it looks like is a guess: it stands behind what was measured, as a sentence of its own.
    if let Some(m) = guess {
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
        let narrower = "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s; others within 1 s. Looks like local time as UTC";
        assert_eq!(fit(&head, Lang::En, 100), narrower);
        let brief = "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s; others within 1 s. Local time as UTC?";
        assert_eq!(fit(&head, Lang::En, 90), brief);
        // What 80 columns leave beside the sign and the key.
        assert_eq!(fit(&head, Lang::En, 70), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s; others within 1 s");
        assert_eq!(fit(&head, Lang::En, 60), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s");
        assert_eq!(fit(&head, Lang::En, 3), "clock  wa-sp is 3:00:00 ahead of this host ±0.6 s");
        assert_eq!(fit(&head, Lang::Zh, 120), "时钟  wa-sp 比本机快 3:00:00 ±0.6 s；其他网关相差 1 s 以内。像是把本地时间当作 UTC");
    }
}
