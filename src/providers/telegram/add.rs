//! What is asked for when a gateway of this kind is added with its first account, and the lines and secrets that follow.

use super::setup;
use crate::{
    domain::Secret,
    i18n::telegram as w,
    providers::{AddAsk, Described},
};
use std::collections::BTreeMap;

const ACCOUNT: &str = "account";
const API_ID: &str = "api_id";
const PHONE: &str = "phone";
const SERVERS: &str = "servers";
const KEYS: &str = "server_keys";
/// The servers of the platform's test network.
const TEST: &str = "test";

/// In the order in which a person reads them.
pub static ASKS: &[AddAsk] = &[
    AddAsk { name: ACCOUNT, words: &w::ADD_ACCOUNT, secret: false, optional: false },
    AddAsk { name: API_ID, words: &w::ADD_API_ID, secret: false, optional: false },
    AddAsk { name: setup::API_HASH, words: &w::API_HASH, secret: true, optional: false },
    AddAsk { name: PHONE, words: &w::ADD_PHONE, secret: false, optional: true },
    AddAsk { name: setup::BOT_TOKEN, words: &w::ADD_BOT, secret: true, optional: true },
    AddAsk { name: SERVERS, words: &w::ADD_SERVERS, secret: false, optional: true },
    AddAsk { name: KEYS, words: &w::ADD_KEYS, secret: false, optional: true },
];

/// Puts what was given into the form that the configuration has. Whether it is right, the configuration's own check says.
pub fn describe(given: &BTreeMap<&str, Secret>) -> Described {
    let text = |name: &str| given.get(name).map(|s| s.expose().trim()).filter(|t| !t.is_empty());
    let quoted = |t: &str| toml_edit::Value::from(t).to_string();
    let account = text(ACCOUNT).unwrap_or_default();
    // What is no number goes there as text, so that the configuration's own check says what it should be.
    let number = |t: &str| if t.bytes().all(|b| b.is_ascii_digit()) { t.to_owned() } else { quoted(t) };
    let mut own = vec![format!("api_id = {}", number(text(API_ID).unwrap_or("0")))];
    own.extend(text(PHONE).map(|p| format!("phone = {}", quoted(p))));
    own.extend(text(setup::BOT_TOKEN).map(|_| "bot = true".to_owned()));
    let mut more = Vec::new();
    match text(SERVERS) {
        None => {}
        Some(TEST) => more.push(("test_servers", "true".to_owned())),
        Some(list) => {
            let each = list.split([',', ' ']).filter(|s| !s.is_empty()).map(|one| {
                let (dc, at) = one.split_once('=').unwrap_or((one, ""));
                format!("{} = {}", quoted(dc.trim()), quoted(at.trim()))
            });
            more.push(("dcs", format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))));
        }
    }
    more.extend(text(KEYS).map(|k| ("server_keys", quoted(k))));
    more.push(("account", format!("{{ {} = {{ {} }} }}", quoted(account), own.join(", "))));
    let secret =
        |name: &'static str| given.get(name).filter(|s| !s.expose().trim().is_empty()).map(|s| (name, Secret::new(s.expose().trim().to_owned())));
    Described { account: account.to_owned(), more, secrets: [setup::API_HASH, setup::BOT_TOKEN].into_iter().filter_map(secret).collect() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::config;

    #[test]
    fn what_is_given_becomes_lines_that_the_configuration_reads_and_secrets_that_it_does_not_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let given = |list: &[(&'static str, &str)]| list.iter().map(|(n, v)| (*n, Secret::new((*v).to_owned()))).collect::<BTreeMap<_, _>>();
        let add = |name: &str, list: &[(&'static str, &str)]| {
            let d = describe(&given(list));
            let new = config::NewGateway::new(name, "telegram", "");
            config::add_gateway_with(&path, &new, &d.more).map(|c| (c.gateway(name).unwrap().clone(), d))
        };
        let (own, d) = add(
            "tg",
            &[
                ("account", "shop"),
                ("api_id", "7"),
                ("api_hash", "HASH"),
                ("phone", "+55 11 99999 0001"),
                ("servers", "2=127.0.0.1:443, 4=127.0.0.1:444"),
            ],
        )
        .unwrap();
        assert_eq!((own.telegram.dcs.len(), own.accounts[0].telegram.api_id, own.accounts[0].telegram.bot), (2, Some(7), false));
        assert_eq!(own.accounts[0].telegram.phone.as_deref(), Some("5511999990001"));
        assert_eq!(d.secrets.iter().map(|s| s.0).collect::<Vec<_>>(), ["api_hash"]);
        let (bot, d) =
            add("bots", &[("account", "shop"), ("api_id", "7"), ("api_hash", "HASH"), ("bot_token", "1:TOKEN"), ("servers", "test")]).unwrap();
        assert!(bot.telegram.test && bot.accounts[0].telegram.bot && d.secrets.len() == 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("HASH") && !text.contains("TOKEN"), "{text}");
        assert!(add("bad", &[("account", "shop"), ("api_id", "no number")]).is_err());
        assert!(add("bad", &[("account", "shop"), ("api_id", "7"), ("servers", "nonsense")]).is_err());
        assert!(add("bad", &[("account", "a\"b"), ("api_id", "7")]).is_err());
    }
}
