//! `status --why` and `check`: each cause by its exact words, with the sandbox's own log as what an operator pastes, and no
//! token on stdout or stderr, whatever was typed or pasted.

use crate::support::house::{Home, Servers};
use pairdeck::sandbox::{DeviceSpec, Part, UidSpec, Version, Wukong, WukongSettings};
use serde_json::json;

const APP: &str = "CANARY-app-f00eb28b80c247c7";
const WEB: &str = "CANARY-web-09b4aa6173d1e5f0";
const LOST: &str = "CANARY-lost-77c0a3f1b001d3c2";

fn device(flag: u8, level: u8, token: &str) -> DeviceSpec {
    DeviceSpec { flag, level, token: token.to_owned(), ..DeviceSpec::default() }
}

fn user(uid: &str, devices: Vec<DeviceSpec>) -> UidSpec {
    UidSpec { uid: uid.to_owned(), devices, ..UidSpec::default() }
}

/// A server `im` with one user of each fate, and a home that looks for its tokens in everything that is said.
fn house(version: Version) -> (Servers, Home) {
    let users = vec![
        user("two", vec![device(0, 1, APP), device(1, 0, WEB)]),
        user("wiped", vec![DeviceSpec { flag: 0, level: 1, token: LOST.to_owned(), wiped: true, ..DeviceSpec::default() }]),
        UidSpec { ban: true, ..user("banned", vec![device(0, 1, APP)]) },
    ];
    let settings = WukongSettings { version, ..WukongSettings::default() };
    let servers = Servers::with(vec![("im", Part::Wukong(Box::new(settings), users))]);
    let mut home = Home::of(&servers);
    for token in [APP, WEB, LOST] {
        home.canary(token);
    }
    (servers, home)
}

fn im(servers: &Servers) -> &Wukong {
    servers.sandbox().wukong("im").unwrap()
}

/// The end of the server's own log: each refusal is two lines there.
fn logged(servers: &Servers) -> String {
    let log = im(servers).log();
    log[log.len().saturating_sub(2)..].join("\n")
}

#[test]
fn each_cause_is_told_by_its_words_and_ends_with_1() {
    let (_servers, home) = house(Version::V2);
    for (args, stdin, verdict) in [
        (vec!["two", "--flag", "2"], "", "The client logs in with flag 2; its token is on flag 0, 1."),
        (vec!["two/APP", "--sdk", "js", "--token-stdin"], APP, "The client logs in with flag 1; its token is on flag 0."),
        (vec!["two/WEB", "--token-stdin"], LOST, "WEB 1 never had this token: its only one was set at "),
        (vec!["two/0", "--token-stdin"], "", "The client sends an empty token."),
        (vec!["wiped/APP"], "", "The token is empty: this device was quit."),
        (vec!["nobody"], "", "No token was ever issued for nobody."),
        (vec!["nobody/5"], "", "No token was ever issued for 5."),
        (vec!["guest___vstr"], "", "A uid ending in ___vstr skips the token check."),
    ] {
        let mut all = vec!["status", "--why"];
        all.extend(&args);
        let ran = home.run_with(&all, stdin).exits(1);
        assert!(ran.stdout.contains(&format!("verdict: {verdict}")), "{args:?}: {}", ran.stdout);
        assert!(ran.stdout.contains("\ndo: "), "{args:?} has no remedy: {}", ran.stdout);
    }
    home.keeps_secrets();
}

