//! Figures of the Telegram provider: the memory of one deck with a hundred accounts, and the round trips until a code is there. They
//! are printed; `tests/benches/README.md` tells how to read them.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[allow(dead_code)]
mod deck {
    pub mod hands;
}
mod support;

use pairdeck::{
    domain::{GatewayId, Secret},
    engine::world::secret_name,
    sandbox::{Part, TelegramAccount, TelegramSession, TelegramSettings},
    store::Store,
};
use serde_json::json;
use std::{fs, time::Duration};
use support::{
    house::{Home, Servers, until},
    pty::Start,
    tg::{Tg, key},
};

const ACCOUNTS: usize = 100;

fn kib(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|l| l.strip_prefix(what)?.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap()
}

/// A hundred accounts that are logged in, each with four sessions.
fn crowd() -> (Servers, Home) {
    let session = |n: usize, what: &str| TelegramSession {
        key: (what == "pairdeck").then(|| Box::new(*key(n).expose())),
        device: format!("{what} {n}"),
        app: "Telegram Android".into(),
        platform: "Android".into(),
        ip: "203.0.113.7".into(),
        country: "Brazil".into(),
        age: Duration::from_secs(90 * 24 * 3600),
        ..TelegramSession::default()
    };
    let one = |n: usize| TelegramAccount {
        id: 1000 + n as i64,
        name: format!("Person {n}"),
        username: format!("person{n}"),
        dc: 4,
        sessions: ["pairdeck", "Pixel", "Desktop", "Tablet"].map(|what| session(n, what)).to_vec(),
        ..TelegramAccount::default()
    };
    let servers = Servers::with(vec![("tg", Part::Telegram(Box::default(), (0..ACCOUNTS).map(one).collect()))]);
    let home = Home::of(&servers);
    home.store(async |store: &Store| {
        for n in 0..ACCOUNTS {
            let sealed = json!({ "dc": 4, "key": key(n).to_secret().expose(), "salt": 0, "user": 1000 + n, "bot": false }).to_string();
            let name = secret_name(&GatewayId::new("tg"), &format!("account/person{n}/operator"));
            store.secret_put(&name, &Secret::new(sealed)).await.unwrap();
        }
        store.flush().await;
    });
    (servers, home)
}

#[test]
fn a_deck_with_a_hundred_accounts_stays_small() {
    let (servers, home) = crowd();
    let tg = servers.sandbox().telegram("tg").unwrap();
    let path = home.path();
    let mut deck = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["--home".as_ref(), path.as_os_str()]).size(120, 40).spawn();
    until("a hundred connections", || tg.connected().iter().filter(|c| c.account.is_some()).count() >= ACCOUNTS);
    deck.wait_for("100/100");
    let (peak, now) = (kib(deck.pid(), "VmHWM:"), kib(deck.pid(), "VmRSS:"));
    let file = kib(deck.pid(), "RssFile:");
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!(
        "figure: telegram-memory accounts={ACCOUNTS} connections={ACCOUNTS} build={build} vmhwm_kib={peak} vmrss_kib={now} of_which_program_file_kib={file}"
    );
    assert!(peak * 1024 < 60_000_000, "{peak} KiB");
    deck.keys("q");
    deck.wait_exit();
}

#[test]
fn the_round_trips_until_a_code_are_counted() {
    let all = Tg::with(TelegramSettings::default(), None, 1, 1);
    all.tg().clear();
    let child = all.home.command(&["pair", "tg:ada", "--json"]).spawn().unwrap();
    until("a code", || all.tg().token().is_some());
    let asked = all.tg().questions();
    let mut child = child;
    child.kill().unwrap();
    all.home.finish(child);
    println!("figure: telegram-qr where=command round_trips={} questions={asked:?}", asked.len());
    // The exchange of a key, whose first two questions are the gate's look at the clock, and one call that introduces us as well: nothing
    // of it can be left out, and each needs the answer to the one before.
    assert_eq!(asked, ["req_pq", "req_DH_params", "set_client_DH_params", "auth.exportLoginToken"]);
    // On a deck there is a key in hand when the account is on screen.
    let all = Tg::with(TelegramSettings::default(), None, 1, 1);
    let path = all.home.path();
    let deck = Start::new(env!("CARGO_BIN_EXE_pairdeck")).args(["--home".as_ref(), path.as_os_str()]).size(130, 45).spawn();
    deck::hands::wait_row(&deck, "ada", "logged out");
    until("the key in hand", || all.tg().counts().keys > 0);
    deck::hands::choose(&deck, "ada", "QR");
    all.tg().clear();
    deck.keys("<Enter>");
    until("a code", || all.tg().token().is_some());
    let there = all.tg().questions();
    println!("figure: telegram-qr where=deck round_trips={} questions={there:?}", there.len());
    // Perhaps the watch looked at the clock just then.
    assert!(there.len() <= 3 && there.last() == Some(&"auth.exportLoginToken"), "{there:?}");
}
