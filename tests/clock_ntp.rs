//! `pairdeck clock --ntp` and `[clock] ntp` with the built program: against a real chronyd on loopback, also one under
//! libfaketime, against servers with faults, and against nobody at all.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use pairdeck::sandbox::{Clock, DateMode, Settings, Sntp, SntpFault, SntpSettings};
use serde_json::Value;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::house::{Home, Ran, Servers, instance, quick};
use tempfile::TempDir;

/// A dead server costs at most so long, the start of the program included.
const DEAD: Duration = Duration::from_millis(1200);

/// A server of the sandbox on a thread of its own.
struct Served {
    address: SocketAddr,
    _end: tokio::sync::oneshot::Sender<()>,
}

fn served(ip: IpAddr, settings: SntpSettings) -> Served {
    let (tx, rx) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Sntp::start(SocketAddr::new(ip, 0), settings, Clock::System).await.unwrap();
            tx.send(server.address()).unwrap();
            let _ = ended.await;
        });
    });
    Served { address: rx.recv_timeout(support::deadline()).unwrap(), _end: end }
}

fn ahead(offset_ms: i64) -> Served {
    served(Ipv4Addr::LOCALHOST.into(), SntpSettings { offset_ms, ..SntpSettings::default() })
}

fn faulty(fault: SntpFault) -> Served {
    served(Ipv4Addr::LOCALHOST.into(), SntpSettings { fault, ..SntpSettings::default() })
}

fn ask(home: &Home, servers: &[SocketAddr]) -> Ran {
    let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let mut args = vec!["clock", "--json"];
    for s in &texts {
        args.extend(["--ntp", s.as_str()]);
    }
    home.run(&args)
}

/// The samples of time servers: the joint one, then one a server.
fn ntp(doc: &Value) -> (Value, Vec<Value>) {
    let all = doc["host"]["samples"].as_array().unwrap();
    let (joint, each): (Vec<_>, Vec<_>) = all.iter().filter(|s| s["by"] == "ntp").cloned().partition(|s| s["server"].is_null());
    assert_eq!(joint.len(), 1, "{doc}");
    (joint[0].clone(), each)
}

fn skew(v: &Value) -> (f64, f64) {
    (v["skew_s"][0].as_f64().unwrap_or_else(|| panic!("{v}")), v["skew_s"][1].as_f64().unwrap())
}

/// A real chronyd that serves its clock on loopback and touches nobody's. With `shift` it runs under libfaketime.
struct Chronyd {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn found(name: &str, places: &[&str]) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|p| std::env::split_paths(&p).collect::<Vec<_>>());
    let all = on_path.map(|d| d.join(name)).chain(places.iter().map(PathBuf::from));
    all.into_iter().find(|p| p.is_file())
}

fn libfaketime() -> Option<PathBuf> {
    let dirs = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime"];
    dirs.iter().map(|d| Path::new(d).join("libfaketime.so.1")).find(|p| p.is_file())
}

