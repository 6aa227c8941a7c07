//! Who is told that something changed of a token: the timer, and whoever shows it.

use super::{Broker, Subject};
use crate::{
    domain::Target,
    engine::world::lock,
    store::tokens::{Sign, SignKind},
};

impl Broker {
    /// Keeps signs that were met here.
    pub(super) async fn saw_here(&self, subject: &Subject, signs: Vec<Sign>) {
        let now = subject.world.time.now();
        // What cannot be kept is only not shown.
        if !signs.is_empty() && !subject.world.read_only {
            let looked_at = signs.iter().any(|s| matches!(s.kind, SignKind::Bot | SignKind::Doubt));
            let new = subject.world.store.token_signs(&subject.key.id, now, signs).await.unwrap_or(false);
            // A bot's refusal says something of this very token: it is tried now, not at its next turn.
            if new && looked_at {
                self.told(&subject.target);
            }
        }
    }

    /// The timer is to look at this target again.
    pub(in crate::engine) fn told(&self, target: &Target) {
        lock(&self.0.dirty).insert(target.clone());
        self.0.changed.notify_one();
        self.tell(target);
    }

    /// Whoever shows this target is to look at it again: a watch that tries a token does so once, whoever fetched it.
    pub(super) fn tell(&self, target: &Target) {
        // Nobody may be listening.
        let _ = self.0.news.send(target.clone());
    }
}
