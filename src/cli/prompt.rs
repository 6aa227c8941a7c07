//! Questions on a terminal, and secrets from a prompt, a file or stdin. A secret is never echoed and never an argument.

use super::Output;
use crate::{
    domain::Secret,
    i18n::{Message, Words, command as c},
};
use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
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
    match trimmed(read(file, question, out)?)? {
        Some(secret) => Ok(secret),
        None => Err(NoSecret(Message::new(&c::SECRET_EMPTY))),
    }
}

/// A new passphrase, typed twice: one that was mistyped would open nothing ever again.
///
/// # Errors
/// As [`secret`]; and when the two are not the same.
pub fn new_passphrase(out: &mut Output) -> Result<Secret, NoSecret> {
    let _unseen = Sequence::begin();
    let first = secret(None, &c::ASK_NEW_PASSPHRASE, out)?;
    let again = secret(None, &c::ASK_PASSPHRASE_AGAIN, out)?;
    if first.expose() == again.expose() { Ok(first) } else { Err(NoSecret(Message::new(&c::PASSPHRASE_DIFFERS))) }
}

/// As [`secret`], where none is fine too: an empty file, Enter at the prompt, or nobody to ask.
///
/// # Errors
/// As there.
pub fn secret_or_none(file: Option<&Path>, question: &'static Words, out: &mut Output) -> Result<Secret, NoSecret> {
    if file.is_none() && !io::stdin().is_terminal() {
        return Ok(Secret::new(String::new()));
    }
    Ok(trimmed(read(file, question, out)?)?.unwrap_or_else(|| Secret::new(String::new())))
}

fn read(file: Option<&Path>, question: &'static Words, out: &mut Output) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    match file {
        // Whoever writes `-` at a terminal types it there: unseen, as without the option.
        Some(path) if path == Path::new("-") && io::stdin().is_terminal() => prompt(question, out),
        Some(path) if path == Path::new("-") => from(&mut io::stdin().lock(), "-"),
        Some(path) => {
            let mut f = std::fs::File::open(path).map_err(|e| unreadable(&path.to_string_lossy(), &e))?;
            from(&mut f, &path.to_string_lossy())
        }
        None if io::stdin().is_terminal() => prompt(question, out),
        None => Err(NoSecret(Message::new(&c::SECRET_NO_TERMINAL))),
    }
}

/// Asks for `yes` on a terminal. `None` when stdin is none: then nobody can be asked.
pub fn agreed(question: &Message, out: &mut Output) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    over();
    out.ask(question);
    let mut line = String::new();
    let read = io::stdin().lock().take(64).read_line(&mut line);
    Some(read.is_ok() && matches!(line.trim(), "yes" | "YES"))
}

/// Asks for a line that is no secret. `None` when stdin is no terminal.
pub fn line(question: &'static Words, out: &mut Output) -> Option<String> {
    if !io::stdin().is_terminal() {
        return None;
    }
    over();
    out.ask(&Message::new(question));
    let mut line = String::new();
    io::stdin().lock().take(2048).read_line(&mut line).ok()?;
    Some(line)
}

/// Reads all of stdin, at most `most` bytes, without its last line end. Unlike a credential of ours it may be empty: that is
/// for the reader to judge.
///
/// # Errors
/// A sentence that says what is wrong; it never holds any of the text.
pub fn piped(most: usize) -> Result<Secret, NoSecret> {
    read_piped(&mut io::stdin().lock(), most)
}

/// The same for a secret: at a terminal a line of it is typed unseen.
///
/// # Errors
/// As there.
pub fn piped_unseen(question: &'static Words, out: &mut Output) -> Result<Secret, NoSecret> {
    if !io::stdin().is_terminal() {
        return piped(LONGEST);
    }
    Ok(trimmed(prompt(question, out)?)?.unwrap_or_else(|| Secret::new(String::new())))
}

fn read_piped(source: &mut dyn Read, most: usize) -> Result<Secret, NoSecret> {
    let limit = u64::try_from(most + 2).unwrap_or(u64::MAX);
    let mut text = Zeroizing::new(Vec::new());
    source.take(limit + 1).read_to_end(&mut text).map_err(|e| unreadable("-", &e))?;
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    if text.len() > most {
        return Err(NoSecret(Message::new(&c::SECRET_TOO_LONG).with("max", most.to_string())));
    }
    let text = std::str::from_utf8(&text).map_err(|_| NoSecret(Message::new(&c::SECRET_UNREADABLE).with("path", "-").with("why", "not UTF-8")))?;
    Ok(Secret::new(text.to_owned()))
}

