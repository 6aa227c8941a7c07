#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use proptest::prelude::*;

/// As a 2.2.5 node writes it.
const V2: &str = r#"{"level":"error","time":"2026-11-21T09:14:08.65389738+08:00","msg":"【handler】token verify fail","uid":"u-10024","sourceNodeId":1001,"expectToken":"c0e215c0dd194cc589659150dc4e7a6a","actToken":"1ff7f2dbfdcf469797145377f5b18af2"}"#;
/// As 1.2.6 writes it: before it has filled in who logs in.
const V1: &str = r#"{"level":"error","time":"2026-11-21 09:47:07","msg":"【Processor】token verify fail","expectToken":"","actToken":"xxxx","conn":"Conn[6] uid= fd={28} deviceFlag=APP deviceLevel=Slave deviceID="}"#;

fn secret(s: &str) -> Option<Secret> {
    Some(Secret::new(s.into()))
}

fn one(text: &str) -> Line {
    let mut all = read(&Secret::new(text.into()));
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn differ() -> What {
    What::Differ { expected: secret("c0e215c0dd194cc589659150dc4e7a6a"), given: secret("1ff7f2dbfdcf469797145377f5b18af2") }
}

#[test]
fn the_line_of_v2_tells_uid_both_tokens_and_the_instant_but_no_flag() {
    let l = one(V2);
    assert_eq!(l.what, differ());
    assert_eq!((l.uid.as_deref(), l.flag), (Some("u-10024"), None));
    assert_eq!(l.at, Some(At::Instant(Wall::parse("2026-11-21T01:14:08.653Z").unwrap())));
}

#[test]
fn the_flag_in_the_line_of_v1_is_no_evidence_while_its_uid_is_empty() {
    let l = one(V1);
    assert_eq!(l.what, What::Differ { expected: secret(""), given: secret("xxxx") });
    assert_eq!((l.uid, l.flag), (None, None));
    assert!(matches!(l.at, Some(At::Local(_))), "{:?}", l.at);
    let known = one(&V1.replace("uid= fd", "uid=u 7 fd").replace("deviceFlag=APP", "deviceFlag=5"));
    assert_eq!((known.uid.as_deref(), known.flag), (Some("u 7"), Some(5)));
}

#[test]
fn the_other_refusals_are_told_apart() {
    for (line, what, flag) in [
        (
            r#"{"level":"error","time":"2026-11-21T07:38:40Z","msg":"【handler】get device token err","error":"not found","uid":"u1","deviceFlag":"2","sourceNodeId":1001}"#,
            What::NoRow,
            Some(2),
        ),
        (
            r#"{"level":"error","msg":"【handler】get device token err","error":"not found","uid":"u1","deviceFlag":"WEB","sourceNodeId":1001}"#,
            What::NoRow,
            Some(1),
        ),
        (r#"{"level":"error","msg":"【handler】token is empty","uid":"u1","sourceNodeId":1001}"#, What::Empty, None),
        (r#"{"level":"error","msg":"【handler】device is ban","uid":"u1"}"#, What::Banned, None),
        (r#"{"level":"error","msg":"【handler】manager token verify fail","uid":"____manager","token":"CANARYCANARYCANARY"}"#, What::Manager, None),
    ] {
        let l = one(line);
        assert_eq!((&l.what, l.flag), (&what, flag), "{line}");
        assert!(!format!("{l:?}").contains("CANARY"));
    }
}

#[test]
fn what_surrounds_the_line_does_not_matter() {
    let wrapped = serde_json::json!({ "log": format!("{V2}\n"), "stream": "stdout", "time": "2026-11-21T01:14:09Z" }).to_string();
    let broken = format!("{}\n{}", &V2[..150], &V2[150..]);
    let console = "2026-11-21T09:14:08+08:00\terror\t【handler】token verify fail\t{\"uid\": \"u-10024\", \"sourceNodeId\": 1001, \"expectToken\": \"c0e215c0dd194cc589659150dc4e7a6a\", \"actToken\": \"1ff7f2dbfdcf469797145377f5b18af2\"}";
    for text in
        [format!("2026-11-21T01:14:08.654047160Z {V2}"), wrapped, broken, V2[40..].to_owned(), V2[..V2.len() - 2].to_owned(), console.to_owned()]
    {
        let l = one(&text);
        assert_eq!(l.what, differ(), "{text}");
        assert_eq!(l.uid.as_deref(), Some("u-10024"), "{text}");
    }
}

#[test]
fn of_several_lines_each_is_read_and_others_are_passed_over() {
    let text = format!("{V1}\n{{\"level\":\"info\",\"msg\":\"hello\"}}\n\n{V2}\n");
    let all = read(&Secret::new(text));
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].what, differ());
    assert!(read(&Secret::new("good morning".into())).is_empty());
}

#[test]
fn the_log_of_a_real_node_is_read_line_by_line() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/wukongim/server_log.txt");
    let all = read(&Secret::new(std::fs::read_to_string(file).unwrap()));
    let told: Vec<(&str, Option<u8>, &str)> = all
        .iter()
        .map(|l| {
            let what = match &l.what {
                What::Differ { expected: Some(e), given: Some(_) } if e.is_empty() => "wiped",
                What::Differ { expected: Some(_), given: Some(_) } => "differ",
                What::Differ { .. } => "cut",
                What::NoRow => "no row",
                What::Empty => "empty",
                What::Banned => "banned",
                What::Manager => "manager",
            };
            (l.uid.as_deref().unwrap_or("?"), l.flag, what)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("real1", None, "differ"),
            ("alice", None, "wiped"),
            ("bob", Some(1), "no row"),
            ("dave", None, "banned"),
            ("erin", Some(7), "no row"),
            ("erin", Some(99), "no row"),
            ("erin", Some(2), "no row"),
            ("____manager", None, "manager"),
        ]
    );
    assert!(all.iter().all(|l| matches!(l.at, Some(At::Instant(_)))));
}

#[test]
fn the_echo_of_a_refusal_tells_nothing_and_several_lines_in_one_are_read_each() {
    let echo = r#"{"level":"error","time":"2026-11-21T15:51:39.065523497+00:00","msg":"【handler】handle connect err","error":"token verify fail"}"#;
    assert!(read(&Secret::new(echo.into())).is_empty());
    let wrapped = serde_json::json!({ "log": format!("{echo}\n"), "stream": "stdout" }).to_string();
    assert!(read(&Secret::new(wrapped)).is_empty());
    for between in ["\n", " ", ""] {
        let all = read(&Secret::new(format!("{V2}{between}{echo}{between}{V1}{between}{echo}")));
        assert_eq!(all.len(), 2, "{between:?}: {all:?}");
        assert_eq!((&all[0].what, all[0].uid.as_deref()), (&differ(), Some("u-10024")));
        assert_eq!(all[1].what, What::Differ { expected: secret(""), given: secret("xxxx") });
    }
}

#[test]
fn a_uid_that_looks_like_fields_cannot_pass_for_them() {
    let uid = r#"x","expectToken":"forged","actToken":"forged"#;
    let line = serde_json::json!({ "msg": "【handler】token verify fail", "uid": uid, "expectToken": "real-1", "actToken": "real-2" }).to_string();
    for text in [line.clone(), line[..line.len() - 1].to_owned()] {
        assert_eq!(one(&text).what, What::Differ { expected: secret("real-1"), given: secret("real-2") }, "{text}");
    }
}

proptest! {
    #[test]
    fn no_paste_makes_it_panic_or_show_a_token(
        before in ".{0,40}", between in ".{0,40}", after in "(.|\n){0,80}", cut in 0usize..300, token in "[A-Za-z0-9]{24}"
    ) {
        let text = format!(r#"{before}{{"msg":"token verify fail","uid":"u1",{between}"expectToken":"{token}","conn":"Conn[1] uid=x fd={{1}} deviceFlag=9","actToken":"{token}"{after}"#);
        for part in [text.get(cut..).unwrap_or_default().to_owned(), text.get(..cut).unwrap_or_default().to_owned(), text] {
            let told = format!("{:?}", read(&Secret::new(part)));
            prop_assert!(!told.contains(&token), "{told}");
        }
    }

    #[test]
    fn any_text_is_survived(text in "(.|\n){0,400}", phrase in 0usize..7) {
        let _ = read(&Secret::new(text.clone()));
        let _ = read(&Secret::new(format!("{}{text}", PHRASES[phrase])));
    }
}
