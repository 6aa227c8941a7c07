//! The provider against the sandbox's server, on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod qr;
mod story;

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, Clean, Fingerprint, GatewayId, ReasonCode, RemoteId, Stamp, State, Time, Wall},
    providers::{Attention, Memo, Samples, http::Client, token},
    sandbox::{BotSpec, Clock, FarSide, KeySpec, LangBotSettings, Options, Part, PastLine, Sandbox},
    store::config,
};
use std::sync::{Arc, Mutex};
use tokio::{sync::watch as seen, time::Instant};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_795_000_000_000;

struct Follow(Instant);
impl Time for Follow {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Stamp { wall: Wall(START + i64::try_from(ms).unwrap()), boot: Some((1, Boot(1_000_000 + ms))) }
    }
}
/// A memo, and the operator's file.
#[derive(Default)]
struct Kept(Mutex<std::collections::BTreeMap<String, serde_json::Value>>, Mutex<Option<config::Config>>);
impl Memo for Kept {
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Option<serde_json::Value>> {
        Box::pin(async move { self.0.lock().unwrap().get(key).cloned() })
    }
    fn put<'a>(&'a self, key: &'a str, value: serde_json::Value) -> Fut<'a, Result<(), Reason>> {
        self.0.lock().unwrap().insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
    fn configured(&self) -> Option<config::Config> {
        self.1.lock().unwrap().clone()
    }
}
struct Nowhere;
impl Samples for Nowhere {
    fn push(&self, _: Sample) {}
}

/// An owner of tokens that knows one: that of the linked app, in the trouble that it was given.
struct Owner(Mutex<Option<Reason>>, Mutex<Vec<crate::store::tokens::Sign>>);
impl token::Tokens for Owner {
    fn held<'a>(&'a self, at: &'a Target) -> Fut<'a, Option<token::Held>> {
        let now = Stamp::wall_only(Wall(START));
        let held = token::Held {
            fingerprint: Fingerprint::of(&[3; 32], &Secret::new("a-token-of-the-app".to_owned())),
            length: 18,
            generation: 1,
            issued: now,
            expires: now,
            by: Clean::new("x"),
            rejected: false,
            trouble: self.0.lock().unwrap().clone(),
            fetches: 1,
            storm: None,
            signs: Default::default(),
        };
        Box::pin(async move { (at.account.as_str() == "ops-bot" && at.gateway.as_str() == "corp").then_some(held) })
    }
    fn obtain<'a>(&'a self, _: &'a Target, _: token::Ask) -> Fut<'a, Result<token::Given, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::Internal)) })
    }
    fn forget<'a>(&'a self, _: &'a Target) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Ok(()) })
    }
    fn saw<'a>(&'a self, at: &'a Target, signs: Vec<crate::store::tokens::Sign>) -> Fut<'a, ()> {
        assert_eq!(at.id(), "corp:ops-bot");
        self.1.lock().unwrap().extend(signs);
        Box::pin(async {})
    }
    fn put_secret<'a>(&'a self, _: &'a Target, _: &'a str, _: Secret) -> Fut<'a, Result<(), Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::Internal)) })
    }
}

struct Stage {
    sandbox: Sandbox,
    owner: Arc<Owner>,
    kept: Arc<Kept>,
    cx: Cx,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Key,
    Login,
}

impl Stage {
    async fn of(server: LangBotSettings, bots: Vec<BotSpec>, by: By) -> Self {
        let options = Options { seed: Some(7), clock: Clock::virtual_from(START), ..Options::default() };
        let sandbox = Sandbox::with(vec![("lb".into(), Part::LangBot(Box::new(server), bots))], &options).await.unwrap();
        let info = sandbox.gateways().remove(0);
        let mut secrets = info.credentials.clone();
        // As TOML writes it: in quotes.
        let user = info.more.iter().find(|(name, _)| *name == "user").map(|(_, user)| user.trim_matches('"').to_owned());
        if by == By::Login {
            secrets.remove("api_key");
        }
        let langbot = config::LangBot { user: user.filter(|_| by == By::Login), links: vec![("support".into(), "corp:ops-bot".into())] };
        let settings = config::Gateway { name: "lb".into(), kind: "langbot".into(), url: info.url, langbot, ..config::Gateway::default() };
        let (_, rx) = seen::channel(Attention { on_screen: true, ..Attention::default() });
        let owner = Arc::new(Owner(Mutex::default(), Mutex::default()));
        let kept = Arc::new(Kept::default());
        let cx = Cx {
            gateway: GatewayId::new("lb"),
            http: Arc::new(Client::new(&settings).unwrap()),
            settings: Arc::new(settings),
            secrets,
            broken: Arc::default(),
            time: Arc::new(Follow(Instant::now())),
            fingerprint_key: [3; 32],
            cancel: CancellationToken::new(),
            memo: kept.clone(),
            samples: Arc::new(Nowhere),
            tokens: owner.clone(),
            seen: rx,
        };
        Self { sandbox, owner, kept, cx }
    }

    fn server(&self) -> &crate::sandbox::LangBot {
        self.sandbox.langbot("lb").unwrap()
    }

