//! Accounts that live by a token: asked for, renewed, forgotten, their secrets replaced.

use crate::support::house::{Home, Servers};
use pairdeck::sandbox::{AppSpec, Part, TokenServer, TokenSettings};
use serde_json::json;

const SECRET: &str = "CANARY-OPS-SECRET-b41c07";

fn servers() -> Servers {
    let app = |id: &str, name: &str, secret: &str| AppSpec { id: id.into(), name: name.into(), secret: secret.into(), ..AppSpec::default() };
    let corp = vec![app("1000002", "ops", SECRET), app("1000003", "hr", "CANARY-HR-SECRET-27d9e1")];
    let shop = vec![app("wx4f1a2b3c4d5e6f70", "shop", "CANARY-OA-SECRET-88e2b6")];
    Servers::with(vec![("corp", Part::Tokens(Box::default(), corp)), ("oa", Part::Tokens(Box::new(TokenSettings::wechat_oa()), shop))])
}

fn server<'a>(servers: &'a Servers, name: &str) -> &'a TokenServer {
    servers.sandbox().tokens(name).unwrap()
}

#[test]
fn regenerate_says_new_unchanged_or_failed_and_exits_so() {
    let servers = servers();
    let home = Home::of(&servers);
    let corp = server(&servers, "corp");
    let first = home.run(&["regenerate", "corp:ops", "--yes", "--json"]).exits(0).json();
    assert_eq!((&first["result"], &first["old_fp"]), (&json!("new"), &json!(null)));
    let again = home.run(&["regenerate", "corp:ops", "--yes", "--json"]).exits(0).json();
    assert_eq!((&again["result"], &again["new_fp"]), (&json!("unchanged"), &first["new_fp"]));
    assert!(again["told"][0].as_str().unwrap().contains("same token"), "{again}");
    corp.revoke("ops");
    let third = home.run(&["regenerate", "corp:ops", "--yes", "--json"]).exits(0).json();
    assert_eq!((&third["result"], &third["old_fp"]), (&json!("new"), &first["new_fp"]));
    corp.reset_secret("ops", Some("CANARY-OPS-SECRET-new-1"), None);
    let failed = home.run(&["regenerate", "corp:ops", "--yes", "--json"]).exits(4).json();
    assert_eq!((&failed["result"], &failed["reason"]["code"]), (&json!("failed"), &json!("credential_refused")));
    home.keeps_secrets();
}

#[test]
fn a_new_secret_from_stdin_replaces_the_old_one_only_when_it_works() {
    let servers = servers();
    let mut home = Home::of(&servers);
    home.canary("CANARY-OPS-SECRET-new-1");
    let corp = server(&servers, "corp");
    corp.reset_secret("ops", Some("CANARY-OPS-SECRET-new-1"), None);
    let wrong = home.run_with(&["do", "secret", "corp:ops", "--yes", "--json"], "CANARY-wrong-0123456789").exits(4).json();
    assert_eq!((&wrong["result"], &wrong["reason"]["code"]), (&json!("failed"), &json!("credential_refused")));
    home.run_with(&["do", "secret", "corp:ops", "--yes"], "CANARY-OPS-SECRET-new-1\n").exits(0).says(&["works"]);
    let doc = home.run(&["status", "corp:ops", "--json"]).exits(0).json();
    assert_eq!(doc["state"], "ready", "{doc}");
    // Nobody answers: it is over, and the account is free for the next action.
    home.run(&["do", "secret", "corp:hr", "--yes"]).exits(4);
    home.run(&["regenerate", "corp:hr", "--yes"]).exits(0);
    home.keeps_secrets();
}

