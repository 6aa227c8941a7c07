//! The journal of ops: claims, plans, steps. Every call is one commit with `synchronous=FULL`; a process killed between two
//! of them leaves a journal that tells exactly which step was next or in flight.

use super::{
    Audit, NewOp, StoreError, history, locks, mark, secrets,
    thread::{Db, Tools},
};
use crate::{
    domain::{Action, GatewayId, Op, OpPhase, Plan, Reason, RemoteId, Secrets, Stamp, Step, Target, Wall},
    i18n::{Message, store as words},
    vault::Place,
};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// A plan's part in clear.
#[derive(Serialize, Deserialize)]
struct StoredPlan {
    v: u16,
    steps: Vec<Step>,
    pivot: usize,
    loses: Vec<Message>,
    clear: serde_json::Value,
}

const COLUMNS: &str = "id, action, target, phase, step, begun, owner, at, plan, gen, sealed, reason, gateway, account";
const OPEN: &str = "phase IN ('armed', 'planning', 'running', 'asking', 'back')";

/// An op's row before its sealed part is opened.
struct Raw {
    op: Op,
    plan: Option<StoredPlan>,
    generation: i64,
    sealed: Option<Vec<u8>>,
    /// Some of it cannot be read.
    torn: bool,
}

fn json<T: for<'de> Deserialize<'de>>(r: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = r.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}

fn optional<T: for<'de> Deserialize<'de>>(r: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    if r.get_ref(column)? == rusqlite::types::ValueRef::Null { Ok(None) } else { json(r, column).map(Some) }
}

fn raw(r: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut torn = false;
    let phase: String = or(r.get(3), String::new(), &mut torn);
    let owner: String = or(r.get(6), String::new(), &mut torn);
    let columns: (String, String) = (or(r.get(12), String::new(), &mut torn), or(r.get(13), String::new(), &mut torn));
    let account = Target::account(&GatewayId::new(&columns.0), &RemoteId::new(&columns.1));
    let op = Op {
        id: r.get(0)?,
        action: or(json::<Action>(r, 1), Action::from_name("?"), &mut torn),
        target: or(json::<Target>(r, 2), account, &mut torn),
        // A phase of a newer build: what the remote did is not known to this one.
        phase: OpPhase::from_name(&phase).unwrap_or(OpPhase::Ambiguous),
        step: usize::try_from(or(r.get::<_, i64>(4), 0, &mut torn)).unwrap_or(0),
        begun: or(r.get(5), true, &mut torn),
        owner: owner.into(),
        at: or(json(r, 7), Stamp::wall_only(Wall(0)), &mut torn),
        plan: None,
        reason: or(optional(r, 11), None, &mut torn),
    };
    let plan = or(optional(r, 8), None, &mut torn);
    let (generation, sealed) = (or(r.get(9), 0, &mut torn), or(r.get(10), None, &mut torn));
    Ok(Raw { op, plan, generation, sealed, torn })
}

/// A value, or what stands for one that somebody edited. Such a row is shown, so that it can be decided on, and never acted upon.
fn or<T>(read: rusqlite::Result<T>, otherwise: T, torn: &mut bool) -> T {
    read.unwrap_or_else(|_| {
        *torn = true;
        otherwise
    })
}

fn place(id: &str, generation: i64) -> Place<'_> {
    Place { table: "op", id, column: "sealed", generation }
}

/// Opens the sealed part. While the vault is locked the op comes without a plan rather than with half of one.
fn whole(tx: &Transaction<'_>, raw: Raw, t: &Tools<'_>) -> Result<Op, StoreError> {
    let Raw { mut op, plan, generation, sealed, torn } = raw;
    if torn {
        return Err(StoreError::said(Message::new(&words::SEAL_BROKEN).with("what", format!("op {}", op.id))));
    }
    let Some(plan) = plan else { return Ok(op) };
    let sealed = match sealed {
        None => Secrets::new(),
        Some(blob) => match secrets::unseal(tx, t, &place(&op.id.to_string(), generation), &blob) {
            Ok(plain) => secrets::unpack(&plain),
            Err(StoreError::Locked) => return Ok(op),
            Err(e) => return Err(e),
        },
    };
    let StoredPlan { v, steps, pivot, loses, clear } = plan;
    op.plan = Some(Plan { v, action: op.action.clone(), target: op.target.clone(), steps, pivot, loses, clear, sealed });
    Ok(op)
}

fn find(tx: &Transaction<'_>, t: &Tools<'_>, id: i64) -> Result<Option<Raw>, StoreError> {
    tx.query_row(&format!("SELECT {COLUMNS} FROM op WHERE id = ?1"), [id], raw).optional().map_err(|e| t.explain(e))
}

