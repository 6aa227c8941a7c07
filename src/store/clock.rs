//! Numbers of the clocks: an offset history per gateway that cannot grow without bound, and what the alarm said.

use super::{
    StoreError,
    thread::{Db, Tools},
};
use crate::{
    clock::{Verdict, sample::Interval, verdict::Cause},
    domain::{GatewayId, Stamp, Wall},
    engine::mailbox::{HistoryLine, HistoryWhat},
};
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// The same bad news is not told again so soon (ms), unless the skew is more than twice as large.
const QUIET_MS: u64 = 10 * 60_000;
/// Points are evidence, not history: older ones go (ms).
const KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Between two points of one gateway that tell the same verdict lies at least this much (ms), whoever measured: 288 a day.
pub const APART_MS: i64 = 5 * 60_000;

/// One point of a gateway's offset history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockPoint {
    /// The gateway.
    pub gateway: GatewayId,
    /// When, by this host's clock.
    pub at: Wall,
    /// Gateway minus host; `None`: nothing usable was heard.
    pub skew: Option<Interval>,
    /// What the gate concluded.
    pub verdict: Verdict,
}

/// A verdict that turned bad, or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockEvent {
    /// When.
    pub at: Stamp,
    /// The gateway.
    pub gateway: GatewayId,
    /// What was said before.
    pub from: Verdict,
    /// What is so now.
    pub to: Verdict,
    /// Gateway minus host, where known.
    pub skew: Option<Interval>,
    /// Why, where it is not well.
    pub cause: Option<Cause>,
}

impl ClockEvent {
    /// True for a clock that was found well by somebody who knew nothing of it: news only to a store that remembers it bad.
    pub fn is_no_news(&self) -> bool {
        (self.from, self.to) == (Verdict::Unknown, Verdict::Ok)
    }
    /// By how much it is off at the least, in milliseconds.
    fn surely(&self) -> i64 {
        self.skew.as_ref().map_or(0, Interval::min_abs)
    }
}

/// What one stretch of time held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockBucket {
    /// Smallest offset (middle of an interval) in milliseconds.
    pub min_ms: i64,
    /// Largest offset in milliseconds.
    pub max_ms: i64,
    /// Points that it joins.
    pub points: u32,
}

/// The offsets of one gateway in equal stretches, oldest first: what a sparkline draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockTrack {
    /// Where the first stretch begins.
    pub since: Wall,
    /// Length of a stretch in milliseconds.
    pub step_ms: i64,
    /// The stretches; `None` where nothing usable was heard.
    pub buckets: Vec<Option<ClockBucket>>,
}

impl ClockTrack {
    /// Smallest and largest offset of all; `None` when nothing was heard.
    pub fn range(&self) -> Option<(i64, i64)> {
        let heard = || self.buckets.iter().flatten();
        Some((heard().map(|b| b.min_ms).min()?, heard().map(|b| b.max_ms).max()?))
    }

    /// The same in fewer, longer stretches, for a narrow screen.
    #[must_use]
    pub fn fold(&self, most: usize) -> Self {
        let by = self.buckets.len().div_ceil(most.max(1)).max(1);
        let join = |part: &[Option<ClockBucket>]| {
            part.iter().flatten().copied().reduce(|a, b| ClockBucket {
                min_ms: a.min_ms.min(b.min_ms),
                max_ms: a.max_ms.max(b.max_ms),
                points: a.points.saturating_add(b.points),
            })
        };
        let step_ms = self.step_ms.saturating_mul(i64::try_from(by).unwrap_or(1));
        Self { since: self.since, step_ms, buckets: self.buckets.chunks(by).map(join).collect() }
    }
}

/// Writes what gathered. A point that says nothing new and lies too close to the last one is dropped: a script that asks each
/// second, or three processes at once, fill the store no faster than one deck.
pub(super) fn write(tx: &Transaction<'_>, t: &Tools<'_>, points: &[ClockPoint], events: &[ClockEvent]) -> Result<(), StoreError> {
    let go = || -> rusqlite::Result<()> {
        let mut last = tx.prepare_cached("SELECT wall, verdict FROM clock_point WHERE gateway = ?1 ORDER BY wall DESC LIMIT 1")?;
        let mut put = tx.prepare_cached("INSERT OR REPLACE INTO clock_point (gateway, wall, lo, hi, verdict) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut old = tx.prepare_cached("DELETE FROM clock_point WHERE gateway = ?1 AND wall < ?2")?;
        for p in points {
            let gateway = p.gateway.as_str();
            let before = last.query_row([gateway], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?))).optional()?;
            if before.is_some_and(|(wall, verdict)| verdict == p.verdict.name() && p.at.0.abs_diff(wall) < APART_MS.unsigned_abs()) {
                continue;
            }
            put.execute(params![gateway, p.at.0, p.skew.map(|i| i.lo_ms), p.skew.map(|i| i.hi_ms), p.verdict.name()])?;
            old.execute(params![gateway, t.time.now().wall.0.saturating_sub(KEPT_MS)])?;
        }
        let mut said = tx.prepare_cached("SELECT now FROM clock_event WHERE gateway = ?1 ORDER BY id DESC LIMIT 1")?;
        let mut put =
            tx.prepare_cached("INSERT INTO clock_event (wall, at, gateway, was, now, lo, hi, cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for e in events {
            // Several processes hear the same clock; a script's every run begins without knowing. Hooks are told once.
            let before: Option<String> = said.query_row([e.gateway.as_str()], |r| r.get(0)).optional()?;
            let same = before.as_deref() == Some(e.to.name()) && e.from != e.to;
            let well = before.is_none() && e.to == Verdict::Ok;
            if same || well || (e.to != Verdict::Ok && lately(tx, e)?) {
                continue;
            }
            let (lo, hi) = (e.skew.map(|i| i.lo_ms), e.skew.map(|i| i.hi_ms));
            let was = before.unwrap_or_else(|| e.from.name().to_owned());
            let cause = e.cause.and_then(|c| serde_json::to_string(&c).ok());
            let at = serde_json::to_string(&e.at).unwrap_or_default();
            put.execute(params![e.at.wall.0, at, e.gateway.as_str(), was, e.to.name(), lo, hi, cause])?;
        }
        Ok(())
    };
    go().map_err(|e| t.explain(e))
}

