//! The spoken deck as a whole program in a terminal: lines only, the terminal stays in its own line mode.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::pty::Start;

/// The number that was last said before that name.
fn number(text: &str, name: &str) -> String {
    let line = text.lines().rev().find(|l| l.contains(&format!(". {name},"))).expect("the row was said");
    line.split('.').next().unwrap().trim().to_owned()
}

#[test]
fn a_wipe_is_armed_and_taken_back_by_typed_lines_without_one_escape_sequence() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["demo", "--plain"]).env("HOME", home.path()).size(200, 100).spawn();
    pty.wait_for("Gateways: 2. Accounts: ");
    // The first list tells of the gateway that answered first; `l` lists again.
    let begun = std::time::Instant::now();
    let text = loop {
        let text = pty.text();
        if text.contains("shop-paulista, online") {
            break text;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{text}");
        pty.keys("l<Enter>");
        std::thread::sleep(std::time::Duration::from_millis(300));
    };
    pty.keys(&format!("{} w<Enter>", number(&text, "shop-paulista")));
    pty.wait_for("Wipe shop-paulista in 10 seconds.");
    pty.keys("u<Enter>");
    pty.wait_for("taken back; nothing was sent");
    pty.keys("?<Enter>");
    pty.wait_for("3 w: wipe its session.");
    pty.keys("q<Enter>");
    pty.assert_exit(0);
    assert!(!pty.raw().contains(&0x1b), "an escape sequence was written");
}

#[test]
fn a_deck_that_follows_another_process_does_not_call_a_known_gateway_unknown() {
    use support::house::{Home, Servers, instance, quick, until};
    let servers = Servers::start(vec![("wa", quick("CANARY-plain-key-1"), vec![instance("shop-on", pairdeck::sandbox::Past::Online)])]);
    let home = Home::of(&servers);
    home.run(&["list"]).exits(0);
    let mut watch = home.command(&["watch"]).spawn().unwrap();
    until("the socket", || std::os::unix::net::UnixStream::connect(home.file("pairdeck.sock")).is_ok());
    let path = home.path();
    let mut pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["--home", path.to_str().unwrap(), "--plain"]).size(160, 60).spawn();
    pty.wait_for("shop-on, online");
    // News of the engine have come by then: the row is not only remembered any more.
    let begun = std::time::Instant::now();
    while !pty.text().lines().any(|l| l.contains("shop-on, online,") && !l.contains("last seen")) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{}", pty.text());
        pty.keys("l<Enter>");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    assert!(!pty.text().contains("is unknown"), "{}", pty.text());
    pty.keys("q<Enter>");
    pty.assert_exit(0);
    watch.kill().unwrap();
    watch.wait().unwrap();
}
