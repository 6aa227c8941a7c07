//! wechatpy, the Python library that most bots use, fetches and sends through the sandbox: 1.8.18 and the 2.0 pre-release. Needs
//! python3 with venv and a package index; without them it is skipped, loudly, and with `PAIRDECK_CI=1` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::sandbox::{AppSpec, Options, Part, Platform, Sandbox, TokenFault, TokenServer, TokenSettings};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};
use support::{
    house::{Home, Servers},
    judge::{self, Judge},
    redis::RedisServer,
};

const SECRET: &str = "OPS-SECRET-b41c07";
const APPID: &str = "wx4f1a2b3c4d5e6f70";

static INSTALLED: [OnceLock<Result<PathBuf, String>>; 2] = [OnceLock::new(), OnceLock::new()];

/// The python of an environment with wechatpy 1 or 2, outside of the source tree, or why there is none.
fn installed(major: usize) -> Result<PathBuf, String> {
    let install = || {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/wechatpy").join(format!("requirements-{major}.txt"));
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("interop-wechatpy-{major}"));
        let python = to.join("bin/python");
        // What is there from the last run is used again, if it was made of the same list.
        let (wanted, made_of) = (std::fs::read(&from).map_err(|e| e.to_string())?, to.join("made-of.txt"));
        if std::fs::read(&made_of).ok().as_ref() != Some(&wanted) {
            judge::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&to))?;
            judge::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&from))?;
            std::fs::write(&made_of, wanted).map_err(|e| e.to_string())?;
        }
        Ok(python)
    };
    INSTALLED[major - 1].get_or_init(install).clone()
}

struct Client(Judge);

impl Client {
    /// A running client, or `None` when the test must be skipped.
    async fn start(test: &str, major: usize) -> Option<Self> {
        let python = judge::there(test, installed(major))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/wechatpy/client.py");
        let mut c = Self(Judge::start(Command::new(python).arg("-B").arg(script).env("NO_PROXY", "*")));
        assert_eq!(c.0.next().await["ready"], true);
        Some(c)
    }

    /// Has it do something; its answer.
    async fn act(&mut self, what: Value) -> Value {
        self.0.tell(&what);
        self.0.next().await
    }

    /// Makes a client of the corporation.
    async fn work(&mut self, t: &TokenServer, token: Option<&str>) {
        let made = self.act(json!({ "do": "work", "base": t.url(), "corpid": t.settings().corpid, "secret": SECRET, "token": token })).await;
        assert_eq!(made["ok"], "made", "{made}");
    }

    async fn send(&mut self, text: &str) -> Value {
        self.act(json!({ "do": "send", "agentid": 1_000_002, "to": ["lin", "chen"], "text": text })).await
    }
}

async fn sandbox(settings: TokenSettings) -> Sandbox {
    let (id, other) = match settings.platform {
        Platform::Wecom => ("1000002", "1000003"),
        Platform::WechatOa => (APPID, "wx0000000000000000"),
    };
    let app = |id: &str, secret: &str| AppSpec { id: id.to_owned(), secret: secret.to_owned(), ..AppSpec::default() };
    let part = Part::Tokens(Box::new(settings), vec![app(id, SECRET), app(other, "ANOTHER")]);
    Sandbox::with(vec![("corp".to_owned(), part)], &Options::default()).await.unwrap()
}

