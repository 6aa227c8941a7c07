//! Several hosts, one Redis: the whole program, a home for each host, a real redis-server between them, the sandbox as the platform.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::{
    domain::ids::fnv,
    sandbox::{AppSpec, Part, TokenFault, TokenServer, TokenSettings},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixStream,
    process::{Child, Command},
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{
    house::{Home, Ran, Servers, until},
    redis::{RedisServer, Tls},
};

const SECRET: &str = "CANARY-OPS-b41c07-0123456789";
const FETCH: &str = "/cgi-bin/gettoken";

/// A platform, a Redis, and two hosts.
struct Bench {
    servers: Servers,
    redis: RedisServer,
    hosts: [Home; 2],
}

impl Bench {
    fn new(what: &str) -> Option<Self> {
        Self::with(what, "", "")
    }

    /// `shared` and `account` are more lines for these tables.
    fn with(what: &str, shared: &str, account: &str) -> Option<Self> {
        let redis = RedisServer::start(what, &[])?;
        let app = AppSpec { id: "1000002".into(), name: "ops".into(), secret: SECRET.into(), ..AppSpec::default() };
        let settings = TokenSettings::default();
        let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings.clone()), vec![app]))]);
        let hosts = [Home::of(&servers), Home::of(&servers)];
        for home in &hosts {
            home.write_config(&format!(
                "[shared]\nredis = \"{}\"\n{shared}\n[gateway.corp]\nkind = \"wecom\"\nurl = \"{}\"\ncorp_id = \"{}\"\n\n[gateway.corp.account.ops]\nid = \"1000002\"\n{account}",
                redis.url(),
                servers.url("corp"),
                settings.corpid,
            ));
        }
        Some(Self { servers, redis, hosts })
    }

    fn server(&self) -> &TokenServer {
        self.servers.sandbox().tokens("corp").unwrap()
    }

    /// Requests for a token that reached the platform, answered or not.
    fn fetches(&self) -> usize {
        self.server().asked().0.iter().filter(|r| r.path.starts_with(FETCH)).count()
    }

    fn key(&self, part: &str) -> String {
        // The sandbox is no address of the platform's own, so that stands in the name too.
        let url = self.servers.url("corp");
        let hash = fnv(url.as_bytes());
        let base = (hash ^ (hash >> 32)) & 0xffff_ffff;
        let name = format!("pairdeck:{{wecom@{base:08x}/{}/1000002}}", self.server().settings().corpid);
        format!("{name}:{part}")
    }

    /// The lease ends as if its time had run out.
    fn lease_runs_out(&self) {
        let left: i64 = self.redis.cli(&["PTTL", &self.key("lease")]).parse().unwrap();
        assert!((1..=20_000).contains(&left), "a lease that dies by itself: {left} ms");
        self.redis.cli(&["PEXPIRE", &self.key("lease"), "1"]);
        until("the end of the lease", || self.redis.cli(&["EXISTS", &self.key("lease")]) == "0");
    }

    fn start(&self, host: usize, args: &[&str]) -> Child {
        self.hosts[host].command(&[&["token", "corp:ops"], args].concat()).spawn().unwrap()
    }

    fn token(&self, host: usize, args: &[&str]) -> Ran {
        self.hosts[host].finish(self.start(host, args))
    }

    fn document(&self, host: usize) -> Value {
        self.token(host, &["--format", "json", "--no-fetch"]).exits(0).json()
    }

    /// A watching process, once it serves.
    fn watch(&self, host: usize) -> Child {
        let child = self.hosts[host].command(&["watch"]).spawn().unwrap();
        until("the socket", || UnixStream::connect(self.hosts[host].file("pairdeck.sock")).is_ok());
        child
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn shared_check(home: &Home) -> Value {
    let doc = home.run(&["doctor", "--json"]).json();
    doc["checks"].as_array().unwrap().iter().find(|c| c["check"] == "shared").expect("no check of the shared store").clone()
}

#[test]
fn two_hosts_that_want_the_same_token_at_once_cause_one_fetch() {
    let Some(b) = Bench::new("two hosts") else { return };
    b.server().reply_delay(Duration::from_millis(300));
    let children: Vec<(usize, Child)> = (0..12).map(|n| (n % 2, b.start(n % 2, &[]))).collect();
    let ran: Vec<Ran> = children.into_iter().map(|(host, c)| b.hosts[host].finish(c).exits(0)).collect();
    assert_eq!(b.fetches(), 1);
    assert!(ran.iter().all(|r| r.stdout == ran[0].stdout && r.stderr.is_empty()), "{ran:?}");
    let (one, two) = (b.document(0), b.document(1));
    assert_eq!(one["token"], two["token"]);
    assert_eq!((&one["generation"], &one["fingerprint"]), (&two["generation"], &two["fingerprint"]), "a token has one name");
    // What was read at one host may be reported at the other.
    b.server().revoke("ops");
    b.token(1, &["--rejected", one["fingerprint"].as_str().unwrap()]).exits(0);
    assert_eq!((b.fetches(), b.document(0)["fingerprint"].clone()), (2, b.document(1)["fingerprint"].clone()));
    b.hosts.iter().for_each(Home::keeps_secrets);
}

#[test]
fn a_holder_stopped_past_its_lease_and_resumed_is_fenced_out_and_takes_what_the_other_got() {
    let Some(b) = Bench::new("a stopped holder") else { return };
    b.server().reply_delay(Duration::from_secs(3));
    let late = b.start(0, &[]);
    until("its token, on the way to it", || b.server().fetches("ops").minted == 1 || b.fetches() == 1);
    signal(&late, "-STOP");
    until("its token was made", || b.server().live("ops").is_some());
    b.server().reply_delay(Duration::ZERO);
    b.lease_runs_out();
    // What it will be answered is dead by then; the other host gets the one that counts.
    b.server().revoke("ops");
    let fresh = b.token(1, &[]).exits(0).stdout;
    let fence = b.redis.cli(&["HGET", &b.key("token"), "gen"]);
    signal(&late, "-CONT");
    let ran = b.hosts[0].finish(late).exits(0);
    assert_eq!(ran.stdout, fresh, "the late one hands out its dead token");
    assert_eq!(b.redis.cli(&["HGET", &b.key("token"), "gen"]), fence, "the late one has written");
    assert_eq!(b.server().verdict(fresh.trim_end()).as_deref(), Some("1000002"));
    assert_eq!(b.fetches(), 2);
}

#[test]
fn a_holder_killed_in_the_middle_stops_the_other_host_no_longer_than_its_lease() {
    let Some(b) = Bench::new("a killed holder") else { return };
    b.server().fault(TokenFault::parse("hang", None, false).unwrap(), 1, Some(FETCH));
    let mut holder = b.start(0, &[]);
    until("the request", || b.fetches() == 1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let waiting = b.start(1, &[]);
    b.lease_runs_out();
    b.hosts[1].finish(waiting).exits(0);
    assert_eq!(b.fetches(), 2);
    // The host of the dead one is not held up either, and asks nobody.
    assert_eq!(b.token(0, &[]).exits(0).stdout, b.token(1, &[]).exits(0).stdout);
    assert_eq!(b.fetches(), 2);
}

#[test]
fn a_redis_killed_in_the_middle_costs_nobody_the_token_and_is_told() {
    let Some(mut b) = Bench::new("a killed Redis") else { return };
    b.server().reply_delay(Duration::from_secs(1));
    let holder = b.start(0, &[]);
    until("the request", || b.fetches() == 1);
    b.redis.kill();
    b.server().reply_delay(Duration::ZERO);
    let first = b.hosts[0].finish(holder).exits(0);
    // Alone for the time being: the platform gives the same one again, so nobody is harmed.
    let second = b.token(1, &[]).exits(0).says(&["shared store"]);
    assert_eq!((b.fetches(), &second.stdout), (2, &first.stdout));
    assert_eq!(second.stderr.lines().count(), 1, "{}", second.stderr);
    let check = shared_check(&b.hosts[1]);
    assert_eq!(check["verdict"], "fail", "{check}");
    b.redis.again();
    assert_eq!(shared_check(&b.hosts[1])["verdict"], "ok");
}

#[test]
fn a_watching_host_tells_an_emptied_redis_what_it_has_and_nobody_fetches_again() {
    let Some(mut b) = Bench::new("an emptied Redis") else { return };
    let watch = b.watch(0);
    until("the token", || b.token(0, &["--no-fetch"]).code == 0);
    let before = b.document(0);
    b.redis.again();
    until("the token, back in Redis", || b.redis.cli(&["EXISTS", &b.key("token")]) == "1");
    let elsewhere = b.token(1, &["--format", "json"]).exits(0).json();
    assert_eq!((&elsewhere["token"], &elsewhere["source"]), (&before["token"], &Value::from("shared")));
    assert_eq!(b.document(0)["token"], before["token"], "it took the emptied store for a wipe");
    assert_eq!(b.fetches(), 1);
    signal(&watch, "-TERM");
    b.hosts[0].finish(watch).exits(0);
}

#[test]
fn a_host_where_nothing_watches_hands_out_no_token_that_another_host_wiped() {
    let Some(mut b) = Bench::new("a wipe elsewhere") else { return };
    let first = b.token(0, &[]).exits(0).stdout;
    assert_eq!(b.token(1, &[]).exits(0).stdout, first);
    b.hosts[0].run(&["wipe", "corp:ops", "--yes"]).exits(0);
    b.token(1, &["--no-fetch"]).exits(10);
    b.token(1, &[]).exits(0);
    assert_eq!(b.fetches(), 2, "who asks for one ends the wipe");
    assert_eq!(b.token(0, &["--no-fetch"]).exits(0).stderr, "", "and the first host hands it out");
    // Without the shared store nobody can know better: what lies there is handed out, and that is said.
    b.redis.kill();
    b.token(1, &["--no-fetch"]).exits(0).says(&["the token is good", "shared store"]);
    b.hosts.iter().for_each(Home::keeps_secrets);
}

#[test]
fn a_watch_that_begins_heeds_what_was_wiped_while_nothing_ran_there_and_tells_an_empty_redis_what_lies_there() {
    let Some(mut b) = Bench::new("a watch that begins") else { return };
    b.token(0, &[]).exits(0);
    b.token(1, &[]).exits(0);
    b.hosts[0].run(&["wipe", "corp:ops", "--yes"]).exits(0);
    let watch = b.watch(1);
    until("the wipe", || b.token(1, &["--no-fetch"]).code == 10);
    assert_eq!(b.fetches(), 1, "what was wiped is fetched by nobody");
    signal(&watch, "-TERM");
    b.hosts[1].finish(watch).exits(0);
    let token = b.token(0, &[]).exits(0).stdout;
    b.redis.again();
    let watch = b.watch(0);
    until("the token in Redis", || b.redis.cli(&["EXISTS", &b.key("token")]) == "1");
    assert_eq!((b.token(1, &[]).exits(0).stdout, b.fetches()), (token, 2));
    signal(&watch, "-TERM");
    b.hosts[0].finish(watch).exits(0);
}

#[test]
fn a_watch_says_once_that_the_shared_store_went_away_and_once_that_it_is_back() {
    let Some(mut b) = Bench::new("a watch that tells") else { return };
    let mut watch = b.watch(0);
    let said = Arc::new(Mutex::new(String::new()));
    let (stderr, heard) = (watch.stderr.take().unwrap(), said.clone());
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            *heard.lock().unwrap() += &format!("{line}\n");
        }
    });
    let lines = |words: &str| said.lock().unwrap().lines().filter(|l| l.contains(words)).count();
    let counts = || (lines("The shared store does not answer"), lines("the shared store answers again"));
    until("the token", || b.token(0, &["--no-fetch"]).code == 0);
    for n in 0..2 {
        b.redis.kill();
        until("the loss", || counts() == (n + 1, n));
        b.redis.again();
        until("the return", || counts() == (n + 1, n + 1));
    }
    signal(&watch, "-TERM");
    b.hosts[0].finish(watch).exits(0);
    reader.join().unwrap();
    assert_eq!(counts(), (2, 2));
    let said = said.lock().unwrap();
    let timed = said.lines().filter(|l| l.contains("shared store")).all(|l| l.starts_with("pairdeck: 20") && l.contains("Z "));
    assert!(timed, "{said}");
}

