//! Fetches without being asked, so that who comes after hours of silence finds a living token. One timer for all tokens: it
//! sleeps until the nearest instant at which a request is of use, and nothing else wakes it but a change.

use super::{Broker, Subject, decide, ident};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, RemoteId, Target},
    engine::{
        backoff::Backoff,
        world::{World, lock},
    },
    providers::token::{Ask, Given, Origin},
    shared::News,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, broadcast, mpsc},
    time::Instant,
};

/// Requests at once.
const AT_ONCE: usize = 8;
/// A platform that gives the same token until it is dead is asked so long after at most; the jitter keeps fleets apart.
const JITTER_MS: u64 = 2_000;
/// How often is looked whether a refused credential was replaced by another process. Nothing is sent.
const REFUSED: Duration = Duration::from_secs(300);
/// What is waited for longer than this is looked at again: two clocks never run quite alike.
const FAR: Duration = Duration::from_secs(6 * 3600);

struct Timer {
    world: Arc<World>,
    broker: Broker,
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    known: HashMap<Target, Known>,
    by_number: HashMap<u64, Target>,
    next: u64,
    room: Arc<Semaphore>,
    done: mpsc::UnboundedSender<(Target, Result<Given, Reason>)>,
}

struct Known {
    /// Its entry in the heap; older ones are void.
    number: u64,
    backoff: Backoff,
    running: bool,
}

/// Runs until the world ends. For the one process that watches.
pub(in crate::engine) async fn run(world: Arc<World>) {
    if world.read_only {
        return;
    }
    let (done, mut ended) = mpsc::unbounded_channel();
    let broker = world.tokens().clone();
    let mut timer = Timer {
        world: world.clone(),
        broker: broker.clone(),
        heap: BinaryHeap::new(),
        known: HashMap::new(),
        by_number: HashMap::new(),
        next: 0,
        room: Arc::new(Semaphore::new(AT_ONCE)),
        done,
    };
    let mut moves = world.gate.moves();
    let mut epoch = moves.borrow().epoch;
    let mut news: Option<broadcast::Receiver<News>> = None;
    let listening = Listening(&broker);
    if let Some(Ok(shared)) = broker.connect(&world).await {
        // Before it was asked once it is not known to be away.
        let _ = shared.holder("answers").await;
        broker.agree_on_key(&world).await;
    }
    world.tell_shared().await;
    world.tell_status();
    timer.all().await;
    loop {
        if news.is_none() {
            news = broker.shared().map(|s| s.news());
        }
        let at = timer.heap.peek().map(|Reverse((at, _))| *at);
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = until(at) => timer.fire(),
            Some((target, result)) = ended.recv() => timer.ended(target, result).await,
            () = broker.0.changed.notified() => {
                let dirty = std::mem::take(&mut *lock(&broker.0.dirty));
                for target in dirty {
                    timer.schedule(&target, None).await;
                }
            }
            changed = moves.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = moves.borrow_and_update().epoch;
                // A clock was moved or the machine slept: sleeping timers do not notice either.
                if std::mem::replace(&mut epoch, now) != now {
                    timer.all().await;
                }
            }
            heard = heard(&mut news) => {
                let connection = matches!(heard, News::Back | News::Lost).then_some(heard == News::Back);
                timer.heard(heard).await;
                // From here on, what the others knew before was looked up.
                if let Some(there) = connection {
                    listening.begun(there);
                }
            }
        }
    }
}

/// While it stands, this process hears what other hosts change, and need not look before it hands out what lies here.
struct Listening<'a>(&'a Broker);

