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
    domain::{Clean, Method, OfferKind, ReasonCode, Stamp, Target, Want},
    i18n::{Message, engine as words},
    providers::KindSpec,
    store::{Attempt, OfferLine as OfferRow, OfferOutcome},
};
use std::sync::Arc;

/// Lines of the log that are kept.
const LINES: usize = 50;
/// Offers of one attempt that the history keeps, newest first: no server hands out more.
const MOST_OFFERS: usize = 200;

/// The view, its watcher, and the counts for the history.
pub(super) struct Record<'a> {
    pub(super) view: PairView,
    world: Arc<World>,
    watcher: &'a mut dyn Watcher,
    session: Session,
}

/// What the history keeps of one attempt; a visit to the screen may hold several.
struct Session {
    began: Stamp,
    offers: u32,
    /// Old codes discarded in the visit before this attempt.
    discarded_before: u32,
    skew_ms: Option<i64>,
    first_verdict: Option<Verdict>,
    issued: Vec<OfferRow>,
}

impl Session {
    const fn new(began: Stamp, discarded_before: u32) -> Self {
        Self { began, offers: 0, discarded_before, skew_ms: None, first_verdict: None, issued: Vec::new() }
    }
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
            methods: spec.methods,
            number: want.number.as_deref().map(Clean::new),
            stage: PairStage::AskingClock,
            gate: None,
            overridden: false,
            discarded: 0,
            feed: gateway.facts().feed,
            began: world.time.now(),
            log: Vec::new(),
        };
        let session = Session::new(view.began, 0);
        Self { view, world: world.clone(), watcher, session }
    }

    /// A new attempt of this visit begins: it is counted and timed by itself.
    pub(super) fn begin(&mut self) {
        self.session = Session::new(self.now(), self.view.discarded);
    }

    /// An Offer of that number came. Held back until something else is told of it.
    pub(super) fn came(&mut self, n: u32) {
        self.issue(n, OfferOutcome::Hidden);
    }

    fn issue(&mut self, n: u32, outcome: OfferOutcome) {
        let verdict = self.view.gate.as_ref().map_or(Verdict::Unknown, |g| g.verdict);
        let over = (self.session.issued.len() + 1).saturating_sub(MOST_OFFERS);
        self.session.issued.drain(..over);
        self.session.issued.push(OfferRow { n, issued: self.now().wall, verdict, outcome });
    }

    /// What became of an Offer: of that number, or of the one on screen.
    fn became(&mut self, n: Option<u32>, outcome: OfferOutcome) {
        let on_screen = |o: &&mut OfferRow| n.map_or(o.outcome == OfferOutcome::Shown, |n| o.n == n);
        if let Some(offer) = self.session.issued.iter_mut().rev().find(on_screen) {
            offer.outcome = outcome;
        }
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
        match &news {
            News::Offer(shown, _) => {
                self.session.offers += 1;
                if let Some(offer) = self.session.issued.iter_mut().rev().find(|o| o.n == shown.offer.n) {
                    offer.outcome = OfferOutcome::Shown;
                    offer.verdict = shown.verdict;
                }
            }
            News::Discarded(_) => self.issue(0, OfferOutcome::Discarded),
            News::Expired(n) => self.became(Some(*n), OfferOutcome::Expired),
            News::Hidden(why) if why.code == ReasonCode::ClockMoved => self.became(None, OfferOutcome::Hidden),
            News::Blocked(_, true) => self.became(None, OfferOutcome::Hidden),
            News::Scanned(n) => self.became(Some(*n), OfferOutcome::Used),
            _ => {}
        }
        self.watcher.news(news);
    }

    /// Keeps the gate's latest view.
    pub(super) fn gate(&mut self, view: crate::clock::gate::GateView) {
        self.session.first_verdict.get_or_insert(view.verdict);
        if let Some(worst) = view.worst_ms() {
            self.session.skew_ms = Some(worst);
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

    /// Writes the finished attempt to the history, its Offers with it, in one commit.
    pub(super) async fn finish(&mut self, outcome: &str) {
        if outcome == "linked" {
            // Not every platform tells that the phone has it: who is linked has used what was on screen.
            self.became(None, OfferOutcome::Used);
        }
        let s = &self.session;
        let attempt = Attempt {
            began: s.began,
            target: self.view.target.clone(),
            outcome: outcome.to_owned(),
            verdict: s.first_verdict.unwrap_or(Verdict::Unknown),
            overridden: self.view.overridden,
            skew_ms: s.skew_ms,
            offers: s.offers,
            discarded: self.view.discarded.saturating_sub(s.discarded_before),
            took_s: s.began.age(&self.now()).as_secs(),
            issued: s.issued.clone(),
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
