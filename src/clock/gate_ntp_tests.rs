//! The gate with a third clock: who is wrong, conflicts, the saved floor, and 400 scenarios with and without a reference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    ManualTime,
    floor::{self, BUILD_FLOOR},
    gate::{Gate, GateView},
    http_date,
    now::TEST_WALL,
    sample::{By, Interval, Sample, Subject},
    sntp::{
        client::Told,
        packet::Measured,
        servers::{Said, samples},
    },
    verdict::{Cause, Side, Verdict},
};
use crate::{
    domain::{Clean, GatewayId, Time},
    store::config::NtpServer,
};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

struct Bench {
    time: Arc<ManualTime>,
    gate: Gate,
    wa: GatewayId,
}

impl Bench {
    fn new() -> Self {
        let time = Arc::new(ManualTime::new());
        Self { gate: Gate::new(time.clone()), time, wa: GatewayId::new("wa") }
    }
    fn wait(&self, ms: u64) {
        self.time.advance(Duration::from_millis(ms));
    }
    /// An answer of a gateway whose clock is `offset` ms ahead of this host's.
    fn date(&self, offset: i64, out: u64, back: u64) {
        self.wait(1);
        let sent = self.time.now();
        self.wait(out);
        let second = (self.time.now().wall.0 + offset).div_euclid(1000);
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(second).unwrap()));
        self.wait(back);
        self.gate.push(http_date::sample(&self.wa, Some(&date), None, None, sent, self.time.now()));
    }
    /// Asks servers: of each the offset against this host and both ways, or why it told nothing.
    fn ntp(&self, servers: &[Result<(i64, i64, i64), &'static str>]) {
        let said: Vec<Said> = servers.iter().enumerate().map(|(n, s)| said(n, *s)).collect();
        samples(&said, self.time.now()).into_iter().for_each(|s| self.gate.push(s));
    }
    fn view(&self) -> GateView {
        self.gate.strict(&self.wa)
    }
}

/// What the arithmetic of the packet makes of an offset and two ways (ms): half their difference is the error.
fn said(n: usize, told: Result<(i64, i64, i64), &'static str>) -> Said {
    let best = |(offset, out, back): (i64, i64, i64)| Measured {
        offset_ns: offset * 1_000_000 + (out - back) * 500_000,
        delay_ns: (out + back) * 1_000_000,
        distance_ns: 1_000_000,
        stratum: 2,
    };
    let server = NtpServer { host: format!("s{n}"), port: 123 };
    Said { server, result: told.map(|t| Told { best: best(t), probes: 3, slower: false }) }
}

#[test]
fn a_third_clock_tells_who_is_wrong() {
    let cases = [
        (0, 60_000, Some(Side::Gateway)),
        (60_000, 60_000, Some(Side::Host)),
        (60_000, 0, Some(Side::Both)),
        (0, 0, None),
        // 4 s and 8 s, each against the reference within what is fine or not known to be more.
        (4_000, 8_000, Some(Side::CannotTell)),
    ];
    for (host, gateway, side) in cases {
        let b = Bench::new();
        b.date(gateway, 20, 20);
        b.ntp(&[Ok((host, 10, 10))]);
        assert_eq!(b.view().side, side, "host {host}, gateway {gateway}");
    }
}

#[test]
fn a_reference_too_vague_blames_nobody() {
    let b = Bench::new();
    b.date(60_000, 20, 20);
    let wide = Some(Interval::new(-40_000, 40_000));
    let (at, detail) = (b.time.now(), Clean::new("1 of 1"));
    b.gate.push(Sample { gateway: None, subject: Subject::Host, by: By::Ntp, interval: wide, at, probes: 1, detail, server: None });
    assert_eq!(b.view().side, Some(Side::Gateway), "60 s cannot be this host's fault if that is off by 40 s at most");
    let b = Bench::new();
    b.date(30_000, 20, 20);
    b.gate.push(Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Ntp,
        interval: wide,
        at: b.time.now(),
        probes: 1,
        detail: Clean::new(""),
        server: None,
    });
    assert_eq!(b.view().side, Some(Side::CannotTell));
}

#[test]
fn what_each_server_said_is_evidence_and_counts_once() {
    let b = Bench::new();
    b.date(0, 20, 20);
    b.ntp(&[Ok((0, 10, 10)), Ok((3_600_000, 10, 10)), Ok((1, 10, 10))]);
    let v = b.view();
    assert_eq!((v.verdict, v.host.verdict), (Verdict::Ok, Verdict::Ok));
    assert_eq!(v.host.samples.iter().filter(|s| s.server.is_some()).count(), 3);
    b.ntp(&[Ok((0, 10, 10)), Ok((3_600_000, 10, 10)), Ok((1, 10, 10))]);
    assert_eq!(b.view().host.samples.iter().filter(|s| s.server.is_some()).count(), 3, "the newest word of each is enough");
}

