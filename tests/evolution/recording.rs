//! Evolution's recordings: how they are read, and what of an answer may differ from them.
#![allow(unreachable_pub)]

use super::replay::{self, Recording};
use pairdeck::sandbox::json::Json;
use std::{collections::BTreeMap, path::PathBuf};

/// Differences that are allowed, each with its reason: (recording, path in the body or `*`, reason).
const DIFFERS: &[(&str, &str, &str)] = &[
    ("*", "id", "made up"),
    ("*", "instanceId", "made up"),
    ("*", "hash", "a token made up by the server, unless the request gave one"),
    ("*", "token", "a token made up by the server, unless the request gave one"),
    ("*", "createdAt", "an instant"),
    ("*", "updatedAt", "an instant"),
    ("*", "disconnectionAt", "an instant"),
    ("*", "date", "an instant"),
    ("*", "code", "a QR, compared in form"),
    ("*", "base64", "its picture: another PNG encoder"),
    ("*", "pairingCode", "made up, compared in form"),
    ("*", "date_time", "an instant"),
    ("*", "server_url", "the address of the server"),
    ("*", "apikey", "a token made up by the server"),
    ("*", "manager", "the address of the server"),
    ("*", "status_of_rows", "rows come in insertion order; PostgreSQL returns them as its heap lies. Rows are compared by name"),
];

/// Where they lie.
pub fn folder() -> PathBuf {
    replay::folder("evolution")
}

/// The recording whose name begins so, and the whole name of its file.
pub fn read(name: &str) -> (String, Recording) {
    let file = std::fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .find(|f| f.starts_with(name) && f.ends_with(".http"))
        .unwrap_or_else(|| panic!("no recording {name}"));
    let text = std::fs::read_to_string(folder().join(&file)).unwrap().replace("\r\n", "\n");
    let mut lines = text.lines();
    lines.next();
    let mut request: Vec<String> = Vec::new();
    for line in lines.by_ref() {
        match line.strip_prefix('>') {
            Some(l) => request.push(l.strip_prefix(' ').unwrap_or(l).to_owned()),
            None => break,
        }
    }
    let first: Vec<&str> = request[0].split(' ').collect();
    let (method, path) = (first[0].to_owned(), first[1].to_owned());
    let blank = request.iter().position(String::is_empty);
    let headers =
        request[1..blank.unwrap_or(request.len())].iter().filter_map(|h| h.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let body = blank.map(|b| request[b + 1..].join("\n")).unwrap_or_default();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer_headers = BTreeMap::new();
    for line in lines.by_ref().take_while(|l| !l.is_empty()) {
        let (k, v) = line.split_once(": ").unwrap();
        answer_headers.insert(k.to_lowercase(), v.to_owned());
    }
    let rest: Vec<&str> = lines.collect();
    let answer = rest[..rest.iter().rposition(|l| l.starts_with("# took")).unwrap()].join("\n");
    let answer = answer.strip_suffix('\n').unwrap_or(&answer).to_owned();
    (file, Recording { method, path, headers, body, status, answer_headers, answer })
}

/// The kinds of two values agree, keys come in the same order, and values are equal unless `DIFFERS` names their key.
pub fn compare(at: &str, key: &str, want: &Json, got: &Json, wrong: &mut Vec<String>) {
    let free = DIFFERS.iter().any(|(_, k, _)| *k == key);
    match (want, got) {
        (Json::Map(w), Json::Map(g)) => {
            let (wk, gk): (Vec<_>, Vec<_>) = (w.iter().map(|p| &p.0).collect(), g.iter().map(|p| &p.0).collect());
            if wk != gk {
                wrong.push(format!("{at}: keys {gk:?}, recorded {wk:?}"));
                return;
            }
            for ((k, w), (_, g)) in w.iter().zip(g) {
                compare(&format!("{at}.{k}"), k, w, g, wrong);
            }
        }
        (Json::List(w), Json::List(g)) => {
            if w.len() != g.len() {
                wrong.push(format!("{at}: {} items, recorded {}", g.len(), w.len()));
                return;
            }
            let named = |j: &Json| j.get("name").and_then(Json::text).map(str::to_owned);
            for (i, w) in w.iter().enumerate() {
                let g = named(w).and_then(|n| g.iter().find(|x| named(x).as_deref() == Some(&n))).unwrap_or(&g[i]);
                compare(&format!("{at}[{i}]"), key, w, g, wrong);
            }
        }
        // A JSON document inside a string.
        (Json::Text(w), Json::Text(g)) if key == "disconnectionObject" => {
            compare(at, "", &Json::parse(w).unwrap(), &Json::parse(g).unwrap(), wrong);
        }
        (Json::Text(w), Json::Text(g)) if free => {
            // Made up, but in the same form: same letters at the same places, runs of letters and digits aside.
            let form = |t: &str| match key {
                "base64" => t.split(',').next().unwrap().to_owned(),
                "code" => t.split(',').map(|p| p.len().to_string()).collect::<Vec<_>>().join(","),
                "pairingCode" => t.len().to_string(),
                "server_url" => "address".to_owned(),
                "manager" => t.rsplit('/').next().unwrap().to_owned(),
                _ => t.chars().map(|c| if c.is_ascii_alphanumeric() { 'x' } else { c }).collect(),
            };
            if form(w) != form(g) {
                wrong.push(format!("{at}: {g:?} has another form than {w:?}"));
            }
        }
        _ if want == got => {}
        _ => wrong.push(format!("{at}: {got}, recorded {want}")),
    }
}
