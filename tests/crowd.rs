//! Many processes on one store at once: two decks, ten that read and act, one that replaces the vault key. Nothing is lost, nothing
//! is done twice, nobody waits for ever. `PAIRDECK_CROWD_SECONDS` (10) says for how long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs, unreachable_pub)]

mod support;

use pairdeck::{domain::Secret, sandbox::Past};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{
    house::{Home, Servers, instance, quick},
    pty::{Pty, Start},
};

const ACCOUNTS: usize = 6;

fn deck(home: &Home) -> Pty {
    let pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).env("HOME", "/nonexistent").cwd("/");
    let pty = pty.args(["--home".as_ref(), home.path().as_os_str()]).size(120, 34).spawn();
    pty.wait_until("all accounts", |s| (0..ACCOUNTS).all(|n| s.contents().contains(&format!("shop-{n}"))).then_some(()));
    pty
}

#[test]
fn two_decks_and_ten_processes_lose_nothing_and_hang_nowhere() {
    let seconds = std::env::var("PAIRDECK_CROWD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    let accounts = (0..ACCOUNTS).map(|n| instance(&format!("shop-{n}"), Past::Online)).collect();
    let servers = Servers::start(vec![("wa", quick("CANARY-crowd-88e1b0c4d7"), accounts)]);
    let home = Arc::new(Home::of(&servers));
    let mut decks = [deck(&home), deck(&home)];
    let end = Instant::now() + Duration::from_secs(seconds);
    let runs = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let slowest = Arc::new(AtomicUsize::new(0));
    let done_wipes = Arc::new(AtomicUsize::new(0));
    // The last value that each writer was told is kept: none may be lost.
    let workers: Vec<_> = (0..10)
        .map(|worker: usize| {
            let (home, runs, slowest, done_wipes) = (home.clone(), runs.clone(), slowest.clone(), done_wipes.clone());
            std::thread::spawn(move || {
                let mut turn = worker;
                let mut kept = 0_usize;
                while Instant::now() < end {
                    turn += 1;
                    let account = format!("wa:shop-{}", turn % ACCOUNTS);
                    let began = Instant::now();
                    let what = if worker == 9 { "rotate" } else { ["list", "wipe", "history", "status", "secret"][turn % 5] };
                    let ran = match what {
                        "list" => home.run(&["list", "--json"]),
                        "status" => home.run(&["status", &account, "--json"]),
                        "history" => home.run(&["history", "--audit", "--json"]),
                        "wipe" => home.run(&["wipe", &account, "--yes", "--json"]),
                        "rotate" => home.run(&["secret", "rotate-key"]),
                        _ => {
                            kept += 1;
                            home.store(async |store| {
                                let value = Secret::new(format!("worker {worker} value {kept}"));
                                store.secret_put(&format!("crowd/{worker}"), &value).await.unwrap();
                            });
                            support::house::Ran { code: 0, stdout: String::new(), stderr: String::new() }
                        }
                    };
                    let allowed: &[i32] = if what == "wipe" { &[0, 1, 3, 5, 6] } else { &[0] };
                    assert!(allowed.contains(&ran.code), "{what} {account}: {} {} {}", ran.code, ran.stdout, ran.stderr);
                    assert!(!ran.stderr.contains("database is locked") && !ran.stderr.contains("panicked"), "{}", ran.stderr);
                    if what == "wipe" && ran.code == 0 {
                        done_wipes.fetch_add(1, Ordering::SeqCst);
                    }
                    *runs.lock().unwrap().entry(format!("{what} {}", ran.code)).or_default() += 1;
                    slowest.fetch_max(usize::try_from(began.elapsed().as_millis()).unwrap(), Ordering::SeqCst);
                }
                (worker, kept)
            })
        })
        .collect();
    let kept: Vec<_> = workers.into_iter().map(|w| w.join().expect("a worker failed")).collect();
    home.store(async |store| {
        for (worker, n) in &kept {
            let found = store.secret_get(&format!("crowd/{worker}")).await.unwrap().map(|s| s.expose().to_owned());
            assert_eq!(found, (*n > 0).then(|| format!("worker {worker} value {n}")), "an update was lost");
        }
        assert!(store.ops_unfinished().await.unwrap().is_empty(), "something stays open");
        assert!(store.secret_get("gateway/wa/api_key").await.unwrap().is_some());
    });
    let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
    let lines = audit["lines"].as_array().unwrap();
    let wiped = lines.iter().filter(|l| l["action"] == "wipe" && l["outcome"] == "done").count();
    assert_eq!(wiped, done_wipes.load(Ordering::SeqCst), "every wipe that was said to be done is in the audit, once");
    for pty in &mut decks {
        pty.keys("q");
        pty.assert_exit(0);
    }
    home.keeps_secrets();
    let (runs, slowest) = (runs.lock().unwrap(), slowest.load(Ordering::SeqCst));
    println!(
        "FIGURE two decks and ten processes on one store for {seconds} s: {runs:?}, {wiped} wipes done, slowest run {slowest} ms, 0 updates lost, 0 hung"
    );
    assert!(slowest < 30_000, "a run took {slowest} ms");
}
