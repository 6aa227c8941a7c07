#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    clock::sample::Sample,
    domain::{Boot, Wall},
};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Fixed;
impl Time for Fixed {
    fn now(&self) -> Stamp {
        Stamp { wall: Wall(1_795_000_000_000), boot: Some((1, Boot(5))) }
    }
}
#[derive(Default)]
struct Heap(Mutex<Vec<Sample>>);
impl Samples for Heap {
    fn push(&self, s: Sample) {
        self.0.lock().unwrap().push(s);
    }
}

fn settings(url: &str) -> Gateway {
    Gateway {
        name: "wa".into(),
        kind: "x".into(),
        url: url.into(),
        allow_plaintext: false,
        ca_file: None,
        events: true,
        expect_timezone: None,
        clock_limits: None,
        ..Gateway::default()
    }
}

/// A server that answers every connection with these bytes and hands back what it was sent.
async fn serve(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", l.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut s, _) = l.accept().await.unwrap();
        let mut buf = vec![0; 4096];
        let n = s.read(&mut buf).await.unwrap();
        s.write_all(answer.as_bytes()).await.unwrap();
        s.shutdown().await.unwrap();
        String::from_utf8_lossy(&buf[..n]).into_owned()
    });
    (url, task)
}

async fn ask(url: &str, call: Call) -> (Result<Answer, Reason>, Vec<Sample>) {
    let heap = Heap::default();
    let got = match Client::new(&settings(url)) {
        Ok(c) => c.send(call, &Fixed, &heap).await,
        Err(r) => Err(r),
    };
    (got, heap.0.into_inner().unwrap())
}

#[tokio::test]
async fn a_secret_goes_out_in_its_header_and_never_into_an_error() {
    let (url, sent) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sat, 21 Nov 2026 07:37:55 GMT\r\n\r\n{}").await;
    let call = Call::get("/a").query("q", "x y").secret("apikey", Secret::new("CANARY-1".into()));
    let (got, samples) = ask(&url, call).await;
    assert_eq!(got.unwrap().body, b"{}");
    let sent = sent.await.unwrap();
    assert!(sent.starts_with("GET /a?q=x+y ") && sent.to_ascii_lowercase().contains("apikey: canary-1"), "{sent}");
    assert!(!sent.to_ascii_lowercase().contains("referer") && !sent.to_ascii_lowercase().contains("accept-encoding"));
    assert_eq!(samples.len(), 1);
    assert!(samples[0].interval.is_some());
    let (got, _) = ask("http://127.0.0.1:1", Call::get("/secret-path").secret("apikey", Secret::new("CANARY-1".into()))).await;
    let why = got.err().unwrap();
    assert_eq!(why.code, ReasonCode::Unreachable);
    assert!(!format!("{why:?}").contains("secret-path") && !format!("{why:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let (url, _t) = serve("HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/x?k=1\r\nContent-Length: 0\r\n\r\n").await;
    let (got, samples) = ask(&url, Call::post("/a").json(serde_json::json!({}))).await;
    let why = got.err().unwrap();
    assert_eq!(why.code, ReasonCode::Redirected);
    assert_eq!(why.arg("host"), Some("elsewhere.example"), "{why:?}");
    assert_eq!(samples[0].interval, None);
    assert_eq!(samples[0].detail.as_str(), "no Date header");
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_cut_off_whether_announced_or_not() {
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", "HTTP/1.1 200 OK\r\n\r\n0123456789"] {
        let (url, _t) = serve(answer).await;
        let (got, _) = ask(&url, Call::get("/").cap(9)).await;
        assert_eq!(got.err().unwrap().code, ReasonCode::TooLarge);
    }
}

#[tokio::test]
async fn plain_http_goes_to_this_machine_only() {
    for (url, code) in [
        ("http://example.com", Some(ReasonCode::PlaintextRefused)),
        ("http://192.168.1.4:8080", Some(ReasonCode::PlaintextRefused)),
        ("http://127.0.0.1.evil.example", Some(ReasonCode::PlaintextRefused)),
        ("ftp://127.0.0.1", Some(ReasonCode::WrongAddress)),
        ("not a url", Some(ReasonCode::WrongAddress)),
        ("http://localhost:1", None),
        ("http://[::1]:1", None),
    ] {
        assert_eq!(Client::new(&settings(url)).err().map(|r| r.code), code, "{url}");
    }
    let open = Gateway { allow_plaintext: true, ..settings("http://example.com") };
    assert!(Client::new(&open).is_ok());
}

#[tokio::test]
async fn what_is_no_http_and_what_breaks_off_are_reasons() {
    let (url, _t) = serve("SSH-2.0-OpenSSH\r\n").await;
    let (got, _) = ask(&url, Call::get("/")).await;
    assert!(matches!(got.err().unwrap().code, ReasonCode::Unreachable | ReasonCode::Unintelligible));
    let (url, _t) = serve("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf").await;
    let (got, _) = ask(&url, Call::get("/")).await;
    assert_eq!(got.err().unwrap().code, ReasonCode::Unreachable);
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let (got, _) = ask("https://no-such-host.invalid", Call::get("/").within(Duration::from_secs(5))).await;
    let why = got.err().unwrap();
    // A machine without a resolver may only say that it cannot be reached.
    assert!(matches!(why.code, ReasonCode::NameUnknown | ReasonCode::Unreachable | ReasonCode::Slow), "{why:?}");
    if why.code == ReasonCode::NameUnknown {
        assert_eq!(why.arg("host"), Some("no-such-host.invalid"), "{why:?}");
    }
}

#[test]
fn the_same_tls_failure_has_the_same_reason() {
    use rustls::{CertificateError as C, Error as E};
    for (e, code) in [
        (C::Expired, ReasonCode::TlsExpired),
        (C::NotValidYet, ReasonCode::TlsNotYetValid),
        (C::NotValidForName, ReasonCode::TlsWrongName),
        (C::UnknownIssuer, ReasonCode::TlsUnknownIssuer),
        (C::BadSignature, ReasonCode::TlsFailed),
    ] {
        assert_eq!(fail::of_tls(&E::InvalidCertificate(e)).code, code);
    }
}

#[test]
fn retry_after_is_read_in_both_forms_and_bounded() {
    let now = Fixed.now();
    let soon = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(1_795_000_030));
    assert_eq!(fail::retry_after(Some("7"), now), Some(Duration::from_secs(7)));
    assert_eq!(fail::retry_after(Some(&soon), now), Some(Duration::from_secs(30)));
    assert_eq!(fail::retry_after(Some("99999999"), now), Some(Duration::from_secs(86_400)));
    assert_eq!(fail::retry_after(Some("soon"), now), None);
}

#[test]
fn segments_keep_names_whole() {
    assert_eq!(segment("a/b c"), "a%2Fb%20c");
    assert_eq!(segment("客"), "%E5%AE%A2");
    assert_eq!(segment("shop-a_1.x~"), "shop-a_1.x~");
    assert_eq!(segment("a?b#c%"), "a%3Fb%23c%25");
}

struct Tls {
    url: String,
    ca: PathBuf,
    _dir: tempfile::TempDir,
}

/// A TLS server on loopback whose certificate is made by `change`.
async fn tls_server(change: fn(&mut rcgen::CertificateParams)) -> Tls {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    let cert = params.signed_by(&key, &issuer).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca_cert.pem()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", l.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((s, _)) = l.accept().await {
            let Ok(mut s) = acceptor.accept(s).await else { continue };
            let mut buf = [0; 2048];
            let _ = s.read(&mut buf).await;
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
            let _ = s.shutdown().await;
        }
    });
    Tls { url, ca: file, _dir: dir }
}

