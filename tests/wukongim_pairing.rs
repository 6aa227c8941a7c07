//! The login by QR of a business server, by the real program without a screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::{
    domain::Secret,
    sandbox::{DeviceSpec, Fault, UidSpec, WukongSettings},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::Child,
};
use support::{
    house::{Home, http},
    im::Im,
};

const KEY: &str = "CANARY-manager-77aa";
const PHONE: &str = "CANARY-phone-0123456789abcdef";
const WEB: &str = "CANARY-web-0123456789abcdef";

fn stage() -> (Im, Home) {
    let im = Im::with(WukongSettings { manager_token: Some(KEY.to_owned()), business_server: true, ..WukongSettings::default() });
    let device = |flag, level, token: &str| DeviceSpec { flag, level, token: token.into(), ..DeviceSpec::default() };
    for (uid, phone, web) in [("shop", PHONE, WEB), ("other", "CANARY-other-0123456789abcdef", "CANARY-other-web-0123456789")] {
        im.server().seed(&[UidSpec { uid: uid.into(), devices: vec![device(0, 1, phone), device(1, 0, web)], ..UidSpec::default() }]);
    }
    let url = im.server().business_url().unwrap();
    let mut home = im.home_with(&format!("uids = \"all\"\nbusiness = [\"shop\"]\nbusiness_url = \"{url}\""));
    for token in [PHONE, WEB] {
        home.canary(token);
    }
    (im, home)
}

/// Calls of the business server that make or use a login code.
fn logins(im: &Im) -> usize {
    im.server().asked().0.iter().filter(|r| r.path.starts_with("/v1/user/")).count()
}

/// The first line of that event, and what comes after it.
fn read_until(child: &mut Child, event: &str) -> (Value, BufReader<std::process::ChildStdout>) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    loop {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "{event} never came");
        let v: Value = serde_json::from_str(&line).unwrap();
        if v["event"] == event {
            return (v, out);
        }
    }
}

fn rest(out: BufReader<std::process::ChildStdout>) -> Vec<Value> {
    out.lines().map_while(Result::ok).map(|l| serde_json::from_str(&l).unwrap()).collect()
}

