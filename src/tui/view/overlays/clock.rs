//! Clock evidence: what was measured, what is concluded, what to do. The words are the clock room's.

use super::spark;
use crate::{
    clock::{
        Verdict, figures,
        gate::GateView,
        verdict::{Judgement, Side},
        words::{self, Evidence},
    },
    i18n::{Lang, Message, deck as w},
    tui::{
        app::App,
        text,
        theme::Role,
        view::panel::{Panel, Row, inner_width, wrapped},
    },
};

/// From this width on a sample is one line.
const WIDE: usize = 60;
/// More gateways than this of one verdict are told as a number.
const NAMED: usize = 3;

const fn role(v: Verdict) -> Role {
    match v {
        Verdict::Ok => Role::Plain,
        Verdict::Warn => Role::Warn,
        Verdict::Unknown => Role::Dim,
        Verdict::Blocked => Role::Bad,
    }
}

const fn glyph(v: Verdict) -> &'static str {
    match v {
        Verdict::Ok => "✓",
        Verdict::Warn => "⚠",
        Verdict::Unknown => "?",
        Verdict::Blocked => "✗",
    }
}

/// `✗ blocked`.
fn mark(v: Verdict, lang: Lang) -> String {
    format!("{} {}", glyph(v), words::verdict(v).get(lang))
}

fn pad(t: &str, n: usize) -> String {
    let cut = text::cut(t, n.saturating_sub(1)).into_owned();
    let fill = n.saturating_sub(text::width(&cut));
    format!("{cut}{}", " ".repeat(fill))
}

/// Gateways, worst first, then in the order of the deck.
fn gates(app: &App) -> Vec<&GateView> {
    let rank = |g: &GateView| app.fleet.gateway_at(&g.gateway).unwrap_or(usize::MAX);
    let mut gates: Vec<&GateView> = app.gates.values().collect();
    gates.sort_by_key(|g| (std::cmp::Reverse(g.verdict), rank(g)));
    gates
}

/// Gateways that no clock was heard of.
fn unheard(app: &App) -> Vec<&str> {
    app.fleet.gateways().iter().map(|g| &g.view.id).filter(|id| !app.gates.contains_key(*id)).map(|id| id.as_str()).collect()
}

/// `GATE  blocked for wa-sp · ok for 5 · not asked: 0`.
fn summary(app: &App, gates: &[&GateView]) -> String {
    let lang = app.lang();
    let mut parts = Vec::new();
    for v in [Verdict::Blocked, Verdict::Unknown, Verdict::Warn, Verdict::Ok] {
        let of: Vec<&str> = gates.iter().filter(|g| g.verdict == v).map(|g| g.gateway.as_str()).collect();
        let who = match of.len() {
            0 => continue,
            n if n > NAMED || v == Verdict::Ok => n.to_string(),
            _ => of.join(", "),
        };
        parts.push(Message::new(&w::CLOCK_GATE_FOR).with("verdict", words::verdict(v).get(lang)).with("who", who).text(lang));
    }
    parts.push(Message::new(&w::CLOCK_GATE_UNASKED).with("n", unheard(app).len().to_string()).text(lang));
    parts.join(" · ")
}

/// What of an asking again is pending, or did not come.
fn asking(app: &App, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let Some(asked) = app.asked.as_ref().filter(|a| !a.waiting.is_empty()) else { return };
    let names = asked.waiting.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let (words, glyph, role) =
        if asked.over(app.now.boot_now()) { (&w::CLOCK_SILENT, "↯ ", Role::Warn) } else { (&w::CLOCK_ASKING, "◌ ", Role::Info) };
    wrapped(rows, glyph, &Message::new(words).with("names", names).text(lang), width, role);
}

fn sample(app: &App, e: &Evidence, width: usize, rows: &mut Vec<Row>) {
    let lang = app.lang();
    let how = e.how(lang);
    let subject = e.gateway.as_ref().map_or(w::THIS_HOST.get(lang), |g| g.as_str());
    let age = text::age(e.at.age(&app.now));
    let says = e.verdict.map(|v| mark(v, lang)).unwrap_or_default();
    let tone = e.verdict.map_or(Role::Plain, role);
    let figure = e.figure.text(lang);
    if width >= WIDE {
        let row = Row::one(pad(subject, 12), Role::Plain).and(pad(&how, 24), Role::Dim);
        rows.push(row.and(pad(&figure, width.saturating_sub(54)), tone).and(pad(&age, 5), Role::Dim).and(says, tone));
    } else {
        rows.push(Row::one(format!("{subject}  "), Role::Plain).and(format!("{how}  {age}  "), Role::Dim).and(says, tone));
        wrapped(rows, "  ", &figure, width, tone);
    }
}

