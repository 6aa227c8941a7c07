//! The process itself and the files that it replaces: nobody of the same user reads its memory, no core is written, what is
//! replaced on disk is whole before it takes the old one's place; and the vault's key is replaced over the command line, killed
//! anywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs, unreachable_pub)]

mod support;

use pairdeck::sandbox::Past;
use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};
use support::house::{Home, Servers, instance, quick};

const KEY: &str = "CANARY-private-5d1f0c77aa";

fn one() -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", quick(KEY), vec![instance("shop", Past::Online), instance("off", Past::New)])]);
    let home = Home::of(&servers);
    (servers, home)
}

#[test]
fn nobody_of_the_same_user_reads_its_memory_and_no_core_is_written() {
    let tools = Command::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"]).status();
    if !tools.is_ok_and(|s| s.success()) {
        support::skip("reading another process of the same user", "setpriv and root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (debug, readable) in [("0", false), ("1", true)] {
        let home = dir.path().join(format!("home-{debug}"));
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
        let mut child = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_pairdeck"), "history", "--follow", "--home"])
            .arg(&home)
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PAIRDECK_DEBUG", debug)
            .env("CANARY_IN_ENVIRON", KEY)
            .spawn()
            .unwrap();
        let pid = child.id().to_string();
        // It is up once its store is there.
        support::house::until("the store", || home.join("vault.db").exists());
        let mut read = 0;
        for file in ["environ", "maps", "mem"] {
            let script = format!("head -c 1 /proc/{pid}/{file} >/dev/null 2>&1 || [ \"{file}\" = mem ] && [ -r /proc/{pid}/{file} ]");
            let script = if file == "mem" { format!("exec 3</proc/{pid}/mem") } else { script };
            let done = Command::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", &script]).output().unwrap();
            read += usize::from(done.status.success());
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap().split_whitespace().nth(4).unwrap().to_owned();
        child.kill().unwrap();
        child.wait().unwrap();
        println!("\nFIGURE same user, PAIRDECK_DEBUG={debug}: {read} of 3 (environ, maps, mem) readable, core limit {core}");
        assert_eq!(read > 0, readable, "PAIRDECK_DEBUG={debug}");
        assert!(readable || core == "0", "{core}");
    }
}

#[test]
fn no_secret_is_in_arguments_or_environment_of_a_run() {
    let (servers, home) = one();
    servers.gateway("wa").fault(pairdeck::sandbox::Fault::Hang, 10_000, None);
    let child = home.command(&["list"]).spawn().unwrap();
    let pid = child.id();
    // While it waits for the server, key in hand.
    support::house::until("a request", || !servers.asked("wa").is_empty());
    for file in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{file}")).unwrap()).into_owned();
        for form in support::house::spellings(KEY) {
            assert!(!text.contains(&form), "{file} holds the key");
        }
    }
    servers.gateway("wa").heal();
    home.finish(child);
}

/// Runs the program under strace and returns the calls that name or move files, one a line.
fn traced(home: &Home, args: &[&str], stdin: &str) -> Option<String> {
    if !Command::new("strace").arg("-V").output().is_ok_and(|o| o.status.success()) {
        support::skip("the order of fsync and rename", "strace");
        return None;
    }
    let out = home.path().join("../trace");
    let mut command = Command::new("strace");
    let plain = home.command(args);
    command.args(["-f", "-y", "-o"]).arg(&out).args(["-e", "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?)))).env("PAIRDECK_DEBUG", "1");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    use std::io::Write;
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let ran = home.finish(child);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    Some(fs::read_to_string(out).unwrap())
}

/// Every file that takes a name in the home was synced before, and its folder is synced after.
fn whole_before_it_counts(home: &Home, what: &str, trace: &str, names: &[&str]) {
    let folder = format!("{}>", home.path().display());
    let lines: Vec<&str> = trace.lines().filter(|l| !l.contains(" = -1 ")).collect();
    for name in names {
        let at = lines.iter().position(|l| (l.contains("rename") || l.contains("link")) && l.contains(name));
        let at = at.unwrap_or_else(|| panic!("{what}: nothing took the place of {name}:\n{trace}"));
        let from = lines[at].split('"').nth(1).unwrap().rsplit('/').next().unwrap();
        let synced = lines[..at].iter().any(|l| (l.contains("fsync(") || l.contains("fdatasync(")) && l.contains(from));
        assert!(synced, "{what}: {from} was not synced before it became {name}:\n{trace}");
        let synced_folder = lines[at + 1..].iter().any(|l| l.contains("fsync(") && l.contains(&folder));
        assert!(synced_folder, "{what}: the folder was not synced after {name}:\n{trace}");
        println!("\nFIGURE strace {what}: fsync({from}) < rename to {} < fsync(folder)", name.trim_end_matches('"'));
    }
}

#[test]
fn what_is_replaced_on_disk_is_synced_before_it_takes_the_old_ones_place() {
    let (servers, home) = one();
    let Some(trace) = traced(&home, &["secret", "rotate-key"], "") else { return };
    whole_before_it_counts(&home, "secret rotate-key", &trace, &[".key\"", "vault.mark"]);
    let key_file = home.path().join("../key");
    fs::write(&key_file, KEY).unwrap();
    let url = servers.url("wa");
    let Some(trace) = traced(&home, &["add", "evolution", "wa2", "--url", &url, "--api-key-file", key_file.to_str().unwrap()], "") else { return };
    whole_before_it_counts(&home, "add", &trace, &["config.toml"]);
    fs::remove_file(key_file).unwrap();
    // The picture of a code, which a phone scans a moment later.
    servers.gateway("wa").scans_after("off", Some(Duration::from_millis(600)));
    let png = home.path().join("qr-code.png");
    let Some(trace) = traced(&home, &["pair", "wa:off", "--png", png.to_str().unwrap(), "--json"], "") else { return };
    whole_before_it_counts(&home, "pair --png", &trace, &["qr-code.png"]);
    home.keeps_secrets();
}

#[test]
fn the_audit_names_who_the_kernel_says_and_not_who_the_environment_says() {
    let (_servers, home) = one();
    let child = home.command(&["secret", "rotate-key"]).envs(["USER", "LOGNAME", "SUDO_USER"].map(|n| (n, "mallory"))).spawn().unwrap();
    home.finish(child).exits(0);
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
    let user = audit["lines"][0]["user"].as_str().unwrap().to_owned();
    assert!(user.ends_with(me.trim()) && !user.contains("mallory"), "{audit}");
    // And nobody takes a line back through the database.
    let db = rusqlite::Connection::open(home.file("vault.db")).unwrap();
    for sql in ["UPDATE audit SET who = 'mallory@desk'", "DELETE FROM audit", "INSERT OR REPLACE INTO audit SELECT * FROM audit"] {
        let refused = db.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    println!("\nFIGURE audit: named by user id, not by USER, LOGNAME, SUDO_USER; changed, deleted, replaced through SQL: 3 of 3 refused");
}

fn keys(home: &Home) -> usize {
    support::house::files(&home.path()).iter().filter(|f| f.extension().is_some_and(|x| x == "key")).count()
}

#[test]
fn of_changes_of_keys_at_once_each_is_whole_or_says_that_another_was_faster() {
    let (_servers, home) = one();
    let all: Vec<_> = (0..4).map(|_| home.command(&["secret", "rotate-key"]).spawn().unwrap()).collect();
    let mut won = 0;
    for child in all {
        let ran = home.finish(child);
        if ran.code == 0 {
            won += 1;
        } else {
            let ran = ran.exits(5).says(&["Another process replaced the vault key", "nothing was lost"]);
            assert!(!ran.stderr.contains("eyring"), "{}", ran.stderr);
        }
    }
    assert!(won >= 1);
    let kept = home.store(async |store| store.secret_get("gateway/wa/api_key").await.unwrap().map(|s| s.expose().to_owned()));
    assert_eq!(kept.as_deref(), Some(KEY));
    assert_eq!(keys(&home), 1);
    println!("\nFIGURE changes of keys: 4 at once, each whole or refused with words, 0 secrets lost");
}

#[test]
fn a_change_of_keys_killed_anywhere_leaves_every_secret_readable() {
    let (_servers, home) = one();
    let opens = |home: &Home| home.store(async |store| store.secret_get("gateway/wa/api_key").await.unwrap().map(|s| s.expose().to_owned()));
    let mut killed = 0;
    for at in ["journal:1:before", "journal:1:after"] {
        let child = home.command(&["secret", "rotate-key"]).env("PAIRDECK_DEBUG_KILL_AT", at).spawn().unwrap();
        assert_eq!(home.finish(child).code, -9, "{at}");
        assert_eq!(opens(&home).as_deref(), Some(KEY), "{at}");
        killed += 1;
    }
    // And at instants of the clock, over a whole run, however long one takes here, until forty were hit.
    let began = std::time::Instant::now();
    home.run(&["secret", "rotate-key"]).exits(0);
    let whole = began.elapsed();
    for n in (0..40_u32).cycle().take(160) {
        if killed >= 42 {
            break;
        }
        let mut child = home.command(&["secret", "rotate-key"]).spawn().unwrap();
        std::thread::sleep(whole * n / 40);
        let _ = child.kill();
        killed += usize::from(home.finish(child).code == -9);
        assert_eq!(opens(&home).as_deref(), Some(KEY), "killed after {:?}", whole * n / 40);
    }
    assert!(killed >= 42, "only {killed} were hit");
    home.run(&["secret", "rotate-key"]).exits(0).says(&["sealed under a new key"]);
    assert_eq!(keys(&home), 1, "what killed changes left is swept by the next");
    assert_eq!(home.run(&["list"]).exits(0).code, 0);
    let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
    let line = audit["lines"].as_array().unwrap().iter().rfind(|l| l["action"] == "rotate-key").unwrap().clone();
    assert_eq!((&line["outcome"], &line["id"]), (&"done".into(), &"vault".into()));
    assert!(line["pid"].as_u64().is_some_and(|p| p > 1) && line["user"].as_str().is_some() && !line["host"].as_str().unwrap().is_empty(), "{line}");
    println!(
        "\nFIGURE change of keys: {killed} kills (both sides of its commit, {} instants of its run), every secret readable after each",
        killed - 2
    );
    home.keeps_secrets();
}

#[test]
fn what_is_done_to_secrets_and_keys_has_its_line_wherever_it_is_killed() {
    let home = Home::empty();
    home.write_config("[gateway.wa]\nkind = \"evolution\"\nurl = \"http://127.0.0.1:9\"\n");
    home.run(&["secret", "init", "--insecure-key-file"]).exits(0);
    let lines = |action: &str| {
        let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
        audit["lines"].as_array().unwrap().iter().filter(|l| l["action"] == action && l["outcome"] == "done").count()
    };
    let mut wanted = std::collections::BTreeMap::<&str, usize>::new();
    for (args, action) in [
        (&["secret", "set", "wa", "--file", "-"][..], "put secret"),
        (&["secret", "rotate-key"], "rotate-key"),
        (&["secret", "forget", "wa"], "forget secret"),
        (&["secret", "set", "shared/redis", "--file", "-"], "put secret"),
        (&["secret", "forget", "shared/redis"], "forget secret"),
    ] {
        for (side, done) in [("before", false), ("after", true)] {
            let mut child =
                home.command(args).env("PAIRDECK_DEBUG_KILL_AT", format!("journal:1:{side}")).stdin(std::process::Stdio::piped()).spawn().unwrap();
            let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), KEY.as_bytes());
            assert_eq!(home.finish(child).code, -9, "{args:?} {side}");
            let count = wanted.entry(action).or_default();
            *count += usize::from(done);
            assert_eq!(lines(action), *count, "{args:?} killed {side} its commit");
        }
    }
    println!(
        "\nFIGURE audit and kills: 5 changes of secrets and keys killed at both sides of their commits, each has its line if and only if it was done"
    );
}

#[test]
fn a_new_passphrase_is_typed_twice_and_a_slip_changes_nothing() {
    let (_servers, home) = one();
    for (again, exit, left) in [("correct house", 2, 1), ("correct horse", 0, 0)] {
        let start = support::pty::Start::new(env!("CARGO_BIN_EXE_pairdeck")).env("HOME", "/nonexistent").cwd("/");
        let start = start.args(["--home".as_ref(), home.path().as_os_str()]).args(["secret", "move", "--to", "passphrase"]);
        let mut pty = start.size(120, 24).spawn();
        pty.wait_for("passphrase for a new vault");
        pty.keys("correct horse\r");
        pty.wait_for("the same passphrase again");
        pty.keys(&format!("{again}\r"));
        pty.assert_exit(exit);
        assert_eq!(keys(&home), left, "{again}");
    }
    home.run(&["secret", "status"]).exits(12);
}

#[test]
fn a_key_from_systemd_opens_the_vault_and_is_replaced_by_the_next_one() {
    let home = Home::empty();
    let credentials = tempfile::tempdir().unwrap();
    let key = |n: u8| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [n; 32]);
    let run = |args: &[&str]| {
        let child = home.command(args).env("CREDENTIALS_DIRECTORY", credentials.path()).spawn().unwrap();
        home.finish(child)
    };
    run(&["secret", "init", "--credential"]).exits(12).says(&["pairdeck-key"]);
    fs::write(credentials.path().join("pairdeck-key"), key(1)).unwrap();
    run(&["secret", "init", "--credential"]).exits(0);
    run(&["secret", "rotate-key"]).says(&["pairdeck-key-next"]);
    fs::write(credentials.path().join("pairdeck-key-next"), key(2)).unwrap();
    run(&["secret", "rotate-key"]).exits(0);
    // The replaced key is still handed in beside the new one, and never taken again: it may be known by now.
    run(&["secret", "rotate-key"]).exits(12).says(&["pairdeck-key-next"]);
    assert!(run(&["secret", "status"]).exits(0).stdout.contains("credential"));
    // The unit is edited: the next key is the only one from now on.
    fs::rename(credentials.path().join("pairdeck-key-next"), credentials.path().join("pairdeck-key")).unwrap();
    run(&["secret", "status"]).exits(0);
    fs::write(credentials.path().join("pairdeck-key"), key(3)).unwrap();
    assert_eq!(run(&["secret", "status"]).code, 12, "a wrong key is said, and no other source is tried");
    run(&["secret", "move", "--to", "keyring"]).exits(12);
    run(&["secret", "move"]).exits(2);
}

#[test]
fn one_broken_secret_is_named_with_its_remedy_and_holds_neither_the_others_nor_a_change_of_keys() {
    let part = |name| (name, quick(KEY), vec![instance("shop", Past::Online)]);
    let servers = Servers::start(vec![part("wa"), part("wb")]);
    let home = Home::of(&servers);
    {
        let db = rusqlite::Connection::open(home.file("vault.db")).unwrap();
        let sql = "SELECT name, blob FROM secret WHERE name LIKE 'gateway/wa/%'";
        let (name, mut blob): (String, Vec<u8>) = db.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        *blob.last_mut().unwrap() ^= 1;
        db.execute("UPDATE secret SET blob = ?1 WHERE name = ?2", rusqlite::params![blob, name]).unwrap();
    }
    let told = ["gateway/wa/", "pairdeck secret set wa"];
    let list = home.run(&["list", "--json"]);
    assert!(list.stdout.contains("wb:shop"), "{} {}", list.stdout, list.stderr);
    let status = home.run(&["secret", "status"]).says(&told);
    assert_ne!(status.code, 0);
    assert_eq!(status.stderr.matches("gateway/wb/").count(), 0, "{}", status.stderr);
    let doctor = home.run(&["doctor"]);
    assert!(doctor.stdout.contains("pairdeck secret set wa --name"), "{}", doctor.stdout);
    let rotated = home.run(&["secret", "rotate-key"]).says(&["left as it is", "gateway/wa/"]);
    assert_ne!(rotated.code, 0);
    assert!(home.run(&["list", "--json"]).stdout.contains("wb:shop"));
    home.run_with(&["secret", "set", "wa", "--file", "-"], KEY).exits(0);
    home.run(&["secret", "status"]).exits(0);
    assert!(home.run(&["list", "--json"]).exits(0).stdout.contains("wa:shop"));
}

#[test]
fn a_key_over_plain_http_passes_no_proxy_of_the_environment() {
    let (servers, home) = one();
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    // Not this machine by its name, and reached all the same.
    let config = fs::read_to_string(home.file("config.toml")).unwrap().replace("http://127.0.0.1:", "http://0.0.0.0:");
    home.write_config(&config.replace("url =", "allow_plaintext = true\nurl ="));
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let child = home.command(&["list"]).envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|n| (n, &address))).spawn().unwrap();
    home.finish(child).exits(0);
    assert!(proxy.accept().is_err(), "the proxy was asked");
    assert!(!servers.asked("wa").is_empty());
}

