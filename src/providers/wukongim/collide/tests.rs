//! Fights and what only looks like one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::domain::{Boot, Wall};
use proptest::prelude::*;

fn at(conn: u64, device: &str, flag: u8, master: bool) -> Seen {
    Seen { key: ("u1".into(), Some(flag)), conn: (1, conn), device: device.into(), ip: "10.0.0.1".into(), master: Some(master) }
}
fn t(ms: u64) -> Stamp {
    Stamp { wall: Wall(i64::try_from(ms).unwrap()), boot: Some((1, Boot(ms))) }
}
/// Looks every 2.5 s at these connections; returns what is known of flag 0 afterwards.
fn story(looks: &[&[Seen]]) -> (Contests, Option<Contest>) {
    let mut c = Contests::default();
    let mut now = 1_000_000;
    for look in looks {
        now += 2_500;
        c.look(t(now), look.to_vec(), 0);
    }
    let found = c.of("u1", Some(0), &t(now));
    (c, found)
}

#[test]
fn two_masters_that_take_turns_are_a_fight_though_never_both_online() {
    let (_, c) = story(&[&[at(1, "a", 0, true)], &[at(2, "b", 0, true)], &[at(3, "a", 0, true)], &[at(4, "b", 0, true)]]);
    let c = c.unwrap();
    assert!(c.fight);
    assert_eq!((c.swaps, &*c.last.from.0, &*c.last.to.0), (3, "a", "b"));
}

#[test]
fn the_moment_in_which_both_are_listed_does_not_hide_the_fight() {
    // The server lists the displaced session for 2 s more.
    let (_, c) = story(&[
        &[at(1, "a", 0, true)],
        &[at(1, "a", 0, true), at(2, "b", 0, true)],
        &[at(2, "b", 0, true)],
        &[at(2, "b", 0, true), at(3, "a", 0, true)],
        &[at(3, "a", 0, true)],
    ]);
    assert!(c.unwrap().fight);
}

#[test]
fn a_fight_faster_than_the_looks_is_found_too() {
    // Between two looks a was displaced by b, and b by a.
    let (_, c) = story(&[&[at(1, "a", 0, true)], &[at(1, "a", 0, true), at(2, "b", 0, true)], &[at(3, "a", 0, true)]]);
    assert!(c.unwrap().fight);
}

#[test]
fn one_replacement_is_told_and_is_no_fight() {
    let (_, c) = story(&[&[at(1, "a", 0, true)], &[at(2, "b", 0, true)], &[at(2, "b", 0, true)]]);
    let c = c.unwrap();
    assert_eq!((c.fight, c.swaps, &*c.last.to.0), (false, 1, "b"));
}

#[test]
fn three_devices_in_a_row_of_which_none_comes_back_are_no_fight() {
    let (_, c) = story(&[&[at(1, "a", 0, true)], &[at(2, "b", 0, true)], &[at(3, "c", 0, true)]]);
    assert!(!c.unwrap().fight);
}

#[test]
fn one_device_that_logs_in_again_and_again_is_nothing() {
    let (_, c) = story(&[&[at(1, "a", 0, true)], &[at(2, "a", 0, true)], &[at(2, "a", 0, true), at(3, "a", 0, true)], &[at(3, "a", 0, true)]]);
    assert_eq!(c, None);
}

#[test]
fn an_honest_account_with_two_flags_is_nothing_even_when_both_reconnect() {
    let (c, zero) = story(&[
        &[at(1, "a", 0, true), at(2, "b", 1, true)],
        &[at(3, "a", 0, true), at(2, "b", 1, true)],
        &[at(3, "a", 0, true), at(4, "b", 1, true)],
        &[at(5, "a", 0, true), at(6, "b", 1, true)],
    ]);
    assert_eq!((zero, c.of("u1", Some(1), &t(1_010_000))), (None, None));
}

#[test]
fn two_slaves_on_one_flag_stay_side_by_side_and_are_nothing() {
    let (_, c) = story(&[
        &[at(1, "a", 0, false), at(2, "b", 0, false)],
        &[at(2, "b", 0, false), at(3, "a", 0, false)],
        &[at(3, "a", 0, false), at(4, "b", 0, false)],
    ]);
    assert_eq!(c, None);
}

#[test]
fn a_session_below_the_listed_ones_is_not_taken_for_gone() {
    let mut c = Contests::default();
    c.look(t(1_000), vec![at(1, "a", 0, true)], 0);
    c.look(t(3_500), vec![at(200, "b", 0, true)], 100);
    assert_eq!(c.of("u1", Some(0), &t(3_500)), None);
}

#[test]
fn what_stood_before_a_restart_of_the_node_is_no_evidence() {
    let mut c = Contests::default();
    c.look(t(1_000), vec![at(900, "a", 0, true)], 0);
    c.look(t(3_500), vec![at(2, "b", 0, true)], 0);
    assert_eq!(c.of("u1", Some(0), &t(3_500)), None);
}

