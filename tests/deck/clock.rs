//! A gateway whose clock is wrong: nothing is sent, the override is two keys, and the history knows.

use super::{
    hands::{choose, code_on, wait_for_code, wait_row},
    house::{House, account},
};
use crate::support::pty::Pty;
use pairdeck::sandbox::Past;

fn ahead() -> (House, Pty) {
    let house = House::with(vec![account("shop-a", Past::New)]);
    house.gateway().skew(Some(10_800.0));
    let pty = house.open(80, 24);
    choose(&pty, "shop-a", "code");
    pty.keys("<C-u>5511999990001<Enter>");
    pty.wait_for("NOT STARTED");
    (house, pty)
}

#[test]
fn a_gateway_three_hours_ahead_blocks_and_nothing_is_sent() {
    let (house, pty) = ahead();
    let text = pty.text();
    assert!(text.contains("3:00:00"), "the figure stands there:\n{text}");
    assert!(text.contains("local time kept as UTC"), "and the cause:\n{text}");
    assert_eq!(house.acts(), []);
    // Neither half of the override alone, nor Enter, starts anything.
    for keys in ["<Enter>", "s", "!<Esc>"] {
        pty.keys(keys);
        assert_eq!(house.acts(), []);
    }
    assert_eq!(code_on(&pty.screen()), None);
}

#[test]
fn the_override_is_two_keys_shows_its_badge_and_is_in_the_history() {
    let (house, pty) = ahead();
    pty.keys("!");
    pty.wait_for("Go on with a clock");
    assert_eq!(house.acts(), []);
    pty.keys("s");
    let code = wait_for_code(&pty);
    pty.wait_for("CLOCK OVERRIDDEN");
    house.gateway().type_code("shop-a", Some(&code)).unwrap();
    pty.wait_for("PAIRED");
    pty.keys("<Esc>");
    wait_row(&pty, "shop-a", "online");
    pty.keys("t");
    pty.wait_for("clock overridden");
    let (status, told) = house.headless(&["history", "--pairing", "--json"]);
    assert_eq!(status, 0);
    let overridden = told.lines().any(|l| l.contains("overrid"));
    assert!(overridden, "history does not tell of it: {told}");
}

#[test]
fn once_the_clock_is_put_right_asking_again_pairs() {
    let (house, pty) = ahead();
    house.gateway().skew(None);
    pty.keys("r");
    let code = wait_for_code(&pty);
    assert!(!pty.text().contains("CLOCK OVERRIDDEN"));
    house.gateway().type_code("shop-a", Some(&code)).unwrap();
    pty.wait_for("PAIRED");
}
