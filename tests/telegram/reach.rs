//! Servers that are down, silent, or hours off: what `doctor` and `list` say, and in what time; and a key that two slots share.

use crate::{
    floor::{Floor, OWNER, key, lies},
    support::house::Ran,
};
use pairdeck::{domain::GatewayId, store::Store};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What doctor says of the gateway itself.
fn of_gateway(ran: &Ran) -> Value {
    let checks = ran.json()["checks"].as_array().unwrap().clone();
    checks.into_iter().rfind(|c| c["check"] == "tg").unwrap_or_else(|| panic!("{ran:?}"))
}

#[test]
fn a_doctor_is_not_content_with_servers_that_are_down_or_hours_off_even_where_nobody_is_logged_in() {
    let floor = Floor::new(1, 0);
    let well = floor.home.run(&["doctor", "--json"]);
    assert_eq!(of_gateway(&well)["verdict"], "ok", "{well:?}");
    for dc in [2, 4] {
        floor.tg().down(dc, true);
    }
    let down = floor.home.run(&["doctor", "--json"]).exits(1);
    let check = of_gateway(&down);
    assert_eq!(check["verdict"], "fail", "{check}");
    assert!(check["detail"].as_str().unwrap().contains("data centre 2") && !check["remedy"].is_null(), "{check}");
    for dc in [2, 4] {
        floor.tg().down(dc, false);
    }
    floor.tg().skew(Some(10_800.0));
    floor.home.run(&["doctor", "--json"]).exits(7);
}

#[test]
fn an_account_whose_data_centre_is_down_or_silent_is_told_so_in_bounded_time_with_what_was_seen_last() {
    let floor = Floor::open(1, 0);
    let seen = floor.devices().len();
    let list = || {
        let begun = Instant::now();
        let list = floor.home.run(&["list", "--json"]).exits(0).json();
        // A silent account is waited for three seconds; the rest is a busy machine's.
        assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
        let ada = list["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone();
        (list["gateways"][0].clone(), ada)
    };
    assert_eq!(list().0["state"], "online");
    for (code, on) in [("unreachable", Floor::hang_up as fn(&Floor, bool)), ("slow", |floor: &Floor, on| floor.tg().mute(on))] {
        on(&floor, true);
        let (gateway, ada) = list();
        assert_eq!((&gateway["state"], &gateway["reason"]["code"]), (&json!("unreachable"), &json!(code)), "{gateway}");
        assert_eq!((&ada["state"], &ada["reason"]["code"]), (&json!("unreachable"), &json!(code)), "{ada}");
        assert!(ada["reason"]["text"].as_str().unwrap().contains("data centre 4"), "{ada}");
        assert_eq!(ada["devices"].as_array().unwrap().len(), seen, "what was seen last is still listed: {ada}");
        on(&floor, false);
    }
    let (gateway, ada) = list();
    assert_eq!((&gateway["state"], &ada["state"]), (&json!("online"), &json!("ready")));
}

impl Floor {
    fn hang_up(&self, on: bool) {
        self.tg().down(4, on);
    }
}

#[test]
fn of_two_slots_with_one_key_the_one_that_is_regenerated_leaves_the_session_to_the_other_and_the_last_one_ends_it() {
    let floor = Floor::open(1, 1);
    floor.tg().age(OWNER, Duration::from_secs(40 * 3600));
    let old = lies(&floor.file("w0")).unwrap();
    assert_eq!(lies(&floor.file("w1")), Some(old));
    let hash = floor.tg().devices(OWNER).iter().find(|d| d.device == "worker 0").unwrap().hash;
    floor.home.store(async |store: &Store| {
        let kept = json!({ "key": key(1).id().to_string(), "hash": hash });
        store.memo_put(&GatewayId::new("tg"), "slot:ada/w0", kept).await.unwrap();
    });
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes"]).exits(0);
    let ran = ran.says(&["tg:ada/w1", floor.file("w1").to_str().unwrap(), "has the old key too", "`pairdeck regenerate`"]);
    assert!(!ran.stderr.contains("is dead already") && !ran.stderr.contains("ends it"), "{}", ran.stderr);
    assert!(floor.tg().alive(old.0), "the worker of w1 lost its session");
    // It is the only one now, and knows which session is its own.
    let ran = floor.home.run(&["regenerate", "tg:ada/w1", "--yes"]).exits(0);
    assert!(!floor.tg().alive(old.0), "{}", ran.stderr);
    for slot in ["w0", "w1"] {
        assert!(floor.tg().alive(lies(&floor.file(slot)).unwrap().0));
        assert_eq!(floor.device(slot)["state"], "offline");
    }
    floor.no_workers_key_was_used(1);
}
