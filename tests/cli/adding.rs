//! What is kept here: add, remove, secrets.

use crate::{
    fleet::{EU_KEY, WA_KEY},
    support::house::{Home, Servers, instance, quick},
};
use pairdeck::sandbox::{Past, Settings};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};

fn servers() -> Servers {
    let eu = Settings { base_path: "/evo".to_owned(), ..quick(EU_KEY) };
    Servers::start(vec![("wa", quick(WA_KEY), vec![instance("shop-on", Past::Online)]), ("eu", eu, vec![])])
}

fn empty() -> Home {
    let mut home = Home::unmade();
    home.canary(WA_KEY);
    home.canary(EU_KEY);
    home
}

#[test]
fn a_gateway_is_added_from_stdin_and_its_key_is_nowhere_in_clear() {
    let servers = servers();
    let home = empty();
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0).says(&["key file"]);
    let ran = home.run_with(&["add", "evolution", "wa", "--url", &servers.url("wa"), "--api-key-file", "-"], WA_KEY).exits(0);
    assert_eq!(ran.stdout, "");
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    assert!(text.contains("[gateway.wa]") && text.contains(&servers.url("wa")), "{text}");
    assert_eq!(home.run(&["list", "--json"]).exits(0).json()["accounts"][0]["id"], "wa:shop-on");
    // A key from a file; a base path behind a proxy.
    let file = home.file("key.txt");
    fs::write(&file, format!("{EU_KEY}\n")).unwrap();
    let doc = home.run(&["add", "evolution", "eu", "--url", &servers.url("eu"), "--api-key-file", file.to_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!((&doc["added"], &doc["reason"]), (&json!(true), &json!(null)));
    fs::remove_file(&file).unwrap();
    let status = home.run(&["secret", "status"]).exits(0).stdout;
    assert!(status.contains("gateway/wa/api_key") && status.contains("gateway/eu/api_key"), "{status}");
    home.keeps_secrets();
    for entry in fs::read_dir(home.path()).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
    }
}

#[test]
fn a_wrong_key_ends_with_4_and_nothing_is_saved() {
    let servers = servers();
    let mut home = empty();
    home.canary("CANARY-wrong-1111111111");
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    let add = ["add", "evolution", "wa", "--url", &servers.url("wa"), "--api-key-file", "-"];
    home.run_with(&add, "CANARY-wrong-1111111111").exits(4).says(&["refused"]);
    assert!(!home.file("config.toml").exists());
    assert!(!home.run(&["secret", "status"]).exits(0).stdout.contains("gateway/"));
    let doc = home.run_with(&[&add[..], &["--json"]].concat(), "CANARY-wrong-1111111111").exits(4).json();
    assert_eq!((&doc["added"], &doc["reason"]["code"]), (&json!(false), &json!("credential_refused")));
    home.keeps_secrets();
}

#[test]
fn what_cannot_be_added_says_why_and_sends_no_key() {
    let servers = servers();
    let home = empty();
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    let url = servers.url("wa");
    home.run_with(&["add", "carrier-pigeon", "wa", "--url", &url, "--api-key-file", "-"], WA_KEY).exits(2).says(&["evolution"]);
    home.run(&["add", "evolution", "wa", "--api-key-file", "-"]).exits(2).says(&["--url"]);
    home.run(&["add", "evolution", "wa", "--url", &url]).exits(2).says(&["stdin"]);
    home.run_with(&["add", "evolution", "wa", "--url", &url, "--api-key-file", "-"], "\n").exits(2).says(&["empty"]);
    home.run_with(&["add", "evolution", "wa", "--url", "http://192.0.2.1:8080", "--api-key-file", "-"], WA_KEY).exits(2).says(&["allow_plaintext"]);
    for name in ["a b", "", "-x", "../x"] {
        home.run_with(&["add", "evolution", "--url", &url, "--api-key-file", "-", "--", name], WA_KEY).exits(2).says(&["letters"]);
    }
    for url in ["ftp://127.0.0.1", "127.0.0.1", "http://user:CANARY@127.0.0.1/"] {
        let ran = home.run_with(&["add", "evolution", "wa", "--url", url, "--api-key-file", "-"], WA_KEY).exits(2);
        assert!(!ran.stderr.contains("CANARY"), "{}", ran.stderr);
    }
    assert_eq!(servers.asked("wa"), [""; 0]);
    assert!(!home.file("config.toml").exists());
    home.run_with(&["add", "evolution", "wa", "--url", &url, "--api-key-file", "-"], WA_KEY).exits(0);
    home.run_with(&["add", "evolution", "wa", "--url", &url, "--api-key-file", "-"], WA_KEY).exits(2).says(&["wa"]);
    home.run_with(&["--read-only", "add", "evolution", "w2", "--url", &url, "--api-key-file", "-"], WA_KEY).exits(11);
}

