//! Marks, one question for many, and fleets of ten thousand.

use super::{
    hands::run_with,
    sample::{PHONE, app, at, gateway, later, picture, row},
};
use crate::{
    domain::State,
    engine::Mail,
    tui::{event::Event, update::update},
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[tokio::test(start_paused = true)]
async fn marked_rows_get_one_question_and_enter_starts_all_of_them() {
    run_with(
        (100, 30),
        |_, _, _| {},
        |mut h| async move {
            for name in ["shop-a", "shop-b", "shop-d"] {
                h.press("/ ctrl-u").await;
                h.type_text(name).await;
                h.press("enter space").await;
            }
            h.press("w").await;
            assert!(h.text().contains("wipe 2 accounts?"), "{}", h.text());
            assert!(h.text().contains("not: shop-b"), "{}", h.text());
            h.press("enter").await;
            h.wait(50).await;
            let mut sent = h.sent();
            sent.sort_unstable();
            assert_eq!(sent, ["arm wipe shop-a", "arm wipe shop-d", "fire 1", "fire 2"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_loses_for_good_wants_the_count_typed() {
    run_with(
        (100, 30),
        |_, _, _| {},
        |mut h| async move {
            for name in ["shop-a", "shop-d"] {
                h.press("/ ctrl-u").await;
                h.type_text(name).await;
                h.press("enter space").await;
            }
            h.press("r enter").await;
            h.type_text("3").await;
            h.press("enter").await;
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h.type_text("2").await;
            h.press("enter").await;
            h.wait(50).await;
            assert_eq!(h.sent().len(), 4, "{:?}", h.sent());
            h
        },
    )
    .await;
}

fn ten_thousand() -> crate::tui::app::App {
    app(120, 40, |s| {
        s.gateways = (0..10).map(|g| gateway(&format!("gw-{g}"), &PHONE, g)).collect();
        s.rows = (0..10_000u64)
            .map(|n| {
                let state = if n % 997 == 0 { State::LoggedOut } else { State::Online };
                row(&format!("gw-{}", n % 9), &format!("account-{n:05}"), Some("5511999990042"), state, n)
            })
            .collect();
    })
}

#[test]
fn ten_thousand_rows_open_folded_except_where_a_problem_is() {
    let a = ten_thousand();
    assert_eq!(a.fleet.accounts(), 10_000);
    assert!(picture(&a).contains("10000 accounts"), "{}", picture(&a));
    let open = a.rows.lines().iter().filter(|l| l.open == Some(true)).count();
    assert!(open >= 1);
    // The tenth gateway has no rows and no problem.
    assert_eq!(a.rows.lines().last().unwrap().open, Some(false));
}

#[test]
fn a_thousand_changes_do_not_reorder_while_a_key_is_fresh_and_counts_stay_right() {
    let mut a = ten_thousand();
    update(&mut a, Event::Key(KeyEvent::new(KeyCode::Char('j'), KeyModifiers::NONE)), at(0));
    let before: Vec<_> = a.rows.lines().to_vec();
    for n in 0..1000u64 {
        let mut mail = Mail::default();
        let r = row(&format!("gw-{}", n % 9), &format!("account-{n:05}"), None, State::Conflict, 0);
        mail.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
        update(&mut a, Event::Mail(Box::new(mail)), at(0));
    }
    assert_eq!(a.rows.lines(), before);
    assert!(a.rows.pending);
    assert_eq!(a.fleet.count(State::Conflict), 1000);
    assert_eq!(State::ALL.iter().map(|s| a.fleet.count(*s)).sum::<usize>(), 10_000);
}

#[test]
fn rows_that_go_leave_the_counts_right_and_free_their_slots() {
    let mut a = ten_thousand();
    let gone: Vec<_> = a.fleet.iter().take(500).map(|(_, e)| e.row.target()).collect();
    let mail = Mail { gone, ..Mail::default() };
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    assert_eq!(a.fleet.accounts(), 9_500);
    assert_eq!(a.fleet.len(), 9_500);
    let mut mail = Mail::default();
    let r = row("gw-1", "new-one", None, State::Online, 0);
    mail.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
    update(&mut a, Event::Mail(Box::new(mail)), at(0));
    assert_eq!(a.fleet.accounts(), 9_501);
    assert!(a.rows.pending, "a fleet in motion is not sorted for every change");
    update(&mut a, Event::Tick, later(2_000));
    assert!(
        a.rows
            .lines()
            .iter()
            .any(|l| matches!(l.node, crate::tui::rows::Node::Row(s) if a.fleet.get(s).is_some_and(|e| e.row.label.as_str() == "new-one")))
    );
}

#[test]
fn star_marks_all_shown_but_asks_above_a_hundred() {
    let mut a = ten_thousand();
    let star = || Event::Key(KeyEvent::new(KeyCode::Char('*'), KeyModifiers::NONE));
    update(&mut a, star(), at(0));
    assert!(a.rows.marks.is_empty());
    update(&mut a, star(), at(0));
    assert!(a.rows.marks.len() > 100);
}
