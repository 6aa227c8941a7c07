//! The gate: asked before an attempt starts and before every Offer; the only way from a provider's Offer to a screen.

mod host;
mod view;
mod zoned;

pub use view::GateView;

use super::{
    Limits, Verdict,
    floor::{self, BUILD_FLOOR},
    http_date, judge,
    sample::{By, Interval, Sample},
    steps::{Moved, Reading},
    verdict::{self, Judgement, Side},
};
use crate::domain::{GatewayId, Offer, Stamp, Time, Ungated, Wall};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What those who hold a code listen to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moves {
    /// Rises whenever a clock was seen to move.
    pub epoch: u64,
    /// How it was moved the last time.
    pub last: Option<Moved>,
    /// How many codes or attempts depend on the clocks now.
    pub depend: usize,
}

/// Something depends on the clocks while it lives: they are looked at twice a second.
pub struct Depends(watch::Sender<Moves>);

impl Drop for Depends {
    fn drop(&mut self) {
        self.0.send_modify(|m| m.depend = m.depend.saturating_sub(1));
    }
}

/// An Offer that passed the gate, with the verdict that let it pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What is drawn.
    pub offer: Offer,
    /// The gate's verdict at that moment.
    pub verdict: Verdict,
    /// True when a blocked verdict was overridden.
    pub overridden: bool,
    /// The epoch that it belongs to: void when the gate's epoch is higher.
    pub epoch: u64,
}

/// Why an Offer may not be shown.
#[derive(Debug)]
pub enum Hidden {
    /// A clock is wrong.
    Blocked,
    /// Nothing told the time, and the operator has not agreed yet; the Offer is handed back.
    Unknown(Ungated),
}

/// What the operator agreed to for one attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consent {
    /// Go on although the clock is unknown.
    pub unknown: bool,
    /// Go on although it blocks: the epoch and skew (ms, largest absolute) it was given for. Void when the clock moves or the skew grows.
    pub blocked: Option<(u64, i64)>,
}

/// A sample older than this does not let a code pass; it is asked again.
pub const TTL_PAIRING: Duration = Duration::from_secs(60);
/// A sample older than this is not shown as the present state of a clock either.
pub const TTL_SHOWN: Duration = Duration::from_secs(600);
/// An override is void when a clock is surely off by more than this beyond what it was given for (milliseconds).
const GROWTH_MS: i64 = 1000;
/// Two words on one step, the kernel's and that of a look at the clocks, lie closer together than this.
const TWICE: Duration = Duration::from_secs(2);
/// Samples kept of one clock: one a second over the window of the judgement.
const KEPT: usize = 64;

impl Consent {
    /// True when its override covers what `view` shows.
    fn covers(&self, view: &GateView) -> bool {
        let Some((epoch, ms)) = self.blocked else { return false };
        let surely = [&view.host, &view.remote].into_iter().filter_map(|j| j.skew.as_ref().map(Interval::min_abs)).max().unwrap_or(0);
        epoch == view.epoch && surely <= ms.saturating_add(GROWTH_MS)
    }
}

/// All gateways' samples and this host's, judged on demand. Shared between the engine's tasks; locks are never held long.
pub struct Gate {
    time: Arc<dyn Time>,
    floor: Wall,
    inner: Mutex<Inner>,
    moves: watch::Sender<Moves>,
    pushed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    epoch: u64,
    /// The clocks as last looked at.
    seen: Option<Reading>,
    /// How the epoch began: what was measured before is void.
    moved: Option<Moved>,
    /// Gateways that could not be reached since their newest sample.
    lost: HashSet<GatewayId>,
    limits: HashMap<GatewayId, Limits>,
    gateways: HashMap<GatewayId, VecDeque<Sample>>,
    host: VecDeque<Sample>,
    /// The newest timezone label of each gateway. It depends on no clock of this host, so nothing voids it.
    labels: HashMap<GatewayId, Sample>,
    /// Declared timezones; `None` is this host.
    declared: HashMap<Option<GatewayId>, Arc<str>>,
}

