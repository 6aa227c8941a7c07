//! Rows, commands and arming of the spoken deck.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_words_are_counts_then_rows_with_problems_first_and_whole_sentences() {
    with(
        |_| {},
        |mut h| async {
            let said = h.said();
            assert!(said[0].starts_with("pairdeck. Gateways: 3. Accounts: "), "{said:?}");
            let rows: Vec<&String> = said.iter().filter(|l| l.starts_with(|c: char| c.is_ascii_digit()) && l.contains(" on ")).collect();
            assert!(rows[0].contains("conflict"), "{rows:?}");
            let b = rows.iter().find(|l| l.contains("shop-b")).unwrap();
            assert!(
                b.ends_with("shop-b, logged out, 12 minutes, Phonely on wa-sp. Logged out, usually from the phone. [401] p pair it again."),
                "{b}"
            );
            let well = rows.iter().position(|l| l.contains(" shop-a, online")).unwrap();
            assert!(rows.iter().position(|l| l.contains("shop-h")).unwrap() < well);
            for line in &said {
                assert!(!line.contains(|c: char| c.is_control() || "●✗◐⇄▸`│─┌·".contains(c)), "{line}");
            }
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wipe_is_spoken_counted_down_and_fires_only_at_its_end() {
    let (_, h) = with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.said();
            h.line(&format!("{n} w")).await;
            assert_eq!(h.sent, ["arm wipe shop-a"]);
            assert_eq!(h.said(), ["Wipe shop-a in 10 seconds. u undoes, go starts it now."]);
            h.wait(9_800).await;
            assert_eq!(h.sent, ["arm wipe shop-a"], "not a moment early");
            h.wait(400).await;
            assert_eq!(h.sent, ["arm wipe shop-a", "fire 1"]);
            assert!(h.said().contains(&"wipe shop-a starts.".to_owned()));
            h
        },
    )
    .await;
    assert_eq!(h.sent.last().unwrap(), "quit");
}

#[tokio::test(start_paused = true)]
async fn a_long_countdown_is_spoken_again_at_ten_seconds() {
    with(
        |s| s.swift = Duration::from_secs(30),
        |mut h| async {
            let n = h.number("shop-a");
            h.line(&format!("{n} w")).await;
            h.said();
            h.wait(19_000).await;
            assert_eq!(h.said(), Vec::<String>::new());
            h.wait(1_500).await;
            assert_eq!(h.said(), ["10 seconds."]);
            h.line("u").await;
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn u_takes_back_and_quitting_drops_what_is_armed() {
    let (ended, h) = with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.line(&format!("{n} w")).await;
            h.line("u").await;
            assert_eq!(h.sent, ["arm wipe shop-a", "undo 1"]);
            assert!(h.said().iter().any(|l| l.contains("taken back")));
            h.line(&format!("{n} w")).await;
            h
        },
    )
    .await;
    assert_eq!(h.sent[2..], ["arm wipe shop-a", "undo 2", "quit"]);
    assert_eq!((ended.exit, ended.dropped.as_slice()), (Exit::Quit, ["wipe of shop-a taken back; nothing was sent".to_owned()].as_slice()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_redone_waits_for_go_and_lapses() {
    with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.said();
            h.line(&format!("{n} r")).await;
            assert_eq!(h.said(), ["Regenerate shop-a waits 15 seconds for go. u undoes."]);
            h.line("go").await;
            assert_eq!(h.sent, ["arm regenerate shop-a"], "a go on the heels of arming is a slip");
            h.wait(500).await;
            h.line("").await;
            h.line("yes").await;
            assert_eq!(h.sent, ["arm regenerate shop-a"]);
            h.line("go").await;
            assert_eq!(h.sent, ["arm regenerate shop-a", "fire 1"]);
            h.line(&format!("{n} r")).await;
            h.wait(16_000).await;
            assert_eq!(h.sent.last().unwrap(), "undo 2");
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_process_disarms() {
    with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.line(&format!("{n} w")).await;
            h.clock.jump.fetch_add(60_000, Ordering::SeqCst);
            h.wait(2_000).await;
            assert_eq!(h.sent, ["arm wipe shop-a", "undo 1"]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn read_only_arms_nothing() {
    let (_, h) = with(
        |s| s.read_only = true,
        |mut h| async {
            let n = h.number("shop-a");
            h.line(&format!("{n} w")).await;
            h.line(&format!("{n} p 5511999990001")).await;
            assert!(h.said().iter().any(|l| l.contains("read-only")));
            h
        },
    )
    .await;
    assert_eq!(h.sent, ["quit"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_appended_with_their_number_and_floods_are_counted() {
    with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.said();
            h.mailbox.put(|m| {
                let r = row("wa-sp", "shop-a", None, State::LoggedOut, 0);
                m.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
            });
            h.wait(1).await;
            assert_eq!(h.said(), [format!("{n}. shop-a, logged out, less than a minute, Phonely on wa-sp.")]);
            h.mailbox.put(|m| {
                for i in 0..50 {
                    let r = row("wa-sp", &format!("new-{i}"), None, State::Online, 0);
                    m.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
                }
            });
            h.wait(1).await;
            assert_eq!(h.said(), ["50 rows changed. l lists them."]);
            h.line("l new-49").await;
            assert_eq!(h.said(), ["1. new-49, online, less than a minute, Phonely on wa-sp."]);
            h
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_number_stays_with_its_row_and_a_namesake_is_not_hit() {
    let (_, h) = with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.mailbox.put(|m| {
                let mut r = row("wa-sp", "shop-a", None, State::Online, 0);
                r.incarnation = Some("i2".into());
                m.rows.insert((r.gateway.clone(), r.account.clone(), None), r);
            });
            h.wait(1).await;
            h.said();
            h.line(&format!("{n} w")).await;
            assert_eq!(h.said(), ["That row is gone."]);
            h
        },
    )
    .await;
    assert_eq!(h.sent, ["quit"]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_input_quits_and_a_deaf_reader_ends_at_once() {
    let (ended, h) = with(
        |_| {},
        |mut h| async {
            h.typed = None;
            h
        },
    )
    .await;
    assert_eq!((ended.exit, h.sent.as_slice()), (Exit::Quit, ["quit".to_owned()].as_slice()));
    let (ended, h) = with(
        |_| {},
        |mut h| async {
            let n = h.number("shop-a");
            h.line(&format!("{n} w")).await;
            h.ear.deaf.store(true, Ordering::SeqCst);
            h.typed.as_ref().unwrap().send(Ok(Zeroizing::new("?".to_owned()))).unwrap();
            h.wait(5).await;
            h.typed = None;
            h
        },
    )
    .await;
    assert_eq!(ended.exit, Exit::InputLost);
    assert_eq!(h.sent, ["arm wipe shop-a", "undo 1", "QuitNow"]);
}

#[test]
fn signs_for_eyes_become_words_or_nothing() {
    assert_eq!(super::super::spoken("✗ logged out since 21m · 2026-11-15 · memory"), "logged out since 21m, 2026-11-15, memory");
    assert_eq!(super::super::spoken("Number     +55 11 ···0003"), "Number +55 11 ...0003");
    assert_eq!(super::super::spoken("`p` pair it again."), "p pair it again.");
}
