//! Sizes, languages and names that would like to be commands.

use super::{
    hands::{pair_by_code, select, wait_row},
    house::{House, account},
};
use pairdeck::sandbox::{InstanceSpec, Past};

#[test]
fn a_small_terminal_shows_rows_and_an_armed_wipe() {
    let house = House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::LoggedOut)]);
    let pty = house.open(40, 10);
    select(&pty, "shop-a");
    super::hands::press(&pty, "w", "the armed wipe", |s| s.contents().contains("WIPE").then_some(()));
    pty.keys("u");
    pty.wait_gone("WIPE");
    assert_eq!(house.acts(), []);
}

#[test]
fn a_storm_of_new_sizes_ends_on_a_whole_screen() {
    let house = House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::LoggedOut)]);
    let mut pty = house.open(100, 30);
    for round in 0..40u16 {
        for (cols, rows) in [(1, 1), (2, 40), (39, 9), (40, 10), (200, 3), (131 - round, 45), (10, 10)] {
            pty.resize(cols, rows);
        }
    }
    pty.resize(90, 28);
    wait_row(&pty, "shop-a", "online");
    wait_row(&pty, "shop-b", "logged out");
    pty.wait_for("space mark");
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_terminal_that_grows_and_shrinks_while_a_code_is_shown_keeps_the_code() {
    let house = House::with(vec![account("shop-a", Past::New)]);
    let pty = house.open(80, 24);
    pair_by_code(&pty, "shop-a", "5511999990001");
    let code = super::hands::wait_for_code(&pty);
    for (cols, rows) in [(40, 10), (130, 45), (60, 16)] {
        pty.resize(cols, rows);
        pty.wait_until("the same code", |s| super::hands::code_on(s).filter(|c| *c == code));
    }
}

#[test]
fn in_chinese_every_word_of_the_deck_is_chinese() {
    let house = House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::LoggedOut)]);
    let pty = house.deck().args(["--lang", "zh"]).size(120, 30).spawn();
    house.settle(&pty);
    let text = pty.wait_for("在线");
    for word in ["已退出", "名称", "状态", "配对", "清除"] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    for word in ["online", "logged out", "NAME", "STATE", "wipe"] {
        assert!(!text.contains(word), "{word} is English:\n{text}");
    }
}

/// Escape sequences that the deck makes itself: what CSI ends with, and which OSC there are.
const CSI: &str = "mHJKhlABCDGXdnc";

#[test]
fn hostile_names_reach_the_terminal_as_text_only() {
    let hostile = |name: &str, profile: &str| InstanceSpec { profile: profile.to_owned(), ..account(name, Past::Online) };
    let house = House::with(vec![
        account("shop-a", Past::LoggedOut),
        hostile("x1 \u{1b}]0;owned\u{7}\u{1b}[31mred", "\u{1b}]52;c;b3duZWQ=\u{7}evil"),
        hostile("x2 \u{202e}gnihtemos\u{2066}", "\u{9b}2J\u{85}odd"),
        hostile("x3 a/b%2F?c#d\u{8}\u{8}\n\r", "\u{1b}P1;2|tmux\u{1b}\\"),
        hostile("x4 \u{1b}[?1049l\u{1b}c", "zero\u{200b}width\u{feff}"),
    ]);
    let pty = house.deck().size(120, 40).spawn();
    pty.wait_until("all accounts", |s| (1..=4).all(|n| s.contents().contains(&format!("x{n} "))).then_some(()));
    for n in 1..=4 {
        // Each row's details, timeline and menu draw its names again.
        select(&pty, &format!("x{n}"));
        for (key, title) in [("t", format!("timeline  x{n}")), ("m", "more".to_owned())] {
            let bar = format!("┌─ {title}");
            pty.keys(key);
            pty.wait_for(&bar);
            pty.keys("<Esc>");
            pty.wait_gone(&bar);
        }
    }
    let raw = pty.raw();
    assert_only_our_sequences(&raw);
    for gone in ["\u{202e}", "\u{2066}", "\u{9b}", "\u{200b}", "\u{feff}", "\u{7}"] {
        pty.assert_never_wrote(gone);
    }
    assert_eq!(pty.bells(), 0);
    assert_eq!(pty.clipboard(), Vec::<Vec<u8>>::new());
    assert!(pty.screen().alternate_screen(), "the deck's own screen was not left");
}

pub fn assert_only_our_sequences(raw: &[u8]) {
    let text = String::from_utf8(raw.to_vec()).expect("all that is written is UTF-8");
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\r' && c != '\n') {
        let from = &rest[at..];
        let near: String = from.chars().take(40).collect();
        let Some(body) = from.strip_prefix("\u{1b}") else { panic!("a control character of a name: {near:?}") };
        if let Some(csi) = body.strip_prefix('[') {
            let end = csi.find(|c: char| ('@'..='~').contains(&c)).unwrap_or_else(|| panic!("no end: {near:?}"));
            let last = csi[end..].chars().next().unwrap();
            assert!(CSI.contains(last) || csi[..end].starts_with(['>', '<', '=', '?']), "not ours: {near:?}");
            rest = &csi[end + 1..];
        } else if let Some(osc) = body.strip_prefix(']') {
            assert!(osc.starts_with("11;?"), "not ours: {near:?}");
            let end = osc.find("\u{1b}\\").map(|e| e + 2).or_else(|| osc.find('\u{7}').map(|e| e + 1)).expect("it ends");
            rest = &osc[end..];
        } else {
            panic!("not ours: {near:?}");
        }
    }
}
