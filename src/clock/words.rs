//! What the gate says to people: header line, evidence, cause and remedy, as messages without a language.
//!
//! Figures come first, and nothing says more than was measured: with two clocks and no third, who is wrong stays open.

pub use super::causes::{cause, remedy};
pub use super::figures::of_view as figures;
use super::{
    Verdict,
    causes::{self, What},
    figures as fig,
    gate::GateView,
    http_date, judge, kernel,
    notes::{self, HostFacts},
    sample::{By, Interval, Sample, Subject},
    timezone::ZoneTrouble,
    verdict::{Judgement, Side},
};
use crate::{
    clock::floor,
    domain::{Clean, GatewayId, Stamp},
    i18n::{Lang, Message, Words, clock as w, sntp as n},
};
use std::time::Duration;

/// The header line: parts in order of weight, so that a narrow screen drops the last ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The worst verdict of all gateways: its colour.
    pub verdict: Verdict,
    /// The clauses, most important first; never empty.
    pub parts: Vec<Message>,
}

impl Headline {
    /// All clauses in `lang`.
    pub fn text(&self, lang: Lang) -> String {
        let joint = if lang == Lang::Zh { "；" } else { "; " };
        self.parts.iter().map(|m| m.text(lang)).collect::<Vec<_>>().join(joint)
    }
}

/// One line of the evidence overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The gateway, or `None` for this host.
    pub gateway: Option<GatewayId>,
    /// How it was measured.
    pub by: &'static Words,
    /// The server or daemon that was asked, where there are several.
    pub server: Option<Clean>,
    /// How many probes it joins.
    pub probes: u32,
    /// The offset (`+3:00:00.4 ±0.6`), or what was told instead.
    pub figure: Message,
    /// When.
    pub at: Stamp,
    /// What it means alone; `None` for a source that measures no offset.
    pub verdict: Option<Verdict>,
}

impl Evidence {
    /// The source with its server and how many probes it joins: `NTP ntp.example.net (4)`.
    pub fn how(&self, lang: Lang) -> String {
        let server = self.server.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
        let probes = if self.probes > 1 { format!(" ({})", self.probes) } else { String::new() };
        format!("{}{server}{probes}", self.by.get(lang))
    }
}

/// The header line over all gateways. Worst first, and who is wrong only where a third clock told.
pub fn headline(views: &[&GateView], now: &Stamp) -> Headline {
    let Some(worst) = views.iter().max_by_key(|v| (v.verdict, v.worst_ms().unwrap_or(0))) else {
        return Headline { verdict: Verdict::Unknown, parts: vec![Message::new(&w::HEAD_NONE)] };
    };
    let parts = match worst.verdict {
        Verdict::Ok => vec![all_well(views, now)],
        Verdict::Unknown => unknown(views, worst),
        Verdict::Warn | Verdict::Blocked => trouble(views, worst),
    };
    Headline { verdict: worst.verdict, parts }
}

fn all_well(views: &[&GateView], now: &Stamp) -> Message {
    let within = fig::bound(views.iter().filter_map(|v| v.worst_ms()).max().unwrap_or(0));
    let oldest = views.iter().filter_map(|v| v.remote.samples.iter().find(|s| s.interval.is_some())).map(|s| s.at.age(now)).max();
    let m = match views {
        [one] => Message::new(&w::HEAD_OK_ONE).with("gateway", one.gateway.as_str()),
        _ => Message::new(&w::HEAD_OK).with("n", views.len().to_string()),
    };
    m.with("within", within).with("age", age(oldest.unwrap_or_default()))
}

fn unknown(views: &[&GateView], worst: &GateView) -> Vec<Message> {
    let unknown: Vec<_> = views.iter().filter(|v| v.verdict == Verdict::Unknown).collect();
    let named = unknown.first().map_or(worst, |v| **v);
    let head = match unknown.len() {
        0 | 1 => Message::new(&w::HEAD_UNKNOWN),
        n => Message::new(&w::HEAD_UNKNOWN_MORE).with("n", (n - 1).to_string()),
    };
    let mut parts = vec![head.with("gateway", named.gateway.as_str())];
    parts.extend(others(views, named));
    parts
}

