//! SIGKILL of the real program at every question to the servers and on both sides of every journal commit of what is done to a
//! Telegram account: a slot's new key (with an old one, without, of a bot), its wiping, the end of one session, of all others, of the
//! operator's own. The points are enumerated from a run of the same plan, never picked. After each the next process finishes it or
//! takes it back: the old file or the new one, whole, and no session on the servers whose key nobody has.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    domain::{GatewayId, Op, OpPhase},
    engine::world::secret_name,
    providers::telegram::KeyId,
    sandbox::{TelegramSession, TelegramSettings},
    store::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    sync::Mutex,
    thread,
    time::Duration,
};
use support::{
    house::{Ran, until},
    tg::{OWNER, ROBOT, Tg, lies},
};

const WORKERS: usize = 2;
/// More than any plan has kill points.
const SLOTS: usize = 90;
/// How often a point is tried.
const TRIES: usize = 3;
/// What may come next: whichever it is, it finishes the work first.
const NEXT: [&[&str]; 4] = [&["list", "--json"], &["status", "tg:ada", "--json"], &["history", "--json"], &["doctor", "--json"]];

/// Where a process is killed.
#[derive(Clone, Debug)]
enum Point {
    /// The Nth question to a data centre, before or after it is carried out.
    Question { n: usize, what: &'static str, done: bool },
    /// The Nth commit of the journal.
    Journal { n: usize, after: bool },
}

impl Point {
    const fn side(&self) -> &'static str {
        match self {
            Self::Question { done: true, .. } | Self::Journal { after: true, .. } => "after",
            _ => "before",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question { n, what, .. } => write!(f, "question {n:>2} {:<6} {what}", self.side()),
            Self::Journal { n, .. } => write!(f, "journal  {n:>2} {:<6}", self.side()),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// A slot that has a session gets another one; the old one is ended.
    Regenerate,
    /// A slot without a file gets its first session.
    NewLogin,
    /// A slot that the configuration does not name yet, by `pair --slot`.
    NewSlot,
    /// A slot's file goes to the trash, its session is ended.
    Wipe,
    /// A bot's slot.
    Bot,
    /// One session.
    Terminate,
    /// All but the operator's own.
    TerminateOthers,
    /// The operator's own.
    LogOut,
}

/// The servers and the disk, as far as a deed may change them.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    rows: BTreeMap<i64, Option<KeyId>>,
    file: Option<KeyId>,
    /// The configuration names the slot.
    listed: bool,
}

impl Deed {
    const fn name(self) -> &'static str {
        match self {
            Self::Regenerate => "regenerate",
            Self::NewLogin => "new-login",
            Self::NewSlot => "new-slot",
            Self::Wipe => "wipe",
            Self::Bot => "bot",
            Self::Terminate => "terminate",
            Self::TerminateOthers => "terminate-others",
            Self::LogOut => "log-out",
        }
    }

    const fn account(self) -> i64 {
        if matches!(self, Self::Bot) { ROBOT } else { OWNER }
    }

    fn slot(self, number: usize) -> String {
        let letter = match self {
            Self::Bot => 'b',
            Self::NewSlot => 'n',
            _ => 's',
        };
        format!("{letter}{number}")
    }
}

/// Servers and a home, used for one point after another.
struct Floor {
    all: Tg,
    deed: Deed,
}

impl Floor {
    fn new(deed: Deed) -> Self {
        let (slots, robots) = match deed {
            Deed::Bot => (1, SLOTS),
            Deed::Regenerate | Deed::NewLogin | Deed::Wipe => (SLOTS, 1),
            _ => (1, 1),
        };
        let mut all = Tg::open(slots, robots);
        // What pairing left in the journal is not ours.
        all.op();
        Self { all, deed }
    }

