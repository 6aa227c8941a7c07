//! An account's sessions: listed, ended, and the operator's own key used by one at a time.

use super::*;
use crate::{
    domain::{FactValue, State},
    sandbox::TelegramSession,
};

fn crowded() -> TelegramAccount {
    let phone = TelegramSession {
        device: "Pixel 9".into(),
        app: "Telegram Android".into(),
        platform: "Android".into(),
        ip: "203.0.113.7".into(),
        country: "Brazil".into(),
        age: Duration::from_secs(90 * 24 * 3600),
        idle: Duration::from_secs(120),
        official: true,
        ..TelegramSession::default()
    };
    let stranger =
        TelegramSession { device: "Unknown PC".into(), app: "Odd".into(), unconfirmed: true, age: Duration::from_secs(60), ..phone.clone() };
    TelegramAccount { sessions: vec![phone, stranger], ..owner(None) }
}

async fn session(stage: &Stage, label: &str) -> Row {
    stage.rows().await.into_iter().find(|r| r.device.is_some() && r.label.as_str().starts_with(label)).unwrap()
}

fn text(row: &Row, key: &str) -> String {
    let found = row.facts.iter().find(|f| f.key == key).map(|f| f.value.clone());
    match found {
        Some(FactValue::Text(t)) => t.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn sessions_are_rows_that_are_never_online_and_ones_own_is_marked() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let phone = session(&stage, "Pixel").await;
    assert_eq!((phone.link.state, phone.link.reason.as_ref()), (State::Seen, None));
    let facts = ["platform", "ip", "country"].map(|k| text(&phone, k));
    assert!(facts[0].starts_with("Android") && facts[1] == "203.0.113.7" && facts[2].starts_with("Brazil"), "{facts:?}");
    let stranger = session(&stage, "Unknown").await;
    assert_eq!(stranger.link.reason.unwrap().code, ReasonCode::Unconfirmed);
    let own = session(&stage, "pairdeck@").await;
    assert_eq!(own.device.unwrap().as_str(), "~own");
    assert!(stage.rows().await.iter().all(|r| r.link.state != State::Online));
}

#[tokio::test]
async fn on_the_first_day_nothing_is_ended_and_the_row_says_from_when_on_it_can_be() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let facts = GatewayFacts::default();
    let phone = session(&stage, "Pixel").await;
    let Err(Not::NotNow(words)) = stage.provider.can(&phone, &Action::Wipe, &facts) else { panic!("it could") };
    assert!(words.arg("time").is_some_and(|t| t.starts_with("20")), "{words:?}");
    let why = stage.act(&phone, Action::Wipe, Inputs::new()).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::NotYet);
    assert!(!stage.tg().calls().iter().any(|c| c.method == "account.resetAuthorization"), "it was not even tried");
    stage.tg().age(OWNER, Duration::from_secs(24 * 3600 + 60));
    let phone = session(&stage, "Pixel").await;
    assert!(stage.provider.can(&phone, &Action::Wipe, &facts).is_ok());
    stage.act(&phone, Action::Wipe, Inputs::new()).await.unwrap();
    assert_eq!(stage.tg().devices(OWNER).len(), 2);
}

#[tokio::test]
async fn all_others_are_ended_at_once_the_days_are_set_and_a_stranger_is_confirmed() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    stage.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let stranger = session(&stage, "Unknown").await;
    stage.act(&stranger, Action::Do("confirm".into()), Inputs::new()).await.unwrap();
    assert_eq!(session(&stage, "Unknown").await.link.reason, None);
    let account = stage.account("shop").await;
    let days = Inputs::from([(act::DAYS.into(), "30".into())]);
    stage.act(&account, Action::Do("ttl".into()), days).await.unwrap();
    let odd = Inputs::from([(act::DAYS.into(), "0".into())]);
    assert_eq!(stage.act(&account, Action::Do("ttl".into()), odd).await.unwrap_err().code, ReasonCode::BadTarget);
    stage.act(&account, Action::Do("end-others".into()), Inputs::new()).await.unwrap();
    let left: Vec<_> = stage.tg().devices(OWNER).into_iter().map(|d| d.device).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].starts_with("pairdeck@"));
}

#[tokio::test]
async fn a_session_that_is_no_longer_the_one_that_was_meant_is_left_alone() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    stage.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let mut phone = session(&stage, "Pixel").await;
    phone.incarnation = Some("17".into());
    assert_eq!(stage.act(&phone, Action::Wipe, Inputs::new()).await.unwrap_err().code, ReasonCode::Foreign);
    let own = session(&stage, "pairdeck@").await;
    assert!(stage.act(&own, Action::Wipe, Inputs::new()).await.is_err());
    assert_eq!(stage.tg().devices(OWNER).len(), 3);
}

