//! Slot plan, the questions of a verb, the diagnosis.

use crate::{
    i18n::{self, Message, deck as w, slots as s},
    providers::Mark,
    tui::{
        app::App,
        devices::{SDKS, SlotView, VerbForm, WhyForm},
        text,
        theme::Role,
        update::slot_table,
        view::{
            paint,
            panel::{Panel, Row, inner_width, wrapped},
        },
    },
};

/// Columns of a label.
pub(super) const LABEL: usize = 13;

/// The words of a label, in their column.
pub(super) fn label(text_of: &str) -> String {
    format!("{text_of}{}", " ".repeat(LABEL.saturating_sub(text::width(text_of)).max(1)))
}

/// A title with a name in it, unless names are hidden.
pub(super) fn named(app: &App, words: &'static i18n::Words, name: &str) -> String {
    Message::new(words).with("name", if app.hide_names { "····" } else { name }).text(app.lang())
}

/// The slot plan.
pub(super) fn slots(app: &App, v: &SlotView) -> Panel {
    let lang = app.lang();
    let full = inner_width(app, true) > 80;
    let width = inner_width(app, full);
    let title = named(app, &s::PLAN_TITLE, v.label.as_str());
    let Some(table) = slot_table(app, &v.account) else {
        return Panel { title, rows: vec![Row::one(w::GONE.get(lang), Role::Dim)], ..Panel::default() };
    };
    let mut rows = Vec::new();
    // The state's glyph stands before the first cell.
    let cells: Vec<Vec<String>> = table.lines.iter().map(|l| l.cells.iter().map(|c| c.text(lang)).collect()).collect();
    let columns: Vec<usize> = table
        .head
        .iter()
        .enumerate()
        .map(|(n, h)| cells.iter().filter_map(|c| c.get(n)).map(|c| text::width(c)).chain([text::width(h.get(lang))]).max().unwrap_or(0))
        .collect();
    let pad = |t: &str, n: usize| format!("{t}{}", " ".repeat((columns.get(n).copied().unwrap_or(0) + 2).saturating_sub(text::width(t))));
    let head: String = table.head.iter().enumerate().map(|(n, h)| pad(h.get(lang), n)).collect();
    rows.push(Row::one(format!("  {}", head.trim_end()), Role::Dim));
    for (line, cells) in table.lines.iter().zip(&cells) {
        let text: String = cells.iter().enumerate().map(|(n, c)| pad(c, n)).collect();
        rows.push(Row::one(format!("{} ", paint::glyph(line.state)), paint::role(line.state)).and(text.trim_end(), Role::Plain));
    }
    if table.lines.is_empty() {
        rows.push(Row::one(s::PLAN_EMPTY.get(lang), Role::Dim));
    }
    let pick = (!table.lines.is_empty()).then(|| 1 + v.pick.min(table.lines.len() - 1));
    rows.push(Row::gap());
    if let Some(would) = pick.and_then(|p| table.lines.get(p - 1)).and_then(|l| l.would.as_ref()) {
        wrapped(&mut rows, "", &would.text(lang), width, Role::Plain);
    }
    for m in &table.warnings {
        wrapped(&mut rows, "⚠ ", &m.text(lang), width, Role::Warn);
    }
    for m in &table.advice {
        wrapped(&mut rows, "", &Message::new(&s::PLAN_SUGGEST).with("what", m.text(lang)).text(lang), width, Role::Plain);
    }
    let keys = if table.suggest.is_some() { &s::PLAN_KEYS } else { &s::PLAN_KEYS_NONE };
    Panel { title, rows, keys: keys.get(lang).to_owned(), pick, full, ..Panel::default() }
}

