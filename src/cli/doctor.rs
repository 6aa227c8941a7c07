//! `pairdeck doctor`: checks with a remedy each, usable before a deployment. What is local is checked here; what needs the
//! store, the vault or a gateway is handed in by who asked them.

use super::{Exit, Gone, Output, json::V};
use crate::{
    clock::{
        Verdict, figures,
        gate::GateView,
        notes::{self, HostFacts, Note},
        sample::By,
        verdict::Judgement,
        words,
    },
    domain::{Reason, ReasonCode, Row},
    i18n::{Lang, Message, Words, clock as w, command as c, reason, shell, sntp as n},
};
use serde_json::{Value, json};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Fine.
    Ok,
    /// Worth knowing.
    Warn,
    /// Broken.
    Fail,
    /// Could not be checked.
    Skipped,
}

impl Mark {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
    const fn words(self) -> &'static Words {
        match self {
            Self::Ok => &c::CHECK_OK,
            Self::Warn => &c::CHECK_WARN,
            Self::Fail => &c::CHECK_FAIL,
            Self::Skipped => &c::CHECK_SKIPPED,
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was checked: `terminal`, `vault`, `store`, `clock`, a gateway's name.
    pub check: String,
    /// How it ended.
    pub mark: Mark,
    /// What was found.
    pub detail: Message,
    /// What to do, where something is to be done.
    pub remedy: Option<Message>,
    /// True when a blocked clock is what failed: it has an exit code of its own.
    pub clock_blocked: bool,
}

impl Check {
    /// A check with its finding.
    pub fn new(check: impl Into<String>, mark: Mark, detail: impl Into<Message>) -> Self {
        Self { check: check.into(), mark, detail: detail.into(), remedy: None, clock_blocked: false }
    }
    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: Option<Message>) -> Self {
        self.remedy = remedy;
        self
    }
    /// A check that failed for a reason.
    pub fn failed(check: impl Into<String>, why: &Reason) -> Self {
        let message = |words| Message { words, args: why.args.clone(), nested: Vec::new() };
        Self::new(check, Mark::Fail, message(reason::words(why))).remedy(shell::remedy_words(why).map(message))
    }
}

/// What the terminal is, as read by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns and rows; `None` when stdout is none.
    pub size: Option<(u16, u16)>,
    /// False with NO_COLOR or a dumb terminal.
    pub colour: bool,
    /// True when the locale is UTF-8.
    pub utf8: bool,
}

impl Terminal {
    /// Reads this process's terminal and environment.
    pub fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        Self {
            size: std::io::IsTerminal::is_terminal(&std::io::stdout()).then(|| crossterm::terminal::size().ok()).flatten(),
            colour: set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb"),
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }
}

/// Checks the terminal.
pub fn terminal(t: Terminal, lang: Lang) -> Check {
    let Some((w, h)) = t.size else { return Check::new("terminal", Mark::Skipped, &c::CHECK_NO_TERMINAL) };
    if w < 40 || h < 10 {
        return Check::new("terminal", Mark::Warn, &c::CHECK_SMALL).remedy(Some(Message::new(&c::CHECK_SMALL_DO)));
    }
    let colour = if t.colour { &c::CHECK_COLOUR } else { &c::CHECK_NO_COLOUR };
    let detail = Message::new(&c::CHECK_TERMINAL)
        .with("size", format!("{w}x{h}"))
        .with("colour", colour.get(lang))
        .with("charset", if t.utf8 { "UTF-8" } else { "ASCII" });
    Check::new("terminal", Mark::Ok, detail)
}

/// Checks the clocks: this host with its timezone, container and time servers, then each gateway that was asked.
pub fn clocks(views: &[GateView], facts: &HostFacts, lang: Lang) -> Vec<Check> {
    let mut checks = vec![host(views, lang)];
    checks.extend(ntp(views, lang));
    // Advice moves no clock, so it never fails.
    let advice = |check: &str, note: &Note| {
        let (says, act) = note.says();
        Check::new(check, if note.is_warning() { Mark::Warn } else { Mark::Ok }, says).remedy(act)
    };
    checks.extend(notes::host_notes(facts).iter().map(|n| advice("timezone", n)));
    if views.is_empty() {
        checks.push(Check::new("clock", Mark::Skipped, &c::NO_GATEWAY));
    }
    for v in views {
        checks.push(gateway(v, lang));
        // What is worth knowing where all is well would only stand in the way.
        checks.extend(notes::notes(v, facts).iter().filter(|n| n.is_warning() && n.says().1.is_some()).map(|n| advice("clock", n)));
    }
    checks
}

