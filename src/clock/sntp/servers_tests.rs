//! Majority and conflict, by example and by property; nothing is asked here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

fn i(lo: i64, hi: i64) -> Interval {
    Interval::new(lo, hi)
}

#[test]
fn two_that_agree_outvote_one_that_does_not() {
    assert_eq!(agree(&[i(-5, 5), i(0, 10), i(3_600_000, 3_600_010)]), Some((i(0, 5), 2)));
    assert_eq!(agree(&[i(-5, 5), i(0, 10), i(3, 4)]), Some((i(0, 5), 3)), "whatever a majority allows stays possible");
    assert_eq!(agree(&[i(7, 9)]), Some((i(7, 9), 1)));
}

#[test]
fn without_a_majority_there_is_no_answer() {
    assert_eq!(agree(&[]), None);
    assert_eq!(agree(&[i(0, 1), i(10, 11)]), None);
    assert_eq!(agree(&[i(0, 1), i(0, 1), i(10, 11), i(10, 11)]), None, "two against two");
    assert_eq!(gap_ms([i(0, 1), i(40_000, 40_010)].iter()), 39_999);
    assert_eq!(gap_ms([i(0, 10), i(5, 20)].iter()), 0);
}

#[test]
fn a_chain_of_overlaps_keeps_both_ends_open() {
    assert_eq!(agree(&[i(0, 10), i(8, 20), i(18, 30)]), Some((i(8, 20), 2)), "the truth may be in either overlap");
}

#[test]
fn one_server_twice_is_one_server() {
    let one: NtpServer = "127.0.0.1:11123".parse().unwrap();
    assert_eq!(Servers::new(&[one.clone(), one.clone(), one]).len(), 1);
}

proptest! {
    #[test]
    fn while_most_servers_are_right_the_truth_is_inside(
        truth in -100_000i64..100_000,
        right in prop::collection::vec((0i64..5000, 0i64..5000), 1..6),
        wrong in prop::collection::vec((-200_000i64..200_000, 0i64..5000), 0..5),
    ) {
        prop_assume!(wrong.len() < right.len());
        let mut all: Vec<Interval> = right.iter().map(|(a, b)| i(truth - a, truth + b)).collect();
        all.extend(wrong.iter().map(|(at, w)| i(*at, at + w)));
        let (range, n) = agree(&all).unwrap();
        prop_assert!(range.contains(truth) && n >= right.len());
        all.reverse();
        prop_assert_eq!(agree(&all), Some((range, n)), "order must not matter");
    }
}
