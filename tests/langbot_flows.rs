//! A LangBot server whose bot really talks to the sandbox's WeCom, through the whole program: what it shows, restarts and pairs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{AppSpec, BotSpec, LangBot, LangBotSettings, Part, Scan, TokenServer, TokenSettings};
use serde_json::{Value, json};
use support::house::{Home, Servers, http_as, langbot_bot, until};

const SECRET: &str = "CANARY-OPS-b41c07-0123456789";
const KEY: &str = "lbk_CANARY_global_key_9d2f";

struct Bench {
    servers: Servers,
    home: Home,
}

impl Bench {
    fn new() -> Self {
        let corp = TokenSettings::default();
        let app = AppSpec { id: "1000002".into(), name: "ops".into(), secret: SECRET.into(), ..AppSpec::default() };
        let map = |v: Value| v.as_object().unwrap().clone();
        let wecom = json!({ "corpid": corp.corpid, "secret": SECRET, "token": "cb", "EncodingAESKey": "k".repeat(43), "api_base_url": "@corp" });
        let support = BotSpec { name: "support".into(), adapter: "wecom".into(), config: map(wecom), enable: true, ..BotSpec::default() };
        let ai = json!({ "BotId": "", "Secret": "", "robot_name": "helper", "enable-webhook": false });
        let helper = BotSpec { name: "helper".into(), adapter: "wecombot".into(), config: map(ai), enable: true, ..BotSpec::default() };
        let settings = LangBotSettings { global_key: Some(KEY.into()), ..LangBotSettings::default() };
        let servers =
            Servers::with(vec![("corp", Part::Tokens(Box::new(corp), vec![app])), ("lb", Part::LangBot(Box::new(settings), vec![support, helper]))]);
        let home = Home::of(&servers);
        let text = std::fs::read_to_string(home.file("config.toml")).unwrap();
        home.write_config(&format!("{text}\n[gateway.lb.link]\nsupport = \"corp:ops\"\n"));
        Self { servers, home }
    }

    fn corp(&self) -> &TokenServer {
        self.servers.sandbox().tokens("corp").unwrap()
    }

    fn lb(&self) -> &LangBot {
        self.servers.sandbox().langbot("lb").unwrap()
    }

    fn id(&self, bot: &str) -> String {
        self.lb().bot(bot).unwrap().uuid
    }

    fn status(&self, bot: &str) -> Value {
        self.home.run(&["status", &format!("lb:{}", self.id(bot)), "--json"]).exits(0).json()
    }

    /// One request past the program, as a client with a key makes it.
    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        http_as(&self.servers.url("lb"), method, path, ("x-api-key", KEY), Some(body))
    }

    /// The bot says something to a person; the status of the answer.
    fn send(&self) -> u16 {
        let chain = json!([{ "type": "Plain", "text": "hello" }]);
        let body = json!({ "target_type": "person", "target_id": "lin|1000002", "message_chain": chain });
        self.call("POST", &format!("/api/v1/platform/bots/{}/send_message", self.id("support")), &body).0
    }
}

#[test]
fn a_dead_token_in_a_bots_log_is_its_reason_and_a_restart_makes_it_send_again() {
    let b = Bench::new();
    let doc = b.status("support");
    assert_eq!((&doc["state"], &doc["reason"]["code"]), (&json!("loaded"), &json!("state_not_reported")), "{doc}");
    assert_eq!(b.send(), 200);
    assert_eq!((b.corp().messages().len(), b.corp().fetched()), (1, 1), "the bot talks to the sandbox's WeCom");
    b.corp().expire("ops");
    // As other adapters and versions write it; the `wecom` adapter of 4.11.2 heals a refused text without a line.
    let line = "发送消息失败:{'errcode': 42001, 'errmsg': 'access_token expired, hint: [1754461450424274146823226], from ip: 203.0.113.7'}";
    assert!(b.lb().write_log("support", "error", line));
    let doc = b.status("support");
    assert_eq!((&doc["state"], &doc["reason"]["code"]), (&json!("loaded"), &json!("token_expired")), "{doc}");
    assert!(doc["reason"]["raw"].as_str().unwrap().contains("42001"), "{doc}");
    let loads = b.lb().bot("support").unwrap().loads;
    b.home.run(&["wipe", &format!("lb:{}", b.id("support")), "--yes"]).exits(0);
    assert_eq!(b.lb().bot("support").unwrap().loads, loads + 1);
    assert_eq!(b.status("support")["reason"]["code"], "state_not_reported");
    assert_eq!(b.send(), 200);
    assert_eq!((b.corp().messages().len(), b.corp().fetched()), (2, 2), "with a token that it fetched anew");
    b.home.keeps_secrets();
}

