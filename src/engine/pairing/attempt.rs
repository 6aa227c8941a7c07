//! One visit to the pairing screen: sessions one after the other until it is linked or left.

use super::{
    super::{
        command::PairKey,
        mailbox::PairStage,
        ops,
        world::{Gateway, World},
    },
    News, PairEnd, Watcher,
    driver::Driver,
    keys::Next,
    record::{OfferLine, Record, offer_line},
};
use crate::{
    clock::{
        gate::{Consent, Hidden, Shown},
        steps,
    },
    domain::{Action, OfferKind, OpPhase, Plan, Reason, ReasonCode, Stamp, Target, Ungated, Want},
    i18n::{Message, engine as words},
    providers::{PairEvent, Report},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a visit begins with. Method and number were asked for before.
#[derive(Debug)]
pub struct Start {
    /// The row, pinned to its incarnation.
    pub target: Target,
    /// What is wanted.
    pub want: Want,
}

/// Codes after which the session must be wiped before the next attempt.
const SPOILT: [ReasonCode; 4] = [ReasonCode::AttemptSpoilt, ReasonCode::BadSession, ReasonCode::ServerRestarted, ReasonCode::MayBeLinked];

/// An Offer that is held back.
pub(super) enum Held {
    /// Nothing told the time: Enter shows it.
    Unknown(Ungated),
    /// The gate blocks: only the override shows it.
    Blocked(Ungated),
    /// Nothing proves that it is new: Enter shows it.
    Unproven(Box<Shown>),
}

pub(super) struct Visit<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) want: Want,
    pub(super) record: Record<'a>,
    pub(super) keys: &'a mut mpsc::Receiver<PairKey>,
    pub(super) consent: Consent,
    pub(super) unproven_ok: bool,
    pub(super) held: Option<Held>,
    pub(super) needs: Option<Plan>,
    on_screen: Option<(u32, OfferKind, crate::domain::Boot)>,
    offers: u32,
    last_tick: Stamp,
}

/// Runs a visit to its end. `keys` are what the person presses (or what headless policy decides).
pub async fn run(
    world: &Arc<World>,
    start: Start,
    keys: &mut mpsc::Receiver<PairKey>,
    watcher: &mut dyn Watcher,
    cancel: &CancellationToken,
) -> PairEnd {
    let Some(gateway) = world.gateway(&start.target.gateway) else { return PairEnd::Failed(Reason::new(ReasonCode::Gone)) };
    let record = Record::new(world, &gateway, start.target, &start.want, watcher);
    let mut visit = Visit {
        world,
        gateway,
        record,
        keys,
        consent: Consent::default(),
        unproven_ok: false,
        held: None,
        needs: None,
        on_screen: None,
        offers: 0,
        last_tick: world.time.now(),
        want: start.want,
    };
    loop {
        match visit.session(cancel).await {
            Next::Restart => {
                visit.record.view.attempt += 1;
                visit.record.log(&words::PAIR_AGAIN);
            }
            Next::WipeFirst => {
                if let Err(why) = visit.wipe(cancel).await {
                    match visit.failed(why, cancel).await {
                        Next::End(end) => return end,
                        _ => continue,
                    }
                }
                visit.record.view.attempt += 1;
            }
            Next::End(end) => return end,
        }
    }
}

