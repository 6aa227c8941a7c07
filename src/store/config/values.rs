//! What a single value may be: names, addresses, timezones; and what looks like a secret.

use super::read::Reader;
use crate::i18n::{Message, store as words};
use std::net::IpAddr;

/// True for keys under which people write secrets.
pub(super) fn looks_secret(key: &str) -> bool {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["apikey", "token", "password", "passwd", "passphrase", "secret", "credential", "privatekey", "authorization", "bearer"]
        .iter()
        .any(|s| key.contains(s))
}

/// True for a name that a command line, a lock file and a path can carry.
pub(super) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !name.starts_with(['.', '-'])
}

/// The known word closest to a slip, if one is close.
pub(super) fn nearest<'a>(slip: &str, known: &[&'a str]) -> Option<&'a str> {
    known.iter().map(|k| (distance(slip, k), *k)).filter(|(d, k)| *d <= 1 + k.len() / 4).min().map(|(_, k)| k)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (corner + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

/// A base URL without a trailing slash. The text is never repeated in an error: it may hold a password.
pub(super) fn url(r: &mut Reader<'_>, text: &str, at: usize, key: &str) -> Option<String> {
    url_like(r, text, at, key, "url = \"https://evo.example.com\"")
}

/// As [`url`], with an example of its own.
pub(super) fn url_like(r: &mut Reader<'_>, text: &str, at: usize, key: &str, example: &str) -> Option<String> {
    url_of(r, text, at, key, example, (&["http", "https"], &words::CONFIG_URL))
}

/// The address of a WebSocket.
pub(super) fn socket_url(r: &mut Reader<'_>, text: &str, at: usize, key: &str) -> Option<String> {
    url_of(r, text, at, key, "url = \"wss://bots.example.com\"", (&["ws", "wss"], &words::CONFIG_SOCKET))
}

type Schemes = (&'static [&'static str], &'static crate::i18n::Words);

fn url_of(r: &mut Reader<'_>, text: &str, at: usize, key: &str, example: &str, (schemes, expected): Schemes) -> Option<String> {
    let parsed = reqwest::Url::parse(text.trim()).ok().filter(|u| schemes.contains(&u.scheme()) && u.host_str().is_some_and(|h| !h.is_empty()));
    let Some(parsed) = parsed else {
        let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
        (e.expected, e.example) = (Some(Message::new(expected)), Some(example.to_owned()));
        return None;
    };
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() || parsed.fragment().is_some() {
        let gateway = key.strip_prefix("gateway.").and_then(|k| k.rsplit_once('.')).map_or("NAME", |(name, _)| name);
        let e = r.wrong(at, key, Message::new(&words::CONFIG_SECRET_URL));
        (e.expected, e.example) = (Some(Message::new(&words::CONFIG_URL_ADDRESS)), Some(example.to_owned()));
        e.remedy = Some(Message::new(&words::CONFIG_SECRET_DO).with("name", gateway));
        return None;
    }
    Some(parsed.as_str().trim_end_matches('/').to_owned())
}

/// True for plain http to a host that is not this machine.
pub(super) fn is_plaintext_away(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    matches!(url.scheme(), "http" | "ws") && !here
}

/// A timezone name. Whether this machine's database knows it is not a question of the file.
pub(super) fn zone(r: &mut Reader<'_>, text: &str, at: usize, key: &str) -> Option<String> {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'));
    // `UTC+8` is POSIX and means the opposite of what it says; only `Etc/` names may carry a sign.
    let posix = !text.contains('/') && text.contains(['+', '-', ' ']);
    if text.split('/').all(part) && !posix && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Some(text.to_owned());
    }
    let e = r.wrong(at, key, Message::new(&words::CONFIG_BAD_VALUE));
    (e.expected, e.example) = (Some(Message::new(&words::CONFIG_ZONE)), Some("expect_timezone = \"America/Sao_Paulo\"".to_owned()));
    None
}
