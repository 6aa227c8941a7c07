//! Telegram on a real deck: from the QR over two data centres and the second step to devices, new slots, a copy that is a conflict, and
//! a slot that gets a key of its own again.

use super::{
    hands::{choose, press, row, select, wait_row},
    house::House,
};
use crate::support::{eye, pty::Pty};
use pairdeck::{
    providers::telegram::{
        KeyId,
        session::{Format, Patience, read},
    },
    sandbox::{Part, Telegram, TelegramAccount, TelegramSession},
};
use std::{fs, path::Path, time::Duration};

const OWNER: i64 = 9;
const PASSWORD: &str = "CANARY-second-step-17";

fn house() -> House {
    let session = |device: &str, app: &str, unconfirmed| TelegramSession {
        device: device.into(),
        app: app.into(),
        age: Duration::from_secs(40 * 3600),
        unconfirmed,
        ..TelegramSession::default()
    };
    let ada = TelegramAccount {
        id: OWNER,
        name: "Ada".into(),
        username: "ada".into(),
        phone: "5511999990001".into(),
        dc: 4,
        password: Some(PASSWORD.into()),
        sessions: vec![session("Pixel", "Android", false), session("Stranger", "Desktop", true)],
        ..TelegramAccount::default()
    };
    House::servers(vec![("tg".to_owned(), Part::Telegram(Box::default(), vec![ada]))])
}

fn tg(house: &House) -> &Telegram {
    house.sandbox.telegram("tg").unwrap()
}

fn open(house: &House) -> Pty {
    let pty = house.deck().size(120, 40).spawn();
    wait_row(&pty, "ada", "logged out");
    pty
}

/// Logs in; the phone scans the code from the screen.
fn log_in(house: &House, pty: &Pty) {
    choose(pty, "ada", "QR");
    pty.keys("<Enter>");
    let payload = pty.wait_for_qr();
    tg(house).scan(OWNER, Some(&payload)).unwrap();
    pty.wait_for("Password of the second step");
    pty.keys(&format!("{PASSWORD}<Enter>"));
    pty.wait_for("PAIRED  ada is logged in here");
    pty.keys("<Enter>");
    wait_row(pty, "ada", "ready");
}

fn unfold(pty: &Pty) {
    select(pty, "ada");
    let line = pty.wait_until("its devices", |s| row(s, "ada").filter(|l| l.contains(['▸', '▾'])));
    if line.contains('▸') {
        pty.keys("l");
    }
    pty.wait_for("Stranger");
}

fn lies(path: &Path) -> Option<KeyId> {
    read(path, Format::Gotd, Patience::default()).ok().map(|f| f.session.key.id())
}

/// Makes a slot by `p` on the account, and gives the password that it asks for.
fn new_slot(pty: &Pty, name: &str, file: &Path) {
    select(pty, "ada");
    press(pty, "p", "the form of a new slot", |s| s.contents().contains("Name of the slot").then_some(()));
    pty.keys(&format!("{name}<Tab>"));
    pty.paste(file.to_str().unwrap());
    pty.keys("<Enter>");
    pty.wait_for("hint: sandbox");
    pty.keys(&format!("{PASSWORD}<Enter>"));
    wait_row(pty, name, "offline");
}

