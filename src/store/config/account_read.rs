//! Reads `[gateway.NAME.account.ACCOUNT]` and what else only gateways have whose servers list no accounts.

use super::{
    Account, Mirror,
    read::{Key, Reader, in_order},
    shared, telegram_read,
};
use crate::{
    domain::Clean,
    i18n::{Message, store as words},
};
use toml::{Spanned, de::DeValue};

/// Keys of a gateway with accounts, besides those of every gateway.
pub(super) const KEYS: &[&str] = &["corp_id", "account"];

const CORP: &str = "corp_id = \"ww1a2b3c4d5e6f7890\"";
const ACCOUNT: &str = "[gateway.corp.account.ops]";
const MIRROR: &str = "mirror = [\"wechatpy2\"]";
const MIRRORS: [(&str, Mirror); 3] = [("wechatpy", Mirror::Wechatpy), ("wechatpy2", Mirror::Wechatpy2), ("silenceper", Mirror::Silenceper)];
/// Longest name or id, in letters.
const LONGEST: usize = 64;

/// What a kind with accounts asks for.
struct Rule {
    kind: &'static str,
    /// Base URL where none is written: the platform's own.
    url: &'static str,
    /// Accounts belong to a corporation.
    corp: bool,
    /// Whether each account needs an `id`, with an example.
    id: (bool, &'static str),
    /// Client libraries read its tokens.
    mirrors: bool,
}

const RULES: &[Rule] = &[
    // Some secrets have no agent (that of the contacts, for one), so its id may be left out.
    Rule { kind: "wecom", url: "https://qyapi.weixin.qq.com/cgi-bin", corp: true, id: (false, "id = 1000002"), mirrors: true },
    Rule { kind: "wechat-oa", url: "https://api.weixin.qq.com/cgi-bin", corp: false, id: (true, "id = \"wx1a2b3c4d5e6f7890\""), mirrors: false },
    Rule { kind: "wecom-aibot", url: "wss://openws.work.weixin.qq.com", corp: false, id: (true, "id = \"aib-1a2b3c\""), mirrors: false },
    Rule { kind: "telegram", url: telegram_read::URL, corp: false, id: (false, "api_id = 123456"), mirrors: false },
];

fn rule(kind: &str) -> Option<&'static Rule> {
    RULES.iter().find(|r| r.kind == kind)
}

/// The platform's own base URL, for kinds that have one.
pub fn default_url(kind: &str) -> Option<&'static str> {
    rule(kind).map(|r| r.url)
}

/// The lines that a gateway of such a kind needs, as an example for people; `None` for kinds without accounts.
pub fn example(kind: &str, name: &str) -> Option<String> {
    let r = rule(kind)?;
    let corp = if r.corp { format!("{CORP}\n") } else { String::new() };
    Some(format!("[gateway.{name}]\nkind = \"{kind}\"\n{corp}\n[gateway.{name}.account.ops]\n{}\n", r.id.1))
}

/// Kinds that have the key `name` of [`KEYS`], for the message that another has it not.
pub(super) fn kinds_with(name: &str) -> String {
    RULES.iter().filter(|r| name != "corp_id" || r.corp).map(|r| r.kind).collect::<Vec<_>>().join(", ")
}

/// True when gateways of `kind` have the key `name` of [`KEYS`].
pub(super) fn has(kind: &str, name: &str) -> bool {
    rule(kind).is_some_and(|r| name != "corp_id" || r.corp)
}

/// What was read.
#[derive(Default)]
pub(super) struct Found {
    pub(super) corp_id: Option<String>,
    pub(super) accounts: Vec<Account>,
}

/// Takes the key `name` of [`KEYS`], whose dotted path is `full`, of a gateway of `kind`.
pub(super) fn key<'a>(r: &mut Reader<'a>, found: &mut Found, kind: &str, key: &Key<'a>, full: &str) {
    let Some(rule) = rule(kind) else { return };
    match key.0 {
        "corp_id" => found.corp_id = plain(r, key.2, full, CORP),
        _ if kind == "telegram" => found.accounts = telegram_read::accounts(r, key.2, full),
        _ => found.accounts = accounts(r, rule, key.2, full),
    }
}

/// Says what is missing besides what every gateway needs. `at` is where the gateway's table begins.
pub(super) fn missing(r: &mut Reader<'_>, found: &Found, kind: &str, seen: &[&str], at: usize, path: &str) {
    if rule(kind).is_some_and(|r| r.corp) && found.corp_id.is_none() && !seen.contains(&"corp_id") {
        r.wrong(at, &format!("{path}.corp_id"), Message::new(&words::CONFIG_MISSING)).example = Some(CORP.to_owned());
    }
}

