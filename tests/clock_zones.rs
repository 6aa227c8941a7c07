//! Timezones: what the built program says of every kind of `TZ`, of a host without zone data, and of declared zones that differ.
//! None of it moves a clock, so none of it blocks.
#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "deck/hands.rs"]
mod hands;
#[path = "deck/house.rs"]
mod house;
mod support;

use pairdeck::sandbox::{Past, Settings};
use serde_json::Value;
use std::path::Path;
use support::house::{Home, Ran, Servers, instance, quick};

const ZONES: &str = "/usr/share/zoneinfo";

fn stage() -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", quick("ZONE-KEY-0001"), vec![instance("shop", Past::Online)])]);
    let home = Home::of(&servers);
    (servers, home)
}

/// True and loud where there are no zones to compare with.
fn no_zones(test: &str) -> bool {
    let none = !Path::new(ZONES).join("America/Sao_Paulo").is_file();
    if none {
        support::skip(test, "a zone database (package tzdata)");
    }
    none
}

fn run(home: &Home, args: &[&str], tz: Option<&str>, more: &[(&str, &str)]) -> Ran {
    let mut command = home.command(args);
    match tz {
        Some(tz) => command.env("TZ", tz),
        None => command.env_remove("TZ"),
    };
    command.envs(more.iter().copied());
    home.finish(command.spawn().unwrap())
}

/// Codes of what is said of this host, without what depends on the machine that tests run on: a container, its own files.
fn codes(doc: &Value) -> Vec<String> {
    let notes = doc["host"]["notes"].as_array().unwrap().iter().map(|n| n["code"].as_str().unwrap().to_owned());
    notes.filter(|c| !c.starts_with("container_") && c != "tz_files_differ").collect()
}

fn timezone_checks(doc: &Value) -> Vec<(String, String)> {
    let checks = doc["checks"].as_array().unwrap().iter();
    let text = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
    checks
        .map(|c| (text(c, "verdict"), text(c, "detail")))
        .filter(|(_, d)| d.contains("TZ=") || d.starts_with("TZ ") || d.contains("timezone data"))
        .collect()
}

/// A value of `TZ`: the codes it brings, the offset in minutes where it is known, and its words.
type TzCase = (Option<&'static str>, &'static [&'static str], Option<i64>, &'static str);

#[test]
fn the_matrix_of_tz_values_is_told_by_clock_and_doctor_and_blocks_nothing() {
    if no_zones("the TZ matrix") {
        return;
    }
    let (_servers, home) = stage();
    let table: &[TzCase] = &[
        (None, &[], None, ""),
        (Some(""), &["tz_empty"], Some(0), "TZ is set but empty, which means UTC."),
        (Some("America/Sao_Paulo"), &[], Some(-180), ""),
        (Some(":America/Sao_Paulo"), &[], Some(-180), ""),
        (Some("UTC"), &[], Some(0), ""),
        (Some("America/Sao_Palo"), &["tz_not_found"], None, "TZ=America/Sao_Palo names no zone, so times are UTC."),
        (Some("tzdata.zi"), &["tz_not_found"], None, "TZ=tzdata.zi names no zone, so times are UTC."),
        (Some("UTC+8"), &["tz_inverted"], Some(-480), "TZ=UTC+8 means UTC-8: its sign is inverted."),
        (Some("GMT-3"), &["tz_inverted"], Some(180), "TZ=GMT-3 means UTC+3: its sign is inverted."),
        (Some("<-03>3"), &["tz_posix"], Some(-180), "TZ=<-03>3 is an old form without a place's rules."),
        (Some("/usr/share/zoneinfo/Asia/Tokyo"), &[], Some(540), ""),
        (Some("/etc/passwd"), &["tz_escapes"], None, "TZ=/etc/passwd is a path, not a zone."),
        (Some("../../etc/passwd"), &["tz_escapes"], None, "TZ=../../etc/passwd is a path, not a zone."),
    ];
    for (tz, want, offset, words) in table {
        let ran = run(&home, &["clock", "--json"], *tz, &[]).exits(0);
        let doc = ran.json();
        assert_eq!((codes(&doc), &doc["verdict"]), (want.iter().map(|c| (*c).to_owned()).collect(), &"ok".into()), "TZ={tz:?}");
        if let Some(minutes) = offset {
            assert_eq!(doc["host"]["utc_offset_minutes"], *minutes, "TZ={tz:?}");
        }
        if !words.is_empty() {
            let notes = doc["host"]["notes"].as_array().unwrap();
            assert!(notes.iter().any(|n| n["text"] == *words && n["remedy"].as_str().is_some_and(|r| r.contains("AREA/CITY"))), "{notes:?}");
            assert!(ran.stderr.contains(words), "people hear of it too: {}", ran.stderr);
        }
        let doc = run(&home, &["doctor", "--json"], *tz, &[]).exits(0).json();
        let checks = timezone_checks(&doc);
        assert_eq!(checks.len(), usize::from(!words.is_empty()), "TZ={tz:?}: {doc}");
        assert!(checks.iter().all(|(verdict, text)| verdict == "warn" && text.contains(words)), "{checks:?}");
    }
    home.keeps_secrets();
}

#[test]
fn a_host_without_zone_data_is_told_and_not_blamed() {
    let (_servers, home) = stage();
    let empty = tempfile::tempdir().unwrap();
    let more = [("TZDIR", empty.path().to_str().unwrap())];
    for (tz, lang, words) in [
        (None, "C.UTF-8", "No timezone data here; times are shown in UTC."),
        (Some("America/Sao_Paulo"), "C.UTF-8", "No timezone data here; times are shown in UTC."),
        (None, "zh_CN.UTF-8", "本机没有时区数据，时间按 UTC 显示。"),
    ] {
        let more = [more[0], ("LANG", lang)];
        let doc = run(&home, &["clock", "--json"], tz, &more).exits(0).json();
        let said: Vec<_> = doc["host"]["notes"].as_array().unwrap().iter().filter(|n| n["text"] == words).collect();
        assert_eq!((said.len(), &doc["verdict"]), (1, &"ok".into()), "{doc}");
        // In a container, and only there, it says how its image gets one.
        assert_eq!(said[0]["remedy"].is_null(), doc["host"]["container"].is_null(), "{doc}");
        let doc = run(&home, &["doctor", "--json"], tz, &more).exits(0).json();
        assert!(doc["checks"].as_array().unwrap().iter().all(|c| c["verdict"] != "fail"), "{doc}");
    }
}

#[test]
fn a_declared_host_zone_that_differs_is_a_warning_with_both_values_and_a_command() {
    if no_zones("a declared host zone") {
        return;
    }
    let (_servers, home) = stage();
    let config = std::fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&format!("{config}\n[clock]\nexpect_timezone = \"America/Sao_Paulo\"\n"));
    for tz in ["America/Sao_Paulo", "<-03>3", "America/Argentina/Buenos_Aires"] {
        let doc = run(&home, &["clock", "--json", "--strict"], Some(tz), &[]).exits(0).json();
        assert_eq!(doc["verdict"], "ok", "the same offset by another name is no difference: {doc}");
    }
    let doc = run(&home, &["clock", "--json"], Some("Asia/Kolkata"), &[]).exits(0).json();
    let note = doc["host"]["notes"].as_array().unwrap().iter().find(|n| n["code"] == "host_zone_differs").unwrap().clone();
    assert_eq!(note["text"], "This host's zone is at +05:30; America/Sao_Paulo (-03:00) was declared.");
    assert!(note["remedy"].as_str().unwrap().contains("TZ=America/Sao_Paulo"), "{note}");
    let gateway = &doc["gateways"][0];
    assert_eq!((&doc["verdict"], &gateway["cause"], &gateway["side"]), (&"warn".into(), &"zone_differs".into(), &Value::Null));
    assert_eq!(gateway["text"], note["text"]);
    assert!(gateway["skew_s"][1].as_f64().unwrap() < 5.0, "a zone is never part of a skew: {gateway}");
    run(&home, &["clock", "--strict"], Some("Asia/Kolkata"), &[]).exits(7);
    run(&home, &["doctor", "--json"], Some("Asia/Kolkata"), &[]).exits(0);
    let zh = run(&home, &["clock", "--json"], Some("Asia/Kolkata"), &[("LANG", "zh_CN.UTF-8")]).exits(0).json();
    assert_eq!(zh["gateways"][0]["text"], "本机时区为 +05:30，声明的是 America/Sao_Paulo（-03:00）。");
}

