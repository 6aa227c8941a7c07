//! What is remembered of an account and of its workers: what another process read, a log-out from here, times that lie ahead of this
//! host's clock.

use super::*;
use crate::{
    domain::{FactValue, State, Step},
    i18n::{Lang, reason},
    sandbox::TelegramSession,
};

fn facts<'a>(row: &'a Row, key: &str) -> Vec<&'a FactValue> {
    row.facts.iter().filter(|f| f.key == key).map(|f| &f.value).collect()
}

fn sealed(stage: &Stage, account: &str) -> Option<String> {
    let name = format!("sealed:{}", token::account_secret(account, setup::OPERATOR));
    stage.shared.memo.lock().unwrap().get(&name).map(ToString::to_string)
}

async fn logged_in() -> Stage {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    stage.log_in().await;
    stage
}

/// As the engine loads secrets anew.
fn reload(stage: &mut Stage) {
    if sealed(stage, "shop").is_none() {
        stage.cx.secrets.remove(&token::account_secret("shop", setup::OPERATOR));
    }
}

fn id(step: &Step) -> &str {
    &step.id
}

#[tokio::test]
async fn rows_that_another_process_read_say_by_whom_and_when_once_and_only_while_it_is_well() {
    let stage = logged_in().await;
    let rows = stage.rows().await;
    let read = |row: &Row| (facts(row, "read_by").len(), facts(row, "read_at").len());
    assert_eq!(read(&rows[0]), (0, 0), "what this process read itself");
    let observed = rows[0].link.observed_at.unwrap();
    *stage.shared.kept.lock().unwrap() = rows;
    let account = setup::account(&stage.cx, "shop").unwrap();
    let hub = &stage.provider.hub;
    let with = async |well: Option<u64>, fresh: bool| {
        *stage.shared.holder.lock().unwrap() = Some(well.map(Duration::from_secs));
        held::rows(hub, &stage.cx, account, fresh, &mut []).await
    };
    let told = with(Some(7), true).await.unwrap();
    assert_eq!(facts(&told[0], "read_by"), [&FactValue::Text(crate::domain::Clean::new("deck[7]"))]);
    assert_eq!(facts(&told[0], "read_at"), [&FactValue::At(observed)]);
    assert!(told.iter().skip(1).all(|r| read(r) == (0, 0)), "it stands on the account's own row");
    assert!(told.iter().all(|r| r.device.is_none() || rows::is_session(r)), "slots are this process's own to look at");
    // Kept with these facts, as a process that only follows keeps them.
    *stage.shared.kept.lock().unwrap() = told;
    assert_eq!(read(&with(Some(9), true).await.unwrap()[0]), (1, 1));
    assert_eq!(read(&with(None, false).await.unwrap()[0]), (0, 0), "a watch tells what is kept as it is");
    assert!(with(Some(3600), true).await.is_none(), "a holder that has read nothing for an hour is not believed");
    // Its last word lies ahead of this host's clock: how long ago it was, nobody knows.
    assert!(with(None, true).await.is_none());
}

#[tokio::test]
async fn a_slot_whose_session_who_has_the_key_saw_gone_stays_logged_out_until_its_file_has_another_key() {
    let stage = logged_in().await;
    let account = setup::account(&stage.cx, "shop").unwrap();
    let mut kept = stage.rows().await;
    // As the file tells: a key, and nobody who holds it.
    let mut file = kept[0].clone();
    file.device = Some(RemoteId::new("w1"));
    file.incarnation = Some("00aa".into());
    (file.link.state, file.link.reason) = (State::Offline, None);
    let mut seen = file.clone();
    (seen.link.state, seen.link.reason) = (State::LoggedOut, Some(Reason::new(ReasonCode::SessionRevoked)));
    kept.push(seen);
    *stage.shared.kept.lock().unwrap() = kept;
    *stage.shared.holder.lock().unwrap() = Some(Some(Duration::from_secs(7)));
    let hub = &stage.provider.hub;
    for (key, state) in [("00aa", State::LoggedOut), ("00bb", State::Offline)] {
        let mut slots = [Row { incarnation: Some(key.into()), ..file.clone() }];
        assert!(held::rows(hub, &stage.cx, account, true, &mut slots).await.is_some());
        assert_eq!(slots[0].link.state, state, "{key}");
    }
}

