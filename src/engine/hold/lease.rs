//! The leases of a running command: all or none, renewed while it runs. Whoever cannot renew must have stopped the command
//! before the lease ends, because from then on another host may start its own.

use crate::{
    domain::{Boot, Clean, Reason, ReasonCode, Time},
    shared::{Lease, Shared},
};
use std::{sync::Arc, time::Duration};

/// How long a lease lives without being renewed.
pub const TTL: Duration = Duration::from_secs(15);
/// How often it is renewed.
pub const EVERY: Duration = Duration::from_secs(3);
/// The command is asked to stop so long before the lease ends.
pub const GRACE: Duration = Duration::from_secs(5);
/// It is killed so long before the lease ends.
pub const KILL: Duration = Duration::from_millis(1500);

/// Leases that are held.
pub struct Keeper {
    shared: Arc<dyn Shared>,
    time: Arc<dyn Time>,
    leases: Vec<Lease>,
    until: Boot,
}

/// Why a lease was not had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Somebody has it.
    Held {
        /// Which.
        name: String,
        /// Who, if that was told.
        by: Option<Clean>,
    },
    /// The store does not answer, or its settings do not fit.
    Trouble(Reason),
}

/// Why it is not held any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Somebody else has it, or it was taken away: the command stops at once.
    Taken,
    /// It cannot be renewed and ends soon.
    Ends(Reason),
    /// It has ended: this host slept.
    Ended,
}

impl Keeper {
    /// Takes every lease of `names`, or none of them.
    ///
    /// # Errors
    /// Which one is held by whom, or that the store does not answer.
    pub async fn take(shared: Arc<dyn Shared>, time: Arc<dyn Time>, names: &[String]) -> Result<Self, Refused> {
        let until = time.now().boot_now().plus(TTL);
        let mut keeper = Self { shared, time, leases: Vec::with_capacity(names.len()), until };
        for name in names {
            let refused = match keeper.shared.acquire(name, TTL).await {
                Ok(Some(lease)) => {
                    keeper.leases.push(lease);
                    continue;
                }
                Ok(None) => Refused::Held { name: name.clone(), by: keeper.shared.holder(name).await.ok().flatten() },
                Err(why) => Refused::Trouble(why),
            };
            keeper.release().await;
            return Err(refused);
        }
        Ok(keeper)
    }

    /// Renews until that fails; returns while there is still time to stop the command.
    pub async fn keep(&mut self) -> Lost {
        let mut why = None;
        loop {
            // Half a second at a time, so that a host that slept notices at once.
            let next = self.time.now().boot_now().plus(if why.is_some() { EVERY / 6 } else { EVERY });
            while self.time.now().boot_now() < next && !self.ends_within(GRACE) {
                tokio::time::sleep(EVERY / 6).await;
            }
            if self.ends_within(Duration::ZERO) {
                return Lost::Ended;
            }
            if self.ends_within(GRACE) {
                return Lost::Ends(why.unwrap_or_else(|| Reason::new(ReasonCode::SharedDown)));
            }
            // What is counted is the instant before the question: the answer may be late.
            let began = self.time.now().boot_now();
            match self.renew().await {
                Ok(true) => {
                    self.until = began.plus(TTL);
                    why = None;
                }
                Ok(false) => return Lost::Taken,
                Err(e) => why = Some(e),
            }
        }
    }

    async fn renew(&self) -> Result<bool, Reason> {
        for lease in &self.leases {
            if !self.shared.renew(lease, TTL).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// True when less than `left` remains.
    pub fn ends_within(&self, left: Duration) -> bool {
        self.time.now().boot_now().plus(left) >= self.until
    }

    /// How long a stopping command may still take before it must be killed.
    pub fn patience(&self) -> Duration {
        self.until.since(self.time.now().boot_now().plus(KILL))
    }

    /// Lets all go. What does not answer ends by itself.
    pub async fn release(&mut self) {
        for lease in self.leases.drain(..) {
            let _ = self.shared.release(&lease).await;
        }
    }
}
