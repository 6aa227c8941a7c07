//! A hundred seeded scenarios through real sockets and the built program: gateways whose clocks are off, ways that are slow and
//! uneven, time servers and `Date` headers with every fault there is. Whatever happens, no verdict is forged, and the truth lies
//! inside every interval that is printed.
#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use pairdeck::sandbox::{Clock, DateMode, InstanceSpec, Past, Settings, Sntp, SntpFault, SntpSettings};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};
use support::{
    deadline,
    house::{Home, Servers, instance, quick},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Runs of the program, gateways in each.
const RUNS: usize = 25;
const GATEWAYS: usize = 4;
/// Runs side by side.
const AT_ONCE: usize = 5;
/// What the whole may take, on a machine that is busy with other things.
const MOST: Duration = Duration::from_secs(60);

/// A small seeded generator, so that the scenarios are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
    fn around(&mut self, span: u64) -> i64 {
        i64::try_from(self.below(2 * span)).unwrap() - i64::try_from(span).unwrap()
    }
    /// An offset: right, within the first limit, between the two, beyond, or hours.
    fn offset(&mut self) -> i64 {
        let span = [900, 4_900, 28_000, 120_000, 50_400_000][usize::try_from(self.below(5)).unwrap()];
        self.around(span)
    }
    /// The two ways of a round trip.
    fn ways(&mut self) -> (Duration, Duration) {
        let rtt = [0, 40, 300][usize::try_from(self.below(3)).unwrap()];
        let out = self.below(rtt + 1);
        (Duration::from_millis(out), Duration::from_millis(rtt - out))
    }
}

/// What a gateway's `Date` is like, and the name of its fault where the program must have one.
#[derive(Clone, Copy, Debug)]
enum Header {
    Plain(i64),
    Faulty(DateMode, &'static str),
}

/// One scenario: a gateway and the ways to it.
#[derive(Clone, Copy, Debug)]
struct Scene {
    header: Header,
    out: Duration,
    back: Duration,
}

/// One run: what the time servers are like, and four gateways. `reference` is the truth about this host, where it is asked.
struct Stage {
    n: usize,
    scenes: Vec<Scene>,
    servers: Vec<SntpSettings>,
    reference: Option<i64>,
    /// The server that has a fault, and the details that name it; none for a harmless one.
    fault: Option<(usize, &'static [&'static str])>,
    /// By how much a majority is missing: the servers contradict each other.
    torn: Option<i64>,
}

/// Every fault with the details that name it. Two are harmless, and an era that has not begun is a server that is years ahead.
const FAULTS: [(SntpFault, &[&str]); 18] = [
    (SntpFault::Kiss(*b"RATE"), &["kiss RATE"]),
    (SntpFault::Kiss(*b"DENY"), &["kiss DENY"]),
    (SntpFault::Kiss(*b"RSTR"), &["kiss RSTR"]),
    (SntpFault::Stratum0, &["unsynchronised"]),
    (SntpFault::Stratum16, &["unsynchronised"]),
    (SntpFault::Leap3, &["unsynchronised"]),
    (SntpFault::BadOrigin, &["answer to another question"]),
    (SntpFault::ZeroTransmit, &["answer without a time"]),
    (SntpFault::ZeroReceive, &["answer without a time"]),
    (SntpFault::Short, &["answer too short"]),
    (SntpFault::Mode1, &["not a server's answer"]),
    (SntpFault::Mode5, &["not a server's answer"]),
    // Of random bytes some are too few.
    (SntpFault::Garbage, &["answer is no NTP", "answer too short", "answer to another question"]),
    (SntpFault::Stale, &["sent before it was received"]),
    (SntpFault::RootDistance, &["too far from its reference"]),
    (SntpFault::Silent, &["no answer"]),
    (SntpFault::Long, &[]),
    (SntpFault::Twice, &[]),
];

fn stages() -> Vec<Stage> {
    let mut r = Seeded(20_261_121);
    (0..RUNS).map(|n| stage(n, &mut r)).collect()
}