#[tokio::test]
async fn a_log_out_takes_the_sealed_key_with_it_and_says_that_it_was_done_from_here() {
    let mut stage = logged_in().await;
    let account = stage.account("shop").await;
    stage.act(&account, Action::Wipe, Inputs::new()).await.unwrap();
    assert_eq!(sealed(&stage, "shop"), None, "a dead key lies in the store");
    reload(&mut stage);
    // Another process, which never had the key.
    stage.provider = stage.other_process();
    let rows = stage.rows().await;
    let row = rows.iter().find(|r| r.account.as_str() == "shop").unwrap();
    let why = row.link.reason.clone().unwrap();
    assert_eq!((row.link.state, why.code), (State::LoggedOut, ReasonCode::Wiped));
    let says = reason::sentence(&why, Lang::En);
    assert!(says.starts_with("Wiped") && !says.contains("phone"), "{says}");
    assert!(!rows.iter().any(|r| r.account.as_str() == "shop" && r.device.is_some()), "sessions of an account that is logged out");
    assert!(stage.provider.can(row, &Action::Pair, &GatewayFacts::default()).is_ok());
    // A new login ends that story.
    stage.log_in().await;
    assert_eq!(stage.account("shop").await.link.state, State::Ready);
    assert!(memo::ended(&stage.cx, "shop").await.is_none());
}

