//! The client against the sandbox, whose own judge is gotd's client (`tests/interop_gotd.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::sample::Interval,
    domain::{Clean, Secret},
    sandbox::{Options as House, Part, Sandbox, TELEGRAM_APP, Telegram, TelegramAccount, TelegramSettings},
};
use std::{future::Future, time::Duration};
use tl::{enums, functions as f};

const OWNER: i64 = 777_001;
const PASSWORD: &str = "correct horse";

fn owner() -> TelegramAccount {
    TelegramAccount { id: OWNER, name: "Ada".into(), phone: "5511990000001".into(), dc: 4, ..TelegramAccount::default() }
}

async fn house(settings: TelegramSettings, account: TelegramAccount) -> Sandbox {
    Sandbox::with(vec![("tg".to_owned(), Part::Telegram(Box::new(settings), vec![account]))], &House::default()).await.unwrap()
}

fn network(tg: &Telegram) -> Network {
    Network::own(tg.dcs(), vec![RsaKey::from_pem(tg.pem()).unwrap()])
}

fn app() -> App {
    App { id: TELEGRAM_APP.0, hash: Secret::new(TELEGRAM_APP.1.into()), device: "pairdeck@test".into(), system: "Linux".into(), version: "1".into() }
}

fn options(salt: i64, clock: Interval) -> Options {
    Options { app: app(), salt, clock }
}

/// A new key at `dc` and a connection with it.
async fn fresh(net: &Network, dc: i32) -> Connection {
    let at = net.address(dc).unwrap();
    let made = create_key(net, at).await.unwrap();
    Connection::open(net, at, made.key, options(made.salt, made.clock.offset)).await.unwrap()
}

async fn soon<T, F: Future<Output = T>>(what: F) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("nothing happens")
}

fn export() -> f::auth::ExportLoginToken {
    f::auth::ExportLoginToken { api_id: TELEGRAM_APP.0, api_hash: TELEGRAM_APP.1.into(), except_ids: Vec::new() }
}

fn this_dc(config: enums::Config) -> i32 {
    let enums::Config::Config(c) = config;
    c.this_dc
}

fn name<T>(r: Result<T, Error>) -> String {
    r.err().and_then(|e| e.name().map(str::to_owned)).unwrap_or_default()
}

#[tokio::test]
async fn a_probe_tells_the_servers_clock_and_leaves_no_key_behind() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    for skew in [0.0, 600.0, -600.0, 3600.0, -3600.0] {
        tg.skew(Some(skew));
        let found = probe(&net, net.start().unwrap()).await.unwrap();
        assert!(found.offset.contains((skew * 1000.0) as i64), "{skew} s: {found:?}");
        assert!(found.offset.half() < 10_000, "{found:?}");
    }
    assert_eq!((tg.counts().exchanges, tg.counts().keys, tg.counts().packets), (5, 0, 0));
}

#[tokio::test]
async fn keys_are_made_and_used_in_every_framing() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    for framing in [Framing::Full, Framing::Intermediate, Framing::Abridged, Framing::ObfuscatedIntermediate] {
        let net = Network { framing, ..network(tg) };
        let c = fresh(&net, 4).await;
        assert_eq!(this_dc(c.invoke(&f::help::GetConfig {}).await.unwrap()), 4, "{framing:?}");
        c.close().await;
    }
    assert_eq!(tg.counts().keys, 4);
}

#[tokio::test]
async fn a_server_with_another_rsa_key_or_another_number_is_refused() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let mut net = network(tg);
    let wrong = Address { dc: 4, at: net.address(2).unwrap().at };
    assert_eq!(create_key(&net, wrong).await.err(), Some(Error::Wire(WireError::WrongDc)));
    net.keys = RsaKey::production();
    assert_eq!(create_key(&net, net.start().unwrap()).await.err(), Some(Error::UnknownServerKey));
    assert_eq!(tg.counts().keys, 0);
}