/// Everything that both versions do alike.
async fn a_day_in_the_life(major: usize) {
    let test = format!("wechatpy {major}");
    let Some(mut client) = Client::start(&test, major).await else { return };
    let house = sandbox(TokenSettings::default()).await;
    let corp = house.tokens("corp").unwrap();
    client.work(corp, None).await;

    let sent = client.send("好").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(1)), "{sent}");
    let sent = client.send("again").await;
    assert_eq!(sent["fetches"], 0, "its own cache: {sent}");
    let all: Vec<_> = corp.messages().iter().map(|m| (m.to.clone(), m.text.clone())).collect();
    assert_eq!(all, [("lin|chen".to_owned(), "好".to_owned()), ("lin|chen".to_owned(), "again".to_owned())]);
    let ips = client.act(json!({ "do": "ips" })).await;
    assert!(ips["ok"].as_array().is_some_and(|l| !l.is_empty()), "{ips}");
    let agent = client.act(json!({ "do": "agent", "agentid": 1_000_002 })).await;
    assert_eq!(agent["ok"]["agentid"], 1_000_002, "{agent}");
    assert_eq!(client.act(json!({ "do": "agent", "agentid": 1_000_003 })).await["errcode"], 301_002);

    // The platform drops the token early: it fetches once and sends after all.
    corp.revoke("1000002");
    let sent = client.send("after 42001").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(1)), "{sent}");
    corp.stale(pairdeck::sandbox::Stale::Invalid);
    corp.expire("1000002");
    let sent = client.send("after 40014").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(1)), "{sent}");

    // An untrusted address: told, and no reason to fetch.
    corp.trust("1000002", Some(Vec::new()));
    let told = client.send("from elsewhere").await;
    assert_eq!((&told["errcode"], &told["fetches"]), (&json!(60020), &json!(0)), "{told}");
    assert!(told["errmsg"].as_str().unwrap().contains("from ip: 203.0.113.7, more info at"), "{told}");
    corp.trust("1000002", None);

    // A string for a number is read by it, as by any careful client.
    corp.fault(TokenFault::StringCode, 1, None);
    let sent = client.send("string").await;
    assert_eq!(sent["ok"]["errcode"], 0, "{sent}");
    corp.fault(TokenFault::parse("busy", None, false).unwrap(), 1, None);
    assert_eq!(client.send("busy").await["errcode"], -1);

    // A token from elsewhere is used as it is: what pairdeck hands out.
    let (token, _) = corp.live("1000002").unwrap();
    client.work(corp, Some(token.expose())).await;
    let sent = client.send("with a given token").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(0)), "{sent}");

    // The storm: a request that is 42001 whatever the token makes it fetch until it runs out of stack (wecom-langbot §0.4), or
    // until the platform has had enough.
    let before = corp.fetched();
    corp.fault(TokenFault::parse("loop", None, false).unwrap(), u32::MAX, None);
    let ended = client.send("loop").await;
    let stormed = corp.fetched() - before;
    assert!(stormed > 20 && ended["fetches"] == json!(stormed), "{ended}, {stormed} fetches");
    assert!(ended["error"] == "RecursionError" || ended["errcode"] == 45009, "{ended}");
    assert!(corp.fetches("1000002").minted <= 3, "and every one of them brought the same string");
    corp.heal();

    // The Secret is reset: no token, and it says why.
    corp.reset_secret("1000002", Some("NEW"), None).unwrap();
    let told = client.send("reset").await;
    assert_eq!((&told["errcode"], &told["fetches"]), (&json!(40001), &json!(1)), "{told}");
    let (asked, _) = corp.asked();
    assert!(!format!("{asked:?}").contains(SECRET), "the list of requests holds no secret");
}

#[tokio::test]
async fn wechatpy_1_fetches_sends_and_storms_as_it_does_on_the_real_platform() {
    a_day_in_the_life(1).await;
}

#[tokio::test]
async fn wechatpy_2_fetches_sends_and_storms_as_it_does_on_the_real_platform() {
    a_day_in_the_life(2).await;
}

#[tokio::test]
async fn wechatpy_of_official_accounts_uses_the_classic_token_and_kills_the_one_before() {
    let Some(mut client) = Client::start("wechatpy, official accounts", 2).await else { return };
    let house = sandbox(TokenSettings { overlap: Duration::ZERO, ..TokenSettings::wechat_oa() }).await;
    let oa = house.tokens("corp").unwrap();
    let made = client.act(json!({ "do": "official", "base": oa.url(), "appid": APPID, "secret": SECRET })).await;
    assert_eq!(made["ok"], "made", "{made}");
    let sent = client.act(json!({ "do": "custom", "to": "open-1", "text": "hi" })).await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(1)), "{sent}");
    // Another process fetches: ours is "not latest", 40001, and it takes one more fetch, which kills the other's in turn.
    assert_eq!(oa.foreign_fetch(APPID), Some(0));
    let ips = client.act(json!({ "do": "ips" })).await;
    assert_eq!((ips["ok"].is_array(), &ips["fetches"]), (true, &json!(1)), "{ips}");
    assert_eq!(oa.messages().len(), 1);
}

/// A platform that lives on a thread of its own, a home that knows it, and a Redis if there is one.
fn host(redis: Option<String>) -> (Servers, Home) {
    // Both drive runtimes of their own, which cannot be done within one.
    std::thread::spawn(move || made(redis)).join().unwrap()
}

fn made(redis: Option<String>) -> (Servers, Home) {
    let app = AppSpec { id: "1000002".to_owned(), name: "ops".to_owned(), secret: SECRET.to_owned(), ..AppSpec::default() };
    let settings = TokenSettings::default();
    let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings.clone()), vec![app]))]);
    let home = Home::of(&servers);
    let (shared, mirror) = match redis {
        Some(url) => (format!("[shared]\nredis = \"{url}\"\nmirror_prefix = \"bots\"\n"), "mirror = [\"wechatpy2\"]\n"),
        None => (String::new(), ""),
    };
    let (url, corp) = (servers.url("corp"), settings.corpid);
    home.write_config(&format!(
        "{shared}[gateway.corp]\nkind = \"wecom\"\nurl = \"{url}\"\ncorp_id = \"{corp}\"\n[gateway.corp.account.ops]\nid = \"1000002\"\n{mirror}"
    ));
    (servers, home)
}

