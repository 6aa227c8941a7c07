//! The gate by example. Its laws, and the 400 seeded scenarios, stand beside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::{ManualTime, http_date, now::TEST_WALL, sample::Subject, verdict::Cause, verdict::zone_like};
use super::*;
use crate::domain::{Boot, Clean, Fresh, OfferKind, Payload};

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
    /// One answer of a gateway whose clock is `offset` ms ahead; `out` and `back` are the times of the two ways.
    fn probe(&self, offset: i64, out: u64, back: u64) {
        self.time.advance(Duration::from_millis(1));
        let sent = self.time.now();
        self.time.advance(Duration::from_millis(out));
        let stamped = (self.time.now().wall.0 + offset).div_euclid(1000);
        let date = date_of(stamped);
        self.time.advance(Duration::from_millis(back));
        self.gate.push(http_date::sample(&self.wa, Some(&date), None, None, sent, self.time.now()));
    }
    fn probe_with(&self, date: Option<&str>, age: Option<&str>) {
        let sent = self.time.now();
        self.time.advance(Duration::from_millis(40));
        self.gate.push(http_date::sample(&self.wa, date, age, None, sent, self.time.now()));
    }
    fn reference(&self, lo_ms: i64, hi_ms: i64) {
        let interval = Some(Interval::new(lo_ms, hi_ms));
        let detail = Clean::new("2 of 2");
        self.gate.push(Sample { gateway: None, subject: Subject::Host, by: By::Ntp, interval, at: self.time.now(), probes: 2, detail, server: None });
    }
    fn verdict(&self) -> Verdict {
        self.gate.strict(&self.wa).verdict
    }
    fn wait(&self, s: u64) {
        self.time.advance(Duration::from_secs(s));
    }
}

fn date_of(second: i64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(second).unwrap()))
}

fn offer() -> Ungated {
    let issued = Stamp::wall_only(TEST_WALL);
    let payload = Payload::code("ABCD1234").unwrap();
    Ungated::new(Offer { n: 1, kind: OfferKind::Code, payload, issued, dies: Boot(0), expires_at: TEST_WALL, fresh: Fresh::Event })
}

#[test]
fn a_right_clock_lets_an_offer_through() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    let shown = b.gate.admit(&b.wa, offer(), &Consent::default()).unwrap();
    assert_eq!((shown.verdict, shown.overridden), (Verdict::Ok, false));
    assert!(b.gate.may_start(&b.wa, &Consent::default()).is_ok());
}

#[test]
fn a_gateway_three_hours_ahead_blocks_and_names_local_time_as_utc() {
    let b = Bench::new();
    b.probe(3 * 3_600_000, 20, 20);
    let v = *b.gate.may_start(&b.wa, &Consent::default()).unwrap_err();
    assert_eq!((v.verdict, v.remote.cause, v.side), (Verdict::Blocked, Some(Cause::LocalTimeAsUtc { minutes: 180 }), Some(Side::CannotTell)));
    assert!(matches!(b.gate.admit(&b.wa, offer(), &Consent { unknown: true, blocked: None }), Err(Hidden::Blocked)));
}

#[test]
fn thirty_seven_seconds_behind_blocks_without_a_zone() {
    let b = Bench::new();
    b.probe(-37_000, 20, 20);
    let v = b.gate.view(&b.wa);
    assert_eq!((v.verdict, v.remote.cause), (Verdict::Blocked, Some(Cause::Off)));
    assert!(v.remote.skew.unwrap().contains(-37_000));
}

#[test]
fn a_reference_tells_who_is_wrong() {
    for (host, gateway, side) in [(0, 60_000, Side::Gateway), (60_000, 60_000, Side::Host), (60_000, 0, Side::Both)] {
        let b = Bench::new();
        b.probe(gateway, 20, 20);
        b.reference(host - 5, host + 5);
        assert_eq!(b.gate.view(&b.wa).side, Some(side), "host {host}, gateway {gateway}");
    }
    let b = Bench::new();
    b.probe(60_000, 20, 20);
    assert_eq!(b.gate.view(&b.wa).side, Some(Side::CannotTell));
}

#[test]
fn a_wrong_host_blocks_even_when_the_gateway_shares_its_error() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    b.reference(59_990, 60_010);
    assert_eq!(b.verdict(), Verdict::Blocked);
}

#[test]
fn a_host_before_the_release_blocks_without_any_sample() {
    let b = Bench::new();
    b.time.set_wall(Wall(0));
    let v = b.gate.strict(&b.wa);
    assert_eq!((v.verdict, v.side, v.host.cause), (Verdict::Blocked, Some(Side::Host), Some(Cause::BeforeBuild)));
}

