//! Each cause of a wrong or unknown clock, from servers that have it to the words of the built program, in both languages.
#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "deck/hands.rs"]
mod hands;
#[path = "deck/house.rs"]
mod house;
mod support;

use pairdeck::sandbox::{DateMode, Fault, Past, Settings, SntpFault};
use serde_json::Value;
use std::net::UdpSocket;
use support::{
    clocks::{Said, Want, ask, codes, faketime, reference, says},
    house::{Home, Servers, instance, quick},
};

const KEY: &str = "CAUSE-KEY-0001";

fn stage(settings: Settings) -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", settings, vec![instance("shop", Past::Online)])]);
    let home = Home::of(&servers);
    (servers, home)
}

const UNTOLD: [&str; 2] =
    ["On both hosts: timedatectl; where it is not synchronised, set-ntp true.", "在两边主机执行 timedatectl；哪边未同步就 set-ntp true。"];

#[test]
fn without_a_third_clock_the_two_disagree_and_nobody_is_blamed() {
    let (servers, home) = stage(quick(KEY));
    let wa = servers.gateway("wa");
    wa.skew(Some(-37.0));
    let said = says(
        &home,
        &[],
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "off",
            side: Some("cannot_tell"),
            en: ["The gateway is 37 s behind this host.", UNTOLD[0]],
            zh: ["网关比本机慢 37 s。", UNTOLD[1]],
        },
    );
    assert!(codes(&said.gateway["notes"]).contains(&"no_reference"), "{}", said.gateway);
    wa.skew(Some(12.0));
    let warn = Want {
        code: 0,
        verdict: "warn",
        cause: "off",
        side: Some("cannot_tell"),
        en: ["The gateway is 12 s ahead of this host.", UNTOLD[0]],
        zh: ["网关比本机快 12 s。", UNTOLD[1]],
    };
    says(&home, &[], &warn);
    wa.skew(Some(0.4));
    let fine = ask(&home, &[], "C.UTF-8");
    assert_eq!((fine.code, &fine.gateway["verdict"], &fine.gateway["cause"], &fine.gateway["text"]), (0, &"ok".into(), &Value::Null, &Value::Null));
    home.keeps_secrets();
}

#[test]
fn three_hours_are_local_time_stored_as_utc() {
    let (servers, home) = stage(quick(KEY));
    let wa = servers.gateway("wa");
    let either = [
        "On both hosts: timedatectl; where it is off, set-timezone, then set-ntp true.",
        "在两边主机执行 timedatectl；哪边有误就先 set-timezone 再 set-ntp true。",
    ];
    wa.skew(Some(10_800.0));
    let said = says(
        &home,
        &[],
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "local_time_as_utc",
            side: Some("cannot_tell"),
            en: ["The gateway is 3:00:00 ahead: local time kept as UTC (Europe/Moscow, America/Sao_Paulo).", either[0]],
            zh: ["网关快 3:00:00：本地时间被当作 UTC（Europe/Moscow, America/Sao_Paulo）。", either[1]],
        },
    );
    assert_eq!(said.gateway["offset_minutes"], 180);
    assert!(codes(&said.gateway["notes"]).starts_with(&["set_zone_not_clock", "new_code_after_fix"]), "{}", said.gateway);
    let told = reference(&[(0, SntpFault::None)]);
    says(
        &home,
        &told.ports,
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "local_time_as_utc",
            side: Some("gateway"),
            en: [
                "The gateway is 3:00:00 ahead: local time kept as UTC (Europe/Moscow, Asia/Riyadh).",
                "On the gateway's host: timedatectl set-timezone AREA/CITY, then set-ntp true.",
            ],
            zh: [
                "网关快 3:00:00：本地时间被当作 UTC（Europe/Moscow, Asia/Riyadh）。",
                "在网关主机先执行 timedatectl set-timezone 区域/城市，再执行 set-ntp true。",
            ],
        },
    );
    // A right gateway and a right reference, both three hours ahead of a host in São Paulo that counts local time as UTC.
    let ahead = reference(&[(10_800_000, SntpFault::None)]);
    says(
        &home,
        &ahead.ports,
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "local_time_as_utc",
            side: Some("host"),
            en: [
                "This host is 3:00:00 behind: local time kept as UTC (America/Sao_Paulo).",
                "On this host: timedatectl set-timezone AREA/CITY, then timedatectl set-ntp true.",
            ],
            zh: [
                "本机慢 3:00:00：本地时间被当作 UTC（America/Sao_Paulo）。",
                "在本机先执行 timedatectl set-timezone 区域/城市，再执行 timedatectl set-ntp true。",
            ],
        },
    );
}