const fn mark(v: Verdict) -> Mark {
    match v {
        Verdict::Ok => Mark::Ok,
        Verdict::Warn | Verdict::Unknown => Mark::Warn,
        Verdict::Blocked => Mark::Fail,
    }
}

fn plain(text: String) -> Message {
    Message::new(&w::DETAIL_OTHER).with("text", text)
}

fn gateway(v: &GateView, lang: Lang) -> Check {
    let why = words::cause(v).map_or_else(String::new, |m| format!("  {}", m.text(lang)));
    let detail = plain(format!("{} {}{why}", v.gateway, figures::of_view(v)));
    Check { clock_blocked: v.verdict == Verdict::Blocked, ..Check::new("clock", mark(v.verdict), detail).remedy(words::remedy(v)) }
}

/// This host by its own references: a time server, the floor, the kernel's word. Nothing that measures: skipped.
fn host(views: &[GateView], lang: Lang) -> Check {
    let told = |j: &Judgement| {
        let kernel = j.samples.iter().find(|s| s.by == By::Kernel).map(|s| format!("{} {}", w::BY_KERNEL.get(lang), words::detail(s).text(lang)));
        kernel.unwrap_or_default()
    };
    let Some(v) = views.iter().max_by_key(|v| v.host.verdict) else {
        return Check::new("host", Mark::Skipped, &n::HOST_NOT_ASKED);
    };
    let name = w::THIS_HOST.get(lang);
    match &v.host.skew {
        Some(skew) => {
            let detail = plain(format!("{name} {}", figures::of(skew)));
            let remedy = (v.host.verdict != Verdict::Ok).then(|| words::remedy(v)).flatten();
            Check { clock_blocked: v.host.verdict == Verdict::Blocked, ..Check::new("host", mark(v.host.verdict), detail).remedy(remedy) }
        }
        None => {
            Check::new("host", Mark::Skipped, plain(format!("{name} {}  {}", words::silence(&v.host).get(lang), told(&v.host)).trim_end().to_owned()))
        }
    }
}

/// The time servers that were asked, one line each. None are asked unless they are configured.
fn ntp(views: &[GateView], lang: Lang) -> Vec<Check> {
    let Some(v) = views.first() else { return Vec::new() };
    let mut seen = std::collections::BTreeSet::new();
    let servers = v.host.samples.iter().filter(|s| s.by == By::Ntp && seen.insert(s.server.as_ref().map(|n| n.as_str().to_owned())));
    servers
        .map(|s| {
            let name = s.server.as_ref().map_or("NTP", |n| n.as_str());
            match &s.interval {
                Some(i) => Check::new("ntp", Mark::Ok, plain(format!("{name} {}", figures::of(i)))),
                None => Check::new("ntp", Mark::Warn, plain(format!("{name} {}", words::detail(s).text(lang)))),
            }
        })
        .collect()
}

/// Accounts that are told one by one; of more only the number.
const TOLD: usize = 10;

/// What keeps accounts from working: what only a person can put right, and what could not be asked although its gateway could. Nothing
/// for those that are well.
pub fn accounts(rows: &[Row], lang: Lang) -> Vec<Check> {
    let stuck = |row: &&Row| row.device.is_none() && row.link.reason.as_ref().is_some_and(|r| person(r.code).is_some());
    let all: Vec<&Row> = rows.iter().filter(stuck).collect();
    let mut out: Vec<Check> = Vec::new();
    for (row, why) in all.iter().take(TOLD).filter_map(|row| Some((row, row.link.reason.as_ref()?))) {
        let mark = person(why.code).unwrap_or(Mark::Warn);
        let remedy = super::session::remedy(why, lang).map(plain);
        out.push(Check::new(row.target().id(), mark, Message::from(why)).remedy(remedy));
    }
    if all.len() > TOLD {
        out.push(Check::new("accounts", Mark::Warn, Message::new(&c::CHECK_MORE).with("n", (all.len() - TOLD).to_string())));
    }
    out
}

/// How bad a reason is: what is plainly missing fails, what another system refuses or does not answer is a warning.
const fn person(code: ReasonCode) -> Option<Mark> {
    use ReasonCode as C;
    match code {
        C::CredentialMissing => Some(Mark::Fail),
        // Of a gateway that is well: one of its accounts is not.
        C::AccountClosed | C::SessionDuplicated | C::Unreachable | C::Slow => Some(Mark::Warn),
        C::CredentialRefused | C::BotSecretRefused | C::AddressNotTrusted | C::WrongId | C::WrongApp | C::AppDisabled | C::ApiForbidden => {
            Some(Mark::Warn)
        }
        _ => None,
    }
}

