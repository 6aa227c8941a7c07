//! The client against a server of the sandbox: every fault of the research table by name, slow and unequal ways, no
//! server at all. Real sockets on loopback; the only waiting is that of the client itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::{FAR, FOREIGN, GARBAGE, KISS_RATE, LIMIT, MODE, NO_TIME, SHORT, Servers, UNSYNCED};
use super::*;
use crate::{
    clock::{SystemTime, sample::Sample},
    sandbox::{Clock, Sntp, SntpFault, SntpSettings},
};

async fn served(settings: SntpSettings) -> Sntp {
    Sntp::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings, Clock::System).await.unwrap()
}

fn of(sntp: &Sntp) -> NtpServer {
    NtpServer { host: sntp.address().ip().to_string(), port: sntp.address().port() }
}

async fn faulty(fault: SntpFault) -> Result<Told, Silence> {
    let server = served(SntpSettings { fault, ..SntpSettings::default() }).await;
    ask(&of(&server), PROBES, &SystemTime::new(), Instant::now() + LIMIT).await
}

async fn joint(servers: &[&Sntp]) -> Vec<Sample> {
    Servers::new(&servers.iter().map(|s| of(s)).collect::<Vec<_>>()).ask(&SystemTime::new()).await
}

#[tokio::test]
async fn each_fault_of_the_table_is_refused_by_name_or_harmless() {
    for (name, fault) in SntpFault::TABLE {
        let told = faulty(fault).await;
        let refused = told.as_ref().err().map(|e| e.detail());
        let expected: &[&str] = match name {
            "kod" => &[KISS_RATE],
            "stratum0" | "stratum16" | "li3" => &[UNSYNCED],
            "badorigin" => &[FOREIGN],
            "zerotx" => &[NO_TIME],
            "short" => &[SHORT],
            "mode1" | "mode5" => &[MODE],
            // Of random bytes some are too few.
            "garbage" => &[GARBAGE, SHORT, FOREIGN],
            "stale" => &[super::super::BACKWARDS],
            "rootdist" => &[FAR],
            "long" | "dup" | "era1" => {
                let told = told.unwrap_or_else(|e| panic!("{name} is harmless, but: {e:?}"));
                assert_eq!(told.probes, PROBES, "{name}");
                let years = told.best.offset_ns / 1_000_000_000 / 31_556_952;
                assert_eq!(years > 5, name == "era1", "{name}: {years} years ahead");
                continue;
            }
            other => panic!("{other} is not expected"),
        };
        assert!(refused.is_some_and(|r| expected.contains(&r)), "{name}: {told:?}");
    }
    assert_eq!(faulty(SntpFault::ZeroReceive).await.unwrap_err().detail(), NO_TIME);
}

#[tokio::test]
async fn strays_and_a_forged_kiss_do_not_end_the_wait() {
    let told = faulty(SntpFault::StraysFirst).await.unwrap();
    assert!(told.best.offset_ns.abs() < 50_000_000, "{told:?}");
}

#[tokio::test]
async fn an_unequal_way_stays_inside_the_bound() {
    for offset_ms in [0, -37_000, 10_800_000] {
        let ways = SntpSettings { offset_ms, way_in: Duration::from_millis(50), way_out: Duration::from_millis(350), ..SntpSettings::default() };
        let server = served(ways).await;
        let said = joint(&[&server]).await;
        let i = said[0].interval.unwrap_or_else(|| panic!("{:?}", said[0].detail));
        assert!(i.contains(offset_ms) && i.half() >= 195, "{offset_ms}: {i:?}");
        assert!(said[0].probes >= 2, "a server 400 ms away still answers more than one probe: {}", said[0].probes);
    }
}

