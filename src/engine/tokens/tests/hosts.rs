//! Several hosts over one shared store, in memory.

use super::platform::{Bench, WECOM, target};
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret, row::TokenSemantics},
    engine::{World, tokens::timer},
    providers::{
        Fut,
        token::{Ask, Given, Origin, TokenRules, Tokens},
    },
    shared::{Gone, Lease, Mirror, News, Put, Shared, SharedToken, mark},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};

const S: fn(u64) -> Duration = Duration::from_secs;

struct Kept {
    token: Secret,
    generation: u64,
    put: Instant,
    dies: Instant,
    by: Clean,
    renewed: bool,
    good: Option<Instant>,
}

/// What is left of a forgotten one.
#[derive(Default)]
struct Left {
    mark: Option<Box<str>>,
    dies: Option<Instant>,
    wiped: Option<Instant>,
}

/// What a Redis primary would hold.
#[derive(Default)]
struct Memory {
    leases: HashMap<String, (String, Instant)>,
    fences: HashMap<String, u64>,
    tokens: HashMap<String, Kept>,
    gone: HashMap<String, Left>,
    mirrors: usize,
    down: bool,
    forgotten: usize,
}

pub(super) struct Primary {
    memory: Mutex<Memory>,
    news: broadcast::Sender<News>,
}

impl Primary {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { memory: Mutex::default(), news: broadcast::Sender::new(64) })
    }
    pub(super) fn back(&self) {
        let _ = self.news.send(News::Back);
    }
    /// It loses all its data.
    pub(super) fn lose(&self) {
        let mut m = self.memory.lock().unwrap();
        (m.tokens, m.gone, m.leases, m.fences) = Default::default();
    }
    pub(super) fn set_down(&self, down: bool) {
        self.memory.lock().unwrap().down = down;
    }
}

/// One host's handle: it has a fingerprint key of its own, as hosts have.
struct Handle {
    primary: Arc<Primary>,
    owner: String,
    key: [u8; 32],
}

impl Handle {
    fn with<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> Result<T, Reason> {
        let mut m = self.primary.memory.lock().unwrap();
        if m.down {
            return Err(Reason::new(ReasonCode::SharedDown).with("why", "refused"));
        }
        Ok(f(&mut m))
    }
}

