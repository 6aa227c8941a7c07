//! The code in hand: brought before the gate, shown, held back, and thrown away when a clock moves or turns out wrong. What
//! was thrown away once is never shown again, even if the server still thinks it good.

use super::{
    super::{clock, mailbox::PairStage},
    News,
    attempt::Visit,
    keys::Next,
    record::{OfferLine, offer_line},
};
use crate::{
    clock::{
        Verdict,
        gate::{Consent, GateView, Hidden, Shown},
    },
    domain::{Boot, OfferKind, Payload, Reason, ReasonCode, Stamp, Ungated},
    i18n::engine as words,
};
use std::time::Duration;

/// A code on screen whose gateway told no time for so long is asked for: most tell it each few seconds by themselves.
const UNHEARD: Duration = Duration::from_secs(15);
/// After samples that contradict each other, one more settles it when it is so much younger.
const SETTLE: Duration = Duration::from_millis(1500);
/// Codes that are remembered as thrown away.
const THROWN: usize = 16;

/// An Offer that is held back.
pub(super) enum Held {
    /// Nothing told the time: Enter shows it.
    Unknown(Ungated),
    /// The gate blocks: only the override shows it. `None`: it was on screen and is thrown away; a new one is asked for.
    Blocked(Option<Ungated>),
    /// Nothing proves that it is new: Enter shows it.
    Unproven(Box<Shown>),
}

/// What is drawn now.
struct OnScreen {
    n: u32,
    kind: OfferKind,
    dies: Boot,
    payload: Payload,
    /// It passed a gate that was overridden.
    overridden: bool,
}

/// The code in hand, shown or held back.
pub(super) struct Hand {
    on_screen: Option<OnScreen>,
    pub(super) held: Option<Held>,
    /// The epoch of the gate that the hand belongs to.
    pub(super) epoch: u64,
    thrown: Vec<Payload>,
    asked: Option<Stamp>,
}

impl Hand {
    pub(super) const fn new(epoch: u64) -> Self {
        Self { on_screen: None, held: None, epoch, thrown: Vec::new(), asked: None }
    }

    /// Nothing is shown and nothing is held.
    pub(super) const fn is_empty(&self) -> bool {
        self.on_screen.is_none() && self.held.is_none()
    }

    /// The session is over: what it brought is given up, not thrown away.
    pub(super) fn empty(&mut self) {
        self.on_screen = None;
        self.held = None;
    }

    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.held, Some(Held::Blocked(_)))
    }

    /// It came while a clock blocked, overridden or not.
    fn is_doubtful(&self) -> bool {
        self.is_blocked() || self.on_screen.as_ref().is_some_and(|s| s.overridden)
    }

    pub(super) fn was_thrown(&self, offer: &Ungated) -> bool {
        self.thrown.contains(offer.payload())
    }

    /// Throws away what is shown or held. True when there was something.
    fn throw(&mut self) -> bool {
        let any = !self.is_empty();
        let held = match self.held.take() {
            Some(Held::Unknown(o) | Held::Blocked(Some(o))) => Some(o.payload().clone()),
            Some(Held::Unproven(s)) => Some(s.offer.payload),
            Some(Held::Blocked(None)) | None => None,
        };
        self.thrown.extend(self.on_screen.take().map(|s| s.payload).into_iter().chain(held));
        let over = self.thrown.len().saturating_sub(THROWN);
        self.thrown.drain(..over);
        any
    }
}

