//! `pairdeck history`: what happened, oldest first, as a table or JSON.

use super::{
    Exit, Gone, Output,
    json::{self, V},
    tally,
};
use crate::{
    clock::{figures, sample::OPEN, verdict::Cause, words as clock_words},
    engine::mailbox::{HistoryLine, HistoryWhat},
    i18n::{Lang, Message, command as c, reason, state},
    store::{OfferLine, OfferOutcome, PairingCount},
};
use serde_json::{Value, json};

/// Instants of codes that a line names.
const TIMES: usize = 5;

/// Lists what the store remembers; each line comes with the id of its target. `tally`: the attempts counted, for a summary.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(lines: &[(String, HistoryLine)], tally: Option<&[PairingCount]>, as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    if as_json {
        let all: Vec<Value> = lines.iter().map(|(id, l)| line_json(id, l, lang)).collect();
        let mut doc = json!({ "v": V, "lines": all });
        if let (Some(counts), Value::Object(map)) = (tally, &mut doc) {
            map.insert("summary".to_owned(), tally::document(counts));
        }
        out.json(&doc)?;
    } else if lines.is_empty() {
        out.note(&Message::new(&c::NO_HISTORY));
    } else {
        let rows: Vec<_> = lines.iter().map(|(id, l)| [l.at.wall.rfc3339(), id.clone(), words(&l.what, lang)]).collect();
        out.table([&c::HEAD_WHEN, &c::HEAD_TARGET, &c::HEAD_WHAT].map(|h| h.get(lang)), &rows)?;
        if let Some(counts) = tally {
            tally::render(counts, out)?;
        }
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
        HistoryWhat::Pairing { outcome, verdict, discarded, overridden, took_s, skew_ms, offers, issued } => json!({
            "at": at, "id": id, "what": "pairing", "outcome": outcome.as_str(), "clock": verdict.name(),
            "skew_s": skew_ms.map(seconds), "offers": offers, "discarded": discarded, "overridden": overridden, "took_s": took_s,
            "issued": issued.iter().map(offer).collect::<Vec<_>>(),
        }),
        HistoryWhat::Clock { from, to, skew, cause } => json!({
            "at": at, "id": id, "what": "clock", "event": "clock", "gateway": id, "from": from.name(), "to": to.name(),
            "skew_s": skew.map(|i| [bound(i.lo_ms), bound(i.hi_ms)]), "cause": cause.map(Cause::name),
        }),
        HistoryWhat::Audit { who, pid, action, verdict, outcome } => {
            let (user, host) = who.as_str().rsplit_once('@').unwrap_or((who.as_str(), ""));
            json!({
                "at": at, "id": id, "what": "audit", "who": who.as_str(), "user": user, "host": host, "pid": pid,
                "action": action.as_str(), "clock": verdict.map(|v| v.name()), "outcome": outcome.as_str(),
            })
        }
    }
}

fn offer(o: &OfferLine) -> Value {
    json!({ "n": (o.n > 0).then_some(o.n), "at": o.issued.rfc3339(), "clock": o.verdict.name(), "outcome": o.outcome.name() })
}

#[allow(clippy::cast_precision_loss)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// One end of an interval in seconds; `null` where it has no bound.
fn bound(ms: i64) -> Value {
    if ms == OPEN { Value::Null } else { json!(seconds(ms)) }
}

/// When the codes that were shown were issued, the first ones.
fn times(issued: &[OfferLine], lang: Lang) -> String {
    let time = |o: &OfferLine| o.issued.rfc3339().get(11..19).unwrap_or_default().to_owned();
    let mut shown: Vec<String> =
        issued.iter().filter(|o| matches!(o.outcome, OfferOutcome::Shown | OfferOutcome::Expired | OfferOutcome::Used)).map(time).collect();
    if shown.is_empty() {
        return String::new();
    }
    if shown.len() > TIMES {
        shown.truncate(TIMES);
        shown.push("…".to_owned());
    }
    Message::new(&c::ATTEMPT_ISSUED).with("times", shown.join(", ")).text(lang)
}

