//! Who is asked, when, and what is saved, against servers of the sandbox on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::{
        ManualTime, TokioTime,
        gate::Gate,
        http_date,
        now::TEST_WALL,
        sample::{Interval, Subject},
    },
    domain::{Clean, GatewayId, Time},
    engine::{Parts, World},
    sandbox::{Clock, Sntp, SntpSettings},
    store::{Paths, config},
    vault::Vault,
};
use std::net::{Ipv4Addr, SocketAddr};

async fn served(offset_ms: i64) -> Sntp {
    let settings = SntpSettings { offset_ms, ..SntpSettings::default() };
    // Its clock is that of the world's: what it shows ahead is what is measured.
    Sntp::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings, Clock::virtual_from(TEST_WALL.0)).await.unwrap()
}

fn of(sntp: &Sntp) -> NtpServer {
    NtpServer { host: "127.0.0.1".into(), port: sntp.address().port() }
}

fn world(dir: &std::path::Path, time: Arc<dyn Time>, ntp: Vec<NtpServer>) -> Arc<World> {
    World::new(Parts { clock: config::Clock { ntp, ..config::Clock::default() }, ..Parts::of_home(dir, Vault::new(), time) })
}

#[tokio::test]
async fn nobody_is_asked_unless_configured_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = served(0).await;
    let quiet = world(dir.path(), Arc::new(ManualTime::new()), Vec::new());
    run(quiet.clone()).await;
    quiet.ask_ntp().await;
    quiet.ask_ntp_if_older(Duration::ZERO).await;
    assert!(!quiet.ask_ntp_and(&[]).await);
    assert_eq!(server.asked(), 0);
    assert!(quiet.ask_ntp_and(&[of(&server)]).await);
    assert!(server.asked() > 0 && quiet.gate().host().verdict == Verdict::Ok);
}

#[tokio::test]
async fn a_young_answer_is_not_asked_for_again_and_a_moved_clock_is() {
    let dir = tempfile::tempdir().unwrap();
    let (server, time) = (served(0).await, Arc::new(ManualTime::new()));
    let world = world(dir.path(), time.clone(), vec![of(&server)]);
    world.ask_ntp_if_older(Duration::from_secs(60)).await;
    let asked = server.asked();
    time.advance(Duration::from_secs(59));
    world.ask_ntp_if_older(Duration::from_secs(60)).await;
    assert_eq!(server.asked(), asked);
    time.step_wall(-90_000);
    world.ask_ntp_if_older(Duration::from_secs(60)).await;
    assert!(server.asked() > asked);
    assert_eq!(world.gate().host().verdict, Verdict::Blocked, "the host is 31 s behind what the server shows");
}

#[tokio::test]
async fn a_time_that_a_reference_verified_is_the_floor_of_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (server, time) = (served(0).await, Arc::new(ManualTime::new()));
    {
        let first = world(dir.path(), time.clone(), vec![of(&server)]);
        assert_eq!(first.store().floor(), None);
        first.ask_ntp().await;
        let saved = first.store().floor().expect("verified");
        assert!((saved.0 - TEST_WALL.0).abs() < 5_000, "{saved:?}");
    }
    time.step_wall(-2 * 86_400_000);
    let later = world(dir.path(), time, Vec::new());
    let view = later.gate().host();
    assert_eq!((view.verdict, view.cause), (Verdict::Blocked, Some(crate::clock::verdict::Cause::BeforeSaved)));
}

#[tokio::test]
async fn a_wrong_or_doubtful_clock_is_never_saved() {
    let dir = tempfile::tempdir().unwrap();
    let (right, wrong) = (served(0).await, served(60_000).await);
    for servers in [vec![of(&wrong)], vec![of(&right), of(&wrong)]] {
        let world = world(dir.path(), Arc::new(ManualTime::new()), servers);
        world.ask_ntp().await;
        assert_eq!(world.gate().host().verdict, Verdict::Blocked);
        assert_eq!(world.store().floor(), None);
    }
}