/// 0 if no check failed, 7 if a clock blocks, else 1.
pub fn exit(checks: &[Check]) -> Exit {
    if checks.iter().any(|k| k.clock_blocked) {
        Exit::Clock
    } else if checks.iter().any(|k| k.mark == Mark::Fail) {
        Exit::Failed
    } else {
        Exit::Ok
    }
}

/// Says all checks.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(checks: &[Check], as_json: bool, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    if as_json {
        out.json(&json!({ "v": V, "checks": checks.iter().map(|k| one(k, lang)).collect::<Vec<_>>() }))?;
        return Ok(exit(checks));
    }
    for k in checks {
        out.line(&format!("{}  {}  {}", pad(k.mark.words().get(lang), 7), pad(&k.check, 9), k.detail.text(lang)))?;
        if let Some(remedy) = &k.remedy {
            let m = Message::new(&c::CHECK_DO).with("remedy", shell::told(remedy.clone()).text(lang));
            out.line(&format!("{:20}{}", "", m.text(lang)))?;
        }
    }
    let count = |m: Mark| checks.iter().filter(|k| k.mark == m).count().to_string();
    let sum = Message::new(&c::CHECK_SUM).with("ok", count(Mark::Ok)).with("warn", count(Mark::Warn)).with("fail", count(Mark::Fail));
    out.line(&sum.text(lang))?;
    Ok(exit(checks))
}

fn pad(text: &str, width: usize) -> String {
    let used = unicode_width::UnicodeWidthStr::width(text);
    format!("{text}{}", " ".repeat(width.saturating_sub(used)))
}

fn one(k: &Check, lang: Lang) -> Value {
    json!({
        "check": k.check,
        "verdict": k.mark.name(),
        "detail": k.detail.text(lang),
        "remedy": k.remedy.as_ref().map(|m| shell::told(m.clone()).text(lang)),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualTime, gate::Gate, http_date, timezone::ZoneFacts},
        domain::{GatewayId, ReasonCode, Time},
    };
    use std::sync::Arc;

    fn view(date: &str) -> GateView {
        let time = Arc::new(ManualTime::new());
        let gate = Gate::new(time.clone());
        let id = GatewayId::new("wa-sp");
        gate.push(http_date::sample(&id, Some(date), None, None, time.now(), time.now()));
        gate.view(&id)
    }

    #[test]
    fn a_blocked_clock_ends_with_seven_whatever_else_failed() {
        let none = HostFacts::default();
        let blocked = clocks(&[view("Sat, 21 Nov 2026 15:00:00 GMT")], &none, Lang::En);
        let mut all = vec![Check::failed("wa-eu", &Reason::new(ReasonCode::Unreachable))];
        assert_eq!(exit(&all), Exit::Failed);
        all.extend(blocked);
        assert_eq!(exit(&all), Exit::Clock);
        let zone = Some(ZoneFacts { tz: Some(String::new()), has_zones: true, ..ZoneFacts::default() });
        let warned = clocks(&[view("Sat, 21 Nov 2026 12:00:00 GMT")], &HostFacts { zone, ..HostFacts::default() }, Lang::En);
        assert!(warned.iter().any(|k| k.check == "timezone" && k.mark == Mark::Warn));
        assert_eq!(exit(&warned), Exit::Ok, "a warning is no failure");
    }

    #[test]
    fn the_page_lists_marks_details_and_remedies() {
        let terminal_of = |size| terminal(Terminal { size, colour: true, utf8: true }, Lang::En);
        let mut checks = vec![terminal_of(Some((120, 36))), terminal_of(Some((20, 5))), terminal_of(None)];
        checks.extend(clocks(&[view("Sat, 21 Nov 2026 15:00:00 GMT")], &HostFacts::default(), Lang::En));
        checks.push(Check::failed("wa-eu", &Reason::new(ReasonCode::Unreachable)));
        let (mut out, shown) = Output::captured();
        render(&checks, false, &mut out).unwrap();
        insta::assert_snapshot!(shown.stdout());
        let (mut out, shown) = Output::captured();
        render(&checks, true, &mut out).unwrap();
        let doc: Value = serde_json::from_str(&shown.stdout()).unwrap();
        assert_eq!((doc["checks"][4]["verdict"].as_str(), doc["checks"][2]["verdict"].as_str()), (Some("fail"), Some("skipped")));
    }
}