fn list(tx: &Transaction<'_>, t: &Tools<'_>, condition: &str) -> Result<Vec<Raw>, StoreError> {
    let mut all = tx.prepare(&format!("SELECT {COLUMNS} FROM op WHERE {condition} ORDER BY id")).map_err(|e| t.explain(e))?;
    let found = all.query_map([], raw).map_err(|e| t.explain(e))?;
    found.collect::<rusqlite::Result<_>>().map_err(|e| t.explain(e))
}

/// An op that nobody owns any more and that had sent nothing: it never happened.
fn never_happened(op: &Op, t: &Tools<'_>) -> bool {
    matches!(op.phase, OpPhase::Armed | OpPhase::Planning) && !locks::owner_lives(t.locks, &op.owner)
}

fn cancel(tx: &Transaction<'_>, t: &Tools<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE op SET phase = 'cancelled', ended = ?2, sealed = NULL WHERE id = ?1", params![id, t.time.now().wall.0])
        .map(|_| ())
        .map_err(|e| t.explain(e))
}

pub(super) fn arm(db: &mut Db, new: &NewOp) -> Result<i64, StoreError> {
    db.journal_tx(|tx, t| {
        let (gateway, account) = (new.target.gateway.as_str(), new.target.account.as_str());
        let sql = format!("SELECT {COLUMNS} FROM op WHERE gateway = ?1 AND account = ?2 AND {OPEN}");
        let claimed = tx.query_row(&sql, [gateway, account], raw).optional().map_err(|e| t.explain(e))?;
        if let Some(raw) = claimed {
            if raw.torn || !never_happened(&raw.op, t) {
                return Err(StoreError::Busy(Box::new(raw.op)));
            }
            cancel(tx, t, raw.op.id)?;
        }
        tx.execute(
            "INSERT INTO op (gateway, account, target, action, phase, owner, at) VALUES (?1, ?2, ?3, ?4, 'armed', ?5, ?6)",
            params![gateway, account, text(&new.target)?, text(&new.action)?, new.owner, text(&new.at)?],
        )
        .map_err(|e| t.explain(e))?;
        Ok(tx.last_insert_rowid())
    })
}

pub(super) fn plan(db: &mut Db, id: i64, plan: &Plan, step: usize) -> Result<(), StoreError> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    db.journal_tx(|tx, t| {
        let old = find(tx, t, id)?.ok_or_else(gone)?;
        let stored = StoredPlan { v: plan.v, steps: plan.steps.clone(), pivot: plan.pivot, loses: plan.loses.clone(), clear: plan.clear.clone() };
        let (generation, blob) = seal_all(tx, t, id, old.generation, &plan.sealed)?;
        let sql =
            format!("UPDATE op SET plan = ?2, gen = ?3, sealed = ?4, target = ?5, phase = 'running', step = ?6, begun = 0, reason = NULL WHERE id = ?1 AND {OPEN}");
        one(tx.execute(&sql, params![id, text(&stored)?, generation, blob, text(&plan.target)?, step]), t)
    })
}

/// Seals all secrets of an op under its next generation; none at all need no vault.
fn seal_all(tx: &Transaction<'_>, t: &Tools<'_>, id: i64, old: i64, sealed: &Secrets) -> Result<(i64, Option<Vec<u8>>), StoreError> {
    let generation = old.wrapping_add(1);
    if sealed.is_empty() {
        return Ok((generation, None));
    }
    let (blob, _) = secrets::seal(tx, t, &place(&id.to_string(), generation), &secrets::pack(sealed))?;
    Ok((generation, Some(blob)))
}

/// From now on an end of its owner is told for this reason: the op has no plan that could be gone on with.
pub(super) fn stake(db: &mut Db, id: i64, why: &Reason) -> Result<(), StoreError> {
    let why = text(why)?;
    let sql = format!("UPDATE op SET phase = 'running', reason = ?2 WHERE id = ?1 AND plan IS NULL AND {OPEN}");
    db.journal_tx(|tx, t| one(tx.execute(&sql, params![id, why]), t))
}

pub(super) fn step(db: &mut Db, id: i64, step: usize, begun: bool) -> Result<(), StoreError> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let sql = format!("UPDATE op SET step = ?2, begun = ?3 WHERE id = ?1 AND {OPEN}");
    db.journal_tx(|tx, t| one(tx.execute(&sql, params![id, step, begun]), t))
}

