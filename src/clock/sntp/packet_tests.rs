//! Every way in which an answer can be wrong, one by one, and the arithmetic of those that are right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::clock::now::TEST_WALL;
use proptest::prelude::*;

const COOKIE: u64 = 0x0123_4567_89ab_cdef;

fn asked() -> Request {
    Request { cookie: COOKIE, sent: TEST_WALL }
}

/// A server's time `ms` after the question was sent (by this host's clock), with its clock `offset` ms ahead.
fn ntp(ms: i64, offset: i64) -> u64 {
    let unix = i128::from(TEST_WALL.0 + ms + offset);
    ((unix + i128::from(TO_UNIX) * 1000) * ONE / 1000) as u64
}

/// A good answer: received after 20 ms, sent 1 ms later.
fn good(offset: i64) -> [u8; LEN] {
    let mut p = [0; LEN];
    (p[0], p[1]) = (4 << 3 | 4, 2);
    p[4..8].copy_from_slice(&66u32.to_be_bytes());
    p[8..12].copy_from_slice(&66u32.to_be_bytes());
    p[24..32].copy_from_slice(&COOKIE.to_be_bytes());
    p[32..40].copy_from_slice(&ntp(20, offset).to_be_bytes());
    p[40..48].copy_from_slice(&ntp(21, offset).to_be_bytes());
    p
}

fn judged(change: impl FnOnce(&mut [u8; LEN])) -> Result<Measured, Reject> {
    let mut p = good(0);
    change(&mut p);
    parse(&p, &asked(), Duration::from_millis(41))
}

#[test]
fn a_good_answer_measures_offset_delay_and_bound() {
    for offset in [0, 400, -37_000, 3 * 3_600_000, -50 * 365 * 86_400_000] {
        let m = parse(&good(offset), &asked(), Duration::from_millis(41)).unwrap();
        assert!((m.offset_ns - offset * 1_000_000).abs() < 10, "{offset}: {m:?}");
        assert!((m.delay_ns - 40_000_000).abs() < 10, "{m:?}");
        let i = m.interval();
        assert!(i.contains(offset) && i.hi_ms - i.lo_ms <= 46, "{offset}: {i:?}");
    }
}

#[test]
fn a_request_tells_nothing_of_this_host_but_random_bits() {
    let b = asked().bytes();
    assert_eq!((b[0], b.len()), (0x23, 48));
    assert!(b[1..40].iter().all(|x| *x == 0));
    assert_eq!(b[40..], COOKIE.to_be_bytes());
}

#[test]
fn a_wrong_origin_is_a_stray_whatever_else_it_says() {
    let e = judged(|p| p[24..32].fill(0)).unwrap_err();
    assert_eq!((e, e.is_stray(), e.detail()), (Reject::Origin, true, FOREIGN));
    let forged_kiss = judged(|p| {
        p[24..32].fill(0);
        p[1] = 0;
        p[12..16].copy_from_slice(b"DENY");
    });
    assert!(forged_kiss.unwrap_err().is_stray(), "a forged kiss must not end the wait");
}

#[test]
fn short_and_garbage_are_strays() {
    assert!((0..LEN).all(|n| parse(&good(0)[..n], &asked(), Duration::ZERO) == Err(Reject::Short)));
    assert_eq!(parse(&[0x55; 600], &asked(), Duration::ZERO), Err(Reject::Garbage));
    assert!(Reject::Short.is_stray() && Reject::Garbage.is_stray());
}

#[test]
fn a_long_answer_is_read_by_its_first_48_bytes() {
    let mut long = good(0).to_vec();
    long.extend([7; 300]);
    assert!(parse(&long, &asked(), Duration::from_millis(41)).is_ok());
}

#[test]
fn modes_1_and_5_are_refused() {
    assert_eq!(judged(|p| p[0] = 4 << 3 | 1), Err(Reject::Mode(1)));
    assert_eq!(judged(|p| p[0] = 4 << 3 | 5), Err(Reject::Mode(5)));
    assert_eq!(judged(|p| p[0] = 2 << 3 | 4), Err(Reject::Mode(4)), "version 2");
    assert!(judged(|p| p[0] = 3 << 3 | 4).is_ok(), "version 3");
}

#[test]
fn kiss_codes_are_told_apart() {
    for (code, detail) in [(b"RATE", KISS_RATE), (b"DENY", KISS_DENY), (b"RSTR", KISS_RSTR), (b"CRYP", KISS_OTHER)] {
        let e = judged(|p| {
            p[1] = 0;
            p[12..16].copy_from_slice(code);
        })
        .unwrap_err();
        assert_eq!((e, e.detail()), (Reject::Kiss(*code), detail));
        assert!(e.is_final());
    }
}

