//! What is done to WuKongIM devices, by the real program on a server of the sandbox with clients that are online.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{DeviceSpec, Fault, Manager, Manner, UidSpec, Version, WukongSettings};
use std::time::{Duration, Instant};
use support::{
    house::{Home, until},
    im::Im,
};

const KEY: &str = "CANARY-manager-77aa";

fn device(flag: u8, level: u8, token: &str) -> DeviceSpec {
    DeviceSpec { flag, level, token: token.into(), ..DeviceSpec::default() }
}

fn seed(im: &Im, uid: &str, devices: Vec<DeviceSpec>) {
    im.server().seed(&[UidSpec { uid: uid.into(), devices, ..UidSpec::default() }]);
}

/// Changes that were asked for, in their order: path and body's place in the log is enough, reads are left out.
fn changes(im: &Im) -> Vec<String> {
    im.server()
        .asked()
        .0
        .into_iter()
        .map(|r| r.path)
        .filter(|p| ["/user/token", "/user/device_quit", "/conn/kick", "/channel/info"].contains(&p.as_str()))
        .collect()
}

fn row(im: &Im, uid: &str, flag: u8) -> (u8, String) {
    let d = im.server().devices(uid).into_iter().find(|d| d.flag == flag).expect("the device is there");
    (d.level, d.token)
}

fn named(im: &Im) -> Home {
    im.home_with("uids = \"all\"\nflags = { Android = 4, iOS = 5 }\nreserved = [{ from = 3, to = 9, for = \"phones\" }]")
}

#[test]
fn a_regenerated_device_comes_back_with_the_new_token_at_its_old_level_within_five_seconds() {
    let im = Im::start(KEY);
    let home = named(&im);
    for (uid, level, manner) in [("slave", 0, Manner::HangsUp), ("master", 1, Manner::HangsUp), ("deaf", 0, Manner::Deaf)] {
        seed(&im, uid, vec![device(4, level, "OLD-4"), device(1, 1, "WEB-1")]);
        im.server().client(uid, 4, "phone", "OLD-4", manner).unwrap();
        let web = im.server().login(uid, 1, "browser", "WEB-1").unwrap();
        im.server().clear_requests();
        let began = Instant::now();
        let ran = home.run(&["regenerate", &format!("im:{uid}/Android"), "--yes", "--reveal"]).exits(0);
        let took = began.elapsed();
        let token = ran.stdout.trim().to_owned();
        assert_eq!(ran.stdout, format!("{token}\n"), "only the token is on stdout");
        assert_eq!(token.len(), 43);
        assert_eq!(changes(&im), ["/user/device_quit", "/user/token"], "{uid}");
        assert_eq!(row(&im, uid, 4), (level, token.clone()), "{uid}");
        assert!(im.server().login(uid, 4, "phone", "OLD-4").is_err(), "the old token is dead");
        im.server().login(uid, 4, "phone", &token).unwrap();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(ran.stderr.contains("peer was asked to leave"), "{}", ran.stderr);
        assert_eq!(row(&im, uid, 1), (1, "WEB-1".into()), "another device is not touched");
        assert!(im.server().online(uid).iter().any(|s| s.id == web), "nor is its session");
    }
}

#[test]
fn a_new_token_is_printed_only_on_request() {
    let im = Im::start(KEY);
    let mut home = named(&im);
    seed(&im, "u1", vec![device(4, 0, "OLD-4")]);
    let plain = home.run(&["regenerate", "im:u1/4", "--yes"]).exits(0).says(&["--reveal"]);
    let json = home.run(&["regenerate", "im:u1/4", "--yes", "--json"]).exits(0);
    let token = row(&im, "u1", 4).1;
    assert!(!json.stdout.contains(&token) && json.json().get("token").is_none());
    assert!(!plain.stdout.contains("OLD-4"));
    let shown = home.run(&["regenerate", "im:u1/4", "--yes", "--json", "--reveal"]).exits(0);
    assert_eq!(shown.json()["token"], row(&im, "u1", 4).1);
    home.canary(&row(&im, "u1", 4).1);
    home.keeps_secrets();
}

