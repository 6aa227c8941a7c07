//! Bots of a LangBot server: loaded anew, switched on and off, and given a credential by a QR flow that tells it once.

use crate::support::{
    house::{Home, Servers, http_as, langbot_bot},
    kill::{self, Outcome, Point, Row, Sweep, Wire},
};
use pairdeck::{
    domain::{Op, OpPhase, ReasonCode},
    sandbox::{BotRow, BotSpec, LangBot, LangBotSettings, Part},
    store::Store,
};
use serde_json::{Map, Value};
use std::time::Duration;

const KEY: &str = "lbk_CANARY_kills_51aa07";

/// What is done to a bot.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Wipe,
    Restart,
    Enable,
    Disable,
    Pair,
}

impl Deed {
    const fn plan(self) -> &'static str {
        match self {
            Self::Wipe => "wipe",
            Self::Restart => "restart",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Pair => "pair by QR",
        }
    }

    fn args(self, id: &str) -> Vec<String> {
        let at = format!("lb:{id}");
        let words: &[&str] = match self {
            Self::Wipe => &["wipe", &at, "--yes", "--json"],
            Self::Restart | Self::Enable | Self::Disable => &["do", self.plan(), &at, "--yes", "--json"],
            Self::Pair => &["pair", &at, "--qr", "--json"],
        };
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Wipe | Self::Restart => &["restart", "loaded"],
            Self::Enable => &["enable", "loaded"],
            Self::Disable => &["disable"],
            // Keeping is done by the commit that makes the plan: no kill can meet it half done.
            Self::Pair => &["write", "loaded"],
        }
    }
}

/// One server and one home, used for one bot after another.
struct Floor {
    servers: Servers,
    home: Home,
    ops: i64,
}

impl Floor {
    fn new() -> Self {
        // A phone scans each code as soon as it is there.
        let settings = LangBotSettings { global_key: Some(KEY.into()), scans_after: Some(Duration::ZERO), ..LangBotSettings::default() };
        let bystander = BotSpec { name: "bystander".into(), adapter: "weixin".into(), enable: true, ..BotSpec::default() };
        let servers = Servers::with(vec![("lb", Part::LangBot(Box::new(settings), vec![bystander]))]);
        let home = Home::of(&servers);
        Self { servers, home, ops: 0 }
    }

    fn server(&self) -> &LangBot {
        self.servers.sandbox().langbot("lb").unwrap()
    }

    /// A bot with a setting that must stay; its id.
    fn seed(&self, number: usize, deed: Deed) -> String {
        let config: Map<String, Value> = [("note".to_owned(), "stays".into())].into_iter().collect();
        let spec = BotSpec { name: format!("bot-{number}"), adapter: "weixin".into(), config, enable: deed != Deed::Enable, ..BotSpec::default() };
        self.server().seed(&[spec]).remove(0)
    }

    fn row(&self, id: &str) -> BotRow {
        self.server().bot(id).unwrap()
    }

    fn config(&self, id: &str) -> Value {
        langbot_bot(&self.servers.url("lb"), KEY, id)["adapter_config"].clone()
    }

    /// The bot goes, so that every list is as long as the first.
    fn remove(&self, id: &str) {
        let (status, _) = http_as(&self.servers.url("lb"), "DELETE", &format!("/api/v1/platform/bots/{id}"), ("x-api-key", KEY), None);
        assert_eq!(status, 200);
    }

    fn op(&mut self) -> Option<Op> {
        kill::newest_op(&self.home, &mut self.ops)
    }

    fn run(&self, deed: Deed, id: &str) {
        let args = deed.args(id);
        self.home.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    }
}

/// Reading the state of a QR session takes away what it carries.
fn is_read(request: &str) -> bool {
    (request.starts_with("GET ") && !request.contains("/status/")) || request.ends_with("/logs") || request.ends_with("/user/auth")
}

