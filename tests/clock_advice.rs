//! Advice beside the skew, from the built program and in exact words: containers, images without zone data, declared zones, and
//! what belongs to every code. And no network at all, in a namespace that has none.

#![cfg(target_os = "linux")]
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::sandbox::Past;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    clocks::{ask, codes, note},
    house::{Home, Servers, instance, quick},
};

fn stage() -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", quick("ADVICE-KEY-0001"), vec![instance("shop", Past::Online)])]);
    let home = Home::of(&servers);
    (servers, home)
}

/// A run with `TZ` as given, or none, in both languages.
fn told(home: &Home, tz: Option<&str>, more: &[(&str, &str)]) -> [Value; 2] {
    ["C.UTF-8", "zh_CN.UTF-8"].map(|lang| {
        let mut command = home.command(&["clock", "--json"]);
        match tz {
            Some(tz) => command.env("TZ", tz),
            None => command.env_remove("TZ"),
        };
        command.env("LANG", lang).envs(more.iter().copied());
        home.finish(command.spawn().unwrap()).json()
    })
}

#[track_caller]
fn advises(docs: &[Value; 2], code: &str, en: [&str; 2], zh: [&str; 2]) {
    assert_eq!(note(&docs[0]["host"]["notes"], code), en, "{code}");
    assert_eq!(note(&docs[1]["host"]["notes"], code), zh, "{code}");
}

#[test]
fn a_container_without_tz_is_told_how_its_kind_takes_one() {
    let (_servers, home) = stage();
    let local = std::fs::read_link("/etc/localtime").map(|p| p.display().to_string()).unwrap_or_default();
    if !(local.is_empty() || local.ends_with("UTC")) {
        return support::skip("a container without TZ", "a machine that keeps UTC");
    }
    let says = ["This is a container without TZ; times are shown in UTC.", "这是未设 TZ 的容器，时间按 UTC 显示。"];
    let run =
        ["Start it with -e TZ=AREA/CITY (compose: environment: TZ: AREA/CITY).", "以 -e TZ=区域/城市 启动（compose：environment: TZ: 区域/城市）。"];
    let table = [
        ("docker", run),
        ("podman", run),
        ("oci", run),
        ("kube", ["In the pod's manifest: env, name TZ, value AREA/CITY.", "在 Pod 清单的 env 中：name TZ，value 区域/城市。"]),
        ("systemd-nspawn", ["Start it with --setenv=TZ=AREA/CITY.", "以 --setenv=TZ=区域/城市 启动。"]),
        ("lxc", ["In its config: lxc.environment = TZ=AREA/CITY.", "在其配置中：lxc.environment = TZ=区域/城市。"]),
    ];
    for (kind, act) in table {
        let docs = told(&home, None, &[("container", kind)]);
        advises(&docs, "container_without_tz", [says[0], act[0]], [says[1], act[1]]);
        assert_eq!(docs[0]["verdict"], "ok", "advice blocks nothing");
    }
    let docs = told(&home, Some("UTC"), &[("container", "docker")]);
    assert!(!codes(&docs[0]["host"]["notes"]).contains(&"container_without_tz"), "who says UTC wants it");
}

#[test]
fn an_image_without_zone_data_is_told_how_to_get_it() {
    let (_servers, home) = stage();
    let empty = tempfile::tempdir().unwrap();
    let docs = told(&home, None, &[("container", "docker"), ("TZDIR", empty.path().to_str().unwrap())]);
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let act = match () {
        () if release.contains("debian") => ["In the image: apt-get install tzdata.", "在镜像中执行 apt-get install tzdata。"],
        () if release.contains("alpine") => ["In the image: apk add tzdata.", "在镜像中执行 apk add tzdata。"],
        () => [
            "In the image: add tzdata (Debian apt-get install tzdata, Alpine apk add tzdata).",
            "在镜像中加入 tzdata（Debian apt-get install tzdata，Alpine apk add tzdata）。",
        ],
    };
    let says = ["No timezone data here; times are shown in UTC.", "本机没有时区数据，时间按 UTC 显示。"];
    advises(&docs, "image_without_zone_data", [says[0], act[0]], [says[1], act[1]]);
}

