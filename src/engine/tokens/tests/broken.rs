//! Tokens whose rows somebody edited or swapped, and tokens that somebody else was just refused.

use super::{
    asking::{code, get},
    platform::{Bench, WECOM, target},
};
use crate::{
    domain::{ReasonCode, Stamp},
    engine::{World, tokens::suffices},
    i18n::{Lang, reason},
    providers::token::{Ask, Origin, RenewWish, Tokens, Tried},
    store::{
        HistoryQuery,
        tokens::{Sign, SignKind, UNOPENED},
    },
};
use std::{sync::Arc, time::Duration};

const CACHED: Ask = Ask {
    rejected: None,
    proven: false,
    min_life: Duration::ZERO,
    strict: false,
    cached_only: true,
    refused_too: false,
    renew: None,
    any_clock: false,
    past_pause: false,
};

fn db(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.paths.vault_db()).unwrap()
}

fn flip(world: &World, id: &str) {
    let db = db(world);
    let mut blob: Vec<u8> = db.query_row("SELECT blob FROM token WHERE target = ?1", [id], |r| r.get(0)).unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    db.execute("UPDATE token SET blob = ?2 WHERE target = ?1", rusqlite::params![id, blob]).unwrap();
}

async fn two_accounts() -> (Bench, Arc<World>) {
    let mut b = Bench::new(WECOM);
    b.accounts = 2;
    let world = b.process().await;
    for n in 0..2 {
        world.tokens().obtain(&target(n), Ask::default()).await.unwrap();
    }
    (b, world)
}

#[tokio::test(start_paused = true)]
async fn a_token_row_that_was_edited_is_said_and_fetched_anew_and_takes_no_other_down() {
    let (_b, world) = two_accounts().await;
    flip(&world, "corp:app-0");
    assert_eq!(code(get(&world, CACHED).await), ReasonCode::StoreBroken, "as if nothing had been fetched yet");
    let why = world.tokens().broken(&target(0)).await.unwrap();
    assert!(reason::full(&why, Lang::En).contains("token of corp:app-0 does not open"), "{}", reason::full(&why, Lang::En));
    assert_eq!(world.broken_tokens().await, [why], "what doctor names");
    assert!(world.tokens().held(&target(0)).await.is_none());
    assert_eq!(world.tokens().obtain(&target(1), CACHED).await.unwrap().origin, Origin::Cache);
    let anew = get(&world, Ask::default()).await.unwrap();
    assert_eq!(anew.held.trouble.as_ref().and_then(|w| w.arg("evidence")), Some(UNOPENED), "who asked is not told");
    let log = world.store().token_log("corp:app-0", 9).await.unwrap();
    assert_eq!((log[0].cause.as_str(), log[0].result.as_str()), ("broken", "new"));
    let audit = world.store().history(HistoryQuery { audit: true, ..HistoryQuery::default() }).await.unwrap();
    assert!(audit.iter().any(|(_, l)| format!("{l:?}").contains("open token")), "{audit:?}");
    assert_eq!(get(&world, Ask::default()).await.unwrap().held.trouble, None, "it is over");
    assert!(world.broken_tokens().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_token_rows_that_were_swapped_are_both_said() {
    let (_b, world) = two_accounts().await;
    let swap = "CREATE TEMP TABLE t AS SELECT * FROM token;
        UPDATE token SET (gen, key_id, fp, len, blob) = (SELECT gen, key_id, fp, len, blob FROM t WHERE t.target <> token.target)";
    db(&world).execute_batch(swap).unwrap();
    let broken = world.broken_tokens().await;
    assert_eq!(broken.iter().map(|w| w.arg("target").unwrap()).collect::<Vec<_>>(), ["corp:app-0", "corp:app-1"]);
    for n in 0..2 {
        assert!(world.tokens().obtain(&target(n), Ask::default()).await.unwrap().held.trouble.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_does_not_open_keeps_no_other_from_the_key_of_all_hosts_and_has_a_line_of_it() {
    let (_b, world) = two_accounts().await;
    let before = world.tokens().held(&target(1)).await.unwrap().fingerprint;
    flip(&world, "corp:app-0");
    world.store().token_key_adopt([9; 32]).await.unwrap();
    assert_ne!(world.tokens().held(&target(1)).await.unwrap().fingerprint, before);
    let log = world.store().token_log("corp:app-0", 9).await.unwrap();
    assert_eq!((log[0].cause.as_str(), log[0].result.as_str()), ("broken", "stopped"));
}

async fn bot_says(world: &World, kind: SignKind, nr: u64) {
    let now: Stamp = world.time.now();
    world.tokens().saw(&target(0), vec![Sign { kind, by: "desk".into(), nr, at: now.wall }]).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_bot_was_just_refused_is_tried_before_anybody_is_given_it() {
    for kind in [SignKind::Bot, SignKind::Doubt] {
        let b = Bench::new(WECOM);
        let world = b.process().await;
        let first = get(&world, Ask::default()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        bot_says(&world, kind, 1).await;
        b.far.lock().unwrap().says = Tried::Refused;
        b.far.lock().unwrap().living = None;
        let row = world.store().token("corp:app-0").await.unwrap().unwrap();
        assert!(!suffices(&row, &Ask::default(), &WECOM, &world.time.now()), "the quick way hands it out");
        let second = get(&world, Ask::default()).await.unwrap();
        assert_ne!(second.token, first.token, "{kind:?}: a dead token is handed out");
        assert_eq!((b.asked(), second.held.signs.died), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_tried_once_for_many_lines_of_a_bot_and_stays() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Good;
    tokio::time::sleep(Duration::from_secs(60)).await;
    for nr in 1..=40 {
        bot_says(&world, SignKind::Bot, nr).await;
        assert_eq!(get(&world, Ask::default()).await.unwrap().token, first.token);
    }
    let far = b.far.lock().unwrap();
    assert!(far.tried <= 2, "{} tries", far.tried);
    assert_eq!(far.asked.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_found_refused_and_is_then_renewed_by_us_counts_once() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    world.tokens().refused(&target(0), &first.held.fingerprint).await;
    assert!(world.tokens().held(&target(0)).await.unwrap().rejected, "others are still given it");
    b.far.lock().unwrap().living = None;
    let second = get(&world, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await.unwrap();
    let signs = &second.held.signs;
    assert_eq!((signs.died, signs.changed, second.held.storm.is_some()), (1, 0, false));
}
