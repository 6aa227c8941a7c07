//! Calls against the sandbox's server: credentials, reasons, generations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::api::{Api, Version};
use super::*;
use crate::sandbox::Fault;

fn code<T: std::fmt::Debug>(r: Result<T, Reason>) -> ReasonCode {
    r.expect_err("it fails").code
}
fn admin(secrets: &mut Secrets, password: &str) {
    secrets.insert("manager_user".into(), Secret::new("admin".into()));
    secrets.insert("manager_password".into(), Secret::new(password.into()));
}
fn with_admin() -> WukongSettings {
    let admin = Manager { name: "admin".into(), password: "CANARY-adminpwd".into(), permissions: "*:*".into() };
    WukongSettings { managers: vec![admin], ..WukongSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_manager_token_opens_everything_and_a_wrong_one_nothing() {
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["a"]), device(4, 0, &["b", "c"])])]).await;
    let api = Api::new(&s.cx).unwrap();
    assert!(matches!(api.version().await.unwrap(), Version::V2 { text: None, kick: true }));
    let mut online = api.online(&["u1", "ghost"]).await.unwrap();
    online.sort();
    assert_eq!(online.iter().map(|o| o.flag).collect::<Vec<_>>(), [0, 4, 4]);
    assert_eq!(api.devices("u1").await.unwrap().iter().map(|d| (d.flag, d.level)).collect::<Vec<_>>(), [(0, 1), (4, 0)]);
    assert_eq!(api.conns("u1").await.unwrap().len(), 3);
    assert_eq!(api.users().await.unwrap(), ["u1"]);
    api.health().await.unwrap();
    for (token, want) in [(Some("wrong"), ReasonCode::CredentialRefused), (None, ReasonCode::CredentialMissing)] {
        let s = Stage::of(WukongSettings::default(), vec![], |_, _, secrets| {
            secrets.clear();
            secrets.extend(token.map(|t| ("manager_token".to_owned(), Secret::new(t.to_owned()))));
        })
        .await;
        let api = Api::new(&s.cx).unwrap();
        assert_eq!((code(api.version().await), code(api.online(&["u1"]).await), code(api.health().await)), (want, want, want), "{token:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn uids_that_contain_each_other_are_kept_apart() {
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["a"])]), user("u11", vec![device(0, 1, &["b"])])]).await;
    let conns = Api::new(&s.cx).unwrap().conns("u1").await.unwrap();
    assert_eq!(conns.iter().map(|c| (&*c.uid, &*c.device_id)).collect::<Vec<_>>(), [("u1", "a")]);
}

#[tokio::test(start_paused = true)]
async fn a_uid_with_many_devices_is_listed_whole() {
    let s = Stage::plain(vec![user("u1", (0..=255).map(|f| device(f, 0, &[])).collect())]).await;
    let flags: Vec<u8> = Api::new(&s.cx).unwrap().devices("u1").await.unwrap().iter().map(|d| d.flag).collect();
    assert_eq!(flags, (0..=255).collect::<Vec<u8>>());
}

