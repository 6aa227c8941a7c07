//! The attempt as it is shown and as it is written to the history.

use super::{
    super::{
        mailbox::{PairStage, PairView},
        world::{Gateway, World},
    },
    News, Watcher,
};
use crate::{
    clock::Verdict,
    domain::{Clean, Method, OfferKind, Stamp, Target, Want},
    i18n::{Message, engine as words},
    providers::KindSpec,
    store::Attempt,
};
use std::sync::Arc;

/// Lines of the log that are kept.
const LINES: usize = 50;

/// The view, its watcher, and the counts for the history.
pub(super) struct Record<'a> {
    pub(super) view: PairView,
    world: Arc<World>,
    watcher: &'a mut dyn Watcher,
    offers: u32,
    skew_ms: Option<i64>,
    first_verdict: Option<Verdict>,
}

impl<'a> Record<'a> {
    pub(super) fn new(world: &Arc<World>, gateway: &Gateway, target: Target, want: &Want, watcher: &'a mut dyn Watcher) -> Self {
        let (spec, method) = (gateway.spec, want.method);
        let label = world.row(&target).map_or_else(|| Clean::new(target.account.as_str()), |r| r.label);
        let view = PairView {
            target,
            label,
            platform: spec.platform,
            phone: phone(spec, method),
            attempt: 1,
            method,
            number: want.number.as_deref().map(Clean::new),
            stage: PairStage::AskingClock,
            gate: None,
            overridden: false,
            discarded: 0,
            feed: gateway.facts().feed,
            began: world.time.now(),
            log: Vec::new(),
        };
        Self { view, world: world.clone(), watcher, offers: 0, skew_ms: None, first_verdict: None }
    }

    /// Sets what the screen shows now.
    pub(super) fn stage(&mut self, stage: PairStage) {
        self.view.stage = stage;
        self.watcher.view(&self.view);
    }

    /// Adds a line to the log of the attempt (shown with the next stage).
    pub(super) fn log(&mut self, message: impl Into<Message>) {
        self.view.log.push((self.world.time.now(), message.into()));
        let over = self.view.log.len().saturating_sub(LINES);
        self.view.log.drain(..over);
    }

    pub(super) fn news(&mut self, news: News<'_>) {
        if matches!(news, News::Offer(..)) {
            self.offers += 1;
        }
        self.watcher.news(news);
    }

    /// Keeps the gate's latest view.
    pub(super) fn gate(&mut self, view: crate::clock::gate::GateView) {
        self.first_verdict.get_or_insert(view.verdict);
        if let Some(skew) = view.remote.skew {
            self.skew_ms = Some(skew.lo_ms.abs().max(skew.hi_ms.abs()));
        }
        self.view.gate = Some(view);
    }

    pub(super) fn switch(&mut self, spec: &'static KindSpec, method: Method, number: Option<&str>) {
        self.view.method = method;
        self.view.number = number.map(Clean::new);
        self.view.phone = phone(spec, method);
    }

    pub(super) fn now(&self) -> Stamp {
        self.world.time.now()
    }

    pub(super) fn took_s(&self) -> u64 {
        self.view.began.age(&self.now()).as_secs()
    }

    /// Writes the finished attempt to the history.
    pub(super) async fn finish(&self, outcome: &str) {
        let attempt = Attempt {
            began: self.view.began,
            target: self.view.target.clone(),
            outcome: outcome.to_owned(),
            verdict: self.first_verdict.unwrap_or(Verdict::Unknown),
            overridden: self.view.overridden,
            skew_ms: self.skew_ms,
            offers: self.offers,
            discarded: self.view.discarded,
            took_s: self.took_s(),
        };
        let _ = self.world.store.attempt(attempt).await;
    }
}

fn phone(spec: &'static KindSpec, method: Method) -> &'static [&'static crate::i18n::Words] {
    match method {
        Method::Qr => spec.phone_qr,
        Method::Code => spec.phone_code,
    }
}

/// The log line for an Offer that came on screen, died or was replaced.
pub(super) fn offer_line(kind: OfferKind, n: u32, what: OfferLine) -> Message {
    let words = match (kind, what) {
        (OfferKind::Qr, OfferLine::Shown) => &words::PAIR_QR_SHOWN,
        (OfferKind::Qr, OfferLine::Expired) => &words::PAIR_QR_EXPIRED,
        (OfferKind::Qr, OfferLine::Replaced) => &words::PAIR_QR_REPLACED,
        (OfferKind::Code, OfferLine::Shown) => &words::PAIR_CODE_SHOWN,
        (OfferKind::Code, OfferLine::Expired) => &words::PAIR_CODE_EXPIRED,
        (OfferKind::Code, OfferLine::Replaced) => &words::PAIR_CODE_REPLACED,
    };
    Message::new(words).with("n", n.to_string())
}

/// What became of an Offer.
#[derive(Clone, Copy)]
pub(super) enum OfferLine {
    Shown,
    Expired,
    Replaced,
}
