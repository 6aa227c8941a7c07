//! A store that several hosts share, in memory: what the real scripts do, step by step and under virtual time.

use super::platform::Bench;
use crate::{
    domain::{Clean, Fingerprint, Reason, ReasonCode, Secret},
    engine::{World, tokens::timer},
    providers::Fut,
    shared::{Gone, Lease, Mirror, News, Put, Shared, SharedToken, mark},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};

pub(super) struct Kept {
    token: Secret,
    generation: u64,
    put: Instant,
    dies: Instant,
    by: Clean,
    renewed: bool,
    good: Option<Instant>,
}

impl Kept {
    pub(super) fn of(token: &SharedToken) -> Self {
        let now = Instant::now();
        let (by, renewed, generation) = (token.by.clone(), token.renewed, token.generation);
        Self { token: token.token.clone(), generation, put: now - token.age, dies: now + token.left, by, renewed, good: None }
    }
}

/// What is left of a forgotten one.
#[derive(Default)]
pub(super) struct Left {
    mark: Option<Box<str>>,
    dies: Option<Instant>,
    wiped: Option<Instant>,
    replaced: Option<Instant>,
}

/// What a Redis primary would hold.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) leases: HashMap<String, (String, Instant)>,
    pub(super) fences: HashMap<String, u64>,
    pub(super) tokens: HashMap<String, Kept>,
    pub(super) gone: HashMap<String, Left>,
    mirrors: usize,
    prints: Option<[u8; 32]>,
    down: bool,
    hangs: bool,
    asked: usize,
    pub(super) forgotten: usize,
}

pub(super) struct Primary {
    pub(super) memory: Mutex<Memory>,
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
        (m.tokens, m.gone, m.leases, m.fences, m.prints) = Default::default();
    }
    /// Takes connections and answers nothing.
    pub(super) fn hang(&self, hangs: bool) {
        self.memory.lock().unwrap().hangs = hangs;
    }
    /// Questions for tokens that reached it.
    pub(super) fn asked(&self) -> usize {
        self.memory.lock().unwrap().asked
    }
    /// Another process uses it.
    pub(super) fn joins(self: &Arc<Self>, world: &Arc<World>, name: &str) {
        let key = world.store().fingerprint_key().into();
        world.tokens().share(Arc::new(Handle { primary: self.clone(), owner: name.into(), key }));
    }
    pub(super) fn set_down(&self, down: bool) {
        self.memory.lock().unwrap().down = down;
    }
}

/// One host's handle: it has a fingerprint key of its own, as hosts have before they agree.
pub(super) struct Handle {
    pub(super) primary: Arc<Primary>,
    pub(super) owner: String,
    pub(super) key: Mutex<[u8; 32]>,
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
                let kept = Kept { generation: lease.fence, ..Kept::of(token) };
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
            if self.with(|m| m.hangs)? {
                std::future::pending::<()>().await;
            }
            self.with(|m| {
                m.asked += 1;
                let now = Instant::now();
                m.tokens.get(name).filter(|t| t.dies > now).map(|t| SharedToken {
                    token: t.token.clone(),
                    fingerprint: Fingerprint::of(&self.key.lock().unwrap(), &t.token),
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
                left.replaced = gone.replaced.map(|age| now - age).or(left.replaced);
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
                    replaced: g.replaced.map(|at| now - at),
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
    fn print_key<'a>(&'a self, mine: &'a [u8; 32]) -> Fut<'a, Result<[u8; 32], Reason>> {
        Box::pin(async move { self.with(|m| *m.prints.get_or_insert(*mine)) })
    }
    fn prints_with(&self, key: [u8; 32]) {
        *self.key.lock().unwrap() = key;
    }
    fn news(&self) -> broadcast::Receiver<News> {
        let heard = self.primary.news.subscribe();
        // As the real one: who begins to listen looks first. Whoever listens already looks once more.
        self.primary.back();
        heard
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
    primary.joins(&world, name);
    Host { _home: home, world }
}

/// Two hosts that hear each other's news.
pub(super) async fn listening(b: &Bench, primary: &Arc<Primary>) -> (Host, Host) {
    let both = (host(b, primary, "one").await, host(b, primary, "two").await);
    for h in [&both.0, &both.1] {
        tokio::spawn(timer::run(h.world.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    both
}