#[test]
fn a_third_clock_tells_who_drifts() {
    let (servers, home) = stage(quick(KEY));
    let wa = servers.gateway("wa");
    let right = reference(&[(0, SntpFault::None)]);
    wa.skew(Some(37.0));
    let said = says(
        &home,
        &right.ports,
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "off",
            side: Some("gateway"),
            en: ["The gateway's clock is 37 s ahead.", "On the gateway's host (containers share its clock): timedatectl set-ntp true."],
            zh: ["网关时钟快 37 s。", "在网关主机（容器共用其时钟）执行 timedatectl set-ntp true。"],
        },
    );
    assert_eq!(codes(&said.gateway["notes"]), ["new_code_after_fix"], "a code made before is not used again");
    wa.skew(Some(90.0));
    let ahead = reference(&[(90_000, SntpFault::None)]);
    says(
        &home,
        &ahead.ports,
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "off",
            side: Some("host"),
            en: ["This host's clock is 0:01:30 behind.", "On this host: timedatectl set-ntp true."],
            zh: ["本机时钟慢 0:01:30。", "在本机执行 timedatectl set-ntp true。"],
        },
    );
    wa.skew(Some(100.0));
    let between = reference(&[(40_000, SntpFault::None)]);
    says(
        &home,
        &between.ports,
        &Want {
            code: 7,
            verdict: "blocked",
            cause: "off",
            side: Some("both"),
            en: ["Both clocks are wrong: this host by 40 s, the gateway by 0:01:40 against it.", "On both hosts: timedatectl set-ntp true."],
            zh: ["两边时钟都不对：本机偏差 40 s，网关相对本机 0:01:40。", "在两边主机执行 timedatectl set-ntp true。"],
        },
    );
}

#[test]
fn a_date_that_tells_nothing_says_why() {
    let (servers, home) = stage(quick(KEY));
    let wa = servers.gateway("wa");
    let table = [
        (
            DateMode::Missing,
            ("no_date", "date_missing"),
            ["The gateway sends no Date.", "At the proxy before the gateway: let the Date header through."],
            ["网关未发送 Date。", "在网关前的代理上：放行 Date 响应头。"],
        ),
        (
            DateMode::Cached(90),
            ("date_unusable", "date_cached"),
            ["The gateway's Date comes from a cache.", "At the proxy before the gateway: do not cache API answers."],
            ["网关的 Date 来自缓存。", "在网关前的代理上：不要缓存 API 应答。"],
        ),
        (
            DateMode::Garbage,
            ("date_unusable", "date_malformed"),
            ["The gateway's Date is not a date.", "At the proxy before the gateway: pass the gateway's own Date on unchanged."],
            ["网关的 Date 不是有效日期。", "在网关前的代理上：原样转发网关的 Date。"],
        ),
    ];
    for (mode, (cause, detail), en, zh) in table {
        wa.date(mode);
        let said = says(&home, &[], &Want { code: 0, verdict: "unknown", cause, side: None, en, zh });
        assert_eq!(said.gateway["cause_detail"], detail);
    }
    wa.skew(None);
    wa.fault(Fault::Drop, 40, None);
    let silent = Want {
        code: 0,
        verdict: "unknown",
        cause: "not_asked",
        side: None,
        en: ["Nothing was heard of the gateway's clock within the last minutes.", "Run it again once the gateway answers."],
        zh: ["最近几分钟没有得到网关的时间。", "网关应答后重新运行。"],
    };
    says(&home, &[], &silent);
}

