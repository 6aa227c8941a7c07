//! A vault with a passphrase, on a terminal: whoever needs it asks for it, in the one way.

use crate::{
    fleet::WA_KEY,
    support::{
        house::{Home, Servers, instance, quick},
        pty::{Pty, Start},
    },
};
use pairdeck::{
    clock::SystemTime,
    domain::Secret,
    sandbox::{AppSpec, Part, Past},
    store::{Paths, Store, config},
    vault::{Source, Vault},
};
use std::sync::Arc;

const PASSPHRASE: &str = "correct-horse-battery";

/// A gateway of which no key is kept yet.
fn house() -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", quick(WA_KEY), vec![instance("shop-on", Past::Online)])]);
    let home = vault();
    config::add_gateway_with(&home.file("config.toml"), &config::NewGateway::new("wa", "evolution", &servers.url("wa")), &[]).unwrap();
    (servers, home)
}

/// A home with a vault that a passphrase opens, and no configuration.
fn vault() -> Home {
    let mut home = Home::empty();
    home.canary(WA_KEY);
    let paths = Paths::in_home(&home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let vault = Vault::new();
        let store = Store::open(&paths, vault.clone(), Arc::new(SystemTime::new())).unwrap();
        vault.create(Source::Passphrase, Some(Secret::new(PASSPHRASE.to_owned()))).await.unwrap();
        store.flush().await;
        store.close();
    });
    home
}

fn on_a_terminal(home: &Home, args: &[&str]) -> Pty {
    let start = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(args).env("PAIRDECK_HOME", home.path()).env("HOME", "/nonexistent");
    start.env("DBUS_SESSION_BUS_ADDRESS", "").cwd("/").size(120, 30).spawn()
}

#[test]
fn a_key_is_typed_after_the_passphrase_and_is_kept() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
    let asked = pty.wait_for("passphrase of the vault");
    assert_eq!(asked.trim().lines().count(), 1, "the passphrase first: {asked}");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_until("the question for the key", |s| (s.contents().trim().lines().count() > 1).then_some(()));
    pty.keys(&format!("{WA_KEY}<Enter>"));
    pty.wait_for("the key of wa is sealed");
    pty.assert_exit(0);

    let mut pty = on_a_terminal(&home, &["list"]);
    pty.wait_for("passphrase of the vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("shop-on");
    pty.assert_exit(0);
}

#[test]
fn a_key_from_a_file_and_the_status_ask_for_the_passphrase_too() {
    let (_servers, home) = house();
    let file = home.file("key.txt");
    std::fs::write(&file, WA_KEY).unwrap();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa", "--file", file.to_str().unwrap()]);
    pty.wait_for("passphrase of the vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("the key of wa is sealed");
    pty.assert_exit(0);
    std::fs::remove_file(&file).unwrap();

    let mut pty = on_a_terminal(&home, &["secret", "status"]);
    pty.wait_for("passphrase of the vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("gateway/wa/api_key");
    pty.assert_exit(0);
}

/// Types the passphrase, and more as soon as it was taken: before the next question can be asked.
fn types_ahead(pty: &Pty, passphrase: &str, more: &str) {
    pty.wait_for("passphrase of the vault");
    pty.keys(&format!("{passphrase}<Enter>"));
    pty.wait_until("the end of the line", |s| (s.cursor_position().0 > 0).then_some(()));
    pty.keys(more);
}

#[test]
fn what_is_typed_ahead_of_its_question_is_taken_and_never_shown() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
    types_ahead(&pty, PASSPHRASE, &format!("{WA_KEY}<Enter>"));
    pty.wait_for("the key of wa is sealed");
    pty.assert_exit(0);
    for text in [WA_KEY, PASSPHRASE] {
        pty.assert_never_wrote(text);
    }
    const NEXT: &str = "another-horse-battery";
    let mut pty = on_a_terminal(&home, &["secret", "rotate-key"]);
    types_ahead(&pty, PASSPHRASE, &format!("{NEXT}<Enter>{NEXT}<Enter>"));
    pty.wait_for("sealed under a new key");
    pty.assert_exit(0);
    pty.assert_never_wrote(NEXT);
}

#[test]
fn what_is_typed_ahead_of_a_question_that_never_comes_is_dropped_unseen() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
    types_ahead(&pty, "not-the-passphrase", &format!("{WA_KEY}<Enter>"));
    pty.wait_for("does not open the vault");
    pty.assert_exit(12);
    pty.assert_restored();
    pty.assert_never_wrote(WA_KEY);
    // Ended between two questions: the terminal gets its echo back all the same.
    for signal in ["TERM", "INT", "HUP"] {
        let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
        types_ahead(&pty, PASSPHRASE, "CANARY-half-a-k");
        pty.signal(signal);
        assert!(!pty.wait_exit().success(), "{signal}");
        pty.assert_restored();
        pty.assert_never_wrote("CANARY-half-a-k");
    }
}

