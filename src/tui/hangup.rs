//! The terminal that goes away under the deck. crossterm 0.29 reads on for ever where a terminal has ended (`read` gives 0 and it asks
//! again), so the deck's own thread may never get to hear of the hang-up: then somebody else must end the program.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long the deck's own thread is given to notice.
const PATIENCE: Duration = Duration::from_secs(1);
/// How the program ends then: as after every signal that ends it.
const EXIT: i32 = 130;

/// Listens for a hang-up beside the deck.
pub(super) struct Hangup(Arc<AtomicBool>);

impl Hangup {
    /// Begins to listen, on a thread of its own that ends with the program.
    ///
    /// # Errors
    /// The system takes no listener or gives no thread.
    pub(super) fn listen() -> io::Result<Self> {
        let noticed = Arc::new(AtomicBool::new(false));
        let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP])?;
        let seen = noticed.clone();
        std::thread::Builder::new().name("hangup".into()).spawn(move || {
            if signals.forever().next().is_none() {
                return;
            }
            std::thread::sleep(PATIENCE);
            if !seen.load(Ordering::SeqCst) {
                super::terminal::restore();
                // Whatever was under way is in the journal; there is nobody left to ask.
                std::process::exit(EXIT);
            }
        })?;
        Ok(Self(noticed))
    }

    /// The deck has heard of it and ends in its own way.
    pub(super) fn noticed(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
