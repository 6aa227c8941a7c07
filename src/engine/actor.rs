//! The engine's own thread: takes commands one by one, hands each to its room, and never lets one wait for another.

use super::{
    command::{Command, PairKey},
    follow,
    hosts::Screen,
    live::LiveOps,
    mailbox::Mailbox,
    ops,
    outcome::{not_armed, show_resumed},
    pairing, watch,
    world::{Gateway, Parts, World},
};
use crate::{
    domain::{GatewayId, OpPhase, Target, Want},
    i18n::Message,
    vault::VaultState,
};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Commands that may wait.
pub const QUEUE: usize = 256;
/// Ops of one process at a time; more wait their turn.
const OPS_AT_ONCE: usize = 64;

/// How often a store that was put back is looked at for whether somebody has accepted it.
const LOOK_ACCEPTED: std::time::Duration = std::time::Duration::from_secs(2);

/// A running engine.
pub struct Handle {
    /// Where commands go. Full means: press it again.
    pub commands: mpsc::Sender<Command>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Handle {
    /// Waits for the engine's end. Send [`Command::Quit`] before.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The world, once it is built. The deck draws its first frame before.
pub type SharedWorld = Arc<std::sync::OnceLock<Arc<World>>>;

/// Starts the engine on its own thread with its own runtime: decoding ten thousand rows must not stop a key. What it is
/// built from is made on that thread too, so that the first frame waits for neither store nor vault. When `build` fails,
/// its sentence reaches the mailbox as [`super::Mail::fatal`] and the engine ends.
pub fn spawn(mailbox: Mailbox, build: impl FnOnce() -> Result<Parts, Message> + Send + 'static) -> std::io::Result<(Handle, SharedWorld)> {
    let (tx, rx) = mpsc::channel(QUEUE);
    let shared = SharedWorld::default();
    let slot = shared.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
        match build() {
            Ok(parts) => {
                let world = runtime.block_on(async { World::new(parts) });
                let _ = slot.set(world.clone());
                runtime.block_on(Actor::new(world).run(rx));
            }
            Err(why) => mailbox.put(|m| {
                m.fatal = Some(why);
                m.ended = true;
            }),
        }
        // A request that hangs must not hold the exit.
        runtime.shutdown_background();
    })?;
    Ok((Handle { commands: tx, thread: Some(thread) }, shared))
}

/// The running engine. Its errands that only read are in a room of their own.
pub(super) struct Actor {
    pub(super) world: Arc<World>,
    pub(super) ops: LiveOps,
    pub(super) tasks: TaskTracker,
    pub(super) slots: Arc<tokio::sync::Semaphore>,
    pair_keys: Option<mpsc::Sender<PairKey>>,
    pair_cancel: CancellationToken,
    pub(super) started: bool,
    pub(super) ready: mpsc::Sender<()>,
    ready_in: Option<mpsc::Receiver<()>>,
}

