//! The socket's other end: blocking, without a runtime, because it must take no time.

use crate::engine::agent::{Document, Refusal, Request};
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};
use zeroize::Zeroizing;

/// A living server says so much sooner that it has heard.
const HEARD: Duration = Duration::from_millis(500);
/// What a platform may take to answer, and those who wait for it.
const ANSWER: Duration = Duration::from_secs(60);
/// The longest answer, in bytes.
const LONGEST: u64 = 256 * 1024;

/// What the deck or `watch` says. `None`: nobody is there, or cannot tell; then the caller does it itself.
pub(super) fn ask(socket: &Path, request: &Request) -> Option<Result<Document, Refusal>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    // A socket that somebody else listens to would be given a token to read.
    let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    if peer.uid != rustix::process::getuid() {
        return None;
    }
    let line = Zeroizing::new(format!("{}\n", Request { ack: true, ..request.clone() }.to_json()));
    stream.set_write_timeout(Some(HEARD)).ok()?;
    stream.set_read_timeout(Some(HEARD)).ok()?;
    stream.write_all(line.as_bytes()).ok()?;
    let mut from = BufReader::new(stream.take(LONGEST));
    let mut read = |patience: Duration| -> Option<serde_json::Value> {
        from.get_ref().get_ref().set_read_timeout(Some(patience)).ok()?;
        let mut line = Zeroizing::new(String::new());
        from.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    };
    let mut answer = read(HEARD)?;
    if answer.get("heard").is_some() {
        answer = read(ANSWER)?;
    }
    if let Some(document) = Document::from_json(&answer) {
        return Some(Ok(document));
    }
    match Refusal::from_json(&answer)? {
        // It does not know what was added since it began, or may not open what this terminal can.
        Refusal::Unknown | Refusal::Malformed | Refusal::Request | Refusal::Ambiguous(_) => None,
        Refusal::Reason(why) if local(why.code) => None,
        why => Some(Err(why)),
    }
}

/// What this process may fare better with.
const fn local(code: crate::domain::ReasonCode) -> bool {
    use crate::domain::ReasonCode as C;
    matches!(code, C::Busy | C::VaultLocked | C::ReadOnly | C::Gone | C::StoreUnwritable)
}