fn stage(n: usize, r: &mut Seeded) -> Stage {
    let host = r.offset();
    let mut honest = || {
        let (way_in, way_out) = r.ways();
        SntpSettings { offset_ms: host, way_in, way_out, ..SntpSettings::default() }
    };
    let of = |mut all: Vec<SntpSettings>, at: usize, fault: SntpFault| {
        all[at].fault = fault;
        all
    };
    let (servers, reference, fault, torn) = match n {
        n if n < FAULTS.len() => {
            let (fault, names) = FAULTS[n];
            // Beside a right one, or alone: then nothing is known of this host, unless the fault is harmless.
            let (alone, known) = (n % 3 == 2, n % 3 != 2 || names.is_empty());
            let all = if alone { vec![honest()] } else { vec![honest(), honest()] };
            let at = all.len() - 1;
            (of(all, at, fault), known.then_some(host), Some((at, names)), None)
        }
        18 | 19 => (Vec::new(), None, None, None),
        20 => (vec![honest()], Some(host), None, None),
        21 => (vec![honest(), honest(), honest()], Some(host), None, None),
        22 | 23 => {
            // One of three lies, once by hours, once because it lives in an era that has not begun: it is outvoted.
            let mut all = vec![honest(), honest(), honest()];
            if n == 22 {
                all[1].offset_ms += 7_200_000
            } else {
                all[1].fault = SntpFault::Era1
            };
            (all, Some(host), None, None)
        }
        _ => {
            let mut all = vec![honest(), honest()];
            all[1].offset_ms += 60_000;
            (all, None, None, Some(60_000))
        }
    };
    let scenes = (0..GATEWAYS).map(|g| scene(n * GATEWAYS + g, r)).collect();
    Stage { n, scenes, servers, reference, fault, torn }
}

/// The first run without time servers: there a header's fault is all that there is to say.
const BARE: usize = 18 * GATEWAYS;

/// Every tenth header has a fault, each in turn, and so have the first ones of the runs without time servers.
fn scene(case: usize, r: &mut Seeded) -> Scene {
    let (out, back) = r.ways();
    let now = jiff::Timestamp::now().as_millisecond();
    let faults = [
        (DateMode::Missing, "date_missing"),
        (DateMode::Garbage, "date_malformed"),
        (DateMode::Cached(90), "date_cached"),
        (DateMode::Frozen(now - 7_200_000), "date_frozen"),
        (DateMode::InTurn(90_000), "date_inconsistent"),
    ];
    let fault = case.checked_sub(BARE).and_then(|n| faults.get(n)).or((case % 10 == 9).then(|| &faults[case / 10 % faults.len()]));
    let header = fault.map_or_else(|| Header::Plain(r.offset()), |(mode, name)| Header::Faulty(*mode, name));
    Scene { header, out, back }
}

/// A relay on loopback through which every byte takes its time: so long to the gateway, so long back.
async fn relay(to: String, scene: Scene) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&to).await else { continue };
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(carry(from_client, to_server, scene.out));
            tokio::spawn(carry(from_server, to_client, scene.back));
        }
    });
    port
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, delay: Duration) {
    let mut buffer = vec![0; 16_384];
    loop {
        match from.read(&mut buffer).await {
            Ok(n) if n > 0 => {
                tokio::time::sleep(delay).await;
                if to.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
            _ => return drop(to.shutdown().await),
        }
    }
}

/// The relays and time servers of one run, on a thread of their own.
struct Network {
    relays: Vec<u16>,
    ntp: Vec<u16>,
    _end: tokio::sync::oneshot::Sender<()>,
}

fn network(stage: &Stage, gateways: Vec<String>) -> Network {
    let (tx, rx) = mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (scenes, servers) = (stage.scenes.clone(), stage.servers.clone());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut relays, mut kept) = (Vec::new(), Vec::new());
            for (to, scene) in gateways.into_iter().zip(scenes) {
                relays.push(relay(to, scene).await);
            }
            for settings in servers {
                kept.push(Sntp::start(([127, 0, 0, 1], 0).into(), settings, Clock::System).await.unwrap());
            }
            tx.send((relays, kept.iter().map(|s| s.address().port()).collect())).unwrap();
            let _ = ended.await;
        });
    });
    let (relays, ntp) = rx.recv_timeout(deadline()).unwrap();
    Network { relays, ntp, _end: end }
}

