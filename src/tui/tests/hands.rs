//! Hands on a running deck: keys in, text and commands out, an engine that answers, paused time.

use super::sample::{BOOT, WALL, op, start};
use crate::{
    domain::{Action, Boot, OpPhase, Stamp, Tier, Time, Wall},
    engine::{Command, Mailbox, mailbox::OpView},
    tui::{
        start::Start,
        terminal::{Desk, Paper},
        view::Drawn,
    },
};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Frame, layout::Size};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// A clock that runs with tokio's (paused) time, plus jumps of the boot clock.
pub(in crate::tui) struct Clock {
    began: tokio::time::Instant,
    pub(in crate::tui) jump: AtomicU64,
}

impl Clock {
    pub(in crate::tui) fn new() -> Arc<Self> {
        Arc::new(Self { began: tokio::time::Instant::now(), jump: AtomicU64::new(0) })
    }
}

impl Time for Clock {
    fn now(&self) -> Stamp {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap() + self.jump.load(Ordering::SeqCst);
        Stamp { wall: Wall(WALL + i64::try_from(ms).unwrap()), boot: Some((1, Boot(BOOT + ms))) }
    }
}

/// Paper whose text the script can read while the loop draws on it.
pub(super) struct Sheet {
    paper: Paper,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Each frame takes this long to write: a terminal that hangs. With the clock that it moves.
    pub(super) hang: Option<(Arc<Clock>, u64)>,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) frames: u64,
    pub(super) copied: Vec<String>,
    pub(super) suspended: u32,
    pub(super) bells: u32,
    pub(super) hide: bool,
}

impl Sheet {
    pub(super) fn new(w: u16, h: u16) -> Self {
        Self { paper: Paper::new(w, h).unwrap(), seen: Arc::default(), hang: None }
    }
}

impl Desk for Sheet {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Drawn) -> io::Result<Drawn> {
        let mut drawn = self.paper.draw(paint)?;
        let mut seen = self.seen.lock().unwrap();
        seen.text = self.paper.text();
        seen.frames += 1;
        if seen.hide {
            drawn = Drawn::default();
        }
        if let Some((clock, ms)) = &self.hang {
            clock.jump.fetch_add(*ms, Ordering::SeqCst);
        }
        Ok(drawn)
    }
    fn size(&self) -> io::Result<Size> {
        self.paper.size()
    }
    fn clear(&mut self) -> io::Result<()> {
        self.paper.clear()
    }
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.seen.lock().unwrap().copied.push(text.to_owned());
        Ok(())
    }
    fn bell(&mut self) -> io::Result<()> {
        self.seen.lock().unwrap().bells += 1;
        Ok(())
    }
    fn mouse(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }
    fn suspend(&mut self) -> io::Result<()> {
        self.seen.lock().unwrap().suspended += 1;
        Ok(())
    }
}

/// What a script holds while the loop runs.
pub(super) struct Hands {
    keys: Option<mpsc::UnboundedSender<io::Result<Event>>>,
    commands: mpsc::Receiver<Command>,
    pub(super) mailbox: Mailbox,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) clock: Arc<Clock>,
    pub(super) sent: Vec<String>,
    next_id: i64,
    /// The engine answers `Arm`, `Fire`, `Undo` as the real one does.
    pub(super) answers: bool,
    armed: Vec<OpView>,
}

impl Hands {
    /// Lets the loop run for `ms` of virtual time, with the engine answering.
    pub(super) async fn wait(&mut self, ms: u64) {
        let end = tokio::time::Instant::now() + Duration::from_millis(ms);
        loop {
            tokio::select! {
                biased;
                Some(c) = self.commands.recv() => self.engine(c),
                () = tokio::time::sleep_until(end) => break,
            }
        }
    }

