//! `pair`: codes, pictures, retries, the gate, spoilt sessions.

use crate::{
    fleet::{WA_KEY, one, scanning, two},
    support::house::{Home, Servers, instance, quick, until},
};
use pairdeck::sandbox::{Past, Settings, Timing};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::Child,
    time::Duration,
};

const EVENTS: [&str; 10] = ["waiting", "offer", "discarded", "expired", "hidden", "blocked", "scanned", "ask", "linked", "failed"];

#[track_caller]
fn checked(lines: Vec<Value>) -> Vec<Value> {
    for l in &lines {
        assert_eq!(l["v"], 1, "{l}");
        assert!(EVENTS.contains(&l["event"].as_str().unwrap()), "{l}");
        if l["event"] == "offer" {
            for field in ["n", "kind", "payload", "issued_at", "expires_at", "fresh", "clock"] {
                assert!(!l[field].is_null(), "{field} is missing in {l}");
            }
        }
    }
    lines
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["event"] == event).collect()
}

fn connects(servers: &Servers) -> usize {
    servers.asked("wa").iter().filter(|r| r.starts_with("GET /instance/connect/")).count()
}

/// Attempts that run out quickly: the server's limit is two codes, and each lives a moment.
fn hasty() -> Settings {
    let base = quick(WA_KEY);
    Settings { qr_limit: 2, timing: Timing { rotation: Duration::from_millis(300), ..base.timing }, ..base }
}

#[test]
fn a_qr_is_paired_and_its_events_are_those_of_the_contract() {
    let (servers, home) = two();
    let lines = checked(home.run(&["pair", "shop-new", "--qr", "--json"]).exits(0).lines());
    let offer = of(&lines, "offer")[0];
    assert_eq!((&offer["n"], &offer["kind"], &offer["fresh"], &offer["clock"]), (&json!(1), &json!("qr"), &json!("proven"), &json!("ok")));
    assert_eq!(lines.last().unwrap()["event"], "linked");
    assert_eq!(home.run(&["status", "shop-new", "--json"]).exits(0).json()["state"], "online");
    // Pairing what is online already is what the caller wanted; nothing is sent.
    servers.gateway("wa").clear_requests();
    home.run(&["pair", "shop-new", "--json"]).exits(0);
    assert_eq!(connects(&servers), 0);
    home.keeps_secrets();
}

#[test]
fn in_a_pipe_the_qr_is_drawn_with_its_caption_and_can_be_scanned() {
    let (_servers, home) = two();
    let ran = home.run(&["pair", "shop-new"]).exits(0).says(&["phone: ", "clock ok"]);
    assert!(ran.stdout.contains("QR 1  dies"), "{}", ran.stdout);
    assert!(ran.stdout.contains("paired  shop-new  in"), "{}", ran.stdout);
    let rows = ran.stdout.lines().take_while(|l| !l.starts_with("QR ")).count();
    assert!(rows > 20, "{}", ran.stdout);
}

#[test]
fn a_code_is_for_the_number_that_was_given() {
    let (_servers, home) = two();
    let lines = checked(home.run(&["pair", "shop-out", "--code", "--number", "+55 (11) 99999-0001", "--json"]).exits(0).lines());
    let offer = of(&lines, "offer")[0];
    assert_eq!((&offer["kind"], offer["payload"].as_str().unwrap().len(), &offer["fresh"]), (&json!("code"), 8, &json!("proven")));
    let ran = home.run(&["pair", "shop-out", "--code"]).exits(2).says(&["--number"]);
    assert_eq!(ran.stdout, "");
    home.run(&["pair", "shop-new", "--code", "--number", "12x"]).exits(2).says(&["5511999990001"]);
    home.run(&["pair", "shop-new", "--qr", "--code", "--number", "5511999990001"]).exits(2);
}

#[test]
fn the_picture_is_the_owners_alone_and_holds_the_offer() {
    let (_servers, home) = two();
    let png = home.file("qr.png");
    let lines = checked(home.run(&["pair", "shop-new", "--png", png.to_str().unwrap(), "--json"]).exits(0).lines());
    assert_eq!(std::fs::metadata(&png).unwrap().permissions().mode() & 0o777, 0o600);
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&png).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let (width, bits) = (info.width as usize, info.bit_depth as usize);
    let pixel = |x: usize, y: usize| {
        let at = y * info.line_size + x * bits / 8;
        if bits == 8 { bytes[at * info.color_type.samples()] } else { ((bytes[at] >> (7 - x % 8)) & 1) * 255 }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, info.height as usize, pixel);
    let (_, payload) = image.detect_grids()[0].decode().unwrap();
    assert_eq!(payload, of(&lines, "offer").last().unwrap()["payload"]);
}

