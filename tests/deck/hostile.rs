//! Names that somebody chose to drive a terminal, from servers of every kind, on every screen.

use super::{
    hands::select,
    house::{House, account},
    looks::assert_only_our_sequences,
    secure::back_to_list,
};
use crate::support::pty::Pty;
use pairdeck::sandbox::{
    AppSpec, BotSpec, DeviceSpec, InstanceSpec, LangBotSettings, Part, Past, PastLine, TelegramAccount, TelegramSession, UidSpec, WukongSettings,
};
use std::time::{Duration, Instant};

/// What none of the names may bring to the terminal.
const ATTACKS: [&str; 9] = ["\u{202e}", "\u{2066}", "\u{9b}", "\u{200b}", "\u{feff}", "\u{7}", "\u{e0041}", "\u{5}", "\u{e000}"];

/// All attacks in one text.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[31m\u{202e}der\u{2066}\u{9b}2J\u{85}\u{1b}]52;c;b3duZWQ=\u{7}\u{1b}P1;2|t\u{1b}\\\u{1b}[6n\u{5}\u{e000}\u{e0041}\u{e007f}\u{200b}\u{feff}\u{1b}c";

fn nothing_foreign(pty: &Pty) -> usize {
    let raw = pty.raw();
    assert_only_our_sequences(&raw);
    for gone in ATTACKS {
        pty.assert_never_wrote(gone);
    }
    assert_eq!((pty.bells(), pty.clipboard().len()), (0, 0));
    raw.len()
}

#[test]
fn hostile_names_drive_the_terminal_from_no_screen() {
    let hostile = |name: &str, profile: &str| InstanceSpec { profile: profile.to_owned(), ..account(name, Past::Online) };
    let names = [
        ("x1 \u{1b}]0;owned\u{7}\u{1b}[31mred", "\u{1b}]52;c;b3duZWQ=\u{7}evil"),
        ("x2 \u{202e}gnihtemos\u{2066}", "\u{9b}2J\u{85}odd"),
        ("x3 a/b%2F?c#d\u{8}\u{8}\n\r", "\u{1b}P1;2|tmux\u{1b}\\"),
        ("x4 \u{1b}[?1049l\u{1b}c\u{e0041}\u{e007f}", "zero\u{200b}width\u{feff}"),
        ("x5 e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "\u{1b}[6n\u{5}\u{e000}"),
    ];
    let house = House::with(names.iter().map(|(n, p)| hostile(n, p)).collect());
    let mut pty = house.deck().size(120, 40).spawn();
    pty.wait_until("all accounts", |s| (1..=5).all(|n| s.contents().contains(&format!("x{n} "))).then_some(()));
    let mut screens = 0;
    for n in 1..=5 {
        select(&pty, &format!("x{n}"));
        for key in ["?", ":", "c", "L", "/", "'", "a", "t", "T", "f", "Q", "m", "<Enter>", "w", "r", "p", "H"] {
            let before = pty.text();
            pty.keys(key);
            pty.wait_until("the key to show", |s| (s.contents() != before).then_some(()));
            screens += 1;
            // Whatever it opened: closed again, nothing armed.
            back_to_list(&pty);
            if key == "H" {
                let hidden = pty.text();
                pty.keys("H");
                pty.wait_until("names again", |s| (s.contents() != hidden).then_some(()));
            }
        }
    }
    let bytes = nothing_foreign(&pty);
    assert_eq!(house.acts().iter().filter(|r| r.method == "DELETE").count(), 0, "a wipe was sent");
    println!("FIGURE hostile names: 5 names with 10 attacks x {screens} screens, {bytes} bytes written, 0 foreign sequences");
    pty.keys("q");
    pty.assert_exit(0);
}

/// Presses a key and gives the screen a moment to change; not every key does something on every row.
fn opens(pty: &Pty, key: &str) -> bool {
    let before = pty.text();
    pty.keys(key);
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        if pty.text() != before {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn evil(name: &str) -> String {
    format!("{name}{EVIL}")
}

#[test]
fn hostile_names_of_every_kind_of_server_drive_the_terminal_from_no_screen() {
    let past = |level: &str| PastLine { level: level.into(), text: evil("line"), age_s: 60 };
    let bot = |name: &str, adapter: &str| BotSpec {
        name: evil(name),
        description: evil("about"),
        adapter: adapter.into(),
        enable: true,
        log: ["info", "warning", "error"].map(past).into(),
        ..BotSpec::default()
    };
    let device = |flag| DeviceSpec { flag, level: 1, online: vec![evil("phone")], age: Duration::from_secs(3600), ..DeviceSpec::default() };
    let uid = UidSpec { uid: evil("uid"), devices: vec![device(0), device(1)], ..UidSpec::default() };
    let session = TelegramSession { device: evil("desk"), app: evil("app"), platform: evil("os"), country: evil("xx"), ..TelegramSession::default() };
    let person = TelegramAccount {
        id: 9,
        name: evil("Ada"),
        username: "ada".into(),
        phone: "5511999990001".into(),
        dc: 4,
        sessions: vec![session],
        ..TelegramAccount::default()
    };
    let app = AppSpec { id: "1000002".into(), name: "ops".into(), ..AppSpec::default() };
    let shop = InstanceSpec { profile: evil("profile"), ..account(&evil("shop"), Past::Online) };
    let wukong = WukongSettings { manager_token: Some("CANARY-hostile-manager".into()), ..WukongSettings::default() };
    let langbot = LangBotSettings { global_key: Some("lbk_CANARY_hostile_key".into()), ..LangBotSettings::default() };
    let parts = vec![
        ("wa".to_owned(), Part::Evolution(Box::new(super::house::swift()), vec![shop])),
        ("im".to_owned(), Part::Wukong(Box::new(wukong), vec![uid])),
        ("lb".to_owned(), Part::LangBot(Box::new(langbot), vec![bot("helper", "wecombot"), bot("support", "wecom")])),
        ("corp".to_owned(), Part::Tokens(Box::default(), vec![app])),
        ("tg".to_owned(), Part::Telegram(Box::default(), vec![person])),
    ];
    let house = House::servers(parts);
    let mut pty = house.deck().size(140, 50).spawn();
    pty.wait_until("a row of each kind", |s| ["shop", "helper", "support", "ops"].iter().all(|n| s.contents().contains(n)).then_some(()));
    let mut screens = 0;
    let mut rows = 0;
    for _ in 0..24 {
        rows += 1;
        for key in ["t", "T", "m", "<Enter>", "d", "p", "H"] {
            screens += usize::from(opens(&pty, key));
            back_to_list(&pty);
            if key == "H" {
                opens(&pty, "H");
            }
        }
        if !opens(&pty, "j") {
            break;
        }
    }
    for key in ["?", ":", "c", "L", "/", "'", "a", "f", "Q"] {
        screens += usize::from(opens(&pty, key));
        back_to_list(&pty);
    }
    let bytes = nothing_foreign(&pty);
    let acted = house.sandbox.handles().iter().flat_map(super::house::acts).filter(|r| r.method == "DELETE").count();
    assert_eq!(acted, 0, "a wipe was sent");
    assert!(screens > 30, "{screens} screens of {rows} rows:\n{}", pty.text());
    println!("\nFIGURE hostile names of every kind: {rows} rows of 5 kinds x {screens} screens, {bytes} bytes written, 0 foreign sequences");
    pty.keys("q");
    pty.assert_exit(0);
}
