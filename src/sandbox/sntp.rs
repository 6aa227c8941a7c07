//! A time server with a clock as wrong as wanted, on loopback: for tests of what asks it.
//!
//! Its faults are those that real servers and forgers show, one at a time. Offset, fault and the times of both ways can be
//! changed while it serves.

use super::{Clock, chance::Chance};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// Seconds from 1900 to 1970.
const TO_UNIX: i128 = 2_208_988_800;
const LEN: usize = 48;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SntpFault {
    /// Nothing.
    #[default]
    None,
    /// A kiss code, such as `RATE`.
    Kiss([u8; 4]),
    /// Stratum 0 without a code.
    Stratum0,
    /// Stratum 16.
    Stratum16,
    /// Leap 3: never synchronised.
    Leap3,
    /// It does not repeat the question's bits.
    BadOrigin,
    /// The time of sending is zero.
    ZeroTransmit,
    /// The time of reception is zero.
    ZeroReceive,
    /// Fewer than 48 bytes.
    Short,
    /// Bytes after the packet: harmless.
    Long,
    /// Mode 1.
    Mode1,
    /// Mode 5, a broadcast.
    Mode5,
    /// Any bytes, any number.
    Garbage,
    /// Everything twice: harmless.
    Twice,
    /// Sent 5 s before it was received.
    Stale,
    /// 100 s into era 1 (2036).
    Era1,
    /// Root dispersion 20 s.
    RootDistance,
    /// First a forged answer of each stray kind, then the real one.
    StraysFirst,
    /// Nothing is answered.
    Silent,
}

impl SntpFault {
    /// Every fault of the research table with its name there.
    pub const TABLE: [(&str, Self); 15] = [
        ("kod", Self::Kiss(*b"RATE")),
        ("stratum0", Self::Stratum0),
        ("stratum16", Self::Stratum16),
        ("li3", Self::Leap3),
        ("badorigin", Self::BadOrigin),
        ("zerotx", Self::ZeroTransmit),
        ("short", Self::Short),
        ("long", Self::Long),
        ("mode1", Self::Mode1),
        ("mode5", Self::Mode5),
        ("garbage", Self::Garbage),
        ("dup", Self::Twice),
        ("stale", Self::Stale),
        ("era1", Self::Era1),
        ("rootdist", Self::RootDistance),
    ];
}

/// How a server behaves; may change while it serves.
#[derive(Clone, Copy, Debug, Default)]
pub struct SntpSettings {
    /// Its clock is so many milliseconds ahead.
    pub offset_ms: i64,
    /// Time that a question takes.
    pub way_in: Duration,
    /// Time that an answer takes.
    pub way_out: Duration,
    /// What it does wrong.
    pub fault: SntpFault,
    /// Answers without the fault before it sets in.
    pub well_first: u64,
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Sntp {
    address: SocketAddr,
    settings: Arc<Mutex<SntpSettings>>,
    asked: Arc<AtomicU64>,
    cancel: CancellationToken,
}

impl Sntp {
    /// Serves on `address`, which must be loopback; port 0 takes any.
    ///
    /// # Errors
    /// When the address is not loopback, or cannot be bound.
    pub async fn start(address: SocketAddr, settings: SntpSettings, clock: Clock) -> std::io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "a sandbox listens on loopback only"));
        }
        let socket = Arc::new(UdpSocket::bind(address).await?);
        let address = socket.local_addr()?;
        let (settings, asked, cancel) = (Arc::new(Mutex::new(settings)), Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (now, count, end) = (settings.clone(), asked.clone(), cancel.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            loop {
                let (n, from) = tokio::select! {
                    () = end.cancelled() => return,
                    got = socket.recv_from(&mut buffer) => match got {
                        Ok(got) => got,
                        // Somebody asked and has gone: ICMP tells so at the next call.
                        Err(_) => continue,
                    },
                };
                let nth = count.fetch_add(1, Ordering::Relaxed);
                let mut s = *lock(&now);
                if nth < s.well_first {
                    s.fault = SntpFault::None;
                }
                let (socket, question) = (socket.clone(), buffer[..n].to_vec());
                let end = end.clone();
                tokio::spawn(async move {
                    let serve = async {
                        wait(s.way_in).await;
                        for packet in answers(&question, &s, clock) {
                            wait(s.way_out).await;
                            let _ = socket.send_to(&packet, from).await;
                        }
                    };
                    tokio::select! { () = end.cancelled() => {}, () = serve => {} }
                });
            }
        });
        Ok(Self { address, settings, asked, cancel })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// How many questions came.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
    /// Changes how it behaves from the next question on: a stepped clock, a fault, a longer way.
    pub fn set(&self, change: impl FnOnce(&mut SntpSettings)) {
        change(&mut lock(&self.settings));
    }
}

