//! `pairdeck run --heal` with an operator that can rebuild: once, then again after longer and longer pauses, never more than three
//! times, not for a closed account, not once somebody asked the worker to end, and never a session that lives, whatever its worker
//! says. A second of a pause is ten milliseconds here.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};
use support::{
    house::{Ran, until},
    pty::Start,
    tg::{OWNER, Tg, lies},
};

const SECOND_MS: u64 = 10;

struct Floor {
    all: Tg,
    starts: PathBuf,
}

impl Floor {
    /// A worker whose session lives.
    fn living() -> Self {
        let all = Tg::open(2, 1);
        all.seat(OWNER, "s1", 1);
        let starts = all.home.file("starts");
        Self { all, starts }
    }

    /// A worker whose session the account does not list any more.
    fn new() -> Self {
        let floor = Self::living();
        floor.end_sessions();
        floor
    }

    /// Ends every session but pairdeck's own.
    fn end_sessions(&self) {
        for d in self.all.tg().devices(OWNER).iter().filter(|d| !d.device.starts_with("pairdeck@")) {
            assert!(self.all.tg().revoke(OWNER, d.hash));
        }
    }

    /// A worker that dies by its exit code alone (41 is one of the slot's `dead_exit_codes`), each time after its session has really
    /// ended, in its lives from `first` to `last`.
    fn die(&self, first: usize, last: usize) -> Ran {
        let gate = self.all.home.file("dead");
        let child = self.start(&format!("while [ ! -e {}$n ]; do sleep 0.01; done; exit 41", gate.display()), SECOND_MS);
        for n in first..=last {
            until("its next life", || self.starts().len() >= n);
            self.end_sessions();
            fs::write(format!("{}{n}", gate.display()), "").unwrap();
        }
        self.all.home.finish(child)
    }

    /// A worker: notes when it started (in milliseconds), then does as the script says; `$n` is how often it was started.
    fn start(&self, script: &str, second_ms: u64) -> Child {
        let starts = self.starts.display();
        let script = format!("echo $(($(date +%s%N) / 1000000)) >> {starts}; n=$(wc -l < {starts}); {script}");
        let mut c = self.all.home.command(&["run", "tg:ada/s1", "--heal", "--", "sh", "-c", &script]);
        c.env("PAIRDECK_DEBUG_HEAL_SECOND_MS", second_ms.to_string()).spawn().unwrap()
    }

    /// When it was started.
    fn starts(&self) -> Vec<u64> {
        fs::read_to_string(&self.starts).unwrap_or_default().lines().map(|l| l.parse().unwrap()).collect()
    }

    fn outcomes(&self) -> String {
        self.all.home.run(&["history", "--audit", "--json"]).exits(0).stdout
    }

    fn count(&self, method: &str) -> usize {
        self.all.tg().calls().iter().filter(|c| c.method == method).count()
    }
}

#[test]
fn a_dead_session_is_rebuilt_once_and_the_worker_goes_on_with_the_new_one() {
    let floor = Floor::new();
    let old = lies(&floor.all.file("s1")).unwrap();
    floor.all.tg().clear();
    let said = "echo out; [ $n = 1 ] && { echo 'rpc error code 406: AUTH_KEY_DUPLICATED' >&2; exit 1; }; exit 0";
    let ran = floor.all.home.finish(floor.start(said, SECOND_MS)).exits(0).says(&["AUTH_KEY_DUPLICATED", "rebuilt", "5 s"]);
    assert_eq!(ran.stdout, "out\nout\n", "stdout is the worker's alone");
    assert_eq!(floor.starts().len(), 2);
    let new = lies(&floor.all.file("s1")).unwrap();
    assert!(new != old && floor.all.tg().alive(new.0) && !floor.all.tg().alive(old.0));
    assert_eq!(floor.count("auth.acceptLoginToken"), 1);
    assert!(floor.all.tg().calls().iter().all(|c| c.key != old.0), "the dead key was used");
    assert!(floor.outcomes().contains("session_duplicated"));
}

