//! The far side: a server that answers at random out of many hostile ways, seeded, and what it saw.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
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

pub const CANARY: &str = "CANARY/hostile+3fd0917ac2==";
pub const MODES: usize = 38;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What the far side saw and did.
pub struct Seen {
    pub replies: AtomicUsize,
    pub modes: [AtomicUsize; MODES],
    pub sink: AtomicUsize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { replies: AtomicUsize::new(0), modes: std::array::from_fn(|_| AtomicUsize::new(0)), sink: AtomicUsize::new(0) }
    }
}

pub fn answer(status: &str, kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

pub fn json(body: &str) -> Vec<u8> {
    answer("200 OK", "application/json", "", body.as_bytes())
}

/// Reads a request: its head and what of the body came.
pub async fn request(stream: &mut TcpStream) -> Option<String> {
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
        29 => json(&format!("{{\"errcode\":\"0\",\"errmsg\":\"ok\",\"access_token\":\"{}\",\"expires_in\":\"7200\"}}", "t".repeat(512))),
        30 => json(&format!("{{\"errcode\":\"40001\",\"errmsg\":{said},\"code\":1,\"msg\":{said}}}")),
        31 => json("{\"errcode\":0,\"access_token\":\"two words\\u001b[2J\",\"expires_in\":-1}"),
        32 => answer("404 Gone", "application/json", "", format!("{{\"code\":\"resource_not_found\",\"msg\":{said}}}").as_bytes()),
        33 => answer("500 Oops", "application/json", "", b"{\"code\":\"internal_error\",\"msg\":\"Internal server error\",\"request_id\":\"1\"}"),
        34 => answer("500 Oops", "text/plain", "", b""),
        35 => answer("200 OK", "application/json", "Date: Tue, 19 Jan 2038 03:14:07 GMT\r\n", b"{\"errcode\":0,\"access_token\":\"tok\",\"expires_in\":7200,\"code\":0,\"data\":{\"token\":\"jwt\",\"session_id\":\"s\",\"qr_url\":\"https://x.test/1\",\"expire_at\":-1e300,\"bots\":[]},\"msg\":\"ok\"}"),
        36 => json("{\"code\":0,\"msg\":\"ok\",\"data\":{\"token\":\"jwt\",\"session_id\":\"../../x\",\"qr_data_url\":\"data:image/png;base64,AAAA\",\"expire_at\":1e300,\"status\":\"success\",\"bots\":[{\"uuid\":\"u\",\"name\":7,\"enable\":\"yes\"}],\"logs\":[{\"seq_id\":-1e9,\"timestamp\":1e300}]}}"),
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

pub fn percent(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Every spelling in which the key could come back.
pub fn spellings() -> Vec<String> {
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    vec![CANARY.to_owned(), BASE64_STANDARD.encode(CANARY).trim_end_matches('=').to_owned(), percent(CANARY), hex, CANARY.replace('/', "\\/")]
}

pub async fn serve(seed: u64, seen: Arc<Seen>) -> String {
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

/// `Date: now+SECONDS` becomes a date of this moment, so that its clock goes on however wrong it is.
fn told_now(whole: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(whole);
    let Some((before, rest)) = text.split_once("Date: now") else { return whole.to_vec() };
    let (seconds, after) = rest.split_once('\r').unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = now.saturating_add_signed(seconds.parse().unwrap());
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(at));
    format!("{before}Date: {date}\r{after}").into_bytes()
}

/// Answers every request with the first of `script` whose text stands in its first line, else with 404; tells what came.
pub async fn scripted(script: Vec<(&'static str, Vec<u8>)>) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (script, seen) = (Arc::new(script), heads.clone());
    tokio::spawn(async move {
        while let Ok((mut s, _)) = listener.accept().await {
            let (script, seen) = (script.clone(), seen.clone());
            tokio::spawn(async move {
                let Some(head) = request(&mut s).await else { return };
                let line = head.lines().next().unwrap_or_default().to_owned();
                let found = script.iter().find(|(what, _)| line.contains(what)).map(|(_, whole)| told_now(whole));
                seen.lock().unwrap().push(head);
                let _ = s.write_all(&found.unwrap_or_else(|| answer("404 Not Found", "text/html", "", b"<html>no</html>"))).await;
                let _ = s.shutdown().await;
            });
        }
    });
    (at, heads)
}