#[test]
fn a_code_from_the_screen_logs_in_over_two_data_centres_with_the_second_step_and_the_devices_are_listed() {
    let house = house();
    let pty = open(&house);
    choose(&pty, "ada", "QR");
    pty.keys("<Enter>");
    let payload = pty.wait_for_qr();
    eye::assert_style_that_scans(&pty.screen());
    assert!(payload.starts_with("tg://login?token="), "{payload}");
    assert_eq!(tg(&house).scan(OWNER, Some("tg://login?token=AAAA")).unwrap_err(), "AUTH_TOKEN_INVALIDX", "a phone refuses another code");
    tg(&house).scan(OWNER, Some(&payload)).unwrap();
    pty.wait_for("Password of the second step");
    pty.wait_until("that nothing to scan is left", |s| eye::qr_cells(s).is_empty().then_some(()));
    pty.keys("not this one<Enter>");
    pty.wait_for("wrong 1×");
    pty.keys(&format!("{PASSWORD}<Enter>"));
    pty.wait_for("PAIRED  ada is logged in here");
    assert!(!pty.text().contains("token is kept"), "{}", pty.text());
    let dcs: Vec<i32> = tg(&house).calls().iter().map(|c| c.dc).collect();
    assert!(dcs.contains(&2) && dcs.contains(&4), "{dcs:?}");
    pty.keys("<Enter>");
    wait_row(&pty, "ada", "ready");
    unfold(&pty);
    wait_row(&pty, "Stranger", "unconfirmed");
    let own = pty.wait_until("its own row", |s| s.rows(0, 120).find(|l| l.contains("pairdeck@")));
    assert!(own.contains("ready") && own.split('│').next().unwrap().trim_end().ends_with("own"), "{own}");
    assert!(!pty.text().contains(" online"), "Telegram never says online\n{}", pty.text());
    select(&pty, "Stranger");
    let day = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap().to_string();
    pty.wait_for(&format!("Ends from  {}", &day[..10]));
    pty.assert_never_wrote(PASSWORD);
}

#[test]
fn a_code_is_on_screen_after_at_most_three_questions_and_answers() {
    let house = house();
    let pty = open(&house);
    choose(&pty, "ada", "QR");
    // What a watch does by itself is done by now.
    house_is_quiet(&house);
    let (before, calls) = (tg(&house).counts(), tg(&house).calls().len());
    pty.keys("<Enter>");
    pty.wait_for_qr();
    let (after, asked) = (tg(&house).counts(), tg(&house).calls()[calls..].to_vec());
    // A key takes three, a look at the clock two, a call one.
    let (keys, looks) = (after.keys - before.keys, (after.exchanges - before.exchanges) - (after.keys - before.keys));
    let trips = 3 * keys + 2 * looks + u64::try_from(asked.len()).unwrap() + (after.bad_salt - before.bad_salt) + (after.bad_time - before.bad_time);
    assert!(trips <= 3, "{trips} questions: {keys} keys, {looks} looks, {asked:?}");
    println!("QR on screen after {trips} questions and answers: {keys} keys, {looks} looks at the clock, {} calls", asked.len());
}

