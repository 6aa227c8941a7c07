//! The watch, rows and looks against the sandbox's server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{domain::FactValue, providers::Attention};

fn words() -> Vec<UidSpec> {
    let wiped = DeviceSpec { flag: 1, wiped: true, ..DeviceSpec::default() };
    vec![
        user("lin", vec![device(0, 1, &["iphone"]), device(1, 0, &["chrome"]), device(2, 0, &[])]),
        user("chen", vec![device(0, 1, &[]), wiped.clone()]),
        user("zhao", vec![device(4, 0, &["pixel", "tablet"])]),
        user("gone", vec![wiped]),
        user("never", vec![]),
    ]
}

#[tokio::test(start_paused = true)]
async fn accounts_and_devices_are_listed_with_level_token_and_state() {
    let s = Stage::of(WukongSettings::default(), words(), |_, im, _| {
        im.uids = ["lin", "chen", "zhao", "gone", "never"].map(str::to_owned).to_vec();
        im.flags = vec![("Android".into(), 4)];
        im.plan = vec![config::PlanLine { platform: "Pixel".into(), flag: 4, master: false }];
        im.business = vec!["zhao".into()];
    })
    .await;
    let rows = s.all().await;
    let shown: Vec<String> = rows
        .iter()
        .map(|r| {
            format!(
                "{}{} {} {}",
                if r.device.is_some() { "  " } else { "" },
                r.label,
                r.identity.as_ref().map_or("-", |i| i.as_str()),
                r.link.state.name()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "lin 3 · APP WEB PC online",
            "  APP 0 master online",
            "  WEB 1 slave online",
            "  PC 2 slave offline",
            "chen 2 · APP WEB offline",
            "  APP 0 master offline",
            "  WEB 1 master logged_out",
            "zhao 1 · Android online",
            "  Android 4 slave online",
            "gone 1 · WEB offline",
            "  WEB 1 master logged_out",
            "never 0 offline",
        ]
    );
    let find = |uid: &str, flag: Option<u8>| rows.iter().find(|r| r.target().same(&s.target(uid, flag))).unwrap();
    assert_eq!(find("gone", Some(1)).link.reason.as_ref().unwrap().code, ReasonCode::TokenWiped);
    assert_eq!(find("gone", None).link.reason.as_ref().unwrap().code, ReasonCode::TokenWiped);
    assert_eq!(find("never", None).link.reason.as_ref().unwrap().code, ReasonCode::NeverIssued);
    let pixel = find("zhao", Some(4));
    assert_eq!(fact(pixel, "connections"), Some(&FactValue::Count(2)));
    assert_eq!(
        (fact(pixel, "business"), fact(pixel, "plan")),
        (Some(&FactValue::Flag(true)), Some(&FactValue::Text(crate::domain::Clean::new("Pixel"))))
    );
    assert!(find("lin", Some(2)).tokens[0].fingerprint.as_str().is_some() && find("gone", Some(1)).tokens.is_empty());
    let token = s.im.token("lin", 0).unwrap();
    assert!(!format!("{rows:?}").contains(token.expose()), "no row holds a token");
}

#[tokio::test(start_paused = true)]
async fn a_look_shows_one_row_and_a_token_is_revealed_to_who_asks_for_that_very_device() {
    let s = Stage::plain(words()).await;
    let Report::Part(rows) = WuKongIm.look(&s.cx, Some(&s.target("zhao", Some(4))), Look::Row).await.unwrap() else { panic!() };
    assert_eq!(rows.len(), 1);
    assert_eq!(fact(&rows[0], "device_id"), Some(&FactValue::Text(crate::domain::Clean::new("pixel, tablet"))));
    assert!(matches!(WuKongIm.look(&s.cx, Some(&s.target("zhao", Some(9))), Look::Row).await.unwrap(), Report::Gone(_)));
    let Report::Part(rows) = WuKongIm.look(&s.cx, Some(&s.target("lin", None)), Look::Row).await.unwrap() else { panic!() };
    assert_eq!(rows.len(), 4);
    assert!(matches!(WuKongIm.look(&s.cx, None, Look::Probe).await.unwrap(), Report::Alive(_)));
    let at = rows[1].target();
    let before = WuKongIm.reveal(&s.cx, &at).await.unwrap();
    assert_eq!(before.expose(), s.im.token("lin", 0).unwrap().expose());
    // The row outlives its token: a target pinned before is still the same device.
    s.im.issue("lin", 0, 1, "another-token-of-this-device").unwrap();
    assert_eq!(WuKongIm.reveal(&s.cx, &at).await.unwrap().expose(), "another-token-of-this-device");
    let other = Target { incarnation: Some("7".into()), ..at };
    assert_eq!(WuKongIm.reveal(&s.cx, &other).await.unwrap_err().code, ReasonCode::Foreign);
    assert_eq!(WuKongIm.reveal(&s.cx, &s.target("gone", Some(1))).await.unwrap_err().code, ReasonCode::TokenWiped);
}

#[tokio::test(start_paused = true)]
async fn the_watch_follows_logins_and_hang_ups() {
    let s = Stage::plain(words()).await;
    let why = watched(&s, async |board| {
        until(&board, "the list", |b| b.state("lin", Some(0)) == Some(State::Online)).await;
        assert!(board.lock().unwrap().facts.version.is_some());
        s.im.unlink("lin", Some(0));
        until(&board, "offline", |b| b.state("lin", Some(0)) == Some(State::Offline)).await;
        let token = s.im.token("chen", 0).unwrap();
        s.im.login("chen", 0, "mi", token.expose()).unwrap();
        until(&board, "online", |b| b.state("chen", None) == Some(State::Online)).await;
        // A device issued elsewhere shows after a refresh.
        s.im.issue("never", 7, 0, "a-token-for-a-new-device").unwrap();
        s.seen.send_modify(|a| a.refresh += 1);
        until(&board, "the new device", |b| b.state("never", Some(7)) == Some(State::Offline)).await;
        assert_eq!(board.lock().unwrap().rows[&("never".to_owned(), Some("7".to_owned()))].label.as_str(), "flag 7");
    })
    .await;
    assert_eq!(why.code, ReasonCode::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn the_account_under_the_cursor_shows_where_its_devices_connect_from() {
    let s = Stage::plain(words()).await;
    watched(&s, async |board| {
        until(&board, "the list", |b| b.state("zhao", Some(4)) == Some(State::Online)).await;
        assert_eq!(s.im.asked().0.iter().filter(|r| r.path.starts_with("/connz") && r.path.contains("uid=")).count(), 0);
        s.seen.send_modify(|a: &mut Attention| a.selected = Some(RemoteId::new("zhao")));
        let key = ("zhao".to_owned(), Some("4".to_owned()));
        until(&board, "device ids", |b| b.rows.get(&key).and_then(|r| fact(r, "device_id")).is_some()).await;
        assert!(["ip", "idle", "uptime", "connection_id"].iter().all(|k| fact(&board.lock().unwrap().rows[&key], k).is_some()));
        s.seen.send_modify(|a| a.selected = None);
        until(&board, "nothing stale", |b| b.rows.get(&key).is_some_and(|r| fact(r, "device_id").is_none())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_not_checked_and_open_ports_are_warned_of() {
    let off = WukongSettings { token_auth_on: false, manager_token: None, ..WukongSettings::default() };
    let s = Stage::of(off, vec![user("u1", vec![device(0, 1, &[])])], |im, settings, _| settings.manager_url = Some(im.manager_url())).await;
    watched(&s, async |board| {
        until(&board, "the list", |b| b.state("u1", None) == Some(State::Offline)).await;
        until(&board, "open", |b| b.warns(&w::WARN_OPEN) && b.warns(&w::WARN_GUEST)).await;
        assert!(!board.lock().unwrap().warns(&w::WARN_NOT_ENFORCED), "nothing tells it yet");
        s.im.login("u1", 7, "anybody", "").unwrap();
        until(&board, "not enforced", |b| b.warns(&w::WARN_NOT_ENFORCED)).await;
        until(&board, "why", |b| b.link("u1", Some(7)).and_then(|l| l.reason.as_ref()).is_some_and(|r| r.code == ReasonCode::ChecksOff)).await;
        s.im.unlink("u1", Some(7));
        until(&board, "a flag without a row goes when its session does", |b| b.link("u1", Some(7)).is_none()).await;
    })
    .await;
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["a"]), DeviceSpec { flag: 1, wiped: true, ..DeviceSpec::default() }])]).await;
    watched(&s, async |board| {
        // A wipe leaves the session listed for 2 s: that is no evidence.
        until(&board, "the list", |b| b.state("u1", Some(0)) == Some(State::Online)).await;
        s.im.quit("u1", 0);
        tokio::time::sleep(Duration::from_secs(700)).await;
        assert!(board.lock().unwrap().facts.warnings.is_empty(), "{:?}", board.lock().unwrap().facts.warnings);
        assert_eq!(board.lock().unwrap().state("u1", Some(0)), Some(State::LoggedOut), "device rows are read anew by themselves");
    })
    .await;
    assert_eq!(s.asked("/manager/login"), 0, "guest is tried only where a manager port is configured");
}

#[tokio::test(start_paused = true)]
async fn all_users_and_a_file_of_them_are_watched_and_the_file_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("uids.txt");
    std::fs::write(&file, "lin # the boss\n").unwrap();
    let s = Stage::of(WukongSettings::default(), words(), |_, im, _| {
        im.uids.clear();
        im.uids_file = Some(file.clone());
    })
    .await;
    watched(&s, async |board| {
        until(&board, "one", |b| b.rows.keys().all(|k| k.0 == "lin") && b.rows.len() == 4).await;
        std::fs::write(&file, "zhao\nchen\n").unwrap();
        until(&board, "two others", |b| b.link("lin", None).is_none() && b.state("zhao", None) == Some(State::Online)).await;
        std::fs::remove_file(&file).unwrap();
        until(&board, "why there are none", |b| b.warns(&w::WARN_UIDS_FILE)).await;
    })
    .await;
    let s = Stage::of(WukongSettings::default(), words(), |_, im, _| {
        im.uids.clear();
        im.all = true;
    })
    .await;
    assert_eq!(s.all().await.iter().filter(|r| r.device.is_none()).count(), s.im.accounts().len());
}

#[tokio::test(start_paused = true)]
async fn a_v3_beta_and_a_v1_are_watched_as_far_as_they_tell() {
    let v3 = WukongSettings { version: WukongVersion::V3, manager_token: None, ..WukongSettings::default() };
    let s = Stage::of(v3, words(), |_, _, _| {}).await;
    watched(&s, async |board| {
        until(&board, "live states", |b| b.state("zhao", Some(4)) == Some(State::Online)).await;
        until(&board, "warnings", |b| b.warns(&w::WARN_NOT_ENFORCED) && b.warns(&w::WARN_NO_DEVICES)).await;
    })
    .await;
    let v1 = WukongSettings { version: WukongVersion::V1, ..WukongSettings::default() };
    let s = Stage::of(v1, words(), |_, _, _| {}).await;
    watched(&s, async |board| {
        until(&board, "live states", |b| b.state("lin", Some(0)) == Some(State::Online)).await;
        until(&board, "warning", |b| b.warns(&w::WARN_NO_DEVICES)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_the_reason_when_nothing_is_told() {
    let s = Stage::plain(words()).await;
    let why = watched(&s, async |board| {
        until(&board, "the list", |b| !b.rows.is_empty()).await;
        s.im.peer_down(1);
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    assert_eq!(why.code, ReasonCode::ClusterPeer);
}
