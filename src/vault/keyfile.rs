//! A key in a file: the store's own key file (only by explicit choice), or a systemd credential.

use super::seal::Key;
use crate::{
    i18n::{Message, store as words},
    store::paths,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Longest file with a key that is read, in bytes: 44 letters and room for blanks.
const LONGEST: usize = 4096;

/// 32 bytes from base64 text.
pub(super) fn decode(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).ok()?);
    let key: [u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(Zeroizing::new(key))
}

/// Base64 text of a key.
pub(super) fn encode(key: &Key) -> Zeroizing<String> {
    Zeroizing::new(BASE64_STANDARD.encode(key.as_slice()))
}

/// Reads the key file; refuses one that others may read.
pub(super) fn read(path: &Path) -> Result<Key, Message> {
    let unread = |why: &str| Message::new(&words::KEY_UNREAD).with("path", path.to_string_lossy()).with("why", why);
    // Before its mode: that of a folder, and a pipe that would be waited for, are not what is wrong.
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return Err(unread("it is no file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        if let Ok(found) = std::fs::metadata(path) {
            let own = rustix::process::geteuid().as_raw();
            if found.uid() != own && found.uid() != 0 {
                let m = Message::new(&words::KEY_OWNER).with("path", path.to_string_lossy());
                return Err(m.with("owner", found.uid().to_string()).with("own", own.to_string()));
            }
            if found.permissions().mode() & 0o077 != 0 {
                return Err(Message::new(&words::KEY_LOOSE).with("path", path.to_string_lossy()));
            }
        }
    }
    let bytes = short(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => missing(),
        _ => unread(&paths::plain(&e)),
    })?;
    std::str::from_utf8(&bytes).ok().and_then(decode).ok_or_else(|| Message::new(&words::KEY_WRONG).with("source", "key file"))
}

/// The beginning of a file: no key is longer, and what is longer is none.
fn short(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    std::fs::File::open(path)?.take(LONGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a key file that is a link: removing it would leave the key behind it where it is.
pub(super) fn no_link(path: &Path) -> Result<(), Message> {
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
        return Err(Message::new(&words::KEY_LINK).with("path", path.to_string_lossy()));
    }
    Ok(())
}

/// Writes a new key file whole, owner only; never over an old one.
pub(super) fn write(path: &Path, key: &Key) -> Result<(), Message> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let go = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(encode(key).as_bytes())?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|e| e.error)?;
        std::fs::File::open(dir)?.sync_all()
    };
    go().map_err(|e| paths::cannot_write(path, &e))
}

/// Where the key of this `item` lies: the store's key file for the first key, one beside it for those that replaced it.
pub(super) fn place(first: &Path, item: &str) -> PathBuf {
    // An edited store must not lead out of the folder.
    if item.is_empty() || !item.chars().all(|c| c.is_ascii_hexdigit()) { first.to_owned() } else { first.with_file_name(format!("vault-{item}.key")) }
}

/// Erases every key file of the store but `keep`: what a change of keys has replaced, or began and never finished.
pub(super) fn sweep(first: &Path, keep: Option<&Path>) {
    let Some(Ok(entries)) = first.parent().map(std::fs::read_dir) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        let ours = path == first || path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("vault-") && n.ends_with(".key"));
        if ours && keep != Some(path.as_path()) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Name of the credential that holds the key.
const CREDENTIAL: &str = "pairdeck-key";
/// Name of the credential that holds the key which is to replace it.
const NEXT: &str = "pairdeck-key-next";

/// The key that is to replace one of ours. The one that stands beside it until the unit is edited may be the one that was replaced.
pub(super) fn next_credential() -> Result<Option<Key>, Message> {
    let dir = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| Message::new(&words::CREDENTIAL_NONE))?;
    let Ok(bytes) = short(&Path::new(&dir).join(NEXT)) else { return Ok(None) };
    let key = std::str::from_utf8(&bytes).ok().and_then(decode);
    key.map(Some).ok_or_else(|| Message::new(&words::KEY_WRONG).with("source", "credential"))
}

/// Reads the keys that systemd handed to this process: the one in use, then the one that is to replace it. After a change of
/// keys both are handed in until the unit is edited, so whoever opens takes the one that fits.
pub(super) fn credentials() -> Result<Vec<Key>, Message> {
    let none = || Message::new(&words::CREDENTIAL_NONE);
    let dir = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(none)?;
    let mut keys = Vec::new();
    for name in [CREDENTIAL, NEXT] {
        if let Ok(bytes) = short(&Path::new(&dir).join(name)) {
            let key = std::str::from_utf8(&bytes).ok().and_then(decode);
            keys.push(key.ok_or_else(|| Message::new(&words::KEY_WRONG).with("source", "credential"))?);
        }
    }
    if keys.is_empty() { Err(none()) } else { Ok(keys) }
}

fn missing() -> Message {
    Message::new(&words::KEY_MISSING).with("source", "key file")
}
