//! Logging in: every way, every refusal, and what is left behind.

use super::*;
use crate::{
    clock::sample::By,
    domain::{Clean, PromptKind},
};
use std::time::Instant;

fn qr() -> Want {
    Want { method: Method::Qr, number: None, wipe_spoilt: false }
}

/// The next event that is no waiting.
async fn next(pairing: &mut Box<dyn Pairing>, cx: &Cx, answer: Option<&str>) -> PairEvent {
    let mut answer = answer.map(|a| Secret::new(a.to_owned()));
    loop {
        match pairing.next(cx, answer.take()).await {
            PairEvent::Waiting(_) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn the_clock_is_asked_before_any_login_and_touches_no_account() {
    let stage = Stage::of(TelegramSettings { skew_ms: 600_000, ..TelegramSettings::default() }, vec![owner(None)]).await;
    assert!(matches!(stage.provider.look(&stage.cx, None, Look::Probe).await, Ok(Report::Alive(_))));
    let samples = stage.shared.samples.lock().unwrap().clone();
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].by, By::ServerTime);
    let found = samples[0].interval.unwrap();
    assert!(found.contains(600_000) && found.half() < 5_000, "{found:?}");
    assert_eq!((stage.tg().counts().keys, stage.tg().calls().len()), (0, 0), "no key was made and nothing was called");
}

#[tokio::test]
async fn a_qr_login_moves_to_the_accounts_data_centre_asks_for_the_password_again_and_commits_the_key_before_it_succeeds() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(Some("hunter2"))]).await;
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    let begun = Instant::now();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Offer(_)));
    assert!(begun.elapsed().as_secs() < 10);
    stage.tg().scan(OWNER, None).unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Scanned));
    let PairEvent::Ask(prompt) = next(&mut pairing, &stage.cx, None).await else { panic!("no question") };
    assert_eq!((prompt.kind, prompt.wrong), (PromptKind::Password, 0));
    let PairEvent::Ask(prompt) = next(&mut pairing, &stage.cx, Some("wrong")).await else { panic!("no question") };
    assert_eq!((prompt.kind, prompt.wrong), (PromptKind::Password, 1));
    let PairEvent::Got(secrets) = next(&mut pairing, &stage.cx, Some("hunter2")).await else { panic!("nothing to commit") };
    let operator = operator::Operator::from_secret(&secrets[setup::OPERATOR]).unwrap();
    assert_eq!((operator.dc, operator.user, operator.bot), (4, OWNER, false));
    assert!(stage.tg().alive(operator.key.id().0));
    stage.commit("shop", secrets);
    let PairEvent::Linked(row) = next(&mut pairing, &stage.cx, None).await else { panic!("not linked") };
    assert_eq!((row.link.state, row.identity), (crate::domain::State::Ready, Some(Clean::new("@ada"))));
    pairing.end(&stage.cx).await;
    assert!(stage.tg().alive(operator.key.id().0), "the end of the attempt does not end the session");
    assert_eq!(stage.tg().devices(OWNER).len(), 1);
    assert_eq!(stage.account("shop").await.link.state, crate::domain::State::Ready);
}

#[tokio::test]
async fn a_password_that_was_sealed_by_choice_is_not_asked_for() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(Some("hunter2"))]).await;
    stage.cx.secrets.insert(token::account_secret("shop", setup::PASSWORD), Secret::new("hunter2".into()));
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Offer(_)));
    stage.tg().scan(OWNER, None).unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Scanned));
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Got(_)));
}

#[tokio::test]
async fn a_code_lives_as_long_as_the_server_says_whatever_this_hosts_clock_shows() {
    for skew_ms in [-600_000, 600_000] {
        let stage = Stage::of(TelegramSettings { skew_ms, ..TelegramSettings::default() }, vec![owner(None)]).await;
        let at = stage.at("shop");
        let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
        let PairEvent::Offer(offer) = next(&mut pairing, &stage.cx, None).await else { panic!("no offer") };
        let offer = offer.into_inner();
        let life = offer.dies.since(offer.issued.boot_now());
        assert!((20..=30).contains(&life.as_secs()), "{skew_ms}: {life:?}");
        assert_eq!(Some(offer.payload.expose().to_owned()), stage.tg().token());
        stage.tg().scan(OWNER, None).unwrap();
        assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Scanned));
        assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Got(_)));
        let counts = stage.tg().counts();
        assert!(counts.bad_time == 0 && counts.packets < 40, "no storm: {counts:?}");
    }
}

#[tokio::test]
async fn a_code_is_renewed_before_it_dies() {
    let stage = Stage::of(TelegramSettings { token_life: Duration::from_secs(6), ..TelegramSettings::default() }, vec![owner(None)]).await;
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    let PairEvent::Offer(one) = next(&mut pairing, &stage.cx, None).await else { panic!("no offer") };
    let PairEvent::Offer(two) = next(&mut pairing, &stage.cx, None).await else { panic!("no second offer") };
    let (one, two) = (one.into_inner(), two.into_inner());
    assert_ne!(one.payload, two.payload);
    assert!(two.issued.boot_now() < one.dies, "the first one was still alive");
    assert_eq!(Some(two.payload.expose().to_owned()), stage.tg().token());
}

