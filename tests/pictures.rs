//! The pictures of the README. `assets/pictures/make` takes them from the running demo; without `PAIRDECK_PICTURES=1` this
//! looks whether what is committed can be read and shows what the README says.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::PathBuf;
use support::{
    pty::{Pty, Start},
    svg,
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/pictures").join(format!("{name}.svg"))
}

fn demo(cols: u16, rows: u16) -> Pty {
    let pty = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["demo"]).env("HOME", "/nonexistent").cwd("/").size(cols, rows).spawn();
    pty.wait_until("accounts of both gateways", |s| (s.contents().contains("shop-wien") && s.contents().contains("shop-mooca")).then_some(()));
    // The line about the clocks comes with the first answers.
    pty.wait_for("ahead");
    pty
}

/// Moves the cursor down until it stands on `account`.
fn walk(pty: &Pty, account: &str) {
    for _ in 0..30 {
        let line = |s: &vt100::Screen| s.contents().lines().find(|l| l.starts_with('▌')).map(str::to_owned);
        let at = pty.wait_until("the cursor", line);
        if at.split('│').next().is_some_and(|l| l.contains(&format!(" {account} "))) {
            return;
        }
        pty.keys("j");
        pty.wait_until("the cursor to move", |s| line(s).filter(|l| *l != at));
    }
    panic!("{account} cannot be reached:\n{}", pty.text());
}

fn arm(pty: &Pty) {
    for _ in 0..100 {
        pty.keys("w");
        std::thread::sleep(std::time::Duration::from_millis(50));
        if pty.wait_until("an answer", |s| Some(s.contents().contains("starts in"))) {
            return;
        }
    }
    panic!("nothing was armed:\n{}", pty.text());
}

fn take(pty: &Pty, name: &str, title: &str) {
    std::fs::write(file(name), svg::svg(&pty.screen(), title)).unwrap();
}

#[test]
fn pictures_are_taken_when_asked_for() {
    if std::env::var("PAIRDECK_PICTURES").as_deref() != Ok("1") {
        return;
    }
    let pty = demo(120, 34);
    walk(&pty, "shop-paulista");
    arm(&pty);
    take(&pty, "deck", "The deck: twelve accounts on two gateways, a wipe armed");
    pty.keys("u");
    pty.wait_gone("starts in");

    let pty = demo(100, 26);
    walk(&pty, "shop-mooca");
    pty.keys("<Enter>");
    pty.wait_for("┌─ shop-mooca");
    take(&pty, "detail", "Details of an account whose phone logged it out");

    let pty = demo(92, 26);
    walk(&pty, "shop-mooca");
    pty.keys("p");
    pty.wait_for("pair shop-mooca");
    pty.keys("<C-u>5511999990003<Enter>");
    pty.wait_for("code 1 on screen");
    take(&pty, "pairing", "A pairing code, proven fresh, with its countdown");

    let pty = demo(80, 26);
    walk(&pty, "shop-wien");
    arm(&pty);
    take(&pty, "wipe", "A wipe armed: it starts in three seconds, u takes it back");
}

/// The words of a picture, or a failure where its marks do not match.
fn words(svg: &str) -> String {
    let (mut open, mut text) = (Vec::new(), String::new());
    for piece in svg.split('<').skip(1) {
        let (tag, rest) = piece.split_once('>').expect("every mark ends");
        let name = tag.split([' ', '/']).find(|n| !n.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "marks do not match");
        } else if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
        text.push_str(rest.trim_end_matches('\n'));
        if name == "text" && tag.starts_with('/') {
            text.push(' ');
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    text
}

#[test]
fn committed_pictures_can_be_read_and_show_what_the_readme_says() {
    let shown = [
        ("deck", vec!["WIPE", "shop-paulista", "wa-sp", "wa-eu", "starts in", "undo", "DEMO"]),
        ("detail", vec!["shop-mooca", "Reason", "Remedy", "Logged out, usually"]),
        ("pairing", vec!["PAIR", "CODE 1", "dies in", "fresh:", "old code discarded"]),
        ("wipe", vec!["WIPE", "shop-wien", "starts in", "undo"]),
    ];
    let readme = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for (name, wanted) in shown {
        let svg = std::fs::read_to_string(file(name)).unwrap_or_else(|e| panic!("{name}: {e}; run assets/pictures/make"));
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{name}");
        let text = words(&svg);
        for words in wanted {
            assert!(text.contains(words), "{name} does not show {words:?}:\n{text}");
        }
        assert!(readme.contains(&format!("assets/pictures/{name}.svg")), "README does not show {name}");
    }
}
