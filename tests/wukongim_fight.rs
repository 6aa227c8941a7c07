//! Clients that fight over one device flag, each coming back by itself whenever it is thrown out, and accounts that only look
//! like it, seen by the real program: by a deck, and by `list` and `status` of other processes beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{DeviceSpec, Manner, UidSpec};
use std::time::Duration;
use support::{
    house::{Home, until},
    im::Im,
    pty::Start,
};

const KEY: &str = "CANARY-manager-f1647";
const TOKEN: &str = "CANARY-token-of-both-5f0e";

fn seed(im: &Im, uid: &str, flags: &[(u8, u8)]) {
    let devices = flags.iter().map(|(flag, level)| DeviceSpec { flag: *flag, level: *level, token: TOKEN.into(), ..DeviceSpec::default() }).collect();
    im.server().seed(&[UidSpec { uid: uid.into(), devices, ..UidSpec::default() }]);
}

fn online(im: &Im, uid: &str, flag: u8, device: &str) {
    im.server().client(uid, flag, device, TOKEN, Manner::ComesBack(Duration::from_secs(3))).unwrap();
}

/// The states of an account's devices as `list --json` tells them, with the reasons' codes.
fn listed(home: &Home, uid: &str) -> Vec<(String, String)> {
    let all = home.run(&["list", "--json"]).exits(0).json();
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    let account = all["accounts"].as_array().unwrap().iter().find(|a| a["name"] == uid).unwrap().clone();
    account["devices"].as_array().unwrap().iter().map(|d| (text(&d["state"]), text(&d["reason"]["code"]))).collect()
}

#[test]
fn two_clients_that_throw_each_other_out_are_a_collision_and_an_account_with_two_devices_is_none() {
    let im = Im::start(KEY);
    let home = im.home();
    seed(&im, "wang", &[(0, 1)]);
    seed(&im, "honest", &[(0, 1), (1, 1)]);
    seed(&im, "slaves", &[(4, 0)]);
    for (uid, flag, device) in [("wang", 0, "iphone"), ("honest", 0, "phone"), ("honest", 1, "browser"), ("slaves", 4, "one"), ("slaves", 4, "two")] {
        online(&im, uid, flag, device);
    }
    let deck = Start::new(env!("CARGO_BIN_EXE_pairdeck"))
        .env("HOME", "/nonexistent")
        .cwd("/")
        .args(["--home".as_ref(), home.path().as_os_str()])
        .size(120, 40)
        .spawn();
    deck.wait_until("every account, online", |s| {
        ["wang", "honest", "slaves"].iter().all(|u| s.contents().lines().any(|l| l.contains(u) && l.contains("online"))).then_some(())
    });
    assert!(listed(&home, "wang").iter().all(|(state, _)| state == "online"), "a single look cannot tell");
    online(&im, "wang", 0, "android");
    deck.wait_until("the collision", |s| s.contents().lines().any(|l| l.contains("wang") && l.contains('⇄')).then_some(()));
    let screen = deck.screen().contents();
    for uid in ["honest", "slaves"] {
        assert!(screen.lines().any(|l| l.contains(uid) && l.contains("online")), "{uid}: {screen}");
    }
    // Another process looks once, and is told what the deck has seen.
    until("the list says it", || listed(&home, "wang") == [("conflict".to_owned(), "flag_collision".to_owned())]);
    assert_eq!(listed(&home, "honest"), [("online".to_owned(), String::new()), ("online".to_owned(), String::new())]);
    assert_eq!(listed(&home, "slaves"), [("online".to_owned(), String::new())]);
    let told = home.run(&["status", "im:wang/APP"]);
    assert!(told.stdout.contains("iphone") && told.stdout.contains("android"), "{}", told.stdout);
    assert!(!screen.contains("CANARY") && !told.stdout.contains("CANARY"));
}
