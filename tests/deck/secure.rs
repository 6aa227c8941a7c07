//! What the deck owes its operator: the terminal back whatever happens, nobody's escape sequences but its own, no secret on
//! screen.

use super::{
    hands::{pair_by_code, select, wait_for_code},
    house::{House, account},
};
use crate::support::pty::Pty;
use pairdeck::sandbox::Past;
use std::{
    io::Read,
    time::{Duration, Instant},
};

fn house() -> House {
    House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::New)])
}

/// The three screens: the list, an overlay over it, the pairing screen with a code on it.
fn to_screen(pty: &Pty, screen: &str) {
    match screen {
        "overlay" => {
            pty.keys("?");
            pty.wait_for("type to search");
        }
        "pairing" => {
            pair_by_code(pty, "shop-b", "5511999990001");
            wait_for_code(pty);
        }
        _ => {}
    }
}

/// Closes whatever is open, and takes back whatever is armed. One key at a time: Esc with another behind it is Alt.
pub fn back_to_list(pty: &Pty) {
    for _ in 0..100 {
        let text = pty.text();
        let open = ["┌", "starts in", "wipe in", "regenerate in"].iter().any(|w| text.contains(w));
        if !open && text.contains("space mark") {
            return;
        }
        pty.keys("<Esc>");
        // Asked again until it is so, which is no synchronisation.
        std::thread::sleep(Duration::from_millis(40));
    }
    panic!("the list does not come back:\n{}", pty.text());
}

/// By numbers: of real time, the first, one in between and the last.
const ENDS: [&str; 19] =
    ["TERM", "HUP", "INT", "view", "draw", "task", "pipe", "QUIT", "USR1", "USR2", "ALRM", "XCPU", "ABRT", "TRAP", "STKFLT", "PWR", "34", "40", "64"];
const SCREENS: [&str; 3] = ["list", "overlay", "pairing"];

#[test]
fn however_it_ends_on_whichever_screen_the_terminal_is_as_it_was() {
    let mut whole = 0;
    for screen in SCREENS {
        for end in ENDS {
            let house = house();
            let file = house.home.path().join("now");
            let mut start = house.deck().size(100, 34);
            if ["view", "draw", "task"].contains(&end) {
                start = start.env("PAIRDECK_DEBUG_PANIC", format!("{end}:{}", file.display()));
            }
            if end == "pipe" {
                assert!(hung_up(&house, screen) < Duration::from_secs(10), "{screen}: it goes on without a terminal");
                whole += 1;
                continue;
            }
            let mut pty = start.spawn();
            house.settle(&pty);
            to_screen(&pty, screen);
            match end {
                "view" | "draw" => {
                    std::fs::write(&file, "").unwrap();
                    pty.resize(101, 34);
                    pty.wait_exit();
                    pty.assert_restored();
                    assert!(pty.text().contains("a fault of its own at"), "{end} {screen}: {}", pty.text());
                }
                "task" => {
                    std::fs::write(&file, "").unwrap();
                    pty.keys("j");
                    pty.keys("k");
                    // The deck goes on, undamaged, and ends as ever.
                    pty.wait_for(if screen == "pairing" { "shop-b" } else { "shop-a" });
                    std::fs::remove_file(&file).unwrap();
                    assert!(pty.screen().alternate_screen(), "{screen}");
                    assert!(!pty.text().contains("fault"), "{screen}: {}", pty.text());
                    back_to_list(&pty);
                    pty.keys("q");
                    pty.assert_exit(0);
                }
                "TERM" | "HUP" | "INT" => {
                    pty.signal(end);
                    pty.assert_exit(130);
                }
                // Not the deck's to answer: it ends as ever, but not before the terminal is as it was.
                signal => {
                    pty.signal(signal);
                    assert!(!pty.wait_exit().success(), "{signal}");
                    pty.assert_restored();
                }
            }
            pty.assert_never_wrote("CANARY-in-a-panic");
            whole += 1;
        }
    }
    println!(
        "FIGURE terminal restored: {whole} of 57 (panic in view, draw, task; TERM, HUP, INT, QUIT, USR1, USR2, ALRM, XCPU, ABRT, TRAP, STKFLT, PWR and real time 34, 40, 64; terminal gone; on list, overlay, pairing)"
    );
    assert_eq!(whole, SCREENS.len() * ENDS.len());
    assert_eq!(whole, 57);
}

