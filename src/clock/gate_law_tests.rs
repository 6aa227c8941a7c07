//! The laws of the gate and of the algebra: by property, and by 400 seeded scenarios.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// A small seeded generator, so that the scenarios are the same in every run.
struct Seeded(u64);
impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn in_400_scenarios_no_verdict_is_forged_and_the_truth_is_inside() {
    let mut r = Seeded(20_261_121);
    let mut seen = HashMap::new();
    for case in 0..400 {
        let b = Bench::new();
        b.time.advance(Duration::from_millis(r.below(1000)));
        let span = [6_000, 40_000, 120_000, 50_400_000][case % 4];
        let offset = i64::try_from(r.below(2 * span)).unwrap() - i64::try_from(span).unwrap();
        for _ in 0..=r.below(8) {
            let rtt = r.below([50, 400, 3000][case % 3]);
            let out = r.below(rtt + 1);
            b.probe(offset, out, rtt - out);
            b.time.advance(Duration::from_millis(r.below(6000)));
        }
        let v = b.gate.view(&b.wa);
        assert!(v.remote.skew.is_some_and(|s| s.contains(offset)), "case {case}: {offset} is outside {:?}", v.remote.skew);
        assert!(v.verdict != Verdict::Ok || offset.abs() <= 30_000, "case {case}: false ok at {offset}");
        assert!(v.verdict != Verdict::Blocked || offset.abs() >= 5_000, "case {case}: false block at {offset}");
        *seen.entry(v.verdict).or_insert(0) += 1;
    }
    assert!([Verdict::Ok, Verdict::Warn, Verdict::Blocked].iter().all(|v| seen.get(v).is_some_and(|n| *n > 20)), "{seen:?}");
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Ok), Just(Verdict::Warn), Just(Verdict::Unknown), Just(Verdict::Blocked)]
}

proptest! {
    #[test]
    fn the_join_is_commutative_associative_and_idempotent(a in any_verdict(), b in any_verdict(), c in any_verdict()) {
        prop_assert_eq!(a.join(b), b.join(a));
        prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        prop_assert_eq!(a.join(a), a);
    }

    #[test]
    fn another_sample_never_widens_the_interval(offset in -100_000i64..100_000, ways in prop::collection::vec((0u64..900, 0u64..900, 0u64..3000), 2..12)) {
        let b = Bench::new();
        let mut width = i64::MAX;
        for (out, back, pause) in ways {
            b.probe(offset, out, back);
            let fresh = b.gate.strict(&b.wa).remote.skew.unwrap();
            // Time alone widens by what clocks may drift; the bound is taken at the instant of the new sample.
            prop_assert!(fresh.hi_ms - fresh.lo_ms <= width, "{:?} is wider than {}", fresh, width);
            prop_assert!(fresh.contains(offset));
            b.time.advance(Duration::from_millis(pause));
            let aged = b.gate.strict(&b.wa).remote.skew.unwrap();
            width = (aged.hi_ms - aged.lo_ms).saturating_add(4);
        }
    }

    #[test]
    fn a_blocked_clock_never_becomes_ok_by_waiting(offset in prop_oneof![-90_000i64..-31_500, 31_500i64..90_000], waits in prop::collection::vec(0u64..200, 1..8)) {
        let b = Bench::new();
        b.probe(offset, 30, 30);
        prop_assert_eq!(b.verdict(), Verdict::Blocked);
        for w in waits {
            b.wait(w);
            prop_assert!(b.verdict() > Verdict::Ok);
            prop_assert!(b.gate.view(&b.wa).verdict > Verdict::Ok);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(offset in -50_000i64..50_000, swap in any::<bool>()) {
        let b = Bench::new();
        let mut both = Vec::new();
        for _ in 0..2 {
            let sent = b.time.now();
            b.time.advance(Duration::from_millis(1700));
            let date = date_of((b.time.now().wall.0 + offset).div_euclid(1000));
            both.push(http_date::sample(&b.wa, Some(&date), None, None, sent, b.time.now()));
        }
        if swap { both.reverse(); }
        both.iter().cloned().for_each(|s| b.gate.push(s));
        let one = b.gate.strict(&b.wa).remote.skew;
        let other = Gate::new(b.time.clone());
        both.into_iter().rev().for_each(|s| other.push(s));
        prop_assert_eq!(one, other.strict(&b.wa).remote.skew);
    }
}
