//! Session files as they are found in the wild, through the real program: what is wrong with each and what to do, in both languages;
//! one key in four layouts; a file that comes back; a data centre that is down.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pairdeck::providers::telegram::session::gotd;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use support::{
    house::Home,
    tg::{OWNER, Tg, key, lies},
};

fn recording(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/telegram").join(name)).unwrap()
}

fn fixture() -> Value {
    serde_json::from_slice(&recording("fixture-key.json")).unwrap()
}

/// A home with one slot for each of these files: name, layout, bytes, mode.
fn home(files: &[(&str, &str, Vec<u8>, u32)]) -> (Home, PathBuf) {
    let home = Home::empty();
    let folder = home.file("workers");
    fs::create_dir_all(&folder).unwrap();
    let mut text = "[gateway.tg]\nkind = \"telegram\"\ndcs = { 2 = \"127.0.0.1:1\" }\n".to_owned();
    for (name, layout, bytes, mode) in files {
        let file = folder.join(name);
        if *name == "folder" {
            fs::create_dir(&file).unwrap();
        } else if *name != "absent" {
            fs::write(&file, bytes).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(*mode)).unwrap();
        }
        writeln!(text, "[gateway.tg.account.shop.slot.{name}]\nfile = {:?}\nformat = \"{layout}\"", file.to_str().unwrap()).unwrap();
    }
    home.write_config(&text);
    (home, folder)
}

