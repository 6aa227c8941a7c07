//! Reads `[shared]`: the Redis that several hosts share.

use super::{
    Config, SharedStore,
    read::{Key, Reader, in_order},
    values,
};
use crate::i18n::{Message, store as words};

const KNOWN: &[&str] = &["redis", "user", "prefix", "seal", "ca_file", "allow_plaintext", "mirror_prefix"];
const REDIS: &str = "redis = \"rediss://redis.example.com:6379/0\"";

/// `[shared]`.
pub(super) fn shared<'a>(r: &mut Reader<'a>, key: &Key<'a>, config: &mut Config) {
    let Some(table) = r.table_of(key, "[shared]") else { return };
    let mut found = SharedStore { prefix: "pairdeck".to_owned(), mirror_prefix: "wechatpy".to_owned(), ..SharedStore::default() };
    let mut address = None;
    for (name, at, v) in in_order(table) {
        let full = format!("shared.{name}");
        match name {
            "redis" => address = Some(r.text_of(v, &full, REDIS).and_then(|(text, at)| Some((url(r, text, at)?, at)))),
            "user" => found.user = word(r, v, &full, "user = \"pairdeck\"").or(found.user),
            "prefix" => found.prefix = word(r, v, &full, "prefix = \"pairdeck\"").unwrap_or(found.prefix),
            "mirror_prefix" => found.mirror_prefix = word(r, v, &full, "mirror_prefix = \"wechatpy\"").unwrap_or(found.mirror_prefix),
            "seal" => found.seal = r.bool_of(v, &full, "seal = true").unwrap_or_default(),
            "allow_plaintext" => found.allow_plaintext = r.bool_of(v, &full, "allow_plaintext = true").unwrap_or(true),
            "ca_file" => found.ca_file = r.text_of(v, &full, "ca_file = \"/etc/ssl/our-ca.pem\"").map(|(t, _)| t.into()),
            other => r.unknown(at.start, "shared", other, KNOWN, &words::CONFIG_UNKNOWN_KEY, Some(crate::shared::PASSWORD)),
        }
    }
    match address {
        None => r.wrong(key.1.start, "shared.redis", Message::new(&words::CONFIG_MISSING)).example = Some(REDIS.to_owned()),
        Some(Some((redis, at))) => {
            if !found.allow_plaintext && is_plaintext_away(&redis) {
                let e = r.wrong(at, "shared.redis", Message::new(&words::CONFIG_REDIS_PLAIN));
                (e.example, e.remedy) = (Some(REDIS.to_owned()), Some(Message::new(&words::CONFIG_REDIS_PLAIN_DO)));
            }
            found.redis = redis;
            config.shared = Some(found);
        }
        Some(None) => {}
    }
}

/// A word that keys and users are made of: no blank, no brace.
pub(super) fn word<'a>(r: &mut Reader<'a>, v: &'a toml::Spanned<toml::de::DeValue<'a>>, full: &str, example: &str) -> Option<String> {
    let (text, at) = r.text_of(v, full, example)?;
    if text.is_empty() || text.len() > 64 || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) {
        let e = r.wrong(at, full, Message::new(&words::CONFIG_BAD_VALUE));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_KEY_WORD)), Some(example.to_owned()));
        return None;
    }
    Some(text.to_owned())
}

/// The address, without what does not belong into a file. The text is never repeated in an error: it may hold a password.
fn url(r: &mut Reader<'_>, text: &str, at: usize) -> Option<String> {
    let parsed =
        reqwest::Url::parse(text.trim()).ok().filter(|u| matches!(u.scheme(), "redis" | "rediss") && u.host_str().is_some_and(|h| !h.is_empty()));
    let database = |u: &reqwest::Url| u.path().trim_matches('/').is_empty() || u.path().trim_matches('/').parse::<u16>().is_ok();
    let Some(parsed) = parsed.filter(database) else {
        let e = r.wrong(at, "shared.redis", Message::new(&words::CONFIG_BAD_VALUE));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_REDIS)), Some(REDIS.to_owned()));
        return None;
    };
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() || parsed.fragment().is_some() {
        let e = r.wrong(at, "shared.redis", Message::new(&words::CONFIG_SECRET_URL));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_REDIS)), Some(REDIS.to_owned()));
        e.remedy = Some(Message::new(&words::CONFIG_REDIS_SECRET_DO));
        return None;
    }
    Some(parsed.as_str().trim_end_matches('/').to_owned())
}

fn is_plaintext_away(url: &str) -> bool {
    url.strip_prefix("redis://").is_some_and(|rest| values::is_plaintext_away(&format!("http://{rest}")))
}