pub(super) fn merge(db: &mut Db, id: i64, clear: serde_json::Value, new: Secrets) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        let raw = find(tx, t, id)?.ok_or_else(gone)?;
        let mut stored = raw.plan.ok_or_else(gone)?;
        if let serde_json::Value::Object(more) = clear {
            match &mut stored.clear {
                serde_json::Value::Object(old) => old.extend(more),
                old => *old = serde_json::Value::Object(more),
            }
        }
        if new.is_empty() {
            return one(tx.execute("UPDATE op SET plan = ?2 WHERE id = ?1", params![id, text(&stored)?]), t);
        }
        let mut all = match raw.sealed {
            Some(blob) => secrets::unpack(&secrets::unseal(tx, t, &place(&id.to_string(), raw.generation), &blob)?),
            None => Secrets::new(),
        };
        all.extend(new);
        let (generation, blob) = seal_all(tx, t, id, raw.generation, &all)?;
        one(tx.execute("UPDATE op SET plan = ?2, gen = ?3, sealed = ?4 WHERE id = ?1", params![id, text(&stored)?, generation, blob]), t)
    })
}

pub(super) fn phase(db: &mut Db, id: i64, phase: OpPhase) -> Result<(), StoreError> {
    let sql = format!("UPDATE op SET phase = ?2 WHERE id = ?1 AND {OPEN}");
    db.journal_tx(|tx, t| one(tx.execute(&sql, params![id, phase.name()]), t))
}

pub(super) fn end(db: &mut Db, id: i64, phase: OpPhase, reason: Option<&Reason>, line: Option<&Audit>) -> Result<(), StoreError> {
    // Ambiguous and owed ops still need what only the journal knows (a token that the remote may have by now).
    let keep = matches!(phase, OpPhase::Ambiguous | OpPhase::Owed);
    let reason = reason.map(text).transpose()?;
    db.journal_tx(|tx, t| {
        let sql = "UPDATE op SET phase = ?2, reason = ?3, ended = ?4, sealed = CASE WHEN ?5 THEN sealed END WHERE id = ?1";
        one(tx.execute(sql, params![id, phase.name(), reason, t.time.now().wall.0, keep]), t)?;
        if let Some(line) = line {
            history::append_audit(tx, line).map_err(|e| t.explain(e))?;
        }
        // A copy from before it would do it once more, to whatever stands there by then.
        mark::step(tx).map_err(|e| t.explain(e))?;
        if phase == OpPhase::Done { settle(tx, t, id) } else { Ok(()) }
    })
}

/// Closes one that was left open and that a person wants no more of, with its line in the audit. Needs nothing of its sealed part, which is
/// erased: a row whose seal is broken can be got rid of in no other way.
pub(super) fn dismiss(db: &mut Db, id: i64, line: &Audit) -> Result<(), StoreError> {
    db.journal_tx(|tx, t| {
        let raw = find(tx, t, id)?.ok_or_else(gone)?;
        let open = raw.op.phase.open();
        if !open && raw.op.phase != OpPhase::Ambiguous {
            return Err(gone());
        }
        // Of an open one whose owner lives it is for that one to say how it ends.
        if open && locks::owner_lives(t.locks, &raw.op.owner) {
            return Err(StoreError::Busy(Box::new(raw.op)));
        }
        let sql = "UPDATE op SET phase = 'failed', ended = ?2, sealed = NULL WHERE id = ?1";
        one(tx.execute(sql, params![id, t.time.now().wall.0]), t)?;
        history::append_audit(tx, line).map_err(|e| t.explain(e))?;
        mark::step(tx).map_err(|e| t.explain(e))
    })
}

/// One op as far as it is written in clear.
pub(super) fn bare(db: &mut Db, id: i64) -> Result<Option<Op>, StoreError> {
    db.vault_tx(|tx, t| Ok(find(tx, t, id)?.map(|raw| raw.op)))
}

/// What the same action left open on the same target before is answered by its success now: nobody is told of it for ever.
fn settle(tx: &Transaction<'_>, t: &Tools<'_>, id: i64) -> Result<(), StoreError> {
    let Some(done) = find(tx, t, id)? else { return Ok(()) };
    for old in list(tx, t, "phase = 'ambiguous'")? {
        let same = old.op.id < id && old.op.action == done.op.action && old.op.target.id() == done.op.target.id();
        if same {
            one(tx.execute("UPDATE op SET phase = 'failed', sealed = NULL WHERE id = ?1", params![old.op.id]), t)?;
        }
    }
    Ok(())
}