#[tokio::test]
async fn a_closed_port_is_told_at_once_and_a_silent_one_in_time() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let began = Instant::now();
    let server = NtpServer { host: "127.0.0.1".into(), port: closed.port() };
    assert_eq!(ask(&server, PROBES, &SystemTime::new(), began + LIMIT).await, Err(Silence::Refused));
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    assert_eq!(faulty(SntpFault::Silent).await, Err(Silence::NoAnswer));
    assert!(began.elapsed() < LIMIT * 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn two_silent_addresses_share_the_time_of_one() {
    let silent = served(SntpSettings { fault: SntpFault::Silent, ..SntpSettings::default() }).await;
    let began = Instant::now();
    let server = NtpServer { host: "localhost".into(), port: silent.address().port() };
    let why = ask(&server, PROBES, &SystemTime::new(), began + LIMIT).await.unwrap_err();
    assert!(matches!(why, Silence::NoAnswer), "{why:?}");
    assert!(began.elapsed() < LIMIT + Duration::from_millis(200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn ipv6_is_asked_like_ipv4() {
    let Ok(server) = Sntp::start(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), SntpSettings::default(), Clock::System).await else {
        return assert!(std::net::UdpSocket::bind("[::1]:0").is_err(), "::1 is there, but no server could listen");
    };
    let told = ask(&of(&server), PROBES, &SystemTime::new(), Instant::now() + LIMIT).await.unwrap();
    assert_eq!(told.probes, PROBES);
}

#[tokio::test]
async fn a_kiss_on_the_first_probe_silences_us_for_the_session() {
    let server = served(SntpSettings { fault: SntpFault::Kiss(*b"RATE"), ..SntpSettings::default() }).await;
    let servers = Servers::new(&[of(&server)]);
    for _ in 0..3 {
        let said = servers.ask(&SystemTime::new()).await;
        assert_eq!((said[0].interval, said[0].detail.as_str()), (None, KISS_RATE));
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_kiss_after_an_answer_keeps_the_answer_and_asks_once_from_then_on() {
    let server = served(SntpSettings { fault: SntpFault::Kiss(*b"RATE"), well_first: 1, ..SntpSettings::default() }).await;
    let servers = Servers::new(&[of(&server)]);
    assert!(servers.ask(&SystemTime::new()).await[0].interval.is_some());
    assert_eq!(server.asked(), 2);
    server.set(|s| s.fault = SntpFault::None);
    assert!(servers.ask(&SystemTime::new()).await[0].interval.is_some());
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_majority_is_believed_and_named_and_the_liar_stays_in_the_evidence() {
    let (a, b) = (served(SntpSettings::default()).await, served(SntpSettings::default()).await);
    let liar = served(SntpSettings { offset_ms: 3_600_000, ..SntpSettings::default() }).await;
    let said = joint(&[&a, &liar, &b]).await;
    assert_eq!((said[0].detail.as_str(), said[0].server.clone(), said.len()), ("2 of 3", None, 4));
    assert!(said[0].interval.unwrap().max_abs() < 1000);
    assert!(said[1..].iter().all(|s| s.server.is_some() && s.interval.is_some()));
    assert!(said[2].interval.unwrap().min_abs() > 3_500_000);
}

#[tokio::test]
async fn two_that_contradict_each_other_are_a_conflict() {
    let (a, b) = (served(SntpSettings::default()).await, served(SntpSettings { offset_ms: 60_000, ..SntpSettings::default() }).await);
    let said = joint(&[&a, &b]).await;
    let gap = super::super::conflict_ms(&said[0].detail).unwrap();
    assert!(said[0].interval.is_none() && (59_000..=60_000).contains(&gap), "{:?}", said[0].detail);
}

#[tokio::test]
async fn a_server_that_is_stepped_is_seen_at_the_next_question() {
    let server = served(SntpSettings::default()).await;
    let servers = Servers::new(&[of(&server)]);
    assert!(servers.ask(&SystemTime::new()).await[0].interval.unwrap().max_abs() < 1000);
    server.set(|s| s.offset_ms = 90_000);
    assert!(servers.ask(&SystemTime::new()).await[0].interval.unwrap().contains(90_000));
}

#[tokio::test]
async fn a_name_that_stands_for_nothing_says_so() {
    let server = NtpServer { host: "no-such-host.invalid".into(), port: 123 };
    let why = ask(&server, 1, &SystemTime::new(), Instant::now() + LIMIT).await.unwrap_err();
    assert!(matches!(why, Silence::NameUnknown | Silence::NameSlow), "{why:?}");
}
