//! Clocks for scripts: what the alarm tells a follower, how often pairing fails and with what clock, doctor as a gate before a
//! deployment.

use crate::{
    fleet::{WA_KEY, one, scanning},
    support::house::{instance, quick},
};
use pairdeck::sandbox::Past;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    sync::mpsc,
    time::Duration,
};

#[test]
fn history_tells_how_often_pairing_fails_and_with_what_clock() {
    let accounts = ["shop-1", "shop-2", "shop-3"].map(|name| scanning(name, Past::New, 60));
    let (servers, home) = one(quick(WA_KEY), accounts.into());
    home.run(&["pair", "shop-1", "--json"]).exits(0);
    servers.gateway("wa").skew(Some(10_800.0));
    home.run(&["pair", "shop-2", "--json"]).exits(7);
    home.run(&["pair", "shop-3", "--allow-clock-skew", "--json"]).exits(0);
    let doc = home.run(&["history", "--pairing", "--json"]).exits(0).json();
    let summary = &doc["summary"];
    assert_eq!(
        (&summary["attempts"], &summary["linked"], &summary["not_started"], &summary["failure_rate"]),
        (&json!(3), &json!(2), &json!(1), &json!(0.0))
    );
    let with = |clock: &str| summary["by_verdict"].as_array().unwrap().iter().find(|v| v["clock"] == clock).unwrap().clone();
    assert_eq!((&with("ok")["linked"], &with("blocked_overridden")["linked"], &with("blocked")["not_started"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(summary["by_outcome"][0], json!({ "outcome": "linked", "n": 2 }));
    let line = |id: &str| doc["lines"].as_array().unwrap().iter().find(|l| l["id"] == id).unwrap().clone();
    let overridden = line("wa:shop-3");
    assert_eq!((&overridden["overridden"], &overridden["clock"]), (&json!(true), &json!("blocked")));
    let skew = overridden["skew_s"].as_f64().unwrap();
    assert!((10_799.0..10_802.0).contains(&skew), "{overridden}");
    let issued = line("wa:shop-1")["issued"].as_array().unwrap().clone();
    assert!(issued.iter().any(|o| o["n"] == 1 && o["outcome"] == "used" && o["clock"] == "ok" && o["at"].is_string()), "{issued:?}");
    assert_eq!(line("wa:shop-2")["issued"], json!([]), "nothing was asked for");
    let only = home.run(&["history", "shop-1", "--pairing", "--json"]).exits(0).json();
    assert_eq!(only["summary"]["attempts"], 1);
    let none = home.run(&["history", "--pairing", "--since", "2100-01-01", "--json"]).exits(0).json();
    assert_eq!((&none["summary"]["attempts"], &none["summary"]["failure_rate"]), (&json!(0), &Value::Null));
    let text = home.run(&["history", "--pairing"]).exits(0).stdout;
    assert!(text.contains("3 attempts: 2 linked, 0 failed, 0 left, 1 not started") && text.contains("blocked, overridden"), "{text}");
    home.keeps_secrets();
}

#[test]
fn a_follower_hears_a_clock_turn_bad_once_and_come_back() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-on", Past::Online)]);
    // Something that happened before, so that it shows when the follower has begun.
    home.run(&["wipe", "shop-on", "--yes"]).exits(0);
    let mut follower = home.command(&["history", "--follow", "--json"]).spawn().unwrap();
    let (tx, lines) = mpsc::channel();
    let out = BufReader::new(follower.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|l| drop(tx.send(serde_json::from_str::<Value>(&l).unwrap()))));
    let next = |event: bool| loop {
        let line = lines.recv_timeout(Duration::from_secs(60)).expect("a line of the history");
        assert_eq!(line["v"], 1, "{line}");
        if line["event"].is_string() == event {
            return line;
        }
    };
    next(false);
    servers.gateway("wa").skew(Some(-37.0));
    home.run(&["clock"]).exits(7);
    // Each run begins without knowing; hooks are told once.
    home.run(&["clock"]).exits(7);
    let bad = next(true);
    assert_eq!((&bad["event"], &bad["gateway"], &bad["to"], &bad["cause"]), (&json!("clock"), &json!("wa"), &json!("blocked"), &json!("off")));
    let (lo, hi) = (bad["skew_s"][0].as_f64().unwrap(), bad["skew_s"][1].as_f64().unwrap());
    assert!(lo <= -37.0 && -37.0 <= hi && bad["at"].is_string(), "{bad}");
    servers.gateway("wa").skew(None);
    home.run(&["clock"]).exits(0);
    let back = next(true);
    assert_eq!((&back["from"], &back["to"]), (&json!("blocked"), &json!("ok")), "{back}");
    servers.gateway("wa").skew(Some(-37.0));
    home.run(&["clock"]).exits(7);
    let doc = home.run(&["history", "--json"]).exits(0).json();
    let told = doc["lines"].as_array().unwrap().iter().filter(|l| l["what"] == "clock").count();
    assert_eq!(told, 2, "the same again within ten minutes is not told again: {doc}");
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn doctor_stops_a_deployment_whose_clock_is_blocked_and_says_what_to_do() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-on", Past::Online)]);
    let of = |doc: &Value, check: &str| -> Vec<Value> { doc["checks"].as_array().unwrap().iter().filter(|c| c["check"] == check).cloned().collect() };
    let doc = home.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!(of(&doc, "host").len(), 1, "this host is a check of its own");
    assert_eq!(of(&doc, "clock")[0]["verdict"], "ok");
    servers.gateway("wa").skew(Some(10_800.0));
    let doc = home.run(&["doctor", "--json"]).exits(7).json();
    let clock = &of(&doc, "clock")[0];
    assert_eq!(clock["verdict"], "fail");
    assert!(clock["remedy"].as_str().unwrap().contains("set-timezone"), "{clock}");
    servers.gateway("wa").skew(Some(12.0));
    let doc = home.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!(of(&doc, "clock")[0]["verdict"], "warn", "a warning stops nothing");
    servers.gateway("wa").skew(None);
    home.write_config("[uii]\n");
    home.run(&["doctor"]).exits(1);
}

#[test]
fn clock_tells_words_figures_evidence_and_remedy_and_keeps_a_history() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-on", Past::Online)]);
    let text = home.run(&["clock"]).exits(0).stdout;
    assert!(text.starts_with("clock ok  wa within ") && text.contains("\nwa  ok  "), "{text}");
    servers.gateway("wa").skew(Some(-37.0));
    let text = home.run(&["clock"]).exits(7).stdout;
    for words in ["clock  wa is 37 s behind this host", "The gateway is 37 s behind", "do: ", "  Date (2)  -3", "blocked"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let doc = home.run(&["clock", "--json"]).exits(7).json();
    let history = &doc["gateways"][0]["history"];
    assert_eq!((history["step_s"].as_i64(), history["offsets"].as_array().unwrap().len()), (Some(1800), 48));
    let last = history["offsets"].as_array().unwrap().iter().rfind(|o| !o.is_null()).unwrap();
    assert!(last[0].as_f64().unwrap() < -36.0, "{history}");
    home.run(&["clock", "--gateway", "nowhere"]).exits(3);
}
