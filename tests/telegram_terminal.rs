//! `pairdeck pair` of a Telegram account by a person at a terminal: what is asked is typed there, secrets unseen, and the terminal is
//! as it was afterwards. Without a terminal what only a person could give is refused before anything is made.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::{
    domain::GatewayId,
    engine::world::secret_name,
    sandbox::{TELEGRAM_APP, TelegramSettings},
    store::Store,
};
use std::fs;
use support::{
    house::until,
    pty::{Pty, Start},
    tg::{OWNER, Tg, lies},
};

const PASSWORD: &str = "CANARY-typed-second-step-3";
const PHONE: &str = "5511999990001";

fn forget(all: &Tg, secret: &str) {
    let name = secret_name(&GatewayId::new("tg"), &format!("account/ada/{secret}"));
    all.home.store(async |store: &Store| store.secret_forget(&name).await.unwrap());
}

/// An account with a second step whose password is not stored.
fn house() -> Tg {
    let all = Tg::with(TelegramSettings::default(), Some(PASSWORD), 2, 1);
    forget(&all, "password");
    all
}

fn pair(all: &Tg, more: &[&str]) -> Pty {
    let path = all.home.path();
    let mut args = vec!["--home", path.to_str().unwrap(), "pair", "tg:ada"];
    args.extend(more);
    Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(args).size(120, 60).spawn()
}

/// Pairs; the phone scans, and the password is wanted.
fn scanned(all: &Tg) -> Pty {
    let pty = pair(all, &[]);
    until("a code", || all.tg().token().is_some());
    all.tg().scan(OWNER, None).unwrap();
    pty.wait_for("Password of the second step");
    pty
}

#[test]
fn a_password_is_typed_unseen_a_wrong_one_is_said_to_be_wrong_and_the_terminal_is_put_back() {
    let all = house();
    let mut pty = scanned(&all);
    pty.keys("not this one<Enter>");
    pty.wait_for("not accepted (answer 1)");
    pty.wait_until("the question once more", |s| (s.contents().matches("Password of the second step").count() == 2).then_some(()));
    pty.keys(&format!("{PASSWORD}<Enter>"));
    pty.wait_for("paired  ada");
    pty.assert_exit(0);
    pty.assert_never_wrote(PASSWORD);
    pty.assert_never_wrote("not this one");
    assert_eq!(all.tg().devices(OWNER).len(), 1);
    assert!(pty.text().contains("hint: sandbox"), "{}", pty.text());
}

#[test]
fn ctrl_c_at_the_password_ends_it_leaves_no_session_and_gives_the_echo_back() {
    let all = house();
    let mut pty = scanned(&all);
    pty.keys("half a pass<C-c>");
    pty.assert_exit(130);
    assert!(all.tg().devices(OWNER).is_empty(), "{:?}", all.tg().devices(OWNER));
    pty.assert_never_wrote("half");
    // The end of the input is an answer, too.
    let mut pty = scanned(&all);
    pty.keys("<C-d>");
    pty.assert_exit(4);
    assert!(all.tg().devices(OWNER).is_empty());
}

#[test]
fn number_and_code_are_typed_and_seen() {
    let all = house();
    let mut pty = pair(&all, &["--code"]);
    pty.wait_for("phone number with its country code");
    pty.keys(&format!("+{PHONE}<Enter>"));
    until("a code on its way", || all.tg().code(OWNER).is_some());
    pty.wait_for("Code that Telegram sent");
    pty.keys("00000<Enter>");
    pty.wait_for("not accepted (answer 1)");
    pty.keys(&format!("{}<Enter>", all.tg().code(OWNER).unwrap()));
    pty.wait_for("Password of the second step");
    pty.keys(&format!("{PASSWORD}<Enter>"));
    pty.wait_for("paired  ada");
    pty.assert_exit(0);
    pty.assert_never_wrote(PASSWORD);
}