#[tokio::test]
async fn one_key_has_one_connection_and_a_second_process_only_reads() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let account = setup::account(&stage.cx, "shop").unwrap();
    let held = stage.provider.hub.line(&stage.cx, account).await.unwrap();
    let (a, b) = tokio::join!(stage.rows(), stage.rows());
    assert_eq!(a.len(), b.len());
    let connected: Vec<_> = stage.tg().connected().into_iter().filter(|c| c.account == Some(OWNER)).collect();
    assert_eq!(connected.len(), 1, "{connected:?}");
    let second = stage.other_process();
    let Report::AllBut { rows, unasked } = second.look(&stage.cx, None, Look::All).await.unwrap() else { panic!("it was complete") };
    assert_eq!(unasked, [RemoteId::new("shop")], "the bot has no sessions that could be hidden");
    assert_eq!(rows[0].link.reason.as_ref().unwrap().code, ReasonCode::OtherHolder);
    assert!(!stage.tg().calls().iter().any(|c| c.outcome.contains("DUPLICATED")));
    drop(held);
    let Report::All { rows, .. } = second.look(&stage.cx, None, Look::All).await.unwrap() else { panic!("no rows") };
    assert_eq!(rows[0].link.state, State::Ready, "the lock is let go with the connection");
}

#[tokio::test]
async fn a_key_that_the_server_called_dead_is_never_used_again() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    stage.tg().revoke_all(OWNER);
    assert_eq!(stage.account("shop").await.link.reason.unwrap().code, ReasonCode::LoggedOut);
    let calls = stage.tg().calls().len();
    assert_eq!(stage.account("shop").await.link.state, State::LoggedOut);
    assert_eq!(stage.tg().calls().len(), calls);
    stage.log_in().await;
    assert_eq!(stage.account("shop").await.link.state, State::Ready, "a new login begins anew");
}

#[tokio::test]
async fn an_operators_key_that_was_used_twice_has_a_remedy_of_its_own_and_no_row_of_it_looks_well() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let account = setup::account(&stage.cx, "shop").unwrap();
    let key = stage.provider.hub.line(&stage.cx, account).await.unwrap().conn.key();
    // What a call is answered with after another host used a copy of the store: one process never opens two connections with a key.
    let said = crate::providers::telegram::mtproto::Error::Rpc { code: 406, name: crate::domain::Clean::new("AUTH_KEY_DUPLICATED") };
    stage.provider.hub.refused(&stage.cx, "shop", key, &said);
    let told = stage.provider.look(&stage.cx, None, Look::All).await.unwrap();
    let (Report::All { rows, .. } | Report::AllBut { rows, .. }) = &told else { panic!("{told:?}") };
    let row = rows.iter().find(|r| r.account.as_str() == "shop").unwrap();
    let why = row.link.reason.clone().unwrap();
    assert_eq!((row.link.state, why.code), (State::Conflict, ReasonCode::SessionDuplicated));
    assert!(!rows.iter().any(|r| r.account.as_str() == "shop" && r.device.is_some()), "{rows:?}");
    assert!(!matches!(&told, Report::AllBut { unasked, .. } if unasked.iter().any(|a| a.as_str() == "shop")), "what was seen stands: ready");
    let (deck, shell) = (crate::i18n::reason::remedy_words(&why).unwrap(), crate::i18n::shell::remedy_words(&why).unwrap());
    assert!(deck.en.contains("`p`") && !deck.en.contains("`r`"), "{}", deck.en);
    assert!(shell.fill(crate::i18n::Lang::En, &why.args).contains("`pairdeck pair tg:shop`"), "{}", shell.en);
    assert!(stage.provider.can(row, &Action::Pair, &GatewayFacts::default()).is_ok(), "its own remedy is refused");
}

#[tokio::test]
async fn a_closed_account_is_called_so() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    stage.tg().deactivate(OWNER, true);
    let row = stage.account("shop").await;
    assert_eq!((row.link.state, row.link.reason.unwrap().code), (State::Refused, ReasonCode::AccountClosed));
}

#[tokio::test]
async fn logging_out_ends_the_operators_session() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let account = stage.account("shop").await;
    stage.act(&account, Action::Wipe, Inputs::new()).await.unwrap();
    assert_eq!(stage.tg().devices(OWNER).len(), 2);
    assert_eq!(stage.account("shop").await.link.state, State::LoggedOut);
}

#[tokio::test]
async fn the_watch_sees_a_new_session_as_soon_as_the_server_tells() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![crowded()]).await;
    stage.log_in().await;
    let (tx, mut rx) = tokio::sync::mpsc::channel(16);
    let sandbox = &stage.sandbox;
    let watching = stage.provider.watch(&stage.cx, tx);
    let story = async {
        let mut sizes = Vec::new();
        while let Some(report) = rx.recv().await {
            let Report::All { rows, .. } = report else { continue };
            let n = rows.iter().filter(|r| r.account.as_str() == "shop" && r.device.is_some()).count();
            sizes.push(n);
            if sizes.len() == 1 {
                // Somebody logs in elsewhere.
                let tg = sandbox.telegram("tg").unwrap();
                let net = setup::network(&stage.cx).unwrap();
                let app = setup::app(&stage.cx, setup::account(&stage.cx, "shop").unwrap()).unwrap();
                let door = door::Door::make(&stage.cx, &net, &app, Some(4)).await.unwrap();
                door.export(&app, &[]).await.unwrap();
                tg.scan(OWNER, None).unwrap();
                assert!(matches!(door.export(&app, &[]).await.unwrap(), door::Step::In(_)));
            } else if n == 4 {
                break;
            }
        }
        sizes
    };
    let sizes = tokio::select! {
        why = watching => panic!("{why:?}"),
        sizes = tokio::time::timeout(Duration::from_secs(20), story) => sizes.unwrap(),
    };
    assert_eq!((sizes.first(), sizes.last()), (Some(&3), Some(&4)), "{sizes:?}");
}
