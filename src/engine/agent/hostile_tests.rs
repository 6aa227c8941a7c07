//! Lines of the socket that nobody of ours wrote: a request, an answer, or nothing; what is read is said back the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Document, Refusal, Request};
use crate::{
    domain::{Reason, ReasonCode},
    hostile::{config, document, fine, reply},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fingerprint() -> String {
    crate::domain::Fingerprint::of(&[3; 32], &crate::domain::Secret::new("accesstoken000001".into())).to_string()
}

fn requests() -> Vec<Value> {
    let whole = Request { target: "corp:ops".into(), min_ttl: 60, ack: true, whose: Some("w".into()), ..Request::default() };
    vec![
        whole.to_json(),
        json!({"v": 1, "target": "ops"}),
        json!({"v": 1, "op": "token", "target": "ops", "rejected": fingerprint(), "strict": true}),
    ]
}

fn answers() -> Vec<Value> {
    let trouble = Reason::new(ReasonCode::RateLimited).raw("45009").with("retry_after", "30");
    let document = json!({
        "v": 1, "name": "ops", "id": "corp:ops", "provider": "wecom", "token": "accesstoken000001", "token_type": "query",
        "issued_at": "2026-11-21T09:00:00Z", "expires_at": "2026-11-21T11:00:00Z", "expires_in": 7200, "generation": 3,
        "fingerprint": fingerprint(), "source": "cache", "trouble": "rate_limited", "trouble_reason": trouble,
    });
    let refusals = [Refusal::Reason(trouble.clone()), Refusal::Unknown, Refusal::Ambiguous(vec!["a:x".into(), "b:x".into()]), Refusal::Malformed];
    std::iter::once(document).chain(refusals.iter().map(Refusal::to_json)).chain([json!({"v": 1, "heard": true})]).collect()
}

fn lines(all: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = all.iter().map(|v| v.to_string().into_bytes()).collect();
    reply(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_request_is_what_it_says_or_none(v in document(&requests())) {
        let Some(request) = Request::from_json(&v) else { return Ok(()) };
        prop_assert_eq!(v["v"].as_u64(), Some(1));
        prop_assert_eq!(v["target"].as_str(), Some(request.target.as_str()));
        for (name, on) in [("strict", request.strict), ("no_fetch", request.no_fetch), ("read_only", request.read_only), ("allow_clock_skew", request.allow_clock_skew)] {
            prop_assert_eq!(v[name].as_bool().unwrap_or(false), on, "{} was guessed", name);
        }
        let back = Request::from_json(&request.to_json()).unwrap();
        prop_assert_eq!(back.to_json(), request.to_json());
    }

    #[test]
    fn a_line_of_any_bytes_is_a_request_or_none(line in lines(requests())) {
        let _ = serde_json::from_slice(&line).ok().as_ref().and_then(Request::from_json);
    }

    #[test]
    fn an_answer_of_any_bytes_is_a_document_a_refusal_or_none(line in lines(answers())) {
        let Ok(v) = serde_json::from_slice::<Value>(&line) else { return Ok(()) };
        if let Some(d) = Document::from_json(&v) {
            prop_assert_eq!(v["token"].as_str(), Some(d.token.expose()));
            prop_assert!(d.trouble.iter().all(fine), "{:?}", d.trouble);
            prop_assert_eq!(Document::from_json(&d.to_line()).unwrap().to_line(), d.to_line());
        }
        match Refusal::from_json(&v) {
            Some(why @ Refusal::Reason(_)) => {
                prop_assert!(Refusal::from_json(&why.to_json()).is_some());
                let Refusal::Reason(why) = why else { return Ok(()) };
                prop_assert!(fine(&why), "{why:?}");
            }
            Some(why) => prop_assert!(why.exit() > 0),
            None => {}
        }
    }
}

#[test]
fn the_lines_that_are_damaged_here_are_read_when_they_are_whole() {
    assert!(requests().iter().all(|v| Request::from_json(v).is_some()));
    assert!(answers()[..1].iter().all(|v| Document::from_json(v).is_some()));
    assert!(answers()[1..5].iter().all(|v| Refusal::from_json(v).is_some()));
}