#[test]
fn servers_that_contradict_each_other_far_block_and_a_little_are_unknown() {
    for (gap, verdict) in [(60_000, Verdict::Blocked), (10_000, Verdict::Unknown)] {
        let b = Bench::new();
        b.date(0, 20, 20);
        b.ntp(&[Ok((0, 10, 10)), Ok((gap, 10, 10))]);
        let v = b.view();
        assert_eq!((v.verdict, v.host.cause, v.side), (verdict, Some(Cause::SourcesConflict), Some(Side::CannotTell)), "{gap}");
        assert!(v.host.conflict_ms().is_some_and(|ms| (gap - 100..=gap).contains(&ms)));
        b.wait(10_000);
        b.ntp(&[Err("no answer"), Err("no answer")]);
        assert_eq!(b.view().verdict, verdict, "no answer settles no contradiction");
        b.ntp(&[Ok((0, 10, 10)), Ok((0, 10, 10))]);
        assert_eq!(b.view().verdict, Verdict::Ok, "agreement does");
    }
}

#[test]
fn the_platforms_own_time_against_the_servers_is_a_conflict() {
    let b = Bench::new();
    b.date(0, 20, 20);
    b.ntp(&[Ok((0, 10, 10))]);
    let interval = Some(Interval::new(44_000, 46_000));
    b.gate.push(Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::ServerTime,
        interval,
        at: b.time.now(),
        probes: 1,
        detail: Clean::new(""),
        server: None,
    });
    assert_eq!((b.view().verdict, b.view().host.cause), (Verdict::Blocked, Some(Cause::SourcesConflict)));
}

#[test]
fn a_server_beside_the_gateway_that_is_hours_off_is_not_outvoted_by_the_gateways_own_polls() {
    let b = Bench::new();
    let beside = |offset_s: i64| {
        let interval = Some(Interval::new(offset_s * 1000 - 500, offset_s * 1000 + 500));
        let (gateway, subject, at, detail) = (Some(b.wa.clone()), Subject::Gateway, b.time.now(), Clean::new(""));
        b.gate.push(Sample { gateway, subject, by: By::ServerTime, interval, at, probes: 1, detail, server: None });
    };
    b.date(0, 20, 20);
    beside(10_800);
    for _ in 0..6 {
        b.wait(2_500);
        b.date(0, 20, 20);
    }
    assert_eq!((b.view().verdict, b.view().remote.cause), (Verdict::Blocked, Some(Cause::SourcesConflict)));
    // Once it says otherwise itself, its past does not count.
    beside(0);
    b.wait(2_500);
    beside(0);
    assert_eq!(b.view().verdict, Verdict::Ok);
}

#[test]
fn servers_that_do_not_answer_leave_the_gateways_date_its_say() {
    let b = Bench::new();
    b.ntp(&[Err("no answer")]);
    assert_eq!(b.view().verdict, Verdict::Unknown);
    b.date(0, 20, 20);
    let v = b.view();
    assert_eq!((v.verdict, v.side), (Verdict::Ok, None));
    b.ntp(&[Err("kiss RATE")]);
    assert_eq!(b.view().verdict, Verdict::Ok);
}

#[test]
fn kernel_daemon_and_zone_label_never_take_part_in_a_skew() {
    for by in [By::Kernel, By::Daemon, By::ZoneLabel] {
        let b = Bench::new();
        b.date(0, 20, 20);
        let before = b.view();
        for (gateway, subject) in [(None, Subject::Host), (Some(b.wa.clone()), Subject::Gateway)] {
            let interval = Some(Interval::new(3_600_000, 3_600_001));
            b.gate.push(Sample { gateway, subject, by, interval, at: b.time.now(), probes: 1, detail: Clean::new(""), server: None });
        }
        let v = b.view();
        assert_eq!((v.verdict, v.side, v.remote.skew), (before.verdict, before.side, before.remote.skew), "{by:?}");
    }
}

