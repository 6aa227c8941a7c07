//! What hosts share, against a real redis-server: leases with fences, lives, news, sealing, mirrors, users, TLS, and its loss.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::{
    clock::SystemTime,
    domain::{Clean, Fingerprint, ReasonCode, Secret},
    shared::{
        Gone, Lease, Mirror, MirrorForm, News, Put, Shared, SharedToken, mark,
        redis::{Means, PATIENCE, Redis},
    },
    store::config::SharedStore,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::redis::{RedisServer, Tls};

const NAME: &str = "wecom/ww1/1000002";
const TTL: Duration = Duration::from_secs(15);
const KEY: [u8; 32] = [7; 32];

fn settings(server: &RedisServer) -> SharedStore {
    SharedStore { redis: server.url(), prefix: "pairdeck".into(), ..SharedStore::default() }
}

fn means(who: &str) -> Means {
    Means { password: None, seal: None, who: Clean::new(who), time: Arc::new(SystemTime::new()), fingerprint_key: KEY }
}

fn host(server: &RedisServer, who: &str) -> Redis {
    Redis::new(&settings(server), means(who)).unwrap()
}

fn token(text: &str, left: u64) -> SharedToken {
    let token = Secret::new(text.to_owned());
    let fingerprint = Fingerprint::of(&KEY, &token);
    SharedToken {
        token,
        fingerprint,
        generation: 0,
        left: Duration::from_secs(left),
        age: Duration::ZERO,
        by: Clean::new("pairdeck[1]@a"),
        renewed: false,
        good: None,
    }
}

async fn lease(of: &Redis) -> Lease {
    of.acquire(NAME, TTL).await.unwrap().expect("the lease is free")
}

#[tokio::test]
async fn one_host_holds_the_lease_and_only_its_owner_lets_it_go() {
    let Some(server) = RedisServer::start("leases", &[]) else { return };
    let (a, b) = (host(&server, "pairdeck[1]@a"), host(&server, "pairdeck[2]@b"));
    let mine = lease(&a).await;
    assert_eq!(b.acquire(NAME, TTL).await.unwrap(), None);
    assert_eq!(b.holder(NAME).await.unwrap().unwrap().as_str(), "pairdeck[1]@a");
    b.release(&Lease { owner: "pairdeck[2]@b 0".into(), ..mine.clone() }).await.unwrap();
    assert!(a.renew(&mine, TTL).await.unwrap());
    a.release(&mine).await.unwrap();
    let theirs = lease(&b).await;
    assert!(theirs.fence > mine.fence);
    assert!(!a.renew(&mine, TTL).await.unwrap());
}

