//! What one client says of a token: looked into before it counts for the others.

use super::{
    hosts::get as get_at,
    platform::{Bench, WECOM, target},
    primary::{Primary, listening},
};
use crate::{
    domain::{Reason, ReasonCode},
    engine::World,
    providers::token::{Ask, Given, Tokens, Tried},
};
use std::{sync::Arc, time::Duration};

const S: fn(u64) -> Duration = Duration::from_secs;

async fn get(world: &Arc<World>, ask: Ask) -> Result<Given, Reason> {
    world.tokens().obtain(&target(0), ask).await
}

fn refused(g: &Given) -> Ask {
    Ask { rejected: Some(g.held.fingerprint.clone()), ..Ask::default() }
}

fn tried(b: &Bench) -> usize {
    b.far.lock().unwrap().tried
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_not_so_withholds_nothing_fetches_nothing_and_is_tried_once_for_many() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Good;
    // The platform cannot even be asked for a token.
    b.fail(ReasonCode::Unreachable);
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let (world, ask) = (world.clone(), refused(&first));
        tasks.push(tokio::spawn(async move { get(&world, ask).await }));
    }
    for t in tasks {
        assert_eq!(t.await.unwrap().unwrap().token, first.token);
    }
    assert_eq!((tried(&b), b.asked()), (1, 1), "fifty reports are one try and no request");
    let held = world.tokens().held(&target(0)).await.unwrap();
    assert_eq!((held.rejected, held.signs.died), (false, 0), "nobody is accused either");
    assert_eq!(get(&world, Ask::default()).await.unwrap().token, first.token);
    // A loop of it costs one small call in ten seconds.
    for _ in 0..600 {
        assert_eq!(get(&world, refused(&first)).await.unwrap().token, first.token);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(tried(&b) <= 7, "{} tries in a minute", tried(&b));
    assert_eq!(b.asked(), 1);
    let log = world.store().token_log("corp:app-0", 9).await.unwrap();
    assert_eq!((log[0].cause.as_str(), log[0].result.as_str()), ("rejected", "good"), "its history tells of it");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_so_is_acted_on_as_before() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Refused;
    b.far.lock().unwrap().living = None;
    let second = get(&world, refused(&first)).await.unwrap();
    assert_ne!(second.token, first.token);
    for _ in 0..488 {
        assert_eq!(get(&world, refused(&second)).await.unwrap_err().code, ReasonCode::TokenRejectedAgain);
    }
    assert_eq!((b.asked(), tried(&b)), (2, 2), "each token was tried once");
    assert_eq!(get(&world, Ask::default()).await.unwrap_err().code, ReasonCode::TokenRejectedAgain);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_looked_into_counts_for_its_maker_alone() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Unclear(ReasonCode::AddressNotTrusted);
    // The platform gives the same one again; then it is down.
    for down in [false, true] {
        if down {
            b.fail(ReasonCode::Unreachable);
        }
        for _ in 0..20 {
            let _ = get(&world, refused(&first)).await;
            assert_eq!(get(&world, Ask::default()).await.unwrap().token, first.token, "another client goes without, down: {down}");
        }
        assert_eq!(b.asked(), 2, "down: {down}");
    }
    assert!(!world.tokens().held(&target(0)).await.unwrap().rejected);
    assert!(tried(&b) <= 2, "{}", tried(&b));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_found_good_is_given_out_again_on_every_host() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    let first = get_at(&one, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Refused;
    // The platform refuses it for a while and gives the same one again.
    for h in [&one, &two] {
        let held = h.world.tokens().held(&target(0)).await.unwrap().fingerprint;
        for _ in 0..2 {
            let _ = get_at(h, Ask { rejected: Some(held.clone()), ..Ask::default() }).await;
        }
        assert!(h.world.tokens().held(&target(0)).await.unwrap().rejected);
    }
    one.world.tokens().good(&target(0), &first.held.fingerprint).await;
    tokio::time::sleep(S(1)).await;
    for h in [&one, &two] {
        assert!(!h.world.tokens().held(&target(0)).await.unwrap().rejected);
        assert_eq!(get_at(h, Ask::default()).await.unwrap().token, first.token);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_under_an_untrusted_address_names_the_address_and_not_the_secret() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().says = Tried::Unclear(ReasonCode::AddressNotTrusted);
    for wait in [0, 0, 5, 20, 60] {
        tokio::time::sleep(S(wait)).await;
        let why = get(&world, refused(&first)).await.unwrap_err();
        assert_eq!(why.code, ReasonCode::AddressNotTrusted, "after {wait} s");
        let text = crate::i18n::reason::full(&why, crate::i18n::Lang::En);
        assert!(text.contains("60020") && text.contains("still the one"), "{text}");
    }
    assert_eq!(b.asked(), 2, "one look whether there is another one");
    assert_eq!(get(&world, Ask::default()).await.unwrap().token, first.token);
}
