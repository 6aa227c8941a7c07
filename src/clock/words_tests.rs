//! Every sentence of the gate in both languages, read by a person once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::{
        Limits,
        causes::DateTrouble,
        container::{Container, Packages},
        gate::Gate,
        notes::{Note, Where},
        now::ManualTime,
        report, zones,
    },
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

/// Every conclusion that there is, with figures of a usual size.
fn conclusions() -> Vec<(&'static str, What)> {
    let i = |ms: i64| Interval::new(ms - 600, ms + 600);
    let gateway = |ms, minutes, told| What::Gateway { skew: i(ms), minutes, told };
    let host = |ms, minutes| What::Host { skew: i(ms), minutes };
    vec![
        ("gateway ahead as a zone, told", gateway(10_800_400, Some(180), true)),
        ("gateway behind as a zone, told", gateway(-10_800_400, Some(-180), true)),
        ("a zone, cannot tell", gateway(10_800_400, Some(180), false)),
        ("a zone behind, cannot tell", gateway(-10_800_400, Some(-180), false)),
        ("an offset that no place has", gateway(2_700_000, Some(45), false)),
        ("host ahead as a zone", host(-10_800_400, Some(-180))),
        ("host behind as a zone", host(20_700_000, Some(345))),
        ("gateway drifts ahead", gateway(37_000, None, true)),
        ("gateway drifts behind", gateway(-37_000, None, true)),
        ("ahead, cannot tell", gateway(37_000, None, false)),
        ("behind, cannot tell", gateway(-86_400_000 * 12, None, false)),
        ("host drifts ahead", host(-37_000, None)),
        ("host drifts behind", host(37_000, None)),
        ("both", What::Both { host: i(40_000), remote: i(10_800_000) }),
        ("both alike, ahead", What::Alike { skew: i(-37_000), minutes: None }),
        ("both alike, behind", What::Alike { skew: i(86_400_000 * 12), minutes: None }),
        ("both alike as a zone, ahead", What::Alike { skew: i(-10_800_400), minutes: Some(-180) }),
        ("both alike as a zone, behind", What::Alike { skew: i(20_700_000), minutes: Some(345) }),
        ("before the release", What::BeforeBuild),
        ("before the last verified time", What::BeforeSaved),
        ("host not asked since it blocked", What::HostNotAsked),
        ("sources in conflict", What::Conflict(45_000)),
        ("no Date", What::Date(DateTrouble::Missing)),
        ("cached Date", What::Date(DateTrouble::Cached)),
        ("frozen Date", What::Date(DateTrouble::Frozen)),
        ("malformed Date", What::Date(DateTrouble::Malformed)),
        ("inconsistent Dates", What::Date(DateTrouble::Inconsistent)),
        ("moved or slept", What::Moved),
        ("not asked", What::NotAsked),
        ("gateway zone", What::GatewayZone(declared(0))),
        ("host zone", What::HostZone(declared(345))),
    ]
}

fn declared(found: i32) -> zones::Expected {
    zones::Expected { name: "America/Sao_Paulo".into(), minutes: -180, found: Some(found) }
}

/// Every piece of advice that there is.
fn advice() -> Vec<Note> {
    let troubles = [
        ZoneTrouble::Empty,
        ZoneTrouble::NotFound("America/Sao_Palo".into()),
        ZoneTrouble::Inverted { tz: "UTC+8".into(), means: "UTC-8".into() },
        ZoneTrouble::PosixForm("CET-1CEST".into()),
        ZoneTrouble::Escapes("../../etc/passwd".into()),
        ZoneTrouble::Differ { localtime: "Etc/UTC".into(), timezone: "America/Sao_Paulo".into() },
        ZoneTrouble::NoZones,
    ];
    let containers = [Container::Docker, Container::Podman, Container::Kubernetes, Container::Nspawn, Container::Lxc, Container::Other];
    let places = [Where::Variable, Where::Machine].into_iter().chain(containers.map(Where::Container));
    let mut all: Vec<Note> = troubles.into_iter().map(Note::Zone).collect();
    all.extend([Packages::Apt, Packages::Apk, Packages::Other].map(Note::ImageWithoutZones));
    all.extend(containers.map(Note::ContainerWithoutTz));
    all.extend(places.map(|p| Note::HostZone(declared(0), p)));
    all.extend([Note::UnknownZone("America/Sao_Palo".into()), Note::SharedClock(Container::Docker), Note::SetZoneNotClock, Note::NewCode]);
    all.extend([Note::NoReference, Note::NtpSilent, Note::NtpRate, Note::NtpDenied, Note::NtpUnsynced]);
    all.extend([Note::GatewayZone(declared(60)), Note::GatewayImage]);
    all
}

#[test]
fn every_cause_remedy_and_note_stands_in_one_table_in_both_languages() {
    let mut out = String::new();
    let line = |out: &mut String, kind: &str, says: &Message, act: Option<&Message>| {
        writeln!(out, "# {kind}").unwrap();
        for lang in [Lang::En, Lang::Zh] {
            for m in std::iter::once(says).chain(act) {
                let text = m.text(lang);
                assert!(text.width() <= 90, "{} cells: {text}", text.width());
                assert!(!text.contains('{'), "a placeholder is left: {text}");
                writeln!(out, "  {text}").unwrap();
            }
        }
    };
    for (name, what) in conclusions() {
        line(&mut out, name, &causes::said(&what), Some(&causes::act(&what)));
    }
    for note in advice() {
        let (says, act) = note.says();
        line(&mut out, note.code(), &says, act.as_ref());
    }
    insta::assert_snapshot!(out);
}