/// Login by QR with a move to another data centre and a password, counted in packets.
async fn qr_login(skew: f64) {
    let house = house(TelegramSettings::default(), TelegramAccount { password: Some(PASSWORD.into()), ..owner() }).await;
    let tg = house.telegram("tg").unwrap();
    tg.skew(Some(skew));
    let net = network(tg);
    let c = fresh(&net, 2).await;
    let mut updates = c.updates();
    let enums::auth::LoginToken::Token(shown) = c.invoke(&export()).await.unwrap() else { panic!("a token") };
    // The life of a code in server time.
    let left = i64::from(shown.expires) * 1000 - (clock::host_ms() + c.offset().mid());
    assert!((15_000..=31_000).contains(&left), "{left} ms with a skew of {skew} s");
    let hash = tg.scan(OWNER, None).unwrap();
    assert_eq!(soon(updates.recv()).await.unwrap(), Update::LoginToken);
    let enums::auth::LoginToken::MigrateTo(to) = c.invoke(&export()).await.unwrap() else { panic!("another data centre") };
    assert_eq!(to.dc_id, 4);
    c.close().await;
    let c = fresh(&net, to.dc_id).await;
    let needed = c.invoke(&f::auth::ImportLoginToken { token: to.token }).await;
    assert_eq!(needed.err().and_then(|e| e.verdict()), Some(Verdict::PasswordNeeded));
    let asked = c.invoke(&f::account::GetPassword {}).await.unwrap();
    let wrong = answer_password(asked, &Secret::new("wrong".into())).await.unwrap();
    assert_eq!(name(c.invoke(&f::auth::CheckPassword { password: wrong.clone() }).await), "PASSWORD_HASH_INVALID");
    assert_eq!(name(c.invoke(&f::auth::CheckPassword { password: wrong }).await), "SRP_ID_INVALID");
    let asked = c.invoke(&f::account::GetPassword {}).await.unwrap();
    let right = answer_password(asked, &Secret::new(PASSWORD.into())).await.unwrap();
    c.invoke(&f::auth::CheckPassword { password: right }).await.unwrap();
    assert_eq!(tg.devices(OWNER).iter().map(|d| (d.hash, d.key)).collect::<Vec<_>>(), [(hash, Some(c.key().0))]);
    let enums::account::Authorizations::Authorizations(all) = c.invoke(&f::account::GetAuthorizations {}).await.unwrap();
    let enums::Authorization::Authorization(row) = &all.authorizations[0];
    assert_eq!((row.current, row.hash, row.device_model.as_str(), row.password_pending), (true, 0, "pairdeck@test", false));
    c.close().await;
    let counts = tg.counts();
    assert_eq!((counts.bad_time, counts.bad_other), (0, 0), "{counts:?}");
    assert!(counts.packets < 25, "no storm of requests: {counts:?}");
}

#[tokio::test]
async fn login_by_qr_moves_to_the_accounts_data_centre_and_asks_for_the_password() {
    qr_login(0.0).await;
}

#[tokio::test]
async fn ten_minutes_ahead_or_behind_the_qr_lives_as_long_and_no_request_is_wasted() {
    qr_login(600.0).await;
    qr_login(-600.0).await;
}

