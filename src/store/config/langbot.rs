//! Reads what only a gateway of kind `langbot` may say.

use super::{
    LangBot,
    read::{Reader, in_order},
};
use crate::i18n::{Message, store as words};
use toml::{Spanned, de::DeValue};

/// Its keys.
pub(super) const KEYS: &[&str] = &["user", "link"];

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
        let whole = crate::domain::ids::TargetName::parse(text).is_some_and(|t| t.gateway.is_some() && t.device.is_none());
        if whole {
            out.push((name.to_owned(), text.to_owned()));
        } else {
            let e = r.wrong(at, &key, Message::new(&words::CONFIG_BAD_VALUE));
            (e.expected, e.example) = (Some(Message::new(&words::CONFIG_TARGET)), Some(LINK.to_owned()));
        }
    }
    out
}