    /// Makes what the deed needs, and says with which words it is done.
    fn prepare(&self, number: usize) -> Vec<String> {
        let (deed, tg) = (self.deed, self.all.tg());
        let stranger = || TelegramSession { device: format!("stranger {number}"), age: Duration::from_secs(3600), ..TelegramSession::default() };
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).chain(["--yes".into(), "--json".into()]).collect();
        let slot = deed.slot(number);
        match deed {
            Deed::Regenerate | Deed::Wipe => {
                self.all.seat(OWNER, &slot, number);
                words(&[if deed == Deed::Wipe { "wipe" } else { "regenerate" }, &format!("tg:ada/{slot}")])
            }
            Deed::NewLogin => words(&["regenerate", &format!("tg:ada/{slot}")]),
            Deed::NewSlot => {
                let file = self.all.file(&slot);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                ["pair", "tg:ada", "--slot", &slot, "--file", file.to_str().unwrap(), "--json"].map(str::to_owned).to_vec()
            }
            Deed::Bot => {
                // Every second one has a session already, which a bot cannot end.
                if number.is_multiple_of(2) {
                    self.all.seat(ROBOT, &slot, 1000 + number);
                }
                words(&["regenerate", &format!("tg:robot/{slot}")])
            }
            Deed::Terminate => {
                let hash = tg.add_session(OWNER, &stranger()).unwrap();
                words(&["wipe", &format!("tg:ada/~{hash:016x}")])
            }
            Deed::TerminateOthers => {
                tg.add_session(OWNER, &stranger()).unwrap();
                tg.add_session(OWNER, &stranger()).unwrap();
                words(&["do", "end-others", "tg:ada"])
            }
            Deed::LogOut => {
                if self.own().is_none() {
                    self.all.pair();
                }
                words(&["wipe", "tg:ada"])
            }
        }
    }

    /// The operator's own row.
    fn own(&self) -> Option<i64> {
        self.all.tg().devices(OWNER).into_iter().find(|d| d.device.starts_with("pairdeck@")).map(|d| d.hash)
    }

    fn look(&self, number: usize) -> Look {
        let rows = self.all.tg().devices(self.deed.account()).into_iter().map(|d| (d.hash, d.key.map(KeyId)));
        let slot = self.deed.slot(number);
        let config = fs::read_to_string(self.all.home.file("config.toml")).unwrap();
        let listed = config.contains(&format!(".slot.{slot}]"));
        Look { rows: rows.collect(), file: lies(&self.all.file(&slot)), listed }
    }

    /// Runs the program and kills it at the point; its end if the point never came.
    fn killed(&self, args: &[&str], point: &Point) -> Option<Ran> {
        let (tg, home) = (self.all.tg(), &self.all.home);
        tg.clear();
        let mut command = home.command(args);
        match point {
            Point::Journal { n, .. } => {
                command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{}", point.side()));
                let ran = home.finish(command.spawn().unwrap());
                (ran.code != -9).then_some(ran)
            }
            Point::Question { n, done, what } => {
                tg.hold(*n, *done);
                let mut child = command.spawn().unwrap();
                until(&format!("{args:?}: {point}"), || tg.holding() || child.try_wait().unwrap().is_some());
                let over = child.try_wait().unwrap().is_some();
                child.kill().unwrap();
                let ran = home.finish(child);
                let met = tg.questions().get(n - 1).copied();
                tg.heal();
                if !over {
                    assert_eq!(met, Some(*what), "another question was met");
                }
                over.then_some(ran)
            }
        }
    }

    /// What the deed comes to when it is done, compared with what was before.
    fn check_done(&self, number: usize, before: &Look, after: &Look, at: &str) {
        let (deed, tg) = (self.deed, self.all.tg());
        let gone: Vec<i64> = before.rows.keys().filter(|h| !after.rows.contains_key(h)).copied().collect();
        let new: Vec<_> = after.rows.iter().filter(|(h, _)| !before.rows.contains_key(h)).collect();
        let old: Option<i64> = before.file.and_then(|k| before.rows.iter().find(|(_, key)| **key == Some(k)).map(|(h, _)| *h));
        match deed {
            Deed::Regenerate | Deed::NewLogin | Deed::NewSlot | Deed::Bot => {
                assert!(after.listed, "{at}");
                assert!(after.file.is_some() && after.file != before.file, "{after:?} {at}");
                let keys: Vec<_> = new.iter().map(|(_, key)| **key).collect();
                assert_eq!(keys, [after.file], "one new session, of the file's key: {at}");
                assert!(tg.alive(after.file.unwrap().0), "{at}");
                // A bot has nobody who could end its old session.
                let ended: Vec<i64> = if deed == Deed::Bot { Vec::new() } else { old.into_iter().collect() };
                assert_eq!(gone, ended, "{at}");
            }
            Deed::Wipe => {
                assert_eq!((after.file, &gone, new.len()), (None, &old.into_iter().collect(), 0), "{at}");
                let trash = self.all.file(&deed.slot(number)).with_file_name(".pairdeck-trash");
                assert_eq!(fs::read_dir(trash).unwrap().count(), 1, "it can come back: {at}");
            }
            Deed::Terminate | Deed::LogOut => assert_eq!((gone.len(), new.len()), (1, 0), "{at}"),
            Deed::TerminateOthers => {
                let left: Vec<_> = after.rows.keys().copied().collect();
                assert_eq!(Some(left), self.own().map(|own| vec![own]), "{at}");
            }
        }
        if deed == Deed::LogOut {
            assert_eq!(self.own(), None, "{at}");
        }
    }
}