fn chronyd(shift: Option<&str>) -> Option<Chronyd> {
    let what = "time from a real chronyd";
    let Some(program) = found("chronyd", &["/usr/sbin/chronyd"]) else {
        support::skip(what, "chronyd (apt-get install chrony)");
        return None;
    };
    let library = match shift.map(|_| libfaketime()) {
        None => None,
        Some(Some(library)) => Some(library),
        Some(None) => {
            support::skip(what, "libfaketime (apt-get install faketime)");
            return None;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    // A port that was free a moment ago; chronyd binds it with SO_REUSEADDR or says that it could not.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let conf = dir.path().join("chrony.conf");
    let path = dir.path().display();
    let text = format!(
        "port {}\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 3\ncmdport 0\nbindcmdaddress /\npidfile {path}/pid\ndriftfile {path}/drift\n",
        address.port()
    );
    fs::write(&conf, text).unwrap();
    let user = fs::metadata("/proc/self").map_or(0, |m| std::os::unix::fs::MetadataExt::uid(&m));
    let mut c = Command::new(program);
    c.args(["-x", "-d", "-f"]).arg(&conf);
    if user == 0 {
        c.args(["-u", "root"]);
    }
    if let (Some(library), Some(shift)) = (library, shift) {
        c.env("LD_PRELOAD", library).env("FAKETIME", shift).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    let child = c.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(dir.path().join("log")).unwrap()).spawn().unwrap();
    let mut server = Chronyd { child, address, _dir: dir };
    let log = server._dir.path().join("log");
    let end = Instant::now() + support::deadline();
    while !answers(address) {
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert!(server.child.try_wait().unwrap().is_none(), "chronyd ended: {}", said());
        assert!(Instant::now() < end, "chronyd does not answer: {}", said());
    }
    Some(server)
}

/// True once the port answers a plain client packet with a time.
fn answers(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut packet = [0u8; 48];
    packet[0] = 0x23;
    let mut back = [0u8; 48];
    let asked = socket.send(&packet).is_ok();
    let got = asked && socket.recv(&mut back).is_ok_and(|n| n == 48) && back[1] > 0 && back[1] < 16;
    if !got {
        // A refused port answers at once: not faster than the server can start.
        std::thread::sleep(Duration::from_millis(20));
    }
    got
}

#[test]
fn a_real_chronyd_says_that_this_host_is_right() {
    let Some(server) = chronyd(None) else { return };
    let home = Home::empty();
    let doc = ask(&home, &[server.address]).exits(0).json();
    let (joint, each) = ntp(&doc);
    let (lo, hi) = skew(&joint);
    assert!(lo <= 0.0 && hi >= 0.0 && hi - lo < 1.0, "{joint}");
    assert_eq!((doc["verdict"].as_str(), joint["detail"].as_str(), joint["probes"].as_u64()), (Some("ok"), Some("1 of 1"), Some(3)));
    assert_eq!(each.len(), 1);
    assert_eq!(each[0]["server"], server.address.to_string());
}

#[test]
fn a_chronyd_an_hour_ahead_blocks_this_host_and_the_gateway_that_shares_its_clock() {
    let Some(server) = chronyd(Some("+3600")) else { return };
    let servers = Servers::start(vec![("wa", quick("KEY-0123456789"), vec![instance("a", pairdeck::sandbox::Past::default())])]);
    let home = Home::of(&servers);
    let doc = ask(&home, &[server.address]).exits(7).json();
    let (lo, hi) = skew(&doc["host"]);
    assert!(lo <= 3600.0 && hi >= 3600.0 && hi - lo < 1.0, "{doc}");
    let wa = &doc["gateways"][0];
    // The gateway shares this host's clock: against the reference both are an hour behind.
    assert_eq!(
        (wa["verdict"].as_str(), wa["side"].as_str(), doc["host"]["cause"].as_str()),
        (Some("blocked"), Some("both"), Some("local_time_as_utc")),
        "{doc}"
    );
}

#[test]
fn a_shifted_and_a_right_chronyd_are_a_conflict() {
    let (Some(right), Some(wrong)) = (chronyd(None), chronyd(Some("+3600"))) else { return };
    let doc = ask(&Home::empty(), &[right.address, wrong.address]).exits(7).json();
    let (joint, each) = ntp(&doc);
    assert_eq!((doc["host"]["cause"].as_str(), joint["skew_s"].is_null(), each.len()), (Some("sources_conflict"), true, 2), "{doc}");
}

#[test]
fn the_configured_reference_tells_which_side_is_wrong() {
    // Gateway against host, reference against host, and what is to be concluded.
    let cases = [
        (-37_000, 0, 7, "blocked", Some("gateway"), Some("off")),
        (3 * 3_600_000, 0, 7, "blocked", Some("gateway"), Some("local_time_as_utc")),
        (400, 0, 0, "ok", None, None),
        (-37_000, -37_000, 7, "blocked", Some("host"), Some("off")),
        (0, 60_000, 7, "blocked", Some("both"), Some("off")),
    ];
    for (gateway, reference, exit, verdict, side, cause) in cases {
        let settings = Settings { date: DateMode::Skewed(gateway), ..quick("KEY-0123456789") };
        let servers = Servers::start(vec![("wa", settings, vec![instance("a", pairdeck::sandbox::Past::default())])]);
        let home = Home::of(&servers);
        let server = ahead(reference);
        let config = fs::read_to_string(home.file("config.toml")).unwrap();
        home.write_config(&format!("[clock]\nntp = [\"{}\"]\n\n{config}", server.address));
        let doc = home.run(&["clock", "--json"]).exits(exit).json();
        let wa = &doc["gateways"][0];
        assert_eq!((wa["verdict"].as_str(), wa["side"].as_str(), wa["cause"].as_str()), (Some(verdict), side, cause), "{gateway} {reference}: {doc}");
    }
}

#[test]
fn two_of_three_are_believed() {
    let (a, b, liar) = (ahead(0), ahead(0), ahead(-90_000));
    let doc = ask(&Home::empty(), &[a.address, liar.address, b.address]).exits(0).json();
    let (joint, each) = ntp(&doc);
    assert_eq!((joint["detail"].as_str(), each.len()), (Some("2 of 3"), 3), "{doc}");
    assert!(each.iter().any(|s| s["server"] == liar.address.to_string() && skew(s).1 < -80.0), "{doc}");
}

#[test]
fn ipv6_is_asked_where_the_machine_has_it() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return support::skip("NTP over IPv6", "::1");
    }
    let server = served(Ipv6Addr::LOCALHOST.into(), SntpSettings::default());
    let (joint, each) = ntp(&ask(&Home::empty(), &[server.address]).exits(0).json());
    assert!(skew(&joint).0 <= 0.0);
    assert_eq!(each[0]["server"], server.address.to_string());
}

