//! What is said of a gateway follows from what of it was heard: nothing, one data centre of two, or all.

use super::*;
use crate::{
    domain::{Clean, State},
    i18n::{Lang, reason},
    providers::duty::Life,
    sandbox::TelegramSession,
};

fn robot(dc: i32) -> TelegramAccount {
    TelegramAccount { id: BOT, name: "Robot".into(), username: "robot".into(), dc, bot_token: Some("77:CANARY-token".into()), ..Default::default() }
}

/// The owner lives in data centre 4 and the bot in 2, both logged in.
pub(super) async fn both() -> Stage {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None), robot(2)]).await;
    stage.log_in().await;
    stage.cx.secrets.insert(token::account_secret("robot", setup::BOT_TOKEN), Secret::new("77:CANARY-token".into()));
    let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
    let mut pairing = stage.provider.pair(&stage.cx, &stage.at("robot"), want).await.unwrap();
    loop {
        match pairing.next(&stage.cx, None).await {
            PairEvent::Got(secrets) => stage.commit("robot", secrets),
            PairEvent::Linked(..) => break,
            PairEvent::Waiting(_) => {}
            other => panic!("{other:?}"),
        }
    }
    pairing.end(&stage.cx).await;
    stage
}

async fn look(stage: &Stage) -> Report {
    stage.provider.look(&stage.cx, None, Look::All).await.unwrap()
}

fn state(rows: &[Row], account: &str) -> (State, Option<ReasonCode>) {
    let row = rows.iter().find(|r| r.account.as_str() == account && r.device.is_none()).unwrap();
    (row.link.state, row.link.reason.as_ref().map(|r| r.code))
}

#[tokio::test]
async fn where_nobody_is_logged_in_the_servers_are_asked_all_the_same() {
    let stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    assert!(matches!(look(&stage).await, Report::All { complete: true, .. }));
    assert!(!stage.shared.samples.lock().unwrap().is_empty(), "nothing is known of the servers' clock");
    for dc in [2, 4] {
        stage.tg().down(dc, true);
    }
    let Report::Lost { rows, why } = look(&stage).await else { panic!("servers that are down are called well") };
    assert_eq!((why.code, state(&rows, "shop")), (ReasonCode::Unreachable, (State::LoggedOut, Some(ReasonCode::NeverPaired))));
    assert!(reason::sentence(&why, Lang::En).contains("data centre 2"), "{why:?}");
}

#[tokio::test]
async fn an_operators_session_that_cannot_be_read_is_broken_and_not_never_paired() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    let broken = Reason::new(ReasonCode::StoreBroken).with("sealed", "account/shop/operator");
    stage.cx.broken = Arc::new([(token::account_secret("shop", setup::OPERATOR), broken)].into());
    let (Report::AllBut { rows, .. } | Report::All { rows, .. }) = look(&stage).await else { panic!("servers that are well are called lost") };
    assert_eq!(state(&rows, "shop"), (State::Refused, Some(ReasonCode::StoreBroken)));
}

#[tokio::test]
async fn a_data_centre_that_is_down_takes_its_own_accounts_with_it_and_no_others_and_is_named() {
    let stage = both().await;
    stage.tg().down(4, true);
    let Report::AllBut { rows, unasked } = look(&stage).await else { panic!("a half is called a whole") };
    assert_eq!(unasked, [RemoteId::new("shop")]);
    assert_eq!((state(&rows, "shop").0, state(&rows, "robot").0), (State::Unreachable, State::Ready));
    let why = rows.iter().find(|r| r.account.as_str() == "shop").unwrap().link.reason.clone().unwrap();
    let says = reason::sentence(&why, Lang::En);
    assert!(says.contains("data centre 4") && says.contains(&stage.tg().dcs()[&4].to_string()), "{says}");
    stage.tg().down(4, false);
    // Where logins begin is not where this account lives.
    stage.tg().down(2, true);
    let Report::AllBut { rows, .. } = look(&stage).await else { panic!("a half is called a whole") };
    assert_eq!((state(&rows, "shop").0, state(&rows, "robot").0), (State::Ready, State::Unreachable));
    stage.tg().down(4, true);
    let Report::Lost { rows, .. } = look(&stage).await else { panic!("a gateway of which nobody was heard is called well") };
    assert_eq!((state(&rows, "shop").0, state(&rows, "robot").0), (State::Unreachable, State::Unreachable));
}