/// Waits until a key is in hand and no more is asked.
fn house_is_quiet(house: &House) {
    let until = std::time::Instant::now() + crate::support::deadline();
    while tg(house).counts().keys == 0 {
        assert!(std::time::Instant::now() < until, "no key was made: {:?}", tg(house).counts());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_workers_on_one_key_are_a_conflict_on_the_deck_until_one_gets_a_key_of_its_own() {
    let house = house();
    let workers = house.home.path().join("workers");
    fs::create_dir(&workers).unwrap();
    let (orders, mailer) = (workers.join("orders.json"), workers.join("mailer.json"));
    let pty = open(&house);
    log_in(&house, &pty);
    unfold(&pty);
    new_slot(&pty, "orders", &orders);
    new_slot(&pty, "mailer", &mailer);
    let config = fs::read_to_string(house.home.path().join("config.toml")).unwrap();
    assert!(config.contains("orders.json") && config.contains("mailer.json"), "{config}");
    let (first, second) = (lies(&orders).unwrap(), lies(&mailer).unwrap());
    assert_ne!(first, second);
    // Somebody copies one over the other.
    fs::copy(&orders, &mailer).unwrap();
    wait_row(&pty, "orders", "conflict");
    wait_row(&pty, "mailer", "conflict");
    wait_row(&pty, "ada", "conflict");
    select(&pty, "mailer");
    pty.wait_for("One key in several places");
    // A key of its own: waits for Enter, because the worker's session is lost.
    press(&pty, "r", "what is lost", |s| s.contents().contains("REGENERATE").then_some(()));
    std::thread::sleep(Duration::from_millis(400));
    pty.keys("<Enter>");
    pty.wait_for("hint: sandbox");
    pty.keys(&format!("{PASSWORD}<Enter>"));
    wait_row(&pty, "mailer", "offline");
    wait_row(&pty, "orders", "offline");
    wait_row(&pty, "ada", "ready");
    let third = lies(&mailer).unwrap();
    assert!(third != first && third != second && lies(&orders) == Some(first));
    let alive = |k: KeyId| tg(&house).alive(k.0);
    assert!(alive(third) && alive(first));
    // The sandbox ends the key that two use; nobody did, and no worker's key ever connected from here after it was handed over.
    assert!(!tg(&house).calls().iter().any(|c| c.outcome.contains("DUPLICATED")));
    pty.assert_never_wrote(PASSWORD);
}

#[test]
fn an_account_is_added_on_the_deck_with_its_hash_unseen_and_its_servers_asked_first() {
    let house = house();
    let keys = house.home.path().join("servers.pem");
    fs::write(&keys, tg(&house).pem()).unwrap();
    let pty = open(&house);
    press(&pty, "a", "the form", |s| s.contents().contains("add a gateway").then_some(()));
    pty.keys("<Up>");
    for _ in 0..6 {
        pty.keys("<Right>");
    }
    pty.wait_for("‹Telegram›");
    let dcs: Vec<_> = tg(&house).dcs().iter().map(|(dc, at)| format!("{dc}={at}")).collect();
    let secret = "0123456789abcdef0123456789abcdef";
    for text in ["tg2", "shop", "no number", secret, "", "", &dcs.join(","), keys.to_str().unwrap()] {
        pty.keys("<Tab>");
        if !text.is_empty() {
            pty.paste(text);
        }
    }
    pty.keys("<Enter>");
    pty.wait_for("a whole number");
    assert!(!house.home.path().join("config.toml").metadata().unwrap().is_dir());
    for _ in 0..5 {
        pty.keys("<Up>");
    }
    pty.keys("<C-u>12345<Enter>");
    pty.wait_for("Gateway tg2 added");
    wait_row(&pty, "shop", "logged out");
    pty.assert_never_wrote(secret);
    let text = fs::read_to_string(house.home.path().join("config.toml")).unwrap();
    assert!(text.contains("[gateway.tg2.account.shop]") && !text[text.find("[gateway.tg2]").unwrap()..].contains(secret), "{text}");
    // It can be logged in to at once.
    choose(&pty, "shop", "QR");
    pty.keys("<Enter>");
    pty.wait_for_qr();
}

#[test]
fn slots_that_another_process_makes_or_a_person_writes_into_the_file_appear_in_an_open_deck_and_go_again() {
    let house = house();
    let pty = open(&house);
    log_in(&house, &pty);
    unfold(&pty);
    // What a script needs to make a slot while the deck has the account.
    let (secret, folder) = (house.home.path().join("second-step"), house.home.path().join("workers"));
    fs::write(&secret, PASSWORD).unwrap();
    fs::create_dir_all(&folder).unwrap();
    let (code, _) = house.headless(&["secret", "set", "tg:ada", "--name", "password", "--file", secret.to_str().unwrap()]);
    assert_eq!(code, 0);
    fs::remove_file(&secret).unwrap();
    select(&pty, "Stranger");
    let file = folder.join("orders.json");
    let (code, said) = house.headless(&["pair", "tg:ada", "--slot", "orders", "--file", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    wait_row(&pty, "orders", "offline");
    // By hand, and with nobody logged in to it yet.
    let config = house.home.path().join("config.toml");
    let before = fs::read_to_string(&config).unwrap();
    let added = format!("{before}\n[gateway.tg.account.ada.slot.bills]\nfile = {:?}\n", folder.join("bills.json"));
    fs::write(&config, added).unwrap();
    wait_row(&pty, "bills", "logged out");
    let cursor = pty.wait_until("the cursor", |s| (0..40).find_map(|y| s.rows(0, 120).nth(y).filter(|l| l.starts_with('▌'))));
    assert!(cursor.contains("Stranger"), "the cursor moved: {cursor}");
    fs::write(&config, before).unwrap();
    pty.wait_until("the slot to go", |s| row(s, "bills").is_none_or(|l| l.contains("gone")).then_some(()));
    wait_row(&pty, "orders", "offline");
    wait_row(&pty, "ada", "ready");
    assert!(lies(&file).is_some() && tg(&house).devices(OWNER).len() == 4, "{:?}", tg(&house).devices(OWNER));
}