#[test]
fn a_hash_that_is_missing_is_asked_for_sealed_and_used() {
    let all = Tg::with(TelegramSettings::default(), None, 1, 1);
    forget(&all, "api_hash");
    let mut pty = pair(&all, &[]);
    pty.wait_for("api_hash");
    assert_eq!(all.tg().counts().keys, 0, "a key was made before");
    pty.keys(&format!("{}<Enter>", TELEGRAM_APP.1));
    until("a code", || all.tg().token().is_some());
    all.tg().scan(OWNER, None).unwrap();
    pty.wait_for("paired  ada");
    pty.assert_exit(0);
    pty.assert_never_wrote(TELEGRAM_APP.1);
    all.home.run(&["wipe", "tg:ada", "--yes"]).exits(0);
    let now = all.home.run(&["status", "tg:ada", "--json"]).json();
    assert_eq!(now["reason"]["code"], "wiped", "our own wipe is not blamed on the phone: {now}");
    let list = all.home.run(&["list", "--json"]).json();
    assert!(!list.to_string().contains("~own"), "sessions of an account that is logged out: {list}");
}

#[test]
fn a_persons_yes_that_a_worker_is_stopped_is_read_at_a_terminal_and_who_speaks_against_it_is_named() {
    let all = Tg::open(2, 1);
    all.seat(OWNER, "s1", 1);
    let old = lies(&all.file("s1"));
    let mut chance = std::process::Command::new("sleep").arg("300").current_dir(all.file("s1").parent().unwrap()).spawn().unwrap();
    // `--yes` is no word for it.
    let ran = all.home.run(&["regenerate", "tg:ada/s1", "--yes"]).exits(4);
    let path = all.home.path();
    let args = ["--home", path.to_str().unwrap(), "regenerate", "tg:ada/s1"];
    let mut pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(args).size(160, 40).spawn();
    pty.wait_for("This loses");
    pty.keys("yes<Enter>");
    pty.wait_for("Nothing proves");
    pty.keys("yes<Enter>");
    pty.assert_exit(0);
    let (_, _) = (chance.kill(), chance.wait());
    ran.says(&[&format!("sleep[{}]", chance.id()), "without `--yes`"]);
    assert_ne!(lies(&all.file("s1")), old);
}

#[test]
fn without_a_terminal_what_only_a_person_can_give_is_refused_before_a_key_is_made() {
    let all = house();
    // Logged in by hand, so that a slot could be made.
    let mut pty = scanned(&all);
    pty.keys(&format!("{PASSWORD}<Enter>"));
    pty.wait_for("paired  ada");
    pty.assert_exit(0);
    let file = all.home.file("workers").join("n").join("session.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let slot = ["pair", "tg:ada", "--slot", "n", "--file", file.to_str().unwrap()];
    let (keys, config) = (all.tg().counts().keys, fs::read_to_string(all.home.file("config.toml")).unwrap());
    all.tg().clear();
    for args in [&slot[..], &["regenerate", "tg:ada/s1", "--yes"]] {
        all.home.run(args).exits(4).says(&["`pairdeck secret set tg:ada --name password`"]);
        assert_eq!(all.tg().counts().keys, 0, "{args:?}: a key was made ({keys} before)");
        assert!(!all.tg().calls().iter().any(|c| c.method == "auth.exportLoginToken"), "{args:?}");
    }
    assert!(lies(&file).is_none() && fs::read_to_string(all.home.file("config.toml")).unwrap() == config);
    // As the command says; and a password on stdin is taken as well.
    all.home.run_with(&slot, &format!("{PASSWORD}\n")).exits(0);
    assert!(all.tg().alive(lies(&file).unwrap().0));
    all.home.run_with(&["secret", "set", "tg:ada", "--name", "password", "--file", "-"], PASSWORD).exits(0);
    all.home.run(&["regenerate", "tg:ada/s1", "--yes"]).exits(0);
    // A code would have to be typed.
    let other = house();
    other.home.run(&["pair", "tg:ada", "--code", "--number", PHONE]).exits(4).says(&["must be typed here"]);
    assert!(other.tg().code(OWNER).is_none() && other.tg().counts().keys == 0);
}
