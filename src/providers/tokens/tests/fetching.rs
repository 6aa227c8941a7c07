//! Asking for a token: what each answer means, and what never leaves this room.

use super::*;
use crate::sandbox::{Fault, Only, Repeated, TokenFault};

fn arg<'a>(r: &'a Reason, name: &str) -> Option<&'a str> {
    r.arg(name)
}

#[tokio::test(start_paused = true)]
async fn a_token_comes_with_its_life_counted_from_the_request() {
    let s = Stage::wecom().await;
    let before = s.cx.time.now();
    s.server.reply_delay(Duration::from_secs(2));
    let got = s.fetch().await.unwrap();
    assert_eq!((got.life, got.sent), (Duration::from_secs(7200), before), "latency lengthens no life");
    assert_eq!(got.token, s.server.live("ops").unwrap().0);
}

#[tokio::test(start_paused = true)]
async fn the_longest_token_and_a_code_in_quotes_are_taken() {
    let s = Stage::wecom().await;
    s.server.token_bytes(512);
    s.server.fault(TokenFault::StringCode, u32::MAX, None);
    assert_eq!(s.fetch().await.unwrap().token.len(), 512);
    s.server.heal();
    s.server.expire("ops");
    s.server.fault(TokenFault::Code(40001, Only::Fetch), 1, None);
    s.server.fault(TokenFault::StringCode, u32::MAX, None);
    assert_eq!(s.fetch().await.unwrap_err().code, ReasonCode::CredentialRefused);
}

