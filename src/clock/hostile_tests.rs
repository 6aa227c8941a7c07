//! What tells of time, damaged: headers, the tools of time daemons, zones, containers. A measurement or none, never a wrong turn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{daemon, http_date, timezone};
use crate::{
    domain::{Boot, GatewayId, Stamp, Wall},
    hostile::{config, harmless, text},
};
use proptest::prelude::*;
use std::path::Path;

const CHRONY: &str = "C0000201,192.0.2.1,3,1795262400.123,0.000012345,-0.000001,0.00002,-12.3,0.001,0.05,0.01,0.002,64.2,Normal\n";

proptest! {
    #![proptest_config(config())]

    #[test]
    fn headers_of_any_text_at_any_time_give_an_interval_or_none(
        date in text(&["Sat, 21 Nov 2026 12:00:00 GMT", "Saturday, 21-Nov-26 12:00:00 GMT", "Sat Nov 21 12:00:00 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]),
        age in proptest::option::of(text(&["0", "17", "18446744073709551616"])),
        cache in proptest::option::of(text(&["MISS", "HIT from edge-1", "TCP_MEM_HIT:NONE"])),
        wall: i64, boot: u64, took in 0u64..100_000,
    ) {
        let sent = Stamp { wall: Wall(wall), boot: Some((1, Boot(boot))) };
        let received = Stamp { wall: Wall(wall.saturating_add(took as i64)), boot: Some((1, Boot(boot.saturating_add(took)))) };
        let s = http_date::sample(&GatewayId::new("wa"), Some(&date), age.as_deref(), cache.as_deref(), sent, received);
        if let Some(i) = s.interval {
            prop_assert!(i.lo_ms <= i.hi_ms, "{i:?}");
            let _ = (http_date::second_of(&s), http_date::rtt_of(&i));
        }
        prop_assert!(harmless(s.detail.as_str()));
    }

    #[test]
    fn what_a_time_daemon_says_is_read_or_left(line in text(&[CHRONY]), server in text(&["ServerName=ntp.example\nServerAddress=192.0.2.7\n"]), state in text(&["NTP=yes\nNTPSynchronized=yes\n"])) {
        for s in daemon::told(&line, &server, &state) {
            prop_assert!(s.interval.is_none() && harmless(s.detail.as_str()), "{s:?}");
            let _ = daemon::parts(s.detail.as_str());
        }
    }

    #[test]
    fn any_zone_is_judged(tz in text(&["America/Sao_Paulo", "UTC+5:30", "<-03>3", "CET-1CEST,M3.5.0,M10.5.0/3", ":Asia/Tokyo", "/usr/share/zoneinfo/../x"]), known: bool) {
        let facts = timezone::ZoneFacts { tz: Some(tz.clone()), tz_known: known, has_zones: true, ..timezone::ZoneFacts::default() };
        for t in timezone::troubles(&facts) {
            prop_assert!(!t.name().is_empty());
        }
        // What a variable holds leads nowhere: only the four letters at the start of a file are looked at.
        let _ = timezone::read_from(Path::new("/nonexistent"), Some(tz), None);
    }

    #[test]
    fn a_container_is_told_from_any_files(name in text(&["docker", "podman", "systemd-nspawn", "lxc"]), group in text(&["0::/docker/0123456789ab\n", "12:pids:/kubepods/besteffort/pod1\n", "0::/\n"])) {
        let dir = tempfile::tempdir().unwrap();
        for (file, body) in [("run/systemd/container", &name), ("proc/self/cgroup", &group), ("etc/os-release", &group)] {
            std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(file), body).unwrap();
        }
        let _ = super::container::detect(dir.path(), &super::container::Env { container: Some(name), kubernetes: false });
    }
}