fn from(source: &mut dyn Read, name: &str) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let limit = u64::try_from(LONGEST + 2).unwrap_or(u64::MAX);
    source.take(limit + 1).read_to_end(&mut text).map_err(|e| unreadable(name, &e))?;
    Ok(text)
}

/// `None` for nothing but a line end.
fn trimmed(mut text: Zeroizing<Vec<u8>>) -> Result<Option<Secret>, NoSecret> {
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST {
        return Err(NoSecret(Message::new(&c::SECRET_TOO_LONG).with("max", LONGEST.to_string())));
    }
    match std::str::from_utf8(&text) {
        Ok(t) => Ok(Some(Secret::new(t.to_owned()))),
        Err(_) => Err(NoSecret(Message::new(&c::SECRET_UNREADABLE).with("path", "-").with("why", "not UTF-8"))),
    }
}

fn unreadable(path: &str, e: &io::Error) -> NoSecret {
    NoSecret(Message::new(&c::SECRET_UNREADABLE).with("path", path).with("why", e.to_string()))
}

/// A terminal that does not show what is typed, until this is dropped. Lines and ctrl-c are the kernel's as ever; it cannot be put
/// into the background meanwhile, where a shell would be left without an echo.
#[cfg(unix)]
pub(super) struct Unseen(rustix::termios::Termios);

#[cfg(unix)]
impl Unseen {
    /// Turns the echo off. What was typed before is thrown away.
    ///
    /// # Errors
    /// Stdin is no terminal.
    pub(super) fn begin() -> Result<Self, NoSecret> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).map_err(|e| unreadable("-", &e.into()))?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        // 0 is `_POSIX_VDISABLE`.
        hidden.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(|e| unreadable("-", &e.into()))?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Unseen {
    fn drop(&mut self) {
        // What was not read yet is no secret's rest for a shell to run.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &self.0);
    }
}

/// Without a way to turn the echo off nothing is asked.
#[cfg(not(unix))]
pub(super) struct Unseen;

#[cfg(not(unix))]
impl Unseen {
    pub(super) fn begin() -> Result<Self, NoSecret> {
        Err(NoSecret(Message::new(&c::SECRET_NO_TERMINAL)))
    }
}

/// Several questions for secrets, with work between them: from the first one on the terminal shows nothing that is typed, until
/// this is dropped. What was typed ahead is the answer to the next question, or is thrown away in silence.
pub(super) struct Sequence(());