#[test]
fn without_any_place_for_the_vault_key_nothing_is_kept_and_the_way_out_is_named() {
    let servers = servers();
    let home = empty();
    let ran = home.run_with(&["add", "evolution", "wa", "--url", &servers.url("wa"), "--api-key-file", "-"], WA_KEY);
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.stderr.contains("secret init"), "{}", ran.stderr);
    assert!(!home.file("config.toml").exists());
    home.keeps_secrets();
}

#[test]
fn a_removed_gateway_leaves_neither_key_nor_rows() {
    let servers = servers();
    let home = Home::of(&servers);
    home.run(&["list"]).exits(0);
    home.run(&["remove", "wa"]).exits(2).says(&["--yes"]);
    servers.gateway("wa").clear_requests();
    home.run(&["remove", "wa", "--yes"]).exits(0);
    assert_eq!(servers.asked("wa"), [""; 0], "its server is not told");
    let text = fs::read_to_string(home.file("config.toml")).unwrap();
    assert!(!text.contains("gateway.wa]") && text.contains("gateway.eu]"), "{text}");
    assert!(!home.run(&["secret", "status"]).exits(0).stdout.contains("gateway/wa/"));
    assert_eq!(home.run(&["list", "--json"]).exits(0).json()["accounts"], json!([]));
}

#[test]
fn secrets_are_set_shown_by_name_and_forgotten() {
    let servers = servers();
    let home = Home::of(&servers);
    home.run(&["secret", "forget", "wa"]).exits(0);
    home.run(&["status", "wa:shop-on"]).exits(4).says(&["secret set wa"]);
    home.run(&["secret", "set", "wa"]).exits(2).says(&["stdin"]);
    home.run(&["secret", "set", "wa", "--file", "/nonexistent/key"]).exits(2).says(&["/nonexistent/key"]);
    home.run_with(&["secret", "set", "wa", "--file", "-"], WA_KEY).exits(0);
    home.run(&["status", "wa:shop-on"]).exits(0);
    home.run(&["secret", "init", "--insecure-key-file"]).says(&["already"]);
    home.keeps_secrets();
}

#[test]
fn a_gateway_whose_key_is_optional_is_added_without_one_where_the_server_asks_for_none() {
    use crate::support::im::Im;
    use pairdeck::sandbox::WukongSettings;
    let open = Im::with(WukongSettings { manager_token: None, ..WukongSettings::default() });
    let closed = Im::start("CANARY-manager-5511");
    let mut home = empty();
    home.canary("CANARY-manager-5511");
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    let add = |name: &str, im: &Im, key: &str| home.run_with(&["add", "wukongim", name, "--url", &im.server().api_url(), "--api-key-file", "-"], key);
    add("open", &open, "\n").exits(0);
    add("closed", &closed, "\n").exits(4);
    add("closed", &closed, "CANARY-manager-5511\n").exits(0);
    let status = home.run(&["secret", "status"]).exits(0).stdout;
    assert!(status.contains("gateway/closed/manager_token") && !status.contains("gateway/open/"), "{status}");
    home.run(&["list", "--json"]).exits(0);
    home.run(&["add", "evolution", "wa", "--url", "http://127.0.0.1:9", "--api-key-file", "/dev/null"]).exits(2).says(&["empty"]);
    home.keeps_secrets();
}