#[test]
fn a_clock_that_is_far_off_ends_with_7_and_nothing_was_sent() {
    let (servers, home) = two();
    servers.gateway("wa").skew(Some(10_800.0));
    let lines = checked(home.run(&["pair", "shop-new", "--json"]).exits(7).lines());
    assert_eq!(lines.last().unwrap()["event"], "blocked");
    assert_eq!(lines.last().unwrap()["clock"]["verdict"], "blocked");
    assert!(of(&lines, "offer").is_empty());
    assert_eq!(connects(&servers), 0);
    home.run(&["pair", "shop-new"]).exits(7).says(&["clock"]);
    assert_eq!(connects(&servers), 0);
    // The override covers one attempt and is kept.
    let lines = checked(home.run(&["pair", "shop-new", "--allow-clock-skew", "--json"]).exits(0).lines());
    assert_eq!(of(&lines, "offer")[0]["overridden"], true);
    let history = home.run(&["history", "--pairing", "--json"]).exits(0).json();
    let last = history["lines"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["overridden"], &last["clock"], &last["outcome"]), (&json!(true), &json!("blocked"), &json!("linked")), "{last}");
}

#[test]
fn an_unknown_clock_goes_on_and_says_so() {
    let (servers, home) = two();
    servers.gateway("wa").date(pairdeck::sandbox::DateMode::Missing);
    let lines = checked(home.run(&["pair", "shop-new", "--json"]).exits(0).lines());
    assert_eq!(of(&lines, "offer")[0]["clock"], "unknown");
}

#[test]
fn a_spoilt_session_ends_with_4_and_names_the_flag_that_helps() {
    let (servers, home) = one(quick(WA_KEY), vec![scanning("shop-s", Past::Spoilt, 60), scanning("shop-t", Past::Spoilt, 60)]);
    home.run(&["pair", "shop-s"]).exits(4).says(&["--wipe-spoilt"]);
    assert!(servers.asked("wa").iter().all(|r| !r.starts_with("DELETE ")), "{:?}", servers.asked("wa"));
    let lines = checked(home.run(&["pair", "shop-t", "--wipe-spoilt", "--json"]).exits(0).lines());
    assert_eq!(lines.last().unwrap()["event"], "linked");
    assert!(servers.asked("wa").iter().any(|r| r.starts_with("DELETE /instance/logout/")));
}

#[test]
fn retries_begin_anew_with_a_fresh_code_and_end_with_1() {
    let (_servers, home) = one(hasty(), vec![instance("shop-r", Past::New)]);
    let lines = checked(home.run(&["pair", "shop-r", "--retries", "2", "--retry-delay", "0", "--json"]).exits(1).lines());
    assert_eq!(of(&lines, "failed").len(), 3, "{lines:?}");
    let mut payloads: Vec<_> = of(&lines, "offer").iter().map(|o| o["payload"].to_string()).collect();
    let shown = payloads.len();
    payloads.sort();
    payloads.dedup();
    assert!(shown >= 3 && payloads.len() == shown, "{shown} offers, {} different", payloads.len());
    assert!(of(&lines, "offer").iter().all(|o| o["fresh"] == "proven"));
}

/// Reads lines until one holds `word`.
fn read_until(child: &mut Child, word: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "{word} never came");
    }
    out
}

#[test]
fn each_retry_asks_the_gate_again() {
    let (servers, home) = one(hasty(), vec![instance("shop-r", Past::New)]);
    // Long enough that a busy machine moves the clock before the retry.
    let mut child = home.command(&["pair", "shop-r", "--retries", "5", "--retry-delay", "5", "--json"]).spawn().unwrap();
    let rest = read_until(&mut child, "\"failed\"");
    let before = connects(&servers);
    servers.gateway("wa").skew(Some(-10_800.0));
    let ran = home.finish(child).exits(7);
    let said: Vec<String> = rest.lines().map_while(Result::ok).collect();
    assert!(said.last().unwrap().contains("\"blocked\""), "{said:?} {}", ran.stderr);
    assert_eq!(connects(&servers), before);
}

fn interrupted(home: &Home, child: Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    home.finish(child).exits(130);
}

#[test]
fn an_interrupted_pairing_ends_with_130_and_leaves_nothing_held() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-i", Past::New)]);
    let mut child = home.command(&["pair", "shop-i", "--json"]).spawn().unwrap();
    let _rest = read_until(&mut child, "\"offer\"");
    interrupted(&home, child);
    // The account is free again at once.
    let mut child = home.command(&["pair", "shop-i", "--json"]).spawn().unwrap();
    let _rest = read_until(&mut child, "\"offer\"");
    servers.gateway("wa").scan("shop-i", None).unwrap();
    home.finish(child).exits(0);
}

#[test]
fn while_one_process_pairs_an_account_another_is_told_that_it_is_busy() {
    let (servers, home) = one(quick(WA_KEY), vec![instance("shop-i", Past::New)]);
    let mut child = home.command(&["pair", "shop-i", "--json"]).spawn().unwrap();
    let _rest = read_until(&mut child, "\"offer\"");
    home.run(&["wipe", "shop-i", "--yes"]).exits(5);
    home.run(&["pair", "shop-i", "--json"]).exits(5);
    servers.gateway("wa").scan("shop-i", None).unwrap();
    home.finish(child).exits(0);
    until("online", || home.run(&["status", "shop-i", "--json"]).json()["state"] == "online");
}
