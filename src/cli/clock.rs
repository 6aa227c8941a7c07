//! `pairdeck clock`: what the gate knows, as text or JSON. Plain words first, figures second, then what they rest on.

use super::{Exit, Gone, Output};
use crate::{
    clock::{
        figures,
        gate::GateView,
        headline,
        notes::{self, HostFacts},
        report,
        words::{self, Evidence},
    },
    domain::Stamp,
    i18n::{Message, clock as w, command as c},
    store::{ClockBucket, ClockTrack},
};
use serde_json::{Value, json};

/// What was asked and found.
pub struct Findings<'a> {
    /// The gate of each gateway that was asked.
    pub views: &'a [GateView],
    /// Offsets of the last day, in the same order; empty where none are known.
    pub tracks: &'a [ClockTrack],
    /// What is known of this host besides its clock.
    pub host: &'a HostFacts,
    /// Now.
    pub now: Stamp,
}

/// Says what was measured and concluded. The result is on stdout, warnings about this host's timezone on stderr.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(found: &Findings<'_>, form: Form, out: &mut Output) -> Result<Exit, Gone> {
    let lang = out.lang;
    let views = found.views;
    for note in notes::host_notes(found.host) {
        let (says, act) = note.says();
        out.note(&with_act(says, act));
    }
    match form {
        Form::Json { .. } => out.json(&document(found, lang))?,
        Form::Text { .. } if views.is_empty() => out.note(&Message::new(&c::NO_GATEWAY)),
        Form::Text { .. } => {
            let all: Vec<_> = views.iter().collect();
            out.line(&headline::whole(&words::headline(&all, &found.now), lang))?;
            for view in views {
                gateway(view, found, out)?;
            }
            host(found, out)?;
        }
    }
    Ok(Exit::of_clock(report::worst(views), form.strict()))
}

/// Form of the output, and how strict the exit code is.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Lines for people.
    Text {
        /// Anything but ok ends with 7.
        strict: bool,
    },
    /// One document.
    Json {
        /// Anything but ok ends with 7.
        strict: bool,
    },
}

impl Form {
    /// The form that the arguments ask for.
    pub const fn of(args: &super::args::ClockArgs) -> Self {
        if args.json { Self::Json { strict: args.strict } } else { Self::Text { strict: args.strict } }
    }
    const fn strict(self) -> bool {
        match self {
            Self::Text { strict } | Self::Json { strict } => strict,
        }
    }
}

/// The contract's document; where offsets of the last day are known, each gateway has them as `history`.
fn document(found: &Findings<'_>, lang: crate::i18n::Lang) -> Value {
    let mut doc = report::document_for(found.views, found.host, lang);
    if let Some(Value::Array(gateways)) = doc.get_mut("gateways") {
        for (gateway, track) in gateways.iter_mut().zip(found.tracks) {
            if let Value::Object(map) = gateway {
                map.insert("history".to_owned(), history(track));
            }
        }
    }
    doc
}

/// `{since, step_s, offsets}`: `[min, max]` in seconds for each stretch, `null` where nothing was heard.
fn history(track: &ClockTrack) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let pair = |b: &Option<ClockBucket>| b.map_or(Value::Null, |b| json!([seconds(b.min_ms), seconds(b.max_ms)]));
    json!({ "since": track.since.rfc3339(), "step_s": track.step_ms / 1000, "offsets": track.buckets.iter().map(pair).collect::<Vec<_>>() })
}

fn gateway(view: &GateView, found: &Findings<'_>, out: &mut Output) -> Result<(), Gone> {
    let lang = out.lang;
    out.line("")?;
    let verdict = words::verdict(view.verdict).get(lang);
    out.line(&format!("{}  {verdict}  {}", view.gateway, figures::of_view(view)))?;
    if let Some(why) = words::cause(view) {
        out.line(&format!("  {}", why.text(lang)))?;
    }
    if let Some(remedy) = words::remedy(view) {
        out.line(&format!("  {}", Message::new(&c::CHECK_DO).with("remedy", crate::i18n::shell::told(remedy).text(lang)).text(lang)))?;
    }
    for e in words::evidence(view, view.limits).iter().filter(|e| e.gateway.is_some()) {
        out.line(&evidence(e, found, lang))?;
    }
    for (says, act) in words::notes(view, found.host) {
        out.line(&format!("  {}", with_act(says, act).text(lang)))?;
    }
    Ok(())
}

