//! The vault against a real Secret Service: a private bus and a gnome-keyring of its own, present, absent, locked, hung.
//! Each condition runs in child processes (this same binary), so that the end of the process is measured too.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod support;

use pairdeck::{
    domain::{Secret, Stamp, Time, Wall},
    store::{Paths, Store},
    vault::{Source, Vault, VaultState},
};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use support::pty::Start;

struct Still;
impl Time for Still {
    fn now(&self) -> Stamp {
        Stamp::wall_only(Wall(1_790_000_000_000))
    }
}

/// What a child does, if this process is one.
#[test]
fn child() {
    let Ok(what) = std::env::var("PAIRDECK_TEST_CHILD") else { return };
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let paths = Paths::in_home(Path::new(&std::env::var("PAIRDECK_TEST_HOME").unwrap()));
        let vault = Vault::new();
        let store = Store::open(&paths, vault.clone(), Arc::new(Still)).unwrap();
        println!("OPENED {} ms", began.elapsed().as_millis());
        match what.as_str() {
            "create" => {
                if let Err(why) = vault.create(Source::Keyring, None).await {
                    println!("REFUSED {}", why.raw.unwrap());
                } else {
                    store.secret_put("gateway/wa/api_key", &Secret::new("THE-KEY-0123456789".into())).await.unwrap();
                    println!("CREATED");
                }
            }
            "deck" => {
                // The program opens it by itself.
                store.close();
                drop(vault);
                deck(&paths);
            }
            _ => {
                let mut state = vault.watch();
                vault.open_in_background();
                state.wait_for(|s| !matches!(s, VaultState::Opening)).await.unwrap();
                match vault.state() {
                    VaultState::Open(source) => {
                        let got = store.secret_get("gateway/wa/api_key").await.unwrap().unwrap();
                        println!("OPEN {} {}", source.name(), got.expose() == "THE-KEY-0123456789");
                        if what == "last" {
                            // The daemon hangs while the program works on, asks, and ends.
                            let pid = std::env::var("PAIRDECK_TEST_DAEMON").unwrap();
                            assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
                            store.secret_put("gateway/im/token", &Secret::new("another".into())).await.unwrap();
                            assert_eq!(store.secret_get("gateway/im/token").await.unwrap().unwrap().expose(), "another");
                            // A question is under way and gets no answer, for which a person would be given 30 s.
                            let asked = tokio::time::timeout(Duration::from_millis(300), vault.unlock(None)).await;
                            println!("WORKED ON, {}", if asked.is_err() { "STUCK" } else { "ANSWERED" });
                        }
                    }
                    VaultState::Locked(why) => println!("LOCKED {}", why.raw.unwrap()),
                    other => println!("{other:?}"),
                }
            }
        }
        println!("TOOK {} ms", began.elapsed().as_millis());
    });
}

/// The deck on a terminal: it is there, tells how the vault stands, is asked to open it where it is shut, and ends while that is
/// under way.
fn deck(paths: &Paths) {
    std::fs::write(&paths.config, "[gateway.wa]\nkind = \"evolution\"\nurl = \"http://127.0.0.1:9\"\n").unwrap();
    let mut start = Start::new(std::env::var("PROGRAM").unwrap()).size(110, 32);
    for name in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
        start = start.env(name, std::env::var(name).unwrap_or_default());
    }
    let began = Instant::now();
    let mut pty = start.env("PAIRDECK_HOME", std::env::var("PAIRDECK_TEST_HOME").unwrap()).spawn();
    pty.wait_for("wa ");
    let there = began.elapsed().as_millis();
    let stands = ["vault keyring", "vault LOCKED", "vault NOT OPEN", "no vault yet"];
    let stand = pty.wait_until("how the vault stands", |s| stands.into_iter().find(|w| s.contents().contains(w)));
    if stand.contains("LOCKED") || stand.contains("NOT OPEN") {
        pty.keys("m");
        pty.wait_for("unlock the vault");
        pty.keys("u");
        // The menu closes at once, whatever the keyring does.
        pty.wait_gone("unlock the vault");
    }
    let quit = Instant::now();
    pty.keys("q");
    pty.assert_exit(0);
    println!("DECK {stand}: there after {there} ms, ended within {} ms", quit.elapsed().as_millis());
}