#[test]
fn a_wipe_leaves_no_usable_token_over_flags_that_a_quit_of_all_leaves_alone() {
    let im = Im::start(KEY);
    let home = named(&im);
    let flags = [0, 1, 2, 4, 99, 200];
    seed(&im, "u1", flags.iter().map(|f| device(*f, f % 2, &format!("T{f}"))).collect());
    for f in flags {
        im.server().login("u1", f, &format!("d{f}"), &format!("T{f}")).unwrap();
    }
    home.run(&["wipe", "im:u1", "--yes", "--json"]).exits(0);
    for d in im.server().devices("u1") {
        assert_eq!(d.token, "", "flag {}", d.flag);
        assert!(im.server().login("u1", d.flag, "x", &format!("T{}", d.flag)).is_err());
    }
    assert!(im.server().online("u1").is_empty());
    // The level that a wipe overwrote is remembered for the next token.
    home.run(&["regenerate", "im:u1/4", "--yes"]).exits(0).says(&["slave"]);
    assert_eq!(row(&im, "u1", 4).0, 0);
}

#[test]
fn a_session_without_a_device_row_is_kicked_by_a_wipe() {
    let im = Im::with(WukongSettings { manager_token: Some(KEY.into()), token_auth_on: false, ..WukongSettings::default() });
    let home = im.home_with("uids = [\"u1\"]");
    im.server().login("u1", 7, "phone", "whatever").unwrap();
    home.run(&["wipe", "im:u1", "--yes"]).exits(0);
    assert!(changes(&im).contains(&"/conn/kick".to_owned()), "{:?}", changes(&im));
    assert!(im.server().online("u1").is_empty());
}

#[test]
fn a_device_is_issued_a_token_only_on_a_flag_that_has_none() {
    let im = Im::start(KEY);
    let home = named(&im);
    seed(&im, "u1", vec![device(4, 0, "OLD-4")]);
    let refused = home.run(&["do", "issue", "im:u1/Android", "--yes"]).exits(1);
    refused.says(&["Android", "has a token since", "10"]);
    assert_eq!(row(&im, "u1", 4), (0, "OLD-4".into()));
    let ran = home.run(&["do", "issue", "im:u1/iOS", "--set", "level=master", "--yes", "--reveal"]).exits(0).says(&["is good since"]);
    assert_eq!(row(&im, "u1", 5), (1, ran.stdout.trim().to_owned()));
    im.server().login("u1", 5, "phone", ran.stdout.trim()).unwrap();
    // A first device makes the account, too.
    home.run(&["do", "issue", "im:new", "--set", "flag=WEB", "--yes"]).exits(0);
    assert_eq!(row(&im, "new", 1).0, 0, "slave unless asked otherwise");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let im = Im::start(KEY);
    let home = named(&im);
    seed(&im, "u1", vec![device(4, 0, "OLD-4")]);
    im.server().seed(&[UidSpec { uid: "notice".into(), system: true, ..UidSpec::default() }]);
    im.server().clear_requests();
    for (target, set) in [
        ("im:a@b/1", None),
        ("im:____manager/1", None),
        ("im:notice/1", None),
        ("im:u1/300", None),
        ("im:u1/phone", None),
        ("im:u1/7", Some("level=9")),
    ] {
        let mut args = vec!["do", "issue", target, "--yes"];
        if let Some(set) = set {
            args.extend(["--set", set]);
        }
        let ran = home.run(&args);
        assert_eq!(ran.code, 2, "{target}: {}", ran.stderr);
    }
    home.run(&["do", "issue", "im:u1", "--yes"]).exits(2).says(&["--set flag="]);
    home.run(&["do", "issue", "im:u1/7", "--set", "colour=red", "--yes"]).exits(2).says(&["flag, level"]);
    home.run(&["do", "issue", "im:u1/7", "--set", "flag=8", "--yes"]).exits(2);
    assert_eq!(changes(&im), Vec::<String>::new());
}

#[test]
fn a_kick_ends_the_session_and_keeps_the_token() {
    let im = Im::start(KEY);
    let home = named(&im);
    seed(&im, "u1", vec![device(0, 1, "A"), device(4, 0, "B"), device(5, 0, "C")]);
    for (f, t) in [(0, "A"), (4, "B"), (5, "C")] {
        im.server().login("u1", f, &format!("d{f}"), t).unwrap();
    }
    home.run(&["do", "kick", "im:u1/APP", "--yes"]).exits(0);
    assert_eq!(row(&im, "u1", 0), (1, "A".into()));
    assert!(!im.server().online("u1").iter().any(|s| s.flag == 0));
    // Two flags that the server has no word for: which connection is whose is not told, and nobody is kicked by guess.
    im.server().clear_requests();
    home.run(&["do", "kick", "im:u1/4", "--yes"]).exits(1).says(&["which connection"]);
    assert_eq!(changes(&im), Vec::<String>::new());
    home.run(&["do", "kick", "im:u1", "--yes"]).exits(0);
    assert!(im.server().online("u1").is_empty());
    home.run(&["do", "kick", "im:u1", "--yes"]).exits(1);
    im.server().login("u1", 4, "d4", "B").unwrap();
}

