//! A deck, or a `watch`, is open all day and has the operator's connection; whoever is on call runs a command meanwhile. The command
//! gets the connection lent and does its work, the deck shows the last state and has it back afterwards, and the servers never see two
//! connections with the operator's key at once. A process that does not lend is named, and one that was killed locks nobody out.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[allow(dead_code)]
mod deck {
    pub mod hands;
}
#[path = "telegram/ended.rs"]
mod ended;
mod support;

use deck::hands::wait_row;
use pairdeck::{
    providers::telegram::KeyId,
    sandbox::{TelegramCall, TelegramSession},
};
use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    house::{Ran, until},
    pty::{Pty, Start},
    redis::RedisServer,
    tg::{OWNER, Tg, lies},
};

/// The operator's own key.
fn own(all: &Tg) -> [u8; 8] {
    all.tg().devices(OWNER).into_iter().find(|d| d.device.starts_with("pairdeck@")).and_then(|d| d.key).unwrap()
}

fn open_deck(all: &Tg) -> Pty {
    open_deck_showing(all, "ready")
}

fn open_deck_showing(all: &Tg, state: &str) -> Pty {
    let path = all.home.path();
    let pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["--home".as_ref(), path.as_os_str()]).size(130, 45).spawn();
    wait_row(&pty, "ada", state);
    until("its connection", || connected(all));
    pty
}