#[tokio::test]
async fn certificates_are_judged_and_a_ca_file_adds_trust() {
    type Change = fn(&mut rcgen::CertificateParams);
    let cases: [(Change, bool, Option<ReasonCode>); 5] = [
        (|_| {}, true, None),
        (|_| {}, false, Some(ReasonCode::TlsUnknownIssuer)),
        (|p| p.not_after = rcgen::date_time_ymd(2001, 1, 1), true, Some(ReasonCode::TlsExpired)),
        (|p| p.not_before = rcgen::date_time_ymd(2099, 1, 1), true, Some(ReasonCode::TlsNotYetValid)),
        (|p| p.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())], true, Some(ReasonCode::TlsWrongName)),
    ];
    for (n, (change, trusted, want)) in cases.into_iter().enumerate() {
        let server = tls_server(change).await;
        let settings = Gateway { ca_file: trusted.then(|| server.ca.clone()), ..settings(&server.url) };
        let client = Client::new(&settings).unwrap();
        let got = client.send(Call::get("/"), &Fixed, &Heap::default()).await;
        assert_eq!(got.err().map(|r| r.code), want, "case {n}");
        if let Some(code) = want {
            let Err(ws::Refused::Failed(r)) = client.websocket("/", None).await else { panic!("case {n}: a socket opened") };
            assert_eq!(r.code, code, "case {n}, websocket");
        }
    }
    let pipe = tempfile::tempdir().unwrap().keep().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody waits at a pipe, and nobody reads on for ever.
    for file in [Path::new("/nonexistent/ca.pem"), &pipe, Path::new("/dev/zero"), Path::new("/dev/null"), Path::new("/")] {
        let bad = Gateway { ca_file: Some(file.to_owned()), ..settings("https://localhost:1") };
        assert_eq!(Client::new(&bad).err().unwrap().code, ReasonCode::TlsFailed, "{file:?}");
    }
    let _ = std::fs::remove_dir_all(pipe.parent().unwrap());
}

#[tokio::test]
async fn what_a_body_holds_under_secret_names_is_taken_out_of_what_the_answer_repeats() {
    let (url, _) = serve("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}").await;
    let body = serde_json::json!({ "name": "shop-a", "token": "NEW-TOKEN-0123", "adapter_config": { "app_secret": "app/secret==", "note": "stays" },
        "proxies": [{ "password": ["hunter2-hunter2"] }] });
    let call = Call::post("/x").json(body).guard([Secret::new("known-from-elsewhere".into())]);
    let answer = ask(&url, call).await.0.unwrap();
    let echo = "shop-a NEW-TOKEN-0123 app\\/secret== app%2Fsecret%3D%3D stays hunter2-hunter2 known-from-elsewhere";
    assert_eq!(answer.told(echo), "shop-a [secret] [secret] [secret] stays [secret] [secret]");
}
