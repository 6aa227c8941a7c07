//! Commands that only look: list, status, history, clock, doctor.

use crate::{
    fleet::{EU_KEY, WA_KEY, one, two},
    support::house::{Home, instance, quick},
};
use pairdeck::sandbox::{DateMode, Past};
use serde_json::{Value, json};

/// Keys of a JSON object.
fn keys(v: &Value) -> Vec<&str> {
    v.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn list_tells_every_row_with_the_fields_of_the_contract() {
    let (_servers, home) = two();
    let doc = home.run(&["list", "--json"]).exits(0).json();
    assert_eq!((&doc["v"], doc["gateways"].as_array().unwrap().len()), (&json!(1), 2));
    let accounts = doc["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 9);
    for link in accounts.iter().chain(doc["gateways"].as_array().unwrap()) {
        for field in ["state", "since", "observed_at", "source", "reason", "witnesses", "kind", "name"] {
            assert!(keys(link).contains(&field), "{field} is missing in {link}");
        }
        assert_eq!(link["kind"], "evolution");
    }
    for account in accounts {
        assert!(["id", "gateway", "tokens", "devices"].iter().all(|f| keys(account).contains(f)), "{account}");
        for token in account["tokens"].as_array().unwrap() {
            assert!(["fingerprint", "issued_at", "expires_at", "generation", "semantics"].iter().all(|f| keys(token).contains(f)), "{token}");
        }
        // Every id is a target.
        let id = account["id"].as_str().unwrap();
        assert_eq!(home.run(&["status", id, "--json"]).exits(0).json()["id"], id);
    }
    let state = |id: &str| accounts.iter().find(|a| a["id"] == id).unwrap()["state"].as_str().unwrap();
    assert_eq!((state("wa:shop-on"), state("wa:shop-out"), state("wa:shop-new")), ("online", "logged_out", "offline"));
    assert_eq!(state("wa:a%2Fb%20c"), "offline");
    let out = accounts.iter().find(|a| a["id"] == "wa:shop-out").unwrap();
    assert_eq!(out["reason"]["code"], "logged_out");
    assert!(keys(&out["reason"]).contains(&"remedy") && keys(&out["reason"]).contains(&"raw") && keys(&out["reason"]).contains(&"text"));
    home.keeps_secrets();
}

#[test]
fn a_reader_that_leaves_early_ends_the_program_quietly() {
    use std::io::Read;
    let (_servers, home) = one(quick(WA_KEY), (0..400).map(|n| instance(&format!("shop-{n:04}"), Past::Online)).collect());
    let mut child = home.command(&["list", "--json"]).spawn().unwrap();
    let mut first = [0u8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ran = home.finish(child).exits(0);
    assert_eq!((first[0], ran.stderr.as_str()), (b'{', ""));
}

#[test]
fn unknown_ambiguous_and_broken_names_end_with_3() {
    let (servers, home) = two();
    home.run(&["status", "nobody"]).exits(3).says(&["nobody"]);
    let ran = home.run(&["status", "shop-on"]).exits(3).says(&["wa:shop-on", "eu:shop-on"]);
    assert_eq!(ran.stdout, "");
    home.run(&["wipe", "shop-on", "--yes"]).exits(3).says(&["wa:shop-on", "eu:shop-on"]);
    home.run(&["status", "wa:%zz"]).exits(3).says(&["hex"]);
    assert!(servers.asked("wa").iter().chain(&servers.asked("eu")).all(|r| r.starts_with("GET ")), "nothing but reads");
    home.run(&["history", "nobody"]).exits(3);
    home.run(&["clock", "--gateway", "nowhere"]).exits(3);
    home.run(&["secret", "forget", "nowhere"]).exits(3);
    home.run(&["remove", "nowhere", "--yes"]).exits(3);
}

#[test]
fn a_table_is_for_people_and_an_empty_home_says_how_to_begin() {
    let (_servers, home) = two();
    let ran = home.run(&["list"]).exits(0);
    assert!(ran.stdout.starts_with("GATEWAY"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
    let ran = home.run(&["--lang", "zh", "list"]).exits(0);
    assert!(ran.stdout.starts_with("网关"), "{}", ran.stdout);
    let empty = Home::empty();
    let ran = empty.run(&["list"]).exits(0).says(&["pairdeck add"]);
    assert_eq!(ran.stdout, "");
    assert_eq!(empty.run(&["list", "--json"]).exits(0).json(), json!({ "v": 1, "gateways": [], "accounts": [] }));
    assert_eq!(empty.run(&["history", "--json"]).exits(0).json()["lines"], json!([]));
}

#[test]
fn history_keeps_changes_actions_and_pairings_apart() {
    let (servers, home) = two();
    home.run(&["list"]).exits(0);
    servers.gateway("wa").unlink("only-here", 401).unwrap();
    home.run(&["status", "only-here"]).exits(0);
    home.run(&["wipe", "wa:shop-on", "--yes"]).exits(0);
    home.run(&["pair", "shop-new", "--json"]).exits(0);
    let of = |args: &[&str]| -> Vec<Value> { home.run(args).exits(0).json()["lines"].as_array().unwrap().clone() };
    let audit = of(&["history", "--audit", "--json"]);
    assert!(audit.iter().all(|l| l["what"] == "audit" && l["who"].as_str().is_some_and(|w| !w.is_empty())), "{audit:?}");
    assert!(audit.iter().any(|l| l["action"] == "wipe" && l["outcome"] == "done" && l["id"] == "wa:shop-on"), "{audit:?}");
    let pairing = of(&["history", "--pairing", "--json"]);
    assert_eq!((pairing.len(), &pairing[0]["outcome"], &pairing[0]["clock"]), (1, &json!("linked"), &json!("ok")), "{pairing:?}");
    let changes = of(&["history", "only-here", "--json"]);
    assert!(changes.iter().any(|l| l["what"] == "change" && l["from"] == "online" && l["to"] == "logged_out"), "{changes:?}");
    assert_eq!(of(&["history", "--since", "2100-01-01", "--json"]).len(), 0);
    home.run(&["history", "--since", "soon"]).exits(2);
    home.keeps_secrets();
}

#[test]
fn clock_and_doctor_end_as_scripts_expect() {
    let (servers, home) = two();
    let doc = home.run(&["clock", "--json"]).exits(0).json();
    assert_eq!((&doc["v"], &doc["verdict"]), (&json!(1), &json!("ok")));
    for g in doc["gateways"].as_array().unwrap() {
        for field in ["name", "verdict", "skew_s", "side", "cause", "remedy", "samples"] {
            assert!(keys(g).contains(&field), "{field} is missing in {g}");
        }
    }
    home.run(&["clock", "--strict"]).exits(0);
    home.run(&["doctor"]).exits(0);
    servers.gateway("eu").date(DateMode::Missing);
    home.run(&["clock"]).exits(0);
    home.run(&["clock", "--strict"]).exits(7);
    assert_eq!(home.run(&["clock", "--gateway", "wa", "--strict", "--json"]).exits(0).json()["gateways"].as_array().unwrap().len(), 1);
    servers.gateway("wa").skew(Some(7200.0));
    let doc = home.run(&["clock", "--json"]).exits(7).json();
    let wa = doc["gateways"].as_array().unwrap().iter().find(|g| g["name"] == "wa").unwrap();
    let (lo, hi) = (wa["skew_s"][0].as_f64().unwrap(), wa["skew_s"][1].as_f64().unwrap());
    assert!(lo <= 7200.0 && 7200.0 <= hi && hi - lo < 10.0, "the truth is inside [{lo}, {hi}]");
    let doc = home.run(&["doctor", "--json"]).exits(7).json();
    for check in doc["checks"].as_array().unwrap() {
        assert_eq!(keys(check).len(), 4, "{check}");
        assert!(["ok", "warn", "fail", "skipped"].contains(&check["verdict"].as_str().unwrap()), "{check}");
    }
    servers.gateway("wa").skew(None);
    home.run_with(&["secret", "set", "eu", "--file", "-"], "WRONG").exits(0);
    let doc = home.run(&["doctor", "--json"]).exits(1).json();
    let eu = doc["checks"].as_array().unwrap().iter().find(|c| c["check"] == "eu").unwrap().clone();
    assert_eq!(eu["verdict"], "fail");
    assert!(eu["remedy"].as_str().unwrap().contains("secret set eu"), "{eu}");
    home.run_with(&["secret", "set", "eu", "--file", "-"], EU_KEY).exits(0);
    home.run(&["doctor"]).exits(0);
    home.write_config("[uii]\n");
    let ran = home.run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("[uii]") || ran.stdout.contains("uii"), "{}", ran.stdout);
}