impl Actor {
    fn new(world: Arc<World>) -> Self {
        let (ready, ready_in) = mpsc::channel(4);
        Self {
            world,
            ops: LiveOps::default(),
            tasks: TaskTracker::new(),
            slots: Arc::new(tokio::sync::Semaphore::new(OPS_AT_ONCE)),
            pair_keys: None,
            pair_cancel: CancellationToken::new(),
            started: false,
            ready,
            ready_in: Some(ready_in),
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        // Not tracked: it ends with the world, and nobody waits for it at quit.
        tokio::spawn(super::clock::watch(self.world.clone()));
        tokio::spawn(super::ntp::run(self.world.clone()));
        tokio::spawn(super::exposed::watch(self.world.clone()));
        // A full disk, a key that another process replaced: both show in the header at once. A store's handle must not outlive
        // the deck for it.
        let (world, mut troubles, mut vault) = (Arc::downgrade(&self.world), self.world.store.troubles(), self.world.vault.watch());
        tokio::spawn(async move {
            loop {
                let told = tokio::select! {
                    told = troubles.changed() => told,
                    told = vault.changed() => told,
                };
                match (told, world.upgrade()) {
                    (Ok(()), Some(world)) => world.tell_status(),
                    _ => return,
                }
            }
        });
        let known = self.world.seed_all().await;
        self.world.gate.push(crate::clock::kernel::sample(self.world.time.now()));
        for gateway in self.world.gateways() {
            let mut view = gateway.view();
            // The first frame was drawn with it. That nobody has asked yet in this process is no news of the gateway.
            if let Some(known) = known.iter().find(|k| k.id == gateway.id)
                && view.link.state == crate::domain::State::Unknown
            {
                (view.link, view.stale) = (known.link.clone(), true);
            }
            self.world.mailbox.put(|m| {
                m.gateways.insert(gateway.id.clone(), view);
            });
        }
        self.open_vault(None);
        let world = self.world.clone();
        tokio::spawn(async move {
            let told = world.store.targets_told().await.unwrap_or_default();
            world.mailbox.put(|m| m.told.extend(told.iter().filter_map(|t| Target::read(t))));
        });
        let world = self.world.clone();
        // Small files of this host, off the threads that answer keys and servers.
        self.tasks.spawn_blocking(move || {
            let facts = world.host_facts();
            world.mailbox.put(|m| m.host = Some(facts));
        });
        self.clock_tracks();
        let mut ready = self.ready_in.take();
        loop {
            let command = tokio::select! {
                biased;
                command = commands.recv() => command,
                Some(()) = async { match &mut ready { Some(r) => r.recv().await, None => std::future::pending().await } } => {
                    self.start();
                    continue;
                }
            };
            match command {
                None | Some(Command::QuitNow) => break,
                Some(Command::Quit) => {
                    self.finish(&mut commands).await;
                    break;
                }
                Some(command) => {
                    tokio::spawn(async { crate::fault::point("task") });
                    self.take(command).await;
                }
            }
        }
        self.world.shut();
        self.world.store.flush().await;
        self.world.mailbox.put(|m| m.ended = true);
    }

    /// Drops what is armed, waits for what runs; a second quit leaves at once and the journal resumes.
    async fn finish(&mut self, commands: &mut mpsc::Receiver<Command>) {
        for armed in self.ops.armed() {
            self.disarm(armed).await;
        }
        self.ops.stop_asking();
        self.pair_cancel.cancel();
        self.pair_keys = None;
        self.tasks.close();
        loop {
            tokio::select! {
                () = self.tasks.wait() => return,
                command = commands.recv() => match command {
                    None | Some(Command::Quit | Command::QuitNow) => return,
                    Some(_) => {}
                },
            }
        }
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::Arm { target, action, input } => self.arm(target, action, input).await,
            Command::Fire(id) => self.fire(id),
            Command::Undo(id) => self.undo(id).await,
            Command::AnswerOp(id, answer) => {
                self.ops.with(id, |op| {
                    let _ = op.answers.try_send(answer);
                });
            }
            Command::Dismiss(id) => {
                let (world, live) = (self.world.clone(), self.ops.clone());
                // A store that is held for long must not hold the other keys.
                self.tasks.spawn(async move {
                    let done = ops::dismiss(&world, id).await;
                    if let Err(why) = &done {
                        world.toast(false, why.message(), None);
                    }
                    if matches!(done, Ok(()) | Err(ops::NotDropped::Over)) {
                        live.remove(id);
                        world.mailbox.put(|m| m.dropped.push((id, done.is_ok())));
                    }
                });
            }
            Command::Again(id) => {
                let world = self.world.clone();
                self.tasks.spawn(async move {
                    let op = world.store.op(id).await.ok().flatten();
                    let went_on = match &op {
                        Some(op) => super::outcome::go_on(&world, op).await,
                        None => false,
                    };
                    if !went_on {
                        world.toast(false, crate::i18n::Message::new(&crate::i18n::engine::OP_STUCK), op.map(|op| op.target));
                    }
                });
            }
            Command::Pair { target, method, number } => self.pair(target, Want { method, number, wipe_spoilt: false }),
            Command::Pairing(key) => self.pair_key(key),
            Command::AskClock(only) => self.ask_clock(only),
            Command::Look { on_screen, selected } => self.look(&on_screen, selected.as_ref()),
            Command::Refresh(only) => self.refresh(only.as_ref()),
            Command::ClockTracks => self.clock_tracks(),
            Command::History(target) => self.history(target),
            Command::TokenTale(target) => self.token_tale(target),
            Command::Reveal(target) => self.reveal(target),
            Command::Copied(target) => self.copied(target),
            Command::Why { target, claim } => self.why(target, claim),
            Command::CheckGateway(new) => self.add(new, false),
            Command::AddGateway(new) => self.add(new, true),
            Command::Unlock(passphrase) => self.open_vault(Some(passphrase)),
            Command::Quit | Command::QuitNow => {}
        }
    }

    /// Opens the vault beside everything else; the deck shows cached rows meanwhile. `person`: somebody asked for it, with a
    /// passphrase or without, and may be asked by the keyring's own dialogue.
    fn open_vault(&self, person: Option<Option<crate::domain::Secret>>) {
        let (world, ready) = (self.world.clone(), self.ready.clone());
        // Not tracked: a keyring that hangs, or whose dialogue nobody answers, must not hold the end. What it says after somebody
        // stopped waiting for it is still taken.
        tokio::spawn(async move {
            let state = match person {
                Some(passphrase) => ops::unlock(&world, passphrase).await,
                None => world.open_vault().await,
            };
            let loaded = match &state {
                VaultState::Open(_) => world.load_secrets().await.is_ok(),
                _ => false,
            };
            world.tell_status();
            if world.vault.restored().is_some() {
                tokio::spawn(until_accepted(world.clone()));
            }
            if loaded {
                let _ = ready.send(()).await;
            } else if !matches!(state, VaultState::Absent) {
                for gateway in world.gateways().into_iter().filter(|g| !g.spec.secrets.is_empty()) {
                    world.broken(&gateway, world.why_shut());
                }
            }
        });
    }