#[test]
fn a_blocked_host_is_not_fine_because_nobody_asked_again() {
    let b = Bench::new();
    b.ntp(&[Ok((60_000, 10, 10))]);
    b.wait(30_000);
    b.date(0, 20, 20);
    assert_eq!(b.view().verdict, Verdict::Blocked);
    b.wait(31_000);
    assert_eq!(b.view().verdict, Verdict::Unknown, "the reference is old, what it said is not refuted");
    b.ntp(&[Ok((0, 10, 10))]);
    b.date(0, 20, 20);
    assert_eq!(b.view().verdict, Verdict::Ok);
}

#[test]
fn a_moved_clock_voids_what_servers_said() {
    let b = Bench::new();
    b.ntp(&[Ok((0, 10, 10))]);
    assert!(!b.gate.is_host_old(Duration::from_secs(60)));
    b.time.step_wall(90_000);
    assert!(b.gate.is_host_old(Duration::from_secs(60)), "even before anybody noticed");
    b.gate.moved();
    assert!(b.view().host.skew.is_none() && b.view().host.samples.iter().all(|s| s.by == By::Floor));
}

#[test]
fn a_reference_read_again_after_a_daemon_slewed_the_clock_is_believed() {
    let b = Bench::new();
    b.ntp(&[Ok((400, 1, 1))]);
    b.wait(10_000);
    b.ntp(&[Ok((0, 1, 1))]);
    assert!(b.view().host.skew.unwrap().contains(0));
}

#[test]
fn a_clock_before_the_saved_time_blocks_until_a_reference_says_otherwise() {
    let time = Arc::new(ManualTime::new());
    let saved = TEST_WALL.plus_ms(86_400_000);
    assert!(TEST_WALL > BUILD_FLOOR);
    let b = Bench { gate: Gate::with_floor(time.clone(), saved), time, wa: GatewayId::new("wa") };
    b.date(0, 20, 20);
    let v = b.view();
    assert_eq!((v.verdict, v.side, v.host.cause), (Verdict::Blocked, Some(Side::Host), Some(Cause::BeforeSaved)));
    b.ntp(&[Ok((0, 10, 10))]);
    assert_eq!(b.view().verdict, Verdict::Ok, "a saved time can be wrong itself");
    b.time.set_wall(crate::domain::Wall(0));
    b.ntp(&[Ok((0, 10, 10))]);
    let v = b.view();
    assert_eq!((v.verdict, v.host.cause), (Verdict::Blocked, Some(Cause::BeforeBuild)), "the release is beyond doubt");
    assert_eq!(floor::sample(b.time.now(), saved).detail.as_str(), floor::BELOW);
}

/// A small seeded generator, so that the scenarios are the same in every run.
struct Seeded(u64);
impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
    fn around(&mut self, span: u64) -> i64 {
        i64::try_from(self.below(2 * span)).unwrap() - i64::try_from(span).unwrap()
    }
}