fn words(what: &HistoryWhat, lang: Lang) -> String {
    let m = match what {
        HistoryWhat::Change { from, to, reason } => Message::new(&c::CHANGE)
            .with("from", state::word(*from).get(lang))
            .with("to", state::word(*to).get(lang))
            .with("reason", reason.as_ref().map(|r| reason::full(r, lang)).unwrap_or_default()),
        HistoryWhat::Clock { from, to, skew, cause } => Message::new(&c::CLOCK_EVENT)
            .with("from", clock_words::verdict(*from).get(lang))
            .with("to", clock_words::verdict(*to).get(lang))
            .with("skew", skew.as_ref().map(figures::of).unwrap_or_default())
            .with("cause", cause.map(Cause::name).unwrap_or_default()),
        HistoryWhat::Pairing { outcome, verdict, discarded, overridden, took_s, skew_ms, offers, issued } => {
            let figure = |ms: i64| if ms < 60_000 { figures::bound(ms) } else { figures::span(ms) };
            let off = skew_ms.map(|ms| Message::new(&c::ATTEMPT_SKEW).with("skew", figure(ms)).text(lang));
            Message::new(if *overridden { &c::ATTEMPT_OVERRIDDEN } else { &c::ATTEMPT })
                .with("outcome", outcome.as_str())
                .with("took", took_s.to_string())
                .with("verdict", clock_words::verdict(*verdict).get(lang))
                .with("skew", off.unwrap_or_default())
                .with("offers", offers.to_string())
                .with("issued", times(issued, lang))
                .with("discarded", discarded.to_string())
        }
        HistoryWhat::Audit { who, action, outcome, .. } => {
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
        clock::{Verdict, now::TEST_WALL, sample::Interval},
        domain::{Clean, Reason, ReasonCode, Stamp, State},
    };

    fn lines() -> Vec<(String, HistoryLine)> {
        let at = Stamp::wall_only(TEST_WALL);
        let reason = Some(Reason::new(ReasonCode::LoggedOut).raw("401"));
        [
            HistoryWhat::Change { from: State::Online, to: State::LoggedOut, reason },
            HistoryWhat::Pairing {
                outcome: Clean::new("linked"),
                verdict: Verdict::Blocked,
                discarded: 1,
                overridden: true,
                took_s: 41,
                skew_ms: Some(31_000),
                offers: 1,
                issued: vec![OfferLine { n: 1, issued: TEST_WALL, verdict: Verdict::Blocked, outcome: OfferOutcome::Used }],
            },
            HistoryWhat::Clock { from: Verdict::Ok, to: Verdict::Blocked, skew: Some(Interval::new(-37_500, -36_500)), cause: Some(Cause::Off) },
            HistoryWhat::Audit {
                who: Clean::new("ana@desk"),
                pid: 4711,
                action: Clean::new("wipe"),
                verdict: Some(Verdict::Ok),
                outcome: Clean::new("done"),
            },
        ]
        .map(|what| ("wa-sp:shop-b".to_owned(), HistoryLine { at, what }))
        .into()
    }

    #[test]
    fn the_kinds_of_line_read_well() {
        let (mut out, shown) = Output::captured();
        render(&lines(), None, false, &mut out).unwrap();
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
        assert_eq!(kinds, ["change", "pairing", "clock", "audit"]);
        let clock: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        for (field, is) in [("v", json!(1)), ("event", json!("clock")), ("from", json!("ok")), ("to", json!("blocked")), ("cause", json!("off"))] {
            assert_eq!(clock[field], is, "{field}");
        }
        assert_eq!(clock["skew_s"], json!([-37.5, -36.5]));
        let pairing: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&pairing["issued"][0]["outcome"], &pairing["skew_s"]), (&json!("used"), &json!(31.0)));
    }
}
