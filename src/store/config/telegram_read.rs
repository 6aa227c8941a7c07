//! Reads what only a gateway of kind `telegram` may say.

use super::{
    Account, SessionFormat, Slot, Telegram, TelegramAccount,
    read::{Reader, in_order},
    values,
};
use crate::i18n::{Message, store as words};
use std::path::PathBuf;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Its keys besides `account`.
pub(super) const KEYS: &[&str] = &["dcs", "server_keys", "test_servers"];
/// Where nothing is said of an address: nobody is asked there, the data centres have addresses of their own.
pub(super) const URL: &str = "https://telegram.org";

const ACCOUNT: &str = "[gateway.tg.account.shop]";
const SLOT: &str = "[gateway.tg.account.shop.slot.orders]";
const DCS: &str = "dcs = { 2 = \"127.0.0.1:443\" }";
const FILE: &str = "file = \"/srv/orders/session.json\"";
const API_ID: &str = "api_id = 123456";
const UNIT: &str = "unit = \"orders-bot.service\"";

/// Takes the key `name` of [`KEYS`], whose dotted path is `full`.
pub(super) fn key<'a>(r: &mut Reader<'a>, found: &mut Telegram, name: &str, v: &'a Spanned<DeValue<'a>>, full: &str) {
    match name {
        "dcs" => found.dcs = dcs(r, v, full),
        "server_keys" => found.server_keys = path(r, v, full, "server_keys = \"keys.pem\""),
        _ => found.test = r.bool_of(v, full, "test_servers = true").unwrap_or_default(),
    }
}

fn bad(r: &mut Reader<'_>, at: usize, key: &str, expected: Message, example: &str) {
    let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
    (e.expected, e.example) = (Some(expected), Some(example.to_owned()));
}

fn dcs<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<(i32, std::net::SocketAddr)> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), DCS);
        return Vec::new();
    };
    let mut out = Vec::new();
    for (name, at, v) in in_order(table) {
        let key = format!("{full}.{name}");
        let number = name.parse::<i32>().ok().filter(|n| (1..=1000).contains(n));
        let Some((text, _)) = r.text_of(v, &key, DCS) else { continue };
        match (number, text.parse()) {
            (Some(dc), Ok(address)) => out.push((dc, address)),
            _ => bad(r, at.start, &key, Message::new(&words::CONFIG_DC), DCS),
        }
    }
    out
}

fn path<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str, example: &str) -> Option<PathBuf> {
    let (text, at) = r.text_of(v, full, example)?;
    if text.trim().is_empty() || text.contains('\0') {
        bad(r, at, full, Message::new(&words::CONFIG_TEXT), example);
        return None;
    }
    Some(text.into())
}

/// `[gateway.NAME.account.ACCOUNT]`.
pub(super) fn accounts<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<Account> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), ACCOUNT);
        return Vec::new();
    };
    let mut all = Vec::with_capacity(table.len());
    for (name, at, v) in in_order(table) {
        let path = format!("{full}.{name}");
        if !is_fine(r, name, at.start, &path, ACCOUNT) {
            continue;
        }
        match v.get_ref() {
            DeValue::Table(t) => all.push(Account { name: name.to_owned(), telegram: account(r, t, &path), ..Account::default() }),
            _ => r.mistyped(v, &path, Message::new(&words::CONFIG_TABLE), ACCOUNT),
        }
    }
    all
}

/// Names are drawn, typed and put into file names.
fn is_fine(r: &mut Reader<'_>, name: &str, at: usize, path: &str, example: &str) -> bool {
    let fine = values::is_name(name);
    if !fine {
        let e = r.wrong(at, path, Message::new(&words::CONFIG_NAME));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_NAME_EXPECTED)), Some(example.to_owned()));
    }
    fine
}

fn api_id<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Option<i32> {
    r.number_of(v, full, 1..=i32::MAX.unsigned_abs(), API_ID).and_then(|n| i32::try_from(n).ok())
}

fn account<'a>(r: &mut Reader<'a>, table: &'a DeTable<'a>, path: &str) -> TelegramAccount {
    let mut found = TelegramAccount::default();
    for (key, span, v) in in_order(table) {
        let full = format!("{path}.{key}");
        match key {
            "api_id" => found.api_id = api_id(r, v, &full),
            "bot" => found.bot = r.bool_of(v, &full, "bot = true").unwrap_or_default(),
            "phone" => found.phone = phone(r, v, &full),
            "slot" => found.slots = slots(r, v, &full),
            other => unknown(r, span.start, path, other, &["api_id", "phone", "bot", "slot"]),
        }
    }
    found
}

