//! `pairdeck run` as the worker's wrapper: one holder, signals, exit codes, a terminal, leases over a real redis-server, loops.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "telegram/hosts.rs"]
mod hosts;
mod support;

use pairdeck::providers::telegram::{
    AuthKey,
    session::{gotd, write},
};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    house::{Home, Ran, until},
    redis::RedisServer,
};

fn session(path: &Path, seed: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, &*gotd::render(2, &AuthKey::new([seed; 256]), 1, &gotd::Config::default()).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A home with slots of one account, each with a session of the given seed.
fn home(slots: &[(&str, u8)], more: &str) -> (Home, Vec<PathBuf>) {
    let home = Home::empty();
    let mut text = format!("{more}\n[gateway.tg]\nkind = \"telegram\"\n");
    let mut files = Vec::new();
    for (name, seed) in slots {
        let file = home.file("workers").join(name).join("session.json");
        session(&file, *seed);
        text.push_str(&format!("[gateway.tg.account.shop.slot.{name}]\nfile = \"{}\"\ndead_exit_codes = [41]\n", file.display()));
        files.push(file);
    }
    home.write_config(&text);
    (home, files)
}

/// A worker that says its process id and then does what the script says.
fn worker(home: &Home, args: &[&str], script: &str) -> (Child, u32, BufReader<std::process::ChildStdout>) {
    // What it does on a signal is settled before it says its number.
    let (trap, rest) = script.split_once("; ").filter(|(first, _)| first.starts_with("trap")).unwrap_or(("true", script));
    let script = format!("{trap}; echo $$; {rest}");
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--", "sh", "-c", &script]);
    let mut child = home.command(&all).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    if line.is_empty() {
        let said = home.finish(child);
        panic!("the worker was not started: {said:?}");
    }
    let pid = line.trim().parse().unwrap();
    (child, pid, out)
}

fn signal(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap().success());
}

fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

/// A worker that stays, ends by TERM, and leaves nothing behind.
const STAYS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