/// True when news as bad as this was told a moment ago: a script that asks each minute has no memory of its own.
fn lately(tx: &Transaction<'_>, e: &ClockEvent) -> rusqlite::Result<bool> {
    let sql = "SELECT wall, lo, hi FROM clock_event WHERE gateway = ?1 AND now = ?2 ORDER BY id DESC LIMIT 1";
    let one = |r: &Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<i64>>(1)?, r.get::<_, Option<i64>>(2)?));
    let Some((wall, lo, hi)) = tx.query_row(sql, params![e.gateway.as_str(), e.to.name()], one).optional()? else { return Ok(false) };
    let then = lo.zip(hi).map_or(0, |(lo_ms, hi_ms)| Interval { lo_ms, hi_ms }.min_abs());
    Ok(e.at.wall.0.abs_diff(wall) < QUIET_MS && e.surely() <= then.max(1000).saturating_mul(2))
}

/// The offsets of a gateway from `since` on, in `count` stretches of `step_ms`.
pub(super) fn track(db: &mut Db, gateway: &GatewayId, since: Wall, step_ms: i64, count: usize) -> Result<ClockTrack, StoreError> {
    let (step_ms, mut buckets) = (step_ms.max(1), vec![None; count]);
    let end = since.0.saturating_add(step_ms.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)));
    let path = db.path.clone();
    let conn = db.vault_db()?;
    let mut go = || -> rusqlite::Result<()> {
        // An open interval (`hi` without a bound) has its known end for a middle.
        let sql = "SELECT (wall - ?2) / ?4, MIN(mid), MAX(mid), COUNT(*) FROM (
                SELECT wall, CASE WHEN hi = 9223372036854775807 THEN lo ELSE lo + (hi - lo) / 2 END AS mid
                FROM clock_point WHERE gateway = ?1 AND wall >= ?2 AND wall < ?3 AND lo IS NOT NULL) GROUP BY 1";
        let mut found = conn.prepare_cached(sql)?;
        let mut rows = found.query(params![gateway.as_str(), since.0, end, step_ms])?;
        while let Some(r) = rows.next()? {
            let at = usize::try_from(r.get::<_, i64>(0)?).unwrap_or(usize::MAX);
            if let Some(slot) = buckets.get_mut(at) {
                *slot = Some(ClockBucket { min_ms: r.get(1)?, max_ms: r.get(2)?, points: r.get(3)? });
            }
        }
        Ok(())
    };
    go().map_err(|e| super::schema::explain(&path, &e))?;
    Ok(ClockTrack { since, step_ms, buckets })
}

/// A row of `clock_event` as a line of the history: columns from 2 on are `at, was, now, lo, hi, cause`.
pub(super) fn event_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let verdict = |column| -> rusqlite::Result<Verdict> { Ok(named(r.get_ref(column)?.as_str().unwrap_or_default())) };
    let skew = match (r.get(5).unwrap_or(None), r.get(6).unwrap_or(None)) {
        (Some(lo), Some(hi)) => Some(Interval { lo_ms: lo, hi_ms: hi }),
        _ => None,
    };
    let cause: Option<String> = r.get(7).unwrap_or(None);
    let cause = cause.and_then(|c| serde_json::from_str(&c).ok());
    Ok(HistoryLine { at: super::history::when(r)?, what: HistoryWhat::Clock { from: verdict(3)?, to: verdict(4)?, skew, cause } })
}

/// The verdict of that name; a name from elsewhere is `unknown`.
pub(super) fn named(name: &str) -> Verdict {
    [Verdict::Ok, Verdict::Warn, Verdict::Blocked].into_iter().find(|v| v.name() == name).unwrap_or(Verdict::Unknown)
}
