//! The timeline of a row, and the log of toasts.

use crate::{
    clock,
    engine::mailbox::HistoryWhat,
    i18n::{self, Message, deck as w, state},
    tui::{
        app::App,
        overlay::Timeline,
        text,
        theme::Role,
        toasts::Level,
        view::{
            paint,
            panel::{Panel, Row, inner_width},
        },
    },
};

/// The lines of a timeline as text, newest first.
pub(crate) fn lines(app: &App, t: &Timeline) -> Vec<String> {
    timeline(app, t).rows.iter().map(Row::text).collect()
}

pub(super) fn timeline(app: &App, t: &Timeline) -> Panel {
    let lang = app.lang();
    let mut rows = Vec::new();
    match &t.lines {
        None => rows.push(Row::one(w::LOADING.get(lang), Role::Dim)),
        Some(lines) if lines.is_empty() => rows.push(Row::one(w::NO_HISTORY.get(lang), Role::Dim)),
        Some(lines) => {
            for l in lines {
                let age = format!("{:>4}  ", text::age(l.at.age(&app.now)));
                let (what, role) = match &l.what {
                    HistoryWhat::Change { to, reason, .. } => {
                        let mut s = format!("{} {}", paint::glyph(*to), state::word(*to).get(lang));
                        if let Some(r) = reason {
                            s.push_str("  ");
                            s.push_str(&i18n::reason::full(r, lang));
                        }
                        (s, paint::role(*to))
                    }
                    HistoryWhat::Pairing { outcome, discarded, overridden, took_s, .. } => {
                        let m = Message::new(&w::HISTORY_PAIRING).with("outcome", outcome.as_str()).with("n", took_s.to_string());
                        let mut s = format!("◇ {}", m.text(lang));
                        if *discarded > 0 {
                            s.push_str(&Message::new(&w::HISTORY_DISCARDED).with("n", discarded.to_string()).text(lang));
                        }
                        if *overridden {
                            s.push_str(w::HISTORY_OVERRIDDEN.get(lang));
                        }
                        (s, Role::Plain)
                    }
                    HistoryWhat::Clock { to, skew, .. } => {
                        let figure = skew.as_ref().map(clock::figures::of).unwrap_or_default();
                        (format!("⚠ {} {} {figure}", w::ACT_CLOCK.get(lang), clock::words::verdict(*to).get(lang)), Role::Plain)
                    }
                    HistoryWhat::Audit { who, action, outcome, .. } => (format!("▸ {action}  {outcome}  {who}"), Role::Plain),
                };
                rows.push(Row::one(age, Role::Dim).and(what, role));
            }
        }
    }
    let label = if app.hide_names { "····" } else { t.label.as_str() };
    Panel {
        title: Message::new(&w::TIMELINE_TITLE).with("name", label).text(lang),
        rows,
        keys: w::TIMELINE_KEYS.get(lang).to_owned(),
        scroll: t.scroll,
        ..Panel::default()
    }
}

pub(super) fn log(app: &App, scroll: usize) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows: Vec<Row> = Vec::new();
    for e in app.toasts.log().rev() {
        let (glyph, role) = match e.level {
            Level::Good => ("✓", Role::Plain),
            Level::Hint => ("·", Role::Dim),
            Level::Bad => ("✗", Role::Bad),
        };
        // Whole: what the toast row had no room for is read here.
        for (n, line) in text::wrap(&e.text, width.saturating_sub(8).max(8)).into_iter().enumerate() {
            rows.push(match n {
                0 => Row::one(format!("{:>4}  ", text::age(e.at.age(&app.now))), Role::Dim).and(format!("{glyph} {line}"), role),
                _ => Row::one(" ".repeat(8), Role::Dim).and(line, role),
            });
        }
    }
    if rows.is_empty() {
        rows.push(Row::one(w::NO_HISTORY.get(lang), Role::Dim));
    }
    Panel { title: w::LOG_TITLE.get(lang).to_owned(), rows, keys: w::LOG_KEYS.get(lang).to_owned(), scroll, ..Panel::default() }
}
