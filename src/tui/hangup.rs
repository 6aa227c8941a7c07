//! The terminal that goes away under the deck. crossterm 0.29 reads on for ever where a terminal has ended (`read` gives 0 and it asks
//! again), so the deck's own thread may never get to hear of the hang-up: then somebody else must end the program.
//!
//! And the signals that nobody asks the deck about: they end a program where it stands, which would leave the terminal raw and in its
//! second screen. The terminal is put back first, then the signal does what it always does.

use signal_hook::consts;
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

/// Signals whose way is to end a program, that can be caught, and that no fault of the processor sends: after one of those nothing
/// can be run any more.
const ENDING: [i32; 11] = [
    consts::SIGQUIT,
    consts::SIGTRAP,
    consts::SIGUSR1,
    consts::SIGUSR2,
    consts::SIGALRM,
    consts::SIGXCPU,
    consts::SIGXFSZ,
    consts::SIGVTALRM,
    consts::SIGPROF,
    consts::SIGABRT,
    consts::SIGSYS,
];

/// Those that only Linux ends a program by: of a coprocessor, of input and output, of a power supply, and all of real time.
#[cfg(target_os = "linux")]
fn of_this_system() -> impl Iterator<Item = i32> {
    // Some processors have no coprocessor's, and call another one so.
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
    let more = [libc::SIGSTKFLT, libc::SIGIO, libc::SIGPWR];
    #[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
    let more = [libc::SIGIO, libc::SIGPWR];
    more.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

#[cfg(not(target_os = "linux"))]
fn of_this_system() -> impl Iterator<Item = i32> {
    std::iter::empty()
}

/// Listens for a hang-up beside the deck, and for what would end it where it stands.
pub(super) struct Hangup(Arc<AtomicBool>);

impl Hangup {
    /// Begins to listen, on a thread of its own that ends with the program.
    ///
    /// # Errors
    /// The system takes no listener or gives no thread.
    pub(super) fn listen() -> io::Result<Self> {
        let noticed = Arc::new(AtomicBool::new(false));
        let mut signals = signal_hook::iterator::Signals::new(ENDING.into_iter().chain([consts::SIGHUP]))?;
        for signal in of_this_system() {
            // One that this kernel or its library keeps for itself does not come.
            let _ = signals.add_signal(signal);
        }
        let seen = noticed.clone();
        std::thread::Builder::new().name("hangup".into()).spawn(move || {
            for signal in signals.forever() {
                if signal == consts::SIGHUP {
                    std::thread::sleep(PATIENCE);
                    if seen.load(Ordering::SeqCst) {
                        continue;
                    }
                }
                super::terminal::restore();
                // Whatever was under way is in the journal; there is nobody left to ask.
                if signal != consts::SIGHUP {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                    // Of some it does not know what they do: as a shell tells of a program that ended by one.
                    std::process::exit(128 + signal);
                }
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
