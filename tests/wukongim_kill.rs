//! SIGKILL of the real program at every request and on both sides of every journal commit of a WuKongIM regenerate, wipe and
//! issue. The points are enumerated from a run of the same plan, never picked. After each the next process, of whatever kind,
//! must finish it with the token that the journal holds or leave everything as it was, and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    domain::{Op, OpPhase, Secret},
    sandbox::{DeviceRow, DeviceSpec, Fault, UidSpec},
    store::Store,
};
use std::{collections::BTreeMap, fmt, sync::Mutex, thread, time::Duration};
use support::{
    house::{Home, Ran, until},
    im::Im,
};

const WORKERS: usize = 4;
/// What may come next: whichever it is, it finishes the work first.
const NEXT: [&[&str]; 5] =
    [&["list", "--json"], &["clock", "--json"], &["history", "--json"], &["doctor", "--json"], &["status", "im:bystander", "--json"]];

/// Where a process is killed.
#[derive(Clone, Debug)]
enum Point {
    /// The Nth request, before or after it is carried out.
    Request { n: usize, what: String, done: bool },
    /// The Nth commit of the journal.
    Journal { n: usize, after: bool },
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { n, what, done } => write!(f, "request {n:>2} {} {what}", if *done { "after " } else { "before" }),
            Self::Journal { n, after } => write!(f, "journal {n:>2} {}", if *after { "after " } else { "before" }),
        }
    }
}

/// What is done, and to which device.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// Device 4 gets a new token.
    Regenerate,
    /// Every device of the account.
    WipeAll,
    /// Device 4 alone.
    WipeOne,
    /// Device 9, which was never there.
    Issue,
}

impl Deed {
    fn args(self, uid: &str) -> Vec<String> {
        let words: Vec<String> = match self {
            Self::Regenerate => vec!["regenerate".into(), format!("im:{uid}/4")],
            Self::WipeAll => vec!["wipe".into(), format!("im:{uid}")],
            Self::WipeOne => vec!["wipe".into(), format!("im:{uid}/4")],
            Self::Issue => vec!["do".into(), "issue".into(), format!("im:{uid}/9"), "--set".into(), "level=master".into()],
        };
        words.into_iter().chain(["--yes".into(), "--json".into()]).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Regenerate => "regenerate",
            Self::WipeAll => "wipe of an account",
            Self::WipeOne => "wipe of a device",
            Self::Issue => "issue",
        }
    }
}

/// One server and one home, used for one point after another.
struct Floor {
    im: Im,
    home: Home,
    ops: i64,
}

fn rows(all: Vec<DeviceRow>) -> BTreeMap<u8, (u8, String)> {
    all.into_iter().map(|d| (d.flag, (d.level, d.token))).collect()
}

/// Slave on odd numbers, master on even ones: neither may be taken for the other.
fn level(number: usize) -> u8 {
    u8::from(number.is_multiple_of(2))
}

impl Floor {
    fn new() -> Self {
        let im = Im::start("CANARY-manager-91d2");
        im.server().seed(&[UidSpec { uid: "bystander".into(), ..UidSpec::default() }]);
        // Two accounts and no more are watched: the requests stay the same however many were used before.
        let home = im.home_with("uids = [\"bystander\"]\nuids_file = \"uids.txt\"");
        Self { im, home, ops: 0 }
    }

    /// Three devices, two of them on flags that a quit of "all" would leave alone.
    fn seed(&self, uid: &str, number: usize) {
        let device = |flag: u8, level: u8| DeviceSpec { flag, level, token: format!("OLD-{uid}-{flag}"), ..DeviceSpec::default() };
        std::fs::write(self.home.file("uids.txt"), uid).unwrap();
        let devices = vec![device(1, 1), device(4, level(number)), device(77, 0)];
        self.im.server().seed(&[UidSpec { uid: uid.into(), devices, ..UidSpec::default() }]);
    }

