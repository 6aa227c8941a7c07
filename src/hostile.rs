//! What property tests throw at decoders: real replies with some values replaced by hostile ones, bytes turned over, the end cut off;
//! and what nothing that a person sees may hold.

use crate::domain::Reason;
use proptest::{collection::vec, option, prelude::*, sample::Index};
use serde_json::{Value, json};

/// As many cases as `PROPTEST_CASES` says, 256 otherwise; no file of failures is left in the tree.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// The same for a decoder that takes long: an eighth of them.
pub(crate) fn slow() -> ProptestConfig {
    ProptestConfig { cases: (ProptestConfig::default().cases / 8).max(32), ..config() }
}

/// Texts made to drive a terminal, to be taken for something else, or to be large.
pub(crate) const TEXTS: [&str; 16] = [
    "",
    " ",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{9b}2J",
    "a\u{202e}b\u{2066}c",
    "\u{200b}\u{feff}\u{e0041}",
    "名\r\n\u{0}x",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "-1",
    "1e999",
    "18446744073709551616",
    "9223372036854775807",
    "1970-01-01T00:00:00Z",
    "-009999-01-01T00:00:00Z",
    "%00%ff/../..",
    "{\"a\":[",
];

/// Values that no decoder was written for.
fn odd(n: usize) -> Value {
    let others = [
        Value::Null,
        true.into(),
        0.into(),
        (-1).into(),
        u64::MAX.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        1e308.into(),
        (-0.5).into(),
        json!([]),
        json!({}),
        json!([null, [], {}]),
        json!({"": {"": {"": 0}}}),
        "x".repeat(70_000).into(),
        "客".repeat(5_000).into(),
        (0..100).fold(Value::Null, |inside, _| json!([inside])),
    ];
    match n % (others.len() + TEXTS.len()) {
        n if n < TEXTS.len() => TEXTS[n].into(),
        n => others[n - TEXTS.len()].clone(),
    }
}

fn count(v: &Value) -> usize {
    1 + match v {
        Value::Array(a) => a.iter().map(count).sum(),
        Value::Object(o) => o.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value that comes as the `at`th: to another, into a list of itself, or away.
fn change(v: &mut Value, at: &mut usize, to: usize) {
    if *at == 0 {
        *v = match to % 9 {
            0 => Value::Array(vec![v.take(); 3]),
            1 => json!({ "data": v.take() }),
            _ => odd(to),
        };
    }
    *at = at.wrapping_sub(1);
    match v {
        Value::Array(a) => a.iter_mut().for_each(|v| change(v, at, to)),
        Value::Object(o) => o.values_mut().for_each(|v| change(v, at, to)),
        _ => {}
    }
}

fn changed(good: &Value, changes: &[(Index, usize)]) -> Value {
    let mut v = good.clone();
    for (which, to) in changes {
        let mut at = which.index(count(&v));
        change(&mut v, &mut at, *to);
    }
    v
}

/// One of these documents with up to four of its values changed: still a document.
pub(crate) fn document(good: &[Value]) -> impl Strategy<Value = Value> + use<> {
    let good = good.to_vec();
    (any::<Index>(), vec((any::<Index>(), any::<usize>()), 0..4)).prop_map(move |(n, changes)| changed(&good[n.index(good.len())], &changes))
}

/// One of these replies, damaged: values of a JSON document changed, bytes turned over, something put in between, its end cut off.
pub(crate) fn reply(good: &[&[u8]]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let good: Vec<Vec<u8>> = good.iter().map(|g| g.to_vec()).collect();
    let changes = vec((any::<Index>(), any::<usize>()), 0..4);
    let flips = vec((any::<Index>(), any::<u8>()), 0..3);
    let put = option::weighted(0.3, (any::<Index>(), vec(any::<u8>(), 1..40)));
    (any::<Index>(), changes, flips, put, option::weighted(0.2, any::<Index>())).prop_map(move |(n, changes, flips, put, cut)| {
        let mut b = good[n.index(good.len())].clone();
        if let Ok(v) = serde_json::from_slice::<Value>(&b) {
            b = changed(&v, &changes).to_string().into_bytes();
        }
        for (at, to) in &flips {
            let n = b.len().max(1);
            if let Some(byte) = b.get_mut(at.index(n)) {
                *byte = *to;
            }
        }
        if let Some((at, more)) = put {
            let at = at.index(b.len() + 1);
            b.splice(at..at, more);
        }
        if let Some(at) = cut {
            b.truncate(at.index(b.len() + 1));
        }
        b
    })
}

/// One of these texts with up to four of its words changed, put double or left out.
pub(crate) fn text(good: &[&str]) -> impl Strategy<Value = String> + use<> {
    let good: Vec<String> = good.iter().map(|g| (*g).to_owned()).collect();
    let edits = vec((any::<Index>(), any::<Index>(), any::<Index>(), 0u8..4, "\\PC{0,12}"), 0..5);
    (any::<Index>(), edits).prop_map(move |(n, edits)| {
        let mut t: Vec<char> = good[n.index(good.len())].chars().collect();
        for (from, to, other, how, new) in edits {
            let (a, b) = (from.index(t.len() + 1), to.index(t.len() + 1));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 12));
            match how {
                0 => drop(t.drain(a..b)),
                1 => drop(t.splice(a..a, TEXTS[other.index(TEXTS.len())].chars())),
                2 => drop(t.splice(a..b, new.chars())),
                _ => {
                    let twice: Vec<char> = t[a..b].to_vec();
                    drop(t.splice(a..a, twice));
                }
            }
        }
        t.into_iter().collect()
    })
}

/// The body of a recorded HTTP answer: a path below `tests/recordings`.
pub(crate) fn recorded(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(file);
    let whole = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let text = String::from_utf8_lossy(&whole).replace("\r\n", "\n");
    // Behind the request that some of them begin with; before the note that some end with.
    let answer = text.find("\nHTTP/1.1 ").or_else(|| text.find("HTTP/1.1 ")).and_then(|at| text.get(at..));
    let body = answer.and_then(|a| a.split_once("\n\n")).unwrap_or_else(|| panic!("{}: no head", path.display())).1;
    body.rsplit_once("\n# took").map_or(body, |(b, _)| b).trim_end_matches('\n').as_bytes().to_vec()
}

/// Nothing in `text` drives a terminal, turns the direction of writing or hides.
pub(crate) fn harmless(text: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}')
    };
    !text.chars().any(hidden)
}

/// A reason in every language, with all that it carries: harmless, and short enough for a screen.
pub(crate) fn fine(why: &Reason) -> bool {
    let parts = why.args.iter().map(|(_, v)| v.as_str()).chain(why.raw.as_ref().map(crate::domain::Clean::as_str));
    let whole = [crate::i18n::Lang::En, crate::i18n::Lang::Zh].into_iter().map(|l| crate::i18n::reason::full(why, l));
    parts.map(str::to_owned).chain(whole).all(|t| harmless(&t) && t.len() < 8_000)
}

/// All that a screen shows of a row.
pub(crate) fn fit_to_draw(row: &crate::domain::Row) -> bool {
    use crate::domain::FactValue;
    let facts = row.facts.iter().filter_map(|f| if let FactValue::Text(t) | FactValue::Number(t) = &f.value { Some(t.as_str()) } else { None });
    let texts = [Some(row.label.as_str()), row.identity.as_ref().map(crate::domain::Clean::as_str)].into_iter().flatten().chain(facts);
    let witnesses = row.link.witnesses.iter().map(|w| w.says.as_str());
    texts.chain(witnesses).all(harmless) && row.link.reason.iter().all(fine)
}
