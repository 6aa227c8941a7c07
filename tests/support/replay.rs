//! Answers of a sandbox beside recorded ones.

use pairdeck::sandbox::json::Json;
use std::{collections::BTreeMap, path::PathBuf};

/// A request to a real server, and its answer.
pub struct Recording {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    pub answer_headers: BTreeMap<String, String>,
    pub answer: String,
}

/// Where the recordings of a system lie.
pub fn folder(system: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(system)
}

/// Says in `wrong` where `got` is not as recorded: keys and their order, numbers of items, kinds of values, and values unless
/// `free` (place, key, recorded, got) lets them differ.
pub fn compare(at: &str, key: &str, want: &Json, got: &Json, free: &dyn Fn(&str, &str, &Json, &Json) -> bool, wrong: &mut Vec<String>) {
    match (want, got) {
        (Json::Map(w), Json::Map(g)) => {
            let (wk, gk): (Vec<_>, Vec<_>) = (w.iter().map(|p| &p.0).collect(), g.iter().map(|p| &p.0).collect());
            if wk != gk {
                wrong.push(format!("{at}: keys {gk:?}, recorded {wk:?}"));
                return;
            }
            for ((k, w), (_, g)) in w.iter().zip(g) {
                compare(&format!("{at}.{k}"), k, w, g, free, wrong);
            }
        }
        (Json::List(w), Json::List(g)) => {
            if w.len() != g.len() {
                wrong.push(format!("{at}: {} items, recorded {}", g.len(), w.len()));
                return;
            }
            for (i, (w, g)) in w.iter().zip(g).enumerate() {
                compare(&format!("{at}[{i}]"), key, w, g, free, wrong);
            }
        }
        _ if std::mem::discriminant(want) != std::mem::discriminant(got) => wrong.push(format!("{at}: {got:?} is of another kind than {want:?}")),
        _ if want != got && !free(at, key, want, got) => wrong.push(format!("{at}: {got}, recorded {want}")),
        _ => {}
    }
}
