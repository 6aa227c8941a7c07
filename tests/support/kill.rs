//! SIGKILL of the real program at every request and on both sides of every commit of the journal, of secrets and of tokens. The
//! points are enumerated from what an undisturbed run does, never picked; `PAIRDECK_KILLS` adds so many instants drawn by lot. Each
//! suite judges what the next process made of it.

use super::house::{Home, Ran, until};
use pairdeck::{
    domain::Op,
    sandbox::{Fault, Gateway, LangBot, Only, Request, TokenFault, TokenServer, Wukong},
    store::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Write,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Servers and homes that work side by side.
const WORKERS: usize = 4;

/// Where a process is killed.
#[derive(Clone, Debug)]
pub enum Point {
    /// The Nth request, before or after it is carried out.
    Request { n: usize, what: String, done: bool },
    /// The Nth commit.
    Journal { n: usize, after: bool },
    /// So long after its start, whatever it is at then.
    Instant { after: Duration },
}

impl Point {
    fn side(&self) -> &'static str {
        match self {
            Self::Request { done: true, .. } | Self::Journal { after: true, .. } => "after",
            Self::Request { .. } | Self::Journal { .. } => "before",
            Self::Instant { .. } => "any",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.side() == "after" { "after " } else { "before" };
        match self {
            Self::Request { n, what, .. } => write!(f, "request {n:>2} {side} {what}"),
            Self::Journal { n, .. } => write!(f, "journal {n:>2} {side}"),
            Self::Instant { after } => write!(f, "{} us after its start", after.as_micros()),
        }
    }
}

/// What a sweep needs of a server of the sandbox, of whatever kind.
pub trait Wire {
    /// Every request since [`Wire::forget`].
    fn asked(&self) -> Vec<Request>;
    /// Empties the list of requests.
    fn forget(&self);
    /// The next `count` requests meet this.
    fn fault(&self, fault: Fault, count: u32);
    /// No more faults.
    fn heal(&self);
    /// The same list as `METHOD /path`.
    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|r| format!("{} {}", r.method, r.path)).collect()
    }
}

macro_rules! wire {
    ($kind:ty) => {
        impl Wire for $kind {
            fn asked(&self) -> Vec<Request> {
                self.asked().0
            }
            fn forget(&self) {
                self.clear_requests();
            }
            fn fault(&self, fault: Fault, count: u32) {
                Self::fault(self, fault, count, None);
            }
            fn heal(&self) {
                Self::heal(self);
            }
        }
    };
}
wire!(Gateway);
wire!(Wukong);
wire!(LangBot);

impl Wire for TokenServer {
    fn asked(&self) -> Vec<Request> {
        self.asked().0
    }
    fn forget(&self) {
        self.clear_requests();
    }
    fn fault(&self, fault: Fault, count: u32) {
        Self::fault(self, TokenFault::Wire(fault, Only::Any), count, None);
    }
    fn heal(&self) {
        Self::heal(self);
    }
}

/// Starts the program, with that text on stdin.
fn start(home: &Home, args: &[&str], stdin: Option<&str>, kill_at: Option<String>) -> Child {
    let mut command = home.command(args);
    if let Some(at) = kill_at {
        command.env("PAIRDECK_DEBUG_KILL_AT", at);
    }
    let mut child = command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() }).spawn().unwrap();
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        // One that is dead before it reads has closed the pipe.
        let _ = pipe.write_all(text.as_bytes());
    }
    child
}

/// Runs the program and kills it at the point; its end if the point never came.
pub fn killed(home: &Home, wire: &dyn Wire, args: &[&str], stdin: Option<&str>, point: &Point) -> Option<Ran> {
    wire.forget();
    match point {
        Point::Journal { n, .. } => {
            let child = start(home, args, stdin, Some(format!("journal:{n}:{}", point.side())));
            let ran = home.finish(child);
            (ran.code != -9).then_some(ran)
        }
        Point::Request { n, done, .. } => {
            if *n > 1 {
                wire.fault(Fault::Slow(Duration::ZERO), u32::try_from(n - 1).unwrap());
            }
            wire.fault(if *done { Fault::Mute } else { Fault::Hang }, 1);
            let mut child = start(home, args, stdin, None);
            until(&format!("{args:?}: {point}"), || {
                let log = wire.asked();
                log.len() >= *n && (!done || log[n - 1].status != 0) || child.try_wait().unwrap().is_some()
            });
            let over = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            let ran = home.finish(child);
            wire.heal();
            over.then_some(ran)
        }
        Point::Instant { after } => struck(home, start(home, args, stdin, None), *after),
    }
}