#[test]
fn summer_time_is_part_of_the_comparison() {
    if no_zones("summer time") {
        return;
    }
    let (_servers, home) = stage();
    let config = std::fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&format!("{config}\n[clock]\nexpect_timezone = \"Europe/Berlin\"\n"));
    let verdict = |tz| run(&home, &["clock", "--json"], Some(tz), &[]).exits(0).json()["verdict"].clone();
    let now = jiff::Timestamp::now();
    let offset = |name: &str| jiff::tz::TimeZone::get(name).unwrap().to_offset(now).seconds();
    // Berlin is one of the two today, whatever the season.
    for tz in ["Africa/Lagos", "Africa/Johannesburg"] {
        assert_eq!(verdict(tz), if offset(tz) == offset("Europe/Berlin") { "ok" } else { "warn" }, "{tz}");
    }
    assert_eq!(verdict("Europe/Madrid"), "ok");
}

/// The gateway's zone is heard in its events, so it takes a deck that listens, and an event.
#[test]
fn a_declared_gateway_zone_that_differs_is_told_on_the_deck_and_the_right_one_is_not() {
    if no_zones("a declared gateway zone") {
        return;
    }
    for (tz_offset_s, differs) in [(0, true), (-10_800, false)] {
        let settings = Settings { tz_offset_s, ..house::swift() };
        let house = house::House::of(vec![house::part(settings, vec![house::account("shop", Past::Online)])]);
        let file = house.home.path().join("config.toml");
        let config = std::fs::read_to_string(&file).unwrap();
        let table = "[gateway.wa-test]\n";
        assert!(config.contains(table), "{config}");
        std::fs::write(&file, config.replace(table, &format!("{table}expect_timezone = \"America/Sao_Paulo\"\n"))).unwrap();
        let mut pty = house.open(120, 40);
        house.wait("a deck that listens", |g| (g.event_streams() > 0).then_some(()));
        house.gateway().unlink("shop", 401).unwrap();
        pty.keys("c");
        if differs {
            hands::wait_evidence(&pty, "The gateway's zone is at +00:00; America/Sao_Paulo (-03:00) was declared.");
            hands::wait_evidence(&pty, "Start its container with -e TZ=America/Sao_Paulo (compose: environment: TZ).");
            hands::wait_evidence(&pty, "The gateway shows UTC: an image without tzdata does so whatever TZ says.");
            hands::wait_evidence(&pty, "In its image: apt-get install tzdata (Debian) or apk add tzdata (Alpine).");
        } else {
            hands::wait_evidence(&pty, "zone label -03:00");
            assert!(!pty.text().contains("was declared"), "{}", pty.text());
        }
        pty.keys("<Esc>");
        pty.wait_gone("clock evidence");
        pty.keys("q");
        pty.assert_exit(0);
    }
}
