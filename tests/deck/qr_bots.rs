//! The QR flows of a LangBot server on a real deck: a code from the server, a phone that scans it off the screen, a credential that
//! is told once and ends in the bot's settings, never on the screen.

use super::{
    hands::{self, choose, press, select, wait_row},
    house::House,
};
use crate::support::{eye, pty::Pty};
use pairdeck::sandbox::{BotSpec, Flow, LangBot, LangBotSettings, LangBotTiming, Part, Scan};
use serde_json::Value;
use std::time::Duration;

const KEY: &str = "lbk_CANARY_deck_7710";
/// Each adapter with a flow, and the settings that its credential becomes.
const BOTS: [(&str, &str, Flow, &[&str]); 5] = [
    ("helper", "wecombot", Flow::WecomBot, &["BotId", "Secret"]),
    ("friend", "weixin", Flow::Weixin, &["token", "base_url", "account_id"]),
    ("lark", "lark", Flow::Lark, &["app_id", "app_secret"]),
    ("ding", "dingtalk", Flow::DingTalk, &["client_id", "client_secret"]),
    ("penguin", "qqofficial", Flow::QqOfficial, &["appid", "secret"]),
];

fn house(code: Option<Duration>) -> House {
    let bot = |(name, adapter): (&str, &str)| {
        let config: Value = if adapter == "wecombot" { serde_json::json!({ "BotId": "", "Secret": "" }) } else { serde_json::json!({}) };
        BotSpec { name: name.into(), adapter: adapter.into(), config: config.as_object().unwrap().clone(), enable: true, ..BotSpec::default() }
    };
    let timing = LangBotTiming { code, ..LangBotTiming::default() };
    let settings = LangBotSettings { global_key: Some(KEY.into()), timing, ..LangBotSettings::default() };
    let bots = BOTS.iter().map(|b| (b.0, b.1)).chain([("plain", "telegram")]).map(bot).collect();
    House::servers(vec![("lb".to_owned(), Part::LangBot(Box::new(settings), bots))])
}

fn server(house: &House) -> &LangBot {
    house.sandbox.langbot("lb").unwrap()
}

fn open(house: &House) -> Pty {
    let pty = house.deck().size(130, 45).spawn();
    pty.wait_until("all bots, none stale", |s| {
        let text = s.contents();
        (BOTS.iter().all(|b| text.contains(b.0)) && text.contains("plain") && !text.contains('~')).then_some(())
    });
    pty
}

/// Requests to the QR flows.
fn flows(house: &House) -> Vec<String> {
    let asked = server(house).asked().0.into_iter().filter(|r| r.path.contains("/platform/adapters/"));
    asked.map(|r| format!("{} {}", r.method, r.path)).collect()
}

fn config(house: &House, bot: &str) -> Value {
    let id = server(house).bot(bot).unwrap().uuid;
    crate::support::house::langbot_bot(&server(house).url(), KEY, &id)["adapter_config"].clone()
}

fn pair(pty: &Pty, bot: &str) {
    choose(pty, bot, "QR");
    pty.keys("<Enter>");
    pty.wait_for("PAIR ");
}

/// Every file of the home, as text.
fn files(house: &House) -> String {
    let read = |p: std::path::PathBuf| String::from_utf8_lossy(&std::fs::read(p).unwrap_or_default()).into_owned();
    crate::support::house::files(house.home.path()).into_iter().map(read).collect()
}