#[tokio::test]
async fn a_holder_that_was_overtaken_is_fenced_out_before_the_newer_one_writes_and_after() {
    let Some(server) = RedisServer::start("fences", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    let late = lease(&a).await;
    // Its time runs out while it hangs.
    server.cli(&["DEL", &format!("pairdeck:{{{NAME}}}:lease")]);
    let newer = lease(&b).await;
    assert_eq!(a.put(&late, &token("token-of-the-late-one", 7200), &[]).await.unwrap(), Put::Fenced);
    assert_eq!(b.put(&newer, &token("token-of-the-newer-one", 7200), &[]).await.unwrap(), Put::Stored);
    assert_eq!(a.put(&late, &token("token-of-the-late-one", 7200), &[]).await.unwrap(), Put::Fenced);
    a.release(&late).await.unwrap();
    assert_eq!(a.acquire(NAME, TTL).await.unwrap(), None, "the late one let go what was not its own");
    let seen = a.get(NAME).await.unwrap().unwrap();
    assert_eq!((seen.token.expose(), seen.generation), ("token-of-the-newer-one", newer.fence));
}

#[tokio::test]
async fn a_life_travels_as_what_is_left_of_it_and_ends_by_itself() {
    let Some(server) = RedisServer::start("lives", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    let given = SharedToken { age: Duration::from_secs(1200), ..token("token-with-a-life", 6000) };
    a.put(&lease(&a).await, &given, &[]).await.unwrap();
    let seen = b.get(NAME).await.unwrap().unwrap();
    assert!(seen.left <= Duration::from_secs(6000) && seen.left > Duration::from_secs(5990), "{:?}", seen.left);
    assert!(seen.age >= Duration::from_secs(1200) && seen.age < Duration::from_secs(1210), "{:?}", seen.age);
    assert_eq!((seen.by.as_str(), seen.fingerprint), ("pairdeck[1]@a", given.fingerprint));
    server.cli(&["PEXPIRE", &format!("pairdeck:{{{NAME}}}:token"), "1"]);
    let end = Instant::now() + support::deadline();
    while b.get(NAME).await.unwrap().is_some() {
        assert!(Instant::now() < end, "it outlives its life");
    }
}

#[tokio::test]
async fn every_host_hears_of_a_new_token_and_of_a_forgotten_one() {
    let Some(server) = RedisServer::start("news", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    let mut news = b.news();
    let lease = lease(&a).await;
    let end = Instant::now() + support::deadline();
    while server.cli(&["PUBSUB", "NUMSUB", "pairdeck:news"]).lines().last() != Some("1") {
        assert!(Instant::now() < end, "nobody listens");
        tokio::task::yield_now().await;
    }
    assert_eq!(heard(&mut news).await, News::Back, "who begins to listen is to look first");
    a.put(&lease, &token("token-that-is-news", 7200), &[]).await.unwrap();
    assert_eq!(heard(&mut news).await, News::Token(NAME.into()));
    a.forget(NAME, &[], &Gone::default()).await.unwrap();
    assert_eq!(heard(&mut news).await, News::Token(NAME.into()));
    assert!(b.get(NAME).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_left_of_a_forgotten_token_is_kept_as_a_hash_for_its_life_and_a_new_token_ends_the_wipe() {
    let Some(server) = RedisServer::start("what is left", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    assert_eq!(b.gone(NAME).await.unwrap(), None);
    let first = token("a-token-that-is-wiped", 6000);
    a.put(&lease(&a).await, &first, &[]).await.unwrap();
    let wiped = Gone { wiped: Some(Duration::ZERO), ..Gone::default() };
    a.forget(NAME, &[], &wiped).await.unwrap();
    let gone = b.gone(NAME).await.unwrap().unwrap();
    assert_eq!(gone.mark, mark(NAME, &first.token));
    assert!(gone.left <= Duration::from_secs(6000) && gone.left > Duration::from_secs(5990), "{:?}", gone.left);
    assert!(gone.wiped.unwrap() < Duration::from_secs(10));
    let key = |part: &str| format!("pairdeck:{{{NAME}}}:{part}");
    assert!(!server.cli(&["HGETALL", &key("gone")]).contains("a-token-that-is-wiped"));
    assert!(server.cli(&["PTTL", &key("gone")]).parse::<i64>().unwrap() > 0, "it ends by itself");
    // Wiped once more with nothing there: the mark stays.
    a.forget(NAME, &[], &wiped).await.unwrap();
    assert_eq!(b.gone(NAME).await.unwrap().unwrap().mark, gone.mark);
    // Somebody asked: the wipe is over, what is left of the old one is not.
    server.cli(&["DEL", &key("lease")]);
    b.put(&lease(&b).await, &token("another-token-of-it", 7000), &[]).await.unwrap();
    let gone = a.gone(NAME).await.unwrap().unwrap();
    assert_eq!((gone.mark, gone.wiped), (mark(NAME, &first.token), None));
    // Known to this host only: what it says counts.
    server.cli(&["DEL", &key("token"), &key("gone")]);
    let own = Gone { mark: Some("0123".into()), left: Duration::from_secs(50), wiped: None, replaced: None };
    a.forget(NAME, &[], &own).await.unwrap();
    let gone = b.gone(NAME).await.unwrap().unwrap();
    assert_eq!((gone.mark, gone.wiped), (own.mark, None));
    assert!((1..=50_000).contains(&server.cli(&["PTTL", &key("gone")]).parse::<i64>().unwrap()));
}

#[tokio::test]
async fn that_a_secret_was_replaced_is_known_on_all_hosts_for_ten_minutes_also_beside_the_new_token() {
    let Some(server) = RedisServer::start("replaced", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    let replaced = Gone { replaced: Some(Duration::ZERO), ..Gone::default() };
    a.forget(NAME, &[], &replaced).await.unwrap();
    a.put(&lease(&a).await, &token("a-token-of-the-new-secret", 6000), &[]).await.unwrap();
    let gone = b.gone(NAME).await.unwrap().unwrap();
    assert!(gone.mark.is_none() && gone.wiped.is_none() && gone.replaced.unwrap() < Duration::from_secs(10), "{gone:?}");
    assert!((1..=600_000).contains(&server.cli(&["PTTL", &format!("pairdeck:{{{NAME}}}:gone")]).parse::<i64>().unwrap()));
    // A wipe of that token takes nothing of it away.
    a.forget(NAME, &[], &Gone { wiped: Some(Duration::ZERO), ..Gone::default() }).await.unwrap();
    let gone = b.gone(NAME).await.unwrap().unwrap();
    assert!(gone.wiped.is_some() && gone.replaced.is_some(), "{gone:?}");
}

#[tokio::test]
async fn that_a_token_is_good_is_told_of_that_very_token() {
    let Some(server) = RedisServer::start("good ones", &[]) else { return };
    let (a, b) = (host(&server, "a"), host(&server, "b"));
    let given = token("a-token-that-is-good", 6000);
    a.put(&lease(&a).await, &given, &[]).await.unwrap();
    a.good(NAME, "another").await.unwrap();
    assert_eq!(b.get(NAME).await.unwrap().unwrap().good, None);
    a.good(NAME, &mark(NAME, &given.token).unwrap()).await.unwrap();
    assert!(b.get(NAME).await.unwrap().unwrap().good.unwrap() < Duration::from_secs(10));
}

async fn heard(news: &mut tokio::sync::broadcast::Receiver<News>) -> News {
    tokio::time::timeout(support::deadline(), news.recv()).await.expect("nothing was heard").unwrap()
}

#[tokio::test]
async fn sixteen_racing_hosts_fetch_once() {
    let Some(server) = RedisServer::start("a race", &[]) else { return };
    let fetches = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (host, fetches) = (host(&server, &format!("host-{n}")), fetches.clone());
        all.spawn(async move {
            loop {
                if let Some(seen) = host.get(NAME).await.unwrap() {
                    return seen.token.expose().to_owned();
                }
                if let Some(lease) = host.acquire(NAME, TTL).await.unwrap() {
                    if host.get(NAME).await.unwrap().is_none() {
                        fetches.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        host.put(&lease, &token("the-token-of-the-race", 7200), &[]).await.unwrap();
                    }
                    host.release(&lease).await.unwrap();
                }
            }
        });
    }
    let got = all.join_all().await;
    assert!(got.iter().all(|t| t == "the-token-of-the-race"));
    assert_eq!(fetches.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_sealed_token_is_not_readable_there_and_opens_only_with_the_secret() {
    let Some(server) = RedisServer::start("sealing", &[]) else { return };
    let secret = |c: &str| Some(Secret::new(c.repeat(40)));
    let sealing = SharedStore { seal: true, ..settings(&server) };
    let with = |seal| Redis::new(&sealing, Means { seal, ..means("a") });
    assert_eq!(with(None).err().unwrap().code, ReasonCode::CredentialMissing);
    let a = with(secret("k")).unwrap();
    a.put(&lease(&a).await, &token("CANARY-sealed-token", 7200), &[]).await.unwrap();
    assert!(!server.cli(&["HGETALL", &format!("pairdeck:{{{NAME}}}:token")]).contains("CANARY"));
    assert_eq!(with(secret("k")).unwrap().get(NAME).await.unwrap().unwrap().token.expose(), "CANARY-sealed-token");
    for other in [with(secret("x")).unwrap(), host(&server, "b")] {
        assert_eq!(other.get(NAME).await.unwrap_err().code, ReasonCode::SharedDown);
    }
    // Somebody who can write there cannot hand us a token of theirs.
    server.cli(&["HSET", &format!("pairdeck:{{{NAME}}}:token"), "tok", "a-token-from-elsewhere"]);
    assert_eq!(a.get(NAME).await.unwrap_err().code, ReasonCode::SharedDown);
}

#[tokio::test]
async fn mirrors_are_written_with_a_life_and_wiped_with_the_token() {
    let Some(server) = RedisServer::start("mirrors", &[]) else { return };
    let a = host(&server, "a");
    let json = Mirror { key: "m:tok".into(), form: MirrorForm::Json, expires_key: Some("m:at".into()), early_s: 0 };
    let raw = Mirror { key: "go:tok".into(), form: MirrorForm::Raw, expires_key: None, early_s: 1500 };
    let both = [json, raw];
    let held = lease(&a).await;
    a.put(&held, &token("mirrored-token", 7200), &both).await.unwrap();
    assert_eq!(server.cli(&["GET", "m:tok"]), "\"mirrored-token\"");
    assert_eq!(server.cli(&["GET", "go:tok"]), "mirrored-token");
    let at: i64 = server.cli(&["GET", "m:at"]).parse().unwrap();
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert!((7190..=7201).contains(&(at - now)), "{}", at - now);
    let ttl = |key: &str| server.cli(&["TTL", key]).parse::<i64>().unwrap();
    assert!(ttl("m:tok") > 7100 && ttl("m:at") > 7100 && (5600..=5700).contains(&ttl("go:tok")));
    // A write that is refused leaves them alone.
    server.cli(&["SET", &format!("pairdeck:{{{NAME}}}:fence"), "99"]);
    assert_eq!(a.put(&held, &token("a-late-token", 7200), &both).await.unwrap(), Put::Fenced);
    assert_eq!(server.cli(&["GET", "go:tok"]), "mirrored-token");
    a.forget(NAME, &both, &Gone::default()).await.unwrap();
    assert_eq!(server.cli(&["EXISTS", "m:tok", "m:at", "go:tok"]), "0");
}

#[tokio::test]
async fn a_server_that_hangs_or_is_gone_costs_half_a_second_and_is_taken_up_again() {
    let Some(mut server) = RedisServer::start("the loss of it", &[]) else { return };
    let a = host(&server, "a");
    assert!(a.get(NAME).await.unwrap().is_none() && a.down().is_none());
    server.signal("STOP");
    let began = Instant::now();
    let why = a.get(NAME).await.unwrap_err();
    assert!(began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    assert_eq!((why.code, a.down().is_some()), (ReasonCode::SharedDown, true));
    server.signal("CONT");
    until_back(&a).await;
    server.kill();
    assert_eq!(a.acquire(NAME, TTL).await.unwrap_err().code, ReasonCode::SharedDown);
    server.again();
    until_back(&a).await;
    assert!(a.down().is_none());
}

async fn until_back(a: &Redis) {
    let end = Instant::now() + support::deadline();
    while a.get(NAME).await.is_err() {
        assert!(Instant::now() < end, "it does not come back: {:?}", a.down());
    }
}

#[tokio::test]
async fn a_user_with_a_password_needs_the_prefix_only() {
    let rule = "pairdeck on >a-long-password ~pairdeck:* &pairdeck:* +@all -@dangerous";
    let Some(server) = RedisServer::start("users", &[]) else { return };
    let mut setuser = vec!["ACL", "SETUSER"];
    setuser.extend(rule.split(' '));
    assert_eq!(server.cli(&setuser), "OK");
    let of = SharedStore { user: Some("pairdeck".into()), ..settings(&server) };
    let with = |p: &str, of: &SharedStore| Redis::new(of, Means { password: Some(Secret::new(p.to_owned())), ..means("a") }).unwrap();
    let a = with("a-long-password", &of);
    assert_eq!(a.put(&lease(&a).await, &token("token-of-a-user", 7200), &[]).await.unwrap(), Put::Stored);
    let refused = with("CANARY-wrong-password", &of).get(NAME).await.unwrap_err();
    assert!(refused.args.iter().any(|(_, v)| v.as_str().contains("refused")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("CANARY"));
    let elsewhere = SharedStore { prefix: "other".into(), ..of };
    let refused = with("a-long-password", &elsewhere).acquire(NAME, TTL).await.unwrap_err();
    assert!(refused.args.iter().any(|(_, v)| v.as_str().contains("may not")), "{refused:?}");
}

/// A server with this certificate, and settings that name it `localhost`.
fn secure(tls: &Tls) -> Option<(RedisServer, SharedStore)> {
    let (cert, key, ca) = (tls.cert.to_str().unwrap(), tls.key.to_str().unwrap(), tls.ca.to_str().unwrap());
    let args = ["--tls-port", "PORT", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca, "--tls-auth-clients", "no"];
    let server = RedisServer::start("TLS", &args)?;
    let of = SharedStore { redis: format!("rediss://localhost:{}", server.port()), prefix: "pairdeck".into(), ..SharedStore::default() };
    Some((server, of))
}

/// What it says of a store that it does not connect to.
async fn why(of: &SharedStore) -> String {
    let why = Redis::new(of, means("a")).unwrap().get(NAME).await.unwrap_err();
    assert_eq!(why.code, ReasonCode::SharedDown);
    why.arg("why").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn tls_with_a_private_ca_and_nothing_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::make(dir.path());
    let Some((_server, of)) = secure(&tls) else { return };
    let trusting = SharedStore { ca_file: Some(tls.ca.clone()), ..of.clone() };
    assert!(Redis::new(&trusting, means("a")).unwrap().get(NAME).await.unwrap().is_none());
    let said = why(&of).await;
    assert!(said.contains("authority") && said.contains("ca_file"), "{said}");
    // Another authority is no better than none.
    let other = tempfile::tempdir().unwrap();
    let said = why(&SharedStore { ca_file: Some(Tls::make(other.path()).ca), ..of }).await;
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::of(dir.path(), &["redis.example"]);
    let Some((_server, of)) = secure(&tls) else { return };
    let said = why(&SharedStore { ca_file: Some(tls.ca.clone()), ..of }).await;
    assert!(said.contains("name") && said.contains("localhost"), "{said}");
}

#[test]
fn a_ca_file_that_is_none_is_refused_at_once_and_the_words_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    std::fs::write(path("words"), "this is no certificate\n").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("torn"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(path("large"), vec![b'x'; 10 << 20]).unwrap();
    std::fs::write(path("larger"), vec![b'x'; 17 << 20]).unwrap();
    let zero = std::path::PathBuf::from("/dev/zero");
    for (file, words) in [
        (path("none"), "No such file"),
        (path("pipe"), "a pipe stands there"),
        (dir.path().to_owned(), "directory"),
        (zero, "more than 16 MiB"),
        (path("larger"), "more than 16 MiB"),
        (path("large"), "no certificate in it"),
        (path("words"), "no certificate in it"),
        (path("empty"), "no certificate in it"),
        (path("torn"), "certificate"),
    ] {
        let began = Instant::now();
        let of =
            SharedStore { redis: "rediss://localhost:1".into(), prefix: "pairdeck".into(), ca_file: Some(file.clone()), ..SharedStore::default() };
        let refused = Redis::new(&of, means("a")).err().unwrap_or_else(|| panic!("{} was taken", file.display()));
        let said = refused.arg("why").unwrap_or_default();
        assert!(said.starts_with("ca_file: ") && said.contains(words), "{}: {said}", file.display());
        assert!(began.elapsed() < Duration::from_secs(5), "{}: {:?}", file.display(), began.elapsed());
    }
}
