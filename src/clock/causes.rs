//! Why a verdict is not well, and the one thing to do: the only place where a conclusion becomes a sentence. Screen,
//! commands and JSON all take it from here.

use super::{
    Verdict, figures as fig,
    gate::{GateView, TTL_SHOWN},
    http_date, judge,
    sample::{By, Interval, Sample},
    verdict::{Cause, Side},
    zones::{self, Expected},
};
use crate::i18n::{Message, Words, clock as w, sntp as n};

/// The one conclusion that a view comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// This host shows a time before this program existed.
    BeforeBuild,
    /// This host shows a time before the last one that was verified here.
    BeforeSaved,
    /// Both clocks are wrong.
    Both {
        /// Reference minus host.
        host: Interval,
        /// Gateway minus host.
        remote: Interval,
    },
    /// Both clocks are wrong by the same amount: one machine, or one wrong source of time.
    Alike {
        /// Reference minus host.
        skew: Interval,
        /// The offset as a zone, reference minus host, if it looks like one.
        minutes: Option<i32>,
    },
    /// This host is wrong.
    Host {
        /// Reference minus host.
        skew: Interval,
        /// The offset as a zone, reference minus host, if it looks like one.
        minutes: Option<i32>,
    },
    /// The gateway is wrong, or the two disagree.
    Gateway {
        /// Gateway minus host.
        skew: Interval,
        /// The offset as a zone, gateway minus host, if it looks like one.
        minutes: Option<i32>,
        /// True when a third clock told that it is the gateway.
        told: bool,
    },
    /// Sources contradict each other by so many milliseconds.
    Conflict(i64),
    /// The gateway's `Date` tells nothing.
    Date(DateTrouble),
    /// This host's clock was moved, and the gateway was not asked since.
    Moved,
    /// Nobody asked.
    NotAsked,
    /// This host was blocked when a reference was last asked, and none was since.
    HostNotAsked,
    /// The gateway's timezone is not the declared one. No skew.
    GatewayZone(Expected),
    /// This host's timezone is not the declared one. No skew.
    HostZone(Expected),
}

/// Why a `Date` tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateTrouble {
    /// There is none.
    Missing,
    /// A cache answered.
    Cached,
    /// The same second over and over.
    Frozen,
    /// It is no date.
    Malformed,
    /// Answers contradict each other.
    Inconsistent,
}

impl DateTrouble {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "date_missing",
            Self::Cached => "date_cached",
            Self::Frozen => "date_frozen",
            Self::Malformed => "date_malformed",
            Self::Inconsistent => "date_inconsistent",
        }
    }
}

/// What a view comes down to; `None` when all is well.
pub fn what(view: &GateView) -> Option<What> {
    if view.verdict == Verdict::Ok {
        return None;
    }
    match view.host.cause {
        Some(Cause::BeforeBuild) => return Some(What::BeforeBuild),
        Some(Cause::BeforeSaved) => return Some(What::BeforeSaved),
        _ => {}
    }
    if let Some(gap) = view.conflict_ms() {
        return Some(What::Conflict(gap));
    }
    let off = |v: Verdict, cause: Option<Cause>| v != Verdict::Ok && cause != Some(Cause::ZoneDiffers);
    let host = view.host.skew.filter(|_| off(view.host.verdict, view.host.cause));
    let remote = view.remote.skew.filter(|_| off(view.remote.verdict, view.remote.cause));
    Some(match (view.side, remote, host) {
        (Some(Side::Both), Some(remote), Some(host)) => What::Both { host, remote },
        (Some(Side::Both), None, Some(skew)) => What::Alike { skew, minutes: minutes(view.host.cause) },
        (Some(Side::Host), _, Some(skew)) | (_, None, Some(skew)) => What::Host { skew, minutes: minutes(view.host.cause) },
        (side, Some(skew), _) => What::Gateway { skew, minutes: minutes(view.remote.cause), told: side == Some(Side::Gateway) },
        _ => return without_figure(view),
    })
}

