//! Sessions of workers that somebody ended elsewhere, while a deck has the operator's connection: what commands beside it say of their
//! slots, of a copy of the dead key too, and what a wipe of it says.

use super::{connected, look_again, open_deck_showing, speakers};
use crate::{
    deck::hands::wait_row,
    support::{
        house::until,
        tg::{OWNER, Tg, key, lies, write},
    },
};
use pairdeck::store::Store;
use serde_json::{Value, json};

fn status(all: &Tg, slot: &str) -> Value {
    all.home.run(&["status", &format!("tg:ada/{slot}"), "--json"]).json()
}

fn is_over(row: &Value) -> bool {
    (&row["state"], &row["reason"]["code"]) == (&json!("logged_out"), &json!("session_revoked"))
}

#[test]
fn a_session_that_the_deck_saw_ended_is_over_for_commands_too_and_so_is_a_copy_of_its_key() {
    let all = Tg::open(3, 1);
    let twin = all.seat(OWNER, "s1", 1);
    let alone = all.seat(OWNER, "s3", 3);
    write(&all.file("s2"), &key(1));
    for slot in ["s1", "s2"] {
        assert_eq!(all.device(slot)["state"], "conflict", "two have the key of a session that lives");
    }
    let pty = open_deck_showing(&all, "conflict");
    all.tg().clear();
    for hash in [twin.0, alone.0] {
        assert!(all.tg().revoke(OWNER, hash));
    }
    look_again(&all, &pty);
    wait_row(&pty, "ada", "ready");
    for slot in ["s3", "s1", "s2"] {
        until(&format!("{slot} to be over"), || is_over(&status(&all, slot)));
        let listed = all.device(slot);
        assert!(is_over(&listed), "{listed}");
    }
    assert!(all.device("s2")["facts"]["copies"].as_str().unwrap().contains("tg:ada/s1"));
    assert!(connected(&all) && speakers(&all) == 1, "a look took the connection from a deck that is well");
    // Nobody keeps anything.
    let asked = all.home.run(&["wipe", "tg:ada/s2"]).exits(2).says(&["over already"]);
    let ran = all.home.run(&["wipe", "tg:ada/s2", "--yes"]).exits(0).says(&["tg:ada/s1", "dead key"]);
    for said in [asked, ran] {
        let said = format!("{}{}", said.stdout, said.stderr);
        assert!(!said.contains("keeps the session") && !said.contains("was not ended") && !said.contains("stays for"), "{said}");
    }
    assert!(lies(&all.file("s2")).is_none() && lies(&all.file("s1")) == Some(key(1).id()));
    assert!(is_over(&status(&all, "s1")), "alone it is over all the same");
}

#[test]
fn an_operators_session_that_the_phone_ended_leaves_no_key_in_the_store_and_a_line_in_the_audit() {
    let all = Tg::open(1, 1);
    let own = all.tg().devices(OWNER).into_iter().find(|d| d.device.starts_with("pairdeck@")).unwrap();
    let sealed = || all.home.store(async |store: &Store| store.secret_list().await.unwrap().iter().any(|s| s.0.ends_with("operator")));
    assert!(sealed());
    assert!(all.tg().revoke(OWNER, own.hash));
    for _ in 0..2 {
        let now = all.home.run(&["status", "tg:ada", "--json"]).json();
        assert_eq!((&now["state"], &now["reason"]["code"]), (&json!("logged_out"), &json!("logged_out")), "{now}");
        assert!(!sealed(), "a dead key lies in the store");
    }
    let told = all.home.run(&["history", "--json"]).exits(0);
    let told = told.json()["lines"].as_array().unwrap().iter().filter(|l| l["action"] == "forget key").cloned().collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["id"], &told[0]["outcome"]), (&json!("tg:ada"), &json!("401 AUTH_KEY_UNREGISTERED")));
    all.pair();
    assert_eq!(all.home.run(&["status", "tg:ada", "--json"]).exits(0).json()["state"], "ready");
    assert!(sealed());
}

#[test]
fn a_second_deck_knows_the_gateways_clock() {
    let all = Tg::open(1, 1);
    let watching = open_deck_showing(&all, "ready");
    let second = open_deck_showing(&all, "ready");
    for (which, pty) in [("the watching", &watching), ("the second", &second)] {
        let knows = |s: &vt100::Screen| (s.contents().contains("clock") && !s.contents().contains("not asked yet")).then_some(());
        pty.wait_until(&format!("the clock of {which} deck"), knows);
    }
}
