//! `--reveal`: a token is printed only after its line was written to the audit.

use crate::{
    fleet::{WA_KEY, one},
    support::{
        house::{Home, http, instance, quick},
        im::Im,
    },
};
use pairdeck::sandbox::{Past, UidSpec};

/// Every other line can be written; this one cannot, as on a disk that became full in between.
fn unwritable(home: &Home) {
    let db = rusqlite::Connection::open(home.file("vault.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.action = 'reveal' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .unwrap();
}

fn revealed(home: &Home) -> usize {
    let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
    audit["lines"].as_array().unwrap().iter().filter(|l| l["action"] == "reveal").count()
}

/// Runs it where the line can be written and where it cannot, as text and as a document. `token`: what must not be shown, or must.
fn is_shown_with_its_line_and_not_without(home: &Home, commands: &[Vec<&str>], token: impl Fn(&[&str]) -> String) {
    for (n, args) in commands.iter().enumerate() {
        let ran = home.run(args).exits(0);
        let is = token(args);
        assert!(is.len() >= 20 && ran.stdout.contains(&is), "{args:?} does not show {is}: {}", ran.stdout);
        assert_eq!(revealed(home), n + 1, "{args:?}");
    }
    unwritable(home);
    for args in commands {
        let before = token(args);
        let ran = home.run(args);
        let is = token(args);
        assert!(is.len() >= 20 && is != before, "{args:?} did nothing: {} {}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains(&is) && !ran.stderr.contains(&is), "{args:?} shows it without its line: {}", ran.stdout);
        assert_ne!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("not printed: its line in the audit") && ran.stderr.contains("full"), "{args:?}: {}", ran.stderr);
        if args.contains(&"--json") {
            assert!(ran.json().get("token").is_none_or(serde_json::Value::is_null), "{}", ran.stdout);
        }
    }
    assert_eq!(revealed(home), commands.len());
}

#[test]
fn a_regenerated_token_whose_line_cannot_be_written_is_not_printed_and_the_exit_code_says_so() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop", Past::Online)]);
    let url = servers.url("wa");
    let token = |_: &[&str]| {
        let told = http(&url, "GET", "/instance/fetchInstances?instanceName=shop", WA_KEY, None).1;
        told[0]["token"].as_str().unwrap().to_owned()
    };
    let plain = vec!["regenerate", "wa:shop", "--yes", "--reveal"];
    is_shown_with_its_line_and_not_without(&home, &[plain.clone(), [plain, vec!["--json"]].concat()], token);
}

#[test]
fn a_token_of_a_verb_whose_line_cannot_be_written_is_not_printed_either() {
    let im = Im::start("CANARY-manager-5511");
    let home = im.home_with("uids = \"all\"");
    im.server().seed(&[UidSpec { uid: "u1".into(), ..UidSpec::default() }]);
    let token = |args: &[&str]| {
        let (uid, flag) = args.iter().find_map(|a| a.strip_prefix("im:")?.split_once('/')).unwrap();
        im.server().devices(uid).into_iter().find(|d| d.flag.to_string() == flag).map(|d| d.token).unwrap_or_default()
    };
    let verb = |at: &'static str| vec!["do", "issue", at, "--yes", "--reveal"];
    let home_of = |at: &'static str, json: bool| if json { [verb(at), vec!["--json"]].concat() } else { verb(at) };
    for args in [home_of("im:u1/4", false), home_of("im:u1/5", true)] {
        let ran = home.run(&args).exits(0);
        assert!(ran.stdout.contains(&token(&args)), "{}", ran.stdout);
    }
    assert_eq!(revealed(&home), 2);
    unwritable(&home);
    for args in [home_of("im:u1/6", false), home_of("im:u1/7", true)] {
        let ran = home.run(&args);
        let is = token(&args);
        assert!(is.len() >= 20 && !ran.stdout.contains(&is) && !ran.stderr.contains(&is), "{args:?}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.code != 0 && ran.stderr.contains("not printed: its line in the audit"), "{args:?}: {} {}", ran.code, ran.stderr);
    }
    assert_eq!(revealed(&home), 2);
}

#[test]
fn where_nothing_can_be_written_nothing_is_begun_that_would_be_revealed() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop", Past::Online)]);
    home.run(&["list"]).exits(0);
    // Somebody holds the database for longer than a command waits.
    let db = rusqlite::Connection::open(home.file("vault.db")).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    servers.gateway("wa").clear_requests();
    for args in [&["regenerate", "wa:shop", "--yes", "--reveal"][..], &["do", "create", "wa:new", "--yes", "--reveal"]] {
        let ran = home.run(args);
        assert!(ran.code != 0 && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{args:?}: {} {}", ran.stdout, ran.stderr);
    }
    let changed: Vec<String> = servers.asked("wa").into_iter().filter(|r| !r.starts_with("GET ") && !r.contains("/verify-creds")).collect();
    assert_eq!(changed, [""; 0]);
}
