//! What an attempt makes of what was heard.

use super::{ALMOST_DEAD, ASK, Attempt, DECIDE, Do, Hand, Heard, Hint, PATIENCE, Phase};
use crate::{
    domain::{Fresh, Method, Offer, OfferKind, Payload, Reason, ReasonCode, Stamp, Ungated},
    providers::evolution::{
        events::What,
        fresh::{Judged, LIFE, Parts, Via},
        state::disconnect,
        wire::{Connect, Instance},
    },
};
use std::time::Duration;
use tokio::time::Instant;

impl Attempt {
    /// Takes what was heard.
    pub(in crate::providers::evolution) fn on(&mut self, heard: Heard, now: Instant, stamp: Stamp) {
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

    pub(super) fn offer(&mut self, parts: Parts, payload: Payload, fresh: Fresh, now: Instant, stamp: Stamp) {
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