#[tokio::test]
async fn a_clock_that_was_believed_wrongly_costs_a_few_packets_and_not_thousands() {
    // Behind is 16, ahead is 17, which grammers' own sender never recovers from.
    for skew in [600.0, -600.0] {
        let house = house(TelegramSettings::default(), owner()).await;
        let tg = house.telegram("tg").unwrap();
        tg.skew(Some(skew));
        let net = network(tg);
        let at = net.address(4).unwrap();
        let made = create_key(&net, at).await.unwrap();
        let c = Connection::open(&net, at, made.key, options(made.salt, Interval::new(0, 0))).await.unwrap();
        assert_eq!(this_dc(c.invoke(&f::help::GetConfig {}).await.unwrap()), 4);
        assert!(c.offset().contains((skew * 1000.0) as i64), "{:?}", c.offset());
        let counts = tg.counts();
        assert!(counts.bad_time <= 3 && counts.packets < 10, "{skew} s: {counts:?}");
        c.close().await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_while_connected_is_followed_and_old_salts_are_replaced() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let c = fresh(&net, 4).await;
    c.invoke(&f::help::GetConfig {}).await.unwrap();
    for skew in [7200.0, 0.0, -900.0] {
        tg.skew(Some(skew));
        assert_eq!(this_dc(c.invoke(&f::help::GetConfig {}).await.unwrap()), 4, "{skew} s");
    }
    let counts = tg.counts();
    assert!(counts.packets < 30 && counts.bad_time <= 6, "{counts:?}");
    c.close().await;
}

#[tokio::test]
async fn a_server_whose_clock_runs_away_ends_the_connection_instead_of_a_storm() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let c = fresh(&net, 4).await;
    tg.run_away(true);
    let got = c.invoke(&f::help::GetConfig {}).await.map(drop);
    // Refused, or without an answer that could be believed: it depends on which packet the clock leapt at.
    assert!(matches!(got, Err(Error::Refused(16 | 17) | Error::Timeout(_))), "{got:?}");
    assert!(tg.counts().packets < 20, "{:?}", tg.counts());
}

#[tokio::test]
async fn every_fault_has_a_name_and_no_call_waits_for_ever() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let c = fresh(&net, 4).await;
    tg.flood("help.getConfig", 17, 1);
    assert_eq!(c.invoke(&f::help::GetConfig {}).await.err().and_then(|e| e.flood()), Some(Duration::from_secs(17)));
    assert_eq!(name(c.invoke(&f::account::GetAuthorizations {}).await), "AUTH_KEY_UNREGISTERED");
    let phone = f::auth::SendCode {
        phone_number: "5511990000001".into(),
        api_id: 1,
        api_hash: "no".into(),
        settings: enums::CodeSettings::Settings(code_settings()),
    };
    assert_eq!(name(c.invoke(&phone).await), "API_ID_INVALID");
    tg.mute(true);
    let limit = Duration::from_millis(300);
    assert_eq!(c.invoke_within(&f::help::GetConfig {}, limit).await.err(), Some(Error::Timeout(limit)));
    tg.heal();
    tg.too_many(1);
    let e = c.invoke(&f::help::GetConfig {}).await.unwrap_err();
    assert_eq!((e.flood(), e.ends_connection()), (Some(Duration::from_secs(60)), true), "{e:?}");
    assert_eq!(c.ended(), Some(e));
    let c = fresh(&net, 4).await;
    assert!(tg.forget(c.key().0));
    assert_eq!(c.invoke(&f::help::GetConfig {}).await.unwrap_err().verdict(), Some(Verdict::Unregistered));
    let c = fresh(&net, 4).await;
    c.invoke(&f::help::GetConfig {}).await.unwrap();
    tg.cut(None);
    assert!(matches!(soon(c.wait()).await, Error::Wire(_)));
    tg.down(4, true);
    assert!(matches!(create_key(&net, net.address(4).unwrap()).await, Err(Error::Wire(_))));
    assert!(probe(&net, net.address(2).unwrap()).await.is_ok(), "the others go on");
}

fn code_settings() -> tl::types::CodeSettings {
    tl::types::CodeSettings {
        allow_flashcall: false,
        current_number: false,
        allow_app_hash: false,
        allow_missed_call: false,
        allow_firebase: false,
        unknown_number: false,
        logout_tokens: None,
        token: None,
        app_sandbox: None,
    }
}

