//! The filter line: words that match fuzzily, and `key:value` terms; a dash in front means *not*.

use super::fleet::{Entry, Gateway};
use crate::domain::{Stamp, State};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};
use std::time::Duration;

enum Test {
    State(String),
    Kind(String),
    Gateway(String),
    Reason(String),
    Older(Duration),
    Younger(Duration),
    Marked,
    Stale,
    Problem,
    Words(Pattern),
}

/// A filter line, read once and asked for each row.
pub struct Filter {
    tests: Vec<(bool, Test)>,
    matcher: std::cell::RefCell<Matcher>,
    /// Set when a term could not be understood: that term, for the line's own complaint.
    pub unknown: Option<String>,
}

fn age(text: &str) -> Option<Duration> {
    let (n, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let n: u64 = n.parse().ok()?;
    let s = match unit {
        "s" => 1,
        "m" | "" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(n.checked_mul(s)?))
}

/// Letters and digits only, lower case: `logged_out`, `logged out` and `loggedout` are the same.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Filter {
    /// Reads a filter line.
    pub fn parse(line: &str) -> Self {
        let (mut tests, mut unknown) = (Vec::new(), None);
        for term in line.split_whitespace() {
            let (not, term) = match term.strip_prefix('-') {
                Some(t) if !t.is_empty() => (true, t),
                _ => (false, term),
            };
            let test = match term.split_once(':') {
                Some(("state", v)) => Some(Test::State(bare(v))),
                Some(("kind", v)) => Some(Test::Kind(bare(v))),
                Some(("gw" | "gateway", v)) => Some(Test::Gateway(bare(v))),
                Some(("reason", v)) => Some(Test::Reason(bare(v))),
                Some(("age", v)) => match v.strip_prefix('<') {
                    Some(v) => age(v).map(Test::Younger),
                    None => age(v.trim_start_matches('>')).map(Test::Older),
                },
                Some(("is", "marked")) => Some(Test::Marked),
                Some(("is", "stale")) => Some(Test::Stale),
                Some(("is", "problem")) => Some(Test::Problem),
                Some(("is" | "flag", _)) => None,
                _ => Some(Test::Words(Pattern::new(term, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy))),
            };
            match test {
                Some(t) => tests.push((not, t)),
                None => unknown = Some(term.to_owned()),
            }
        }
        Self { tests, matcher: std::cell::RefCell::new(Matcher::new(Config::DEFAULT)), unknown }
    }

    /// True when every row passes.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether a row passes.
    pub fn passes(&self, e: &Entry, g: &Gateway, marked: bool, now: &Stamp) -> bool {
        self.tests.iter().all(|(not, t)| *not != self.holds(t, e, g, marked, now))
    }

    fn holds(&self, test: &Test, e: &Entry, g: &Gateway, marked: bool, now: &Stamp) -> bool {
        let link = &e.row.link;
        let since = || link.since.map(|s| s.age(now));
        match test {
            Test::State(v) => bare(link.state.name()).starts_with(v.as_str()) || (v == "differs" && link.differs()),
            Test::Kind(v) => bare(g.view.spec.kind).starts_with(v.as_str()) || bare(g.view.spec.platform).starts_with(v.as_str()),
            Test::Gateway(v) => bare(g.view.id.as_str()).contains(v.as_str()),
            Test::Reason(v) => link.reason.as_ref().is_some_and(|r| {
                bare(r.code.name()).contains(v.as_str()) || r.raw.as_ref().is_some_and(|raw| bare(raw.as_str()).contains(v.as_str()))
            }),
            Test::Older(d) => since().is_some_and(|a| a >= *d),
            Test::Younger(d) => since().is_some_and(|a| a < *d),
            Test::Marked => marked,
            Test::Stale => g.stale(),
            Test::Problem => is_problem(e),
            Test::Words(p) => {
                let Ok(mut m) = self.matcher.try_borrow_mut() else { return false };
                let mut buf = Vec::new();
                let mut hit = |s: &str| p.score(Utf32Str::new(s, &mut buf), &mut m).is_some();
                hit(e.row.label.as_str()) || e.row.identity.as_ref().is_some_and(|i| hit(i.as_str()))
            }
        }
    }
}

/// What the problem walk stops at: bad states, and others whose reason asks for a person.
pub fn is_problem(e: &Entry) -> bool {
    e.row.link.state.is_problem()
        || (!matches!(e.row.link.state, State::Online | State::Ready) && e.row.link.reason.as_ref().is_some_and(|r| r.code.is_problem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_with_their_unit() {
        assert_eq!(age("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(age("5"), Some(Duration::from_secs(300)));
        assert_eq!(age("5y"), None);
    }

    #[test]
    fn an_unknown_term_is_named() {
        assert_eq!(Filter::parse("is:happy shop").unknown.as_deref(), Some("is:happy"));
        assert_eq!(Filter::parse("state:online").unknown, None);
    }
}
