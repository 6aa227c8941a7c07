//! Tokens of platforms: renewed, rotated, forgotten, and a new secret, with a Redis that other hosts and two client libraries read.

use crate::support::{
    house::{Home, Servers},
    kill::{self, Outcome, Point, Row, Sweep, Wire},
    redis::RedisServer,
};
use pairdeck::{
    domain::{GatewayId, Op, OpPhase, Secret},
    engine::world::secret_name,
    providers::token::account_secret,
    sandbox::{AppSpec, Part, TokenServer, TokenSettings},
    store::Store,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// What is done to an account.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// Its token is over; the platform is asked for another.
    Renew,
    /// Its token lives, and is replaced by demand.
    Rotate,
    /// Every copy is forgotten.
    Wipe,
    /// Its secret was reset in the console, and the new one is given.
    Secret,
}

impl Deed {
    const fn step(self) -> &'static str {
        match self {
            Self::Renew => "fetch",
            Self::Rotate => "rotate",
            Self::Wipe => "forget",
            Self::Secret => "secret",
        }
    }

    const fn plan(self) -> &'static str {
        match self {
            Self::Renew | Self::Rotate => "regenerate",
            Self::Wipe => "wipe",
            Self::Secret => "new secret",
        }
    }

    fn args(self, name: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Renew | Self::Rotate => &["regenerate"],
            Self::Wipe => &["wipe"],
            Self::Secret => &["do", "secret"],
        };
        words.iter().map(|w| (*w).to_owned()).chain([format!("corp:{name}"), "--yes".into(), "--json".into()]).collect()
    }
}

/// One platform, one Redis, one home, used for one account after another.
struct Floor {
    servers: Servers,
    redis: RedisServer,
    home: Home,
    ops: i64,
}

/// An account of one point.
struct App {
    name: String,
    id: String,
    old: String,
    new: String,
}

/// Everything that is kept of an account, here and in Redis.
#[derive(Debug, PartialEq)]
struct Kept {
    token: Option<String>,
    secret: String,
    /// Every key that holds a copy of a token, with what it holds.
    copies: BTreeMap<String, String>,
}

impl Floor {
    fn new(settings: TokenSettings) -> Option<Self> {
        let redis = RedisServer::start("kills of token plans", &[])?;
        let servers = Servers::with(vec![("corp", Part::Tokens(Box::new(settings), Vec::new()))]);
        let home = Home::sealed(&servers);
        Some(Self { servers, redis, home, ops: 0 })
    }

    fn server(&self) -> &TokenServer {
        self.servers.sandbox().tokens("corp").unwrap()
    }

    /// An account with a token that is cached, shared and mirrored, and what stands in the deed's way.
    fn seed(&mut self, number: usize, deed: Deed) -> App {
        let app = App {
            name: format!("app-{number}"),
            id: format!("10{number:05}"),
            old: format!("OLD-SECRET-{number}-CANARY-0123456789abcdef"),
            new: format!("NEW-SECRET-{number}-CANARY-0123456789abcdef"),
        };
        let spec = AppSpec { id: app.id.clone(), name: app.name.clone(), secret: app.old.clone(), ..AppSpec::default() };
        self.server().seed(&[spec]);
        self.redis.cli(&["FLUSHALL"]);
        self.home.canary(&app.old);
        self.home.canary(&app.new);
        let mut text = format!("[shared]\nredis = \"{}\"\n\n[gateway.corp]\nkind = \"{}\"\n", self.redis.url(), self.server().kind());
        writeln!(text, "url = \"{}\"", self.servers.url("corp")).unwrap();
        let corp = &self.server().settings().corpid;
        if !corp.is_empty() {
            writeln!(text, "corp_id = \"{corp}\"").unwrap();
        }
        writeln!(text, "\n[gateway.corp.account.{}]\nid = \"{}\"", app.name, app.id).unwrap();
        if !corp.is_empty() {
            writeln!(text, "mirror = [\"wechatpy2\", \"silenceper\"]").unwrap();
        }
        self.home.write_config(&text);
        let secret = secret_name(&GatewayId::new("corp"), &account_secret(&app.name, "secret"));
        self.home.store(async |store: &Store| store.secret_put(&secret, &Secret::new(app.old.clone())).await.unwrap());
        self.home.run(&["token", &format!("corp:{}", app.name)]).exits(0);
        match deed {
            Deed::Renew => assert!(self.server().expire(&app.name)),
            Deed::Secret => drop(self.server().reset_secret(&app.name, Some(&app.new), Some(true)).unwrap()),
            Deed::Rotate | Deed::Wipe => {}
        }
        kill::newest_op(&self.home, &mut self.ops);
        app
    }

