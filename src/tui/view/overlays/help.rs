//! The help, made from the live keymap.

use crate::{
    domain::Action,
    i18n::{Message, Words, deck as w, slots as s},
    providers::RETRY,
    tui::{
        app::App,
        devices::TokenView,
        keymap::{Act, Group, Mode, TOKEN_VIEW},
        overlay::{Overlay, Search},
        text,
        theme::Role,
        update::token_paused,
        view::{
            detail::why_not,
            panel::{Panel, Row, inner_width},
        },
    },
};

/// The token view, where the help is about that.
fn token(app: &App) -> Option<&TokenView> {
    app.overlays.iter().rev().find_map(|o| if let Overlay::Token(t) = o { Some(&**t) } else { None })
}

/// Acts of the current view that match what was typed, and what they do there.
fn acts(app: &App, typed: &str) -> Vec<(Act, &'static Words)> {
    let mode = match (token(app), &app.pairing) {
        (Some(_), _) => Mode::Token,
        (None, Some(_)) => Mode::Pairing,
        (None, None) => Mode::Deck,
    };
    let typed = typed.to_lowercase();
    let own = Act::ALL.iter().filter(|a| a.mode() == mode).map(|a| (*a, a.words()));
    let of_deck = TOKEN_VIEW.into_iter().filter(|_| mode == Mode::Token);
    let on_pairing = [(Act::Hide, Act::Hide.words())].into_iter().filter(|_| mode == Mode::Pairing);
    own.chain(of_deck)
        .chain(on_pairing)
        .filter(|(a, words)| typed.is_empty() || words.get(app.lang()).to_lowercase().contains(&typed) || a.name().contains(&typed))
        .collect()
}

/// Why a key of the token view does nothing now.
fn token_not_now(app: &App, t: &TokenView, rows: &mut Vec<Row>) {
    let lang = app.lang();
    let not =
        |key: Act, why: String| Row::one(Message::new(&w::HELP_NOT_NOW).with("key", app.keymap.key(key)).with("why", why).text(lang), Role::Dim);
    if t.shown.is_none() {
        rows.push(not(Act::Copy, s::TOKEN_NOT_SHOWN.get(lang).to_owned()));
    }
    let Some(slot) = app.fleet.find(&t.target) else { return };
    for (act, action) in [(Act::Regenerate, Action::Regenerate), (Act::Wipe, Action::Wipe), (Act::Breaker, Action::Do(RETRY.into()))] {
        match app.can(slot, &action) {
            Err(why) => rows.push(not(act, why_not(&why, lang))),
            // The row may be a moment older than the pause.
            Ok(_) if act == Act::Breaker && !token_paused(app, t) => rows.push(not(act, s::TOKEN_NOT_PAUSED.get(lang).to_owned())),
            Ok(_) => {}
        }
    }
}

fn keys_of(app: &App, act: Act) -> String {
    app.keymap.keys(act).iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn key_width(keys: &str, cell: usize) -> usize {
    9.min(cell / 2).max(text::width(keys) + 1)
}

pub(super) fn panel(app: &App, search: &Search) -> Panel {
    let lang = app.lang();
    let width = inner_width(app, false);
    let mut rows = vec![Row::one("? ", Role::Dim).and(search.field.text(), Role::Plain)];
    let acts = acts(app, search.field.text());
    let most = if width >= 66 {
        3
    } else if width >= 44 {
        2
    } else {
        1
    };
    // As many columns as leave every word whole.
    let whole = |(act, words): &(Act, &Words), cell: usize| key_width(&keys_of(app, *act), cell) + text::width(words.get(lang)) < cell;
    let columns = (2..=most).rev().find(|n| acts.iter().all(|a| whole(a, width / n))).unwrap_or(1);
    let cell_w = width / columns;
    for group in Group::ALL {
        let own: Vec<_> = acts.iter().copied().filter(|(a, _)| a.group() == group).collect();
        if own.is_empty() {
            continue;
        }
        rows.push(Row::one(group.words().get(lang), Role::Title));
        let lines = own.len().div_ceil(columns);
        for n in 0..lines {
            let mut row = Row::default();
            for c in 0..columns {
                let Some((act, words)) = own.get(c * lines + n) else { continue };
                let keys = keys_of(app, *act);
                let words = words.get(lang);
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
    if let Some(t) = token(app) {
        token_not_now(app, t, &mut rows);
    } else if let Some(slot) = app.slot().filter(|_| app.pairing.is_none()) {
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
        scroll: search.pick,
        rows,
        ..Panel::default()
    }
}
