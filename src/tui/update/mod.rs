//! What happens to the state. Pure: no I/O, no waiting; what has to be done outside comes back as [`Do`]s.

mod act;
mod add;
mod answer;
mod armed;
mod clock;
mod deck;
mod filter;
mod hide;
mod mail;
mod overlay;
mod pair;
mod pairing;
mod palette;
mod slots;
mod token;
mod unlock;
mod why;

pub(in crate::tui) use hide::key as hide_key;
pub(crate) use slots::table as slot_table;
pub(in crate::tui) use token::paused as token_paused;

pub use clock::Asked;

use super::{
    app::App,
    effect::Do,
    event::{Event, Signal},
    fleet::Slot,
    guide::Guide,
    keymap::{Act, Mode},
    keys::Chord,
    rows::Node,
    run::Exit,
    toasts::Level,
    view::{layout::Areas, tree},
};
use crate::{
    domain::{Boot, Stamp},
    engine::Command,
    i18n::{Message, deck as w},
};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEventKind};
use std::{collections::HashMap, time::Duration};

/// Below this many rows the screen has no line for gateways.
const FLAT_BELOW: u16 = 14;

/// Takes one event at `now`.
pub fn update(app: &mut App, event: Event, now: Stamp) -> Vec<Do> {
    app.now = now;
    let mut out = Vec::new();
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => press(app, &key, &mut out),
        Event::Key(_) => {}
        // The loop wakes only when something visible changes.
        Event::Tick => app.dirty = true,
        Event::Paste(text) => {
            overlay::paste(app, &text);
            app.dirty = true;
        }
        Event::Mouse(m) => mouse(app, &m),
        Event::Resize(w, h) => resize(app, w, h),
        Event::Focus(got) => {
            app.dirty = true;
            if got {
                out.push(Do::Redraw);
            } else {
                app.revealed = None;
                token::hide(app);
            }
        }
        Event::Mail(mail) => mail::take(app, *mail, &mut out),
        Event::Signal(Signal::End(n)) => {
            armed::undo_all(app, &mut out, true);
            out.push(Do::Send(Command::QuitNow));
            out.push(Do::Leave(Exit::Signal(n)));
        }
        Event::Signal(Signal::Stop) => suspend(app, &mut out),
        Event::InputLost => {
            armed::undo_all(app, &mut out, true);
            out.push(Do::Send(Command::QuitNow));
            out.push(Do::Leave(Exit::InputLost));
        }
        Event::Png(outcome) => match outcome {
            Ok(path) => app.say(Level::Good, &Message::new(&w::TOAST_PNG).with("path", path)),
            Err(why) => app.say(Level::Bad, &Message::new(&w::TOAST_PNG_FAILED).with("why", why)),
        },
    }
    tick(app, &mut out);
    look(app, &mut out);
    Guide::look(app);
    out
}

/// Carries out an act without its key: for a deck where commands are typed as words.
pub fn perform(app: &mut App, act: Act, now: Stamp) -> Vec<Do> {
    typed(app, now, |app, out| if act.mode() == Mode::Pairing { pairing::perform(app, act, out) } else { act::act(app, act, out) })
}

/// Arms an action on the row under the cursor, for the same deck.
pub fn arm(app: &mut App, action: crate::domain::Action, now: Stamp) -> Vec<Do> {
    typed(app, now, |app, out| act::arm(app, action, out))
}

/// Leaves the pairing screen, for the same deck.
pub fn leave(app: &mut App, now: Stamp) -> Vec<Do> {
    typed(app, now, pairing::leave)
}

fn typed(app: &mut App, now: Stamp, change: impl FnOnce(&mut App, &mut Vec<Do>)) -> Vec<Do> {
    app.now = now;
    app.last_key = now.boot_now();
    app.toasts.key();
    let mut out = Vec::new();
    change(app, &mut out);
    tick(app, &mut out);
    look(app, &mut out);
    out
}

/// Puts the cursor on a row by identity, unfolding what hides it: for a deck whose rows are named, not pointed at. False
/// when no line shows it.
pub fn aim(app: &mut App, slot: Slot) -> bool {
    let Some(e) = app.fleet.get(slot) else { return false };
    let (gateway, account) = (e.row.gateway.clone(), e.row.account.clone());
    if app.rows.position(Node::Row(slot)).is_none() {
        app.rows.gateway_folds.insert(gateway.clone(), true);
        app.rows.account_folds.insert((gateway, account), true);
        app.reorder_by_hand();
    }
    let Some(at) = app.rows.position(Node::Row(slot)) else { return false };
    deck::go(app, at);
    true
}

