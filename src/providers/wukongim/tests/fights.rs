//! Two clients that fight over one flag, and accounts that only look like it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn fight(uid: &str, flag: u8, every: u64) -> UidSpec {
    let devices = ["iphone".to_owned(), "android".to_owned()];
    UidSpec { uid: uid.into(), fight: Some(FightSpec { flag, level: 1, devices, every: Duration::from_secs(every) }), ..UidSpec::default() }
}

#[tokio::test(start_paused = true)]
async fn a_fight_is_found_and_honest_accounts_are_not() {
    let s = Stage::plain(vec![
        fight("wang", 0, 20),
        fight("quick", 4, 4),
        user("honest", vec![device(0, 1, &["phone"]), device(1, 1, &["browser"])]),
        user("slaves", vec![device(0, 0, &["one", "two"])]),
        user("again", vec![device(0, 1, &["phone"])]),
    ])
    .await;
    watched(&s, async |board| {
        let conflict =
            |b: &Board, uid: &str, flag: u8| b.state(uid, Some(flag)) == Some(State::Conflict) && b.state(uid, None) == Some(State::Conflict);
        let begun = Instant::now();
        // Reconnects of honest devices, while the others fight.
        let mut turns = 0;
        while !(conflict(&board.lock().unwrap(), "wang", 0) && conflict(&board.lock().unwrap(), "quick", 4)) {
            assert!(
                begun.elapsed() < Duration::from_secs(180),
                "not found: {:?}",
                board.lock().unwrap().rows.values().map(|r| (&r.account, &r.label, &r.link)).collect::<Vec<_>>()
            );
            for (uid, flag, id) in [("honest", 0, "phone"), ("honest", 1, "browser"), ("again", 0, "phone"), ("slaves", 0, ["one", "two"][turns % 2])]
            {
                let token = s.im.token(uid, flag).unwrap();
                let old: Vec<u64> = s.im.online(uid).iter().filter(|c| c.flag == flag && c.device_id == id).map(|c| c.id).collect();
                old.into_iter().for_each(|c| s.im.hang_up(c));
                s.im.login(uid, flag, id, token.expose()).unwrap();
            }
            turns += 1;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let b = board.lock().unwrap();
        for uid in ["honest", "slaves", "again"] {
            assert!(b.rows.values().filter(|r| r.account.as_str() == uid).all(|r| r.link.state == State::Online), "{uid}");
        }
        let row = &b.rows[&("wang".to_owned(), Some("0".to_owned()))];
        let reason = row.link.reason.as_ref().unwrap();
        assert_eq!(reason.code, ReasonCode::FlagCollision);
        assert!(reason.raw.as_ref().unwrap().as_str().contains("iphone") && reason.raw.as_ref().unwrap().as_str().contains("android"));
        assert!(["displaced", "displaced_by", "displaced_at", "swaps"].iter().all(|k| fact(row, k).is_some()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_replaces_another_once_is_told_and_is_no_conflict() {
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["old-phone"])])]).await;
    watched(&s, async |board| {
        until(&board, "the list", |b| b.state("u1", Some(0)) == Some(State::Online)).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        s.im.login("u1", 0, "new-phone", s.im.token("u1", 0).unwrap().expose()).unwrap();
        let key = ("u1".to_owned(), Some("0".to_owned()));
        until(&board, "displaced", |b| b.rows.get(&key).and_then(|r| fact(r, "displaced")).is_some()).await;
        for _ in 0..60 {
            assert_eq!(board.lock().unwrap().state("u1", Some(0)), Some(State::Online));
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fight_is_found_off_screen_too_and_ends_when_one_gets_a_flag_of_its_own() {
    let s = Stage::plain(vec![user("u1", vec![device(0, 1, &["a"]), device(5, 1, &[])])]).await;
    s.seen.send_modify(|a| a.on_screen = false);
    let login = |flag, id: &str| s.im.login("u1", flag, id, s.im.token("u1", flag).unwrap().expose()).unwrap();
    watched(&s, async |board| {
        until(&board, "the list", |b| b.state("u1", Some(0)) == Some(State::Online)).await;
        for id in ["b", "a", "b", "a"] {
            tokio::time::sleep(Duration::from_secs(31)).await;
            login(0, id);
        }
        until(&board, "conflict", |b| b.state("u1", Some(0)) == Some(State::Conflict)).await;
        s.seen.send_modify(|a| a.on_screen = true);
        login(5, "b");
        until(&board, "peace", |b| b.state("u1", Some(0)) == Some(State::Online) && b.state("u1", None) == Some(State::Online)).await;
    })
    .await;
}
