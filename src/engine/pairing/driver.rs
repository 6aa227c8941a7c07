//! Runs a provider's pairing in a task of its own, so that a step in flight is never dropped: cancel is a token, then the
//! end is awaited.

use super::super::world::{Gateway, World, secret_name};
use crate::{
    domain::{Answer, Plan, Secrets, Target, Want},
    providers::{PairEvent, token::account_secret},
    store::StoreError,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a polite end may take.
const END: Duration = Duration::from_secs(20);

/// A running provider pairing.
pub(super) struct Driver {
    events: mpsc::Receiver<PairEvent>,
    answers: mpsc::Sender<Answer>,
    cancel: CancellationToken,
    done: tokio::task::JoinHandle<()>,
    owes: Arc<AtomicBool>,
}

impl Driver {
    /// Begins an attempt on the server, under that claim. The gate was asked.
    pub(super) fn start(world: &Arc<World>, gateway: &Arc<Gateway>, target: Target, want: Want, claim: i64) -> Self {
        let cancel = world.stop.child_token();
        let (tx, events) = mpsc::channel(8);
        let (answers, rx) = mpsc::channel(1);
        let owes = Arc::new(AtomicBool::new(false));
        let kept = Kept { world: world.clone(), gateway: gateway.clone(), target, claim, owes: owes.clone() };
        let task = drive(kept, want, tx, rx, cancel.clone());
        Self { events, answers, cancel, done: tokio::spawn(task), owes }
    }

    /// The next event; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<PairEvent> {
        self.events.recv().await
    }

    /// Answers the question that was the last event.
    pub(super) fn answer(&self, answer: Answer) {
        let _ = self.answers.try_send(answer);
    }

    /// Ends it and waits until the provider let go. True when the claim holds a plan by now that must be carried out.
    pub(super) async fn end(self) -> bool {
        self.cancel.cancel();
        drop(self.events);
        let _ = tokio::time::timeout(END, self.done).await;
        self.owes.load(Ordering::SeqCst)
    }
}

/// Where things are kept that the server gives.
struct Kept {
    world: Arc<World>,
    gateway: Arc<Gateway>,
    target: Target,
    claim: i64,
    /// Set once the claim holds a plan.
    owes: Arc<AtomicBool>,
}

async fn drive(kept: Kept, want: Want, tx: mpsc::Sender<PairEvent>, mut answers: mpsc::Receiver<Answer>, cancel: CancellationToken) {
    let Kept { world, gateway, target, .. } = &kept;
    let cx = match world.cx(gateway, cancel.clone()) {
        Ok(cx) => cx,
        Err(why) => {
            let _ = tx.send(PairEvent::Failed(why)).await;
            return;
        }
    };
    let mut pairing = match gateway.provider.pair(&cx, target, want).await {
        Ok(p) => p,
        Err(why) => {
            let _ = tx.send(PairEvent::Failed(why)).await;
            return;
        }
    };
    let mut answer = None;
    while !cancel.is_cancelled() {
        let event = pairing.next(&cx, answer.take()).await;
        let (secrets, plan) = match event {
            PairEvent::Got(secrets) => (secrets, None),
            PairEvent::Owes(secrets, plan) => (secrets, Some(plan)),
            PairEvent::Staked(why) => {
                if let Err(e) = world.store.op_stake(kept.claim, why).await {
                    let _ = tx.send(PairEvent::Failed(e.reason())).await;
                    break;
                }
                continue;
            }
            event => {
                let last = matches!(event, PairEvent::Linked(..) | PairEvent::Failed(_) | PairEvent::Needs(..));
                let asks = matches!(event, PairEvent::Ask(_));
                if tx.send(event).await.is_err() || last {
                    break;
                }
                if asks {
                    tokio::select! {
                        given = answers.recv() => answer = given,
                        () = cancel.cancelled() => {}
                    }
                }
                continue;
            }
        };
        // Asking for the next event acknowledges the commit, so it comes first.
        if kept.commit(secrets, plan).await.is_err() {
            let _ = tx.send(PairEvent::Failed(crate::domain::Reason::new(crate::domain::ReasonCode::StoreUnwritable))).await;
            break;
        }
    }
    pairing.end(&cx).await;
}

impl Kept {
    /// A plan first, whole and in one commit: from then on any process can put to use what was given. What the kind names as a
    /// secret of its accounts becomes one; anything else is kept under the target's name.
    async fn commit(&self, secrets: Secrets, plan: Option<Plan>) -> Result<(), StoreError> {
        let Self { world, gateway, target, claim, owes } = self;
        if let Some(plan) = plan {
            world.store.op_plan_after(*claim, plan, 1).await?;
            owes.store(true, Ordering::SeqCst);
        }
        let (mut own, account) = (false, target.account.as_str());
        for (name, secret) in secrets {
            if gateway.spec.account_secrets.iter().any(|s| s.name == name) {
                world.store.secret_put(&secret_name(&gateway.id, &account_secret(account, &name)), &secret).await?;
                own = true;
                continue;
            }
            world.store.secret_put(&format!("account/{}/{name}", target.id()), &secret).await?;
        }
        if own {
            world.load_account_secrets(gateway, account).await?;
        }
        Ok(())
    }
}