#[test]
fn a_wrong_passphrase_is_said_before_a_key_is_asked_for() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
    pty.wait_for("passphrase of the vault");
    pty.keys("not-the-passphrase<Enter>");
    pty.wait_for("does not open the vault");
    pty.assert_exit(12);
}

#[test]
fn the_deck_says_that_a_passphrase_was_wrong_and_takes_the_right_one() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &[]);
    pty.wait_for("unlock the vault");
    pty.keys("wrong-passphrase<Enter>");
    pty.wait_for("✗ That passphrase does not open the vault");
    pty.wait_for("Reason     That passphrase does not open");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("vault passphrase");
    assert!(!pty.text().contains("unlock the vault"), "{}", pty.text());
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_way_is_said() {
    let (_servers, home) = house();
    home.run_with(&["secret", "set", "wa", "--file", "-"], WA_KEY).exits(12).says(&["passphrase"]);
}

#[test]
fn a_signal_at_the_question_gives_the_terminal_its_echo_back() {
    let (_servers, home) = house();
    let mut pty = on_a_terminal(&home, &["secret", "set", "wa"]);
    pty.wait_for("passphrase of the vault");
    pty.signal("TERM");
    let status = pty.wait_exit();
    assert!(!status.success(), "{status:?}");
    pty.assert_restored();
}

const SECRET: &str = "CANARY-typed-unseen-4f2b";

