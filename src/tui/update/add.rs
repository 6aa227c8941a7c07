//! The add form.

use crate::{
    domain::{ReasonCode, Secret},
    engine::{Command, command::NewGateway, mailbox::AddCheck},
    i18n::{Message, deck as w},
    providers::{KindSpec, form::For},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        overlay::{AddForm, Overlay},
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// `a`: opens the form.
pub(super) fn open(app: &mut App) {
    if app.opts.read_only {
        app.say(Level::Hint, &Message::new(&w::READ_ONLY));
        return;
    }
    let mut form = AddForm {
        kind: 0,
        name: Field::with(""),
        fields: Vec::new(),
        passphrase: None,
        again: Field::secret(),
        at: 1,
        check: None,
        asking: false,
        asked: 0,
        then_add: false,
    };
    if let Some(kind) = app.opts.kinds.first() {
        form.ask_for(kind.kind);
    }
    app.overlays.push(Overlay::Add(Box::new(form)));
}

/// A key in the form.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let kinds = app.opts.kinds.clone();
    let Some(Overlay::Add(f)) = app.overlays.last_mut() else { return };
    let gateway = |f: &AddForm| described(&kinds, f);
    match key.code {
        KeyCode::Tab | KeyCode::Down | KeyCode::BackTab | KeyCode::Up => {
            let back = matches!(key.code, KeyCode::BackTab | KeyCode::Up);
            let lines = f.seal() + if f.passphrase.is_some() { 2 } else { 0 };
            f.at = if back { (f.at + lines - 1) % lines } else { (f.at + 1) % lines };
            if f.check.is_none()
                && !f.asking
                && let Some(g) = gateway(f)
            {
                f.asking = true;
                out.push(ask(f, g, false));
            }
        }
        KeyCode::Left | KeyCode::Right if f.at == 0 => {
            let n = kinds.len().max(1);
            f.kind = if key.code == KeyCode::Left { (f.kind + n - 1) % n } else { (f.kind + 1) % n };
            if let Some(kind) = kinds.get(f.kind) {
                f.ask_for(kind.kind);
            }
            (f.check, f.asking, f.then_add) = (None, false, false);
        }
        KeyCode::Enter if f.at == f.seal() && f.again.is_empty() && f.passphrase.as_ref().is_some_and(|p| !p.is_empty()) => f.at += 1,
        KeyCode::Enter if f.passphrase.as_ref().is_some_and(|p| p.text() != f.again.text()) => {
            f.again = Field::secret();
            f.at = f.seal() + 1;
            app.say(Level::Bad, &Message::new(&crate::i18n::command::PASSPHRASE_DIFFERS));
        }
        KeyCode::Enter => match gateway(f) {
            None => app.say(Level::Hint, &Message::new(&w::ADD_INCOMPLETE)),
            Some(g) if f.check.as_ref().is_some_and(|c| c.trouble.is_none() && c.name == g.name) => {
                f.asking = true;
                out.push(ask(f, g, true));
            }
            Some(g) => {
                f.then_add = true;
                if !f.asking {
                    f.asking = true;
                    f.check = None;
                    out.push(ask(f, g, false));
                }
            }
        },
        // The passphrase is not part of what was checked.
        _ if f.at >= f.seal() => {
            let _ = f.field().is_some_and(|field| field.key(key));
        }
        _ => {
            if f.field().is_some_and(|field| field.key(key)) {
                f.check = None;
                f.asking = false;
                f.then_add = false;
            }
        }
    }
}

/// The engine's answer to a check or to adding.
pub(super) fn answer(app: &mut App, check: AddCheck, out: &mut Vec<Do>) {
    app.dirty = true;
    let at = app.overlays.iter().position(|o| matches!(o, Overlay::Add(_)));
    if check.added {
        if let Some(at) = at {
            app.overlays.remove(at);
        }
        app.say(Level::Good, &Message::new(&w::TOAST_ADDED).with("name", &check.name));
        return;
    }
    let kinds = app.opts.kinds.clone();
    let Some(Overlay::Add(f)) = at.and_then(|at| app.overlays.get_mut(at)) else { return };
    if !f.asking || check.n != f.asked {
        return;
    }
    f.asking = false;
    let fine = check.trouble.is_none();
    if check.trouble.as_ref().is_some_and(|r| r.code == ReasonCode::KeyringAbsent) && f.passphrase.is_none() {
        (f.passphrase, f.again) = (Some(Field::secret()), Field::secret());
        f.at = f.seal();
    }
    f.check = Some(check);
    if fine
        && std::mem::take(&mut f.then_add)
        && let Some(g) = described(&kinds, f)
    {
        f.asking = true;
        out.push(ask(f, g, true));
    }
}

/// Asks about it, or adds it, under the next number.
fn ask(f: &mut AddForm, mut g: NewGateway, save: bool) -> Do {
    f.asked += 1;
    g.n = f.asked;
    Do::Send(if save { Command::AddGateway(g) } else { Command::CheckGateway(g) })
}

/// What the form describes, once nothing is missing.
fn described(kinds: &[&KindSpec], f: &AddForm) -> Option<NewGateway> {
    let kind = kinds.get(f.kind)?;
    let full = !f.name.is_empty() && f.fields.iter().all(|(field, typed)| field.optional || !typed.text().trim().is_empty());
    let has_account = f.fields.iter().any(|(field, _)| field.of == For::Account);
    let own = f.fields.iter().filter_map(|(field, typed)| match field.of {
        For::Own(key) if !typed.text().trim().is_empty() => Some((key.into(), typed.text().trim().to_owned())),
        _ => None,
    });
    let given = f.fields.iter().filter_map(|(field, typed)| match field.of {
        For::Given { name, .. } => Some((name, Secret::new(typed.text().trim().to_owned()))),
        _ => None,
    });
    let text = |of| f.text(of).trim().to_owned();
    full.then(|| NewGateway {
        url: text(For::Url),
        secret: Secret::new(f.text(For::Secret).to_owned()),
        account: has_account.then(|| (text(For::Account), text(For::Id))),
        own: own.collect(),
        given: given.collect(),
        passphrase: f.passphrase.as_ref().filter(|p| !p.is_empty()).map(|p| Secret::new(p.text().to_owned())),
        ..NewGateway::new(f.name.text().trim(), kind.kind)
    })
}
