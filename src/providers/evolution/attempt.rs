//! One pairing attempt as a state machine: what was heard goes in, what to do comes out. No I/O, no clock of its own.

use super::{
    events::What,
    fresh::{Judged, LIFE, Parts, Proof, UNPROVEN_AFTER, Via},
    state::disconnect,
    wire::{Connect, Instance},
};
use crate::domain::{Fresh, Method, Offer, OfferKind, Payload, Reason, ReasonCode, Stamp, Ungated, Want};
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

    /// Takes what was heard.
    pub(super) fn on(&mut self, heard: Heard, now: Instant, stamp: Stamp) {
        if self.phase == Phase::Over {
            return;
        }
        match heard {
            Heard::Event(what) => self.event(what, now, stamp),
            Heard::StreamGone => {
                self.live = false;
                self.lost = true;
                self.next_ask = self.next_ask.min(now + ASK);
            }
            Heard::Connected(answer) => {
                self.calls.connect = false;
                self.next_ask = now + ASK;
                match answer {
                    Ok(answer) => self.connected(answer, now, stamp),
                    Err(r) => self.trouble(r, now),
                }
            }
            Heard::State(answer) => {
                self.calls.state = false;
                match answer {
                    Ok(word) => {
                        self.silent_since = None;
                        self.state(word.as_deref().unwrap_or("close"), now);
                    }
                    Err(r) => self.trouble(r, now),
                }
            }
            Heard::LoggedOut(answer) => {
                self.calls.logout = false;
                match answer {
                    Ok(()) => self.ask_state(now),
                    Err(r) => self.trouble(r, now),
                }
            }
            Heard::Row(answer) => {
                self.calls.row = false;
                match answer {
                    Ok(row) => self.closed(row.as_ref()),
                    Err(r) => self.trouble(r, now),
                }
            }
        }
    }

    fn trouble(&mut self, r: Reason, now: Instant) {
        let passing = matches!(
            r.code,
            ReasonCode::Unreachable
                | ReasonCode::Slow
                | ReasonCode::ServerError
                | ReasonCode::RateLimited
                | ReasonCode::ServerRefused
                | ReasonCode::Unintelligible
        );
        self.last_trouble = Some(r.clone());
        let since = *self.silent_since.get_or_insert(now);
        if !passing || now.saturating_duration_since(since) >= PATIENCE {
            return self.fail(r);
        }
        if r.code == ReasonCode::Unreachable {
            self.lost = true;
        }
        if since == now {
            self.say(Do::Waiting(r));
        }
        self.next_ask = now + ASK * 2;
    }

    fn event(&mut self, what: What, now: Instant, stamp: Stamp) {
        match what {
            What::Qr { code, pairing } => {
                self.live |= self.phase == Phase::Running;
                self.connecting = true;
                self.code(&code, pairing.as_deref(), Via::Event, false, now, stamp);
            }
            What::QrLimit => {
                self.hint = Some(Hint::Limit);
                self.ask_state(now);
            }
            What::Connection { state, code } => {
                self.live |= self.phase == Phase::Running;
                match &*state {
                    "connecting" => self.reconnects(now),
                    "refused" => {
                        self.hint = Some(Hint::Limit);
                        self.ask_state(now);
                    }
                    _ => {
                        if code == Some(515) {
                            self.scan();
                        } else if &*state == "close" && self.hint.is_none() {
                            self.hint = code.map(Hint::Code);
                        }
                        // Never believed alone: a zombie speaks under the same name.
                        self.ask_state(now);
                    }
                }
            }
            What::Closed { code } => {
                if self.hint.is_none() {
                    self.hint = code.map(Hint::Code);
                }
            }
            What::Removed => self.ask_state(now),
            What::Created | What::Other => {}
        }
    }

    /// `connecting` while a code is in hand: the phone took it (515), unless it was at its end anyway.
    fn reconnects(&mut self, now: Instant) {
        self.connecting = true;
        let fresh_enough = self.hand.as_ref().is_some_and(|h| h.dies.saturating_duration_since(now) > ALMOST_DEAD);
        if fresh_enough && self.phase == Phase::Running {
            self.scan();
            self.ask_state(now);
        }
    }

    fn scan(&mut self) {
        if !self.scanned && self.offered {
            self.scanned = true;
            self.hand = None;
            self.say(Do::Scanned);
        }
    }

    fn connected(&mut self, answer: Connect, now: Instant, stamp: Stamp) {
        self.silent_since = None;
        match answer {
            Connect::State(word) => self.state(&word, now),
            Connect::NotYet => {
                self.connecting = true;
                self.proof.blank();
                if self.phase == Phase::Looking {
                    self.looked(None, now, stamp);
                }
            }
            Connect::Refused(told) => self.trouble(Reason::new(ReasonCode::ServerRefused).raw(told), now),
            Connect::Code { code, pairing, count } => {
                self.connecting = true;
                if self.phase == Phase::Looking {
                    return self.looked(Parts::read(&code).map(|p| (p, code)), now, stamp);
                }
                self.code(&code, pairing.as_deref(), Via::Poll, count == Some(1), now, stamp);
            }
        }
    }

    /// The one look at a session that was there: it is joined for a QR, and stands in the way of a code.
    fn looked(&mut self, found: Option<(Parts, Box<str>)>, now: Instant, stamp: Stamp) {
        let parts = found.as_ref().map(|(p, _)| *p);
        if let Some(p) = parts {
            self.seen.insert(p.keys);
        }
        if self.want.method == Method::Qr {
            self.phase = Phase::Running;
            self.asked = now;
            match found {
                Some((p, code)) => {
                    let continues = self.standing.ours() == Some(p);
                    self.proof.join(p);
                    self.candidate = Payload::qr(&code).map(|payload| (p, payload));
                    if continues {
                        // The very code that our own last attempt proved: it is shown again for what is left of its life.
                        self.proof.presume(p);
                        if let Some((p, payload)) = self.candidate.take_if(|_| self.left > ALMOST_DEAD * 2) {
                            self.offer_for(self.left, p, payload, Fresh::Rotated, now, stamp);
                        }
                    }
                }
                None => {
                    self.proof.request();
                    self.proof.blank();
                }
            }
            return;
        }
        let ours = self.standing.ours();
        if self.want.wipe_spoilt || (ours.is_some() && ours == parts) {
            return self.end_old(now);
        }
        match parts {
            Some(p) => self.standing.join(p),
            None => {
                self.standing.request();
                self.standing.blank();
            }
        }
        self.phase = Phase::Deciding(now + DECIDE);
        self.say(Do::Waiting(Reason::new(ReasonCode::WaitingForPhone)));
    }

    fn code(&mut self, code: &str, pairing: Option<&str>, via: Via, first: bool, now: Instant, stamp: Stamp) {
        let Some(parts) = Parts::read(code) else { return };
        self.seen.insert(parts.keys);
        match self.phase {
            Phase::Deciding(_) => {
                if matches!(self.standing.judge(parts, via, first), Judged::Fresh(_)) {
                    self.end_old(now);
                }
                return;
            }
            Phase::Running => {}
            _ => return,
        }
        let payload = match self.want.method {
            Method::Qr => Payload::qr(code),
            Method::Code => pairing.and_then(Payload::code),
        };
        let Some(payload) = payload else {
            // No pairing code yet, or a session that was begun without a number.
            return;
        };
        match self.proof.judge(parts, via, first) {
            Judged::Fresh(how) => self.offer(parts, payload, how, now, stamp),
            Judged::Same => {}
            Judged::Stale => self.discard(parts),
            Judged::Open => {
                if self.candidate.as_ref().is_none_or(|(c, _)| *c != parts) {
                    self.candidate = Some((parts, payload));
                }
            }
        }
    }

    fn discard(&mut self, parts: Parts) {
        if self.discarded.insert(parts) {
            self.say(Do::Discarded(Reason::new(ReasonCode::StaleCode)));
        }
    }

    fn offer(&mut self, parts: Parts, payload: Payload, fresh: Fresh, now: Instant, stamp: Stamp) {
        self.say(Do::Remember(parts, fresh.proven()));
        self.offer_for(LIFE, parts, payload, fresh, now, stamp);
    }

    fn offer_for(&mut self, life: Duration, parts: Parts, payload: Payload, fresh: Fresh, now: Instant, stamp: Stamp) {
        if let Some((old, _)) = self.candidate.take().filter(|(c, _)| c.keys != parts.keys) {
            self.discard(old);
        }
        let kind = if self.want.method == Method::Qr { OfferKind::Qr } else { OfferKind::Code };
        let life_ms = i64::try_from(life.as_millis()).unwrap_or(45_000);
        self.say(Do::Offer(Ungated::new(Offer {
            n: 0,
            kind,
            payload,
            issued: stamp,
            dies: stamp.boot_now().plus(life),
            expires_at: stamp.wall.plus_ms(life_ms),
            fresh,
        })));
        self.offered = true;
        self.scanned = false;
        self.lost = false;
        self.hand = Some(Hand { dies: now + life });
        self.next_ask = self.next_ask.max(now + ASK);
    }

    fn state(&mut self, word: &str, now: Instant) {
        match (self.phase, word) {
            (_, "open") => {
                if matches!(self.phase, Phase::Ending(_)) {
                    return;
                }
                self.scan();
                self.phase = Phase::Over;
                self.say(Do::Linked);
            }
            (Phase::Ending(_), "close") if !self.calls.logout => self.request(now),
            // It closed by itself: nothing stands in the way any more.
            (Phase::Looking | Phase::Deciding(_), "close") => self.request(now),
            (Phase::Looking | Phase::Deciding(_), "connecting") => self.connect(),
            (Phase::Running, "connecting") => {
                self.connecting = true;
                // In `connecting` this shows the code and starts nothing.
                if !self.live || self.hand.is_none() {
                    self.connect();
                }
            }
            (Phase::Running, "close") if !self.calls.connect && !self.calls.row => {
                self.calls.row = true;
                self.say(Do::Row);
            }
            _ => {}
        }
    }

    /// The session is closed in memory; the row and the events tell why.
    fn closed(&mut self, row: Option<&Instance>) {
        let Some(row) = row else { return self.fail(Reason::new(ReasonCode::Gone)) };
        if !self.connecting && self.hint.is_none() {
            let why = self.last_trouble.take().unwrap_or_else(|| Reason::new(ReasonCode::ServerRefused).raw("no session was begun"));
            return self.fail(why);
        }
        let news = (row.code, row.disconnected) != self.before;
        let code = match self.hint {
            Some(Hint::Limit) => return self.fail(Reason::new(ReasonCode::QrLimit)),
            Some(Hint::Code(c)) => Some(c),
            None => row.code.filter(|_| news),
        };
        let with = |r: Reason| match code {
            Some(c) => r.raw(c.to_string()),
            None => r,
        };
        let why = match code {
            Some(401 | 408 | 428) | None if self.lost => ReasonCode::ServerRestarted,
            // Memory closed while the database still connects: only the limit does that (recordings 73 and 74).
            None if &*row.status == "connecting" => ReasonCode::QrLimit,
            Some(401) => ReasonCode::AttemptSpoilt,
            Some(408 | 428) | None if self.numbered => ReasonCode::AttemptSpoilt,
            Some(408 | 428) | None => ReasonCode::AttemptExpired,
            Some(c) => disconnect(c),
        };
        self.fail(with(Reason::new(why)));
    }
}

#[cfg(test)]
mod tests;
