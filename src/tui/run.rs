//! The loop: waits for a key, news, an instant or a signal; updates; draws only when something changed.

use super::{
    app::App,
    effect::Do,
    event::{Event, Signal},
    keymap::KeymapError,
    start::{PngWriter, Start},
    terminal::Desk,
    update::{self, update},
    view,
};
use crate::{
    domain::{Boot, Time},
    engine::{Command, Mailbox},
    i18n::{Message, deck as w},
};
use crossterm::event::Event as Input;
use futures_util::{Stream, StreamExt};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep_until},
};

/// Least time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(100);

/// How the deck ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The operator quit.
    Quit,
    /// INT, TERM or HUP, by number.
    Signal(i32),
    /// The terminal is gone.
    InputLost,
    /// The engine ended by itself.
    EngineEnded,
}

/// What keeps the deck from running.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The keymap of the configuration is not usable.
    #[error(transparent)]
    Keymap(#[from] KeymapError),
    /// The terminal does not answer.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] io::Error),
}

/// How it ended, and which armed actions were dropped by that, for a line on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// Armed actions that were taken back.
    pub dropped: Vec<String>,
    /// Why the engine could not start, if so.
    pub fatal: Option<Message>,
}

/// Runs the deck until it ends. Wants a current-thread runtime; any stream of terminal events will do.
pub async fn run<D: Desk>(
    start: Start,
    engine: mpsc::Sender<Command>,
    mailbox: Mailbox,
    mut input: impl Stream<Item = io::Result<Input>> + Unpin,
    desk: &mut D,
) -> Result<Ended, TuiError> {
    let time = start.time.clone();
    let png = start.png.clone();
    let mut signals = Signals::new(start.signals)?;
    let size = desk.size()?;
    let app = App::new(start, time.now(), (size.width, size.height))?;
    let mut deck = Deck { app, engine, desk, time, png, done: None, drawn_at: None };
    deck.event(Event::Resize(size.width, size.height))?;
    deck.draw()?;
    loop {
        if let Some(exit) = deck.done {
            return Ok(Ended { exit, dropped: std::mem::take(&mut deck.app.dropped), fatal: deck.app.fatal.take() });
        }
        let frame_at = deck.app.dirty.then(|| deck.drawn_at.map_or_else(Instant::now, |at| at + FRAME));
        let wake = deck.wake();
        let mut at_once = false;
        let event = tokio::select! {
            biased;
            key = input.next() => {
                at_once = true;
                match key {
                    Some(Ok(Input::Key(k))) => Event::Key(k),
                    Some(Ok(Input::Paste(text))) => Event::Paste(text),
                    Some(Ok(Input::Mouse(m))) => Event::Mouse(m),
                    Some(Ok(Input::Resize(w, h))) => Event::Resize(w, h),
                    Some(Ok(Input::FocusGained)) => Event::Focus(true),
                    Some(Ok(Input::FocusLost)) => Event::Focus(false),
                    Some(Err(_)) | None => Event::InputLost,
                }
            }
            signal = signals.next() => match signal {
                Some(signal) => Event::Signal(signal),
                None => {
                    at_once = true;
                    let size = deck.desk.size()?;
                    Event::Resize(size.width, size.height)
                }
            },
            () = until(frame_at) => {
                deck.draw()?;
                continue;
            }
            () = mailbox.changed() => {
                let mail = mailbox.take();
                // What answers a key is drawn like one.
                at_once = !mail.ops.is_empty() || mail.pairing.is_some();
                Event::Mail(Box::new(mail))
            }
            () = until(wake) => {
                at_once = true;
                Event::Tick
            }
        };
        deck.event(event)?;
        if at_once && deck.app.dirty && deck.done.is_none() {
            deck.draw()?;
        }
    }
}

pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The state with everything that an effect needs.
struct Deck<'a, D: Desk> {
    app: App,
    engine: mpsc::Sender<Command>,
    desk: &'a mut D,
    time: Arc<dyn Time>,
    png: Option<PngWriter>,
    done: Option<Exit>,
    drawn_at: Option<Instant>,
}

