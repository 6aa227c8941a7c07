//! The QR flows: a credential that is told once, a code that dies by the server's word, what ends an attempt.

use super::*;
use crate::{domain::Offer, providers::PairEvent, sandbox::Scan};
use std::time::Duration;

async fn first_offer(stage: &Stage, pairing: &mut Box<dyn Pairing>) -> Offer {
    loop {
        match pairing.next(&stage.cx, None).await {
            PairEvent::Waiting(_) => {}
            PairEvent::Offer(offer) => {
                // Only once it is out can anything be lost.
                let staked = pairing.next(&stage.cx, None).await;
                assert!(matches!(&staked, PairEvent::Staked(r) if r.code == ReasonCode::CredentialLost), "{staked:?}");
                return offer.into_inner();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_scanned_code_gives_a_credential_that_is_committed_first_and_then_written() {
    for (adapter, setting) in [
        ("wecombot", "Secret"),
        ("weixin", "token"),
        ("lark", "app_secret"),
        ("dingtalk", "client_secret"),
        ("qqofficial", "secret"),
        ("lark-omni", "app_secret"),
        ("dingtalk-omni", "client_secret"),
        ("qqofficial-omni", "secret"),
        ("wecombot-omni", "Secret"),
    ] {
        let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", adapter, true)], By::Login).await;
        let row = stage.row("helper").await;
        let mut pairing = LangBot.pair(&stage.cx, &row.target(), want()).await.unwrap();
        let offer = first_offer(&stage, &mut pairing).await;
        let shown = stage.server().sessions().remove(0);
        assert_eq!(offer.payload.expose(), shown.payload, "{adapter}");
        stage.server().scan(|_| true, Scan::Agrees).unwrap();
        let PairEvent::Owes(secrets, plan) = pairing.next(&stage.cx, None).await else { panic!("{adapter}: no credential") };
        let given = secrets[&format!("qr/{setting}")].expose().to_owned();
        assert!(matches!(pairing.next(&stage.cx, None).await, PairEvent::Linked(_)), "{adapter}: not linked");
        pairing.end(&stage.cx).await;
        let loads = stage.server().bot("helper").unwrap().loads;
        stage.run(plan).await.unwrap();
        let kept = api::Api::new(&stage.cx).unwrap().config(row.account.as_str()).await.unwrap();
        assert_eq!(kept[setting].as_str(), Some(given.as_str()), "{adapter}");
        if adapter == "wecombot" {
            assert_eq!(kept["Corpid"].as_str(), Some(""), "what was there stays");
        }
        assert!(stage.server().bot("helper").unwrap().loads > loads, "{adapter}");
        // What is said of it then is what was just seen: it stands there, and the journal erases its copy.
        let said = LangBot.paired().unwrap().map(|w| w.get(crate::i18n::Lang::En)).join(" ");
        assert!(said.contains("in the bot's settings") && said.contains("nothing of it is kept here"), "{adapter}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_life_of_a_code_is_the_servers_own_whatever_its_clock() {
    for skew in [0.0, 3600.0, -86_400.0] {
        let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Login).await;
        stage.server().skew(Some(skew));
        let row = stage.row("helper").await;
        let mut pairing = LangBot.pair(&stage.cx, &row.target(), want()).await.unwrap();
        let offer = first_offer(&stage, &mut pairing).await;
        let left = offer.dies.since(stage.cx.time.now().boot_now());
        assert!((297..=300).contains(&left.as_secs()), "{skew}: {left:?}");
        let event = pairing.next(&stage.cx, None).await;
        assert!(matches!(event, PairEvent::Expired), "{event:?}");
        assert!(matches!(pairing.next(&stage.cx, None).await, PairEvent::Offer(_)), "and the next one comes");
        pairing.end(&stage.cx).await;
        assert!(stage.server().sessions().len() <= 1, "a session that is left is ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_cannot_pair_and_a_declined_code_ends_the_attempt() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Key).await;
    let row = stage.row("helper").await;
    assert_eq!(LangBot.pair(&stage.cx, &row.target(), want()).await.err().unwrap().code, ReasonCode::CredentialNarrow);
    let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", "wecombot", true)], By::Login).await;
    let row = stage.row("helper").await;
    let mut pairing = LangBot.pair(&stage.cx, &row.target(), want()).await.unwrap();
    first_offer(&stage, &mut pairing).await;
    stage.server().scan(|_| true, Scan::Declines).unwrap();
    let event = pairing.next(&stage.cx, None).await;
    assert!(matches!(&event, PairEvent::Failed(r) if r.code == ReasonCode::ServerRefused), "{event:?}");
    let stage = Stage::of(LangBotSettings { offline: true, ..LangBotSettings::default() }, vec![bot("helper", "wecombot", true)], By::Login).await;
    let row = stage.row("helper").await;
    let mut pairing = LangBot.pair(&stage.cx, &row.target(), want()).await.unwrap();
    let _ = pairing.next(&stage.cx, None).await;
    let event = pairing.next(&stage.cx, None).await;
    let PairEvent::Failed(why) = event else { panic!("{event:?}") };
    assert_eq!((why.code, why.arg("evidence")), (ReasonCode::PlatformUnavailable, Some("way_out")));
}

#[test]
fn every_adapter_whose_manifest_has_a_code_to_scan_has_a_flow_except_the_one_that_is_set_up_by_a_link() {
    let body = crate::hostile::recorded("langbot/walk/50-adapters-qr-fields.http");
    let all = wire::envelope(&body).unwrap().data["adapters"].as_array().unwrap().clone();
    let with: Vec<_> = all.iter().filter(|a| !a["spec"]["config"].as_array().unwrap().is_empty()).map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(with.len(), 11);
    let without: Vec<_> = with.into_iter().filter(|a| super::super::qr::flow(a).is_none()).collect();
    assert_eq!(without, ["slack", "slack-omni"]);
}

#[test]
fn a_bot_of_another_adapter_has_no_code_to_show() {
    let row = Row {
        gateway: GatewayId::new("lb"),
        account: RemoteId::new("1"),
        device: None,
        incarnation: None,
        label: Clean::new("a"),
        identity: None,
        link: crate::domain::Link { state: State::Loaded, ..crate::domain::Link::unknown() },
        tokens: Vec::new(),
        facts: vec![crate::domain::Fact { key: rows::ADAPTER, label: &w::FACT_ADAPTER, value: crate::domain::FactValue::Text(Clean::new("wecom")) }],
    };
    assert!(matches!(LangBot.can(&row, &Action::Pair, &GatewayFacts::default()), Err(Not::Unsupported(_))));
}

#[tokio::test(start_paused = true)]
async fn a_code_that_was_agreed_to_in_its_last_second_is_not_lost_and_one_that_was_not_takes_no_scan_any_more() {
    // The flows whose session outlives its code; the others forget both a little earlier.
    for (adapter, agrees) in [("weixin", true), ("weixin", false), ("lark", false)] {
        let stage = Stage::of(LangBotSettings::default(), vec![bot("helper", adapter, true)], By::Login).await;
        let row = stage.row("helper").await;
        let mut pairing = LangBot.pair(&stage.cx, &row.target(), want()).await.unwrap();
        let offer = first_offer(&stage, &mut pairing).await;
        // The end that is shown is never later than the server's, and up to a second earlier.
        let left = offer.dies.since(stage.cx.time.now().boot_now());
        let scan = async {
            tokio::time::sleep(left + Duration::from_millis(200)).await;
            assert_eq!(stage.server().sessions()[0].status, "waiting", "{adapter}: the server's own end is later");
            if agrees {
                stage.server().scan(|_| true, Scan::Agrees).unwrap();
            }
            std::future::pending::<()>().await;
        };
        let event = tokio::select! {
            event = pairing.next(&stage.cx, None) => event,
            () = scan => unreachable!(),
        };
        match agrees {
            true => assert!(matches!(event, PairEvent::Owes(..)), "{adapter}: {event:?}"),
            false => {
                assert!(matches!(event, PairEvent::Expired), "{adapter}: {event:?}");
                let late = stage.server().scan(|row| row.payload == offer.payload.expose(), Scan::Agrees);
                assert!(late.is_err(), "{adapter}: a code is scanned that nobody waits for");
            }
        }
    }
}
