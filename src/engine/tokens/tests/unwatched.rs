//! Hosts where nothing watches: they hear no news, so they look before they hand out what lies there.

use super::{
    asking::code,
    hosts::get,
    platform::{Bench, WECOM, target},
    primary::{Primary, host},
};
use crate::{
    domain::{ReasonCode, Secret, row::TokenSemantics},
    engine::tokens::timer,
    providers::token::{Ask, Origin, TokenRules, Tokens},
};
use std::time::Duration;

const CACHED: Ask = Ask {
    rejected: None,
    min_life: Duration::ZERO,
    strict: false,
    cached_only: true,
    renew: None,
    any_clock: false,
    refused_too: false,
    proven: false,
    past_pause: false,
};

#[tokio::test(start_paused = true)]
async fn a_wipe_at_another_host_ends_the_copy_that_lies_here() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    get(&one, Ask::default()).await.unwrap();
    assert_eq!(get(&two, Ask::default()).await.unwrap().origin, Origin::Shared);
    one.world.tokens().forget(&target(0)).await.unwrap();
    assert_eq!(code(get(&two, CACHED).await), ReasonCode::NothingCached, "a wiped token is handed out");
    assert!(two.world.tokens().wiped(&target(0)).await.is_some());
    // Who asks for one ends that.
    tokio::time::sleep(Duration::from_secs(1)).await;
    get(&two, Ask::default()).await.unwrap();
    assert_eq!((b.asked(), get(&one, CACHED).await.is_ok()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_at_another_host_ends_the_copy_that_lies_here() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    get(&one, Ask::default()).await.unwrap();
    get(&two, Ask::default()).await.unwrap();
    one.world.tokens().put_secret(&target(0), "secret", Secret::new("another-secret-0123456789".into())).await.unwrap();
    assert_eq!(code(get(&two, CACHED).await), ReasonCode::NothingCached);
    assert!(two.world.tokens().wiped(&target(0)).await.is_none(), "nobody wiped it");
}

#[tokio::test(start_paused = true)]
async fn what_another_host_got_meanwhile_is_handed_out() {
    let b = Bench::new(TokenRules { semantics: TokenSemantics::Rotating, ..WECOM });
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    let first = get(&one, Ask::default()).await.unwrap();
    get(&two, Ask::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    b.far.lock().unwrap().living = None;
    let new = get(&one, Ask { rejected: Some(first.held.fingerprint), ..Ask::default() }).await.unwrap();
    assert_eq!(get(&two, CACHED).await.unwrap().token, new.token, "a dead token is handed out");
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_data_ends_nothing_and_is_told_what_lies_here() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let one = host(&b, &primary, "one").await;
    let first = get(&one, Ask::default()).await.unwrap();
    primary.lose();
    assert_eq!(get(&one, CACHED).await.unwrap().token, first.token);
    let late = get(&host(&b, &primary, "late").await, Ask::default()).await.unwrap();
    assert_eq!((b.asked(), late.origin, &late.token), (1, Origin::Shared, &first.token));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_costs_no_token_is_told_and_is_left_alone_for_a_moment() {
    for semantics in [TokenSemantics::SameUntilExpiry, TokenSemantics::Rotating] {
        let b = Bench::new(TokenRules { semantics, ..WECOM });
        let primary = Primary::new();
        let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
        let first = get(&two, Ask::default()).await.unwrap();
        primary.set_down(true);
        for _ in 0..3 {
            let given = get(&two, CACHED).await.unwrap();
            assert_eq!((given.token, given.held.trouble.map(|w| w.code)), (first.token.clone(), Some(ReasonCode::SharedDown)));
        }
        assert!(two.world.store().shared_down().await.unwrap().is_some());
        primary.set_down(false);
        tokio::time::sleep(Duration::from_secs(11)).await;
        one.world.tokens().forget(&target(0)).await.unwrap();
        assert_eq!(code(get(&two, CACHED).await), ReasonCode::NothingCached);
        assert!(two.world.store().shared_down().await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_nobody_up_for_longer_than_a_moment() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let one = host(&b, &primary, "one").await;
    get(&one, Ask::default()).await.unwrap();
    primary.hang(true);
    let began = tokio::time::Instant::now();
    let given = get(&one, CACHED).await.unwrap();
    assert!(began.elapsed() <= Duration::from_millis(350), "{:?}", began.elapsed());
    assert_eq!(given.held.trouble.map(|w| w.code), Some(ReasonCode::SharedDown));
}

#[tokio::test(start_paused = true)]
async fn who_may_change_nothing_hands_out_no_wiped_token_and_writes_nothing_down() {
    let mut b = Bench::new(WECOM);
    let primary = Primary::new();
    let one = host(&b, &primary, "one").await;
    let own = b.process().await;
    primary.joins(&own, "own");
    own.tokens().obtain(&target(0), Ask::default()).await.unwrap();
    get(&one, Ask::default()).await.unwrap();
    b.read_only = true;
    let reader = b.process().await;
    primary.joins(&reader, "reader");
    assert!(reader.tokens().obtain(&target(0), CACHED).await.is_ok());
    one.world.tokens().forget(&target(0)).await.unwrap();
    assert_eq!(code(reader.tokens().obtain(&target(0), CACHED).await), ReasonCode::TokenForgotten);
    assert!(reader.tokens().held(&target(0)).await.is_some(), "it was written down");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_hears_the_news_does_not_look() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let one = host(&b, &primary, "one").await;
    let watching = tokio::spawn(timer::run(one.world.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = primary.asked();
    for _ in 0..100 {
        get(&one, Ask::default()).await.unwrap();
    }
    assert_eq!(primary.asked(), before);
    watching.abort();
    let _ = watching.await;
    get(&one, Ask::default()).await.unwrap();
    assert!(primary.asked() > before);
}
