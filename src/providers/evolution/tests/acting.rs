//! Plans and their steps against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Runs a plan as the engine would, checks included.
async fn carry_out(s: &Stage, action: Action, stop_after: Option<&str>) -> Op {
    let row = s.row("shop").await;
    let plan = Evolution.plan(&s.cx, &row.target(), &action, Inputs::new()).await.unwrap();
    let op = Op::running(plan, s.cx.time.now());
    finish(s, &op, stop_after).await;
    op
}

async fn finish(s: &Stage, op: &Op, stop_after: Option<&str>) {
    for step in op.plan.as_ref().unwrap().steps.clone() {
        if Evolution.check(&s.cx, op, &step.id).await == Finding::Done {
            continue;
        }
        let end = Evolution.run(&s.cx, op, &step.id, None).await;
        assert!(matches!(end, StepEnd::Done { .. }), "{}: {end:?}", step.id);
        assert_eq!(Evolution.check(&s.cx, op, &step.id).await, Finding::Done, "{}", step.id);
        if stop_after == Some(&step.id) {
            return;
        }
    }
}

async fn set_up(s: &Stage) -> Vec<(&'static str, serde_json::Value)> {
    let api = Api::new(&s.cx).unwrap();
    for (kind, body) in [
        (
            "settings",
            serde_json::json!({"rejectCall":true,"msgCall":"no calls","groupsIgnore":true,"alwaysOnline":false,"readMessages":true,"readStatus":false,"syncFullHistory":false}),
        ),
        (
            "webhook",
            serde_json::json!({"webhook":{"enabled":true,"url":"http://127.0.0.1:9/h","byEvents":true,"base64":true,"headers":{"X-Key":"CANARY"},"events":["QRCODE_UPDATED"]}}),
        ),
        ("websocket", serde_json::json!({"websocket":{"enabled":true,"events":["CONNECTION_UPDATE"]}})),
        ("proxy", serde_json::json!({"enabled":true,"host":"127.0.0.1","port":"9","protocol":"http","username":"u","password":"CANARY-PW"})),
        ("rabbitmq", serde_json::json!({"rabbitmq":{"enabled":true,"events":["QRCODE_UPDATED"]}})),
    ] {
        api.set(kind, "shop", body).await.unwrap();
    }
    found(s).await
}

async fn found(s: &Stage) -> Vec<(&'static str, serde_json::Value)> {
    let api = Api::new(&s.cx).unwrap();
    let mut out = Vec::new();
    for kind in settings::KINDS {
        let v = api.find_setting(kind, "shop").await.unwrap();
        out.push((*kind, settings::essence(kind, &v).map_or(serde_json::Value::Null, serde_json::Value::Object)));
    }
    out
}

#[tokio::test(start_paused = true)]
async fn a_regenerate_puts_every_setting_back_also_when_it_is_cut_off_after_any_step() {
    let steps = ["delete", "create", "settings", "webhook", "websocket", "rabbitmq", "proxy", "verify"];
    for cut in steps {
        let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
        let before = set_up(&s).await;
        let old = s.wa().token("shop").unwrap();
        let op = carry_out(&s, Action::Regenerate, Some(cut)).await;
        // Another process takes the journal up.
        finish(&s, &op, None).await;
        assert_eq!(found(&s).await, before, "after {cut}");
        assert!(before.iter().any(|(kind, v)| *kind == "proxy" && v["password"] == "CANARY-PW"));
        assert!(!format!("{op:?}").contains("CANARY"), "a plan never prints what it seals");
        let new = s.wa().token("shop").unwrap();
        assert!(new != old && new.len() == 64);
        assert_eq!(Evolution.reveal(&s.cx, &s.target("shop")).await.unwrap(), new);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_row_under_the_name_stops_a_regenerate() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let op = carry_out(&s, Action::Regenerate, Some("delete")).await;
    let api = Api::new(&s.cx).unwrap();
    api.create(serde_json::json!({"instanceName":"shop","integration":"WHATSAPP-BAILEYS","token":"SOMEBODY-ELSE"})).await.unwrap();
    assert!(matches!(Evolution.check(&s.cx, &op, "create").await, Finding::Foreign(_)));
    let end = Evolution.run(&s.cx, &op, "create", None).await;
    assert!(matches!(&end, StepEnd::Failed { why, sent: false } if why.code == ReasonCode::Foreign), "{end:?}");
    let end = Evolution.run(&s.cx, &op, "delete", None).await;
    assert!(matches!(&end, StepEnd::Failed { sent: false, .. }), "{end:?}");
    assert!(s.wa().token("shop").unwrap().expose() == "SOMEBODY-ELSE");
}

#[tokio::test(start_paused = true)]
async fn an_instance_token_makes_no_plan_that_deletes() {
    let mut s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    s.cx.secrets = Secrets::from([(api::KEY.to_owned(), s.wa().token("shop").unwrap())]);
    let row = s.row("shop").await;
    let end = Evolution.plan(&s.cx, &row.target(), &Action::Regenerate, Inputs::new()).await;
    assert_eq!(end.err().unwrap().code, ReasonCode::CredentialNarrow);
    assert_eq!(s.say("/instance/delete/"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wipe_ends_the_session_and_a_restart_of_a_closed_row_is_no_success() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    carry_out(&s, Action::Do("restart".into()), None).await;
    carry_out(&s, Action::Wipe, None).await;
    let row = s.row("shop").await;
    assert_eq!(row.link.state, State::LoggedOut);
    assert_eq!(row.link.reason.unwrap().code, ReasonCode::Wiped, "our own wipe is not blamed on the phone");
    let api = Api::new(&s.cx).unwrap();
    assert_eq!(api.restart("shop").await.unwrap_err().code, ReasonCode::ServerRefused);
    api.logout("shop").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wipe_whose_account_links_anew_at_once_ends_within_seconds_and_says_so() {
    let s = Stage::of(Settings::default(), vec![spec(Past::Online)]).await;
    let row = s.row("shop").await;
    let plan = Evolution.plan(&s.cx, &row.target(), &Action::Wipe, Inputs::new()).await.unwrap();
    let op = Op::running(plan, s.cx.time.now());
    let began = Instant::now();
    let StepEnd::Failed { why, sent } = Evolution.run(&s.cx, &op, "closed", None).await else { panic!("it is open") };
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Nothing was sent by it, and waiting again is no use: the op ends with this.
    assert!(!sent && !why.code.passes() && why.code == ReasonCode::Foreign, "{why:?}");
    assert!(why.raw.unwrap().as_str().contains("open again"));
}

#[tokio::test(start_paused = true)]
async fn a_row_is_created_with_a_token_of_ours_and_deleted() {
    let s = Stage::of(Settings::default(), vec![spec(Past::New)]).await;
    let create = Action::Do("create".into());
    let nobody = s.target("");
    let make = |n: &str| Evolution.plan(&s.cx, &nobody, &create, Inputs::from([("name".into(), n.into())]));
    for bad in ["", "a/b", "x\u{1b}y", "a,b"] {
        assert!(make(bad).await.is_err(), "{bad:?}");
    }
    assert_eq!(make("shop").await.err().unwrap().code, ReasonCode::Foreign);
    assert!(make("客服一号").await.is_ok());
    carry_out(&s, Action::Do("delete".into()), None).await;
    assert!(s.wa().token("shop").is_none());
}
