//! The states that replace QR or code: a head with its glyph, what happened, what comes next.

use super::{
    facts::{off, sample, seen as measured, signed_span, told, what},
    part::Part,
    screen::PairScreen,
    text::{Glyph, plain},
};
use crate::{
    clock::{Verdict, figures, gate::GateView, words},
    domain::{FactValue, Prompt, PromptKind, Stamp},
    engine::mailbox::{PairStage, PairView},
    i18n::{Message, Words, common, pairing as w, reason},
    tui::{text, theme::Role, view::ViewCx},
};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Makes the parts of one panel at a given width.
pub(super) struct Panel<'a> {
    pub(super) view: &'a PairView,
    pub(super) screen: &'a PairScreen,
    pub(super) cx: &'a ViewCx<'a>,
    pub(super) width: usize,
}

impl Panel<'_> {
    fn word(&self, words: &'static Words) -> String {
        words.get(self.cx.lang).to_owned()
    }

    fn say(&self, message: Message) -> String {
        message.text(self.cx.lang)
    }

    fn head(&self, glyph: Glyph, role: Role, text: &str, right: &str) -> Part {
        let head = plain(format!("{} {text}", glyph.get(self.cx.ascii)), self.cx);
        if head.width() + right.width() + 2 > self.width {
            // A head says what matters most: it wraps rather than being cut.
            let lead = format!("{} ", glyph.get(self.cx.ascii));
            let part = Part::new(0).labelled(self.cx, role, &lead, text.to_owned(), self.width);
            return if right.is_empty() { part } else { part.text(self.cx, Role::Dim, right.to_owned(), self.width) };
        }
        Part::new(0).ends(self.cx, role, &head, (right, Role::Plain), self.width)
    }

    fn para(&self, rank: u8, words: &'static Words) -> Part {
        Part::new(rank).text(self.cx, Role::Plain, self.word(words), self.width)
    }

    fn elapsed(&self, since: &Stamp) -> String {
        format!("{} s", since.age(&self.cx.now).as_secs())
    }

    fn reason(&self, rank: u8, why: &crate::domain::Reason) -> Part {
        let part = Part::new(rank).text(self.cx, Role::Plain, reason::full(why, self.cx.lang), self.width);
        match reason::remedy_sentence(why, self.cx.lang) {
            Some(remedy) => part.text(self.cx, Role::Plain, remedy, self.width),
            None => part,
        }
    }

    /// The panel of the stage at hand; empty while an Offer is on screen.
    pub(super) fn parts(&self) -> Vec<Part> {
        let gateway = self.view.target.gateway.as_str();
        match &self.view.stage {
            PairStage::Showing(_) => Vec::new(),
            PairStage::AskingClock => {
                let head = self.say(Message::new(&w::ASKING_CLOCK).with("gateway", gateway));
                vec![self.head(Glyph::Wait, Role::Info, &head, &self.elapsed(&self.view.began)), self.para(1, &w::ASKING_CLOCK_WHY)]
            }
            PairStage::Waiting { since, why } => {
                let head = self.say(Message::new(&w::WAITING).with("gateway", gateway));
                let reason = Part::new(1).text(self.cx, Role::Plain, reason::full(why, self.cx.lang), self.width);
                vec![self.head(Glyph::Wait, Role::Info, &head, &self.elapsed(since)), reason, self.para(2, &w::WAITING_WHY)]
            }
            PairStage::Discarded { since, why } => {
                let head = self.say(Message::new(&w::DISCARDED).with("n", self.view.discarded.to_string()));
                let reason = Part::new(1).text(self.cx, Role::Plain, reason::full(why, self.cx.lang), self.width);
                vec![self.head(Glyph::Wait, Role::Info, &head, &self.elapsed(since)), reason, self.para(2, &w::DISCARDED_WHY)]
            }
            PairStage::Blocked { .. } if self.screen.override_armed => self.override_question(),
            PairStage::Blocked { started } => self.blocked(*started),
            PairStage::ClockUnknown => self.unverified(),
            PairStage::Unproven => self.ready(&w::BADGE_UNPROVEN, &w::UNPROVEN_WHY),
            PairStage::Moved { by_ms } => self.moved(*by_ms),
            PairStage::Expired { n } => self.expired(*n),
            PairStage::Scanned { since, n } => {
                let words = if self.is_qr() { &w::SCANNED_QR } else { &w::SCANNED_CODE };
                let head = self.say(Message::new(words).with("n", n.to_string()));
                vec![
                    self.head(Glyph::Half, Role::Info, &head, &self.elapsed(since)),
                    self.para(1, &w::SCANNED_WHY),
                    Part::new(2).text(self.cx, Role::Dim, self.word(&w::LEAVE_MAY_FINISH), self.width),
                ]
            }
            PairStage::Ask(prompt) => self.ask(prompt),
            PairStage::Needs { why, loses } => {
                let mut lost = Part::new(1);
                for l in loses {
                    let text = self.say(Message::new(&w::LOSES).with("what", self.say(l.clone())));
                    lost = lost.text(self.cx, Role::Warn, text, self.width);
                }
                vec![self.head(Glyph::Override, Role::Warn, &self.word(&w::NEEDS), ""), lost, self.reason(2, why)]
            }
            PairStage::Linked { online, token, told, facts, took_s, n } => {
                let words = match (*n, self.is_qr()) {
                    // Its session was still there: it came back before any code was needed.
                    (0, _) if *online => &w::TOOK_NONE,
                    // A code that was typed, or a token that was there: nothing was shown here, and nothing was still there.
                    (0, _) => &w::TOOK_ALONE,
                    (_, true) => &w::TOOK_QR,
                    (_, false) => &w::TOOK_CODE,
                };
                let took = self.say(Message::new(words).with("s", took_s.to_string()).with("n", n.to_string()));
                let [paired, then] = told.unwrap_or(match (*online, *token) {
                    (true, _) => [&w::PAIRED, &w::PAIRED_SYNC],
                    (false, true) => [&w::PAIRED_TOKEN, &w::PAIRED_TOKEN_THEN],
                    (false, false) => [&w::PAIRED_SESSION, &w::PAIRED_SESSION_THEN],
                });
                let head = self.say(Message::new(paired).with("label", self.view.label.as_str()));
                let mut lines = Part::new(1);
                for fact in facts {
                    let text = match &fact.value {
                        FactValue::Text(t) => t.as_str().to_owned(),
                        FactValue::Number(n) => number(n.as_str(), self.screen.number_shown, self.cx),
                        FactValue::Count(n) => n.to_string(),
                        FactValue::At(at) => super::text::age(at, &self.cx.now),
                        FactValue::Flag(on) => self.word(if *on { &common::YES } else { &common::NO }),
                    };
                    lines = lines.labelled(self.cx, Role::Plain, &format!("{}  ", fact.label.get(self.cx.lang)), text, self.width);
                }
                vec![self.head(Glyph::Good, Role::Title, &head, &took), lines, self.para(2, then)]
            }
            PairStage::Failed { why, wipe_first } => {
                let raw = why.raw.as_ref().map_or_else(String::new, |r| format!("[{r}]"));
                let head = format!("{}: {}", self.word(&w::FAILED), reason::sentence(why, self.cx.lang));
                let next = match reason::remedy_sentence(why, self.cx.lang) {
                    _ if *wipe_first => self.word(&w::WIPE_FIRST),
                    Some(remedy) => remedy,
                    None => self.word(&w::ENDED),
                };
                vec![self.head(Glyph::Bad, Role::Bad, &head, &raw), Part::new(1).text(self.cx, Role::Plain, next, self.width)]
            }
        }
    }

    const fn is_qr(&self) -> bool {
        matches!(self.view.method, crate::domain::Method::Qr)
    }

    /// An Offer died: in the stage of that name, or on screen before the engine said so.
    pub(super) fn expired(&self, n: u32) -> Vec<Part> {
        let words = if self.is_qr() { &w::EXPIRED_QR } else { &w::EXPIRED_CODE };
        let head = self.say(Message::new(words).with("n", n.to_string()));
        vec![self.head(Glyph::Gone, Role::Dim, &head, ""), self.para(1, &w::EXPIRED_WHY)]
    }

    /// A clock was moved: in the stage of that name, or seen by the gate's epoch before the engine said so.
    pub(super) fn moved(&self, by_ms: Option<i64>) -> Vec<Part> {
        let head = match by_ms {
            Some(ms) => self.say(Message::new(&w::MOVED_BY).with("skew", signed_span(ms))),
            None => self.word(&w::MOVED),
        };
        vec![self.head(Glyph::Bad, Role::Bad, &head, ""), self.para(1, &w::MOVED_WHY)]
    }

    fn ready(&self, badge: &'static Words, why: &'static Words) -> Vec<Part> {
        vec![self.head(Glyph::Phone, Role::Warn, &self.word(&w::READY), &self.word(badge)), self.para(1, why), self.para(2, &w::UNKNOWN_BADGE)]
    }

    /// Nothing told the time. Why not, where that is known: a `Date` that contradicts itself did come.
    fn unverified(&self) -> Vec<Part> {
        let mut parts = self.ready(&w::BADGE_UNVERIFIED, &w::UNKNOWN_WHY);
        let gate = self.view.gate.as_ref().filter(|g| g.verdict == Verdict::Unknown);
        if let Some((why, act)) = gate.map(|g| told(g, self.cx)).and_then(|t| Some((t.why?, t.act))) {
            let why = self.say(Message::new(&w::UNKNOWN_CAUSE).with("cause", why));
            parts.splice(1..2, [Part::new(1).text(self.cx, Role::Plain, why, self.width)]);
            parts.extend(act.map(|text| self.labelled(Part::new(3), &w::DO, text)));
        }
        parts
    }

    fn blocked(&self, started: bool) -> Vec<Part> {
        let gate = self.view.gate.as_ref();
        let words = if started { &w::BLOCKED_HIDDEN } else { &w::BLOCKED_NOT_STARTED };
        let head = self.say(Message::new(words).with("what", what(gate, self.cx)));
        let (mut seen, mut evidence) = (Part::new(4), Part::new(2).glued());
        let (mut act, mut advice) = (Part::new(1), Part::new(5));
        if let Some(gate) = gate {
            for s in measured(gate).iter().take(3) {
                seen = self.labelled(seen, &w::SEEN, sample(s, self.cx));
            }
            let told = told(gate, self.cx);
            if let Some(why) = told.why {
                evidence = self.labelled(evidence, &w::CAUSE, why);
            }
            if let Some(s) = gate.side {
                evidence = self.labelled(evidence, &w::SIDE, self.word(words::side(s)));
            }
            if let Some(text) = told.act {
                act = self.labelled(act, &w::DO, text);
            }
            for text in told.advice {
                advice = advice.text(self.cx, Role::Dim, text, self.width);
            }
        }
        vec![self.head(Glyph::Bad, Role::Bad, &head, ""), seen, evidence, act, advice]
    }

    fn labelled(&self, part: Part, label: &'static Words, text: String) -> Part {
        let label = label.get(self.cx.lang);
        let pad = " ".repeat(7usize.saturating_sub(label.width()));
        part.labelled(self.cx, Role::Plain, &format!("{label}{pad}"), text, self.width)
    }

    fn override_question(&self) -> Vec<Part> {
        let apart = |g: &GateView| g.conflict_ms().or_else(|| off(g, self.cx).map(|o| o.ahead_ms));
        let skew = self.view.gate.as_ref().and_then(apart).map_or_else(|| self.word(&common::UNKNOWN), figures::span);
        let head = self.say(Message::new(&w::OVERRIDE).with("skew", skew));
        vec![self.head(Glyph::Override, Role::Armed, &head, ""), self.para(1, &w::OVERRIDE_WHAT), self.para(2, &w::OVERRIDE_RISK)]
    }

    fn ask(&self, prompt: &Prompt) -> Vec<Part> {
        let wrong = match prompt.wrong {
            0 => String::new(),
            n => plain(self.say(Message::new(&w::ASK_WRONG).with("n", n.to_string())), self.cx),
        };
        let mut parts = vec![self.head(Glyph::Ask, Role::Title, &self.say(prompt.words.clone()), &wrong)];
        if let Some(hint) = &prompt.hint {
            let hint = self.say(Message::new(&w::ASK_HINT).with("hint", hint.as_str()));
            parts.push(Part::new(2).text(self.cx, Role::Dim, hint, self.width));
        }
        parts.push(self.field(matches!(prompt.kind, PromptKind::Password | PromptKind::Secret)));
        if matches!(prompt.kind, PromptKind::Password | PromptKind::Secret | PromptKind::Code) {
            parts.push(Part::new(1).text(self.cx, Role::Dim, self.word(&w::ASK_NEVER_STORED), self.width));
        }
        parts
    }

    /// The field with what is around its cursor. A masked one shows a dot a letter.
    fn field(&self, masked: bool) -> Part {
        let label = format!("{} ", w::FIELD.get(self.cx.lang));
        let room = self.width.saturating_sub(label.width() + 1);
        let mask = if self.cx.ascii { "*" } else { "·" };
        let value = self.screen.field.value();
        let before_chars = self.screen.field.cursor();
        let before: String = value.chars().take(before_chars).collect();
        let show = |s: &str| if masked { mask.repeat(s.graphemes(true).count()) } else { s.to_owned() };
        let (before, after) = (show(&before), show(value.get(before.len()..).unwrap_or_default()));
        // Long answers scroll: the end of what stands before the cursor is kept.
        let mut kept = String::new();
        for g in before.graphemes(true).rev() {
            if kept.width() + g.width() > room {
                break;
            }
            kept.insert_str(0, g);
        }
        let cursor = u16::try_from(label.width() + kept.width()).unwrap_or(u16::MAX);
        let mut rest = String::new();
        for g in after.graphemes(true) {
            if kept.width() + rest.width() + g.width() > room {
                break;
            }
            rest.push_str(g);
        }
        let style = self.cx.theme.style(if masked { Role::Secret } else { Role::Title });
        Part::new(0)
            .field(Line::from(vec![Span::styled(label, self.cx.theme.style(Role::Dim)), Span::styled(format!("{kept}{rest}"), style)]), cursor)
    }
}

/// A number, shortened unless it was asked for.
pub(super) fn number(digits: &str, whole: bool, cx: &ViewCx) -> String {
    plain(if whole { text::full_number(digits) } else { text::short_number(digits) }, cx)
}