fn bad(r: &mut Reader<'_>, at: usize, key: &str, expected: Message, example: &str) {
    let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
    (e.expected, e.example) = (Some(expected), Some(example.to_owned()));
}

/// A text that can stand in an address and on a screen: an id of the platform.
fn plain<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str, example: &str) -> Option<String> {
    let (text, at) = r.text_of(v, full, example)?;
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
        bad(r, at, full, Message::new(&words::CONFIG_ID), example);
        return None;
    }
    Some(text.to_owned())
}

fn accounts<'a>(r: &mut Reader<'a>, rule: &Rule, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<Account> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), ACCOUNT);
        return Vec::new();
    };
    let mut all: Vec<Account> = Vec::with_capacity(table.len());
    for (name, at, v) in in_order(table) {
        let path = format!("{full}.{name}");
        if name.trim() != name || name.is_empty() || name.chars().count() > LONGEST || Clean::long(name).as_str() != name {
            let e = r.wrong(at.start, &path, Message::new(&words::CONFIG_NAME));
            (e.expected, e.example) = (Some(Message::new(&words::CONFIG_ACCOUNT_NAME)), Some(ACCOUNT.to_owned()));
            continue;
        }
        let Some(account) = account(r, rule, name, v, &path, at.start) else { continue };
        match all.iter().find(|a| !a.id.is_empty() && a.id == account.id) {
            Some(other) => {
                let what = Message::new(&words::CONFIG_ID_TWICE).with("name", &other.name);
                r.wrong(at.start, &format!("{path}.id"), what).example = Some(rule.id.1.to_owned());
            }
            None => all.push(account),
        }
    }
    all
}

fn account<'a>(r: &mut Reader<'a>, rule: &Rule, name: &str, v: &'a Spanned<DeValue<'a>>, path: &str, at: usize) -> Option<Account> {
    let known: &[&str] = if rule.mirrors { &["id", "mirror", "mirror_prefix"] } else { &["id"] };
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, path, Message::new(&words::CONFIG_TABLE), ACCOUNT);
        return None;
    };
    let mut account = Account { name: name.to_owned(), ..Account::default() };
    let (mut seen_id, mut mirror_at) = (false, at);
    for (key, span, v) in in_order(table) {
        let full = format!("{path}.{key}");
        match key {
            "id" => {
                seen_id = true;
                account.id = match v.get_ref() {
                    // Agent ids are numbers, and people write them so.
                    DeValue::Integer(n) if n.radix() == 10 && n.as_str().bytes().all(|b| b.is_ascii_digit()) => n.as_str().to_owned(),
                    _ => plain(r, v, &full, rule.id.1).unwrap_or_default(),
                };
            }
            "mirror" if rule.mirrors => {
                mirror_at = v.span().start;
                account.mirror = mirrors(r, v, &full);
            }
            "mirror_prefix" if rule.mirrors => account.mirror_prefix = shared::word(r, v, &full, "mirror_prefix = \"ops\""),
            "mirror" | "mirror_prefix" => {
                r.wrong(span.start, &full, Message::new(&words::CONFIG_OTHER_KIND).with("kind", "wecom"));
            }
            other => {
                let whose = path.strip_prefix("gateway.").and_then(|p| p.split_once(".account.")).map(|(g, a)| format!("{g}:{a}"));
                r.unknown(span.start, path, other, known, &words::CONFIG_UNKNOWN_KEY, whose.as_deref());
            }
        }
    }
    if rule.id.0 && !seen_id {
        r.wrong(at, &format!("{path}.id"), Message::new(&words::CONFIG_MISSING)).example = Some(rule.id.1.to_owned());
    }
    if account.mirror.contains(&Mirror::Silenceper) && !seen_id {
        // Without an agent id in its key the second app of a corporation would be served the first one's token.
        let e = r.wrong(mirror_at, &format!("{path}.mirror"), Message::new(&words::CONFIG_MIRROR_ID));
        e.example = Some(rule.id.1.to_owned());
    }
    Some(account)
}

fn mirrors<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<Mirror> {
    let DeValue::Array(list) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_LIST), MIRROR);
        return Vec::new();
    };
    let mut out = Vec::with_capacity(list.len());
    for item in list {
        let found = item.get_ref().as_str().and_then(|s| MIRRORS.iter().find(|m| m.0 == s));
        match found {
            Some((name, m)) if out.contains(m) => {
                let e = r.wrong(item.span().start, full, Message::new(&words::CONFIG_TWICE));
                e.example = Some(format!("mirror = [{name:?}]"));
            }
            Some((_, m)) => out.push(*m),
            None => {
                let names = MIRRORS.map(|m| m.0).join(", ");
                bad(r, item.span().start, full, Message::new(&words::CONFIG_ONE_OF).with("names", names), MIRROR);
            }
        }
    }
    out
}