#[test]
fn in_400_scenarios_of_offset_way_and_fault_no_verdict_is_forged_with_or_without_a_reference() {
    let mut r = Seeded(20_261_122);
    let (mut seen, mut blamed, mut conflicts) = (std::collections::HashMap::new(), 0, 0);
    for case in 0..400usize {
        let b = Bench::new();
        b.wait(r.below(1000));
        // Reference minus host, and gateway minus host: each right, a little off or far off.
        let spans = [900, 4_000, 40_000, 120_000, 50_400_000];
        let host = r.around(spans[case % 5]);
        let gateway = r.around(spans[case / 5 % 5]);
        let with_reference = case % 2 == 0;
        let fault = r.below(5);
        let liar = r.around(7_200_000);
        let rtt = [50, 400, 900][case % 3];
        let way = |r: &mut Seeded| {
            let out = i64::try_from(r.below(rtt + 1)).unwrap();
            (out, i64::try_from(rtt).unwrap() - out)
        };
        for _ in 0..=r.below(4) {
            let (out, back) = way(&mut r);
            b.date(gateway, out.unsigned_abs(), back.unsigned_abs());
            b.wait(r.below(6000));
            if !with_reference {
                continue;
            }
            let mut honest = || {
                let (out, back) = way(&mut r);
                Ok((host, out, back))
            };
            match fault {
                0 => b.ntp(&[honest()]),
                1 => b.ntp(&[honest(), Ok((host + liar, 5, 5)), honest()]),
                2 => b.ntp(&[honest(), Ok((host + liar, 5, 5))]),
                3 => b.ntp(&[honest(), Err("no answer"), Err("kiss RATE")]),
                _ => b.ntp(&[Err("unsynchronised"), Err("no answer")]),
            }
        }
        let v = b.view();
        assert!(v.remote.skew.is_some_and(|s| s.contains(gateway)), "case {case}: {gateway} is outside {:?}", v.remote.skew);
        let torn = v.host.cause == Some(Cause::SourcesConflict);
        if let Some(s) = v.host.skew.filter(|_| fault != 2) {
            assert!(s.contains(host), "case {case}: {host} is outside {s:?}");
        }
        assert_eq!(v.host.skew.is_some() || torn, with_reference && fault != 4, "case {case}");
        let known = |ms: i64| v.host.skew.is_some().then_some(ms);
        let worst = known(host).map_or(gateway.abs(), |h| h.abs().max(gateway.abs()));
        assert!(v.verdict != Verdict::Ok || worst <= 30_000, "case {case}: false ok at host {host}, gateway {gateway}");
        let blocked_rightly = worst >= 5_000 || (torn && liar.abs() > 30_000);
        assert!(v.verdict != Verdict::Blocked || blocked_rightly, "case {case}: false block at host {host}, gateway {gateway}");
        if let (Some(_), Some(side)) = (v.host.skew, v.side) {
            let (h, g) = (host.abs() > 5_000, (gateway - host).abs() > 5_000);
            let right = match side {
                Side::Host => h,
                Side::Gateway => g,
                Side::Both => h && g,
                Side::CannotTell => true,
            };
            assert!(right, "case {case}: {side:?} is blamed, host {host}, gateway {gateway}");
            blamed += usize::from(side != Side::CannotTell);
        }
        conflicts += usize::from(torn);
        *seen.entry(v.verdict).or_insert(0) += 1;
    }
    assert!([Verdict::Ok, Verdict::Warn, Verdict::Blocked].iter().all(|v| seen.get(v).is_some_and(|n| *n > 20)), "{seen:?}");
    assert!(blamed > 40 && conflicts > 10, "{blamed} blamed, {conflicts} conflicts");
}

proptest! {
    #[test]
    fn another_answer_of_a_reference_never_widens_the_interval(host in -100_000i64..100_000, ways in prop::collection::vec((0i64..900, 0i64..900, 0u64..3000), 2..12)) {
        let b = Bench::new();
        let mut width = i64::MAX;
        for (out, back, pause) in ways {
            b.ntp(&[Ok((host, out, back))]);
            let now = b.view().host.skew.unwrap();
            prop_assert!(now.contains(host) && now.hi_ms - now.lo_ms <= width, "{:?} is wider than {}", now, width);
            b.wait(pause);
            let aged = b.view().host.skew.unwrap();
            width = (aged.hi_ms - aged.lo_ms).saturating_add(4);
        }
    }

    #[test]
    fn the_order_and_the_repetition_of_samples_change_nothing(host in -50_000i64..50_000, gateway in -50_000i64..50_000, again in any::<bool>()) {
        let b = Bench::new();
        let all: Vec<Sample> = [(5, 9), (300, 2), (40, 40)].iter().flat_map(|(o, i)| {
            b.wait(700);
            samples(&[said(0, Ok((host, *o, *i)))], b.time.now())
        }).collect();
        b.date(gateway, 10, 10);
        let other = Gate::new(b.time.clone());
        all.iter().cloned().for_each(|s| b.gate.push(s));
        all.iter().rev().cloned().for_each(|s| other.push(s));
        if again {
            all.iter().cloned().for_each(|s| other.push(s));
        }
        prop_assert_eq!(b.gate.strict(&b.wa).host.skew, other.strict(&b.wa).host.skew);
        prop_assert_eq!(b.gate.strict(&b.wa).host.verdict, other.strict(&b.wa).host.verdict);
    }

    #[test]
    fn a_blocked_host_never_becomes_ok_by_waiting(host in prop_oneof![-90_000i64..-31_500, 31_500i64..90_000], conflict in any::<bool>(), waits in prop::collection::vec(0u64..200, 1..8)) {
        let b = Bench::new();
        b.date(0, 30, 30);
        if conflict { b.ntp(&[Ok((0, 5, 5)), Ok((host, 5, 5))]) } else { b.ntp(&[Ok((host, 5, 5))]) }
        prop_assert_eq!(b.view().verdict, Verdict::Blocked);
        for w in waits {
            b.wait(w * 1000);
            prop_assert!(b.view().verdict > Verdict::Ok);
            prop_assert!(b.gate.view(&b.wa).verdict > Verdict::Ok);
        }
    }
}

#[path = "gate_doubt_tests.rs"]
mod doubt;