    fn read(&self, uid: &str) -> BTreeMap<u8, (u8, String)> {
        rows(self.im.server().devices(uid))
    }

    /// The newest op since the last call.
    fn op(&mut self) -> Option<Op> {
        let from = self.ops;
        let (op, ops) = self.home.store(async |store: &Store| {
            let (mut last, mut id) = (None, from);
            while let Some(op) = store.op(id + 1).await.unwrap() {
                (last, id) = (Some(op), id + 1);
            }
            (last, id)
        });
        self.ops = ops;
        op
    }

    fn asked(&self) -> Vec<String> {
        self.im.server().asked().0.into_iter().map(|r| format!("{} {}", r.method, r.path)).collect()
    }

    /// Runs the program and kills it at the point; its end if the point never came.
    fn killed(&self, args: &[&str], point: &Point) -> Option<Ran> {
        let server = self.im.server();
        server.clear_requests();
        let mut command = self.home.command(args);
        match point {
            Point::Journal { n, after } => {
                command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{}", if *after { "after" } else { "before" }));
                let ran = self.home.finish(command.spawn().unwrap());
                (ran.code != -9).then_some(ran)
            }
            Point::Request { n, done, what } => {
                if *n > 1 {
                    server.fault(Fault::Slow(Duration::ZERO), u32::try_from(n - 1).unwrap(), None);
                }
                server.fault(if *done { Fault::Mute } else { Fault::Hang }, 1, None);
                let mut child = command.spawn().unwrap();
                until(&format!("{args:?}: {point}"), || {
                    let log = server.asked().0;
                    log.len() >= *n && (!done || log[n - 1].status != 0) || child.try_wait().unwrap().is_some()
                });
                let over = child.try_wait().unwrap().is_some();
                child.kill().unwrap();
                let ran = self.home.finish(child);
                server.heal();
                if !over {
                    let met = &server.asked().0[n - 1];
                    assert_eq!(request_kind(&format!("{} {}", met.method, met.path)), request_kind(what), "another request was met");
                }
                over.then_some(ran)
            }
        }
    }
}

fn where_it_stands(op: Option<&Op>) -> String {
    let Some(op) = op else { return "no op".to_owned() };
    let step = op.plan.as_ref().and_then(|p| p.steps.get(op.step)).map_or("-", |s| &s.id);
    format!("{} {step}{}", op.phase.name(), if op.begun { " begun" } else { "" })
}