impl Shared for Handle {
    fn acquire<'a>(&'a self, name: &'a str, ttl: Duration) -> Fut<'a, Result<Option<Lease>, Reason>> {
        Box::pin(async move {
            self.with(|m| {
                let now = Instant::now();
                if m.leases.get(name).is_some_and(|(_, until)| *until > now) {
                    return None;
                }
                m.leases.insert(name.into(), (self.owner.clone(), now + ttl));
                let fence = m.fences.entry(name.into()).or_default();
                *fence += 1;
                Some(Lease { name: name.into(), fence: *fence, owner: self.owner.as_str().into() })
            })
        })
    }
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Fut<'a, Result<bool, Reason>> {
        Box::pin(async move {
            self.with(|m| match m.leases.get_mut(&*lease.name) {
                Some((owner, until)) if *owner == *lease.owner => {
                    *until = Instant::now() + ttl;
                    true
                }
                _ => false,
            })
        })
    }
    fn release<'a>(&'a self, lease: &'a Lease) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            self.with(|m| {
                if m.leases.get(&*lease.name).is_some_and(|(o, _)| *o == *lease.owner) {
                    m.leases.remove(&*lease.name);
                }
            })
        })
    }
    fn holder<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Clean>, Reason>> {
        Box::pin(async move { self.with(|m| m.leases.get(name).map(|(o, _)| Clean::new(o))) })
    }
    fn put<'a>(&'a self, lease: &'a Lease, token: &'a SharedToken, mirrors: &'a [Mirror]) -> Fut<'a, Result<Put, Reason>> {
        Box::pin(async move {
            let put = self.with(|m| {
                if m.tokens.get(&*lease.name).is_some_and(|t| t.generation > lease.fence) {
                    return Put::Fenced;
                }
                let now = Instant::now();
                let (by, renewed) = (token.by.clone(), token.renewed);
                let kept = Kept {
                    token: token.token.clone(),
                    generation: lease.fence,
                    put: now - token.age,
                    dies: now + token.left,
                    by,
                    renewed,
                    good: None,
                };
                if let Some(gone) = m.gone.get_mut(&*lease.name) {
                    gone.wiped = None;
                }
                m.tokens.insert(lease.name.to_string(), kept);
                m.mirrors += mirrors.len();
                Put::Stored
            })?;
            if put == Put::Stored {
                let _ = self.primary.news.send(News::Token(lease.name.clone()));
            }
            Ok(put)
        })
    }
    fn get<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<SharedToken>, Reason>> {
        Box::pin(async move {
            self.with(|m| {
                let now = Instant::now();
                m.tokens.get(name).filter(|t| t.dies > now).map(|t| SharedToken {
                    token: t.token.clone(),
                    fingerprint: Fingerprint::of(&self.key, &t.token),
                    generation: t.generation,
                    left: t.dies - now,
                    age: now - t.put,
                    by: t.by.clone(),
                    renewed: t.renewed,
                    good: t.good.map(|at| now - at),
                })
            })
        })
    }
    fn forget<'a>(&'a self, name: &'a str, _: &'a [Mirror], gone: &'a Gone) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            self.with(|m| {
                let now = Instant::now();
                let there = m.tokens.remove(name).map(|t| (mark(name, &t.token), t.dies));
                let (what, dies) = there.unwrap_or_else(|| (gone.mark.clone(), now + gone.left));
                let left = m.gone.entry(name.into()).or_default();
                if what.is_some() {
                    (left.mark, left.dies) = (what, Some(dies));
                }
                left.wiped = gone.wiped.map(|age| now - age);
                m.forgotten += 1;
            })?;
            let _ = self.primary.news.send(News::Token(name.into()));
            Ok(())
        })
    }
    fn gone<'a>(&'a self, name: &'a str) -> Fut<'a, Result<Option<Gone>, Reason>> {
        Box::pin(async move {
            self.with(|m| {
                let now = Instant::now();
                m.gone.get(name).map(|g| Gone {
                    mark: g.mark.clone(),
                    left: g.dies.map_or(Duration::ZERO, |d| d.saturating_duration_since(now)),
                    wiped: g.wiped.map(|at| now - at),
                })
            })
        })
    }
    fn good<'a>(&'a self, name: &'a str, which: &'a str) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async move {
            self.with(|m| {
                if let Some(t) = m.tokens.get_mut(name).filter(|t| mark(name, &t.token).as_deref() == Some(which)) {
                    t.good = Some(Instant::now());
                }
            })?;
            let _ = self.primary.news.send(News::Token(name.into()));
            Ok(())
        })
    }
    fn news(&self) -> broadcast::Receiver<News> {
        self.primary.news.subscribe()
    }
    fn down(&self) -> Option<Reason> {
        self.primary.memory.lock().unwrap().down.then(|| Reason::new(ReasonCode::SharedDown).with("why", "refused"))
    }
}

/// A host: a home of its own on one primary.
pub(super) struct Host {
    _home: tempfile::TempDir,
    pub(super) world: Arc<World>,
}

pub(super) async fn host(b: &Bench, primary: &Arc<Primary>, name: &str) -> Host {
    let home = tempfile::tempdir().unwrap();
    let world = b.host(&home).await;
    let key = world.store().fingerprint_key();
    world.tokens().share(Arc::new(Handle { primary: primary.clone(), owner: name.into(), key }));
    Host { _home: home, world }
}

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
    let dead = Handle { primary: primary.clone(), owner: "dead".into(), key: [0; 32] };
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
    let slow = Handle { primary: primary.clone(), owner: "slow".into(), key: [0; 32] };
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
