//! On-screen guidance: steps that lead a newcomer through the demo, each ticked off by what was seen to happen.

use super::app::App;
use crate::i18n::{Words, deck as w};

/// One step: what to do, and how it is known to be done.
#[derive(Clone, Copy)]
pub struct Step {
    /// What to do.
    pub text: &'static Words,
    /// True once it is done. Reads only.
    pub done: fn(&App) -> bool,
}

/// What happened so far, counted from the engine's news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Linked by QR.
    pub linked_qr: u32,
    /// Linked by a code.
    pub linked_code: u32,
    /// Old codes discarded.
    pub discarded: u32,
    /// Attempts that the clock blocked.
    pub blocked: u32,
    /// Blocks that were overridden.
    pub overridden: u32,
    /// Armed actions taken back.
    pub undone: u32,
    /// Ops that were carried out.
    pub done: u32,
    /// Cursor movements.
    pub moved: u32,
}

/// The five-minute tour.
pub fn tour() -> Vec<Step> {
    vec![
        Step { text: &w::TOUR_MOVE, done: |a| a.seen.moved >= 3 },
        Step { text: &w::TOUR_CODE, done: |a| a.seen.linked_code > 0 },
        Step { text: &w::TOUR_QR, done: |a| a.seen.linked_qr > 0 },
        Step { text: &w::TOUR_STALE, done: |a| a.seen.discarded > 0 },
        Step { text: &w::TOUR_BLOCKED, done: |a| a.seen.blocked > 0 },
        Step { text: &w::TOUR_OVERRIDE, done: |a| a.seen.overridden > 0 },
        Step { text: &w::TOUR_UNDO, done: |a| a.seen.undone > 0 },
        Step { text: &w::TOUR_WIPE, done: |a| a.seen.done > 0 },
        Step { text: &w::TOUR_END, done: |_| false },
    ]
}

/// The guide at work.
#[derive(Default)]
pub struct Guide {
    steps: Vec<Step>,
    ticked: Vec<bool>,
}

impl Guide {
    /// A guide over these steps; none: no guide is drawn.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { ticked: vec![false; steps.len()], steps }
    }

    /// True when there is something to draw.
    pub fn is_on(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Ticks off what is done, in any order. Called after each update.
    pub fn look(app: &mut App) {
        for i in 0..app.guide.steps.len() {
            if !app.guide.ticked[i] && (app.guide.steps[i].done)(app) {
                app.guide.ticked[i] = true;
            }
        }
    }

    /// The first step that is not done: its number from 1, how many there are, its words.
    pub fn current(&self) -> Option<(usize, usize, &'static Words)> {
        let at = self.ticked.iter().position(|t| !t)?;
        Some((at + 1, self.steps.len(), self.steps[at].text))
    }
}
