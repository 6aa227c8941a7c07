//! Questions on a terminal, and secrets from a prompt, a file or stdin. A secret is never echoed and never an argument.

use super::Output;
use crate::{
    domain::Secret,
    i18n::{Message, Words, command as c},
};
use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
};
use zeroize::Zeroizing;

/// Longest secret that is read.
pub const LONGEST: usize = 16 * 1024;

/// Why no secret was had, as a sentence.
#[derive(Debug)]
pub struct NoSecret(pub Message);

/// Reads a secret: from `file` (`-` for stdin), else by a prompt on the terminal. One line end behind it is dropped.
///
/// # Errors
/// A sentence that says what is wrong; it never holds any of the secret.
pub fn secret(file: Option<&Path>, question: &'static Words, out: &mut Output) -> Result<Secret, NoSecret> {
    let text = match file {
        Some(path) if path == Path::new("-") => from(&mut io::stdin().lock(), "-")?,
        Some(path) => {
            let mut f = std::fs::File::open(path).map_err(|e| unreadable(&path.to_string_lossy(), &e))?;
            from(&mut f, &path.to_string_lossy())?
        }
        None if io::stdin().is_terminal() => prompt(question, out)?,
        None => return Err(NoSecret(Message::new(&c::SECRET_NO_TERMINAL))),
    };
    trimmed(text)
}

/// Asks for `yes` on a terminal. `None` when stdin is none: then nobody can be asked.
pub fn agreed(question: &Message, out: &mut Output) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    out.ask(question);
    let mut line = String::new();
    let read = io::stdin().lock().take(64).read_line(&mut line);
    Some(read.is_ok() && matches!(line.trim(), "yes" | "YES"))
}

fn from(source: &mut dyn Read, name: &str) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let limit = u64::try_from(LONGEST + 2).unwrap_or(u64::MAX);
    source.take(limit + 1).read_to_end(&mut text).map_err(|e| unreadable(name, &e))?;
    Ok(text)
}

fn trimmed(mut text: Zeroizing<Vec<u8>>) -> Result<Secret, NoSecret> {
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    if text.is_empty() {
        return Err(NoSecret(Message::new(&c::SECRET_EMPTY)));
    }
    if text.len() > LONGEST {
        return Err(NoSecret(Message::new(&c::SECRET_TOO_LONG).with("max", LONGEST.to_string())));
    }
    match std::str::from_utf8(&text) {
        Ok(t) => Ok(Secret::new(t.to_owned())),
        Err(_) => Err(NoSecret(Message::new(&c::SECRET_UNREADABLE).with("path", "-").with("why", "not UTF-8"))),
    }
}

fn unreadable(path: &str, e: &io::Error) -> NoSecret {
    NoSecret(Message::new(&c::SECRET_UNREADABLE).with("path", path).with("why", e.to_string()))
}

/// Asks with the echo off, and puts it back whatever happens in between.
#[cfg(unix)]
fn prompt(question: &'static Words, out: &mut Output) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    struct Echo(Termios);
    impl Drop for Echo {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }
    let before = tcgetattr(io::stdin()).map_err(|e| unreadable("-", &e.into()))?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    let _echo = Echo(before);
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(|e| unreadable("-", &e.into()))?;
    out.ask(&Message::new(&c::ASK_SECRET).with("question", question.get(out.lang)));
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let limit = u64::try_from(LONGEST + 2).unwrap_or(u64::MAX);
    io::stdin().lock().take(limit).read_until(b'\n', &mut line).map_err(|e| unreadable("-", &e))?;
    Ok(line)
}

/// Without a way to turn the echo off, a prompt would show the secret: it is refused.
#[cfg(not(unix))]
fn prompt(_: &'static Words, _: &mut Output) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    Err(NoSecret(Message::new(&c::SECRET_NO_TERMINAL)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::i18n::{Lang, common};

    fn file(bytes: &[u8]) -> Result<Secret, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        secret(Some(&path), &common::YES, &mut Output::captured().0).map_err(|e| e.0.text(Lang::En))
    }

    #[test]
    fn a_file_loses_its_line_end_and_nothing_else() {
        assert_eq!(file(b" key with blanks \r\n").unwrap().expose(), " key with blanks ");
        assert_eq!(file(b"key").unwrap().expose(), "key");
    }

    #[test]
    fn empty_long_and_binary_secrets_are_refused_without_being_told() {
        assert_eq!(file(b"\n").unwrap_err(), "an empty secret was given");
        assert!(file(&[b'x'; LONGEST + 1]).unwrap_err().contains("16384"));
        assert!(file(&[0xff, 0xfe, b'a']).unwrap_err().contains("UTF-8"));
        let gone = secret(Some(Path::new("/nonexistent/key")), &common::YES, &mut Output::captured().0).unwrap_err();
        assert!(gone.0.text(Lang::En).contains("/nonexistent/key"));
    }
}
