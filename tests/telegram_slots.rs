//! The whole program against the sandbox's Telegram: login, sessions, slots, and death at every commit of a slot's plan.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use pairdeck::{
    domain::{GatewayId, OpPhase, Secret},
    engine::world::secret_name,
    providers::telegram::{
        AuthKey, KeyId,
        session::{Format, Patience, gotd, read},
    },
    sandbox::{Part, Telegram, TelegramAccount, TelegramSession},
    store::Store,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use support::house::{Home, Servers, until};

const OWNER: i64 = 9;
const PASSWORD: &str = "CANARY-second-step-91";
const BOT_TOKEN: &str = "77:CANARY-bot-token";

fn key(seed: u8) -> AuthKey {
    AuthKey::new([seed; 256])
}

fn write(path: &Path, seed: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, &*gotd::render(4, &key(seed), 1, &gotd::Config::default()).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn lies(path: &Path) -> Option<KeyId> {
    read(path, Format::Gotd, Patience::default()).ok().map(|f| f.session.key.id())
}

struct Floor {
    servers: Servers,
    home: Home,
}

impl Floor {
    /// Slots `w0`, `w1`, …, each with a session that the servers know; `copies` have the key of `w0`.
    fn new(slots: usize, copies: usize) -> Self {
        let sessions = (0..slots).map(|n| TelegramSession {
            key: Some(Box::new(*key(u8::try_from(n + 1).unwrap()).expose())),
            device: format!("worker {n}"),
            app: "Orders".into(),
            age: Duration::from_secs(40 * 3600),
            ..TelegramSession::default()
        });
        let owner = TelegramAccount {
            id: OWNER,
            name: "Ada".into(),
            username: "ada".into(),
            phone: "5511999990001".into(),
            dc: 4,
            password: Some(PASSWORD.into()),
            sessions: sessions.collect(),
            ..TelegramAccount::default()
        };
        let robot = TelegramAccount {
            id: 77,
            name: "Robot".into(),
            username: "robot".into(),
            dc: 4,
            bot_token: Some(BOT_TOKEN.into()),
            ..TelegramAccount::default()
        };
        let servers = Servers::with(vec![("tg", Part::Telegram(Box::default(), vec![owner, robot]))]);
        let mut home = Home::of(&servers);
        home.canary(PASSWORD);
        let tg = servers.sandbox().telegram("tg").unwrap();
        let dcs: Vec<_> = tg.dcs().iter().map(|(dc, at)| format!("{dc} = \"{at}\"")).collect();
        let mut text = format!("[gateway.tg]\nkind = \"telegram\"\ndcs = {{ {} }}\nserver_keys = {:?}\n", dcs.join(", "), tg.pem());
        text.push_str("\n[gateway.tg.account.ada]\napi_id = 12345\n");
        for n in 0..slots + copies {
            let file = home.file("workers").join(format!("w{n}")).join("session.json");
            write(&file, u8::try_from(if n < slots { n + 1 } else { 1 }).unwrap());
            text.push_str(&format!("[gateway.tg.account.ada.slot.w{n}]\nfile = {:?}\n", file.to_str().unwrap()));
        }
        text.push_str("[gateway.tg.account.robot]\napi_id = 12345\nbot = true\n");
        let file = home.file("workers").join("robot").join("session.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        text.push_str(&format!("[gateway.tg.account.robot.slot.main]\nfile = {:?}\n", file.to_str().unwrap()));
        home.write_config(&text);
        home.store(async |store: &Store| {
            let name = secret_name(&GatewayId::new("tg"), "account/ada/password");
            store.secret_put(&name, &Secret::new(PASSWORD.into())).await.unwrap();
        });
        Self { servers, home }
    }

    /// The same, with the operator logged in.
    fn open(slots: usize, copies: usize) -> Self {
        let floor = Self::new(slots, copies);
        let lines = floor.pair();
        assert_eq!(lines.last().unwrap()["event"], "linked", "{lines:?}");
        floor
    }

    /// Pairs; the phone scans the first code that it sees.
    fn pair(&self) -> Vec<Value> {
        let child = self.home.command(&["pair", "tg:ada", "--json"]).spawn().unwrap();
        until("a code", || self.tg().token().is_some());
        self.tg().scan(OWNER, None).unwrap();
        self.home.finish(child).exits(0).lines()
    }

    fn tg(&self) -> &Telegram {
        self.servers.sandbox().telegram("tg").unwrap()
    }

    fn file(&self, slot: &str) -> PathBuf {
        self.home.file("workers").join(slot).join("session.json")
    }

    fn devices(&self) -> Vec<Value> {
        let list = self.home.run(&["list", "--json"]).exits(0).json();
        let accounts = list["accounts"].as_array().unwrap().clone();
        accounts.into_iter().find(|a| a["name"] == "ada").unwrap()["devices"].as_array().unwrap().clone()
    }

    fn device(&self, name: &str) -> Value {
        self.devices().into_iter().find(|d| d["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn op(&self, id: i64) -> Option<OpPhase> {
        self.home.store(async |store: &Store| store.op(id).await.unwrap().map(|op| op.phase))
    }

    /// No worker's key was ever used from here: neither those that lay there nor, once they lie there, the new ones.
    fn no_workers_key_was_used(&self, slots: usize) {
        let calls = self.tg().calls();
        for n in 0..slots {
            let id = key(u8::try_from(n + 1).unwrap()).id();
            assert!(!calls.iter().any(|c| c.key == id.0), "a call with the key of w{n}");
        }
        assert!(!calls.iter().any(|c| c.outcome.contains("DUPLICATED")));
    }
}

#[test]
fn an_operator_logs_in_over_two_data_centres_with_the_second_factor_and_the_devices_are_listed() {
    let mut floor = Floor::new(1, 0);
    let lines = floor.pair();
    let offer = lines.iter().find(|l| l["event"] == "offer").unwrap();
    assert!(offer["payload"].as_str().unwrap().starts_with("tg://login?token="), "{offer}");
    assert_eq!((&offer["kind"], &offer["fresh"], &offer["clock"]), (&json!("qr"), &json!("proven"), &json!("ok")), "{offer}");
    assert!(lines.iter().any(|l| l["event"] == "scanned"));
    assert_eq!(lines.last().unwrap()["event"], "linked");
    let devices = floor.devices();
    let own: Vec<_> = devices.iter().filter(|d| d["facts"]["own"] == true).collect();
    assert_eq!(own.len(), 1, "{devices:?}");
    let worker = devices.iter().find(|d| d["name"] == "worker 0").unwrap();
    assert_eq!((&worker["state"], worker["facts"]["last_active"].is_string()), (&json!("seen"), true), "{worker}");
    // The first day: said, and not tried.
    let id = worker["id"].as_str().unwrap().to_owned();
    let refused = floor.home.run(&["wipe", &id, "--yes"]);
    assert_ne!(refused.code, 0);
    assert!(!floor.tg().calls().iter().any(|c| c.method == "account.resetAuthorization"), "{}", refused.stderr);
    floor.home.canary("CANARY-nothing");
    floor.home.keeps_secrets();
}

#[test]
fn a_clock_that_is_far_off_ends_with_7_and_no_key_was_made() {
    let floor = Floor::new(1, 0);
    floor.tg().skew(Some(10_800.0));
    floor.home.run(&["pair", "tg:ada", "--json"]).exits(7);
    assert_eq!((floor.tg().counts().keys, floor.tg().calls().len()), (0, 0));
}

#[test]
fn two_workers_on_one_key_are_a_conflict_until_one_has_a_key_of_its_own() {
    let floor = Floor::open(1, 1);
    for slot in ["w0", "w1"] {
        let row = floor.device(slot);
        assert_eq!((&row["state"], &row["reason"]["code"]), (&json!("conflict"), &json!("key_twin")), "{row}");
    }
    floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]).exits(0);
    let new = lies(&floor.file("w1")).unwrap();
    assert_ne!(new, key(1).id());
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()), "the other one is left alone");
    assert!(floor.tg().alive(new.0));
    for slot in ["w0", "w1"] {
        assert_eq!(floor.device(slot)["state"], "offline");
    }
    assert_eq!(fs::metadata(floor.file("w1")).unwrap().permissions().mode() & 0o777, 0o600);
    floor.no_workers_key_was_used(1);
    assert!(floor.tg().connected().iter().all(|c| c.key != Some(new.0)), "nobody holds the new key");
    // Once more: now its session is known, and on the operator's first day its end is owed.
    let again = floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]);
    let newer = lies(&floor.file("w1")).unwrap();
    assert_ne!(newer, new, "{}", again.stderr);
    assert!(floor.tg().alive(newer.0) && floor.tg().alive(new.0));
    floor.tg().age(OWNER, Duration::from_secs(25 * 3600));
    floor.home.run(&["regenerate", "tg:ada/w1", "--yes", "--json"]).exits(0);
    assert!(!floor.tg().alive(newer.0), "the session that was replaced is ended by its hash");
    floor.home.keeps_secrets();
}

