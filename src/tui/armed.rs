//! Armed actions: their countdowns, who has the focus, and why one may fire or must not.
//!
//! An action fires only if its countdown was on the screen within the last second and a half. A hung terminal, a suspended
//! machine or a screen too small to show it disarms.

use crate::{
    domain::{Action, Boot, Target, Tier},
    engine::mailbox::OpView,
};
use std::{collections::HashSet, time::Duration};

/// A countdown must have been drawn this lately to fire.
const SEEN: Duration = Duration::from_millis(1500);
/// Enter and the arming key are swallowed this long after arming: they repeat while held.
pub const SWALLOW: Duration = Duration::from_millis(300);
/// An arm request that the engine has not answered is forgotten after this.
const ANSWER: Duration = Duration::from_secs(10);

/// One armed action.
#[derive(Clone, Debug)]
pub struct ArmedOp {
    /// As the engine told it.
    pub view: OpView,
    /// Since when it is here.
    pub since: Boot,
    /// When it fires or lapses; `None`: it waits.
    pub ends: Option<Boot>,
    /// True when `ends` fires it; false when it lapses then.
    pub fires: bool,
    /// When it was last on the screen.
    pub drawn: Option<Boot>,
}

/// What an armed action comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Start it.
    Fire,
    /// Its time is over, but nobody could see the countdown.
    Unseen,
    /// Nobody pressed Enter.
    Lapsed,
}

/// All armed actions, oldest first.
#[derive(Debug, Default)]
pub struct Armed {
    ops: Vec<ArmedOp>,
    /// True while Enter fires the newest.
    pub focus: bool,
    asked: Vec<(Target, Action, Boot)>,
    at_once: Vec<(Target, Action, Boot)>,
    spent: HashSet<i64>,
}

impl Armed {
    /// The newest.
    pub fn newest(&self) -> Option<&ArmedOp> {
        self.ops.last()
    }

    /// All, oldest first.
    pub fn all(&self) -> &[ArmedOp] {
        &self.ops
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The armed action on that row.
    pub fn on(&self, target: &Target) -> Option<&ArmedOp> {
        self.ops.iter().rev().find(|o| o.view.target.same(target))
    }

    /// True when an arm request for the row is on its way: a second key press is the same wish.
    pub fn asked(&self, target: &Target, now: Boot) -> bool {
        self.asked.iter().any(|(t, _, at)| t.same(target) && now.since(*at) < ANSWER)
    }

    /// Notes that the engine was asked to arm. `at_once`: a person answered the question for it already.
    pub fn ask(&mut self, target: Target, action: Action, now: Boot, at_once: bool) {
        self.asked.retain(|(_, _, at)| now.since(*at) < ANSWER);
        self.at_once.retain(|(_, _, at)| now.since(*at) < ANSWER);
        if at_once {
            self.at_once.push((target.clone(), action.clone(), now));
        }
        self.asked.push((target, action, now));
    }

    /// The engine armed one. True: fire it at once.
    pub fn put(&mut self, view: OpView, now: Boot, swift: Duration, hold: Duration) -> bool {
        if self.spent.contains(&view.id) {
            return false;
        }
        if let Some(o) = self.ops.iter_mut().find(|o| o.view.id == view.id) {
            o.view = view;
            return false;
        }
        let same = |(t, a, _): &(Target, Action, Boot)| t.same(&view.target) && *a == view.action;
        if let Some(i) = self.asked.iter().position(same) {
            self.asked.remove(i);
        }
        let answered = self.at_once.iter().position(same).map(|i| self.at_once.remove(i)).is_some_and(|(_, _, at)| now.since(at) < ANSWER);
        if answered || view.tier == Tier::Now {
            self.spent.insert(view.id);
            return true;
        }
        let fires = view.tier == Tier::Swift && !swift.is_zero();
        let ends = if fires {
            Some(now.plus(swift))
        } else if hold.is_zero() {
            None
        } else {
            Some(now.plus(hold))
        };
        self.ops.push(ArmedOp { view, since: now, ends, fires, drawn: None });
        self.focus = true;
        false
    }

    /// The engine refused to arm, or the request came to nothing.
    pub fn refused(&mut self, target: &Target) {
        self.asked.retain(|(t, _, _)| !t.same(target));
        self.at_once.retain(|(t, _, _)| !t.same(target));
    }

    /// Forgets one that is no longer armed.
    pub fn drop(&mut self, id: i64) -> Option<ArmedOp> {
        let at = self.ops.iter().position(|o| o.view.id == id)?;
        self.spent.insert(id);
        let op = self.ops.remove(at);
        if self.ops.is_empty() {
            self.focus = false;
        }
        Some(op)
    }

    /// An op ended for good; its number need not be remembered.
    pub fn forget(&mut self, id: i64) {
        self.spent.remove(&id);
    }

    /// True while Enter must be swallowed.
    pub fn too_fresh(&self, now: Boot) -> bool {
        self.newest().is_some_and(|o| now.since(o.since) < SWALLOW)
    }

    /// The armed row, or the `+N` that counts the others, was drawn.
    pub fn drawn(&mut self, now: Boot) {
        for o in &mut self.ops {
            o.drawn = Some(now);
        }
    }

    /// What is due. Each is taken out: the caller sends what it comes to.
    pub fn due(&mut self, now: Boot) -> Vec<(ArmedOp, Outcome)> {
        let mut out = Vec::new();
        let mut i = 0;
        while i < self.ops.len() {
            let o = &self.ops[i];
            let seen = o.drawn.is_some_and(|d| now.since(d) <= SEEN);
            let gap = o.drawn.is_some_and(|d| now.since(d) > SEEN) || (o.drawn.is_none() && now.since(o.since) > SEEN);
            let over = o.ends.is_some_and(|e| e <= now);
            let outcome = match (o.fires, over) {
                (true, true) if seen => Some(Outcome::Fire),
                (true, true) => Some(Outcome::Unseen),
                // Before its end too: a countdown that nobody could follow has told nobody.
                (true, false) if gap => Some(Outcome::Unseen),
                (false, true) => Some(Outcome::Lapsed),
                _ => None,
            };
            match outcome {
                Some(outcome) => {
                    let o = self.ops.remove(i);
                    self.spent.insert(o.view.id);
                    out.push((o, outcome));
                }
                None => i += 1,
            }
        }
        if self.ops.is_empty() {
            self.focus = false;
        }
        out
    }

    /// When the next whole second of a countdown begins.
    pub fn next(&self, now: Boot) -> Option<Boot> {
        self.ops
            .iter()
            .filter_map(|o| {
                let ends = o.ends?;
                let left = ends.0.saturating_sub(now.0);
                Some(if o.fires { Boot(now.0 + if left % 1000 == 0 { left.min(1000) } else { left % 1000 }) } else { ends })
            })
            .min()
    }
}
