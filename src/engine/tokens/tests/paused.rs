//! A pause that a platform asked for, the one request that an operator may send all the same, and what is told of both.

use super::{
    asking::{code, get, many},
    platform::{Bench, WECOM, target},
    primary::{Primary, listening},
};
use crate::{
    domain::ReasonCode,
    engine::{World, mailbox::TokenTale},
    providers::token::{Ask, RenewWish, Tokens},
    store::tokens::SignKind,
};
use std::{sync::Arc, time::Duration};

const S: fn(u64) -> Duration = Duration::from_secs;

fn again() -> Ask {
    Ask { renew: Some(RenewWish::Again), ..Ask::default() }
}

fn past() -> Ask {
    Ask { past_pause: true, ..again() }
}

async fn tale(world: &Arc<World>) -> TokenTale {
    world.tokens().tale(&target(0)).await.unwrap()
}

async fn left(world: &Arc<World>) -> Option<u64> {
    let hold = world.tokens().paused(&target(0)).await?;
    Some(hold.until.unwrap().left(&world.time().now()).as_secs())
}

#[tokio::test(start_paused = true)]
async fn one_request_goes_past_a_pause_and_a_refusal_of_it_lengthens_the_pause() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    b.fail(ReasonCode::RateLimited);
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::RateLimited);
    assert_eq!((b.asked(), left(&world).await), (1, Some(60)));
    // Neither a client nor a plain order of an operator gets through.
    for ask in [Ask::default(), again()] {
        assert_eq!(code(get(&world, ask).await), ReasonCode::RateLimited);
    }
    assert_eq!(b.asked(), 1);
    assert_eq!(code(get(&world, past()).await), ReasonCode::RateLimited);
    assert_eq!((b.asked(), left(&world).await), (2, Some(120)), "one request, and the pause stands again, longer");
    for ask in [Ask::default(), again()] {
        assert_eq!(code(get(&world, ask).await), ReasonCode::RateLimited);
    }
    assert_eq!(b.asked(), 2);
    // Many at once are one.
    for answer in many(&world, 20, past()).await {
        assert_eq!(code(answer), ReasonCode::RateLimited);
    }
    assert_eq!((b.asked(), left(&world).await), (3, Some(240)));
}

#[tokio::test(start_paused = true)]
async fn a_request_past_a_pause_that_is_answered_ends_the_pause() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    b.fail(ReasonCode::RateLimited);
    assert!(get(&world, Ask::default()).await.is_err());
    b.far.lock().unwrap().always = None;
    get(&world, past()).await.unwrap();
    assert_eq!((b.asked(), left(&world).await), (2, None));
    get(&world, again()).await.unwrap();
    assert_eq!(b.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_told_until_its_end_one_for_a_secret_until_that_changes_and_a_wipe_is_none() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    assert_eq!(left(&world).await, None);
    b.fail(ReasonCode::RateLimited);
    assert!(get(&world, Ask::default()).await.is_err());
    tokio::time::sleep(S(61)).await;
    assert_eq!(left(&world).await, None);
    assert_eq!(tale(&world).await.hold, None);
    b.fail(ReasonCode::CredentialRefused);
    assert!(get(&world, Ask::default()).await.is_err());
    tokio::time::sleep(S(86_400)).await;
    assert_eq!(tale(&world).await.hold.unwrap().until, None);
    world.tokens().forget(&target(0)).await.unwrap();
    assert_eq!(tale(&world).await.hold, None, "what somebody wiped may be asked for");
}

#[tokio::test(start_paused = true)]
async fn the_tale_adds_up_to_what_is_counted_at_the_instants_at_which_it_was() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let began = world.time().now().wall.0;
    let first = get(&world, Ask::default()).await.unwrap();
    assert_eq!((tale(&world).await.here, tale(&world).await.shared, tale(&world).await.recent.sent.len()), (true, None, 1));
    for _ in 0..2 {
        tokio::time::sleep(S(120)).await;
        b.far.lock().unwrap().living = None;
        let held = world.tokens().held(&target(0)).await.unwrap();
        let _ = get(&world, Ask { rejected: Some(held.fingerprint), ..Ask::default() }).await;
    }
    let held = world.tokens().held(&target(0)).await.unwrap();
    let told = tale(&world).await;
    assert_ne!(held.fingerprint, first.held.fingerprint);
    assert_eq!((told.recent.sent.len(), held.fetches), (2, 2));
    assert_eq!((told.recent.seen.len(), held.signs.died), (2, 2));
    assert_eq!((told.storm.is_some(), held.storm.is_some()), (true, true));
    let since = |at: i64| (at - began) / 60_000;
    assert_eq!(told.recent.sent.iter().map(|at| since(at.0)).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(told.recent.seen.iter().map(|(at, k)| (since(at.0), *k)).collect::<Vec<_>>(), [(2, SignKind::Died), (4, SignKind::Died)]);
    // The newest is first; what was not sent is listed and not counted.
    let results: Vec<_> = told.lines.iter().map(|l| l.result.as_str().to_owned()).collect();
    assert_eq!(results, ["stopped", "new", "new"]);
    // A new secret: nothing of before counts, and the history stays.
    world.tokens().put_secret(&target(0), "secret", crate::domain::Secret::new("another-secret-0123456789".into())).await.unwrap();
    let told = tale(&world).await;
    assert_eq!((told.recent.sent.len() + told.recent.seen.len(), told.lines.len(), told.here), (0, 3, false));
    tokio::time::sleep(S(601)).await;
    get(&world, Ask::default()).await.unwrap();
    assert_eq!(tale(&world).await.recent.sent.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_copies_are_those_that_a_wipe_takes_away_here_and_in_the_shared_store() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    for host in [&one, &two] {
        let told = tale(&host.world).await;
        assert_eq!((told.here, told.shared), (true, Some(Ok(true))));
    }
    // What another host fetched is no fetch from here.
    assert_eq!(tale(&one.world).await.recent.sent.len() + tale(&two.world).await.recent.sent.len(), 1);
    one.world.tokens().forget(&target(0)).await.unwrap();
    tokio::time::sleep(S(5)).await;
    for host in [&one, &two] {
        let told = tale(&host.world).await;
        assert_eq!((told.here, told.shared), (false, Some(Ok(false))));
    }
}