#[tokio::test]
async fn a_flood_wait_is_waited_for() {
    let stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    stage.tg().flood("auth.exportLoginToken", 2, 1);
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    assert!(matches!(pairing.next(&stage.cx, None).await, PairEvent::Waiting(why) if why.code == ReasonCode::Asking));
    assert!(matches!(pairing.next(&stage.cx, None).await, PairEvent::Waiting(why) if why.code == ReasonCode::RateLimited));
    let begun = Instant::now();
    assert!(matches!(pairing.next(&stage.cx, None).await, PairEvent::Offer(_)));
    assert!(begun.elapsed() >= Duration::from_millis(1900));
}

#[tokio::test]
async fn a_connection_that_is_cut_while_a_code_is_shown_is_made_again_with_the_same_key() {
    let stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Offer(_)));
    assert_eq!(stage.tg().cut(None), 1);
    // The scan's word is lost with the connection, unless the new one is there already; the next export tells of it.
    stage.tg().scan(OWNER, None).unwrap();
    loop {
        match next(&mut pairing, &stage.cx, None).await {
            PairEvent::Got(_) => break,
            PairEvent::Scanned | PairEvent::Waiting(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_attempt_that_is_left_at_the_password_leaves_no_session_behind() {
    let stage = Stage::of(TelegramSettings::default(), vec![owner(Some("hunter2"))]).await;
    let at = stage.at("shop");
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Offer(_)));
    stage.tg().scan(OWNER, None).unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Scanned));
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Ask(_)));
    assert_eq!(stage.tg().devices(OWNER).len(), 1);
    pairing.end(&stage.cx).await;
    assert_eq!(stage.tg().devices(OWNER), []);
}

#[tokio::test]
async fn a_code_to_another_device_logs_in_and_a_wrong_one_is_asked_for_again() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    let at = stage.at("shop");
    let want = |number: Option<&str>| Want { method: Method::Code, number: number.map(Into::into), wipe_spoilt: false };
    assert_eq!(stage.provider.pair(&stage.cx, &at, want(None)).await.err().unwrap().code, ReasonCode::NumberNeeded);
    let mut pairing = stage.provider.pair(&stage.cx, &at, want(Some("5511999990001"))).await.unwrap();
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Ask(p) if p.kind == PromptKind::Code && p.wrong == 0));
    assert!(matches!(next(&mut pairing, &stage.cx, Some("wrong")).await, PairEvent::Ask(p) if p.wrong == 1));
    let code = stage.tg().code(OWNER).unwrap();
    let PairEvent::Got(secrets) = next(&mut pairing, &stage.cx, Some(&code)).await else { panic!("nothing to commit") };
    assert_eq!(operator::Operator::from_secret(&secrets[setup::OPERATOR]).unwrap().dc, 4, "PHONE_MIGRATE was followed");
    stage.commit("shop", secrets);
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Linked(..)));
}

#[tokio::test]
async fn a_bot_logs_in_with_its_token_and_says_what_it_cannot() {
    let bot = TelegramAccount {
        id: BOT,
        name: "Robot".into(),
        username: "robot".into(),
        dc: 4,
        bot_token: Some("77:CANARY-token".into()),
        ..TelegramAccount::default()
    };
    let mut stage = Stage::of(TelegramSettings::default(), vec![bot]).await;
    let at = stage.at("robot");
    assert_eq!(stage.provider.pair(&stage.cx, &at, qr()).await.err().unwrap().code, ReasonCode::CredentialMissing);
    stage.cx.secrets.insert(token::account_secret("robot", setup::BOT_TOKEN), Secret::new("77:CANARY-token".into()));
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    let PairEvent::Got(secrets) = next(&mut pairing, &stage.cx, None).await else { panic!("nothing to commit") };
    stage.commit("robot", secrets);
    assert!(matches!(next(&mut pairing, &stage.cx, None).await, PairEvent::Linked(..)));
    pairing.end(&stage.cx).await;
    let row = stage.account("robot").await;
    assert_eq!(row.link.state, crate::domain::State::Ready);
    let facts = GatewayFacts::default();
    assert!(matches!(stage.provider.can(&row, &Action::Do("end-others".into()), &facts), Err(Not::Unsupported(_))));
    assert!(!format!("{row:?}").contains("CANARY"));
}

#[tokio::test]
async fn refusals_of_a_login_are_told_by_their_kind() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    let at = stage.at("shop");
    let hash = token::account_secret("shop", setup::API_HASH);
    stage.cx.secrets.insert(hash.clone(), Secret::new("CANARY-wrong-hash".into()));
    let mut pairing = stage.provider.pair(&stage.cx, &at, qr()).await.unwrap();
    let PairEvent::Failed(why) = next(&mut pairing, &stage.cx, None).await else { panic!("it went through") };
    assert_eq!(why.code, ReasonCode::CredentialRefused);
    assert!(!format!("{why:?}").contains("CANARY"));
    stage.cx.secrets.remove(&hash);
    assert_eq!(stage.provider.pair(&stage.cx, &at, qr()).await.err().unwrap().code, ReasonCode::CredentialMissing);
    assert_eq!(stage.account("shop").await.link.state, crate::domain::State::LoggedOut);
}