/// Plays one run and returns what the program printed.
fn play(stage: &Stage) -> (Value, i32, Vec<u16>) {
    let names: Vec<String> = (0..GATEWAYS).map(|g| format!("g{g}")).collect();
    let part = |g: usize| -> (&str, Settings, Vec<InstanceSpec>) {
        let date = match stage.scenes[g].header {
            Header::Plain(offset) => DateMode::Skewed(offset),
            Header::Faulty(mode, _) => mode,
        };
        let settings = Settings { date, ..quick(&format!("SCENARIO-KEY-{}-{g}", stage.n)) };
        (&names[g], settings, vec![instance("shop", Past::Online)])
    };
    let servers = Servers::start((0..GATEWAYS).map(part).collect());
    let addresses: Vec<String> = names.iter().map(|n| servers.url(n).trim_start_matches("http://").to_owned()).collect();
    let net = network(stage, addresses.clone());
    let home = Home::of(&servers);
    let config = std::fs::read_to_string(home.file("config.toml")).unwrap();
    let relayed = addresses.iter().zip(&net.relays).fold(config, |c, (from, port)| {
        assert!(c.contains(from.as_str()), "{from} is not in {c}");
        c.replace(from.as_str(), &format!("127.0.0.1:{port}"))
    });
    home.write_config(&relayed);
    for (g, scene) in stage.scenes.iter().enumerate() {
        if matches!(scene.header, Header::Faulty(DateMode::InTurn(_), _)) {
            // The next answer is that of the host that is ahead.
            support::house::http(&servers.url(&names[g]), "GET", "/", "", None);
        }
    }
    let ports: Vec<String> = net.ntp.iter().flat_map(|p| ["--ntp".to_owned(), format!("127.0.0.1:{p}")]).collect();
    let args: Vec<&str> = ["clock", "--json"].into_iter().chain(ports.iter().map(String::as_str)).collect();
    let ran = home.run(&args);
    (ran.json(), ran.code, net.ntp)
}

/// The interval of an entry, in milliseconds, a millisecond wider for the rounding of the figures.
fn interval(v: &Value) -> Option<(f64, f64)> {
    Some((v["skew_s"][0].as_f64()? * 1000.0 - 1.0, v["skew_s"][1].as_f64()? * 1000.0 + 1.0))
}

#[allow(clippy::cast_precision_loss)]
fn inside(v: &Value, truth: i64, what: &str) {
    let (lo, hi) = interval(v).unwrap_or_else(|| panic!("{what}: no interval in {v}"));
    assert!((lo..=hi).contains(&(truth as f64)), "{what}: {truth} ms is outside {lo} .. {hi}");
}

/// What was seen over all runs.
#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<String, usize>,
    faults: BTreeMap<String, usize>,
    intervals: usize,
    blamed: usize,
}

