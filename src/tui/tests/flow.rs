//! Other keys through the loop: pairing, filters, dead keys, read-only, quitting.

use super::{
    hands::run_with,
    sample::{at, attempt, blocked_gate, gateway, row},
};
use crate::{
    domain::{GatewayId, Prompt, PromptKind, State},
    engine::mailbox::{AddCheck, PairStage, Toast},
    i18n::{Message, deck as w},
    tui::{keymap::KeyOverride, run::Exit},
};
use crossterm::event::Event;

const SIZE: (u16, u16) = (100, 30);

#[tokio::test(start_paused = true)]
async fn a_read_only_deck_changes_nothing_and_says_why() {
    run_with(
        SIZE,
        |s, _, _| s.read_only = true,
        |mut h| async move {
            h.on("shop-d").await;
            for key in ["w", "r", "p", "a"] {
                h.press(key).await;
                assert!(h.text().contains("read-only"), "{key}: {}", h.text());
            }
            h.wait(5000).await;
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dead_keys_answer_with_a_reason() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("p").await;
            assert!(h.text().contains("online already"), "{}", h.text());
            h.press("d").await;
            assert!(h.text().contains("w wipes, t shows the timeline"), "{}", h.text());
            h.press("f5").await;
            assert!(h.text().contains("F5 does nothing here"), "{}", h.text());
            h.on("shop-b").await;
            h.press("w").await;
            assert!(h.text().contains("Not paired yet"), "{}", h.text());
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn pairing_asks_for_the_number_before_anything_is_sent() {
    run_with(
        (80, 24),
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-b").await;
            h.press("p").await;
            assert!(h.sent().is_empty());
            h.press("ctrl-u enter").await;
            assert!(h.text().contains("needs the phone's number"), "{}", h.text());
            h.type_text("0123").await;
            h.press("enter").await;
            assert!(h.text().contains("not a phone number"), "{}", h.text());
            h.press("ctrl-u").await;
            h.type_text("+55 11 99999-0001").await;
            h.press("enter").await;
            assert_eq!(h.sent(), [r#"pair shop-b Code Some("5511999990001")"#]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_qr_that_does_not_fit_starts_nothing() {
    run_with(
        (80, 24),
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-b").await;
            h.press("p tab enter").await;
            assert!(h.text().contains("QR needs 59x32, have 80x24"), "{}", h.text());
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h.event(Event::Resize(120, 40));
            h.press("enter").await;
            assert_eq!(h.sent(), ["pair shop-b Qr None"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_override_takes_two_keys_and_any_other_takes_it_back() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            let mut view = attempt(PairStage::Blocked { started: false }, at(0));
            view.gate = Some(blocked_gate());
            h.mailbox.put(|m| m.pairing = Some(Some(view)));
            h.wait(200).await;
            h.press("s").await;
            h.press("! enter s").await;
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h.press("! s").await;
            assert_eq!(h.sent(), ["pairing Override"]);
            h.mailbox.put(|m| m.pairing = Some(None));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_question_of_the_attempt_takes_letters_as_text() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            let prompt = Prompt { kind: PromptKind::Password, words: Message::new(&w::UNLOCK_TITLE), hint: None, wrong: 0 };
            h.mailbox.put(|m| m.pairing = Some(Some(attempt(PairStage::Ask(prompt), at(0)))));
            h.wait(200).await;
            h.type_text("krg!s").await;
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h.press("enter").await;
            assert_eq!(h.sent(), ["pairing Answer([secret])"]);
            h.mailbox.put(|m| m.pairing = Some(None));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn enter_shows_what_is_held_back_and_esc_leaves() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.mailbox.put(|m| m.pairing = Some(Some(attempt(PairStage::Unproven, at(0)))));
            h.wait(200).await;
            h.press("enter r esc").await;
            assert_eq!(h.sent(), ["pairing Show", "pairing Again", "pairing Leave"]);
            h.mailbox.put(|m| m.pairing = Some(None));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn rows_keep_their_places_for_two_seconds_after_a_key() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("j k").await;
            let before = position(&h.text(), "shop-d");
            h.mailbox.put(|m| {
                let r = row("wa-sp", "shop-d", Some("5511999995518"), State::Refused, 1);
                m.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
            });
            h.wait(500).await;
            assert_eq!(position(&h.text(), "shop-d"), before);
            assert!(h.text().contains('↕'), "{}", h.text());
            assert!(h.text().lines().any(|l| l.contains("shop-d ") && l.contains("⊘ refused        <1m")), "{}", h.text());
            h.wait(2000).await;
            assert!(position(&h.text(), "shop-d") < before, "{}", h.text());
            assert!(!h.text().contains('↕'));
            h
        },
    )
    .await;
}

fn position(text: &str, name: &str) -> usize {
    text.lines().position(|l| l.get(..40).unwrap_or(l).contains(name)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_row_that_went_under_the_cursor_is_not_hit() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.wait(3000).await;
            // The row goes, and the key comes before a person could see it.
            h.mailbox.put(|m| m.gone.push(crate::domain::Target::account(&GatewayId::new("wa-sp"), &crate::domain::RemoteId::new("shop-d"))));
            h.wait(1).await;
            h.press("w").await;
            assert!(h.text().contains("changed just now"), "{}", h.text());
            h.wait(5000).await;
            assert!(h.sent().is_empty(), "{:?}", h.sent());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_deck_draws_nothing_and_a_flood_at_most_ten_frames_a_second() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.press("j").await;
            h.wait(10_000).await;
            let before = h.seen.lock().unwrap().frames;
            h.wait(40_000).await;
            let idle = h.seen.lock().unwrap().frames - before;
            assert!(idle <= 1, "{idle} frames in 40 idle seconds");
            let before = h.seen.lock().unwrap().frames;
            for n in 0..1000u64 {
                let state = if n % 2 == 0 { State::Online } else { State::Connecting };
                h.mailbox.put(|m| {
                    let r = row("wa-sp", "shop-a", None, state, n);
                    m.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
                });
                h.wait(1).await;
            }
            let busy = h.seen.lock().unwrap().frames - before;
            assert!((5..=12).contains(&busy), "{busy} frames in a second of flood");
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn good_news_fades_and_bad_news_waits_for_a_key() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            let toast = |good, text| Toast { good, text: Message::new(text), target: None, at: at(0) };
            h.mailbox.put(|m| m.toasts.push(toast(true, &w::MOUSE_ON)));
            h.wait(200).await;
            assert!(h.text().contains("Mouse on."), "{}", h.text());
            h.wait(6_200).await;
            assert!(!h.text().contains("Mouse on."), "{}", h.text());
            h.mailbox.put(|m| m.toasts.push(toast(false, &w::NO_HISTORY)));
            h.wait(60_000).await;
            assert!(h.text().contains("Nothing is recorded"), "{}", h.text());
            h.press("j").await;
            assert!(!h.text().contains("Nothing is recorded"), "{}", h.text());
            // Or until it is so no more, whatever else was said meanwhile.
            h.mailbox.put(|m| m.toasts.push(toast(false, &w::NO_HISTORY)));
            h.wait(200).await;
            h.mailbox.put(|m| m.over.push(&w::MOUSE_OFF));
            h.wait(200).await;
            assert!(h.text().contains("Nothing is recorded"), "{}", h.text());
            h.mailbox.put(|m| m.over.push(&w::NO_HISTORY));
            h.wait(200).await;
            assert!(!h.text().contains("Nothing is recorded"), "{}", h.text());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_number_is_shown_for_ten_seconds_and_hides_on_focus_loss() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            assert!(!h.text().contains("5511999995518"));
            h.press("v").await;
            assert!(h.text().contains("+5511999995518"), "{}", h.text());
            h.wait(10_200).await;
            assert!(!h.text().contains("5511999995518"), "{}", h.text());
            h.press("v").await;
            h.event(Event::FocusLost);
            h.wait(200).await;
            assert!(!h.text().contains("5511999995518"), "{}", h.text());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn y_copies_the_name_that_every_command_accepts() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("y").await;
            assert_eq!(h.seen.lock().unwrap().copied, ["wa-sp:shop-d"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn adding_a_gateway_checks_it_first_and_adds_on_enter() {
    run_with(
        SIZE,
        |s, _, _| {
            s.gateways.clear();
            s.rows.clear();
        },
        |mut h| async move {
            assert!(h.text().contains("sees no accounts yet"), "{}", h.text());
            h.press("a").await;
            h.type_text("wa-us").await;
            h.press("tab").await;
            h.type_text("http://127.0.0.1:8080").await;
            h.press("tab").await;
            h.type_text("CANARY").await;
            h.press("enter").await;
            assert!(h.sent()[0].starts_with("CheckGateway"), "{:?}", h.sent());
            assert!(!h.sent()[0].contains("CANARY"));
            h.mailbox.put(|m| {
                m.add_check =
                    Some(AddCheck { n: 1, name: "wa-us".into(), lines: vec![(true, Message::new(&w::MOUSE_ON))], added: false, trouble: None })
            });
            h.wait(200).await;
            assert!(h.sent()[1].starts_with("AddGateway"), "{:?}", h.sent());
            h.mailbox.put(|m| {
                m.add_check = Some(AddCheck { n: 2, name: "wa-us".into(), lines: vec![], added: true, trouble: None });
                m.gateways.insert(GatewayId::new("wa-us"), gateway("wa-us", &super::sample::PHONE, 0));
            });
            h.wait(3000).await;
            assert!(h.text().contains("Gateway wa-us added"), "{}", h.text());
            assert!(!h.text().contains("CANARY"));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_q_leaves_at_once() {
    let ended = run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.answers = false;
            h.event(Event::Key(crossterm::event::KeyCode::Char('q').into()));
            h.event(Event::Key(crossterm::event::KeyCode::Char('q').into()));
            h.wait(1).await;
            assert!(h.sent().starts_with(&["quit"]), "{:?}", h.sent());
            h.hang_up();
            h
        },
    )
    .await;
    assert_eq!(ended.exit, Exit::Quit);
}

#[tokio::test(start_paused = true)]
async fn a_moved_key_works_and_the_help_shows_it() {
    run_with(
        SIZE,
        |s, _, _| s.keys = vec![KeyOverride { act: "regenerate".into(), keys: vec!["ctrl-r".into()], line: Some(3) }],
        |mut h| async move {
            h.on("shop-d").await;
            h.press("r").await;
            assert!(h.text().contains("r does nothing here"), "{}", h.text());
            h.press("ctrl-r").await;
            assert_eq!(h.sent(), ["arm regenerate shop-d"]);
            h.press("u ?").await;
            assert!(h.text().contains("ctrl-r"), "{}", h.text());
            h
        },
    )
    .await;
}
