//! The gate as JSON, as the contract of the `clock` command fixes it. Times in UTC, offsets in seconds.

use super::{
    Verdict,
    causes::{self, DateTrouble, What},
    container::Container,
    figures,
    gate::GateView,
    notes::{self, HostFacts, Note},
    sample::{By, Interval, OPEN, Sample},
    verdict::{Cause, Judgement},
    words,
    zones::{self, Expected},
};
use crate::i18n::Lang;
use serde_json::{Value, json};

/// The document of `pairdeck clock --json`: `{v, verdict, host, gateways}`. Without a gateway the verdict is `unknown`.
pub fn document(views: &[GateView], lang: Lang) -> Value {
    document_for(views, &HostFacts::default(), lang)
}

/// The same with what is known of this host: advice about it and about each gateway (`notes`). Without a gateway `host` holds
/// this host's advice alone, or is null when there is none.
pub fn document_for(views: &[GateView], facts: &HostFacts, lang: Lang) -> Value {
    let verdict = worst(views);
    let advice = notes::host_notes(facts);
    let judged = views.iter().max_by_key(|v| v.host.verdict).map(|v| &v.host);
    let host = if judged.is_none() && advice.is_empty() { Value::Null } else { host(judged, facts, &advice, lang) };
    json!({ "v": 1, "verdict": verdict.name(), "host": host, "gateways": views.iter().map(|v| one(v, facts, lang)).collect::<Vec<_>>() })
}

/// The document of a house without gateways in which time servers were asked: this host alone.
pub fn document_of_host(j: &Judgement, lang: Lang) -> Value {
    let facts = HostFacts::default();
    json!({ "v": 1, "verdict": j.verdict.name(), "host": host(Some(j), &facts, &notes::host_notes(&facts), lang), "gateways": [] })
}

/// The worst verdict of all gateways; `unknown` when there is none.
pub fn worst(views: &[GateView]) -> Verdict {
    views.iter().map(|v| v.verdict).max().unwrap_or(Verdict::Unknown)
}

/// One gateway, also the `clock` field of a pairing event.
pub fn gateway(view: &GateView, lang: Lang) -> Value {
    one(view, &HostFacts::default(), lang)
}

fn one(view: &GateView, facts: &HostFacts, lang: Lang) -> Value {
    let date = match causes::what(view) {
        Some(What::Date(why)) => Some(why.name()),
        _ => None,
    };
    json!({
        "name": view.gateway.as_str(),
        "verdict": view.verdict.name(),
        "skew_s": skew(view.remote.skew.as_ref()),
        "side": view.side.map(super::verdict::Side::name),
        "cause": cause(view).map(Cause::name),
        "cause_detail": date,
        "offset_minutes": match cause(view) { Some(Cause::LocalTimeAsUtc { minutes }) => Some(minutes), _ => None },
        "text": words::cause(view).map(|m| m.text(lang)),
        "remedy": words::remedy(view).map(|m| crate::i18n::shell::told(m).text(lang)),
        "notes": notes::notes(view, facts).iter().map(|n| n.json(lang)).collect::<Vec<_>>(),
        "zone": zone(view.zone.as_ref()),
        "figures": figures::of_view(view),
        "samples": view.remote.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

/// The cause that the text speaks of.
fn cause(view: &GateView) -> Option<Cause> {
    Some(match causes::what(view)? {
        What::BeforeBuild => Cause::BeforeBuild,
        What::BeforeSaved => Cause::BeforeSaved,
        What::Both { .. } | What::Gateway { .. } => return view.remote.cause,
        What::Host { .. } | What::Alike { .. } => return view.host.cause,
        What::Conflict(_) => Cause::SourcesConflict,
        What::Date(DateTrouble::Missing) => Cause::NoDate,
        What::Date(_) => Cause::DateUnusable,
        What::Moved | What::NotAsked | What::HostNotAsked => Cause::NotAsked,
        What::GatewayZone(_) | What::HostZone(_) => Cause::ZoneDiffers,
    })
}

/// A declared zone and what was found, offsets in minutes east of UTC; null where none was declared.
fn zone(zone: Option<&Expected>) -> Value {
    zone.map_or(Value::Null, |z| json!({ "expected": &*z.name, "expected_minutes": z.minutes, "found_minutes": z.found }))
}

fn host(j: Option<&Judgement>, facts: &HostFacts, advice: &[Note], lang: Lang) -> Value {
    json!({
        "verdict": j.map_or(Verdict::Unknown, |j| j.verdict).name(),
        "skew_s": skew(j.and_then(|j| j.skew.as_ref())),
        "cause": j.and_then(host_cause),
        "samples": j.map_or(&[][..], |j| &j.samples).iter().map(sample).collect::<Vec<_>>(),
        "utc_offset_minutes": facts.offset,
        "container": facts.container.map(Container::name),
        "zone": zone(facts.expected.as_ref()),
        "notes": advice.iter().map(|n| n.json(lang)).collect::<Vec<_>>(),
    })
}

/// Why this host's clock is not known to be fine. Who asked and was not answered is not told that nobody was asked.
fn host_cause(j: &Judgement) -> Option<&'static str> {
    let asked = || j.samples.iter().filter(|s| s.by == By::Ntp);
    Some(match j.cause? {
        Cause::NotAsked if asked().any(|s| s.interval.is_some()) => Cause::SourcesConflict.name(),
        Cause::NotAsked if asked().next().is_some() => "no_answer",
        cause => cause.name(),
    })
}

fn sample(s: &Sample) -> Value {
    // A timezone is local time minus UTC: no offset of a clock.
    let label = s.by == By::ZoneLabel;
    json!({
        "subject": s.subject,
        "by": s.by,
        "server": s.server.as_ref().map(crate::domain::Clean::as_str),
        "skew_s": skew(s.interval.as_ref().filter(|_| !label)),
        "utc_offset_minutes": s.interval.filter(|_| label).and_then(|i| zones::quarters(i.mid())),
        "at": s.at.wall.rfc3339(),
        "probes": s.probes,
        "detail": if s.detail.is_empty() { Value::Null } else { Value::from(s.detail.as_str()) },
    })
}

fn skew(i: Option<&Interval>) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = |ms: i64| if ms == OPEN { Value::Null } else { json!(ms as f64 / 1000.0) };
    i.map_or(Value::Null, |i| json!([seconds(i.lo_ms), seconds(i.hi_ms)]))
}