#[test]
fn watches_on_two_hosts_show_the_same_life_and_hear_of_a_new_token_and_of_a_wipe() {
    let Some(b) = Bench::new("two watches") else { return };
    let watches = [b.watch(0), b.watch(1)];
    let has = |host: usize| b.token(host, &["--no-fetch"]).code == 0;
    until("a token at both hosts", || has(0) && has(1));
    assert_eq!(b.fetches(), 1);
    let ends = |host: usize| b.document(host)["expires_at"].as_str().unwrap().to_owned();
    let seconds = |t: &str| t.rsplit(':').next().unwrap().trim_end_matches('Z').parse::<f64>().unwrap();
    let apart = (seconds(&ends(0)) - seconds(&ends(1))).abs();
    assert!(!(2.0..=58.0).contains(&apart), "{} {}", ends(0), ends(1));
    // A client of one host is refused: both have the new one, by one fetch.
    let old = b.token(0, &[]).exits(0).stdout;
    b.server().revoke("ops");
    let new = b.hosts[0].run_with(&["token", "corp:ops", "--rejected", "-"], &old).exits(0).stdout;
    assert_ne!(old, new);
    until("the news at the other host", || b.token(1, &["--no-fetch"]).stdout == new);
    assert_eq!(b.fetches(), 2);
    // The other host's client, late with the same complaint, is served without a request.
    assert_eq!(b.hosts[1].run_with(&["token", "corp:ops", "--rejected", "-"], &old).exits(0).stdout, new);
    assert_eq!(b.fetches(), 2);
    for (host, watch) in watches.into_iter().enumerate() {
        signal(&watch, "-TERM");
        b.hosts[host].finish(watch).exits(0);
    }
}

