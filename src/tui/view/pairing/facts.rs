//! What stands beside every Offer: why it is believed, what the clocks say, what to do on the phone, what happened so far.

use super::{
    part::Part,
    screen::PairScreen,
    text::{age, clock, plain, span},
};
use crate::{
    clock::{
        Verdict, figures,
        gate::GateView,
        notes::{self, HostFacts, Note},
        sample::{By, Sample},
        verdict::Cause,
        words,
    },
    domain::{Fresh, Stamp},
    engine::mailbox::PairView,
    i18n::{Message, Words, pairing as w},
    tui::{theme::Role, view::ViewCx},
};
use ratatui::text::{Line, Span};

/// The proof of freshness in words.
pub(super) const fn fresh(fresh: Fresh) -> &'static Words {
    match fresh {
        Fresh::Event => &w::FRESH_EVENT,
        Fresh::NewIdentity => &w::FRESH_IDENTITY,
        Fresh::Rotated => &w::FRESH_ROTATED,
        Fresh::Presumed => &w::BADGE_UNPROVEN,
    }
}

/// The role of a verdict: well is plain.
pub(super) const fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Ok => Role::Plain,
        Verdict::Warn | Verdict::Unknown => Role::Warn,
        Verdict::Blocked => Role::Bad,
    }
}

/// The clock that a gate speaks of: who, how far ahead (negative: behind) and how sure.
pub(super) struct Off {
    /// `this host` or the gateway.
    who: String,
    /// Ahead of the truth, as far as known, in milliseconds: the middle of the interval.
    pub(super) ahead_ms: i64,
    /// Half the interval's width in milliseconds; `None` when only the least that it is off by is known.
    error_ms: Option<i64>,
}

/// The clock that a gate speaks of. `None` when neither gave a figure.
pub(super) fn off(gate: &GateView, cx: &ViewCx) -> Option<Off> {
    let ((here, skew), (_, ahead_ms)) = (gate.spoken()?, gate.ahead_ms()?);
    let who = if here { w::THIS_HOST.get(cx.lang).to_owned() } else { gate.gateway.as_str().to_owned() };
    Some(Off { who, ahead_ms, error_ms: (!skew.is_open()).then(|| skew.half()) })
}

/// A skew with its sign: `+0.2`, `-12`, `+3:00:00`, and whether it is in plain seconds.
fn signed(ms: i64) -> (String, bool) {
    let sign = if ms < 0 { '-' } else { '+' };
    match ms.unsigned_abs() {
        a @ 0..60_000 => (format!("{sign}{}.{}", a / 1000, a % 1000 / 100), true),
        a => (format!("{sign}{}", clock(a)), false),
    }
}

/// A skew with its sign and unit.
pub(super) fn signed_span(ms: i64) -> String {
    format!("{}{}", if ms < 0 { '-' } else { '+' }, span(ms))
}

fn figure(off: &Off, cx: &ViewCx) -> String {
    let Some(error) = off.error_ms else {
        let skew = figures::span(off.ahead_ms);
        return Message::new(&w::CLOCK_FIGURE_OPEN).with("who", &off.who).with("skew", skew).text(cx.lang);
    };
    let (skew, seconds) = signed(off.ahead_ms);
    let error = format!("{}.{}", error / 1000, error % 1000 / 100);
    let words = if seconds { &w::CLOCK_FIGURE } else { &w::CLOCK_FIGURE_LONG };
    Message::new(words).with("who", &off.who).with("skew", skew).with("error", error).text(cx.lang)
}

/// `clock ok  wa-us -0.3 s ±0.6, checked <1m`. It never says that a code will work.
pub(super) fn clock_line(gate: Option<&GateView>, cx: &ViewCx) -> (String, Role) {
    let Some(gate) = gate else {
        return (format!("{}  {}", w::CLOCK_UNKNOWN.get(cx.lang), w::CLOCK_NOT_ASKED.get(cx.lang)), Role::Dim);
    };
    let word = match gate.verdict {
        Verdict::Ok => &w::CLOCK_OK,
        Verdict::Warn if only_zone(gate) => &w::CLOCK_ZONE,
        Verdict::Warn => &w::CLOCK_WARN,
        Verdict::Unknown => &w::CLOCK_UNKNOWN,
        Verdict::Blocked => &w::CLOCK_BLOCKED,
    };
    let checked = Message::new(&w::CLOCK_CHECKED).with("age", age(&gate.at, &cx.now)).text(cx.lang);
    let says = match gate.conflict_ms() {
        Some(_) => Some(what(Some(gate), cx)),
        None => off(gate, cx).map(|off| figure(&off, cx)),
    };
    let text = match says {
        Some(says) => Message::new(&w::CLOCK_LINE).with("verdict", word.get(cx.lang)).with("figure", says).with("checked", checked).text(cx.lang),
        None => format!("{}  {checked}", word.get(cx.lang)),
    };
    (plain(text, cx), role(gate.verdict))
}

/// True when no clock is off, but a timezone is not the declared one.
fn only_zone(gate: &GateView) -> bool {
    [&gate.zone, &gate.host_zone].iter().any(|z| z.as_ref().is_some_and(|e| e.differs().is_some()))
        && [&gate.remote, &gate.host].iter().all(|j| j.verdict != Verdict::Warn || j.cause == Some(Cause::ZoneDiffers))
}