/// A clock's head: name, verdict, figures, who is wrong.
fn head(name: &str, j: &Judgement, verdict: Verdict, side: Option<Side>, app: &App) -> Row {
    let lang = app.lang();
    let mut row = Row::one(format!("{name}  "), Role::Title).and(mark(verdict, lang), role(verdict));
    if let Some(skew) = &j.skew {
        row = row.and(format!("  {}", figures::of(skew)), role(verdict));
    }
    let side = side.map(|s| match s {
        Side::Host => &w::SIDE_HOST,
        Side::Gateway => &w::SIDE_GATEWAY,
        Side::Both => &w::SIDE_BOTH,
        Side::CannotTell => &w::SIDE_UNKNOWN,
    });
    match side {
        Some(words) => row.and(format!("  {}", words.get(lang)), Role::Plain),
        None => row,
    }
}

fn track(app: &App, g: &GateView, width: usize, rows: &mut Vec<Row>) {
    let Some(track) = app.tracks.get(&g.gateway) else { return };
    let lang = app.lang();
    let label = format!("  {}  ", w::CLOCK_DAY.get(lang));
    let room = width.saturating_sub(text::width(&label));
    match (spark::line(track, room), spark::scale(track, lang)) {
        (Some(line), Some(scale)) if text::width(&line) + text::width(&scale) + 2 <= room => {
            rows.push(Row::one(label, Role::Dim).and(line, Role::Info).and(format!("  {scale}"), Role::Dim));
        }
        (Some(line), Some(scale)) => {
            rows.push(Row::one(label.clone(), Role::Dim).and(line, Role::Info));
            wrapped(rows, &" ".repeat(text::width(&label)), &scale, width, Role::Dim);
        }
        _ => rows.push(Row::one(label, Role::Dim).and(w::CLOCK_NO_DAY.get(lang), Role::Dim)),
    }
}

/// Advice beside the skew, each with what to do.
fn notes(all: Vec<(Message, Option<Message>)>, lang: Lang, width: usize, rows: &mut Vec<Row>) {
    for (says, act) in all {
        wrapped(rows, "  · ", &says.text(lang), width, Role::Plain);
        if let Some(act) = act {
            wrapped(rows, &format!("    {}  ", w::CLOCK_DO.get(lang)), &act.text(lang), width, Role::Info);
        }
    }
}

fn gate(app: &App, g: &GateView, width: usize, rows: &mut Vec<Row>) {
    let lang = app.lang();
    rows.push(head(g.gateway.as_str(), &g.remote, g.verdict, g.side, app));
    for e in words::evidence(g, g.limits).iter().filter(|e| e.gateway.is_some()) {
        sample(app, e, width, rows);
    }
    for (label, sentence, tone) in [(&w::CLOCK_CAUSE, words::cause(g), Role::Warn), (&w::CLOCK_DO, words::remedy(g), Role::Info)] {
        if let Some(m) = sentence {
            wrapped(rows, &format!("  {}  ", label.get(lang)), &m.text(lang), width, tone);
        }
    }
    track(app, g, width, rows);
    notes(words::notes(g, &app.host), lang, width, rows);
    rows.push(Row::gap());
}

/// The lines of the overlay.
pub(super) fn rows(app: &App, width: usize) -> Vec<Row> {
    let lang = app.lang();
    let mut rows = Vec::new();
    let gates = gates(app);
    wrapped(&mut rows, &format!("{}  ", w::CLOCK_GATE.get(lang)), &summary(app, &gates), width, Role::Plain);
    asking(app, &mut rows, width);
    rows.push(Row::gap());
    // This host's own evidence is the same for all: told once, from whoever was judged last.
    if let Some(g) = gates.iter().max_by_key(|g| g.at.boot_now()) {
        let host = w::THIS_HOST.get(lang);
        if g.host.skew.is_some() {
            rows.push(head(host, &g.host, g.host.verdict, None, app));
        } else {
            rows.push(Row::one(format!("{host}  "), Role::Title).and(words::silence(&g.host).get(lang), Role::Dim));
        }
        for e in words::evidence(g, g.limits).iter().filter(|e| e.gateway.is_none()) {
            sample(app, e, width, &mut rows);
        }
        rows.push(Row::gap());
    }
    for g in &gates {
        gate(app, g, width, &mut rows);
    }
    for name in unheard(app) {
        rows.push(Row::one(format!("{name}  "), Role::Title).and(w::CLOCK_UNHEARD.get(lang), Role::Dim));
    }
    let advice = words::host_notes(&app.host);
    if !advice.is_empty() {
        if rows.last().is_some_and(|r| !r.0.is_empty()) {
            rows.push(Row::gap());
        }
        rows.push(Row::one(w::THIS_HOST.get(lang), Role::Title));
        notes(advice, lang, width, &mut rows);
    }
    while rows.last().is_some_and(|r| r.0.is_empty()) {
        rows.pop();
    }
    rows
}

pub(super) fn panel(app: &App, scroll: usize) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let keys = if width >= WIDE { &w::CLOCK_KEYS } else { &w::CLOCK_KEYS_SHORT };
    Panel { title: w::CLOCK_TITLE.get(lang).to_owned(), rows: rows(app, width), keys: keys.get(lang).to_owned(), scroll, ..Panel::default() }
}
