//! The servers, the account and the slots that the tests of slots stand on.

pub use crate::support::tg::{BOT_TOKEN, OWNER, PASSWORD, key, lies, write};
use crate::support::{
    house::{Home, Servers},
    stage, tg,
};
use pairdeck::{
    domain::OpPhase,
    sandbox::{Telegram, TelegramSettings},
    store::Store,
};
use serde_json::Value;
use std::path::PathBuf;

/// A sandbox with an account that has workers, and a home whose configuration names their slots.
pub struct Floor {
    pub servers: Servers,
    pub home: Home,
}

impl Floor {
    /// Slots `w0`, `w1`, …, each with a session that the servers know; `copies` have the key of `w0`.
    pub fn new(slots: usize, copies: usize) -> Self {
        Self::under(TelegramSettings::default(), slots, copies)
    }

    /// The same on servers with these settings.
    pub fn under(settings: TelegramSettings, slots: usize, copies: usize) -> Self {
        let sessions = (0..slots).map(|n| stage::worker(&format!("worker {n}"), &key(n + 1))).collect();
        let names = (0..slots + copies).map(|n| format!("w{n}")).collect();
        let accounts = [("ada", false, names), ("robot", true, vec!["main".to_owned()])];
        let (servers, home) = tg::house(settings, vec![stage::owner(Some(PASSWORD), sessions), stage::robot()], &accounts);
        for n in 0..slots + copies {
            write(&stage::file(&home.file(""), &format!("w{n}")), &key(if n < slots { n + 1 } else { 1 }));
        }
        Self { servers, home }
    }

    /// The same, with the operator logged in.
    pub fn open(slots: usize, copies: usize) -> Self {
        let floor = Self::new(slots, copies);
        floor.pair();
        floor
    }

    /// Pairs; the phone scans the first code that it sees.
    pub fn pair(&self) -> Vec<Value> {
        tg::pair(&self.home, self.tg())
    }

    pub fn tg(&self) -> &Telegram {
        self.servers.sandbox().telegram("tg").unwrap()
    }

    pub fn file(&self, slot: &str) -> PathBuf {
        stage::file(&self.home.file(""), slot)
    }

    pub fn devices(&self) -> Vec<Value> {
        let list = self.home.run(&["list", "--json"]).exits(0).json();
        let accounts = list["accounts"].as_array().unwrap().clone();
        accounts.into_iter().find(|a| a["name"] == "ada").unwrap()["devices"].as_array().unwrap().clone()
    }

    pub fn device(&self, name: &str) -> Value {
        self.devices().into_iter().find(|d| d["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn op(&self, id: i64) -> Option<OpPhase> {
        self.home.store(async |store: &Store| store.op(id).await.unwrap().map(|op| op.phase))
    }

    /// No worker's key was ever used from here: neither those that lay there nor, once they lie there, the new ones.
    pub fn no_workers_key_was_used(&self, slots: usize) {
        let calls = self.tg().calls();
        for n in 0..slots {
            let id = key(n + 1).id();
            assert!(!calls.iter().any(|c| c.key == id.0), "a call with the key of w{n}");
        }
        assert!(!calls.iter().any(|c| c.outcome.contains("DUPLICATED")));
    }
}
