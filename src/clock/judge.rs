//! From the samples of one clock to a judgement: intersection, frozen and inconsistent sources, conflict, cause.

use super::{
    Limits, Verdict, floor, http_date,
    sample::{By, Interval, Sample},
    sntp, steps,
    verdict::{Cause, Judgement, zone_like},
};
use crate::domain::Stamp;
use std::time::Duration;

/// Samples so much older than the newest one no longer take part.
const WINDOW: Duration = Duration::from_secs(60);

/// Clocks drift apart by at most so many parts in 10,000 (500 ppm, what a kernel slews): a sample widens by that with age.
const DRIFT_PER_10K: i64 = 5;

/// A server may stamp a second a little late (node writes a cached one): a gap up to this is not a contradiction.
const LATE_MS: i64 = 1000;

/// What the usable samples of one clock amount to.
enum Joined {
    /// They agree on this.
    On(Interval),
    /// The same second over and over.
    Frozen,
    /// Two answers of one gateway contradict each other; another probe may settle it.
    Torn,
    /// Sources contradict each other, by so many milliseconds at the least; which is wrong is not known.
    Conflict(i64),
    /// There is none.
    Nothing,
}

/// Judges one clock. Samples older than `ttl`, of another boot, or from before a step of the wall clock do not count.
pub(super) fn judge(samples: &[Sample], limits: Limits, now: &Stamp, ttl: Duration) -> Judgement {
    let mut newest_first: Vec<&Sample> = samples.iter().collect();
    newest_first.sort_by_key(|s| s.at.age(now));
    let joined = join(&newest_first, now, ttl);
    let (verdict, skew, cause) = match joined {
        Joined::On(skew) => {
            let verdict = Verdict::of(&skew, limits);
            let cause = match verdict {
                Verdict::Ok | Verdict::Unknown => None,
                _ if skew.is_open() => Some(below(&newest_first)),
                Verdict::Blocked => Some(zone_like(&skew).map_or(Cause::Off, |minutes| Cause::LocalTimeAsUtc { minutes })),
                Verdict::Warn => Some(Cause::Off),
            };
            (verdict, Some(skew), cause)
        }
        Joined::Frozen | Joined::Torn => (Verdict::Unknown, None, Some(Cause::DateUnusable)),
        Joined::Conflict(gap) => {
            let far = gap > i64::from(limits.blocked_s) * 1000;
            (if far { Verdict::Blocked } else { Verdict::Unknown }, None, Some(Cause::SourcesConflict))
        }
        Joined::Nothing => (Verdict::Unknown, None, Some(why_nothing(&newest_first, now, ttl))),
    };
    Judgement { verdict, skew, cause, samples: newest_first.into_iter().cloned().collect() }
}

/// True when the samples contradict each other without being frozen, so that one more probe may settle it.
pub(super) fn torn(samples: &[Sample], now: &Stamp, ttl: Duration) -> bool {
    let mut newest_first: Vec<&Sample> = samples.iter().collect();
    newest_first.sort_by_key(|s| s.at.age(now));
    matches!(join(&newest_first, now, ttl), Joined::Torn)
}

/// How long to wait for one more probe, where a lone answer says that a clock is off, or two contradict each other.
pub(super) fn doubt(samples: &[Sample], limits: Limits, now: &Stamp, ttl: Duration) -> Option<Duration> {
    let mut dates: Vec<&Sample> = samples.iter().filter(|s| s.by == By::Date && usable(s, now, ttl)).collect();
    dates.sort_by_key(|s| s.at.age(now));
    let (newest, oldest) = (dates.first()?, dates.last()?);
    let off = match join(&dates, now, ttl) {
        Joined::On(skew) => Verdict::of(&skew, limits) != Verdict::Ok && !apart(newest, oldest),
        Joined::Torn => true,
        Joined::Frozen | Joined::Conflict(_) | Joined::Nothing => false,
    };
    let rtt = newest.interval.as_ref().map_or(0, http_date::rtt_of).unsigned_abs();
    off.then(|| Duration::from_millis(1100 + rtt).saturating_sub(newest.at.age(now)))
}

/// True when a sample still speaks of the clocks as they are now.
pub(super) fn usable(sample: &Sample, now: &Stamp, ttl: Duration) -> bool {
    sample.interval.is_some() && counts(sample) && current(sample, now, ttl)
}

/// True for what takes part in a skew. What one server of several said is in the joint sample already; a daemon, the kernel
/// and a timezone's name measure nothing.
fn counts(sample: &Sample) -> bool {
    sample.server.is_none() && matches!(sample.by, By::Date | By::Ntp | By::Floor | By::ServerTime)
}

fn below(samples: &[&Sample]) -> Cause {
    let saved = samples.iter().any(|s| s.by == By::Floor && s.detail.as_str() == floor::BELOW_SAVED);
    if saved { Cause::BeforeSaved } else { Cause::BeforeBuild }
}