/// The step at which the journal says that it was killed, and the sides of it that were hit.
fn step(op: Option<&Op>) -> String {
    let named = |op: &Op| op.plan.as_ref().and_then(|p| p.steps.get(op.step)).map(|s| s.id.to_string());
    match op {
        None => "-".to_owned(),
        Some(op) if op.phase == OpPhase::Done => "end".to_owned(),
        Some(op) => named(op).unwrap_or_else(|| op.phase.name().to_owned()),
    }
}

/// One line of the table.
struct Line {
    step: String,
    side: &'static str,
    outcome: &'static str,
    said: String,
}

/// Kills, lets the next process come, and judges. The run's own end if the point never came.
fn judge(floor: &mut Floor, number: usize, point: &Point) -> Result<Line, Ran> {
    let words = floor.prepare(number);
    floor.all.op();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let before = floor.look(number);
    let own = floor.own();
    if let Some(ran) = floor.killed(&words, point) {
        floor.all.op();
        // It gave up by itself: then nothing happened.
        if ran.code != 0 {
            assert_eq!(before, floor.look(number), "{point}: ended with {}: {} {}", ran.code, ran.stdout, ran.stderr);
        }
        return Err(ran);
    }
    let left = floor.all.op();
    let step = step(left.as_ref());
    let half = floor.all.file(&floor.deed.slot(number));
    let whole = |when: &str| assert!(!half.exists() || lies(&half).is_some(), "half a file {when}: {point}");
    whole("at the kill");
    // Whatever the program does next, it does that first.
    floor.all.tg().clear();
    let next = floor.all.home.run(NEXT[number % NEXT.len()]);
    let at = format!("{point}; journal {step}; {:?} ended with {}: {}", NEXT[number % NEXT.len()], next.code, next.stderr);
    whole("after the next process");
    let after = floor.look(number);
    let ended = left.as_ref().map(|op| floor.all.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()));
    let outcome = match ended.as_ref().map(|op| op.phase) {
        Some(OpPhase::Done) => {
            floor.check_done(number, &before, &after, &at);
            "done"
        }
        None | Some(OpPhase::Cancelled | OpPhase::Failed) => {
            assert_eq!(before, after, "{at}");
            "taken_back"
        }
        Some(OpPhase::Ambiguous) => {
            assert!(next.stderr.contains("tg:"), "not shown: {at}");
            "ambiguous_shown"
        }
        other => panic!("left open as {other:?}: {at}"),
    };
    // No session on the servers whose key nobody has: each new row's key lies in the file.
    let strays: Vec<_> = after.rows.iter().filter(|(h, key)| !before.rows.contains_key(h) && (key.is_none() || **key != after.file)).collect();
    assert!(strays.is_empty(), "{strays:?} {at}");
    let pending: Vec<_> = floor.all.tg().devices(floor.deed.account()).into_iter().filter(|d| d.pending).collect();
    assert!(pending.is_empty(), "{pending:?} {at}");
    if floor.deed != Deed::LogOut {
        assert_eq!(floor.own(), own, "the operator's own: {at}");
    }
    let calls = floor.all.tg().calls();
    assert!(!calls.iter().any(|c| c.outcome.contains("DUPLICATED")), "{at}");
    assert!(before.file.is_none_or(|k| calls.iter().all(|c| c.key != k.0)), "a worker's key was used: {at}");
    let folder = half.parent().unwrap();
    let mess: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(mess.iter().all(|f| !f.to_string_lossy().ends_with("-new")), "{mess:?} {at}");
    // And that was all: the one after it changes nothing.
    floor.all.tg().clear();
    floor.all.home.run(&["list", "--json"]);
    assert_eq!(floor.look(number), after, "{at}");
    let changing = ["auth.exportLoginToken", "auth.acceptLoginToken", "auth.importBotAuthorization", "account.resetAuthorization", "auth.logOut"];
    let asked = floor.all.tg().questions();
    assert!(asked.iter().all(|q| !changing.contains(q)), "{asked:?} {at}");
    Ok(Line { step, side: point.side(), outcome, said: format!("{point:<58} | {:<8} | {outcome}", NEXT[number % NEXT.len()][0]) })
}

