//! What the gate knows of this host alone, for who asks time servers.

use super::{Gate, TTL_SHOWN};
use crate::{
    clock::{
        http_date, judge,
        sample::{By, Sample},
        verdict::Judgement,
    },
    domain::{GatewayId, Stamp},
};
use std::time::Duration;

impl Gate {
    /// This host alone, by the default limits: for a house without gateways.
    pub fn host(&self) -> Judgement {
        self.judged(&GatewayId::new(""), TTL_SHOWN).host
    }
    /// True when no reference told anything about this host within `limit`.
    pub fn is_host_old(&self, limit: Duration) -> bool {
        let now = self.time.now();
        !self.inner().host.iter().any(|s| s.by == By::Ntp && judge::usable(s, &now, limit))
    }
    /// Drops what was measured of this host before `since`, if a reference told something after: a person asked again.
    pub fn renew_host(&self, since: &Stamp) {
        let after = |s: &Sample| s.at.boot >= since.boot;
        let mut inner = self.inner();
        if inner.host.iter().any(|s| s.interval.is_some() && s.server.is_none() && after(s)) {
            inner.host.retain(|s| after(s) || matches!(s.by, By::Kernel | By::Daemon));
        }
    }
    /// True when a reference was asked after `since`, whatever it said, and the clock stood still meanwhile.
    pub fn host_told_since(&self, since: &Stamp) -> bool {
        self.inner().host.iter().any(|s| s.by == By::Ntp && s.at.boot > since.boot && s.detail.as_str() != http_date::STEPPED)
    }
}
