//! Rows: what is shown of a token, what the platform says of it, and how often either is asked.

use super::*;
use crate::{
    domain::{FactValue, State},
    sandbox::{Only, TokenFault},
};
use tokio::sync::mpsc;

/// The last word on each row, and how the gateway fares.
#[derive(Default)]
struct Board {
    rows: HashMap<String, Row>,
}

impl Board {
    fn take(&mut self, report: Report) {
        match report {
            Report::All { rows, .. } | Report::Part(rows) => self.rows.extend(rows.into_iter().map(|r| (r.account.as_str().to_owned(), r))),
            _ => {}
        }
    }
    fn state(&self, name: &str) -> Option<(State, Option<ReasonCode>)> {
        self.rows.get(name).map(|r| (r.link.state, r.link.reason.as_ref().map(|r| r.code)))
    }
}

async fn watched<F: Future<Output = ()>>(s: &Stage, script: impl FnOnce(Arc<Mutex<Board>>) -> F) -> Reason {
    let (tx, mut rx) = mpsc::channel(64);
    let board = Arc::new(Mutex::new(Board::default()));
    let keep = Arc::clone(&board);
    let take = async move {
        while let Some(r) = rx.recv().await {
            keep.lock().unwrap().take(r);
        }
    };
    let script = async {
        script(board).await;
        s.cx.cancel.cancel();
    };
    let (why, (), ()) = tokio::join!(s.provider.watch(&s.cx, tx), take, script);
    why
}

async fn until(board: &Mutex<Board>, state: State, reason: Option<ReasonCode>) {
    let end = Instant::now() + Duration::from_secs(3 * 3600);
    while board.lock().unwrap().state("ops") != Some((state, reason)) {
        assert!(Instant::now() < end, "never {state:?} {reason:?}: {:?}", board.lock().unwrap().state("ops"));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn fact<'a>(row: &'a Row, key: &str) -> Option<&'a FactValue> {
    row.facts.iter().find(|f| f.key == key).map(|f| &f.value)
}

#[tokio::test(start_paused = true)]
async fn a_good_token_makes_a_ready_row_that_tells_its_life_and_its_app() {
    let s = Stage::wecom().await;
    assert_eq!(s.row().await.link.reason.unwrap().code, ReasonCode::NeverFetched);
    s.obtain(Ask::default()).await.unwrap();
    let row = s.row().await;
    assert_eq!((row.link.state, row.link.reason.clone()), (State::Ready, None));
    assert_eq!(row.identity.as_ref().unwrap().as_str(), "1000002");
    assert_eq!(fact(&row, "app_name"), Some(&FactValue::Text("ops".into())));
    assert_eq!(fact(&row, "refreshed_by"), Some(&FactValue::Text("test[1]@here".into())));
    let t = &row.tokens[0];
    let life = t.expires_at.unwrap().0 - t.issued_at.unwrap().0;
    assert_eq!((life, t.generation, t.semantics), (7_200_000, 1, crate::domain::row::TokenSemantics::SameUntilExpiry));
    assert_eq!(s.server.fetched(), 1, "rows fetch nothing");
}

