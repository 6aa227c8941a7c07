//! A Telegram of the sandbox and a home that knows it: an account with slots of workers, a bot with slots, an operator that pairs.

use super::house::{Home, Servers, until};
use pairdeck::{
    domain::{GatewayId, Op, Secret},
    engine::world::secret_name,
    providers::telegram::{
        AuthKey, KeyId,
        session::{Format, Patience, gotd, read},
    },
    sandbox::{Part, Telegram, TelegramAccount, TelegramSession, TelegramSettings},
    store::Store,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

pub const OWNER: i64 = 9;
pub const ROBOT: i64 = 77;
pub const BOT_TOKEN: &str = "77:CANARY-bot-token-5c";
/// Old enough to end other sessions.
const DAYS: Duration = Duration::from_secs(40 * 3600);

/// Key number `n`, all unlike.
pub fn key(n: usize) -> AuthKey {
    AuthKey::new(std::array::from_fn(|i| if i < 2 { (n >> (8 * i)) as u8 } else { (i as u8).wrapping_mul(7) ^ 0x5a }))
}

/// A session as gotd writes it.
pub fn write(path: &Path, key: &AuthKey) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, &*gotd::render(4, key, 1, &gotd::Config::default()).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The key in a file; `None`: no file, or no whole session in it.
pub fn lies(path: &Path) -> Option<KeyId> {
    read(path, Format::Gotd, Patience::default()).ok().map(|f| f.session.key.id())
}

pub struct Tg {
    pub servers: Servers,
    pub home: Home,
    ops: i64,
}

impl Tg {
    /// Slots `s1`… of account `ada` and `b1`… of bot `robot`, none with a file; the servers as they are set.
    pub fn with(settings: TelegramSettings, password: Option<&str>, slots: usize, robots: usize) -> Self {
        let owner = TelegramAccount {
            id: OWNER,
            name: "Ada".into(),
            username: "ada".into(),
            phone: "5511999990001".into(),
            dc: 4,
            password: password.map(str::to_owned),
            ..TelegramAccount::default()
        };
        let robot = TelegramAccount {
            id: ROBOT,
            name: "Robot".into(),
            username: "robot".into(),
            dc: 4,
            bot_token: Some(BOT_TOKEN.into()),
            ..TelegramAccount::default()
        };
        let servers = Servers::with(vec![("tg", Part::Telegram(Box::new(settings), vec![owner, robot]))]);
        let mut home = Home::of(&servers);
        let tg = servers.sandbox().telegram("tg").unwrap();
        let dcs: Vec<_> = tg.dcs().iter().map(|(dc, at)| format!("{dc} = \"{at}\"")).collect();
        let mut text = format!("[gateway.tg]\nkind = \"telegram\"\ndcs = {{ {} }}\nserver_keys = {:?}\n", dcs.join(", "), tg.pem());
        for (account, letter, count, bot) in [("ada", 's', slots, ""), ("robot", 'b', robots, "bot = true\n")] {
            text.push_str(&format!("\n[gateway.tg.account.{account}]\napi_id = 12345\n{bot}"));
            for n in 1..=count {
                let file = home.file("workers").join(format!("{letter}{n}")).join("session.json");
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                text.push_str(&format!(
                    "[gateway.tg.account.{account}.slot.{letter}{n}]\nfile = {:?}\ndead_exit_codes = [41]\n",
                    file.to_str().unwrap()
                ));
            }
        }
        home.write_config(&text);
        if let Some(password) = password {
            home.canary(password);
            home.store(async |store: &Store| {
                let name = secret_name(&GatewayId::new("tg"), "account/ada/password");
                store.secret_put(&name, &Secret::new(password.to_owned())).await.unwrap();
            });
        }
        Self { servers, home, ops: 0 }
    }

    /// With the operator logged in for more than a day.
    pub fn open(slots: usize, robots: usize) -> Self {
        let all = Self::with(TelegramSettings::default(), Some("CANARY-second-step-91"), slots, robots);
        all.pair();
        all
    }

    pub fn tg(&self) -> &Telegram {
        self.servers.sandbox().telegram("tg").unwrap()
    }

    /// Pairs; the phone scans the first code that it sees. The session is made old enough to end others.
    pub fn pair(&self) -> Vec<Value> {
        let child = self.home.command(&["pair", "tg:ada", "--json"]).spawn().unwrap();
        until("a code", || self.tg().token().is_some());
        self.tg().scan(OWNER, None).unwrap();
        let lines = self.home.finish(child).exits(0).lines();
        assert_eq!(lines.last().unwrap()["event"], "linked", "{lines:?}");
        self.tg().age(OWNER, DAYS);
        lines
    }

    pub fn file(&self, slot: &str) -> PathBuf {
        self.home.file("workers").join(slot).join("session.json")
    }

    /// A session of the account in the slot's file, made here once: its hash is remembered.
    pub fn seat(&self, account: i64, slot: &str, n: usize) -> (i64, KeyId) {
        let key = key(n);
        let session = TelegramSession {
            key: Some(Box::new(*key.expose())),
            device: format!("worker {slot}"),
            app: "Orders".into(),
            age: DAYS,
            ..TelegramSession::default()
        };
        let hash = self.tg().add_session(account, &session).unwrap();
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
