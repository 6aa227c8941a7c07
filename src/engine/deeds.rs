//! What the engine does when an op is armed, fired, taken back.

use super::{
    actor::{Actor, refresh},
    live::{self, DeckHost, LiveOp},
    ops::{self, Armed},
    outcome::{blank_row, close, not_armed},
    watch,
};
use crate::{
    domain::{Inputs, OpPhase, ReasonCode, Target, Tier},
    i18n::Message,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

impl Actor {
    pub(super) async fn arm(&mut self, target: Target, action: crate::domain::Action, inputs: Inputs) {
        let target = self.world.exact(target);
        let row = match self.world.row(&target) {
            Some(row) => row,
            // A creating verb aims at a name that is not there yet.
            None => blank_row(&target),
        };
        if target.incarnation.is_some() && row.incarnation != target.incarnation {
            // What was seen is what is hit: the row on screen is gone, a namesake stands there.
            return self.world.toast(false, Message::new(crate::i18n::reason::text(ReasonCode::Gone)), Some(target));
        }
        match ops::arm(&self.world, &row, action, inputs).await {
            Ok((armed, effect)) => {
                let view = live::view(&self.world, &armed, &row, &effect, OpPhase::Armed);
                let (answers, answers_in) = mpsc::channel(1);
                let id = armed.id;
                let mut op = LiveOp { armed, cancel: CancellationToken::new(), answers, answers_in: Some(answers_in), view: view.clone() };
                if effect.tier == Tier::Now {
                    op.view.phase = OpPhase::Planning;
                }
                self.ops.insert(op);
                if effect.tier == Tier::Now {
                    self.fire_now(id);
                } else {
                    self.world.mailbox.put(|m| {
                        m.ops.insert(id, view);
                    });
                }
            }
            Err(why) => {
                let text = not_armed(&why, &row);
                self.world.toast(false, text, Some(row.target()));
            }
        }
    }

    pub(super) fn fire(&mut self, id: i64) {
        let was_armed = self.ops.with(id, |op| {
            let armed = op.view.phase == OpPhase::Armed;
            if armed {
                op.view.phase = OpPhase::Planning;
            }
            armed
        });
        if was_armed == Some(true) {
            self.fire_now(id);
        }
    }

    pub(super) fn fire_now(&mut self, id: i64) {
        let Some(Some((armed, cancel, answers))) =
            self.ops.with(id, |op| op.answers_in.take().map(|answers| (op.armed.clone(), op.cancel.clone(), answers)))
        else {
            return;
        };
        self.ops.show(&self.world.mailbox, id, |_| {});
        let (world, ops, slots) = (self.world.clone(), self.ops.clone(), self.slots.clone());
        let watching = self.started;
        self.tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let mut host = DeckHost { id, ops: ops.clone(), mailbox: world.mailbox.clone(), answers };
            world.set_acting(&armed.target, true);
            let ended = ops::fire(&world, &armed, &mut host, &cancel).await;
            close(&world, &ops, &armed, &ended);
            if watching {
                watch::renew(&world, &armed.target.gateway);
            }
            if let Some(gateway) = world.gateway(&armed.target.gateway) {
                super::look(&world, &gateway, &armed.target).await;
                refresh(&gateway);
            }
            world.set_acting(&armed.target, false);
        });
    }

    pub(super) async fn undo(&mut self, id: i64) {
        let state = self.ops.with(id, |op| (op.view.phase, op.armed.clone(), op.cancel.clone()));
        match state {
            Some((OpPhase::Armed, armed, _)) => self.disarm(armed).await,
            // Before its pivot a running op stops and takes back; after it, it goes on and says so by its phase.
            Some((_, _, cancel)) => cancel.cancel(),
            None => {}
        }
    }

    pub(super) async fn disarm(&self, armed: Armed) {
        ops::disarm(&self.world, &armed).await;
        self.ops.show(&self.world.mailbox, armed.id, |v| v.phase = OpPhase::Cancelled);
        self.ops.remove(armed.id);
    }
}
