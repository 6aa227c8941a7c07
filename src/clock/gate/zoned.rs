//! Declared timezones at the gate: a warning where another offset is found, and nothing more.

use super::Gate;
use crate::{
    clock::{
        Verdict,
        gate::GateView,
        verdict::Cause,
        zones::{self, Expected},
    },
    domain::GatewayId,
};

impl Gate {
    /// Declares the timezone of a gateway, or (`gateway: None`) of this host. Another offset there is a warning, never more.
    pub fn expect_zone(&self, gateway: Option<&GatewayId>, zone: Option<&str>) {
        let mut inner = self.inner();
        match zone {
            Some(zone) => inner.declared.insert(gateway.cloned(), zone.into()),
            None => inner.declared.remove(&gateway.cloned()),
        };
    }

    /// Adds what timezones say: evidence, and a warning where a declared one differs. It is no skew and blocks nothing.
    pub(super) fn zoned(&self, mut view: GateView) -> GateView {
        let inner = self.inner();
        let label = inner.labels.get(&view.gateway);
        let shown = label.and_then(|s| zones::quarters(s.interval?.mid()));
        // Compared at the instant of the label: summer time may have begun since.
        let at = label.map_or(view.at.wall, |s| s.at.wall);
        view.zone = inner.declared.get(&Some(view.gateway.clone())).and_then(|name| Expected::of(name, at, shown));
        view.host_zone = inner.declared.get(&None).and_then(|name| Expected::of(name, view.at.wall, zones::own_offset(view.at.wall)));
        view.remote.samples.extend(label.cloned());
        let differs = |zone: &Option<Expected>| zone.as_ref().is_some_and(|z| z.differs().is_some());
        for (zone, judged) in [(&view.zone, &mut view.remote), (&view.host_zone, &mut view.host)] {
            if differs(zone) {
                view.verdict = view.verdict.join(Verdict::Warn);
                if judged.verdict == Verdict::Ok {
                    (judged.verdict, judged.cause) = (Verdict::Warn, Some(Cause::ZoneDiffers));
                }
            }
        }
        view
    }
}
