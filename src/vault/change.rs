//! Another key, or another place for it; and the mark that tells a store which was put back from a copy.
//!
//! The new key is in its place, and read back from there, before anything depends on it; then everything is sealed anew in one
//! transaction; then the old key is erased. Killed at any point, the store's line names the one key that opens everything.

use super::{
    Home, KeyMeta, OpenKey, Place, Source, Vault, VaultState, keyfile, keyring, lock, meta, passphrase,
    seal::{self, Key},
    shut,
};
use crate::{
    domain::{Reason, ReasonCode, Secret},
    i18n::{Lang, Message, store as words},
    store::Audit,
};

/// What the store needs to seal everything anew.
pub(crate) struct Rekey {
    old: OpenKey,
    new: OpenKey,
    /// The vault's line from then on.
    pub(crate) line: KeyMeta,
    /// The line of the audit that tells of it.
    pub(crate) note: Option<Audit>,
}

impl Rekey {
    /// The key that everything is sealed with until now.
    pub(crate) fn old_id(&self) -> &str {
        &self.old.id
    }

    /// Seals what stood at `from` for `to`. Outer `None`: the system gives no random bytes; inner: it does not open.
    pub(crate) fn reseal(&self, from: &Place<'_>, to: &Place<'_>, sealed: &[u8]) -> Option<Option<Vec<u8>>> {
        let Some(plain) = seal::open(&self.old.key, &self.old.id, from, sealed) else { return Some(None) };
        seal::seal(&self.new.key, &self.new.id, to, &plain).map(Some)
    }
}

/// What a change of keys did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Values sealed anew.
    pub sealed: usize,
    /// Values that did not open before either; they were left as they stand.
    pub broken: Vec<String>,
    /// Where the old key still lies, because it could not be erased there.
    pub left: Option<String>,
}

impl Vault {
    /// Seals everything under a new key in `to`, from then on the vault's only source. The old key is erased. The vault must be
    /// open. Other processes notice at their next sealed value and ask the source again.
    ///
    /// # Errors
    /// A sentence: locked, the new source does not work, the passphrase is too short, the key was changed meanwhile.
    pub async fn change(&self, to: Source, passphrase: Option<Secret>) -> Result<Rekeyed, Reason> {
        self.change_noted(to, passphrase, None).await
    }

    /// The same, with the line of the audit that tells of it in the commit that does it.
    ///
    /// # Errors
    /// As there.
    pub async fn change_noted(&self, to: Source, passphrase: Option<Secret>, note: Option<Audit>) -> Result<Rekeyed, Reason> {
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            let _turn = lock(&vault.0.turn);
            let _ = tx.send(vault.change_now(to, passphrase.as_ref(), note));
        });
        let done = rx.await.unwrap_or_else(|_| Err(Message::new(&words::CLOSED)));
        done.map_err(|m| shut::reason(&m))
    }

    fn change_now(&self, to: Source, given: Option<&Secret>, note: Option<Audit>) -> Result<Rekeyed, Message> {
        let home = lock(&self.0.home).clone().ok_or_else(|| Message::new(&words::CLOSED))?;
        let _alone = home.alone()?;
        let old_line = home.keeper.load()?.1.ok_or_else(|| Message::new(&words::VAULT_NONE))?;
        let old = lock(&self.0.open).clone().ok_or_else(|| Message::new(&words::VAULT_SHUT))?;
        if !old_line.fits(&old.key) {
            return Err(Message::new(&words::KEY_CHANGED));
        }
        if old_line.source == Source::Memory || to == Source::Memory {
            return Err(Message::new(&words::MEMORY_GONE));
        }
        if old_line.source == Source::KeyFile {
            keyfile::no_link(&keyfile::place(&home.key_file, &old_line.item))?;
        }
        let none = || Message::new(&words::KEYRING_FAILED).with("why", "no random bytes");
        let item = meta::random_hex(4).ok_or_else(none)?;
        let (key, salt, cost) = new_key(&home, &old_line, to, given, &item)?;
        let mut line = KeyMeta::new(&old_line.store, to, &key, salt, cost).ok_or_else(none)?;
        if matches!(to, Source::Keyring | Source::KeyFile) {
            line.item.clone_from(&item);
        }
        let new = OpenKey { id: line.key_id.clone(), key };
        let mut done = match home.keeper.rekey(Rekey { old, new: new.clone(), line: line.clone(), note }) {
            Ok(done) => done,
            // What failed may have been the word of it, and not the commit: the key that the store names is never erased.
            Err(m) => match home.keeper.load() {
                Ok((_, Some(now))) if now.key_id == line.key_id => Rekeyed::default(),
                Ok(_) => {
                    let _ = erase(&home, &line);
                    return Err(m);
                }
                // Left for the next change to sweep.
                Err(_) => return Err(m),
            },
        };
        *lock(&self.0.open) = Some(new);
        self.0.state.send_replace(VaultState::Open(to));
        done.left = erase(&home, &old_line).err();
        let kept = (to == Source::KeyFile).then(|| keyfile::place(&home.key_file, &line.item));
        keyfile::sweep(&home.key_file, kept.as_deref());
        Ok(done)
    }

    /// Asks the source again because another process replaced the key. Nobody is prompted. Returns how the vault stands then.
    pub(crate) async fn reopen(&self) -> VaultState {
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            vault.open_now(None, false);
            let _ = tx.send(());
        });
        let _ = rx.await;
        self.state()
    }

    /// A sentence when the store is older than its mark: an older copy of it was put back. Journals and secrets in it may be
    /// out of date, so nothing is resumed by itself until somebody accepts it.
    pub fn restored(&self) -> Option<Message> {
        let (now, mark) = (*lock(&self.0.restored))?;
        Some(Message::new(&words::RESTORED).with("now", now.to_string()).with("mark", mark.to_string()))
    }

    /// Looks whether another process has accepted it meanwhile. True when it has, and [`Vault::restored`] says nothing any more.
    pub async fn accepted_elsewhere(&self) -> bool {
        if lock(&self.0.restored).is_none() {
            return false;
        }
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            let _turn = lock(&vault.0.turn);
            let home = lock(&vault.0.home).clone();
            let over = home
                .is_some_and(|home| matches!(home.keeper.restored(None), Ok(None)) && home.keeper.progress().is_ok_and(|(now, mark)| now >= mark));
            if over {
                *lock(&vault.0.restored) = None;
            }
            let _ = tx.send(over);
        });
        rx.await.unwrap_or(false)
    }

    /// Accepts a store that was put back from a copy: its mark is set to where it stands.
    ///
    /// # Errors
    /// A sentence, when the mark cannot be written.
    pub async fn accept_restored(&self) -> Result<(), Reason> {
        let vault = self.clone();
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn(move || {
            let _turn = lock(&vault.0.turn);
            let _ = tx.send(vault.accept_now());
        });
        let done = rx.await.unwrap_or_else(|_| Err(Message::new(&words::CLOSED)));
        done.map_err(|m| Reason::new(ReasonCode::StoreUnwritable).raw(m.text(Lang::En)))
    }

    fn accept_now(&self) -> Result<(), Message> {
        let home = lock(&self.0.home).clone().ok_or_else(|| Message::new(&words::CLOSED))?;
        home.keeper.mark_here()?;
        if let Some(line) = home.keeper.load()?.1.filter(|l| l.source == Source::Keyring) {
            let (now, _) = home.keeper.progress()?;
            keyring::ask(keyring::mark(&line.store), keyring::Ask::Set(written(now)), true)?;
        }
        *lock(&self.0.restored) = None;
        Ok(())
    }

    /// Compares how far the store has come with its marks: one in a file beside it, and one in the keyring where that holds the
    /// key. The keyring's is raised at most daily. A keyring that does not answer here has given the key a moment ago: not fatal.
    pub(super) fn look_for_restored(&self, home: &Home, line: &KeyMeta, person: bool) {
        let Ok((now, mut mark)) = home.keeper.progress() else { return };
        let before = home.keeper.restored(None).ok().flatten();
        if line.source == Source::Keyring
            && let Ok(kept) = keyring::ask(keyring::mark(&line.store), keyring::Ask::Get, person)
        {
            let (at, day) = kept.as_ref().and_then(|text| text.split_once(' ')).unwrap_or(("0", "0"));
            let (at, day): (i64, u64) = (at.parse().unwrap_or(0), day.parse().unwrap_or(0));
            mark = mark.max(at);
            if before.is_none() && now > at && day != today() {
                let _ = keyring::ask(keyring::mark(&line.store), keyring::Ask::Set(written(now)), false);
            }
        }
        // Writes of its own would bring an older copy past its mark: what was seen once stays until it is accepted.
        let seen = (now < mark).then_some((now, mark));
        let kept = if before.is_none() && seen.is_some() { home.keeper.restored(seen).ok().flatten() } else { before };
        *lock(&self.0.restored) = kept.or(seen);
    }
}