fn check(stage: &Stage, doc: &Value, code: i32, ports: &[u16], tally: &mut Tally) {
    let run = stage.n;
    let host = &doc["host"];
    match (stage.reference, stage.torn) {
        (Some(truth), _) => {
            inside(host, truth, &format!("run {run}, this host"));
            tally.intervals += 1;
        }
        (None, Some(gap)) => assert_eq!(host["cause"], "sources_conflict", "run {run}: {gap} apart, {host}"),
        (None, None) => assert!(interval(host).is_none(), "run {run}: nobody told, yet {host}"),
    }
    if let Some((at, names)) = stage.fault {
        let server = format!("127.0.0.1:{}", ports[at]);
        let said = host["samples"].as_array().unwrap().iter().find(|s| s["server"] == server.as_str()).unwrap_or_else(|| panic!("run {run}: {host}"));
        let named = said["detail"].as_str().unwrap_or_default();
        let fault = stage.servers[at].fault;
        assert_eq!(names.is_empty(), interval(said).is_some(), "run {run}, {fault:?}: {said}");
        assert!(names.is_empty() || names.contains(&named), "run {run}, {fault:?}: {said}");
        *tally.faults.entry(format!("{fault:?}")).or_default() += 1;
    }
    for (g, scene) in stage.scenes.iter().enumerate() {
        let what = format!("run {run}, g{g}, {scene:?}, reference {:?}", stage.reference);
        let entry = &doc["gateways"][g];
        assert_eq!(entry["name"], format!("g{g}"), "{what}");
        let verdict = entry["verdict"].as_str().unwrap();
        *tally.verdicts.entry(verdict.to_owned()).or_default() += 1;
        let truth = match scene.header {
            Header::Plain(offset) => {
                inside(entry, offset, &what);
                tally.intervals += 1;
                Some(offset)
            }
            Header::Faulty(_, name) => {
                assert!(interval(entry).is_none(), "{what}: {entry}");
                // The words speak of this host where that is known to be worse.
                let host_speaks = stage.torn.is_some() || stage.reference.is_some_and(|h| h.abs() > 3_900);
                assert!(host_speaks || entry["cause_detail"] == name, "{what}: {entry}");
                *tally.faults.entry(name.to_owned()).or_default() += usize::from(entry["cause_detail"] == name);
                None
            }
        };
        let worst = truth.into_iter().chain(stage.reference).map(i64::abs).max();
        if verdict == "ok" {
            assert!(worst.is_some_and(|w| w <= 30_000), "{what}: false ok");
            assert!(worst.is_some_and(|w| w <= 5_000), "{what}: ok, and off by more than 5 s");
        }
        if verdict == "blocked" {
            assert!(stage.torn.is_some() || worst.is_some_and(|w| w >= 5_000), "{what}: false block");
            assert_eq!(code, 7, "{what}");
        }
        if worst.is_some_and(|w| w > 33_000) {
            assert_eq!(verdict, "blocked", "{what}: {entry}");
        }
        side(entry, truth, stage.reference, &what, tally);
    }
}

/// Nobody is blamed wrongly.
fn side(entry: &Value, gateway: Option<i64>, host: Option<i64>, what: &str, tally: &mut Tally) {
    let off = |v: i64| v.abs() > 5_000;
    let against = host.zip(gateway).map(|(h, g)| g - h);
    let right = match entry["side"].as_str() {
        Some("host") => host.is_some_and(off),
        Some("gateway") => against.is_some_and(off),
        Some("both") => host.is_some_and(off) && against.is_some_and(off),
        _ => return,
    };
    assert!(right, "{what}: {} is blamed", entry["side"]);
    tally.blamed += 1;
}

#[test]
fn in_100_scenarios_of_the_built_program_no_verdict_is_forged_and_the_truth_is_inside() {
    let began = Instant::now();
    let (todo, done) = (Mutex::new(stages().into_iter()), Mutex::new(Vec::new()));
    thread::scope(|s| {
        for _ in 0..AT_ONCE {
            s.spawn(|| {
                loop {
                    let Some(stage) = todo.lock().unwrap().next() else { return };
                    let (doc, code, ports) = play(&stage);
                    done.lock().unwrap().push((stage, doc, code, ports));
                }
            });
        }
    });
    let (done, mut tally) = (done.into_inner().unwrap(), Tally::default());
    assert_eq!(done.len() * GATEWAYS, 100);
    for (stage, doc, code, ports) in &done {
        check(stage, doc, *code, ports, &mut tally);
    }
    let Tally { verdicts, faults, intervals, blamed } = tally;
    println!("{verdicts:?}; {intervals} intervals; {blamed} blamed; {} s\n{faults:?}", began.elapsed().as_secs_f32());
    assert!(["ok", "warn", "blocked", "unknown"].iter().all(|v| verdicts.get(*v).is_some_and(|n| *n > 2)), "{verdicts:?}");
    assert!(intervals > 90 && blamed > 20, "{intervals} intervals, {blamed} blamed");
    assert_eq!(faults.values().filter(|n| **n > 0).count(), FAULTS.len() + 5, "a fault was never named: {faults:?}");
    assert!(began.elapsed() < MOST, "{:?}", began.elapsed());
}
