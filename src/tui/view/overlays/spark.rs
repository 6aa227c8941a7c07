//! Sparklines: of a gateway's offsets (what the last day was like, with its scale in words) and of how often something was.

use crate::{
    clock::figures,
    i18n::{Lang, Message, deck as w},
    store::{ClockBucket, ClockTrack},
};

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where nothing was heard.
const GAP: char = '·';
/// The trembling of a `Date`, which shows whole seconds, is no news: a scale is never finer than this (ms).
const FINEST: i64 = 2_000;

/// The offsets in at most `room` cells; `None` when nothing was heard at all.
pub(super) fn line(track: &ClockTrack, room: usize) -> Option<String> {
    let track = track.fold(room);
    let (lo, hi) = track.range()?;
    let spare = FINEST.saturating_sub(hi.saturating_sub(lo)).max(0);
    let (lo, span) = (lo.saturating_sub(spare / 2), hi.saturating_sub(lo).saturating_add(spare).max(1));
    let top = i64::try_from(LEVELS.len() - 1).unwrap_or(7);
    let cell = |b: &Option<ClockBucket>| match b {
        None => GAP,
        Some(b) => {
            // What lies furthest from right is what a stretch is remembered for.
            let worst = if b.max_ms.saturating_abs() >= b.min_ms.saturating_abs() { b.max_ms } else { b.min_ms };
            let level = (i128::from(worst.saturating_sub(lo)) * i128::from(top) + i128::from(span / 2)) / i128::from(span);
            LEVELS[usize::try_from(level).unwrap_or(0).min(LEVELS.len() - 1)]
        }
    };
    Some(track.buckets.iter().map(cell).collect())
}

/// How often something was in each stretch: empty ones as such, one as the lowest bar. The scale begins at eight a stretch, so that a
/// single one never looks like a peak.
pub(super) fn counts(of: &[usize]) -> String {
    let top = of.iter().copied().max().unwrap_or(0).max(LEVELS.len());
    let cell = |n: &usize| if *n == 0 { GAP } else { LEVELS[((n * LEVELS.len()).div_ceil(top) - 1).min(LEVELS.len() - 1)] };
    of.iter().map(cell).collect()
}

/// The scale in words: `from -0.4 s to +3:00:00`.
pub(super) fn scale(track: &ClockTrack, lang: Lang) -> Option<String> {
    let (lo, hi) = track.range()?;
    let figure = |ms: i64| format!("{}{}", if ms < 0 { '-' } else { '+' }, figures::span(ms));
    Some(Message::new(&w::CLOCK_SCALE).with("lo", figure(lo)).with("hi", figure(hi)).text(lang))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::Wall;

    fn track(ms: &[Option<i64>]) -> ClockTrack {
        let bucket = |ms: &Option<i64>| ms.map(|ms| ClockBucket { min_ms: ms, max_ms: ms, points: 1 });
        ClockTrack { since: Wall(0), step_ms: 1_800_000, buckets: ms.iter().map(bucket).collect() }
    }

    #[test]
    fn a_step_is_seen_a_tremble_is_not_and_silence_is_a_gap() {
        let t = track(&[None, Some(-400), Some(100), Some(10_800_000), Some(5_400_000)]);
        assert_eq!(line(&t, 48).unwrap(), "·▁▁█▅");
        assert_eq!(scale(&t, Lang::En).unwrap(), "from -0.4 s to +3:00:00");
        assert_eq!(line(&track(&[Some(-100), Some(100), Some(0)]), 48).unwrap(), "▄▅▅");
        assert_eq!(line(&track(&[None, None]), 48), None);
        assert_eq!(line(&track(&[Some(0), Some(37_000), None, None]), 2).unwrap(), "█·", "two stretches in a cell");
    }
}