#[tokio::test(start_paused = true)]
async fn an_account_without_secret_is_refused_and_says_where_to_put_it() {
    let mut s = Stage::wecom().await;
    s.cx.secrets.clear();
    let row = s.row().await;
    let why = row.link.reason.unwrap();
    assert_eq!((row.link.state, why.code), (State::Refused, ReasonCode::CredentialMissing));
    let remedy = crate::i18n::reason::remedy_sentence(&why, crate::i18n::Lang::En).unwrap();
    assert!(remedy.contains("`m s`") && remedy.contains("pairdeck secret set corp:ops"), "{remedy}");
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_address_is_seen_by_a_probe_though_fetching_works_and_heals_by_itself() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    s.server.trust("ops", Some(vec!["198.51.100.20".into()]));
    watched(&s, async |board| {
        until(&board, State::Refused, Some(ReasonCode::AddressNotTrusted)).await;
        {
            let b = board.lock().unwrap();
            let row = &b.rows["ops"];
            assert_eq!(fact(row, "egress_ip"), Some(&FactValue::Text("203.0.113.7".into())), "to be copied");
            let said = crate::i18n::reason::sentence(row.link.reason.as_ref().unwrap(), crate::i18n::Lang::En);
            assert_eq!(said, "The token is good, but the platform does not trust the address 203.0.113.7.");
        }
        s.server.trust("ops", None);
        until(&board, State::Ready, None).await;
    })
    .await;
    assert_eq!(s.server.fetched(), 1, "the token was good all the time");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_early_is_reported_once_and_the_next_one_is_ready() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    watched(&s, async |board| {
        until(&board, State::Ready, None).await;
        s.server.revoke("ops");
        while s.server.fetched() < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        until(&board, State::Ready, None).await;
        assert_eq!(board.lock().unwrap().rows["ops"].tokens[0].generation, 2);
        tokio::time::sleep(Duration::from_secs(3600)).await;
    })
    .await;
    assert_eq!(s.server.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_another_host_had_to_replace_is_doubted_here_too() {
    let s = Stage::wecom().await;
    let first = s.obtain(Ask::default()).await.unwrap();
    watched(&s, async |board| {
        until(&board, State::Ready, None).await;
        // Refused to somebody else, who has another one now.
        s.server.revoke("ops");
        let second = s.obtain(Ask { rejected: Some(first.held.fingerprint.clone()), ..Ask::default() }).await.unwrap();
        assert_ne!(second.held.fingerprint, first.held.fingerprint);
        tokio::time::sleep(Duration::from_secs(90)).await;
        until(&board, State::Ready, None).await;
        let began = tokio::time::Instant::now();
        s.server.revoke("ops");
        until(&board, State::Expired, Some(ReasonCode::TokenRejectedAgain)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(s.server.fetched(), 2, "whoever replaced it asks, or a person");
        assert!(s.owner.held(&s.target()).await.unwrap().rejected, "it is still handed out, and would count twice when it is replaced");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_single_look_that_finds_a_token_refused_withholds_it_from_everybody_and_fetches_none() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    assert_eq!(s.row().await.link.state, State::Ready);
    assert!(!s.owner.held(&s.target()).await.unwrap().rejected);
    s.server.revoke("ops");
    assert_eq!(s.row().await.link.state, State::Expired);
    assert!(s.owner.held(&s.target()).await.unwrap().rejected);
    assert_eq!(s.server.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_or_a_bot_was_refused_is_looked_into_at_once_and_replaced_once() {
    for by_bot in [false, true] {
        let s = Stage::wecom().await;
        s.obtain(Ask::default()).await.unwrap();
        watched(&s, async |board| {
            until(&board, State::Ready, None).await;
            s.seen.send_modify(|seen| seen.on_screen = true);
            // Between two tries that come of themselves.
            tokio::time::sleep(Duration::from_secs(75)).await;
            s.server.revoke("ops");
            {
                let mut held = s.owner.held.lock().unwrap();
                let held = &mut held.get_mut("ops").unwrap().1;
                if by_bot {
                    held.signs.doubt = Some(s.cx.time.now().wall);
                } else {
                    held.rejected = true;
                }
            }
            let began = tokio::time::Instant::now();
            while s.server.fetched() < 2 {
                assert!(began.elapsed() < Duration::from_secs(30), "by a bot: {by_bot}: it goes on as ready");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            until(&board, State::Ready, None).await;
            tokio::time::sleep(Duration::from_secs(1800)).await;
        })
        .await;
        assert_eq!(s.server.fetched(), 2, "by a bot: {by_bot}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_refuses_every_token_is_asked_for_one_more_and_then_no_more() {
    for code in [42001, 40014, 40001] {
        let s = Stage::wecom().await;
        s.obtain(Ask::default()).await.unwrap();
        s.server.fault(TokenFault::Code(code, Only::Calls), u32::MAX, None);
        watched(&s, async |board| {
            until(&board, State::Expired, Some(ReasonCode::TokenRejectedAgain)).await;
            tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
        })
        .await;
        assert_eq!(s.server.fetched(), 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_new_token_that_is_refused_too_ends_it_until_a_person_asks() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    s.server.fault(TokenFault::Code(42001, Only::Calls), u32::MAX, None);
    // The platform really drops what it refuses, so that each fetch brings another.
    s.server.revoke("ops");
    watched(&s, async |board| {
        until(&board, State::Expired, Some(ReasonCode::TokenRejectedAgain)).await;
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(s.server.fetched(), 2);
        s.server.heal();
        s.seen.send_modify(|a| a.refresh += 1);
        until(&board, State::Ready, None).await;
    })
    .await;
    assert_eq!(s.server.fetched(), 2, "what was refused was good after all");
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_platform_leave_a_good_token_ready_and_say_so() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    watched(&s, async |board| {
        until(&board, State::Ready, None).await;
        s.server.fault(TokenFault::Code(45009, Only::Calls), u32::MAX, None);
        until(&board, State::Ready, Some(ReasonCode::RateLimited)).await;
    })
    .await;
    assert_eq!(s.server.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn codes_at_a_call_have_their_own_meaning() {
    let table = [
        (48002, ReasonCode::ApiForbidden),
        (60011, ReasonCode::ApiForbidden),
        (50003, ReasonCode::AppDisabled),
        (40056, ReasonCode::WrongApp),
        (301_002, ReasonCode::WrongApp),
    ];
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    for (code, meaning) in table {
        s.server.fault(TokenFault::Code(code, Only::Calls), u32::MAX, None);
        let row = s.row().await;
        assert_eq!((row.link.state, row.link.reason.unwrap().code), (State::Refused, meaning), "{code}");
        s.server.heal();
    }
    assert_eq!(s.server.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_life_that_ends_is_shown_without_any_request() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    watched(&s, async |board| {
        until(&board, State::Ready, None).await;
        s.server.fault(TokenFault::Code(45009, Only::Calls), u32::MAX, None);
        until(&board, State::Expired, Some(ReasonCode::TokenExpired)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_reset_is_refused_on_the_row_and_remembered() {
    let s = Stage::wecom().await;
    s.server.reset_secret("ops", None, None);
    s.obtain(Ask::default()).await.unwrap_err();
    let row = s.row().await;
    let why = row.link.reason.unwrap();
    assert_eq!((row.link.state, why.code), (State::Refused, ReasonCode::CredentialRefused));
    let writes = *s.memo.1.lock().unwrap();
    s.obtain(Ask::default()).await.unwrap_err();
    s.row().await;
    // The trace id differs each time; what went wrong does not.
    assert_eq!(*s.memo.1.lock().unwrap(), writes, "the same again is not written again");
}

#[tokio::test(start_paused = true)]
async fn idle_accounts_are_asked_about_seldom_and_the_platform_is_heard_each_minute() {
    let apps = (0..20).map(|n| app(&format!("{}", 1_000_002 + n), &format!("a{n:02}"), "")).collect();
    let s = Stage::of(TokenSettings::default(), apps).await;
    for a in s.cx.settings.accounts.clone() {
        s.owner.obtain(&Target::account(&s.cx.gateway, &RemoteId::new(&a.name)), Ask::default()).await.unwrap();
    }
    s.server.clear_requests();
    watched(&s, async |_| tokio::time::sleep(Duration::from_secs(3600)).await).await;
    let asked: u64 = s.server.requests().iter().map(|c| c.count).sum();
    assert!((60..=600).contains(&asked), "{asked} requests in an hour for 20 accounts");
    let writes = *s.memo.1.lock().unwrap();
    assert!(writes <= 20, "{writes} writes: names only, once");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_cannot_be_reached_ends_the_watch_and_fails_the_list() {
    let s = Stage::wecom().await;
    s.obtain(Ask::default()).await.unwrap();
    s.server.fault(TokenFault::Wire(crate::sandbox::Fault::Drop, Only::Any), u32::MAX, None);
    let why = watched(&s, async |_| tokio::time::sleep(Duration::from_secs(120)).await).await;
    assert_eq!(why.code, ReasonCode::Unreachable);
    assert_eq!(s.provider.look(&s.cx, None, Look::All).await.unwrap_err().code, ReasonCode::Unreachable);
    assert_eq!(s.provider.look(&s.cx, None, Look::Probe).await.unwrap_err().code, ReasonCode::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn the_list_names_every_account_of_the_configuration_and_tries_each_once() {
    let s = Stage::of(TokenSettings::default(), vec![app("1000002", "ops", SECRET), app("1000003", "hr", "")]).await;
    s.obtain(Ask::default()).await.unwrap();
    s.server.clear_requests();
    let Report::All { rows, complete: true } = s.provider.look(&s.cx, None, Look::All).await.unwrap() else { panic!() };
    let states: Vec<_> = rows.iter().map(|r| (r.label.as_str(), r.link.state)).collect();
    assert_eq!(states, [("ops", State::Ready), ("hr", State::Unknown)]);
    assert_eq!(s.server.requests().iter().map(|c| c.count).sum::<u64>(), 2, "whether it answers, and the one token");
}
