//! One key of fingerprints for all hosts that share tokens, so that a token is called the same on each of them, and a client may
//! report it anywhere.

use super::{Broker, learn::soon};
use crate::{engine::world::World, providers::token::Tokens};
use std::sync::atomic::Ordering;

impl Broker {
    /// The key that fingerprints of tokens are made with.
    pub(in crate::engine) async fn print_key(&self, world: &World) -> [u8; 32] {
        self.agree_on_key(world).await;
        world.store.token_key().await.unwrap_or_else(|_| world.store.fingerprint_key())
    }

    /// Takes over the key that the hosts use, or offers this one's where none stands there. Once a process, and again when the shared
    /// store was away: it may have lost everything. Until then tokens go by the name that they have here.
    pub(super) async fn agree_on_key(&self, world: &World) {
        if world.read_only || !self.shares() || self.0.agreed.load(Ordering::Relaxed) || self.known_down(world).await.is_some() {
            return;
        }
        // Whoever hears the news hears that it is back: no client waits for that.
        if self.0.listening.load(Ordering::Relaxed) && self.shared().is_some_and(|s| s.down().is_some()) {
            return;
        }
        let (Some(Ok(shared)), Ok(mine)) = (self.connect(world).await, world.store.token_key().await) else { return };
        match soon(shared.print_key(&mine)).await {
            // A locked vault is asked for again: what lies in it has its name from the old key.
            Ok(theirs) if theirs == mine || world.store.token_key_adopt(theirs).await.is_ok() => {
                shared.prints_with(theirs);
                self.0.agreed.store(true, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(why) => {
                let _ = world.store.set_shared_down(Some((world.time.now(), why))).await;
            }
        }
    }

    /// The shared store was away.
    pub(super) fn disagree(&self) {
        self.0.agreed.store(false, Ordering::Relaxed);
    }
}
