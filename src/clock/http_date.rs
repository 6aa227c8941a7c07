//! The gateway's clock from the `Date` header of an answer that was asked for anyway.
//!
//! A request sent at t0 and answered at t1 with the second D says that gateway minus host lies in [D − t1, D + 1 s − t0].
//! t1 is t0 plus what passed on the boot clock, so a step of the wall clock in between cannot fake an offset.

use super::{
    sample::{By, Interval, Sample, Subject},
    steps,
};
use crate::domain::{Clean, GatewayId, Stamp};

/// Detail of a sample without a `Date`.
pub const NO_DATE: &str = "no Date header";
/// Detail of a sample whose answer came from a cache.
pub const CACHED: &str = "cached";
/// Detail of a sample whose `Date` is not a date.
pub const UNPARSABLE: &str = "Date not understood";
/// Detail of a sample during which this host's clock was moved.
pub const STEPPED: &str = "this host's clock moved meanwhile";

/// Makes a sample of one answer. `date`, `age` and `cache` are the headers `Date`, `Age` and `X-Cache` (or its kin, such as
/// `CF-Cache-Status`); `sent` and `received` are our clocks before the request and after the head of the answer.
pub fn sample(gateway: &GatewayId, date: Option<&str>, age: Option<&str>, cache: Option<&str>, sent: Stamp, received: Stamp) -> Sample {
    let passed = i64::try_from(sent.age(&received).as_millis()).unwrap_or(i64::MAX);
    let t1 = sent.wall.plus_ms(passed);
    let (interval, detail) = match read(date, age, cache) {
        _ if steps::moved(&sent, &received).is_some() => (None, STEPPED),
        Err(why) => (None, why),
        Ok(d) => (Some(Interval::new(d.saturating_sub(t1.0), d.saturating_add(1000).saturating_sub(sent.wall.0))), ""),
    };
    Sample {
        gateway: Some(gateway.clone()),
        subject: Subject::Gateway,
        by: By::Date,
        interval,
        // The judge reads D back as `lo_ms + at.wall`, so `at` is t1 and not a wall clock that may have moved.
        at: Stamp { wall: t1, boot: received.boot },
        probes: 1,
        detail: Clean::new(detail),
        server: None,
    }
}

/// The second that a sample's `Date` named, in milliseconds since the epoch.
pub(super) fn second_of(sample: &Sample) -> Option<i64> {
    (sample.by == By::Date).then_some(())?;
    sample.interval.map(|i| i.lo_ms.saturating_add(sample.at.wall.0))
}

/// Milliseconds between request and answer, as the width of the interval tells.
pub(super) fn rtt_of(interval: &Interval) -> i64 {
    interval.hi_ms.saturating_sub(interval.lo_ms).saturating_sub(1000).max(0)
}

fn read(date: Option<&str>, age: Option<&str>, cache: Option<&str>) -> Result<i64, &'static str> {
    let date = date.map(str::trim).filter(|d| !d.is_empty()).ok_or(NO_DATE)?;
    // An `Age` that cannot be read is no proof of freshness either.
    let aged = age.is_some_and(|a| a.trim().parse::<u64>() != Ok(0));
    if aged || cache.is_some_and(is_hit) {
        return Err(CACHED);
    }
    let at = httpdate::parse_http_date(date).map_err(|_| UNPARSABLE)?;
    let since = at.duration_since(std::time::UNIX_EPOCH).map_err(|_| UNPARSABLE)?;
    i64::try_from(since.as_millis()).map_err(|_| UNPARSABLE)
}

/// `HIT`, `HIT from proxy`, `TCP_HIT`, `TCP_MEM_HIT:NONE`; also `STALE`, `UPDATING` and `REVALIDATED`, whose head is an old one.
fn is_hit(value: &str) -> bool {
    value.to_ascii_uppercase().split(|c: char| !c.is_ascii_alphabetic()).any(|w| matches!(w, "HIT" | "STALE" | "UPDATING" | "REVALIDATED"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualTime, now::TEST_WALL},
        domain::Time,
    };
    use std::time::Duration;

    const NOON: &str = "Sat, 21 Nov 2026 12:00:00 GMT";

    fn probe(date: Option<&str>, age: Option<&str>, cache: Option<&str>) -> Sample {
        let t = ManualTime::new();
        let sent = t.now();
        t.advance(Duration::from_millis(200));
        sample(&GatewayId::new("wa"), date, age, cache, sent, t.now())
    }

    #[test]
    fn one_probe_bounds_the_offset_by_half_a_second_and_half_the_way() {
        let s = probe(Some(NOON), None, None);
        assert_eq!(s.interval, Some(Interval::new(-200, 1000)));
        assert_eq!(second_of(&s), Some(TEST_WALL.0));
        assert_eq!(rtt_of(&s.interval.unwrap()), 200);
    }

    #[test]
    fn what_a_cache_answers_is_no_measurement() {
        for (age, cache) in
            [(Some("1"), None), (Some("soon"), None), (None, Some("HIT")), (None, Some("HIT from edge-1")), (None, Some("TCP_MEM_HIT:NONE"))]
        {
            let s = probe(Some(NOON), age, cache);
            assert_eq!((s.interval, s.detail.as_str()), (None, CACHED), "{age:?} {cache:?}");
        }
        for (age, cache) in [(Some("0"), None), (None, Some("MISS")), (None, Some("DYNAMIC")), (None, Some("BYPASS"))] {
            assert!(probe(Some(NOON), age, cache).interval.is_some(), "{age:?} {cache:?}");
        }
    }

    #[test]
    fn a_missing_or_broken_date_says_so() {
        assert_eq!(probe(None, None, None).detail.as_str(), NO_DATE);
        assert_eq!(probe(Some("  "), None, None).detail.as_str(), NO_DATE);
        assert_eq!(probe(Some("2026-11-21T12:00:00Z"), None, None).detail.as_str(), UNPARSABLE);
        assert_eq!(probe(Some("Sat, 99 Nov 2026 12:00:00 GMT"), None, None).interval, None);
    }

    #[test]
    fn a_step_during_the_request_voids_it() {
        let t = ManualTime::new();
        let sent = t.now();
        t.advance(Duration::from_millis(100));
        t.step_wall(90_000);
        let s = sample(&GatewayId::new("wa"), Some(NOON), None, None, sent, t.now());
        assert_eq!((s.interval, s.detail.as_str()), (None, STEPPED));
    }
}
