//! Clock evidence: what was measured, what is concluded, what to do. The words are the clock room's.

use crate::{
    clock::{
        Verdict,
        gate::GateView,
        words::{self, Evidence},
    },
    i18n::deck as w,
    tui::{
        app::App,
        text,
        theme::Role,
        view::panel::{Panel, Row, inner_width, wrapped},
    },
};

const fn role(v: Verdict) -> Role {
    match v {
        Verdict::Ok => Role::Plain,
        Verdict::Warn => Role::Warn,
        Verdict::Unknown => Role::Dim,
        Verdict::Blocked => Role::Bad,
    }
}

fn line(app: &App, e: &Evidence) -> Row {
    let lang = app.lang();
    let by = e.by.get(lang);
    let how = if e.probes > 1 { format!("{by} ({})", e.probes) } else { by.to_owned() };
    let pad = |t: &str, n: usize| {
        let cut = text::cut(t, n - 1).into_owned();
        let fill = n.saturating_sub(text::width(&cut));
        format!("{cut}{}", " ".repeat(fill))
    };
    let subject = e.gateway.as_ref().map_or(w::THIS_HOST.get(lang), |g| g.as_str());
    Row::one(pad(subject, 12), Role::Plain)
        .and(pad(&how, 14), Role::Dim)
        .and(pad(&e.figure.text(lang), 34), e.verdict.map_or(Role::Plain, role))
        .and(text::age(e.at.age(&app.now)), Role::Dim)
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
        rows.push(Row::one(g.gateway.as_str(), Role::Title).and("  ", Role::Plain).and(words::verdict(g.verdict).get(lang), role(g.verdict)));
        let limits = app.fleet.gateway(&g.gateway).map_or(crate::clock::Limits::DEFAULT, |v| v.view.spec.limits);
        // This host's own evidence is the same for all: told once.
        rows.extend(words::evidence(g, limits).iter().filter(|e| n == 0 || e.gateway.is_some()).map(|e| line(app, e)));
        for (sentence, role) in [(words::cause(g), Role::Warn), (words::remedy(g), Role::Info)] {
            if let Some(m) = sentence {
                wrapped(&mut rows, "  ", &m.text(lang), width, role);
            }
        }
        rows.push(Row::gap());
    }
    Panel { title: w::CLOCK_TITLE.get(lang).to_owned(), rows, keys: w::CLOCK_KEYS.get(lang).to_owned(), scroll, ..Panel::default() }
}
