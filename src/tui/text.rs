//! Text for cells: widths, cuts at grapheme bounds, ages and shortened numbers.

use std::{borrow::Cow, time::Duration};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Width of `text` in cells.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// `text` in at most `cells` cells, cut at a grapheme bound with `…` at the end.
pub fn cut(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let (mut out, mut used) = (String::with_capacity(cells + 4), 0);
    for g in text.graphemes(true) {
        let w = g.width();
        if used + w > cells - 1 {
            break;
        }
        used += w;
        out.push_str(g);
    }
    out.push('…');
    Cow::Owned(out)
}

/// Breaks `text` into lines of at most `cells` cells, at blanks where there are some.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let text = &*super::veil::over(text);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    // Where the last word of the line begins.
    let mut last = 0;
    for word in text.split_word_bounds() {
        let w = width(word);
        if used + w > cells && used > 0 {
            // A full stop never stands alone on a line: its word goes with it.
            let closing = !word.chars().any(|c| c.is_alphanumeric() || c.is_whitespace());
            // Nor does what opens a word end one: the slash of a path, a bracket.
            let opens = line.trim_end_matches(['/', '(', '[', '{', '@', '#', '~', '$', '`', '"']).len();
            let whole = |from: usize| from > 0 && width(&line[from..]) + w <= cells;
            let opening = opens < line.len() && line[..opens].ends_with(char::is_whitespace) && whole(opens);
            let carried = match (closing && whole(last), opening) {
                (true, _) => line.split_off(last),
                (false, true) => line.split_off(opens),
                (false, false) => String::new(),
            };
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = width(&carried);
            line = carried;
            last = 0;
            if word.trim().is_empty() {
                continue;
            }
        }
        if word.chars().any(char::is_alphanumeric) {
            // An opening bracket belongs to the word behind it.
            last = line.len() - usize::from(line.ends_with(['[', '(']));
        }
        if w > cells {
            for g in word.graphemes(true) {
                let gw = width(g);
                if used + gw > cells && used > 0 {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(g);
                used += gw;
            }
        } else {
            line.push_str(word);
            used += w;
        }
    }
    if !line.trim().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// An age as the deck writes it: `<1m`, `12m`, `3h`, `6d`, from 100 days on in months.
pub fn age(d: Duration) -> String {
    match d.as_secs() {
        s if s < MINUTE => "<1m".into(),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < DAY => format!("{}h", s / HOUR),
        s if s < 100 * DAY => format!("{}d", s / DAY),
        s => format!("{}mo", s / (30 * DAY)),
    }
}

/// How long until [`age`] of `d` changes its text. `None` from 100 days on.
pub fn age_changes_in(d: Duration) -> Option<Duration> {
    let step = match d.as_secs() {
        s if s < HOUR => MINUTE,
        s if s < DAY => HOUR,
        s if s < 100 * DAY => DAY,
        _ => return None,
    };
    let step = Duration::from_secs(step);
    let into = Duration::from_nanos(u64::try_from(d.as_nanos() % step.as_nanos()).unwrap_or(0));
    Some(step.saturating_sub(into))
}

/// What is left of a life, coarse: `<1m`, `41m`, `1h41`, `3d`.
pub fn left(d: Duration) -> String {
    match d.as_secs() {
        s if (HOUR..DAY).contains(&s) => format!("{}h{:02}", s / HOUR, s % HOUR / MINUTE),
        _ => age(d),
    }
}

/// How long until [`left`] of `d` changes its text while `d` shrinks. `None` once it is over.
pub fn left_changes_in(d: Duration) -> Option<Duration> {
    let step = if d.as_secs() < DAY { MINUTE } else { DAY };
    let into = Duration::from_nanos(u64::try_from(d.as_nanos() % Duration::from_secs(step).as_nanos()).unwrap_or(0));
    (!d.is_zero()).then(|| into + Duration::from_millis(1))
}

/// A bar of `cells`, filled by what is left of a whole; a life that is not over keeps one cell.
pub fn bar(left: Duration, whole: Duration, cells: usize) -> String {
    let part = if whole.is_zero() { 0.0 } else { left.as_secs_f64() / whole.as_secs_f64() };
    let full = ((part * cells as f64).round() as usize).clamp(usize::from(!left.is_zero()), cells);
    format!("{}{}", "▰".repeat(full), "▱".repeat(cells - full))
}

/// Whole seconds left, rounded up, so that `1` is the last thing seen before zero.
pub fn seconds_left(left: Duration) -> u64 {
    u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Figures of an offset: `+3:00:00`, `-0.3 s`.
pub fn offset(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    let abs = ms.unsigned_abs();
    if abs < 60_000 {
        return format!("{sign}{}.{} s", abs / 1000, abs % 1000 / 100);
    }
    let s = (abs + 500) / 1000;
    format!("{sign}{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// The same for a narrow column: `+3 h`, `-12 m`.
pub fn rough_offset(ms: i64) -> String {
    let (sign, s) = (if ms < 0 { '-' } else { '+' }, ms.unsigned_abs().div_ceil(500) / 2);
    match s {
        s if s >= 3600 && (s % 3600 < 60 || s % 3600 > 3540) => format!("{sign}{} h", (s + 60) / 3600),
        s if s >= 60 => format!("{sign}{} m", s / 60),
        _ => offset(ms),
    }
}

/// The length of a telephone country code at the head of `digits`.
fn country_len(digits: &str) -> usize {
    let two = digits.get(..2).unwrap_or("");
    if digits.starts_with(['1', '7']) {
        1
    } else if matches!(
        two,
        "20" | "27" | "30" | "31" | "32" | "33" | "34" | "36" | "39" | "40" | "41" | "60" | "61" | "62" | "63" | "64" | "65" | "66"
    ) || matches!(two, "43" | "44" | "45" | "46" | "47" | "48" | "49" | "81" | "82" | "84" | "86" | "98")
        || (two.starts_with('5') && !matches!(two, "50" | "59"))
        || (two.starts_with('9') && !matches!(two, "96" | "97" | "99"))
    {
        2
    } else {
        3
    }
}

/// A phone number with its middle hidden: `+55 11 ···1204`. Text without enough digits is hidden whole.
pub fn short_number(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 8 {
        return "···".into();
    }
    let cc = country_len(&digits);
    let area = if digits.starts_with("86") { 3 } else { 2 };
    let head = format!("+{} {} ", &digits[..cc], &digits[cc..cc + area]);
    // At most 14 cells: the width of its column.
    let (dots, tail) = match head.len() {
        ..=7 => ("···", 4),
        8 if cc < 3 => ("··", 4),
        _ => ("···", 3),
    };
    format!("{head}{dots}{}", &digits[digits.len() - tail..])
}

/// A phone number in full: `+5511999991204`.
pub fn full_number(text: &str) -> String {
    format!("+{}", text.chars().filter(char::is_ascii_digit).collect::<String>())
}

/// True for text that is a phone number: digits, blanks, dashes and an optional plus.
pub fn is_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (8..=15).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_wide_character() {
        assert_eq!(cut("客服一号", 8), "客服一号");
        assert_eq!(cut("客服一号", 7), "客服一…");
        assert_eq!(cut("客服一号", 6), "客服…");
        assert_eq!(cut("客服一号", 1), "…");
        assert_eq!(cut("客服一号", 0), "");
        for n in 0..12 {
            assert!(width(&cut("a日本語テキスト👩‍👩‍👧x", n)) <= n, "{n}");
        }
    }

    #[test]
    fn ages_change_their_text_exactly_when_they_say_so() {
        for s in [0, 1, 59, 60, 61, 3599, 3600, 86_399, 86_400, 99 * 86_400 + 5] {
            let d = Duration::from_secs(s);
            let step = age_changes_in(d).unwrap_or_default();
            assert_eq!(age(d), age(d + step - Duration::from_millis(1)), "{s}");
            assert_ne!(age(d), age(d + step), "{s}");
        }
        assert_eq!(age_changes_in(Duration::from_secs(200 * 86_400)), None);
    }

    #[test]
    fn a_life_shrinks_by_steps_and_its_text_changes_when_it_says() {
        let s = Duration::from_secs;
        assert_eq!([0, 59, 60, 3599, 3600, 6060, 86_400].map(|n| left(s(n))), ["<1m", "<1m", "1m", "59m", "1h00", "1h41", "1d"]);
        assert_eq!(left_changes_in(s(0)), None);
        for n in [1, 59, 60, 61, 3600, 3601, 7199, 86_399, 86_400, 200_000] {
            let d = s(n);
            let step = left_changes_in(d).unwrap();
            assert!(n <= 60 || left(d) != left(d.saturating_sub(step)), "{n}");
        }
        assert_eq!([0, 1, 720, 3600, 7200, 9999].map(|n| bar(s(n), s(7200), 4)), ["▱▱▱▱", "▰▱▱▱", "▰▱▱▱", "▰▰▱▱", "▰▰▰▰", "▰▰▰▰"]);
        assert_eq!(bar(s(5), Duration::ZERO, 4), "▰▱▱▱");
    }

    #[test]
    fn numbers_never_show_their_middle() {
        assert_eq!(short_number("5511999991204"), "+55 11 ···1204");
        assert_eq!(short_number("+86 138 0013 6620"), "+86 138 ··6620");
        assert_eq!(short_number("351912345903"), "+351 91 ···903");
        assert_eq!(short_number("12"), "···");
        assert_eq!(short_number("+1 (415) 555-0100"), "+1 41 ···0100");
    }

    #[test]
    fn wrapped_lines_fit_and_keep_every_letter() {
        let text = "The phone must be paired again afterwards. 手机需要重新配对，请稍候。";
        for n in [2, 5, 20, 80] {
            let lines = wrap(text, n);
            assert!(lines.iter().all(|l| width(l) <= n), "{n}: {lines:?}");
            let bare = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(bare(&lines.concat()), bare(text));
        }
    }

    #[test]
    fn what_opens_a_word_never_ends_a_line() {
        assert_eq!(wrap("several places: tg:ada/s2 /tmp/w.json", 27), ["several places: tg:ada/s2", "/tmp/w.json"]);
        assert_eq!(wrap("the note (in brackets)", 10), ["the note", "(in", "brackets)"]);
        assert_eq!(wrap("/////////", 4), ["////", "////", "/"]);
    }

    #[test]
    fn offsets_read_as_people_say_them() {
        assert_eq!(offset(10_800_000), "+3:00:00");
        assert_eq!(offset(-300), "-0.3 s");
    }
}
