//! A Telegram that means harm: every way of `sandbox::TelegramHostile`, while a key is made, while it is used, and against the real
//! program. Each ends in an error with a reason, in bounded time and memory, without a panic and without a secret.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    clock::sample::Interval,
    domain::Secret,
    providers::telegram::mtproto::{
        App, AuthKey, Connection, Error, Network, Options as How, RsaKey, WireError, create_key, probe,
        tl::functions::{account::GetAuthorizations, help::GetConfig},
    },
    sandbox::{Options, Part, Sandbox, TelegramAccount, TelegramHostile as Hostile, TelegramSession},
};
use std::{
    fs,
    sync::Mutex,
    time::{Duration, Instant},
};
use support::{
    house::spellings,
    tg::{OWNER, Tg},
};

/// What any of it may take: the limit of a call and of each step of an exchange is shorter.
const LONGEST: Duration = Duration::from_secs(60);
/// What all of it together may add to this process, servers included.
const MEMORY_KIB: u64 = 160 * 1024;
const SEEDS: usize = 2;

fn high_water_kib(status: &str) -> u64 {
    let status = fs::read_to_string(status).unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

async fn house(key: [u8; 256]) -> Sandbox {
    let session = TelegramSession { key: Some(Box::new(key)), age: Duration::from_secs(90_000), ..TelegramSession::default() };
    let owner = TelegramAccount { id: OWNER, name: "Ada".into(), dc: 4, sessions: vec![session], ..TelegramAccount::default() };
    let part = Part::Telegram(Box::default(), vec![owner]);
    Sandbox::with(vec![("tg".to_owned(), part)], &Options::default()).await.unwrap()
}

fn app() -> App {
    App { id: 12345, hash: Secret::new("CANARY-hash-c44e".into()), device: "pairdeck@test".into(), system: "Linux".into(), version: "1".into() }
}

/// Every key of the exchange and of the account that could leak, in an error's words.
fn keeps_secrets(key: &[u8; 256], said: &str) {
    let hex: String = key.iter().take(8).map(|b| format!("{b:02x}")).collect();
    assert!(!said.contains(&hex) && !said.contains("CANARY"), "{said}");
}

/// What one hostile way comes to for somebody who makes a key and for somebody who uses one.
async fn meet(how: Hostile, way: usize, seed: usize) -> Vec<(&'static str, Duration, Result<(), Error>)> {
    let key: [u8; 256] = std::array::from_fn(|i| if i < 2 { [way, seed][i] as u8 } else { (i * 7 + 3) as u8 });
    let house = house(key).await;
    let tg = house.telegram("tg").unwrap();
    let net = Network::own(tg.dcs(), vec![RsaKey::from_pem(tg.pem()).unwrap()]);
    let at = net.address(4).unwrap();
    tg.hostile(Some(how));
    let mut all = Vec::new();
    if how.in_exchange() {
        let begun = Instant::now();
        let probed = tokio::time::timeout(LONGEST, probe(&net, at)).await.unwrap_or_else(|_| panic!("{how:?}: the probe does not end"));
        all.push(("probe", begun.elapsed(), probed.map(drop)));
        let begun = Instant::now();
        let made = tokio::time::timeout(LONGEST, create_key(&net, at)).await.unwrap_or_else(|_| panic!("{how:?}: the exchange does not end"));
        all.push(("exchange", begun.elapsed(), made.map(drop)));
    }
    if how.in_stream() || !how.in_exchange() {
        let begun = Instant::now();
        let options = How { app: app(), salt: 0, clock: Interval::new(-1000, 1000) };
        let opened = Connection::open(&net, at, AuthKey::new(key), options).await;
        let call = async {
            let conn = opened?;
            let told = conn.invoke(&GetAuthorizations {}).await.map(drop);
            conn.close().await;
            told
        };
        let told = tokio::time::timeout(LONGEST, call).await.unwrap_or_else(|_| panic!("{how:?}: the call does not end"));
        all.push(("call", begun.elapsed(), told));
        assert!(tg.counts().packets < 60, "{how:?}: a storm of {:?}", tg.counts());
    }
    for (what, _, told) in &all {
        keeps_secrets(&key, &format!("{how:?} {what} {told:?}"));
    }
    // And it is no lasting harm: whoever was met by this may go on as soon as the server is right again.
    tg.hostile(None);
    create_key(&net, at).await.unwrap_or_else(|e| panic!("after {how:?}: {e}"));
    all
}

/// What does no harm because the client knows better.
fn harmless(how: Hostile, what: &str) -> bool {
    matches!((how, what), (Hostile::OldMessageId | Hostile::Replay, "call"))
        // The server's time comes before what is wrong with the group or the confirmation.
        || what == "probe" && matches!(how, Hostile::SmallGa | Hostile::WeakPrime | Hostile::WrongGenerator | Hostile::RetryForever | Hostile::WrongHash)
}

#[tokio::test]
async fn every_hostile_answer_is_an_error_with_a_reason_in_bounded_time_and_memory() {
    let before = high_water_kib("/proc/self/status");
    let ways: Vec<Hostile> = Hostile::ALL.into_iter().chain([Hostile::Replay]).collect();
    let case = async |how: Hostile, way: usize, seed: usize| {
        let task = tokio::spawn(meet(how, way, seed)).await;
        (how, seed, task.unwrap_or_else(|e| panic!("{how:?}: {e}")))
    };
    let (mut met, mut waiting) = (Vec::new(), Vec::new());
    for (way, how) in ways.iter().enumerate() {
        for seed in 0..SEEDS {
            // What ends by a limit of time runs side by side; one after the other the rest, which is measured.
            match how {
                Hostile::SlowBytes | Hostile::DeepUpdate => waiting.push(case(*how, way, seed)),
                _ => met.push(case(*how, way, seed).await),
            }
        }
    }
    met.extend(futures_util::future::join_all(waiting).await);
    let (mut cases, mut slowest) = (0, Duration::ZERO);
    for (how, seed, all) in met {
        for (what, took, told) in all {
            cases += 1;
            slowest = slowest.max(took);
            if seed == 0 {
                println!(
                    "{:<24} {what:<9} {:>6} ms  {}",
                    format!("{how:?}"),
                    took.as_millis(),
                    told.as_ref().map_or_else(ToString::to_string, |()| "harmless".into())
                );
            }
            match told {
                Ok(()) => assert!(harmless(how, what), "{how:?} {what}: it was believed"),
                Err(Error::Broken) => panic!("{how:?} {what}: something panicked inside"),
                Err(e) => assert!(!harmless(how, what) && !e.to_string().is_empty(), "{how:?} {what}: {e}"),
            }
        }
    }
    let more = high_water_kib("/proc/self/status").saturating_sub(before);
    println!("hostile-mtproto: ways={} cases={cases} panics=0 slowest_ms={} memory_kib={more}", ways.len(), slowest.as_millis());
    assert!(more < MEMORY_KIB, "{more} KiB");
}

#[tokio::test]
async fn a_server_that_hangs_up_at_any_byte_is_unreachable_and_nothing_worse() {
    let key: [u8; 256] = std::array::from_fn(|i| (i * 13 + 1) as u8);
    let house = house(key).await;
    let tg = house.telegram("tg").unwrap();
    let net = Network::own(tg.dcs(), vec![RsaKey::from_pem(tg.pem()).unwrap()]);
    let at = net.address(4).unwrap();
    // All bytes of the first answer, then every seventh one of what follows.
    let (mut cut, mut whole) = (0, 0);
    for byte in (0..100).chain((100..1000).step_by(7)) {
        tg.hostile(Some(Hostile::CloseAt(byte)));
        match probe(&net, at).await {
            Ok(_) => whole += 1,
            Err(Error::Wire(WireError::Closed | WireError::Io(_))) => cut += 1,
            Err(other) => panic!("at byte {byte}: {other}"),
        }
    }
    assert!(cut > 150, "{cut} {whole}");
    for byte in (0..400).step_by(3) {
        tg.hostile(Some(Hostile::CloseAt(byte)));
        let options = How { app: app(), salt: 0, clock: Interval::new(-1000, 1000) };
        let conn = Connection::open(&net, at, AuthKey::new(key), options).await.unwrap();
        let told = conn.invoke(&GetConfig {}).await.map(drop);
        assert!(matches!(told, Err(Error::Wire(WireError::Closed | WireError::Io(_)) | Error::Closed)), "at byte {byte}: {told:?}");
        conn.wait().await;
    }
    println!("hang-up: points={} in an exchange, 134 in a call", cut + whole);
}

/// The real program, logged in, meets each of them.
#[test]
fn the_program_says_what_is_wrong_with_a_hostile_telegram_and_stays_small() {
    let todo = Mutex::new(Hostile::ALL.into_iter().chain([Hostile::Replay]));
    let largest = Mutex::new(0);
    let work = || {
        let mut all = Tg::open(1, 1);
        let (hash, key) = all.seat(OWNER, "s1", 1);
        all.home.canary("CANARY-nothing-else");
        loop {
            let Some(how) = todo.lock().unwrap().next() else { break };
            all.tg().hostile(Some(how));
            let begun = Instant::now();
            let mut child = all.home.command(&["list", "--json"]).spawn().unwrap();
            let status = format!("/proc/{}/status", child.id());
            let mut peak = 0;
            while child.try_wait().unwrap().is_none() {
                peak = peak.max(high_water_kib(&status));
                assert!(begun.elapsed() < 2 * LONGEST, "{how:?}: it does not end");
                std::thread::sleep(Duration::from_millis(5));
            }
            let ran = all.home.finish(child);
            all.tg().hostile(None);
            assert!(ran.code >= 0 && !ran.stderr.contains("panicked"), "{how:?}: {ran:?}");
            let list = ran.json();
            let ada = list["accounts"].as_array().unwrap().iter().find(|a| a["name"] == "ada").unwrap().clone();
            let harmless = matches!(how, Hostile::Replay | Hostile::OldMessageId);
            // Its key is made: an exchange does not come up.
            let unmet = how.in_exchange() && !how.in_stream();
            if !harmless && !unmet {
                assert_ne!(ada["state"], "ready", "{how:?}: {ada}");
                let reason = &ada["reason"];
                assert!(!reason["text"].as_str().unwrap_or_default().is_empty(), "{how:?}: {ada}");
                assert!(!reason["remedy"].as_str().unwrap_or_default().is_empty(), "{how:?}: {ada}");
                println!("{:<22} {:>6} ms {:>7} KiB  {}: {}", format!("{how:?}"), begun.elapsed().as_millis(), peak, reason["code"], reason["text"]);
            }
            let mut most = largest.lock().unwrap();
            *most = peak.max(*most);
        }
        // The worker's session and the operator's were not harmed by any of it.
        assert!(all.tg().alive(key.0) && all.tg().devices(OWNER).iter().any(|d| d.hash == hash));
        assert!(!spellings("CANARY").is_empty());
        all.home.keeps_secrets();
    };
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(work);
        }
    });
    let most = *largest.lock().unwrap();
    println!("hostile-program: largest_kib={most}");
    assert!(most < 200 * 1024, "{most} KiB");
}

