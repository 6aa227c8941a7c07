//! A vault that does not open: who can open it by typing is asked, everybody else is told what to mend.

use super::sample::{app, at, picture};
use crate::{
    domain::{Reason, ReasonCode},
    engine::{
        Command, Mail,
        mailbox::{Status, VaultView},
    },
    tui::{app::App, effect::Do, event::Event, overlay::Overlay, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn told(app: &mut App, why: Reason) {
    let status = Status { vault: VaultView::Locked(why), follower: false, store_trouble: None, shared_trouble: None };
    update(app, Event::Mail(Box::new(Mail { status: Some(status), ..Mail::default() })), at(1));
}

fn asked(app: &App) -> bool {
    app.overlays.iter().any(|o| matches!(o, Overlay::Unlock(_)))
}

fn locked() -> Reason {
    Reason::new(ReasonCode::VaultLocked)
}

#[test]
fn a_passphrase_or_a_locked_keyring_is_asked_for_once() {
    for why in [locked(), locked().with("evidence", "passphrase")] {
        let mut app = app(120, 34, |_| {});
        told(&mut app, why.clone());
        assert!(asked(&app) && picture(&app).contains("vault LOCKED"), "{why:?}");
        app.overlays.clear();
        told(&mut app, why);
        assert!(!asked(&app));
    }
}

#[test]
fn nobody_is_asked_to_type_what_a_key_file_lacks() {
    let broken = Reason::new(ReasonCode::StoreBroken).raw("vault.db is damaged");
    let gone = locked().with("evidence", "key_file_gone").raw("gone");
    for (why, words) in [(gone, "put the key file back"), (broken, "damaged")] {
        let mut app = app(120, 34, |_| {});
        told(&mut app, why.clone());
        let seen = picture(&app);
        assert!(!asked(&app) && seen.contains("vault NOT OPEN") && seen.contains(words) && !seen.contains("eyring"), "{seen}");
        // Once it is mended, the same keys try it again, with nothing typed.
        let mut sent = Vec::new();
        for c in ['m', 'u'] {
            sent.extend(update(&mut app, Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), at(2)));
        }
        assert!(!asked(&app) && sent.iter().any(|d| matches!(d, Do::Send(Command::Unlock(None)))), "{why:?}");
    }
}