    fn kept(&self, app: &App) -> Kept {
        let (token, secret) = self.home.store(async |store: &Store| {
            let row = store.token(&format!("corp:{}", app.name)).await.unwrap();
            let secret = secret_name(&GatewayId::new("corp"), &account_secret(&app.name, "secret"));
            (row.and_then(|r| r.token).and_then(|t| t.text), store.secret_get(&secret).await.unwrap())
        });
        let mut copies = BTreeMap::new();
        // What is remembered of a wiped token is its end and a mark, never the token; and hosts share the key of their fingerprints.
        let other = [":lease", ":fence", ":gone", "{fingerprints}:key"];
        for key in self.redis.cli(&["KEYS", "*"]).lines().filter(|k| !k.is_empty() && !other.iter().any(|o| k.ends_with(o))) {
            let read = if self.redis.cli(&["TYPE", key]) == "hash" { self.redis.cli(&["HGET", key, "tok"]) } else { self.redis.cli(&["GET", key]) };
            copies.insert(key.to_owned(), read.trim_matches('"').to_owned());
        }
        Kept { token: token.map(|t| t.expose().to_owned()), secret: secret.unwrap().expose().to_owned(), copies }
    }

    fn live(&self, app: &App) -> Option<String> {
        self.server().live(&app.name).map(|(token, _)| token.expose().to_owned())
    }

    /// A killed holder's lease ends as if its time had run out; else the next process would wait for that.
    fn leases_end(&self) {
        for key in self.redis.cli(&["KEYS", "*:lease"]).lines().filter(|k| !k.is_empty()) {
            self.redis.cli(&["DEL", key]);
        }
    }

    fn op(&mut self) -> Option<Op> {
        kill::newest_op(&self.home, &mut self.ops)
    }
}

fn is_fetch(request: &str) -> bool {
    request.contains("/gettoken") || request.contains("/stable_token")
}

/// Kills, lets the next process come, and judges.
fn judge(floor: &mut Floor, deed: Deed, number: usize, point: &Point) -> Option<Row> {
    let app = floor.seed(number, deed);
    let before = floor.kept(&app);
    let first = before.token.clone().expect("no token to begin with");
    assert!(!before.copies.is_empty() && before.copies.iter().all(|(k, v)| k.ends_with("expires_at") || *v == first), "{before:?}");
    let args = deed.args(&app.name);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let stdin = (deed == Deed::Secret).then_some(app.new.as_str());
    if kill::killed(&floor.home, floor.server(), &args, stdin, point).is_some() {
        floor.op();
        return None;
    }
    let left = floor.op();
    let begun = left.as_ref().is_some_and(|op| op.phase == OpPhase::Done || op.step > 0 || op.begun);
    floor.leases_end();

    let next = floor.home.run(&["list", "--json"]).exits(0);
    let stood = kill::where_it_stands(left.as_ref());
    let at = || format!("{point}; {stood}; the next process said {}", next.stderr);
    let ended = left.as_ref().map(|op| floor.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()).phase);
    let (after, live) = (floor.kept(&app), floor.live(&app));
    let everywhere =
        |token: &str| after.copies.iter().all(|(k, v)| k.ends_with("expires_at") || v == token) && after.copies.len() == before.copies.len();
    let outcome = match deed {
        _ if !begun => {
            assert!(matches!(ended, None | Some(OpPhase::Cancelled)), "{ended:?} {}", at());
            assert_eq!(before, after, "{}", at());
            (Outcome::TakenBack, "taken back, nothing changed")
        }
        Deed::Renew | Deed::Rotate => {
            assert_eq!(ended, Some(OpPhase::Done), "{}", at());
            let token = after.token.as_deref().expect("no token");
            assert_ne!(token, first, "{}", at());
            assert_eq!(Some(token), live.as_deref(), "a token that the platform does not know: {}", at());
            assert!(everywhere(token), "a copy of another token: {after:?} {}", at());
            (Outcome::Done, "finished, one token here, shared and mirrored")
        }
        Deed::Wipe => {
            assert_eq!(ended, Some(OpPhase::Done), "{}", at());
            assert_eq!((&after.token, after.copies.len()), (&None, 0), "{after:?} {}", at());
            for key in floor.redis.cli(&["KEYS", "*:gone"]).lines().filter(|k| !k.is_empty()) {
                assert!(!floor.redis.cli(&["HGETALL", key]).contains(&first), "{key} {}", at());
            }
            (Outcome::Done, "finished, no copy left")
        }
        Deed::Secret if after.secret == app.new => {
            assert_eq!(ended, Some(OpPhase::Done), "{}", at());
            assert!(after.token.is_none() || after.token == live, "a token of the old secret: {after:?} {}", at());
            assert!(after.copies.values().all(|v| *v != first), "a copy of the old secret's token: {after:?} {}", at());
            (Outcome::Done, "the new secret is kept, no token of the old one")
        }
        Deed::Secret => {
            // An answer is never journaled: it is asked for again.
            assert_eq!(after.secret, app.old, "neither secret: {}", at());
            assert!(matches!(ended, Some(OpPhase::Cancelled | OpPhase::Failed)), "{ended:?} {}", at());
            assert!(after.token.as_ref().is_none_or(|t| *t == first), "{after:?} {}", at());
            (Outcome::TakenBack, "the old secret is kept")
        }
    };
    // An op that was left in the middle is told by the process that ended it.
    if left.as_ref().is_some_and(|op| matches!(op.phase, OpPhase::Running | OpPhase::Asking)) {
        assert!(next.stderr.contains(&app.name), "not told: {}", at());
    }
    // And that was all: the one after it asks for nothing and says nothing of it.
    floor.server().clear_requests();
    let quiet = floor.home.run(&["list", "--json"]).exits(0);
    assert!(!quiet.stderr.contains(&app.name), "{} {}", quiet.stderr, at());
    assert!(!floor.server().lines().iter().any(|r| is_fetch(r)), "{}", at());
    assert_eq!(floor.kept(&app), after, "{}", at());
    for token in [Some(first), after.token].into_iter().flatten() {
        floor.home.canary(&token);
    }
    Some(Row::new(left.as_ref(), point, outcome.0, outcome.1))
}

