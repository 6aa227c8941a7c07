//! Stores, keys, disks and folders that are not as they should be.

use super::{
    BAD_KEY, Home, named,
    support::{
        self,
        house::{files, http},
    },
    two,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
};

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
    // By another process: what this one has open for writing, a child of another test may hold for a moment ("text file busy").
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_pairdeck")).arg(&program).status().unwrap();
    assert!(copied.success());
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
    let looks = ["GET /instance/fetchInstances", "GET /metrics"];
    let sent: Vec<_> = servers.asked("bad").into_iter().filter(|r| looks.iter().all(|l| !r.starts_with(l))).collect();
    assert_eq!(sent, [""; 0]);
    let ran = run(&["list"]);
    assert!(ran.stderr.contains("written"), "{ran:?}");
    mode(0o700);
    assert_eq!(run(&["status", "bad:shop"]).code, 0);
    let (status, row) = http(&servers.url("bad"), "GET", "/instance/connectionState/shop", BAD_KEY, None);
    assert_eq!((status, &row["instance"]["state"]), (200, &Value::from("open")));
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