fn without_figure(view: &GateView) -> Option<What> {
    match view.remote.cause {
        Some(Cause::NoDate) => Some(What::Date(DateTrouble::Missing)),
        Some(Cause::DateUnusable) => Some(date(view).map_or(What::Moved, What::Date)),
        Some(Cause::NotAsked) if view.remote.samples.is_empty() && view.epoch > 0 => Some(What::Moved),
        Some(Cause::NotAsked) => Some(What::NotAsked),
        None if view.verdict == Verdict::Unknown && view.host.cause == Some(Cause::NotAsked) => Some(What::HostNotAsked),
        _ => {
            let differs = |z: &Option<Expected>| z.clone().filter(|e| e.differs().is_some());
            differs(&view.zone).map(What::GatewayZone).or_else(|| differs(&view.host_zone).map(What::HostZone))
        }
    }
}

const fn minutes(cause: Option<Cause>) -> Option<i32> {
    match cause {
        Some(Cause::LocalTimeAsUtc { minutes }) => Some(minutes),
        _ => None,
    }
}

/// What is wrong with the gateway's `Date`, as the samples of a view show. `None`: nothing, but this host's clock was moved
/// while it was asked.
fn date(view: &GateView) -> Option<DateTrouble> {
    let dates: Vec<&Sample> = view.remote.samples.iter().filter(|s| s.by == By::Date).collect();
    let usable: Vec<&Sample> = dates.iter().copied().filter(|s| judge::usable(s, &view.at, TTL_SHOWN)).collect();
    if let Some(newest) = usable.first() {
        return Some(if usable.iter().any(|s| judge::frozen(newest, s)) { DateTrouble::Frozen } else { DateTrouble::Inconsistent });
    }
    Some(match dates.first().map(|s| s.detail.as_str()) {
        Some(http_date::STEPPED) => return None,
        Some(http_date::CACHED) => DateTrouble::Cached,
        Some(http_date::UNPARSABLE) => DateTrouble::Malformed,
        Some(http_date::NO_DATE) => DateTrouble::Missing,
        _ => DateTrouble::Inconsistent,
    })
}

/// Why the clock is not well, with figures; `None` when it is.
pub fn cause(view: &GateView) -> Option<Message> {
    what(view).map(|what| said(&what))
}

/// The sentence of a conclusion.
pub fn said(what: &What) -> Message {
    let span = |i: &Interval| fig::span(i.mid());
    let plain = |words| Message::new(words);
    match what {
        What::BeforeBuild => plain(&w::CAUSE_FLOOR),
        What::BeforeSaved => plain(&n::CAUSE_SAVED),
        What::HostNotAsked => plain(&n::CAUSE_HOST_STALE),
        What::Both { host, remote } => plain(&w::CAUSE_BOTH).with("host", span(host)).with("skew", span(remote)),
        What::Alike { skew, minutes: None } => {
            plain(if skew.mid() < 0 { &w::CAUSE_ALIKE_AHEAD } else { &w::CAUSE_ALIKE_BEHIND }).with("skew", span(skew))
        }
        What::Alike { skew, minutes: Some(m) } => {
            let words = if skew.mid() < 0 { &w::CAUSE_ALIKE_UTC_AHEAD } else { &w::CAUSE_ALIKE_UTC_BEHIND };
            as_utc(words, skew, &list(zones::at(-m).iter().take(2)))
        }
        What::Host { skew, minutes: None } => {
            plain(if skew.mid() < 0 { &w::CAUSE_HOST_AHEAD } else { &w::CAUSE_HOST_BEHIND }).with("skew", span(skew))
        }
        What::Host { skew, minutes: Some(m) } => {
            let words = if skew.mid() < 0 { &w::CAUSE_HOST_UTC_AHEAD } else { &w::CAUSE_HOST_UTC_BEHIND };
            // Reference minus host: a host that is ahead keeps the time of a zone east of Greenwich.
            as_utc(words, skew, &list(zones::at(-m).iter().take(2)))
        }
        What::Gateway { skew, minutes: None, told: true } => {
            plain(if skew.mid() < 0 { &w::CAUSE_GATEWAY_BEHIND } else { &w::CAUSE_GATEWAY_AHEAD }).with("skew", span(skew))
        }
        What::Gateway { skew, minutes: None, .. } => plain(if skew.mid() < 0 { &w::CAUSE_BEHIND } else { &w::CAUSE_AHEAD }).with("skew", span(skew)),
        What::Gateway { skew, minutes: Some(m), told } => {
            let words = if skew.mid() < 0 { &w::CAUSE_UTC_BEHIND } else { &w::CAUSE_UTC_AHEAD };
            // The gateway may be in a zone so far east, or this host in one so far west.
            let (gateway, host) = (zones::at(*m), zones::at(-m));
            let names = if *told { list(gateway.iter().take(2)) } else { list(gateway.iter().take(1).chain(host.iter().take(1))) };
            as_utc(words, skew, &names)
        }
        What::Conflict(ms) => plain(&w::CAUSE_CONFLICT).with("skew", fig::span(*ms)),
        What::Date(why) => plain(match why {
            DateTrouble::Missing => &w::CAUSE_NO_DATE,
            DateTrouble::Cached => &w::CAUSE_DATE_CACHED,
            DateTrouble::Frozen => &w::CAUSE_DATE_FROZEN,
            DateTrouble::Malformed => &w::CAUSE_DATE_MALFORMED,
            DateTrouble::Inconsistent => &w::CAUSE_DATE_INCONSISTENT,
        }),
        What::Moved => plain(&w::CAUSE_MOVED),
        What::NotAsked => plain(&w::CAUSE_NOT_ASKED),
        What::GatewayZone(e) => zone(&w::CAUSE_ZONE_GATEWAY, e),
        What::HostZone(e) => zone(&w::CAUSE_ZONE_HOST, e),
    }
}

