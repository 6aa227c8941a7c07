//! One visit to the pairing screen: sessions one after the other until it is linked or left.

use super::{
    super::{
        clock::LOOK,
        command::PairKey,
        mailbox::PairStage,
        ops,
        world::{Gateway, World},
    },
    News, PairEnd, Watcher,
    driver::Driver,
    hand::Hand,
    keys::Next,
    record::Record,
};
use crate::{
    clock::gate::{Consent, Moves},
    domain::{Action, OpPhase, Plan, Reason, ReasonCode, State, Target, Want},
    i18n::{Message, engine as words},
    providers::{PairEvent, Report},
};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
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

pub(super) struct Visit<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) want: Want,
    pub(super) record: Record<'a>,
    pub(super) keys: &'a mut mpsc::Receiver<PairKey>,
    pub(super) consent: Consent,
    pub(super) unproven_ok: bool,
    pub(super) hand: Hand,
    pub(super) needs: Option<Plan>,
    pub(super) moves: watch::Receiver<Moves>,
    pub(super) pushed: watch::Receiver<u64>,
    offers: u32,
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
        hand: Hand::new(world.gate.epoch()),
        needs: None,
        moves: world.gate.moves(),
        pushed: world.gate.pushed(),
        offers: 0,
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
        self.hand.empty();
        self.record.begin();
        self.catch_up();
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
        let mut driver = Driver::start(self.world, &self.gateway, self.target(), self.want.clone(), claim);
        let over = self.events(&mut driver, cancel).await;
        let owes = driver.end().await;
        self.world.set_pairing(&self.target(), false);
        let (phase, outcome) = match &over {
            Over::Linked(..) => (OpPhase::Done, "linked".to_owned()),
            Over::Failed(why) => (OpPhase::Failed, why.code.name().to_owned()),
            Over::Next(Next::End(_)) => (OpPhase::Cancelled, "left".to_owned()),
            Over::Next(_) | Over::Needs(_) => (OpPhase::Cancelled, "begun_anew".to_owned()),
        };
        // What the phone gave is committed, and is put to use whatever ended the attempt; until then it is no success.
        let finished = if owes {
            let words = ops::Words { before: "", done: Some(&outcome) };
            let ended = ops::run(self.world, claim, &mut super::super::hosts::Quiet, cancel, words).await;
            self.ended(&Action::Pair, ended)
        } else {
            let verdict = self.record.view.gate.as_ref().map(|g| g.verdict);
            let line = ops::line(&*self.world.time, self.target().id(), "pair", verdict, &outcome);
            let _ = self.world.store.op_end(claim, phase, None, Some(line)).await;
            Ok(())
        };
        self.record.finish(&outcome).await;
        match over {
            Over::Next(next) => {
                self.look().await;
                next
            }
            Over::Linked(row) => {
                let (facts, online) = (row.facts.clone(), row.link.state == State::Online);
                let token = !row.tokens.is_empty() || row.link.state != State::Ready;
                self.world.merge(&self.gateway, Report::Part(vec![*row]));
                if let Err(why) = finished {
                    self.look().await;
                    return self.failed(why, cancel).await;
                }
                let took_s = self.record.took_s();
                self.record.log(&words::PAIR_LINKED);
                self.record.stage(PairStage::Linked {
                    online,
                    token,
                    told: self.gateway.provider().paired(),
                    facts: facts.clone(),
                    took_s,
                    n: self.offers,
                });
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
        // From here on there may be a code, and a code depends on the clocks.
        let _depends = self.world.gate.depend();
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Over::Next(Next::End(PairEnd::Left { blocked: false })),
                _ = self.moves.changed() => {
                    if let Some(next) = self.clock_moved().await {
                        return Over::Next(next);
                    }
                }
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
                _ = self.pushed.changed() => {
                    if let Some(next) = self.judge_again().await {
                        return Over::Next(next);
                    }
                }
                _ = tick.tick() => self.tick(),
            }
        }
    }

    async fn event(&mut self, event: PairEvent) -> Option<Over> {
        let since = self.record.now();
        match event {
            PairEvent::Waiting(why) => {
                self.record.news(News::Waiting(&why));
                if self.hand.is_empty() {
                    self.record.stage(PairStage::Waiting { since, why });
                }
            }
            PairEvent::Discarded(why) => {
                self.record.view.discarded += 1;
                self.record.log(&words::PAIR_DISCARDED);
                self.record.news(News::Discarded(&why));
                if self.hand.is_empty() {
                    self.record.stage(PairStage::Discarded { since, why });
                }
            }
            PairEvent::Offer(mut offer) => {
                if self.hand.was_thrown(&offer) {
                    self.again_thrown();
                    return None;
                }
                self.offers += 1;
                *offer.number_mut() = self.offers;
                self.record.came(self.offers);
                self.replace();
                self.present(offer).await;
            }
            PairEvent::Expired => self.expire(),
            PairEvent::Scanned => {
                let n = self.offers;
                self.hand.empty();
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
            PairEvent::Got(_) | PairEvent::Owes(..) | PairEvent::Staked(_) => {}
            PairEvent::Linked(row) => return Some(Over::Linked(row)),
            PairEvent::Failed(why) => return Some(Over::Failed(why)),
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
        self.ended(&Action::Wipe, ended)
    }

    /// Runs a plan that the provider made for this attempt.
    pub(super) async fn run_plan(&mut self, plan: Plan, cancel: &CancellationToken) -> Result<(), Reason> {
        let action = plan.action.clone();
        let id = ops::claim(self.world, self.target(), action.clone()).await.map_err(not_armed)?;
        if let Err(e) = self.world.store.op_plan(id, plan).await {
            let why = e.reason();
            let note = ops::Note { target: &self.target(), action: &action, words: ops::Words::default() };
            ops::end(self.world, &note, id, OpPhase::Failed, Some(why.clone())).await;
            return Err(why);
        }
        let ended = ops::run(self.world, id, &mut super::super::hosts::Quiet, cancel, ops::Words::default()).await;
        self.ended(&action, ended)
    }

    fn ended(&mut self, action: &Action, ended: ops::Ended) -> Result<(), Reason> {
        match ended.phase {
            OpPhase::Done => {
                if *action == Action::Wipe {
                    self.record.log(&words::PAIR_WIPED);
                }
                Ok(())
            }
            _ => Err(ended.reason.unwrap_or_else(|| Reason::new(ReasonCode::Internal))),
        }
    }
}

/// How a session ended.
pub(super) enum Over {
    Linked(Box<crate::domain::Row>),
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
