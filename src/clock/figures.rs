//! Offsets as figures: `-0.3 s ±0.6`, `+3:00:00.4 ±0.6`. The same in every language.

use super::{gate::GateView, sample::Interval, zones};

/// From here on hours, minutes and seconds are easier to read than seconds.
const CLOCK_FORM_MS: i64 = 60_000;
/// From here on a sentence leaves tenths of a second out.
const SECONDS_ONLY_MS: i64 = 10_000;

/// The skew of gateway against host with its uncertainty; `-` when nothing is known.
pub fn of_view(view: &GateView) -> String {
    view.remote.skew.as_ref().map_or_else(|| "-".to_owned(), of)
}

/// An interval as its middle and an uncertainty that keeps every offset of it inside, rounding included.
pub fn of(skew: &Interval) -> String {
    if skew.is_open() {
        return format!("> {}", span(skew.lo_ms));
    }
    let mid = skew.mid();
    let sign = if mid < 0 { '-' } else { '+' };
    let ms = mid.saturating_abs();
    if ms < CLOCK_FORM_MS && skew.half() < 50 {
        return format!("{sign}{}.{:03} s ±{}", ms / 1000, ms % 1000, err(skew, mid));
    }
    let shown = (ms.saturating_add(50) / 100).saturating_mul(100);
    let unit = if shown < CLOCK_FORM_MS { " s" } else { "" };
    format!("{sign}{}{unit} ±{}", tenths(shown), err(skew, shown * mid.signum()))
}

/// Local time minus UTC: `+03:00`, or the seconds where it is no whole quarter of an hour.
pub fn zone(offset: &Interval) -> String {
    zones::quarters(offset.mid()).map_or_else(|| of(offset), zones::iso)
}

/// How far the ends of `skew` lie from the figure shown, in seconds, rounded up: `0.6`, `0.02`.
pub fn err(skew: &Interval, shown_ms: i64) -> String {
    let off = skew.hi_ms.saturating_sub(shown_ms).max(shown_ms.saturating_sub(skew.lo_ms)).max(0);
    if off < 100 {
        format!("0.{:02}", (off + 9) / 10)
    } else {
        let t = off.saturating_add(99) / 100;
        format!("{}.{}", t / 10, t % 10)
    }
}

/// An offset for a sentence and the uncertainty of what is shown: `3:00:00` and `0.6`.
pub fn span_err(skew: &Interval) -> (String, String) {
    let mid = skew.mid();
    let unit = if mid.saturating_abs() < SECONDS_ONLY_MS { 100 } else { 1000 };
    let shown = (mid.saturating_abs().saturating_add(unit / 2) / unit).saturating_mul(unit);
    (span(mid), err(skew, shown * mid.signum()))
}

/// An absolute offset for a sentence: `3:00:00`, `37 s`, `0.4 s`, `12 d 3:00:00`.
pub fn span(ms: i64) -> String {
    let ms = ms.saturating_abs();
    if ms < SECONDS_ONLY_MS {
        return format!("{} s", tenths(ms));
    }
    let s = ms.saturating_add(500) / 1000;
    if s < CLOCK_FORM_MS / 1000 { format!("{s} s") } else { hms(s) }
}

/// An upper bound for a sentence, rounded up: `1 s`, `1.2 s`.
pub fn bound(ms: i64) -> String {
    let t = ms.saturating_abs().saturating_add(99) / 100;
    if t % 10 == 0 { format!("{} s", t / 10) } else { format!("{}.{} s", t / 10, t % 10) }
}

fn tenths(ms: i64) -> String {
    let t = ms.saturating_add(50) / 100;
    if ms < CLOCK_FORM_MS { format!("{}.{}", t / 10, t % 10) } else { format!("{}.{}", hms(t / 10), t % 10) }
}

fn hms(s: i64) -> String {
    let (days, rest) = if s >= 100 * 3600 { (s / 86_400, s % 86_400) } else { (0, s) };
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days} d {clock}") } else { clock }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::sample::OPEN;

    #[test]
    fn what_is_printed_contains_what_was_measured() {
        for lo in (-70_000..70_000).step_by(37) {
            for width in [3, 98, 1013, 2999] {
                let i = Interval::new(lo, lo + width);
                let text = of(&i);
                let (mid, err) = text.split_once(" ±").unwrap();
                if let Some(seconds) = mid.strip_suffix(" s") {
                    let (m, e): (f64, f64) = (seconds.parse().unwrap(), err.parse().unwrap());
                    #[allow(clippy::cast_precision_loss)]
                    let inside = |ms: i64| (ms as f64 / 1000.0 - m).abs() <= e + 1e-9;
                    assert!(inside(i.lo_ms) && inside(i.hi_ms), "{i:?} reads {text}");
                }
            }
        }
    }

    #[test]
    fn figures_read_as_an_operator_expects() {
        let f = |lo, hi| of(&Interval::new(lo, hi));
        assert_eq!(f(-900, 300), "-0.3 s ±0.6");
        assert_eq!(f(10_799_800, 10_801_000), "+3:00:00.4 ±0.6");
        assert_eq!(f(-8, 12), "+0.002 s ±0.01");
        assert_eq!(f(-37_600, -36_600), "-37.1 s ±0.5");
        assert_eq!(f(59_900, 60_000), "+0:01:00.0 ±0.1");
        assert_eq!(f(86_400_000 * 12, 86_400_000 * 12 + 1000), "+12 d 0:00:00.5 ±0.5");
        assert_eq!(of(&Interval { lo_ms: 3_600_000, hi_ms: OPEN }), "> 1:00:00");
        assert_eq!((span(10_800_400).as_str(), span(-37_000).as_str(), span(400).as_str()), ("3:00:00", "37 s", "0.4 s"));
        assert_eq!((bound(1000).as_str(), bound(1130).as_str()), ("1 s", "1.2 s"));
    }
}
