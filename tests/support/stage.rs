//! What every test of Telegram stands on: the same two people on the sandbox, sessions of workers in files, and the lines of a
//! configuration that name them. Nothing here runs a program.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use pairdeck::{
    providers::telegram::{
        AuthKey, KeyId,
        session::{Format, Patience, gotd, read},
    },
    sandbox::{Telegram, TelegramAccount, TelegramSession},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

pub const OWNER: i64 = 9;
pub const ROBOT: i64 = 77;
pub const BOT_TOKEN: &str = "77:CANARY-bot-token-5c";
pub const PASSWORD: &str = "CANARY-second-step-91";
/// Old enough to end other sessions.
pub const DAYS: Duration = Duration::from_secs(40 * 3600);

/// Ada, whose operator pairs and whose workers run.
pub fn owner(password: Option<&str>, sessions: Vec<TelegramSession>) -> TelegramAccount {
    TelegramAccount {
        id: OWNER,
        name: "Ada".into(),
        username: "ada".into(),
        phone: "5511999990001".into(),
        dc: 4,
        password: password.map(str::to_owned),
        sessions,
        ..TelegramAccount::default()
    }
}

/// A bot.
pub fn robot() -> TelegramAccount {
    TelegramAccount {
        id: ROBOT,
        name: "Robot".into(),
        username: "robot".into(),
        dc: 4,
        bot_token: Some(BOT_TOKEN.into()),
        ..TelegramAccount::default()
    }
}

/// Key number `n`, all unlike.
pub fn key(n: usize) -> AuthKey {
    AuthKey::new(std::array::from_fn(|i| if i < 2 { (n >> (8 * i)) as u8 } else { (i as u8).wrapping_mul(7) ^ 0x5a }))
}

/// A worker's session as the servers know it.
pub fn worker(device: &str, key: &AuthKey) -> TelegramSession {
    TelegramSession { key: Some(Box::new(*key.expose())), device: device.into(), app: "Orders".into(), age: DAYS, ..TelegramSession::default() }
}

/// The session file of a slot.
pub fn file(home: &Path, slot: &str) -> PathBuf {
    home.join("workers").join(slot).join("session.json")
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

/// The configuration of a gateway on these servers, without accounts.
pub fn gateway(name: &str, tg: &Telegram) -> String {
    let dcs: Vec<_> = tg.dcs().iter().map(|(dc, at)| format!("{dc} = \"{at}\"")).collect();
    format!("[gateway.{name}]\nkind = \"telegram\"\ndcs = {{ {} }}\nserver_keys = {:?}\n", dcs.join(", "), tg.pem())
}

/// An account with its slots, each in the file of its name; folders are made.
pub fn account(gateway: &str, name: &str, bot: bool, home: &Path, slots: &[String]) -> String {
    let mut text = format!("\n[gateway.{gateway}.account.{name}]\napi_id = 12345\n{}", if bot { "bot = true\n" } else { "" });
    for slot in slots {
        let file = file(home, slot);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        text.push_str(&format!("[gateway.{gateway}.account.{name}.slot.{slot}]\nfile = {:?}\ndead_exit_codes = [41]\n", file.to_str().unwrap()));
    }
    text
}
