//! SIGKILL of the real program at every request and on both sides of every journal commit of a regenerate and of a wipe. The
//! points are enumerated from a run of the same plan, never picked. After each the next process must finish it or take it
//! back, and everything that the server gives back is compared with what was there before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    domain::{Op, OpPhase},
    sandbox::Past,
    store::Store,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{
    house::{Home, Servers, http, instance, quick},
    kill::{self, Outcome, Point, Row, Sweep},
};

const KEY: &str = "CANARY-kill-b7d1f09a4c";
const PROXY_PASSWORD: &str = "CANARY-proxy-5521c0ff";
const KINDS: [&str; 9] = ["settings", "webhook", "websocket", "rabbitmq", "nats", "sqs", "kafka", "pusher", "proxy"];

/// One server and one home, used for one point after another.
struct Floor {
    servers: Servers,
    home: Home,
    url: String,
    ops: i64,
}

/// Everything about an instance that must survive.
#[derive(Debug, PartialEq)]
struct Kept {
    found: BTreeMap<&'static str, Value>,
    integration: Value,
    number: Value,
}

impl Floor {
    fn new() -> Self {
        let servers = Servers::start(vec![("wa", quick(KEY), vec![])]);
        let mut home = Home::of(&servers);
        home.canary(PROXY_PASSWORD);
        let url = servers.url("wa");
        Self { servers, home, url, ops: 0 }
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = http(&self.url, "GET", path, KEY, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// An online instance with something set of every kind.
    fn seed(&self, name: &str) {
        self.servers.gateway("wa").seed(&[instance(name, Past::Online)]);
        let events = json!(["QRCODE_UPDATED", "CONNECTION_UPDATE"]);
        let channel = json!({ "enabled": true, "events": events });
        let settings = json!({ "rejectCall": true, "msgCall": "busy 忙", "groupsIgnore": true, "alwaysOnline": false, "readMessages": true,
            "readStatus": false, "syncFullHistory": true, "wavoipToken": "" });
        let webhook = json!({ "enabled": true, "url": "http://127.0.0.1:9/hook", "events": events, "byEvents": true, "base64": true,
            "headers": { "x-shop": "7" } });
        let proxy = json!({ "enabled": true, "host": "127.0.0.1", "port": "3128", "protocol": "http", "username": "u", "password": PROXY_PASSWORD });
        for kind in KINDS {
            let body = match kind {
                "settings" => settings.clone(),
                "proxy" => proxy.clone(),
                "webhook" => json!({ "webhook": webhook }),
                _ => json!({ kind: channel }),
            };
            let (status, said) = http(&self.url, "POST", &format!("/{kind}/set/{name}"), KEY, Some(&body));
            assert!(status < 300, "{kind}: {status} {said}");
        }
    }

    /// The one row of that name: its id, its token, and what must survive.
    fn read(&self, name: &str) -> Option<(String, String, Kept)> {
        let all = self.get("/instance/fetchInstances");
        let mut rows: Vec<_> = all.as_array().unwrap().iter().filter(|r| r["name"] == name).collect();
        assert!(rows.len() <= 1, "{name} is there {} times", rows.len());
        let row = rows.pop()?;
        let found = KINDS
            .into_iter()
            .map(|kind| {
                let mut v = self.get(&format!("/{kind}/find/{name}"));
                if let Some(m) = v.as_object_mut() {
                    m.retain(|k, _| !["id", "createdAt", "updatedAt", "instanceId"].contains(&k.as_str()));
                }
                (kind, v)
            })
            .collect();
        let text = |k: &str| row[k].as_str().unwrap().to_owned();
        Some((text("id"), text("token"), Kept { found, integration: row["integration"].clone(), number: row["number"].clone() }))
    }

    /// The newest op since the last call.
    fn op(&mut self) -> Option<Op> {
        kill::newest_op(&self.home, &mut self.ops)
    }

    /// True when the point never came.
    fn survives(&self, args: &[&str], point: &Point) -> bool {
        kill::killed(&self.home, self.servers.gateway("wa"), args, None, point).is_some()
    }
}

/// Kills, lets the next process come, and judges. Returns the table's row.
///
/// With `earlier` a process was killed there before, and it is the one that finishes its work which is killed at `point`.
fn judge(floor: &mut Floor, verb: &str, earlier: Option<&Point>, number: usize, point: &Point) -> Option<Row> {
    let name = format!("shop-{number}");
    floor.seed(&name);
    let (id, token, before) = floor.read(&name).unwrap();
    let act = [verb, &name, "--yes", "--json"];
    let survived = match earlier {
        None => floor.survives(&act, point),
        Some(earlier) => {
            assert!(!floor.survives(&act, earlier), "{earlier} never came");
            floor.survives(&["list", "--json"], point)
        }
    };
    if survived {
        floor.op();
        return None;
    }
    let left = floor.op();
    let chosen = left.as_ref().and_then(|op| op.plan.as_ref()).and_then(|p| p.sealed.get("token").cloned());
    let stood = kill::where_it_stands(left.as_ref());
    let past_pivot = left.as_ref().is_some_and(|op| op.phase == OpPhase::Done || op.step > 0 || op.begun);

    // Any process that comes next: here one that only lists.
    let next = floor.home.run(&["list", "--json"]).exits(0);
    let at = || format!("{point}; {stood}; the next process: {}", next.stderr);
    let (new_id, new_token, after) = floor.read(&name).unwrap_or_else(|| panic!("the instance is lost: {}", at()));
    assert_eq!(before, after, "{}", at());
    let ended = left.as_ref().map(|op| floor.home.store(async |s: &Store| s.op(op.id).await.unwrap().unwrap()).phase);
    let outcome = match (verb, past_pivot) {
        ("regenerate", true) => {
            assert_eq!(ended, Some(OpPhase::Done), "{}", at());
            assert_ne!((&new_id, &new_token), (&id, &token), "{}", at());
            if let Some(chosen) = &chosen {
                assert!(*chosen == pairdeck::domain::Secret::new(new_token.clone()), "a token that is not the journaled one: {}", at());
            }
            (Outcome::Done, "finished, journaled token")
        }
        ("wipe", true) => {
            assert_eq!(ended, Some(OpPhase::Done), "{}", at());
            assert_eq!((&new_id, &new_token), (&id, &token), "{}", at());
            assert_eq!(floor.get(&format!("/instance/connectionState/{name}"))["instance"]["state"], "close", "{}", at());
            (Outcome::Done, "finished, session ended")
        }
        (_, false) => {
            assert!(matches!(ended, None | Some(OpPhase::Cancelled)), "{ended:?} {}", at());
            assert_eq!((&new_id, &new_token), (&id, &token), "{}", at());
            assert_eq!(floor.get(&format!("/instance/connectionState/{name}"))["instance"]["state"], "open", "{}", at());
            (Outcome::TakenBack, "taken back, nothing changed")
        }
        other => panic!("{other:?}"),
    };
    // An op that was left in the middle is told by the process that ended it.
    if left.as_ref().is_some_and(|op| op.phase == OpPhase::Running) {
        assert!(next.stderr.contains(&name), "{}", at());
    }
    // And that was all: the one after it changes nothing and says nothing.
    floor.servers.gateway("wa").clear_requests();
    let quiet = floor.home.run(&["list", "--json"]).exits(0);
    assert_eq!(quiet.stderr, "", "{}", at());
    assert!(floor.servers.asked("wa").iter().all(|r| r.starts_with("GET ")), "{}", at());
    if let Some(chosen) = chosen {
        floor.home.canary(chosen.expose());
    }
    http(&floor.url, "DELETE", &format!("/instance/delete/{name}"), KEY, None);
    Some(Row::new(left.as_ref(), point, outcome.0, outcome.1).without("shop-0"))
}

/// The plan's own steps and requests, from a run that nobody disturbs.
fn undisturbed(floor: &mut Floor, verb: &str) -> (Vec<String>, Vec<String>) {
    floor.seed("shop-0");
    let (_, _, before) = floor.read("shop-0").unwrap();
    floor.servers.gateway("wa").clear_requests();
    let ran = floor.home.run(&[verb, "shop-0", "--yes", "--json"]).exits(0);
    let requests = floor.servers.asked("wa");
    assert_eq!(floor.read("shop-0").unwrap().2, before);
    let steps = ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
    floor.op();
    http(&floor.url, "DELETE", "/instance/delete/shop-0", KEY, None);
    (steps, requests)
}

fn everywhere(verb: &'static str, steps_wanted: &[&str]) {
    let mut first = Floor::new();
    let (steps, asked) = undisturbed(&mut first, verb);
    assert_eq!(steps, steps_wanted);
    let commits = sweep(first, verb, None, verb, &steps, &asked);
    // arm, planning, the plan, each step begun and done, the end.
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
}

fn is_read(request: &str) -> bool {
    request.starts_with("GET ")
}

fn sweep(first: Floor, verb: &str, earlier: Option<&Point>, plan: &str, steps: &[String], asked: &[String]) -> usize {
    assert!(asked.iter().any(|r| !is_read(r)));
    let judge = |floor: &mut Floor, number: usize, point: &Point| judge(floor, verb, earlier, number, point);
    Sweep {
        provider: "evolution",
        plan,
        steps,
        asked,
        is_read: &is_read,
        make: &Floor::new,
        judge: &judge,
        after: &|floor| floor.home.keeps_secrets(),
    }
    .run(first)
}

#[test]
fn a_regenerate_killed_anywhere_is_finished_or_taken_back_by_the_next_process() {
    let steps: Vec<&str> = ["delete", "create"].into_iter().chain(KINDS).chain(["verify"]).collect();
    everywhere("regenerate", &steps);
}

#[test]
fn a_wipe_killed_anywhere_is_finished_or_taken_back_by_the_next_process() {
    everywhere("wipe", &["logout", "closed"]);
}

#[test]
fn the_process_that_finishes_a_regenerate_may_be_killed_anywhere_too() {
    let mut first = Floor::new();
    let (_, asked) = undisturbed(&mut first, "regenerate");
    // The worst moment: deleted, and nothing made anew.
    let n = 1 + asked.iter().position(|r| r.starts_with("DELETE /instance/delete/")).unwrap();
    let deleted = Point::Request { n, what: asked[n - 1].clone(), done: true };
    first.seed("shop-0");
    assert!(!first.survives(&["regenerate", "shop-0", "--yes"], &deleted));
    assert!(first.read("shop-0").is_none());
    first.servers.gateway("wa").clear_requests();
    first.home.run(&["list", "--json"]).exits(0);
    let asked = first.servers.asked("wa");
    first.op();
    http(&first.url, "DELETE", "/instance/delete/shop-0", KEY, None);
    let steps: Vec<String> = ["create"].into_iter().chain(KINDS).chain(["verify"]).map(str::to_owned).collect();
    sweep(first, "regenerate", Some(&deleted), "regenerate killed after its delete", &steps, &asked);
}
