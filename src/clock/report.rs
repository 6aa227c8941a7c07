//! The gate as JSON, as the contract of the `clock` command fixes it. Times in UTC, offsets in seconds.

use super::{
    Verdict, figures,
    gate::GateView,
    sample::{Interval, OPEN, Sample},
    verdict::{Cause, Judgement},
    words,
};
use crate::i18n::Lang;
use serde_json::{Value, json};

/// The document of `pairdeck clock --json`: `{v, verdict, host, gateways}`. Without a gateway the verdict is `unknown`.
pub fn document(views: &[GateView], lang: Lang) -> Value {
    let verdict = worst(views);
    let host = views.iter().max_by_key(|v| v.host.verdict).map_or(Value::Null, |v| host(&v.host));
    json!({ "v": 1, "verdict": verdict.name(), "host": host, "gateways": views.iter().map(|v| gateway(v, lang)).collect::<Vec<_>>() })
}

/// The worst verdict of all gateways; `unknown` when there is none.
pub fn worst(views: &[GateView]) -> Verdict {
    views.iter().map(|v| v.verdict).max().unwrap_or(Verdict::Unknown)
}

/// One gateway, also the `clock` field of a pairing event.
pub fn gateway(view: &GateView, lang: Lang) -> Value {
    json!({
        "name": view.gateway.as_str(),
        "verdict": view.verdict.name(),
        "skew_s": skew(view.remote.skew.as_ref()),
        "side": view.side.map(super::verdict::Side::name),
        "cause": cause(view).map(Cause::name),
        "offset_minutes": match cause(view) { Some(Cause::LocalTimeAsUtc { minutes }) => Some(minutes), _ => None },
        "text": words::cause(view).map(|m| m.text(lang)),
        "remedy": words::remedy(view).map(|m| m.text(lang)),
        "figures": figures::of_view(view),
        "samples": view.remote.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

fn cause(view: &GateView) -> Option<Cause> {
    if view.host.verdict > view.remote.verdict && view.host.skew.is_some() { view.host.cause } else { view.remote.cause }
}

fn host(j: &Judgement) -> Value {
    json!({
        "verdict": j.verdict.name(),
        "skew_s": skew(j.skew.as_ref()),
        "cause": j.cause.map(Cause::name),
        "samples": j.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

fn sample(s: &Sample) -> Value {
    json!({
        "subject": s.subject,
        "by": s.by,
        "server": s.server.as_ref().map(crate::domain::Clean::as_str),
        "skew_s": skew(s.interval.as_ref()),
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
