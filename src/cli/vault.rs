//! `secret rotate-key`, `secret move`, `secret accept-restore`, `secret set-aside`: where the vault key lives, and another one.

use super::{
    Exit, Output,
    args::KeySource,
    prompt,
    run::Ran,
    session::{Session, broken, refused},
};
use crate::{
    clock::SystemTime,
    engine::ops,
    i18n::{Message, command as c},
    store::{self, Paths},
    vault::{Source, VaultState},
};

/// The key source that `secret init` was asked for.
pub(super) const fn source(insecure_key_file: bool, credential: bool) -> Source {
    match (insecure_key_file, credential) {
        (true, _) => Source::KeyFile,
        (_, true) => Source::Credential,
        _ => Source::Keyring,
    }
}

/// The key source that `secret move` was asked for; none named is the key file, which has a flag of its own.
pub(super) const fn target(to: Option<KeySource>) -> Source {
    match to {
        Some(KeySource::Keyring) => Source::Keyring,
        Some(KeySource::Passphrase) => Source::Passphrase,
        Some(KeySource::Credential) => Source::Credential,
        None => Source::KeyFile,
    }
}

/// `secret rotate-key`: another key in the same place.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn rotate(house: &Session, out: &mut Output) -> Ran {
    if let Err(exit) = house.unlock(out).await {
        return Ok(exit);
    }
    match house.world.vault().state() {
        VaultState::Open(source) => change(house, source, out).await,
        _ => Ok(absent(out)),
    }
}

/// `secret move`: another key in another place.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn change(house: &Session, to: Source, out: &mut Output) -> Ran {
    if let Err(exit) = house.unlock(out).await {
        return Ok(exit);
    }
    if house.world.vault().state() == VaultState::Absent {
        return Ok(absent(out));
    }
    let passphrase = match (to == Source::Passphrase).then(|| prompt::new_passphrase(out)) {
        Some(Err(why)) => {
            out.complain(&why.0);
            return Ok(Exit::Usage);
        }
        given => given.and_then(Result::ok),
    };
    let action = if house.world.vault().state() == VaultState::Open(to) { "rotate-key" } else { "move-key" };
    // In the commit that does it: killed behind that, it has its line all the same.
    let note = ops::vault_line(&**house.world.time(), action, "done");
    let done = match house.world.vault().change_noted(to, passphrase, Some(note)).await {
        Ok(done) => done,
        Err(why) => {
            ops::audit_vault(&house.world, action, "failed").await;
            return Ok(refused(&why, out));
        }
    };
    let told = |words| Message::new(words).with("n", done.sealed.to_string()).with("source", to.name());
    match &done.left {
        Some(left) => out.complain(&told(&c::KEY_LEFT).with("left", left)),
        None => out.note(&told(&c::KEY_REPLACED)),
    }
    for what in &done.broken {
        out.complain(&Message::new(&c::KEY_NOT_SEALED).with("what", what));
    }
    Ok(if done.broken.is_empty() { Exit::Ok } else { Exit::Failed })
}

/// `secret accept-restore`.
///
/// # Errors
/// When the reader of stdout has gone.
pub(super) async fn accept(house: &Session, out: &mut Output) -> Ran {
    if let Err(exit) = house.unlock(out).await {
        return Ok(exit);
    }
    let done = house.world.vault().accept_restored().await;
    ops::audit_vault(&house.world, "accept-restore", if done.is_ok() { "done" } else { "failed" }).await;
    match done {
        Ok(()) => {
            out.note(&Message::new(&c::RESTORE_ACCEPTED));
            Ok(Exit::Ok)
        }
        Err(why) => Ok(refused(&why, out)),
    }
}

/// `secret set-aside`: before any store is opened, as a damaged one has nothing to open. The audit is written where it can be: in the
/// vault that stands there then, and in one that was moved away whole.
pub(super) fn aside(paths: &Paths, back: bool, out: &mut Output) -> Exit {
    let shown = |p: &std::path::Path| p.to_string_lossy().into_owned();
    let (action, mut moved) = (if back { "set-aside-back" } else { "set-aside" }, None);
    let done = if back {
        store::aside::put_back(paths).map(|made| match &made {
            Some(made) => {
                moved = Some(Paths::in_home(made));
                Message::new(&c::ASIDE_SWAPPED).with("path", shown(made))
            }
            None => Message::new(&c::ASIDE_BACK),
        })
    } else {
        store::aside::set_aside(paths).map(|folder| Message::new(&c::ASIDE_DONE).with("path", shown(&folder)))
    };
    let line = ops::vault_line(&SystemTime::new(), action, if done.is_ok() { "done" } else { "failed" });
    // What was refused makes no vault where there is none.
    let at = std::iter::once(paths).chain(&moved).filter(|at| done.is_ok() || at.vault_db().exists());
    let kept: Vec<_> = at.map(|at| store::aside::note(at, &line)).collect();
    match done {
        Ok(told) => {
            out.note(&told);
            // A damaged one that is back takes no line.
            match kept.into_iter().reduce(Result::or) {
                Some(Err(e)) if !back => broken(&e, out),
                _ => Exit::Ok,
            }
        }
        Err(e) => broken(&e, out),
    }
}

fn absent(out: &mut Output) -> Exit {
    out.complain(&Message::new(&c::CHECK_VAULT_ABSENT));
    Exit::Locked
}