#[test]
fn a_gateway_is_added_with_its_first_account_for_one_passphrase_and_nothing_that_is_typed_is_seen() {
    let app = AppSpec { id: "1000002".into(), name: "ops".into(), secret: SECRET.into(), ..AppSpec::default() };
    let servers = Servers::with(vec![("corp", Part::Tokens(Box::default(), vec![app]))]);
    let mut home = vault();
    home.canary(SECRET);
    let corp = servers.sandbox().tokens("corp").unwrap().settings().corpid.clone();
    let url = servers.url("corp");
    let add = ["add", "wecom", "acme", "--url", &url, "--corp-id", &corp, "--account", "ops=1000002"];
    let unseen = |pty: &Pty| {
        for text in [PASSPHRASE, "not-the-passphrase", SECRET, "CANARY-wrong-77"] {
            pty.assert_never_wrote(text);
        }
    };
    // A wrong passphrase ends it before the secret is asked for, or anybody else.
    let mut pty = on_a_terminal(&home, &add);
    pty.wait_for("passphrase of the vault");
    pty.keys("not-the-passphrase<Enter>");
    pty.wait_for("does not open the vault");
    pty.assert_exit(12);
    unseen(&pty);
    assert!(!pty.text().contains("Secret"), "{}", pty.text());
    assert_eq!(servers.sandbox().tokens("corp").unwrap().fetched(), 0);
    assert!(!home.file("config.toml").exists());
    // A secret that the platform refuses is not kept; one that it takes is.
    for (typed, exit) in [("CANARY-wrong-77", 4), (SECRET, 0)] {
        let mut pty = on_a_terminal(&home, &add);
        pty.wait_for("passphrase of the vault");
        pty.keys(&format!("{PASSPHRASE}<Enter>"));
        pty.wait_for("Secret");
        pty.keys(&format!("{typed}<Enter>"));
        pty.assert_exit(exit);
        unseen(&pty);
        assert_eq!(pty.text().matches("passphrase of the vault").count(), 1, "asked for twice\n{}", pty.text());
        assert_eq!(home.file("config.toml").exists(), exit == 0, "{}", pty.text());
    }
    let mut pty = on_a_terminal(&home, &["secret", "status"]);
    pty.wait_for("passphrase of the vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("gateway/acme/account/ops/secret");
    pty.assert_exit(0);
    // Without a terminal nobody is asked, and nothing is lost.
    let before = std::fs::read_to_string(home.file("config.toml")).unwrap();
    let piped = ["add", "wecom", "other", "--url", &url, "--corp-id", &corp, "--account", "ops=1000002", "--api-key-file", "-"];
    home.run_with(&piped, SECRET).exits(12).says(&["passphrase"]);
    assert_eq!(std::fs::read_to_string(home.file("config.toml")).unwrap(), before);
    home.keeps_secrets();
}

#[test]
fn a_vault_that_the_first_gateway_makes_is_a_line_of_the_audit_as_one_that_was_asked_for() {
    let servers = Servers::start(vec![("wa", quick(WA_KEY), vec![instance("shop-on", Past::Online)])]);
    let mut home = Home::unmade();
    home.canary(WA_KEY);
    let mut pty = on_a_terminal(&home, &["add", "evolution", "wa", "--url", &servers.url("wa")]);
    pty.wait_until("the question for the key", |s| (!s.contents().trim().is_empty()).then_some(()));
    pty.keys(&format!("{WA_KEY}<Enter>"));
    pty.wait_for("passphrase for a new vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    pty.wait_for("the same passphrase again");
    pty.keys(&format!("{PASSPHRASE}<Enter>"));
    let pid = u64::from(pty.pid());
    pty.assert_exit(0);
    pty.assert_never_wrote(PASSPHRASE);
    let audit = home.run(&["history", "--audit", "--json"]).exits(0).json();
    let lines = audit["lines"].as_array().unwrap();
    let made = lines.iter().find(|l| l["outcome"] == "done: passphrase").unwrap_or_else(|| panic!("{audit}"));
    assert_eq!((&made["id"], &made["action"], made["pid"].as_u64()), (&"vault".into(), &"init".into(), Some(pid)), "{made}");
    assert!(!made["user"].as_str().unwrap().is_empty() && !made["host"].as_str().unwrap().is_empty(), "{made}");
    assert!(lines.iter().any(|l| l["outcome"] == "failed: keyring"), "no keyring was there first: {audit}");
    assert!(lines.iter().any(|l| l["id"] == "wa" && l["action"] == "add" && l["outcome"] == "done"), "{audit}");
}

#[test]
fn a_new_vault_without_a_keyring_asks_for_a_passphrase_and_says_nothing_of_a_key_that_was_lost() {
    let home = Home::empty();
    let mut pty = on_a_terminal(&home, &["secret", "init"]);
    pty.wait_for("No keyring answers here, so the new vault needs a passphrase.");
    for text in ["Mend that", "is in a keyring", "no other place"] {
        pty.assert_never_wrote(text);
    }
    pty.wait_for("passphrase for a new vault");
    pty.keys(&format!("{PASSPHRASE}<Enter>{PASSPHRASE}<Enter>"));
    pty.wait_for("the vault is made");
    pty.assert_exit(0);
    pty.assert_never_wrote(PASSPHRASE);
    // One that is there already is no reason to choose a passphrase for another.
    let mut pty = on_a_terminal(&home, &["secret", "init"]);
    let status = pty.wait_exit();
    assert!(!status.success(), "{status:?}");
    pty.assert_never_wrote("No keyring answers");
}
