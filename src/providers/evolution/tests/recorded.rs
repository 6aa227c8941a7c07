//! What a real server was recorded to answer, read by the decoders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// The JSON body of a recording of a real 2.3.7 server.
fn recorded(name: &str) -> serde_json::Value {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/evolution");
    let text = std::fs::read_to_string(dir.join(format!("{name}.http"))).unwrap_or_else(|e| panic!("{name}: {e}"));
    let answer = text.split_once("\nHTTP/1.1 ").unwrap().1;
    let body = answer.replace("\r\n", "\n");
    let body = body.split_once("\n\n").unwrap().1.rsplit_once("\n# took").unwrap().0;
    serde_json::from_str(body.trim()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn recorded_lists_are_read_whole() {
    for (name, n) in [("03-fetchInstances-empty", 0), ("19-fetchInstances-open", 1), ("22-fetchInstances-instance-token", 1)] {
        let l = wire::list(recorded(name).to_string().as_bytes()).unwrap();
        assert_eq!((l.rows.len(), l.broken), (n, 0), "{name}");
    }
    for name in ["53-fetchInstances-mixed", "69-fetchInstances-final", "70-after-server-restart", "74-fetchInstances-after-qr-limit"] {
        let l = wire::list(recorded(name).to_string().as_bytes()).unwrap();
        assert!(!l.rows.is_empty() && l.broken == 0, "{name}");
        assert!(l.rows.iter().all(|r| r.id.is_some() && r.token.is_some() && r.created.is_some()), "{name}");
    }
    let mixed = wire::list(recorded("53-fetchInstances-mixed").to_string().as_bytes()).unwrap();
    let spoilt = mixed.rows.iter().find(|r| &*r.name == "shop-d").unwrap();
    assert_eq!((spoilt.code, spoilt.told.as_deref(), spoilt.disconnected.is_some()), (Some(401), Some("Connection Failure"), true));
}

#[test]
fn the_recorded_stale_code_is_stale_and_the_next_one_is_fresh() {
    let code = |name: &str| match wire::connect(&recorded(name)).unwrap() {
        wire::Connect::Code { code, pairing, .. } => (fresh::Parts::read(&code).unwrap(), pairing.unwrap()),
        other => panic!("{name}: {other:?}"),
    };
    let (before, _) = code("43-connect-number-first-after-logout");
    let (stale, old) = code("45-STALE-connect-number-first");
    let (right, new) = code("46-STALE-connect-number-poll-1");
    assert!(before.keys == stale.keys && old != new);
    let mut proof = fresh::Proof::default();
    proof.know(before.keys);
    proof.ended();
    proof.request();
    assert_eq!(proof.judge(stale, fresh::Via::Poll, false), fresh::Judged::Stale);
    assert_eq!(proof.judge(right, fresh::Via::Poll, false), fresh::Judged::Fresh(Fresh::NewIdentity));
    let mut blind = fresh::Proof::default();
    blind.request();
    assert_eq!(blind.judge(stale, fresh::Via::Poll, false), fresh::Judged::Open);
    assert_eq!(blind.judge(right, fresh::Via::Poll, false), fresh::Judged::Fresh(Fresh::NewIdentity));
}

#[test]
fn recorded_answers_are_judged_by_shape() {
    assert!(matches!(wire::connect(&recorded("12-restart-when-close")), Some(wire::Connect::Refused(_))));
    assert_eq!(wire::connect(&recorded("49-connect-slow-count-0")), Some(wire::Connect::NotYet));
    assert_eq!(wire::connect(&recorded("18-connect-when-open")), Some(wire::Connect::State("open".into())));
    assert!(matches!(wire::connect(&recorded("15-connect-number-while-connecting")), Some(wire::Connect::Code { pairing: None, .. })));
    assert_eq!(wire::state(&recorded("73-state-after-qr-limit")).as_deref(), Some("close"));
    for (name, part) in [("01-no-apikey", "Unauthorized"), ("09-create-bad-number", "number"), ("11-logout-when-close", "not connected")] {
        assert!(wire::told(&recorded(name)).unwrap().contains(part), "{name}");
    }
    let kept = settings::essence("webhook", &recorded("33-webhook-find")).unwrap();
    assert!(settings::holds("webhook", &kept, &recorded("33-webhook-find")));
    assert_eq!(settings::essence("proxy", &recorded("34-proxy-find")), None);
}
