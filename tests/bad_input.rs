//! What goes wrong outside: servers that are away, slow, broken or hostile; configurations, stores and folders that are not
//! as they should be. Each is a sentence that says what to do, with the right exit code, and nothing else is harmed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "bad_input/store.rs"]
mod store;
mod support;

use pairdeck::sandbox::{Fault, InstanceSpec, Past, Settings};
use serde_json::Value;
use std::{fs, net::TcpListener};
use support::house::{Home, Servers, instance, quick};

const BAD_KEY: &str = "CANARY-bad-3fd0917ac2";
const GOOD_KEY: &str = "CANARY-good-88e1b0c4d7";

/// `bad`, which will misbehave, and `good`, which must not notice.
fn two_with(bad: Vec<InstanceSpec>) -> (Servers, Home) {
    let good = vec![instance("well", Past::Online)];
    let servers = Servers::start(vec![("bad", quick(BAD_KEY), bad), ("good", quick(GOOD_KEY), good)]);
    let home = Home::of(&servers);
    (servers, home)
}

fn two() -> (Servers, Home) {
    two_with(vec![instance("shop", Past::Online)])
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|v| v["name"] == name).unwrap_or_else(|| panic!("{name} is not in {list}"))
}

/// The other gateway is as it always was, and `bad` tells why it is not, with a remedy.
#[track_caller]
fn others_are_well(home: &Home, code: &str) {
    let ran = home.run(&["list", "--json"]).exits(0).says(&["bad: "]);
    let doc = ran.json();
    assert_eq!(named(&doc["accounts"], "well")["state"], "online");
    assert_eq!(named(&doc["gateways"], "good")["reason"], Value::Null);
    let why = &named(&doc["gateways"], "bad")["reason"];
    assert_eq!(why["code"], code, "{why}");
    assert!(!why["remedy"].as_str().unwrap_or_default().is_empty(), "no remedy: {why}");
    assert!(!why["text"].as_str().unwrap().contains('{') && !why["remedy"].as_str().unwrap().contains('{'), "{why}");
    home.run(&["wipe", "good:well", "--json"]).exits(2);
    assert!(ran.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", ran.stderr);
}

/// Every request of `bad` fails like this: what `list` tells, and how an action ends.
fn faulty(fault: Fault, code: &str, exit: i32) {
    let (servers, home) = two();
    home.run(&["list"]).exits(0);
    let bad = servers.gateway("bad");
    bad.fault(fault.clone(), 10_000, None);
    others_are_well(&home, code);
    let ran = home.run(&["wipe", "bad:shop", "--yes", "--json"]).exits(exit);
    let said = if ran.stdout.is_empty() { ran.stderr.clone() } else { ran.json()["reason"]["code"].as_str().unwrap().to_owned() };
    assert!(!said.is_empty(), "{fault:?}");
    bad.heal();
    // Nothing was lost: when it is back, so is everything.
    assert_eq!(named(&home.run(&["list", "--json"]).exits(0).json()["accounts"], "shop")["state"], "online", "{fault:?}");
    assert_eq!(servers.sandbox().caught(), 0, "somebody followed a redirect");
    home.keeps_secrets();
}

#[test]
fn a_server_that_drops_connections() {
    faulty(Fault::Drop, "unreachable", 5);
}

#[test]
fn a_server_that_breaks_off() {
    faulty(Fault::Half, "unreachable", 5);
}

#[test]
fn garbage_in_place_of_an_answer() {
    faulty(Fault::Garbage, "unintelligible", 1);
}

#[test]
fn json_of_another_shape() {
    faulty(Fault::WrongShape, "unintelligible", 1);
}

#[test]
fn a_web_page_in_place_of_data() {
    faulty(Fault::Html, "web_page", 1);
}

#[test]
fn a_key_that_is_refused() {
    faulty(Fault::Unauthorized, "credential_refused", 4);
}

#[test]
fn a_proxy_that_knows_no_such_page() {
    faulty(Fault::NotFound, "wrong_address", 2);
}

#[test]
fn a_redirect_is_not_followed() {
    faulty(Fault::Redirect, "redirected", 2);
}

#[test]
fn a_body_of_a_hundred_megabytes() {
    faulty(Fault::Huge, "too_large", 1);
}

#[test]
fn a_server_that_fails() {
    faulty(Fault::Status(500), "server_error", 1);
}

#[test]
fn a_server_that_asks_to_slow_down() {
    faulty(Fault::TooMany(30), "rate_limited", 6);
}

#[test]
fn a_server_that_never_answers_does_not_hold_the_others() {
    let (servers, home) = two();
    servers.gateway("bad").fault(Fault::Hang, 10_000, None);
    others_are_well(&home, "slow");
}

#[test]
fn nobody_listens_there() {
    let (_servers, home) = two();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    let (head, tail) = text.split_once("url = ").unwrap();
    let tail = tail.split_once('\n').unwrap().1;
    home.write_config(&format!("{head}url = \"http://127.0.0.1:{port}\"\n{tail}"));
    others_are_well(&home, "unreachable");
    // Nothing is known of it yet, so the name is not; the code says that its server was the reason.
    home.run(&["status", "bad:shop"]).exits(5).says(&["port"]);
    home.run(&["doctor"]).exits(1);
}

#[test]
fn a_wrong_base_path() {
    let bad = Settings { base_path: "/evo".to_owned(), ..quick(BAD_KEY) };
    let servers = Servers::start(vec![("bad", bad, vec![]), ("good", quick(GOOD_KEY), vec![instance("well", Past::Online)])]);
    let home = Home::of(&servers);
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&text.replace("/evo\"", "/evolution\""));
    others_are_well(&home, "wrong_address");
    home.run(&["status", "bad:shop"]).exits(2).says(&["config.toml"]);
}