/// The gap that the servers' last telling answer left open, if it was a contradiction.
fn conflict<'a>(mut newest_first: impl Iterator<Item = &'a Sample>) -> Option<i64> {
    let told = |s: &&Sample| s.by == By::Ntp && s.server.is_none() && (s.interval.is_some() || sntp::conflict_ms(&s.detail).is_some());
    newest_first.find(told).and_then(|s| sntp::conflict_ms(&s.detail))
}

/// By how much these samples contradict each other: what the servers left open, or what the intervals do.
pub(super) fn conflict_of(newest_first: &[Sample]) -> Option<i64> {
    let gap = sntp::servers::gap_ms(newest_first.iter().filter(|s| counts(s)).filter_map(|s| s.interval.as_ref()));
    conflict(newest_first.iter()).or((gap > 0).then_some(gap))
}

fn current(sample: &Sample, now: &Stamp, ttl: Duration) -> bool {
    let same_boot = sample.at.boot.map(|b| b.0) == now.boot.map(|b| b.0);
    same_boot && sample.at.age(now) <= ttl && steps::moved(&sample.at, now).is_none()
}

fn why_nothing(newest_first: &[&Sample], now: &Stamp, ttl: Duration) -> Cause {
    match newest_first.iter().find(|s| s.by == By::Date && current(s, now, ttl)) {
        Some(s) if s.interval.is_some() => Cause::NotAsked,
        Some(s) if s.detail.as_str() == http_date::NO_DATE => Cause::NoDate,
        Some(_) => Cause::DateUnusable,
        None => Cause::NotAsked,
    }
}

fn join(newest_first: &[&Sample], now: &Stamp, ttl: Duration) -> Joined {
    if let Some(gap) = conflict(newest_first.iter().copied().filter(|s| current(s, now, ttl))) {
        return Joined::Conflict(gap);
    }
    let mut live: Vec<&Sample> = newest_first.iter().copied().filter(|s| usable(s, now, ttl)).collect();
    let Some(newest) = live.first().copied() else { return Joined::Nothing };
    let reach = newest.at.age(now) + WINDOW;
    live.retain(|s| s.at.age(now) <= reach);
    if live.iter().any(|s| frozen(newest, s)) {
        return Joined::Frozen;
    }
    let mut run: Option<Interval> = None;
    for (i, s) in live.iter().enumerate() {
        let Some(measured) = s.interval else { continue };
        let aged = if measured.is_open() { measured } else { measured.widened(drift(s.at.age(now))) };
        if s.by == By::Ntp && run.is_some_and(|r| outdated(&r, &aged)) && live[..i].iter().any(|n| n.by == By::Ntp) {
            continue;
        }
        match run.map_or(Some(aged), |r| meet(&r, &aged)) {
            Some(both) => run = Some(both),
            // A clock that was set right contradicts its own past. Two newest probes that agree, further apart than a
            // standing `Date` could bear, are believed against older ones; a single one is not.
            // What another source says is no past of theirs: the platform's own time stands until it says otherwise itself.
            None if i >= 2 && apart(newest, live[i - 1]) && (s.by != By::ServerTime || live[..i].iter().any(|n| n.by == s.by)) => break,
            None if s.by == By::Date && newest.by == By::Date => return Joined::Torn,
            None => return Joined::Conflict(sntp::servers::gap_ms(run.iter().chain([&aged]))),
        }
    }
    run.map_or(Joined::Nothing, Joined::On)
}

/// True when an older reading of a reference just misses what newer ones say: a daemon slewed this host's clock meanwhile.
fn outdated(newer: &Interval, older: &Interval) -> bool {
    (1..=LATE_MS).contains(&sntp::servers::gap_ms([newer, older].into_iter()))
}

fn drift(age: Duration) -> i64 {
    let ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    ms.saturating_mul(DRIFT_PER_10K).saturating_add(9_999) / 10_000
}

/// What both allow. Two that just miss each other meet in the gap.
pub(super) fn meet(a: &Interval, b: &Interval) -> Option<Interval> {
    let (lo, hi) = (a.lo_ms.max(b.lo_ms), a.hi_ms.min(b.hi_ms));
    (lo.saturating_sub(hi) <= LATE_MS).then(|| Interval::new(lo, hi))
}

/// Time between two probes, and whether it is more than 1 s and the time that the slower of them took.
fn apart(a: &Sample, b: &Sample) -> bool {
    let rtt = |s: &Sample| s.interval.as_ref().map_or(0, http_date::rtt_of);
    let between = a.at.boot_now().0.abs_diff(b.at.boot_now().0);
    i64::try_from(between).unwrap_or(i64::MAX) > 1000 + rtt(a).max(rtt(b))
}

/// True when two probes far enough apart name the same second.
pub(super) fn frozen(a: &Sample, b: &Sample) -> bool {
    apart(a, b) && http_date::second_of(a).is_some_and(|d| http_date::second_of(b) == Some(d))
}
