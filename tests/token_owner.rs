//! The whole program as the owner of tokens: many processes on one home, killed at the worst moment, against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::{
    domain::{Clean, Stamp, Time},
    sandbox::{AppSpec, Part, TokenFault, TokenServer, TokenSettings},
    store::tokens::{End, Ended, TokenKey},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::{Child, Command},
};
use support::house::{Home, Ran, Servers, until};

const SECRET: &str = "OPS-SECRET-b41c07-0123456789";
const FETCH: &str = "/cgi-bin/gettoken";

struct Bench {
    servers: Servers,
    home: Home,
}

impl Bench {
    fn new() -> Self {
        Self::of(TokenSettings::default())
    }

    fn of(settings: TokenSettings) -> Self {
        let app = AppSpec { id: "1000002".into(), name: "ops-bot".into(), secret: SECRET.into(), ..AppSpec::default() };
        let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings.clone()), vec![app]))]);
        let home = Home::sealed(&servers);
        let (url, corp) = (servers.url("corp"), settings.corpid);
        let text =
            format!("[gateway.corp]\nkind = \"wecom\"\nurl = \"{url}\"\ncorp_id = \"{corp}\"\n\n[gateway.corp.account.ops-bot]\nid = \"1000002\"\n");
        home.write_config(&text);
        Self { servers, home }
    }

    fn server(&self) -> &TokenServer {
        self.servers.sandbox().tokens("corp").unwrap()
    }

    /// Requests for a token that reached the platform, answered or not.
    fn fetches(&self) -> usize {
        self.server().asked().0.iter().filter(|r| r.path.starts_with(FETCH)).count()
    }

    fn token(&self, args: &[&str]) -> Ran {
        self.home.run(&[&["token", "corp:ops-bot"], args].concat())
    }

    fn document(&self) -> Value {
        self.token(&["--format", "json"]).exits(0).json()
    }

    /// The token that is there has died, here and there.
    fn expire(&self) {
        self.home.store(async |store| {
            let row = store.token("corp:ops-bot").await.unwrap().unwrap();
            let token = row.token.unwrap();
            let now = pairdeck::clock::SystemTime::new().now();
            let end = End::Same { expires: Stamp { wall: token.issued.wall, boot: now.boot } };
            let key = TokenKey { kind: "wecom".into(), form: "query".into(), ..row.key };
            let by = Clean::new("test");
            store.token_ended(Ended { key, at: now, by, cause: None, forced: false, renewed: false, took_ms: 0, end }).await.unwrap();
        });
        self.server().expire("ops-bot");
        self.server().clear_requests();
    }

    fn fifty(&self) -> Vec<Ran> {
        let children: Vec<Child> = (0..50).map(|_| self.home.command(&["token", "corp:ops-bot"]).spawn().unwrap()).collect();
        children.into_iter().map(|c| self.home.finish(c)).collect()
    }

    /// A watching process, once it serves.
    fn watch(&self) -> Child {
        let child = self.home.command(&["watch"]).spawn().unwrap();
        until("the socket", || UnixStream::connect(self.home.file("pairdeck.sock")).is_ok());
        child
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn fifty_processes_that_want_an_expired_token_cause_one_fetch() {
    let b = Bench::new();
    let old = b.token(&[]).exits(0).stdout;
    b.expire();
    let ran = b.fifty();
    assert_eq!(b.fetches(), 1);
    let first = &ran[0].stdout;
    assert_ne!(*first, old);
    assert!(first.ends_with('\n') && first.trim_end().len() == 214, "{first:?}");
    assert!(ran.iter().all(|r| r.code == 0 && r.stdout == *first && r.stderr.is_empty()), "{ran:?}");
    b.home.keeps_secrets();
}

#[test]
fn a_fetch_that_fails_asked_by_fifty_is_one_attempt_and_fifty_clear_errors() {
    let b = Bench::new();
    // No answer at all: everybody is there before the first one gives up.
    b.server().fault(TokenFault::parse("hang", None, false).unwrap(), 1000, Some(FETCH));
    let ran = b.fifty();
    assert_eq!(b.fetches(), 1);
    for r in ran {
        let r = r.exits(5).says(&["pairdeck: slow:"]);
        assert_eq!((r.stdout.as_str(), r.stderr.lines().count()), ("", 1), "{}", r.stderr);
    }
}

#[test]
fn a_process_killed_in_the_middle_of_a_fetch_stops_nobody() {
    let b = Bench::new();
    b.server().fault(TokenFault::parse("hang", None, false).unwrap(), 1, Some(FETCH));
    let mut child = b.home.command(&["token", "corp:ops-bot"]).spawn().unwrap();
    until("the request", || b.fetches() == 1);
    let waiting = b.home.command(&["token", "corp:ops-bot"]).spawn().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    b.home.finish(waiting).exits(0);
    assert_eq!(b.fetches(), 2);
}

#[test]
fn a_watch_killed_and_begun_again_within_a_life_fetches_nothing_and_keeps_the_end() {
    let b = Bench::new();
    let mut watch = b.watch();
    until("a token that nobody asked for", || b.token(&["--no-fetch"]).code == 0);
    let before = b.document();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(b.document()["expires_at"], before["expires_at"], "without a watch, past the socket that it left");
    let watch = b.watch();
    let after = b.document();
    assert_eq!((&after["expires_at"], &after["fingerprint"]), (&before["expires_at"], &before["fingerprint"]));
    assert_eq!(b.fetches(), 1);
    signal(&watch, "-TERM");
    b.home.finish(watch).exits(0);
    assert!(!b.home.file("pairdeck.sock").exists());
}

#[test]
fn a_loop_of_42001_ends_after_one_fetch() {
    let b = Bench::new();
    let first = b.token(&[]).exits(0).stdout;
    b.server().expire("ops-bot");
    b.server().clear_requests();
    let rejected = ["token", "corp:ops-bot", "--rejected", "-"];
    let second = b.home.run_with(&rejected, &first).exits(0).stdout;
    assert_ne!(first, second);
    // Another client, still with the old one: no request.
    assert_eq!(b.home.run_with(&rejected, &first).exits(0).stdout, second);
    b.server().revoke("ops-bot");
    for _ in 0..20 {
        b.home.run_with(&rejected, &second).exits(4).says(&["token_rejected_again"]);
    }
    assert_eq!(b.fetches(), 1);
}

#[test]
fn a_limit_is_told_with_its_code_and_the_living_token_is_served_until_it_is_refused() {
    let b = Bench::new();
    let doc = b.document();
    b.server().fault(TokenFault::parse("rate", None, false).unwrap(), 1000, Some(FETCH));
    b.token(&[]).exits(0);
    let fp = doc["fingerprint"].as_str().unwrap();
    b.server().revoke("ops-bot");
    for _ in 0..5 {
        b.token(&["--rejected", fp]).exits(6).says(&["rate_limited"]);
    }
    assert_eq!(b.fetches(), 2);
    // It is known to be refused now: nobody is given it.
    b.token(&[]).exits(6).says(&["rate_limited"]);
}

#[test]
fn what_cannot_be_had_ends_with_the_codes_of_the_contract() {
    let b = Bench::new();
    b.token(&["--no-fetch"]).exits(10);
    b.home.run(&["token", "nobody"]).exits(3);
    b.home.run(&["--read-only", "token", "corp:ops-bot"]).exits(11);
    assert_eq!(b.fetches(), 0);
    b.token(&["--min-ttl", "3h"]).exits(0);
    b.token(&["--min-ttl", "3h", "--strict"]).exits(10).says(&["life_too_short"]);
    b.token(&["--rejected", "nonsense"]).exits(2);
    b.home.run_with(&["token", "corp:ops-bot", "--rejected", "-"], "").exits(2);
    b.home.run(&["--read-only", "token", "corp:ops-bot"]).exits(0);
    b.server().reset_secret("ops-bot", Some("another-secret-that-nobody-told"), Some(true));
    b.expire();
    for _ in 0..3 {
        b.token(&[]).exits(4).says(&["credential_refused"]);
    }
    assert_eq!(b.fetches(), 1);
}

#[test]
fn the_socket_gives_the_document_of_the_command() {
    let b = Bench::new();
    let watch = b.watch();
    let mut stream = UnixStream::connect(b.home.file("pairdeck.sock")).unwrap();
    stream.write_all(b"{\"v\":1,\"target\":\"ops-bot\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    let (mut one, mut two): (Value, Value) = (serde_json::from_str(&line).unwrap(), b.document());
    for d in [&mut one, &mut two] {
        for field in ["expires_in", "source"] {
            d.as_object_mut().unwrap().remove(field).unwrap();
        }
    }
    assert_eq!(one, two);
    // A deck that is stopped holds nobody up.
    signal(&watch, "-STOP");
    b.token(&[]).exits(0);
    signal(&watch, "-CONT");
    signal(&watch, "-INT");
    b.home.finish(watch).exits(0);
}

#[test]
fn a_second_watch_is_refused_or_waits() {
    let b = Bench::new();
    let first = b.watch();
    b.home.run(&["watch"]).exits(8);
    let second = b.home.command(&["watch", "--standby"]).spawn().unwrap();
    signal(&first, "-TERM");
    b.home.finish(first).exits(0);
    until("the second one", || UnixStream::connect(b.home.file("pairdeck.sock")).is_ok());
    signal(&second, "-TERM");
    b.home.finish(second).exits(0);
}

#[test]
fn a_command_gets_its_token_over_a_descriptor_or_a_file_and_ends_as_it_ends() {
    let b = Bench::new();
    let token = b.token(&[]).exits(0).stdout.trim_end().to_owned();
    let script = "env | grep -c \"$(cat <&$PAIRDECK_TOKEN_FD)\"; tr '\\0' ' ' < /proc/$$/cmdline | grep -c TOK; exit 7";
    let ran = b.home.run(&["exec", "corp:ops-bot", "--", "sh", "-c", script]).exits(7);
    assert_eq!(ran.stdout.lines().next(), Some("0"), "the token is in the environment");
    let ran = b.home.run(&["exec", "corp:ops-bot", "--", "sh", "-c", "cat <&$PAIRDECK_TOKEN_FD"]).exits(0);
    assert_eq!(ran.stdout, token);
    let script = "stat -c %a $PAIRDECK_TOKEN_FILE; cat $PAIRDECK_TOKEN_FILE; echo; echo $PAIRDECK_TOKEN_FILE";
    let ran = b.home.run(&["exec", "corp:ops-bot", "--file", "--", "sh", "-c", script]).exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["600", token.as_str()]);
    assert!(!std::path::Path::new(lines[2]).exists(), "the file is left");
    b.home.run(&["exec", "corp:ops-bot", "--", "no-such-program"]).exits(127);
    let ran = b.home.run(&["exec", "corp:ops-bot", "--env", "TOK", "--", "sh", "-c", "printf %s $TOK"]).exits(0);
    assert_eq!(ran.stdout, token);
    // Bounded, so that a signal that is not handed on leaves nothing behind.
    let script = "trap 'exit 9' TERM; echo up; for i in $(seq 400); do sleep 0.05; done";
    let mut child = b.home.command(&["exec", "corp:ops-bot", "--file", "--", "sh", "-c", script]).spawn().unwrap();
    let mut up = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut up).unwrap();
    signal(&child, "-TERM");
    b.home.finish(child).exits(9);
}