#[test]
fn hostile_names_are_drawn_harmless_and_hit_exactly() {
    let names =
        ["\u{1b}[31mred\u{1b}[0m", "a\u{202e}bc", "line\nbreak", "tab\there", "..", "a:b/c%41", "", "上海一店", "x\u{0}y", "\u{1b}]52;c;aGk=\u{7}"];
    let long = "n".repeat(3000);
    let mut all: Vec<_> = names.iter().map(|n| instance(n, Past::Online)).collect();
    all.push(instance(&long, Past::Online));
    let (servers, home) = two_with(all);
    let harmless = |text: &str| {
        let bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || bidi(c))), "{text:?}");
    };
    for args in [&["list"][..], &["list", "--json"], &["history"], &["doctor"]] {
        let ran = home.run(args).exits(0);
        harmless(&ran.stdout);
        harmless(&ran.stderr);
    }
    assert_eq!(home.run(&["list"]).stdout.lines().count(), 1 + names.len() + 2, "one line a row");
    let doc = home.run(&["list", "--json"]).exits(0).json();
    let ids: Vec<_> = doc["accounts"].as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), names.len() + 2);
    for id in ids.iter().filter(|id| id.starts_with("bad:")) {
        let ran = home.run(&["status", id]).exits(0);
        harmless(&ran.stdout);
    }
    // An action on one of them reaches that one and no other.
    let id = "bad:a%3Ab%2Fc%2541";
    assert!(ids.contains(&id.to_owned()), "{ids:?}");
    servers.gateway("bad").clear_requests();
    home.run(&["wipe", id, "--yes"]).exits(0);
    let logouts: Vec<_> = servers.asked("bad").into_iter().filter(|r| r.starts_with("DELETE ")).collect();
    assert_eq!(logouts, ["DELETE /instance/logout/a%3Ab%2Fc%2541"]);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let (servers, mut home) = two();
    home.canary("CANARY-in-config");
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&format!("{text}api_key = \"CANARY-in-config\"\n"));
    servers.gateway("good").clear_requests();
    for args in [&["list"][..], &["wipe", "good:well", "--yes"], &["config", "check"], &["add", "evolution", "x", "--url", "http://127.0.0.1:1"]] {
        home.run(args).exits(2).says(&["pairdeck secret set"]);
    }
    assert_eq!(servers.asked("good"), [""; 0]);
    home.write_config(&text);
    home.run(&["list"]).exits(0);
}

#[test]
fn plain_http_to_another_host_makes_no_request() {
    let (_servers, home) = two();
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&text.replace("http://127.0.0.1", "http://192.0.2.1"));
    home.run(&["list"]).exits(2).says(&["allow_plaintext", "https://"]);
}

#[test]
fn a_result_that_cannot_be_written_is_no_success_and_a_reader_that_left_is() {
    let (_servers, home) = two();
    home.run(&["list"]).exits(0);
    for args in [
        &["list", "--json"][..],
        &["status", "well"],
        &["history", "--json"],
        &["doctor"],
        &["man"],
        &["config", "example"],
        &["--help"],
        &["--version"],
        &["wipe", "--help"],
    ] {
        for (to, code) in [("> /dev/full", 1), (">&-", 1), ("| true; exit ${PIPESTATUS[0]}", 0)] {
            let line = format!("{} --home {} {} {to}", env!("CARGO_BIN_EXE_pairdeck"), home.path().display(), args.join(" "));
            let ended = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            let doctor_fails = args == ["doctor"] && code == 0;
            assert!(ended.status.code() == Some(code) || doctor_fails, "{line}: {:?} {said}", ended.status);
            assert_eq!(said.contains("stdout could not be written"), code == 1, "{line}: {said}");
        }
    }
}

#[test]
fn a_refusal_before_anything_is_begun_is_a_document_too() {
    let (_servers, home) = two();
    let refused = |args: &[&str], code: &str, exit: i32| {
        let doc = home.run(args).exits(exit).json();
        assert_eq!((&doc["reason"]["code"], &doc["result"]), (&code.into(), &"failed".into()), "{doc}");
        doc["reason"]["text"].as_str().unwrap().to_owned()
    };
    refused(&["wipe", "nope", "--yes", "--json"], "name_unknown", 3);
    refused(&["wipe", "bad:shop", "--json"], "not_asked", 2);
    let verbs = refused(&["do", "nonsense", "nope", "--json"], "verb_unknown", 2);
    let known: Vec<&str> = verbs.rsplit(':').next().unwrap().split(',').map(str::trim).collect();
    assert!(known.iter().enumerate().all(|(at, v)| !known[..at].contains(v)), "{verbs}");
}