#[test]
fn what_dies_again_and_again_is_rebuilt_three_times_with_longer_pauses_and_then_a_person_is_called() {
    let floor = Floor::living();
    floor.all.tg().clear();
    let ran = floor.die(1, 4).exits(4);
    let ran = ran.says(&["starts again in 5 s", "starts again in 15 s", "starts again in 45 s", "3"]);
    let starts = floor.starts();
    assert_eq!(starts.len(), 4, "{}", ran.stderr);
    let pauses: Vec<u64> = starts.windows(2).map(|w| w[1] - w[0]).collect();
    for (pause, seconds) in pauses.iter().zip([5, 15, 45]) {
        assert!(*pause >= seconds * SECOND_MS, "{pauses:?}");
    }
    assert_eq!(floor.count("auth.acceptLoginToken"), 3);
    assert_eq!(ran.stderr.matches("rebuilt; the command starts again").count(), 3, "{}", ran.stderr);
    assert!(floor.outcomes().contains("rebuild_limit"), "the alarm stands in the history");
    // Two more within the hour, then the slot itself is refused: each is a login, and Telegram counts them.
    let ran = floor.die(5, 7);
    assert_ne!(ran.code, 0);
    assert_eq!(floor.count("auth.acceptLoginToken"), 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("slow down") || ran.stderr.contains("too many"), "{}", ran.stderr);
    assert_eq!(floor.all.tg().devices(OWNER).len(), 1, "a stray session: {:?}", floor.all.tg().devices(OWNER));
}

#[test]
fn a_session_that_lives_is_never_replaced_whatever_its_worker_says() {
    for (script, what) in [
        ("echo '406 AUTH_KEY_DUPLICATED' >&2; exit 1", "session_duplicated"),
        ("exit 41", "session_revoked"),
        ("echo USER_DEACTIVATED; exit 1", "account_closed"),
    ] {
        let floor = Floor::living();
        let old = lies(&floor.all.file("s1")).unwrap();
        floor.all.tg().clear();
        let ran = floor.all.home.finish(floor.start(script, SECOND_MS)).exits(4).says(&[
            "still lists its session",
            what,
            "its session lives; the command starts again in 15 s",
        ]);
        assert_eq!(floor.starts().len(), 4, "{what}: {}", ran.stderr);
        assert!(lies(&floor.all.file("s1")) == Some(old) && floor.all.tg().alive(old.0), "{what}: {}", ran.stderr);
        assert_eq!((floor.count("auth.exportLoginToken"), floor.count("account.resetAuthorization")), (0, 0), "{what}");
        assert_eq!(floor.outcomes().matches("session_lives").count(), 4, "{what}: each is counted");
        assert!(floor.all.tg().calls().iter().all(|c| c.key != old.0), "{what}: the worker's key was used");
    }
}

#[test]
fn a_worker_that_ends_well_after_such_words_is_healed_only_if_its_session_is_dead() {
    let three = "for i in 1 2 3; do echo 'rpc error code 406: AUTH_KEY_DUPLICATED' >&2; done; exit 0";
    let floor = Floor::living();
    let old = lies(&floor.all.file("s1"));
    floor.all.home.finish(floor.start(three, SECOND_MS)).exits(0).says(&["still lists its session"]);
    assert_eq!((lies(&floor.all.file("s1")), floor.starts().len()), (old, 1));
    floor.end_sessions();
    let once = format!("[ $n = 2 ] || exit 0; {three}");
    floor.all.home.finish(floor.start(&once, SECOND_MS)).exits(0).says(&["rebuilt"]);
    assert!(lies(&floor.all.file("s1")) != old && floor.starts().len() == 3);
}

