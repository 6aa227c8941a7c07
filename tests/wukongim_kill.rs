//! SIGKILL of the real program at every request and on both sides of every journal commit of a WuKongIM regenerate, wipe and
//! issue. The points are enumerated from a run of the same plan, never picked. After each the next process, of whatever kind,
//! must finish it with the token that the journal holds or leave everything as it was, and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    domain::{Op, OpPhase, Secret},
    sandbox::{DeviceRow, DeviceSpec, UidSpec},
    store::Store,
};
use std::collections::BTreeMap;
use support::{
    house::Home,
    im::Im,
    kill::{self, Outcome, Point, Row, Sweep, Wire},
};

/// What may come next: whichever it is, it finishes the work first.
const NEXT: [&[&str]; 5] =
    [&["list", "--json"], &["clock", "--json"], &["history", "--json"], &["doctor", "--json"], &["status", "im:bystander", "--json"]];

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
        kill::newest_op(&self.home, &mut self.ops)
    }

    /// True when the point never came.
    fn survives(&self, args: &[&str], point: &Point) -> bool {
        let over = kill::killed(&self.home, self.im.server(), args, None, point).is_some();
        if let Point::Request { n, what, .. } = point
            && !over
        {
            let met = &self.im.server().lines()[n - 1];
            assert_eq!(request_kind(met), request_kind(what), "another request was met");
        }
        over
    }
}

/// Kills, lets the next process come, and judges. Returns the table's row.
fn judge(floor: &mut Floor, deed: Deed, earlier: Option<&Point>, number: usize, point: &Point) -> Option<Row> {
    let uid = format!("u{number}");
    floor.seed(&uid, number);
    let before = floor.read(&uid);
    let act = deed.args(&uid);
    let act: Vec<&str> = act.iter().map(String::as_str).collect();
    let survived = match earlier {
        None => floor.survives(&act, point),
        Some(earlier) => {
            assert!(!floor.survives(&act, earlier), "{earlier} never came");
            floor.survives(&["list", "--json"], point)
        }
    };
    if survived {
        floor.op();
        return None;
    }
    let left = floor.op();
    let chosen = left.as_ref().and_then(|op| op.plan.as_ref()).and_then(|p| p.sealed.get("token").cloned());
    let stood = kill::where_it_stands(left.as_ref());
    let past_pivot = left.as_ref().is_some_and(|op| op.phase == OpPhase::Done || op.step > 0 || op.begun);

    let next = floor.home.run(NEXT[number % NEXT.len()]);
    let at = || format!("{point}; {stood}; the next process ({:?}) ended with {}: {}", NEXT[number % NEXT.len()], next.code, next.stderr);
    let after = floor.read(&uid);
    let ended = left.as_ref().map(|op| floor.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()).phase);
    let others = |m: &BTreeMap<u8, (u8, String)>, flag: u8| m.iter().filter(|(f, _)| **f != flag).map(|(f, d)| (*f, d.clone())).collect::<Vec<_>>();
    let outcome = if !past_pivot {
        assert!(matches!(ended, None | Some(OpPhase::Cancelled)), "{ended:?} {}", at());
        assert_eq!(before, after, "{}", at());
        (Outcome::TakenBack, "taken back, nothing changed")
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
                (Outcome::Done, "finished, journaled token, level kept")
            }
            Deed::WipeAll => {
                assert!(after.values().all(|(_, t)| t.is_empty()), "a usable token is left: {after:?} {}", at());
                assert!(before.keys().all(|f| after.contains_key(f)), "{}", at());
                (Outcome::Done, "finished, no token left")
            }
            Deed::WipeOne => {
                assert_eq!(after[&4].1, "", "{}", at());
                assert_eq!(others(&before, 4), others(&after, 4), "another device was touched: {}", at());
                (Outcome::Done, "finished, no token left")
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
    let asked = floor.im.server().lines();
    assert!(asked.iter().all(|r| is_read(r)), "{asked:?} {}", at());
    if let Some(chosen) = chosen {
        floor.home.canary(chosen.expose());
    }
    let said = format!("{} {}", NEXT[number % NEXT.len()][0], outcome.1);
    Some(Row::new(left.as_ref(), point, outcome.0, &said).without("u0"))
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
    let requests = floor.im.server().lines();
    let steps = ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    floor.op();
    (steps, requests)
}

fn everywhere(deed: Deed, steps_wanted: &[&str]) {
    let mut first = Floor::new();
    let (steps, asked) = undisturbed(&mut first, deed);
    assert_eq!(steps, steps_wanted);
    let commits = sweep(first, deed, None, deed.name(), &steps, &asked);
    // arm, planning, the plan, each step begun and done, the end.
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
}

fn sweep(first: Floor, deed: Deed, earlier: Option<&Point>, plan: &str, steps: &[String], asked: &[String]) -> usize {
    assert!(asked.iter().any(|r| !is_read(r)));
    let judge = |floor: &mut Floor, number: usize, point: &Point| judge(floor, deed, earlier, number, point);
    Sweep {
        provider: "wukongim",
        plan,
        steps,
        asked,
        is_read: &is_read,
        make: &Floor::new,
        judge: &judge,
        after: &|floor| floor.home.keeps_secrets(),
    }
    .run(first)
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
    assert!(!first.survives(&args.iter().map(String::as_str).collect::<Vec<_>>(), &quit));
    assert_eq!(first.read("u0")[&4], (1, String::new()));
    first.im.server().clear_requests();
    first.home.run(&["list", "--json"]).exits(0);
    let asked = first.im.server().lines();
    assert_eq!(first.read("u0")[&4].0, level(0));
    first.op();
    let steps = ["token", "verify"].map(str::to_owned);
    sweep(first, Deed::Regenerate, Some(&quit), "regenerate killed after its quit", &steps, &asked);
}
