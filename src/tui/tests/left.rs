//! What was left open, and what is gone on with: pure, from state to text.

use super::sample::{app, at, later, op, picture, row};
use crate::{
    domain::{Action, OpPhase, Reason, ReasonCode, State, Tier},
    engine::{Command, Mail, mailbox::OpView},
    i18n::{Message, engine as words},
    tui::{app::App, effect::Do, event::Event, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn news(app: &mut App, change: impl FnOnce(&mut Mail)) {
    let mut mail = Mail::default();
    change(&mut mail);
    update(app, Event::Mail(Box::new(mail)), later(10));
}

fn press(app: &mut App, key: char) -> Vec<Do> {
    update(app, Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)), later(20))
}

fn left(name: &str, phase: OpPhase) -> OpView {
    op(7, row("wa-sp", name, None, State::Offline, 60).target(), Action::Regenerate, Tier::Hold, phase, at(0))
}

#[test]
fn the_note_of_what_was_left_open_stays_until_its_drop_is_committed() {
    // Its row is gone from the server, so that it stands on its gateway.
    let mut a = app(170, 30, |_| {});
    let mut view = left("shop-gone", OpPhase::Ambiguous);
    view.reason = Some(Reason::new(ReasonCode::StoreBroken).with("op", "7"));
    news(&mut a, |m| drop(m.ops.insert(7, view)));
    press(&mut a, 'g');
    assert!(picture(&a).contains("left open: 1"), "{}", picture(&a));
    press(&mut a, 'm');
    let sent = press(&mut a, '2');
    assert!(sent.iter().any(|d| matches!(d, Do::Send(Command::Dismiss(7)))), "{}", picture(&a));
    let shown = picture(&a);
    assert!(shown.contains("left open: 1") && !shown.contains("shop-gone: dropped"), "{shown}");
    news(&mut a, |m| m.dropped.push((7, true)));
    let shown = picture(&a);
    assert!(!shown.contains("left open") && shown.contains("shop-gone: dropped"), "{shown}");
}

#[test]
fn what_is_gone_on_with_is_said_on_its_row_and_no_key_stops_it() {
    for name in ["shop-b", "shop-gone"] {
        let mut a = app(140, 30, |_| {});
        let mut view = left(name, OpPhase::Back);
        view.step = Some((Message::new(&words::OP_RESUMING), 2, 3));
        news(&mut a, |m| drop(m.ops.insert(7, view.clone())));
        assert!(picture(&a).contains("resuming…"), "{name}: {}", picture(&a));
        let sent = press(&mut a, 'u');
        assert!(!sent.iter().any(|d| matches!(d, Do::Send(Command::Undo(_)))), "{name}");
        view.phase = OpPhase::Cancelled;
        news(&mut a, |m| drop(m.ops.insert(7, view)));
        assert!(!picture(&a).contains("resuming…"), "{name}: {}", picture(&a));
    }
}