impl Sequence {
    /// Begins; nothing happens to the terminal before the first question.
    pub(super) fn begin() -> Self {
        SEQUENCES.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Sequence {
    fn drop(&mut self) {
        if SEQUENCES.fetch_sub(1, Ordering::SeqCst) == 1 {
            over();
        }
    }
}

/// Sequences that are under way, one within the other.
static SEQUENCES: AtomicUsize = AtomicUsize::new(0);

/// Gives the terminal its echo back, where a question for a secret took it. What was typed meanwhile is thrown away: it may be a
/// secret, and is neither shown nor an answer to a question that shows it.
fn over() {
    #[cfg(unix)]
    signals::over();
}

/// Asks with the echo off, and puts it back whatever happens in between. Keys are read one by one and signals are off, so
/// that ctrl-c cannot leave a terminal without an echo. Within a [`Sequence`] the echo stays off behind it.
#[cfg(unix)]
fn prompt(question: &'static Words, out: &mut Output) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
    struct Asked;
    impl Drop for Asked {
        fn drop(&mut self) {
            signals::asked();
            if SEQUENCES.load(Ordering::SeqCst) == 0 {
                return over();
            }
            // The keyboard may end the program again; into the background it cannot be put without an echo.
            if let Ok(mut between) = tcgetattr(io::stdin()) {
                between.local_modes.insert(LocalModes::ISIG);
                between.special_codes[SpecialCodeIndex::VSUSP] = 0;
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &between);
            }
        }
    }
    let mut hidden = tcgetattr(io::stdin()).map_err(|e| unreadable("-", &e.into()))?;
    let first = signals::puts_back(&hidden);
    let _asked = Asked;
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
    hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
    // What was typed before the first question was seen.
    let how = if first { OptionalActions::Flush } else { OptionalActions::Now };
    tcsetattr(io::stdin(), how, &hidden).map_err(|e| unreadable("-", &e.into()))?;
    out.ask(&Message::new(&c::ASK_SECRET).with("question", question.get(out.lang)));
    let typed = typed(&mut Keys);
    out.asked();
    typed
}

/// The keyboard, without a buffer of its own: what is not read stays with the terminal, which can throw it away.
#[cfg(unix)]
struct Keys;

#[cfg(unix)]
impl Read for Keys {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(io::stdin(), &mut *into) {
                Err(rustix::io::Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

/// Somebody else answers signals that ask to end from now on; a question for a secret that is on screen still ends by them.
pub(super) fn signals_are_heeded() {
    #[cfg(unix)]
    signals::heeded();
}

/// A signal that ends the program while it waits for a secret: the terminal gets its echo back first.
#[cfg(unix)]
mod signals {
    use rustix::termios::{OptionalActions, Termios, tcsetattr};
    use signal_hook::{consts, iterator::Signals, low_level::emulate_default_handler};
    use std::{
        io,
        sync::{
            Mutex, Once, PoisonError,
            atomic::{AtomicBool, Ordering},
        },
    };

    /// As the terminal was before the first question.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
    /// A question is on screen.
    static ASKING: AtomicBool = AtomicBool::new(false);
    static HEEDED: AtomicBool = AtomicBool::new(false);

    pub(super) fn heeded() {
        HEEDED.store(true, Ordering::SeqCst);
    }

    /// A question is asked, and from now on the terminal is put back like this, unless it is to be put back already. True for the
    /// first one.
    pub(super) fn puts_back(before: &Termios) -> bool {
        static LISTENS: Once = Once::new();
        let mut kept = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.is_none();
        kept.get_or_insert_with(|| before.clone());
        drop(kept);
        ASKING.store(true, Ordering::SeqCst);
        LISTENS.call_once(|| {
            let Ok(mut signals) = Signals::new([consts::SIGTERM, consts::SIGHUP, consts::SIGINT, consts::SIGQUIT]) else { return };
            // Without the thread the signals would be lost: then they end nothing, and Enter does.
            let _ = std::thread::Builder::new().name("prompt".into()).spawn(move || {
                for signal in signals.forever() {
                    over();
                    // A question that is on screen ends by it, whoever heeds signals otherwise.
                    if ASKING.load(Ordering::SeqCst) || !HEEDED.load(Ordering::SeqCst) {
                        let _ = emulate_default_handler(signal);
                    }
                }
            });
        });
        first
    }

    /// The question is answered.
    pub(super) fn asked() {
        ASKING.store(false, Ordering::SeqCst);
    }

    /// No more questions: the terminal is as it was before the first.
    pub(super) fn over() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
        }
    }
}

/// Reads keys up to Enter. Backspace takes one letter back, ctrl-u all; ctrl-c and ctrl-d give up.
fn typed(keys: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let mut key = [0u8];
    loop {
        let n = keys.read(&mut key).map_err(|e| unreadable("-", &e))?;
        match key[0] {
            _ if n == 0 => return Err(NoSecret(Message::new(&c::NOT_AGREED))),
            b'\r' | b'\n' => return Ok(line),
            3 | 4 => return Err(NoSecret(Message::new(&c::NOT_AGREED))),
            // A letter of several bytes ends with its continuation bytes.
            8 | 127 => while line.pop().is_some_and(|b| b & 0xc0 == 0x80) {},
            21 => line.clear(),
            b if line.len() <= LONGEST => line.push(b),
            _ => {}
        }
    }
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
    fn piped_text_may_be_empty_and_has_a_limit() {
        let read = |bytes: &[u8]| read_piped(&mut &*bytes, 8).map(|s| s.expose().to_owned()).map_err(|e| e.0.text(Lang::En));
        assert_eq!(read(b""), Ok(String::new()));
        assert_eq!(read(b"a\nb\r\n"), Ok("a\nb".to_owned()));
        assert_eq!(read(b"12345678\n"), Ok("12345678".to_owned()));
        assert!(read(b"123456789").unwrap_err().contains('8'));
        assert!(read(&[0xff]).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn typing_can_be_mended_and_given_up() {
        let read = |keys: &[u8]| typed(&mut &*keys).ok().map(|l| String::from_utf8(l.to_vec()).unwrap());
        assert_eq!(read(b"kex\x7fy\rrest").as_deref(), Some("key"));
        assert_eq!(read("k客\u{7f}ey\n".as_bytes()).as_deref(), Some("key"));
        assert_eq!(read(b"wrong\x15key\r").as_deref(), Some("key"));
        assert_eq!(read(b"ke\x03"), None);
        assert_eq!(read(b"ke"), None, "a terminal that went away gives nothing");
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