impl<D: Desk> Deck<'_, D> {
    fn event(&mut self, event: Event) -> io::Result<()> {
        let effects = update(&mut self.app, event, self.time.now());
        for effect in effects {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Do) -> io::Result<()> {
        match effect {
            Do::Send(command) => match self.engine.try_send(command) {
                Ok(()) => {}
                // What is only a wish to look is said again with the next change.
                Err(TrySendError::Full(Command::Look { .. })) => self.app.looked = None,
                Err(TrySendError::Full(_)) => self.app.say(super::toasts::Level::Bad, &Message::new(&w::ENGINE_BUSY)),
                Err(TrySendError::Closed(_)) => {
                    self.done.get_or_insert(if self.app.quitting { Exit::Quit } else { Exit::EngineEnded });
                }
            },
            // A terminal that refuses the clipboard is no reason to end.
            Do::Copy(text) => drop(self.desk.copy(&text)),
            Do::Redraw => {
                self.desk.clear()?;
                self.app.dirty = true;
            }
            Do::Suspend => {
                self.desk.suspend()?;
                self.app.now = self.time.now();
                self.app.dirty = true;
            }
            Do::Mouse(on) => self.desk.mouse(on)?,
            Do::Bell => self.desk.bell()?,
            Do::Png(payload) => {
                let outcome = match &self.png {
                    Some(write) => write(&payload).map(|p| p.display().to_string()).map_err(|e| e.to_string()),
                    None => Err(w::NO_PNG.get(self.app.lang()).to_owned()),
                };
                let more = update(&mut self.app, Event::Png(outcome), self.time.now());
                for effect in more {
                    self.carry_out(effect)?;
                }
            }
            Do::Leave(exit) => {
                self.done.get_or_insert(exit);
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        self.app.now = self.time.now();
        let app = &self.app;
        crate::fault::point("draw");
        let drawn = self.desk.draw(&mut |frame| {
            crate::fault::point("view");
            view::draw(app, frame)
        })?;
        // The instant before the write counts: if it hung, nobody saw the countdown.
        let began = self.app.now.boot_now();
        self.app.drawn(began, drawn.armed);
        self.drawn_at = Some(Instant::now());
        Ok(())
    }

    /// The next instant at which something visible changes by itself, on the loop's own clock.
    fn wake(&self) -> Option<Instant> {
        let at = update::next_wake(&self.app)?;
        let now: Boot = self.time.now().boot_now();
        Some(Instant::now() + at.since(now))
    }
}

/// The signals that the deck answers.
pub(super) struct Signals {
    #[cfg(unix)]
    inner: Option<[(tokio::signal::unix::Signal, Option<Signal>); 5]>,
    #[cfg(unix)]
    hangup: Option<super::hangup::Hangup>,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new(on: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        if !on {
            return Ok(Self { inner: None, hangup: None });
        }
        let end = |kind: SignalKind| signal(kind).map(|s| (s, Some(Signal::End(kind.as_raw_value()))));
        let stop = (signal(SignalKind::from_raw(libc::SIGTSTP))?, Some(Signal::Stop));
        // crossterm 0.29 loses a new size that arrives in the same instant as a key: it returns the key and forgets the rest.
        let size = (signal(SignalKind::window_change())?, None);
        let inner = Some([end(SignalKind::interrupt())?, end(SignalKind::terminate())?, end(SignalKind::hangup())?, stop, size]);
        Ok(Self { inner, hangup: Some(super::hangup::Hangup::listen()?) })
    }

    #[cfg(not(unix))]
    pub(super) fn new(_on: bool) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next signal; `None`: the terminal has another size.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Option<Signal> {
        let Some([int, term, hup, stop, size]) = &mut self.inner else { return std::future::pending().await };
        tokio::select! {
            _ = int.0.recv() => int.1,
            _ = term.0.recv() => term.1,
            _ = hup.0.recv() => {
                if let Some(hangup) = &self.hangup {
                    hangup.noticed();
                }
                hup.1
            }
            _ = stop.0.recv() => stop.1,
            _ = size.0.recv() => size.1,
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Option<Signal> {
        std::future::pending().await
    }
}
