//! The deck for who hears it: one sentence a line, what changes is appended, commands are typed as a line (`--plain`).
//!
//! It stands on the same [`super::app::App`] and [`super::update`] as the drawn deck, so that arming, undo, read-only and the
//! clock gate are one set of rules. No frames, no colours, no cursor addressing; the terminal stays in line mode. A number
//! belongs to a row for as long as the deck runs or until the rows are listed anew: what was heard is what is hit.

mod act;
mod attempt;
mod rows;
mod run;
#[cfg(test)]
mod tests;
mod typed;
mod voice;

pub use run::run;
pub use voice::{Spoken, Voice, typed_lines};

use crate::i18n::{Lang, Message, plain as w};
use std::time::Duration;

/// Countdown of a *swift* action in this mode, where the operator has not chosen one: a sentence takes its time.
pub const SWIFT: Duration = Duration::from_secs(10);

/// A text of the drawn deck as it can be read out: signs that stand beside their word are dropped, blanks are single.
fn spoken(text: &str) -> String {
    let kept: String = text
        .replace("··", "...")
        .replace("...·", "...")
        .replace(" · ", ", ")
        .chars()
        .filter(|c| !matches!(c, '`' | '●' | '◌' | '◇' | '○' | '✗' | '⇄' | '⊘' | '↯' | '◐' | '▲' | '▼' | '▸' | '▾' | '✓' | '⚠' | '▌' | '≈'))
        .map(|c| if c == '·' { ',' } else { c })
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ").replace("......", "...").replace(" ,", ",")
}

/// An age with its unit written out.
fn age(d: Duration, lang: Lang) -> String {
    let say = |n: u64, one: &'static crate::i18n::Words, many: &'static crate::i18n::Words| {
        if n == 1 { one.get(lang).to_owned() } else { Message::new(many).with("n", n.to_string()).text(lang) }
    };
    match d.as_secs() {
        0..60 => w::AGE_NOW.get(lang).to_owned(),
        s @ 60..3_600 => say(s / 60, &w::AGE_MINUTE, &w::AGE_MINUTES),
        s @ 3_600..86_400 => say(s / 3_600, &w::AGE_HOUR, &w::AGE_HOURS),
        s => say(s / 86_400, &w::AGE_DAY, &w::AGE_DAYS),
    }
}
