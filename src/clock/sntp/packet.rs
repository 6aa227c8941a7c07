//! One question and one answer of SNTP, without I/O (RFC 5905 §8, RFC 4330 §5).
//!
//! Timestamps are 32.32 fixed-point seconds since 1900 that wrap every 136 years. All sums here are differences of two of
//! them, taken modulo 2^64 and read as signed: right for clocks less than 68 years apart, in every era.

use super::{BACKWARDS, FAR, FOREIGN, GARBAGE, KISS_DENY, KISS_OTHER, KISS_RATE, KISS_RSTR, MODE, NO_TIME, SHORT, UNSYNCED};
use crate::{clock::sample::Interval, domain::Wall};
use std::time::Duration;

/// Bytes of a packet without extensions.
pub const LEN: usize = 48;
/// A server this far from its reference (seconds) is of no use. RFC 5905 says 1 s, too strict for a console that asks
/// whether a clock is off by 30.
pub const MOST_DISTANCE_S: u64 = 16;
/// Seconds from 1900 to 1970.
const TO_UNIX: u64 = 2_208_988_800;
const NS: i128 = 1_000_000_000;
/// One second in 32.32.
const ONE: i128 = 1 << 32;

/// One question: the random bits that its answer must repeat, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Stands where others put their time.
    pub cookie: u64,
    /// This host's wall clock when it was sent, in milliseconds rounded down.
    pub sent: Wall,
}

/// What an answer measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Server minus host in nanoseconds.
    pub offset_ns: i64,
    /// The way there and back in nanoseconds, never negative.
    pub delay_ns: i64,
    /// The server's own distance to its reference in nanoseconds: half its delay plus its dispersion.
    pub distance_ns: i64,
    /// Its stratum, 1 to 15.
    pub stratum: u8,
}

/// Why an answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Less than 48 bytes.
    Short,
    /// Neither our bits nor a version and mode that a server sends.
    Garbage,
    /// A server's answer to somebody else, or a forged one.
    Origin,
    /// It repeats our bits, yet is no server's answer (mode 1, 5 …) or of a version that is none (below 3, above 4).
    Mode(u8),
    /// A kiss code: the server does not want to be asked.
    Kiss([u8; 4]),
    /// Stratum 0 without a kiss code, or from 16 on.
    Stratum(u8),
    /// Leap 3: its clock was never set.
    Leap,
    /// The time of reception is zero.
    ZeroReceive,
    /// The time of sending is zero.
    ZeroTransmit,
    /// It was sent before it was received.
    Backwards,
    /// The server kept it longer than the answer took altogether.
    Held,
    /// The server's error bound is 16 s or more.
    Distance,
}

impl Reject {
    /// True for datagrams that anybody could have sent: the wait for the real answer goes on.
    pub const fn is_stray(self) -> bool {
        matches!(self, Self::Short | Self::Garbage | Self::Origin)
    }
    /// True when the server must not be asked again in this session.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Kiss(_))
    }
    /// The stable text that a sample carries.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Short => SHORT,
            Self::Garbage => GARBAGE,
            Self::Origin => FOREIGN,
            Self::Mode(_) => MODE,
            Self::Kiss(code) => match &code {
                b"RATE" => KISS_RATE,
                b"DENY" => KISS_DENY,
                b"RSTR" => KISS_RSTR,
                _ => KISS_OTHER,
            },
            Self::Stratum(_) | Self::Leap => UNSYNCED,
            Self::ZeroReceive | Self::ZeroTransmit => NO_TIME,
            Self::Backwards | Self::Held => BACKWARDS,
            Self::Distance => FAR,
        }
    }
}

impl Request {
    /// The bytes to send: version 4, mode client, and nothing of this host but random bits.
    pub fn bytes(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[0] = 4 << 3 | 3;
        out[40..].copy_from_slice(&self.cookie.to_be_bytes());
        out
    }
    /// T1 as NTP writes it, modulo the era.
    fn t1(&self) -> u64 {
        let ms = i128::from(self.sent.0) + i128::from(TO_UNIX) * 1000;
        // Wraps on purpose: the era is dropped.
        (ms * ONE / 1000) as u64
    }
}

