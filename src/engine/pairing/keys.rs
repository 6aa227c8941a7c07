//! What a person's keys do to a running attempt.

use super::{
    super::{command::PairKey, mailbox::PairStage},
    News, PairEnd,
    attempt::{Visit, spoilt},
    driver::Driver,
    hand::Held,
};
use crate::{
    domain::{Method, Reason},
    i18n::engine as words,
};
use tokio_util::sync::CancellationToken;

/// What follows when a session is over.
pub(super) enum Next {
    /// Begin a new session with what is wanted now.
    Restart,
    /// Wipe, then begin a new session.
    WipeFirst,
    /// The visit is over.
    End(PairEnd),
}

impl Visit<'_> {
    /// The next key while nothing else runs; `None` when the visit is over.
    pub(super) async fn wait_key(&mut self, cancel: &CancellationToken) -> Option<PairKey> {
        tokio::select! {
            () = cancel.cancelled() => None,
            key = self.keys.recv() => key,
        }
    }

    /// A key during a running session. `Some` ends the session.
    pub(super) async fn key(&mut self, key: Option<PairKey>, driver: &Driver) -> Option<Next> {
        match key {
            None | Some(PairKey::Leave) => {
                let blocked = self.hand.is_blocked();
                return Some(Next::End(PairEnd::Left { blocked }));
            }
            Some(PairKey::Again) => {
                // What stands there is given up: it need not stay while the gateway is asked.
                self.hand.empty();
                self.record.stage(PairStage::AskingClock);
                self.ask_clock_anew().await;
                return Some(Next::Restart);
            }
            Some(PairKey::Show) => match self.hand.held.take() {
                Some(Held::Unknown(offer)) => {
                    self.consent.unknown = true;
                    self.present(offer).await;
                }
                Some(Held::Unproven(shown)) => {
                    self.unproven_ok = true;
                    self.show(*shown);
                }
                other => self.hand.held = other,
            },
            Some(PairKey::Override) => {
                if let Some(Held::Blocked(offer)) = self.hand.held.take_if(|h| matches!(h, Held::Blocked(_))) {
                    self.override_gate().await;
                    match offer {
                        Some(offer) => self.present(offer).await,
                        None => return Some(Next::Restart),
                    }
                }
            }
            Some(PairKey::Switch(method, number)) => {
                self.switch(method, number);
                return Some(Next::Restart);
            }
            Some(PairKey::Answer(answer)) => driver.answer(answer),
            Some(PairKey::Agree) => {}
        }
        None
    }

    pub(super) fn switch(&mut self, method: Method, number: Option<Box<str>>) {
        if method == Method::Code && number.is_none() && self.want.number.is_none() {
            // Without a number there is no code to ask for; the form asks first.
            return;
        }
        self.want.method = method;
        if number.is_some() {
            self.want.number = number;
        }
        let number = self.want.number.clone().filter(|_| method == Method::Code);
        self.record.switch(self.gateway.spec, method, number.as_deref());
        self.record.log(&words::PAIR_SWITCHED);
    }

    /// The attempt is over: shows why, and waits for what to do next.
    pub(super) async fn failed(&mut self, why: Reason, cancel: &CancellationToken) -> Next {
        let wipe_first = spoilt(why.code);
        self.record.log(&words::PAIR_FAILED);
        self.record.stage(PairStage::Failed { why: why.clone(), wipe_first });
        self.record.news(News::Failed(&why));
        loop {
            match self.wait_key(cancel).await {
                None | Some(PairKey::Leave) => return Next::End(PairEnd::Failed(why)),
                Some(PairKey::Agree | PairKey::Again) if wipe_first => {
                    self.want.wipe_spoilt = true;
                    return Next::WipeFirst;
                }
                Some(PairKey::Agree | PairKey::Again) => return Next::Restart,
                Some(PairKey::Switch(method, number)) => {
                    self.switch(method, number);
                    return if wipe_first { Next::WipeFirst } else { Next::Restart };
                }
                Some(_) => {}
            }
        }
    }

    /// The provider needs a destructive plan first: shows what is lost and waits for Enter.
    pub(super) async fn wait_for_consent(&mut self, why: Reason, cancel: &CancellationToken) -> Next {
        let Some(plan) = self.needs.take() else { return Next::Restart };
        if self.want.wipe_spoilt {
            return self.agreed(plan, cancel).await;
        }
        self.record.stage(PairStage::Needs { why: why.clone(), loses: plan.loses.clone() });
        self.record.news(News::Needs(&why));
        loop {
            match self.wait_key(cancel).await {
                None | Some(PairKey::Leave) => return Next::End(PairEnd::Failed(why)),
                Some(PairKey::Agree) => return self.agreed(plan, cancel).await,
                Some(PairKey::Again) => return Next::Restart,
                Some(PairKey::Switch(method, number)) => {
                    self.switch(method, number);
                    return Next::Restart;
                }
                Some(_) => {}
            }
        }
    }

    async fn agreed(&mut self, plan: crate::domain::Plan, cancel: &CancellationToken) -> Next {
        self.record.log(&words::PAIR_WIPING);
        let since = self.record.now();
        self.record.stage(PairStage::Waiting { since, why: Reason::new(crate::domain::ReasonCode::EndingOldSession) });
        match self.run_plan(plan, cancel).await {
            Ok(()) => Next::Restart,
            Err(why) => Box::pin(self.failed(why, cancel)).await,
        }
    }
}