/// Kills, lets the next process come, and judges. Returns the table's row.
fn judge(floor: &mut Floor, deed: Deed, earlier: Option<&Point>, number: usize, point: &Point) -> Option<String> {
    let uid = format!("u{number}");
    floor.seed(&uid, number);
    let before = floor.read(&uid);
    let act = deed.args(&uid);
    let act: Vec<&str> = act.iter().map(String::as_str).collect();
    let killed = match earlier {
        None => floor.killed(&act, point),
        Some(earlier) => {
            assert!(floor.killed(&act, earlier).is_none(), "{earlier} never came");
            floor.killed(&["list", "--json"], point)
        }
    };
    if killed.is_some() {
        floor.op();
        return None;
    }
    let left = floor.op();
    let chosen = left.as_ref().and_then(|op| op.plan.as_ref()).and_then(|p| p.sealed.get("token").cloned());
    let stood = where_it_stands(left.as_ref());
    let past_pivot = left.as_ref().is_some_and(|op| op.phase == OpPhase::Done || op.step > 0 || op.begun);

    let next = floor.home.run(NEXT[number % NEXT.len()]);
    let at = || format!("{point}; {stood}; the next process ({:?}) ended with {}: {}", NEXT[number % NEXT.len()], next.code, next.stderr);
    let after = floor.read(&uid);
    let ended = left.as_ref().map(|op| floor.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()).phase);
    let others = |m: &BTreeMap<u8, (u8, String)>, flag: u8| m.iter().filter(|(f, _)| **f != flag).map(|(f, d)| (*f, d.clone())).collect::<Vec<_>>();
    let outcome = if !past_pivot {
        assert!(matches!(ended, None | Some(OpPhase::Cancelled)), "{ended:?} {}", at());
        assert_eq!(before, after, "{}", at());
        "taken back, nothing changed"
    } else {
        assert_eq!(ended, Some(OpPhase::Done), "{}", at());
        match deed {
            Deed::Regenerate | Deed::Issue => {
                let (flag, wanted) = if deed == Deed::Issue { (9, 1) } else { (4, level(number)) };
                let (got, token) = after.get(&flag).unwrap_or_else(|| panic!("the device is lost: {}", at()));
                assert_eq!(*got, wanted, "another level: {}", at());
                assert!(!token.is_empty() && *token != format!("OLD-{uid}-4"), "{}", at());
                if let Some(chosen) = &chosen {
                    assert!(*chosen == Secret::new(token.clone()), "a token that is not the journaled one: {}", at());
                }
                assert_eq!(others(&before, flag), others(&after, flag), "another device was touched: {}", at());
                "finished, journaled token, level kept"
            }
            Deed::WipeAll => {
                assert!(after.values().all(|(_, t)| t.is_empty()), "a usable token is left: {after:?} {}", at());
                assert!(before.keys().all(|f| after.contains_key(f)), "{}", at());
                "finished, no token left"
            }
            Deed::WipeOne => {
                assert_eq!(after[&4].1, "", "{}", at());
                assert_eq!(others(&before, 4), others(&after, 4), "another device was touched: {}", at());
                "finished, no token left"
            }
        }
    };
    // An op that was left in the middle is told by the process that ended it.
    if left.as_ref().is_some_and(|op| op.phase == OpPhase::Running) {
        assert!(next.stderr.contains(&uid), "not told: {}", at());
    }
    // And that was all: the one after it changes nothing and says nothing of it.
    floor.im.server().clear_requests();
    let quiet = floor.home.run(&["list", "--json"]).exits(0);
    assert!(!quiet.stderr.contains(&uid), "{} {}", quiet.stderr, at());
    assert!(floor.asked().iter().all(|r| is_read(r)), "{:?} {}", floor.asked(), at());
    if let Some(chosen) = chosen {
        floor.home.canary(chosen.expose());
    }
    Some(format!(
        "{stood:<24} | {point:<58} | {:<8} | {outcome}",
        NEXT[number % NEXT.len()][0],
        point = point.to_string().replace(&uid, "…").replace("u0", "…")
    ))
}

/// A request without the account that it is about.
fn request_kind(request: &str) -> String {
    request.split("uid=").next().unwrap().to_owned()
}

fn is_read(request: &str) -> bool {
    request.starts_with("GET ") || request.starts_with("POST /user/onlinestatus")
}

/// The plan's own steps and requests, from a run that nobody disturbs.
fn undisturbed(floor: &mut Floor, deed: Deed) -> (Vec<String>, Vec<String>) {
    floor.seed("u0", 0);
    floor.im.server().clear_requests();
    let args = deed.args("u0");
    let ran = floor.home.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    let requests = floor.asked();
    let steps = ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    floor.op();
    (steps, requests)
}

/// Every request: reads once, since before and after are the same to the server; all others on both sides.
fn requests(all: &[String]) -> Vec<Point> {
    let point = |(i, what): (usize, &String)| {
        let sides = if is_read(what) { &[true][..] } else { &[false, true] };
        sides.iter().map(|done| Point::Request { n: i + 1, what: what.clone(), done: *done }).collect::<Vec<_>>()
    };
    all.iter().enumerate().flat_map(point).collect()
}

fn everywhere(deed: Deed, steps_wanted: &[&str]) {
    let mut first = Floor::new();
    let (steps, asked) = undisturbed(&mut first, deed);
    assert_eq!(steps, steps_wanted);
    let (commits, rows) = sweep(first, deed, None, &asked);
    // arm, planning, the plan, each step begun and done, the end.
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
    table(deed.name(), commits, &asked, &rows);
}

