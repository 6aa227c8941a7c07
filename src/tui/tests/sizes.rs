//! Every size from one cell up: nothing panics, whatever is open.

use super::sample::{app, at, attempt, op, picture};
use crate::{
    domain::{Action, OpPhase, Tier},
    engine::{Mail, mailbox::PairStage},
    tui::{event::Event, guide, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[test]
fn no_size_panics_on_any_screen() {
    for keys in ["", "?", ":", "c", "t", "m", "a", "L", "\n", "/shop", "'", "p", "  w", "?zzz", "H", "v", "s", "S"] {
        let mut a = app(40, 10, |s| s.guide = guide::tour());
        let target = a.entry().unwrap().row.target();
        for c in keys.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            update(&mut a, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0));
        }
        for armed in [false, true] {
            if armed {
                let mut mail = Mail::default();
                mail.ops.insert(1, op(1, target.clone(), Action::Wipe, Tier::Swift, OpPhase::Armed, at(0)));
                update(&mut a, Event::Mail(Box::new(mail)), at(0));
            }
            for w in (1..=13).chain([20, 33, 34, 39, 40, 41, 59, 60, 90, 100, 121]) {
                for h in (1..=12).chain([14, 16, 20, 26]) {
                    update(&mut a, Event::Resize(w, h), at(0));
                    picture(&a);
                }
            }
        }
    }
}

#[test]
fn the_pairing_screen_survives_every_size() {
    let mut a = app(40, 10, |_| {});
    let mail = Mail { pairing: Some(Some(attempt(PairStage::AskingClock, at(0)))), ..Mail::default() };
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    for w in 1..=41 {
        for h in 1..=11 {
            update(&mut a, Event::Resize(w, h), at(0));
            picture(&a);
        }
    }
}

#[test]
fn below_forty_by_ten_the_armed_row_still_shows() {
    let mut a = app(30, 5, |_| {});
    let target = a.entry().unwrap().row.target();
    let mut mail = Mail::default();
    mail.ops.insert(1, op(1, target, Action::Wipe, Tier::Swift, OpPhase::Armed, at(0)));
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    assert!(picture(&a).contains("WIPE"), "{}", picture(&a));
}

#[test]
fn wide_names_are_cut_at_whole_characters() {
    let a = app(40, 12, |s| {
        s.rows[4].label = crate::domain::Clean::new("客服一号在一个很长的名字里");
    });
    let text = picture(&a);
    assert!(text.contains("客服一号在…") || text.contains("客服一号…"), "{text}");
}
