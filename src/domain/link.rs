//! The live state of an account or device, with where it was seen, since when, and why.

use super::{Reason, Stamp};
use serde::{Deserialize, Serialize};

/// What a link can be in. `online` is said only where the platform says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The platform reports a live connection.
    Online,
    /// A token that is valid and was seen to work.
    Ready,
    /// Last activity is known, live state is not.
    Seen,
    /// Enabled on its server, which reports no connection state.
    Loaded,
    /// The server tries to connect.
    Connecting,
    /// An attempt of ours is under way.
    Pairing,
    /// Known not to be connected, session kept.
    Offline,
    /// Switched off on purpose.
    Disabled,
    /// The session was ended: it must be paired again.
    LoggedOut,
    /// Two holders of one session.
    Conflict,
    /// The token's life is over.
    Expired,
    /// A credential or an address is not accepted.
    Refused,
    /// The gateway does not answer.
    Unreachable,
    /// Nothing is known.
    Unknown,
}

impl State {
    /// Every state, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::Online,
        Self::Ready,
        Self::Seen,
        Self::Loaded,
        Self::Connecting,
        Self::Pairing,
        Self::Offline,
        Self::Disabled,
        Self::LoggedOut,
        Self::Conflict,
        Self::Expired,
        Self::Refused,
        Self::Unreachable,
        Self::Unknown,
    ];

    /// The name that JSON and filters use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Ready => "ready",
            Self::Seen => "seen",
            Self::Loaded => "loaded",
            Self::Connecting => "connecting",
            Self::Pairing => "pairing",
            Self::Offline => "offline",
            Self::Disabled => "disabled",
            Self::LoggedOut => "logged_out",
            Self::Conflict => "conflict",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// Order for "worst first": 0 is worst. The problem walk visits ranks below 6.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Conflict => 0,
            Self::Refused => 1,
            Self::LoggedOut => 2,
            Self::Expired => 3,
            Self::Unreachable => 4,
            Self::Unknown => 5,
            Self::Offline => 6,
            Self::Connecting => 7,
            Self::Pairing => 8,
            Self::Disabled => 9,
            Self::Loaded => 10,
            Self::Seen => 11,
            Self::Ready => 12,
            Self::Online => 13,
        }
    }

    /// True for states that the "next problem" key visits.
    pub const fn is_problem(self) -> bool {
        self.rank() < 6
    }

    /// True when an action must assume a live session behind it (the safer reading).
    pub const fn may_be_online(self) -> bool {
        matches!(self, Self::Online | Self::Ready | Self::Seen | Self::Loaded | Self::Connecting)
    }
}

/// Where a state was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The server's event stream.
    Events,
    /// The server's list call: what its database says.
    List,
    /// One bulk read of the server's memory.
    Metrics,
    /// A question about this one row.
    Probe,
    /// A file or process on this host.
    Host,
    /// Worked out by pairdeck from what it did itself.
    Own,
}

impl Source {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::List => "list",
            Self::Metrics => "metrics",
            Self::Probe => "probe",
            Self::Host => "host",
            Self::Own => "own",
        }
    }
}

/// What one source says, and when it said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Who says it.
    pub source: Source,
    /// The word exactly as that source uses it (`open`, `close`, …), for the detail pane.
    pub says: super::Clean,
    /// What that means.
    pub state: State,
    /// When it was observed.
    pub observed_at: Stamp,
}

/// The state shown, derived from its witnesses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The derived state: the worse one where witnesses disagree.
    pub state: State,
    /// Since when it holds, if known.
    pub since: Option<Stamp>,
    /// When it was last confirmed. `None`: never in this life of the cache.
    pub observed_at: Option<Stamp>,
    /// The witness that it was taken from.
    pub source: Source,
    /// Why it is not well, if it is not.
    pub reason: Option<Reason>,
    /// All witnesses, where there is more than one.
    pub witnesses: Vec<Witness>,
}

impl Link {
    /// A link of which nothing is known yet.
    pub const fn unknown() -> Self {
        Self { state: State::Unknown, since: None, observed_at: None, source: Source::Own, reason: None, witnesses: Vec::new() }
    }

    /// True when two witnesses mean different things.
    pub fn differs(&self) -> bool {
        self.witnesses.windows(2).any(|w| w[0].state != w[1].state)
    }

    /// True when two links say the same, whenever they were observed.
    pub fn same_story(&self, other: &Self) -> bool {
        self.state == other.state
            && self.reason.as_ref().map(|r| (r.code, &r.args, &r.raw)) == other.reason.as_ref().map(|r| (r.code, &r.args, &r.raw))
            && self.witnesses.iter().map(|w| (w.source, w.state)).eq(other.witnesses.iter().map(|w| (w.source, w.state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;

    #[test]
    fn a_conflict_with_somebody_else_is_another_story() {
        let with = |who: &str| Link { state: State::Conflict, reason: Some(Reason::new(ReasonCode::KeyTwin).with("where", who)), ..Link::unknown() };
        assert!(with("tg:ada/copy").same_story(&with("tg:ada/copy")));
        assert!(!with("tg:ada/copy").same_story(&with("tg:ada/spare")));
    }
}