/// `api_hash` is half of a credential, though nothing in its name says so.
fn unknown(r: &mut Reader<'_>, at: usize, path: &str, key: &str, known: &[&str]) {
    let whose = path.strip_prefix("gateway.").and_then(|p| p.split_once(".account.")).map(|(g, a)| format!("{g}:{a}"));
    if key == "api_hash" {
        let remedy = Message::new(&words::CONFIG_SECRET_DO).with("name", whose.as_deref().unwrap_or("NAME"));
        r.wrong(at, &format!("{path}.{key}"), Message::new(&words::CONFIG_SECRET_KEY)).remedy = Some(remedy);
        return;
    }
    r.unknown(at, path, key, known, &words::CONFIG_UNKNOWN_KEY, whose.as_deref());
}

fn phone<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Option<String> {
    const EXAMPLE: &str = "phone = \"5511999990001\"";
    let (text, at) = r.text_of(v, full, EXAMPLE)?;
    let digits: String = text.chars().filter(|c| !matches!(c, '+' | ' ' | '-')).collect();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        bad(r, at, full, Message::new(&words::CONFIG_PHONE), EXAMPLE);
        return None;
    }
    Some(digits)
}

fn slots<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<Slot> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), SLOT);
        return Vec::new();
    };
    let mut all = Vec::with_capacity(table.len());
    for (name, at, v) in in_order(table) {
        let path = format!("{full}.{name}");
        if !is_fine(r, name, at.start, &path, SLOT) {
            continue;
        }
        match v.get_ref() {
            DeValue::Table(t) => all.extend(slot(r, name, t, &path, at.start)),
            _ => r.mistyped(v, &path, Message::new(&words::CONFIG_TABLE), SLOT),
        }
    }
    all
}

fn slot<'a>(r: &mut Reader<'a>, name: &str, table: &'a DeTable<'a>, full: &str, at: usize) -> Option<Slot> {
    const KNOWN: &[&str] = &["file", "format", "pidfile", "unit", "api_id", "dead_exit_codes"];
    let formats = SessionFormat::ALL.map(|f| (f.name(), f));
    let (mut file, mut seen) = (None, false);
    let mut slot = Slot {
        name: name.to_owned(),
        file: PathBuf::new(),
        format: SessionFormat::Gotd,
        pidfile: None,
        unit: None,
        api_id: None,
        dead_exit_codes: Vec::new(),
    };
    for (key, span, v) in in_order(table) {
        let own = format!("{full}.{key}");
        match key {
            "file" => (file, seen) = (path(r, v, &own, FILE), true),
            "format" => slot.format = r.choice(v, &own, &formats).unwrap_or_default(),
            "pidfile" => slot.pidfile = path(r, v, &own, "pidfile = \"/run/orders.pid\""),
            "unit" => slot.unit = unit(r, v, &own),
            "api_id" => slot.api_id = api_id(r, v, &own),
            "dead_exit_codes" => slot.dead_exit_codes = codes(r, v, &own),
            other => unknown(r, span.start, full, other, KNOWN),
        }
    }
    if !seen {
        r.wrong(at, &format!("{full}.file"), Message::new(&words::CONFIG_MISSING)).example = Some(FILE.to_owned());
    }
    slot.file = file?;
    Some(slot)
}

fn unit<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Option<String> {
    let (text, at) = r.text_of(v, full, UNIT)?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    if !(1..=255).contains(&text.len()) || !text.bytes().all(fine) {
        bad(r, at, full, Message::new(&words::CONFIG_UNIT), UNIT);
        return None;
    }
    // As systemctl does: a bare name is a service.
    Some(if text.contains('.') { text.to_owned() } else { format!("{text}.service") })
}

fn codes<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<u8> {
    const EXAMPLE: &str = "dead_exit_codes = [41]";
    let DeValue::Array(list) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_LIST), EXAMPLE);
        return Vec::new();
    };
    list.iter().filter_map(|item| r.number_of(item, full, 1..=255, EXAMPLE)).filter_map(|n| u8::try_from(n).ok()).collect()
}
