//! The whole program against the sandbox's Telegram: login, sessions, slots, and death at every commit of a slot's plan.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unreachable_pub, dead_code, missing_docs)]

#[path = "telegram/floor.rs"]
mod floor;
#[path = "telegram/heal.rs"]
mod heal;
#[path = "telegram/new_slot.rs"]
mod new_slot;
#[path = "telegram/owed.rs"]
mod owed;
#[path = "telegram/reach.rs"]
mod reach;
mod support;

use floor::{Floor, OWNER, key, lies};
use pairdeck::{
    domain::{GatewayId, OpPhase, Secret},
    engine::world::secret_name,
    store::Store,
};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};
use support::house::until;

#[test]
fn an_operator_logs_in_over_two_data_centres_with_the_second_factor_and_the_devices_are_listed() {
    let mut floor = Floor::new(1, 0);
    let lines = floor.pair();
    let offer = lines.iter().find(|l| l["event"] == "offer").unwrap();
    assert!(offer["payload"].as_str().unwrap().starts_with("tg://login?token="), "{offer}");
    assert_eq!((&offer["kind"], &offer["fresh"], &offer["clock"]), (&json!("qr"), &json!("proven"), &json!("ok")), "{offer}");
    assert!(lines.iter().any(|l| l["event"] == "scanned"));
    assert_eq!(lines.last().unwrap()["event"], "linked");
    let devices = floor.devices();
    let own: Vec<_> = devices.iter().filter(|d| d["facts"]["own"] == true).collect();
    assert_eq!(own.len(), 1, "{devices:?}");
    let worker = devices.iter().find(|d| d["name"] == "worker 0").unwrap();
    assert_eq!((&worker["state"], worker["facts"]["last_active"].is_string()), (&json!("seen"), true), "{worker}");
    // The first day: said, and not tried.
    let id = worker["id"].as_str().unwrap().to_owned();
    let refused = floor.home.run(&["wipe", &id, "--yes"]);
    assert_ne!(refused.code, 0);
    assert!(!floor.tg().calls().iter().any(|c| c.method == "account.resetAuthorization"), "{}", refused.stderr);
    floor.home.canary("CANARY-nothing");
    floor.home.keeps_secrets();
}

#[test]
fn a_clock_that_is_far_off_ends_with_7_and_no_key_was_made() {
    let floor = Floor::new(1, 0);
    floor.tg().skew(Some(10_800.0));
    floor.home.run(&["pair", "tg:ada", "--json"]).exits(7);
    assert_eq!((floor.tg().counts().keys, floor.tg().calls().len()), (0, 0));
}

#[test]
fn two_workers_on_one_key_are_a_conflict_until_one_has_a_key_of_its_own() {
    let floor = Floor::open(1, 1);
    for slot in ["w0", "w1"] {
        let row = floor.device(slot);
        assert_eq!((&row["state"], &row["reason"]["code"]), (&json!("conflict"), &json!("key_twin")), "{row}");
    }
    floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]).exits(0);
    let new = lies(&floor.file("w1")).unwrap();
    assert_ne!(new, key(1).id());
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()), "the other one is left alone");
    assert!(floor.tg().alive(new.0));
    for slot in ["w0", "w1"] {
        assert_eq!(floor.device(slot)["state"], "offline");
    }
    assert_eq!(fs::metadata(floor.file("w1")).unwrap().permissions().mode() & 0o777, 0o600);
    floor.no_workers_key_was_used(1);
    assert!(floor.tg().connected().iter().all(|c| c.key != Some(new.0)), "nobody holds the new key");
    // Once more: now its session is known, and on the operator's first day its end is owed.
    let again = floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]);
    let newer = lies(&floor.file("w1")).unwrap();
    assert_ne!(newer, new, "{}", again.stderr);
    assert!(floor.tg().alive(newer.0) && floor.tg().alive(new.0));
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]).exits(0);
    assert!(!floor.tg().alive(newer.0), "the session that was replaced is ended by its hash");
    floor.home.keeps_secrets();
}