fn host(found: &Findings<'_>, out: &mut Output) -> Result<(), Gone> {
    let lang = out.lang;
    let Some(view) = found.views.iter().max_by_key(|v| v.host.verdict) else { return Ok(()) };
    out.line("")?;
    let says = match &view.host.skew {
        Some(skew) => format!("{}  {}", words::verdict(view.host.verdict).get(lang), figures::of(skew)),
        None => words::silence(&view.host).get(lang).to_owned(),
    };
    out.line(&format!("{}  {says}", w::THIS_HOST.get(lang)))?;
    for e in words::evidence(view, view.limits).iter().filter(|e| e.gateway.is_none()) {
        out.line(&evidence(e, found, lang))?;
    }
    Ok(())
}

/// `  Date (2)  +3:00:00.4 ±0.6  blocked  <1m`.
fn evidence(e: &Evidence, found: &Findings<'_>, lang: crate::i18n::Lang) -> String {
    let verdict = e.verdict.map(|v| format!("  {}", words::verdict(v).get(lang))).unwrap_or_default();
    format!("  {}  {}{verdict}  {}", e.how(lang), e.figure.text(lang), words::age(e.at.age(&found.now)))
}

fn with_act(says: Message, act: Option<Message>) -> Message {
    match act {
        Some(act) => Message::new(&w::SAYS_DO).nest("says", says).nest("do", act),
        None => says,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualTime, gate::Gate, http_date, timezone::ZoneFacts},
        domain::{GatewayId, Time, Wall},
        i18n::Lang,
    };
    use std::sync::Arc;

    fn view(date: Option<&str>) -> (GateView, Stamp) {
        let time = Arc::new(ManualTime::new());
        let gate = Gate::new(time.clone());
        let id = GatewayId::new("wa-sp");
        gate.push(http_date::sample(&id, date, None, None, time.now(), time.now()));
        (gate.view(&id), time.now())
    }

    fn said(views: &[GateView], now: Stamp, host: &HostFacts, tracks: &[ClockTrack], form: Form, lang: Lang) -> (Exit, String, String) {
        let (mut out, shown) = Output::captured();
        out.lang = lang;
        let found = Findings { views, tracks, host, now };
        let exit = render(&found, form, &mut out).unwrap();
        (exit, shown.stdout(), shown.stderr())
    }

    #[test]
    fn a_blocked_clock_names_cause_and_remedy_and_ends_with_seven() {
        let (v, now) = view(Some("Sat, 21 Nov 2026 15:00:00 GMT"));
        for (lang, name) in [(Lang::En, "clock_blocked_en"), (Lang::Zh, "clock_blocked_zh")] {
            let (exit, text, _) = said(std::slice::from_ref(&v), now, &HostFacts::default(), &[], Form::Text { strict: false }, lang);
            assert_eq!(exit, Exit::Clock);
            insta::assert_snapshot!(name, text);
        }
    }

    #[test]
    fn unknown_passes_unless_strict_and_json_is_one_document() {
        let (v, now) = view(None);
        let zone = Some(ZoneFacts { tz: Some(String::new()), has_zones: true, ..ZoneFacts::default() });
        let host = HostFacts { zone, ..HostFacts::default() };
        let buckets = vec![None, Some(ClockBucket { min_ms: -300, max_ms: 600, points: 2 })];
        let track = ClockTrack { since: Wall(0), step_ms: 1_800_000, buckets };
        let (exit, text, err) = said(std::slice::from_ref(&v), now, &host, &[track], Form::Json { strict: false }, Lang::En);
        let doc: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((doc["verdict"].as_str(), doc["gateways"][0]["cause"].as_str()), (Some("unknown"), Some("no_date")));
        let history = json!({ "since": "1970-01-01T00:00:00Z", "step_s": 1800, "offsets": [null, [-0.3, 0.6]] });
        assert_eq!((exit, &doc["gateways"][0]["history"]), (Exit::Ok, &history));
        assert!(err.starts_with("pairdeck: TZ is set but empty"), "{err}");
        assert_eq!(said(&[v], now, &host, &[], Form::Json { strict: true }, Lang::En).0, Exit::Clock);
    }
}
