//! Gateways whose accounts live by a token, on a real deck: added with the form, refused, and with the shared store away.

use super::{
    hands::{press, select, wait_row},
    house::deck,
};
use crate::support::{
    house::{Home, Servers},
    pty::Pty,
};
use pairdeck::sandbox::{AppSpec, Part, TokenFault, TokenSettings};
use std::{fs, io::Write};

const OPS: &str = "CANARY-OPS-SECRET-b41c07";
const CRM: &str = "CANARY-CRM-SECRET-77d0aa";
const OA: &str = "CANARY-OA-SECRET-0c11f2";

fn app(id: &str, name: &str, secret: &str) -> AppSpec {
    AppSpec { id: id.into(), name: name.into(), secret: secret.into(), ..AppSpec::default() }
}

/// Servers, and a home that knows them.
struct House {
    servers: Servers,
    home: Home,
}

impl House {
    fn open(&self) -> Pty {
        deck().args(["--home".as_ref(), self.home.path().as_os_str()]).size(150, 45).spawn()
    }
}

fn house(apps: Vec<AppSpec>) -> House {
    let corp = Part::Tokens(Box::default(), apps);
    let oa = Part::Tokens(Box::new(TokenSettings::wechat_oa()), vec![app("wx1a2b3c", "news", OA)]);
    let lb = Part::LangBot(Box::default(), Vec::new());
    let servers = Servers::with(vec![("corp", corp), ("oa", oa), ("lb", lb)]);
    let home = Home::of(&servers);
    House { servers, home }
}

fn url(house: &House, name: &str) -> String {
    house.servers.sandbox().gateways().into_iter().find(|g| g.name == name).unwrap().url
}

/// Fills the form for the kind called `kind`, line by line, and presses Enter. Nothing is typed for an empty text.
fn add(pty: &Pty, kind: &str, texts: &[&str]) {
    press(pty, "a", "the form", |s| s.contents().contains("add a gateway").then_some(()));
    pty.keys("<Up>");
    for _ in 0..10 {
        if pty.text().contains(&format!("‹{kind}›")) {
            break;
        }
        // Anything else on the screen may change meanwhile.
        let chosen = |text: &str| text.split_once('‹').and_then(|(_, rest)| rest.split_once('›')).map(|(kind, _)| kind.to_owned());
        let before = chosen(&pty.text());
        pty.keys("<Right>");
        pty.wait_until("another kind", |s| (chosen(&s.contents()) != before).then_some(()));
    }
    pty.wait_for(&format!("‹{kind}›"));
    for text in texts {
        pty.keys("<Tab>");
        if !text.is_empty() {
            pty.paste(text);
        }
    }
    pty.keys("<Enter>");
}

#[test]
fn a_gateway_of_every_token_kind_is_added_from_the_deck_and_its_token_lives_at_once() {
    let house = house(vec![app("1000002", "ops", OPS), app("1000005", "crm", CRM)]);
    let pty = house.open();
    wait_row(&pty, "ops", "ready");
    let corp = house.servers.sandbox().tokens("corp").unwrap().settings().corpid.clone();
    let (at, oa) = (url(&house, "corp"), url(&house, "oa"));
    // A wrong Secret is refused, and nothing is kept; the right one in its place is taken.
    add(&pty, "WeCom", &["second", &at, &corp, "crm2", "1000005", "CANARY-wrong-secret-000000"]);
    pty.wait_for("The Secret is rejected.");
    pty.keys("<C-u>");
    pty.paste(CRM);
    pty.keys("<Enter>");
    pty.wait_for("Gateway second added");
    wait_row(&pty, "crm2", "ready");
    add(&pty, "WeChat Official Account", &["press", &oa, "news2", "wx1a2b3c", OA]);
    pty.wait_for("Gateway press added");
    wait_row(&pty, "news2", "ready");
    add(&pty, "WeCom AI bot", &["ai", "", "desk", "aib-1a2b3c", "CANARY-AI-SECRET-0011223344"]);
    pty.wait_for("Gateway ai added");
    wait_row(&pty, "desk", "loaded");
    for secret in [OPS, CRM, OA, "CANARY-wrong", "CANARY-AI"] {
        pty.assert_never_wrote(secret);
    }
    let text = fs::read_to_string(house.home.file("config.toml")).unwrap();
    for line in ["[gateway.second.account.crm2]", "id = \"1000005\"", "[gateway.press.account.news2]", "[gateway.ai.account.desk]"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("CANARY"), "{text}");
    // A deck that is started anew reads what was kept.
    drop(pty);
    let pty = house.open();
    wait_row(&pty, "crm2", "ready");
    wait_row(&pty, "news2", "ready");
}

#[test]
fn a_langbot_server_is_added_from_the_deck_with_a_login_or_with_a_key() {
    let house = house(vec![app("1000002", "ops", OPS)]);
    let info = house.servers.sandbox().gateways().into_iter().find(|g| g.name == "lb").unwrap();
    let user = info.more.iter().find(|(n, _)| *n == "user").map(|(_, u)| u.trim_matches('"').to_owned()).unwrap();
    let (password, key) = (info.credentials["password"].expose().to_owned(), info.credentials["api_key"].expose().to_owned());
    let pty = house.open();
    wait_row(&pty, "ops", "ready");
    add(&pty, "LangBot", &["desk", &info.url, &user, &password]);
    pty.wait_for("Gateway desk added");
    add(&pty, "LangBot", &["keyed", &info.url, "", &key]);
    pty.wait_for("Gateway keyed added");
    let names = house.home.run(&["secret", "status"]).exits(0).stdout;
    assert!(names.contains("gateway/desk/password") && names.contains("gateway/keyed/api_key"), "{names}");
    for secret in [&password, &key] {
        pty.assert_never_wrote(secret);
    }
}

