//! The terminal itself: set up in one place, restored whatever happens.
//!
//! Whether this terminal draws `●` and frames two cells wide is not asked. crossterm 0.29 takes the cursor report for itself:
//! its stream never hands it on, and the one call that returns it waits up to 2 s for a terminal that does not answer, on
//! the same lock as the keys. `ui.ambiguous = "wide"` (or `--ascii`) draws in ASCII instead; `narrow` and `auto` do not.

use super::{clipboard, view::Drawn};
use crossterm::{
    cursor,
    event::{DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture},
    execute,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{
    Frame, Terminal,
    backend::{CrosstermBackend, TestBackend},
    layout::Size,
};
use std::{
    io::{self, BufWriter, Stdout, Write},
    sync::{
        Mutex, MutexGuard, Once, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Where the deck is drawn, and what else a terminal can do. The real one, or paper for tests.
pub trait Desk {
    /// Draws one frame.
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Drawn) -> io::Result<Drawn>;
    /// Columns and rows.
    fn size(&self) -> io::Result<Size>;
    /// Forgets what is on screen, so that the next frame paints everything.
    fn clear(&mut self) -> io::Result<()>;
    /// Puts text into the clipboard.
    fn copy(&mut self, text: &str) -> io::Result<()>;
    /// Rings.
    fn bell(&mut self) -> io::Result<()>;
    /// Catches the mouse, or gives it back.
    fn mouse(&mut self, on: bool) -> io::Result<()>;
    /// Leaves the terminal, stops the process, and comes back when it is continued.
    fn suspend(&mut self) -> io::Result<()>;
}

/// True while the terminal is ours: what a panic or the end has to put right.
static OURS: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// Held while the deck writes: what another thread gives back must not be drawn into afterwards.
static WRITES: Mutex<()> = Mutex::new(());
/// A terminal that takes nothing more may keep a frame waiting for ever: it is given back all the same then.
const FRAME: Duration = Duration::from_millis(500);

/// The right to write, as long as the terminal is ours.
fn writing() -> Option<MutexGuard<'static, ()>> {
    let held = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
    OURS.load(Ordering::SeqCst).then_some(held)
}

/// Gives the terminal back, after the frame that is being written. Safe to call at any time, from any thread, twice.
pub fn restore() {
    let end = Instant::now() + FRAME;
    let _held = loop {
        match WRITES.try_lock() {
            Ok(held) => break Some(held),
            Err(TryLockError::Poisoned(held)) => break Some(held.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => break None,
            // Nobody tells when a frame is out, and a condition could not be waited for in a panic.
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    give_back();
}

fn give_back() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    // Each on its own: one that fails must not keep the others from running.
    let mut out = io::stdout();
    let _ = execute!(out, DisableMouseCapture);
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, DisableFocusChange);
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = disable_raw_mode();
}

fn take(mouse: bool) -> io::Result<()> {
    OURS.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
    if mouse {
        execute!(out, EnableMouseCapture)?;
    }
    Ok(())
}

/// The real terminal. Dropping it restores.
pub struct Real {
    inner: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

impl Real {
    /// Takes the terminal over. `mouse`: catch it. Under `NO_COLOR` colours are still sent where a QR needs them; the
    /// deck's own theme has none then.
    pub fn open(mouse: bool) -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // What a panic says may hold anything, secrets too: only its place is told. `PAIRDECK_DEBUG=1` tells all.
                let debug = std::env::var_os("PAIRDECK_DEBUG").is_some_and(|v| v == "1");
                let place = info.location().map_or_else(|| "?".to_owned(), ToString::to_string);
                // A panic elsewhere ends its own task only; the deck stays up, and nothing is written into its screen.
                let ends = std::thread::current().name().is_none_or(|n| n == "main" || n == "tui");
                if ends {
                    // Its own thread: the frame that it was at is over.
                    give_back();
                }
                if debug && (ends || !OURS.load(Ordering::SeqCst)) {
                    before(info);
                } else if ends || !OURS.load(Ordering::SeqCst) {
                    let _ = writeln!(
                        io::stderr(),
                        "pairdeck: a fault of its own at {place}; what was begun is in the journal and is resumed at the next start"
                    );
                } else {
                    tracing::error!(place, "a task of the engine ended by a fault of its own");
                }
            }));
        });
        super::widget::qr::keep_colours();
        let opened = take(mouse).and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()))));
        match opened {
            Ok(inner) => Ok(Self { inner, mouse }),
            Err(e) => {
                restore();
                Err(e)
            }
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        restore();
    }
}