#[test]
fn a_token_file_that_a_killed_exec_left_is_warned_of_and_gone_with_the_next_one() {
    let b = Bench::new();
    let script = "echo $PAIRDECK_TOKEN_FILE; for i in $(seq 400); do [ -e go ] && exit; sleep 0.05; done";
    let mut child = b.home.command(&["exec", "corp:ops-bot", "--file", "--", "sh", "-c", script]).current_dir(b.home.path()).spawn().unwrap();
    let mut file = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut file).unwrap();
    let file = std::path::PathBuf::from(file.trim());
    let doctor = b.home.run(&["doctor"]);
    assert!(!doctor.stdout.contains("pairdeck-token-"), "one in use is warned of: {}", doctor.stdout);
    let next = || b.home.run(&["exec", "corp:ops-bot", "--", "true"]).exits(0);
    next();
    assert!(file.exists(), "one in use is swept");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(b.home.file("go"), "").unwrap();
    assert!(file.exists());
    let doctor = b.home.run(&["doctor"]);
    assert!(doctor.stdout.contains("pairdeck-token-"), "{}", doctor.stdout);
    next();
    assert!(!file.exists(), "a token is left");
}

#[test]
fn a_storm_made_by_somebody_else_is_told_with_its_evidence_count_and_window() {
    let b = Bench::new();
    for _ in 0..2 {
        let token = b.token(&[]).exits(0).stdout;
        // Somebody else with the secret has the platform drop it.
        b.server().revoke("ops-bot");
        let _ = b.home.run_with(&["token", "corp:ops-bot", "--rejected", "-"], &token);
    }
    let row = b.home.run(&["status", "corp:ops-bot", "--json"]).json();
    let text = row["reason"]["text"].as_str().unwrap_or_default();
    assert_eq!((&row["state"], &row["reason"]["code"]), (&"expired".into(), &"token_storm".into()), "{row}");
    assert!(text.contains("2 tokens died early in 10 min") && text.contains("somebody else holds this secret"), "{row}");
    assert_eq!(row["facts"]["died_early_10min"], 2, "{row}");
    assert!(row["reason"]["remedy"].as_str().unwrap().contains("reset the Secret"), "{row}");
    assert!(["42001", "40014"].contains(&row["reason"]["raw"].as_str().unwrap()), "the platform's own word: {row}");
}

