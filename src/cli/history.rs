//! `pairdeck history`: what happened, oldest first, as a table or JSON.

use super::{
    Exit, Gone, Output,
    json::{self, V},
};
use crate::{
    clock::words as clock_words,
    engine::mailbox::{HistoryLine, HistoryWhat},
    i18n::{Lang, Message, command as c, reason, state},
};
use serde_json::{Value, json};

/// Lists what the store remembers; each line comes with the id of its target.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(lines: &[(String, HistoryLine)], as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    if as_json {
        let all: Vec<Value> = lines.iter().map(|(id, l)| line_json(id, l, lang)).collect();
        out.json(&json!({ "v": V, "lines": all }))?;
    } else if lines.is_empty() {
        out.note(&Message::new(&c::NO_HISTORY));
    } else {
        let rows: Vec<_> = lines.iter().map(|(id, l)| [l.at.wall.rfc3339(), id.clone(), words(&l.what, lang)]).collect();
        out.table([&c::HEAD_WHEN, &c::HEAD_TARGET, &c::HEAD_WHAT].map(|h| h.get(lang)), &rows)?;
    }
    Ok(Exit::Ok)
}

/// One line of `--follow`.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn follow(id: &str, line: &HistoryLine, as_json: bool, out: &mut Output) -> Result<(), Gone> {
    let lang = out.lang;
    if as_json {
        let Value::Object(mut doc) = line_json(id, line, lang) else { return Ok(()) };
        doc.insert("v".to_owned(), Value::from(V));
        out.ndjson(&Value::Object(doc))
    } else {
        out.line(&format!("{}  {id}  {}", line.at.wall.rfc3339(), words(&line.what, lang)))
    }
}

fn line_json(id: &str, line: &HistoryLine, lang: Lang) -> Value {
    let (at, id) = (line.at.wall.rfc3339(), id);
    match &line.what {
        HistoryWhat::Change { from, to, reason } => json!({
            "at": at, "id": id, "what": "change", "from": from.name(), "to": to.name(),
            "reason": reason.as_ref().map(|r| json::reason(r, lang)),
        }),
        HistoryWhat::Pairing { outcome, verdict, discarded, overridden, took_s } => json!({
            "at": at, "id": id, "what": "pairing", "outcome": outcome.as_str(), "clock": verdict.name(),
            "discarded": discarded, "overridden": overridden, "took_s": took_s,
        }),
        HistoryWhat::Audit { who, action, outcome } => {
            json!({ "at": at, "id": id, "what": "audit", "who": who.as_str(), "action": action.as_str(), "outcome": outcome.as_str() })
        }
    }
}

fn words(what: &HistoryWhat, lang: Lang) -> String {
    let m = match what {
        HistoryWhat::Change { from, to, reason } => Message::new(&c::CHANGE)
            .with("from", state::word(*from).get(lang))
            .with("to", state::word(*to).get(lang))
            .with("reason", reason.as_ref().map(|r| reason::full(r, lang)).unwrap_or_default()),
        HistoryWhat::Pairing { outcome, verdict, discarded, overridden, took_s } => {
            Message::new(if *overridden { &c::ATTEMPT_OVERRIDDEN } else { &c::ATTEMPT })
                .with("outcome", outcome.as_str())
                .with("took", took_s.to_string())
                .with("verdict", clock_words::verdict(*verdict).get(lang))
                .with("discarded", discarded.to_string())
        }
        HistoryWhat::Audit { who, action, outcome } => {
            Message::new(&c::AUDIT).with("who", who.as_str()).with("action", action.as_str()).with("outcome", outcome.as_str())
        }
    };
    m.text(lang).trim_end().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::{Verdict, now::TEST_WALL},
        domain::{Clean, Reason, ReasonCode, Stamp, State},
    };

    fn lines() -> Vec<(String, HistoryLine)> {
        let at = Stamp::wall_only(TEST_WALL);
        let reason = Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
        [
            HistoryWhat::Change { from: State::Online, to: State::LoggedOut, reason },
            HistoryWhat::Pairing { outcome: Clean::new("linked"), verdict: Verdict::Blocked, discarded: 1, overridden: true, took_s: 41 },
            HistoryWhat::Audit { who: Clean::new("ana@desk"), action: Clean::new("wipe"), outcome: Clean::new("done") },
        ]
        .map(|what| ("wa-sp:shop-b".to_owned(), HistoryLine { at, what }))
        .into()
    }

    #[test]
    fn the_three_kinds_of_line_read_well() {
        let (mut out, shown) = Output::captured();
        render(&lines(), false, &mut out).unwrap();
        insta::assert_snapshot!(shown.stdout());
    }

    #[test]
    fn following_writes_one_json_line_each() {
        let (mut out, shown) = Output::captured();
        for (id, l) in lines() {
            follow(&id, &l, true, &mut out).unwrap();
        }
        let text = shown.stdout();
        let kinds: Vec<String> = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["what"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["change", "pairing", "audit"]);
    }
}
