//! The pairing attempt, spoken: each stage once, a code letter by letter, its end at ten seconds and at zero.

use super::spoken;
use crate::{
    clock::{Verdict, gate::Shown},
    domain::{Boot, Method, OfferKind, PromptKind},
    engine::mailbox::{PairStage, PairView},
    i18n::{Lang, Message, Words, pairing, plain as w},
    tui::{
        app::App,
        effect::Do,
        text,
        view::{ViewCx, pairing::spoken as panel},
    },
};
use std::mem::discriminant;

/// Seconds before its end at which an Offer is spoken of again.
const SOON_MS: u64 = 10_000;

/// What was said of the attempt.
#[derive(Default)]
pub(super) struct Told {
    stage: Option<Stage>,
    /// The Offer whose last seconds were told, and whether its end was.
    offer: Option<Offer>,
    /// The attempt whose steps on the phone were told.
    phone: Option<u32>,
    name: String,
}

#[derive(PartialEq)]
struct Stage {
    attempt: u32,
    stage: std::mem::Discriminant<PairStage>,
    n: u32,
    discarded: u32,
    armed: bool,
}

struct Offer {
    what: &'static Words,
    n: u32,
    dies: Boot,
    soon: bool,
}

impl Told {
    /// True while a secret is asked for.
    pub(super) fn masked(app: &App) -> bool {
        matches!(app.pairing.as_ref().map(|p| &p.view.stage), Some(PairStage::Ask(p)) if matches!(p.kind, PromptKind::Password | PromptKind::Secret))
    }

    /// Says the stage once more.
    pub(super) fn forget(&mut self) {
        self.stage = None;
    }

    /// When something has to be said without news.
    pub(super) fn next(&self, now: Boot) -> Option<Boot> {
        let o = self.offer.as_ref()?;
        let soon = Boot(o.dies.0.saturating_sub(SOON_MS));
        Some(if !o.soon && soon > now { soon } else { o.dies })
    }

    /// What is to be said now. A QR comes back as an effect too: its picture is written.
    pub(super) fn tell(&mut self, app: &App, out: &mut Vec<Do>) -> Vec<String> {
        let lang = app.lang();
        let mut say = Vec::new();
        self.countdown(app.now.boot_now(), lang, &mut say);
        let Some(p) = &app.pairing else {
            if self.stage.take().is_some() {
                say.push(Message::new(&w::PAIR_OVER).with("name", self.name.as_str()).text(lang));
            }
            self.offer = None;
            return say;
        };
        let (view, screen) = (&p.view, p.screen.borrow());
        let stage = Stage {
            attempt: view.attempt,
            stage: discriminant(&view.stage),
            n: number_of(&view.stage),
            discarded: view.discarded,
            armed: screen.override_armed,
        };
        if self.stage.as_ref() == Some(&stage) {
            return say;
        }
        self.stage = Some(stage);
        self.name = if app.hide_names { "····".to_owned() } else { view.label.to_string() };
        let cx = ViewCx { now: app.now, lang, theme: &app.theme, keymap: &app.keymap, ascii: true, color: false };
        match &view.stage {
            PairStage::Showing(shown) => self.offer(view, shown, app, &mut say, out),
            _ => {
                self.offer = None;
                say.extend(panel::lines(view, &screen, &cx).iter().map(|l| spoken(l)));
            }
        }
        if let Some(keys) = keys(view, screen.override_armed) {
            say.push(keys.get(lang).to_owned());
        }
        say
    }

