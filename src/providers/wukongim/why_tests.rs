#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::{
    domain::{GatewayId, RemoteId, Secret},
    i18n::Lang,
    store::config::WuKongIm,
};

const KEY: [u8; 32] = [7; 32];
/// 2026-11-21T07:40:20.884Z, as in the recordings.
const AT_NS: i64 = 1_795_246_820_884_164_860;

fn row(flag: u8, level: u8, token: &str) -> Device {
    Device {
        id: 1,
        uid: "u1".into(),
        token: (!token.is_empty()).then(|| Secret::new(token.into())),
        hidden: false,
        flag,
        level,
        created_ns: AT_NS - 3_600_000_000_000,
        updated_ns: AT_NS,
    }
}

/// A row whose token was set once and never again.
fn once(flag: u8, token: &str) -> Device {
    Device { created_ns: AT_NS, ..row(flag, 0, token) }
}

fn seen(devices: Vec<Device>) -> Seen {
    Seen { version: Version::V2 { text: None, kick: true }, devices: Some(devices), online: vec![], conns: vec![], system: false }
}

fn token(n: u8) -> String {
    format!("token-{n}-CANARY-of-thirty-two-chars")
}

/// A line as v2 writes it, `ms` after the row was written.
fn differ(expected: &str, given: &str, ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(AT_NS / 1_000_000 + ms).unwrap();
    format!(
        r#"{{"level":"error","time":"{time}","msg":"【handler】token verify fail","uid":"u1","sourceNodeId":1001,"expectToken":"{expected}","actToken":"{given}"}}"#
    )
}

struct Case<'a> {
    uid: &'a str,
    device: Option<&'a str>,
    slot: Option<&'a str>,
    sdk: Option<&'a str>,
    token: Option<String>,
    log: Option<String>,
}

const BARE: Case<'static> = Case { uid: "u1", device: None, slot: None, sdk: None, token: None, log: None };

fn judged(case: &Case<'_>, seen: &Seen) -> Diagnosis {
    let settings = WuKongIm { flags: vec![("iOS".into(), 5)], ..WuKongIm::default() };
    let flags = Flags::new(&settings);
    let mut at = Target::account(&GatewayId::new("im"), &RemoteId::new(case.uid));
    at.device = case.device.map(RemoteId::new);
    let claim = Claim {
        slot: case.slot.map(Into::into),
        sdk: case.sdk.map(Into::into),
        token: case.token.clone().map(Secret::new),
        log: case.log.clone().map(Secret::new),
        level: None,
    };
    let asked = asked(&at, &claim, &flags).expect("can be read");
    let found = judge::judge(&asked, seen, &flags, &KEY);
    assert!(!format!("{found:?}").contains("CANARY"), "a token is shown: {found:?}");
    found
}

fn code(case: &Case<'_>, seen: &Seen) -> Option<ReasonCode> {
    judged(case, seen).reason.map(|r| r.code)
}

fn sentence(case: &Case<'_>, seen: &Seen) -> String {
    judged(case, seen).reason.map(|r| crate::i18n::reason::sentence(&r, Lang::En)).unwrap_or_default()
}

