//! `pairdeck run --heal`: a dead session is rebuilt with a key of its own, and the worker starts again on that.

use crate::floor::{Floor, key, lies};
use std::fs;

/// A worker that dies of `line` at its first starts, so many, and is well then. It says which life it is.
fn script(floor: &Floor, deaths: usize, line: &str) -> String {
    let lives = floor.home.file("lives");
    format!(
        "n=$(cat {0} 2>/dev/null || echo 0); n=$((n+1)); echo $n > {0}; echo life $n; if [ $n -le {deaths} ]; then echo '{line}' >&2; exit 1; fi",
        lives.display()
    )
}

#[test]
fn a_worker_that_died_of_a_duplicate_gets_a_key_of_its_own_and_starts_again() {
    let floor = Floor::open(1, 1);
    let old = lies(&floor.file("w0")).unwrap();
    let script = script(&floor, 1, "rpcDoRequest: rpc error code 406: AUTH_KEY_DUPLICATED");
    let ran = floor.home.run(&["run", "tg:ada/w0", "--heal", "--", "sh", "-c", &script]).exits(0);
    assert_eq!(ran.stdout, "life 1\nlife 2\n", "stdout is the worker's alone: {}", ran.stderr);
    let new = lies(&floor.file("w0")).unwrap();
    assert!(new != old && floor.tg().alive(new.0), "{}", ran.stderr);
    let ran = ran.says(&["tg:ada/w1", "its key was used twice", "starts again in 5 s"]);
    assert_eq!(lies(&floor.file("w1")), Some(key(1).id()), "the copy is left alone: {}", ran.stderr);
    assert_eq!(floor.device("w0")["state"], "offline", "with a key of its own it is no conflict");
    let audit = floor.home.run(&["history", "--audit"]).exits(0);
    assert!(audit.stdout.contains("session_duplicated") && audit.stdout.contains("regenerate"), "{}", audit.stdout);
    floor.no_workers_key_was_used(1);
}

#[test]
fn a_closed_account_ends_the_healing_with_an_alarm_and_its_file_stays() {
    let floor = Floor::open(1, 0);
    let old = fs::read(floor.file("w0")).unwrap();
    let script = script(&floor, 9, "401: USER_DEACTIVATED_BAN");
    floor.home.run(&["run", "tg:ada/w0", "--heal", "--", "sh", "-c", &script]).exits(4);
    assert_eq!(fs::read(floor.file("w0")).unwrap(), old);
    assert_eq!(fs::read_to_string(floor.home.file("lives")).unwrap().trim(), "1", "it was not started again");
}
