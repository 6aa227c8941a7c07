//! The token view: what is told of a token, a fingerprint for everybody, the token itself for some seconds and only when it is asked for.

use super::act;
use crate::{
    domain::{Action, Boot, Reason, Secret, Target},
    engine::{Command, mailbox::TokenTale},
    i18n::{Message, deck as w, slots},
    providers::RETRY,
    tui::{
        app::App,
        devices::TokenView,
        effect::Do,
        keymap::{Act, Mode},
        keys::Chord,
        overlay::{Overlay, Search},
        toasts::Level,
        view::{overlays, panel},
    },
};
use crossterm::event::{KeyCode, KeyEvent};
use std::time::Duration;

/// What is told of the token is asked for so often while somebody looks: other processes fetch too.
const ANEW: Duration = Duration::from_secs(5);

/// Opens it on the row under the cursor.
pub(super) fn open(app: &mut App, out: &mut Vec<Do>) {
    let Some(e) = app.entry() else {
        app.say(Level::Hint, &Message::new(&w::NEEDS_ROW));
        return;
    };
    let (target, label) = (e.row.target(), e.row.label.clone());
    let issued = app.gateway().is_some_and(|g| g.view.spec.verbs.iter().any(|v| v.id == RETRY));
    let told = app.now.boot_now();
    if issued {
        out.push(Do::Send(Command::TokenTale(target.clone())));
    }
    let view = TokenView { target, label, shown: None, asking: false, trouble: None, issued, tale: None, told, scroll: 0 };
    app.overlays.push(Overlay::Token(Box::new(view)));
}

/// Whether the platform is not asked at present, as far as the view was told: what `b` is for.
pub(in crate::tui) fn paused(app: &App, t: &TokenView) -> bool {
    t.tale.as_ref().is_some_and(|tale| tale.hold.as_ref().is_some_and(|h| h.stands(&app.now)))
}

/// A key in it.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let of = |mode| Chord::of(key).and_then(|c| app.keymap.act(mode, c));
    let (act, own) = (of(Mode::Deck), of(Mode::Token));
    let page = panel::page(app);
    if own == Some(Act::Breaker) {
        breaker(app, out);
        return;
    }
    let Some(Overlay::Token(t)) = app.overlays.last_mut() else { return };
    match (key.code, act) {
        (KeyCode::Char('q'), _) | (_, Some(Act::Token)) => {
            app.overlays.pop();
        }
        (_, Some(Act::Help)) => app.overlays.push(Overlay::Help(Search::default())),
        (_, Some(a @ (Act::Down | Act::Up | Act::PageDown | Act::PageUp | Act::HalfDown | Act::HalfUp | Act::Top | Act::Bottom))) => {
            t.scroll = match a {
                Act::Down => t.scroll.saturating_add(1),
                Act::Up => t.scroll.saturating_sub(1),
                Act::PageDown | Act::HalfDown => t.scroll.saturating_add(page),
                Act::PageUp | Act::HalfUp => t.scroll.saturating_sub(page),
                Act::Top => 0,
                _ => usize::MAX,
            };
            bound(app);
        }
        (_, Some(Act::Show)) if !t.asking => {
            if super::hide::refuses(app) {
                return;
            }
            let Some(Overlay::Token(t)) = app.overlays.last_mut() else { return };
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
            None => {
                if !super::hide::refuses(app) {
                    app.say(Level::Hint, &Message::new(&slots::TOKEN_NOT_SHOWN));
                }
            }
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

/// One request past the pause is armed, or why that makes no sense is said.
fn breaker(app: &mut App, out: &mut Vec<Do>) {
    let Some(Overlay::Token(t)) = app.overlays.last() else { return };
    // The row may be a moment older than the pause.
    if t.tale.is_some() && !paused(app, t) && !app.opts.read_only {
        app.say(Level::Hint, &Message::new(&slots::TOKEN_NOT_PAUSED));
        return;
    }
    let target = t.target.clone();
    let can = app.fleet.find(&target).is_some_and(|slot| app.can(slot, &Action::Do(RETRY.into())).is_ok());
    if can {
        app.overlays.pop();
    }
    act::arm_on(app, &target, Action::Do(RETRY.into()), out);
}

/// Keeps the last line of the view at its foot.
fn bound(app: &mut App) {
    let Some(Overlay::Token(t)) = app.overlays.last() else { return };
    let last = overlays::token_height(app, t).saturating_sub(panel::page(app));
    if let Some(Overlay::Token(t)) = app.overlays.last_mut() {
        t.scroll = t.scroll.min(last);
    }
}

/// What is told of the token came.
pub(super) fn told(app: &mut App, target: &Target, tale: Box<TokenTale>) {
    for o in &mut app.overlays {
        if let Overlay::Token(t) = o
            && t.target.same(target)
        {
            t.tale = Some(tale);
            app.dirty = true;
            return;
        }
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

/// Hides what was shown long enough, and asks anew for what is told.
pub(super) fn tick(app: &mut App, now: Boot, out: &mut Vec<Do>) {
    for o in &mut app.overlays {
        if let Overlay::Token(t) = o
            && t.issued
            && now.since(t.told) >= ANEW
        {
            t.told = now;
            out.push(Do::Send(Command::TokenTale(t.target.clone())));
        }
        if let Overlay::Token(t) = o
            && t.shown.as_ref().is_some_and(|(_, until)| *until <= now)
        {
            t.shown = None;
            app.dirty = true;
        }
    }
}

/// When the next second of a shown token is over, or what is told is asked for anew.
pub(super) fn next(app: &App) -> Option<Boot> {
    app.overlays.iter().find_map(|o| match o {
        Overlay::Token(t) => {
            let second = t.shown.as_ref().map(|(_, until)| {
                let left = until.0.saturating_sub(app.now.boot_now().0);
                Boot(until.0.saturating_sub(left.saturating_sub(1) / 1000 * 1000))
            });
            second.into_iter().chain(t.issued.then(|| t.told.plus(ANEW))).min()
        }
        _ => None,
    })
}