/// Why, what to do, and the advice that belongs to a code: all of it in the words of the clock room.
pub(super) struct Told {
    pub(super) why: Option<String>,
    pub(super) act: Option<String>,
    pub(super) advice: Vec<String>,
}

/// What is told of a gate that is not well.
pub(super) fn told(gate: &GateView, cx: &ViewCx) -> Told {
    let text = |m: Message| m.text(cx.lang);
    let advice = notes::notes(gate, &HostFacts::default()).into_iter().filter(|n| matches!(n, Note::SetZoneNotClock | Note::NewCode));
    // On this screen a code is what it is about: the act alone says so.
    let advice = advice.map(|n| n.says()).map(|(says, act)| text(act.unwrap_or(says))).collect();
    Told { why: words::cause(gate).map(text), act: words::remedy(gate).map(text), advice }
}

/// `the clock of wa-sp is 3:00:00 ahead`.
pub(super) fn what(gate: Option<&GateView>, cx: &ViewCx) -> String {
    if let Some(gap) = gate.and_then(GateView::conflict_ms) {
        return Message::new(&w::CLOCK_TORN).with("skew", figures::span(gap)).text(cx.lang);
    }
    let Some(off) = gate.and_then(|g| off(g, cx)) else { return w::CLOCK_BAD.get(cx.lang).to_owned() };
    let words = match (off.error_ms, off.ahead_ms < 0) {
        (None, _) => &w::CLOCK_BEHIND_OPEN,
        (_, true) => &w::CLOCK_BEHIND,
        (_, false) => &w::CLOCK_AHEAD,
    };
    Message::new(words).with("who", &off.who).with("skew", figures::span(off.ahead_ms)).text(cx.lang)
}

/// What was measured of the clock that a gate speaks of, a line a source. What agrees is one line, and what measures no offset
/// is none; where servers contradict each other, each is named.
pub(super) fn seen(gate: &GateView) -> Vec<Sample> {
    let torn = gate.host.cause == Some(Cause::SourcesConflict);
    let here = torn || gate.spoken().is_some_and(|(here, _)| here);
    let judged = if here { &gate.host } else { &gate.remote };
    let counts = |s: &&Sample| matches!(s.by, By::Date | By::Ntp | By::ServerTime | By::Floor) && s.interval.is_some();
    // What a server said alone is in the joint answer of all.
    let alone = |s: &&Sample| torn || s.server.is_none();
    let lines = words::joined(judged.samples.iter().filter(counts).filter(alone));
    if lines.is_empty() { words::joined(gate.remote.samples.iter().filter(|s| s.by == By::Date)) } else { lines }
}

/// One measurement in words, as it was taken: its sign is that of its own definition.
pub(super) fn sample(sample: &Sample, cx: &ViewCx) -> String {
    let name = sample.server.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    let by = format!("{}{name}", words::by(sample.by).get(cx.lang));
    let Some(interval) = sample.interval else {
        return Message::new(&w::SAMPLE_NOTHING).with("by", by).with("detail", words::detail(sample).text(cx.lang)).text(cx.lang);
    };
    let skew = if interval.is_open() { figures::of(&interval) } else { format!("{} ±{}", signed_span(interval.mid()), span(interval.half())) };
    let text = Message::new(&w::SAMPLE).with("by", by).with("skew", skew).with("n", sample.probes.to_string());
    text.with("age", age(&sample.at, &cx.now)).text(cx.lang)
}

/// `ON THE PHONE` and its numbered steps.
pub(super) fn phone(rank: u8, view: &PairView, cx: &ViewCx, width: usize) -> Part {
    let mut part = Part::new(rank);
    for (i, step) in view.phone.iter().enumerate() {
        if i == 0 {
            part = part.text(cx, Role::Title, w::ON_THE_PHONE.get(cx.lang).to_owned(), width);
        }
        part = part.labelled(cx, Role::Plain, &format!("{}  ", i + 1), step.get(cx.lang).to_owned(), width);
    }
    part
}

/// `THIS ATTEMPT` and what happened in it, newest last; scrolled back by the screen's wish.
pub(super) fn log(rank: u8, view: &PairView, screen: &PairScreen, cx: &ViewCx, width: usize) -> Part {
    let mut part = Part::log(rank);
    if view.log.is_empty() {
        return part;
    }
    let back = usize::from(screen.log_back).min(view.log.len() - 1);
    part = part.text(cx, Role::Title, w::THIS_ATTEMPT.get(cx.lang).to_owned(), width);
    for (at, message) in &view.log[..view.log.len() - back] {
        part = part.labelled(cx, Role::Plain, &format!("{}  ", time(at, screen)), message.text(cx.lang), width);
    }
    if back > 0 {
        part = part.line(Line::from(Span::styled(format!("+{back}"), cx.theme.style(Role::Dim))));
    }
    part
}

/// `09:13:10` in the screen's zone.
pub(super) fn time(at: &Stamp, screen: &PairScreen) -> String {
    match jiff::Timestamp::from_millisecond(at.wall.0) {
        Ok(t) => t.to_zoned(screen.zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".to_owned(),
    }
}
