//! The one place that writes to stdout and stderr: results on stdout, prose on stderr.
//!
//! A reader that goes away ends the command quietly; a result that cannot be written for another reason (a full disk, a closed
//! stdout) is said, and no success. No colour and no cut in a pipe; on a terminal a table is cut to it.

use super::Exit;
use crate::{
    i18n::{Lang, Message, command as c},
    store::paths,
};
use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stdout takes no more, so there is nothing left to do: its reader has gone, or writing failed and was said ([`Output::ended`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader of the output has gone")]
pub struct Gone;

/// Where a command writes.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// True once a result could not be written although somebody wants it.
    lost: bool,
    /// Language of prose and tables.
    pub lang: Lang,
    /// Cells of the terminal that stdout is; `None` in a pipe or file.
    pub width: Option<usize>,
    /// True with `-q`: only what failed is said.
    pub quiet: bool,
}

impl Output {
    /// The process's own streams.
    pub fn std(lang: Lang, quiet: bool) -> Self {
        let width = io::stdout().is_terminal().then(|| crossterm::terminal::size().map_or(80, |(w, _)| usize::from(w)));
        Self { out: Box::new(io::stdout()), err: Box::new(io::stderr()), lost: false, lang, width, quiet }
    }

    /// Keeps everything in memory, for tests.
    pub fn captured() -> (Self, Captured) {
        let shown = Captured::default();
        let (to, err) = (Box::new(shown.out.clone()), Box::new(shown.err.clone()));
        let out = Self { out: to, err, lost: false, lang: Lang::En, width: None, quiet: false };
        (out, shown)
    }

    /// Stdout was closed before the program began: every result of it is lost, and said to be.
    pub fn closed(&mut self) {
        self.out = Box::new(Closed);
    }

    /// How a command ends whose own end is `exit`: with 1 when a result of it could not be written.
    pub const fn ended(&self, exit: Exit) -> Exit {
        if self.lost && matches!(exit, Exit::Ok) { Exit::Failed } else { exit }
    }

    /// Writes bytes as they are to stdout.
    ///
    /// # Errors
    /// When the reader has gone, quietly; when they cannot be written for another reason, after that was said on stderr.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let Err(e) = self.out.write_all(bytes).and_then(|()| self.out.flush()) else { return Ok(()) };
        if e.kind() != io::ErrorKind::BrokenPipe && !std::mem::replace(&mut self.lost, true) {
            self.unwritten(&e);
        }
        Err(Gone)
    }

    /// Says that stdout took no result, and why.
    pub fn unwritten(&mut self, why: &io::Error) {
        self.complain(&Message::new(&c::NOT_WRITTEN).with("why", paths::plain(why)));
    }

    /// Writes a line of the result to stdout.
    ///
    /// # Errors
    /// When the reader has gone.
    pub fn line(&mut self, text: &str) -> Result<(), Gone> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Writes a JSON document of several lines to stdout.
    ///
    /// # Errors
    /// When the reader has gone.
    pub fn json(&mut self, value: &serde_json::Value) -> Result<(), Gone> {
        self.line(&format!("{value:#}"))
    }

    /// Writes one line of NDJSON to stdout, at once.
    ///
    /// # Errors
    /// When the reader has gone.
    pub fn ndjson(&mut self, value: &serde_json::Value) -> Result<(), Gone> {
        self.line(&value.to_string())
    }

    /// Says something on stderr, unless told to be quiet. A stderr that is gone changes nothing.
    pub fn note(&mut self, text: &Message) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Says what failed on stderr, quiet or not.
    pub fn complain(&mut self, text: &Message) {
        let text = text.text(self.lang);
        self.complain_text(&text);
    }

    /// Says a sentence that already has its language on stderr.
    pub fn complain_text(&mut self, text: &str) {
        let _ = writeln!(self.err, "pairdeck: {text}");
        let _ = self.err.flush();
    }

    /// Writes a question to stderr without a line end, so that the answer stands behind it.
    pub fn ask(&mut self, question: &Message) {
        let _ = write!(self.err, "{}", question.text(self.lang));
        let _ = self.err.flush();
    }

    /// Ends the line of a question whose answer was not echoed.
    pub fn asked(&mut self) {
        let _ = writeln!(self.err);
    }

    /// Writes a table: columns as wide as their widest cell, two blanks between, nothing behind the last one.
    ///
    /// # Errors
    /// When the reader has gone.
    pub fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) -> Result<(), Gone> {
        let mut text = String::new();
        for line in lay_out(head, rows) {
            text.push_str(self.width.map_or(line.as_str(), |w| cut(&line, w)));
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }
}

/// A stdout that is not there. The standard library puts `/dev/null` in its place, which takes everything.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(libc::EBADF))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lay_out<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let mut widths = head.map(UnicodeWidthStr::width);
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(cell.width());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, w) in cells.zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', w.saturating_sub(cell.width()) + 2));
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.into_iter())];
    lines.extend(rows.iter().map(|r| line(&mut r.iter().map(String::as_str))));
    lines
}

/// As much of `line` as fits `width` cells, never half a letter.
fn cut(line: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, g) in line.grapheme_indices(true) {
        used += g.width();
        if used > width {
            return line[..at].trim_end();
        }
    }
    line
}

/// What a captured [`Output`] was given.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    out: Shared,
    err: Shared,
}

impl Captured {
    /// Everything written to stdout so far.
    pub fn stdout(&self) -> String {
        self.out.text()
    }
    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        self.err.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_by_cells_and_not_cut_in_a_pipe() {
        let (mut out, shown) = Output::captured();
        let rows = [["客服一号".to_owned(), "online".to_owned()], ["shop-a".to_owned(), "x".repeat(200)]];
        out.table(["NAME", "STATE"], &rows).unwrap();
        let text = shown.stdout();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["NAME      STATE", "客服一号  online"]);
        assert!(lines[2].ends_with(&"x".repeat(200)));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn on_a_terminal_a_line_is_cut_between_letters() {
        assert_eq!(cut("客服一号", 5), "客服");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
    }

    /// Takes bytes as a buffer does, and fails with this when they are to be on the disk.
    struct Fails(io::ErrorKind);
    impl Write for Fails {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_left_ends_the_command_quietly() {
        let (mut out, shown) = Output::captured();
        out.out = Box::new(Fails(io::ErrorKind::BrokenPipe));
        assert_eq!((out.line("x"), out.ended(Exit::Ok)), (Err(Gone), Exit::Ok));
        assert_eq!(shown.stderr(), "");
    }

    #[test]
    fn a_result_that_cannot_be_written_is_said_once_and_is_no_success() {
        let (mut out, shown) = Output::captured();
        out.quiet = true;
        out.out = Box::new(Fails(io::ErrorKind::StorageFull));
        assert_eq!((out.line("x"), out.line("y")), (Err(Gone), Err(Gone)));
        assert_eq!((out.ended(Exit::Ok), out.ended(Exit::Name)), (Exit::Failed, Exit::Name));
        assert_eq!(shown.stderr().lines().count(), 1, "{}", shown.stderr());
        let (mut out, shown) = Output::captured();
        out.closed();
        assert_eq!((out.line("x"), out.ended(Exit::Ok)), (Err(Gone), Exit::Failed));
        assert!(shown.stderr().contains("stdout"), "{}", shown.stderr());
    }
}