/// Kills the program that long after its start; its end if it was faster.
pub fn struck(home: &Home, mut child: Child, after: Duration) -> Option<Ran> {
    // What is tested is a kill at an instant that nothing in the program chose.
    let end = Instant::now() + after;
    let mut over = false;
    while !over && Instant::now() < end {
        thread::sleep(Duration::from_millis(5).min(end.saturating_duration_since(Instant::now())));
        over = child.try_wait().unwrap().is_some();
    }
    child.kill().unwrap();
    let ran = home.finish(child);
    over.then_some(ran)
}

/// Instants of a run, drawn by lot, the same lots each time. A run that was over before its instant tells how long runs last.
pub struct Lots {
    drawn: AtomicUsize,
    met: AtomicUsize,
    lasts_us: AtomicU64,
    wanted: usize,
}

impl Lots {
    /// As many as `PAIRDECK_KILLS` says, or one in `share` of these; none without it.
    pub fn wanted(share: usize) -> Self {
        let wanted: usize = std::env::var("PAIRDECK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        Self { drawn: AtomicUsize::new(0), met: AtomicUsize::new(0), lasts_us: AtomicU64::new(4_000_000), wanted: wanted.div_ceil(share) }
    }

    /// Nobody wants any.
    pub const fn is_empty(&self) -> bool {
        self.wanted == 0
    }

    /// The next instant and its number, until so many were met as are wanted.
    pub fn next(&self) -> Option<(usize, Duration)> {
        if self.met.load(Ordering::SeqCst) >= self.wanted {
            return None;
        }
        let n = self.drawn.fetch_add(1, Ordering::SeqCst);
        assert!(n < 6 * self.wanted, "of {n} runs only {:?} were met while they lasted", self.met);
        let lasts = self.lasts_us.load(Ordering::SeqCst);
        // The later of two lots: a run reads and asks for long before it changes anything.
        let us = [2 * n, 2 * n + 1].map(|lot| splitmix(lot as u64) % lasts).into_iter().max();
        Some((n, Duration::from_micros(us.unwrap_or(0))))
    }

    /// A run was killed at its instant, or had ended before it.
    pub fn told(&self, after: Duration, met: bool) {
        if met {
            self.met.fetch_add(1, Ordering::SeqCst);
        } else {
            let us = u64::try_from(after.as_micros()).unwrap().max(1000);
            // Halfway: one run that was fast is not how long all of them last.
            let _ = self.lasts_us.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(last.min(u64::midpoint(last, us))));
        }
    }
}

/// The newest op since the last call; `from` is the last one seen, and is moved on.
pub fn newest_op(home: &Home, from: &mut i64) -> Option<Op> {
    let seen = *from;
    let (op, last) = home.store(async |store: &Store| {
        let (mut op, mut id) = (None, seen);
        while let Some(found) = store.op(id + 1).await.unwrap() {
            (op, id) = (Some(found), id + 1);
        }
        (op, id)
    });
    *from = last;
    op
}

/// What the journal said when the process was killed: the step that was next or under way, or the phase before any.
pub fn step_of(op: Option<&Op>) -> String {
    let Some(op) = op else { return "none".to_owned() };
    let step = op.plan.as_ref().and_then(|p| p.steps.get(op.step)).map(|s| s.id.to_string());
    // All steps done and the end not written yet, or no plan.
    step.unwrap_or_else(|| if op.plan.is_some() { "end".to_owned() } else { op.phase.name().to_owned() })
}

/// The same for people.
pub fn where_it_stands(op: Option<&Op>) -> String {
    let Some(op) = op else { return "no op".to_owned() };
    let step = op.plan.as_ref().and_then(|p| p.steps.get(op.step)).map_or("-", |s| &s.id);
    format!("{} {step}{}", op.phase.name(), if op.begun { " begun" } else { "" })
}

/// What became of a killed op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Finished by the next process, or by this one.
    Done,
    /// As if it had never been begun.
    TakenBack,
    /// Its outcome cannot be known, and a person is told so.
    AmbiguousShown,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::TakenBack => "taken_back",
            Self::AmbiguousShown => "ambiguous_shown",
        }
    }
}

/// One point and what came of it.
#[derive(Clone, Debug)]
pub struct Row {
    step: String,
    side: &'static str,
    outcome: Outcome,
    line: String,
}

impl Row {
    /// `left` is the op as the killed process left it; `said` is how it ended, in words.
    pub fn new(left: Option<&Op>, point: &Point, outcome: Outcome, said: &str) -> Self {
        let line = format!("{:<24} | {:<58} | {said}", where_it_stands(left), point.to_string());
        Self { step: step_of(left), side: point.side(), outcome, line }
    }

    /// With another text for the point.
    pub fn without(mut self, name: &str) -> Self {
        self.line = self.line.replace(name, "…");
        self
    }
}

