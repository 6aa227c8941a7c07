//! A made-up messaging system that is nothing like WhatsApp: devices instead of one link, no account list, a password
//! asked for in the middle of pairing, a secret that the server shows once. If the engine's model fits this and the real
//! providers, it is not one system's model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code, unreachable_pub)]

use pairdeck::{
    clock::{
        Limits,
        sample::{By, Interval, Sample, Subject},
    },
    domain::*,
    engine::{
        Mailbox, World,
        world::{Parts, Providers},
    },
    i18n::{Message, common, engine as words},
    providers::*,
    store::{Paths, Store, config, locks::ProcessLock},
    vault::Vault,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The far side: it outlives pairdeck's processes.
#[derive(Default)]
pub struct Server {
    /// uid → flag → token (empty: wiped).
    pub devices: BTreeMap<String, BTreeMap<u8, String>>,
    /// Every request, in order.
    pub log: Vec<String>,
    /// The request of this number (from 1) is where the caller is killed.
    pub kill: Option<(usize, Kill)>,
    /// The request of this number is carried out, and its answer lost.
    pub lose_reply: Option<usize>,
    /// Every request after so many gets no answer and is not carried out.
    pub away_after: Option<usize>,
    /// Somebody else's token, put in after the request of this number.
    pub meddle: Option<(usize, String)>,
    pub password: String,
    /// What becomes of the request of this number, where it is not simply carried out and answered.
    pub fates: BTreeMap<usize, Fate>,
    /// A request that arrives once more, behind the next one.
    pub late: Option<(u8, String, String)>,
}

/// How a request that changes something may go wrong. One that only reads is never lied to: it gets no answer instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Carried out; the answer is lost.
    Lose,
    /// Not carried out; an error comes.
    Refuse,
    /// Not carried out; it is said that it was.
    Lie,
    /// Carried out, and once more behind the next request.
    Repeat,
}

/// When the caller dies, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The request never arrives.
    Before,
    /// It was carried out; the answer never arrives.
    After,
}

pub type Shared = Arc<Mutex<Server>>;

pub static SPEC: KindSpec = KindSpec {
    kind: "toy",
    name: "Toy",
    platform: "Toy",
    limits: Limits::DEFAULT,
    secrets: &[],
    account_secrets: &[],
    verbs: &[],
    methods: &[MethodSpec { method: Method::Code, needs_number: false }],
    poll_seen: Duration::from_secs(5),
    poll_unseen: Duration::from_secs(60),
    poll_events: Duration::from_secs(30),
    phone_qr: &[],
    phone_code: &[],
};

pub struct Toy(pub Shared);

impl Toy {
    /// One request. Where the caller is to be killed it never returns; the test drops the future.
    async fn call<R>(&self, what: String, act: impl FnOnce(&mut Server) -> R) -> Result<R, Reason> {
        let (die, result) = {
            let mut s = self.0.lock().unwrap();
            s.log.push(what);
            let n = s.log.len();
            if s.away_after.is_some_and(|last| n > last) {
                return Err(Reason::new(ReasonCode::Unreachable));
            }
            if let Some(fate) = s.fates.get(&n).copied() {
                if matches!(fate, Fate::Lie | Fate::Repeat) && s.log[n - 1].starts_with("read ") {
                    return Err(Reason::new(ReasonCode::Slow));
                }
                match fate {
                    Fate::Refuse => return Err(Reason::new(ReasonCode::ServerError)),
                    Fate::Lie => {
                        let mut other = Server { devices: s.devices.clone(), ..Server::default() };
                        return Ok(act(&mut other));
                    }
                    Fate::Lose => {
                        act(&mut s);
                        return Err(Reason::new(ReasonCode::Slow));
                    }
                    Fate::Repeat => {
                        let before = s.devices.clone();
                        let done = act(&mut s);
                        s.late = s
                            .devices
                            .iter()
                            .flat_map(|(uid, flags)| flags.iter().map(move |(f, t)| (*f, uid.clone(), t.clone())))
                            .find(|(f, uid, t)| before[uid][f] != *t);
                        return Ok(done);
                    }
                }
            }
            if let Some((flag, uid, token)) = s.late.take() {
                let done = act(&mut s);
                set(&mut s, &uid, flag, token);
                return Ok(done);
            }
            match s.kill {
                Some((at, Kill::Before)) if at == n => (true, None),
                Some((at, Kill::After)) if at == n => (true, Some(act(&mut s))),
                _ => (false, Some(act(&mut s))),
            }
        };
        if die {
            std::future::pending::<()>().await;
        }
        let mut s = self.0.lock().unwrap();
        if let Some((at, token)) = s.meddle.clone()
            && at == s.log.len()
        {
            s.meddle = None;
            for flags in s.devices.values_mut() {
                for t in flags.values_mut() {
                    t.clone_from(&token);
                }
            }
        }
        if s.lose_reply == Some(s.log.len()) {
            return Err(Reason::new(ReasonCode::Slow));
        }
        Ok(result.unwrap())
    }

