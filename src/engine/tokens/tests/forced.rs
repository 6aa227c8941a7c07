//! Demands for another token, and limits: what was sent counts, and who asks is told how long to wait.

use super::{
    asking::get,
    platform::{Bench, WECOM, target},
};
use crate::{
    domain::{Reason, ReasonCode, row::TokenSemantics},
    providers::token::{Ask, Renew, RenewWish, Rotate, TokenRules, Tokens},
};
use std::time::Duration;

const S: fn(u64) -> Duration = Duration::from_secs;

#[tokio::test(start_paused = true)]
async fn forced_renewals_without_an_answer_count_and_those_that_were_refused_do_not() {
    let rotate = Rotate::Api { per_day: Some(4), min_gap: S(30) };
    let b = Bench::new(TokenRules { semantics: TokenSemantics::SameThenOverlap, overlap: S(300), rotate, ..WECOM });
    let world = b.process().await;
    let demand = async || get(&world, Ask { renew: Some(RenewWish::Rotate), ..Ask::default() }).await;
    get(&world, Ask::default()).await.unwrap();
    for why in [Reason::new(ReasonCode::AddressNotTrusted), Reason::new(ReasonCode::Unreachable).raw("connection refused")] {
        b.far.lock().unwrap().errors = vec![why.clone()];
        assert_eq!(demand().await.unwrap_err().code, why.code);
    }
    for why in [Reason::new(ReasonCode::Slow), Reason::new(ReasonCode::Unreachable).raw("connection reset"), Reason::new(ReasonCode::Unintelligible)]
    {
        b.far.lock().unwrap().errors = vec![why.clone()];
        assert_eq!(demand().await.unwrap_err().code, why.code);
        assert_eq!(demand().await.unwrap_err().arg("evidence"), Some("gap"), "{why:?}");
        tokio::time::sleep(S(31)).await;
    }
    demand().await.unwrap();
    assert_eq!(demand().await.unwrap_err().arg("evidence"), Some("day"));
    assert_eq!(b.far.lock().unwrap().asked.iter().filter(|r| **r == Renew::Forced).count(), 6);
    // None of these is a client that loops, however many there were.
    let again = Ask { renew: Some(RenewWish::Again), ..Ask::default() };
    for _ in 0..6 {
        get(&world, again.clone()).await.unwrap();
    }
    let held = world.tokens().held(&target(0)).await.unwrap();
    assert_eq!((held.fetches, held.storm), (13, None));
}

#[tokio::test(start_paused = true)]
async fn who_meets_a_limit_is_told_at_once_how_long_nothing_more_is_sent() {
    let b = Bench::new(WECOM);
    let world = b.process().await;
    b.fail(ReasonCode::RateLimited);
    let why = get(&world, Ask { renew: Some(RenewWish::Again), ..Ask::default() }).await.unwrap_err();
    assert_eq!((why.code, why.arg("retry_after")), (ReasonCode::RateLimited, Some("60")));
}
