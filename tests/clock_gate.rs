//! The gate before an attempt, with a configured time server, under virtual time: when it is asked, what it stops, and that one
//! which does not answer stops nothing.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod toy;

use pairdeck::{
    clock::{
        Verdict,
        now::{TEST_WALL, TokioTime},
        verdict::Cause,
    },
    domain::*,
    engine::{
        command::PairKey,
        pairing::{self, News, PairEnd, Watcher},
    },
    sandbox::{Clock, Sntp, SntpFault, SntpSettings},
    store::config::{self, NtpServer},
    vault::Vault,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toy::{Process, Server, Shared, process_with};

struct Bench {
    home: tempfile::TempDir,
    server: Shared,
    vault: Vault,
    time: Arc<TokioTime>,
    sntp: Sntp,
}

impl Bench {
    async fn new(settings: SntpSettings) -> Self {
        let mut server = Server { password: "open sesame".into(), ..Server::default() };
        server.devices.insert("u1".into(), [(1, "old-token-0123456789".into())].into());
        let sntp = Sntp::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings, Clock::virtual_from(TEST_WALL.0)).await.unwrap();
        let time = Arc::new(TokioTime::new());
        Self { home: tempfile::tempdir().unwrap(), server: Arc::new(Mutex::new(server)), vault: Vault::memory(), time, sntp }
    }
    async fn ahead(offset_ms: i64) -> Self {
        // A way that takes time: in virtual time everything else happens at one instant.
        Self::new(SntpSettings { offset_ms, way_out: Duration::from_millis(20), ..SntpSettings::default() }).await
    }
    async fn process(&self) -> Process {
        let ntp = vec![NtpServer { host: "127.0.0.1".into(), port: self.sntp.address().port() }];
        let clock = config::Clock { ntp, ..config::Clock::default() };
        process_with(self.home.path(), &self.server, &self.vault, self.time.clone(), (false, clock)).await
    }
    fn sent(&self) -> Vec<String> {
        self.server.lock().unwrap().log.clone()
    }
}

/// Answers every question rightly, and presses the next of `keys` whenever the gate blocks.
struct Hands {
    news: Vec<String>,
    blocked: Vec<(Verdict, Option<Cause>)>,
    keys: Vec<PairKey>,
    out: mpsc::Sender<PairKey>,
    /// Done when the gate blocks for the first time.
    then: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Watcher for Hands {
    fn view(&mut self, _: &pairdeck::engine::mailbox::PairView) {}
    fn news(&mut self, news: News<'_>) {
        match &news {
            News::Ask(_) => self.out.try_send(PairKey::Answer(Secret::new("open sesame".into()))).unwrap(),
            News::Blocked(view, started) => {
                assert!(!started, "something was sent before the gate was asked");
                self.blocked.push((view.host.verdict, view.host.cause));
                if let Some(then) = self.then.take() {
                    then();
                }
                let (key, out) = (self.keys.remove(0), self.out.clone());
                // A person takes a while to read it.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(800)).await;
                    let _ = out.send(key).await;
                });
            }
            _ => {}
        }
        let word = format!("{news:?}");
        self.news.push(word.split([' ', '(', '{']).next().unwrap_or_default().to_owned());
    }
}

async fn pair(p: &Process, keys: Vec<PairKey>, then: Option<Box<dyn FnOnce() + Send + Sync>>) -> (PairEnd, Hands) {
    let target = p.world.resolve("g:u1").unwrap().target();
    let (out, mut rx) = mpsc::channel(8);
    let start = pairing::Start { target, want: Want { method: Method::Code, number: None, wipe_spoilt: false } };
    let mut hands = Hands { news: vec![], blocked: vec![], keys, out, then };
    let end = pairing::run(&p.world, start, &mut rx, &mut hands, &CancellationToken::new()).await;
    (end, hands)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_asks_the_time_server_before_anything_is_sent_and_not_again_within_a_minute() {
    let b = Bench::ahead(0).await;
    let p = b.process().await;
    assert_eq!(b.sntp.asked(), 0, "a start asks nobody");
    let (end, hands) = pair(&p, vec![], None).await;
    assert!(matches!(end, PairEnd::Linked), "{end:?} after {:?}", hands.news);
    let asked = b.sntp.asked();
    assert!(asked > 0 && hands.blocked.is_empty());
    assert!(matches!(pair(&p, vec![], None).await.0, PairEnd::Linked));
    assert_eq!(b.sntp.asked(), asked, "a young answer is good for the next attempt too");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(matches!(pair(&p, vec![], None).await.0, PairEnd::Linked));
    assert!(b.sntp.asked() > asked, "an old one is not");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_a_time_server_finds_wrong_blocks_and_nothing_is_sent() {
    let b = Bench::ahead(60_000).await;
    let p = b.process().await;
    let (end, hands) = pair(&p, vec![PairKey::Leave], None).await;
    assert!(matches!(end, PairEnd::Left { blocked: true }), "{end:?}");
    assert_eq!(hands.blocked, [(Verdict::Blocked, Some(Cause::Off))]);
    assert!(b.sent().is_empty() && !hands.news.contains(&"Offer".to_owned()), "{:?} {:?}", b.sent(), hands.news);
}

#[tokio::test(start_paused = true)]
async fn once_the_clock_is_right_asking_again_opens_the_gate() {
    let b = Arc::new(Bench::ahead(60_000).await);
    let p = b.process().await;
    let right = b.clone();
    let put_right: Box<dyn FnOnce() + Send + Sync> = Box::new(move || right.sntp.set(|s| s.offset_ms = 0));
    let (end, hands) = pair(&p, vec![PairKey::Again], Some(put_right)).await;
    assert!(matches!(end, PairEnd::Linked), "{end:?} after {:?}", hands.news);
    assert_eq!(hands.blocked.len(), 1, "what the server said before does not count against what it says now");
}

#[tokio::test(start_paused = true)]
async fn an_override_lets_the_attempt_go_on_and_is_kept() {
    let b = Bench::ahead(60_000).await;
    let p = b.process().await;
    let (end, hands) = pair(&p, vec![PairKey::Override], None).await;
    assert!(matches!(end, PairEnd::Linked), "{end:?} after {:?}", hands.news);
    let query = pairdeck::store::HistoryQuery { pairing: true, limit: 10, ..pairdeck::store::HistoryQuery::default() };
    let lines = p.world.store().history(query).await.unwrap();
    let kept = format!("{:?}", lines[0].1.what);
    assert!(kept.contains("overridden: true") && kept.contains("Blocked"), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn a_time_server_that_does_not_answer_costs_a_second_and_stops_nothing() {
    let b = Bench::new(SntpSettings { fault: SntpFault::Silent, ..SntpSettings::default() }).await;
    let p = b.process().await;
    let began = tokio::time::Instant::now();
    let (end, hands) = pair(&p, vec![], None).await;
    assert!(matches!(end, PairEnd::Linked), "{end:?} after {:?}", hands.news);
    assert!(b.sntp.asked() > 0 && hands.blocked.is_empty());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let view = p.world.gate().view(&GatewayId::new("g"));
    assert_eq!((view.verdict, view.host.skew), (Verdict::Ok, None), "the gateway's own word stands alone");
}