fn trouble(views: &[&GateView], worst: &GateView) -> Vec<Message> {
    let name = worst.gateway.as_str();
    let figure = |words: &'static Words, skew: &Interval| {
        let (shown, err) = fig::span_err(skew);
        Message::new(words).with("skew", shown).with("err", err)
    };
    let (head, utc, on_host) = match causes::what(worst) {
        Some(What::BeforeBuild) => return vec![Message::new(&w::HEAD_FLOOR)],
        Some(What::BeforeSaved) => return vec![Message::new(&n::HEAD_SAVED)],
        Some(What::Conflict(ms)) => (Message::new(&w::HEAD_CONFLICT).with("skew", fig::span(ms)), false, true),
        Some(What::Host { skew, minutes }) => (figure(&w::HEAD_HOST, &skew), minutes.is_some(), true),
        Some(What::Alike { skew, minutes }) => (figure(&w::HEAD_ALIKE, &skew).with("gateway", name), minutes.is_some(), true),
        Some(What::Both { remote: skew, .. }) => (figure(direction(&skew), &skew).with("gateway", name), false, false),
        Some(What::Gateway { skew, minutes, .. }) => (figure(direction(&skew), &skew).with("gateway", name), minutes.is_some(), false),
        Some(What::GatewayZone(e)) => (causes::zone(&w::HEAD_ZONE_GATEWAY, &e).with("gateway", name), false, false),
        Some(What::HostZone(e)) => (causes::zone(&w::HEAD_ZONE_HOST, &e), false, true),
        Some(What::Date(_) | What::Moved | What::NotAsked | What::HostNotAsked) | None => return unknown(views, worst),
    };
    let mut parts = vec![head];
    if utc {
        parts.push(Message::new(&w::HEAD_LOOKS_UTC));
    }
    if !on_host {
        parts.extend(others(views, worst));
    }
    parts
}

const fn direction(skew: &Interval) -> &'static Words {
    if skew.mid() < 0 { &w::HEAD_BEHIND } else { &w::HEAD_AHEAD }
}

fn others(views: &[&GateView], but: &GateView) -> Option<Message> {
    let rest = || views.iter().filter(|v| v.gateway != but.gateway);
    let off = rest().filter(|v| matches!(v.verdict, Verdict::Blocked | Verdict::Warn)).count();
    if off > 0 {
        return Some(Message::new(&w::HEAD_MORE).with("n", off.to_string()));
    }
    let worst = rest().filter(|v| v.verdict == Verdict::Ok).filter_map(|v| v.worst_ms()).max()?;
    Some(Message::new(&w::HEAD_OTHERS).with("within", fig::bound(worst)))
}

/// Samples of one source that agree, joined: newest first as they came.
pub fn joined<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<Sample> {
    let mut lines: Vec<Sample> = Vec::new();
    for s in samples {
        let same = lines.iter_mut().find(|l| l.by == s.by && l.subject == s.subject && l.gateway == s.gateway && l.server == s.server);
        let joined = same.as_ref().and_then(|l| judge::meet(l.interval.as_ref()?, s.interval.as_ref()?));
        match (same, joined) {
            // The newest one gives the instant: samples come newest first.
            (Some(line), Some(both)) => {
                line.interval = Some(both);
                line.probes = line.probes.saturating_add(s.probes);
            }
            (Some(line), None) if line.interval.is_none() && s.interval.is_none() && line.detail == s.detail => line.probes += s.probes,
            _ => lines.push(s.clone()),
        }
    }
    lines
}

/// What a view rests on, a line a source: this host first, then the gateway.
pub fn evidence(view: &GateView, limits: super::Limits) -> Vec<Evidence> {
    let lines = joined(view.host.samples.iter().chain(&view.remote.samples));
    let told = |s: Sample| {
        let (figure, verdict) = (figure(&s), alone(&s, limits));
        let gateway = s.gateway.filter(|_| s.subject == Subject::Gateway);
        Evidence { gateway, by: by(s.by), server: s.server, probes: s.probes, figure, at: s.at, verdict }
    };
    lines.into_iter().map(told).collect()
}

fn alone(sample: &Sample, limits: super::Limits) -> Option<Verdict> {
    match (&sample.interval, sample.subject) {
        // A zone is no offset of a clock.
        _ if sample.by == By::ZoneLabel => None,
        (Some(i), _) => Some(Verdict::of(i, limits)),
        (None, Subject::Gateway) => Some(Verdict::Unknown),
        (None, Subject::Host) => None,
    }
}

fn figure(sample: &Sample) -> Message {
    match &sample.interval {
        Some(i) if sample.by == By::ZoneLabel => Message::new(&w::DETAIL_OTHER).with("text", fig::zone(i)),
        Some(i) => Message::new(&w::DETAIL_OTHER).with("text", fig::of(i)),
        None => detail(sample),
    }
}

/// What a source told besides an offset.
pub fn detail(sample: &Sample) -> Message {
    let text = sample.detail.as_str();
    if let (By::Kernel, Some(error)) = (sample.by, text.strip_prefix("synced ")) {
        return Message::new(&w::DETAIL_SYNCED).with("error", error);
    }
    if let (By::Daemon, Some((name, offset))) = (sample.by, super::daemon::parts(text)) {
        return Message::new(&n::DAEMON).with("name", name).with("offset", offset);
    }
    if let Some(words) = super::sntp::words(&sample.detail) {
        return Message::new(words);
    }
    Message::new(match text {
        http_date::NO_DATE => &w::DETAIL_NO_DATE,
        http_date::CACHED => &w::DETAIL_CACHED,
        http_date::UNPARSABLE => &w::DETAIL_UNPARSABLE,
        http_date::STEPPED => &w::DETAIL_STEPPED,
        kernel::FREE => &w::DETAIL_FREE,
        kernel::UNTOLD => &w::DETAIL_UNTOLD,
        floor::ABOVE => &w::DETAIL_ABOVE,
        floor::BELOW => &w::DETAIL_BELOW,
        floor::BELOW_SAVED => &n::BEFORE_SAVED,
        _ => return Message::new(&w::DETAIL_OTHER).with("text", text),
    })
}

