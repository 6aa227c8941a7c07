//! Advice: when it is given, and when it is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]

use super::*;
use crate::{
    clock::{ManualTime, gate::Gate},
    domain::{Clean, GatewayId, Time},
};

fn codes(notes: &[Note]) -> Vec<&'static str> {
    notes.iter().map(Note::code).collect()
}

fn zoned(tz: Option<&str>, has_zones: bool) -> ZoneFacts {
    ZoneFacts { tz: tz.map(str::to_owned), has_zones, tz_known: has_zones, ..ZoneFacts::default() }
}

fn container(tz: Option<&str>, has_zones: bool, offset: i32) -> HostFacts {
    HostFacts {
        zone: Some(zoned(tz, has_zones)),
        offset: Some(offset),
        container: Some(Container::Docker),
        packages: Packages::Apk,
        ..HostFacts::default()
    }
}

fn sample(subject: Subject, by: By, interval: Option<(i64, i64)>, detail: &str, time: &ManualTime) -> Sample {
    let interval = interval.map(|(lo, hi)| crate::clock::sample::Interval::new(lo, hi));
    let gateway = (subject == Subject::Gateway).then(|| GatewayId::new("wa"));
    Sample { gateway, subject, by, interval, at: time.now(), probes: 1, detail: Clean::new(detail), server: None }
}

fn view(samples: &[(Subject, By, Option<(i64, i64)>, &str)], declared: Option<&str>) -> GateView {
    let time = Arc::new(ManualTime::new());
    let gate = Gate::new(time.clone());
    gate.expect_zone(Some(&GatewayId::new("wa")), declared);
    for (subject, by, interval, detail) in samples {
        gate.push(sample(*subject, *by, *interval, detail, &time));
    }
    gate.view(&GatewayId::new("wa"))
}

const AHEAD: (Subject, By, Option<(i64, i64)>, &str) = (Subject::Gateway, By::Date, Some((39_500, 40_500)), "");
const FINE: (Subject, By, Option<(i64, i64)>, &str) = (Subject::Gateway, By::Date, Some((-500, 500)), "");

fn label(minutes: i64) -> (Subject, By, Option<(i64, i64)>, &'static str) {
    (Subject::Gateway, By::ZoneLabel, Some((minutes * 60_000, minutes * 60_000)), "")
}

#[test]
fn a_host_that_is_as_it_should_be_gets_no_advice() {
    assert_eq!(host_notes(&HostFacts::default()), []);
    assert_eq!(host_notes(&HostFacts { zone: Some(zoned(None, true)), offset: Some(0), ..HostFacts::default() }), []);
    assert_eq!(host_notes(&container(Some("America/Sao_Paulo"), true, -180)), []);
    assert_eq!(host_notes(&container(None, true, -180)), [], "a mounted /etc/localtime is a zone too");
}

#[test]
fn a_container_without_tz_is_told_how_to_set_it_and_tzdata_only_where_it_is_missing() {
    assert_eq!(codes(&host_notes(&container(None, true, 0))), ["container_without_tz"]);
    assert_eq!(codes(&host_notes(&container(None, false, 0))), ["image_without_zone_data", "container_without_tz"]);
    assert_eq!(codes(&host_notes(&container(Some("America/Sao_Paulo"), false, 0))), ["image_without_zone_data"]);
    let bare = HostFacts { container: None, ..container(None, false, 0) };
    assert_eq!(codes(&host_notes(&bare)), ["no_zone_data"]);
}

#[test]
fn a_declared_host_zone_is_compared_by_its_offset_and_named_where_it_is_set() {
    let now = ManualTime::new().now().wall;
    if zones::offset("America/Sao_Paulo", now).is_none() {
        return; // No zone database on this machine.
    }
    let host = |facts: HostFacts| host_notes(&facts.expecting(Some("America/Sao_Paulo"), now));
    let machine = |offset| HostFacts { zone: Some(zoned(None, true)), offset: Some(offset), ..HostFacts::default() };
    assert_eq!(host(machine(-180)), []);
    let act = |notes: &[Note]| notes[0].says().1.unwrap().text(Lang::En);
    assert_eq!(act(&host(machine(0))), "On this host: timedatectl set-timezone America/Sao_Paulo.");
    let variable = HostFacts { zone: Some(zoned(Some("UTC"), true)), offset: Some(0), ..HostFacts::default() };
    assert_eq!(act(&host(variable)), "Set TZ=America/Sao_Paulo.");
    let inside = host(container(None, true, 0));
    assert_eq!(codes(&inside), ["host_zone_differs"], "one act, not two");
    assert_eq!(act(&inside), "Start this container with -e TZ=America/Sao_Paulo (compose: environment: TZ).");
    let declared_utc = container(None, true, 0).expecting(Some("Etc/UTC"), now);
    assert_eq!(host_notes(&declared_utc), [], "UTC is what was declared");
}