/// Every request: reads once, since before and after are the same to the server; all others on both sides.
pub fn requests(all: &[String], is_read: impl Fn(&str) -> bool) -> Vec<Point> {
    let point = |(i, what): (usize, &String)| {
        let sides = if is_read(what) { &[true][..] } else { &[false, true] };
        sides.iter().map(|done| Point::Request { n: i + 1, what: what.clone(), done: *done }).collect::<Vec<_>>()
    };
    all.iter().enumerate().flat_map(point).collect()
}

/// The same lots in every run.
fn splitmix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One plan of one provider, swept.
pub struct Sweep<'a, F> {
    pub provider: &'a str,
    pub plan: &'a str,
    /// Steps that a kill must have met.
    pub steps: &'a [String],
    /// The requests of an undisturbed run.
    pub asked: &'a [String],
    /// True for a request that changes nothing.
    pub is_read: &'a (dyn Fn(&str) -> bool + Sync),
    /// Another server and home.
    pub make: &'a (dyn Fn() -> F + Sync),
    /// Kills at the point and judges; the number is another one each time. `None`: the point never came.
    pub judge: &'a (dyn Fn(&mut F, usize, &Point) -> Option<Row> + Sync),
    /// Looked at when a worker is done.
    pub after: &'a (dyn Fn(&F) + Sync),
}

impl<F: Send> Sweep<'_, F> {
    /// Every commit on both sides until a run is never killed, which tells how many there are; then every request, then instants. Prints the
    /// table and returns the number of commits.
    pub fn run(&self, mut first: F) -> usize {
        let points = requests(self.asked, self.is_read);
        let (turn, end) = (AtomicUsize::new(1), AtomicUsize::new(usize::MAX));
        let todo = Mutex::new(points.into_iter().enumerate());
        let made = Mutex::new(BTreeMap::new());
        let lots = Lots::wanted(1);
        let work = |floor: &mut F| {
            loop {
                let n = turn.fetch_add(1, Ordering::SeqCst);
                if n >= end.load(Ordering::SeqCst) {
                    break;
                }
                let rows: Vec<_> = [false, true]
                    .iter()
                    .map(|after| (self.judge)(floor, 2 * n + usize::from(*after), &Point::Journal { n, after: *after }))
                    .collect();
                if rows.iter().all(Option::is_none) {
                    end.fetch_min(n, Ordering::SeqCst);
                }
                made.lock().unwrap().extend(rows.into_iter().enumerate().filter_map(|(side, row)| Some(((0, n, side), row?))));
            }
            loop {
                let Some((i, point)) = todo.lock().unwrap().next() else { break };
                let row = (self.judge)(floor, 1000 + i, &point).unwrap_or_else(|| panic!("{point} never came"));
                made.lock().unwrap().insert((1, i, 0), row);
            }
            // Where a report wants a number of them: at instants that nobody chose.
            while let Some((n, after)) = lots.next() {
                let row = (self.judge)(floor, 5000 + n, &Point::Instant { after });
                lots.told(after, row.is_some());
                made.lock().unwrap().extend(row.map(|row| ((2, n, 0), row)));
            }
            (self.after)(floor);
        };
        thread::scope(|s| {
            for _ in 1..WORKERS {
                s.spawn(|| work(&mut (self.make)()));
            }
            work(&mut first);
        });
        let commits = end.into_inner() - 1;
        let rows: Vec<Row> = made.into_inner().unwrap().into_values().collect();
        self.table(commits, &rows);
        let met: BTreeSet<&str> = rows.iter().map(|r| r.step.as_str()).collect();
        assert!(self.steps.iter().all(|s| met.contains(s.as_str())), "{}: not every step of {:?} was met: {met:?}", self.plan, self.steps);
        commits
    }

    fn table(&self, commits: usize, rows: &[Row]) {
        let ambiguous = rows.iter().filter(|r| r.outcome == Outcome::AmbiguousShown).count();
        println!(
            "\n{} {}: {commits} commits, {} requests, {} kill points; lost 0, ambiguous {ambiguous}",
            self.provider,
            self.plan,
            self.asked.len(),
            rows.len()
        );
        println!("{:<24} | {:<58} | outcome", "journal at the kill", "killed at");
        rows.iter().for_each(|row| println!("{}", row.line));
        let mut counted: BTreeMap<(&str, &str, Outcome), usize> = BTreeMap::new();
        for r in rows {
            *counted.entry((&r.step, r.side, r.outcome)).or_default() += 1;
        }
        let plan = self.plan.replace(' ', "_");
        for ((step, side, outcome), n) in counted {
            println!("kill-table: provider={} plan={plan} step={step} side={side} outcome={} n={n}", self.provider, outcome.name());
        }
    }
}