fn table(what: &str, commits: usize, asked: &[String], rows: &[String]) {
    println!("\n{what}: {commits} journal commits, {} requests, {} kill points; lost 0, ambiguous 0", asked.len(), rows.len());
    println!("{:<24} | {:<58} | {:<8} | outcome", "journal at the kill", "killed at", "next");
    for row in rows {
        println!("{row}");
    }
}

/// Every commit on both sides until one run is never killed, which tells how many there are; then every request.
fn sweep(mut first: Floor, deed: Deed, earlier: Option<&Point>, asked: &[String]) -> (usize, Vec<String>) {
    let mut commits = 0;
    let mut rows = Vec::new();
    let mut number = 1;
    for n in 1.. {
        let mut met = false;
        for after in [false, true] {
            if let Some(row) = judge(&mut first, deed, earlier, number, &Point::Journal { n, after }) {
                met = true;
                rows.push(row);
            }
            number += 1;
        }
        if !met {
            break;
        }
        commits = n;
    }
    let points = requests(asked);
    assert!(points.iter().any(|p| matches!(p, Point::Request { what, .. } if !is_read(what))));
    let todo = Mutex::new(points.iter().cloned().enumerate());
    let made = Mutex::new(BTreeMap::new());
    let work = |floor: &mut Floor| {
        loop {
            let Some((i, point)) = todo.lock().unwrap().next() else { break };
            let row = judge(floor, deed, earlier, 1000 + i, &point).unwrap_or_else(|| panic!("{point} never came"));
            made.lock().unwrap().insert(i, row);
        }
        floor.home.keeps_secrets();
    };
    thread::scope(|s| {
        for _ in 1..WORKERS {
            s.spawn(|| work(&mut Floor::new()));
        }
        work(&mut first);
    });
    rows.extend(made.into_inner().unwrap().into_values());
    (commits, rows)
}

#[test]
fn a_regenerate_killed_anywhere_is_finished_with_the_same_token_or_never_happened() {
    everywhere(Deed::Regenerate, &["quit:4", "token", "verify"]);
}

#[test]
fn a_wipe_of_an_account_killed_anywhere_leaves_no_usable_token_or_never_happened() {
    everywhere(Deed::WipeAll, &["quit:0", "quit:1", "quit:2", "quit:4", "quit:77", "leave", "verify"]);
}

#[test]
fn a_wipe_of_a_device_killed_anywhere_ends_that_device_alone_or_never_happened() {
    everywhere(Deed::WipeOne, &["quit:4", "leave", "verify"]);
}

#[test]
fn an_issue_killed_anywhere_is_finished_with_the_same_token_or_never_happened() {
    everywhere(Deed::Issue, &["token", "verify"]);
}

#[test]
fn the_process_that_finishes_a_regenerate_may_be_killed_anywhere_too() {
    let mut first = Floor::new();
    let (_, asked) = undisturbed(&mut first, Deed::Regenerate);
    // The worst moment: the old token is gone, and the new one is not there.
    let n = 1 + asked.iter().position(|r| r.starts_with("POST /user/device_quit")).unwrap();
    let quit = Point::Request { n, what: asked[n - 1].clone(), done: true };
    first.seed("u0", 0);
    let args = Deed::Regenerate.args("u0");
    assert!(first.killed(&args.iter().map(String::as_str).collect::<Vec<_>>(), &quit).is_none());
    assert_eq!(first.read("u0")[&4], (1, String::new()));
    first.im.server().clear_requests();
    first.home.run(&["list", "--json"]).exits(0);
    let asked = first.asked();
    assert_eq!(first.read("u0")[&4].0, level(0));
    first.op();
    let (commits, rows) = sweep(first, Deed::Regenerate, Some(&quit), &asked);
    table("finishing a regenerate that was killed after its quit", commits, &asked, &rows);
}
