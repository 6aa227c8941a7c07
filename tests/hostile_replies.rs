//! A server that answers at random out of 30 hostile ways, seeded, to every provider that speaks HTTP: nothing panics, memory
//! stays bounded, a redirect is never followed, and the key that was sent is in no error, however the server echoes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod support;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pairdeck::{
    clock::SystemTime,
    domain::{Action, GatewayId, Inputs, Reason, RemoteId, Secret, Target, Time},
    engine::{
        Mailbox, World,
        world::{Parts, secret_name},
    },
    providers::{Claim, Look, Report, registry},
    store::{Paths, Store, config},
    vault::Vault,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

const CANARY: &str = "CANARY/hostile+3fd0917ac2==";
const MODES: usize = 30;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What the far side saw and did.
#[derive(Default)]
struct Seen {
    replies: AtomicUsize,
    modes: [AtomicUsize; MODES],
    sink: AtomicUsize,
}

fn answer(status: &str, kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

fn json(body: &str) -> Vec<u8> {
    answer("200 OK", "application/json", "", body.as_bytes())
}

/// Reads a request: its head and what of the body came.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut all = Vec::new();
    let mut piece = [0u8; 4096];
    while !all.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut piece).await.ok().filter(|n| *n > 0)?;
        all.extend_from_slice(&piece[..n]);
    }
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// One hostile reply. Errors of writing are the caller hanging up, which is its right.
async fn reply(mode: usize, mut s: TcpStream, head: &str, sink: &str) -> std::io::Result<()> {
    let echo = head.replace(['\r', '\n'], " ").replace('"', "'");
    let mut forms = vec![echo.clone(), CANARY.to_owned(), BASE64_STANDARD.encode(CANARY), percent(CANARY)];
    forms.truncate(4);
    let said = serde_json::Value::from(forms.join(" | ")).to_string();
    let whole = match mode {
        0 => return Ok(()),
        1 => b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec(),
        2 => (0..=255u8).cycle().take(4096).collect(),
        3 => answer("200 OK", "text/html", "", b"<!doctype html><script>alert(1)</script>"),
        4 => json("[1,2,3,{\"a\":[null]}]"),
        5 => json("{}"),
        6 => json("null"),
        7 => json(&"[".repeat(200_000)),
        8 => {
            s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n").await?;
            let piece = vec![b'a'; 1 << 16];
            for _ in 0..1600 {
                s.write_all(&piece).await?;
            }
            return Ok(());
        }
        9 => {
            s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            let mut piece = b"10000\r\n".to_vec();
            piece.extend_from_slice(&vec![b'['; 1 << 16]);
            piece.extend_from_slice(b"\r\n");
            for _ in 0..2000 {
                s.write_all(&piece).await?;
            }
            return Ok(());
        }
        10 => b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[]".to_vec(),
        11 => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
        12..=15 => {
            let status = ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"][mode - 12];
            answer(status, "text/plain", &format!("Location: http://{sink}/{mode}\r\n"), b"")
        }
        16 => {
            answer("401 Unauthorized", "application/json", "WWW-Authenticate: Basic realm=\"give\"\r\n", format!("{{\"message\":{said}}}").as_bytes())
        }
        17 => answer("500 Oops", "application/json", "", format!("{{\"error\":\"\\u001b]0;owned\\u0007\",\"message\":{said}}}").as_bytes()),
        18 => answer("429 Slow", "application/json", "Retry-After: 99999999999999999999\r\n", b"{}"),
        19 => {
            let mut out = b"HTTP/1.1 200 OK\r\n".to_vec();
            for n in 0..20_000 {
                out.extend_from_slice(format!("X-{n}: {}\r\n", "y".repeat(50)).as_bytes());
            }
            out
        }
        20 => answer("200 OK", "application/json", "", b"[{\"name\":\"\xff\xfe\xc3\x28\"}]"),
        21 => json(
            "[{\"name\":\"\\u001b[31m\\u202e\\u0000x\",\"id\":\"\\u200b\",\"connectionStatus\":\"open\\u0007\",\"instance\":{\"instanceName\":\"\\u009b2J\"}}]",
        ),
        22 => {
            s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await?;
            for _ in 0..60 {
                s.write_all(b"[").await?;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            return Ok(());
        }
        23 => {
            tokio::time::sleep(Duration::from_secs(15)).await;
            return Ok(());
        }
        24 => json(&format!("[{}{{}}]", "{\"name\":\"n\",\"id\":\"i\",\"connectionStatus\":\"open\"},".repeat(150_000))),
        25 => json("{\"code\":1e999,\"code\":-1e-999,\"data\":1e400,\"status\":99999999999999999999999999,\"uid\":[],\"version\":{}}"),
        26 => answer("200 OK", "application/json", "Content-Encoding: gzip\r\n", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        27 => {
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()
        }
        28 => answer("200 OK", "application/json", "Date: Thu, 99 Foo 99999 99:99:99 GMT\r\nAge: -5\r\n", b"{\"code\":-1,\"msg\":\"x\"}"),
        _ => answer(
            "400 Bad",
            "application/json",
            "",
            format!("{{\"status\":400,\"message\":[{said}],\"msg\":{said},\"detail\":{said},\"response\":{{\"message\":[{said}]}}}}").as_bytes(),
        ),
    };
    s.write_all(&whole).await?;
    s.shutdown().await
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Every spelling in which the key could come back.
fn spellings() -> Vec<String> {
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    vec![CANARY.to_owned(), BASE64_STANDARD.encode(CANARY).trim_end_matches('=').to_owned(), percent(CANARY), hex, CANARY.replace('/', "\\/")]
}

async fn serve(seed: u64, seen: Arc<Seen>) -> String {
    let sink = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at_sink = sink.local_addr().unwrap().to_string();
    let counted = seen.clone();
    tokio::spawn(async move {
        while sink.accept().await.is_ok() {
            counted.sink.fetch_add(1, Ordering::SeqCst);
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut state = seed;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mode = usize::try_from(random(&mut state) % MODES as u64).unwrap();
            let (seen, at_sink) = (seen.clone(), at_sink.clone());
            tokio::spawn(async move {
                if let Some(head) = request(&mut stream).await {
                    seen.replies.fetch_add(1, Ordering::SeqCst);
                    seen.modes[mode].fetch_add(1, Ordering::SeqCst);
                    let _ = reply(mode, stream, &head, &at_sink).await;
                }
            });
        }
    });
    at
}

/// One at a time, so that each measures its own memory.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Forgets the highest memory so far and tells what is in use now.
fn peak_from_here() -> usize {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak_kib()
}

fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().split(' ').next()?.parse().ok()).unwrap()
}

/// An error is harmless to draw, and does not hold the key.
fn harmless(what: &str, why: &Reason) {
    let text = format!("{why:?} {}", pairdeck::i18n::reason::full(why, pairdeck::i18n::Lang::En));
    for form in spellings() {
        assert!(!text.contains(&form), "{what}: the key is in an error: {text}");
    }
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']), "{what}: {text:?}");
    assert!(text.len() < 20_000, "{what}: an error of {} bytes", text.len());
}

#[tokio::test]
async fn a_thousand_hostile_replies_do_no_harm() {
    let _alone = ALONE.lock().await;
    let wanted: usize = std::env::var("PAIRDECK_REPLIES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let seen = Arc::new(Seen::default());
    let at = serve(0x0BAD_5EED_0008, seen.clone()).await;
    let home = tempfile::tempdir().unwrap();
    let (vault, time): (_, Arc<dyn Time>) = (Vault::memory(), Arc::new(SystemTime::new()));
    let store = Store::open(&Paths::in_home(home.path()), vault.clone(), time.clone()).unwrap();
    let kinds: Vec<_> = registry::kinds().iter().filter(|k| k.poll_seen > Duration::ZERO).map(|k| k.kind).collect();
    let mut gateways = Vec::new();
    for kind in &kinds {
        let spec = registry::provider(kind).unwrap().spec();
        for secret in spec.secrets {
            store.secret_put(&secret_name(&GatewayId::new(kind), secret.name), &Secret::new(CANARY.into())).await.unwrap();
        }
        gateways.push(config::Gateway {
            name: (*kind).into(),
            kind: (*kind).into(),
            url: format!("http://{at}"),
            events: true,
            ..config::Gateway::default()
        });
    }
    let world = World::new(Parts {
        gateways,
        clock: config::Clock::default(),
        shared: None,
        store,
        vault,
        time,
        mailbox: Mailbox::new(),
        read_only: false,
        providers: Arc::new(registry::provider),
        paths: Paths::in_home(home.path()),
        owner: "proc-1-x".into(),
        lock: None,
    });
    world.load_secrets().await.unwrap();
    let before = peak_from_here();
    let mut tasks = tokio::task::JoinSet::new();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut slowest, mut turn) = (0, 0_usize);
    let keep = |done: (&'static str, &'static str, Vec<Reason>, u128), count: &mut BTreeMap<&str, usize>, slowest: &mut u128| {
        let (kind, what, errors, took) = done;
        *count.entry(kind).or_default() += 1;
        for why in &errors {
            harmless(&format!("{kind} {what}"), why);
        }
        *slowest = (*slowest).max(took);
    };
    while seen.replies.load(Ordering::SeqCst) < wanted {
        while tasks.len() < 24 {
            let world = world.clone();
            turn += 1;
            let gateways = world.gateways();
            let gateway = gateways[turn % gateways.len()].clone();
            let what = ["list", "probe", "row", "wipe", "regenerate", "why", "reveal"][turn % 7];
            tasks.spawn(async move {
                let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
                let at = Target { device: Some(RemoteId::new("0")), ..Target::account(&gateway.id, &RemoteId::new("shop/../a?b")) };
                let began = std::time::Instant::now();
                let provider = gateway.provider();
                let mut errors = Vec::new();
                match what {
                    "list" | "probe" | "row" => {
                        let how = match what {
                            "list" => Look::All,
                            "probe" => Look::Probe,
                            _ => Look::Row,
                        };
                        match provider.look(&cx, (what == "row").then_some(&at), how).await {
                            Ok(report) => {
                                if let Report::All { rows, .. } = &report {
                                    assert!(rows.len() <= 20_000, "{} rows", rows.len());
                                    assert!(rows.iter().all(|r| !r.label.as_str().contains(['\u{1b}', '\u{202e}', '\u{9b}'])));
                                }
                                world.take(&gateway, report);
                            }
                            Err(why) => errors.push(why),
                        }
                    }
                    "wipe" => errors.extend(provider.plan(&cx, &at, &Action::Wipe, Inputs::new()).await.err()),
                    "regenerate" => errors.extend(provider.plan(&cx, &at, &Action::Regenerate, Inputs::new()).await.err()),
                    "why" => errors.extend(provider.why(&cx, &at, &Claim::default()).await.err()),
                    _ => errors.extend(provider.reveal(&cx, &at).await.err()),
                }
                (gateway.spec.kind, what, errors, began.elapsed().as_millis())
            });
        }
        let done = tasks.join_next().await.unwrap().expect("a provider panicked");
        keep(done, &mut count, &mut slowest);
    }
    while let Some(done) = tasks.join_next().await {
        keep(done.expect("a provider panicked"), &mut count, &mut slowest);
    }
    let grown = (peak_kib() - before) / 1024;
    let replies = seen.replies.load(Ordering::SeqCst);
    let modes = seen.modes.iter().filter(|m| m.load(Ordering::SeqCst) > 0).count();
    println!(
        "FIGURE hostile replies: {replies} out of {modes} modes, calls {count:?}, 0 panics, key echoed 0 times, followed redirects {}, peak memory +{grown} MiB with 24 calls at once, slowest call {slowest} ms",
        seen.sink.load(Ordering::SeqCst)
    );
    assert_eq!(modes, MODES);
    assert_eq!(seen.sink.load(Ordering::SeqCst), 0, "a redirect was followed");
    // All large answers together share the room of one of the largest size, trees are bounded and made one at a time; the server's
    // own buffers are in it too.
    assert!(grown < 150, "{grown} MiB more at the peak, with 24 calls at once");
    world.shut();
}

/// Frames that a WebSocket must survive, after an upgrade that is in order.
fn frames(mode: usize) -> Vec<u8> {
    let text = |s: &[u8]| {
        let mut out = vec![0x81];
        match s.len() {
            n if n < 126 => out.push(u8::try_from(n).unwrap()),
            n if n < 65_536 => {
                out.push(126);
                out.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
            }
            n => {
                out.push(127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(s);
        out
    };
    let open = text(b"0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");
    let room = text(b"40{\"sid\":\"b\"}");
    let mut out = open;
    match mode {
        0 => out = vec![0x81, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        1 => out = vec![0x89, 0x7e, 0xff, 0xff],
        2 => out = vec![0xff; 4096],
        3 => out.extend(text(b"\xff\xfe\xc3\x28")),
        4 => out.extend(text(&b"42[".iter().copied().chain(std::iter::repeat_n(b'[', 300_000)).collect::<Vec<_>>())),
        5 => {
            out.extend(room);
            let event =
                text(b"42[\"connection.update\",{\"instance\":\"\\u001b[31mshop\",\"data\":{\"state\":\"open\\u202e\",\"statusReason\":1e999}}]");
            for _ in 0..100_000 {
                out.extend_from_slice(&event);
            }
        }
        6 => {
            out.push(0x01);
            out.push(1);
            out.push(b'4');
            for _ in 0..200_000 {
                out.extend_from_slice(&[0x00, 1, b'2']);
            }
        }
        7 => out = text(b"0{\"sid\":1,\"pingInterval\":-1,\"pingTimeout\":1e999}"),
        8 => out = text(b"0{\"pingInterval\":0,\"pingTimeout\":0,\"sid\":\"\"}"),
        9 => {
            out.extend(room);
            for _ in 0..20_000 {
                out.extend(text(b"2"));
            }
        }
        10 => out.extend(text(b"451-[\"x\",{\"_placeholder\":true,\"num\":4294967295}]")),
        11 => out.extend([0x88, 0x02, 0x00, 0x00]),
        _ => out.extend(text(&vec![b'a'; 9 << 20])),
    }
    out
}

async fn serve_socket(seen: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut mode = 0;
        while let Ok((mut s, _)) = listener.accept().await {
            let seen = seen.clone();
            let Some(head) = request(&mut s).await else { continue };
            let key = head.lines().find_map(|l| l.to_ascii_lowercase().starts_with("sec-websocket-key:").then(|| l[18..].trim().to_owned()));
            let mine = mode;
            mode = if key.is_some() { (mode + 1) % 13 } else { mode };
            tokio::spawn(async move {
                let Some(key) = key else {
                    let body = if head.contains("fetchInstances") { "[]" } else { "{\"status\":200,\"version\":\"2.3.7\"}" };
                    let _ = s.write_all(&json(body)).await;
                    return;
                };
                seen.fetch_add(1, Ordering::SeqCst);
                let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                let _ = s.write_all(head.as_bytes()).await;
                let _ = s.write_all(&frames(mine)).await;
                let mut piece = [0u8; 1024];
                // Held until the other side has had enough.
                while matches!(tokio::time::timeout(Duration::from_secs(2), s.read(&mut piece)).await, Ok(Ok(n)) if n > 0) {}
            });
        }
    });
    at
}

#[tokio::test]
async fn a_hostile_websocket_does_no_harm() {
    let _alone = ALONE.lock().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let at = serve_socket(seen.clone()).await;
    let home = tempfile::tempdir().unwrap();
    let (vault, time): (_, Arc<dyn Time>) = (Vault::memory(), Arc::new(SystemTime::new()));
    let store = Store::open(&Paths::in_home(home.path()), vault.clone(), time.clone()).unwrap();
    store.secret_put(&secret_name(&GatewayId::new("g"), "api_key"), &Secret::new(CANARY.into())).await.unwrap();
    let gateway =
        config::Gateway { name: "g".into(), kind: "evolution".into(), url: format!("http://{at}"), events: true, ..config::Gateway::default() };
    let world = World::new(Parts {
        gateways: vec![gateway],
        clock: config::Clock::default(),
        shared: None,
        store,
        vault,
        time,
        mailbox: Mailbox::new(),
        read_only: true,
        providers: Arc::new(registry::provider),
        paths: Paths::in_home(home.path()),
        owner: "proc-1-x".into(),
        lock: None,
    });
    world.load_secrets().await.unwrap();
    let gateway = world.gateways().remove(0);
    let before = peak_from_here();
    let mut reports = 0;
    let end = tokio::time::Instant::now() + Duration::from_secs(120);
    while seen.load(Ordering::SeqCst) < 13 && tokio::time::Instant::now() < end {
        let (tx, mut rx) = tokio::sync::mpsc::channel(64);
        let cx = world.cx(&gateway, CancellationToken::new()).unwrap();
        let (cancel, provider) = (cx.cancel.clone(), gateway.provider().clone());
        let count = seen.load(Ordering::SeqCst);
        let task = tokio::spawn(async move { provider.watch(&cx, tx).await });
        let until = tokio::time::Instant::now() + Duration::from_secs(4);
        while let Ok(Some(report)) = tokio::time::timeout_at(until, rx.recv()).await {
            reports += 1;
            if let Report::Trouble(why) = &report {
                harmless("websocket", why);
            }
            world.take(&gateway, report);
        }
        cancel.cancel();
        // Draining: a watch that waits for room would not see that it is over.
        let drain = tokio::spawn(async move { while rx.recv().await.is_some() {} });
        let ended = tokio::time::timeout(Duration::from_secs(15), task).await.expect("the watch does not end").expect("the watch panicked");
        drain.abort();
        harmless("websocket", &ended);
        if seen.load(Ordering::SeqCst) == count {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let grown = (peak_kib() - before) / 1024;
    let played = seen.load(Ordering::SeqCst);
    println!("FIGURE hostile WebSocket: {played} sessions out of 13 modes, {reports} reports, 0 panics, peak memory +{grown} MiB");
    assert!(played >= 13, "only {played} sessions were opened");
    assert!(grown < 200, "{grown} MiB more at the peak");
    world.shut();
}