#[test]
fn a_slot_without_a_file_gets_a_session_and_a_bots_slot_too() {
    let floor = Floor::open(1, 0);
    fs::remove_file(floor.file("w0")).unwrap();
    assert_eq!(floor.device("w0")["reason"]["code"], "session_absent");
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert!(floor.tg().alive(lies(&floor.file("w0")).unwrap().0));
    floor.home.run(&["regenerate", "tg:robot/main", "--yes", "--json"]).exits(0);
    assert!(floor.tg().alive(lies(&floor.file("robot")).unwrap().0));
}

#[test]
fn a_wiped_slot_lies_in_the_trash_and_comes_back() {
    let floor = Floor::open(1, 0);
    floor.home.run(&["wipe", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert_eq!(lies(&floor.file("w0")), None);
    let trash = floor.file("w0").with_file_name(".pairdeck-trash");
    assert_eq!(fs::metadata(&trash).unwrap().permissions().mode() & 0o777, 0o700);
    floor.home.run(&["do", "restore", "tg:ada/w0", "--yes", "--json"]).exits(0);
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()));
    floor.no_workers_key_was_used(1);
}

#[test]
fn a_closed_account_is_not_rebuilt() {
    let floor = Floor::open(1, 0);
    floor.tg().deactivate(OWNER, true);
    let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]);
    assert_ne!(ran.code, 0);
    assert_eq!(lies(&floor.file("w0")), Some(key(1).id()));
    assert!(!floor.tg().calls().iter().any(|c| c.method == "auth.exportLoginToken" && c.outcome == "ok" && c.conn > 50));
}

