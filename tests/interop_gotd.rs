//! gotd's real client logs in to the sandbox's Telegram, is thrown out of it and works on a session file that we wrote. It is the judge
//! of the sandbox, which in turn is the judge of our own client. Needs `go` (1.25); without it skipped, loudly, and with
//! `PAIRDECK_CI=1` that is a failure. Building the client for the first time takes minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pairdeck::{
    domain::Secret,
    providers::telegram::mtproto::{App, AuthKey, Connection, KeyId, Network, Options as How, RsaKey, create_key, tl},
    sandbox::{Options, Part, Sandbox, Telegram, TelegramAccount, TelegramSession, TelegramSettings},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};
use support::gotd;
use tokio::sync::mpsc;

/// A running worker.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Worker {
    /// A client of `house` with this session file, or `None` when the test must be skipped.
    fn start(test: &str, tg: &Telegram, dc: i32, session: &Path, transport: &str) -> Option<Self> {
        let program = gotd::program(test)?;
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tx, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| tx.send(l)));
        let setup = gotd::setup(tg, dc, session, transport);
        stdin.write_all(format!("{setup}\n").as_bytes()).unwrap();
        Some(Self { child, stdin, lines })
    }

    fn tell(&mut self, what: &Value) {
        self.stdin.write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(40), self.lines.recv()).await.expect("the client says nothing");
        serde_json::from_str(&line.expect("the client ended")).unwrap()
    }

    /// Its next word, which must be this one.
    async fn says(&mut self, what: &str) -> Value {
        let v = self.next().await;
        assert_eq!(v["what"], what, "{v}");
        v
    }

    /// Tells it something and expects this word.
    async fn asked(&mut self, command: Value, what: &str) -> Value {
        self.tell(&command);
        self.says(what).await
    }

    /// Expects an error of the API.
    async fn refused(&mut self, command: Value) -> String {
        let v = self.asked(command, "error").await;
        format!("{} {}", v["code"], v["name"].as_str().unwrap())
    }

    /// Lets it end in peace.
    async fn end(mut self) {
        self.asked(json!({ "do": "end" }), "ended").await;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OWNER: i64 = 777_001;

fn owner() -> TelegramAccount {
    TelegramAccount { id: OWNER, name: "Ada".into(), username: "ada".into(), phone: "5511990000001".into(), dc: 4, ..TelegramAccount::default() }
}

async fn house(settings: TelegramSettings, accounts: Vec<TelegramAccount>) -> Sandbox {
    Sandbox::with(vec![("tg".to_owned(), Part::Telegram(Box::new(settings), accounts))], &Options::default()).await.unwrap()
}

/// A session file as gotd writes it, made here.
fn gotd_file(at: &Path, dc: i32, key: &[u8; 256]) {
    let id = AuthKey::new(*key).id();
    let data = json!({ "Config": {}, "DC": dc, "Addr": "", "AuthKey": STANDARD.encode(key), "AuthKeyID": STANDARD.encode(id.0), "Salt": 0 });
    std::fs::write(at, json!({ "Version": 1, "Data": data }).to_string()).unwrap();
}

/// The key in a session file.
fn key_in(at: &Path) -> KeyId {
    let v: Value = serde_json::from_slice(&std::fs::read(at).unwrap()).unwrap();
    let bytes = STANDARD.decode(v["Data"]["AuthKey"].as_str().unwrap()).unwrap();
    let key = AuthKey::new(bytes.try_into().unwrap());
    assert_eq!(STANDARD.encode(key.id().0), v["Data"]["AuthKeyID"], "gotd and we name keys alike");
    key.id()
}

/// The same, once gotd has written its file: it is ready a moment before.
async fn key_written_in(at: &Path) -> KeyId {
    let whole = |at: &Path| std::fs::read(at).is_ok_and(|b| serde_json::from_slice::<Value>(&b).is_ok());
    let written = async {
        while !whole(at) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.expect("gotd writes no session file");
    key_in(at)
}

/// An account whose worker has a key from the start.
fn with_worker(key: [u8; 256]) -> TelegramAccount {
    let session =
        TelegramSession { key: Some(Box::new(key)), device: "worker".into(), age: Duration::from_secs(90_000), ..TelegramSession::default() };
    TelegramAccount { sessions: vec![session], ..owner() }
}

#[tokio::test]
async fn gotd_logs_in_by_qr_over_two_data_centres_with_a_password_and_comes_back_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.json");
    let house = house(TelegramSettings::default(), vec![TelegramAccount { password: Some("correct horse".into()), ..owner() }]).await;
    let tg = house.telegram("tg").unwrap();
    let Some(mut worker) = Worker::start("QR login", tg, 2, &file, "") else { return };
    worker.says("ready").await;
    let first = key_written_in(&file).await;
    let token = worker.asked(json!({ "do": "qr" }), "token").await;
    // gotd drops a notice that comes while it shows the code: as a person would, the phone takes a moment.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let hash = tg.scan(OWNER, token["url"].as_str()).unwrap();
    let v = worker.says("error").await;
    assert_eq!((&v["code"], &v["name"]), (&json!(401), &json!("SESSION_PASSWORD_NEEDED")), "{v}");
    let device = |tg: &Telegram| tg.devices(OWNER).into_iter().find(|d| d.hash == hash).unwrap();
    assert!(device(tg).pending);
    assert_eq!(worker.refused(json!({ "do": "self" })).await, "401 SESSION_PASSWORD_NEEDED");
    assert_eq!(worker.refused(json!({ "do": "password", "password": "wrong" })).await, "400 PASSWORD_HASH_INVALID");
    worker.asked(json!({ "do": "password", "password": "correct horse" }), "in").await;
    let me = worker.asked(json!({ "do": "self" }), "self").await;
    assert_eq!((&me["id"], &me["name"]), (&json!(OWNER), &json!("Ada")));
    worker.end().await;
    let last = key_in(&file);
    assert_ne!(first, last, "the key of the first data centre was left behind");
    assert_eq!((device(tg).key, device(tg).pending), (Some(last.0), false));
    let Some(mut again) = Worker::start("QR login", tg, 2, &file, "") else { return };
    again.says("ready").await;
    assert_eq!(again.asked(json!({ "do": "self" }), "self").await["id"], OWNER);
    again.end().await;
}

#[tokio::test]
async fn gotd_works_with_a_file_that_we_wrote_and_a_copy_of_it_ends_both() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    let key: [u8; 256] = std::array::from_fn(|i| (i * 7 + 3) as u8);
    gotd_file(&one, 4, &key);
    std::fs::copy(&one, &two).unwrap();
    let house = house(TelegramSettings::default(), vec![with_worker(key)]).await;
    let tg = house.telegram("tg").unwrap();
    let Some(mut first) = Worker::start("copied session", tg, 2, &one, "") else { return };
    first.says("ready").await;
    assert_eq!(first.asked(json!({ "do": "self" }), "self").await["id"], OWNER);
    assert!(tg.alive(AuthKey::new(key).id().0));
    let Some(mut second) = Worker::start("copied session", tg, 2, &two, "") else { return };
    let died = second.says("died").await;
    assert_eq!((&died["code"], &died["name"]), (&json!(406), &json!("AUTH_KEY_DUPLICATED")));
    assert!(!tg.alive(AuthKey::new(key).id().0), "the session is invalidated at once");
    assert!(tg.devices(OWNER).is_empty());
    assert_eq!(first.refused(json!({ "do": "self" })).await, "406 AUTH_KEY_DUPLICATED");
}