/// Kills, lets the next process come, and judges.
fn judge(floor: &mut Floor, deed: Deed, number: usize, point: &Point) -> Option<Row> {
    let id = floor.seed(number, deed);
    let (before, config) = (floor.row(&id), floor.config(&id));
    let args = deed.args(&id);
    let over = kill::killed(&floor.home, floor.server(), &args.iter().map(String::as_str).collect::<Vec<_>>(), None, point).is_some();
    let left = floor.op();
    if over {
        floor.remove(&id);
        return None;
    }
    let kept = left.as_ref().and_then(|op| op.plan.as_ref()).and_then(|p| p.sealed.get("settings").cloned());
    let begun = left.as_ref().is_some_and(|op| op.phase == OpPhase::Done || op.step > 0 || op.begun);
    let staked = left.as_ref().is_some_and(|op| op.plan.is_none() && op.phase == OpPhase::Running);

    let next = floor.home.run(&["list", "--json"]).exits(0);
    let stood = kill::where_it_stands(left.as_ref());
    let at = || format!("{point}; {stood}; the next process said {}", next.stderr);
    let ended = left.as_ref().map(|op| floor.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()));
    let phase = ended.as_ref().map(|op| op.phase);
    let (after, now) = (floor.row(&id), floor.config(&id));
    let outcome = if staked {
        assert_eq!(phase, Some(OpPhase::Ambiguous), "{}", at());
        assert_eq!(ended.unwrap().reason.map(|r| r.code), Some(ReasonCode::CredentialLost), "{}", at());
        assert_eq!((&before, &config), (&after, &now), "{}", at());
        assert!(next.stderr.contains("its credential is lost"), "{}", at());
        (Outcome::AmbiguousShown, "the bot is untouched; that a credential may be lost is said")
    } else if !begun {
        assert!(matches!(phase, None | Some(OpPhase::Cancelled)), "{phase:?} {}", at());
        assert_eq!((&before, &config), (&after, &now), "{}", at());
        (Outcome::TakenBack, "taken back, nothing changed")
    } else {
        assert_eq!(phase, Some(OpPhase::Done), "{}", at());
        assert_eq!(now["note"], "stays", "{}", at());
        match deed {
            Deed::Pair => {
                if let Some(kept) = &kept {
                    let kept: Map<String, Value> = serde_json::from_str(kept.expose()).unwrap();
                    assert_eq!(kept.len(), 3, "{}", at());
                    assert!(kept.iter().all(|(k, v)| now[k] == *v), "another credential than the journaled one: {}", at());
                }
                let token = now["token"].as_str().unwrap_or_else(|| panic!("the credential is lost: {}", at()));
                floor.home.canary(token);
                assert!(after.loads > before.loads, "{}", at());
                (Outcome::Done, "the credential is in the bot's settings")
            }
            Deed::Wipe | Deed::Restart => {
                assert!(after.loads > before.loads && after.enable, "{after:?} {}", at());
                (Outcome::Done, "loaded anew")
            }
            Deed::Enable | Deed::Disable => {
                let on = deed == Deed::Enable;
                assert_eq!((after.enable, after.loaded), (on, on), "{}", at());
                (Outcome::Done, "switched")
            }
        }
    };
    assert_eq!(floor.row("bystander").loads, 1, "another bot was touched: {}", at());
    // An op that was left in the middle is told by the process that ended it.
    if left.as_ref().is_some_and(|op| op.phase == OpPhase::Running) {
        assert!(next.stderr.contains(&id), "not told: {}", at());
    }
    if staked {
        // It is said until somebody has paired anew.
        assert!(floor.home.run(&["list", "--json"]).exits(0).stderr.contains("its credential is lost"), "{}", at());
        floor.run(Deed::Pair, &id);
    }
    // And that was all: the one after it changes nothing and says nothing of it.
    floor.server().clear_requests();
    let quiet = floor.home.run(&["list", "--json"]).exits(0);
    assert!(!quiet.stderr.contains(&id), "{} {}", quiet.stderr, at());
    let asked = floor.server().lines();
    assert!(asked.iter().all(|r| is_read(r)), "{asked:?} {}", at());
    floor.op();
    floor.remove(&id);
    Some(Row::new(left.as_ref(), point, outcome.0, outcome.1))
}

fn everywhere(deed: Deed) {
    let mut first = Floor::new();
    let id = first.seed(0, deed);
    first.server().clear_requests();
    first.run(deed, &id);
    let other = first.row("bystander").uuid;
    let asked: Vec<String> = first.server().lines().iter().map(|r| r.replace(&id, "BOT").replace(&other, "OTHER")).collect();
    assert!(asked.iter().any(|r| !is_read(r)), "{asked:?}");
    first.op();
    first.remove(&id);
    let steps: Vec<String> = deed.steps().iter().map(|s| (*s).to_owned()).collect();
    let judge = |floor: &mut Floor, number: usize, point: &Point| judge(floor, deed, number, point);
    let commits = Sweep {
        provider: "langbot",
        plan: deed.plan(),
        steps: &steps,
        asked: &asked,
        is_read: &is_read,
        make: &Floor::new,
        judge: &judge,
        after: &|floor| floor.home.keeps_secrets(),
    }
    .run(first);
    // arm, planning (or that something is at stake), the plan, each step begun and done, the end.
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits");
}

#[test]
fn a_pairing_by_qr_killed_anywhere_loses_no_credential_that_was_kept_and_says_so_of_one_that_may_be_lost() {
    everywhere(Deed::Pair);
}

#[test]
fn a_wipe_of_a_bot_killed_anywhere_loads_it_anew_or_never_happened() {
    everywhere(Deed::Wipe);
}

#[test]
fn a_restart_of_a_bot_killed_anywhere_loads_it_anew_or_never_happened() {
    everywhere(Deed::Restart);
}

#[test]
fn switching_a_bot_on_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::Enable);
}

#[test]
fn switching_a_bot_off_killed_anywhere_is_finished_or_never_happened() {
    everywhere(Deed::Disable);
}
