//! The help, made from the live keymap.

use crate::{
    domain::Action,
    i18n::{Message, deck as w},
    tui::{
        app::App,
        keymap::{Act, Group, Mode},
        overlay::Search,
        text,
        theme::Role,
        view::{
            detail::why_not,
            panel::{Panel, Row, inner_width},
        },
    },
};

/// Acts of the current view that match what was typed.
fn acts(app: &App, typed: &str) -> Vec<Act> {
    let mode = if app.pairing.is_some() { Mode::Pairing } else { Mode::Deck };
    let typed = typed.to_lowercase();
    Act::ALL
        .iter()
        .copied()
        .filter(|a| a.mode() == mode)
        .filter(|a| typed.is_empty() || a.words().get(app.lang()).to_lowercase().contains(&typed) || a.name().contains(&typed))
        .collect()
}

fn keys_of(app: &App, act: Act) -> String {
    app.keymap.keys(act).iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn key_width(keys: &str, cell: usize) -> usize {
    9.min(cell / 2).max(text::width(keys) + 1)
}

pub(super) fn panel(app: &App, s: &Search) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows = vec![Row::one("? ", Role::Dim).and(s.field.text(), Role::Plain)];
    let acts = acts(app, s.field.text());
    let most = if width >= 66 {
        3
    } else if width >= 44 {
        2
    } else {
        1
    };
    // As many columns as leave every word whole.
    let whole = |act: &Act, cell: usize| key_width(&keys_of(app, *act), cell) + text::width(act.words().get(lang)) < cell;
    let columns = (2..=most).rev().find(|n| acts.iter().all(|a| whole(a, width / n))).unwrap_or(1);
    let cell_w = width / columns;
    for group in Group::ALL {
        let own: Vec<Act> = acts.iter().copied().filter(|a| a.group() == group).collect();
        if own.is_empty() {
            continue;
        }
        rows.push(Row::one(group.words().get(lang), Role::Title));
        let lines = own.len().div_ceil(columns);
        for n in 0..lines {
            let mut row = Row::default();
            for c in 0..columns {
                let Some(act) = own.get(c * lines + n) else { continue };
                let keys = keys_of(app, *act);
                let words = act.words().get(lang);
                let key_w = key_width(&keys, cell_w);
                let word = text::cut(words, cell_w.saturating_sub(key_w + 1)).into_owned();
                let pad = cell_w.saturating_sub(key_w + text::width(&word));
                row = row
                    .and(format!("{keys}{}", " ".repeat(key_w.saturating_sub(text::width(&keys)))), Role::Info)
                    .and(format!("{word}{}", " ".repeat(pad)), Role::Plain);
            }
            rows.push(row);
        }
    }
    if let Some(slot) = app.slot().filter(|_| app.pairing.is_none()) {
        for (act, action) in [(Act::Pair, Action::Pair), (Act::Wipe, Action::Wipe), (Act::Regenerate, Action::Regenerate)] {
            if let Err(not) = app.can(slot, &action) {
                let m = Message::new(&w::HELP_NOT_NOW).with("key", app.keymap.key(act)).with("why", why_not(&not, lang));
                rows.push(Row::one(m.text(lang), Role::Dim));
            }
        }
    }
    for act in app.keymap.changed() {
        let m = Message::new(&w::HELP_YOURS).with("act", act.words().get(lang)).with("key", app.keymap.key(*act));
        rows.push(Row::one(m.text(lang), Role::Warn));
    }
    Panel {
        title: w::HELP_TITLE.get(lang).to_owned(),
        keys: w::HELP_KEYS.get(lang).to_owned(),
        cursor: None,
        scroll: s.pick,
        rows,
        ..Panel::default()
    }
}
