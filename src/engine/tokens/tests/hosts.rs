//! Several hosts over one shared store.

use super::{
    platform::{Bench, WECOM, target},
    primary::{Handle, Host, Kept, Primary, host},
};
use crate::{
    domain::{Fingerprint, Reason, ReasonCode, Secret, row::TokenSemantics},
    engine::tokens::timer,
    providers::token::{Ask, Given, Origin, RenewWish, TokenRules, Tokens},
    shared::{Shared, SharedToken},
};
use std::time::Duration;
use tokio::time::Instant;

const S: fn(u64) -> Duration = Duration::from_secs;

pub(super) async fn get(h: &Host, ask: Ask) -> Result<Given, Reason> {
    h.world.tokens().obtain(&target(0), ask).await
}

#[tokio::test(start_paused = true)]
async fn sixteen_hosts_that_ask_at_once_cause_one_request() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let mut tasks = Vec::new();
    for n in 0..16 {
        let h = host(&b, &primary, &format!("host-{n}")).await;
        tasks.push(tokio::spawn(async move { get(&h, Ask::default()).await.map(|g| (g.token, g.origin)) }));
    }
    let mut got = Vec::new();
    for t in tasks {
        got.push(t.await.unwrap().unwrap());
    }
    assert_eq!(b.asked(), 1);
    assert!(got.iter().all(|g| g.0 == got[0].0));
    assert_eq!(got.iter().filter(|g| g.1 == Origin::Fetched).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_host_takes_the_token_and_its_life() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    let first = get(&one, Ask::default()).await.unwrap();
    tokio::time::sleep(S(3000)).await;
    let second = get(&two, Ask::default()).await.unwrap();
    assert_eq!((b.asked(), second.origin), (1, Origin::Shared));
    assert!(second.held.expires.wall.0.abs_diff(first.held.expires.wall.0) < 1000);
    // A client of the second host reports the token that both have: one request, and the first host takes it.
    b.far.lock().unwrap().living = None;
    let new = get(&two, Ask { rejected: Some(second.held.fingerprint), ..Ask::default() }).await.unwrap();
    let same = get(&one, Ask { rejected: Some(first.held.fingerprint), ..Ask::default() }).await.unwrap();
    assert_eq!((b.asked(), &new.token), (2, &same.token));
}

