//! A program in a pseudo-terminal of its own, its screen kept by a parser, its terminal queries answered.
//!
//! Waiting is driven by output: [`Pty::wait_until`] looks again whenever the program wrote something, and gives up with the
//! screen in its message after [`super::deadline`].

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Instant,
};
use vt100::{Callbacks, Parser, Screen};

/// What the terminal says of itself when asked.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// Answer to OSC 11: `rgb:0000/0000/0000` is a dark background. `None`: it does not answer.
    pub background: Option<&'static str>,
    /// Answers device attributes and cursor reports.
    pub answers: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { background: Some("rgb:0000/0000/0000"), answers: true }
    }
}

/// What the parser meets beside text: questions to answer, text for the clipboard, bells.
struct Talk {
    terminal: Terminal,
    answers: Vec<u8>,
    clipboard: Vec<Vec<u8>>,
    bells: usize,
}

impl Callbacks for Talk {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.bells += 1;
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.clipboard.push(data.to_vec());
    }

    fn unhandled_csi(&mut self, screen: &mut Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        if !self.terminal.answers {
            return;
        }
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (i1, c, first) {
            (None, 'c', 0) => self.answers.extend(b"\x1b[?62;22c"),
            (Some(b'>'), 'c', 0) => self.answers.extend(b"\x1b[>0;276;0c"),
            (None, 'n', 5) => self.answers.extend(b"\x1b[0n"),
            (None, 'n', 6) => {
                let (row, col) = screen.cursor_position();
                self.answers.extend(format!("\x1b[{};{}R", row + 1, col + 1).bytes());
            }
            _ => {}
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, params: &[&[u8]]) {
        if let ([b"11", b"?", ..], Some(color)) = (params, self.terminal.background) {
            self.answers.extend(format!("\x1b]11;{color}\x1b\\").bytes());
        }
    }
}

struct Seen {
    parser: Parser<Talk>,
    raw: Vec<u8>,
    ended: bool,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The program, its terminal and its screen. Killed when dropped.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    shared: Arc<Shared>,
    termios: String,
    status: Option<ExitStatus>,
}

/// How a program is started.
pub struct Start {
    command: CommandBuilder,
    size: (u16, u16),
    terminal: Terminal,
}

impl Start {
    /// `program` with nothing of this process' environment but `PATH`, in an 80×24 terminal with 24-bit colour.
    pub fn new(program: impl AsRef<std::ffi::OsStr>) -> Self {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        Self { command, size: (80, 24), terminal: Terminal::default() }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the folder that it starts in.
    pub fn cwd(mut self, folder: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.cwd(folder);
        self
    }

    /// Columns and rows.
    pub fn size(mut self, cols: u16, rows: u16) -> Self {
        self.size = (cols, rows);
        self
    }

    /// Changes what the terminal says of itself.
    pub fn terminal(mut self, terminal: Terminal) -> Self {
        self.terminal = terminal;
        self
    }

    /// Starts it.
    pub fn spawn(self) -> Pty {
        let (cols, rows) = self.size;
        let pair = native_pty_system().openpty(pty_size(cols, rows)).expect("a pty opens");
        let termios = termios(&*pair.master);
        let child = pair.slave.spawn_command(self.command).expect("the program starts");
        // Only the program holds its side now, so that its end ends the output.
        drop(pair.slave);
        let reader = pair.master.try_clone_reader().expect("the pty can be read");
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("the pty can be written")));
        let talk = Talk { terminal: self.terminal, answers: Vec::new(), clipboard: Vec::new(), bells: 0 };
        let parser = Parser::new_with_callbacks(nonzero(rows), nonzero(cols), 1000, talk);
        let shared = Arc::new(Shared { seen: Mutex::new(Seen { parser, raw: Vec::new(), ended: false }), changed: Condvar::new() });
        let (theirs, answers) = (Arc::clone(&shared), Arc::clone(&writer));
        std::thread::spawn(move || read_all(reader, &theirs, &answers));
        Pty { child, master: pair.master, writer, shared, termios, status: None }
    }
}

fn read_all(mut reader: Box<dyn Read + Send>, shared: &Shared, writer: &Mutex<Box<dyn Write + Send>>) {
    let mut buf = [0; 16 * 1024];
    // Linux ends a pty with EIO once nobody holds its other side.
    while let Ok(n @ 1..) = reader.read(&mut buf) {
        let answers = {
            let mut seen = shared.lock();
            seen.parser.process(&buf[..n]);
            seen.raw.extend_from_slice(&buf[..n]);
            std::mem::take(&mut seen.parser.callbacks_mut().answers)
        };
        shared.changed.notify_all();
        if !answers.is_empty() {
            let mut writer = writer.lock().unwrap_or_else(|e| e.into_inner());
            let _ = writer.write_all(&answers).and_then(|()| writer.flush());
        }
    }
    shared.lock().ended = true;
    shared.changed.notify_all();
}

fn nonzero(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has at least one cell")
}

