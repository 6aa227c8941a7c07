//! Asks one server: a few probes from one connected socket, the one that took least time kept.
//!
//! A connected socket takes datagrams of that address only and hears at once that nobody listens. Probes do not wait for
//! each other longer than `NEXT`, so that a server 400 ms away still answers three of them in time.

use super::{
    NAME_SLOW, NAME_UNKNOWN, NO_ANSWER, REFUSED, UNREACHABLE,
    packet::{self, Measured, Reject, Request},
};
use crate::{domain::Time, store::config::NtpServer};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::UdpSocket, time::Instant};

/// Probes sent to one server.
pub const PROBES: u32 = 3;
/// The next probe is sent so long after one that was not answered.
const NEXT: Duration = Duration::from_millis(250);
/// A first address that is silent so long leaves the rest of the time to the second.
const FIRST_ADDRESS: Duration = Duration::from_millis(450);

/// What asking one server brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The answer that took least time.
    pub best: Measured,
    /// How many answers there were.
    pub probes: u32,
    /// True when the server then asked to be asked less.
    pub slower: bool,
}

/// Why a server told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The name stands for nothing.
    NameUnknown,
    /// The name service was too slow.
    NameSlow,
    /// Nobody listens there.
    Refused,
    /// No way there.
    Unreachable,
    /// Nothing came.
    NoAnswer,
    /// What came was refused.
    Rejected(Reject),
}

impl Silence {
    /// The stable text that a sample carries.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NameUnknown => NAME_UNKNOWN,
            Self::NameSlow => NAME_SLOW,
            Self::Refused => REFUSED,
            Self::Unreachable => UNREACHABLE,
            Self::NoAnswer => NO_ANSWER,
            Self::Rejected(why) => why.detail(),
        }
    }
}

impl From<io::Error> for Silence {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::ConnectionRefused { Self::Refused } else { Self::Unreachable }
    }
}

/// Asks `server` with up to `probes` probes; ends by `until` at the latest.
///
/// # Errors
/// Why nothing usable came.
pub async fn ask(server: &NtpServer, probes: u32, time: &dyn Time, until: Instant) -> Result<Told, Silence> {
    let addresses = resolve(server, until).await?;
    let mut last = Silence::NameUnknown;
    for (n, address) in addresses.iter().enumerate() {
        // Only the first of two gives up early.
        let end = if n + 1 < addresses.len() { until.min(Instant::now() + FIRST_ADDRESS) } else { until };
        match ask_address(*address, probes, time, end).await {
            Err(why @ (Silence::Refused | Silence::Unreachable | Silence::NoAnswer)) => last = why,
            told => return told,
        }
    }
    Err(last)
}

/// The first address of each family, in the order of the system's preference.
async fn resolve(server: &NtpServer, until: Instant) -> Result<Vec<SocketAddr>, Silence> {
    if let Ok(ip) = server.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, server.port)]);
    }
    let left = until.saturating_duration_since(Instant::now());
    let found = tokio::time::timeout(left, tokio::net::lookup_host((server.host.as_str(), server.port))).await;
    let all: Vec<SocketAddr> = found.map_err(|_| Silence::NameSlow)?.map_err(|_| Silence::NameUnknown)?.collect();
    let mut kept: Vec<SocketAddr> = Vec::with_capacity(2);
    for a in all {
        if kept.iter().all(|k| k.is_ipv4() != a.is_ipv4()) {
            kept.push(a);
        }
    }
    if kept.is_empty() { Err(Silence::NameUnknown) } else { Ok(kept) }
}

/// A question on its way.
struct Sent {
    request: Request,
    /// On the monotonic clock (tokio's, which tests may pause): a step of the wall clock cannot fake a round trip.
    at: Instant,
    boot: Duration,
}

async fn ask_address(address: SocketAddr, probes: u32, time: &dyn Time, until: Instant) -> Result<Told, Silence> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    let mut asked: Vec<Sent> = Vec::new();
    let mut sent = 0;
    let mut told: Option<Told> = None;
    let mut why = Silence::NoAnswer;
    let mut buffer = [0u8; 1024];
    while sent < probes || !asked.is_empty() {
        if sent < probes {
            match send(&socket, time).await {
                Ok(question) => asked.push(question),
                Err(e) => return told.ok_or_else(|| e.into()),
            }
            sent += 1;
        }
        // The last one waits to the end, the others only until it is time for the next.
        let end = if sent < probes { until.min(Instant::now() + NEXT) } else { until };
        let answer = receive(&socket, &mut buffer, &mut asked, time, end, &mut why).await;
        match (answer, &mut told) {
            (Some(Ok(m)), None) => told = Some(Told { best: m, probes: 1, slower: false }),
            (Some(Ok(m)), Some(t)) => {
                t.probes += 1;
                if m.delay_ns < t.best.delay_ns {
                    t.best = m;
                }
            }
            // It told the time once and now asks for peace: what it told stands.
            (Some(Err(Silence::Rejected(kiss))), Some(t)) if kiss.is_final() => {
                t.slower = true;
                break;
            }
            (Some(Err(refused)), None) => return Err(refused),
            (Some(Err(_)), Some(_)) => break,
            (None, _) if Instant::now() >= until => break,
            (None, _) => {}
        }
    }
    told.ok_or(why)
}

async fn send(socket: &UdpSocket, time: &dyn Time) -> io::Result<Sent> {
    let mut bits = [0u8; 8];
    getrandom::fill(&mut bits).map_err(|_| io::Error::other("no random bits"))?;
    let now = time.now();
    let request = Request { cookie: u64::from_be_bytes(bits), sent: now.wall };
    let at = Instant::now();
    socket.send(&request.bytes()).await?;
    Ok(Sent { request, at, boot: Duration::from_millis(now.boot_now().0) })
}

/// The next answer to one of `asked`, which is taken out. Strays only leave their name in `why`. `None`: time is up.
async fn receive(
    socket: &UdpSocket,
    buffer: &mut [u8],
    asked: &mut Vec<Sent>,
    time: &dyn Time,
    until: Instant,
    why: &mut Silence,
) -> Option<Result<Measured, Silence>> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let got = match tokio::time::timeout(left, socket.recv(buffer)).await {
            Err(_) => return None,
            Ok(Err(e)) => return Some(Err(e.into())),
            Ok(Ok(n)) => &buffer[..n],
        };
        let now = Instant::now();
        let mut stray = Reject::Short;
        for n in 0..asked.len() {
            let (request, passed) = (asked[n].request, now.saturating_duration_since(asked[n].at));
            match packet::parse(got, &request, passed) {
                Err(e) if e.is_stray() => stray = e,
                judged => {
                    let slept = slept(&asked.remove(n), passed, time);
                    return Some(if slept { Err(Silence::NoAnswer) } else { judged.map_err(Silence::Rejected) });
                }
            }
        }
        // A late second copy of what was answered before is nothing to speak of.
        *why = Silence::Rejected(stray);
    }
}

/// The monotonic clock stands still while a machine sleeps; what it counted then is not the time that passed.
fn slept(question: &Sent, passed: Duration, time: &dyn Time) -> bool {
    let boot = Duration::from_millis(time.now().boot_now().0).saturating_sub(question.boot);
    boot > passed + Duration::from_millis(500)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