impl Drop for Sntp {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn lock(m: &Mutex<SntpSettings>) -> MutexGuard<'_, SntpSettings> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn wait(d: Duration) {
    if !d.is_zero() {
        tokio::time::sleep(d).await;
    }
}

/// Its clock in microseconds since 1970.
fn now_us(s: &SntpSettings, clock: Clock) -> i128 {
    let here = match clock {
        Clock::System => i128::from(jiff::Timestamp::now().as_microsecond()),
        Clock::Virtual { .. } => i128::from(clock.now_ms()) * 1000,
    };
    here + i128::from(s.offset_ms) * 1000
}

/// As NTP writes it, the era dropped.
fn ntp(us: i128) -> [u8; 8] {
    ((((us + TO_UNIX * 1_000_000) << 32) / 1_000_000) as u64).to_be_bytes()
}

fn answers(question: &[u8], s: &SntpSettings, clock: Clock) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(None);
    let Some(question) = question.get(..LEN) else { return Vec::new() };
    let received = now_us(s, clock);
    let real = packet(question, received, s, clock);
    let garbage = |chance: &mut Chance, most: u64| {
        let n = chance.next() % most;
        (0..n).map(|_| (chance.next() >> 24) as u8).collect::<Vec<_>>()
    };
    match s.fault {
        SntpFault::Silent => Vec::new(),
        SntpFault::Short => vec![real[..(chance.next() % LEN as u64) as usize].to_vec()],
        SntpFault::Long => vec![[real, vec![0x5a; 1 + (chance.next() % 400) as usize]].concat()],
        SntpFault::Garbage => vec![garbage(&mut chance, 600)],
        SntpFault::Twice => vec![real.clone(), real],
        SntpFault::StraysFirst => {
            let mut forged = real.clone();
            forged[24..32].fill(0);
            let mut kiss = forged.clone();
            kiss[1] = 0;
            kiss[12..16].copy_from_slice(b"DENY");
            vec![garbage(&mut chance, 48), forged, kiss, garbage(&mut chance, 600), real]
        }
        _ => vec![real],
    }
}

fn packet(question: &[u8], received: i128, s: &SntpSettings, clock: Clock) -> Vec<u8> {
    let (mut leap, mut mode, mut stratum, mut reference) = (0u8, 4u8, 2u8, *b"TEST");
    let (mut rx, mut tx) = (received, now_us(s, clock));
    let mut origin: [u8; 8] = [0; 8];
    origin.copy_from_slice(&question[40..48]);
    // 16.16 fixed point: about a millisecond each.
    let (delay, mut dispersion) = (66u32, 66u32);
    match s.fault {
        SntpFault::Kiss(code) => (stratum, reference) = (0, code),
        SntpFault::Stratum0 => (stratum, reference) = (0, [0; 4]),
        SntpFault::Stratum16 => stratum = 16,
        SntpFault::Leap3 => leap = 3,
        SntpFault::Mode1 => mode = 1,
        SntpFault::Mode5 => mode = 5,
        SntpFault::BadOrigin => origin = [0; 8],
        SntpFault::Stale => (rx, tx) = (tx + 5_000_000, rx),
        SntpFault::Era1 => (rx, tx) = (((1 << 32) - TO_UNIX + 100) * 1_000_000, ((1 << 32) - TO_UNIX + 100) * 1_000_000),
        SntpFault::RootDistance => dispersion = 20 << 16,
        _ => {}
    }
    let mut out = vec![leap << 6 | question[0] & 0x38 | mode, stratum, question[2], 0xec];
    out.extend(delay.to_be_bytes());
    out.extend(dispersion.to_be_bytes());
    out.extend(reference);
    out.extend(ntp(rx - 16_000_000));
    out.extend(origin);
    out.extend(if s.fault == SntpFault::ZeroReceive { [0; 8] } else { ntp(rx) });
    out.extend(if s.fault == SntpFault::ZeroTransmit { [0; 8] } else { ntp(tx) });
    out
}
