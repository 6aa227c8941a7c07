//! The contract between engine and providers: the engine's side against a system that is nothing like the first real one, the
//! providers' side ([`contract`]) against each real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod contract;
#[path = "support/stage.rs"]
mod stage;
mod toy;

use pairdeck::{
    clock::now::TokioTime,
    domain::*,
    engine::{
        command::PairKey,
        hosts::Quiet,
        ops,
        pairing::{self, News, PairEnd, Watcher},
    },
    store::HistoryQuery,
    vault::Vault,
};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toy::{Kill, Process, Server, Shared, process};

const OLD: &str = "old-token-0123456789";

fn server() -> Shared {
    let mut s = Server { password: "open sesame".into(), ..Server::default() };
    for uid in ["u1", "u2"] {
        s.devices.insert(uid.into(), [(0, OLD.into()), (1, OLD.into()), (4, OLD.into())].into());
    }
    Arc::new(Mutex::new(s))
}

struct Bench {
    home: tempfile::TempDir,
    server: Shared,
    vault: Vault,
    time: Arc<dyn Time>,
}

impl Bench {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: server(), vault: Vault::memory(), time: Arc::new(TokioTime::new()) }
    }
    async fn process(&self) -> Process {
        process(self.home.path(), &self.server, &self.vault, self.time.clone(), false).await
    }
    fn token(&self, uid: &str, flag: u8) -> String {
        self.server.lock().unwrap().devices[uid][&flag].clone()
    }
}

async fn act(p: &Process, name: &str, action: Action) -> ops::Ended {
    let row = p.world.resolve(name).unwrap();
    let (armed, _) = ops::arm(&p.world, &row, action, Inputs::new()).await.unwrap();
    ops::fire(&p.world, &armed, &mut Quiet, &CancellationToken::new()).await
}

