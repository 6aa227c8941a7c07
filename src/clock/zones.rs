//! Well-known zones by offset, for the sentence that names what a skew of whole quarter hours looks like; and offsets of
//! zones by name, for the comparison with a zone that was declared.

use crate::domain::Wall;
use jiff::{Timestamp, tz::TimeZone};
use std::sync::Arc;

/// A zone that was declared (`expect_timezone`), and the offset that was found. Offsets are minutes east of UTC at one
/// instant, summer time included: zones of another name and the same offset are the same to a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The declared zone.
    pub name: Arc<str>,
    /// Its offset.
    pub minutes: i32,
    /// The offset that was found, where something told it.
    pub found: Option<i32>,
}

impl Expected {
    /// The declared zone at `at`, beside an offset that was found. `None` when no zone database knows the name.
    pub fn of(name: &Arc<str>, at: Wall, found: Option<i32>) -> Option<Self> {
        Some(Self { name: name.clone(), minutes: offset(name, at)?, found })
    }
    /// The offset that was found, if it is another one.
    pub fn differs(&self) -> Option<i32> {
        self.found.filter(|f| *f != self.minutes)
    }
}

/// The offset of a zone at `at`, in minutes east of UTC. `None` when no zone database here knows it.
pub fn offset(name: &str, at: Wall) -> Option<i32> {
    offset_of(&TimeZone::get(name).ok()?, at)
}

/// The offset of this host's own zone at `at`, in minutes east of UTC.
pub fn own_offset(at: Wall) -> Option<i32> {
    offset_of(&TimeZone::system(), at)
}

fn offset_of(zone: &TimeZone, at: Wall) -> Option<i32> {
    Some(zone.to_offset(Timestamp::from_millisecond(at.0).ok()?).seconds() / 60)
}

/// `+03:00`, `-03:00`: an offset as ISO 8601 writes it.
pub fn iso(minutes: i32) -> String {
    let m = minutes.unsigned_abs();
    format!("{}{:02}:{:02}", if minutes < 0 { '-' } else { '+' }, m / 60, m % 60)
}

/// Local time minus UTC as two readings tell it, in milliseconds: whole quarter hours when it lies within a minute of some.
pub const fn quarters(ms: i64) -> Option<i32> {
    const QUARTER: i64 = 900_000;
    let k = (ms + if ms < 0 { -QUARTER / 2 } else { QUARTER / 2 }) / QUARTER;
    #[allow(clippy::cast_possible_truncation)]
    if (ms - k * QUARTER).abs() <= 60_000 && k.abs() <= 56 { Some((k * 15) as i32) } else { None }
}

/// Up to three zones whose offset from UTC is, or was in the current rules, `minutes` for some of the year.
pub fn at(minutes: i32) -> &'static [&'static str] {
    ZONES.iter().find(|(m, _)| *m == minutes).map_or(&[], |(_, names)| names)
}