impl Measured {
    /// Where reference minus host lies, in milliseconds, rounded outwards. The extra millisecond is that by which the wall
    /// clock at sending was rounded down.
    pub fn interval(&self) -> Interval {
        let err = i128::from(self.delay_ns) / 2 + 1 + i128::from(self.distance_ns);
        let mid = i128::from(self.offset_ns);
        let ms = |ns: i128| i64::try_from(ns).unwrap_or(i64::MAX);
        Interval::new(ms((mid - err).div_euclid(1_000_000)) - 1, ms(-(-(mid + err)).div_euclid(1_000_000)))
    }
}

/// Judges a datagram that came `passed` (by the monotonic clock) after `request` was sent.
///
/// # Errors
/// Why it is not the answer, or not one to measure by.
pub fn parse(data: &[u8], request: &Request, passed: Duration) -> Result<Measured, Reject> {
    let Some(p) = data.get(..LEN) else { return Err(Reject::Short) };
    let word = |at: usize| u64::from(u32::from_be_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]]));
    let stamp = |at: usize| word(at) << 32 | word(at + 4);
    let (leap, version, mode, stratum) = (p[0] >> 6, p[0] >> 3 & 7, p[0] & 7, p[1]);
    let speaks = (3..=4).contains(&version) && mode == 4;
    // The bits come first: whatever else a forger writes cannot end the wait.
    if stamp(24) != request.cookie {
        return Err(if speaks { Reject::Origin } else { Reject::Garbage });
    }
    if !speaks {
        return Err(Reject::Mode(mode));
    }
    match stratum {
        0 => {
            let code = [p[12], p[13], p[14], p[15]];
            // INIT and STEP only tell that it is starting up.
            let kiss = code.iter().all(u8::is_ascii_uppercase) && !matches!(&code, b"INIT" | b"STEP");
            return Err(if kiss { Reject::Kiss(code) } else { Reject::Stratum(0) });
        }
        16.. => return Err(Reject::Stratum(stratum)),
        _ => {}
    }
    if leap == 3 {
        return Err(Reject::Leap);
    }
    let (t1, t2, t3) = (request.t1(), stamp(32), stamp(40));
    if t2 == 0 {
        return Err(Reject::ZeroReceive);
    }
    if t3 == 0 {
        return Err(Reject::ZeroTransmit);
    }
    let ns = |fixed: i128| fixed * NS / ONE;
    // As signed 64 bit: the era falls out of the difference.
    let apart = |a: u64, b: u64| ns(i128::from(a.wrapping_sub(b) as i64));
    let held = apart(t3, t2);
    if held < 0 {
        return Err(Reject::Backwards);
    }
    let passed = i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX);
    // A reading of two clocks may differ by their granularity and drift; beyond that the server's figures are made up.
    if held > passed + passed / 1000 + 1_000_000 {
        return Err(Reject::Held);
    }
    // 16.16 fixed point. The delay is signed on the wire of old servers; a huge one is refused as a distance.
    let short = |at: usize| i128::from(word(at)) * NS / (1 << 16);
    let distance = short(4) / 2 + short(8);
    if distance >= i128::from(MOST_DISTANCE_S) * NS {
        return Err(Reject::Distance);
    }
    let there = apart(t2, t1);
    // T3 − T4 with T4 = T1 + what the monotonic clock counted: a step of the wall clock meanwhile cannot fake an offset.
    let back = apart(t3, t1) - passed;
    let narrow = |x: i128| i64::try_from(x).unwrap_or(i64::MAX);
    Ok(Measured { offset_ns: narrow((there + back) / 2), delay_ns: narrow((passed - held).max(0)), distance_ns: narrow(distance), stratum })
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
