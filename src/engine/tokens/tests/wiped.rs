//! What was wiped stays away, everywhere, until somebody asks; and asking never gives an old token a new life.

use super::{
    hosts::get,
    platform::{Bench, WECOM, target},
    primary::{Primary, host, listening},
};
use crate::{
    domain::ReasonCode,
    engine::{World, tokens::timer},
    providers::token::{Ask, Tokens},
};
use std::{sync::Arc, time::Duration};

const S: fn(u64) -> Duration = Duration::from_secs;

async fn is_wiped(world: &Arc<World>) -> bool {
    world.tokens().held(&target(0)).await.is_none() && world.tokens().wiped(&target(0)).await.is_some()
}

#[tokio::test(start_paused = true)]
async fn what_was_wiped_is_fetched_by_nobody_until_somebody_asks_and_then_kept_alive_again() {
    let b = Bench::new(WECOM);
    let (watching, other) = (b.process().await, b.process().await);
    tokio::spawn(timer::run(watching.clone()));
    tokio::time::sleep(S(5)).await;
    assert_eq!(b.asked(), 1);
    // By the watching process itself, and by another one of this host that it hears nothing of.
    for by in [&watching, &other] {
        let before = b.asked();
        by.tokens().forget(&target(0)).await.unwrap();
        tokio::time::sleep(S(24 * 3600)).await;
        assert_eq!(b.asked(), before, "the timer brought it back");
        assert!(is_wiped(&watching).await && is_wiped(&other).await);
        // Nor does a clock that moved, or a restart.
        watching.gate().was_set();
        let again = b.process().await;
        let second = tokio::spawn(timer::run(again.clone()));
        tokio::time::sleep(S(3600)).await;
        second.abort();
        assert_eq!(b.asked(), before);
        // `token` does, and from then on it is kept alive.
        other.tokens().obtain(&target(0), Ask::default()).await.unwrap();
        assert!(!is_wiped(&watching).await);
        watching.gate().was_set();
        tokio::time::sleep(S(8000)).await;
        assert_eq!(b.asked(), before + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_is_an_order_to_fetch() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    tokio::spawn(timer::run(world.clone()));
    tokio::time::sleep(S(5)).await;
    world.tokens().forget(&target(0)).await.unwrap();
    world.tokens().put_secret(&target(0), "secret", crate::domain::Secret::new("another-secret-0123456789".into())).await.unwrap();
    tokio::time::sleep(S(5)).await;
    assert_eq!((b.asked(), is_wiped(&world).await), (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_wipe_holds_on_all_hosts_and_the_one_that_asks_ends_it_for_all() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    one.world.tokens().forget(&target(0)).await.unwrap();
    tokio::time::sleep(S(3 * 3600)).await;
    assert_eq!(b.asked(), 1);
    assert!(is_wiped(&one.world).await && is_wiped(&two.world).await);
    // A host that comes later and never heard of it.
    let late = host(&b, &primary, "late").await;
    tokio::spawn(timer::run(late.world.clone()));
    tokio::time::sleep(S(60)).await;
    assert_eq!(b.asked(), 1);
    assert!(is_wiped(&late.world).await);
    get(&two, Ask::default()).await.unwrap();
    tokio::time::sleep(S(5)).await;
    for h in [&one, &two, &late] {
        assert!(h.world.tokens().held(&target(0)).await.is_some());
    }
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_wipe_no_host_takes_the_old_token_for_a_new_one_with_a_longer_life() {
    let b = Bench::new(WECOM);
    b.far.lock().unwrap().full_again = true;
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    let first = get(&one, Ask::default()).await.unwrap();
    tokio::time::sleep(S(3600)).await;
    one.world.tokens().forget(&target(0)).await.unwrap();
    let again = get(&two, Ask::default()).await.unwrap();
    assert_eq!((b.asked(), &again.token), (2, &first.token));
    let longer = again.held.expires.wall.0 - first.held.expires.wall.0;
    assert!(longer.abs() < 1000, "{longer} ms longer for having been wiped elsewhere");
    // And the first one takes it from there, not longer either.
    let back = get(&one, Ask::default()).await.unwrap();
    assert!((back.held.expires.wall.0 - first.held.expires.wall.0).abs() < 1000);
    // Another token has a life of its own.
    two.world.tokens().forget(&target(0)).await.unwrap();
    b.far.lock().unwrap().living = None;
    let new = get(&two, Ask::default()).await.unwrap();
    assert!(new.held.expires.left(&two.world.time().now()) > S(7100));
}

#[tokio::test(start_paused = true)]
async fn a_wipe_while_the_shared_store_is_away_is_carried_out_there_when_it_is_back() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    primary.set_down(true);
    assert_eq!(one.world.tokens().forget(&target(0)).await.unwrap_err().code, ReasonCode::SharedDown);
    tokio::time::sleep(S(60)).await;
    primary.set_down(false);
    primary.back();
    tokio::time::sleep(S(5)).await;
    assert!(is_wiped(&one.world).await, "the old copy came back from there");
    assert!(is_wiped(&two.world).await);
    assert_eq!(b.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_taken_away_leaves_the_others_their_token() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    tokio::spawn(timer::run(two.world.clone()));
    tokio::time::sleep(S(5)).await;
    get(&one, Ask::default()).await.unwrap();
    one.world.tokens().let_go(&target(0)).await.unwrap();
    tokio::time::sleep(S(5)).await;
    assert!(two.world.tokens().held(&target(0)).await.is_some(), "the other one goes on");
    assert!(one.world.tokens().wiped(&target(0)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shared_store_that_lost_its_data_is_told_of_the_wipe_again() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let one = host(&b, &primary, "one").await;
    tokio::spawn(timer::run(one.world.clone()));
    tokio::time::sleep(S(5)).await;
    one.world.tokens().forget(&target(0)).await.unwrap();
    tokio::time::sleep(S(60)).await;
    primary.lose();
    primary.back();
    tokio::time::sleep(S(5)).await;
    let late = host(&b, &primary, "late").await;
    tokio::spawn(timer::run(late.world.clone()));
    tokio::time::sleep(S(60)).await;
    assert_eq!(b.asked(), 1, "a host that never heard of the wipe fetched");
    assert!(is_wiped(&late.world).await);
    // The wipe is as old as it was: whoever asks ends it.
    let at = late.world.tokens().wiped(&target(0)).await.unwrap();
    assert!(at.age(&late.world.time().now()) > S(110));
    get(&late, Ask::default()).await.unwrap();
    tokio::time::sleep(S(5)).await;
    assert!(!is_wiped(&one.world).await);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_saw_a_token_gives_it_no_longer_life_on_the_others() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    let first = get(&one, Ask::default()).await.unwrap();
    // The platform says the whole life again, and nobody remembers but those who hold it.
    for news in [false, true] {
        tokio::time::sleep(S(600)).await;
        primary.lose();
        let fresh = host(&b, &primary, "fresh").await;
        if news {
            fresh.world.tokens().put_secret(&target(0), "secret", crate::domain::Secret::new("another-secret-0123456789".into())).await.unwrap();
            tokio::time::sleep(S(5)).await;
        }
        let again = get(&fresh, Ask::default()).await.unwrap();
        assert_eq!(again.token, first.token);
        tokio::time::sleep(S(5)).await;
        let late = host(&b, &primary, "late").await;
        for h in [&one, &two, &late] {
            let got = get(h, Ask::default()).await.unwrap();
            let longer = got.held.expires.wall.0 - first.held.expires.wall.0;
            assert!(got.token == first.token && longer.abs() < 1500, "{longer} ms longer, news: {news}");
        }
        // One that listens takes the nearer end too.
        tokio::spawn(timer::run(fresh.world.clone()));
    }
}
