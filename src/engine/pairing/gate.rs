//! The gate in a visit: asked before anything is sent, waited for while it blocks, overridden by a person only.

use super::{
    super::{command::PairKey, mailbox::PairStage, ops},
    News, PairEnd,
    attempt::Visit,
    keys::Next,
};
use crate::{
    clock::{Verdict, gate::TTL_PAIRING, kernel},
    domain::{Reason, ReasonCode},
    i18n::engine as words,
};
use tokio_util::sync::CancellationToken;

impl Visit<'_> {
    /// Asks the gateway for the time by the cheapest call. An answer's `Date` reaches the gate by itself.
    pub(super) async fn ask_clock(&mut self) -> Option<Reason> {
        self.world.gate.push(kernel::sample(self.record.now()));
        super::super::clock::ask(self.world.clone(), self.gateway.clone(), Some(self.target())).await.err()
    }

    /// The same because a person says that a clock was put right: what was measured before does not count against it.
    pub(super) async fn ask_clock_anew(&mut self) -> Option<Reason> {
        let since = self.record.now();
        let (why, ()) = tokio::join!(super::super::clock::ask(self.world.clone(), self.gateway.clone(), Some(self.target())), self.world.ask_ntp());
        let why = why.err();
        self.world.gate.renew(&self.gateway.id, &since);
        self.world.gate.renew_host(&since);
        why
    }

    /// The gate before anything is sent.
    pub(super) async fn open_gate(&mut self, cancel: &CancellationToken) -> Result<(), Next> {
        let mut fresh = false;
        loop {
            if !fresh {
                self.world.ask_ntp_if_older(TTL_PAIRING).await;
            }
            let elsewhere = self.gateway.provider.pairs_elsewhere(&self.gateway.settings, &self.target());
            if !fresh && (elsewhere || self.world.gate.is_old(&self.gateway.id)) {
                self.record.stage(PairStage::AskingClock);
                if let Some(why) = self.ask_clock().await
                    && self.world.gate.is_old(&self.gateway.id)
                    && why.code != ReasonCode::NotFound
                {
                    return Err(self.failed(why, cancel).await);
                }
                if let Some(wait) = self.world.gate.doubt(&self.gateway.id) {
                    // The gateway's clock was just set, or a proxy answered: nothing is begun, and nobody is blamed, on a doubt
                    // that a second settles.
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                    let _ = self.ask_clock().await;
                }
            }
            match self.world.gate.may_start(&self.gateway.id, &self.consent) {
                Ok(view) => {
                    self.record.gate(view);
                    return Ok(());
                }
                Err(view) => {
                    self.record.gate(*view.clone());
                    self.record.log(&words::PAIR_BLOCKED);
                    self.record.stage(PairStage::Blocked { started: false });
                    self.record.news(News::Blocked(&view, false));
                    fresh = self.wait_blocked(cancel).await?;
                }
            }
        }
    }

    /// Waits before a closed gate. True when the operator overrode it.
    async fn wait_blocked(&mut self, cancel: &CancellationToken) -> Result<bool, Next> {
        let mut moves = self.world.gate.moves();
        // A person in front of a closed gate waits for somebody to set the clock right.
        let _depends = self.world.gate.depend();
        loop {
            let key = tokio::select! {
                key = self.wait_key(cancel) => key,
                _ = moves.changed() => {
                    let epoch = moves.borrow_and_update().epoch;
                    if epoch == self.hand.epoch {
                        continue;
                    }
                    // Somebody set this host's clock, perhaps right: what blocked is no longer known.
                    self.catch_up();
                    return Ok(false);
                }
            };
            match key {
                None | Some(PairKey::Leave) => {
                    self.record.finish("blocked").await;
                    ops::audit(self.world, &self.target(), "pair", Some(Verdict::Blocked), "blocked").await;
                    return Err(Next::End(PairEnd::Left { blocked: true }));
                }
                Some(PairKey::Again) => {
                    self.record.stage(PairStage::AskingClock);
                    if let Some(why) = self.ask_clock_anew().await {
                        return Err(self.failed(why, cancel).await);
                    }
                    return Ok(true);
                }
                Some(PairKey::Override) => {
                    self.override_gate().await;
                    return Ok(true);
                }
                Some(PairKey::Switch(method, number)) => self.switch(method, number),
                Some(_) => {}
            }
        }
    }

    /// The second key of the override: covers this attempt, until the clock moves or the skew grows. Goes into the audit.
    pub(super) async fn override_gate(&mut self) {
        // What the person saw is what was agreed to; if it has become worse since, the gate stays closed.
        let view = self.record.view.gate.clone().unwrap_or_else(|| self.world.gate.view(&self.gateway.id));
        let skew = view.worst_ms().max(view.conflict_ms()).unwrap_or(0);
        self.consent.blocked = view.overriding();
        self.record.view.overridden = true;
        self.record.log(&words::PAIR_OVERRIDE);
        let outcome = format!("clock_override skew_ms={skew}");
        ops::audit(self.world, &self.target(), "pair", Some(view.verdict), &outcome).await;
        self.record.gate(view);
    }
}
