//! The clock evidence: opened, asked again, scrolled; and which answers are still on their way.

use crate::{
    domain::{Boot, GatewayId},
    engine::Command,
    tui::{
        app::App,
        effect::Do,
        overlay::Overlay,
        view::{overlays, panel},
    },
};
use std::{collections::BTreeSet, time::Duration};

/// A gateway that gave no answer for so long is said to be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gateways that a person asked for the time.
pub struct Asked {
    /// When.
    pub at: Boot,
    /// Those that did not answer yet.
    pub waiting: BTreeSet<GatewayId>,
}

impl Asked {
    /// True when those that still wait are not expected to answer any more.
    pub fn over(&self, now: Boot) -> bool {
        now.since(self.at) >= PATIENCE
    }

    /// When that comes to be.
    pub fn ends(&self, now: Boot) -> Option<Boot> {
        let at = self.at.plus(PATIENCE);
        (!self.waiting.is_empty() && at > now).then_some(at)
    }
}

/// Opens the evidence and asks for the offsets of the last day.
pub(super) fn open(app: &mut App, out: &mut Vec<Do>) {
    app.overlays.push(Overlay::Clock { scroll: 0 });
    out.push(Do::Send(Command::ClockTracks));
}

/// Asks every gateway for the time.
pub(super) fn ask(app: &mut App, out: &mut Vec<Do>) {
    let waiting = app.fleet.gateways().iter().map(|g| g.view.id.clone()).collect();
    app.asked = Some(Asked { at: app.now.boot_now(), waiting });
    if let Some(Overlay::Clock { scroll }) = app.overlays.last_mut() {
        *scroll = 0;
    }
    out.push(Do::Send(Command::AskClock(None)));
    out.push(Do::Send(Command::ClockTracks));
}

/// A gate was judged anew: its gateway has answered when something of it was measured since it was asked.
pub(super) fn answered(app: &mut App, id: &GatewayId) {
    let (Some(asked), Some(gate)) = (app.asked.as_mut(), app.gates.get(id)) else { return };
    if gate.remote.samples.iter().any(|s| s.at.boot_now() >= asked.at) {
        asked.waiting.remove(id);
    }
    if asked.waiting.is_empty() {
        app.asked = None;
    }
}

/// Never further down than where the last line stands at the bottom.
pub(super) fn bound(app: &mut App) {
    let last = overlays::clock_lines(app, panel::inner_width(app, false)).len().saturating_sub(panel::inner_height(app));
    if let Some(Overlay::Clock { scroll }) = app.overlays.last_mut() {
        *scroll = (*scroll).min(last);
    }
}

/// The evidence as text.
pub(super) fn text(app: &App) -> String {
    overlays::clock_lines(app, panel::inner_width(app, false)).join("\n")
}
