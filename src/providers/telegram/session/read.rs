//! One way to read a slot's file whatever its layout: bounded, patient with a library that is just writing, told apart by
//! content where the configuration names another layout.

use super::{Format, LARGEST, Session, Trouble, gotd, pyrogram, sqlite, telethon};
use std::{
    fs::{File, Metadata},
    io::Read,
    path::Path,
    time::Duration,
};
use zeroize::Zeroizing;

/// A session that was read, and who else may read its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it tells.
    pub session: Session,
    /// The file's mode, if others than its owner may read or write it: `0o644`.
    pub loose: Option<u32>,
}

/// How often to look again at a file that is perhaps being written, and how long to wait in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts in all, at least one.
    pub tries: u32,
    /// Between two.
    pub pause: Duration,
}

impl Default for Patience {
    /// A library writes some kilobytes: a tenth of a second is generous, on a slow disk too.
    fn default() -> Self {
        Self { tries: 5, pause: Duration::from_millis(25) }
    }
}

/// Reads the session at `path`; blocks the calling thread. A layout that is not the named one is refused with what it is.
///
/// # Errors
/// What is wrong, after as many attempts as patience has where that may pass.
pub fn read(path: &Path, format: Format, patience: Patience) -> Result<Found, Trouble> {
    patiently(patience, || once(path, Some(format)))
}

/// As [`read`], whatever the layout: for finding copies.
///
/// # Errors
/// As there.
pub fn look(path: &Path, patience: Patience) -> Result<Found, Trouble> {
    patiently(patience, || once(path, None))
}

fn patiently(patience: Patience, mut once: impl FnMut() -> Result<Found, Trouble>) -> Result<Found, Trouble> {
    let mut left = patience.tries.max(1);
    loop {
        left -= 1;
        match once() {
            Err(t) if t.may_pass() && left > 0 => std::thread::sleep(patience.pause),
            end => return end,
        }
    }
}

fn once(path: &Path, format: Option<Format>) -> Result<Found, Trouble> {
    let (file, meta) = open(path)?;
    let mut head = Zeroizing::new(Vec::with_capacity(sqlite::MAGIC.len()));
    take(&file, sqlite::MAGIC.len() as u64, &mut head)?;
    let session = if head.as_slice() == sqlite::MAGIC {
        if format.is_some_and(|f| f != Format::TelethonSqlite) {
            return Err(Trouble::Foreign("a SQLite database"));
        }
        sqlite::read(path, meta.len())?
    } else {
        if meta.len() > LARGEST {
            return Err(Trouble::TooLarge(meta.len()));
        }
        let mut all = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + head.len()));
        all.extend_from_slice(&head);
        take(&file, LARGEST, &mut all)?;
        read_bytes(&all, format)?
    };
    Ok(Found { session, loose: loose(&meta) })
}

/// Reads what a file holds, SQLite aside.
///
/// # Errors
/// What is wrong with it.
pub fn read_bytes(bytes: &[u8], format: Option<Format>) -> Result<Session, Trouble> {
    if bytes.len() as u64 > LARGEST {
        return Err(Trouble::TooLarge(bytes.len() as u64));
    }
    let seen = sniff(bytes);
    let (format, foreign) = match (format, seen) {
        (None, None) => return Err(Trouble::Foreign("no session of a known kind")),
        (None, Some(seen)) => (seen, None),
        (Some(said), Some(seen)) if said != seen => (said, Some(looks(seen))),
        (Some(said), _) => (said, None),
    };
    // What is clearly something else is not called broken.
    if let Some(what) = foreign {
        return Err(Trouble::Foreign(what));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Trouble::Truncated);
    }
    let text = || std::str::from_utf8(bytes).ok().filter(|t| t.len() < 4096).ok_or(Trouble::Corrupt("no line of text"));
    match format {
        Format::Gotd => gotd::parse(bytes),
        Format::TelethonString => telethon::parse(text()?),
        Format::PyrogramString => pyrogram::parse(text()?),
        Format::TelethonSqlite if sqlite::MAGIC.starts_with(bytes) => Err(Trouble::Truncated),
        Format::TelethonSqlite => Err(Trouble::Foreign("no SQLite database")),
    }
}

/// What it is by its looks; `None` when nothing speaks for anything.
fn sniff(bytes: &[u8]) -> Option<Format> {
    let text = bytes.trim_ascii();
    let word = !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='));
    match text {
        [b'{', ..] => Some(Format::Gotd),
        // 263 or 275 bytes in base64 behind the version; 263, 267 or 271 without padding.
        [b'1', rest @ ..] if word && matches!(rest.len(), 351 | 352 | 367 | 368) => Some(Format::TelethonString),
        t if word && matches!(t.len(), 351 | 352 | 356 | 362 | 364) => Some(Format::PyrogramString),
        _ => None,
    }
}

const fn looks(format: Format) -> &'static str {
    match format {
        Format::Gotd => "JSON",
        Format::TelethonSqlite => "a SQLite database",
        Format::TelethonString => "a Telethon string",
        Format::PyrogramString => "a Pyrogram string",
    }
}

/// Opens a regular file. A pipe that nobody writes to must not hold us.
fn open(path: &Path) -> Result<(File, Metadata), Trouble> {
    let refused = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Trouble::Absent,
        _ => Trouble::Unreadable(crate::store::paths::plain(&e)),
    };
    if !std::fs::metadata(path).map_err(refused)?.is_file() {
        return Err(Trouble::NotAFile);
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(refused)?;
    let meta = file.metadata().map_err(refused)?;
    if meta.is_file() { Ok((file, meta)) } else { Err(Trouble::NotAFile) }
}

fn take(mut file: &File, most: u64, into: &mut Vec<u8>) -> Result<(), Trouble> {
    // One byte more than allowed shows a file that grew meanwhile.
    let read = Read::by_ref(&mut file).take(most).read_to_end(into);
    read.map(|_| ()).map_err(|e| Trouble::Unreadable(crate::store::paths::plain(&e)))
}

#[cfg(unix)]
fn loose(meta: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn loose(_: &Metadata) -> Option<u32> {
    None
}