#[test]
fn a_slot_without_a_file_gets_a_session_and_a_bots_slot_too() {
    let floor = Floor::open(1, 0);
    fs::remove_file(floor.file("w0")).unwrap();
    assert_eq!(floor.device("w0")["reason"]["code"], "session_absent");
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert!(floor.tg().alive(lies(&floor.file("w0")).unwrap().0));
    floor.home.run(&["regenerate", "tg:robot/main", "--yes", "--json"]).exits(0);
    assert!(floor.tg().alive(lies(&floor.file("main")).unwrap().0));
}

#[test]
fn a_wiped_slot_lies_in_the_trash_and_comes_back() {
    let floor = Floor::open(1, 0);
    floor.home.run(&["wipe", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert_eq!(lies(&floor.file("w0")), None);
    let trash = floor.file("w0").with_file_name(".pairdeck-trash");
    assert_eq!(fs::metadata(&trash).unwrap().permissions().mode() & 0o777, 0o700);
    floor.home.run(&["do", "restore", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()));
    // It was asked for: that the old key is there again is no news.
    let told = floor.home.run(&["status", "tg:ada/w0", "--json"]).exits(0);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&told["state"], &told["reason"]), (&"offline".into(), &serde_json::Value::Null), "{told}");
    floor.no_workers_key_was_used(1);
}

