//! The `Date` header of an answer as a clock sample: interval arithmetic, nothing assumed about where in the second it was made.

use super::sample::{By, Interval, Sample, Subject};
use crate::domain::{Clean, GatewayId, Stamp};
use std::time::UNIX_EPOCH;

/// Turns one answer's `Date` into a sample of `gateway`. `sent` and `received` enclose the probe on this host's clock.
///
/// The header names a whole second `D`, so at some instant between both the server's clock stood in `D..D + 1 s`; hence
/// `gateway − host` lies in `D − received ..= D + 1000 − sent`. A cached answer, or none, gives a sample without interval.
pub fn sample(gateway: &GatewayId, date: Option<&str>, age: Option<&str>, cache: Option<&str>, sent: Stamp, received: Stamp) -> Sample {
    let made = |interval, detail: &str| Sample {
        gateway: Some(gateway.clone()),
        subject: Subject::Gateway,
        by: By::Date,
        interval,
        at: received,
        probes: 1,
        detail: Clean::new(detail),
    };
    if age.is_some_and(|a| a.trim().parse::<u64>().map_or(true, |s| s > 0)) || cache.is_some_and(|c| c.to_ascii_uppercase().contains("HIT")) {
        return made(None, "cached");
    }
    let Some(date) = date else { return made(None, "no Date header") };
    let Ok(at) = httpdate::parse_http_date(date.trim()) else { return made(None, "unreadable Date header") };
    let Some(second) = at.duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_millis()).ok()) else {
        return made(None, "unreadable Date header");
    };
    let lo_ms = second.saturating_sub(received.wall.0);
    let hi_ms = second.saturating_add(1000).saturating_sub(sent.wall.0);
    if lo_ms > hi_ms {
        return made(None, "the clock here moved during the probe");
    }
    made(Some(Interval { lo_ms, hi_ms }), date)
}