#[tokio::test]
async fn one_gotd_after_the_other_with_one_file_is_no_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.json");
    let key: [u8; 256] = std::array::from_fn(|i| (i * 5 + 1) as u8);
    gotd_file(&file, 4, &key);
    let house = house(TelegramSettings::default(), vec![with_worker(key)]).await;
    let tg = house.telegram("tg").unwrap();
    for _ in 0..3 {
        let Some(mut worker) = Worker::start("one after the other", tg, 2, &file, "") else { return };
        worker.says("ready").await;
        assert_eq!(worker.asked(json!({ "do": "self" }), "self").await["id"], OWNER);
        worker.end().await;
    }
    // The last one's end has still to be read.
    let gone = async {
        while !tg.connected().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    assert!(tg.alive(AuthKey::new(key).id().0));
}

#[tokio::test]
async fn gotd_dies_of_a_session_that_was_ended_on_the_phone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.json");
    let key: [u8; 256] = std::array::from_fn(|i| (i * 3 + 9) as u8);
    gotd_file(&file, 4, &key);
    let house = house(TelegramSettings::default(), vec![with_worker(key)]).await;
    let tg = house.telegram("tg").unwrap();
    let Some(mut worker) = Worker::start("ended session", tg, 2, &file, "") else { return };
    worker.says("ready").await;
    assert_eq!(tg.revoke_all(OWNER), 1);
    assert_eq!(worker.refused(json!({ "do": "self" })).await, "401 SESSION_REVOKED");
}

