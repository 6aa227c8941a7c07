#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::domain::{Boot, Wall};
use serde_json::json;

struct Play {
    a: Attempt,
    now: Instant,
}

fn row(status: &str) -> Instance {
    Instance::read(&json!({"name":"shop","connectionStatus":status})).unwrap()
}
fn qr(session: &str, n: u32) -> Box<str> {
    format!("2@ref{n},noise-{session},ident-{session},adv-{session}").into()
}
fn polled(session: &str, n: u32, pairing: Option<&str>) -> Heard {
    Heard::Connected(Ok(Connect::Code { code: qr(session, n), pairing: pairing.map(Into::into), count: Some(3) }))
}
fn told(session: &str, n: u32, pairing: Option<&str>) -> Heard {
    Heard::Event(What::Qr { code: qr(session, n), pairing: pairing.map(Into::into) })
}
fn state(s: &str) -> Heard {
    Heard::State(Ok(Some(s.into())))
}
fn update(s: &str, code: Option<i64>) -> Heard {
    Heard::Event(What::Connection { state: s.into(), code })
}

impl Play {
    fn of(method: Method, memory: &str) -> Self {
        let now = Instant::now();
        let want = Want { method, number: (method == Method::Code).then(|| "5511999990001".into()), wipe_spoilt: false };
        let row = row(memory);
        let a = Attempt::new(want, &Start { row: &row, state: Some(memory), known: &[], ours: None }, now);
        Self { a, now }
    }
    fn stamp(&self) -> Stamp {
        Stamp { wall: Wall(0), boot: Some((1, Boot(0))) }
    }
    fn on(&mut self, h: Heard) -> Vec<String> {
        let stamp = self.stamp();
        self.a.on(h, self.now, stamp);
        self.said()
    }
    /// Lets time pass, answering every question for the state with `memory` and every look with `look`.
    fn pass(&mut self, seconds: u64, memory: &str, look: impl Fn() -> Heard) -> Vec<String> {
        let end = self.now + Duration::from_secs(seconds);
        let mut all = Vec::new();
        let mut steps = 0;
        while self.a.wake() <= end && !self.a.over() {
            steps += 1;
            assert!(steps < 2_000, "it spins");
            self.now = self.now.max(self.a.wake());
            let stamp = self.stamp();
            self.a.tick(self.now, stamp);
            let mut todo = self.a.take();
            while let Some(d) = (!todo.is_empty()).then(|| todo.remove(0)) {
                let answer = match &d {
                    Do::State => Some(state(memory)),
                    Do::Connect => Some(look()),
                    Do::Row => Some(Heard::Row(Ok(Some(row(memory))))),
                    _ => None,
                };
                all.push(name(&d));
                if let Some(h) = answer {
                    self.a.on(h, self.now, stamp);
                    todo.extend(self.a.take());
                }
            }
        }
        self.now = end;
        all
    }
    fn said(&mut self) -> Vec<String> {
        self.a.take().iter().map(name).collect()
    }
}

fn name(d: &Do) -> String {
    match d {
        Do::Offer(o) => format!("offer {:?}", o.fresh()),
        Do::Failed(r) => format!("failed {}", r.code.name()),
        Do::Waiting(r) => format!("waiting {}", r.code.name()),
        Do::Discarded(_) => "discarded".into(),
        Do::NeedsWipe(r) => format!("needs {}", r.code.name()),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_lowercase(),
    }
}
fn has(said: &[String], what: &str) -> bool {
    said.iter().any(|s| s == what)
}