/// Every deck was there at once and ended within the limit, of which there were `n`.
fn decks_quick(what: &str, said: &str, n: usize) {
    let figure = |l: &str, before: &str| l.split(before).nth(1).and_then(|r| r.split(' ').next()).and_then(|ms| ms.parse::<u128>().ok());
    let decks: Vec<&str> = said.lines().filter(|l| l.starts_with("DECK ")).collect();
    assert_eq!(decks.len(), n, "{said}");
    for l in &decks {
        let (there, ended) = (figure(l, "there after ").unwrap(), figure(l, "ended within ").unwrap());
        assert!(there < LIMIT.as_millis() && ended < LIMIT.as_millis(), "{what}: {l}");
    }
    println!("\nFIGURE keyring, the deck itself: {what}: {}", decks.join("; "));
}

#[test]
fn the_deck_starts_is_used_and_ends_at_once_however_the_keyring_stands() {
    let none = "run create; run deck";
    let no_bus = "unlocked; run create; gone; export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus; run deck";
    for (what, script, stand) in [
        ("unlocked", "unlocked; run create; run deck; gone", "vault keyring"),
        ("locked", "unlocked; run create; gone; keyring; run deck; gone", "vault LOCKED"),
        ("hung", "unlocked; run create; kill -STOP $PID; run deck; kill -CONT $PID; gone", "vault NOT OPEN"),
        ("a bus without a keyring", none, "no vault yet"),
        ("no bus", no_bus, "vault NOT OPEN"),
        ("killed and started again", "unlocked; run create; kill -KILL $PID; wait $PID 2>/dev/null; keyring; run deck; gone", "vault LOCKED"),
    ] {
        let Some(said) = session(script) else { return };
        assert!(said.contains(&format!("DECK {stand}")), "{what}: {said}");
        decks_quick(what, &said, 1);
    }
}

