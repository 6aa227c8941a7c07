//! Asking: one request for many, errors shared, lives that are not lengthened, loops that end.

use super::platform::{Bench, WECOM, target};
use crate::{
    domain::{Reason, ReasonCode, Secret, row::TokenSemantics},
    engine::World,
    providers::token::{Ask, Became, Given, Origin, Renew, RenewWish, Rotate, TokenRules, Tokens},
};
use std::{sync::Arc, time::Duration};

const S: fn(u64) -> Duration = Duration::from_secs;

pub(super) async fn get(world: &Arc<World>, ask: Ask) -> Result<Given, Reason> {
    world.tokens().obtain(&target(0), ask).await
}

pub(super) fn code(r: Result<Given, Reason>) -> ReasonCode {
    r.map(|g| g.held.fingerprint.to_string()).unwrap_err().code
}

pub(super) async fn many(world: &Arc<World>, n: usize, ask: Ask) -> Vec<Result<Given, Reason>> {
    let mut tasks = Vec::new();
    for _ in 0..n {
        let (world, ask) = (world.clone(), ask.clone());
        tasks.push(tokio::spawn(async move { get(&world, ask).await }));
    }
    let mut out = Vec::new();
    for t in tasks {
        out.push(t.await.unwrap());
    }
    out
}

#[tokio::test(start_paused = true)]
async fn fifty_askers_of_one_process_cause_one_request() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let got = many(&world, 50, Ask::default()).await;
    assert_eq!(b.asked(), 1);
    let first = got[0].as_ref().unwrap().held.fingerprint.clone();
    assert!(got.iter().all(|g| g.as_ref().unwrap().held.fingerprint == first));
    assert_eq!(got.iter().filter(|g| g.as_ref().unwrap().origin == Origin::Fetched).count(), 1);
    assert_eq!(get(&world, Ask::default()).await.unwrap().origin, Origin::Cache);
}

// In real time: a thread that is blocked on the host's lock would stop virtual time.
#[tokio::test]
async fn two_processes_of_one_home_cause_one_request() {
    let b = Bench::new(WECOM);
    let (one, two) = (b.process().await, b.process().await);
    let (x, y) = tokio::join!(get(&one, Ask::default()), get(&two, Ask::default()));
    assert_eq!(b.asked(), 1);
    let (x, y) = (x.unwrap(), y.unwrap());
    assert_eq!(x.token, y.token);
    let mut origins = [x.origin.name(), y.origin.name()];
    origins.sort_unstable();
    assert_eq!(origins, ["fetched", "shared"]);
}

