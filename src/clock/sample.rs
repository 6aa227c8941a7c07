//! One measurement of one clock, as an interval that contains the truth.

use crate::domain::{Clean, GatewayId, Stamp};
use serde::{Deserialize, Serialize};

/// Whose clock is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// This host, against a reference.
    Host,
    /// The gateway, against this host.
    Gateway,
}

/// How it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The `Date` header of the gateway's answers.
    Date,
    /// SNTP.
    Ntp,
    /// The kernel's own view of its discipline.
    Kernel,
    /// Build time and last verified time.
    Floor,
    /// The platform's own time.
    ServerTime,
    /// The gateway's timezone label.
    ZoneLabel,
}

/// Offsets in milliseconds; the truth lies in `lo..=hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Smallest possible offset.
    pub lo_ms: i64,
    /// Largest possible offset.
    pub hi_ms: i64,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The gateway that it is about; `None` for this host.
    pub gateway: Option<GatewayId>,
    /// Whose clock.
    pub subject: Subject,
    /// How.
    pub by: By,
    /// `subject − reference`: for a gateway, gateway minus host (positive: the gateway is ahead); for the host, reference minus host.
    /// `None`: the source was asked and gave nothing usable.
    pub interval: Option<Interval>,
    /// When, on our clocks.
    pub at: Stamp,
    /// How many probes it joins.
    pub probes: u32,
    /// Detail or the reason why nothing usable came (`cached`, `no Date header`, `synced, max error 1.2 ms`).
    pub detail: Clean,
}