#[test]
fn nothing_against_the_client_ends_with_0_and_says_what_no_call_can_tell() {
    let (servers, home) = house(Version::V2);
    let ran = home.run_with(&["status", "im:two/1", "--why", "--token-stdin"], WEB).exits(0);
    assert!(ran.stdout.contains("ok    The client's token is the one of WEB 1.\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("verdict: Token and flag are right; the server tells no reason for a refusal.\n"), "{}", ran.stdout);
    // To find out about a ban by a write would be one.
    assert!(ran.stdout.contains("It may be banned"), "{}", ran.stdout);
    let changes: Vec<_> = im(&servers).asked().0.into_iter().filter(|r| r.method == "POST" && r.path != "/user/onlinestatus").collect();
    assert!(changes.is_empty(), "{changes:?}");
    assert!(im(&servers).online("two").is_empty(), "nobody was logged in");
}

#[test]
fn a_line_of_the_servers_log_tells_the_cause() {
    let (servers, home) = house(Version::V2);
    let why = |target: &str, log: &str, code: i32| home.run_with(&["status", target, "--why", "--log-stdin"], log).exits(code).stdout;
    let login = |uid: &str, flag: u8, token: &str| {
        im(&servers).login(uid, flag, "d1", token).unwrap_err();
        logged(&servers)
    };

    let told = why("two", &login("two", 0, LOST), 1);
    assert!(told.contains("verdict: APP 0 never had this token: its only one was set at "), "{told}");
    assert!(told.contains("By the log the client logs in with flag APP 0."), "{told}");
    let told = why("two", &login("two", 1, APP), 1);
    assert!(told.contains("verdict: The client logs in with flag 1; its token is on flag 0."), "{told}");
    let told = why("two", &login("two", 4, APP), 1);
    assert!(told.contains("verdict: The client logs in with flag 4; its token is on flag 0, 1."), "that line has no token: {told}");
    let told = why("wiped", &login("wiped", 0, LOST), 1);
    assert!(told.contains("verdict: The token is empty: this device was quit."), "{told}");
    let told = why("two", &login("two", 0, ""), 1);
    assert!(told.contains("verdict: The client sends an empty token."), "{told}");
    let told = why("banned", &login("banned", 0, APP), 1);
    assert!(told.contains("verdict: The server bans this uid: every login is refused, silently."), "{told}");

    // Everything pasted at once: the line of this uid counts, the newest of them.
    let told = why("wiped", &im(&servers).log().join("\n"), 1);
    assert!(told.contains("verdict: The token is empty: this device was quit."), "{told}");
    let told = why("two", "good morning", 0);
    assert!(told.contains("note  The pasted text holds no refused login"), "{told}");
    home.keeps_secrets();
}

#[test]
fn a_client_that_was_faster_than_its_token_is_told_so() {
    let (servers, home) = house(Version::V2);
    im(&servers).login("wiped", 0, "d1", LOST).unwrap_err();
    let log = logged(&servers);
    // The line is older than the row by the server's own clock.
    std::thread::sleep(std::time::Duration::from_millis(20));
    im(&servers).issue("wiped", 0, 1, LOST).unwrap();
    let ran = home.run_with(&["status", "wiped/APP", "--why", "--log-stdin", "--json"], &log).exits(1);
    assert_eq!(ran.json()["verdict"], "too_early", "{}", ran.stdout);
    assert_eq!(ran.json()["reason"]["text"], "The client tried 1 s before the token existed.");
}

#[test]
fn the_line_of_v1_is_understood_though_it_knows_neither_uid_nor_flag() {
    let (servers, home) = house(Version::V1);
    im(&servers).login("two", 1, "d1", LOST).unwrap_err();
    let log = logged(&servers);
    assert!(log.contains("uid= fd={") && log.contains("deviceFlag=APP deviceLevel=Slave deviceID="), "{log}");
    let ran = home.run_with(&["status", "two/WEB", "--why", "--log-stdin"], &log).exits(1);
    assert!(ran.stdout.contains("verdict: A later login on the same flag replaced this token."), "{}", ran.stdout);
    assert!(ran.stdout.contains("This version lists no devices"), "{}", ran.stdout);
    home.keeps_secrets();
}

#[test]
fn the_v3_beta_checks_nothing_and_that_is_the_verdict() {
    let (_servers, home) = house(Version::V3);
    let ran = home.run_with(&["status", "im:two/APP", "--why", "--token-stdin"], LOST);
    assert!(ran.stdout.contains("verdict: The server does not check tokens: whoever knows a uid is let in."), "{} {}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, 1);
}

#[test]
fn the_document_has_the_fields_of_the_contract() {
    let (_servers, home) = house(Version::V2);
    let doc = home.run_with(&["status", "im:two/0", "--why", "--token-stdin", "--json"], WEB).exits(1).json();
    assert_eq!((&doc["v"], &doc["target"], &doc["verdict"]), (&json!(1), &json!("im:two/0"), &json!("flag_mismatch")));
    assert_eq!(doc["reason"]["code"], "flag_mismatch");
    assert!(doc["reason"]["remedy"].as_str().unwrap().contains("pairdeck do issue"), "{doc}");
    for line in doc["lines"].as_array().unwrap() {
        assert!(["good", "bad", "note"].contains(&line["mark"].as_str().unwrap()) && line["text"].is_string(), "{line}");
    }
    let fine = home.run_with(&["status", "im:two/0", "--why", "--token-stdin", "--json"], APP).exits(0).json();
    assert_eq!((&fine["verdict"], &fine["reason"]), (&json!("nothing_against"), &json!(null)));
}

#[test]
fn what_cannot_be_asked_has_the_exit_code_of_its_cause() {
    let (servers, home) = house(Version::V2);
    home.run(&["status", "two", "--why", "--flag", "300"]).exits(2).says(&["flag 300 cannot be used here: 0…255."]);
    home.run(&["status", "two", "--flag", "1"]).exits(2);
    home.run(&["status", "two", "--why", "--token-stdin", "--log-stdin"]).exits(2);
    home.run(&["status", "nowhere:two", "--why"]).exits(3);
    drop(servers);
    home.run(&["status", "im:two", "--why"]).exits(5);
}

#[test]
fn check_says_what_is_wrong_before_anybody_connects_and_asks_nobody() {
    let (servers, home) = house(Version::V2);
    im(&servers).clear_requests();
    let fine = home.run_with(&["check", "im:new", "--flag", "5", "--level", "master", "--token-stdin"], LOST).exits(0);
    assert_eq!(fine.stdout, "ok    uid new: fine.\nok    Flag 5: fine.\nok    Level master: fine.\nok    The token has 28 characters.\n");
    for (args, words) in [
        (vec!["a@b"], "bad   A uid must not hold @, # or &."),
        (vec!["____system"], "bad   ____system is a uid of the server itself: no client may use it."),
        (vec!["u1", "--flag", "300"], "bad   300 is no device flag: 0 to 255 or a configured name."),
        (vec!["u1", "--flag", "-1"], "bad   -1 is no device flag: 0 to 255 or a configured name."),
        (vec!["u1", "--level", "9"], "bad   9 is no level: slave (0) or master (1)."),
        (vec!["u1", "--token-stdin"], "bad   The token is empty."),
    ] {
        let mut all = vec!["check"];
        all.extend(&args);
        let ran = home.run_with(&all, "").exits(1);
        assert!(ran.stdout.contains(words), "{args:?}: {}", ran.stdout);
    }
    let doc = home.run(&["check", "u1", "--flag", "99", "--json"]).exits(1).json();
    assert_eq!((&doc["verdict"], &doc["reason"], &doc["target"]), (&json!("findings"), &json!(null), &json!("im:u1")));
    assert!(im(&servers).asked().0.is_empty(), "{:?}", im(&servers).asked());
    home.run(&["check", "nowhere:u1"]).exits(3);
}
