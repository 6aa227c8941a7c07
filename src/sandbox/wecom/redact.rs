//! Secrets travel in query strings and bodies here; the list of requests shows none of them.

use serde_json::Value;

/// Names whose values may be shown. Every other value of a query is hidden, whatever it is called.
const SHOWN: &[&str] = &["corpid", "appid", "agentid", "grant_type", "debug", "type"];
/// A segment of a path that is longer than any of ours may be a secret in the wrong place.
const LONG: usize = 24;
const HIDDEN: &str = "***";

/// Path and query of a request, without what is secret.
pub(crate) fn target(target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let segments: Vec<_> = path.split('/').map(|s| if s.len() > LONG { HIDDEN } else { s }).collect();
    let mut out = segments.join("/");
    if let Some(query) = query {
        let pairs: Vec<_> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) if SHOWN.contains(&name) && value.len() <= LONG => pair.to_owned(),
                Some((name, _)) if name.len() <= LONG => format!("{name}={HIDDEN}"),
                _ => HIDDEN.to_owned(),
            })
            .collect();
        out.push('?');
        out.push_str(&pairs.join("&"));
    }
    out
}

/// A body without what is secret; what is no JSON object shows only its length.
pub(crate) fn body(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut map)) => {
            for (name, value) in &mut map {
                let name = name.to_lowercase();
                if name.contains("secret") || name.contains("token") {
                    *value = HIDDEN.into();
                }
            }
            Value::Object(map).to_string()
        }
        _ => format!("<{} bytes>", body.len()),
    }
}