    fn read(&self, cx: &Cx) -> Vec<Row> {
        let now = cx.time.now();
        let mut rows = Vec::new();
        for (uid, flags) in &self.0.lock().unwrap().devices {
            let row = |device: Option<RemoteId>, label: &str, state| Row {
                gateway: cx.gateway.clone(),
                account: RemoteId::new(uid),
                device,
                incarnation: None,
                label: Clean::new(label),
                identity: None,
                link: Link { state, since: None, observed_at: Some(now), source: Source::Probe, reason: None, witnesses: vec![] },
                tokens: vec![],
                facts: vec![],
            };
            rows.push(row(None, uid, State::Online));
            for (flag, token) in flags {
                let state = if token.is_empty() { State::LoggedOut } else { State::Online };
                rows.push(row(Some(RemoteId::new(&flag.to_string())), &format!("flag {flag}"), state));
            }
        }
        rows
    }

    fn flags(&self, at: &Target) -> Vec<u8> {
        let s = self.0.lock().unwrap();
        let all = s.devices.get(at.account.as_str()).cloned().unwrap_or_default();
        match &at.device {
            Some(d) => vec![d.as_str().parse().unwrap()],
            None => all.into_keys().collect(),
        }
    }
}

fn step(id: String, replay: Replay) -> Step {
    Step { id: id.into(), words: Message::new(&common::UNKNOWN), replay, clock: false }
}

fn parts(op: &Op, step: &str) -> (String, u8, String) {
    let (verb, flag) = step.split_once(':').unwrap();
    (verb.to_owned(), flag.parse().unwrap(), op.target.account.as_str().to_owned())
}

fn new_token(op: &Op) -> String {
    op.plan.as_ref().unwrap().sealed["token"].expose().to_owned()
}

