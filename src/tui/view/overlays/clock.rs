//! Clock evidence: every sample, what is concluded, what to do.

use crate::{
    clock::{
        Verdict,
        gate::GateView,
        sample::{By, Sample},
        verdict::{Cause, Judgement, Side},
    },
    i18n::{Lang, Message, Words, deck as w},
    tui::{
        app::App,
        text,
        theme::Role,
        view::panel::{Panel, Row, inner_width, wrapped},
    },
};

const fn verdict(v: Verdict) -> (&'static Words, Role) {
    match v {
        Verdict::Ok => (&w::VERDICT_OK, Role::Plain),
        Verdict::Warn => (&w::VERDICT_WARN, Role::Warn),
        Verdict::Unknown => (&w::VERDICT_UNKNOWN, Role::Dim),
        Verdict::Blocked => (&w::VERDICT_BLOCKED, Role::Bad),
    }
}

fn by(b: By, lang: Lang) -> &'static str {
    match b {
        By::Date => "Date",
        By::Ntp => "NTP",
        By::Kernel => w::BY_KERNEL.get(lang),
        By::Floor => w::BY_FLOOR.get(lang),
        By::ServerTime => w::BY_SERVER.get(lang),
        By::ZoneLabel => w::BY_ZONE.get(lang),
    }
}

fn sample(app: &App, subject: &str, s: &Sample) -> Row {
    let lang = app.lang();
    let figures = s.interval.map_or_else(
        || s.detail.to_string(),
        |i| {
            let err = (i.hi_ms - i.lo_ms) / 2;
            let mid = (i.lo_ms + i.hi_ms) / 2;
            if err < 100 && mid.abs() < 1000 {
                format!("{}0.{:03} ±0.{err:03} s", if mid < 0 { '-' } else { '+' }, mid.abs())
            } else {
                format!("{} ±{}.{} s", text::offset(mid), err / 1000, err % 1000 / 100)
            }
        },
    );
    let how = if s.probes > 1 { format!("{} ({})", by(s.by, lang), s.probes) } else { by(s.by, lang).to_owned() };
    let pad = |t: &str, n: usize| {
        let cut = text::cut(t, n - 1).into_owned();
        let fill = n.saturating_sub(text::width(&cut));
        format!("{cut}{}", " ".repeat(fill))
    };
    Row::one(pad(subject, 12), Role::Plain)
        .and(pad(&how, 15), Role::Dim)
        .and(pad(&figures, 20), Role::Plain)
        .and(text::age(s.at.age(&app.now)), Role::Dim)
}

fn judgement(app: &App, rows: &mut Vec<Row>, subject: &str, j: &Judgement) {
    for s in j.samples.iter().take(4) {
        rows.push(sample(app, subject, s));
    }
    if j.samples.is_empty() {
        rows.push(Row::one(Message::new(&w::CLOCK_NO_SAMPLE).with("who", subject).text(app.lang()), Role::Dim));
    }
}

/// Cause in words, then what to do. Shared with whoever needs a sentence on a gate.
pub(crate) fn cause(g: &GateView, lang: Lang) -> Vec<(String, Role)> {
    let mut out = Vec::new();
    let who = match g.side {
        Some(Side::Host) => Some(&w::SIDE_HOST),
        Some(Side::Gateway) => Some(&w::SIDE_GATEWAY),
        Some(Side::Both) => Some(&w::SIDE_BOTH),
        Some(Side::CannotTell) => Some(&w::SIDE_CANNOT_TELL),
        None => None,
    };
    if let Some(who) = who {
        out.push((who.get(lang).to_owned(), Role::Warn));
    }
    let why: Option<(&Words, &Words)> = match g.remote.cause.or(g.host.cause) {
        Some(Cause::LocalTimeAsUtc { .. }) => Some((&w::CAUSE_LOCAL, &w::CAUSE_LOCAL_DO)),
        Some(Cause::Off) => Some((&w::CAUSE_OFF, &w::CAUSE_OFF_DO)),
        Some(Cause::BeforeBuild) => Some((&w::CAUSE_BUILD, &w::CAUSE_BUILD_DO)),
        Some(Cause::DateUnusable) => Some((&w::CAUSE_CACHED, &w::CAUSE_CACHED_DO)),
        Some(Cause::NoDate) => Some((&w::CAUSE_NO_DATE, &w::CAUSE_NO_DATE_DO)),
        Some(Cause::NotAsked) => Some((&w::CAUSE_NOT_ASKED, &w::CAUSE_NOT_ASKED_DO)),
        None => None,
    };
    if let Some((what, act)) = why {
        out.push((what.get(lang).to_owned(), Role::Plain));
        out.push((act.get(lang).to_owned(), Role::Info));
    }
    out
}

pub(super) fn panel(app: &App, scroll: usize) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows = Vec::new();
    let mut gates: Vec<&GateView> = app.gates.values().collect();
    gates.sort_by_key(|g| std::cmp::Reverse(g.verdict));
    if gates.is_empty() {
        rows.push(Row::one(w::CLOCK_NOT_ASKED.get(lang), Role::Dim));
    }
    for (n, g) in gates.iter().enumerate() {
        let (words, role) = verdict(g.verdict);
        rows.push(Row::one(g.gateway.as_str(), Role::Title).and("  ", Role::Plain).and(words.get(lang), role));
        if n == 0 {
            judgement(app, &mut rows, w::THIS_HOST.get(lang), &g.host);
        }
        judgement(app, &mut rows, g.gateway.as_str(), &g.remote);
        for (sentence, role) in cause(g, lang) {
            wrapped(&mut rows, "  ", &sentence, width, role);
        }
        rows.push(Row::gap());
    }
    Panel { title: w::CLOCK_TITLE.get(lang).to_owned(), rows, keys: w::CLOCK_KEYS.get(lang).to_owned(), scroll, ..Panel::default() }
}
