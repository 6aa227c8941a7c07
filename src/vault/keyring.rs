//! The system's keyring, through the `keyring` crate: one item that holds the vault key, and one that tells how far the store
//! had come.
//!
//! Everything here may block for ever (a daemon that hangs does not answer D-Bus), so every call runs on a thread of its
//! own and is waited for a bounded time; a thread that does not come back is left behind. Nothing here runs in a `Drop`.

use super::{keyfile, meta::KeyMeta, seal::Key};
use crate::i18n::{Message, store as words};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};
use zeroize::Zeroizing;

/// How long a reply is waited for in the background.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long when a person asked to unlock and may be typing into the keyring's own dialogue.
pub(super) const PERSON: Duration = Duration::from_secs(30);
/// Calls left behind at most; after that the keyring is called stuck at once.
const LEFT_BEHIND: usize = 4;

static STUCK: AtomicUsize = AtomicUsize::new(0);

/// What to do with the item.
pub(super) enum Ask {
    /// Read it; `None` in the answer when it is not there.
    Get,
    /// Write it and read it back.
    Set(Zeroizing<String>),
    /// Erase it; none there is as good.
    Erase,
}

/// The name of the item that holds the key of a store.
pub(super) fn item(store: &str, item: &str) -> String {
    if item.is_empty() { format!("vault-key-v1:{store}") } else { format!("vault-key-v1:{store}:{item}") }
}

/// The name of the item that tells how far a store had come.
pub(super) fn mark(store: &str) -> String {
    format!("vault-mark-v1:{store}")
}

/// The key that `line` speaks of.
pub(super) fn key(line: &KeyMeta, prompt: bool) -> Result<Option<Key>, Message> {
    let wrong = || Message::new(&words::KEY_WRONG).with("source", "keyring");
    ask(item(&line.store, &line.item), Ask::Get, prompt)?.map(|text| keyfile::decode(&text).ok_or_else(wrong)).transpose()
}

/// Keeps a key under `user`, and proves by reading that it is there.
pub(super) fn keep(user: String, key: &Key) -> Result<(), Message> {
    let back = ask(user, Ask::Set(keyfile::encode(key)), false)?.and_then(|text| keyfile::decode(&text));
    back.filter(|b| **b == **key).map(|_| ()).ok_or_else(|| Message::new(&words::KEY_MISSING).with("source", "keyring"))
}

/// Asks the keyring about the item `user`. `prompt`: a person is there and may be asked by the keyring itself.
pub(super) fn ask(user: String, what: Ask, prompt: bool) -> Result<Option<Zeroizing<String>>, Message> {
    let patience = if prompt { PERSON } else { PATIENCE };
    let stuck = || Message::new(&words::KEYRING_STUCK).with("seconds", patience.as_secs().to_string());
    if STUCK.load(Ordering::Relaxed) >= LEFT_BEHIND {
        return Err(stuck());
    }
    let (tx, rx) = mpsc::sync_channel(1);
    let call = move || {
        let answer = call(&user, what, prompt);
        if tx.send(answer).is_err() {
            // Left behind and come back after all.
            STUCK.fetch_sub(1, Ordering::Relaxed);
        }
    };
    if std::thread::Builder::new().name("keyring".into()).spawn(call).is_err() {
        return Err(stuck());
    }
    match rx.recv_timeout(patience) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            STUCK.fetch_add(1, Ordering::Relaxed);
            Err(stuck())
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Message::new(&words::KEYRING_FAILED).with("why", "its client ended early")),
    }
}

fn call(user: &str, what: Ask, prompt: bool) -> Result<Option<Zeroizing<String>>, Message> {
    let entry = entry(user, prompt)?;
    match what {
        Ask::Get => {}
        Ask::Set(text) => entry.set_password(&text).map_err(|e| explain(&e))?,
        Ask::Erase => {
            return match entry.delete_credential() {
                Ok(()) | Err(keyring::Error::NoEntry) => Ok(None),
                Err(e) => Err(explain(&e)),
            };
        }
    }
    match entry.get_password() {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(e) => Err(explain(&e)),
    }
}

/// The item, in a store that we make ourselves: `keyring`'s own is made once a process and stays failed for ever.
#[cfg(target_os = "linux")]
fn entry(user: &str, prompt: bool) -> Result<keyring::Entry, Message> {
    use keyring_core::CredentialStore;
    look_first(prompt)?;
    let store: std::sync::Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new().map_err(|e| explain(&e))?;
    let inner = store.build("pairdeck", user, None).map_err(|e| explain(&e))?;
    Ok(keyring::Entry { inner })
}

#[cfg(not(target_os = "linux"))]
fn entry(user: &str, _prompt: bool) -> Result<keyring::Entry, Message> {
    keyring::Entry::new("pairdeck", user).map_err(|e| explain(&e))
}

/// Reads the default collection's `Locked` property, which never prompts, before anything that would.
#[cfg(target_os = "linux")]
fn look_first(prompt: bool) -> Result<(), Message> {
    use zbus::{
        blocking::{Connection, Proxy},
        zvariant::OwnedObjectPath,
    };
    const NAME: &str = "org.freedesktop.secrets";
    let none = |_: zbus::Error| Message::new(&words::KEYRING_NONE);
    let bus = Connection::session().map_err(none)?;
    let service = Proxy::new(&bus, NAME, "/org/freedesktop/secrets", "org.freedesktop.Secret.Service").map_err(none)?;
    let path: OwnedObjectPath = service.call("ReadAlias", &"default").map_err(none)?;
    if path.as_str() == "/" {
        // Making one asks for its password in a dialogue: only when a person is there.
        return if prompt { Ok(()) } else { Err(Message::new(&words::KEYRING_NO_COLLECTION)) };
    }
    let collection = Proxy::new(&bus, NAME, path, "org.freedesktop.Secret.Collection").map_err(none)?;
    let locked: bool = collection.get_property("Locked").map_err(none)?;
    if locked && !prompt {
        return Err(Message::new(&words::KEYRING_LOCKED));
    }
    Ok(())
}

/// Errors of the keyring in words. Its texts carry no secrets.
fn explain(e: &keyring::Error) -> Message {
    match e {
        keyring::Error::NoStorageAccess(_) => Message::new(&words::KEYRING_LOCKED),
        keyring::Error::NoDefaultStore => Message::new(&words::KEYRING_NONE),
        other => Message::new(&words::KEYRING_FAILED).with("why", other.to_string()),
    }
}
