//! What gotd's tests do not reach: salts, the life of tokens, floods, and the control API's half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    domain::Secret,
    providers::telegram::mtproto::{App, Connection, Error, KeyId, Network, Options as How, RsaKey, create_key, tl},
    sandbox::{Options, Part, Sandbox},
};
use serde_json::json;
use tl::{enums, functions as f};

const OWNER: i64 = 9;

async fn house(settings: TelegramSettings) -> Sandbox {
    let owner =
        TelegramAccount { id: OWNER, name: "Ada".into(), username: "ada".into(), phone: "123456789".into(), dc: 2, ..TelegramAccount::default() };
    Sandbox::with(vec![("tg".to_owned(), Part::Telegram(Box::new(settings), vec![owner]))], &Options::default()).await.unwrap()
}

async fn client(tg: &Telegram) -> Connection {
    let net = Network::own(tg.dcs(), vec![RsaKey::from_pem(tg.pem()).unwrap()]);
    let at = net.address(2).unwrap();
    let made = create_key(&net, at).await.unwrap();
    let app = App { id: APP.0, hash: Secret::new(APP.1.into()), device: "test".into(), system: "Linux".into(), version: "1".into() };
    Connection::open(&net, at, made.key, How { app, salt: made.salt, clock: made.clock.offset }).await.unwrap()
}

fn export(except_ids: &[i64]) -> f::auth::ExportLoginToken {
    f::auth::ExportLoginToken { api_id: APP.0, api_hash: APP.1.into(), except_ids: except_ids.to_vec() }
}

async fn token(c: &Connection, except: &[i64]) -> String {
    match c.invoke(&export(except)).await.unwrap() {
        enums::auth::LoginToken::Token(t) => qr::address(&t.token),
        _ => panic!("no token"),
    }
}

#[tokio::test]
async fn many_salts_are_served_each_valid_into_the_life_of_the_next_and_only_now_and_before() {
    let house = house(TelegramSettings::default()).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    c.invoke(&f::help::GetConfig {}).await.unwrap();
    let w = tg.inner.world();
    let key = &w.keys[&c.key().0];
    let salts = w.salts(key, 64);
    assert_eq!(salts.len(), 64);
    assert!(salts.windows(2).all(|s| s[0].1 == s[1].1 - 1800 && s[1].0 < s[0].1 && s[0].2 != s[1].2));
    assert!(w.salt_fits(key, salts[0].2) && !w.salt_fits(key, salts[1].2) && !w.salt_fits(key, 0));
    drop(w);
    tg.skew(Some(2000.0));
    let w = tg.inner.world();
    let key = &w.keys[&c.key().0];
    assert!(w.salt_fits(key, salts[0].2) && w.salt_fits(key, salts[1].2) && !w.salt_fits(key, salts[2].2));
}

#[tokio::test]
async fn a_token_lives_thirty_seconds_of_the_servers_time_and_each_refusal_has_its_name() {
    let house = house(TelegramSettings::default()).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    assert_eq!(tg.scan(OWNER, None), Err("there is no code to scan".to_owned()));
    let first = token(&c, &[]).await;
    tg.skew(Some(29.0));
    assert_eq!(tg.token().as_deref(), Some(first.as_str()));
    tg.skew(Some(31.0));
    assert_eq!(tg.scan(OWNER, Some(&first)), Err("AUTH_TOKEN_EXPIRED".to_owned()));
    tg.skew(None);
    let second = token(&c, &[]).await;
    assert_eq!(tg.scan(OWNER, Some(&first)), Err("AUTH_TOKEN_INVALIDX".to_owned()), "a new token ends the former");
    tg.scan(OWNER, Some(&second)).unwrap();
    assert_eq!(tg.scan(OWNER, Some(&second)), Err("AUTH_TOKEN_ALREADY_ACCEPTED".to_owned()));
    let other = client(tg).await;
    let third = token(&other, &[OWNER]).await;
    assert_eq!(tg.scan(OWNER, Some(&third)), Err("AUTH_TOKEN_EXCEPTION".to_owned()));
    assert_eq!(tg.scan(OWNER, Some("https://example.com")), Err("this is no login code of Telegram".to_owned()));
}

