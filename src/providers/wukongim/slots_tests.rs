#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::{
    domain::{Clean, Fact, Fingerprint, GatewayId, Link, RemoteId, Secret, Source, Stamp, TokenInfo, Wall, row::TokenSemantics},
    i18n::{Lang, wukongim as words},
    providers::Suggestion,
    store::config::Reserved,
};

const NOW: Wall = Wall(1_795_246_820_000);

struct Device {
    flag: u8,
    level: &'static str,
    state: State,
    ids: &'static str,
    fight: Option<(&'static str, &'static str)>,
}

fn dev(flag: u8, level: &'static str, state: State) -> Device {
    Device { flag, level, state, ids: "", fight: None }
}

fn row(d: &Device) -> Row {
    let mut facts = vec![("level", d.level)];
    if !d.ids.is_empty() {
        facts.push(("device_id", d.ids));
    }
    if let Some((from, to)) = d.fight {
        facts.extend([("displaced", from), ("displaced_by", to)]);
    }
    let key = [7; 32];
    let token = TokenInfo {
        fingerprint: Fingerprint::of(&key, &Secret::new(format!("token of flag {} is long", d.flag))),
        length: 32,
        issued_at: None,
        expires_at: None,
        generation: 0,
        semantics: TokenSemantics::Lasting,
        rejected: false,
    };
    Row {
        gateway: GatewayId::new("im"),
        account: RemoteId::new("u1"),
        device: Some(RemoteId::new(&d.flag.to_string())),
        incarnation: None,
        label: Clean::new("x"),
        identity: None,
        link: Link {
            state: d.state,
            since: Some(Stamp::wall_only(NOW.plus_ms(-3 * 3_600_000))),
            observed_at: Some(Stamp::wall_only(NOW)),
            source: Source::Metrics,
            reason: None,
            witnesses: vec![],
        },
        tokens: if d.state == State::LoggedOut { vec![] } else { vec![token] },
        facts: facts.into_iter().map(|(key, v)| Fact { key, label: &words::FACT_LEVEL, value: FactValue::Text(Clean::new(v)) }).collect(),
    }
}

fn plan(lines: &[(&str, u8, bool)]) -> Vec<PlanLine> {
    lines.iter().map(|(p, flag, master)| PlanLine { platform: (*p).to_owned(), flag: *flag, master: *master }).collect()
}

fn table(settings: &WuKongIm, devices: &[Device]) -> SlotTable {
    let rows: Vec<Row> = devices.iter().map(row).collect();
    let t = slots(settings, &rows);
    assert!(t.lines.iter().all(|l| l.cells.len() == t.head.len()));
    t
}

fn texts(all: &[Message]) -> Vec<String> {
    all.iter().map(|m| m.text(Lang::En)).collect()
}

fn would(d: Device) -> String {
    table(&WuKongIm::default(), &[d]).lines[0].would.as_ref().unwrap().text(Lang::En)
}

#[test]
fn what_a_login_would_do_is_said_before_it_happens() {
    assert_eq!(would(dev(1, "master", State::Online)), "A login on WEB 1 kicks the one there, online for 3h.");
    assert_eq!(would(dev(1, "slave", State::Online)), "A login on WEB 1: both stay; with the same device id the old one goes silent.");
    assert_eq!(would(dev(1, "master", State::Offline)), "A login on WEB 1 kicks nobody.");
    assert_eq!(would(dev(1, "master", State::LoggedOut)), "A login on WEB 1 is refused: it has no token.");
}

