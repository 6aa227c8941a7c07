//! Recorded answers with damage done to them: read or refused, and nothing of them reaches a screen as it came.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    domain::Payload,
    hostile::{config, document, fine, fit_to_draw, recorded, reply},
};
use proptest::prelude::*;

const FILES: [&str; 14] = [
    "04-unknown-instance-state",
    "09-create-bad-number",
    "12-restart-when-close",
    "14-connect-qr-again",
    "17-connectionState-open",
    "19-fetchInstances-open",
    "31-websocket-find",
    "33-webhook-find",
    "34-proxy-find",
    "35-metrics",
    "46-STALE-connect-number-poll-1",
    "49-connect-slow-count-0",
    "53-fetchInstances-mixed",
    "65-bad-json",
];

fn bodies() -> Vec<Vec<u8>> {
    FILES.iter().map(|f| recorded(&format!("evolution/{f}.http"))).collect()
}

fn replies() -> impl Strategy<Value = Vec<u8>> {
    let all = bodies();
    reply(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn the_recordings_that_are_damaged_here_are_read_when_they_are_whole() {
    let read = |b: &[u8]| wire::list(b).is_some() || wire::metrics(b).is_some() || wire::json(b).is_some();
    for (body, file) in bodies().iter().zip(FILES) {
        assert!(read(body), "{file}: {}", String::from_utf8_lossy(body));
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_answers_become_rows_and_reasons_that_can_be_drawn(body in replies()) {
        if let Some(list) = wire::list(&body) {
            let listed = Stamp::wall_only(Wall(START));
            for instance in &list.rows {
                prop_assert!(fit_to_draw(&state::row(&GatewayId::new("wa"), &[3; 32], instance, None, listed)), "{instance:?}");
            }
        }
        for (name, state) in wire::metrics(&body).unwrap_or_default() {
            prop_assert!(name.len() + state.len() <= body.len());
        }
        let Some(v) = wire::json(&body) else { return Ok(()) };
        if let Some(told) = wire::told(&v) {
            prop_assert!(fine(&Reason::new(ReasonCode::ServerRefused).raw(told)));
        }
        if let Some(wire::Connect::Code { code, pairing, .. }) = wire::connect(&v) {
            let _ = fresh::Parts::read(&code);
            let shown = [Payload::qr(&code), pairing.and_then(|p| Payload::code(&p))];
            prop_assert!(shown.iter().flatten().all(|p| p.expose().bytes().all(|b| b.is_ascii_graphic())));
        }
        let _ = wire::state(&v);
    }

    #[test]
    fn settings_of_any_shape_are_taken_over_or_left(
        kind in prop::sample::select(vec!["webhook", "websocket", "proxy", "settings", "x"]),
        before in document(&[serde_json::from_slice(&recorded("evolution/33-webhook-find.http")).unwrap(), serde_json::json!({"enabled": true, "events": ["A"]})]),
        now in document(&[serde_json::from_slice(&recorded("evolution/33-webhook-find.http")).unwrap()]),
    ) {
        if let Some(kept) = settings::essence(kind, &before) {
            let _ = settings::holds(kind, &kept, &now);
            let _ = settings::body(kind, kept);
        }
    }
}
