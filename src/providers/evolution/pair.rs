//! Pairing: drives an [`Attempt`] with the server's calls and with an event stream of its own.

use super::{
    api::Api,
    attempt::{Attempt, Do, Heard, Start},
    events::{Frame, NoStream, Stream},
    fresh::{LIFE, Parts},
    one, plans,
};
use crate::{
    domain::{Answer, Method, Reason, ReasonCode, Stamp, Target, Want},
    providers::{Cx, Fut, PairEvent, Pairing},
};
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How long the stream may take to open before the attempt begins without it.
const STREAM_FIRST: Duration = Duration::from_secs(3);
/// Pause between two tries to enter the instance's namespace, which exists only after its first event.
const REJOIN: Duration = Duration::from_secs(1);
/// How long calls in flight are awaited at the end.
const LAST_CALLS: Duration = Duration::from_secs(12);
/// Key sets remembered per instance.
const REMEMBERED: usize = 8;

/// True for digits with country code: 7 to 15, no leading zero.
pub(super) fn is_number(n: &str) -> bool {
    (7..=15).contains(&n.len()) && !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit())
}

/// See [`crate::providers::Provider::pair`].
pub(super) async fn begin(cx: &Cx, at: &Target, want: Want) -> Result<Box<dyn Pairing>, Reason> {
    match (want.method, want.number.as_deref()) {
        (Method::Code, None | Some("")) => return Err(Reason::new(ReasonCode::NumberNeeded)),
        (Method::Code, Some(n)) if !is_number(n) => return Err(Reason::new(ReasonCode::NumberInvalid)),
        _ => {}
    }
    let api = Api::new(cx)?;
    let name: Box<str> = at.account.as_str().into();
    let row = api.find(&name).await?.ok_or_else(|| Reason::new(ReasonCode::Gone))?;
    if at.incarnation.is_some() && row.id != at.incarnation {
        return Err(Reason::new(ReasonCode::Foreign));
    }
    let target = Target { incarnation: row.id.clone(), ..at.clone() };
    let memo = format!("pair:{}", row.id.as_deref().unwrap_or(&name));
    let past = Past::read(cx.memo.get(&memo).await.as_ref());
    let (tx, heard) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    if cx.settings.events {
        let (ready, up) = oneshot::channel();
        tasks.spawn(listen(api.clone(), name.clone(), tx.clone(), ready));
        // Listening first, asking second: an event counts only if it comes after our request.
        let _ = timeout(STREAM_FIRST, up).await;
    }
    let state = api.state(&name).await?;
    if state.as_deref() == Some("open") {
        return Err(Reason::new(ReasonCode::AlreadyOnline));
    }
    let ours = past.ours(&cx.time.now());
    let known: Vec<u64> = past.known.clone();
    let number = want.number.clone().filter(|_| want.method == Method::Code);
    let attempt = Attempt::new(want, &Start { row: &row, state: state.as_deref(), known: &known, ours }, Instant::now());
    Ok(Box::new(Running { api, name, number, target, memo, past, attempt, heard, tx, tasks, calls: JoinSet::new(), out: VecDeque::new() }))
}

/// What is remembered of earlier sessions of an instance: hashes only.
#[derive(Clone, Debug, Default)]
struct Past {
    known: Vec<u64>,
    last: Option<(Parts, Stamp)>,
}

impl Past {
    fn read(v: Option<&Value>) -> Self {
        let Some(v) = v else { return Self::default() };
        let hex = |v: &Value| u64::from_str_radix(v.as_str()?, 16).ok();
        let known = v["known"].as_array().map(|a| a.iter().filter_map(hex).collect()).unwrap_or_default();
        let last = (|| {
            let at: Stamp = serde_json::from_value(v["last"]["at"].clone()).ok()?;
            Some((Parts { keys: hex(&v["last"]["keys"])?, ref_: hex(&v["last"]["ref"])? }, at))
        })();
        Self { known, last }
    }

    fn write(&self) -> Value {
        let hex = |n: u64| format!("{n:016x}");
        json!({
            "known": self.known.iter().map(|k| hex(*k)).collect::<Vec<_>>(),
            "last": self.last.as_ref().map(|(p, at)| json!({ "keys": hex(p.keys), "ref": hex(p.ref_), "at": at })),
        })
    }

    fn add(&mut self, p: Parts, proven: bool, at: Stamp) {
        self.known.retain(|k| *k != p.keys);
        self.known.push(p.keys);
        let cut = self.known.len().saturating_sub(REMEMBERED);
        self.known.drain(..cut);
        if proven {
            self.last = Some((p, at));
        }
    }

    /// The session that an attempt of ours proved so lately that its code still lives.
    fn ours(&self, now: &Stamp) -> Option<(Parts, Duration)> {
        let (parts, at) = self.last.as_ref()?;
        let age = at.age(now);
        (at.exact(now) && age < LIFE + Duration::from_secs(5)).then_some((*parts, age))
    }
}

struct Running {
    api: Api,
    name: Box<str>,
    number: Option<Box<str>>,
    target: Target,
    memo: String,
    past: Past,
    attempt: Attempt,
    heard: mpsc::Receiver<Heard>,
    tx: mpsc::Sender<Heard>,
    /// The stream.
    tasks: JoinSet<()>,
    /// Calls in flight: never dropped.
    calls: JoinSet<()>,
    out: VecDeque<PairEvent>,
}