#[test]
fn nothing_asked_is_unknown_and_the_kernel_alone_changes_nothing() {
    let b = Bench::new();
    b.gate.push(crate::clock::kernel::sample(b.time.now()));
    let v = b.gate.view(&b.wa);
    assert_eq!((v.verdict, v.remote.cause), (Verdict::Unknown, Some(Cause::NotAsked)));
    assert!(b.gate.may_start(&b.wa, &Consent::default()).is_ok(), "unknown does not keep an attempt from starting");
    let Err(Hidden::Unknown(back)) = b.gate.admit(&b.wa, offer(), &Consent::default()) else { panic!("an unknown clock needs a key") };
    assert!(b.gate.admit(&b.wa, back, &Consent { unknown: true, blocked: None }).is_ok());
}

#[test]
fn an_unusable_source_says_why() {
    let b = Bench::new();
    b.probe_with(None, None);
    assert_eq!(b.gate.view(&b.wa).remote.cause, Some(Cause::NoDate));
    let b = Bench::new();
    b.probe_with(Some(&date_of(TEST_WALL.0 / 1000)), Some("30"));
    assert_eq!(b.gate.view(&b.wa).remote.cause, Some(Cause::DateUnusable));
}

#[test]
fn a_standing_date_is_found_by_the_second_probe() {
    let b = Bench::new();
    let d = date_of(TEST_WALL.0 / 1000);
    b.probe_with(Some(&d), None);
    assert_eq!(b.verdict(), Verdict::Ok, "one probe cannot know");
    b.time.advance(Duration::from_millis(500));
    b.probe_with(Some(&d), None);
    assert_eq!(b.verdict(), Verdict::Ok, "the same second twice within a second is normal");
    b.wait(2);
    b.probe_with(Some(&d), None);
    let v = b.gate.strict(&b.wa);
    assert_eq!((v.verdict, v.remote.cause), (Verdict::Unknown, Some(Cause::DateUnusable)));
}

#[test]
fn a_gateway_set_right_is_believed_after_two_probes() {
    let b = Bench::new();
    b.probe(3 * 3_600_000, 20, 20);
    b.wait(3);
    b.probe(0, 20, 20);
    assert_eq!(b.verdict(), Verdict::Unknown, "one probe against another tells nothing");
    assert!(b.gate.is_old(&b.wa), "it must be asked again");
    b.wait(3);
    b.probe(0, 20, 20);
    assert_eq!(b.verdict(), Verdict::Ok);
    assert!(!b.gate.is_old(&b.wa));
}

#[test]
fn a_sample_lasts_a_minute_for_a_code_and_ten_for_the_header() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    b.wait(59);
    assert!(!b.gate.is_old(&b.wa));
    b.wait(2);
    assert!(b.gate.is_old(&b.wa));
    assert_eq!(b.verdict(), Verdict::Unknown);
    assert_eq!(b.gate.view(&b.wa).verdict, Verdict::Ok);
    b.wait(600);
    assert_eq!(b.gate.view(&b.wa).verdict, Verdict::Unknown);
}

#[test]
fn a_moved_clock_voids_samples_even_before_anybody_says_so() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    b.time.step_wall(90_000);
    assert_eq!(b.verdict(), Verdict::Unknown);
    assert_eq!(b.gate.view(&b.wa).verdict, Verdict::Unknown);
    let before = b.gate.epoch();
    assert_eq!(b.gate.moved(), before + 1);
    b.probe(-90_000, 20, 20);
    assert_eq!(b.verdict(), Verdict::Blocked);
}

#[test]
fn any_use_of_the_gate_notices_a_step_and_says_how_far_until_the_gateway_was_asked() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    let moves = b.gate.moves();
    assert_eq!(b.gate.view(&b.wa).moved, None);
    b.time.step_wall(90_000);
    let v = b.gate.view(&b.wa);
    assert_eq!((v.verdict, v.moved.unwrap().by_ms), (Verdict::Unknown, Some(90_000)));
    assert!(moves.has_changed().unwrap(), "who holds a code must hear of it");
    assert_eq!((moves.borrow().epoch, moves.borrow().last), (v.epoch, v.moved));
    assert!(b.gate.is_old(&b.wa));
    b.probe(-90_000, 20, 20);
    let v = b.gate.view(&b.wa);
    assert_eq!((v.verdict, v.moved), (Verdict::Blocked, None), "it was asked again");
}

#[test]
fn a_machine_that_slept_must_ask_again() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    b.time.sleep(Duration::from_secs(30));
    let how = b.gate.sense().unwrap();
    assert_eq!((how.by_ms, how.slept), (None, Some(Duration::from_secs(30))));
    assert_eq!(b.verdict(), Verdict::Unknown, "thirty seconds of age alone would have let it pass");
}

