//! A refused login as the server logs it, read from what somebody pasted: hostile text that holds tokens in clear.
//!
//! The server writes zap's JSON, one object a line (v2.2.5 `pkg/wklog/logger.go`); people paste it with a container's time in
//! front, wrapped once more by a log driver, cut at both ends, or several at once. Tokens become [`Secret`]s at once.

use crate::domain::{Secret, Wall};
use serde_json::Value;

/// Bytes read of a paste; a log line is shorter than one hundredth of it.
const MOST: usize = 256 * 1024;
/// Lines kept, the newest ones.
const LINES: usize = 64;

/// What one line of the log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What the server held against the login.
    pub(super) what: What,
    /// The uid, exactly, where the line tells one (v1 writes its line before it knows the uid).
    pub(super) uid: Option<Box<str>>,
    /// The flag of the login, where the line tells one.
    pub(super) flag: Option<u8>,
    /// When, by the server's clock.
    pub(super) at: Option<At>,
}

/// What the server held against a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `token verify fail`: the row's token and the client's differ.
    Differ {
        /// What the row held then; empty after a quit, on v1 also when nothing was ever issued.
        expected: Option<Secret>,
        /// What the client sent.
        given: Option<Secret>,
    },
    /// `get device token err`: no row for uid and flag.
    NoRow,
    /// `token is empty`: the client sent none.
    Empty,
    /// `device is ban`, on v1 `user is ban`.
    Banned,
    /// `manager token verify fail`: somebody logged in as the manager itself.
    Manager,
}

/// The time of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// An instant.
    Instant(Wall),
    /// A time of day whose zone is not told (v1), taken as UTC: good for showing, not for comparing.
    Local(Wall),
}

impl At {
    /// The instant, if it is one.
    pub(super) const fn instant(self) -> Option<Wall> {
        match self {
            Self::Instant(at) => Some(at),
            Self::Local(_) => None,
        }
    }
}

/// The phrases that the server logs, the longer before those that are part of them.
const PHRASES: &[&str] = &[
    "manager token verify fail",
    "token verify fail",
    "get device token err",
    "get user token err",
    "token is empty",
    "device is ban",
    "user is ban",
];

/// What v2 logs once more after each refusal (wukongim 2.2.5, seen on a running node).
const ECHO: &str = "handle connect err";
/// How every line of the server begins: several may have been pasted into one.
const BEGIN: &str = "{\"level\":";

