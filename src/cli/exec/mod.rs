//! `pairdeck exec`: runs a command that gets a token over a descriptor or a file, never in its arguments.

pub(super) mod file;
mod name;

use super::{Exit, Globals, Output, args::ExecArgs, token};
use crate::{
    domain::Secret,
    engine::{agent::Document, hold::child},
    i18n::{Message, token as words},
    store::{Paths, paths},
};
use std::{io, process::Command};

/// Hands a token to a command and ends as it ends.
pub(super) fn run(args: &ExecArgs, globals: &Globals, paths: Paths, out: &mut Output) -> Exit {
    if let Some(why) = args.env.as_deref().and_then(name::refused) {
        out.complain(&why);
        return Exit::Usage;
    }
    let document = match token::for_exec(args, globals, paths.clone(), out) {
        Ok(document) => document,
        Err(exit) => return exit,
    };
    let Some((program, rest)) = args.command.split_first() else { return Exit::Usage };
    let mut command = Command::new(program);
    command.args(rest).env("PAIRDECK_TOKEN_EXPIRES_AT", document.expires.rfc3339());
    let done = match &args.env {
        Some(name) => {
            command.env(name, document.token.expose());
            replace(&mut command)
        }
        None if args.file => with_file(&mut command, &document, (args, globals, paths, out.lang)),
        None => with_descriptor(&mut command, &document.token),
    };
    match done {
        Ok(code) => std::process::exit(code),
        Err(e) => {
            let why = paths::plain(&e);
            out.complain(&Message::new(&words::EXEC_FAILED).with("program", program.to_string_lossy()).with("why", why));
            // As a shell ends.
            std::process::exit(if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 });
        }
    }
}

/// Becomes the command: its signals, its terminal and its end are its own. Comes back only when that failed.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Result<i32> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Result<i32> {
    command.status().map(|s| s.code().unwrap_or(1))
}

#[cfg(unix)]
fn with_descriptor(command: &mut Command, token: &Secret) -> io::Result<i32> {
    use std::os::fd::AsRawFd;
    let (read, write) = rustix::pipe::pipe()?;
    // The smallest buffer that a pipe may have holds every token: this never waits for a reader.
    if token.len() > 4096 {
        return Err(io::Error::other("the token is too long for a pipe; use --file"));
    }
    rustix::io::write(&write, token.expose().as_bytes())?;
    drop(write);
    command.env("PAIRDECK_TOKEN_FD", read.as_raw_fd().to_string());
    rustix::io::fcntl_setfd(&read, rustix::io::FdFlags::empty())?;
    replace(command)
}

#[cfg(not(unix))]
fn with_descriptor(_: &mut Command, _: &Secret) -> io::Result<i32> {
    Err(io::Error::other("descriptors are not handed over here; use --file"))
}

/// Stays, to renew the file while the command runs and to take it away when it has ended; signals that reach this process are
/// handed on.
fn with_file(command: &mut Command, first: &Document, of: (&ExecArgs, &Globals, Paths, crate::i18n::Lang)) -> io::Result<i32> {
    let (args, globals, paths, lang) = of;
    let file = file::TokenFile::new(&first.token, &paths.data)?;
    command.env("PAIRDECK_TOKEN_FILE", file.path());
    file.follow(args.clone(), globals.clone(), paths, first, lang);
    crate::cli::prompt::signals_are_heeded();
    let status = child::attend(command);
    file.end();
    let status = status?;
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ok(128 + signal);
    }
    Ok(status.code().unwrap_or(1))
}
