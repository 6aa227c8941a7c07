//! What a bot's row and its gateway say of refusals, restarts, links and rights.

use super::*;
use crate::{
    domain::{FactValue, Tier},
    i18n::{Lang, reason},
};

const WATCH: &str = "lbk_watch_key_0001";

async fn watching(bots: Vec<BotSpec>) -> Stage {
    let key = KeySpec { name: "watch".into(), secret: WATCH.into(), scopes: vec!["resource.view".into()] };
    let mut stage = Stage::of(LangBotSettings { keys: vec![key], ..LangBotSettings::default() }, bots, By::Key).await;
    stage.cx.secrets.insert("api_key".into(), Secret::new(WATCH.into()));
    stage
}

async fn facts(stage: &Stage) -> GatewayFacts {
    LangBot.facts(&stage.cx).await.unwrap()
}

fn figure(facts: &GatewayFacts, key: &str) -> Option<FactValue> {
    facts.figures.iter().find(|f| f.key == key).map(|f| f.value.clone())
}

fn said(why: &Reason) -> String {
    format!("{} {}", reason::sentence(why, Lang::En), reason::remedy_sentence(why, Lang::En).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_names_the_scope_that_is_missing_and_is_asked_once() {
    let stage = watching(vec![failing(EXPIRED)]).await;
    let row = stage.row("support").await;
    let plan = LangBot.plan(&stage.cx, &row.target(), &Action::Do("restart".into()), Inputs::new()).await.unwrap();
    let op = Op::running(plan, stage.cx.time.now());
    let StepEnd::Failed { why, sent: false } = LangBot.run(&stage.cx, &op, "restart", None).await else { panic!("nothing was changed") };
    assert!(!why.code.passes(), "it is not tried again");
    let told = said(&why);
    assert!(told.contains("lacks the permission resource.manage") && told.contains("a key with resource.manage"), "{told}");
    assert!(!told.contains("instance") && !told.contains("global key"), "those are words of another system: {told}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_trusted_sends_one_back_to_this_very_bot() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(&EXPIRED.replace("42001", "60020"))], By::Key).await;
    let row = stage.row("support").await;
    let why = row.link.reason.as_ref().unwrap();
    let shell = crate::i18n::shell::remedy_words(why).unwrap().fill(Lang::En, &why.args);
    assert!(shell.contains(&format!("`pairdeck status {}`", row.target().id())), "{shell}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_login_is_called_that() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Key).await;
    let row = stage.row("helper").await;
    let told = said(&LangBot.pair(&stage.cx, &row.target(), want()).await.err().unwrap());
    assert!(told.contains("takes a login") && told.contains("user of lb") && told.contains("--name password"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_the_credential_may_do_is_said_and_keeps_back_what_it_may_not() {
    let stage = watching(vec![failing(EXPIRED), bot("helper", "wecombot", true)]).await;
    let told = facts(&stage).await;
    assert_eq!((figure(&told, "may_manage"), figure(&told, "may_pair")), (Some(FactValue::Flag(false)), Some(FactValue::Flag(false))));
    let rights: Vec<_> = told.rights.iter().map(|m| m.text(Lang::En)).collect();
    assert!(rights[0].contains("resource.view; without resource.manage no restart") && rights[1].contains("no QR flows"), "{rights:?}");
    let row = stage.row("support").await;
    for action in [Action::Wipe, Action::Regenerate, Action::Do("disable".into())] {
        let Err(Not::Trouble(why)) = LangBot.can(&row, &action, &told) else { panic!("{action:?}") };
        assert_eq!(why.arg("scope"), Some("resource.manage"));
    }
    let managing = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Key).await;
    let told = facts(&managing).await;
    assert_eq!(figure(&told, "may_manage"), Some(FactValue::Flag(true)));
    let row = managing.row("helper").await;
    assert!(LangBot.can(&row, &Action::Wipe, &told).is_ok());
    let Err(Not::Trouble(why)) = LangBot.can(&row, &Action::Pair, &told) else { panic!() };
    assert_eq!(why.arg("needs"), Some("login"));
    let person = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Login).await;
    let row = person.row("helper").await;
    assert!(LangBot.can(&row, &Action::Pair, &facts(&person).await).is_ok());
    let none = Stage::of(LangBotSettings::default(), Vec::new(), By::Key).await;
    assert_eq!(figure(&facts(&none).await, "may_manage"), None, "without a bot nothing tells");
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_healthz_are_told() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("a", "wecom", true), bot("b", "wecom", false)], By::Key).await;
    let told = facts(&stage).await;
    assert_eq!(figure(&told, "bots_loaded"), Some(FactValue::Count(1)));
    for key in ["tasks_running", "queries_queued", "work_pending", "work_rejected", "lag_ms"] {
        assert!(matches!(figure(&told, key), Some(FactValue::Count(_))), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_restarts_a_bot_whose_token_is_refused_and_no_other() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED), bot("calm", "wecom", true)], By::Key).await;
    let (row, told) = (stage.row("support").await, facts(&stage).await);
    assert_eq!(LangBot.can(&row, &Action::Regenerate, &told).unwrap().tier, Tier::Swift);
    assert!(matches!(LangBot.can(&stage.row("calm").await, &Action::Regenerate, &told), Err(Not::NotNow(_))));
    let loads = stage.server().bot("support").unwrap().loads;
    stage.act(&row, Action::Regenerate).await.unwrap();
    assert_eq!(stage.server().bot("support").unwrap().loads, loads + 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_row_says_what_is_proven_and_later_how_its_next_send_went() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED)], By::Key).await;
    let row = stage.row("support").await;
    assert!(said(row.link.reason.as_ref().unwrap()).contains("In its log since 20"), "{:?}", row.link.reason);
    let plan = LangBot.plan(&stage.cx, &row.target(), &Action::Wipe, Inputs::new()).await.unwrap();
    stage.run(plan).await.unwrap();
    let told = said(&stage.row("support").await.link.reason.unwrap());
    assert!(told.starts_with("Loaded anew 20") && told.contains("nor a text refused for its token"), "{told}");
    assert!(told.ends_with("Look at corp:ops-bot: its row tells whether the platform takes the app's token."), "{told}");
    assert!(stage.server().write_log("support", "error", EXPIRED));
    let why = stage.row("support").await.link.reason.unwrap();
    assert_eq!((why.code, why.arg("evidence")), (ReasonCode::TokenExpired, None), "the platform gave it the old token again, which ended");
    tokio::time::advance(std::time::Duration::from_secs(600)).await;
    assert!(stage.server().write_log("support", "error", EXPIRED));
    let why = stage.row("support").await.link.reason.unwrap();
    assert_eq!((why.code, why.arg("evidence")), (ReasonCode::TokenExpired, Some("again")));
    assert!(said(&why).contains("two of its tokens were refused") && !said(&why).contains("reset"), "{}", said(&why));
    // A token that ran out after its two hours is no verdict on the restart.
    tokio::time::advance(std::time::Duration::from_secs(3 * 3600)).await;
    stage.act(&row, Action::Wipe).await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(3 * 3600)).await;
    assert!(stage.server().write_log("support", "error", EXPIRED));
    assert_eq!(stage.row("support").await.link.reason.unwrap().arg("evidence"), None);
    tokio::time::advance(std::time::Duration::from_secs(25 * 3600)).await;
    let why = stage.row("support").await.link.reason.unwrap();
    assert_eq!((why.code, why.arg("evidence")), (ReasonCode::StateNotReported, None), "a day later neither is news");
}

