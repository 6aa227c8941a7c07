//! A worker's own key in its own file, made by one command and written into the operator's file.

use crate::{
    floor::{BOT_TOKEN, Floor, OWNER, PASSWORD, key, lies, write},
    support::house::Home,
};
use pairdeck::{domain::GatewayId, domain::Secret, engine::world::secret_name, sandbox::TelegramSettings, store::Store};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

fn config(home: &Home) -> String {
    fs::read_to_string(home.file("config.toml")).unwrap()
}

fn pair<'a>(slot: &'a str, file: &'a Path) -> Vec<&'a str> {
    vec!["pair", "tg:ada", "--slot", slot, "--file", file.to_str().unwrap(), "--json"]
}

fn folder(floor: &Floor) -> PathBuf {
    let dir = floor.home.file("workers").join("fresh");
    fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn a_new_slot_gets_a_key_of_its_own_and_stands_in_the_configuration_with_its_comments_kept() {
    let floor = Floor::open(1, 0);
    let text = config(&floor.home).replace("api_id = 12345\n", "api_id = 12345 # ours, from my.telegram.org\n");
    floor.home.write_config(&text);
    let file = folder(&floor).join("session.json");
    floor.tg().clear();
    let lines = floor.home.run(&pair("orders", &file)).exits(0).lines();
    let (last, steps) = lines.split_last().unwrap();
    assert_eq!((&last["v"], &last["event"], &last["id"]), (&json!(1), &json!("linked"), &json!("tg:ada/orders")), "{lines:?}");
    assert!(steps.iter().all(|l| l["event"] == "waiting" && l["step"]["text"].is_string()), "{lines:?}");
    let is = lies(&file).unwrap();
    assert!(floor.tg().alive(is.0));
    assert_eq!(last["facts"]["key_id"], is.to_string());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = config(&floor.home);
    assert!(text.contains("# ours, from my.telegram.org") && text.contains("[gateway.tg.account.ada.slot.orders]"), "{text}");
    assert_eq!(floor.device("orders")["state"], "offline");
    assert!(floor.tg().connected().iter().all(|c| c.key != Some(is.0)), "nobody holds the new key");
    // It is a slot like any other: its session's end is remembered, and it can be run.
    floor.home.run(&["run", "tg:ada/orders", "--", "true"]).exits(0);
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    floor.home.run(&["regenerate", "tg:ada/orders", "--yes", "--json"]).exits(0);
    assert!(!floor.tg().alive(is.0));
    floor.no_workers_key_was_used(1);
    floor.home.keeps_secrets();
}

#[test]
fn a_path_a_link_or_a_key_of_another_slot_is_refused_by_its_name_before_anything_is_sent() {
    let floor = Floor::open(2, 0);
    let (dir, before) = (folder(&floor), config(&floor.home));
    let taken = floor.file("w1");
    let (sym, hard, copy, own) = (dir.join("sym.json"), dir.join("hard.json"), dir.join("copy.json"), dir.join("own.json"));
    symlink(&taken, &sym).unwrap();
    fs::hard_link(floor.file("w0"), &hard).unwrap();
    write(&copy, &key(2));
    write(&own, &key(99));
    let cases: [(&str, &Path, &[&str]); 7] = [
        ("orders", &taken, &["tg:ada/w1", "the same path"]),
        ("orders", &sym, &["tg:ada/w1", "symbolic link"]),
        ("orders", &hard, &["tg:ada/w0", "hard link"]),
        ("orders", &copy, &["tg:ada/w1", "the same key"]),
        ("orders", &own, &["is there already"]),
        ("w1", &dir.join("x.json"), &["name"]),
        ("no/good", &dir.join("x.json"), &[]),
    ];
    floor.tg().clear();
    for (slot, file, words) in cases {
        let ran = floor.home.run(&["pair", "tg:ada", "--slot", slot, "--file", file.to_str().unwrap()]);
        assert_ne!(ran.code, 0, "{slot} {file:?}");
        let ran = ran.says(words);
        assert_eq!(config(&floor.home), before, "{slot} {file:?}: {}", ran.stderr);
    }
    assert!(!floor.tg().calls().iter().any(|c| c.method.starts_with("auth.")), "{:?}", floor.tg().calls());
    floor.no_workers_key_was_used(2);
}

/// Where mounts are allowed, a bind mount of another slot's folder is seen through too.
#[test]
fn a_bind_mount_of_another_slots_folder_is_refused() {
    let floor = Floor::open(1, 0);
    let (dir, of) = (folder(&floor), floor.file("w0"));
    fs::remove_file(&of).unwrap();
    let mut command = floor.home.command(&[]);
    let script = format!(
        "mount --bind {} {} || exit 99; exec {} pair tg:ada --slot orders --file {}",
        of.parent().unwrap().display(),
        dir.display(),
        env!("CARGO_BIN_EXE_pairdeck"),
        dir.join("session.json").display()
    );
    let mut inside = std::process::Command::new("unshare");
    inside.args(["-rm", "sh", "-c", &script]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for (k, v) in command.get_envs() {
        inside.env(k, v.unwrap());
    }
    command = inside;
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let Ok(child) = command.spawn() else {
        println!("SKIPPED: there is no unshare here");
        return;
    };
    let ran = floor.home.finish(child);
    if ran.code == 99 || ran.stderr.contains("unshare") {
        println!("SKIPPED: mounts are not allowed here: {}", ran.stderr);
        return;
    }
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    ran.says(&["tg:ada/w0", "bind mount"]);
}

#[test]
fn a_new_slot_killed_at_any_commit_is_whole_or_leaves_no_word_in_the_configuration_and_no_session() {
    let floor = Floor::open(1, 0);
    let (dir, mut commits, mut finished) = (folder(&floor), 0, 0);
    'sweep: for n in 1.. {
        for side in ["before", "after"] {
            let name = format!("s{n}{side}");
            let file = dir.join(&name);
            let before = floor.tg().devices(OWNER).len();
            let mut command = floor.home.command(&pair(&name, &file));
            command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{side}"));
            let ran = floor.home.finish(command.spawn().unwrap());
            if ran.code != -9 {
                assert_eq!(ran.code, 0, "{}", ran.stderr);
                break 'sweep;
            }
            commits = n;
            let next = floor.home.run(&["list", "--json"]).exits(0);
            let at = || format!("journal {n} {side}; {}", next.stderr);
            let (is, listed, after) = (lies(&file), config(&floor.home).contains(&format!("slot.{name}]")), floor.tg().devices(OWNER).len());
            match is {
                Some(is) => assert!(listed && floor.tg().alive(is.0) && after == before + 1, "{}", at()),
                None => assert!(!listed && !file.exists() && after == before, "listed {listed}, {before} then {after}; {}", at()),
            }
            finished += usize::from(is.is_some());
        }
    }
    assert!(commits >= 14 && finished >= 2, "{commits} commits, {finished} finished");
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|f| f.to_string_lossy().contains("pairdeck-new") || f.to_string_lossy().contains("probe")), "{left:?}");
    floor.home.keeps_secrets();
}