/// The terminal goes away under the deck: how long it lives on.
fn hung_up(house: &House, screen: &str) -> Duration {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let pair = native_pty_system().openpty(PtySize { rows: 34, cols: 100, ..PtySize::default() }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pairdeck"));
    command.args(["--home".as_ref(), house.home.path().as_os_str()]);
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("HOME", "/nonexistent")] {
        command.env(name, value);
    }
    command.cwd("/");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut writer = pair.master.take_writer().unwrap();
    let mut seen = Vec::new();
    let mut piece = [0u8; 4096];
    let keys: &[u8] = match screen {
        "overlay" => b"?",
        "pairing" => b"jp",
        _ => b"j",
    };
    let mut pressed = false;
    while let Ok(n @ 1..) = reader.read(&mut piece) {
        seen.extend_from_slice(&piece[..n]);
        let shown = seen.windows(6).any(|w| w == b"shop-b");
        if shown && !pressed {
            std::io::Write::write_all(&mut writer, keys).unwrap();
            pressed = true;
            seen.clear();
        } else if pressed && seen.len() > 40 {
            break;
        }
    }
    drop((reader, writer, pair.master));
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "{screen}: it does not end without its terminal");
        std::thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

/// Every spelling of a secret.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let percent: String = secret.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    [secret.to_owned(), BASE64_STANDARD_NO_PAD.encode(secret), hex.clone(), hex.to_uppercase(), percent, secret.replace('-', "\\u002d")]
        .map(String::into_bytes)
        .into()
}

#[test]
fn the_key_of_a_server_is_on_no_screen_and_in_no_file() {
    let house = house();
    let key = house.sandbox.gateways()[0].credentials["api_key"].expose().to_owned();
    let mut pty = house.open(120, 40);
    select(&pty, "shop-a");
    for key in ["?", ":", "c", "L", "t", "T", "m", "<Enter>", "a"] {
        let before = pty.text();
        pty.keys(key);
        pty.wait_until("the key to show", |s| (s.contents() != before).then_some(()));
        back_to_list(&pty);
    }
    pair_by_code(&pty, "shop-b", "5511999990001");
    wait_for_code(&pty);
    back_to_list(&pty);
    pty.keys("q");
    pty.wait_exit();
    let raw = pty.raw();
    let mut files = 0;
    for form in spellings(&key) {
        assert!(!raw.windows(form.len()).any(|w| w == form), "the terminal was told the key");
        for file in crate::support::house::files(house.home.path()) {
            let bytes = std::fs::read(&file).unwrap_or_default();
            files += 1;
            assert!(!bytes.windows(form.len()).any(|w| w == form), "{} holds the key", file.display());
        }
    }
    println!("FIGURE canary on the deck: {} terminal bytes and {files} file readings in 6 spellings, 0 hits", raw.len());
}

#[test]
fn a_key_in_a_file_has_its_badge_for_as_long_as_it_lies_there() {
    let house = house();
    let mut pty = house.open(100, 34);
    pty.wait_for("KEY FILE");
    pty.keys("?");
    pty.wait_for("type to search");
    back_to_list(&pty);
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_terminal_that_never_answers_is_drawn_anew_all_the_same() {
    let house = house();
    let silent = crate::support::pty::Terminal { answers: false, background: None };
    let mut pty = house.deck().size(100, 34).terminal(silent).spawn();
    house.settle(&pty);
    // Coming back into focus draws everything anew, as ctrl-l does.
    for key in ["<C-l>", "\u{1b}[O", "\u{1b}[I", "<C-l>"] {
        pty.keys(key);
    }
    pty.keys("?");
    pty.wait_for("type to search");
    back_to_list(&pty);
    pty.keys("q");
    pty.assert_exit(0);
}
