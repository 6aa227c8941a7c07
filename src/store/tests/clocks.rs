//! Offset histories, what the alarm said, and readers who follow.

use super::*;
use crate::{
    clock::{ManualTime, Verdict, now::TEST_WALL, sample::Interval, verdict::Cause},
    domain::Time,
    engine::mailbox::HistoryWhat,
};
use std::time::{Duration, Instant};

fn wa() -> GatewayId {
    GatewayId::new("wa")
}

fn point(at: Wall, ms: i64, verdict: Verdict) -> ClockPoint {
    ClockPoint { gateway: wa(), at, skew: Some(Interval::new(ms - 500, ms + 500)), verdict }
}

fn event(at: Wall, from: Verdict, to: Verdict) -> ClockEvent {
    let skew = Some(Interval::new(99_500, 100_500));
    ClockEvent { at: Stamp::wall_only(at), gateway: wa(), from, to, skew, cause: Some(Cause::LocalTimeAsUtc { minutes: 180 }) }
}

#[tokio::test]
async fn an_offset_history_is_thinned_whoever_writes_and_forgets_after_thirty_days() {
    let home = home();
    let time = Arc::new(ManualTime::new());
    let store = Store::open_in_place(&home.paths, home.vault.clone(), time.clone()).unwrap();
    for n in 0..600 {
        store.clock_points(vec![point(TEST_WALL.plus_ms(n * 6_000), 0, Verdict::Ok)]);
        store.flush().await;
    }
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    let count = || db.query_row("SELECT COUNT(*) FROM clock_point", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 12, "an hour of a poll each 6 s");
    store.clock_points(vec![point(TEST_WALL.plus_ms(3_601_000), 60_000, Verdict::Blocked)]);
    store.flush().await;
    assert_eq!(count(), 13, "a change of the verdict is kept at once");
    time.advance(Duration::from_secs(31 * 86_400));
    store.clock_points(vec![point(time.now().wall, 0, Verdict::Ok)]);
    store.flush().await;
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn a_track_has_gaps_where_nothing_was_heard_and_is_quick_to_read() {
    let home = home();
    let store = home.open();
    let at = |minutes: i64| TEST_WALL.plus_ms(minutes * 60_000);
    let mut all: Vec<_> = (0..8_640).map(|n| point(at(-5 * n), n, Verdict::Ok)).collect();
    all.retain(|p| !(at(-180)..at(-60)).contains(&p.at));
    all.reverse();
    store.clock_points(all);
    store.clock_points(vec![ClockPoint { skew: None, verdict: Verdict::Unknown, ..point(at(-90), 0, Verdict::Unknown) }]);
    store.flush().await;
    let began = Instant::now();
    let track = store.clock_track(wa(), at(-24 * 60), 30 * 60_000, 48).await.unwrap();
    // A debug build on a busy machine; the release build is far below.
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(track.buckets.len(), 48);
    assert_eq!(track.buckets.iter().filter(|b| b.is_none()).count(), 4, "two hours of silence in half hours");
    assert_eq!(track.buckets[0], Some(ClockBucket { min_ms: 283, max_ms: 288, points: 6 }));
    assert_eq!(track.range(), Some((1, 288)));
    let half = track.fold(24);
    assert_eq!((half.buckets.len(), half.step_ms, half.range()), (24, 3_600_000, track.range()));
    assert_eq!(store.clock_track(GatewayId::new("other"), at(-60), 60_000, 3).await.unwrap().buckets, [None; 3]);
}

#[tokio::test]
async fn what_the_alarm_said_is_kept_once_and_stands_in_the_history() {
    let home = home();
    let store = home.open();
    store.clock_events(vec![event(Wall(10), Verdict::Unknown, Verdict::Ok)]);
    store.clock_events(vec![event(Wall(20), Verdict::Ok, Verdict::Blocked)]);
    // Another process that began later and knows nothing of it.
    store.clock_events(vec![event(Wall(30), Verdict::Unknown, Verdict::Blocked), event(Wall(40), Verdict::Unknown, Verdict::Ok)]);
    let query = HistoryQuery { clock: true, ..Default::default() };
    let lines = store.history(query.clone()).await.unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|(id, l)| match &l.what {
            HistoryWhat::Clock { from, to, cause, .. } => (id.as_str(), l.at.wall.0, *from, *to, cause.map(Cause::name)),
            other => panic!("{other:?}"),
        })
        .collect();
    let cause = Some("local_time_as_utc");
    assert_eq!(told, [("wa", 40, Verdict::Blocked, Verdict::Ok, cause), ("wa", 20, Verdict::Ok, Verdict::Blocked, cause)]);
    assert_eq!(store.history(HistoryQuery { target: Some(target("a")), ..query.clone() }).await.unwrap().len(), 2, "of its gateway");
    let (_, cursor) = store.history_after(query.clone(), Cursor::default()).await.unwrap();
    assert_eq!(store.history_after(query.clone(), cursor).await.unwrap().0.len(), 0);
    // At a limit: bad again a minute later is not told again, ten minutes later it is.
    let bad = |ms: i64| event(Wall(ms), Verdict::Unknown, Verdict::Blocked);
    store.clock_events(vec![bad(60_020), event(Wall(70_000), Verdict::Unknown, Verdict::Ok)]);
    assert_eq!(store.history_after(query.clone(), cursor).await.unwrap().0.len(), 0);
    store.clock_events(vec![bad(600_020)]);
    let (again, cursor) = store.history_after(query.clone(), cursor).await.unwrap();
    assert_eq!(again.len(), 1);
    store.clock_events(vec![event(Wall(5), Verdict::Ok, Verdict::Warn)]);
    let (new, _) = store.history_after(query, cursor).await.unwrap();
    assert_eq!(new.len(), 1, "what is new counts by when it was written, not by what a stepped clock called it");
}

#[tokio::test]
async fn a_store_of_the_version_before_opens_and_keeps_its_attempts() {
    let home = home();
    let store = home.open();
    let attempt = Attempt {
        began: at(25),
        target: target("a"),
        outcome: "linked".into(),
        verdict: Verdict::Ok,
        overridden: false,
        skew_ms: None,
        offers: 1,
        discarded: 0,
        took_s: 4,
        issued: Vec::new(),
    };
    store.attempt(attempt).await.unwrap();
    store.close();
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    let old = "DROP TABLE clock_point; DROP TABLE clock_event; DROP TABLE offer; PRAGMA user_version = 1;
        DROP TABLE token; DROP TABLE token_fetch; DROP TABLE shared_state; DROP TRIGGER audit_adds;
        CREATE TABLE clock_sample (id INTEGER PRIMARY KEY, wall INTEGER NOT NULL, gateway TEXT, body TEXT NOT NULL);";
    db.execute_batch(old).unwrap();
    drop(db);
    let store = home.open();
    let lines = store.history(HistoryQuery { pairing: true, ..Default::default() }).await.unwrap();
    assert!(matches!(&lines[0].1.what, HistoryWhat::Pairing { offers: 1, issued, .. } if issued.is_empty()), "{lines:?}");
}
