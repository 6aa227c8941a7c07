//! The command itself: it inherits terminal, streams and locks, gets the signals that pairdeck gets, and is stopped with everything
//! that it started.

use crate::{
    providers::duty::Sign,
    store::{proc, run_lock::RunLock},
};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// What a running command brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A sign of a dead session in its output.
    Said(Sign),
    /// A signal to hand on.
    Signal(i32),
    /// A key of the terminal, which sends its signal to everybody in front of it: the command, where there is one, has it already.
    Pressed(i32),
}

/// A running command.
pub struct Running {
    child: Child,
    ended: watch::Receiver<bool>,
    tees: Vec<JoinHandle<()>>,
}

/// Starts `command`. With `signs` its output is read on its way; without, it has the streams of pairdeck themselves.
///
/// # Errors
/// The command is not there or may not be executed.
pub fn start(command: &[OsString], locks: &[&RunLock], signs: &'static [Sign], news: &mpsc::Sender<News>) -> io::Result<Running> {
    let (name, args) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut c = Command::new(name);
    c.args(args);
    if !signs.is_empty() {
        c.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    inherit(&mut c, locks);
    let mut child = c.spawn()?;
    let mut tees = Vec::new();
    if let Some(from) = child.stdout.take() {
        tees.push(tee(from, io::stdout(), signs, news.clone()));
    }
    if let Some(from) = child.stderr.take() {
        tees.push(tee(from, io::stderr(), signs, news.clone()));
    }
    let ended = waiter(child.id());
    Ok(Running { child, ended, tees })
}

/// The child keeps the locks open, so that they hold while it or a child of its own lives; and it is told to end when pairdeck
/// is killed, because nobody renews its lease then.
#[cfg(unix)]
#[allow(unsafe_code)]
fn inherit(command: &mut Command, locks: &[&RunLock]) {
    use rustix::io::{FdFlags, fcntl_setfd};
    use std::os::{
        fd::{AsRawFd, BorrowedFd},
        unix::process::CommandExt,
    };
    let fds: Vec<i32> = locks.iter().filter_map(|l| Some(l.file()?.as_raw_fd())).collect();
    let prepare = move || {
        for fd in &fds {
            // SAFETY: the parent holds these open until spawn has returned, and the child has a copy of its table.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        Ok(())
    };
    // SAFETY: only system calls are made between fork and exec; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(prepare) };
}

#[cfg(not(unix))]
fn inherit(_: &mut Command, _: &[&RunLock]) {}

/// Copies a stream as it comes, and reads it on its way. A reader of ours that is gone does not stop the command.
fn tee(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    signs: &'static [Sign],
    news: mpsc::Sender<News>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = super::log::Lines::default();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n) = from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..n).filter(|b| !b.is_empty()) else { break };
            let _ = to.write_all(bytes).and_then(|()| to.flush());
            for sign in lines.feed(signs, bytes) {
                // A full channel means that enough was said already.
                let _ = news.try_send(News::Said(sign));
            }
        }
        if let Some(sign) = lines.end(signs) {
            let _ = news.try_send(News::Said(sign));
        }
    })
}

/// Tells when the process has ended, and leaves it to be reaped: until then its id cannot be another's, so that a signal never
/// reaches a stranger.
#[cfg(unix)]
fn waiter(pid: u32) -> watch::Receiver<bool> {
    let (tell, ended) = watch::channel(false);
    std::thread::spawn(move || {
        until_ended(pid);
        let _ = tell.send(true);
    });
    ended
}

#[cfg(unix)]
fn until_ended(pid: u32) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    }
}

/// Runs a command to its end, on this thread and without a runtime; for the rest of this process's life its signals are handed on.
///
/// # Errors
/// The command is not there or may not be executed; the system refuses to install the signals.
#[cfg(unix)]
pub fn attend(command: &mut Command) -> io::Result<ExitStatus> {
    let (tell, mut news) = mpsc::channel(64);
    // Before there is a child: a signal in between would end this process and leave the child behind.
    forward(tell)?;
    let mut child = command.spawn()?;
    let (pid, over) = (child.id(), Arc::new(Mutex::new(false)));
    let seen = over.clone();
    std::thread::spawn(move || {
        while let Some(event) = news.blocking_recv() {
            let over = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let (News::Signal(signal), false) = (event, *over) {
                send(pid, signal);
            }
        }
    });
    until_ended(pid);
    // Not reaped while somebody may still send to its id.
    *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
    child.wait()
}

/// The same where there are no signals to hand on.
///
/// # Errors
/// The command is not there or may not be executed.
#[cfg(not(unix))]
pub fn attend(command: &mut Command) -> io::Result<ExitStatus> {
    command.status()
}

impl Running {
    /// Returns when it has ended; may be called again.
    pub async fn ended(&mut self) {
        // A sender that is gone has told before.
        let _ = self.ended.wait_for(|e| *e).await;
    }

    /// Hands a signal on.
    pub fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Asks it and everything that it started to end, and kills what is left after `patience`.
    pub async fn stop(&mut self, patience: Duration) {
        let tree = self.tree();
        for pid in &tree {
            send(*pid, libc::SIGTERM);
            // A stopped process ends only when it goes on.
            send(*pid, libc::SIGCONT);
        }
        let end = tokio::time::Instant::now() + patience;
        // What it started may outlive it, and holds the session as well.
        while tree.iter().any(|p| lives(*p)) && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let left: Vec<u32> = tree.iter().copied().filter(|p| lives(*p)).chain(self.tree()).collect();
        for pid in left {
            send(pid, libc::SIGKILL);
        }
        self.ended().await;
    }

    fn tree(&self) -> Vec<u32> {
        let me = self.child.id();
        std::iter::once(me).chain(proc::descendants(me)).collect()
    }

    /// Reaps it and waits, a moment, for the rest of its output.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub async fn reap(mut self) -> io::Result<ExitStatus> {
        self.ended().await;
        let status = self.child.wait()?;
        // A child of its own may hold the pipe for ever.
        let end = Instant::now() + Duration::from_millis(500);
        while self.tees.iter().any(|t| !t.is_finished()) && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(status)
    }
}

/// True while a process of that id is there and not only waiting to be reaped.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().map(str::trim_start).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

#[cfg(unix)]
fn send(pid: u32, signal: i32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let (Some(pid), Some(signal)) = (i32::try_from(pid).ok().and_then(Pid::from_raw), Signal::from_named_raw(signal)) {
        let _ = kill_process(pid, signal);
    }
}

/// How it ended, as a shell tells it: the code, or 128 and the signal.
pub fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    status.code().and_then(|c| u8::try_from(c & 0xff).ok()).unwrap_or(1)
}

/// Hands signals of pairdeck's on to `news`.
///
/// # Errors
/// The system refuses to install them.
#[cfg(unix)]
pub fn forward(news: mpsc::Sender<News>) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH},
        iterator::{SignalsInfo, exfiltrator::WithOrigin},
    };
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])?;
    std::thread::spawn(move || {
        for origin in &mut signals {
            let by_terminal = origin.process.is_none() && matches!(origin.signal, SIGINT | SIGQUIT | SIGWINCH);
            let told = if by_terminal { News::Pressed(origin.signal) } else { News::Signal(origin.signal) };
            if news.blocking_send(told).is_err() {
                return;
            }
        }
    });
    Ok(())
}