/// A client whose one fetching method asks pairdeck: a dead token is refused once and replaced once, a second refusal ends it.
async fn a_client_that_asks_pairdeck(major: usize) {
    let Some(mut client) = Client::start(&format!("wechatpy {major} through pairdeck"), major).await else { return };
    let (servers, home) = host(None);
    let corp = servers.sandbox().tokens("corp").unwrap();
    let (program, base, corpid) = (env!("CARGO_BIN_EXE_pairdeck"), corp.url(), corp.settings().corpid.clone());
    let made = client.act(json!({ "do": "shim", "base": base, "corpid": corpid, "program": program, "home": home.path(), "name": "corp:ops" })).await;
    assert_eq!(made["ok"], "made", "{made}");
    let sent = client.send("first").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(1)), "{sent}");
    assert_eq!((client.send("cached").await["fetches"].clone(), corp.fetched()), (json!(0), 1));
    // 42001: the token is reported, replaced by one fetch, and the request is made again.
    corp.revoke("ops");
    let sent = client.send("after 42001").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"], corp.fetched()), (&json!(0), &json!(1), 2), "{sent}");
    assert_eq!(corp.messages().len(), 3);
    // 42001 whatever the token: where the library alone fetched hundreds of times, it is told to stop.
    corp.fault(TokenFault::parse("loop", None, false).unwrap(), u32::MAX, None);
    let before = corp.fetched();
    let told = client.send("loop").await;
    assert_eq!(told["errcode"], 4, "{told}");
    assert!(told["errmsg"].as_str().unwrap().starts_with("pairdeck: token_rejected_again:"), "{told}");
    assert!(corp.fetched() - before <= 1 && told["fetches"].as_i64().unwrap() <= 2, "{told}, {} fetches", corp.fetched() - before);
    for _ in 0..10 {
        assert_eq!(client.send("again").await["errcode"], 4);
    }
    assert!(corp.fetched() - before <= 1, "{} fetches in a loop", corp.fetched() - before);
}

#[tokio::test]
async fn wechatpy_1_with_tokens_of_pairdeck_tries_again_once_and_never_storms() {
    a_client_that_asks_pairdeck(1).await;
}

#[tokio::test]
async fn wechatpy_2_with_tokens_of_pairdeck_tries_again_once_and_never_storms() {
    a_client_that_asks_pairdeck(2).await;
}

/// The mirror, read by the library's own storage.
async fn a_client_that_reads_the_mirror(major: usize) {
    let what = format!("wechatpy {major} on a mirror");
    let Some(redis) = RedisServer::start(&what, &[]) else { return };
    let Some(mut client) = Client::start(&what, major).await else { return };
    let (servers, home) = host(Some(redis.url()));
    let corp = servers.sandbox().tokens("corp").unwrap();
    home.run(&["token", "corp:ops"]).exits(0);
    let (base, corpid) = (corp.url(), corp.settings().corpid.clone());
    let made = client.act(json!({ "do": "stored", "base": base, "corpid": corpid, "secret": SECRET, "redis": redis.url(), "prefix": "bots" })).await;
    assert_eq!(made["ok"], "made", "{made}");
    let sent = client.send("from the mirror").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(0)), "{sent}");
    // Another token, and the client has it at once.
    let old = home.run(&["token", "corp:ops"]).stdout;
    corp.revoke("ops");
    home.run_with(&["token", "corp:ops", "--rejected", "-"], &old).exits(0);
    let sent = client.send("from the mirror again").await;
    assert_eq!((&sent["ok"]["errcode"], &sent["fetches"]), (&json!(0), &json!(0)), "{sent}");
    assert_eq!((corp.messages().len(), corp.fetched()), (2, 2));
    // Wiped: it is gone for the library too.
    home.run(&["wipe", "corp:ops", "--yes"]).exits(0);
    assert_eq!(client.send("after a wipe").await["errmsg"], "the library fetches by itself");
}

#[tokio::test]
async fn wechatpy_1_reads_the_mirror_natively() {
    a_client_that_reads_the_mirror(1).await;
}

#[tokio::test]
async fn wechatpy_2_reads_the_mirror_natively() {
    a_client_that_reads_the_mirror(2).await;
}
