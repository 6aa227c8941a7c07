//! One pairing attempt as a state machine: what was heard goes in, what to do comes out. No I/O, no clock of its own.

mod hear;

use super::{
    events::What,
    fresh::{LIFE, Parts, Proof, UNPROVEN_AFTER},
    wire::{Connect, Instance},
};
use crate::domain::{Fresh, Method, Payload, Reason, ReasonCode, Stamp, Ungated, Want};
use std::{collections::HashSet, time::Duration};
use tokio::time::Instant;

/// Pause between questions while no events come.
const ASK: Duration = Duration::from_secs(1);
/// Pause while events come.
const ASK_WITH_EVENTS: Duration = Duration::from_secs(5);
/// How long a session that is there may show that it is no linked one, before a person is asked.
const DECIDE: Duration = Duration::from_secs(8);
/// How long the old session is given to close.
const CLOSING: Duration = Duration::from_secs(15);
/// How long nothing may be heard of the server.
const PATIENCE: Duration = Duration::from_secs(60);
/// A session that shows no code for this long shows none.
const NO_CODE: Duration = Duration::from_secs(90);
/// Life left below which a reconnect means the end of the code, not a scan: the server rotates at 45 s.
const ALMOST_DEAD: Duration = Duration::from_secs(2);

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// An event of this name.
    Event(What),
    /// The stream ended, or was never there.
    StreamGone,
    /// The answer of `connect`.
    Connected(Result<Connect, Reason>),
    /// The memory state; `None`: not in memory.
    State(Result<Option<Box<str>>, Reason>),
    /// The logout ended.
    LoggedOut(Result<(), Reason>),
    /// The row, asked for to learn why the session closed.
    Row(Result<Option<Instance>, Reason>),
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Do {
    /// Send `connect`, with the number where one is wanted.
    Connect,
    /// Ask for the memory state.
    State,
    /// End the session.
    Logout,
    /// Ask for the row.
    Row,
    /// Keep what is known of the sessions; with the reference of a proven one.
    Remember(Parts, bool),
    /// Tell the engine.
    Waiting(Reason),
    /// Tell the engine.
    Offer(Ungated),
    /// Tell the engine.
    Discarded(Reason),
    /// Tell the engine.
    Expired,
    /// Tell the engine.
    Scanned,
    /// A wipe must be agreed to.
    NeedsWipe(Reason),
    /// It is online: fetch the row and say so.
    Linked,
    /// Over.
    Failed(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A session is there; one look at its code is under way.
    Looking,
    /// A code is wanted and a session is there: is it a linked one?
    Deciding(Instant),
    /// The operator was asked.
    Asked,
    /// The old session is being ended.
    Ending(Instant),
    /// Our request is out.
    Running,
    Over,
}

struct Hand {
    dies: Instant,
}

/// One attempt.
pub(super) struct Attempt {
    want: Want,
    phase: Phase,
    proof: Proof,
    /// Proof that the session that stands in the way shows codes, so is no linked one.
    standing: Proof,
    /// Every key set seen, to be known when the standing session ends.
    seen: HashSet<u64>,
    discarded: HashSet<Parts>,
    hand: Option<Hand>,
    candidate: Option<(Parts, Payload)>,
    offered: bool,
    scanned: bool,
    /// Events of this name were heard since the request.
    live: bool,
    connecting: bool,
    calls: Calls,
    /// What is left of the life of the code that our own last attempt proved.
    left: Duration,
    asked: Instant,
    next_ask: Instant,
    silent_since: Option<Instant>,
    /// The server or its stream was away since the last proven code.
    lost: bool,
    hint: Option<Hint>,
    /// What went wrong last, for a session that never began.
    last_trouble: Option<Reason>,
    before: (Option<i64>, Option<crate::domain::Wall>),
    /// A session was begun by us, with a number.
    numbered: bool,
    out: Vec<Do>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    Limit,
    Code(i64),
}

#[derive(Default)]
struct Calls {
    connect: bool,
    state: bool,
    row: bool,
    logout: bool,
}

/// What is known when an attempt begins.
pub(super) struct Start<'a> {
    /// The row.
    pub(super) row: &'a Instance,
    /// Memory state.
    pub(super) state: Option<&'a str>,
    /// Key fields of earlier sessions.
    pub(super) known: &'a [u64],
    /// The code that an attempt of ours proved, and how long ago, while it may still live.
    pub(super) ours: Option<(Parts, Duration)>,
}