/// The questions of a verb.
pub(super) fn verb(app: &App, f: &VerbForm) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let place = f.account.as_ref().map_or_else(|| f.gateway.to_string(), |a| crate::domain::Clean::new(a.as_str()).to_string());
    let name = if app.hide_names && f.account.is_some() { "····".to_owned() } else { place };
    let mut rows = Vec::new();
    let mut cursor = None;
    for (n, (ask, field)) in f.verb.asks.iter().zip(&f.answers).enumerate() {
        wrapped(&mut rows, "", ask.words.get(lang), width, if n == f.at { Role::Title } else { Role::Dim });
        if n == f.at {
            cursor = Some((rows.len(), 2 + field.cursor()));
        }
        let mut row = Row::one("  ", Role::Dim).and(field.shown(), Role::Plain);
        if let Some(default) = ask.default.filter(|_| field.is_empty()) {
            row = row.and(Message::new(&s::VERB_DEFAULT).with("default", default).text(lang), Role::Dim);
        }
        rows.push(row);
        if f.missing && n == f.at {
            rows.push(Row::one(format!("✗ {}", s::VERB_NEEDED.get(lang)), Role::Bad));
        }
    }
    let title = Message::new(&s::VERB_TITLE).with("verb", f.verb.words.get(lang)).with("name", name).text(lang);
    // A new slot takes nothing away, so that nothing is armed.
    let keys = if f.verb.id == crate::providers::NEW_SLOT { &s::VERB_KEYS_START } else { &s::VERB_KEYS };
    Panel { title, rows, keys: keys.get(lang).to_owned(), cursor, ..Panel::default() }
}

/// What was found, line by line: for the overlay and for a deck that is read aloud.
fn found(app: &App, f: &WhyForm, rows: &mut Vec<Row>, width: usize) {
    let lang = app.lang();
    let verdict = |rows: &mut Vec<Row>, why: &crate::domain::Reason, role| {
        wrapped(rows, "▸ ", &i18n::reason::full(why, lang), width, role);
        if let Some(remedy) = i18n::reason::remedy_sentence(why, lang) {
            wrapped(rows, &format!("  {}  ", s::WHY_DO.get(lang)), &remedy.replace('`', ""), width, Role::Plain);
        }
    };
    match &f.found {
        None => {}
        Some(Err(why)) => verdict(rows, why, Role::Bad),
        Some(Ok(None)) => wrapped(rows, "", s::WHY_NONE.get(lang), width, Role::Plain),
        Some(Ok(Some(d))) => {
            let why = d.verdict();
            verdict(rows, &why, if d.reason.is_some() { Role::Bad } else { Role::Title });
            for l in &d.lines {
                let (glyph, role) = match l.mark {
                    Mark::Good => ("✓ ", Role::Plain),
                    Mark::Bad => ("✗ ", Role::Warn),
                    Mark::Note => ("· ", Role::Dim),
                };
                wrapped(rows, glyph, &l.text.text(lang), width, role);
            }
        }
    }
}

/// The diagnosis.
pub(super) fn why(app: &App, f: &WhyForm) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let head = |n: usize, words: &'static i18n::Words| Row::one(label(words.get(lang)), if f.at == n { Role::Title } else { Role::Dim });
    let mut library = head(1, &s::WHY_SDK);
    for (n, name) in std::iter::once(s::WHY_SDK_NONE.get(lang)).chain(SDKS).enumerate() {
        let chosen = f.sdk.map_or(0, |k| k + 1) == n;
        let text = if chosen { format!("‹{name}› ") } else { format!(" {name}  ") };
        library = library.and(text, if chosen { Role::Title } else { Role::Dim });
    }
    let log = match &f.log {
        None => head(3, &s::WHY_LOG).and(s::WHY_LOG_HINT.get(lang), Role::Dim),
        Some(log) => {
            let lines = log.expose().lines().count().to_string();
            let n = log.expose().chars().count().to_string();
            head(3, &s::WHY_LOG).and(Message::new(&s::WHY_LOG_HELD).with("lines", lines).with("n", n).text(lang), Role::Secret)
        }
    };
    let mut rows = vec![
        head(0, &s::WHY_SLOT).and(f.slot.shown(), Role::Plain),
        library,
        head(2, &s::WHY_TOKEN).and(f.token.shown(), Role::Secret),
        log,
        Row::gap(),
    ];
    if f.asking {
        rows.push(Row::one(s::WHY_ASKING.get(lang), Role::Info));
    } else if f.found.is_none() {
        wrapped(&mut rows, "", s::WHY_HINT.get(lang), width, Role::Dim);
    }
    found(app, f, &mut rows, width);
    let cursor = match f.at {
        0 => Some((0, LABEL + f.slot.cursor())),
        2 => Some((2, LABEL + f.token.cursor())),
        n @ (1 | 3) => Some((n, LABEL)),
        _ => None,
    };
    let keys = if cursor.is_some() { &s::WHY_KEYS } else { &s::WHY_KEYS_READ };
    Panel { title: named(app, &s::WHY_TITLE, f.label.as_str()), rows, keys: keys.get(lang).to_owned(), cursor, scroll: f.scroll, ..Panel::default() }
}