impl Provider for Toy {
    fn spec(&self) -> &'static KindSpec {
        &SPEC
    }

    fn can(&self, row: &Row, action: &Action, _: &GatewayFacts) -> Result<Effect, Not> {
        let effect = |tier| Effect { tier, loses: vec![], says: Message::new(&words::OP_DONE), restorable: false };
        match action {
            Action::Wipe | Action::Pair => Ok(effect(Tier::Swift)),
            Action::Regenerate if row.device.is_some() => Ok(effect(Tier::Swift)),
            _ => Err(Not::Unsupported(Message::new(&common::NO))),
        }
    }

    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(async move {
            // No list: what is watched comes from the configuration, and is never complete.
            let _ = out.send(Report::All { rows: self.read(cx), complete: false }).await;
            let mut seen = cx.seen.clone();
            loop {
                tokio::select! {
                    () = cx.cancel.cancelled() => return Reason::new(ReasonCode::Cancelled),
                    _ = seen.changed() => {}
                }
                let _ = out.send(Report::Part(self.read(cx))).await;
            }
        })
    }

    fn look<'a>(&'a self, cx: &'a Cx, _: Option<&'a Target>, _: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(async move {
            cx.samples.push(Sample {
                gateway: Some(cx.gateway.clone()),
                subject: Subject::Gateway,
                by: By::Date,
                interval: Some(Interval { lo_ms: -600, hi_ms: 400 }),
                at: cx.time.now(),
                probes: 1,
                detail: Clean::new(""),
                server: None,
            });
            Ok(Report::All { rows: self.read(cx), complete: false })
        })
    }

    fn plan<'a>(&'a self, _: &'a Cx, at: &'a Target, action: &'a Action, _: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(async move {
            let mut sealed = Secrets::new();
            let steps = match action {
                Action::Wipe => self.flags(at).iter().map(|f| step(format!("quit:{f}"), Replay::Free)).collect(),
                _ => {
                    let f = self.flags(at)[0];
                    let mut raw = [0u8; 16];
                    getrandom::fill(&mut raw).unwrap();
                    sealed.insert("token".into(), Secret::new(raw.iter().map(|b| format!("{b:02x}")).collect()));
                    vec![
                        step(format!("quit:{f}"), Replay::AfterCheck),
                        step(format!("token:{f}"), Replay::AfterCheck),
                        step(format!("verify:{f}"), Replay::Free),
                    ]
                }
            };
            Ok(Plan { v: 1, action: action.clone(), target: at.clone(), steps, pivot: 0, loses: vec![], clear: serde_json::json!({}), sealed })
        })
    }

    fn check<'a>(&'a self, _: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(async move {
            let (verb, flag, uid) = parts(op, step);
            let Ok(now) = self.call(format!("read {uid}"), |s| s.devices.get(&uid).and_then(|d| d.get(&flag)).cloned()).await else {
                return Finding::CannotTell(Reason::new(ReasonCode::Slow));
            };
            match (verb.as_str(), now) {
                ("quit", Some(t)) if t.is_empty() => Finding::Done,
                ("quit", Some(_)) => Finding::NotDone,
                ("token" | "verify", Some(t)) if t == new_token(op) => Finding::Done,
                ("token" | "verify", Some(t)) if t.is_empty() => Finding::NotDone,
                ("token" | "verify", Some(_)) => Finding::Foreign(Reason::new(ReasonCode::Foreign)),
                _ => Finding::CannotTell(Reason::new(ReasonCode::Gone)),
            }
        })
    }

    fn run<'a>(&'a self, _: &'a Cx, op: &'a Op, step: &'a str, _: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(async move {
            let (verb, flag, uid) = parts(op, step);
            let done = match verb.as_str() {
                "quit" => self.call(format!("quit {uid}/{flag}"), |s| set(s, &uid, flag, String::new())).await,
                "token" => {
                    let token = new_token(op);
                    self.call(format!("token {uid}/{flag}"), |s| set(s, &uid, flag, token)).await
                }
                _ => {
                    let token = new_token(op);
                    let same = self.call(format!("read {uid}"), |s| s.devices[&uid][&flag] == token).await;
                    match same {
                        Ok(true) => Ok(()),
                        Ok(false) => return StepEnd::Failed { why: Reason::new(ReasonCode::Foreign), sent: false },
                        Err(why) => Err(why),
                    }
                }
            };
            match done {
                Ok(()) => StepEnd::done(),
                Err(why) => StepEnd::Failed { why, sent: true },
            }
        })
    }

    fn back<'a>(&'a self, _: &'a Cx, _: &'a Op, _: &'a str) -> Fut<'a, StepEnd> {
        Box::pin(std::future::ready(StepEnd::done()))
    }

    fn pair<'a>(&'a self, _: &'a Cx, at: &'a Target, _: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        let pairing = ToyPairing { server: self.0.clone(), uid: at.account.as_str().to_owned(), at: 0 };
        Box::pin(std::future::ready(Ok(Box::new(pairing) as Box<dyn Pairing>)))
    }

    fn reveal<'a>(&'a self, _: &'a Cx, _: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(std::future::ready(Err(Reason::new(ReasonCode::NotFound))))
    }
}

fn set(s: &mut Server, uid: &str, flag: u8, token: String) {
    s.devices.entry(uid.to_owned()).or_default().insert(flag, token);
}

