//! Asking the time servers that the configuration names, and what a verified time is good for. Without such servers nothing
//! here sends anything.

use super::world::World;
use crate::{
    clock::{
        Verdict,
        daemon::Daemons,
        gate::{GateView, TTL_SHOWN},
        sample::{By, Sample},
        sntp::Servers,
        verdict::Judgement,
    },
    domain::{Stamp, Wall},
    store::{Store, config::NtpServer},
};
use std::{sync::Arc, time::Duration};

/// The first question waits until the first frame is drawn.
const FIRST: Duration = Duration::from_millis(500);
/// How often the servers are asked: an answer is to come before the last one no longer counts in the header.
const EVERY: Duration = TTL_SHOWN.saturating_sub(Duration::from_secs(10));

/// The configured servers. One question at a time; who comes second takes the answer of the first.
#[derive(Debug, Default)]
pub(super) struct Reference {
    servers: Servers,
    turn: tokio::sync::Mutex<()>,
}

impl Reference {
    pub(super) fn new(servers: &[NtpServer]) -> Self {
        Self { servers: Servers::new(servers), turn: tokio::sync::Mutex::default() }
    }
}

/// Asks now and then until the world ends; at once if none are configured.
pub(super) async fn run(world: Arc<World>) {
    if world.reference.servers.is_empty() {
        return;
    }
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        world.ask_ntp().await;
        wait = EVERY;
    }
}

impl World {
    /// Asks the configured servers. Takes at most a second.
    pub async fn ask_ntp(&self) {
        let began = self.time.now();
        let _turn = self.reference.turn.lock().await;
        // Somebody else asked while we waited for our turn.
        if !self.reference.servers.is_empty() && !self.gate.host_told_since(&began) {
            self.hear(self.reference.servers.ask(&*self.time).await);
        }
    }

    /// Asks them unless they told something within `limit`.
    pub async fn ask_ntp_if_older(&self, limit: Duration) {
        if self.gate.is_host_old(limit) {
            self.ask_ntp().await;
        }
    }

    /// Asks the configured servers and these, together: one majority of them all. False when there is none to ask.
    pub async fn ask_ntp_and(&self, more: &[NtpServer]) -> bool {
        if more.is_empty() {
            self.ask_ntp().await;
        } else {
            let all = Servers::new(&[&self.clock.ntp[..], more].concat());
            self.hear(all.ask(&*self.time).await);
        }
        !(more.is_empty() && self.reference.servers.is_empty())
    }

    /// Asks the time daemon of this host, for the evidence. Takes at most half a second and a little.
    pub async fn ask_daemons(&self) {
        self.hear(Daemons::default().read(self.time.now()).await);
    }

    /// Everything that somebody who looks at the evidence wants to know of this host, after which it counts anew.
    pub(super) async fn ask_host_anew(&self) {
        let since = self.time.now();
        tokio::join!(self.ask_ntp(), self.ask_daemons());
        self.gate.renew_host(&since);
        self.tell_gates();
    }

    fn hear(&self, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        samples.into_iter().for_each(|s| self.gate.push(s));
        save_host(&self.store, &self.gate.host(), &self.time.now());
        self.tell_gates();
    }
}

/// Saves the time as verified when a reference finds this host's clock fine.
fn save_host(store: &Store, host: &Judgement, now: &Stamp) {
    let by_ntp = host.samples.iter().any(|s| s.by == By::Ntp && s.interval.is_some() && s.server.is_none());
    if let Some(skew) = host.skew.filter(|_| by_ntp && host.verdict == Verdict::Ok) {
        store.verified(now.wall.plus_ms(skew.lo_ms), true);
    }
}

/// Saves the time as verified when a gateway elsewhere agrees with this host's clock. One on this machine shares its clock
/// and proves nothing.
pub(super) fn save_agreed(store: &Store, view: &GateView, elsewhere: bool) {
    let agreed = elsewhere && view.verdict == Verdict::Ok;
    if let Some(skew) = view.remote.skew.filter(|_| agreed) {
        let Wall(now) = view.at.wall;
        store.verified(Wall(now.saturating_add(skew.lo_ms.min(0))), false);
    }
}

/// True for an address that is not this machine's.
pub(super) fn is_elsewhere(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !here
}

#[cfg(test)]
#[path = "ntp_tests.rs"]
mod tests;