#[test]
fn time_servers_that_tell_nothing_leave_the_side_open_and_say_why() {
    let (servers, home) = stage(quick(KEY));
    servers.gateway("wa").skew(Some(-37.0));
    let note = |said: &Said, code: &str| {
        let all = said.gateway["notes"].as_array().unwrap().clone();
        let found = all.iter().find(|n| n["code"] == code).unwrap_or_else(|| panic!("no {code} in {}", said.gateway));
        (found["text"].as_str().unwrap().to_owned(), found["remedy"].as_str().unwrap().to_owned())
    };
    // A socket that hears and never answers: what a firewall that drops looks like.
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = ask(&home, &[mute.local_addr().unwrap().port()], "C.UTF-8");
    assert_eq!((said.code, &said.gateway["side"]), (7, &"cannot_tell".into()));
    let blocked = (
        "No time server answered: UDP to it, usually port 123, is blocked, or none is there.".to_owned(),
        "In [clock] ntp: another server or port (HOST:PORT), or none and rely on Date.".to_owned(),
    );
    assert_eq!(note(&said, "ntp_no_answer"), blocked);
    let zh = ask(&home, &[mute.local_addr().unwrap().port()], "zh_CN.UTF-8");
    assert_eq!(note(&zh, "ntp_no_answer").0, "没有时间服务器应答：到它的 UDP（通常为 123 端口）被拦截，或该处没有服务器。");
    for (fault, code, text) in [
        (SntpFault::Kiss(*b"RATE"), "ntp_rate_limited", "A time server asked to be left alone (RATE); it is not asked again."),
        (SntpFault::Kiss(*b"DENY"), "ntp_denied", "A time server refuses this host."),
        (SntpFault::Leap3, "ntp_unsynchronised", "A time server is not synchronised itself."),
    ] {
        let said = ask(&home, &reference(&[(0, fault)]).ports, "C.UTF-8");
        assert_eq!((note(&said, code).0.as_str(), &said.gateway["side"]), (text, &"cannot_tell".into()), "{fault:?}");
    }
}

#[test]
fn time_servers_that_contradict_each_other_blame_nobody() {
    let (_servers, home) = stage(quick(KEY));
    let two = reference(&[(0, SntpFault::None), (60_000, SntpFault::None)]);
    let en = ask(&home, &two.ports, "C.UTF-8");
    assert_eq!((en.code, &en.gateway["verdict"], &en.gateway["cause"]), (7, &"blocked".into(), &"sources_conflict".into()), "{}", en.gateway);
    assert_eq!(en.gateway["text"], "Time sources disagree by 0:01:00; which is wrong is not known.");
    assert_eq!(en.gateway["remedy"], "Compare the servers of [clock] ntp; take out the one that is wrong.");
    let zh = ask(&home, &two.ports, "zh_CN.UTF-8");
    assert_eq!(zh.gateway["text"], "时间来源相差 0:01:00，无法判断谁错。");
}

/// What takes two probes more than a second apart is seen by a deck, which asks again and again.
#[test]
fn a_deck_names_a_date_that_stands_still_and_dates_that_contradict_each_other() {
    let now = jiff::Timestamp::now().as_millisecond();
    let table = [
        (DateMode::Frozen(now), "The gateway's Date stands still: the same second in answers far apart."),
        (DateMode::InTurn(60_000), "The gateway's Dates contradict each other."),
    ];
    for (mode, words) in table {
        let house = house::House::with(vec![house::account("shop", Past::Online)]);
        house.gateway().date(mode);
        let mut pty = house.open(120, 40);
        pty.keys("c");
        hands::wait_evidence(&pty, words);
        pty.keys("<Esc>");
        pty.wait_gone("clock evidence");
        pty.keys("q");
        pty.assert_exit(0);
    }
}

#[test]
fn a_host_before_the_release_of_this_program_is_wrong_whatever_it_measures() {
    let Some(clock) = faketime("@2001-01-01 00:00:00") else { return support::skip("before the release", "libfaketime (package faketime)") };
    let (_servers, home) = stage(quick(KEY));
    let said = |lang: &str| {
        let mut command = home.command(&["clock", "--json"]);
        command.env("LANG", lang).envs(clock.clone());
        let ran = home.finish(command.spawn().unwrap());
        assert_eq!(ran.code, 7, "{} {}", ran.stdout, ran.stderr);
        let doc = ran.json();
        (doc["gateways"][0]["cause"].clone(), doc["gateways"][0]["text"].clone(), doc["gateways"][0]["remedy"].clone())
    };
    let en = ["before_build", "This host's clock shows a time before this program was released.", "On this host: timedatectl set-ntp true."];
    assert_eq!(said("C.UTF-8"), (en[0].into(), en[1].into(), en[2].into()));
    assert_eq!(said("zh_CN.UTF-8").1, "本机时钟早于本程序发布之日。");
}
