use super::*;
use crate::{
    clock::Verdict,
    domain::{Fact, FactValue, Fingerprint, ReasonCode, State, TokenInfo, Witness, link::Source, row::TokenSemantics},
    engine::mailbox::HistoryWhat,
};
use std::time::Instant;

pub(in super::super) fn row(n: usize) -> Row {
    let key = [7; 32];
    let seen = |source, state: State| Witness { source, says: Clean::new("open"), state, observed_at: at(40) };
    Row {
        gateway: GatewayId::new("wa"),
        account: RemoteId::new(&format!("acc {n}/客服")),
        device: (n % 3 == 1).then(|| RemoteId::new("")),
        incarnation: Some(format!("id-{n}").into()),
        label: Clean::new(&format!("客服 {n}")),
        identity: Some(Clean::new("5511999999999")),
        link: Link {
            state: State::LoggedOut,
            since: Some(Stamp::wall_only(Wall(5))),
            observed_at: Some(at(50)),
            source: Source::List,
            reason: Some(Reason::new(ReasonCode::LoggedOut).raw("401").with("who", "phone").at(at(3))),
            witnesses: vec![seen(Source::List, State::LoggedOut), seen(Source::Metrics, State::Online)],
        },
        tokens: vec![TokenInfo {
            fingerprint: Fingerprint::of(&key, &Secret::new("F00EB28B-80C2-47C7".into())),
            length: 18,
            issued_at: Some(Wall(9)),
            expires_at: None,
            generation: 2,
            semantics: TokenSemantics::Lasting,
            rejected: false,
        }],
        facts: vec![
            Fact { key: "profile", label: &crate::i18n::common::YES, value: FactValue::Text(Clean::new("x")) },
            Fact { key: "number", label: &crate::i18n::common::NO, value: FactValue::Number(Clean::new("55")) },
            Fact { key: "count", label: &crate::i18n::common::NO, value: FactValue::Count(3) },
            Fact { key: "at", label: &crate::i18n::common::NO, value: FactValue::At(at(4)) },
            Fact { key: "flag", label: &crate::i18n::common::NO, value: FactValue::Flag(true) },
        ],
    }
}

#[tokio::test]
async fn a_row_comes_back_exactly_as_it_was_kept() {
    let home = home();
    let store = home.open();
    let mut rows: Vec<Row> = (0..6).map(row).collect();
    // The account itself beside a device of the same account whose name is empty.
    rows.push(Row { device: None, ..row(1) });
    store.put_rows(rows.clone());
    store.put_gateway(GatewayId::new("wa"), rows[0].link.clone(), Some(Clean::new("2.3.7")));
    let mut back = store.rows(None).await.unwrap();
    let order = |r: &Row| (r.account.clone(), r.device.clone());
    rows.sort_by_key(order);
    back.sort_by_key(order);
    assert_eq!(back, rows);
    assert_eq!(store.rows(Some(GatewayId::new("other"))).await.unwrap(), []);
    store.close();
    let mut first = first_frame(&home.paths);
    first.rows.sort_by_key(order);
    assert_eq!(first.rows, rows);
    assert_eq!(first.gateways, [KnownGateway { id: GatewayId::new("wa"), link: rows[0].link.clone(), version: Some(Clean::new("2.3.7")) }]);
}

#[tokio::test]
async fn rows_that_are_gone_and_gateways_that_are_removed_are_forgotten() {
    let home = home();
    let store = home.open();
    store.put_rows((0..4).map(row).collect());
    store.drop_rows(vec![row(0).target()]);
    store.secret_put("gateway/wa/api_key", &Secret::new("k".into())).await.unwrap();
    store.secret_put("gateway/wa2/api_key", &Secret::new("k2".into())).await.unwrap();
    assert_eq!(store.rows(None).await.unwrap().len(), 3);
    store.forget_gateway(&GatewayId::new("wa")).await.unwrap();
    assert_eq!(store.rows(None).await.unwrap(), []);
    assert_eq!(store.secret_get("gateway/wa/api_key").await.unwrap(), None);
    assert_eq!(store.secret_get("gateway/wa2/api_key").await.unwrap().unwrap().expose(), "k2");
    store.put_rows(vec![row(1)]);
    assert_eq!(store.rows(None).await.unwrap().len(), 1, "what was forgotten can come again");
}

