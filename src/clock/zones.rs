//! Well-known zones by offset, for the sentence that names what a skew of whole quarter hours looks like.

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