#[tokio::test]
async fn gotd_as_an_operator_accepts_lists_and_may_end_others_only_after_the_first_day() {
    let folder = tempfile::tempdir().unwrap();
    let (boss, file) = (folder.path().join("boss.json"), folder.path().join("worker.json"));
    let key: [u8; 256] = std::array::from_fn(|i| (i * 11 + 2) as u8);
    gotd_file(&boss, 4, &key);
    let mut account = with_worker(key);
    account.sessions[0].age = Duration::from_secs(3600);
    let house = house(TelegramSettings::default(), vec![account]).await;
    let tg = house.telegram("tg").unwrap();
    let Some(mut boss) = Worker::start("operator", tg, 4, &boss, "") else { return };
    boss.says("ready").await;
    let Some(mut worker) = Worker::start("operator", tg, 4, &file, "") else { return };
    worker.says("ready").await;
    let token = worker.asked(json!({ "do": "qr" }), "token").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let accepted = boss.asked(json!({ "do": "accept", "token": token["url"] }), "accepted").await;
    worker.says("in").await;
    assert_eq!(boss.refused(json!({ "do": "accept", "token": token["url"] })).await, "400 AUTH_TOKEN_ALREADY_ACCEPTED");
    let devices = boss.asked(json!({ "do": "devices" }), "devices").await;
    let rows = devices["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["current"], &rows[0]["hash"]), (2, &json!(true), &json!("0")), "{devices}");
    assert_eq!(rows[1]["hash"], accepted["hash"]);
    let reset = json!({ "do": "reset", "hash": accepted["hash"] });
    assert_eq!(boss.refused(reset.clone()).await, "406 FRESH_RESET_AUTHORISATION_FORBIDDEN");
    assert_eq!(boss.refused(json!({ "do": "reset_others" })).await, "406 FRESH_RESET_AUTHORISATION_FORBIDDEN");
    tg.age(OWNER, Duration::from_secs(86_400));
    assert_eq!(boss.refused(json!({ "do": "reset", "hash": "1" })).await, "400 HASH_INVALID");
    boss.asked(reset, "reset").await;
    assert_eq!(worker.refused(json!({ "do": "self" })).await, "401 AUTH_KEY_UNREGISTERED");
    boss.asked(json!({ "do": "logout" }), "out").await;
    assert!(tg.devices(OWNER).is_empty());
}

#[tokio::test]
async fn gotd_logs_in_by_phone_at_the_data_centre_that_it_is_sent_to() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(TelegramSettings::default(), vec![owner()]).await;
    let tg = house.telegram("tg").unwrap();
    let Some(mut worker) = Worker::start("phone login", tg, 2, &folder.path().join("s.json"), "") else { return };
    worker.says("ready").await;
    let sent = worker.asked(json!({ "do": "phone", "phone": "+55 11 99000-0001" }), "sent").await;
    let code = tg.code(OWNER).unwrap();
    let wrong = if code == "00000" { "11111" } else { "00000" };
    let say = |code: &str| json!({ "do": "code", "phone": "5511990000001", "hash": sent["hash"], "code": code });
    assert_eq!(worker.refused(say(wrong)).await, "400 PHONE_CODE_INVALID");
    worker.asked(say(&code), "in").await;
    assert_eq!(worker.asked(json!({ "do": "self" }), "self").await["id"], OWNER);
    worker.end().await;
}

#[tokio::test]
async fn a_bot_of_gotd_logs_in_over_every_transport() {
    let bot = TelegramAccount { id: 5_000_001, name: "Bot".into(), dc: 2, bot_token: Some("5000001:GOOD".into()), ..TelegramAccount::default() };
    let house = house(TelegramSettings::default(), vec![bot]).await;
    let tg = house.telegram("tg").unwrap();
    for transport in ["intermediate", "abridged", "full", "padded", "obfuscated"] {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut worker) = Worker::start("bot login", tg, 2, &folder.path().join("s.json"), transport) else { return };
        worker.says("ready").await;
        assert_eq!(worker.refused(json!({ "do": "bot", "token": "5000001:OLD" })).await, "400 ACCESS_TOKEN_EXPIRED", "{transport}");
        worker.asked(json!({ "do": "bot", "token": "5000001:GOOD" }), "in").await;
        assert_eq!(worker.asked(json!({ "do": "self" }), "self").await["bot"], true);
        assert_eq!(worker.refused(json!({ "do": "devices" })).await, "400 BOT_METHOD_INVALID");
        worker.end().await;
    }
}

#[tokio::test]
async fn gotd_runs_on_a_key_that_we_made_logged_in_and_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.json");
    let house = house(TelegramSettings::default(), vec![owner()]).await;
    let tg = house.telegram("tg").unwrap();
    let net = Network::own(tg.dcs(), vec![RsaKey::from_pem(tg.pem()).unwrap()]);
    let at = net.address(4).unwrap();
    let made = create_key(&net, at).await.unwrap();
    let app = App { id: 12345, hash: Secret::new("x".into()), device: "made by us".into(), system: "Linux".into(), version: "1".into() };
    let c = Connection::open(&net, at, made.key.clone(), How { app, salt: made.salt, clock: made.clock.offset }).await.unwrap();
    let export = tl::functions::auth::ExportLoginToken { api_id: 12345, api_hash: "0123456789abcdef0123456789abcdef".into(), except_ids: Vec::new() };
    c.invoke(&export).await.unwrap();
    let hash = tg.scan(OWNER, None).unwrap();
    assert!(matches!(c.invoke(&export).await.unwrap(), tl::enums::auth::LoginToken::Success(_)));
    c.close().await;
    gotd_file(&file, 4, made.key.expose());
    let Some(mut worker) = Worker::start("handed over", tg, 2, &file, "") else { return };
    worker.says("ready").await;
    assert_eq!(worker.asked(json!({ "do": "self" }), "self").await["id"], OWNER);
    worker.end().await;
    assert_eq!(key_in(&file), made.key.id());
    let row = tg.devices(OWNER).into_iter().find(|d| d.hash == hash).unwrap();
    assert_eq!((row.device.as_str(), tg.alive(made.key.id().0)), ("gotd worker", true), "the row shows what the worker says of itself");
}