impl Running {
    fn call<F, T>(&mut self, call: F, wrap: fn(T) -> Heard)
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let tx = self.tx.clone();
        self.calls.spawn(async move {
            let answer = call.await;
            let _ = tx.send(wrap(answer)).await;
        });
    }

    async fn act(&mut self, cx: &Cx) {
        for d in self.attempt.take() {
            let (api, name) = (self.api.clone(), self.name.clone());
            match d {
                Do::Connect => {
                    let number = self.number.clone();
                    self.call(async move { api.connect(&name, number.as_deref()).await }, Heard::Connected);
                }
                Do::State => self.call(async move { api.state(&name).await }, Heard::State),
                Do::Logout => self.call(async move { api.logout(&name).await }, Heard::LoggedOut),
                Do::Row => self.call(async move { api.find(&name).await }, Heard::Row),
                Do::Remember(parts, proven) => {
                    self.past.add(parts, proven, cx.time.now());
                    // A memory that cannot be kept costs a proof later, not the attempt now.
                    let _ = cx.memo.put(&self.memo, self.past.write()).await;
                }
                Do::Waiting(r) => self.out.push_back(PairEvent::Waiting(r)),
                Do::Offer(o) => self.out.push_back(PairEvent::Offer(o)),
                Do::Discarded(r) => self.out.push_back(PairEvent::Discarded(r)),
                Do::Expired => self.out.push_back(PairEvent::Expired),
                Do::Scanned => self.out.push_back(PairEvent::Scanned),
                Do::NeedsWipe(r) => self.out.push_back(PairEvent::Needs(plans::wipe_plan(self.target.clone()), r)),
                Do::Failed(r) => self.out.push_back(PairEvent::Failed(r)),
                Do::Linked => {
                    self.past.last = None;
                    let _ = cx.memo.put(&self.memo, self.past.write()).await;
                    self.out.push_back(match one(cx, &self.api, &self.name).await {
                        Ok(Some(row)) => PairEvent::Linked(Box::new(row)),
                        Ok(None) => PairEvent::Failed(Reason::new(ReasonCode::Gone)),
                        Err(r) => PairEvent::Failed(r),
                    });
                }
            }
        }
    }
}

impl Pairing for Running {
    fn next<'a>(&'a mut self, cx: &'a Cx, _answer: Option<Answer>) -> Fut<'a, PairEvent> {
        Box::pin(async move {
            if self.out.is_empty() && self.attempt.waits_for_person() {
                self.attempt.go_on(Instant::now());
            }
            loop {
                self.act(cx).await;
                if let Some(event) = self.out.pop_front() {
                    return event;
                }
                if self.attempt.over() {
                    return PairEvent::Failed(Reason::new(ReasonCode::Cancelled));
                }
                while self.calls.try_join_next().is_some() {}
                tokio::select! {
                    () = cx.cancel.cancelled() => return PairEvent::Failed(Reason::new(ReasonCode::Cancelled)),
                    heard = self.heard.recv() => {
                        let Some(heard) = heard else { return PairEvent::Failed(Reason::new(ReasonCode::Internal)) };
                        self.attempt.on(heard, Instant::now(), cx.time.now());
                    }
                    () = sleep_until(self.attempt.wake()) => self.attempt.tick(Instant::now(), cx.time.now()),
                }
            }
        })
    }

    fn end<'a>(mut self: Box<Self>, _cx: &'a Cx) -> Fut<'a, ()> {
        Box::pin(async move {
            self.tasks.shutdown().await;
            // Answers go nowhere now; the calls themselves are awaited, so that nothing is cut off half way.
            self.heard.close();
            let _ = timeout(LAST_CALLS, async { while self.calls.join_next().await.is_some() {} }).await;
        })
    }
}

/// Listens for one name on the root and in its namespace until the attempt ends.
async fn listen(api: Api, name: Box<str>, tx: mpsc::Sender<Heard>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    let mut pause = Duration::from_millis(500);
    loop {
        match Stream::open(&api).await {
            Ok(mut stream) => {
                stream.join(&name);
                pause = Duration::from_millis(500);
                hear(&api, &mut stream, &name, &tx, &mut ready).await;
            }
            // There is none: asking does.
            Err(NoStream::Off | NoStream::Key) => return,
            Err(NoStream::Lost(_)) => {}
        }
        ready.take();
        if tx.send(Heard::StreamGone).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(8));
    }
}

async fn hear(api: &Api, stream: &mut Stream, name: &str, tx: &mpsc::Sender<Heard>, ready: &mut Option<oneshot::Sender<()>>) {
    let mut rejoin: Option<Instant> = None;
    loop {
        let frame = tokio::select! {
            frame = stream.next() => frame,
            () = async { match rejoin { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                rejoin = None;
                stream.join(name);
                continue;
            }
        };
        match frame {
            Ok(Frame::Joined(_)) => {
                if let Some(r) = ready.take() {
                    let _ = r.send(());
                }
            }
            Ok(Frame::NoNamespace(_)) => rejoin = Some(Instant::now() + REJOIN),
            Ok(Frame::Denied(_)) => {}
            Ok(Frame::Event(e, _)) => {
                api.heard(e.local_ms);
                if *e.name == *name && tx.send(Heard::Event(e.what)).await.is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
