//! Where lines are said and typed. Lines only: the terminal stays in its own line mode, so its editing and a reader's work.

use futures_util::Stream;
use std::io::{self, BufRead, Read, Write};
use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

/// Longest line that is read, in bytes; what is beyond is dropped with its line.
const LONGEST: u64 = 16 * 1024;

/// Where sentences go.
pub trait Voice {
    /// Says one line.
    ///
    /// # Errors
    /// The reader has gone.
    fn say(&mut self, line: &str) -> io::Result<()>;
    /// Shows what is typed, or hides it while a secret is asked for.
    fn echo(&mut self, on: bool);
    /// Stops the process until it is continued.
    fn stop(&mut self) {}
}

/// Standard output, and the echo of standard input.
#[derive(Default)]
pub struct Spoken {
    #[cfg(unix)]
    hidden: Option<rustix::termios::Termios>,
}

impl Voice for Spoken {
    fn say(&mut self, line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    #[cfg(unix)]
    fn echo(&mut self, on: bool) {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        if on {
            if let Some(before) = self.hidden.take() {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
            }
        } else if self.hidden.is_none()
            && let Ok(before) = tcgetattr(io::stdin())
        {
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // The line end still shows, so that a reader hears that Enter was taken.
            hidden.local_modes.insert(LocalModes::ECHONL);
            if tcsetattr(io::stdin(), OptionalActions::Now, &hidden).is_ok() {
                self.hidden = Some(before);
            }
        }
    }

    #[cfg(not(unix))]
    fn echo(&mut self, _on: bool) {}

    fn stop(&mut self) {
        self.echo(true);
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        self.echo(true);
    }
}

/// Lines of standard input, read by a thread that ends with the process: a blocked read cannot be cancelled.
pub fn typed_lines() -> impl Stream<Item = io::Result<Zeroizing<String>>> + Unpin {
    let (tx, rx) = mpsc::channel(16);
    let read = move || {
        loop {
            let mut line = Zeroizing::new(Vec::new());
            match io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    let text = Zeroizing::new(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
                    line.zeroize();
                    if tx.blocking_send(Ok(text)).is_err() {
                        return;
                    }
                }
                Err(e) => {
                    let _ = tx.blocking_send(Err(e));
                    return;
                }
            }
        }
    };
    // Without a thread there is no input, which ends the deck like a closed terminal.
    let _ = std::thread::Builder::new().name("typed".into()).spawn(read);
    Box::pin(futures_util::stream::unfold(rx, |mut rx| async { rx.recv().await.map(|l| (l, rx)) }))
}
