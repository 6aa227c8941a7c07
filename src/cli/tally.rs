//! How often pairing fails, and with what clock: the summary under `history --pairing`.

use super::{Gone, Output};
use crate::{
    clock::{Verdict, words},
    i18n::{Lang, Message, command as c},
    store::PairingCount,
};
use serde_json::{Value, json};

/// The clock that an attempt began with. The order is that of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Is(Verdict),
    /// It blocked, and somebody went on all the same.
    Overridden,
}

const CLOCKS: [Clock; 5] =
    [Clock::Is(Verdict::Ok), Clock::Is(Verdict::Warn), Clock::Is(Verdict::Unknown), Clock::Overridden, Clock::Is(Verdict::Blocked)];

impl Clock {
    const fn of(count: &PairingCount) -> Self {
        if count.overridden { Self::Overridden } else { Self::Is(count.verdict) }
    }
    const fn name(self) -> &'static str {
        match self {
            Self::Is(v) => v.name(),
            Self::Overridden => "blocked_overridden",
        }
    }
    fn words(self, lang: Lang) -> String {
        match self {
            Self::Is(v) => words::verdict(v).get(lang).to_owned(),
            Self::Overridden => c::TALLY_OVERRIDDEN.get(lang).to_owned(),
        }
    }
}

/// Attempts counted by how they ended. Failed are those that were sent and ended by themselves; left are those that a person
/// ended; a blocked gate sends nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    linked: u64,
    failed: u64,
    left: u64,
    not_started: u64,
}

impl Ends {
    fn of<'a>(counts: impl Iterator<Item = &'a PairingCount>) -> Self {
        let mut ends = Self::default();
        for count in counts {
            let slot = match count.outcome.as_str() {
                "linked" => &mut ends.linked,
                "left" | "begun_anew" => &mut ends.left,
                "blocked" => &mut ends.not_started,
                _ => &mut ends.failed,
            };
            *slot += count.n;
        }
        ends
    }
    const fn all(&self) -> u64 {
        self.linked + self.failed + self.left + self.not_started
    }
    /// Failed of those that ended by themselves, in per mille; `None` when none did.
    fn rate(&self) -> Option<u64> {
        let ended = self.linked + self.failed;
        (ended > 0).then(|| (self.failed * 1000 + ended / 2) / ended)
    }
    fn percent(&self) -> String {
        self.rate().map_or_else(|| "-".to_owned(), |m| format!("{}.{} %", m / 10, m % 10))
    }
    fn json(&self) -> Value {
        #[allow(clippy::cast_precision_loss)]
        let rate = self.rate().map(|m| m as f64 / 1000.0);
        json!({
            "attempts": self.all(), "linked": self.linked, "failed": self.failed, "left": self.left,
            "not_started": self.not_started, "failure_rate": rate,
        })
    }
}

fn by_clock(counts: &[PairingCount]) -> impl Iterator<Item = (Clock, Ends)> {
    CLOCKS.into_iter().map(|clock| (clock, Ends::of(counts.iter().filter(|k| Clock::of(k) == clock)))).filter(|(_, e)| e.all() > 0)
}

/// Outcomes with their numbers, most frequent first.
fn by_outcome(counts: &[PairingCount]) -> Vec<(&str, u64)> {
    let mut all: Vec<(&str, u64)> = Vec::new();
    for count in counts {
        let outcome = count.outcome.as_str();
        match all.iter_mut().find(|(o, _)| *o == outcome) {
            Some((_, n)) => *n += count.n,
            None => all.push((outcome, count.n)),
        }
    }
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all
}

/// The `summary` of the JSON document: `failure_rate` is failed of linked and failed, `null` where none ended by itself.
pub fn document(counts: &[PairingCount]) -> Value {
    let with = |mut doc: Value, key: &str, name: &str| {
        if let Value::Object(map) = &mut doc {
            map.insert(key.to_owned(), Value::from(name));
        }
        doc
    };
    let mut doc = Ends::of(counts.iter()).json();
    if let Value::Object(map) = &mut doc {
        map.insert("by_verdict".to_owned(), by_clock(counts).map(|(clock, e)| with(e.json(), "clock", clock.name())).collect());
        let outcomes = by_outcome(counts).into_iter().map(|(outcome, n)| json!({ "outcome": outcome, "n": n })).collect();
        map.insert("by_outcome".to_owned(), outcomes);
    }
    doc
}

/// The same for people: a sentence, a line a verdict, the outcomes.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(counts: &[PairingCount], out: &mut Output) -> Result<(), Gone> {
    let lang = out.lang;
    let sum = Ends::of(counts.iter());
    let words = if sum.rate().is_some() { &c::TALLY } else { &c::TALLY_NONE };
    let m = Message::new(words)
        .with("n", sum.all().to_string())
        .with("linked", sum.linked.to_string())
        .with("failed", sum.failed.to_string())
        .with("left", sum.left.to_string())
        .with("blocked", sum.not_started.to_string())
        .with("rate", sum.percent());
    out.line("")?;
    out.line(&m.text(lang))?;
    let rows: Vec<_> = by_clock(counts)
        .map(|(clock, e)| {
            let n = |n: u64| n.to_string();
            [clock.words(lang), n(e.all()), n(e.linked), n(e.failed), n(e.left), n(e.not_started), e.percent()]
        })
        .collect();
    let head = [&c::HEAD_CLOCK, &c::HEAD_ATTEMPTS, &c::HEAD_LINKED, &c::HEAD_FAILED, &c::HEAD_LEFT, &c::HEAD_BLOCKED, &c::HEAD_RATE];
    out.table(head.map(|h| h.get(lang)), &rows)?;
    let ends: Vec<String> = by_outcome(counts).into_iter().map(|(outcome, n)| format!("{outcome} {n}")).collect();
    out.line(&Message::new(&c::TALLY_OUTCOMES).with("all", ends.join(", ")).text(lang))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::Clean;

    fn counts() -> Vec<PairingCount> {
        let one = |verdict, overridden, outcome: &str, n| PairingCount { verdict, overridden, outcome: Clean::new(outcome), n };
        vec![
            one(Verdict::Ok, false, "linked", 17),
            one(Verdict::Ok, false, "qr_limit", 1),
            one(Verdict::Ok, false, "left", 2),
            one(Verdict::Warn, false, "linked", 2),
            one(Verdict::Blocked, true, "linked", 1),
            one(Verdict::Blocked, true, "qr_limit", 2),
            one(Verdict::Blocked, false, "blocked", 4),
        ]
    }

    #[test]
    fn the_summary_tells_how_often_pairing_fails_and_with_what_clock() {
        let doc = document(&counts());
        assert_eq!((doc["attempts"].as_u64(), doc["linked"].as_u64(), doc["failed"].as_u64()), (Some(29), Some(20), Some(3)));
        assert_eq!(doc["failure_rate"], json!(0.13));
        let rate = |clock: &str| doc["by_verdict"].as_array().unwrap().iter().find(|v| v["clock"] == clock).unwrap()["failure_rate"].clone();
        assert_eq!((rate("ok"), rate("warn"), rate("blocked_overridden"), rate("blocked")), (json!(0.056), json!(0.0), json!(0.667), Value::Null));
        assert_eq!(doc["by_outcome"][0], json!({ "outcome": "linked", "n": 20 }));
        for lang in [Lang::En, Lang::Zh] {
            let (mut out, shown) = Output::captured();
            out.lang = lang;
            render(&counts(), &mut out).unwrap();
            insta::assert_snapshot!(format!("tally_{}", if lang == Lang::En { "en" } else { "zh" }), shown.stdout());
        }
    }
}