impl Visit<'_> {
    pub(super) fn target(&self) -> Target {
        self.record.view.target.clone()
    }

    /// One session: gate, claim, the provider's events, until something ends it.
    async fn session(&mut self, cancel: &CancellationToken) -> Next {
        self.held = None;
        self.on_screen = None;
        self.record.begin();
        if let Err(next) = self.open_gate(cancel).await {
            return next;
        }
        let claim = match ops::claim(self.world, self.target(), Action::Pair).await {
            Ok(id) => id,
            Err(why) => return self.failed(not_armed(why), cancel).await,
        };
        self.world.set_pairing(&self.target(), true);
        self.record.log(Message::new(&words::PAIR_STARTED).with("gateway", self.gateway.id.as_str()));
        let since = self.record.now();
        self.record.stage(PairStage::Waiting { since, why: Reason::new(ReasonCode::Asking) });
        self.record.news(News::Waiting(&Reason::new(ReasonCode::Asking)));
        let mut driver = Driver::start(self.world, &self.gateway, self.target(), self.want.clone());
        let over = self.events(&mut driver, cancel).await;
        driver.end().await;
        self.world.set_pairing(&self.target(), false);
        let (phase, outcome) = match &over {
            Over::Linked(..) => (OpPhase::Done, "linked".to_owned()),
            Over::Failed(why) => (OpPhase::Failed, why.code.name().to_owned()),
            Over::Next(Next::End(_)) => (OpPhase::Cancelled, "left".to_owned()),
            Over::Next(_) | Over::Needs(_) => (OpPhase::Cancelled, "begun_anew".to_owned()),
        };
        let _ = self.world.store.op_end(claim, phase, None).await;
        self.record.finish(&outcome).await;
        let verdict = self.record.view.gate.as_ref().map(|g| g.verdict);
        ops::audit(self.world, &self.target(), "pair", verdict, &outcome).await;
        match over {
            Over::Next(next) => {
                self.look().await;
                next
            }
            Over::Linked(row, plan) => {
                let facts = row.facts.clone();
                self.world.merge(&self.gateway, Report::Part(vec![*row]));
                if let Some(plan) = plan {
                    // What finishes the job runs as an op of its own; its outcome is shown on the row.
                    let _ = self.run_plan(plan, cancel).await;
                }
                let took_s = self.record.took_s();
                self.record.log(&words::PAIR_LINKED);
                self.record.stage(PairStage::Linked { facts: facts.clone(), took_s, n: self.offers });
                self.record.news(News::Linked(&facts, took_s));
                self.look().await;
                Next::End(PairEnd::Linked)
            }
            Over::Failed(why) => {
                self.look().await;
                self.failed(why, cancel).await
            }
            Over::Needs(why) => self.wait_for_consent(why, cancel).await,
        }
    }

    /// Events, keys and the clock until the session is over.
    async fn events(&mut self, driver: &mut Driver, cancel: &CancellationToken) -> Over {
        self.last_tick = self.record.now();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Over::Next(Next::End(PairEnd::Left { blocked: false })),
                key = self.keys.recv() => {
                    if let Some(next) = self.key(key, driver).await {
                        return Over::Next(next);
                    }
                }
                event = driver.next() => match event {
                    None => return Over::Failed(Reason::new(ReasonCode::Internal)),
                    Some(event) => if let Some(over) = self.event(event).await {
                        return over;
                    },
                },
                _ = tick.tick() => {
                    if let Some(next) = self.tick().await {
                        return Over::Next(next);
                    }
                }
            }
        }
    }

    async fn event(&mut self, event: PairEvent) -> Option<Over> {
        let since = self.record.now();
        match event {
            PairEvent::Waiting(why) => {
                self.record.news(News::Waiting(&why));
                if self.on_screen.is_none() && self.held.is_none() {
                    self.record.stage(PairStage::Waiting { since, why });
                }
            }
            PairEvent::Discarded(why) => {
                self.record.view.discarded += 1;
                self.record.log(&words::PAIR_DISCARDED);
                self.record.news(News::Discarded(&why));
                if self.on_screen.is_none() && self.held.is_none() {
                    self.record.stage(PairStage::Discarded { since, why });
                }
            }
            PairEvent::Offer(mut offer) => {
                self.offers += 1;
                *offer.number_mut() = self.offers;
                self.record.came(self.offers);
                if let Some((n, kind, _)) = self.on_screen.take() {
                    self.record.log(offer_line(kind, n, OfferLine::Replaced));
                }
                self.present(offer).await;
            }
            PairEvent::Expired => self.expire(),
            PairEvent::Scanned => {
                let n = self.offers;
                self.on_screen = None;
                self.held = None;
                self.record.log(&words::PAIR_SCANNED);
                self.record.stage(PairStage::Scanned { since, n });
                self.record.news(News::Scanned(n));
            }
            PairEvent::Ask(prompt) => {
                self.record.stage(PairStage::Ask(prompt.clone()));
                self.record.news(News::Ask(&prompt));
            }
            PairEvent::Needs(plan, why) => {
                self.needs = Some(plan);
                return Some(Over::Needs(why));
            }
            // The driver commits these itself.
            PairEvent::Got(_) => {}
            PairEvent::Linked(row, plan) => return Some(Over::Linked(row, plan)),
            PairEvent::Failed(why) => return Some(Over::Failed(why)),
        }
        None
    }

    /// Brings an Offer before the gate and, if it passes, on screen.
    pub(super) async fn present(&mut self, offer: Ungated) {
        self.held = None;
        if self.world.gate.is_old(&self.gateway.id) {
            self.ask_clock().await;
        }
        if let Err(view) = self.world.gate.may_start(&self.gateway.id, &self.consent) {
            if self.record.view.overridden {
                self.record.view.overridden = false;
                self.record.log(&words::PAIR_OVERRIDE_VOID);
            }
            self.record.gate(*view.clone());
            self.held = Some(Held::Blocked(offer));
            self.record.log(&words::PAIR_HIDDEN_CLOCK);
            self.record.stage(PairStage::Blocked { started: true });
            self.record.news(News::Blocked(&view, true));
            return;
        }
        self.record.gate(self.world.gate.view(&self.gateway.id));
        match self.world.gate.admit(&self.gateway.id, offer, &self.consent) {
            Ok(shown) if !shown.offer.fresh.proven() && !self.unproven_ok => {
                self.held = Some(Held::Unproven(Box::new(shown)));
                self.record.log(&words::PAIR_HIDDEN_UNPROVEN);
                self.record.stage(PairStage::Unproven);
                self.record.news(News::Hidden(&Reason::new(ReasonCode::NotProven)));
            }
            Ok(shown) => self.show(shown),
            Err(Hidden::Unknown(offer)) => {
                self.held = Some(Held::Unknown(offer));
                self.record.stage(PairStage::ClockUnknown);
                self.record.news(News::Hidden(&Reason::new(ReasonCode::ClockUnknown)));
            }
            Err(Hidden::Blocked) => {
                self.record.log(&words::PAIR_HIDDEN_CLOCK);
                self.record.stage(PairStage::Blocked { started: true });
            }
        }
    }

    pub(super) fn show(&mut self, shown: Shown) {
        let offer = &shown.offer;
        self.on_screen = Some((offer.n, offer.kind, offer.dies));
        self.record.log(offer_line(offer.kind, offer.n, OfferLine::Shown));
        if let Some(gate) = self.record.view.gate.clone() {
            self.record.news(News::Offer(&shown, &gate));
        }
        self.record.stage(PairStage::Showing(Box::new(shown)));
    }

    fn expire(&mut self) {
        if let Some((n, kind, _)) = self.on_screen.take() {
            self.record.log(offer_line(kind, n, OfferLine::Expired));
            self.record.stage(PairStage::Expired { n });
            self.record.news(News::Expired(n));
        }
    }

    /// Each second: did a clock move, did the Offer die?
    async fn tick(&mut self) -> Option<Next> {
        let now = self.record.now();
        let moved = steps::moved(&self.last_tick, &now);
        self.last_tick = now;
        if let Some(by_ms) = moved {
            self.world.gate.moved();
            if self.on_screen.is_some() || self.held.is_some() {
                self.on_screen = None;
                self.held = None;
                self.record.log(&words::PAIR_HIDDEN_MOVED);
                self.record.stage(PairStage::Moved { by_ms: Some(by_ms) });
                self.record.news(News::Hidden(&Reason::new(ReasonCode::ClockMoved)));
                self.ask_clock().await;
                // The code in hand is not shown again, even if it is still alive.
                return Some(Next::Restart);
            }
        }
        if self.on_screen.is_some_and(|(_, _, dies)| now.boot_now() >= dies) {
            self.expire();
        }
        None
    }

    /// Refreshes the row after an attempt.
    async fn look(&self) {
        super::super::look(self.world, &self.gateway, &self.target()).await;
    }

    /// Ends the running session on the server through the ordinary wipe, then the next session may begin.
    async fn wipe(&mut self, cancel: &CancellationToken) -> Result<(), Reason> {
        self.record.log(&words::PAIR_WIPING);
        let since = self.record.now();
        self.record.stage(PairStage::Waiting { since, why: Reason::new(ReasonCode::EndingOldSession) });
        self.record.news(News::Waiting(&Reason::new(ReasonCode::EndingOldSession)));
        let id = ops::claim(self.world, self.target(), Action::Wipe).await.map_err(not_armed)?;
        let armed = ops::Armed { id, action: Action::Wipe, target: self.target(), inputs: crate::domain::Inputs::new() };
        let ended = ops::fire(self.world, &armed, &mut super::super::hosts::Quiet, cancel).await;
        self.wiped(ended)
    }

    /// Runs a plan that the provider made for this attempt.
    pub(super) async fn run_plan(&mut self, plan: Plan, cancel: &CancellationToken) -> Result<(), Reason> {
        let action = plan.action.clone();
        let id = ops::claim(self.world, self.target(), action.clone()).await.map_err(not_armed)?;
        if let Err(e) = self.world.store.op_plan(id, plan).await {
            let why = e.reason();
            ops::end(self.world, id, OpPhase::Failed, Some(why.clone())).await;
            return Err(why);
        }
        let ended = ops::run(self.world, id, &mut super::super::hosts::Quiet, cancel).await;
        ops::audit(self.world, &self.target(), action.name(), None, ended.phase.name()).await;
        self.wiped(ended)
    }

    fn wiped(&mut self, ended: ops::Ended) -> Result<(), Reason> {
        match ended.phase {
            OpPhase::Done => {
                self.record.log(&words::PAIR_WIPED);
                Ok(())
            }
            _ => Err(ended.reason.unwrap_or_else(|| Reason::new(ReasonCode::Internal))),
        }
    }
}

/// How a session ended.
pub(super) enum Over {
    Linked(Box<crate::domain::Row>, Option<Plan>),
    Failed(Reason),
    Needs(Reason),
    Next(Next),
}

/// True when the session must be wiped before the next attempt.
pub fn spoilt(code: ReasonCode) -> bool {
    SPOILT.contains(&code)
}

fn not_armed(why: ops::NotArmed) -> Reason {
    match why {
        ops::NotArmed::Busy(_) => Reason::new(ReasonCode::Busy),
        ops::NotArmed::Trouble(why) => why,
        ops::NotArmed::Not(crate::domain::Not::ReadOnly) => Reason::new(ReasonCode::ReadOnly),
        ops::NotArmed::Not(_) => Reason::new(ReasonCode::PersonNeeded),
    }
}
