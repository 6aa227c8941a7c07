//! The timer: idle hours, useful instants, trouble, and a thousand tokens that wake nobody.

use super::platform::{Bench, WECOM, target};
use crate::{
    domain::{Reason, ReasonCode, row::TokenSemantics},
    engine::{World, tokens::timer},
    providers::token::{Ask, Origin, TokenRules, Tokens},
};
use std::{sync::Arc, time::Duration};

const S: fn(u64) -> Duration = Duration::from_secs;

fn watched(world: &Arc<World>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(timer::run(world.clone()))
}

#[tokio::test(start_paused = true)]
async fn after_two_idle_hours_a_token_is_there_and_lives() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    watched(&world);
    tokio::time::sleep(S(2 * 3600 + 300)).await;
    assert_eq!(b.asked(), 2, "one at the start, one when it died");
    let given = world.tokens().obtain(&target(0), Ask::default()).await.unwrap();
    assert_eq!(given.origin, Origin::Cache);
    let left = given.held.expires.left(&world.time().now());
    assert!(left > S(6800), "{left:?}");
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_gives_the_same_one_until_it_is_dead_is_asked_right_after() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    watched(&world);
    tokio::time::sleep(S(1)).await;
    let first = world.tokens().held(&target(0)).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(S(7203)).await;
    }
    assert_eq!(b.asked(), 11);
    let log = world.store().token_log("corp:app-0", 100).await.unwrap();
    assert!(log.iter().all(|l| l.result.as_str() == "new"), "{log:?}");
    assert_eq!(log.iter().filter(|l| l.cause.as_str() == "due").count(), 10);
    let after = log[9].at.0 - first.expires.wall.0;
    assert!((0..=2500).contains(&after), "{after} ms after its death");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_overlaps_is_asked_while_the_old_one_lives() {
    let b = Bench::new(TokenRules { semantics: TokenSemantics::SameThenOverlap, overlap: S(300), ..WECOM });
    let world = b.process().await;
    watched(&world);
    let mut shortest = S(9999);
    for _ in 0..5 * 720 {
        tokio::time::sleep(S(10)).await;
        let held = world.tokens().held(&target(0)).await.unwrap();
        shortest = shortest.min(held.expires.left(&world.time().now()));
    }
    assert!(shortest > S(200), "a token with {shortest:?} left was the newest");
    assert!((5..=7).contains(&b.asked()), "{}", b.asked());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_tried_again_soon_then_later_and_ends_well() {
    let b = Bench::new(WECOM);
    b.far.lock().unwrap().errors = vec![Reason::new(ReasonCode::PlatformUnavailable), Reason::new(ReasonCode::Unreachable)];
    let world = b.process().await;
    watched(&world);
    tokio::time::sleep(S(30)).await;
    assert_eq!(b.asked(), 3);
    assert!(world.tokens().held(&target(0)).await.is_some());
    // For an hour.
    b.fail(ReasonCode::Unreachable);
    tokio::time::sleep(S(7200 + 3600)).await;
    assert!((50..150).contains(&b.asked()), "{}", b.asked());
    b.far.lock().unwrap().always = None;
    tokio::time::sleep(S(62)).await;
    assert_eq!(world.tokens().obtain(&target(0), Ask::default()).await.unwrap().origin, Origin::Cache);
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_is_not_tried_by_the_timer_until_another_process_puts_one_in() {
    let b = Bench::new(WECOM);
    b.fail(ReasonCode::CredentialRefused);
    let (world, other) = (b.process().await, b.process().await);
    watched(&world);
    tokio::time::sleep(S(24 * 3600)).await;
    assert_eq!(b.asked(), 1);
    b.far.lock().unwrap().always = None;
    other.tokens().put_secret(&target(0), "secret", crate::domain::Secret::new("another-secret-0123456789".into())).await.unwrap();
    tokio::time::sleep(S(400)).await;
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_another_process_fetched_is_not_fetched_again() {
    let b = Bench::new(WECOM);
    let (world, other) = (b.process().await, b.process().await);
    watched(&world);
    tokio::time::sleep(S(7190)).await;
    assert_eq!(b.asked(), 1);
    tokio::time::sleep(Duration::from_millis(9_800)).await;
    let _ = other.tokens().obtain(&target(0), Ask::default()).await;
    let asked = b.asked();
    tokio::time::sleep(S(7000)).await;
    assert!(asked <= 2 && b.asked() == 2, "{asked} then {}", b.asked());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_finds_out_when_it_wakes() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    watched(&world);
    tokio::time::sleep(S(60)).await;
    b.time.sleep(S(3 * 3600));
    // The kernel tells of a resume.
    world.gate().was_set();
    tokio::time::sleep(S(5)).await;
    assert_eq!(b.asked(), 2);
    assert_eq!(world.tokens().obtain(&target(0), Ask::default()).await.unwrap().origin, Origin::Cache);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tokens_are_fetched_once_each_and_then_nothing_happens_until_one_dies() {
    let mut b = Bench::new(WECOM);
    b.accounts = 1000;
    b.far.lock().unwrap().takes = Duration::from_millis(5);
    let world = b.process().await;
    watched(&world);
    tokio::time::sleep(S(60)).await;
    assert_eq!(b.asked(), 1000);
    let sleeps = || tokio::runtime::Handle::current().metrics().worker_park_count(0);
    let before = sleeps();
    tokio::time::sleep(S(7000)).await;
    assert_eq!(b.asked(), 1000);
    let woken = sleeps() - before;
    assert!(woken <= 100, "woken {woken} times for nothing in {} s", 7000);
}