#[test]
fn a_gateway_that_comes_and_goes_leaves_a_line_each_that_is_read_when_it_is_gone() {
    let servers = servers();
    let home = empty();
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    home.run_with(&["add", "evolution", "wa", "--url", &servers.url("wa"), "--api-key-file", "-"], WA_KEY).exits(0);
    home.run(&["do", "delete", "wa:shop-on", "--yes"]).exits(0);
    let deeds = |name: &str| -> Vec<(String, String)> {
        let doc = home.run(&["history", name, "--audit", "--json"]).exits(0).json();
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
        doc["lines"].as_array().unwrap().iter().map(|l| (text(&l["id"]), text(&l["action"]))).collect()
    };
    let line = |id: &str, action: &str| (id.to_owned(), action.to_owned());
    for name in ["wa:shop-on", "shop-on"] {
        assert_eq!(deeds(name), [line("wa:shop-on", "delete")], "a deleted account by {name}");
    }
    home.run(&["remove", "wa", "--yes"]).exits(0);
    assert_eq!(deeds("wa"), [line("wa", "add"), line("wa:shop-on", "delete"), line("wa", "remove")]);
    assert_eq!(deeds("wa:shop-on"), [line("wa:shop-on", "delete")]);
    home.run(&["history", "never-there", "--audit"]).exits(3);
    home.run(&["history", "wa"]).exits(3);
}

#[test]
fn whoever_may_change_nothing_changes_no_secret_no_key_and_no_configuration_either() {
    let servers = servers();
    let home = Home::of(&servers);
    let config = fs::read_to_string(home.file("config.toml")).unwrap();
    let secrets = home.run(&["secret", "status"]).exits(0).stdout;
    for args in [
        &["secret", "set", "wa", "--file", "-"][..],
        &["secret", "forget", "wa"],
        &["secret", "rotate-key"],
        &["secret", "move", "--insecure-key-file"],
        &["secret", "accept-restore"],
        &["secret", "set-aside"],
        &["remove", "wa", "--yes"],
        &["add", "wecom", "corp", "--corp-id", "ww1", "--account", "ops=1000002", "--api-key-file", "-"],
    ] {
        home.run_with(&[&["--read-only"], args].concat(), EU_KEY).exits(11).says(&["read-only"]);
    }
    assert_eq!(fs::read_to_string(home.file("config.toml")).unwrap(), config);
    assert_eq!(home.run(&["--read-only", "secret", "status"]).exits(0).stdout, secrets);
    assert_eq!(home.run(&["history", "--audit", "--json"]).exits(0).json()["lines"], json!([]), "what was refused did nothing");
    Home::unmade().run(&["--read-only", "secret", "init", "--insecure-key-file"]).exits(11);
}

#[test]
fn a_secret_is_called_what_it_is_and_one_for_a_login_is_put_where_the_login_looks() {
    let home = empty();
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    let gateways = [
        "[gateway.lb]\nkind = \"langbot\"\nurl = \"http://127.0.0.1:9\"\nuser = \"ops@example.com\"\n",
        "[gateway.keyed]\nkind = \"langbot\"\nurl = \"http://127.0.0.1:9\"\n",
        "[gateway.im]\nkind = \"wukongim\"\nurl = \"http://127.0.0.1:9\"\n",
        "[gateway.corp]\nkind = \"wecom\"\ncorp_id = \"ww1\"\n[gateway.corp.account.ops]\nid = \"1000002\"\n",
    ];
    home.write_config(&gateways.concat());
    let (name, user, pass) = ("--name", "manager_user", "manager_password");
    for (args, what) in [
        (&["lb"][..], "the password of lb is sealed"),
        (&["lb", name, "api_key"], "the key of lb is sealed"),
        (&["keyed"], "the key of keyed is sealed"),
        (&["im"], "the token of im is sealed"),
        (&["im", name, user], "the user name of im is sealed"),
        (&["im", name, pass], "the password of im is sealed"),
        (&["corp:ops"], "the secret of corp:ops is sealed"),
        (&["shared/redis"], "the password of shared/redis is sealed"),
    ] {
        let all = [&["secret", "set"], args, &["--file", "-"]].concat();
        home.run_with(&all, WA_KEY).exits(0).says(&[what]);
    }
    let status = home.run(&["secret", "status"]).exits(0).stdout;
    assert!(status.contains("gateway/lb/password") && status.contains("gateway/keyed/api_key"), "{status}");
    assert!(!status.contains("gateway/keyed/password"), "{status}");
    home.run(&["secret", "forget", "corp:ops"]).exits(0).says(&["the secret of corp:ops is erased"]);
    home.run(&["secret", "forget", "shared/redis"]).exits(0).says(&["the password of shared/redis is erased"]);
    home.run(&["secret", "forget", "lb"]).exits(0).says(&["every secret of lb is erased"]);
    assert!(!home.run(&["secret", "status"]).exits(0).stdout.contains("gateway/lb/"));
}