#[test]
fn a_loop_in_the_log_stops_a_worker_on_a_dead_session_and_not_one_whose_session_lives() {
    let floor = Floor::living();
    let go = floor.all.home.file("go");
    let looping = format!("while [ ! -e {} ]; do echo 'AUTH_KEY_DUPLICATED, wrote somebody to this bot' >&2; sleep 0.25; done; exit 0", go.display());
    let mut child = floor.start(&looping, SECOND_MS);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("its session lives, so it goes on") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it was stopped");
        assert!(!line.contains("reconnected"), "{line}");
    }
    fs::write(&go, "").unwrap();
    // Its output is read to its end, so that it does not wait for a reader.
    let rest = std::thread::spawn(move || std::io::read_to_string(said).unwrap());
    floor.all.home.finish(child).exits(0);
    assert!(!rest.join().unwrap().contains("reconnected"));
    fs::remove_file(&go).unwrap();
    floor.end_sessions();
    let ran = floor.all.home.finish(floor.start(&looping, SECOND_MS)).exits(4).says(&["reconnected 3 times", "AUTH_KEY_DUPLICATED"]);
    assert!(floor.outcomes().contains("rebuild_loop"), "{}", ran.stderr);
    assert_eq!(floor.starts().len(), 2);
}

#[test]
fn an_account_that_telegram_closed_is_not_rebuilt_whatever_the_worker_says() {
    let floor = Floor::living();
    let old = lies(&floor.all.file("s1"));
    floor.all.tg().deactivate(OWNER, true);
    floor.all.tg().clear();
    for said in ["401: USER_DEACTIVATED_BAN", "AUTH_KEY_UNREGISTERED"] {
        let ran = floor.all.home.finish(floor.start(&format!("echo '{said}'; exit 1"), SECOND_MS));
        let ran = ran.exits(4).says(&["closed or banned", "open Telegram"]);
        assert!(!ran.stderr.contains("WhatsApp"), "{said}: {}", ran.stderr);
    }
    assert_eq!((lies(&floor.all.file("s1")), floor.starts().len()), (old, 2), "no new start, no new file");
    assert_eq!((floor.count("auth.exportLoginToken"), floor.all.tg().counts().keys), (0, 0), "no key was made");
}

#[test]
fn a_signal_in_the_pause_ends_it_and_nothing_is_started_again() {
    let floor = Floor::new();
    let mut child = floor.start("echo SESSION_REVOKED; exit 1", 600_000);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("starts again") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    floor.all.home.finish(child).exits(143);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(floor.starts().len(), 1);
}

/// A worker that dies at once of a session that is dead.
const DIES: &str = "exit 41";

