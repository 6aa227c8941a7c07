//! The program: arguments in, exit code out. Everything else lives in the library.

use pairdeck::cli::{
    Output,
    deck::{self, Scene},
    demo,
    dispatch::{Next, dispatch},
    private, short,
};
use std::process::ExitCode;

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

fn main() -> ExitCode {
    thrifty();
    private::private();
    let cli = match short::parse(std::env::args_os()) {
        Ok(cli) => cli,
        // Help and version are answers, not mistakes: clap knows which stream and code each of them has.
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let globals = cli.globals.clone();
    let mut out = Output::std(globals.language(), globals.quiet);
    match dispatch(cli, &mut out) {
        Next::Ended(exit) => exit,
        Next::Child(code) => return ExitCode::from(code),
        Next::Deck(paths, config) => deck::run(&globals, &paths, *config, Scene::default(), &mut out),
        Next::Demo(args) => demo::run(&globals, &args, &mut out),
    }
    .into()
}