/// The name of a source.
pub fn by(by: By) -> &'static Words {
    match by {
        By::Date => &w::BY_DATE,
        By::Ntp => &w::BY_NTP,
        By::Kernel => &w::BY_KERNEL,
        By::Floor => &w::BY_FLOOR,
        By::ServerTime => &w::BY_SERVER_TIME,
        By::Daemon => &w::BY_DAEMON,
        By::ZoneLabel => &w::BY_ZONE_LABEL,
    }
}

/// Why nothing is known of this host's own clock: nobody was asked, nobody answered, or they contradict each other.
pub fn silence(host: &Judgement) -> &'static Words {
    let asked: Vec<&Sample> = host.samples.iter().filter(|s| s.by == By::Ntp).collect();
    match (asked.is_empty(), asked.iter().any(|s| s.interval.is_some())) {
        (true, _) => &n::HOST_NOT_ASKED,
        (false, false) => &n::HOST_NO_ANSWER,
        (false, true) => &n::HOST_CONTRADICTED,
    }
}

/// The word for a verdict.
pub fn verdict(v: Verdict) -> &'static Words {
    match v {
        Verdict::Ok => &w::VERDICT_OK,
        Verdict::Warn => &w::VERDICT_WARN,
        Verdict::Unknown => &w::VERDICT_UNKNOWN,
        Verdict::Blocked => &w::VERDICT_BLOCKED,
    }
}

/// Who is wrong.
pub const fn side(side: Side) -> &'static Words {
    match side {
        Side::Host => &w::SIDE_HOST,
        Side::Gateway => &w::SIDE_GATEWAY,
        Side::Both => &w::SIDE_BOTH,
        Side::CannotTell => &w::SIDE_UNKNOWN,
    }
}

/// Advice about one gateway beside its cause and remedy: a sentence each, and what to do where something is to be done.
pub fn notes(view: &GateView, host: &HostFacts) -> Vec<(Message, Option<Message>)> {
    notes::notes(view, host).iter().map(notes::Note::says).collect()
}

/// Advice about this host, whatever the gateways say: timezone settings, container, declared zone.
pub fn host_notes(host: &HostFacts) -> Vec<(Message, Option<Message>)> {
    notes::host_notes(host).iter().map(notes::Note::says).collect()
}

/// What is wrong with this host's timezone and what to write instead, in one line.
pub fn zone_trouble(t: &ZoneTrouble) -> Message {
    let (says, act) = zone(t);
    match act {
        Some(act) => Message::new(&w::SAYS_DO).nest("says", says).nest("do", act),
        None => says,
    }
}

/// What is wrong with this host's timezone, and what to write instead.
pub fn zone(t: &ZoneTrouble) -> (Message, Option<Message>) {
    let (says, act) = match t {
        ZoneTrouble::Empty => (Message::new(&w::TZ_EMPTY), &w::DO_TZ_EMPTY),
        ZoneTrouble::NotFound(tz) => (Message::new(&w::TZ_NOT_FOUND).with("tz", tz), &w::DO_TZ_WRITE),
        ZoneTrouble::Inverted { tz, means } => (Message::new(&w::TZ_INVERTED).with("tz", tz).with("means", means), &w::DO_TZ_WRITE),
        ZoneTrouble::PosixForm(tz) => (Message::new(&w::TZ_POSIX).with("tz", tz), &w::DO_TZ_WRITE),
        ZoneTrouble::Escapes(tz) => (Message::new(&w::TZ_ESCAPES).with("tz", tz), &w::DO_TZ_WRITE),
        ZoneTrouble::Differ { localtime, timezone } => {
            (Message::new(&w::TZ_DIFFER).with("localtime", localtime).with("timezone", timezone), &w::DO_TZ_DIFFER)
        }
        ZoneTrouble::NoZones => return (Message::new(&w::TZ_NO_ZONES), None),
    };
    (says, Some(Message::new(act)))
}

/// An age as the deck writes it: `<1m`, `5m`, `3h`, `6d`.
pub fn age(d: Duration) -> String {
    match d.as_secs() {
        0..=59 => "<1m".to_owned(),
        s @ 60..=3599 => format!("{}m", s / 60),
        s @ 3600..=86_399 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
