//! Kills at every point of a plan, lets the next process come, and judges what is left.

use crate::{
    kill_floor::{Deed, Floor, Point, SLOTS},
    support::{house::Ran, kill::Lots, tg::lies},
};
use pairdeck::{
    domain::{Op, OpPhase, Plan},
    store::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Mutex,
    thread,
};

const WORKERS: usize = 2;
/// How often a point is tried.
const TRIES: usize = 3;
/// What may come next: whichever it is, it finishes the work first.
const NEXT: [&[&str]; 4] = [&["list", "--json"], &["status", "tg:ada", "--json"], &["history", "--json"], &["doctor", "--json"]];

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

/// What a run that nobody disturbs asks, and its plan. On a busy machine an answer may come too late: the step finds out what became of
/// it and tries again, which are more questions than any other run asks, and points that never come. So two runs must have asked alike.
fn reference(floor: &mut Floor, number: &mut usize) -> (Vec<&'static str>, Plan) {
    let mut last: Option<Vec<&'static str>> = None;
    for _ in 0..2 * TRIES {
        *number += 1;
        let words = floor.prepare(*number);
        floor.all.op();
        floor.all.tg().clear();
        floor.all.home.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
        let asked = floor.all.tg().questions();
        let plan = floor.all.op().unwrap().plan.unwrap();
        if last.as_ref() == Some(&asked) {
            return (asked, plan);
        }
        if let Some(last) = last.replace(asked) {
            println!("{}: two runs asked otherwise: {last:?}", floor.deed.name());
        }
    }
    panic!("{}: no two runs asked alike", floor.deed.name());
}

/// Every point of what is done, each killed once; the steps of its plan are these.
pub fn everywhere(deed: Deed, steps_wanted: &[&str]) {
    let mut first = Floor::new(deed);
    let (mut number, mut lines) = (0, Vec::new());
    let (asked, plan) = reference(&mut first, &mut number);
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
    // The other plans share most of their steps with these.
    let lots = Lots::wanted(if matches!(deed, Deed::Regenerate | Deed::Wipe) { 1 } else { 5 });
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
        if lots.is_empty() {
            return;
        }
        // Slots that nobody has used yet.
        let mut fresh = Floor::new(deed);
        for number in 1..=SLOTS {
            let Some((n, after)) = lots.next() else { break };
            let line = judge(&mut fresh, number, &Point::Instant { after });
            lots.told(after, line.is_ok());
            made.lock().unwrap().extend(line.map(|line| (points.len() + n, line)));
        }
        fresh.all.home.keeps_secrets();
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