#[test]
fn a_picture_that_a_dead_token_lost_is_told_as_that_and_the_next_one_goes() {
    let b = Bench::new();
    let picture = || {
        let body = json!({ "target_type": "person", "target_id": "lin|1000002", "message_chain": [{ "type": "Image", "base64": "eA==" }] });
        b.call("POST", &format!("/api/v1/platform/bots/{}/send_message", b.id("support")), &body).0
    };
    assert_eq!(picture(), 200);
    b.corp().expire("ops");
    assert_eq!((picture(), picture()), (500, 200), "LangBot fetches another token and gives up one picture");
    assert_eq!(b.corp().fetched(), 2);
    let doc = b.status("support");
    assert_eq!(doc["reason"]["code"], "state_not_reported", "{doc}");
    assert!(doc["reason"]["text"].as_str().unwrap().contains("uploads lost by it: 1"), "{doc}");
}

#[test]
fn an_address_that_is_not_trusted_is_one_story_of_the_bot_and_of_its_app() {
    let b = Bench::new();
    b.home.run(&["regenerate", "corp:ops", "--yes"]).exits(0);
    b.corp().trust("ops", Some(Vec::new()));
    assert_eq!(b.send(), 500);
    let bot = b.status("support");
    assert_eq!((&bot["reason"]["code"], &bot["facts"]["app"]), (&json!("address_not_trusted"), &json!("corp:ops")), "{bot}");
    let app = b.home.run(&["status", "corp:ops", "--json"]).exits(0).json();
    assert_eq!(app["reason"]["code"], "address_not_trusted");
    for doc in [&bot, &app] {
        assert!(doc["reason"]["text"].as_str().unwrap().contains("203.0.113.7"), "{doc}");
    }
    // Restarting mends nothing here: what is wrong is said again once it sends.
    b.corp().trust("ops", None);
    b.home.run(&["do", "restart", &format!("lb:{}", b.id("support")), "--yes"]).exits(0);
    assert_eq!(b.send(), 200);
    assert_eq!(b.status("support")["reason"]["code"], "state_not_reported");
}

#[test]
fn a_secret_that_was_reset_is_told_of_the_bot_by_its_own_log() {
    let b = Bench::new();
    b.corp().reset_secret("ops", Some("CANARY-new-secret-0123456789"), Some(true));
    assert_eq!(b.send(), 500);
    let doc = b.status("support");
    assert_eq!(doc["reason"]["code"], "bot_secret_refused", "{doc}");
    assert!(doc["reason"]["raw"].as_str().unwrap().contains("40001"), "{doc}");
    b.home.keeps_secrets();
}

#[test]
fn a_scanned_code_ends_with_its_credential_in_the_bots_settings_and_nowhere_in_clear() {
    let b = Bench::new();
    let child = b.home.command(&["pair", &format!("lb:{}", b.id("helper")), "--qr", "--json"]).spawn().unwrap();
    until("a code", || !b.lb().sessions().is_empty());
    let payload = b.lb().sessions()[0].payload.clone();
    until("the scan", || b.lb().scan(|_| true, Scan::Agrees).is_ok());
    let ran = b.home.finish(child).exits(0);
    let lines = ran.lines();
    let offer = lines.iter().find(|l| l["event"] == "offer").expect("no offer");
    assert_eq!((&offer["kind"], offer["payload"].as_str()), (&json!("qr"), Some(payload.as_str())));
    assert_eq!(lines.last().unwrap()["event"], "linked", "{}", ran.stdout);
    let bot = langbot_bot(&b.servers.url("lb"), KEY, &b.id("helper"));
    let config = &bot["adapter_config"];
    let (id, secret) = (config["BotId"].as_str().unwrap(), config["Secret"].as_str().unwrap());
    assert!(id.starts_with("aib") && secret.len() > 16, "{bot}");
    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "the credential was shown");
    assert!(b.lb().sessions().is_empty());
    b.home.keeps_secrets();
}

#[test]
fn a_server_that_is_known_by_a_login_alone_gets_its_password_by_name() {
    let b = Bench::new();
    let home = Home::of(&b.servers);
    home.run(&["secret", "forget", "lb"]).exits(0);
    home.run_with(&["secret", "set", "lb", "--name", "nothing", "--file", "-"], "x").exits(2).says(&["api_key, password"]);
    home.run(&["status", &format!("lb:{}", b.id("support")), "--json"]);
    home.run_with(&["secret", "set", "lb", "--name", "password", "--file", "-"], "sandbox-pass-1").exits(0);
    let doc = home.run(&["status", &format!("lb:{}", b.id("support")), "--json"]).exits(0).json();
    assert_eq!(doc["state"], "loaded", "{doc}");
    home.keeps_secrets();
}
