//! However the deck ends, the terminal is as it was.

use super::{
    hands::{pair_by_code, wait_for_code},
    house::{House, account},
};
use pairdeck::sandbox::Past;

fn house() -> House {
    House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::New)])
}

#[test]
fn q_leaves_the_terminal_as_it_was() {
    let house = house();
    let mut pty = house.open(100, 30);
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn ctrl_c_twice_leaves_the_terminal_as_it_was() {
    let house = house();
    let mut pty = house.open(100, 30);
    pty.keys("<C-c><C-c>");
    pty.assert_exit(0);
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was_and_says_130() {
    for name in ["TERM", "HUP", "INT"] {
        let house = house();
        let mut pty = house.open(100, 30);
        pty.signal(name);
        pty.assert_exit(130);
    }
}

#[test]
fn a_signal_in_the_middle_of_a_pairing_leaves_no_code_behind() {
    let house = house();
    let mut pty = house.open(100, 30);
    pair_by_code(&pty, "shop-b", "5511999990001");
    let code = wait_for_code(&pty);
    pty.signal("TERM");
    pty.assert_exit(130);
    assert!(!pty.text().contains(&code), "{}", pty.text());
}

#[test]
fn a_signal_disarms() {
    let house = house();
    let mut pty = house.open(120, 30);
    super::hands::select(&pty, "shop-a");
    super::hands::press(&pty, "w", "the countdown", |s| s.contents().contains("starts in").then_some(()));
    pty.signal("HUP");
    pty.assert_exit(130);
    assert_eq!(house.acts(), []);
}

#[test]
fn a_home_without_gateways_welcomes_and_leaves() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = super::house::deck().args(["--home".as_ref(), home.path().as_os_str()]).spawn();
    pty.wait_for("pairdeck sees no accounts yet.");
    pty.keys("q");
    pty.assert_exit(0);
}