/// Stops the program until it is continued. Nothing may fire meanwhile.
fn suspend(app: &mut App, out: &mut Vec<Do>) {
    armed::undo_all(app, out, true);
    app.revealed = None;
    token::hide(app);
    app.dirty = true;
    out.push(Do::Suspend);
}

fn press(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    app.last_key = app.now.boot_now();
    app.dirty = true;
    app.toasts.key();
    let interrupt = Chord::of(key).is_some_and(|c| c.ctrl && c.code == KeyCode::Char('c'));
    if interrupt || key.code == KeyCode::Esc {
        let deck = app.armed.is_empty() && app.overlays.is_empty() && app.pairing.is_none();
        // ctrl-c is Esc; twice on the deck is q.
        if interrupt && deck && app.last_interrupt.is_some_and(|b| app.now.boot_now().since(b) < Duration::from_secs(2)) {
            act::quit(app, out);
            return;
        }
        app.last_interrupt = interrupt.then(|| app.now.boot_now());
        escape(app, out);
        return;
    }
    if hide::wanted(app, key) {
        hide::turn(app);
    } else if !app.overlays.is_empty() {
        overlay::key(app, key, out);
    } else if app.pairing.is_some() {
        pairing::key(app, key, out);
    } else {
        deck::key(app, key, out);
    }
}

/// The safe direction: disarm, else close, else clear the filter, else clear the marks.
fn escape(app: &mut App, out: &mut Vec<Do>) {
    if let Some(p) = app.pairing.as_mut().filter(|p| p.screen.borrow().override_armed) {
        p.screen.get_mut().override_armed = false;
    } else if !app.armed.is_empty() {
        armed::undo_newest(app, out);
    } else if let Some(top) = app.overlays.pop() {
        if let crate::tui::overlay::Overlay::Answer(form) = &top {
            answer::left(form, out);
        }
        overlay::closed(app, top);
    } else if app.pairing.is_some() {
        pairing::leave(app, out);
    } else if unlock::leave(app) {
        // What was asked for is left; filter and marks wait for the next Esc.
    } else if !app.filter_text.is_empty() {
        filter::set(app, String::new());
    } else {
        app.rows.marks.clear();
    }
}

fn resize(app: &mut App, w: u16, h: u16) {
    app.size = (w, h);
    app.revealed = None;
    token::hide(app);
    // "The QR does not fit" was said of the old size.
    if let Some(crate::tui::overlay::Overlay::Pair(form)) = app.overlays.last_mut() {
        form.trouble = None;
    }
    flat(app);
    app.scroll_into_view();
    app.dirty = true;
}

/// Gateways have lines of their own only where there is room.
pub(super) fn flat(app: &mut App) {
    let flat = app.size.1 < FLAT_BELOW;
    if app.rows.flat != flat {
        app.rows.flat = flat;
        app.reorder_by_hand();
    }
}

fn mouse(app: &mut App, m: &crossterm::event::MouseEvent) {
    if !app.overlays.is_empty() || app.pairing.is_some() {
        return;
    }
    let tree = Areas::of(app).tree;
    match m.kind {
        MouseEventKind::Down(MouseButton::Left) if m.row >= tree.y && m.row < tree.bottom() && m.column < tree.right() => {
            let at = app.offset + usize::from(m.row - tree.y);
            if at < app.rows.lines().len() {
                app.armed.focus = false;
                app.last_key = app.now.boot_now();
                deck::go(app, at);
            }
        }
        MouseEventKind::ScrollDown => deck::step(app, 3),
        MouseEventKind::ScrollUp => deck::step(app, -3),
        _ => {}
    }
}

/// What time alone does: countdowns, toasts, revealed numbers, a waiting order.
fn tick(app: &mut App, out: &mut Vec<Do>) {
    let now = app.now.boot_now();
    armed::due(app, out);
    if app.toasts.tick(now) {
        app.dirty = true;
    }
    if app.revealed.as_ref().is_some_and(|(_, until)| *until <= now) {
        app.revealed = None;
        app.dirty = true;
    }
    token::tick(app, now, out);
    if app.revealed.is_none()
        && let Some(p) = &mut app.pairing
    {
        p.screen.get_mut().number_shown = false;
    }
    if app.rows.pending && !app.still() && now >= app.sort_due() {
        app.sorted_at = Some(now);
        app.reorder();
    }
}