#[tokio::test]
async fn a_phone_code_is_asked_for_at_the_accounts_data_centre() {
    let house = house(TelegramSettings::default(), owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let ask = f::auth::SendCode {
        phone_number: "+55 11 99000-0001".into(),
        api_id: TELEGRAM_APP.0,
        api_hash: TELEGRAM_APP.1.into(),
        settings: enums::CodeSettings::Settings(code_settings()),
    };
    let c = fresh(&net, 2).await;
    let moved = c.invoke(&ask).await.map(drop).unwrap_err().moved();
    assert_eq!(moved, Some(Moved::Phone(4)));
    c.close().await;
    let c = fresh(&net, 4).await;
    let enums::auth::SentCode::Code(sent) = c.invoke(&ask).await.unwrap() else { panic!("a code") };
    let code = tg.code(OWNER).unwrap();
    let sign = |phone_code: String| f::auth::SignIn {
        phone_number: "5511990000001".into(),
        phone_code_hash: sent.phone_code_hash.clone(),
        phone_code: Some(phone_code),
        email_verification: None,
    };
    assert_eq!(name(c.invoke(&sign("x".into())).await), "PHONE_CODE_INVALID");
    c.invoke(&sign(code)).await.unwrap();
    assert!(tg.alive(c.key().0));
    c.close().await;
}

#[tokio::test]
async fn one_key_has_one_connection_in_this_process_and_is_free_after_close() {
    let house = house(TelegramSettings { grace: Duration::from_millis(50), ..TelegramSettings::default() }, owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let at = net.address(4).unwrap();
    let made = create_key(&net, at).await.unwrap();
    let open = || Connection::open(&net, at, made.key.clone(), options(made.salt, made.clock.offset));
    let first = open().await.unwrap();
    assert_eq!(open().await.err(), Some(Error::KeyInUse));
    first.invoke(&export()).await.unwrap();
    tg.scan(OWNER, None).unwrap();
    first.invoke(&export()).await.unwrap();
    // Handed over and back: no duplicate, because the former one is closed each time.
    let mut c = first;
    for _ in 0..3 {
        c.close().await;
        c = open().await.unwrap();
        c.invoke(&f::users::GetUsers { id: vec![enums::InputUser::UserSelf] }).await.unwrap();
    }
    assert!(tg.alive(made.key.id().0));
    c.close().await;
}

#[tokio::test]
async fn other_sessions_are_ended_after_the_first_day_only_and_new_ones_are_announced() {
    let house = house(TelegramSettings { unconfirmed: true, ..TelegramSettings::default() }, owner()).await;
    let tg = house.telegram("tg").unwrap();
    let net = network(tg);
    let boss = fresh(&net, 4).await;
    boss.invoke(&export()).await.unwrap();
    tg.scan(OWNER, None).unwrap();
    boss.invoke(&export()).await.unwrap();
    let mut news = boss.updates();
    let worker = fresh(&net, 4).await;
    let enums::auth::LoginToken::Token(shown) = worker.invoke(&export()).await.unwrap() else { panic!("a token") };
    let enums::Authorization::Authorization(row) = boss.invoke(&f::auth::AcceptLoginToken { token: shown.token }).await.unwrap();
    assert!(row.unconfirmed && row.hash != 0);
    worker.invoke(&export()).await.unwrap();
    let told = Update::NewDevice { hash: row.hash, unconfirmed: true, device: Some(Clean::new("pairdeck@test")) };
    assert_eq!(soon(news.recv()).await.unwrap(), told);
    let end = f::account::ResetAuthorization { hash: row.hash };
    let e = boss.invoke(&end).await.unwrap_err();
    assert_eq!(e, Error::Rpc { code: 406, name: Clean::new("FRESH_RESET_AUTHORISATION_FORBIDDEN") });
    assert!(!e.ends_connection());
    tg.age(OWNER, Duration::from_secs(86_400));
    boss.invoke(&end).await.unwrap();
    let e = worker.invoke(&f::users::GetUsers { id: vec![enums::InputUser::UserSelf] }).await.map(drop).unwrap_err();
    assert_eq!(e.verdict(), Some(Verdict::Unregistered));
    tg.deactivate(OWNER, true);
    let e = boss.invoke(&f::account::GetAuthorizations {}).await.map(drop).unwrap_err();
    assert_eq!(e.verdict(), Some(Verdict::Deactivated));
    boss.close().await;
    worker.close().await;
}
