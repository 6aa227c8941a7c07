//! Databases that somebody edited: any value in any column of any row. Every call gives its result or says why not; what is read of
//! texts is harmless, and no edit takes down what is beside it.

use super::*;
use crate::{
    clock::{Verdict, sample::Interval},
    domain::{OpPhase, ReasonCode, State},
    hostile::{TEXTS, fine, fit_to_draw, harmless, slow},
};
use proptest::prelude::*;
use rusqlite::types::Value;
use std::sync::OnceLock;

/// A home with something in every table, made once.
struct Made {
    home: Home,
    /// Files by name.
    files: Vec<(String, Vec<u8>)>,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    // On a thread of its own: whoever asks first may stand in a runtime.
    MADE.get_or_init(|| std::thread::spawn(make).join().unwrap())
}

fn make() -> Made {
    let home = home();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let store = home.open();
        store.put_rows((0..4).map(data::row).collect());
        store.put_gateway(GatewayId::new("wa"), Link::unknown(), Some(Clean::new("2.3.7")));
        store.secret_put("gateway/wa/api_key", &Secret::new("k-one".into())).await.unwrap();
        store.secret_put("gateway/im/token", &Secret::new("k-two".into())).await.unwrap();
        store.memo_put(&GatewayId::new("wa"), "k", serde_json::json!({"a": [1]})).await.unwrap();
        for account in ["a", "b"] {
            let id = store.arm(new_op(account, "nobody")).await.unwrap();
            store.op_plan(id, a_plan(account)).await.unwrap();
        }
        let reason = || Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
        let change = |ms| Change { at: at(ms), target: target("a"), from: State::Online, to: State::LoggedOut, reason: reason() };
        store.changes(vec![change(1), change(2)]);
        for n in 0..2 {
            let line = Audit {
                at: at(n),
                who: "ana@host".into(),
                pid: 7,
                target: "wa:a".into(),
                action: "wipe".into(),
                verdict: Some(Verdict::Ok),
                outcome: "done".into(),
            };
            store.audit(line).await.unwrap();
        }
        let skew = Some(Interval { lo_ms: 1, hi_ms: 2 });
        store.clock_points(vec![ClockPoint { gateway: GatewayId::new("wa"), at: Wall(1_790_000_000_000), skew, verdict: Verdict::Ok }]);
        store.set_shared_down(Some((at(3), Reason::new(ReasonCode::SharedDown)))).await.unwrap();
        store.flush().await;
        store.close();
    });
    let read = |e: std::fs::DirEntry| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap());
    let files = std::fs::read_dir(home.paths.vault_db().parent().unwrap()).unwrap().flatten();
    let files = files.filter(|e| e.path().is_file()).map(read).collect();
    Made { home, files }
}

/// A copy of it.
fn copy() -> (tempfile::TempDir, Paths) {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in &made().files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let paths = Paths::in_home(dir.path());
    (dir, paths)
}

/// Every column of every table with rows in it.
fn columns(db: &rusqlite::Connection) -> Vec<(String, String, i64)> {
    let mut found = db.prepare("SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'").unwrap();
    let all: Vec<(String, String)> = found.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect();
    let rows = |table: &str| db.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |r| r.get(0)).unwrap();
    all.into_iter().filter(|(t, _)| !t.starts_with("sqlite_")).map(|(t, c)| (rows(&t), t, c)).filter(|x| x.0 > 0).map(|(n, t, c)| (t, c, n)).collect()
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        prop::sample::select(vec![i64::MAX, i64::MIN, -1, 0, 1 << 40]).prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        prop::sample::select(TEXTS.to_vec()).prop_map(|t| Value::Text(t.to_owned())),
        prop::sample::select(vec!["[]", "{}", "null", "7", "\"x\"", "{\"wall\":9223372036854775807,\"boot\":[1,18446744073709551615]}"])
            .prop_map(|t| Value::Text(t.to_owned())),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Value::Blob),
        Just(Value::Blob(i64::MAX.to_string().into_bytes())),
    ]
}

fn edit(file: &std::path::Path, edits: &[(prop::sample::Index, prop::sample::Index, Value)]) -> Vec<String> {
    let db = rusqlite::Connection::open(file).unwrap();
    for trigger in ["audit_keeps", "audit_stays", "audit_adds"] {
        db.execute_batch(&format!("DROP TRIGGER IF EXISTS {trigger}")).unwrap();
    }
    // Somebody who edits is not held up by what a table demands.
    let _ = db.execute_batch("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'; PRAGMA writable_schema = RESET");
    let all = columns(&db);
    let mut done = Vec::new();
    for (which, row, value) in edits {
        let (table, column, n) = &all[which.index(all.len())];
        let at = row.index(usize::try_from(*n).unwrap());
        let key: String = db
            .query_row("SELECT group_concat(name) FROM pragma_table_info(?1) WHERE pk > 0", [table], |r| r.get::<_, Option<String>>(0))
            .unwrap()
            .unwrap_or("rowid".into());
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT 1 OFFSET {at})");
        // A key that is there already, a key that must be a number.
        if db.execute(&sql, [value]).is_ok() {
            done.push(format!("{table}.{column}"));
        }
    }
    done
}

