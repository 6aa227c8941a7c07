//! gotd's real client as a worker under `pairdeck run`: two on one key, the conflict, a key of its own for each by the command line
//! and by a key of the deck, and the real worker back on its file. Needs `go`; skipped loudly without it, a failure on CI.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod deck {
    pub mod hands;
}
mod support;

use pairdeck::providers::telegram::KeyId;
use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};
use support::{
    gotd::{Worker, program},
    house::until,
    pty::{Pty, Start},
    tg::{OWNER, Tg, lies},
};

/// gotd under `pairdeck run` on that slot.
fn run(all: &Tg, slot: &str, program: &Path, heal: bool) -> Worker {
    let target = format!("tg:ada/{slot}");
    let mut words = vec!["run", &target];
    words.extend(heal.then_some("--heal"));
    words.extend(["--", program.to_str().unwrap()]);
    Worker::start(all.home.command(&words), all.tg(), &all.file(slot))
}

/// gotd by itself, as somebody who knows nothing of pairdeck starts it.
fn alone(all: &Tg, file: &Path, program: &Path) -> Worker {
    Worker::start(Command::new(program), all.tg(), file)
}

/// Connections that have called with a key.
fn callers(all: &Tg, key: KeyId) -> BTreeSet<u64> {
    all.tg().calls().into_iter().filter(|c| c.key == key.0).map(|c| c.conn).collect()
}

/// The deck, on that slot's row.
fn deck_on(all: &Tg, slot: &str) -> Pty {
    let home = all.home.path();
    let pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["--home".as_ref(), home.as_os_str()]).size(120, 40).spawn();
    pty.wait_until("the account, not stale", |s| (s.contents().contains("ada") && !s.contents().contains('~')).then_some(()));
    deck::hands::select(&pty, "ada");
    deck::hands::press(&pty, "l", "its slots", |s| s.contents().contains(slot).then_some(()));
    deck::hands::select(&pty, slot);
    pty
}

#[test]
fn two_real_workers_on_one_key_are_a_conflict_until_each_slot_has_its_own() {
    let Some(program) = program("two workers") else { return };
    let mut all = Tg::open(2, 1);
    let (_, old) = all.seat(OWNER, "s1", 1);
    fs::copy(all.file("s1"), all.file("s2")).unwrap();
    let mut one = run(&all, "s1", &program, false);
    one.says("ready");
    assert_eq!(one.me(), OWNER);
    // pairdeck itself starts no second one on a copy of the key.
    let refused = all.home.run(&["run", "tg:ada/s2", "--", program.to_str().unwrap()]).exits(8);
    assert!(refused.stderr.contains("tg:ada/s1") || refused.stderr.contains("worker"), "{}", refused.stderr);
    for slot in ["s1", "s2"] {
        let row = all.device(slot);
        assert_eq!((row["state"].as_str(), row["reason"]["code"].as_str()), (Some("conflict"), Some("key_twin")), "{row}");
    }
    // Somebody does it all the same, past pairdeck.
    let mut two = alone(&all, &all.file("s2"), &program);
    let died = two.says("died");
    assert_eq!((died["code"].as_i64(), died["name"].as_str()), (Some(406), Some("AUTH_KEY_DUPLICATED")), "{died}");
    assert_eq!(one.refused(), "406 AUTH_KEY_DUPLICATED");
    drop((one, two));
    assert!(!all.tg().alive(old.0), "the key is dead");
    // Nobody may hold them any more.
    until("the workers' end", || all.device("s1")["facts"]["holder"].is_null() && all.device("s2")["facts"]["holder"].is_null());

    // One by the command line, the other by a key of the deck.
    all.tg().clear();
    let ran = all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0).json();
    assert_eq!(ran["result"], "done", "{ran}");
    let deck = deck_on(&all, "s2");
    deck::hands::press(&deck, "r", "the question", |s| s.contents().contains("waits for Enter").then_some(()));
    // Enter is swallowed for the first 300 ms after arming: that is the behaviour, not a wait for something.
    std::thread::sleep(Duration::from_millis(400));
    deck.keys("<Enter>");
    until("the second slot's key", || lies(&all.file("s2")).is_some_and(|k| k != old));
    let (first, second) = (lies(&all.file("s1")).unwrap(), lies(&all.file("s2")).unwrap());
    until("the end of the work", || all.op().is_none_or(|op| !op.phase.open()));
    assert!(first != old && second != old && first != second);
    assert!(callers(&all, old).is_empty(), "pairdeck called with a worker's key");
    let used = [callers(&all, first), callers(&all, second)];
    assert!(all.tg().connected().iter().all(|c| c.key != Some(first.0) && c.key != Some(second.0)), "a new key is still connected");

    // The real workers, side by side, with the deck on.
    let (mut one, mut two) = (run(&all, "s1", &program, false), run(&all, "s2", &program, false));
    for (worker, slot) in [(&mut one, "s1"), (&mut two, "s2")] {
        worker.says("ready");
        assert_eq!(worker.me(), OWNER, "{slot}");
    }
    deck.keys("q");
    drop(deck);
    for slot in ["s1", "s2"] {
        let row = all.device(slot);
        assert_eq!(row["state"], "seen", "{row}");
        assert!(row["facts"]["holder"].as_str().unwrap().contains("worker"), "{row}");
    }
    all.home.run(&["doctor", "--json"]);
    all.home.run(&["status", "tg:ada", "--json"]);
    assert_eq!((one.me(), two.me()), (OWNER, OWNER));
    for (key, before) in [(first, &used[0]), (second, &used[1])] {
        assert_eq!(callers(&all, key).difference(before).count(), 1, "a key that a worker holds has that worker's connection and no other");
        assert!(all.tg().alive(key.0));
    }
    assert!(!all.tg().calls().iter().any(|c| c.outcome.contains("DUPLICATED")));
    assert!(one.end().success() && two.end().success());
    assert_eq!(lies(&all.file("s1")), Some(first), "gotd wrote the same key again");
    all.home.keeps_secrets();
}