#[tokio::test(start_paused = true)]
async fn the_others_wait_for_a_holder_that_died_and_then_go_on() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let dead = Handle { primary: primary.clone(), owner: "dead".into(), key: [0; 32].into() };
    dead.acquire("mint/ww1/1000", S(8)).await.unwrap().unwrap();
    let h = host(&b, &primary, "one").await;
    let began = Instant::now();
    get(&h, Ask::default()).await.unwrap();
    assert!(began.elapsed() >= S(8) && b.asked() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_does_not_end_is_named() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let slow = Handle { primary: primary.clone(), owner: "slow".into(), key: [0; 32].into() };
    slow.acquire("mint/ww1/1000", S(3600)).await.unwrap().unwrap();
    let h = host(&b, &primary, "one").await;
    let why = get(&h, Ask::default()).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::LeaseTimeout);
    assert_eq!(why.arg("holder"), Some("slow"));
    assert_eq!(b.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_stopped_past_its_lease_overwrites_nothing() {
    let b = Bench::new(TokenRules { semantics: TokenSemantics::Rotating, ..WECOM });
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    // The first host's request hangs; its process is stopped for longer than its lease.
    b.far.lock().unwrap().takes = S(9);
    let stopped = tokio::spawn(async move { get(&one, Ask::default()).await.map(|g| g.token) });
    tokio::time::sleep(S(1)).await;
    b.time.sleep(S(60));
    primary.memory.lock().unwrap().leases.clear();
    b.far.lock().unwrap().takes = Duration::ZERO;
    let newer = get(&two, Ask::default()).await.unwrap();
    let late = stopped.await.unwrap().unwrap();
    assert_eq!(late, newer.token, "the late one was handed out");
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_request_died_while_it_was_stopped_takes_what_the_next_one_got_and_so_does_its_next_ask() {
    for semantics in [TokenSemantics::SameUntilExpiry, TokenSemantics::Rotating] {
        let b = Bench::new(TokenRules { semantics, ..WECOM });
        let primary = Primary::new();
        let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
        // No answer comes: what the first host meets when it goes on is its own deadline.
        b.far.lock().unwrap().takes = S(3600);
        let world = one.world.clone();
        let stopped = tokio::spawn(async move { world.tokens().obtain(&target(0), Ask::default()).await });
        tokio::time::sleep(S(1)).await;
        b.time.sleep(S(60));
        primary.memory.lock().unwrap().leases.clear();
        b.far.lock().unwrap().takes = Duration::ZERO;
        let newer = get(&two, Ask::default()).await.unwrap();
        let late = stopped.await.unwrap().unwrap();
        assert_eq!((&late.token, late.origin), (&newer.token, Origin::Shared), "{semantics:?}");
        let next = get(&one, Ask::default()).await.unwrap();
        assert_eq!((&next.token, next.held.trouble), (&newer.token, None), "{semantics:?}");
        assert_eq!(b.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waited_past_its_time_for_a_lease_looks_once_more_before_it_gives_up() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let slow = Handle { primary: primary.clone(), owner: "slow".into(), key: [0; 32].into() };
    let lease = slow.acquire("mint/ww1/1000", S(3600)).await.unwrap().unwrap();
    let h = host(&b, &primary, "one").await;
    let waiting = tokio::spawn(async move { get(&h, Ask::default()).await.map(|g| (g.token, g.origin)) });
    tokio::time::sleep(S(14)).await;
    // Stopped here, and resumed when both its time is over and the token lies there.
    let token = Secret::new("TOKEN-of-the-slow-one-0123456789".into());
    let (fingerprint, by) = (Fingerprint::of(&[0; 32], &token), "slow".into());
    let (left, age) = (S(7000), S(1));
    let offer = SharedToken { token: token.clone(), fingerprint, generation: lease.fence, left, age, by, renewed: false, good: None };
    {
        let mut m = primary.memory.lock().unwrap();
        m.tokens.insert("mint/ww1/1000".into(), Kept::of(&offer));
    }
    tokio::time::advance(S(30)).await;
    assert_eq!(waiting.await.unwrap().unwrap(), (token, Origin::Shared));
    assert_eq!(b.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_stands_against_asking_from_one_host_hides_no_token_that_another_one_got() {
    for code in [ReasonCode::AddressNotTrusted, ReasonCode::CredentialRefused, ReasonCode::RateLimited, ReasonCode::Slow] {
        let b = Bench::new(WECOM);
        let primary = Primary::new();
        let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
        b.far.lock().unwrap().errors = vec![Reason::new(code)];
        assert_eq!(get(&one, Ask::default()).await.unwrap_err().code, code);
        assert_eq!(get(&one, Ask::default()).await.unwrap_err().code, code, "it is held back, and nobody has one");
        let theirs = get(&two, Ask::default()).await.unwrap();
        let given = get(&one, Ask::default()).await.unwrap();
        assert_eq!((&given.token, given.origin, b.asked()), (&theirs.token, Origin::Shared, 2), "{code:?}");
        // The one that was refused is none for who reports it.
        b.far.lock().unwrap().errors = vec![Reason::new(code)];
        let mine = Ask { rejected: Some(given.held.fingerprint), ..Ask::default() };
        for _ in 0..3 {
            assert_eq!(get(&one, mine.clone()).await.unwrap_err().code, code);
        }
        assert_eq!(b.asked(), 3, "{code:?}");
        // An order to fetch is not answered with what lies elsewhere.
        if code == ReasonCode::RateLimited {
            let again = Ask { renew: Some(RenewWish::Again), ..Ask::default() };
            assert_eq!(get(&one, again).await.unwrap_err().code, code);
        }
        assert_eq!(b.asked(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_store_a_host_goes_on_where_that_is_harmless_and_says_so() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    primary.set_down(true);
    let h = host(&b, &primary, "one").await;
    let given = get(&h, Ask::default()).await.unwrap();
    assert_eq!(given.origin, Origin::Fetched);
    assert_eq!(given.held.trouble.map(|r| r.code), Some(ReasonCode::SharedDown));
    // For ten seconds nobody asks it again; then it is used again.
    primary.set_down(false);
    tokio::time::sleep(S(7300)).await;
    get(&h, Ask::default()).await.unwrap();
    assert!(h.world.store().shared_down().await.unwrap().is_none());
    assert_eq!(primary.memory.lock().unwrap().tokens.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_store_nothing_is_fetched_where_hosts_would_end_each_others_tokens() {
    let b = Bench::new(TokenRules { semantics: TokenSemantics::Rotating, ..WECOM });
    let primary = Primary::new();
    let h = host(&b, &primary, "one").await;
    let first = get(&h, Ask::default()).await.unwrap();
    primary.set_down(true);
    assert_eq!(get(&h, Ask::default()).await.unwrap().token, first.token);
    tokio::time::sleep(S(7300)).await;
    assert_eq!(get(&h, Ask::default()).await.unwrap_err().code, ReasonCode::SharedDown);
    assert_eq!(b.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn decks_learn_of_a_new_token_and_of_a_wipe_at_once() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let (one, two) = (host(&b, &primary, "one").await, host(&b, &primary, "two").await);
    tokio::spawn(timer::run(two.world.clone()));
    tokio::time::sleep(S(2)).await;
    assert_eq!(b.asked(), 1);
    b.far.lock().unwrap().living = None;
    let held = get(&one, Ask::default()).await.unwrap().held;
    let new = get(&one, Ask { rejected: Some(held.fingerprint), ..Ask::default() }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let there = get(&two, Ask { cached_only: true, ..Ask::default() }).await.unwrap();
    assert_eq!(there.token, new.token);
    one.world.tokens().forget(&target(0)).await.unwrap();
    assert_eq!(primary.memory.lock().unwrap().forgotten, 1);
    assert_eq!(b.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_refusals_on_many_hosts_costs_one_request_in_ten_minutes_in_all() {
    // Whether the platform gives the refused one again or another each time.
    for revokes in [false, true] {
        let b = Bench::new(WECOM);
        let primary = Primary::new();
        let mut hosts = Vec::new();
        for n in 0..5 {
            hosts.push(host(&b, &primary, &format!("host-{n}")).await);
        }
        let mut held = Vec::new();
        for h in &hosts {
            held.push(get(h, Ask::default()).await.unwrap().held.fingerprint);
        }
        assert_eq!(b.asked(), 1);
        for round in 0..40 {
            for (h, fp) in hosts.iter().zip(&mut held) {
                if revokes {
                    b.far.lock().unwrap().living = None;
                }
                match get(h, Ask { rejected: Some(fp.clone()), ..Ask::default() }).await {
                    Ok(given) => *fp = given.held.fingerprint,
                    Err(why) => assert_eq!(why.code, ReasonCode::TokenRejectedAgain, "revokes {revokes}, round {round}"),
                }
            }
            tokio::time::sleep(S(10)).await;
        }
        assert_eq!(b.asked(), 2, "revokes {revokes}: one for nothing cached, one for all the refusals");
        // After ten minutes one more may be worth it.
        tokio::time::sleep(S(400)).await;
        for (h, fp) in hosts.iter().zip(&mut held) {
            let _ = get(h, Ask { rejected: Some(fp.clone()), ..Ask::default() }).await.map(|g| *fp = g.held.fingerprint);
        }
        assert_eq!(b.asked(), 3, "revokes {revokes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_called_the_same_on_every_host_whatever_it_was_called_before_they_shared_it() {
    let b = Bench::new(WECOM);
    let primary = Primary::new();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, two) = (b.host(&homes[0]).await, b.host(&homes[1]).await);
    let (mut prints, ask) = (Vec::new(), |w: &std::sync::Arc<crate::engine::World>, ask: Ask| {
        let w = w.clone();
        async move { w.tokens().obtain(&target(0), ask).await }
    });
    for world in [&one, &two] {
        prints.push(ask(world, Ask::default()).await.unwrap().held.fingerprint);
    }
    assert_ne!(prints[0], prints[1], "each by itself");
    primary.joins(&one, "one");
    primary.joins(&two, "two");
    for (n, world) in [&one, &two].into_iter().enumerate() {
        prints[n] = ask(world, Ask::default()).await.unwrap().held.fingerprint;
    }
    assert_eq!((&prints[0], b.asked()), (&prints[1], 2));
    // What a client of the one read, a client of the other may report; a host that comes later goes by the same.
    b.far.lock().unwrap().living = None;
    let new = ask(&two, Ask { rejected: Some(prints[0].clone()), ..Ask::default() }).await.unwrap();
    let late = host(&b, &primary, "late").await;
    assert_eq!((get(&late, Ask::default()).await.unwrap().held.fingerprint, b.asked()), (new.held.fingerprint.clone(), 3));
    assert_eq!(ask(&one, Ask::default()).await.unwrap().held.fingerprint, new.held.fingerprint);
    // A store that lost everything gets the same name again from whoever comes first.
    primary.lose();
    assert_eq!(ask(&one, Ask::default()).await.unwrap().held.fingerprint, new.held.fingerprint);
}