#[test]
fn the_exit_code_and_the_streams_are_the_commands_own() {
    let (home, _) = home(&[("orders", 1)], "");
    let ran = home.run(&["run", "tg:shop/orders", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    let ran = ran.exits(7).says(&["err"]);
    assert_eq!(ran.stdout, "out\n");
    home.run(&["run", "shop", "--", "sh", "-c", "kill -KILL $$"]).exits(137);
    home.run(&["run", "tg:shop/orders", "--", "/no/such/worker"]).exits(2).says(&["/no/such/worker", "No such file"]);
    home.run(&["run", "tg:shop/none", "--", "true"]).exits(3);
    let with_input = home.run_with(&["run", "shop/orders", "--", "cat"], "to the worker").exits(0);
    assert_eq!(with_input.stdout, "to the worker");
}

#[test]
fn a_second_holder_is_refused_by_the_name_of_the_first() {
    let (home, files) = home(&[("orders", 1)], "");
    let (first, pid, _out) = worker(&home, &["tg:shop/orders"], STAYS);
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(8).says(&["sh[", "pairdeck run"]);
    // The same file by another name and from another home: a container on the same volume.
    let other = Home::empty();
    let link = other.path().with_file_name("link.json");
    std::os::unix::fs::symlink(&files[0], &link).unwrap();
    other.write_config(&format!("[gateway.x]\nkind = \"telegram\"\n[gateway.x.account.a.slot.s]\nfile = \"{}\"\n", link.display()));
    other.run(&["run", "x:a/s", "--", "true"]).exits(8).says(&["pairdeck run"]);
    signal(pid, "TERM");
    home.finish(first).exits(0);
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(0);
    other.run(&["run", "x:a/s", "--", "true"]).exits(0);
}

#[test]
fn many_that_start_at_once_are_one_worker() {
    let (home, _) = home(&[("orders", 1)], "");
    let marks = home.path().with_file_name("marks");
    fs::create_dir(&marks).unwrap();
    // Each worker leaves a mark while it runs, and says so if there is another one.
    let script = format!("touch {0}/$$; sleep 0.3; [ $(ls {0} | wc -l) = 1 ] || echo TWO; rm {0}/$$", marks.display());
    let all: Vec<_> = (0..6).map(|_| home.command(&["run", "tg:shop/orders", "--", "sh", "-c", &script]).spawn().unwrap()).collect();
    let ends: Vec<Ran> = all.into_iter().map(|c| home.finish(c)).collect();
    assert!(ends.iter().all(|r| !r.stdout.contains("TWO")), "{ends:?}");
    assert!(ends.iter().any(|r| r.code == 0) && ends.iter().all(|r| matches!(r.code, 0 | 8)), "{ends:?}");
}

#[test]
fn a_worker_outside_of_pairdeck_is_named_and_not_doubled() {
    let (home, files) = home(&[("orders", 1), ("copy", 1)], "");
    let mut stray =
        Command::new("sh").args(["-c", "while :; do sleep 0.05; done", "stray-bot"]).arg(&files[0]).stdout(Stdio::null()).spawn().unwrap();
    let held = || home.run(&["run", "tg:shop/orders", "--", "true"]);
    until("the stray worker", || held().code == 8);
    held().says(&[&format!("sh[{}]", stray.id()), "command line"]);
    // A copy of its key elsewhere is the same session.
    home.run(&["run", "tg:shop/copy", "--", "true"]).exits(8).says(&[&format!("sh[{}]", stray.id())]);
    stray.kill().unwrap();
    stray.wait().unwrap();
    held().exits(0).says(&["One key in several places", "tg:shop/copy"]);
}

#[test]
fn signals_reach_the_worker_and_its_answer_comes_back() {
    let (home, _) = home(&[("orders", 1)], "");
    let script =
        "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'exit 33' INT; trap 'echo term; exit 44' TERM; echo ready; while :; do sleep 0.02; done";
    for (last, code) in [("TERM", 44), ("INT", 33)] {
        let (child, _, mut out) = worker(&home, &["tg:shop/orders"], script);
        let mut line = || {
            let mut text = String::new();
            out.read_line(&mut text).unwrap();
            text.trim().to_owned()
        };
        assert_eq!(line(), "ready");
        for (sent, heard) in [("USR1", "usr1"), ("HUP", "hup")] {
            signal(child.id(), sent);
            assert_eq!(line(), heard);
        }
        signal(child.id(), last);
        home.finish(child).exits(code);
    }
}

#[test]
fn the_worker_ends_with_a_pairdeck_that_is_killed_and_the_lock_holds_as_long_as_it_lives() {
    let (home, files) = home(&[("orders", 1)], "");
    let (mut child, pid, _out) = worker(&home, &["tg:shop/orders"], "trap '' TERM; while :; do sleep 0.05; done");
    child.kill().unwrap();
    child.wait().unwrap();
    // It refuses to go: it still holds the session, so nobody else may.
    assert!(lives(pid));
    let lock = write::named(&files[0], "run");
    let refused = home.run(&["run", "tg:shop/orders", "--", "true"]).exits(8).says(&[&format!("sh[{pid}]"), "pairdeck run"]);
    assert!(!refused.stderr.contains(&format!("[{}]", child.id())), "a dead process is named: {}", refused.stderr);
    assert!(pairdeck::store::run_lock::owner(&lock).is_some());
    signal(pid, "KILL");
    until("its end", || pairdeck::store::run_lock::owner(&lock).is_none());
    // What is left is a record of nobody: told, taken away, no holder.
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains(&format!("process {} has ended", child.id())), "{}", doctor.stdout);
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(0).says(&["removed", &child.id().to_string()]);
    assert!(!lock.exists(), "who ended well left a record");
    // One that does not refuse is told to end.
    let (mut child, pid, _out) = worker(&home, &["tg:shop/orders"], STAYS);
    child.kill().unwrap();
    child.wait().unwrap();
    until("its end", || !lives(pid));
}

#[test]
fn a_worker_on_a_terminal_has_that_terminal() {
    let (home, _) = home(&[("orders", 1)], "");
    let ran = home.command(&["run", "tg:shop/orders", "--", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size"]);
    let mut script = Command::new("script");
    script.args(["-qec"]);
    let line: Vec<String> = std::iter::once(ran.get_program()).chain(ran.get_args()).map(|a| format!("'{}'", a.to_string_lossy())).collect();
    script.arg(line.join(" ")).arg("/dev/null").env("PAIRDECK_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(child) = script.spawn() else {
        support::skip("a worker on a terminal", "script (util-linux)");
        return;
    };
    home.finish(child).exits(0);
}

fn shared(server: &RedisServer) -> String {
    format!("[shared]\nredis = \"{}\"\n", server.url())
}

#[test]
fn another_host_is_refused_by_the_slots_lease_and_by_the_keys() {
    let Some(server) = RedisServer::start("leases of a slot", &[]) else { return };
    let (a, _) = home(&[("orders", 1)], &shared(&server));
    let (b, _) = home(&[("orders", 2)], &shared(&server));
    let (c, _) = home(&[("mailer", 1)], &shared(&server));
    let (child, pid, _out) = worker(&a, &["tg:shop/orders"], STAYS);
    b.run(&["run", "tg:shop/orders", "--", "true"]).exits(8).says(&["run/tg:shop/orders", "another host", &child.id().to_string()]);
    // Another slot there, the same key: a copy that was carried over.
    c.run(&["run", "tg:shop/mailer", "--", "true"]).exits(8).says(&["run/telegram/key/", &child.id().to_string()]);
    signal(pid, "TERM");
    a.finish(child).exits(0);
    // Let go at the end, not fifteen seconds later; and nothing was kept by those who were refused.
    b.run(&["run", "tg:shop/orders", "--", "true"]).exits(0);
    c.run(&["run", "tg:shop/mailer", "--", "true"]).exits(0);
}

#[test]
fn a_bot_that_one_process_may_run_is_guarded_by_its_platforms_id_and_shows_its_owner() {
    let Some(server) = RedisServer::start("leases of a bot", &[]) else { return };
    let bots =
        |gateway: &str| format!("{}[gateway.{gateway}]\nkind = \"wecom-aibot\"\n[gateway.{gateway}.account.desk]\nid = \"aib-1\"\n", shared(&server));
    let (a, b) = (Home::empty(), Home::empty());
    a.write_config(&bots("bots"));
    b.write_config(&bots("named-otherwise"));
    let (child, pid, _out) = worker(&a, &["bots:desk"], STAYS);
    let me = child.id().to_string();
    a.run(&["run", "bots:desk", "--", "true"]).exits(8).says(&["already", &me]);
    b.run(&["run", "desk", "--", "true"]).exits(8).says(&["run/wecom-aibot/aib-1", &me]);
    for home in [&a, &b] {
        let owner = home.run(&["list", "--json"]).json()["accounts"][0]["facts"]["owner"].to_string();
        assert!(owner.contains(&me), "{owner}");
    }
    b.run(&["run", "desk", "--heal", "--", "true"]).exits(2).says(&["nothing to heal"]);
    signal(pid, "TERM");
    a.finish(child).exits(0);
    b.run(&["run", "desk", "--", "true"]).exits(0);
}

#[test]
fn a_worker_is_stopped_before_a_lease_ends_that_cannot_be_renewed() {
    let Some(mut server) = RedisServer::start("the loss of a lease", &[]) else { return };
    let (home, _) = home(&[("orders", 1)], &shared(&server));
    // It refuses to end, and so does what it started.
    let (child, pid, mut out) = worker(
        &home,
        &["tg:shop/orders"],
        "trap '' TERM; (trap '' TERM; sh -c 'echo $PPID'; while :; do sleep 0.05; done) & wait; while :; do sleep 0.05; done",
    );
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let grandchild: u32 = line.trim().parse().unwrap();
    assert!(lives(pid) && lives(grandchild));
    server.kill();
    let began = Instant::now();
    home.finish(child).exits(8).says(&["cannot be renewed", "tg:shop/orders"]);
    assert!(began.elapsed() < Duration::from_secs(15), "it outlived its lease: {:?}", began.elapsed());
    assert!(!lives(pid) && !lives(grandchild));
    // Without the store nobody knows who runs it: it is not started.
    home.run(&["run", "tg:shop/orders", "--", "true"]).exits(1);
}

#[test]
fn a_worker_whose_lease_another_host_took_is_stopped_at_once() {
    let Some(server) = RedisServer::start("a lease that was taken", &[]) else { return };
    let (home, _) = home(&[("orders", 1)], &shared(&server));
    let (child, pid, _out) = worker(&home, &["tg:shop/orders"], STAYS);
    server.cli(&["SET", "pairdeck:{run/tg:shop/orders}:lease", "somebody"]);
    home.finish(child).exits(8).says(&["taken over"]);
    assert!(!lives(pid));
    let audit = home.run(&["history", "--audit"]).exits(0);
    assert!(audit.stdout.contains("lease_lost"), "{}", audit.stdout);
}

#[test]
fn a_worker_that_fails_alike_again_and_again_is_stopped_and_its_twin_named() {
    let (home, files) = home(&[("orders", 1), ("copy", 1)], "");
    let looping = "while :; do echo 'rpc error code 406: AUTH_KEY_DUPLICATED' >&2; sleep 0.25; done";
    let (child, pid, _out) = worker(&home, &["tg:shop/orders", "--heal"], looping);
    let ran = home.finish(child).exits(4).says(&["reconnected 3 times", "AUTH_KEY_DUPLICATED", "tg:shop/copy"]);
    assert!(ran.stderr.contains(files[1].to_str().unwrap()), "{}", ran.stderr);
    assert!(!lives(pid));
    assert!(home.run(&["history", "--audit"]).exits(0).stdout.contains("rebuild_loop"));
    // Nor is it silent of one that ends well in between.
    let thrice = "for i in 1 2 3; do echo '406: AUTH_KEY_DUPLICATED' >&2; sleep 0.25; done; exit 0";
    home.run(&["run", "tg:shop/orders", "--heal", "--", "sh", "-c", thrice]).exits(4).says(&["reconnected 3 times", "tg:shop/copy"]);
}

#[test]
fn what_cannot_be_rebuilt_is_said_and_a_closed_account_is_never_tried() {
    let (home, files) = home(&[("orders", 1)], "");
    let before = fs::read(&files[0]).unwrap();
    let dead = |say: &str, code: &str| home.run(&["run", "tg:shop/orders", "--heal", "--", "sh", "-c", &format!("echo '{say}'; exit {code}")]);
    let ran = dead("AuthKeyDuplicatedError", "1");
    assert_ne!(ran.code, 0);
    let ran = ran.says(&["session_duplicated", "is not known here: nothing was replaced"]);
    assert_eq!(ran.stdout, "AuthKeyDuplicatedError\n", "the output is the worker's alone");
    dead("nothing", "41").exits(4).says(&["session_revoked", "is not known here"]);
    dead("401: USER_DEACTIVATED_BAN, AUTH_KEY_UNREGISTERED", "1").exits(4).says(&["closed or banned this account", "open Telegram"]);
    // What ends well, or for another reason, is no death.
    dead("AUTH_KEY_UNREGISTERED was seen and mended", "0").exits(0).says(&["ended well", "not known"]);
    dead("a bug", "1").exits(1);
    assert_eq!(fs::read(&files[0]).unwrap(), before);
}

#[test]
fn a_worker_that_is_asked_to_end_is_not_healed() {
    let (home, _) = home(&[("orders", 1)], "");
    let script = "echo AUTH_KEY_UNREGISTERED; trap 'exit 5' TERM; while :; do sleep 0.02; done";
    let (child, _, mut out) = worker(&home, &["tg:shop/orders", "--heal"], script);
    out.read_line(&mut String::new()).unwrap();
    signal(child.id(), "TERM");
    home.finish(child).exits(5);
}

#[test]
fn doctor_and_list_tell_of_twins_and_of_loose_files() {
    let (home, files) = home(&[("orders", 1), ("copy", 1), ("own", 2)], "");
    fs::set_permissions(&files[2], fs::Permissions::from_mode(0o644)).unwrap();
    let ran = home.run(&["doctor", "--json"]);
    let checks = ran.json()["checks"].as_array().unwrap().clone();
    let of =
        |slot: &str| checks.iter().find(|c| c["detail"].as_str().unwrap().starts_with(slot)).unwrap_or_else(|| panic!("{slot}: {ran:?}")).clone();
    assert!(of("tg:shop/orders")["detail"].as_str().unwrap().contains("tg:shop/copy"));
    assert_eq!(of("tg:shop/copy")["verdict"], "fail");
    assert!(of("tg:shop/own")["remedy"].as_str().unwrap().contains("chmod 600"));
    let list = home.run(&["list", "--json"]).exits(0).json();
    let devices = list["accounts"][0]["devices"].as_array().unwrap();
    let state = |name: &str| devices.iter().find(|d| d["name"] == name).unwrap()["state"].as_str().unwrap().to_owned();
    assert_eq!([state("orders"), state("copy"), state("own")], ["conflict", "conflict", "offline"]);
}

#[test]
fn holders_of_one_file_in_two_containers_are_told_to_take_volumes_of_their_own() {
    let (home, files) = home(&[("orders", 1)], "");
    let hold = |unshare: bool| {
        let script = format!("exec 9>>{}; echo ready; while :; do sleep 0.05; done", files[0].display());
        let mut c = if unshare { Command::new("unshare") } else { Command::new("sh") };
        if unshare {
            c.args(["--mount", "--", "sh"]);
        }
        let mut child = c.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (line.trim() == "ready").then_some(child)
    };
    let Some(mut far) = hold(true) else {
        support::skip("namespaces", "unshare with the right to make a mount namespace");
        return;
    };
    let mut near = hold(false).unwrap();
    let ran = home.run(&["doctor", "--json"]);
    let text = ran.stdout.clone();
    for child in [&mut far, &mut near] {
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(text.contains("Two containers on one volume") && text.contains("its own volume"), "{text}");
}