/// Has the deck look, and waits until the servers heard it.
fn look_again(all: &Tg, pty: &Pty) {
    let calls = all.tg().calls().len();
    let end = Instant::now() + support::deadline();
    // A look that was under way when the key came is all there is to it: then it is pressed again.
    while all.tg().calls().len() <= calls {
        assert!(Instant::now() < end, "the deck did not look again; the servers heard {:?}:\n{}", all.tg().calls(), pty.text());
        pty.keys("R");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Somebody is connected with the operator's key.
fn connected(all: &Tg) -> bool {
    let own = own(all);
    all.tg().connected().iter().any(|c| c.key == Some(own))
}

/// How many connections spoke with the operator's key.
fn speakers(all: &Tg) -> usize {
    let own = own(all);
    let spoke: BTreeSet<u64> = all.tg().calls().into_iter().filter(|c| c.key == own).map(|c| c.conn).collect();
    spoke.len()
}

/// A `watch` with the operator's connection, ended with the value.
struct Watch(Child);

impl Watch {
    fn open(all: &Tg) -> Self {
        let child = all.home.command(&["watch"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("its connection", || connected(all));
        // What it keeps is its own by now: at the login the operator was too young to end others.
        until("rows of its own", || {
            let now = account(&all.home.run(&["list", "--json"]).exits(0));
            now["state"] == "ready" && !now.to_string().contains("ends_others_from")
        });
        Self(child)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn account(ran: &Ran) -> serde_json::Value {
    ran.json()["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone()
}

/// One connection after the other: none speaks again once a later one has spoken.
fn one_at_a_time(all: &Tg) {
    let own = own(all);
    let calls: Vec<TelegramCall> = all.tg().calls().into_iter().filter(|c| c.key == own).collect();
    assert!(calls.iter().all(|c| !c.outcome.contains("DUPLICATED")), "{calls:?}");
    let mut spoke: Vec<u64> = calls.iter().map(|c| c.conn).collect();
    spoke.dedup();
    let mut sorted = spoke.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(spoke, sorted, "two connections at once: {calls:?}");
    assert!(spoke.len() > 1, "nothing was lent: {calls:?}");
}

/// What is done by commands while somebody else has the connection.
fn everyday(all: &Tg) {
    let old = all.seat(OWNER, "s1", 1).1;
    let run = |args: &[&str]| all.home.run(args);
    for args in [&["list", "--json"][..], &["status", "tg:ada", "--json"]] {
        let ran = run(args).exits(0);
        let state = if args[0] == "list" { account(&ran) } else { ran.json() };
        assert_eq!(state["state"], "ready", "{args:?}: {}", ran.stdout);
        // Who has it may look on its own account: the server tells it of the worker's session.
        assert!(speakers(all) <= 1 && connected(all), "{args:?} took the connection from a watch that is well");
    }
    run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0);
    let new = lies(&all.file("s1")).unwrap();
    assert!(new != old && all.tg().alive(new.0) && !all.tg().alive(old.0));
    let file = all.home.file("workers").join("n").join("session.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    run(&["pair", "tg:ada", "--slot", "n", "--file", file.to_str().unwrap(), "--json"]).exits(0);
    assert!(all.tg().alive(lies(&file).unwrap().0));
    let lives = all.home.file("lives");
    let script = format!("echo x >> {0}; [ $(wc -l < {0}) = 1 ] && {{ echo AUTH_KEY_DUPLICATED >&2; exit 1; }}; exit 0", lives.display());
    let mut lived = all.home.command(&["run", "tg:ada/s1", "--heal", "--", "sh", "-c", "echo AUTH_KEY_UNREGISTERED >&2; exit 1"]);
    let ran = all.home.finish(lived.env("PAIRDECK_DEBUG_HEAL_SECOND_MS", "10").spawn().unwrap()).exits(4).says(&["still lists its session"]);
    assert_eq!(lies(&all.file("s1")).unwrap(), new, "a living session was replaced: {}", ran.stderr);
    for d in all.tg().devices(OWNER).iter().filter(|d| d.key == Some(new.0)) {
        assert!(all.tg().revoke(OWNER, d.hash));
    }
    let mut heal = all.home.command(&["run", "tg:ada/s1", "--heal", "--", "sh", "-c", &script]);
    let ran = all.home.finish(heal.env("PAIRDECK_DEBUG_HEAL_SECOND_MS", "10").spawn().unwrap()).exits(0);
    assert!(lies(&all.file("s1")).unwrap() != new, "{}", ran.stderr);
    all.tg().add_session(OWNER, &TelegramSession { device: "stranger".into(), ..TelegramSession::default() }).unwrap();
    run(&["do", "end-others", "tg:ada", "--yes", "--json"]).exits(0);
    assert_eq!(all.tg().devices(OWNER).len(), 1, "{:?}", all.tg().devices(OWNER));
}

#[test]
fn commands_do_their_work_beside_an_open_deck_which_shows_its_account_as_ready_all_along() {
    let all = Tg::open(2, 1);
    let pty = open_deck(&all);
    all.tg().clear();
    let from = pty.raw().len();
    everyday(&all);
    wait_row(&pty, "ada", "ready");
    until("the deck to have it back", || connected(&all));
    assert!(!String::from_utf8_lossy(&pty.raw()[from..]).contains("unknown"), "{}", pty.text());
    one_at_a_time(&all);
    // The deck works on: its own keys act with the same connection.
    look_again(&all, &pty);
    wait_row(&pty, "ada", "ready");
    one_at_a_time(&all);
}

#[test]
fn commands_do_their_work_beside_a_watch() {
    let all = Tg::open(2, 1);
    let _watch = Watch::open(&all);
    all.tg().clear();
    everyday(&all);
    until("the watch to have it back", || connected(&all));
    one_at_a_time(&all);
}

#[test]
fn a_process_that_does_not_lend_is_named_and_its_end_frees_the_key() {
    let all = Tg::open(2, 1);
    let mut watch = Watch::open(&all);
    all.seat(OWNER, "s1", 1);
    let old = lies(&all.file("s1"));
    watch.signal("STOP");
    // It was well a moment ago: its word counts.
    assert_eq!(all.home.run(&["status", "tg:ada", "--json"]).exits(0).json()["state"], "ready");
    let pid = format!("pairdeck watch (pid {})", watch.0.id());
    // Its word grows old: then it is asked, and what is not lent is not made up.
    let lock = fs::read_dir(all.home.file("data/locks")).or_else(|_| fs::read_dir(all.home.file("locks"))).unwrap();
    let lock = lock.flatten().find(|f| {
        let name = f.file_name().to_string_lossy().into_owned();
        // A login over two data centres has had a lock for each of its keys.
        name.contains(&KeyId(own(&all)).to_string()) && !name.contains("wish")
    });
    let aged = fs::OpenOptions::new().write(true).open(lock.unwrap().path()).unwrap();
    let well = aged.metadata().unwrap().modified().unwrap();
    aged.set_modified(well - Duration::from_secs(3600)).unwrap();
    let old_word = all.home.run(&["status", "tg:ada", "--json"]).json();
    assert!(old_word["state"] == "unknown" && old_word["reason"].to_string().contains(&pid), "{old_word}");
    aged.set_modified(well).unwrap();
    for args in [&["regenerate", "tg:ada/s1", "--yes"][..], &["do", "end-others", "tg:ada", "--yes"]] {
        let began = Instant::now();
        let ran = all.home.run(args);
        assert_ne!(ran.code, 0);
        assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(&pid) && said.contains("or end it"), "{args:?}: {said}");
        assert!(!said.contains("Not logged in"), "{said}");
    }
    // Whether the session lives nobody can tell: it is asked again, then a person is called, and nothing is replaced.
    let mut heal = all.home.command(&["run", "tg:ada/s1", "--heal", "--", "sh", "-c", "echo AUTH_KEY_UNREGISTERED >&2; exit 1"]);
    let ran = all.home.finish(heal.env("PAIRDECK_DEBUG_HEAL_SECOND_MS", "10").spawn().unwrap());
    assert_ne!(ran.code, 0);
    ran.says(&[&pid, "asked again in 45 s", "is not known here: nothing was replaced"]);
    assert_eq!(lies(&all.file("s1")), old);
    watch.0.kill().unwrap();
    watch.0.wait().unwrap();
    all.home.run(&["regenerate", "tg:ada/s1", "--yes"]).exits(0);
    assert_ne!(lies(&all.file("s1")), old);
}

#[test]
fn a_command_that_is_killed_with_the_connection_in_its_hands_leaves_it_to_the_deck() {
    let all = Tg::open(2, 1);
    all.seat(OWNER, "s1", 1);
    let pty = open_deck(&all);
    all.tg().clear();
    let mut child = all.home.command(&["regenerate", "tg:ada/s1", "--yes"]).spawn().unwrap();
    until("the command at work", || all.tg().calls().iter().any(|c| c.method == "auth.exportLoginToken"));
    child.kill().unwrap();
    child.wait().unwrap();
    let calls = all.tg().calls().len();
    until("the deck to have it back", || {
        let own = own(&all);
        all.tg().calls()[calls..].iter().any(|c| c.key == own && c.method == "account.getAuthorizations")
    });
    wait_row(&pty, "ada", "ready");
    one_at_a_time(&all);
}

#[test]
fn a_copied_home_is_refused_by_name_while_the_other_homes_watch_has_the_key_and_the_servers_hear_nothing() {
    let all = Tg::open(1, 1);
    let watch = Watch::open(&all);
    let copy = tempfile::tempdir().unwrap();
    let other = copy.path().join("h2");
    assert!(Command::new("cp").arg("-a").args([all.home.path(), other.clone()]).status().unwrap().success());
    all.tg().clear();
    let began = Instant::now();
    let ran = all.home.run(&["--home", other.to_str().unwrap(), "status", "tg:ada", "--json"]);
    let told = ran.json();
    let why = told["reason"].to_string();
    assert!(told["state"] == "unknown" && why.contains(&format!("pid {}", watch.0.id())), "{} {}", ran.stdout, ran.stderr);
    assert!(why.contains(all.home.path().to_str().unwrap()), "which home it is of: {why}");
    assert!(began.elapsed() < Duration::from_secs(8), "nobody there hears it: {:?}", began.elapsed());
    let refused = all.home.run(&["--home", other.to_str().unwrap(), "regenerate", "tg:ada/s1", "--yes", "--json"]);
    assert_ne!(refused.code, 0);
    assert!(connected(&all) && speakers(&all) <= 1, "{:?}", all.tg().calls());
    assert!(all.tg().alive(own(&all)) && !all.tg().calls().iter().any(|c| c.outcome.contains("DUPLICATED")));
    // It is not dead: the copy gets it when the other home has let it go.
    drop(watch);
    let then = all.home.run(&["--home", other.to_str().unwrap(), "status", "tg:ada", "--json"]).exits(0).json();
    assert_eq!(then["state"], "ready", "{then}");
}

#[test]
fn an_operators_key_that_another_host_has_is_not_used_here_and_that_host_is_named() {
    let Some(server) = RedisServer::start("an operator's key of two hosts", &[]) else { return };
    let all = Tg::open(1, 1);
    let config = fs::read_to_string(all.home.file("config.toml")).unwrap();
    all.home.write_config(&format!("{config}\n[shared]\nredis = \"{}\"\n", server.url()));
    let lease = format!("pairdeck:{{run/telegram/key/{}}}:lease", KeyId(own(&all)));
    let other = || server.cli(&["SET", &lease, "ada@otherhost[77]"]);
    other();
    all.tg().clear();
    let told = all.home.run(&["status", "tg:ada", "--json"]).json();
    assert!(told["state"] == "unknown" && told["reason"].to_string().contains("ada@otherhost[77]"), "{told}");
    assert_eq!(speakers(&all), 0, "the servers heard it all the same: {:?}", all.tg().calls());
    server.cli(&["DEL", &lease]);
    let watch = Watch::open(&all);
    until("its lease", || server.cli(&["GET", &lease]).contains(&format!("[{}]", watch.0.id())));
    // Among processes of one host it is lent as ever.
    all.home.run(&["regenerate", "tg:ada/s1", "--yes"]).exits(0);
    one_at_a_time(&all);
    until("it back", || connected(&all));
    // Taken over there, as after a sleep of this host.
    other();
    until("its connection to be closed", || !connected(&all));
    assert!(!all.tg().calls().iter().any(|c| c.outcome.contains("DUPLICATED")));
}