#[test]
fn each_of_the_five_flows_is_offered_and_its_credential_ends_in_the_bots_settings_and_nowhere_on_screen() {
    let house = house(None);
    let mut pty = open(&house);
    for (bot, _, flow, settings) in BOTS {
        pair(&pty, bot);
        let payload = pty.wait_until("the code of this flow", |s| {
            let shown = server(&house).sessions().into_iter().find(|row| row.flow == flow)?.payload;
            eye::decode_qr(s, eye::Background::Dark).filter(|read| *read == shown)
        });
        eye::assert_style_that_scans(&pty.screen());
        server(&house).scan(|row| row.payload == payload, Scan::Agrees).unwrap();
        pty.wait_for(&format!("PAIRED  {bot}"));
        pty.wait_until("nothing to scan beside the success", |s| eye::qr_cells(s).is_empty().then_some(()));
        assert!(server(&house).sessions().is_empty(), "the answer that carries the credential ends the session");
        let config = config(&house, bot);
        let (kept, home) = (settings.iter().map(|s| config[*s].as_str().unwrap_or_else(|| panic!("{bot}: no {s} in {config}"))), files(&house));
        for secret in kept.filter(|s| s.len() > 16 && !s.starts_with("https://")) {
            pty.assert_never_wrote(secret);
            assert!(!home.contains(secret), "{bot}: the credential lies in clear in a file");
        }
        pty.keys("<Esc>");
        wait_row(&pty, bot, "loaded");
    }
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_bot_of_an_adapter_without_a_code_says_so_and_asks_nothing() {
    let house = house(None);
    let pty = open(&house);
    select(&pty, "plain");
    press(&pty, "p", "a refusal", |s| hands::lines(s).iter().any(|l| l.starts_with("  · ")).then_some(()));
    assert_eq!(flows(&house), Vec::<String>::new());
}

#[test]
fn a_code_dies_by_the_servers_word_and_the_next_one_is_shown_and_works() {
    let house = house(Some(Duration::from_secs(12)));
    let pty = open(&house);
    pair(&pty, "friend");
    let first = pty.wait_for_qr();
    let second = pty.wait_until("another code", |s| eye::decode_qr(s, eye::Background::Dark).filter(|c| *c != first));
    assert!(server(&house).scan(|row| row.payload == first, Scan::Agrees).is_err(), "the server took the dead one");
    server(&house).scan(|row| row.payload == second, Scan::Agrees).unwrap();
    pty.wait_for("PAIRED  friend");
    assert!(config(&house, "friend")["token"].as_str().is_some_and(|t| t.len() > 16));
}

#[test]
fn a_server_whose_clock_is_a_little_off_gives_codes_that_live_as_long_as_it_says() {
    let house = house(None);
    // Below what blocks: its own `expire_at` against our clock would be off by as much.
    server(&house).skew(Some(-12.0));
    let pty = open(&house);
    pair(&pty, "helper");
    pty.wait_for_qr();
    let left = pty.wait_until("the countdown", |s| {
        let text = s.contents();
        text.split_once("dies in ")?.1.split(' ').next()?.parse::<u32>().ok()
    });
    assert!((280..=300).contains(&left), "{left} s of 300 are left");
}

#[test]
fn a_server_three_hours_ahead_blocks_and_no_flow_is_begun() {
    let house = house(None);
    server(&house).skew(Some(10_800.0));
    let pty = open(&house);
    choose(&pty, "helper", "QR");
    pty.keys("<Enter>");
    pty.wait_for("NOT STARTED");
    for keys in ["<Enter>", "s"] {
        pty.keys(keys);
    }
    assert_eq!((flows(&house), server(&house).sessions().len()), (Vec::new(), 0));
    assert!(eye::qr_cells(&pty.screen()).is_empty());
}

#[test]
fn an_attempt_that_is_left_ends_its_session_and_changes_nothing() {
    let house = house(None);
    let mut pty = open(&house);
    let before = config(&house, "helper");
    pair(&pty, "helper");
    pty.wait_for_qr();
    pty.keys("<Esc>");
    wait_row(&pty, "helper", "loaded");
    pty.wait_until("nothing to scan is left", |s| eye::qr_cells(s).is_empty().then_some(()));
    pty.keys("q");
    pty.assert_exit(0);
    assert!(server(&house).sessions().is_empty(), "a session is left behind");
    assert!(flows(&house).iter().any(|r| r.starts_with("DELETE ")), "{:?}", flows(&house));
    assert_eq!(config(&house, "helper"), before);
    // Left in order is not killed: the next one has nothing to tell.
    let (status, told) = house.headless(&["list", "--json"]);
    assert!(status == 0 && !told.contains("credential_lost"), "{told}");
}

#[test]
fn a_code_that_is_declined_fails_with_the_servers_word_and_another_attempt_pairs() {
    let house = house(None);
    let pty = open(&house);
    pair(&pty, "penguin");
    pty.wait_for_qr();
    server(&house).scan(|_| true, Scan::Declines).unwrap();
    pty.wait_for("Not paired");
    assert_eq!(config(&house, "penguin"), serde_json::json!({}));
    pty.keys("<Esc>");
    wait_row(&pty, "penguin", "loaded");
    pair(&pty, "penguin");
    pty.wait_for_qr();
    server(&house).scan(|_| true, Scan::Agrees).unwrap();
    pty.wait_for("PAIRED  penguin");
}
