//! Of which clock a view speaks, and when one answer is not enough.

use super::{
    super::causes::{What, what},
    *,
};

#[test]
fn a_gateway_that_shares_a_wrong_clock_is_wrong_with_it() {
    for (host, minutes) in [(40_000, None), (-37_000, None), (10_800_000, Some(180))] {
        let b = Bench::new();
        b.date(0, 20, 20);
        b.ntp(&[Ok((host, 5, 5))]);
        let v = b.view();
        assert_eq!((v.verdict, v.side), (Verdict::Blocked, Some(Side::Both)), "{host}");
        assert!(matches!(what(&v), Some(What::Alike { minutes: m, .. }) if m == minutes), "{host}: {:?}", what(&v));
        assert!(v.ahead_ms().is_some_and(|(here, ms)| here && (ms + host).abs() < 100), "{host}: {:?}", v.ahead_ms());
    }
}

#[test]
fn what_is_spoken_of_is_the_clock_that_is_wrong() {
    // Reference and gateway agree, both 60 s ahead of this host: its clock is the one, although the gateway's figure is as large.
    let b = Bench::new();
    b.date(60_000, 20, 20);
    b.ntp(&[Ok((60_000, 5, 5))]);
    assert!(b.view().ahead_ms().is_some_and(|(here, ms)| here && (-61_000..=-59_000).contains(&ms)), "{:?}", b.view().ahead_ms());
    let b = Bench::new();
    b.date(60_000, 20, 20);
    b.ntp(&[Ok((0, 5, 5))]);
    assert!(b.view().ahead_ms().is_some_and(|(here, ms)| !here && ms > 58_000));
}

#[test]
fn a_lone_answer_that_is_off_needs_a_second_word_and_one_that_is_fine_does_not() {
    let b = Bench::new();
    assert_eq!(b.gate.doubt(&b.wa), None, "nothing was measured");
    b.date(0, 20, 20);
    assert_eq!(b.gate.doubt(&b.wa), None);
    let b = Bench::new();
    b.date(60_000, 200, 100);
    let wait = b.gate.doubt(&b.wa).unwrap();
    assert_eq!(wait, Duration::from_millis(1400), "a second, the round trip and a little");
    b.wait(u64::try_from(wait.as_millis()).unwrap());
    b.date(60_000, 200, 100);
    assert_eq!((b.gate.doubt(&b.wa), b.view().verdict), (None, Verdict::Blocked));
    // The same second again, so much later: it stands still.
    let b = Bench::new();
    let at = b.time.now().wall.0 - 3_600_000;
    let stands = |b: &Bench| {
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(at.unsigned_abs()));
        b.gate.push(http_date::sample(&b.wa, Some(&date), None, None, b.time.now(), b.time.now()));
    };
    stands(&b);
    b.wait(u64::try_from(b.gate.doubt(&b.wa).unwrap().as_millis()).unwrap());
    stands(&b);
    let v = b.view();
    assert_eq!((b.gate.doubt(&b.wa), v.verdict, v.remote.cause), (None, Verdict::Unknown, Some(Cause::DateUnusable)));
}
