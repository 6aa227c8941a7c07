//! Text in cells: cut, wrapped, aligned, aged. Never by characters: a Chinese letter is two cells wide.

use crate::{
    domain::Stamp,
    tui::{veil, view::ViewCx},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The text in at most `width` cells, `…` at its end where something is missing.
pub(super) fn cut(text: &str, width: usize, ascii: bool) -> String {
    let text = &*veil::over(text);
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = if ascii { "~" } else { "…" };
    let mut out = String::new();
    let mut used = 0;
    for g in text.graphemes(true) {
        if used + g.width() + 1 > width {
            break;
        }
        used += g.width();
        out.push_str(g);
    }
    if width > 0 {
        out.push_str(mark);
    }
    out
}

/// The text in lines of at most `width` cells: broken at spaces, and between wide letters. Punctuation never begins a line;
/// only a word longer than a whole line is broken inside.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = &*veil::over(text);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for unit in units(text) {
        let (word, gap) = (unit.trim_end(), if used > 0 { unit.len() - unit.trim_start().len() } else { 0 });
        let word = word.trim_start();
        if used > 0 && used + gap + word.width() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else {
            line.push_str(&" ".repeat(gap));
            used += gap;
        }
        for g in word.graphemes(true).filter(|g| g.width() <= width) {
            if used + g.width() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(g);
            used += g.width();
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Pieces that stay together: a narrow word, or a wide letter with the punctuation behind it, each with the spaces before it.
fn units(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut joins = false;
    for g in text.graphemes(true) {
        let (space, wide) = (g.trim().is_empty(), g.width() > 1);
        let closes = wide && g.chars().all(|c| "，。：；？！、）」』》”’".contains(c));
        let in_space = units.last().is_some_and(|u| u.trim().is_empty());
        match units.last_mut() {
            Some(last) if closes || in_space || (joins && !space && !wide) => last.push_str(g),
            _ => units.push(g.to_owned()),
        }
        joins = !space && !wide || closes && joins;
    }
    units
}

/// `left` and `right` at the two ends of a line of `width` cells; the left gives way.
pub(super) fn ends(left: &str, right: &str, width: usize, ascii: bool) -> String {
    let r = right.width();
    if r == 0 || r + 2 > width {
        return cut(left, width, ascii);
    }
    let left = cut(left, width - r - 2, ascii);
    let gap = width - r - left.width();
    format!("{left}{}{right}", " ".repeat(gap))
}

/// An age as the deck writes them: `<1m`, `5m`, `3h`, `6d`. Never finer than a minute, so that nothing ticks.
pub(super) fn age(at: &Stamp, now: &Stamp) -> String {
    match at.age(now).as_secs() {
        0..60 => "<1m".to_owned(),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..86_400 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

/// A span without its sign: `0.6 s`, `12 s`, `3:00:00`.
pub(super) fn span(ms: i64) -> String {
    let ms = ms.unsigned_abs();
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..60_000 => format!("{} s", (ms + 500) / 1000),
        _ => clock(ms),
    }
}

/// Hours, minutes and seconds of a span from a minute up.
pub(super) fn clock(ms: u64) -> String {
    let s = (ms + 500) / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A glyph and its ASCII stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph {
    Wait,
    Phone,
    Good,
    Gone,
    Bad,
    Half,
    Ask,
    Override,
}

impl Glyph {
    pub(super) const fn get(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Self::Wait, false) => "◌",
            (Self::Wait, true) => "o",
            (Self::Phone, false) => "◇",
            (Self::Phone, true) => ":",
            (Self::Good, false) => "●",
            (Self::Good, true) => "*",
            (Self::Gone, false) => "○",
            (Self::Gone, true) => "-",
            (Self::Bad, false) => "✗",
            (Self::Bad, true) => "x",
            (Self::Half, false) => "◐",
            (Self::Half, true) => "%",
            (Self::Ask, _) => "?",
            (Self::Override, _) => "!",
        }
    }
}

/// The dot between two facts of a line.
pub(super) const fn dot(cx: &ViewCx) -> &'static str {
    if cx.ascii { " - " } else { " · " }
}

/// A catalogue text made plain where only ASCII may be drawn, as far as our own signs go.
pub(super) fn plain(text: String, cx: &ViewCx) -> String {
    if cx.ascii { text.replace('±', "+-").replace('×', "x").replace('…', "~").replace('·', "-") } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_keep_every_word_and_never_grow_too_wide() {
        for text in
            ["The server may first repeat an old one.", "服务器可能先返回旧码。旧码不会显示。", "a-very-long-word-without-any-space in between"]
        {
            for width in 2..50 {
                let lines = wrap(text, width);
                assert!(lines.iter().all(|l| l.width() <= width), "{width}: {lines:?}");
                let bare = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                assert_eq!(bare(&lines.concat()), bare(text), "{width}");
            }
        }
        assert!(wrap("text", 0).is_empty());
    }

    #[test]
    fn a_cut_text_never_splits_a_wide_letter() {
        assert_eq!(cut("客服一号", 5, false), "客服…");
        assert_eq!(cut("客服一号", 4, false), "客…");
        assert_eq!(cut("abc", 0, false), "");
    }

    #[test]
    fn spans_read_like_clocks_from_a_minute_up() {
        assert_eq!((span(-300), span(12_400), span(10_800_000)), ("0.3 s".into(), "12 s".into(), "3:00:00".into()));
    }
}
