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
    stands(app, VaultView::Locked(why));
}

fn stands(app: &mut App, vault: VaultView) {
    let status = Status { vault, follower: false, store_trouble: None, shared_trouble: None };
    update(app, Event::Mail(Box::new(Mail { status: Some(status), ..Mail::default() })), at(1));
}

fn asked(app: &App) -> bool {
    app.overlays.iter().any(|o| matches!(o, Overlay::Unlock(_)))
}

fn locked() -> Reason {
    Reason::new(ReasonCode::VaultLocked)
}

fn press(app: &mut App, keys: &[KeyCode]) -> Vec<Do> {
    keys.iter().flat_map(|code| update(app, Event::Key(KeyEvent::new(*code, KeyModifiers::NONE)), at(2))).collect()
}

#[test]
fn a_passphrase_is_asked_for_once() {
    let mut app = app(120, 34, |_| {});
    let why = locked().with("evidence", "passphrase");
    told(&mut app, why.clone());
    assert!(asked(&app) && picture(&app).contains("vault LOCKED"));
    app.overlays.clear();
    told(&mut app, why);
    assert!(!asked(&app));
}

#[test]
fn nobody_types_a_passphrase_for_a_keyring_and_esc_stops_waiting_for_it() {
    let mut app = app(120, 34, |_| {});
    told(&mut app, locked());
    assert!(!asked(&app) && picture(&app).contains("Keyring is locked"), "{}", picture(&app));
    let sent = press(&mut app, &[KeyCode::Char('m'), KeyCode::Char('u')]);
    assert!(!asked(&app) && sent.iter().any(|d| matches!(d, Do::Send(Command::Unlock(None)))));
    assert!(picture(&app).contains("Trying to open the vault"), "{}", picture(&app));
    press(&mut app, &[KeyCode::Esc]);
    assert!(picture(&app).contains("Not waited for any more"), "{}", picture(&app));
    // Still locked after it was tried: that is said again, since somebody asked.
    press(&mut app, &[KeyCode::Char('m'), KeyCode::Char('u')]);
    told(&mut app, locked());
    assert!(picture(&app).contains("Keyring is locked"), "{}", picture(&app));
}

#[test]
fn a_wrong_passphrase_is_said_to_be_wrong_where_it_was_typed() {
    let mut app = app(120, 34, |_| {});
    told(&mut app, locked().with("evidence", "passphrase"));
    let sent = press(&mut app, &[KeyCode::Char('x'), KeyCode::Char('y'), KeyCode::Enter]);
    assert!(matches!(&sent[..], [Do::Send(Command::Unlock(Some(given)))] if given.expose() == "xy"));
    assert!(picture(&app).contains("Trying to open the vault"), "{}", picture(&app));
    for _ in 0..2 {
        stands(&mut app, VaultView::Opening);
        assert!(picture(&app).contains("Trying to open the vault"), "{}", picture(&app));
        told(&mut app, locked().with("evidence", "passphrase_wrong"));
        assert!(asked(&app) && picture(&app).contains("✗ That passphrase does not open the vault"), "{}", picture(&app));
        press(&mut app, &[KeyCode::Char('z')]);
        assert!(!picture(&app).contains("✗ That passphrase"), "until something else is typed\n{}", picture(&app));
        press(&mut app, &[KeyCode::Enter]);
    }
    stands(&mut app, VaultView::Open("passphrase"));
    assert!(!asked(&app));
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

#[test]
fn who_stops_waiting_for_a_passphrase_is_told_what_became_of_it_and_by_no_new_form() {
    let wrong = || locked().with("evidence", "passphrase_wrong");
    let tried = || {
        let mut app = app(120, 34, |_| {});
        told(&mut app, locked().with("evidence", "passphrase"));
        press(&mut app, &[KeyCode::Char('x'), KeyCode::Enter]);
        stands(&mut app, VaultView::Opening);
        press(&mut app, &[KeyCode::Esc]);
        assert!(!asked(&app) && picture(&app).contains("Not waited for any more; its answer still counts"), "{}", picture(&app));
        app
    };
    let mut app = tried();
    told(&mut app, wrong());
    assert!(!asked(&app) && picture(&app).contains("That passphrase does not open the vault"), "{}", picture(&app));
    let mut app = tried();
    stands(&mut app, VaultView::Open("passphrase"));
    assert!(picture(&app).contains("The vault opened after all") && picture(&app).contains("vault passphrase"), "{}", picture(&app));
    // Its answer was no: tried again as the words say.
    let mut app = tried();
    told(&mut app, wrong());
    press(&mut app, &[KeyCode::Char('m'), KeyCode::Char('u')]);
    assert!(asked(&app), "{}", picture(&app));
    // Esc on a form that waits for nothing says nothing of waiting.
    press(&mut app, &[KeyCode::Esc]);
    let mut app = self::app(120, 34, |_| {});
    told(&mut app, locked().with("evidence", "passphrase"));
    press(&mut app, &[KeyCode::Char('x'), KeyCode::Esc]);
    assert!(!asked(&app) && !picture(&app).contains("Not waited for"), "{}", picture(&app));
}

#[test]
fn a_passphrase_for_a_new_vault_is_typed_twice_in_the_form_and_a_slip_sends_nothing() {
    use crate::engine::mailbox::AddCheck;
    let mut app = app(120, 34, |_| {});
    press(&mut app, &[KeyCode::Char('a')]);
    let type_in = |app: &mut App, text: &str| -> Vec<Do> { text.chars().flat_map(|c| press(app, &[KeyCode::Char(c)])).collect() };
    type_in(&mut app, "wa9");
    let Some(Overlay::Add(f)) = app.overlays.last_mut() else { panic!("no form") };
    for (field, typed) in &mut f.fields {
        *typed = crate::tui::edit::Field::with(if typed.masked { "key" } else { "http://127.0.0.1:9" });
        typed.masked = field.masked();
    }
    press(&mut app, &[KeyCode::Enter]);
    let Some(Overlay::Add(f)) = app.overlays.last_mut() else { panic!("no form") };
    let (n, name) = (f.asked, "wa9".to_owned());
    let check = AddCheck { n, name, lines: Vec::new(), added: false, trouble: Some(Reason::new(ReasonCode::KeyringAbsent)) };
    update(&mut app, Event::Mail(Box::new(Mail { add_check: Some(check), ..Mail::default() })), at(1));
    assert!(picture(&app).contains("seal") && picture(&app).contains("again"), "{}", picture(&app));
    let adds = |sent: &[Do]| {
        let given = sent.iter().find_map(|d| match d {
            Do::Send(Command::CheckGateway(g) | Command::AddGateway(g)) => Some(g.passphrase.as_ref().map(|p| p.expose().to_owned())),
            _ => None,
        });
        given.flatten()
    };
    type_in(&mut app, "correct horse");
    assert_eq!(adds(&press(&mut app, &[KeyCode::Enter])), None, "typed once");
    type_in(&mut app, "correct house");
    assert_eq!(adds(&press(&mut app, &[KeyCode::Enter])), None, "a slip is sent");
    assert!(picture(&app).contains("not the same") && !picture(&app).contains("correct"), "{}", picture(&app));
    type_in(&mut app, "correct horse");
    assert_eq!(adds(&press(&mut app, &[KeyCode::Enter])).as_deref(), Some("correct horse"), "{}", picture(&app));
}