/// As the bot's own log has it, of a picture whose upload was refused at first (recording 49).
const UPLOAD: &str = "上传图片失败:{'errcode': 42001, 'errmsg': 'access_token expired, hint: [1], from ip: 203.0.113.7, more info at x'}";

#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_bot_healed_itself_is_told_as_one_lost_picture_and_nothing_is_to_be_restarted_or_reset() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("support", "wecom", true)], By::Key).await;
    for restarted in [false, true] {
        let row = stage.row("support").await;
        if restarted {
            stage.act(&row, Action::Do("restart".into())).await.unwrap();
        }
        assert!(stage.server().write_log("support", "error", UPLOAD));
        let row = stage.row("support").await;
        let why = row.link.reason.clone().unwrap();
        assert_eq!((why.code, why.arg("evidence")), (ReasonCode::StateNotReported, Some("healed")));
        let told = said(&why);
        assert!(told.contains("has fetched a new one since, and uploads lost by it: 1") && told.contains("Nothing needs doing"), "{told}");
        assert!(LangBot.can(&row, &Action::Regenerate, &facts(&stage).await).is_err());
    }
    assert!(!stage.owner.1.lock().unwrap().is_empty(), "its app hears of it all the same");
}

#[tokio::test(start_paused = true)]
async fn no_row_promises_that_a_failed_send_will_stand_there() {
    let linked = Stage::of(LangBotSettings::default(), vec![bot("support", "wecom", true), bot("lone", "wecom", true)], By::Key).await;
    for name in ["support", "lone"] {
        let row = linked.row(name).await;
        linked.act(&row, Action::Wipe).await.unwrap();
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        for heard in [false, true] {
            if heard {
                assert!(linked.server().hears(name, "zhangsan", "CANARY-what-a-customer-wrote"));
            }
            let row = linked.row(name).await;
            let told = said(row.link.reason.as_ref().unwrap());
            assert!(!told.contains("stands here") && told.contains("refused for its token"), "{told}");
            assert_eq!(told.contains("a message came"), heard, "{told}");
            assert_eq!(told.contains("Look at corp:ops-bot"), name == "support", "{told}");
            assert!(!format!("{row:?}").contains("CANARY"), "what a customer wrote is kept");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_still_found_seven_messages_later() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED)], By::Key).await;
    for _ in 0..7 {
        assert!(stage.server().hears("support", "zhangsan", "hello"));
    }
    let row = stage.row("support").await;
    assert_eq!(row.link.reason.unwrap().code, ReasonCode::TokenExpired);
    let listed = row.facts.iter().filter(|f| f.key.starts_with("log_")).count();
    assert_eq!(listed, 8, "seven messages and the refusal: one line each");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nobody_claimed_is_called_that_where_a_login_fails() {
    let server = LangBotSettings { owner: None, ..LangBotSettings::default() };
    let mut stage = Stage::of(server, Vec::new(), By::Key).await;
    stage.cx.secrets = std::iter::once(("password".to_owned(), Secret::new("x".into()))).collect();
    let mut settings = (*stage.cx.settings).clone();
    settings.langbot.user = Some("ops@example.test".into());
    stage.cx.settings = Arc::new(settings);
    for how in [Look::All, Look::Probe] {
        assert_eq!(LangBot.look(&stage.cx, None, how).await.unwrap_err().code, ReasonCode::Unclaimed);
    }
    let mut wrong = Stage::of(LangBotSettings::default(), Vec::new(), By::Login).await;
    wrong.cx.secrets.insert("password".into(), Secret::new("CANARY-wrong".into()));
    let told = said(&LangBot.look(&wrong.cx, None, Look::All).await.unwrap_err());
    assert!(told.contains("the user or the password") && told.contains("secret set lb --name password"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_for_one_bots_log_is_not_lost() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("a", "wecom", true), bot("b", "wecom", true)], By::Key).await;
    let path = format!("/api/v1/platform/bots/{}/logs", stage.server().bot("a").unwrap().uuid);
    stage.server().fault(crate::sandbox::Fault::TooMany(0), 9, Some(&path));
    assert_eq!(stage.rows().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_leaves_a_bot_without_a_way_to_its_platform_does_not_call_its_log_clean() {
    let spec = BotSpec { far: FarSide::Unreachable, ..bot("helper", "wecombot", true) };
    let stage = Stage::of(LangBotSettings::default(), vec![spec], By::Key).await;
    let row = stage.row("helper").await;
    let plan = LangBot.plan(&stage.cx, &row.target(), &Action::Wipe, Inputs::new()).await.unwrap();
    let op = Op::running(plan, stage.cx.time.now());
    assert!(matches!(LangBot.run(&stage.cx, &op, "restart", None).await, StepEnd::Done { .. }));
    let StepEnd::Done { clear, .. } = LangBot.run(&stage.cx, &op, "loaded", None).await else { panic!() };
    assert!(!format!("{clear:?}").to_lowercase().contains("told_loaded"), "{clear}");
    assert!(format!("{clear:?}").to_lowercase().contains("told_away"), "{clear}");
}

#[tokio::test(start_paused = true)]
async fn a_link_to_an_app_of_another_corporation_is_refused_and_names_both() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED)], By::Key).await;
    let file = |corp: &str| {
        let text = format!("[gateway.corp]\nkind = \"wecom\"\ncorp_id = \"{corp}\"\naccount = {{ ops-bot = {{ id = \"1000002\" }} }}\n");
        Some(config::Config::parse(&text, std::path::Path::new("config.toml")).unwrap())
    };
    *stage.kept.1.lock().unwrap() = file("ww0123456789abcdef");
    let row = stage.row("support").await;
    let told = said(row.link.reason.as_ref().unwrap());
    assert!(told.contains("corp wwsandbox") && told.contains("corp:ops-bot of corp ww0123456789abcdef"), "{told}");
    assert!(stage.owner.1.lock().unwrap().is_empty(), "that app's owner is told nothing of this bot");
    assert!(!row.facts.iter().any(|f| f.key == "app_token"));
    *stage.kept.1.lock().unwrap() = file("wwsandbox");
    let row = stage.row("support").await;
    assert_eq!(row.link.reason.unwrap().code, ReasonCode::TokenExpired);
    assert!(!stage.owner.1.lock().unwrap().is_empty());
}