#[tokio::test(start_paused = true)]
async fn devices_are_rows_of_their_own_and_names_find_them() {
    let b = Bench::new();
    let p = b.process().await;
    assert_eq!(p.world.rows().len(), 8);
    assert_eq!(p.world.resolve("g:u1/4").unwrap().device, Some(RemoteId::new("4")));
    assert!(matches!(p.world.resolve("nobody"), Err(pairdeck::engine::names::Unresolved::Unknown)));
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_list_deletes_nothing() {
    let b = Bench::new();
    let p = b.process().await;
    let gateway = p.world.gateways().remove(0);
    p.world.take(&gateway, pairdeck::providers::Report::All { rows: vec![], complete: false });
    assert_eq!(p.world.rows().len(), 8);
    p.world.take(&gateway, pairdeck::providers::Report::All { rows: vec![], complete: true });
    assert_eq!(p.world.rows().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn wiping_an_account_covers_every_device_and_nobody_elses() {
    let b = Bench::new();
    let p = b.process().await;
    let ended = act(&p, "g:u1", Action::Wipe).await;
    assert_eq!(ended.phase, OpPhase::Done, "{ended:?}");
    assert!([0, 1, 4].iter().all(|f| b.token("u1", *f).is_empty()));
    assert!([0, 1, 4].iter().all(|f| b.token("u2", *f) == OLD));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_says_so_and_claims_nothing() {
    let b = Bench::new();
    let p = b.process().await;
    let row = p.world.resolve("g:u1").unwrap();
    let why = ops::arm(&p.world, &row, Action::Regenerate, Inputs::new()).await;
    assert!(matches!(why, Err(ops::NotArmed::Not(Not::Unsupported(_)))));
    let reader = process(b.home.path(), &b.server, &b.vault, b.time.clone(), true).await;
    let why = ops::arm(&reader.world, &row, Action::Wipe, Inputs::new()).await;
    assert!(matches!(why, Err(ops::NotArmed::Not(Not::ReadOnly))));
    assert!(b.server.lock().unwrap().log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_process_does_not_act_on_a_claimed_account() {
    let b = Bench::new();
    let (one, two) = (b.process().await, b.process().await);
    let row = one.world.resolve("g:u1").unwrap();
    let (armed, _) = ops::arm(&one.world, &row, Action::Wipe, Inputs::new()).await.unwrap();
    assert!(matches!(ops::arm(&two.world, &row, Action::Wipe, Inputs::new()).await, Err(ops::NotArmed::Busy(_))));
    ops::disarm(&one.world, &armed).await;
    assert!(ops::arm(&two.world, &row, Action::Wipe, Inputs::new()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_op_that_was_only_armed_when_its_process_died_never_happened() {
    let b = Bench::new();
    let one = b.process().await;
    let row = one.world.resolve("g:u1").unwrap();
    ops::arm(&one.world, &row, Action::Wipe, Inputs::new()).await.unwrap();
    drop(one);
    let two = b.process().await;
    ops::resume_all(&two.world, |_| Box::new(Quiet), &CancellationToken::new()).await;
    assert!(b.server.lock().unwrap().log.is_empty());
    assert!(ops::arm(&two.world, &row, Action::Wipe, Inputs::new()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_checked_before_anything_is_repeated() {
    let b = Bench::new();
    let p = b.process().await;
    b.server.lock().unwrap().lose_reply = Some(1);
    let ended = act(&p, "g:u1/1", Action::Regenerate).await;
    assert_eq!(ended.phase, OpPhase::Done, "{ended:?}");
    let log = b.server.lock().unwrap().log.clone();
    assert_eq!(log, ["quit u1/1", "read u1", "token u1/1", "read u1"], "the quit was carried out, so it is not sent again");
    assert_ne!(b.token("u1", 1), OLD);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_stops_an_op_and_is_shown() {
    let b = Bench::new();
    let p = b.process().await;
    {
        let mut s = b.server.lock().unwrap();
        s.lose_reply = Some(2);
        s.meddle = Some((2, "foreign-token-0123456789".into()));
    }
    let ended = act(&p, "g:u1/1", Action::Regenerate).await;
    assert_eq!(ended.phase, OpPhase::Ambiguous, "{ended:?}");
    assert_eq!(ended.reason.unwrap().code, ReasonCode::Foreign);
    assert_eq!(b.token("u1", 1), "foreign-token-0123456789", "what somebody else put there is not overwritten");
}

/// Kills a regenerate at request `n`, before or after the server carried it out, and lets the next process finish.
async fn killed_at(n: usize, kill: Kill) -> (Bench, Option<ops::Ended>) {
    let b = Bench::new();
    let one = b.process().await;
    b.server.lock().unwrap().kill = Some((n, kill));
    let row = one.world.resolve("g:u1/1").unwrap();
    let (armed, _) = ops::arm(&one.world, &row, Action::Regenerate, Inputs::new()).await.unwrap();
    let world = one.world.clone();
    let task = tokio::spawn(async move { ops::fire(&world, &armed, &mut Quiet, &CancellationToken::new()).await });
    // Virtual time runs ahead while the op waits for ever: then it is killed.
    tokio::time::sleep(std::time::Duration::from_secs(300)).await;
    let finished = task.is_finished();
    task.abort();
    let _ = task.await;
    one.world.shut();
    drop(one);
    b.server.lock().unwrap().kill = None;
    let two = b.process().await;
    let mut results = ops::resume_all(&two.world, |_| Box::new(Quiet), &CancellationToken::new()).await;
    assert!(finished || results.len() == 1, "request {n}, {kill:?}: the op was not found again");
    (b, results.pop().map(|(_, ended)| ended))
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_request_a_regenerate_is_finished_by_the_next_process() {
    // Enumerated from what an undisturbed run sends, not picked.
    let b = Bench::new();
    let p = b.process().await;
    assert_eq!(act(&p, "g:u1/1", Action::Regenerate).await.phase, OpPhase::Done);
    let requests = b.server.lock().unwrap().log.len();
    assert_eq!(requests, 3);
    for n in 1..=requests {
        for kill in [Kill::Before, Kill::After] {
            let (b, ended) = killed_at(n, kill).await;
            let ended = ended.unwrap_or_else(|| panic!("request {n}, {kill:?}: nothing resumed"));
            assert_eq!(ended.phase, OpPhase::Done, "request {n}, {kill:?}: {ended:?}");
            let token = b.token("u1", 1);
            assert!(token != OLD && !token.is_empty(), "request {n}, {kill:?} left {token:?}");
            assert_eq!(b.token("u1", 0), OLD, "another device was touched");
        }
    }
}

/// Notes what happened, and answers each question with the next of its answers.
struct Notes(Vec<String>, Vec<&'static str>, mpsc::Sender<PairKey>);

impl Watcher for Notes {
    fn view(&mut self, _: &pairdeck::engine::mailbox::PairView) {}
    fn news(&mut self, news: News<'_>) {
        if matches!(news, News::Ask(_)) {
            let answer = self.1.remove(0);
            self.2.try_send(PairKey::Answer(Secret::new(answer.into()))).unwrap();
        }
        let word = format!("{news:?}");
        self.0.push(word.split([' ', '(', '{']).next().unwrap_or_default().to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_in_the_middle_and_a_secret_shown_once_fit_the_same_pairing() {
    let b = Bench::new();
    let p = b.process().await;
    let target = p.world.resolve("g:u1").unwrap().target();
    let (keys, mut rx) = mpsc::channel(8);
    let start = pairing::Start { target: target.clone(), want: Want { method: Method::Code, number: None, wipe_spoilt: false } };
    let mut notes = Notes(vec![], vec!["wrong", "open sesame"], keys);
    let end = pairing::run(&p.world, start, &mut rx, &mut notes, &CancellationToken::new()).await;
    assert!(matches!(end, PairEnd::Linked), "{end:?} after {:?}", notes.0);
    assert!(notes.0.contains(&"Ask".to_owned()) && notes.0.contains(&"Offer".to_owned()), "{:?}", notes.0);
    let kept = p.world.store().secret_get(&format!("account/{}/session", target.id())).await.unwrap();
    assert_eq!(kept.unwrap(), Secret::new("minted-once-0123456789".into()));
    let lines = p.world.store().history(HistoryQuery { pairing: true, limit: 10, ..HistoryQuery::default() }).await.unwrap();
    assert_eq!(lines.len(), 1, "the attempt is in the history");
}

#[tokio::test(start_paused = true)]
async fn what_only_an_unreachable_server_stopped_goes_on_when_it_is_back() {
    let b = Bench::new();
    let one = b.process().await;
    // Its first request is carried out, then nothing is heard any more.
    b.server.lock().unwrap().away_after = Some(1);
    let ended = act(&one, "g:u1/1", Action::Regenerate).await;
    assert_eq!(ended.phase, OpPhase::Ambiguous, "{ended:?}");
    one.world.shut();
    drop(one);
    // The next process meets the same silence and leaves it as it is; the one after it finishes.
    let two = b.process().await;
    let seen = ops::resume_all(&two.world, |_| Box::new(Quiet), &CancellationToken::new()).await;
    assert_eq!(seen[0].1.phase, OpPhase::Ambiguous, "{seen:?}");
    two.world.shut();
    drop(two);
    b.server.lock().unwrap().away_after = None;
    let three = b.process().await;
    let done = ops::resume_all(&three.world, |_| Box::new(Quiet), &CancellationToken::new()).await;
    assert_eq!(done[0].1.phase, OpPhase::Done, "{done:?}");
    assert!(b.token("u1", 1) != OLD && !b.token("u1", 1).is_empty());
    // Once finished it is not shown again.
    three.world.shut();
    drop(three);
    let four = b.process().await;
    assert!(ops::resume_all(&four.world, |_| Box::new(Quiet), &CancellationToken::new()).await.is_empty());
}
