//! Each oddity of the platforms and of LangBot by itself: what it is called, and that nothing of what was sent comes back.

use super::{
    far::{CANARY, answer, json, scripted, spellings},
    house::{NAME, gateway, harmless, world},
};
use pairdeck::{
    domain::{GatewayId, Method, Reason, ReasonCode, RemoteId, Target, Want},
    engine::World,
    providers::{
        Look, PairEvent, Report,
        token::{Ask, Renew, Tokens as _},
    },
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// One gateway of that kind at a server that follows the script; with `login` known by its password alone.
async fn stage(
    home: &tempfile::TempDir,
    kind: &str,
    login: bool,
    script: Vec<(&'static str, Vec<u8>)>,
) -> (Arc<World>, Arc<std::sync::Mutex<Vec<String>>>) {
    let (at, heads) = scripted(script).await;
    (world(home, vec![gateway("g", kind, &at)], false, |_, name| !login || name != "api_key").await, heads)
}

fn target() -> Target {
    Target::account(&GatewayId::new("g"), &RemoteId::new(NAME))
}

/// An answer of a server whose clock is off by so many seconds.
fn dated(seconds: i64, body: &str) -> Vec<u8> {
    answer("200 OK", "application/json", &format!("Date: now{seconds:+}\r\n"), body.as_bytes())
}

#[tokio::test]
async fn every_odd_answer_to_a_fetch_has_its_name() {
    let token = "t".repeat(512);
    let taken = format!("{{\"errcode\":\"0\",\"errmsg\":\"ok\",\"access_token\":\"{token}\",\"expires_in\":\"7200\"}}");
    let page = b"<!doctype html><title>proxy</title>".as_slice();
    let echo = format!("{{\"errcode\":\"40001\",\"errmsg\":\"invalid credential {CANARY}, from ip: 203.0.113.7\"}}");
    let table: Vec<(Vec<u8>, Result<usize, ReasonCode>)> = vec![
        (json(&taken), Ok(512)),
        (json(&echo), Err(ReasonCode::CredentialRefused)),
        (answer("200 OK", "text/html", "", page), Err(ReasonCode::WebPage)),
        (answer("502 Bad", "text/html", "", page), Err(ReasonCode::ServerError)),
        (answer("500 Oops", "text/plain", "", b""), Err(ReasonCode::ServerError)),
        (answer("403 No", "application/json", "", b"{}"), Err(ReasonCode::WrongAddress)),
        (json("[]"), Err(ReasonCode::Unintelligible)),
        (json("{\"errcode\":0}"), Err(ReasonCode::Unintelligible)),
        (json("{\"errcode\":null,\"access_token\":\"t\",\"expires_in\":7200}"), Err(ReasonCode::ServerRefused)),
        (json("{\"errcode\":0,\"access_token\":\"two words\",\"expires_in\":7200}"), Err(ReasonCode::Unintelligible)),
        (json(&format!("{{\"errcode\":0,\"access_token\":\"{}\",\"expires_in\":7200}}", "t".repeat(5000))), Err(ReasonCode::Unintelligible)),
        (json("{\"errcode\":0,\"access_token\":\"t\",\"expires_in\":-5}"), Err(ReasonCode::Unintelligible)),
        (json("{\"errcode\":0,\"access_token\":\"t\",\"expires_in\":1e300}"), Err(ReasonCode::Unintelligible)),
        (json("{\"errcode\":999999,\"errmsg\":\"\\u001b]0;owned\\u0007 new trouble\"}"), Err(ReasonCode::ServerRefused)),
    ];
    for kind in ["wecom", "wechat-oa"] {
        for (whole, wanted) in &table {
            let home = tempfile::tempdir().unwrap();
            let said = String::from_utf8_lossy(whole).into_owned();
            let (world, heads) = stage(&home, kind, false, vec![("token", whole.clone())]).await;
            let gateway = world.gateways().remove(0);
            let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
            let got = gateway.provider().issuer().unwrap().fetch(&cx, &target(), Renew::Plain).await;
            let told = got.as_ref().map(|i| i.token.len()).map_err(|why| why.code);
            assert_eq!(told, *wanted, "{kind}: {said:.200}: {got:?}");
            if let Err(why) = &got {
                harmless(kind, why);
            }
            // To the server that is configured, and there in the one place where it belongs.
            let heads = heads.lock().unwrap().clone();
            assert_eq!(heads.len(), 1, "{kind}: {said:.200}");
            world.shut();
        }
    }
}

#[tokio::test]
async fn a_platform_whose_clock_jumps_is_said_and_the_token_that_is_there_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let body = "{\"errcode\":0,\"access_token\":\"a-token-0123456789\",\"expires_in\":7200}";
    let (world, heads) =
        stage(&home, "wecom", false, vec![("gettoken", dated(-400_000, body)), ("get_api_domain_ip", dated(-400_000, "{\"errcode\":41001}"))]).await;
    let tokens = world.tokens();
    let first = tokens.obtain(&target(), Ask::default()).await.unwrap();
    // What it says of the time is known from its answers by now: no life that is counted from it can be trusted.
    let gateway = world.gateways().remove(0);
    for _ in 0..3 {
        let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
        assert!(matches!(gateway.provider().look(&cx, None, Look::Probe).await, Ok(Report::Alive(_))));
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let refused = Ask { rejected: Some(first.held.fingerprint.clone()), ..Ask::default() };
    let why = tokens.obtain(&target(), refused).await.err().unwrap();
    assert_eq!(why.code, ReasonCode::ClockBlocked, "{why:?}");
    assert_eq!(tokens.obtain(&target(), Ask::default()).await.unwrap().token, first.token);
    let fetches = heads.lock().unwrap().iter().filter(|h| h.contains("gettoken")).count();
    assert_eq!(fetches, 1);
    world.shut();
}

#[tokio::test]
async fn every_odd_answer_of_a_langbot_server_has_its_name() {
    let page = b"<!doctype html><div id=root>".as_slice();
    let internal = b"{\"code\":\"internal_error\",\"msg\":\"Internal server error\",\"request_id\":\"1\"}".as_slice();
    let table: Vec<(Vec<u8>, ReasonCode)> = vec![
        (json(&format!("{{\"code\":1,\"msg\":\"no {CANARY}\"}}")), ReasonCode::ServerRefused),
        (json("{\"code\":\"0.0\",\"msg\":\"\"}"), ReasonCode::ServerRefused),
        (answer("404 No", "application/json", "", b"{\"code\":\"resource_not_found\",\"msg\":\"Resource not found\"}"), ReasonCode::Gone),
        (answer("401 No", "application/json", "", format!("{{\"code\":-1,\"msg\":\"bad key {CANARY}\"}}").as_bytes()), ReasonCode::CredentialRefused),
        (answer("403 No", "application/json", "", b"{\"code\":\"permission_denied\",\"msg\":\"\"}"), ReasonCode::CredentialNarrow),
        (answer("500 Oops", "application/json", "", internal), ReasonCode::ServerError),
        (answer("500 Oops", "text/plain", "", b""), ReasonCode::ServerError),
        (answer("200 OK", "text/html", "", page), ReasonCode::WebPage),
        (json("{\"code\":0,\"msg\":\"ok\"}"), ReasonCode::Unintelligible),
        (json("{\"code\":[0],\"data\":{\"bots\":[]}}"), ReasonCode::Unintelligible),
    ];
    for (whole, wanted) in table {
        let home = tempfile::tempdir().unwrap();
        let said = String::from_utf8_lossy(&whole).into_owned();
        let (world, _) = stage(&home, "langbot", false, vec![("/platform/bots", whole)]).await;
        let gateway = world.gateways().remove(0);
        let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
        let why = gateway.provider().look(&cx, None, Look::All).await.unwrap_err();
        assert_eq!(why.code, wanted, "{said:.200}: {why:?}");
        harmless("langbot", &why);
        world.shut();
    }
}

#[tokio::test]
async fn a_login_that_is_refused_with_200_is_refused_and_its_password_is_in_no_error() {
    for refusal in [
        json(&format!("{{\"code\":1,\"msg\":\"wrong: {CANARY}\"}}")),
        json("{\"code\":0,\"data\":{\"token\":7}}"),
        answer("500 Oops", "text/plain", "", b""),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (world, heads) = stage(&home, "langbot", true, vec![("/user/auth", refusal)]).await;
        let gateway = world.gateways().remove(0);
        let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
        let why = gateway.provider().look(&cx, None, Look::All).await.unwrap_err();
        assert!(matches!(why.code, ReasonCode::CredentialRefused | ReasonCode::ServerError), "{why:?}");
        harmless("login", &why);
        // No call went out under a name that nobody gave: whether the server was claimed at all is asked without one.
        let nameless = |h: &str| h.contains("GET /api/v1/user/init ") && !h.to_lowercase().contains("authorization") && !h.contains("api-key");
        assert!(heads.lock().unwrap().iter().all(|h| h.contains("/user/auth") || nameless(h)), "{:?}", heads.lock().unwrap());
        world.shut();
    }
}

/// The first event after the one that says what is waited for.
async fn first(begun: Vec<u8>) -> PairEvent {
    let home = tempfile::tempdir().unwrap();
    let bot = json("{\"code\":0,\"data\":{\"bot\":{\"uuid\":\"u1\",\"name\":\"b\",\"adapter\":\"wecombot\",\"enable\":true}},\"msg\":\"ok\"}");
    let auth = json("{\"code\":0,\"data\":{\"token\":\"jwt\"},\"msg\":\"ok\"}");
    let (world, _) = stage(&home, "langbot", true, vec![("/user/auth", auth), ("/platform/bots/", bot), ("/create-bot", begun)]).await;
    let gateway = world.gateways().remove(0);
    let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
    let want = Want { method: Method::Qr, number: None, wipe_spoilt: false };
    let mut pairing = gateway.provider().pair(&cx, &target(), want).await.unwrap();
    assert!(matches!(pairing.next(&cx, None).await, PairEvent::Waiting(_)));
    let event = pairing.next(&cx, None).await;
    pairing.end(&cx).await;
    world.shut();
    event
}

#[tokio::test]
async fn a_code_that_makes_no_sense_is_never_offered() {
    let begun = |expire: &str, url: &str| {
        format!("{{\"code\":0,\"data\":{{\"session_id\":\"s\",\"qr_url\":\"{url}\",\"expire_at\":{expire}}},\"msg\":\"ok\"}}")
    };
    let code = |event: PairEvent| match event {
        PairEvent::Failed(Reason { code, .. }) => Err(code),
        PairEvent::Offer(_) => Ok(()),
        other => panic!("{other:?}"),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(code(first(dated(0, &begun(&format!("{}.5", now + 300), "https://x.test/1"))).await), Ok(()));
    // Over by its own word, whatever our clock says; and figures that no clock shows.
    for expire in [(now - 10).to_string(), "-1e300".into(), "0".into()] {
        assert_eq!(code(first(dated(0, &begun(&expire, "https://x.test/1"))).await), Err(ReasonCode::AttemptExpired), "{expire}");
    }
    assert_eq!(code(first(dated(0, &begun("1e300", "https://x.test/1"))).await), Ok(()), "an hour at most");
    // Without a `Date` its own clock is not known: the flow's own life is.
    assert_eq!(code(first(json(&begun("5", "https://x.test/1"))).await), Ok(()));
    let long = "x".repeat(20_000);
    for (expire, url) in [("\"soon\"", "https://x.test/1"), ("1e300", long.as_str()), ("1e300", "")] {
        assert_eq!(code(first(dated(0, &begun(expire, url))).await), Err(ReasonCode::Unintelligible), "{expire} {url:.20}");
    }
}

#[test]
fn the_canary_is_looked_for_in_every_spelling() {
    assert!(spellings().len() >= 5 && spellings().iter().any(|s| s.contains("%2F")));
}