#[test]
fn only_a_gateway_elsewhere_that_agrees_verifies_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let time = Arc::new(ManualTime::new());
    let store = Store::open_in_place(&Paths::in_home(dir.path()), Vault::new(), time.clone()).unwrap();
    let view = |offset: i64| {
        let (gate, wa) = (Gate::new(time.clone()), GatewayId::new("wa"));
        let at = std::time::UNIX_EPOCH + Duration::from_millis((TEST_WALL.0 + offset).unsigned_abs());
        gate.push(http_date::sample(&wa, Some(&httpdate::fmt_http_date(at)), None, None, time.now(), time.now()));
        gate.view(&wa)
    };
    save_agreed(&store, &view(0), is_elsewhere("http://127.0.0.1:8080/x"));
    save_agreed(&store, &view(10_000), is_elsewhere("https://evo.example.com"));
    assert_eq!(store.floor(), None);
    save_agreed(&store, &view(0), is_elsewhere("https://evo.example.com"));
    assert_eq!(store.floor(), Some(TEST_WALL));
    assert!(!is_elsewhere("http://[::1]:1") && !is_elsewhere("http://evo.localhost"));
}

#[test]
fn the_kernels_word_alone_saves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let time = Arc::new(ManualTime::new());
    let store = Store::open_in_place(&Paths::in_home(dir.path()), Vault::new(), time.clone()).unwrap();
    let gate = Gate::new(time.clone());
    let said = Some(Interval::new(-1, 1));
    gate.push(Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Kernel,
        interval: said,
        at: time.now(),
        probes: 1,
        detail: Clean::new(""),
        server: None,
    });
    save_host(&store, &gate.host(), &time.now());
    assert_eq!(store.floor(), None);
}

/// Lets so much virtual time pass, and with it everything that is under way on loopback.
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_asks_after_the_first_frame_and_then_before_the_last_answer_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let server = served(0).await;
    let world = world(dir.path(), Arc::new(TokioTime::new()), vec![of(&server)]);
    let task = tokio::spawn(run(world.clone()));
    pass(400).await;
    assert_eq!(server.asked(), 0, "the first frame comes first");
    pass(2_000).await;
    let first = server.asked();
    assert!(first > 0 && !world.gate().is_host_old(TTL_SHOWN));
    let mut seen = first;
    for round in 1..=3 {
        pass(EVERY.as_millis() as u64 - 10_000).await;
        assert_eq!(server.asked(), seen, "round {round}: nothing in between");
        assert_eq!(world.gate().host().verdict, Verdict::Ok, "round {round}: the last answer still counts");
        pass(12_000).await;
        assert!(server.asked() > seen, "round {round}: asked again");
        seen = server.asked();
    }
    world.shut();
    pass(3 * TTL_SHOWN.as_millis() as u64).await;
    assert!(task.is_finished() && server.asked() == seen, "it ends with the world");
}

#[tokio::test(start_paused = true)]
async fn in_the_loop_a_clock_that_goes_wrong_blocks_and_one_that_answers_no_more_is_not_called_fine() {
    let dir = tempfile::tempdir().unwrap();
    let server = served(0).await;
    let world = world(dir.path(), Arc::new(TokioTime::new()), vec![of(&server)]);
    tokio::spawn(run(world.clone()));
    pass(2_000).await;
    assert_eq!(world.gate().host().verdict, Verdict::Ok);
    server.set(|s| s.offset_ms = 90_000);
    pass(EVERY.as_millis() as u64).await;
    // Its second word contradicts the first; two more are believed against it, or a conflict stays open, but never "fine".
    assert!(world.gate().host().verdict > Verdict::Warn);
    server.set(|s| s.fault = crate::sandbox::SntpFault::Silent);
    for _ in 0..3 {
        pass(EVERY.as_millis() as u64).await;
        assert!(world.gate().host().verdict > Verdict::Warn, "silence settles nothing");
    }
    world.shut();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_be_left_alone_is_left_alone_by_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    let server = served(0).await;
    server.set(|s| s.fault = crate::sandbox::SntpFault::Kiss(*b"RATE"));
    let world = world(dir.path(), Arc::new(TokioTime::new()), vec![of(&server)]);
    tokio::spawn(run(world.clone()));
    pass(2_000).await;
    assert_eq!(server.asked(), 1);
    pass(3 * EVERY.as_millis() as u64).await;
    assert_eq!(server.asked(), 1);
    world.shut();
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_servers_are_asked_takes_that_answer() {
    let dir = tempfile::tempdir().unwrap();
    let server = served(0).await;
    let world = world(dir.path(), Arc::new(TokioTime::new()), vec![of(&server)]);
    server.set(|s| s.way_out = Duration::from_millis(20));
    world.ask_ntp().await;
    let alone = server.asked();
    pass(1_000).await;
    tokio::join!(world.ask_ntp(), world.ask_ntp(), world.ask_ntp());
    assert_eq!(server.asked(), 2 * alone, "three who ask at once are one question");
}