#[test]
fn mirrors_are_written_with_the_token_and_gone_with_a_wipe_or_a_new_secret() {
    let Some(b) = Bench::with("mirrors", "mirror_prefix = \"bots\"\n", "mirror = [\"wechatpy2\", \"silenceper\"]\n") else { return };
    let token = b.token(0, &[]).exits(0).stdout.trim_end().to_owned();
    let corp = b.server().settings().corpid.clone();
    let start = &SECRET[..10];
    let keys = [
        format!("bots:{corp}_{start}_access_token"),
        format!("bots:{corp}_access_token_expires_at"),
        format!("gowechat_work__access_token_{corp}_1000002"),
    ];
    let exist = || b.redis.cli(&["EXISTS", &keys[0], &keys[1], &keys[2]]);
    assert_eq!(exist(), "3");
    assert_eq!(b.redis.cli(&["GET", &keys[0]]), format!("\"{token}\""));
    assert_eq!(b.redis.cli(&["GET", &keys[2]]), token);
    for key in &keys {
        let left: i64 = b.redis.cli(&["TTL", key]).parse().unwrap();
        assert!((7000..=7200).contains(&left), "{key} lives {left} s");
    }
    b.hosts[0].run(&["wipe", "corp:ops", "--yes"]).exits(0);
    assert_eq!((exist(), b.redis.cli(&["EXISTS", &b.key("token")])), ("0".into(), "0".into()));
    b.token(1, &[]).exits(0);
    assert_eq!(exist(), "3");
    // Their names hold a part of the old secret: they go before it is replaced.
    b.hosts[1].run_with(&["secret", "set", "corp:ops", "--file", "-"], "CANARY-another-secret-0123").exits(0);
    assert_eq!(exist(), "0");
}

