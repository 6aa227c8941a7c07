//! Five thousand accounts: how many requests, how many rows made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn crowd() -> Vec<UidSpec> {
    (0..5_000).map(|n| user(&format!("u{n}"), vec![device(0, 1, if n % 2 == 0 { &["phone"] } else { &[] })])).collect()
}

#[tokio::test(start_paused = true)]
async fn five_thousand_accounts_cost_five_batches_an_interval() {
    let s = Stage::plain(crowd()).await;
    watched(&s, async |board| {
        until(&board, "the list", |b| b.rows.len() == 10_000).await;
        let opened = s.asked("/cluster/devices");
        assert!(opened <= 8, "devices are read by pages: {opened}");
        s.im.clear_requests();
        let (polls, before) = (12, board.lock().unwrap().reports);
        tokio::time::sleep(SPEC.poll_seen * polls).await;
        let batches = s.asked("/user/onlinestatus");
        assert!((5 * 11..=5 * 13).contains(&batches), "{batches} batches in {polls} intervals");
        assert!(s.asked("/connz") <= 7 && s.asked("/cluster") == 0, "{} looks", s.asked("/connz"));
        let told = board.lock().unwrap().reports - before;
        assert!(told <= 14, "nothing changed, and {told} reports were sent");
        s.seen.send_modify(|a| a.on_screen = false);
        tokio::time::sleep(Duration::from_secs(4)).await;
        s.im.clear_requests();
        tokio::time::sleep(SPEC.poll_unseen * 4).await;
        assert!(s.asked("/user/onlinestatus") <= 5 * 5, "seldom while nobody looks");
        s.im.unlink("u4000", Some(0));
        until(&board, "one of them offline", |b| b.state("u4000", None) == Some(State::Offline)).await;
    })
    .await;
}
