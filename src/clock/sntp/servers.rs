//! All servers side by side, and what they amount to: the largest set that agrees, if it is a majority (Marzullo).

use super::{CONFLICT, NO_ANSWER, STEPPED, client};
use crate::{
    clock::{
        sample::{By, Interval, Sample, Subject},
        source::{Answer, ClockSource},
        steps,
    },
    domain::{Clean, Stamp, Time},
    store::config::NtpServer,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Asking all servers takes at most so long, names included.
pub const LIMIT: Duration = Duration::from_millis(950);
/// Servers asked at most; more do not tell more.
pub const MOST: usize = 8;

/// The servers that may be asked, and how each of them wants to be treated in this session.
#[derive(Debug, Default)]
pub struct Servers {
    servers: Vec<NtpServer>,
    manners: Mutex<HashMap<NtpServer, Manner>>,
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    /// One probe at a time: it answered, then asked for fewer.
    Single,
    /// Not at all, and the kiss that said so.
    Never(&'static str),
}

/// What one server said.
pub(in crate::clock) struct Said {
    pub(in crate::clock) server: NtpServer,
    pub(in crate::clock) result: Result<client::Told, &'static str>,
}

impl Servers {
    /// These servers, each once. Nothing is sent.
    pub fn new(servers: &[NtpServer]) -> Self {
        let mut kept: Vec<NtpServer> = Vec::new();
        for s in servers {
            // Twice the same one is no majority.
            if kept.len() < MOST && !kept.contains(s) {
                kept.push(s.clone());
            }
        }
        Self { servers: kept, manners: Mutex::default() }
    }

    /// True when there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Asks them all at once, within [`LIMIT`]. The first sample is the joint one, which counts; the others are what each
    /// server said (`server` names it) and are evidence only. None when there is nobody to ask.
    pub async fn ask(&self, time: &dyn Time) -> Vec<Sample> {
        if self.is_empty() {
            return Vec::new();
        }
        let began = time.now();
        let until = Instant::now() + LIMIT;
        let all = self.servers.iter().map(|server| self.ask_one(server, time, until));
        let said = futures_util::future::join_all(all).await;
        let now = time.now();
        if steps::moved(&began, &now).is_some() {
            return vec![sample(now, None, None, 0, STEPPED)];
        }
        samples(&said, now)
    }

    async fn ask_one(&self, server: &NtpServer, time: &dyn Time, until: Instant) -> Said {
        let said = |result| Said { server: server.clone(), result };
        let manner = self.manners().get(server).copied();
        let probes = match manner {
            Some(Manner::Never(kiss)) => return said(Err(kiss)),
            Some(Manner::Single) => 1,
            None => client::PROBES,
        };
        let result = client::ask(server, probes, time, until).await;
        let learned = match &result {
            Ok(told) if told.slower => Some(Manner::Single),
            Err(client::Silence::Rejected(why)) if why.is_final() => Some(Manner::Never(why.detail())),
            _ => None,
        };
        if let Some(manner) = learned {
            self.manners().insert(server.clone(), manner);
        }
        said(result.map_err(client::Silence::detail))
    }

    fn manners(&self) -> std::sync::MutexGuard<'_, HashMap<NtpServer, Manner>> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockSource for Servers {
    fn by(&self) -> By {
        By::Ntp
    }
    fn ask<'a>(&'a self, time: &'a dyn Time) -> Answer<'a> {
        Answer::Waits(Box::pin(Self::ask(self, time)))
    }
}

/// The joint sample, then one a server.
pub(in crate::clock) fn samples(said: &[Said], now: Stamp) -> Vec<Sample> {
    let measured: Vec<Interval> = said.iter().filter_map(|s| s.result.as_ref().ok()).map(|t| t.best.interval()).collect();
    let probes = said.iter().filter_map(|s| s.result.as_ref().ok()).map(|t| t.probes).sum();
    let joint = match agree(&measured) {
        Some((range, n)) => sample(now, None, Some(range), probes, &format!("{n} of {}", said.len())),
        None if measured.is_empty() => sample(now, None, None, 0, common(said)),
        None => sample(now, None, None, probes, &format!("{CONFLICT}{} ms", gap_ms(measured.iter()))),
    };
    let each = said.iter().map(|s| match &s.result {
        Ok(t) => sample(now, Some(&s.server), Some(t.best.interval()), t.probes, &format!("stratum {}", t.best.stratum)),
        Err(why) => sample(now, Some(&s.server), None, 0, why),
    });
    std::iter::once(joint).chain(each).collect()
}

/// The one reason for which none told anything, or the plainest of several: that no answer came.
fn common(said: &[Said]) -> &'static str {
    let mut whys = said.iter().filter_map(|s| s.result.as_ref().err().copied());
    let first = whys.next().unwrap_or(NO_ANSWER);
    if whys.all(|w| w == first) { first } else { NO_ANSWER }
}

fn sample(at: Stamp, server: Option<&NtpServer>, interval: Option<Interval>, probes: u32, detail: &str) -> Sample {
    Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Ntp,
        interval,
        at,
        probes,
        detail: Clean::new(detail),
        server: server.map(|s| Clean::new(&s.to_string())),
    }
}

/// The range that holds every offset on which a majority of the intervals agrees, and the largest number that do; `None`
/// when no majority agrees on any. As long as most servers are right the truth is in it, whatever the others say.
pub fn agree(intervals: &[Interval]) -> Option<(Interval, usize)> {
    let majority = intervals.len() / 2 + 1;
    let count = |x: i64| intervals.iter().filter(|i| i.contains(x)).count();
    // The count rises only where an interval begins and falls only where one ends.
    let lo = intervals.iter().map(|i| i.lo_ms).filter(|x| count(*x) >= majority).min()?;
    let hi = intervals.iter().map(|i| i.hi_ms).filter(|x| count(*x) >= majority).max()?;
    let most = intervals.iter().map(|i| count(i.lo_ms)).max()?;
    Some((Interval::new(lo, hi), most))
}

/// How far the intervals contradict each other, in milliseconds: from the end of the earliest to the beginning of the
/// latest; zero when all share something.
pub fn gap_ms<'a>(intervals: impl Iterator<Item = &'a Interval> + Clone) -> i64 {
    let (lo, hi) = (intervals.clone().map(|i| i.lo_ms).max(), intervals.map(|i| i.hi_ms).min());
    lo.zip(hi).map_or(0, |(lo, hi)| lo.saturating_sub(hi).max(0))
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
