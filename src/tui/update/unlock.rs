//! Opening the vault: a passphrase is typed into a form, everything else is asked for without one.

use crate::{
    domain::{Reason, Secret},
    engine::{
        Command,
        mailbox::{Status, VaultView},
    },
    i18n::{Lang, Message, deck as w, reason},
    tui::{
        app::App,
        effect::Do,
        overlay::{Overlay, UnlockForm},
        toasts::Level,
    },
    vault::shut,
};
use crossterm::event::{KeyCode, KeyEvent};

/// A person wants it open.
pub(super) fn ask(app: &mut App, out: &mut Vec<Do>) {
    match app.status.as_ref().map(|s| &s.vault) {
        Some(VaultView::Locked(why)) if shut::wants_passphrase(why) => app.overlays.push(Overlay::Unlock(UnlockForm::default())),
        // Tried again as it is: there is nothing to be typed here. A keyring may open a dialogue of its own and take its time.
        _ => {
            app.unlocking = true;
            out.push(Do::Send(Command::Unlock(None)));
            app.say(Level::Hint, &Message::new(&w::UNLOCK_TRYING));
        }
    }
}

/// A key while the form is open.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(Overlay::Unlock(f)) = app.overlays.last_mut() else { return };
    match key.code {
        _ if f.asking => {}
        KeyCode::Enter if f.field.is_empty() => drop(app.overlays.pop()),
        KeyCode::Enter => {
            let given = Secret::new(f.field.text().to_owned());
            *f = UnlockForm { asking: true, ..UnlockForm::default() };
            out.push(Do::Send(Command::Unlock(Some(given))));
        }
        _ => {
            f.trouble = None;
            f.field.key(key);
        }
    }
}

/// Esc on the deck while the key's source is asked. False: it is not.
pub(super) fn leave(app: &mut App) -> bool {
    if !std::mem::replace(&mut app.unlocking, false) {
        return false;
    }
    left(app);
    true
}

/// The form was closed by Esc, perhaps while what was typed in it is tried.
pub(super) fn closed(app: &mut App, form: &UnlockForm) {
    if form.asking {
        left(app);
    }
}

/// Nobody waits any more. What was asked cannot be called back: its answer counts whenever it comes.
fn left(app: &mut App) {
    app.unlock_left = true;
    app.say(Level::Hint, &Message::new(&w::UNLOCK_LEFT));
}

/// News of how the vault stands; called before `app.status` is replaced.
pub(super) fn news(app: &mut App, status: &Status) {
    if status.vault == VaultView::Opening {
        // Under way: whoever waits for it goes on waiting.
        return;
    }
    let asked = std::mem::replace(&mut app.unlocking, false);
    let late = std::mem::replace(&mut app.unlock_left, false);
    let VaultView::Locked(why) = &status.vault else {
        app.overlays.retain(|o| !matches!(o, Overlay::Unlock(_)));
        if late && matches!(status.vault, VaultView::Open(_)) {
            app.say(Level::Good, &Message::new(&w::UNLOCK_LATE));
        }
        return;
    };
    let mut answered = false;
    for o in &mut app.overlays {
        if let Overlay::Unlock(f) = o
            && f.asking
        {
            *f = UnlockForm { trouble: Some(why.clone()), ..UnlockForm::default() };
            answered = true;
        }
    }
    let same = app.status.as_ref().is_some_and(|s| s.vault == status.vault);
    let was_locked = app.status.as_ref().is_some_and(|s| matches!(s.vault, VaultView::Locked(_)));
    // Asked for once, when it turns out to be locked; later `m u` does. Never over something the operator is doing.
    if shut::wants_passphrase(why) {
        if answered || late {
            app.say_text(Level::Bad, told(why, app.lang()));
        } else if !was_locked && app.overlays.is_empty() && app.pairing.is_none() {
            app.overlays.push(Overlay::Unlock(UnlockForm::default()));
        }
    } else if !same || asked || late {
        // Nothing that is typed here helps: what is to be mended on this host, and what then.
        app.say_text(Level::Bad, told(why, app.lang()));
    }
}

/// A reason with its remedy, in one line.
fn told(why: &Reason, lang: Lang) -> String {
    let remedy = reason::remedy_sentence(why, lang);
    [Some(reason::full(why, lang)), remedy].into_iter().flatten().collect::<Vec<_>>().join("  ")
}