#[test]
fn tls_and_a_user_with_a_password_come_from_the_configuration_and_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::make(dir.path());
    let (cert, key, ca) = (tls.cert.to_str().unwrap(), tls.key.to_str().unwrap(), tls.ca.to_str().unwrap());
    let user = "user pairdeck on >CANARY-redis-password ~pairdeck:* &pairdeck:* +@all -@dangerous";
    let acl = dir.path().join("users.acl");
    std::fs::write(&acl, format!("user default off\n{user}\n")).unwrap();
    let args = [
        "--tls-port",
        "PORT",
        "--tls-cert-file",
        cert,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        ca,
        "--tls-auth-clients",
        "no",
        "--aclfile",
        acl.to_str().unwrap(),
    ];
    let Some(redis) = RedisServer::start("TLS with a user", &args) else { return };
    let more = format!("user = \"pairdeck\"\nca_file = \"{ca}\"\n");
    let Some(mut b) = Bench::with("TLS with a user", &more, "") else { return };
    for home in &mut b.hosts {
        home.canary("CANARY-redis-password");
        home.canary("CANARY-wrong-password");
        let text = std::fs::read_to_string(home.file("config.toml")).unwrap();
        home.write_config(&text.replace(&b.redis.url(), &format!("rediss://localhost:{}", redis.port())));
    }
    let password = |host: usize, text: &str| b.hosts[host].run_with(&["secret", "set", "shared/redis", "--file", "-"], text).exits(0);
    password(0, "CANARY-redis-password");
    password(1, "CANARY-wrong-password");
    let first = b.token(0, &[]).exits(0);
    assert_eq!(first.stderr, "");
    // A wrong password is told, and is no reason to have no token.
    b.token(1, &[]).exits(0).says(&["user or password refused"]);
    assert_eq!((b.fetches(), shared_check(&b.hosts[1])["verdict"].as_str()), (2, Some("fail")));
    password(1, "CANARY-redis-password");
    b.hosts[1].store(async |store| store.token_forget("corp:ops").await.unwrap());
    until("the shared token, once the store is tried again", || {
        b.token(1, &["--format", "json"]).exits(0).json()["source"] == "shared" || {
            b.hosts[1].store(async |store| store.token_forget("corp:ops").await.unwrap());
            false
        }
    });
    b.hosts.iter().for_each(Home::keeps_secrets);
}

