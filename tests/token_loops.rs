//! A platform that refuses without end, and clients that ask without end: how many requests reach it is bounded, counted on the
//! sandbox's own list, and what stands in the way is said each time.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{AppSpec, Part, TokenFault, TokenServer, TokenSettings};
use serde_json::json;
use support::house::{Home, Ran, Servers, http, until};

const SECRET: &str = "CANARY-OPS-b41c07-0123456789";
/// Without end: never used up.
const EVER: u32 = u32::MAX;

struct Bench {
    servers: Servers,
    home: Home,
}

impl Bench {
    fn new(settings: TokenSettings) -> Self {
        let app = AppSpec { id: "1000002".into(), name: "ops".into(), secret: SECRET.into(), ..AppSpec::default() };
        let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings), vec![app]))]);
        let home = Home::of(&servers);
        Self { servers, home }
    }

    fn server(&self) -> &TokenServer {
        self.servers.sandbox().tokens("corp").unwrap()
    }

    fn fault(&self, kind: &str) {
        let oa = self.server().kind() == "wechat-oa";
        self.server().fault(TokenFault::parse(kind, None, oa).unwrap(), EVER, None);
    }

    /// Requests for a token that reached the platform, answered or not.
    fn fetches(&self) -> usize {
        self.server().asked().0.iter().filter(|r| r.path.contains("/gettoken") || r.path.contains("/stable_token")).count()
    }

    fn token(&self) -> Ran {
        self.home.run(&["token", "corp:ops"])
    }

    fn rejected(&self, token: &str) -> Ran {
        self.home.run_with(&["token", "corp:ops", "--rejected", "-"], token)
    }

    /// What the platform says to a client that uses this token.
    fn call(&self, token: &str) -> i64 {
        let path = format!("/get_api_domain_ip?access_token={token}");
        http(&self.server().url(), "GET", &path, "-", None).1["errcode"].as_i64().unwrap()
    }
}

#[test]
fn a_token_that_is_refused_is_replaced_once_the_second_refusal_stops_and_no_client_can_make_it_more() {
    let b = Bench::new(TokenSettings::default());
    b.fault("loop");
    let mut token = b.token().exits(0).stdout.trim_end().to_owned();
    let (mut told, mut tries) = (0, 0);
    // What a client library does: whatever is refused is reported and asked for anew, for ever.
    while tries < 20 {
        assert_eq!(b.call(&token), 42001);
        // The platform has ended it, too: a fetch brings another string.
        b.server().revoke("ops");
        let ran = b.rejected(&token);
        tries += 1;
        if ran.code == 0 {
            let next = ran.stdout.trim_end().to_owned();
            assert_ne!(next, token);
            token = next;
        } else {
            assert!(ran.stderr.starts_with("pairdeck: token_rejected_again:"), "{}", ran.stderr);
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (4, "", 1), "{}", ran.stderr);
            told += 1;
        }
    }
    assert_eq!((b.fetches(), told), (2, 19), "one token, one in its place, and no more");
    // Fifty at once change nothing.
    let children: Vec<_> = (0..50)
        .map(|_| {
            let mut child = b.home.command(&["token", "corp:ops", "--rejected", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes()).unwrap();
            child
        })
        .collect();
    for child in children {
        b.home.finish(child).exits(4);
    }
    assert_eq!(b.fetches(), 2);
    b.home.keeps_secrets();
}

#[test]
fn one_refusal_is_retried_once_and_succeeds() {
    let b = Bench::new(TokenSettings::default());
    let first = b.token().exits(0).stdout.trim_end().to_owned();
    assert!(b.server().revoke("ops"));
    assert_ne!(b.call(&first), 0);
    let second = b.rejected(&first).exits(0).stdout.trim_end().to_owned();
    assert_eq!((b.call(&second), b.fetches()), (0, 2));
    // Who comes late with the old one gets the new one: nothing is fetched.
    for _ in 0..5 {
        assert_eq!(b.rejected(&first).exits(0).stdout.trim_end(), second);
    }
    assert_eq!(b.fetches(), 2);
}

#[test]
fn a_platform_that_asks_to_slow_down_gets_one_request_whoever_asks_and_how_often() {
    let b = Bench::new(TokenSettings::default());
    b.fault("rate");
    for _ in 0..15 {
        let ran = b.token().exits(6).says(&["pairdeck: rate_limited:", "45009"]);
        assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{}", ran.stderr);
    }
    // The word of an operator does not outweigh it either.
    let doc = b.home.run(&["regenerate", "corp:ops", "--yes", "--json"]).json();
    assert_eq!(doc["reason"]["code"], "rate_limited", "{doc}");
    assert_eq!(b.fetches(), 1);
}

