//! One attempt at a time for each target: within this process by a mutex, on this host by a file lock that the kernel lets
//! go when its holder dies.

use crate::{
    domain::{Reason, ReasonCode},
    store::{Paths, StoreError, locks::NamedLock},
};
use std::time::Duration;
use tokio::{sync::Mutex, task::JoinHandle, time::Instant};

/// Whose turn it is in this process; inside, a wait for the host's lock that outlived its asker.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) turn: Mutex<Waiting>,
}

/// A thread that is blocked on the host's lock. It cannot be stopped, so the next asker takes it over instead of blocking
/// another one.
#[derive(Debug, Default)]
pub(super) struct Waiting(Option<JoinHandle<Result<NamedLock, StoreError>>>);

/// Name of the lock of a target: a hash, because names may hold anything.
pub(super) fn lock_name(id: &str) -> String {
    format!("token-{:016x}", crate::domain::ids::fnv(id.as_bytes()))
}

/// The turn of this process, or who has it, after `until`.
pub(super) async fn turn(flight: &Flight, until: Instant) -> Result<tokio::sync::MutexGuard<'_, Waiting>, Reason> {
    let none = |_| Reason::new(ReasonCode::LeaseTimeout).with("holder", crate::engine::who::process_at_host().as_str());
    tokio::time::timeout_at(until, flight.turn.lock()).await.map_err(none)
}

/// The host's lock, or who has it, after `until`.
pub(super) async fn host(paths: &Paths, name: &str, waiting: &mut Waiting, until: Instant) -> Result<NamedLock, Reason> {
    if waiting.0.is_none() {
        if let Some(lock) = NamedLock::try_take(paths, name).map_err(|e| e.reason())? {
            return Ok(lock);
        }
        let (paths, name) = (paths.clone(), name.to_owned());
        waiting.0 = Some(tokio::task::spawn_blocking(move || NamedLock::take_blocking(&paths, &name)));
    }
    let Some(blocked) = waiting.0.as_mut() else { return Err(Reason::new(ReasonCode::Internal)) };
    let Ok(got) = tokio::time::timeout_at(until, blocked).await else {
        let holder = NamedLock::signed(paths, name).unwrap_or_else(|| "?".to_owned());
        return Err(Reason::new(ReasonCode::LeaseTimeout).with("holder", holder));
    };
    waiting.0 = None;
    got.map_err(|_| Reason::new(ReasonCode::Internal))?.map_err(|e| e.reason())
}

/// How long somebody waits who needs what another one is fetching: a whole request, and what is around it.
pub(super) fn patience(deadline: Duration) -> Duration {
    deadline + Duration::from_secs(5)
}
