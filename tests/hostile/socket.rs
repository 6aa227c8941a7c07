//! A WebSocket that sends what no server in order sends.

use super::{
    far::{json, request},
    house::{ALONE, gateway, harmless, peak_from_here, peak_kib, world},
};
use pairdeck::providers::Report;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

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
    let world = world(&home, vec![gateway("g", "evolution", &at)], true, |_, _| true).await;
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