#[tokio::test(start_paused = true)]
async fn every_code_has_its_meaning_where_a_token_is_asked_for() {
    let table = [
        (40001, ReasonCode::CredentialRefused),
        (40013, ReasonCode::WrongId),
        (41002, ReasonCode::Internal),
        (41004, ReasonCode::Internal),
        (45009, ReasonCode::RateLimited),
        (45033, ReasonCode::RateLimited),
        (50003, ReasonCode::AppDisabled),
        (60020, ReasonCode::AddressNotTrusted),
        (99999, ReasonCode::ServerRefused),
    ];
    let s = Stage::wecom().await;
    for (code, meaning) in table {
        s.server.clear_requests();
        s.server.fault(TokenFault::Code(code, Only::Fetch), u32::MAX, None);
        let why = s.fetch().await.unwrap_err();
        assert_eq!(why.code, meaning, "{code}: {why:?}");
        assert!(why.raw.as_ref().unwrap().as_str().starts_with(&code.to_string()), "{why:?}");
        assert_eq!((arg(&why, "account"), arg(&why, "ip")), (Some("corp:ops"), Some("203.0.113.7")), "{why:?}");
        assert!(arg(&why, "hint").unwrap().bytes().all(|b| b.is_ascii_digit()), "{why:?}");
        assert_eq!(s.server.fetched(), 1, "{code} is not asked again");
        s.server.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_is_asked_three_times_more_and_no_oftener() {
    let s = Stage::wecom().await;
    s.server.fault(TokenFault::Code(-1, Only::Fetch), 2, None);
    assert!(s.fetch().await.is_ok());
    assert_eq!(s.server.fetched(), 3);
    s.server.clear_requests();
    s.server.fault(TokenFault::Code(-1, Only::Fetch), u32::MAX, None);
    assert_eq!(s.fetch().await.unwrap_err().code, ReasonCode::PlatformUnavailable);
    assert_eq!(s.server.fetched(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_of_the_platform_is_told_apart() {
    let s = Stage::wecom().await;
    let table = [
        (Fault::Html, ReasonCode::WebPage),
        (Fault::Garbage, ReasonCode::Unintelligible),
        (Fault::Huge, ReasonCode::TooLarge),
        (Fault::Status(502), ReasonCode::ServerError),
        (Fault::TooMany(7), ReasonCode::RateLimited),
        (Fault::Redirect, ReasonCode::Redirected),
        (Fault::Drop, ReasonCode::Unreachable),
        (Fault::Slow(Duration::from_secs(60)), ReasonCode::Slow),
    ];
    for (fault, meaning) in table {
        s.server.fault(TokenFault::Wire(fault.clone(), Only::Fetch), 1, None);
        let why = s.fetch().await.unwrap_err();
        assert_eq!(why.code, meaning, "{fault:?}: {why:?}");
        s.server.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn neither_secret_nor_token_stands_in_any_reason() {
    let s = Stage::wecom().await;
    let token = s.obtain(Ask::default()).await.unwrap().token;
    let codes = [40001, 40013, 45009, -1, 60020, 12345].map(|c| TokenFault::Code(c, Only::Any));
    let wires = [Fault::Html, Fault::Garbage, Fault::Redirect, Fault::Drop, Fault::Half, Fault::WrongShape, Fault::Slow(Duration::from_secs(60))];
    let faults = codes.into_iter().chain(wires.map(|f| TokenFault::Wire(f, Only::Any)));
    for fault in faults {
        s.server.fault(fault.clone(), u32::MAX, None);
        let fetched = format!("{:?}", s.fetch().await);
        let probed = probe::probe(s.provider.0, &s.cx, &s.cx.settings.accounts[0], &token, probe::Depth::Whole).await;
        let all = format!("{fetched} {probed:?} {:?}", s.memo.0.lock().unwrap());
        assert!(!all.contains("CANARY") && !all.contains(token.expose()), "{fault:?}: {all}");
        assert!(!all.contains("corpsecret") && !all.contains("access_token="), "{fault:?}: {all}");
        s.server.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_of_an_official_account_and_an_address_that_it_does_not_list() {
    let s = Stage::oa().await;
    assert_eq!(s.fetch().await.unwrap().life, Duration::from_secs(7200));
    for (code, meaning) in [(40001, ReasonCode::CredentialRefused), (40125, ReasonCode::CredentialRefused), (40013, ReasonCode::WrongId)] {
        s.server.fault(TokenFault::Code(code, Only::Fetch), 1, None);
        assert_eq!(s.fetch().await.unwrap_err().code, meaning);
    }
    s.server.fault(TokenFault::Code(40164, Only::Fetch), 1, None);
    let why = s.fetch().await.unwrap_err();
    assert_eq!((why.code, arg(&why, "ip")), (ReasonCode::AddressNotTrusted, Some("203.0.113.7")), "{why:?}");
    // No token was given: nothing is said of one.
    let text = crate::i18n::reason::sentence(&why, crate::i18n::Lang::En);
    assert_eq!(text, "The platform does not trust the address 203.0.113.7.");
}

#[tokio::test(start_paused = true)]
async fn a_demand_replaces_the_token_where_the_platform_can_and_is_refused_where_it_cannot() {
    let s = Stage::oa().await;
    let first = s.fetch().await.unwrap().token;
    assert_eq!(s.fetch().await.unwrap().token, first);
    assert_ne!(s.provider.fetch(&s.cx, &s.target(), Renew::Forced).await.unwrap().token, first);
    s.server.fault(TokenFault::Code(45009, Only::Fetch), 1, None);
    assert_eq!(s.provider.fetch(&s.cx, &s.target(), Renew::Forced).await.unwrap_err().code, ReasonCode::QuotaUsed);
    s.server.fault(TokenFault::Code(45009, Only::Fetch), 1, None);
    assert_eq!(s.fetch().await.unwrap_err().code, ReasonCode::RateLimited, "only demands have that quota");
    let s = Stage::wecom().await;
    let before = s.server.fetched();
    assert_eq!(s.provider.fetch(&s.cx, &s.target(), Renew::Forced).await.unwrap_err().code, ReasonCode::RotateByHand);
    assert_eq!(s.server.fetched(), before, "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn a_private_deployment_is_asked_below_its_own_path() {
    let settings = TokenSettings { base_path: "/wework".into(), repeated: Repeated::Remaining, ..TokenSettings::default() };
    let s = Stage::of(settings, vec![app("1000002", "ops", SECRET)]).await;
    assert!(s.cx.settings.url.ends_with("/wework/cgi-bin"));
    s.fetch().await.unwrap();
    tokio::time::advance(Duration::from_secs(7000)).await;
    assert_eq!(s.fetch().await.unwrap().life, Duration::from_secs(200), "its word is handed on as it is");
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_secret_asks_nobody() {
    let mut s = Stage::wecom().await;
    s.cx.secrets.clear();
    let why = s.fetch().await.unwrap_err();
    assert_eq!((why.code, arg(&why, "account")), (ReasonCode::CredentialMissing, Some("corp:ops")));
    assert_eq!(s.server.fetched(), 0);
    let gone = Target::account(&s.cx.gateway, &RemoteId::new("nobody"));
    assert_eq!(s.provider.fetch(&s.cx, &gone, Renew::Plain).await.unwrap_err().code, ReasonCode::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_does_not_open_is_not_told_as_missing() {
    let mut s = Stage::wecom().await;
    let name = account_secret("ops", "secret");
    let broken = Reason::new(ReasonCode::StoreBroken).with("sealed", "corp:ops").with("name", "secret");
    s.cx.secrets.clear();
    assert_eq!(s.fetch().await.err().unwrap().code, ReasonCode::CredentialMissing);
    s.cx.broken = Arc::new(std::collections::BTreeMap::from([(name, broken.clone())]));
    assert_eq!(s.fetch().await.err().unwrap(), broken);
}
