//! The token view: a fingerprint for everybody, the token itself for some seconds and only when it is asked for.

use super::act;
use crate::{
    domain::{Action, Boot, Reason, Secret, Target},
    engine::Command,
    i18n::{Message, deck as w, slots},
    tui::{
        app::App,
        devices::TokenView,
        effect::Do,
        keymap::{Act, Mode},
        keys::Chord,
        overlay::Overlay,
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// Opens it on the row under the cursor.
pub(super) fn open(app: &mut App) {
    let Some(e) = app.entry() else {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    };
    let (target, label) = (e.row.target(), e.row.label.clone());
    app.overlays.push(Overlay::Token(Box::new(TokenView { target, label, shown: None, asking: false, trouble: None })));
}

/// A key in it.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let act = Chord::of(key).and_then(|c| app.keymap.act(Mode::Deck, c));
    let Some(Overlay::Token(t)) = app.overlays.last_mut() else { return };
    match (key.code, act) {
        (KeyCode::Char('q'), _) | (_, Some(Act::Token)) => {
            app.overlays.pop();
        }
        (_, Some(Act::Show)) if !t.asking => {
            let hides = t.shown.take().is_some();
            if !hides {
                (t.asking, t.trouble) = (true, None);
                out.push(Do::Send(Command::Reveal(t.target.clone())));
            }
        }
        (_, Some(Act::Copy)) => match &t.shown {
            Some((token, _)) => {
                out.push(Do::Copy(token.expose().to_owned()));
                out.push(Do::Send(Command::Copied(t.target.clone())));
                app.say(Level::Good, &Message::new(&slots::TOKEN_COPIED));
            }
            None => app.say(Level::Hint, &Message::new(&slots::TOKEN_NOT_SHOWN)),
        },
        (_, Some(a @ (Act::Wipe | Act::Regenerate))) => {
            let target = t.target.clone();
            app.overlays.pop();
            let action = if a == Act::Wipe { Action::Wipe } else { Action::Regenerate };
            act::arm_on(app, &target, action, out);
        }
        _ => {}
    }
}

/// The token came. Whoever has closed the view meanwhile does not see it.
pub(super) fn came(app: &mut App, target: &Target, result: Result<Secret, Reason>) {
    let until = app.now.boot_now().plus(app.opts.reveal);
    for o in &mut app.overlays {
        if let Overlay::Token(t) = o
            && t.asking
            && t.target.same(target)
        {
            t.asking = false;
            match &result {
                Ok(token) => t.shown = Some((token.clone(), until)),
                Err(why) => t.trouble = Some(why.clone()),
            }
        }
    }
    app.dirty = true;
}

/// Hides what is shown, and what is still on its way.
pub(super) fn hide(app: &mut App) {
    for o in &mut app.overlays {
        if let Overlay::Token(t) = o {
            (t.shown, t.asking) = (None, false);
            app.dirty = true;
        }
    }
}

/// Hides what was shown long enough.
pub(super) fn tick(app: &mut App, now: Boot) {
    for o in &mut app.overlays {
        if let Overlay::Token(t) = o
            && t.shown.as_ref().is_some_and(|(_, until)| *until <= now)
        {
            t.shown = None;
            app.dirty = true;
        }
    }
}

/// When the next second of a shown token is over.
pub(super) fn next(app: &App) -> Option<Boot> {
    app.overlays.iter().find_map(|o| match o {
        Overlay::Token(t) => t.shown.as_ref().map(|(_, until)| {
            let left = until.0.saturating_sub(app.now.boot_now().0);
            Boot(until.0.saturating_sub(left.saturating_sub(1) / 1000 * 1000))
        }),
        _ => None,
    })
}