#[test]
fn two_on_one_flag_get_the_flag_that_the_plan_has_ready() {
    let settings = WuKongIm { plan: plan(&[("Android", 0, true), ("Web", 1, false), ("iPhone", 5, true)]), ..WuKongIm::default() };
    let fight = Device { fight: Some(("a3f1 10.0.4.7", "77c0 10.0.9.2")), ..dev(0, "master", State::Conflict) };
    let t = table(&settings, &[fight, Device { ids: "b001", ..dev(1, "slave", State::Online) }]);
    assert_eq!(texts(&t.warnings), ["Two clients take turns on APP 0."]);
    assert_eq!(texts(&t.advice), ["Issue a token for flag 5, level master, and give it to iPhone."]);
    assert_eq!(t.suggest, Some(Suggestion { verb: "issue", given: vec![("flag", "5".into()), ("level", "master".into())] }));
    let line = |i: usize| texts(&t.lines[i].cells);
    assert_eq!((line(0)[3].as_str(), line(0)[5].as_str()), ("77c0 a3f1", "two clients"));
    assert_eq!((line(1)[3].as_str(), line(1)[5].as_str()), ("b001", "-"));
    assert_eq!((line(2)[0].as_str(), line(2)[5].as_str(), t.lines[2].state), ("iPhone 5", "unused", State::Unknown));
}

#[test]
fn a_free_flag_is_neither_used_nor_planned_nor_reserved_nor_named() {
    let settings =
        WuKongIm { flags: vec![("kiosk".into(), 3)], reserved: vec![Reserved { from: 4, to: 9, what: "bots".into() }], ..WuKongIm::default() };
    let t = table(&settings, &[dev(0, "slave", State::Conflict), dev(10, "slave", State::Online)]);
    assert_eq!(texts(&t.advice), ["Issue a token for flag 11, level slave, and give it to one of the two on APP 0."]);
    // Everything reserved: nothing is made up.
    let full = WuKongIm { reserved: vec![Reserved { from: 3, to: 255, what: "bots".into() }], ..WuKongIm::default() };
    let t = table(&full, &[dev(0, "slave", State::Conflict)]);
    assert_eq!(texts(&t.advice), ["No flag is free: all of 3 to 255 are used, planned or reserved."]);
    assert_eq!(t.suggest, None);
}

#[test]
fn drift_is_everything_that_the_plan_does_not_say() {
    let settings = WuKongIm {
        plan: plan(&[("Web", 1, false), ("iPhone", 5, true), ("iPad", 5, true)]),
        reserved: vec![Reserved { from: 10, to: 20, what: "bots".into() }],
        max_devices: Some(3),
        max_slaves: Some(1),
        ..WuKongIm::default()
    };
    let devices = [
        dev(0, "slave", State::Offline),
        dev(1, "master", State::Online),
        dev(7, "slave", State::LoggedOut),
        dev(12, "slave", State::Online),
        dev(99, "master", State::Online),
    ];
    let t = table(&settings, &devices);
    let drift: Vec<(String, String)> = t.lines.iter().map(|l| (l.slot.to_string(), l.cells[5].text(Lang::En))).collect();
    let drift: Vec<(&str, &str)> = drift.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(
        drift,
        [("0", "not planned"), ("1", "plan: slave"), ("5", "unused"), ("7", "-"), ("12", "reserved: bots"), ("99", "server's own")],
        "a wiped row, which the server never deletes, is no use of its flag"
    );
    let warnings = texts(&t.warnings);
    for said in [
        "iPhone, iPad share flag 5 in the plan: each login replaces the other's token.",
        "WEB 1 is master; the plan says slave.",
        "APP 0 is used, but in no line of the plan.",
        "12 is used, but reserved for bots.",
        "4 devices have a token; at most 3 are wanted.",
        "2 slaves have a token; at most 1 are wanted.",
    ] {
        assert!(warnings.iter().any(|w| w == said), "{said} is not in {warnings:#?}");
    }
    assert!(texts(&t.advice).contains(&"Plan flag 3 for iPad.".to_owned()), "{:?}", texts(&t.advice));
}

#[test]
fn an_honest_account_without_a_plan_has_nothing_to_say() {
    let t = table(&WuKongIm::default(), &[dev(0, "master", State::Online), dev(1, "slave", State::Online)]);
    assert_eq!((t.warnings, t.advice, t.suggest), (vec![], vec![], None));
}
