//! Every sentence of the gate in both languages, read by a person once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::{Limits, gate::Gate, now::ManualTime, report, timezone::ZoneTrouble},
    domain::{Clean, Time},
};
use std::{fmt::Write as _, sync::Arc};
use unicode_width::UnicodeWidthStr;

/// What a gateway's answers say: its offset in ms and half the uncertainty, or why nothing came.
enum Says {
    Off(i64),
    Nothing(&'static str),
    Silent,
}

fn view(name: &str, remote: &Says, host: Option<i64>) -> GateView {
    let time = Arc::new(ManualTime::new());
    let gate = Gate::new(time.clone());
    let id = GatewayId::new(name);
    let (interval, detail) = match remote {
        Says::Off(ms) => (Some(Interval::new(ms - 600, ms + 600)), ""),
        Says::Nothing(why) => (None, *why),
        Says::Silent => (None, ""),
    };
    let sample = |gateway, subject, by, interval, detail: &str| Sample {
        gateway,
        subject,
        by,
        interval,
        at: time.now(),
        probes: 2,
        detail: Clean::new(detail),
        server: None,
    };
    if !matches!(remote, Says::Silent) {
        gate.push(sample(Some(id.clone()), Subject::Gateway, By::Date, interval, detail));
    }
    if let Some(ms) = host {
        gate.push(sample(None, Subject::Host, By::Ntp, Some(Interval::new(ms - 10, ms + 10)), ""));
    }
    gate.push(sample(None, Subject::Host, By::Kernel, None, "synced 1.2 ms"));
    gate.view(&id)
}

fn cases() -> Vec<(&'static str, GateView)> {
    let below = {
        let time = Arc::new(ManualTime::at(crate::domain::Wall(0)));
        Gate::new(time).view(&GatewayId::new("wa-sp"))
    };
    vec![
        ("all well", view("wa-sp", &Says::Off(-300), None)),
        ("three hours ahead", view("wa-sp", &Says::Off(10_800_400), None)),
        ("three hours ahead, gateway wrong", view("wa-sp", &Says::Off(10_800_400), Some(0))),
        ("three hours behind, host wrong", view("wa-sp", &Says::Off(-10_800_000), Some(-10_800_000))),
        ("37 s behind", view("wa-sp", &Says::Off(-37_000), None)),
        ("37 s behind, gateway wrong", view("wa-sp", &Says::Off(-37_000), Some(0))),
        ("90 s ahead, host wrong", view("wa-sp", &Says::Off(90_000), Some(90_000))),
        ("both wrong", view("wa-sp", &Says::Off(100_000), Some(40_000))),
        ("a little ahead", view("wa-sp", &Says::Off(12_000), None)),
        ("before the release", below),
        ("no Date", view("wa-sp", &Says::Nothing(http_date::NO_DATE), None)),
        ("cached", view("wa-sp", &Says::Nothing(http_date::CACHED), None)),
        ("not asked", view("wa-sp", &Says::Silent, None)),
    ]
}

#[test]
fn every_cause_and_remedy_reads_well_in_both_languages() {
    let mut out = String::new();
    let now = ManualTime::new().now();
    for (name, v) in cases() {
        writeln!(out, "# {name}: {} {}", v.verdict.name(), figures(&v)).unwrap();
        for lang in [Lang::En, Lang::Zh] {
            let head = headline(&[&v], &now).text(lang);
            let lines = [Some(head), cause(&v).map(|m| m.text(lang)), remedy(&v).map(|m| m.text(lang))];
            for line in lines.iter().skip(1).flatten() {
                assert!(line.width() <= 90, "{} cells: {line}", line.width());
            }
            for line in lines.into_iter().flatten() {
                writeln!(out, "  {line}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn the_header_names_the_worst_and_bounds_the_others() {
    let now = ManualTime::new().now();
    let ok = |n: &str, ms| view(n, &Says::Off(ms), None);
    let bad = view("wa-sp", &Says::Off(10_800_000), None);
    let mut out = String::new();
    for views in [
        vec![],
        vec![ok("a", 100), ok("b", -600), ok("c", 0)],
        vec![ok("a", 100), bad.clone(), ok("c", 300)],
        vec![bad.clone(), view("wa-us", &Says::Off(40_000), None)],
        vec![ok("a", 100), view("b", &Says::Silent, None), view("c", &Says::Silent, None)],
    ] {
        for lang in [Lang::En, Lang::Zh] {
            writeln!(out, "{}", headline(&views.iter().collect::<Vec<_>>(), &now).text(lang)).unwrap();
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn the_evidence_lists_host_and_gateway() {
    let v = view("wa-sp", &Says::Off(10_800_400), Some(2));
    let mut out = String::new();
    for lang in [Lang::En, Lang::Zh] {
        for e in evidence(&v, Limits::DEFAULT) {
            let who = e.gateway.as_ref().map_or(w::THIS_HOST.get(lang).to_owned(), ToString::to_string);
            let means = e.verdict.map_or("", |x| verdict(x).get(lang));
            writeln!(out, "{who} | {} ({}) | {} | {means}", e.by.get(lang), e.probes, e.figure.text(lang)).unwrap();
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn every_timezone_trouble_says_what_to_write() {
    let all = [
        ZoneTrouble::Empty,
        ZoneTrouble::NotFound("America/SaoPaulo".into()),
        ZoneTrouble::Inverted { tz: "UTC+8".into(), means: "UTC-8".into() },
        ZoneTrouble::PosixForm("CET-1CEST".into()),
        ZoneTrouble::Escapes("../../etc/passwd".into()),
        ZoneTrouble::Differ { localtime: "Etc/UTC".into(), timezone: "America/Sao_Paulo".into() },
        ZoneTrouble::NoZones,
    ];
    let lines: Vec<String> = [Lang::En, Lang::Zh].iter().flat_map(|l| all.iter().map(|t| zone_trouble(t).text(*l))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_json_document_keeps_its_contract() {
    let views = [view("wa-sp", &Says::Off(10_800_000), None), view("wa-eu", &Says::Off(0), None)];
    let doc = report::document(&views, Lang::En);
    insta::assert_snapshot!(serde_json::to_string_pretty(&doc).unwrap());
    assert_eq!(report::document(&[], Lang::En)["verdict"], "unknown");
    assert_eq!(report::document(&[], Lang::En)["host"], serde_json::Value::Null);
}