#[test]
fn each_fault_says_its_name_and_leaves_the_verdict_unknown() {
    let cases = [
        (SntpFault::Kiss(*b"RATE"), "kiss RATE"),
        (SntpFault::Kiss(*b"DENY"), "kiss DENY"),
        (SntpFault::Kiss(*b"RSTR"), "kiss RSTR"),
        (SntpFault::Leap3, "unsynchronised"),
        (SntpFault::Stratum0, "unsynchronised"),
        (SntpFault::Stratum16, "unsynchronised"),
        (SntpFault::ZeroTransmit, "answer without a time"),
        (SntpFault::Stale, "sent before it was received"),
        (SntpFault::RootDistance, "too far from its reference"),
        (SntpFault::Mode5, "not a server's answer"),
    ];
    for (fault, detail) in cases {
        let server = faulty(fault);
        let home = Home::empty();
        let doc = ask(&home, &[server.address]).exits(0).json();
        let (joint, _) = ntp(&doc);
        assert_eq!((doc["verdict"].as_str(), joint["detail"].as_str()), (Some("unknown"), Some(detail)), "{fault:?}");
        let address = server.address.to_string();
        home.run(&["clock", "--strict", "--ntp", &address]).exits(7);
    }
}

#[test]
fn blocked_udp_ends_in_time_and_says_so() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = faulty(SntpFault::Silent);
    let home = Home::empty();
    // The first run makes the store; that is not what is measured.
    ask(&home, &[closed]).exits(0);
    for (address, detail) in [(closed, "refused"), (silent.address, "no answer")] {
        let best = (0..3)
            .map(|_| {
                let began = Instant::now();
                let (joint, _) = ntp(&ask(&home, &[address]).exits(0).json());
                assert_eq!(joint["detail"], detail);
                began.elapsed()
            })
            .min()
            .unwrap();
        assert!(best <= DEAD, "{detail}: {best:?}");
    }
}

#[test]
fn what_is_no_server_is_a_usage_error_and_text_names_each_server() {
    let home = Home::empty();
    for bad in ["ntp://x", "a b", "[::1", "a:0"] {
        home.run(&["clock", "--ntp", bad]).exits(2);
    }
    let (right, silent) = (ahead(0), faulty(SntpFault::Silent));
    let ran = home.run(&["clock", "--ntp", &right.address.to_string(), "--ntp", &silent.address.to_string()]).exits(0);
    assert!(ran.stdout.contains(&right.address.to_string()) && ran.stdout.contains("no answer"), "{}", ran.stdout);
}

#[test]
fn a_verified_time_is_kept_and_a_host_set_back_is_told_without_any_network() {
    let Some(library) = libfaketime() else { return support::skip("a host that was set back", "libfaketime (apt-get install faketime)") };
    let home = Home::empty();
    let server = ahead(0);
    ask(&home, &[server.address]).exits(0);
    let silent = faulty(SntpFault::Silent);
    let mut c = home.command(&["clock", "--json", "--ntp", &silent.address.to_string()]);
    c.env("LD_PRELOAD", library).env("FAKETIME", "-3d").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let doc = home.finish(c.spawn().unwrap()).exits(7).json();
    assert_eq!(doc["host"]["cause"], "before_saved", "{doc}");
    let mut c = home.command(&["clock", "--json", "--ntp", &server.address.to_string()]);
    c.env("LD_PRELOAD", libfaketime().unwrap()).env("FAKETIME", "-37").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let doc = home.finish(c.spawn().unwrap()).exits(7).json();
    let (lo, hi) = skew(&doc["host"]);
    assert!(lo <= 37.0 && hi >= 37.0, "a host 37 s behind: {doc}");
}