#[test]
fn a_hard_wipe_forbids_sending_first_and_can_be_undone() {
    let im = Im::start(KEY);
    let home = named(&im);
    seed(&im, "u1", vec![device(4, 0, "B")]);
    im.server().client("u1", 4, "d", "B", Manner::Deaf).unwrap();
    home.run(&["do", "hard-wipe", "im:u1", "--yes"]).exits(0).says(&["allows it again", "login ban"]);
    assert_eq!(changes(&im).first().map(String::as_str), Some("/channel/info"));
    assert_eq!(im.server().bans("u1"), (false, true));
    assert_eq!(row(&im, "u1", 4).1, "");
    home.run(&["do", "allow-sending", "im:u1", "--yes"]).exits(0);
    assert_eq!(im.server().bans("u1"), (false, false));
}

#[test]
fn a_banned_uid_is_told_and_its_new_token_is_kept() {
    let im = Im::start(KEY);
    let home = named(&im);
    im.server().seed(&[UidSpec { uid: "u1".into(), devices: vec![device(4, 0, "B")], ban: true, ..UidSpec::default() }]);
    home.run(&["regenerate", "im:u1/4", "--yes"]).exits(1).says(&["bans this uid"]);
    assert!(home.chosen_token(1).is_some());
}

/// Kills a regenerate once its quit was carried out.
fn killed_after_quit(im: &Im, home: &Home, target: &str) {
    im.server().fault(Fault::Mute, 1, Some("/user/device_quit"));
    let mut child = home.command(&["regenerate", target, "--yes"]).spawn().unwrap();
    until("the quit", || im.server().asked().0.iter().any(|r| r.path == "/user/device_quit" && r.status != 0));
    child.kill().unwrap();
    home.finish(child);
    im.server().heal();
}

#[test]
fn a_token_or_a_level_that_somebody_else_wrote_meanwhile_is_shown_and_left_alone() {
    for (level, token) in [(0, "SOMEBODY-ELSES"), (1, "OLD-4"), (0, "OLD-4")] {
        let im = Im::start(KEY);
        let home = named(&im);
        seed(&im, "u1", vec![device(4, 0, "OLD-4")]);
        killed_after_quit(&im, &home, "im:u1/4");
        assert_eq!(row(&im, "u1", 4), (1, String::new()));
        im.server().issue("u1", 4, level, token).unwrap();
        im.server().clear_requests();
        let next = home.run(&["list"]);
        if (level, token) == (0, "OLD-4") {
            // Exactly as before: the quit counts as not done, and is done (again) by the plan that was armed for it.
            assert_ne!(row(&im, "u1", 4).1, "OLD-4", "{}", next.stderr);
            continue;
        }
        assert!(next.stderr.contains("u1/4") && next.stderr.contains("Somebody else"), "{}", next.stderr);
        assert_eq!(row(&im, "u1", 4), (level, token.into()));
        assert_eq!(changes(&im), Vec::<String>::new());
    }
}

#[test]
fn other_versions_do_what_they_can_and_say_what_they_cannot() {
    let admin = Manager { name: "admin".into(), password: "CANARY-password-31".into(), permissions: "*:*".into() };
    let v3 = Im::with(WukongSettings { version: Version::V3, manager_token: None, managers: vec![admin], ..WukongSettings::default() });
    seed(&v3, "u1", vec![device(1, 1, "OLD-1")]);
    let home = v3.home_with("uids = [\"u1\"]");
    home.run(&["regenerate", "im:u1/WEB", "--yes"]).exits(0).says(&["shows no token", "checks no tokens"]);
    let (level, token) = row(&v3, "u1", 1);
    assert_eq!((level, token.len()), (1, 43));
    v3.server().login("u1", 1, "browser", &token).unwrap();
    home.run(&["do", "kick", "im:u1/WEB", "--yes"]).exits(1).says(&["version"]);
    let v1 = Im::with(WukongSettings { version: Version::V1, manager_token: Some(KEY.into()), ..WukongSettings::default() });
    seed(&v1, "u1", vec![device(1, 1, "OLD-1"), device(4, 0, "OLD-4")]);
    v1.server().login("u1", 4, "d", "OLD-4").unwrap();
    let home = v1.home_with("uids = [\"u1\"]");
    home.run(&["wipe", "im:u1", "--yes"]).exits(0).says(&["shows no token"]);
    assert!(v1.server().devices("u1").iter().all(|d| d.token.is_empty()));
    v1.server().login("u1", 1, "d", "OLD-1").unwrap_err();
}