    async fn rows(&self) -> Vec<Row> {
        match LangBot.look(&self.cx, None, Look::All).await.unwrap() {
            Report::All { rows, complete: true } => rows,
            other => panic!("{other:?}"),
        }
    }

    async fn row(&self, name: &str) -> Row {
        self.rows().await.into_iter().find(|r| r.label.as_str() == name).unwrap()
    }

    /// Runs every step of an action, as the engine would.
    async fn act(&self, row: &Row, action: Action) -> Result<(), Reason> {
        let plan = LangBot.plan(&self.cx, &row.target(), &action, Inputs::new()).await?;
        self.run(plan).await
    }

    async fn run(&self, plan: Plan) -> Result<(), Reason> {
        let op = Op::running(plan, self.cx.time.now());
        for step in &op.plan.as_ref().unwrap().steps {
            match LangBot.run(&self.cx, &op, &step.id, None).await {
                StepEnd::Done { .. } => {}
                StepEnd::Failed { why, .. } => return Err(why),
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }
}

fn bot(name: &str, adapter: &str, enable: bool) -> BotSpec {
    let config = match adapter {
        "wecom" => serde_json::json!({ "corpid": "wwsandbox", "secret": "CANARY-app-secret", "token": "t", "EncodingAESKey": "k" }),
        "wecombot" | "wecombot-omni" => serde_json::json!({ "BotId": "old-bot", "Secret": "CANARY-old-secret", "Corpid": "" }),
        _ => serde_json::json!({}),
    };
    BotSpec { name: name.into(), adapter: adapter.into(), config: config.as_object().unwrap().clone(), enable, ..BotSpec::default() }
}

fn failing(text: &str) -> BotSpec {
    BotSpec { log: vec![PastLine { level: "error".into(), text: text.into(), age_s: 5 }], ..bot("support", "wecom", true) }
}

const REFUSED: &str = "获取accesstoken失败:{'errcode': 40001, 'errmsg': 'invalid credential, hint: [1], from ip: 203.0.113.7, more info at x'}";
const EXPIRED: &str = "发送消息失败:{'errcode': 42001, 'errmsg': 'access_token expired, hint: [1], from ip: 203.0.113.7, more info at x'}";

#[tokio::test(start_paused = true)]
async fn an_enabled_bot_is_loaded_and_never_online() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("a", "wecom", true), bot("b", "telegram", false)], By::Key).await;
    let rows = stage.rows().await;
    let states: Vec<_> = rows.iter().map(|r| (r.label.as_str(), r.link.state, r.link.reason.as_ref().map(|r| r.code))).collect();
    assert_eq!(states, [("a", State::Loaded, Some(ReasonCode::StateNotReported)), ("b", State::Disabled, None)]);
    assert!(!format!("{rows:?}").contains("CANARY"), "a server that tells secrets finds nobody who keeps them");
}

#[tokio::test(start_paused = true)]
async fn the_real_error_is_read_out_of_the_log_and_one_key_makes_the_bot_forget_its_token() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED)], By::Key).await;
    let row = stage.row("support").await;
    assert_eq!((row.link.state, row.link.reason.as_ref().unwrap().code), (State::Loaded, ReasonCode::TokenExpired));
    let loads = stage.server().bot("support").unwrap().loads;
    stage.act(&row, Action::Wipe).await.unwrap();
    assert_eq!(stage.server().bot("support").unwrap().loads, loads + 1);
    let why = stage.row("support").await.link.reason.unwrap();
    assert_eq!((why.code, why.arg("evidence")), (ReasonCode::StateNotReported, Some("restarted_app")));
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_does_not_help_says_what_the_new_log_says() {
    let spec = BotSpec { far: FarSide::BadSecret, ..bot("helper", "wecombot", true) };
    let stage = Stage::of(LangBotSettings::default(), vec![spec], By::Key).await;
    let row = stage.row("helper").await;
    assert_eq!(stage.act(&row, Action::Do("restart".into())).await.unwrap_err().code, ReasonCode::BotSecretRefused);
}

#[tokio::test(start_paused = true)]
async fn the_trouble_of_the_linked_app_is_the_bots_story() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(EXPIRED)], By::Key).await;
    *stage.owner.0.lock().unwrap() = Some(Reason::new(ReasonCode::AddressNotTrusted).with("ip", "203.0.113.7"));
    let row = stage.row("support").await;
    assert_eq!(row.link.reason.as_ref().unwrap().code, ReasonCode::AddressNotTrusted);
    assert!(row.facts.iter().any(|f| f.key == "app"));
}