#[test]
fn slewing_moves_nothing_however_long_it_goes_on() {
    let b = Bench::new();
    let epoch = b.gate.epoch();
    for _ in 0..1000 {
        b.wait(1);
        b.time.step_wall(1);
        assert_eq!(b.gate.sense(), None);
    }
    assert_eq!(b.gate.epoch(), epoch);
}

#[test]
fn the_kernels_word_and_a_look_at_the_clocks_are_one_move() {
    let b = Bench::new();
    b.time.step_wall(90_000);
    assert!(b.gate.sense().is_some());
    b.gate.was_set();
    assert_eq!(b.gate.epoch(), 1, "the same step, told twice");
    b.wait(3);
    b.probe(0, 20, 20);
    b.gate.was_set();
    assert_eq!((b.gate.epoch(), b.verdict()), (2, Verdict::Unknown), "a step too small to be read off the clocks counts as well");
    assert_eq!(b.gate.view(&b.wa).moved.unwrap().by_ms, None);
}

#[test]
fn an_override_that_was_given_before_an_unnoticed_step_opens_nothing() {
    let b = Bench::new();
    b.probe(40_000, 20, 20);
    let consent = Consent { unknown: false, blocked: b.gate.strict(&b.wa).overriding() };
    assert!(b.gate.admit(&b.wa, offer(), &consent).is_ok());
    b.time.step_wall(2_000);
    b.probe(40_000, 20, 20);
    assert!(matches!(b.gate.admit(&b.wa, offer(), &consent), Err(Hidden::Blocked)));
}

#[test]
fn after_an_outage_only_what_was_measured_since_counts() {
    let b = Bench::new();
    b.probe(0, 20, 20);
    b.gate.lost(&b.wa);
    assert_eq!(b.verdict(), Verdict::Ok, "an outage alone says nothing of a clock");
    b.wait(2);
    b.probe(3 * 3_600_000, 20, 20);
    assert_eq!(b.verdict(), Verdict::Blocked, "the old sample would have contradicted the new one for a minute");
    let c = Bench::new();
    c.probe(0, 20, 20);
    c.gate.changed(&c.wa);
    assert_eq!(c.verdict(), Verdict::Unknown, "another address is another clock");
}

#[test]
fn a_sample_from_before_the_move_is_refused() {
    let b = Bench::new();
    let sent = b.time.now();
    b.time.advance(Duration::from_millis(20));
    let late = http_date::sample(&b.wa, Some(&date_of(TEST_WALL.0 / 1000)), None, None, sent, b.time.now());
    b.wait(1);
    b.gate.moved();
    b.gate.push(late);
    assert_eq!(b.verdict(), Verdict::Unknown);
}

#[test]
fn an_override_holds_for_its_epoch_and_skew_only() {
    let b = Bench::new();
    b.probe(40_000, 20, 20);
    let consent = Consent { unknown: false, blocked: b.gate.strict(&b.wa).overriding() };
    let shown = b.gate.admit(&b.wa, offer(), &consent).unwrap();
    assert!(shown.overridden && shown.verdict == Verdict::Blocked);
    b.wait(61);
    b.probe(40_500, 20, 20);
    assert!(b.gate.may_start(&b.wa, &consent).is_ok(), "half a second more is not a growth");
    b.wait(61);
    b.probe(44_000, 20, 20);
    assert!(b.gate.may_start(&b.wa, &consent).is_err(), "four seconds more are");
    b.gate.moved();
    b.probe(40_000, 20, 20);
    assert!(b.gate.may_start(&b.wa, &consent).is_err(), "a moved clock voids it");
}

#[test]
fn a_gateways_own_limits_rule() {
    let b = Bench::new();
    b.gate.limits(&b.wa, Limits { ok_s: 120, blocked_s: 600 });
    b.probe(60_000, 20, 20);
    assert_eq!(b.verdict(), Verdict::Ok);
}

#[test]
fn only_quarter_hours_within_a_minute_look_like_a_zone() {
    let near = |x: i64| zone_like(&Interval::new(x - 600, x + 600));
    assert_eq!(near(3_600_400), Some(60));
    assert_eq!(near(-19_800_000), Some(-330));
    assert_eq!(near(20_700_000 + 59_000), Some(345));
    assert_eq!(near(20_700_000 + 61_000), None);
    assert_eq!(near(37_000), None);
    assert_eq!(near(0), None);
    assert_eq!(near(14 * 3_600_000), Some(840));
    assert_eq!(near(14 * 3_600_000 + 900_000), None);
}

#[path = "gate_law_tests.rs"]
mod laws;
