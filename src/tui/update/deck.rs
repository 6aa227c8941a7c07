//! Keys on the deck: which act, and the cursor.

use super::{act, armed, slots};
use crate::{
    i18n::{Message, deck as w},
    tui::{
        app::App,
        effect::Do,
        keymap::{Act, Mode},
        keys::Chord,
        rows::Node,
        toasts::Level,
        view::overlays::{MenuWhat, menu_items},
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// A key on the deck.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(chord) = Chord::of(key) else { return };
    match app.keymap.act(Mode::Deck, chord) {
        Some(act) => act::act(app, act, out),
        None => dead(app, chord),
    }
}

/// A key that does nothing says so, and what the hand was probably after.
fn dead(app: &mut App, chord: Chord) {
    let m = match chord.code {
        KeyCode::Char('d' | 'D' | 'x' | 'X') | KeyCode::Delete if !chord.ctrl => Message::new(&w::DELETE_KEYS),
        _ => Message::new(&w::NO_KEY).with("key", chord.to_string()),
    };
    app.say(Level::Hint, &m);
}

/// Puts the cursor on a line. The list gets the focus back; a countdown goes on.
pub(super) fn go(app: &mut App, at: usize) {
    app.cursor = at.min(app.rows.lines().len().saturating_sub(1));
    app.armed.focus = false;
    app.moved_unseen = false;
    app.moved_at = crate::domain::Boot(0);
    app.seen.moved += 1;
    app.scroll_into_view();
    app.dirty = true;
}

/// Moves by lines.
pub(super) fn step(app: &mut App, by: isize) {
    let at = app.cursor.saturating_add_signed(by);
    go(app, at);
}

/// Folds or unfolds what is under the cursor.
pub(super) fn fold(app: &mut App, open: bool) {
    let Some(line) = app.rows.lines().get(app.cursor).copied() else { return };
    match (line.open, line.node) {
        (Some(now), node) if now != open => {
            match node {
                Node::Gateway(g) => {
                    let id = app.fleet.gateways()[g].view.id.clone();
                    app.rows.gateway_folds.insert(id, open);
                }
                Node::Row(s) => {
                    if let Some(e) = app.fleet.get(s) {
                        app.rows.account_folds.insert((e.row.gateway.clone(), e.row.account.clone()), open);
                    }
                }
            }
            app.reorder_by_hand();
        }
        _ if !open => {
            if let Some(at) = app.rows.parent(app.cursor) {
                go(app, at);
            }
        }
        _ => {}
    }
}

/// Marks or unmarks a line. False for gateways.
fn mark(app: &mut App, at: usize, on: Option<bool>) -> bool {
    let Some(Node::Row(slot)) = app.rows.lines().get(at).map(|l| l.node) else { return false };
    if on.unwrap_or(!app.rows.marks.contains(&slot)) {
        app.rows.marks.insert(slot);
    } else {
        app.rows.marks.remove(&slot);
    }
    true
}

/// `space`: mark and move down.
pub(super) fn mark_one(app: &mut App) {
    if mark(app, app.cursor, None) {
        app.last_mark = Some(app.cursor);
    }
    step(app, 1);
}

/// `V`: from the last mark to here.
pub(super) fn mark_range(app: &mut App) {
    let from = app.last_mark.unwrap_or(app.cursor);
    for at in from.min(app.cursor)..=from.max(app.cursor) {
        mark(app, at, Some(true));
    }
    app.last_mark = Some(app.cursor);
}

/// `*`: all shown; asks above a hundred.
pub(super) fn mark_all(app: &mut App, sure: bool) {
    let rows: Vec<usize> = app.rows.lines().iter().enumerate().filter(|(_, l)| matches!(l.node, Node::Row(_))).map(|(i, _)| i).collect();
    if rows.len() > 100 && !sure {
        app.say(Level::Hint, &Message::new(&w::MARK_MANY).with("n", rows.len().to_string()));
        return;
    }
    for at in rows {
        mark(app, at, Some(true));
    }
}

/// `Tab`: between the list and the armed row.
pub(super) fn focus(app: &mut App) {
    if app.armed.is_empty() {
        app.say(Level::Hint, &Message::new(&w::NOTHING_ARMED));
    } else {
        app.armed.focus = !app.armed.focus;
    }
}

/// `u` and `U`. With nothing left to be stopped, `u` arms what takes back on this row, where there is such a thing.
pub(super) fn undo(app: &mut App, act: Act, out: &mut Vec<Do>) {
    if act == Act::UndoAll {
        return armed::undo_all(app, out, false);
    }
    let back = if armed::can_stop(app) { None } else { menu_items(app).into_iter().find(|i| i.key == 'u' && i.dead.is_none()) };
    match back.map(|i| i.what) {
        Some(MenuWhat::Verb(verb)) => slots::verb(app, verb, out),
        _ => armed::undo_newest(app, out),
    }
}