#[test]
fn a_declared_zone_that_differs_says_where_it_is_set_and_one_that_nobody_knows_is_said_to_be_so() {
    if !Path::new("/usr/share/zoneinfo/America/Sao_Paulo").is_file() {
        return support::skip("a declared zone", "a zone database (package tzdata)");
    }
    let (_servers, home) = stage();
    let config = std::fs::read_to_string(home.file("config.toml")).unwrap();
    home.write_config(&format!("{config}\n[clock]\nexpect_timezone = \"America/Sao_Paulo\"\n"));
    let says =
        ["This host's zone is at +05:30; America/Sao_Paulo (-03:00) was declared.", "本机时区为 +05:30，声明的是 America/Sao_Paulo（-03:00）。"];
    let run = [
        "Start this container with -e TZ=America/Sao_Paulo (compose: environment: TZ).",
        "以 -e TZ=America/Sao_Paulo 启动本容器（compose：environment: TZ）。",
    ];
    let pod = ["In the pod's manifest: env, name TZ, value America/Sao_Paulo.", "在 Pod 清单的 env 中：name TZ，value America/Sao_Paulo。"];
    let plain = ["Set TZ=America/Sao_Paulo.", "设 TZ=America/Sao_Paulo。"];
    for (kind, act) in [("docker", run), ("kube", pod), ("lxc", plain)] {
        let docs = told(&home, Some("Asia/Kolkata"), &[("container", kind)]);
        advises(&docs, "host_zone_differs", [says[0], act[0]], [says[1], act[1]]);
        assert_eq!(docs[0]["verdict"], "warn");
    }
    // A database that knows a few zones and not this one.
    let few = tempfile::tempdir().unwrap();
    std::fs::copy("/usr/share/zoneinfo/UTC", few.path().join("UTC")).unwrap();
    let docs = told(&home, Some("UTC"), &[("TZDIR", few.path().to_str().unwrap())]);
    advises(
        &docs,
        "expected_zone_unknown",
        ["America/Sao_Paulo was declared, and no timezone data here knows it.", "In the configuration: expect_timezone = \"AREA/CITY\"."],
        ["声明的 America/Sao_Paulo 不在本机的时区数据中。", "在配置中：expect_timezone = \"区域/城市\"。"],
    );
    assert_eq!(docs[0]["verdict"], "ok", "what cannot be compared is no difference");
}

#[test]
fn a_clock_that_is_off_brings_the_advice_that_belongs_to_every_code() {
    let (servers, home) = stage();
    servers.gateway("wa").skew(Some(10_800.0));
    let docs = told(&home, Some("UTC"), &[("container", "docker")]);
    let table = [
        (
            "set_zone_not_clock",
            ["Only the zone is to be set: do not type local time into a clock that counts UTC.", "-"],
            ["只需设时区：不要把本地时间填入按 UTC 计的时钟。", "-"],
        ),
        (
            "new_code_after_fix",
            ["A code made with a wrong clock stays doubtful after the fix.", "The same command asks for a new code then."],
            ["时钟有误时生成的码，修正后仍不可靠。", "届时用同一命令请求新码。"],
        ),
        (
            "no_reference",
            [
                "Two clocks disagree; a third one would tell which is wrong.",
                "In the configuration: [clock] ntp = [\"HOST\"], or pairdeck clock --ntp HOST.",
            ],
            ["两个时钟不一致；有第三个才能判断谁错。", "在配置中：[clock] ntp = [\"主机\"]，或执行 pairdeck clock --ntp 主机。"],
        ),
        (
            "container_shares_clock",
            ["This is a container: its clock is that of the machine below.", "On the machine that runs this container: timedatectl set-ntp true."],
            ["这是容器：其时钟就是宿主机的时钟。", "在运行本容器的宿主机上执行 timedatectl set-ntp true。"],
        ),
    ];
    for (code, en, zh) in table {
        assert_eq!(note(&docs[0]["gateways"][0]["notes"], code), en, "{code}");
        assert_eq!(note(&docs[1]["gateways"][0]["notes"], code), zh, "{code}");
    }
}

/// Without any network, not even loopback: `unshare -n`, which needs the right to make one.
#[test]
fn without_any_network_nothing_is_known_nothing_fails_and_it_is_said_at_once() {
    let unshare = |args: &[&str]| {
        let tried = Command::new("unshare").args(args).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|s| s.success()).then(|| args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    };
    let Some(way) = unshare(&["-n"]).or_else(|| unshare(&["-rn"])) else {
        return support::skip("no network at all", "unshare -n, or the right to use it");
    };
    let (_servers, home) = stage();
    let run = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(&way).arg(env!("CARGO_BIN_EXE_pairdeck")).args(args);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", "/nonexistent").env("LANG", "C.UTF-8");
        command.env("PAIRDECK_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        (home.finish(command.spawn().unwrap()), began.elapsed())
    };
    // Another network than this one: the first run also makes what a store needs.
    let _ = ask(&home, &[], "C.UTF-8");
    let (ran, took) = run(&["clock", "--json", "--ntp", "192.0.2.1", "--ntp", "time.example.invalid"]);
    let doc = ran.exits(0).json();
    let wa = &doc["gateways"][0];
    assert_eq!((&doc["verdict"], &wa["verdict"], &wa["cause"]), (&"unknown".into(), &"unknown".into(), &"not_asked".into()), "{doc}");
    assert_eq!(wa["text"], "Nothing was heard of the gateway's clock within the last minutes.");
    let details: Vec<&str> = doc["host"]["samples"].as_array().unwrap().iter().filter_map(|s| s["detail"].as_str()).collect();
    assert!(details.contains(&"no route"), "{details:?}");
    assert!(details.iter().any(|d| d.starts_with("name ")), "{details:?}");
    assert_eq!(note(&wa["notes"], "ntp_no_answer")[0], "No time server answered: UDP to it, usually port 123, is blocked, or none is there.");
    assert!(took < Duration::from_secs(5), "{took:?}");
    run(&["clock", "--strict"]).0.exits(7);
    home.keeps_secrets();
}
