//! The one trait behind which every source of clock evidence stands.
//!
//! A source yields [`Sample`]s and concludes nothing. Most know their answer at once and stay plain functions; those that
//! must wait (servers, a daemon's tool) bound their waiting themselves. A platform's own time ([`By::ServerTime`]) rides on
//! a provider's calls: the provider pushes such samples like those of `Date`.

use super::{
    daemon::Daemons,
    floor, http_date, kernel,
    sample::{By, Sample},
};
use crate::domain::{GatewayId, Stamp, Time, Wall};
use std::{future::Future, pin::Pin};

/// Somewhere a clock can be read from.
pub trait ClockSource: Send + Sync {
    /// How it measures.
    fn by(&self) -> By;
    /// What it says now. `time` gives the stamps of the samples.
    fn ask<'a>(&'a self, time: &'a dyn Time) -> Answer<'a>;
}

/// What a source says: at once, or after a bounded wait.
pub enum Answer<'a> {
    /// Known without waiting.
    Ready(Vec<Sample>),
    /// Comes by itself, soon.
    Waits(Pin<Box<dyn Future<Output = Vec<Sample>> + Send + 'a>>),
}

impl Answer<'_> {
    /// The samples, waited for where need be.
    pub async fn samples(self) -> Vec<Sample> {
        match self {
            Self::Ready(samples) => samples,
            Self::Waits(coming) => coming.await,
        }
    }
}

/// The kernel's discipline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl ClockSource for Kernel {
    fn by(&self) -> By {
        By::Kernel
    }
    fn ask<'a>(&'a self, time: &'a dyn Time) -> Answer<'a> {
        Answer::Ready(vec![kernel::sample(time.now())])
    }
}

/// A time before which it cannot be.
#[derive(Clone, Copy, Debug)]
pub struct Floor(pub Wall);

impl ClockSource for Floor {
    fn by(&self) -> By {
        By::Floor
    }
    fn ask<'a>(&'a self, time: &'a dyn Time) -> Answer<'a> {
        Answer::Ready(vec![floor::sample(time.now(), self.0)])
    }
}

/// An answer that a gateway gave anyway, with the clocks around it.
#[derive(Clone, Debug)]
pub struct DateHeader<'h> {
    /// Whose answer.
    pub gateway: &'h GatewayId,
    /// `Date`.
    pub date: Option<&'h str>,
    /// `Age`.
    pub age: Option<&'h str>,
    /// `X-Cache` or its kin.
    pub cache: Option<&'h str>,
    /// Before the request.
    pub sent: Stamp,
    /// After the head of the answer.
    pub received: Stamp,
}

impl ClockSource for DateHeader<'_> {
    fn by(&self) -> By {
        By::Date
    }
    fn ask<'a>(&'a self, _: &'a dyn Time) -> Answer<'a> {
        Answer::Ready(vec![http_date::sample(self.gateway, self.date, self.age, self.cache, self.sent, self.received)])
    }
}

impl ClockSource for Daemons {
    fn by(&self) -> By {
        By::Daemon
    }
    fn ask<'a>(&'a self, time: &'a dyn Time) -> Answer<'a> {
        Answer::Waits(Box::pin(async move { self.read(time.now()).await }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualTime, floor::BUILD_FLOOR, sntp::Servers};

    #[tokio::test]
    async fn every_source_stands_behind_one_trait_and_names_itself() {
        let time = ManualTime::new();
        let wa = GatewayId::new("wa");
        let date =
            DateHeader { gateway: &wa, date: Some("Sat, 21 Nov 2026 12:00:00 GMT"), age: None, cache: None, sent: time.now(), received: time.now() };
        let (servers, floor, none) = (Servers::new(&[]), Floor(BUILD_FLOOR), Daemons::none());
        let sources: [&dyn ClockSource; 5] = [&date, &Kernel, &floor, &servers, &none];
        for source in sources {
            for s in source.ask(&time).samples().await {
                assert_eq!(s.by, source.by());
            }
        }
    }
}
