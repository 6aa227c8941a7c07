//! When the alarm rings, by hand-moved time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::{ManualTime, verdict::Judgement},
    domain::Time,
};

struct Bench {
    time: ManualTime,
    alarm: Alarm,
}

impl Bench {
    fn new() -> Self {
        Self { time: ManualTime::new(), alarm: Alarm::default() }
    }
    /// What the gate concluded from a skew of so many seconds; `None`: nothing usable was heard.
    fn view(&self, seconds: Option<i64>) -> GateView {
        let skew = seconds.map(|s| Interval::new(s * 1000 - 500, s * 1000 + 500));
        let verdict = skew.map_or(Verdict::Unknown, |i| Verdict::of(&i, crate::clock::Limits::DEFAULT));
        let cause = (verdict != Verdict::Ok).then_some(if skew.is_some() { Cause::Off } else { Cause::NotAsked });
        let nothing = Judgement { verdict: Verdict::Unknown, skew: None, cause: None, samples: vec![] };
        let remote = Judgement { verdict, skew, cause, samples: vec![] };
        GateView {
            gateway: GatewayId::new("wa"),
            verdict,
            host: nothing,
            remote,
            side: None,
            at: self.time.now(),
            epoch: 0,
            moved: None,
            zone: None,
            host_zone: None,
            limits: crate::clock::Limits::DEFAULT,
        }
    }
    fn hear(&self, seconds: Option<i64>) -> Heard {
        self.alarm.hear(&self.view(seconds), &self.time.now())
    }
    /// Polls each `every` seconds for `over` seconds; the events with the second at which they came.
    fn polls(&self, every: u64, over: u64, skew: impl Fn(u64) -> Option<i64>) -> Vec<(u64, Verdict, Verdict)> {
        let mut out = Vec::new();
        for s in (0..over).step_by(usize::try_from(every).unwrap()) {
            if let Some(e) = self.hear(skew(s)).event {
                out.push((s, e.from, e.to));
            }
            self.time.advance(Duration::from_secs(every));
        }
        out
    }
}

#[test]
fn a_blocked_clock_rings_at_once_and_once() {
    let b = Bench::new();
    assert!(b.hear(Some(0)).event.is_none_or(|e| e.is_no_news()), "a clock that is well is no news");
    assert_eq!(b.polls(5, 3_600, |_| Some(100)), [(0, Verdict::Ok, Verdict::Blocked)]);
}

#[test]
fn a_gateway_that_is_blocked_from_the_start_rings_too() {
    let b = Bench::new();
    assert_eq!(b.polls(5, 60, |_| Some(-100)), [(0, Verdict::Unknown, Verdict::Blocked)]);
}

#[test]
fn a_warning_rings_only_after_it_lasted_a_minute() {
    let b = Bench::new();
    b.hear(Some(0));
    assert_eq!(b.polls(5, 55, |_| Some(10)), []);
    assert_eq!(b.polls(5, 5, |_| Some(0)), [], "it was over before");
    assert_eq!(b.polls(5, 600, |_| Some(10)), [(60, Verdict::Ok, Verdict::Warn)]);
}

#[test]
fn the_way_back_is_told_when_it_lasted_and_nothing_heard_is_no_way_back() {
    let b = Bench::new();
    b.hear(Some(0));
    b.hear(Some(100));
    assert_eq!(b.polls(5, 300, |_| None), [], "unknown is not told");
    assert_eq!(b.polls(5, 300, |_| Some(0)), [(60, Verdict::Blocked, Verdict::Ok)]);
}

#[test]
fn a_figure_at_a_limit_does_not_ring_at_every_poll() {
    let b = Bench::new();
    b.hear(Some(0));
    // 31 s and 29 s in turn, each for two minutes: blocked, warn, blocked, warn …
    let told = b.polls(5, 3_600, |s| Some(if s / 120 % 2 == 0 { 31 } else { 29 }));
    let bad: Vec<u64> = told.iter().filter(|t| t.2 == Verdict::Blocked).map(|t| t.0).collect();
    assert!(bad.len() <= 6 && bad.windows(2).all(|w| w[1] - w[0] >= 600), "{told:?}");
    // At every poll another verdict: nothing lasts, so nothing but the first is told.
    let b = Bench::new();
    b.hear(Some(0));
    assert_eq!(b.polls(5, 590, |s| Some(if s / 5 % 2 == 0 { 31 } else { 29 })).len(), 1);
}

#[test]
fn what_gets_worse_rings_within_the_quiet_time() {
    let b = Bench::new();
    b.hear(Some(0));
    assert_eq!(b.polls(5, 65, |_| Some(10)), [(60, Verdict::Ok, Verdict::Warn)]);
    assert_eq!(b.polls(5, 60, |_| Some(40)), [(0, Verdict::Warn, Verdict::Blocked)], "worse than what was told");
    assert_eq!(b.polls(5, 60, |_| Some(50)), []);
    assert_eq!(b.polls(5, 60, |_| Some(400)), [(0, Verdict::Blocked, Verdict::Blocked)], "far worse than what was told");
}

#[test]
fn the_offset_history_gets_a_point_each_five_minutes_and_at_every_change_of_the_verdict() {
    let b = Bench::new();
    let count = |over: u64, skew: Option<i64>| {
        (0..over)
            .filter(|_| {
                b.time.advance(Duration::from_secs(1));
                b.hear(skew).point.is_some()
            })
            .count()
    };
    assert_eq!(count(3_600, Some(0)), 12, "an hour of polls each second");
    assert_eq!(count(10, Some(100)), 1);
    assert_eq!(count(10, None), 1, "that nothing is heard any more is told as well");
}