#[test]
fn sixty_complaints_on_two_hosts_about_an_address_cost_one_fetch_in_all_and_a_limit_none_beyond_a_host() {
    let Some(b) = Bench::new("loops over hosts") else { return };
    let first = b.token(0, &[]).exits(0).stdout;
    // 60020 is no fault of the token: whoever reports it so all the same gets the platform's word once, not sixty times.
    b.server().trust("ops", Some(Vec::new()));
    for n in 0..60 {
        let ran = b.hosts[n % 2].run_with(&["token", "corp:ops", "--rejected", "-"], &first);
        assert!(ran.code == 0 || ran.code == 4 || ran.code == 9, "{ran:?}");
    }
    assert_eq!(b.fetches(), 2, "one for nothing cached, one for all complaints of both hosts");
    b.server().trust("ops", None);
    let before = b.fetches();
    b.server().fault(TokenFault::parse("rate", None, false).unwrap(), u32::MAX, Some(FETCH));
    b.server().revoke("ops");
    for n in 0..60 {
        let ran = b.hosts[n % 2].run_with(&["token", "corp:ops", "--rejected", "-"], &first);
        // 9: what was found of the address counts for ten seconds more.
        assert!([0, 4, 6, 9].contains(&ran.code), "{ran:?}");
    }
    assert!(b.fetches() - before <= 2, "{} fetches against a limit", b.fetches() - before);
}

#[test]
fn a_removed_gateway_takes_its_shared_copies_and_mirrors_along_or_says_until_when_they_stay() {
    let Some(mut b) = Bench::with("remove", "", "mirror = [\"wechatpy2\"]\n") else { return };
    b.token(0, &[]).exits(0);
    let keys = |b: &Bench| -> Vec<String> { b.redis.cli(&["KEYS", "*access_token*"]).lines().filter(|l| !l.is_empty()).map(str::to_owned).collect() };
    assert_eq!((b.redis.cli(&["EXISTS", &b.key("token")]).as_str(), keys(&b).len()), ("1", 2));
    // The second host knows the token too; its removal finds the store away and says until when the copies live.
    b.token(1, &[]).exits(0);
    b.hosts[0].run(&["remove", "corp", "--yes"]).exits(0);
    assert_eq!((b.redis.cli(&["EXISTS", &b.key("token")]).as_str(), keys(&b)), ("0", Vec::new()));
    b.token(1, &[]).exits(0);
    b.redis.kill();
    let said = b.hosts[1].run(&["remove", "corp", "--yes"]).exits(0);
    assert!(said.stderr.contains("copies of the tokens of 1 accounts are left in the shared store, until 20"), "{}", said.stderr);
}

#[test]
fn a_holder_stopped_for_longer_than_its_lease_really_lasts_hands_out_what_the_other_host_got() {
    let Some(b) = Bench::new("a lease that runs out by itself") else { return };
    // No answer: what it meets when it goes on is the end of its own patience.
    b.server().fault(TokenFault::parse("hang", None, false).unwrap(), 1, Some(FETCH));
    let late = b.start(0, &[]);
    until("the request", || b.fetches() == 1);
    signal(&late, "-STOP");
    until("the end of the lease", || b.redis.cli(&["EXISTS", &b.key("lease")]) == "0");
    let fresh = b.token(1, &[]).exits(0).stdout;
    signal(&late, "-CONT");
    let ran = b.hosts[0].finish(late).exits(0);
    assert_eq!(ran.stdout, fresh);
    assert_eq!(b.token(0, &[]).exits(0).stdout, fresh, "its next word");
    assert_eq!(b.fetches(), 2);
}

#[test]
fn what_the_platform_has_against_one_host_hides_no_token_that_the_other_has_got() {
    let Some(b) = Bench::new("a hold at one host") else { return };
    b.server().fault(TokenFault::parse("rate", None, false).unwrap(), 1, Some(FETCH));
    b.token(0, &[]).exits(6);
    let theirs = b.token(1, &[]).exits(0).stdout;
    assert_eq!((b.token(0, &[]).exits(0).stdout, b.fetches()), (theirs, 2));
}