#[tokio::test]
async fn an_unchanged_poll_writes_nothing_and_a_changed_row_is_seen_by_the_other_handle() {
    let home = home();
    let (watcher, follower) = (home.open(), home.open());
    watcher.put_rows((0..50).map(row).collect());
    watcher.flush().await;
    let before = follower.data_version().await.unwrap();
    let again = |state| {
        let mut r = row(3);
        r.link.observed_at = Some(at(60_000));
        r.link.state = state;
        r
    };
    watcher.put_rows(vec![again(State::LoggedOut)]);
    watcher.flush().await;
    assert_eq!(follower.data_version().await.unwrap(), before);
    let told = tokio::spawn({
        let follower = follower.clone();
        async move { follower.changed().await }
    });
    tokio::task::yield_now().await;
    watcher.put_rows(vec![again(State::Online)]);
    watcher.flush().await;
    assert_ne!(follower.data_version().await.unwrap(), before);
    // The follower may have begun to listen after the write: a second write it cannot miss.
    watcher.put_rows(vec![again(State::Offline)]);
    watcher.flush().await;
    tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while !told.is_finished() {
            watcher.put_rows(vec![again(State::Online)]);
            watcher.flush().await;
            watcher.put_rows(vec![again(State::Offline)]);
            watcher.flush().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a follower hears of a commit");
}

#[tokio::test]
async fn ten_thousand_rows_are_there_for_the_first_frame() {
    let home = home();
    let store = home.open();
    store.put_rows((0..10_000).map(row).collect());
    store.flush().await;
    // With the log still there (a deck is running) and after the last handle has gone.
    assert_eq!(first_frame(&home.paths).rows.len(), 10_000);
    store.close();
    let began = Instant::now();
    assert_eq!(first_frame(&home.paths).rows.len(), 10_000);
    // A debug build on a busy machine; the bench holds the real bar.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn the_first_frame_of_a_fresh_machine_is_empty_and_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::in_home(&dir.path().join("none"));
    assert!(first_frame(&paths).rows.is_empty());
    assert!(!paths.data.exists());
}

#[tokio::test]
async fn secrets_come_back_and_never_lie_in_the_files_in_clear() {
    let home = home();
    let store = home.open();
    let name = "gateway/wa/api_key";
    store.secret_put(name, &Secret::new("CANARY-0123456789ABCDEF".into())).await.unwrap();
    store.secret_put(name, &Secret::new("CANARY-SECOND-0123456789".into())).await.unwrap();
    assert_eq!(store.secret_get(name).await.unwrap().unwrap().expose(), "CANARY-SECOND-0123456789");
    assert_eq!(store.secret_get("gateway/none").await.unwrap(), None);
    let list = store.secret_list().await.unwrap();
    assert_eq!((list.len(), list[0].1.as_ref().map(String::len)), (1, Some(8)));
    let id = store.arm(new_op("a", "nobody")).await.unwrap();
    store.op_plan(id, a_plan("a")).await.unwrap();
    for entry in std::fs::read_dir(&home.paths.data).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(6).any(|w| w == b"CANARY"), "{:?}", entry.path());
    }
    store.secret_forget(name).await.unwrap();
    assert_eq!(store.secret_get(name).await.unwrap(), None);
}

#[tokio::test]
async fn a_sealed_row_swapped_with_another_or_rolled_back_is_refused() {
    let home = home();
    let store = home.open();
    store.secret_put("a", &Secret::new("first secret of a".into())).await.unwrap();
    store.secret_put("b", &Secret::new("secret of b".into())).await.unwrap();
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    let old: Vec<u8> = db.query_row("SELECT blob FROM secret WHERE name = 'a'", [], |r| r.get(0)).unwrap();
    store.secret_put("a", &Secret::new("second secret of a".into())).await.unwrap();
    db.execute("UPDATE secret SET blob = ?1 WHERE name IN ('a', 'b')", [&old]).unwrap();
    for name in ["a", "b"] {
        let error = store.secret_get(name).await.unwrap_err();
        assert_eq!(error.reason().code, ReasonCode::StoreBroken, "{error}");
    }
}

