use super::*;
use crate::domain::ReasonCode;
use crate::store::locks::ProcessLock;

#[tokio::test]
async fn an_account_is_claimed_once_while_its_owner_lives() {
    let home = home();
    let (one, two) = (home.open(), home.open());
    let me = ProcessLock::take(&home.paths).unwrap();
    let other = ProcessLock::take(&home.paths).unwrap();
    let id = one.arm(new_op("a", me.name())).await.unwrap();
    match two.arm(new_op("a", other.name())).await {
        Err(StoreError::Busy(op)) => assert_eq!((op.id, &*op.owner), (id, me.name())),
        got => panic!("{got:?}"),
    }
    two.arm(new_op("b", other.name())).await.unwrap();
    one.op_end(id, OpPhase::Cancelled, Some(Reason::new(ReasonCode::Cancelled)), None).await.unwrap();
    two.arm(new_op("a", other.name())).await.unwrap();
}

#[tokio::test]
async fn of_many_who_arm_at_once_exactly_one_wins() {
    let home = home();
    let me = ProcessLock::take(&home.paths).unwrap();
    let stores: Vec<Store> = (0..4).map(|_| home.open()).collect();
    let tries = stores.iter().flat_map(|s| (0..5).map(|_| s.arm(new_op("a", me.name()))));
    let won = futures_util::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_armed_op_of_a_dead_owner_never_happened() {
    let home = home();
    let store = home.open();
    let old = store.arm(new_op("a", "proc-1-dead")).await.unwrap();
    let planning = store.arm(new_op("b", "proc-1-dead")).await.unwrap();
    store.op_phase(planning, OpPhase::Planning).await.unwrap();
    let me = ProcessLock::take(&home.paths).unwrap();
    let new = store.arm(new_op("a", me.name())).await.unwrap();
    assert_eq!(store.op(old).await.unwrap().unwrap().phase, OpPhase::Cancelled);
    let left: Vec<i64> = store.ops_unfinished().await.unwrap().iter().map(|o| o.id).collect();
    assert_eq!(left, [new]);
    assert_eq!(store.op(planning).await.unwrap().unwrap().phase, OpPhase::Cancelled);
}

#[tokio::test]
async fn a_running_op_of_a_dead_owner_is_adopted_by_one_with_everything_it_knew() {
    let home = home();
    let first = home.open();
    let owner = ProcessLock::take(&home.paths).unwrap();
    let id = first.arm(new_op("a", owner.name())).await.unwrap();
    first.op_plan(id, a_plan("a")).await.unwrap();
    first.op_step(id, 1, true).await.unwrap();
    let minted = Secrets::from([("minted".to_owned(), Secret::new("MINTED-ONCE".into()))]);
    first.op_merge(id, serde_json::json!({"hash": 9}), minted).await.unwrap();
    let (b, c) = (ProcessLock::take(&home.paths).unwrap(), ProcessLock::take(&home.paths).unwrap());
    let (two, three) = (home.open(), home.open());
    assert!(!two.op_adopt(id, b.name().into()).await.unwrap(), "its owner lives");
    drop((owner, first));
    assert!(matches!(two.arm(new_op("a", b.name())).await, Err(StoreError::Busy(_))), "it had sent something");
    let (x, y) = tokio::join!(two.op_adopt(id, b.name().into()), three.op_adopt(id, c.name().into()));
    assert!(x.unwrap() ^ y.unwrap(), "exactly one adopts");
    let op = two.op(id).await.unwrap().unwrap();
    let plan = op.plan.unwrap();
    assert_eq!((op.step, op.begun, op.phase), (1, true, OpPhase::Running));
    assert_eq!(plan.clear, serde_json::json!({"name": "a", "hash": 9}));
    assert_eq!(plan.sealed["new"].expose(), "CANARY-NEW-TOKEN-0123456789");
    assert_eq!(plan.sealed["minted"].expose(), "MINTED-ONCE");
    assert_eq!((plan.steps.len(), plan.pivot, op.target), (2, 1, target("a")));
}

#[tokio::test]
async fn sealed_parts_are_erased_at_the_end_and_kept_while_ambiguous() {
    let home = home();
    let store = home.open();
    let me = ProcessLock::take(&home.paths).unwrap();
    for (account, phase, kept) in [("a", OpPhase::Done, 0), ("b", OpPhase::Ambiguous, 1), ("c", OpPhase::Failed, 0)] {
        let id = store.arm(new_op(account, me.name())).await.unwrap();
        store.op_plan(id, a_plan(account)).await.unwrap();
        store.op_end(id, phase, None, None).await.unwrap();
        assert_eq!(store.op(id).await.unwrap().unwrap().plan.unwrap().sealed.len(), kept, "{account}");
        if phase != OpPhase::Ambiguous {
            assert!(store.op_step(id, 1, false).await.is_err(), "a closed op takes no steps");
        }
    }
}

#[tokio::test]
async fn what_was_left_open_is_settled_by_the_same_action_on_the_same_target_alone() {
    let home = home();
    let store = home.open();
    let me = ProcessLock::take(&home.paths).unwrap();
    let arm = async |account: &str, action: Action| {
        let id = store.arm(NewOp { action, ..new_op(account, me.name()) }).await.unwrap();
        store.op_plan(id, a_plan(account)).await.unwrap();
        id
    };
    let mut left = Vec::new();
    for (account, action) in [("a", Action::Regenerate), ("a", Action::Wipe), ("b", Action::Regenerate)] {
        let id = arm(account, action).await;
        store.op_end(id, OpPhase::Ambiguous, None, None).await.unwrap();
        left.push(id);
    }
    let failed = arm("a", Action::Regenerate).await;
    store.op_end(failed, OpPhase::Failed, None, None).await.unwrap();
    let open = async || store.ops_unfinished().await.unwrap().iter().map(|o| o.id).collect::<Vec<_>>();
    assert_eq!(open().await, left, "a failure answers nothing");
    let done = arm("a", Action::Regenerate).await;
    store.op_end(done, OpPhase::Done, None, None).await.unwrap();
    assert_eq!(open().await, left[1..]);
    let settled = store.op(left[0]).await.unwrap().unwrap();
    assert_eq!((settled.phase, settled.plan.unwrap().sealed.len()), (OpPhase::Failed, 0));
}

#[tokio::test]
async fn without_a_vault_nothing_with_secrets_is_journaled() {
    let home = home();
    let store = Store::open(&home.paths, Vault::new(), clock()).unwrap();
    let me = ProcessLock::take(&home.paths).unwrap();
    let id = store.arm(new_op("a", me.name())).await.unwrap();
    assert!(matches!(store.op_plan(id, a_plan("a")).await, Err(StoreError::Locked)));
    assert_eq!(store.op(id).await.unwrap().unwrap().phase, OpPhase::Armed, "the transaction was taken back");
    store.op_plan(id, Plan { sealed: Secrets::new(), ..a_plan("a") }).await.unwrap();
    assert!(matches!(store.secret_put("x", &Secret::new("y".into())).await, Err(StoreError::Locked)));
}

#[tokio::test]
async fn a_copy_taken_after_every_commit_resumes_where_it_stood() {
    // What a kill leaves: the files as they are between two calls, the log not yet folded in.
    let home = home();
    let store = home.open();
    let id = store.arm(new_op("a", "proc-1-dead")).await.unwrap();
    let copy = || {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&home.paths.data).unwrap().flatten() {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
            }
        }
        let paths = Paths::in_home(dir.path());
        Home { _dir: dir, paths, vault: home.vault.clone() }
    };
    let mut copies = vec![copy()];
    store.op_plan(id, a_plan("a")).await.unwrap();
    copies.push(copy());
    store.op_step(id, 0, true).await.unwrap();
    copies.push(copy());
    store.op_merge(id, serde_json::json!({"done": 1}), Secrets::new()).await.unwrap();
    copies.push(copy());
    store.op_step(id, 1, false).await.unwrap();
    copies.push(copy());
    store.op_end(id, OpPhase::Done, None, None).await.unwrap();
    copies.push(copy());
    let mut seen = Vec::new();
    for copy in &copies {
        let store = copy.open();
        let open = store.ops_unfinished().await.unwrap();
        seen.push(
            open.first().map(|o| (o.step, o.begun, o.plan.as_ref().unwrap().sealed.len(), o.plan.as_ref().unwrap().clear.get("done").is_some())),
        );
    }
    assert_eq!(seen, [None, Some((0, false, 1, false)), Some((0, true, 1, false)), Some((0, true, 1, true)), Some((1, false, 1, true)), None]);
}

