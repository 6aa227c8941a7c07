//! What the gate concludes on one gateway and this host.

use crate::{
    clock::{
        Limits, Verdict,
        sample::Interval,
        steps::Moved,
        verdict::{Judgement, Side},
        zones::Expected,
    },
    domain::{GatewayId, Stamp},
};

/// What the gate knows of one gateway, for header, evidence overlay and JSON.
#[derive(Clone, Debug)]
pub struct GateView {
    /// The gateway.
    pub gateway: GatewayId,
    /// The thresholds that it was judged by.
    pub limits: Limits,
    /// The join of both judgements.
    pub verdict: Verdict,
    /// This host.
    pub host: Judgement,
    /// The gateway.
    pub remote: Judgement,
    /// Who is wrong, where something is.
    pub side: Option<Side>,
    /// When it was concluded.
    pub at: Stamp,
    /// Rises whenever a clock was seen to move: a pass of an older epoch is void.
    pub epoch: u64,
    /// How this host's clock was moved, until the gateway's was asked again.
    pub moved: Option<Moved>,
    /// The timezone that was declared for the gateway, beside the one it shows.
    pub zone: Option<Expected>,
    /// The same of this host.
    pub host_zone: Option<Expected>,
}

impl GateView {
    /// The largest absolute skew of either clock in milliseconds, where one is known. Of a clock that is only known to be off by
    /// more than something, that much.
    pub fn worst_ms(&self) -> Option<i64> {
        let worst = |s: &Interval| if s.is_open() { s.min_abs() } else { s.max_abs() };
        [&self.host, &self.remote].into_iter().filter_map(|j| j.skew.as_ref().map(worst)).max()
    }
    /// By how many milliseconds the sources contradict each other at the least, where they do: then no clock is known to be the
    /// one that is off.
    pub fn conflict_ms(&self) -> Option<i64> {
        [&self.host, &self.remote].into_iter().filter_map(Judgement::conflict_ms).max()
    }
    /// The override that an operator gives who looks at this view.
    pub fn overriding(&self) -> Option<(u64, i64)> {
        (self.verdict == Verdict::Blocked).then(|| (self.epoch, self.worst_ms().unwrap_or(0)))
    }
    /// The clock that this view speaks of, and whether it is this host's: the one that is wrong where that is known, else the
    /// worse of the two. `None` when neither gave a figure, or when sources contradict each other.
    pub fn spoken(&self) -> Option<(bool, Interval)> {
        if self.conflict_ms().is_some() {
            return None;
        }
        let worse = self.host.verdict > self.remote.verdict;
        let here = self.remote.skew.is_none() || self.host.skew.is_some() && (worse || self.side == Some(Side::Host));
        if here { self.host.skew.map(|s| (true, s)) } else { self.remote.skew.map(|s| (false, s)) }
    }
    /// By how many milliseconds that clock is ahead (negative: behind), and whether it is this host's. Of a clock that is only
    /// known to be behind by more than something, that much.
    pub fn ahead_ms(&self) -> Option<(bool, i64)> {
        // A host's skew is reference minus host: above zero the host is behind.
        self.spoken().map(|(here, skew)| (here, if here { skew.mid().saturating_neg() } else { skew.mid() }))
    }
}
