//! The servers, the account and the slots that the tests of slots stand on.

use crate::support::house::{Home, Servers, until};
use pairdeck::{
    domain::{GatewayId, OpPhase, Secret},
    engine::world::secret_name,
    providers::telegram::{
        AuthKey, KeyId,
        session::{Format, Patience, gotd, read},
    },
    sandbox::{Part, Telegram, TelegramAccount, TelegramSession, TelegramSettings},
    store::Store,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

pub const OWNER: i64 = 9;
pub const PASSWORD: &str = "CANARY-second-step-91";
pub const BOT_TOKEN: &str = "77:CANARY-bot-token";

pub fn key(seed: u8) -> AuthKey {
    AuthKey::new([seed; 256])
}

pub fn write(path: &Path, seed: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, &*gotd::render(4, &key(seed), 1, &gotd::Config::default()).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn lies(path: &Path) -> Option<KeyId> {
    read(path, Format::Gotd, Patience::default()).ok().map(|f| f.session.key.id())
}

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
        let servers = Servers::with(vec![("tg", Part::Telegram(Box::new(settings), vec![owner, robot]))]);
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
    pub fn open(slots: usize, copies: usize) -> Self {
        let floor = Self::new(slots, copies);
        let lines = floor.pair();
        assert_eq!(lines.last().unwrap()["event"], "linked", "{lines:?}");
        floor
    }

    /// Pairs; the phone scans the first code that it sees.
    pub fn pair(&self) -> Vec<Value> {
        let child = self.home.command(&["pair", "tg:ada", "--json"]).spawn().unwrap();
        until("a code", || self.tg().token().is_some());
        self.tg().scan(OWNER, None).unwrap();
        self.home.finish(child).exits(0).lines()
    }

    pub fn tg(&self) -> &Telegram {
        self.servers.sandbox().telegram("tg").unwrap()
    }

    pub fn file(&self, slot: &str) -> PathBuf {
        self.home.file("workers").join(slot).join("session.json")
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
            let id = key(u8::try_from(n + 1).unwrap()).id();
            assert!(!calls.iter().any(|c| c.key == id.0), "a call with the key of w{n}");
        }
        assert!(!calls.iter().any(|c| c.outcome.contains("DUPLICATED")));
    }
}
