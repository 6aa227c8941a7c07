//! What an operator can do: ask again, forget, take a new secret.

use super::*;
use crate::{
    domain::{FactValue, Prompt, PromptKind, State, Tier},
    i18n::{Lang, Message},
    sandbox::{Only, TokenFault},
};

async fn op(s: &Stage, action: Action) -> Op {
    let plan = s.provider.plan(&s.cx, &s.target(), &action, Inputs::new()).await.unwrap();
    Op::running(plan, s.cx.time.now())
}

async fn run(s: &Stage, op: &Op, answer: Option<&str>) -> StepEnd {
    let step = op.plan.as_ref().unwrap().steps[0].id.clone();
    s.provider.run(&s.cx, op, &step, answer.map(|a| Secret::new(a.into()))).await
}

fn told(end: &StepEnd) -> Vec<String> {
    let StepEnd::Done { clear, .. } = end else { panic!("{end:?}") };
    let said: Vec<Message> = serde_json::from_value(clear["told"].clone()).unwrap();
    said.iter().map(|m| m.text(Lang::En)).collect()
}

fn asked(end: StepEnd) -> Prompt {
    match end {
        StepEnd::Ask(p) => p,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn asking_again_says_that_it_is_the_same_token_and_prolongs_nothing() {
    let s = Stage::wecom().await;
    let first = s.obtain(Ask::default()).await.unwrap().held;
    tokio::time::advance(Duration::from_secs(3600)).await;
    let op = op(&s, Action::Regenerate).await;
    let end = run(&s, &op, None).await;
    assert!(told(&end)[0].starts_with("The same token as before"), "{end:?}");
    let StepEnd::Done { clear, .. } = end else { panic!() };
    assert_eq!(clear["new_fp"], op.plan.as_ref().unwrap().clear["old_fp"]);
    assert_eq!(s.owner.held(&s.target()).await.unwrap().expires, first.expires);
}

#[tokio::test(start_paused = true)]
async fn asking_again_for_a_dead_token_brings_a_new_one() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    s.server.revoke("ops");
    let op = op(&s, Action::Regenerate).await;
    let StepEnd::Done { clear, sealed } = run(&s, &op, None).await else { panic!() };
    assert_ne!(clear["new_fp"], op.plan.as_ref().unwrap().clear["old_fp"]);
    assert_eq!(sealed["token"], s.server.live("ops").unwrap().0);
    assert!(!clear.to_string().contains(sealed["token"].expose()));
}

#[tokio::test(start_paused = true)]
async fn an_official_account_gets_a_new_token_and_a_killed_demand_is_not_repeated() {
    let s = Stage::oa().await;
    let first = op(&s, Action::Regenerate).await;
    assert_eq!(&*first.plan.unwrap().steps[0].id, "fetch", "nothing is demanded where nothing is held");
    s.obtain(Ask::default()).await.unwrap();
    let op = op(&s, Action::Regenerate).await;
    let check = |op: Op| {
        let s = &s;
        async move { s.provider.check(&s.cx, &op, "rotate").await }
    };
    assert_eq!(check(op.clone()).await, Finding::NotDone);
    let end = run(&s, &op, None).await;
    assert!(told(&end)[0].contains("5 min"), "{end:?}");
    assert_eq!(check(op).await, Finding::Done, "nobody demands twice what came");
}

#[tokio::test(start_paused = true)]
async fn a_demand_whose_answer_was_lost_is_found_out_by_a_plain_request_and_not_repeated() {
    let demands = |s: &Stage| s.server.asked().0.iter().filter(|r| r.body.contains("force_refresh")).count();
    // It was carried out, and no answer came: what stands there is the new one.
    let s = Stage::oa().await;
    let first = s.obtain(Ask::default()).await.unwrap().held.fingerprint;
    let lost = op(&s, Action::Regenerate).await;
    s.server.fault(TokenFault::parse("mute", None, true).unwrap(), 1, None);
    let end = run(&s, &lost, None).await;
    assert!(told(&end)[0].contains("5 min"), "{end:?}");
    let StepEnd::Done { clear, sealed } = end else { panic!() };
    assert_ne!(clear["new_fp"], serde_json::to_value(&first).unwrap());
    assert_eq!((sealed["token"].clone(), demands(&s)), (s.server.live("shop").unwrap().0, 1));
    // It was not carried out: the one before is still there, and that is no success.
    let s = Stage::oa().await;
    s.obtain(Ask::default()).await.unwrap();
    let lost = op(&s, Action::Regenerate).await;
    s.server.fault(TokenFault::parse("hang", None, true).unwrap(), 1, None);
    match run(&s, &lost, None).await {
        StepEnd::Failed { why, sent: false } => assert_eq!(why.code, ReasonCode::Slow),
        other => panic!("{other:?}"),
    }
    // Nobody answers: that is open.
    s.server.fault(TokenFault::parse("hang", None, true).unwrap(), 3, None);
    assert!(matches!(run(&s, &lost, None).await, StepEnd::Failed { sent: true, .. }));
    assert!(matches!(s.provider.check(&s.cx, &lost, "rotate").await, Finding::CannotTell(_)));
    assert_eq!(s.provider.check(&s.cx, &lost, "rotate").await, Finding::NotDone);
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_is_tried_before_it_replaces_the_old_one() {
    let s = Stage::wecom().await;
    let old = s.obtain(Ask::default()).await.unwrap().held.fingerprint;
    let new = s.server.reset_secret("ops", None, None).unwrap();
    let op = op(&s, Action::Do("secret".into())).await;
    let first = asked(run(&s, &op, None).await);
    assert_eq!((first.kind, first.wrong), (PromptKind::Secret, 0));
    assert!(first.words.text(Lang::En).contains("reset") && first.words.text(Lang::Zh).contains("重置"));
    let again = asked(run(&s, &op, Some("not-the-secret-at-all")).await);
    assert!(again.wrong == 1 && again.hint.unwrap().as_str().starts_with("40001"));
    assert!(s.owner.secrets.lock().unwrap().values().all(|v| v.expose() == SECRET), "the old one stays until another works");
    asked(run(&s, &op, Some("  ")).await);
    let end = run(&s, &op, Some(&format!(" {}\n", new.expose()))).await;
    assert!(told(&end)[0].contains("works"), "{end:?}");
    assert_eq!(*s.owner.secrets.lock().unwrap().values().next().unwrap(), new);
    assert_ne!(s.owner.held(&s.target()).await.unwrap().fingerprint, old);
    assert_eq!(s.row().await.link.state, State::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_tried_replaces_nothing() {
    let s = Stage::wecom().await;
    let op = op(&s, Action::Do("secret".into())).await;
    s.server.fault(TokenFault::Code(45009, Only::Fetch), u32::MAX, None);
    let end = run(&s, &op, Some("something-else-entirely")).await;
    assert!(matches!(&end, StepEnd::Failed { why, sent: false } if why.code == ReasonCode::RateLimited), "{end:?}");
    assert!(s.owner.secrets.lock().unwrap().values().all(|v| v.expose() == SECRET));
}

#[tokio::test(start_paused = true)]
async fn wiping_forgets_and_says_that_the_platform_does_not() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    let row = s.row().await;
    assert_eq!(s.provider.can(&row, &Action::Wipe, &GatewayFacts::default()).unwrap().tier, Tier::Swift);
    let op = op(&s, Action::Wipe).await;
    assert!(told(&run(&s, &op, None).await)[0].contains("stays good until"));
    assert!(s.owner.held(&s.target()).await.is_none() && s.server.live("ops").is_some());
    let row = s.row().await;
    assert!(matches!(s.provider.can(&row, &Action::Wipe, &GatewayFacts::default()), Err(Not::NotNow(_))));
    // Another host may have left one in the store that all share.
    s.owner.shares.store(true, std::sync::atomic::Ordering::Relaxed);
    let row = s.row().await;
    assert!(row.tokens.is_empty() && s.provider.can(&row, &Action::Wipe, &GatewayFacts::default()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_revealed_token_is_the_cached_one_or_none() {
    let s = Stage::wecom().await;
    assert_eq!(s.provider.reveal(&s.cx, &s.target()).await.unwrap_err().code, ReasonCode::NeverFetched);
    let token = s.obtain(Ask::default()).await.unwrap().token;
    assert_eq!(s.provider.reveal(&s.cx, &s.target()).await.unwrap(), token);
    assert_eq!(s.server.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_says_why() {
    let s = Stage::wecom().await;
    let mut row = s.row().await;
    let can = |row: &Row, a: Action| s.provider.can(row, &a, &GatewayFacts::default());
    assert!(matches!(can(&row, Action::Pair), Err(Not::Unsupported(_))));
    assert!(can(&row, Action::Regenerate).is_ok() && can(&row, Action::Do("secret".into())).is_ok());
    row.link.reason = Some(Reason::new(ReasonCode::CredentialMissing));
    assert!(matches!(can(&row, Action::Regenerate), Err(Not::NotNow(_))));
    assert!(matches!(can(&row, Action::Do("kick".into())), Err(Not::Unsupported(_))));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_offered_only_in_a_pause_waits_for_enter_and_goes_past_it_once() {
    let s = Stage::wecom().await;
    let retry = Action::Do(crate::providers::RETRY.into());
    let can = |row: &Row| s.provider.can(row, &retry, &GatewayFacts::default());
    let Err(Not::NotNow(why)) = can(&s.row().await) else { panic!() };
    assert_eq!(why.text(Lang::En), "No pause is in force: the platform is asked as usual.");
    let until = s.cx.time.now().plus(Duration::from_secs(60));
    let limited = Reason::new(ReasonCode::RateLimited).raw("45009");
    *s.owner.hold.lock().unwrap() = Some(Hold { reason: limited, until: Some(until), against: None, times: 1 });
    let row = s.row().await;
    assert!(row.facts.iter().any(|f| f.key == "paused_until" && f.value == FactValue::At(until)), "{:?}", row.facts);
    let effect = can(&row).unwrap();
    assert_eq!((effect.tier, effect.loses.len()), (Tier::Hold, 1));
    // `r` does not get past it, `b` does.
    let op_of = |end: StepEnd| matches!(end, StepEnd::Done { .. });
    let plain = op(&s, Action::Regenerate).await;
    assert!(matches!(run(&s, &plain, None).await, StepEnd::Failed { sent: false, .. }));
    assert_eq!(s.server.fetched(), 0);
    let past = op(&s, retry.clone()).await;
    assert!(op_of(run(&s, &past, None).await));
    assert_eq!(s.server.fetched(), 1);
    // One that was cut off is never sent again by itself.
    assert!(matches!(s.provider.check(&s.cx, &past, crate::providers::RETRY).await, crate::domain::Finding::Foreign(_)));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(can(&s.row().await).is_err(), "its time is over");
    *s.owner.hold.lock().unwrap() = None;
    assert!(matches!(s.provider.check(&s.cx, &past, crate::providers::RETRY).await, crate::domain::Finding::Done));
}