const ZONES: &[(i32, &[&str])] = &[
    (-660, &["Pacific/Pago_Pago"]),
    (-600, &["Pacific/Honolulu"]),
    (-570, &["Pacific/Marquesas"]),
    (-540, &["America/Anchorage"]),
    (-480, &["America/Los_Angeles"]),
    (-420, &["America/Denver", "America/Phoenix", "America/Los_Angeles"]),
    (-360, &["America/Mexico_City", "America/Chicago"]),
    (-300, &["America/New_York", "America/Bogota", "America/Lima"]),
    (-240, &["America/Manaus", "America/Caracas", "America/New_York"]),
    (-210, &["America/St_Johns"]),
    (-180, &["America/Sao_Paulo", "America/Argentina/Buenos_Aires"]),
    (-120, &["America/Noronha"]),
    (-60, &["Atlantic/Cape_Verde"]),
    (60, &["Europe/Berlin", "Europe/Madrid", "Africa/Lagos"]),
    (120, &["Africa/Cairo", "Africa/Johannesburg", "Europe/Berlin"]),
    (180, &["Europe/Moscow", "Asia/Riyadh", "Africa/Nairobi"]),
    (210, &["Asia/Tehran"]),
    (240, &["Asia/Dubai"]),
    (270, &["Asia/Kabul"]),
    (300, &["Asia/Karachi", "Asia/Tashkent"]),
    (330, &["Asia/Kolkata", "Asia/Colombo"]),
    (345, &["Asia/Kathmandu"]),
    (360, &["Asia/Dhaka"]),
    (390, &["Asia/Yangon"]),
    (420, &["Asia/Jakarta", "Asia/Bangkok"]),
    (480, &["Asia/Shanghai", "Asia/Singapore", "Australia/Perth"]),
    (525, &["Australia/Eucla"]),
    (540, &["Asia/Tokyo", "Asia/Seoul"]),
    (570, &["Australia/Darwin", "Australia/Adelaide"]),
    (600, &["Australia/Brisbane", "Australia/Sydney"]),
    (630, &["Australia/Lord_Howe", "Australia/Adelaide"]),
    (660, &["Australia/Sydney", "Pacific/Noumea"]),
    (720, &["Pacific/Auckland", "Pacific/Fiji"]),
    (765, &["Pacific/Chatham"]),
    (780, &["Pacific/Auckland", "Pacific/Tongatapu"]),
    (840, &["Pacific/Kiritimati"]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        Wall(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn offsets_are_compared_and_not_names_summer_time_included() {
        let (winter, summer) = (at("2026-01-15T00:00:00Z"), at("2026-07-15T00:00:00Z"));
        if offset("Europe/Berlin", winter).is_none() {
            return; // No zoneinfo on this machine and none bundled: nothing to compare with.
        }
        let berlin: Arc<str> = "Europe/Berlin".into();
        let differs = |when, found| Expected::of(&berlin, when, Some(found)).unwrap().differs();
        assert_eq!((differs(winter, 60), differs(summer, 120)), (None, None), "Lagos in winter and Cairo in summer are right");
        assert_eq!((differs(winter, 120), differs(summer, 60)), (Some(120), Some(60)), "half a year later they are not");
        assert_eq!(Expected::of(&"America/Sao_Paulo".into(), winter, Some(-180)).unwrap().differs(), None, "-03 by another name");
        assert_eq!(Expected::of(&berlin, winter, None).unwrap().differs(), None, "nothing found is no difference");
        assert_eq!(Expected::of(&"America/SaoPaulo".into(), winter, Some(0)), None);
    }

    #[test]
    fn quarters_are_rounded_only_within_a_minute() {
        assert_eq!(quarters(-10_800_000 + 59_000), Some(-180));
        assert_eq!(quarters(20_700_000 - 60_000), Some(345));
        assert_eq!((quarters(400), quarters(-400)), (Some(0), Some(0)));
        assert_eq!((quarters(61_000), quarters(450_000), quarters(-450_000)), (None, None, None));
        assert_eq!((quarters(14 * 3_600_000), quarters(15 * 3_600_000)), (Some(840), None));
        assert_eq!((iso(-180), iso(345), iso(0)), ("-03:00".to_owned(), "+05:45".to_owned(), "+00:00".to_owned()));
    }

    #[test]
    fn every_named_zone_has_its_offset_at_some_time_of_the_year() {
        let db = jiff::tz::db();
        if db.get("Europe/Berlin").is_err() {
            return; // No zoneinfo on this machine and none bundled: nothing to compare with.
        }
        for (minutes, names) in ZONES {
            for name in *names {
                let tz = db.get(name).unwrap();
                let seen = ["2026-01-15T00:00:00Z", "2026-07-15T00:00:00Z"].map(|t| tz.to_offset(t.parse().unwrap()).seconds() / 60);
                assert!(seen.contains(minutes), "{name} is at {seen:?}, not {minutes}");
            }
        }
    }
}