#[tokio::test]
async fn a_broken_op_is_shown_as_ambiguous_and_the_others_go_on() {
    let home = home();
    let store = home.open();
    for account in ["a", "b", "c"] {
        let id = store.arm(new_op(account, "proc-1-dead")).await.unwrap();
        store.op_plan(id, a_plan(account)).await.unwrap();
    }
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    db.execute("UPDATE op SET sealed = (SELECT sealed FROM op WHERE account = 'c') WHERE account = 'b'", []).unwrap();
    for _ in 0..2 {
        let all = store.ops_unfinished().await.unwrap();
        let told: Vec<_> = all.iter().map(|op| (op.target.account.as_str().to_owned(), op.phase, op.plan.is_some())).collect();
        let is = |a: &str, phase, plan| (a.to_owned(), phase, plan);
        assert_eq!(told, [is("a", OpPhase::Running, true), is("b", OpPhase::Ambiguous, false), is("c", OpPhase::Running, true)]);
        assert_eq!(all[1].reason.as_ref().unwrap().code, ReasonCode::StoreBroken);
    }
    assert!(store.arm(new_op("b", "proc-1-dead")).await.is_ok(), "its account is free for a person to decide");
}

#[tokio::test]
async fn one_that_was_left_open_goes_on_unless_something_was_done_there_since() {
    let home = home();
    let store = home.open();
    let me = ProcessLock::take(&home.paths).unwrap();
    let left = store.arm(new_op("a", "proc-1-dead")).await.unwrap();
    store.op_plan(left, a_plan("a")).await.unwrap();
    store.op_end(left, OpPhase::Ambiguous, Some(Reason::new(ReasonCode::Unreachable)), None).await.unwrap();
    let newer = async |phase: OpPhase, step: usize, begun: bool| {
        let id = store.arm(new_op("a", me.name())).await.unwrap();
        if phase != OpPhase::Cancelled {
            store.op_plan(id, a_plan("a")).await.unwrap();
            store.op_step(id, step, begun).await.unwrap();
        }
        store.op_end(id, phase, None, None).await.unwrap();
    };
    // Taken back while it waited, and failed before anything was sent: neither changed anything.
    newer(OpPhase::Cancelled, 0, false).await;
    newer(OpPhase::Failed, 0, false).await;
    assert!(store.op_reopen(left, me.name().into()).await.unwrap());
    store.op_end(left, OpPhase::Ambiguous, Some(Reason::new(ReasonCode::Unreachable)), None).await.unwrap();
    // This process left it itself, and lives.
    assert!(store.op_reopen(left, me.name().into()).await.unwrap());
    store.op_end(left, OpPhase::Ambiguous, None, None).await.unwrap();
    newer(OpPhase::Failed, 0, true).await;
    assert!(!store.op_reopen(left, me.name().into()).await.unwrap(), "a request went out since");
}

