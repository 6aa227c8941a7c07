//! The login by QR of a business server, on the paused clock.

use super::*;
use crate::{
    clock::sample::By,
    domain::{FactValue, Fingerprint, Fresh, Ungated},
    providers::{PairEvent, Pairing},
    sandbox::Fault,
};

/// A memory that lasts as long as the test.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, serde_json::Value>>);
impl Memo for Kept {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        let v = self.0.lock().unwrap().get(key).cloned();
        Box::pin(async { v })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        self.0.lock().unwrap().insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Sample>>);
impl Samples for Seen {
    fn push(&self, sample: Sample) {
        self.0.lock().unwrap().push(sample);
    }
}

const PHONE: &str = "PHONE-TOKEN-0123456789abcdef";
const OLD: &str = "CACHED-WEB-TOKEN-0123456789";

async fn stage_of(server: WukongSettings) -> Stage {
    let web = DeviceSpec { token: OLD.into(), ..device(1, 0, &[]) };
    let shop = user("shop", vec![DeviceSpec { token: PHONE.into(), ..device(0, 1, &["pos-1"]) }, web]);
    let other = user("other", vec![device(0, 1, &[])]);
    let server = WukongSettings { business_server: true, ..server };
    let mut s = Stage::of(server, vec![shop, other], |im, settings, _| {
        settings.business = vec!["shop".into()];
        settings.business_url = im.business_url();
    })
    .await;
    s.cx.memo = Arc::new(Kept::default());
    s
}

async fn stage() -> Stage {
    stage_of(WukongSettings::default()).await
}

const QR: Want = Want { method: Method::Qr, number: None, wipe_spoilt: false };

async fn begin(s: &Stage) -> Box<dyn Pairing> {
    WuKongIm.pair(&s.cx, &s.target("shop", None), QR).await.unwrap()
}

/// The next event that is no wait.
async fn next(p: &mut Box<dyn Pairing>, s: &Stage) -> PairEvent {
    loop {
        match p.next(&s.cx, None).await {
            PairEvent::Waiting(_) => {}
            event => return event,
        }
    }
}

async fn offer(p: &mut Box<dyn Pairing>, s: &Stage) -> Ungated {
    match next(p, s).await {
        PairEvent::Offer(o) => o,
        other => panic!("{other:?}"),
    }
}