/// Tells the engine what is on screen, when that changed.
fn look(app: &mut App, out: &mut Vec<Do>) {
    let mut on_screen = Vec::new();
    let end = (app.offset + app.page()).min(app.rows.lines().len());
    let mut last = usize::MAX;
    for line in app.rows.lines().get(app.offset..end).unwrap_or(&[]) {
        let at = match line.node {
            Node::Gateway(g) => g,
            Node::Row(s) => app.fleet.get(s).map_or(usize::MAX, |e| e.gateway),
        };
        if at != last
            && let Some(g) = app.fleet.gateways().get(at)
            && !on_screen.contains(&g.view.id)
        {
            on_screen.push(g.view.id.clone());
        }
        last = at;
    }
    let selected = app.entry().map(|e| e.row.target());
    let now = Some((on_screen, selected));
    if app.looked != now {
        if let Some((on_screen, selected)) = now.clone() {
            out.push(Do::Send(Command::Look { on_screen, selected }));
        }
        app.looked = now;
    }
}

/// When something on screen changes by itself. `None`: never.
pub fn next_wake(app: &App) -> Option<Boot> {
    let now = app.now.boot_now();
    let mut next: Option<Boot> = None;
    let mut soon = |at: Boot| next = Some(next.map_or(at, |n| n.min(at)));
    if let Some(at) = app.armed.next(now) {
        soon(at);
    }
    if let Some(at) = app.toasts.until() {
        soon(at);
    }
    if let Some((_, until)) = &app.revealed {
        soon(*until);
    }
    if let Some(at) = token::next(app) {
        soon(at);
    }
    if app.rows.pending && !app.frozen && app.armed.is_empty() {
        soon(app.sort_due());
    }
    if let Some(at) = pairing::next(app) {
        soon(at);
    }
    if let Some(at) = app.asked.as_ref().and_then(|a| a.ends(now)) {
        soon(at);
    }
    if let Some(after) = visible_age(app) {
        // All ages move together, on whole minutes.
        let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        soon(Boot(now.0.saturating_add(ms).div_ceil(60_000).saturating_mul(60_000)));
    }
    next
}

/// Time until the next visible age changes its text.
fn visible_age(app: &App) -> Option<Duration> {
    let end = (app.offset + app.page()).min(app.rows.lines().len());
    let rows = app.rows.lines().get(app.offset..end).unwrap_or(&[]).iter().filter_map(|l| match l.node {
        Node::Row(s) => app.fleet.get(s).and_then(|e| e.row.link.since),
        Node::Gateway(_) => None,
    });
    let detail = app.entry().into_iter().flat_map(|e| e.row.link.witnesses.iter().map(|x| x.observed_at));
    let gates = app.gates.values().map(|g| g.at);
    // Lives of tokens shrink: in the rows and in the pane.
    let shown = app.rows.lines().get(app.offset..end).unwrap_or(&[]).iter().filter_map(|l| match l.node {
        Node::Row(s) => app.fleet.get(s),
        Node::Gateway(_) => None,
    });
    let lives = shown.chain(app.entry()).flat_map(|e| e.row.tokens.iter()).filter_map(|t| super::view::detail::left(t, &app.now));
    let lives = lives.filter_map(super::text::left_changes_in);
    rows.chain(detail).chain(gates).filter_map(|s| super::text::age_changes_in(s.age(&app.now))).chain(lives).min()
}

/// True when a frame could show something that dies or fires.
pub fn counts_down(app: &App) -> bool {
    !app.armed.is_empty() || pairing::next(app).is_some()
}

/// The label of a target for toasts.
pub(super) fn label(app: &App, target: &crate::domain::Target) -> String {
    app.fleet.find(target).and_then(|s| app.fleet.get(s)).map_or_else(|| target.id(), |e| tree::name(app, e))
}

/// An index of ops by target, made anew after ops changed.
pub(super) fn index_ops(app: &mut App) {
    app.op_on = app.ops.values().map(|o| (o.target.id(), o.id)).collect::<HashMap<_, _>>();
}
