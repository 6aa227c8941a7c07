//! What a report changes, and what of it is news.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::engine::tokens::tests::platform::{Bench, WECOM, target};

fn row(n: usize, state: State, reason: Option<ReasonCode>) -> Row {
    let at = target(n);
    let link = Link { state, observed_at: Some(Stamp::wall_only(crate::domain::Wall(1))), reason: reason.map(Reason::new), ..Link::unknown() };
    Row { link, ..crate::engine::blank_row(&at) }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_up_is_not_lost_and_what_was_is_told_once() {
    let world = Bench::new(WECOM).process().await;
    let gateway = world.gateways().remove(0);
    let all = |state, why| Report::All { rows: (0..800).map(|n| row(n, state, why)).collect(), complete: true };
    world.take(&gateway, all(State::Unknown, Some(ReasonCode::NeverFetched)));
    world.take(&gateway, all(State::Refused, Some(ReasonCode::CredentialRefused)));
    world.take(&gateway, all(State::Unknown, Some(ReasonCode::RateLimited)));
    world.take(&gateway, all(State::Expired, Some(ReasonCode::TokenExpired)));
    assert!(world.mailbox().take().toasts.is_empty(), "a cold start is told as a loss");
    world.take(&gateway, Report::Part(vec![row(0, State::Ready, None), row(1, State::Ready, None)]));
    // Not known for a while, as after a restart: what it was before counts.
    world.take(&gateway, Report::Part(vec![row(0, State::Unknown, None)]));
    world.take(&gateway, Report::Part(vec![row(0, State::Refused, Some(ReasonCode::AddressNotTrusted))]));
    assert_eq!(world.mailbox().take().toasts.len(), 1);
    world.take(&gateway, Report::Part(vec![row(0, State::Expired, Some(ReasonCode::TokenExpired))]));
    assert!(world.mailbox().take().toasts.is_empty(), "it was told already");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_should_mend_stays_the_reason_of_a_gateway_that_is_online() {
    let world = Bench::new(WECOM).process().await;
    let gateway = world.gateways().remove(0);
    let told = || (gateway.link().state, gateway.link().reason.map(|r| r.code));
    let list = || Report::All { rows: Vec::new(), complete: true };
    let facts = |note: Option<ReasonCode>| Report::Gateway(GatewayFacts { note: note.map(Reason::new), ..GatewayFacts::default() });
    world.take(&gateway, facts(Some(ReasonCode::Unclaimed)));
    world.take(&gateway, list());
    world.take(&gateway, list());
    assert_eq!(told(), (State::Online, Some(ReasonCode::Unclaimed)));
    world.take(&gateway, facts(None));
    assert_eq!(told(), (State::Online, None), "mended");
}

#[tokio::test(start_paused = true)]
async fn of_an_account_that_could_not_be_asked_nothing_is_dropped_and_of_the_others_what_is_gone() {
    let world = Bench::new(WECOM).process().await;
    let gateway = world.gateways().remove(0);
    let device = |n: usize, name: &str| Row { device: Some(RemoteId::new(name)), ..row(n, State::Seen, None) };
    let all =
        vec![row(0, State::Ready, None), device(0, "a"), device(0, "b"), row(1, State::Ready, None), device(1, "c"), row(2, State::Ready, None)];
    world.take(&gateway, Report::All { rows: all, complete: true });
    let rows = vec![row(0, State::Ready, None), device(0, "a"), row(1, State::Unreachable, Some(ReasonCode::Unreachable))];
    world.take(&gateway, Report::AllBut { rows, unasked: vec![target(1).account] });
    let left: Vec<_> = world.rows().iter().map(|r| (r.account == target(1).account, r.device.as_ref().map(|d| d.as_str().to_owned()))).collect();
    let named = |d: &str| Some(d.to_owned());
    assert_eq!(left, [(false, None), (false, named("a")), (true, None), (true, named("c"))]);
    assert_eq!(gateway.link().state, State::Online);
}

#[tokio::test(start_paused = true)]
async fn of_one_account_that_was_asked_in_full_what_is_missing_is_gone_here_and_in_the_cache() {
    let world = Bench::new(WECOM).process().await;
    let gateway = world.gateways().remove(0);
    let device = |n: usize, name: &str| Row { device: Some(RemoteId::new(name)), ..row(n, State::Seen, None) };
    let all = vec![row(0, State::Ready, None), device(0, "a"), device(0, "b"), row(1, State::Ready, None), device(1, "c")];
    world.take(&gateway, Report::All { rows: all, complete: true });
    world.take(&gateway, Report::Whole { account: target(0).account, rows: vec![row(0, State::Ready, None), device(0, "a")] });
    let named = |rows: Vec<Row>| -> Vec<(bool, Option<String>)> {
        rows.iter().map(|r| (r.account == target(1).account, r.device.as_ref().map(|d| d.as_str().to_owned()))).collect()
    };
    let left = vec![(false, None), (false, Some("a".to_owned())), (true, None), (true, Some("c".to_owned()))];
    assert_eq!(named(world.rows()), left);
    world.store().flush().await;
    assert_eq!(named(world.store().rows(None).await.unwrap()), left, "it stays in the cache");
    assert!(world.mailbox().take().gone.iter().any(|t| t.device.as_ref().is_some_and(|d| d.as_str() == "b")), "nobody is told");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_of_which_nobody_was_heard_is_lost_and_its_rows_are_told_all_the_same() {
    let world = Bench::new(WECOM).process().await;
    let gateway = world.gateways().remove(0);
    world.take(&gateway, Report::All { rows: vec![row(0, State::Ready, None)], complete: true });
    let lost = || Report::Lost { rows: vec![row(0, State::Unreachable, Some(ReasonCode::Slow))], why: Reason::new(ReasonCode::Slow) };
    world.take(&gateway, lost());
    world.take(&gateway, lost());
    let view = gateway.view();
    assert_eq!((view.link.state, view.link.reason.map(|r| r.code), view.stale), (State::Unreachable, Some(ReasonCode::Slow), true));
    assert_eq!(world.rows()[0].link.state, State::Unreachable);
    let told = world.mailbox().take().toasts;
    assert_eq!(told.iter().filter(|t| t.target.is_none()).count(), 1, "told once: {told:?}");
    world.take(&gateway, Report::AllBut { rows: vec![row(0, State::Ready, None)], unasked: Vec::new() });
    assert_eq!((gateway.link().state, gateway.link().reason), (State::Online, None));
}
