//! The documents against the contract, field by field.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::{Verdict, now::TEST_WALL},
    domain::{
        Action, Boot, Fingerprint, Offer, Payload, Plan, ReasonCode, RemoteId, Replay, Secret, Secrets, Source, State, Step, Target, Witness,
        row::TokenSemantics,
    },
    i18n::common,
};

fn at(s: i64) -> Stamp {
    Stamp::wall_only(TEST_WALL.plus_ms(s * 1000))
}

pub(in crate::cli) fn row(account: &str, device: Option<&str>, state: State) -> Row {
    Row {
        gateway: GatewayId::new("wa-sp"),
        account: RemoteId::new(account),
        device: device.map(RemoteId::new),
        incarnation: Some("i-1".into()),
        label: Clean::new(device.unwrap_or(account)),
        identity: Some(Clean::new("5511999990001")),
        link: Link { state, since: Some(at(-60)), observed_at: Some(at(0)), source: Source::Events, reason: None, witnesses: vec![] },
        tokens: vec![],
        facts: vec![Fact { key: "profile", label: &common::YES, value: FactValue::Text(Clean::new("Loja")) }],
    }
}

fn keys(v: &Value) -> Vec<&str> {
    v.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_link_has_the_fields_of_the_contract() {
    let mut l = row("shop-b", None, State::LoggedOut).link;
    l.reason = Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
    l.witnesses = vec![Witness { source: Source::List, says: Clean::new("close"), state: State::Offline, observed_at: at(0) }];
    let v = link(&l, Lang::En);
    assert_eq!(keys(&v), ["observed_at", "reason", "since", "source", "state", "witnesses"]);
    assert_eq!((v["state"].as_str(), v["since"].as_str()), (Some("logged_out"), Some("2026-11-21T11:59:00Z")));
    assert_eq!((v["reason"]["code"].as_str(), v["reason"]["raw"].as_str()), (Some("logged_out"), Some("401")));
    assert_eq!(v["reason"]["remedy"].as_str(), Some("`pairdeck pair` pairs it."));
    assert_eq!((v["witnesses"][0]["source"].as_str(), v["witnesses"][0]["state"].as_str()), (Some("list"), Some("offline")));
    let unknown = link(&Link::unknown(), Lang::En);
    assert!(unknown["since"].is_null() && unknown["observed_at"].is_null() && unknown["reason"].is_null());
}

#[test]
fn a_list_puts_devices_into_their_account_and_links_inline() {
    let id = GatewayId::new("wa-sp");
    let link = Link { state: State::Online, ..Link::unknown() };
    let mut shop = row("a/b c", None, State::Online);
    shop.tokens.push(TokenInfo {
        fingerprint: Fingerprint::of(&[7; 32], &Secret::new("F00EB28B-80C2-47C7".into())),
        length: 18,
        issued_at: None,
        expires_at: Some(TEST_WALL),
        generation: 2,
        semantics: TokenSemantics::Lasting,
        rejected: false,
    });
    let rows = [shop, row("a/b c", Some("0"), State::Online), row("other", None, State::Offline)];
    let v = list(&[GatewayLine { name: &id, kind: "evolution", link: &link, facts: &GatewayFacts::default() }], &rows, Lang::En);
    assert_eq!(v["v"], 1);
    assert_eq!((v["gateways"][0]["name"].as_str(), v["gateways"][0]["state"].as_str()), (Some("wa-sp"), Some("online")));
    let a = &v["accounts"][0];
    assert_eq!(a["id"], "wa-sp:a%2Fb%20c");
    assert_eq!((a["kind"].as_str(), a["state"].as_str(), a["gateway"].as_str()), (Some("evolution"), Some("online"), Some("wa-sp")));
    assert_eq!(a["tokens"][0]["fingerprint"].as_str().map(str::len), Some(8));
    assert_eq!((a["tokens"][0]["semantics"].as_str(), a["tokens"][0]["expires_at"].as_str()), (Some("lasting"), Some("2026-11-21T12:00:00Z")));
    assert_eq!((a["devices"][0]["id"].as_str(), a["devices"][0]["facts"]["profile"].as_str()), (Some("wa-sp:a%2Fb%20c/0"), Some("Loja")));
    assert_eq!(v["accounts"][1]["devices"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_a_server_told_about_itself_and_about_its_credential_stands_with_its_gateway() {
    use crate::i18n::langbot as w;
    let (id, link) = (GatewayId::new("lb"), Link { state: State::Online, ..Link::unknown() });
    let facts = GatewayFacts {
        figures: vec![Fact { key: "work_rejected", label: &w::FIGURE_REJECTED, value: FactValue::Count(3) }],
        rights: vec![Message::new(&w::RIGHTS_NO_LOGIN)],
        ..GatewayFacts::default()
    };
    let v = list(&[GatewayLine { name: &id, kind: "langbot", link: &link, facts: &facts }], &[], Lang::En);
    assert_eq!(v["gateways"][0]["facts"]["work_rejected"], 3);
    assert!(v["gateways"][0]["rights"][0].as_str().is_some_and(|r| r.contains("no QR flows")));
}

#[test]
fn a_remedy_that_is_a_command_about_a_row_names_the_row() {
    let mut r = row("ops-bot", None, State::Expired);
    r.link.reason = Some(Reason::new(crate::domain::ReasonCode::TokenRejectedAgain));
    let told = status(&r, "wecom", Lang::En)["reason"]["remedy"].as_str().unwrap().to_owned();
    assert!(told.contains("`pairdeck do secret wa-sp:ops-bot`") && !told.contains("TARGET"), "{told}");
}

#[test]
fn an_offer_says_whether_it_is_proven_and_what_the_clock_said() {
    let offer = |fresh| Shown {
        offer: Offer {
            n: 2,
            kind: OfferKind::Code,
            payload: Payload::code("M6BR-KJ45").unwrap(),
            issued: at(0),
            dies: Boot(0),
            expires_at: TEST_WALL.plus_ms(45_000),
            fresh,
        },
        verdict: Verdict::Ok,
        overridden: false,
        epoch: 0,
    };
    let v = PairLine::Offer(&offer(Fresh::Rotated)).json(Lang::En);
    assert_eq!(
        (v["event"].as_str(), v["n"].as_u64(), v["kind"].as_str(), v["payload"].as_str()),
        (Some("offer"), Some(2), Some("code"), Some("M6BRKJ45"))
    );
    assert_eq!((v["issued_at"].as_str(), v["expires_at"].as_str()), (Some("2026-11-21T12:00:00Z"), Some("2026-11-21T12:00:45Z")));
    assert_eq!((v["fresh"].as_str(), v["clock"].as_str()), (Some("proven"), Some("ok")));
    assert_eq!(PairLine::Offer(&offer(Fresh::Presumed)).json(Lang::En)["fresh"], "unproven");
}

#[test]
fn every_pairing_event_carries_version_and_name() {
    let r = Reason::new(ReasonCode::StaleCode);
    let clock = json!({});
    for (line, name) in [
        (PairLine::Waiting(&r), "waiting"),
        (PairLine::Discarded(&r), "discarded"),
        (PairLine::Expired(1), "expired"),
        (PairLine::Hidden(&r), "hidden"),
        (PairLine::Blocked(&clock), "blocked"),
        (PairLine::Scanned(1), "scanned"),
        (PairLine::Linked(&[], 41, 2), "linked"),
        (PairLine::Failed(&r), "failed"),
    ] {
        let v = line.json(Lang::Zh);
        assert_eq!((v["v"].as_u64(), v["event"].as_str()), (Some(1), Some(name)));
    }
}

fn op(phase: OpPhase, step: usize, begun: bool) -> Op {
    let target = Target::account(&GatewayId::new("wa-sp"), &RemoteId::new("shop-d"));
    let step_of = |id: &str| Step { id: id.into(), words: Message::new(&common::YES), replay: Replay::AfterCheck, clock: false };
    let plan = Plan {
        v: 1,
        action: Action::Regenerate,
        target: target.clone(),
        steps: vec![step_of("delete"), step_of("create")],
        pivot: 0,
        loses: vec![Message::new(&common::NO)],
        clear: Value::Null,
        sealed: Secrets::new(),
    };
    Op { id: 1, action: Action::Regenerate, target, phase, step, begun, owner: "x".into(), at: at(0), plan: Some(plan), reason: None }
}

#[test]
fn an_outcome_tells_result_fingerprints_losses_and_steps() {
    let v = outcome(&op(OpPhase::Done, 2, false), Some("9c41e07b"), Some("51aa09de"), Lang::En);
    assert_eq!((v["result"].as_str(), v["old_fp"].as_str(), v["new_fp"].as_str()), (Some("new"), Some("9c41e07b"), Some("51aa09de")));
    assert_eq!((v["lost"][0].as_str(), v["steps"][1]["state"].as_str()), (Some("no"), Some("done")));
    let v = outcome(&op(OpPhase::Ambiguous, 1, true), Some("9c41e07b"), None, Lang::En);
    assert_eq!(
        (v["result"].as_str(), v["steps"][0]["state"].as_str(), v["steps"][1]["state"].as_str()),
        (Some("ambiguous"), Some("done"), Some("ambiguous"))
    );
    assert_eq!(Result::of(OpPhase::Done, (Some("a"), Some("a"))), Result::Unchanged);
    assert_eq!(Result::of(OpPhase::Done, (None, None)), Result::Done);
    assert_eq!(Result::of(OpPhase::Cancelled, (None, None)), Result::Failed);
}