struct ToyPairing {
    server: Shared,
    uid: String,
    at: u8,
}

impl Pairing for ToyPairing {
    fn next<'a>(&'a mut self, cx: &'a Cx, answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            self.at += 1;
            let now = cx.time.now();
            match self.at {
                1 => PairEvent::Waiting(Reason::new(ReasonCode::Asking)),
                2 => PairEvent::Offer(Ungated::new(Offer {
                    n: 0,
                    kind: OfferKind::Code,
                    payload: Payload::code("AB12-CD34").unwrap(),
                    issued: now,
                    dies: now.boot_now().plus(Duration::from_secs(30)),
                    expires_at: now.wall.plus_ms(30_000),
                    fresh: Fresh::Event,
                })),
                3 => PairEvent::Scanned,
                4 => PairEvent::Ask(Prompt { kind: PromptKind::Password, words: Message::new(&common::UNKNOWN), hint: None, wrong: 0 }),
                5 => {
                    let given = answer.map(|a| a.expose().to_owned()).unwrap_or_default();
                    if given != self.server.lock().unwrap().password {
                        self.at = 4;
                        return PairEvent::Ask(Prompt { kind: PromptKind::Password, words: Message::new(&common::UNKNOWN), hint: None, wrong: 1 });
                    }
                    // Shown once: it must be committed before anything else happens.
                    PairEvent::Got(Secrets::from([("session".to_owned(), Secret::new("minted-once-0123456789".into()))]))
                }
                6 => {
                    self.server.lock().unwrap().log.push("asked after got".into());
                    let row = Row {
                        gateway: cx.gateway.clone(),
                        account: RemoteId::new(&self.uid),
                        device: None,
                        incarnation: None,
                        label: Clean::new(&self.uid),
                        identity: None,
                        link: Link {
                            state: State::Online,
                            since: None,
                            observed_at: Some(now),
                            source: Source::Events,
                            reason: None,
                            witnesses: vec![],
                        },
                        tokens: vec![],
                        facts: vec![],
                    };
                    PairEvent::Linked(Box::new(row))
                }
                _ => std::future::pending().await,
            }
        })
    }

    fn end<'a>(self: Box<Self>, _: &'a Cx) -> Fut<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One process on a home: a store, a lock, a world.
pub struct Process {
    pub world: Arc<World>,
    pub mailbox: Mailbox,
    _lock: ProcessLock,
}

/// Starts a process on `home`. `key` is one vault for all processes of a test.
pub async fn process(home: &Path, server: &Shared, vault: &Vault, time: Arc<dyn Time>, read_only: bool) -> Process {
    process_with(home, server, vault, time, (read_only, config::Clock::default())).await
}

/// The same with what the configuration says of clocks.
pub async fn process_with(home: &Path, server: &Shared, vault: &Vault, time: Arc<dyn Time>, (read_only, clock): (bool, config::Clock)) -> Process {
    let paths = Paths::in_home(home);
    let store = Store::open_in_place(&paths, vault.clone(), time.clone()).unwrap();
    let lock = ProcessLock::take(&paths).unwrap();
    let mailbox = Mailbox::new();
    let shared = server.clone();
    let providers: Providers = Arc::new(move |kind| (kind == "toy").then(|| Arc::new(Toy(shared.clone())) as Arc<dyn Provider>));
    let gateway = config::Gateway::new("g", "toy", "http://127.0.0.1:9");
    let world = World::new(Parts {
        gateways: vec![gateway],
        clock,
        shared: None,
        store,
        vault: vault.clone(),
        time,
        mailbox: mailbox.clone(),
        read_only,
        providers,
        paths,
        owner: lock.name().into(),
        lock: None,
    });
    world.load_secrets().await.unwrap();
    let gateway = world.gateways().remove(0);
    let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
    let report = Toy(server.clone()).look(&cx, None, Look::All).await.unwrap();
    world.take(&gateway, report);
    Process { world, mailbox, _lock: lock }
}