/// Asks for everything; panics where something of it could do harm.
async fn read_all(store: &Store) {
    for row in store.rows(None).await.unwrap_or_default() {
        assert!(fit_to_draw(&row), "{row:?}");
    }
    for g in store.gateways().await.unwrap_or_default() {
        assert!(g.version.iter().all(|v| harmless(v.as_str())) && g.link.reason.iter().all(fine));
    }
    for op in store.ops_unfinished().await.unwrap_or_default() {
        assert!(op.reason.iter().all(fine));
        let _ = (op.plan.as_ref().and_then(|p| p.steps.get(op.step)), op.at.age(&at(9)));
    }
    let _ = (store.op(1).await, store.op(2).await, store.op_counts().await);
    for name in ["gateway/wa/api_key", "gateway/im/token"] {
        let _ = store.secret_get(name).await;
    }
    let _ = (store.secret_list().await, store.memo_get(&GatewayId::new("wa"), "k").await, store.shared_down().await);
    let _ = store.clock_track(GatewayId::new("wa"), Wall(0), i64::MAX, 10).await;
    for (pairing, audit) in [(false, false), (true, false), (false, true)] {
        let query = HistoryQuery { pairing, audit, clock: true, ..HistoryQuery::default() };
        for (_, line) in store.history(query.clone()).await.unwrap_or_default() {
            let _ = (line.at.age(&at(9)), line.at.plus(std::time::Duration::MAX));
        }
        let _ = store.pairing_counts(query).await;
    }
    let _ =
        (store.tokens().await, store.token("corp:ops").await, store.token_log("corp:ops", 5).await, store.token_forced("corp:ops", i64::MIN).await);
}

/// Changes a little of everything.
async fn write_all(store: &Store) {
    let _ = store.secret_put("gateway/wa/api_key", &Secret::new("new".into())).await;
    let _ = store.memo_put(&GatewayId::new("wa"), "k", serde_json::json!(1)).await;
    for id in [1, 2] {
        let _ = store.op_step(id, 1, true).await;
        let _ = store.op_merge(id, serde_json::json!({"x": 1}), Secrets::new()).await;
        let _ = store.op_plan(id, a_plan("a")).await;
        let _ = store.op_end(id, OpPhase::Done, None, None).await;
    }
    let _ = store.arm(new_op("a", "me")).await;
    store.verified(Wall(1_790_000_000_000), true);
    store.put_rows((0..4).map(data::row).collect());
    store.flush().await;
}

proptest! {
    #![proptest_config(slow())]

    #[test]
    fn an_edited_store_gives_results_or_says_why_not(
        vault in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()), 1..5),
        cache in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()), 0..3),
    ) {
        let (_dir, paths) = copy();
        let mut edited = edit(&paths.vault_db(), &vault);
        edited.extend(edit(&paths.cache_db(), &cache));
        for row in first_frame(&paths).rows {
            prop_assert!(fit_to_draw(&row), "{:?}: {:?}", edited, row);
        }
        prop_assume!(!edited.is_empty());
        if let Ok(store) = Store::open_in_place(&paths, made().home.vault.clone(), clock()) {
            let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            rt.block_on(async {
                read_all(&store).await;
                write_all(&store).await;
                read_all(&store).await;
            });
        }
    }
}

#[tokio::test]
async fn one_edited_row_takes_none_of_the_others_down() {
    let (_dir, paths) = copy();
    let db = rusqlite::Connection::open(paths.vault_db()).unwrap();
    db.execute_batch("DROP TRIGGER audit_keeps").unwrap();
    for sql in [
        "UPDATE change SET at = 'x' WHERE id = 1",
        "UPDATE audit SET at = '' WHERE id = 1",
        "UPDATE op SET plan = '{' WHERE id = 1",
        "UPDATE secret SET blob = x'00' WHERE name = 'gateway/wa/api_key'",
    ] {
        assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
    }
    drop(db);
    let store = Store::open(&paths, made().home.vault.clone(), clock()).unwrap();
    let all = store.history(HistoryQuery::default()).await.unwrap();
    assert_eq!(all.len(), 4, "two changes and two lines of the audit, each with a time: {all:?}");
    assert_eq!(store.history(HistoryQuery { audit: true, ..HistoryQuery::default() }).await.unwrap().len(), 2);
    let ops = store.ops_unfinished().await.unwrap();
    let of = |id| ops.iter().find(|o| o.id == id).unwrap();
    assert!(of(2).plan.is_some(), "the other action can go on");
    assert!(of(1).plan.is_none() && of(1).phase == OpPhase::Ambiguous, "what cannot be read is shown, never guessed: {:?}", of(1));
    assert!(store.secret_get("gateway/wa/api_key").await.is_err());
    assert_eq!(store.secret_get("gateway/im/token").await.unwrap().unwrap().expose(), "k-two");
}
