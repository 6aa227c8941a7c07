//! The watch of one gateway: the list at an interval, the stream in between, memory states from whatever tells them.

mod hear;

use super::{
    SPEC,
    api::Api,
    events::{NoStream, Stream, can_join},
    state::{self, Memory},
    wire::List,
};
use crate::{
    domain::{Clean, Reason, ReasonCode, Row, Source, Stamp},
    i18n::{Message, evolution as w},
    providers::{Cx, Feed, GatewayFacts, Report, Tx},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Longest pause between two tries of the stream.
const RETRY_MOST: Duration = Duration::from_secs(60);
/// Shortest pause between two lists that events ask for.
const HURRY: Duration = Duration::from_secs(1);
/// Most namespaces asked for on one stream.
const MOST_SPACES: usize = 1_000;
/// Changes within this time are joined into one report: a server may send 2,000 events in minutes (issue 765 there).
const SETTLE: Duration = Duration::from_millis(50);

/// Rows that say what they said are told anew this often.
const CONFIRM: Duration = Duration::from_secs(50);

struct Watch<'a> {
    cx: &'a Cx,
    api: Api,
    out: Tx<Report>,
    listed: Option<(List, Stamp)>,
    index: HashMap<Box<str>, usize>,
    memory: BTreeMap<Box<str>, Memory>,
    /// What was last reported of each row, as [`state::story`].
    sent: HashMap<Box<str>, u64>,
    /// Hash of the list's bytes as last decoded.
    body: Option<u64>,
    facts: GatewayFacts,
    facts_sent: bool,
    /// The root namespace was heard to talk: events of all rows come.
    global: bool,
    spaces: BTreeSet<Box<str>>,
    metrics: Option<bool>,
    /// That the stream does not open was said once.
    told_lost: bool,
    /// When rows were last told though nothing had changed.
    confirmed: Option<Stamp>,
    /// Names with events since the last report.
    dirty: BTreeSet<Box<str>>,
}

enum Tried {
    Open(Box<Stream>),
    No(NoStream),
}

/// See [`crate::providers::Provider::watch`].
pub(super) async fn watch(cx: &Cx, out: Tx<Report>) -> Reason {
    let api = match Api::new(cx) {
        Ok(api) => api,
        Err(r) => return r,
    };
    let mut w = Watch {
        cx,
        api,
        out,
        listed: None,
        index: HashMap::new(),
        memory: BTreeMap::new(),
        sent: HashMap::new(),
        confirmed: None,
        body: None,
        facts: GatewayFacts { whole: true, ..GatewayFacts::default() },
        facts_sent: false,
        global: matches!(cx.memo.get("feed").await, Some(v) if v["global"] == true),
        spaces: BTreeSet::new(),
        metrics: None,
        told_lost: false,
        dirty: BTreeSet::new(),
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Reason::new(ReasonCode::Cancelled),
        r = w.run() => r,
    }
}

