//! The watch against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

async fn next(rx: &mut mpsc::Receiver<Report>) -> Report {
    tokio::time::timeout(Duration::from_secs(120), rx.recv()).await.expect("a report comes").expect("the watch lives")
}

#[tokio::test(start_paused = true)]
async fn the_watch_lists_first_and_then_follows_events_or_asks() {
    for events in ALL_FEEDS {
        let s = Stage::of(Settings { events, ..Settings::default() }, vec![InstanceSpec { subscribed: true, ..spec(Past::Online) }]).await;
        s.seen.send_modify(|a| a.on_screen = true);
        let (tx, mut rx) = mpsc::channel(64);
        let script = async {
            let Report::All { rows, complete: true } = next(&mut rx).await else { panic!("{events:?}: no list first") };
            assert_eq!(rows[0].link.state, State::Online);
            tokio::time::sleep(Duration::from_secs(8)).await;
            s.wa().unlink("shop", 401).unwrap();
            let mut version = false;
            loop {
                let rows = match next(&mut rx).await {
                    Report::All { rows, .. } | Report::Part(rows) => rows,
                    Report::Gateway(f) => {
                        version |= f.version.is_some();
                        assert!(f.whole, "{events:?}");
                        continue;
                    }
                    _ => continue,
                };
                if rows[0].link.state == State::LoggedOut {
                    break;
                }
            }
            assert!(version, "{events:?}");
            s.cx.cancel.cancel();
        };
        let (why, ()) = tokio::join!(Evolution.watch(&s.cx, tx), script);
        assert_eq!(why.code, ReasonCode::Cancelled, "{events:?}");
        assert!(!s.kept.1.lock().unwrap().is_empty());
        assert_eq!(s.wa().asked().0.iter().filter(|r| r.path == "/").count(), 1, "the root page is read once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_watch_falls_back_to_asking_when_the_stream_is_cut() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let (tx, mut rx) = mpsc::channel(64);
    let script = async {
        assert!(matches!(next(&mut rx).await, Report::All { .. }));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(s.wa().event_streams(), 1);
        s.wa().cut_events();
        loop {
            if let Report::Trouble(r) = next(&mut rx).await {
                assert_eq!(r.code, ReasonCode::EventsLost);
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(s.wa().event_streams(), 1, "it comes back");
        s.cx.cancel.cancel();
    };
    tokio::join!(Evolution.watch(&s.cx, tx), script);
}

/// Watches for so long and hands back the last state of every row and the last facts.
async fn observe(s: &Stage, seconds: u64, act: impl AsyncFnOnce()) -> (HashMap<String, Row>, GatewayFacts) {
    let (tx, mut rx) = mpsc::channel(64);
    let mut rows = HashMap::new();
    let mut facts = GatewayFacts::default();
    let script = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        act().await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        s.cx.cancel.cancel();
    };
    let collect = async {
        while let Some(r) = rx.recv().await {
            match r {
                Report::All { rows: all, complete } => {
                    assert!(complete);
                    rows = all.into_iter().map(|r| (r.account.as_str().to_owned(), r)).collect();
                }
                Report::Part(some) => rows.extend(some.into_iter().map(|r| (r.account.as_str().to_owned(), r))),
                Report::Gateway(f) => facts = f,
                _ => {}
            }
        }
    };
    let (why, (), ()) = tokio::join!(Evolution.watch(&s.cx, tx), script, collect);
    assert_eq!(why.code, ReasonCode::Cancelled, "{why:?}");
    (rows, facts)
}

#[tokio::test(start_paused = true)]
async fn without_events_and_metrics_only_the_row_under_the_cursor_is_asked_for() {
    let rows = ["a", "b", "c"].map(|n| InstanceSpec { name: n.into(), ..spec(Past::LimitReached) });
    let s = Stage::of(Settings { events: Events::None, metrics: false, ..Settings::default() }, rows.into()).await;
    s.seen.send_modify(|a| {
        a.on_screen = true;
        a.selected = Some(RemoteId::new("b"));
    });
    let (rows, facts) = observe(&s, 12, async || {}).await;
    assert_eq!(s.say("/instance/connectionState/b"), s.say("/instance/connectionState/"));
    assert!(s.say("/instance/connectionState/b") >= 2);
    assert!(rows["b"].link.differs() && !rows["a"].link.differs());
    assert_eq!(rows["b"].link.state, State::Offline);
    assert_eq!(facts.feed, Feed::Polling);
    assert!(facts.warnings.iter().any(|m| m.words == &w::WARN_EVENTS_OFF));
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_all_memory_states_in_one_call() {
    let rows = ["a", "b"].map(|n| InstanceSpec { name: n.into(), ..spec(Past::LimitReached) });
    let s = Stage::of(Settings { events: Events::None, ..Settings::default() }, rows.into()).await;
    let (rows, _) = observe(&s, 5, async || {}).await;
    assert!(rows.values().all(|r| r.link.differs()), "{rows:?}");
    assert_eq!(s.say("/instance/connectionState/"), 0);
}

#[tokio::test(start_paused = true)]
async fn polling_keeps_its_pace_on_and_off_screen_and_a_refresh_asks_now() {
    let s = Stage::of(Settings { events: Events::None, ..Settings::default() }, vec![spec(Past::Online)]).await;
    observe(&s, 58, async || {
        assert_eq!(s.say("fetchInstances"), 1);
        s.seen.send_modify(|a| a.refresh += 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(s.say("fetchInstances"), 2);
    })
    .await;
    assert_eq!(s.say("fetchInstances"), 2, "off screen: once a minute");
}

#[tokio::test(start_paused = true)]
async fn with_events_the_list_is_a_check_every_30_s() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.seen.send_modify(|a| a.on_screen = true);
    let mut lists = 0;
    let (_, facts) = observe(&s, 65, async || {
        s.wa().unlink("shop", 401).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        lists = s.say("fetchInstances");
    })
    .await;
    assert_eq!(facts.feed, Feed::Events);
    let more = s.say("fetchInstances") - lists;
    assert!((1..=3).contains(&more), "{more} lists in 65 s");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_wants_a_key_gets_it_in_a_header() {
    let s = Stage::of(Settings { socket_needs_key: true, ..Settings::default() }, vec![spec(Past::Online)]).await;
    let (rows, facts) = observe(&s, 2, async || s.wa().unlink("shop", 403).unwrap()).await;
    assert_eq!(facts.feed, Feed::Events);
    assert_eq!(rows["shop"].link.reason.as_ref().map(|r| r.code), Some(ReasonCode::Forbidden), "{rows:?}");
    assert!(!s.wa().asked().0.iter().any(|r| r.path.contains("GLOBAL-KEY")));
}

#[tokio::test(start_paused = true)]
async fn events_of_a_deleted_instance_bring_no_row_back() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Pairing), InstanceSpec { name: "other".into(), ..spec(Past::New) }]).await;
    let api = Api::new(&s.cx).unwrap();
    let (rows, _) = observe(&s, 120, async || {
        // Restart and delete within 0.1 s leave a socket that goes on emitting (ws-global, shop-e).
        api.restart("shop").await.unwrap();
        api.delete("shop").await.unwrap();
    })
    .await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_token_sees_its_own_row_and_the_deck_is_told() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online), InstanceSpec { name: "other".into(), ..spec(Past::New) }]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), s.wa().token("shop").unwrap())]);
    let (rows, facts) = observe(&s, 5, async || {}).await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["shop"]);
    assert!(!facts.whole && facts.warnings.iter().any(|m| m.words == &w::WARN_NARROW));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_ends_the_watch_and_names_the_credential() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), Secret::new("WRONG-KEY-CANARY".into()))]);
    let (tx, _rx) = mpsc::channel(64);
    let why = Evolution.watch(&s.cx, tx).await;
    assert_eq!(why.code, ReasonCode::CredentialRefused);
    assert!(!format!("{why:?}").contains("CANARY"));
    s.cx.secrets.clear();
    let (tx, _rx) = mpsc::channel(64);
    assert_eq!(Evolution.watch(&s.cx, tx).await.code, ReasonCode::CredentialMissing);
}
