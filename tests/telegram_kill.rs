//! SIGKILL of the real program at every question to the servers and on both sides of every journal commit of what is done to a
//! Telegram account: a slot's new key (with an old one, without, of a bot), its wiping, the end of one session, of all others, of the
//! operator's own. The points are enumerated from a run of the same plan, never picked. After each the next process finishes it or
//! takes it back: the old file or the new one, whole, and no session on the servers whose key nobody has.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unreachable_pub, missing_docs)]

#[path = "telegram/kill_floor.rs"]
mod kill_floor;
#[path = "telegram/kill_judge.rs"]
mod kill_judge;
mod support;

use kill_floor::{Deed, Floor, Point};
use kill_judge::everywhere;
use pairdeck::{domain::GatewayId, engine::world::secret_name, sandbox::TelegramSettings, store::Store};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use support::tg::{OWNER, Tg};

#[test]
fn a_regenerate_killed_anywhere_leaves_the_old_session_or_the_new_one_and_no_other() {
    everywhere(Deed::Regenerate, &["stopped", "key", "accept", "login", "identity", "replace", "verify", "end-old"]);
}

#[test]
fn a_first_login_of_a_slot_killed_anywhere_is_finished_or_leaves_nothing() {
    everywhere(Deed::NewLogin, &["stopped", "key", "accept", "login", "identity", "replace", "verify"]);
}

#[test]
fn a_new_slot_killed_anywhere_is_whole_and_listed_or_neither() {
    everywhere(Deed::NewSlot, &["enlist", "key", "accept", "login", "identity", "replace", "verify"]);
}

/// The operator's own login has no plan, but each of its keys is sealed before anything is sent that the servers may authorise it for.
/// Killed anywhere, the next process takes the login over or takes it back: no session is left that only the phone could end. `stored`:
/// the password of the second step is; without it what was scanned cannot be completed, and is logged out.
fn operators_login(stored: bool) -> BTreeMap<(&'static str, &'static str), usize> {
    // The phone scans by itself, as soon as there is a code.
    let phone = Some((Duration::from_millis(1), OWNER));
    let scans = TelegramSettings { scans: phone, ..TelegramSettings::default() };
    let house = || {
        let all = Tg::with(scans.clone(), Some("CANARY-second-step-92"), 1, 1);
        if !stored {
            let name = secret_name(&GatewayId::new("tg"), "account/ada/password");
            all.home.store(async |s: &Store| s.secret_forget(&name).await.unwrap());
        }
        all
    };
    let args = ["pair", "tg:ada", "--json"];
    let one = || {
        let first = house();
        first.tg().clear();
        first.home.run(&args).exits(if stored { 0 } else { 4 });
        first.tg().questions()
    };
    // What an answer that came too late on a busy machine made it ask besides is no point of other runs.
    let asked = (0..4).find_map(|_| Some(one()).filter(|asked| *asked == one())).expect("two runs that ask alike");
    assert_eq!(asked.contains(&"auth.checkPassword"), stored, "{asked:?}");
    let each = |(i, what): (usize, &&'static str)| [false, true].map(|done| Point::Question { n: i + 1, what, done });
    let questions: Vec<Point> = asked.iter().enumerate().flat_map(each).collect();
    let journal = (1..).map(|n| [false, true].map(|after| Point::Journal { n, after }));
    let (mut table, mut points) = (BTreeMap::new(), 0);
    // True when it was killed there.
    let mut at = |point: &Point| {
        let floor = Floor { all: house(), deed: Deed::LogOut };
        if floor.killed(&args, point).is_some() {
            assert!(matches!(point, Point::Journal { .. }), "{point} never came");
            return false;
        }
        points += 1;
        // Nobody sees a code of the next process.
        floor.all.tg().scans(None);
        floor.all.tg().clear();
        let look = || {
            let list = floor.all.home.run(&["list", "--json"]).exits(0).json();
            list["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone()
        };
        // A list waits three seconds for an account; on a busy machine a later one finds what this one began.
        let ada = (0..5).map(|_| look()).find(|ada| ada["reason"]["code"] != "slow").unwrap_or_else(|| panic!("{point}: never in time"));
        let rows = floor.all.tg().devices(OWNER);
        let outcome = match (ada["state"] == "ready", rows.len()) {
            (true, 1) if stored => "done",
            (false, 0) => "taken_back",
            other => panic!("{other:?} {point}: {ada} {rows:?}"),
        };
        assert!(rows.iter().all(|r| !r.pending), "{point}: {rows:?}");
        assert!(floor.all.tg().calls().iter().all(|c| !c.outcome.contains("DUPLICATED")), "{point}");
        // And that was all: the next look tries nothing more.
        floor.all.tg().clear();
        floor.all.home.run(&["list", "--json"]).exits(0);
        let again = floor.all.tg().questions();
        assert!(!again.contains(&"auth.exportLoginToken") && !again.contains(&"auth.logOut"), "{point}: {again:?}");
        floor.all.tg().scans(phone);
        if outcome == "taken_back" {
            floor.all.home.run(&args).exits(if stored { 0 } else { 4 });
        }
        assert_eq!(floor.all.tg().devices(OWNER).len(), usize::from(stored), "{point}");
        floor.all.home.keeps_secrets();
        *table.entry((point.side(), outcome)).or_default() += 1;
        true
    };
    for point in &questions {
        at(point);
    }
    for both in journal {
        // Not one `any`, which would leave the second out.
        if both.map(|point| at(&point)) == [false; 2] {
            break;
        }
    }
    println!("operator-login, password {}: {points} points", if stored { "stored" } else { "not stored" });
    table
}

#[test]
fn an_operators_login_killed_anywhere_is_taken_over_or_taken_back_and_nothing_is_left_to_the_phone() {
    let table = operators_login(true);
    for ((side, outcome), n) in &table {
        println!("kill-table: provider=telegram plan=operator-login step=login side={side} outcome={outcome} n={n}");
    }
    let outcomes: BTreeSet<&str> = table.keys().map(|k| k.1).collect();
    assert_eq!(outcomes, BTreeSet::from(["done", "taken_back"]), "{table:?}");
}

#[test]
fn an_operators_login_that_nobody_can_complete_leaves_no_session_wherever_it_is_killed() {
    for ((side, outcome), n) in &operators_login(false) {
        println!("kill-table: provider=telegram plan=operator-login-without-password step=login side={side} outcome={outcome} n={n}");
    }
}

#[test]
fn a_wipe_of_a_slot_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::Wipe, &["stopped", "trash", "forget", "end-old"]);
}

#[test]
fn a_bots_new_session_killed_anywhere_is_whole_or_not_there() {
    everywhere(Deed::Bot, &["stopped", "key", "bot", "login", "identity", "replace", "verify"]);
}

#[test]
fn the_end_of_one_session_killed_anywhere_ends_that_one_or_none() {
    everywhere(Deed::Terminate, &["end"]);
}

#[test]
fn the_end_of_all_other_sessions_killed_anywhere_ends_all_or_none() {
    everywhere(Deed::TerminateOthers, &["others"]);
}

#[test]
fn a_log_out_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::LogOut, &["log-out", "forget"]);
}