impl Watch<'_> {
    async fn run(&mut self) -> Reason {
        if let Err(r) = self.poll().await {
            return r;
        }
        // Beside, never before the first list: these may take seconds.
        let api = self.api.clone();
        let mut version = Box::pin(async move { (api.version().await, api.is_global().await) });
        let mut asked = false;
        let mut stream: Option<Box<Stream>> = None;
        let mut opening = self.cx.settings.events.then(|| Box::pin(open(self.api.clone())));
        let mut retry: Option<Instant> = None;
        let mut pause = Duration::from_secs(1);
        let mut seen = self.cx.seen.clone();
        let mut refresh = seen.borrow_and_update().refresh;
        let mut last = Instant::now();
        let (mut now_due, mut hurry) = (false, false);
        let mut settle: Option<Instant> = None;
        let never = Instant::now() + Duration::from_secs(86_400 * 365);
        loop {
            let next = match (now_due, hurry) {
                (true, _) => last,
                (_, true) => last + HURRY,
                _ => last + self.interval(stream.is_some()),
            };
            tokio::select! {
                (told, global) = &mut version, if !asked => {
                    asked = true;
                    self.facts.version = told.as_deref().map(Clean::new);
                    if let Ok(false) = global {
                        self.narrow();
                    }
                    self.facts_sent = false;
                }
                tried = async { match &mut opening { Some(o) => o.await, None => std::future::pending().await } } => {
                    opening = None;
                    match tried {
                        Tried::Open(mut s) => {
                            self.join(&mut s);
                            stream = Some(s);
                            self.told_lost = false;
                            pause = Duration::from_secs(1);
                        }
                        Tried::No(NoStream::Key) => self.warn(Message::new(&w::WARN_EVENTS_REFUSED)),
                        Tried::No(NoStream::Off) => self.warn(Message::new(&w::WARN_EVENTS_OFF)),
                        Tried::No(NoStream::Lost(why)) => {
                            if !self.told_lost {
                                self.told_lost = true;
                                let why = Reason { code: ReasonCode::EventsLost, ..why };
                                self.send(Report::Trouble(why)).await;
                            }
                            retry = Some(Instant::now() + jitter(pause));
                            pause = (pause * 2).min(RETRY_MOST);
                        }
                    }
                }
                frame = async { match &mut stream { Some(s) => s.next().await, None => std::future::pending().await } } => {
                    match frame {
                        Ok(frame) => {
                            if self.hear(frame).await && settle.is_none() {
                                settle = Some(Instant::now() + SETTLE);
                            }
                        }
                        Err(r) => {
                            stream = None;
                            self.spaces.clear();
                            // What memory said is no longer kept up to date.
                            self.memory.retain(|_, m| m.source != Source::Events);
                            retry = Some(Instant::now() + jitter(pause));
                            pause = (pause * 2).min(RETRY_MOST);
                            if !self.send(Report::Trouble(r)).await {
                                return Reason::new(ReasonCode::Cancelled);
                            }
                            hurry = true;
                        }
                    }
                }
                () = sleep_until(retry.unwrap_or(never)), if retry.is_some() => {
                    retry = None;
                    opening = Some(Box::pin(open(self.api.clone())));
                }
                () = sleep_until(settle.unwrap_or(never)), if settle.is_some() => {
                    settle = None;
                    if self.flush().await {
                        hurry = true;
                    }
                }
                changed = seen.changed() => {
                    if changed.is_err() {
                        return Reason::new(ReasonCode::Cancelled);
                    }
                    let now = seen.borrow_and_update().clone();
                    if now.refresh != refresh {
                        refresh = now.refresh;
                        now_due = true;
                    }
                }
                () = sleep_until(next) => {
                    if let Err(r) = self.poll().await {
                        return r;
                    }
                    last = Instant::now();
                    (now_due, hurry) = (false, false);
                    if let Some(s) = &mut stream {
                        self.join(s);
                    }
                }
            }
            self.feed(stream.is_some());
            if !self.facts_sent {
                self.facts_sent = true;
                let facts = self.facts.clone();
                if !self.send(Report::Gateway(facts)).await {
                    return Reason::new(ReasonCode::Cancelled);
                }
            }
        }
    }

    fn interval(&self, streaming: bool) -> Duration {
        if streaming && self.facts.feed == Feed::Events {
            SPEC.poll_events
        } else if self.cx.seen.borrow().on_screen {
            SPEC.poll_seen
        } else {
            SPEC.poll_unseen
        }
    }

    fn feed(&mut self, streaming: bool) {
        let feed = match (streaming, self.global, self.spaces.len()) {
            (false, ..) | (true, false, 0) => Feed::Polling,
            (true, true, _) => Feed::Events,
            (true, false, n) if n >= self.index.len() => Feed::Events,
            _ => Feed::SomeEvents,
        };
        if feed != self.facts.feed {
            self.facts.feed = feed;
            self.facts_sent = false;
        }
    }

    fn narrow(&mut self) {
        if self.facts.whole {
            self.facts.whole = false;
            self.warn(Message::new(&w::WARN_NARROW));
        }
    }

    fn warn(&mut self, m: Message) {
        if !self.facts.warnings.contains(&m) {
            self.facts.warnings.retain(|x| x.words != m.words);
            self.facts.warnings.push(m);
            self.facts_sent = false;
        }
    }

    async fn send(&self, r: Report) -> bool {
        self.out.send(r).await.is_ok()
    }

    /// Asks for the namespaces of rows that have one and were not entered yet.
    fn join(&self, s: &mut Stream) {
        let Some((list, _)) = &self.listed else { return };
        for row in list.rows.iter().filter(|r| r.websocket && can_join(&r.name) && !self.spaces.contains(&r.name)).take(MOST_SPACES) {
            s.join(&row.name);
        }
    }

    /// Reads the list and what memory says, and reports what changed.
    async fn poll(&mut self) -> Result<(), Reason> {
        let new = self.api.list_if_new(&mut self.body).await?;
        let at = self.cx.time.now();
        let Some(list) = new else { return self.same_list(at).await };
        self.index = list.rows.iter().enumerate().map(|(n, r)| (r.name.clone(), n)).collect();
        // What was said of an instance that was made anew was said of its predecessor.
        let ids: HashMap<&str, Option<&str>> = self.listed.iter().flat_map(|(old, _)| &old.rows).map(|r| (&*r.name, r.id.as_deref())).collect();
        self.memory.retain(|name, _| {
            let now = self.index.get(name).and_then(|n| list.rows.get(*n));
            now.is_some_and(|r| ids.get(&**name).is_none_or(|before| *before == r.id.as_deref()))
        });
        if list.rows.iter().any(|r| r.token.as_ref() == Some(self.api.key())) {
            self.narrow();
        }
        for (n, words) in [(list.broken, &w::WARN_BROKEN_ROWS), (list.beyond, &w::WARN_BEYOND)] {
            if n > 0 {
                self.warn(Message::new(words).with("n", n.to_string()));
            }
        }
        self.doubt(&list).await;
        self.listed = Some((list, at));
        if self.facts.feed != Feed::Events {
            self.ask_memory(at).await;
        }
        self.tell(at).await;
        Ok(())
    }

    /// The database says what it said before: only memory may have changed.
    async fn same_list(&mut self, at: Stamp) -> Result<(), Reason> {
        if let Some((_, listed)) = &mut self.listed {
            *listed = at;
        }
        let before = self.remembered();
        if self.facts.feed != Feed::Events {
            self.ask_memory(at).await;
        }
        if self.dirty.is_empty() && self.remembered() == before {
            self.confirm(at).await;
            self.send(Report::Alive(at)).await;
        } else {
            self.tell(at).await;
        }
        Ok(())
    }

    /// Where two sources are told with their instants, these are told anew now and then: both were asked again.
    async fn confirm(&mut self, at: Stamp) {
        if self.confirmed.is_some_and(|then| then.age(&at) < CONFIRM) {
            return;
        }
        self.confirmed = Some(at);
        let rows: Vec<_> = self.rows().into_iter().filter(|r| !r.link.witnesses.is_empty()).collect();
        if !rows.is_empty() {
            self.send(Report::Part(rows)).await;
        }
    }

    /// A hash of what memory says, instants left out.
    fn remembered(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (name, m) in &self.memory {
            (name, &m.word, m.code).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Reports all rows, or that nothing changed.
    async fn tell(&mut self, at: Stamp) {
        let complete = self.listed.as_ref().is_some_and(|(list, _)| list.broken == 0 && list.beyond == 0);
        let rows = self.rows();
        let now: HashMap<Box<str>, u64> = rows.iter().map(|r| (r.account.as_str().into(), state::story(r))).collect();
        let same = complete && !now.is_empty() && now == self.sent;
        let report = if same { Report::Alive(at) } else { Report::All { rows, complete } };
        self.sent = now;
        self.dirty.clear();
        self.send(report).await;
    }

    /// A change in the database that no event told means that the root does not talk (any more).
    async fn doubt(&mut self, new: &List) {
        let Some((old, _)) = self.listed.as_ref().filter(|_| self.global) else { return };
        let before: HashMap<&str, &str> = old.rows.iter().map(|r| (&*r.name, &*r.status)).collect();
        let untold = |r: &super::wire::Instance| before.get(&*r.name).is_some_and(|s| *s != &*r.status) && !self.memory.contains_key(&r.name);
        if new.rows.iter().any(untold) {
            self.global = false;
            let _ = self.cx.memo.put("feed", json!({"global": false})).await;
        }
    }

    /// Memory states without events: all at once from metrics, else of the row under the cursor only.
    async fn ask_memory(&mut self, at: Stamp) {
        if self.metrics != Some(false) {
            let told = self.api.metrics().await;
            self.metrics = Some(told.is_some());
            for (name, word) in told.unwrap_or_default() {
                if self.index.contains_key(name.as_str()) {
                    self.remember(&name, Source::Metrics, &word, None, at);
                }
            }
        }
        if self.metrics == Some(true) {
            return;
        }
        let selected = self.cx.seen.borrow().selected.clone();
        self.memory.retain(|name, m| m.source != Source::Probe || selected.as_ref().is_some_and(|s| s.as_str() == &**name));
        let Some(name) = selected.filter(|s| self.index.contains_key(s.as_str())) else { return };
        if let Ok(Some(word)) = self.api.state(name.as_str()).await {
            let at = self.cx.time.now();
            self.remember(name.as_str(), Source::Probe, &word, None, at);
        }
    }

    fn remember(&mut self, name: &str, source: Source, word: &str, code: Option<i64>, at: Stamp) {
        let exact = source == Source::Events;
        match self.memory.get_mut(name) {
            Some(m) if *m.word == *word && m.source == source => {
                m.at = at;
                m.code = code.or(m.code);
            }
            // The stream is memory as it changes; a slower source that agrees adds nothing.
            Some(m) if m.source == Source::Events && *m.word == *word => m.at = at,
            Some(m) => *m = Memory { source, word: word.into(), code, since: at, at, exact },
            None => {
                self.memory.insert(name.into(), Memory { source, word: word.into(), code, since: at, at, exact });
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let Some((list, at)) = &self.listed else { return Vec::new() };
        list.rows.iter().map(|i| state::row(&self.cx.gateway, &self.cx.fingerprint_key, i, self.memory.get(&i.name), *at)).collect()
    }
}

async fn open(api: Api) -> Tried {
    match Stream::open(&api).await {
        Ok(s) => Tried::Open(Box::new(s)),
        Err(e) => Tried::No(e),
    }
}

/// `d` made longer by up to a half, so that many decks do not come back in step.
fn jitter(d: Duration) -> Duration {
    let mut b = [0u8; 1];
    let _ = getrandom::fill(&mut b);
    d + d.mul_f64(f64::from(b[0]) / 512.0)
}