#[test]
fn a_zone_that_nobody_knows_is_said_and_compared_with_nothing() {
    let now = ManualTime::new().now().wall;
    let host = HostFacts { zone: Some(zoned(None, true)), offset: Some(0), ..HostFacts::default() };
    assert_eq!(codes(&host_notes(&host.expecting(Some("America/SaoPaulo"), now))), ["expected_zone_unknown"]);
}

#[test]
fn two_clocks_that_disagree_ask_for_a_third_one_unless_it_was_asked() {
    let none = HostFacts::default();
    assert_eq!(codes(&notes(&view(&[AHEAD], None), &none)), ["new_code_after_fix", "no_reference"]);
    let told = view(&[AHEAD, (Subject::Host, By::Ntp, Some((-5, 5)), "")], None);
    assert_eq!(codes(&notes(&told, &none)), ["new_code_after_fix"]);
    for (detail, code) in [
        ("no answer", "ntp_no_answer"),
        ("refused", "ntp_no_answer"),
        ("kiss RATE", "ntp_rate_limited"),
        ("kiss DENY", "ntp_denied"),
        ("unsynchronised", "ntp_unsynchronised"),
    ] {
        let silent = view(&[AHEAD, (Subject::Host, By::Ntp, None, detail)], None);
        assert_eq!(codes(&notes(&silent, &none)), ["new_code_after_fix", code], "{detail}");
    }
    assert_eq!(notes(&view(&[FINE], None), &none), []);
}

#[test]
fn a_container_is_told_whose_clock_it_shows_only_when_that_clock_is_suspect() {
    let inside = container(Some("UTC"), true, 0);
    assert!(codes(&notes(&view(&[AHEAD], None), &inside)).contains(&"container_shares_clock"));
    let gateway_wrong = view(&[AHEAD, (Subject::Host, By::Ntp, Some((-5, 5)), "")], None);
    assert!(!codes(&notes(&gateway_wrong, &inside)).contains(&"container_shares_clock"));
}

#[test]
fn another_gateway_zone_is_a_warning_and_never_skew() {
    let now = ManualTime::new().now().wall;
    if zones::offset("America/Sao_Paulo", now).is_none() {
        return; // No zone database on this machine.
    }
    let none = HostFacts::default();
    let utc = view(&[FINE, label(0)], Some("America/Sao_Paulo"));
    assert_eq!((utc.verdict.name(), utc.side, utc.remote.cause.unwrap().name()), ("warn", None, "zone_differs"));
    assert_eq!(utc.remote.skew, view(&[FINE], None).remote.skew, "a label is no measurement of a clock");
    assert_eq!(codes(&notes(&utc, &none)), ["gateway_image_without_zone_data"], "the cause itself names the zones");
    let same = view(&[FINE, label(-180)], Some("America/Sao_Paulo"));
    assert_eq!((same.verdict.name(), codes(&notes(&same, &none)).len()), ("ok", 0));
    let undeclared = view(&[FINE, label(-180)], None);
    assert_eq!(undeclared.verdict.name(), "ok");
    let far = view(&[FINE, label(840)], Some("America/Sao_Paulo"));
    assert_eq!(far.verdict.name(), "warn", "however far, it blocks nothing");
    let off = view(&[AHEAD, label(60)], Some("America/Sao_Paulo"));
    assert_eq!((off.verdict.name(), off.remote.cause.unwrap().name()), ("blocked", "off"));
    assert!(codes(&notes(&off, &none)).contains(&"gateway_zone_differs"), "said beside the skew");
    let unknown = view(&[label(60)], Some("America/Sao_Paulo"));
    assert_eq!(unknown.verdict.name(), "unknown", "a label tells no time");
}

#[test]
fn the_newest_label_counts_and_outlives_a_moved_clock() {
    let time = Arc::new(ManualTime::new());
    let gate = Gate::new(time.clone());
    let id = GatewayId::new("wa");
    gate.expect_zone(Some(&id), Some("Etc/UTC"));
    for minutes in [0, -180] {
        let (subject, by, interval, detail) = label(minutes);
        gate.push(sample(subject, by, interval, detail, &time));
    }
    for _ in 0..200 {
        gate.push(sample(Subject::Gateway, By::Date, Some((-500, 500)), "", &time));
    }
    let found = |gate: &Gate| gate.view(&id).zone.and_then(|z| z.found);
    if zones::offset("Etc/UTC", time.now().wall).is_some() {
        assert_eq!(found(&gate), Some(-180));
        gate.moved();
        assert_eq!(found(&gate), Some(-180), "it depends on no clock of this host");
    }
    let labels = gate.view(&id).remote.samples.iter().filter(|s| s.by == By::ZoneLabel).count();
    assert_eq!(labels, 1);
    gate.forget(&id);
    assert!(gate.view(&id).remote.samples.is_empty());
}
