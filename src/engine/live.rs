//! Ops of this process that a person can still see or stop, as the deck shows them.

use super::{
    mailbox::{Mailbox, OpView},
    ops::{Armed, Host, Progress},
    world::{World, lock},
};
use crate::{
    domain::{Answer, Clean, Effect, OpPhase, Prompt, Reason, Row},
    i18n::Message,
};
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One op with what it takes to steer it.
pub(super) struct LiveOp {
    pub(super) armed: Armed,
    pub(super) cancel: CancellationToken,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) answers_in: Option<mpsc::Receiver<Answer>>,
    pub(super) view: OpView,
}

/// All of them, by journal number.
#[derive(Clone, Default)]
pub(super) struct LiveOps(Arc<Mutex<HashMap<i64, LiveOp>>>);

impl LiveOps {
    pub(super) fn insert(&self, op: LiveOp) {
        lock(&self.0).insert(op.armed.id, op);
    }

    pub(super) fn with<R>(&self, id: i64, f: impl FnOnce(&mut LiveOp) -> R) -> Option<R> {
        lock(&self.0).get_mut(&id).map(f)
    }

    pub(super) fn remove(&self, id: i64) -> Option<LiveOp> {
        lock(&self.0).remove(&id)
    }

    /// Ops that are armed.
    pub(super) fn armed(&self) -> Vec<Armed> {
        lock(&self.0).values().filter(|o| o.view.phase == OpPhase::Armed).map(|o| o.armed.clone()).collect()
    }

    /// Stops ops that wait for an answer: nobody is there to give one any more.
    pub(super) fn stop_asking(&self) {
        lock(&self.0).values().filter(|o| o.view.phase == OpPhase::Asking).for_each(|o| o.cancel.cancel());
    }

    /// Changes the view of an op and tells the mailbox.
    pub(super) fn show(&self, mailbox: &Mailbox, id: i64, change: impl FnOnce(&mut OpView)) {
        let view = self.with(id, |op| {
            change(&mut op.view);
            op.view.clone()
        });
        if let Some(view) = view {
            mailbox.put(|m| {
                m.ops.insert(id, view);
            });
        }
    }
}

/// The first view of an op.
pub(super) fn view(world: &World, armed: &Armed, row: &Row, effect: &Effect, phase: OpPhase) -> OpView {
    OpView {
        id: armed.id,
        action: armed.action.clone(),
        target: armed.target.clone(),
        label: row.label.clone(),
        platform: world.gateway(&row.gateway).map_or("", |g| g.spec.platform),
        tier: effect.tier,
        says: effect.says.clone(),
        loses: effect.loses.clone(),
        phase,
        armed_at: world.time.now(),
        step: None,
        prompt: None,
        reason: None,
        outcome: None,
    }
}

/// Shows the progress of an op on the deck and takes answers from there.
pub(super) struct DeckHost {
    pub(super) id: i64,
    pub(super) ops: LiveOps,
    pub(super) mailbox: Mailbox,
    pub(super) answers: mpsc::Receiver<Answer>,
}

impl Host for DeckHost {
    fn progress(&mut self, news: Progress) {
        self.ops.show(&self.mailbox, self.id, |view| match news {
            Progress::Step(words, n, of) => {
                view.phase = OpPhase::Running;
                view.step = Some((words, n, of));
                view.reason = None;
            }
            Progress::Again(why) => view.reason = Some(why),
            Progress::Back => view.phase = OpPhase::Back,
        });
    }

    fn ask<'a>(&'a mut self, prompt: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        self.ops.show(&self.mailbox, self.id, |view| {
            view.phase = OpPhase::Asking;
            view.prompt = Some(prompt.clone());
        });
        Box::pin(async move {
            let answer = self.answers.recv().await;
            self.ops.show(&self.mailbox, self.id, |view| {
                view.prompt = None;
                view.phase = OpPhase::Running;
            });
            answer
        })
    }
}

/// What a row is called in a sentence about an op.
pub(super) fn what(view: &OpView) -> Clean {
    Clean::new(&format!("{} {}", view.action.name(), view.label))
}

/// A sentence that embeds the reason of an op by its code, resolved when it is drawn.
pub(super) fn why(reason: Option<&Reason>) -> Message {
    reason.map_or_else(|| Message::new(&crate::i18n::common::UNKNOWN), Message::from)
}