fn everywhere(deed: Deed, steps_wanted: &[&str]) {
    let mut first = Floor::new(deed);
    let (mut number, mut lines) = (1, Vec::new());
    let words = first.prepare(number);
    first.all.tg().clear();
    first.all.home.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    let asked = first.all.tg().questions();
    let plan = first.all.op().unwrap().plan.unwrap();
    let steps: Vec<String> = plan.steps.iter().map(|s| s.id.to_string()).collect();
    assert_eq!(steps, steps_wanted);
    // Every commit on both sides, until one run is never killed, which tells how many there are.
    let mut commits = 0;
    for n in 1.. {
        let mut met = false;
        for after in [false, true] {
            number += 1;
            if let Ok(line) = judge(&mut first, number, &Point::Journal { n, after }) {
                met = true;
                lines.push(line);
            }
        }
        if !met {
            break;
        }
        commits = n;
    }
    // arm, planning, the plan, each step begun and done, the end.
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
    let each = |(i, what): (usize, &&'static str)| [false, true].map(|done| Point::Question { n: i + 1, what, done });
    let points: Vec<Point> = asked.iter().enumerate().flat_map(each).collect();
    let todo = Mutex::new(points.iter().cloned().enumerate());
    let made = Mutex::new(Vec::new());
    let work = |floor: &mut Floor, mut number: usize| {
        loop {
            let Some((i, point)) = todo.lock().unwrap().next() else { break };
            // A run that gives up before the point (a busy machine) has been judged too, and is told; the point is wanted all the same.
            let line = (0..TRIES).find_map(|_| {
                number += 1;
                assert!(number <= SLOTS, "more points than slots");
                let gave_up = |ran: Ran| println!("{point} not met: ended with {}: {} {}", ran.code, ran.stdout, ran.stderr);
                judge(floor, number, &point).map_err(gave_up).ok()
            });
            made.lock().unwrap().push((i, line.unwrap_or_else(|| panic!("{point} never came"))));
        }
        floor.all.home.keeps_secrets();
    };
    thread::scope(|s| {
        for _ in 1..WORKERS {
            s.spawn(|| work(&mut Floor::new(deed), 0));
        }
        work(&mut first, number);
    });
    let mut questions = made.into_inner().unwrap();
    questions.sort_by_key(|(i, _)| *i);
    lines.extend(questions.into_iter().map(|(_, line)| line));
    println!("\n{}: {commits} commits, {} questions, {} kill points", deed.name(), asked.len(), lines.len());
    for line in &lines {
        println!("{:<10} | {}", line.step, line.said);
    }
    let mut table: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for l in &lines {
        *table.entry((&l.step, l.side, l.outcome)).or_default() += 1;
    }
    for ((step, side, outcome), n) in &table {
        println!("kill-table: provider=telegram plan={} step={step} side={side} outcome={outcome} n={n}", deed.name());
    }
    let hit: BTreeSet<(&str, &str)> = table.keys().map(|(step, side, _)| (*step, *side)).collect();
    for step in &steps {
        for side in ["before", "after"] {
            assert!(hit.contains(&(step.as_str(), side)), "never killed {side} a commit or question of {step}");
        }
    }
}

#[test]
fn a_regenerate_killed_anywhere_leaves_the_old_session_or_the_new_one_and_no_other() {
    everywhere(Deed::Regenerate, &["stopped", "key", "accept", "login", "identity", "replace", "verify", "end-old"]);
}

#[test]
fn a_first_login_of_a_slot_killed_anywhere_is_finished_or_leaves_nothing() {
    everywhere(Deed::NewLogin, &["stopped", "key", "accept", "login", "identity", "replace", "verify"]);
}

#[test]
fn a_new_slot_killed_anywhere_is_whole_and_listed_or_neither() {
    everywhere(Deed::NewSlot, &["enlist", "key", "accept", "login", "identity", "replace", "verify"]);
}

/// The operator's own login has no plan, but each of its keys is sealed before anything is sent that the servers may authorise it for.
/// Killed anywhere, the next process takes the login over or takes it back: no session is left that only the phone could end. `stored`:
/// the password of the second step is; without it what was scanned cannot be completed, and is logged out.
fn operators_login(stored: bool) -> BTreeMap<(&'static str, &'static str), usize> {
    // The phone scans by itself, as soon as there is a code.
    let phone = Some((Duration::from_millis(1), OWNER));
    let scans = TelegramSettings { scans: phone, ..TelegramSettings::default() };
    let house = || {
        let all = Tg::with(scans.clone(), Some("CANARY-second-step-92"), 1, 1);
        if !stored {
            let name = secret_name(&GatewayId::new("tg"), "account/ada/password");
            all.home.store(async |s: &Store| s.secret_forget(&name).await.unwrap());
        }
        all
    };
    let args = ["pair", "tg:ada", "--json"];
    let first = house();
    first.tg().clear();
    first.home.run(&args).exits(if stored { 0 } else { 4 });
    let asked = first.tg().questions();
    assert_eq!(asked.contains(&"auth.checkPassword"), stored, "{asked:?}");
    let each = |(i, what): (usize, &&'static str)| [false, true].map(|done| Point::Question { n: i + 1, what, done });
    let questions: Vec<Point> = asked.iter().enumerate().flat_map(each).collect();
    let journal = (1..).map(|n| [false, true].map(|after| Point::Journal { n, after }));
    let (mut table, mut points) = (BTreeMap::new(), 0);
    // True when it was killed there.
    let mut at = |point: &Point| {
        let floor = Floor { all: house(), deed: Deed::LogOut };
        if floor.killed(&args, point).is_some() {
            assert!(matches!(point, Point::Journal { .. }), "{point} never came");
            return false;
        }
        points += 1;
        // Nobody sees a code of the next process.
        floor.all.tg().scans(None);
        floor.all.tg().clear();
        let list = floor.all.home.run(&["list", "--json"]).exits(0).json();
        let ada = list["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone();
        let rows = floor.all.tg().devices(OWNER);
        let outcome = match (ada["state"] == "ready", rows.len()) {
            (true, 1) if stored => "done",
            (false, 0) => "taken_back",
            other => panic!("{other:?} {point}: {ada} {rows:?}"),
        };
        assert!(rows.iter().all(|r| !r.pending), "{point}: {rows:?}");
        assert!(floor.all.tg().calls().iter().all(|c| !c.outcome.contains("DUPLICATED")), "{point}");
        // And that was all: the next look tries nothing more.
        floor.all.tg().clear();
        floor.all.home.run(&["list", "--json"]).exits(0);
        let again = floor.all.tg().questions();
        assert!(!again.contains(&"auth.exportLoginToken") && !again.contains(&"auth.logOut"), "{point}: {again:?}");
        floor.all.tg().scans(phone);
        if outcome == "taken_back" {
            floor.all.home.run(&args).exits(if stored { 0 } else { 4 });
        }
        assert_eq!(floor.all.tg().devices(OWNER).len(), usize::from(stored), "{point}");
        floor.all.home.keeps_secrets();
        *table.entry((point.side(), outcome)).or_default() += 1;
        true
    };
    for point in &questions {
        at(point);
    }
    for both in journal {
        // Not one `any`, which would leave the second out.
        if both.map(|point| at(&point)) == [false; 2] {
            break;
        }
    }
    println!("operator-login, password {}: {points} points", if stored { "stored" } else { "not stored" });
    table
}

#[test]
fn an_operators_login_killed_anywhere_is_taken_over_or_taken_back_and_nothing_is_left_to_the_phone() {
    let table = operators_login(true);
    for ((side, outcome), n) in &table {
        println!("kill-table: provider=telegram plan=operator-login step=login side={side} outcome={outcome} n={n}");
    }
    let outcomes: BTreeSet<&str> = table.keys().map(|k| k.1).collect();
    assert_eq!(outcomes, BTreeSet::from(["done", "taken_back"]), "{table:?}");
}

#[test]
fn an_operators_login_that_nobody_can_complete_leaves_no_session_wherever_it_is_killed() {
    for ((side, outcome), n) in &operators_login(false) {
        println!("kill-table: provider=telegram plan=operator-login-without-password step=login side={side} outcome={outcome} n={n}");
    }
}

#[test]
fn a_wipe_of_a_slot_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::Wipe, &["stopped", "trash", "forget", "end-old"]);
}

#[test]
fn a_bots_new_session_killed_anywhere_is_whole_or_not_there() {
    everywhere(Deed::Bot, &["stopped", "key", "bot", "login", "identity", "replace", "verify"]);
}

#[test]
fn the_end_of_one_session_killed_anywhere_ends_that_one_or_none() {
    everywhere(Deed::Terminate, &["end"]);
}

#[test]
fn the_end_of_all_other_sessions_killed_anywhere_ends_all_or_none() {
    everywhere(Deed::TerminateOthers, &["others"]);
}

#[test]
fn a_log_out_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::LogOut, &["log-out"]);
}