#[test]
fn a_limit_reached_while_a_token_lives_serves_that_one_until_it_is_refused_and_asks_once() {
    let b = Bench::new(TokenSettings::default());
    let token = b.token().exits(0).stdout;
    b.fault("rate");
    for _ in 0..3 {
        assert_eq!(b.token().exits(0).stdout, token);
    }
    // Once the platform refuses it, as a client says, it is given to nobody, and the limit stands against another.
    b.server().revoke("ops");
    for _ in 0..10 {
        b.rejected(token.trim_end()).exits(6);
        assert_eq!(b.token().exits(6).stdout, "");
    }
    assert_eq!(b.fetches(), 2, "the first one, and one try");
}

#[test]
fn an_untrusted_address_is_told_with_itself_and_never_answered_by_a_fetch() {
    let b = Bench::new(TokenSettings::default());
    let token = b.token().exits(0).stdout;
    b.fault("ip");
    assert_eq!(b.call(token.trim_end()), 60020);
    for _ in 0..8 {
        let doc = b.home.run(&["status", "corp:ops", "--json"]).exits(0).json();
        assert_eq!((&doc["state"], &doc["reason"]["code"]), (&json!("refused"), &json!("address_not_trusted")), "{doc}");
        assert!(doc["reason"]["text"].as_str().unwrap().contains("203.0.113.7"), "{doc}");
        assert_eq!(b.token().exits(0).stdout, token, "the token itself is good");
    }
    assert_eq!(b.fetches(), 1);
}

#[test]
fn an_official_account_that_does_not_know_the_address_is_asked_once() {
    let b = Bench::new(TokenSettings::wechat_oa());
    b.fault("ip");
    for _ in 0..15 {
        b.token().exits(9).says(&["pairdeck: address_not_trusted:", "203.0.113.7"]);
    }
    assert_eq!(b.fetches(), 1);
}

#[test]
fn a_watching_process_that_hands_out_tokens_asks_for_one_more_and_then_waits_for_a_person() {
    let b = Bench::new(TokenSettings::default());
    b.fault("loop");
    let child = b.home.command(&["watch"]).spawn().unwrap();
    support::house::until("the socket", || std::os::unix::net::UnixStream::connect(b.home.file("pairdeck.sock")).is_ok());
    let mut token = b.token().exits(0).stdout.trim_end().to_owned();
    for _ in 0..10 {
        b.server().revoke("ops");
        let ran = b.rejected(&token);
        if ran.code == 0 {
            token = ran.stdout.trim_end().to_owned();
        } else {
            assert_eq!(ran.code, 4, "{}", ran.stderr);
        }
        b.home.run(&["status", "corp:ops", "--json"]).exits(0);
    }
    assert_eq!(b.fetches(), 2);
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    b.home.finish(child).exits(0);
    b.home.keeps_secrets();
}

#[test]
fn a_client_that_calls_a_good_token_refused_takes_it_from_nobody_and_causes_no_fetch() {
    let b = Bench::new(TokenSettings::default());
    let token = b.token().exits(0).stdout;
    // The platform gives no other one now: what is withheld here would be gone for all.
    b.fault("rate");
    for _ in 0..10 {
        assert_eq!(b.rejected(token.trim_end()).exits(0).stdout, token);
        assert_eq!(b.token().exits(0).stdout, token);
    }
    assert_eq!(b.fetches(), 1);
    let tried: u64 = b.server().requests().iter().filter(|c| c.path.contains("get_api_domain_ip")).map(|c| c.count).sum();
    assert!(tried <= 3, "{tried} tries for ten reports within seconds");
}

#[test]
fn what_is_wiped_while_a_watch_runs_stays_away_until_somebody_asks() {
    let b = Bench::new(TokenSettings::default());
    let mut watch = b.home.command(&["watch"]).spawn().unwrap();
    until("the first token", || b.fetches() == 1);
    until("the token in the store", || b.home.run(&["token", "corp:ops", "--no-fetch"]).code == 0);
    b.home.run(&["wipe", "corp:ops", "--yes"]).exits(0);
    let row = || b.home.run(&["list", "--json"]).exits(0).json()["accounts"][0].clone();
    assert_eq!(row()["reason"]["code"], "token_forgotten");
    assert!(row()["reason"]["text"].as_str().unwrap().starts_with("Wiped; fetched again when asked"), "{}", row());
    b.home.run(&["token", "corp:ops", "--no-fetch"]).exits(10);
    // Longer than the timer takes for a token that is merely not there.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(b.fetches(), 1, "the watch brought it back");
    assert!(!b.token().exits(0).stdout.is_empty());
    assert_eq!(b.fetches(), 2);
    assert!(std::process::Command::new("kill").arg(watch.id().to_string()).status().unwrap().success());
    watch.wait().unwrap();
}

#[test]
fn an_order_to_fetch_against_a_limit_is_answered_at_once_with_the_time_to_wait() {
    let b = Bench::new(TokenSettings::default());
    b.fault("rate");
    let ran = b.home.run(&["regenerate", "corp:ops", "--yes"]).exits(6);
    assert!(!ran.stderr.contains("again in a moment") && !ran.stderr.to_lowercase().contains("trying again"), "{}", ran.stderr);
    assert_eq!(b.fetches(), 1, "{}", ran.stderr);
}