impl Listening<'_> {
    fn begun(&self, hears: bool) {
        self.0.0.listening.store(hears, Ordering::Relaxed);
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.begun(false);
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn heard(news: &mut Option<broadcast::Receiver<News>>) -> News {
    let Some(rx) = news else { return std::future::pending().await };
    match rx.recv().await {
        Ok(n) => n,
        // What was missed is looked up.
        Err(broadcast::error::RecvError::Lagged(_)) => News::Back,
        Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
    }
}

fn jitter() -> Duration {
    Duration::from_millis(1 + u64::from(getrandom::u32().unwrap_or(0)) % JITTER_MS)
}

impl Timer {
    /// Every account that is configured, and every one that was ever asked for.
    async fn all(&mut self) {
        self.broker.tidy(&self.world).await;
        let issuing: Vec<_> = self.world.gateways().into_iter().filter(|g| g.provider().issuer().is_some()).collect();
        let mut targets: Vec<Target> = Vec::new();
        for gateway in &issuing {
            targets.extend(gateway.settings.accounts.iter().map(|a| Target::account(&gateway.id, &RemoteId::new(&a.name))));
        }
        for kept in self.world.store.tokens().await.unwrap_or_default() {
            let gateway = GatewayId::new(&kept.gateway);
            if issuing.iter().any(|g| g.id == gateway) {
                targets.push(Target::account(&gateway, &RemoteId::new(&kept.account)));
            }
        }
        targets.sort_by_key(Target::id);
        targets.dedup();
        for target in targets {
            // Somebody may have asked for it at another host while nobody listened here.
            if let Ok(subject) = self.broker.subject(&target)
                && self.broker.shared().is_some()
                && subject.row().await.ok().flatten().is_some_and(|r| r.wiped().is_some())
            {
                let _ = self.broker.learn(&subject, false).await;
            }
            self.schedule(&target, None).await;
        }
    }

    /// Puts a target at its next instant, not before `wait` from now.
    async fn schedule(&mut self, target: &Target, wait: Option<Duration>) {
        let found = self.broker.subject(target).ok().filter(|s| s.is_configured());
        let Some(subject) = found else {
            // Its gateway or itself was removed.
            if let Some(known) = self.known.remove(target) {
                self.by_number.remove(&known.number);
            }
            return;
        };
        let due = self.due(&subject).await.max(wait.unwrap_or_default()).min(FAR);
        self.next += 1;
        let number = self.next;
        let known = self.known.entry(target.clone()).or_insert_with(|| Known { number, backoff: Backoff::new(), running: false });
        self.by_number.remove(&known.number);
        known.number = number;
        if !known.running {
            self.by_number.insert(number, target.clone());
            self.heap.push(Reverse((Instant::now() + due, number)));
        }
    }

    /// How long until a request is of use.
    async fn due(&self, subject: &Subject) -> Duration {
        let now = self.world.time.now();
        let Some(rules) = subject.gateway.provider().issuer().map(|i| i.rules()) else { return FAR };
        let row = subject.row().await.ok().flatten();
        if row.as_ref().is_some_and(|r| r.wiped().is_some()) {
            return FAR;
        }
        let held = row.as_ref().and_then(|r| r.hold.as_ref()).map_or(Duration::ZERO, |h| h.until.map_or(REFUSED, |u| u.left(&now).min(FAR)));
        let own = match decide::alive(row.as_ref(), &now) {
            Some(token) => decide::left(token, &now).saturating_sub(decide::early(&rules, decide::life(token))) + jitter(),
            None => jitter().min(Duration::from_millis(JITTER_MS / 4)),
        };
        own.max(held)
    }

    /// Asks for everything whose instant has come.
    fn fire(&mut self) {
        let now = Instant::now();
        while self.heap.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, number))) = self.heap.pop() else { return };
            let Some(target) = self.by_number.remove(&number) else { continue };
            let Some(known) = self.known.get_mut(&target) else { continue };
            known.running = true;
            let (broker, room, done) = (self.broker.clone(), self.room.clone(), self.done.clone());
            tokio::spawn(async move {
                let _room = room.acquire().await;
                let result = broker.due(&target).await;
                let _ = done.send((target, result));
            });
        }
    }

    async fn ended(&mut self, target: Target, result: Result<Given, Reason>) {
        let Some(known) = self.known.get_mut(&target) else { return };
        known.running = false;
        let wait = match &result {
            // Not asked, or asked without gain: not again at once.
            Ok(given) if given.origin == Origin::Cache && given.held.trouble.is_some() => Some(known.backoff.next(None)),
            Ok(given) if given.became == Some(crate::providers::token::Became::Unchanged) => Some(known.backoff.next(None)),
            Ok(_) => {
                known.backoff.well();
                None
            }
            Err(_) => Some(known.backoff.next(None)),
        };
        self.schedule(&target, wait).await;
        if result.is_err() {
            // A token was told of when it was kept; that there is none is told here.
            self.broker.tell(&target);
        }
    }

    /// Another host has changed something.
    async fn heard(&mut self, news: News) {
        if matches!(news, News::Lost | News::Back) {
            self.world.tell_status();
        }
        if matches!(news, News::Back) {
            self.broker.answers().await;
            self.broker.disagree();
            self.broker.agree_on_key(&self.world).await;
        }
        if matches!(news, News::Lost | News::Back) {
            self.world.tell_shared().await;
        }
        let targets: Vec<Target> = self.known.keys().cloned().collect();
        for target in targets {
            let Ok(subject) = self.broker.subject(&target) else { continue };
            let about = match &news {
                News::Token(name) => **name == *ident::name(&subject),
                News::Back => true,
                News::Lost => false,
            };
            if about && self.broker.learn(&subject, matches!(news, News::Back)).await.is_ok() {
                self.schedule(&target, None).await;
                self.broker.tell(&target);
            }
        }
    }
}

impl Broker {
    /// What the timer asks: a new one if its time has come, else nothing.
    async fn due(&self, target: &Target) -> Result<Given, Reason> {
        // It may have been taken out of the configuration since it was put down for this instant.
        let subject = self.subject(target).ok().filter(Subject::is_configured).ok_or(Reason::new(ReasonCode::Gone))?;
        let rules = subject.gateway.provider().issuer().map(|i| i.rules()).ok_or(Reason::new(ReasonCode::NotInVersion))?;
        let row = subject.row().await?;
        let now = subject.world.time.now();
        let early = decide::alive(row.as_ref(), &now).map_or(Duration::ZERO, |t| decide::early(&rules, decide::life(t)));
        self.ask(target, Ask { min_life: early, ..Ask::default() }, true).await
    }
}
