//! The pairing screen's panels as sentences, for a deck that is heard. The words are those of the screen.

use super::{
    PairScreen,
    facts::{clock_line, off, told, what},
    panel::Panel,
    part::stack,
};
use crate::{clock::Verdict, clock::gate::GateView, engine::mailbox::PairView, tui::view::ViewCx};

/// So wide that nothing wraps.
const WIDTH: usize = 2_000;

/// The stage's panel, a line each. Empty while an Offer is on screen. Waits that the screen counts in seconds are left out.
pub fn lines(view: &PairView, screen: &PairScreen, cx: &ViewCx) -> Vec<String> {
    let panel = Panel { view, screen, cx, width: WIDTH };
    let rows = stack(panel.parts(), 200);
    let text = |row: super::part::Row| row.line.spans.iter().map(|s| s.content.as_ref()).collect::<String>();
    let counted = |s: &str| s.strip_suffix(" s").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let mut out = Vec::new();
    for (n, row) in rows.into_iter().enumerate() {
        let text = text(row);
        // The head begins with a glyph that says nothing by itself.
        let text = if n == 0 { text.split_once(' ').map_or("", |(_, rest)| rest) } else { &text };
        let pieces: Vec<&str> = text.split("  ").map(str::trim).filter(|p| !p.is_empty() && !counted(p)).collect();
        if !pieces.is_empty() {
            out.push(pieces.join(", "));
        }
    }
    out
}

/// What a gate knows, and what to do where a clock is wrong.
pub fn gate(gate: &GateView, cx: &ViewCx) -> Vec<String> {
    let mut out = vec![clock_line(Some(gate), cx).0.replace("  ", ", ")];
    if gate.verdict >= Verdict::Warn && off(gate, cx).is_some() {
        let told = told(gate, cx);
        out.push(what(Some(gate), cx));
        out.extend(told.why.into_iter().chain(told.act).chain(told.advice));
    }
    out
}