#[test]
fn stratum_0_and_from_16_on_and_leap_3_are_unsynchronised() {
    assert_eq!(judged(|p| p[1] = 0), Err(Reject::Stratum(0)));
    assert_eq!(judged(|p| (p[1], p[12], p[13], p[14], p[15]) = (0, b'I', b'N', b'I', b'T')), Err(Reject::Stratum(0)));
    assert_eq!(judged(|p| p[1] = 16), Err(Reject::Stratum(16)));
    assert_eq!(judged(|p| p[1] = 255), Err(Reject::Stratum(255)));
    assert_eq!(judged(|p| p[0] |= 3 << 6), Err(Reject::Leap));
    assert_eq!(Reject::Leap.detail(), UNSYNCED);
    assert!(judged(|p| p[0] |= 1 << 6).is_ok(), "a leap second to come is no fault");
}

#[test]
fn a_zero_time_is_refused_on_either_side() {
    assert_eq!(judged(|p| p[40..48].fill(0)), Err(Reject::ZeroTransmit));
    assert_eq!(judged(|p| p[32..40].fill(0)), Err(Reject::ZeroReceive));
}

#[test]
fn sent_before_received_is_refused() {
    let e = judged(|p| p[32..40].copy_from_slice(&ntp(5020, 0).to_be_bytes())).unwrap_err();
    assert_eq!((e, e.detail()), (Reject::Backwards, BACKWARDS));
}

#[test]
fn a_server_that_held_the_answer_longer_than_it_took_is_refused() {
    assert_eq!(judged(|p| p[40..48].copy_from_slice(&ntp(5020, 0).to_be_bytes())), Err(Reject::Held));
}

#[test]
fn a_root_distance_of_16_seconds_is_refused() {
    assert_eq!(judged(|p| p[8..12].copy_from_slice(&(20u32 << 16).to_be_bytes())), Err(Reject::Distance));
    assert_eq!(judged(|p| p[4..8].copy_from_slice(&(32u32 << 16).to_be_bytes())), Err(Reject::Distance));
    let m = judged(|p| p[8..12].copy_from_slice(&(2u32 << 16).to_be_bytes())).unwrap();
    assert!(m.interval().half() > 2000, "what the server does not know of itself, we do not know either");
}

#[test]
fn eras_are_unwrapped_around_this_hosts_clock() {
    // 2040 on this host, 2040 on the server: era 1 against era 1.
    let sent = Wall(2_209_032_000_000);
    let at = |ms: i64| ((i128::from(sent.0 + ms) + i128::from(TO_UNIX) * 1000) * ONE / 1000) as u64;
    let mut p = good(0);
    p[32..40].copy_from_slice(&at(20).to_be_bytes());
    p[40..48].copy_from_slice(&at(21).to_be_bytes());
    let m = parse(&p, &Request { cookie: COOKIE, sent }, Duration::from_millis(41)).unwrap();
    assert!(m.offset_ns.abs() < 10, "{m:?}");
    // 2026 here, 100 s into era 1 there: nine years ahead, not 127 behind.
    p[32..40].copy_from_slice(&(100u64 << 32).to_be_bytes());
    p[40..48].copy_from_slice(&(100u64 << 32).to_be_bytes());
    let m = parse(&p, &asked(), Duration::from_millis(41)).unwrap();
    let expected = (1i64 << 32) - 2_208_988_800 + 100 - TEST_WALL.0 / 1000;
    assert!((m.offset_ns - expected * 1_000_000_000).abs() < 100_000_000, "{m:?}");
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(data in prop::collection::vec(any::<u8>(), 0..200), ours in any::<bool>(), passed in 0u64..2000) {
        let mut data = data;
        if ours && data.len() >= 32 {
            data[24..32].copy_from_slice(&COOKIE.to_be_bytes());
        }
        if let Ok(m) = parse(&data, &asked(), Duration::from_millis(passed)) {
            prop_assert!(m.delay_ns >= 0 && m.distance_ns >= 0 && (1..16).contains(&m.stratum));
            prop_assert!(m.interval().lo_ms <= m.interval().hi_ms);
        }
    }

    #[test]
    fn the_truth_lies_in_the_interval_however_unequal_the_ways(offset in -100_000_000i64..100_000_000, out in 0i64..900, back in 0i64..900, kept in 0i64..50, round in 0i64..1000) {
        // The wall clock is read in whole milliseconds: it may have been almost one further.
        let us = |ms: i64| ms * 1000;
        let at = |us: i64| ((i128::from(TEST_WALL.0) * 1000 + i128::from(us) + i128::from(TO_UNIX) * 1_000_000) * ONE / 1_000_000) as u64;
        let mut p = good(0);
        p[4..12].fill(0);
        p[32..40].copy_from_slice(&at(round + us(out + offset)).to_be_bytes());
        p[40..48].copy_from_slice(&at(round + us(out + kept + offset)).to_be_bytes());
        let m = parse(&p, &asked(), Duration::from_millis((out + back + kept).unsigned_abs())).unwrap();
        prop_assert!(m.interval().contains(offset), "{:?} misses {}", m.interval(), offset);
    }
}
