//! Reads what only a gateway of kind `langbot` may say.

use super::{
    Config, LangBot, account_read,
    read::{Reader, in_order},
};
use crate::{
    domain::ids::{TargetName, escape},
    i18n::{Message, store as words},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Its keys.
pub(super) const KEYS: &[&str] = &["user", "link"];

/// Accounts that are named to choose from.
const NAMED: usize = 8;

const LINK: &str = "link = { \"support\" = \"corp:ops-bot\" }";

/// Takes the key `name` of [`KEYS`], whose dotted path is `full`.
pub(super) fn key<'a>(r: &mut Reader<'a>, bot: &mut LangBot, name: &str, v: &'a Spanned<DeValue<'a>>, full: &str) {
    match name {
        "user" => {
            const EXAMPLE: &str = "user = \"ops@example.com\"";
            if let Some((text, at)) = r.text_of(v, full, EXAMPLE) {
                if text.trim().is_empty() || text.chars().any(char::is_control) {
                    let e = r.wrong(at, full, Message::new(&words::CONFIG_BAD_VALUE));
                    (e.expected, e.example) = (Some(Message::new(&words::CONFIG_TEXT)), Some(EXAMPLE.to_owned()));
                }
                bot.user = Some(text.trim().to_owned());
            }
        }
        "link" => bot.links = links(r, v, full),
        _ => {}
    }
}

fn links<'a>(r: &mut Reader<'a>, v: &'a Spanned<DeValue<'a>>, full: &str) -> Vec<(String, String)> {
    let DeValue::Table(table) = v.get_ref() else {
        r.mistyped(v, full, Message::new(&words::CONFIG_TABLE), LINK);
        return Vec::new();
    };
    let mut out = Vec::new();
    for (name, _, v) in in_order(table) {
        let key = format!("{full}.{name}");
        let Some((text, at)) = r.text_of(v, &key, LINK) else { continue };
        let whole = TargetName::parse(text).is_some_and(|t| t.gateway.is_some() && t.device.is_none());
        if whole {
            out.push((name.to_owned(), text.to_owned()));
        } else {
            let e = r.wrong(at, &key, Message::new(&words::CONFIG_BAD_VALUE));
            (e.expected, e.example) = (Some(Message::new(&words::CONFIG_TARGET)), Some(LINK.to_owned()));
        }
    }
    out
}

/// Says which links lead nowhere: a slip there would look like a bot that has no app.
pub(super) fn check<'a>(r: &mut Reader<'a>, table: &'a DeTable<'a>, config: &Config) {
    for (gateway, (bot, text)) in config.gateways.iter().flat_map(|g| g.langbot.links.iter().map(move |l| (g, l))) {
        let Some(name) = TargetName::parse(text) else { continue };
        let led = name.gateway.as_deref().and_then(|g| config.gateway(g));
        // Only where accounts stand in this file it is known which there are.
        if led.is_some_and(|g| !account_read::has(&g.kind, "account") || g.accounts.iter().any(|a| a.name == name.account)) {
            continue;
        }
        let mut here = Some(table);
        let mut at = 0;
        for step in ["gateway", gateway.name.as_str(), "link", bot.as_str()] {
            let Some(v) = here.and_then(|t| t.get(step)) else { break };
            at = v.span().start;
            here = v.get_ref().as_table();
        }
        let listed = config.gateways.iter().filter(|g| account_read::has(&g.kind, "account"));
        let names: Vec<String> =
            listed.flat_map(|g| g.accounts.iter().map(|a| format!("{}:{}", escape(&g.name), escape(&a.name)))).take(NAMED).collect();
        let e = r.wrong(at, &format!("gateway.{}.link.{bot}", gateway.name), Message::new(&words::CONFIG_LINK_NOWHERE).with("name", text));
        e.expected = (!names.is_empty()).then(|| Message::new(&words::CONFIG_ONE_OF).with("names", names.join(", ")));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use std::path::Path;

    fn read(link: &str) -> Result<Config, super::super::ConfigErrors> {
        let text = format!(
            "[gateway.lb]\nkind = \"langbot\"\nurl = \"https://lb.example.com\"\nlink = {{ a = \"{link}\" }}\n\n\
             [gateway.corp]\nkind = \"wecom\"\ncorp_id = \"ww0123456789abcdef\"\naccount = {{ ops-bot = {{ id = \"1000002\" }} }}\n"
        );
        Config::parse(&text, Path::new("config.toml"))
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_mistake_with_its_line() {
        assert_eq!(read("corp:ops-bot").unwrap().gateways.len(), 2);
        for link in ["nope:b", "corp:other"] {
            let errors = read(link).unwrap_err();
            let told = errors.text(Lang::En);
            assert_eq!((errors.errors.len(), errors.errors[0].line, &*errors.errors[0].key), (1, 4, "gateway.lb.link.a"), "{told}");
            assert!(told.contains(link) && told.contains("corp:ops-bot"), "{told}");
        }
    }
}
