//! Arming, countdown, undo: through the loop, with paused time.

use super::hands::run_with;
use crate::tui::run::Exit;
use crossterm::event::Event;
use std::sync::atomic::Ordering;

const SIZE: (u16, u16) = (100, 30);

#[tokio::test(start_paused = true)]
async fn a_wipe_fires_after_its_countdown_was_seen() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            assert!(h.text().contains("WIPE"), "{}", h.text());
            assert!(h.text().contains("starts in 3 s"), "{}", h.text());
            h.wait(1100).await;
            assert!(h.text().contains("starts in 2 s"), "{}", h.text());
            h.wait(1000).await;
            assert!(h.text().contains("starts in 1 s"), "{}", h.text());
            assert_eq!(h.sent(), ["arm wipe shop-d"]);
            h.wait(1000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_way_back_takes_the_action_back() {
    for way in ["u", "esc", "U", "ctrl-c"] {
        run_with(
            SIZE,
            |_, _, _| {},
            |mut h| async move {
                h.on("shop-d").await;
                h.press("w").await;
                h.press(way).await;
                h.wait(5000).await;
                assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1"], "{way}");
                h
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn quitting_drops_what_is_armed_and_names_it() {
    let ended = run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w q").await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1", "quit"]);
            h.hang_up();
            h
        },
    )
    .await;
    assert_eq!(ended.exit, Exit::Quit);
    assert_eq!(ended.dropped, ["wipe of shop-d taken back; nothing was sent"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_terminal_disarms_and_never_fires() {
    let ended = run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.hang_up();
            h.wait(5000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1", "QuitNow"]);
            h
        },
    )
    .await;
    assert_eq!(ended.exit, Exit::InputLost);
}

#[tokio::test(start_paused = true)]
async fn suspending_disarms() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w ctrl-z").await;
            h.wait(5000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1"]);
            assert_eq!(h.seen.lock().unwrap().suspended, 1);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_disarms() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.wait(500).await;
            h.clock.jump.fetch_add(60_000, Ordering::SeqCst);
            h.wait(3000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1"]);
            assert!(h.text().contains("could not be seen"), "{}", h.text());
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_hangs_disarms() {
    run_with(
        SIZE,
        |_, sheet, clock| sheet.hang = Some((clock.clone(), 2000)),
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.wait(5000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_countdown_that_is_not_on_screen_never_fires() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.seen.lock().unwrap().hide = true;
            h.wait(5000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "undo 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_repeats_neither_fires_nor_arms_twice() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w w w enter enter").await;
            assert_eq!(h.sent(), ["arm wipe shop-d"]);
            h.wait(400).await;
            h.press("enter").await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn moving_gives_the_focus_back_to_the_list_and_tab_takes_it_again() {
    run_with(
        SIZE,
        |s, _, _| s.swift = std::time::Duration::from_secs(20),
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.wait(400).await;
            h.press("j enter").await;
            assert_eq!(h.sent(), ["arm wipe shop-d"], "Enter opens, it does not fire");
            // Esc would disarm first; the overlay closes by its own key.
            h.press("q tab enter").await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_waits_for_enter_and_lapses() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("r").await;
            assert!(h.text().contains("waits for Enter"), "{}", h.text());
            h.wait(14_000).await;
            assert_eq!(h.sent(), ["arm regenerate shop-d"]);
            h.wait(1_100).await;
            assert_eq!(h.sent(), ["arm regenerate shop-d", "undo 1"]);
            assert!(h.text().contains("lapsed"), "{}", h.text());
            h.press("r").await;
            h.wait(1000).await;
            h.press("enter").await;
            assert_eq!(h.sent()[2..], ["arm regenerate shop-d", "fire 2"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn zero_seconds_mean_wait_for_enter() {
    run_with(
        SIZE,
        |s, _, _| s.swift = std::time::Duration::ZERO,
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.wait(10_000).await;
            assert_eq!(h.sent(), ["arm wipe shop-d"]);
            h.press("enter").await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_armed_are_counted_and_taken_back_one_by_one_or_all() {
    run_with(
        SIZE,
        |s, _, _| s.swift = std::time::Duration::from_secs(30),
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.on_filtered("shop-a").await;
            h.press("w").await;
            assert!(h.line_of("WIPE").contains("+1"), "{}", h.text());
            h.press("u").await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "arm wipe shop-a", "undo 2"]);
            assert!(h.line_of("WIPE").contains("shop-d"), "{}", h.text());
            h.press("U").await;
            assert_eq!(h.sent().last(), Some(&"undo 1"));
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_armed_row_stays_over_overlays_and_fires_from_there() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w ?").await;
            assert!(h.text().contains("WIPE"), "{}", h.text());
            h.wait(3100).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_focus_change_of_the_window_leaves_armed_actions_alone() {
    run_with(
        SIZE,
        |_, _, _| {},
        |mut h| async move {
            h.on("shop-d").await;
            h.press("w").await;
            h.event(Event::FocusLost);
            h.wait(3100).await;
            assert_eq!(h.sent(), ["arm wipe shop-d", "fire 1"]);
            h
        },
    )
    .await;
}
