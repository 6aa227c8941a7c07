//! Commands that change something on a server: wipe, regenerate, do.

use crate::{
    fleet::{WA_KEY, one, two},
    support::house::{Home, Servers, instance, quick},
};
use pairdeck::{
    clock::SystemTime,
    domain::{GatewayId, Secret},
    engine::world::secret_name,
    sandbox::{Fault, Past},
    store::{Paths, Store, config},
    vault::{Source, Vault},
};
use serde_json::{Value, json};
use std::sync::Arc;

fn changes(servers: &Servers) -> Vec<String> {
    servers.asked("wa").into_iter().filter(|r| !r.starts_with("GET ") && !r.contains("/verify-creds")).collect()
}

#[test]
fn a_wipe_without_yes_and_without_a_terminal_changes_nothing() {
    let (servers, home) = two();
    for args in [["wipe", "only-here"], ["regenerate", "only-here"]] {
        home.run(&args).exits(2).says(&["--yes"]);
    }
    home.run(&["do", "delete", "wa:only-here"]).exits(2).says(&["--yes"]);
    assert_eq!(changes(&servers), [""; 0]);
    assert_eq!(home.run(&["status", "only-here", "--json"]).exits(0).json()["state"], "online");
}

#[test]
fn a_wipe_ends_the_session_and_says_what_was_lost() {
    let (servers, home) = two();
    let doc = home.run(&["wipe", "wa:shop-on", "--yes", "--json"]).exits(0).json();
    assert_eq!((&doc["v"], &doc["result"], &doc["old_fp"], &doc["new_fp"]), (&json!(1), &json!("done"), &Value::Null, &Value::Null));
    assert!(!doc["lost"].as_array().unwrap().is_empty());
    assert!(doc["steps"].as_array().unwrap().iter().all(|s| s["state"] == "done"), "{doc}");
    assert_eq!(changes(&servers), ["DELETE /instance/logout/shop-on"]);
    let state = home.run(&["status", "wa:shop-on", "--json"]).exits(0).json();
    assert_eq!(state["state"], "logged_out");
    assert_eq!(home.run(&["status", "eu:shop-on", "--json"]).exits(0).json()["state"], "online");
    // A second one has nothing to do.
    let ran = home.run(&["wipe", "wa:shop-on", "--yes"]);
    assert!(ran.code == 0 || ran.code == 1, "{ran:?}");
    assert_eq!(changes(&servers).len(), 1);
}

#[test]
fn a_regenerate_gives_a_new_token_and_shows_only_fingerprints() {
    let (servers, home) = two();
    let fp = |home: &Home| home.run(&["status", "only-here", "--json"]).exits(0).json()["tokens"][0]["fingerprint"].as_str().unwrap().to_owned();
    let before = fp(&home);
    let doc = home.run(&["regenerate", "only-here", "--yes", "--json"]).exits(0).json();
    assert_eq!((&doc["result"], &doc["old_fp"]), (&json!("new"), &json!(before)), "{doc}");
    assert_eq!(doc["new_fp"], fp(&home));
    assert_ne!(doc["new_fp"], doc["old_fp"]);
    assert!(doc["lost"].as_array().unwrap().len() >= 3, "{doc}");
    let token =
        crate::support::house::http(&servers.url("wa"), "GET", "/instance/fetchInstances?instanceName=only-here", WA_KEY, None).1[0]["token"].clone();
    assert!(!doc.to_string().contains(token.as_str().unwrap()));
    let mut home = home;
    home.canary(token.as_str().unwrap());
    home.keeps_secrets();
    home.run(&["history", "--json"]).exits(0);
}

#[test]
fn create_restart_and_delete_do_what_they_say() {
    let (servers, home) = two();
    home.run(&["do", "create", "wa:fresh", "--yes"]).exits(0);
    assert_eq!(home.run(&["status", "wa:fresh", "--json"]).exits(0).json()["reason"]["code"], "never_paired");
    home.run(&["do", "create", "wa:fresh", "--yes"]).exits(1);
    let ran = home.run(&["do", "create", "wa:fresh", "--yes", "--json"]).exits(1);
    let doc = ran.json();
    assert_eq!((&doc["v"], &doc["result"]), (&1.into(), &"failed".into()), "{doc}");
    assert!(!doc["reason"]["text"].as_str().unwrap().is_empty() && !doc["reason"]["code"].as_str().unwrap().is_empty(), "{doc}");
    home.run(&["do", "create", "wa:bad%2Fname", "--yes"]).exits(4);
    home.run(&["do", "restart", "only-here", "--yes"]).exits(0);
    home.run(&["do", "delete", "wa:fresh", "--yes", "--json"]).exits(0);
    home.run(&["status", "wa:fresh"]).exits(3);
    assert!(!servers.gateway("wa").accounts().contains(&"fresh".to_owned()));
    home.run(&["do", "explode", "only-here", "--yes"]).exits(2).says(&["create", "restart", "delete"]);
}

