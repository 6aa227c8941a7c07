//! What happened: state changes, pairing attempts, the append-only audit.

use super::{
    Attempt, Audit, Change, Cursor, HistoryQuery, OfferLine, OfferOutcome, PairingCount, StoreError, clock,
    thread::{Db, Tools},
};
use crate::{
    clock::Verdict,
    domain::{Clean, Stamp, State, Wall},
    engine::mailbox::{HistoryLine, HistoryWhat},
};
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// Lines given when no limit was asked for.
const LIMIT: usize = 1_000;

pub(super) fn write(tx: &Transaction<'_>, t: &Tools<'_>, changes: &[Change]) -> Result<(), StoreError> {
    let go = || -> rusqlite::Result<()> {
        let mut put = tx.prepare_cached("INSERT INTO change (wall, at, target, was, now, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for c in changes {
            let reason = c.reason.as_ref().map(text);
            put.execute(params![c.at.wall.0, text(&c.at), c.target.id(), c.from.name(), c.to.name(), reason])?;
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
        tx.execute(sql, values).map_err(|e| t.explain(e))?;
        let id = tx.last_insert_rowid();
        let go = || -> rusqlite::Result<()> {
            let mut put = tx.prepare_cached("INSERT INTO offer (attempt, n, issued, verdict, outcome) VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for o in &a.issued {
                put.execute(params![id, o.n, o.issued.0, o.verdict.name(), o.outcome.name()])?;
            }
            Ok(())
        };
        go().map_err(|e| t.explain(e))
    })
}

pub(super) fn audit(db: &mut Db, a: &Audit) -> Result<(), StoreError> {
    // A copy from before it lacks the line: it must be found to be older.
    db.vault_tx(|tx, t| append_audit(tx, a).and_then(|()| super::mark::step(tx)).map_err(|e| t.explain(e)))
}

/// One line of the audit, on a connection that nothing else uses.
pub(super) fn append_audit(db: &rusqlite::Connection, a: &Audit) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (wall, at, who, pid, target, action, verdict, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let verdict = a.verdict.as_ref().map(text);
    db.execute(sql, params![a.at.wall.0, text(&a.at), a.who.as_str(), a.pid, a.target, a.action, verdict, a.outcome]).map(|_| ())
}

type Line = fn(&Row<'_>) -> rusqlite::Result<HistoryLine>;

/// Lines with the target's id, newest first, of what was written after `cursor`; and the cursor behind them.
pub(super) fn query(db: &mut Db, q: &HistoryQuery, cursor: Cursor) -> Result<(Vec<(String, HistoryLine)>, Cursor), StoreError> {
    let all = !q.pairing && !q.audit;
    let limit = if q.limit == 0 { LIMIT } else { q.limit };
    let target = q.target.as_ref().map(crate::domain::Target::id);
    let gateway = q.target.as_ref().map(|t| t.gateway.as_str().to_owned());
    let mut lines: Vec<(i64, String, HistoryLine)> = Vec::new();
    let mut next = cursor;
    db.vault_tx(|tx, t| {
        let mut read = |sql: &str, of: (&str, &Option<String>), after: &mut i64, line: Line| -> rusqlite::Result<()> {
            let (key, value) = of;
            let sql = format!("{sql} WHERE id > ?4 AND (?1 IS NULL OR {key} = ?1) AND wall >= ?2 ORDER BY wall DESC, id DESC LIMIT ?3");
            let mut found = tx.prepare(&sql)?;
            let values = params![value, q.since.unwrap_or(i64::MIN), i64::try_from(limit).unwrap_or(i64::MAX), *after];
            for row in found.query_map(values, |r| Ok((r.get(0)?, r.get(1)?, line(r)?)))? {
                match row {
                    Ok(line) => lines.push(line),
                    // Nothing of an edited row can be read; the others can.
                    Err(e) if is_odd(&e) => {}
                    Err(e) => return Err(e),
                }
            }
            let table = sql.rsplit_once(" FROM ").and_then(|(_, t)| t.split_whitespace().next()).unwrap_or_default().to_owned();
            *after = tx.query_row(&format!("SELECT COALESCE(MAX(id), 0) FROM {table}"), [], |r| r.get(0))?;
            Ok(())
        };
        let mut go = || -> rusqlite::Result<()> {
            let of = ("target", &target);
            if all {
                read("SELECT wall, target, at, was, now, reason FROM change", of, &mut next.change, change_line)?;
            }
            if all || q.pairing {
                let sql = "SELECT wall, target, at, outcome, verdict, overridden, discarded, took_s, skew_ms, offers,
                    (SELECT json_group_array(json_array(n, issued, verdict, outcome)) FROM offer WHERE offer.attempt = attempt.id) FROM attempt";
                read(sql, of, &mut next.attempt, attempt_line)?;
            }
            if all || q.audit {
                read("SELECT wall, target, at, who, action, outcome, pid, verdict FROM audit", of, &mut next.audit, audit_line)?;
            }
            if q.clock {
                let sql = "SELECT wall, gateway, at, was, now, lo, hi, cause FROM clock_event";
                read(sql, ("gateway", &gateway), &mut next.clock, clock::event_line)?;
            }
            Ok(())
        };
        go().map_err(|e| t.explain(e))
    })?;
    lines.sort_by_key(|l| std::cmp::Reverse(l.0));
    lines.truncate(limit);
    Ok((lines.into_iter().map(|(_, target, line)| (target, line)).collect(), next))
}

/// Attempts by how they began and how they ended, whatever the limit.
pub(super) fn counts(db: &mut Db, q: &HistoryQuery) -> Result<Vec<PairingCount>, StoreError> {
    let target = q.target.as_ref().map(crate::domain::Target::id);
    db.vault_tx(|tx, t| {
        let go = || -> rusqlite::Result<Vec<PairingCount>> {
            let sql = "SELECT verdict, overridden, outcome, COUNT(*) FROM attempt WHERE (?1 IS NULL OR target = ?1) AND wall >= ?2
                GROUP BY verdict, overridden, outcome ORDER BY COUNT(*) DESC, outcome";
            let mut found = tx.prepare(sql)?;
            let count = |r: &Row<'_>| -> rusqlite::Result<PairingCount> {
                let n = u64::try_from(r.get::<_, i64>(3)?).unwrap_or(0);
                Ok(PairingCount { verdict: json(r, 0).unwrap_or(Verdict::Unknown), overridden: r.get(1).unwrap_or(false), outcome: clean(r, 2)?, n })
            };
            found.query_map(params![target, q.since.unwrap_or(i64::MIN)], count)?.collect()
        };
        go().map_err(|e| t.explain(e))
    })
}