/// Runs `script` under a private bus without service activation. `None` when the tools are missing, loudly.
fn session(script: &str) -> Option<String> {
    for tool in ["dbus-run-session", "gnome-keyring-daemon", "dbus-monitor", "dbus-send"] {
        let there = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status().unwrap().success();
        if !there {
            assert!(std::env::var_os("PAIRDECK_CI").is_none(), "{tool} is missing: apt-get install gnome-keyring dbus");
            eprintln!("SKIPPED: {tool} is missing, the keyring was NOT tested: apt-get install gnome-keyring dbus");
            return None;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("bus.conf");
    let bus = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;
    std::fs::write(&conf, bus).unwrap();
    // `run create|use`: a child, with the time that it took including its end. `keyring`: starts the daemon and waits for it.
    let prelude = r#"
        run() { a=$(date +%s%N); PAIRDECK_TEST_CHILD=$1 timeout -k 1 20 "$EXE" --exact child --nocapture; echo "RC $?"; b=$(date +%s%N); echo "WHOLE $(( (b - a) / 1000000 )) ms"; }
        has() { dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; }
        alias_set() { dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.ReadAlias string:default | grep -q collection; }
        keyring() { printf pw > "$HOME/pw"; gnome-keyring-daemon --foreground --components=secrets "$@" >"$HOME/daemon" 2>&1 < "$HOME/pw" & PID=$!; n=0; until has || [ $n -gt 100 ]; do n=$((n+1)); sleep 0.05; done; }
        unlocked() { keyring --unlock; n=0; until alias_set || [ $n -gt 100 ]; do n=$((n+1)); sleep 0.05; done; }
        gone() { kill $PID 2>/dev/null; wait $PID 2>/dev/null; }
    "#;
    let out = Command::new("dbus-run-session")
        .arg("--config-file")
        .arg(&conf)
        .args(["--", "sh", "-c", &format!("{prelude}\n{script}")])
        .env("EXE", std::env::current_exe().unwrap())
        .env("PROGRAM", env!("CARGO_BIN_EXE_pairdeck"))
        .env("PAIRDECK_TEST_HOME", dir.path().join("home"))
        .env("XDG_DATA_HOME", dir.path())
        .env("XDG_RUNTIME_DIR", dir.path())
        .env("HOME", dir.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

/// Every child ended by itself, and in less than `most`.
fn all_quick(what: &str, said: &str, most: Duration) {
    let whole: Vec<u128> = said.lines().filter_map(|l| l.strip_prefix("WHOLE ")?.strip_suffix(" ms")?.parse().ok()).collect();
    assert!(!whole.is_empty() && whole.iter().all(|ms| *ms < most.as_millis()), "{said}");
    assert!(said.lines().filter(|l| l.starts_with("RC ")).all(|l| l == "RC 0"), "{said}");
    println!("\nFIGURE keyring: {what}: {} runs, the slowest from start to end {} ms", whole.len(), whole.iter().max().unwrap());
}

const LIMIT: Duration = Duration::from_secs(4);

#[test]
fn an_unlocked_keyring_holds_the_key_over_restarts() {
    let Some(said) = session("unlocked; run create; run use; gone") else { return };
    assert!(said.contains("CREATED") && said.contains("OPEN keyring true"), "{said}");
    all_quick("unlocked", &said, LIMIT);
}

#[test]
fn a_locked_keyring_is_said_to_be_locked_and_nobody_is_prompted() {
    // A daemon that was never given the password: the collection is there, locked.
    let script = r#"
        unlocked; run create; gone
        keyring
        dbus-monitor --session "interface='org.freedesktop.Secret.Prompt'" "interface='org.freedesktop.Secret.Service'" > "$HOME/seen" & MON=$!
        sleep 0.3; run use; sleep 0.2; kill $MON; gone
        grep -c "member=ReadAlias" "$HOME/seen" | sed 's/^/ALIAS /'; grep -cE "member=(Prompt|Unlock|CreateCollection)" "$HOME/seen" | sed 's/^/PROMPTS /'
    "#;
    let Some(said) = session(script) else { return };
    assert!(said.contains("CREATED") && said.contains("LOCKED the keyring is locked"), "{said}");
    assert!(said.contains("PROMPTS 0") && !said.contains("ALIAS 0"), "{said}");
    all_quick("locked", &said, LIMIT);
}

#[test]
fn a_hung_keyring_delays_neither_the_start_nor_the_end() {
    let Some(said) = session("unlocked; run create; kill -STOP $PID; run use; kill -CONT $PID; run use; gone") else { return };
    assert!(said.contains("LOCKED the keyring does not answer within 3 s"), "{said}");
    assert!(said.contains("OPEN keyring true"), "and when it answers again, it opens: {said}");
    all_quick("hung, then answering again", &said, LIMIT);
    assert!(said.lines().filter_map(|l| l.split("OPENED ").nth(1)?.strip_suffix(" ms")?.parse::<u32>().ok()).all(|ms| ms < 1_500), "{said}");
}

#[test]
fn a_keyring_that_hangs_after_it_opened_delays_neither_the_work_nor_the_end() {
    let script = "unlocked; run create; export PAIRDECK_TEST_DAEMON=$PID; run last; kill -CONT $PID; run use; gone";
    let Some(said) = session(script) else { return };
    assert!(said.contains("WORKED ON, STUCK") && said.matches("OPEN keyring true").count() == 2, "{said}");
    all_quick("hung once it was open", &said, LIMIT);
}

#[test]
fn a_bus_without_a_keyring_is_said_and_nothing_is_made() {
    let Some(said) = session("run create; run use") else { return };
    assert!(said.contains("REFUSED no keyring answers here"), "{said}");
    assert!(said.contains("Absent"), "{said}");
    all_quick("a bus without a keyring", &said, LIMIT);
}

#[test]
fn without_a_bus_the_keyring_is_said_to_be_absent_and_no_other_source_is_tried() {
    let script = r#"
        unlocked; run create; gone
        export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus; run use; ls "$PAIRDECK_TEST_HOME"
    "#;
    let Some(said) = session(script) else { return };
    assert!(said.contains("CREATED") && said.contains("LOCKED no keyring answers here"), "{said}");
    assert!(!said.contains("vault.key"), "no silent way to a file: {said}");
    all_quick("no bus", &said, LIMIT);
}

#[test]
fn a_keyring_that_was_restarted_is_locked_until_somebody_unlocks_it() {
    let Some(said) = session("unlocked; run create; kill -KILL $PID; wait $PID 2>/dev/null; keyring; run use; gone; unlocked; run use; gone") else {
        return;
    };
    assert!(said.contains("LOCKED the keyring is locked") && said.contains("OPEN keyring true"), "{said}");
    all_quick("killed and started again", &said, LIMIT);
}

/// The program itself on the child's home: `p WORDS…`; how many items of ours the keyring holds: `items NAME`.
const PROGRAM: &str = r#"
    export PAIRDECK_HOME="$PAIRDECK_TEST_HOME"
    p() { echo "\$ $*"; timeout -k 1 20 "$PROGRAM" "$@" < /dev/null 2>&1; echo "ENDED $?"; }
    items() { dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.SearchItems dict:string:string:service,pairdeck | grep -c 'object path "/org' | sed "s/^/ITEMS $1 /"; }
    keys() { ls "$PAIRDECK_HOME" | grep -c '\.key$' | sed "s/^/FILES $1 /"; }
"#;

#[test]
fn the_key_is_replaced_within_the_keyring_and_moves_out_of_it_and_back() {
    let script = r#"
        unlocked
        run create
        p secret rotate-key; run use; items rotated; keys rotated
        p secret move --insecure-key-file; run use; items out; keys out
        p secret move --to keyring; run use; items back; keys back
        export CREDENTIALS_DIRECTORY="$HOME/credentials"; mkdir "$CREDENTIALS_DIRECTORY"
        head -c 32 /dev/urandom | base64 > "$CREDENTIALS_DIRECTORY/pairdeck-key-next"
        p secret move --to credential; mv "$CREDENTIALS_DIRECTORY/pairdeck-key-next" "$CREDENTIALS_DIRECTORY/pairdeck-key"; run use; items lent; keys lent
        p secret move --to keyring; run use; items again; keys again
        p secret rotate-key; run use; items last
        p history --audit
        gone; keyring; p secret rotate-key; p secret move --insecure-key-file; keys locked; gone
    "#;
    let Some(said) = session(&format!("{PROGRAM}\n{script}")) else { return };
    let count = |what: &str| said.lines().find_map(|l| l.strip_prefix(what)?.trim().parse::<u32>().ok()).unwrap_or(99);
    // One item is the key, one the mark against restored copies.
    for (at, items, keys) in [("rotated", 2, 0), ("out", 1, 1), ("back", 2, 0), ("lent", 1, 0), ("again", 2, 0)] {
        assert_eq!((count(&format!("ITEMS {at} ")), count(&format!("FILES {at} "))), (items, keys), "{at}: {said}");
    }
    assert_eq!(count("ITEMS last "), 2, "the old key is erased: {said}");
    assert_eq!(said.matches("OPEN keyring true").count(), 4, "{said}");
    assert_eq!(said.matches("OPEN key file true").count(), 1, "{said}");
    assert_eq!(said.matches("OPEN credential true").count(), 1, "{said}");
    assert_eq!(said.matches("ENDED 12").count(), 2, "a locked keyring is said, and nothing is moved: {said}");
    assert_eq!(count("FILES locked "), 0, "{said}");
    assert_eq!((said.matches("rotate-key").count() - 3, said.matches("move-key").count()), (2, 4), "what was done is in the audit: {said}");
    println!(
        "\nFIGURE keyring: the key replaced in it twice, moved to a file, back, to a credential and back: the secret opens after each, 0 keys left behind"
    );
    all_quick("start, use and end of a change of keys", &said, LIMIT);
}

#[test]
fn a_vault_that_the_first_secret_makes_in_the_keyring_is_a_line_of_the_audit() {
    let script = r#"
        unlocked
        mkdir -m 700 "$PAIRDECK_HOME"; printf '[gateway.wa]\nkind = "evolution"\nurl = "http://127.0.0.1:9"\n' > "$PAIRDECK_HOME/config.toml"
        printf 'CANARY-first-secret-91' > "$HOME/given"
        p secret set wa --file "$HOME/given"; p secret status; p history --audit; p history --audit --json
        gone
    "#;
    let Some(said) = session(&format!("{PROGRAM}\n{script}")) else { return };
    assert!(said.contains("the key of wa is sealed") && said.contains("open, key from: keyring"), "{said}");
    let json = said.find("\n{").and_then(|at| said[at..].split("ENDED").next()).unwrap_or_else(|| panic!("{said}"));
    let audit: serde_json::Value = serde_json::from_str(json).unwrap();
    let line = |n: usize| ["id", "action", "outcome"].map(|k| audit["lines"][n][k].as_str().unwrap_or_default().to_owned()).join(" ");
    assert_eq!([line(0), line(1)], ["vault init done: keyring", "wa put secret done"], "{audit}");
    let of = &audit["lines"][0];
    assert!(
        of["pid"].as_u64().is_some_and(|p| p > 1) && !of["user"].as_str().unwrap().is_empty() && !of["host"].as_str().unwrap().is_empty(),
        "{of}"
    );
    assert_eq!(audit["lines"][0]["pid"], audit["lines"][1]["pid"], "by the process that kept the secret");
}

#[test]
fn nothing_turns_on_the_feature_that_makes_the_keyring_panic() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-e", "features", "-i", "zbus"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    assert!(text.contains("zbus v5"), "{text}");
    assert!(!text.contains("zbus feature \"tokio\""), "a dependency enables zbus/tokio: {text}");
}