#[tokio::test]
async fn the_end_of_an_op_and_its_line_in_the_audit_are_one_commit_that_a_copy_from_before_lacks() {
    let home = home();
    let store = home.open();
    let me = ProcessLock::take(&home.paths).unwrap();
    let id = store.arm(new_op("a", me.name())).await.unwrap();
    store.op_plan(id, a_plan("a")).await.unwrap();
    store.flush().await;
    let copy = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(home.paths.vault_db()).unwrap().execute_batch(&format!("VACUUM INTO '{}/vault.db'", copy.path().display())).unwrap();
    let line =
        Audit { at: at(9), who: "a@b".into(), pid: 7, target: target("a").id(), action: "regenerate".into(), verdict: None, outcome: "done".into() };
    store.op_end(id, OpPhase::Done, None, Some(line)).await.unwrap();
    let audit = HistoryQuery { audit: true, ..HistoryQuery::default() };
    assert_eq!(store.history(audit).await.unwrap().len(), 1);
    // An op that is not there leaves no line either.
    store.op_end(id + 100, OpPhase::Done, None, None).await.unwrap_err();
    store.flush().await;
    store.close();
    for name in ["vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(home.paths.data.join(name));
    }
    std::fs::copy(copy.path().join("vault.db"), home.paths.vault_db()).unwrap();
    let store = home.open();
    store.flush().await;
    store.close();
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    let said: i64 = db.query_row("SELECT COUNT(*) FROM meta WHERE k = 'restored'", [], |r| r.get(0)).unwrap();
    assert_eq!(said, 1, "the copy tells of an op that runs, and it is long over");
}

#[tokio::test]
async fn what_was_left_open_is_dropped_though_its_seal_is_broken_and_only_then_told_in_the_audit() {
    let home = home();
    let store = home.open();
    let me = ProcessLock::take(&home.paths).unwrap();
    let line = || Audit {
        at: at(9),
        who: "a@b".into(),
        pid: 7,
        target: target("a").id(),
        action: "regenerate".into(),
        verdict: None,
        outcome: "dismissed".into(),
    };
    let audit = async || store.history(HistoryQuery { audit: true, ..HistoryQuery::default() }).await.unwrap().len();
    let held = store.arm(new_op("a", me.name())).await.unwrap();
    let dead = store.arm(new_op("b", "proc-1-dead")).await.unwrap();
    for (id, account) in [(held, "a"), (dead, "b")] {
        store.op_plan(id, a_plan(account)).await.unwrap();
    }
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    assert_eq!(db.execute("UPDATE op SET sealed = x'00' || substr(sealed, 2)", []).unwrap(), 2);
    let all = store.ops_unfinished().await.unwrap();
    let why = all[1].reason.as_ref().unwrap();
    assert_eq!((why.code, why.arg("op")), (ReasonCode::StoreBroken, Some(dead.to_string().as_str())));
    assert!(store.op(dead).await.is_err(), "nothing of it opens");
    assert_eq!(store.op_bare(dead).await.unwrap().unwrap().target, target("b"));
    assert!(matches!(store.op_dismiss(held, line()).await, Err(StoreError::Busy(_))), "its owner lives");
    assert_eq!(audit().await, 0);
    store.op_dismiss(dead, line()).await.unwrap();
    assert!(store.op_dismiss(dead, line()).await.is_err(), "it is open no more");
    assert_eq!(audit().await, 1);
    let left: Vec<i64> = store.ops_unfinished().await.unwrap().iter().map(|op| op.id).collect();
    assert_eq!(left, [held]);
    let sealed: i64 = db.query_row("SELECT COUNT(*) FROM op WHERE sealed IS NOT NULL AND id = ?1", [dead], |r| r.get(0)).unwrap();
    assert_eq!(sealed, 0);
}