fn written(now: i64) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(format!("{now} {}", today()))
}

fn today() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs() / 86_400)
}

/// A new key, with salt and cost where it is from a passphrase.
type Fresh = (Key, Vec<u8>, (u32, u32, u32));

/// A new key, kept in `to` already where that is a place of ours.
fn new_key(home: &Home, old: &KeyMeta, to: Source, given: Option<&Secret>, item: &str) -> Result<Fresh, Message> {
    let none = || Message::new(&words::KEYRING_FAILED).with("why", "no random bytes");
    let plain = |key| (key, Vec::new(), (0, 0, 0));
    match to {
        Source::Passphrase => {
            let (key, salt) = passphrase::fresh(given)?;
            Ok((key, salt, passphrase::COST))
        }
        // It is the unit's to bring the new key; the one in use would change nothing.
        Source::Credential => {
            let ours = old.source == Source::Credential;
            let next = if ours { keyfile::next_credential()? } else { keyfile::credentials()?.into_iter().next() };
            let next = next.filter(|k| !old.fits(k));
            next.map(plain).ok_or_else(|| Message::new(&words::CREDENTIAL_NEXT))
        }
        Source::Keyring => {
            let key = seal::new_key().ok_or_else(none)?;
            keyring::keep(keyring::item(&old.store, item), &key)?;
            Ok(plain(key))
        }
        Source::KeyFile => {
            let key = seal::new_key().ok_or_else(none)?;
            keyfile::write(&keyfile::place(&home.key_file, item), &key)?;
            Ok(plain(key))
        }
        Source::Memory => Err(Message::new(&words::MEMORY_GONE)),
    }
}

/// Erases a key that nothing is sealed with. What cannot be erased is of no use to anybody without an old copy of the store; the
/// error is where it lies.
fn erase(home: &Home, line: &KeyMeta) -> Result<(), String> {
    match line.source {
        Source::Keyring => {
            let erased = keyring::ask(keyring::item(&line.store, &line.item), keyring::Ask::Erase, false);
            erased.map(drop).map_err(|_| line.source.name().to_owned())
        }
        Source::KeyFile => {
            let path = keyfile::place(&home.key_file, &line.item);
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(path.to_string_lossy().into_owned()),
                _ => Ok(()),
            }
        }
        Source::Passphrase | Source::Credential | Source::Memory => Ok(()),
    }
}