    /// Secrets are there: finish what ended processes left, then watch.
    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let world = self.world.clone();
        self.tasks.spawn(async move {
            if !world.read_only {
                let (goes_on, waits) = ops::outlook(&world).await;
                goes_on.iter().for_each(|op| super::outcome::show_resuming(&world, op));
                waits.iter().for_each(|op| show_resumed(&world, op, &ops::Ended::bare(op.phase, op.reason.clone())));
                let results = ops::resume_all(&world, |op| Box::new(super::outcome::Resuming::new(&world, op)), &CancellationToken::new()).await;
                let untouched = |op: &crate::domain::Op| !results.iter().any(|(r, _)| r.id == op.id);
                goes_on.iter().filter(|op| untouched(op)).for_each(|op| super::outcome::show_left(&world, op));
                for (op, ended) in results {
                    if waits.iter().any(|w| w.id == op.id) {
                        continue;
                    }
                    watch::renew(&world, &op.target.gateway);
                    if op.phase == OpPhase::Owed {
                        // Its time stands on its row; only what became of it is news.
                        if let Some(text) = ops::owed_told(&op, &ended) {
                            world.toast(ended.phase == OpPhase::Done, text, Some(op.target.clone()));
                        }
                        continue;
                    }
                    show_resumed(&world, &op, &ended);
                }
            }
        });
        let world = self.world.clone();
        // Not tracked: it ends with the world, and nobody waits for it at quit.
        tokio::spawn(async move { follow::watch_or_follow(world).await });
    }

    fn pair(&mut self, target: Target, want: Want) {
        if self.pair_keys.as_ref().is_some_and(|k| !k.is_closed()) {
            return;
        }
        let Some(row) = self.world.row(&target) else { return };
        let facts = self.world.gateway(&target.gateway).map(|g| g.facts()).unwrap_or_default();
        if let Err(not) = self.world.can(&row, &crate::domain::Action::Pair, &facts) {
            let text = not_armed(&ops::NotArmed::Not(not), &row);
            return self.world.toast(false, text, Some(target));
        }
        let (tx, mut rx) = mpsc::channel(16);
        self.pair_keys = Some(tx);
        self.pair_cancel = self.world.stop.child_token();
        let (world, cancel) = (self.world.clone(), self.pair_cancel.clone());
        self.tasks.spawn(async move {
            let mut watcher = Screen { mailbox: world.mailbox.clone() };
            let start = pairing::Start { target, want };
            let end = pairing::run(&world, start, &mut rx, &mut watcher, &cancel).await;
            // The success is on screen a request before the attempt is over: who leaves in between has left.
            rx.close();
            let left = std::iter::from_fn(|| rx.try_recv().ok()).any(|k| matches!(k, PairKey::Leave));
            if left || !matches!(end, pairing::PairEnd::Linked) {
                world.mailbox.put(|m| m.pairing = Some(None));
            }
        });
    }

    fn pair_key(&mut self, key: PairKey) {
        let leaving = matches!(key, PairKey::Leave);
        let running = self.pair_keys.as_ref().filter(|k| !k.is_closed());
        match running {
            Some(keys) => {
                let _ = keys.try_send(key);
            }
            // The success screen outlives its attempt.
            None if leaving => self.world.mailbox.put(|m| m.pairing = Some(None)),
            None => {}
        }
    }

    fn look(&self, on_screen: &[GatewayId], selected: Option<&Target>) {
        for gateway in self.world.gateways() {
            let seen = on_screen.contains(&gateway.id);
            let row = selected.filter(|t| t.gateway == gateway.id).map(|t| t.account.clone());
            gateway.attention.send_if_modified(|a| {
                let changed = a.on_screen != seen || a.selected != row;
                a.on_screen = seen;
                a.selected = row;
                changed
            });
        }
    }

    fn refresh(&self, only: Option<&GatewayId>) {
        for gateway in self.world.gateways().iter().filter(|g| only.is_none_or(|o| &g.id == o)) {
            refresh(gateway);
        }
    }

    pub(super) fn each(&self, only: Option<GatewayId>, f: impl Fn(Arc<World>, Arc<Gateway>) -> Pin<Box<dyn Future<Output = ()> + Send>>) {
        for gateway in self.world.gateways().into_iter().filter(|g| only.as_ref().is_none_or(|o| &g.id == o)) {
            self.tasks.spawn(f(self.world.clone(), gateway));
        }
    }
}

/// The badge of an older copy goes when it is accepted, which another process does.
async fn until_accepted(world: Arc<World>) {
    while world.vault.restored().is_some() {
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_ACCEPTED) => {}
        }
        if world.vault.accepted_elsewhere().await {
            return world.tell_status();
        }
    }
}

pub(super) fn refresh(gateway: &Gateway) {
    gateway.attention.send_modify(|a| a.refresh += 1);
}
