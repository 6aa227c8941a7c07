//! Devices with slots: the token view, the slot plan, the diagnosis and a new token, on a real deck against a sandbox.

use super::{
    hands::{press, select},
    house::House,
};
use crate::support::pty::Pty;
use pairdeck::sandbox::{DeviceSpec, Part, UidSpec, Wukong};

const APP: &str = "CANARY-app-f00eb28b80c247c7";
const LOST: &str = "CANARY-lost-77c0a3f1b001d3c2";

fn house() -> House {
    let app = DeviceSpec { flag: 0, level: 1, token: APP.to_owned(), online: vec!["a3f1".to_owned()], ..DeviceSpec::default() };
    let web = DeviceSpec { flag: 1, level: 0, ..DeviceSpec::default() };
    let user = UidSpec { uid: "u-10024".to_owned(), devices: vec![app, web], ..UidSpec::default() };
    House::servers(vec![("im".to_owned(), Part::Wukong(Box::default(), vec![user]))])
}

fn im(house: &House) -> &Wukong {
    house.sandbox.wukong("im").unwrap()
}

fn open(house: &House) -> Pty {
    let pty = house.deck().size(120, 40).spawn();
    pty.wait_until("the account, not stale", |s| (s.contents().contains("u-10024") && !s.contents().contains('~')).then_some(()));
    select(&pty, "u-10024");
    press(&pty, "l", "its devices", |s| s.contents().contains("WEB 1").then_some(()));
    pty
}

#[test]
fn a_token_is_shown_when_it_is_asked_for_and_not_before() {
    let house = house();
    let pty = open(&house);
    press(&pty, "G", "the cursor on its last device", |s| s.contents().lines().any(|l| l.starts_with('▌') && l.contains("APP 0")).then_some(()));
    press(&pty, "T", "the token view", |s| s.contents().contains("Fingerprint").then_some(()));
    assert!(!pty.text().contains(APP));
    press(&pty, "v", "the token", |s| s.contents().contains(APP).then_some(()));
    press(&pty, "<Esc>", "it is gone", |s| (!s.contents().contains(APP)).then_some(()));
}

#[test]
fn a_token_whose_showing_cannot_be_kept_is_not_shown() {
    let house = house();
    let pty = open(&house);
    press(&pty, "G", "the cursor on its last device", |s| s.contents().lines().any(|l| l.starts_with('▌') && l.contains("APP 0")).then_some(()));
    press(&pty, "T", "the token view", |s| s.contents().contains("Fingerprint").then_some(()));
    let db = rusqlite::Connection::open(house.home.path().join("vault.db")).unwrap();
    db.execute_batch("BEGIN EXCLUSIVE").unwrap();
    pty.keys("v");
    pty.wait_for("Another program holds the store");
    pty.assert_never_wrote(APP);
    db.execute_batch("ROLLBACK").unwrap();
    press(&pty, "v", "the token", |s| s.contents().contains(APP).then_some(()));
    let shown: u32 = db.query_row("SELECT COUNT(*) FROM audit WHERE action = 'reveal' AND outcome = 'shown'", [], |r| r.get(0)).unwrap();
    assert_eq!(shown, 1);
}

#[test]
fn the_plan_says_what_a_login_would_do_now() {
    let house = house();
    let pty = open(&house);
    press(&pty, "f", "the plan", |s| s.contents().contains("A login on APP 0 kicks the one there").then_some(()));
    press(&pty, "j", "the other slot", |s| s.contents().contains("A login on WEB 1 kicks nobody.").then_some(()));
}

#[test]
fn a_pasted_log_line_is_judged_and_its_tokens_are_never_drawn() {
    let house = house();
    im(&house).login("u-10024", 1, "d1", LOST).unwrap_err();
    let log = im(&house).log().join("\n");
    let pty = open(&house);
    press(&pty, "Q", "the form", |s| s.contents().contains("why can it not log in?").then_some(()));
    pty.paste(&format!("{log}\n"));
    pty.wait_for("hidden");
    press(&pty, "<Enter>", "the verdict", |s| s.contents().contains("WEB 1 never had this token").then_some(()));
    assert!(pty.text().contains("By the log the client logs in with flag WEB 1."), "{}", pty.text());
    assert!(!pty.text().contains("CANARY"), "{}", pty.text());
}

#[test]
fn a_device_gets_a_token_of_its_own_from_the_menu() {
    let house = house();
    let pty = open(&house);
    press(&pty, "mi", "the questions", |s| s.contents().contains("Device flag").then_some(()));
    press(&pty, "5<Enter>", "the armed verb", |s| s.contents().contains("starts in").then_some(()));
    pty.wait_until("its row", |s| s.contents().contains("flag 5").then_some(()));
    let made = im(&house).devices("u-10024").into_iter().find(|d| d.flag == 5).unwrap();
    assert_eq!((made.level, made.token.is_empty()), (0, false));
    assert!(!pty.text().contains(&made.token));
}
