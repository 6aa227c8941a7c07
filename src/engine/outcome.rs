//! What an op came to, as views and sentences for the deck.

use super::{
    hosts::Quiet,
    live::{self, LiveOps},
    mailbox::OpView,
    ops::{self, Armed, Ended},
    world::World,
};
use crate::{
    domain::{Answer, Clean, Effect, Inputs, Link, Op, OpPhase, Prompt, Row, Target, Tier},
    i18n::{Message, engine as words},
};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Closes the view of an op and tells the outcome.
pub(super) fn close(world: &Arc<World>, ops: &LiveOps, armed: &Armed, ended: &Ended) {
    ops.show(&world.mailbox, armed.id, |view| {
        view.phase = ended.phase;
        view.reason.clone_from(&ended.reason);
        view.outcome = Some(outcome(view, ended));
    });
    if let Some(op) = ops.remove(armed.id)
        && let Some(text) = op.view.outcome
    {
        // One act is one piece of news: told in pieces, it would be folded as a flood, and its outcome not be seen.
        let whole = ended.told.iter().fold(text, |all, said| Message::new(&words::OP_TOLD).nest("outcome", all).nest("told", said.clone()));
        world.toast(matches!(ended.phase, OpPhase::Done | OpPhase::Owed), whole, Some(armed.target.clone()));
    }
}

fn outcome(view: &OpView, ended: &Ended) -> Message {
    let what = live::what(view);
    let why = || live::why(ended.reason.as_ref());
    match ended.phase {
        OpPhase::Done => match &ended.new {
            Some(fp) if ended.old.as_ref() == Some(fp) => Message::new(&words::OP_SAME_TOKEN).with("what", what.as_str()).with("fp", fp.to_string()),
            Some(fp) => Message::new(&words::OP_DONE_TOKEN).with("what", what.as_str()).with("fp", fp.to_string()),
            None => Message::new(&words::OP_DONE).with("what", what.as_str()),
        },
        OpPhase::Cancelled if ended.steps.is_empty() => Message::new(&words::OP_CANCELLED).with("what", what.as_str()),
        OpPhase::Cancelled => Message::new(&words::OP_TAKEN_BACK).with("what", what.as_str()),
        OpPhase::Owed => Message::new(&words::OP_LATER).with("what", what.as_str()).nest("why", why()),
        OpPhase::Failed => Message::new(&words::OP_FAILED).with("what", what.as_str()).nest("why", why()),
        _ => Message::new(&words::OP_AMBIGUOUS).with("what", what.as_str()).nest("why", why()),
    }
}

pub(super) fn not_armed(why: &ops::NotArmed, row: &Row) -> Message {
    use crate::domain::Not;
    match why {
        ops::NotArmed::Busy(_) => Message::new(&words::OP_BUSY).with("label", row.label.as_str()),
        ops::NotArmed::Trouble(why) | ops::NotArmed::Not(Not::Trouble(why)) => live::why(Some(why)),
        ops::NotArmed::Not(Not::ReadOnly) => Message::new(&crate::i18n::reason::READ_ONLY),
        ops::NotArmed::Not(Not::Locked) => Message::new(&crate::i18n::reason::VAULT_LOCKED),
        ops::NotArmed::Not(Not::Unsupported(m) | Not::NotNow(m)) => m.clone(),
        ops::NotArmed::Not(Not::Person(prompt)) => prompt.words.clone(),
    }
}

/// A row for a name that is not there yet.
pub fn blank_row(target: &Target) -> Row {
    Row {
        gateway: target.gateway.clone(),
        account: target.account.clone(),
        device: target.device.clone(),
        incarnation: None,
        label: Clean::new(target.account.as_str()),
        identity: None,
        link: Link::unknown(),
        tokens: Vec::new(),
        facts: Vec::new(),
    }
}

/// Goes on with an op whose outcome is not known, and shows what became of it. False when it cannot go on here.
pub(super) async fn go_on(world: &Arc<World>, op: &Op) -> bool {
    world.set_acting(&op.target, true);
    let ended = ops::again(world, op, &mut Quiet, &CancellationToken::new()).await;
    world.set_acting(&op.target, false);
    let Some(ended) = ended else { return false };
    // What it still waits for is on screen already.
    if !(ended.phase == OpPhase::Ambiguous && ended.reason.as_ref().map(|r| r.code) == op.reason.as_ref().map(|r| r.code)) {
        show_resumed(world, op, &ended);
    }
    if let Some(gateway) = world.gateway(&op.target.gateway) {
        super::look(world, &gateway, &op.target).await;
    }
    true
}

pub(super) fn show_resumed(world: &Arc<World>, op: &Op, ended: &Ended) {
    if ended.phase == OpPhase::Cancelled && op.plan.is_none() {
        return;
    }
    let mut view = resumed_view(world, op, ended.phase);
    view.reason.clone_from(&ended.reason);
    let text = outcome(&view, ended);
    view.outcome = Some(text.clone());
    world.mailbox.put(|m| {
        m.ops.insert(op.id, view);
    });
    world.toast(ended.phase == OpPhase::Done, text, Some(op.target.clone()));
}

/// The view of an op that another process began.
fn resumed_view(world: &World, op: &Op, phase: OpPhase) -> OpView {
    let row = world.row(&op.target).unwrap_or_else(|| blank_row(&op.target));
    let plan_loses = op.plan.as_ref().map(|p| p.loses.clone()).unwrap_or_default();
    let effect = Effect { tier: Tier::Hold, loses: plan_loses, says: Message::new(&words::OP_RESUMED), restorable: false };
    let armed = Armed { id: op.id, action: op.action.clone(), target: op.target.clone(), inputs: Inputs::new() };
    live::view(world, &armed, &row, &effect, phase)
}

/// Shows that it is gone on with. As something that is taken back or finished and not as one that runs: no key stops it.
pub(super) fn show_resuming(world: &World, op: &Op) {
    let mut view = resumed_view(world, op, OpPhase::Back);
    let of = op.plan.as_ref().map_or(1, |p| p.steps.len()).max(1);
    view.step = Some((Message::new(&words::OP_RESUMING), (op.step + 1).min(of), of));
    world.mailbox.put(|m| {
        m.ops.insert(op.id, view);
    });
}

/// Takes that from the screen again: another process has it.
pub(super) fn show_left(world: &World, op: &Op) {
    let view = resumed_view(world, op, OpPhase::Cancelled);
    world.mailbox.put(|m| {
        m.ops.insert(op.id, view);
    });
}

/// Shows where an op stands that is gone on with. Its questions stay unanswered.
pub(super) struct Resuming {
    world: Arc<World>,
    view: OpView,
}

impl Resuming {
    pub(super) fn new(world: &Arc<World>, op: &Op) -> Self {
        Self { world: world.clone(), view: resumed_view(world, op, OpPhase::Back) }
    }
}

impl ops::Host for Resuming {
    fn progress(&mut self, news: ops::Progress) {
        match news {
            ops::Progress::Step(words, n, of) => (self.view.step, self.view.reason) = (Some((words, n, of)), None),
            ops::Progress::Again(why) => self.view.reason = Some(why),
            ops::Progress::Back => self.view.step = None,
        }
        let view = self.view.clone();
        self.world.mailbox.put(|m| {
            m.ops.insert(view.id, view);
        });
    }

    fn ask<'a>(&'a mut self, _: &'a Prompt) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        Box::pin(std::future::ready(None))
    }
}