/// A sentence with the offset that was found and the declared zone.
pub(super) fn zone(words: &'static Words, e: &Expected) -> Message {
    let found = zones::iso(e.found.unwrap_or_default());
    Message::new(words).with("found", found).with("zone", &e.name).with("expected", zones::iso(e.minutes))
}

/// ` (Europe/Moscow, America/Sao_Paulo)`: as many as leave the sentence on one line.
fn list<'a>(names: impl Iterator<Item = &'a &'static str>) -> String {
    let mut all = String::new();
    for name in names {
        if !all.is_empty() && all.len() + 2 + name.len() > NAMES {
            break;
        }
        all.push_str(if all.is_empty() { "" } else { ", " });
        all.push_str(name);
    }
    all
}

/// Letters that a sentence has left for names of zones.
const NAMES: usize = 32;

/// A sentence with its figure and, where a place has that offset, examples.
fn as_utc(words: &'static Words, skew: &Interval, names: &str) -> Message {
    let m = Message::new(words).with("skew", fig::span(skew.mid()));
    if names.is_empty() { m.with("zones", "") } else { m.nest("zones", Message::new(&w::ZONES).with("names", names)) }
}

/// The one thing to do about it; `None` when nothing needs doing.
pub fn remedy(view: &GateView) -> Option<Message> {
    what(view).map(|what| match what {
        // The gateway's own clock and that of the server beside it: no time server takes part in it.
        What::Conflict(_) if view.host.conflict_ms().is_none() => Message::new(&w::DO_CONFLICT_BESIDE).with("gateway", view.gateway.as_str()),
        what => act(&what),
    })
}

/// What to do about a conclusion.
pub fn act(what: &What) -> Message {
    Message::new(match what {
        What::BeforeBuild | What::BeforeSaved | What::Host { minutes: None, .. } => &w::DO_HOST,
        What::Both { .. } | What::Alike { minutes: None, .. } => &w::DO_BOTH,
        What::Host { minutes: Some(_), .. } => &w::DO_UTC_HOST,
        What::Gateway { minutes: Some(_), told: true, .. } => &w::DO_UTC_GATEWAY,
        What::Gateway { minutes: None, told: true, .. } => &w::DO_GATEWAY,
        What::Gateway { minutes: Some(_), told: false, .. } | What::Alike { minutes: Some(_), .. } => &w::DO_UTC_EITHER,
        What::Gateway { minutes: None, told: false, .. } => &w::DO_EITHER,
        What::Conflict(_) => &w::DO_CONFLICT,
        What::Date(DateTrouble::Missing) => &w::DO_NO_DATE,
        What::Date(DateTrouble::Cached) => &w::DO_DATE_CACHED,
        What::Date(DateTrouble::Frozen) => &w::DO_DATE_FROZEN,
        What::Date(DateTrouble::Malformed) => &w::DO_DATE_MALFORMED,
        What::Date(DateTrouble::Inconsistent) => &w::DO_DATE_INCONSISTENT,
        What::Moved | What::NotAsked | What::HostNotAsked => &w::DO_ASK,
        What::GatewayZone(e) => return zone(&w::DO_ZONE_GATEWAY, e),
        What::HostZone(e) => return zone(&w::DO_ZONE_HOST, e),
    })
}