#[test]
fn every_row_of_the_table_gives_its_verdict() {
    use ReasonCode as C;
    let app = || vec![row(0, 1, &token(0))];
    let two = || vec![row(0, 1, &token(0)), row(1, 0, &token(1))];
    let t = |n| Some(token(n));
    let online = |devices, flag| Seen { online: vec![flag], ..seen(devices) };
    let table: Vec<(&str, Case<'_>, Seen, Option<C>)> = vec![
        ("no row for the flag, another has one", Case { slot: Some("1"), ..BARE }, seen(app()), Some(C::FlagMismatch)),
        ("the same by the library's default", Case { sdk: Some("js"), device: Some("0"), ..BARE }, seen(app()), Some(C::FlagMismatch)),
        ("the token of another flag", Case { slot: Some("WEB"), token: t(0), ..BARE }, seen(two()), Some(C::FlagMismatch)),
        ("no row at all", Case { slot: Some("0"), ..BARE }, seen(vec![]), Some(C::NeverIssued)),
        ("no row, no flag", BARE, seen(vec![]), Some(C::NeverIssued)),
        ("no row for the flag, others are empty", Case { slot: Some("5"), ..BARE }, seen(vec![row(0, 1, "")]), Some(C::NeverIssued)),
        ("an empty row", Case { device: Some("0"), token: t(0), ..BARE }, seen(vec![row(0, 1, "")]), Some(C::TokenWiped)),
        ("only empty rows, no flag", BARE, seen(vec![row(0, 1, "")]), Some(C::TokenWiped)),
        ("another token on the row", Case { device: Some("APP"), token: t(9), ..BARE }, seen(two()), Some(C::TokenOverwritten)),
        ("a token on no row, no flag", Case { token: t(9), ..BARE }, seen(two()), Some(C::TokenOverwritten)),
        ("equal", Case { device: Some("0"), token: t(0), ..BARE }, seen(two()), None),
        ("equal, no flag", Case { token: t(1), ..BARE }, seen(two()), None),
        ("nothing to compare", Case { device: Some("0"), ..BARE }, seen(two()), None),
        ("an empty token", Case { device: Some("0"), token: Some(String::new()), ..BARE }, seen(two()), Some(C::TokenEmpty)),
        ("a visitor", Case { uid: "g1___vstr", ..BARE }, seen(vec![]), Some(C::VisitorUid)),
        ("v3", Case { device: Some("0"), token: t(9), ..BARE }, Seen { version: Version::V3, ..seen(app()) }, Some(C::ChecksOff)),
        ("online without a row", Case { slot: Some("5"), ..BARE }, online(app(), 5), Some(C::ChecksOff)),
        ("online with an empty row", Case { slot: Some("0"), ..BARE }, online(vec![row(0, 1, "")], 0), Some(C::ChecksOff)),
        (
            "a ban, from the log alone",
            Case { log: Some(r#"{"msg":"【handler】device is ban","uid":"u1"}"#.into()), ..BARE },
            seen(two()),
            Some(C::Banned),
        ),
    ];
    for (name, case, seen, expected) in &table {
        assert_eq!(code(case, seen), *expected, "{name}: {:?}", judged(case, seen));
    }
}

#[test]
fn nothing_is_called_right_that_was_not_compared() {
    let two = || seen(vec![row(0, 1, &token(0)), row(1, 0, &token(1))]);
    let verdict = |case: &Case<'_>| judged(case, &two()).verdict().code;
    assert_eq!(verdict(&Case { device: Some("0"), token: Some(token(0)), ..BARE }), ReasonCode::NothingAgainst);
    assert_eq!(verdict(&Case { device: Some("0"), ..BARE }), ReasonCode::NotCompared, "no token of the client");
    assert_eq!(verdict(&Case { token: Some(token(0)), ..BARE }), ReasonCode::NotCompared, "no flag of the client");
    assert_eq!(verdict(&BARE), ReasonCode::NotCompared);
}

#[test]
fn a_token_that_was_set_once_was_overwritten_by_nobody() {
    let case = Case { device: Some("1"), token: Some(token(9)), ..BARE };
    assert_eq!(sentence(&case, &seen(vec![once(1, &token(1))])), "WEB 1 never had this token: its only one was set at 2026-11-21T07:40:20Z.");
    assert_eq!(code(&case, &seen(vec![row(1, 0, &token(1))])), Some(ReasonCode::TokenOverwritten), "set again since");
}

#[test]
fn a_uid_that_no_server_takes_is_the_cause() {
    assert_eq!(code(&Case { uid: "a@b", ..BARE }, &seen(vec![])), Some(ReasonCode::BadTarget));
}

#[test]
fn a_pasted_line_tells_the_flag_by_the_token_that_the_server_expected() {
    let two = seen(vec![row(0, 1, &token(0)), row(1, 0, &token(1))]);
    // The client sends the token of APP, the server compares with the one of WEB: so it logs in as WEB.
    let wrong_flag = Case { log: Some(differ(&token(1), &token(0), 60_000)), ..BARE };
    assert_eq!(sentence(&wrong_flag, &two), "The client logs in with flag 1; its token is on flag 0.");
    let overwritten = Case { log: Some(differ(&token(0), &token(9), 60_000)), ..BARE };
    assert_eq!(sentence(&overwritten, &two), "A later login on the same flag replaced this token.");
    let no_row = r#"{"level":"error","msg":"【handler】get device token err","error":"not found","uid":"u1","deviceFlag":"2"}"#;
    assert_eq!(sentence(&Case { log: Some(no_row.into()), ..BARE }, &two), "The client logs in with flag 2; its token is on flag 0, 1.");
    let wiped = Case { log: Some(differ("", &token(0), 60_000)), device: Some("0"), ..BARE };
    assert_eq!(code(&wiped, &seen(vec![row(0, 1, "")])), Some(ReasonCode::TokenWiped));
}

#[test]
fn a_client_that_tried_before_its_token_existed_is_told_by_how_much() {
    let seen = seen(vec![row(0, 1, &token(0))]);
    let case = |ms| Case { device: Some("0"), log: Some(differ("", &token(0), ms)), ..BARE };
    assert_eq!(sentence(&case(-4_200), &seen), "The client tried 5 s before the token existed.");
    let told = judged(&case(-4_200), &seen).lines;
    assert!(told.iter().any(|l| l.text.text(Lang::En) == "Both times are the server's own clock: the log's and the row's."), "{told:?}");
    assert_eq!(code(&case(60_000), &seen), None, "after it, the same token is no cause");
    // v1's time has no zone: nothing is concluded from it.
    let v1 = format!(
        r#"{{"time":"2026-11-21 07:00:00","msg":"【Processor】token verify fail","expectToken":"","actToken":"{}","conn":"Conn[6] uid= fd={{28}} deviceFlag=APP deviceLevel=Slave deviceID="}}"#,
        token(0)
    );
    assert_eq!(code(&Case { device: Some("0"), log: Some(v1), ..BARE }, &seen), None);
}

#[test]
fn on_v1_the_line_is_all_there_is() {
    let v1 = || Seen { version: Version::V1, devices: None, ..seen(vec![]) };
    let conn = r#""conn":"Conn[6] uid= fd={28} deviceFlag=APP deviceLevel=Slave deviceID=""#;
    let log =
        |expected: &str| Some(format!(r#"{{"msg":"【Processor】token verify fail","expectToken":"{expected}","actToken":"{}",{conn}}}"#, token(0)));
    assert_eq!(code(&Case { log: log(""), ..BARE }, &v1()), Some(ReasonCode::NeverIssued));
    assert_eq!(code(&Case { log: log(&token(1)), ..BARE }, &v1()), Some(ReasonCode::TokenOverwritten));
    assert_eq!(code(&BARE, &v1()), None);
}

#[test]
fn garbage_and_the_line_of_somebody_else_say_so_and_decide_nothing() {
    let two = seen(vec![row(0, 1, &token(0)), row(1, 0, &token(1))]);
    for (log, words) in [
        ("hello".to_owned(), "The pasted text holds no refused login; a line with `token verify fail` or `get device token err` is needed."),
        (differ(&token(0), &token(1), 0).replace("\"u1\"", "\"u2\""), "The pasted line is about another uid: u2."),
    ] {
        let found = judged(&Case { log: Some(log), ..BARE }, &two);
        assert_eq!(found.lines[0].text.text(Lang::En), words);
        assert_eq!(found.reason, None);
    }
}

#[test]
fn what_cannot_be_read_as_a_flag_is_refused_before_anybody_is_asked() {
    let settings = WuKongIm::default();
    let flags = Flags::new(&settings);
    let at = Target::account(&GatewayId::new("im"), &RemoteId::new("u1"));
    for (claim, words) in [
        (Claim { slot: Some("300".into()), ..Claim::default() }, "flag 300 cannot be used here: 0…255."),
        (Claim { sdk: Some("perl".into()), ..Claim::default() }, "sdk perl cannot be used here: native, js."),
    ] {
        assert_eq!(asked(&at, &claim, &flags).err().map(|r| crate::i18n::reason::sentence(&r, Lang::En)).as_deref(), Some(words));
    }
}

#[test]
fn the_whole_page_reads_well_in_both_languages() {
    let conn = Conn {
        id: 3,
        uid: "u1".into(),
        ip: "10.0.9.2".into(),
        port: 4,
        device_id: "77c0".into(),
        idle: "1s".into(),
        uptime: "1m2s".into(),
        label: "App(主)".into(),
        node_id: 1,
        leader_id: 1,
        version: 4,
    };
    let seen = Seen { online: vec![0], conns: vec![conn], system: true, ..seen(vec![row(0, 1, &token(0)), row(1, 0, ""), row(5, 0, &token(5))]) };
    let mut text = String::new();
    for lang in [Lang::En, Lang::Zh] {
        for case in [
            Case { device: Some("0"), log: Some(differ(&token(0), &token(9), 1_000)), ..BARE },
            Case { device: Some("5"), token: Some(token(5)), ..BARE },
            Case { sdk: Some("js"), token: Some(token(0)), ..BARE },
        ] {
            let found = judged(&case, &seen);
            for l in &found.lines {
                text.push_str(&format!("{:?}  {}\n", l.mark, l.text.text(lang)));
            }
            let why = found.verdict();
            text.push_str(&format!(
                "=> {}\n   {}\n\n",
                crate::i18n::reason::sentence(&why, lang),
                crate::i18n::reason::remedy_sentence(&why, lang).unwrap_or_default()
            ));
        }
    }
    insta::assert_snapshot!(text);
}
