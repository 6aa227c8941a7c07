//! The gate: asked before an attempt starts and before every Offer; the only way from a provider's Offer to a screen.

use super::{
    Limits, Verdict,
    sample::Sample,
    verdict::{Judgement, Side},
};
use crate::domain::{GatewayId, Offer, Stamp, Time, Ungated};
use std::sync::Arc;

/// What the gate knows of one gateway, for header, evidence overlay and JSON.
#[derive(Clone, Debug)]
pub struct GateView {
    /// The gateway.
    pub gateway: GatewayId,
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

/// All gateways' samples and this host's, judged on demand.
pub struct Gate {
    _time: Arc<dyn Time>,
}

impl Gate {
    /// An empty gate.
    pub fn new(time: Arc<dyn Time>) -> Self {
        Self { _time: time }
    }
    /// Sets the thresholds of a gateway.
    pub fn limits(&self, _gateway: &GatewayId, _limits: Limits) {
        todo!()
    }
    /// Takes one sample.
    pub fn push(&self, _sample: Sample) {
        todo!()
    }
    /// Notes that a clock was moved or the machine slept: voids every verdict. Returns the new epoch.
    pub fn moved(&self) -> u64 {
        todo!()
    }
    /// The conclusion on one gateway, now.
    pub fn view(&self, _gateway: &GatewayId) -> GateView {
        todo!()
    }
    /// True when the newest usable sample of this gateway is older than 60 s (or than the current epoch), so that it must be asked again.
    pub fn is_old(&self, _gateway: &GatewayId) -> bool {
        todo!()
    }
    /// Lets an Offer through, or says why not.
    pub fn admit(&self, _gateway: &GatewayId, _offer: Ungated, _consent: &Consent) -> Result<Shown, Hidden> {
        todo!()
    }
    /// Whether an attempt may start. `Err` is the view that blocks.
    pub fn may_start(&self, _gateway: &GatewayId, _consent: &Consent) -> Result<GateView, Box<GateView>> {
        todo!()
    }
}