    fn engine(&mut self, c: Command) {
        let now = self.clock.now();
        match &c {
            Command::Look { .. } => (),
            Command::Arm { target, action, .. } => {
                self.sent.push(format!("arm {} {}", action.name(), target.account.as_str()));
                if self.answers {
                    self.next_id += 1;
                    let tier = if *action == Action::Regenerate { Tier::Hold } else { Tier::Swift };
                    let view = op(self.next_id, target.clone(), action.clone(), tier, OpPhase::Armed, now);
                    self.armed.push(view.clone());
                    self.mailbox.put(|m| {
                        m.ops.insert(view.id, view);
                    });
                }
            }
            Command::Fire(id) | Command::Undo(id) => {
                let fire = matches!(c, Command::Fire(_));
                self.sent.push(format!("{} {id}", if fire { "fire" } else { "undo" }));
                if let Some(i) = self.armed.iter().position(|o| o.id == *id) {
                    let mut view = self.armed.remove(i);
                    view.phase = if fire { OpPhase::Done } else { OpPhase::Cancelled };
                    self.mailbox.put(|m| {
                        m.ops.insert(view.id, view);
                    });
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

    pub(super) async fn press(&mut self, keys: &str) {
        for word in keys.split(' ') {
            let (code, m) = match word {
                "enter" => (KeyCode::Enter, KeyModifiers::NONE),
                "esc" => (KeyCode::Esc, KeyModifiers::NONE),
                "tab" => (KeyCode::Tab, KeyModifiers::NONE),
                "space" => (KeyCode::Char(' '), KeyModifiers::NONE),
                "f5" => (KeyCode::F(5), KeyModifiers::NONE),
                w if w.starts_with("ctrl-") => (KeyCode::Char(w.chars().last().unwrap()), KeyModifiers::CONTROL),
                w => (KeyCode::Char(w.chars().next().unwrap()), KeyModifiers::NONE),
            };
            self.keys.as_ref().unwrap().send(Ok(Event::Key(KeyEvent::new(code, m)))).unwrap();
            self.wait(1).await;
        }
    }

    pub(super) async fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.keys.as_ref().unwrap().send(Ok(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).unwrap();
        }
        self.wait(1).await;
    }

    pub(super) fn event(&self, e: Event) {
        self.keys.as_ref().unwrap().send(Ok(e)).unwrap();
    }

    /// The terminal is closed.
    pub(super) fn hang_up(&mut self) {
        self.keys = None;
    }

    pub(super) fn text(&self) -> String {
        self.seen.lock().unwrap().text.clone()
    }

    pub(super) fn line_of(&self, needle: &str) -> String {
        self.text().lines().find(|l| l.contains(needle)).unwrap_or_default().to_owned()
    }

    /// What was sent for ops and pairing, in order.
    pub(super) fn sent(&self) -> Vec<&str> {
        self.sent.iter().map(String::as_str).collect()
    }

    /// Puts the cursor on a row by filtering for it; the filter is cleared again.
    pub(super) async fn on(&mut self, name: &str) {
        self.press("/ ctrl-u").await;
        self.type_text(name).await;
        self.press("enter esc").await;
    }
}

impl Hands {
    /// Puts the cursor on a row and leaves the filter: for when Esc would disarm.
    pub(super) async fn on_filtered(&mut self, name: &str) {
        self.press("/ ctrl-u").await;
        self.type_text(name).await;
        self.press("enter").await;
    }
}

/// Runs the loop beside a script.
pub(super) async fn run_with<F, Fut>(size: (u16, u16), tune: impl FnOnce(&mut Start, &mut Sheet, &Arc<Clock>), script: F) -> crate::tui::run::Ended
where
    F: FnOnce(Hands) -> Fut,
    Fut: Future<Output = Hands>,
{
    let clock = Clock::new();
    let mut s = start(clock.clone());
    let mut sheet = Sheet::new(size.0, size.1);
    tune(&mut s, &mut sheet, &clock);
    let (keys, input) = mpsc::unbounded_channel();
    let (engine, commands) = mpsc::channel(256);
    let mailbox = Mailbox::new();
    let hands = Hands {
        keys: Some(keys),
        commands,
        mailbox: mailbox.clone(),
        seen: sheet.seen.clone(),
        clock,
        sent: Vec::new(),
        next_id: 0,
        answers: true,
        armed: Vec::new(),
    };
    let input = Box::pin(futures_util::stream::unfold(input, |mut rx| async { rx.recv().await.map(|e| (e, rx)) }));
    let deck = crate::tui::run(s, engine, mailbox, input, &mut sheet);
    let script = async {
        let mut hands = script(hands).await;
        if hands.keys.is_some() {
            // Out of every overlay, then q; what is armed is dropped by that.
            hands.press("esc esc esc esc q").await;
        }
        // Held until the loop has ended, so that its channels stay open.
        hands.wait(10).await;
        hands
    };
    let (ended, _hands) = tokio::join!(deck, script);
    ended.unwrap()
}