impl Attempt {
    /// Begins. Nothing was sent yet; the stream is open if there is one.
    pub(super) fn new(want: Want, start: &Start<'_>, now: Instant) -> Self {
        let mut a = Self {
            want,
            phase: Phase::Running,
            proof: Proof::default(),
            standing: Proof::default(),
            seen: start.known.iter().copied().collect(),
            discarded: HashSet::new(),
            hand: None,
            candidate: None,
            offered: false,
            scanned: false,
            live: false,
            connecting: false,
            calls: Calls::default(),
            left: Duration::ZERO,
            asked: now,
            next_ask: now,
            silent_since: None,
            lost: false,
            hint: None,
            last_trouble: None,
            before: (start.row.code, start.row.disconnected),
            numbered: false,
            out: Vec::new(),
        };
        if let Some((ours, age)) = start.ours {
            a.standing.presume(ours);
            a.left = LIFE.saturating_sub(age);
        }
        for k in start.known {
            a.proof.know(*k);
        }
        if start.state == Some("connecting") {
            a.phase = Phase::Looking;
            a.say(Do::Waiting(Reason::new(ReasonCode::Asking)));
            a.connect();
        } else {
            a.request(now);
        }
        a
    }

    /// What is to be done, in order.
    pub(super) fn take(&mut self) -> Vec<Do> {
        std::mem::take(&mut self.out)
    }

    /// When [`Attempt::tick`] wants to be called.
    pub(super) fn wake(&self) -> Instant {
        let mut at = self.next_ask;
        match self.phase {
            Phase::Deciding(end) | Phase::Ending(end) => at = at.min(end),
            _ => {}
        }
        if let Some(h) = &self.hand {
            at = at.min(h.dies);
        }
        at
    }

    /// The operator agreed to the wipe, or it was done elsewhere: go on when the session is closed.
    pub(super) fn go_on(&mut self, now: Instant) {
        if self.phase == Phase::Asked {
            self.bury();
            self.phase = Phase::Ending(now + CLOSING);
            self.ask_state(now);
        }
    }

    /// True when a person was asked and nothing happens until then.
    pub(super) fn waits_for_person(&self) -> bool {
        self.phase == Phase::Asked
    }

    /// True when it ended.
    pub(super) fn over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn say(&mut self, d: Do) {
        self.out.push(d);
    }

    fn fail(&mut self, r: Reason) {
        self.phase = Phase::Over;
        self.say(Do::Failed(r));
    }

    fn connect(&mut self) {
        if !self.calls.connect {
            self.calls.connect = true;
            self.say(Do::Connect);
        }
    }

    fn ask_state(&mut self, now: Instant) {
        self.next_ask = now + if self.live && self.phase == Phase::Running && self.hand.is_some() { ASK_WITH_EVENTS } else { ASK };
        if !self.calls.state {
            self.calls.state = true;
            self.say(Do::State);
        }
    }

    /// The request that starts a session; from `close` only.
    fn request(&mut self, now: Instant) {
        self.phase = Phase::Running;
        self.proof.request();
        self.asked = now;
        self.next_ask = now + ASK;
        self.hint = None;
        self.lost = false;
        self.live = false;
        self.connecting = false;
        self.numbered = self.want.method == Method::Code;
        self.say(Do::Waiting(Reason::new(ReasonCode::Asking)));
        self.connect();
    }

    /// Everything seen so far belongs to a session that is being ended.
    fn bury(&mut self) {
        for k in &self.seen {
            self.proof.know(*k);
        }
        self.proof.ended();
    }

    fn end_old(&mut self, now: Instant) {
        self.bury();
        self.phase = Phase::Ending(now + CLOSING);
        self.calls.logout = true;
        self.next_ask = now + ASK;
        self.say(Do::Waiting(Reason::new(ReasonCode::EndingOldSession)));
        self.say(Do::Logout);
    }

    /// Time passed.
    pub(super) fn tick(&mut self, now: Instant, stamp: Stamp) {
        if self.hand.as_ref().is_some_and(|h| h.dies <= now) {
            self.hand = None;
            if !self.scanned {
                self.say(Do::Expired);
            }
        }
        match self.phase {
            Phase::Deciding(end) if end <= now => {
                self.phase = Phase::Asked;
                self.say(Do::NeedsWipe(Reason::new(ReasonCode::MayBeLinked)));
                return;
            }
            Phase::Ending(end) if end <= now => return self.fail(Reason::new(ReasonCode::ServerRefused).raw("the old session did not close")),
            Phase::Running if !self.offered && !self.scanned => self.unproven(now, stamp),
            Phase::Asked | Phase::Over => {
                self.next_ask = now + ASK_WITH_EVENTS;
                return;
            }
            _ => {}
        }
        if self.phase != Phase::Over && self.next_ask <= now {
            self.ask_state(now);
        }
    }

    fn unproven(&mut self, now: Instant, stamp: Stamp) {
        let waited = now.saturating_duration_since(self.asked);
        if waited < UNPROVEN_AFTER {
            return;
        }
        match self.candidate.take() {
            Some((parts, payload)) if self.proof.may_presume(parts.keys) => {
                self.proof.presume(parts);
                self.offer(parts, payload, Fresh::Presumed, now, stamp);
            }
            other => {
                self.candidate = other;
                if waited >= NO_CODE {
                    let code = if self.discarded.is_empty() { ReasonCode::AttemptExpired } else { ReasonCode::NotProven };
                    self.fail(Reason::new(code).raw("no code came"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
