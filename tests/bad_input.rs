//! What goes wrong outside: servers that are away, slow, broken or hostile; configurations, stores and folders that are not
//! as they should be. Each is a sentence that says what to do, with the right exit code, and nothing else is harmed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{Fault, InstanceSpec, Past, Settings};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
};
use support::house::{Home, Servers, files, http, instance, quick};

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

/// Bytes of every file that must not change.
fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[test]
fn a_vault_database_of_a_newer_version_is_left_alone() {
    let (servers, home) = two();
    home.run(&["list"]).exits(0);
    let path = home.file("vault.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    let before = bytes(&path);
    servers.gateway("bad").clear_requests();
    for args in [&["list"][..], &["wipe", "bad:shop", "--yes"], &["pair", "bad:shop"], &["secret", "status"], &["doctor"]] {
        home.run(args).exits(1).says(&["newer", "--home"]);
    }
    assert_eq!(bytes(&path), before);
    assert_eq!(servers.asked("bad"), [""; 0]);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
    home.run(&["status", "bad:shop"]).exits(0);
}

#[test]
fn a_damaged_vault_database_is_named_and_kept() {
    let (_servers, home) = two();
    let path = home.file("vault.db");
    let whole = bytes(&path);
    for damage in [b"this is no database, it never was one".to_vec(), {
        let mut half = whole.clone();
        half[..100].fill(0xaa);
        half
    }] {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(home.file(&format!("vault.db{suffix}")));
        }
        fs::write(&path, &damage).unwrap();
        home.run(&["list"]).exits(1).says(&["vault.db", "damaged", "nothing was changed", "secret set-aside"]);
        let wipe = home.run(&["wipe", "bad:shop", "--yes"]).exits(1);
        assert!(!wipe.stderr.contains("eyring"), "{}", wipe.stderr);
        home.run(&["doctor"]).exits(1).says(&["damaged"]);
        assert_eq!(bytes(&path), damage);
    }
    // Out of the way when its operator says so, and back.
    let damage = bytes(&path);
    home.run(&["secret", "set-aside"]).exits(0).says(&["set-aside-1", "--back"]);
    assert_eq!(bytes(&home.file("set-aside-1/vault.db")), damage);
    home.run(&["secret", "status"]).exits(0);
    home.run(&["secret", "set-aside"]).exits(1).says(&["nothing to set aside"]);
    let audited = |home: &Home| {
        let doc = home.run(&["history", "--audit", "--json"]).exits(0).json();
        let told = |l: &Value| format!("{} {} {}", l["id"].as_str().unwrap(), l["action"].as_str().unwrap(), l["outcome"].as_str().unwrap());
        doc["lines"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(audited(&home), ["vault set-aside done", "vault set-aside failed"], "who moved it is not known");
    home.run(&["secret", "set-aside", "--back"]).exits(0).says(&["set-aside-2"]);
    assert_eq!(bytes(&path), damage);
    // A damaged one takes no line: it stands in the one that was moved away whole.
    let db = rusqlite::Connection::open(home.file("set-aside-2/vault.db")).unwrap();
    let last: String = db.query_row("SELECT action || ' ' || outcome FROM audit ORDER BY id DESC", [], |r| r.get(0)).unwrap();
    assert_eq!(last, "set-aside-back done");
    drop(db);
    fs::write(&path, &whole).unwrap();
    home.run(&["status", "bad:shop"]).exits(0);
    home.run(&["secret", "set-aside", "--back"]).exits(0);
    assert_eq!(audited(&home).last().unwrap(), "vault set-aside-back done");
    home.run(&["secret", "set-aside", "--back"]).exits(0);
    home.run(&["status", "bad:shop"]).exits(0);
}

#[test]
fn a_configuration_that_never_ends_or_is_no_file_is_refused_at_once() {
    let (_servers, home) = two();
    let config = home.file("config.toml");
    let kept = bytes(&config);
    fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    home.run(&["list"]).exits(2).says(&["config.toml", "a pipe stands there"]);
    fs::remove_file(&config).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &config).unwrap();
    home.run(&["list"]).exits(2).says(&["config.toml", "more than 16 MiB"]);
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    home.run(&["list"]).exits(2).says(&["config.toml", "cannot be read"]);
    fs::remove_dir(&config).unwrap();
    // A link to a file is how many keep theirs.
    fs::write(home.file("elsewhere.toml"), &kept).unwrap();
    std::os::unix::fs::symlink(home.file("elsewhere.toml"), &config).unwrap();
    home.run(&["list"]).exits(0);
}

#[test]
fn what_others_may_change_on_the_way_to_the_keys_is_said_at_the_start_and_by_the_doctor() {
    let (_servers, home) = two();
    let config = home.file("config.toml");
    assert!(!home.run(&["list"]).exits(0).stderr.contains("other users"));
    fs::set_permissions(&config, fs::Permissions::from_mode(0o666)).unwrap();
    home.run(&["list"]).exits(0).says(&["can be changed by other users", "chmod go-w", "config.toml"]);
    let checks = home.run(&["doctor", "--json"]).json();
    let found = checks["checks"].as_array().unwrap().iter().find(|c| c["check"] == "files").unwrap().clone();
    assert!(found["verdict"] == "warn" && found["detail"].as_str().unwrap().contains("chmod go-w"), "{found}");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let above = home.path().parent().unwrap().to_owned();
    fs::set_permissions(&above, fs::Permissions::from_mode(0o777)).unwrap();
    home.run(&["list"]).exits(0).says(&["can be changed by other users", above.to_str().unwrap()]);
    fs::set_permissions(&above, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn trouble_with_a_key_file_has_its_own_words() {
    let (_servers, home) = two();
    let key = home.file("vault.key");
    let kept = bytes(&key);
    let said = |words: &[&str]| {
        for args in [&["secret", "status"][..], &["list"]] {
            let ran = home.run(args).exits(12);
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert!(words.iter().all(|w| all.contains(w)) && !all.contains("eyring"), "{args:?}: {all}");
        }
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    said(&["key file is not used", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, b"garbage").unwrap();
    said(&["key file is not used", "does not fit"]);
    fs::remove_file(&key).unwrap();
    said(&["key file is not there", "put it back"]);
    fs::write(&key, &kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    home.run(&["status", "bad:shop"]).exits(0);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_said_as_what_it_is() {
    let (servers, home) = two();
    let mount = tempfile::tempdir().unwrap();
    let done = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(mount.path()).status();
    if !done.is_ok_and(|s| s.success()) {
        support::skip("a disk that is full from the start", "the right to mount a tmpfs");
        return;
    }
    let small = mount.path().join("home");
    fs::create_dir(&small).unwrap();
    fs::copy(home.file("config.toml"), small.join("config.toml")).unwrap();
    let mut filler = fs::File::create(mount.path().join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0u8; 512]).is_ok() {}
    while std::io::Write::write_all(&mut filler, &[0u8; 1]).is_ok() {}
    let ran: Vec<_> = [&["list"][..], &["secret", "status"]]
        .map(|args| home.finish(home.command(&[&["--home", small.to_str().unwrap()], args].concat()).spawn().unwrap()))
        .into();
    let _ = std::process::Command::new("umount").arg("-l").arg(mount.path()).status();
    for ran in ran {
        assert!(ran.stderr.contains("the disk is full") && !ran.stderr.contains("eyring"), "{ran:?}");
    }
    drop(servers);
}

#[test]
fn a_home_on_a_file_system_that_can_only_be_read_shows_live_states() {
    let (servers, home) = two();
    home.run(&["list"]).exits(0);
    let mount = tempfile::tempdir().unwrap();
    let mounted = |args: &[&str]| std::process::Command::new("mount").args(args).arg(mount.path()).status().is_ok_and(|s| s.success());
    if !mounted(&["-t", "tmpfs", "tmpfs"]) {
        support::skip("a home that can only be read", "the right to mount a tmpfs");
        return;
    }
    let there = mount.path().join("home");
    assert!(std::process::Command::new("cp").arg("-a").arg(home.path()).arg(&there).status().unwrap().success());
    let read_only = mounted(&["-o", "remount,ro"]);
    servers.gateway("bad").clear_requests();
    let run = |args: &[&str]| home.finish(home.command(&[&["--home", there.to_str().unwrap()], args].concat()).spawn().unwrap());
    let ran = [&["list", "--json"][..], &["secret", "status"], &["doctor"], &["wipe", "bad:shop", "--yes"]].map(run);
    let _ = std::process::Command::new("umount").arg("-l").arg(mount.path()).status();
    let [list, secrets, doctor, wipe] = ran;
    assert!(read_only);
    let doc = list.says(&["is read-only"]).json();
    assert_eq!((&named(&doc["accounts"], "well")["state"], &named(&doc["accounts"], "shop")["state"]), (&"online".into(), &"online".into()), "{doc}");
    assert!(secrets.stdout.contains("gateway/bad/api_key"), "{secrets:?}");
    assert!(doctor.stdout.contains("fail     store") && doctor.stderr.contains("is read-only"), "{doctor:?}");
    wipe.exits(1).says(&["is read-only"]);
    let sent: Vec<_> = servers.asked("bad").into_iter().filter(|r| !r.starts_with("GET ")).collect();
    assert_eq!(sent, [""; 0]);
}

#[test]
fn a_cache_that_is_newer_or_broken_is_rebuilt() {
    let (_servers, home) = two();
    home.run(&["list"]).exits(0);
    let path = home.file("cache.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    home.run(&["status", "bad:shop"]).exits(0);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(home.file(&format!("cache.db{suffix}")));
    }
    fs::write(&path, b"garbage").unwrap();
    let doc = home.run(&["list", "--json"]).exits(0).json();
    assert_eq!(doc["accounts"].as_array().unwrap().len(), 2);
    home.run(&["history", "bad:shop"]).exits(0);
}

#[test]
fn a_folder_that_cannot_be_written_starts_nothing_and_says_what_to_do() {
    let (servers, home) = two();
    home.run(&["list"]).exits(0);
    let root = rustix::process::geteuid().is_root();
    let outer = home.path().parent().unwrap().to_owned();
    let program = outer.join("pairdeck");
    fs::copy(env!("CARGO_BIN_EXE_pairdeck"), &program).unwrap();
    // Root may write anywhere: then it is nobody who runs it.
    for path in files(&home.path()).into_iter().chain([outer.clone(), home.path(), home.file("locks")]) {
        if root {
            std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
        }
    }
    let mode = |m: u32| [home.file("locks"), home.path()].map(|p| fs::set_permissions(p, fs::Permissions::from_mode(m)).unwrap());
    mode(0o500);
    servers.gateway("bad").clear_requests();
    let run = |args: &[&str]| {
        let template = home.command(args);
        let mut c = std::process::Command::new(&program);
        c.env_clear().envs(template.get_envs().filter_map(|(k, v)| Some((k, v?)))).args(args);
        c.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        if root {
            c.uid(65534).gid(65534);
        }
        home.finish(c.spawn().unwrap())
    };
    for args in [&["wipe", "bad:shop", "--yes"][..], &["regenerate", "bad:shop", "--yes"], &["pair", "bad:shop"]] {
        let ran = run(args);
        // A pairing of what turns out to be online needs no journal: that is found out beside the claim, sooner or later.
        assert!(ran.code != 0 || ran.stderr.contains("It is online"), "{ran:?}");
        assert!(ran.stderr.contains("written"), "{ran:?}");
    }
    let sent: Vec<_> = servers.asked("bad").into_iter().filter(|r| !r.starts_with("GET /instance/fetchInstances")).collect();
    assert_eq!(sent, [""; 0]);
    let ran = run(&["list"]);
    assert!(ran.stderr.contains("written"), "{ran:?}");
    mode(0o700);
    assert_eq!(run(&["status", "bad:shop"]).code, 0);
    let (status, row) = http(&servers.url("bad"), "GET", "/instance/connectionState/shop", BAD_KEY, None);
    assert_eq!((status, &row["instance"]["state"]), (200, &Value::from("open")));
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
