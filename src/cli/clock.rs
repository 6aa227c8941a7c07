//! `pairdeck clock`: what the gate knows, as text or JSON.

use super::{Exit, Gone, Output};
use crate::{
    clock::{figures, gate::GateView, report, timezone::ZoneTrouble, words},
    domain::Stamp,
    i18n::{Message, clock as w, command as c},
};

/// Says what was measured and concluded. The result is on stdout, warnings about this host's timezone on stderr.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn render(views: &[GateView], zone: &[ZoneTrouble], now: &Stamp, form: Form, out: &mut Output) -> Result<Exit, Gone> {
    let worst = report::worst(views);
    let lang = out.lang;
    for trouble in zone {
        out.note(&words::zone_trouble(trouble));
    }
    match form {
        Form::Json { .. } => out.json(&report::document(views, lang))?,
        Form::Text { .. } if views.is_empty() => out.note(&Message::new(&c::NO_GATEWAY)),
        Form::Text { .. } => {
            out.line(&words::headline(&views.iter().collect::<Vec<_>>(), now).text(lang))?;
            let rows: Vec<_> = views.iter().map(|v| row(v, out)).collect();
            out.table([&c::HEAD_GATEWAY, &c::HEAD_CLOCK, &c::HEAD_OFFSET, &c::HEAD_REASON].map(|h| h.get(lang)), &rows)?;
            for v in views {
                if let Some(remedy) = words::remedy(v) {
                    out.line(&format!("{}  {}", v.gateway, Message::new(&c::CHECK_DO).with("remedy", remedy.text(lang)).text(lang)))?;
                }
            }
        }
    }
    Ok(Exit::of_clock(worst, form.strict()))
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

fn row(v: &GateView, out: &Output) -> [String; 4] {
    let lang = out.lang;
    let why = words::cause(v).map_or_else(|| "-".to_owned(), |m| m.text(lang));
    let why = match v.side {
        Some(crate::clock::verdict::Side::CannotTell) => format!("{why} ({})", w::NO_REFERENCE.get(lang)),
        _ => why,
    };
    [v.gateway.to_string(), words::verdict(v.verdict).get(lang).to_owned(), figures::of_view(v), why]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualTime, gate::Gate, http_date},
        domain::{GatewayId, Time},
    };
    use std::sync::Arc;

    fn view(date: Option<&str>) -> (GateView, Stamp) {
        let time = Arc::new(ManualTime::new());
        let gate = Gate::new(time.clone());
        let id = GatewayId::new("wa-sp");
        gate.push(http_date::sample(&id, date, None, None, time.now(), time.now()));
        (gate.view(&id), time.now())
    }

    #[test]
    fn a_blocked_clock_names_cause_and_remedy_and_ends_with_seven() {
        let (v, now) = view(Some("Sat, 21 Nov 2026 15:00:00 GMT"));
        let (mut out, shown) = Output::captured();
        assert_eq!(render(&[v], &[], &now, Form::Text { strict: false }, &mut out), Ok(Exit::Clock));
        let text = shown.stdout();
        assert!(text.contains("+3:00:00.5 ±0.5") && text.contains("local time kept as UTC") && text.contains("do: On both hosts"), "{text}");
    }

    #[test]
    fn unknown_passes_unless_strict_and_json_is_one_document() {
        let (v, now) = view(None);
        let (mut out, shown) = Output::captured();
        assert_eq!(render(std::slice::from_ref(&v), &[ZoneTrouble::Empty], &now, Form::Json { strict: false }, &mut out), Ok(Exit::Ok));
        let doc: serde_json::Value = serde_json::from_str(&shown.stdout()).unwrap();
        assert_eq!((doc["verdict"].as_str(), doc["gateways"][0]["cause"].as_str()), (Some("unknown"), Some("no_date")));
        assert!(shown.stderr().starts_with("pairdeck: TZ is set but empty"));
        assert_eq!(render(&[v], &[], &now, Form::Json { strict: true }, &mut out), Ok(Exit::Clock));
    }
}