#[test]
fn a_worker_with_an_application_of_its_own_gets_a_key_under_that_applications_name() {
    let settings = TelegramSettings {
        apps: vec![(12345, "0123456789abcdef0123456789abcdef".into()), (777, "CANARYfedcba9876543210fedcba98765".into())],
        ..TelegramSettings::default()
    };
    let mut floor = Floor::under(settings, 1, 0);
    floor.pair();
    let file = folder(&floor).join("session.json");
    let mut args = pair("orders", &file);
    args.extend(["--api-id", "777"]);
    // The hash of another application is a secret of the slot's own.
    let before = floor.tg().devices(OWNER).len();
    let ran = floor.home.run(&args).exits(4);
    assert!(ran.stdout.contains("credential_missing") && ran.stdout.contains("tg:ada/orders"), "{}", ran.stdout);
    assert_eq!(floor.tg().devices(OWNER).len(), before);
    floor.home.canary("CANARYfedcba9876543210fedcba98765");
    floor.home.store(async |store: &Store| {
        let name = secret_name(&GatewayId::new("tg"), "account/ada/slot/orders/api_hash");
        store.secret_put(&name, &Secret::new("CANARYfedcba9876543210fedcba98765".into())).await.unwrap();
    });
    floor.home.run(&args).exits(0);
    assert!(config(&floor.home).contains("api_id = 777"));
    let row =
        floor.devices().into_iter().find(|d| d["facts"]["app"].as_str().is_some_and(|a| a.starts_with("app777"))).expect("its row has its own name");
    assert!(row["name"].as_str().unwrap().starts_with("orders"), "{row}");
    // Another slot that is configured by hand takes its hash from the command line.
    let w0 = config(&floor.home).replace("[gateway.tg.account.ada.slot.w0]\n", "[gateway.tg.account.ada.slot.w0]\napi_id = 777\n");
    floor.home.write_config(&w0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes"]).exits(4).says(&["tg:ada/w0"]);
    floor.home.run_with(&["secret", "set", "tg:ada/w0", "--name", "api_hash", "--file", "-"], "CANARYfedcba9876543210fedcba98765").exits(0);
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes"]).exits(0);
    assert_eq!(floor.devices().iter().filter(|d| d["facts"]["app"].as_str().is_some_and(|a| a.starts_with("app777"))).count(), 2);
    floor.home.keeps_secrets();
}

#[test]
fn a_password_that_nobody_gives_ends_with_4_and_all_is_taken_back() {
    let floor = Floor::open(1, 0);
    let before = config(&floor.home);
    floor.home.store(async |store: &Store| {
        store.secret_forget(&secret_name(&GatewayId::new("tg"), "account/ada/password")).await.unwrap();
    });
    let file = folder(&floor).join("session.json");
    let (devices, ran) = (floor.tg().devices(OWNER).len(), floor.home.run(&pair("orders", &file)).exits(4));
    let lines = ran.lines();
    let ask = lines.iter().find(|l| l["event"] == "ask").unwrap();
    assert_eq!((&ask["kind"], &ask["v"]), (&json!("password"), &json!(1)));
    assert_eq!(lines.last().map(|l| &l["event"]), Some(&Value::from("failed")));
    assert_eq!((config(&floor.home), floor.tg().devices(OWNER).len(), file.exists()), (before, devices, false));
    // Given on stdin it goes on.
    floor.home.run_with(&["pair", "tg:ada", "--slot", "orders", "--file", file.to_str().unwrap()], PASSWORD).exits(0);
    assert!(lies(&file).is_some());
}

#[test]
fn a_clock_that_is_far_off_ends_with_7_and_neither_file_nor_key_is_made() {
    let floor = Floor::open(1, 0);
    let before = config(&floor.home);
    floor.tg().skew(Some(10_800.0));
    let file = folder(&floor).join("session.json");
    let (keys, ran) = (floor.tg().counts().keys, floor.home.run(&pair("orders", &file)).exits(7));
    assert_eq!(ran.lines().last().unwrap()["event"], "blocked", "{}", ran.stdout);
    assert_eq!((config(&floor.home), file.exists(), floor.tg().counts().keys), (before, false, keys));
    // Regenerating asks the gate too.
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(7);
    assert_eq!((lies(&floor.file("w0")), floor.tg().counts().keys), (Some(key(1).id()), keys));
    let mut args = pair("orders", &file);
    args.push("--allow-clock-skew");
    floor.home.run(&args).exits(0);
    let audit = floor.home.run(&["history", "tg:ada/orders", "--audit", "--json"]).exits(0);
    assert!(audit.stdout.contains("clock_override"), "{}", audit.stdout);
}

#[test]
fn an_account_is_added_by_one_command_its_secrets_stay_out_of_the_file_and_nobody_is_logged_in() {
    let mut floor = Floor::new(1, 0);
    let hash = "0123456789abcdef0123456789abcdef";
    floor.home.canary("77:CANARY-second-bot");
    let (hash_file, token_file, keys) =
        (floor.home.path().with_file_name("hash"), floor.home.path().with_file_name("token"), floor.home.path().with_file_name("pem"));
    fs::write(&keys, floor.tg().pem()).unwrap();
    let dcs: Vec<_> = floor.tg().dcs().iter().map(|(dc, at)| format!("{dc}={at}")).collect();
    let (servers, keys) = (format!("servers={}", dcs.join(",")), format!("server_keys={}", keys.display()));
    let with = format!("api_hash={}", hash_file.display());
    let base = |name: &'static str| vec!["add", "telegram", name, "--account", "shop", "--set", "api_id=12345", "--set", &servers, "--set", &keys];
    // What is missing, unknown or a secret in the wrong place is said, and nothing is kept.
    let before = config(&floor.home);
    floor.home.run(&base("tg2")).exits(2);
    let mut wrong = base("tg2");
    wrong.extend(["--set", "api_hash=abc"]);
    floor.home.run(&wrong).exits(2).says(&["api_hash"]);
    fs::write(&hash_file, hash).unwrap();
    let mut nowhere =
        vec!["add", "telegram", "tg2", "--account", "shop", "--set", "api_id=12345", "--set", "servers=2=127.0.0.1:1", "--secret-file", &with];
    floor.home.run(&nowhere).exits(5);
    nowhere[6] = "api_id=many";
    floor.home.run(&nowhere).exits(2);
    assert_eq!(config(&floor.home), before);
    let mut right = base("tg2");
    right.extend(["--secret-file", &with, "--json"]);
    let said = floor.home.run(&right).exits(0).json();
    assert_eq!((&said["v"], &said["added"], &said["name"]), (&json!(1), &json!(true), &json!("tg2")));
    assert!(config(&floor.home).contains("[gateway.tg2.account.shop]") && !config(&floor.home).contains(hash));
    assert!(!floor.tg().calls().iter().any(|c| c.method.starts_with("auth.")), "nobody logs in: {:?}", floor.tg().calls());
    // A bot: what it needs to log in is there.
    fs::write(&token_file, BOT_TOKEN).unwrap();
    let mut bot = base("bots");
    let token = format!("bot_token={}", token_file.display());
    bot.extend(["--secret-file", &with, "--secret-file", &token]);
    floor.home.run(&bot).exits(0);
    assert!(config(&floor.home).contains("bot = true"));
    floor.home.run(&["pair", "bots:shop", "--json"]).exits(0);
    fs::remove_file(token_file).unwrap();
    fs::remove_file(hash_file).unwrap();
    floor.home.keeps_secrets();
}
