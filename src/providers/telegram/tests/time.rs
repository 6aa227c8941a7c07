//! Minutes and hours in milliseconds: tokio's clock is paused and moved by hand, the sandbox's clock follows it, and this host's stands
//! ten minutes beside it.

use super::*;
use crate::{
    domain::State,
    sandbox::{Clock, TelegramSession},
};
use tokio::time::Instant;

const TEN_MINUTES_MS: i64 = 600_000;

/// While this is held, time stands still until somebody moves it: sockets are not outrun by timers.
struct Still(#[allow(dead_code)] std::sync::mpsc::Sender<()>);

impl Drop for Still {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

fn stand_still() -> Still {
    tokio::time::pause();
    let (tx, rx) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || rx.recv());
    Still(tx)
}

/// What is under way comes to its end; no time passes.
async fn settle() {
    for _ in 0..3 {
        // A thread of its own takes the moment: meanwhile the runtime waits on its sockets and on nothing else.
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
    }
}

/// While keys are made: this machine's own time, about. Afterwards longer steps, still shorter than anything that is waited for.
const SLOW: Duration = Duration::from_millis(5);
const QUICK: Duration = Duration::from_secs(1);

/// Lets time pass, step by step, as long as `what` takes.
async fn pass<T>(step: Duration, what: impl Future<Output = T>) -> T {
    let steps = async {
        loop {
            settle().await;
            tokio::time::advance(step).await;
        }
    };
    tokio::select! {
        biased;
        out = what => out,
        () = steps => unreachable!("it goes on for ever"),
    }
}

async fn stage(skew_ms: i64, accounts: Vec<TelegramAccount>) -> Stage {
    let now = jiff::Timestamp::now().as_millisecond();
    let options = Options { clock: Clock::virtual_from(now), ..Options::default() };
    Stage::at_clock(TelegramSettings { skew_ms, ..TelegramSettings::default() }, accounts, &options).await
}

fn count(stage: &Stage, method: &str) -> usize {
    stage.tg().calls().iter().filter(|c| c.method == method).count()
}

#[tokio::test]
async fn ten_minutes_of_a_code_on_screen_cost_one_export_each_27_seconds_whatever_this_hosts_clock_shows() {
    for skew_ms in [-TEN_MINUTES_MS, TEN_MINUTES_MS] {
        let stage = stage(skew_ms, vec![owner(None)]).await;
        let _still = stand_still();
        let at = stage.at("shop");
        let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
        let mut pairing = stage.provider.pair(&stage.cx, &at, want).await.unwrap();
        let begun = Instant::now();
        // When a code came, and when it dies, on the clock that is moved.
        let mut codes: Vec<(Instant, Instant)> = Vec::new();
        while begun.elapsed() < Duration::from_secs(600) {
            let step = if codes.is_empty() { SLOW } else { QUICK };
            let event = pass(step, pairing.next(&stage.cx, None)).await;
            match event {
                PairEvent::Offer(offer) => {
                    let offer = offer.into_inner();
                    let life = offer.dies.since(offer.issued.boot_now());
                    assert!((Duration::from_secs(28)..=Duration::from_secs(30)).contains(&life), "{skew_ms}: {life:?}");
                    codes.push((Instant::now(), Instant::now() + life));
                }
                PairEvent::Waiting(_) => {}
                other => panic!("{skew_ms}: {other:?}"),
            }
        }
        assert!(codes.windows(2).all(|w| w[1].0 < w[0].1), "{skew_ms}: a dead code stayed on screen: {codes:?}");
        let (exports, counts) = (count(&stage, "auth.exportLoginToken"), stage.tg().counts());
        assert_eq!(exports, codes.len(), "{skew_ms}: each export was shown");
        assert!((21..=25).contains(&exports), "{skew_ms}: {exports} exports");
        assert_eq!((counts.connections, counts.keys, counts.bad_salt, counts.bad_other), (2, 1, 0, 0), "{skew_ms}: {counts:?}");
        // This host's clock stands while the server's goes on: each five minutes that is found out once.
        assert!(counts.bad_time <= 2, "{skew_ms}: {counts:?}");
        assert!(counts.packets < 3 * exports as u64 + 30, "{skew_ms}: {counts:?}");
    }
}

#[tokio::test]
async fn a_watch_that_is_told_to_wait_waits_and_then_asks_once() {
    let mut stage = stage(0, vec![owner(None)]).await;
    stage.log_in().await;
    let _still = stand_still();
    stage.tg().flood("account.getAuthorizations", 240, 1);
    stage.tg().clear();
    let (tx, mut rx) = tokio::sync::mpsc::channel(64);
    let watching = stage.provider.watch(&stage.cx, tx);
    let story = async {
        let mut asked: Vec<Duration> = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(900) {
            settle().await;
            while rx.try_recv().is_ok() {}
            let now = count(&stage, "account.getAuthorizations");
            asked.resize(now, begun.elapsed());
            tokio::time::advance(if now > 0 { QUICK } else { SLOW }).await;
        }
        asked
    };
    let asked = tokio::select! {
        why = watching => panic!("{why:?}"),
        asked = story => asked,
    };
    assert_eq!(stage.tg().calls().first().map(|c| c.outcome.clone()).as_deref(), Some("FLOOD_WAIT_240"));
    assert!(asked[1] >= Duration::from_secs(240) && asked[1] < Duration::from_secs(250), "{asked:?}");
    // Unseen it is asked each five minutes from then on.
    assert!((2..=4).contains(&asked.len()), "{asked:?}");
    // Each jump of five minutes is longer than the server's patience: the line is made anew, once a look.
    assert!(stage.tg().counts().connections <= 8, "{:?}", stage.tg().counts());
}

#[tokio::test]
async fn an_account_whose_server_says_nothing_delays_nobody_elses_rows() {
    let mut stage = super::reach::both().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (dc, at) in &mut Arc::make_mut(&mut stage.cx.settings).telegram.dcs {
        if *dc == 4 {
            *at = silent.local_addr().unwrap();
        }
    }
    let _still = stand_still();
    stage._seen.send_modify(|s| s.on_screen = true);
    stage.tg().clear();
    let (tx, mut rx) = tokio::sync::mpsc::channel(64);
    let watching = stage.provider.watch(&stage.cx, tx);
    let begun = Instant::now();
    let state = |rows: &[Row], account: &str| rows.iter().find(|r| r.account.as_str() == account && r.device.is_none()).map(|r| r.link.state);
    let story = async {
        let (mut first, mut lost) = (None, 0);
        // When the bot was asked, and when the silent one was found to be silent.
        let (mut asked, mut found): (Vec<Duration>, Option<Duration>) = (Vec::new(), None);
        while begun.elapsed() < Duration::from_secs(100) {
            settle().await;
            while let Ok(report) = rx.try_recv() {
                let (rows, unasked) = match report {
                    Report::All { rows, .. } => (rows, Vec::new()),
                    Report::AllBut { rows, unasked } => (rows, unasked),
                    Report::Lost { .. } => {
                        lost += 1;
                        continue;
                    }
                    _ => continue,
                };
                assert_eq!(state(&rows, "robot"), Some(crate::domain::State::Ready));
                assert_eq!(unasked, [RemoteId::new("shop")], "what was known of the silent one is dropped");
                first.get_or_insert(begun.elapsed());
                if state(&rows, "shop").is_some() {
                    found.get_or_insert(begun.elapsed());
                }
            }
            asked.resize(count(&stage, "users.getUsers"), begun.elapsed());
            tokio::time::advance(if first.is_some() { Duration::from_millis(250) } else { SLOW }).await;
        }
        (first, found, asked, lost)
    };
    let (first, found, asked, lost) = tokio::select! {
        why = watching => panic!("{why:?}"),
        told = story => told,
    };
    assert!(first.is_some_and(|at| at < Duration::from_secs(2)), "the bot's row came after {first:?}");
    assert!(found.is_some_and(|at| at >= ask::PATIENCE), "{found:?}");
    assert_eq!(lost, 0, "somebody was heard all the time");
    // Each 30 seconds, whatever the other one does: in one that had waited each round would be eight seconds late.
    let asked: Vec<_> = asked.into_iter().filter(|at| *at > Duration::from_secs(1)).collect();
    let late = asked.iter().zip([30, 60, 90]).map(|(is, due)| is.saturating_sub(Duration::from_secs(due))).max();
    assert!(asked.len() == 3 && late.is_some_and(|l| l < Duration::from_secs(4)), "{asked:?}");
}

/// More silent accounts than are asked side by side stand before the one that answers.
async fn many_silent() -> (Stage, tokio::net::TcpListener) {
    let mut stage = super::reach::both().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let many = 2 * ask::AT_ONCE + 1;
    for n in 0..many {
        let name = format!("still{n}");
        let key = mtproto::AuthKey::new([u8::try_from(n).unwrap() + 100; 256]);
        let operator = operator::Operator { dc: 4, key, salt: 1, user: 1000 + i64::try_from(n).unwrap(), bot: false };
        let hash = Secret::new(sandbox::TELEGRAM_APP.1.to_owned());
        stage.commit(&name, Secrets::from([(setup::OPERATOR.to_owned(), operator.to_secret()), (setup::API_HASH.to_owned(), hash)]));
        let settings = Arc::make_mut(&mut stage.cx.settings);
        let account = config::Account { name, ..settings.accounts[0].clone() };
        settings.accounts.insert(0, account);
    }
    for (dc, at) in &mut Arc::make_mut(&mut stage.cx.settings).telegram.dcs {
        if *dc == 4 {
            *at = silent.local_addr().unwrap();
        }
    }
    (stage, silent)
}

#[tokio::test]
async fn more_silent_accounts_than_are_asked_side_by_side_do_not_make_the_others_wait_in_the_first_round() {
    let (stage, _silent) = many_silent().await;
    let (tx, mut rx) = tokio::sync::mpsc::channel(64);
    let begun = std::time::Instant::now();
    let watching = stage.provider.watch(&stage.cx, tx);
    let heard = async {
        loop {
            if let Some(Report::All { rows, .. } | Report::AllBut { rows, .. }) = rx.recv().await
                && rows.iter().any(|r| r.account.as_str() == "robot" && r.link.state == State::Ready)
            {
                return begun.elapsed();
            }
        }
    };
    let at = tokio::select! {
        why = watching => panic!("{why:?}"),
        at = heard => at,
    };
    assert!(at < ask::PATIENCE - Duration::from_secs(2), "it was heard after {at:?}");
}

#[tokio::test]
async fn a_list_waits_three_seconds_for_silent_accounts_however_many_there_are() {
    let (stage, _silent) = many_silent().await;
    let begun = std::time::Instant::now();
    let Report::AllBut { rows, unasked } = stage.provider.look(&stage.cx, None, Look::All).await.unwrap() else { panic!("all answered") };
    let state = |name: &str| rows.iter().find(|r| r.account.as_str() == name && r.device.is_none()).unwrap().link.clone();
    assert_eq!(state("robot").state, State::Ready);
    assert_eq!(state("still0").reason.unwrap().code, ReasonCode::Slow);
    assert!(unasked.contains(&RemoteId::new("shop")), "what was seen of it last is dropped");
    // Two more groups begin a second after the one before each.
    assert!(begun.elapsed() < ask::GLANCE + Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_first_day_is_counted_by_the_servers_clock_and_shown_by_ours() {
    for skew_ms in [-TEN_MINUTES_MS, TEN_MINUTES_MS] {
        let stranger = TelegramSession { device: "Unknown PC".into(), age: Duration::from_secs(3600), ..TelegramSession::default() };
        let accounts = vec![TelegramAccount { sessions: vec![stranger], ..owner(None) }];
        let mut stage = Stage::of(TelegramSettings { skew_ms, ..TelegramSettings::default() }, accounts).await;
        stage.log_in().await;
        let facts = GatewayFacts::default();
        let of = async |stage: &Stage| stage.rows().await.into_iter().find(|r| r.label.as_str() == "Unknown PC").unwrap();
        // A minute too early, by the server's clock: this host, ten minutes ahead, would think otherwise.
        stage.tg().age(OWNER, Duration::from_secs(24 * 3600 - 60));
        let row = of(&stage).await;
        assert!(matches!(stage.provider.can(&row, &Action::Wipe, &facts), Err(Not::NotNow(_))), "{skew_ms}");
        let from = row.facts.iter().find_map(|f| match &f.value {
            crate::domain::FactValue::At(at) if f.key == rows::FROM => Some(at.wall.0),
            _ => None,
        });
        let left = from.unwrap() - stage.cx.time.now().wall.0;
        assert!((50_000..=62_000).contains(&left), "{skew_ms}: possible in {left} ms by this host's clock");
        assert_eq!(stage.act(&row, Action::Wipe, Inputs::new()).await.unwrap_err().code, ReasonCode::NotYet, "{skew_ms}");
        assert_eq!(count(&stage, "account.resetAuthorization"), 0, "{skew_ms}: it was not tried");
        stage.tg().age(OWNER, Duration::from_secs(65));
        let row = of(&stage).await;
        stage.act(&row, Action::Wipe, Inputs::new()).await.unwrap();
    }
}