#[tokio::test(start_paused = true)]
async fn from_close_one_request_goes_out_and_the_first_event_is_the_offer() {
    let mut p = Play::of(Method::Code, "close");
    assert_eq!(p.said(), ["waiting asking", "connect"]);
    assert!(p.on(update("connecting", Some(200))).is_empty());
    // The stale answer of recording 45 comes before or after the event: it is never offered.
    assert!(!has(&p.on(polled("old", 1, Some("7F5TJAGR"))), "offer NewIdentity"));
    let said = p.on(told("new", 2, Some("DY9E2PHS")));
    assert!(has(&said, "offer Event") && has(&said, "discarded"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nothing_proves_is_offered_only_as_unproven_after_a_minute() {
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(polled("x", 1, None));
    let said = p.pass(58, "connecting", || polled("x", 1, None));
    assert!(!said.iter().any(|s| s.starts_with("offer")), "{said:?}");
    let said = p.pass(4, "connecting", || polled("x", 1, None));
    assert!(has(&said, "offer Presumed"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_zombies_close_is_not_believed_while_memory_says_otherwise() {
    let mut p = Play::of(Method::Code, "close");
    p.said();
    p.on(told("new", 1, Some("DY9E2PHS")));
    p.on(Heard::Connected(Ok(Connect::NotYet)));
    assert_eq!(p.on(update("close", Some(401))), ["state"]);
    assert!(p.on(state("connecting")).is_empty());
    assert!(!p.a.over());
}

#[tokio::test(start_paused = true)]
async fn a_close_with_401_during_a_code_attempt_is_a_spoilt_session() {
    let mut p = Play::of(Method::Code, "close");
    p.said();
    p.on(told("new", 1, Some("DY9E2PHS")));
    p.on(polled("new", 1, Some("DY9E2PHS")));
    p.on(update("close", Some(401)));
    assert_eq!(p.on(state("close")), ["row"]);
    assert_eq!(p.on(Heard::Row(Ok(Some(row("close"))))), ["failed attempt_spoilt"]);
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_seen_by_the_reconnect_and_an_end_of_refs_is_not_a_scan() {
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(told("new", 1, None));
    assert!(has(&p.on(update("connecting", Some(200))), "scanned"));
    assert_eq!(p.on(state("open")), ["linked"]);
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(told("new", 1, None));
    p.now += Duration::from_secs(44);
    assert!(!has(&p.on(update("connecting", Some(200))), "scanned"));
}

#[tokio::test(start_paused = true)]
async fn a_standing_session_is_ended_for_a_code_only_after_it_showed_codes() {
    let mut p = Play::of(Method::Code, "connecting");
    p.said();
    p.on(polled("old", 1, None));
    let said = p.pass(3, "connecting", || polled("old", 1, None));
    assert!(!has(&said, "logout"), "{said:?}");
    let said = p.on(told("old", 2, None));
    assert!(has(&said, "logout"), "{said:?}");
    assert!(p.on(Heard::LoggedOut(Ok(()))).contains(&"state".to_owned()));
    assert!(has(&p.on(state("close")), "connect"));
    assert_eq!(p.on(polled("old", 2, Some("7F5TJAGR"))), ["discarded"]);
    let said = p.on(polled("new", 3, Some("DY9E2PHS")));
    assert!(has(&said, "offer NewIdentity"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_code_is_dead_at_its_end_and_said_to_be_once() {
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(told("new", 1, None));
    p.on(polled("new", 1, None));
    let said = p.pass(50, "connecting", || polled("new", 1, None));
    assert_eq!(said.iter().filter(|s| *s == "expired").count(), 1, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_ends_the_attempt_and_a_short_absence_does_not() {
    let gone = || Heard::State(Err(Reason::new(ReasonCode::Unreachable)));
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(polled("x", 1, None));
    p.on(gone());
    p.now += Duration::from_secs(30);
    p.on(gone());
    assert!(!p.a.over());
    p.now += Duration::from_secs(31);
    assert_eq!(p.on(gone()), ["failed unreachable"]);
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    assert_eq!(p.on(Heard::State(Err(Reason::new(ReasonCode::CredentialRefused)))), ["failed credential_refused"]);
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_the_server_refuses_with_200_says_so() {
    let mut p = Play::of(Method::Qr, "close");
    p.said();
    p.on(Heard::Connected(Ok(Connect::Refused("boom".into()))));
    let said = p.pass(10, "close", || polled("x", 1, None));
    assert!(has(&said, "failed server_refused"), "{said:?}");
}