#[test]
fn whatever_is_done_to_a_secret_or_to_its_key_is_a_line_of_the_audit_that_holds_no_secret() {
    const NEW: &str = "CANARY-audit-77b2e91c04";
    let servers = Servers::start(vec![("wa", quick(KEY), vec![instance("shop", Past::Online)])]);
    let mut home = Home::empty();
    home.canary(NEW);
    home.write_config(&format!("[gateway.wa]\nkind = \"evolution\"\nurl = \"{}\"\n", servers.url("wa")));
    let mut pids = Vec::new();
    let mut run = |args: &[&str], given: &str, exit: i32| {
        let mut child = home.command(args).stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), given.as_bytes()).unwrap();
        pids.push(u64::from(child.id()));
        home.finish(child).exits(exit);
    };
    run(&["secret", "init", "--insecure-key-file"], "", 0);
    run(&["secret", "init", "--insecure-key-file"], "", 12);
    run(&["secret", "set", "wa", "--file", "-"], NEW, 0);
    run(&["secret", "set", "shared/redis", "--file", "-"], NEW, 0);
    run(&["secret", "forget", "shared/redis"], "", 0);
    run(&["secret", "rotate-key"], "", 0);
    run(&["secret", "forget", "wa"], "", 0);
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let lines = |home: &Home| {
        let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
        let mut all: Vec<_> = audit["lines"].as_array().unwrap().clone();
        all.sort_by_key(|l| l["pid"].as_u64());
        all
    };
    let told = lines(&home);
    let text = |l: &serde_json::Value| ["id", "action", "outcome"].map(|k| l[k].as_str().unwrap_or_default().to_owned()).join(" ");
    let mut said: Vec<(u64, String)> = told.iter().map(|l| (l["pid"].as_u64().unwrap(), text(l))).collect();
    let order = |pid: &u64| pids.iter().position(|p| p == pid).unwrap();
    said.sort_by_key(|(pid, _)| order(pid));
    let want = [
        "vault init done: key file",
        "vault init failed: key file",
        "wa put secret done",
        "shared/redis put secret done",
        "shared/redis forget secret done",
        "vault rotate-key done",
        "wa forget secret done",
    ];
    assert_eq!(said.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>(), want, "{told:?}");
    assert!(told.iter().all(|l| l["user"].as_str().unwrap().ends_with(me.trim()) && !l["host"].as_str().unwrap().is_empty()), "{told:?}");
    // A passphrase that is tried and does not open.
    for (typed, exit) in [("correct horse", 0), ("wrong horse", 12)] {
        let start = support::pty::Start::new(env!("CARGO_BIN_EXE_pairdeck")).env("HOME", "/nonexistent").cwd("/");
        let start = start.args(["--home".as_ref(), home.path().as_os_str()]);
        let mut pty =
            if exit == 0 { start.args(["secret", "move", "--to", "passphrase"]) } else { start.args(["secret", "rotate-key"]) }.size(120, 24).spawn();
        pty.wait_for("assphrase");
        pty.keys(&format!("{typed}\r"));
        if exit == 0 {
            pty.wait_for("the same passphrase again");
            pty.keys(&format!("{typed}\r"));
        }
        pty.assert_exit(exit);
    }
    let all: Vec<String> = lines(&home).iter().map(text).collect();
    for line in ["vault move-key done", "vault unlock failed: passphrase_wrong"] {
        assert!(all.iter().any(|l| l == line), "{line}: {all:?}");
    }
    home.keeps_secrets();
    println!("\nFIGURE audit of secrets: {} lines for {} runs, each with who, host, process and outcome, 0 secrets", all.len(), pids.len() + 2);
}
