//! A watch over everything that a test lets the program say or write: every credential of every server that a test starts is
//! remembered by the thread of that test (another test's server may make up what is a token here), and everything that goes through the harness (stdout, stderr, terminal bytes, every
//! file of a home when it is dropped) is looked through for it, in every spelling. A suite needs nothing for it but the harness.

use super::house::{files, spellings};
use std::{cell::RefCell, io::Write, path::Path};

thread_local! {
    static KNOWN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Shorter ones could stand anywhere by chance.
const SHORTEST: usize = 8;

/// Watches for one more secret.
pub fn watch(secret: &str) {
    KNOWN.with_borrow_mut(|known| {
        if secret.len() >= SHORTEST && !known.iter().any(|k| k == secret) {
            known.push(secret.to_owned());
        }
    });
}

fn known() -> Vec<String> {
    KNOWN.with_borrow(Clone::clone)
}

/// Fails when a secret is in `bytes`. What a failing test left is not looked at: its own failure is the one to be told.
#[track_caller]
pub fn scan(what: &str, bytes: &[u8]) {
    if std::thread::panicking() {
        return;
    }
    let known = known();
    // Every spelling is ASCII: what is no text in between hides none.
    let text = String::from_utf8_lossy(bytes);
    for form in known.iter().flat_map(|secret| spellings(secret)) {
        assert!(!text.contains(&form), "{what} holds a secret in clear ({form:?})");
    }
    tell(what, bytes.len(), known.len());
}

/// The same for every file below a folder.
#[track_caller]
pub fn scan_files(folder: &Path) {
    if std::thread::panicking() || !folder.is_dir() {
        return;
    }
    for file in files(folder) {
        let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        scan(&format!("file {name}"), &std::fs::read(&file).unwrap_or_default());
    }
}

/// One line for `tests/security`, which adds them up.
fn tell(what: &str, bytes: usize, secrets: usize) {
    let Some(log) = std::env::var_os("PAIRDECK_CANARY_LOG") else { return };
    let kind = what.split(' ').next().unwrap_or_default();
    if let Ok(mut log) = std::fs::OpenOptions::new().append(true).create(true).open(log) {
        // One write a line: several test processes append to it.
        let _ = log.write_all(format!("{kind} {bytes} {secrets}\n").as_bytes());
    }
}