#[test]
fn a_fight_ends_when_both_stay_or_nothing_happens_for_long() {
    let looks: &[&[Seen]] = &[&[at(1, "a", 0, true)], &[at(2, "b", 0, true)], &[at(3, "a", 0, true)]];
    let (mut c, found) = story(looks);
    let last = found.unwrap().last.at.boot_now().0;
    assert!(c.of("u1", Some(0), &t(last + QUIET_MS - 1)).unwrap().fight);
    assert!(!c.of("u1", Some(0), &t(last + QUIET_MS)).unwrap().fight);
    assert_eq!(c.of("u1", Some(0), &t(last + WINDOW_MS)), None);
    let both = || vec![at(3, "a", 0, true), at(4, "b", 0, true)];
    c.look(t(last + 2_500), both(), 0);
    assert!(c.of("u1", Some(0), &t(last + 2_500)).unwrap().fight);
    c.look(t(last + 20_000), both(), 0);
    assert_eq!(c.of("u1", Some(0), &t(last + 20_000)), None);
}

#[test]
fn looks_half_a_minute_apart_find_it_as_well() {
    let mut c = Contests::default();
    for (n, device) in ["a", "b", "a"].into_iter().enumerate() {
        let n = u64::try_from(n).unwrap();
        c.look(t(30_000 * (n + 1)), vec![at(10 * n + 1, device, 0, true)], 0);
    }
    assert!(c.of("u1", Some(0), &t(90_000)).unwrap().fight);
}

proptest! {
    #[test]
    fn one_device_id_a_flag_never_fights(looks in proptest::collection::vec(proptest::collection::vec((0u64..40, 0u8..3), 0..6), 0..30)) {
        let mut c = Contests::default();
        for (n, look) in looks.into_iter().enumerate() {
            let now = 2_500 * (n as u64 + 1);
            c.look(t(now), look.into_iter().map(|(conn, flag)| at(conn, &format!("d{flag}"), flag, true)).collect(), 0);
            for flag in 0..3 {
                prop_assert_eq!(c.of("u1", Some(flag), &t(now)), None);
            }
        }
    }
    #[test]
    fn the_book_stays_small(looks in proptest::collection::vec((0u64..1_000, 0u8..4), 0..400)) {
        let mut c = Contests::default();
        for (n, (conn, device)) in looks.into_iter().enumerate() {
            c.look(t(2_500 * (n as u64 + 1)), vec![at(conn, &device.to_string(), 0, true)], 0);
        }
        prop_assert!(c.tracks.values().all(|t| t.swaps.len() <= MOST && t.holders.len() <= 2));
    }
}

fn from(conn: u64, device: &str, ip: &str) -> Seen {
    Seen { ip: ip.into(), ..at(conn, device, 0, true) }
}

#[test]
fn clients_that_make_up_an_id_at_every_login_are_told_apart_by_their_addresses() {
    let turn = |n: u64| vec![from(n, &format!("guid-{n}"), ["10.0.0.1", "10.0.0.2"][(n % 2) as usize])];
    let looks: Vec<Vec<Seen>> = (1..=4).map(turn).collect();
    let looks: Vec<&[Seen]> = looks.iter().map(Vec::as_slice).collect();
    assert!(!story(&looks[..3]).1.unwrap().fight, "there and back again is a phone that changes its network");
    let found = story(&looks).1.unwrap();
    assert!(found.fight && found.sure);
}

#[test]
fn behind_one_address_it_is_a_fight_when_swap_follows_on_swap_and_nobody_is_ever_away() {
    let turns = |n: u64| (1..=n).map(|n| vec![from(n, &format!("guid-{n}"), "10.0.0.1")]).collect::<Vec<_>>();
    let of = |looks: &[Vec<Seen>]| story(&looks.iter().map(Vec::as_slice).collect::<Vec<_>>()).1.unwrap();
    assert!(!of(&turns(5)).fight);
    let found = of(&turns(6));
    assert!(found.fight && !found.sure, "one client that cannot hold its connection looks the same");
    // One browser that is reloaded again and again is away in between now and then.
    let mut reloaded = turns(5);
    reloaded.push(Vec::new());
    reloaded.extend((6..=9).map(|n| vec![from(n, &format!("guid-{n}"), "10.0.0.1")]));
    assert!(!of(&reloaded).fight);
    // Minutes apart it is a network that breaks.
    let mut c = Contests::default();
    for n in 1..=9 {
        c.look(t(1_000_000 + n * 61_000), vec![from(n, &format!("guid-{n}"), "10.0.0.1")], 0);
    }
    assert!(!c.of("u1", Some(0), &t(1_000_000 + 9 * 61_000)).unwrap().fight);
}