impl Desk for Real {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Drawn) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        let Some(_held) = writing() else { return Ok(drawn) };
        self.inner.draw(|f| drawn = paint(f))?;
        Ok(drawn)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn clear(&mut self) -> io::Result<()> {
        let Some(_held) = writing() else { return Ok(()) };
        // ratatui 0.30.2 asks for the cursor to put it back, and fails after 2 s where no answer comes or the keys' stream took
        // it: a new one forgets as well, and asks nobody.
        execute!(self.inner.backend_mut(), terminal::Clear(terminal::ClearType::All))?;
        self.inner = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout())))?;
        Ok(())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        let Some(_held) = writing() else { return Ok(()) };
        clipboard::copy(self.inner.backend_mut(), text)
    }

    fn bell(&mut self) -> io::Result<()> {
        let Some(_held) = writing() else { return Ok(()) };
        let out = self.inner.backend_mut();
        out.write_all(b"\x07")?;
        out.flush()
    }

    fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let Some(_held) = writing() else { return Ok(()) };
        let out = self.inner.backend_mut();
        if on { execute!(out, EnableMouseCapture) } else { execute!(out, DisableMouseCapture) }
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.inner.backend_mut().flush()?;
        restore();
        #[cfg(unix)]
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        take(self.mouse)?;
        self.clear()
    }
}

/// A desk of paper: draws into memory and remembers what it was asked for. For tests and benches.
pub struct Paper {
    /// What was drawn.
    pub inner: Terminal<TestBackend>,
    /// What was copied.
    pub copied: Vec<String>,
    /// How often it was suspended.
    pub suspended: u32,
    /// How often it rang.
    pub bells: u32,
    /// Frames drawn.
    pub frames: u64,
}

impl Paper {
    /// Paper of that size.
    pub fn new(w: u16, h: u16) -> io::Result<Self> {
        let Ok(inner) = Terminal::new(TestBackend::new(w, h));
        Ok(Self { inner, copied: Vec::new(), suspended: 0, bells: 0, frames: 0 })
    }

    /// The text on it.
    pub fn text(&self) -> String {
        let buf = self.inner.backend().buffer();
        let mut out = String::new();
        for y in buf.area.top()..buf.area.bottom() {
            let mut x = buf.area.left();
            while x < buf.area.right() {
                let symbol = buf[(x, y)].symbol();
                out.push_str(symbol);
                // A wide character hides the cell behind it.
                x += u16::try_from(super::text::width(symbol)).unwrap_or(1).max(1);
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
        out
    }
}

impl Desk for Paper {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Drawn) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        let Ok(_) = self.inner.draw(|f| drawn = paint(f));
        self.frames += 1;
        Ok(drawn)
    }

    fn size(&self) -> io::Result<Size> {
        let Ok(size) = self.inner.size();
        Ok(size)
    }

    fn clear(&mut self) -> io::Result<()> {
        let Ok(()) = self.inner.clear();
        Ok(())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.copied.push(text.to_owned());
        Ok(())
    }

    fn bell(&mut self) -> io::Result<()> {
        self.bells += 1;
        Ok(())
    }

    fn mouse(&mut self, _on: bool) -> io::Result<()> {
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.suspended += 1;
        Ok(())
    }
}