#[test]
fn an_untrusted_address_is_named_and_ends_with_its_reason() {
    let servers = servers();
    let home = Home::of(&servers);
    home.run(&["regenerate", "corp:ops", "--yes"]).exits(0);
    server(&servers, "corp").trust("ops", Some(vec!["198.51.100.20".into()]));
    let doc = home.run(&["status", "corp:ops", "--json"]).exits(0).json();
    assert_eq!((&doc["state"], &doc["reason"]["code"]), (&json!("refused"), &json!("address_not_trusted")));
    assert!(doc["reason"]["text"].as_str().unwrap().contains("203.0.113.7"), "{doc}");
    assert_eq!(doc["facts"]["egress_ip"], "203.0.113.7", "{doc}");
}

#[test]
fn what_really_rotates_rotates_and_wiping_says_what_it_does_not_do() {
    let servers = servers();
    let home = Home::of(&servers);
    let first = home.run(&["regenerate", "oa:shop", "--yes", "--json"]).exits(0).json();
    let second = home.run(&["regenerate", "oa:shop", "--yes", "--json"]).exits(0).json();
    assert_eq!((&second["result"], &second["old_fp"]), (&json!("new"), &first["new_fp"]));
    assert_ne!(second["new_fp"], first["new_fp"]);
    home.run(&["wipe", "oa:shop", "--yes"]).exits(0).says(&["stays good until"]);
    let doc = home.run(&["status", "oa:shop", "--json"]).exits(0).json();
    assert_eq!(doc["reason"]["code"], "token_forgotten", "{doc}");
    home.keeps_secrets();
}

#[test]
fn secrets_of_accounts_are_set_by_name_and_a_gateway_comes_with_its_first_account() {
    let servers = servers();
    let mut home = Home::of(&servers);
    home.canary("CANARY-typed-0123456789");
    home.run_with(&["secret", "set", "corp", "--file", "-"], SECRET).exits(3).says(&["corp:ops", "corp:hr"]);
    home.run_with(&["secret", "set", "corp:nobody", "--file", "-"], SECRET).exits(3);
    home.run_with(&["secret", "set", "corp:ops", "--file", "-"], "CANARY-typed-0123456789").exits(0);
    home.run(&["regenerate", "corp:ops", "--yes"]).exits(4).says(&["secret set corp:ops"]);
    home.run(&["secret", "forget", "corp:ops"]).exits(0);
    let doc = home.run(&["status", "corp:ops", "--json"]).exits(0).json();
    assert_eq!((&doc["state"], &doc["reason"]["code"]), (&json!("refused"), &json!("credential_missing")));
    home.run(&["add", "wecom", "acme"]).exits(2).says(&["[gateway.acme]", "corp_id", "[gateway.acme.account.ops]"]);
    let corp = server(&servers, "corp").settings().corpid.clone();
    let url = servers.url("corp");
    let add = ["add", "wecom", "acme", "--url", &url, "--corp-id", &corp, "--account", "ops=1000002", "--api-key-file", "-"];
    home.run_with(&add, "CANARY-typed-0123456789").exits(4);
    assert!(!std::fs::read_to_string(home.file("config.toml")).unwrap().contains("acme"));
    // The right Secret under another app's number: every call of a client would fail.
    let other = add.map(|word| if word == "ops=1000002" { "ops=7" } else { word });
    home.run_with(&other, SECRET).exits(4).says(&["another app"]);
    assert!(!std::fs::read_to_string(home.file("config.toml")).unwrap().contains("acme"));
    home.run_with(&add, SECRET).exits(0).says(&["its id is that of the app"]);
    home.run(&["regenerate", "acme:ops", "--yes"]).exits(0);
    home.run(&["remove", "acme", "--yes"]).exits(0);
    assert!(!home.run(&["secret", "status"]).exits(0).stdout.contains("acme"));
    home.keeps_secrets();
}

#[test]
fn a_token_given_where_its_fingerprint_belongs_is_not_repeated() {
    let home = Home::empty();
    let ran = home.run(&["token", "corp:ops", "--rejected", "CANARY-not-a-fingerprint-0123"]).exits(2).says(&["eight hex digits", "not repeated"]);
    assert!(!ran.stderr.contains("CANARY") && !ran.stdout.contains("CANARY"), "{ran:?}");
}