async fn failure(p: &mut Box<dyn Pairing>, s: &Stage) -> ReasonCode {
    loop {
        match next(p, s).await {
            PairEvent::Failed(why) => return why.code,
            PairEvent::Scanned | PairEvent::Offer(_) | PairEvent::Expired | PairEvent::Discarded(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn web(s: &Stage) -> String {
    s.im.token("shop", 1).unwrap().expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_scans_and_confirms_gives_the_browsers_token_which_is_committed_before_it_is_linked() {
    let s = stage().await;
    // Somebody emptied it on the IM server alone: the business server still has the old one, and writes it back.
    s.im.quit("shop", 1);
    let mut p = begin(&s).await;
    let o = offer(&mut p, &s).await;
    assert_eq!(o.fresh(), Fresh::NewIdentity);
    let o = o.into_inner();
    assert_eq!(o.dies.since(o.issued.boot_now()), Duration::from_secs(60), "on the boot clock, from when it was asked for");
    let login = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        s.im.web_scan("shop", Some(o.payload.expose()), false).unwrap();
        tokio::time::sleep(Duration::from_secs(25)).await;
        s.im.web_confirm("shop").unwrap();
    };
    let events = async {
        assert!(matches!(next(&mut p, &s).await, PairEvent::Scanned));
        let PairEvent::Got(secrets) = next(&mut p, &s).await else { panic!() };
        let token = secrets["1/token"].clone();
        assert_eq!((token.expose(), web(&s).as_str()), (OLD, OLD), "the one that the business server had given out before");
        let PairEvent::Linked(row) = next(&mut p, &s).await else { panic!() };
        let print = Fingerprint::of(&s.cx.fingerprint_key, &token);
        assert_eq!(row.tokens[0].fingerprint, print);
        assert_eq!(fact(&row, "token"), Some(&FactValue::Text(crate::domain::Clean::new(&format!("fp {print}")))));
        assert_eq!(row.device.as_ref().unwrap().as_str(), "1");
    };
    tokio::join!(login, events);
    assert_eq!(s.im.token("shop", 0).unwrap().expose(), PHONE, "the phone keeps its token");
    assert_eq!(s.im.devices("shop").iter().find(|d| d.flag == 1).unwrap().level, 0);
    p.end(&s.cx).await;
}

#[tokio::test(start_paused = true)]
async fn a_code_dies_after_sixty_seconds_and_another_follows_by_itself() {
    let s = stage().await;
    let mut p = begin(&s).await;
    let first = offer(&mut p, &s).await.into_inner();
    let began = Instant::now();
    assert!(matches!(next(&mut p, &s).await, PairEvent::Expired));
    assert!((59..=60).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let second = offer(&mut p, &s).await.into_inner();
    assert_ne!(first.payload, second.payload);
    assert!(s.im.web_scan("shop", Some(first.payload.expose()), true).is_err(), "a phone is told that the first one is dead");
    s.im.web_scan("shop", Some(second.payload.expose()), true).unwrap();
    assert!(matches!(next(&mut p, &s).await, PairEvent::Scanned));
    assert!(matches!(next(&mut p, &s).await, PairEvent::Got(_)));
}

#[tokio::test(start_paused = true)]
async fn a_scan_in_the_last_moment_is_not_lost() {
    let s = stage().await;
    let mut p = begin(&s).await;
    let first = offer(&mut p, &s).await.into_inner();
    tokio::time::sleep(Duration::from_millis(59_950)).await;
    s.im.web_scan("shop", Some(first.payload.expose()), true).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut event = next(&mut p, &s).await;
    if matches!(event, PairEvent::Expired) {
        event = next(&mut p, &s).await;
    }
    assert!(matches!(event, PairEvent::Scanned), "{event:?}");
    assert!(matches!(next(&mut p, &s).await, PairEvent::Got(_)));
}

#[tokio::test(start_paused = true)]
async fn a_phone_of_another_account_is_named_and_its_login_is_never_finished() {
    let s = stage().await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    s.im.web_scan("other", None, true).unwrap();
    let PairEvent::Failed(why) = next(&mut p, &s).await else { panic!() };
    assert_eq!(why.code, ReasonCode::WrongAccount);
    assert!(crate::i18n::reason::sentence(&why, crate::i18n::Lang::En).contains("logged in as other, not shop"));
    assert_eq!(s.asked("/v1/user/login_authcode"), 0);
    assert!(s.im.token("other", 1).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_code_that_nobody_confirms_runs_out_and_another_one_is_asked_for() {
    let s = stage().await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    s.im.web_scan("shop", None, false).unwrap();
    assert!(matches!(next(&mut p, &s).await, PairEvent::Scanned));
    let began = Instant::now();
    offer(&mut p, &s).await;
    assert!((290..=315).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_named() {
    // Another server answers there: the IM server itself knows no such route.
    let mut s = stage().await;
    let mut settings = (*s.cx.settings).clone();
    settings.wukongim.business_url = Some(s.im.api_url());
    s.cx.settings = Arc::new(settings);
    let mut p = begin(&s).await;
    assert_eq!(failure(&mut p, &s).await, ReasonCode::ServerRefused, "401 without its key");
    let s = stage().await;
    s.im.fault(Fault::Status(404), 1, Some("/v1/user/loginuuid"));
    let mut p = begin(&s).await;
    assert_eq!(failure(&mut p, &s).await, ReasonCode::WrongAddress);
    // A server that fails is waited for, but not for ever.
    let s = stage().await;
    s.im.fault(Fault::Status(502), 10_000, Some("/v1/user/loginuuid"));
    let mut p = begin(&s).await;
    let began = Instant::now();
    assert_eq!(failure(&mut p, &s).await, ReasonCode::ServerError);
    assert!((60..120).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // Its owner was banned meanwhile.
    let s = stage_of(WukongSettings::default()).await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    s.cx.http
        .send(
            crate::providers::http::Call::post("/channel/info")
                .secret("token", s.cx.secrets["manager_token"].clone())
                .json(serde_json::json!({ "channel_id": "shop", "channel_type": 1, "ban": 1 })),
            &*s.cx.time,
            &Nowhere,
        )
        .await
        .unwrap();
    s.im.web_scan("shop", None, true).unwrap();
    assert_eq!(failure(&mut p, &s).await, ReasonCode::Banned);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_went_to_another_server_is_told() {
    let s = stage_of(WukongSettings { business_elsewhere: true, ..WukongSettings::default() }).await;
    s.im.quit("shop", 1);
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    s.im.web_scan("shop", None, true).unwrap();
    assert!(matches!(next(&mut p, &s).await, PairEvent::Scanned));
    assert!(matches!(next(&mut p, &s).await, PairEvent::Got(_)));
    assert_eq!(failure(&mut p, &s).await, ReasonCode::OtherServer);
}

#[tokio::test(start_paused = true)]
async fn a_login_whose_answer_is_lost_is_found_on_the_im_server() {
    let s = stage().await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    s.im.fault(Fault::Mute, 1, Some("/v1/user/login_authcode"));
    s.im.web_scan("shop", None, true).unwrap();
    assert!(matches!(next(&mut p, &s).await, PairEvent::Scanned));
    let PairEvent::Got(secrets) = next(&mut p, &s).await else { panic!() };
    assert_eq!(secrets["1/token"].expose(), web(&s));
    assert!(matches!(next(&mut p, &s).await, PairEvent::Linked(..)));
    assert_eq!(s.asked("/v1/user/login_authcode"), 1, "an authorisation is redeemed once");
}

#[tokio::test(start_paused = true)]
async fn a_code_that_was_handed_out_before_is_discarded() {
    let s = stage().await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    // A server of the same seed hands out the same codes, as a cache in between would.
    let mut again = stage().await;
    again.cx.memo = s.cx.memo.clone();
    let mut p = begin(&again).await;
    assert!(matches!(next(&mut p, &again).await, PairEvent::Discarded(why) if why.code == ReasonCode::StaleCode));
    offer(&mut p, &again).await;
    let kept = s.cx.memo.get("web:codes").await.unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 2, "hashes of both, and no code: {kept}");
    // One that repeats itself for ever is given up.
    let mut third = stage().await;
    third.cx.memo = s.cx.memo.clone();
    let known: Vec<_> = {
        let twin = stage().await;
        let business = super::super::business::Business::of(&twin.cx, "shop").unwrap().unwrap();
        twin.cx.memo.put("web:codes", serde_json::json!([])).await.unwrap();
        for _ in 0..4 {
            super::super::pair::is_known(&twin.cx, &business.code().await.unwrap()).await;
        }
        serde_json::from_value(twin.cx.memo.get("web:codes").await.unwrap()).unwrap()
    };
    third.cx.memo.put("web:codes", serde_json::Value::Array(known)).await.unwrap();
    let mut p = begin(&third).await;
    assert_eq!(failure(&mut p, &third).await, ReasonCode::NotProven);
}

#[tokio::test(start_paused = true)]
async fn its_clock_is_asked_for_beside_the_gateways_and_told_apart() {
    let mut s = stage().await;
    let seen = Arc::new(Seen::default());
    s.cx.samples = seen.clone();
    s.im.business_skew(Some(10_800));
    WuKongIm.look(&s.cx, Some(&s.target("shop", None)), Look::Probe).await.unwrap();
    let by = |by: By| seen.0.lock().unwrap().iter().find(|x| x.by == by).and_then(|x| x.interval).map(|i| (i.mid() + 500) / 1000);
    assert_eq!((by(By::Date).map(|s| s.abs() <= 1), by(By::ServerTime).map(|s| (s - 10_800).abs() <= 1)), (Some(true), Some(true)));
    // An account without such a login, and a look at nothing in particular, leave it alone.
    let asked = s.asked("/v1/");
    WuKongIm.look(&s.cx, Some(&s.target("other", None)), Look::Probe).await.unwrap();
    WuKongIm.look(&s.cx, None, Look::Probe).await.unwrap();
    assert_eq!((asked, s.asked("/v1/")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_an_account_without_such_a_login_or_for_another_flag() {
    let s = stage().await;
    for (at, code) in [
        (s.target("other", None), ReasonCode::NotInVersion),
        (s.target("shop", Some(0)), ReasonCode::BadTarget),
        (s.target("shop", Some(4)), ReasonCode::BadTarget),
    ] {
        assert_eq!(WuKongIm.pair(&s.cx, &at, QR).await.map(drop).unwrap_err().code, code);
    }
    assert!(WuKongIm.pair(&s.cx, &s.target("shop", Some(1)), QR).await.is_ok());
    assert_eq!(s.asked("/v1/"), 0);
    let rows = s.all().await;
    let can = |uid: &str, flag: Option<&str>| {
        let row = rows.iter().find(|r| r.account.as_str() == uid && r.device.as_ref().map(RemoteId::as_str) == flag).unwrap();
        WuKongIm.can(row, &Action::Pair, &GatewayFacts::default()).is_ok()
    };
    assert_eq!((can("shop", None), can("shop", Some("1")), can("shop", Some("0")), can("other", None)), (true, true, false, false));
}

#[tokio::test(start_paused = true)]
async fn leaving_ends_it_at_once_while_a_poll_is_out() {
    let s = stage().await;
    let mut p = begin(&s).await;
    offer(&mut p, &s).await;
    let (began, cancel) = (Instant::now(), s.cx.cancel.clone());
    let (event, ()) = tokio::join!(next(&mut p, &s), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    });
    assert!(matches!(event, PairEvent::Failed(why) if why.code == ReasonCode::Cancelled));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    p.end(&s.cx).await;
}