#[test]
fn a_restart_that_the_server_refuses_has_failed_and_is_not_ambiguous() {
    // Memory says close, the database open: the row looks alive, and the server answers 200 with `error: true`.
    let (servers, home) = one(quick(WA_KEY), vec![instance("dead", Past::DeadRow)]);
    servers.gateway("wa").clear_requests();
    let ran = home.run(&["do", "restart", "dead", "--yes", "--json"]);
    let doc = ran.json();
    assert_eq!((&doc["result"], &doc["reason"]["code"]), (&json!("failed"), &json!("server_refused")), "{doc} {}", ran.stderr);
    ran.exits(1);
    let restarts = servers.asked("wa").iter().filter(|r| r.contains("/restart/")).count();
    assert_eq!(restarts, 1, "what was refused is not repeated");
    assert_eq!(home.run(&["list"]).exits(0).stderr, "", "nothing is left open");
}

#[test]
fn read_only_ends_with_11_and_sends_nothing() {
    let (servers, home) = two();
    for args in [
        &["--read-only", "wipe", "only-here", "--yes"][..],
        &["--read-only", "regenerate", "only-here", "--yes"],
        &["--read-only", "do", "delete", "only-here", "--yes"],
        &["--read-only", "pair", "shop-new"],
    ] {
        home.run(args).exits(11).says(&["read-only"]);
    }
    assert_eq!(changes(&servers), [""; 0]);
    home.run(&["--read-only", "list"]).exits(0);
}

#[test]
fn a_locked_vault_ends_with_12_and_cached_rows_are_still_listed() {
    let servers = Servers::start(vec![("wa", quick(WA_KEY), vec![instance("shop-on", Past::Online)])]);
    let mut home = Home::empty();
    home.canary(WA_KEY);
    home.canary("a long passphrase");
    let paths = Paths::in_home(&home.path());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let vault = Vault::new();
        let store = Store::open(&paths, vault.clone(), Arc::new(SystemTime::new())).unwrap();
        vault.create(Source::Passphrase, Some(Secret::new("a long passphrase".to_owned()))).await.unwrap();
        store.secret_put(&secret_name(&GatewayId::new("wa"), "api_key"), &Secret::new(WA_KEY.to_owned())).await.unwrap();
        let new = config::NewGateway::new("wa", "evolution", &servers.url("wa"));
        config::add_gateway(&paths.config, &new).unwrap();
        store.flush().await;
        store.close();
    });
    for args in [&["list"][..], &["status", "shop-on"], &["wipe", "shop-on", "--yes"], &["pair", "shop-on"], &["secret", "status"]] {
        home.run(args).exits(12);
    }
    assert_eq!(servers.asked("wa"), [""; 0]);
    home.run(&["doctor"]).exits(1);
    home.keeps_secrets();
}

#[test]
fn a_reply_that_is_lost_is_looked_up_and_not_repeated_blindly() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-on", Past::Online), instance("other", Past::Online)]);
    servers.gateway("wa").fault(Fault::Drop, 1, Some("/instance/logout/"));
    home.run(&["wipe", "shop-on", "--yes", "--json"]).exits(0);
    servers.gateway("wa").fault(Fault::Half, 1, Some("/instance/delete/"));
    let doc = home.run(&["regenerate", "other", "--yes", "--json"]).exits(0).json();
    assert_eq!(doc["result"], "new");
    let creates = servers.asked("wa").iter().filter(|r| r.starts_with("POST /instance/create")).count();
    assert_eq!(creates, 1);
    assert_eq!(servers.gateway("wa").accounts().iter().filter(|a| *a == "other").count(), 1);
}