#[test]
fn a_regenerate_killed_at_any_commit_leaves_the_old_file_or_the_new_one_and_no_stray_session() {
    const SLOTS: usize = 70;
    let floor = Floor::open(SLOTS, 0);
    let steps = {
        let ran = floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
        ran.json()["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(steps, ["stopped", "key", "accept", "login", "identity", "replace", "verify"]);
    let (mut slot, mut commits, mut table) = (0, 0, Vec::new());
    'sweep: for n in 1.. {
        for side in ["before", "after"] {
            slot += 1;
            assert!(slot < SLOTS, "more commits than slots");
            let (name, old) = (format!("w{slot}"), key(u8::try_from(slot + 1).unwrap()).id());
            let before = floor.tg().devices(OWNER);
            let mut command = floor.home.command(&["regenerate", &format!("tg:ada/{name}"), "--yes", "--json"]);
            command.env("PAIRDECK_DEBUG_KILL_AT", format!("journal:{n}:{side}"));
            let ran = floor.home.finish(command.spawn().unwrap());
            let stood = lies(&floor.file(&name));
            assert!(stood.is_some(), "{n} {side}: half a file");
            if ran.code != -9 {
                break 'sweep;
            }
            commits = n;
            let next = floor.home.run(&["list", "--json"]).exits(0);
            let is = lies(&floor.file(&name)).unwrap();
            let after = floor.tg().devices(OWNER);
            let at = || format!("journal {n} {side}; {stood:?}; {}", next.stderr);
            if is == old {
                assert_eq!(after.len(), before.len(), "a stray session: {after:?} {}", at());
            } else {
                assert!(floor.tg().alive(is.0), "{}", at());
                assert_eq!(after.len(), before.len() + 1, "{}", at());
            }
            let left: Vec<_> = fs::read_dir(floor.file(&name).parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(left.iter().all(|f| !f.to_string_lossy().ends_with("-new")), "{left:?} {}", at());
            table.push(format!("journal {n:>2} {side:<6} | {}", if is == old { "taken back, the old file" } else { "finished, the new file" }));
        }
    }
    assert!(commits >= 4 + 2 * steps.len(), "{commits} commits for {} steps", steps.len());
    println!("{}", table.join("\n"));
    let open = (1..200).filter_map(|id| floor.op(id)).filter(|p| p.open() || *p == OpPhase::Ambiguous).count();
    assert_eq!(open, 0, "an op was left open");
    floor.no_workers_key_was_used(SLOTS);
    floor.home.keeps_secrets();
}

#[test]
fn each_secret_of_an_account_is_kept_under_its_own_name() {
    let mut floor = Floor::new(1, 0);
    floor.home.canary("CANARY-another-password");
    floor.home.run_with(&["secret", "set", "tg:ada", "--name", "password", "--file", "-"], "CANARY-another-password").exits(0);
    let kept = floor.home.store(async |store: &Store| {
        let of = async |name: &str| store.secret_get(&secret_name(&GatewayId::new("tg"), &format!("account/ada/{name}"))).await.unwrap();
        (of("api_hash").await, of("password").await)
    });
    assert!(kept.0.is_some_and(|h| h.len() == 32), "the other one is untouched");
    assert!(kept.1 == Some(Secret::new("CANARY-another-password".into())));
}

/// A process that dies between two calls, or while one is under way: whatever the servers did, nothing is stranded.
#[test]
fn a_regenerate_killed_at_any_call_leaves_the_old_file_or_the_new_one_and_no_stray_session() {
    const SLOTS: usize = 40;
    let floor = Floor::open(SLOTS, 0);
    floor.tg().clear();
    floor.home.run(&["regenerate", "tg:ada/w0", "--yes", "--json"]).exits(0);
    let methods: Vec<_> = floor.tg().calls().into_iter().map(|c| c.method).collect();
    assert!(methods.contains(&"auth.acceptLoginToken") && methods.len() < SLOTS, "{methods:?}");
    for (n, method) in methods.iter().enumerate() {
        let (name, old) = (format!("w{}", n + 1), key(u8::try_from(n + 2).unwrap()).id());
        let before = floor.tg().devices(OWNER).len();
        floor.tg().clear();
        let mut child = floor.home.command(&["regenerate", &format!("tg:ada/{name}"), "--yes", "--json"]).spawn().unwrap();
        until(method, || floor.tg().calls().len() > n || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        floor.home.finish(child);
        let next = floor.home.run(&["list", "--json"]).exits(0);
        let is = lies(&floor.file(&name)).unwrap_or_else(|| panic!("half a file: {n} {method}"));
        let (after, at) = (floor.tg().devices(OWNER).len(), format!("{n} {method}: {}", next.stderr));
        assert_eq!(after, before + usize::from(is != old), "{at}");
        assert!(is == old || floor.tg().alive(is.0), "{at}");
    }
    floor.no_workers_key_was_used(SLOTS);
}