#[test]
fn the_old_key_of_a_regenerated_slot_is_401_to_a_worker_that_still_has_it() {
    let Some(program) = program("the old key") else { return };
    let all = Tg::open(1, 1);
    let (hash, old) = all.seat(OWNER, "s1", 1);
    let kept = all.home.file("kept.json");
    fs::copy(all.file("s1"), &kept).unwrap();
    all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0);
    assert!(!all.tg().alive(old.0) && all.tg().devices(OWNER).iter().all(|d| d.hash != hash));
    let mut late = alone(&all, &kept, &program);
    late.says("ready");
    assert_eq!(late.refused(), "401 AUTH_KEY_UNREGISTERED");
    let mut worker = run(&all, "s1", &program, false);
    worker.says("ready");
    assert_eq!(worker.me(), OWNER);
    assert!(worker.end().success());
}

#[test]
fn a_real_worker_whose_session_was_ended_is_given_a_new_one_and_started_again() {
    let Some(program) = program("healing") else { return };
    let all = Tg::open(1, 1);
    let (_, old) = all.seat(OWNER, "s1", 1);
    let copy = all.home.file("copy.json");
    fs::copy(all.file("s1"), &copy).unwrap();
    let mut worker = run(&all, "s1", &program, true);
    worker.says("ready");
    assert_eq!(worker.me(), OWNER);
    // A second one on a copy: both are thrown out.
    let mut twin = alone(&all, &copy, &program);
    twin.says("died");
    assert_eq!(worker.refused(), "406 AUTH_KEY_DUPLICATED");
    drop(twin);
    // gotd itself stays up with a dead key; whoever runs it sees that and ends it.
    worker.tell(&serde_json::json!({ "do": "die" }));
    let again = worker.says("died");
    assert_eq!(again["code"], 406, "{again}");
    // It is started again by pairdeck, on a new key, and reads its first line anew.
    worker.tell(&support::gotd::setup(all.tg(), 4, &all.file("s1"), ""));
    worker.says("ready");
    assert_eq!(worker.me(), OWNER);
    let new = lies(&all.file("s1")).unwrap();
    assert!(new != old && all.tg().alive(new.0) && !all.tg().alive(old.0));
    assert!(worker.end().success());
}
