//! What happened: state changes, pairing attempts, the append-only audit, clock samples.

use super::{
    Attempt, Audit, Change, HistoryQuery, StoreError,
    thread::{Db, Tools},
};
use crate::{
    clock::{Verdict, sample::Sample},
    domain::{Clean, GatewayId, State},
    engine::mailbox::{HistoryLine, HistoryWhat},
};
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// Clock samples are evidence, not history: older ones go (ms).
const SAMPLES_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Lines given when no limit was asked for.
const LIMIT: usize = 1_000;

pub(super) fn write(tx: &Transaction<'_>, t: &Tools<'_>, changes: &[Change], samples: &[Sample]) -> Result<(), StoreError> {
    let go = || -> rusqlite::Result<()> {
        let mut put = tx.prepare_cached("INSERT INTO change (wall, at, target, was, now, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for c in changes {
            let reason = c.reason.as_ref().map(text);
            put.execute(params![c.at.wall.0, text(&c.at), c.target.id(), c.from.name(), c.to.name(), reason])?;
        }
        let mut put = tx.prepare_cached("INSERT INTO clock_sample (wall, gateway, body) VALUES (?1, ?2, ?3)")?;
        for s in samples {
            put.execute(params![s.at.wall.0, s.gateway.as_ref().map(GatewayId::as_str), text(s)])?;
        }
        if !samples.is_empty() {
            tx.execute("DELETE FROM clock_sample WHERE wall < ?1", [t.time.now().wall.0.saturating_sub(SAMPLES_KEPT_MS)])?;
        }
        Ok(())
    };
    go().map_err(|e| t.explain(e))
}

pub(super) fn attempt(db: &mut Db, a: &Attempt) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "INSERT INTO attempt (wall, at, target, outcome, verdict, overridden, skew_ms, offers, discarded, took_s)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let took = i64::try_from(a.took_s).unwrap_or(i64::MAX);
        let values =
            params![a.began.wall.0, text(&a.began), a.target.id(), a.outcome, text(&a.verdict), a.overridden, a.skew_ms, a.offers, a.discarded, took];
        tx.execute(sql, values).map(|_| ()).map_err(|e| t.explain(e))
    })
}

pub(super) fn audit(db: &mut Db, a: &Audit) -> Result<(), StoreError> {
    db.vault_tx(|tx, t| {
        let sql = "INSERT INTO audit (wall, at, who, pid, target, action, verdict, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let verdict = a.verdict.as_ref().map(text);
        tx.execute(sql, params![a.at.wall.0, text(&a.at), a.who.as_str(), a.pid, a.target, a.action, verdict, a.outcome])
            .map(|_| ())
            .map_err(|e| t.explain(e))
    })
}

/// Lines with the target's id, newest first.
pub(super) fn query(db: &mut Db, q: &HistoryQuery) -> Result<Vec<(String, HistoryLine)>, StoreError> {
    let all = !q.pairing && !q.audit;
    let limit = if q.limit == 0 { LIMIT } else { q.limit };
    let target = q.target.as_ref().map(crate::domain::Target::id);
    let mut lines: Vec<(i64, String, HistoryLine)> = Vec::new();
    db.vault_tx(|tx, t| {
        let mut read = |sql: &str, line: fn(&Row<'_>) -> rusqlite::Result<HistoryLine>| -> rusqlite::Result<()> {
            let sql = format!("{sql} WHERE (?1 IS NULL OR target = ?1) AND wall >= ?2 ORDER BY wall DESC, id DESC LIMIT ?3");
            let mut found = tx.prepare(&sql)?;
            let values = params![target, q.since.unwrap_or(i64::MIN), i64::try_from(limit).unwrap_or(i64::MAX)];
            for row in found.query_map(values, |r| Ok((r.get(0)?, r.get(1)?, line(r)?)))? {
                lines.push(row?);
            }
            Ok(())
        };
        if all {
            read("SELECT wall, target, at, was, now, reason FROM change", change_line).map_err(|e| t.explain(e))?;
        }
        if all || q.pairing {
            read("SELECT wall, target, at, outcome, verdict, overridden, discarded, took_s FROM attempt", attempt_line).map_err(|e| t.explain(e))?;
        }
        if all || q.audit {
            read("SELECT wall, target, at, who, action, outcome FROM audit", audit_line).map_err(|e| t.explain(e))?;
        }
        Ok(())
    })?;
    lines.sort_by_key(|l| std::cmp::Reverse(l.0));
    lines.truncate(limit);
    Ok(lines.into_iter().map(|(_, target, line)| (target, line)).collect())
}

/// Clock samples since `since` (wall ms), oldest first.
pub(super) fn samples(db: &mut Db, gateway: Option<&GatewayId>, since: i64) -> Result<Vec<Sample>, StoreError> {
    db.vault_tx(|tx, t| {
        let go = || -> rusqlite::Result<Vec<Sample>> {
            let mut all = tx.prepare("SELECT body FROM clock_sample WHERE wall >= ?1 AND (?2 IS NULL OR gateway = ?2) ORDER BY id")?;
            let found = all.query_map(params![since, gateway.map(GatewayId::as_str)], |r| r.get::<_, String>(0))?;
            found.map(|b| b.map(|b| serde_json::from_str(&b).ok())).filter_map(Result::transpose).collect()
        };
        go().map_err(|e| t.explain(e))
    })
}

fn change_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let reason: Option<String> = r.get(5)?;
    let what = HistoryWhat::Change {
        from: state(&r.get::<_, String>(3)?),
        to: state(&r.get::<_, String>(4)?),
        reason: reason.and_then(|t| serde_json::from_str(&t).ok()),
    };
    Ok(HistoryLine { at: json(r, 2)?, what })
}

fn attempt_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let what = HistoryWhat::Pairing {
        outcome: clean(r, 3)?,
        verdict: json::<Verdict>(r, 4)?,
        overridden: r.get(5)?,
        discarded: r.get(6)?,
        took_s: u64::try_from(r.get::<_, i64>(7)?).unwrap_or(0),
    };
    Ok(HistoryLine { at: json(r, 2)?, what })
}

fn audit_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    Ok(HistoryLine { at: json(r, 2)?, what: HistoryWhat::Audit { who: clean(r, 3)?, action: clean(r, 4)?, outcome: clean(r, 5)? } })
}

/// Cleaned again: a store that somebody edited is foreign text too.
fn clean(r: &Row<'_>, column: usize) -> rusqlite::Result<Clean> {
    Ok(Clean::long(r.get_ref(column)?.as_str()?))
}

fn state(name: &str) -> State {
    State::ALL.into_iter().find(|s| s.name() == name).unwrap_or(State::Unknown)
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn json<T: for<'de> Deserialize<'de>>(r: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = r.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}
