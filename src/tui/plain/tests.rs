//! The spoken deck through its loop, with an engine that answers and paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deck;
mod pairing;

use super::{SWIFT, Voice, run};
use crate::{
    clock::{Verdict, gate::Shown},
    domain::{Action, Clean, Fresh, Method, Offer, OfferKind, OpPhase, Payload, Reason, ReasonCode, State, Tier, Time, Wall},
    engine::{
        Command, Mailbox,
        mailbox::{OpView, PairStage},
    },
    tui::{
        run::{Ended, Exit},
        start::Start,
        tests::{
            hands::Clock,
            sample::{self, attempt, blocked_gate, op, row},
        },
    },
};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

#[derive(Clone, Default)]
pub(super) struct Ear {
    pub(super) heard: Arc<Mutex<Vec<String>>>,
    pub(super) echo: Arc<AtomicBool>,
    pub(super) deaf: Arc<AtomicBool>,
}

impl Voice for Ear {
    fn say(&mut self, line: &str) -> io::Result<()> {
        if self.deaf.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        self.heard.lock().unwrap().push(line.to_owned());
        Ok(())
    }
    fn echo(&mut self, on: bool) {
        self.echo.store(on, Ordering::SeqCst);
    }
}

pub(super) struct Hands {
    pub(super) typed: Option<mpsc::UnboundedSender<io::Result<Zeroizing<String>>>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) mailbox: Mailbox,
    pub(super) clock: Arc<Clock>,
    pub(super) ear: Ear,
    pub(super) sent: Vec<String>,
    pub(super) ids: i64,
    pub(super) armed: Vec<OpView>,
    pub(super) read: usize,
}

impl Hands {
    pub(super) async fn wait(&mut self, ms: u64) {
        let end = tokio::time::Instant::now() + Duration::from_millis(ms);
        loop {
            tokio::select! {
                biased;
                Some(c) = self.commands.recv() => self.engine(c),
                () = tokio::time::sleep_until(end) => return,
            }
        }
    }

    pub(super) fn engine(&mut self, c: Command) {
        match &c {
            Command::Look { .. } => {}
            Command::Arm { target, action, .. } => {
                self.sent.push(format!("arm {} {}", action.name(), target.account.as_str()));
                self.ids += 1;
                let tier = if *action == Action::Regenerate { Tier::Hold } else { Tier::Swift };
                let view = op(self.ids, target.clone(), action.clone(), tier, OpPhase::Armed, self.clock.now());
                self.armed.push(view.clone());
                self.mailbox.put(|m| drop(m.ops.insert(view.id, view)));
            }
            Command::Fire(id) | Command::Undo(id) => {
                let fire = matches!(c, Command::Fire(_));
                self.sent.push(format!("{} {id}", if fire { "fire" } else { "undo" }));
                if let Some(mut view) = self.armed.iter().find(|o| o.id == *id).cloned() {
                    view.phase = if fire { OpPhase::Done } else { OpPhase::Cancelled };
                    self.mailbox.put(|m| drop(m.ops.insert(view.id, view)));
                }
            }
            Command::Pair { target, method, number } => self.sent.push(format!("pair {} {method:?} {number:?}", target.account.as_str())),
            Command::Pairing(k) => self.sent.push(format!("pairing {k:?}")),
            Command::Quit => {
                self.sent.push("quit".into());
                self.mailbox.put(|m| m.ended = true);
            }
            other => self.sent.push(format!("{other:?}")),
        }
    }

    pub(super) async fn line(&mut self, text: &str) {
        self.typed.as_ref().unwrap().send(Ok(Zeroizing::new(text.to_owned()))).unwrap();
        self.wait(1).await;
    }

    /// What was said since the last call.
    pub(super) fn said(&mut self) -> Vec<String> {
        let heard = self.ear.heard.lock().unwrap();
        let new = heard[self.read..].to_vec();
        self.read = heard.len();
        new
    }

    /// The number that was said with that name.
    pub(super) fn number(&self, name: &str) -> String {
        let heard = self.ear.heard.lock().unwrap();
        let line = heard.iter().rev().find(|l| l.contains(&format!(". {name},"))).expect(name);
        line.split('.').next().unwrap().to_owned()
    }

    pub(super) fn show(&self, stage: PairStage) {
        let mut view = attempt(stage, self.clock.now());
        view.gate = Some(blocked_gate());
        self.mailbox.put(|m| m.pairing = Some(Some(view)));
    }
}

pub(super) async fn with<F, Fut>(tune: impl FnOnce(&mut Start), script: F) -> (Ended, Hands)
where
    F: FnOnce(Hands) -> Fut,
    Fut: Future<Output = Hands>,
{
    let clock = Clock::new();
    let mut start = sample::start(clock.clone());
    start.swift = SWIFT;
    tune(&mut start);
    let (typed, lines) = mpsc::unbounded_channel();
    let (engine, commands) = mpsc::channel(256);
    let (mailbox, ear) = (Mailbox::new(), Ear::default());
    let hands = Hands {
        typed: Some(typed),
        commands,
        mailbox: mailbox.clone(),
        clock,
        ear: ear.clone(),
        sent: Vec::new(),
        ids: 0,
        armed: Vec::new(),
        read: 0,
    };
    let lines = Box::pin(futures_util::stream::unfold(lines, |mut rx| async { rx.recv().await.map(|e| (e, rx)) }));
    let mut voice = ear;
    let script = async {
        let mut hands = hands;
        hands.wait(1).await;
        let mut hands = script(hands).await;
        if hands.typed.is_some() {
            hands.line("q").await;
        }
        hands.wait(10).await;
        hands
    };
    let (ended, hands) = tokio::join!(run(start, engine, mailbox, lines, &mut voice), script);
    (ended.unwrap(), hands)
}