/// Names of sessions as an attacker chooses them: nothing of them moves the cursor, and none is drawn at full length.
#[test]
fn hostile_names_of_sessions_are_cleaned_and_cut() {
    let all = Tg::open(1, 1);
    let names = ["\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}evil", "\u{0}\r\nx\u{9b}31m", &"long ".repeat(20_000), "\u{200b}\u{feff}\u{2066}"];
    for name in names {
        let session = TelegramSession {
            device: name.to_owned(),
            app: name.to_owned(),
            platform: name.to_owned(),
            ip: name.to_owned(),
            country: name.to_owned(),
            ..TelegramSession::default()
        };
        all.tg().add_session(OWNER, &session).unwrap();
    }
    let ran = all.home.run(&["list", "--json"]).exits(0);
    let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}');
    let text = ran.json().to_string();
    let unescaped: Vec<char> =
        ran.json()["accounts"].as_array().unwrap().iter().flat_map(strings).flat_map(|s| s.chars().collect::<Vec<_>>()).collect();
    assert!(!unescaped.into_iter().any(bad), "{}", text.chars().take(2000).collect::<String>());
    assert!(text.len() < 60_000, "{} bytes", text.len());
    let plain = all.home.run(&["list"]).exits(0).stdout;
    assert!(!plain.chars().any(bad), "{plain:?}");
}

fn strings(v: &serde_json::Value) -> Vec<String> {
    match v {
        serde_json::Value::String(s) => vec![s.clone()],
        serde_json::Value::Array(a) => a.iter().flat_map(strings).collect(),
        serde_json::Value::Object(o) => o.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
