//! Pairing: one task an attempt. The gate is asked before anything is sent and before every Offer is drawn; this is the one
//! place where an Offer meets it, so that no provider can forget it.

mod attempt;
mod driver;
mod gate;
mod hand;
mod keys;
mod record;

pub use attempt::{Start, run, spoilt};

use super::mailbox::PairView;
use crate::{
    clock::gate::{GateView, Shown},
    domain::{Fact, Prompt, Reason},
};

/// What happened, one by one, for headless output. The screen shows [`PairView`] instead.
#[derive(Debug)]
pub enum News<'a> {
    /// Waiting for something.
    Waiting(&'a Reason),
    /// An Offer may be shown.
    Offer(&'a Shown, &'a GateView),
    /// An old code was discarded.
    Discarded(&'a Reason),
    /// The Offer of that number died.
    Expired(u32),
    /// An Offer is held back for this reason.
    Hidden(&'a Reason),
    /// The gate blocks; `started` tells whether anything was sent.
    Blocked(&'a GateView, bool),
    /// The phone has it.
    Scanned(u32),
    /// A question.
    Ask(&'a Prompt),
    /// A destructive plan is needed first.
    Needs(&'a Reason),
    /// Linked, after so many seconds.
    Linked(&'a [Fact], u64),
    /// Over.
    Failed(&'a Reason),
}

/// Who watches an attempt.
pub trait Watcher: Send + Sync {
    /// The whole view, after each change.
    fn view(&mut self, view: &PairView);
    /// One happening.
    fn news(&mut self, news: News<'_>);
}

/// How an attempt ended.
#[derive(Debug)]
pub enum PairEnd {
    /// Linked.
    Linked,
    /// The person left; the gate blocked then, if so.
    Left {
        /// True when the gate blocked at that moment.
        blocked: bool,
    },
    /// Over for this reason.
    Failed(Reason),
}
