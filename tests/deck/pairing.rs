//! Pairing, from `p` to the row online.

use super::{
    hands::{self, assert_never_showed_code, assert_never_showed_qr, pair_by_code, pair_by_qr, wait_for_code, wait_row},
    house::{House, account, deck},
};
use crate::support::eye;
use pairdeck::sandbox::{Link, Past};
use std::time::Duration;

const NUMBER: &str = "5511999990001";

#[test]
fn a_phone_that_scans_the_qr_from_the_screen_brings_the_row_online() {
    let house = House::with(vec![account("shop-a", Past::New), account("shop-b", Past::Online)]);
    let mut pty = house.open(130, 45);
    pair_by_qr(&pty, "shop-a");
    let payload = pty.wait_for_qr();
    eye::assert_style_that_scans(&pty.screen());
    assert_eq!(Some(&payload), house.gateway().on_offer("shop-a").map(|o| o.0).as_ref());
    house.gateway().scan("shop-a", Some(&payload)).unwrap();
    pty.wait_for("PAIRED");
    assert!(eye::qr_cells(&pty.screen()).is_empty(), "nothing to scan is left beside the success");
    pty.keys("<Esc>");
    wait_row(&pty, "shop-a", "online");
    assert_eq!(house.gateway().state("shop-a"), Some((Link::Open, Link::Open)));
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_phone_that_types_the_code_from_the_screen_brings_the_row_online() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.open(80, 24);
    pair_by_code(&pty, "shop-a", NUMBER);
    let code = wait_for_code(&pty);
    house.gateway().type_code("shop-a", Some(&code)).unwrap();
    pty.wait_for("PAIRED");
    assert_eq!(hands::code_on(&pty.screen()), None, "the code is gone once it was used");
    pty.keys("<Esc>");
    wait_row(&pty, "shop-a", "online");
    assert!(house.acts().iter().any(|r| r.path.ends_with("?number=5511999990001")), "{:?}", house.acts());
}

#[test]
fn the_code_fits_a_terminal_of_forty_by_ten() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.open(40, 10);
    pair_by_code(&pty, "shop-a", NUMBER);
    let code = wait_for_code(&pty);
    house.gateway().type_code("shop-a", Some(&code)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn a_qr_that_does_not_fit_sends_nothing_until_it_fits() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.open(80, 24);
    hands::choose(&pty, "shop-a", "QR");
    pty.keys("<Enter>");
    pty.wait_for("QR needs");
    // The form says so before Enter too; keys are answered in order, so that after these Enter was.
    for word in ["● code", "● QR"] {
        pty.keys("<Tab>");
        pty.wait_for(word);
    }
    assert_eq!(house.acts(), []);
    pty.resize(130, 45);
    // The pane beside the tree: the new size has arrived.
    pty.wait_for("WhatsApp on wa-test");
    assert!(!pty.text().contains("QR needs"), "what was said of the old size is gone:\n{}", pty.text());
    pty.keys("<Enter>");
    let payload = pty.wait_for_qr();
    house.gateway().scan("shop-a", Some(&payload)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn without_colour_the_qr_still_scans_and_nothing_else_is_coloured() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.deck().env("NO_COLOR", "1").size(130, 45).spawn();
    house.settle(&pty);
    let (rows, cols) = pty.screen().size();
    for (row, col) in (0..rows.get()).flat_map(|r| (0..cols.get()).map(move |c| (r, c))) {
        let screen = pty.screen();
        let cell = screen.cell(row, col).unwrap();
        assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default), "row {row} column {col}");
        if col == 0 && row % 10 == 9 {
            break;
        }
    }
    pair_by_qr(&pty, "shop-a");
    let payload = pty.wait_for_qr();
    eye::assert_style_that_scans(&pty.screen());
    house.gateway().scan("shop-a", Some(&payload)).unwrap();
    pty.wait_for("PAIRED");
}

