//! Which clock is wrong, by how much and in which direction: each way in which host and gateway can be off, from servers that
//! are so to the exact words of the built program, in both languages. What takes a screen stands in `clock_causes`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pairdeck::sandbox::{DateMode, Past, SntpFault};
use support::{
    clocks::{Want, ask, codes, faketime, note, reference, says},
    house::{Home, Servers, instance, quick},
};

const KEY: &str = "SIDES-KEY-0001";

fn stage() -> (Servers, Home) {
    let servers = Servers::start(vec![("wa", quick(KEY), vec![instance("shop", Past::Online)])]);
    let home = Home::of(&servers);
    (servers, home)
}

const HOST: [&str; 2] = ["On this host: timedatectl set-ntp true.", "在本机执行 timedatectl set-ntp true。"];
const GATEWAY: [&str; 2] =
    ["On the gateway's host (containers share its clock): timedatectl set-ntp true.", "在网关主机（容器共用其时钟）执行 timedatectl set-ntp true。"];
const BOTH: [&str; 2] = ["On both hosts: timedatectl set-ntp true.", "在两边主机执行 timedatectl set-ntp true。"];
const ZONE_HOST: [&str; 2] = [
    "On this host: timedatectl set-timezone AREA/CITY, then timedatectl set-ntp true.",
    "在本机先执行 timedatectl set-timezone 区域/城市，再执行 timedatectl set-ntp true。",
];
const ZONE_GATEWAY: [&str; 2] = [
    "On the gateway's host: timedatectl set-timezone AREA/CITY, then set-ntp true.",
    "在网关主机先执行 timedatectl set-timezone 区域/城市，再执行 set-ntp true。",
];
const ZONE_EITHER: [&str; 2] = [
    "On both hosts: timedatectl; where it is off, set-timezone, then set-ntp true.",
    "在两边主机执行 timedatectl；哪边有误就先 set-timezone 再 set-ntp true。",
];