impl Gate {
    /// An empty gate. A host clock before the release of this program blocks without any sample.
    pub fn new(time: Arc<dyn Time>) -> Self {
        Self::with_floor(time, BUILD_FLOOR)
    }
    /// An empty gate with a floor of one's own: the later of the release and the last verified time.
    pub fn with_floor(time: Arc<dyn Time>, floor: Wall) -> Self {
        let seen = Some(Reading::of(&*time));
        let inner = Mutex::new(Inner { seen, ..Inner::default() });
        Self { time, floor, inner, moves: watch::Sender::default(), pushed: watch::Sender::default() }
    }
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Sets the thresholds of a gateway.
    pub fn limits(&self, gateway: &GatewayId, limits: Limits) {
        self.inner().limits.insert(gateway.clone(), limits);
    }
    /// Takes one sample, of a gateway or (`gateway: None`) of this host.
    pub fn push(&self, sample: Sample) {
        self.sense();
        {
            let mut inner = self.inner();
            if let (By::ZoneLabel, Some(gateway)) = (sample.by, sample.gateway.clone()) {
                inner.labels.insert(gateway, sample);
                return;
            }
            // Measured before the clock was moved, delivered after.
            if inner.moved.is_some_and(|m| m.at.boot.is_some() && sample.at.boot < m.at.boot) {
                return;
            }
            // A gateway that was away may have come back as another machine, or with another clock.
            let back = sample.gateway.as_ref().is_some_and(|g| inner.lost.remove(g));
            let kept = match &sample.gateway {
                Some(g) => inner.gateways.entry(g.clone()).or_default(),
                None => &mut inner.host,
            };
            if back {
                kept.clear();
            }
            if matches!(sample.by, By::Kernel | By::Daemon) || sample.server.is_some() {
                // Evidence that does not count: its newest word is enough, and must not push out what counts.
                kept.retain(|s| s.by != sample.by || s.server != sample.server);
            }
            kept.push_front(sample);
            kept.truncate(KEPT);
        }
        self.pushed.send_modify(|n| *n = n.wrapping_add(1));
    }
    /// A request to this gateway got no answer: once one comes, what was measured before no longer counts.
    pub fn lost(&self, gateway: &GatewayId) {
        self.inner().lost.insert(gateway.clone());
    }
    /// Its address changed: whatever was measured is of another machine.
    pub fn changed(&self, gateway: &GatewayId) {
        self.inner().gateways.remove(gateway);
    }
    /// Drops what was measured of this gateway before `since`, if something usable was measured after: a person asked again,
    /// because its clock was put right. Kept, the old samples would contradict the new ones for a minute.
    pub fn renew(&self, gateway: &GatewayId, since: &Stamp) {
        if let Some(samples) = self.inner().gateways.get_mut(gateway) {
            let after = |s: &Sample| s.at.boot >= since.boot;
            if samples.iter().any(|s| s.interval.is_some() && after(s)) {
                samples.retain(after);
            }
        }
    }
    /// Forgets a gateway that is no longer configured.
    pub fn forget(&self, gateway: &GatewayId) {
        let mut inner = self.inner();
        inner.gateways.remove(gateway);
        inner.limits.remove(gateway);
        inner.labels.remove(gateway);
        inner.declared.remove(&Some(gateway.clone()));
    }
    /// Looks at this host's clocks. A step or a sleep since the last look voids every verdict, and is returned. Every use of a
    /// sample looks, so that none outlives a step; who shows a code looks twice a second.
    pub fn sense(&self) -> Option<Moved> {
        let mut inner = self.inner();
        let now = Reading::of(&*self.time);
        let how = inner.seen.replace(now).and_then(|before| before.until(&now))?;
        self.void(inner, how);
        Some(how)
    }
    /// Notes that the clock was set, by whoever knows it better than its reading: voids every verdict. Returns the new epoch.
    pub fn moved(&self) -> u64 {
        let mut inner = self.inner();
        let now = Reading::of(&*self.time);
        let how = inner.seen.replace(now).and_then(|before| before.until(&now));
        self.void(inner, how.unwrap_or(Moved { by_ms: None, slept: None, at: now.at }))
    }
    /// The kernel says that the clock was set. What was noticed of it by a look a moment ago is not noticed twice.
    pub fn was_set(&self) {
        let noticed = |inner: &Inner, now: &Stamp| inner.moved.is_some_and(|m| m.at.age(now) < TWICE);
        if self.sense().is_none() && !noticed(&self.inner(), &self.time.now()) {
            self.moved();
        }
    }
    fn void(&self, mut inner: MutexGuard<'_, Inner>, how: Moved) -> u64 {
        inner.epoch += 1;
        inner.moved = Some(how);
        inner.gateways.values_mut().for_each(VecDeque::clear);
        inner.host.clear();
        let epoch = inner.epoch;
        drop(inner);
        self.moves.send_modify(|m| (m.epoch, m.last) = (epoch, Some(how)));
        epoch
    }
    /// Tells of each move of a clock, and of how much depends on the clocks.
    pub fn moves(&self) -> watch::Receiver<Moves> {
        self.moves.subscribe()
    }
    /// Tells of each sample that was taken, of whichever gateway.
    pub fn pushed(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }
    /// Says that a code depends on the clocks until the guard is dropped.
    pub fn depend(&self) -> Depends {
        self.moves.send_modify(|m| m.depend += 1);
        Depends(self.moves.clone())
    }
    /// When this gateway's clock was asked last, with whatever outcome. `None`: not since the clocks moved.
    pub fn asked(&self, gateway: &GatewayId) -> Option<Stamp> {
        self.inner().gateways.get(gateway)?.front().map(|s| s.at)
    }
    /// The current epoch: an Offer shown under a lower one must be hidden.
    pub fn epoch(&self) -> u64 {
        self.inner().epoch
    }
    /// The conclusion on one gateway for header, overlay and JSON: samples count for ten minutes.
    pub fn view(&self, gateway: &GatewayId) -> GateView {
        self.zoned(self.judged(gateway, TTL_SHOWN))
    }
    /// The conclusion that a code depends on: samples count for one minute.
    pub fn strict(&self, gateway: &GatewayId) -> GateView {
        self.zoned(self.judged(gateway, TTL_PAIRING))
    }
    /// True when the newest usable sample of this gateway is older than 60 s (or than the current epoch), or when its
    /// samples contradict each other, so that it must be asked again.
    pub fn is_old(&self, gateway: &GatewayId) -> bool {
        self.sense();
        let now = self.time.now();
        let mut inner = self.inner();
        let samples = inner.gateways.entry(gateway.clone()).or_default().make_contiguous();
        !samples.iter().any(|s| judge::usable(s, &now, TTL_PAIRING)) || judge::torn(samples, &now, TTL_PAIRING)
    }
    /// True when the samples contradict each other: one more probe, more than a second after the newest, settles it.
    pub fn is_torn(&self, gateway: &GatewayId) -> bool {
        let now = self.time.now();
        let mut inner = self.inner();
        judge::torn(inner.gateways.entry(gateway.clone()).or_default().make_contiguous(), &now, TTL_PAIRING)
    }
    /// How long to wait before one more probe, where one answer alone says that this gateway's clock is off, or two contradict
    /// each other: a `Date` that stands still is told from a clock that is wrong only by two probes so far apart. `None`: what
    /// was measured needs no second word.
    pub fn doubt(&self, gateway: &GatewayId) -> Option<Duration> {
        let now = self.time.now();
        let mut inner = self.inner();
        let limits = inner.limits.get(gateway).copied().unwrap_or(Limits::DEFAULT);
        judge::doubt(inner.gateways.entry(gateway.clone()).or_default().make_contiguous(), limits, &now, TTL_PAIRING)
    }
    /// Lets an Offer through, or says why not. A blocked Offer is dropped: it may never be shown later.
    pub fn admit(&self, gateway: &GatewayId, offer: Ungated, consent: &Consent) -> Result<Shown, Hidden> {
        let view = self.strict(gateway);
        let overridden = match view.verdict {
            Verdict::Ok | Verdict::Warn => false,
            Verdict::Unknown if consent.unknown => false,
            Verdict::Unknown => return Err(Hidden::Unknown(offer)),
            Verdict::Blocked if consent.covers(&view) => true,
            Verdict::Blocked => return Err(Hidden::Blocked),
        };
        Ok(Shown { offer: offer.into_inner(), verdict: view.verdict, overridden, epoch: view.epoch })
    }
    /// Whether an attempt may start: unless a clock blocks and nobody overrode it. `Err` is the view that blocks.
    pub fn may_start(&self, gateway: &GatewayId, consent: &Consent) -> Result<GateView, Box<GateView>> {
        let view = self.strict(gateway);
        if view.verdict == Verdict::Blocked && !consent.covers(&view) { Err(Box::new(view)) } else { Ok(view) }
    }