    fn offer(&mut self, view: &PairView, shown: &Shown, app: &App, say: &mut Vec<String>, out: &mut Vec<Do>) {
        let lang = app.lang();
        let now = app.now.boot_now();
        // What a drawn deck would blank is not spoken either: dead, or let through before a clock moved.
        let void = view.gate.as_ref().is_some_and(|g| g.epoch > shown.epoch);
        if void || shown.offer.dies <= now {
            return;
        }
        let badge = |on: bool, words: &'static Words| on.then(|| spoken(words.get(lang)));
        say.extend(badge(shown.overridden || view.overridden, &pairing::BADGE_OVERRIDDEN));
        say.extend(badge(shown.verdict == Verdict::Unknown, &pairing::CLOCK_UNKNOWN));
        say.extend(badge(!shown.offer.fresh.proven(), &pairing::BADGE_UNPROVEN));
        let left = text::seconds_left(shown.offer.dies.since(now)).to_string();
        let n = shown.offer.n.to_string();
        let qr = shown.offer.kind == OfferKind::Qr;
        if qr {
            let qr = Message::new(&w::QR).with("n", n).with("s", left).text(lang);
            say.push(if view.has(Method::Code) { format!("{qr} {}", w::QR_OR_CODE.get(lang)) } else { qr });
            out.push(Do::Png(shown.offer.payload.expose().to_owned()));
        } else {
            let code = letters(shown.offer.payload.expose(), lang);
            say.push(Message::new(&w::CODE).with("n", n).with("code", code).with("s", left).text(lang));
            if let Some(number) = &view.number {
                say.push(Message::new(&w::FOR_NUMBER).with("number", spoken(&text::short_number(number.as_str()))).text(lang));
            }
        }
        if self.phone != Some(view.attempt) {
            self.phone = Some(view.attempt);
            let step = |(i, s): (usize, &&'static Words)| Message::new(&w::STEP).with("n", (i + 1).to_string()).with("what", s.get(lang)).text(lang);
            say.extend(view.phone.iter().enumerate().map(step));
        }
        let soon = shown.offer.dies.since(now).as_millis() <= u128::from(SOON_MS);
        self.offer = Some(Offer { what: if qr { &w::WHAT_QR } else { &w::WHAT_CODE }, n: shown.offer.n, dies: shown.offer.dies, soon });
    }

    fn countdown(&mut self, now: Boot, lang: Lang, say: &mut Vec<String>) {
        let Some(o) = &mut self.offer else { return };
        let m = |words| Message::new(words).with("what", o.what.get(lang)).with("n", o.n.to_string());
        if o.dies <= now {
            say.push(m(&w::DEAD).text(lang));
            self.offer = None;
        } else if !o.soon && o.dies.0 - now.0 <= SOON_MS {
            say.push(m(&w::DIES_SOON).with("s", text::seconds_left(o.dies.since(now)).to_string()).text(lang));
            o.soon = true;
        }
    }
}

/// What tells two stages of one kind apart.
fn number_of(stage: &PairStage) -> u32 {
    match stage {
        PairStage::Showing(s) => s.offer.n,
        PairStage::Expired { n } | PairStage::Scanned { n, .. } | PairStage::Linked { n, .. } => *n,
        PairStage::Ask(p) => p.wrong,
        PairStage::Blocked { started } => u32::from(*started),
        _ => 0,
    }
}

/// `M, 6, B, R, dash, K, J, 4, 5`: a dash stands in the middle, as the phone's field has it.
fn letters(code: &str, lang: Lang) -> String {
    let mut out: Vec<String> = code.chars().map(String::from).collect();
    if out.len() >= 6 && out.len().is_multiple_of(2) {
        out.insert(out.len() / 2, w::DASH.get(lang).to_owned());
    }
    out.join(if lang == Lang::Zh { "、" } else { ", " })
}

/// What can be typed now, besides the commands of the deck.
fn keys(view: &PairView, armed: bool) -> Option<&'static Words> {
    Some(match &view.stage {
        PairStage::Blocked { .. } if armed => &w::KEYS_OVERRIDE,
        PairStage::Blocked { .. } => &w::KEYS_BLOCKED,
        PairStage::ClockUnknown | PairStage::Unproven | PairStage::Needs { .. } | PairStage::Failed { .. } => &w::KEYS_GO,
        PairStage::Ask(_) => &w::ASK_ANSWER,
        PairStage::Linked { .. } => &w::KEYS_END,
        PairStage::Showing(_) => &w::KEYS_SHOWN,
        PairStage::AskingClock => &w::KEYS_RUNNING,
        _ => return None,
    })
}
