//! SNTP: what a third clock says of this host's. Nothing is asked unless a server is configured or given by hand.
//!
//! [`packet`] judges one answer and does no I/O; [`client`] asks one server; [`servers`] asks all of them side by side and
//! joins what they say. The offset is reference minus host, as every sample about this host.
//!
//! A request carries 64 random bits where others put their time: nothing of this host's clock leaks, and an answer that does
//! not repeat them is somebody else's.

pub mod client;
pub mod packet;
pub mod servers;

pub use packet::{Measured, Reject, Request};
pub use servers::{LIMIT, Servers};

use crate::{
    domain::Clean,
    i18n::{Words, sntp as w},
};

/// Detail: nothing came back. UDP to that port is blocked, or no server listens there.
pub const NO_ANSWER: &str = "no answer";
/// Detail: the server's host said that nobody listens on that port.
pub const REFUSED: &str = "refused";
/// Detail: no way to that network.
pub const UNREACHABLE: &str = "no route";
/// Detail: the name stands for no address.
pub const NAME_UNKNOWN: &str = "name unknown";
/// Detail: the name service did not answer in time.
pub const NAME_SLOW: &str = "name not resolved in time";
/// Detail: the server says of itself that it has no time to give (leap 3, stratum 0 or from 16 on).
pub const UNSYNCED: &str = "unsynchronised";
/// Detail: the server asks to be left alone for a while; it is, until this program ends.
pub const KISS_RATE: &str = "kiss RATE";
/// Detail: the server refuses this host.
pub const KISS_DENY: &str = "kiss DENY";
/// Detail: the server refuses this host, as its administrator wants.
pub const KISS_RSTR: &str = "kiss RSTR";
/// Detail: another kiss code.
pub const KISS_OTHER: &str = "kiss of another kind";
/// Detail: less than 48 bytes.
pub const SHORT: &str = "answer too short";
/// Detail: bytes that are no NTP.
pub const GARBAGE: &str = "answer is no NTP";
/// Detail: an answer that does not repeat our random bits.
pub const FOREIGN: &str = "answer to another question";
/// Detail: a packet that no server sends to one who asks (modes 1 and 5).
pub const MODE: &str = "not a server's answer";
/// Detail: the server says when it sent or received nothing.
pub const NO_TIME: &str = "answer without a time";
/// Detail: answered before it was asked, by its own clock.
pub const BACKWARDS: &str = "sent before it was received";
/// Detail: the server's own bound on its error is 16 s or more.
pub const FAR: &str = "too far from its reference";
/// Detail: this host's clock was moved, or it slept, while the servers were asked.
pub const STEPPED: &str = super::http_date::STEPPED;
/// Detail of the joint sample, before a figure in milliseconds: the servers contradict each other without a majority.
pub const CONFLICT: &str = "servers contradict each other by ";

/// By how many milliseconds the servers contradicted each other, if that is what the detail of a joint sample says.
pub fn conflict_ms(detail: &Clean) -> Option<i64> {
    detail.as_str().strip_prefix(CONFLICT)?.strip_suffix(" ms")?.parse().ok()
}

/// What a detail reads as to people; `None` for one that is no constant of this room (`2 of 3`).
pub fn words(detail: &Clean) -> Option<&'static Words> {
    if conflict_ms(detail).is_some() {
        return Some(&w::CONFLICT);
    }
    Some(match detail.as_str() {
        NO_ANSWER => &w::NO_ANSWER,
        REFUSED => &w::REFUSED,
        UNREACHABLE => &w::UNREACHABLE,
        NAME_UNKNOWN => &w::NAME_UNKNOWN,
        NAME_SLOW => &w::NAME_SLOW,
        UNSYNCED => &w::UNSYNCED,
        KISS_RATE => &w::KISS_RATE,
        KISS_DENY => &w::KISS_DENY,
        KISS_RSTR => &w::KISS_RSTR,
        KISS_OTHER => &w::KISS_OTHER,
        SHORT => &w::SHORT,
        GARBAGE => &w::GARBAGE,
        FOREIGN => &w::FOREIGN,
        MODE => &w::MODE,
        NO_TIME => &w::NO_TIME,
        BACKWARDS => &w::BACKWARDS,
        FAR => &w::FAR,
        _ => return None,
    })
}
