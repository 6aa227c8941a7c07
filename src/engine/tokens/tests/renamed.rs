//! A gateway or an account that is called otherwise from one start to the next.

use super::{
    asking::get,
    platform::{Bench, WECOM, target},
};
use crate::{
    domain::{GatewayId, Target},
    engine::{World, tokens::timer},
    providers::token::{Ask, Tokens},
};
use std::{sync::Arc, time::Duration};

/// The same account on the gateway under its later name.
fn later() -> Target {
    Target::account(&GatewayId::new("firm"), &target(0).account)
}

async fn is_sealed(world: &Arc<World>, target: &Target) -> bool {
    world.store().token(&target.id()).await.unwrap().is_some_and(|r| r.token.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_renamed_gateway_keeps_its_token_and_its_end_and_nothing_sealed_is_left_under_the_old_name() {
    let mut b = Bench::new(WECOM);
    let first = get(&b.process().await, Ask::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    b.gateway = "firm".into();
    let world = b.process().await;
    let given = world.tokens().obtain(&later(), Ask::default()).await.unwrap();
    assert_eq!((b.asked(), &given.token, given.held.expires.wall), (1, &first.token, first.held.expires.wall));
    assert_eq!(given.held.generation, first.held.generation, "it is the same one");
    assert!(is_sealed(&world, &later()).await && !is_sealed(&world, &target(0)).await);
}

#[tokio::test(start_paused = true)]
async fn a_wipe_outlives_a_rename() {
    let mut b = Bench::new(WECOM);
    let old = b.process().await;
    get(&old, Ask::default()).await.unwrap();
    old.tokens().forget(&target(0)).await.unwrap();
    b.gateway = "firm".into();
    let world = b.process().await;
    tokio::spawn(timer::run(world.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(b.asked(), 1, "the timer brought it back");
    assert!(world.tokens().wiped(&later()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn another_corp_inherits_nothing_and_what_nobody_names_is_erased_once_it_is_dead() {
    let mut b = Bench::new(WECOM);
    let first = get(&b.process().await, Ask::default()).await.unwrap();
    (b.gateway, b.corp) = ("firm".into(), "ww2".into());
    b.far.lock().unwrap().living = None;
    let world = b.process().await;
    tokio::spawn(timer::run(world.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let given = world.tokens().obtain(&later(), Ask::default()).await.unwrap();
    assert_ne!(given.token, first.token);
    assert!(is_sealed(&world, &target(0)).await, "another configuration of this home may name it");
    tokio::time::sleep(Duration::from_secs(7300)).await;
    tokio::spawn(timer::run(b.process().await));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let row = world.store().token(&target(0).id()).await.unwrap().unwrap();
    assert!(row.token.is_none(), "dead and sealed for ever");
}