#[tokio::test(start_paused = true)]
async fn writes_are_judged_by_the_status_in_the_body() {
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["a"])]), UidSpec { uid: "bad".into(), ban: true, ..UidSpec::default() }]).await;
    let api = Api::new(&s.cx).unwrap();
    let token = Secret::new("CANARY-new-token".into());
    api.set_token("u1", &token, 5, 0).await.unwrap();
    assert_eq!(s.im.token("u1", 5).unwrap().expose(), token.expose());
    assert_eq!(code(api.set_token("bad", &token, 0, 1).await), ReasonCode::Banned);
    for uid in ["a@b", "____system"] {
        let why = api.set_token(uid, &token, 0, 1).await.unwrap_err();
        assert!(matches!(why.code, ReasonCode::BadTarget | ReasonCode::ServerRefused), "{why:?}");
        assert!(why.raw.is_some() && !format!("{why:?}").contains("CANARY"));
    }
    assert_eq!(code(api.quit("", 0).await), ReasonCode::BadTarget);
    api.quit("u1", 5).await.unwrap();
    assert_eq!(
        api.devices("u1").await.unwrap().iter().map(|d| (d.flag, d.level, d.token.is_some())).collect::<Vec<_>>(),
        [(0, 1, true), (5, 1, false)]
    );
    let conn = api.conns("u1").await.unwrap().remove(0);
    api.kick(&conn).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(api.online(&["u1"]).await.unwrap(), []);
    api.send_ban("u1", true).await.unwrap();
    assert_eq!(s.im.bans("u1"), (false, true));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_down_and_a_panic_are_named() {
    let s = Stage::plain(vec![user("u1", vec![])]).await;
    let api = Api::new(&s.cx).unwrap();
    s.im.peer_down(1);
    assert_eq!(code(api.online(&["u1"]).await), ReasonCode::ClusterPeer);
    assert_eq!(api.online(&["u1"]).await.unwrap(), []);
    for (fault, want) in [(Fault::Html, ReasonCode::WebPage), (Fault::Garbage, ReasonCode::Unintelligible)] {
        s.im.fault(fault, 1, Some("/cluster/devices"));
        assert_eq!(code(api.devices("u1").await), want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_reads_what_the_manager_port_offers_and_is_renewed() {
    let s = Stage::of(with_admin(), vec![user("u1", vec![device(0, 1, &["a"])])], |im, settings, secrets| {
        secrets.clear();
        admin(secrets, "CANARY-adminpwd");
        settings.manager_url = Some(im.manager_url());
    })
    .await;
    let api = Api::new(&s.cx).unwrap();
    assert!(matches!(api.version().await.unwrap(), Version::V2 { .. }));
    assert_eq!(api.devices("u1").await.unwrap().len(), 1);
    assert_eq!(api.conns("u1").await.unwrap().len(), 1);
    assert_eq!(s.asked("/manager/login"), 1, "one login serves all calls");
    // The API port takes no login.
    assert_eq!(code(api.online(&["u1"]).await), ReasonCode::CredentialRefused);
    tokio::time::sleep(Duration::from_secs(31 * 86_400)).await;
    assert_eq!(api.devices("u1").await.unwrap().len(), 1);
    assert_eq!(s.asked("/manager/login"), 2, "an old login is renewed before it is refused");
    let s = Stage::of(with_admin(), vec![], |im, settings, secrets| {
        secrets.clear();
        admin(secrets, "CANARY-wrong");
        settings.manager_url = Some(im.manager_url());
    })
    .await;
    let why = Api::new(&s.cx).unwrap().version().await.unwrap_err();
    assert_eq!(why.code, ReasonCode::CredentialRefused);
    assert!(why.raw.as_ref().unwrap().as_str().contains("用户名或密码错误") && !format!("{why:?}").contains("CANARY"));
}

#[tokio::test(start_paused = true)]
async fn each_generation_does_what_it_can_and_says_what_it_cannot() {
    let users = || vec![user("u1", vec![device(0, 1, &["a"]), device(4, 0, &["b"])])];
    let v1 = Stage::of(WukongSettings { version: WukongVersion::V1, ..WukongSettings::default() }, users(), |_, _, _| {}).await;
    let api = Api::new(&v1.cx).unwrap();
    assert_eq!(api.version().await.unwrap(), Version::V1);
    assert_eq!(api.online(&["u1"]).await.unwrap().len(), 2);
    assert_eq!(code(api.devices("u1").await), ReasonCode::NotInVersion);
    assert_eq!(code(api.users().await), ReasonCode::NotInVersion);
    let conn = api.conns("u1").await.unwrap().remove(0);
    assert_eq!(code(api.kick(&conn).await), ReasonCode::NotInVersion);
    let v3 = Stage::of(WukongSettings { version: WukongVersion::V3, manager_token: None, ..with_admin() }, users(), |im, settings, secrets| {
        secrets.clear();
        admin(secrets, "CANARY-adminpwd");
        settings.manager_url = Some(im.manager_url());
    })
    .await;
    let api = Api::new(&v3.cx).unwrap();
    assert_eq!(api.version().await.unwrap(), Version::V3);
    assert_eq!(api.online(&["u1"]).await.unwrap().len(), 2);
    let devices = api.devices("u1").await.unwrap();
    assert_eq!(devices.iter().map(|d| (d.flag, d.hidden, d.token.is_some())).collect::<Vec<_>>(), [(0, true, false)]);
    assert_eq!(api.devices("ghost").await.unwrap(), []);
    assert_eq!(api.users().await.unwrap(), ["u1"]);
    assert_eq!(api.newest_conns(10).await.unwrap().len(), 2);
    let conn = api.conns("u1").await.unwrap().remove(0);
    assert_eq!(code(api.kick(&conn).await), ReasonCode::NotInVersion);
    assert_eq!(code(api.devices_page(None).await), ReasonCode::NotInVersion);
    api.health().await.unwrap();
}