#[test]
fn the_phone_scans_what_was_printed_and_the_token_is_kept_sealed() {
    let (im, home) = stage();
    let mut child = home.command(&["pair", "im:shop", "--qr", "--json"]).spawn().unwrap();
    let (offer, out) = read_until(&mut child, "offer");
    assert_eq!((&offer["kind"], &offer["fresh"], &offer["clock"]), (&json!("qr"), &json!("proven"), &json!("ok")));
    let at = |name: &str| offer[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(at("expires_at").as_second() - at("issued_at").as_second(), 60);
    // The phone of the account, by the control API; of another server's code it wants to know nothing.
    let scan = |payload: &Value| {
        let body = json!({ "account": "im:shop", "kind": "qr", "payload": payload });
        http(im.control(), "POST", "/scan", "", Some(&body))
    };
    assert_eq!(scan(&json!("https://elsewhere.example.com/v1/qrcode/0")).0, 409);
    assert_eq!(scan(&offer["payload"]).0, 200);
    let said = rest(out);
    home.finish(child).exits(0);
    assert_eq!(said.iter().map(|l| l["event"].as_str().unwrap()).collect::<Vec<_>>(), ["scanned", "linked"], "{said:?}");
    let kept = home.store(async |s| s.secret_get("account/im:shop/1/token").await.unwrap());
    assert_eq!(kept, Some(Secret::new(WEB.to_owned())));
    assert!(said[1]["facts"]["token"].as_str().unwrap().starts_with("fp "), "{}", said[1]);
    let shown = home.run(&["list", "--json"]).exits(0).json().to_string();
    assert!(shown.contains(&said[1]["facts"]["token"].as_str().unwrap()[3..]), "the row shows the same fingerprint");
    assert_eq!(im.server().token("shop", 0).unwrap().expose(), PHONE, "the phone keeps its own");
    home.keeps_secrets();
    let history = home.run(&["history", "--pairing", "--json"]).exits(0).json();
    assert_eq!(history["lines"].as_array().unwrap().last().unwrap()["outcome"], "linked");
    home.keeps_secrets();
}

#[test]
fn a_dead_code_is_refused_by_the_phone_and_replaced_by_itself() {
    let (im, home) = stage();
    let mut child = home.command(&["pair", "im:shop", "--json"]).spawn().unwrap();
    let (first, out) = read_until(&mut child, "offer");
    im.server().web_expire();
    let payload = first["payload"].as_str().unwrap();
    assert_eq!(im.server().web_scan("shop", Some(payload), true), Err("二维码或已过期！".to_owned()));
    let mut events = out.lines().map_while(Result::ok).map(|l| serde_json::from_str::<Value>(&l).unwrap());
    // Told by the poll that follows the one under way, within ten seconds.
    let second = events.find(|l| l["event"] == "offer").unwrap();
    assert_ne!(second["payload"], first["payload"]);
    im.server().web_scan("shop", second["payload"].as_str(), true).unwrap();
    assert_eq!(events.last().unwrap()["event"], "linked");
    home.finish(child).exits(0);
}

#[test]
fn a_clock_that_is_far_off_sends_nothing_whichever_servers_it_is() {
    let (im, home) = stage();
    im.server().skew(Some(10_800.0));
    let blocked = home.run(&["pair", "im:shop", "--json"]).exits(7).lines();
    assert_eq!(blocked.last().unwrap()["event"], "blocked");
    assert_eq!(logins(&im), 0);
    // The IM server is right, and the one that makes the codes is not.
    im.server().skew(None);
    im.server().business_skew(Some(10_800));
    let blocked = home.run(&["pair", "im:shop", "--json"]).exits(7).lines();
    assert_eq!(blocked.last().unwrap()["clock"]["verdict"], "blocked", "{blocked:?}");
    assert_eq!(logins(&im), 0);
    im.server().business_skew(None);
    let mut child = home.command(&["pair", "im:shop", "--json"]).spawn().unwrap();
    let (offer, out) = read_until(&mut child, "offer");
    im.server().web_scan("shop", offer["payload"].as_str(), true).unwrap();
    assert_eq!(rest(out).last().unwrap()["event"], "linked");
    home.finish(child).exits(0);
}

#[test]
fn what_goes_wrong_is_named_in_both_languages() {
    let (im, home) = stage();
    let mut child = home.command(&["pair", "im:shop", "--json"]).spawn().unwrap();
    let (_, out) = read_until(&mut child, "offer");
    im.server().web_scan("other", None, true).unwrap();
    let last = rest(out).pop().unwrap();
    assert_eq!((&last["event"], &last["reason"]["code"]), (&json!("failed"), &json!("wrong_account")), "{last}");
    home.finish(child).exits(1);
    im.server().fault(Fault::NotFound, 1, Some("/v1/user/loginuuid"));
    home.run(&["pair", "im:shop"]).exits(1).says(&["web page"]);
    im.server().fault(Fault::Status(404), 1, Some("/v1/user/loginuuid"));
    home.run(&["pair", "im:shop"]).exits(2).says(&["not the expected server", "business_url"]);
    // What has no such login says so before anything is asked.
    let before = logins(&im);
    home.run(&["pair", "im:other"]).exits(2).says(&["nothing to pair"]);
    home.run(&["--lang", "zh", "pair", "im:shop/0"]).exits(2).says(&["扫码登录"]);
    home.run(&["pair", "im:shop", "--code", "--number", "5511999990001"]).exits(2).says(&["no pairing code"]);
    assert_eq!(logins(&im), before);
}

#[test]
fn a_token_of_the_business_server_is_warned_about_before_it_is_replaced() {
    let (im, home) = stage();
    let asked = home.run(&["regenerate", "im:shop/1"]).exits(2);
    assert!(asked.stderr.contains("the business server will put its old token back"), "{}", asked.stderr);
    assert_eq!(im.server().token("shop", 1).unwrap().expose(), WEB);
    let other = home.run(&["regenerate", "im:other/1"]).exits(2);
    assert!(!other.stderr.contains("business server"), "{}", other.stderr);
    let done = home.run(&["regenerate", "im:shop/1", "--yes", "--json"]).exits(0).json();
    assert!(done["lost"].as_array().unwrap().iter().any(|l| l.as_str().unwrap().contains("business server")), "{done}");
}