/// A house whose `shop-a` was paired and then logged out on its phone, and what it was paired with. Its link is slow from now
/// on: the server answers the next `connect` before the far side sends anything, with what it still has in memory.
fn logged_out_after(pair: impl Fn(&crate::support::pty::Pty)) -> (House, (String, Option<String>)) {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let mut first = house.open(130, 45);
    pair(&first);
    let old = house.wait("an offer", |g| g.on_offer("shop-a"));
    house.gateway().scan("shop-a", Some(&old.0)).unwrap();
    first.wait_for("PAIRED");
    house.gateway().unlink("shop-a", 401).unwrap();
    first.keys("<Esc>");
    wait_row(&first, "shop-a", "logged out");
    first.keys("q");
    first.assert_exit(0);
    for whose in [Some("shop-a"), None] {
        house.gateway().link_delay(whose, Duration::from_millis(2500));
    }
    (house, old)
}

#[test]
fn a_stale_code_is_discarded_named_and_counted_and_never_on_screen() {
    let (house, (_, old)) = logged_out_after(|pty| {
        pair_by_code(pty, "shop-a", NUMBER);
        wait_for_code(pty);
    });
    let old = old.expect("it was paired by code");
    let pty = house.open(80, 24);
    pair_by_code(&pty, "shop-a", NUMBER);
    let new = wait_for_code(&pty);
    pty.wait_for("old code discarded (from the previous session)");
    assert_eq!(house.gateway().type_code("shop-a", Some(&old)).map_err(|e| e.to_string()), Err("Couldn't link device".to_owned()));
    house.gateway().type_code("shop-a", Some(&new)).unwrap();
    pty.wait_for("PAIRED");
    assert_never_showed_code(&pty, &old);
    pty.keys("<Esc>");
    wait_row(&pty, "shop-a", "online");
    pty.keys("t");
    pty.wait_for("1 old codes discarded");
}

#[test]
fn a_stale_qr_is_discarded_named_and_counted_and_never_on_screen() {
    let (house, (old, _)) = logged_out_after(|pty| {
        pair_by_qr(pty, "shop-a");
        pty.wait_for_qr();
    });
    let pty = house.open(130, 45);
    pair_by_qr(&pty, "shop-a");
    let new = pty.wait_for_qr();
    pty.wait_for("old code discarded");
    assert_ne!(new, old);
    house.gateway().scan("shop-a", Some(&new)).unwrap();
    pty.wait_for("PAIRED");
    assert_never_showed_qr(&pty, &old);
}

#[test]
fn going_from_code_to_qr_and_back_shows_what_the_phone_takes() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.open(130, 45);
    pair_by_code(&pty, "shop-a", NUMBER);
    let first = wait_for_code(&pty);
    pty.keys("g");
    pty.wait_for("begun anew");
    pty.keys("<Enter>");
    let qr = pty.wait_for_qr();
    assert_eq!(Some(&qr), house.gateway().on_offer("shop-a").map(|o| o.0).as_ref());
    pty.keys("k");
    pty.wait_for("begun anew");
    pty.keys(&format!("<C-u>{NUMBER}<Enter>"));
    let second = pty.wait_until("another code", |s| hands::code_on(s).filter(|c| *c != first));
    house.gateway().type_code("shop-a", Some(&second)).unwrap();
    pty.wait_for("PAIRED");
}

#[test]
fn the_demo_pairs_by_qr_and_leaves_no_home_behind() {
    let temp = tempfile::tempdir().unwrap();
    let mut pty = deck().args(["demo"]).env("TMPDIR", temp.path()).size(130, 45).spawn();
    pty.wait_for("12 accounts");
    pty.wait_for("TOUR 1/9");
    wait_row(&pty, "shop-centro", "offline");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1, "its home lies in the folder for temporary files");
    pair_by_qr(&pty, "shop-centro");
    assert!(pty.wait_for_qr().starts_with("2@"));
    // The demo's phone scans by itself.
    pty.wait_for("PAIRED");
    pty.keys("<Esc>");
    wait_row(&pty, "shop-centro", "online");
    pty.keys("q");
    pty.assert_exit(0);
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "nothing of the demo remains");
}