/// Reads everything recognizable, oldest first; empty when nothing is.
pub(super) fn read(pasted: &Secret) -> Vec<Line> {
    let text = pasted.expose();
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut lines: Vec<Line> = joined(&text[..end]).iter().filter_map(|l| line(l, 0)).collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

/// A terminal breaks a long line when it is copied: a piece that begins no line of its own belongs to the one before.
fn joined(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for piece in text.lines().flat_map(apart).map(|l| l.trim_matches(['\r', '\u{feff}'])) {
        let open = out.last().is_some_and(|l| l.contains('{') && !l.trim_end().ends_with('}'));
        match out.last_mut() {
            Some(last) if open && !piece.contains('{') => last.push_str(piece),
            _ => out.push(piece.to_owned()),
        }
    }
    out
}

/// One text field has no line ends: lines that were pasted there stand behind each other.
fn apart(line: &str) -> Vec<&str> {
    let ends = line.match_indices(BEGIN).map(|(at, _)| at).filter(|at| line[..*at].contains(BEGIN));
    let mut cuts: Vec<usize> = std::iter::once(0).chain(ends).collect();
    cuts.push(line.len());
    cuts.windows(2).filter_map(|w| line.get(*w.first()?..*w.last()?)).collect()
}

fn line(text: &str, depth: u8) -> Option<Line> {
    let phrase = PHRASES.iter().find(|p| text.contains(**p))?;
    // v2 writes a second line that tells nothing more: `handle connect err` with the phrase as its error.
    if text.find(ECHO).is_some_and(|at| text.find(phrase).is_some_and(|p| at < p)) {
        return None;
    }
    let object = object(text);
    if depth == 0 {
        // A log driver's own object around the server's: the inner one is a string of it.
        let inner = object.iter().flat_map(|o| o.values()).filter_map(Value::as_str).find(|s| s.contains(phrase) && s.contains('{'));
        if let Some(found) = inner.and_then(|s| line(s, 1)) {
            return Some(found);
        }
    }
    let get = |key: &str| match &object {
        Some(o) => o.get(key).and_then(plain),
        None => field(text, key),
    };
    let conn = get("conn").unwrap_or_default();
    // v1 fills uid, flag and level in only after the token was found right (v1.2.6 `processor.go`): with an empty uid its
    // `deviceFlag=APP deviceLevel=Slave` are zeros, not what the client sent.
    let of_conn = |key: &str| (!between(&conn, "uid=", " fd=").unwrap_or_default().is_empty()).then(|| between(&conn, key, " ")).flatten();
    let secret = |key: &str| get(key).map(Secret::new);
    let what = match *phrase {
        "manager token verify fail" => What::Manager,
        "token verify fail" => What::Differ { expected: secret("expectToken"), given: secret("actToken") },
        "get device token err" | "get user token err" => What::NoRow,
        "token is empty" => What::Empty,
        _ => What::Banned,
    };
    let uid = get("uid").or_else(|| between(&conn, "uid=", " fd=").map(str::to_owned)).filter(|u| !u.is_empty() && u.len() <= 512);
    // A value that was cut open runs on into the next ones: what holds a token is no uid.
    let uid = uid
        .filter(|u| [get("expectToken"), get("actToken"), get("token")].iter().flatten().all(|t| t.is_empty() || !u.contains(t.as_str()) || u == t));
    let flag = get("deviceFlag").or_else(|| of_conn("deviceFlag=").map(str::to_owned)).and_then(|f| flag(&f));
    Some(Line { what, uid: uid.map(Into::into), flag, at: get("time").or_else(|| first_word(text)).and_then(|t| time(&t)) })
}

/// The JSON object of a line, when it is whole.
fn object(text: &str) -> Option<serde_json::Map<String, Value>> {
    let (from, to) = (text.find('{')?, text.rfind('}')?);
    match serde_json::from_str(text.get(from..=to)?).ok()? {
        Value::Object(o) => Some(o),
        _ => None,
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// The value of `key` in a line that is not whole JSON: `"key":"value"`, `key=value` or `key: value`.
fn field(text: &str, key: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(key) {
        let at = from + found;
        from = at + key.len();
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '\\') {
            continue;
        }
        let rest = text[from..].strip_prefix('"').unwrap_or(&text[from..]).trim_start();
        let Some(rest) = rest.strip_prefix(':').or_else(|| rest.strip_prefix('=')) else { continue };
        return Some(value(rest.trim_start()));
    }
    None
}

/// A quoted or bare value at the start of `rest`; a quote that is never closed ends with the text.
fn value(rest: &str) -> String {
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split([' ', ',', '}', '\t']).next().unwrap_or_default().to_owned();
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        if c == '"' && !escaped {
            let whole = rest.get(..at + 2).unwrap_or(rest);
            return serde_json::from_str(whole).unwrap_or_else(|_| quoted[..at].to_owned());
        }
        escaped = c == '\\' && !escaped;
    }
    quoted.to_owned()
}

fn between<'a>(text: &'a str, after: &str, before: &str) -> Option<&'a str> {
    let rest = text.split_once(after)?.1;
    Some(rest.split_once(before).map_or(rest, |(value, _)| value))
}

/// A flag as the server prints it: `APP`, `WEB`, `SYSTEM`, else its number (GoProto `DeviceFlag.String`: 2 has no name there).
fn flag(text: &str) -> Option<u8> {
    super::flags::built_in(text).or_else(|| text.parse().ok())
}

fn first_word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

fn time(text: &str) -> Option<At> {
    if let Some(at) = Wall::parse(text) {
        return Some(At::Instant(at));
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let utc = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(At::Local(Wall(utc.timestamp().as_millisecond())))
}

#[cfg(test)]
#[path = "logline_tests.rs"]
mod tests;