pub(super) fn get(db: &mut Db, id: i64) -> Result<Option<Op>, StoreError> {
    db.vault_tx(|tx, t| find(tx, t, id)?.map(|raw| whole(tx, raw, t)).transpose())
}

pub(super) fn counts(db: &mut Db) -> Result<Vec<(String, u64)>, StoreError> {
    db.vault_tx(|tx, t| {
        let go = || -> rusqlite::Result<Vec<(String, u64)>> {
            let mut all = tx.prepare_cached("SELECT phase, COUNT(*) FROM op GROUP BY phase")?;
            let found = all.query_map([], |r| Ok((r.get(0)?, u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0))))?;
            found.collect()
        };
        go().map_err(|e| t.explain(e))
    })
}

pub(super) fn unfinished(db: &mut Db) -> Result<Vec<Op>, StoreError> {
    db.vault_tx(|tx, t| {
        let mut out = Vec::new();
        for raw in list(tx, t, &format!("{OPEN} OR phase IN ('ambiguous', 'owed')"))? {
            if !raw.torn && never_happened(&raw.op, t) {
                cancel(tx, t, raw.op.id)?;
            } else {
                let (id, shown) = (raw.op.id, raw.op.clone());
                out.push(match whole(tx, raw, t) {
                    Ok(op) => op,
                    Err(e) if e.key_changed() => return Err(e),
                    // One that does not open is shown as what it is: nobody knows any more. The others go on.
                    Err(e) => {
                        let reason = e.reason();
                        if shown.phase.open() && !locks::owner_lives(t.locks, &shown.owner) {
                            let sql = "UPDATE op SET phase = 'ambiguous', reason = ?2, ended = ?3 WHERE id = ?1";
                            tx.execute(sql, params![id, text(&reason)?, t.time.now().wall.0]).map_err(|e| t.explain(e))?;
                        }
                        Op { phase: OpPhase::Ambiguous, reason: Some(reason), ..shown }
                    }
                });
            }
        }
        Ok(out)
    })
}

pub(super) fn adopt(db: &mut Db, id: i64, owner: &str) -> Result<bool, StoreError> {
    db.journal_tx(|tx, t| {
        let Some(raw) = find(tx, t, id)? else { return Ok(false) };
        let takeable = raw.op.phase.open() || matches!(raw.op.phase, OpPhase::Ambiguous | OpPhase::Owed);
        if !takeable || (&*raw.op.owner != owner && locks::owner_lives(t.locks, &raw.op.owner)) {
            return Ok(false);
        }
        // Immediate transaction: of two who saw the same dead owner, the second reads the first as living.
        tx.execute("UPDATE op SET owner = ?2 WHERE id = ?1", params![id, owner]).map(|n| n == 1).map_err(|e| t.explain(e))
    })
}

/// Opens an ambiguous or owed op again for `owner`, so that it can go on; its own checks decide what is still to be done. False
/// when another owner lives, it is neither any more, another op holds the account, or a later one changed something there (one
/// that was taken back before it sent anything did not).
pub(super) fn reopen(db: &mut Db, id: i64, owner: &str) -> Result<bool, StoreError> {
    db.journal_tx(|tx, t| {
        let Some(raw) = find(tx, t, id)? else { return Ok(false) };
        let owed = raw.op.phase == OpPhase::Owed;
        // Whoever left an owed one does nothing with it any more, though it lives; and what came after it does not void it.
        if !owed && (raw.op.phase != OpPhase::Ambiguous || (&*raw.op.owner != owner && locks::owner_lives(t.locks, &raw.op.owner))) {
            return Ok(false);
        }
        let newer = if owed { i64::MAX } else { id };
        let (gateway, account) = (raw.op.target.gateway.as_str(), raw.op.target.account.as_str());
        let sql = format!(
            "UPDATE op SET owner = ?2, phase = 'running', reason = NULL, ended = NULL WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM op WHERE gateway = ?3 AND account = ?4 AND ({OPEN} OR (id > ?5 AND phase <> 'cancelled' AND NOT (phase = 'failed' AND step = 0 AND begun = 0))))"
        );
        tx.execute(&sql, params![id, owner, gateway, account, newer]).map(|n| n == 1).map_err(|e| t.explain(e))
    })
}

fn one(changed: rusqlite::Result<usize>, t: &Tools<'_>) -> Result<(), StoreError> {
    match changed {
        Ok(0) => Err(gone()),
        Ok(_) => Ok(()),
        Err(e) => Err(t.explain(e)),
    }
}

fn gone() -> StoreError {
    StoreError::said(Message::new(&words::OP_GONE))
}

fn text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Trouble(e.to_string()))
}
