//! A process is killed (SIGKILL) at many points of writing the journal: what it was told to be committed is there, whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use pairdeck::{
    domain::{Action, GatewayId, OpPhase, Plan, RemoteId, Secret, Secrets, Stamp, Step, Target, Time, Wall, plan::Replay},
    i18n::{Message, common},
    store::{NewOp, Paths, Store, locks::ProcessLock},
    vault::{Source, Vault, VaultState},
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        Stamp::wall_only(Wall(1_790_000_000_000))
    }
}

async fn open(home: &Path) -> (Store, Paths) {
    let paths = Paths::in_home(home);
    let vault = Vault::new();
    let store = Store::open(&paths, vault.clone(), Arc::new(Still)).unwrap();
    if vault.state() == VaultState::Absent {
        vault.create(Source::KeyFile, None).await.unwrap();
    } else {
        vault.open_in_background();
        vault.watch().wait_for(|s| matches!(s, VaultState::Open(_))).await.unwrap();
    }
    (store, paths)
}

fn secret(name: &str, id: i64) -> Secrets {
    Secrets::from([(name.to_owned(), Secret::new(format!("{name} of {id}")))])
}

/// What the child does, if this process is one: ops without end, each commit told on stdout after it is acknowledged.
#[tokio::test]
async fn child() {
    let Ok(home) = std::env::var("PAIRDECK_TEST_HOME") else { return };
    let (store, paths) = open(Path::new(&home)).await;
    let me = ProcessLock::take(&paths).unwrap();
    for n in 0.. {
        let target = Target::account(&GatewayId::new("wa"), &RemoteId::new(&format!("{}-{n}", me.name())));
        let op = NewOp { action: Action::Regenerate, target: target.clone(), owner: me.name().into(), at: Still.now() };
        let id = store.arm(op).await.unwrap();
        println!("\n@ {id} 0");
        let step = |id: &str| Step { id: id.into(), words: Message::new(&common::YES), replay: Replay::AfterCheck, clock: false };
        let steps = vec![step("one"), step("two")];
        let clear = serde_json::json!({"n": n});
        let plan = Plan { v: 1, action: Action::Regenerate, target, steps, pivot: 1, loses: vec![], clear, sealed: secret("chosen", id) };
        store.op_plan(id, plan).await.unwrap();
        println!("\n@ {id} 1");
        store.op_step(id, 0, true).await.unwrap();
        println!("\n@ {id} 2");
        store.op_merge(id, serde_json::json!({"minted": true}), secret("minted", id)).await.unwrap();
        println!("\n@ {id} 3");
        store.op_step(id, 1, true).await.unwrap();
        println!("\n@ {id} 4");
        store.op_end(id, OpPhase::Done, None, None).await.unwrap();
        println!("\n@ {id} 5");
    }
}

/// How far the journal says that the op came, all its parts agreeing.
async fn stage(store: &Store, id: i64) -> u8 {
    let op = store.op(id).await.unwrap().expect("an armed op is in the journal");
    if op.phase == OpPhase::Done {
        assert!(op.plan.unwrap().sealed.is_empty(), "its secrets are erased");
        return 5;
    }
    let Some(plan) = op.plan else {
        assert!(matches!(op.phase, OpPhase::Armed | OpPhase::Cancelled), "{:?}", op.phase);
        return 0;
    };
    assert_eq!(plan.sealed["chosen"], Secret::new(format!("chosen of {id}")));
    let minted = plan.sealed.get("minted").is_some_and(|s| *s == Secret::new(format!("minted of {id}")));
    assert_eq!(minted, plan.clear.get("minted").is_some(), "both parts of a merge or none");
    match (op.step, op.begun, minted) {
        (0, false, false) => 1,
        (0, true, false) => 2,
        (0, true, true) => 3,
        (1, true, true) => 4,
        odd => panic!("{odd:?}"),
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).await);
    let mut seen = std::collections::BTreeSet::new();
    for kill in 0..24 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env("PAIRDECK_TEST_HOME", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        let mut last = None;
        let take = |line: &str| {
            let mut parts = line.strip_prefix("@ ")?.split(' ');
            Some((parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<u8>().ok()?))
        };
        while let Some(Ok(line)) = lines.next() {
            if let Some(at) = take(&line) {
                last = Some(at);
                told += 1;
                if told == 1 + kill {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let (id, acknowledged) = last.expect("the child wrote something");
        let (store, paths) = open(dir.path()).await;
        let found = stage(&store, id).await;
        assert!((acknowledged..=acknowledged + 1).contains(&found), "acknowledged {acknowledged}, found {found}");
        seen.insert(found);
        // The next process takes it over, or sees that it never happened.
        let me = ProcessLock::take(&paths).unwrap();
        let open: Vec<i64> = store.ops_unfinished().await.unwrap().iter().map(|o| o.id).collect();
        for open in &open {
            assert!(store.op_adopt(*open, me.name().into()).await.unwrap());
            store.op_end(*open, OpPhase::Failed, None, None).await.unwrap();
        }
        assert!(open.len() <= 1 + usize::from(found == 5), "{open:?}");
        store.close();
    }
    assert!(seen.len() >= 3, "the kills met too few stages: {seen:?}");
}