#[test]
fn a_session_that_came_back_from_the_trash_is_ended_when_its_slot_is_regenerated() {
    let floor = Floor::open(1, 0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let key = lies(&floor.file("w0")).unwrap();
    // On the operator's first day its end is owed, and no more once the file is back.
    floor.home.run(&["wipe", "tg:ada/w0", "--yes", "--json"]);
    floor.home.run(&["do", "restore", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert!(lies(&floor.file("w0")) == Some(key) && floor.device("w0")["facts"]["old_ends_from"].is_null());
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]);
    let end = ran.json()["steps"].as_array().unwrap().iter().find(|s| s["id"] == "end-old").cloned();
    assert_eq!(end.as_ref().unwrap()["state"], "owed", "nothing was ended: {end:?}");
    assert!(floor.device("w0")["facts"]["old_ends_from"].is_string(), "its end is not owed: {}", ran.stdout);
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    floor.home.run(&["wipe", "tg:ada/w0", "--yes", "--json"]).exits(0);
    floor.home.run(&["do", "restore", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert!(floor.tg().alive(lies(&floor.file("w0")).unwrap().0), "{}", ran.stdout);
}

#[test]
fn a_stored_password_that_is_refused_is_called_refused_and_each_try_counts_as_a_login() {
    let floor = Floor::open(1, 0);
    let old = lies(&floor.file("w0"));
    floor.home.run_with(&["secret", "set", "tg:ada", "--name", "password", "--file", "-"], "not the password").exits(0);
    for _ in 0..5 {
        let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(4);
        assert!(ran.stdout.contains("refused its stored password") && !ran.stdout.contains("none is stored"), "{}", ran.stdout);
    }
    let accepted = || floor.tg().calls().iter().filter(|c| c.method == "auth.acceptLoginToken").count();
    assert_eq!(accepted(), 5, "each is a login, though none came to an end");
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]);
    assert_eq!(ran.json()["reason"]["code"], "rate_limited", "{}", ran.stdout);
    assert_eq!((accepted(), lies(&floor.file("w0"))), (5, old));
}

#[test]
fn an_act_on_a_held_slot_names_who_is_to_be_stopped_and_by_what_that_is_known() {
    let floor = Floor::open(1, 0);
    let run = floor.home.command(&["run", "tg:ada/w0", "--", "sh", "-c", "echo here; exec sleep 600"]).spawn().unwrap();
    until("its holder", || floor.device("w0")["facts"]["holder"].is_string());
    let row = floor.device("w0");
    for verb in ["regenerate", "wipe"] {
        let ran = floor.home.run(&[verb, "tg:ada/w0", "--yes"]);
        assert_ne!(ran.code, 0);
        ran.says(&["Waits for", row["facts"]["holder"].as_str().unwrap(), row["facts"]["evidence"].as_str().unwrap(), "pairdeck run"]);
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    floor.home.finish(run);
}

#[test]
fn a_slots_row_and_its_sessions_row_name_each_other_so_that_nobody_ends_the_wrong_one() {
    let floor = Floor::open(2, 0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let key = lies(&floor.file("w0")).unwrap().0;
    let listed = floor.tg().devices(OWNER).into_iter().find(|d| d.key == Some(key)).unwrap();
    let slot = floor.device("w0");
    assert!(slot["facts"]["listed"].is_string() && slot["facts"]["last_active"].is_string(), "{slot}");
    assert!(floor.device("w1")["facts"]["listed"].is_null(), "of that one nothing is known");
    let devices = floor.devices();
    let of: Vec<_> = devices.iter().filter(|d| d["facts"]["slot"].is_string()).collect();
    assert_eq!(of.len(), 1, "{devices:?}");
    assert!(of[0]["name"].as_str().unwrap() == listed.device && of[0]["facts"]["slot"] == "w0", "{of:?}");
    assert!(of[0]["reason"]["code"] == "slot_session" && of[0]["reason"]["text"].as_str().unwrap().contains("w0"), "{of:?}");
    floor.home.run(&["wipe", of[0]["id"].as_str().unwrap()]).exits(2).says(&["the session of slot w0"]);
    assert!(floor.tg().alive(key));
}

#[test]
fn a_wiped_copy_leaves_the_session_to_the_other_worker_and_the_last_one_ends_it() {
    let floor = Floor::open(1, 1);
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    // Its session is known, as if it had been made from here.
    let hash = floor.tg().devices(OWNER).iter().find(|d| d.device.starts_with("worker 0")).unwrap().hash;
    let kept = json!({ "key": key(1).id().to_string(), "hash": hash });
    floor.home.store(async |store: &Store| {
        store.memo_put(&GatewayId::new("tg"), "slot:ada/w1", kept).await.unwrap();
    });
    let asked = floor.home.run(&["wipe", "tg:ada/w1"]).exits(2);
    asked.says(&["keeps the session", "tg:ada/w0"]);
    let ran = floor.home.run(&["wipe", "tg:ada/w1", "--yes"]).exits(0);
    ran.says(&["tg:ada/w0", "was not ended", "`pairdeck regenerate`"]);
    assert!(lies(&floor.file("w1")).is_none() && lies(&floor.file("w0")) == Some(key(1).id()));
    assert!(floor.tg().alive(key(1).id().0), "the other worker's session was ended");
    assert_eq!(floor.device("w0")["state"], "offline", "alone it is no conflict");
    floor.home.run(&["wipe", "tg:ada/w0", "--yes"]).exits(0);
    assert!(!floor.tg().alive(key(1).id().0), "its hash was handed on, so the last one takes it with it");
    floor.home.keeps_secrets();
}

#[test]
fn a_slot_whose_session_the_account_lists_no_more_is_logged_out() {
    let floor = Floor::open(1, 30);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let state = || {
        let told = floor.home.run(&["status", "tg:ada/w0", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        (told["state"].clone(), told["reason"]["code"].clone())
    };
    assert_eq!(state(), ("offline".into(), serde_json::Value::Null));
    let key = lies(&floor.file("w0")).unwrap().0;
    let session = floor.tg().devices(OWNER).into_iter().find(|d| d.key == Some(key)).unwrap();
    assert!(floor.tg().revoke(OWNER, session.hash));
    assert_eq!(state(), ("logged_out".into(), "session_revoked".into()));
}

#[test]
fn a_closed_account_is_not_rebuilt() {
    let floor = Floor::open(1, 0);
    floor.tg().deactivate(OWNER, true);
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]);
    assert_ne!(ran.code, 0);
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()));
    assert!(!floor.tg().calls().iter().any(|c| c.method == "auth.exportLoginToken" && c.outcome == "ok" && c.conn > 50));
}

#[test]
fn a_regenerate_killed_at_any_commit_leaves_the_old_file_or_the_new_one_and_no_stray_session() {
    const SLOTS: usize = 70;
    let floor = Floor::open(SLOTS, 0);
    let steps = {
        let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
        ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(steps, ["stopped", "key", "accept", "login", "identity", "replace", "verify"]);
    let (mut slot, mut commits, mut table) = (0, 0, Vec::new());
    'sweep: for n in 1.. {
        for side in ["before", "after"] {
            slot += 1;
            assert!(slot < SLOTS, "more commits than slots");
            let (name, old) = (format!("w{slot}"), key(slot + 1).id());
            let before = floor.tg().devices(OWNER);
            let mut command = floor.home.command(&["regenerate", &format!("tg:ada/{name}"), "--yes", "--json"]);
            command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{side}"));
            let ran = floor.home.finish(command.spawn().unwrap());
            let stood = lies(&floor.file(&name));
            assert!(stood.is_some(), "{n} {side}: half a file");
            if ran.code != -9 {
                break 'sweep;
            }
            commits = n;
            let next = floor.home.run(&["list", "--json"]).exits(0);
            let is = lies(&floor.file(&name)).unwrap();
            let after = floor.tg().devices(OWNER);
            let at = || format!("journal {n} {side}; {stood:?}; {}", next.stderr);
            if is == old {
                assert_eq!(after.len(), before.len(), "a stray session: {after:?} {}", at());
            } else {
                assert!(floor.tg().alive(is.0), "{}", at());
                assert_eq!(after.len(), before.len() + 1, "{}", at());
            }
            let left: Vec<_> = fs::read_dir(floor.file(&name).parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(left.iter().all(|f| !f.to_string_lossy().ends_with("-new")), "{left:?} {}", at());
            table.push(format!("journal {n:>2} {side:<6} | {}", if is == old { "taken back, the old file" } else { "finished, the new file" }));
        }
    }
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
    println!("{}", table.join("\n"));
    let open = (1..200).filter_map(|id| floor.op(id)).filter(|p| p.open() || *p == OpPhase::Ambiguous).count();
    assert_eq!(open, 0, "an op was left open");
    floor.no_workers_key_was_used(SLOTS);
    floor.home.keeps_secrets();
}

#[test]
fn each_secret_of_an_account_is_kept_under_its_own_name() {
    let mut floor = Floor::new(1, 0);
    floor.home.canary("CANARY-another-password");
    floor.home.run_with(&["secret", "set", "tg:ada", "--name", "password", "--file", "-"], "CANARY-another-password").exits(0);
    let kept = floor.home.store(async |store: &Store| {
        let of = async |name: &str| store.secret_get(&secret_name(&GatewayId::new("tg"), &format!("account/ada/{name}"))).await.unwrap();
        (of("api_hash").await, of("password").await)
    });
    assert!(kept.0.is_some_and(|h| h.len() == 32), "the other one is untouched");
    assert!(kept.1 == Some(Secret::new("CANARY-another-password".into())));
}

/// A process that dies between two calls, or while one is under way: whatever the servers did, nothing is stranded.
#[test]
fn a_regenerate_killed_at_any_call_leaves_the_old_file_or_the_new_one_and_no_stray_session() {
    const SLOTS: usize = 40;
    let floor = Floor::open(SLOTS, 0);
    floor.tg().clear();
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let methods: Vec<_> = floor.tg().calls().into_iter().map(|c| c.method).collect();
    assert!(methods.contains(&"auth.acceptLoginToken") && methods.len() < SLOTS, "{methods:?}");
    for (n, method) in methods.iter().enumerate() {
        let (name, old) = (format!("w{}", n + 1), key(n + 2).id());
        let before = floor.tg().devices(OWNER).len();
        floor.tg().clear();
        let mut child = floor.home.command(&["regenerate", &format!("tg:ada/{name}"), "--yes", "--json"]).spawn().unwrap();
        until(method, || floor.tg().calls().len() > n || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        floor.home.finish(child);
        let next = floor.home.run(&["list", "--json"]).exits(0);
        let is = lies(&floor.file(&name)).unwrap_or_else(|| panic!("half a file: {n} {method}"));
        let (after, at) = (floor.tg().devices(OWNER).len(), format!("{n} {method}: {}", next.stderr));
        assert_eq!(after, before + usize::from(is != old), "{at}");
        assert!(is == old || floor.tg().alive(is.0), "{at}");
    }
    floor.no_workers_key_was_used(SLOTS);
}
