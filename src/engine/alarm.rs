//! When a verdict about a clock is news: told once, not at every poll.
//!
//! A verdict that turns blocked is told at once, a warning after it lasted a minute, and so is the way back. What was told bad
//! is not told again within ten minutes unless it got worse, so that a figure at a limit does not ring at every poll.
//! Nothing is told of `unknown`: a gateway that was not heard has not changed its clock.

use super::mailbox::{Mailbox, Toast};
use crate::{
    clock::{Verdict, gate::GateView, sample::Interval, verdict::Cause},
    domain::{GatewayId, Stamp},
    i18n::{Message, clock as cw, engine as words},
    store::{APART_MS, ClockEvent, ClockPoint, Store},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A warning, or the way back, is believed when it lasted so long.
const LASTS: Duration = Duration::from_secs(60);
/// After bad news no more of the same for so long.
const QUIET: Duration = Duration::from_secs(600);
/// A skew that grew to so many times what was told is worse.
const WORSE: i64 = 2;

/// What one look at a gate brought.
#[derive(Debug, Default)]
struct Heard {
    /// A point for the offset history, where one is due.
    point: Option<ClockPoint>,
    /// News, where there is any.
    event: Option<ClockEvent>,
}

/// The memory of all gateways: one for the whole process.
#[derive(Default)]
pub(super) struct Alarm(Mutex<HashMap<GatewayId, One>>);

/// What is remembered of one gateway.
#[derive(Default)]
struct One {
    /// The last point kept: verdict, epoch, when.
    kept: Option<(Verdict, u64, Stamp)>,
    /// What was said last; `None`: nothing was known yet.
    said: Option<Verdict>,
    /// A verdict other than what was said, and since when it holds.
    turning: Option<(Verdict, Stamp)>,
    /// The last bad news: verdict, smallest possible skew in milliseconds, when.
    bad: Option<(Verdict, i64, Stamp)>,
}

impl Alarm {
    /// A gate was judged anew: tells the header, and where it is news, store and operator.
    pub(super) fn told(&self, view: GateView, store: &Store, mailbox: &Mailbox) {
        let heard = self.hear(&view, &view.at);
        if let Some(point) = heard.point {
            store.clock_points(vec![point]);
        }
        let toast = heard.event.and_then(|event| {
            let (good, text) = toast(&event, &view);
            let silent = event.is_no_news();
            store.clock_events(vec![event]);
            (!silent).then_some(Toast { good, text, target: None, at: view.at })
        });
        mailbox.put(|m| {
            m.bell |= toast.as_ref().is_some_and(|t| !t.good);
            m.toasts.extend(toast);
            m.gates.insert(view.gateway.clone(), view);
        });
    }

    /// Looks at a gate as it is `now`.
    fn hear(&self, view: &GateView, now: &Stamp) -> Heard {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(view.gateway.clone()).or_default();
        Heard { point: one.point(view, now), event: one.event(view, now) }
    }
}

impl One {
    /// Every answer of a server measures anew, and a disk need not hear of each.
    fn point(&mut self, view: &GateView, now: &Stamp) -> Option<ClockPoint> {
        let apart = Duration::from_millis(APART_MS.unsigned_abs());
        let due = self.kept.is_none_or(|(verdict, epoch, then)| verdict != view.verdict || epoch != view.epoch || then.age(now) >= apart);
        due.then(|| {
            self.kept = Some((view.verdict, view.epoch, *now));
            ClockPoint { gateway: view.gateway.clone(), at: now.wall, skew: view.remote.skew, verdict: view.verdict }
        })
    }

    fn event(&mut self, view: &GateView, now: &Stamp) -> Option<ClockEvent> {
        let to = view.verdict;
        if to == Verdict::Unknown {
            return None;
        }
        let from = self.said.unwrap_or(Verdict::Unknown);
        if self.said == Some(to) {
            self.turning = None;
            let grown = to == Verdict::Blocked && self.bad.is_some_and(|(_, skew, _)| surely(view) > skew.saturating_mul(WORSE));
            return grown.then(|| self.tell(from, view, now));
        }
        if self.said.is_none() && to == Verdict::Ok {
            // Not news here, but the store may remember it bad: from a process that ended, or a command that ran before.
            return Some(self.tell(from, view, now));
        }
        let since = match self.turning {
            Some((verdict, since)) if verdict == to => since,
            _ => {
                self.turning = Some((to, *now));
                *now
            }
        };
        let due = if to == Verdict::Blocked || (to == Verdict::Warn && from != Verdict::Blocked) {
            (to == Verdict::Blocked || since.age(now) >= LASTS) && !self.told_lately(view, now)
        } else {
            since.age(now) >= LASTS
        };
        due.then(|| self.tell(from, view, now))
    }

    /// True when news as bad as this was told within the quiet time.
    fn told_lately(&self, view: &GateView, now: &Stamp) -> bool {
        self.bad.is_some_and(|(verdict, skew, at)| {
            at.age(now) < QUIET && rank(view.verdict) <= rank(verdict) && surely(view) <= skew.max(1000).saturating_mul(WORSE)
        })
    }

    fn tell(&mut self, from: Verdict, view: &GateView, now: &Stamp) -> ClockEvent {
        self.said = Some(view.verdict);
        self.turning = None;
        if rank(view.verdict) > rank(from) || view.verdict == from {
            self.bad = Some((view.verdict, surely(view), *now));
        }
        ClockEvent { at: *now, gateway: view.gateway.clone(), from, to: view.verdict, skew: view.remote.skew, cause: cause(view) }
    }
}

/// How bad: `unknown` is no worse than well, since nothing is told of it.
const fn rank(v: Verdict) -> u8 {
    match v {
        Verdict::Ok | Verdict::Unknown => 0,
        Verdict::Warn => 1,
        Verdict::Blocked => 2,
    }
}

/// By how much a clock is off at the least, in milliseconds.
fn surely(view: &GateView) -> i64 {
    [&view.host, &view.remote].into_iter().filter_map(|j| j.skew.as_ref().map(Interval::min_abs)).max().unwrap_or(0)
}

/// The cause that weighs: this host's where it is the worse one.
fn cause(view: &GateView) -> Option<Cause> {
    let host = view.host.skew.is_some() && view.host.verdict > view.remote.verdict;
    if host { view.host.cause } else { view.remote.cause.or(view.host.cause.filter(|c| *c == Cause::ZoneDiffers)) }
}

/// News as a toast: good or bad, and its sentence.
fn toast(event: &ClockEvent, view: &GateView) -> (bool, Message) {
    let verdict = Message::new(crate::clock::words::verdict(event.to));
    let good = rank(event.to) < rank(event.from);
    let words = match (event.to, good) {
        (Verdict::Ok, _) => &words::CLOCK_BACK,
        (_, true) => &words::CLOCK_BETTER,
        (_, false) => &words::CLOCK_BAD,
    };
    let why = crate::clock::words::cause(view).unwrap_or_else(|| Message::new(&cw::DETAIL_OTHER).with("text", ""));
    (good, Message::new(words).with("gateway", event.gateway.as_str()).nest("verdict", verdict).nest("why", why))
}

#[cfg(test)]
#[path = "alarm_tests.rs"]
mod tests;