fn term(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_signal_while_it_heals_is_obeyed_wherever_the_platform_is_silent_and_nothing_is_started_again() {
    let floor = Floor::new();
    // Every question of a whole heal, by a run that is let go on.
    floor.all.tg().hold(usize::MAX, false);
    let well = format!("[ $n = 1 ] && {DIES}; exit 0");
    floor.all.home.finish(floor.start(&well, SECOND_MS)).exits(0);
    let all = floor.all.tg().questions().len();
    assert_eq!(floor.starts().len(), 2);
    // At the first question, where the platform is asked whether the session lives, in the plan, in a step, at the end.
    for n in [1, all / 3, all * 2 / 3, all] {
        floor.all.tg().heal();
        floor.end_sessions();
        let (old, lives) = (lies(&floor.all.file("s1")).unwrap(), floor.starts().len());
        floor.all.tg().hold(n, false);
        let mut child = floor.start(DIES, SECOND_MS);
        until("the question that is not answered", || floor.all.tg().holding() || child.try_wait().unwrap().is_some());
        term(&child);
        let begun = Instant::now();
        let ran = floor.all.home.finish(child).exits(143);
        assert!(begun.elapsed() < Duration::from_secs(60), "question {n} of {all}: {:?}\n{}", begun.elapsed(), ran.stderr);
        assert_eq!(floor.starts().len(), lives + 1, "question {n} of {all}: it was started again\n{}", ran.stderr);
        let new = lies(&floor.all.file("s1")).unwrap();
        floor.all.tg().heal();
        assert!(new == old || floor.all.tg().alive(new.0), "question {n} of {all}: half a session\n{}", ran.stderr);
    }
}

#[test]
fn a_signal_that_comes_with_the_workers_end_is_not_lost() {
    let floor = Floor::new();
    let (old, pid) = (lies(&floor.all.file("s1")), floor.all.home.file("pid"));
    // A child of its own has its output still, so that its last words are waited for a moment.
    let child = floor.start(&format!("sleep 3 & echo $$ > {}; {DIES}", pid.display()), SECOND_MS);
    let ended = || {
        let pid = fs::read_to_string(&pid).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        !pid.trim().is_empty() && stat.map_or(true, |s| s.contains(") Z"))
    };
    until("its end", ended);
    term(&child);
    let ran = floor.all.home.finish(child);
    assert!(matches!(ran.code, 41 | 143), "{}: {}", ran.code, ran.stderr);
    assert_eq!((floor.starts().len(), lies(&floor.all.file("s1"))), (1, old), "{}", ran.stderr);
}

#[test]
fn ctrl_c_at_a_terminal_ends_the_pause() {
    let floor = Floor::new();
    let path = floor.all.home.path();
    let script = format!("echo life >> {}; {DIES}", floor.starts.display());
    let args = ["--home", path.to_str().unwrap(), "run", "tg:ada/s1", "--heal", "--", "sh", "-c", &script];
    let start = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(args).env("PAIRDECK_DEBUG_HEAL_SECOND_MS", "600000");
    let mut pty = start.size(200, 40).spawn();
    pty.wait_for("starts again");
    pty.keys("<C-c>");
    pty.assert_exit(130);
    assert_eq!(fs::read_to_string(&floor.starts).unwrap().lines().count(), 1);
}

#[test]
fn what_the_worker_left_running_keeps_its_session_and_is_named() {
    let floor = Floor::new();
    let old = lies(&floor.all.file("s1"));
    let pid = floor.all.home.file("left");
    // It dies of its session, and a child of its own stays.
    let script =
        format!("(trap '' TERM HUP; while :; do sleep 0.05; done) >/dev/null 2>&1 & echo $! > {}; echo SESSION_REVOKED; exit 1", pid.display());
    let child = floor.start(&script, SECOND_MS);
    until("the one that stays", || fs::read_to_string(&pid).is_ok_and(|p| !p.trim().is_empty()));
    let ran = floor.all.home.finish(child);
    let left = fs::read_to_string(&pid).unwrap();
    let lives = fs::metadata(format!("/proc/{}", left.trim())).is_ok();
    let _ = Command::new("kill").args(["-KILL", left.trim()]).status();
    if lives {
        assert_ne!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(lies(&floor.all.file("s1")), old, "its file was replaced under a holder: {}", ran.stderr);
    } else {
        // Everything that the worker started was ended before its session was touched.
        assert_ne!(lies(&floor.all.file("s1")), old, "{}", ran.stderr);
    }
}

#[test]
fn each_library_says_death_in_its_own_words() {
    // gotd, Telethon, Pyrogram: the words that their exceptions end up as in a log.
    let words = [
        "rpc error code 401: AUTH_KEY_UNREGISTERED",
        "telethon.errors.rpcerrorlist.AuthKeyDuplicatedError: The authorization key (session file) was used under two different IP addresses",
        "pyrogram.errors.exceptions.unauthorized_401.SessionRevoked: Telegram says: [401 SESSION_REVOKED]",
        "grammers: request error: rpc error 401: SESSION_EXPIRED caused by users.getUsers",
    ];
    for word in words {
        let floor = Floor::new();
        let script = format!("[ $n = 1 ] && {{ echo '{word}'; exit 1; }}; exit 0");
        floor.all.home.finish(floor.start(&script, SECOND_MS)).exits(0);
        assert_eq!(floor.starts().len(), 2, "{word}");
    }
}
