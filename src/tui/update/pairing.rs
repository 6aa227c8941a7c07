//! Keys of the pairing screen. Nothing moves there, so that `k` and `g` are free.

use super::{armed, pair};
use crate::{
    domain::{Boot, Method, OfferKind},
    engine::{Command, command::PairKey, mailbox::PairStage},
    i18n::{Message, deck as w},
    tui::{
        app::App,
        effect::Do,
        keymap::{Act, Mode},
        keys::Chord,
        overlay::{Overlay, Search},
        toasts::Level,
        view::pairing::next_tick,
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

fn send(out: &mut Vec<Do>, key: PairKey) {
    out.push(Do::Send(Command::Pairing(key)));
}

/// A key on the pairing screen.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let chord = Chord::of(key);
    let act = chord.and_then(|c| app.keymap.act(Mode::Pairing, c));
    let fresh = app.armed.too_fresh(app.now.boot_now());
    let focus = app.armed.focus && !app.armed.is_empty();
    let Some(p) = app.pairing.as_mut() else { return };
    if std::mem::take(&mut p.screen.get_mut().override_armed) {
        // Two keys, no default: whatever is not the second one leaves it hidden.
        if act == Some(Act::PairConfirm) {
            send(out, PairKey::Override);
        }
        return;
    }
    if key.code == KeyCode::Tab && !app.armed.is_empty() {
        app.armed.focus = !app.armed.focus;
        return;
    }
    if key.code == KeyCode::Enter && focus {
        if !fresh {
            armed::fire(app, out);
        }
        return;
    }
    if matches!(p.view.stage, PairStage::Ask(_)) {
        if key.code == KeyCode::Enter {
            send(out, PairKey::Answer(p.screen.get_mut().take_answer()));
        } else {
            edit(&mut p.screen.get_mut().field, key);
        }
        return;
    }
    if key.code == KeyCode::Enter {
        enter(app, out);
        return;
    }
    if key.code == KeyCode::Char('q') && act.is_none() {
        leave(app, out);
        return;
    }
    match act {
        Some(act) => pairing_act(app, act, out),
        None => {
            if let Some(c) = chord {
                app.say(Level::Hint, &Message::new(&w::NO_KEY).with("key", c.to_string()));
            }
        }
    }
}

/// An act of the pairing screen without its key.
pub(super) fn perform(app: &mut App, act: Act, out: &mut Vec<Do>) {
    let Some(p) = app.pairing.as_mut() else { return };
    if std::mem::take(&mut p.screen.get_mut().override_armed) {
        if act == Act::PairConfirm {
            send(out, PairKey::Override);
        }
        return;
    }
    pairing_act(app, act, out);
}

/// `Enter` goes on with what the stage offers.
fn enter(app: &mut App, out: &mut Vec<Do>) {
    let Some(p) = &app.pairing else { return };
    match &p.view.stage {
        PairStage::ClockUnknown | PairStage::Unproven => send(out, PairKey::Show),
        PairStage::Needs { .. } | PairStage::Failed { wipe_first: true, .. } => send(out, PairKey::Agree),
        PairStage::Linked { .. } => send(out, PairKey::Leave),
        PairStage::Failed { .. } => send(out, PairKey::Again),
        _ => {}
    }
}

fn pairing_act(app: &mut App, act: Act, out: &mut Vec<Do>) {
    let Some(p) = app.pairing.as_mut() else { return };
    let shown = if let PairStage::Showing(s) = &p.view.stage { Some(s) } else { None };
    match act {
        // What its kind does not have is offered nowhere, and does nothing.
        Act::PairCode if !p.view.has(Method::Code) => {}
        Act::PairCode => pair::switch(app, Method::Code),
        Act::PairQr if p.view.method == Method::Qr || !p.view.has(Method::Qr) => {}
        Act::PairQr => pair::switch(app, Method::Qr),
        Act::PairAgain => send(out, PairKey::Again),
        Act::PairPng => match shown.filter(|s| s.offer.kind == OfferKind::Qr) {
            Some(s) => out.push(Do::Png(s.offer.payload.expose().to_owned())),
            None => app.say(Level::Hint, &Message::new(&w::NO_PNG)),
        },
        Act::PairStyle => p.screen.get_mut().next_style(),
        Act::PairLarger => p.screen.get_mut().resize(1),
        Act::PairSmaller => p.screen.get_mut().resize(-1),
        Act::PairOverride if matches!(p.view.stage, PairStage::Blocked { .. }) => p.screen.get_mut().override_armed = true,
        Act::PairOverride | Act::PairConfirm => {}
        Act::PairCopy => match shown {
            Some(s) => {
                out.push(Do::Copy(s.offer.payload.expose().to_owned()));
                app.say(Level::Good, &Message::new(&w::TOAST_COPIED));
            }
            None => app.say(Level::Hint, &Message::new(&w::NO_CODE)),
        },
        Act::PairShow if super::hide::refuses(app) => {}
        Act::PairShow => {
            let Some(p) = app.pairing.as_mut() else { return };
            p.screen.get_mut().number_shown = true;
            let target = p.view.target.clone();
            app.revealed = Some((target, app.now.boot_now().plus(app.opts.reveal)));
        }
        Act::PairClock => super::clock::open(app, out),
        Act::PairHelp => app.overlays.push(Overlay::Help(Search::default())),
        Act::PairUndo => armed::undo_newest(app, out),
        _ => {}
    }
}

/// Esc: the attempt ends. Its screen goes when the engine says so.
pub(super) fn leave(app: &mut App, out: &mut Vec<Do>) {
    let Some(p) = app.pairing.as_mut() else { return };
    let running = !matches!(p.view.stage, PairStage::Linked { .. } | PairStage::Failed { .. } | PairStage::Blocked { started: false });
    let first = !std::mem::replace(&mut p.leaving, true);
    send(out, PairKey::Leave);
    if !first {
        // The engine was told and is slow: the screen need not wait for it.
        app.pairing = None;
    } else if running {
        app.say(Level::Good, &Message::new(&w::TOAST_LEFT));
    }
}

/// When the pairing screen changes by itself: on whole seconds of what dies, or of a wait.
pub(super) fn next(app: &App) -> Option<Boot> {
    let after = next_tick(&app.pairing.as_ref()?.view, &app.now)?;
    Some(app.now.boot_now().plus(after))
}

/// The readline keys in the field of a question.
fn edit(field: &mut Input, key: &KeyEvent) {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (key.code, ctrl) {
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        (KeyCode::Char(c), false) if !key.modifiers.contains(KeyModifiers::ALT) => InputRequest::InsertChar(c),
        (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        _ => return,
    };
    field.handle(request);
}

/// Pasted text in the field of a question, controls dropped.
pub(super) fn paste(app: &mut App, text: &str) {
    if let Some(p) = app.pairing.as_mut().filter(|p| matches!(p.view.stage, PairStage::Ask(_))) {
        let field = &mut p.screen.get_mut().field;
        for c in text.chars().filter(|c| !c.is_control()) {
            field.handle(InputRequest::InsertChar(c));
        }
    }
}