#[test]
fn an_address_that_is_not_trusted_is_copied_by_one_key_and_its_token_does_not_look_alive() {
    let closed = AppSpec { trusted: Some(Vec::new()), ..app("1000002", "ops", OPS) };
    let house = house(vec![closed]);
    let pty = house.open();
    wait_row(&pty, "ops", "refused");
    select(&pty, "ops");
    pty.wait_for("▱▱▱▱▱▱▱▱▱▱ refused · life to ");
    press(&pty, "y", "the copy", |s| s.contents().contains("203.0.113.7 copied").then_some(()));
    // "203.0.113.7" in base64.
    assert_eq!(pty.clipboard(), [b"MjAzLjAuMTEzLjc=".to_vec()]);
}

#[test]
fn every_deck_of_a_home_says_that_the_shared_store_is_away() {
    let house = house(vec![app("1000002", "ops", OPS)]);
    let config = house.home.file("config.toml");
    // Nothing listens on port 1.
    let shared = b"\n[shared]\nredis = \"redis://127.0.0.1:1\"\n";
    fs::OpenOptions::new().append(true).open(config).and_then(|mut f| f.write_all(shared)).unwrap();
    let first = house.open();
    wait_row(&first, "ops", "ready");
    first.wait_for("shared store away: tokens of this host only");
    let second = house.open();
    wait_row(&second, "ops", "ready");
    second.wait_for("shared store away: tokens of this host only");
}

#[test]
fn a_config_that_is_taken_away_for_a_while_leaves_the_rows_and_is_followed_again() {
    let house = house(vec![app("1000002", "ops", OPS)]);
    let (config, aside) = (house.home.file("config.toml"), house.home.file("config.bak"));
    let pty = house.open();
    wait_row(&pty, "ops", "ready");
    pty.wait_for("news");
    fs::rename(&config, &aside).unwrap();
    pty.wait_for("config.toml is gone");
    wait_row(&pty, "ops", "ready");
    pty.wait_for("news");
    // Back as it was but for one gateway that is not in it any more.
    let all = fs::read_to_string(&aside).unwrap();
    let without = all.split("[gateway.").filter(|part| !part.starts_with("oa")).collect::<Vec<_>>().join("[gateway.");
    fs::write(&config, without).unwrap();
    pty.wait_gone("config.toml is gone");
    pty.wait_gone("news");
    assert!(pty.text().contains("ops"), "{}", pty.text());
}

#[test]
fn a_pause_is_shown_with_its_end_and_b_sends_exactly_one_fetch_past_it() {
    let house = house(vec![app("1000002", "ops", OPS)]);
    let server = house.servers.sandbox().tokens("corp").unwrap().clone();
    let fetches = || server.asked().0.iter().filter(|r| r.path.contains("/gettoken")).count();
    let pty = house.open();
    wait_row(&pty, "ops", "ready");
    select(&pty, "ops");
    // No pause yet: the view says so, lists no such key, and sends nothing.
    press(&pty, "T", "the view", |s| s.contents().contains("Fetches      ·········▁  1 in 10 min").then_some(()));
    assert!(!pty.text().contains("breaker"), "{}", pty.text());
    pty.keys("b");
    pty.wait_for("No pause is in force");
    assert_eq!(fetches(), 1);
    server.fault(TokenFault::parse("rate", None, false).unwrap(), u32::MAX, None);
    pty.keys("r");
    pty.wait_for("REGENERATE ops");
    fire(&pty);
    pty.wait_for("asks to slow down");
    assert_eq!(fetches(), 2);
    press(&pty, "T", "the pause", |s| (s.contents().contains("Paused ") && s.contents().contains("b breaker")).then_some(()));
    for words in ["more, until ", "The server asks to slow down. [45009]", "failed: The server asks to slow down"] {
        assert!(pty.text().contains(words), "{words}: {}", pty.text());
    }
    // `r` does not get past it.
    pty.keys("r");
    pty.wait_for("REGENERATE ops");
    fire(&pty);
    pty.wait_gone("REGENERATE ops");
    press(&pty, "T", "the pause", |s| s.contents().contains("b breaker").then_some(()));
    // Armed, it says what it costs and waits for Enter.
    pty.keys("b");
    pty.wait_for("RETRY ops");
    pty.wait_for("if refused, it begins anew, perhaps longer");
    assert_eq!(fetches(), 2);
    fire(&pty);
    pty.wait_gone("RETRY ops");
    press(&pty, "T", "the longer pause", |s| s.contents().contains("refused 2 times in a row").then_some(()));
    assert_eq!(fetches(), 3, "exactly one further fetch");
    pty.keys("<Esc>");
    // The same from a shell, now that the platform answers again: the pause is over.
    server.heal();
    house.home.run(&["do", "retry", "corp:ops", "--yes"]).exits(0);
    assert_eq!(fetches(), 4);
    house.home.run(&["do", "retry", "corp:ops", "--yes"]).says(&["No pause is in force"]);
    assert_eq!(fetches(), 4);
    pty.assert_never_wrote(OPS);
}

/// Enter, once it counts: it is swallowed for the first 300 ms after arming, which is the behaviour, not a wait for something.
fn fire(pty: &Pty) {
    std::thread::sleep(std::time::Duration::from_millis(500));
    pty.keys("<Enter>");
}
