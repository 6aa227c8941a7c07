//! What the watch makes of events.

use super::Watch;
use crate::{
    domain::Source,
    providers::{
        Report,
        evolution::{
            events::{Event, Frame, What},
            state,
        },
    },
};
use serde_json::json;

impl Watch<'_> {
    /// Takes one frame. True when a row may have changed.
    pub(super) async fn hear(&mut self, frame: Frame) -> bool {
        match frame {
            Frame::Joined(space) => {
                if !space.is_empty() {
                    self.spaces.insert(space);
                }
                false
            }
            Frame::NoNamespace(_) | Frame::Denied(_) => false,
            Frame::Event(event, root) => {
                if root && !self.global {
                    self.global = true;
                    let _ = self.cx.memo.put("feed", json!({"global": true})).await;
                }
                self.event(event)
            }
        }
    }

    fn event(&mut self, e: Event) -> bool {
        self.api.heard(e.local_ms);
        let known = self.index.contains_key(&e.name);
        if !known && e.what != What::Created {
            // A deleted instance's zombie goes on emitting (ws-global, shop-e).
            return false;
        }
        let at = self.cx.time.now();
        match e.what {
            What::Connection { state, code } => self.remember(&e.name, Source::Events, &state, code.filter(|c| *c != 200), at),
            What::Closed { code } => self.remember(&e.name, Source::Events, "close", code, at),
            What::Qr { .. } => self.remember(&e.name, Source::Events, "connecting", None, at),
            What::QrLimit => self.remember(&e.name, Source::Events, "close", Some(428), at),
            What::Created | What::Removed => {}
            What::Other => return false,
        }
        self.dirty.insert(e.name);
        true
    }

    /// Reports rows that events changed. True when the list must be read: rows came or went, or a close wants its reason.
    pub(super) async fn flush(&mut self) -> bool {
        let Some((list, at)) = &self.listed else { return true };
        let mut changed = Vec::new();
        let mut reread = false;
        for name in std::mem::take(&mut self.dirty) {
            let Some(i) = self.index.get(&name).and_then(|n| list.rows.get(*n)) else {
                reread = true;
                continue;
            };
            let memory = self.memory.get(&name);
            reread |= memory.is_none_or(|m| &*m.word != "connecting" && *m.word != *i.status);
            let row = state::row(&self.cx.gateway, &self.cx.fingerprint_key, i, memory, *at);
            let story = state::story(&row);
            if self.sent.insert(name, story) != Some(story) {
                changed.push(row);
            }
        }
        if !changed.is_empty() {
            self.send(Report::Part(changed)).await;
        }
        reread
    }
}