#[tokio::test]
async fn a_client_that_asks_for_tokens_without_pause_is_told_to_wait() {
    let house = house(TelegramSettings { exports_a_minute: 3, ..TelegramSettings::default() }).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    for _ in 0..3 {
        token(&c, &[]).await;
    }
    let wait = c.invoke(&export(&[])).await.map(drop).unwrap_err().flood().unwrap();
    assert!((1..=60).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn the_log_names_the_key_of_every_call() {
    let house = house(TelegramSettings::default()).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    token(&c, &[]).await;
    assert!(matches!(c.invoke(&f::account::GetAuthorizations {}).await, Err(Error::Rpc { code: 401, .. })));
    let calls: Vec<_> = tg.calls().into_iter().map(|x| (KeyId(x.key), x.dc, x.method, x.outcome)).collect();
    let key = c.key();
    assert_eq!(
        calls,
        [(key, 2, "auth.exportLoginToken", "ok".to_owned()), (key, 2, "account.getAuthorizations", "AUTH_KEY_UNREGISTERED".to_owned())]
    );
    let counted: Vec<_> = tg.requests().into_iter().map(|c| (c.path, c.count)).collect();
    assert_eq!(counted, [("account.getAuthorizations".to_owned(), 1), ("auth.exportLoginToken".to_owned(), 1)]);
}

#[tokio::test]
async fn outsiders_can_be_the_phone_the_owner_and_the_weather() {
    let house = house(TelegramSettings::default()).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    let shown = token(&c, &[]).await;
    assert_eq!(["9", "123456789", "+123456789", "ada", "@ada", "bob"].map(|n| tg.account(n)), [Some(9), Some(9), Some(9), Some(9), Some(9), None]);
    let (status, done) = tg.control_scan(OWNER, &json!({ "payload": shown }));
    assert_eq!((status, &done["ok"]), (200, &json!(true)), "{done}");
    assert!(matches!(c.invoke(&export(&[])).await.unwrap(), enums::auth::LoginToken::Success(_)));
    let who = tg.control_who();
    assert_eq!(who["accounts"][0]["sessions"][0]["hash"], done["hash"]);
    assert_eq!((&who["connected"][0]["account"], &who["connected"][0]["key"]), (&json!(9), &json!(c.key().to_string())));
    assert_eq!(tg.control_unlink(OWNER, &json!({ "hash": "17" })).0, 404);
    assert_eq!(tg.control_unlink(OWNER, &json!({ "hash": done["hash"] })).1["ended"], 1);
    assert_eq!(tg.control_fault("flood", Some(7), 1, Some("help.getConfig")).0, 200);
    let wait = c.invoke(&f::help::GetConfig {}).await.map(drop).unwrap_err().flood();
    assert_eq!(wait, Some(std::time::Duration::from_secs(7)));
    assert_eq!(tg.control_fault("lightning", None, 1, None).0, 400);
    assert_eq!(tg.control_log().len(), 3);
}

#[tokio::test]
async fn a_phone_that_scans_by_itself_does() {
    let settings = TelegramSettings { scans: Some((std::time::Duration::from_millis(50), OWNER)), ..TelegramSettings::default() };
    let house = house(settings).await;
    let tg = house.telegram("tg").unwrap();
    let c = client(tg).await;
    let mut updates = c.updates();
    token(&c, &[]).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), updates.recv()).await.unwrap().unwrap();
    assert!(matches!(c.invoke(&export(&[])).await.unwrap(), enums::auth::LoginToken::Success(_)));
}

#[tokio::test]
async fn the_password_of_the_second_step_is_announced_and_in_no_home() {
    let ada = TelegramAccount { id: 1, username: "ada".into(), password: Some("correct horse".into()), ..TelegramAccount::default() };
    let bob = TelegramAccount { id: 2, username: "bob".into(), ..TelegramAccount::default() };
    let parts = vec![("tg".into(), crate::sandbox::Part::Telegram(Box::default(), vec![ada, bob]))];
    let sandbox = crate::sandbox::Sandbox::with(parts, &crate::sandbox::Options::default()).await.unwrap();
    let said = sandbox.announce(None)["gateways"][0]["credentials"].clone();
    assert_eq!((&said["account/ada/password"], said.get("account/bob/password")), (&"correct horse".into(), None), "{said}");
    assert!(sandbox.gateways()[0].credentials.keys().all(|name| !name.ends_with("password")), "a login would not ask for it");
}