    fn judged(&self, gateway: &GatewayId, ttl: Duration) -> GateView {
        self.sense();
        let now = self.time.now();
        let mut inner = self.inner();
        let limits = inner.limits.get(gateway).copied().unwrap_or(Limits::DEFAULT);
        let epoch = inner.epoch;
        let mut host = Vec::from_iter(inner.host.iter().cloned());
        let mut below = floor::sample(now, self.floor);
        let asked = host.iter().any(|s| s.by == By::Ntp && judge::usable(s, &now, ttl));
        match below.detail.as_str() {
            // Nothing that a reference said can outweigh a clock that shows a time before this program existed.
            floor::BELOW => host.retain(|s| matches!(s.by, By::Kernel | By::Daemon)),
            // A saved time can be wrong itself; a reference that answers now knows better.
            floor::BELOW_SAVED if asked => below = floor::sample(now, BUILD_FLOOR),
            _ => {}
        }
        host.push(below);
        let remote = judge::judge(inner.gateways.entry(gateway.clone()).or_default().make_contiguous(), limits, &now, ttl);
        let was = judge::judge(&host, limits, &now, Duration::MAX).verdict;
        let host = judge::judge(&host, limits, &now, ttl);
        let torn = |j: &Judgement| j.cause == Some(verdict::Cause::SourcesConflict);
        // A host that nothing measured is "not asked" and does not count; a gateway that nothing measured does. A host that
        // was blocked when it was last asked about is not fine because nobody asked again.
        let verdict = match (host.skew.is_some() || torn(&host), was) {
            (true, _) => remote.verdict.join(host.verdict),
            (false, Verdict::Blocked) => remote.verdict.join(Verdict::Unknown),
            (false, _) => remote.verdict,
        };
        let side =
            if torn(&host) || torn(&remote) { Some(Side::CannotTell) } else { verdict::side(host.skew.as_ref(), remote.skew.as_ref(), limits) };
        let moved = inner.moved.filter(|_| remote.samples.iter().all(|s| s.detail.as_str() == http_date::STEPPED));
        GateView { gateway: gateway.clone(), limits, verdict, host, remote, side, at: now, epoch, moved, zone: None, host_zone: None }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