#[tokio::test]
async fn a_watch_loses_the_gateway_with_the_last_account_and_finds_it_again() {
    let stage = both().await;
    let (tx, mut rx) = tokio::sync::mpsc::channel(64);
    let watching = stage.provider.watch(&stage.cx, tx);
    let again = || stage._seen.send_modify(|s| (s.refresh, s.on_screen) = (s.refresh + 1, true));
    let story = async {
        let mut next = async || loop {
            match rx.recv().await.unwrap() {
                Report::Gateway(_) => {}
                report => break report,
            }
        };
        // Whoever answers first is told first.
        while !matches!(next().await, Report::All { complete: true, .. }) {}
        for dc in [2, 4] {
            stage.tg().down(dc, true);
        }
        again();
        let rows = loop {
            match next().await {
                Report::Lost { rows, .. } => break rows,
                _ => again(),
            }
        };
        assert_eq!((state(&rows, "shop").0, state(&rows, "robot").0), (State::Unreachable, State::Unreachable));
        // It waits then: nobody is asked, and nothing told, again and again.
        let mut told = 0;
        let quiet = async {
            while let Report::Lost { .. } = next().await {
                told += 1;
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(400), quiet).await.is_err(), "it is called well");
        assert!(told <= 3, "{told} times in 400 ms");
        for dc in [2, 4] {
            stage.tg().down(dc, false);
        }
        again();
        while !matches!(next().await, Report::All { complete: true, .. }) {
            again();
        }
    };
    tokio::select! {
        why = watching => panic!("it ended: {why:?}"),
        told = tokio::time::timeout(Duration::from_secs(60), story) => told.unwrap(),
    }
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_waited_for_once_for_all_accounts() {
    let mut stage = both().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Arc::make_mut(&mut stage.cx.settings);
    for (_, at) in &mut settings.telegram.dcs {
        *at = silent.local_addr().unwrap();
    }
    let begun = std::time::Instant::now();
    let Report::Lost { rows, why } = look(&stage).await else { panic!("a silent server is called well") };
    assert!(begun.elapsed() < ask::GLANCE + Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!((why.code, state(&rows, "shop").1, state(&rows, "robot").1), (ReasonCode::Slow, Some(ReasonCode::Slow), Some(ReasonCode::Slow)));
}

#[tokio::test]
async fn what_telegram_refuses_is_named_with_the_command_that_mends_it() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None), robot(4)]).await;
    let told = async |stage: &Stage, account: &str| {
        let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
        let mut pairing = stage.provider.pair(&stage.cx, &stage.at(account), want).await?;
        loop {
            match pairing.next(&stage.cx, None).await {
                PairEvent::Failed(why) => break Err::<(), _>(why),
                PairEvent::Waiting(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let words = |why: &Reason| format!("{} {}", reason::sentence(why, Lang::En), reason::remedy_sentence(why, Lang::En).unwrap());
    let missing = told(&stage, "robot").await.unwrap_err();
    assert!(words(&missing).contains("`pairdeck secret set tg:robot --name bot_token`"), "{missing:?}");
    stage.cx.secrets.insert(token::account_secret("robot", setup::BOT_TOKEN), Secret::new("77:CANARY-mistyped".into()));
    let refused = words(&told(&stage, "robot").await.unwrap_err());
    assert!(refused.contains("bot's token") && refused.contains("`pairdeck secret set tg:robot --name bot_token`"), "{refused}");
    stage.cx.secrets.insert(token::account_secret("shop", setup::API_HASH), Secret::new("CANARY-wrong".into()));
    let refused = words(&told(&stage, "shop").await.unwrap_err());
    assert!(refused.contains("api_id") && refused.contains("`pairdeck secret set tg:shop --name api_hash`"), "{refused}");
    Arc::make_mut(&mut stage.cx.settings).accounts[0].telegram.api_id = None;
    let missing = words(&told(&stage, "shop").await.unwrap_err());
    assert!(missing.contains("config.toml") && missing.contains("api_id") && !missing.contains("secret set"), "{missing}");
}

/// Writes a session into a slot of the owner and remembers its hash, as a regeneration does.
pub(super) async fn slot(stage: &mut Stage, name: &str, file: &std::path::Path, seed: u8, hash: Option<i64>) {
    let key = mtproto::AuthKey::new([seed; 256]);
    session::write::replace(file, &session::gotd::render(4, &key, 1, &session::gotd::Config::default()).unwrap()).unwrap();
    let slot = config::Slot {
        name: name.into(),
        file: file.to_owned(),
        format: config::SessionFormat::default(),
        pidfile: None,
        unit: None,
        api_id: None,
        dead_exit_codes: Vec::new(),
    };
    Arc::make_mut(&mut stage.cx.settings).accounts[0].telegram.slots.push(slot);
    if let Some(hash) = hash {
        let kept = serde_json::json!({ "key": key.id().to_string(), "hash": hash });
        stage.cx.memo.put(&format!("slot:shop/{name}"), kept).await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_lives_by_the_accounts_list_alone_and_a_copy_of_its_key_makes_that_uncertain() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    stage.log_in().await;
    let dir = tempfile::tempdir().unwrap();
    let worker = TelegramSession { key: Some(Box::new([7; 256])), device: "worker".into(), ..TelegramSession::default() };
    let hash = stage.tg().add_session(OWNER, &worker).unwrap();
    slot(&mut stage, "own", &dir.path().join("own.json"), 7, Some(hash)).await;
    slot(&mut stage, "stray", &dir.path().join("stray.json"), 8, None).await;
    let life = async |stage: &Stage, name: &str| {
        let at = Target { device: Some(RemoteId::new(name)), ..stage.at("shop") };
        stage.provider.life(&stage.cx, &at).await
    };
    assert_eq!(life(&stage, "own").await, Life::Lives);
    let other = stage.tg().add_session(OWNER, &TelegramSession { device: "other".into(), ..TelegramSession::default() }).unwrap();
    assert_eq!(life(&stage, "stray").await, Life::Unknown(None), "a session that nobody remembers");
    stage.tg().revoke(OWNER, other);
    assert_eq!(life(&stage, "stray").await, Life::Dead, "no session is left that could be its");
    slot(&mut stage, "copy", &dir.path().join("copy.json"), 7, None).await;
    assert_eq!(life(&stage, "own").await, Life::Copied, "its copy may be its end any moment");
    stage.tg().revoke(OWNER, hash);
    assert_eq!(life(&stage, "own").await, Life::Dead);
    stage.tg().down(4, true);
    assert!(matches!(life(&stage, "own").await, Life::Unknown(Some(why)) if why.code == ReasonCode::Unreachable));
    assert!(!stage.tg().calls().iter().any(|c| c.key == mtproto::AuthKey::new([7; 256]).id().0), "the worker's key was used");
}

#[tokio::test]
async fn what_is_kept_of_a_slot_is_read_once_a_round() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    stage.log_in().await;
    let dir = tempfile::tempdir().unwrap();
    slot(&mut stage, "own", &dir.path().join("own.json"), 7, Some(1)).await;
    stage.shared.gets.lock().unwrap().clear();
    let rows = stage.rows().await;
    let own = rows.iter().find(|r| r.label == Clean::new("own")).unwrap();
    assert_eq!(own.link.state, State::LoggedOut, "what is kept was heeded: its session is not listed");
    assert_eq!(stage.shared.gets.lock().unwrap().iter().filter(|k| *k == "slot:shop/own").count(), 1);
}
