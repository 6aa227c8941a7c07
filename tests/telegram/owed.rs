//! The end of a former session: owed for a day, done by itself, and what is said where nobody knows which session it is.

use crate::{
    floor::{Floor, OWNER, key, lies, write},
    support::house::until,
};
use serde_json::json;
use std::{fs, time::Duration};

#[test]
fn an_owed_end_is_told_with_its_time_and_done_by_the_next_command_once_it_is_due() {
    let floor = Floor::open(1, 0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let first = lies(&floor.file("w0")).unwrap();
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0).json();
    assert_eq!((&ran["result"], &ran["reason"]["code"]), (&json!("done"), &json!("not_yet")), "{ran}");
    assert_eq!(ran["steps"].as_array().unwrap().last().unwrap()["state"], "owed", "{ran}");
    assert!(floor.tg().alive(first.0));
    let third = floor.home.run(&["regenerate", "tg:ada/w0", "--yes"]).exits(0).says(&["its last step is owed", "Possible from"]);
    assert!(third.stdout.contains("done"), "{}", third.stdout);
    // Said on its row and not at every command.
    let row = floor.device("w0");
    let from = row["facts"]["old_ends_from"].as_str().unwrap();
    assert!(ran["reason"]["text"].as_str().unwrap().contains(from), "{from} {ran}");
    let quiet = floor.home.run(&["list", "--json"]).exits(0);
    assert!(!quiet.stderr.contains("owed") && !quiet.stderr.contains("left by"), "{}", quiet.stderr);
    // A day later the next command does it, whatever it is asked for.
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    a_day_passes(&floor);
    let next = floor.home.run(&["list", "--json"]).exits(0).says(&["owed until now, is done"]);
    assert!(!floor.tg().alive(first.0), "{}", next.stderr);
    assert_eq!(next.stderr.matches("owed until now").count(), 2, "one a key: {}", next.stderr);
    assert!(floor.device("w0")["facts"].get("old_ends_from").is_none_or(serde_json::Value::is_null));
    let again = floor.home.run(&["list", "--json"]).exits(0);
    assert!(!again.stderr.contains("owed"), "{}", again.stderr);
}

/// The journal's time is moved a day back: the host's clock is not ours to turn.
fn a_day_passes(floor: &Floor) {
    let db = rusqlite::Connection::open(floor.home.file("vault.db")).unwrap();
    let reason: String = db.query_row("SELECT reason FROM op WHERE phase = 'owed'", [], |r| r.get(0)).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&reason).unwrap();
    for arg in value["args"].as_array_mut().unwrap() {
        if arg[0] == "time" {
            arg[1] = json!("2026-01-01T00:00:00Z");
        }
    }
    assert_eq!(db.execute("UPDATE op SET reason = ?1 WHERE phase = 'owed'", [value.to_string()]).unwrap(), 2);
}

#[test]
fn a_watch_ends_by_itself_what_is_owed_and_says_so() {
    let floor = Floor::open(1, 0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let first = lies(&floor.file("w0")).unwrap();
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    // Its time comes in a second, by the journal; the server agrees only then.
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let soon = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(3 - 60)).unwrap().to_string();
    {
        let db = rusqlite::Connection::open(floor.home.file("vault.db")).unwrap();
        let reason: String = db.query_row("SELECT reason FROM op WHERE phase = 'owed'", [], |r| r.get(0)).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&reason).unwrap();
        value["args"] = json!([["time", soon]]);
        db.execute("UPDATE op SET reason = ?1 WHERE phase = 'owed'", [value.to_string()]).unwrap();
    }
    let mut watch = floor.home.command(&["watch"]).spawn().unwrap();
    until("the end of the former session", || !floor.tg().alive(first.0) || watch.try_wait().unwrap().is_some());
    until("the journal's word of it", || floor.home.store(async |store: &pairdeck::store::Store| store.ops_unfinished().await.unwrap().is_empty()));
    let pid = rustix::process::Pid::from_raw(i32::try_from(watch.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    floor.home.finish(watch).exits(0).says(&["owed until now, is done"]);
    assert!(!floor.tg().alive(first.0));
}

#[test]
fn where_no_hash_is_remembered_the_possible_sessions_are_named() {
    let floor = Floor::open(2, 0);
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0).json();
    let told = ran["told"][0].as_str().unwrap();
    assert!(told.contains("worker 0 (Orders") && told.contains("worker 1 (Orders") && told.contains("from 20"), "{told}");
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let ran = floor.home.run(&["regenerate", "tg:ada/w1", "--yes"]).exits(0);
    ran.says(&["worker 1 (Orders", "`pairdeck wipe` ends it"]);
    // Ended by its row, by its key: what is said then is that nothing is left.
    for device in ["worker 0", "worker 1", "w1 by pairdeck"] {
        let row = floor.devices().into_iter().find(|d| d["name"].as_str().unwrap().starts_with(device)).unwrap();
        floor.home.run(&["wipe", row["id"].as_str().unwrap(), "--yes"]).exits(0);
    }
    // A file that nobody knows, and no session beside those of known slots.
    write(&floor.file("w1"), &key(200));
    let ran = floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]).exits(0).json();
    assert!(ran["told"][0].as_str().unwrap().contains("no other session"), "{ran}");
    assert!(fs::metadata(floor.file("w1")).is_ok());
    floor.no_workers_key_was_used(2);
}