fn everywhere(provider: &str, settings: &TokenSettings, deed: Deed) {
    let make = || Floor::new(settings.clone());
    let Some(mut first) = make() else { return };
    let app = first.seed(0, deed);
    first.server().clear_requests();
    let args = deed.args(&app.name);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = first.home.run_with(&args, if deed == Deed::Secret { &app.new } else { "" }).exits(0);
    let asked: Vec<String> = first.server().lines().iter().map(|r| r.replace(&app.id, "APP")).collect();
    let steps: Vec<String> = ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(steps, [deed.step()]);
    assert_eq!(asked.iter().any(|r| is_fetch(r)), deed != Deed::Wipe, "{asked:?}");
    first.op();
    let judge = |floor: &mut Floor, number: usize, point: &Point| judge(floor, deed, number, point);
    let commits = Sweep {
        provider,
        plan: deed.plan(),
        steps: &steps,
        asked: &asked,
        is_read: &|r| !is_fetch(r),
        make: &|| make().unwrap(),
        judge: &judge,
        after: &|floor| floor.home.keeps_secrets(),
    }
    .run(first);
    // arm, planning, the plan, the step begun and done, what it changed, the end.
    assert!(commits >= 7, "{commits} commits");
}

#[test]
fn a_renewal_killed_anywhere_ends_with_one_token_everywhere_or_never_happened() {
    everywhere("wecom", &TokenSettings::default(), Deed::Renew);
}

#[test]
fn a_wipe_of_an_app_killed_anywhere_leaves_no_copy_or_never_happened() {
    everywhere("wecom", &TokenSettings::default(), Deed::Wipe);
}

#[test]
fn a_new_secret_killed_anywhere_is_kept_without_a_token_of_the_old_one_or_asked_for_again() {
    everywhere("wecom", &TokenSettings::default(), Deed::Secret);
}

#[test]
fn a_demanded_rotation_killed_anywhere_ends_with_the_newest_token_everywhere_or_never_happened() {
    everywhere("wechat-oa", &TokenSettings::wechat_oa(), Deed::Rotate);
}

#[test]
fn a_wipe_of_an_official_account_killed_anywhere_leaves_no_copy_or_never_happened() {
    everywhere("wechat-oa", &TokenSettings::wechat_oa(), Deed::Wipe);
}
