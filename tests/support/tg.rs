//! A Telegram of the sandbox and a home that knows it: an account with slots of workers, a bot with slots, an operator that pairs.

// Each test file takes what it needs.
#[allow(unused_imports)]
pub use super::stage::{BOT_TOKEN, DAYS, OWNER, PASSWORD, ROBOT, key, lies, write};
use super::{
    house::{Home, Servers, until},
    stage,
};
use pairdeck::{
    domain::{GatewayId, Op, Secret},
    engine::world::secret_name,
    providers::telegram::KeyId,
    sandbox::{Part, Telegram, TelegramAccount, TelegramSettings},
    store::Store,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A sandbox with these people, and a home whose configuration names their slots. A password is sealed in it.
pub fn house(settings: TelegramSettings, people: Vec<TelegramAccount>, accounts: &[(&str, bool, Vec<String>)]) -> (Servers, Home) {
    let password = people.iter().find_map(|p| p.password.clone());
    let servers = Servers::with(vec![("tg", Part::Telegram(Box::new(settings), people))]);
    let mut home = Home::of(&servers);
    let mut text = stage::gateway("tg", servers.sandbox().telegram("tg").unwrap());
    let root = home.file("");
    for (name, bot, slots) in accounts {
        text.push_str(&stage::account("tg", name, *bot, &root, slots));
    }
    home.write_config(&text);
    if let Some(password) = password {
        home.canary(&password);
        home.store(async |store: &Store| {
            let name = secret_name(&GatewayId::new("tg"), "account/ada/password");
            store.secret_put(&name, &Secret::new(password)).await.unwrap();
        });
    }
    (servers, home)
}

/// Pairs; the phone scans the first code that it sees.
pub fn pair(home: &Home, tg: &Telegram) -> Vec<Value> {
    let child = home.command(&["pair", "tg:ada", "--json"]).spawn().unwrap();
    until("a code", || tg.token().is_some());
    tg.scan(OWNER, None).unwrap();
    let lines = home.finish(child).exits(0).lines();
    assert_eq!(lines.last().unwrap()["event"], "linked", "{lines:?}");
    lines
}

pub struct Tg {
    pub servers: Servers,
    pub home: Home,
    ops: i64,
}

impl Tg {
    /// Slots `s1`… of account `ada` and `b1`… of bot `robot`, none with a file; the servers as they are set.
    pub fn with(settings: TelegramSettings, password: Option<&str>, slots: usize, robots: usize) -> Self {
        let named = |letter: char, count: usize| (1..=count).map(|n| format!("{letter}{n}")).collect();
        let accounts = [("ada", false, named('s', slots)), ("robot", true, named('b', robots))];
        let (servers, home) = house(settings, vec![stage::owner(password, Vec::new()), stage::robot()], &accounts);
        Self { servers, home, ops: 0 }
    }

    /// With the operator logged in for more than a day.
    pub fn open(slots: usize, robots: usize) -> Self {
        let all = Self::with(TelegramSettings::default(), Some(PASSWORD), slots, robots);
        all.pair();
        all
    }

    pub fn tg(&self) -> &Telegram {
        self.servers.sandbox().telegram("tg").unwrap()
    }

    /// Pairs; the phone scans the first code that it sees. The session is made old enough to end others.
    pub fn pair(&self) -> Vec<Value> {
        let lines = pair(&self.home, self.tg());
        self.tg().age(OWNER, DAYS);
        lines
    }

    pub fn file(&self, slot: &str) -> PathBuf {
        stage::file(&self.home.file(""), slot)
    }

    /// A session of the account in the slot's file, made here once: its hash is remembered.
    pub fn seat(&self, account: i64, slot: &str, n: usize) -> (i64, KeyId) {
        let key = key(n);
        let hash = self.tg().add_session(account, &stage::worker(&format!("worker {slot}"), &key)).unwrap();
        write(&self.file(slot), &key);
        let kept = json!({ "key": key.id().to_string(), "hash": if account == OWNER { json!(hash) } else { Value::Null } });
        let name = if account == OWNER { "ada" } else { "robot" };
        self.home.store(async |store: &Store| {
            store.memo_put(&GatewayId::new("tg"), &format!("slot:{name}/{slot}"), kept).await.unwrap();
        });
        (hash, key.id())
    }

    /// One device of the account as `list` tells it.
    pub fn device(&self, name: &str) -> Value {
        let list = self.home.run(&["list", "--json"]).exits(0).json();
        let devices = list["accounts"].as_array().unwrap().iter().flat_map(|a| a["devices"].as_array().unwrap().clone());
        devices.into_iter().find(|d| d["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The newest op since the last call.
    pub fn op(&mut self) -> Option<Op> {
        let from = self.ops;
        let (op, ops) = self.home.store(async |store: &Store| {
            let (mut last, mut id) = (None, from);
            while let Some(op) = store.op(id + 1).await.unwrap() {
                (last, id) = (Some(op), id + 1);
            }
            (last, id)
        });
        self.ops = ops;
        op
    }
}