impl Visit<'_> {
    /// Brings an Offer before the gate and, if it passes, on screen.
    pub(super) async fn present(&mut self, offer: Ungated) {
        self.hand.held = None;
        if self.world.gate.is_old(&self.gateway.id) {
            // What was drawn so far is replaced, and must not stand there while a slow gateway is asked.
            self.record.stage(PairStage::AskingClock);
            self.ask_clock().await;
        }
        if let Err(view) = self.world.gate.may_start(&self.gateway.id, &self.consent) {
            return self.block(*view, Some(offer));
        }
        self.record.gate(self.world.gate.view(&self.gateway.id));
        match self.world.gate.admit(&self.gateway.id, offer, &self.consent) {
            Ok(shown) if !shown.offer.fresh.proven() && !self.unproven_ok => {
                self.hand.held = Some(Held::Unproven(Box::new(shown)));
                self.record.log(&words::PAIR_HIDDEN_UNPROVEN);
                self.record.stage(PairStage::Unproven);
                self.record.news(News::Hidden(&Reason::new(ReasonCode::NotProven)));
            }
            Ok(shown) => self.show(shown),
            Err(Hidden::Unknown(offer)) => {
                self.hand.held = Some(Held::Unknown(offer));
                self.record.stage(PairStage::ClockUnknown);
                self.record.news(News::Hidden(&Reason::new(ReasonCode::ClockUnknown)));
            }
            Err(Hidden::Blocked) => {
                let view = self.world.gate.strict(&self.gateway.id);
                self.block(view, None);
            }
        }
    }

    pub(super) fn show(&mut self, shown: Shown) {
        let offer = &shown.offer;
        self.hand.on_screen =
            Some(OnScreen { n: offer.n, kind: offer.kind, dies: offer.dies, payload: offer.payload.clone(), overridden: shown.overridden });
        self.record.log(offer_line(offer.kind, offer.n, OfferLine::Shown));
        if let Some(gate) = self.record.view.gate.clone() {
            self.record.news(News::Offer(&shown, &gate));
        }
        self.record.stage(PairStage::Showing(Box::new(shown)));
    }

    /// The gate closed: nothing is shown until it opens or is overridden.
    fn block(&mut self, view: GateView, offer: Option<Ungated>) {
        self.hand.held = Some(Held::Blocked(offer));
        self.void_override();
        self.record.gate(view.clone());
        self.record.log(&words::PAIR_HIDDEN_CLOCK);
        self.record.stage(PairStage::Blocked { started: true });
        self.record.news(News::Blocked(&view, true));
    }

    /// A new Offer takes the place of the one on screen.
    pub(super) fn replace(&mut self) {
        if let Some(old) = self.hand.on_screen.take() {
            self.record.log(offer_line(old.kind, old.n, OfferLine::Replaced));
        }
    }

    /// The server offers what was thrown away: its next one is waited for.
    pub(super) fn again_thrown(&mut self) {
        let why = Reason::new(ReasonCode::StaleCode);
        self.record.view.discarded += 1;
        self.record.log(&words::PAIR_THROWN);
        self.record.news(News::Discarded(&why));
        if self.hand.is_empty() {
            let since = self.record.now();
            self.record.stage(PairStage::Discarded { since, why });
        }
    }

    pub(super) fn expire(&mut self) {
        if let Some(OnScreen { n, kind, .. }) = self.hand.on_screen.take() {
            self.record.log(offer_line(kind, n, OfferLine::Expired));
            self.record.stage(PairStage::Expired { n });
            self.record.news(News::Expired(n));
        }
    }

    fn void_override(&mut self) {
        if std::mem::take(&mut self.record.view.overridden) {
            self.record.log(&words::PAIR_OVERRIDE_VOID);
        }
    }

    /// What the person agreed to was said of clocks that are no more.
    pub(super) fn void_consent(&mut self) {
        self.consent = Consent::default();
        self.void_override();
    }

    /// Before a session: what moved while nothing was in hand voids what was agreed to, and nothing else.
    pub(super) fn catch_up(&mut self) {
        let epoch = self.moves.borrow_and_update().epoch;
        if std::mem::replace(&mut self.hand.epoch, epoch) != epoch {
            self.void_consent();
        }
    }

    /// A clock of this host was moved. A code in hand is off the screen first; then the gateway is asked for its time, then
    /// for a new code.
    pub(super) async fn clock_moved(&mut self) -> Option<Next> {
        let moves = *self.moves.borrow_and_update();
        if moves.epoch == self.hand.epoch {
            return None;
        }
        self.hand.epoch = moves.epoch;
        let in_hand = self.hand.throw();
        self.void_consent();
        self.record.gate(self.world.gate.view(&self.gateway.id));
        if !in_hand {
            // Nothing was shown yet: the gate is asked before the first one is.
            return None;
        }
        self.record.log(&words::PAIR_HIDDEN_MOVED);
        self.record.stage(PairStage::Moved { by_ms: moves.last.and_then(|m| m.by_ms) });
        self.record.news(News::Hidden(&Reason::new(ReasonCode::ClockMoved)));
        self.ask_clock().await;
        Some(Next::Restart)
    }

    /// A sample came in while a code is in hand: does the gate still let it pass, or again?
    pub(super) async fn judge_again(&mut self) -> Option<Next> {
        self.pushed.borrow_and_update();
        if self.hand.is_empty() {
            return None;
        }
        let open = self.world.gate.may_start(&self.gateway.id, &self.consent);
        if self.world.gate.epoch() != self.hand.epoch {
            return self.clock_moved().await;
        }
        match open {
            Err(view) if self.hand.is_blocked() => {
                if self.record.view.gate.as_ref().is_none_or(|old| differs(old, &view)) {
                    self.record.gate(*view);
                    self.record.stage(PairStage::Blocked { started: true });
                }
                None
            }
            Err(view) => {
                self.hand.throw();
                self.block(*view, None);
                None
            }
            Ok(view) if self.hand.is_doubtful() => {
                if view.verdict > Verdict::Warn {
                    return None;
                }
                self.hand.throw();
                self.void_consent();
                self.record.gate(view);
                self.record.log(&words::PAIR_CLOCK_BACK);
                self.record.stage(PairStage::AskingClock);
                Some(Next::Restart)
            }
            Ok(view) => {
                if let Some(Held::Unknown(offer)) = self.hand.held.take_if(|h| matches!(h, Held::Unknown(_)) && view.verdict <= Verdict::Warn) {
                    self.present(offer).await;
                }
                None
            }
        }
    }

    /// Twice a second: did a clock move, did the Offer die, must the gateway be asked again?
    pub(super) fn tick(&mut self) {
        // A move comes back as news to everybody who listens.
        self.world.gate.sense();
        let now = self.record.now();
        if self.hand.on_screen.as_ref().is_some_and(|s| now.boot_now() >= s.dies) {
            self.expire();
        }
        if self.hand.is_empty() {
            return;
        }
        let age = |at: Option<Stamp>| at.map_or(Duration::MAX, |at| at.age(&now));
        let quiet = if self.world.gate.is_torn(&self.gateway.id) { SETTLE } else { UNHEARD };
        if age(self.world.gate.asked(&self.gateway.id)) >= quiet && age(self.hand.asked) >= quiet {
            self.hand.asked = Some(now);
            // Beside the attempt: keys and clocks are heard while the gateway is slow.
            tokio::spawn(clock::ask(self.world.clone(), self.gateway.clone(), Some(self.target())));
        }
    }
}

/// Whether what blocks now must be said anew: another cause, another side, or figures that differ by a second.
fn differs(old: &GateView, new: &GateView) -> bool {
    let mid = |v: &GateView| [v.host.skew, v.remote.skew].map(|s| s.map(|i| i.mid() / 1000));
    (old.epoch, old.side, old.remote.cause, old.host.cause) != (new.epoch, new.side, new.remote.cause, new.host.cause) || mid(old) != mid(new)
}
