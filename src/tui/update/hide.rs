//! Names are hidden and shown again, wherever one is: somebody may look over a shoulder while any screen is up.

use super::token;
use crate::{
    engine::mailbox::PairStage,
    i18n::{Message, deck as w},
    tui::{
        app::App,
        keymap::{Act, Mode},
        keys::Chord,
        overlay::Overlay,
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// Hides names, or shows them again. What `v` had brought to the screen goes with them.
pub(super) fn turn(app: &mut App) {
    app.hide_names = !app.hide_names;
    app.revealed = None;
    token::hide(app);
    if let Some(p) = &mut app.pairing {
        let screen = p.screen.get_mut();
        // A key that is not the second one of the override takes the first one back.
        (screen.number_shown, screen.override_armed) = (false, false);
    }
    for o in &mut app.overlays {
        if let Overlay::Pair(f) = o {
            f.number.masked = app.hide_names;
        }
    }
    let words = if app.hide_names { &w::HIDDEN_NAMES } else { &w::SHOWN_NAMES };
    app.say(Level::Hint, &Message::new(words).with("key", key(app)));
}

/// True while names are hidden, after it was said: what somebody wants to see is hidden with them.
pub(super) fn refuses(app: &mut App) -> bool {
    if app.hide_names {
        let m = Message::new(&w::HIDDEN_FIRST).with("key", key(app));
        app.say(Level::Hint, &m);
    }
    app.hide_names
}

/// Whether this key is the one that hides. The deck's own keys are the deck's; a letter is typed where one is typed.
pub(super) fn wanted(app: &App, key: &KeyEvent) -> bool {
    let Some(chord) = Chord::of(key).filter(|c| app.keymap.act(Mode::Deck, *c) == Some(Act::Hide)) else { return false };
    if app.overlays.is_empty() && app.pairing.is_none() {
        return false;
    }
    let own = app.overlays.is_empty() && app.keymap.act(Mode::Pairing, chord).is_some();
    !own && works(app, chord)
}

/// The key that hides, as it works where the hands are now: the first that is not typed there.
pub(in crate::tui) fn key(app: &App) -> String {
    app.keymap.keys(Act::Hide).iter().find(|c| works(app, **c)).map_or_else(|| app.keymap.key(Act::Hide), ToString::to_string)
}

fn works(app: &App, chord: Chord) -> bool {
    match chord.code {
        _ if chord.ctrl => true,
        KeyCode::F(_) => true,
        KeyCode::Char(c) => !types(app, c),
        // Keys that edit, go on or move are wanted for that.
        _ => false,
    }
}

/// Whether a letter goes into a text where the hands are now.
fn types(app: &App, c: char) -> bool {
    match app.overlays.last() {
        Some(Overlay::Add(f)) => f.at != 0,
        Some(Overlay::Verb(f)) => !f.answers.is_empty(),
        Some(Overlay::Why(f)) => matches!(f.at, 0 | 2),
        Some(Overlay::Palette(_) | Overlay::Unlock(_) | Overlay::Answer(_) | Overlay::Filter { .. }) => true,
        // Capitals are as good as small letters in a search.
        Some(Overlay::Help(s)) => !s.field.is_empty() && !c.is_ascii_uppercase(),
        Some(Overlay::Question(q)) => q.count_typed && c.is_ascii_digit(),
        Some(Overlay::Pair(f)) => f.method().is_some_and(|(_, needs)| needs) && (c.is_ascii_digit() || "+-() ".contains(c)),
        Some(_) => false,
        None => app.pairing.as_ref().is_some_and(|p| matches!(p.view.stage, PairStage::Ask(_))),
    }
}
