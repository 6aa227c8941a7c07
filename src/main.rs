//! The program: arguments in, exit code out. Everything else lives in the library.

use clap::Parser;
use pairdeck::cli::{
    Cli, Globals, Output,
    deck::{self, Scene},
    demo,
    dispatch::{Next, dispatch},
    private,
};
use std::{io::Write, process::ExitCode};

/// Tells the allocator to give back what a poll of ten thousand rows needed for a moment: one arena instead of one a thread,
/// and no large free pieces kept. Done before the first thread starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn thrifty() {
    // SAFETY: mallopt only sets numbers of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 * 1024);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn thrifty() {}

/// A limit on the size of files (`ulimit -f`, systemd's `LimitFSIZE`) refuses a write with an error, as a full disk does, and does not end
/// the process in the middle of one. A handler and not "ignored": programs that are started from here begin with the usual answer to
/// that signal, and what is ignored stays so in them.
#[cfg(unix)]
#[allow(unsafe_code)]
fn limited() {
    extern "C" fn refused(_: libc::c_int) {}
    // SAFETY: the handler does nothing; the structure is zeroed, which is valid for it, and no other thread runs yet.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = refused as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGXFSZ, &raw const action, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
fn limited() {}

/// Whether stdout was closed when the process began. Before `main` the standard library puts `/dev/null` in its place, which
/// takes every result without a word, so it is looked at earlier.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod early {
    use std::sync::atomic::{AtomicBool, Ordering};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    extern "C" fn look() {
        // SAFETY: asks for the flags of a descriptor, open or not; nothing of the runtime is used.
        CLOSED.store(unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1, Ordering::Relaxed);
    }

    // SAFETY: the loader calls what stands in this section, once and on the only thread; `look` needs no runtime.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    /// True when nobody can be told a result.
    pub(super) fn closed() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(not(target_os = "linux"))]
mod early {
    pub(super) const fn closed() -> bool {
        false
    }
}

/// Says what clap has to say: help and version on stdout, mistakes on stderr. An answer that nobody can read is no success.
fn answered(e: clap::Error) -> ExitCode {
    let e = private::unrepeated(e);
    let code = u8::try_from(e.exit_code()).unwrap_or(2);
    let written = match e.use_stderr() {
        false if early::closed() => Err(std::io::Error::from_raw_os_error(libc::EBADF)),
        _ => e.print().and_then(|()| std::io::stdout().flush()),
    };
    match written {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Output::std(Globals::default().language(), false).unwritten(&why);
            ExitCode::from(code.max(1))
        }
        _ => ExitCode::from(code),
    }
}

fn main() -> ExitCode {
    thrifty();
    private::private();
    limited();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are answers, not mistakes: clap knows which stream and code each of them has.
        Err(e) => return answered(e),
    };
    let globals = cli.globals.clone();
    let mut out = Output::std(globals.language(), globals.quiet);
    if early::closed() {
        out.closed();
    }
    match dispatch(cli, &mut out) {
        Next::Ended(exit) => exit,
        Next::Child(code) => return ExitCode::from(code),
        Next::Deck(paths, config) => deck::run(&globals, &paths, *config, Scene::default(), &mut out),
        Next::Demo(args) => demo::run(&globals, &args, &mut out),
    }
    .into()
}