#[test]
fn a_command_that_outlives_its_token_finds_a_living_one_in_its_file() {
    let b = Bench::of(TokenSettings { life: std::time::Duration::from_secs(3), ..TokenSettings::default() });
    // Reads until it has seen three tokens, however long that takes; bounded, so that a file that stands still ends it too.
    let script = "f=$PAIRDECK_TOKEN_FILE; old=; n=0; for i in $(seq 600); do new=$(cat $f) || exit 5; \
        [ -n \"$new\" ] || exit 6; [ \"$(stat -c %a $f)\" = 600 ] || exit 7; \
        if [ \"$new\" != \"$old\" ]; then echo $new; old=$new; n=$((n+1)); [ $n = 3 ] && { echo $f; exit 9; }; fi; sleep 0.05; done";
    let ran = b.home.run(&["exec", "corp:ops-bot", "--file", "--", "sh", "-c", script]).exits(9);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(!std::path::Path::new(lines[3]).exists(), "the file is left");
    assert!(b.fetches() <= 4, "{} fetches", b.fetches());
    assert_eq!(ran.stderr, "", "nothing is said while all is well");
}

/// What a page says, without an http client.
fn page(address: &str, path: &str) -> String {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_watch_serves_its_figures_on_loopback_and_no_secret_with_them() {
    let b = Bench::new();
    b.home.run(&["watch", "--metrics", "no such address"]).exits(2);
    let mut watch = b.home.command(&["watch", "--metrics", "0"]).spawn().unwrap();
    let mut err = BufReader::new(watch.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("/metrics") {
        line.clear();
        assert!(err.read_line(&mut line).unwrap() > 0, "no address was told");
    }
    let address = line.split("http://").nth(1).unwrap().trim_end().trim_end_matches("/metrics").to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let wanted = r#"pairdeck_token_fetches_total{gateway="corp",account="ops-bot",reason="cold",result="new"} 1"#;
    until("the fetch to be counted", || page(&address, "/metrics").contains(wanted));
    until("the row", || page(&address, "/metrics").contains(r#"pairdeck_links{gateway="corp",kind="wecom",state="ready"} 1"#));
    let text = page(&address, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("openmetrics-text") && text.contains("# EOF"), "{text}");
    assert!(page(&address, "/").starts_with("HTTP/1.1 404"));
    let (token, _) = b.server().live("ops-bot").unwrap();
    assert!(!text.contains(token.expose()) && !text.contains(SECRET), "{text}");
    signal(&watch, "-TERM");
    drop(err);
    watch.wait().unwrap();
    assert!(std::net::TcpStream::connect(&address).is_err(), "it is served no more");
}

#[test]
fn each_new_token_is_tried_once_and_not_by_everybody_who_hears_of_it() {
    const N: usize = 40;
    let apps = (0..N).map(|n| AppSpec { id: format!("20{n:04}"), name: format!("app-{n}"), ..AppSpec::default() }).collect();
    let servers = Servers::with(vec![("corp", Part::Tokens(Box::default(), apps))]);
    let home = Home::of(&servers);
    let watch = home.command(&["watch"]).spawn().unwrap();
    let server = servers.sandbox().tokens("corp").unwrap();
    let asked = |path: &str| server.asked().0.iter().filter(|r| r.path.starts_with(path)).count();
    until("every token tried", || asked("/cgi-bin/agent/get") >= N);
    signal(&watch, "-TERM");
    home.finish(watch).exits(0);
    assert_eq!((asked(FETCH), asked("/cgi-bin/agent/get")), (N, N), "requests for {N} tokens");
}

#[test]
fn doctor_names_an_account_without_a_secret_and_says_nothing_of_those_that_are_well() {
    let b = Bench::new();
    b.token(&[]).exits(0);
    let about = |b: &Bench| -> Vec<Value> {
        let doc = b.home.run(&["doctor", "--json"]).json();
        doc["checks"].as_array().unwrap().iter().filter(|c| c["check"] == "corp:ops-bot").cloned().collect()
    };
    assert_eq!(about(&b), Vec::<Value>::new());
    b.home.run(&["secret", "forget", "corp:ops-bot"]).exits(0);
    b.home.store(async |store| store.token_forget("corp:ops-bot").await.unwrap());
    let told = about(&b);
    assert_eq!((told.len(), &told[0]["verdict"]), (1, &"fail".into()), "{told:?}");
    assert!(told[0]["remedy"].as_str().unwrap().contains("pairdeck secret set corp:ops-bot"), "{told:?}");
}

#[test]
fn another_identity_in_the_configuration_is_never_given_the_old_token() {
    let b = Bench::new();
    b.token(&[]).exits(0);
    b.token(&["--no-fetch"]).exits(0);
    let text = std::fs::read_to_string(b.home.file("config.toml")).unwrap();
    let other = b.home.file("other.toml");
    std::fs::write(&other, text.replace("1000002", "1000009")).unwrap();
    let other = other.to_str().unwrap().to_owned();
    b.token(&["--no-fetch", "--config", &other]).exits(10);
    // Nor over the socket of one that runs with what stood there before.
    let mut watch = b.watch();
    until("the socket", || b.home.file("pairdeck.sock").exists());
    b.token(&["--no-fetch", "--config", &other]).exits(10);
    b.token(&["--no-fetch"]).exits(0);
    signal(&watch, "-TERM");
    watch.wait().unwrap();
    b.home.write_config(&text.replace("1000002", "1000009"));
    b.token(&["--no-fetch"]).exits(10);
    b.token(&["--no-fetch", "--config", "/nowhere/none.toml"]).exits(2).says(&["/nowhere/none.toml"]);
    std::fs::remove_file(b.home.file("config.toml")).unwrap();
    b.token(&[]).exits(3).says(&["no such configuration file"]);
}

#[test]
fn a_copy_of_the_store_from_before_a_wipe_gives_the_token_only_with_a_word() {
    let b = Bench::new();
    b.token(&[]).exits(0);
    let (db, copy) = (b.home.file("vault.db"), b.home.file("copy.db"));
    std::fs::copy(&db, &copy).unwrap();
    b.home.run(&["wipe", "corp:ops-bot", "--yes"]).exits(0);
    for more in ["vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(b.home.file(more));
    }
    std::fs::copy(&copy, &db).unwrap();
    let ran = b.token(&["--no-fetch"]);
    assert!(ran.stderr.contains("older"), "{}", ran.stderr);
}

#[test]
fn a_key_of_the_terminal_reaches_the_command_once_and_another_process_s_signal_too() {
    let b = Bench::new();
    let script = "n=0; trap 'n=$((n+1)); echo got $n.' INT; trap 'echo total $n.; kill $!; exit 9' TERM; sleep 60 & echo up; \
        while kill -0 $! 2>/dev/null; do wait; done";
    let path = b.home.path();
    let args = ["--home", path.to_str().unwrap(), "exec", "corp:ops-bot", "--file", "--", "sh", "-c", script];
    let mut pty = support::pty::Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(args).size(100, 40).spawn();
    pty.wait_for("up");
    for n in 1..=5 {
        pty.keys("\u{3}");
        pty.wait_for(&format!("got {n}."));
    }
    pty.signal("INT");
    pty.wait_for("got 6.");
    pty.signal("TERM");
    pty.wait_for("total 6.");
    pty.assert_exit(9);
}

#[test]
fn a_variable_that_changes_what_is_run_takes_no_token_and_nothing_is_run() {
    let b = Bench::new();
    for name in ["PATH", "LD_PRELOAD", "IFS", "HOME", "PAIRDECK_HOME", "1X", "A B", ""] {
        let ran = b.home.run(&["exec", "corp:ops-bot", "--env", name, "--", "echo", "ran"]).exits(2).says(&["--env"]);
        assert!(ran.stdout.is_empty(), "{name}: {ran:?}");
    }
    assert_eq!(b.fetches(), 0);
}

#[test]
fn a_token_file_of_a_killed_exec_goes_with_the_next_command_of_that_home_whichever_it_is() {
    let b = Bench::new();
    b.token(&[]).exits(0);
    let next: [&[&str]; 4] = [&["token", "corp:ops-bot"], &["list"], &["history"], &["secret", "status"]];
    for args in next {
        let left = b.home.file("pairdeck-token-left");
        std::fs::write(&left, "a token").unwrap();
        b.home.run(args).exits(0);
        assert!(!left.exists(), "{args:?} leaves it");
    }
}

/// A command that reads its file until another token is there, and says when that was and when the first one ends.
fn outlives(home: &Home) -> Child {
    let script = "first=$(cat $PAIRDECK_TOKEN_FILE); for i in $(seq 1200); do new=$(cat $PAIRDECK_TOKEN_FILE); \
        if [ \"$new\" != \"$first\" ]; then echo $(date -u +%Y-%m-%dT%H:%M:%SZ) $PAIRDECK_TOKEN_EXPIRES_AT; exit 0; fi; sleep 0.05; done; exit 5";
    home.command(&["exec", "corp:ops-bot", "--file", "--", "sh", "-c", script]).spawn().unwrap()
}

#[test]
fn a_file_is_renewed_before_the_end_where_the_platform_then_has_another_token_with_and_without_a_shared_store() {
    let life = std::time::Duration::from_secs(16);
    let settings = TokenSettings { life, overlap: std::time::Duration::from_secs(8), ..TokenSettings::wechat_oa() };
    let app = AppSpec { id: "wx4f1a2b3c4d5e6f70".into(), name: "ops-bot".into(), secret: SECRET.into(), ..AppSpec::default() };
    let bench = |shared: String| {
        let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings.clone()), vec![app.clone()]))]);
        let home = Home::sealed(&servers);
        let url = servers.url("corp");
        home.write_config(&format!(
            "{shared}[gateway.corp]\nkind = \"wechat-oa\"\nurl = \"{url}\"\n\n[gateway.corp.account.ops-bot]\nid = \"{}\"\n",
            app.id
        ));
        Bench { servers, home }
    };
    let redis = support::redis::RedisServer::start("a token file with a shared store", &[]);
    let shared = redis.iter().map(|r| format!("[shared]\nredis = \"{}\"\n", r.url()));
    let running: Vec<_> = std::iter::once(String::new()).chain(shared).map(bench).map(|b| (outlives(&b.home), b)).collect();
    for (child, b) in running {
        let ran = b.home.finish(child).exits(0);
        let (at, end) = ran.stdout.trim().split_once(' ').unwrap();
        assert!(at < end, "renewed at {at}, and the first one ended at {end}");
        assert_eq!(ran.stderr, "", "nothing is said while all is well");
    }
}
