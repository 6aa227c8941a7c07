//! The add form.

use crate::{
    domain::{ReasonCode, Secret},
    engine::{Command, command::NewGateway, mailbox::AddCheck},
    i18n::{Message, deck as w},
    providers::{KindSpec, registry},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        overlay::{AddForm, Overlay},
        toasts::Level,
    },
};
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeMap;

/// `a`: opens the form.
pub(super) fn open(app: &mut App) {
    if app.opts.read_only {
        app.say(Level::Hint, &Message::new(&w::READ_ONLY));
        return;
    }
    let form = AddForm {
        kind: 0,
        name: Field::with(""),
        url: Field::with(""),
        key: Field::secret(),
        asks: Vec::new(),
        passphrase: None,
        at: 1,
        check: None,
        asking: false,
        then_add: false,
    };
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
            let lines = f.lines();
            f.at = if back { (f.at + lines - 1) % lines } else { (f.at + 1) % lines };
            if f.check.is_none()
                && !f.asking
                && let Some(g) = gateway(f)
            {
                f.asking = true;
                out.push(Do::Send(Command::CheckGateway(g)));
            }
        }
        KeyCode::Left | KeyCode::Right if f.at == 0 => {
            let n = kinds.len().max(1);
            f.kind = if key.code == KeyCode::Left { (f.kind + n - 1) % n } else { (f.kind + 1) % n };
            f.check = None;
            let asks = kinds.get(f.kind).map_or(&[][..], |k| registry::add_asks(k.kind));
            f.asks = asks.iter().map(|a| (a, if a.secret { Field::secret() } else { Field::with("") })).collect();
        }
        KeyCode::Enter => match gateway(f) {
            None => app.say(Level::Hint, &Message::new(&w::ADD_INCOMPLETE)),
            Some(g) if f.check.as_ref().is_some_and(|c| c.trouble.is_none() && c.name == g.name) => {
                f.asking = true;
                out.push(Do::Send(Command::AddGateway(g)));
            }
            Some(g) => {
                f.then_add = true;
                if !f.asking {
                    f.asking = true;
                    f.check = None;
                    out.push(Do::Send(Command::CheckGateway(g)));
                }
            }
        },
        // The passphrase is not part of what was checked.
        _ if f.at == f.passphrase_at() => {
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
    if !f.asking || check.name != f.name.text().trim() {
        return;
    }
    f.asking = false;
    let fine = check.trouble.is_none();
    if check.trouble.as_ref().is_some_and(|r| r.code == ReasonCode::KeyringAbsent) && f.passphrase.is_none() {
        f.passphrase = Some(Field::secret());
        f.at = f.passphrase_at();
    }
    f.check = Some(check);
    if fine
        && std::mem::take(&mut f.then_add)
        && let Some(g) = described(&kinds, f)
    {
        f.asking = true;
        out.push(Do::Send(Command::AddGateway(g)));
    }
}

/// What the form describes, once nothing is missing.
fn described(kinds: &[&KindSpec], f: &AddForm) -> Option<NewGateway> {
    let kind = kinds.get(f.kind)?;
    let given: BTreeMap<_, _> = f.asks.iter().map(|(a, field)| (a.name, Secret::new(field.text().trim().to_owned()))).collect();
    if !f.asks.is_empty() {
        let full = !f.name.is_empty() && f.asks.iter().all(|(a, field)| a.optional || !field.text().trim().is_empty());
        return full.then(|| NewGateway {
            name: f.name.text().trim().to_owned(),
            kind: kind.kind.to_owned(),
            url: String::new(),
            secret: Secret::new(String::new()),
            allow_plaintext: false,
            given,
            passphrase: f.passphrase.as_ref().filter(|p| !p.is_empty()).map(|p| Secret::new(p.text().to_owned())),
        });
    }
    let keyless = kind.secrets.first().is_some_and(|s| s.optional);
    let full = !f.name.is_empty() && !f.url.is_empty() && (keyless || !f.key.is_empty());
    full.then(|| NewGateway {
        name: f.name.text().trim().to_owned(),
        kind: kind.kind.to_owned(),
        url: f.url.text().trim().to_owned(),
        secret: Secret::new(f.key.text().to_owned()),
        allow_plaintext: false,
        given,
        passphrase: f.passphrase.as_ref().filter(|p| !p.is_empty()).map(|p| Secret::new(p.text().to_owned())),
    })
}