#[tokio::test]
async fn a_failing_request_asked_by_fifty_is_one_attempt_and_fifty_clear_errors() {
    let b = Bench::new(WECOM);
    b.fail(ReasonCode::Unreachable);
    let (one, two) = (b.process().await, b.process().await);
    let (x, y) = tokio::join!(many(&one, 25, Ask::default()), many(&two, 25, Ask::default()));
    assert_eq!(b.asked(), 1);
    assert!(x.into_iter().chain(y).all(|r| code(r) == ReasonCode::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn who_comes_a_moment_after_a_failure_is_told_the_same_and_who_comes_later_tries() {
    let b = Bench::new(WECOM);
    b.fail(ReasonCode::Unreachable);
    let world = b.process().await;
    for wait in [0, 0, 2] {
        tokio::time::sleep(S(wait)).await;
        assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::Unreachable);
    }
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn asking_again_never_lengthens_a_life() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    tokio::time::sleep(S(3600)).await;
    let again = Ask { renew: Some(RenewWish::Again), ..Ask::default() };
    let second = get(&world, again).await.unwrap();
    assert_eq!(b.asked(), 2);
    assert_eq!(second.became, Some(Became::Unchanged));
    assert_eq!(second.held.expires, first.held.expires, "7200 s were said again of a token that is half dead");
    // A platform that says what remains gives the same instant.
    b.far.lock().unwrap().full_again = false;
    let third = get(&world, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await.unwrap();
    assert!(third.held.expires.wall.0.abs_diff(first.held.expires.wall.0) < 2000);
    // And latency does not count as life either.
    assert!(first.held.expires.wall.0 <= first.held.issued.wall.0 + 7_200_000);
}

#[tokio::test(start_paused = true)]
async fn a_restart_within_the_life_asks_nobody_and_keeps_the_end() {
    let b = Bench::new(WECOM);
    let first = get(&b.process().await, Ask::default()).await.unwrap();
    tokio::time::sleep(S(1000)).await;
    let later = get(&b.process().await, Ask::default()).await.unwrap();
    assert_eq!((b.asked(), later.held.expires), (1, first.held.expires));
    assert_eq!(later.token, first.token);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_and_a_loop_ends() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    // The platform revoked it early.
    b.far.lock().unwrap().living = None;
    let rejected = |g: &Given| Ask { rejected: Some(g.held.fingerprint.clone()), ..Ask::default() };
    let got = many(&world, 20, rejected(&first)).await;
    assert_eq!(b.asked(), 2, "twenty clients saw the same refusal");
    let second = got.into_iter().next().unwrap().unwrap();
    assert_ne!(second.held.fingerprint, first.held.fingerprint);
    // Who still reports the old one gets the new one without a request.
    assert_eq!(get(&world, rejected(&first)).await.unwrap().held.fingerprint, second.held.fingerprint);
    for _ in 0..488 {
        assert_eq!(code(get(&world, rejected(&second)).await), ReasonCode::TokenRejectedAgain);
    }
    assert_eq!(b.asked(), 2, "the loop asked the platform");
    // Others are not given what was refused twice, and nothing is asked for them.
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::TokenRejectedAgain);
    let stored = Ask { cached_only: true, ..Ask::default() };
    assert_eq!(code(get(&world, stored.clone()).await), ReasonCode::TokenRejectedAgain);
    assert_eq!(b.asked(), 2);
    // It can still be shown and tried; and after a while the platform's word is asked for again.
    assert_eq!(get(&world, Ask { refused_too: true, ..stored }).await.unwrap().held.fingerprint, second.held.fingerprint);
    tokio::time::sleep(S(601)).await;
    b.far.lock().unwrap().living = None;
    let third = get(&world, Ask::default()).await.unwrap();
    assert_eq!((third.held.rejected, b.asked()), (false, 3));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_given_while_the_platform_cannot_be_asked_for_another() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.fail(ReasonCode::RateLimited);
    let ask = Ask { rejected: Some(first.held.fingerprint.clone()), ..Ask::default() };
    assert_eq!(code(get(&world, ask).await), ReasonCode::RateLimited);
    for _ in 0..5 {
        assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::RateLimited);
    }
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_that_the_platform_gives_again_is_not_fetched_over_and_over() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    let ask = Ask { rejected: Some(first.held.fingerprint.clone()), ..Ask::default() };
    let same = get(&world, ask.clone()).await.unwrap();
    assert_eq!((same.became, same.held.rejected), (Some(Became::Unchanged), true));
    for _ in 0..100 {
        assert_eq!(code(get(&world, ask.clone()).await), ReasonCode::TokenRejectedAgain);
    }
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::TokenRejectedAgain);
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_asks_to_slow_down_is_left_alone_longer_each_time_and_the_cached_one_is_served() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    b.fail(ReasonCode::RateLimited);
    let ask = Ask { rejected: Some(first.held.fingerprint.clone()), ..Ask::default() };
    for _ in 0..720 {
        let _ = get(&world, ask.clone()).await;
        tokio::time::sleep(S(10)).await;
    }
    assert!((6..=9).contains(&b.asked()), "{} requests in two hours", b.asked());
    assert_eq!(code(get(&world, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await), ReasonCode::RateLimited);
    // A fresh token served all the while.
    let b = Bench::new(WECOM);
    let world = b.process().await;
    get(&world, Ask::default()).await.unwrap();
    b.fail(ReasonCode::RateLimited);
    assert_eq!(code(get(&world, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await), ReasonCode::RateLimited);
    let served = get(&world, Ask::default()).await.unwrap();
    assert_eq!(served.origin, Origin::Cache);
    assert_eq!(served.held.trouble.map(|r| r.code), Some(ReasonCode::RateLimited));
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_is_not_tried_again_until_it_changes() {
    let b = Bench::new(WECOM);
    b.fail(ReasonCode::CredentialRefused);
    let world = b.process().await;
    for _ in 0..50 {
        assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::CredentialRefused);
        tokio::time::sleep(S(600)).await;
    }
    assert_eq!(b.asked(), 1);
    b.far.lock().unwrap().always = None;
    world.tokens().put_secret(&target(0), "secret", Secret::new("another-secret-0123456789".into())).await.unwrap();
    get(&world, Ask::default()).await.unwrap();
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_another_process_put_in_is_used_at_once() {
    let b = Bench::new(WECOM);
    b.fail(ReasonCode::CredentialRefused);
    let (one, two) = (b.process().await, b.process().await);
    let _ = get(&one, Ask::default()).await;
    b.far.lock().unwrap().always = None;
    two.tokens().put_secret(&target(0), "secret", Secret::new("another-secret-0123456789".into())).await.unwrap();
    get(&one, Ask::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_life_that_was_demanded_is_best_effort_unless_strict() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    get(&world, Ask::default()).await.unwrap();
    tokio::time::sleep(S(7100)).await;
    let ask = Ask { min_life: S(600), ..Ask::default() };
    assert_eq!(get(&world, ask.clone()).await.unwrap().origin, Origin::Cache, "asking again would give the same");
    assert_eq!(code(get(&world, Ask { strict: true, ..ask }).await), ReasonCode::LifeTooShort);
    assert_eq!(b.asked(), 1);
    tokio::time::sleep(S(101)).await;
    assert_eq!(code(get(&world, Ask { cached_only: true, ..Ask::default() }).await), ReasonCode::NothingCached);
    get(&world, Ask::default()).await.unwrap();
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn platforms_that_overlap_give_a_longer_one_inside_their_window_only() {
    let b = Bench::new(TokenRules { semantics: TokenSemantics::SameThenOverlap, overlap: S(300), ..WECOM });
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    tokio::time::sleep(S(6000)).await;
    let ask = Ask { min_life: S(1800), ..Ask::default() };
    assert_eq!(get(&world, ask.clone()).await.unwrap().token, first.token);
    assert_eq!(b.asked(), 1);
    tokio::time::sleep(S(1000)).await;
    assert_ne!(get(&world, ask).await.unwrap().token, first.token);
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_platforms_that_can_are_asked_for_a_forced_renewal_and_within_their_quota() {
    let rotate = || Ask { renew: Some(RenewWish::Rotate), ..Ask::default() };
    let b = Bench::new(WECOM);
    assert_eq!(code(get(&b.process().await, rotate()).await), ReasonCode::RotateByHand);
    assert_eq!(b.asked(), 0);
    let rules =
        TokenRules { semantics: TokenSemantics::SameThenOverlap, overlap: S(300), rotate: Rotate::Api { per_day: Some(3), min_gap: S(30) }, ..WECOM };
    let b = Bench::new(rules);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    let second = get(&world, rotate()).await.unwrap();
    assert_ne!(first.token, second.token);
    let why = get(&world, rotate()).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::QuotaUsed, "sooner than the gap");
    let text = crate::i18n::reason::full(&why, crate::i18n::Lang::En);
    assert!(text.contains("30 s apart") && text.contains("taken in 30 s"), "{text}");
    tokio::time::sleep(S(12)).await;
    let text = crate::i18n::reason::full(&get(&world, rotate()).await.unwrap_err(), crate::i18n::Lang::En);
    assert!(text.contains("taken in 18 s"), "{text}");
    for _ in 0..2 {
        tokio::time::sleep(S(31)).await;
        get(&world, rotate()).await.unwrap();
    }
    tokio::time::sleep(S(31)).await;
    let why = get(&world, rotate()).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::QuotaUsed, "more than a day allows");
    let text = crate::i18n::reason::full(&why, crate::i18n::Lang::En);
    assert!(text.contains("All 3 forced renewals") && text.contains("free in 23 h 58 min"), "{text}");
    assert_eq!(b.far.lock().unwrap().asked.iter().filter(|r| **r == Renew::Forced).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_neither_kills_a_token_nor_keeps_a_dead_one() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    get(&world, Ask::default()).await.unwrap();
    b.time.step_wall(10 * 3_600_000);
    get(&world, Ask::default()).await.unwrap();
    b.time.step_wall(-20 * 3_600_000);
    get(&world, Ask::default()).await.unwrap();
    assert_eq!(b.asked(), 1, "the boot clock tells how old it is");
    tokio::time::sleep(S(7201)).await;
    get(&world, Ask { any_clock: true, ..Ask::default() }).await.unwrap();
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_with_a_blocked_clock_and_what_is_there_is_served() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    get(&world, Ask::default()).await.unwrap();
    // Before the release of this program: blocked without any sample.
    b.time.step_wall(-20 * 365 * 86_400_000);
    get(&world, Ask::default()).await.unwrap();
    tokio::time::sleep(S(7201)).await;
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::ClockBlocked);
    assert_eq!(b.asked(), 1);
    get(&world, Ask { any_clock: true, ..Ask::default() }).await.unwrap();
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_leaves_loses_nothing() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let asker = {
        let world = world.clone();
        tokio::spawn(async move { get(&world, Ask::default()).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    asker.abort();
    tokio::time::sleep(S(1)).await;
    assert_eq!(get(&world, Ask::default()).await.unwrap().origin, Origin::Cache);
    assert_eq!(b.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_ends_at_its_deadline_and_the_next_goes_on() {
    let b = Bench::new(WECOM);
    b.far.lock().unwrap().takes = S(3600);
    let world = b.process().await;
    assert_eq!(code(get(&world, Ask::default()).await), ReasonCode::Slow);
    b.far.lock().unwrap().takes = S(0);
    tokio::time::sleep(S(2)).await;
    get(&world, Ask::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn forgetting_leaves_no_token_and_a_generation_that_goes_on() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    world.tokens().forget(&target(0)).await.unwrap();
    assert!(world.tokens().held(&target(0)).await.is_none());
    let second = get(&world, Ask::default()).await.unwrap();
    assert!(second.held.generation > first.held.generation);
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_token_that_the_platform_gives_again_never_lengthens_its_life() {
    let b = Bench::new(WECOM);
    b.far.lock().unwrap().full_again = true;
    let world = b.process().await;
    let first = get(&world, Ask::default()).await.unwrap();
    for _ in 0..2 {
        tokio::time::sleep(S(600)).await;
        world.tokens().forget(&target(0)).await.unwrap();
        let again = get(&world, Ask::default()).await.unwrap();
        assert_eq!((&again.held.fingerprint, again.held.expires.wall), (&first.held.fingerprint, first.held.expires.wall));
    }
    // Another one has a life of its own.
    world.tokens().forget(&target(0)).await.unwrap();
    b.far.lock().unwrap().living = None;
    assert!(get(&world, Ask::default()).await.unwrap().held.expires.wall > first.held.expires.wall);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_corp_is_as_good_as_none() {
    let mut b = Bench::new(WECOM);
    let old = b.process().await;
    let first = get(&old, Ask::default()).await.unwrap();
    b.corp = "ww2".into();
    b.far.lock().unwrap().living = None;
    let new = b.process().await;
    assert!(new.tokens().held(&target(0)).await.is_none(), "another corp's token is shown");
    assert_eq!(code(get(&new, Ask { cached_only: true, ..Ask::default() }).await), ReasonCode::NothingCached);
    let second = get(&new, Ask::default()).await.unwrap();
    assert_ne!(first.token, second.token);
    assert_eq!((b.asked(), get(&new, Ask::default()).await.unwrap().origin), (2, Origin::Cache));
}
