//! What stands on the rows of slots about holders: those on other hosts, by the shared store, and those that are no more.

use crate::{
    STAYS, home, shared, signal,
    support::{house::Home, redis::RedisServer},
    worker,
};
use serde_json::Value;
use std::{fs, time::Duration};

fn row(home: &Home, slot: &str) -> Value {
    let list = home.run(&["list", "--json"]).json();
    let devices = list["accounts"][0]["devices"].as_array().unwrap().clone();
    devices.into_iter().find(|d| d["name"] == slot).unwrap_or_else(|| panic!("no {slot}: {list}"))
}

#[test]
fn a_key_that_another_host_runs_is_a_conflict_that_names_the_holder_and_a_standby_is_none() {
    let Some(server) = RedisServer::start("holders on other hosts", &[]) else { return };
    let (a, _) = home(&[("orders", 1)], &shared(&server));
    let (b, _) = home(&[("orders", 1)], &shared(&server));
    let (c, files) = home(&[("mailer", 1), ("own", 2)], &shared(&server));
    let (child, pid, _out) = worker(&a, &["tg:shop/orders"], STAYS);
    let me = format!("[{}]", child.id());
    // Here it is the holder itself.
    let own = row(&a, "orders");
    assert_eq!(own["state"], "seen", "{own}");
    assert!(own["facts"]["lease"].as_str().unwrap().ends_with(&me), "{own}");
    // The same slot of another host, where nobody holds it: it waits its turn.
    let standby = row(&b, "orders");
    assert_eq!((standby["state"].as_str(), standby["reason"].is_null()), (Some("seen"), true), "{standby}");
    // Another slot, the same key: a copy that was carried over.
    let twin = row(&c, "mailer");
    assert_eq!((twin["state"].as_str(), twin["reason"]["code"].as_str()), (Some("conflict"), Some("key_twin")), "{twin}");
    let text = twin["reason"]["text"].as_str().unwrap();
    assert!(text.contains(&me) && text.contains("@") && text.contains(files[0].to_str().unwrap()), "{text}");
    assert_eq!(row(&c, "own")["state"], "offline");
    signal(pid, "TERM");
    a.finish(child).exits(0);
    assert_eq!(row(&c, "mailer")["state"], "offline", "let go, it is nobody's");
}

#[test]
fn a_pidfile_that_a_dead_worker_left_is_removed_at_the_next_run_and_its_evidence_is_told() {
    let (home, files) = home(&[("orders", 1)], "");
    let pidfile = files[0].with_file_name("worker.pid");
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&text.replace("dead_exit_codes = [41]\n", &format!("dead_exit_codes = [41]\npidfile = {:?}\n", pidfile.to_str().unwrap())));
    let mut dead = std::process::Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    fs::write(&pidfile, format!("{}\n", dead.id())).unwrap();
    assert_eq!(row(&home, "orders")["state"], "offline");
    let doctor = home.run(&["doctor", "--json"]);
    assert!(doctor.stdout.contains("has ended") && pidfile.exists(), "who only looks removes nothing: {}", doctor.stdout);
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(0).says(&["removed", &format!("process {} has ended", dead.id())]);
    assert!(!pidfile.exists());
    // A living process that got the id long after the file was written is no holder either.
    fs::write(&pidfile, format!("{}\n", std::process::id())).unwrap();
    let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::now() - Duration::from_secs(40 * 86_400));
    fs::File::options().write(true).open(&pidfile).unwrap().set_times(long_ago).unwrap();
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(0).says(&["from before this host was started"]);
}

#[test]
fn a_run_that_was_stopped_beyond_its_lease_stops_its_worker_when_it_goes_on() {
    let Some(server) = RedisServer::start("a stopped run", &[]) else { return };
    let (home, _) = home(&[("orders", 1)], &shared(&server));
    let (child, pid, _out) = worker(&home, &["tg:shop/orders"], STAYS);
    signal(child.id(), "STOP");
    // Nobody renews meanwhile; another host gets the lease as soon as it has ended.
    server.cli(&["DEL", "pairdeck:{run/tg:shop/orders}:lease"]);
    server.cli(&["SET", "pairdeck:{run/tg:shop/orders}:lease", "somebody"]);
    assert!(crate::lives(pid), "nothing tells a stopped process");
    signal(child.id(), "CONT");
    home.finish(child).exits(8).says(&["tg:shop/orders"]);
    assert!(!crate::lives(pid), "the worker outlived the right to run it");
}

#[test]
fn a_slot_of_two_hosts_has_one_worker_and_the_other_host_may_run_it_once_a_killed_holders_lease_has_ended() {
    let Some(server) = RedisServer::start("a slot of two hosts", &[]) else { return };
    let (a, _) = home(&[("orders", 1)], &shared(&server));
    let (b, files) = home(&[("orders", 1)], &shared(&server));
    let (mut child, pid, _out) = worker(&a, &["tg:shop/orders"], STAYS);
    let me = child.id().to_string();
    let refused = || b.run(&["run", "tg:shop/orders", "--", "true"]);
    refused().exits(8).says(&["tg:shop/orders", "another host", &me]);
    assert_eq!(row(&a, "orders")["state"], "seen");
    // Somebody starts the other host's copy without pairdeck: two use one session now, and the one who is not the holder says so.
    let mut stray = std::process::Command::new("sh")
        .args(["-c", "while :; do sleep 0.05; done", "stray-bot"])
        .arg(&files[0])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::support::house::until("the conflict", || row(&b, "orders")["state"] == "conflict");
    let text = row(&b, "orders")["reason"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("[{me}]")) && text.contains(files[0].to_str().unwrap()), "{text}");
    stray.kill().unwrap();
    stray.wait().unwrap();
    assert_eq!(row(&b, "orders")["state"], "seen", "it waits its turn again");
    // Killed, it lets nothing go: the lease ends by itself, and not before.
    child.kill().unwrap();
    child.wait().unwrap();
    let died = std::time::Instant::now();
    crate::support::house::until("the worker's end", || !crate::lives(pid));
    assert_eq!(refused().code, 8, "the lease of a process that nobody saw end was broken");
    crate::support::house::until("the lease's end", || refused().code == 0);
    assert!(died.elapsed() < Duration::from_secs(20), "{:?}", died.elapsed());
    // Whose store vanishes stops before its lease ends, and the slot is run nowhere until the store is back.
    let (child, pid, _out) = worker(&b, &["tg:shop/orders"], STAYS);
    let began = std::time::Instant::now();
    drop(server);
    b.finish(child).exits(8).says(&["cannot be renewed", "tg:shop/orders"]);
    assert!(began.elapsed() < Duration::from_secs(15) && !crate::lives(pid));
    assert_ne!(a.run(&["run", "tg:shop/orders", "--", "true"]).code, 0);
}