#[tokio::test]
async fn a_session_that_the_phone_ended_leaves_no_sealed_key_and_says_so_until_somebody_logs_in() {
    let mut stage = logged_in().await;
    stage.tg().revoke_all(OWNER);
    assert_eq!(stage.account("shop").await.link.reason.unwrap().code, ReasonCode::LoggedOut);
    assert_eq!(sealed(&stage, "shop"), None, "a dead key lies in the store");
    assert_eq!(*stage.shared.audit.lock().unwrap(), [("shop".to_owned(), "forget key".to_owned(), "401 SESSION_REVOKED".to_owned())]);
    reload(&mut stage);
    stage.provider = stage.other_process();
    let calls = stage.tg().calls().len();
    let row = stage.account("shop").await;
    let why = row.link.reason.clone().unwrap();
    assert_eq!((row.link.state, why.code), (State::LoggedOut, ReasonCode::LoggedOut), "another process does not know how it ended");
    assert_eq!(stage.tg().calls().len(), calls, "nobody has a key to call with");
    assert!(stage.provider.can(&row, &Action::Pair, &GatewayFacts::default()).is_ok());
    stage.log_in().await;
    assert_eq!(stage.account("shop").await.link.state, State::Ready);
    assert!(memo::ended(&stage.cx, "shop").await.is_none());
    assert_eq!(stage.shared.audit.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_dead_key_that_a_killed_process_left_sealed_is_forgotten_unused_and_one_that_the_servers_do_not_know_stays() {
    let mut stage = logged_in().await;
    let key = stage.provider.hub.operator(&stage.cx, "shop").unwrap().key.id();
    // No server that knows the key said so: it may be the wrong one.
    let (place, lies) = ("tg:shop", sealed(&stage, "shop"));
    let unknown = Reason::new(ReasonCode::LoggedOut).raw("connection: the key is unknown");
    stage.provider.hub.places.with(place, |p| p.dead = Some((key, unknown)));
    assert_eq!(stage.account("shop").await.link.state, State::LoggedOut);
    assert_eq!(sealed(&stage, "shop"), lies);
    // Killed after it was noted, before it was forgotten.
    let why = Reason::new(ReasonCode::LoggedOut).raw("401 SESSION_REVOKED");
    memo::end(&stage.cx, "shop", &memo::Ended::There { key: key.to_string(), why }).await.unwrap();
    stage.provider = stage.other_process();
    let calls = stage.tg().calls().len();
    assert_eq!(stage.account("shop").await.link.reason.unwrap().raw.unwrap().as_str(), "401 SESSION_REVOKED");
    assert_eq!((sealed(&stage, "shop"), stage.tg().calls().len()), (None, calls));
    // One of a later login is another.
    stage.log_in().await;
    let why = Reason::new(ReasonCode::LoggedOut).raw("401 SESSION_REVOKED");
    memo::end(&stage.cx, "shop", &memo::Ended::There { key: key.to_string(), why }).await.unwrap();
    let account = setup::account(&stage.cx, "shop").unwrap();
    let stands = ask::one(&stage.provider.hub, &stage.cx, account).await.1;
    assert!(!stands.is_err_and(|why| why.code == ReasonCode::LoggedOut), "an older key's end is not its own");
    assert!(sealed(&stage, "shop").is_some());
}

#[tokio::test]
async fn a_log_out_that_was_killed_is_finished_and_never_takes_a_later_login_with_it() {
    let mut stage = logged_in().await;
    let row = stage.account("shop").await;
    let op = stage.op(stage.provider.plan(&stage.cx, &row.target(), &Action::Wipe, Inputs::new()).await.unwrap());
    let steps: Vec<_> = op.plan.as_ref().unwrap().steps.iter().map(id).collect();
    assert_eq!(steps, ["log-out", "forget"]);
    assert!(matches!(stage.provider.run(&stage.cx, &op, "log-out", None).await, StepEnd::Done { .. }));
    // Killed here: the key is dead and still sealed. The next process finds the rest undone and does it.
    stage.provider = stage.other_process();
    assert_eq!(stage.provider.check(&stage.cx, &op, "log-out").await, Finding::Done);
    assert_eq!(stage.provider.check(&stage.cx, &op, "forget").await, Finding::NotDone);
    // Yet somebody logs in first: that key is nobody's to end or to forget.
    stage.log_in().await;
    let key = sealed(&stage, "shop");
    for step in ["log-out", "forget"] {
        assert_eq!(stage.provider.check(&stage.cx, &op, step).await, Finding::Done, "{step}");
        assert!(matches!(stage.provider.run(&stage.cx, &op, step, None).await, StepEnd::Done { .. }), "{step}");
    }
    assert_eq!(sealed(&stage, "shop"), key);
    assert_eq!(stage.account("shop").await.link.state, State::Ready, "the new session was ended");
}

#[tokio::test]
async fn a_wipe_of_a_copy_ends_no_session_and_names_who_keeps_it_and_one_file_by_two_names_is_refused() {
    let mut stage = logged_in().await;
    stage.tg().age(OWNER, Duration::from_secs(25 * 3600));
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let worker = TelegramSession { key: Some(Box::new([7; 256])), device: "worker".into(), ..TelegramSession::default() };
    let hash = stage.tg().add_session(OWNER, &worker).unwrap();
    super::reach::slot(&mut stage, "first", &path("first.json"), 7, Some(hash)).await;
    let plan = async |stage: &Stage, name: &str| {
        let at = Target { device: Some(RemoteId::new(name)), ..stage.at("shop") };
        stage.provider.plan(&stage.cx, &at, &Action::Wipe, Inputs::new()).await
    };
    let ends = |p: &Plan| p.steps.iter().any(|s| id(s) == "end-old");
    assert!(ends(&plan(&stage, "first").await.unwrap()), "alone it takes its session with it");
    super::reach::slot(&mut stage, "copy", &path("copy.json"), 7, None).await;
    let wipe = plan(&stage, "first").await.unwrap();
    assert!(!ends(&wipe), "the session of the copy's worker would be ended");
    let loses: Vec<String> = wipe.loses.iter().map(|m| m.text(Lang::En)).collect();
    assert!(loses[0].contains("tg:shop/copy") && loses[0].contains("copy.json"), "{loses:?}");
    // So the deck says before it is asked for.
    let rows = stage.rows().await;
    let row = rows.iter().find(|r| r.label.as_str() == "first").unwrap();
    let effect = stage.provider.can(row, &Action::Wipe, &GatewayFacts::default()).unwrap();
    assert!(effect.says.text(Lang::En).contains("tg:shop/copy") && !effect.says.text(Lang::En).contains("ends its session"), "{effect:?}");
    std::os::unix::fs::symlink(path("first.json"), path("link.json")).unwrap();
    Arc::make_mut(&mut stage.cx.settings).accounts[0].telegram.slots[1].file = path("link.json");
    let why = plan(&stage, "first").await.unwrap_err();
    assert_eq!(why.code, ReasonCode::SlotTaken);
    assert!(reason::sentence(&why, Lang::En).contains("tg:shop/copy"), "{why:?}");
}

#[tokio::test]
async fn a_bots_token_that_is_sealed_and_does_not_open_is_broken_and_not_missing() {
    let mut stage = Stage::of(TelegramSettings::default(), vec![owner(None)]).await;
    let dir = tempfile::tempdir().unwrap();
    super::reach::slot(&mut stage, "main", &dir.path().join("main.json"), 9, None).await;
    let accounts = &mut Arc::make_mut(&mut stage.cx.settings).accounts;
    let slots = std::mem::take(&mut accounts[0].telegram.slots);
    accounts[1].telegram.slots = slots;
    let at = Target { device: Some(RemoteId::new("main")), ..stage.at("robot") };
    let refused = async |stage: &Stage| stage.provider.plan(&stage.cx, &at, &Action::Regenerate, Inputs::new()).await.unwrap_err();
    let missing = refused(&stage).await;
    assert_eq!(missing.code, ReasonCode::CredentialMissing);
    assert!(missing.args.iter().any(|(n, v)| &**n == "account" && v.as_str() == "tg:robot"), "{missing:?}");
    let name = token::account_secret("robot", setup::BOT_TOKEN);
    stage.cx.broken = Arc::new([(name.clone(), Reason::new(ReasonCode::StoreBroken).with("sealed", name))].into());
    assert_eq!(refused(&stage).await.code, ReasonCode::StoreBroken);
}

#[tokio::test]
async fn times_ahead_of_this_hosts_clock_are_shown_as_they_are_and_block_nothing() {
    let stage = logged_in().await;
    // This host's clock was set back by an hour after five keys were made.
    let now_s = stage.cx.time.now().wall.0 / 1000;
    let made: Vec<i64> = (0..5).map(|n| now_s + 3600 + n).collect();
    let kept: worker::Kept = serde_json::from_value(serde_json::json!({ "made": made })).unwrap();
    assert!(kept.may_make(now_s).is_ok(), "a slot is refused for keys of the future");
    let past: worker::Kept = serde_json::from_value(serde_json::json!({ "made": made })).unwrap();
    assert_eq!(past.may_make(now_s + 3605).unwrap_err().code, ReasonCode::RateLimited);
    // The servers' clock is ahead: what was active "in an hour" is what the server says, on our clock, and nobody is online for it.
    let soon = TelegramSession { device: "Tomorrow".into(), ..TelegramSession::default() };
    stage.tg().add_session(OWNER, &soon).unwrap();
    let (_, remote) = ask::remote(&stage.provider.hub, &stage.cx, setup::account(&stage.cx, "shop").unwrap()).await.unwrap();
    let mut remote = remote.unwrap();
    let ahead = remote.at.wall.0 / 1000 + remote.offset.mid() / 1000 + 3600;
    for s in &mut remote.sessions {
        (s.date_active, s.date_created) = (i32::try_from(ahead).unwrap(), i32::try_from(ahead).unwrap());
    }
    let account = setup::account(&stage.cx, "shop").unwrap();
    for row in rows::sessions(&stage.cx, account, &remote) {
        let FactValue::At(at) = facts(&row, "last_active")[0] else { panic!("{row:?}") };
        assert!((at.wall.0 - (remote.at.wall.0 + 3_600_000)).abs() < 5_000, "{at:?}");
        assert!(matches!(row.link.state, State::Seen | State::Ready), "{row:?}");
    }
}

#[tokio::test]
async fn one_account_that_answers_is_told_whole_so_that_what_it_lists_no_more_goes() {
    let stage = logged_in().await;
    let worker = TelegramSession { key: Some(Box::new([7; 256])), device: "worker".into(), ..TelegramSession::default() };
    let hash = stage.tg().add_session(OWNER, &worker).unwrap();
    let listed = async || match stage.provider.look(&stage.cx, Some(&stage.at("shop")), Look::Row).await.unwrap() {
        Report::Whole { account, rows } => (account, rows.iter().any(|r| r.device.as_ref().is_some_and(|d| d.as_str() == rows::hash_id(hash)))),
        other => panic!("{other:?}"),
    };
    let account = stage.at("shop").account;
    assert_eq!(listed().await, (account.clone(), true));
    assert!(stage.tg().revoke(OWNER, hash));
    assert_eq!(listed().await, (account, false));
    // What did not answer says nothing of what is gone.
    stage.tg().mute(true);
    let silent = stage.provider.look(&stage.cx, Some(&stage.at("shop")), Look::Row).await;
    assert!(matches!(silent, Ok(Report::Part(_)) | Err(_)), "{silent:?}");
}