fn change_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let reason: Option<String> = r.get(5).unwrap_or(None);
    let what = HistoryWhat::Change {
        from: state(r.get_ref(3)?.as_str().unwrap_or_default()),
        to: state(r.get_ref(4)?.as_str().unwrap_or_default()),
        reason: reason.and_then(|t| serde_json::from_str(&t).ok()),
    };
    Ok(HistoryLine { at: when(r)?, what })
}

fn attempt_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let what = HistoryWhat::Pairing {
        outcome: clean(r, 3)?,
        verdict: json(r, 4).unwrap_or(Verdict::Unknown),
        overridden: r.get(5)?,
        discarded: r.get(6)?,
        took_s: u64::try_from(r.get::<_, i64>(7)?).unwrap_or(0),
        skew_ms: r.get(8)?,
        offers: r.get(9)?,
        issued: offers(r.get_ref(10)?.as_str().unwrap_or_default()),
    };
    Ok(HistoryLine { at: when(r)?, what })
}

/// The Offers of an attempt, in the order in which they came. What is not understood is left out.
fn offers(text: &str) -> Vec<OfferLine> {
    let all: Vec<(u32, i64, String, String)> = serde_json::from_str(text).unwrap_or_default();
    let one = |(n, issued, verdict, outcome): (u32, i64, String, String)| {
        Some(OfferLine { n, issued: Wall(issued), verdict: clock::named(&verdict), outcome: OfferOutcome::named(&outcome)? })
    };
    let mut all: Vec<OfferLine> = all.into_iter().filter_map(one).collect();
    all.sort_by_key(|o| (o.issued, o.n));
    all
}

fn audit_line(r: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let verdict: Option<String> = r.get(7).unwrap_or(None);
    let what = HistoryWhat::Audit {
        who: clean(r, 3)?,
        pid: r.get(6).unwrap_or(0),
        action: clean(r, 4)?,
        verdict: verdict.and_then(|v| serde_json::from_str(&v).ok()),
        outcome: clean(r, 5)?,
    };
    Ok(HistoryLine { at: when(r)?, what })
}

/// When it was: column 2, or what column 0 tells of it where somebody edited the row. A line of the audit is shown whatever became of it.
pub(super) fn when(r: &Row<'_>) -> rusqlite::Result<Stamp> {
    let wall: i64 = r.get(0)?;
    Ok(json(r, 2).unwrap_or(Stamp::wall_only(Wall(wall))))
}

/// True for a value of another kind than was written there.
fn is_odd(e: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(e, E::FromSqlConversionFailure(..) | E::InvalidColumnType(..) | E::IntegralValueOutOfRange(..) | E::Utf8Error(..))
}

/// Cleaned again: a store that somebody edited is foreign text too.
fn clean(r: &Row<'_>, column: usize) -> rusqlite::Result<Clean> {
    Ok(Clean::long(r.get_ref(column)?.as_str().unwrap_or("?")))
}

fn state(name: &str) -> State {
    State::ALL.into_iter().find(|s| s.name() == name).unwrap_or(State::Unknown)
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn json<T: for<'de> Deserialize<'de>>(r: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = r.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}