/// Gateway minus host in seconds, reference minus host in milliseconds where one is asked, and what is said of it.
type Case = (f64, Option<i64>, &'static str, &'static str, &'static str, [&'static str; 2], [&'static str; 2]);

#[test]
fn each_way_to_be_off_has_its_sentence_and_its_one_command_in_both_languages() {
    let cases: [Case; 12] = [
        (-37.0, Some(0), "blocked", "off", "gateway", ["The gateway's clock is 37 s behind.", "网关时钟慢 37 s。"], GATEWAY),
        (12.0, Some(0), "warn", "off", "gateway", ["The gateway's clock is 12 s ahead.", "网关时钟快 12 s。"], GATEWAY),
        (-90.0, Some(-90_000), "blocked", "off", "host", ["This host's clock is 0:01:30 ahead.", "本机时钟快 0:01:30。"], HOST),
        (-12.0, Some(-12_000), "warn", "off", "host", ["This host's clock is 12 s ahead.", "本机时钟快 12 s。"], HOST),
        (
            0.0,
            Some(-37_000),
            "blocked",
            "off",
            "both",
            ["Both clocks are 37 s ahead, this host's and the gateway's alike.", "本机与网关的时钟同样快 37 s。"],
            BOTH,
        ),
        (
            0.4,
            Some(37_000),
            "blocked",
            "off",
            "both",
            ["Both clocks are 37 s behind, this host's and the gateway's alike.", "本机与网关的时钟同样慢 37 s。"],
            BOTH,
        ),
        (
            0.0,
            Some(-10_800_000),
            "blocked",
            "local_time_as_utc",
            "both",
            [
                "Both clocks are 3:00:00 ahead: local time kept as UTC (Europe/Moscow, Asia/Riyadh).",
                "两边时钟都快 3:00:00：本地时间被当作 UTC（Europe/Moscow, Asia/Riyadh）。",
            ],
            ZONE_EITHER,
        ),
        (
            0.0,
            Some(10_800_000),
            "blocked",
            "local_time_as_utc",
            "both",
            [
                "Both clocks are 3:00:00 behind: local time kept as UTC (America/Sao_Paulo).",
                "两边时钟都慢 3:00:00：本地时间被当作 UTC（America/Sao_Paulo）。",
            ],
            ZONE_EITHER,
        ),
        (
            -10_800.0,
            Some(0),
            "blocked",
            "local_time_as_utc",
            "gateway",
            [
                "The gateway is 3:00:00 behind: local time kept as UTC (America/Sao_Paulo).",
                "网关慢 3:00:00：本地时间被当作 UTC（America/Sao_Paulo）。",
            ],
            ZONE_GATEWAY,
        ),
        (
            -10_800.0,
            None,
            "blocked",
            "local_time_as_utc",
            "cannot_tell",
            [
                "The gateway is 3:00:00 behind: local time kept as UTC (America/Sao_Paulo, Europe/Moscow).",
                "网关慢 3:00:00：本地时间被当作 UTC（America/Sao_Paulo, Europe/Moscow）。",
            ],
            ZONE_EITHER,
        ),
        (
            -10_800.0,
            Some(-10_800_000),
            "blocked",
            "local_time_as_utc",
            "host",
            [
                "This host is 3:00:00 ahead: local time kept as UTC (Europe/Moscow, Asia/Riyadh).",
                "本机快 3:00:00：本地时间被当作 UTC（Europe/Moscow, Asia/Riyadh）。",
            ],
            ZONE_HOST,
        ),
        (
            -60.0,
            Some(40_000),
            "blocked",
            "off",
            "both",
            ["Both clocks are wrong: this host by 40 s, the gateway by 0:01:00 against it.", "两边时钟都不对：本机偏差 40 s，网关相对本机 0:01:00。"],
            BOTH,
        ),
    ];
    let (servers, home) = stage();
    let sntp = reference(&[(0, SntpFault::None)]);
    for (gateway, told, verdict, cause, side, text, act) in cases {
        servers.gateway("wa").skew(Some(gateway));
        let port = told.map(|ms| {
            sntp.offset(0, ms);
            sntp.ports[0]
        });
        let want =
            Want { code: if verdict == "blocked" { 7 } else { 0 }, verdict, cause, side: Some(side), en: [text[0], act[0]], zh: [text[1], act[1]] };
        let said = says(&home, port.as_slice(), &want);
        assert!(codes(&said.gateway["notes"]).contains(&"new_code_after_fix"), "{gateway} {told:?}: {}", said.gateway);
        assert_eq!(codes(&said.gateway["notes"]).contains(&"set_zone_not_clock"), cause == "local_time_as_utc", "{gateway} {told:?}");
    }
    home.keeps_secrets();
}

#[test]
fn a_date_that_stands_still_and_dates_that_contradict_each_other_are_told_by_one_run() {
    let (servers, home) = stage();
    let wa = servers.gateway("wa");
    let frozen = Want {
        code: 0,
        verdict: "unknown",
        cause: "date_unusable",
        side: None,
        en: [
            "The gateway's Date stands still: the same second in answers far apart.",
            "At the proxy before the gateway: pass Date on, do not write one of its own.",
        ],
        zh: ["网关的 Date 停滞：相隔较久的应答是同一秒。", "在网关前的代理上：转发 Date，不要自行填写。"],
    };
    wa.date(DateMode::Frozen(jiff::Timestamp::now().as_millisecond() - 7_200_000));
    assert_eq!(says(&home, &[], &frozen).gateway["cause_detail"], "date_frozen");
    // A deployment is not stopped by a clock of which nothing is known.
    home.run(&["doctor", "--json"]).exits(0);
    wa.date(DateMode::InTurn(90_000));
    let torn = Want {
        code: 0,
        verdict: "unknown",
        cause: "date_unusable",
        side: Some("cannot_tell"),
        en: ["The gateway's Dates contradict each other.", "Run it again; if it stays, compare the clocks of all hosts behind its address."],
        zh: ["网关的多个 Date 互相矛盾。", "重新运行；若仍如此，核对该地址后所有主机的时钟。"],
    };
    // A run that meets the right host first hears one answer, finds nothing wrong with it and asks no more.
    let met = |lang: &str| {
        let one = ask(&home, &[], lang);
        if one.gateway["verdict"] == "ok" { ask(&home, &[], lang) } else { one }
    };
    for (lang, words) in [("C.UTF-8", torn.en), ("zh_CN.UTF-8", torn.zh)] {
        let said = (0..5).map(|_| met(lang)).find(|s| s.gateway["verdict"] == torn.verdict).expect("never met the host that is ahead");
        assert_eq!((said.code, &said.gateway["cause"], &said.gateway["cause_detail"]), (0, &torn.cause.into(), &"date_inconsistent".into()));
        assert_eq!([&said.gateway["text"], &said.gateway["remedy"]], words, "{}", said.gateway);
    }
}

#[test]
fn a_clock_before_the_last_verified_time_has_its_words_too() {
    let Some(past) = faketime("-3d") else { return support::skip("before the last verified time", "libfaketime (package faketime)") };
    let (servers, home) = stage();
    let right = reference(&[(0, SntpFault::None)]);
    assert_eq!(ask(&home, &right.ports, "C.UTF-8").host["verdict"], "ok", "the time is verified and kept");
    servers.gateway("wa").skew(None);
    let words = [
        ("C.UTF-8", ["This host's clock shows a time before the last one that was verified here.", HOST[0]]),
        ("zh_CN.UTF-8", ["本机时钟早于上次核实的时间。", HOST[1]]),
    ];
    for (lang, [text, act]) in words {
        let mut command = home.command(&["clock", "--json"]);
        let ran = home.finish(command.env("LANG", lang).envs(past.clone()).spawn().unwrap()).exits(7);
        let wa = ran.json()["gateways"][0].clone();
        let said = [&wa["cause"], &wa["side"], &wa["text"], &wa["remedy"]];
        assert_eq!(said, ["before_saved", "host", text, act], "{wa}");
    }
}

#[test]
fn what_time_servers_do_wrong_has_its_words_and_its_act() {
    let (servers, home) = stage();
    servers.gateway("wa").skew(Some(-37.0));
    let another = ["In [clock] ntp: another server.", "在 [clock] ntp 中换一个服务器。"];
    let table = [
        (
            SntpFault::Kiss(*b"RATE"),
            "ntp_rate_limited",
            ["A time server asked to be left alone (RATE); it is not asked again.", "有时间服务器要求暂停询问（RATE）；不再询问它。"],
            ["In [clock] ntp: another server; that one answers this address no more.", "在 [clock] ntp 中换一个服务器：它不再应答本地址。"],
        ),
        (SntpFault::Kiss(*b"DENY"), "ntp_denied", ["A time server refuses this host.", "有时间服务器拒绝本机。"], another),
        (SntpFault::Leap3, "ntp_unsynchronised", ["A time server is not synchronised itself.", "有时间服务器自身未同步。"], another),
        (
            SntpFault::Silent,
            "ntp_no_answer",
            [
                "No time server answered: UDP to it, usually port 123, is blocked, or none is there.",
                "没有时间服务器应答：到它的 UDP（通常为 123 端口）被拦截，或该处没有服务器。",
            ],
            [
                "In [clock] ntp: another server or port (HOST:PORT), or none and rely on Date.",
                "在 [clock] ntp 中换服务器或端口（主机:端口），或留空只依赖 Date。",
            ],
        ),
    ];
    for (fault, code, text, act) in table {
        for (n, lang) in ["C.UTF-8", "zh_CN.UTF-8"].into_iter().enumerate() {
            let said = ask(&home, &reference(&[(0, fault)]).ports, lang);
            assert_eq!(note(&said.gateway["notes"], code), [text[n], act[n]], "{fault:?}");
            assert_eq!(said.gateway["side"], "cannot_tell", "{fault:?} settles nothing");
        }
    }
}