fn wrong() -> Vec<(&'static str, &'static str, Vec<u8>, u32)> {
    let good = String::from_utf8(recording("gotd-fixture.json")).unwrap();
    let other = BASE64_STANDARD.encode(key(3).id().0);
    let telethon = recording("telethon-fixture.session");
    let newer = {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let sql = "CREATE TABLE sessions (dc INTEGER); CREATE TABLE version (version INTEGER); INSERT INTO version VALUES (99)";
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        fs::read(&path).unwrap()
    };
    // Each with a key of its own, so that none is the other's twin.
    let own = |n| gotd::render(2, &key(n), 1, &gotd::Config::default()).unwrap().to_vec();
    vec![
        ("absent", "gotd", vec![], 0o600),
        ("empty", "gotd", vec![], 0o600),
        ("half", "gotd", good.as_bytes()[..300].to_vec(), 0o600),
        ("corrupt", "gotd", b"\x00\x01 what a disk left".to_vec(), 0o600),
        ("picture", "gotd", b"\x89PNG\r\n\x1a\n0000".to_vec(), 0o600),
        ("database", "gotd", telethon.clone(), 0o600),
        ("version", "gotd", good.replace("\"Version\":1", "\"Version\":2").into_bytes(), 0o600),
        ("key-id", "gotd", good.replace("Zqi9LmM8a+E=", &other).into_bytes(), 0o600),
        ("key-length", "gotd", good.replace("Tw1yZsmi", "").into_bytes(), 0o600),
        ("no-dc", "gotd", good.replace("\"DC\":2", "\"DC\":0").into_bytes(), 0o600),
        ("no-login", "gotd", br#"{"Version":1,"Data":{"DC":2,"AuthKey":"","AuthKeyID":""}}"#.to_vec(), 0o600),
        ("huge", "gotd", vec![b'{'; 40 << 20], 0o600),
        ("folder", "gotd", vec![], 0o600),
        ("loose", "gotd", own(4), 0o644),
        ("newer", "telethon", newer, 0o600),
        ("cut", "telethon", telethon[..5000].to_vec(), 0o600),
        ("word", "pyrogram-string", b"AgAAAAAA".to_vec(), 0o600),
    ]
}

/// What `list` and `doctor` say of each slot, with the folder's name taken out.
fn said(lang: &str) -> String {
    let (home, folder) = home(&wrong());
    let list = home.run(&["--lang", lang, "list", "--json"]).json();
    let mut out = String::new();
    for d in list["accounts"][0]["devices"].as_array().unwrap() {
        let reason = &d["reason"];
        writeln!(out, "{} · {}\n  {}\n  {}\n  {}", d["name"].as_str().unwrap(), d["state"], reason["code"], reason["text"], reason["remedy"])
            .unwrap();
        assert!(reason["text"].as_str().is_some_and(|t| !t.is_empty()) && reason["remedy"].as_str().is_some_and(|t| !t.is_empty()), "{d}");
    }
    let doctor = home.run(&["--lang", lang, "doctor", "--json"]).json();
    for c in doctor["checks"].as_array().unwrap().iter().filter(|c| c["detail"].as_str().is_some_and(|d| d.starts_with("tg:shop/"))) {
        writeln!(out, "doctor {} {}\n  {}", c["verdict"], c["detail"], c["remedy"]).unwrap();
    }
    out.replace(folder.to_str().unwrap(), "/srv/bots")
}

#[test]
fn every_file_that_cannot_be_used_says_why_and_what_to_do() {
    insta::assert_snapshot!("troubles", said("en"));
    insta::assert_snapshot!("troubles_zh", said("zh"));
}

#[test]
fn one_key_in_all_four_layouts_is_one_conflict_that_names_all_places() {
    let f = fixture();
    let text = |name: &str| f[name].as_str().unwrap().as_bytes().to_vec();
    let files = [
        ("json", "gotd", recording("gotd-fixture.json"), 0o600),
        ("sqlite", "telethon", recording("telethon-fixture.session"), 0o600),
        ("word", "telethon-string", text("telethon_string"), 0o600),
        ("other", "pyrogram-string", text("pyrogram_string_v2"), 0o600),
    ];
    let (home, _) = home(&files);
    let list = home.run(&["list", "--json"]).json();
    let devices = list["accounts"][0]["devices"].as_array().unwrap().clone();
    assert_eq!(devices.len(), 4);
    for d in &devices {
        assert_eq!((d["state"].as_str(), d["reason"]["code"].as_str()), (Some("conflict"), Some("key_twin")), "{d}");
        let told = d["reason"]["text"].as_str().unwrap();
        let others = files.iter().map(|f| f.0).filter(|n| d["name"] != *n);
        for other in others {
            assert!(told.contains(&format!("tg:shop/{other}")), "{} does not name {other}: {told}", d["name"]);
        }
        assert_eq!(d["facts"]["key_id"], f["auth_key_id_hex"]);
    }
    let doctor = home.run(&["doctor", "--json"]);
    assert!(doctor.stdout.contains("key of its own"), "{}", doctor.stdout);
    // None of it was written, locked or moved.
    for (name, _, bytes, _) in &files {
        assert_eq!(fs::read(home.file("workers").join(name)).unwrap(), *bytes, "{name}");
    }
    assert_eq!(fs::read_dir(home.file("workers")).unwrap().count(), 4, "something was left beside them");
}

#[test]
fn an_old_key_that_comes_back_after_a_regeneration_or_a_wipe_is_noticed() {
    let all = Tg::open(2, 1);
    let old: Vec<Vec<u8>> = ["s1", "s2"]
        .into_iter()
        .enumerate()
        .map(|(n, slot)| {
            all.seat(OWNER, slot, n + 1);
            fs::read(all.file(slot)).unwrap()
        })
        .collect();
    all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0);
    all.home.run(&["wipe", "tg:ada/s2", "--yes", "--json"]).exits(0);
    assert_eq!(all.device("s1")["state"], "offline");
    let overwritten = lies(&all.file("s1")).unwrap();
    // As a worker that was alive all the time writes from its memory at its next connection.
    for (slot, bytes) in ["s1", "s2"].into_iter().zip(&old) {
        fs::write(all.file(slot), bytes).unwrap();
        let row = all.device(slot);
        assert_eq!((row["state"].as_str(), row["reason"]["code"].as_str()), (Some("conflict"), Some("slot_resurrected")), "{row}");
        assert!(!row["reason"]["remedy"].as_str().unwrap().is_empty());
    }
    // As for a twin: said before the worker starts.
    all.home.run(&["run", "tg:ada/s1", "--", "true"]).exits(0).says(&["has its old key", "a live process wrote it back"]);
    // Once more, and it is over.
    all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0);
    let new = lies(&all.file("s1")).unwrap();
    assert_ne!(new, key(1).id());
    assert_eq!(all.device("s1")["state"], "offline");
    // Nobody has the key that was written over: its session would stay for good.
    assert!(all.tg().alive(new.0) && !all.tg().alive(overwritten.0), "{:?}", all.tg().devices(OWNER));
    let made: Vec<_> = all.tg().devices(OWNER).into_iter().filter(|d| d.device.starts_with("s1 by pairdeck")).collect();
    assert_eq!(made.len(), 1, "{made:?}");
}

#[test]
fn a_data_centre_that_is_down_is_said_and_a_slot_is_not_touched() {
    let all = Tg::open(1, 1);
    let (_, old) = all.seat(OWNER, "s1", 1);
    all.tg().down(4, true);
    let list = all.home.run(&["list", "--json"]).json();
    let ada = list["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone();
    assert_eq!((ada["state"].as_str(), ada["reason"]["code"].as_str()), (Some("unreachable"), Some("unreachable")), "{ada}");
    assert!(!ada["reason"]["remedy"].as_str().unwrap().is_empty());
    let slot = ada["devices"].as_array().unwrap().iter().find(|d| d["name"] == "s1").unwrap().clone();
    assert_eq!(slot["state"], "offline", "files are seen all the same: {slot}");
    all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(5);
    assert_eq!(lies(&all.file("s1")), Some(old));
    all.tg().down(4, false);
    all.home.run(&["regenerate", "tg:ada/s1", "--yes", "--json"]).exits(0);
}
