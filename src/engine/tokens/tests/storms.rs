//! What tells of somebody else who holds the same secret, and what does not.

use super::{
    asking::{code, get, many},
    platform::{Bench, WECOM, target},
    primary::{Host, Primary, listening},
};
use crate::{
    domain::{ReasonCode, Secret},
    providers::token::{Ask, Given, Held, RenewWish, Tokens},
    store::tokens::Signs,
};
use std::time::Duration;

const S: fn(u64) -> Duration = Duration::from_secs;

fn evidence(held: &Held) -> Option<(String, String)> {
    let storm = held.storm.as_ref()?;
    let arg = |name: &str| storm.arg(name).unwrap_or_default().to_owned();
    Some((arg("evidence"), arg("n")))
}

#[tokio::test(start_paused = true)]
async fn tokens_that_die_early_are_counted_once_each_and_the_second_one_tells_of_another_holder() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.far.lock().unwrap().living = None;
    let rejected = |g: &Given| Ask { rejected: Some(g.held.fingerprint.clone()), ..Ask::default() };
    many(&world, 20, rejected(&first)).await;
    let second = get(&world, Ask::default()).await.unwrap();
    assert_eq!((second.held.signs.died, evidence(&second.held)), (1, None), "one early death is no storm, however many report it");
    for _ in 0..20 {
        let _ = get(&world, rejected(&second)).await;
    }
    let held = world.tokens().held(&target(0)).await.unwrap();
    assert_eq!(evidence(&held), Some(("died".into(), "2".into())));
    assert!(held.signs.last.is_some());
    // A new secret ends it: nobody else has that one.
    tokio::time::sleep(S(1)).await;
    world.tokens().put_secret(&target(0), "secret", Secret::new("another-secret-0123456789".into())).await.unwrap();
    let renewed = get(&world, Ask::default()).await.unwrap();
    assert_eq!((renewed.held.storm, renewed.held.signs), (None, Signs::default()));
    tokio::time::sleep(S(601)).await;
    assert_eq!(world.tokens().held(&target(0)).await.unwrap().storm, None, "the window is over");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_replaced_at_one_host_ends_the_storm_on_all() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = listening(&b, &primary).await;
    for n in 1..=2 {
        let held = two.world.tokens().held(&target(0)).await.unwrap();
        b.far.lock().unwrap().living = None;
        let _ = get(&two.world, Ask { rejected: Some(held.fingerprint), ..Ask::default() }).await;
        tokio::time::sleep(S(90)).await;
        assert_eq!(two.world.tokens().held(&target(0)).await.unwrap().signs.died, n);
    }
    let storm = async |h: &Host| evidence(&h.world.tokens().held(&target(0)).await.unwrap());
    assert!(storm(&two).await.is_some());
    one.world.tokens().put_secret(&target(0), "secret", Secret::new("another-secret-0123456789".into())).await.unwrap();
    tokio::time::sleep(S(5)).await;
    assert_eq!((storm(&one).await, storm(&two).await), (None, None), "nobody else has the new one");
    // What is seen from then on counts again.
    for _ in 0..2 {
        let held = two.world.tokens().held(&target(0)).await.unwrap();
        b.far.lock().unwrap().living = None;
        let _ = get(&two.world, Ask { rejected: Some(held.fingerprint), ..Ask::default() }).await;
        tokio::time::sleep(S(90)).await;
    }
    assert!(storm(&two).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn another_token_in_the_middle_of_a_life_is_a_sign_and_one_after_its_end_or_after_a_refusal_is_none() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let again = Ask { renew: Some(RenewWish::Again), ..Ask::default() };
    let signs = async || world.tokens().held(&target(0)).await.unwrap().signs;
    get(&world, Ask::default()).await.unwrap();
    get(&world, again.clone()).await.unwrap();
    assert_eq!(signs().await, Signs::default(), "the same one is no sign");
    tokio::time::sleep(S(7300)).await;
    get(&world, Ask::default()).await.unwrap();
    assert_eq!(signs().await.changed, 0, "its time was over");
    for n in 1..=2 {
        b.far.lock().unwrap().living = None;
        tokio::time::sleep(S(60)).await;
        get(&world, again.clone()).await.unwrap();
        assert_eq!(signs().await.changed, n);
    }
    let held = world.tokens().held(&target(0)).await.unwrap();
    assert_eq!(evidence(&held), Some(("changed".into(), "2".into())));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_few_requests_of_ours_cannot_have_reached_tells_of_others_also_without_a_token() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    b.fail(ReasonCode::RateLimited);
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::RateLimited);
    let storm = world.tokens().storm(&target(0)).await.unwrap();
    let text = crate::i18n::reason::sentence(&storm, crate::i18n::Lang::En);
    assert_eq!((storm.code, text.contains("fetches from here in 10 min: 1.")), (ReasonCode::TokenStorm, true), "{text}");
}
