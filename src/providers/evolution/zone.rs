//! The gateway's timezone, heard in its events: `date_time` is local time with a false `Z` (evolution 2.3.7, recording
//! ws-limit2), so `date_time` minus its `Date` is its offset from UTC. The only remote way to see it, and no skew.

use crate::{
    clock::{
        sample::{By, Interval, Sample, Subject},
        steps, zones,
    },
    domain::{Clean, GatewayId, Stamp},
    providers::Samples,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A reading of `Date` older than this says nothing of the gateway's clock now.
const FRESH: Duration = Duration::from_secs(600);
/// The same offset is told again this often.
const AGAIN: Duration = Duration::from_secs(600);

/// Passes samples on, and remembers the newest `Date`.
pub(super) struct Zone {
    samples: Arc<dyn Samples>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    date: Option<Sample>,
    told: Option<(i32, Stamp)>,
}

impl Zone {
    pub(super) fn new(samples: Arc<dyn Samples>) -> Self {
        Self { samples, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the `date_time` of an event that was just heard: milliseconds since 1970, as if it were UTC.
    pub(super) fn heard(&self, gateway: &GatewayId, local_ms: i64, now: Stamp) {
        let minutes = {
            let mut inner = self.inner();
            let Some(minutes) = inner.date.as_ref().and_then(|date| offset(local_ms, date, &now)) else { return };
            if inner.told.is_some_and(|(m, at)| m == minutes && at.age(&now) < AGAIN) {
                return;
            }
            inner.told = Some((minutes, now));
            minutes
        };
        let ms = i64::from(minutes) * 60_000;
        self.samples.push(Sample {
            gateway: Some(gateway.clone()),
            subject: Subject::Gateway,
            by: By::ZoneLabel,
            interval: Some(Interval::new(ms, ms)),
            at: now,
            probes: 1,
            detail: Clean::new(""),
            server: None,
        });
    }
}

/// Local time minus UTC in minutes. `None` where it is not surely within a minute of a whole quarter of an hour: a late event
/// or an old `Date` must not make a zone.
fn offset(local_ms: i64, date: &Sample, now: &Stamp) -> Option<i32> {
    let skew = date.interval.filter(|_| date.at.age(now) <= FRESH && steps::moved(&date.at, now).is_none())?;
    let utc = |skew_ms: i64| now.wall.plus_ms(skew_ms).0;
    let (a, b) = (zones::quarters(local_ms.saturating_sub(utc(skew.lo_ms)))?, zones::quarters(local_ms.saturating_sub(utc(skew.hi_ms)))?);
    (a == b).then_some(a)
}

impl Samples for Zone {
    fn push(&self, sample: Sample) {
        if sample.by == By::Date && sample.interval.is_some() {
            self.inner().date = Some(sample.clone());
        }
        self.samples.push(sample);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{clock::ManualTime, domain::Time};

    #[derive(Default)]
    struct Kept(Mutex<Vec<Sample>>);
    impl Samples for Kept {
        fn push(&self, sample: Sample) {
            self.0.lock().unwrap().push(sample);
        }
    }

    struct Stage {
        time: ManualTime,
        kept: Arc<Kept>,
        zone: Zone,
        id: GatewayId,
    }

    impl Stage {
        fn new(skew_ms: Option<i64>) -> Self {
            let (time, kept, id) = (ManualTime::new(), Arc::new(Kept::default()), GatewayId::new("wa"));
            let zone = Zone::new(Arc::clone(&kept) as Arc<dyn Samples>);
            if let Some(ms) = skew_ms {
                let interval = Some(Interval::new(ms - 600, ms + 600));
                let (gateway, at) = (Some(id.clone()), time.now());
                zone.push(Sample { gateway, subject: Subject::Gateway, by: By::Date, interval, at, probes: 1, detail: Clean::new(""), server: None });
            }
            Self { time, kept, zone, id }
        }
        /// An event of a gateway whose clock is `skew_ms` ahead and whose zone is `zone_ms` east, heard `late_ms` late.
        fn event(&self, skew_ms: i64, zone_ms: i64, late_ms: i64) {
            let now = self.time.now();
            self.zone.heard(&self.id, now.wall.plus_ms(skew_ms + zone_ms - late_ms).0, now);
        }
        fn told(&self) -> Vec<i64> {
            self.kept.0.lock().unwrap().iter().filter(|s| s.by == By::ZoneLabel).map(|s| s.interval.unwrap().lo_ms / 60_000).collect()
        }
    }

    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_offset_is_that_of_the_zone_whatever_the_clock_shows() {
        for skew in [0, -37_000, 3 * HOUR, -90_000] {
            let s = Stage::new(Some(skew));
            s.event(skew, -3 * HOUR, 40);
            assert_eq!(s.told(), [-180], "skew {skew}");
        }
    }

    #[test]
    fn without_a_date_or_with_a_late_event_nothing_is_said() {
        let s = Stage::new(None);
        s.event(0, -3 * HOUR, 0);
        assert!(s.told().is_empty());
        let s = Stage::new(Some(0));
        s.event(0, -3 * HOUR, 300_000);
        assert!(s.told().is_empty());
        s.event(0, -3 * HOUR, 50_000);
        assert_eq!(s.told(), [-180]);
    }

    #[test]
    fn an_old_date_or_one_before_a_step_does_not_count() {
        let s = Stage::new(Some(0));
        s.time.advance(FRESH + Duration::from_secs(1));
        s.event(0, HOUR, 0);
        assert!(s.told().is_empty());
        let s = Stage::new(Some(0));
        s.time.step_wall(HOUR);
        s.event(-HOUR, HOUR, 0);
        assert!(s.told().is_empty());
    }

    #[test]
    fn the_same_offset_is_told_once_and_a_new_one_at_once() {
        let s = Stage::new(Some(0));
        for _ in 0..50 {
            s.event(0, 2 * HOUR, 0);
        }
        s.event(0, HOUR, 0);
        assert_eq!(s.told(), [120, 60]);
    }
}