#[tokio::test]
async fn history_comes_newest_first_and_by_kind_target_and_time() {
    let home = home();
    let store = home.open();
    let change = |ms, account: &str| Change {
        at: at(ms),
        target: target(account),
        from: State::Online,
        to: State::LoggedOut,
        reason: Some(Reason::new(ReasonCode::LoggedOut)),
    };
    store.changes(vec![change(10, "a"), change(20, "b"), change(30, "a")]);
    let attempt = Attempt {
        began: at(25),
        target: target("a"),
        outcome: "linked".into(),
        verdict: Verdict::Blocked,
        overridden: true,
        skew_ms: Some(-31_000),
        offers: 2,
        discarded: 1,
        took_s: 14,
        issued: vec![
            OfferLine { n: 0, issued: Wall(26), verdict: Verdict::Blocked, outcome: OfferOutcome::Discarded },
            OfferLine { n: 1, issued: Wall(27), verdict: Verdict::Blocked, outcome: OfferOutcome::Used },
        ],
    };
    store.attempt(attempt).await.unwrap();
    let line = Audit {
        at: at(40),
        who: Clean::new("op@desk"),
        pid: 1,
        target: target("a").id(),
        action: "wipe".into(),
        verdict: Some(Verdict::Ok),
        outcome: "done".into(),
    };
    store.audit(line).await.unwrap();
    let ask = |q| store.history(q);
    let all = ask(HistoryQuery { target: Some(target("a")), ..Default::default() }).await.unwrap();
    assert_eq!(all.iter().map(|(_, l)| l.at).collect::<Vec<_>>(), [at(40), at(30), at(25), at(10)]);
    assert!(matches!(&all[2].1.what, HistoryWhat::Pairing { verdict: Verdict::Blocked, overridden: true, discarded: 1, took_s: 14, .. }));
    let HistoryWhat::Pairing { issued, .. } = &all[2].1.what else { panic!("{:?}", all[2]) };
    assert_eq!(issued.iter().map(|o| (o.n, o.outcome)).collect::<Vec<_>>(), [(0, OfferOutcome::Discarded), (1, OfferOutcome::Used)]);
    assert!(matches!(&all[3].1.what, HistoryWhat::Change { to: State::LoggedOut, reason: Some(_), .. }));
    let counts = ask_counts(&store, HistoryQuery { target: Some(target("a")), ..Default::default() }).await;
    assert_eq!(counts, [(Verdict::Blocked, true, "linked".to_owned(), 1)]);
    assert_eq!(ask_counts(&store, HistoryQuery { target: Some(target("b")), ..Default::default() }).await, []);
    assert_eq!(
        ask_counts(&store, HistoryQuery { since: Some(at(26).wall.0), ..Default::default() }).await,
        [],
        "the filters hold for the counts too"
    );
    assert_eq!(ask(HistoryQuery { pairing: true, ..Default::default() }).await.unwrap().len(), 1);
    assert_eq!(ask(HistoryQuery { audit: true, ..Default::default() }).await.unwrap().len(), 1);
    assert_eq!(ask(HistoryQuery { since: Some(at(20).wall.0), limit: 2, ..Default::default() }).await.unwrap().len(), 2);
    let db = rusqlite::Connection::open(home.paths.vault_db()).unwrap();
    assert!(db.execute("DELETE FROM audit", []).is_err() && db.execute("UPDATE audit SET who = ''", []).is_err(), "the audit only grows");
}

async fn ask_counts(store: &Store, q: HistoryQuery) -> Vec<(Verdict, bool, String, u64)> {
    let all = store.pairing_counts(q).await.unwrap();
    all.into_iter().map(|c| (c.verdict, c.overridden, c.outcome.as_str().to_owned(), c.n)).collect()
}

#[tokio::test]
async fn memos_survive_a_restart_and_the_fingerprint_key_stays() {
    let home = home();
    let store = home.open();
    let wa = GatewayId::new("wa");
    store.memo_put(&wa, "qr", serde_json::json!({"ref": 1})).await.unwrap();
    store.flush().await;
    let key = store.fingerprint_key();
    store.close();
    let store = home.open();
    assert_eq!(store.memo_get(&wa, "qr").await.unwrap(), Some(serde_json::json!({"ref": 1})));
    assert_eq!(store.memo_get(&wa, "none").await.unwrap(), None);
    assert_eq!(store.fingerprint_key(), key);
    assert_ne!(key, [0; 32]);
}

#[tokio::test(start_paused = true)]
async fn in_place_a_store_works_under_virtual_time() {
    let home = home();
    let store = Store::open_in_place(&home.paths, home.vault.clone(), clock()).unwrap();
    let slow = tokio::time::timeout(std::time::Duration::from_millis(1), store.secret_put("a", &Secret::new("x".into()))).await;
    slow.unwrap().unwrap();
    store.put_rows(vec![row(1)]);
    assert_eq!(store.rows(None).await.unwrap().len(), 1);
}