fn pty_size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn termios(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

impl Pty {
    /// Waits until `text` is on screen; returns the screen's text.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?} on screen"), |s| s.contents().contains(text).then(|| s.contents()))
    }

    /// Waits until `text` is not on screen.
    pub fn wait_gone(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?} gone"), |s| (!s.contents().contains(text)).then(|| s.contents()))
    }

    /// Waits until `found` finds what it looks for on the screen.
    pub fn wait_until<T>(&self, what: &str, mut found: impl FnMut(&Screen) -> Option<T>) -> T {
        let until = Instant::now() + super::deadline();
        let mut seen = self.shared.lock();
        loop {
            if let Some(t) = found(seen.parser.screen()) {
                return t;
            }
            let left = until.saturating_duration_since(Instant::now());
            let why = if seen.ended { "the program has ended" } else { "the deadline has passed" };
            assert!(!seen.ended && !left.is_zero(), "waited for {what}, but {why}. On screen:\n{}", seen.parser.screen().contents());
            seen = self.shared.changed.wait_timeout(seen, left).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// Fails if `text` is, or ever was, written by the program (as one run of bytes).
    pub fn assert_never_wrote(&self, text: &str) {
        let seen = self.shared.lock();
        assert!(!seen.raw.windows(text.len()).any(|w| w == text.as_bytes()), "{text:?} was written");
    }

    /// The screen at this moment, for `cell`, `cursor_position` and the decoder.
    pub fn screen(&self) -> Screen {
        self.shared.lock().parser.screen().clone()
    }

    /// The screen's text at this moment.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// Every byte that the program wrote so far.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.lock().raw.clone()
    }

    /// What was copied by OSC 52, base64 as sent.
    pub fn clipboard(&self) -> Vec<Vec<u8>> {
        self.shared.lock().parser.callbacks().clipboard.clone()
    }

    /// How often it rang.
    pub fn bells(&self) -> usize {
        self.shared.lock().parser.callbacks().bells
    }

    /// Waits for a QR that a phone could read from a dark terminal; returns its text.
    pub fn wait_for_qr(&self) -> String {
        self.wait_until("a QR that can be read", |s| super::eye::decode_qr(s, super::eye::Background::Dark))
    }

    /// Presses keys: letters as they are, `<Enter> <Esc> <Tab> <Space> <Up> <Down> <Left> <Right> <BS> <C-x> <lt>` by name.
    pub fn keys(&self, keys: &str) {
        let mut writer = self.writer.lock().unwrap_or_else(|e| e.into_inner());
        writer.write_all(&key_bytes(keys)).and_then(|()| writer.flush()).expect("the pty takes keys");
    }

    /// Pastes text, bracketed as terminals do.
    #[allow(dead_code, reason = "not every test file pastes")]
    pub fn paste(&self, text: &str) {
        let mut writer = self.writer.lock().unwrap_or_else(|e| e.into_inner());
        writer.write_all(format!("\u{1b}[200~{text}\u{1b}[201~").as_bytes()).and_then(|()| writer.flush()).expect("the pty takes a paste");
    }

    /// Changes the terminal's size, as a window manager would: the program gets `SIGWINCH`.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.shared.lock().parser.set_size(nonzero(rows), nonzero(cols));
        self.master.resize(pty_size(cols, rows)).expect("the pty can be resized");
    }

    /// Process number of the program.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the program has a number")
    }

    /// Sends a signal by name (`TERM`, `HUP`, `INT`, `KILL`, …).
    pub fn signal(&self, name: &str) {
        let done = std::process::Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(done.expect("kill runs").success(), "SIG{name} was not sent");
    }

    /// Waits until the program ends, and until all that it wrote was read.
    pub fn wait_exit(&mut self) -> ExitStatus {
        if let Some(status) = &self.status {
            return status.clone();
        }
        let until = Instant::now() + super::deadline();
        // There is no wait with a deadline in the interface: the child is asked again and again, which is no synchronisation.
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                break status;
            }
            assert!(Instant::now() < until, "the program did not end. On screen:\n{}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let after = termios(&*self.master);
        let mut seen = self.shared.lock();
        while !seen.ended && Instant::now() < until {
            seen = self.shared.changed.wait_timeout(seen, super::deadline()).unwrap_or_else(|e| e.into_inner()).0;
        }
        drop(seen);
        if after != self.termios {
            self.termios = format!("before the start: {}\nafter the end:    {after}", self.termios);
        }
        self.status = Some(status.clone());
        status
    }

    /// Ends with this code and leaves the terminal as it was.
    pub fn assert_exit(&mut self, code: u32) {
        let status = self.wait_exit();
        assert_eq!(status.exit_code(), code, "{status:?}. On screen:\n{}", self.text());
        self.assert_restored();
    }

    /// Fails unless the ended program left the terminal as it found it: main screen, cursor, no mouse, no bracketed paste,
    /// same line discipline. After `kill -9` nobody can restore anything: do not ask then.
    pub fn assert_restored(&mut self) {
        self.wait_exit();
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was not left");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is still on");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is still reported");
        assert!(!self.termios.contains('\n'), "the line discipline differs.\n{}", self.termios);
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        super::canary::scan("terminal", &self.raw());
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn key_bytes(keys: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = keys;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map(|e| at + e);
        let (head, name) = (&rest[..at], end.map(|e| &rest[at + 1..e]));
        out.extend(head.bytes());
        match name {
            Some("Enter") => out.push(b'\r'),
            Some("Esc") => out.push(0x1b),
            Some("Tab") => out.push(b'\t'),
            Some("Space") => out.push(b' '),
            Some("BS") => out.push(0x7f),
            Some("Up") => out.extend(b"\x1b[A"),
            Some("Down") => out.extend(b"\x1b[B"),
            Some("Right") => out.extend(b"\x1b[C"),
            Some("Left") => out.extend(b"\x1b[D"),
            Some("lt") => out.push(b'<'),
            Some(ctrl) if ctrl.len() == 3 && ctrl.starts_with("C-") => out.push(ctrl.as_bytes()[2].to_ascii_lowercase() & 0x1f),
            other => panic!("no key is named {other:?}"),
        }
        rest = end.map_or("", |e| &rest[e + 1..]);
    }
    out.extend(rest.bytes());
    out
}