#[tokio::test(start_paused = true)]
async fn bots_are_switched_on_and_off_and_the_actions_follow() {
    let stage = Stage::of(LangBotSettings::default(), vec![bot("a", "wecom", true)], By::Login).await;
    let row = stage.row("a").await;
    stage.act(&row, Action::Do("disable".into())).await.unwrap();
    let row = stage.row("a").await;
    assert_eq!(row.link.state, State::Disabled);
    let facts = GatewayFacts::default();
    assert!(LangBot.can(&row, &Action::Wipe, &facts).is_err() && LangBot.can(&row, &Action::Do("enable".into()), &facts).is_ok());
    stage.act(&row, Action::Do("enable".into())).await.unwrap();
    assert_eq!(stage.row("a").await.link.state, State::Loaded);
    assert!(LangBot.can(&row, &Action::Regenerate, &facts).is_err());
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_by_their_kind() {
    let scopes = |s: &[&str]| s.iter().map(|s| (*s).to_owned()).collect();
    let narrow = KeySpec { name: "n".into(), secret: "lbk_narrow_key_0001".into(), scopes: scopes(&["resource.view"]) };
    let server = LangBotSettings { keys: vec![narrow], ..LangBotSettings::default() };
    let mut stage = Stage::of(server, vec![bot("a", "wecom", true)], By::Key).await;
    stage.cx.secrets.insert("api_key".into(), Secret::new("lbk_narrow_key_0001".into()));
    let row = stage.row("a").await;
    assert!(!row.facts.iter().any(|f| f.key == "corp"), "a narrow key is not told the configuration");
    assert_eq!(stage.act(&row, Action::Do("disable".into())).await.unwrap_err().code, ReasonCode::CredentialNarrow);
    stage.cx.secrets.insert("api_key".into(), Secret::new("lbk_wrong".into()));
    assert_eq!(LangBot.look(&stage.cx, None, Look::Probe).await.unwrap_err().code, ReasonCode::CredentialRefused);
    stage.cx.secrets.clear();
    assert_eq!(LangBot.look(&stage.cx, None, Look::Probe).await.unwrap_err().code, ReasonCode::CredentialMissing);
    let mut stage = Stage::of(LangBotSettings::default(), Vec::new(), By::Login).await;
    stage.cx.secrets.insert("password".into(), Secret::new("CANARY-wrong".into()));
    let refused = LangBot.look(&stage.cx, None, Look::All).await.unwrap_err();
    assert_eq!(refused.code, ReasonCode::CredentialRefused, "HTTP 200 with code 1");
    assert!(!format!("{refused:?}").contains("CANARY"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nobody_claimed_is_warned_of() {
    let server = LangBotSettings { owner: None, ..LangBotSettings::default() };
    let stage = Stage::of(server, Vec::new(), By::Key).await;
    let Report::Gateway(facts) = LangBot.look(&stage.cx, None, Look::Probe).await.unwrap() else { panic!() };
    assert_eq!(facts.version.unwrap().as_str(), "4.11.2");
    assert_eq!(facts.note.unwrap().code, ReasonCode::Unclaimed);
    assert_eq!(LangBot.facts(&stage.cx).await.unwrap().note.unwrap().code, ReasonCode::Unclaimed);
    let claimed = Stage::of(LangBotSettings::default(), Vec::new(), By::Key).await;
    assert_eq!(LangBot.facts(&claimed.cx).await.unwrap().note, None);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_wrong_in_the_bots_settings_is_to_be_mended_there_and_not_here() {
    let stage = Stage::of(LangBotSettings::default(), vec![failing(REFUSED), BotSpec { name: "lone".into(), ..failing(REFUSED) }], By::Key).await;
    for (name, place) in [("support", "the Secret of corp:ops-bot"), ("lone", "correct the Secret in the bot's settings")] {
        let why = stage.row(name).await.link.reason.unwrap();
        let remedy = crate::i18n::reason::remedy_sentence(&why, crate::i18n::Lang::En).unwrap();
        assert_eq!(why.code, ReasonCode::BotSecretRefused, "{name}");
        assert!(remedy.contains(place) && !remedy.contains("pairdeck secret set"), "{name}: {remedy}");
    }
    // An app that is in trouble itself is no source of a good secret.
    *stage.owner.0.lock().unwrap() = Some(Reason::new(ReasonCode::CredentialRefused));
    let why = stage.row("support").await.link.reason.unwrap();
    assert_eq!((why.code, why.arg("app").is_some()), (ReasonCode::BotSecretRefused, false));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_in_a_linked_bots_log_is_told_to_the_owner_of_its_apps_token_and_is_told_apart() {
    let line = |age_s| PastLine { level: "error".into(), text: EXPIRED.into(), age_s };
    let lines = vec![line(30), line(20), line(20), PastLine { level: "info".into(), text: "sent".into(), age_s: 10 }];
    let stage = Stage::of(LangBotSettings::default(), vec![BotSpec { log: lines, ..failing(EXPIRED) }], By::Key).await;
    stage.row("support").await;
    let mut seen: Vec<_> = stage.owner.1.lock().unwrap().drain(..).map(|s| (s.by.to_string(), s.nr)).collect();
    seen.dedup();
    assert_eq!(seen.len(), 3, "two of one second are two: {seen:?}");
    assert!(seen.iter().all(|(by, _)| by == "support"));
    let remedy = crate::i18n::reason::remedy_sentence(&stage.row("support").await.link.reason.unwrap(), crate::i18n::Lang::En);
    assert!(remedy.is_some_and(|r| r.starts_with("`r` restarts the bot")), "one key");
}

fn want() -> Want {
    Want { method: Method::Qr, number: None, wipe_spoilt: false }
}
